//! Keeping a collection like its files: what is new, changed, moved or gone is followed, the rest is not read.

use crate::chunking::{Layout, Piece};
use crate::describe::{Ruled, UrlRules};
use crate::error::{LibraryError, blocking};
use crate::fetch::Fetched;
use crate::follow::Follower;
use crate::library::{Library, Shelf};
use crate::load::{self, Found, FoundFile};
use crate::read::{Reader, Untaken};
use crate::settings::Settings;
use crate::way::Way;
use hanok_base::{CollectionName, Coverage, SourceId};
use hanok_parse::Format;
use hanok_store::StoreError;
use hanok_store::documents::{
    Changes, Known, NewChunk, NewSkipped, NewSource, Origin, PackedText, Source, Stamp,
};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::runtime::Handle;
use tokio::sync::Notify;

/// What stands for the limits by which a document is not taken that was removed on purpose: under whichever.
pub(crate) const REMOVED: u64 = u64::MAX;
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

/// Where a collection's documents are.
#[derive(Debug, Default)]
pub(crate) struct Ground {
    /// The folders in which a change may mean another document.
    pub(crate) folders: BTreeSet<PathBuf>,
    /// Whether some are elsewhere.
    pub(crate) has_urls: bool,
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

/// A document that is there already, for callers that read no files.
pub(crate) struct Document {
    pub(crate) path: String,
    pub(crate) title: String,
    pub(crate) text: String,
}

impl Library {
    /// Makes `collection` hold exactly the documents under `paths` (files, folders, globs, `git+` before a folder
    /// of which only tracked files are meant, URLs), and its index find them. Documents become searchable in batches. One run of a collection at a time; a second one waits.
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
        Ok(self.sync_and_survey(collection, paths, progress, cancel).await?.0)
    }

    /// The same, and where the documents are.
    pub(crate) async fn sync_and_survey(
        &self,
        collection: &CollectionName,
        paths: &[PathBuf],
        progress: &dyn Progress,
        cancel: &Cancel,
    ) -> Result<(SyncReport, Ground), LibraryError> {
        let (roots, names, asked) = (paths.to_vec(), self.names.clone(), cancel.clone());
        let shelf = self.ensure_shelf(collection).await?;
        let _one_at_a_time = shelf.running.lock().await;
        let marked = Indexing::mark(&shelf);
        shelf.index.forget_if_gone();
        let settings = shelf.settings();
        let rules = settings.clone();
        let find = move || load::find(&roots, &names, &rules.metadata, &|| asked.is_cancelled());
        let found = blocking(find).await??;
        if cancel.is_cancelled() {
            // A search for files that was cut short says nothing of those it did not come to.
            return Ok((SyncReport { cancelled: true, ..SyncReport::default() }, Ground::default()));
        }
        let ground = Ground { folders: found.folders.clone(), has_urls: !found.urls.is_empty() };
        let way = Way::of(&settings, self.equipment(collection).embedder);
        let run = Run { library: self, name: collection, shelf: &shelf, settings, way, progress, cancel };
        let result = run.run(found).await;
        drop(marked);
        progress.update(self.coverage(collection).unwrap_or_default());
        Ok((result?, ground))
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
            let (name, runtime) = (collection.clone(), Handle::current());
            let way = Way::of(&shelf.settings(), self.equipment(collection).embedder);
            let upserts = blocking(move || {
                batch
                    .into_iter()
                    .map(|document| {
                        let hash = *blake3::hash(document.text.as_bytes()).as_bytes();
                        let (cut, cut_by) = way.cut(&document.text, Layout::Plain, &runtime);
                        Ok(NewSource {
                            id: source_id(&name, &document.path),
                            title: document.title,
                            hash,
                            stamp: Stamp { size: 0, modified: hanok_base::Timestamp(0) },
                            text: PackedText::new(&document.text)?,
                            chunks: cut.pieces.into_iter().map(kept).collect(),
                            cut_by,
                            meta: None,
                            path: document.path,
                        })
                    })
                    .collect::<Result<Vec<_>, StoreError>>()
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
    settings: Arc<Settings>,
    way: Way,
    progress: &'a dyn Progress,
    cancel: &'a Cancel,
}

/// Files that must be read, and what is known of each.
type Queue = VecDeque<(FoundFile, Option<Known>)>;

/// What comparing what was found with what is known gave.
struct Compared {
    queue: Queue,
    /// Documents as they were, whose texts are to be cut in another way, and how they are cut.
    recut: Vec<(SourceId, u64)>,
    /// Changes that need no reading.
    changes: Changes,
    /// How often each hash is gone.
    gone: HashMap<[u8; 32], u64>,
}

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
        let mut known = documents.known(self.shelf.id).await?;
        let mut report = SyncReport { unsupported: found.unsupported, ..SyncReport::default() };
        let mut files = found.files;
        let mut unseen = found.unseen;
        // Kept until the files in it are read.
        let fetched = self.fetch(&found.urls, &mut known, &mut files, &mut unseen, &mut report).await?;
        let judged_by = self.library.judged_by();
        let compared = compare(files, known, &unseen, &self.way, judged_by, &mut report);
        let Compared { queue, recut, mut changes, mut gone } = compared;
        report.skipped.extend(found.skipped);
        let indexed = self.shelf.indexed.load(Ordering::Relaxed);
        self.shelf.found.store(report.unchanged + count(queue.len()), Ordering::Relaxed);
        if self.shelf.generation().is_some() {
            self.shelf.indexed.store(report.unchanged.min(indexed), Ordering::Relaxed);
        }
        self.tell();

        let mut follower = Follower::new(self.library.store.clone(), self.shelf.clone());
        let mut queue = Some(queue);
        // What is gone goes last: what moved is found all the while, for a moment in both places.
        let deletes = std::mem::take(&mut changes.deletes);
        let mut ready = Batch { changes, ..Batch::default() };
        loop {
            // While one batch is written and indexed, the next is read.
            let (read, written) =
                tokio::join!(self.read(queue.take(), judged_by), self.write(&mut follower, ready.changes));
            written?;
            self.tell();
            merge(&mut report, ready.report, &ready.new, &mut gone);
            let Some((batch, rest)) = read? else { break };
            ready = batch;
            queue = Some(rest);
        }
        drop(fetched);
        if !deletes.is_empty() {
            follower.follow(true).await?;
            self.write(&mut follower, Changes { deletes, ..Changes::default() }).await?;
        }
        self.recut(&mut follower, recut, &mut report).await?;
        report.cancelled = self.cancel.is_cancelled();
        report.deleted += count(gone.values().map(|times| usize::try_from(*times).unwrap_or(0)).sum());
        follower.follow(true).await?;
        follower.finish().await?;
        report.skipped.sort();
        report.notes.sort();
        Ok(report)
    }

    /// Fetches URLs into a folder, as files to be compared.
    async fn fetch(
        &self,
        urls: &[String],
        known: &mut HashMap<String, Known>,
        files: &mut Vec<FoundFile>,
        unseen: &mut Vec<String>,
        report: &mut SyncReport,
    ) -> Result<Option<tempfile::TempDir>, LibraryError> {
        if urls.is_empty() {
            return Ok(None);
        }
        let path = std::env::temp_dir();
        let folder = tempfile::tempdir().map_err(|source| LibraryError::Path { path, source })?;
        let mut rules = UrlRules::new(&self.settings.metadata);
        for (at, url) in urls.iter().enumerate() {
            if self.cancel.is_cancelled() {
                unseen.push(url.clone());
                continue;
            }
            let ruled = rules.of(url);
            let (stamp, validator) = match known.get(url) {
                Some(Known::Skipped { judged_by: REMOVED, .. }) => {
                    unseen.push(url.clone());
                    continue;
                }
                Some(Known::Source { stamp, validator, described_by, .. }) => {
                    (Some(*stamp), validator.clone().filter(|_| *described_by == ruled.mark()))
                }
                _ => (None, None),
            };
            let fetched = match self.library.fetcher() {
                Some(fetcher) => fetcher.fetch(url, validator.as_deref()).await,
                None => Err("URLs are not fetched here".to_owned()),
            };
            let result = match fetched {
                Ok(fetched) => placed(folder.path(), at, url, fetched, stamp, validator, ruled),
                Err(reason) => Err(reason),
            };
            match result {
                Ok(file) => files.push(file),
                // What was fetched once stays until there is something else.
                Err(reason) => {
                    report.skipped.push((url.clone(), reason));
                    unseen.push(url.clone());
                }
            }
        }
        Ok(Some(folder))
    }

    /// Reads the next batch; `None` when there is nothing left, or no wish for it.
    async fn read(
        &self,
        queue: Option<Queue>,
        judged_by: u64,
    ) -> Result<Option<(Batch, Queue)>, LibraryError> {
        let Some(queue) = queue.filter(|queue| !queue.is_empty() && !self.cancel.is_cancelled()) else {
            return Ok(None);
        };
        let (name, cancel, way) = (self.name.clone(), self.cancel.clone(), self.way.clone());
        let runtime = Handle::current();
        let workshop = self.library.workshop();
        blocking(move || {
            let reader = Reader::new(workshop.as_deref());
            let taker = Taker { name: &name, way: &way, runtime: &runtime, reader: &reader, judged_by };
            let (begun, bytes) = (Instant::now(), AtomicUsize::new(0));
            let (queue, taken) = (Mutex::new(queue), AtomicUsize::new(0));
            let work = || -> Result<Batch, StoreError> {
                let mut batch = Batch::default();
                loop {
                    let is_full = taken.load(Ordering::Relaxed) >= BATCH_FILES
                        || bytes.load(Ordering::Relaxed) >= BATCH_BYTES
                        || (begun.elapsed() >= BATCH_TIME && taken.load(Ordering::Relaxed) > 0);
                    if is_full || cancel.is_cancelled() {
                        return Ok(batch);
                    }
                    let Some((file, known)) = queue.lock().pop_front() else { return Ok(batch) };
                    taken.fetch_add(1, Ordering::Relaxed);
                    let size = usize::try_from(file.stamp.size).unwrap_or(usize::MAX);
                    bytes.fetch_add(size.min(BATCH_BYTES), Ordering::Relaxed);
                    taker.take(file, known.as_ref(), &mut batch)?;
                }
            };
            let batches: Vec<Result<Batch, StoreError>> = std::thread::scope(|scope| {
                let hands: Vec<_> = (1..reader.hands()).map(|_| scope.spawn(work)).collect();
                let own = work();
                hands.into_iter().filter_map(|hand| hand.join().ok()).chain([own]).collect()
            });
            let mut whole = Batch::default();
            for batch in batches {
                whole.add(batch?);
            }
            Ok(Some((whole, queue.into_inner())))
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

    /// Cuts texts that are there in another way.
    async fn recut(
        &self,
        follower: &mut Follower,
        mut ids: Vec<(SourceId, u64)>,
        report: &mut SyncReport,
    ) -> Result<(), LibraryError> {
        let documents = self.library.store.documents();
        while !ids.is_empty() && !self.cancel.is_cancelled() {
            let (mut changes, mut bytes) = (Changes::default(), 0);
            while let Some((id, was_cut_by)) = ids.pop() {
                let Some(source) = documents.source(id).await? else { continue };
                bytes += source.text.len();
                let (way, runtime) = (self.way.clone(), Handle::current());
                let again = blocking(move || cut_again(source, &way, &runtime)).await??;
                // Where vectors cannot be had again, the words cut as they did.
                changes.upserts.extend(Some(again).filter(|again| again.cut_by != was_cut_by));
                if changes.upserts.len() >= BATCH_FILES || bytes >= BATCH_BYTES {
                    break;
                }
            }
            report.recut += count(changes.upserts.len());
            self.write(follower, changes).await?;
            self.tell();
        }
        Ok(())
    }

    fn tell(&self) {
        self.progress.update(self.library.coverage(self.name).unwrap_or_default());
    }
}

impl Batch {
    fn add(&mut self, other: Self) {
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
    }
}

/// Parts the files into those that are as they were and those to read, and finds what is gone.
fn compare(
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

/// What was fetched, as a file.
fn placed(
    folder: &Path,
    at: usize,
    url: &str,
    fetched: Fetched,
    known: Option<Stamp>,
    known_by: Option<String>,
    ruled: Arc<Ruled>,
) -> Result<FoundFile, String> {
    let whole = |file, stamp, validator| {
        let (path, origin) = (url.to_owned(), Origin::Url);
        FoundFile { path, file, stamp, origin, ruled, validator }
    };
    match (fetched, known) {
        (Fetched::Document { bytes, name, validator }, _) => {
            if Format::of(&name, &bytes).is_none() {
                return Err(format!("this kind of document is not indexed: {name}"));
            }
            // The name may hold anything; what matters of it is its end.
            let extension = name.rsplit_once('.').map_or("txt", |(_, extension)| extension);
            let file = folder.join(format!("{at}.{extension}"));
            let put = std::fs::write(&file, &bytes).and_then(|()| std::fs::metadata(&file));
            let stamp = load::stamp(&put.map_err(|error| format!("it cannot be kept: {error}"))?);
            Ok(whole(file, stamp, validator))
        }
        (Fetched::Unchanged, Some(stamp)) => Ok(whole(PathBuf::new(), stamp, known_by)),
        (Fetched::Unchanged, None) => {
            Err("the server says that it is unchanged, and it is not known".to_owned())
        }
    }
}

/// Reads files into a batch.
struct Taker<'a> {
    name: &'a CollectionName,
    way: &'a Way,
    runtime: &'a Handle,
    reader: &'a Reader<'a>,
    judged_by: u64,
}

impl Taker<'_> {
    fn take(&self, file: FoundFile, known: Option<&Known>, batch: &mut Batch) -> Result<(), StoreError> {
        batch.report.read += 1;
        let bytes = match self.reader.bytes(&file.file) {
            Ok(bytes) => bytes,
            Err(untaken) => {
                self.pass_over(file, known, untaken, batch);
                return Ok(());
            }
        };
        let is_same = match known {
            Some(Known::Source { id, hash, cut_by: was_cut_by, described_by, validator, .. })
                if *hash == bytes.hash =>
            {
                batch.report.unchanged += 1;
                let described = *described_by == file.ruled.mark() && *validator == file.validator;
                if described && self.way.holds(*was_cut_by) {
                    batch.changes.touched.push((*id, file.stamp));
                    return Ok(());
                }
                Some((*id, self.way.holds(*was_cut_by)))
            }
            _ => None,
        };
        let text = match self.reader.text(&file, &bytes) {
            Ok(text) => text,
            Err(untaken) => {
                batch.report.unchanged -= u64::from(is_same.is_some());
                self.pass_over(file, known, untaken, batch);
                return Ok(());
            }
        };
        if let Some((id, true)) = is_same {
            batch.changes.described.push((id, file.stamp, text.meta));
            return Ok(());
        }
        match known {
            _ if is_same.is_some() => {}
            Some(Known::Source { .. }) => batch.report.changed += 1,
            Some(Known::Skipped { .. }) => {
                batch.changes.unskipped.push(file.path.clone());
                batch.new.push(bytes.hash);
            }
            None => batch.new.push(bytes.hash),
        }
        batch.report.notes.extend(text.meta.notes.iter().map(|note| (file.path.clone(), note.clone())));
        let (cut, cut_by) = self.way.cut(&text.words, text.layout, self.runtime);
        batch.changes.upserts.push(NewSource {
            id: source_id(self.name, &file.path),
            title: title(text.title.or(cut.title), &file.path),
            hash: bytes.hash,
            stamp: file.stamp,
            text: PackedText::new(&text.words)?,
            chunks: cut.pieces.into_iter().map(kept).collect(),
            cut_by,
            meta: Some(text.meta),
            path: file.path,
        });
        Ok(())
    }

    fn pass_over(&self, file: FoundFile, known: Option<&Known>, untaken: Untaken, batch: &mut Batch) {
        match untaken {
            // Tried again by the next run; till then the document stays as it was read last.
            Untaken::Unread(reason) => {
                batch.report.unchanged += u64::from(matches!(known, Some(Known::Source { .. })));
                batch.report.skipped.push((file.path, reason));
            }
            Untaken::Unfit(reason) => {
                if let Some(Known::Source { id, .. }) = known {
                    batch.changes.deletes.push(*id);
                    batch.report.deleted += 1;
                }
                batch.report.skipped.push((file.path.clone(), reason.clone()));
                let (path, stamp, judged_by) = (file.path, file.stamp, self.judged_by);
                batch.changes.skipped.push(NewSkipped { path, stamp, reason, judged_by });
            }
        }
    }
}

/// A document's own title, or else the name of its file.
fn title(own: Option<String>, path: &str) -> String {
    let stem = || Path::new(path).file_stem().map(|stem| stem.to_string_lossy().into_owned());
    own.or_else(stem).unwrap_or_default()
}

fn kept(piece: Piece) -> NewChunk {
    NewChunk { heading: piece.heading, start: piece.start, end: piece.end, parent: piece.parent }
}

/// A document as it is, cut as it is to be now.
fn cut_again(source: Source, way: &Way, runtime: &Handle) -> Result<NewSource, StoreError> {
    let Source { summary, text } = source;
    // Documents of an earlier version of the file have no layout.
    let layout = Layout::named(&summary.meta.layout).unwrap_or_else(|| {
        let is_markdown = Format::of(&summary.path, b"") == Some(Format::Markdown);
        if is_markdown { Layout::Markdown } else { Layout::Plain }
    });
    let (cut, cut_by) = way.cut(&text, layout, runtime);
    Ok(NewSource {
        id: summary.id,
        title: summary.title,
        hash: summary.hash,
        stamp: Stamp { size: summary.size, modified: summary.modified },
        text: PackedText::new(&text)?,
        chunks: cut.pieces.into_iter().map(kept).collect(),
        cut_by,
        meta: None,
        path: summary.path,
    })
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

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
