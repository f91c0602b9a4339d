//! Measures Hanok's search from outside: `hanok eval retrieval` on collections with judgements, by words and by words and
//! vectors, with the memory that it took; and on growing collections made by a printed rule. `cargo xtask bench retrieval`
//! builds the binary and this, and starts it.
//!
//! Deliberately not here: any code of the product.
//!
//! Reading order: [`run`], [`peers`] (others over the same), [`growth`] (collections of any size), [`pieces`] (texts to
//! embed), [`report`] (what it is held to).

#![allow(clippy::print_stdout, reason = "a command-line tool; its output is its product")]

mod growth;
mod peers;
mod pieces;
mod report;
mod run;

use anyhow::{Context, Result};
use clap::Parser;
use serde_json::json;
use std::path::PathBuf;

#[derive(Debug, Parser)]
#[command(name = "retrieval-bench")]
enum Command {
    /// Measure and print the table
    Run(Options),
    /// Write short texts out of the collections, and their questions, for others to embed
    Pieces(pieces::Pieces),
}

/// What to measure.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The binary
    #[arg(long, value_name = "FILE")]
    pub(crate) hanok: PathBuf,
    /// The folder with collections in BEIR's layout
    #[arg(long, value_name = "DIR", default_value = "../shared/data/retrieval")]
    pub(crate) data: PathBuf,
    /// The folder of the embedder
    #[arg(long, value_name = "DIR", default_value = "../shared/models/all-minilm-l6-v2")]
    pub(crate) embedder: PathBuf,
    /// Collections
    #[arg(long, value_delimiter = ',', default_value = "scifact,cranfield,ko-autorag")]
    pub(crate) collections: Vec<String>,
    /// How many documents each growing collection has; `--growth=` for none
    #[arg(long, value_delimiter = ',', default_value = "10000,100000,1000000")]
    pub(crate) growth: Vec<usize>,
    /// The collection with vectors grows to this many documents, as embedding takes its time
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    pub(crate) hybrid_growth: usize,
    /// A Python that has `bm25s`, `PyStemmer`, `llama-index-core`, its BM25 and torch: they search the same collections
    #[arg(long, value_name = "FILE")]
    pub(crate) python: Option<PathBuf>,
    /// Write everything that was measured
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
}

fn main() -> Result<()> {
    match Command::parse() {
        Command::Run(options) => run_all(&options),
        Command::Pieces(pieces) => pieces::write(&pieces),
    }
}

fn run_all(options: &Options) -> Result<()> {
    println!("{}\n", growth::RULE);
    let (mut runs, mut others) = (Vec::new(), Vec::new());
    for name in &options.collections {
        let folder = options.data.join(name);
        anyhow::ensure!(folder.exists(), "there is no {}; name another folder with --data", folder.display());
        for legs in ["bm25", "dense", "hybrid"] {
            runs.push(run::measure(options, name, &folder, legs, &[])?);
        }
        runs.push(run::measure(options, name, &folder, "hybrid", &["--rrf"])?);
        if let Some(python) = &options.python {
            others.extend(peers::measure(options, python, name, &folder)?);
        }
    }
    for documents in options.growth.iter().copied().filter(|documents| *documents > 0) {
        let folder = tempfile::tempdir()?;
        growth::write(&options.data.join("scifact"), folder.path(), documents)?;
        let name = format!("grown-{documents}");
        runs.push(run::measure(options, &name, folder.path(), "bm25", &[])?);
        if documents <= options.hybrid_growth {
            runs.push(run::measure(options, &name, folder.path(), "hybrid", &[])?);
        }
    }
    let rows = report::rows(&runs);
    println!("{}", report::table(&runs, &others, &rows));
    if let Some(path) = &options.json {
        let document = serde_json::to_vec_pretty(&json!({ "rows": rows, "runs": runs, "peers": others }))?;
        std::fs::write(path, document).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}
