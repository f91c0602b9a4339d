//! Pure numbers: measures of a ranking, and percentiles.
//!
//! Deliberately not here: what is measured. A ranking is a slice of gains, best hit first.
//!
//! Reading order: [`ranking`], [`percentile`], [`histogram`].

pub mod histogram;
pub mod percentile;
pub mod ranking;

pub use histogram::Histograms;
pub use percentile::{mean, percentile};
pub use ranking::{average_precision, exponential_gain, ndcg_at, recall_at, reciprocal_rank};
