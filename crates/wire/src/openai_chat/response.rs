//! Whole answers.

use super::parts::{Form, Reader};
use super::{fault, parts, reasoning, usage};
use crate::error::WireError;
use crate::{quote, take};
use hanok_base::{ChatResponse, Choice, Citation, Dialect, FinishReason, Message, Object, Part, Role};
use serde_json::Value;

/// What is said of JSON that holds no choices.
pub(super) const NO_ANSWER: &str = "is missing: this is no chat completion";

pub(super) fn decode(body: &[u8]) -> Result<ChatResponse, WireError> {
    let mut extra = take::object(body)?;
    if let Some(error) = extra.get("error").filter(|error| !error.is_null()) {
        return Err(WireError::Upstream(fault::in_answer(error)));
    }
    if !matches!(extra.get("choices"), Some(Value::Array(_))) {
        return Err(WireError::member("choices", NO_ANSWER));
    }
    let mut choices = Vec::new();
    for (i, value) in take::array(&mut extra, "choices")?.into_iter().enumerate() {
        let place = format!("choices[{i}]");
        let object = take::item(value, &place)?;
        choices.push(choice(object, i).map_err(|error| take::under(&place, error))?);
    }
    extra.shift_remove("object");
    extra.retain(|_, value| !value.is_null());
    Ok(ChatResponse {
        dialect: Some(Dialect::OpenAiChat),
        id: take::string(&mut extra, "id")?.unwrap_or_default().into(),
        model: take::string(&mut extra, "model")?.unwrap_or_default().into(),
        created: take::integer(&mut extra, "created").ok().flatten().unwrap_or(0),
        usage: take::some(&mut extra, "usage").map(|told| usage::of(&told)).unwrap_or_default(),
        choices,
        extra,
    })
}

fn choice(mut object: Object, position: usize) -> Result<Choice, WireError> {
    let index = take::count(&mut object, "index")?.unwrap_or(position as u64);
    let finish = take::string(&mut object, "finish_reason")?;
    let mut message =
        take::map(&mut object, "message")?.ok_or_else(|| WireError::member("message", "is required"))?;
    message.shift_remove("role");
    let annotations = take::array(&mut message, "annotations").unwrap_or_default();
    let mut parts = parts::message_parts(&mut message).map_err(|error| take::under("message", error))?;
    parts.extend(annotations.into_iter().map(annotation));
    // Left there for requests, which give parts back as they came.
    for name in ["content"].iter().chain(&reasoning::PLAIN) {
        message.shift_remove(*name);
    }
    object.retain(|_, value| !value.is_null());
    message.retain(|_, value| !value.is_null());
    Ok(Choice {
        index: u32::try_from(index).map_err(|_| WireError::member("index", "is too large"))?,
        message: Message { role: Role::Assistant, parts, extra: message },
        finish: finish_reason(finish.as_deref().unwrap_or_default(), &mut object)
            .unwrap_or(FinishReason::Stop),
        extra: object,
    })
}

/// Why a choice ended; `None` for the empty reason, by which some vendors say that it did not. `choice` holds its
/// other members: some servers name the stop text that was reached.
pub(super) fn finish_reason(name: &str, choice: &mut Object) -> Option<FinishReason> {
    Some(match name {
        "" => return None,
        "stop" => match choice.get("stop_reason") {
            Some(Value::String(text)) => {
                let text = text.clone();
                choice.shift_remove("stop_reason");
                FinishReason::StopText(text)
            }
            _ => FinishReason::Stop,
        },
        "length" => FinishReason::Length,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "content_filter" => FinishReason::ContentFilter,
        other => FinishReason::Other(other.to_owned()),
    })
}

/// Writes why a choice ended as members of it.
pub(super) fn encode_finish(reason: &FinishReason, choice: &mut Object) {
    choice.insert("finish_reason".into(), reason.as_str().into());
    if let FinishReason::StopText(text) = reason {
        choice.insert("stop_reason".into(), text.as_str().into());
    }
}

/// Whether unknown members of an answer of this dialect are under our names.
pub(super) fn is_own(dialect: Option<Dialect>) -> bool {
    dialect.is_none_or(|dialect| dialect == Dialect::OpenAiChat)
}

/// An annotation as a part: a citation where it is one, else kept as it came.
pub(super) fn annotation(value: Value) -> Part {
    let opaque = |value| Part::Opaque { dialect: Dialect::OpenAiChat, value };
    let Value::Object(mut outer) = value else {
        return opaque(value);
    };
    if outer.get("type").and_then(Value::as_str) != Some("url_citation") {
        return opaque(Value::Object(outer));
    }
    let whole = outer.clone();
    let Some(mut inner) = take::map(&mut outer, "url_citation").ok().flatten() else {
        return opaque(Value::Object(whole));
    };
    let index = |object: &mut Object, name: &str| {
        take::count(object, name).ok().flatten().and_then(|n| usize::try_from(n).ok())
    };
    let text = |object: &mut Object, name: &str| take::string(object, name).ok().flatten();
    let quote = quote::take(&mut inner).or_else(|| quote::take(&mut outer));
    Part::Citation(Citation {
        start_index: index(&mut inner, "start_index").unwrap_or(0),
        end_index: index(&mut inner, "end_index").unwrap_or(0),
        url: text(&mut inner, "url").unwrap_or_default(),
        title: text(&mut inner, "title").unwrap_or_default(),
        quote,
        extra: inner,
    })
}

/// A citation as an annotation; its unknown members only where they are this dialect's `own`.
fn encode_annotation(citation: &Citation, own: bool) -> Value {
    let mut inner = Object::new();
    inner.insert("start_index".into(), citation.start_index.into());
    inner.insert("end_index".into(), citation.end_index.into());
    inner.insert("url".into(), citation.url.as_str().into());
    inner.insert("title".into(), citation.title.as_str().into());
    let mut quoted = Object::new();
    if let Some(quote) = &citation.quote {
        quote::put(quote, &mut quoted);
    }
    inner.extend(quoted.clone());
    inner.extend(citation.extra.clone().into_iter().filter(|_| own));
    let mut outer = Object::new();
    outer.insert("type".into(), "url_citation".into());
    outer.insert("url_citation".into(), inner.into());
    // Clients that keep only the documented members of `url_citation` find the quote beside it.
    outer.extend(quoted);
    Value::Object(outer)
}

pub(super) fn encode(response: &ChatResponse) -> Vec<u8> {
    let own = is_own(response.dialect);
    let mut object = Object::new();
    object.insert("id".into(), response.id.as_str().into());
    object.insert("object".into(), "chat.completion".into());
    object.insert("created".into(), response.created.into());
    object.insert("model".into(), response.model.as_str().into());
    object
        .insert("choices".into(), response.choices.iter().map(|choice| encode_choice(choice, own)).collect());
    if let Some(usage) = usage::encode(&response.usage) {
        object.insert("usage".into(), usage);
    }
    if own {
        object.extend(response.extra.clone());
    }
    Value::Object(object).to_string().into_bytes()
}

fn encode_choice(choice: &Choice, own: bool) -> Value {
    let mut message = Object::from_iter([("role".to_owned(), Value::from("assistant"))]);
    let form = Form { reader: Reader::Client, own, unknown: &[] };
    parts::encode_parts(&choice.message.parts, form, &mut message);
    let annotations: Vec<Value> =
        choice.message.parts.iter().filter_map(|part| annotation_of(part, own)).collect();
    if !annotations.is_empty() {
        message.insert("annotations".into(), annotations.into());
    }
    message.entry("refusal").or_insert(Value::Null);
    let mut object = Object::new();
    object.insert("index".into(), choice.index.into());
    object.insert("message".into(), Value::Null);
    object.insert("logprobs".into(), Value::Null);
    encode_finish(&choice.finish, &mut object);
    if own {
        message.extend(choice.message.extra.clone());
        object.extend(choice.extra.clone());
    }
    object.insert("message".into(), message.into());
    Value::Object(object)
}

/// A part as an annotation, where it is one.
pub(super) fn annotation_of(part: &Part, own: bool) -> Option<Value> {
    match part {
        Part::Citation(citation) => Some(encode_annotation(citation, own)),
        Part::Opaque { dialect: Dialect::OpenAiChat, value } => Some(value.clone()),
        _ => None,
    }
}
