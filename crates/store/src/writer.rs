//! The writer thread: the only connection that writes, and the group commits it makes.
//!
//! What is handed over stays in the group until a commit succeeds. While none does, the group is tried again
//! every quarter of a second to every second, and nothing is given up.
//!
//! Reading order: `queue` (what waits), `gather` (what is taken of it), `group` (what is committed together), the writer (here).

mod gather;
mod group;
mod queue;

use crate::error::{StoreError, is_store_fault};
use crate::insert::{Inserter, Statements};
use crate::keys::{TOUCH_EVERY, Touches};
use group::{Failed, Pending, Work, insert, write};
use hanok_base::Timestamp;
pub(crate) use queue::{Build, Job, Shared, TraceJob, WriteJob};
use queue::{ShutOnPanic, Told, Trouble};
use rusqlite::{Connection, Transaction, TransactionBehavior};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// How long no work must come before the write-ahead log is emptied.
const QUIET: Duration = Duration::from_secs(2);
/// Between two steps of what nobody waits for, when there is always something else to be done.
const CHORE_EVERY: Duration = Duration::from_millis(250);
/// How long a write may wait for a failing store before its caller is told.
const WRITE_PATIENCE: Duration = Duration::from_secs(2);
/// How long a closing store still tries to commit.
const CLOSE_PATIENCE: Duration = Duration::from_secs(5);
const FIRST_RETRY: Duration = Duration::from_millis(250);
const LAST_RETRY: Duration = Duration::from_secs(1);

/// The writer thread's own state.
pub(crate) struct Writer {
    conn: Connection,
    inserter: Inserter,
    shared: Arc<Shared>,
    /// The last committed trace's sequence number. Goes when the thread ends, which ends its receivers.
    committed: watch::Sender<i64>,
    /// Whether the write-ahead log may hold something.
    dirty: bool,
    /// When uses of keys were written last.
    touched: Instant,
    /// Those that the open transaction writes.
    touching: Touches,
    /// When something was done last that nobody waits for; `None` once that has failed.
    chore_done: Option<Instant>,
}

impl Writer {
    pub(crate) fn new(conn: Connection, inserter: Inserter, shared: Arc<Shared>) -> Self {
        let committed = watch::Sender::new(inserter.newest_committed());
        let (touched, touching) = (Instant::now(), Touches::default());
        Self { conn, inserter, shared, committed, dirty: true, touched, touching, chore_done: Some(touched) }
    }

    pub(crate) fn subscribe(&self) -> watch::Receiver<i64> {
        self.committed.subscribe()
    }

    /// Serves until the store is closed and the queue is empty. Jobs' own panics are caught where they run.
    pub(crate) fn run(mut self) {
        let _shut_on_panic = ShutOnPanic(Arc::clone(&self.shared));
        while let Some(jobs) = self.next_group() {
            let mut group = self.make(jobs);
            self.commit(&mut group);
            if self.has_chores() && self.chore_done.is_some_and(|done| done.elapsed() >= CHORE_EVERY) {
                self.chore();
            }
        }
        self.rest();
    }

    /// Commits a group, however long it takes.
    fn commit(&mut self, group: &mut Vec<Pending>) {
        let mut retry = FIRST_RETRY;
        let last_seq = loop {
            if group.is_empty() {
                // Only writes were left, and their callers have been told; `next_group` finds out when commits
                // succeed again.
                self.shared.caught_up();
                return;
            }
            match self.attempt(group) {
                Ok(last_seq) => break last_seq,
                Err(error) => {
                    self.fail(&error);
                    if !self.wait_to_retry(retry, group, &error) {
                        return;
                    }
                    retry = (retry * 2).min(LAST_RETRY);
                }
            }
        };
        self.dirty = true;
        self.recover();
        let (mut places, mut freed) = (0, 0);
        let oldest = group.iter().map(|pending| pending.since).min();
        self.shared.note_lag(oldest.map(|since| since.elapsed()).unwrap_or_default());
        let (mut done, mut synced) = (Vec::new(), Vec::new());
        for Pending { work, .. } in group.drain(..) {
            match work {
                Work::Traces(mut traces) => {
                    synced.extend(traces.told.take().map(|told| (told, traces.lost)));
                    places += 1;
                    freed += traces.bytes;
                    traces.settle();
                }
                Work::Write(job) => done.push(job),
            }
        }
        self.shared.caught_up();
        self.make_room(places, freed);
        self.committed.send_if_modified(|seq| {
            let newer = last_seq > *seq;
            *seq = last_seq.max(*seq);
            newer
        });
        // Last, so that whoever waited finds everything as the commit left it.
        for job in done {
            job.answer(Ok(()));
        }
        for (told, lost) in synced {
            // Who waited may have gone.
            let _gone = told.send(Ok(lost));
        }
    }

    /// One transaction over the whole group. Records that can never be stored are dropped, loudly, and the
    /// rest is tried again at once.
    fn attempt(&mut self, group: &mut [Pending]) -> Result<i64, rusqlite::Error> {
        let synced = group.iter().any(|pending| match &pending.work {
            Work::Write(job) => job.synced(),
            Work::Traces(traces) => traces.told.is_some(),
        });
        if synced {
            self.conn.execute_batch("PRAGMA synchronous = FULL")?;
        }
        #[cfg(test)]
        self.limit_pages()?;
        let result = loop {
            match self.transaction(group) {
                Ok(last_seq) => break Ok(last_seq),
                Err(Failed::Store(error)) => break Err(error),
                Err(Failed::Record) => {}
            }
        };
        if synced {
            self.conn.execute_batch("PRAGMA synchronous = NORMAL")?;
        }
        result
    }

    fn transaction(&mut self, group: &mut [Pending]) -> Result<i64, Failed> {
        if self.touched.elapsed() >= TOUCH_EVERY {
            self.take_touches();
        }
        let tx = Transaction::new_unchecked(&self.conn, TransactionBehavior::Immediate)?;
        let inserted = self.inserter.begin(&tx).map_err(Failed::Store).and_then(|()| {
            let mut statements = Statements::new(&tx)?;
            for pending in &mut *group {
                match &mut pending.work {
                    Work::Traces(traces) => insert(&mut self.inserter, &tx, &mut statements, traces)?,
                    Work::Write(job) => write(&tx, &mut self.inserter, job.as_mut())?,
                }
            }
            if !self.touching.is_empty() {
                self.touching.write(&tx)?;
            }
            Ok(self.inserter.finish(&tx)?)
        });
        let committed = inserted.and_then(|()| Ok(tx.commit()?));
        match committed {
            Ok(()) => {
                self.touching = Touches::default();
                Ok(self.inserter.committed())
            }
            Err(failed) => {
                self.inserter.rolled_back();
                Err(failed)
            }
        }
    }

    /// Takes over the uses of keys that are to be written. They stay here until a commit succeeds.
    fn take_touches(&mut self) {
        self.touched = Instant::now();
        let newer = std::mem::take(&mut *self.shared.touches.lock());
        self.touching.merge(newer);
    }

    /// What is done when there is nothing to do.
    fn rest(&mut self) {
        self.take_touches();
        if !self.touching.is_empty()
            && let Err(error) = self.attempt(&mut [])
        {
            tracing::warn!(%error, "the last uses of keys could not be written yet");
        }
        self.empty_log();
    }

    fn has_chores(&self) -> bool {
        self.chore_done.is_some() && self.inserter.has_chores()
    }

    /// Does some of what nobody waits for.
    fn chore(&mut self) {
        let done = Transaction::new_unchecked(&self.conn, TransactionBehavior::Immediate).and_then(|tx| {
            self.inserter.begin(&tx)?;
            self.inserter.chore(&tx)?;
            self.inserter.finish(&tx)?;
            tx.commit()
        });
        self.dirty = true;
        self.chore_done = Some(Instant::now());
        match done {
            Ok(()) => {
                self.inserter.committed();
            }
            Err(error) => {
                self.inserter.rolled_back();
                if is_store_fault(&error) {
                    self.fail(&error);
                } else {
                    tracing::error!(%error, "calls cannot be counted anew until the next start");
                    self.chore_done = None;
                }
            }
        }
    }

    fn fail(&self, error: &rusqlite::Error) {
        let reason = error.to_string();
        let mut trouble = self.shared.trouble.lock();
        if let Some(known) = &mut *trouble {
            known.reason = reason;
        } else {
            tracing::error!(reason, "the store cannot commit; nothing is lost, it is tried again");
            *trouble = Some(Trouble { since: Timestamp::now(), reason });
        }
        self.shared.failing.store(true, Ordering::Relaxed);
    }

    /// Tries a small commit, and lets callers in again when it succeeds.
    fn probe(&mut self) {
        #[cfg(test)]
        if let Err(error) = self.limit_pages() {
            return self.fail(&error);
        }
        let version = crate::schema::known_version();
        let committed =
            Transaction::new_unchecked(&self.conn, TransactionBehavior::Immediate).and_then(|tx| {
                tx.pragma_update(None, "user_version", version)?;
                tx.commit()
            });
        match committed {
            Ok(()) => {
                self.dirty = true;
                self.recover();
                self.make_room(0, 0);
            }
            Err(error) => self.fail(&error),
        }
    }

    fn recover(&self) {
        if self.shared.failing.swap(false, Ordering::Relaxed) {
            *self.shared.trouble.lock() = None;
            tracing::info!("the store commits again");
        }
    }

    fn make_room(&self, places: usize, bytes: usize) {
        self.shared.queued_bytes.fetch_sub(bytes, Ordering::Relaxed);
        self.shared.places.add_permits(places);
        self.shared.room.notify_waiters();
    }

    /// Tells callers that waited long enough, then sleeps. `false`: the store closes, and the group was given up.
    fn wait_to_retry(&self, retry: Duration, group: &mut Vec<Pending>, error: &rusqlite::Error) -> bool {
        let reason = error.to_string();
        let expired = |since: &Instant| since.elapsed() >= WRITE_PATIENCE;
        // Traces are kept all the same, and whoever waits for them is told that they are not on the disk yet.
        let waited = |told: &mut Option<Told>| {
            if let Some(told) = told.take() {
                let _gone = told.send(Err(StoreError::Unavailable { reason: reason.clone() }));
            }
        };
        let mut tell = Vec::new();
        for Pending { since, work } in std::mem::take(group) {
            match work {
                Work::Write(job) if expired(&since) => tell.push(job),
                mut work => {
                    if let Work::Traces(traces) = &mut work
                        && expired(&since)
                    {
                        waited(&mut traces.told);
                    }
                    group.push(Pending { since, work });
                }
            }
        }
        let shared = &self.shared;
        let mut queue = shared.queue.lock();
        for (since, job) in std::mem::take(&mut queue.jobs) {
            match job {
                Job::Write(job) if expired(&since) => tell.push(job),
                mut job => {
                    if let Job::Trace(trace) = &mut job
                        && expired(&since)
                    {
                        waited(&mut trace.told);
                    }
                    queue.jobs.push_back((since, job));
                }
            }
        }
        let until = Instant::now() + retry;
        let give_up = loop {
            if queue.closed.is_some_and(|since| since.elapsed() >= CLOSE_PATIENCE) {
                break true;
            }
            if queue.closed.is_none() {
                // Woken early by urgent jobs, which cannot be helped now.
                if !shared.wake.wait_until(&mut queue, until).timed_out() {
                    continue;
                }
            } else {
                parking_lot::MutexGuard::unlocked(&mut queue, || std::thread::sleep(FIRST_RETRY));
            }
            break false;
        };
        drop(queue);
        for job in tell {
            job.answer(Err(StoreError::Unavailable { reason: reason.clone() }));
        }
        if give_up {
            let mut lost = 0;
            for pending in group.drain(..) {
                match pending.work {
                    Work::Traces(traces) => {
                        lost += traces.batches.len();
                        traces.settle();
                    }
                    Work::Write(job) => job.answer(Err(StoreError::Unavailable { reason: reason.clone() })),
                }
            }
            tracing::error!(
                reason,
                lost,
                "the store was closed while it could not commit; these traces are lost"
            );
        }
        !give_up
    }

    /// Moves the write-ahead log into the file and cuts it to nothing. Readers may prevent that; then the
    /// next quiet moment, or SQLite's own checkpoint, does it.
    fn empty_log(&mut self) {
        // A reader in the way is no reason to keep callers waiting.
        let patience = self.conn.busy_timeout(Duration::ZERO);
        let busy: Result<i64, _> =
            self.conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        if let Err(error) = patience.and_then(|()| self.conn.busy_timeout(crate::schema::BUSY_TIMEOUT)) {
            tracing::warn!(%error, "the store's patience could not be set");
        }
        match busy {
            Ok(busy) => self.dirty = busy != 0,
            Err(error) => {
                self.dirty = false;
                tracing::warn!(%error, "the write-ahead log could not be emptied");
            }
        }
    }

    #[cfg(test)]
    fn limit_pages(&self) -> Result<(), rusqlite::Error> {
        let limit = self.shared.page_limit.load(Ordering::Relaxed);
        let limit = if limit == 0 { 1 << 30 } else { limit };
        self.conn.query_row(&format!("PRAGMA max_page_count = {limit}"), [], |_| Ok(()))
    }
}
