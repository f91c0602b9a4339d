//! Messages in OpenTelemetry GenAI's JSON: `{"role", "parts": [{"type", …}], "finish_reason"}`.
//!
//! Part types are OpenTelemetry's (`text`, `tool_call`, `tool_call_response`, `reasoning`, `blob`, `uri`,
//! `file`); `refusal`, `citation` and `opaque` are ours, as its schema allows for.

use hanok_base::{FinishReason, Media, MediaSource, Message, Object, Part, Role, ToolResult, ToolSpec};
use serde::Serialize;
use serde::ser::{SerializeMap, SerializeSeq, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// One message of the input.
pub fn input(message: &Message) -> Vec<u8> {
    json(&MessageJson { message, finish: None }, room(message))
}

/// One answer.
pub fn output(message: &Message, finish: &FinishReason) -> Vec<u8> {
    json(&MessageJson { message, finish: Some(finish) }, room(message))
}

/// A message of one text, which is JSON already, or of nothing; with the reason of its end where it is an answer.
pub(crate) fn text(role: Role, text: Option<&str>, finish: Option<&FinishReason>) -> Vec<u8> {
    let mut json = Vec::with_capacity(96 + text.map_or(0, str::len));
    let mut push = |piece: &str| json.extend_from_slice(piece.as_bytes());
    push(r#"{"role":""#);
    push(role.as_str());
    push(r#"","parts":["#);
    if let Some(text) = text {
        push(r#"{"type":"text","content":"#);
        push(text);
        push("}");
    }
    push("]");
    match finish {
        Some(FinishReason::Other(reason)) => {
            push(r#","finish_reason":"#);
            push(&Value::from(reason.as_str()).to_string());
        }
        Some(reason) => {
            push(r#","finish_reason":""#);
            push(reason.as_str());
            push("\"");
        }
        None => {}
    }
    push("}");
    json
}

/// The tools offered, as one array.
pub fn tools(tools: &[ToolSpec]) -> Vec<u8> {
    json(&Tools(tools), 512 * tools.len())
}

/// About how long a message's JSON is.
fn room(message: &Message) -> usize {
    let text = |part: &Part| match part {
        Part::Text(text) | Part::Refusal(text) => text.len() + text.len() / 16,
        _ => 160,
    };
    96 + message.parts.iter().map(text).sum::<usize>()
}

/// Nothing here can fail: keys are text and writing goes to memory.
fn json(value: &impl Serialize, room: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(room);
    if serde_json::to_writer(&mut bytes, value).is_err() {
        bytes.clear();
        bytes.extend_from_slice(b"null");
    }
    bytes
}

struct MessageJson<'a> {
    message: &'a Message,
    finish: Option<&'a FinishReason>,
}

impl Serialize for MessageJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("role", self.message.role.as_str())?;
        map.serialize_entry("parts", &Parts(&self.message.parts))?;
        if let Some(finish) = self.finish {
            map.serialize_entry("finish_reason", finish.as_str())?;
        }
        extra::<S>(&mut map, &self.message.extra, &["role", "parts", "finish_reason"])?;
        map.end()
    }
}

struct Parts<'a>(&'a [Part]);

impl Serialize for Parts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.len()))?;
        for part in self.0 {
            seq.serialize_element(&PartJson(part))?;
        }
        seq.end()
    }
}

struct PartJson<'a>(&'a Part);

impl Serialize for PartJson<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        match self.0 {
            Part::Text(text) => {
                map.serialize_entry("type", "text")?;
                map.serialize_entry("content", text)?;
            }
            Part::Refusal(text) => {
                map.serialize_entry("type", "refusal")?;
                map.serialize_entry("content", text)?;
            }
            Part::Reasoning(reasoning) => {
                map.serialize_entry("type", "reasoning")?;
                map.serialize_entry("content", &reasoning.text)?;
                if let Some(signature) = &reasoning.signature {
                    map.serialize_entry("signature", &signature.value)?;
                }
            }
            Part::ToolCall(call) => {
                map.serialize_entry("type", "tool_call")?;
                map.serialize_entry("id", &call.id)?;
                map.serialize_entry("name", &call.name)?;
                // The model's own JSON where it is JSON, else its text.
                match serde_json::from_str::<&RawValue>(&call.arguments) {
                    Ok(arguments) => map.serialize_entry("arguments", arguments)?,
                    Err(_) => map.serialize_entry("arguments", &call.arguments)?,
                }
                extra::<S>(&mut map, &call.extra, &["type", "id", "name", "arguments"])?;
            }
            Part::ToolResult(result) => tool_result::<S>(&mut map, result)?,
            Part::Media(medium) => media::<S>(&mut map, medium)?,
            Part::Citation(citation) => {
                map.serialize_entry("type", "citation")?;
                map.serialize_entry("start_index", &citation.start_index)?;
                map.serialize_entry("end_index", &citation.end_index)?;
                map.serialize_entry("url", &citation.url)?;
                map.serialize_entry("title", &citation.title)?;
                if let Some(quote) = &citation.quote {
                    map.serialize_entry("source", &quote.source)?;
                    map.serialize_entry("start", &quote.start)?;
                    map.serialize_entry("end", &quote.end)?;
                    map.serialize_entry("quote", &quote.text)?;
                }
                let known =
                    ["type", "start_index", "end_index", "url", "title", "source", "start", "end", "quote"];
                extra::<S>(&mut map, &citation.extra, &known)?;
            }
            Part::CacheBreak(value) => {
                map.serialize_entry("type", "cache_break")?;
                map.serialize_entry("cache_control", value)?;
            }
            Part::Opaque { dialect, value } => {
                map.serialize_entry("type", "opaque")?;
                map.serialize_entry("dialect", dialect.as_str())?;
                map.serialize_entry("content", value)?;
            }
        }
        map.end()
    }
}

fn tool_result<S: Serializer>(map: &mut S::SerializeMap, result: &ToolResult) -> Result<(), S::Error> {
    map.serialize_entry("type", "tool_call_response")?;
    map.serialize_entry("id", &result.call_id)?;
    match result.parts.as_slice() {
        // What nearly every tool answers, as plain text.
        [Part::Text(text)] => map.serialize_entry("response", text)?,
        parts => map.serialize_entry("response", &Parts(parts))?,
    }
    if result.is_error {
        map.serialize_entry("is_error", &true)?;
    }
    Ok(())
}

fn media<S: Serializer>(map: &mut S::SerializeMap, medium: &Media) -> Result<(), S::Error> {
    let (kind, key, value) = match &medium.source {
        MediaSource::Base64(data) => ("blob", "content", data),
        MediaSource::Url(url) => ("uri", "uri", url),
        MediaSource::FileId(id) => ("file", "file_id", id),
    };
    map.serialize_entry("type", kind)?;
    if let Some(mime) = &medium.mime {
        map.serialize_entry("mime_type", mime)?;
        map.serialize_entry("modality", mime.split('/').next().unwrap_or_default())?;
    }
    if let Some(filename) = &medium.filename {
        map.serialize_entry("filename", filename)?;
    }
    map.serialize_entry(key, value)?;
    extra::<S>(map, &medium.extra, &["type", "mime_type", "modality", "filename", key])
}

fn extra<S: Serializer>(map: &mut S::SerializeMap, extra: &Object, known: &[&str]) -> Result<(), S::Error> {
    for (key, value) in extra {
        if !known.contains(&key.as_str()) {
            map.serialize_entry(key, value)?;
        }
    }
    Ok(())
}

struct Tools<'a>(&'a [ToolSpec]);

impl Serialize for Tools<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut seq = serializer.serialize_seq(Some(self.0.len()))?;
        for tool in self.0 {
            seq.serialize_element(&Tool(tool))?;
        }
        seq.end()
    }
}

struct Tool<'a>(&'a ToolSpec);

impl Serialize for Tool<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let tool = self.0;
        if tool.name.is_empty() {
            // Of a type that no field stands for: whole in its unknown members.
            return tool.extra.serialize(serializer);
        }
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", "function")?;
        map.serialize_entry("name", &tool.name)?;
        if let Some(description) = &tool.description {
            map.serialize_entry("description", description)?;
        }
        if let Some(parameters) = &tool.parameters {
            map.serialize_entry("parameters", parameters)?;
        }
        if let Some(strict) = tool.strict {
            map.serialize_entry("strict", &strict)?;
        }
        extra::<S>(&mut map, &tool.extra, &["type", "name", "description", "parameters", "strict"])?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hanok_base::ToolCall;
    use serde_json::json;

    fn check(part: Part, expect: &Value) {
        let message = Message { role: Role::Assistant, parts: vec![part], extra: Object::new() };
        let found: Value = serde_json::from_slice(&output(&message, &FinishReason::Stop)).unwrap();
        assert_eq!(found, json!({"role": "assistant", "parts": [expect], "finish_reason": "stop"}));
    }

    fn call(arguments: &str) -> Part {
        Part::ToolCall(ToolCall {
            id: "c1".into(),
            name: "f".into(),
            arguments: arguments.into(),
            ..ToolCall::default()
        })
    }

    #[test]
    fn parts() {
        check(Part::Text("hi".into()), &json!({"type": "text", "content": "hi"}));
        check(Part::Refusal("no".into()), &json!({"type": "refusal", "content": "no"}));
        check(
            call(r#"{"a": 1}"#),
            &json!({"type": "tool_call", "id": "c1", "name": "f", "arguments": {"a": 1}}),
        );
        check(
            call(r#"{"a": "#),
            &json!({"type": "tool_call", "id": "c1", "name": "f", "arguments": "{\"a\": "}),
        );
        check(
            Part::ToolResult(ToolResult {
                call_id: "c1".into(),
                parts: vec![Part::Text("7".into())],
                is_error: true,
            }),
            &json!({"type": "tool_call_response", "id": "c1", "response": "7", "is_error": true}),
        );
        check(
            Part::Media(Media {
                mime: Some("image/png".into()),
                filename: None,
                source: MediaSource::Base64("AA==".into()),
                extra: Object::new(),
            }),
            &json!({"type": "blob", "mime_type": "image/png", "modality": "image", "content": "AA=="}),
        );
    }

    #[test]
    fn texts_that_are_json_already() {
        for said in [Some("a \"b\"\n\u{1}환불"), None] {
            let parts = said.map(|said| Part::Text(said.to_owned())).into_iter().collect();
            let message = Message { role: Role::Developer, parts, extra: Object::new() };
            let quoted = said.map(|said| Value::from(said).to_string());
            assert_eq!(text(Role::Developer, quoted.as_deref(), None), input(&message));
            for finish in [FinishReason::Length, FinishReason::Other("a \"b\"".into())] {
                assert_eq!(
                    text(Role::Developer, quoted.as_deref(), Some(&finish)),
                    output(&message, &finish)
                );
            }
        }
    }

    #[test]
    fn unknown_members_survive() {
        let mut message = Message::text(Role::User, "hi");
        message.extra.insert("name".into(), "alice".into());
        message.extra.insert("role".into(), "not this one".into());
        let found: Value = serde_json::from_slice(&input(&message)).unwrap();
        assert_eq!(
            found,
            json!({"role": "user", "parts": [{"type": "text", "content": "hi"}], "name": "alice"})
        );
    }
}
