//! Whole answers: the response object, which repeats what was asked for.

use super::items::{self, To};
use super::{fault, usage};
use crate::error::{StreamFault, WireError};
use crate::take;
use hanok_base::{
    ChatResponse, Choice, Dialect, FinishReason, Message, Object, Part, ProviderErrorKind, Role, TraceId,
};
use serde_json::{Value, json};

/// What is said of JSON that holds no output.
pub(super) const NO_ANSWER: &str = "is missing: this is no response";
/// Members of a response that are known only at its end, so that they are with the choice: a stream's head
/// comes before.
pub(super) const LATE: [&str; 3] = ["service_tier", "completed_at", HANOK];
/// Hanok's own word on an answer that it made itself.
pub(super) const HANOK: &str = "hanok";

pub(super) fn decode(body: &[u8]) -> Result<ChatResponse, WireError> {
    let mut extra = take::object(body)?;
    fail(&extra)?;
    if !matches!(extra.get("output"), Some(Value::Array(_))) {
        return Err(WireError::member("output", NO_ANSWER));
    }
    let mut reader = items::Reader::default();
    for (i, value) in take::array(&mut extra, "output")?.into_iter().enumerate() {
        let place = format!("output[{i}]");
        let object = take::item(value, &place)?;
        reader.item(object).map_err(|error| take::under(&place, error))?;
    }
    let (parts, mut choice) = reader.finish();
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let finish = finish(&extra, calls)?;
    choice.extend(late(&mut extra));
    let usage = take::some(&mut extra, "usage").map(|told| usage::of(&told)).unwrap_or_default();
    let Head { id, model, created, extra } = head(extra)?;
    Ok(ChatResponse {
        dialect: Some(Dialect::OpenAiResponses),
        id: id.into(),
        model: model.into(),
        created,
        usage,
        choices: vec![Choice {
            index: 0,
            message: Message { role: Role::Assistant, parts, extra: Object::new() },
            finish,
            extra: choice,
        }],
        extra,
    })
}

/// An answer that failed.
pub(super) fn fail(response: &Object) -> Result<(), WireError> {
    let error = response.get("error").filter(|error| !error.is_null());
    match (error, response.get("status").and_then(Value::as_str)) {
        (Some(error), _) => Err(WireError::Upstream(fault::in_answer(error))),
        (None, Some("failed")) => Err(WireError::Upstream(fault::in_answer(&Value::Null))),
        (None, Some("cancelled")) => Err(WireError::Upstream(cancelled())),
        _ => Ok(()),
    }
}

/// The fault of an answer that somebody cancelled.
pub(super) fn cancelled() -> StreamFault {
    StreamFault::new(ProviderErrorKind::Truncated, "the answer was cancelled at the provider")
}

/// Why an answer that did not fail ended.
pub(super) fn finish(response: &Object, calls: bool) -> Result<FinishReason, WireError> {
    let reason = response.get("incomplete_details").and_then(|details| details.get("reason"));
    match (response.get("status").and_then(Value::as_str), reason.and_then(Value::as_str)) {
        (Some("queued" | "in_progress"), _) => {
            Err(WireError::member("status", "says that the answer is not there yet"))
        }
        (Some("incomplete"), None) => Ok(FinishReason::Other("incomplete".to_owned())),
        (_, Some("max_output_tokens" | "max_tokens")) => Ok(FinishReason::Length),
        (_, Some("content_filter")) => Ok(FinishReason::ContentFilter),
        (_, Some(other)) => Ok(FinishReason::Other(other.to_owned())),
        (_, None) if calls => Ok(FinishReason::ToolCalls),
        (_, None) => Ok(FinishReason::Stop),
    }
}

/// Takes the members that are known only at the end.
pub(super) fn late(response: &mut Object) -> Object {
    LATE.iter().filter_map(|name| Some(((*name).to_owned(), take::some(response, name)?))).collect()
}

/// How a response begins.
pub(super) struct Head {
    pub(super) id: String,
    pub(super) model: String,
    pub(super) created: i64,
    pub(super) extra: Object,
}

/// The head of a response object, its end aside.
pub(super) fn head(mut extra: Object) -> Result<Head, WireError> {
    let id = take::string(&mut extra, "id")?.unwrap_or_default();
    let model = take::string(&mut extra, "model")?.unwrap_or_default();
    // The official types say that it may be a fraction.
    #[expect(clippy::cast_possible_truncation, reason = "seconds since the epoch")]
    let created = take::some(&mut extra, "created_at").and_then(|at| at.as_f64()).map_or(0, |at| at as i64);
    for name in ["object", "status", "error", "incomplete_details", "output", "output_text", "usage"] {
        extra.shift_remove(name);
    }
    late(&mut extra);
    extra.retain(|_, value| !value.is_null());
    Ok(Head { id, model, created, extra })
}

/// The id under which a client knows an answer: its own where it is one of this dialect, else made one.
pub fn response_id(id: &str) -> String {
    if id.starts_with("resp_") {
        return id.to_owned();
    }
    if id.is_empty() {
        return format!("resp_{}", TraceId::random());
    }
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '-' || c == '_' { c } else { '_' };
    format!("resp_{}", id.chars().map(plain).collect::<String>())
}

/// What an answer's end says.
pub(super) struct End<'a> {
    pub(super) status: &'a str,
    /// Why it is incomplete.
    pub(super) reason: Option<&'a str>,
    pub(super) error: Value,
    pub(super) output: Vec<Value>,
    pub(super) usage: Value,
}

impl End<'_> {
    /// An answer that has not begun to come.
    pub(super) fn not_yet(status: &'static str) -> Self {
        Self { status, reason: None, error: Value::Null, output: Vec::new(), usage: Value::Null }
    }
}

/// The response object of one answer, as its client sees it.
pub(super) struct Shape {
    pub(super) id: String,
    pub(super) created: i64,
    pub(super) model: String,
    /// What it repeats of the request, and the upstream's own members.
    echo: Object,
}

impl Shape {
    /// `extra` are the answer's unknown members, where they are under this dialect's names.
    pub(super) fn new(
        id: String,
        created: i64,
        model: String,
        extra: Option<&Object>,
        request: &[u8],
    ) -> Self {
        let request: Object = serde_json::from_slice(request).unwrap_or_default();
        let mut echo = Object::new();
        // Only an answer of this dialect to nobody can do without.
        if !request.is_empty() || extra.is_none() {
            echo.extend(
                DEFAULTS.iter().map(|(name, value)| {
                    ((*name).to_owned(), serde_json::from_str(value).unwrap_or_default())
                }),
            );
        }
        echo.extend(extra.cloned().unwrap_or_default());
        if !request.is_empty() {
            // Kept by us, whatever the upstream was told.
            echo.insert("store".into(), true.into());
            echo.insert("previous_response_id".into(), Value::Null);
        }
        for name in
            DEFAULTS.iter().map(|(name, _)| *name).chain(["prompt", "conversation", "prompt_cache_retention"])
        {
            if let Some(value) = request.get(name).filter(|value| !value.is_null()) {
                echo.insert(name.to_owned(), echoed(name, value));
            }
        }
        Self { id, created, model, echo }
    }

    /// The name of an item of this answer, without its prefix.
    pub(super) fn stem(&self) -> &str {
        self.id.strip_prefix("resp_").unwrap_or(&self.id)
    }

    pub(super) fn object(&self, end: End<'_>, late: &Object) -> Object {
        let mut object = Object::new();
        object.insert("id".into(), self.id.as_str().into());
        object.insert("object".into(), "response".into());
        object.insert("created_at".into(), self.created.into());
        object.insert("status".into(), end.status.into());
        object.insert("error".into(), end.error);
        let details = end.reason.map_or(Value::Null, |reason| json!({ "reason": reason }));
        object.insert("incomplete_details".into(), details);
        object.insert("model".into(), self.model.as_str().into());
        object.insert("output".into(), end.output.into());
        object.extend(self.echo.clone());
        object.extend(
            late.iter()
                .filter(|(name, _)| LATE.contains(&name.as_str()))
                .map(|(name, value)| (name.clone(), value.clone())),
        );
        object.insert("usage".into(), end.usage);
        object
    }
}

/// What the official types want in each response, and what it is where the request does not say.
const DEFAULTS: [(&str, &str); 20] = [
    ("background", "false"),
    ("instructions", "null"),
    ("max_output_tokens", "null"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("parallel_tool_calls", "true"),
    ("previous_response_id", "null"),
    ("prompt_cache_key", "null"),
    ("reasoning", r#"{"effort":null,"summary":null}"#),
    ("safety_identifier", "null"),
    ("service_tier", "null"),
    ("store", "true"),
    ("temperature", "null"),
    ("text", r#"{"format":{"type":"text"}}"#),
    ("tool_choice", r#""auto""#),
    ("tools", "[]"),
    ("top_logprobs", "0"),
    ("top_p", "null"),
    ("truncation", r#""disabled""#),
    ("user", "null"),
];

fn echoed(name: &str, value: &Value) -> Value {
    let mut value = value.clone();
    match (name, &mut value) {
        ("text", Value::Object(text)) => {
            text.entry("format").or_insert_with(|| json!({ "type": "text" }));
        }
        ("reasoning", Value::Object(reasoning)) => {
            reasoning.entry("effort").or_insert(Value::Null);
            reasoning.entry("summary").or_insert(Value::Null);
        }
        ("conversation", Value::String(id)) => return json!({ "id": id }),
        _ => {}
    }
    value
}

/// Status and, where incomplete, the reason.
pub(super) fn status(finish: &FinishReason) -> (&'static str, Option<&str>) {
    match finish {
        FinishReason::Stop | FinishReason::StopText(_) | FinishReason::ToolCalls => ("completed", None),
        FinishReason::Length => ("incomplete", Some("max_output_tokens")),
        FinishReason::ContentFilter => ("incomplete", Some("content_filter")),
        FinishReason::Other(other) => ("incomplete", Some(other)),
    }
}

pub(super) fn encode(response: &ChatResponse, request: &[u8]) -> Vec<u8> {
    let own = response.dialect == Some(Dialect::OpenAiResponses);
    let extra = own.then_some(&response.extra);
    let id = response_id(response.id.as_str());
    let shape = Shape::new(id, response.created, response.model.as_str().to_owned(), extra, request);
    let nothing = Object::new();
    // The dialect has one answer.
    let choice = response.choices.iter().min_by_key(|choice| choice.index);
    let (status, reason) = choice.map_or(("completed", None), |choice| status(&choice.finish));
    let output = choice.map(|choice| {
        let to = To::Client { stem: shape.stem(), incomplete: status == "incomplete" };
        items::write(&choice.message.parts, &choice.extra, own, to).items
    });
    let end = End {
        status,
        reason,
        error: Value::Null,
        output: output.unwrap_or_default(),
        usage: usage::encode(&response.usage),
    };
    let late = choice.filter(|_| own).map_or(&nothing, |choice| &choice.extra);
    let mut object = shape.object(end, late);
    if response.dialect.is_none() {
        let told = choice.and_then(|choice| choice.extra.get(HANOK)).or_else(|| response.extra.get(HANOK));
        object.extend(told.map(|told| (HANOK.to_owned(), told.clone())));
    }
    Value::Object(object).to_string().into_bytes()
}
