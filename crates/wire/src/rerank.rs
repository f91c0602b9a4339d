//! Rerankings, both directions: the shape of Cohere and Jina, which most servers take (`query`, `documents`,
//! `results`), and what others do differently (Voyage answers `data`, Text Embeddings Inference takes `texts` and
//! answers an array of `score`s).

use crate::error::{WireError, text};
use crate::take;
use hanok_base::{ModelName, Object, RerankRequest, RerankResponse, Usage};
use serde::Deserialize;
use serde_json::{Value, json};

/// Most documents of one request.
const MOST_DOCUMENTS: usize = 10_000;

/// The shape a server takes rerankings in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RerankForm {
    /// `query` and `documents`.
    #[default]
    Documents,
    /// `query` and `texts`, no model: that of Text Embeddings Inference.
    Texts,
}

/// A client's request. Documents may be texts, or objects with a `text`.
pub fn decode_request(body: &[u8]) -> Result<RerankRequest, WireError> {
    let mut object = take::object(body)?;
    let model = take::string(&mut object, "model")?
        .filter(|model| !model.is_empty())
        .ok_or_else(|| WireError::member("model", "is required"))?;
    let query =
        take::string(&mut object, "query")?.ok_or_else(|| WireError::member("query", "is required"))?;
    let documents = take::array(&mut object, "documents")?;
    if documents.is_empty() {
        return Err(WireError::member("documents", "must hold at least one text"));
    }
    if documents.len() > MOST_DOCUMENTS {
        let message =
            format!("holds {} documents; at most {MOST_DOCUMENTS} go into one request", documents.len());
        return Err(WireError::member("documents", message));
    }
    let one = |(i, document): (usize, Value)| match document {
        Value::String(text) => Ok(text),
        Value::Object(mut object) => match object.shift_remove("text") {
            Some(Value::String(text)) => Ok(text),
            _ => Err(WireError::member(format!("documents[{i}].text"), "must be a text")),
        },
        _ => Err(WireError::member(format!("documents[{i}]"), "must be a text, or an object with a `text`")),
    };
    let documents = documents.into_iter().enumerate().map(one).collect::<Result<_, _>>()?;
    let top_n = take::count(&mut object, "top_n")?.map(|count| usize::try_from(count).unwrap_or(usize::MAX));
    Ok(RerankRequest { model: model.into(), query, documents, top_n })
}

/// A request for an upstream. All documents are asked for; what is too many is cut off the answer.
pub fn encode_request(request: &RerankRequest, form: RerankForm) -> Vec<u8> {
    let body = match form {
        RerankForm::Documents => json!({
            "model": request.model.as_str(), "query": request.query, "documents": request.documents,
        }),
        RerankForm::Texts => json!({
            "query": request.query, "texts": request.documents, "truncate": true,
        }),
    };
    body.to_string().into_bytes()
}

/// An upstream's answer of any of the shapes, best first, to a request of so many documents.
pub fn decode_response(body: &[u8], documents: usize) -> Result<RerankResponse, WireError> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Body {
        Bare(Vec<Item>),
        Object(Named),
    }
    #[derive(Deserialize)]
    struct Named {
        #[serde(alias = "data")]
        results: Option<Vec<Item>>,
        model: Option<String>,
        #[serde(default)]
        usage: Option<Object>,
        #[serde(default)]
        meta: Option<Object>,
    }
    #[derive(Deserialize)]
    struct Item {
        index: usize,
        #[serde(alias = "score")]
        relevance_score: f32,
    }
    let text = text(body)?;
    let body: Body = serde_json::from_str(text).map_err(|error| match WireError::of_shape(&error, text) {
        WireError::Member { .. } => WireError::member("body", "is no reranking"),
        other => other,
    })?;
    let (items, model, usage) = match body {
        Body::Bare(items) => (items, None, Usage::default()),
        Body::Object(named) => {
            let usage = tokens(named.usage.as_ref(), named.meta.as_ref());
            let items = named
                .results
                .ok_or_else(|| WireError::member("results", "is missing: this is no reranking"))?;
            (items, named.model, usage)
        }
    };
    let mut seen = vec![false; documents];
    let mut ranked = Vec::with_capacity(items.len());
    for (i, item) in items.into_iter().enumerate() {
        match seen.get_mut(item.index) {
            Some(seen) if !*seen => *seen = true,
            Some(_) => return Err(WireError::member(format!("results[{i}].index"), "stands twice")),
            None => return Err(WireError::member(format!("results[{i}].index"), "is no document's")),
        }
        if !item.relevance_score.is_finite() {
            return Err(WireError::member(format!("results[{i}].relevance_score"), "is no number"));
        }
        ranked.push((item.index, item.relevance_score));
    }
    // Stable, so that equals keep the order they were asked in.
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    Ok(RerankResponse { model: ModelName::from(model.unwrap_or_default()), ranked, usage })
}

/// The tokens that an answer says it used.
fn tokens(usage: Option<&Object>, meta: Option<&Object>) -> Usage {
    let count = |object: Option<&Object>, names: &[&str]| {
        names.iter().find_map(|name| object?.get(*name)?.as_u64()).filter(|count| *count > 0)
    };
    let told = |name: &str| meta.and_then(|meta| meta.get(name)).and_then(Value::as_object);
    let input = count(usage, &["prompt_tokens", "total_tokens", "input_tokens"])
        .or_else(|| count(told("billed_units"), &["input_tokens"]))
        .or_else(|| count(told("tokens"), &["input_tokens"]));
    Usage { input, ..Usage::default() }
}

/// An answer for a client that asked by `request`, in the shape of Cohere and Jina.
pub fn encode_response(response: &RerankResponse, request: &[u8]) -> Vec<u8> {
    #[derive(Deserialize)]
    struct Asked {
        return_documents: Option<Value>,
    }
    let asked = serde_json::from_slice::<Asked>(request).ok().and_then(|asked| asked.return_documents);
    let request = (asked == Some(Value::Bool(true))).then(|| decode_request(request).ok()).flatten();
    let result = |(index, score): &(usize, f32)| {
        let mut result = json!({ "index": index, "relevance_score": score });
        if let (Some(object), Some(document)) =
            (result.as_object_mut(), request.as_ref().and_then(|request| request.documents.get(*index)))
        {
            object.insert("document".into(), json!({ "text": document }));
        }
        result
    };
    let results: Vec<Value> = response.ranked.iter().map(result).collect();
    let mut body = json!({ "object": "list", "model": response.model.as_str(), "results": results });
    if let (Some(object), Some(input)) = (body.as_object_mut(), response.usage.input) {
        object.insert("usage".into(), json!({ "prompt_tokens": input, "total_tokens": input }));
    }
    body.to_string().into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_every_shape_are_read() {
        let check = |body: &str, expect: Result<(&[usize], Option<u64>), &str>| {
            let got = decode_response(body.as_bytes(), 3);
            match (got, expect) {
                (Ok(got), Ok((order, input))) => {
                    let numbers: Vec<usize> = got.ranked.iter().map(|(number, _)| *number).collect();
                    assert_eq!((numbers.as_slice(), got.usage.input), (order, input), "{body}");
                }
                (Err(got), Err(expect)) => assert!(got.to_string().contains(expect), "{got}"),
                (got, _) => panic!("{body}: {got:?}"),
            }
        };
        let cohere = r#"{"results":[{"index":2,"relevance_score":0.9},{"index":0,"relevance_score":0.1},
            {"index":1,"relevance_score":0.05}],"id":"x","meta":{"api_version":{"version":"2"},"billed_units":{"search_units":1}}}"#;
        check(cohere, Ok((&[2, 0, 1], None)));
        let jina = r#"{"model":"jina-reranker-v3","object":"list","usage":{"total_tokens":38},
            "results":[{"index":1,"document":{"text":"b"},"relevance_score":0.3},{"index":0,"relevance_score":0.2}]}"#;
        check(jina, Ok((&[1, 0], Some(38))));
        let voyage = r#"{"object":"list","data":[{"relevance_score":0.4375,"index":0},{"relevance_score":0.42,"index":1}],
            "model":"rerank-2.5","usage":{"total_tokens":26}}"#;
        check(voyage, Ok((&[0, 1], Some(26))));
        check(r#"[{"index":0,"score":-3.5},{"index":2,"score":4.5}]"#, Ok((&[2, 0], None)));
        check(r#"{"results":[{"index":3,"relevance_score":1}]}"#, Err("no document's"));
        check(
            r#"{"results":[{"index":1,"relevance_score":1},{"index":1,"relevance_score":2}]}"#,
            Err("stands twice"),
        );
        check(r#"{"results":[{"index":1,"relevance_score":1e99}]}"#, Err("no number"));
        check(r#"{"message":"no"}"#, Err("results"));
        check(r#"{"results":"all"}"#, Err("no reranking"));
        check("", Err("EOF"));
    }

    #[test]
    fn a_client_is_answered_in_the_usual_shape() {
        let request = br#"{"model":"m","query":"q","documents":["a",{"text":"b","title":"t"}],"top_n":1,"return_documents":true}"#;
        let decoded = decode_request(request).unwrap();
        assert_eq!((decoded.documents, decoded.top_n), (vec!["a".to_owned(), "b".to_owned()], Some(1)));
        let response = RerankResponse {
            model: "m".into(),
            ranked: vec![(1, 0.5)],
            usage: Usage { input: Some(7), ..Usage::default() },
        };
        let body: Value = serde_json::from_slice(&encode_response(&response, request)).unwrap();
        assert_eq!(
            body,
            json!({"object": "list", "model": "m", "usage": {"prompt_tokens": 7, "total_tokens": 7},
                "results": [{"index": 1, "relevance_score": 0.5, "document": {"text": "b"}}]})
        );
        for (body, expect) in [
            (r#"{"query":"q","documents":["a"]}"#, "`model`: is required"),
            (r#"{"model":"m","documents":["a"]}"#, "`query`: is required"),
            (r#"{"model":"m","query":"q","documents":[]}"#, "at least one"),
            (r#"{"model":"m","query":"q","documents":[7]}"#, "documents[0]"),
        ] {
            let error = decode_request(body.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(expect), "{error}");
        }
    }
}
