//! A search: the documents found, best first.

use super::Bench;
use crate::spec::RetrievalTask;
use crate::template::{fill, only_text};
use hanok_base::{
    BoxFuture, CallContext, Hit, Object, Output, ProviderError, ProviderErrorKind, RetrievalError, Retriever,
    Sample, SearchQuery, Task, TaskError,
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
        let retriever = bench
            .retriever
            .clone()
            .ok_or_else(|| TaskError::Invalid("there are no collections to search here".to_owned()))?;
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
            let mut ids: Vec<String> = Vec::new();
            let mut seen: Vec<&str> = Vec::new();
            let mut texts: Vec<String> = Vec::new();
            for hit in &found.hits {
                let is_new = !seen.contains(&hit.source.as_str());
                if is_new {
                    seen.push(&hit.source);
                }
                let about = || about(hit, seen.len());
                match &self.spec.document {
                    Some(template) if is_new => ids.push(filled("document", template, &about())?),
                    None if is_new => ids.push(hit.source.clone()),
                    _ => {}
                }
                match &self.spec.show {
                    Some(template) if is_new => texts.push(filled("show", template, &about())?),
                    Some(_) => {}
                    None => texts.push(hit.text.clone()),
                }
            }
            let text = texts.join("\n\n");
            let value = Some(json!(ids));
            Ok(Output { text, value, ..Output::default() })
        })
    }
}

/// What templates may say of a hit: what is known of its document, and where and what it is.
fn about(hit: &Hit, rank: usize) -> Object {
    let mut known = hit.about.metadata.clone();
    for (name, value) in [
        ("rank", json!(rank)),
        ("source", json!(hit.source)),
        ("heading", json!(hit.heading)),
        ("text", json!(hit.text)),
    ] {
        known.insert(name.to_owned(), value);
    }
    known
}

fn filled(member: &str, template: &str, about: &Object) -> Result<String, TaskError> {
    fill(template, about).map_err(|why| {
        TaskError::Invalid(format!("task.{member}: {}", why.replacen("the row", "the document", 1)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task;
    use hanok_base::{Hit, RetrievalError, SearchResult};

    struct Two;

    impl Retriever for Two {
        fn search<'a>(
            &'a self,
            _: &'a CallContext,
            _: &'a SearchQuery,
        ) -> BoxFuture<'a, Result<SearchResult, RetrievalError>> {
            let hit = |source: &str, text: &str| {
                let about = json!({
                    "source_id": "1", "source": source, "heading": "", "start": 0, "end": 1, "text": text, "score": 1.0,
                    "metadata": {"id": source.trim_end_matches(".md"), "name": "noname"},
                });
                serde_json::from_value::<Hit>(about).unwrap()
            };
            let hits = vec![hit("b.md", "one"), hit("a.md", "two"), hit("b.md", "three")];
            Box::pin(async { Ok(SearchResult { hits, ..SearchResult::default() }) })
        }
    }

    async fn check(more: Value, expect: Result<(Value, &str), &str>) {
        let mut table = json!({"kind": "retrieval", "collection": "c"});
        table.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let bench = Bench { retriever: Some(Arc::new(Two)), ..Bench::default() };
        let task = task::build(&serde_json::from_value(table).unwrap(), &bench).await.unwrap().task;
        let input = json!({"query": "q"}).as_object().unwrap().clone();
        let sample = Sample { input, ..Sample::default() };
        let got = task.run(&CallContext::unrecorded(), &sample, 0).await;
        match (got, expect) {
            (Ok(got), Ok((value, text))) => assert_eq!((got.value, got.text.as_str()), (Some(value), text)),
            (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{error}"),
            (got, _) => panic!("{more}: {got:?}"),
        }
    }

    #[tokio::test]
    async fn documents_are_called_and_shown_as_the_task_says() {
        check(json!({}), Ok((json!(["b.md", "a.md"]), "one\n\ntwo\n\nthree"))).await;
        check(
            json!({"document": "{{id}}", "show": "{{rank}}. {{name}}: {{text}}"}),
            Ok((json!(["b", "a"]), "1. noname: one\n\n2. noname: two")),
        )
        .await;
        check(json!({"show": "{{nmae}}"}), Err("task.show: the document has no variable `nmae`")).await;
    }
}
