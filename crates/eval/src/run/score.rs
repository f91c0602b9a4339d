//! What scorers say of an output: looked up where it was paid for before, and asked for otherwise.

use super::work::{Bill, Tell};
use super::{Item, Shared};
use crate::score::KeptScores;
use hanok_base::{CallContext, Caller, NanoDollars, Output, SampleScore, TraceId, Verdict};
use hanok_store::datasets::{ContentHash, content_hash};
use hanok_store::evals::Kept;
use std::sync::Arc;
use tokio::sync::oneshot;

/// What they said.
#[derive(Default)]
pub(super) struct Scored {
    pub(super) scores: KeptScores,
    /// What asking cost.
    pub(super) cost: NanoDollars,
    /// Its trace.
    pub(super) trace: Option<TraceId>,
    /// Whether one of them failed: where the budget had no room, maybe for that.
    pub(super) is_cut: bool,
}

/// Scores an output; what is worth keeping for other runs goes into `kept`.
pub(super) async fn score(
    shared: &Shared,
    item: &Item,
    output: &Output,
    answer: ContentHash,
    caller: &Arc<Caller>,
    kept: &mut Vec<Kept>,
) -> Scored {
    let plan = &shared.plan;
    let mut scored = Scored::default();
    let keys: Vec<Option<ContentHash>> = plan
        .scorers
        .iter()
        .zip(&shared.scorer_ids)
        .map(|(built, id)| {
            let mut bytes = [id.as_slice(), &item.row.hash, &answer].concat();
            bytes.extend_from_slice(&item.repeat.to_le_bytes());
            built.is_paid.then(|| content_hash(&bytes))
        })
        .collect();
    let asked: Vec<ContentHash> = keys.iter().flatten().copied().collect();
    let mut known = Vec::new();
    if !asked.is_empty() && plan.uses_known {
        // What cannot be looked up is asked anew.
        known = shared.runner.keeper.scores(asked).await.unwrap_or_default();
    }
    let mut known = known.into_iter();
    let mut unrecorded = None;
    let mut paying: Option<(CallContext, Bill)> = None;
    let mut said = NanoDollars(0);
    for (built, key) in plan.scorers.iter().zip(keys) {
        let recalled = key.and_then(|_| known.next().flatten());
        if let Some(recalled) = recalled.and_then(|json| KeptScores::read(&json).ok()) {
            recalled.0.into_iter().for_each(|(name, score)| scored.scores.push(name, score));
            continue;
        }
        if built.is_paid && paying.is_none() {
            paying = recorded(shared, caller).await;
        }
        let cx = match &paying {
            Some((cx, _)) if built.is_paid => cx,
            _ => &*unrecorded.get_or_insert_with(|| CallContext::unrecorded_by(Arc::clone(caller))),
        };
        let scores = built.scorer.score(cx, &item.row.sample, output).await;
        said.0 =
            scores.iter().filter_map(|score| score.cost).fold(said.0, |sum, cost| sum.saturating_add(cost.0));
        let lasts = scores.iter().all(lasts);
        scored.is_cut |= built.is_paid && !lasts;
        let mut own = KeptScores::default();
        for score in scores {
            own.push(score.name.clone(), score.into());
        }
        if let Some(key) = key.filter(|_| lasts) {
            kept.push(Kept::Scores(key, item.key, own.json()));
        }
        own.0.into_iter().for_each(|(name, score)| scored.scores.push(name, score));
    }
    if let Some((cx, bill)) = paying {
        scored.trace = Some(cx.trace_id());
        drop(cx);
        let spent = bill.await.map(|spent| spent.cost).unwrap_or_default();
        scored.cost = spent.max(said);
    } else {
        scored.cost = said;
    }
    scored
}

/// Whether a score is worth keeping: one that failed may succeed next time.
fn lasts(score: &SampleScore) -> bool {
    !matches!(score.verdict, Verdict::Failed(_))
}

/// A trace for what scorers call.
async fn recorded(shared: &Shared, caller: &Arc<Caller>) -> Option<(CallContext, Bill)> {
    let recorder = shared.runner.recorder.as_ref()?;
    let place = recorder.admit().await.ok()?;
    let cx = CallContext::new(place, Arc::clone(caller));
    let (sender, bill) = oneshot::channel();
    cx.settle_with(Box::new(Tell(Some(sender))));
    Some((cx, bill))
}
