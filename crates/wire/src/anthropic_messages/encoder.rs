//! Streamed answers as clients want them.
//!
//! The dialect has one block at a time, while parts may grow in turns. So what concerns another part than the
//! open one closes the open block, where that can go on in another block later (text, thoughts) or is whole (a
//! call whose arguments are); else it waits. What waits is kept as events and said again in its order.

use super::arguments::Arguments;
use super::{OWN, blocks, citation, fault, response, usage};
use crate::codec::{StreamEncoder, StreamOptions};
use crate::signature;
use hanok_base::{
    Delta, FinishReason, ModelName, Object, Part, Problem, Reasoning, ResponseId, Signature, StreamEvent,
    ToolCall, Usage,
};
use serde_json::{Value, json};

/// From events to a client's bytes.
pub(super) struct Encoder {
    options: StreamOptions,
    begun: bool,
    /// Unknown members are this dialect's.
    own: bool,
    /// A message holds one answer: the first that began.
    choice: Option<u32>,
    /// How many blocks began.
    blocks: usize,
    open: Option<Open>,
    /// Events that wait until the open call is whole.
    waiting: Vec<StreamEvent>,
    /// Part and id of each call.
    calls: Vec<(usize, String)>,
    cited: usize,
    refuses: bool,
    usage: Usage,
    extra: Object,
    finish: Option<FinishReason>,
}

/// The block that grows.
struct Open {
    part: usize,
    kind: Kind,
    /// The signature so far: clients take the last piece for the whole.
    signature: Option<Signature>,
}

enum Kind {
    Text,
    Thinking,
    Call(Arguments),
}

impl Encoder {
    pub(super) fn new(options: StreamOptions) -> Self {
        Self {
            options,
            begun: false,
            own: true,
            choice: None,
            blocks: 0,
            open: None,
            waiting: Vec::new(),
            calls: Vec::new(),
            cited: 0,
            refuses: false,
            usage: Usage::default(),
            extra: Object::new(),
            finish: None,
        }
    }

    fn begin(&mut self, id: &ResponseId, model: &ModelName, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let known_as = &self.options.model;
        let model = if known_as.as_str().is_empty() { model } else { known_as };
        // What was used is told at the end: few providers know it before.
        let message = json!({
            "id": id.as_str(), "type": "message", "role": "assistant", "model": model.as_str(), "content": [],
            "stop_reason": null, "stop_sequence": null, "usage": { "input_tokens": 0, "output_tokens": 0 },
        });
        write("message_start", &json!({ "type": "message_start", "message": message }), out);
    }

    fn ensure_begun(&mut self, out: &mut Vec<u8>) {
        if !self.begun {
            self.begin(&"".into(), &"".into(), out);
        }
    }

    /// Whether another part may have the next block.
    fn may_switch(&self) -> bool {
        self.waiting.is_empty()
            && self.open.as_ref().is_none_or(|open| match &open.kind {
                Kind::Text | Kind::Thinking => true,
                Kind::Call(arguments) => arguments.whole(),
            })
    }

    fn in_text(&self) -> bool {
        matches!(self.open, Some(Open { kind: Kind::Text, .. }))
    }

    fn is_open(&self, part: usize) -> bool {
        self.open.as_ref().is_some_and(|open| open.part == part)
    }

    /// What concerns parts, now or when its turn comes.
    fn event(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        match event {
            StreamEvent::PartStart { part, value, .. } => match value {
                Part::CacheBreak(_) => {}
                // A block for it once there is a word: upstreams refuse a conversation with empty ones.
                Part::Text(text) if text.is_empty() && !self.own => {}
                Part::Opaque { dialect, .. } if *dialect != OWN => {}
                Part::Citation(of) if self.in_text() => {
                    let citation = citation::encode(of, self.own, self.cited);
                    self.cited += 1;
                    self.delta(&json!({ "type": "citations_delta", "citation": citation }), out);
                }
                _ if self.may_switch() => self.start(*part, value, out),
                _ => self.waiting.push(event.clone()),
            },
            StreamEvent::PartDelta { delta: Delta::Text(text) | Delta::Reasoning(text), .. }
                if text.is_empty() => {}
            StreamEvent::PartDelta { part, delta, .. } if self.is_open(*part) => self.grow(delta, out),
            StreamEvent::PartDelta { part, delta, .. } if self.may_switch() => self.go_on(*part, delta, out),
            StreamEvent::PartDelta { .. } => self.waiting.push(event.clone()),
            // A text stays open for what is cited behind it.
            StreamEvent::PartEnd { part, .. } if self.is_open(*part) && !self.in_text() => self.close(out),
            StreamEvent::PartEnd { .. } if !self.waiting.is_empty() => self.waiting.push(event.clone()),
            _ => {}
        }
    }

    /// Says again what waits, as far as it can be said.
    fn settle(&mut self, out: &mut Vec<u8>) {
        loop {
            let whole = self.open.as_ref().is_none_or(|open| match &open.kind {
                Kind::Call(arguments) => arguments.whole(),
                _ => true,
            });
            if self.waiting.is_empty() || !whole {
                return;
            }
            for event in std::mem::take(&mut self.waiting) {
                self.event(&event, out);
            }
        }
    }

    /// Begins a part's block.
    fn start(&mut self, part: usize, value: &Part, out: &mut Vec<u8>) {
        self.close(out);
        match value {
            Part::Text(text) => self.start_text(part, text, out),
            Part::Refusal(text) => {
                self.refuses = true;
                self.start_text(part, text, out);
            }
            Part::Reasoning(reasoning) if !reasoning.redacted => {
                let Reasoning { text, signature, .. } = reasoning;
                let extra = Reasoning { extra: reasoning.extra.clone(), ..Reasoning::default() };
                self.block(&blocks::thinking(&extra, self.own), out);
                self.open = Some(Open { part, kind: Kind::Thinking, signature: signature.clone() });
                if !text.is_empty() {
                    self.grow(&Delta::Reasoning(text.clone()), out);
                }
            }
            Part::ToolCall(call) => {
                self.calls.push((part, call.id.clone()));
                if let Some(block) = blocks::encode_call_signature(&call.id, call.signature.as_ref()) {
                    self.whole(&block, out);
                }
                let begun = ToolCall { arguments: String::new(), ..call.clone() };
                self.block(&blocks::tool_use(&call.id, &begun, self.own).0, out);
                self.open = Some(Open { part, kind: Kind::Call(Arguments::default()), signature: None });
                if !call.arguments.is_empty() {
                    self.grow(&Delta::Arguments(call.arguments.clone()), out);
                }
            }
            // Behind something else than a text: a text of no words carries it.
            Part::Citation(of) => {
                let citation = citation::encode(of, self.own, self.cited);
                self.cited += 1;
                self.start_text(part, "", out);
                self.delta(&json!({ "type": "citations_delta", "citation": citation }), out);
            }
            _ => {
                if let Some(block) = blocks::encode_shown(value, self.own) {
                    self.whole(&block, out);
                }
            }
        }
    }

    fn start_text(&mut self, part: usize, text: &str, out: &mut Vec<u8>) {
        self.block(&blocks::text_block(""), out);
        self.open = Some(Open { part, kind: Kind::Text, signature: None });
        if !text.is_empty() {
            self.grow(&Delta::Text(text.to_owned()), out);
        }
    }

    /// Goes on in another block with a part whose block was closed.
    fn go_on(&mut self, part: usize, delta: &Delta, out: &mut Vec<u8>) {
        match delta {
            Delta::Text(text) => {
                self.close(out);
                self.start_text(part, text, out);
            }
            Delta::Reasoning(_) => {
                let value = Part::Reasoning(Reasoning::default());
                self.start(part, &value, out);
                self.grow(delta, out);
            }
            Delta::Signature(signature) => {
                let call = self.calls.iter().find(|(of, _)| *of == part);
                let block = if let Some((_, id)) = call {
                    blocks::encode_call_signature(id, Some(signature))
                } else {
                    let signature = Some(signature.clone());
                    Some(blocks::thinking(&Reasoning { signature, ..Reasoning::default() }, self.own))
                };
                if let Some(block) = block {
                    self.close(out);
                    self.whole(&block, out);
                }
            }
            // Behind arguments that were whole. Some servers say all of them once more; anything else would not
            // be JSON in any block.
            Delta::Arguments(_) => {}
        }
    }

    /// Grows the open block.
    fn grow(&mut self, delta: &Delta, out: &mut Vec<u8>) {
        let Some(open) = &mut self.open else {
            return;
        };
        match (delta, &mut open.kind) {
            (Delta::Text(text), Kind::Text) => self.piece("text_delta", "text", text, out),
            (Delta::Reasoning(text), Kind::Thinking) => self.piece("thinking_delta", "thinking", text, out),
            // Blanks behind the end are no part of it.
            (Delta::Arguments(text), Kind::Call(arguments))
                if !arguments.whole() || !text.trim().is_empty() =>
            {
                arguments.feed(text);
                self.piece("input_json_delta", "partial_json", text, out);
            }
            (Delta::Signature(more), _) => match &mut open.signature {
                Some(signature) => signature.value.push_str(&more.value),
                None => open.signature = Some(more.clone()),
            },
            // A part grows by its own kind only.
            _ => {}
        }
    }

    /// Writes the growth of the open block by a text, which is most of what a stream costs.
    fn piece(&self, kind: &str, member: &str, text: &str, out: &mut Vec<u8>) {
        let index = self.blocks.saturating_sub(1).to_string();
        for piece in [
            "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":",
            &index,
            ",\"delta\":{\"type\":\"",
            kind,
            "\",\"",
            member,
            "\":",
        ] {
            out.extend_from_slice(piece.as_bytes());
        }
        let written = serde_json::to_writer(&mut *out, text);
        debug_assert!(written.is_ok(), "a text is written to memory");
        out.extend_from_slice(b"}}\n\n");
    }

    fn delta(&self, delta: &Value, out: &mut Vec<u8>) {
        let index = self.blocks.saturating_sub(1);
        let event = json!({ "type": "content_block_delta", "index": index, "delta": delta });
        write("content_block_delta", &event, out);
    }

    /// Begins a block.
    fn block(&mut self, block: &Object, out: &mut Vec<u8>) {
        let event = json!({ "type": "content_block_start", "index": self.blocks, "content_block": block });
        write("content_block_start", &event, out);
        self.blocks += 1;
    }

    /// Writes a block that does not grow; the input of a call that the provider ran grows once, as it does
    /// upstream.
    fn whole(&mut self, block: &Object, out: &mut Vec<u8>) {
        let runs = block.get("type").and_then(Value::as_str).is_some_and(|kind| kind.ends_with("_tool_use"));
        match block.get("input").filter(|_| runs) {
            Some(input) => {
                let mut begun = block.clone();
                begun.insert("input".into(), json!({}));
                self.block(&begun, out);
                self.piece("input_json_delta", "partial_json", &input.to_string(), out);
            }
            None => self.block(block, out),
        }
        self.stop(out);
    }

    fn stop(&self, out: &mut Vec<u8>) {
        let index = self.blocks.saturating_sub(1);
        write("content_block_stop", &json!({ "type": "content_block_stop", "index": index }), out);
    }

    /// Closes the open block.
    fn close(&mut self, out: &mut Vec<u8>) {
        let Some(Open { part, kind, signature }) = self.open.take() else {
            return;
        };
        if let (Kind::Thinking, Some(signature)) = (&kind, &signature) {
            let signature = signature::shown(signature, OWN);
            self.delta(&json!({ "type": "signature_delta", "signature": signature }), out);
        }
        self.stop(out);
        if let (Kind::Call(_), Some((_, id))) = (kind, self.calls.iter().find(|(of, _)| *of == part))
            && let Some(block) = blocks::encode_call_signature(id, signature.as_ref())
        {
            self.whole(&block, out);
        }
    }

    /// Closes what is open and says all that waits.
    fn close_all(&mut self, out: &mut Vec<u8>) {
        self.close(out);
        while !self.waiting.is_empty() {
            self.settle(out);
            self.close(out);
        }
    }
}

impl StreamEncoder for Encoder {
    fn encode(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        let of = match event {
            StreamEvent::Start { id, model, dialect, .. } => {
                self.own = dialect.is_none_or(|dialect| dialect == OWN);
                self.begin(id, model, out);
                return;
            }
            StreamEvent::Usage(usage) => {
                self.usage = *usage;
                return;
            }
            StreamEvent::PartStart { choice, .. }
            | StreamEvent::PartDelta { choice, .. }
            | StreamEvent::PartEnd { choice, .. }
            | StreamEvent::ChoiceExtra { choice, .. }
            | StreamEvent::Finish { choice, .. } => *choice,
        };
        if *self.choice.get_or_insert(of) != of {
            return;
        }
        self.ensure_begun(out);
        match event {
            StreamEvent::ChoiceExtra { extra, .. } if self.own => self.extra.extend(extra.clone()),
            StreamEvent::Finish { reason, .. } => {
                self.close_all(out);
                self.finish = Some(reason.clone());
            }
            event => {
                self.event(event, out);
                self.settle(out);
            }
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        self.ensure_begun(out);
        self.close_all(out);
        let finish = self.finish.take().unwrap_or(FinishReason::Stop);
        let mut extra = std::mem::take(&mut self.extra);
        let mut delta = Object::new();
        let reason = response::stop_reason(&finish, !self.calls.is_empty(), self.refuses);
        delta.insert("stop_reason".into(), reason.into());
        delta.insert("stop_sequence".into(), response::stop_sequence(&finish));
        let mut usage = usage::encode(&self.usage);
        if let Some(Value::Object(more)) = extra.shift_remove("usage") {
            usage.extend(more);
        }
        let mut event = Object::from_iter([("type".to_owned(), Value::from("message_delta"))]);
        // It is told beside the delta, the others in it.
        if let Some(value) = extra.shift_remove("context_management") {
            event.insert("context_management".into(), value);
        }
        delta.extend(extra);
        event.insert("delta".into(), delta.into());
        event.insert("usage".into(), usage.into());
        write("message_delta", &Value::Object(event), out);
        write("message_stop", &json!({ "type": "message_stop" }), out);
    }

    fn error(&mut self, problem: &Problem, out: &mut Vec<u8>) {
        out.extend_from_slice(b"event: error\ndata: ");
        out.extend_from_slice(&fault::encode(problem, None));
        out.extend_from_slice(b"\n\n");
    }
}

fn write(name: &str, data: &Value, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    out.extend_from_slice(data.to_string().as_bytes());
    out.extend_from_slice(b"\n\n");
}
