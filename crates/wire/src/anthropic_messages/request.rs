//! Requests as clients send them.

use super::OWN;
use super::blocks::{self, From};
use crate::error::WireError;
use crate::take;
use hanok_base::{
    ChatRequest, Message, Object, OutputFormat, ReasoningOptions, Role, Sampling, ToolChoice, ToolSpec,
};
use serde_json::Value;

/// The name given to a schema of the answer: the dialect has none, and others want one.
const SCHEMA_NAME: &str = "response";

/// Decodes a request of either route: one to count tokens has no limit.
pub(super) fn decode(body: &[u8]) -> Result<ChatRequest, WireError> {
    let mut extra = take::request(body)?;
    let model =
        take::string(&mut extra, "model")?.ok_or_else(|| WireError::member("model", "is required"))?;
    if !extra.contains_key("messages") {
        return Err(WireError::member("messages", "is required: an array of messages"));
    }
    let mut messages: Vec<Message> = Vec::new();
    if let Some(system) = take::some(&mut extra, "system") {
        messages.push(content(Role::System, system, Object::new()).map_err(|error| within("system", error))?);
    }
    let turns = take::array(&mut extra, "messages")?;
    if turns.is_empty() {
        return Err(WireError::member("messages", "must hold at least one message"));
    }
    for (i, value) in turns.into_iter().enumerate() {
        let place = format!("messages[{i}]");
        let object = take::item(value, &place)?;
        messages.push(message(object).map_err(|error| take::under(&place, error))?);
    }
    let mut tools = Vec::new();
    for (i, value) in take::array(&mut extra, "tools")?.into_iter().enumerate() {
        let place = format!("tools[{i}]");
        let object = take::item(value, &place)?;
        tools.push(tool(object).map_err(|error| take::under(&place, error))?);
    }
    let (tool_choice, parallel_tool_calls) =
        take::some(&mut extra, "tool_choice").map_or((ToolChoice::Unset, None), tool_choice);
    let reasoning = reasoning(&mut extra)?;
    let output = output(&mut extra)?;
    let sampling = sampling(&mut extra)?;
    let user = nested(&mut extra, "metadata", |metadata| take::string(metadata, "user_id"))?;
    extra.shift_remove("stream");
    Ok(ChatRequest {
        tools,
        tool_choice,
        parallel_tool_calls,
        output,
        sampling,
        reasoning,
        user,
        dialect: Some(OWN),
        extra,
        ..ChatRequest::new(model.into(), messages)
    })
}

/// A fault of a content that stands under another name.
fn within(name: &str, error: WireError) -> WireError {
    match error {
        WireError::Member { param, message } => {
            WireError::Member { param: param.replacen("content", name, 1), message }
        }
        other => other,
    }
}

fn content(role: Role, content: Value, mut extra: Object) -> Result<Message, WireError> {
    let blocks::Content { parts, unknown } = blocks::decode(content, From::Client)?;
    if let Some(unknown) = unknown {
        extra.insert("content".into(), unknown);
    }
    Ok(Message { role, parts, extra })
}

fn message(mut object: Object) -> Result<Message, WireError> {
    let name = take::string(&mut object, "role")?.ok_or_else(|| WireError::member("role", "is required"))?;
    let role = match name.as_str() {
        "user" => Role::User,
        "assistant" => Role::Assistant,
        "system" => Role::System,
        _ => {
            return Err(WireError::member("role", format!("must be user or assistant, not {name:?}")));
        }
    };
    let said =
        take::some(&mut object, "content").ok_or_else(|| WireError::member("content", "is required"))?;
    content(role, said, object)
}

/// A tool of the client's. One that the provider runs, known by its type, is kept whole.
fn tool(mut object: Object) -> Result<ToolSpec, WireError> {
    if object.get("type").and_then(Value::as_str).is_some_and(|kind| kind != "custom") {
        let name = String::new();
        return Ok(ToolSpec { name, description: None, parameters: None, strict: None, extra: object });
    }
    let name = take::string(&mut object, "name")?
        .filter(|name| !name.is_empty())
        .ok_or_else(|| WireError::member("name", "is required"))?;
    Ok(ToolSpec {
        name,
        description: take::string(&mut object, "description")?,
        parameters: take::some(&mut object, "input_schema"),
        strict: take::boolean(&mut object, "strict")?,
        extra: object,
    })
}

fn tool_choice(value: Value) -> (ToolChoice, Option<bool>) {
    let known = ["type", "name", "disable_parallel_tool_use"];
    let Some(object) = value.as_object().filter(|object| object.keys().all(|name| known.contains(&&**name)))
    else {
        return (ToolChoice::Opaque(value), None);
    };
    let parallel = object.get("disable_parallel_tool_use").and_then(Value::as_bool).map(|not| !not);
    let kind = object.get("type").and_then(Value::as_str).unwrap_or_default();
    let choice = match (kind, object.get("name").and_then(Value::as_str)) {
        ("auto", None) => ToolChoice::Auto,
        ("any", None) => ToolChoice::Required,
        ("none", None) => ToolChoice::None,
        ("tool", Some(name)) => ToolChoice::Tool(name.to_owned()),
        _ => return (ToolChoice::Opaque(value), None),
    };
    (choice, parallel)
}

/// Takes something out of an object in `extra`, and leaves there what is unknown of it.
fn nested<T>(
    extra: &mut Object,
    name: &str,
    read: impl FnOnce(&mut Object) -> Result<T, WireError>,
) -> Result<T, WireError> {
    let mut object = take::map(extra, name)?.unwrap_or_default();
    let found = read(&mut object).map_err(|error| take::under(name, error))?;
    if !object.is_empty() {
        extra.insert(name.to_owned(), object.into());
    }
    Ok(found)
}

/// `thinking`, and the effort beside it. Thinking without a budget is the adaptive kind, whose budget is the
/// model's own affair.
fn reasoning(extra: &mut Object) -> Result<ReasoningOptions, WireError> {
    let effort = nested(extra, "output_config", |config| take::string(config, "effort"))?;
    let kind = extra.get("thinking").and_then(|thinking| thinking.get("type")).and_then(Value::as_str);
    let enabled = match kind {
        Some("enabled" | "adaptive") => Some(true),
        Some("disabled") => Some(false),
        // A kind we do not know stays whole.
        _ => return Ok(ReasoningOptions { effort, ..ReasoningOptions::default() }),
    };
    nested(extra, "thinking", |thinking| {
        thinking.shift_remove("type");
        Ok(ReasoningOptions {
            enabled,
            effort,
            budget_tokens: take::count(thinking, "budget_tokens")?,
            summary: take::string(thinking, "display")?,
        })
    })
}

/// `output_config.format`, or `output_format` as it was called before.
fn output(extra: &mut Object) -> Result<OutputFormat, WireError> {
    let newer = nested(extra, "output_config", |config| Ok(take::some(config, "format")))?;
    let older = take::some(extra, "output_format");
    let Some(value) = newer.or(older) else {
        return Ok(OutputFormat::Unset);
    };
    Ok(match value {
        Value::Object(mut object) if object.get("type").and_then(Value::as_str) == Some("json_schema") => {
            object.shift_remove("type");
            let schema = take::some(&mut object, "schema");
            // The dialect always holds the model to it.
            let strict = Some(true);
            OutputFormat::JsonSchema { name: SCHEMA_NAME.to_owned(), schema, strict, extra: object }
        }
        other => OutputFormat::Opaque(other),
    })
}

fn sampling(extra: &mut Object) -> Result<Sampling, WireError> {
    let mut stop = Vec::new();
    for (i, value) in take::array(extra, "stop_sequences")?.into_iter().enumerate() {
        let Value::String(text) = value else {
            return Err(WireError::member(format!("stop_sequences[{i}]"), "must be a string"));
        };
        stop.push(text);
    }
    Ok(Sampling {
        temperature: take::number(extra, "temperature")?,
        top_p: take::number(extra, "top_p")?,
        top_k: take::count(extra, "top_k")?,
        max_tokens: take::count(extra, "max_tokens")?,
        stop,
        ..Sampling::default()
    })
}
