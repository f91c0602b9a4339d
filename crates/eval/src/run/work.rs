//! One row, one repeat: from its input to its scores.

use super::purse::{Hold, REFUSED};
use super::score::score;
use super::{Item, Shared};
use crate::output::KeptOutput;
use hanok_base::{
    Allowance, Allowed, CallContext, Caller, Charge, NanoDollars, Operation, Output, ProviderErrorKind,
    Settlement, Spent, TaskError,
};
use hanok_store::datasets::content_hash;
use hanok_store::evals::{Kept, NewResult, StoredAnswer};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, oneshot};

/// The first wait before a call is tried again; it doubles.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// And the longest.
const LONGEST_WAIT: Duration = Duration::from_mins(1);

/// Tries an item and has its result written. `slot` is given back once the task has ended. Where the budget has no room for
/// one of its calls, there is no result: the try is missing.
pub(super) async fn work(
    shared: Arc<Shared>,
    item: Item,
    slot: Option<OwnedSemaphorePermit>,
    hold: Arc<Hold>,
) {
    let is_cached = item.known.is_some();
    let caller = shared.caller(&hold);
    let tried = match &item.known {
        Some(known) => Tried { outcome: recalled(known), ..Tried::default() },
        None => attempt(&shared, &item, &caller).await,
    };
    drop(slot);
    let mut kept = Vec::with_capacity(2);
    let mut result = NewResult {
        row: item.row.id,
        repeat: item.repeat,
        answer: None,
        error: None,
        cached: is_cached,
        cost: tried.failed,
        failed_cost: tried.failed,
        scoring_cost: NanoDollars(0),
        scoring_trace: None,
        scores: "{}".to_owned(),
    };
    match tried.outcome {
        Err(error) => {
            hold.pay(tried.failed);
            if shared.purse.is_refused() && tried.is_refused {
                shared.pen.write(vec![Kept::Spent(tried.failed)]).await;
                return hold.settle();
            }
            shared.last_error.lock().clone_from(&error);
            shared.failed.fetch_add(1, Ordering::Relaxed);
            result.error = Some(error);
        }
        Ok(mut output) => {
            let mut json = None;
            if !is_cached {
                let spent = match tried.bill {
                    Some(bill) => bill.await.ok(),
                    None => None,
                };
                let unpriced = spent.map_or(0, |spent| spent.unpriced);
                let billed = spent.map(|spent| spent.cost).filter(|cost| cost.0 > 0);
                output.cost = output.cost.or(billed);
                if output.cost.is_none() && unpriced > 0 {
                    hold.unpriced();
                }
                let cost = output.cost.unwrap_or_default();
                result.cost.0 = result.cost.0.saturating_add(cost.0);
                // Not before the bill is here: what was set aside stands for it until then.
                hold.pay(result.cost);
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
            let scored = score(&shared, &item, &output, answer, &caller, &mut kept).await;
            hold.pay(scored.cost);
            if shared.purse.is_refused() && scored.is_cut {
                // What was said is kept for the next run, and what it cost is counted now.
                let spent = tried.failed.0.saturating_add(scored.cost.0);
                kept.push(Kept::Spent(NanoDollars(spent)));
                shared.pen.write(kept).await;
                return hold.settle();
            }
            result.scores = scored.scores.json();
            result.scoring_cost = scored.cost;
            result.scoring_trace = scored.trace;
        }
    }
    kept.push(Kept::Result(result));
    if shared.pen.write(kept).await {
        shared.done.fetch_add(1, Ordering::Relaxed);
        shared.cached.fetch_add(u64::from(is_cached), Ordering::Relaxed);
    }
    hold.settle();
}

impl Shared {
    /// Whose calls those of a try are: its hold sets the money for them aside.
    fn caller(&self, hold: &Arc<Hold>) -> Arc<Caller> {
        let allowance = Allowed::by(Arc::clone(hold) as Arc<dyn Allowance>);
        Arc::new(Caller { allowance, ..(*self.runner.caller).clone() })
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

pub(super) type Bill = oneshot::Receiver<Spent>;

/// What came of trying a task until it gave an output or was given up.
struct Tried {
    outcome: Result<Output, String>,
    /// What the output cost; comes when its trace is on record.
    bill: Option<Bill>,
    /// What attempts cost that gave none.
    failed: NanoDollars,
    /// Whether the budget had no room for a call.
    is_refused: bool,
}

impl Default for Tried {
    fn default() -> Self {
        Self { outcome: Err(String::new()), bill: None, failed: NanoDollars(0), is_refused: false }
    }
}

/// Runs the task until it gives an output or is given up.
async fn attempt(shared: &Shared, item: &Item, caller: &Arc<Caller>) -> Tried {
    let mut wait = FIRST_WAIT;
    let mut tries = 0;
    let mut tried = Tried::default();
    loop {
        let (outcome, bill) = match attempt_once(shared, item, caller).await {
            Ok(once) => once,
            Err(error) => return Tried { outcome: Err(error), ..tried },
        };
        let error = match outcome {
            Ok(output) => return Tried { outcome: Ok(output), bill, ..tried },
            Err(error) => error,
        };
        if let Some(Ok(spent)) = match bill {
            Some(bill) => Some(bill.await),
            None => None,
        } {
            tried.failed.0 = tried.failed.0.saturating_add(spent.cost.0);
        }
        if is_refusal(&error) {
            return Tried { outcome: Err(error.to_string()), is_refused: true, ..tried };
        }
        if tries >= shared.plan.retries || !passes(&error) {
            return Tried { outcome: Err(error.to_string()), ..tried };
        }
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
}

/// Whether the run's budget had no room for the call.
fn is_refusal(error: &TaskError) -> bool {
    matches!(error, TaskError::Provider(error) if error.code.as_deref() == Some(REFUSED))
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
    caller: &Arc<Caller>,
) -> Result<(Result<Output, TaskError>, Option<Bill>), String> {
    let (plan, sample) = (&shared.plan, &item.row.sample);
    let task = &plan.task.task;
    let (Some(recorder), true) = (&shared.runner.recorder, plan.task.is_traced) else {
        let cx = CallContext::unrecorded_by(Arc::clone(caller));
        let began = Instant::now();
        let mut outcome = task.run(&cx, sample, item.repeat).await;
        timed(&mut outcome, began);
        return Ok((outcome, None));
    };
    let place = recorder.admit().await.map_err(|error| error.to_string())?;
    let cx = CallContext::new(place, Arc::clone(caller));
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
pub(super) struct Tell(pub(super) Option<oneshot::Sender<Spent>>);

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
