//! Documents: taking them in, searching them, tuning the search.

use super::Json;
use crate::config::Legs;
use clap::Args;
use std::path::PathBuf;

/// `hanok index`
#[derive(Debug, Args)]
pub(crate) struct Index {
    /// Folders, files, git+FOLDER (tracked files only) and URLs; the configured ones when none is given
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// The collection; all configured ones when neither this nor a path is given
    #[arg(long, value_name = "NAME")]
    pub(crate) collection: Option<String>,
    /// Remove this document, or all below this folder, from the collection; its file stays. May be given again
    #[arg(long, value_name = "SOURCE", conflicts_with = "paths")]
    pub(crate) remove: Vec<String>,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `hanok search`
#[derive(Debug, Args)]
pub(crate) struct Search {
    /// What to search for
    pub(crate) query: String,
    /// Where [default: the collection `default`, or the only one]
    #[arg(long, value_name = "NAME")]
    pub(crate) collection: Option<String>,
    /// How many hits at most
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) top_k: usize,
    /// Only documents such as: team:legal year>2020 format:pdf path:docs/** -status:draft
    #[arg(long, value_name = "FILTER", default_value = "", allow_hyphen_values = true)]
    pub(crate) filter: String,
    /// Only documents that this reader, or everybody, may find; may be given again
    #[arg(long, value_name = "NAME")]
    pub(crate) reader: Vec<String>,
    /// Which legs [default: those the collection is set up with]
    #[arg(long, value_enum, value_name = "LEGS")]
    pub(crate) legs: Option<Legs>,
    /// Say why each hit has its rank
    #[arg(long)]
    pub(crate) why: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `hanok tune`
#[derive(Debug, Args)]
pub(crate) struct Tune {
    /// The collection
    pub(crate) collection: String,
    /// A file of questions with the documents that answer them, one JSON object a line
    #[arg(long, value_name = "FILE")]
    pub(crate) queries: PathBuf,
    /// A reranker to try: a pulled cross-encoder or a folder with one, provider/model, or chat:MODEL
    #[arg(long, value_name = "MODEL")]
    pub(crate) reranker: Option<String>,
    /// What to try, of: chunker, semantic, size, tokenizer, fusion, legs, rerank [default: all but semantic]. Other
    /// chunkers and sizes embed texts anew; semantic embeds every sentence
    #[arg(long = "try", value_name = "WHAT,WHAT", value_delimiter = ',',
        value_parser = ["chunker", "semantic", "size", "tokenizer", "fusion", "legs", "rerank"])]
    pub(crate) kinds: Vec<String>,
    /// Only say what is proved; write nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}
