//! The parts of a choice that are open: to which one a delta belongs.

use super::chunk::{ChunkDelta, parse};
use super::{parts, reasoning, response};
use crate::error::WireError;
use crate::take;
use hanok_base::{Delta, FinishReason, Object, Part, Reasoning, StreamEvent};
use serde_json::Value;

/// A choice's parts that are open.
#[derive(Default)]
pub(super) struct Open {
    parts: usize,
    text: Option<usize>,
    /// The thought that is told as a plain text, and that text.
    reasoning: Option<usize>,
    pub(super) thought: String,
    detail: Option<OpenDetail>,
    refusal: Option<usize>,
    calls: Vec<OpenCall>,
    /// Parts that ended before the choice did.
    ended: Vec<usize>,
    pub(super) finished: bool,
}

/// A thought that is told in pieces of one detail.
struct OpenDetail {
    part: usize,
    /// All of it but its text.
    said: Object,
}

struct OpenCall {
    /// The upstream's index of the call, where it gives one.
    index: Option<u64>,
    id: String,
    part: usize,
}

impl Open {
    fn begin(&mut self, choice: u32, value: Part, events: &mut Vec<StreamEvent>) -> usize {
        let part = self.parts;
        self.parts += 1;
        events.push(StreamEvent::PartStart { choice, part, value });
        part
    }

    pub(super) fn finish(&mut self, choice: u32, reason: FinishReason, events: &mut Vec<StreamEvent>) {
        if std::mem::replace(&mut self.finished, true) {
            return;
        }
        self.close_detail(choice, events);
        let open = (0..self.parts).filter(|part| !self.ended.contains(part));
        events.extend(open.map(|part| StreamEvent::PartEnd { choice, part }));
        events.push(StreamEvent::Finish { choice, reason });
    }

    pub(super) fn delta(
        &mut self,
        choice: u32,
        delta: ChunkDelta<'_>,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), WireError> {
        // Some vendors tell it in both, or in all three.
        let told = self.details(choice, delta.details, events);
        for value in [delta.reasoning_content, delta.reasoning].into_iter().flatten().filter(|_| !told) {
            if let Value::String(text) = parse(value)?
                && !text.is_empty()
            {
                self.reasoning(choice, text, events);
                break;
            }
        }
        match delta.content.map(parse).transpose()? {
            None => {}
            Some(Value::String(text)) => self.text(choice, text, events),
            Some(Value::Array(parts)) => {
                for part in parts {
                    match parts::content_part(take::item(part, "content")?)?.0 {
                        Part::Text(text) => self.text(choice, text, events),
                        Part::Reasoning(reasoning) => self.reasoning(choice, reasoning.text, events),
                        other => drop(self.begin(choice, other, events)),
                    }
                }
            }
            Some(_) => return Err(WireError::member("content", parts::CONTENT)),
        }
        match delta.refusal.map(parse).transpose()? {
            None => {}
            Some(Value::String(text)) => self.refusal(choice, text, events),
            Some(_) => return Err(WireError::member("refusal", "must be a string")),
        }
        for call in delta.calls {
            self.call(choice, call, events)?;
        }
        for image in delta.images {
            let (part, _) = parts::content_part(image)?;
            self.begin(choice, part, events);
        }
        for annotation in delta.annotations {
            self.begin(choice, response::annotation(annotation), events);
        }
        Ok(())
    }

    fn text(&mut self, choice: u32, text: String, events: &mut Vec<StreamEvent>) {
        if !text.is_empty() {
            self.close_detail(choice, events);
            let known = self.text;
            let part = known.unwrap_or_else(|| self.begin(choice, Part::Text(String::new()), events));
            self.text = Some(part);
            events.push(StreamEvent::PartDelta { choice, part, delta: Delta::Text(text) });
        }
    }

    /// Takes a chunk's details; whether they told some text.
    fn details(&mut self, choice: u32, details: Vec<Object>, events: &mut Vec<StreamEvent>) -> bool {
        let mut told = false;
        for mut detail in details {
            let text = reasoning::take_text(&mut detail);
            told |= text.as_ref().is_some_and(|text| !text.is_empty());
            if let Some(open) = self.detail.as_mut().filter(|open| goes_on(&open.said, &detail)) {
                let part = open.part;
                add(&mut open.said, detail);
                if let Some(text) = text.filter(|text| !text.is_empty()) {
                    events.push(StreamEvent::PartDelta { choice, part, delta: Delta::Reasoning(text) });
                }
                continue;
            }
            self.close_detail(choice, events);
            // What was told as a plain text before is now told with all that belongs to it.
            let plain = text.as_ref().is_some_and(|text| !text.is_empty() && *text == self.thought);
            let part = if let (true, Some(part)) = (plain, self.reasoning.take()) {
                self.thought.clear();
                part
            } else {
                let redacted = !reasoning::grows(&detail);
                let thought = Reasoning { redacted, ..Reasoning::default() };
                let part = self.begin(choice, Part::Reasoning(thought), events);
                if let Some(text) = text.filter(|text| !text.is_empty()) {
                    events.push(StreamEvent::PartDelta { choice, part, delta: Delta::Reasoning(text) });
                }
                part
            };
            self.detail = Some(OpenDetail { part, said: detail });
        }
        told
    }

    /// Whatever follows, the open detail is complete.
    fn close_detail(&mut self, choice: u32, events: &mut Vec<StreamEvent>) {
        let Some(OpenDetail { part, said }) = self.detail.take() else { return };
        if let Some(signature) = reasoning::signature_of(said) {
            events.push(StreamEvent::PartDelta { choice, part, delta: Delta::Signature(signature) });
        }
        events.push(StreamEvent::PartEnd { choice, part });
        self.ended.push(part);
    }

    fn reasoning(&mut self, choice: u32, text: String, events: &mut Vec<StreamEvent>) {
        if !text.is_empty() {
            self.close_detail(choice, events);
            self.thought.push_str(&text);
            let known = self.reasoning;
            let part =
                known.unwrap_or_else(|| self.begin(choice, Part::Reasoning(Reasoning::default()), events));
            self.reasoning = Some(part);
            events.push(StreamEvent::PartDelta { choice, part, delta: Delta::Reasoning(text) });
        }
    }

    fn refusal(&mut self, choice: u32, text: String, events: &mut Vec<StreamEvent>) {
        if !text.is_empty() {
            let known = self.refusal;
            let part = known.unwrap_or_else(|| self.begin(choice, Part::Refusal(String::new()), events));
            self.refusal = Some(part);
            events.push(StreamEvent::PartDelta { choice, part, delta: Delta::Text(text) });
        }
    }

    fn call(
        &mut self,
        choice: u32,
        mut object: Object,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), WireError> {
        let index = take::count(&mut object, "index")?;
        let mut call = parts::tool_call(object)?;
        self.close_detail(choice, events);
        let arguments = std::mem::take(&mut call.arguments);
        let known = self.known_call(index, &call.id, &call.name);
        if let Some(part) = known
            && let Some(signature) = call.signature.take()
        {
            events.push(StreamEvent::PartDelta { choice, part, delta: Delta::Signature(signature) });
        }
        let part = known.unwrap_or_else(|| {
            let id = call.id.clone();
            let part = self.begin(choice, Part::ToolCall(call), events);
            self.calls.push(OpenCall { index, id, part });
            part
        });
        if !arguments.is_empty() {
            events.push(StreamEvent::PartDelta { choice, part, delta: Delta::Arguments(arguments) });
        }
        Ok(())
    }

    /// The call that a delta goes on with; `None` where it begins one. The index says which, as documented; but
    /// some servers give none and only a new id, and some give each of several whole calls the index 0. A new
    /// id alone is not enough under an index: some servers make up another one for each delta.
    fn known_call(&self, index: Option<u64>, id: &str, name: &str) -> Option<usize> {
        let mut newest_first = self.calls.iter().rev();
        let known = match index {
            Some(_) => {
                let same = newest_first.find(|call| call.index == index)?;
                let other = !id.is_empty() && !name.is_empty() && !same.id.is_empty() && same.id != id;
                Some(same).filter(|_| !other)
            }
            None if !id.is_empty() => newest_first.find(|call| call.id == id),
            None if !name.is_empty() => None,
            None => newest_first.next(),
        };
        known.map(|call| call.part)
    }
}

/// Whether a detail is a further piece of the one that is open.
fn goes_on(open: &Object, more: &Object) -> bool {
    let same = |name: &str| open.get(name) == more.get(name);
    let id = more
        .get("id")
        .is_none_or(|id| id.is_null() || open.get("id").is_none_or(|of| of.is_null() || of == id));
    reasoning::grows(more) && same("type") && same("index") && id
}

/// Adds what a further piece of a detail says. A signature may come in pieces, or again and again.
fn add(open: &mut Object, more: Object) {
    for (name, value) in more {
        match (open.get_mut(&name), value) {
            (Some(Value::String(so_far)), Value::String(more)) if name == "signature" => {
                if *so_far != more {
                    so_far.push_str(&more);
                }
            }
            (Some(_), Value::Null) => {}
            (_, value) => drop(open.insert(name, value)),
        }
    }
}
