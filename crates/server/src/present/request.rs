//! A recorded chat as the request that would ask the same again, in OpenAI's form, for copying.

use hanok_base::Object;
use hanok_trace::attribute as name;
use serde_json::{Map, Value, json};

/// Most bytes of a request that is offered for copying.
const LONGEST: usize = 64 * 1024;

/// The request's body, for `model`; `None` where something of it was not recorded or could not be said, and so would be lost.
pub(super) fn request(attributes: &Object, model: &str) -> Option<String> {
    let mut messages = Vec::new();
    for message in attributes.get(name::INPUT_MESSAGES)?.as_array()? {
        say(message, &mut messages)?;
    }
    if messages.is_empty() {
        return None;
    }
    let mut body = Map::new();
    body.insert("model".into(), model.into());
    body.insert("messages".into(), messages.into());
    let same = [
        (name::TEMPERATURE, "temperature"),
        (name::TOP_P, "top_p"),
        (name::MAX_TOKENS, "max_tokens"),
        (name::SEED, "seed"),
        (name::STOP, "stop"),
        (name::CHOICES, "n"),
    ];
    for (recorded, member) in same {
        if let Some(value) = attributes.get(recorded) {
            body.insert(member.into(), value.clone());
        }
    }
    if let Some(tools) = attributes.get(name::TOOL_DEFINITIONS).and_then(Value::as_array) {
        body.insert("tools".into(), tools.iter().map(tool).collect::<Option<Vec<Value>>>()?.into());
    }
    let body = Value::Object(body).to_string();
    (body.len() <= LONGEST).then_some(body)
}

/// A tool as OpenAI nests it.
fn tool(tool: &Value) -> Option<Value> {
    if tool.get("function").is_some() {
        return Some(tool.clone());
    }
    tool.get("name")?.as_str()?;
    let mut function = tool.as_object()?.clone();
    function.remove("type");
    Some(json!({ "type": "function", "function": function }))
}

/// A message, or the several that OpenAI makes of it: each tool's result is one of its own.
fn say(message: &Value, into: &mut Vec<Value>) -> Option<()> {
    let role = message.get("role")?.as_str()?;
    let (mut content, mut calls) = (Vec::new(), Vec::new());
    for part in message.get("parts")?.as_array()? {
        let text = |name: &str| part.get(name).and_then(Value::as_str);
        match part.get("type")?.as_str()? {
            "text" => content.push(json!({ "type": "text", "text": text("content")? })),
            "tool_call" => {
                let arguments = match part.get("arguments")? {
                    Value::String(text) => text.clone(),
                    other => other.to_string(),
                };
                let function = json!({ "name": text("name")?, "arguments": arguments });
                calls.push(json!({ "id": text("id")?, "type": "function", "function": function }));
            }
            "tool_call_response" => {
                let answer = text("response")?;
                into.push(json!({ "role": "tool", "tool_call_id": text("id")?, "content": answer }));
            }
            "blob" if text("mime_type")?.starts_with("image/") => {
                let url = format!("data:{};base64,{}", text("mime_type")?, text("content")?);
                content.push(json!({ "type": "image_url", "image_url": { "url": url } }));
            }
            "uri" if text("modality").is_none_or(|modality| modality == "image") => {
                content.push(json!({ "type": "image_url", "image_url": { "url": text("uri")? } }));
            }
            // A provider's thoughts go back to that provider only, and need not.
            "reasoning" | "cache_break" => {}
            _ => return None,
        }
    }
    if content.is_empty() && calls.is_empty() {
        return Some(());
    }
    let only_text = content.iter().all(|part| part.get("text").is_some());
    let content = match content.as_slice() {
        [] => Value::Null,
        parts if only_text => {
            parts.iter().filter_map(|part| part.get("text")?.as_str()).collect::<String>().into()
        }
        _ => content.into(),
    };
    let mut said = json!({ "role": role, "content": content });
    if let Some(said) = said.as_object_mut().filter(|_| !calls.is_empty()) {
        said.insert("tool_calls".into(), calls.into());
    }
    into.push(said);
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_chat_is_asked_again_whole_or_not_at_all() {
        let check = |input: Value, more: Value, want: Option<Value>| {
            let mut attributes = json!({ "gen_ai.input.messages": input });
            let all = attributes.as_object_mut().unwrap();
            all.extend(more.as_object().unwrap().clone());
            let got = request(all, "m").map(|body| serde_json::from_str::<Value>(&body).unwrap());
            assert_eq!(got, want);
        };
        let user = json!({ "role": "user", "parts": [{ "type": "text", "content": "hi" }] });
        check(
            json!([user]),
            json!({ "gen_ai.request.temperature": 0.2, "gen_ai.tool.definitions": [{ "type": "function", "name": "f" }] }),
            Some(
                json!({ "model": "m", "messages": [{ "role": "user", "content": "hi" }], "temperature": 0.2,
                "tools": [{ "type": "function", "function": { "name": "f" } }] }),
            ),
        );
        check(
            json!([user,
                { "role": "assistant", "parts": [{ "type": "tool_call", "id": "c", "name": "f", "arguments": { "a": 1 } }] },
                { "role": "tool", "parts": [{ "type": "tool_call_response", "id": "c", "response": "ok" }] }]),
            json!({}),
            Some(json!({ "model": "m", "messages": [{ "role": "user", "content": "hi" },
                { "role": "assistant", "content": null, "tool_calls": [
                    { "id": "c", "type": "function", "function": { "name": "f", "arguments": "{\"a\":1}" } }] },
                { "role": "tool", "tool_call_id": "c", "content": "ok" }] })),
        );
        check(
            json!([{ "role": "user", "parts": [{ "type": "text", "content": "what?" },
                { "type": "blob", "mime_type": "image/png", "content": "AA==" }] }]),
            json!({}),
            Some(json!({ "model": "m", "messages": [{ "role": "user", "content": [
                { "type": "text", "text": "what?" },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,AA==" } }] }] })),
        );
        check(json!([{ "role": "user", "parts": [{ "type": "opaque" }] }]), json!({}), None);
        check(json!([]), json!({}), None);
    }
}
