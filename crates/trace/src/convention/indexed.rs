//! Attributes whose names hold numbers: messages and the like, spread over many.

use super::gather::{Gathered, Member, json_of};
use super::names::{FAMILIES, Family, Side};
use super::said::{self, Said};
use crate::attribute as name;
use crate::otlp::form::AnyValue;
use hanok_base::{Media, MediaSource, Message, Object, Part, Reasoning, Role, ToolCall, ToolResult};
use serde_json::{Map, Value, json};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// The members of one entry: the rest of each name, and its value.
type Entry<'a> = Vec<(&'a str, &'a AnyValue<'a>)>;
type Entries<'a> = BTreeMap<u32, Entry<'a>>;

impl Gathered<'_> {
    /// Puts together what the members of families say.
    pub(super) fn put_together(&mut self) {
        let members = std::mem::take(&mut self.members);
        for (at, (_, rank, family)) in FAMILIES.iter().enumerate() {
            let of_family = members.iter().filter(|member| member.family == at);
            let entries = by_number(of_family.map(|Member { key, value, .. }| (&**key, value)));
            if entries.is_empty() {
                continue;
            }
            match family {
                Family::Flat(side) => {
                    let messages = entries.values().filter_map(|entry| flat(entry, *side)).collect();
                    self.side(*side).offer(*rank, messages);
                }
                Family::Messages(side) => {
                    let messages = entries.values().filter_map(|entry| message(entry, *side)).collect();
                    self.side(*side).offer(*rank, messages);
                }
                Family::Texts(side, wanted) => {
                    let role = if *side == Side::Input { Role::User } else { Role::Assistant };
                    let texts = entries.values().filter_map(|entry| text(entry, wanted));
                    let messages: Vec<Said> = texts.map(|text| Said::text(role, text)).collect();
                    if !messages.is_empty() {
                        self.side(*side).offer(*rank, messages);
                    }
                }
                Family::Tools => {
                    let tools =
                        entries.values().filter_map(|entry| json_of(text(entry, "tool.json_schema")?));
                    self.tools.offer(*rank, tools.collect());
                }
                Family::Functions => self.tools.offer(*rank, entries.values().map(function).collect()),
                Family::Documents => {
                    let hits: Value = entries.values().map(hit).collect();
                    self.keep(Cow::Borrowed("hanok.hit_count"), entries.len().into(), *rank);
                    self.keep(Cow::Borrowed(name::HITS), hits, *rank);
                }
            }
        }
    }
}

/// The number that a name begins with, and what follows its dot.
fn numbered(key: &str) -> Option<(u32, &str)> {
    let (number, rest) = key.split_once('.').unwrap_or((key, ""));
    Some((number.parse().ok()?, rest))
}

fn by_number<'a>(members: impl Iterator<Item = (&'a str, &'a AnyValue<'a>)>) -> Entries<'a> {
    let mut entries = Entries::new();
    for (key, value) in members {
        if let Some((number, rest)) = numbered(key) {
            entries.entry(number).or_default().push((rest, value));
        }
    }
    entries
}

/// The entries below a name: of `tool_calls.0.name` those of `tool_calls.`.
fn below<'a>(entry: &Entry<'a>, prefix: &str) -> Entries<'a> {
    by_number(entry.iter().filter_map(|(key, value)| Some((key.strip_prefix(prefix)?, *value))))
}

fn text<'a>(entry: &Entry<'a>, wanted: &str) -> Option<&'a str> {
    entry.iter().find(|(key, _)| *key == wanted).and_then(|(_, value)| value.as_str())
}

/// `role`, `content`, `finish_reason`, `tool_calls.0.{id,name,arguments}`, `tool_call_id`
fn flat(entry: &Entry<'_>, side: Side) -> Option<Said> {
    let role = role(text(entry, "role"), side);
    let calls = below(entry, "tool_calls.");
    let calls = calls.values().map(|call| ToolCall {
        id: text(call, "id").unwrap_or_default().to_owned(),
        name: text(call, "name").unwrap_or_default().to_owned(),
        arguments: text(call, "arguments").unwrap_or_default().to_owned(),
        ..ToolCall::default()
    });
    let mut parts = Vec::new();
    if let Some(thoughts) = text(entry, "reasoning") {
        parts.push(Part::Reasoning(Reasoning { text: thoughts.to_owned(), ..Reasoning::default() }));
    }
    let content = text(entry, "content").filter(|content| !content.is_empty());
    match content.map(|content| (content, json_of(content).map(|json| said::content(role, &json)))) {
        Some((_, Some(Some(more)))) => parts.extend(more),
        Some((content, _)) => parts.push(Part::Text(content.to_owned())),
        None => {}
    }
    parts.extend(calls.map(Part::ToolCall));
    let parts = answered(role, text(entry, "tool_call_id"), parts);
    let finish = text(entry, "finish_reason").map(str::to_owned);
    (!parts.is_empty() || finish.is_some())
        .then(|| Said::typed(Message { role, parts, extra: Object::new() }, finish))
}

/// `message.role`, `message.content`, `message.contents.0.message_content.…`,
/// `message.tool_calls.0.tool_call.…`, `message.tool_call_id`
fn message(entry: &Entry<'_>, side: Side) -> Option<Said> {
    let role = role(text(entry, "message.role"), side);
    let mut parts: Vec<Part> = below(entry, "message.contents.").values().filter_map(content).collect();
    if let Some(content) = text(entry, "message.content").filter(|content| !content.is_empty()) {
        parts.insert(0, Part::Text(content.to_owned()));
    }
    for call in below(entry, "message.tool_calls.").values() {
        parts.push(Part::ToolCall(ToolCall {
            id: text(call, "tool_call.id").unwrap_or_default().to_owned(),
            name: text(call, "tool_call.function.name").unwrap_or_default().to_owned(),
            arguments: text(call, "tool_call.function.arguments").unwrap_or_default().to_owned(),
            ..ToolCall::default()
        }));
    }
    if let Some(name) = text(entry, "message.function_call_name") {
        parts.push(Part::ToolCall(ToolCall {
            name: name.to_owned(),
            arguments: text(entry, "message.function_call_arguments_json").unwrap_or_default().to_owned(),
            ..ToolCall::default()
        }));
    }
    let parts = answered(role, text(entry, "message.tool_call_id"), parts);
    let finish = text(entry, "message.finish_reason").map(str::to_owned);
    let mut extra = Object::new();
    if let Some(name) = text(entry, "message.name") {
        extra.insert("name".to_owned(), name.into());
    }
    (!parts.is_empty() || text(entry, "message.role").is_some())
        .then(|| Said::typed(Message { role, parts, extra }, finish))
}

fn content(entry: &Entry<'_>) -> Option<Part> {
    let text = |wanted: &str| text(entry, wanted);
    let words = text("message_content.text");
    match text("message_content.type").unwrap_or("text") {
        "reasoning" | "thinking" => Some(Part::Reasoning(Reasoning {
            text: words.unwrap_or_default().to_owned(),
            ..Reasoning::default()
        })),
        "image" => medium(text("message_content.image.image.url")?, None),
        "audio" => {
            medium(text("message_content.audio.audio.url")?, text("message_content.audio.audio.mime_type"))
        }
        _ => words.map(|words| Part::Text(words.to_owned())),
    }
}

/// An image or a sound by its URL, which may hold it.
pub(super) fn medium(url: &str, mime: Option<&str>) -> Option<Part> {
    let inline = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    let (mime, source) = match inline {
        Some((mime, data)) => (Some(mime), MediaSource::Base64(data.to_owned())),
        None => (mime, MediaSource::Url(url.to_owned())),
    };
    let mime = mime.map(str::to_owned);
    (!url.is_empty()).then(|| Part::Media(Media { mime, filename: None, source, extra: Object::new() }))
}

/// The parts of a tool's message are what it answered.
fn answered(role: Role, call_id: Option<&str>, parts: Vec<Part>) -> Vec<Part> {
    match (role, call_id) {
        (Role::Tool, call_id) if !parts.iter().any(|part| matches!(part, Part::ToolResult(_))) => {
            let call_id = call_id.unwrap_or_default().to_owned();
            vec![Part::ToolResult(ToolResult { call_id, parts, is_error: false })]
        }
        _ => parts,
    }
}

fn role(said: Option<&str>, side: Side) -> Role {
    said.and_then(said::role).unwrap_or(if side == Side::Input { Role::User } else { Role::Assistant })
}

fn function(entry: &Entry<'_>) -> Value {
    let mut tool = Map::new();
    tool.insert("type".to_owned(), "function".into());
    for member in ["name", "description"] {
        if let Some(text) = text(entry, member) {
            tool.insert(member.to_owned(), text.into());
        }
    }
    if let Some(parameters) = text(entry, "parameters").or_else(|| text(entry, "input_schema")) {
        let schema = json_of(parameters).unwrap_or_else(|| parameters.into());
        tool.insert("parameters".to_owned(), schema);
    }
    tool.into()
}

/// A document found, as our own retrievals record it, with its text beside: there is no source to read it from.
fn hit(entry: &Entry<'_>) -> Value {
    let score = entry.iter().find(|(key, _)| *key == "document.score").map(|(_, score)| match score {
        AnyValue::Double(score) => json!(score),
        AnyValue::Int(score) => json!(score),
        _ => Value::Null,
    });
    let mut hit = Map::new();
    for (theirs, ours) in [("document.id", "source"), ("document.content", "text")] {
        if let Some(text) = text(entry, theirs) {
            hit.insert(ours.to_owned(), text.into());
        }
    }
    hit.insert("score".to_owned(), score.unwrap_or(Value::Null));
    if let Some(metadata) = text(entry, "document.metadata") {
        hit.insert("metadata".to_owned(), json_of(metadata).unwrap_or_else(|| metadata.into()));
    }
    hit.into()
}
