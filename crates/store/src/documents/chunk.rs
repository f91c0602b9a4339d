//! Chunks with their texts and what is known of their documents.

use super::column::{json, length, parent, signed, source_id, source_key, trust, unpacked};
use super::{Chunk, SourceAbout};
use crate::StoreError;
use crate::packing;
use hanok_base::{SourceId, Timestamp};
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::Arc;

pub(super) fn chunks(conn: &Connection, ids: &[u64]) -> Result<Vec<Chunk>, StoreError> {
    let mut sources: HashMap<SourceId, (String, Arc<SourceAbout>)> = HashMap::new();
    let mut found = Vec::with_capacity(ids.len());
    let mut select = conn.prepare_cached(
        "SELECT c.source_id, s.path, s.title, c.heading, c.start_byte, c.end_byte, c.parent_start, c.parent_end
         FROM chunks c JOIN sources s ON s.id = c.source_id WHERE c.id = ?1",
    )?;
    for id in ids {
        let row = select
            .query_row([signed(*id)], |row| {
                Ok(Chunk {
                    id: *id,
                    source_id: source_id(row.get(0)?),
                    path: row.get(1)?,
                    title: row.get(2)?,
                    heading: row.get(3)?,
                    start: length(row.get(4)?),
                    end: length(row.get(5)?),
                    text: String::new(),
                    parent: parent(row, 6)?.map(|span| (span, String::new())),
                    about: Arc::default(),
                })
            })
            .optional()?;
        let Some(mut chunk) = row else { continue };
        let (text, about) = match sources.entry(chunk.source_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(vacant) => {
                let id = chunk.source_id;
                vacant.insert((text_of(conn, id)?, Arc::new(about(conn, id)?)))
            }
        };
        let outside = || StoreError::Damaged(format!("a chunk of {} lies outside its text", chunk.path));
        text.get(chunk.start..chunk.end).ok_or_else(outside)?.clone_into(&mut chunk.text);
        if let Some((span, words)) = &mut chunk.parent {
            let around = text.get(span.clone());
            let outside = || StoreError::Damaged(format!("a chunk of {} lies outside its text", chunk.path));
            around.ok_or_else(outside)?.clone_into(words);
        }
        chunk.about = about.clone();
        found.push(chunk);
    }
    Ok(found)
}

fn about(conn: &Connection, id: SourceId) -> Result<SourceAbout, StoreError> {
    let mut statement = conn
        .prepare_cached("SELECT trust, readers, metadata, indexed_at_ns, pages FROM sources WHERE id = ?1")?;
    Ok(statement.query_row([source_key(id)], |row| {
        Ok(SourceAbout {
            trust: trust(row, 0)?,
            readers: json(row, 1)?,
            metadata: json(row, 2)?,
            indexed_at: Timestamp(row.get(3)?),
            pages: unpacked(row.get_ref(4)?.as_blob()?),
        })
    })?)
}

pub(super) fn text_of(conn: &Connection, id: SourceId) -> Result<String, StoreError> {
    let (size, body): (i64, Vec<u8>) = conn
        .prepare_cached("SELECT size, body FROM source_texts WHERE source_id = ?1")?
        .query_row([source_key(id)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let bytes = packing::unpack(&body, length(size))
        .map_err(|error| StoreError::Damaged(format!("the text of document {id}: {error}")))?;
    String::from_utf8(bytes)
        .map_err(|error| StoreError::Damaged(format!("the text of document {id}: {error}")))
}
