//! The dense leg's index: vectors follow the store as words do, behind them.
//!
//! The store keeps every vector under the hash of the text it is of, so that a text is embedded once, whatever
//! becomes of the index, of the chunk's id or of the run; the index is filled from there and can always be built again.

use crate::equipment::Readiness;
use crate::error::{LibraryError, blocking};
use crate::follow::Mark;
use crate::library::{Library, Shelf};
use crate::stretch::Stretches;
use crate::sync::Cancel;
use crate::trial::Trials;
use hanok_base::{CollectionName, EmbedKind, Embedder, Recorder};
use hanok_index::{VectorIndex, VectorWriter};
use hanok_store::Store;
use hanok_store::documents::{Delta, IndexedSource, NewChunk};
use hanok_store::vectors::{PackedVector, TextHash};
use parking_lot::RwLock;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Texts that are embedded and kept together: what a kill costs at most.
const BATCH: usize = 64;
/// How long vectors wait at most to be found while more come.
const COMMIT_EVERY: Duration = Duration::from_secs(5);
/// Behind the mark of an index that has once held every chunk.
const WHOLE: &str = " whole";

/// The vectors of one collection by one embedder.
pub(crate) struct Dense {
    pub(crate) embedder: Arc<dyn Embedder>,
    pub(crate) index: VectorIndex,
    /// What the embedder knows of this collection; `None` before it was tried.
    pub(crate) trial: RwLock<Option<Trials>>,
}

/// How far the embedding of a collection is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Embedded {
    /// Chunks that have a vector.
    pub embedded: u64,
    /// Chunks there are.
    pub chunks: u64,
}

impl Dense {
    /// Opens what there is in the folder of a collection's vectors.
    pub(crate) async fn open(
        store: &Store,
        shelf: &Shelf,
        folder: &Path,
        embedder: Arc<dyn Embedder>,
    ) -> Result<Arc<Self>, LibraryError> {
        let dir = folder.join(name_of(embedder.id()));
        let index = blocking(move || VectorIndex::open(&dir)).await?;
        let trial = store.vectors().trial(shelf.id, embedder.id()).await?;
        // One of another form is as good as none.
        let trial = trial.and_then(|text| serde_json::from_str(&text).ok());
        Ok(Arc::new(Self { embedder, index, trial: RwLock::new(trial) }))
    }

    /// The store's generation it is at; `None` when it follows no history of this collection.
    pub(crate) fn generation(&self, epoch: i64) -> Option<u64> {
        let mark = self.index.mark()?;
        let mark = Mark::parse(mark.strip_suffix(WHOLE).unwrap_or(&mark))?;
        (mark.epoch == epoch).then_some(mark.generation)
    }

    /// Whether it has once held every chunk, so that searches may ask it.
    pub(crate) fn is_whole(&self, epoch: i64) -> bool {
        self.index.mark().is_some_and(|mark| mark.ends_with(WHOLE)) && self.generation(epoch).is_some()
    }
}

/// A folder's name for an embedder.
pub(crate) fn name_of(embedder: &str) -> String {
    blake3::hash(embedder.as_bytes()).to_hex().chars().take(16).collect()
}

/// What of a chunk is embedded: its title and headings before its text, as they are beside it in the index of words.
pub(crate) fn embedded_text(title: &str, chunk: &NewChunk, text: &str) -> String {
    let body = text.get(chunk.start..chunk.end).unwrap_or_default();
    let title = if chunk.heading.starts_with(title) { "" } else { title };
    let parts = [title, &chunk.heading, body];
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.trim().is_empty()).collect();
    parts.join("\n")
}

impl Library {
    /// How far the embedding of a collection is with the embedder it is to have; `None` when it is to have none.
    pub async fn embedded(&self, collection: &CollectionName) -> Result<Option<Embedded>, LibraryError> {
        let (Some(shelf), Some(embedder)) = (self.shelf(collection), self.equipment(collection).embedder)
        else {
            return Ok(None);
        };
        let (chunks, embedded) = self.store.vectors().coverage(shelf.id, embedder.id()).await?;
        Ok(Some(Embedded { embedded, chunks }))
    }

    /// Brings a collection's vectors to what the store holds, by the embedder it is equipped with; without one
    /// nothing is done. What is embedded already is not embedded again. Until all of it is, searches ask the vectors
    /// of the embedder before, and afterwards the new ones. One run of a collection at a time; a second one waits.
    ///
    /// Nothing is done while what it is to be searched with is still being opened, or cannot be.
    ///
    /// `tell` hears how far it is. The embedder's calls are recorded where there is a `recorder`, some hundred texts a
    /// trace.
    pub async fn embed(
        &self,
        recorder: Option<&dyn Recorder>,
        collection: &CollectionName,
        tell: &(dyn Fn(Embedded) + Send + Sync),
        cancel: &Cancel,
    ) -> Result<(), LibraryError> {
        let Some(shelf) = self.shelf(collection) else { return Ok(()) };
        let _one_at_a_time = shelf.embedding.lock().await;
        let equipment = self.equipment(collection);
        if equipment.readiness != Readiness::Ready {
            // Which embedder it is to have is not known yet; whoever opens it has all embedded then.
            return Ok(());
        }
        let Some(embedder) = equipment.embedder.clone() else {
            *shelf.dense.write() = None;
            self.store.vectors().sweep().await?;
            return Ok(());
        };
        let folder = self.vectors_folder(shelf.id);
        let serving = shelf.dense.read().clone().filter(|dense| dense.embedder.id() == embedder.id());
        let dense = match serving {
            Some(dense) => dense,
            None => Dense::open(&self.store, &shelf, &folder, embedder).await?,
        };
        dense.index.forget_if_gone();
        let id = dense.embedder.id().to_owned();
        let (chunks, embedded) = self.store.vectors().coverage(shelf.id, &id).await?;
        let traces = Stretches::new(recorder, collection, &id);
        let mut run =
            Run { store: &self.store, shelf: &shelf, dense: &dense, traces, tell, cancel, chunks, embedded };
        run.tell();
        if !run.follow().await? {
            return Ok(());
        }
        // Deletions that were forgotten while no vectors followed, or vectors lost: the store knows better.
        let (chunks, _) = self.store.vectors().coverage(shelf.id, &id).await?;
        if run.dense.index.len() != chunks {
            run.empty().await?;
            if !run.follow().await? {
                return Ok(());
            }
        }
        self.try_out(&mut run.traces, &shelf, &dense).await?;
        drop(run);
        let former = shelf.dense.write().replace(dense);
        self.keep_serving(&shelf, &id, equipment.embedder_from).await?;
        if former.is_none_or(|former| former.embedder.id() != id) {
            self.store.vectors().forget_others(shelf.id, &id).await?;
            let kept = name_of(&id);
            blocking(move || remove_but(&folder, &kept)).await?;
        }
        self.store.vectors().sweep().await?;
        Ok(())
    }

    /// Finds out what the embedder knows of the collection, where that is not known of it as it is now.
    async fn try_out(
        &self,
        traces: &mut Stretches<'_>,
        shelf: &Shelf,
        dense: &Dense,
    ) -> Result<(), LibraryError> {
        let chunks = dense.index.len();
        if dense.trial.read().as_ref().is_some_and(|trial| trial.still_holds(chunks)) {
            return Ok(());
        }
        let trial = Trials::hold(&self.store, traces, shelf.id, &*dense.embedder, chunks).await?;
        let text = serde_json::to_string(&trial).map_err(|error| LibraryError::Worker(error.into()))?;
        self.store.vectors().set_trial(shelf.id, dense.embedder.id(), text).await?;
        *dense.trial.write() = Some(trial);
        Ok(())
    }
}

/// Removes the vectors of all embedders but one. What cannot be removed stays, and harms nobody.
fn remove_but(folder: &Path, kept: &str) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    for entry in entries.flatten().filter(|entry| entry.file_name().to_str() != Some(kept)) {
        if let Err(error) = std::fs::remove_dir_all(entry.path()) {
            tracing::warn!(folder = %entry.path().display(), %error, "old vectors cannot be removed");
        }
    }
}

struct Run<'a> {
    store: &'a Store,
    shelf: &'a Shelf,
    dense: &'a Dense,
    traces: Stretches<'a>,
    tell: &'a (dyn Fn(Embedded) + Send + Sync),
    cancel: &'a Cancel,
    chunks: u64,
    embedded: u64,
}

/// A chunk to be found by its vector.
struct Wanted {
    key: u64,
    group: u64,
    hash: TextHash,
    text: String,
}

impl Run<'_> {
    fn tell(&self) {
        (self.tell)(Embedded { embedded: self.embedded.min(self.chunks), chunks: self.chunks });
    }

    /// Forgets the index's content, so that it is filled again from the store.
    async fn empty(&self) -> Result<(), LibraryError> {
        let mut writer = self.dense.index.writer()?;
        let mark = Mark { epoch: self.shelf.epoch, generation: 0 }.text();
        blocking(move || {
            writer.clear();
            writer.commit(&mark)
        })
        .await??;
        Ok(())
    }

    /// Takes in what the store has beyond the index. `false` when it was cancelled before the end.
    async fn follow(&mut self) -> Result<bool, LibraryError> {
        let epoch = self.shelf.epoch;
        let mut at = self.dense.generation(epoch).unwrap_or(0);
        let mut whole = self.dense.is_whole(epoch);
        let mut writer: Option<VectorWriter> = None;
        let mut committed = Instant::now();
        loop {
            let delta = self.store.documents().changes_since(self.shelf.id, at).await?;
            // A database restored, or set back by a power cut, knows nothing of what the index has beyond it.
            let ahead = delta.generation < at;
            if ahead {
                at = 0;
                self.empty().await?;
                continue;
            }
            if delta.generation != at {
                let from_nothing = at == 0 && writer.is_none();
                let mut taken = match writer.take() {
                    Some(writer) => writer,
                    None => self.dense.index.writer()?,
                };
                if from_nothing {
                    taken.clear();
                }
                at = delta.generation;
                let more = delta.more;
                let Some(taken) = self.take(taken, delta).await? else { return Ok(false) };
                writer = Some(taken);
                if more && committed.elapsed() < COMMIT_EVERY {
                    continue;
                }
            }
            let more = at < self.store.documents().generation(self.shelf.id).await?;
            whole |= !more;
            if writer.is_some() || (!more && !self.dense.is_whole(epoch)) {
                let mut taken = match writer.take() {
                    Some(writer) => writer,
                    None => self.dense.index.writer()?,
                };
                let state = if whole { WHOLE } else { "" };
                let mark = Mark { epoch, generation: at }.text() + state;
                writer = Some(blocking(move || taken.commit(&mark).map(|()| taken)).await??);
                committed = Instant::now();
            }
            if !more {
                return Ok(true);
            }
        }
    }

    /// Hands a piece of the store's history to the writer; `None` when it was cancelled.
    async fn take(
        &mut self,
        mut writer: VectorWriter,
        delta: Delta,
    ) -> Result<Option<VectorWriter>, LibraryError> {
        let groups: Vec<u64> = delta
            .deleted
            .iter()
            .map(|id| id.0)
            .chain(delta.sources.iter().map(|source| source.id.0))
            .collect();
        let sources = delta.sources;
        let wanted: Vec<Wanted> = blocking(move || sources.iter().flat_map(texts_of).collect()).await?;
        let mut vectors = HashMap::new();
        for batch in wanted.chunks(BATCH) {
            if self.cancel.is_cancelled() {
                return Ok(None);
            }
            self.vectors_of(batch, &mut vectors).await?;
        }
        let writer = blocking(move || {
            for group in groups {
                writer.delete_group(group);
            }
            for chunk in &wanted {
                if let Some(vector) = vectors.get(&chunk.hash).map(PackedVector::unpack)
                    && vector.iter().any(|value| *value != 0.0)
                {
                    writer.add(chunk.key, chunk.group, &vector)?;
                }
            }
            Ok::<_, LibraryError>(writer)
        })
        .await??;
        Ok(Some(writer))
    }

    /// Finds or makes the vectors of a batch, and keeps which chunk has which.
    async fn vectors_of(
        &mut self,
        batch: &[Wanted],
        vectors: &mut HashMap<TextHash, PackedVector>,
    ) -> Result<(), LibraryError> {
        let id = self.dense.embedder.id();
        let hashes = batch.iter().map(|chunk| chunk.hash).collect();
        let known = self.store.vectors().of_texts(id, hashes).await?;
        let mut asked = HashSet::new();
        let missing: Vec<&Wanted> = batch
            .iter()
            .filter(|chunk| !known.contains_key(&chunk.hash) && !vectors.contains_key(&chunk.hash))
            .filter(|chunk| asked.insert(chunk.hash))
            .collect();
        let mut made = Vec::with_capacity(missing.len());
        if !missing.is_empty() {
            let texts: Vec<&str> = missing.iter().map(|chunk| chunk.text.as_str()).collect();
            let cx = self.traces.context(texts.len()).await?;
            let found = self.dense.embedder.embed(&cx, &texts, EmbedKind::Document).await;
            let found = found.inspect_err(|error| self.traces.failed(error))?;
            if found.len() != texts.len() {
                let (embedder, given, asked) = (id.to_owned(), found.len(), texts.len());
                return Err(LibraryError::Vectors { embedder, given, asked });
            }
            made = missing.iter().zip(&found).map(|(chunk, v)| (chunk.hash, PackedVector::new(v))).collect();
        }
        vectors.extend(known);
        vectors.extend(made.iter().cloned());
        let links = batch.iter().map(|chunk| (chunk.key, chunk.hash)).collect();
        self.store.vectors().keep(id, made, links).await?;
        self.embedded += u64::try_from(batch.len()).unwrap_or(0);
        self.tell();
        Ok(())
    }
}

fn texts_of(source: &IndexedSource) -> Vec<Wanted> {
    let of = |(key, chunk): &(u64, NewChunk)| {
        let text = embedded_text(&source.title, chunk, &source.text);
        Wanted { key: *key, group: source.id.0, hash: text_hash(&text), text }
    };
    source.chunks.iter().map(of).collect()
}

/// By which a text that is embedded is known again.
pub(crate) fn text_hash(text: &str) -> TextHash {
    let mut hash = TextHash::default();
    blake3::Hasher::new().update(text.as_bytes()).finalize_xof().fill(&mut hash);
    hash
}
