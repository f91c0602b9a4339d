//! The legs of a search, side by side, and what comes of them: one ranked list.

use crate::dense::Dense;
use crate::equipment::{Equipment, Fusion, Readiness};
use crate::error::{LibraryError, blocking};
use crate::fuse::{Fused, dense_weight, fuse};
use crate::library::Shelf;
use crate::neighbours::{CIRCLE, regard};
use crate::trial::Trial;
use hanok_base::{CallContext, EmbedKind, LeftOut, Legs, Operation, RetrievalError, Vote};
use hanok_index::{Analysis, Analyzer, Found, IndexError, Terms};
use hanok_store::Store;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// Chunks each leg gives at least when there are two: what one finds, the other has mostly scored then, too.
const DEPTH: usize = 300;

/// Documents that may be found; all where there is none.
pub(crate) type Admitted = Option<Arc<HashSet<u64>>>;

/// What the legs found.
#[derive(Debug, Default)]
pub(crate) struct Ranking {
    /// Best first.
    pub(crate) chunks: Vec<Fused>,
    /// What the dense leg counted, 0 to 1.
    pub(crate) dense_weight: f64,
    /// Why it counted so.
    pub(crate) dense_reason: String,
    /// What was searched for by words.
    pub(crate) terms: Terms,
    /// How they were made.
    pub(crate) analysis: Analysis,
    /// Vectors that were to count and did not.
    pub(crate) left_out: Option<LeftOut>,
}

impl Ranking {
    /// What the legs said of a chunk, and why.
    pub(crate) fn votes(&self, fused: &Fused, heading: &str, text: &str) -> Vec<Vote> {
        let mut votes = Vec::with_capacity(2);
        if let Some(place) = fused.words {
            let wanted: HashSet<&str> = self.terms.iter().map(|(term, _)| term).collect();
            let mut held: HashSet<&str> = HashSet::with_capacity(wanted.len());
            let mut analyzer = Analyzer::new(self.analysis);
            for text in [heading, text] {
                analyzer.scan(text, |term, _, _| held.extend(wanted.get(term)));
            }
            let shared: Vec<&str> =
                self.terms.iter().map(|(term, _)| term).filter(|term| held.contains(term)).collect();
            votes.push(Vote {
                leg: "bm25".to_owned(),
                rank: place.rank,
                score: place.score,
                weight: 1.0 - self.dense_weight,
                reason: shared.join(", "),
            });
        }
        if let Some(place) = fused.dense {
            votes.push(Vote {
                leg: "dense".to_owned(),
                rank: place.rank,
                score: place.score,
                weight: self.dense_weight,
                reason: self.dense_reason.clone(),
            });
        }
        if let Some((place, share)) = fused.neighbours {
            votes.push(Vote {
                leg: "neighbours".to_owned(),
                rank: place.rank,
                score: place.score,
                weight: share,
                reason: "how the texts most like it among the best do".to_owned(),
            });
        }
        votes
    }
}

/// Searches a shelf with the legs asked for, or those there are, each in a span of its own. Gives at least the `limit`
/// best chunks, where there are as many.
#[expect(clippy::too_many_arguments, reason = "what a search is made of")]
pub(crate) async fn ranked(
    cx: &CallContext,
    store: &Store,
    shelf: &Arc<Shelf>,
    equipment: &Equipment,
    text: &str,
    legs: Option<Legs>,
    limit: usize,
    admitted: Admitted,
) -> Result<Ranking, RetrievalError> {
    if !text.chars().any(char::is_alphanumeric) {
        return Err(RetrievalError::EmptyQuery(text.to_owned()));
    }
    let serving = shelf.dense.read().clone();
    // Vectors alone are wished for where they can be had; till then words are better than nothing.
    let usual = equipment.legs.filter(|_| serving.is_some() || equipment.readiness == Readiness::Ready);
    let wanted = legs.or(usual).unwrap_or(Legs::Hybrid);
    // Till they can be asked again, or at all, words are searched alone.
    let unready = serving.is_none() && wanted != Legs::Bm25 && equipment.readiness != Readiness::Ready;
    let mut left_out = unready.then(|| match without_vectors(&equipment.readiness) {
        RetrievalError::NoVectors(reason) => reason,
        _ => "this collection's embedder cannot be opened".to_owned(),
    });
    let dense = serving.filter(|_| wanted != Legs::Bm25);
    let trial = dense.as_ref().and_then(|dense| Some(dense.trial.read().as_ref()?.of(text).clone()));
    let mut weight = match (&dense, wanted) {
        (None, _) => 0.0,
        (Some(_), Legs::Dense) => 1.0,
        (Some(_), _) => dense_weight(equipment.fusion, trial.as_ref().map_or(1.0, |trial| trial.trust)),
    };
    let mut reason = trial.as_ref().map(Trial::reason).unwrap_or_default();
    // What counts nothing is not asked.
    if trial.as_ref().is_some_and(|trial| trial.trust <= 0.0) && weight <= 0.0 {
        left_out = Some(reason.clone());
    }
    let dense = dense.filter(|_| weight > 0.0);
    if dense.is_none() && wanted == Legs::Dense {
        return Err(without_vectors(&equipment.readiness));
    }
    let depth = if dense.is_some() && wanted == Legs::Hybrid { limit.max(DEPTH) } else { limit };
    let (words, vectors) = tokio::join!(
        async {
            match wanted {
                Legs::Dense => Ok(Words::default()),
                Legs::Bm25 | Legs::Hybrid => words(cx, shelf, text, depth, &admitted).await,
            }
        },
        async {
            match &dense {
                Some(dense) => vectors(cx, dense, text, depth, &admitted).await,
                None => Ok(Vec::new()),
            }
        }
    );
    let words = words?;
    let vectors = match vectors {
        // Words alone are better than nothing; the leg's span and the result say that it failed.
        Err(error) if !words.found.is_empty() => {
            tracing::warn!(%error, "the dense leg failed, words are searched alone");
            reason = format!("the dense leg failed: {error}");
            left_out = Some(reason.clone());
            weight = 0.0;
            Vec::new()
        }
        vectors => vectors?,
    };
    if words.terms.is_empty() && dense.is_none() {
        return Err(RetrievalError::EmptyQuery(text.to_owned()));
    }
    if words.found.is_empty() && !vectors.is_empty() {
        weight = 1.0;
    }
    let mut chunks = fuse(&words.found, &vectors, equipment.fusion, weight);
    if let (Some(dense), Fusion::Scores { dense: full }) = (&dense, equipment.fusion)
        && !vectors.is_empty()
        && wanted == Legs::Hybrid
    {
        let circle = chunks.iter().take(CIRCLE).map(|fused| fused.key).collect();
        let near = store.vectors().of_chunks(dense.embedder.id(), circle).await;
        let near = near.map_err(|error| RetrievalError::Failed(error.into()))?;
        let near: HashMap<u64, Vec<f32>> =
            near.into_iter().map(|(key, vector)| (key, vector.unpack())).collect();
        let trust = trial.as_ref().map_or(1.0, |trial| trial.trust);
        regard(&mut chunks, &near, if full > 0.0 { trust } else { 0.0 });
    }
    Ok(Ranking {
        chunks,
        dense_weight: weight,
        dense_reason: reason,
        terms: words.terms,
        analysis: shelf.index.analysis(),
        left_out: left_out.map(|reason| LeftOut { leg: "dense".to_owned(), reason }),
    })
}

/// Why a collection cannot be searched by vectors, and what to do.
fn without_vectors(readiness: &Readiness) -> RetrievalError {
    match readiness {
        Readiness::Ready => RetrievalError::NoVectors(
            "this collection has no vectors: give it an embedder and index it".to_owned(),
        ),
        Readiness::Opening => RetrievalError::NoVectors(
            "this collection's embedder is being opened: ask again, or search by words".to_owned(),
        ),
        // Where it is looked for is none of the client's.
        Readiness::Failed(reason) => {
            RetrievalError::Failed(format!("this collection's embedder cannot be opened: {reason}").into())
        }
    }
}

#[derive(Default)]
struct Words {
    found: Vec<Found>,
    terms: Terms,
}

/// The best chunks by BM25, and what was searched for.
async fn words(
    cx: &CallContext,
    shelf: &Arc<Shelf>,
    text: &str,
    limit: usize,
    admitted: &Admitted,
) -> Result<Words, RetrievalError> {
    let mut span = cx.span(Operation::Search, "search bm25");
    span.set("hanok.leg", "bm25");
    let (shelf, text, admitted) = (shelf.clone(), text.to_owned(), admitted.clone());
    let ran = blocking(move || best_by_words(&shelf, &text, limit, &admitted)).await;
    match ran.and_then(|ran| ran.map_err(LibraryError::from)) {
        Ok((found, terms)) => {
            span.set("hanok.terms", terms.iter().map(|(term, _)| term).collect::<Vec<_>>());
            span.set("hanok.hit_count", found.len());
            span.finish();
            Ok(Words { found, terms })
        }
        Err(error) => {
            span.fail("search_failed", error.to_string());
            Err(RetrievalError::Failed(error.into()))
        }
    }
}

/// The best chunks by BM25 among the documents admitted. Blocks.
pub(crate) fn best_by_words(
    shelf: &Shelf,
    text: &str,
    limit: usize,
    admitted: &Admitted,
) -> Result<(Vec<Found>, Terms), IndexError> {
    let terms = shelf.index.terms_of(text)?;
    if terms.is_empty() {
        return Ok((Vec::new(), terms));
    }
    let found = match admitted {
        None => shelf.index.search(&terms, limit)?,
        Some(admitted) => {
            shelf.index.search_where(&terms, limit, Some(&|group| admitted.contains(&group)))?
        }
    };
    Ok((found, terms))
}

/// The best chunks by their vectors.
async fn vectors(
    cx: &CallContext,
    dense: &Arc<Dense>,
    text: &str,
    limit: usize,
    admitted: &Admitted,
) -> Result<Vec<Found>, RetrievalError> {
    let mut span = cx.span(Operation::Search, "search dense");
    span.set("hanok.leg", "dense");
    span.set("hanok.embedder", dense.embedder.id());
    let embedded = dense.embedder.embed(span.context(), &[text], EmbedKind::Query).await;
    let vector = match embedded.map(|vectors| vectors.into_iter().next()) {
        Ok(vector) => vector.unwrap_or_default(),
        Err(error) => {
            span.fail("embedding_failed", error.to_string());
            return Err(RetrievalError::Failed(error.into()));
        }
    };
    let (searched, admitted) = (dense.clone(), admitted.clone());
    let ran = blocking(move || match &admitted {
        None => searched.index.search(&vector, limit, None),
        Some(admitted) => searched.index.search(&vector, limit, Some(&|group| admitted.contains(&group))),
    });
    match ran.await.and_then(|ran| ran.map_err(LibraryError::from)) {
        Ok(found) => {
            span.set("hanok.hit_count", found.len());
            span.finish();
            Ok(found)
        }
        Err(error) => {
            span.fail("search_failed", error.to_string());
            Err(RetrievalError::Failed(error.into()))
        }
    }
}
