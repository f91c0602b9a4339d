//! Whole answers, and how each answer ends.

use super::parts::{Said, To, message_parts};
use super::{Form, fault, is_own, stamp};
use crate::error::{StreamFault, WireError};
use crate::take;
use hanok_base::{
    ChatResponse, Choice, Dialect, FinishReason, Message, Object, Part, Role, Timestamp, Usage,
};
use serde_json::{Value, json};

/// What is said of JSON that holds no answer.
pub(super) const NO_ANSWER: &str = "is missing: this is no answer of a model";

pub(super) fn decode(form: Form, body: &[u8]) -> Result<ChatResponse, WireError> {
    let mut object = take::object(body)?;
    if let Some(fault) = failed(&object) {
        return Err(WireError::Upstream(fault));
    }
    let model = take::string(&mut object, "model")?.unwrap_or_default();
    let created_at = take::string(&mut object, "created_at")?.unwrap_or_default();
    let mut inner = match form {
        Form::Chat => {
            Some(take::map(&mut object, "message")?.ok_or_else(|| WireError::member("message", NO_ANSWER))?)
        }
        Form::Generate if object.contains_key("response") => None,
        Form::Generate => return Err(WireError::member("response", NO_ANSWER)),
    };
    if take::boolean(&mut object, "done")? == Some(false) {
        return Err(WireError::Truncated);
    }
    let id = |call: usize, name: &str, arguments: &str| stamp::call_id(&created_at, call, name, arguments);
    let parts = match &mut inner {
        Some(message) => message_parts(form, message, id).map_err(|error| take::under("message", error))?,
        None => message_parts(form, &mut object, id)?,
    };
    let mut extra = inner.unwrap_or_default();
    extra.shift_remove("role");
    extra.retain(|_, value| !value.is_null());
    let reason = take::string(&mut object, "done_reason")?;
    let called = |part: &Part| matches!(part, Part::ToolCall(_) | Part::Opaque { .. });
    let finish = finish_reason(reason.as_deref(), parts.iter().any(called));
    let count = |object: &mut Object, name: &str| take::count(object, name).ok().flatten();
    let usage = Usage {
        input: count(&mut object, "prompt_eval_count"),
        output: count(&mut object, "eval_count"),
        ..Usage::default()
    };
    object.retain(|_, value| !value.is_null());
    let message = Message { role: Role::Assistant, parts, extra };
    Ok(ChatResponse {
        id: stamp::answer_id(&model, &created_at).into(),
        model: model.into(),
        created: stamp::seconds(&created_at),
        choices: vec![Choice { index: 0, message, finish, extra: object }],
        usage,
        dialect: Some(form.dialect()),
        extra: Object::new(),
    })
}

/// The error that an object holds in place of an answer.
pub(super) fn failed(object: &Object) -> Option<StreamFault> {
    object.get("error").filter(|error| !error.is_null())?;
    Some(fault::in_answer(&Value::Object(object.clone())))
}

/// The dialect does not tell calls from any other end.
pub(super) fn finish_reason(reason: Option<&str>, calls: bool) -> FinishReason {
    match reason {
        None | Some("" | "stop" | "tool_calls") if calls => FinishReason::ToolCalls,
        None | Some("" | "stop") => FinishReason::Stop,
        Some("length") => FinishReason::Length,
        Some("content_filter") => FinishReason::ContentFilter,
        Some(other) => FinishReason::Other(other.to_owned()),
    }
}

fn done_reason(reason: &FinishReason) -> &str {
    match reason {
        FinishReason::ToolCalls => "stop",
        reason => reason.as_str(),
    }
}

pub(super) fn encode(form: Form, response: &ChatResponse) -> Vec<u8> {
    let own = writes_extra(response.dialect);
    let choice = response.choices.iter().min_by_key(|choice| choice.index);
    let mut object = head(response.model.as_str(), stamp::of_seconds(response.created));
    let mut inner = Object::new();
    if let Some(choice) = choice {
        Said::of(&choice.message.parts, To::Client, own, "").write(form, &mut inner);
        if own {
            let extra = choice.message.extra.iter();
            let extra = extra.filter(|(name, _)| form == Form::Chat || !form.has(name));
            inner.extend(extra.map(|(name, value)| (name.clone(), value.clone())));
        }
    }
    match form {
        Form::Chat => {
            let mut message = Object::from_iter([("role".to_owned(), Value::from("assistant"))]);
            message.extend(inner);
            object.insert("message".into(), message.into());
        }
        Form::Generate => object.extend(inner),
    }
    let mut extra = Object::new();
    if own {
        extra.extend(response.extra.clone());
        extra.extend(choice.map(|choice| choice.extra.clone()).unwrap_or_default());
    }
    end(form, &mut object, choice.map(|choice| &choice.finish), &response.usage, extra, Took::default());
    Value::Object(object).to_string().into_bytes()
}

/// Whether members of an answer that came in this dialect are written: its own, and Hanok's.
pub(super) fn writes_extra(dialect: Option<Dialect>) -> bool {
    dialect.is_none() || is_own(dialect)
}

/// The members every answer begins with.
pub(super) fn head(model: &str, at: Timestamp) -> Object {
    let mut object = Object::new();
    object.insert("model".into(), model.into());
    object.insert("created_at".into(), stamp::text(at).into());
    object
}

/// How long an answer took, in nanoseconds, as seen from here; 0 where nobody saw it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Took {
    /// All of it.
    pub(super) total: u64,
    /// Until the first of the content.
    pub(super) prompt: u64,
}

/// Writes the members an answer ends with. Where `extra` tells durations, the server measured them itself, and
/// others beside them would not fit. What is unknown in the other form, and known in this one, is left out: it
/// would take the place of what the answer says.
pub(super) fn end(
    form: Form,
    object: &mut Object,
    reason: Option<&FinishReason>,
    usage: &Usage,
    mut extra: Object,
    took: Took,
) {
    object.insert("done".into(), true.into());
    if let Some(reason) = reason {
        object.insert("done_reason".into(), done_reason(reason).into());
    }
    extra.retain(|name, _| !form.has(name));
    let told = extra.contains_key("total_duration");
    let seen = |nanos: u64| (!told).then_some(nanos);
    let mut set = |name: &str, value: Option<u64>| {
        if let Some(value) = extra.shift_remove(name).or(value.map(Value::from)) {
            object.insert(name.to_owned(), value);
        }
    };
    set("total_duration", seen(took.total));
    set("load_duration", seen(0));
    set("prompt_eval_count", usage.input);
    set("prompt_eval_duration", seen(took.prompt));
    set("eval_count", usage.output);
    set("eval_duration", seen(took.total.saturating_sub(took.prompt)));
    object.extend(extra);
}

/// The answer to a request that only loads a model into memory or takes it out, as clients send it before they
/// ask (no message and no prompt); `None` where the request asks for more. There is nothing to do for a model
/// that is elsewhere.
pub fn load(body: &[u8]) -> Option<Vec<u8>> {
    let object = take::object(body).ok()?;
    let model = object.get("model")?.as_str()?;
    let nothing = |name: &str| match object.get(name) {
        None | Some(Value::Null) => true,
        Some(Value::String(text)) => text.is_empty(),
        Some(Value::Array(items)) => items.is_empty(),
        Some(_) => false,
    };
    if !["messages", "prompt", "images", "suffix"].into_iter().all(nothing) {
        return None;
    }
    let unload = match object.get("keep_alive") {
        Some(Value::Number(seconds)) => seconds.as_f64() == Some(0.0),
        Some(Value::String(time)) => matches!(time.as_str(), "0" | "0s" | "0m" | "0h"),
        _ => false,
    };
    let mut answer = head(model, Timestamp::now());
    if object.contains_key("messages") {
        answer.insert("message".into(), json!({ "role": "assistant", "content": "" }));
    } else {
        answer.insert("response".into(), "".into());
    }
    answer.insert("done".into(), true.into());
    answer.insert("done_reason".into(), if unload { "unload" } else { "load" }.into());
    Some(Value::Object(answer).to_string().into_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_that_only_load() {
        let check = |body: &str, expect: Option<(&str, &str)>| {
            let answer: Option<Value> =
                load(body.as_bytes()).map(|json| serde_json::from_slice(&json).unwrap());
            let said = answer.as_ref().map(|answer| {
                let kind = if answer.get("message").is_some() { "message" } else { "response" };
                (kind, answer["done_reason"].as_str().unwrap())
            });
            assert_eq!(said, expect, "{body}");
        };
        check(r#"{"model":"m"}"#, Some(("response", "load")));
        check(r#"{"model":"m","prompt":"","keep_alive":"5m"}"#, Some(("response", "load")));
        check(r#"{"model":"m","messages":[]}"#, Some(("message", "load")));
        check(r#"{"model":"m","messages":[],"keep_alive":0}"#, Some(("message", "unload")));
        check(r#"{"model":"m","prompt":"hi"}"#, None);
        check(r#"{"model":"m","messages":[{}]}"#, None);
        check(r#"{"prompt":""}"#, None);
        check("[]", None);
    }
}
