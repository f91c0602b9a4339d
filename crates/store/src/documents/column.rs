//! Columns: what stands in them, from and to the types of documents.

use super::Stamp;
use hanok_base::{SourceId, Timestamp, Trust};
use rusqlite::Row;
use std::ops::Range;

/// A column that holds JSON.
pub(super) fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, at: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(at)?.as_str()?;
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, error.into())
    })
}

pub(super) fn trust(row: &Row<'_>, at: usize) -> rusqlite::Result<Trust> {
    let is_trusted = row.get_ref(at)?.as_str()? == trust_name(Trust::Trusted);
    Ok(if is_trusted { Trust::Trusted } else { Trust::Untrusted })
}

pub(super) fn trust_name(trust: Trust) -> &'static str {
    match trust {
        Trust::Trusted => "trusted",
        Trust::Untrusted => "untrusted",
    }
}

/// Where pages begin, as 32-bit numbers. Texts are far shorter than those reach.
pub(super) fn packed(pages: &[usize]) -> Vec<u8> {
    pages.iter().flat_map(|start| u32::try_from(*start).unwrap_or(u32::MAX).to_le_bytes()).collect()
}

pub(super) fn unpacked(pages: &[u8]) -> Vec<usize> {
    let (starts, _) = pages.as_chunks::<4>();
    starts.iter().map(|bytes| usize::try_from(u32::from_le_bytes(*bytes)).unwrap_or(usize::MAX)).collect()
}

pub(super) fn stamp(row: &Row<'_>, at: usize) -> rusqlite::Result<Stamp> {
    Ok(Stamp { size: unsigned(row.get(at)?), modified: Timestamp(row.get(at + 1)?) })
}

/// The span in two columns, where there is one.
pub(super) fn parent(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Range<usize>>> {
    let (start, end): (Option<i64>, Option<i64>) = (row.get(at)?, row.get(at + 1)?);
    Ok(start.zip(end).map(|(start, end)| length(start)..length(end)))
}

// SQLite's integers are signed: ids keep their bits, counts are far below the limit.

pub(super) fn source_key(id: SourceId) -> i64 {
    id.0.cast_signed()
}
pub(super) fn source_id(key: i64) -> SourceId {
    SourceId(key.cast_unsigned())
}
/// Hashes keep their bits, too.
pub(super) fn hash_key(hash: u64) -> i64 {
    hash.cast_signed()
}
pub(super) fn hash_of(key: i64) -> u64 {
    key.cast_unsigned()
}
pub(super) fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
pub(super) fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}
pub(super) fn clamp(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
pub(super) fn length(value: i64) -> usize {
    usize::try_from(value).unwrap_or_default()
}
