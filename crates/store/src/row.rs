//! What a trace is made of, as it is handed over and as it is read back.

use hanok_base::{Attributes, NanoDollars, Object, SpanId, SpanStatus, Timestamp, TraceId, Usage};
use std::borrow::Cow;

/// Some or all spans of one trace, with what they say about the whole.
///
/// A later batch of the same trace merges into the row: spans already there are left out (a replay changes
/// nothing), sums are those over the calls that are not made of other calls, and what the root says wins over what
/// other spans say. A batch of another project becomes a trace of its own, under an id of its own.
#[derive(Clone, Debug)]
pub struct TraceBatch {
    /// The trace.
    pub trace_id: TraceId,
    /// What the list of traces shows, sums and times aside: those come from the spans.
    pub summary: Summary,
    /// The spans, parents before children.
    pub spans: Vec<SpanRow>,
    /// Whether the spans are kept. Of a trace that is not kept nothing but sums is: it is charged, and counted by
    /// the minute. Spans of a trace that is there already are kept all the same.
    pub kept: bool,
}

impl TraceBatch {
    /// What its counted and priced spans cost together.
    pub fn cost(&self) -> NanoDollars {
        let counted = self.spans.iter().filter(|span| span.counted).filter_map(|span| span.cost);
        NanoDollars(counted.fold(0, |sum, cost| sum.saturating_add(cost.0)))
    }

    /// The tokens of its counted spans, prompts and answers together.
    pub fn tokens(&self) -> u64 {
        self.tokens_of(|_| true)
    }

    /// The same of those that have no known price.
    pub fn unpriced(&self) -> u64 {
        self.tokens_of(|span| span.cost.is_none())
    }

    fn tokens_of(&self, wanted: impl Fn(&SpanRow) -> bool) -> u64 {
        let counted = self.spans.iter().filter(|span| span.counted && wanted(span)).map(|span| &span.usage);
        let both = counted.map(|usage| usage.input.unwrap_or(0).saturating_add(usage.output.unwrap_or(0)));
        both.fold(0, u64::saturating_add)
    }
}

/// What the list of traces shows.
#[derive(Clone, Debug)]
pub struct Summary {
    /// Whether the batch holds the trace's root, so that it speaks for the whole.
    pub rooted: bool,
    /// The trace's name.
    pub name: String,
    /// What its root did.
    pub operation: Cow<'static, str>,
    /// How it ended.
    pub status: SpanStatus,
    /// The model asked for.
    pub model: Option<String>,
    /// The provider that answered.
    pub provider: Option<String>,
    /// The name of the key it was called with.
    pub key_name: Option<String>,
    /// The id of that key.
    pub key_id: Option<String>,
    /// The project it belongs to.
    pub project: Option<String>,
    /// The conversation it is a turn of.
    pub session: Option<String>,
    /// The person it was made for.
    pub user: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The prompt it used, as `name@version`.
    pub prompt: Option<String>,
    /// The program that sent it; `None` for calls of our own gateway.
    pub source: Option<String>,
    /// Traces whose words it holds: it goes with each of them.
    pub made_of: Vec<TraceId>,
    /// Nanoseconds from the trace's start to the first token of the answer.
    pub ttft_ns: Option<i64>,
    /// The beginning of what was asked.
    pub input_preview: Option<String>,
    /// The beginning of what was answered.
    pub output_preview: Option<String>,
}

/// One span, as it is stored.
#[derive(Clone, Debug)]
pub struct SpanRow {
    /// Its id.
    pub span_id: SpanId,
    /// The span it is part of.
    pub parent_id: Option<SpanId>,
    /// Its name.
    pub name: String,
    /// What was done (`gen_ai.operation.name`).
    pub operation: Cow<'static, str>,
    /// When it began.
    pub start: Timestamp,
    /// How long it took, in nanoseconds.
    pub duration_ns: i64,
    /// How it ended.
    pub status: SpanStatus,
    /// Whether its tokens and cost count as the trace's. True for calls of providers, so that what a parent
    /// repeats is never counted twice.
    pub counted: bool,
    /// The model asked for.
    pub model: Option<String>,
    /// The provider.
    pub provider: Option<String>,
    /// Tokens.
    pub usage: Usage,
    /// What it cost; `None` when unpriced.
    pub cost: Option<NanoDollars>,
    /// Nanoseconds from its start to the first token.
    pub ttft_ns: Option<i64>,
    /// Everything else that is known.
    pub attributes: Attributes,
    /// Large values, stored once however often they come.
    pub bodies: Vec<(Slot, Vec<u8>)>,
}

/// What a body is to its span.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Slot {
    /// One message of the input, JSON.
    Input,
    /// One message of the output, JSON.
    Output,
    /// The definitions of all tools, a JSON array.
    Tools,
    /// A request that could not be read, in its own bytes.
    RawRequest,
    /// An answer that could not be read, in its own bytes.
    RawResponse,
    /// Large attributes, a JSON object.
    Attributes,
}

impl Slot {
    pub(crate) const ALL: [Self; 6] =
        [Self::Input, Self::Output, Self::Tools, Self::RawRequest, Self::RawResponse, Self::Attributes];

    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Input => 0,
            Self::Output => 1,
            Self::Tools => 2,
            Self::RawRequest => 3,
            Self::RawResponse => 4,
            Self::Attributes => 5,
        }
    }

    pub(crate) fn of_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|slot| slot.code() == code)
    }
}

/// A trace's row, as it is read back.
#[derive(Clone, Debug, PartialEq)]
pub struct TraceRow {
    /// Its place in the order of arrival.
    pub seq: i64,
    /// Its id.
    pub trace_id: TraceId,
    /// Its name.
    pub name: String,
    /// What its root did.
    pub operation: String,
    /// When its first span began.
    pub start: Timestamp,
    /// Nanoseconds from there to the end of its last span.
    pub duration_ns: i64,
    /// How it ended.
    pub status: SpanStatus,
    /// The model asked for.
    pub model: Option<String>,
    /// The provider that answered.
    pub provider: Option<String>,
    /// The name of the key it was called with.
    pub key_name: Option<String>,
    /// The id of that key.
    pub key_id: Option<String>,
    /// The project it belongs to.
    pub project: Option<String>,
    /// The conversation it is a turn of.
    pub session: Option<String>,
    /// The person it was made for.
    pub user: Option<String>,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The prompt it used, as `name@version`.
    pub prompt: Option<String>,
    /// The program that sent it; `None` for calls of our own gateway.
    pub source: Option<String>,
    /// Tokens of all prompts; `None` when no provider said.
    pub input_tokens: Option<u64>,
    /// Tokens of all answers; `None` when no provider said.
    pub output_tokens: Option<u64>,
    /// Of the prompts, tokens read from a provider's cache.
    pub cached_tokens: Option<u64>,
    /// Of the answers, tokens spent on reasoning.
    pub reasoning_tokens: Option<u64>,
    /// What its priced spans cost together; `None` when none is priced.
    pub cost: Option<NanoDollars>,
    /// Nanoseconds from the trace's start to the first token.
    pub ttft_ns: Option<i64>,
    /// How many spans it has.
    pub span_count: u64,
    /// The beginning of what was asked.
    pub input_preview: Option<String>,
    /// The beginning of what was answered.
    pub output_preview: Option<String>,
}

/// A trace with its spans, as it is read back.
#[derive(Clone, Debug)]
pub struct StoredTrace {
    /// The trace's row.
    pub row: TraceRow,
    /// Its spans, in the order they were handed over.
    pub spans: Vec<StoredSpan>,
}

/// A span, as it is read back.
#[derive(Clone, Debug)]
pub struct StoredSpan {
    /// Its id.
    pub span_id: SpanId,
    /// The span it is part of.
    pub parent_id: Option<SpanId>,
    /// Its name.
    pub name: String,
    /// What was done.
    pub operation: String,
    /// When it began.
    pub start: Timestamp,
    /// How long it took, in nanoseconds.
    pub duration_ns: i64,
    /// How it ended.
    pub status: SpanStatus,
    /// The model asked for.
    pub model: Option<String>,
    /// The provider.
    pub provider: Option<String>,
    /// Tokens.
    pub usage: Usage,
    /// What it cost; `None` when unpriced.
    pub cost: Option<NanoDollars>,
    /// Nanoseconds from its start to the first token.
    pub ttft_ns: Option<i64>,
    /// Everything else that is known.
    pub attributes: Object,
    /// Whether it has large values, read or not.
    pub has_bodies: bool,
    /// Its large values, where they were asked for.
    pub bodies: Vec<(Slot, Vec<u8>)>,
}

/// Whose large values are read with a trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bodies {
    /// Nobody's.
    None,
    /// Every span's.
    All,
}
