//! The parts of a message, both directions: of requests and of answers.

use crate::error::WireError;
use crate::take;
use hanok_base::{Dialect, Media, MediaSource, Object, Part, Reasoning, ToolCall};
use serde_json::{Value, json};

/// What is said of a content that is neither text nor parts.
pub(super) const CONTENT: &str = "must be a string or an array of parts";

/// The parts of a message of either direction, in the order: reasoning, content, refusal, tool calls. Unknown
/// members of content parts are left in `content`, an object for each part, so that they find back.
pub(super) fn message_parts(object: &mut Object) -> Result<Vec<Part>, WireError> {
    let mut parts = Vec::new();
    if let Some(text) = reasoning_of(string_of(object, "reasoning_content"), string_of(object, "reasoning")) {
        parts.push(Part::Reasoning(Reasoning { text, ..Reasoning::default() }));
    }
    match take::some(object, "content") {
        None => {}
        Some(Value::String(text)) if text.is_empty() => {}
        Some(Value::String(text)) => parts.push(Part::Text(text)),
        Some(Value::Array(items)) => {
            let mut unknown = Vec::new();
            for (i, value) in items.into_iter().enumerate() {
                let place = format!("content[{i}]");
                let item = take::item(value, &place)?;
                let (part, rest) = content_part(item).map_err(|error| take::under(&place, error))?;
                if is_content(&part) {
                    unknown.push(Value::Object(rest));
                }
                parts.push(part);
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
    Ok(parts)
}

/// Whether a part stands in a message's `content`, rather than in a member of its own.
fn is_content(part: &Part) -> bool {
    matches!(part, Part::Text(_) | Part::Media(_) | Part::Opaque { .. } | Part::ToolResult(_))
}

fn string_of(object: &mut Object, name: &str) -> Option<Value> {
    if object.get(name).is_some_and(Value::is_string) { object.shift_remove(name) } else { None }
}

/// The text of reasoning, of the two members in which vendors tell it. Some tell it in both.
fn reasoning_of(content: Option<Value>, plain: Option<Value>) -> Option<String> {
    [content, plain].into_iter().flatten().find_map(|value| match value {
        Value::String(text) if !text.is_empty() => Some(text),
        _ => None,
    })
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
        "image_url" => image(&mut object)?,
        "input_audio" => {
            let mut audio = take::map(&mut object, "input_audio")?.ok_or_else(|| missing("input_audio"))?;
            let data = take::string(&mut audio, "data")?.ok_or_else(|| missing("input_audio.data"))?;
            let format = take::string(&mut audio, "format")?;
            let mime = format.map(|format| format!("audio/{format}"));
            Part::Media(Media { mime, filename: None, source: MediaSource::Base64(data), extra: audio })
        }
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

fn image(object: &mut Object) -> Result<Part, WireError> {
    let mut image = match take::some(object, "image_url") {
        // Some clients send the URL alone.
        Some(Value::String(url)) => Object::from_iter([("url".to_owned(), Value::String(url))]),
        Some(Value::Object(image)) => image,
        _ => return Err(WireError::member("image_url", "must be an object with a url")),
    };
    let url =
        take::string(&mut image, "url")?.ok_or_else(|| WireError::member("image_url.url", "is required"))?;
    let inline = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    let (mime, source) = match inline {
        Some((mime, data)) => (Some(mime.to_owned()), MediaSource::Base64(data.to_owned())),
        None => (None, MediaSource::Url(url)),
    };
    Ok(Part::Media(Media { mime, filename: None, source, extra: image }))
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
    Ok(ToolCall { id, name, arguments, signature: None, extra: object })
}

/// How a message's content is written.
pub(super) enum Content<'a> {
    /// As a text where it is one, else as parts; each with these unknown members, by position.
    Parts(&'a [Value]),
    /// As one text, as clients expect an answer; parts that are no text are for the caller to write.
    Text,
}

/// Writes parts as the members of a message.
pub(super) fn encode_parts<'a>(
    parts: impl IntoIterator<Item = &'a Part>,
    form: Content<'_>,
    object: &mut Object,
) {
    let mut content: Vec<Value> = Vec::new();
    let mut texts: Vec<&str> = Vec::new();
    let mut calls = Vec::new();
    let mut reasoning = String::new();
    let mut refusal = None;
    for part in parts {
        match part {
            Part::Text(text) => {
                texts.push(text);
                if matches!(form, Content::Parts(_)) {
                    content.push(json!({ "type": "text", "text": text }));
                }
            }
            Part::Media(media) => content.push(encode_media(media)),
            Part::Opaque { value, .. } => {
                if matches!(form, Content::Parts(_)) {
                    content.push(value.clone());
                }
            }
            Part::Reasoning(part) => reasoning.push_str(&part.text),
            Part::Refusal(text) => refusal = Some(text.as_str()),
            Part::ToolCall(call) => calls.push(encode_tool_call(call)),
            // Each in a message of its own, or, of an answer, what it never holds.
            Part::ToolResult(_) | Part::Citation(_) | Part::CacheBreak(_) => {}
        }
    }
    let content = match (form, texts.as_slice(), content.len()) {
        (_, [], 0) if !calls.is_empty() || refusal.is_some() => Value::Null,
        (Content::Text, texts, 0) => texts.concat().into(),
        (Content::Text, texts, _) => {
            let text = json!({ "type": "text", "text": texts.concat() });
            (!texts.is_empty()).then_some(text).into_iter().chain(content).collect()
        }
        (Content::Parts([]), [text], 1) => (*text).into(),
        (Content::Parts(_), [], 0) => "".into(),
        (Content::Parts(unknown), ..) => {
            for (part, unknown) in content.iter_mut().zip(unknown) {
                if let (Some(part), Some(unknown)) = (part.as_object_mut(), unknown.as_object()) {
                    part.extend(unknown.clone());
                }
            }
            content.into()
        }
    };
    object.insert("content".into(), content);
    if !reasoning.is_empty() {
        object.insert("reasoning_content".into(), reasoning.into());
    }
    if let Some(refusal) = refusal {
        object.insert("refusal".into(), refusal.into());
    }
    if !calls.is_empty() {
        object.insert("tool_calls".into(), calls.into());
    }
}

fn encode_media(media: &Media) -> Value {
    let mime = media.mime.as_deref();
    if let (Some(format), MediaSource::Base64(data)) =
        (mime.and_then(|mime| mime.strip_prefix("audio/")), &media.source)
    {
        let mut audio = media.extra.clone();
        audio.insert("data".into(), data.as_str().into());
        audio.insert("format".into(), format.into());
        return json!({ "type": "input_audio", "input_audio": audio });
    }
    let url = match &media.source {
        MediaSource::Url(url) => url.clone(),
        MediaSource::Base64(data) => {
            format!("data:{};base64,{data}", mime.unwrap_or("application/octet-stream"))
        }
        MediaSource::FileId(id) => return json!({ "type": "file", "file": { "file_id": id } }),
    };
    let mut image = media.extra.clone();
    image.insert("url".into(), url.into());
    json!({ "type": "image_url", "image_url": image })
}

pub(super) fn encode_tool_call(call: &ToolCall) -> Value {
    let mut object = Object::new();
    object.insert("id".into(), call.id.as_str().into());
    object.insert("type".into(), "function".into());
    let mut function = Object::new();
    function.insert("name".into(), call.name.as_str().into());
    function.insert("arguments".into(), call.arguments.as_str().into());
    for (name, value) in &call.extra {
        match (name.as_str(), value) {
            ("function", Value::Object(more)) => function.extend(more.clone()),
            _ => drop(object.insert(name.clone(), value.clone())),
        }
    }
    // A call of a type we do not know is whole in its unknown members.
    let unknown = call.name.is_empty() && call.arguments.is_empty() && call.extra.contains_key("type");
    if !unknown {
        object.insert("function".into(), function.into());
    }
    Value::Object(object)
}
