//! What an eval tries: built of its file's `[task]`.
//!
//! A task sees a row's input and nothing else of it: what would be right must not reach it.

mod command;
mod echo;
mod http;
mod model;
mod retrieval;

use crate::Kit;
use crate::spec::TaskSpec;
use hanok_base::{BoxFuture, Retriever, Task, TaskError};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What tasks are made with, beside what scorers are.
#[derive(Clone, Default)]
pub struct Bench {
    /// Models, the network, the folder.
    pub kit: Kit,
    /// Searches collections.
    pub retriever: Option<Arc<dyn Retriever>>,
    /// Says which version a prompt is in; without it, answers of prompts are not taken from other experiments.
    pub prompts: Option<Arc<dyn PromptVersions>>,
    /// What names of the configuration stand for: another meaning is another task.
    pub aliases: BTreeMap<String, Value>,
}

/// Says which version of a prompt a reference means now.
pub trait PromptVersions: Send + Sync {
    /// The version of `NAME`, `NAME@LABEL` or `NAME@VERSION`; an error in words.
    fn version<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<String, String>>;
}

impl PromptVersions for hanok_prompt::Library {
    fn version<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move {
            let (name, at) =
                reference.split_once('@').map_or((reference, None), |(name, at)| (name, Some(at)));
            let found = self.resolve(name, at).await.map_err(|error| error.to_string())?;
            Ok(found.prompt.version().as_str().to_owned())
        })
    }
}

/// A task, and how it is to be treated.
#[derive(Clone)]
pub struct BuiltTask {
    /// The task.
    pub task: Arc<dyn Task>,
    /// Whether its answers hold for other experiments too: whether its identity says all that makes them.
    pub is_cached: bool,
    /// Whether its work is recorded as a trace.
    pub is_traced: bool,
}

/// Builds a task.
pub async fn build(spec: &TaskSpec, bench: &Bench) -> Result<BuiltTask, TaskError> {
    let (task, is_cached, is_traced): (Arc<dyn Task>, bool, bool) = match spec {
        TaskSpec::Echo(spec) => (Arc::new(echo::EchoTask::new(spec.clone())), false, false),
        TaskSpec::Model(spec) => {
            // What these know changes without their names.
            let is_own = spec.model.starts_with("hanok/") || spec.model.starts_with("agent/");
            (Arc::new(model::ChatTask::of_model(spec, bench)?), !is_own, true)
        }
        TaskSpec::Prompt(spec) => {
            let is_known = bench.prompts.is_some();
            (Arc::new(model::ChatTask::of_prompt(spec, bench).await?), is_known, true)
        }
        TaskSpec::Retrieval(spec) => (Arc::new(retrieval::SearchTask::new(spec, bench)?), false, true),
        TaskSpec::Http(spec) => (Arc::new(http::EndpointTask::new(spec, bench)?), false, true),
        TaskSpec::Unsupported(spec) => {
            return Err(TaskError::Invalid(format!("not supported: {}", spec.why)));
        }
        TaskSpec::Command(spec) => (Arc::new(command::ProgramTask::new(spec, bench)?), true, true),
    };
    Ok(BuiltTask { task, is_cached, is_traced })
}
