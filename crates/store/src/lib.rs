//! The store: one SQLite file, one writer thread that commits in groups, and a few reader threads behind an
//! async face. All SQL of the product lives here.
//!
//! Deliberately not here: business rules. What a trace's model is, what a call costs, what a filter's words
//! mean is decided above; the store keeps rows and answers typed queries.
//!
//! Reading order: `schema` (the file), [`store`] (the face), `admission` (places reserved before work
//! starts), `writer` (group commits), `readers`, [`row`] (what a trace is made of), `blobs` and `names` (text
//! stored once), `spans` (those of small traces, packed), `insert` (traces in), [`traces`] (traces out), [`outline`] (large ones, in part), [`keys`] (who may call), [`ledger`] (what was
//! spent), [`responses`] (what clients may ask back), [`documents`].
//!
//! No future of this crate needs a particular runtime, except [`Store::admit`] while it has to wait.

mod admission;
mod blobs;
pub mod documents;
mod error;
mod insert;
pub mod keys;
pub mod ledger;
mod names;
pub mod outline;
mod readers;
pub mod responses;
pub mod row;
mod schema;
mod spans;
pub mod store;
#[cfg(test)]
mod tests;
mod tokens;
pub mod traces;
mod writer;

pub use admission::{Place, Unavailable};
pub use error::StoreError;
pub use keys::{Budget, BudgetPeriod, Key, Keys, Limits, NewKey, Secret, hash_secret};
pub use ledger::{Balance, Ledger};
pub use outline::{Outline, SpanLine};
pub use responses::{LIFETIME, NewResponse, Responses, StoredResponse, Turn};
pub use row::{Bodies, Slot, SpanRow, StoredSpan, StoredTrace, Summary, TraceBatch, TraceRow};
pub use store::{Health, HealthState, Options, Store, make_folder};
pub use traces::{Bucket, Counts, TraceQuery, TraceRows, Traces};
