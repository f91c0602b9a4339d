//! The face: opening, reading, writing, health, closing.

use crate::admission::{self, Place, Unavailable};
use crate::cursors::Cursors;
use crate::error::{StoreError, is_store_fault, panic_text};
use crate::insert::Inserter;
use crate::keys::Touches;
use crate::ledger;
use crate::readers::Readers;
use crate::schema;
use crate::traces::Traces;
use crate::writer::{Job, Shared, WriteJob, Writer};
use hanok_base::Timestamp;
use parking_lot::Mutex;
use rusqlite::{Connection, Transaction};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::{oneshot, watch};

/// How a store is opened.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Open an existing file for reading only, beside a server that writes it.
    pub read_only: bool,
    /// Reader threads.
    pub readers: usize,
    /// Queries that may wait for a reader.
    pub waiting_reads: usize,
    /// How long a query may take, waiting included.
    pub read_timeout: Duration,
    /// Places in the writer's queue: work admitted and not committed yet.
    pub queue: usize,
    /// Bytes that queued work may hold before admissions wait.
    pub queued_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            read_only: false,
            readers: 2,
            waiting_reads: 256,
            read_timeout: Duration::from_secs(5),
            queue: 16_384,
            queued_bytes: 256 << 20,
        }
    }
}

/// An open store. Cheap to clone; the last clone that goes closes it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

/// How the store is.
#[derive(Clone, Debug)]
pub struct Health {
    /// Whether commits succeed.
    pub state: HealthState,
    /// Jobs that wait for the writer.
    pub queued: usize,
    /// Bytes that they hold.
    pub queued_bytes: usize,
    /// How long the oldest of what was committed last had waited.
    pub lag: Duration,
    /// The longest that anything waited since the start.
    pub longest_lag: Duration,
}

/// Whether commits succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HealthState {
    /// They do.
    Ok,
    /// They do not; what was handed over is kept and tried again.
    Failing {
        /// Since when.
        since: Timestamp,
        /// Why, for people.
        reason: String,
    },
}

struct Inner {
    folder: PathBuf,
    readers: Readers,
    /// Held by whoever removes traces or empties bodies: one at a time.
    removing: tokio::sync::Mutex<()>,
    /// Counts the changes of keys.
    keys_changed: watch::Sender<u64>,
    /// `None` when opened for reading only.
    writer: Option<WriterHandle>,
}

struct WriterHandle {
    shared: Arc<Shared>,
    committed: watch::Receiver<i64>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Opens the store in the data folder, which is made (mode 0700, ignored by git) when it is not there.
    pub fn open(folder: &Path, options: Options) -> Result<Self, StoreError> {
        let path = folder.join("hanok.db");
        let writer = if options.read_only {
            None
        } else {
            make_folder(folder).map_err(|source| StoreError::Folder { path: folder.to_owned(), source })?;
            let conn = schema::open_writer(&path)?;
            ledger::write_off_open_slabs(&conn)?;
            let inserter = Inserter::new(&conn)?;
            let shared = Arc::new(Shared::new(options.queue, options.queued_bytes));
            let writer = Writer::new(conn, inserter, Arc::clone(&shared));
            let committed = writer.subscribe();
            let thread = std::thread::Builder::new()
                .name("store-write".to_owned())
                .spawn(move || writer.run())
                .map_err(|source| StoreError::Folder { path: folder.to_owned(), source })?;
            Some(WriterHandle { shared, committed, thread: Mutex::new(Some(thread)) })
        };
        let readers = Readers::start(&path, options.readers, options.waiting_reads, options.read_timeout)?;
        let keys_changed = watch::Sender::new(0);
        Ok(Self {
            inner: Arc::new(Inner {
                folder: folder.to_owned(),
                readers,
                removing: tokio::sync::Mutex::default(),
                keys_changed,
                writer,
            }),
        })
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        &self.inner.folder
    }

    /// The recorded traces.
    pub fn traces(&self) -> Traces<'_> {
        Traces::new(self)
    }

    /// How far those that follow the traces have come.
    pub fn cursors(&self) -> Cursors<'_> {
        Cursors::new(self)
    }

    /// Reserves a place for one trace. Waits while the queue is full or commits fail, 2 s at most.
    pub async fn admit(&self) -> Result<Place, Unavailable> {
        let Some(writer) = &self.inner.writer else {
            return Err(Unavailable { reason: StoreError::ReadOnly.to_string() });
        };
        let alive: Arc<dyn Send + Sync> = Arc::clone(&self.inner) as _;
        admission::admit(&writer.shared, alive).await
    }

    /// Runs a query on a reader thread, in one read transaction. Stopped after the timeout.
    pub(crate) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.inner.readers.run(query).await
    }

    /// Writes on the writer thread, in the next group commit, and returns once it is made. The closure may
    /// run several times; its error takes back only what it did itself.
    pub(crate) async fn write<T: Send + 'static>(
        &self,
        mut write: impl FnMut(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.enqueue(Haste::Soon, move |tx, _| write(tx)).await
    }

    /// The same, and on the disk when it returns, so that it survives a power cut.
    pub(crate) async fn write_synced<T: Send + 'static>(
        &self,
        mut write: impl FnMut(&Transaction<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.enqueue(Haste::Synced, move |tx, _| write(tx)).await
    }

    /// Writes with the writer's own memory of what is there, in a group commit that comes anyway: nobody waits.
    pub(crate) async fn write_by_and_by<T: Send + 'static>(
        &self,
        write: impl FnMut(&Transaction<'_>, &mut Inserter) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.enqueue(Haste::None, write).await
    }

    /// A number that grows with every change of keys made through this store, for whoever keeps keys in memory.
    pub fn keys_changed(&self) -> watch::Receiver<u64> {
        self.inner.keys_changed.subscribe()
    }

    /// Waits until nobody else removes traces.
    pub(crate) async fn removing(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.inner.removing.lock().await
    }

    /// Whether what is recorded waits for the writer.
    pub(crate) fn is_behind(&self) -> bool {
        self.inner.writer.as_ref().is_some_and(|writer| writer.shared.is_behind())
    }

    pub(crate) fn keys_did_change(&self) {
        self.inner.keys_changed.send_modify(|changes| *changes += 1);
    }

    /// Does something with the uses of keys that are not written yet; nothing when opened for reading only.
    pub(crate) fn with_touches(&self, act: impl FnOnce(&mut Touches)) {
        if let Some(writer) = &self.inner.writer {
            act(&mut writer.shared.touches.lock());
        }
    }

    /// Returns once everything handed over before is committed.
    pub async fn flush(&self) -> Result<(), StoreError> {
        self.enqueue(Haste::Soon, |_, _| Ok(())).await
    }

    /// Returns once everything handed over before is on the disk, and so survives a power cut.
    pub async fn sync(&self) -> Result<(), StoreError> {
        // Without a change SQLite would have nothing to sync.
        self.enqueue(Haste::Synced, |tx, _| {
            let version = schema::known_version();
            tx.pragma_update(None, "user_version", version)?;
            Ok(())
        })
        .await
    }

    async fn enqueue<T: Send + 'static>(
        &self,
        haste: Haste,
        write: impl FnMut(&Transaction<'_>, &mut Inserter) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let writer = self.inner.writer.as_ref().ok_or(StoreError::ReadOnly)?;
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Write { run: write, synced: haste == Haste::Synced, result: None, reply });
        writer.shared.push(Job::Write(job), haste != Haste::None).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// How the store is.
    pub fn health(&self) -> Health {
        let Some(WriterHandle { shared, .. }) = &self.inner.writer else {
            let (lag, longest_lag) = (Duration::ZERO, Duration::ZERO);
            return Health { state: HealthState::Ok, queued: 0, queued_bytes: 0, lag, longest_lag };
        };
        let state = shared.trouble().map_or(HealthState::Ok, |trouble| HealthState::Failing {
            since: trouble.since,
            reason: trouble.reason,
        });
        let (lag, longest_lag) = shared.lag();
        Health {
            state,
            queued: shared.queued(),
            queued_bytes: shared.queued_bytes.load(Ordering::Relaxed),
            lag,
            longest_lag,
        }
    }

    /// The sequence number of the newest committed trace, as it grows, until the store is closed. A slow
    /// receiver sees the latest only and holds nothing up. `None` when opened for reading only.
    pub fn subscribe(&self) -> Option<watch::Receiver<i64>> {
        self.inner.writer.as_ref().map(|writer| writer.committed.clone())
    }

    /// Reads every page and checks the file's structure. Takes seconds per gigabyte, so it has no timeout,
    /// and runs on the calling thread.
    pub fn integrity_check(&self) -> Result<(), StoreError> {
        let conn = schema::open_reader(&self.inner.folder.join("hanok.db"))?;
        let said: String = conn.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
        if said == "ok" { Ok(()) } else { Err(StoreError::Damaged(said)) }
    }

    /// Commits what is queued and ends the threads. Blocks meanwhile. Later calls get [`StoreError::Closed`].
    pub fn close(&self) {
        self.inner.close();
    }

    #[cfg(test)]
    pub(crate) fn limit_pages(&self, pages: u32) {
        if let Some(writer) = &self.inner.writer {
            writer.shared.page_limit.store(pages, Ordering::Relaxed);
        }
    }
}

impl Inner {
    fn close(&self) {
        self.readers.close();
        let Some(writer) = &self.writer else { return };
        writer.shared.close();
        let Some(thread) = writer.thread.lock().take() else {
            return;
        };
        if thread.thread().id() != std::thread::current().id() && thread.join().is_err() {
            tracing::error!("the store's writer thread panicked");
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.close();
    }
}

/// How soon a write is to be committed, and how well.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Haste {
    /// With what comes anyway.
    None,
    /// At once.
    Soon,
    /// At once, and on the disk.
    Synced,
}

struct Write<T, F> {
    run: F,
    synced: bool,
    result: Option<Result<T, StoreError>>,
    reply: oneshot::Sender<Result<T, StoreError>>,
}

impl<T: Send, F: FnMut(&Transaction<'_>, &mut Inserter) -> Result<T, StoreError> + Send> WriteJob
    for Write<T, F>
{
    fn run(&mut self, tx: &Transaction<'_>, inserter: &mut Inserter) -> Result<(), rusqlite::Error> {
        let result = catch_unwind(AssertUnwindSafe(|| (self.run)(tx, inserter))).unwrap_or_else(|panic| {
            let text = panic_text(&*panic);
            tracing::error!(panic = text, "a write panicked");
            Err(StoreError::Panicked(text))
        });
        match result {
            Err(StoreError::Sql(error)) if is_store_fault(&error) => Err(error),
            result => {
                self.result = Some(result);
                Ok(())
            }
        }
    }

    fn refused(&self) -> bool {
        matches!(self.result, Some(Err(_)))
    }

    fn synced(&self) -> bool {
        self.synced
    }

    fn answer(self: Box<Self>, outcome: Result<(), StoreError>) {
        let Self { result, reply, .. } = *self;
        // The caller may have gone; the write stands all the same.
        let _gone = reply.send(outcome.and_then(|()| result.unwrap_or(Err(StoreError::Closed))));
    }
}

/// Makes a data folder, closed to others and ignored by git, where it is not there.
pub fn make_folder(folder: &Path) -> io::Result<()> {
    if !folder.is_dir() {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder)?;
    }
    let ignore = folder.join(".gitignore");
    if !ignore.exists() {
        std::fs::write(ignore, "*\n")?;
    }
    Ok(())
}
