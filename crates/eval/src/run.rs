//! The runner: rows of a dataset through a task and its scorers, many at once, memory flat.
//!
//! Rows are read in pages and results written in groups, so that neither the dataset nor the results are ever held
//! whole. An answer is kept when it comes, before it is scored: a process that is killed pays for nothing again but
//! what was on its way. Reading order: [`purse`] (the budget), `pen` (what is written), `score` (what scorers say), `work`
//! (one row), the runner.

mod pen;
pub mod purse;
mod score;
mod work;

use crate::keeper::{KeepError, Keeper};
use crate::task::BuiltTask;
use hanok_base::{Caller, NanoDollars, Recorder, Sample, Scorer};
use hanok_store::datasets::{ContentHash, StoredRow, content_hash};
use hanok_store::evals::StoredAnswer;
use pen::Pen;
use purse::{Purse, Room};
use serde_json::json;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore};
use tokio::task::JoinSet;

/// Rows read at once.
const PAGE: usize = 512;
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(100);
/// Tries that may wait for their scores beside those whose task is at work.
const SCORING: usize = 256;
/// How long tries that are under way may take to end once a run was stopped.
const GRACE: Duration = Duration::from_secs(30);
/// After so many tries, none of which gave an output, nothing is expected of the others.
const HOPELESS: u64 = 20;

/// A scorer, and how it is to be treated.
#[derive(Clone)]
pub struct BuiltScorer {
    /// The scorer.
    pub scorer: Arc<dyn Scorer>,
    /// Whether its scores are paid for, and so kept for others.
    pub is_paid: bool,
}

/// Says whether a row is tried.
pub type Select = Arc<dyn Fn(&Sample) -> bool + Send + Sync>;

/// What is to be run.
#[derive(Clone)]
pub struct Plan {
    /// The eval's name, for spans.
    pub name: String,
    /// The experiment, which was begun.
    pub experiment: i64,
    /// The version of the dataset.
    pub version: i64,
    /// The first so many rows of it; all where there are fewer.
    pub rows: u64,
    /// Only rows that this says yes to; `None` for all.
    pub only: Option<Select>,
    /// How often each row.
    pub repeats: u32,
    /// Most calls of the task at once.
    pub concurrency: usize,
    /// How often a call is tried again.
    pub retries: u32,
    /// Most money, with what the experiment has paid already.
    pub budget: Option<NanoDollars>,
    /// What it has paid already.
    pub paid: NanoDollars,
    /// Whether it is taken up where it was stopped.
    pub is_resumed: bool,
    /// Whether answers of other experiments are taken.
    pub uses_known: bool,
    /// The task.
    pub task: BuiltTask,
    /// The scorers, in order.
    pub scorers: Vec<BuiltScorer>,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Status {
    /// Tries with a result.
    pub done: u64,
    /// Tries in all.
    pub total: u64,
    /// Of those done, without an output.
    pub failed: u64,
    /// Of those done, whose answer was known.
    pub cached: u64,
    /// Paid so far.
    pub cost: NanoDollars,
    /// Since the run began.
    pub elapsed: Duration,
    /// About how long it will still take; `None` while there is nothing to tell by.
    pub left: Option<Duration>,
}

/// Learns how far a run is.
pub trait Progress: Send + Sync {
    /// Called now and then.
    fn update(&self, status: Status);
}

impl Progress for () {
    fn update(&self, _: Status) {}
}

/// Stops a run from elsewhere: nothing new is begun, what is under way ends.
#[derive(Clone, Default)]
pub struct Cancel {
    flag: Arc<AtomicBool>,
    notify: Arc<Notify>,
}

impl Cancel {
    /// Stops it.
    pub fn cancel(&self) {
        self.flag.store(true, Ordering::Release);
        self.notify.notify_waiters();
    }

    /// Whether it was stopped.
    pub fn is_cancelled(&self) -> bool {
        self.flag.load(Ordering::Acquire)
    }

    async fn cancelled(&self) {
        loop {
            let told = self.notify.notified();
            if self.is_cancelled() {
                return;
            }
            told.await;
        }
    }
}

/// Why a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Everything was tried.
    Done,
    /// It was stopped.
    Cancelled,
    /// The next try could have passed the budget.
    Budget,
    /// A call was refused that could have cost so much: the budget has less left.
    Refused(NanoDollars),
    /// A call has no price, so that the budget cannot be held.
    Unpriced,
    /// No try gave an output; the last one's error.
    Hopeless(String),
}

/// What a run did.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Why it ended.
    pub ended: Ended,
    /// How far it came.
    pub status: Status,
}

/// Runs plans.
#[derive(Clone)]
pub struct Runner {
    /// Where rows come from and results go.
    pub keeper: Keeper,
    /// Where traces go; `None`: nowhere, and no cost is known but what tasks say themselves.
    pub recorder: Option<Arc<dyn Recorder>>,
    /// In whose name calls are made.
    pub caller: Arc<Caller>,
}

/// One row and repeat to be tried.
pub(crate) struct Item {
    row: Arc<Row>,
    repeat: u32,
    key: ContentHash,
    known: Option<StoredAnswer>,
}

pub(crate) struct Row {
    id: i64,
    hash: ContentHash,
    sample: Sample,
}

/// What all tries of a run share.
pub(crate) struct Shared {
    plan: Plan,
    runner: Runner,
    scorer_ids: Vec<ContentHash>,
    pen: Pen,
    purse: Purse,
    done: AtomicU64,
    failed: AtomicU64,
    cached: AtomicU64,
    last_error: parking_lot::Mutex<String>,
}

impl Runner {
    /// Runs a plan; what has a result already is left as it is.
    pub async fn run(
        &self,
        plan: Plan,
        progress: &dyn Progress,
        cancel: &Cancel,
    ) -> Result<Outcome, KeepError> {
        let began = Instant::now();
        let done = self.keeper.done(plan.experiment).await?;
        let before = done.len() as u64;
        let mut had: HashMap<i64, Vec<u32>> = HashMap::new();
        for (row, repeat) in done {
            had.entry(row).or_default().push(repeat);
        }
        let total = plan.rows.saturating_mul(u64::from(plan.repeats));
        let identity = plan.task.task.identity();
        let salt = (!plan.task.is_cached || !plan.uses_known).then_some(plan.experiment);
        let task_id = content_hash(json!([identity, salt]).to_string().as_bytes());
        let scorer_ids = plan
            .scorers
            .iter()
            .map(|built| content_hash(built.scorer.identity().to_string().as_bytes()))
            .collect();
        let (pen, written) = Pen::start(self.keeper.clone(), plan.experiment);
        let shared = Arc::new(Shared {
            scorer_ids,
            pen,
            purse: Purse::new(plan.budget, plan.paid),
            done: AtomicU64::new(before),
            failed: AtomicU64::new(0),
            cached: AtomicU64::new(0),
            last_error: parking_lot::Mutex::default(),
            runner: self.clone(),
            plan,
        });
        let times = Times { total, before, began };
        let mut source =
            Source { page: VecDeque::new(), next: 0, had, task_id, salted: salt.is_some(), taken: 0 };
        let mut running = JoinSet::new();
        let begun = begin_all(&shared, &mut source, &mut running, times, progress, cancel).await;
        let ended = match begun {
            Ok(ended) => end_all(&shared, ended, &mut running, times, progress, cancel).await,
            Err(error) => {
                running.shutdown().await;
                return Err(error);
            }
        };
        let status = shared.status(times);
        progress.update(status);
        // The last pen goes with what is shared, which ends the writing.
        drop(shared);
        written.await?;
        let ended = if ended == Ended::Cancelled && status.done >= total { Ended::Done } else { ended };
        Ok(Outcome { ended, status })
    }
}

/// What a run's status is told by.
#[derive(Clone, Copy)]
struct Times {
    total: u64,
    /// Tries that had a result when it began.
    before: u64,
    began: Instant,
}

/// Begins every try there is, as fast as slots and budget allow, and says why it stopped.
async fn begin_all(
    shared: &Arc<Shared>,
    source: &mut Source,
    running: &mut JoinSet<()>,
    times: Times,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Result<Ended, KeepError> {
    let concurrency = shared.plan.concurrency;
    let slots = Arc::new(Semaphore::new(concurrency));
    let window = concurrency.saturating_add(SCORING);
    let mut told = Instant::now();
    loop {
        while running.try_join_next().is_some() {}
        if told.elapsed() >= TELL_EVERY {
            told = Instant::now();
            progress.update(shared.status(times));
        }
        if let Some(ended) = shared.over(cancel, times.before) {
            return Ok(ended);
        }
        let Some(item) = source.next(shared).await? else { return Ok(Ended::Done) };
        while running.len() >= window {
            running.join_next().await;
        }
        if item.known.is_some() {
            let hold = shared.purse.known();
            running.spawn(work::work(Arc::clone(shared), item, None, hold));
            continue;
        }
        let slot = tokio::select! {
            slot = Arc::clone(&slots).acquire_owned() => slot.ok(),
            () = cancel.cancelled() => return Ok(Ended::Cancelled),
        };
        let hold = loop {
            let changed = shared.purse.changed();
            match shared.purse.room() {
                Room::Here(hold) => break hold,
                Room::Full => return Ok(shared.over(cancel, times.before).unwrap_or(Ended::Budget)),
                Room::Wait => {
                    tokio::select! {
                        () = changed => {}
                        () = cancel.cancelled() => return Ok(Ended::Cancelled),
                    }
                }
            }
        };
        running.spawn(work::work(Arc::clone(shared), item, slot, hold));
    }
}

/// Waits for what is under way, which was paid for; where the run was stopped, not for ever.
async fn end_all(
    shared: &Shared,
    mut ended: Ended,
    running: &mut JoinSet<()>,
    times: Times,
    progress: &dyn Progress,
    cancel: &Cancel,
) -> Ended {
    let mut until = (ended != Ended::Done).then(|| Instant::now() + GRACE);
    loop {
        tokio::select! {
            next = running.join_next() => {
                if next.is_none() {
                    break;
                }
            }
            () = cancel.cancelled(), if ended == Ended::Done => {
                ended = Ended::Cancelled;
                until = Some(Instant::now() + GRACE);
            }
            () = tokio::time::sleep(TELL_EVERY) => {
                progress.update(shared.status(times));
                if until.is_some_and(|until| Instant::now() >= until) {
                    break;
                }
            }
        }
    }
    running.shutdown().await;
    match ended {
        Ended::Done => shared.over(&Cancel::default(), times.before).unwrap_or(Ended::Done),
        ended => ended,
    }
}

impl Shared {
    fn status(&self, Times { total, before, began }: Times) -> Status {
        let elapsed = began.elapsed();
        let done = self.done.load(Ordering::Relaxed);
        let made = u32::try_from(done.saturating_sub(before)).unwrap_or(u32::MAX);
        let missing = u32::try_from(total.saturating_sub(done)).unwrap_or(u32::MAX);
        Status {
            done,
            total,
            failed: self.failed.load(Ordering::Relaxed),
            cached: self.cached.load(Ordering::Relaxed),
            cost: self.purse.spent(),
            elapsed,
            left: (made > 0).then(|| (elapsed / made).saturating_mul(missing)),
        }
    }

    /// Whether the run is to end before its end.
    fn over(&self, cancel: &Cancel, before: u64) -> Option<Ended> {
        if cancel.is_cancelled() {
            return Some(Ended::Cancelled);
        }
        if self.purse.is_unpriced() {
            return Some(Ended::Unpriced);
        }
        if let Some(most) = self.purse.refused() {
            return Some(Ended::Refused(most));
        }
        let made = self.done.load(Ordering::Relaxed).saturating_sub(before);
        let failed = self.failed.load(Ordering::Relaxed);
        let hopeless = failed >= HOPELESS.max(self.plan.concurrency as u64) && failed == made;
        (hopeless && self.plan.rows > failed).then(|| Ended::Hopeless(self.last_error.lock().clone()))
    }
}

/// Rows in pages, as tries.
struct Source {
    page: VecDeque<Item>,
    next: i64,
    /// Repeats that have a result, by row.
    had: HashMap<i64, Vec<u32>>,
    task_id: ContentHash,
    salted: bool,
    /// Rows so far.
    taken: u64,
}

impl Source {
    async fn next(&mut self, shared: &Shared) -> Result<Option<Item>, KeepError> {
        loop {
            if let Some(item) = self.page.pop_front() {
                return Ok(Some(item));
            }
            let plan = &shared.plan;
            let keeper = &shared.runner.keeper;
            let rows = keeper.rows(plan.version, self.next, PAGE).await?;
            let Some(last) = rows.last() else { return Ok(None) };
            self.next = last.position + 1;
            let mut keys = Vec::new();
            for row in rows {
                self.tries(&row, plan, &mut keys)?;
            }
            // Answers of an experiment that is taken up are known even where none are taken from others.
            if !self.salted || plan.is_resumed {
                let known = keeper.answers(keys).await?;
                for (item, known) in self.page.iter_mut().zip(known) {
                    item.known = known;
                }
            }
        }
    }

    fn tries(&mut self, row: &StoredRow, plan: &Plan, keys: &mut Vec<ContentHash>) -> Result<(), KeepError> {
        let sample: Sample = serde_json::from_str(&row.body)?;
        if self.taken == plan.rows || plan.only.as_ref().is_some_and(|only| !only(&sample)) {
            return Ok(());
        }
        self.taken += 1;
        let had = self.had.get(&row.id).map(Vec::as_slice).unwrap_or_default();
        let missing: Vec<u32> = (0..plan.repeats).filter(|repeat| !had.contains(repeat)).collect();
        if missing.is_empty() {
            return Ok(());
        }
        // Two rows of one input are two draws.
        let input = serde_json::to_vec(&(&sample.id, &sample.input))?;
        let made = Arc::new(Row { id: row.id, hash: content_hash(row.body.as_bytes()), sample });
        for repeat in missing {
            let mut bytes = Vec::with_capacity(input.len() + 20);
            bytes.extend_from_slice(&self.task_id);
            bytes.extend_from_slice(&repeat.to_le_bytes());
            bytes.extend_from_slice(&input);
            let key = content_hash(&bytes);
            keys.push(key);
            self.page.push_back(Item { row: Arc::clone(&made), repeat, key, known: None });
        }
        Ok(())
    }
}
