//! One row, one repeat: from its input to its scores.

use super::purse::Hold;
use super::{Item, Shared};
use crate::output::KeptOutput;
use crate::score::KeptScores;
use hanok_base::{
    CallContext, Charge, NanoDollars, Operation, Output, ProviderErrorKind, SampleScore, Settlement, Spent,
    TaskError, TraceId, Verdict,
};
use hanok_store::datasets::{ContentHash, content_hash};
use hanok_store::evals::{Kept, NewResult, StoredAnswer};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// The first wait before a call is tried again; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// And the longest.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Tries an item and has its result written. `slot` is given back once the task has ended.
pub(super) async fn work(
    shared: Arc<Shared>,
    item: Item,
    slot: Option<OwnedSemaphorePermit>,
    hold: Option<Hold>,
) {
    let is_cached = item.known.is_some();
    let answered = match &item.known {
        Some(known) => recalled(known).map(|output| (output, None)),
        None => attempt(&shared, &item).await,
    };
    drop(slot);
    let mut kept = Vec::with_capacity(2);
    let mut result = NewResult {
        row: item.row.id,
        repeat: item.repeat,
        answer: None,
        error: None,
        cached: is_cached,
        cost: NanoDollars(0),
        scoring_cost: NanoDollars(0),
        scoring_trace: None,
        scores: "{}".to_owned(),
    };
    match answered {
        Err(error) => {
            shared.last_error.lock().clone_from(&error);
            shared.failed.fetch_add(1, Ordering::Relaxed);
            result.error = Some(error);
        }
        Ok((mut output, bill)) => {
            let mut json = None;
            if !is_cached {
                let spent = match bill {
                    Some(bill) => bill.await.ok(),
                    None => None,
                };
                let tokens = spent.map_or(0, |spent| spent.tokens);
                let billed = spent.map(|spent| spent.cost).filter(|cost| cost.0 > 0);
                output.cost = output.cost.or(billed);
                if output.cost.is_none() && tokens > 0 {
                    hold.iter().for_each(Hold::unpriced);
                }
                result.cost = output.cost.unwrap_or_default();
                let output_json = serde_json::to_string(&KeptOutput::from(&output)).unwrap_or_default();
                kept.push(Kept::Answer(StoredAnswer {
                    key: item.key,
                    output: output_json.clone(),
                    cost: output.cost,
                    latency_ns: i64::try_from(output.latency.as_nanos()).unwrap_or(i64::MAX),
                    trace: output.trace,
                }));
                json = Some(output_json);
            }
            result.answer = Some(item.key);
            if shared.plan.scorers.iter().any(|built| built.is_paid) && !kept.is_empty() {
                // Scoring may take long, and what was paid for must not be lost meanwhile.
                shared.pen.write(std::mem::take(&mut kept)).await;
            }
            let json = json.or_else(|| item.known.as_ref().map(|known| known.output.clone()));
            let answer = content_hash(json.unwrap_or_default().as_bytes());
            let scored = score(&shared, &item, &output, answer, &mut kept).await;
            result.scores = scored.scores.json();
            result.scoring_cost = scored.cost;
            result.scoring_trace = scored.trace;
        }
    }
    let paid = NanoDollars(result.cost.0.saturating_add(result.scoring_cost.0));
    kept.push(Kept::Result(result));
    if shared.pen.write(kept).await {
        shared.done.fetch_add(1, Ordering::Relaxed);
        shared.cached.fetch_add(u64::from(is_cached), Ordering::Relaxed);
    }
    match hold {
        Some(hold) => hold.settle(paid),
        None => shared.purse.add(paid),
    }
}

/// A known answer as it was.
fn recalled(known: &StoredAnswer) -> Result<Output, String> {
    let kept: KeptOutput = serde_json::from_str(&known.output)
        .map_err(|error| format!("the known answer cannot be read: {error}"))?;
    let mut output = Output::from(kept);
    output.cost = known.cost;
    output.latency = Duration::from_nanos(u64::try_from(known.latency_ns).unwrap_or_default());
    output.trace = known.trace;
    Ok(output)
}

type Bill = oneshot::Receiver<Spent>;

/// Runs the task until it gives an output or is given up. The bill comes when the trace is on record.
async fn attempt(shared: &Shared, item: &Item) -> Result<(Output, Option<Bill>), String> {
    let mut wait = FIRST_WAIT;
    let mut tries = 0;
    loop {
        let (outcome, bill) = attempt_once(shared, item).await?;
        match outcome {
            Ok(output) => return Ok((output, bill)),
            Err(error) if tries < shared.plan.retries && passes(&error) => {
                tries += 1;
                let asked = match &error {
                    TaskError::Provider(error) => error.retry_after,
                    _ => None,
                };
                // Those that were refused together must not come back together.
                let jitter = 0.75 + f64::from(item.key.first().copied().unwrap_or_default()) / 512.0;
                tokio::time::sleep(asked.unwrap_or(wait.mul_f64(jitter)).min(LONGEST_WAIT)).await;
                wait = (wait * 2).min(LONGEST_WAIT);
            }
            Err(error) => return Err(error.to_string()),
        }
    }
}

/// Whether the same call may succeed later.
fn passes(error: &TaskError) -> bool {
    use ProviderErrorKind as Kind;
    match error {
        TaskError::Provider(error) => matches!(
            error.kind,
            Kind::RateLimited | Kind::Overloaded | Kind::Timeout | Kind::Truncated | Kind::Transport
        ),
        TaskError::Invalid(_) | TaskError::Failed(_) => false,
    }
}

async fn attempt_once(
    shared: &Shared,
    item: &Item,
) -> Result<(Result<Output, TaskError>, Option<Bill>), String> {
    let (plan, sample) = (&shared.plan, &item.row.sample);
    let task = &plan.task.task;
    let (Some(recorder), true) = (&shared.runner.recorder, plan.task.is_traced) else {
        let cx = CallContext::unrecorded();
        let began = Instant::now();
        let mut outcome = task.run(&cx, sample, item.repeat).await;
        timed(&mut outcome, began);
        return Ok((outcome, None));
    };
    let place = recorder.admit().await.map_err(|error| error.to_string())?;
    let cx = CallContext::new(place, Arc::clone(&shared.runner.caller));
    let (sender, bill) = oneshot::channel();
    cx.settle_with(Box::new(Tell(Some(sender))));
    let mut scope = cx.span(Operation::Workflow, format!("eval {}", plan.name));
    scope.set("hanok.eval.name", plan.name.as_str());
    scope.set("hanok.eval.experiment", plan.experiment);
    scope.set("hanok.eval.sample", sample.id.as_str());
    scope.set("hanok.eval.repeat", item.repeat);
    if let Some(origin) = sample.origin_trace() {
        scope.set(hanok_trace::attribute::MADE_OF, origin.to_string());
    }
    let began = Instant::now();
    let mut outcome = task.run(scope.context(), sample, item.repeat).await;
    timed(&mut outcome, began);
    match &mut outcome {
        Ok(output) => {
            output.trace = output.trace.or(Some(cx.trace_id()));
            scope.finish();
        }
        Err(error) => {
            scope.fail("eval_task", error.to_string());
            drop(scope);
        }
    }
    Ok((outcome, Some(bill)))
}

fn timed(outcome: &mut Result<Output, TaskError>, began: Instant) {
    if let Ok(output) = outcome
        && output.latency.is_zero()
    {
        output.latency = began.elapsed();
    }
}

/// Learns what a trace cost, when it is on record.
struct Tell(Option<oneshot::Sender<Spent>>);

impl Settlement for Tell {
    fn charges(&self) -> &[Charge] {
        &[]
    }

    fn settle(mut self: Box<Self>, spent: Spent, _: &[Charge]) {
        if let Some(sender) = self.0.take() {
            // Who waited may have gone.
            let _gone = sender.send(spent);
        }
    }
}

#[derive(Default)]
struct Scored {
    scores: KeptScores,
    cost: NanoDollars,
    trace: Option<TraceId>,
}

async fn score(
    shared: &Shared,
    item: &Item,
    output: &Output,
    answer: ContentHash,
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
            paying = recorded(shared).await;
        }
        let cx = match &paying {
            Some((cx, _)) if built.is_paid => cx,
            _ => &*unrecorded.get_or_insert_with(CallContext::unrecorded),
        };
        let scores = built.scorer.score(cx, &item.row.sample, output).await;
        said.0 =
            scores.iter().filter_map(|score| score.cost).fold(said.0, |sum, cost| sum.saturating_add(cost.0));
        let lasts = scores.iter().all(lasts);
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
async fn recorded(shared: &Shared) -> Option<(CallContext, Bill)> {
    let recorder = shared.runner.recorder.as_ref()?;
    let place = recorder.admit().await.ok()?;
    let cx = CallContext::new(place, Arc::clone(&shared.runner.caller));
    let (sender, bill) = oneshot::channel();
    cx.settle_with(Box::new(Tell(Some(sender))));
    Some((cx, bill))
}
