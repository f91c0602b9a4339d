//! Streamed answers as clients want them: a line for each piece of text or thought, and each call whole.

use super::answer::{Took, end, head, writes_extra};
use super::parts::{To, encode_citation, encode_tool_call, media_data, signed};
use super::stamp::Clock;
use super::{Form, fault, is_own};
use crate::codec::{StreamEncoder, StreamOptions};
use hanok_base::time::Start;
use hanok_base::{Delta, FinishReason, Object, Part, Problem, Signature, StreamEvent, ToolCall, Usage};
use serde_json::{Value, json};
use std::time::Duration;

/// From events to a client's bytes.
pub(super) struct Encoder {
    form: Form,
    options: StreamOptions,
    /// A line up to and with the quote before its time.
    line: Vec<u8>,
    model: String,
    clock: Clock,
    begun: Start,
    /// When the first of the content came, since the beginning.
    first: Option<Duration>,
    /// Whether members of the answer are this dialect's or Hanok's.
    own: bool,
    /// The choice that is told: the dialect has one.
    choice: Option<u32>,
    open: Vec<(usize, Open)>,
    /// Calls told so far.
    calls: usize,
    extra: Object,
    reason: Option<FinishReason>,
    usage: Usage,
}

/// A part of which not all that matters has been told.
enum Open {
    Thinking { length: usize, signature: Option<Signature>, redacted: bool },
    Call { call: ToolCall, ended: bool },
}

impl Encoder {
    pub(super) fn new(form: Form, options: StreamOptions) -> Self {
        let mut encoder = Self {
            form,
            line: Vec::new(),
            model: String::new(),
            clock: Clock::default(),
            begun: Start::now(),
            first: None,
            own: false,
            choice: None,
            open: Vec::new(),
            calls: 0,
            extra: Object::new(),
            reason: None,
            usage: Usage::default(),
            options,
        };
        encoder.name("");
        encoder
    }

    /// The model, as the client knows it or else as the provider says.
    fn name(&mut self, provider: &str) {
        let known_as = self.options.model.as_str();
        self.model = if known_as.is_empty() { provider } else { known_as }.to_owned();
        let model = Value::from(self.model.as_str());
        self.line = format!(r#"{{"model":{model},"created_at":""#).into_bytes();
    }

    /// Writes a line that says `text` between these bytes.
    fn say(&mut self, text: &str, chat: (&str, &str), generate: (&str, &str), out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        let (before, after) = match self.form {
            Form::Chat => chat,
            Form::Generate => generate,
        };
        self.first.get_or_insert_with(|| self.begun.elapsed());
        out.extend_from_slice(&self.line);
        self.clock.write(self.begun.end(), out);
        out.extend_from_slice(before.as_bytes());
        // Writing text into memory does not fail.
        serde_json::to_writer(&mut *out, text).unwrap_or_default();
        out.extend_from_slice(after.as_bytes());
    }

    fn text(&mut self, text: &str, out: &mut Vec<u8>) {
        let chat = (r#"","message":{"role":"assistant","content":"#, "},\"done\":false}\n");
        let generate = (r#"","response":"#, ",\"done\":false}\n");
        self.say(text, chat, generate, out);
    }

    fn thinking(&mut self, text: &str, out: &mut Vec<u8>) {
        let chat = (r#"","message":{"role":"assistant","content":"","thinking":"#, "},\"done\":false}\n");
        let generate = (r#"","response":"","thinking":"#, ",\"done\":false}\n");
        self.say(text, chat, generate, out);
    }

    /// Writes a line with these members of the message, and these beside it.
    fn members(&mut self, inner: Value, beside: Object, out: &mut Vec<u8>) {
        self.first.get_or_insert_with(|| self.begun.elapsed());
        let mut object = self.empty(inner);
        object.extend(beside);
        object.insert("done".into(), false.into());
        push_line(object, out);
    }

    /// The beginning of a line that says no text.
    fn empty(&self, inner: Value) -> Object {
        let mut object = head(&self.model, self.begun.end());
        let inner = if let Value::Object(inner) = inner { inner } else { Object::new() };
        match self.form {
            Form::Chat => {
                let mut message = Object::new();
                message.insert("role".into(), "assistant".into());
                message.insert("content".into(), "".into());
                message.extend(inner);
                object.insert("message".into(), message.into());
            }
            Form::Generate => {
                object.insert("response".into(), "".into());
                object.extend(inner);
            }
        }
        object
    }

    fn part_start(&mut self, part: usize, value: &Part, out: &mut Vec<u8>) {
        match value {
            Part::Text(text) | Part::Refusal(text) => self.text(text, out),
            Part::Reasoning(reasoning) => {
                self.thinking(&reasoning.text, out);
                let open = Open::Thinking {
                    length: reasoning.text.chars().count(),
                    signature: reasoning.signature.clone(),
                    redacted: reasoning.redacted,
                };
                self.open.push((part, open));
            }
            Part::ToolCall(call) => {
                self.open.push((part, Open::Call { call: call.clone(), ended: false }));
            }
            Part::Media(media) => {
                if let Some(data) = media_data(media) {
                    self.members(json!({ "images": [data] }), Object::new(), out);
                }
            }
            Part::Citation(citation) => {
                self.members(json!({ "citations": [encode_citation(citation)] }), Object::new(), out);
            }
            Part::Opaque { dialect, value } if is_own(Some(*dialect)) => {
                self.calls += 1;
                self.members(json!({ "tool_calls": [value] }), Object::new(), out);
            }
            // Parts that only another dialect knows, and what an answer never holds.
            Part::Opaque { .. } | Part::ToolResult(_) | Part::CacheBreak(_) => {}
        }
    }

    fn part_delta(&mut self, part: usize, delta: &Delta, out: &mut Vec<u8>) {
        let open = self.open.iter_mut().find(|(at, _)| *at == part).map(|(_, open)| open);
        match (delta, open) {
            (Delta::Text(text), _) => self.text(text, out),
            (Delta::Reasoning(text), open) => {
                if let Some(Open::Thinking { length, .. }) = open {
                    *length += text.chars().count();
                }
                self.thinking(text, out);
            }
            (Delta::Arguments(text), Some(Open::Call { call, .. })) => call.arguments.push_str(text),
            (Delta::Signature(more), Some(Open::Call { call, .. })) => sign(&mut call.signature, more),
            (Delta::Signature(more), Some(Open::Thinking { signature, .. })) => sign(signature, more),
            (Delta::Arguments(_) | Delta::Signature(_), _) => {}
        }
    }

    fn part_end(&mut self, part: usize, out: &mut Vec<u8>) {
        let Some(at) = self.open.iter().position(|(of, _)| *of == part) else { return };
        if let Some((_, Open::Call { ended, .. })) = self.open.get_mut(at) {
            *ended = true;
            self.tell_calls(false, out);
        } else {
            let (_, open) = self.open.remove(at);
            self.tell_signature(&open, out);
        }
    }

    fn tell_signature(&mut self, open: &Open, out: &mut Vec<u8>) {
        if let Open::Thinking { length, signature, redacted } = open
            && (signature.is_some() || *redacted)
        {
            self.members(signed(*length, signature.as_ref(), *redacted), Object::new(), out);
        }
    }

    /// Tells the calls that are whole, in the order in which they began; `all`: those, too, whose end was never
    /// said. Clients that know no ids go by the order.
    fn tell_calls(&mut self, all: bool, out: &mut Vec<u8>) {
        let mut calls = Vec::new();
        let mut waits = false;
        let (own, told) = (self.own, self.calls);
        self.open.retain(|(_, open)| {
            let Open::Call { call, ended } = open else { return true };
            waits |= !(*ended || all);
            if !waits {
                calls.push(encode_tool_call(call, told + calls.len(), To::Client, own));
            }
            waits
        });
        if !calls.is_empty() {
            self.calls += calls.len();
            self.members(json!({ "tool_calls": calls }), Object::new(), out);
        }
    }

    fn extra(&mut self, mut extra: Object, out: &mut Vec<u8>) {
        // These grow with the answer; whatever else there is, the last line tells.
        if let Some(logprobs) = extra.shift_remove("logprobs") {
            let beside = Object::from_iter([("logprobs".to_owned(), logprobs)]);
            self.members(Value::Null, beside, out);
        }
        self.extra.extend(extra);
    }
}

impl StreamEncoder for Encoder {
    fn encode(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        let of = match event {
            StreamEvent::Start { .. } | StreamEvent::Usage(_) => None,
            StreamEvent::PartStart { choice, .. }
            | StreamEvent::PartDelta { choice, .. }
            | StreamEvent::PartEnd { choice, .. }
            | StreamEvent::ChoiceExtra { choice, .. }
            | StreamEvent::Finish { choice, .. } => Some(*choice),
        };
        if let Some(choice) = of
            && *self.choice.get_or_insert(choice) != choice
        {
            return;
        }
        match event {
            StreamEvent::Start { model, dialect, extra, .. } => {
                self.name(model.as_str());
                self.own = writes_extra(*dialect);
                if self.own {
                    self.extra.extend(extra.clone());
                }
            }
            StreamEvent::PartStart { part, value, .. } => self.part_start(*part, value, out),
            StreamEvent::PartDelta { part, delta, .. } => self.part_delta(*part, delta, out),
            StreamEvent::PartEnd { part, .. } => self.part_end(*part, out),
            StreamEvent::ChoiceExtra { extra, .. } => {
                if self.own {
                    self.extra(extra.clone(), out);
                }
            }
            StreamEvent::Finish { reason, .. } => {
                self.tell_calls(true, out);
                for (_, open) in std::mem::take(&mut self.open) {
                    self.tell_signature(&open, out);
                }
                // Told at the very end, since the usage comes behind it.
                self.reason = Some(reason.clone());
            }
            StreamEvent::Usage(usage) => self.usage = *usage,
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        let total = self.begun.elapsed();
        let nanos = |time: Duration| u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        let took = Took { total: nanos(total), prompt: nanos(self.first.unwrap_or(total)) };
        let mut object = self.empty(Value::Null);
        end(self.form, &mut object, self.reason.as_ref(), &self.usage, std::mem::take(&mut self.extra), took);
        push_line(object, out);
    }

    fn error(&mut self, problem: &Problem, out: &mut Vec<u8>) {
        out.extend_from_slice(&fault::encode(problem, None));
        out.push(b'\n');
    }
}

fn push_line(object: Object, out: &mut Vec<u8>) {
    out.extend_from_slice(Value::Object(object).to_string().as_bytes());
    out.push(b'\n');
}

fn sign(signature: &mut Option<Signature>, more: &Signature) {
    match signature {
        Some(signature) => signature.value.push_str(&more.value),
        None => *signature = Some(more.clone()),
    }
}
