//! Collections of any size, made of a real one.

use anyhow::{Context, Result};
use hanok_stats::Draws;
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::Path;

/// The rule, as it is printed above the figures.
pub(crate) const RULE: &str = "Grown collections: the sentences of all SciFact abstracts, drawn by SplitMix64 with seed 5, \
three to a document; each SciFact test question stays, judged by the first document, so that only times and memory mean \
something.";

/// Writes a collection of this many documents into `to`.
pub(crate) fn write(from: &Path, to: &Path, documents: usize) -> Result<()> {
    let corpus = from.join("corpus.jsonl");
    let text = std::fs::read_to_string(&corpus).with_context(|| corpus.display().to_string())?;
    let mut sentences: Vec<String> = Vec::new();
    for line in text.lines() {
        let entry: Value = serde_json::from_str(line)?;
        let body = entry.get("text").and_then(Value::as_str).unwrap_or_default();
        sentences.extend(body.split_inclusive(". ").filter(|part| part.len() > 40).map(str::to_owned));
    }
    let mut draws = Draws::new(5);
    let mut out = BufWriter::new(File::create(to.join("corpus.jsonl"))?);
    for number in 0..documents {
        let mut body = String::new();
        for _ in 0..3 {
            let _ =
                write!(body, "{}", sentences.get(draws.below(sentences.len())).map_or("", String::as_str));
        }
        writeln!(out, "{}", json!({ "_id": number.to_string(), "title": "", "text": body }))?;
    }
    out.flush()?;
    std::fs::copy(from.join("queries.jsonl"), to.join("queries.jsonl"))?;
    let queries = std::fs::read_to_string(from.join("queries.jsonl"))?;
    let mut judged = String::new();
    for line in queries.lines() {
        let entry: Value = serde_json::from_str(line)?;
        if let Some(id) = entry.get("_id").and_then(Value::as_str) {
            let _ = writeln!(judged, "{id}\t0\t1");
        }
    }
    std::fs::write(to.join("qrels.tsv"), judged)?;
    Ok(())
}
