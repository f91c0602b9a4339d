//! Evals, and what came of them.

use super::Json;
use crate::config::{Dollars, Legs};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `hanok eval`
#[derive(Debug, Subcommand)]
pub(crate) enum Eval {
    /// nDCG, recall, MRR, MAP and speed of search, on a folder with judgements or on questions that a model makes up
    #[command(after_help = "Examples:\n  hanok eval retrieval ./scifact --json\n  \
        hanok eval retrieval ./scifact --embedder ./all-minilm-l6-v2 --legs dense\n  \
        hanok eval retrieval ./scifact --query multi --model openai/gpt-5-mini\n  \
        hanok eval retrieval docs --model openai/gpt-5-mini --save questions")]
    Retrieval(Box<EvalRetrieval>),
    /// Run an eval: its rows through its task and scorers; exit 100 where its gate fails
    #[command(after_help = "Examples:\n  hanok eval run evals/search.toml --limit 20\n  \
        hanok eval run search --repeat 5 --budget 2.50 --report junit=eval.xml --report markdown=eval.md\n\n\
        A run that was stopped or killed goes on where it was, and pays for nothing again.")]
    Run(EvalRun),
    /// List experiments, newest first
    #[command(after_help = "Example:\n  hanok eval ls search")]
    Ls {
        /// Only those of this eval
        #[arg(default_value = "")]
        name: String,
        /// How many
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
        #[command(flatten)]
        json: Json,
    },
    /// Show an experiment: its numbers, and its results
    #[command(after_help = "Examples:\n  hanok eval show 12\n  hanok eval show 12 --results --low correct")]
    Show(EvalShow),
    /// Compare two experiments row by row: the first is the baseline
    #[command(after_help = "Example:\n  hanok eval compare 11 12")]
    Compare {
        /// The baseline
        first: i64,
        /// What is compared with it
        second: i64,
        /// Confidence of intervals
        #[arg(long, value_name = "SHARE", default_value_t = 0.95)]
        confidence: f64,
        #[command(flatten)]
        json: Json,
    },
    /// Show what two experiments made of the same rows, regressions first
    #[command(after_help = "Example:\n  hanok eval diff 11 12 --score correct")]
    Diff {
        /// The baseline
        first: i64,
        /// What is compared with it
        second: i64,
        /// By which score [default: the first that both have]
        #[arg(long, value_name = "NAME")]
        score: Option<String>,
        /// How many rows
        #[arg(long, value_name = "N", default_value_t = 20)]
        limit: usize,
        #[command(flatten)]
        json: Json,
    },
    /// Forget an experiment with its results
    #[command(after_help = "Example:\n  hanok eval rm 12")]
    Rm {
        /// Its number
        experiment: i64,
    },
    /// Make an eval of a promptfoo or OpenAI file
    #[command(after_help = "Examples:\n  hanok eval import promptfooconfig.yaml -o evals/search.toml\n  \
        hanok eval import samples.jsonl -o evals/match.toml --model openai/gpt-5-mini")]
    Import(EvalImport),
    /// Write an eval as promptfoo or OpenAI have it
    #[command(after_help = "Example:\n  hanok eval export evals/search.toml -o promptfooconfig.yaml")]
    Export {
        /// The eval's file
        file: PathBuf,
        /// Where to: .yaml for promptfoo, .jsonl for OpenAI's samples
        #[arg(short, long, value_name = "FILE")]
        output: PathBuf,
    },
}

/// `hanok eval run`
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct EvalRun {
    /// The eval's file, or the name of one in the folder evals
    pub(crate) file: PathBuf,
    /// Only the first so many rows
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<u64>,
    /// How often each row, in place of what the file says
    #[arg(long, value_name = "N")]
    pub(crate) repeat: Option<u32>,
    /// Most money, in US dollars: nothing begins that could pass it
    #[arg(long, value_name = "DOLLARS")]
    pub(crate) budget: Option<Dollars>,
    /// Most calls at once, in place of what the file says
    #[arg(long, value_name = "N")]
    pub(crate) concurrency: Option<usize>,
    /// Compare with: last, none, or an experiment's number [default: as the gate says]
    #[arg(long, value_name = "WHICH")]
    pub(crate) baseline: Option<String>,
    /// Begin anew where an earlier run was stopped
    #[arg(long, conflicts_with = "resume")]
    pub(crate) fresh: bool,
    /// Only go on with a run that was stopped; an error where there is none
    #[arg(long)]
    pub(crate) resume: bool,
    /// Take no answer that another experiment has
    #[arg(long)]
    pub(crate) no_cache: bool,
    /// Write a report: junit=FILE, markdown=FILE or json=FILE; may be given again
    #[arg(long, value_name = "KIND=FILE")]
    pub(crate) report: Vec<String>,
    /// Only say what would be run, and what so many rows can show
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `hanok eval show`
#[derive(Debug, Args)]
pub(crate) struct EvalShow {
    /// Its number
    pub(crate) experiment: i64,
    /// Its results, too
    #[arg(long)]
    pub(crate) results: bool,
    /// Only results without an output
    #[arg(long)]
    pub(crate) failed: bool,
    /// Only results where this score is no, or less than half
    #[arg(long, value_name = "SCORE")]
    pub(crate) low: Option<String>,
    /// Only results where this score has no value
    #[arg(long, value_name = "SCORE")]
    pub(crate) uncovered: Option<String>,
    /// Only results that hold this text
    #[arg(long, value_name = "TEXT")]
    pub(crate) find: Option<String>,
    /// How many results
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub(crate) limit: usize,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `hanok eval import`
#[derive(Debug, Args)]
pub(crate) struct EvalImport {
    /// promptfoo's YAML, or OpenAI's samples in JSON Lines
    pub(crate) file: PathBuf,
    /// The eval to write, which must not be there yet
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// The model that is asked, in place of the file's
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// The model that judges where the file names none of ours; the one that is asked where this is not given
    #[arg(long, value_name = "MODEL")]
    pub(crate) judge: Option<String>,
    /// An eval of every pair of a prompt and a provider: NAME-p1-m1.toml, NAME-p1-m2.toml, …
    #[arg(long, conflicts_with_all = ["prompt", "provider"])]
    pub(crate) all: bool,
    /// Of several prompts, this one
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) prompt: usize,
    /// Of several providers, this one
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) provider: usize,
}

/// `hanok eval retrieval`
#[derive(Debug, Args)]
pub(crate) struct EvalRetrieval {
    /// A folder with corpus.jsonl, queries.jsonl and qrels.tsv or qrels/test.tsv; or a corpus.jsonl alone, or documents,
    /// about which --model makes questions
    pub(crate) dir: PathBuf,
    /// Whose judgements: qrels/SPLIT.tsv [default: qrels.tsv, qrels/test.tsv or the only one there is]
    #[arg(long, value_name = "SPLIT")]
    pub(crate) split: Option<String>,
    /// Which legs [default: all there are]
    #[arg(long, value_enum, value_name = "LEGS")]
    pub(crate) legs: Option<Legs>,
    /// A folder with a model that makes vectors [default: the first pulled one]
    #[arg(long, value_name = "FOLDER")]
    pub(crate) embedder: Option<PathBuf>,
    /// Fuse by ranks instead of scores
    #[arg(long)]
    pub(crate) rrf: bool,
    /// What a model does with each question before it is searched for: rewrite, multi, hyde, decompose
    #[arg(long, value_name = "STEP,STEP", value_delimiter = ',', requires = "model",
        value_parser = ["rewrite", "multi", "hyde", "decompose"])]
    pub(crate) query: Vec<String>,
    /// The chat model for that, and for making questions: an alias or provider/model
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Option<String>,
    /// How many questions are made of a folder without judgements
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) questions: usize,
    /// Which chunks they are about follows from it
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where they are kept, so that they are made once; a run that was stopped goes on from there
    #[arg(long, value_name = "FOLDER")]
    pub(crate) save: Option<PathBuf>,
    /// Each query, too
    #[arg(long)]
    pub(crate) per_query: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}
