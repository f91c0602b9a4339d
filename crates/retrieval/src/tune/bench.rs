//! Measuring: the collection as it serves, and copies of it that are cut in another way.

use super::Question;
use super::change::Setup;
use crate::chunking::Chunking;
use crate::dense::text_hash;
use crate::error::{LibraryError, blocking};
use crate::eval::{best_sources, judge};
use crate::follow::Follower;
use crate::library::Library;
use crate::settings::Settings;
use crate::sync::{Cancel, cut_again, source_id};
use crate::way::Way;
use hanok_base::{
    BoxError, BoxFuture, CallContext, CollectionName, EmbedKind, Embedder, LeftOut, ProviderError,
    ProviderErrorKind, Retriever as _, SearchQuery, SourceId,
};
use hanok_store::documents::Changes;
use hanok_store::{Options, Store};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use tokio::runtime::Handle;

/// Documents that are copied together.
const BATCH: usize = 256;

/// What a copy is made by: how texts are cut, and whether words keep their endings.
type Made = (Chunking, bool);

fn made(setup: &Setup) -> Made {
    (setup.chunking.clone(), setup.keep_endings)
}

/// A collection to measure.
pub(super) struct Bench<'a> {
    library: &'a Library,
    collection: &'a CollectionName,
    /// How it is cut, and its words indexed.
    made: Made,
    tell: &'a (dyn Fn(&str) + Send + Sync),
    copies: Option<Copies>,
    /// How many questions were ranked without something that was to take part, and why the last one was.
    pub(super) failed: Option<(usize, LeftOut)>,
}

/// Copies of the collection in a temporary folder, one for each way to make it. They share one store, so that a text that
/// two of them have is embedded once.
struct Copies {
    library: Arc<Library>,
    made: Vec<(Made, CollectionName)>,
    /// Removed behind the library.
    _folder: tempfile::TempDir,
}

impl<'a> Bench<'a> {
    pub(super) fn new(
        library: &'a Library,
        collection: &'a CollectionName,
        tell: &'a (dyn Fn(&str) + Send + Sync),
    ) -> Self {
        let settings = library.settings(collection).unwrap_or_default();
        let made = (settings.chunking.clone(), settings.keep_endings);
        Self { library, collection, made, tell, copies: None, failed: None }
    }

    /// What is in use.
    pub(super) fn in_use(&self) -> Setup {
        let (chunking, keep_endings) = self.made.clone();
        Setup { equipment: self.library.equipment(self.collection), chunking, keep_endings }
    }

    pub(super) fn tell(&self, what: &str) {
        (self.tell)(what);
    }

    /// nDCG@10 of each question over documents, cut and searched so.
    pub(super) async fn measure(
        &mut self,
        setup: &Setup,
        questions: &[&Question],
    ) -> Result<Vec<f64>, LibraryError> {
        if made(setup) == self.made {
            return measured(self.library, self.collection, setup, questions, &mut self.failed).await;
        }
        let (copies, name) = self.copy(setup).await?;
        measured(&copies, &name, setup, questions, &mut self.failed).await
    }

    /// The collection cut in another way, made where it was not yet.
    async fn copy(&mut self, setup: &Setup) -> Result<(Arc<Library>, CollectionName), LibraryError> {
        let copies = match self.copies.take() {
            Some(copies) => copies,
            None => Copies::new().await?,
        };
        let copies = self.copies.insert(copies);
        if let Some((_, name)) = copies.made.iter().find(|(known, _)| *known == made(setup)) {
            return Ok((copies.library.clone(), name.clone()));
        }
        let name = CollectionName::from(format!("copy-{}", copies.made.len()).as_str());
        let endings = if setup.keep_endings { ", without stems" } else { "" };
        let shown =
            format!("cutting by {}, {} tokens{endings}", setup.chunking.by.name(), setup.chunking.size);
        (self.tell)(&shown);
        let copy = copies.library.clone();
        let (chunking, keep_endings) = made(setup);
        let settings = Settings { chunking, keep_endings, ..Settings::default() };
        copy.configure(&name, settings).await?;
        // Before it is filled: a cut by meaning asks the embedder.
        if let Some(inner) = setup.equipment.embedder.clone() {
            let embedder = Remembering { inner, store: self.library.store.clone() };
            let equipment =
                crate::equipment::Equipment { embedder: Some(Arc::new(embedder)), ..setup.equipment.clone() };
            copy.equip(Some(&name), equipment).await?;
        }
        fill(&copy, &name, self.library, self.collection).await?;
        if setup.equipment.embedder.is_some() {
            let told = std::sync::Mutex::new(std::time::Instant::now());
            let tell = |embedded: crate::dense::Embedded| {
                let Ok(mut last) = told.lock() else { return };
                if last.elapsed().as_secs() >= 5 {
                    *last = std::time::Instant::now();
                    (self.tell)(&format!(
                        "{shown}: {} of {} chunks embedded",
                        embedded.embedded, embedded.chunks
                    ));
                }
            };
            copy.embed(None, &name, &tell, &Cancel::default()).await?;
        }
        copies.made.push((made(setup), name.clone()));
        Ok((copy, name))
    }
}

impl Copies {
    async fn new() -> Result<Self, LibraryError> {
        let folder = tempfile::tempdir()
            .map_err(|source| LibraryError::Path { path: std::env::temp_dir(), source })?;
        let path = folder.path().to_owned();
        let store = blocking(move || Store::open(&path, Options::default())).await??;
        let library = Library::open(store, folder.path()).await?;
        Ok(Self { library, made: Vec::new(), _folder: folder })
    }
}

/// Fills a collection with the texts of another one, cut as it is set.
async fn fill(
    copy: &Library,
    name: &CollectionName,
    from: &Library,
    collection: &CollectionName,
) -> Result<(), LibraryError> {
    let shelf = copy.ensure_shelf(name).await?;
    let way = Way::of(&shelf.settings(), copy.equipment(name).embedder);
    let mut follower = Follower::new(copy.store.clone(), shelf.clone());
    let mut after: Option<String> = None;
    loop {
        let page = from.sources(collection, after.as_deref(), BATCH).await?;
        let Some(last) = page.last() else { break };
        after = Some(last.path.clone());
        let mut upserts = Vec::with_capacity(page.len());
        for summary in page {
            let Some(source) = from.source(summary.id).await? else { continue };
            let (way, id) = (way.clone(), source_id(name, &summary.path));
            let runtime = Handle::current();
            let cut = blocking(move || cut_again(source, &way, &runtime)).await??;
            upserts.push(hanok_store::documents::NewSource { id, meta: Some(summary.meta), ..cut });
        }
        copy.store.documents().apply(shelf.id, Changes { upserts, ..Changes::default() }).await?;
        follower.follow(false).await?;
    }
    follower.follow(true).await?;
    follower.finish().await
}

/// An embedder that looks among the vectors of the collection first.
struct Remembering {
    inner: Arc<dyn Embedder>,
    store: Store,
}

impl Remembering {
    async fn vectors(&self, cx: &CallContext, texts: &[&str]) -> Result<Vec<Vec<f32>>, ProviderError> {
        let failed = |error: BoxError| {
            ProviderError::new(ProviderErrorKind::Internal, &"hanok".into(), error.to_string())
        };
        let hashes: Vec<_> = texts.iter().map(|text| text_hash(text)).collect();
        let known = self.store.vectors().of_texts(self.id(), hashes.clone()).await;
        let known = known.map_err(|error| failed(error.into()))?;
        let missing: Vec<&str> = texts
            .iter()
            .zip(&hashes)
            .filter(|(_, hash)| !known.contains_key(*hash))
            .map(|(text, _)| *text)
            .collect();
        let mut made = if missing.is_empty() {
            Vec::new()
        } else {
            self.inner.embed(cx, &missing, EmbedKind::Document).await?
        }
        .into_iter();
        let of =
            |hash| known.get(hash).map(hanok_store::vectors::PackedVector::unpack).or_else(|| made.next());
        // Fewer than there are texts where the embedder gave fewer, which its caller sees.
        Ok(hashes.iter().map_while(of).collect())
    }
}

impl Embedder for Remembering {
    fn id(&self) -> &str {
        self.inner.id()
    }
    fn dimensions(&self) -> Option<usize> {
        self.inner.dimensions()
    }
    fn embed<'a>(
        &'a self,
        cx: &'a CallContext,
        texts: &'a [&'a str],
        kind: EmbedKind,
    ) -> BoxFuture<'a, Result<Vec<Vec<f32>>, ProviderError>> {
        match kind {
            EmbedKind::Document => Box::pin(self.vectors(cx, texts)),
            EmbedKind::Query => self.inner.embed(cx, texts, kind),
        }
    }
}

async fn measured(
    library: &Library,
    collection: &CollectionName,
    setup: &Setup,
    questions: &[&Question],
    failed: &mut Option<(usize, LeftOut)>,
) -> Result<Vec<f64>, LibraryError> {
    let equipment = &setup.equipment;
    let shelf = library.ensure_shelf(collection).await?;
    library.equip(Some(collection), equipment.clone()).await?;
    let mut scores = Vec::with_capacity(questions.len());
    for question in questions {
        let gains: HashMap<SourceId, f64> =
            question.relevant.iter().map(|path| (source_id(collection, path), 1.0)).collect();
        // Without a reranker the ranking of documents says all, and costs less than whole hits.
        let best = if equipment.reranker.is_none() {
            best_sources(&library.store, &shelf, equipment, &question.query).await?
        } else {
            hits_of(library, collection, &question.query, failed).await?
        };
        scores.push(judge(&best, &gains, &HashMap::new()).ndcg_at_10);
    }
    Ok(scores)
}

async fn hits_of(
    library: &Library,
    collection: &CollectionName,
    query: &str,
    failed: &mut Option<(usize, LeftOut)>,
) -> Result<Vec<SourceId>, LibraryError> {
    let query = SearchQuery::new(query, collection.clone(), 50);
    let found = match library.search(&CallContext::unrecorded(), &query).await {
        Ok(found) => {
            if let Some(what) = found.left_out.into_iter().find(|what| what.leg == "rerank") {
                let times = failed.as_ref().map_or(0, |(times, _)| *times);
                *failed = Some((times + 1, what));
            }
            found.hits
        }
        Err(hanok_base::RetrievalError::EmptyQuery(_)) => Vec::new(),
        Err(error) => return Err(LibraryError::Worker(error.into())),
    };
    let mut seen = HashSet::new();
    Ok(found.into_iter().map(|hit| hit.source_id).filter(|id| seen.insert(*id)).collect())
}
