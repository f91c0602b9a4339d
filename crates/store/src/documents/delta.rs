//! What changed after a generation, for indexes that follow.

use super::chunk::text_of;
use super::column::{length, parent, signed, source_id, source_key, unsigned};
use super::{Delta, IndexedSource, NewChunk};
use crate::StoreError;
use hanok_base::SourceId;
use rusqlite::Connection;

/// Sources one call of [`Documents::changes_since`] gives at most, unless one generation has more.
const MOST_CHANGES: usize = 512;
/// Bytes of text it gives at most, with the same exception.
const MOST_BYTES: i64 = 8 << 20;

pub(super) fn changes_since(
    conn: &Connection,
    collection: i64,
    generation: u64,
) -> Result<Delta, StoreError> {
    let last: i64 = conn
        .prepare_cached("SELECT generation FROM collections WHERE id = ?1")?
        .query_row([collection], |row| row.get(0))?;
    let up_to = piece_end(conn, collection, signed(generation))?.unwrap_or(last);
    let mut delta = Delta { generation: unsigned(up_to), more: up_to < last, ..Delta::default() };
    let mut changed = conn.prepare_cached(
        "SELECT id, title FROM sources WHERE collection_id = ?1 AND generation > ?2 AND generation <= ?3
         ORDER BY generation, path",
    )?;
    let mut rows = changed.query([collection, signed(generation), up_to])?;
    while let Some(row) = rows.next()? {
        let id = source_id(row.get(0)?);
        let chunks = chunk_rows(conn, id)?;
        delta.sources.push(IndexedSource { id, title: row.get(1)?, text: text_of(conn, id)?, chunks });
    }
    delta.deleted = conn
        .prepare_cached(
            "SELECT source_id FROM source_tombstones WHERE collection_id = ?1 AND generation > ?2 AND generation <= ?3",
        )?
        .query_map([collection, signed(generation), up_to], |row| Ok(source_id(row.get(0)?)))?
        .collect::<Result<_, _>>()?;
    Ok(delta)
}

/// The last whole generation that fits into one piece with those before it; `None` when all fit.
fn piece_end(conn: &Connection, collection: i64, after: i64) -> Result<Option<i64>, StoreError> {
    let mut sizes = conn.prepare_cached(
        "SELECT s.generation, t.size FROM sources s JOIN source_texts t ON t.source_id = s.id
         WHERE s.collection_id = ?1 AND s.generation > ?2 ORDER BY s.generation",
    )?;
    let mut rows = sizes.query([collection, after])?;
    let (mut first, mut count, mut bytes) = (None, 0, 0);
    while let Some(row) = rows.next()? {
        let generation: i64 = row.get(0)?;
        let first = *first.get_or_insert(generation);
        count += 1;
        bytes += row.get::<_, i64>(1)?;
        if count > MOST_CHANGES || bytes > MOST_BYTES {
            // A generation that is too much by itself is taken alone.
            return Ok(Some(if generation == first { first } else { generation - 1 }));
        }
    }
    Ok(None)
}

/// The chunks of a document, in order.
pub(super) fn chunk_rows(conn: &Connection, id: SourceId) -> Result<Vec<(u64, NewChunk)>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT id, heading, start_byte, end_byte, parent_start, parent_end FROM chunks
         WHERE source_id = ?1 ORDER BY ordinal",
    )?;
    let rows = statement.query_map([source_key(id)], |row| {
        let (start, end) = (length(row.get(2)?), length(row.get(3)?));
        Ok((unsigned(row.get(0)?), NewChunk { heading: row.get(1)?, start, end, parent: parent(row, 4)? }))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
