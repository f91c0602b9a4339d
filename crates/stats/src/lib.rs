//! Pure numbers: measures of a ranking, percentiles, and what a number from a sample is worth: intervals, paired
//! tests, agreement, correction for a judge's errors, power.
//!
//! Deliberately not here: what is measured. A ranking is a slice of gains, best hit first; a score is a number.
//!
//! Reading order: [`ranking`], [`percentile`], [`histogram`]; [`interval`], [`bootstrap`], [`resample`], [`paired`], [`repeats`],
//! [`multiple`], [`power`]; [`agreement`], [`corrected`], [`pairwise`]; [`distribution`] under them.

pub mod agreement;
pub mod bootstrap;
pub mod corrected;
pub mod distribution;
pub mod histogram;
pub mod interval;
pub mod multiple;
pub mod paired;
pub mod pairwise;
pub mod percentile;
pub mod power;
pub mod ranking;
pub mod repeats;
pub mod resample;

pub use agreement::{Confusion, Detection, Weights};
pub use bootstrap::{Draws, Interval, PairedDifference, interval, paired_bootstrap};
pub use histogram::Histograms;
pub use interval::Estimate;
pub use percentile::{mean, percentile};
pub use ranking::{average_precision, exponential_gain, ndcg_at, recall_at, reciprocal_rank};
