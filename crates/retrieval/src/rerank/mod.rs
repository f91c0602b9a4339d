//! Rerankers that call a model through the gateway: one of a provider's rerank API, and a chat model that puts
//! passages in order.
//!
//! Deliberately not here: when to rerank and what becomes of a failure, which the search decides.
//!
//! Reading order: [`provider`], [`listwise`] (a chat model) with `order` (what it answers, read strictly).

pub mod listwise;
mod order;
pub mod provider;

pub use listwise::ListwiseReranker;
pub use provider::ProviderReranker;
