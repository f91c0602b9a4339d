//! Streamed answers as clients want them.

use super::{fault, parts, response, usage};
use crate::codec::{StreamEncoder, StreamOptions};
use hanok_base::{Delta, Object, Part, Problem, StreamEvent};
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
    usage: Option<Value>,
}

impl Encoder {
    pub(super) fn new(options: StreamOptions) -> Self {
        let head = head("", options.model.as_str(), 0, &Object::new());
        Self { options, head, roles: Vec::new(), calls: Vec::new(), refusals: Vec::new(), usage: None }
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
            Part::Reasoning(reasoning) if !reasoning.text.is_empty() => {
                self.delta(choice, &json!({ "reasoning_content": reasoning.text }), out);
            }
            Part::ToolCall(call) => {
                self.calls.push((choice, part));
                let index = self.call_index(choice, part);
                let mut value = parts::encode_tool_call(call);
                if let Some(object) = value.as_object_mut() {
                    object.insert("index".into(), index.into());
                }
                self.delta(choice, &json!({ "tool_calls": [value] }), out);
            }
            Part::Citation(citation) => {
                let annotation = response::encode_annotation(citation);
                self.delta(choice, &json!({ "annotations": [annotation] }), out);
            }
            Part::Opaque { value, .. } => self.delta(choice, &json!({ "annotations": [value] }), out),
            Part::Text(_)
            | Part::Reasoning(_)
            | Part::Media(_)
            | Part::ToolResult(_)
            | Part::CacheBreak(_) => {}
        }
    }
}

impl StreamEncoder for Encoder {
    fn encode(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        match event {
            StreamEvent::Start { id, model, created, extra, .. } => {
                let known_as = &self.options.model;
                let model = if known_as.as_str().is_empty() { model } else { known_as };
                self.head = head(id.as_str(), model.as_str(), *created, extra);
            }
            StreamEvent::PartStart { choice, part, value } => self.part_start(*choice, *part, value, out),
            StreamEvent::PartDelta { choice, part, delta } => {
                let delta = match delta {
                    Delta::Text(text) if self.refusals.contains(&(*choice, *part)) => {
                        json!({ "refusal": text })
                    }
                    Delta::Text(text) => json!({ "content": text }),
                    Delta::Reasoning(text) => json!({ "reasoning_content": text }),
                    Delta::Arguments(text) => {
                        let index = self.call_index(*choice, *part);
                        json!({ "tool_calls": [{ "index": index, "function": { "arguments": text } }] })
                    }
                    // This dialect has no place for signatures.
                    Delta::Signature(_) => return,
                };
                self.delta(*choice, &delta, out);
            }
            StreamEvent::PartEnd { .. } => {}
            StreamEvent::ChoiceExtra { choice, extra } => {
                self.role(*choice, out);
                let mut object = Object::new();
                object.insert("index".into(), (*choice).into());
                object.insert("delta".into(), json!({}));
                object.insert("finish_reason".into(), Value::Null);
                object.extend(extra.clone());
                self.chunk(&json!([object]), None, out);
            }
            StreamEvent::Finish { choice, reason } => {
                self.role(*choice, out);
                let choices = json!([{ "index": choice, "delta": {}, "finish_reason": reason.as_str() }]);
                self.chunk(&choices, None, out);
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
