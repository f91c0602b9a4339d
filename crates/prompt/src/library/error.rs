//! What stands between somebody and a prompt.

use crate::error::PromptError;
use hanok_store::StoreError;
use std::io;
use std::path::PathBuf;

/// Prompts cannot be had, or not be changed.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// There is no such prompt.
    #[error("there is no prompt `{name}`{near}")]
    Unknown {
        /// The name.
        name: String,
        /// The nearest name, in words; may be empty.
        near: String,
    },
    /// It has neither such a label nor such a version.
    #[error("the prompt `{name}` has no label or version `{at}`{near}; it has {known}")]
    UnknownVersion {
        /// The prompt.
        name: String,
        /// What was asked for.
        at: String,
        /// The nearest label, in words; may be empty.
        near: String,
        /// Its labels.
        known: String,
    },
    /// Several versions begin so.
    #[error("several versions of the prompt `{name}` begin with `{at}`; give more digits")]
    Ambiguous {
        /// The prompt.
        name: String,
        /// What was asked for.
        at: String,
    },
    /// Its file cannot be parsed, or it cannot be rendered.
    #[error(transparent)]
    Prompt(#[from] PromptError),
    /// Its file cannot be read.
    #[error("the prompt `{name}` cannot be read: {message}")]
    Unreadable {
        /// The prompt.
        name: String,
        /// Why.
        message: String,
    },
    /// A text that cannot be a prompt's name, or a label's.
    #[error("`{name}` cannot be {what}: {why}")]
    BadName {
        /// The text.
        name: String,
        /// What it cannot be: `a prompt's name`, `a label`.
        what: &'static str,
        /// Why.
        why: &'static str,
    },
    /// The file changed since it was looked at.
    #[error(
        "the file of the prompt `{name}` is no longer the version {expected} that was edited; look at it again"
    )]
    Changed {
        /// The prompt.
        name: String,
        /// The version that was edited.
        expected: String,
    },
    /// Without a data folder there is no history.
    #[error(
        "there are no records of prompts here; start with `hanok up`, or name the data folder with --data"
    )]
    NoRecords,
    /// The folder cannot be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}
