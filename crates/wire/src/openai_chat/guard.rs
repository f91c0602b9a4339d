//! Streams that are passed on unchanged.

use super::fault;
use super::members::{Members, Obj, Text, read_into, skip};
use super::template::Template;
use super::{response::NO_ANSWER, usage};
use crate::codec::{Fed, GuardOptions, StreamGuard, StreamSummary};
use crate::error::{StreamFault, WireError, text};
use crate::sse::{self, EVENT_LIMIT, WholeEvent};
use bytes::{Bytes, BytesMut};
use hanok_base::ProviderErrorKind;
use serde::de::{MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::fmt;
use std::ops::Range;

const DONE: &[u8] = b"data: [DONE]\n\n";

pub(super) struct Guard {
    options: GuardOptions,
    /// An event that is not complete yet.
    pending: BytesMut,
    summary: StreamSummary,
    /// A chunk that told nothing but some content.
    template: Template,
    /// Choices seen and finished, a bit each; choices beyond 63 share the last bit.
    seen: u64,
    finished: u64,
    content: bool,
    begun: bool,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// More may come.
    Open,
    /// The end mark was there.
    Done,
    /// Nothing may follow.
    Failed,
}

impl Guard {
    pub(super) fn new(options: GuardOptions) -> Self {
        Self {
            options,
            pending: BytesMut::new(),
            summary: StreamSummary::default(),
            template: Template::default(),
            seen: 0,
            finished: 0,
            content: false,
            begun: false,
            phase: Phase::Open,
        }
    }

    /// Checks `whole`, which ends at an event's end.
    fn check(&mut self, whole: Bytes) -> Fed {
        let mut passed = 0;
        let mut withheld: Vec<Range<usize>> = Vec::new();
        let mut fault = None;
        let first = !self.begun;
        self.begun |= !whole.is_empty();
        for event in sse::events(&whole, first) {
            if self.phase == Phase::Done {
                break;
            }
            match self.event(&event) {
                Ok(Verdict::Pass) => {}
                Ok(Verdict::Withhold) => withheld.push(event.at.clone()),
                Err(found) => {
                    self.phase = Phase::Failed;
                    fault = Some(found);
                    break;
                }
            }
            passed = event.at.end;
        }
        let bytes = if withheld.is_empty() {
            if passed == whole.len() { whole } else { whole.slice(..passed) }
        } else {
            let mut kept = BytesMut::with_capacity(passed);
            let mut from = 0;
            for gap in withheld {
                kept.extend_from_slice(whole.get(from..gap.start).unwrap_or_default());
                from = gap.end;
            }
            kept.extend_from_slice(whole.get(from..passed).unwrap_or_default());
            kept.freeze()
        };
        Fed { bytes, fault }
    }

    fn event(&mut self, event: &WholeEvent<'_>) -> Result<Verdict, StreamFault> {
        if event.at.len() > EVENT_LIMIT {
            return Err(too_large());
        }
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return Ok(Verdict::Pass);
        }
        if !event.is_error
            && let Some(content) = self.template.string(data)
        {
            self.content |= !content.is_empty();
            return Ok(Verdict::Pass);
        }
        if data == b"[DONE]" {
            // Some servers send their end mark whatever happened; only a reason says that a choice is whole.
            if !self.is_complete() {
                return Err(truncated());
            }
            self.phase = Phase::Done;
            return Ok(Verdict::Pass);
        }
        let bad = |what: &str| {
            StreamFault::new(ProviderErrorKind::Decode, format!("an event of the stream is {what}"))
        };
        let text = text(data).map_err(|_| bad("not valid UTF-8"))?;
        if event.is_error {
            return Err(fault::in_event(text));
        }
        let chunk = read_into(Chunk::default(), text).map_err(|_| bad("no chat completion chunk"))?;
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
        if let (Some(content), 0, None) = (choices.text, choices.finished, chunk.usage.or(chunk.usage_beside))
        {
            self.template.learn(text, content);
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
}

enum Verdict {
    Pass,
    Withhold,
}

impl StreamGuard for Guard {
    fn feed(&mut self, piece: Bytes) -> Fed {
        if self.phase != Phase::Open {
            return Fed { bytes: Bytes::new(), fault: None };
        }
        let whole = if self.pending.is_empty() {
            let boundary = sse::last_boundary(&piece, 0).unwrap_or(0);
            self.pending.extend_from_slice(piece.get(boundary..).unwrap_or_default());
            if boundary == piece.len() { piece } else { piece.slice(..boundary) }
        } else {
            // The seam may lie inside an event or a line end, so only the joined bytes can tell.
            let seam = self.pending.len();
            self.pending.extend_from_slice(&piece);
            let boundary = sse::last_boundary(&self.pending, seam).unwrap_or(0);
            self.pending.split_to(boundary).freeze()
        };
        let mut fed = self.check(whole);
        if self.phase == Phase::Open && self.pending.len() > EVENT_LIMIT {
            self.phase = Phase::Failed;
            fed.fault = Some(too_large());
        }
        fed
    }

    fn finish(&mut self) -> Fed {
        let mut fed = Fed { bytes: Bytes::new(), fault: None };
        if self.phase == Phase::Failed {
            return fed;
        }
        if self.phase == Phase::Open && !self.pending.is_empty() {
            // Some upstreams forget the blank line behind their last event, or end lines with lone CRs.
            let mut rest = std::mem::take(&mut self.pending);
            rest.extend_from_slice(b"\n\n");
            fed = self.check(rest.freeze());
            // Half an event is no event of a bad kind: the stream was cut inside it.
            if fed.fault.as_ref().is_some_and(|fault| fault.kind == ProviderErrorKind::Decode) {
                self.phase = Phase::Open;
                fed.fault = None;
            }
        }
        if fed.fault.is_some() {
            return fed;
        }
        if !self.is_complete() {
            self.phase = Phase::Failed;
            fed.fault = Some(truncated());
        } else if self.phase == Phase::Open {
            self.phase = Phase::Done;
            fed.bytes = [fed.bytes.as_ref(), DONE].concat().into();
        }
        fed
    }

    fn is_complete(&self) -> bool {
        self.phase != Phase::Failed && self.seen != 0 && self.seen == self.finished
    }

    fn is_over(&self) -> bool {
        self.phase == Phase::Done
    }

    fn saw_content(&self) -> bool {
        self.content
    }

    fn summary(&self) -> &StreamSummary {
        &self.summary
    }
}

fn truncated() -> StreamFault {
    StreamFault::new(ProviderErrorKind::Truncated, WireError::Truncated.to_string())
}

fn too_large() -> StreamFault {
    let limit = WireError::EventTooLarge { limit: EVENT_LIMIT };
    StreamFault::new(ProviderErrorKind::Decode, limit.to_string())
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
                let beside: Option<Obj<Beside<'_>>> = map.next_value()?;
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
    content: bool,
    text: Option<&'a RawValue>,
}

impl<'de> Members<'de> for Delta<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "content" | "reasoning_content" | "reasoning" | "refusal" | "tool_calls" => {
                let value: &RawValue = map.next_value()?;
                if !matches!(value.get(), "null" | "\"\"" | "[]") {
                    self.content = true;
                    self.text = self.text.or(Some(value).filter(|value| value.get().starts_with('"')));
                }
            }
            _ => skip(map)?,
        }
        Ok(())
    }
}
