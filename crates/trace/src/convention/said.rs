//! Messages of any form, as we store them: OpenTelemetry's own as they are, those of providers' APIs through
//! `hanok-wire`, the rest as text.

use super::gather::json_of;
use super::names::Side;
use crate::message;
use crate::preview::{line, preview};
use hanok_base::{Dialect, FinishReason, Message, Object, Part, Role, ToolCall, ToolResult};
use hanok_wire::codec;
use serde_json::{Map, Value, json};

/// One message.
#[derive(Debug)]
pub(super) struct Said {
    form: Form,
    /// Why it ended, where it is an answer.
    finish: Option<String>,
}

#[derive(Debug)]
enum Form {
    Typed(Message),
    /// In OpenTelemetry's form.
    Json(Object),
}

impl Said {
    pub(super) fn typed(message: Message, finish: Option<String>) -> Self {
        Self { form: Form::Typed(message), finish }
    }

    pub(super) fn text(role: Role, text: impl Into<String>) -> Self {
        Self::typed(Message::text(role, text), None)
    }

    /// Whether a user speaks.
    pub(super) fn is_users(&self) -> bool {
        match &self.form {
            Form::Typed(message) => message.role == Role::User,
            Form::Json(object) => object.get("role").and_then(Value::as_str) == Some("user"),
        }
    }

    /// The beginning of what is said, on one line.
    pub(super) fn preview(&self) -> Option<String> {
        match &self.form {
            Form::Typed(message) => preview(&message.parts),
            Form::Json(object) => {
                let parts = object.get("parts").and_then(Value::as_array)?;
                let member =
                    |part: &Value, name: &str| part.get(name).and_then(Value::as_str).map(str::to_owned);
                let text = parts.iter().find_map(|part| line(&member(part, "content")?));
                text.or_else(|| {
                    parts.iter().find_map(|part| {
                        let arguments = part.get("arguments").map(ToString::to_string).unwrap_or_default();
                        line(&format!("{}({arguments})", member(part, "name")?))
                    })
                })
            }
        }
    }

    /// The form it is stored in; `finish` is why it ended where it does not say so itself.
    pub(super) fn stored(self, side: Side, finish: Option<&str>) -> Vec<u8> {
        let finish = self.finish.as_deref().filter(|finish| !finish.is_empty()).or(finish);
        let finish = finish.filter(|_| side == Side::Output).map(finish_reason);
        match (self.form, finish) {
            (Form::Typed(message), None) => message::input(&message),
            (Form::Typed(message), Some(finish)) => message::output(&message, &finish),
            (Form::Json(mut object), finish) => {
                if let Some(finish) = finish {
                    object.insert("finish_reason".to_owned(), finish.as_str().into());
                }
                Value::Object(object).to_string().into_bytes()
            }
        }
    }
}

/// A reason to end by the names that providers have for it.
pub(super) fn finish_reason(theirs: &str) -> FinishReason {
    match theirs.to_ascii_lowercase().as_str() {
        "stop" | "end_turn" | "stop_sequence" | "end" => FinishReason::Stop,
        "length" | "max_tokens" => FinishReason::Length,
        "tool_calls" | "tool_call" | "tool-calls" | "tool_use" | "function_call" => FinishReason::ToolCalls,
        "content_filter" | "content-filter" | "safety" => FinishReason::ContentFilter,
        _ => FinishReason::Other(theirs.to_owned()),
    }
}

/// A role by the names that providers and frameworks have for it.
pub(super) fn role(theirs: &str) -> Option<Role> {
    Some(match theirs.to_ascii_lowercase().as_str() {
        "system" => Role::System,
        "developer" => Role::Developer,
        "user" | "human" => Role::User,
        "assistant" | "ai" | "model" | "choice" | "bot" => Role::Assistant,
        "tool" | "function" | "tool_response" => Role::Tool,
        _ => return None,
    })
}

/// The messages that a value is: one or many, in any form; a text is what a user asks or a model answers.
pub(super) fn read(value: Value, side: Side) -> Vec<Said> {
    match value {
        Value::Null => Vec::new(),
        Value::Array(items) if items.iter().all(Value::is_object) => {
            items.into_iter().flat_map(|item| read(item, side)).collect()
        }
        Value::Object(object) => of_object(object, side),
        Value::String(text) if text.is_empty() => Vec::new(),
        Value::String(text) => vec![Said::text(default_role(side), text)],
        other => vec![Said::text(default_role(side), other.to_string())],
    }
}

/// The messages of what went in or came out of a call: a request or an answer as an API has it, messages, or text.
pub(super) fn of_call(value: Value, side: Side) -> Vec<Said> {
    let value = super::gather::parsed(value);
    let Value::Object(mut object) = value else {
        return match value {
            Value::Array(items) if !items.iter().any(Value::is_object) => {
                items.into_iter().flat_map(|item| read(item, side)).collect()
            }
            value => read(value, side),
        };
    };
    let wrapped = ["messages", "choices", "input", "output", "prompt", "contents", "candidates"];
    for name in wrapped {
        match object.get(name) {
            Some(Value::Array(items)) if items.iter().all(Value::is_object) && !items.is_empty() => {}
            Some(Value::String(_)) if name == "input" || name == "prompt" => {}
            _ => continue,
        }
        let mut messages: Vec<Said> = Vec::new();
        for instructions in ["system", "instructions"] {
            messages.extend(object.shift_remove(instructions).into_iter().flat_map(system));
        }
        messages.extend(read(object.shift_remove(name).unwrap_or_default(), side));
        return messages;
    }
    of_object(object, side)
}

/// The system's instructions: a text, or parts.
pub(super) fn system(value: Value) -> Vec<Said> {
    match value {
        Value::String(text) if !text.is_empty() => vec![Said::text(Role::System, text)],
        Value::Array(parts) if !parts.is_empty() => {
            let mut object = Object::new();
            object.insert("role".to_owned(), "system".into());
            object.insert("parts".to_owned(), parts.into_iter().map(part_of_otel).collect());
            vec![Said { form: Form::Json(object), finish: None }]
        }
        _ => Vec::new(),
    }
}

fn default_role(side: Side) -> Role {
    if side == Side::Input { Role::User } else { Role::Assistant }
}

fn of_object(mut object: Object, side: Side) -> Vec<Said> {
    // A choice of an answer: {"finish_reason", "message": {…}}.
    if let Some(Value::Object(message)) = object.get_mut("message") {
        let message = std::mem::take(message);
        let finish = object.get("finish_reason").and_then(Value::as_str).map(str::to_owned);
        let mut said = of_object(message, side);
        for one in &mut said {
            one.finish = one.finish.take().or_else(|| finish.clone());
        }
        return said;
    }
    let typed_parts = |parts: &Value| {
        parts
            .as_array()
            .is_some_and(|parts| parts.iter().all(|part| part.get("type").is_some() || part.is_string()))
    };
    if object.get("parts").is_some_and(typed_parts) {
        return vec![of_otel(object, side)];
    }
    let finish = ["finish_reason", "stop_reason", "finishReason"]
        .into_iter()
        .find_map(|name| object.get(name).and_then(Value::as_str).map(str::to_owned));
    let role = ["role", "type"].into_iter().find_map(|name| role(object.get(name)?.as_str()?));
    if let Some(messages) = by_dialect(&mut object, role) {
        return messages.into_iter().map(|message| Said::typed(message, finish.clone())).collect();
    }
    let role = role.unwrap_or(default_role(side));
    let parts = match object.shift_remove("content") {
        Some(content) => content_or_text(role, content),
        // Nobody's form: it is kept to the letter.
        None => vec![Part::Text(Value::Object(std::mem::take(&mut object)).to_string())],
    };
    vec![Said::typed(Message { role, parts, extra: Object::new() }, finish)]
}

/// A message in OpenTelemetry's form.
fn of_otel(mut object: Object, side: Side) -> Said {
    let said = object.get("role").and_then(Value::as_str);
    let role = said.map_or_else(
        || default_role(side).as_str().to_owned(),
        |said| role(said).map_or_else(|| said.to_owned(), |role| role.as_str().to_owned()),
    );
    let finish = object.shift_remove("finish_reason").and_then(|reason| reason.as_str().map(str::to_owned));
    let parts: Value = match object.shift_remove("parts") {
        Some(Value::Array(parts)) => parts.into_iter().map(part_of_otel).collect(),
        _ => Value::Array(Vec::new()),
    };
    let mut ours = Object::new();
    ours.insert("role".to_owned(), role.into());
    ours.insert("parts".to_owned(), parts);
    object.shift_remove("role");
    ours.extend(object);
    Said { form: Form::Json(ours), finish }
}

/// A part in OpenTelemetry's form, under the names that we write.
fn part_of_otel(part: Value) -> Value {
    match part {
        Value::String(text) => json!({ "type": "text", "content": text }),
        Value::Object(mut part) => {
            let kind = part.get("type").and_then(Value::as_str).unwrap_or_default();
            let renamed = match kind {
                "tool_call_response" if !part.contains_key("response") => Some(("result", "response")),
                "text" if !part.contains_key("content") => Some(("text", "content")),
                _ => None,
            };
            if let Some((theirs, ours)) = renamed
                && let Some(value) = part.shift_remove(theirs)
            {
                part.insert(ours.to_owned(), value);
            }
            Value::Object(part)
        }
        other => json!({ "type": "text", "content": other.to_string() }),
    }
}

/// The message that an API's object is, read by the dialect it seems to be of.
fn by_dialect(object: &mut Object, role: Option<Role>) -> Option<Vec<Message>> {
    let of_content = |kinds: &[&str]| {
        let blocks = object.get("content").and_then(Value::as_array).into_iter().flatten();
        blocks.filter_map(|block| block.get("type")?.as_str()).any(|kind| kinds.contains(&kind))
    };
    let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
    let request = |dialect: Dialect, member: &str, object: &Object| {
        let body = json!({ "model": "m", "max_tokens": 1, member: [object] }).to_string();
        codec(dialect).decode_request(body.as_bytes()).ok().map(|request| request.messages)
    };
    if matches!(role, Some(Role::User | Role::Assistant))
        && of_content(&["tool_use", "tool_result", "thinking", "redacted_thinking", "document"])
    {
        let message = [("role", role?.as_str().into()), ("content", object.get("content")?.clone())];
        let message: Object =
            message.map(|(name, value): (&str, Value)| (name.to_owned(), value)).into_iter().collect();
        return request(Dialect::AnthropicMessages, "messages", &message);
    }
    if of_content(&["tool-call", "tool-result"]) {
        return Some(vec![of_ai_sdk(role?, object.get("content")?.as_array()?)]);
    }
    if of_content(&["input_text", "output_text", "input_image", "input_file"])
        || matches!(kind, "function_call" | "function_call_output" | "reasoning")
    {
        return request(Dialect::OpenAiResponses, "input", object);
    }
    if object.get("parts").is_some_and(Value::is_array)
        || object.get("content").is_some_and(|it| it.get("parts").is_some())
    {
        let content = match object.get("content") {
            Some(Value::Object(content)) => content.clone(),
            _ => object.clone(),
        };
        return request(Dialect::Gemini, "contents", &content);
    }
    let role = role?;
    let mut message = object.clone();
    message.insert("role".to_owned(), role.as_str().into());
    for name in ["finish_reason", "index", "type"] {
        message.shift_remove(name);
    }
    // OpenAI's arguments are text; some SDKs write them read.
    for call in message.get_mut("tool_calls").and_then(Value::as_array_mut).into_iter().flatten() {
        let Some(arguments) = call.get_mut("function").and_then(|function| function.get_mut("arguments"))
        else {
            continue;
        };
        if !arguments.is_string() {
            *arguments = arguments.to_string().into();
        }
    }
    let message = codec(Dialect::OpenAiChat).decode_message(&Value::Object(message).to_string()).ok()?;
    Some(vec![message])
}

/// Parts as the AI SDK writes them.
fn of_ai_sdk(role: Role, content: &[Value]) -> Message {
    let text = |part: &Value, names: &[&str]| {
        names.iter().find_map(|name| part.get(name)).map(|value| match value {
            Value::String(text) => text.clone(),
            value => value.to_string(),
        })
    };
    let parts = content.iter().map(|part| match part.get("type").and_then(Value::as_str) {
        Some("tool-call") => Part::ToolCall(ToolCall {
            id: text(part, &["toolCallId"]).unwrap_or_default(),
            name: text(part, &["toolName"]).unwrap_or_default(),
            arguments: text(part, &["args", "input"]).unwrap_or_default(),
            ..ToolCall::default()
        }),
        Some("tool-result") => Part::ToolResult(ToolResult {
            call_id: text(part, &["toolCallId"]).unwrap_or_default(),
            parts: text(part, &["result", "output"]).map(Part::Text).into_iter().collect(),
            is_error: false,
        }),
        _ => Part::Text(text(part, &["text"]).unwrap_or_else(|| part.to_string())),
    });
    Message { role, parts: parts.collect(), extra: Object::new() }
}

/// The parts of a message's content as an API has it; `None` where it has none of that form.
pub(super) fn content(role: Role, content: &Value) -> Option<Vec<Part>> {
    content.as_array().filter(|blocks| blocks.iter().all(|block| block.get("type").is_some()))?;
    let mut object = Object::new();
    object.insert("content".to_owned(), content.clone());
    let messages = by_dialect(&mut object, Some(role))?;
    Some(messages.into_iter().flat_map(|message| message.parts).collect())
}

fn content_or_text(role: Role, value: Value) -> Vec<Part> {
    match value {
        Value::Null => Vec::new(),
        Value::String(text) => vec![Part::Text(text)],
        value => content(role, &value).unwrap_or_else(|| vec![Part::Text(value.to_string())]),
    }
}

/// Tools as we store them; `None` where there are none.
pub(super) fn tools(value: Value) -> Option<Vec<u8>> {
    let Value::Array(mut tools) = value else {
        return Some(value.to_string().into_bytes()).filter(|_| !value.is_null());
    };
    if tools.is_empty() {
        return None;
    }
    // Anthropic's have their members at the top, and a schema of another name.
    for tool in tools.iter_mut().filter_map(Value::as_object_mut) {
        if tool.contains_key("name")
            && !tool.contains_key("type")
            && let Some(schema) = tool.shift_remove("input_schema")
        {
            tool.insert("type".to_owned(), "function".into());
            tool.insert("parameters".to_owned(), schema);
        }
    }
    let json = Value::Array(tools).to_string();
    if json.contains("\"function\":")
        && let Ok(tools) = codec(Dialect::OpenAiChat).decode_tools(&json)
    {
        return Some(message::tools(&tools));
    }
    Some(json.into_bytes())
}

/// The messages of an answer that came as a text and as tool calls, each on its own.
pub(super) fn answer(text: Option<String>, calls: Option<Value>) -> Vec<Said> {
    let mut parts: Vec<Part> = text.filter(|text| !text.is_empty()).map(Part::Text).into_iter().collect();
    if let Some(Value::Array(calls)) = calls {
        let typed = calls.into_iter().map(|call| match call {
            Value::Object(mut call) => {
                call.insert("type".to_owned(), "tool-call".into());
                Value::Object(call)
            }
            other => other,
        });
        parts.extend(of_ai_sdk(Role::Assistant, &typed.collect::<Vec<_>>()).parts);
    }
    if parts.is_empty() {
        return Vec::new();
    }
    vec![Said::typed(Message { role: Role::Assistant, parts, extra: Object::new() }, None)]
}

/// The messages of a GenAI event, by its name; `None` where it is none of them.
pub(super) fn of_event(name: &str, body: &Value) -> Option<(Side, Vec<Said>)> {
    let (side, role) = match name {
        "gen_ai.system.message" => (Side::Input, "system"),
        "gen_ai.user.message" | "gen_ai.content.prompt" => (Side::Input, "user"),
        "gen_ai.assistant.message" => (Side::Input, "assistant"),
        "gen_ai.tool.message" => (Side::Input, "tool"),
        "gen_ai.choice" | "gen_ai.content.completion" => (Side::Output, "assistant"),
        _ => return None,
    };
    let text = |name: &str| body.get(name).and_then(Value::as_str);
    // Some SDKs write the body as one text.
    if let Some(Value::Object(whole)) = text("gen_ai.event.content").and_then(json_of) {
        return of_event(name, &Value::Object(whole));
    }
    for member in ["gen_ai.prompt", "gen_ai.completion"] {
        if let Some(told) = text(member) {
            return Some((side, read(json_of(told).unwrap_or_else(|| told.into()), side)));
        }
    }
    let mut message = Map::new();
    for (key, value) in body.as_object()? {
        // Who sent it is the span's; the rest may be a text that is JSON.
        if !key.starts_with("gen_ai.") && !key.starts_with("event.") {
            let value = value
                .as_str()
                .filter(|_| key != "content")
                .and_then(json_of)
                .unwrap_or_else(|| value.clone());
            message.insert(key.clone(), value);
        }
    }
    match message.get_mut("message") {
        Some(Value::Object(inner)) => {
            inner.entry("role").or_insert_with(|| role.into());
        }
        Some(Value::String(text)) => {
            let text = std::mem::take(text);
            message.shift_remove("message");
            message.insert("content".to_owned(), text.into());
            message.entry("role").or_insert_with(|| role.into());
        }
        _ => {
            message.entry("role").or_insert_with(|| role.into());
        }
    }
    if role == "tool"
        && let Some(id) = message.shift_remove("id")
    {
        message.insert("tool_call_id".to_owned(), id);
    }
    let said = of_object(message, side);
    // An event without content tells that there was a message, and no more.
    let says = |one: &Said| one.finish.is_some() || one.preview().is_some() || !one.is_empty();
    Some((side, said.into_iter().filter(says).collect()))
}

impl Said {
    fn is_empty(&self) -> bool {
        match &self.form {
            Form::Typed(message) => message.parts.is_empty(),
            Form::Json(object) => object.get("parts").and_then(Value::as_array).is_none_or(Vec::is_empty),
        }
    }
}
