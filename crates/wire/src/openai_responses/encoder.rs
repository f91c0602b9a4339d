//! Streamed answers as clients want them: one item after the other, each with all its events, in order.
//!
//! Parts may grow in turns, and many upstreams end none before the last. So what grows is a queue of segments:
//! the first one is written as it grows, the others wait. The first gives way to the next when it has ended,
//! or when it can go on later as another item: a text or a thought can, a call only when its arguments are
//! whole.

use super::events::Writer;
use super::items::{ITEMS, LOGPROBS};
use super::response::{self, End, HANOK, LATE, Shape};
use super::{citation, fault, usage};
use crate::codec::{StreamEncoder, StreamOptions};
use hanok_base::{
    Delta, Dialect, FinishReason, Object, Part, Problem, Reasoning, Signature, StreamEvent, ToolCall, Usage,
};
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

const OWN: Dialect = Dialect::OpenAiResponses;

/// From events to a client's bytes.
pub(super) struct Encoder {
    options: StreamOptions,
    writer: Writer,
    shape: Option<Shape>,
    own: bool,
    /// The one choice that the dialect has room for.
    choice: Option<u32>,
    queue: VecDeque<Segment>,
    /// Code points of each text part so far.
    chars: BTreeMap<usize, usize>,
    /// The calls that are written, by part.
    written: BTreeMap<usize, Call>,
    /// What kind of part each is, for what comes when its segment is written.
    kinds: BTreeMap<usize, Again>,
    finish: Option<FinishReason>,
    usage: Usage,
    late: Object,
    /// Whether the answer is one of Hanok's own.
    ours: bool,
}

struct Call {
    /// Where its item stands in the output.
    index: usize,
    call_id: String,
}

#[derive(Clone, Copy)]
enum Again {
    Text,
    Refusal,
    Reasoning,
    Other,
}

/// A stretch of one part.
pub(super) struct Segment {
    part: usize,
    pub(super) what: What,
    /// All of its text, thought or arguments, and how many bytes of it are written.
    pub(super) text: String,
    pub(super) sent: usize,
    begun: bool,
    ended: bool,
}

pub(super) enum What {
    Text {
        /// Code points of the part before this segment.
        offset: usize,
        notes: Grown,
        tokens: Grown,
    },
    Refusal,
    Reasoning {
        /// Its text aside.
        reasoning: Reasoning,
        /// Whether its text is one even where it is empty, and whether it was begun.
        named: bool,
        begun: bool,
    },
    Call(ToolCall),
    /// A content part that does not grow.
    Content(Value),
    /// An item that does not grow.
    Item(Value),
    Image(hanok_base::Media),
    /// The signature of a call.
    Signature {
        call_id: String,
        signature: Signature,
    },
}

/// Values that were written up to some point.
#[derive(Default)]
pub(super) struct Grown {
    pub(super) values: Vec<Value>,
    pub(super) sent: usize,
}

impl Grown {
    pub(super) fn unsent(&self) -> &[Value] {
        self.values.get(self.sent..).unwrap_or_default()
    }
}

impl What {
    fn text(offset: usize) -> Self {
        Self::Text { offset, notes: Grown::default(), tokens: Grown::default() }
    }

    fn thought(reasoning: Reasoning, named: bool) -> Self {
        Self::Reasoning { reasoning, named, begun: false }
    }
}

impl Segment {
    fn new(part: usize, what: What, text: String) -> Self {
        Self { part, what, text, sent: 0, begun: false, ended: false }
    }

    /// Whether another segment may come before what this one may still get.
    fn gives_way(&self) -> bool {
        match self.what {
            What::Call(_) => {
                self.ended || (self.text.trim_end().ends_with('}') && crate::is_json(self.text.as_bytes()))
            }
            _ => true,
        }
    }
}

impl Encoder {
    pub(super) fn new(options: StreamOptions) -> Self {
        Self {
            options,
            writer: Writer::default(),
            shape: None,
            own: false,
            choice: None,
            queue: VecDeque::new(),
            chars: BTreeMap::new(),
            written: BTreeMap::new(),
            kinds: BTreeMap::new(),
            finish: None,
            usage: Usage::default(),
            late: Object::new(),
            ours: false,
        }
    }

    fn start(&mut self, id: &str, model: &str, created: i64, extra: Option<&Object>, out: &mut Vec<u8>) {
        let known_as = self.options.model.as_str();
        let model = if known_as.is_empty() { model } else { known_as };
        let id = response::response_id(id);
        let shape = Shape::new(id, created, model.to_owned(), extra, &self.options.request);
        self.writer.begin(shape.stem(), extra.is_some());
        let begun: Value = shape.object(End::not_yet("in_progress"), &self.late).into();
        self.writer.response("response.created", &begun, out);
        self.writer.response("response.in_progress", &begun, out);
        self.shape = Some(shape);
    }

    /// Whether the event is of the choice that is written.
    fn is_mine(&mut self, choice: u32) -> bool {
        *self.choice.get_or_insert(choice) == choice
    }

    fn part_start(&mut self, part: usize, value: &Part, out: &mut Vec<u8>) {
        let (what, text, again) = match value {
            Part::Text(text) => {
                self.chars.insert(part, text.chars().count());
                (What::text(0), text.clone(), Again::Text)
            }
            Part::Refusal(text) => (What::Refusal, text.clone(), Again::Refusal),
            Part::Reasoning(reasoning) => {
                let named = self.own && reasoning.extra.contains_key("type");
                let head = Reasoning { text: String::new(), ..reasoning.clone() };
                (What::thought(head, named), reasoning.text.clone(), Again::Reasoning)
            }
            Part::ToolCall(call) => {
                let head = ToolCall { arguments: String::new(), ..call.clone() };
                (What::Call(head), call.arguments.clone(), Again::Other)
            }
            Part::Citation(_) => return self.note(part, value, out),
            Part::Opaque { dialect: OWN, value: opaque } => {
                let kind = opaque.get("type").and_then(Value::as_str).unwrap_or_default();
                if citation::is_annotation(opaque) {
                    return self.note(part, value, out);
                }
                let content = kind.starts_with("output_") || kind.starts_with("input_");
                let opaque = opaque.clone();
                let what = if content { What::Content(opaque) } else { What::Item(opaque) };
                (what, String::new(), Again::Other)
            }
            Part::Media(media) => (What::Image(media.clone()), String::new(), Again::Other),
            Part::Opaque { .. } | Part::ToolResult(_) | Part::CacheBreak(_) => return,
        };
        self.kinds.insert(part, again);
        self.queue.push_back(Segment::new(part, what, text));
        self.pump(false, out);
    }

    /// An annotation belongs to a text that is not written to its end; where there is none, to an empty one.
    fn note(&mut self, part: usize, value: &Part, out: &mut Vec<u8>) {
        let start = if let Part::Citation(citation) = value { Some(citation.start_index) } else { None };
        let texts: Vec<(usize, usize, usize)> = self
            .queue
            .iter()
            .enumerate()
            .filter_map(|(i, segment)| match &segment.what {
                What::Text { offset, .. } => {
                    let before: usize = self.chars.range(..segment.part).map(|(_, chars)| chars).sum();
                    Some((i, before + offset, segment.text.chars().count()))
                }
                _ => None,
            })
            .collect();
        let holds = |(_, base, length): &&(usize, usize, usize)| {
            start.is_some_and(|start| (*base..=base + length).contains(&start))
        };
        let found = texts.iter().rev().find(holds).or(texts.last());
        let note = |base| match value {
            Part::Citation(citation) => citation::encode(citation, base, self.own, true),
            Part::Opaque { value, .. } => value.clone(),
            _ => Value::Null,
        };
        if let Some((i, base, _)) = found {
            let value = note(*base);
            if let Some(What::Text { notes, .. }) = self.queue.get_mut(*i).map(|segment| &mut segment.what) {
                notes.values.push(value);
            }
        } else {
            let notes = Grown { values: vec![note(0)], sent: 0 };
            let what = What::Text { offset: 0, notes, tokens: Grown::default() };
            self.queue.push_back(Segment::new(part, what, String::new()));
        }
        self.pump(false, out);
    }

    fn part_delta(&mut self, part: usize, delta: &Delta, out: &mut Vec<u8>) {
        let offset = self.chars.get(&part).copied().unwrap_or(0);
        if let (Delta::Text(text), Some(Again::Text)) = (delta, self.kinds.get(&part)) {
            self.chars.insert(part, offset + text.chars().count());
        }
        let open = self.queue.iter_mut().rev().find(|segment| segment.part == part);
        match (open, delta) {
            (Some(segment), Delta::Text(text) | Delta::Reasoning(text) | Delta::Arguments(text)) => {
                segment.text.push_str(text);
            }
            (Some(Segment { what: What::Reasoning { reasoning, .. }, .. }), Delta::Signature(more)) => {
                sign(&mut reasoning.signature, more);
            }
            (Some(Segment { what: What::Call(call), .. }), Delta::Signature(more)) => {
                sign(&mut call.signature, more);
            }
            (Some(_), Delta::Signature(_)) => {}
            (None, delta) => self.again(part, offset, delta),
        }
        self.pump(false, out);
    }

    /// More of a part whose segment is written.
    fn again(&mut self, part: usize, offset: usize, delta: &Delta) {
        let (what, text) = match (self.kinds.get(&part), delta) {
            (Some(Again::Text), Delta::Text(text)) => (What::text(offset), text.as_str()),
            (Some(Again::Refusal), Delta::Text(text)) => (What::Refusal, text.as_str()),
            (Some(Again::Reasoning), Delta::Reasoning(text)) => {
                (What::thought(Reasoning::default(), false), text.as_str())
            }
            (Some(Again::Reasoning), Delta::Signature(signature)) => {
                let signature = Some(signature.clone());
                let reasoning = Reasoning { signature, ..Reasoning::default() };
                (What::thought(reasoning, false), "")
            }
            (_, Delta::Signature(signature)) => {
                let Some(Call { call_id, .. }) = self.written.get(&part) else { return };
                let (call_id, signature) = (call_id.clone(), signature.clone());
                (What::Signature { call_id, signature }, "")
            }
            (_, Delta::Arguments(text)) => {
                // Behind whole arguments only space is sound; what else comes is in the answer's last event.
                if let Some(Call { index, .. }) = self.written.get(&part) {
                    self.writer.more_arguments(*index, text);
                }
                return;
            }
            _ => return,
        };
        self.queue.push_back(Segment::new(part, what, text.to_owned()));
    }

    /// Writes what can be written; all of it where nothing more comes.
    fn pump(&mut self, all: bool, out: &mut Vec<u8>) {
        while let Some(mut segment) = self.queue.pop_front() {
            if !segment.begun {
                segment.begun = true;
                self.writer.begin_segment(segment.part, &segment, out);
            }
            self.writer.grow(&mut segment, out);
            let waiting = !self.queue.is_empty();
            let whole =
                segment.ended && matches!(segment.what, What::Call(_) | What::Item(_) | What::Image(_));
            if all || whole || (waiting && segment.gives_way()) {
                let last = all && !waiting;
                let index = self.writer.output.len();
                let cut =
                    last && self.finish.as_ref().is_some_and(|reason| response::status(reason).1.is_some());
                if let Some(call_id) = self.writer.end_segment(segment.what, &segment.text, cut, out) {
                    self.written.insert(segment.part, Call { index, call_id });
                }
            } else {
                self.queue.push_front(segment);
                return;
            }
        }
    }

    /// Notes what Hanok says of an answer of its own.
    fn told(&mut self, extra: &Object) {
        if let (true, Some(told)) = (self.ours, extra.get(HANOK)) {
            self.late.insert(HANOK.to_owned(), told.clone());
        }
    }

    fn extra(&mut self, extra: &Object) {
        self.told(extra);
        // The members of another dialect mean nothing here.
        if !self.own {
            return;
        }
        let marks = extra.get(ITEMS).and_then(Value::as_array).into_iter().flatten();
        self.writer.marks.extend(marks.filter_map(|mark| {
            let mut rest = mark.as_object()?.clone();
            let part = rest.shift_remove("part").and_then(|part| part.as_u64())?;
            Some((usize::try_from(part).ok()?, rest))
        }));
        for (part, more) in extra.get(LOGPROBS).and_then(Value::as_object).into_iter().flatten() {
            let (Ok(part), Some(more)) = (part.parse::<usize>(), more.as_array()) else { continue };
            let open = self.queue.iter_mut().rev().find(|segment| segment.part == part);
            if let Some(Segment { what: What::Text { tokens, .. }, .. }) = open {
                tokens.values.extend(more.iter().cloned());
            }
        }
        let late = extra.iter().filter(|(name, _)| LATE.contains(&name.as_str()));
        self.late.extend(late.map(|(name, value)| (name.clone(), value.clone())));
    }

    fn end(&mut self, status: &str, reason: Option<&str>, error: Value) -> Value {
        let output = std::mem::take(&mut self.writer.output);
        let end = End { status, reason, error, output, usage: usage::encode(&self.usage) };
        let shape = self.shape.get_or_insert_with(|| {
            let model = self.options.model.as_str().to_owned();
            Shape::new(response::response_id(""), 0, model, None, &self.options.request)
        });
        shape.object(end, &self.late).into()
    }
}

fn sign(signature: &mut Option<Signature>, more: &Signature) {
    match signature {
        Some(signature) => signature.value.push_str(&more.value),
        None => *signature = Some(more.clone()),
    }
}

impl StreamEncoder for Encoder {
    fn encode(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        match event {
            StreamEvent::Start { id, model, created, dialect, extra } => {
                self.own = *dialect == Some(OWN);
                self.ours = dialect.is_none();
                self.told(extra);
                let extra = self.own.then_some(extra);
                self.start(id.as_str(), model.as_str(), *created, extra, out);
            }
            StreamEvent::PartStart { choice, part, value } if self.is_mine(*choice) => {
                self.part_start(*part, value, out);
            }
            StreamEvent::PartDelta { choice, part, delta } if self.is_mine(*choice) => {
                self.part_delta(*part, delta, out);
            }
            StreamEvent::PartEnd { choice, part } if self.is_mine(*choice) => {
                for segment in self.queue.iter_mut().filter(|segment| segment.part == *part) {
                    segment.ended = true;
                }
                self.pump(false, out);
            }
            StreamEvent::ChoiceExtra { choice, extra } if self.is_mine(*choice) => self.extra(extra),
            StreamEvent::Finish { choice, reason } if self.is_mine(*choice) => {
                self.finish = Some(reason.clone());
                self.pump(true, out);
                self.writer.end(response::status(reason).1.is_some(), out);
            }
            StreamEvent::Usage(usage) => self.usage = *usage,
            _ => {}
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if self.shape.is_none() {
            self.start("", "", 0, None, out);
        }
        self.pump(true, out);
        self.writer.end(false, out);
        let reason = self.finish.take().unwrap_or(FinishReason::Stop);
        let (status, reason) = response::status(&reason);
        let answer = self.end(status, reason, Value::Null);
        let kind = if reason.is_some() { "response.incomplete" } else { "response.completed" };
        self.writer.response(kind, &answer, out);
    }

    fn follow(&mut self, last: &[u8]) {
        self.writer.follow(last);
    }

    fn error(&mut self, problem: &Problem, out: &mut Vec<u8>) {
        let event = fault::event(problem, self.writer.next());
        Writer::raw("error", &event, out);
        // Clients that know no `error` wait for the end of the response.
        let answer = self.end("failed", None, fault::of_response(problem));
        self.writer.response("response.failed", &answer, out);
    }
}
