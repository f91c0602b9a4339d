//! Streamed answers as upstreams send them.

use super::chunk::{Chunk, ChunkChoice, parse};
use super::open::Open;
use super::{fault, response, usage};
use crate::codec::StreamDecoder;
use crate::error::{WireError, text};
use crate::members::{Obj, read_into};
use crate::sse;
use crate::take;
use crate::template::Template;
use hanok_base::{Delta, Dialect, Object, StreamEvent, Usage};
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
        if open.finished && choice.delta.says() {
            // A choice that ended has no place for more, and what it said must not get lost in silence.
            return Err(WireError::member("choices.delta", "goes on behind the end of the choice"));
        }
        open.delta(index, choice.delta, events)?;
        let reason = response::finish_reason(choice.finish.as_deref().unwrap_or_default(), &mut choice.extra);
        if !choice.extra.is_empty() {
            events.push(StreamEvent::ChoiceExtra { choice: index, extra: choice.extra });
        }
        if let Some(reason) = reason {
            open.finish(index, reason, events);
            // What was learnt of its growth must not outlive it.
            self.template = Template::default();
        }
        Ok(())
    }
}
