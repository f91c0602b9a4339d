//! The reader threads: queries run here, never on a runtime's thread.

use crate::error::{StoreError, panic_text};
use crate::schema;
use parking_lot::{Condvar, Mutex};
use rusqlite::{Connection, ErrorCode, Transaction, TransactionBehavior};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// How many steps of SQLite's machine lie between two looks at the clock: well under a millisecond.
const STEPS_BETWEEN_CHECKS: i32 = 20_000;

/// A pool of reader threads over one file.
pub(crate) struct Readers {
    shared: Arc<Shared>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    timeout: Duration,
}

struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
    capacity: usize,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    closed: bool,
}

struct Job {
    deadline: Instant,
    run: Run,
}

type Run = Box<dyn FnOnce(&Connection, Expired) + Send>;

/// Whether the job's time was over before it began.
type Expired = bool;

impl Readers {
    /// Starts `threads` readers of the file at `path`, before which at most `capacity` queries wait.
    pub(crate) fn start(
        path: &Path,
        threads: usize,
        capacity: usize,
        timeout: Duration,
    ) -> Result<Self, StoreError> {
        let shared = Arc::new(Shared { queue: Mutex::default(), wake: Condvar::new(), capacity });
        let readers = Self { shared, threads: Mutex::default(), timeout };
        for number in 0..threads.max(1) {
            let mut conn = schema::open_reader(path)?;
            let deadline = Arc::new(Mutex::new(None::<Instant>));
            let watched = Arc::clone(&deadline);
            conn.progress_handler(
                STEPS_BETWEEN_CHECKS,
                Some(move || watched.lock().is_some_and(|deadline| Instant::now() >= deadline)),
            )?;
            let shared = Arc::clone(&readers.shared);
            let thread = std::thread::Builder::new()
                .name(format!("store-read-{number}"))
                .spawn(move || shared.serve(&conn, &deadline))
                .map_err(|source| StoreError::Folder { path: path.to_owned(), source })?;
            readers.threads.lock().push(thread);
        }
        Ok(readers)
    }

    /// Runs a query on a reader thread, in one read transaction: the closure sees one state of the file.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let timeout = self.timeout;
        let run: Run = Box::new(move |conn: &Connection, expired: Expired| {
            // Nobody waits any more, or nobody should.
            if reply.is_closed() {
                return;
            }
            let result =
                if expired { Err(StoreError::Timeout(timeout)) } else { guarded(conn, query, timeout) };
            let _gone = reply.send(result);
        });
        {
            let mut queue = self.shared.queue.lock();
            if queue.closed {
                return Err(StoreError::Closed);
            }
            if queue.jobs.len() >= self.shared.capacity {
                return Err(StoreError::Busy);
            }
            queue.jobs.push_back(Job { deadline: Instant::now() + timeout, run });
        }
        self.shared.wake.notify_one();
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Answers what waits, then ends the threads.
    pub(crate) fn close(&self) {
        self.shared.queue.lock().closed = true;
        self.shared.wake.notify_all();
        for thread in self.threads.lock().drain(..) {
            if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
                tracing::error!("a reader thread of the store panicked");
            }
        }
    }
}

impl Drop for Readers {
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn serve(&self, conn: &Connection, deadline: &Mutex<Option<Instant>>) {
        while let Some(job) = self.next() {
            *deadline.lock() = Some(job.deadline);
            (job.run)(conn, Instant::now() >= job.deadline);
            *deadline.lock() = None;
        }
    }

    fn next(&self) -> Option<Job> {
        let mut queue = self.queue.lock();
        loop {
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            if queue.closed {
                return None;
            }
            self.wake.wait(&mut queue);
        }
    }
}

fn guarded<T>(
    conn: &Connection,
    query: impl FnOnce(&Connection) -> Result<T, StoreError>,
    timeout: Duration,
) -> Result<T, StoreError> {
    let ran = catch_unwind(AssertUnwindSafe(|| {
        let tx = Transaction::new_unchecked(conn, TransactionBehavior::Deferred)?;
        query(&tx)
    }));
    match ran {
        Ok(Err(StoreError::Sql(error)))
            if error.sqlite_error_code() == Some(ErrorCode::OperationInterrupted) =>
        {
            Err(StoreError::Timeout(timeout))
        }
        Ok(result) => result,
        Err(panic) => {
            let text = panic_text(&*panic);
            tracing::error!(panic = text, "a query panicked");
            Err(StoreError::Panicked(text))
        }
    }
}
