//! What readers get. Serialised, these are the answers of `/api/traces`, which people script against: members
//! marked as skipped are for pages and the command line only.

use crate::attribute as name;
use crate::score::ScoreView;
use hanok_base::{NanoDollars, Object, SpanStatus, Timestamp};
use hanok_store::{Slot, StoredSpan, StoredTrace, TraceRow};
use serde::Serialize;
use serde_json::Value;

/// A page of the list.
#[derive(Clone, Debug, Serialize)]
pub struct TracePage {
    /// Newest first.
    pub traces: Vec<TraceSummary>,
    /// The cursor of the next, older page. With a filter that page may hold nothing more.
    pub next: Option<String>,
}

/// One trace in the list.
#[derive(Clone, Debug, Serialize)]
pub struct TraceSummary {
    /// 32 hex digits.
    pub trace_id: String,
    /// The root span's name.
    pub name: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// How long it took.
    pub duration_ms: f64,
    /// `ok` or `error`.
    pub status: &'static str,
    /// The model asked for.
    pub model: Option<String>,
    /// The provider that answered.
    pub provider: Option<String>,
    /// Tokens of all prompts.
    pub input_tokens: Option<u64>,
    /// Tokens of all answers.
    pub output_tokens: Option<u64>,
    /// US dollars; `None` when unpriced.
    pub cost_usd: Option<f64>,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// The conversation it is a turn of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
    /// The person it was made for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Words to find it by.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// The prompt it used, as `name@version`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt: Option<String>,
    /// The program that sent it; absent for calls of our own gateway.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Of the prompts, tokens read from a provider's cache.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cached_tokens: Option<u64>,
    /// Of the answers, tokens spent on reasoning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reasoning_tokens: Option<u64>,
    /// Its place in the order of arrival.
    #[serde(skip)]
    pub seq: i64,
    /// When it began.
    #[serde(skip)]
    pub start: Timestamp,
    /// What its root did.
    #[serde(skip)]
    pub operation: String,
    /// The same as `cost_usd`, exactly.
    #[serde(skip)]
    pub cost: Option<NanoDollars>,
    /// Milliseconds to the first token of the answer.
    #[serde(skip)]
    pub time_to_first_token_ms: Option<f64>,
    /// How many spans it has.
    #[serde(skip)]
    pub span_count: u64,
    /// The name of the key it was called with.
    #[serde(skip)]
    pub key: Option<String>,
    /// The id of that key.
    #[serde(skip)]
    pub key_id: Option<String>,
    /// The project it belongs to.
    #[serde(skip)]
    pub project: Option<String>,
    /// The beginning of what was asked, on one line.
    #[serde(skip)]
    pub input: Option<String>,
    /// The beginning of what was answered, on one line.
    #[serde(skip)]
    pub output: Option<String>,
}

/// One trace with its spans.
#[derive(Clone, Debug, Serialize)]
pub struct TraceDetail {
    /// 32 hex digits.
    pub trace_id: String,
    /// In the order they were recorded: parents before children.
    pub spans: Vec<SpanView>,
    /// What people, clients and judges think of it and of its spans, oldest first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scores: Vec<ScoreView>,
    /// The same as in the list.
    #[serde(skip)]
    pub summary: TraceSummary,
}

/// One span.
#[derive(Clone, Debug, Serialize)]
pub struct SpanView {
    /// 16 hex digits.
    pub span_id: String,
    /// The span it is part of.
    pub parent_id: Option<String>,
    /// Its name.
    pub name: String,
    /// What it did.
    pub operation: String,
    /// RFC 3339, UTC.
    pub started_at: String,
    /// How long it took.
    pub duration_ms: f64,
    /// `ok` or `error`.
    pub status: &'static str,
    /// What went wrong, in words.
    pub error: Option<String>,
    /// Under OpenTelemetry GenAI's names, and ours under `hanok.`.
    pub attributes: Object,
    /// When it began.
    #[serde(skip)]
    pub start: Timestamp,
    /// Whether there are messages or other large values, shown or not.
    #[serde(skip)]
    pub has_bodies: bool,
}

/// The traces beside one in the order of arrival.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Neighbours {
    /// The next newer one, 32 hex digits.
    pub newer: Option<String>,
    /// The next older one.
    pub older: Option<String>,
}

impl From<TraceRow> for TraceSummary {
    fn from(row: TraceRow) -> Self {
        let (status, error) = ended(row.status);
        Self {
            trace_id: row.trace_id.to_string(),
            name: row.name,
            started_at: row.start.rfc3339(),
            duration_ms: milliseconds(row.duration_ns),
            status,
            model: row.model,
            provider: row.provider,
            input_tokens: row.input_tokens,
            output_tokens: row.output_tokens,
            cost_usd: row.cost.map(NanoDollars::dollars),
            error,
            session: row.session,
            user: row.user,
            tags: row.tags,
            prompt: row.prompt,
            source: row.source,
            cached_tokens: row.cached_tokens,
            reasoning_tokens: row.reasoning_tokens,
            seq: row.seq,
            start: row.start,
            operation: row.operation,
            cost: row.cost,
            time_to_first_token_ms: row.ttft_ns.map(milliseconds),
            span_count: row.span_count,
            key: row.key_name,
            key_id: row.key_id,
            project: row.project,
            input: row.input_preview,
            output: row.output_preview,
        }
    }
}

impl From<StoredTrace> for TraceDetail {
    fn from(trace: StoredTrace) -> Self {
        let summary = TraceSummary::from(trace.row);
        let spans = trace.spans.into_iter().map(SpanView::from).collect();
        Self { trace_id: summary.trace_id.clone(), spans, scores: Vec::new(), summary }
    }
}

impl From<StoredSpan> for SpanView {
    fn from(span: StoredSpan) -> Self {
        let (status, error) = ended(span.status);
        let mut attributes = Object::new();
        let mut set = |key: &str, value: Option<Value>| {
            if let Some(value) = value {
                attributes.insert(key.to_owned(), value);
            }
        };
        let count = |count: Option<u64>| count.map(Value::from);
        set(name::OPERATION, Some(span.operation.as_str().into()));
        set(name::PROVIDER, span.provider.map(Value::from));
        set(name::REQUEST_MODEL, span.model.map(Value::from));
        set(name::INPUT_TOKENS, count(span.usage.input));
        set(name::OUTPUT_TOKENS, count(span.usage.output));
        set(name::CACHED_TOKENS, count(span.usage.cached_input));
        set(name::CACHE_WRITE_TOKENS, count(span.usage.cache_write));
        set(name::REASONING_TOKENS, count(span.usage.reasoning));
        set(name::CACHE_WRITE_LONG_TOKENS, count(span.usage.cache_write_long));
        set(name::INPUT_AUDIO_TOKENS, count(span.usage.input_audio));
        set(name::INPUT_IMAGE_TOKENS, count(span.usage.input_image));
        set(name::OUTPUT_AUDIO_TOKENS, count(span.usage.output_audio));
        set(name::OUTPUT_IMAGE_TOKENS, count(span.usage.output_image));
        set(name::COST, span.cost.map(|cost| cost.dollars().into()));
        set(name::TIME_TO_FIRST_TOKEN, span.ttft_ns.map(|ttft| milliseconds(ttft).into()));
        attributes.extend(span.attributes);
        for (slot, body) in span.bodies {
            expand(&mut attributes, slot, body);
        }
        Self {
            span_id: span.span_id.to_string(),
            parent_id: span.parent_id.map(|parent| parent.to_string()),
            name: span.name,
            operation: span.operation,
            started_at: span.start.rfc3339(),
            duration_ms: milliseconds(span.duration_ns),
            status,
            error,
            attributes,
            start: span.start,
            has_bodies: span.has_bodies,
        }
    }
}

fn expand(attributes: &mut Object, slot: Slot, body: Vec<u8>) {
    let text = |body: Vec<u8>| {
        String::from_utf8(body).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    };
    let key = match slot {
        Slot::Input => name::INPUT_MESSAGES,
        Slot::Output => name::OUTPUT_MESSAGES,
        Slot::Tools => name::TOOL_DEFINITIONS,
        Slot::RawRequest => name::RAW_REQUEST,
        Slot::RawResponse => name::RAW_RESPONSE,
        Slot::Attributes => {
            if let Ok(members) = serde_json::from_slice::<Object>(&body) {
                attributes.extend(members);
            }
            return;
        }
    };
    let value = match slot {
        Slot::RawRequest | Slot::RawResponse => Value::String(text(body)),
        // We wrote it as JSON; were it damaged, its text is better than nothing.
        _ => serde_json::from_slice(&body).unwrap_or_else(|_| Value::String(text(body))),
    };
    match slot {
        Slot::Input | Slot::Output => match attributes.get_mut(key) {
            Some(Value::Array(messages)) => messages.push(value),
            _ => {
                attributes.insert(key.to_owned(), Value::Array(vec![value]));
            }
        },
        _ => {
            attributes.insert(key.to_owned(), value);
        }
    }
}

fn ended(status: SpanStatus) -> (&'static str, Option<String>) {
    match status {
        SpanStatus::Ok => ("ok", None),
        SpanStatus::Error(text) => ("error", Some(text)),
    }
}

/// With microseconds as decimals.
#[expect(clippy::cast_precision_loss, reason = "exact below 2^53 microseconds, 285 years")]
fn milliseconds(nanos: i64) -> f64 {
    (nanos / 1_000) as f64 / 1e3
}
