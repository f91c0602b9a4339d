//! Streamed answers as upstreams send them. A whole answer is a stream of one chunk.

use super::grounding::Transcript;
use super::parts::{self, Read, Said};
use super::{calls, fault, forms, usage};
use crate::codec::StreamDecoder;
use crate::error::{WireError, text};
use crate::sse;
use crate::take;
use hanok_base::{
    Delta, Dialect, FinishReason, Object, Part, Reasoning, StreamEvent, Timestamp, ToolCall, ToolResult,
    Usage,
};
use serde_json::Value;
use std::collections::BTreeMap;

/// From an upstream's bytes to events.
#[derive(Default)]
pub(super) struct Decoder {
    parser: sse::Parser,
    answer: Answer,
}

impl StreamDecoder for Decoder {
    fn feed(&mut self, bytes: &[u8], events: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let answer = &mut self.answer;
        self.parser.feed(bytes, |event| answer.event(&event, events))
    }

    fn finish(&mut self) -> Result<(), WireError> {
        let answer = &mut self.answer;
        let complete = answer.is_complete();
        let mut late = Vec::new();
        match self.parser.finish(|event| answer.event(&event, &mut late)) {
            Err(WireError::Upstream(fault)) => Err(WireError::Upstream(fault)),
            // What was never closed by a blank line may itself be cut: it completes nothing, and takes nothing
            // from an answer that is complete without it.
            _ if complete => Ok(()),
            _ => Err(WireError::Truncated),
        }
    }
}

/// An answer while it comes.
#[derive(Default)]
pub(super) struct Answer {
    /// The answer's id; `None` before it began.
    id: Option<String>,
    done: bool,
    usage: Option<Usage>,
    choices: BTreeMap<u32, Open>,
}

/// A choice while it comes.
#[derive(Default)]
struct Open {
    parts: usize,
    growing: Option<(usize, Growing)>,
    calls: usize,
    said: Transcript,
    /// Unknown members that are told anew in each chunk: the last counts.
    held: Object,
    finished: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Growing {
    Text,
    Thought,
}

impl Answer {
    /// Whether each choice has its reason to end.
    pub(super) fn is_complete(&self) -> bool {
        !self.choices.is_empty() && self.choices.values().all(|open| open.finished)
    }

    fn event(&mut self, event: &sse::Event<'_>, events: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let data = text(event.data)?.trim();
        if self.done || data.is_empty() {
            return Ok(());
        }
        // Not the API's own, but of servers that speak several dialects.
        if data == "[DONE]" {
            self.done = true;
            return if self.is_complete() { Ok(()) } else { Err(WireError::Truncated) };
        }
        let value: Value = serde_json::from_str(data).map_err(|error| WireError::json(&error, data))?;
        if event.name == b"error" || fault::is_error(&value) {
            return Err(WireError::Upstream(fault::in_answer(&value)));
        }
        self.chunk(take::item(value, "body")?, events)
    }

    /// Takes a chunk.
    pub(super) fn chunk(
        &mut self,
        mut chunk: Object,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), WireError> {
        let candidates = take::array(&mut chunk, "candidates")?;
        let told = take::some(&mut chunk, "usageMetadata").map(|told| usage::of(&told));
        let feedback = chunk.get("promptFeedback").cloned();
        let blocked = feedback.as_ref().and_then(|feedback| feedback.get("blockReason")?.as_str());
        if self.id.is_none() {
            if candidates.is_empty() && blocked.is_none() {
                if told.is_none() && !chunk.contains_key("modelVersion") {
                    return Err(WireError::member("candidates", "is missing: this is no answer of Gemini"));
                }
                self.usage = told.or(self.usage);
                return Ok(());
            }
            self.start(chunk, events)?;
            let early = std::mem::take(&mut self.usage);
            if let (Some(early), None) = (early, told) {
                self.usage = Some(early);
                events.push(StreamEvent::Usage(early));
            }
        }
        for (i, value) in candidates.into_iter().enumerate() {
            let place = format!("candidates[{i}]");
            let object = take::item(value, &place)?;
            self.candidate(object, i, events).map_err(|error| take::under(&place, error))?;
        }
        if let (Some(reason), true) = (blocked, self.choices.is_empty()) {
            let message = feedback.as_ref().and_then(|feedback| feedback.get("blockReasonMessage")?.as_str());
            let message = message.map_or_else(|| format!("the prompt was blocked: {reason}"), str::to_owned);
            let open = self.choices.entry(0).or_default();
            open.whole(0, Part::Refusal(message), events);
            open.finish(0, FinishReason::ContentFilter, events);
        }
        if let Some(told) = told.filter(|told| self.usage != Some(*told)) {
            self.usage = Some(told);
            events.push(StreamEvent::Usage(told));
        }
        Ok(())
    }

    /// Ends the choices of a whole answer that do not say why they ended.
    pub(super) fn end(&mut self, events: &mut Vec<StreamEvent>) {
        for (index, open) in &mut self.choices {
            open.finish(*index, FinishReason::Stop, events);
        }
    }

    fn start(&mut self, mut extra: Object, events: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let id = take::string(&mut extra, "responseId")?.unwrap_or_default();
        let model = take::string(&mut extra, "modelVersion")?.unwrap_or_default();
        let created =
            take::string(&mut extra, "createTime")?.and_then(|time| Timestamp::parse_rfc3339(&time));
        extra.retain(|_, value| !value.is_null());
        events.push(StreamEvent::Start {
            id: id.as_str().into(),
            model: model.into(),
            created: created.map_or(0, Timestamp::seconds),
            dialect: Some(Dialect::Gemini),
            extra,
        });
        self.id = Some(id);
        Ok(())
    }

    fn candidate(
        &mut self,
        mut object: Object,
        position: usize,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), WireError> {
        let index = forms::count(&mut object, "index")?.unwrap_or(position as u64);
        let index = u32::try_from(index).map_err(|_| WireError::member("index", "is too large"))?;
        let id = self.id.as_deref().unwrap_or_default();
        let open = self.choices.entry(index).or_default();
        let mut content = take::map(&mut object, "content")?.unwrap_or_default();
        let finish = take::string(&mut object, "finishReason")?;
        for (i, value) in forms::list(&mut content, "parts")?.into_iter().enumerate() {
            let place = format!("content.parts[{i}]");
            let item = take::item(value, &place)?;
            let read = parts::read(item).map_err(|error| take::under(&place, error))?;
            open.part(index, id, read, events)?;
        }
        // Tokens' probabilities are told piece by piece, the rest anew each time.
        if let Some(told) = take::some(&mut object, "logprobsResult") {
            let extra = Object::from_iter([("logprobsResult".to_owned(), told)]);
            events.push(StreamEvent::ChoiceExtra { choice: index, extra });
        }
        for (name, value) in object {
            if open.finished || value.is_null() {
                continue;
            }
            match (open.held.get_mut(&name), value) {
                // Which of these members a chunk tells differs from chunk to chunk.
                (Some(Value::Object(old)), Value::Object(new)) if name == "groundingMetadata" => {
                    old.extend(new);
                }
                (_, value) => drop(open.held.insert(name, value)),
            }
        }
        // So a proto says that there is none yet.
        if let Some(reason) =
            finish.filter(|reason| !matches!(reason.as_str(), "" | "FINISH_REASON_UNSPECIFIED"))
        {
            let told = finish_reason(&reason, open.calls > 0);
            if encode_reason(&told, false) != reason {
                open.held.insert("finishReason".to_owned(), reason.into());
            }
            open.finish(index, told, events);
        }
        Ok(())
    }
}

impl Open {
    fn begin(&mut self, choice: u32, value: Part, events: &mut Vec<StreamEvent>) -> usize {
        self.settle(choice, events);
        let part = self.parts;
        self.parts += 1;
        events.push(StreamEvent::PartStart { choice, part, value });
        part
    }

    fn whole(&mut self, choice: u32, value: Part, events: &mut Vec<StreamEvent>) {
        let part = self.begin(choice, value, events);
        events.push(StreamEvent::PartEnd { choice, part });
    }

    /// Ends the part that grows.
    fn settle(&mut self, choice: u32, events: &mut Vec<StreamEvent>) {
        if let Some((part, _)) = self.growing.take() {
            events.push(StreamEvent::PartEnd { choice, part });
        }
    }

    fn part(
        &mut self,
        choice: u32,
        answer: &str,
        read: Read,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), WireError> {
        let is_empty = matches!(&read, Read::Text(text) if text.text.is_empty());
        if self.finished {
            // A choice that ended has no place for more, and what it said must not get lost in silence. A late
            // signature says nothing.
            let late = || WireError::member("content", "goes on behind the end of the choice");
            return if is_empty { Ok(()) } else { Err(late()) };
        }
        self.said.part();
        match read {
            Read::Text(text) if is_empty && text.signature.is_none() => {}
            Read::Text(text) if text.thought => self.thought(choice, text, events),
            Read::Text(text) => self.text(choice, text, events),
            Read::Call(call) => self.call(choice, answer, call, events),
            Read::Answer(parts::Answer { name, parts, is_error, .. }) => {
                self.whole(choice, Part::ToolResult(ToolResult { call_id: name, parts, is_error }), events);
            }
            Read::Part(part) => self.whole(choice, part, events),
        }
        Ok(())
    }

    fn grow(&mut self, choice: u32, kind: Growing, text: String, events: &mut Vec<StreamEvent>) -> usize {
        let part = match self.growing {
            Some((part, growing)) if growing == kind => part,
            _ => {
                let value = match kind {
                    Growing::Text => Part::Text(String::new()),
                    Growing::Thought => Part::Reasoning(Reasoning::default()),
                };
                self.begin(choice, value, events)
            }
        };
        self.growing = Some((part, kind));
        if !text.is_empty() {
            let delta = match kind {
                Growing::Text => Delta::Text(text),
                Growing::Thought => Delta::Reasoning(text),
            };
            events.push(StreamEvent::PartDelta { choice, part, delta });
        }
        part
    }

    fn text(&mut self, choice: u32, text: Said, events: &mut Vec<StreamEvent>) {
        if !text.text.is_empty() {
            self.said.text(&text.text);
            self.grow(choice, Growing::Text, text.text, events);
        }
        // The signature of a text is a part behind it; what follows is another text.
        if text.signature.is_some() {
            let reasoning = Reasoning { signature: text.signature, ..Reasoning::default() };
            self.whole(choice, Part::Reasoning(reasoning), events);
        }
    }

    /// A thought goes on until its signature, which may come in a part of its own.
    fn thought(&mut self, choice: u32, text: Said, events: &mut Vec<StreamEvent>) {
        let Said { text, signature, hidden, .. } = text;
        let goes_on = matches!(self.growing, Some((_, Growing::Thought)));
        if hidden || (text.is_empty() && !goes_on) {
            let mut extra = Object::new();
            if !hidden {
                extra.insert("thought".to_owned(), true.into());
            }
            self.whole(
                choice,
                Part::Reasoning(Reasoning { text, signature, redacted: hidden, extra }),
                events,
            );
            return;
        }
        let part = self.grow(choice, Growing::Thought, text, events);
        if let Some(signature) = signature {
            events.push(StreamEvent::PartDelta { choice, part, delta: Delta::Signature(signature) });
            self.settle(choice, events);
        }
    }

    fn call(&mut self, choice: u32, answer: &str, mut call: ToolCall, events: &mut Vec<StreamEvent>) {
        let arguments = std::mem::take(&mut call.arguments);
        if call.id.is_empty() {
            call.id = calls::of_answer(answer, choice, self.calls, &call.name, &arguments);
        }
        self.calls += 1;
        let part = self.begin(choice, Part::ToolCall(call), events);
        events.push(StreamEvent::PartDelta { choice, part, delta: Delta::Arguments(arguments) });
        events.push(StreamEvent::PartEnd { choice, part });
    }

    fn finish(&mut self, choice: u32, reason: FinishReason, events: &mut Vec<StreamEvent>) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        self.settle(choice, events);
        let grounding = self.held.get("groundingMetadata").and_then(Value::as_object);
        let cited = self.said.citations(grounding, self.held.get("citationMetadata"));
        for citation in cited {
            self.whole(choice, Part::Citation(citation), events);
        }
        let extra = std::mem::take(&mut self.held);
        if !extra.is_empty() {
            events.push(StreamEvent::ChoiceExtra { choice, extra });
        }
        events.push(StreamEvent::Finish { choice, reason });
    }
}

fn finish_reason(name: &str, calls: bool) -> FinishReason {
    match name {
        "STOP" if calls => FinishReason::ToolCalls,
        "STOP" => FinishReason::Stop,
        "MAX_TOKENS" => FinishReason::Length,
        "SAFETY"
        | "RECITATION"
        | "BLOCKLIST"
        | "PROHIBITED_CONTENT"
        | "SPII"
        | "IMAGE_SAFETY"
        | "IMAGE_PROHIBITED_CONTENT"
        | "IMAGE_RECITATION" => FinishReason::ContentFilter,
        other => FinishReason::Other(other.to_owned()),
    }
}

/// The reason in the API's words. An answer that `refused` ended for its safety, whatever its provider calls
/// that.
pub(super) fn encode_reason(reason: &FinishReason, refused: bool) -> &str {
    match reason {
        FinishReason::Stop | FinishReason::StopText(_) if refused => "SAFETY",
        FinishReason::Stop | FinishReason::StopText(_) | FinishReason::ToolCalls => "STOP",
        FinishReason::Length => "MAX_TOKENS",
        FinishReason::ContentFilter => "SAFETY",
        // Words of another dialect are none that clients know.
        FinishReason::Other(other) if other.bytes().all(|b| b.is_ascii_uppercase() || b == b'_') => other,
        FinishReason::Other(_) => "OTHER",
    }
}
