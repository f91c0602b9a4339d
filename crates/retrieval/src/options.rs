//! How documents are searched for an answer: as the collection is set up, and as one request asks for.
//!
//! A request tells its wishes in a member `hanok` of its own, beside the dialect's, or in its `metadata` (`labels`
//! in Gemini's dialect) by names that begin with `hanok.`, where values are texts; in Ollama's dialect the member
//! may stand in `options`.

use crate::query::QueryStep;
use hanok_base::{ChatRequest, CollectionName, Legs, Object, SearchQuery};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// Most chunks that are put before a model.
const MOST: usize = 50;
/// What the names of our members of `metadata` begin with.
const PREFIX: &str = "hanok.";

/// How documents are searched for an answer; what is `None` is left to what stands behind: the collection, then
/// the answerer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AskOptions {
    /// Conditions on the documents' metadata.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// How many chunks are read, 1 to 50.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<usize>,
    /// What is asked: words, vectors, or both.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub legs: Option<Legs>,
    /// What a model does with the question first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<Vec<QueryStep>>,
}

/// How collections are set up to be searched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CollectionOptions {
    /// Those of one collection.
    pub of: BTreeMap<CollectionName, AskOptions>,
    /// What they leave open.
    pub all: AskOptions,
}

impl AskOptions {
    /// What a request asks for. The error is for its sender, and names the member.
    pub fn of(request: &ChatRequest) -> Result<Self, String> {
        let object = |value: Option<&Value>| value.and_then(Value::as_object).cloned();
        let mut told = Object::new();
        for place in ["metadata", "labels"] {
            for (name, value) in object(request.extra.get(place)).unwrap_or_default() {
                if let Some(name) = name.strip_prefix(PREFIX) {
                    told.insert(name.to_owned(), value);
                }
            }
        }
        let inside = request.extra.get("options").and_then(|options| options.get("hanok"));
        for own in [inside, request.extra.get("hanok")].into_iter().flatten() {
            let Value::Object(own) = own else {
                return Err("`hanok` must be an object".to_owned());
            };
            told.extend(own.clone());
        }
        Self::read(&told, "hanok")
    }

    /// What the members of an object say that stands at `place`, which an error names.
    pub fn read(told: &Object, place: &str) -> Result<Self, String> {
        let mut options = Self::default();
        for (name, value) in told.iter().filter(|(_, value)| !value.is_null()) {
            let wrong = |wanted: &str| format!("`{place}.{name}` must be {wanted}, not {value}");
            match name.as_str() {
                "filter" => {
                    options.filter = Some(value.as_str().ok_or_else(|| wrong("a text"))?.to_owned());
                }
                "top_k" => {
                    let number = value.as_u64().or_else(|| value.as_str()?.trim().parse().ok());
                    let number = number.and_then(|number| usize::try_from(number).ok());
                    let number = number.filter(|number| (1..=MOST).contains(number));
                    options.top_k = Some(number.ok_or_else(|| wrong("a number from 1 to 50"))?);
                }
                "legs" => {
                    let legs = serde_json::from_value(value.clone());
                    options.legs = Some(legs.map_err(|_| wrong("\"bm25\", \"dense\" or \"hybrid\""))?);
                }
                "query" => {
                    let steps = steps(value);
                    let wanted = "some of \"rewrite\", \"multi\", \"hyde\" and \"decompose\"";
                    options.query = Some(steps.ok_or_else(|| wrong(wanted))?);
                }
                _ => {
                    return Err(format!(
                        "there is no `{place}.{name}`; there are: filter, top_k, legs, query"
                    ));
                }
            }
        }
        Ok(options)
    }

    /// These, and what they leave open as `others` say.
    #[must_use]
    pub fn or(self, others: &Self) -> Self {
        Self {
            filter: self.filter.or_else(|| others.filter.clone()),
            top_k: self.top_k.or(others.top_k),
            legs: self.legs.or(others.legs),
            query: self.query.or_else(|| others.query.clone()),
        }
    }

    /// The search these ask for, of `top_k` chunks where they do not say.
    pub(crate) fn search(&self, text: String, collection: CollectionName, top_k: usize) -> SearchQuery {
        SearchQuery {
            filter: self.filter.clone().unwrap_or_default(),
            legs: self.legs,
            ..SearchQuery::new(text, collection, self.top_k.unwrap_or(top_k).clamp(1, MOST))
        }
    }
}

/// A list of steps, or their names in one text.
fn steps(value: &Value) -> Option<Vec<QueryStep>> {
    match value {
        Value::String(text) => {
            text.split([',', ' ']).filter(|name| !name.is_empty()).map(QueryStep::parse).collect()
        }
        Value::Array(names) => names.iter().map(|name| QueryStep::parse(name.as_str()?)).collect(),
        _ => None,
    }
}

/// Takes what is ours out of a request that goes on to a model.
pub(crate) fn strip(request: &mut ChatRequest) {
    request.extra.shift_remove("hanok");
    if let Some(Value::Object(options)) = request.extra.get_mut("options") {
        options.shift_remove("hanok");
    }
    for place in ["metadata", "labels"] {
        let Some(Value::Object(members)) = request.extra.get_mut(place) else { continue };
        members.retain(|name, _| !name.starts_with(PREFIX));
        if members.is_empty() {
            request.extra.shift_remove(place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(extra: Value) -> ChatRequest {
        let mut request = ChatRequest::new("ask".into(), Vec::new());
        let Value::Object(extra) = extra else { panic!("no object") };
        request.extra = extra;
        request
    }

    #[test]
    fn requests_tell_their_wishes() {
        let all = AskOptions {
            filter: Some("lang:ko".into()),
            top_k: Some(5),
            legs: Some(Legs::Bm25),
            query: Some(vec![QueryStep::Rewrite, QueryStep::Multi]),
        };
        let check = |extra: Value, expect: Result<&AskOptions, &str>| {
            let got = AskOptions::of(&request(extra.clone()));
            match (&got, expect) {
                (Ok(got), Ok(expect)) => assert_eq!(got, expect, "{extra}"),
                (Err(got), Err(expect)) => assert!(got.contains(expect), "{got}"),
                _ => panic!("{extra}: {got:?}"),
            }
        };
        let own = json!({"filter": "lang:ko", "top_k": 5, "legs": "bm25", "query": ["rewrite", "multi"]});
        check(json!({"hanok": own}), Ok(&all));
        check(json!({"options": {"hanok": own, "num_ctx": 5}}), Ok(&all));
        let texts = json!({"hanok.filter": "lang:ko", "hanok.top_k": "5", "hanok.legs": "bm25",
            "hanok.query": "rewrite, multi", "other": "x"});
        check(json!({"metadata": texts}), Ok(&all));
        check(json!({"labels": texts}), Ok(&all));
        check(json!({"metadata": "x", "hanok": {"filter": null}}), Ok(&AskOptions::default()));
        check(json!({"hanok": []}), Err("must be an object"));
        check(json!({"hanok": {"top_k": 0}}), Err("from 1 to 50"));
        check(json!({"metadata": {"hanok.top_k": "many"}}), Err("`hanok.top_k`"));
        check(json!({"hanok": {"legs": "arms"}}), Err("hybrid"));
        check(json!({"hanok": {"query": ["guess"]}}), Err("hyde"));
        check(json!({"hanok": {"topk": 3}}), Err("there is no `hanok.topk`"));
    }

    #[test]
    fn what_is_ours_goes_no_further() {
        let mut request = request(json!({"hanok": {}, "metadata": {"hanok.top_k": "5"}, "seed": 1,
            "labels": {"hanok.legs": "bm25", "a": "b"}, "options": {"hanok": {}, "num_ctx": 5}}));
        strip(&mut request);
        let left = Value::Object(request.extra);
        assert_eq!(left, json!({"seed": 1, "labels": {"a": "b"}, "options": {"num_ctx": 5}}));
    }

    #[test]
    fn a_request_wins_over_its_collection() {
        let request = AskOptions { top_k: Some(3), ..AskOptions::default() };
        let collection =
            AskOptions { top_k: Some(9), query: Some(vec![QueryStep::Hyde]), ..AskOptions::default() };
        let both = request.or(&collection);
        assert_eq!((both.top_k, both.query), (Some(3), Some(vec![QueryStep::Hyde])));
        assert_eq!(AskOptions::default().search("q".into(), "c".into(), 8).top_k, 8);
    }
}
