//! Dialects, both directions, sans-IO: requests, answers, streams and errors as bytes, to and from the types
//! of `hanok-base`. A dialect is written once and used from both sides: the server decodes what clients send
//! and encodes what they get, a provider encodes what upstreams want and decodes what they answer.
//!
//! Deliberately not here: sockets, vendors, and any decision about a call.
//!
//! Reading order: [`codec`] (the face), [`error`], [`sse`] and `ndjson` (framing), `guard` (streams that pass
//! unchanged), `signature` and `effort` (what dialects say differently), the dialects beginning with
//! [`openai_chat`], [`embeddings`], [`rerank`], [`form`] (multipart), [`tokens`] (an estimate of them), [`rate`] (limits
//! as headers); beneath them `edit` (bytes, changed in few places), `take` (members out of a parsed object),
//! `depth` (how deep they may be), `members` (members out of bytes,
//! nothing else built), `quote` (what is told of a
//! quotation) and `template` (events that need not be read).

pub mod anthropic_messages;
pub mod codec;
mod depth;
mod edit;
mod effort;
pub mod embeddings;
pub mod error;
pub mod form;
pub mod gemini;
mod guard;
mod members;
mod ndjson;
pub mod ollama;
pub mod openai_chat;
pub mod openai_responses;
pub mod prompted;
mod quote;
pub mod rate;
pub mod rerank;
mod signature;
pub mod sse;
mod take;
mod template;
pub mod tokens;

pub use codec::{
    Codec, Encoded, Fed, GuardOptions, Patch, Peek, RequestOptions, StreamDecoder, StreamEncoder,
    StreamGuard, StreamOptions, StreamSummary, codec,
};
pub use error::{StreamFault, WireError};
pub use rate::{is_rate_limit_header, rate_limit_headers};
pub use rerank::RerankForm;
pub use signature::holds_foreign_signature;

/// Whether `body` is one valid JSON value, found without building it.
pub fn is_json(body: &[u8]) -> bool {
    std::str::from_utf8(body).is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok())
}
