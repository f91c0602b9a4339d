//! Many short texts out of the collections, to be embedded: each document cut every so many words.

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::json;
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};

/// What to write.
#[derive(Debug, clap::Args)]
pub(crate) struct Pieces {
    /// The folder with collections in BEIR's layout
    #[arg(long, value_name = "DIR", default_value = "../shared/data/retrieval")]
    data: PathBuf,
    /// How many
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    count: usize,
    /// Words of each
    #[arg(long, value_name = "N", default_value_t = 12)]
    words: usize,
    /// Where the pieces go, a line of JSON each
    #[arg(long, value_name = "FILE")]
    texts: PathBuf,
    /// Where the collections' questions go
    #[arg(long, value_name = "FILE")]
    questions: PathBuf,
}

#[derive(Deserialize)]
struct Line {
    text: String,
}

/// Writes both files.
pub(crate) fn write(pieces: &Pieces) -> Result<()> {
    let mut seen = HashSet::new();
    let mut out = BufWriter::new(File::create(&pieces.texts)?);
    'all: for collection in ["scifact", "cranfield", "ko-autorag"] {
        for text in lines(&pieces.data.join(collection).join("corpus.jsonl"))? {
            let words: Vec<&str> = text.split_whitespace().collect();
            for some in words.chunks(pieces.words.max(1)).filter(|some| some.len() > pieces.words / 2) {
                if seen.len() == pieces.count {
                    break 'all;
                }
                let piece = some.join(" ");
                if seen.insert(piece.clone()) {
                    writeln!(out, "{}", json!({ "text": piece }))?;
                }
            }
        }
    }
    out.flush()?;
    anyhow::ensure!(
        seen.len() == pieces.count,
        "the collections have {} pieces only; ask for fewer, or for shorter ones with --words",
        seen.len()
    );
    let mut out = BufWriter::new(File::create(&pieces.questions)?);
    for collection in ["scifact", "scifact-train", "cranfield"] {
        for text in lines(&pieces.data.join(collection).join("queries.jsonl"))? {
            writeln!(out, "{}", json!({ "text": text }))?;
        }
    }
    Ok(out.flush()?)
}

fn lines(path: &Path) -> Result<Vec<String>> {
    let file = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    file.lines().map(|line| Ok(serde_json::from_str::<Line>(line)?.text)).collect()
}
