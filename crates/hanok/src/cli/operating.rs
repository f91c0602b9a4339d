//! Running the server, and looking after its configuration, its keys and its file.

use super::Json;
use crate::config::{Dollars, Period, Seconds};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `hanok up`
#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Folders, files, git+FOLDER (tracked files only) and URLs to answer from, as the collection `default`
    #[arg(value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Do not follow changes of files while serving
    #[arg(long)]
    pub(crate) no_watch: bool,
    /// Address and port [default: 127.0.0.1:4141] [env: HANOK_BIND]
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) bind: Option<String>,
    /// Take OpenTelemetry's spans on a second address, too [default: 127.0.0.1:4318] [env: HANOK_OTLP]
    #[arg(long, value_name = "ADDR:PORT", num_args = 0..=1, require_equals = true, default_missing_value = "127.0.0.1:4318")]
    pub(crate) otlp: Option<String>,
}

/// `hanok init`
#[derive(Debug, Args)]
pub(crate) struct Init {
    /// Overwrite a file that is there
    #[arg(long)]
    pub(crate) force: bool,
}

/// `hanok config`
#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Check the file; exit 1 with line, key and the likely spelling when it is wrong
    Check(Json),
    /// Print the file's JSON Schema
    Schema,
    /// Print what holds
    Show {
        /// Say who set each value
        #[arg(long)]
        origin: bool,
        #[command(flatten)]
        json: Json,
    },
}

/// `hanok keys`
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key; it is shown once
    #[command(after_help = "Examples:\n  hanok keys create alice\n  \
        hanok keys create ci --project web --models 'fast,openai/*' --budget 5 --period day --expires 30d")]
    Create(NewKey),
    /// List keys with what they used
    #[command(after_help = "Example:\n  hanok keys ls --json")]
    Ls(Json),
    /// Revoke a key: it stops working at once
    #[command(after_help = "Example:\n  hanok keys revoke alice")]
    Revoke {
        /// Its id, or its name where only one has it
        key: String,
        #[command(flatten)]
        json: Json,
    },
    /// Give back what a crash left counted as spent, though no record says so
    #[command(after_help = "Example:\n  hanok keys reconcile alice")]
    Reconcile {
        /// Its id, or its name where only one has it
        key: String,
        #[command(flatten)]
        json: Json,
    },
}

/// `hanok keys create`
#[derive(Debug, Args)]
pub(crate) struct NewKey {
    /// Its name, as traces show it
    pub(crate) name: String,
    /// The project its calls belong to
    #[arg(long, value_name = "NAME", default_value = "default")]
    pub(crate) project: String,
    /// Models it may call, `*` stands for any text [default: all]
    #[arg(long, value_name = "MODEL,MODEL", value_delimiter = ',')]
    pub(crate) models: Vec<String>,
    /// Money it may spend in each period, in US dollars
    #[arg(long, value_name = "DOLLARS")]
    pub(crate) budget: Option<Dollars>,
    /// The budget's period, in UTC
    #[arg(long, value_enum, value_name = "PERIOD", default_value = "month")]
    pub(crate) period: Period,
    /// Most requests a minute
    #[arg(long, value_name = "N")]
    pub(crate) requests_per_minute: Option<u64>,
    /// Most tokens a minute, of prompts and answers
    #[arg(long, value_name = "N")]
    pub(crate) tokens_per_minute: Option<u64>,
    /// Most calls at once
    #[arg(long, value_name = "N")]
    pub(crate) concurrent: Option<u64>,
    /// Most tokens of one answer
    #[arg(long, value_name = "N")]
    pub(crate) max_output_tokens: Option<u64>,
    /// When it stops working, from now: 12h, 30d [default: never]
    #[arg(long, value_name = "TIME")]
    pub(crate) expires: Option<Seconds>,
    /// May see every project, and make and revoke keys
    #[arg(long)]
    pub(crate) admin: bool,
    /// Whether what is said in its calls is kept in the records [default: as the project has it]
    #[arg(long, value_name = "CHOICE", value_parser = ["on", "errors", "off"])]
    pub(crate) payloads: Option<String>,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `hanok db`
#[derive(Debug, Subcommand)]
pub(crate) enum Db {
    /// Copy the file, while a server runs or not
    #[command(after_help = "Example:\n  hanok db backup ~/backups/hanok-2026-11-20.db")]
    Backup {
        /// Where to; nothing may be there
        file: PathBuf,
        #[command(flatten)]
        json: Json,
    },
    /// Put a copy in place of the file, after checking it; no server may run
    #[command(after_help = "Example:\n  hanok db restore ~/backups/hanok-2026-11-20.db")]
    Restore {
        /// The copy
        file: PathBuf,
        #[command(flatten)]
        json: Json,
    },
    /// Check that the file is whole; exit 1 where it is not
    #[command(after_help = "Example:\n  hanok db check --json")]
    Check {
        #[command(flatten)]
        json: Json,
    },
    /// Say how large the file is, and what in it is
    Size {
        #[command(flatten)]
        json: Json,
    },
}
