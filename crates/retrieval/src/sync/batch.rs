//! What is written together.

use super::SyncReport;
use hanok_store::documents::Changes;

/// What reading a batch gave.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) changes: Changes,
    pub(super) report: SyncReport,
    /// Hashes of new documents.
    pub(super) new: Vec<[u8; 32]>,
    /// Whether a file could not be read now, and is to be tried again.
    pub(super) unread: bool,
}

impl Batch {
    pub(super) fn add(&mut self, other: Self) {
        let Changes { upserts, deletes, touched, described, skipped, unskipped } = other.changes;
        self.changes.upserts.extend(upserts);
        self.changes.deletes.extend(deletes);
        self.changes.touched.extend(touched);
        self.changes.described.extend(described);
        self.changes.skipped.extend(skipped);
        self.changes.unskipped.extend(unskipped);
        self.report.changed += other.report.changed;
        self.report.unchanged += other.report.unchanged;
        self.report.deleted += other.report.deleted;
        self.report.read += other.report.read;
        self.report.skipped.extend(other.report.skipped);
        self.report.notes.extend(other.report.notes);
        self.new.extend(other.new);
        self.unread |= other.unread;
    }
}
