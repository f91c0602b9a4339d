//! Streams that are passed on unchanged.

use super::usage::Counts;
use super::{fault, response::NO_ANSWER};
use crate::codec::{StreamGuard, StreamSummary};
use crate::error::{StreamFault, WireError, text};
use crate::guard::{Framing, Guard, Seen, Verdict, Watch, bad_event, truncated};
use crate::members::{Members, Obj, Text, read_into, skip};
use crate::template::Template;
use serde::de::MapAccess;
use serde_json::value::RawValue;

pub(super) fn guard() -> Box<dyn StreamGuard> {
    Box::new(Guard::new(Framing::Sse, Events::default()))
}

#[derive(Default)]
struct Events {
    summary: StreamSummary,
    counts: Counts,
    /// An event that told nothing but some content.
    template: Template,
    finished: bool,
    content: bool,
    over: bool,
}

impl Watch for Events {
    fn event(&mut self, event: &Seen<'_>) -> Result<Verdict, StreamFault> {
        let (data, is_error) = (event.data, event.name == b"error");
        if !is_error && let Some(content) = self.template.string(data) {
            self.content |= !content.is_empty();
            return Ok(Verdict::Pass);
        }
        let text = text(data).map_err(|_| bad_event("not valid UTF-8"))?;
        if is_error {
            return Err(fault::in_event(text));
        }
        let event = read_into(Event::default(), text).map_err(|_| bad_event("no event of a message"))?;
        if let Some(error) = event.error.filter(|error| error.get() != "null") {
            return Err(fault::in_event(error.get()));
        }
        let kind = event.kind.as_ref().map(|Text(kind)| kind.as_ref()).unwrap_or_default();
        match kind {
            "error" => return Err(fault::in_event(text)),
            "message_start" => {
                let Obj(message) = event.message.unwrap_or_default();
                message.tell(&mut self.summary, &mut self.counts);
            }
            "content_block_start" | "content_block_delta" if self.finished => {
                return Err(bad_event("content behind the end of the message"));
            }
            // A block of text begins empty; any other says something by beginning.
            "content_block_start" => {
                let Obj(block) = event.block.unwrap_or_default();
                self.content |= block.kind.is_some_and(|Text(kind)| kind != "text");
            }
            "content_block_delta" => {
                let Obj(delta) = event.delta.unwrap_or_default();
                if let Some(content) = delta.content {
                    self.content |= content.get() != "\"\"";
                    self.template.learn(text, content);
                }
            }
            "message_delta" => {
                self.counts.update(counts(event.usage));
                let Obj(delta) = event.delta.unwrap_or_default();
                if let Some(Text(reason)) = delta.stop_reason.filter(|reason| !reason.0.is_empty())
                    && !std::mem::replace(&mut self.finished, true)
                {
                    // What was learnt of a block's growth must not outlive it.
                    self.template = Template::default();
                    self.summary.finish_reasons.push(reason.into_owned());
                }
                self.summary.usage = self.counts.usage();
            }
            "message_stop" => {
                // Only a reason says that the answer is whole.
                if !self.finished {
                    return Err(truncated());
                }
                self.over = true;
            }
            _ => {}
        }
        Ok(Verdict::Pass)
    }

    fn is_complete(&self) -> bool {
        self.finished
    }

    fn is_over(&self) -> bool {
        self.over
    }

    fn saw_content(&self) -> bool {
        self.content
    }

    fn summary(&self) -> &StreamSummary {
        &self.summary
    }

    fn end_mark(&self) -> &'static [u8] {
        b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
    }
}

pub(super) fn summarise(body: &[u8]) -> Result<StreamSummary, WireError> {
    let text = text(body)?;
    let answer = read_into(Message::default(), text).map_err(|error| WireError::of_shape(&error, text))?;
    if let Some(error) = answer.error.filter(|error| error.get() != "null") {
        return Err(WireError::Upstream(fault::in_event(error.get())));
    }
    if !answer.content.is_some_and(|content| content.get().starts_with('[')) {
        return Err(WireError::member("content", NO_ANSWER));
    }
    let (mut summary, mut counts) = (StreamSummary::default(), Counts::default());
    answer.tell(&mut summary, &mut counts);
    // An answer that says no reason is whole all the same.
    if summary.finish_reasons.is_empty() {
        summary.finish_reasons.push("end_turn".to_owned());
    }
    Ok(summary)
}

/// What is looked at of an event.
#[derive(Default)]
struct Event<'a> {
    kind: Option<Text<'a>>,
    message: Option<Obj<Message<'a>>>,
    block: Option<Obj<Block<'a>>>,
    delta: Option<Obj<Delta<'a>>>,
    usage: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
}

impl<'de> Members<'de> for Event<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "type" => self.kind = map.next_value()?,
            "message" => self.message = map.next_value()?,
            "content_block" => self.block = map.next_value()?,
            "delta" => self.delta = map.next_value()?,
            "usage" => self.usage = map.next_value()?,
            "error" => self.error = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

/// What is looked at of a message, whole or as it begins.
#[derive(Default)]
struct Message<'a> {
    id: Option<Text<'a>>,
    model: Option<Text<'a>>,
    content: Option<&'a RawValue>,
    stop_reason: Option<Text<'a>>,
    usage: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
}

impl<'de> Members<'de> for Message<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "id" => self.id = map.next_value()?,
            "model" => self.model = map.next_value()?,
            "content" => self.content = map.next_value()?,
            "stop_reason" => self.stop_reason = map.next_value()?,
            "usage" => self.usage = map.next_value()?,
            "error" => self.error = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

impl Message<'_> {
    fn tell(self, summary: &mut StreamSummary, told: &mut Counts) {
        summary.id = self.id.map(|Text(id)| id.into_owned()).unwrap_or_default();
        summary.model = self.model.map(|Text(model)| model.into_owned()).unwrap_or_default();
        *told = counts(self.usage);
        summary.usage = told.usage();
        let reason = self.stop_reason.map(|Text(reason)| reason.into_owned());
        summary.finish_reasons.extend(reason.filter(|reason| !reason.is_empty()));
    }
}

#[derive(Default)]
struct Block<'a> {
    kind: Option<Text<'a>>,
}

impl<'de> Members<'de> for Block<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "type" => self.kind = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

/// A block's growth, or the message's.
#[derive(Default)]
struct Delta<'a> {
    content: Option<&'a RawValue>,
    stop_reason: Option<Text<'a>>,
}

impl<'de> Members<'de> for Delta<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "text" | "thinking" | "partial_json" => {
                let value: &RawValue = map.next_value()?;
                self.content = Some(value).filter(|value| value.get().starts_with('"'));
            }
            "stop_reason" => self.stop_reason = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

fn counts(raw: Option<&RawValue>) -> Counts {
    Counts::of(raw.and_then(|raw| serde_json::from_str(raw.get()).ok())).0
}
