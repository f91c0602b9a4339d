//! Pure numbers: measures of a ranking, percentiles, and what chance may have done.
//!
//! Deliberately not here: what is measured. A ranking is a slice of gains, best hit first.
//!
//! Reading order: [`ranking`], [`percentile`], [`bootstrap`], [`histogram`].

pub mod bootstrap;
pub mod histogram;
pub mod percentile;
pub mod ranking;

pub use bootstrap::{Draws, Interval, PairedDifference, interval, paired_bootstrap};
pub use histogram::Histograms;
pub use percentile::{mean, percentile};
pub use ranking::{average_precision, exponential_gain, ndcg_at, recall_at, reciprocal_rank};
