//! What the writer takes together, and when.

use super::group::{Pending, build};
use super::queue::{GROUP_JOBS, Job};
use super::{LAST_RETRY, QUIET, Writer};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long the first job of a group waits for others: what is handed over is committed some 35 ms later. Fewer, larger
/// commits: each writes the tail pages of all tables again. What came while a group was committed has waited already.
const GATHER: Duration = Duration::from_millis(30);
/// A group's rows are made no longer than this, so that what waited longest is not held up by all that came after it.
const MAKE: Duration = Duration::from_millis(20);
/// And here, so that what is decoded at once stays small.
const GROUP_BYTES: usize = 32 << 20;
/// Between two steps of what nobody waits for, when nothing else is to be done.
const CHORE_PAUSE: Duration = Duration::from_millis(2);

impl Writer {
    /// Makes the rows of a group, as long as that may take; the other jobs wait for the next one.
    pub(super) fn make(&self, jobs: Vec<(Instant, Job)>) -> Vec<Pending> {
        let until = Instant::now() + MAKE;
        let mut group = Vec::with_capacity(jobs.len());
        let mut jobs = jobs.into_iter();
        for job in jobs.by_ref() {
            group.push(build(job));
            if Instant::now() >= until {
                break;
            }
        }
        if jobs.len() > 0 {
            self.shared.put_back(jobs);
        }
        group
    }

    /// What is committed next, once something waits; `None` when the store is closed and nothing does.
    pub(super) fn next_group(&mut self) -> Option<Vec<(Instant, Job)>> {
        let shared = Arc::clone(&self.shared);
        let mut queue = shared.queue.lock();
        while queue.jobs.is_empty() {
            if queue.closed.is_some() {
                return None;
            }
            queue.idle = true;
            if shared.failing.load(Ordering::Relaxed) {
                // Nothing is admitted meanwhile, so nothing would come that could show the store is well again.
                if shared.wake.wait_for(&mut queue, LAST_RETRY).timed_out() && queue.jobs.is_empty() {
                    queue.idle = false;
                    parking_lot::MutexGuard::unlocked(&mut queue, || self.probe());
                }
            } else if self.has_chores() {
                if shared.wake.wait_for(&mut queue, CHORE_PAUSE).timed_out() && queue.jobs.is_empty() {
                    queue.idle = false;
                    parking_lot::MutexGuard::unlocked(&mut queue, || self.chore());
                }
            } else if !self.dirty {
                shared.wake.wait(&mut queue);
            } else if shared.wake.wait_for(&mut queue, QUIET).timed_out() && queue.jobs.is_empty() {
                queue.idle = false;
                parking_lot::MutexGuard::unlocked(&mut queue, || self.rest());
            }
        }
        queue.idle = false;
        let oldest = queue.jobs.front().map_or_else(Instant::now, |(since, _)| *since);
        let until = oldest + GATHER;
        while !queue.urgent && queue.closed.is_none() && queue.jobs.len() < GROUP_JOBS {
            if shared.wake.wait_until(&mut queue, until).timed_out() {
                break;
            }
        }
        let mut bytes = 0;
        let mut group = Vec::with_capacity(queue.jobs.len().min(GROUP_JOBS));
        while group.len() < GROUP_JOBS && bytes < GROUP_BYTES {
            let Some((since, job)) = queue.jobs.pop_front() else {
                break;
            };
            if let Job::Trace(trace) = &job {
                bytes += trace.bytes;
            }
            group.push((since, job));
        }
        // What is left has waited already.
        queue.urgent = !queue.jobs.is_empty();
        Some(group)
    }
}
