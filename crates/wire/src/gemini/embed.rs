//! Embeddings: `embedContent` for one content, `batchEmbedContents` for several.

use super::{forms, models, usage};
use crate::codec::Encoded;
use crate::error::WireError;
use crate::gemini::fault;
use crate::take;
use hanok_base::{Degradation, Dialect, EmbedInput, EmbedRequest, EmbedResponse, Object, Route, Usage};
use serde::Serialize;
use serde_json::Value;

pub(super) fn decode_request(route: Route, body: &[u8]) -> Result<EmbedRequest, WireError> {
    let mut object = take::object(body)?;
    forms::camel(&mut object);
    if route != Route::BatchEmbeddings {
        return entry(object);
    }
    let entries = take::array(&mut object, "requests")?;
    let mut whole: Option<EmbedRequest> = None;
    for (i, value) in entries.into_iter().enumerate() {
        let place = format!("requests[{i}]");
        let mut one = take::item(value, &place)?;
        forms::camel(&mut one);
        let mut one = entry(one).map_err(|error| take::under(&place, error))?;
        let Some(whole) = &mut whole else {
            whole = Some(one);
            continue;
        };
        let same = [
            ("model", whole.model == one.model),
            ("outputDimensionality", whole.dimensions == one.dimensions),
            ("taskType", whole.task == one.task),
            ("title", whole.extra == one.extra),
        ];
        if let Some((name, _)) = same.iter().find(|(_, same)| !same) {
            let message = "must be the same in each entry, where another dialect answers";
            return Err(WireError::member(format!("{place}.{name}"), message));
        }
        whole.inputs.append(&mut one.inputs);
    }
    whole.ok_or_else(|| WireError::member("requests", "must hold at least one entry"))
}

fn entry(mut object: Object) -> Result<EmbedRequest, WireError> {
    // The settings stand in the entry, or in an object of their own.
    if let Some(config) = forms::map(&mut object, "embedContentConfig")? {
        forms::fill(&mut object, &config);
    }
    let mut content = forms::map(&mut object, "content")?
        .ok_or_else(|| WireError::member("content", "is required: an object with parts"))?;
    let mut text = String::new();
    for (i, value) in forms::list(&mut content, "parts")?.into_iter().enumerate() {
        let part = value.get("text").and_then(Value::as_str).ok_or_else(|| {
            WireError::member(format!("content.parts[{i}].text"), "is required: only text can be embedded")
        })?;
        text.push_str(part);
    }
    let dimensions = forms::count(&mut object, "outputDimensionality")?
        .map(|n| u32::try_from(n).map_err(|_| WireError::member("outputDimensionality", "is too large")))
        .transpose()?;
    let model = take::string(&mut object, "model")?.unwrap_or_default();
    Ok(EmbedRequest {
        model: model.strip_prefix("models/").unwrap_or(&model).into(),
        inputs: vec![EmbedInput::Text(text)],
        dimensions,
        task: take::string(&mut object, "taskType")?,
        user: None,
        dialect: Some(Dialect::Gemini),
        extra: object,
    })
}

/// The tasks that the API knows, and words by which others name them.
const TASKS: [(&str, &str); 8] = [
    ("SEMANTIC_SIMILARITY", "similarity"),
    ("CLASSIFICATION", "classification"),
    ("CLUSTERING", "clustering"),
    ("CODE_RETRIEVAL_QUERY", "code"),
    ("QUESTION_ANSWERING", "question"),
    ("FACT_VERIFICATION", "fact"),
    ("RETRIEVAL_QUERY", "query"),
    ("RETRIEVAL_DOCUMENT", "document"),
];

fn task(named: &str) -> Option<&'static str> {
    let lower = named.to_ascii_lowercase();
    let exact = TASKS.iter().find(|(task, _)| task.eq_ignore_ascii_case(named));
    let known = exact.or_else(|| TASKS.iter().find(|(_, word)| lower.contains(word)));
    known.map(|(task, _)| *task).or_else(|| lower.contains("passage").then_some("RETRIEVAL_DOCUMENT"))
}

/// A batch, however many there are.
pub(super) fn encode_request(request: &EmbedRequest) -> Result<Encoded, WireError> {
    let own = request.dialect == Some(Dialect::Gemini);
    let mut lost = Vec::new();
    let mut settings =
        Object::from_iter([("model".to_owned(), Value::from(models::resource(request.model.as_str())))]);
    let mut rest = Object::new();
    if let Some(named) = &request.task {
        match task(named) {
            _ if own => drop(rest.insert("taskType".into(), named.as_str().into())),
            Some(task) => drop(rest.insert("taskType".into(), task.into())),
            None => lost.push(Degradation {
                param: "task".to_owned(),
                message: format!("left out: gemini has no task {named:?}"),
            }),
        }
    }
    if let Some(dimensions) = request.dimensions {
        rest.insert("outputDimensionality".into(), dimensions.into());
    }
    if own {
        forms::fill(&mut rest, &request.extra);
    } else {
        lost.extend(request.extra.iter().filter(|(_, value)| !value.is_null()).map(|(name, _)| {
            Degradation { param: name.clone(), message: "left out: gemini has no such member".to_owned() }
        }));
    }
    let mut entries = Vec::with_capacity(request.inputs.len());
    for (i, input) in request.inputs.iter().enumerate() {
        let EmbedInput::Text(text) = input else {
            let message = "token ids mean nothing to gemini: send texts";
            return Err(WireError::member(format!("input[{i}]"), message));
        };
        settings.insert("content".into(), serde_json::json!({ "parts": [{ "text": text }] }));
        let mut entry = settings.clone();
        entry.extend(rest.clone());
        entries.push(entry);
    }
    Ok(Encoded::new(&serde_json::json!({ "requests": entries }), lost))
}

pub(super) fn decode_response(body: &[u8]) -> Result<EmbedResponse, WireError> {
    let mut object = take::object(body)?;
    let error =
        Value::Object(Object::from_iter(object.get("error").map(|e| ("error".to_owned(), e.clone()))));
    if fault::is_error(&error) {
        return Err(WireError::Upstream(fault::in_answer(&error)));
    }
    let (name, items) = match take::some(&mut object, "embedding") {
        Some(one) => ("embedding", vec![one]),
        None if object.contains_key("embeddings") => ("embeddings", take::array(&mut object, "embeddings")?),
        None => return Err(WireError::member("embeddings", "is missing: these are no embeddings")),
    };
    let vectors = items.iter().map(vector).collect::<Option<Vec<_>>>();
    let vectors = vectors.ok_or_else(|| WireError::member(name, "must hold objects with values"))?;
    let told = take::some(&mut object, "usageMetadata").map(|told| usage::of(&told)).unwrap_or_default();
    Ok(EmbedResponse { model: "".into(), vectors, usage: Usage { input: told.input, ..Usage::default() } })
}

#[expect(clippy::cast_possible_truncation, reason = "vectors are of single precision")]
fn vector(item: &Value) -> Option<Vec<f32>> {
    item.get("values")?.as_array()?.iter().map(|value| value.as_f64().map(|value| value as f32)).collect()
}

#[derive(Serialize)]
struct Vector<'a> {
    values: &'a [f32],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Answer<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    embedding: Option<Vector<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    embeddings: Option<Vec<Vector<'a>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    usage_metadata: Option<Tokens>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Tokens {
    prompt_token_count: u64,
}

pub(super) fn encode_response(route: Route, response: &EmbedResponse) -> Vec<u8> {
    let mut vectors = response.vectors.iter().map(|values| Vector { values });
    let (embedding, embeddings) = match route {
        Route::BatchEmbeddings => (None, Some(vectors.collect())),
        _ => (vectors.next(), None),
    };
    let usage_metadata = response.usage.input.map(|prompt_token_count| Tokens { prompt_token_count });
    serde_json::to_vec(&Answer { embedding, embeddings, usage_metadata }).unwrap_or_default()
}
