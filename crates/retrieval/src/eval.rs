//! How good the search is, on a folder in BEIR's format, through the product's own chunks, index and search.
//!
//! Reading order: [`folder`] (what is read), [`evaluate`].

mod folder;

pub use folder::has_judgements;

use crate::dense::Embedded;
use crate::equipment::Equipment;
use crate::error::{LibraryError, blocking};
use crate::legs::{best_by_words, ranked};
use crate::library::{Library, Shelf};
use crate::query::{QueryExpander, QueryStep, search_all};
use crate::questions::Synthetic;
use crate::stretch::context;
use crate::sync::{Cancel, Document, source_id};
use crate::trial::Trials;
use folder::Folder;
use hanok_base::{CallContext, CollectionName, Legs, Recorder, RetrievalError, SearchQuery, SourceId};
use hanok_stats::{
    Interval, average_precision, interval, mean, ndcg_at, percentile, recall_at, reciprocal_rank,
};
use hanok_store::{Options, Store};
use serde::Serialize;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

/// Documents ranked for each query.
const DEPTH: usize = 100;

/// What was measured. Serialises to the JSON that `hanok eval retrieval --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EvalReport {
    /// 1.
    #[serde(rename = "schemaVersion")]
    pub schema_version: u32,
    /// Queries with at least one relevant document; only these count.
    pub queries: usize,
    /// Documents.
    pub documents: usize,
    /// The file that judges, by its name in the folder.
    pub judgements: String,
    /// Relevant documents that are in no line of the corpus, so that nobody can find them; absent for none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_documents: Option<usize>,
    /// The legs that were asked.
    pub legs: Legs,
    /// Mean nDCG over the first 10 documents.
    #[serde(rename = "ndcg@10")]
    pub ndcg_at_10: f64,
    /// Mean share of the relevant documents that is among the first 10.
    #[serde(rename = "recall@10")]
    pub recall_at_10: f64,
    /// The same among the first 100.
    #[serde(rename = "recall@100")]
    pub recall_at_100: f64,
    /// Mean of one over the rank of the first relevant document, 0 where it is not among the first 100.
    pub mrr: f64,
    /// Mean average precision over the first 100.
    pub map: f64,
    /// The 95 % bootstrap intervals of the means, by their names above.
    pub intervals: Vec<NamedInterval>,
    /// What the questions are, where a model made them up; absent where people did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub synthetic: Option<Synthetic>,
    /// What was done with each question before it was searched for; empty for nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub query_steps: Vec<QueryStep>,
    /// Questions of which such a step failed, so that they were searched for without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query_steps_failed: Option<usize>,
    /// What the embedder knows of the collection; absent without one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trials>,
    /// Seconds from documents in memory to a finished index: chunking, store and index.
    pub index_seconds: f64,
    /// Seconds to embed it all; 0 without an embedder.
    pub embed_seconds: f64,
    /// Time of a query, from its text to the ids of 100 ranked documents, its embedding included.
    pub query_ms: QueryTimes,
    /// Each query; for those who want more than means.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub per_query: Vec<QueryResult>,
}

/// An interval of one measure.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct NamedInterval {
    /// The measure.
    pub measure: &'static str,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// How one query went.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct QueryResult {
    /// Its id.
    pub id: String,
    /// nDCG over the first 10 documents.
    #[serde(rename = "ndcg@10")]
    pub ndcg_at_10: f64,
    /// The share of the relevant documents among the first 10.
    #[serde(rename = "recall@10")]
    pub recall_at_10: f64,
    /// The same among the first 100.
    #[serde(rename = "recall@100")]
    pub recall_at_100: f64,
    /// One over the rank of the first relevant document.
    pub reciprocal_rank: f64,
    /// Average precision over the first 100.
    pub average_precision: f64,
    /// Milliseconds.
    pub ms: f64,
    /// The first documents found, best first.
    pub found: Vec<String>,
}

/// Times of single queries, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct QueryTimes {
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
}

/// Evaluates the folder `dir` (`corpus.jsonl`, `queries.jsonl`, `qrels.tsv` or `qrels/test.tsv`, each also with `.gz`) in
/// a temporary data folder, one hit a document. A folder `NAME-train` without a corpus of its own has that of its sibling `NAME`. The collection is
/// searched with `equipment`; `tell` hears how far the embedding is.
pub async fn evaluate(
    dir: &Path,
    equipment: Equipment,
    tell: &(dyn Fn(Embedded) + Send + Sync),
) -> Result<EvalReport, LibraryError> {
    evaluate_with(dir, None, equipment, None, tell).await
}

/// What is done with each question before it is searched for.
#[derive(Clone, Copy)]
pub struct Expansion<'a> {
    /// Who does it.
    pub expander: &'a QueryExpander,
    /// What.
    pub steps: &'a [QueryStep],
    /// Where the calls are recorded, a question a trace.
    pub recorder: Option<&'a dyn Recorder>,
}

/// The same by the judgements of `qrels/SPLIT.tsv`, where a split is named, and with steps before each search, whose time
/// counts.
pub async fn evaluate_with(
    dir: &Path,
    split: Option<&str>,
    equipment: Equipment,
    expansion: Option<Expansion<'_>>,
    tell: &(dyn Fn(Embedded) + Send + Sync),
) -> Result<EvalReport, LibraryError> {
    let (folder, split) = (dir.to_owned(), split.map(str::to_owned));
    let read = blocking(move || Folder::read(&folder, split.as_deref())).await??;
    let (folder, unknown) = (dir.to_owned(), read.unknown);
    let synthetic = blocking(move || Synthetic::of(&folder)).await?;
    let temporary =
        tempfile::tempdir().map_err(|source| LibraryError::Path { path: std::env::temp_dir(), source })?;
    let folder = temporary.path().to_owned();
    let store = blocking(move || Store::open(&folder, Options::default())).await??;
    let library = Library::open(store, temporary.path()).await?;
    let name = CollectionName::from("eval");
    let mut names: HashMap<SourceId, String> = HashMap::with_capacity(read.documents.len());
    let documents: Vec<Document> = read
        .documents
        .into_iter()
        .map(|entry| {
            names.insert(source_id(&name, &entry.id), entry.id.clone());
            Document { path: entry.id, title: entry.title, text: entry.text }
        })
        .collect();
    let begun = Instant::now();
    library.ingest(&name, documents).await?;
    let index_seconds = begun.elapsed().as_secs_f64();

    let begun = Instant::now();
    let has_embedder = equipment.embedder.is_some();
    library.equip(Some(&name), equipment.clone()).await?;
    library.embed(None, &name, tell, &Cancel::default()).await?;
    let embed_seconds = if has_embedder { begun.elapsed().as_secs_f64() } else { 0.0 };

    let shelf = library.ensure_shelf(&name).await?;
    let mut steps_failed = 0;
    let mut per_query = Vec::with_capacity(read.queries.len());
    for query in read.queries {
        let Some(judged) = read.judged.get(&query.id) else { continue };
        let gains: HashMap<SourceId, f64> =
            judged.iter().map(|(document, gain)| (source_id(&name, document), *gain)).collect();
        let asked = Instant::now();
        let best = match expansion {
            None => best_sources(&library.store, &shelf, &equipment, &query.text).await?,
            Some(expansion) => {
                let (best, failed) = expanded(&library, &name, expansion, &query.text).await?;
                steps_failed += usize::from(failed);
                best
            }
        };
        let ms = asked.elapsed().as_secs_f64() * 1e3;
        per_query.push(QueryResult { id: query.id, ms, ..judge(&best, &gains, &names) });
    }
    let trial = shelf.dense.read().as_ref().and_then(|dense| dense.trial.read().clone());
    let legs = match (has_embedder, equipment.legs) {
        (false, _) => Legs::Bm25,
        (true, legs) => legs.unwrap_or(Legs::Hybrid),
    };
    let mut report = report(per_query, legs);
    report.documents = names.len();
    report.judgements = read.judgements;
    report.unknown_documents = (unknown > 0).then_some(unknown);
    report.synthetic = synthetic;
    report.query_steps = expansion.map(|expansion| expansion.steps.to_vec()).unwrap_or_default();
    report.query_steps_failed = expansion.map(|_| steps_failed);
    report.trial = trial;
    (report.index_seconds, report.embed_seconds) = (index_seconds, embed_seconds);
    drop(library);
    Ok(report)
}

/// The best documents for what becomes of a question, and whether a step failed.
async fn expanded(
    library: &Library,
    name: &CollectionName,
    expansion: Expansion<'_>,
    question: &str,
) -> Result<(Vec<SourceId>, bool), LibraryError> {
    let cx = context(expansion.recorder).await?;
    let made = expansion.expander.expand(&cx, expansion.steps, question, &[]).await;
    let asked = SearchQuery::new(question, name.clone(), DEPTH);
    let found = match search_all(library, &cx, &asked, &made.queries, None).await {
        Ok(found) => found.hits,
        Err(RetrievalError::EmptyQuery(_)) => Vec::new(),
        Err(error) => return Err(LibraryError::Worker(error.into())),
    };
    let mut seen = HashSet::new();
    let best = found.into_iter().map(|hit| hit.source_id).filter(|id| seen.insert(*id)).collect();
    Ok((best, !made.failed.is_empty()))
}

/// The measures of one ranking of documents.
pub(crate) fn judge(
    best: &[SourceId],
    gains: &HashMap<SourceId, f64>,
    names: &HashMap<SourceId, String>,
) -> QueryResult {
    let ranked: Vec<f64> = best.iter().map(|id| gains.get(id).copied().unwrap_or(0.0)).collect();
    let all: Vec<f64> = gains.values().copied().collect();
    QueryResult {
        id: String::new(),
        ndcg_at_10: ndcg_at(&ranked, &all, 10),
        recall_at_10: recall_at(&ranked, all.len(), 10),
        recall_at_100: recall_at(&ranked, all.len(), 100),
        reciprocal_rank: reciprocal_rank(&ranked),
        average_precision: average_precision(&ranked, all.len()),
        ms: 0.0,
        found: best.iter().take(10).filter_map(|id| names.get(id).cloned()).collect(),
    }
}

fn report(per_query: Vec<QueryResult>, legs: Legs) -> EvalReport {
    let values = |of: fn(&QueryResult) -> f64| -> Vec<f64> { per_query.iter().map(of).collect() };
    let measures: [(&'static str, Vec<f64>); 5] = [
        ("ndcg@10", values(|query| query.ndcg_at_10)),
        ("recall@10", values(|query| query.recall_at_10)),
        ("recall@100", values(|query| query.recall_at_100)),
        ("mrr", values(|query| query.reciprocal_rank)),
        ("map", values(|query| query.average_precision)),
    ];
    let [ndcg, at_10, at_100, mrr, map] = measures.each_ref().map(|(_, values)| mean(values).unwrap_or(0.0));
    let intervals = measures.iter().filter_map(|(measure, values)| {
        let Interval { low, high, .. } = interval(values)?;
        Some(NamedInterval { measure, low, high })
    });
    let times = values(|query| query.ms);
    EvalReport {
        schema_version: 1,
        queries: per_query.len(),
        documents: 0,
        judgements: String::new(),
        unknown_documents: None,
        legs,
        ndcg_at_10: ndcg,
        recall_at_10: at_10,
        recall_at_100: at_100,
        mrr,
        map,
        intervals: intervals.collect(),
        synthetic: None,
        query_steps: Vec::new(),
        query_steps_failed: None,
        trial: None,
        index_seconds: 0.0,
        embed_seconds: 0.0,
        query_ms: QueryTimes {
            p50: percentile(&times, 50.0).unwrap_or(0.0),
            p99: percentile(&times, 99.0).unwrap_or(0.0),
        },
        per_query,
    }
}

/// The best documents of a shelf, by the score of their best chunk, [`DEPTH`] at most. A query without anything to search
/// for finds none.
pub(crate) async fn best_sources(
    store: &Store,
    shelf: &Arc<Shelf>,
    equipment: &Equipment,
    text: &str,
) -> Result<Vec<SourceId>, LibraryError> {
    let mut chunks = DEPTH * 2;
    loop {
        let groups: Vec<u64> = if shelf.dense.read().is_none() {
            // On a thread of its own, so that what is measured is the search.
            let (shelf, text) = (shelf.clone(), text.to_owned());
            let found = blocking(move || best_by_words(&shelf, &text, chunks, &None)).await??;
            found.0.iter().map(|found| found.group).collect()
        } else {
            let cx = CallContext::unrecorded();
            match ranked(&cx, store, shelf, equipment, text, None, chunks, None).await {
                Ok(ranking) => ranking.chunks.iter().map(|fused| fused.group).collect(),
                Err(RetrievalError::EmptyQuery(_)) => Vec::new(),
                Err(error) => return Err(LibraryError::Worker(error.into())),
            }
        };
        let mut seen = HashSet::with_capacity(DEPTH);
        let best: Vec<SourceId> = groups
            .iter()
            .filter(|group| seen.insert(**group))
            .take(DEPTH)
            .map(|group| SourceId(*group))
            .collect();
        if best.len() == DEPTH || groups.len() < chunks {
            return Ok(best);
        }
        chunks = chunks.saturating_mul(2);
    }
}
