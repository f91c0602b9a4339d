//! What is found against what is known, as it is come to: what is as it was, what is to be read, what is gone.

use super::{REMOVED, SyncReport};
use crate::load::{Candidate, FoundFile};
use crate::way::Way;
use hanok_base::SourceId;
use hanok_store::documents::{Changes, Known};
use std::collections::{HashMap, VecDeque};

/// Files that must be read, and what is known of each.
pub(super) type Queue = VecDeque<(FoundFile, Option<Known>)>;

/// What is known, against which files are held one by one.
pub(super) struct Comparison {
    /// What no file was found for yet.
    pub(super) known: HashMap<String, Known>,
    way: Way,
    judged_by: u64,
    queue: Queue,
    recut: Vec<(SourceId, u64)>,
    unchanged: u64,
    skipped: Vec<(String, String)>,
}

/// What comparing what was found with what is known gave.
pub(super) struct Compared {
    pub(super) queue: Queue,
    /// Documents as they were, whose texts are to be cut in another way, and how they are cut.
    pub(super) recut: Vec<(SourceId, u64)>,
    /// Changes that need no reading.
    pub(super) changes: Changes,
    /// How often each hash is gone.
    pub(super) gone: HashMap<[u8; 32], u64>,
}

impl Comparison {
    /// `unchanged` documents are known to be as they were, and are not among the `known`.
    pub(super) fn new(known: HashMap<String, Known>, unchanged: u64, way: Way, judged_by: u64) -> Self {
        let (queue, recut, skipped) = (Queue::new(), Vec::new(), Vec::new());
        Self { known, way, judged_by, queue, recut, unchanged, skipped }
    }

    /// Holds a file that was come to against what is known of it; only one to be read is kept.
    pub(super) fn see(&mut self, file: &Candidate<'_>) {
        match self.known.remove(file.path) {
            Some(Known::Source { id, stamp, cut_by, described_by, .. })
                if stamp == file.stamp && described_by == file.ruled.mark() =>
            {
                self.keep(id, cut_by);
            }
            Some(Known::Skipped { stamp, reason, judged_by: by })
                if stamp == file.stamp && (by == self.judged_by || by == REMOVED) =>
            {
                self.skipped.push((file.path.to_owned(), reason));
            }
            known => self.queue.push_back((file.to_file(), known)),
        }
    }

    fn keep(&mut self, id: SourceId, was_cut_by: u64) {
        self.unchanged += 1;
        if !self.way.holds(was_cut_by) {
            self.recut.push((id, was_cut_by));
        }
    }

    /// When all files were seen: what no file was found for is gone, but for what could not be looked at.
    pub(super) fn end(mut self, unseen: &[String], report: &mut SyncReport) -> Compared {
        let mut changes = Changes::default();
        let mut gone: HashMap<[u8; 32], u64> = HashMap::new();
        for (path, known) in std::mem::take(&mut self.known) {
            let is_unseen = unseen.iter().any(|unseen| is_at_or_below(&path, unseen));
            match known {
                Known::Source { id, cut_by, .. } if is_unseen => self.keep(id, cut_by),
                Known::Source { id, hash, .. } => {
                    changes.deletes.push(id);
                    *gone.entry(hash).or_default() += 1;
                }
                Known::Skipped { reason, .. } if is_unseen => self.skipped.push((path, reason)),
                Known::Skipped { .. } => changes.unskipped.push(path),
            }
        }
        changes.deletes.sort();
        report.unchanged += self.unchanged;
        report.skipped.extend(self.skipped);
        Compared { queue: self.queue, recut: self.recut, changes, gone }
    }
}

fn is_at_or_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
