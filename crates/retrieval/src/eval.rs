//! How good the search is, on a folder in BEIR's format, through the product's own chunks, index and search.

use crate::error::{LibraryError, blocking};
use crate::legs::best_by_words;
use crate::library::{Library, Shelf};
use crate::sync::{Document, source_id};
use hanok_base::{CollectionName, SourceId};
use hanok_stats::{mean, ndcg_at, percentile, recall_at};
use hanok_store::{Options, Store};
use serde::{Deserialize, Serialize};
use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
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
    /// Mean nDCG over the first 10 documents.
    #[serde(rename = "ndcg@10")]
    pub ndcg_at_10: f64,
    /// Mean share of the relevant documents that is among the first 10.
    #[serde(rename = "recall@10")]
    pub recall_at_10: f64,
    /// The same among the first 100.
    #[serde(rename = "recall@100")]
    pub recall_at_100: f64,
    /// Seconds from documents in memory to a finished index: chunking, store and index.
    pub index_seconds: f64,
    /// Time of a query, from its text to the ids of 100 ranked documents.
    pub query_ms: QueryTimes,
}

/// Times of single queries, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct QueryTimes {
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
}

/// Evaluates the folder `dir` (`corpus.jsonl`, `queries.jsonl`, `qrels.tsv`) in a temporary data folder, one hit
/// a document. A folder `NAME-train` without a corpus of its own has that of its sibling `NAME`.
pub async fn evaluate(dir: &Path) -> Result<EvalReport, LibraryError> {
    let corpus = corpus_file(dir)?;
    let (documents, queries, judged) = {
        let dir = dir.to_owned();
        blocking(move || -> Result<_, LibraryError> {
            Ok((
                read_lines::<Entry>(&corpus)?,
                read_lines::<Entry>(&dir.join("queries.jsonl"))?,
                read_judgements(&dir)?,
            ))
        })
        .await??
    };

    let temporary =
        tempfile::tempdir().map_err(|source| LibraryError::Path { path: std::env::temp_dir(), source })?;
    let folder = temporary.path().to_owned();
    let store = blocking(move || Store::open(&folder, Options::default())).await??;
    let library = Library::open(store, temporary.path()).await?;
    let name = CollectionName::from("eval");
    let documents = documents
        .into_iter()
        .map(|entry| Document { path: entry.id, title: entry.title, text: entry.text })
        .collect();
    let begun = Instant::now();
    library.ingest(&name, documents).await?;
    let index_seconds = begun.elapsed().as_secs_f64();

    let shelf = library.ensure_shelf(&name).await?;
    let report = blocking(move || -> Result<EvalReport, LibraryError> {
        let mut measured = Measured::default();
        for query in queries {
            let Some(judged) = judged.get(&query.id) else {
                continue;
            };
            let gains: HashMap<SourceId, f64> =
                judged.iter().map(|(document, gain)| (source_id(&name, document), *gain)).collect();
            let asked = Instant::now();
            let best = best_sources(&shelf, &query.text, DEPTH)?;
            measured.times.push(asked.elapsed().as_secs_f64() * 1e3);
            let ranked: Vec<f64> = best.iter().map(|(id, _)| gains.get(id).copied().unwrap_or(0.0)).collect();
            let all: Vec<f64> = gains.values().copied().collect();
            measured.ndcg_at_10.push(ndcg_at(&ranked, &all, 10));
            measured.recall_at_10.push(recall_at(&ranked, all.len(), 10));
            measured.recall_at_100.push(recall_at(&ranked, all.len(), 100));
        }
        Ok(measured.report(index_seconds))
    })
    .await??;
    drop(library);
    Ok(report)
}

/// The best documents of a shelf, each with the score of its best chunk. Blocks.
fn best_sources(shelf: &Shelf, text: &str, limit: usize) -> Result<Vec<(SourceId, f64)>, LibraryError> {
    let mut chunks = limit.saturating_mul(2);
    loop {
        let (found, _) = best_by_words(shelf, text, chunks, &None)?;
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

#[derive(Default)]
struct Measured {
    times: Vec<f64>,
    ndcg_at_10: Vec<f64>,
    recall_at_10: Vec<f64>,
    recall_at_100: Vec<f64>,
}

impl Measured {
    fn report(&self, index_seconds: f64) -> EvalReport {
        EvalReport {
            schema_version: 1,
            queries: self.times.len(),
            ndcg_at_10: mean(&self.ndcg_at_10).unwrap_or(0.0),
            recall_at_10: mean(&self.recall_at_10).unwrap_or(0.0),
            recall_at_100: mean(&self.recall_at_100).unwrap_or(0.0),
            index_seconds,
            query_ms: QueryTimes {
                p50: percentile(&self.times, 50.0).unwrap_or(0.0),
                p99: percentile(&self.times, 99.0).unwrap_or(0.0),
            },
        }
    }
}

#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "_id")]
    id: String,
    #[serde(default)]
    title: String,
    text: String,
}

/// Of each query, the documents with a positive gain.
type Judgements = HashMap<String, HashMap<String, f64>>;

fn corpus_file(dir: &Path) -> Result<PathBuf, LibraryError> {
    let sibling = || {
        let name = dir.file_name()?.to_str()?.strip_suffix("-train")?.to_owned();
        Some(dir.with_file_name(name))
    };
    let folders = [Some(dir.to_owned()), sibling()];
    let found =
        folders.into_iter().flatten().map(|folder| folder.join("corpus.jsonl")).find(|file| file.exists());
    found.ok_or_else(|| bad(&dir.join("corpus.jsonl"), &"there is no such file"))
}

fn read_lines<T: for<'de> Deserialize<'de>>(file: &Path) -> Result<Vec<T>, LibraryError> {
    let text = std::fs::read_to_string(file).map_err(|error| bad(file, &error))?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(at, line)| {
            serde_json::from_str(line).map_err(|error| bad(file, &format_args!("line {}: {error}", at + 1)))
        })
        .collect()
}

fn read_judgements(dir: &Path) -> Result<Judgements, LibraryError> {
    let files = [dir.join("qrels.tsv"), dir.join("qrels").join("test.tsv")];
    let [first, _] = &files;
    let file = files.iter().find(|file| file.exists()).unwrap_or(first);
    let text = std::fs::read_to_string(file).map_err(|error| bad(file, &error))?;
    let mut judged = Judgements::new();
    for (at, line) in text.lines().enumerate() {
        let mut fields = line.split('\t');
        let (Some(query), Some(document), Some(gain)) = (fields.next(), fields.next(), fields.next()) else {
            if line.trim().is_empty() {
                continue;
            }
            return Err(bad(file, &format_args!("line {}: not three fields parted by tabs", at + 1)));
        };
        match gain.trim().parse::<f64>() {
            Ok(gain) if gain > 0.0 => {
                judged.entry(query.to_owned()).or_default().insert(document.to_owned(), gain);
            }
            Ok(_) => {}
            // The first line may name the columns.
            Err(_) if at == 0 => {}
            Err(error) => return Err(bad(file, &format_args!("line {}: {error}", at + 1))),
        }
    }
    Ok(judged)
}

fn bad(file: &Path, reason: &dyn std::fmt::Display) -> LibraryError {
    LibraryError::BadCollection { path: file.to_owned(), reason: reason.to_string() }
}
