//! The collections of one data folder: what is in them, and the search over them.

use crate::chunking::gather;
use crate::dense::Dense;
use crate::equipment::{Equipment, Readiness};
use crate::error::{LibraryError, blocking};
use crate::filter::conditions;
use crate::follow::{Follower, Mark};
use crate::fuse::Fused;
use crate::intake::Intake;
use crate::legs::{Admitted, Ranking, ranked};
use crate::names::Names;
use crate::settings::Settings;
use hanok_base::{
    About, BoxFuture, CallContext, CollectionName, Coverage, Hit, LeftOut, Operation, Reranker,
    RetrievalError, Retriever, SearchQuery, SearchResult, SourceId, SpanScope, Vote,
};
use hanok_index::SearchIndex;
use hanok_store::Store;
use hanok_store::documents::{Chunk, Collection, Source, SourceSummary};
use hanok_store::metadata::SourceQuery;
use parking_lot::{Mutex, RwLock};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Hits beyond those asked for that are looked at, as some say the same or are gone.
const SPARE: usize = 8;
/// Hits a reranker looks at, at least.
const RERANKED: usize = 50;

/// The collections of one store with their search indexes.
pub struct Library {
    pub(crate) store: Store,
    folder: PathBuf,
    pub(crate) names: Names,
    shelves: RwLock<BTreeMap<CollectionName, Arc<Shelf>>>,
    pub(crate) intake: RwLock<Intake>,
    /// What a collection is searched with; `None` is for those that are not named.
    equipment: RwLock<HashMap<Option<CollectionName>, Equipment>>,
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
    /// The vectors that searches ask.
    pub(crate) dense: RwLock<Option<Arc<Dense>>>,
    /// Held by the one run that embeds.
    pub(crate) embedding: tokio::sync::Mutex<()>,
    /// What the last conditions admitted, and at which generation.
    admitted: Mutex<Option<LastAdmitted>>,
    /// Held by the one run that indexes.
    pub(crate) running: tokio::sync::Mutex<()>,
    pub(crate) found: AtomicU64,
    pub(crate) indexed: AtomicU64,
    pub(crate) indexing: AtomicBool,
    pub(crate) settings: RwLock<Arc<Settings>>,
    /// Told when they change, for whoever follows the collection's files.
    pub(crate) resettled: tokio::sync::Notify,
    /// Held while what is kept with the collection is changed.
    pub(crate) keeping: tokio::sync::Mutex<()>,
}

/// Conditions, the generation they were asked at, and the documents that meet them.
type LastAdmitted = (SourceQuery, u64, Arc<HashSet<u64>>);

impl Shelf {
    /// The store's generation that the index of words is at which is written; `None` when it follows no history of this
    /// collection.
    pub(crate) fn generation(&self) -> Option<u64> {
        self.at(self.index.mark())
    }

    /// The same of the one that searches ask, which may be one of other terms.
    pub(crate) fn generation_asked(&self) -> Option<u64> {
        self.at(self.index.mark_of_asked())
    }

    fn at(&self, mark: Option<String>) -> Option<u64> {
        let mark = mark.and_then(|mark| Mark::parse(&mark))?;
        (mark.epoch == self.epoch).then_some(mark.generation)
    }

    pub(crate) fn settings(&self) -> Arc<Settings> {
        self.settings.read().clone()
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
            equipment: RwLock::default(),
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
        let _not_while_embedding = shelf.embedding.lock().await;
        self.store.vectors().sweep().await?;
        for folder in [self.index_folder(shelf.id), self.vectors_folder(shelf.id)] {
            let gone = folder.clone();
            blocking(move || if gone.exists() { std::fs::remove_dir_all(&gone) } else { Ok(()) })
                .await?
                .map_err(|source| LibraryError::Path { path: folder, source })?;
        }
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
        let settings = Settings::of(&row.settings);
        let analysis = settings.analysis();
        let index = blocking(move || SearchIndex::open_analyzed(&folder, analysis)).await?;
        let shelf = Shelf {
            id: row.id,
            epoch: row.epoch,
            index,
            dense: RwLock::default(),
            embedding: tokio::sync::Mutex::default(),
            admitted: Mutex::default(),
            running: tokio::sync::Mutex::default(),
            found: AtomicU64::new(row.sources),
            indexed: AtomicU64::new(0),
            indexing: AtomicBool::new(false),
            settings: RwLock::new(Arc::new(settings)),
            resettled: tokio::sync::Notify::new(),
            keeping: tokio::sync::Mutex::default(),
        };
        if let Some(generation) = shelf.generation_asked() {
            let indexed = self.store.documents().sources_up_to(row.id, generation).await?;
            shelf.indexed.store(indexed, Ordering::Relaxed);
        }
        // Two that make one collection at once end with the same shelf.
        Ok(self.shelves.write().entry(row.name).or_insert_with(|| Arc::new(shelf)).clone())
    }

    fn index_folder(&self, collection: i64) -> PathBuf {
        self.folder.join(collection.to_string())
    }

    /// Where the vectors of a collection are, a folder for each embedder.
    pub(crate) fn vectors_folder(&self, collection: i64) -> PathBuf {
        self.folder.join("vectors").join(collection.to_string())
    }

    /// What a collection is searched with.
    pub fn equipment(&self, collection: &CollectionName) -> Equipment {
        let equipment = self.equipment.read();
        equipment.get(&Some(collection.clone())).or_else(|| equipment.get(&None)).cloned().unwrap_or_default()
    }

    /// Says what a collection is to be searched with from now on; without a name, all that were not named. Vectors
    /// that are complete are asked at once; otherwise those of the embedder before are, until [`Library::embed`] has
    /// made the new ones.
    pub async fn equip(
        &self,
        collection: Option<&CollectionName>,
        equipment: Equipment,
    ) -> Result<(), LibraryError> {
        self.equipment.write().insert(collection.cloned(), equipment);
        let shelves: Vec<(CollectionName, Arc<Shelf>)> =
            self.shelves.read().iter().map(|(name, shelf)| (name.clone(), shelf.clone())).collect();
        for (name, shelf) in shelves.iter().filter(|(name, _)| collection.is_none_or(|only| only == name)) {
            self.unpack(name, shelf).await?;
        }
        Ok(())
    }

    /// Says how it is with what a collection is to be searched with; what it is searched with now stays. Without a
    /// name, of all that were not named.
    pub fn set_readiness(&self, collection: Option<&CollectionName>, readiness: Readiness) {
        self.equipment.write().entry(collection.cloned()).or_default().readiness = readiness;
    }

    /// Takes the vectors that a collection is to have into use, if they are complete.
    async fn unpack(&self, name: &CollectionName, shelf: &Shelf) -> Result<(), LibraryError> {
        let equipment = self.equipment(name);
        let Some(embedder) = equipment.embedder else {
            if equipment.readiness == Readiness::Ready {
                *shelf.dense.write() = None;
            }
            return Ok(());
        };
        if shelf.dense.read().as_ref().is_some_and(|dense| dense.embedder.id() == embedder.id()) {
            return Ok(());
        }
        let dense = Dense::open(&self.store, shelf, &self.vectors_folder(shelf.id), embedder).await?;
        if dense.is_whole(shelf.epoch) {
            *shelf.dense.write() = Some(dense);
        }
        Ok(())
    }

    /// The documents a search may find.
    async fn admitted(&self, shelf: &Shelf, query: &SearchQuery) -> Result<Admitted, RetrievalError> {
        let Some(conditions) = conditions(&query.filter, &query.readers)? else { return Ok(None) };
        let generation = shelf.generation().unwrap_or_default();
        if let Some((known, at, admitted)) = &*shelf.admitted.lock()
            && *known == conditions
            && *at == generation
        {
            return Ok(Some(admitted.clone()));
        }
        let found = self.store.documents().groups_where(shelf.id, conditions.clone()).await;
        let found = found.map_err(|error| RetrievalError::Failed(error.into()))?;
        let admitted: Arc<HashSet<u64>> = Arc::new(found.into_iter().map(|id| id.0).collect());
        *shelf.admitted.lock() = Some((conditions, generation, admitted.clone()));
        Ok(Some(admitted))
    }

    async fn search_in(
        &self,
        span: &mut SpanScope,
        shelf: Arc<Shelf>,
        query: &SearchQuery,
    ) -> Result<SearchResult, RetrievalError> {
        let coverage = shelf.coverage();
        span.set("hanok.coverage", json!(coverage));
        let equipment = self.equipment(&query.collection);
        let admitted = self.admitted(&shelf, query).await?;
        if let Some(admitted) = &admitted {
            span.set("hanok.filter", query.filter.as_str());
            span.set("hanok.admitted", admitted.len());
        }
        // What one document may not fill, and what a reranker may lift, must be among what is looked at.
        let spare = if equipment.per_source.is_some() { SPARE * 4 } else { SPARE };
        let wanted =
            query.top_k.saturating_add(spare).max(equipment.reranker.as_ref().map_or(0, |_| RERANKED));
        let cx = span.context().clone();
        let ranking =
            ranked(&cx, &self.store, &shelf, &equipment, &query.text, query.legs, wanted, admitted).await?;
        span.set("hanok.dense_weight", ranking.dense_weight);
        if !ranking.dense_reason.is_empty() {
            span.set("hanok.dense_reason", ranking.dense_reason.as_str());
        }
        let ids = ranking.chunks.iter().take(wanted).map(|fused| fused.key).collect();
        let chunks =
            self.store.documents().chunks(ids).await.map_err(|e| RetrievalError::Failed(e.into()))?;
        let most = if equipment.reranker.is_some() { wanted } else { query.top_k };
        let chunks = gather(chunks, shelf.settings().chunking.parents);
        let mut hits = hits(&ranking, chunks, most, equipment.per_source);
        let mut left_out: Vec<LeftOut> = ranking.left_out.into_iter().collect();
        if let Some(reranker) = &equipment.reranker {
            let failed = rerank(&cx, &**reranker, &query.text, &mut hits).await.err();
            left_out.extend(failed.map(|reason| LeftOut { leg: "rerank".to_owned(), reason }));
            hits.truncate(query.top_k);
        }
        Ok(SearchResult { hits, coverage, left_out })
    }
}

/// Puts hits into the order a reranker gives them. Where it fails they stay as they are; the error says why, as its span
/// does.
async fn rerank(
    cx: &CallContext,
    reranker: &dyn Reranker,
    question: &str,
    hits: &mut Vec<Hit>,
) -> Result<(), String> {
    let mut span = cx.span(Operation::Search, "rerank");
    span.set("hanok.leg", "rerank");
    span.set("hanok.reranker", reranker.id());
    span.set("hanok.hit_count", hits.len());
    let texts: Vec<&str> = hits.iter().map(|hit| hit.text.as_str()).collect();
    let scores = match reranker.rerank(span.context(), question, &texts).await {
        Ok(scores) if scores.len() == hits.len() => Ok(scores),
        Ok(scores) => Err(format!("{} scores for {} texts", scores.len(), hits.len())),
        Err(error) => Err(error.to_string()),
    };
    let scores = scores.map_err(|why| {
        span.fail("rerank_failed", why.clone());
        format!("the reranker failed: {why}")
    })?;
    span.finish();
    let mut scored: Vec<(f32, Hit)> = scores.into_iter().zip(hits.drain(..)).collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0));
    hits.extend(scored.into_iter().zip(1..).map(|((score, mut hit), rank)| {
        let score = f64::from(score);
        let vote = Vote { leg: "rerank".into(), rank, score, weight: 1.0, reason: reranker.id().into() };
        hit.about.votes.push(vote);
        Hit { score, ..hit }
    }));
    Ok(())
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
                    if !result.left_out.is_empty() {
                        span.set("hanok.left_out", json!(result.left_out));
                    }
                    span.succeed();
                }
                Err(error) => span.fail(kind(error), error.to_string()),
            }
            result
        })
    }
}

/// The chunks as hits, best first, without those that say what a better one of their document says, and with no more of
/// one document than are wanted.
fn hits(ranking: &Ranking, chunks: Vec<Chunk>, limit: usize, per_source: Option<usize>) -> Vec<Hit> {
    let fused: HashMap<u64, &Fused> = ranking.chunks.iter().map(|fused| (fused.key, fused)).collect();
    let mut hits: Vec<Hit> = Vec::with_capacity(limit.min(chunks.len()));
    let mut said: HashSet<(SourceId, blake3::Hash)> = HashSet::new();
    for chunk in chunks {
        if hits.len() == limit {
            break;
        }
        let Some(found) = fused.get(&chunk.id) else { continue };
        let overlaps =
            |hit: &&Hit| hit.source_id == chunk.source_id && hit.start < chunk.end && chunk.start < hit.end;
        let same = |hit: &Hit| {
            let common = hit.end.min(chunk.end) - hit.start.max(chunk.start);
            common * 2 > (hit.end - hit.start).min(chunk.end - chunk.start)
        };
        let hash = blake3::hash(chunk.text.as_bytes());
        let of_source = || hits.iter().filter(|hit| hit.source_id == chunk.source_id).count();
        if hits.iter().filter(overlaps).any(same)
            || per_source.is_some_and(|most| of_source() >= most)
            || !said.insert((chunk.source_id, hash))
        {
            continue;
        }
        let votes = ranking.votes(found, &chunk.heading, &chunk.text);
        let about = About {
            pages: chunk.pages(),
            hash: hash.to_hex().to_string(),
            indexed_at: chunk.about.indexed_at,
            trust: chunk.about.trust,
            metadata: chunk.about.metadata.clone(),
            votes,
        };
        hits.push(Hit {
            source_id: chunk.source_id,
            source: chunk.path,
            heading: chunk.heading,
            start: chunk.start,
            end: chunk.end,
            text: chunk.text,
            score: found.score,
            about,
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
        "votes": hit.about.votes,
    })
}

fn kind(error: &RetrievalError) -> &'static str {
    match error {
        RetrievalError::UnknownCollection { .. } => "unknown_collection",
        RetrievalError::EmptyQuery(_) => "empty_query",
        RetrievalError::BadFilter(_) => "bad_filter",
        RetrievalError::NoVectors(_) => "no_vectors",
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
