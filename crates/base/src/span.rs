//! The span: one record for everything that happens, and the seam through which it is kept.

use crate::{BoxFuture, Caller, Dialect, NanoDollars, SpanId, Timestamp, TraceId};
use bytes::Bytes;
use serde_json::Value;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

/// Attributes in the order they were set, under OpenTelemetry GenAI names where one exists and
/// `hanok.*` where none does.
pub type Attributes = Vec<(Cow<'static, str>, Value)>;

/// One finished unit of work.
#[derive(Clone, Debug)]
pub struct Span {
    /// The trace it belongs to.
    pub trace_id: TraceId,
    /// Its id.
    pub span_id: SpanId,
    /// The span it is part of; `None` for the root.
    pub parent_id: Option<SpanId>,
    /// `{operation} {object}` by OpenTelemetry's rule: `chat gpt-5-mini`.
    pub name: String,
    /// What was done.
    pub operation: Operation,
    /// When it began.
    pub start: Timestamp,
    /// How long it took, by the monotonic clock.
    pub duration: Duration,
    /// How it ended.
    pub status: SpanStatus,
    /// Everything else that is known.
    pub attributes: Attributes,
    /// The bytes of a model call, decoded into messages and usage when the span is stored.
    pub exchange: Option<Exchange>,
}

/// What a span did. The text is `gen_ai.operation.name` where OpenTelemetry has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// The gateway took a request and answered it.
    Gateway,
    /// A chat with a provider.
    Chat,
    /// Embeddings by a provider.
    Embeddings,
    /// Documents were retrieved for a query.
    Retrieval,
    /// One leg of a retrieval (BM25, dense).
    Search,
    /// Hits were ranked again.
    Rerank,
    /// Citations were checked against their sources.
    Verify,
    /// A raw call of any other route.
    Forward,
    /// An agent worked on something.
    Agent,
    /// A tool was called.
    Tool,
    /// A workflow ran: several agents, chains or tasks.
    Workflow,
    /// Anything else that others record.
    Other,
}

impl Operation {
    /// The operation's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Chat => "chat",
            Self::Embeddings => "embeddings",
            Self::Retrieval => "retrieval",
            Self::Search => "search",
            Self::Rerank => "rerank",
            Self::Verify => "verify",
            Self::Forward => "forward",
            Self::Agent => "invoke_agent",
            Self::Tool => "execute_tool",
            Self::Workflow => "invoke_workflow",
            Self::Other => "span",
        }
    }

    /// The operation of this name.
    pub fn parse(name: &str) -> Option<Self> {
        [
            Self::Gateway,
            Self::Chat,
            Self::Embeddings,
            Self::Retrieval,
            Self::Search,
            Self::Rerank,
            Self::Verify,
            Self::Forward,
            Self::Agent,
            Self::Tool,
            Self::Workflow,
            Self::Other,
        ]
        .into_iter()
        .find(|operation| operation.as_str() == name)
    }
}

/// How a span ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpanStatus {
    /// As it should.
    Ok,
    /// It did not; in words.
    Error(String),
}

/// The bytes of a model call as they went over the wire.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// How to read them.
    pub dialect: Dialect,
    /// The request's body.
    pub request: Bytes,
    /// The answer's body.
    pub response: ResponseBytes,
}

/// An answer's body as it went over the wire.
#[derive(Clone, Debug)]
pub enum ResponseBytes {
    /// None came.
    None,
    /// Whole.
    Whole(Bytes),
    /// Streamed, as the pieces came.
    Streamed(Vec<Bytes>),
}

/// Where spans are kept. A place is reserved before the work starts, so that keeping its spans at the end
/// is synchronous and cannot fail, even when a hang-up drops the future.
pub trait Recorder: Send + Sync {
    /// Reserves a place for one trace's spans. Waits while the queue is full or the store cannot commit,
    /// 2 s at most.
    fn admit(&self) -> BoxFuture<'_, Result<Box<dyn Place>, StoreUnavailable>>;
}

/// A reserved place in the recorder's queue.
pub trait Place: Send {
    /// Queues one trace. Never blocks, never fails; the place is used up.
    fn record(self: Box<Self>, trace: FinishedTrace);
}

/// A trace whose last span has ended.
pub struct FinishedTrace {
    /// Its spans, root first.
    pub spans: Vec<Span>,
    /// Who called.
    pub caller: Arc<Caller>,
    /// Where its cost goes.
    pub settlement: Option<Box<dyn Settlement>>,
}

/// What was reserved for a call, settled when its record is committed. Dropping it unsettled gives all of the
/// reservation back: the call was never made.
pub trait Settlement: Send {
    /// The accounts that bear the cost. The recorder adds the cost to them in the transaction that commits the
    /// spans, so that ledger and spans never differ.
    fn charges(&self) -> &[Charge];
    /// The record is committed: this much was spent. Accounts in `charged` have been told of it before.
    fn settle(self: Box<Self>, spent: Spent, charged: &[Charge]);
}

/// What a trace used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// Money.
    pub cost: NanoDollars,
    /// Tokens of prompts and answers.
    pub tokens: u64,
    /// Of these, the ones of calls without a known price. What is free has one.
    pub unpriced: u64,
}

/// Several reservations of one trace: a call that made further calls.
pub(crate) struct Settlements {
    all: Vec<Box<dyn Settlement>>,
    charges: Vec<Charge>,
}

impl Settlements {
    /// One more beside what there is.
    pub(crate) fn joined(
        first: Option<Box<dyn Settlement>>,
        next: Box<dyn Settlement>,
    ) -> Box<dyn Settlement> {
        let Some(first) = first else {
            return next;
        };
        let mut charges = first.charges().to_vec();
        charges.extend(next.charges().iter().filter(|charge| !first.charges().contains(charge)).cloned());
        Box::new(Self { all: vec![first, next], charges })
    }
}

impl Settlement for Settlements {
    fn charges(&self) -> &[Charge] {
        &self.charges
    }
    fn settle(self: Box<Self>, spent: Spent, charged: &[Charge]) {
        let mut charged = charged.to_vec();
        for settlement in self.all {
            let told = settlement.charges().to_vec();
            settlement.settle(spent, &charged);
            charged.extend(told);
        }
    }
}

/// An account in one of its periods.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Charge {
    /// `key:ID`, `project:NAME` or `model:NAME`.
    pub account: Arc<str>,
    /// The UTC day (`2026-11-20`) or month (`2026-11`), or `total`.
    pub period: Arc<str>,
}

/// The store cannot take new records now.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the store cannot record new calls: {reason}")]
pub struct StoreUnavailable {
    /// Why, for people.
    pub reason: String,
}
