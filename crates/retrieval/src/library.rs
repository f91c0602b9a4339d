//! The collections of one data folder: what is in them, and the search over them.

use crate::error::{LibraryError, blocking};
use crate::follow::{Follower, Mark};
use crate::intake::Intake;
use crate::names::Names;
use crate::settings::Settings;
use hanok_base::{
    About, BoxFuture, CallContext, CollectionName, Coverage, Hit, Operation, RetrievalError, Retriever,
    SearchQuery, SearchResult, SourceId, SpanScope,
};
use hanok_index::{Found, IndexError, SearchIndex, Terms};
use hanok_store::Store;
use hanok_store::documents::{Chunk, Collection, Source, SourceSummary};
use parking_lot::RwLock;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Hits beyond those asked for that are looked at, as some say the same or are gone.
const SPARE: usize = 8;

/// The collections of one store with their search indexes.
pub struct Library {
    pub(crate) store: Store,
    folder: PathBuf,
    pub(crate) names: Names,
    shelves: RwLock<BTreeMap<CollectionName, Arc<Shelf>>>,
    pub(crate) intake: RwLock<Intake>,
}

/// A collection in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CollectionInfo {
    /// Its name.
    pub name: CollectionName,
    /// How much of it is searchable.
    pub coverage: Coverage,
}

/// One collection, open.
pub(crate) struct Shelf {
    pub(crate) id: i64,
    pub(crate) epoch: i64,
    pub(crate) index: SearchIndex,
    /// Held by the one run that indexes.
    pub(crate) running: tokio::sync::Mutex<()>,
    pub(crate) found: AtomicU64,
    pub(crate) indexed: AtomicU64,
    pub(crate) indexing: AtomicBool,
    pub(crate) settings: RwLock<Arc<Settings>>,
}

impl Shelf {
    /// The store's generation the index is at; `None` when it follows no history of this collection.
    pub(crate) fn generation(&self) -> Option<u64> {
        let mark = self.index.mark().and_then(|mark| Mark::parse(&mark))?;
        (mark.epoch == self.epoch).then_some(mark.generation)
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.settings.read().clone()
    }

    /// A document was deleted between runs.
    pub(crate) fn forget_one(&self) {
        for count in [&self.found, &self.indexed] {
            count.fetch_sub(1.min(count.load(Ordering::Relaxed)), Ordering::Relaxed);
        }
    }

    fn coverage(&self) -> Coverage {
        let found = self.found.load(Ordering::Relaxed);
        Coverage {
            indexed: self.indexed.load(Ordering::Relaxed).min(found),
            found,
            indexing: self.indexing.load(Ordering::Relaxed),
        }
    }
}

impl Library {
    /// Opens the collections of a store. Their indexes are in `data_dir/index`; nothing is written before
    /// [`Library::sync`] or [`Library::catch_up`].
    pub async fn open(store: Store, data_dir: &Path) -> Result<Arc<Self>, LibraryError> {
        let library = Self {
            folder: data_dir.join("index"),
            names: Names::beside(data_dir),
            shelves: RwLock::default(),
            intake: RwLock::default(),
            store,
        };
        for collection in library.store.documents().collections().await? {
            library.shelve(collection).await?;
        }
        Ok(Arc::new(library))
    }

    /// All collections, by name.
    pub fn collections(&self) -> Vec<CollectionInfo> {
        let shelves = self.shelves.read();
        shelves
            .iter()
            .map(|(name, shelf)| CollectionInfo { name: name.clone(), coverage: shelf.coverage() })
            .collect()
    }

    /// How much of a collection is searchable; `None` when there is none of this name.
    pub fn coverage(&self, collection: &CollectionName) -> Option<Coverage> {
        Some(self.shelves.read().get(collection)?.coverage())
    }

    /// The documents of a collection by path, after the path `after`, `limit` at most.
    pub async fn sources(
        &self,
        collection: &CollectionName,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<SourceSummary>, LibraryError> {
        let Some(shelf) = self.shelf(collection) else {
            return Ok(Vec::new());
        };
        Ok(self.store.documents().sources(shelf.id, after.map(str::to_owned), limit).await?)
    }

    /// Files of a collection that were not taken the last time, with the reason, by path.
    pub async fn skipped(&self, collection: &CollectionName) -> Result<Vec<(String, String)>, LibraryError> {
        let Some(shelf) = self.shelf(collection) else {
            return Ok(Vec::new());
        };
        Ok(self.store.documents().skipped(shelf.id).await?)
    }

    /// A document with its text.
    pub async fn source(&self, id: SourceId) -> Result<Option<Source>, LibraryError> {
        Ok(self.store.documents().source(id).await?)
    }

    /// Brings the indexes of all collections to what the store holds: after a crash, or where an index is
    /// missing. Without a difference nothing is written.
    pub async fn catch_up(&self) -> Result<(), LibraryError> {
        let shelves: Vec<Arc<Shelf>> = self.shelves.read().values().cloned().collect();
        for shelf in shelves {
            let _one_at_a_time = shelf.running.lock().await;
            let mut follower = Follower::new(self.store.clone(), shelf.clone());
            follower.follow(true).await?;
            follower.finish().await?;
        }
        Ok(())
    }

    /// Makes a collection known before its first run: searches find it, and say that it is being indexed.
    pub async fn expect(&self, collection: &CollectionName) -> Result<(), LibraryError> {
        self.ensure_shelf(collection).await?.indexing.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// Deletes a collection and all its documents; `false` when there is none of this name.
    pub async fn remove(&self, collection: &CollectionName) -> Result<bool, LibraryError> {
        let Some(shelf) = self.shelf(collection) else {
            return Ok(false);
        };
        let _not_while_indexing = shelf.running.lock().await;
        self.store.documents().delete_collection(collection).await?;
        self.shelves.write().remove(collection);
        let folder = self.index_folder(shelf.id);
        blocking(move || if folder.exists() { std::fs::remove_dir_all(&folder) } else { Ok(()) })
            .await?
            .map_err(|source| LibraryError::Path { path: self.index_folder(shelf.id), source })?;
        Ok(true)
    }

    /// The collection meant where none is named: `default`, or the only one there is.
    pub fn default_collection(&self) -> CollectionName {
        let shelves = self.shelves.read();
        let only = shelves.keys().next().filter(|_| shelves.len() == 1);
        only.filter(|_| !shelves.contains_key("default")).cloned().unwrap_or_else(|| "default".into())
    }

    pub(crate) fn shelf(&self, collection: &CollectionName) -> Option<Arc<Shelf>> {
        self.shelves.read().get(collection).cloned()
    }

    /// The collection, made when there is none.
    pub(crate) async fn ensure_shelf(&self, collection: &CollectionName) -> Result<Arc<Shelf>, LibraryError> {
        if let Some(shelf) = self.shelf(collection) {
            return Ok(shelf);
        }
        let epoch = i64::from_le_bytes(random_bytes());
        let row = self.store.documents().ensure_collection(collection, epoch).await?;
        self.shelve(row).await
    }

    async fn shelve(&self, row: Collection) -> Result<Arc<Shelf>, LibraryError> {
        let folder = self.index_folder(row.id);
        let index = blocking(move || SearchIndex::open(&folder)).await?;
        let shelf = Shelf {
            id: row.id,
            epoch: row.epoch,
            index,
            running: tokio::sync::Mutex::default(),
            found: AtomicU64::new(row.sources),
            indexed: AtomicU64::new(0),
            indexing: AtomicBool::new(false),
            settings: RwLock::new(Arc::new(Settings::of(&row.settings))),
        };
        if let Some(generation) = shelf.generation() {
            let indexed = self.store.documents().sources_up_to(row.id, generation).await?;
            shelf.indexed.store(indexed, Ordering::Relaxed);
        }
        // Two that make one collection at once end with the same shelf.
        Ok(self.shelves.write().entry(row.name).or_insert_with(|| Arc::new(shelf)).clone())
    }

    fn index_folder(&self, collection: i64) -> PathBuf {
        self.folder.join(collection.to_string())
    }

    async fn search_in(
        &self,
        span: &mut SpanScope,
        shelf: Arc<Shelf>,
        query: &SearchQuery,
    ) -> Result<SearchResult, RetrievalError> {
        let coverage = shelf.coverage();
        span.set("hanok.coverage", json!(coverage));
        let (found, terms) =
            bm25(span.context(), shelf, &query.text, query.top_k.saturating_add(SPARE)).await?;
        if terms == 0 {
            return Err(RetrievalError::EmptyQuery(query.text.clone()));
        }
        let ids = found.iter().map(|found| found.key).collect();
        let chunks =
            self.store.documents().chunks(ids).await.map_err(|e| RetrievalError::Failed(e.into()))?;
        let hits = hits(&found, chunks, query.top_k);
        Ok(SearchResult { hits, coverage })
    }
}

impl Retriever for Library {
    fn search<'a>(
        &'a self,
        cx: &'a CallContext,
        query: &'a SearchQuery,
    ) -> BoxFuture<'a, Result<SearchResult, RetrievalError>> {
        Box::pin(async move {
            let mut span = cx.span(Operation::Retrieval, format!("retrieval {}", query.collection));
            span.set("gen_ai.operation.name", "retrieval");
            span.set("hanok.collection", query.collection.as_str());
            span.set("hanok.query", query.text.as_str());
            span.set("hanok.top_k", query.top_k);
            let result = match self.shelf(&query.collection) {
                Some(shelf) => self.search_in(&mut span, shelf, query).await,
                None => Err(RetrievalError::UnknownCollection {
                    name: query.collection.clone(),
                    known: self.shelves.read().keys().map(ToString::to_string).collect(),
                }),
            };
            match &result {
                Ok(result) => {
                    // Beside the hits, which are large and so kept apart.
                    span.set("hanok.hit_count", result.hits.len());
                    span.set("hanok.hits", Value::Array(result.hits.iter().map(shown).collect()));
                    span.succeed();
                }
                Err(error) => span.fail(kind(error), error.to_string()),
            }
            result
        })
    }
}

/// The best documents of a shelf, each with the score of its best chunk. Blocks.
pub(crate) fn best_sources(
    shelf: &Shelf,
    text: &str,
    limit: usize,
) -> Result<Vec<(SourceId, f64)>, IndexError> {
    let terms = shelf.index.terms_of(text)?;
    let mut chunks = limit.saturating_mul(2);
    loop {
        let found = shelf.index.search(&terms, chunks)?;
        let mut seen = HashSet::with_capacity(limit);
        let best = found.iter().filter(|found| seen.insert(found.group));
        let best: Vec<(SourceId, f64)> =
            best.take(limit).map(|found| (SourceId(found.group), found.score)).collect();
        if best.len() == limit || found.len() < chunks {
            return Ok(best);
        }
        chunks = chunks.saturating_mul(2);
    }
}

/// One leg: the best chunks by BM25, and how many terms were searched for.
async fn bm25(
    cx: &CallContext,
    shelf: Arc<Shelf>,
    text: &str,
    limit: usize,
) -> Result<(Vec<Found>, usize), RetrievalError> {
    let mut span = cx.span(Operation::Search, "search bm25");
    span.set("hanok.leg", "bm25");
    let text = text.to_owned();
    let ran = blocking(move || -> Result<(Vec<Found>, Terms), IndexError> {
        let terms = shelf.index.terms_of(&text)?;
        let found = if terms.is_empty() { Vec::new() } else { shelf.index.search(&terms, limit)? };
        Ok((found, terms))
    });
    let ran = ran.await.and_then(|ran| ran.map_err(LibraryError::from));
    match ran {
        Ok((found, terms)) => {
            span.set("hanok.terms", terms.iter().map(|(term, _)| term).collect::<Vec<_>>());
            span.set("hanok.hit_count", found.len());
            span.finish();
            Ok((found, terms.iter().count()))
        }
        Err(error) => {
            span.fail("search_failed", error.to_string());
            Err(RetrievalError::Failed(error.into()))
        }
    }
}

/// The chunks as hits, best first, without those that say what a better one of their document says.
fn hits(found: &[Found], chunks: Vec<Chunk>, limit: usize) -> Vec<Hit> {
    let scores: BTreeMap<u64, f64> = found.iter().map(|found| (found.key, found.score)).collect();
    let mut hits: Vec<Hit> = Vec::with_capacity(limit.min(chunks.len()));
    let mut said: HashSet<(SourceId, blake3::Hash)> = HashSet::new();
    for chunk in chunks {
        if hits.len() == limit {
            break;
        }
        let overlaps =
            |hit: &&Hit| hit.source_id == chunk.source_id && hit.start < chunk.end && chunk.start < hit.end;
        let same = |hit: &Hit| {
            let common = hit.end.min(chunk.end) - hit.start.max(chunk.start);
            common * 2 > (hit.end - hit.start).min(chunk.end - chunk.start)
        };
        if hits.iter().filter(overlaps).any(same)
            || !said.insert((chunk.source_id, blake3::hash(chunk.text.as_bytes())))
        {
            continue;
        }
        hits.push(Hit {
            source_id: chunk.source_id,
            source: chunk.path,
            heading: chunk.heading,
            start: chunk.start,
            end: chunk.end,
            text: chunk.text,
            score: scores.get(&chunk.id).copied().unwrap_or_default(),
            about: About::default(),
        });
    }
    hits
}

/// A hit as the span keeps it: all but its text, which the source still has.
fn shown(hit: &Hit) -> Value {
    json!({
        "source": hit.source,
        "source_id": hit.source_id.to_string(),
        "heading": hit.heading,
        "start": hit.start,
        "end": hit.end,
        "score": hit.score,
    })
}

fn kind(error: &RetrievalError) -> &'static str {
    match error {
        RetrievalError::UnknownCollection { .. } => "unknown_collection",
        RetrievalError::EmptyQuery(_) => "empty_query",
        RetrievalError::Failed(_) => "search_failed",
    }
}

/// Not for secrets: tells one history from another.
fn random_bytes() -> [u8; 8] {
    let mut bytes = [0; 8];
    for (to, from) in bytes.iter_mut().zip(hanok_base::TraceId::random().as_bytes()) {
        *to = *from;
    }
    bytes
}
