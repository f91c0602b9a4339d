//! Streamed answers as upstreams send them.

use super::growing::{Events, Growing};
use super::items::logprobs;
use super::{fault, response, thought, usage};
use crate::codec::StreamDecoder;
use crate::error::{WireError, text};
use crate::sse;
use crate::take;
use hanok_base::{Dialect, Object, StreamEvent};
use serde_json::Value;

/// From an upstream's bytes to events.
#[derive(Default)]
pub(super) struct Decoder {
    parser: sse::Parser,
    state: State,
}

#[derive(Default)]
struct State {
    phase: Phase,
    growing: Growing,
}

#[derive(Clone, Copy, Default, PartialEq, Eq)]
enum Phase {
    /// Nothing was told.
    #[default]
    Before,
    Open,
    /// The answer is whole.
    Over,
}

impl StreamDecoder for Decoder {
    fn feed(&mut self, bytes: &[u8], events: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let state = &mut self.state;
        self.parser.feed(bytes, |event| state.take(&event, events))
    }

    fn finish(&mut self) -> Result<(), WireError> {
        let state = &mut self.state;
        let complete = state.phase == Phase::Over;
        let mut late = Vec::new();
        match self.parser.finish(|event| state.take(&event, &mut late)) {
            Err(WireError::Upstream(fault)) => Err(WireError::Upstream(fault)),
            // What was never closed by a blank line may itself be cut: it completes nothing.
            _ if complete => Ok(()),
            _ => Err(WireError::Truncated),
        }
    }
}

impl State {
    fn take(&mut self, event: &sse::Event<'_>, events: &mut Events) -> Result<(), WireError> {
        let data = text(event.data)?.trim();
        if self.phase == Phase::Over || data.is_empty() {
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
            "" if object.contains_key("error") => Err(WireError::Upstream(fault::in_answer(&object.into()))),
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
        if self.phase != Phase::Before {
            return Ok(());
        }
        self.phase = Phase::Open;
        let response::Head { id, model, created, extra } = response::head(answer)?;
        let dialect = Some(Dialect::OpenAiResponses);
        events.push(StreamEvent::Start { id: id.into(), model: model.into(), created, dialect, extra });
        Ok(())
    }

    /// An event about an item.
    fn grow(
        &mut self,
        kind: &str,
        index: Option<u64>,
        mut object: Object,
        events: &mut Events,
    ) -> Result<(), WireError> {
        let items = &mut self.growing;
        let index = index.unwrap_or_else(|| items.current());
        match kind {
            "response.output_item.added" => {
                let item = required(&mut object, "item")?;
                items.begin(index, item, events)
            }
            "response.output_item.done" => {
                let item = required(&mut object, "item")?;
                items.finish_item(index, item, events)
            }
            "response.content_part.added" | "response.content_part.done" => {
                let at = take::count(&mut object, "content_index")?.unwrap_or(0);
                let part = required(&mut object, "part")?;
                items.content_part(index, at, part, kind.ends_with("done"), events)
            }
            "response.output_text.delta" | "response.refusal.delta" => {
                let at = take::count(&mut object, "content_index")?.unwrap_or(0);
                let tokens = logprobs(&mut object);
                let delta = take::string(&mut object, "delta")?.unwrap_or_default();
                let refusal = kind == "response.refusal.delta";
                items.text(index, at, refusal, delta, tokens, events);
                Ok(())
            }
            "response.output_text.done" | "response.refusal.done" => {
                let at = take::count(&mut object, "content_index")?.unwrap_or(0);
                let refusal = kind == "response.refusal.done";
                let whole = take::string(&mut object, if refusal { "refusal" } else { "text" })?;
                items.whole_text(index, at, refusal, whole.as_deref().unwrap_or_default(), events);
                Ok(())
            }
            "response.output_text.annotation.added" => {
                let at = take::count(&mut object, "content_index")?.unwrap_or(0);
                if let Some(value) = take::some(&mut object, "annotation") {
                    items.annotation(index, at, value, events);
                }
                Ok(())
            }
            "response.function_call_arguments.delta" => {
                let delta = take::string(&mut object, "delta")?.unwrap_or_default();
                items.arguments(index, delta, events);
                Ok(())
            }
            "response.function_call_arguments.done" => {
                let whole = take::string(&mut object, "arguments")?.unwrap_or_default();
                items.whole_arguments(index, &whole, events);
                Ok(())
            }
            "response.reasoning_summary_part.added" => {
                let at = take::count(&mut object, "summary_index")?.unwrap_or(0);
                items.thought(index, thought::SUMMARY, at, events);
                Ok(())
            }
            "response.reasoning_summary_text.delta" | "response.reasoning_text.delta" => {
                let (kind, at) = thought_at(kind, &mut object)?;
                let delta = take::string(&mut object, "delta")?.unwrap_or_default();
                items.think(index, kind, at, delta, events);
                Ok(())
            }
            "response.reasoning_summary_text.done" | "response.reasoning_text.done" => {
                let (kind, at) = thought_at(kind, &mut object)?;
                let whole = take::string(&mut object, "text")?.unwrap_or_default();
                items.whole_thought(index, kind, at, &whole, events);
                Ok(())
            }
            // The progress of tools at the provider; what came of it is in their items.
            _ => Ok(()),
        }
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
            if !self.growing.is_told(index) {
                let item = take::item(value, &format!("response.output[{index}]"))?;
                self.growing.finish_item(index, item, events)?;
            }
        }
        let reason = response::finish(&answer, self.growing.calls)?;
        self.growing.end(events);
        let late = response::late(&mut answer);
        if !late.is_empty() {
            events.push(StreamEvent::ChoiceExtra { choice: 0, extra: late });
        }
        events.push(StreamEvent::Finish { choice: 0, reason });
        events.extend(take::some(&mut answer, "usage").map(|told| StreamEvent::Usage(usage::of(&told))));
        self.phase = Phase::Over;
        Ok(())
    }
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
