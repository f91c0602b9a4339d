//! Prompts.

use super::Json;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `hanok prompt`
#[derive(Debug, Subcommand)]
pub(crate) enum Prompt {
    /// List the prompts of the folder prompts, with their labels
    #[command(after_help = "Example:\n  hanok prompt ls --json")]
    Ls(Json),
    /// Show a prompt: its variables, versions and text
    #[command(after_help = "Examples:\n  hanok prompt show greet\n  hanok prompt show greet@production")]
    Show {
        /// NAME, NAME@LABEL or NAME@VERSION
        prompt: String,
        #[command(flatten)]
        json: Json,
    },
    /// Say what differs between two versions, in text and in configuration
    #[command(after_help = "Examples:\n  hanok prompt diff greet production\n  \
        hanok prompt diff greet 1a2b3c4d5e production --json")]
    Diff {
        /// The prompt
        name: String,
        /// A label or version
        from: String,
        /// Another one [default: the file as it is]
        to: Option<String>,
        #[command(flatten)]
        json: Json,
    },
    /// Fill a prompt in, and show what a model would be asked
    #[command(after_help = "Examples:\n  hanok prompt render greet --var name=Ann\n  \
        hanok prompt render greet@production --vars ann.json --json")]
    Render {
        /// NAME, NAME@LABEL or NAME@VERSION
        prompt: String,
        #[command(flatten)]
        filling: PromptFilling,
        #[command(flatten)]
        json: Json,
    },
    /// Move a label to a version: forward, or back
    #[command(after_help = "Examples:\n  hanok prompt label greet production --to latest\n  \
        hanok prompt label greet production --to 1a2b3c4d5e     roll back\n  \
        hanok prompt label greet staging --remove")]
    Label(PromptLabel),
    /// Try a prompt on variables, or on every row of a file, and show the answers
    #[command(after_help = "Examples:\n  hanok prompt test greet --var name=Ann\n  \
        hanok prompt test classify@staging --dataset tickets.jsonl --model fast --model openai/gpt-5 --limit 10\n\n\
        Each line of the file: {\"name\": \"Ann\"}, or a dataset's row {\"input\": {\"name\": \"Ann\"}}. \
        Exit 1 where an answer does not come or does not fit the prompt's schema.")]
    Test(PromptTest),
}

/// The variables of a prompt
#[derive(Debug, Args)]
pub(crate) struct PromptFilling {
    /// A variable; where the prompt's schema wants no text, the value is read as JSON; may be given again
    #[arg(long, value_name = "NAME=VALUE")]
    pub(crate) var: Vec<String>,
    /// A file with an object of variables, JSON
    #[arg(long, value_name = "FILE")]
    pub(crate) vars: Option<PathBuf>,
}

/// `hanok prompt label`
#[derive(Debug, Args)]
pub(crate) struct PromptLabel {
    /// The prompt
    pub(crate) name: String,
    /// The label: production, staging, or any other but latest, which is the file
    pub(crate) label: String,
    /// A version (its first digits), or another label: latest
    #[arg(long, value_name = "VERSION", required_unless_present = "remove")]
    pub(crate) to: Option<String>,
    /// Remove the label
    #[arg(long, conflicts_with = "to")]
    pub(crate) remove: bool,
    #[command(flatten)]
    pub(crate) json: Json,
}

/// `hanok prompt test`
#[derive(Debug, Args)]
pub(crate) struct PromptTest {
    /// NAME, NAME@LABEL or NAME@VERSION
    pub(crate) prompt: String,
    #[command(flatten)]
    pub(crate) filling: PromptFilling,
    /// A file of rows, JSON lines; each is tried, with the variables given otherwise beneath
    #[arg(long, value_name = "FILE")]
    pub(crate) dataset: Option<PathBuf>,
    /// The model [default: the prompt's own]; may be given again
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Vec<String>,
    /// How many rows at most
    #[arg(long, value_name = "N")]
    pub(crate) limit: Option<usize>,
    #[command(flatten)]
    pub(crate) json: Json,
}
