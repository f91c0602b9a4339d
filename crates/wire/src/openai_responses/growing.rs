//! The items of a streamed answer while they grow: what events say of them, as parts.

use super::citation;
use super::items::{self, ITEMS, LOGPROBS};
use super::thought::{self, Encrypted};
use crate::error::WireError;
use crate::take;
use hanok_base::{Delta, Dialect, Object, Part, Reasoning, Signature, StreamEvent};
use serde_json::{Value, json};
use std::collections::BTreeMap;

pub(super) type Events = Vec<StreamEvent>;

/// The parts so far, and the items that are open.
#[derive(Default)]
pub(super) struct Growing {
    /// Parts so far.
    parts: usize,
    /// Code points of text so far.
    chars: usize,
    /// Whether a tool was called.
    pub(super) calls: bool,
    in_message: bool,
    /// The parts of calls whose items are whole, by the call's id: a signature may yet come for them.
    called: BTreeMap<String, usize>,
    /// Items that are open, by their output index.
    open: BTreeMap<u64, Open>,
    /// One past the highest output index that was told.
    seen: u64,
}

/// An item that grows.
enum Open {
    Message(BTreeMap<u64, Text>),
    Call {
        id: String,
        part: usize,
        length: usize,
    },
    Reasoning(Thought),
    /// Whole at its end.
    Other,
}

/// A content part of a message.
struct Text {
    part: usize,
    /// The code point of the answer at which it begins.
    base: usize,
    /// Bytes so far.
    length: usize,
    annotations: usize,
    open: bool,
}

#[derive(Default)]
struct Thought {
    /// The item's own members, until its first part takes them.
    rest: Option<Object>,
    id: Option<String>,
    /// The part that is open, what it is of, and its bytes so far.
    last: Option<(usize, &'static str, u64, usize)>,
    /// How many texts of each kind there were.
    summary: usize,
    content: usize,
}

fn start_part(part: usize, value: Part) -> StreamEvent {
    StreamEvent::PartStart { choice: 0, part, value }
}

fn grow(part: usize, delta: Delta) -> StreamEvent {
    StreamEvent::PartDelta { choice: 0, part, delta }
}

fn end_part(part: usize) -> StreamEvent {
    StreamEvent::PartEnd { choice: 0, part }
}

/// What a whole text says beyond its first `length` bytes.
fn beyond(whole: &str, length: usize) -> Option<&str> {
    whole.get(length..).filter(|more| !more.is_empty())
}

impl Growing {
    /// The item that an event is of which does not say so: servers that count nothing have one open at a time.
    pub(super) fn current(&self) -> u64 {
        self.open.last_key_value().map_or(self.seen, |(index, _)| *index)
    }

    /// Whether the item there was told from its beginning to its end.
    pub(super) fn is_told(&self, index: u64) -> bool {
        index < self.seen && !self.open.contains_key(&index)
    }

    fn next_part(&mut self) -> usize {
        let part = self.parts;
        self.parts += 1;
        part
    }

    /// Nothing more comes.
    pub(super) fn end(&mut self, events: &mut Events) {
        self.end_calls(events);
        for open in std::mem::take(&mut self.open).into_values() {
            match open {
                Open::Message(content) => {
                    let open = content.into_values().filter(|text| text.open);
                    events.extend(open.map(|text| end_part(text.part)));
                }
                Open::Call { part, .. } => events.push(end_part(part)),
                Open::Reasoning(thought) => events.extend(thought.last.map(|(part, ..)| end_part(part))),
                Open::Other => {}
            }
        }
    }

    pub(super) fn begin(
        &mut self,
        index: u64,
        mut item: Object,
        events: &mut Events,
    ) -> Result<(), WireError> {
        self.seen = self.seen.max(index.saturating_add(1));
        let kind = item.get("type").and_then(Value::as_str).unwrap_or("message").to_owned();
        if kind != "message" {
            self.in_message = false;
        }
        if kind != "reasoning" {
            self.end_calls(events);
        }
        item.shift_remove("status");
        let open = match kind.as_str() {
            "message" => {
                if let Some(mark) = items::mark(self.parts, item, self.in_message) {
                    let extra = Object::from_iter([(ITEMS.to_owned(), json!([mark]))]);
                    events.push(StreamEvent::ChoiceExtra { choice: 0, extra });
                }
                self.in_message = true;
                Open::Message(BTreeMap::new())
            }
            "function_call" => {
                let mut call = items::call(item)?;
                let arguments = std::mem::take(&mut call.arguments);
                let part = self.next_part();
                self.calls = true;
                let id = call.id.clone();
                events.push(start_part(part, Part::ToolCall(call)));
                let length = arguments.len();
                if length > 0 {
                    events.push(grow(part, Delta::Arguments(arguments)));
                }
                Open::Call { id, part, length }
            }
            "reasoning" => {
                for name in ["type", "summary", "content", "encrypted_content"] {
                    item.shift_remove(name);
                }
                item.retain(|_, value| !value.is_null());
                let id = item.get("id").and_then(Value::as_str).map(str::to_owned);
                Open::Reasoning(Thought { rest: Some(item), id, ..Thought::default() })
            }
            _ => Open::Other,
        };
        self.open.insert(index, open);
        Ok(())
    }

    /// The calls that are whole get nothing more.
    fn end_calls(&mut self, events: &mut Events) {
        events.extend(std::mem::take(&mut self.called).into_values().map(end_part));
    }

    pub(super) fn content_part(
        &mut self,
        index: u64,
        at: u64,
        mut part: Object,
        done: bool,
        events: &mut Events,
    ) -> Result<(), WireError> {
        match part.get("type").and_then(Value::as_str) {
            Some(thought::CONTENT) => {
                let text = take::string(&mut part, "text")?.unwrap_or_default();
                self.thought(index, thought::CONTENT, at, events);
                self.whole_thought(index, thought::CONTENT, at, &text, events);
            }
            Some(kind @ ("output_text" | "refusal" | "text")) => {
                let refusal = kind == "refusal";
                let whole = take::string(&mut part, if refusal { "refusal" } else { "text" })?;
                self.content(index, at, refusal, events);
                self.whole_text(index, at, refusal, whole.as_deref().unwrap_or_default(), events);
                let known = self.content_at(index, at).map_or(0, |text| text.annotations);
                for value in take::array(&mut part, "annotations")?.into_iter().skip(known) {
                    self.annotation(index, at, value, events);
                }
                if done {
                    self.close_content(index, at, events);
                }
            }
            // Whole at the item's end.
            _ => {}
        }
        Ok(())
    }

    fn content_at(&mut self, index: u64, at: u64) -> Option<&mut Text> {
        match self.open.get_mut(&index) {
            Some(Open::Message(content)) => content.get_mut(&at),
            _ => None,
        }
    }

    /// The content part there, begun where it is not.
    fn content(&mut self, index: u64, at: u64, refusal: bool, events: &mut Events) {
        if self.content_at(index, at).is_some() {
            return;
        }
        let (part, base) = (self.next_part(), self.chars);
        let value = if refusal { Part::Refusal(String::new()) } else { Part::Text(String::new()) };
        let text = Text { part, base, length: 0, annotations: 0, open: true };
        match self.open.entry(index).or_insert_with(|| Open::Message(BTreeMap::new())) {
            Open::Message(content) => drop(content.insert(at, text)),
            other => *other = Open::Message(BTreeMap::from([(at, text)])),
        }
        self.in_message = true;
        self.seen = self.seen.max(index.saturating_add(1));
        events.push(start_part(part, value));
    }

    pub(super) fn text(
        &mut self,
        index: u64,
        at: u64,
        refusal: bool,
        delta: String,
        tokens: Option<Value>,
        events: &mut Events,
    ) {
        self.content(index, at, refusal, events);
        let chars = if refusal { 0 } else { delta.chars().count() };
        let Some(text) = self.content_at(index, at).filter(|text| text.open) else { return };
        if let Some(tokens) = tokens {
            let of = Object::from_iter([(text.part.to_string(), tokens)]);
            let extra = Object::from_iter([(LOGPROBS.to_owned(), of.into())]);
            events.push(StreamEvent::ChoiceExtra { choice: 0, extra });
        }
        if !delta.is_empty() {
            text.length += delta.len();
            events.push(grow(text.part, Delta::Text(delta)));
            self.chars += chars;
        }
    }

    /// What of a whole text was not told in pieces.
    pub(super) fn whole_text(
        &mut self,
        index: u64,
        at: u64,
        refusal: bool,
        whole: &str,
        events: &mut Events,
    ) {
        self.content(index, at, refusal, events);
        let length = self.content_at(index, at).map_or(0, |text| text.length);
        if let Some(more) = beyond(whole, length) {
            self.text(index, at, refusal, more.to_owned(), None, events);
        }
    }

    pub(super) fn annotation(&mut self, index: u64, at: u64, value: Value, events: &mut Events) {
        self.content(index, at, false, events);
        let part = self.next_part();
        if let Some(text) = self.content_at(index, at) {
            text.annotations += 1;
            let value = citation::decode(value, text.base);
            events.extend([start_part(part, value), end_part(part)]);
        }
    }

    fn close_content(&mut self, index: u64, at: u64, events: &mut Events) {
        if let Some(text) = self.content_at(index, at)
            && std::mem::replace(&mut text.open, false)
        {
            events.push(end_part(text.part));
        }
    }

    pub(super) fn arguments(&mut self, index: u64, delta: String, events: &mut Events) {
        if let Some(Open::Call { part, length, .. }) = self.open.get_mut(&index)
            && !delta.is_empty()
        {
            *length += delta.len();
            events.push(grow(*part, Delta::Arguments(delta)));
        }
    }

    pub(super) fn whole_arguments(&mut self, index: u64, whole: &str, events: &mut Events) {
        if let Some(Open::Call { part, length, .. }) = self.open.get_mut(&index)
            && let Some(more) = beyond(whole, *length)
        {
            *length += more.len();
            events.push(grow(*part, Delta::Arguments(more.to_owned())));
        }
    }

    /// The thought there as the one that is open, begun where it is not.
    pub(super) fn thought(&mut self, index: u64, kind: &'static str, at: u64, events: &mut Events) {
        let open = self.open.entry(index).or_insert_with(|| Open::Reasoning(Thought::default()));
        let Open::Reasoning(thought) = open else { return };
        if thought.last.is_some_and(|(_, of, number, _)| (of, number) == (kind, at)) {
            return;
        }
        if let Some((part, ..)) = thought.last {
            events.push(end_part(part));
        }
        events.extend(std::mem::take(&mut self.called).into_values().map(end_part));
        let first = thought.last.is_none();
        let extra = thought::part_extra(first.then(|| thought.rest.take().unwrap_or_default()), kind);
        let part = self.parts;
        thought.last = Some((part, kind, at, 0));
        *(if kind == thought::SUMMARY { &mut thought.summary } else { &mut thought.content }) += 1;
        self.parts += 1;
        self.in_message = false;
        self.seen = self.seen.max(index.saturating_add(1));
        events.push(start_part(part, Part::Reasoning(Reasoning { extra, ..Reasoning::default() })));
    }

    pub(super) fn think(
        &mut self,
        index: u64,
        kind: &'static str,
        at: u64,
        delta: String,
        events: &mut Events,
    ) {
        self.thought(index, kind, at, events);
        if let Some(Open::Reasoning(Thought { last: Some((part, .., length)), .. })) =
            self.open.get_mut(&index)
            && !delta.is_empty()
        {
            *length += delta.len();
            events.push(grow(*part, Delta::Reasoning(delta)));
        }
    }

    pub(super) fn whole_thought(
        &mut self,
        index: u64,
        kind: &'static str,
        at: u64,
        whole: &str,
        events: &mut Events,
    ) {
        self.thought(index, kind, at, events);
        if let Some(Open::Reasoning(Thought { last: Some((.., length)), .. })) = self.open.get(&index)
            && let Some(more) = beyond(whole, *length)
        {
            self.think(index, kind, at, more.to_owned(), events);
        }
    }

    /// An item's end tells it whole: what was not told before is told now.
    pub(super) fn finish_item(
        &mut self,
        index: u64,
        mut item: Object,
        events: &mut Events,
    ) -> Result<(), WireError> {
        if !self.open.contains_key(&index) {
            let mut begun = item.clone();
            begun.shift_remove("arguments");
            self.begin(index, begun, events)?;
        }
        match self.open.get(&index) {
            Some(Open::Message(_)) => {
                for (at, value) in (0..).zip(take::array(&mut item, "content")?) {
                    let place = format!("item.content[{at}]");
                    let part = take::item(value, &place)?;
                    self.finish_content(index, at, part, events)
                        .map_err(|error| take::under(&place, error))?;
                }
                let Some(Open::Message(content)) = self.open.remove(&index) else { return Ok(()) };
                events.extend(content.into_values().filter(|text| text.open).map(|text| end_part(text.part)));
            }
            Some(Open::Call { .. }) => {
                let whole = items::call(item)?.arguments;
                self.whole_arguments(index, &whole, events);
                if let Some(Open::Call { id, part, .. }) = self.open.remove(&index)
                    && let Some(same) = self.called.insert(id, part)
                {
                    events.push(end_part(same));
                }
            }
            Some(Open::Reasoning(_)) => self.finish_thought(index, item, events)?,
            Some(Open::Other) | None => {
                self.open.remove(&index);
                let part = self.next_part();
                events.extend([start_part(part, items::other(item)), end_part(part)]);
            }
        }
        Ok(())
    }

    fn finish_content(
        &mut self,
        index: u64,
        at: u64,
        part: Object,
        events: &mut Events,
    ) -> Result<(), WireError> {
        if let Some("output_text" | "refusal" | "text") = part.get("type").and_then(Value::as_str) {
            return self.content_part(index, at, part, true, events);
        }
        let number = self.next_part();
        let value = Part::Opaque { dialect: Dialect::OpenAiResponses, value: part.into() };
        events.extend([start_part(number, value), end_part(number)]);
        Ok(())
    }

    fn finish_thought(&mut self, index: u64, mut item: Object, events: &mut Events) -> Result<(), WireError> {
        let encrypted = take::string(&mut item, "encrypted_content")?;
        let Some(Open::Reasoning(thought)) = self.open.get(&index) else { return Ok(()) };
        let id = thought.id.clone();
        let (told_summary, told_content) = (thought.summary, thought.content);
        let encrypted = encrypted.map(|encrypted| thought::read(id.as_deref(), encrypted));
        let (signature, redacted) = match encrypted {
            None => (None, false),
            Some(Encrypted::Thought(signature, redacted)) => (Some(signature), redacted),
            Some(Encrypted::Call(call_id, signature)) => {
                self.open.remove(&index);
                if let Some(part) = self.called.get(&call_id) {
                    events.push(grow(*part, Delta::Signature(signature)));
                }
                return Ok(());
            }
        };
        let summary = thought::texts(&mut item, "summary")?;
        let content = thought::texts(&mut item, "content")?;
        for (kind, told, texts) in
            [(thought::SUMMARY, told_summary, summary), (thought::CONTENT, told_content, content)]
        {
            for (at, text) in (0..).zip(texts).skip(told) {
                self.whole_thought(index, kind, at, &text, events);
            }
        }
        let Some(Open::Reasoning(thought)) = self.open.remove(&index) else { return Ok(()) };
        if let Some((part, ..)) = thought.last {
            events.extend(signature.map(|signature| grow(part, Delta::Signature(signature))));
            events.push(end_part(part));
        } else {
            self.end_calls(events);
            let part = self.next_part();
            let redacted = redacted || signature.as_ref().is_some_and(is_own);
            let extra = thought.rest.unwrap_or_default();
            let text = String::new();
            let value = Part::Reasoning(Reasoning { text, signature, redacted, extra });
            events.extend([start_part(part, value), end_part(part)]);
        }
        Ok(())
    }
}

fn is_own(signature: &Signature) -> bool {
    signature.of == Dialect::OpenAiResponses
}
