//! Evals: datasets, scorers, judges, experiments, and what their numbers are worth.
//!
//! Deliberately not here: what is tried (a [`Task`](hanok_base::Task)), the formulas (`hanok-stats`), SQL, pages.

mod json;
pub mod judge;
pub mod kit;
pub mod scorer;

pub use kit::{Kit, Prices, SourceTexts};
