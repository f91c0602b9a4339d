//! What can go wrong with a model on disk, in words that name the file and the way out.

use std::path::{Path, PathBuf};

/// A model could not be opened or run.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// A file of the model cannot be read.
    #[error("{}: cannot be read", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file of the model is not what its name says.
    #[error("{}: {what}", path.display())]
    Invalid {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A tensor of the model is missing, or has another shape or type than the configuration says.
    #[error("{}: tensor `{tensor}` {what}", path.display())]
    Tensor {
        /// The file.
        path: PathBuf,
        /// The tensor.
        tensor: String,
        /// What is wrong with it.
        what: String,
    },
    /// The model is whole, but of a kind that is not computed here.
    #[error("{}: {what} is not supported; {hint}", path.display())]
    Unsupported {
        /// The file that says so.
        path: PathBuf,
        /// What is not supported.
        what: String,
        /// The way out.
        hint: &'static str,
    },
    /// A text could not be turned into tokens.
    #[error("a text cannot be tokenised: {0}")]
    Tokenise(String),
    /// No model of this name is in the data folder.
    #[error("no model `{name}` in {}; `hanok pull {name}` gets it", folder.display())]
    Unknown {
        /// The name asked for.
        name: String,
        /// The folder of models.
        folder: PathBuf,
    },
    /// A name that cannot be a model's.
    #[error(
        "`{0}` cannot be a model's name: letters, digits, `-`, `_` and `.`, at most 96, not beginning with `.`"
    )]
    Name(String),
    /// A model of this name is already there.
    #[error("a model `{0}` is already there; `hanok rm {0}` removes it")]
    Exists(String),
    /// A file differs from what its source says of it.
    #[error("{}: {what}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// How it differs.
        what: String,
    },
    /// A file cannot be written.
    #[error("{}: cannot be written", path.display())]
    Write {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The threads that compute could not be started.
    #[error("threads for local models cannot be started")]
    Threads(#[source] std::io::Error),
    /// The work was given up: a thread that computed it failed.
    #[error("the local model failed on this call; the log says where")]
    Failed,
}

impl LocalError {
    pub(crate) fn read(path: &Path, source: std::io::Error) -> Self {
        Self::Read { path: path.to_owned(), source }
    }
    pub(crate) fn write(path: &Path, source: std::io::Error) -> Self {
        Self::Write { path: path.to_owned(), source }
    }
    pub(crate) fn invalid(path: &Path, what: impl Into<String>) -> Self {
        Self::Invalid { path: path.to_owned(), what: what.into() }
    }
    pub(crate) fn tensor(path: &Path, tensor: &str, what: impl Into<String>) -> Self {
        Self::Tensor { path: path.to_owned(), tensor: tensor.to_owned(), what: what.into() }
    }
    pub(crate) fn unsupported(path: &Path, what: impl Into<String>, hint: &'static str) -> Self {
        Self::Unsupported { path: path.to_owned(), what: what.into(), hint }
    }
}
