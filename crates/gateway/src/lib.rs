//! The gateway: from a model's name in a client's request to an answer in that client's dialect.
//!
//! It resolves names and aliases, goes through the targets, records the gateway span, and turns every
//! failure into an explicit error. Deliberately not here: dialect code (it asks `hanok-wire`), vendor names,
//! sockets, documents. It is itself a [`hanok_base::Provider`], so that answerers can call models through it.
//!
//! Reading order: [`routes`] (names to targets), [`catalog`] (what providers offer), [`call`] (one call, top
//! to bottom), [`answer`] (what goes back).

pub mod answer;
pub mod call;
pub mod catalog;
pub mod routes;

pub use answer::{Answer, AnswerBody, AnswerStream};
pub use call::Gateway;
pub use catalog::{Catalog, ProviderHealth};
pub use routes::{Routes, RoutesError, Target};
