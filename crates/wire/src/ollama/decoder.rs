//! Streamed answers as upstreams send them.

use super::answer::{NO_ANSWER, finish_reason};
use super::parts::{self, tool_call};
use super::{Form, fault, stamp};
use crate::codec::StreamDecoder;
use crate::error::{WireError, text};
use crate::members::{Members, Obj, Text, read_into, skip};
use crate::{ndjson, take};
use hanok_base::{Delta, Object, Part, Reasoning, StreamEvent, ToolCall, Usage};
use serde::de::MapAccess;
use serde_json::Value;
use std::borrow::Cow;

/// From an upstream's bytes to events.
pub(super) struct Decoder {
    parser: ndjson::Parser,
    state: State,
}

impl Decoder {
    pub(super) fn new(form: Form) -> Self {
        Self { parser: ndjson::Parser::default(), state: State { form, ..State::default() } }
    }
}

impl StreamDecoder for Decoder {
    fn feed(&mut self, bytes: &[u8], events: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let state = &mut self.state;
        self.parser.feed(bytes, |line| state.take(line, events))
    }

    fn finish(&mut self) -> Result<(), WireError> {
        let state = &mut self.state;
        let complete = state.done;
        let mut late = Vec::new();
        match self.parser.finish(|line| state.take(line, &mut late)) {
            Err(WireError::Upstream(fault)) => Err(WireError::Upstream(fault)),
            _ if complete => Ok(()),
            _ => Err(WireError::Truncated),
        }
    }
}

/// There is one choice, and of its parts one is open at a time: the dialect tells its calls whole, and says
/// nothing of where a text ends but by going on with something else.
#[derive(Default)]
struct State {
    form: Form,
    started: bool,
    done: bool,
    created_at: String,
    parts: usize,
    open: Option<Open>,
    calls: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    Thinking,
}

const CHOICE: u32 = 0;

impl State {
    fn take(&mut self, line: &[u8], events: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let json = text(line)?;
        if self.done {
            return Ok(());
        }
        let begun = Line { form: self.form, ..Line::default() };
        let line = read_into(begun, json).map_err(|error| WireError::of_shape(&error, json))?;
        if let Some(error) = line.error {
            let mut said = line.extra;
            said.insert("error".into(), error);
            return Err(WireError::Upstream(fault::in_answer(&said.into())));
        }
        let Some(piece) = line.piece.or_else(|| line.done.then(Piece::default)) else {
            let member = if self.form == Form::Chat { "message" } else { "response" };
            return Err(WireError::member(member, NO_ANSWER));
        };
        if !self.started {
            self.start(said(line.model), said(line.created_at), events);
        }
        self.piece(piece, events)?;
        let mut extra = Object::new();
        for (name, value) in line.extra {
            // Other members say the same on each line, and the last one has them all.
            if line.done || name == "logprobs" {
                extra.insert(name, value);
            }
        }
        if line.done {
            self.close(events);
        }
        if !extra.is_empty() {
            events.push(StreamEvent::ChoiceExtra { choice: CHOICE, extra });
        }
        if line.done {
            self.done = true;
            let reason = finish_reason(line.done_reason.as_deref(), self.calls > 0);
            events.push(StreamEvent::Finish { choice: CHOICE, reason });
            let usage = Usage { input: line.prompt, output: line.answer, ..Usage::default() };
            if !usage.is_empty() {
                events.push(StreamEvent::Usage(usage));
            }
        }
        Ok(())
    }

    fn start(
        &mut self,
        model: Option<Cow<'_, str>>,
        at: Option<Cow<'_, str>>,
        events: &mut Vec<StreamEvent>,
    ) {
        self.started = true;
        self.created_at = at.unwrap_or_default().into_owned();
        let model = &*model.unwrap_or_default();
        events.push(StreamEvent::Start {
            id: stamp::answer_id(model, &self.created_at).into(),
            model: model.into(),
            created: stamp::seconds(&self.created_at),
            dialect: Some(self.form.dialect()),
            extra: Object::new(),
        });
    }

    fn piece(&mut self, piece: Piece<'_>, events: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        if let Some(text) = said(piece.thinking) {
            let part = self.grow(Open::Thinking, events);
            let delta = Delta::Reasoning(text.into_owned());
            events.push(StreamEvent::PartDelta { choice: CHOICE, part, delta });
        }
        for entry in piece.signatures {
            self.sign(entry, events);
        }
        if let Some(text) = said(piece.content) {
            let part = self.grow(Open::Text, events);
            let delta = Delta::Text(text.into_owned());
            events.push(StreamEvent::PartDelta { choice: CHOICE, part, delta });
        }
        let mut rest = Object::from_iter([("images".to_owned(), piece.images.into())]);
        rest.insert("citations".into(), piece.citations.into());
        for media in parts::images(&mut rest)? {
            self.whole(media, events);
        }
        for call in piece.calls {
            self.call(call, events)?;
        }
        for citation in parts::citations(&mut rest)? {
            self.whole(citation, events);
        }
        Ok(())
    }

    /// The open part of this kind, begun where there is none.
    fn grow(&mut self, kind: Open, events: &mut Vec<StreamEvent>) -> usize {
        if self.open != Some(kind) {
            self.close(events);
            let value = match kind {
                Open::Text => Part::Text(String::new()),
                Open::Thinking => Part::Reasoning(Reasoning::default()),
            };
            self.begin(value, events);
            self.open = Some(kind);
        }
        self.parts.saturating_sub(1)
    }

    fn begin(&mut self, value: Part, events: &mut Vec<StreamEvent>) -> usize {
        let part = self.parts;
        self.parts += 1;
        events.push(StreamEvent::PartStart { choice: CHOICE, part, value });
        part
    }

    fn close(&mut self, events: &mut Vec<StreamEvent>) {
        if self.open.take().is_some() {
            let part = self.parts.saturating_sub(1);
            events.push(StreamEvent::PartEnd { choice: CHOICE, part });
        }
    }

    fn whole(&mut self, value: Part, events: &mut Vec<StreamEvent>) {
        self.close(events);
        let part = self.begin(value, events);
        events.push(StreamEvent::PartEnd { choice: CHOICE, part });
    }

    /// A signature belongs to the thoughts before it, and ends them.
    fn sign(&mut self, entry: Value, events: &mut Vec<StreamEvent>) {
        for mut reasoning in parts::thoughts("", vec![entry]) {
            if self.open == Some(Open::Thinking)
                && let Some(signature) = reasoning.signature.take()
            {
                let part = self.parts.saturating_sub(1);
                let delta = Delta::Signature(signature);
                events.push(StreamEvent::PartDelta { choice: CHOICE, part, delta });
                self.close(events);
            } else {
                self.whole(Part::Reasoning(reasoning), events);
            }
        }
    }

    fn call(&mut self, call: Object, events: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let place = || format!("tool_calls[{}]", self.calls);
        match tool_call(call).map_err(|error| take::under(&place(), error))? {
            Part::ToolCall(mut call) => {
                if call.id.is_empty() {
                    call.id = stamp::call_id(&self.created_at, self.calls, &call.name, &call.arguments);
                }
                self.close(events);
                let arguments = std::mem::take(&mut call.arguments);
                let part = self.begin(Part::ToolCall(ToolCall { ..call }), events);
                let delta = Delta::Arguments(arguments);
                events.push(StreamEvent::PartDelta { choice: CHOICE, part, delta });
                events.push(StreamEvent::PartEnd { choice: CHOICE, part });
            }
            other => self.whole(other, events),
        }
        self.calls += 1;
        Ok(())
    }
}

/// The text, where there is some.
fn said(text: Option<Text<'_>>) -> Option<Cow<'_, str>> {
    text.map(|text| text.0).filter(|text| !text.is_empty())
}

/// What is looked at of a line.
#[derive(Default)]
struct Line<'a> {
    form: Form,
    model: Option<Text<'a>>,
    created_at: Option<Text<'a>>,
    piece: Option<Piece<'a>>,
    done: bool,
    done_reason: Option<String>,
    prompt: Option<u64>,
    answer: Option<u64>,
    error: Option<Value>,
    extra: Object,
}

impl<'de> Members<'de> for Line<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match (name, self.form) {
            ("model", _) => self.model = map.next_value()?,
            ("created_at", _) => self.created_at = map.next_value()?,
            ("done", _) => self.done = map.next_value::<Option<_>>()?.unwrap_or_default(),
            ("done_reason", _) => self.done_reason = map.next_value()?,
            ("prompt_eval_count", _) => self.prompt = map.next_value::<Value>()?.as_u64(),
            ("eval_count", _) => self.answer = map.next_value::<Value>()?.as_u64(),
            ("error", _) => self.error = map.next_value()?,
            ("message", Form::Chat) => {
                self.piece = map.next_value::<Option<Obj<_>>>()?.map(|piece| piece.0);
            }
            ("response", Form::Generate) => {
                self.piece.get_or_insert_default().content = map.next_value()?;
            }
            ("thinking" | "images" | "tool_calls" | "thinking_signatures" | "citations", Form::Generate) => {
                self.piece.get_or_insert_default().member(name, map)?;
            }
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
struct Piece<'a> {
    content: Option<Text<'a>>,
    thinking: Option<Text<'a>>,
    images: Vec<Value>,
    calls: Vec<Object>,
    signatures: Vec<Value>,
    citations: Vec<Value>,
}

impl<'de> Members<'de> for Piece<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "content" => self.content = map.next_value()?,
            "thinking" => self.thinking = map.next_value()?,
            "images" => self.images = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "tool_calls" => self.calls = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "thinking_signatures" => self.signatures = map.next_value::<Option<_>>()?.unwrap_or_default(),
            "citations" => self.citations = map.next_value::<Option<_>>()?.unwrap_or_default(),
            _ => skip(map)?,
        }
        Ok(())
    }
}
