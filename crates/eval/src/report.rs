//! What came of an experiment, and what the numbers are worth.
//!
//! What has no value (refused, unparsed, skipped, failed) is counted apart and is never a number; the mean is over
//! what has one. Repeats of a row are not independent: a row counts by its mean over them.

mod collect;
mod compare;
pub mod junit;
pub mod markdown;

pub use collect::Collected;
pub use compare::compare;

use hanok_base::NanoDollars;
use hanok_stats::Estimate;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An estimate with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The best guess.
    pub value: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
    /// What it rests on: rows, or clusters where rows are not independent.
    pub n: usize,
}

impl From<Estimate> for Interval {
    fn from(estimate: Estimate) -> Self {
        let Estimate { value, low, high, n } = estimate;
        Self { value, low, high, n }
    }
}

/// What an experiment gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// Rows that were tried.
    pub rows: usize,
    /// Tries: rows times repeats.
    pub tries: usize,
    /// Tries that should have been made.
    pub planned: usize,
    /// Tries without an output.
    pub failed: usize,
    /// Tries whose answer was known before.
    pub cached: usize,
    /// What it paid, scoring included.
    pub cost: NanoDollars,
    /// What an answer cost on average, in US dollars, whoever paid; `None` where no price is known.
    pub cost_per_answer: Option<f64>,
    /// How long answers took.
    pub latency: Option<Latency>,
    /// Confidence of the intervals.
    pub confidence: f64,
    /// Each score, in the order of the scorers.
    pub scores: Vec<ScoreReport>,
}

impl Report {
    /// The share of tries without an output.
    pub fn failure_rate(&self) -> Option<f64> {
        (self.tries > 0).then(|| share(self.failed, self.tries))
    }
}

/// How long answers took, in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// On average.
    pub mean: f64,
    /// Half of them at most.
    pub p50: f64,
    /// 95 of 100 at most.
    pub p95: f64,
}

/// What kind of value a score has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ScoreKind {
    /// Yes or no.
    #[default]
    Truth,
    /// A number.
    Number,
    /// A word.
    Label,
}

/// What a score gave.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreReport {
    /// Its name.
    pub name: String,
    /// What its values are.
    pub kind: ScoreKind,
    /// The mean over rows, yes as 1; `None` for words.
    pub mean: Option<f64>,
    /// The mean with its interval; `None` where there is too little for one.
    pub estimate: Option<Interval>,
    /// How the interval was made: `wilson`, `clustered`, `bootstrap`, `t`.
    pub method: String,
    /// Tries with a value.
    pub valued: usize,
    /// Tries that the judge declined to score.
    pub refused: usize,
    /// Tries whose score could not be read.
    pub unparsed: usize,
    /// Tries of which the scorer had nothing to say.
    pub skipped: usize,
    /// Tries that could not be scored.
    pub failed: usize,
    /// Tries without this score: the task gave no output.
    pub missing: usize,
    /// How often each word came.
    #[serde(skip_serializing_if = "BTreeMap::is_empty", default)]
    pub labels: BTreeMap<String, usize>,
    /// Of yes or no, where rows were tried several times.
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    pub passes: Vec<Passes>,
}

impl ScoreReport {
    /// The share of tries with a value.
    pub fn coverage(&self) -> f64 {
        let all = self.valued + self.refused + self.unparsed + self.skipped + self.failed + self.missing;
        if all == 0 { 0.0 } else { share(self.valued, all) }
    }
}

/// The chance that of `k` tries one succeeds, and that all do.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Passes {
    /// Tries.
    pub k: u64,
    /// pass@k: at least one.
    pub any: f64,
    /// pass^k: all.
    pub all: f64,
}

/// Two experiments over the rows that both have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// The number of the experiment that it is compared with.
    pub baseline: i64,
    /// Rows that both have, alike to the last character.
    pub paired: usize,
    /// Rows of only one.
    pub unpaired: usize,
    /// Each score that both have.
    pub scores: Vec<ScoreComparison>,
}

/// A score in two experiments.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoreComparison {
    /// Its name.
    pub name: String,
    /// Rows with a number in both.
    pub n: usize,
    /// The mean over these rows in the baseline.
    pub before: f64,
    /// The mean over these rows now.
    pub after: f64,
    /// Now less the baseline; `None` of fewer than two rows.
    pub difference: Option<Interval>,
    /// The same by a bootstrap of rows or clusters from a fixed seed.
    pub bootstrap: Option<Interval>,
    /// The difference in standard deviations of the differences.
    pub effect: Option<f64>,
    /// The two-sided p value.
    pub p: Option<f64>,
    /// The p value adjusted for the number of scores.
    pub p_adjusted: Option<f64>,
    /// The test: `mcnemar`, `t`, `clustered`.
    pub method: String,
    /// Rows where it rose.
    pub wins: usize,
    /// Rows where it is as it was.
    pub ties: usize,
    /// Rows where it fell.
    pub losses: usize,
    /// Whether less of it is better, as a check of the gate says: then what fell got better.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub less_is_better: bool,
}

impl ScoreComparison {
    /// Rows where it is better now, and where it is worse.
    pub fn better_and_worse(&self) -> (usize, usize) {
        if self.less_is_better { (self.losses, self.wins) } else { (self.wins, self.losses) }
    }

    /// Its name, with which way round it is read.
    pub fn title(&self) -> String {
        if self.less_is_better { format!("{} (less is better)", self.name) } else { self.name.clone() }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts of rows are far below 2^53")]
pub(crate) fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

/// Draws of a bootstrap.
pub(crate) const ROUNDS: usize = 2000;
/// Where they begin, so that the same results give the same interval.
pub(crate) const SEED: u64 = 0x68_616e_6f6b;
/// Rows above which a bootstrap says nothing that Student's interval does not.
pub(crate) const MANY: usize = 5000;
