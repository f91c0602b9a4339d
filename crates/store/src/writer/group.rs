//! A group of jobs that is committed together.

use super::queue::{Build, Job, Told, TraceJob, WriteJob};
use crate::error::{is_store_fault, panic_text};
use crate::insert::{Inserter, Statements, Sums};
use crate::row::TraceBatch;
use hanok_base::{NanoDollars, Settlement, Spent};
use rusqlite::Transaction;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

/// A job whose rows are made and wait for a commit.
pub(super) struct Pending {
    pub(super) since: Instant,
    pub(super) work: Work,
}

pub(super) enum Work {
    Traces(Traces),
    Write(Box<dyn WriteJob>),
}

pub(super) struct Traces {
    pub(super) batches: Vec<TraceBatch>,
    pub(super) bytes: usize,
    pub(super) settlement: Option<Box<dyn Settlement>>,
    /// What the batches cost that could never be stored, in nano-dollars.
    pub(super) lost_nano: i64,
    /// How many those are.
    pub(super) lost: usize,
    /// Who waits until the rest is on the disk.
    pub(super) told: Option<Told>,
}

impl Traces {
    /// Releases what was reserved for them, at what they cost.
    pub(super) fn settle(self) {
        if let Some(settlement) = self.settlement {
            let spent = spent_by(&self.batches);
            let cost = NanoDollars(spent.cost.0.saturating_add(self.lost_nano));
            settle(settlement, Spent { cost, ..spent });
        }
    }
}

pub(super) enum Failed {
    /// The store's own fault: later it may succeed.
    Store(rusqlite::Error),
    /// A record could not be stored and was taken out of the group.
    Record,
}

impl From<rusqlite::Error> for Failed {
    fn from(error: rusqlite::Error) -> Self {
        Self::Store(error)
    }
}

pub(super) fn build((since, job): (Instant, Job)) -> Pending {
    let work = match job {
        Job::Write(job) => Work::Write(job),
        Job::Trace(TraceJob { build, bytes, settlement, told }) => {
            let batches = prepare(build);
            Work::Traces(Traces { batches, bytes, settlement, lost_nano: 0, lost: 0, told })
        }
    };
    Pending { since, work }
}

pub(super) fn prepare(build: Build) -> Vec<TraceBatch> {
    catch_unwind(AssertUnwindSafe(build)).unwrap_or_else(|panic| {
        tracing::error!(
            panic = panic_text(&*panic),
            "a trace could not be prepared and is lost, its cost with it"
        );
        Vec::new()
    })
}

pub(super) fn spent_by(batches: &[TraceBatch]) -> Spent {
    batches.iter().fold(Spent::default(), |sum, batch| Spent {
        cost: NanoDollars(sum.cost.0.saturating_add(batch.cost().0)),
        tokens: sum.tokens.saturating_add(batch.tokens()),
        unpriced: sum.unpriced.saturating_add(batch.unpriced()),
    })
}

/// Somebody else's code: its panic must not end the writer.
pub(super) fn settle(settlement: Box<dyn Settlement>, spent: Spent) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| settlement.settle(spent, &[]))) {
        tracing::error!(panic = panic_text(&*panic), "a settlement panicked");
    }
}

pub(super) fn insert(
    inserter: &mut Inserter,
    tx: &Transaction<'_>,
    statements: &mut Statements<'_>,
    traces: &mut Traces,
) -> Result<(), Failed> {
    let mut stored = Sums::default();
    for at in 0..traces.batches.len() {
        let Some(batch) = traces.batches.get(at) else { break };
        match inserter.insert(tx, statements, batch) {
            Ok(sums) => stored.merge(&sums),
            Err(error) if is_store_fault(&error) || tx.is_autocommit() => return Err(Failed::Store(error)),
            Err(error) => {
                let cost = batch.cost();
                tracing::error!(
                    %error, trace_id = %batch.trace_id, %cost,
                    "a trace cannot be stored and is lost; its cost is written off"
                );
                traces.lost_nano = traces.lost_nano.saturating_add(cost.0);
                traces.lost += 1;
                traces.batches.swap_remove(at);
                return Err(Failed::Record);
            }
        }
    }
    if let Some(settlement) = &traces.settlement {
        inserter.charge(settlement.charges(), &stored, traces.lost_nano);
    }
    Ok(())
}

pub(super) fn write(
    tx: &Transaction<'_>,
    inserter: &mut Inserter,
    job: &mut dyn WriteJob,
) -> Result<(), rusqlite::Error> {
    tx.prepare_cached("SAVEPOINT job")?.execute([])?;
    job.run(tx, inserter)?;
    if tx.is_autocommit() {
        // SQLite took back the whole transaction, which it does when the disk is full.
        return Err(rusqlite::Error::SqliteFailure(
            rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_FULL),
            Some("the transaction was taken back while a write ran".to_owned()),
        ));
    }
    if job.refused() {
        tx.prepare_cached("ROLLBACK TO job")?.execute([])?;
    }
    tx.prepare_cached("RELEASE job")?.execute([])?;
    Ok(())
}
