//! Changes to documents, all or none.

use super::column::{clamp, hash_key, packed, signed, source_key, trust_name, unsigned};
use super::{Changes, NewSource, SourceMeta};
use crate::StoreError;
use hanok_base::{SourceId, Timestamp};
use rusqlite::{Transaction, params};

pub(super) fn apply(tx: &Transaction<'_>, collection: i64, changes: &Changes) -> Result<u64, StoreError> {
    let mut generation: i64 = tx
        .prepare_cached("SELECT generation FROM collections WHERE id = ?1")?
        .query_row([collection], |row| row.get(0))?;
    // Who may find a document changes what is found, too.
    if !changes.upserts.is_empty() || !changes.deletes.is_empty() || !changes.described.is_empty() {
        generation += 1;
        tx.prepare_cached("UPDATE collections SET generation = ?2 WHERE id = ?1")?
            .execute([collection, generation])?;
    }
    for id in &changes.deletes {
        let gone = tx
            .prepare_cached("DELETE FROM sources WHERE id = ?1 AND collection_id = ?2")?
            .execute([source_key(*id), collection])?;
        if gone > 0 {
            tx.prepare_cached("INSERT OR REPLACE INTO source_tombstones VALUES (?1, ?2, ?3)")?.execute([
                collection,
                source_key(*id),
                generation,
            ])?;
        }
    }
    for source in &changes.upserts {
        upsert(tx, collection, generation, source)?;
    }
    for (id, stamp) in &changes.touched {
        tx.prepare_cached("UPDATE sources SET size = ?2, modified_ns = ?3 WHERE id = ?1")?.execute([
            source_key(*id),
            signed(stamp.size),
            stamp.modified.0,
        ])?;
    }
    for (id, stamp, meta) in &changes.described {
        tx.prepare_cached("UPDATE sources SET size = ?2, modified_ns = ?3 WHERE id = ?1")?.execute([
            source_key(*id),
            signed(stamp.size),
            stamp.modified.0,
        ])?;
        describe(tx, *id, meta)?;
    }
    for skipped in &changes.skipped {
        tx.prepare_cached("INSERT OR REPLACE INTO skipped_files VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?.execute(
            params![
                collection,
                skipped.path,
                signed(skipped.stamp.size),
                skipped.stamp.modified.0,
                skipped.reason,
                hash_key(skipped.judged_by)
            ],
        )?;
    }
    for path in &changes.unskipped {
        tx.prepare_cached("DELETE FROM skipped_files WHERE collection_id = ?1 AND path = ?2")?
            .execute(params![collection, path])?;
    }
    Ok(unsigned(generation))
}

fn upsert(
    tx: &Transaction<'_>,
    collection: i64,
    generation: i64,
    source: &NewSource,
) -> Result<(), StoreError> {
    let id = source_key(source.id);
    tx.prepare_cached(
        "INSERT INTO sources
             (id, collection_id, path, title, hash, size, modified_ns, generation, indexed_at_ns, cut_by)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)
         ON CONFLICT (id) DO UPDATE SET path = excluded.path, title = excluded.title, hash = excluded.hash,
             size = excluded.size, modified_ns = excluded.modified_ns, generation = excluded.generation,
             indexed_at_ns = excluded.indexed_at_ns, cut_by = excluded.cut_by",
    )?
    .execute(params![
        id,
        collection,
        source.path,
        source.title,
        source.hash,
        signed(source.stamp.size),
        source.stamp.modified.0,
        generation,
        Timestamp::now().0,
        hash_key(source.cut_by),
    ])?;
    if let Some(meta) = &source.meta {
        describe(tx, source.id, meta)?;
    }
    tx.prepare_cached("DELETE FROM source_tombstones WHERE collection_id = ?1 AND source_id = ?2")?
        .execute([collection, id])?;
    tx.prepare_cached("INSERT OR REPLACE INTO source_texts VALUES (?1, ?2, ?3)")?.execute(params![
        id,
        clamp(source.text.size),
        source.text.body
    ])?;
    tx.prepare_cached("DELETE FROM chunks WHERE source_id = ?1")?.execute([id])?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO chunks (source_id, ordinal, heading, start_byte, end_byte, parent_start, parent_end)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    )?;
    for (ordinal, chunk) in source.chunks.iter().enumerate() {
        let (parent_start, parent_end) =
            chunk.parent.as_ref().map(|parent| (clamp(parent.start), clamp(parent.end))).unzip();
        insert.execute(params![
            id,
            clamp(ordinal),
            chunk.heading,
            clamp(chunk.start),
            clamp(chunk.end),
            parent_start,
            parent_end
        ])?;
    }
    Ok(())
}

fn describe(tx: &Transaction<'_>, id: SourceId, meta: &SourceMeta) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE sources SET layout = ?2, format = ?3, origin = ?4, trust = ?5, readers = ?6, metadata = ?7,
             notes = ?8, pages = ?9, validator = ?10, described_by = ?11 WHERE id = ?1",
    )?
    .execute(params![
        source_key(id),
        meta.layout,
        meta.format,
        meta.origin.name(),
        trust_name(meta.trust),
        serde_json::json!(meta.readers).to_string(),
        serde_json::json!(meta.metadata).to_string(),
        serde_json::json!(meta.notes).to_string(),
        packed(&meta.pages),
        meta.validator,
        hash_key(meta.described_by),
    ])?;
    Ok(())
}
