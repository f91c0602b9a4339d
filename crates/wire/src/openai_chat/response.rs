//! Whole answers.

use super::parts::Content;
use super::{fault, parts, usage};
use crate::error::WireError;
use crate::take;
use hanok_base::chat::Quote;
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
    message.shift_remove("content");
    object.retain(|_, value| !value.is_null());
    message.retain(|_, value| !value.is_null());
    Ok(Choice {
        index: u32::try_from(index).map_err(|_| WireError::member("index", "is too large"))?,
        message: Message { role: Role::Assistant, parts, extra: message },
        finish: finish
            .filter(|reason| !reason.is_empty())
            .map_or(FinishReason::Stop, |reason| finish_reason(&reason)),
        extra: object,
    })
}

pub(super) fn finish_reason(name: &str) -> FinishReason {
    match name {
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "content_filter" => FinishReason::ContentFilter,
        other => FinishReason::Other(other.to_owned()),
    }
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
    let quotes = |object: &Object| object.get("quote").is_some_and(Value::is_string);
    let quoting =
        if quotes(&inner) { Some(&mut inner) } else { Some(&mut outer).filter(|outer| quotes(outer)) };
    let quote = quoting.map(|object| Quote {
        source: text(object, "source").unwrap_or_default(),
        start: index(object, "start").unwrap_or(0),
        end: index(object, "end").unwrap_or(0),
        text: text(object, "quote").unwrap_or_default(),
    });
    Part::Citation(Citation {
        start_index: index(&mut inner, "start_index").unwrap_or(0),
        end_index: index(&mut inner, "end_index").unwrap_or(0),
        url: text(&mut inner, "url").unwrap_or_default(),
        title: text(&mut inner, "title").unwrap_or_default(),
        quote,
        extra: inner,
    })
}

pub(super) fn encode_annotation(citation: &Citation) -> Value {
    let mut inner = Object::new();
    inner.insert("start_index".into(), citation.start_index.into());
    inner.insert("end_index".into(), citation.end_index.into());
    inner.insert("url".into(), citation.url.as_str().into());
    inner.insert("title".into(), citation.title.as_str().into());
    let mut quoted = Object::new();
    if let Some(quote) = &citation.quote {
        quoted.insert("source".into(), quote.source.as_str().into());
        quoted.insert("start".into(), quote.start.into());
        quoted.insert("end".into(), quote.end.into());
        quoted.insert("quote".into(), quote.text.as_str().into());
    }
    inner.extend(quoted.clone());
    inner.extend(citation.extra.clone());
    let mut outer = Object::new();
    outer.insert("type".into(), "url_citation".into());
    outer.insert("url_citation".into(), inner.into());
    // Clients that keep only the documented members of `url_citation` find the quote beside it.
    outer.extend(quoted);
    Value::Object(outer)
}

pub(super) fn encode(response: &ChatResponse) -> Vec<u8> {
    let mut object = Object::new();
    object.insert("id".into(), response.id.as_str().into());
    object.insert("object".into(), "chat.completion".into());
    object.insert("created".into(), response.created.into());
    object.insert("model".into(), response.model.as_str().into());
    object.insert("choices".into(), response.choices.iter().map(encode_choice).collect::<Vec<_>>().into());
    if let Some(usage) = usage::encode(&response.usage) {
        object.insert("usage".into(), usage);
    }
    object.extend(response.extra.clone());
    Value::Object(object).to_string().into_bytes()
}

fn encode_choice(choice: &Choice) -> Value {
    let mut message = Object::from_iter([("role".to_owned(), Value::from("assistant"))]);
    parts::encode_parts(&choice.message.parts, Content::Text, &mut message);
    let cited = choice.message.parts.iter().filter_map(|part| match part {
        Part::Citation(citation) => Some(encode_annotation(citation)),
        Part::Opaque { value, .. } => Some(value.clone()),
        _ => None,
    });
    let annotations: Vec<Value> = cited.collect();
    if !annotations.is_empty() {
        message.insert("annotations".into(), annotations.into());
    }
    message.entry("refusal").or_insert(Value::Null);
    message.extend(choice.message.extra.clone());
    let mut object = Object::new();
    object.insert("index".into(), choice.index.into());
    object.insert("message".into(), message.into());
    object.insert("logprobs".into(), Value::Null);
    object.insert("finish_reason".into(), choice.finish.as_str().into());
    object.extend(choice.extra.clone());
    Value::Object(object)
}
