//! The rows that evals run over.

use super::Json;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `hanok dataset`
#[derive(Debug, Subcommand)]
pub(crate) enum Dataset {
    /// List datasets
    Ls(Json),
    /// Show a dataset: its versions, and its first rows
    #[command(after_help = "Example:\n  hanok dataset show support --limit 5")]
    Show {
        /// Its name
        name: String,
        /// The version, by the beginning of its hash [default: the newest]
        #[arg(long, value_name = "VERSION", default_value = "")]
        at: String,
        /// How many rows
        #[arg(long, value_name = "N", default_value_t = 10)]
        limit: usize,
        #[command(flatten)]
        json: Json,
    },
    /// Keep rows of a file, of recorded traces or of an annotation queue as a dataset's newest version
    #[command(after_help = "Examples:\n  hanok dataset add support --file rows.csv --expected answer\n  \
        hanok dataset add disliked --traces \"score.helpful:<1 since:7d\"\n  hanok dataset add golden --queue support")]
    Add(DatasetAdd),
    /// Put rows into splits that stay when rows are added: a new version
    #[command(after_help = "Example:\n  hanok dataset split support --into train=0.8,test=0.2")]
    Split {
        /// Its name
        name: String,
        /// Splits and their shares
        #[arg(long, value_name = "NAME=SHARE,NAME=SHARE", default_value = "train=0.8,test=0.2")]
        into: String,
        /// Another seed is another split
        #[arg(long, value_name = "N", default_value_t = 0)]
        seed: u64,
        #[command(flatten)]
        json: Json,
    },
    /// Find rows that are alike, also over splits; exit 1 where a split knows another
    #[command(after_help = "Example:\n  hanok dataset check support")]
    Check {
        /// Its name, or a file of rows
        name: String,
        /// The version, by the beginning of its hash [default: the newest]
        #[arg(long, value_name = "VERSION", default_value = "")]
        at: String,
        #[command(flatten)]
        json: Json,
    },
    /// Write a dataset's rows into a file
    #[command(after_help = "Example:\n  hanok dataset export support -o support.csv --format csv")]
    Export {
        /// Its name
        name: String,
        /// The version, by the beginning of its hash [default: the newest]
        #[arg(long, value_name = "VERSION", default_value = "")]
        at: String,
        /// Only rows of this split
        #[arg(long, value_name = "NAME")]
        split: Option<String>,
        /// jsonl, csv or openai
        #[arg(long, value_name = "FORMAT", default_value = "jsonl")]
        format: String,
        /// Into this file, which must not be there yet [default: stdout]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Forget a dataset with its versions
    Rm {
        /// Its name
        name: String,
    },
}

/// `hanok dataset add`
#[derive(Debug, Args)]
#[group(id = "from", required = true, multiple = false, args = ["file", "traces", "queue"])]
pub(crate) struct DatasetAdd {
    /// Its name
    pub(crate) name: String,
    /// A file of rows: .jsonl, .csv, .tsv, .json, .yaml or .toml
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Traces that this filter finds
    #[arg(long, value_name = "FILTER")]
    pub(crate) traces: Option<String>,
    /// What people have labelled in this annotation queue
    #[arg(long, value_name = "NAME")]
    pub(crate) queue: Option<String>,
    /// Of traces, what was answered is what would be right
    #[arg(long, requires = "traces")]
    pub(crate) answers_are_right: bool,
    /// Traces at most
    #[arg(long, value_name = "N", default_value_t = hanok_eval::dataset::from_traces::MOST)]
    pub(crate) limit: usize,
    /// Columns that are the input
    #[arg(long, value_name = "COLUMN,COLUMN", value_delimiter = ',')]
    pub(crate) input: Vec<String>,
    /// The column that says what would be right
    #[arg(long, value_name = "COLUMN")]
    pub(crate) expected: Option<String>,
    /// The column that tells rows apart
    #[arg(long, value_name = "COLUMN")]
    pub(crate) id: Option<String>,
    /// The column that says what a row belongs to
    #[arg(long, value_name = "COLUMN")]
    pub(crate) cluster: Option<String>,
    /// Add to the rows of the newest version, instead of taking their place
    #[arg(long)]
    pub(crate) append: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}
