//! How texts are cut now: the settings, and what a cut by meaning compares sentences by.
//!
//! A document is kept with a number for the way its text was cut. The embedder belongs to it, so that another one cuts
//! again, and chunks of two kinds are never left beside each other by a run that came to its end.

use crate::chunking::{Chunker, Chunking, Compared, Cut, Layout, cut};
use crate::library::Library;
use crate::settings::{Settings, hash};
use hanok_base::{CallContext, EmbedKind, Embedder};
use hanok_store::documents::SourceSummary;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Handle;

/// How texts are cut in one run.
#[derive(Clone)]
pub(crate) struct Way {
    chunking: Chunking,
    /// The number of a text that was cut by words.
    words: u64,
    /// The same by vectors, and by words where vectors would have been too many.
    meaning: Option<(u64, u64)>,
    /// Only where texts are cut by meaning.
    embedder: Option<Arc<dyn Embedder>>,
    /// Whether it failed: what comes after is not kept waiting for it, and the next run asks it again.
    failed: Arc<AtomicBool>,
}

/// What the sentences of a document were compared by, where it is cut by meaning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// The vectors of this embedder.
    Vectors(String),
    /// Their words: there is no embedder, it failed, or the document has too many sentences for one.
    Words,
    /// It was cut by other settings or another embedder, and will be cut again by the next run.
    Former,
}

impl Way {
    /// That of settings and of the embedder of their collection.
    pub(crate) fn of(settings: &Settings, embedder: Option<Arc<dyn Embedder>>) -> Self {
        let chunking = settings.chunking.clone();
        let embedder = embedder.filter(|_| chunking.by == Chunker::Semantic);
        let mark = chunking.mark();
        let meaning = embedder.as_ref().map(|embedder| {
            let id = embedder.id();
            (hash(&format!("{mark} {id}")), hash(&format!("{mark} {id} words")))
        });
        Self { words: hash(&mark), meaning, chunking, embedder, failed: Arc::default() }
    }

    /// Whether a text that was cut by this needs no new cut.
    pub(crate) fn holds(&self, cut_by: u64) -> bool {
        match self.meaning {
            Some((vectors, bounded)) => cut_by == vectors || cut_by == bounded,
            None => cut_by == self.words,
        }
    }

    /// Cuts a text; with the number of the way it was cut. Blocks, on a thread that `runtime` does not run.
    pub(crate) fn cut(&self, text: &str, layout: Layout, runtime: &Handle) -> (Cut, u64) {
        let vectors = |texts: &[&str]| {
            let embedder = self.embedder.as_ref().filter(|_| !self.failed.load(Ordering::Relaxed))?;
            match runtime.block_on(embedder.embed(&CallContext::unrecorded(), texts, EmbedKind::Document)) {
                Ok(vectors) => Some(vectors),
                Err(error) => {
                    self.failed.store(true, Ordering::Relaxed);
                    tracing::warn!(%error, "sentences cannot be embedded and are compared by words till the next run");
                    None
                }
            }
        };
        let cut = match self.embedder {
            Some(_) => cut(text, layout, &self.chunking, Some(&vectors)),
            None => cut(text, layout, &self.chunking, None),
        };
        let number = self.number(cut.compared);
        (cut, number)
    }

    fn number(&self, compared: Compared) -> u64 {
        match (self.meaning, compared) {
            (None, _) | (_, Compared::Words) => self.words,
            (Some((vectors, _)), Compared::Meaning) => vectors,
            (Some((_, bounded)), Compared::Bounded) => bounded,
        }
    }
}

impl Library {
    /// What the sentences of a document were compared by; `None` where its collection is not cut by meaning.
    pub fn comparison(&self, source: &SourceSummary) -> Option<Comparison> {
        let settings = self.settings(&source.collection)?;
        if settings.chunking.by != Chunker::Semantic {
            return None;
        }
        let way = Way::of(&settings, self.equipment(&source.collection).embedder);
        let is = |compared| way.number(compared) == source.cut_by;
        Some(match &way.embedder {
            Some(embedder) if is(Compared::Meaning) => Comparison::Vectors(embedder.id().to_owned()),
            _ if is(Compared::Bounded) || is(Compared::Words) => Comparison::Words,
            _ => Comparison::Former,
        })
    }
}
