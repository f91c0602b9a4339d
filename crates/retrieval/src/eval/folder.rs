//! Reading a folder in BEIR's layout as such folders are found: plain or gzipped, ids as texts or numbers, judgements with
//! or without a line of names, in BEIR's three columns or TREC's four, of one split or of several.

use crate::error::LibraryError;
use flate2::read::MultiGzDecoder;
use serde::{Deserialize, Deserializer};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

/// The split that is meant where none is named.
const USUAL: &str = "test";

/// A folder, read.
pub(super) struct Folder {
    pub(super) documents: Vec<Entry>,
    pub(super) queries: Vec<Entry>,
    pub(super) judged: Judgements,
    /// The file of the judgements, by its name inside the folder.
    pub(super) judgements: String,
    /// Relevant documents that are judged for a query of the folder and stand in no line of its corpus.
    pub(super) unknown: usize,
}

/// A document or a query.
#[derive(Debug, PartialEq)]
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) text: String,
}

/// Of each query, the documents with a positive gain.
pub(super) type Judgements = HashMap<String, HashMap<String, f64>>;

impl Folder {
    /// Reads `corpus.jsonl`, `queries.jsonl` and the judgements of a split. Blocks.
    pub(super) fn read(dir: &Path, split: Option<&str>) -> Result<Self, LibraryError> {
        let corpus = corpus_file(dir)?;
        let documents = entries(&corpus, |line| line.text.is_some() || line.title.is_some())?;
        if documents.is_empty() {
            return Err(bad(&corpus, &"holds no document"));
        }
        let asked = file(dir, "queries.jsonl").unwrap_or_else(|| dir.join("queries.jsonl"));
        let mut queries = entries(&asked, |line| line.text.is_some())?;
        let path = judgements_file(dir, split)?;
        let judged = judgements(&path)?;
        queries.retain(|query| judged.contains_key(&query.id));
        if queries.is_empty() {
            return Err(bad(
                &path,
                &format_args!("judges no query of {}: their ids differ", asked.display()),
            ));
        }
        let known: HashSet<&str> = documents.iter().map(|document| document.id.as_str()).collect();
        let relevant = || queries.iter().filter_map(|query| judged.get(&query.id)).flat_map(HashMap::keys);
        let unknown = relevant().filter(|id| !known.contains(id.as_str())).count();
        if unknown == relevant().count() {
            return Err(bad(
                &path,
                &format_args!("names no document of {}: their ids differ", corpus.display()),
            ));
        }
        let inside = path.strip_prefix(dir).unwrap_or(&path);
        let judgements = inside.to_string_lossy().replace('\\', "/");
        Ok(Self { documents, queries, judged, judgements, unknown })
    }
}

/// Whether a folder has judgements, so that it can be evaluated as it is.
pub fn has_judgements(dir: &Path) -> bool {
    file(dir, "qrels.tsv").is_some() || !splits(dir).is_empty()
}

/// A file of a folder, or the same gzipped.
fn file(dir: &Path, name: &str) -> Option<PathBuf> {
    [dir.join(name), dir.join(format!("{name}.gz"))].into_iter().find(|file| file.is_file())
}

fn corpus_file(dir: &Path) -> Result<PathBuf, LibraryError> {
    let sibling = || Some(dir.with_file_name(dir.file_name()?.to_str()?.strip_suffix("-train")?));
    let found = file(dir, "corpus.jsonl").or_else(|| file(&sibling()?, "corpus.jsonl"));
    found.ok_or_else(|| bad(&dir.join("corpus.jsonl"), &"there is no such file"))
}

/// The judgements of a split; without one, `qrels.tsv`, the split `test`, or the only one there is.
fn judgements_file(dir: &Path, split: Option<&str>) -> Result<PathBuf, LibraryError> {
    let there = splits(dir);
    if let Some(wanted) = split {
        let found = there.iter().find(|(name, _)| name == wanted);
        return found.map(|(_, path)| path.clone()).ok_or_else(|| {
            let reason = format!("has no split {wanted}; there is {}", names(&there));
            bad(&dir.join("qrels"), &reason)
        });
    }
    if let Some(whole) = file(dir, "qrels.tsv") {
        return Ok(whole);
    }
    if let Some((_, path)) = there.iter().find(|(name, _)| name == USUAL) {
        return Ok(path.clone());
    }
    match there.as_slice() {
        [] => Err(bad(&dir.join("qrels.tsv"), &"there is no such file, and no qrels/test.tsv")),
        [(_, only)] => Ok(only.clone()),
        several => {
            let reason = format!("has several splits: choose one of {} with --split", names(several));
            Err(bad(&dir.join("qrels"), &reason))
        }
    }
}

/// The splits in `qrels`, by name.
fn splits(dir: &Path) -> Vec<(String, PathBuf)> {
    let Ok(listed) = std::fs::read_dir(dir.join("qrels")) else { return Vec::new() };
    let of = |path: PathBuf| {
        let name = path.file_name()?.to_str()?;
        let name = name.strip_suffix(".gz").unwrap_or(name).strip_suffix(".tsv")?.to_owned();
        Some((name, path))
    };
    let mut found: Vec<_> = listed.filter_map(|entry| of(entry.ok()?.path())).collect();
    found.sort();
    found.dedup_by(|one, other| one.0 == other.0);
    found
}

fn names(splits: &[(String, PathBuf)]) -> String {
    match splits {
        [] => "none".to_owned(),
        _ => splits.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>().join(", "),
    }
}

/// A line of `corpus.jsonl` or `queries.jsonl`. What is `null` is there, and empty.
#[derive(Deserialize)]
struct Line {
    #[serde(rename = "_id")]
    own: Option<Id>,
    /// As other programs write it.
    id: Option<Id>,
    #[serde(default, deserialize_with = "there")]
    title: Option<String>,
    #[serde(default, deserialize_with = "there")]
    text: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Id {
    Text(String),
    Number(serde_json::Number),
}

fn there<'de, D: Deserializer<'de>>(value: D) -> Result<Option<String>, D::Error> {
    Option::deserialize(value).map(|value| Some(value.unwrap_or_default()))
}

/// The entries of a file, each once; `whole` says which lines say enough.
fn entries(path: &Path, whole: impl Fn(&Line) -> bool) -> Result<Vec<Entry>, LibraryError> {
    let mut entries: Vec<Entry> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    each_line(path, |line| {
        let line: Line = serde_json::from_str(line).map_err(|error| error.to_string())?;
        if !whole(&line) {
            return Err("there is no \"text\"".to_owned());
        }
        let id = match line.own.or(line.id).ok_or("there is no \"_id\"")? {
            Id::Text(id) => id,
            Id::Number(id) => id.to_string(),
        };
        let (title, text) = (line.title.unwrap_or_default(), line.text.unwrap_or_default());
        let entry = Entry { id, title, text };
        match places.get(&entry.id).and_then(|at| entries.get(*at)) {
            None => {
                places.insert(entry.id.clone(), entries.len());
                entries.push(entry);
            }
            Some(same) if *same == entry => {}
            Some(_) => return Err(format!("the id {} is that of another line above", entry.id)),
        }
        Ok(())
    })?;
    Ok(entries)
}

fn judgements(path: &Path) -> Result<Judgements, LibraryError> {
    let mut judged = Judgements::new();
    let mut first = true;
    each_line(path, |line| {
        let names = std::mem::take(&mut first);
        // An id may hold spaces where tabs part the columns.
        let tabs = line.contains('\t');
        let fields: Vec<&str> =
            if tabs { line.split('\t').collect() } else { line.split_whitespace().collect() };
        let (query, document, gain) = match fields.as_slice() {
            [query, document, gain] | [query, _, document, gain] => (*query, *document, *gain),
            _ => return Err("neither query, document and gain, nor a line of TREC's".to_owned()),
        };
        match gain.trim().parse::<f64>() {
            Ok(gain) if gain > 0.0 && gain.is_finite() => {
                judged.entry(query.to_owned()).or_default().insert(document.to_owned(), gain);
            }
            Ok(gain) if gain <= 0.0 => {}
            // The first line may name the columns.
            Err(_) if names => {}
            Ok(_) | Err(_) => return Err(format!("{gain} is no gain")),
        }
        Ok(())
    })?;
    Ok(judged)
}

/// Calls `with` with each line that holds something; what that says is wrong is told with the line's number.
fn each_line(path: &Path, mut with: impl FnMut(&str) -> Result<(), String>) -> Result<(), LibraryError> {
    let opened = File::open(path).map_err(|error| bad(path, &error))?;
    let packed = path.extension().is_some_and(|extension| extension == "gz");
    let bytes: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(opened)) } else { Box::new(opened) };
    for (at, line) in BufReader::new(bytes).lines().enumerate() {
        let told = |reason: &dyn std::fmt::Display| bad(path, &format_args!("line {}: {reason}", at + 1));
        let line = line.map_err(|error| told(&error))?;
        let line = if at == 0 { line.trim_start_matches('\u{feff}') } else { &line };
        if !line.trim().is_empty() {
            with(line).map_err(|reason| told(&reason))?;
        }
    }
    Ok(())
}

fn bad(file: &Path, reason: &dyn std::fmt::Display) -> LibraryError {
    LibraryError::BadCollection { path: file.to_owned(), reason: reason.to_string() }
}

#[cfg(test)]
mod tests;
