//! Streamed answers, both directions.

use super::{fault, request, response, take};
use crate::codec::{StreamDecoder, StreamEncoder, StreamOptions};
use crate::error::{WireError, text};
use crate::sse;
use hanok_base::{Delta, Object, Part, Problem, Reasoning, StreamEvent};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// From an upstream's bytes to events.
#[derive(Default)]
pub(super) struct Decoder {
    parser: sse::Parser,
    state: State,
}

#[derive(Default)]
struct State {
    started: bool,
    done: bool,
    head: Object,
    choices: BTreeMap<u32, Open>,
}

/// A choice's parts that are open.
#[derive(Default)]
struct Open {
    parts: usize,
    text: Option<usize>,
    reasoning: Option<usize>,
    refusal: Option<usize>,
    /// By the upstream's index of the call.
    calls: BTreeMap<u64, usize>,
    finished: bool,
}

impl StreamDecoder for Decoder {
    fn feed(&mut self, bytes: &[u8], events: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let state = &mut self.state;
        self.parser.feed(bytes, |event| state.take(event.data, events))
    }

    fn finish(&mut self) -> Result<(), WireError> {
        let state = &mut self.state;
        let mut late = Vec::new();
        let rest = self.parser.finish(|event| state.take(event.data, &mut late));
        let complete = !state.choices.is_empty() && state.choices.values().all(|open| open.finished);
        // Content in an event that was never closed by a blank line may itself be cut.
        match rest {
            Err(error @ WireError::Upstream(_)) => Err(error),
            Ok(()) if complete && late.is_empty() => Ok(()),
            // Half an event is no event of a bad kind: the stream was cut inside it.
            _ => Err(WireError::Truncated),
        }
    }
}

impl State {
    fn take(&mut self, data: &[u8], events: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        let data = text(data)?.trim();
        if self.done || data.is_empty() {
            return Ok(());
        }
        if data == "[DONE]" {
            self.done = true;
            return Ok(());
        }
        let mut chunk = take::object(data.as_bytes())?;
        if let Some(error) = chunk.get("error").filter(|error| !error.is_null()) {
            return Err(WireError::Upstream(fault::in_answer(error)));
        }
        let choices = take::array(&mut chunk, "choices")?;
        let usage = take::some(&mut chunk, "usage");
        if !self.started {
            self.head.extend(chunk);
            // Some upstreams send a chunk about the prompt before the one that names the answer.
            if !choices.is_empty() {
                self.start(events)?;
            }
        }
        for (i, value) in choices.into_iter().enumerate() {
            self.choice(take::item(value, "choices")?, i, events)?;
        }
        if let Some(usage) = usage {
            events.push(StreamEvent::Usage(take::usage(&usage)));
        }
        Ok(())
    }

    fn start(&mut self, events: &mut Vec<StreamEvent>) -> Result<(), WireError> {
        self.started = true;
        let mut extra = std::mem::take(&mut self.head);
        extra.shift_remove("object");
        let id = take::string(&mut extra, "id")?.unwrap_or_default().into();
        let model = take::string(&mut extra, "model")?.unwrap_or_default().into();
        let created = take::integer(&mut extra, "created").ok().flatten().unwrap_or(0);
        extra.retain(|_, value| !value.is_null());
        events.push(StreamEvent::Start { id, model, created, extra });
        Ok(())
    }

    fn choice(
        &mut self,
        mut object: Object,
        position: usize,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), WireError> {
        let index = take::count(&mut object, "index")?.unwrap_or(position as u64);
        let choice = u32::try_from(index).map_err(|_| WireError::member("choices.index", "is too large"))?;
        let open = self.choices.entry(choice).or_default();
        let finish = take::string(&mut object, "finish_reason")?;
        if let Some(mut delta) = take::map(&mut object, "delta")? {
            open.delta(choice, &mut delta, events)?;
        }
        object.retain(|_, value| !value.is_null());
        if !object.is_empty() {
            events.push(StreamEvent::ChoiceExtra { choice, extra: object });
        }
        if let Some(reason) = finish
            && !open.finished
        {
            open.finished = true;
            for part in 0..open.parts {
                events.push(StreamEvent::PartEnd { choice, part });
            }
            events.push(StreamEvent::Finish { choice, reason: response::finish_reason(&reason) });
        }
        Ok(())
    }
}

impl Open {
    fn begin(&mut self, choice: u32, value: Part, events: &mut Vec<StreamEvent>) -> usize {
        let part = self.parts;
        self.parts += 1;
        events.push(StreamEvent::PartStart { choice, part, value });
        part
    }

    fn delta(
        &mut self,
        choice: u32,
        delta: &mut Object,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), WireError> {
        if let Some(text) = request::reasoning(delta) {
            let part = match self.reasoning {
                Some(part) => part,
                None => self.begin(choice, Part::Reasoning(Reasoning::default()), events),
            };
            self.reasoning = Some(part);
            events.push(StreamEvent::PartDelta { choice, part, delta: Delta::Reasoning(text) });
        }
        if let Some(text) = take::string(delta, "content")?.filter(|text| !text.is_empty()) {
            let part = match self.text {
                Some(part) => part,
                None => self.begin(choice, Part::Text(String::new()), events),
            };
            self.text = Some(part);
            events.push(StreamEvent::PartDelta { choice, part, delta: Delta::Text(text) });
        }
        if let Some(text) = take::string(delta, "refusal")?.filter(|text| !text.is_empty()) {
            let part = match self.refusal {
                Some(part) => part,
                None => self.begin(choice, Part::Refusal(String::new()), events),
            };
            self.refusal = Some(part);
            events.push(StreamEvent::PartDelta { choice, part, delta: Delta::Text(text) });
        }
        for (i, value) in take::array(delta, "tool_calls")?.into_iter().enumerate() {
            self.call(choice, take::item(value, "tool_calls")?, i, events)?;
        }
        for value in take::array(delta, "annotations")? {
            self.begin(choice, response::annotation(value), events);
        }
        Ok(())
    }

    fn call(
        &mut self,
        choice: u32,
        mut object: Object,
        position: usize,
        events: &mut Vec<StreamEvent>,
    ) -> Result<(), WireError> {
        let index = take::count(&mut object, "index")?.unwrap_or(position as u64);
        let mut call = request::tool_call(object)?;
        let arguments = std::mem::take(&mut call.arguments);
        // A server without indices gives each new call a new id.
        let known = self.calls.get(&index).copied();
        let part = match known {
            Some(part) => part,
            None => {
                let part = self.begin(choice, Part::ToolCall(call), events);
                self.calls.insert(index, part);
                part
            }
        };
        if !arguments.is_empty() {
            events.push(StreamEvent::PartDelta { choice, part, delta: Delta::Arguments(arguments) });
        }
        Ok(())
    }
}

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
                let mut value = request::encode_tool_call(call);
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
            Part::Text(_) | Part::Reasoning(_) | Part::Media(_) | Part::ToolResult(_) => {}
        }
    }
}

impl StreamEncoder for Encoder {
    fn encode(&mut self, event: &StreamEvent, out: &mut Vec<u8>) {
        match event {
            StreamEvent::Start { id, model, created, extra } => {
                let known_as = &self.options.model;
                let model = if known_as.as_str().is_empty() { model } else { known_as };
                self.head = head(id.as_str(), model.as_str(), *created, extra);
            }
            StreamEvent::PartStart { choice, part, value } => self.part_start(*choice, *part, value, out),
            StreamEvent::PartDelta { choice, part, delta } => {
                let delta = match delta {
                    Delta::Text(text) if self.refusals.contains(&(*choice, *part)) => json!({ "refusal": text }),
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
            StreamEvent::Usage(usage) => self.usage = take::usage_value(usage),
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
