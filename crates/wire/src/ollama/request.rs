//! Requests: what clients send, what upstreams want. `/api/generate` is a chat of one turn.

use super::options::{
    encode_extra, encode_output, encode_reasoning, encode_sampling, encode_tools, lose, output, reasoning,
    sampling, tool,
};
use super::parts::{Said, To, images};
use super::{Form, messages};
use crate::codec::{Encoded, RequestOptions};
use crate::error::WireError;
use crate::take;
use hanok_base::{ChatRequest, Degradation, Message, Object, Part, Role};
use serde_json::Value;

/// Members of `/api/generate` that `/api/chat` does not have.
const GENERATE_ONLY: &[&str] = &["context", "raw", "template", "suffix", "width", "height", "steps"];

pub(super) fn decode(form: Form, body: &[u8]) -> Result<ChatRequest, WireError> {
    let mut extra = take::request(body)?;
    let model =
        take::string(&mut extra, "model")?.ok_or_else(|| WireError::member("model", "is required"))?;
    let messages = match form {
        Form::Chat => chat(&mut extra)?,
        Form::Generate => generate(&mut extra)?,
    };
    let mut tools = Vec::new();
    if form == Form::Chat {
        for (i, value) in take::array(&mut extra, "tools")?.into_iter().enumerate() {
            let place = format!("tools[{i}]");
            let object = take::item(value, &place)?;
            tools.push(tool(object).map_err(|error| take::under(&place, error))?);
        }
    }
    let output = output(&mut extra);
    let sampling = sampling(&mut extra)?;
    let reasoning = reasoning(&mut extra)?;
    extra.shift_remove("stream");
    extra.retain(|_, value| !value.is_null());
    Ok(ChatRequest {
        tools,
        output,
        sampling,
        reasoning,
        dialect: Some(form.dialect()),
        extra,
        ..ChatRequest::new(model.into(), messages)
    })
}

fn chat(extra: &mut Object) -> Result<Vec<Message>, WireError> {
    let messages = messages::decode(take::array(extra, "messages")?)?;
    if messages.is_empty() {
        return Err(WireError::member("messages", "must hold at least one message"));
    }
    Ok(messages)
}

fn generate(extra: &mut Object) -> Result<Vec<Message>, WireError> {
    // What stands between prompt and suffix is no answer to the prompt: told as a chat it would be a wrong one.
    if extra.get("suffix").and_then(Value::as_str).is_some_and(|suffix| !suffix.is_empty()) {
        let message = "text in the middle is for models behind an ollama provider only";
        return Err(WireError::member("suffix", message));
    }
    extra.shift_remove("suffix");
    let mut messages = Vec::new();
    if let Some(system) = take::string(extra, "system")?.filter(|text| !text.is_empty()) {
        messages.push(Message::text(Role::System, system));
    }
    let prompt = take::string(extra, "prompt")?.unwrap_or_default();
    let mut parts: Vec<Part> = Vec::new();
    if !prompt.is_empty() {
        parts.push(Part::Text(prompt));
    }
    parts.extend(images(extra)?);
    if parts.is_empty() {
        return Err(WireError::member("prompt", "is required"));
    }
    messages.push(Message { role: Role::User, parts, extra: Object::new() });
    for (name, nothing) in
        [("raw", Value::Bool(false)), ("template", "".into()), ("context", Vec::<u8>::new().into())]
    {
        if extra.get(name) == Some(&nothing) {
            extra.shift_remove(name);
        }
    }
    Ok(messages)
}

pub(super) fn encode(form: Form, request: &ChatRequest, options: RequestOptions) -> Encoded {
    let mut lost = Vec::new();
    let mut object = Object::new();
    object.insert("model".into(), request.model.as_str().into());
    match form {
        Form::Chat => {
            object.insert("messages".into(), messages::encode(request, &mut lost).into());
            if let Some(tools) = encode_tools(request, &mut lost) {
                object.insert("tools".into(), tools);
            }
        }
        Form::Generate => encode_prompt(request, &mut object, &mut lost),
    }
    let rest = [
        ("format", encode_output(request, &mut lost)),
        ("options", encode_sampling(request, &mut lost)),
        ("think", encode_reasoning(&request.reasoning)),
    ];
    for (name, value) in rest {
        if let Some(value) = value {
            object.insert(name.to_owned(), value);
        }
    }
    let except = match form {
        Form::Chat => GENERATE_ONLY,
        Form::Generate => &[],
    };
    encode_extra(request, except, &mut object, &mut lost);
    object.insert("stream".into(), options.stream.into());
    Encoded::new(&object.into(), lost)
}

/// Writes a chat as one prompt. Where it has more turns than one, they are told as a text, each under its
/// speaker's name, and that is said.
fn encode_prompt(request: &ChatRequest, object: &mut Object, lost: &mut Vec<Degradation>) {
    let turns = request.messages.iter().filter(|message| !is_system(message)).count();
    let (mut system, mut prompt) = (String::new(), String::new());
    let mut images = Vec::new();
    for (i, message) in request.messages.iter().enumerate() {
        let results = message.parts.iter().filter_map(|part| match part {
            Part::ToolResult(result) => Some(&result.parts),
            _ => None,
        });
        let parts = message.parts.iter().chain(results.flatten());
        let said = Said::of(parts, To::Upstream, super::is_own(request.dialect), "\n");
        for (place, message) in &said.lost {
            lose(lost, &format!("messages[{i}].{place}"), message);
        }
        for (name, left_out) in
            [("thinking", !said.thinking.is_empty()), ("tool_calls", !said.calls.is_empty())]
        {
            if left_out {
                lose(lost, &format!("messages[{i}].{name}"), "left out: a prompt has no place for it");
            }
        }
        images.extend(said.images);
        let into = if is_system(message) { &mut system } else { &mut prompt };
        if !into.is_empty() {
            into.push_str("\n\n");
        }
        if turns > 1 && !is_system(message) {
            into.push_str(message.role.as_str());
            into.push_str(": ");
        }
        into.push_str(&said.text);
    }
    if turns > 1 {
        lose(lost, "messages", "told as one prompt: /api/generate has one turn");
    }
    if !request.tools.is_empty() {
        lose(lost, "tools", "left out: /api/generate has no tools");
    }
    object.insert("prompt".into(), prompt.into());
    if !system.is_empty() {
        object.insert("system".into(), system.into());
    }
    if !images.is_empty() {
        object.insert("images".into(), images.into());
    }
}

fn is_system(message: &Message) -> bool {
    matches!(message.role, Role::System | Role::Developer)
}
