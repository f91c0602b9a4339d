//! Keeping a collection like its files: what is new, changed, moved or gone is followed, the rest is not read.

use crate::chunking::{Chunking, Layout, Piece, cut};
use crate::error::{LibraryError, blocking};
use crate::follow::Follower;
use crate::library::{Library, Shelf};
use crate::load::{self, Found, FoundFile, Untaken};
use crate::settings::Settings;
use hanok_base::{CollectionName, Coverage, SourceId};
use hanok_store::StoreError;
use hanok_store::documents::{Changes, Known, NewChunk, NewSkipped, NewSource, PackedText, Stamp};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Files and bytes that are written together: the store's one writer has others to serve between.
const BATCH_FILES: usize = 256;
const BATCH_BYTES: usize = 2 << 20;
/// How long a batch is gathered at most, so that the first documents are soon found.
const BATCH_TIME: Duration = Duration::from_millis(250);

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
pub struct Cancel(Arc<AtomicBool>);

impl Cancel {
    /// Asks the run to end.
    pub fn cancel(&self) {
        self.0.store(true, Ordering::Relaxed);
    }
    /// Whether it was asked to.
    pub fn is_cancelled(&self) -> bool {
        self.0.load(Ordering::Relaxed)
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
    /// Files that were not taken, with the reason.
    pub skipped: Vec<(String, String)>,
    /// Files of kinds that are not indexed, counted by extension in lower case; `""` is none.
    pub unsupported: BTreeMap<String, u64>,
    /// Files whose content was read.
    pub read: u64,
    /// Whether the run was cancelled before its end.
    pub cancelled: bool,
}

impl SyncReport {
    /// Whether there is no document under the paths.
    pub fn is_empty(&self) -> bool {
        self.added + self.changed + self.moved + self.unchanged == 0
    }
}

/// A document that is there already, for callers that read no files.
pub(crate) struct Document {
    pub(crate) path: String,
    pub(crate) title: String,
    pub(crate) text: String,
}

impl Library {
    /// Makes `collection` hold exactly the documents under `paths` (files, folders, globs), and its index find
    /// them. Documents become searchable in batches. One run of a collection at a time; a second one waits.
    ///
    /// A path that does not exist is an error before anything is changed. A file that cannot be taken is
    /// skipped and named in the report.
    pub async fn sync(
        &self,
        collection: &CollectionName,
        paths: &[PathBuf],
        progress: &dyn Progress,
        cancel: &Cancel,
    ) -> Result<SyncReport, LibraryError> {
        let (roots, names, asked) = (paths.to_vec(), self.names.clone(), cancel.clone());
        let shelf = self.ensure_shelf(collection).await?;
        let _one_at_a_time = shelf.running.lock().await;
        let marked = Indexing::mark(&shelf);
        shelf.index.forget_if_gone();
        let found = blocking(move || load::find(&roots, &names, &|| asked.is_cancelled())).await??;
        if cancel.is_cancelled() {
            // A search for files that was cut short says nothing of those it did not come to.
            return Ok(SyncReport { cancelled: true, ..SyncReport::default() });
        }
        let run = Run { library: self, name: collection, shelf: &shelf, progress, cancel };
        let result = run.run(found).await;
        drop(marked);
        progress.update(self.coverage(collection).unwrap_or_default());
        result
    }

    /// Adds documents that are not files. For collections made for the purpose.
    pub(crate) async fn ingest(
        &self,
        collection: &CollectionName,
        documents: Vec<Document>,
    ) -> Result<(), LibraryError> {
        let shelf = self.ensure_shelf(collection).await?;
        let _one_at_a_time = shelf.running.lock().await;
        let mut follower = Follower::new(self.store.clone(), shelf.clone());
        let mut rest = VecDeque::from(documents);
        while !rest.is_empty() {
            let batch: Vec<Document> = rest.drain(..rest.len().min(BATCH_FILES)).collect();
            let name = collection.clone();
            let upserts = blocking(move || {
                batch
                    .into_iter()
                    .map(|document| {
                        let stamp = Stamp { size: 0, modified: hanok_base::Timestamp(0) };
                        let hash = *blake3::hash(document.text.as_bytes()).as_bytes();
                        source(
                            &name,
                            document.path,
                            Some(document.title),
                            &document.text,
                            hash,
                            stamp,
                            Layout::Plain,
                        )
                    })
                    .collect::<Result<Vec<_>, _>>()
            })
            .await??;
            shelf.found.fetch_add(u64::try_from(upserts.len()).unwrap_or(0), Ordering::Relaxed);
            self.store.documents().apply(shelf.id, Changes { upserts, ..Changes::default() }).await?;
            follower.follow(false).await?;
        }
        follower.follow(true).await?;
        follower.finish().await
    }
}

/// A collection that says it is being indexed, until this is dropped in whatever way the run ends.
struct Indexing<'a>(&'a Shelf);

impl<'a> Indexing<'a> {
    fn mark(shelf: &'a Shelf) -> Self {
        shelf.indexing.store(true, Ordering::Relaxed);
        Self(shelf)
    }
}

impl Drop for Indexing<'_> {
    fn drop(&mut self) {
        self.0.indexing.store(false, Ordering::Relaxed);
    }
}

struct Run<'a> {
    library: &'a Library,
    name: &'a CollectionName,
    shelf: &'a Arc<Shelf>,
    progress: &'a dyn Progress,
    cancel: &'a Cancel,
}

/// Files that must be read, and what is known of each.
type Queue = VecDeque<(FoundFile, Option<Known>)>;

/// What reading a batch gave.
#[derive(Default)]
struct Batch {
    changes: Changes,
    report: SyncReport,
    /// Hashes of new documents.
    new: Vec<[u8; 32]>,
}

impl Run<'_> {
    async fn run(&self, found: Found) -> Result<SyncReport, LibraryError> {
        let documents = self.library.store.documents();
        let known = documents.known(self.shelf.id).await?;
        let mut report = SyncReport { unsupported: found.unsupported, ..SyncReport::default() };
        let (queue, first, mut gone) = compare(found.files, known, &found.unseen, &mut report);
        report.skipped.extend(found.skipped);
        let indexed = self.shelf.indexed.load(Ordering::Relaxed);
        self.shelf.found.store(report.unchanged + count(queue.len()), Ordering::Relaxed);
        if self.shelf.generation().is_some() {
            self.shelf.indexed.store(report.unchanged.min(indexed), Ordering::Relaxed);
        }
        self.tell();

        let mut follower = Follower::new(self.library.store.clone(), self.shelf.clone());
        let mut queue = Some(queue);
        let mut ready = Batch { changes: first, ..Batch::default() };
        loop {
            // While one batch is written and indexed, the next is read.
            let (read, written) =
                tokio::join!(self.read(queue.take()), self.write(&mut follower, ready.changes));
            written?;
            self.tell();
            merge(&mut report, ready.report, &ready.new, &mut gone);
            let Some((batch, rest)) = read? else { break };
            ready = batch;
            queue = Some(rest);
        }
        report.cancelled = self.cancel.is_cancelled();
        report.deleted += count(gone.values().map(|times| usize::try_from(*times).unwrap_or(0)).sum());
        follower.follow(true).await?;
        follower.finish().await?;
        report.skipped.sort();
        Ok(report)
    }

    /// Reads the next batch; `None` when there is nothing left, or no wish for it.
    async fn read(&self, queue: Option<Queue>) -> Result<Option<(Batch, Queue)>, LibraryError> {
        let Some(mut queue) = queue.filter(|queue| !queue.is_empty() && !self.cancel.is_cancelled()) else {
            return Ok(None);
        };
        let (name, cancel) = (self.name.clone(), self.cancel.clone());
        blocking(move || {
            let mut batch = Batch::default();
            let (begun, mut bytes) = (Instant::now(), 0);
            while let Some((file, known)) = queue.pop_front() {
                bytes += usize::try_from(file.stamp.size).unwrap_or(usize::MAX);
                take(&name, file, known.as_ref(), &mut batch)?;
                let is_full = batch.changes.upserts.len() >= BATCH_FILES || bytes >= BATCH_BYTES;
                if is_full || begun.elapsed() >= BATCH_TIME || cancel.is_cancelled() {
                    break;
                }
            }
            Ok(Some((batch, queue)))
        })
        .await?
    }

    async fn write(&self, follower: &mut Follower, changes: Changes) -> Result<(), LibraryError> {
        let skipped = count(changes.skipped.len());
        if !changes.is_empty() {
            self.library.store.documents().apply(self.shelf.id, changes).await?;
        }
        self.shelf.found.fetch_sub(skipped.min(self.shelf.found.load(Ordering::Relaxed)), Ordering::Relaxed);
        follower.follow(false).await
    }

    fn tell(&self) {
        self.progress.update(self.library.coverage(self.name).unwrap_or_default());
    }
}

/// Parts the files into those that are as they were and those to read, and finds what is gone. Gives the
/// queue, the changes that need no reading, and how often each hash is gone.
fn compare(
    files: Vec<FoundFile>,
    mut known: HashMap<String, Known>,
    unseen: &[String],
    report: &mut SyncReport,
) -> (Queue, Changes, HashMap<[u8; 32], u64>) {
    let mut queue = Queue::new();
    for file in files {
        match known.remove(&file.path) {
            Some(Known::Source { stamp, .. }) if stamp == file.stamp => report.unchanged += 1,
            Some(Known::Skipped { stamp, reason, .. }) if stamp == file.stamp => {
                report.skipped.push((file.path, reason));
            }
            known => queue.push_back((file, known)),
        }
    }
    let mut changes = Changes::default();
    let mut gone: HashMap<[u8; 32], u64> = HashMap::new();
    for (path, known) in known {
        match known {
            // What could not be looked at is not gone.
            Known::Source { .. } if unseen.iter().any(|unseen| is_at_or_below(&path, unseen)) => {
                report.unchanged += 1;
            }
            Known::Source { id, hash, .. } => {
                changes.deletes.push(id);
                *gone.entry(hash).or_default() += 1;
            }
            Known::Skipped { .. } => changes.unskipped.push(path),
        }
    }
    changes.deletes.sort();
    (queue, changes, gone)
}

fn is_at_or_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Reads one file into the batch.
fn take(
    collection: &CollectionName,
    file: FoundFile,
    known: Option<&Known>,
    batch: &mut Batch,
) -> Result<(), StoreError> {
    batch.report.read += 1;
    let text = match load::read(&file.file) {
        Ok(text) => text,
        // Tried again by the next run; till then the document stays as it was read last.
        Err(Untaken::Unread(reason)) => {
            batch.report.unchanged += u64::from(matches!(known, Some(Known::Source { .. })));
            batch.report.skipped.push((file.path, reason));
            return Ok(());
        }
        Err(Untaken::Unfit(reason)) => {
            if let Some(Known::Source { id, .. }) = known {
                batch.changes.deletes.push(*id);
                batch.report.deleted += 1;
            }
            batch.report.skipped.push((file.path.clone(), reason.clone()));
            let (path, stamp) = (file.path, file.stamp);
            batch.changes.skipped.push(NewSkipped { path, stamp, reason, judged_by: 0 });
            return Ok(());
        }
    };
    match known {
        Some(Known::Source { id, hash, .. }) if *hash == text.hash => {
            batch.changes.touched.push((*id, file.stamp));
            batch.report.unchanged += 1;
            return Ok(());
        }
        Some(Known::Source { .. }) => batch.report.changed += 1,
        Some(Known::Skipped { .. }) => {
            batch.changes.unskipped.push(file.path.clone());
            batch.new.push(text.hash);
        }
        None => batch.new.push(text.hash),
    }
    let new = source(collection, file.path, None, &text.text, text.hash, file.stamp, file.layout)?;
    batch.changes.upserts.push(new);
    Ok(())
}

/// A document as the store keeps it.
fn source(
    collection: &CollectionName,
    path: String,
    title: Option<String>,
    text: &str,
    hash: [u8; 32],
    stamp: Stamp,
    layout: Layout,
) -> Result<NewSource, StoreError> {
    let cut = cut(text, layout, &Chunking::default(), None);
    let stem = || Path::new(&path).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    let title = title.or(cut.title).or_else(stem).unwrap_or_default();
    Ok(NewSource {
        id: source_id(collection, &path),
        title,
        hash,
        stamp,
        text: PackedText::new(text)?,
        chunks: cut.pieces.into_iter().map(kept).collect(),
        cut_by: Settings::default().cut_by(),
        meta: None,
        path,
    })
}

fn kept(piece: Piece) -> NewChunk {
    NewChunk { heading: piece.heading, start: piece.start, end: piece.end, parent: piece.parent }
}

/// A document's id: the same whenever it is indexed again.
pub(crate) fn source_id(collection: &CollectionName, path: &str) -> SourceId {
    let mut hasher = blake3::Hasher::new();
    hasher.update(collection.as_str().as_bytes()).update(&[0]).update(path.as_bytes());
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    SourceId(u64::from_le_bytes(bytes))
}

/// Adds a batch's report; new documents with the content of one that is gone are moved ones.
fn merge(report: &mut SyncReport, batch: SyncReport, new: &[[u8; 32]], gone: &mut HashMap<[u8; 32], u64>) {
    report.changed += batch.changed;
    report.unchanged += batch.unchanged;
    report.deleted += batch.deleted;
    report.read += batch.read;
    report.skipped.extend(batch.skipped);
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

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
