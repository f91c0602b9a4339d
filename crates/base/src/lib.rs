//! The words every room of Hanok speaks: ids, time, chats, spans, hits, and the seams
//! (object-safe traits) behind which rooms are exchanged.
//!
//! Deliberately not here: tokio, HTTP, SQL and any wire format. A dialect's JSON lives in
//! `hanok-wire`; these types are what its decoders yield and its encoders take.
//!
//! Reading order: [`ids`], [`time`], [`usage`], [`chat`], [`stream`], [`embed`], [`rate`], [`error`],
//! [`span`], [`allowance`], [`context`], [`provider`], [`retrieval`], [`evaluation`], [`names`].

pub mod allowance;
pub mod chat;
pub mod context;
pub mod embed;
pub mod error;
pub mod evaluation;
pub mod ids;
pub mod names;
pub mod provider;
pub mod rate;
pub mod retrieval;
pub mod span;
pub mod stream;
pub mod time;
pub mod trace_context;
pub mod usage;

pub use allowance::{Allowance, Allowed};
pub use chat::{
    ChatRequest, ChatResponse, Choice, Citation, FinishReason, Media, MediaSource, Message, OutputFormat,
    Part, Reasoning, ReasoningOptions, Role, Sampling, Signature, ToolCall, ToolChoice, ToolResult, ToolSpec,
};
pub use context::{CallContext, Caller, Degradation, Patience, Payloads, SpanScope};
pub use embed::{
    EmbedInput, EmbedKind, EmbedLimits, EmbedRequest, EmbedResponse, Embedder, RerankRequest, RerankResponse,
    Reranker, embedder_fn,
};
pub use error::{BoxError, ErrorKind, Problem, ProviderError, ProviderErrorKind};
pub use evaluation::{
    ExampleSource, Output, Sample, SampleScore, ScoreValue, Scorer, Task, TaskError, Verdict,
};
pub use ids::{CollectionName, ModelName, ProviderName, ResponseId, SpanId, TraceId};
pub use provider::{
    BoxFuture, ByteStream, Capabilities, Dialect, Dialects, ModelInfo, Provider, RawBody, RawCall,
    RawResponse, Route,
};
pub use rate::{RateLimit, RateLimits};
pub use retrieval::{
    About, Coverage, Hit, LeftOut, Legs, Readers, RetrievalError, Retriever, SearchQuery, SearchResult,
    SourceId, Trust, Vote,
};
pub use span::{
    Attributes, Charge, Exchange, FinishedTrace, Operation, Place, Recorder, ResponseBytes, Settlement, Span,
    SpanStatus, Spent, StoreUnavailable,
};
pub use stream::{Delta, EventStream, StreamEvent};
pub use time::Timestamp;
pub use trace_context::TraceContext;
pub use usage::{NanoDollars, Usage};

/// A JSON object whose member order is kept.
pub type Object = serde_json::Map<String, serde_json::Value>;
