//! Gives back what it is given.

use crate::spec::Echo;
use crate::template::{fill, only_text};
use hanok_base::{BoxFuture, CallContext, Output, Sample, Task, TaskError};
use serde_json::{Value, json};

/// Echoes the input, through a template where there is one.
pub(super) struct EchoTask {
    spec: Echo,
}

impl EchoTask {
    pub(super) fn new(spec: Echo) -> Self {
        Self { spec }
    }
}

impl Task for EchoTask {
    fn name(&self) -> &'static str {
        "echo"
    }

    fn identity(&self) -> Value {
        json!({ "kind": "echo", "template": self.spec.template })
    }

    fn run<'a>(
        &'a self,
        _: &'a CallContext,
        sample: &'a Sample,
        _: u32,
    ) -> BoxFuture<'a, Result<Output, TaskError>> {
        let text = match &self.spec.template {
            Some(template) => fill(template, &sample.input).map_err(TaskError::Invalid),
            None => Ok(only_text(&sample.input)),
        };
        Box::pin(async move { Ok(Output { text: text?, ..Output::default() }) })
    }
}
