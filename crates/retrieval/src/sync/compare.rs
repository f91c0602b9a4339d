//! What was found against what is known: what is as it was, what is to be read, what is gone.

use super::{REMOVED, SyncReport};
use crate::load::FoundFile;
use crate::way::Way;
use hanok_base::SourceId;
use hanok_store::documents::{Changes, Known};
use std::collections::{HashMap, VecDeque};

/// Files that must be read, and what is known of each.
pub(super) type Queue = VecDeque<(FoundFile, Option<Known>)>;

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

/// Parts the files into those that are as they were and those to read, and finds what is gone.
pub(super) fn compare(
    files: Vec<FoundFile>,
    mut known: HashMap<String, Known>,
    unseen: &[String],
    way: &Way,
    judged_by: u64,
    report: &mut SyncReport,
) -> Compared {
    let (mut queue, mut recut) = (Queue::new(), Vec::new());
    for file in files {
        match known.remove(&file.path) {
            Some(Known::Source { id, stamp, cut_by: was_cut_by, described_by, .. })
                if stamp == file.stamp && described_by == file.ruled.mark() =>
            {
                report.unchanged += 1;
                if !way.holds(was_cut_by) {
                    recut.push((id, was_cut_by));
                }
            }
            Some(Known::Skipped { stamp, reason, judged_by: by })
                if stamp == file.stamp && (by == judged_by || by == REMOVED) =>
            {
                report.skipped.push((file.path, reason));
            }
            known => queue.push_back((file, known)),
        }
    }
    let mut changes = Changes::default();
    let mut gone: HashMap<[u8; 32], u64> = HashMap::new();
    for (path, known) in known {
        // What could not be looked at is not gone.
        let is_unseen = unseen.iter().any(|unseen| is_at_or_below(&path, unseen));
        match known {
            Known::Source { id, cut_by: was_cut_by, .. } if is_unseen => {
                report.unchanged += 1;
                if !way.holds(was_cut_by) {
                    recut.push((id, was_cut_by));
                }
            }
            Known::Source { id, hash, .. } => {
                changes.deletes.push(id);
                *gone.entry(hash).or_default() += 1;
            }
            Known::Skipped { reason, .. } if is_unseen => report.skipped.push((path, reason)),
            Known::Skipped { .. } => changes.unskipped.push(path),
        }
    }
    changes.deletes.sort();
    Compared { queue, recut, changes, gone }
}

fn is_at_or_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
