//! Streamed answers as upstreams send them.

use super::items::{self, ITEMS, LOGPROBS};
use super::thought::{self, Encrypted};
use super::{citation, fault, response, usage};
use crate::codec::StreamDecoder;
use crate::error::{WireError, text};
use crate::sse;
use crate::take;
use hanok_base::{Delta, Dialect, Object, Part, Reasoning, Signature, StreamEvent};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// From an upstream's bytes to events.
#[derive(Default)]
pub(super) struct Decoder {
    parser: sse::Parser,
    state: State,
}

#[derive(Default)]
struct State {
    started: bool,
    done: bool,
    /// Parts so far.
    parts: usize,
    /// Code points of text so far.
    chars: usize,
    calls: bool,
    in_message: bool,
    /// The parts of calls, by the call's id.
    called: BTreeMap<String, usize>,
    /// Items that are open, by their output index.
    open: BTreeMap<u64, Open>,
    /// One past the highest output index that was told.
    seen: u64,
}

/// An item that grows.
enum Open {
    Message(BTreeMap<u64, Text>),
    Call { part: usize, length: usize },
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

impl StreamDecoder for Decoder {
    fn feed(&mut self, bytes: &[u8], events: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let state = &mut self.state;
        self.parser.feed(bytes, |event| state.take(&event, events))
    }

    fn finish(&mut self) -> Result<(), WireError> {
        let state = &mut self.state;
        let complete = state.done;
        let mut late = Vec::new();
        match self.parser.finish(|event| state.take(&event, &mut late)) {
            Err(WireError::Upstream(fault)) => Err(WireError::Upstream(fault)),
            // What was never closed by a blank line may itself be cut: it completes nothing.
            _ if complete => Ok(()),
            _ => Err(WireError::Truncated),
        }
    }
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

type Events = Vec<StreamEvent>;

impl State {
    fn take(&mut self, event: &sse::Event<'_>, events: &mut Events) -> Result<(), WireError> {
        let data = text(event.data)?.trim();
        if self.done || data.is_empty() {
            return Ok(());
        }
        if data == "[DONE]" {
            return Err(WireError::Truncated);
        }
        let mut object = take::object(data.as_bytes())?;
        let kind = match take::string(&mut object, "type")? {
            Some(kind) => kind,
            None => String::from_utf8_lossy(event.name).into_owned(),
        };
        match kind.as_str() {
            "error" => Err(WireError::Upstream(fault::in_answer(&object.into()))),
            "" if object.contains_key("error") => {
                Err(WireError::Upstream(fault::in_answer(&object.into())))
            }
            "response.created" | "response.queued" | "response.in_progress" => {
                let answer = take::map(&mut object, "response")?.unwrap_or_default();
                response::fail(&answer)?;
                self.start(answer, events)
            }
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled" => {
                let answer = take::map(&mut object, "response")?
                    .ok_or_else(|| WireError::member("response", "is required"))?;
                self.end(&kind, answer, events)
            }
            _ => {
                let index = take::count(&mut object, "output_index")?;
                self.start(Object::new(), events)?;
                self.grow(&kind, index, object, events)
            }
        }
    }

    fn start(&mut self, answer: Object, events: &mut Events) -> Result<(), WireError> {
        if std::mem::replace(&mut self.started, true) {
            return Ok(());
        }
        let response::Head { id, model, created, extra } = response::head(answer)?;
        let dialect = Some(Dialect::OpenAiResponses);
        events.push(StreamEvent::Start { id: id.into(), model: model.into(), created, dialect, extra });
        Ok(())
    }

    fn next_part(&mut self) -> usize {
        let part = self.parts;
        self.parts += 1;
        part
    }

    /// An event about an item.
    fn grow(&mut self, kind: &str, index: Option<u64>, mut object: Object, events: &mut Events) -> Result<(), WireError> {
        // Servers that count nothing have one item open at a time.
        let index = index.or_else(|| self.open.last_key_value().map(|(index, _)| *index)).unwrap_or(self.seen);
        match kind {
            "response.output_item.added" => {
                let item = required(&mut object, "item")?;
                self.begin(index, item, events)
            }
            "response.output_item.done" => {
                let item = required(&mut object, "item")?;
                self.finish_item(index, item, events)
            }
            "response.content_part.added" | "response.content_part.done" => {
                let at = take::count(&mut object, "content_index")?.unwrap_or(0);
                let part = required(&mut object, "part")?;
                self.content_part(index, at, part, kind.ends_with("done"), events)
            }
            "response.output_text.delta" | "response.refusal.delta" => {
                let at = take::count(&mut object, "content_index")?.unwrap_or(0);
                let tokens = items::logprobs(&mut object);
                let delta = take::string(&mut object, "delta")?.unwrap_or_default();
                let refusal = kind == "response.refusal.delta";
                self.text(index, at, refusal, delta, tokens, events);
                Ok(())
            }
            "response.output_text.done" | "response.refusal.done" => {
                let at = take::count(&mut object, "content_index")?.unwrap_or(0);
                let refusal = kind == "response.refusal.done";
                let whole = take::string(&mut object, if refusal { "refusal" } else { "text" })?;
                self.whole_text(index, at, refusal, whole.as_deref().unwrap_or_default(), events);
                Ok(())
            }
            "response.output_text.annotation.added" => {
                let at = take::count(&mut object, "content_index")?.unwrap_or(0);
                if let Some(value) = take::some(&mut object, "annotation") {
                    self.annotation(index, at, value, events);
                }
                Ok(())
            }
            "response.function_call_arguments.delta" => {
                let delta = take::string(&mut object, "delta")?.unwrap_or_default();
                if let Some(Open::Call { part, length }) = self.open.get_mut(&index)
                    && !delta.is_empty()
                {
                    *length += delta.len();
                    events.push(grow(*part, Delta::Arguments(delta)));
                }
                Ok(())
            }
            "response.function_call_arguments.done" => {
                let whole = take::string(&mut object, "arguments")?.unwrap_or_default();
                self.whole_arguments(index, &whole, events);
                Ok(())
            }
            "response.reasoning_summary_part.added" => {
                let at = take::count(&mut object, "summary_index")?.unwrap_or(0);
                self.thought(index, thought::SUMMARY, at, events);
                Ok(())
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                let (kind, at) = thought_at(kind, &mut object)?;
                let delta = take::string(&mut object, "delta")?.unwrap_or_default();
                self.think(index, kind, at, delta, events);
                Ok(())
            }
            "response.reasoning_summary_text.done" | "response.reasoning_text.done" => {
                let (kind, at) = thought_at(kind, &mut object)?;
                let whole = take::string(&mut object, "text")?.unwrap_or_default();
                self.whole_thought(index, kind, at, &whole, events);
                Ok(())
            }
            // The progress of tools at the provider; what came of it is in their items.
            _ => Ok(()),
        }
    }

    fn begin(&mut self, index: u64, mut item: Object, events: &mut Events) -> Result<(), WireError> {
        self.seen = self.seen.max(index.saturating_add(1));
        let kind = item.get("type").and_then(Value::as_str).unwrap_or("message").to_owned();
        if kind != "message" {
            self.in_message = false;
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
                self.called.insert(call.id.clone(), part);
                events.push(start_part(part, Part::ToolCall(call)));
                let length = arguments.len();
                if length > 0 {
                    events.push(grow(part, Delta::Arguments(arguments)));
                }
                Open::Call { part, length }
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

    fn content_part(
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

    fn text(
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
    fn whole_text(&mut self, index: u64, at: u64, refusal: bool, whole: &str, events: &mut Events) {
        self.content(index, at, refusal, events);
        let length = self.content_at(index, at).map_or(0, |text| text.length);
        if let Some(more) = beyond(whole, length) {
            self.text(index, at, refusal, more.to_owned(), None, events);
        }
    }

    fn annotation(&mut self, index: u64, at: u64, value: Value, events: &mut Events) {
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

    fn whole_arguments(&mut self, index: u64, whole: &str, events: &mut Events) {
        if let Some(Open::Call { part, length }) = self.open.get_mut(&index)
            && let Some(more) = beyond(whole, *length)
        {
            *length += more.len();
            events.push(grow(*part, Delta::Arguments(more.to_owned())));
        }
    }

    /// The thought there as the one that is open, begun where it is not.
    fn thought(&mut self, index: u64, kind: &'static str, at: u64, events: &mut Events) {
        let open = self.open.entry(index).or_insert_with(|| Open::Reasoning(Thought::default()));
        let Open::Reasoning(thought) = open else { return };
        if thought.last.is_some_and(|(_, of, number, _)| (of, number) == (kind, at)) {
            return;
        }
        if let Some((part, ..)) = thought.last {
            events.push(end_part(part));
        }
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

    fn think(&mut self, index: u64, kind: &'static str, at: u64, delta: String, events: &mut Events) {
        self.thought(index, kind, at, events);
        if let Some(Open::Reasoning(Thought { last: Some((part, .., length)), .. })) = self.open.get_mut(&index)
            && !delta.is_empty()
        {
            *length += delta.len();
            events.push(grow(*part, Delta::Reasoning(delta)));
        }
    }

    fn whole_thought(&mut self, index: u64, kind: &'static str, at: u64, whole: &str, events: &mut Events) {
        self.thought(index, kind, at, events);
        if let Some(Open::Reasoning(Thought { last: Some((.., length)), .. })) = self.open.get(&index)
            && let Some(more) = beyond(whole, *length)
        {
            self.think(index, kind, at, more.to_owned(), events);
        }
    }

    /// An item's end tells it whole: what was not told before is told now.
    fn finish_item(&mut self, index: u64, mut item: Object, events: &mut Events) -> Result<(), WireError> {
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
                    self.finish_content(index, at, part, events).map_err(|error| take::under(&place, error))?;
                }
                let Some(Open::Message(content)) = self.open.remove(&index) else { return Ok(()) };
                events.extend(content.into_values().filter(|text| text.open).map(|text| end_part(text.part)));
            }
            Some(Open::Call { .. }) => {
                let whole = items::call(item)?.arguments;
                self.whole_arguments(index, &whole, events);
                if let Some(Open::Call { part, .. }) = self.open.remove(&index) {
                    events.push(end_part(part));
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

    fn finish_content(&mut self, index: u64, at: u64, part: Object, events: &mut Events) -> Result<(), WireError> {
        match part.get("type").and_then(Value::as_str) {
            Some("output_text" | "refusal" | "text") => self.content_part(index, at, part, true, events),
            _ => {
                let number = self.next_part();
                let dialect = Dialect::OpenAiResponses;
                let value = Part::Opaque { dialect, value: part.into() };
                events.extend([start_part(number, value), end_part(number)]);
                Ok(())
            }
        }
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
        match thought.last {
            Some((part, ..)) => {
                events.extend(signature.map(|signature| grow(part, Delta::Signature(signature))));
                events.push(end_part(part));
            }
            None => {
                let part = self.next_part();
                let redacted = redacted || signature.as_ref().is_some_and(is_own);
                let extra = thought.rest.unwrap_or_default();
                let text = String::new();
                let value = Part::Reasoning(Reasoning { text, signature, redacted, extra });
                events.extend([start_part(part, value), end_part(part)]);
            }
        }
        Ok(())
    }

    fn end(&mut self, kind: &str, mut answer: Object, events: &mut Events) -> Result<(), WireError> {
        response::fail(&answer)?;
        match kind {
            "response.failed" => return Err(WireError::Upstream(fault::in_answer(&Value::Null))),
            "response.cancelled" => return Err(WireError::Upstream(response::cancelled())),
            _ => {}
        }
        self.start(answer.clone(), events)?;
        // Some servers tell items only here.
        for (index, value) in (0..).zip(take::array(&mut answer, "output")?) {
            if index >= self.seen || self.open.contains_key(&index) {
                let item = take::item(value, &format!("response.output[{index}]"))?;
                self.finish_item(index, item, events)?;
            }
        }
        let reason = response::finish(&answer, self.calls)?;
        let late = response::late(&mut answer);
        if !late.is_empty() {
            events.push(StreamEvent::ChoiceExtra { choice: 0, extra: late });
        }
        events.push(StreamEvent::Finish { choice: 0, reason });
        events.extend(take::some(&mut answer, "usage").map(|told| StreamEvent::Usage(usage::of(&told))));
        self.done = true;
        Ok(())
    }
}

fn is_own(signature: &Signature) -> bool {
    signature.of == Dialect::OpenAiResponses
}

fn thought_at(event: &str, object: &mut Object) -> Result<(&'static str, u64), WireError> {
    let summary = event.starts_with("response.reasoning_summary");
    let (kind, member) =
        if summary { (thought::SUMMARY, "summary_index") } else { (thought::CONTENT, "content_index") };
    Ok((kind, take::count(object, member)?.unwrap_or(0)))
}

fn required(object: &mut Object, name: &str) -> Result<Object, WireError> {
    take::map(object, name)?.ok_or_else(|| WireError::member(name, "is required"))
}
