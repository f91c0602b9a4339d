//! What can go wrong in the store.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

/// An operation of the store failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The data folder cannot be made or used.
    #[error("cannot use the data folder {}: {source}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database cannot be opened.
    #[error("cannot open the database {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: rusqlite::Error,
    },
    /// Opened for reading, but nothing was ever written.
    #[error("there is no database at {}: start `hanok up` first, or name another folder with --data", path.display())]
    Missing {
        /// The file looked for.
        path: PathBuf,
    },
    /// The file is something else's.
    #[error("{} is not a database of Hanok ({what}): move it away, or name another folder with --data", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        what: &'static str,
    },
    /// Written by a newer version.
    #[error(
        "{} was written by a newer version of Hanok (schema {found}; this version knows up to {known}): \
         run that version, or name another folder with --data",
        path.display()
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The schema version it has.
        found: i64,
        /// The newest schema version this binary knows.
        known: i64,
    },
    /// Opened for reading, but written by an older version and not brought up to date yet.
    #[error(
        "{} was written by an older version of Hanok (schema {found}, needed is {known}): \
         start `hanok up` once, which brings it up to date",
        path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// The schema version it has.
        found: i64,
        /// The schema version needed.
        known: i64,
    },
    /// A query was stopped because it took too long.
    #[error("the query took longer than {0:?} and was stopped: narrow it down")]
    Timeout(Duration),
    /// Too many queries wait already.
    #[error("too many queries are waiting: try again")]
    Busy,
    /// What was to be written could not be committed; nothing of it was.
    #[error("the store cannot write: {reason}")]
    Unavailable {
        /// Why, for people.
        reason: String,
    },
    /// A write through a store that was opened for reading only.
    #[error("the store was opened for reading only")]
    ReadOnly,
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The file does not hold what it must.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// A defect: the job's own code panicked. Nothing of it was written.
    #[error("a job of the store panicked: {0}")]
    Panicked(String),
    /// The system gave no random bytes, without which no key can be made.
    #[error("the system's random generator failed: {0}")]
    NoRandomness(String),
    /// SQLite said no.
    #[error(transparent)]
    Sql(#[from] rusqlite::Error),
}

/// Whether the fault is the file's, the disk's or the machine's, rather than of what was to be written:
/// the same write may succeed later.
pub(crate) fn is_store_fault(error: &rusqlite::Error) -> bool {
    use rusqlite::ErrorCode as Code;
    matches!(
        error.sqlite_error_code(),
        Some(
            Code::DiskFull
                | Code::SystemIoFailure
                | Code::DatabaseBusy
                | Code::DatabaseLocked
                | Code::OutOfMemory
                | Code::CannotOpen
                | Code::ReadOnly
                | Code::PermissionDenied
                | Code::DatabaseCorrupt
                | Code::NotADatabase
                | Code::FileLockingProtocolFailed
                | Code::NoLargeFileSupport
        )
    )
}

/// What a panic said.
pub(crate) fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "without a message".to_owned())
}
