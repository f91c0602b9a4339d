//! Whole answers.

use super::decoder::{Answer, encode_reason};
use super::{calls, fault, forms, grounding, parts, seal, usage};
use crate::error::{WireError, text};
use crate::take;
use hanok_base::stream::Collector;
use hanok_base::{
    ChatResponse, Choice, Citation, Dialect, FinishReason, Object, Part, Reasoning, Timestamp, ToolCall,
};
use serde_json::{Value, json};

/// What is said of JSON that holds no candidates.
pub(super) const NO_ANSWER: &str = "is missing: this is no answer of generateContent";

pub(super) fn decode(body: &[u8]) -> Result<ChatResponse, WireError> {
    let text = text(body)?;
    let value: Value = serde_json::from_str(text).map_err(|error| WireError::json(&error, text))?;
    if fault::is_error(&value) {
        return Err(WireError::Upstream(fault::in_answer(&value)));
    }
    let mut answer = Answer::default();
    let mut events = Vec::new();
    answer.chunk(take::item(value, "body")?, &mut events)?;
    answer.end(&mut events);
    let mut collector = Collector::default();
    for event in events {
        collector.push(event);
    }
    collector.into_response().ok_or_else(|| WireError::member("candidates", NO_ANSWER))
}

/// Whether the unknown members of an answer of this dialect are the API's, or Hanok's own.
pub(super) fn is_own(dialect: Option<Dialect>) -> bool {
    dialect.is_none_or(|dialect| dialect == Dialect::Gemini)
}

/// Whether the prompt was blocked: such an answer has no candidates.
pub(super) fn is_blocked(extra: &Object) -> bool {
    extra.get("promptFeedback").is_some_and(|feedback| feedback.get("blockReason").is_some())
}

pub(super) fn encode(response: &ChatResponse) -> Vec<u8> {
    let own = is_own(response.dialect);
    let mut object = Object::new();
    if !(own && is_blocked(&response.extra)) {
        let candidates = response.choices.iter().map(|choice| encode_choice(choice, own)).collect();
        object.insert("candidates".into(), candidates);
    }
    if let Some(usage) = usage::encode(&response.usage) {
        object.insert("usageMetadata".into(), usage);
    }
    head(response.id.as_str(), response.model.as_str(), response.created, &mut object);
    if own {
        forms::fill(&mut object, &response.extra);
    }
    Value::Object(object).to_string().into_bytes()
}

/// Writes what each chunk tells of the answer.
pub(super) fn head(id: &str, model: &str, created: i64, object: &mut Object) {
    for (name, value) in [("modelVersion", model), ("responseId", id)] {
        if !value.is_empty() {
            object.insert(name.into(), value.into());
        }
    }
    if created > 0 {
        let time = Timestamp(created.saturating_mul(1_000_000_000)).rfc3339();
        object.insert("createTime".into(), time.into());
    }
}

fn encode_choice(choice: &Choice, own: bool) -> Value {
    let mut written: Vec<Value> = Vec::new();
    let mut said = String::new();
    let mut refused = false;
    let mut text_before = false;
    for part in &choice.message.parts {
        let mut is_text = false;
        match part {
            Part::Text(text) | Part::Refusal(text) => {
                refused |= matches!(part, Part::Refusal(_));
                is_text = true;
                said.push_str(text);
                written.push(parts::encode_text(text, false, None));
            }
            Part::Reasoning(reasoning) => match (written.last_mut(), &reasoning.signature) {
                (Some(Value::Object(text)), Some(signature)) if text_before && seals_text(reasoning) => {
                    text.insert("thoughtSignature".into(), seal::shown(signature, false).into());
                }
                _ => written.extend(encode_reasoning(reasoning)),
            },
            Part::ToolCall(call) => written.push(encode_call(call, own)),
            Part::Media(media) => written.extend(parts::encode_media(media, own)),
            Part::Opaque { dialect: Dialect::Gemini, value } => written.push(value.clone()),
            Part::Opaque { .. } | Part::Citation(_) | Part::ToolResult(_) | Part::CacheBreak(_) => {}
        }
        text_before = is_text;
    }
    let cited = choice.message.parts.iter().filter_map(|part| match part {
        Part::Citation(citation) => Some(citation),
        _ => None,
    });
    let ending = Ending {
        index: choice.index,
        finish: &choice.finish,
        refused,
        said: &said,
        cited: cited.collect(),
        extra: &choice.extra,
        own,
    };
    encode_candidate(&ending, written)
}

/// Whether a signature without a thought is that of the text before it.
fn seals_text(reasoning: &Reasoning) -> bool {
    reasoning.text.is_empty()
        && !reasoning.extra.contains_key("thought")
        && reasoning.signature.as_ref().is_some_and(|signature| signature.of == Dialect::Gemini)
}

/// A thought, or a signature alone; `None` where there is neither.
pub(super) fn encode_reasoning(reasoning: &Reasoning) -> Option<Value> {
    let shown = reasoning.signature.as_ref().map(|signature| seal::shown(signature, reasoning.redacted));
    if reasoning.text.is_empty() && shown.is_none() {
        return None;
    }
    Some(parts::encode_text(&reasoning.text, !seals_text(reasoning), shown.as_deref()))
}

/// A call for a client.
pub(super) fn encode_call(call: &ToolCall, own: bool) -> Value {
    let id = Some(call.id.as_str()).filter(|id| !id.is_empty() && !calls::is_made(id));
    let signature = call.signature.as_ref().map(|signature| seal::shown(signature, false));
    parts::encode_call(call, id, signature.as_deref(), own)
}

/// What is told at a candidate's end.
pub(super) struct Ending<'a> {
    pub(super) index: u32,
    pub(super) finish: &'a FinishReason,
    /// Whether the model declined.
    pub(super) refused: bool,
    /// The text, which citations count in.
    pub(super) said: &'a str,
    pub(super) cited: Vec<&'a Citation>,
    /// Unknown members, and whether they are the API's.
    pub(super) extra: &'a Object,
    pub(super) own: bool,
}

/// A candidate that ends with these parts.
pub(super) fn encode_candidate(ending: &Ending<'_>, mut written: Vec<Value>) -> Value {
    if written.is_empty() {
        // Clients look at the first part without asking whether there is one.
        written.push(parts::encode_text("", false, None));
    }
    let Ending { own, extra, .. } = *ending;
    let mut object = Object::new();
    object.insert("content".into(), json!({ "parts": written, "role": "model" }));
    let reason = extra.get("finishReason").filter(|_| own).cloned();
    let reason = reason.unwrap_or_else(|| encode_reason(ending.finish, ending.refused).into());
    object.insert("finishReason".into(), reason);
    object.insert("index".into(), ending.index.into());
    let told = own && (extra.contains_key("groundingMetadata") || extra.contains_key("citationMetadata"));
    if !told && let Some(metadata) = grounding::encode(ending.cited.iter().copied(), ending.said) {
        object.insert("groundingMetadata".into(), metadata);
    }
    if own {
        forms::fill(&mut object, extra);
    }
    object.into()
}
