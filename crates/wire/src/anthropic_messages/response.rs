//! Whole answers.

use super::blocks::{self, From};
use super::usage::{self, Counts};
use super::{OWN, fault};
use crate::error::WireError;
use crate::take;
use hanok_base::{ChatResponse, Choice, FinishReason, Message, Object, Part, Role};
use serde_json::Value;

/// What is said of JSON that holds no content.
pub(super) const NO_ANSWER: &str = "is missing: this is no message";

pub(super) fn decode(body: &[u8]) -> Result<ChatResponse, WireError> {
    let mut extra = take::object(body)?;
    if let Some(error) = extra.get("error").filter(|error| !error.is_null()) {
        return Err(WireError::Upstream(fault::of(error)));
    }
    let content = take::some(&mut extra, "content")
        .filter(Value::is_array)
        .ok_or_else(|| WireError::member("content", NO_ANSWER))?;
    let parts = blocks::decode(content, From::Upstream)?.parts;
    let reason = take::string(&mut extra, "stop_reason")?;
    let text = take::string(&mut extra, "stop_sequence")?;
    let (counts, usage_rest) = Counts::of(take::some(&mut extra, "usage"));
    let id = take::string(&mut extra, "id")?.unwrap_or_default().into();
    let model = take::string(&mut extra, "model")?.unwrap_or_default().into();
    for name in ["type", "role"] {
        extra.shift_remove(name);
    }
    extra.retain(|_, value| !value.is_null());
    if !usage_rest.is_empty() {
        extra.insert("usage".into(), usage_rest.into());
    }
    let finish = finish_reason(reason.unwrap_or_default(), text, &mut extra);
    let choice = Choice {
        index: 0,
        message: Message { role: Role::Assistant, parts, extra: Object::new() },
        finish,
        // With the choice, not the answer: a stream tells some of them when the choice ends.
        extra,
    };
    Ok(ChatResponse {
        id,
        model,
        created: 0,
        choices: vec![choice],
        usage: counts.usage(),
        dialect: Some(OWN),
        extra: Object::new(),
    })
}

/// Why an answer ended; a reason that others know under a wider name is kept in `extra`, too.
pub(super) fn finish_reason(name: String, text: Option<String>, extra: &mut Object) -> FinishReason {
    match (name.as_str(), text) {
        ("stop_sequence", Some(text)) => FinishReason::StopText(text),
        ("end_turn" | "stop_sequence" | "", _) => FinishReason::Stop,
        ("max_tokens", _) => FinishReason::Length,
        ("model_context_window_exceeded", _) => {
            extra.insert("stop_reason".into(), name.into());
            FinishReason::Length
        }
        ("tool_use", _) => FinishReason::ToolCalls,
        ("refusal", _) => FinishReason::ContentFilter,
        _ => FinishReason::Other(name),
    }
}

/// The reason's name. Clients go by it to call tools, so it tells of calls where a provider does not.
pub(super) fn stop_reason(finish: &FinishReason, calls: bool, refuses: bool) -> &str {
    match finish {
        FinishReason::StopText(_) => "stop_sequence",
        FinishReason::Stop if calls => "tool_use",
        FinishReason::Stop if refuses => "refusal",
        FinishReason::Stop => "end_turn",
        FinishReason::Length => "max_tokens",
        FinishReason::ToolCalls => "tool_use",
        FinishReason::ContentFilter => "refusal",
        FinishReason::Other(other) => other,
    }
}

/// The text at which an answer stopped.
pub(super) fn stop_sequence(finish: &FinishReason) -> Value {
    match finish {
        FinishReason::StopText(text) => text.as_str().into(),
        _ => Value::Null,
    }
}

/// A message holds one answer: the first.
pub(super) fn encode(response: &ChatResponse) -> Vec<u8> {
    let own = response.dialect.is_none_or(|dialect| dialect == OWN);
    let choice = response.choices.iter().min_by_key(|choice| choice.index);
    let mut object = blocks::object([
        ("id", response.id.as_str().into()),
        ("type", "message".into()),
        ("role", "assistant".into()),
        ("model", response.model.as_str().into()),
    ]);
    let parts = choice.map_or(&[][..], |choice| &choice.message.parts);
    object.insert("content".into(), blocks::encode_answer(parts, own).into());
    let finish = choice.map_or(&FinishReason::Stop, |choice| &choice.finish);
    let calls = parts.iter().any(|part| matches!(part, Part::ToolCall(_)));
    let refuses = parts.iter().any(|part| matches!(part, Part::Refusal(_)));
    object.insert("stop_reason".into(), stop_reason(finish, calls, refuses).into());
    object.insert("stop_sequence".into(), stop_sequence(finish));
    object.insert("usage".into(), usage::encode(&response.usage).into());
    if own {
        let extra = choice.into_iter().flat_map(|choice| &choice.extra).chain(&response.extra);
        for (name, value) in extra {
            match (object.get_mut(name), value) {
                (Some(Value::Object(known)), Value::Object(more)) => known.extend(more.clone()),
                _ => drop(object.insert(name.clone(), value.clone())),
            }
        }
    }
    Value::Object(object).to_string().into_bytes()
}
