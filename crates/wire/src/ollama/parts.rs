//! What a message holds, both directions: of requests and of answers.

use super::stamp::is_made;
use super::{Form, is_own};
use crate::depth::{self, DEEPEST};
use crate::error::WireError;
use crate::{quote, signature, take};
use hanok_base::{Citation, Dialect, Media, MediaSource, Object, Part, Reasoning, Signature, ToolCall};
use serde_json::{Value, json};

/// The only argument of a call whose arguments are no JSON object, which is all that the dialect can hold: the
/// text as the model wrote it. Found again on the way back.
const INVALID: &str = "_invalid_json";

/// Hanok's own member for the signatures of thoughts, which the dialect has no place for: an array of
/// `{"length", "signature", "redacted"}`, the length in code points of `thinking`.
const SIGNATURES: &str = "thinking_signatures";

/// Hanok's own member for the sources of an answer.
const CITATIONS: &str = "citations";

/// The parts of a message of either direction, in the order: thinking, content, images, tool calls, citations.
/// `id` makes an id for a call that has none, of its position, name and arguments.
pub(super) fn message_parts(
    form: Form,
    object: &mut Object,
    mut id: impl FnMut(usize, &str, &str) -> String,
) -> Result<Vec<Part>, WireError> {
    let mut parts = Vec::new();
    let thinking = take::string(object, "thinking")?.unwrap_or_default();
    let signatures = take::array(object, SIGNATURES)?;
    parts.extend(thoughts(&thinking, signatures).into_iter().map(Part::Reasoning));
    if let Some(text) = take::string(object, form.content())?.filter(|text| !text.is_empty()) {
        parts.push(Part::Text(text));
    }
    parts.extend(images(object)?);
    for (i, value) in take::array(object, "tool_calls")?.into_iter().enumerate() {
        let place = format!("tool_calls[{i}]");
        let call = take::item(value, &place)?;
        let part = tool_call(call).map_err(|error| take::under(&place, error))?;
        parts.push(match part {
            Part::ToolCall(call) if call.id.is_empty() => {
                Part::ToolCall(ToolCall { id: id(i, &call.name, &call.arguments), ..call })
            }
            other => other,
        });
    }
    parts.extend(citations(object)?);
    Ok(parts)
}

/// The sources of an answer.
pub(super) fn citations(object: &mut Object) -> Result<Vec<Part>, WireError> {
    Ok(take::array(object, CITATIONS)?.into_iter().filter_map(citation).collect())
}

/// The thoughts of a text, cut where the signatures say.
pub(super) fn thoughts(text: &str, signatures: Vec<Value>) -> Vec<Reasoning> {
    let mut found = Vec::new();
    let mut rest = text;
    for entry in signatures {
        let length = entry.get("length").and_then(Value::as_u64).and_then(|n| usize::try_from(n).ok());
        let end = rest.char_indices().nth(length.unwrap_or(0)).map_or(rest.len(), |(at, _)| at);
        let (of, behind) = rest.split_at_checked(end).unwrap_or((rest, ""));
        rest = behind;
        let given = entry.get("signature").and_then(Value::as_str);
        let reasoning = Reasoning {
            text: of.to_owned(),
            signature: given.map(|text| signature::read(text.to_owned(), Dialect::Ollama)),
            redacted: entry.get("redacted").and_then(Value::as_bool).unwrap_or(false),
            extra: Object::new(),
        };
        if reasoning != Reasoning::default() {
            found.push(reasoning);
        }
    }
    if !rest.is_empty() {
        found.push(Reasoning { text: rest.to_owned(), ..Reasoning::default() });
    }
    found
}

/// A message's media.
pub(super) fn images(object: &mut Object) -> Result<Vec<Part>, WireError> {
    let images = take::array(object, "images")?.into_iter().enumerate().map(|(i, value)| match value {
        Value::String(data) => Ok(Part::Media(media(data))),
        _ => Err(WireError::member(format!("images[{i}]"), "must be a string: base64")),
    });
    images.collect()
}

/// The dialect gives the bytes alone; some clients send a data URL all the same.
fn media(data: String) -> Media {
    let inline = data.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    let (mime, data) = match inline {
        Some((mime, data)) => (Some(mime.to_owned()), data.to_owned()),
        None => (sniff(&data).map(str::to_owned), data),
    };
    Media { mime, filename: None, source: MediaSource::Base64(data), extra: Object::new() }
}

/// The MIME type that the first bytes of base64 tell.
fn sniff(base64: &str) -> Option<&'static str> {
    // Twelve bytes are sixteen characters; of a RIFF file, bytes 8 to 11 tell the kind, and the last three of
    // them stand alone in the last four characters.
    let riff = base64.starts_with("UklGR").then(|| base64.get(12..16)).flatten();
    match (base64.as_bytes(), riff) {
        (_, Some("RUJQ")) => Some("image/webp"),
        (_, Some("QVZF")) => Some("audio/wav"),
        ([b'/', b'9', b'j', b'/', ..], _) => Some("image/jpeg"),
        ([b'i', b'V', b'B', b'O', b'R', b'w', ..], _) => Some("image/png"),
        ([b'R', b'0', b'l', b'G', b'O', ..], _) => Some("image/gif"),
        ([b'Q', b'k', b'0' | b'1' | b'2' | b'3', ..], _) => Some("image/bmp"),
        _ => None,
    }
}

/// A tool call; one of a shape we do not know is kept as it came.
pub(super) fn tool_call(mut object: Object) -> Result<Part, WireError> {
    if !object.get("function").is_some_and(Value::is_object) {
        depth::check(&object, DEEPEST)?;
        return Ok(Part::Opaque { dialect: Dialect::Ollama, value: object.into() });
    }
    let id = take::string(&mut object, "id")?.unwrap_or_default();
    let given = take::string(&mut object, "signature")?;
    let mut function = take::map(&mut object, "function")?.unwrap_or_default();
    let name = take::string(&mut function, "name")?
        .ok_or_else(|| WireError::member("function.name", "is required"))?;
    let arguments = match take::some(&mut function, "arguments") {
        None => "{}".to_owned(),
        Some(Value::String(text)) => text,
        Some(Value::Object(arguments)) => match (arguments.len(), arguments.get(INVALID)) {
            (1, Some(Value::String(text))) => text.clone(),
            _ => Value::Object(arguments).to_string(),
        },
        Some(other) => other.to_string(),
    };
    // The position among the calls says the same.
    function.shift_remove("index");
    if object.get("type").and_then(Value::as_str) == Some("function") {
        object.shift_remove("type");
    }
    if !function.is_empty() {
        object.insert("function".into(), function.into());
    }
    // The two forms of the dialect give each other what else a call holds, and put it at other depths.
    depth::check(&object, DEEPEST)?;
    let signature = given.map(|text| signature::read(text, Dialect::Ollama));
    Ok(Part::ToolCall(ToolCall { id, name, arguments, signature, extra: object }))
}

fn citation(value: Value) -> Option<Part> {
    let Value::Object(mut object) = value else { return None };
    let index = |object: &mut Object, name: &str| {
        take::count(object, name).ok().flatten().and_then(|n| usize::try_from(n).ok()).unwrap_or(0)
    };
    let text = |object: &mut Object, name: &str| take::string(object, name).ok().flatten();
    let quote = quote::take(&mut object);
    Some(Part::Citation(Citation {
        start_index: index(&mut object, "start_index"),
        end_index: index(&mut object, "end_index"),
        url: text(&mut object, "url").unwrap_or_default(),
        title: text(&mut object, "title").unwrap_or_default(),
        quote,
        extra: object,
    }))
}

pub(super) fn encode_citation(citation: &Citation) -> Value {
    let mut object = Object::new();
    object.insert("start_index".into(), citation.start_index.into());
    object.insert("end_index".into(), citation.end_index.into());
    object.insert("url".into(), citation.url.as_str().into());
    object.insert("title".into(), citation.title.as_str().into());
    if let Some(quote) = &citation.quote {
        quote::put(quote, &mut object);
    }
    object.into()
}

/// To whom a message is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum To {
    /// Signatures are shown, to come back on the next turn.
    Client,
    /// Signatures and ids only where they are its own.
    Upstream,
}

/// What the parts of a message are in this dialect.
#[derive(Default)]
pub(super) struct Said {
    pub(super) text: String,
    pub(super) thinking: String,
    signatures: Vec<Value>,
    pub(super) images: Vec<Value>,
    pub(super) calls: Vec<Value>,
    citations: Vec<Value>,
    /// What the dialect has no way to say: where in the message, and what became of it.
    pub(super) lost: Vec<(String, String)>,
}

impl Said {
    /// `own`: whether unknown members are of this dialect. Texts are joined by `between`.
    pub(super) fn of<'a>(
        parts: impl IntoIterator<Item = &'a Part>,
        to: To,
        own: bool,
        between: &str,
    ) -> Self {
        let mut said = Self::default();
        for (i, part) in parts.into_iter().enumerate() {
            match part {
                Part::Text(text) | Part::Refusal(text) => {
                    if !said.text.is_empty() && !text.is_empty() {
                        said.text.push_str(between);
                    }
                    said.text.push_str(text);
                }
                Part::Media(media) => said.media(media, i, own),
                Part::Reasoning(reasoning) => {
                    said.thinking.push_str(&reasoning.text);
                    let signature = reasoning.signature.as_ref().and_then(|signature| shown(signature, to));
                    let length = reasoning.text.chars().count();
                    said.signatures.push(signature_entry(length, signature, reasoning.redacted));
                }
                Part::ToolCall(call) if call.name.is_empty() => {
                    said.lost
                        .push((format!("tool_calls[{i}]"), "left out: not the call of a function".into()));
                }
                Part::ToolCall(call) => said.calls.push(encode_tool_call(call, said.calls.len(), to, own)),
                Part::Citation(citation) => {
                    if to == To::Client {
                        said.citations.push(encode_citation(citation));
                    }
                }
                Part::Opaque { dialect, value } if is_own(Some(*dialect)) => said.calls.push(value.clone()),
                Part::Opaque { dialect, .. } => {
                    let message = format!("left out: only {} knows this part", dialect.as_str());
                    said.lost.push((format!("content[{i}]"), message));
                }
                // The first has a message of its own; the second is a hint.
                Part::ToolResult(_) | Part::CacheBreak(_) => {}
            }
        }
        if said.signatures.iter().all(|entry| entry.get("signature").is_none()) {
            said.signatures.clear();
        }
        said
    }

    fn media(&mut self, media: &Media, at: usize, own: bool) {
        match (media_data(media), &media.source) {
            (Some(data), _) => self.images.push(data.into()),
            (None, MediaSource::Base64(_)) => {
                let what = media.mime.as_deref().unwrap_or_default();
                self.lost.push((format!("content[{at}]"), format!("left out: ollama takes no {what}")));
            }
            (None, MediaSource::Url(_) | MediaSource::FileId(_)) => {
                let message = "left out: ollama takes images inline only, as base64";
                self.lost.push((format!("content[{at}]"), message.to_owned()));
            }
        }
        if !own {
            let unknown =
                media.extra.keys().map(|name| (format!("content[{at}].{name}"), LEFT_OUT.to_owned()));
            self.lost.extend(unknown);
        }
    }

    /// Writes the members of a message.
    pub(super) fn write(self, form: Form, object: &mut Object) {
        object.insert(form.content().to_owned(), self.text.into());
        let mut set = |name: &str, empty: bool, value: Value| {
            if !empty {
                object.insert(name.to_owned(), value);
            }
        };
        set("thinking", self.thinking.is_empty(), self.thinking.into());
        set(SIGNATURES, self.signatures.is_empty(), self.signatures.into());
        set("images", self.images.is_empty(), self.images.into());
        set("tool_calls", self.calls.is_empty(), self.calls.into());
        set(CITATIONS, self.citations.is_empty(), self.citations.into());
    }
}

/// A medium's bytes, where they are here and of a kind that models behind this dialect take: `images` also holds
/// what is to be heard.
pub(super) fn media_data(media: &Media) -> Option<&str> {
    let taken = |mime: &str| mime.starts_with("image/") || mime.starts_with("audio/");
    match &media.source {
        MediaSource::Base64(data) if media.mime.as_deref().is_none_or(taken) => Some(data),
        _ => None,
    }
}

/// What is said of a member that the dialect does not have.
pub(super) const LEFT_OUT: &str = "left out: ollama has no such member";

fn signature_entry(length: usize, signature: Option<String>, redacted: bool) -> Value {
    let mut entry = Object::from_iter([("length".to_owned(), length.into())]);
    if let Some(signature) = signature {
        entry.insert("signature".into(), signature.into());
    }
    if redacted {
        entry.insert("redacted".into(), true.into());
    }
    entry.into()
}

fn shown(signature: &Signature, to: To) -> Option<String> {
    match to {
        To::Client => Some(signature::shown(signature, Dialect::Ollama)),
        To::Upstream => is_own(Some(signature.of)).then(|| signature.value.clone()),
    }
}

/// The signatures member of one thought.
pub(super) fn signed(length: usize, signature: Option<&Signature>, redacted: bool) -> Value {
    let signature = signature.and_then(|signature| shown(signature, To::Client));
    json!({ SIGNATURES: [signature_entry(length, signature, redacted)] })
}

/// A tool call at this position among those of its message.
pub(super) fn encode_tool_call(call: &ToolCall, position: usize, to: To, own: bool) -> Value {
    let mut function = Object::new();
    if to == To::Client {
        function.insert("index".into(), position.into());
    }
    function.insert("name".into(), call.name.as_str().into());
    function.insert("arguments".into(), encode_arguments(&call.arguments).into());
    let mut object = Object::new();
    if !call.id.is_empty() && (to == To::Client || !is_made(&call.id)) {
        object.insert("id".into(), call.id.as_str().into());
    }
    if own {
        for (name, value) in &call.extra {
            match (name.as_str(), value) {
                ("function", Value::Object(more)) => function.extend(more.clone()),
                _ => drop(object.insert(name.clone(), value.clone())),
            }
        }
    }
    object.insert("function".into(), function.into());
    if let Some(signature) = call.signature.as_ref().and_then(|signature| shown(signature, to)) {
        object.insert("signature".into(), signature.into());
    }
    object.into()
}

/// Arguments as the object they must be here.
fn encode_arguments(text: &str) -> Object {
    if text.trim().is_empty() {
        return Object::new();
    }
    match depth::embedded(text) {
        Some(Value::Object(arguments)) => arguments,
        _ => Object::from_iter([(INVALID.to_owned(), text.into())]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_of_images() {
        let check = |data: &str, expect: Option<&str>| {
            let media = media(data.to_owned());
            assert_eq!(media.mime.as_deref(), expect, "{data}");
        };
        check("iVBORw0KGgoAAAANSUhEUg==", Some("image/png"));
        check("/9j/4AAQSkZJRg==", Some("image/jpeg"));
        check("R0lGODlhAQABAA==", Some("image/gif"));
        check("UklGRiQAAABXRUJQVlA4", Some("image/webp"));
        check("UklGRiQAAABXQVZFZm10", Some("audio/wav"));
        check("data:image/png;base64,AAAA", Some("image/png"));
        check("AAAA", None);
        check("UklGRé", None);
        check("", None);
    }

    #[test]
    fn arguments_are_an_object() {
        let check = |text: &str, expect: Value| {
            let call = ToolCall { name: "f".into(), arguments: text.into(), ..ToolCall::default() };
            let value = encode_tool_call(&call, 0, To::Client, true);
            assert_eq!(value["function"]["arguments"], expect, "{text}");
            let Value::Object(object) = value else { panic!("no object") };
            let Ok(Part::ToolCall(again)) = tool_call(object) else { panic!("no call") };
            let same = if text.trim().is_empty() { "{}" } else { text };
            assert_eq!(again.arguments, same);
        };
        check(r#"{"b":1,"a":[2.5,"é"]}"#, json!({ "b": 1, "a": [2.5, "é"] }));
        check("", json!({}));
        check("{\"a\":", json!({ INVALID: "{\"a\":" }));
        check("[1]", json!({ INVALID: "[1]" }));
    }
}
