//! Streamed answers as upstreams send them.

use super::blocks::{self, From};
use super::usage::Counts;
use super::{OWN, citation, fault, response};
use crate::codec::StreamDecoder;
use crate::depth;
use crate::error::{WireError, text};
use crate::members::{Members, Text, read_into, skip};
use crate::sse;
use crate::take;
use crate::template::Template;
use hanok_base::{Delta, Object, Part, Reasoning, Signature, StreamEvent, ToolCall};
use serde::de::MapAccess;
use serde_json::Value;
use serde_json::value::RawValue;

/// From an upstream's bytes to events.
#[derive(Default)]
pub(super) struct Decoder {
    parser: sse::Parser,
    state: State,
}

#[derive(Default)]
struct State {
    started: bool,
    finished: bool,
    over: bool,
    /// An event that told nothing but the growth of one part, and which part.
    template: Template,
    growing: Option<(usize, Grows)>,
    blocks: Vec<Block>,
    /// How many parts began.
    parts: usize,
    /// Code points of all texts.
    characters: usize,
    counts: Counts,
    /// Members that no part stands for, until the answer's end tells the rest of them.
    extra: Object,
}

#[derive(Clone, Copy)]
enum Grows {
    Text,
    Reasoning,
    Arguments,
}

/// A block that began and did not end.
struct Block {
    index: u64,
    content: Content,
}

enum Content {
    Text {
        part: usize,
        start: usize,
        cited: Vec<Value>,
    },
    Reasoning {
        part: usize,
    },
    Call {
        part: usize,
        /// What stands for the arguments where none follow.
        input: Value,
        any: bool,
    },
    /// Whole as it began, or known as a whole only when it ends.
    Whole {
        object: Object,
        input: String,
    },
}

impl StreamDecoder for Decoder {
    fn feed(&mut self, bytes: &[u8], events: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let state = &mut self.state;
        self.parser.feed(bytes, |event| state.take(&event, events))
    }

    fn finish(&mut self) -> Result<(), WireError> {
        let state = &mut self.state;
        let complete = state.finished;
        let mut late = Vec::new();
        match self.parser.finish(|event| state.take(&event, &mut late)) {
            Err(WireError::Upstream(fault)) => Err(WireError::Upstream(fault)),
            // What was never closed by a blank line may itself be cut: it completes nothing, and takes nothing
            // from an answer that is complete without it.
            _ if complete => Ok(()),
            _ => Err(WireError::Truncated),
        }
    }
}

/// What is looked at of an event.
#[derive(Default)]
struct Event<'a> {
    kind: Option<Text<'a>>,
    index: Option<u64>,
    message: Option<&'a RawValue>,
    block: Option<&'a RawValue>,
    delta: Option<&'a RawValue>,
    usage: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
    rest: Vec<(String, &'a RawValue)>,
}

impl<'de> Members<'de> for Event<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "type" => self.kind = map.next_value()?,
            "index" => self.index = map.next_value()?,
            "message" => self.message = map.next_value()?,
            "content_block" => self.block = map.next_value()?,
            "delta" => self.delta = map.next_value()?,
            "usage" => self.usage = map.next_value()?,
            "error" => self.error = map.next_value()?,
            _ => self.rest.push((name.to_owned(), map.next_value()?)),
        }
        Ok(())
    }
}

/// What is looked at of a block's growth.
#[derive(Default)]
struct Growth<'a> {
    kind: Option<Text<'a>>,
    text: Option<&'a RawValue>,
    thinking: Option<&'a RawValue>,
    json: Option<&'a RawValue>,
    signature: Option<&'a RawValue>,
    citation: Option<&'a RawValue>,
}

impl<'de> Members<'de> for Growth<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "type" => self.kind = map.next_value()?,
            "text" => self.text = map.next_value()?,
            "thinking" => self.thinking = map.next_value()?,
            "partial_json" => self.json = map.next_value()?,
            "signature" => self.signature = map.next_value()?,
            "citation" => self.citation = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl State {
    fn take(&mut self, event: &sse::Event<'_>, events: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let data = text(event.data)?.trim();
        if self.over || data.is_empty() {
            return Ok(());
        }
        if event.name == b"error" {
            return Err(WireError::Upstream(fault::in_event(data)));
        }
        if let (Some(growing), Some(text)) = (self.growing, self.template.string(data.as_bytes())) {
            self.grow(growing, text.to_owned(), events);
            return Ok(());
        }
        let event = read_into(Event::default(), data).map_err(|error| WireError::of_shape(&error, data))?;
        let kind = event.kind.as_ref().map(|Text(kind)| kind.as_ref()).unwrap_or_default();
        match kind {
            "message_start" => self.start(&event, events),
            "content_block_start" => self.begin(&event, events),
            "content_block_delta" => self.delta(data, &event, events),
            "content_block_stop" => self.end(event.index.unwrap_or(0), events),
            "message_delta" => self.close(event, events),
            "message_stop" => {
                self.over = true;
                // Only a reason says that the answer is whole.
                if self.finished { Ok(()) } else { Err(WireError::Truncated) }
            }
            "error" => Err(WireError::Upstream(fault::in_event(event.error.map_or(data, RawValue::get)))),
            _ if event.error.is_some_and(|error| error.get() != "null") => {
                Err(WireError::Upstream(fault::in_event(event.error.map_or(data, RawValue::get))))
            }
            // Pings, and what the dialect may add.
            _ => Ok(()),
        }
    }

    fn start(&mut self, event: &Event<'_>, events: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        if std::mem::replace(&mut self.started, true) {
            return Ok(());
        }
        let mut message = object(event.message, "message")?;
        let id = take::string(&mut message, "id")?.unwrap_or_default().into();
        let model = take::string(&mut message, "model")?.unwrap_or_default().into();
        for name in ["type", "role", "content", "stop_reason", "stop_sequence"] {
            message.shift_remove(name);
        }
        let (counts, rest) = Counts::of(take::some(&mut message, "usage"));
        self.counts = counts;
        message.retain(|_, value| !value.is_null());
        self.extra = message;
        self.keep("usage", rest.into());
        events.push(StreamEvent::Start { id, model, created: 0, dialect: Some(OWN), extra: Object::new() });
        let usage = counts.usage();
        if !usage.is_empty() {
            events.push(StreamEvent::Usage(usage));
        }
        Ok(())
    }

    /// Keeps a member; of an object, its members.
    fn keep(&mut self, name: &str, value: Value) {
        match (self.extra.get_mut(name), value) {
            (_, Value::Null) => {}
            (Some(Value::Object(old)), Value::Object(new)) => old.extend(new),
            (None, Value::Object(new)) if new.is_empty() => {}
            (_, value) => drop(self.extra.insert(name.to_owned(), value)),
        }
    }

    /// Some vendors begin with the content.
    fn ensure_started(&mut self, events: &mut Vec<StreamEvent>) {
        if !std::mem::replace(&mut self.started, true) {
            let (id, model) = ("".into(), "".into());
            let dialect = Some(OWN);
            events.push(StreamEvent::Start { id, model, created: 0, dialect, extra: Object::new() });
        }
    }

    fn part(&mut self, value: Part, events: &mut Vec<StreamEvent>) -> usize {
        let part = self.parts;
        self.parts += 1;
        events.push(StreamEvent::PartStart { choice: 0, part, value });
        part
    }

    fn whole_part(&mut self, value: Part, events: &mut Vec<StreamEvent>) {
        let part = self.part(value, events);
        events.push(StreamEvent::PartEnd { choice: 0, part });
    }

    fn begin(&mut self, event: &Event<'_>, events: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        if self.finished {
            return Err(WireError::member("content_block", "begins behind the end of the message"));
        }
        self.ensure_started(events);
        self.growing = None;
        let index = event.index.unwrap_or(0);
        // One that never ended ends where another takes its place.
        self.end(index, events)?;
        if event.block.is_none() {
            return Err(WireError::member("content_block", "is required"));
        }
        let mut object = object(event.block, "content_block")?;
        let kind = object.get("type").and_then(Value::as_str).unwrap_or_default().to_owned();
        let string = |object: &mut Object, name: &str| -> Result<String, WireError> {
            Ok(take::string(object, name)?.unwrap_or_default())
        };
        let content = match kind.as_str() {
            "text" => {
                let text = string(&mut object, "text")?;
                let cited = take::array(&mut object, "citations")?;
                let part = self.part(Part::Text(String::new()), events);
                let start = self.characters;
                self.grow((part, Grows::Text), text, events);
                Content::Text { part, start, cited }
            }
            "thinking" => {
                let text = string(&mut object, "thinking")?;
                let signature = string(&mut object, "signature")?;
                object.shift_remove("type");
                object.retain(|_, value| !value.is_null());
                let reasoning = Reasoning { extra: object, ..Reasoning::default() };
                let part = self.part(Part::Reasoning(reasoning), events);
                self.grow((part, Grows::Reasoning), text, events);
                sign(part, signature, events);
                Content::Reasoning { part }
            }
            "tool_use" => {
                let id = string(&mut object, "id")?;
                let name = string(&mut object, "name")?;
                let input = take::some(&mut object, "input").unwrap_or_else(|| Object::new().into());
                object.shift_remove("type");
                object.retain(|_, value| !value.is_null());
                let call = ToolCall { id, name, extra: object, ..ToolCall::default() };
                let part = self.part(Part::ToolCall(call), events);
                Content::Call { part, input, any: false }
            }
            _ => Content::Whole { object, input: String::new() },
        };
        self.blocks.push(Block { index, content });
        Ok(())
    }

    fn grow(&mut self, (part, grows): (usize, Grows), text: String, events: &mut Vec<StreamEvent>) {
        if text.is_empty() {
            return;
        }
        let delta = match grows {
            Grows::Text => {
                self.characters += text.chars().count();
                Delta::Text(text)
            }
            Grows::Reasoning => Delta::Reasoning(text),
            Grows::Arguments => Delta::Arguments(text),
        };
        events.push(StreamEvent::PartDelta { choice: 0, part, delta });
    }

    fn delta(
        &mut self,
        data: &str,
        event: &Event<'_>,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), WireError> {
        let raw = event.delta.ok_or_else(|| WireError::member("delta", "is required"))?;
        let growth = read_into(Growth::default(), raw.get())
            .map_err(|error| WireError::of_shape(&error, raw.get()))?;
        let kind = growth.kind.as_ref().map(|Text(kind)| kind.as_ref()).unwrap_or_default();
        let index = event.index.unwrap_or(0);
        let Some(block) = self.blocks.iter_mut().find(|block| block.index == index) else {
            return Err(WireError::member("index", format!("no content block {index} is open")));
        };
        let grown = match (&mut block.content, kind) {
            (Content::Text { part, .. }, "text_delta") => Some(((*part, Grows::Text), growth.text)),
            (Content::Reasoning { part }, "thinking_delta") => {
                Some(((*part, Grows::Reasoning), growth.thinking))
            }
            (Content::Call { part, any, .. }, "input_json_delta") => {
                *any |= growth.json.is_some_and(|json| json.get() != "\"\"");
                Some(((*part, Grows::Arguments), growth.json))
            }
            (Content::Text { cited, .. }, "citations_delta") => {
                cited.extend(growth.citation.map(parse).transpose()?);
                None
            }
            (Content::Reasoning { part }, "signature_delta") => {
                let signature = growth.signature.map(string).transpose()?.unwrap_or_default();
                sign(*part, signature, events);
                None
            }
            (Content::Whole { object, input }, _) => {
                add(object, input, kind, raw)?;
                None
            }
            // A growth that we do not know of a block that we do.
            _ => None,
        };
        if let Some((growing, Some(raw))) = grown {
            let text = string(raw)?;
            self.growing = Some(growing);
            self.template.learn(data, raw);
            self.grow(growing, text, events);
        }
        Ok(())
    }

    /// Ends the block of this index, where one is open.
    fn end(&mut self, index: u64, events: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let Some(at) = self.blocks.iter().position(|block| block.index == index) else {
            return Ok(());
        };
        // What was learnt of its growth must not outlive it.
        self.growing = None;
        let end = |part| StreamEvent::PartEnd { choice: 0, part };
        match self.blocks.remove(at).content {
            Content::Text { part, start, cited } => {
                events.push(end(part));
                let covers = start..self.characters;
                for value in cited {
                    self.whole_part(Part::Citation(citation::decode(value, covers.clone())), events);
                }
            }
            Content::Reasoning { part } => events.push(end(part)),
            Content::Call { part, input, any } => {
                if !any {
                    self.grow((part, Grows::Arguments), input.to_string(), events);
                }
                events.push(end(part));
            }
            Content::Whole { mut object, input } => {
                if !input.is_empty() {
                    let input = depth::embedded(&input).unwrap_or_else(|| Value::from(input));
                    object.insert("input".into(), input);
                }
                for part in blocks::decode(vec![Value::Object(object)].into(), From::Upstream)?.parts {
                    self.whole_part(part, events);
                }
            }
        }
        Ok(())
    }

    /// The message's own growth: why it ended, and what it used.
    fn close(&mut self, event: Event<'_>, events: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        self.ensure_started(events);
        let mut delta = object(event.delta, "delta")?;
        let reason = take::string(&mut delta, "stop_reason")?.filter(|reason| !reason.is_empty());
        let text = take::string(&mut delta, "stop_sequence")?;
        let (counts, rest) = Counts::of(event.usage.map(parse).transpose()?);
        self.counts.update(counts);
        for (name, value) in delta {
            self.keep(&name, value);
        }
        for (name, value) in event.rest {
            self.keep(&name, parse(value)?);
        }
        self.keep("usage", rest.into());
        if event.usage.is_some() {
            events.push(StreamEvent::Usage(self.counts.usage()));
        }
        let Some(reason) = reason else {
            return Ok(());
        };
        while let Some(index) = self.blocks.first().map(|block| block.index) {
            self.end(index, events)?;
        }
        let mut extra = std::mem::take(&mut self.extra);
        let finish = response::finish_reason(reason, text, &mut extra);
        if !extra.is_empty() {
            events.push(StreamEvent::ChoiceExtra { choice: 0, extra });
        }
        if !std::mem::replace(&mut self.finished, true) {
            events.push(StreamEvent::Finish { choice: 0, reason: finish });
        }
        Ok(())
    }
}

fn sign(part: usize, value: String, events: &mut Vec<StreamEvent>) {
    if !value.is_empty() {
        let delta = Delta::Signature(Signature { of: OWN, value });
        events.push(StreamEvent::PartDelta { choice: 0, part, delta });
    }
}

/// Adds a growth to a block that is kept whole.
fn add(object: &mut Object, input: &mut String, kind: &str, raw: &RawValue) -> Result<(), WireError> {
    let Value::Object(mut delta) = parse(raw)? else {
        return Ok(());
    };
    delta.shift_remove("type");
    if kind == "input_json_delta" {
        input.push_str(&take::string(&mut delta, "partial_json")?.unwrap_or_default());
        return Ok(());
    }
    for (name, value) in delta {
        match (kind, object.get_mut(&name), value) {
            ("text_delta" | "thinking_delta", Some(Value::String(old)), Value::String(new)) => {
                old.push_str(&new);
            }
            ("citations_delta", _, value) => {
                if let Value::Array(all) =
                    object.entry("citations").or_insert_with(|| Vec::<Value>::new().into())
                {
                    all.push(value);
                }
            }
            (_, _, value) => drop(object.insert(name, value)),
        }
    }
    Ok(())
}

fn parse(raw: &RawValue) -> Result<Value, WireError> {
    serde_json::from_str(raw.get()).map_err(|error| WireError::json(&error, raw.get()))
}

fn string(raw: &RawValue) -> Result<String, WireError> {
    serde_json::from_str::<Option<String>>(raw.get())
        .map(Option::unwrap_or_default)
        .map_err(|error| WireError::of_shape(&error, raw.get()))
}

fn object(raw: Option<&RawValue>, name: &str) -> Result<Object, WireError> {
    match raw.map(parse).transpose()? {
        None | Some(Value::Null) => Ok(Object::new()),
        Some(value) => take::item(value, name),
    }
}
