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

use crate::chunking::{Chunker, Layout};
use crate::error::{LibraryError, blocking};
use crate::follow::Follower;
use crate::library::{Library, Shelf};
use crate::load::Search;
use crate::settings::Settings;
use crate::touched::Touched;
use crate::way::Way;
use compare::Comparison;
use hanok_base::{CollectionName, SourceId};
use hanok_store::StoreError;
use hanok_store::documents::{Changes, Known, NewSource, PackedText, Stamp};
use run::Run;
use std::collections::{BTreeSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
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

/// What one run saw and did.
pub(crate) struct Survey {
    pub(crate) report: SyncReport,
    /// `None` where only some files were looked at.
    pub(crate) ground: Option<Ground>,
    /// `None` where something is to be tried again.
    pub(crate) footing: Option<Footing>,
}

/// What a run left, and stood on. As long as it holds, a document whose file nobody touched is as it was.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Footing {
    generation: u64,
    settings: Arc<Settings>,
    judged_by: u64,
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
        Ok(self.survey(collection, paths, None, true, progress, cancel).await?.report)
    }

    /// The same, and where the documents are. Where only some files were `touched` since a run with that footing,
    /// and it holds, nothing else is looked at. Unless it `asks_urls`, what was fetched stays as it is.
    pub(crate) async fn survey(
        &self,
        collection: &CollectionName,
        paths: &[PathBuf],
        touched: Option<(Touched, Footing)>,
        asks_urls: bool,
        progress: &dyn Progress,
        cancel: &Cancel,
    ) -> Result<Survey, LibraryError> {
        let documents = self.store.documents();
        let shelf = self.ensure_shelf(collection).await?;
        let _one_at_a_time = shelf.running.lock().await;
        let marked = Indexing::mark(&shelf);
        shelf.index.forget_if_gone();
        let settings = shelf.settings();
        let way = Way::of(&settings, self.equipment(collection).embedder);
        let generation = documents.generation(shelf.id).await?;
        let mut footing = Footing { generation, settings: settings.clone(), judged_by: self.judged_by() };
        let only = touched.filter(|(_, last)| *last == footing).map(|(files, _)| files);
        let (known, others) = if let Some(only) = &only {
            let known = documents.known_at(shelf.id, only.names(paths, &self.names)).await?;
            let looked_at = known.values().filter(|known| matches!(known, Known::Source { .. })).count();
            let all = shelf.found.load(Ordering::Relaxed);
            (known, all.saturating_sub(u64::try_from(looked_at).unwrap_or(all)))
        } else {
            (documents.known(shelf.id).await?, 0)
        };
        let is_whole = only.is_none();
        let mut comparison = Comparison::new(known, others, way.clone(), footing.judged_by);
        let (roots, names, asked) = (paths.to_vec(), self.names.clone(), cancel.clone());
        let rules = settings.clone();
        let find = move || {
            let (roots, names, rules, only) = (&*roots, &names, &*rules.metadata, only.as_ref());
            let search = Search { roots, names, rules, only, cancelled: &|| asked.is_cancelled() };
            let found = search.find(&mut |file| comparison.see(file))?;
            Ok::<_, LibraryError>((found, comparison))
        };
        let (found, comparison) = blocking(find).await??;
        if cancel.is_cancelled() {
            // A search for files that was cut short says nothing of those it did not come to.
            let report = SyncReport { cancelled: true, ..SyncReport::default() };
            return Ok(Survey { report, ground: None, footing: None });
        }
        let ground = Ground { folders: found.folders.clone(), has_urls: !found.urls.is_empty() };
        // An embedder that failed is asked again.
        let is_by_words = settings.chunking.by != Chunker::Semantic;
        let (library, name) = (self, collection);
        let run = Run { library, name, shelf: &shelf, settings, way, asks_urls, progress, cancel };
        let result = run.run(found, comparison).await;
        footing.generation = documents.generation(shelf.id).await?;
        drop(marked);
        progress.update(self.coverage(collection).unwrap_or_default());
        let (report, settled) = result?;
        let footing = Some(footing).filter(|_| settled && is_by_words);
        Ok(Survey { report, ground: is_whole.then_some(ground), footing })
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

#[cfg(test)]
mod tests {
    use super::*;
    use hanok_store::{Options, Store};

    #[tokio::test]
    async fn of_touched_files_nothing_else_is_looked_at_while_the_footing_holds() {
        let folder = tempfile::tempdir().unwrap();
        let docs = folder.path().canonicalize().unwrap().join("docs");
        std::fs::create_dir(&docs).unwrap();
        let write = |name: &str, text: &str| std::fs::write(docs.join(name), text).unwrap();
        for name in ["a.md", "b.md", "c.md"] {
            write(name, name);
        }
        let data = folder.path().join("data");
        let store = Store::open(&data, Options::default()).unwrap();
        let library = Library::open(store, &data).await.unwrap();
        let (name, paths, cancel) = ("docs".into(), [docs.clone()], Cancel::default());
        let first = library.survey(&name, &paths, None, true, &(), &cancel).await.unwrap();
        assert!(first.ground.is_some() && first.report.added == 3);

        write("a.md", "a longer text that nobody tells of");
        write("b.md", "another text");
        write("d.md", "a new one");
        std::fs::remove_file(docs.join("c.md")).unwrap();
        let mut touched = Touched::default();
        assert!(["b.md", "c.md", "d.md", "gone.md"].into_iter().all(|name| touched.add(docs.join(name))));
        let only = Some((touched.clone(), first.footing.clone().unwrap()));
        let second = library.survey(&name, &paths, only, true, &(), &cancel).await.unwrap();
        let SyncReport { added, changed, deleted, unchanged, read, .. } = second.report;
        assert_eq!((added, changed, deleted, unchanged, read), (1, 1, 1, 1, 2));
        assert!(second.ground.is_none() && second.footing.is_some());
        assert_eq!(library.coverage(&name).map(|is| (is.found, is.indexed)), Some((3, 3)));

        // The first footing holds no more, so that all is looked at.
        let only = Some((touched, first.footing.unwrap()));
        let third = library.survey(&name, &paths, only, true, &(), &cancel).await.unwrap();
        assert!(third.ground.is_some() && third.report.changed == 1 && third.report.unchanged == 2);
    }
}
