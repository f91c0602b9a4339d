//! The threads that compute, shared by all models of the process. They park when there is nothing to do: a thread that
//! spins takes the processor from whoever has work.

use crate::LocalError;
use crate::encoder::Scratch;
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{JoinHandle, Thread};
use tokio::sync::oneshot;

/// Whether somebody waits for an answer, or much is worked off in the background.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Haste {
    /// Goes before all that is not urgent.
    Urgent,
    Patient,
}

type Job = Box<dyn FnOnce(&mut Scratch) + Send>;

/// Threads and what waits for them.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    count: usize,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    urgent: VecDeque<Job>,
    patient: VecDeque<Job>,
    closed: bool,
}

/// Several like pieces of work, of which the last one to be done answers.
struct Batch<T, F> {
    work: F,
    done: Mutex<Vec<Option<T>>>,
    left: AtomicUsize,
    reply: Mutex<Option<oneshot::Sender<Vec<Option<T>>>>>,
}

impl Pool {
    /// The pool of so many threads, 0 for as many as there are processors; the one there is, where somebody has it.
    pub(crate) fn of(threads: usize) -> Result<Arc<Self>, LocalError> {
        static POOLS: Mutex<Vec<Weak<Pool>>> = Mutex::new(Vec::new());
        let count = match threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            some => some.min(1024),
        };
        let mut pools = POOLS.lock();
        pools.retain(|pool| pool.strong_count() > 0);
        if let Some(pool) = pools.iter().filter_map(Weak::upgrade).find(|pool| pool.count == count) {
            return Ok(pool);
        }
        let pool = Arc::new(Self::start(count)?);
        pools.push(Arc::downgrade(&pool));
        Ok(pool)
    }

    fn start(count: usize) -> Result<Self, LocalError> {
        let pool = Self { shared: Arc::default(), threads: Mutex::default(), count };
        for number in 0..count {
            let shared = Arc::clone(&pool.shared);
            let thread = std::thread::Builder::new()
                .name(format!("local-{number}"))
                .spawn(move || shared.serve())
                .map_err(LocalError::Threads)?;
            pool.threads.lock().push(thread);
        }
        Ok(pool)
    }

    /// How many threads.
    pub(crate) fn threads(&self) -> usize {
        self.count
    }

    /// Does `work` for each number below `count`, and gives what came of each, in order. What has not begun when the
    /// future is dropped is left undone.
    pub(crate) async fn map<T, F>(&self, haste: Haste, count: usize, work: F) -> Result<Vec<T>, LocalError>
    where
        T: Send + 'static,
        F: Fn(usize, &mut Scratch) -> T + Send + Sync + 'static,
    {
        if count == 0 {
            return Ok(Vec::new());
        }
        let (reply, answer) = oneshot::channel();
        let batch = Arc::new(Batch {
            work,
            done: Mutex::new(std::iter::repeat_with(|| None).take(count).collect()),
            left: AtomicUsize::new(count),
            reply: Mutex::new(Some(reply)),
        });
        {
            let mut queue = self.shared.queue.lock();
            let jobs = match haste {
                Haste::Urgent => &mut queue.urgent,
                Haste::Patient => &mut queue.patient,
            };
            jobs.extend((0..count).map(|number| {
                let batch = Arc::clone(&batch);
                Box::new(move |scratch: &mut Scratch| batch.step(number, scratch)) as Job
            }));
        }
        drop(batch);
        if count == 1 {
            self.shared.wake.notify_one();
        } else {
            self.shared.wake.notify_all();
        }
        let done = answer.await.map_err(|_| LocalError::Failed)?;
        done.into_iter().collect::<Option<Vec<T>>>().ok_or(LocalError::Failed)
    }
}

impl<T, F: Fn(usize, &mut Scratch) -> T> Batch<T, F> {
    fn step(&self, number: usize, scratch: &mut Scratch) {
        // Nobody waits any more.
        if self.reply.lock().as_ref().is_none_or(oneshot::Sender::is_closed) {
            return;
        }
        let made = (self.work)(number, scratch);
        if let Some(place) = self.done.lock().get_mut(number) {
            *place = Some(made);
        }
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1
            && let Some(reply) = self.reply.lock().take()
        {
            let _gone = reply.send(std::mem::take(&mut *self.done.lock()));
        }
    }
}

impl Shared {
    fn serve(&self) {
        let mut scratch = Scratch::default();
        while let Some(job) = self.next() {
            // What a job leaves in the scratch is not looked at by the next one.
            if catch_unwind(AssertUnwindSafe(|| job(&mut scratch))).is_err() {
                tracing::error!("a computation of a local model panicked");
            }
        }
    }

    fn next(&self) -> Option<Job> {
        let mut queue = self.queue.lock();
        loop {
            if let Some(job) = queue.urgent.pop_front() {
                return Some(job);
            }
            if let Some(job) = queue.patient.pop_front() {
                return Some(job);
            }
            if queue.closed {
                return None;
            }
            self.wake.wait(&mut queue);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.queue.lock().closed = true;
        self.shared.wake.notify_all();
        for thread in self.threads.get_mut().drain(..) {
            // The last holder may be a job.
            if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
                tracing::error!("a thread of the local models panicked");
            }
        }
    }
}

/// Waits for a future on this thread, which parks meanwhile; in any thread but a runtime's.
pub(crate) fn wait<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut future = pin!(future);
    loop {
        if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return value;
        }
        std::thread::park();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_come_in_order_and_urgent_work_goes_first() {
        let pool = Pool::start(1).unwrap();
        let order = Arc::new(Mutex::new(Vec::new()));
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let held = Mutex::new(held);
        let (seen, first) = (order.clone(), order.clone());
        // The one thread is held up until both others wait.
        let blocked = pool.map(Haste::Patient, 1, move |_, _| held.lock().recv().is_err());
        let patient = pool.map(Haste::Patient, 3, move |number, _| {
            seen.lock().push(("patient", number));
            number
        });
        let urgent = pool.map(Haste::Urgent, 2, move |number, _| first.lock().push(("urgent", number)));
        let (mut blocked, mut patient, mut urgent) = (Box::pin(blocked), Box::pin(patient), Box::pin(urgent));
        let mut nobody = Context::from_waker(Waker::noop());
        assert!(blocked.as_mut().poll(&mut nobody).is_pending());
        assert!(patient.as_mut().poll(&mut nobody).is_pending());
        assert!(urgent.as_mut().poll(&mut nobody).is_pending());
        drop(hold);
        assert_eq!(wait(patient).unwrap(), [0, 1, 2]);
        wait(blocked).unwrap();
        wait(urgent).unwrap();
        let order = order.lock();
        assert_eq!(order.iter().position(|(who, _)| *who == "patient"), Some(2), "{order:?}");
    }

    #[test]
    fn a_panic_fails_its_own_batch_only() {
        let pool = Pool::start(2).unwrap();
        let failed = wait(pool.map(Haste::Patient, 4, |number, _| assert!(number != 2, "as wanted")));
        assert!(matches!(failed, Err(LocalError::Failed)));
        assert_eq!(wait(pool.map(Haste::Patient, 4, |number, _| number)).unwrap(), [0, 1, 2, 3]);
    }

    #[test]
    fn what_nobody_waits_for_is_left_undone() {
        let pool = Pool::start(1).unwrap();
        let done = Arc::new(AtomicUsize::new(0));
        let (hold, held) = std::sync::mpsc::channel::<()>();
        let held = Mutex::new(held);
        let mut blocked = Box::pin(pool.map(Haste::Patient, 1, move |_, _| held.lock().recv().is_err()));
        let counted = done.clone();
        let mut dropped =
            Box::pin(pool.map(Haste::Patient, 5, move |_, _| counted.fetch_add(1, Ordering::Relaxed)));
        let mut nobody = Context::from_waker(Waker::noop());
        assert!(
            blocked.as_mut().poll(&mut nobody).is_pending()
                && dropped.as_mut().poll(&mut nobody).is_pending()
        );
        drop(dropped);
        drop(hold);
        wait(blocked).unwrap();
        wait(pool.map(Haste::Patient, 1, |_, _| ())).unwrap();
        assert_eq!(done.load(Ordering::Relaxed), 0);
    }

    #[test]
    fn one_pool_of_each_size_is_shared() {
        let (a, b, c) = (Pool::of(7).unwrap(), Pool::of(7).unwrap(), Pool::of(6).unwrap());
        assert!(Arc::ptr_eq(&a, &b) && !Arc::ptr_eq(&a, &c));
    }
}
