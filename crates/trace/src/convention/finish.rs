//! What was gathered of a span, as a span of ours.

use super::gather::{Best, Gathered, parsed, read};
use super::names::{self, BACKGROUND, Rank, Side};
use super::said::{self, Said};
use super::{Normal, Place};
use crate::attribute as name;
use crate::exchange::Decoded;
use crate::preview::line;
use hanok_base::{Attributes, Operation, Span, SpanStatus, Timestamp};
use hanok_store::Slot;
use serde_json::Value;
use std::borrow::Cow;
use std::time::Duration;

impl Gathered<'_> {
    /// The span; `end` is in nanoseconds since the epoch.
    pub(super) fn finish(mut self, place: Place, span_name: &str, end: u64) -> Normal {
        self.put_together();
        let Place { trace_id, span_id, parent_id, start } = place;
        let usage = self.usage();
        let operation = self.done(!usage.is_empty());
        let mut decoded = Decoded { usage, ..Decoded::default() };
        self.speak(operation, &mut decoded);
        self.tell_values(operation, &mut decoded);
        let model = self.model.take();
        decoded.response_model = self.response_model.take();
        let tier = self.tier.take().filter(|tier| !matches!(tier.as_str(), "default" | "standard" | "auto"));
        decoded.tier = tier;
        decoded.model = model.or_else(|| decoded.response_model.clone().filter(|_| calls(operation)));
        decoded.told_cost = self.cost.take();
        let status = self.ended();
        let first_token_ms = self.first_token(start);
        let mut attributes = Attributes::with_capacity(self.attributes.len() + 8);
        let mut set = |key: &'static str, value: Option<Value>| {
            if let Some(value) = value {
                attributes.push((Cow::Borrowed(key), value));
            }
        };
        let guessed =
            || decoded.model.as_deref().filter(|_| calls(operation)).and_then(names::provider_of_model);
        let provider = self.provider.take().or_else(|| guessed().map(str::to_owned));
        set(name::PROVIDER, provider.map(Value::from));
        set(name::RESPONSE_MODEL, decoded.response_model.as_deref().map(Value::from));
        set(name::TIME_TO_FIRST_TOKEN, first_token_ms.map(Value::from));
        set(name::SENDER_COST, decoded.told_cost.map(|cost| cost.dollars().into()));
        set(name::SENDER_OPERATION, self.operation_said.take().map(Value::from));
        set(name::TAGS, (!self.tags.is_empty()).then(|| std::mem::take(&mut self.tags).into()));
        set(name::EVENTS, (!self.events.is_empty()).then(|| std::mem::take(&mut self.events).into()));
        set("otel.dropped_attributes_count", (self.left_out > 0).then(|| self.left_out.into()));
        attributes.extend(self.attributes.into_iter().map(|(key, value, _)| (key, value)));
        let end = i64::try_from(end).unwrap_or(i64::MAX);
        let span = Span {
            trace_id,
            span_id,
            parent_id,
            name: span_name.to_owned(),
            operation,
            start: Timestamp(start),
            duration: Duration::from_nanos(end.saturating_sub(start).max(0).unsigned_abs()),
            status,
            attributes,
            exchange: None,
        };
        Normal { span, decoded }
    }

    /// What the span did, by what it says or by what it holds.
    fn done(&self, used_tokens: bool) -> Operation {
        if let Some(operation) = self.operation.get() {
            return *operation;
        }
        let has = |wanted: &str| self.attributes.iter().any(|(key, ..)| key == wanted);
        if self.model.get().is_some() && (used_tokens || self.output.get().is_some()) {
            Operation::Chat
        } else if has("gen_ai.tool.name") {
            Operation::Tool
        } else if has("gen_ai.agent.name") {
            Operation::Agent
        } else {
            Operation::Other
        }
    }

    /// The messages: of those that speak of the same side, the best.
    fn speak(&mut self, operation: Operation, decoded: &mut Decoded) {
        let answered = said::answer(self.answer.take(), self.answer_calls.take());
        if !answered.is_empty() {
            self.output.offer(names::AI_SDK, answered);
        }
        let heard = [std::mem::take(&mut self.event_input), std::mem::take(&mut self.event_output)];
        let [heard_input, heard_output] = heard;
        let input = self.best(Side::Input, heard_input, operation);
        let output = self.best(Side::Output, heard_output, operation);
        let system = self.system.take().filter(|_| !input.is_empty());
        let asked = input.iter().rev().find(|said| said.is_users()).or(input.last());
        decoded.input_preview = asked.and_then(Said::preview);
        decoded.output_preview = output.first().and_then(Said::preview);
        let reasons = self.attributes.iter().find(|(key, ..)| key == name::FINISH_REASONS);
        let reasons: Vec<String> = reasons
            .and_then(|(_, reasons, _)| parsed(reasons.clone()).as_array().cloned())
            .into_iter()
            .flatten()
            .filter_map(|reason| reason.as_str().map(str::to_owned))
            .collect();
        decoded.bodies.reserve(input.len() + output.len() + 2);
        for said in system.into_iter().flatten().chain(input) {
            decoded.bodies.push((Slot::Input, said.stored(Side::Input, None)));
        }
        if let Some(tools) = self.tools.take().and_then(said::tools) {
            decoded.bodies.push((Slot::Tools, tools));
        }
        for (at, said) in output.into_iter().enumerate() {
            let reason = reasons.get(at).map(String::as_str);
            decoded.bodies.push((Slot::Output, said.stored(Side::Output, reason)));
        }
        if !reasons.is_empty() {
            let ours = reasons.iter().map(|reason| said::finish_reason(reason).as_str().to_owned());
            self.keep_over(name::FINISH_REASONS, ours.collect());
        }
    }

    /// The messages of a side: as messages, as events, or made of what is only known to have gone in or come out.
    fn best(&mut self, side: Side, heard: Vec<Said>, operation: Operation) -> Vec<Said> {
        const HEARD: Rank = names::GEN_AI_OLDER;
        let best = self.side(side);
        if !heard.is_empty() {
            best.offer(HEARD, heard);
        }
        if let Some(messages) = best.take().filter(|messages| !messages.is_empty()) {
            if calls(operation)
                && let Some(value) = self.values.get_mut(side as usize)
            {
                // The same once more, as the API's bytes.
                value.0 = None;
            }
            return messages;
        }
        if !calls(operation) {
            return Vec::new();
        }
        let value = self.values.get_mut(side as usize).and_then(Best::take);
        // Vectors are not kept.
        let wanted = value.filter(|_| side == Side::Input || operation != Operation::Embeddings);
        wanted.map(|value| said::of_call(value, side)).unwrap_or_default()
    }

    /// What went in and came out of a step that is no call.
    fn tell_values(&mut self, operation: Operation, decoded: &mut Decoded) {
        for side in [Side::Input, Side::Output] {
            let Some(value) = self.values.get_mut(side as usize).and_then(Best::take) else {
                continue;
            };
            let value = read(value);
            let preview = match &value {
                Value::String(text) => line(text),
                value => line(&value.to_string()),
            };
            let (key, shown) = match (operation, side) {
                (Operation::Tool, Side::Input) => ("gen_ai.tool.call.arguments", &mut decoded.input_preview),
                (Operation::Tool, Side::Output) => ("gen_ai.tool.call.result", &mut decoded.output_preview),
                (Operation::Retrieval | Operation::Rerank, Side::Input) => {
                    (name::QUERY, &mut decoded.input_preview)
                }
                // The documents are the hits.
                (Operation::Retrieval | Operation::Rerank, Side::Output)
                    if self.attributes.iter().any(|(key, ..)| key == name::HITS) =>
                {
                    continue;
                }
                (_, Side::Input) => (name::INPUT, &mut decoded.input_preview),
                (_, Side::Output) => (name::OUTPUT, &mut decoded.output_preview),
            };
            if shown.is_none() {
                *shown = preview;
            }
            self.keep(Cow::Borrowed(key), value, BACKGROUND);
        }
    }

    fn ended(&mut self) -> SpanStatus {
        if !self.failed {
            return SpanStatus::Ok;
        }
        let kind = || {
            let (_, kind, _) = self.attributes.iter().find(|(key, ..)| key == name::ERROR_TYPE)?;
            kind.as_str().map(str::to_owned)
        };
        let message = self.status_message.take().filter(|message| !message.is_empty()).or_else(kind);
        SpanStatus::Error(message.unwrap_or_else(|| "error".to_owned()))
    }

    fn first_token(&mut self, start: i64) -> Option<f64> {
        #[expect(clippy::cast_precision_loss, reason = "exact below 104 days")]
        let since = |at: i64| at.saturating_sub(start) as f64 / 1e6;
        let at = self.first_token_at.take().map(since);
        self.first_token_ms.take().or(at).filter(|ms| *ms >= 0.0)
    }

    fn keep_over(&mut self, key: &'static str, value: Value) {
        self.attributes.retain(|(known, ..)| known != key);
        self.keep(Cow::Borrowed(key), value, names::OWN);
    }
}

/// Whether an operation is a call of a model.
pub(super) fn calls(operation: Operation) -> bool {
    matches!(operation, Operation::Chat | Operation::Embeddings)
}
