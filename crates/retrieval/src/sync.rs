//! Keeping a collection like its files: what is new, changed, moved or gone is followed, the rest is not read.
//!
//! Reading order: `report` (how a run is told of), this (beginning one), `compare`, `take` (one document), `batch`, `run`.

mod batch;
mod compare;
mod report;
mod run;
mod take;

pub use report::{Cancel, Progress, SyncReport};
pub(crate) use take::cut_again;

use crate::chunking::Layout;
use crate::error::{LibraryError, blocking};
use crate::follow::Follower;
use crate::library::{Library, Shelf};
use crate::load;
use crate::way::Way;
use hanok_base::{CollectionName, SourceId};
use hanok_store::StoreError;
use hanok_store::documents::{Changes, NewSource, PackedText, Stamp};
use run::Run;
use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use take::kept;
use tokio::runtime::Handle;

/// What stands for the limits by which a document is not taken that was removed on purpose: under whichever.
pub(crate) const REMOVED: u64 = u64::MAX;
/// Files and bytes that are written together: the store's one writer has others to serve between.
const BATCH_FILES: usize = 256;
const BATCH_BYTES: usize = 2 << 20;

/// Where a collection's documents are.
#[derive(Debug, Default)]
pub(crate) struct Ground {
    /// The folders in which a change may mean another document.
    pub(crate) folders: BTreeSet<PathBuf>,
    /// Whether some are elsewhere.
    pub(crate) has_urls: bool,
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

/// A document's id: the same whenever it is indexed again.
pub(crate) fn source_id(collection: &CollectionName, path: &str) -> SourceId {
    let mut hasher = blake3::Hasher::new();
    hasher.update(collection.as_str().as_bytes()).update(&[0]).update(path.as_bytes());
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    SourceId(u64::from_le_bytes(bytes))
}
