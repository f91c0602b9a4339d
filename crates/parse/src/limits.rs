//! How much a document may cost, and why one is not taken.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// What parsing one document may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Bytes of the file.
    pub file_bytes: u64,
    /// Bytes of the text that comes out.
    pub text_bytes: usize,
    /// Bytes of what is packed inside the file, unpacked, all together.
    pub unpacked_bytes: u64,
    /// Bytes of memory of the child that parses.
    pub memory_bytes: u64,
    /// Time that one document may take, waiting included.
    pub time: Duration,
    /// Processor time that one document may take; whole seconds.
    pub processor: Duration,
    /// Children at one time.
    pub children: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes: 64 << 20,
            text_bytes: 32 << 20,
            unpacked_bytes: 256 << 20,
            memory_bytes: 512 << 20,
            time: Duration::from_secs(30),
            processor: Duration::from_secs(20),
            children: std::thread::available_parallelism().map_or(1, usize::from),
        }
    }
}

/// Why there is no text to be had from a file, as the end of the sentence "PATH is not indexed: …".
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unfit {
    /// It cannot be read now; what it holds may be as it was.
    #[error("it cannot be read: {0}")]
    Unread(String),
    /// A password is needed.
    #[error("it is encrypted; save it without a password")]
    Encrypted,
    /// Pages that are pictures.
    #[error("it is a scan without text ({pages} {}); run it through OCR first", if *.pages == 1 { "page" } else { "pages" })]
    Scan {
        /// How many pages.
        pages: usize,
    },
    /// Nothing to read in it.
    #[error("there is no text in it")]
    NoText,
    /// A size is over its limit.
    #[error("{what} is larger than {limit}")]
    TooLarge {
        /// What.
        what: String,
        /// The limit, in words.
        limit: String,
    },
    /// It took too long.
    #[error("parsing it took longer than {0}")]
    TooLong(String),
    /// It needed too much memory.
    #[error("parsing it needs more memory than {0}")]
    Memory(String),
    /// It is not what its name says, or damaged.
    #[error("it is no valid {format}: {reason}")]
    Invalid {
        /// The format.
        format: String,
        /// What is wrong.
        reason: String,
    },
    /// The parser failed on it.
    #[error("the parser failed on it: {0}")]
    Crashed(String),
    /// The parser could not be started; nothing is known of the file.
    #[error("the parser cannot be started: {0}")]
    NoParser(String),
}

impl Unfit {
    /// `what` is larger than `limit` bytes.
    pub(crate) fn too_large(what: &str, limit: u64) -> Self {
        Self::TooLarge { what: what.to_owned(), limit: size(limit) }
    }

    /// It is no `format`, because of `reason`.
    pub(crate) fn invalid(format: &str, reason: impl std::fmt::Display) -> Self {
        // What a damaged file makes a parser say can be long.
        let reason = reason.to_string();
        let reason = reason.lines().next().unwrap_or_default().chars().take(160).collect();
        Self::Invalid { format: format.to_owned(), reason }
    }

    /// Whether the same bytes will fail again: `false` where the fault was not theirs.
    pub fn is_lasting(&self) -> bool {
        !matches!(self, Self::Unread(_) | Self::NoParser(_))
    }
}

/// Bytes in words: `64 MiB`.
pub(crate) fn size(bytes: u64) -> String {
    const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match UNITS.iter().find(|(unit, _)| bytes >= *unit && bytes.is_multiple_of(*unit)) {
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None => format!("{bytes} bytes"),
    }
}
