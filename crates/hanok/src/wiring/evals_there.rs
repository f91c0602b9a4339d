//! What evals ask of a running server beside its models: its collections, and the versions of its prompts.

use crate::remote::Remote;
use anyhow::Context as _;
use hanok_base::{BoxFuture, CallContext, Readers, RetrievalError, Retriever, SearchQuery, SearchResult};
use hanok_eval::task::PromptVersions;
use http::Method;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use std::sync::Arc;

/// The collections of a running server. A search there is a trace of its own.
pub(super) struct ServerSearch(pub(super) Arc<Remote>);

impl ServerSearch {
    async fn asked(&self, query: &SearchQuery) -> anyhow::Result<SearchResult> {
        let SearchQuery { text, collection, top_k, filter, readers, legs } = query;
        let mut body = json!({
            "query": text, "collection": collection.as_str(), "top_k": top_k, "filter": filter, "legs": legs,
        });
        if let (Readers::Of(readers), Value::Object(members)) = (readers, &mut body) {
            members.insert("readers".to_owned(), json!(readers));
        }
        let mut answer = self.0.json(Method::POST, "/api/search", Some(&body)).await?;
        let mut take = |name: &str| answer.get_mut(name).map(Value::take).unwrap_or_default();
        let hits = serde_json::from_value(take("hits")).context("the server's hits cannot be read")?;
        let coverage = serde_json::from_value(take("coverage")).unwrap_or_default();
        let left_out = serde_json::from_value(take("left_out")).unwrap_or_default();
        Ok(SearchResult { hits, coverage, left_out })
    }
}

impl Retriever for ServerSearch {
    fn search<'a>(
        &'a self,
        _: &'a CallContext,
        query: &'a SearchQuery,
    ) -> BoxFuture<'a, Result<SearchResult, RetrievalError>> {
        // The message stands for itself: what is behind it is on the other side.
        Box::pin(async move {
            self.asked(query).await.map_err(|error| RetrievalError::Failed(format!("{error:#}").into()))
        })
    }
}

/// The versions of a running server's prompts.
pub(super) struct ServerPrompts(pub(super) Arc<Remote>);

impl PromptVersions for ServerPrompts {
    fn version<'a>(&'a self, reference: &'a str) -> BoxFuture<'a, Result<String, String>> {
        Box::pin(async move {
            let (name, at) =
                reference.split_once('@').map_or((reference, None), |(name, at)| (name, Some(at)));
            let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
            let at = at.map(|at| format!("?at={}", encoded(at))).unwrap_or_default();
            let path = format!("/api/prompts/{}{at}", encoded(name));
            let found = self.0.json(Method::GET, &path, None).await.map_err(|error| format!("{error:#}"))?;
            let hash = found.get("hash").and_then(Value::as_str);
            hash.map(str::to_owned)
                .ok_or_else(|| format!("the server says no version of the prompt `{name}`"))
        })
    }
}
