//! What the model said, as items: of answers, and of the turns that a request repeats.
//!
//! A turn's parts are one sequence, while items group some of them: a message holds texts, refusals and the
//! annotations of its texts. What no part stands for is in the turn's unknown members: [`ITEMS`] tells where
//! a message begins and its own members (`id`, `phase`), [`LOGPROBS`] the probabilities of a text's tokens,
//! [`WITHIN`] which unknown parts are a message's, [`NOTES`] which are annotations of its texts.

use super::{citation, content, thought};
use crate::error::WireError;
use crate::take;
use hanok_base::{Dialect, Media, MediaSource, Object, Part, ToolCall};
use serde_json::{Value, json};

/// `[{"part": 0, "id": "msg_1"}]`: the messages of a turn, by the part each begins with.
pub(super) const ITEMS: &str = "items";
/// `{"0": […]}`: probabilities of tokens, by the text part they are of.
pub(super) const LOGPROBS: &str = "logprobs";
/// `[2, 3]`: the parts that stand in a message, though their types would make items of them.
const WITHIN: &str = "within";
/// `[4]`: the parts that annotate a text, though their types do not tell.
const NOTES: &str = "notes";

/// Reads the items of one turn of the model.
#[derive(Default)]
pub(super) struct Reader {
    pub(super) parts: Vec<Part>,
    messages: Vec<Value>,
    logprobs: Object,
    within: Vec<Value>,
    notes: Vec<Value>,
    /// Code points of text so far.
    chars: usize,
    in_message: bool,
    /// Whether the turn is one that a request repeats: the state of its items is the client's to say.
    repeated: bool,
}

impl Reader {
    pub(super) fn of_request() -> Self {
        Self { repeated: true, ..Self::default() }
    }

    /// Adds an item.
    pub(super) fn item(&mut self, mut object: Object) -> Result<(), WireError> {
        let kind = object.get("type").and_then(Value::as_str).unwrap_or("message").to_owned();
        if !self.repeated && matches!(kind.as_str(), "message" | "function_call" | "reasoning") {
            object.shift_remove("status");
        }
        match kind.as_str() {
            "message" => return self.message(object),
            "function_call" => self.parts.push(Part::ToolCall(call(object)?)),
            "reasoning" => {
                object.shift_remove("type");
                thought::decode(object, &mut self.parts)?;
            }
            // A content part that stands by itself is written in a message, and must be good there.
            kind if self.repeated && is_of_content(kind) => {
                self.in_message = true;
                return self.content(object);
            }
            _ => self.parts.push(other(object)),
        }
        self.in_message = false;
        Ok(())
    }

    fn message(&mut self, mut object: Object) -> Result<(), WireError> {
        let content = object.shift_remove("content");
        let mark = mark(self.parts.len(), object, self.in_message);
        self.messages.extend(mark);
        self.in_message = true;
        match content {
            None | Some(Value::Null) => {}
            Some(Value::String(text)) => self.text(text),
            Some(Value::Array(items)) => {
                for (i, value) in items.into_iter().enumerate() {
                    let place = format!("content[{i}]");
                    let part = take::item(value, &place)?;
                    self.content(part).map_err(|error| take::under(&place, error))?;
                }
            }
            Some(_) => return Err(WireError::member("content", content::CONTENT)),
        }
        Ok(())
    }

    fn text(&mut self, text: String) {
        self.chars += text.chars().count();
        self.parts.push(Part::Text(text));
    }

    fn content(&mut self, mut object: Object) -> Result<(), WireError> {
        match object.get("type").and_then(Value::as_str) {
            Some("output_text" | "input_text" | "text") => {
                let base = self.chars;
                if let Some(tokens) = logprobs(&mut object) {
                    self.logprobs.insert(self.parts.len().to_string(), tokens);
                }
                let annotations = take::array(&mut object, "annotations")?;
                self.text(take::string(&mut object, "text")?.unwrap_or_default());
                for value in annotations {
                    let note = citation::decode(value, base);
                    if matches!(&note, Part::Opaque { value, .. } if !citation::is_annotation(value)) {
                        self.notes.push(self.parts.len().into());
                    }
                    self.parts.push(note);
                }
            }
            Some("refusal") => {
                self.parts.push(Part::Refusal(take::string(&mut object, "refusal")?.unwrap_or_default()));
            }
            kind => {
                if !kind.is_some_and(is_of_content) {
                    self.within.push(self.parts.len().into());
                }
                self.parts.push(opaque(object));
            }
        }
        Ok(())
    }

    /// The parts, and the turn's unknown members.
    pub(super) fn finish(self) -> (Vec<Part>, Object) {
        let mut extra = Object::new();
        if !self.messages.is_empty() {
            extra.insert(ITEMS.into(), self.messages.into());
        }
        if !self.logprobs.is_empty() {
            extra.insert(LOGPROBS.into(), self.logprobs.into());
        }
        if !self.within.is_empty() {
            extra.insert(WITHIN.into(), self.within.into());
        }
        if !self.notes.is_empty() {
            extra.insert(NOTES.into(), self.notes.into());
        }
        (self.parts, extra)
    }
}

/// What is kept of a message item that begins with this part: nothing, where it has no member of its own and
/// does not follow another message.
pub(super) fn mark(part: usize, mut item: Object, adjoins: bool) -> Option<Value> {
    item.retain(|name, value| !matches!(name.as_str(), "type" | "role" | "content") && !value.is_null());
    if item.is_empty() && !adjoins {
        return None;
    }
    item.insert("part".into(), part.into());
    Some(item.into())
}

/// The probabilities of a text's tokens, where there are any.
pub(super) fn logprobs(object: &mut Object) -> Option<Value> {
    take::some(object, LOGPROBS).filter(|tokens| tokens.as_array().is_some_and(|tokens| !tokens.is_empty()))
}

pub(super) fn call(mut object: Object) -> Result<ToolCall, WireError> {
    object.shift_remove("type");
    let arguments = match take::some(&mut object, "arguments") {
        None => String::new(),
        Some(Value::String(text)) => text,
        // Some local servers send the object itself.
        Some(other) => other.to_string(),
    };
    let id = take::string(&mut object, "call_id")?;
    let name = take::string(&mut object, "name")?.unwrap_or_default();
    object.retain(|_, value| !value.is_null());
    // Some servers know one id only.
    let id = id.or_else(|| object.get("id").and_then(Value::as_str).map(str::to_owned)).unwrap_or_default();
    Ok(ToolCall { id, name, arguments, signature: None, extra: object })
}

/// Whether a part of this type can only stand in a message.
fn is_of_content(kind: &str) -> bool {
    kind.starts_with("output_") || kind.starts_with("input_")
}

fn opaque(object: Object) -> Part {
    Part::Opaque { dialect: Dialect::OpenAiResponses, value: object.into() }
}

/// An item of another type: an image where it is one that was generated, else kept as it came.
pub(super) fn other(mut object: Object) -> Part {
    let is_image = object.get("type").is_some_and(|kind| kind == "image_generation_call");
    if !is_image || !object.get("result").is_some_and(Value::is_string) {
        return opaque(object);
    }
    let Some(Value::String(data)) = object.shift_remove("result") else {
        return opaque(object);
    };
    let format = object.get("output_format").and_then(Value::as_str).unwrap_or("png");
    let mime = Some(format!("image/{format}"));
    object.retain(|_, value| !value.is_null());
    Part::Media(Media { mime, filename: None, source: MediaSource::Base64(data), extra: object })
}

/// For whom items are written.
#[derive(Clone, Copy)]
pub(super) enum To<'a> {
    /// For a client, who needs an id on each; `stem` makes them up. `incomplete` says that the last one was cut.
    Client { stem: &'a str, incomplete: bool },
    /// For an upstream, that refuses what it did not say itself.
    Upstream,
}

/// Items, and the positions of the parts that have no place among them.
#[derive(Default)]
pub(super) struct Written {
    pub(super) items: Vec<Value>,
    pub(super) left_out: Vec<usize>,
}

/// Writes a turn's parts as items. `own` where `extra` and the parts' unknown members are under this dialect's
/// names.
pub(super) fn write(parts: &[Part], extra: &Object, own: bool, to: To<'_>) -> Written {
    let nothing = Object::new();
    let extra = if own { extra } else { &nothing };
    let notes = Notes::of(parts, extra, own, matches!(to, To::Client { .. }));
    let mut writer =
        Writer { to, own, written: Written::default(), message: None, thought: None, foreign: false };
    let marks = extra.get(ITEMS).and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    for i in 0..=parts.len() {
        for mark in marks.iter().filter_map(Value::as_object) {
            if mark.get("part").and_then(Value::as_u64) == Some(i as u64) {
                writer.close();
                let mut rest = mark.clone();
                rest.shift_remove("part");
                writer.message = Some((rest, Vec::new()));
            }
        }
        let Some(part) = parts.get(i) else { break };
        if let (true, Part::Opaque { dialect: Dialect::OpenAiResponses, value }) =
            (is_marked(extra, WITHIN, i), part)
        {
            writer.content(value.clone());
            continue;
        }
        let tokens = extra.get(LOGPROBS).and_then(|of| of.get(i.to_string()));
        writer.part(i, part, &notes, tokens);
    }
    writer.close();
    if let To::Client { incomplete: true, .. } = to
        && let Some(object) = writer.written.items.last_mut().and_then(Value::as_object_mut)
        && object.contains_key("status")
    {
        object.insert("status".into(), "incomplete".into());
    }
    writer.written
}

struct Writer<'a> {
    to: To<'a>,
    own: bool,
    written: Written,
    /// The message that is being written: its own members and its content.
    message: Option<(Object, Vec<Value>)>,
    thought: Option<thought::Item>,
    /// Whether the thought bears a signature that the upstream cannot read.
    foreign: bool,
}

impl Writer<'_> {
    fn part(&mut self, i: usize, part: &Part, notes: &Notes, tokens: Option<&Value>) {
        match part {
            Part::Text(text) => {
                let annotations = notes.of_text(i);
                self.content(text_part(text, annotations, tokens, self.is_answer()));
            }
            Part::Refusal(text) => self.content(refusal_part(text)),
            Part::Citation(_) => self.annotation(i, notes),
            Part::Opaque { dialect: Dialect::OpenAiResponses, value } => {
                let kind = value.get("type").and_then(Value::as_str).unwrap_or_default();
                if notes.has(i) {
                    self.annotation(i, notes);
                } else if is_of_content(kind) {
                    self.content(value.clone());
                } else {
                    self.close();
                    self.written.items.push(value.clone());
                }
            }
            Part::Reasoning(reasoning) => self.reasoning(reasoning),
            Part::ToolCall(call) => {
                self.close();
                let item = match self.to {
                    To::Client { .. } => {
                        let (id, call_id) = (self.made_up("fc"), self.made_up("call"));
                        let call_id = if call.id.is_empty() { &call_id } else { &call.id };
                        call_item(call, call_id, &id, "completed", self.own)
                    }
                    To::Upstream => call_item(call, &call.id, "", "", self.own),
                };
                self.written.items.push(item);
                if let (true, Some(encrypted)) =
                    (self.is_answer(), thought::shown_of_call(&call.id, call.signature.as_ref()))
                {
                    let item = signature_item(self.made_up("rs"), encrypted);
                    self.written.items.push(item);
                }
            }
            Part::Media(media) => match image_item(media, &self.made_up("ig"), self.own) {
                Some(item) if self.is_answer() || self.own => {
                    self.close();
                    self.written.items.push(item);
                }
                _ => self.written.left_out.push(i),
            },
            Part::Opaque { .. } | Part::ToolResult(_) => self.written.left_out.push(i),
            Part::CacheBreak(_) => {}
        }
    }

    fn is_answer(&self) -> bool {
        matches!(self.to, To::Client { .. })
    }

    fn made_up(&self, prefix: &str) -> String {
        match self.to {
            To::Client { stem, .. } => item_id(prefix, stem, self.written.items.len()),
            To::Upstream => String::new(),
        }
    }

    fn content(&mut self, part: Value) {
        self.close_thought();
        self.message.get_or_insert_default().1.push(part);
    }

    /// An annotation stands in its text; where there is no text at all, in an empty one.
    fn annotation(&mut self, i: usize, notes: &Notes) {
        let stray = notes.strays(i);
        if !stray.is_empty() {
            self.content(text_part("", stray, None, self.is_answer()));
        }
    }

    fn reasoning(&mut self, reasoning: &hanok_base::Reasoning) {
        let (kind, joins, rest) = thought::of_part(reasoning, self.own);
        self.close_message();
        // Through a client of another dialect, the texts of an item come back as several thoughts, of which
        // the last is signed.
        let joins = joins || (!self.own && !self.is_answer());
        let open = self.thought.as_ref().is_some_and(|item| item.encrypted.is_none() && !self.foreign);
        if !(joins && open) {
            self.close_thought();
        }
        let item = self.thought.get_or_insert_default();
        item.rest.extend(rest);
        if !reasoning.text.is_empty() || (self.own && reasoning.extra.contains_key("type")) {
            item.push(kind, reasoning.text.clone());
        }
        match (&reasoning.signature, self.to) {
            (None, _) => {}
            (Some(_), To::Client { .. }) => item.encrypted = thought::shown(reasoning),
            (Some(signature), To::Upstream) if signature.of == Dialect::OpenAiResponses => {
                let (id, encrypted) = thought::unpack(signature);
                id.unwrap_or_default().clone_into(&mut item.id);
                item.encrypted = Some(encrypted.to_owned());
            }
            (Some(_), To::Upstream) => self.foreign = true,
        }
    }

    fn close_thought(&mut self) {
        let foreign = std::mem::take(&mut self.foreign);
        let Some(mut item) = self.thought.take() else { return };
        let known = self.own && !foreign;
        if self.is_answer() {
            item.id = self.made_up("rs");
        } else if !known && item.encrypted.is_none() {
            // Only its own thoughts mean something to a provider.
            return;
        }
        self.written.items.push(item.encode());
    }

    fn close_message(&mut self) {
        if let Some((rest, content)) = self.message.take() {
            let id = self.made_up("msg");
            let status = if self.is_answer() { "completed" } else { "" };
            self.written.items.push(message_item(&id, status, content, rest));
        }
    }

    fn close(&mut self) {
        self.close_thought();
        self.close_message();
    }
}

/// The id of an item that has none: its answer's, and its position in it.
pub(super) fn item_id(prefix: &str, stem: &str, position: usize) -> String {
    format!("{prefix}_{stem}_{position}")
}

/// Empty texts mean that the member is not said. What `rest` says counts.
pub(super) fn message_item(id: &str, status: &str, content: Vec<Value>, rest: Object) -> Value {
    let mut object = Object::from_iter([("type".to_owned(), Value::from("message"))]);
    if !id.is_empty() {
        object.insert("id".into(), id.into());
    }
    if !status.is_empty() {
        object.insert("status".into(), status.into());
    }
    object.insert("role".into(), "assistant".into());
    object.insert("content".into(), content.into());
    object.extend(rest);
    object.into()
}

/// Empty texts mean that the member is not said. What the call's own unknown members say counts.
pub(super) fn call_item(call: &ToolCall, call_id: &str, id: &str, status: &str, own: bool) -> Value {
    let mut object = Object::from_iter([("type".to_owned(), Value::from("function_call"))]);
    if !id.is_empty() {
        object.insert("id".into(), id.into());
    }
    if !status.is_empty() {
        object.insert("status".into(), status.into());
    }
    object.insert("call_id".into(), call_id.into());
    object.insert("name".into(), call.name.as_str().into());
    object.insert("arguments".into(), call.arguments.as_str().into());
    if own {
        object.extend(call.extra.clone());
    }
    object.into()
}

/// A text part; an answer's says that it has no annotations, too.
pub(super) fn text_part(text: &str, notes: Vec<Value>, tokens: Option<&Value>, answer: bool) -> Value {
    let mut object = Object::from_iter([("type".to_owned(), Value::from("output_text"))]);
    object.insert("text".into(), text.into());
    if answer || !notes.is_empty() {
        object.insert("annotations".into(), notes.into());
    }
    if let Some(tokens) = tokens.cloned().or_else(|| answer.then(|| json!([]))) {
        object.insert("logprobs".into(), tokens);
    }
    object.into()
}

pub(super) fn refusal_part(text: &str) -> Value {
    json!({ "type": "refusal", "refusal": text })
}

/// A reasoning item that only bears the signature of a tool call.
pub(super) fn signature_item(id: String, encrypted: String) -> Value {
    thought::Item { id, encrypted: Some(encrypted), ..thought::Item::default() }.encode()
}

/// A generated image as an item; `None` for a medium that is none.
pub(super) fn image_item(media: &Media, id: &str, own: bool) -> Option<Value> {
    let MediaSource::Base64(data) = &media.source else {
        return None;
    };
    let format = media.mime.as_deref()?.strip_prefix("image/")?;
    let mut object = Object::from_iter([("type".to_owned(), Value::from("image_generation_call"))]);
    if own {
        object.extend(media.extra.clone());
    }
    object.entry("id").or_insert_with(|| id.into());
    object.entry("status").or_insert_with(|| "completed".into());
    if format != "png" {
        object.entry("output_format").or_insert_with(|| format.into());
    }
    object.insert("result".into(), data.as_str().into());
    Some(object.into())
}

/// Whether part `i` is among the marked ones of this name.
fn is_marked(extra: &Object, name: &str, i: usize) -> bool {
    let marked = extra.get(name).and_then(Value::as_array);
    marked.is_some_and(|marked| marked.iter().any(|at| at.as_u64() == Some(i as u64)))
}

/// Which annotation belongs to which text.
struct Notes {
    /// The annotated text part, or none where there is no text; the annotation's own part; the annotation.
    of: Vec<(Option<usize>, usize, Value)>,
}

impl Notes {
    /// `extra` holds the turn's marks.
    fn of(parts: &[Part], extra: &Object, own: bool, quotes: bool) -> Self {
        // Where each text begins, and how long it is.
        let mut texts: Vec<(usize, usize, usize)> = Vec::new();
        let mut chars = 0;
        for (i, part) in parts.iter().enumerate() {
            if let Part::Text(text) = part {
                let length = text.chars().count();
                texts.push((i, chars, length));
                chars += length;
            }
        }
        let mut of = Vec::new();
        for (i, part) in parts.iter().enumerate() {
            let before = || texts.iter().rev().find(|(at, ..)| *at < i).or_else(|| texts.first());
            match part {
                Part::Citation(citation) => {
                    let start = citation.start_index;
                    let holds = |(_, base, length): &&(usize, usize, usize)| {
                        (*base..=base.saturating_add(*length)).contains(&start)
                    };
                    let text = before()
                        .filter(holds)
                        .or_else(|| {
                            texts.iter().find(|(_, base, length)| (*base..base + length).contains(&start))
                        })
                        .or_else(before);
                    let base = text.map_or(0, |(_, base, _)| *base);
                    let value = citation::encode(citation, base, own, quotes);
                    of.push((text.map(|(at, ..)| *at), i, value));
                }
                Part::Opaque { dialect: Dialect::OpenAiResponses, value }
                    if is_marked(extra, NOTES, i)
                        || citation::is_annotation(value) && !is_marked(extra, WITHIN, i) =>
                {
                    of.push((before().map(|(at, ..)| *at), i, value.clone()));
                }
                _ => {}
            }
        }
        Self { of }
    }

    fn of_text(&self, text: usize) -> Vec<Value> {
        let of = self.of.iter().filter(|(of, ..)| *of == Some(text));
        of.map(|(.., value)| value.clone()).collect()
    }

    /// Whether part `i` is an annotation.
    fn has(&self, i: usize) -> bool {
        self.of.iter().any(|(_, at, _)| *at == i)
    }

    /// The annotation that part `i` is, where there is no text for it.
    fn strays(&self, i: usize) -> Vec<Value> {
        let of = self.of.iter().filter(|(of, at, _)| of.is_none() && *at == i);
        of.map(|(.., value)| value.clone()).collect()
    }
}
