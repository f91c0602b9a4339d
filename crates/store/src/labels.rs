//! What a trace is found by besides its names: the session it is a turn of, the person it was for, its tags.

use rusqlite::{OptionalExtension, Result, Transaction, params};

/// The row of a user.
pub(crate) fn user(tx: &Transaction<'_>, name: &str) -> Result<i64> {
    let known = tx
        .prepare_cached("SELECT id FROM users WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?;
    if let Some(id) = known {
        return Ok(id);
    }
    tx.prepare_cached("INSERT INTO users (name) VALUES (?1)")?.execute([name])?;
    Ok(tx.last_insert_rowid())
}

/// Makes a trace a turn of a session, whose row this gives.
pub(crate) fn join_session(tx: &Transaction<'_>, seq: i64, project: Option<i64>, name: &str) -> Result<i64> {
    let session: i64 = tx
        .prepare_cached(
            "INSERT INTO sessions (project, name, last_seq) VALUES (?1, ?2, ?3)
             ON CONFLICT (name, project) DO UPDATE SET last_seq = max(last_seq, excluded.last_seq)
             RETURNING id",
        )?
        .query_row(params![project.unwrap_or(0), name, seq], |row| row.get(0))?;
    tx.prepare_cached("UPDATE traces SET session = ?2 WHERE seq = ?1")?.execute([seq, session])?;
    Ok(session)
}

/// Gives a trace a tag, a row of `names`.
pub(crate) fn tag(tx: &Transaction<'_>, seq: i64, tag: i64) -> Result<()> {
    tx.prepare_cached("INSERT OR IGNORE INTO tags (tag, seq) VALUES (?1, ?2)")?.execute([tag, seq])?;
    Ok(())
}

/// Tags as their column has them; `None` for none.
pub(crate) fn json(tags: &[String]) -> Result<Option<String>> {
    if tags.is_empty() {
        return Ok(None);
    }
    let json = serde_json::to_string(tags);
    json.map(Some).map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))
}

/// Tags from their column.
pub(crate) fn read(json: Option<&str>) -> Vec<String> {
    json.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default()
}

/// Tags and those among `more` that are not there yet, in the order of the alphabet.
pub(crate) fn union(tags: &[String], more: &[String]) -> Vec<String> {
    let mut all: Vec<String> = tags.iter().chain(more).cloned().collect();
    all.sort_unstable();
    all.dedup();
    all
}
