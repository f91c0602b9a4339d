//! A search: the documents found, best first.

use super::Bench;
use crate::spec::RetrievalTask;
use crate::template::{fill, only_text};
use hanok_base::{
    BoxFuture, CallContext, Output, ProviderError, ProviderErrorKind, RetrievalError, Retriever, Sample,
    SearchQuery, Task, TaskError,
};
use serde_json::{Value, json};
use std::sync::Arc;

/// Searches a collection for what a row asks. The output's data are the names of the documents, best first, each once.
pub(super) struct SearchTask {
    spec: RetrievalTask,
    retriever: Arc<dyn Retriever>,
}

impl SearchTask {
    pub(super) fn new(spec: &RetrievalTask, bench: &Bench) -> Result<Self, TaskError> {
        let retriever = bench.retriever.clone().ok_or_else(|| {
            TaskError::Invalid(
                "there are no collections to search here: stop the running server, and the eval searches by itself"
                    .to_owned(),
            )
        })?;
        if spec.top_k == 0 || spec.top_k > 1000 {
            return Err(TaskError::Invalid(format!("task.top_k must be from 1 to 1000, not {}", spec.top_k)));
        }
        Ok(Self { spec: spec.clone(), retriever })
    }
}

impl Task for SearchTask {
    fn name(&self) -> &str {
        &self.spec.collection
    }

    fn identity(&self) -> Value {
        json!({ "kind": "retrieval", "spec": self.spec })
    }

    fn run<'a>(
        &'a self,
        cx: &'a CallContext,
        sample: &'a Sample,
        _: u32,
    ) -> BoxFuture<'a, Result<Output, TaskError>> {
        Box::pin(async move {
            let text = match &self.spec.query {
                Some(template) => fill(template, &sample.input).map_err(TaskError::Invalid)?,
                None => only_text(&sample.input),
            };
            let mut query = SearchQuery::new(text, self.spec.collection.as_str().into(), self.spec.top_k);
            query.filter.clone_from(&self.spec.filter);
            query.legs = self.spec.legs;
            let found = self.retriever.search(cx, &query).await.map_err(|error| match error {
                RetrievalError::Failed(source) => TaskError::Provider(ProviderError::new(
                    ProviderErrorKind::Internal,
                    &"retrieval".into(),
                    source.to_string(),
                )),
                other => TaskError::Invalid(other.to_string()),
            })?;
            let mut ids: Vec<&str> = Vec::new();
            let mut text = String::new();
            for hit in &found.hits {
                if !ids.contains(&hit.source.as_str()) {
                    ids.push(&hit.source);
                }
                if !text.is_empty() {
                    text.push_str("\n\n");
                }
                text.push_str(&hit.text);
            }
            let value = Some(json!(ids));
            Ok(Output { text, value, ..Output::default() })
        })
    }
}
