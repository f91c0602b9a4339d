//! Streams that are passed on unchanged.

use super::response::NO_ANSWER;
use super::{fault, forms, usage};
use crate::codec::{StreamGuard, StreamSummary};
use crate::error::{StreamFault, WireError, text};
use crate::guard::{Framing, Guard, Seen, Verdict, Watch, bad_event, truncated};
use crate::members::{Members, Obj, Text, read_into, skip};
use serde::de::value::MapAccessDeserializer;
use serde::de::{Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::fmt;

pub(super) fn guard() -> Box<dyn StreamGuard> {
    Box::new(Guard::new(Framing::Sse, Chunks::default()))
}

/// The bit of candidates beyond 62.
const SHARED: u64 = 1 << 63;

#[derive(Default)]
struct Chunks {
    summary: StreamSummary,
    /// Candidates seen and finished, a bit each; candidates beyond 62 share the last bit ([`SHARED`]).
    seen: u64,
    finished: u64,
    content: bool,
    over: bool,
}

impl Watch for Chunks {
    fn event(&mut self, event: &Seen<'_>) -> Result<Verdict, StreamFault> {
        let text = text(event.data).map_err(|_| bad_event("not valid UTF-8"))?;
        // Not the API's own, but of servers that speak several dialects; clients of the API cannot read it.
        if text == "[DONE]" {
            if !self.is_complete() {
                return Err(truncated());
            }
            self.over = true;
            return Ok(Verdict::Withhold);
        }
        if event.name == b"error" || text.starts_with('[') {
            let value = serde_json::from_str(text).map_err(|_| bad_event("not valid JSON"))?;
            if event.name == b"error" || fault::is_error(&value) {
                return Err(fault::in_answer(&value));
            }
        }
        let chunk = read_into(Chunk::default(), text).map_err(|_| bad_event("no chunk of an answer"))?;
        if chunk.is_error() {
            return Err(fault::in_answer(&serde_json::from_str(text).unwrap_or_default()));
        }
        if !chunk.is_answer() {
            return Err(bad_event("no chunk of an answer"));
        }
        chunk.sum_up(&mut self.summary);
        let candidates = chunk.candidates.unwrap_or_default();
        if candidates.late || candidates.says & self.finished & !SHARED != 0 {
            return Err(bad_event("content behind the end of its candidate"));
        }
        self.content |= candidates.content;
        self.seen |= candidates.seen;
        self.finished |= candidates.finished;
        self.summary.finish_reasons.extend(candidates.reasons);
        // A blocked prompt has no candidates.
        if let (0, Some(reason)) = (self.seen, chunk.blocked) {
            self.seen |= 1;
            self.finished |= 1;
            self.summary.finish_reasons.push(reason);
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
}

pub(super) fn summarise(body: &[u8]) -> Result<StreamSummary, WireError> {
    let text = text(body)?;
    let answer = match read_into(Chunk::default(), text) {
        Ok(answer) if !answer.is_error() => answer,
        // An error may also be an array of one.
        failed => {
            let value = serde_json::from_str(text).map_err(|error| WireError::json(&error, text))?;
            return Err(match failed {
                _ if fault::is_error(&value) => WireError::Upstream(fault::in_answer(&value)),
                Err(error) => WireError::of_shape(&error, text),
                Ok(_) => WireError::member("candidates", NO_ANSWER),
            });
        }
    };
    let mut summary = StreamSummary::default();
    answer.sum_up(&mut summary);
    match (answer.candidates, answer.blocked) {
        (Some(candidates), _) if candidates.seen != 0 => summary.finish_reasons = candidates.reasons,
        (_, Some(reason)) => summary.finish_reasons.push(reason),
        _ => return Err(WireError::member("candidates", NO_ANSWER)),
    }
    Ok(summary)
}

/// What is looked at of a chunk, or of a whole answer.
#[derive(Default)]
struct Chunk<'a> {
    id: Option<Text<'a>>,
    model: Option<Text<'a>>,
    candidates: Option<Candidates>,
    usage: Option<&'a RawValue>,
    blocked: Option<String>,
    error: Option<&'a RawValue>,
}

impl Chunk<'_> {
    fn is_error(&self) -> bool {
        self.error.is_some_and(|error| error.get() != "null")
    }

    fn is_answer(&self) -> bool {
        self.candidates.is_some() || self.usage.is_some() || self.blocked.is_some() || self.model.is_some()
    }

    fn sum_up(&self, summary: &mut StreamSummary) {
        if let Some(usage) = self.usage {
            summary.usage = usage::read(usage.get());
        }
        for (told, known) in [(&self.id, &mut summary.id), (&self.model, &mut summary.model)] {
            if let (Some(Text(told)), true) = (told, known.is_empty()) {
                told.as_ref().clone_into(known);
            }
        }
    }
}

impl<'de> Members<'de> for Chunk<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "responseId" => self.id = map.next_value()?,
            "modelVersion" => self.model = map.next_value()?,
            "candidates" => self.candidates = map.next_value()?,
            "usageMetadata" => self.usage = map.next_value()?,
            "promptFeedback" => {
                // One of another shape blocks nothing.
                let feedback: Value = map.next_value()?;
                self.blocked = feedback.get("blockReason").and_then(Value::as_str).map(str::to_owned);
            }
            "error" => self.error = map.next_value()?,
            _ => skip(map)?,
        }
        Ok(())
    }
}

/// A chunk's candidates, folded while they are read.
#[derive(Default)]
struct Candidates {
    seen: u64,
    finished: u64,
    /// Candidates of which something is said.
    says: u64,
    /// Whether one is told more of in the chunk that ended it.
    late: bool,
    content: bool,
    reasons: Vec<String>,
}

impl<'de> Deserialize<'de> for Candidates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fold;
        impl<'de> Visitor<'de> for Fold {
            type Value = Candidates;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of candidates")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Candidates, A::Error> {
                let mut folded = Candidates::default();
                let mut position = 0;
                while let Some(Obj(candidate)) = seq.next_element::<Obj<Candidate<'de>>>()? {
                    let bit = 1_u64 << candidate.index.unwrap_or(position).min(63);
                    folded.seen |= bit;
                    if candidate.content.says {
                        folded.late |= folded.finished & bit & !SHARED != 0;
                        folded.says |= bit;
                    }
                    let reason = candidate.finish_reason.map(|Text(reason)| reason);
                    let is_said = |reason: &str| !matches!(reason, "" | "FINISH_REASON_UNSPECIFIED");
                    if let Some(reason) = reason.filter(|reason| is_said(reason)) {
                        folded.finished |= bit;
                        folded.reasons.push(reason.into_owned());
                    }
                    folded.content |= candidate.content.any;
                    position += 1;
                }
                Ok(folded)
            }
        }
        deserializer.deserialize_seq(Fold)
    }
}

#[derive(Default)]
struct Candidate<'a> {
    index: Option<u64>,
    finish_reason: Option<Text<'a>>,
    content: Content,
}

impl<'de> Members<'de> for Candidate<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "index" => {
                let index: Value = map.next_value()?;
                self.index = forms::whole(&index);
                if self.index.is_none() && !index.is_null() {
                    return Err(A::Error::custom("index must be a whole number"));
                }
            }
            "finishReason" => self.finish_reason = map.next_value()?,
            "content" => self.content = map.next_value::<Option<Obj<_>>>()?.unwrap_or_default().0,
            _ => skip(map)?,
        }
        Ok(())
    }
}

#[derive(Default)]
struct Content {
    /// Whether there is anything in it, be it a signature.
    any: bool,
    /// Whether it says something.
    says: bool,
}

impl Content {
    fn add(&mut self, part: &Part) {
        self.any |= part.any;
        self.says |= part.says();
    }
}

impl<'de> Members<'de> for Content {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        if forms::camel_name(name) == "parts" {
            let Parts(content) = map.next_value()?;
            *self = content;
            return Ok(());
        }
        skip(map)
    }
}

/// A list of parts, or one, folded while they are read.
struct Parts(Content);

impl<'de> Deserialize<'de> for Parts {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fold;
        impl<'de> Visitor<'de> for Fold {
            type Value = Content;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of parts")
            }
            fn visit_unit<E: Error>(self) -> Result<Content, E> {
                Ok(Content::default())
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Content, A::Error> {
                let mut folded = Content::default();
                while let Some(Obj(part)) = seq.next_element::<Obj<Part>>()? {
                    folded.add(&part);
                }
                Ok(folded)
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Content, A::Error> {
                let Obj(part) = Obj::deserialize(MapAccessDeserializer::new(map))?;
                let mut folded = Content::default();
                folded.add(&part);
                Ok(folded)
            }
        }
        deserializer.deserialize_any(Fold).map(Self)
    }
}

#[derive(Default)]
struct Part {
    any: bool,
    /// Whether there is a text, and whether it says something.
    text: Option<bool>,
    /// Whether it is a call, a medium or the like.
    whole: bool,
    /// Whether it has members that a text has not.
    other: bool,
}

impl Part {
    fn says(&self) -> bool {
        self.whole || self.text.unwrap_or(self.other)
    }
}

impl<'de> Members<'de> for Part {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        let value: &RawValue = map.next_value()?;
        let (null, empty) = (value.get() == "null", value.get() == "\"\"");
        let name = forms::camel_name(name);
        self.any |= !null && !empty && name != "thought";
        match &*name {
            "thought" | "thoughtSignature" => {}
            "text" if null => {}
            "text" => self.text = Some(!empty),
            "functionCall" | "functionResponse" | "inlineData" | "fileData" => {
                self.whole |= !null;
                self.other = true;
            }
            _ => self.other = true,
        }
        Ok(())
    }
}
