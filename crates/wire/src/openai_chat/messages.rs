//! The messages of a request for an upstream. A message of another dialect may become several here.

use super::parts::{Form, Reader, encode_parts};
use super::{media, reasoning};
use hanok_base::{Dialect, Media, Message, Object, Part, Role, ToolResult};
use serde_json::{Value, json};

/// `thoughts` is the member for what nobody signed of other dialects' thoughts; `None` leaves it out.
pub(super) fn encode_messages(messages: &[Message], own: bool, thoughts: Option<&str>) -> Vec<Value> {
    let mut out = Vec::with_capacity(messages.len());
    // Media that tools returned, until the last tool's answer is written.
    let mut moved = Vec::new();
    for message in messages {
        encode_message(message, own, thoughts, &mut out, &mut moved);
    }
    write_moved(&mut moved, &mut out);
    out
}

/// Writes a message. The dialect wants each tool's answer in a message of its own.
fn encode_message<'a>(
    message: &'a Message,
    own: bool,
    thoughts: Option<&str>,
    out: &mut Vec<Value>,
    moved: &mut Vec<(&'a str, &'a Media)>,
) {
    let mut extra = if own { message.extra.clone() } else { Object::new() };
    let unknown = match extra.shift_remove("content") {
        Some(Value::Array(unknown)) => unknown,
        _ => Vec::new(),
    };
    let form = Form { reader: Reader::Upstream, own, unknown: &unknown };
    // Answers first: the dialect wants them right behind the message that called.
    for part in &message.parts {
        if let Part::ToolResult(result) = part {
            encode_result(result, form, &mut extra, out, moved);
        }
    }
    let is_said = |part: &&Part| match part {
        Part::ToolResult(_) => false,
        Part::Reasoning(thought) if !own && thoughts.is_none() && !reasoning::is_signed(thought) => false,
        part => own || is_said(part, message.role),
    };
    let mut rest = message.parts.iter().filter(is_said).peekable();
    if rest.peek().is_none() && !message.parts.is_empty() {
        return;
    }
    write_moved(moved, out);
    // What other dialects have beside a tool's answer is the user's here.
    let role = if !own && message.role == Role::Tool { Role::User } else { message.role };
    let mut object = Object::from_iter([("role".to_owned(), role.as_str().into())]);
    encode_parts(rest, form, &mut object);
    if let Some(member) = thoughts.filter(|member| !own && *member != reasoning::PLAIN[0])
        && let Some(told) = object.shift_remove(reasoning::PLAIN[0])
    {
        object.insert(member.to_owned(), told);
    }
    if reasoning::are_told(&extra) {
        object.shift_remove("reasoning_content");
    }
    object.extend(extra);
    out.push(object.into());
}

/// Whether a part of another dialect's message has a place in one of ours.
pub(super) fn is_said(part: &Part, role: Role) -> bool {
    match part {
        Part::Text(_) | Part::ToolCall(_) | Part::Refusal(_) => true,
        Part::Media(_) => role != Role::Assistant,
        Part::Reasoning(thought) => reasoning::is_for(thought, Reader::Upstream),
        Part::Opaque { dialect, .. } => *dialect == Dialect::OpenAiChat,
        Part::ToolResult(_) | Part::Citation(_) | Part::CacheBreak(_) => false,
    }
}

/// Writes a tool's answer, with the message's unknown members if it is the first one. The dialect takes texts
/// only there; media of other dialects' answers are `moved`.
fn encode_result<'a>(
    result: &'a ToolResult,
    form: Form<'_>,
    extra: &mut Object,
    out: &mut Vec<Value>,
    moved: &mut Vec<(&'a str, &'a Media)>,
) {
    let mut object = Object::from_iter([
        ("role".to_owned(), Role::Tool.as_str().into()),
        ("tool_call_id".to_owned(), result.call_id.as_str().into()),
    ]);
    if form.own {
        encode_parts(&result.parts, form, &mut object);
    } else {
        let before = moved.len();
        moved.extend(result.parts.iter().filter_map(|part| match part {
            Part::Media(media) => Some((result.call_id.as_str(), media)),
            _ => None,
        }));
        let texts = result.parts.iter().filter(|part| matches!(part, Part::Text(_)));
        encode_parts(texts, form, &mut object);
        if moved.len() > before && object.get("content").and_then(Value::as_str) == Some("") {
            object.insert("content".into(), "(in the message behind)".into());
        }
    }
    object.extend(std::mem::take(extra));
    out.push(object.into());
}

/// Writes what tools returned and their answers had no place for.
fn write_moved(moved: &mut Vec<(&str, &Media)>, out: &mut Vec<Value>) {
    let mut content = Vec::new();
    let mut last = None;
    for (call_id, media) in moved.drain(..) {
        if last.replace(call_id) != Some(call_id) {
            content.push(json!({ "type": "text", "text": format!("Returned by the tool call {call_id}:") }));
        }
        content.push(media::encode(media, false));
    }
    if !content.is_empty() {
        out.push(json!({ "role": Role::User.as_str(), "content": content }));
    }
}
