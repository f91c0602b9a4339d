//! What waits for the writer, and what its handles share with it.

use super::group::{prepare, settle, spent_by};
use crate::error::StoreError;
use crate::insert::Inserter;
use crate::keys::Touches;
use crate::row::TraceBatch;
use hanok_base::{Settlement, Timestamp};
use parking_lot::{Condvar, Mutex};
use rusqlite::Transaction;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore, oneshot};

/// A group is cut here, so that one commit stays within some tens of milliseconds.
pub(super) const GROUP_JOBS: usize = 768;
/// How far the writer may be behind before admissions wait for it: what has ended is to be on disk soon after.
const BEHIND: Duration = Duration::from_millis(50);

/// Makes a trace's rows; runs on the writer thread.
pub(crate) type Build = Box<dyn FnOnce() -> Vec<TraceBatch> + Send>;

/// What the store's handles and the writer thread share.
pub(crate) struct Shared {
    pub(super) queue: Mutex<Queue>,
    pub(super) wake: Condvar,
    /// Places in the queue that are free.
    pub(crate) places: Semaphore,
    /// Told when a commit made room or the store recovered.
    pub(crate) room: Notify,
    /// Bytes held by what is queued.
    pub(crate) queued_bytes: AtomicUsize,
    /// Uses of keys that are not written yet.
    pub(crate) touches: Mutex<Touches>,
    pub(super) bytes_limit: usize,
    pub(super) trouble: Mutex<Option<Trouble>>,
    pub(super) failing: AtomicBool,
    /// How long the oldest job of the last group waited for its commit, in nanoseconds, and the most of all groups.
    lag_ns: AtomicU64,
    longest_lag_ns: AtomicU64,
    /// When the store was opened; what `behind` counts from.
    pub(super) opened: Instant,
    /// When the oldest job came that is not committed yet, in nanoseconds since `opened`; 0 when there is none.
    pub(super) behind: AtomicU64,
    /// Most pages the file may have; 0 is no limit.
    #[cfg(test)]
    pub(crate) page_limit: std::sync::atomic::AtomicU32,
}

/// Since when and why commits fail.
#[derive(Clone, Debug)]
pub(crate) struct Trouble {
    pub(crate) since: Timestamp,
    pub(crate) reason: String,
}

#[derive(Default)]
pub(super) struct Queue {
    pub(super) jobs: VecDeque<(Instant, Job)>,
    /// The writer sleeps until something comes.
    pub(super) idle: bool,
    /// Somebody waits for the next commit.
    pub(super) urgent: bool,
    pub(super) closed: Option<Instant>,
}

pub(crate) enum Job {
    Trace(TraceJob),
    Write(Box<dyn WriteJob>),
}

pub(crate) struct TraceJob {
    pub(crate) build: Build,
    pub(crate) bytes: usize,
    pub(crate) settlement: Option<Box<dyn Settlement>>,
    /// Who waits until it is on the disk: told how many of its traces could not be stored.
    pub(crate) told: Option<Told>,
}

/// Tells whoever waits for traces to be on the disk.
pub(crate) type Told = oneshot::Sender<Result<usize, StoreError>>;

impl Job {
    /// Tells whoever waits that nothing will come of it.
    pub(crate) fn abandon(self) {
        match self {
            Self::Write(job) => job.answer(Err(StoreError::Closed)),
            Self::Trace(TraceJob { build, settlement: Some(settlement), .. }) => {
                // The money was spent all the same.
                settle(settlement, spent_by(&prepare(build)));
            }
            Self::Trace(_) => {}
        }
    }
}

/// A write whose caller waits for its commit.
pub(crate) trait WriteJob: Send {
    /// Does it, inside a savepoint; once for every attempt to commit. An `Err` takes back the savepoint only,
    /// unless it is the store's own fault.
    fn run(&mut self, tx: &Transaction<'_>, inserter: &mut Inserter) -> Result<(), rusqlite::Error>;
    /// Whether `run` ended in an error of its own, and is to be taken back.
    fn refused(&self) -> bool;
    /// Whether the commit must reach the disk, not only the operating system.
    fn synced(&self) -> bool;
    /// Tells the caller, once the commit is made (`Ok`) or given up.
    fn answer(self: Box<Self>, outcome: Result<(), StoreError>);
}

impl Shared {
    pub(crate) fn new(places: usize, bytes_limit: usize) -> Self {
        Self {
            queue: Mutex::default(),
            wake: Condvar::new(),
            places: Semaphore::new(places),
            room: Notify::new(),
            queued_bytes: AtomicUsize::new(0),
            touches: Mutex::default(),
            bytes_limit,
            trouble: Mutex::new(None),
            failing: AtomicBool::new(false),
            lag_ns: AtomicU64::new(0),
            longest_lag_ns: AtomicU64::new(0),
            opened: Instant::now(),
            behind: AtomicU64::new(0),
            #[cfg(test)]
            page_limit: std::sync::atomic::AtomicU32::new(0),
        }
    }

    /// Queues a job, or gives it back when the store is closed.
    pub(crate) fn push(&self, job: Job, urgent: bool) -> Result<(), Job> {
        let wake = {
            let mut queue = self.queue.lock();
            if queue.closed.is_some() {
                return Err(job);
            }
            let now = Instant::now();
            queue.jobs.push_back((now, job));
            // Only the first of all sets it; the writer moves it on after each commit.
            let _kept =
                self.behind.compare_exchange(0, self.since_opened(now), Ordering::Relaxed, Ordering::Relaxed);
            queue.urgent |= urgent;
            // While the writer gathers it is left asleep, unless there is a reason to hurry.
            urgent || queue.idle || queue.jobs.len() == GROUP_JOBS
        };
        if wake {
            self.wake.notify_one();
        }
        Ok(())
    }

    pub(crate) fn close(&self) {
        self.queue.lock().closed.get_or_insert_with(Instant::now);
        self.wake.notify_all();
    }

    /// Whether new work may be admitted, places aside.
    pub(crate) fn gate_is_open(&self) -> bool {
        !self.failing.load(Ordering::Relaxed)
            && self.queued_bytes.load(Ordering::Relaxed) < self.bytes_limit
            && !self.is_behind()
    }

    pub(crate) fn is_behind(&self) -> bool {
        let oldest = self.behind.load(Ordering::Relaxed);
        oldest != 0 && self.opened.elapsed() > Duration::from_nanos(oldest) + BEHIND
    }

    /// Never 0, which means none.
    fn since_opened(&self, at: Instant) -> u64 {
        u64::try_from(at.saturating_duration_since(self.opened).as_nanos()).unwrap_or(u64::MAX).max(1)
    }

    /// A group is committed: the oldest job is now the first that still waits.
    pub(super) fn caught_up(&self) {
        let queue = self.queue.lock();
        let oldest = queue.jobs.front().map_or(0, |(since, _)| self.since_opened(*since));
        self.behind.store(oldest, Ordering::Relaxed);
    }

    pub(crate) fn trouble(&self) -> Option<Trouble> {
        self.trouble.lock().clone()
    }

    pub(crate) fn queued(&self) -> usize {
        self.queue.lock().jobs.len()
    }

    /// How long the oldest job of the last group waited for its commit, and the most of all groups.
    pub(crate) fn lag(&self) -> (Duration, Duration) {
        let of = |lag: &AtomicU64| Duration::from_nanos(lag.load(Ordering::Relaxed));
        (of(&self.lag_ns), of(&self.longest_lag_ns))
    }

    pub(super) fn note_lag(&self, lag: Duration) {
        let lag = u64::try_from(lag.as_nanos()).unwrap_or(u64::MAX);
        self.lag_ns.store(lag, Ordering::Relaxed);
        self.longest_lag_ns.fetch_max(lag, Ordering::Relaxed);
    }

    /// Queues jobs again that were taken, before all others.
    pub(super) fn put_back(&self, jobs: impl DoubleEndedIterator<Item = (Instant, Job)>) {
        let mut queue = self.queue.lock();
        jobs.rev().for_each(|job| queue.jobs.push_front(job));
        // They have waited already.
        queue.urgent = true;
    }
}

/// Without a writer nothing that is taken would ever be kept: no new work is admitted then.
pub(super) struct ShutOnPanic(pub(super) Arc<Shared>);

impl Drop for ShutOnPanic {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let reason = "the store's writer failed; restart the server".to_owned();
            *self.0.trouble.lock() = Some(Trouble { since: Timestamp::now(), reason });
            self.0.failing.store(true, Ordering::Relaxed);
            self.0.close();
            let left = std::mem::take(&mut self.0.queue.lock().jobs);
            for (_, job) in left {
                job.abandon();
            }
        }
    }
}
