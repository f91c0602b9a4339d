//! Streamed answers as clients want them: each chunk a `GenerateContentResponse` with what is new. Texts and
//! thoughts go out as they grow, calls whole; the end of a choice waits for the tokens that are told behind it.

use super::response::{self, Ending};
use super::{fault, parts, seal, usage};
use crate::codec::{StreamEncoder, StreamOptions};
use hanok_base::{Citation, Delta, Dialect, Object, Part, Problem, Reasoning, Signature, StreamEvent, Usage};
use serde_json::{Value, json};

/// From events to a client's bytes.
pub(super) struct Encoder {
    options: StreamOptions,
    /// The members of the answer that each chunk ends with, as JSON without braces.
    head: String,
    /// What only one chunk tells of it.
    once: Object,
    /// Whether unknown members are the API's.
    own: bool,
    /// Whether the prompt was blocked, as the head tells.
    blocked: bool,
    choices: Vec<Choice>,
    /// The end of the choice that ended last: the tokens belong into it.
    ending: Option<Value>,
    usage: Option<Usage>,
}

/// A choice while it grows.
#[derive(Default)]
struct Choice {
    index: u32,
    open: Vec<Open>,
    said: String,
    refused: bool,
    cited: Vec<Citation>,
    extra: Object,
}

/// A part whose end is not written.
struct Open {
    part: usize,
    value: Part,
    /// What waits for another part of its kind to end: clients could not tell the two apart.
    held: String,
    ended: bool,
}

impl Open {
    fn is_thought(&self) -> bool {
        matches!(self.value, Part::Reasoning(_))
    }

    fn is_call(&self) -> bool {
        matches!(self.value, Part::ToolCall(_))
    }
}

impl Encoder {
    pub(super) fn new(options: StreamOptions) -> Self {
        let head = head("", options.model.as_str(), 0);
        Self {
            options,
            head,
            once: Object::new(),
            own: true,
            blocked: false,
            choices: Vec::new(),
            ending: None,
            usage: None,
        }
    }

    fn choice(&mut self, index: u32) -> &mut Choice {
        let at = self.choices.iter().position(|choice| choice.index == index).unwrap_or_else(|| {
            self.choices.push(Choice { index, ..Choice::default() });
            self.choices.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found or pushed on the line above")]
        &mut self.choices[at]
    }

    /// Writes a chunk with this candidate.
    fn chunk(&mut self, candidate: Option<Value>, usage: Option<Value>, out: &mut Vec<u8>) {
        let mut object = Object::new();
        if let Some(candidate) = candidate {
            object.insert("candidates".into(), Value::Array(vec![candidate]));
        }
        if let Some(usage) = usage {
            object.insert("usageMetadata".into(), usage);
        }
        object.append(&mut self.once);
        let mut text = Value::Object(object).to_string();
        text.pop();
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(text.as_bytes());
        if text.len() > 1 && !self.head.is_empty() {
            out.push(b',');
        }
        out.extend_from_slice(self.head.as_bytes());
        out.extend_from_slice(b"}\n\n");
    }

    /// Writes the end that waits.
    fn flush(&mut self, out: &mut Vec<u8>) {
        if let Some(ending) = self.ending.take() {
            self.chunk(Some(ending), None, out);
        }
    }

    fn parts(&mut self, choice: u32, parts: Vec<Value>, out: &mut Vec<u8>) {
        if !parts.is_empty() {
            self.flush(out);
            let mut content = Object::from_iter([("parts".to_owned(), Value::Array(parts))]);
            content.insert("role".into(), "model".into());
            let mut candidate = Object::from_iter([("content".to_owned(), Value::Object(content))]);
            candidate.insert("index".into(), choice.into());
            self.chunk(Some(candidate.into()), None, out);
        }
    }
}

impl Choice {
    fn start(&mut self, part: usize, value: &Part, own: bool) -> Vec<Value> {
        let held = match value {
            Part::Text(text) | Part::Refusal(text) => text.clone(),
            Part::Reasoning(reasoning) => reasoning.text.clone(),
            Part::ToolCall(_) => String::new(),
            Part::Citation(citation) => {
                self.cited.push(citation.clone());
                return Vec::new();
            }
            Part::Media(media) => return parts::encode_media(media, own).into_iter().collect(),
            Part::Opaque { dialect: Dialect::Gemini, value } => return vec![value.clone()],
            Part::Opaque { .. } | Part::ToolResult(_) | Part::CacheBreak(_) => return Vec::new(),
        };
        self.refused |= matches!(value, Part::Refusal(_));
        self.open.push(Open { part, value: value.clone(), held, ended: false });
        self.release(own)
    }

    fn grow(&mut self, part: usize, delta: &Delta, own: bool) -> Vec<Value> {
        let Some(open) = self.open.iter_mut().find(|open| open.part == part) else {
            return Vec::new();
        };
        match (delta, &mut open.value) {
            (Delta::Text(text), _) => open.held.push_str(text),
            (Delta::Reasoning(text), Part::Reasoning(reasoning)) => {
                open.held.push_str(text);
                reasoning.text.push_str(text);
            }
            (Delta::Arguments(more), Part::ToolCall(call)) => call.arguments.push_str(more),
            (Delta::Signature(more), Part::ToolCall(call)) => sign(&mut call.signature, more),
            (Delta::Signature(more), Part::Reasoning(reasoning)) => sign(&mut reasoning.signature, more),
            _ => {}
        }
        self.release(own)
    }

    fn end(&mut self, part: usize, own: bool) -> Vec<Value> {
        if let Some(open) = self.open.iter_mut().find(|open| open.part == part) {
            open.ended = true;
        }
        self.release(own)
    }

    /// What may go out now: of texts, and of thoughts, the one that began first; calls that are whole.
    fn release(&mut self, own: bool) -> Vec<Value> {
        let mut written = Vec::new();
        let mut at = 0;
        // Of which kind an earlier part is still open.
        let (mut text, mut thought) = (false, false);
        while let Some(open) = self.open.get_mut(at) {
            let (is_thought, is_call) = (open.is_thought(), open.is_call());
            let before = if is_thought { &mut thought } else { &mut text };
            if !is_call && *before {
                at += 1;
                continue;
            }
            let held = std::mem::take(&mut open.held);
            if !held.is_empty() {
                written.push(parts::encode_text(&held, is_thought, None));
                if !is_thought {
                    self.said.push_str(&held);
                }
            }
            if !open.ended {
                *before |= !is_call;
                at += 1;
                continue;
            }
            match self.open.remove(at).value {
                Part::ToolCall(call) => written.push(response::encode_call(&call, own)),
                Part::Reasoning(reasoning) => written.extend(seal_of(&reasoning)),
                _ => {}
            }
        }
        written
    }

    fn finish(&mut self, own: bool) -> Vec<Value> {
        self.open.iter_mut().for_each(|open| open.ended = true);
        self.release(own)
    }
}

/// The signature of a thought whose text is out.
fn seal_of(reasoning: &Reasoning) -> Option<Value> {
    if reasoning.text.is_empty() {
        return response::encode_reasoning(reasoning);
    }
    let shown = seal::shown(reasoning.signature.as_ref()?, reasoning.redacted);
    Some(parts::encode_text("", true, Some(&shown)))
}

fn head(id: &str, model: &str, created: i64) -> String {
    let mut object = Object::new();
    response::head(id, model, created, &mut object);
    let mut text = Value::Object(object).to_string();
    text.pop();
    text.split_off(1)
}

fn sign(signature: &mut Option<Signature>, more: &Signature) {
    match signature {
        Some(signature) => signature.value.push_str(&more.value),
        None => *signature = Some(more.clone()),
    }
}

impl StreamEncoder for Encoder {
    fn encode(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        let own = self.own;
        match event {
            StreamEvent::Start { id, model, created, dialect, extra } => {
                let known_as = &self.options.model;
                let model = if known_as.as_str().is_empty() { model } else { known_as };
                self.head = head(id.as_str(), model.as_str(), *created);
                self.own = response::is_own(*dialect);
                if self.own {
                    self.once.clone_from(extra);
                    self.blocked = response::is_blocked(extra);
                }
            }
            StreamEvent::Usage(usage) => self.usage = Some(*usage),
            // What stands for the candidate that a blocked prompt has not.
            _ if self.blocked => {}
            StreamEvent::PartStart { choice, part, value } => {
                let written = self.choice(*choice).start(*part, value, own);
                self.parts(*choice, written, out);
            }
            StreamEvent::PartDelta { choice, part, delta } => {
                let written = self.choice(*choice).grow(*part, delta, own);
                self.parts(*choice, written, out);
            }
            StreamEvent::PartEnd { choice, part } => {
                let written = self.choice(*choice).end(*part, own);
                self.parts(*choice, written, out);
            }
            StreamEvent::ChoiceExtra { choice, extra } if own => {
                for (name, value) in extra {
                    // Told piece by piece.
                    if name == "logprobsResult" {
                        self.flush(out);
                        self.chunk(Some(json!({ "index": choice, name: value })), None, out);
                    } else {
                        self.choice(*choice).extra.insert(name.clone(), value.clone());
                    }
                }
            }
            StreamEvent::ChoiceExtra { .. } => {}
            StreamEvent::Finish { choice, reason } => {
                let written = self.choice(*choice).finish(own);
                self.parts(*choice, written, out);
                self.flush(out);
                let choice = self.choice(*choice);
                let ending = Ending {
                    index: choice.index,
                    finish: reason,
                    refused: choice.refused,
                    said: &choice.said,
                    cited: choice.cited.iter().collect(),
                    extra: &choice.extra,
                    own,
                };
                self.ending = Some(response::encode_candidate(&ending, Vec::new()));
            }
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        let usage = self.usage.take().and_then(|usage| usage::encode(&usage));
        let ending = self.ending.take();
        if ending.is_some() || usage.is_some() || self.blocked {
            self.chunk(ending, usage, out);
        }
    }

    /// The end that waits is not written: what an error follows must not look complete.
    fn error(&mut self, problem: &Problem, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&fault::encode(problem, None));
        out.extend_from_slice(b"\n\n");
    }
}
