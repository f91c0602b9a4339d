//! The attributes of a span by what they mean, as they come, in any order.

use super::names::{self, BACKGROUND, COUNTS, Count, GEN_AI, Rank, Side, To};
use super::said::{self, Said};
use crate::attribute as name;
use crate::otlp::form::{self, AnyValue, KeyValue};
use hanok_base::{NanoDollars, Operation, Timestamp};
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// Attributes of a span that are kept, those of families and those with a place of their own aside. SDKs stop at
/// 128 unless told otherwise.
const MOST_ATTRIBUTES: usize = 1024;
const MOST_TAGS: usize = 64;

/// What was said best so far.
pub(super) struct Best<T>(pub(super) Option<(Rank, T)>);

impl<T> Default for Best<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T> Best<T> {
    /// Takes what is said by a better word, or by the first of equals.
    pub(super) fn offer(&mut self, rank: Rank, value: T) {
        if self.0.as_ref().is_none_or(|(known, _)| rank < *known) {
            self.0 = Some((rank, value));
        }
    }

    pub(super) fn rank(&self) -> Option<Rank> {
        self.0.as_ref().map(|(rank, _)| *rank)
    }

    pub(super) fn take(&mut self) -> Option<T> {
        self.0.take().map(|(_, value)| value)
    }

    pub(super) fn get(&self) -> Option<&T> {
        self.0.as_ref().map(|(_, value)| value)
    }
}

/// One attribute of a family: which family, its number, the rest of its name.
pub(super) struct Member<'a> {
    pub(super) family: usize,
    pub(super) key: Cow<'a, str>,
    pub(super) value: AnyValue<'a>,
}

/// What a span says.
#[derive(Default)]
pub(super) struct Gathered<'a> {
    pub(super) operation: Best<Operation>,
    /// The operation's own name, where ours is another.
    pub(super) operation_said: Best<String>,
    pub(super) provider: Best<String>,
    pub(super) model: Best<String>,
    pub(super) response_model: Best<String>,
    pub(super) counts: [Best<u64>; COUNTS],
    /// Whether cached tokens are known to stand beside the input's.
    pub(super) disjoint: bool,
    pub(super) cost: Best<NanoDollars>,
    pub(super) first_token_ms: Best<f64>,
    pub(super) first_token_at: Best<i64>,
    pub(super) tier: Best<String>,
    pub(super) tags: Vec<Value>,
    pub(super) system: Best<Vec<Said>>,
    pub(super) input: Best<Vec<Said>>,
    pub(super) output: Best<Vec<Said>>,
    pub(super) tools: Best<Value>,
    pub(super) values: [Best<Value>; 2],
    pub(super) answer: Option<String>,
    pub(super) answer_calls: Option<Value>,
    pub(super) members: Vec<Member<'a>>,
    /// Messages that came as events, oldest first.
    pub(super) event_input: Vec<Said>,
    pub(super) event_output: Vec<Said>,
    /// The rest, each with the rank of who said it.
    pub(super) attributes: Vec<(Cow<'static, str>, Value, Rank)>,
    /// How many of them were too many.
    pub(super) left_out: u64,
    pub(super) events: Vec<Value>,
    pub(super) failed: bool,
    pub(super) status_message: Option<String>,
}

impl<'a> Gathered<'a> {
    /// Takes an attribute.
    pub(super) fn take(&mut self, key: Cow<'a, str>, value: AnyValue<'a>) {
        if let Some((rank, to)) = names::meaning(&key) {
            if let Err(value) = self.understand(rank, to, value) {
                self.keep(Cow::Owned(key.into_owned()), value.into_json(), rank);
            }
        } else if let Some((family, rest)) = names::family(&key) {
            let before = key.len() - rest.len();
            let key = match key {
                Cow::Borrowed(key) => Cow::Borrowed(key.get(before..).unwrap_or_default()),
                Cow::Owned(ref key) => Cow::Owned(key.get(before..).unwrap_or_default().to_owned()),
            };
            self.members.push(Member { family, key, value });
        } else {
            self.keep(Cow::Owned(key.into_owned()), value.into_json(), GEN_AI);
        }
    }

    /// Takes what the sender says of itself, where the span does not say it.
    #[expect(clippy::ptr_arg, reason = "cloned as it is, mostly a name without an owner")]
    pub(super) fn background(&mut self, key: &Cow<'static, str>, value: &Value) {
        if !self.attributes.iter().any(|(known, ..)| known == key) {
            self.attributes.push((key.clone(), value.clone(), BACKGROUND));
        }
    }

    /// Keeps an attribute, unless a better word is there.
    pub(super) fn keep(&mut self, key: Cow<'static, str>, value: Value, rank: Rank) {
        if let Some((_, known, by)) = self.attributes.iter_mut().find(|(known, ..)| *known == key) {
            if rank < *by {
                (*known, *by) = (value, rank);
            }
        } else if self.attributes.len() < MOST_ATTRIBUTES {
            self.attributes.push((key, value, rank));
        } else {
            self.left_out += 1;
        }
    }

    /// Gives back what makes no sense under its name.
    fn understand(&mut self, rank: Rank, to: To, value: AnyValue<'a>) -> Result<(), AnyValue<'a>> {
        match to {
            To::Operation(table) => {
                let said = value.into_text()?;
                match operation(&said, table) {
                    Some(operation) => {
                        self.operation.offer(rank, operation);
                        if rank == GEN_AI && operation.as_str() != said {
                            self.operation_said.offer(rank, said.into_owned());
                        }
                    }
                    None => return Err(AnyValue::Text(form::Text(said))),
                }
            }
            To::Provider => {
                let said = value.into_text()?;
                match names::provider(&said) {
                    Some(provider) => self.provider.offer(rank, provider),
                    None => return Err(AnyValue::Text(form::Text(said))),
                }
            }
            To::Model => named(&mut self.model, rank, value)?,
            To::ResponseModel => named(&mut self.response_model, rank, value)?,
            To::Tokens(count) => match whole(&value) {
                Some(number) => self.count(count, rank, number),
                None => return Err(value),
            },
            To::Cost => match dollars(&value) {
                Some(cost) => self.cost.offer(rank, cost),
                None => return Err(value),
            },
            To::FirstToken(factor) => match number(&value).filter(|number| *number >= 0.0) {
                Some(number) => self.first_token_ms.offer(rank, number * factor),
                None => return Err(value),
            },
            To::FirstTokenAt => {
                match value.as_str().and_then(|text| Timestamp::parse_rfc3339(text.trim_matches('"'))) {
                    Some(at) => self.first_token_at.offer(rank, at.0),
                    None => return Err(value),
                }
            }
            To::As(ours) => self.keep(Cow::Borrowed(ours), value.into_json(), rank),
            To::Json(ours) => self.keep(Cow::Borrowed(ours), read(value.into_json()), rank),
            To::OneOf(ours) => self.keep(Cow::Borrowed(ours), Value::Array(vec![value.into_json()]), rank),
            To::Tags => self.tag(parsed(value.into_json())),
            To::Messages(side) => {
                let messages = said::read(parsed(value.into_json()), side);
                if !messages.is_empty() {
                    self.side(side).offer(rank, messages);
                }
            }
            To::System => {
                let system = said::system(parsed(value.into_json()));
                if !system.is_empty() {
                    self.system.offer(rank, system);
                }
            }
            To::Tools => self.tools.offer(rank, parsed(value.into_json())),
            To::Value(side) => {
                let value = value.into_json();
                let empty = value.is_null() || value.as_str().is_some_and(str::is_empty);
                if let Some(best) = self.values.get_mut(side as usize).filter(|_| !empty) {
                    best.offer(rank, value);
                }
            }
            To::Answer => self.answer = Some(value.into_text()?.into_owned()),
            To::AnswerCalls => self.answer_calls = Some(parsed(value.into_json())),
            To::Parameters => self.parameters(rank, value)?,
            To::UsageDetails => self.usage_details(rank, value)?,
            To::CostDetails => self.cost_details(rank, value)?,
            To::Tier => self.tier.offer(rank, value.into_text()?.into_owned()),
            To::Level => {
                let level = value.into_text()?;
                self.failed |= level.eq_ignore_ascii_case("error");
                self.keep(Cow::Borrowed("langfuse.observation.level"), level.into_owned().into(), rank);
            }
            To::StatusMessage => self.status_message = Some(value.into_text()?.into_owned()),
            To::Nothing => {}
        }
        Ok(())
    }

    pub(super) fn side(&mut self, side: Side) -> &mut Best<Vec<Said>> {
        match side {
            Side::Input => &mut self.input,
            Side::Output => &mut self.output,
        }
    }

    fn count(&mut self, count: Count, rank: Rank, number: u64) {
        if let Some(best) = self.counts.get_mut(count as usize) {
            best.offer(rank, number);
        }
    }

    fn tag(&mut self, value: Value) {
        let more = match value {
            Value::Array(tags) => tags,
            // One, or several with commas between them.
            Value::String(text) => text.split(',').map(|tag| tag.trim().into()).collect(),
            _ => return,
        };
        for tag in more.into_iter().filter(|tag| tag.as_str().is_some_and(|tag| !tag.is_empty())) {
            if self.tags.len() < MOST_TAGS && !self.tags.contains(&tag) {
                self.tags.push(tag);
            }
        }
    }

    fn parameters(&mut self, rank: Rank, value: AnyValue<'a>) -> Result<(), AnyValue<'a>> {
        let Some(members) = members(&value) else { return Err(value) };
        for (key, value) in members {
            if let Some((_, ours)) = names::PARAMETERS.iter().find(|(theirs, _)| *theirs == key) {
                if !value.is_null() {
                    self.keep(Cow::Borrowed(ours), value, rank);
                }
            } else if key == "model" {
                if let Value::String(model) = value {
                    self.model.offer(rank + 1, model);
                }
            } else if key == "tools" {
                self.tools.offer(rank + 1, value);
            } else if !value.is_null() && key != "messages" && key != "input" {
                self.keep(Cow::Owned(format!("gen_ai.request.{key}")), value, rank + 1);
            }
        }
        Ok(())
    }

    fn usage_details(&mut self, rank: Rank, value: AnyValue<'a>) -> Result<(), AnyValue<'a>> {
        let Some(details) = members(&value) else { return Err(value) };
        let mut flat = Vec::with_capacity(details.len());
        for (key, value) in details {
            match value {
                Value::Object(inner) => {
                    flat.extend(inner.into_iter().map(|(name, value)| (format!("{key}.{name}"), value)));
                }
                value => flat.push((key, value)),
            }
        }
        // In these words `input` is what is left beside the cached; a provider's own usage has other words.
        self.disjoint |= flat.iter().any(|(key, _)| key == "input");
        for (key, value) in flat {
            let count = names::USAGE_DETAILS.iter().find(|(theirs, _)| *theirs == key);
            if let (Some((_, count)), Some(number)) = (count, value.as_u64()) {
                self.count(*count, rank, number);
            }
        }
        Ok(())
    }

    fn cost_details(&mut self, rank: Rank, value: AnyValue<'a>) -> Result<(), AnyValue<'a>> {
        let Some(details) = members(&value) else { return Err(value) };
        let all: f64 = details.values().filter_map(Value::as_f64).sum();
        let total = details.get("total").and_then(Value::as_f64).unwrap_or(all);
        if let Some(cost) = nano_dollars(total) {
            self.cost.offer(rank, cost);
        }
        Ok(())
    }

    /// Takes an event: a message where it is one, an exception, or something to keep.
    pub(super) fn event(&mut self, event: form::Event<'a>, start: i64) {
        let form::Event { time, name, attributes } = event;
        if &*name == "gen_ai.client.inference.operation.details" {
            return attributes.into_iter().for_each(|KeyValue { key, value }| self.take(key.0, value));
        }
        if name.starts_with("gen_ai.") {
            let body = form::object(attributes);
            match said::of_event(&name, &body) {
                Some((side, messages)) => self.heard(side, messages),
                None => self.keep_event(&name, time, start, body),
            }
            return;
        }
        let mut body = form::object(attributes);
        if &*name == "exception" {
            let text = |key: &str| body.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
            if let Some(kind) = text("exception.type") {
                self.keep(Cow::Borrowed(name::ERROR_TYPE), kind.into(), BACKGROUND);
            }
            if self.status_message.is_none() {
                self.status_message = text("exception.message").map(str::to_owned);
            }
        }
        if let Some(body) = body.as_object_mut() {
            body.retain(|_, value| !value.is_null());
        }
        self.keep_event(&name, time, start, body);
    }

    /// Takes messages that came as events.
    pub(super) fn heard(&mut self, side: Side, messages: Vec<Said>) {
        match side {
            Side::Input => self.event_input.extend(messages),
            Side::Output => self.event_output.extend(messages),
        }
    }

    fn keep_event(&mut self, name: &str, time: u64, start: i64, body: Value) {
        let mut kept = Map::new();
        kept.insert("name".to_owned(), name.into());
        if let Ok(time) = i64::try_from(time) {
            kept.insert("at_ms".to_owned(), milliseconds(time.saturating_sub(start)).into());
        }
        if body.as_object().is_some_and(|body| !body.is_empty()) {
            kept.insert("attributes".to_owned(), body);
        }
        self.events.push(kept.into());
    }

    pub(super) fn links(&mut self, links: Vec<form::Link<'a>>) {
        let links: Vec<Value> = links
            .into_iter()
            .filter_map(|link| {
                let (trace_id, span_id) = (link.trace_id?.to_string(), link.span_id?.to_string());
                let mut kept = json!({ "trace_id": trace_id, "span_id": span_id });
                if let Some(kept) = kept.as_object_mut().filter(|_| !link.attributes.is_empty()) {
                    kept.insert("attributes".to_owned(), form::object(link.attributes));
                }
                Some(kept)
            })
            .collect();
        if !links.is_empty() {
            self.keep(Cow::Borrowed(name::LINKS), links.into(), BACKGROUND);
        }
    }

    pub(super) fn status(&mut self, status: &form::Status<'a>) {
        const OK: i32 = 1;
        const ERROR: i32 = 2;
        match status.code {
            // The sender's last word.
            OK => self.failed = false,
            ERROR => {
                self.failed = true;
                if !status.message.is_empty() {
                    self.status_message = Some(status.message.0.clone().into_owned());
                }
            }
            _ => {}
        }
    }

    /// Spans that cross a process are worth telling from others.
    pub(super) fn kind_of_span(&mut self, kind: i32) {
        let kind = match kind {
            2 => "server",
            3 => "client",
            4 => "producer",
            5 => "consumer",
            _ => return,
        };
        self.keep(Cow::Borrowed("span.kind"), kind.into(), BACKGROUND);
    }
}

fn operation(said: &str, table: &[(&str, Operation)]) -> Option<Operation> {
    let said = said.to_ascii_lowercase();
    let known = table.iter().find(|(theirs, _)| *theirs == said);
    known.map(|(_, ours)| *ours).or_else(|| Operation::parse(&said))
}

fn named<'a>(best: &mut Best<String>, rank: Rank, value: AnyValue<'a>) -> Result<(), AnyValue<'a>> {
    let said = value.into_text()?;
    if !said.is_empty() {
        best.offer(rank, said.into_owned());
    }
    Ok(())
}

fn whole(value: &AnyValue<'_>) -> Option<u64> {
    match value {
        AnyValue::Int(number) => u64::try_from(*number).ok(),
        AnyValue::Text(text) => text.trim().parse().ok(),
        AnyValue::Double(number) => whole_of(*number),
        _ => None,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 2^53")]
fn whole_of(number: f64) -> Option<u64> {
    (0.0..9e15).contains(&number).then_some(number as u64)
}

#[expect(clippy::cast_precision_loss, reason = "times and prices, not ids")]
fn number(value: &AnyValue<'_>) -> Option<f64> {
    match value {
        AnyValue::Int(number) => Some(*number as f64),
        AnyValue::Double(number) => Some(*number),
        AnyValue::Text(text) => text.trim().parse().ok(),
        _ => None,
    }
    .filter(|number: &f64| number.is_finite())
}

fn dollars(value: &AnyValue<'_>) -> Option<NanoDollars> {
    number(value).and_then(nano_dollars)
}

/// Senders know their costs as floats.
#[expect(clippy::cast_possible_truncation, reason = "below nine million dollars")]
fn nano_dollars(dollars: f64) -> Option<NanoDollars> {
    (0.0..9e6).contains(&dollars).then(|| NanoDollars((dollars * 1e9).round() as i64))
}

#[expect(clippy::cast_precision_loss, reason = "exact below 2^53 microseconds, 285 years")]
fn milliseconds(nanos: i64) -> f64 {
    (nanos / 1_000) as f64 / 1e3
}

/// The value of a text that is a JSON array or object; else as it is.
pub(super) fn parsed(value: Value) -> Value {
    match value {
        Value::String(text) => json_of(&text).unwrap_or(Value::String(text)),
        value => value,
    }
}

/// The same, and the text of a text that is a JSON text.
pub(super) fn read(value: Value) -> Value {
    match parsed(value) {
        Value::String(text) if text.starts_with('"') => {
            serde_json::from_str(&text).map_or(Value::String(text), Value::String)
        }
        value => value,
    }
}

/// The array or object that a text is.
pub(super) fn json_of(text: &str) -> Option<Value> {
    text.trim_start().starts_with(['{', '[']).then(|| serde_json::from_str(text).ok())?
}

/// The members of an object, or of the text of one.
fn members(value: &AnyValue<'_>) -> Option<Map<String, Value>> {
    match value {
        AnyValue::Text(text) => serde_json::from_str(text).ok(),
        AnyValue::List(members) => {
            Some(members.iter().map(|member| (member.key.to_string(), plain(&member.value))).collect())
        }
        _ => None,
    }
}

/// A copy as JSON, of what is no array and no object.
fn plain(value: &AnyValue<'_>) -> Value {
    match value {
        AnyValue::Text(text) => (**text).into(),
        AnyValue::Bool(truth) => (*truth).into(),
        AnyValue::Int(number) => (*number).into(),
        AnyValue::Double(number) => (*number).into(),
        _ => Value::Null,
    }
}
