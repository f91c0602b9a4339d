//! The file: how it is opened, checked and brought up to date.

use crate::error::StoreError;
use rusqlite::{Connection, ErrorCode, OpenFlags, Transaction, TransactionBehavior};
use std::path::Path;
use std::time::Duration;

/// In the order they are applied; `user_version` counts those a file has seen.
pub(crate) const MIGRATIONS: &[&str] = &[
    include_str!("../migrations/0001_records.sql"),
    include_str!("../migrations/0002_documents.sql"),
    include_str!("../migrations/0003_accounts.sql"),
    include_str!("../migrations/0004_span_packs.sql"),
    include_str!("../migrations/0005_sessions.sql"),
    include_str!("../migrations/0006_facts.sql"),
    include_str!("../migrations/0007_governance.sql"),
    include_str!("../migrations/0008_cursors.sql"),
    include_str!("../migrations/0009_sources.sql"),
    include_str!("../migrations/0010_vectors.sql"),
    include_str!("../migrations/0011_prompts.sql"),
    include_str!("../migrations/0012_evals.sql"),
    include_str!("../migrations/0013_annotations.sql"),
    include_str!("../migrations/0014_made_of.sql"),
];

/// `HANO` in ASCII: tells our file from any other SQLite database.
pub(crate) const APPLICATION_ID: i64 = 0x4841_4e4f;

/// How long a write waits for another process that writes.
pub(crate) const BUSY_TIMEOUT: Duration = Duration::from_secs(2);

/// The newest schema this binary knows.
pub(crate) fn known_version() -> i64 {
    i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX)
}

/// Opens for writing: makes the file where there is none, and brings it up to date.
pub(crate) fn open_writer(path: &Path) -> Result<Connection, StoreError> {
    let opened = |error| explain(path, error);
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(opened)?;
    conn.busy_timeout(BUSY_TIMEOUT).map_err(opened)?;
    check_identity(path, &conn)?;
    // Page size first: it is fixed once the file has a page. No memory mapping: with it, a file that
    // shrinks under us (a full or failing disk) is a fatal signal instead of an error.
    conn.execute_batch(
        "PRAGMA page_size = 4096;
         PRAGMA journal_mode = WAL;
         PRAGMA synchronous = NORMAL;
         PRAGMA wal_autocheckpoint = 2000;
         PRAGMA journal_size_limit = 16777216;
         PRAGMA cache_size = -4000;
         PRAGMA temp_store = MEMORY;
         PRAGMA foreign_keys = ON;",
    )
    .map_err(opened)?;
    conn.set_prepared_statement_cache_capacity(64);
    migrate(path, &conn)?;
    Ok(conn)
}

/// Opens for reading. The file must exist and be up to date.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let opened = |error| explain(path, error);
    if !path.exists() {
        return Err(StoreError::Missing { path: path.to_owned() });
    }
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let conn = Connection::open_with_flags(path, flags).map_err(opened)?;
    conn.busy_timeout(Duration::from_secs(2)).map_err(opened)?;
    let found = check_identity(path, &conn)?;
    let known = known_version();
    if found < known {
        return Err(StoreError::Older { path: path.to_owned(), found, known });
    }
    conn.execute_batch("PRAGMA cache_size = -2000; PRAGMA temp_store = MEMORY; PRAGMA query_only = ON;")
        .map_err(opened)?;
    conn.set_prepared_statement_cache_capacity(64);
    Ok(conn)
}

/// The file's schema version, once it is known to be ours (or empty) and not newer than we are.
pub(crate) fn check_identity(path: &Path, conn: &Connection) -> Result<i64, StoreError> {
    let number = |pragma: &str| -> Result<i64, StoreError> {
        conn.query_row(pragma, [], |row| row.get(0)).map_err(|error| explain(path, error))
    };
    let application = number("PRAGMA application_id")?;
    let version = number("PRAGMA user_version")?;
    let tables = number("SELECT count(*) FROM sqlite_master")?;
    if application != APPLICATION_ID && (application != 0 || version != 0 || tables != 0) {
        return Err(StoreError::Foreign { path: path.to_owned(), what: "another program's SQLite database" });
    }
    let known = known_version();
    if version > known {
        return Err(StoreError::Newer { path: path.to_owned(), found: version, known });
    }
    Ok(version)
}

fn migrate(path: &Path, conn: &Connection) -> Result<(), StoreError> {
    let opened = |error| explain(path, error);
    loop {
        // The version is read inside the write lock, as another process may be doing the same.
        let tx = Transaction::new_unchecked(conn, TransactionBehavior::Immediate).map_err(opened)?;
        let version: i64 = tx.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(opened)?;
        let Some(sql) = usize::try_from(version).ok().and_then(|version| MIGRATIONS.get(version)) else {
            return Ok(());
        };
        tx.execute_batch(sql).map_err(opened)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID).map_err(opened)?;
        tx.pragma_update(None, "user_version", version + 1).map_err(opened)?;
        tx.commit().map_err(opened)?;
    }
}

fn explain(path: &Path, error: rusqlite::Error) -> StoreError {
    if error.sqlite_error_code() == Some(ErrorCode::NotADatabase) {
        return StoreError::Foreign { path: path.to_owned(), what: "not a SQLite file" };
    }
    StoreError::Open { path: path.to_owned(), source: error }
}
