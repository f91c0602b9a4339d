//! Spans to rows: exchanges decoded, costs computed, the trace summed up.

use crate::attribute as name;
use crate::exchange::{self, Decoded, Seen};
use crate::forms::Forms;
use crate::price::ServiceTier;
use crate::price_list::Prices;
use hanok_base::{Attributes, Caller, Operation, Span, SpanStatus, TraceId, Usage};
use hanok_store::{Family, Kin, Slot, SpanRow, Summary, TraceBatch};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::HashMap;

/// Larger attributes are stored apart, compressed, and once however often they come.
const LARGE: usize = 512;
const NANOS_PER_MILLI: f64 = 1e6;

/// A span with what its exchange says, or what others told of it.
pub(crate) struct Piece {
    pub(crate) span: Span,
    pub(crate) decoded: Decoded,
}

/// The rows of one trace's spans, root first.
pub(crate) fn batch(
    mut spans: Vec<Span>,
    caller: &Caller,
    prices: &Prices,
    forms: &Forms,
) -> Option<TraceBatch> {
    let calls = |span: &Span| match span.operation {
        Operation::Chat | Operation::Embeddings => true,
        // Our own reranking has none.
        Operation::Rerank | Operation::Forward => span.exchange.is_some(),
        _ => false,
    };
    let family = family(&mut spans, |span| span, calls);
    let piece = |mut span: Span| {
        let exchange = span.exchange.take();
        let decoded = exchange.map(|exchange| exchange::decode(span.operation, &exchange, forms));
        Piece { span, decoded: decoded.unwrap_or_default() }
    };
    assemble(spans.into_iter().map(piece), &family, caller, prices)
}

/// The same of spans that others recorded, in any order: rerankings of theirs count where they tell tokens.
pub(crate) fn foreign(mut pieces: Vec<Piece>, caller: &Caller, prices: &Prices) -> Option<TraceBatch> {
    // Parents begin before their children; those that begin with them are told apart by lasting longer.
    pieces.sort_by_key(|Piece { span, .. }| (span.start, std::cmp::Reverse(span.duration)));
    let calls = |Piece { span, decoded }: &Piece| match span.operation {
        Operation::Chat | Operation::Embeddings => true,
        Operation::Rerank => !decoded.usage.is_empty() || decoded.told_cost.is_some(),
        _ => false,
    };
    let family = family(&mut pieces, |piece| &piece.span, calls);
    assemble(pieces.into_iter(), &family, caller, prices)
}

fn assemble(
    pieces: impl ExactSizeIterator<Item = Piece>,
    family: &Family,
    caller: &Caller,
    prices: &Prices,
) -> Option<TraceBatch> {
    let mut trace_id = None;
    let mut rows = Vec::with_capacity(pieces.len());
    let mut previews = Vec::with_capacity(pieces.len());
    for (number, piece) in pieces.enumerate() {
        trace_id.get_or_insert(piece.span.trace_id);
        let (row, preview) = row(piece, family.counts(number), prices);
        rows.push(row);
        previews.push(preview);
    }
    Some(TraceBatch {
        trace_id: trace_id?,
        summary: summary(family, &rows, &mut previews, caller)?,
        spans: rows,
        kept: true,
    })
}

/// The family of all spans, each once. What counts are `calls` of providers that are not themselves made of such
/// calls, so that a parent that repeats what its children used is never counted beside them.
fn family<T>(all: &mut Vec<T>, span_of: impl Fn(&T) -> &Span, calls: impl Fn(&T) -> bool) -> Family {
    let mut family = Family::default();
    all.retain(|one| {
        let span = span_of(one);
        family.push(Kin {
            span_id: span.span_id,
            parent_id: span.parent_id,
            start: span.start,
            failed: span.status != SpanStatus::Ok,
            chat: span.operation == Operation::Chat,
            counted: calls(one),
        })
    });
    family.recount();
    family
}

struct Preview {
    input: Option<String>,
    output: Option<String>,
}

fn row(Piece { span, decoded }: Piece, counted: bool, prices: &Prices) -> (SpanRow, Preview) {
    let Span { span_id, parent_id, name, operation, start, duration, status, attributes, .. } = span;
    let Decoded {
        model,
        response_model,
        tier,
        mut usage,
        told_cost,
        seen,
        attributes: read,
        mut bodies,
        input_preview,
        output_preview,
    } = decoded;
    let mut kept = Kept { model, ..Kept::default() };
    kept.attributes = read;
    kept.attributes.reserve(attributes.len());
    // What was set on the span wins over what its bytes say.
    for (key, value) in attributes {
        kept.take(key, value, &mut usage, &mut bodies);
    }
    if counted && complete_usage(&mut usage, &seen, &status, &kept.attributes) {
        set(&mut kept.attributes, Cow::Borrowed(name::USAGE_ESTIMATED), true.into());
    }
    let cost = match &kept.provider {
        Some(provider) if counted => {
            let price = prices.find(provider, kept.model.as_deref(), response_model.as_deref());
            price.and_then(|price| match &tier {
                Some(tier) => price.tier(ServiceTier::parse(tier)).cost(&usage),
                None => price.cost(&usage),
            })
        }
        _ => None,
    };
    let cost = cost.or(told_cost.filter(|_| counted));
    if let Some(tier) = tier {
        set(&mut kept.attributes, Cow::Borrowed(name::SERVICE_TIER), tier.into());
    }
    let row = SpanRow {
        span_id,
        parent_id,
        name,
        operation: Cow::Borrowed(operation.as_str()),
        start,
        duration_ns: i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX),
        status,
        counted,
        model: kept.model,
        provider: kept.provider,
        usage,
        cost,
        ttft_ns: kept.ttft_ns,
        attributes: kept.attributes,
        bodies,
    };
    (row, Preview { input: input_preview, output: output_preview })
}

/// Estimates what the provider did not tell of a call it worked on; whether anything was. What a completed call
/// was told is never touched, and a call that was refused costs nothing.
fn complete_usage(usage: &mut Usage, seen: &Seen, status: &SpanStatus, attributes: &Attributes) -> bool {
    let failed = |kinds: &[&str]| {
        let kind = attributes.iter().rev().find(|(key, _)| key == name::ERROR_TYPE);
        kind.and_then(|(_, kind)| kind.as_str()).is_some_and(|kind| kinds.contains(&kind))
    };
    // Where we stopped listening, the provider had been at work already.
    let worked = seen.answered
        || *status == SpanStatus::Ok
        || failed(&["cancelled", "timeout", "truncated", "decode"]);
    if !worked {
        return false;
    }
    let mut estimated = false;
    if usage.input.is_none()
        && let Some(request) = &seen.request
    {
        usage.input = Some(request.tokens());
        estimated = true;
    }
    if seen.answered && (usage.output.is_none() || !seen.complete) && seen.output > usage.output.unwrap_or(0)
    {
        // Of a stream that was cut, the last number told may be its first.
        usage.output = Some(seen.output);
        estimated = true;
    }
    estimated
}

/// Attributes that have columns of their own, and the rest.
#[derive(Default)]
struct Kept {
    model: Option<String>,
    provider: Option<String>,
    ttft_ns: Option<i64>,
    attributes: Attributes,
}

impl Kept {
    fn take(
        &mut self,
        key: Cow<'static, str>,
        value: Value,
        usage: &mut Usage,
        bodies: &mut Vec<(Slot, Vec<u8>)>,
    ) {
        let tokens = |value: &Value, count: &mut Option<u64>| {
            *count = value.as_u64().or(*count);
        };
        match (key.as_ref(), value) {
            (name::REQUEST_MODEL, Value::String(model)) => self.model = Some(model),
            (name::PROVIDER, Value::String(provider)) => self.provider = Some(provider),
            (name::INPUT_TOKENS, value) => tokens(&value, &mut usage.input),
            (name::OUTPUT_TOKENS, value) => tokens(&value, &mut usage.output),
            (name::CACHED_TOKENS, value) => tokens(&value, &mut usage.cached_input),
            (name::CACHE_WRITE_TOKENS, value) => tokens(&value, &mut usage.cache_write),
            (name::REASONING_TOKENS, value) => tokens(&value, &mut usage.reasoning),
            (name::CACHE_WRITE_LONG_TOKENS, value) => tokens(&value, &mut usage.cache_write_long),
            (name::INPUT_AUDIO_TOKENS, value) => tokens(&value, &mut usage.input_audio),
            (name::INPUT_IMAGE_TOKENS, value) => tokens(&value, &mut usage.input_image),
            (name::OUTPUT_AUDIO_TOKENS, value) => tokens(&value, &mut usage.output_audio),
            (name::OUTPUT_IMAGE_TOKENS, value) => tokens(&value, &mut usage.output_image),
            (name::TIME_TO_FIRST_TOKEN, value) => self.ttft_ns = value.as_f64().map(nanos),
            // Written from columns when read back.
            (name::OPERATION | name::COST, _) => {}
            (name::TAGS, value) => set(&mut self.attributes, key, value),
            (_, value) => match large(&key, &value) {
                Some(body) => bodies.push((Slot::Attributes, body)),
                None => set(&mut self.attributes, key, value),
            },
        }
    }
}

#[expect(clippy::cast_possible_truncation, reason = "saturates, at 292 years")]
fn nanos(milliseconds: f64) -> i64 {
    (milliseconds * NANOS_PER_MILLI).round() as i64
}

/// A second value of a key takes the place of the first.
fn set(attributes: &mut Attributes, key: Cow<'static, str>, value: Value) {
    match attributes.iter_mut().find(|(known, _)| *known == key) {
        Some((_, known)) => *known = value,
        None => attributes.push((key, value)),
    }
}

/// A large attribute as a JSON object of its own.
fn large(key: &str, value: &Value) -> Option<Vec<u8>> {
    let small = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
        Value::String(text) => text.len() < LARGE,
        Value::Array(items) => items.is_empty(),
        Value::Object(members) => members.is_empty(),
    };
    if small {
        return None;
    }
    let body = serde_json::to_vec(&HashMap::from([(key, value)])).ok()?;
    (body.len() >= LARGE).then_some(body)
}

/// What the spans say about the whole trace. Takes the previews of the root, or else of the call that speaks
/// for the trace.
fn summary(family: &Family, rows: &[SpanRow], previews: &mut [Preview], caller: &Caller) -> Option<Summary> {
    let root = family.root()?;
    let call = family.speaker();
    let speaker = call.and_then(|call| rows.get(call));
    // Of several calls that count, the last that was answered has said what the trace says.
    let answered = |at: usize| previews.get(at).is_some_and(|said| said.output.is_some());
    let voices = rows.iter().enumerate().filter(|(at, _)| family.counts(*at));
    let voice =
        voices.max_by_key(|(at, row)| (row.operation == Operation::Chat.as_str(), answered(*at), row.start));
    let voice = voice.map(|(at, _)| at);
    let mut preview = |at: usize| previews.get_mut(at).map(|said| (said.input.take(), said.output.take()));
    let (root_input, root_output) = preview(root)?;
    let (input, output) = voice.and_then(preview).unwrap_or_default();
    let root_row = rows.get(root)?;
    let first_token = |row: &SpanRow| Some(row.ttft_ns?.saturating_add(row.start.0 - root_row.start.0));
    let key_name = || {
        let (_, value) = root_row.attributes.iter().find(|(key, _)| key == name::KEY)?;
        value.as_str().map(ToOwned::to_owned)
    };
    let mut said = Said::of(rows, root);
    said.tags.sort_unstable();
    Some(Summary {
        rooted: root_row.parent_id.is_none(),
        name: root_row.name.clone(),
        operation: root_row.operation.clone(),
        status: rows.get(family.verdict()?)?.status.clone(),
        model: root_row.model.clone().or_else(|| speaker?.model.clone()),
        provider: speaker.and_then(|row| row.provider.clone()).or_else(|| root_row.provider.clone()),
        key_name: caller.key_name.as_deref().map(ToOwned::to_owned).or_else(key_name),
        key_id: caller.key_id.as_deref().map(ToOwned::to_owned),
        project: Some(&*caller.project).filter(|project| !project.is_empty()).map(ToOwned::to_owned),
        session: said.session,
        user: said.user,
        tags: said.tags,
        prompt: said.prompt,
        source: said.source,
        made_of: said.made_of,
        ttft_ns: root_row.ttft_ns.or_else(|| speaker.and_then(first_token)),
        input_preview: root_input.or(input),
        output_preview: root_output.or(output),
    })
}

/// What spans say of the call they are part of; the root's word comes before that of others.
#[derive(Default)]
struct Said {
    session: Option<String>,
    user: Option<String>,
    tags: Vec<String>,
    prompt: Option<String>,
    source: Option<String>,
    made_of: Vec<TraceId>,
}

impl Said {
    fn of(rows: &[SpanRow], root: usize) -> Self {
        let mut said = Self::default();
        let others = rows.iter().enumerate().filter(|(at, _)| *at != root).map(|(_, row)| row);
        for row in rows.get(root).into_iter().chain(others) {
            said.hear(&row.attributes);
        }
        said
    }

    fn hear(&mut self, attributes: &Attributes) {
        let (mut name, mut version) = (None, None);
        for (key, value) in attributes {
            match key.as_ref() {
                name::CONVERSATION => first(&mut self.session, value),
                name::USER => first(&mut self.user, value),
                name::SOURCE => first(&mut self.source, value),
                name::PROMPT_NAME => first(&mut name, value),
                name::PROMPT_VERSION => first(&mut version, value),
                name::TAGS => {
                    let tags = value.as_array().into_iter().flatten().filter_map(Value::as_str);
                    for tag in tags.filter(|tag| is_label(tag)) {
                        if !self.tags.iter().any(|known| known == tag) {
                            self.tags.push(tag.to_owned());
                        }
                    }
                }
                name::MADE_OF => {
                    self.made_of.extend(value.as_str().and_then(|id| id.parse::<TraceId>().ok()));
                }
                _ => {}
            }
        }
        if self.prompt.is_none() {
            self.prompt = match (name, version) {
                (Some(name), Some(version)) => Some(format!("{name}@{version}")),
                (name, _) => name,
            };
        }
    }
}

/// What can be found by: not empty, and no text.
fn is_label(text: &str) -> bool {
    (1..LARGE).contains(&text.len())
}

/// Takes over a value where none is known.
fn first(known: &mut Option<String>, value: &Value) {
    if known.is_none() {
        *known = match value {
            Value::String(text) => Some(text.clone()).filter(|text| is_label(text)),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hanok_base::{NanoDollars, SpanId, Timestamp, TraceId};
    use std::time::Duration;

    fn span(id: u8, parent: Option<u8>, operation: Operation, attributes: &[(&'static str, Value)]) -> Span {
        let span_id = |id: u8| SpanId::from_bytes([id; 8]);
        Span {
            trace_id: TraceId::from_bytes([1; 16]),
            span_id: span_id(id),
            parent_id: parent.map(span_id),
            name: format!("{} {id}", operation.as_str()),
            operation,
            start: Timestamp(i64::from(id) * 1_000),
            duration: Duration::from_micros(5),
            status: SpanStatus::Ok,
            attributes: attributes.iter().map(|(key, value)| (Cow::Borrowed(*key), value.clone())).collect(),
            exchange: None,
        }
    }

    fn call(id: u8, parent: u8, model: &str) -> Span {
        span(
            id,
            Some(parent),
            Operation::Chat,
            &[
                (name::PROVIDER, "openai".into()),
                (name::REQUEST_MODEL, model.into()),
                (name::INPUT_TOKENS, 1000.into()),
                (name::OUTPUT_TOKENS, 100.into()),
            ],
        )
    }

    #[test]
    fn a_parent_is_not_counted_beside_its_children() {
        let spans = vec![
            span(1, None, Operation::Gateway, &[(name::REQUEST_MODEL, "fast".into())]),
            call(2, 1, "hanok/ask"),
            call(3, 2, "gpt-5"),
            call(4, 1, "gpt-5-mini"),
        ];
        let batch = batch(spans, &Caller::default(), &Prices::builtin(), &Forms::default()).unwrap();
        let counted: Vec<bool> = batch.spans.iter().map(|span| span.counted).collect();
        assert_eq!(counted, [false, false, true, true]);
        assert_eq!(batch.spans[2].cost, Some(NanoDollars(1_250_000 + 1_000_000)));
        assert_eq!(batch.spans[1].cost, None);
        assert_eq!(batch.summary.model.as_deref(), Some("fast"));
        assert_eq!(batch.summary.provider.as_deref(), Some("openai"));
    }

    #[test]
    fn the_root_says_first_whose_a_trace_is() {
        let spans = vec![
            call(2, 1, "gpt-5"),
            span(
                1,
                None,
                Operation::Agent,
                &[
                    (name::CONVERSATION, "c-1".into()),
                    (name::TAGS, serde_json::json!(["beta", "", 3, "eu", "beta"])),
                    (name::PROMPT_NAME, "greet".into()),
                    (name::PROMPT_VERSION, 3.into()),
                ],
            ),
            span(
                3,
                Some(1),
                Operation::Tool,
                &[(name::CONVERSATION, "c-2".into()), (name::USER, 7.into()), (name::SOURCE, "shop".into())],
            ),
        ];
        let summary =
            batch(spans, &Caller::default(), &Prices::builtin(), &Forms::default()).unwrap().summary;
        assert_eq!(summary.session.as_deref(), Some("c-1"));
        assert_eq!(summary.user.as_deref(), Some("7"));
        assert_eq!(summary.tags, ["beta", "eu"]);
        assert_eq!(summary.prompt.as_deref(), Some("greet@3"));
        assert_eq!(summary.source.as_deref(), Some("shop"));
    }

    #[test]
    fn the_last_value_of_a_key_counts_and_large_ones_are_apart() {
        let hits = Value::from(vec!["x".repeat(100); 10]);
        let spans = vec![span(
            1,
            None,
            Operation::Retrieval,
            &[
                ("a", 1.into()),
                ("a", 2.into()),
                ("hanok.hits", hits.clone()),
                (name::TIME_TO_FIRST_TOKEN, 1.5.into()),
            ],
        )];
        let batch = batch(spans, &Caller::default(), &Prices::builtin(), &Forms::default()).unwrap();
        let row = &batch.spans[0];
        assert_eq!(row.attributes, [(Cow::Borrowed("a"), Value::from(2))]);
        assert_eq!(row.ttft_ns, Some(1_500_000));
        let (slot, body) = &row.bodies[0];
        assert_eq!(*slot, Slot::Attributes);
        assert_eq!(serde_json::from_slice::<Value>(body).unwrap(), serde_json::json!({"hanok.hits": hits}));
    }

    #[test]
    fn a_circle_of_parents_ends() {
        let spans = vec![call(1, 2, "gpt-5"), call(2, 1, "gpt-5")];
        assert!(batch(spans, &Caller::default(), &Prices::builtin(), &Forms::default()).is_some());
    }
}
