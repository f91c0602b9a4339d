//! A command: gets the row's input, answers with text or JSON.

use super::Bench;
use crate::process;
use crate::spec::CommandTask;
use hanok_base::{BoxFuture, CallContext, Operation, Output, Sample, Task, TaskError};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Most bytes that a command may answer with.
const MOST_BYTES: usize = 32 << 20;

/// Runs a program for each row, in the folder of the eval's file.
pub(super) struct ProgramTask {
    command: Vec<String>,
    folder: PathBuf,
    timeout: Duration,
    identity: Value,
}

/// What a command may answer with; anything else that is JSON is the output as data, and else it is text.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    text: String,
    #[serde(default)]
    reasoning: String,
    #[serde(default)]
    value: Option<Value>,
}

impl ProgramTask {
    pub(super) fn new(spec: &CommandTask, bench: &Bench) -> Result<Self, TaskError> {
        if spec.command.is_empty() {
            return Err(TaskError::Invalid("task.command names no program".to_owned()));
        }
        let timeout = Duration::try_from_secs_f64(spec.timeout)
            .map_err(|_| TaskError::Invalid(format!("task.timeout: {} is not a time", spec.timeout)))?;
        let folder = bench.kit.base.clone();
        // A script that was changed is another task.
        let files: Vec<Value> = spec
            .command
            .iter()
            .filter_map(|part| {
                let path = folder.join(part);
                let bytes = path.is_file().then(|| std::fs::read(&path).ok()).flatten()?;
                Some(json!([part, blake3::hash(&bytes).to_hex().to_string()]))
            })
            .collect();
        let identity = json!({ "kind": "command", "command": spec.command, "files": files });
        Ok(Self { command: spec.command.clone(), folder, timeout, identity })
    }

    async fn call(&self, cx: &CallContext, sample: &Sample, repeat: u32) -> Result<Output, TaskError> {
        let input = json!({ "input": sample.input, "repeat": repeat }).to_string();
        let mut scope = cx.span(Operation::Tool, self.command.join(" "));
        let started = Instant::now();
        let finished =
            process::run(&self.command, &self.folder, input.as_bytes(), self.timeout, MOST_BYTES).await;
        let mut failed = |message: String| {
            scope.fail("command", message.clone());
            TaskError::Failed(message)
        };
        let finished = match finished {
            Ok(finished) if finished.status == Some(0) => finished,
            Ok(finished) => {
                let status =
                    finished.status.map_or("a signal".to_owned(), |status| format!("status {status}"));
                let said = finished.stderr.trim().lines().last().unwrap_or_default().to_owned();
                return Err(failed(format!("the command ended with {status}: {said}")));
            }
            Err(error) => return Err(failed(error.to_string())),
        };
        scope.finish();
        let latency = started.elapsed();
        let text = String::from_utf8(finished.stdout)
            .map_err(|_| TaskError::Failed("the command's answer is not UTF-8".to_owned()))?;
        let text = text.trim_end_matches(['\n', '\r']);
        let structured = Some(text).filter(|text| text.trim_start().starts_with(['{', '[']));
        let data = structured.and_then(|text| serde_json::from_str::<Value>(text).ok());
        let output = match data {
            None => Output { text: text.to_owned(), ..Output::default() },
            Some(data) => match serde_json::from_value::<Answer>(data.clone()) {
                Ok(Answer { text, reasoning, value }) => {
                    Output { text, reasoning, value, ..Output::default() }
                }
                Err(_) => Output { text: text.to_owned(), value: Some(data), ..Output::default() },
            },
        };
        Ok(Output { latency, ..output })
    }
}

impl Task for ProgramTask {
    fn name(&self) -> &str {
        self.command.first().map_or("", String::as_str)
    }

    fn identity(&self) -> Value {
        self.identity.clone()
    }

    fn run<'a>(
        &'a self,
        cx: &'a CallContext,
        sample: &'a Sample,
        repeat: u32,
    ) -> BoxFuture<'a, Result<Output, TaskError>> {
        Box::pin(self.call(cx, sample, repeat))
    }
}
