//! The command line. Doc comments here are what `--help` says.
//!
//! Deliberately not here: doing anything, which is [`crate::commands`].
//!
//! Reading order: this (the commands), `operating`, `documents`, `models`, `trace`, `prompt`, `dataset`, `eval` and `judge`
//! (their arguments).

#![expect(clippy::doc_markdown, reason = "help texts are read in a terminal")]

mod dataset;
mod documents;
mod eval;
mod judge;
mod models;
mod operating;
mod prompt;
mod trace;

pub(crate) use dataset::{Dataset, DatasetAdd};
pub(crate) use documents::{Index, Search, Tune};
pub(crate) use eval::{Eval, EvalImport, EvalRetrieval, EvalRun, EvalShow};
pub(crate) use judge::{Judge, JudgeCheck, JudgeLabels, JudgeProbe, QueueMade, WhichJudge};
pub(crate) use models::{Ask, Chat, Pull};
pub(crate) use operating::{ConfigCommand, Db, Init, Keys, NewKey, Up};
pub(crate) use prompt::{Prompt, PromptFilling, PromptLabel, PromptTest};
pub(crate) use trace::{Rm, Trace, TraceExport, TracePage, TraceScore, TraceStats};

use crate::config::{LogFormat, Overrides};
use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// The AI engineering stack in one binary: gateway, records, retrieval and their web UI.
#[derive(Debug, Parser)]
#[command(name = "hanok", version, propagate_version = true, arg_required_else_help = true)]
#[command(after_help = "Example:\n  hanok up docs        serve, with the folder docs to answer from")]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Data folder [default: .hanok] [env: HANOK_DATA]
    #[arg(long, global = true, value_name = "DIR", help_heading = "Global options")]
    pub(crate) data: Option<PathBuf>,
    /// Configuration file [default: hanok.toml if present] [env: HANOK_CONFIG]
    #[arg(long, global = true, value_name = "FILE", help_heading = "Global options")]
    pub(crate) config: Option<PathBuf>,
    /// Log level: error, warn, info, debug, trace, or a filter such as hanok_gateway=debug [env: HANOK_LOG]
    #[arg(long, global = true, value_name = "LEVEL", help_heading = "Global options")]
    pub(crate) log: Option<String>,
    /// Log format [env: HANOK_LOG_FORMAT]
    #[arg(long, global = true, value_enum, value_name = "FORMAT", help_heading = "Global options")]
    pub(crate) log_format: Option<LogFormat>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Serve: the gateway, answers from documents, records and the web UI
    #[command(after_help = "Examples:\n  hanok up docs\n  hanok up ~/notes README.md --bind 127.0.0.1:8080")]
    Up(Up),
    /// Write a commented hanok.toml to start from
    #[command(after_help = "Example:\n  hanok init && hanok up")]
    Init(Init),
    /// Bring a collection up to date with its folders, without serving
    #[command(after_help = "Examples:\n  hanok index\n  hanok index docs --collection handbook --json")]
    Index(Index),
    /// Search a collection
    #[command(after_help = "Example:\n  hanok search \"how are answers cited\" --top-k 5")]
    Search(Search),
    /// Ask a question of the documents, or of any model
    #[command(after_help = "Examples:\n  hanok ask \"where are traces kept?\"\n  \
        hanok ask \"summarise the handbook\" --model hanok/ask@default:openai/gpt-5-mini")]
    Ask(Ask),
    /// Talk with a model, line by line
    #[command(after_help = "Example:\n  hanok chat --model fast")]
    Chat(Chat),
    /// Look at recorded calls
    #[command(subcommand)]
    Trace(Trace),
    /// Look at prompts, label their versions and try them
    #[command(subcommand)]
    Prompt(Prompt),
    /// Make, list and revoke keys for clients
    #[command(subcommand)]
    Keys(Keys),
    /// Say who removed which traces, and when
    #[command(after_help = "Example:\n  hanok audit --limit 20")]
    Audit {
        /// How many lines
        #[arg(long, value_name = "N", default_value_t = 50)]
        limit: usize,
        #[command(flatten)]
        json: Json,
    },
    /// Copy, put back, check or measure the file of the data folder
    #[command(subcommand)]
    Db(Db),
    /// Say what is configured, what answers, what is missing and what to do
    #[command(after_help = "Example:\n  hanok doctor")]
    Doctor(Json),
    /// Check, describe or show the configuration
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Run evals, and look at what came of them
    #[command(subcommand)]
    Eval(Eval),
    /// Keep, split, check and export the rows that evals run over
    #[command(subcommand)]
    Dataset(Dataset),
    /// Check judges against people, probe them, and keep people's labels
    #[command(subcommand)]
    Judge(Judge),
    /// Parse documents that come on standard input: the child of a server or an index, limited by itself
    #[command(hide = true)]
    ParseDocuments,
    /// Get a model that runs in this process: an embedder or a cross-encoder
    #[command(
        after_help = "Examples:\n  hanok pull all-minilm-l6-v2\n  hanok pull BAAI/bge-small-en-v1.5\n  \
        hanok pull ./my-model --name mine\n\nFrom the Hugging Face hub, or where HF_ENDPOINT says; HF_TOKEN is shown to it."
    )]
    Pull(Pull),
    /// List the models that were pulled
    #[command(after_help = "Example:\n  hanok list --json")]
    List(Json),
    /// Remove a model that was pulled
    #[command(after_help = "Example:\n  hanok rm all-minilm-l6-v2")]
    Rm {
        /// Its name, as `hanok list` has it
        name: String,
    },
    /// Try changes to how a collection is searched, and adopt what is proved to be better
    #[command(after_help = "Example:\n  hanok tune handbook --queries questions.jsonl\n\n\
        Each line of the file: {\"query\": \"...\", \"relevant\": [\"path of a document\"]}")]
    Tune(Tune),
    /// Print completions for a shell
    #[command(
        after_help = "Example:\n  hanok completions bash > ~/.local/share/bash-completion/completions/hanok"
    )]
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

/// `--json`
#[derive(Clone, Copy, Debug, Args)]
pub(crate) struct Json {
    /// Print exactly one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

impl Cli {
    /// What the flags say about the configuration.
    pub(crate) fn overrides(&self) -> Overrides {
        Overrides {
            config: self.global.config.clone(),
            data: self.global.data.clone(),
            bind: if let Command::Up(up) = &self.command { up.bind.clone() } else { None },
            otlp: if let Command::Up(up) = &self.command { up.otlp.clone() } else { None },
            log: self.global.log.clone(),
            log_format: self.global.log_format,
        }
    }
}
