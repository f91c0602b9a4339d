//! Streamed answers as clients want them.

use super::parts::Reader;
use super::{fault, media, parts, reasoning, response, usage};
use crate::codec::{StreamEncoder, StreamOptions};
use hanok_base::{Delta, Object, Part, Problem, Reasoning, StreamEvent, ToolCall};
use serde_json::{Value, json};

/// From events to a client's bytes.
pub(super) struct Encoder {
    options: StreamOptions,
    /// The members every chunk begins with, as JSON without the closing brace.
    head: String,
    roles: Vec<u32>,
    /// Choice and part of each tool call, by choice in order of coming.
    calls: Vec<(u32, usize)>,
    refusals: Vec<(u32, usize)>,
    thoughts: Vec<Thought>,
    images: Vec<u32>,
    /// Unknown members are under this dialect's names.
    own: bool,
    usage: Option<Value>,
}

/// A thought, kept until it is complete: its text and its signature are told together.
struct Thought {
    choice: u32,
    part: usize,
    so_far: Reasoning,
    ended: bool,
    told: bool,
}

impl Encoder {
    pub(super) fn new(options: StreamOptions) -> Self {
        let head = head("", options.model.as_str(), 0, &Object::new());
        Self {
            options,
            head,
            roles: Vec::new(),
            calls: Vec::new(),
            refusals: Vec::new(),
            thoughts: Vec::new(),
            images: Vec::new(),
            own: true,
            usage: None,
        }
    }

    fn chunk(&self, choices: &Value, usage: Option<&Value>, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(self.head.as_bytes());
        out.extend_from_slice(b",\"choices\":");
        out.extend_from_slice(choices.to_string().as_bytes());
        if self.options.include_usage {
            out.extend_from_slice(b",\"usage\":");
            out.extend_from_slice(usage.unwrap_or(&Value::Null).to_string().as_bytes());
        }
        out.extend_from_slice(b"}\n\n");
    }

    fn delta(&mut self, choice: u32, delta: &Value, out: &mut Vec<u8>) {
        self.role(choice, out);
        self.chunk(&json!([{ "index": choice, "delta": delta, "finish_reason": null }]), None, out);
    }

    fn role(&mut self, choice: u32, out: &mut Vec<u8>) {
        if !self.roles.contains(&choice) {
            self.roles.push(choice);
            let delta = json!({ "role": "assistant", "content": "" });
            self.chunk(&json!([{ "index": choice, "delta": delta, "finish_reason": null }]), None, out);
        }
    }

    fn call_index(&self, choice: u32, part: usize) -> usize {
        self.calls.iter().filter(|(of, _)| *of == choice).position(|(_, at)| *at == part).unwrap_or(0)
    }

    fn part_start(&mut self, choice: u32, part: usize, value: &Part, out: &mut Vec<u8>) {
        match value {
            Part::Text(text) if !text.is_empty() => self.delta(choice, &json!({ "content": text }), out),
            Part::Refusal(text) => {
                self.refusals.push((choice, part));
                if !text.is_empty() {
                    self.delta(choice, &json!({ "refusal": text }), out);
                }
            }
            Part::Reasoning(thought) => self.thought(choice, part, thought, out),
            Part::ToolCall(call) => {
                self.calls.push((choice, part));
                let index = self.call_index(choice, part);
                let mut value = parts::encode_tool_call(call, Reader::Client, self.own);
                if let Some(object) = value.as_object_mut() {
                    object.insert("index".into(), index.into());
                }
                self.delta(choice, &json!({ "tool_calls": [value] }), out);
            }
            Part::Media(image) => {
                let mut value = media::encode(image, self.own);
                if let Some(object) = value.as_object_mut() {
                    let index = self.images.iter().filter(|of| **of == choice).count();
                    object.insert("index".into(), index.into());
                }
                self.images.push(choice);
                self.delta(choice, &json!({ "images": [value] }), out);
            }
            Part::Citation(_) | Part::Opaque { .. } => {
                if let Some(annotation) = response::annotation_of(value, self.own) {
                    self.delta(choice, &json!({ "annotations": [annotation] }), out);
                }
            }
            Part::Text(_) | Part::ToolResult(_) | Part::CacheBreak(_) => {}
        }
    }

    fn thought(&mut self, choice: u32, part: usize, thought: &Reasoning, out: &mut Vec<u8>) {
        self.thoughts.push(Thought { choice, part, so_far: thought.clone(), ended: false, told: false });
        self.tell_ended(choice, out);
        if !thought.text.is_empty() {
            self.delta(choice, &json!({ "reasoning_content": thought.text }), out);
        }
    }

    /// Tells the thoughts that are complete and need it: those that are signed, and beside others all, so that
    /// they keep their order.
    fn tell_ended(&mut self, choice: u32, out: &mut Vec<u8>) {
        let several = self.thoughts.iter().filter(|thought| thought.choice == choice).count() > 1;
        for at in 0..self.thoughts.len() {
            let due = |thought: &&Thought| {
                thought.choice == choice
                    && thought.ended
                    && !thought.told
                    && (several || reasoning::is_signed(&thought.so_far))
            };
            if self.thoughts.get(at).as_ref().is_some_and(due) {
                self.tell(at, out);
            }
        }
    }

    /// Tells a thought in full.
    fn tell(&mut self, at: usize, out: &mut Vec<u8>) {
        let Some(thought) = self.thoughts.get_mut(at) else { return };
        thought.told = true;
        let (choice, so_far) = (thought.choice, std::mem::take(&mut thought.so_far));
        let before = self.thoughts.iter().take(at).filter(|thought| thought.choice == choice).count();
        if !so_far.text.is_empty() || reasoning::is_signed(&so_far) {
            let detail = reasoning::encode_detail(&so_far, before);
            self.delta(choice, &json!({ "reasoning_details": [detail] }), out);
        }
    }

    fn grow(&mut self, choice: u32, part: usize, delta: &Delta, out: &mut Vec<u8>) {
        let said = match delta {
            Delta::Text(text) if self.refusals.contains(&(choice, part)) => json!({ "refusal": text }),
            Delta::Text(text) => json!({ "content": text }),
            Delta::Reasoning(text) => {
                if let Some(at) = self.thought_at(choice, part)
                    && let Some(thought) = self.thoughts.get_mut(at)
                {
                    thought.so_far.text.push_str(text);
                }
                json!({ "reasoning_content": text })
            }
            Delta::Arguments(text) => {
                let index = self.call_index(choice, part);
                json!({ "tool_calls": [{ "index": index, "function": { "arguments": text } }] })
            }
            Delta::Signature(signature) => {
                if let Some(at) = self.thought_at(choice, part) {
                    if let Some(thought) = self.thoughts.get_mut(at) {
                        match &mut thought.so_far.signature {
                            Some(so_far) => so_far.value.push_str(&signature.value),
                            none => *none = Some(signature.clone()),
                        }
                    }
                    return;
                }
                let call = ToolCall { signature: Some(signature.clone()), ..ToolCall::default() };
                let mut value =
                    Object::from_iter([("index".to_owned(), self.call_index(choice, part).into())]);
                reasoning::encode_call_signature(&call, Reader::Client, &mut value);
                json!({ "tool_calls": [value] })
            }
        };
        self.delta(choice, &said, out);
    }

    fn thought_at(&self, choice: u32, part: usize) -> Option<usize> {
        self.thoughts.iter().position(|thought| thought.choice == choice && thought.part == part)
    }
}

impl StreamEncoder for Encoder {
    fn encode(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        match event {
            StreamEvent::Start { id, model, created, dialect, extra } => {
                self.own = response::is_own(*dialect);
                let none = Object::new();
                let extra = if self.own { extra } else { &none };
                let known_as = &self.options.model;
                let model = if known_as.as_str().is_empty() { model } else { known_as };
                self.head = head(id.as_str(), model.as_str(), *created, extra);
            }
            StreamEvent::PartStart { choice, part, value } => self.part_start(*choice, *part, value, out),
            StreamEvent::PartDelta { choice, part, delta } => self.grow(*choice, *part, delta, out),
            StreamEvent::PartEnd { choice, part } => {
                let at = self.thought_at(*choice, *part);
                if let Some(thought) = at.and_then(|at| self.thoughts.get_mut(at)) {
                    thought.ended = true;
                    self.tell_ended(*choice, out);
                }
            }
            StreamEvent::ChoiceExtra { choice, extra } if self.own => {
                self.role(*choice, out);
                let mut object = Object::new();
                object.insert("index".into(), (*choice).into());
                object.insert("delta".into(), json!({}));
                object.insert("finish_reason".into(), Value::Null);
                object.extend(extra.clone());
                self.chunk(&json!([object]), None, out);
            }
            StreamEvent::ChoiceExtra { .. } => {}
            StreamEvent::Finish { choice, reason } => {
                self.thoughts.iter_mut().filter(|of| of.choice == *choice).for_each(|of| of.ended = true);
                self.tell_ended(*choice, out);
                self.role(*choice, out);
                let mut object = Object::new();
                object.insert("index".into(), (*choice).into());
                object.insert("delta".into(), json!({}));
                response::encode_finish(reason, &mut object);
                self.chunk(&json!([object]), None, out);
            }
            StreamEvent::Usage(usage) => self.usage = usage::encode(usage),
        }
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if let (true, Some(usage)) = (self.options.include_usage, self.usage.take()) {
            self.chunk(&json!([]), Some(&usage), out);
        }
        out.extend_from_slice(b"data: [DONE]\n\n");
    }

    fn error(&mut self, problem: &Problem, out: &mut Vec<u8>) {
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(&fault::encode(problem, None));
        out.extend_from_slice(b"\n\n");
    }
}

fn head(id: &str, model: &str, created: i64, extra: &Object) -> String {
    let mut object = Object::new();
    object.insert("id".into(), id.into());
    object.insert("object".into(), "chat.completion.chunk".into());
    object.insert("created".into(), created.into());
    object.insert("model".into(), model.into());
    object.extend(extra.clone());
    let mut text = Value::Object(object).to_string();
    text.pop();
    text
}
