//! How a run is watched, ended early, and told of.

use hanok_base::Coverage;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// Is told how a run goes on, from the run's own task.
pub trait Progress: Send + Sync {
    /// So much is found and searchable now.
    fn update(&self, coverage: Coverage);
}

/// Tells nobody.
impl Progress for () {
    fn update(&self, _: Coverage) {}
}

/// Ends a run early; what was written stays, and the next run goes on from there.
#[derive(Clone, Debug, Default)]
pub struct Cancel(Arc<(AtomicBool, Notify)>);

impl Cancel {
    /// Asks the run to end.
    pub fn cancel(&self) {
        self.0.0.store(true, Ordering::Release);
        self.0.1.notify_waiters();
    }
    /// Whether it was asked to.
    pub fn is_cancelled(&self) -> bool {
        self.0.0.load(Ordering::Acquire)
    }
    /// Ends when it is asked to.
    pub async fn cancelled(&self) {
        let asked = self.0.1.notified();
        let mut asked = std::pin::pin!(asked);
        // Listening begins before it is looked whether it was asked.
        asked.as_mut().enable();
        if !self.is_cancelled() {
            asked.await;
        }
    }
}

/// What a run did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SyncReport {
    /// Documents that are new.
    pub added: u64,
    /// Documents whose content changed.
    pub changed: u64,
    /// Documents that are where they were not, with the content of one that is gone.
    pub moved: u64,
    /// Documents that are gone.
    pub deleted: u64,
    /// Documents that are as they were.
    pub unchanged: u64,
    /// Documents as they were, whose texts were cut in another way.
    #[serde(default)]
    pub recut: u64,
    /// Files that were not taken, with the reason.
    pub skipped: Vec<(String, String)>,
    /// What was worth saying of new and changed documents: what was left out, guessed or mended.
    #[serde(default)]
    pub notes: Vec<(String, String)>,
    /// Files of kinds that are not indexed, counted by extension in lower case; `""` is none.
    pub unsupported: BTreeMap<String, u64>,
    /// Files whose content was read.
    pub read: u64,
    /// Whether the run was cancelled before its end.
    pub cancelled: bool,
}

impl SyncReport {
    /// Whether anything is other than before.
    pub fn has_changes(&self) -> bool {
        self.added + self.changed + self.moved + self.deleted + self.recut > 0
    }
    /// Whether there is no document under the paths.
    pub fn is_empty(&self) -> bool {
        self.added + self.changed + self.moved + self.unchanged == 0
    }
}

/// Adds a batch's report; new documents with the content of one that is gone are moved ones.
pub(super) fn merge(
    report: &mut SyncReport,
    batch: SyncReport,
    new: &[[u8; 32]],
    gone: &mut HashMap<[u8; 32], u64>,
) {
    report.changed += batch.changed;
    report.unchanged += batch.unchanged;
    report.deleted += batch.deleted;
    report.read += batch.read;
    report.skipped.extend(batch.skipped);
    report.notes.extend(batch.notes);
    for hash in new {
        match gone.get_mut(hash) {
            Some(times) if *times > 0 => {
                *times -= 1;
                report.moved += 1;
            }
            _ => report.added += 1,
        }
    }
}
