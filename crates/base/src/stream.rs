//! A streamed answer as events, and its collection into a whole one.

use crate::{
    ChatResponse, Choice, Dialect, FinishReason, Message, ModelName, Object, Part, ProviderError, ResponseId,
    Role, Signature, Usage,
};
use futures_core::Stream;
use std::pin::Pin;

/// A streamed answer.
pub type EventStream = Pin<Box<dyn Stream<Item = Result<StreamEvent, ProviderError>> + Send>>;

/// One event of a streamed answer.
///
/// Invariant: parts of a choice are numbered from 0 in the order of their `PartStart`; a `PartDelta`
/// names a part that has started and not ended. End of input without a `Finish` for each started choice
/// is a truncated answer, never success.
#[derive(Clone, Debug, PartialEq)]
pub enum StreamEvent {
    /// The head: sent once, first.
    Start {
        /// The answer's id.
        id: ResponseId,
        /// The model that answers.
        model: ModelName,
        /// Seconds since the epoch; 0 when not said.
        created: i64,
        /// The dialect of the upstream, as in [`ChatResponse::dialect`].
        dialect: Option<Dialect>,
        /// Unknown members of the head.
        extra: Object,
    },
    /// A part begins. Parts that do not grow (a citation, media) are whole here.
    PartStart {
        /// The choice's index.
        choice: u32,
        /// The part's number within the choice.
        part: usize,
        /// What is known of it so far (an empty text, a call's id and name).
        value: Part,
    },
    /// A part grows.
    PartDelta {
        /// The choice's index.
        choice: u32,
        /// The part's number within the choice.
        part: usize,
        /// By how much.
        delta: Delta,
    },
    /// A part is complete.
    PartEnd {
        /// The choice's index.
        choice: u32,
        /// The part's number within the choice.
        part: usize,
    },
    /// Members of a choice that no part stands for (`logprobs`), merged over the stream.
    ChoiceExtra {
        /// The choice's index.
        choice: u32,
        /// The members.
        extra: Object,
    },
    /// A choice is complete.
    Finish {
        /// The choice's index.
        choice: u32,
        /// Why.
        reason: FinishReason,
    },
    /// Tokens, as of now; the last one counts.
    Usage(Usage),
}

/// The growth of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delta {
    /// Of a text or a refusal.
    Text(String),
    /// Of reasoning.
    Reasoning(String),
    /// A signature for the reasoning part or the tool call.
    Signature(Signature),
    /// Of a tool call's arguments.
    Arguments(String),
}

/// Builds the whole answer from a stream's events.
///
/// Law: collecting the events of a stream gives what decoding the same answer's whole body gives.
#[derive(Debug, Default)]
pub struct Collector {
    head: Option<Head>,
    choices: Vec<Open>,
    usage: Usage,
}

type Head = (ResponseId, ModelName, i64, Option<Dialect>, Object);

#[derive(Debug)]
struct Open {
    index: u32,
    parts: Vec<Part>,
    finish: Option<FinishReason>,
    extra: Object,
}

impl Collector {
    /// Takes the next event.
    pub fn push(&mut self, event: StreamEvent) {
        match event {
            StreamEvent::Start { id, model, created, dialect, extra } => {
                self.head = Some((id, model, created, dialect, extra));
            }
            StreamEvent::PartStart { choice, value, .. } => self.choice(choice).parts.push(value),
            StreamEvent::PartDelta { choice, part, delta } => {
                if let Some(part) = self.choice(choice).parts.get_mut(part) {
                    grow(part, &delta);
                }
            }
            StreamEvent::PartEnd { .. } => {}
            StreamEvent::ChoiceExtra { choice, extra } => merge(&mut self.choice(choice).extra, extra),
            StreamEvent::Finish { choice, reason } => self.choice(choice).finish = Some(reason),
            StreamEvent::Usage(usage) => self.usage = usage,
        }
    }

    /// Whether every choice that started has finished, and at least one did.
    pub fn is_complete(&self) -> bool {
        !self.choices.is_empty() && self.choices.iter().all(|choice| choice.finish.is_some())
    }

    /// What came so far, with `unfinished` as the reason of choices that did not finish.
    /// `None` when not even the head came.
    pub fn into_partial(self, unfinished: &FinishReason) -> Option<ChatResponse> {
        let (id, model, created, dialect, extra) = self.head?;
        let mut choices: Vec<Choice> = self
            .choices
            .into_iter()
            .map(|open| Choice {
                index: open.index,
                message: Message { role: Role::Assistant, parts: open.parts, extra: Object::new() },
                finish: open.finish.unwrap_or_else(|| unfinished.clone()),
                extra: open.extra,
            })
            .collect();
        choices.sort_by_key(|choice| choice.index);
        Some(ChatResponse { id, model, created, choices, usage: self.usage, dialect, extra })
    }

    /// The whole answer, or `None` when the stream was truncated.
    pub fn into_response(self) -> Option<ChatResponse> {
        if self.is_complete() { self.into_partial(&FinishReason::Stop) } else { None }
    }

    fn choice(&mut self, index: u32) -> &mut Open {
        let at = self.choices.iter().position(|open| open.index == index).unwrap_or_else(|| {
            self.choices.push(Open { index, parts: Vec::new(), finish: None, extra: Object::new() });
            self.choices.len() - 1
        });
        #[expect(clippy::indexing_slicing, reason = "found or pushed on the line above")]
        &mut self.choices[at]
    }
}

fn grow(part: &mut Part, delta: &Delta) {
    match (part, delta) {
        (Part::Text(text) | Part::Refusal(text), Delta::Text(more)) => text.push_str(more),
        (Part::Reasoning(reasoning), Delta::Reasoning(more)) => reasoning.text.push_str(more),
        (Part::Reasoning(reasoning), Delta::Signature(more)) => {
            sign(&mut reasoning.signature, more);
        }
        (Part::ToolCall(call), Delta::Signature(more)) => sign(&mut call.signature, more),
        (Part::ToolCall(call), Delta::Arguments(more)) => call.arguments.push_str(more),
        _ => {}
    }
}

fn sign(signature: &mut Option<Signature>, more: &Signature) {
    match signature {
        Some(signature) => signature.value.push_str(&more.value),
        None => *signature = Some(more.clone()),
    }
}

/// Merges `more` into `into`: arrays are appended, objects merged, anything else replaced.
fn merge(into: &mut Object, more: Object) {
    use serde_json::Value;
    for (key, value) in more {
        match (into.get_mut(&key), value) {
            (Some(Value::Array(old)), Value::Array(new)) => old.extend(new),
            (Some(Value::Object(old)), Value::Object(new)) => merge(old, new),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_without_finish_is_truncated() {
        let mut collector = Collector::default();
        collector.push(StreamEvent::Start {
            id: "a".into(),
            model: "m".into(),
            created: 0,
            dialect: None,
            extra: Object::new(),
        });
        collector.push(StreamEvent::PartStart { choice: 0, part: 0, value: Part::Text(String::new()) });
        collector.push(StreamEvent::PartDelta { choice: 0, part: 0, delta: Delta::Text("hi".into()) });
        assert!(!collector.is_complete());
        collector.push(StreamEvent::Finish { choice: 0, reason: FinishReason::Stop });
        let response = collector.into_response().unwrap();
        assert_eq!(response.choices[0].message.plain_text(), "hi");
    }
}
