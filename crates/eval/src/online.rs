//! Scoring of live traces by rule: which ones, by what, for how much; and where people and a judge differ.
//!
//! What was done is known by two cursors in the store, one over traces and one over scores, so that a restart neither
//! forgets nor repeats. Whether a trace is drawn follows from its id: two servers, or the same one after a restart,
//! draw the same ones.

mod feedback;
mod rule;

pub use feedback::said_yes;
pub use rule::{Rule, draws};

use crate::calibration::{Figure, Method};
use crate::dataset::from_traces::{Taken, row};
use crate::judge::Records;
use arc_swap::ArcSwap;
use hanok_base::{
    CallContext, NanoDollars, Operation, Output, Sample, SampleScore, ScoreValue, Timestamp, TraceId, Verdict,
};
use hanok_stats::distribution::t_quantile;
use hanok_stats::interval::wilson;
use hanok_store::{Bodies, Score, ScoreTarget, ScoringDay, StoreError, StoredTrace};
use hanok_trace::{TraceError, TraceStore};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// Under this name the cursor over traces stands in the store.
const CURSOR: &str = "scoring";
/// Traces looked at together.
const BATCH: usize = 64;
/// After the first new trace, others are waited for so long: what is read together costs less, and feedback often
/// comes right after an answer.
const GATHER: Duration = Duration::from_secs(2);
/// How often feedback is looked for where no trace arrives.
const LOOK: Duration = Duration::from_secs(5);

/// Scores traces by rules, as long as the store is open.
pub struct Online {
    /// The records.
    pub traces: TraceStore,
    /// The rules, which may be exchanged while traces are scored: what comes next goes by the new ones.
    pub rules: Arc<ArcSwap<Vec<Rule>>>,
    /// Where what judges are asked is recorded.
    pub records: Records,
    /// Traces scored at once.
    pub concurrency: usize,
}

/// Scoring had to stop.
#[derive(Debug, thiserror::Error)]
pub enum OnlineError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A filter, or the records.
    #[error(transparent)]
    Trace(#[from] TraceError),
}

impl Online {
    /// Follows the traces from where it ended the last time, or from now on. Ends with the store.
    pub async fn run(self) -> Result<(), OnlineError> {
        let store = self.traces.store().clone();
        let Some(mut committed) = store.subscribe() else {
            return Err(StoreError::ReadOnly.into());
        };
        let newest = *committed.borrow_and_update();
        let cursors = store.cursors();
        let begun = cursors.get(CURSOR).await?;
        if begun.is_none() {
            cursors.set(CURSOR, newest).await?;
        }
        let mut done = begun.unwrap_or(newest).min(newest);
        loop {
            done = self.catch_up(done).await?;
            self.feedback().await?;
            match tokio::time::timeout(LOOK, committed.changed()).await {
                Ok(Err(_)) => return Ok(()),
                Ok(Ok(())) => tokio::time::sleep(GATHER).await,
                Err(_) => {}
            }
        }
    }

    /// Scores what arrived after `done`; gives how far it came.
    pub async fn catch_up(&self, mut done: i64) -> Result<i64, OnlineError> {
        let store = self.traces.store();
        loop {
            if self.rules.load().is_empty() {
                // A rule that comes later is for what comes after it.
                let newest = store.subscribe().map_or(done, |committed| *committed.borrow());
                if newest > done {
                    store.cursors().set(CURSOR, newest).await?;
                }
                return Ok(newest.max(done));
            }
            let found = store.cursors().follow(done, BATCH, Bodies::None).await?;
            let Some(last) = found.last().map(|trace| trace.row.seq) else {
                return Ok(done);
            };
            for rule in self.rules.load_full().iter() {
                self.apply(rule, &found).await?;
            }
            done = last;
            store.cursors().set(CURSOR, done).await?;
        }
    }

    /// One rule over some traces.
    async fn apply(&self, rule: &Rule, found: &[StoredTrace]) -> Result<(), OnlineError> {
        let first = found.first().map_or(0, |trace| trace.row.seq);
        let wanted: HashSet<TraceId> =
            found.iter().filter(|trace| !is_ours(trace)).map(|trace| trace.row.trace_id).collect();
        // The store knows what a filter means.
        let last = found.last().map_or(0, |trace| trace.row.seq);
        let page = self.traces.list_between(&rule.filter, first, last, count(found.len())).await?;
        let seen: Vec<TraceId> = page.into_iter().filter(|id| wanted.contains(id)).collect();
        if seen.is_empty() {
            return Ok(());
        }
        let mut day = ScoringDay {
            project: String::new(),
            rule: rule.name.clone(),
            identity: rule.identity.clone(),
            day: Timestamp::now().day(),
            seen: count(seen.len()),
            ..ScoringDay::default()
        };
        let chosen: Vec<TraceId> = seen.into_iter().filter(|id| draws(&rule.name, *id, rule.share)).collect();
        day.chosen = count(chosen.len());
        let store = self.traces.store();
        let known = store.judgements(None).days(&day.day).await?;
        // Whichever judge it was: the budget is the rule's.
        let spent = || known.iter().filter(|known| known.rule == rule.name && known.day == day.day);
        let mut cost: i64 = spent().map(|spent| spent.cost.0).sum();
        let mut left = rule.per_day.saturating_sub(spent().map(|spent| spent.scored + spent.unscored).sum());
        // In pieces of what is scored at once: the budget is looked at between them, so that it is passed by no more
        // than one piece.
        let pieces = chosen.chunks(self.concurrency.max(1));
        for piece in pieces {
            let is_spent = rule.budget.is_some_and(|budget| cost >= budget.0) || left == 0;
            if is_spent {
                day.over += count(piece.len());
                continue;
            }
            let ids = piece.iter().copied().take(usize::try_from(left).unwrap_or(usize::MAX));
            day.over += count(piece.len().saturating_sub(ids.len()));
            let scored = futures_util::future::join_all(ids.map(|id| self.scored(rule, id))).await;
            for score in scored {
                left = left.saturating_sub(1);
                let Some(score) = score else {
                    day.unscored += 1;
                    continue;
                };
                let paid = score.cost.unwrap_or_default();
                cost += paid.0;
                day.cost = NanoDollars(day.cost.0 + paid.0);
                match score.verdict.value().and_then(ScoreValue::number) {
                    Some(number) if number.is_finite() => {
                        day.scored += 1;
                        day.sum += number;
                        day.squares += number * number;
                    }
                    _ => day.unscored += 1,
                }
            }
        }
        store.judgements(None).count(vec![day]).await?;
        Ok(())
    }

    /// Scores one trace and keeps the score with it; `None` where it has nothing to score any more.
    async fn scored(&self, rule: &Rule, id: TraceId) -> Option<SampleScore> {
        let trace = self.traces.get(id).await.ok()??;
        let project = trace.summary.project.clone();
        let sample = row(id, trace, Taken::default())?;
        let output = output_of(&sample, id);
        let cx = match &self.records.recorder {
            None => CallContext::unrecorded(),
            Some(recorder) => {
                CallContext::new(recorder.admit().await.ok()?, Arc::clone(&self.records.caller))
            }
        };
        let mut span = cx.span(Operation::Other, JUDGEMENT);
        span.set(hanok_trace::attribute::MADE_OF, id.to_string());
        let score = rule.scorer.score(span.context(), &sample, &output).await.into_iter().next();
        span.finish();
        let score = score?;
        if let Verdict::Value(value) = &score.verdict {
            let kept = Score {
                id: format!("scoring:{}:{id}", rule.name),
                project,
                target: ScoreTarget::Trace(id),
                name: rule.name.clone(),
                value: value.clone(),
                comment: Some(score.explanation.clone()).filter(|why| !why.is_empty()),
                source: "judge".to_owned(),
                author: None,
                created: Timestamp::now(),
            };
            self.traces.store().scores(None).put(kept).await.ok()?;
        }
        Some(score)
    }
}

/// What a scorer is called under: such traces are never scored themselves.
pub(crate) const JUDGEMENT: &str = "judgement";

/// Whether a trace is of our own judging or evals.
fn is_ours(trace: &StoredTrace) -> bool {
    trace.row.name == JUDGEMENT
        || trace.row.operation == "invoke_workflow" && trace.row.name.starts_with("eval ")
}

fn output_of(sample: &Sample, id: TraceId) -> Output {
    let text = sample.metadata.get("output").and_then(|text| text.as_str()).unwrap_or_default();
    Output { text: text.to_owned(), trace: Some(id), ..Output::default() }
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

/// The mean score of a day with its 95 % interval: Wilson's where all scores were yes or no, else Student's. `None` of
/// a day with too few.
#[expect(clippy::cast_precision_loss, reason = "a day has far fewer than 2^53 scores")]
pub fn mean(day: &ScoringDay) -> Option<Figure> {
    let size = usize::try_from(day.scored).ok()?;
    let n = day.scored as f64;
    // A number that is its own square is 0 or 1.
    let is_share = (day.sum - day.squares).abs() < 1e-9 && day.sum.fract().abs() < 1e-9;
    if is_share {
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of scores")]
        let yes = day.sum.max(0.0) as usize;
        return wilson(yes, size, 0.95).map(|estimate| Figure::of(estimate, Method::Wilson));
    }
    if size < 2 {
        return None;
    }
    let value = day.sum / n;
    let variance = ((day.squares - n * value * value) / (n - 1.0)).max(0.0);
    let reach = t_quantile(0.975, n - 1.0) * (variance / n).sqrt();
    Some(Figure { value, low: value - reach, high: value + reach, n: size, method: Method::Estimate })
}
