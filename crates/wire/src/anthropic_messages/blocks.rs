//! Blocks of content to parts and back: of requests and of answers.

use super::{OWN, citation, media};
use crate::depth;
use crate::error::WireError;
use crate::{signature, take};
use hanok_base::{Dialect, Object, Part, Reasoning, Signature, ToolCall, ToolResult};
use serde_json::{Value, json};

/// What is said of a content that is neither text nor blocks.
pub(super) const CONTENT: &str = "must be a string or an array of content blocks";

/// Begins the data of a redacted thought that stands for the signature of a call: a call has no place for one.
const CALL: &str = "call:";

/// Who sent the blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// A client, whose signatures may be another dialect's.
    Client,
    /// An upstream, whose signatures are its own.
    Upstream,
}

/// The parts of a content, and what is unknown of each block where anything is.
#[derive(Debug, Default)]
pub(super) struct Content {
    pub(super) parts: Vec<Part>,
    /// An object for each block, so that unknown members find back; `None` where the parts say it all.
    pub(super) unknown: Option<Value>,
}

/// Reads a content: a text or an array of blocks.
pub(super) fn decode(content: Value, from: From) -> Result<Content, WireError> {
    let items = match content {
        Value::String(text) if text.is_empty() => return Ok(Content::default()),
        Value::String(text) => return Ok(Content { parts: vec![Part::Text(text)], unknown: None }),
        Value::Array(items) => items,
        _ => return Err(WireError::member("content", CONTENT)),
    };
    let mut parts = Vec::with_capacity(items.len());
    let mut unknown = Vec::with_capacity(items.len());
    let mut signed = Vec::new();
    for (i, value) in items.into_iter().enumerate() {
        let place = format!("content[{i}]");
        let object = take::item(value, &place)?;
        if let (From::Client, Some(of_call)) = (from, call_signature(&object)) {
            signed.push(of_call);
            continue;
        }
        let rest = block(object, from, &mut parts).map_err(|error| take::under(&place, error))?;
        unknown.push(Value::Object(rest));
    }
    for (id, signature) in signed {
        let call = parts.iter_mut().find_map(|part| match part {
            Part::ToolCall(call) if call.id == id => Some(call),
            _ => None,
        });
        if let Some(call) = call {
            call.signature = Some(signature);
        }
    }
    // A lone text in an array is not written as a text again, nor nothing in an array as an empty text.
    let form = matches!(parts.as_slice(), [] | [Part::Text(_)]);
    let keep = form || unknown.iter().any(|rest| rest.as_object().is_some_and(|rest| !rest.is_empty()));
    Ok(Content { parts, unknown: keep.then(|| unknown.into()) })
}

/// The call's id and signature of a block that stands for one.
fn call_signature(block: &Object) -> Option<(String, Signature)> {
    if block.get("type").and_then(Value::as_str) != Some("redacted_thinking") {
        return None;
    }
    let (id, rest) = block.get("data")?.as_str()?.strip_prefix(CALL)?.split_once(":hanok:")?;
    let signature = signature::read(format!("hanok:{rest}"), OWN);
    (signature.of != OWN).then(|| (id.to_owned(), signature))
}

/// The block that keeps a call's signature for its provider; `None` where it has none to keep.
pub(super) fn encode_call_signature(id: &str, signature: Option<&Signature>) -> Option<Object> {
    let signature = signature.filter(|signature| signature.of != OWN)?;
    let data = format!("{CALL}{id}:{}", signature::shown(signature, OWN));
    Some(object([("type", "redacted_thinking".into()), ("data", data.into())]))
}

/// Appends a block's parts; gives what of it no part stands for.
fn block(mut object: Object, from: From, parts: &mut Vec<Part>) -> Result<Object, WireError> {
    let kind = object.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
    let missing = |name: &str| WireError::member(name, "is required");
    let signed = |text: String| match from {
        From::Client => signature::read(text, OWN),
        From::Upstream => Signature { of: OWN, value: text },
    };
    let opaque = |object: Object| Part::Opaque { dialect: OWN, value: object.into() };
    let known = ["text", "image", "document", "thinking", "redacted_thinking", "tool_use", "tool_result"];
    if !known.contains(&kind.as_str()) {
        parts.push(opaque(object));
        return Ok(Object::new());
    }
    object.shift_remove("type");
    let cache = take::some(&mut object, "cache_control");
    let mut rest = Object::new();
    match kind.as_str() {
        "text" => {
            let text = take::string(&mut object, "text")?.ok_or_else(|| missing("text"))?;
            let cited = take::array(&mut object, "citations")?;
            let start = if cited.is_empty() { 0 } else { characters(parts) };
            let covers = start..start + if cited.is_empty() { 0 } else { text.chars().count() };
            parts.push(Part::Text(text));
            parts.extend(
                cited.into_iter().map(|value| Part::Citation(citation::decode(value, covers.clone()))),
            );
            rest = object;
        }
        "image" | "document" => match media::decode(&kind, object) {
            Ok(media) => parts.push(Part::Media(media)),
            Err(mut object) => {
                object.insert("type".into(), kind.into());
                parts.push(opaque(object));
            }
        },
        "thinking" => {
            let text = take::string(&mut object, "thinking")?.unwrap_or_default();
            let signature = take::string(&mut object, "signature")?.filter(|text| !text.is_empty());
            let signature = signature.map(signed);
            parts.push(Part::Reasoning(Reasoning { text, signature, redacted: false, extra: object }));
        }
        "redacted_thinking" => {
            let data = take::string(&mut object, "data")?.ok_or_else(|| missing("data"))?;
            let signature = Some(signed(data));
            let reasoning = Reasoning { text: String::new(), signature, redacted: true, extra: object };
            parts.push(Part::Reasoning(reasoning));
        }
        "tool_use" => {
            let id = take::string(&mut object, "id")?.ok_or_else(|| missing("id"))?;
            let name = take::string(&mut object, "name")?.ok_or_else(|| missing("name"))?;
            let arguments = take::some(&mut object, "input").unwrap_or_else(|| json!({})).to_string();
            parts.push(Part::ToolCall(ToolCall { id, name, arguments, signature: None, extra: object }));
        }
        _ => {
            let (result, left) = tool_result(object, from)?;
            parts.push(Part::ToolResult(result));
            rest = left;
        }
    }
    parts.extend(cache.map(Part::CacheBreak));
    Ok(rest)
}

/// Code points of all texts.
fn characters(parts: &[Part]) -> usize {
    parts.iter().map(|part| if let Part::Text(text) = part { text.chars().count() } else { 0 }).sum()
}

fn tool_result(mut object: Object, from: From) -> Result<(ToolResult, Object), WireError> {
    let call_id = take::string(&mut object, "tool_use_id")?
        .ok_or_else(|| WireError::member("tool_use_id", "is required"))?;
    let is_error = take::boolean(&mut object, "is_error")?;
    let content = take::some(&mut object, "content");
    let empty = content.clone().filter(|content| content.as_str() == Some(""));
    let Content { parts, unknown } =
        content.map(|content| decode(content, from)).transpose()?.unwrap_or_default();
    if let Some(form) = unknown.or(empty) {
        object.insert("content".into(), form);
    }
    if is_error == Some(false) {
        object.insert("is_error".into(), false.into());
    }
    Ok((ToolResult { call_id, parts, is_error: is_error.unwrap_or(false) }, object))
}

/// The blocks of an answer as a client gets them; unknown members only where they are `own`.
pub(super) fn encode_answer(parts: &[Part], own: bool) -> Vec<Value> {
    let mut content: Vec<Value> = Vec::with_capacity(parts.len());
    let mut cited = 0;
    for part in parts {
        match part {
            Part::Citation(citation) => {
                let citation = citation::encode(citation, own, cited);
                cited += 1;
                let text =
                    content.iter_mut().rev().filter_map(Value::as_object_mut).find(|block| is_text(block));
                if let Some(block) = text {
                    cite(block, citation);
                } else {
                    let mut block = text_block("");
                    cite(&mut block, citation);
                    content.push(block.into());
                }
            }
            Part::ToolCall(call) => {
                let signature = encode_call_signature(&call.id, call.signature.as_ref());
                content.extend(signature.map(Value::Object));
                content.push(tool_use(&call.id, call, own).0.into());
            }
            // Upstreams refuse a conversation with empty texts.
            Part::Text(text) if text.is_empty() && !own => {}
            part => content.extend(encode_shown(part, own).map(Value::Object)),
        }
    }
    content
}

fn is_text(block: &Object) -> bool {
    block.get("type").and_then(Value::as_str) == Some("text")
}

/// Adds a citation to a text's block.
pub(super) fn cite(block: &mut Object, citation: Value) {
    if let Value::Array(all) = block.entry("citations").or_insert_with(|| json!([])) {
        all.push(citation);
    }
}

/// A part of an answer as a block; `None` for what a client of the dialect has no place for, or what stands in
/// another block.
pub(super) fn encode_shown(part: &Part, own: bool) -> Option<Object> {
    Some(match part {
        Part::Text(text) | Part::Refusal(text) => text_block(text),
        Part::Reasoning(reasoning) => thinking(reasoning, own),
        Part::ToolCall(call) => tool_use(&call.id, call, own).0,
        Part::Media(media) => media::encode(media, own).ok()?,
        Part::ToolResult(result) => {
            let content = encode_answer(&result.parts, own);
            let mut block =
                object([("type", "tool_result".into()), ("tool_use_id", result.call_id.as_str().into())]);
            block.insert("content".into(), content.into());
            block.insert("is_error".into(), result.is_error.into());
            block
        }
        Part::Opaque { dialect: Dialect::AnthropicMessages, value: Value::Object(block) } => block.clone(),
        Part::Opaque { .. } | Part::Citation(_) | Part::CacheBreak(_) => return None,
    })
}

pub(super) fn object<const N: usize>(members: [(&str, Value); N]) -> Object {
    members.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
}

pub(super) fn text_block(text: &str) -> Object {
    object([("type", "text".into()), ("text", text.into())])
}

/// A thought, its signature as a client is to keep it.
pub(super) fn thinking(reasoning: &Reasoning, own: bool) -> Object {
    let shown = reasoning.signature.as_ref().map(|signature| signature::shown(signature, OWN));
    let mut block = match (reasoning.redacted, shown) {
        (true, Some(data)) => object([("type", "redacted_thinking".into()), ("data", data.into())]),
        (_, signature) => object([
            ("type", "thinking".into()),
            ("thinking", reasoning.text.as_str().into()),
            ("signature", signature.unwrap_or_default().into()),
        ]),
    };
    if own {
        block.extend(reasoning.extra.clone());
    }
    block
}

/// A call, and whether its arguments were the object that the dialect wants. Others are put into one.
pub(super) fn tool_use(id: &str, call: &ToolCall, own: bool) -> (Object, bool) {
    let (input, good) = match depth::embedded(&call.arguments) {
        Some(Value::Object(input)) => (Value::Object(input), true),
        _ if call.arguments.trim().is_empty() => (json!({}), true),
        Some(other) => (json!({ "arguments": other }), false),
        None => (json!({ "arguments": call.arguments }), false),
    };
    let mut block = object([
        ("type", "tool_use".into()),
        ("id", id.into()),
        ("name", call.name.as_str().into()),
        ("input", input),
    ]);
    if own {
        block.extend(call.extra.clone());
    }
    (block, good)
}
