//! The parts of a message, both directions: of requests and of answers.

use super::{media, reasoning};
use crate::error::WireError;
use crate::take;
use hanok_base::{Dialect, Object, Part, Reasoning, ToolCall};
use serde_json::{Value, json};

/// What is said of a content that is neither text nor parts.
pub(super) const CONTENT: &str = "must be a string or an array of parts";

/// The parts of a message of either direction, in the order: reasoning, content, refusal, tool calls, images. Unknown
/// members of content parts are left in `content`, an object for each part, so that they find back.
pub(super) fn message_parts(object: &mut Object) -> Result<Vec<Part>, WireError> {
    let mut parts = Vec::new();
    reasoning::thoughts(object, &mut parts)?;
    match take::some(object, "content") {
        None => {}
        Some(Value::String(text)) if text.is_empty() => {}
        Some(Value::String(text)) => parts.push(Part::Text(text)),
        Some(Value::Array(items)) => {
            let mut unknown = Vec::new();
            for (i, value) in items.into_iter().enumerate() {
                let place = format!("content[{i}]");
                let item = take::item(value, &place)?;
                let (part, mut rest) = content_part(item).map_err(|error| take::under(&place, error))?;
                let cached = rest.get("cache_control").is_some_and(Value::is_object) && is_content(&part);
                let cached = if cached { rest.shift_remove("cache_control") } else { None };
                if is_content(&part) {
                    unknown.push(Value::Object(rest));
                }
                parts.push(part);
                parts.extend(cached.map(Part::CacheBreak));
            }
            if unknown.iter().any(|rest| rest.as_object().is_some_and(|rest| !rest.is_empty())) {
                object.insert("content".into(), unknown.into());
            }
        }
        Some(_) => return Err(WireError::member("content", CONTENT)),
    }
    if let Some(text) = take::string(object, "refusal")?.filter(|text| !text.is_empty()) {
        parts.push(Part::Refusal(text));
    }
    for (i, value) in take::array(object, "tool_calls")?.into_iter().enumerate() {
        let place = format!("tool_calls[{i}]");
        let call = take::item(value, &place)?;
        parts.push(Part::ToolCall(tool_call(call).map_err(|error| take::under(&place, error))?));
    }
    for (i, value) in take::array(object, "images")?.into_iter().enumerate() {
        let place = format!("images[{i}]");
        parts.push(content_part(take::item(value, &place)?).map_err(|error| take::under(&place, error))?.0);
    }
    Ok(parts)
}

/// Whether a part stands in a message's `content`, rather than in a member of its own.
fn is_content(part: &Part) -> bool {
    matches!(part, Part::Text(_) | Part::Media(_) | Part::Opaque { .. } | Part::ToolResult(_))
}

/// A part of a content, and its unknown members.
pub(super) fn content_part(mut object: Object) -> Result<(Part, Object), WireError> {
    let kind = object.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let missing = |name: &str| WireError::member(name, "is required");
    let part = match kind.as_str() {
        "text" => Part::Text(take::string(&mut object, "text")?.ok_or_else(|| missing("text"))?),
        "refusal" => Part::Refusal(take::string(&mut object, "refusal")?.ok_or_else(|| missing("refusal"))?),
        "thinking" => {
            let text =
                take::some(&mut object, "thinking").map(|thinking| thought(&thinking)).unwrap_or_default();
            Part::Reasoning(Reasoning { text, ..Reasoning::default() })
        }
        "image_url" => media::image(&mut object)?,
        "input_audio" => media::audio(&mut object)?,
        "file" if let Some(file) = media::file(&mut object) => file,
        _ => {
            let value = Value::Object(object);
            return Ok((Part::Opaque { dialect: Dialect::OpenAiChat, value }, Object::new()));
        }
    };
    object.shift_remove("type");
    Ok((part, object))
}

/// The text of a `thinking` part: a text, or an array of text parts.
fn thought(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part.get("text").and_then(Value::as_str)).collect()
        }
        _ => String::new(),
    }
}

pub(super) fn tool_call(mut object: Object) -> Result<ToolCall, WireError> {
    let id = take::string(&mut object, "id")?.unwrap_or_default();
    let mut function = take::map(&mut object, "function")?.unwrap_or_default();
    let name = take::string(&mut function, "name")?.unwrap_or_default();
    let arguments = match take::some(&mut function, "arguments") {
        None => String::new(),
        Some(Value::String(text)) => text,
        // Some local servers send the object itself.
        Some(other) => other.to_string(),
    };
    if object.get("type").and_then(Value::as_str) == Some("function") {
        object.shift_remove("type");
    }
    // The position among the calls says the same.
    object.shift_remove("index");
    if !function.is_empty() {
        object.insert("function".into(), function.into());
    }
    let signature = reasoning::call_signature(&mut object);
    Ok(ToolCall { id, name, arguments, signature, extra: object })
}

/// Who is to read what is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reader {
    /// A client: content as one text, signatures of every dialect shown.
    Client,
    /// An upstream: content as a text where it is one, else as parts; only its own signatures.
    Upstream,
}

/// How parts are written.
#[derive(Clone, Copy)]
pub(super) struct Form<'a> {
    pub(super) reader: Reader,
    /// The parts came in this dialect, and so did their unknown members.
    pub(super) own: bool,
    /// Unknown members of the content's parts, by position.
    pub(super) unknown: &'a [Value],
}

/// Writes parts as the members of a message; those that have no place there are left out.
pub(super) fn encode_parts<'a>(
    parts: impl IntoIterator<Item = &'a Part>,
    form: Form<'_>,
    object: &mut Object,
) {
    let Form { reader, own, unknown } = form;
    let mut content: Vec<Value> = Vec::new();
    let mut texts: Vec<&str> = Vec::new();
    let mut calls: Vec<Value> = Vec::new();
    let mut images: Vec<Value> = Vec::new();
    let mut thoughts = Vec::new();
    let mut refusal = None;
    let assistant = object.get("role").and_then(Value::as_str) == Some("assistant");
    for part in parts {
        match part {
            Part::Text(text) => {
                texts.push(text);
                content.push(json!({ "type": "text", "text": text }));
            }
            // A place for what models draw is not documented by OpenAI, but shared by vendors.
            Part::Media(media) if assistant => images.push(media::encode(media, own)),
            Part::Media(media) => content.push(media::encode(media, own)),
            Part::Opaque { dialect: Dialect::OpenAiChat, value } if reader == Reader::Upstream => {
                content.push(value.clone());
            }
            Part::Reasoning(thought) if reasoning::is_for(thought, reader) => thoughts.push(thought),
            Part::Refusal(text) => refusal = Some(text.as_str()),
            Part::ToolCall(call) => calls.push(encode_tool_call(call, reader, own)),
            Part::CacheBreak(value) if own && reader == Reader::Upstream => {
                if let Some(last) = content.last_mut().and_then(Value::as_object_mut) {
                    last.insert("cache_control".into(), value.clone());
                }
            }
            // Each in a message of its own, or for the caller to write, or nothing that `reader` may see.
            Part::ToolResult(_)
            | Part::Citation(_)
            | Part::CacheBreak(_)
            | Part::Opaque { .. }
            | Part::Reasoning(_) => {}
        }
    }
    for (part, unknown) in content.iter_mut().zip(unknown) {
        if let (Some(part), Some(unknown)) = (part.as_object_mut(), unknown.as_object()) {
            part.extend(unknown.clone());
        }
    }
    let told = !calls.is_empty() || refusal.is_some() || !images.is_empty();
    let content = match (reader, content.as_slice()) {
        (_, []) if told => Value::Null,
        (_, []) => "".into(),
        (Reader::Client, _) => texts.concat().into(),
        (Reader::Upstream, [Value::Object(only)]) if !texts.is_empty() && only.len() == 2 => {
            texts.concat().into()
        }
        (Reader::Upstream, _) => content.into(),
    };
    object.insert("content".into(), content);
    reasoning::encode_thoughts(&thoughts, reader, object);
    if let Some(refusal) = refusal {
        object.insert("refusal".into(), refusal.into());
    }
    if !calls.is_empty() {
        object.insert("tool_calls".into(), calls.into());
    }
    if !images.is_empty() {
        object.insert("images".into(), images.into());
    }
}

/// A call; its unknown members only where they are this dialect's `own`.
pub(super) fn encode_tool_call(call: &ToolCall, reader: Reader, own: bool) -> Value {
    let mut object = Object::new();
    object.insert("id".into(), call.id.as_str().into());
    object.insert("type".into(), "function".into());
    let mut function = Object::new();
    function.insert("name".into(), call.name.as_str().into());
    function.insert("arguments".into(), call.arguments.as_str().into());
    for (name, value) in call.extra.iter().filter(|_| own) {
        match (name.as_str(), value) {
            ("function", Value::Object(more)) => function.extend(more.clone()),
            _ => drop(object.insert(name.clone(), value.clone())),
        }
    }
    // A call of a type we do not know is whole in its unknown members.
    let unknown = call.name.is_empty() && call.arguments.is_empty() && call.extra.contains_key("type");
    if !unknown || !own {
        object.insert("function".into(), function.into());
    }
    reasoning::encode_call_signature(call, reader, &mut object);
    Value::Object(object)
}
