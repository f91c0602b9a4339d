//! One timer for a whole answer: first for its head, then for the gaps in its body.

use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// A timer that is registered once and moved only when it fires early, not at every piece.
#[derive(Debug)]
pub(crate) struct Timer {
    sleep: Pin<Box<Sleep>>,
    head_due: Instant,
    idle: Duration,
    deadline: Option<Instant>,
    waiting_since: Option<Instant>,
    last_wait: Duration,
}

impl Timer {
    /// For a head that is due `first_byte` from now, and gaps of at most `idle` behind it.
    pub(crate) fn new(first_byte: Duration, idle: Duration) -> Self {
        let now = Instant::now();
        // Early enough for the first gap as well: to move a timer forward costs more than that it fires early.
        let sleep = Box::pin(tokio::time::sleep_until(after(now, first_byte.min(idle))));
        let head_due = after(now, first_byte);
        Self { sleep, head_due, idle, deadline: None, waiting_since: None, last_wait: Duration::ZERO }
    }

    /// Whether the head is late.
    pub(crate) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.poll_until(self.head_due, cx)
    }

    /// Allows shorter gaps from now on.
    pub(crate) fn limit_idle(&mut self, idle: Duration) {
        self.idle = idle;
    }

    /// Waits no longer than to this moment, until another is set or none.
    pub(crate) fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Whether the moment that was set is past.
    pub(crate) fn past_deadline(&self) -> bool {
        self.deadline.is_some_and(|deadline| deadline <= Instant::now())
    }

    /// A piece of the body came.
    pub(crate) fn progress(&mut self) {
        self.last_wait = self.waiting_since.take().map_or(Duration::ZERO, |since| since.elapsed());
    }

    /// How long the last piece was waited for.
    pub(crate) fn last_wait(&self) -> Duration {
        self.last_wait
    }

    /// Whether the wait for the next piece, which begins with the first call, is too long.
    pub(crate) fn poll_gap(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let since = *self.waiting_since.get_or_insert_with(Instant::now);
        let due = after(since, self.idle);
        let due = self.deadline.map_or(due, |deadline| deadline.min(due));
        self.poll_until(due, cx)
    }

    fn poll_until(&mut self, due: Instant, cx: &mut Context<'_>) -> Poll<()> {
        if self.sleep.deadline() > due {
            self.sleep.as_mut().reset(due);
        }
        loop {
            ready!(self.sleep.as_mut().poll(cx));
            if self.sleep.deadline() >= due {
                return Poll::Ready(());
            }
            self.sleep.as_mut().reset(due);
        }
    }
}

fn after(from: Instant, wait: Duration) -> Instant {
    // A wait beyond what the clock can hold is as good as ten years.
    const LONG: Duration = Duration::from_hours(10 * 365 * 24);
    from.checked_add(wait.min(LONG)).unwrap_or(from)
}
