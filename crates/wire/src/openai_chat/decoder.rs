//! Streamed answers as upstreams send them.

use super::{fault, parts, reasoning, response, usage};
use crate::codec::StreamDecoder;
use crate::error::{WireError, text};
use crate::members::{Members, Obj, read_into, skip};
use crate::sse;
use crate::take;
use crate::template::Template;
use hanok_base::{Delta, Dialect, FinishReason, Object, Part, Reasoning, StreamEvent, Usage};
use serde::de::MapAccess;
use serde_json::Value;
use serde_json::value::RawValue;
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
    /// Members of the chunks before the one that begins the answer.
    head: Object,
    /// Usage that was told before the answer began.
    early: Option<Usage>,
    /// A chunk that told nothing but the growth of one part, and which part.
    template: Template,
    growing: Growing,
    choices: BTreeMap<u32, Open>,
}

#[derive(Clone, Copy, Default)]
struct Growing {
    choice: u32,
    part: usize,
    reasoning: bool,
}

/// A choice's parts that are open.
#[derive(Default)]
struct Open {
    parts: usize,
    text: Option<usize>,
    /// The thought that is told as a plain text, and that text.
    reasoning: Option<usize>,
    thought: String,
    detail: Option<OpenDetail>,
    refusal: Option<usize>,
    calls: Vec<OpenCall>,
    /// Parts that ended before the choice did.
    ended: Vec<usize>,
    finished: bool,
}

/// A thought that is told in pieces of one detail.
struct OpenDetail {
    part: usize,
    /// All of it but its text.
    said: Object,
}

struct OpenCall {
    /// The upstream's index of the call, where it gives one.
    index: Option<u64>,
    id: String,
    part: usize,
}

impl StreamDecoder for Decoder {
    fn feed(&mut self, bytes: &[u8], events: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let state = &mut self.state;
        self.parser.feed(bytes, |event| state.take(&event, events))
    }

    fn finish(&mut self) -> Result<(), WireError> {
        let state = &mut self.state;
        let complete = state.is_complete();
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

impl State {
    fn is_complete(&self) -> bool {
        !self.choices.is_empty() && self.choices.values().all(|open| open.finished)
    }

    fn take(&mut self, event: &sse::Event<'_>, events: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let data = text(event.data)?.trim();
        if self.done || data.is_empty() {
            return Ok(());
        }
        if data == "[DONE]" {
            self.done = true;
            // Some servers send their end mark whatever happened; only a reason says that a choice is whole.
            return if self.is_complete() { Ok(()) } else { Err(WireError::Truncated) };
        }
        if event.name == b"error" {
            return Err(WireError::Upstream(fault::in_event(data)));
        }
        if let Some(text) = self.template.string(data.as_bytes()) {
            if !text.is_empty() {
                let Growing { choice, part, reasoning } = self.growing;
                if reasoning && let Some(open) = self.choices.get_mut(&choice) {
                    open.thought.push_str(text);
                }
                let delta = if reasoning { Delta::Reasoning(text.into()) } else { Delta::Text(text.into()) };
                events.push(StreamEvent::PartDelta { choice, part, delta });
            }
            return Ok(());
        }
        let begun = Chunk { started: self.started, ..Chunk::default() };
        let chunk = read_into(begun, data).map_err(|error| WireError::of_shape(&error, data))?;
        if let Some(error) = chunk.error {
            return Err(WireError::Upstream(fault::in_answer(&error)));
        }
        for (name, value) in chunk.head {
            self.head.insert(name, parse(value)?);
        }
        let told = chunk.usage.as_ref().or(chunk.usage_beside.as_ref()).map(usage::of);
        let told = told.or(self.early.take());
        // Some upstreams send a chunk about the prompt before the one that names the answer.
        if !self.started {
            if chunk.choices.is_empty() {
                self.early = told;
                return Ok(());
            }
            self.start(events)?;
        }
        let before = events.len();
        let only = match chunk.choices.as_slice() {
            [Obj(choice)] => choice.delta.only_text(),
            _ => None,
        };
        for (i, Obj(choice)) in chunk.choices.into_iter().enumerate() {
            if !choice.delta.details.is_empty() {
                // The part that was growing may be complete now.
                self.template = Template::default();
            }
            self.choice(choice, i, events)?;
        }
        events.extend(told.map(StreamEvent::Usage));
        if let (Some(only), Some([StreamEvent::PartDelta { choice, part, delta }])) =
            (only, events.get(before..))
        {
            let reasoning = matches!(delta, Delta::Reasoning(_));
            self.growing = Growing { choice: *choice, part: *part, reasoning };
            self.template.learn(data, only);
        }
        Ok(())
    }

    fn start(&mut self, events: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        self.started = true;
        let mut extra = std::mem::take(&mut self.head);
        let id = take::string(&mut extra, "id")?.unwrap_or_default().into();
        let model = take::string(&mut extra, "model")?.unwrap_or_default().into();
        let created = take::integer(&mut extra, "created").ok().flatten().unwrap_or(0);
        extra.retain(|_, value| !value.is_null());
        events.push(StreamEvent::Start { id, model, created, dialect: Some(Dialect::OpenAiChat), extra });
        Ok(())
    }

    fn choice(
        &mut self,
        mut choice: ChunkChoice<'_>,
        position: usize,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), WireError> {
        let index = choice.index.unwrap_or(position as u64);
        let index = u32::try_from(index).map_err(|_| WireError::member("choices.index", "is too large"))?;
        let open = self.choices.entry(index).or_default();
        open.delta(index, choice.delta, events)?;
        let reason = response::finish_reason(choice.finish.as_deref().unwrap_or_default(), &mut choice.extra);
        if !choice.extra.is_empty() {
            events.push(StreamEvent::ChoiceExtra { choice: index, extra: choice.extra });
        }
        if let Some(reason) = reason {
            open.finish(index, reason, events);
        }
        Ok(())
    }
}

/// What is looked at of a chunk.
#[derive(Default)]
struct Chunk<'a> {
    /// The head is known: its members are passed over.
    started: bool,
    choices: Vec<Obj<ChunkChoice<'a>>>,
    usage: Option<Value>,
    /// In a vendor's own member, sent where nobody asked for usage.
    usage_beside: Option<Value>,
    error: Option<Value>,
    head: Vec<(String, &'a RawValue)>,
}

impl<'de> Members<'de> for Chunk<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "choices" => self.choices = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "usage" => self.usage = map.next_value()?,
            "error" => self.error = map.next_value()?,
            // The second pads each chunk to hide its length.
            "object" | "obfuscation" => skip(map)?,
            "x_groq" if self.started => {
                self.usage_beside = map.next_value::<Value>()?.get_mut("usage").map(Value::take);
            }
            _ if self.started => skip(map)?,
            _ => self.head.push((name.to_owned(), map.next_value()?)),
        }
        Ok(())
    }
}

#[derive(Default)]
struct ChunkChoice<'a> {
    index: Option<u64>,
    finish: Option<String>,
    delta: ChunkDelta<'a>,
    extra: Object,
}

impl<'de> Members<'de> for ChunkChoice<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "index" => self.index = map.next_value()?,
            "finish_reason" => self.finish = map.next_value()?,
            "delta" => self.delta = map.next_value::<Option<Obj<_>>>()?.unwrap_or_default().0,
            // Some vendors repeat all that was said so far beside each delta.
            "message" => skip(map)?,
            _ => {
                if let Some(value) = map.next_value::<Option<Value>>()? {
                    self.extra.insert(name.to_owned(), value);
                }
            }
        }
        Ok(())
    }
}

#[derive(Default)]
struct ChunkDelta<'a> {
    reasoning_content: Option<&'a RawValue>,
    reasoning: Option<&'a RawValue>,
    content: Option<&'a RawValue>,
    refusal: Option<&'a RawValue>,
    details: Vec<Object>,
    calls: Vec<Object>,
    images: Vec<Object>,
    annotations: Vec<Value>,
}

impl<'a> ChunkDelta<'a> {
    /// The one string that is all the delta says.
    fn only_text(&self) -> Option<&'a RawValue> {
        let said = [self.reasoning_content, self.reasoning, self.content, self.refusal];
        let mut said = said.into_iter().flatten().filter(|value| value.get() != "\"\"");
        let only = said.next()?;
        let alone = said.next().is_none() && only.get().starts_with('"');
        let more = self.details.len() + self.calls.len() + self.images.len() + self.annotations.len();
        (alone && more == 0).then_some(only)
    }
}

impl<'de> Members<'de> for ChunkDelta<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "reasoning_content" => self.reasoning_content = map.next_value()?,
            "reasoning" => self.reasoning = map.next_value()?,
            "content" => self.content = map.next_value()?,
            "refusal" => self.refusal = map.next_value()?,
            "tool_calls" => self.calls = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "reasoning_details" => self.details = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "images" => self.images = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "annotations" => self.annotations = map.next_value::<Option<_>>()?.unwrap_or_default(),
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl Open {
    fn begin(&mut self, choice: u32, value: Part, events: &mut Vec<StreamEvent>) -> usize {
        let part = self.parts;
        self.parts += 1;
        events.push(StreamEvent::PartStart { choice, part, value });
        part
    }

    fn finish(&mut self, choice: u32, reason: FinishReason, events: &mut Vec<StreamEvent>) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        self.close_detail(choice, events);
        let open = (0..self.parts).filter(|part| !self.ended.contains(part));
        events.extend(open.map(|part| StreamEvent::PartEnd { choice, part }));
        events.push(StreamEvent::Finish { choice, reason });
    }

    fn delta(
        &mut self,
        choice: u32,
        delta: ChunkDelta<'_>,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), WireError> {
        // Some vendors tell it in both, or in all three.
        let told = self.details(choice, delta.details, events);
        for value in [delta.reasoning_content, delta.reasoning].into_iter().flatten().filter(|_| !told) {
            if let Value::String(text) = parse(value)?
                && !text.is_empty()
            {
                self.reasoning(choice, text, events);
                break;
            }
        }
        match delta.content.map(parse).transpose()? {
            None => {}
            Some(Value::String(text)) => self.text(choice, text, events),
            Some(Value::Array(parts)) => {
                for part in parts {
                    match parts::content_part(take::item(part, "content")?)?.0 {
                        Part::Text(text) => self.text(choice, text, events),
                        Part::Reasoning(reasoning) => self.reasoning(choice, reasoning.text, events),
                        other => drop(self.begin(choice, other, events)),
                    }
                }
            }
            Some(_) => return Err(WireError::member("content", parts::CONTENT)),
        }
        match delta.refusal.map(parse).transpose()? {
            None => {}
            Some(Value::String(text)) => self.refusal(choice, text, events),
            Some(_) => return Err(WireError::member("refusal", "must be a string")),
        }
        for call in delta.calls {
            self.call(choice, call, events)?;
        }
        for image in delta.images {
            let (part, _) = parts::content_part(image)?;
            self.begin(choice, part, events);
        }
        for annotation in delta.annotations {
            self.begin(choice, response::annotation(annotation), events);
        }
        Ok(())
    }

    fn text(&mut self, choice: u32, text: String, events: &mut Vec<StreamEvent>) {
        if !text.is_empty() {
            self.close_detail(choice, events);
            let known = self.text;
            let part = known.unwrap_or_else(|| self.begin(choice, Part::Text(String::new()), events));
            self.text = Some(part);
            events.push(StreamEvent::PartDelta { choice, part, delta: Delta::Text(text) });
        }
    }

    /// Takes a chunk's details; whether they told some text.
    fn details(&mut self, choice: u32, details: Vec<Object>, events: &mut Vec<StreamEvent>) -> bool {
        let mut told = false;
        for mut detail in details {
            let text = reasoning::take_text(&mut detail);
            told |= text.as_ref().is_some_and(|text| !text.is_empty());
            if let Some(open) = self.detail.as_mut().filter(|open| goes_on(&open.said, &detail)) {
                let part = open.part;
                add(&mut open.said, detail);
                if let Some(text) = text.filter(|text| !text.is_empty()) {
                    events.push(StreamEvent::PartDelta { choice, part, delta: Delta::Reasoning(text) });
                }
                continue;
            }
            self.close_detail(choice, events);
            // What was told as a plain text before is now told with all that belongs to it.
            let plain = text.as_ref().is_some_and(|text| !text.is_empty() && *text == self.thought);
            let part = if let (true, Some(part)) = (plain, self.reasoning.take()) {
                self.thought.clear();
                part
            } else {
                let redacted = !reasoning::grows(&detail);
                let thought = Reasoning { redacted, ..Reasoning::default() };
                let part = self.begin(choice, Part::Reasoning(thought), events);
                if let Some(text) = text.filter(|text| !text.is_empty()) {
                    events.push(StreamEvent::PartDelta { choice, part, delta: Delta::Reasoning(text) });
                }
                part
            };
            self.detail = Some(OpenDetail { part, said: detail });
        }
        told
    }

    /// Whatever follows, the open detail is complete.
    fn close_detail(&mut self, choice: u32, events: &mut Vec<StreamEvent>) {
        let Some(OpenDetail { part, said }) = self.detail.take() else { return };
        if let Some(signature) = reasoning::signature_of(said) {
            events.push(StreamEvent::PartDelta { choice, part, delta: Delta::Signature(signature) });
        }
        events.push(StreamEvent::PartEnd { choice, part });
        self.ended.push(part);
    }

    fn reasoning(&mut self, choice: u32, text: String, events: &mut Vec<StreamEvent>) {
        if !text.is_empty() {
            self.close_detail(choice, events);
            self.thought.push_str(&text);
            let known = self.reasoning;
            let part =
                known.unwrap_or_else(|| self.begin(choice, Part::Reasoning(Reasoning::default()), events));
            self.reasoning = Some(part);
            events.push(StreamEvent::PartDelta { choice, part, delta: Delta::Reasoning(text) });
        }
    }

    fn refusal(&mut self, choice: u32, text: String, events: &mut Vec<StreamEvent>) {
        if !text.is_empty() {
            let known = self.refusal;
            let part = known.unwrap_or_else(|| self.begin(choice, Part::Refusal(String::new()), events));
            self.refusal = Some(part);
            events.push(StreamEvent::PartDelta { choice, part, delta: Delta::Text(text) });
        }
    }

    fn call(
        &mut self,
        choice: u32,
        mut object: Object,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), WireError> {
        let index = take::count(&mut object, "index")?;
        let mut call = parts::tool_call(object)?;
        self.close_detail(choice, events);
        let arguments = std::mem::take(&mut call.arguments);
        let known = self.known_call(index, &call.id, &call.name);
        if let Some(part) = known
            && let Some(signature) = call.signature.take()
        {
            events.push(StreamEvent::PartDelta { choice, part, delta: Delta::Signature(signature) });
        }
        let part = known.unwrap_or_else(|| {
            let id = call.id.clone();
            let part = self.begin(choice, Part::ToolCall(call), events);
            self.calls.push(OpenCall { index, id, part });
            part
        });
        if !arguments.is_empty() {
            events.push(StreamEvent::PartDelta { choice, part, delta: Delta::Arguments(arguments) });
        }
        Ok(())
    }

    /// The call that a delta goes on with; `None` where it begins one. The index says which, as documented; but
    /// some servers give none and only a new id, and some give each of several whole calls the index 0. A new
    /// id alone is not enough under an index: some servers make up another one for each delta.
    fn known_call(&self, index: Option<u64>, id: &str, name: &str) -> Option<usize> {
        let mut newest_first = self.calls.iter().rev();
        let known = match index {
            Some(_) => {
                let same = newest_first.find(|call| call.index == index)?;
                let other = !id.is_empty() && !name.is_empty() && !same.id.is_empty() && same.id != id;
                Some(same).filter(|_| !other)
            }
            None if !id.is_empty() => newest_first.find(|call| call.id == id),
            None if !name.is_empty() => None,
            None => newest_first.next(),
        };
        known.map(|call| call.part)
    }
}

/// Whether a detail is a further piece of the one that is open.
fn goes_on(open: &Object, more: &Object) -> bool {
    let same = |name: &str| open.get(name) == more.get(name);
    let id = more
        .get("id")
        .is_none_or(|id| id.is_null() || open.get("id").is_none_or(|of| of.is_null() || of == id));
    reasoning::grows(more) && same("type") && same("index") && id
}

/// Adds what a further piece of a detail says. A signature may come in pieces, or again and again.
fn add(open: &mut Object, more: Object) {
    for (name, value) in more {
        match (open.get_mut(&name), value) {
            (Some(Value::String(so_far)), Value::String(more)) if name == "signature" => {
                if *so_far != more {
                    so_far.push_str(&more);
                }
            }
            (Some(_), Value::Null) => {}
            (_, value) => drop(open.insert(name, value)),
        }
    }
}

fn parse(raw: &RawValue) -> Result<Value, WireError> {
    serde_json::from_str(raw.get()).map_err(|error| WireError::json(&error, raw.get()))
}
