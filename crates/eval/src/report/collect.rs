//! Results, one after the other, into what statistics need of them: some bytes a row and score.

use super::{Interval, Latency, MANY, Passes, ROUNDS, Report, SEED, ScoreKind, ScoreReport, share};
use crate::keeper::{KeepError, Keeper};
use crate::score::{KeptScore, KeptScores};
use hanok_base::{NanoDollars, ScoreValue};
use hanok_stats::interval::{clustered_mean, mean_interval, wilson};
use hanok_stats::repeats::{pass_all, pass_at};
use hanok_stats::resample::bootstrap;
use hanok_store::evals::Measured;
use std::collections::HashMap;

/// What was collected of an experiment.
#[derive(Clone, Debug, Default)]
pub struct Collected {
    pub(super) rows: Vec<RowFacts>,
    pub(super) scores: Vec<ScoreFacts>,
    /// The number of each cluster: the place of its first row.
    clusters: HashMap<String, u32>,
    pub(super) is_clustered: bool,
    tries: usize,
    failed: usize,
    cached: usize,
    latencies: Vec<f64>,
    cost: i64,
    priced: usize,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct RowFacts {
    pub(super) id: i64,
    /// Of rows that belong to nothing, one of their own.
    pub(super) cluster: u32,
}

#[derive(Clone, Debug, Default)]
pub(super) struct ScoreFacts {
    pub(super) name: String,
    /// Rows with a number, in order.
    pub(super) rows: Vec<RowScore>,
    counts: ScoreReport,
    has_numbers: bool,
    has_labels: bool,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct RowScore {
    /// The row's place in [`Collected::rows`].
    pub(super) row: u32,
    pub(super) tries: u32,
    yes: u32,
    sum: f64,
}

impl RowScore {
    pub(super) fn mean(&self) -> f64 {
        self.sum / f64::from(self.tries.max(1))
    }
}

impl ScoreFacts {
    /// Whether every value is yes or no.
    pub(super) fn is_truth(&self) -> bool {
        !self.has_numbers && !self.has_labels
    }
}

/// Results read at once.
const PAGE: usize = 4096;

impl Collected {
    /// All results of an experiment.
    pub async fn of(keeper: &Keeper, experiment: i64) -> Result<Self, KeepError> {
        let (mut collected, mut after) = (Self::default(), None);
        loop {
            let page = keeper.measured(experiment, after, PAGE).await?;
            for measured in &page {
                collected.push(measured)?;
            }
            match page.last() {
                Some(last) if page.len() == PAGE => after = Some((last.row, last.repeat)),
                _ => return Ok(collected),
            }
        }
    }

    /// Takes the next result; those of a row come one after the other.
    pub fn push(&mut self, result: &Measured) -> Result<(), serde_json::Error> {
        if self.rows.last().is_none_or(|last| last.id != result.row) {
            let next = u32::try_from(self.rows.len()).unwrap_or(u32::MAX);
            let cluster = match &result.cluster {
                Some(cluster) => {
                    self.is_clustered = true;
                    *self.clusters.entry(cluster.clone()).or_insert(next)
                }
                None => next,
            };
            self.rows.push(RowFacts { id: result.row, cluster });
        }
        let row = u32::try_from(self.rows.len().saturating_sub(1)).unwrap_or(u32::MAX);
        self.tries += 1;
        self.failed += usize::from(result.failed);
        self.cached += usize::from(result.cached);
        if let Some(latency) = result.latency_ns {
            #[expect(clippy::cast_precision_loss, reason = "a latency is far below 2^53 nanoseconds")]
            self.latencies.push(latency as f64 / 1e9);
        }
        if let Some(cost) = result.answer_cost {
            self.cost = self.cost.saturating_add(cost.0);
            self.priced += 1;
        }
        for (name, score) in KeptScores::read(&result.scores)?.0 {
            self.score(name, score, row);
        }
        Ok(())
    }

    fn score(&mut self, name: String, score: KeptScore, row: u32) {
        let known = self.scores.iter().position(|known| known.name == name);
        let at = known.unwrap_or_else(|| {
            self.scores.push(ScoreFacts { name, ..ScoreFacts::default() });
            self.scores.len() - 1
        });
        let Some(facts) = self.scores.get_mut(at) else { return };
        let counts = &mut facts.counts;
        let Some(value) = score.value else {
            let kinds = [
                (score.refused.is_some(), &mut counts.refused),
                (score.unparsed.is_some(), &mut counts.unparsed),
                (score.skipped.is_some(), &mut counts.skipped),
                (true, &mut counts.failed),
            ];
            if let Some((_, count)) = kinds.into_iter().find(|(is, _)| *is) {
                *count += 1;
            }
            return;
        };
        counts.valued += 1;
        let (number, yes) = match value {
            ScoreValue::Truth(yes) => (f64::from(u8::from(yes)), u32::from(yes)),
            ScoreValue::Number(number) => {
                facts.has_numbers = true;
                (number, 0)
            }
            ScoreValue::Label(label) => {
                facts.has_labels = true;
                *counts.labels.entry(label).or_default() += 1;
                return;
            }
        };
        match facts.rows.last_mut().filter(|last| last.row == row) {
            Some(last) => {
                last.tries += 1;
                last.yes += yes;
                last.sum += number;
            }
            None => facts.rows.push(RowScore { row, tries: 1, yes, sum: number }),
        }
    }

    /// The clusters of these rows.
    pub(super) fn clusters_of(&self, rows: impl Iterator<Item = u32>) -> Vec<u32> {
        rows.filter_map(|row| self.rows.get(usize::try_from(row).ok()?).map(|facts| facts.cluster)).collect()
    }

    /// What it all says. `planned` is how many tries there should be, `cost` what the experiment paid.
    pub fn report(&self, planned: usize, cost: NanoDollars, confidence: f64) -> Report {
        let percentile = |p| hanok_stats::percentile(&self.latencies, p);
        let latency = hanok_stats::mean(&self.latencies)
            .and_then(|mean| Some(Latency { mean, p50: percentile(50.0)?, p95: percentile(95.0)? }));
        Report {
            rows: self.rows.len(),
            tries: self.tries,
            planned,
            failed: self.failed,
            cached: self.cached,
            cost,
            cost_per_answer: (self.priced > 0)
                .then(|| NanoDollars(self.cost).dollars() / share(self.priced, 1)),
            latency,
            confidence,
            scores: self.scores.iter().map(|facts| self.score_report(facts, confidence)).collect(),
        }
    }

    fn score_report(&self, facts: &ScoreFacts, confidence: f64) -> ScoreReport {
        let counts = facts.counts.clone();
        let counted = counts.valued + counts.refused + counts.unparsed + counts.skipped + counts.failed;
        let kind = match (facts.has_numbers, facts.has_labels) {
            (true, _) => ScoreKind::Number,
            (false, true) => ScoreKind::Label,
            (false, false) => ScoreKind::Truth,
        };
        let means: Vec<f64> = facts.rows.iter().map(RowScore::mean).collect();
        let (mut estimate, method) = self.estimate(facts, &means, confidence);
        if let Some(estimate) = estimate.as_mut().filter(|_| facts.is_truth()) {
            // A share is within 0 and 1, though Student's t knows nothing of it.
            (estimate.low, estimate.high) = (estimate.low.clamp(0.0, 1.0), estimate.high.clamp(0.0, 1.0));
        }
        ScoreReport {
            name: facts.name.clone(),
            kind,
            mean: hanok_stats::mean(&means),
            estimate,
            method: method.to_owned(),
            missing: self.tries.saturating_sub(counted),
            passes: if kind == ScoreKind::Truth { passes(&facts.rows) } else { Vec::new() },
            ..counts
        }
    }

    fn estimate(
        &self,
        facts: &ScoreFacts,
        means: &[f64],
        confidence: f64,
    ) -> (Option<Interval>, &'static str) {
        let n = means.len();
        let once = facts.rows.iter().all(|row| row.tries == 1);
        let is_truth = facts.is_truth();
        // Where all agree there is no variance to make an interval of, but a share has one all the same.
        let unanimous = |n: usize| {
            let first = means.first().copied()?;
            let same = means.iter().all(|mean| mean.to_bits() == first.to_bits());
            let share = if first >= 1.0 { n } else { 0 };
            (is_truth && same && (first <= 0.0 || first >= 1.0))
                .then(|| wilson(share, n, confidence))
                .flatten()
        };
        if self.is_clustered {
            let clusters = self.clusters_of(facts.rows.iter().map(|row| row.row));
            let mut distinct = clusters.clone();
            distinct.sort_unstable();
            distinct.dedup();
            let found = unanimous(distinct.len()).or_else(|| clustered_mean(means, &clusters, confidence));
            return (found.map(Interval::from), "clustered");
        }
        if is_truth && once {
            let yes = facts.rows.iter().filter(|row| row.yes > 0).count();
            return (wilson(yes, n, confidence).map(Interval::from), "wilson");
        }
        if is_truth {
            let found = unanimous(n).or_else(|| mean_interval(means, confidence));
            return (found.map(Interval::from), "clustered");
        }
        if n > MANY {
            return (mean_interval(means, confidence).map(Interval::from), "t");
        }
        let mean_of = |drawn: &[usize]| {
            let sum: f64 = drawn.iter().filter_map(|at| means.get(*at)).sum();
            (!drawn.is_empty()).then(|| sum / share(drawn.len(), 1))
        };
        let found = (n > 1).then(|| bootstrap(n, ROUNDS, SEED, confidence, mean_of)).flatten();
        (found.map(Interval::from), "bootstrap")
    }
}

/// pass@k and pass^k over rows that were tried at least twice, each k up to the least number of tries.
fn passes(rows: &[RowScore]) -> Vec<Passes> {
    let Some(least) = rows.iter().map(|row| row.tries).min().filter(|least| *least > 1) else {
        return Vec::new();
    };
    let least = u64::from(least);
    let mut ks: Vec<u64> = [1, 2, 3, 5, 10, 25, 50, 100].into_iter().filter(|k| *k < least).collect();
    ks.push(least);
    let over = |of: fn(u64, u64, u64) -> Option<f64>, k: u64| {
        let each: Vec<f64> =
            rows.iter().filter_map(|row| of(k, u64::from(row.yes), u64::from(row.tries))).collect();
        hanok_stats::mean(&each)
    };
    ks.into_iter()
        .filter_map(|k| Some(Passes { k, any: over(pass_at, k)?, all: over(pass_all, k)? }))
        .collect()
}
