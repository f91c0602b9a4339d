//! The events of one stream for a client, numbered, and the items they build.

use super::encoder::{Segment, What};
use super::items::{self, item_id};
use super::thought;
use hanok_base::{Object, Signature, ToolCall};
use serde_json::{Value, json};

/// Writes events.
#[derive(Default)]
pub(super) struct Writer {
    /// The next event's number.
    sequence: u64,
    stem: String,
    own: bool,
    /// The items that are written.
    pub(super) output: Vec<Value>,
    message: Option<Message>,
    thought: Option<thought::Item>,
    /// Where the part that grows stands: members of its events.
    at: String,
    /// Messages to begin, by part, with their own members.
    pub(super) marks: Vec<(usize, Object)>,
}

/// The message item that is open.
struct Message {
    id: String,
    rest: Object,
    content: Vec<Value>,
}

impl Writer {
    /// `own` where unknown members are under this dialect's names.
    pub(super) fn begin(&mut self, stem: &str, own: bool) {
        stem.clone_into(&mut self.stem);
        self.own = own;
    }

    /// The next event's number, which is given once.
    pub(super) fn next(&mut self) -> u64 {
        let number = self.sequence;
        self.sequence += 1;
        number
    }

    /// Goes on behind the last event that these bytes number.
    pub(super) fn follow(&mut self, last: &[u8]) {
        const MEMBER: &[u8] = b"\"sequence_number\":";
        let found = memchr::memmem::rfind(last, MEMBER).and_then(|at| last.get(at + MEMBER.len()..));
        let digits = found.unwrap_or_default().trim_ascii_start();
        let digits = digits.split(|byte| !byte.is_ascii_digit()).next().unwrap_or_default();
        if let Some(number) = std::str::from_utf8(digits).ok().and_then(|text| text.parse::<u64>().ok()) {
            self.sequence = number.saturating_add(1);
        }
    }

    pub(super) fn raw(kind: &str, event: &Value, out: &mut Vec<u8>) {
        out.extend_from_slice(format!("event: {kind}\ndata: {event}\n\n").as_bytes());
    }

    fn head(&mut self, kind: &str, out: &mut Vec<u8>) {
        let number = self.next();
        let head = format!("event: {kind}\ndata: {{\"type\":\"{kind}\",\"sequence_number\":{number},");
        out.extend_from_slice(head.as_bytes());
    }

    /// An event with the members of `rest`, an object that is not empty.
    fn event(&mut self, kind: &str, rest: &Value, out: &mut Vec<u8>) {
        self.head(kind, out);
        let rest = rest.to_string();
        out.extend_from_slice(rest.strip_prefix('{').unwrap_or_default().as_bytes());
        out.extend_from_slice(b"\n\n");
    }

    /// An event about the part that grows.
    fn event_there(&mut self, kind: &str, name: &str, value: &Value, more: &str, out: &mut Vec<u8>) {
        self.head(kind, out);
        let rest = format!("{},\"{name}\":{value}{more}}}\n\n", self.at);
        out.extend_from_slice(rest.as_bytes());
    }

    pub(super) fn response(&mut self, kind: &str, response: &Value, out: &mut Vec<u8>) {
        self.event(kind, &json!({ "response": response }), out);
    }

    fn made_up(&self, prefix: &str) -> String {
        item_id(prefix, &self.stem, self.output.len())
    }

    fn added(&mut self, item: &Value, out: &mut Vec<u8>) {
        let rest = json!({ "output_index": self.output.len(), "item": item });
        self.event("response.output_item.added", &rest, out);
    }

    fn done(&mut self, item: Value, out: &mut Vec<u8>) {
        let rest = json!({ "output_index": self.output.len(), "item": item });
        self.event("response.output_item.done", &rest, out);
        self.output.push(item);
    }

    /// An item that does not grow.
    fn whole(&mut self, item: Value, out: &mut Vec<u8>) {
        self.added(&item, out);
        self.done(item, out);
    }

    /// Adds to the arguments of a call that is written.
    pub(super) fn more_arguments(&mut self, index: usize, more: &str) {
        if let Some(Value::String(arguments)) =
            self.output.get_mut(index).and_then(|item| item.get_mut("arguments"))
        {
            arguments.push_str(more);
        }
    }

    fn stand(&mut self, id: &str, member: &str, index: usize) {
        let output_index = self.output.len();
        let id = Value::from(id);
        let inside = if member.is_empty() { String::new() } else { format!(",\"{member}\":{index}") };
        self.at = format!("\"item_id\":{id},\"output_index\":{output_index}{inside}");
    }

    /// Opens what the segment stands in.
    pub(super) fn begin_segment(&mut self, part: usize, segment: &Segment, out: &mut Vec<u8>) {
        self.begin_messages(part, out);
        match &segment.what {
            What::Text { .. } => {
                self.begin_content(&items::text_part("", Vec::new(), None, true), out);
            }
            What::Refusal => self.begin_content(&items::refusal_part(""), out),
            What::Content(value) => self.begin_content(value, out),
            What::Reasoning { reasoning, .. } => {
                self.end_message(false, out);
                let (_, joins, rest) = thought::of_part(reasoning, self.own);
                if !joins {
                    self.end_thought(out);
                }
                if self.thought.is_none() {
                    let item = thought::Item { id: self.made_up("rs"), rest, ..thought::Item::default() };
                    self.added(&item.encode(), out);
                    self.thought = Some(item);
                }
            }
            What::Call(call) => {
                self.end_items(false, out);
                let item = self.call(call, "in_progress");
                self.added(&item, out);
                let id = item.get("id").and_then(Value::as_str).unwrap_or_default();
                self.stand(id, "", 0);
            }
            What::Item(_) | What::Image(_) | What::Signature { .. } => self.end_items(false, out),
        }
    }

    /// Begins the messages that are told to begin at this part, or before it.
    fn begin_messages(&mut self, part: usize, out: &mut Vec<u8>) {
        while let Some(at) = self.marks.iter().position(|(begins, _)| *begins <= part) {
            let (_, rest) = self.marks.remove(at);
            self.end_items(false, out);
            self.begin_message(rest, out);
        }
    }

    fn begin_message(&mut self, rest: Object, out: &mut Vec<u8>) {
        let made_up = self.made_up("msg");
        let id = rest.get("id").and_then(Value::as_str).unwrap_or(&made_up).to_owned();
        self.added(&items::message_item(&id, "in_progress", Vec::new(), rest.clone()), out);
        self.message = Some(Message { id, rest, content: Vec::new() });
    }

    fn begin_content(&mut self, part: &Value, out: &mut Vec<u8>) {
        self.end_thought(out);
        if self.message.is_none() {
            self.begin_message(Object::new(), out);
        }
        let Some(message) = &self.message else { return };
        let (id, index) = (message.id.clone(), message.content.len());
        self.stand(&id, "content_index", index);
        self.event_there("response.content_part.added", "part", part, "", out);
    }

    fn call(&self, call: &ToolCall, status: &str) -> Value {
        let (id, call_id) = (self.made_up("fc"), self.made_up("call"));
        let call_id = if call.id.is_empty() { &call_id } else { &call.id };
        items::call_item(call, call_id, &id, status, self.own)
    }

    /// Writes what the segment got.
    pub(super) fn grow(&mut self, segment: &mut Segment, out: &mut Vec<u8>) {
        let more = segment.text.get(segment.sent..).unwrap_or_default();
        match &mut segment.what {
            What::Text { notes, tokens, .. } => {
                if !more.is_empty() {
                    let logprobs = format!(",\"logprobs\":{}", Value::from(tokens.unsent().to_vec()));
                    tokens.sent = tokens.values.len();
                    self.event_there("response.output_text.delta", "delta", &more.into(), &logprobs, out);
                }
                for (i, note) in (notes.sent..).zip(notes.unsent()) {
                    let index = format!(",\"annotation_index\":{i}");
                    self.event_there(
                        "response.output_text.annotation.added",
                        "annotation",
                        note,
                        &index,
                        out,
                    );
                }
                notes.sent = notes.values.len();
            }
            What::Refusal if !more.is_empty() => {
                self.event_there("response.refusal.delta", "delta", &more.into(), "", out);
            }
            What::Reasoning { reasoning, begun, named } => {
                let (kind, ..) = thought::of_part(reasoning, self.own);
                if !*begun && (*named || !more.is_empty()) {
                    *begun = true;
                    self.begin_thought(kind, out);
                }
                if !more.is_empty() {
                    let event = if kind == thought::CONTENT {
                        "response.reasoning_text.delta"
                    } else {
                        "response.reasoning_summary_text.delta"
                    };
                    self.event_there(event, "delta", &more.into(), "", out);
                }
            }
            What::Call(_) if !more.is_empty() => {
                self.event_there("response.function_call_arguments.delta", "delta", &more.into(), "", out);
            }
            _ => {}
        }
        segment.sent = segment.text.len();
    }

    /// Opens a text of the thought that is open.
    fn begin_thought(&mut self, kind: &str, out: &mut Vec<u8>) {
        let Some(item) = &self.thought else { return };
        let (member, index, event) = if kind == thought::CONTENT {
            ("content_index", item.content.len(), "response.content_part.added")
        } else {
            ("summary_index", item.summary.len(), "response.reasoning_summary_part.added")
        };
        let id = item.shown_id().to_owned();
        self.stand(&id, member, index);
        self.event_there(event, "part", &json!({ "type": kind, "text": "" }), "", out);
    }

    /// Closes a segment of which no more is written; the id of the call it was, where it was one. `cut` says
    /// that the answer ended inside it.
    pub(super) fn end_segment(
        &mut self,
        what: What,
        text: &str,
        cut: bool,
        out: &mut Vec<u8>,
    ) -> Option<String> {
        match what {
            What::Text { notes, tokens, .. } => {
                let logprobs = format!(",\"logprobs\":{}", Value::from(tokens.values.clone()));
                self.event_there("response.output_text.done", "text", &text.into(), &logprobs, out);
                let tokens: Value = tokens.values.into();
                self.end_content(items::text_part(text, notes.values, Some(&tokens), true), out);
            }
            What::Refusal => {
                self.event_there("response.refusal.done", "refusal", &text.into(), "", out);
                self.end_content(items::refusal_part(text), out);
            }
            What::Content(value) => self.end_content(value, out),
            What::Reasoning { reasoning, begun, .. } => {
                let (kind, ..) = thought::of_part(&reasoning, self.own);
                let encrypted = thought::shown(&reasoning);
                if begun {
                    self.end_thought_text(kind, text, out);
                }
                if let Some(item) = &mut self.thought {
                    item.encrypted = encrypted.or(item.encrypted.take());
                }
            }
            What::Call(mut call) => {
                let name = format!(",\"name\":{}", Value::from(call.name.as_str()));
                self.event_there(
                    "response.function_call_arguments.done",
                    "arguments",
                    &text.into(),
                    &name,
                    out,
                );
                text.clone_into(&mut call.arguments);
                let item = self.call(&call, if cut { "incomplete" } else { "completed" });
                let call_id = item.get("call_id").and_then(Value::as_str).unwrap_or_default().to_owned();
                self.done(item, out);
                if let Some(signature) = &call.signature {
                    self.sign(&call_id, signature, out);
                }
                return Some(call_id);
            }
            What::Item(value) => self.whole(value, out),
            What::Image(media) => {
                if let Some(item) = items::image_item(&media, &self.made_up("ig"), self.own) {
                    self.whole(item, out);
                }
            }
            What::Signature { call_id, signature } => self.sign(&call_id, &signature, out),
        }
        None
    }

    fn sign(&mut self, call_id: &str, signature: &Signature, out: &mut Vec<u8>) {
        if let Some(encrypted) = thought::shown_of_call(call_id, Some(signature)) {
            let item = items::signature_item(self.made_up("rs"), encrypted);
            self.whole(item, out);
        }
    }

    fn end_content(&mut self, part: Value, out: &mut Vec<u8>) {
        self.event_there("response.content_part.done", "part", &part, "", out);
        if let Some(message) = &mut self.message {
            message.content.push(part);
        }
    }

    fn end_thought_text(&mut self, kind: &str, text: &str, out: &mut Vec<u8>) {
        let part = json!({ "type": kind, "text": text });
        let (told, closed) = if kind == thought::CONTENT {
            ("response.reasoning_text.done", "response.content_part.done")
        } else {
            ("response.reasoning_summary_text.done", "response.reasoning_summary_part.done")
        };
        self.event_there(told, "text", &text.into(), "", out);
        self.event_there(closed, "part", &part, "", out);
        if let Some(item) = &mut self.thought {
            item.push(kind, text.to_owned());
        }
    }

    fn end_thought(&mut self, out: &mut Vec<u8>) {
        if let Some(item) = self.thought.take() {
            self.done(item.encode(), out);
        }
    }

    fn end_message(&mut self, cut: bool, out: &mut Vec<u8>) {
        if let Some(Message { id, rest, content }) = self.message.take() {
            let status = if cut { "incomplete" } else { "completed" };
            self.done(items::message_item(&id, status, content, rest), out);
        }
    }

    /// Closes the item that is open. `cut` says that the answer ended inside it.
    pub(super) fn end_items(&mut self, cut: bool, out: &mut Vec<u8>) {
        self.end_thought(out);
        self.end_message(cut, out);
    }

    /// Closes all: nothing more comes.
    pub(super) fn end(&mut self, cut: bool, out: &mut Vec<u8>) {
        self.begin_messages(usize::MAX, out);
        self.end_items(cut, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_go_on_behind_what_others_wrote() {
        let check = |last: &str, expect: u64| {
            let mut writer = Writer::default();
            writer.follow(last.as_bytes());
            assert_eq!(writer.next(), expect, "{last}");
        };
        check("", 0);
        check("data: {\"sequence_number\":4}\n\ndata: {\"sequence_number\": 12,\"x\":1}\n\n", 13);
        // What the model says is escaped.
        check("data: {\"sequence_number\":4,\"delta\":\"\\\"sequence_number\\\":99\"}\n\n", 5);
        check("data: {\"sequence_number\":-1}\n\n", 0);
        check("data: {\"sequence_number\":99999999999999999999999}\n\n", 0);
    }
}
