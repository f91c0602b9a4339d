//! Streams that are passed on unchanged.

use super::chunk::says;
use super::fault;
use super::{response::NO_ANSWER, usage};
use crate::codec::{GuardOptions, StreamGuard, StreamSummary};
use crate::error::{StreamFault, WireError, text};
use crate::guard::{Framing, Guard, Seen, Verdict, Watch, bad_event, truncated};
use crate::members::{Members, Obj, Text, if_of_shape, read_into, skip};
use crate::template::Template;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::fmt;

pub(super) fn guard(options: GuardOptions) -> Box<dyn StreamGuard> {
    Box::new(Guard::new(Framing::Sse, Chunks { options, ..Chunks::default() }))
}

/// The bit of choices beyond 62.
const SHARED: u64 = 1 << 63;

#[derive(Default)]
struct Chunks {
    options: GuardOptions,
    summary: StreamSummary,
    /// A chunk that told nothing but some content.
    template: Template,
    /// Choices seen and finished, a bit each; choices beyond 62 share the last bit ([`SHARED`]).
    seen: u64,
    finished: u64,
    content: bool,
    over: bool,
}

impl Watch for Chunks {
    fn event(&mut self, event: &Seen<'_>) -> Result<Verdict, StreamFault> {
        let (data, is_error) = (event.data, event.name == b"error");
        if !is_error && let Some(content) = self.template.string(data) {
            self.content |= !content.is_empty();
            return Ok(Verdict::Pass);
        }
        if data == b"[DONE]" {
            // Some servers send their end mark whatever happened; only a reason says that a choice is whole.
            if !self.is_complete() {
                return Err(truncated());
            }
            self.over = true;
            return Ok(Verdict::Pass);
        }
        let text = text(data).map_err(|_| bad_event("not valid UTF-8"))?;
        if is_error {
            return Err(fault::in_event(text));
        }
        let chunk = read_into(Chunk::default(), text).map_err(|_| bad_event("no chat completion chunk"))?;
        if let Some(error) = chunk.error {
            return Err(fault::in_answer(&serde_json::from_str(error.get()).unwrap_or_default()));
        }
        if let Some(usage) = chunk.usage.or(chunk.usage_beside) {
            self.summary.usage = usage::read(usage.get());
        }
        if self.summary.id.is_empty()
            && let Some(Text(id)) = chunk.id
        {
            self.summary.id = id.into_owned();
        }
        if self.summary.model.is_empty()
            && let Some(Text(model)) = chunk.model
        {
            self.summary.model = model.into_owned();
        }
        let choices = chunk.choices.unwrap_or_default();
        if choices.late || choices.says & self.finished & !SHARED != 0 {
            return Err(bad_event("content behind the end of its choice"));
        }
        if let (Some(content), 0, None) = (choices.text, choices.finished, chunk.usage.or(chunk.usage_beside))
        {
            self.template.learn(text, content);
        }
        if choices.finished != 0 {
            // What was learnt of a choice's growth must not outlive it.
            self.template = Template::default();
        }
        self.seen |= choices.seen;
        self.finished |= choices.finished;
        self.content |= choices.content;
        self.summary.finish_reasons.extend(choices.reasons);
        if self.options.hide_usage && chunk.usage.is_some() && choices.seen == 0 {
            return Ok(Verdict::Withhold);
        }
        Ok(Verdict::Pass)
    }

    fn is_complete(&self) -> bool {
        self.seen != 0 && self.seen == self.finished
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
        b"data: [DONE]\n\n"
    }
}

pub(super) fn summarise(body: &[u8]) -> Result<StreamSummary, WireError> {
    let text = text(body)?;
    let answer = read_into(Chunk::default(), text).map_err(|error| WireError::of_shape(&error, text))?;
    if let Some(error) = answer.error {
        return Err(WireError::Upstream(fault::in_answer(
            &serde_json::from_str(error.get()).unwrap_or_default(),
        )));
    }
    let choices = answer.choices.ok_or_else(|| WireError::member("choices", NO_ANSWER))?;
    Ok(StreamSummary {
        id: answer.id.map(|Text(id)| id.into_owned()).unwrap_or_default(),
        model: answer.model.map(|Text(model)| model.into_owned()).unwrap_or_default(),
        usage: answer.usage.or(answer.usage_beside).map(|usage| usage::read(usage.get())).unwrap_or_default(),
        finish_reasons: choices.reasons,
    })
}

/// What is looked at of a chunk, or of a whole answer.
#[derive(Default)]
struct Chunk<'a> {
    id: Option<Text<'a>>,
    model: Option<Text<'a>>,
    choices: Option<Choices<'a>>,
    usage: Option<&'a RawValue>,
    usage_beside: Option<&'a RawValue>,
    error: Option<&'a RawValue>,
}

impl<'de> Members<'de> for Chunk<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "id" => self.id = map.next_value()?,
            "model" => self.model = map.next_value()?,
            "choices" => self.choices = map.next_value()?,
            "usage" => self.usage = map.next_value()?,
            "x_groq" => {
                // One of another shape is a vendor's own affair.
                let beside: Option<Obj<Beside<'_>>> = if_of_shape(map)?;
                self.usage_beside = beside.and_then(|at| at.0.usage);
            }
            "error" => self.error = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

/// Usage in a vendor's own member, sent where the client did not ask for usage.
#[derive(Default)]
struct Beside<'a> {
    usage: Option<&'a RawValue>,
}

impl<'de> Members<'de> for Beside<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "usage" => self.usage = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

/// A chunk's choices, folded while they are read.
#[derive(Default)]
struct Choices<'a> {
    seen: u64,
    finished: u64,
    /// Choices of which something is said.
    says: u64,
    /// Whether one is told more of in the chunk that ended it.
    late: bool,
    content: bool,
    /// Some of the content, that is a string.
    text: Option<&'a RawValue>,
    reasons: Vec<String>,
}

impl<'de> Deserialize<'de> for Choices<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fold;
        impl<'de> Visitor<'de> for Fold {
            type Value = Choices<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of choices")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Choices<'de>, A::Error> {
                let mut folded = Choices::default();
                let mut position = 0;
                while let Some(Obj(choice)) = seq.next_element::<Obj<Choice<'de>>>()? {
                    let bit = 1_u64 << choice.index.unwrap_or(position).min(63);
                    folded.seen |= bit;
                    if choice.delta.says {
                        folded.late |= folded.finished & bit & !SHARED != 0;
                        folded.says |= bit;
                    }
                    // An empty reason is how some vendors say that there is none yet.
                    if let Some(Text(reason)) = choice.finish_reason.filter(|reason| !reason.0.is_empty()) {
                        folded.finished |= bit;
                        folded.reasons.push(reason.into_owned());
                    }
                    folded.content |= choice.delta.content;
                    folded.text = folded.text.or(choice.delta.text);
                    position += 1;
                }
                Ok(folded)
            }
        }
        deserializer.deserialize_seq(Fold)
    }
}

#[derive(Default)]
struct Choice<'a> {
    index: Option<u32>,
    finish_reason: Option<Text<'a>>,
    delta: Delta<'a>,
}

impl<'de> Members<'de> for Choice<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "index" => self.index = map.next_value()?,
            "finish_reason" => self.finish_reason = map.next_value()?,
            "delta" => self.delta = map.next_value::<Option<Obj<_>>>()?.unwrap_or_default().0,
            _ => skip(map)?,
        }
        Ok(())
    }
}

#[derive(Default)]
struct Delta<'a> {
    /// Content, or annotations of it.
    says: bool,
    content: bool,
    text: Option<&'a RawValue>,
}

impl<'de> Members<'de> for Delta<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "content" | "reasoning_content" | "reasoning" | "refusal" | "tool_calls"
            | "reasoning_details" | "images" => {
                let value: &RawValue = map.next_value()?;
                if says(value) {
                    (self.says, self.content) = (true, true);
                    self.text = self.text.or(Some(value).filter(|value| value.get().starts_with('"')));
                }
            }
            "annotations" => self.says |= says(map.next_value()?),
            _ => skip(map)?,
        }
        Ok(())
    }
}
