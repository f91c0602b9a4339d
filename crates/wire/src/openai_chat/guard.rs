//! Streams that are passed on unchanged.

use super::{fault, take};
use crate::codec::{Fed, GuardOptions, StreamGuard, StreamSummary};
use crate::error::{StreamFault, WireError, text};
use crate::sse::{self, EVENT_LIMIT};
use bytes::{Bytes, BytesMut};
use hanok_base::{ProviderErrorKind, Usage};
use memchr::memchr;
use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

const DONE: &[u8] = b"data: [DONE]\n\n";

pub(super) struct Guard {
    options: GuardOptions,
    /// An event that is not complete yet.
    pending: BytesMut,
    summary: StreamSummary,
    /// Choices seen and finished, a bit each; choices beyond 63 share the last bit.
    seen: u64,
    finished: u64,
    content: bool,
    done: bool,
    failed: bool,
}

impl Guard {
    pub(super) fn new(options: GuardOptions) -> Self {
        Self {
            options,
            pending: BytesMut::new(),
            summary: StreamSummary::default(),
            seen: 0,
            finished: 0,
            content: false,
            done: false,
            failed: false,
        }
    }

    /// Checks `whole`, which ends at an event's end.
    fn check(&mut self, whole: &Bytes) -> Fed {
        let mut passed = 0;
        let mut withheld: Vec<Range<usize>> = Vec::new();
        let mut fault = None;
        for event in Events::of(whole) {
            if self.done {
                break;
            }
            match self.event(&event) {
                Ok(Verdict::Pass) => {}
                Ok(Verdict::Withhold) => withheld.push(event.at.clone()),
                Err(found) => {
                    self.failed = true;
                    fault = Some(found);
                    break;
                }
            }
            passed = event.at.end;
        }
        let bytes = if withheld.is_empty() {
            whole.slice(..passed)
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

    fn event(&mut self, event: &Event<'_>) -> Result<Verdict, StreamFault> {
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return Ok(Verdict::Pass);
        }
        if data == b"[DONE]" {
            if !self.is_complete() {
                return Err(truncated());
            }
            self.done = true;
            return Ok(Verdict::Pass);
        }
        let bad = |what: &str| {
            StreamFault::new(ProviderErrorKind::Decode, format!("an event of the stream is {what}"))
        };
        let text = text(data).map_err(|_| bad("not valid UTF-8"))?;
        let chunk: Chunk<'_> = serde_json::from_str(text).map_err(|_| bad("no chat completion chunk"))?;
        if let Some(error) = chunk.error.filter(|error| error.get() != "null") {
            return Err(fault::in_answer(&serde_json::from_str(error.get()).unwrap_or_default()));
        }
        let usage = chunk.usage.filter(|usage| usage.get() != "null");
        if let Some(usage) = usage {
            self.summary.usage = usage_of(usage);
        }
        if self.summary.id.is_empty()
            && let Some(id) = chunk.id
        {
            self.summary.id = id.into_owned();
        }
        if self.summary.model.is_empty()
            && let Some(model) = chunk.model
        {
            self.summary.model = model.into_owned();
        }
        let choices = chunk.choices.unwrap_or_default();
        self.seen |= choices.seen;
        self.finished |= choices.finished;
        self.content |= choices.content;
        self.summary.finish_reasons.extend(choices.reasons);
        if self.options.hide_usage && usage.is_some() && choices.seen == 0 {
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
        if self.done || self.failed {
            return Fed { bytes: Bytes::new(), fault: None };
        }
        let whole = if self.pending.is_empty() {
            let boundary = sse::last_boundary(&piece).unwrap_or(0);
            self.pending.extend_from_slice(piece.get(boundary..).unwrap_or_default());
            piece.slice(..boundary)
        } else {
            // The seam may lie inside an event or a line end, so only the joined bytes can tell.
            self.pending.extend_from_slice(&piece);
            let boundary = sse::last_boundary(&self.pending).unwrap_or(0);
            self.pending.split_to(boundary).freeze()
        };
        if self.pending.len() > EVENT_LIMIT {
            self.failed = true;
            let limit = WireError::EventTooLarge { limit: EVENT_LIMIT };
            let fault = StreamFault::new(ProviderErrorKind::Decode, limit.to_string());
            return Fed { bytes: Bytes::new(), fault: Some(fault) };
        }
        self.check(&whole)
    }

    fn finish(&mut self) -> Fed {
        if self.failed {
            return Fed { bytes: Bytes::new(), fault: None };
        }
        // Some upstreams forget the blank line behind their last event, or end lines with lone CRs.
        let mut fed = Fed { bytes: Bytes::new(), fault: None };
        if !self.done && !self.pending.is_empty() {
            let rest = std::mem::take(&mut self.pending);
            let mut text: Vec<u8> = rest.iter().map(|byte| if *byte == b'\r' { b'\n' } else { *byte }).collect();
            text.extend_from_slice(b"\n\n");
            fed = self.check(&Bytes::from(text));
            if fed.fault.is_some() && !self.is_complete() {
                // Half an event is no event of a bad kind: the stream was cut inside it.
                fed.fault = Some(truncated());
            }
        }
        if fed.fault.is_some() {
            return fed;
        }
        if !self.is_complete() {
            self.failed = true;
            fed.fault = Some(truncated());
        } else if !self.done {
            self.done = true;
            fed.bytes = [fed.bytes.as_ref(), DONE].concat().into();
        }
        fed
    }

    fn is_complete(&self) -> bool {
        self.seen != 0 && self.seen == self.finished
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

pub(super) fn summarise(body: &[u8]) -> Result<StreamSummary, WireError> {
    let text = text(body)?;
    let answer: Chunk<'_> = serde_json::from_str(text).map_err(|error| WireError::json(&error, text))?;
    if let Some(error) = answer.error.filter(|error| error.get() != "null") {
        return Err(WireError::Upstream(fault::in_answer(&serde_json::from_str(error.get()).unwrap_or_default())));
    }
    Ok(StreamSummary {
        id: answer.id.map(Cow::into_owned).unwrap_or_default(),
        model: answer.model.map(Cow::into_owned).unwrap_or_default(),
        usage: answer.usage.filter(|usage| usage.get() != "null").map(usage_of).unwrap_or_default(),
        finish_reasons: answer.choices.unwrap_or_default().reasons,
    })
}

fn usage_of(raw: &RawValue) -> Usage {
    take::usage(&serde_json::from_str::<Value>(raw.get()).unwrap_or_default())
}

/// What is looked at of a chunk, or of a whole answer.
#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    model: Option<Cow<'a, str>>,
    #[serde(default)]
    choices: Option<Choices>,
    #[serde(borrow, default)]
    usage: Option<&'a RawValue>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
}

/// A chunk's choices, folded while they are read.
#[derive(Default)]
struct Choices {
    seen: u64,
    finished: u64,
    content: bool,
    reasons: Vec<String>,
}

impl<'de> Deserialize<'de> for Choices {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fold;
        impl<'de> Visitor<'de> for Fold {
            type Value = Choices;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of choices")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Choices, A::Error> {
                let mut folded = Choices::default();
                let mut position = 0;
                while let Some(choice) = seq.next_element::<Choice<'de>>()? {
                    let bit = 1_u64 << choice.index.unwrap_or(position).min(63);
                    folded.seen |= bit;
                    if let Some(reason) = choice.finish_reason {
                        folded.finished |= bit;
                        folded.reasons.push(reason.into_owned());
                    }
                    folded.content |= choice.delta.is_some_and(|delta| delta.has_content());
                    position += 1;
                }
                Ok(folded)
            }
        }
        deserializer.deserialize_seq(Fold)
    }
}

#[derive(Deserialize)]
struct Choice<'a> {
    #[serde(default)]
    index: Option<u32>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    delta: Option<DeltaPeek<'a>>,
}

#[derive(Deserialize)]
struct DeltaPeek<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning: Option<&'a RawValue>,
    #[serde(borrow, default)]
    refusal: Option<&'a RawValue>,
    #[serde(default)]
    tool_calls: Option<IgnoredAny>,
}

impl DeltaPeek<'_> {
    fn has_content(&self) -> bool {
        self.tool_calls.is_some()
            || [self.content, self.reasoning_content, self.reasoning, self.refusal]
                .into_iter()
                .flatten()
                .any(|value| !matches!(value.get(), "\"\"" | "null"))
    }
}

/// An event with the bytes it stands in, its blank line included.
struct Event<'a> {
    data: Cow<'a, [u8]>,
    at: Range<usize>,
}

/// The events of bytes that end at an event's end.
struct Events<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Events<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }
}

impl<'a> Iterator for Events<'a> {
    type Item = Event<'a>;

    fn next(&mut self) -> Option<Event<'a>> {
        let start = self.at;
        let mut data: Option<Cow<'a, [u8]>> = None;
        loop {
            let rest = self.bytes.get(self.at..)?;
            let Some(newline) = memchr(b'\n', rest) else {
                // Only when the bytes do not end at an event's end.
                return None;
            };
            let line = rest.get(..newline)?;
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let line = if self.at == 0 { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) } else { line };
            self.at += newline + 1;
            if line.is_empty() {
                return Some(Event { data: data.unwrap_or_default(), at: start..self.at });
            }
            if let (b"data", value) = sse::field(line) {
                match &mut data {
                    None => data = Some(Cow::Borrowed(value)),
                    Some(joined) => {
                        let joined = joined.to_mut();
                        joined.push(b'\n');
                        joined.extend_from_slice(value);
                    }
                }
            }
        }
    }
}
