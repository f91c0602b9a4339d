//! Documents and their chunks: the truth that search indexes follow by generation.

use crate::{Store, StoreError};
use hanok_base::{CollectionName, SourceId, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Sources one call of [`Documents::changes_since`] gives at most, unless one generation has more.
const MOST_CHANGES: usize = 512;
/// Bytes of text it gives at most, with the same exception.
const MOST_BYTES: i64 = 8 << 20;

/// A set of documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Its row.
    pub id: i64,
    /// Its name.
    pub name: CollectionName,
    /// Random; another one means another history of generations.
    pub epoch: i64,
    /// Of its last change.
    pub generation: u64,
    /// Documents in it.
    pub sources: u64,
}

/// A file as it was when it was last read. Both times are the file's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Bytes.
    pub size: u64,
    /// When it was modified; 0 where the file system does not say.
    pub modified: Timestamp,
}

/// What is known of a path from the last time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// A document.
    Source {
        /// Its id.
        id: SourceId,
        /// The file as it was read.
        stamp: Stamp,
        /// BLAKE3 of the file's bytes.
        hash: [u8; 32],
    },
    /// A file that was not taken.
    Skipped {
        /// The file as it was looked at.
        stamp: Stamp,
        /// Why.
        reason: String,
    },
}

/// A document to be kept.
#[derive(Clone, Debug)]
pub struct NewSource {
    /// Its id.
    pub id: SourceId,
    /// Where it is, as the user knows it.
    pub path: String,
    /// Its title.
    pub title: String,
    /// BLAKE3 of the file's bytes.
    pub hash: [u8; 32],
    /// The file as it was read.
    pub stamp: Stamp,
    /// The extracted text.
    pub text: PackedText,
    /// Its chunks, in order.
    pub chunks: Vec<NewChunk>,
}

/// A chunk to be kept: bytes of the extracted text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewChunk {
    /// The headings above it, joined by ` > `.
    pub heading: String,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// A text ready to be written, packed by whoever reads it so that the one writer need not.
#[derive(Clone, Debug)]
pub struct PackedText {
    size: usize,
    body: Vec<u8>,
}

impl PackedText {
    /// Packs a text.
    pub fn new(text: &str) -> Result<Self, StoreError> {
        let body = zstd::bulk::compress(text.as_bytes(), 3)
            .map_err(|error| StoreError::Damaged(format!("a text cannot be packed: {error}")))?;
        Ok(Self { size: text.len(), body })
    }
}

/// Changes that are made together.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// New and changed documents.
    pub upserts: Vec<NewSource>,
    /// Documents that went.
    pub deletes: Vec<SourceId>,
    /// Documents whose files are new but whose content is not.
    pub touched: Vec<(SourceId, Stamp)>,
    /// Files that are not taken, with the reason.
    pub skipped: Vec<(String, Stamp, String)>,
    /// Paths that were not taken before and are gone or taken now.
    pub unskipped: Vec<String>,
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.upserts.is_empty()
            && self.deletes.is_empty()
            && self.touched.is_empty()
            && self.skipped.is_empty()
            && self.unskipped.is_empty()
    }
}

/// What a search index must do to follow.
#[derive(Clone, Debug, Default)]
pub struct Delta {
    /// Documents whose entries are replaced.
    pub sources: Vec<IndexedSource>,
    /// Documents whose entries are deleted.
    pub deleted: Vec<SourceId>,
    /// The generation the index is at afterwards.
    pub generation: u64,
    /// Whether there is more to come.
    pub more: bool,
}

/// A document as a search index needs it.
#[derive(Clone, Debug)]
pub struct IndexedSource {
    /// Its id.
    pub id: SourceId,
    /// Its title.
    pub title: String,
    /// The extracted text.
    pub text: String,
    /// Ids, headings and bytes of its chunks.
    pub chunks: Vec<(u64, NewChunk)>,
}

/// A document in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSummary {
    /// Its id.
    pub id: SourceId,
    /// Its collection.
    pub collection: CollectionName,
    /// Where it is.
    pub path: String,
    /// Its title.
    pub title: String,
    /// The file's size in bytes.
    pub size: u64,
    /// When the file was modified.
    pub modified: Timestamp,
    /// When its content was last taken in.
    pub indexed_at: Timestamp,
    /// How many chunks it has.
    pub chunks: u64,
}

/// A document with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What lists say of it.
    pub summary: SourceSummary,
    /// The extracted text.
    pub text: String,
}

/// A chunk with what a hit says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its id.
    pub id: u64,
    /// Its document.
    pub source_id: SourceId,
    /// The document's path.
    pub path: String,
    /// The document's title.
    pub title: String,
    /// The headings above it.
    pub heading: String,
    /// First byte in the document's text.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The bytes between.
    pub text: String,
}

impl Store {
    /// The documents in this store.
    pub fn documents(&self) -> Documents<'_> {
        Documents { store: self }
    }
}

/// The documents in a store.
#[derive(Clone, Copy)]
pub struct Documents<'a> {
    pub(crate) store: &'a Store,
}

impl Documents<'_> {
    /// All collections, by name.
    pub async fn collections(self) -> Result<Vec<Collection>, StoreError> {
        self.store
            .read(|conn| {
                let sql = format!("{COLLECTION} ORDER BY name");
                let mut statement = conn.prepare_cached(&sql)?;
                let rows = statement.query_map([], collection)?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// The collection of this name, made when there is none. `epoch` is used only then.
    pub async fn ensure_collection(
        self,
        name: &CollectionName,
        epoch: i64,
    ) -> Result<Collection, StoreError> {
        let name = name.clone();
        self.store
            .write(move |tx| {
                tx.prepare_cached(
                    "INSERT INTO collections (name, epoch) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING",
                )?
                .execute(params![name.as_str(), epoch])?;
                let sql = format!("{COLLECTION} WHERE name = ?1");
                Ok(tx.prepare_cached(&sql)?.query_row([name.as_str()], collection)?)
            })
            .await
    }

    /// Deletes a collection and all its documents; `false` when there was none.
    pub async fn delete_collection(self, name: &CollectionName) -> Result<bool, StoreError> {
        let name = name.clone();
        self.store
            .write(move |tx| Ok(tx.execute("DELETE FROM collections WHERE name = ?1", [name.as_str()])? > 0))
            .await
    }

    /// What is known of each path of a collection.
    pub async fn known(self, collection: i64) -> Result<HashMap<String, Known>, StoreError> {
        self.store
            .read(move |conn| {
                let mut known = HashMap::new();
                let mut sources = conn.prepare_cached(
                    "SELECT path, id, size, modified_ns, hash FROM sources WHERE collection_id = ?1",
                )?;
                let mut rows = sources.query([collection])?;
                while let Some(row) = rows.next()? {
                    let source = Known::Source {
                        id: source_id(row.get(1)?),
                        stamp: stamp(row, 2)?,
                        hash: row.get(4)?,
                    };
                    known.insert(row.get(0)?, source);
                }
                let mut skipped = conn.prepare_cached(
                    "SELECT path, reason, size, modified_ns FROM skipped_files WHERE collection_id = ?1",
                )?;
                let mut rows = skipped.query([collection])?;
                while let Some(row) = rows.next()? {
                    known.insert(row.get(0)?, Known::Skipped { stamp: stamp(row, 2)?, reason: row.get(1)? });
                }
                Ok(known)
            })
            .await
    }

    /// Makes changes, all or none, and gives the collection's generation after them. Only changes of content
    /// make a new one.
    pub async fn apply(self, collection: i64, changes: Changes) -> Result<u64, StoreError> {
        self.store.write(move |tx| apply(tx, collection, &changes)).await
    }

    /// What changed after `generation`, in whole generations, oldest first; a bounded piece at a time.
    pub async fn changes_since(self, collection: i64, generation: u64) -> Result<Delta, StoreError> {
        self.store.read(move |conn| changes_since(conn, collection, generation)).await
    }

    /// How many documents of a collection have not changed after `generation`.
    pub async fn sources_up_to(self, collection: i64, generation: u64) -> Result<u64, StoreError> {
        self.store
            .read(move |conn| {
                let sql = "SELECT count(*) FROM sources WHERE collection_id = ?1 AND generation <= ?2";
                let mut statement = conn.prepare_cached(sql)?;
                Ok(unsigned(statement.query_row([collection, signed(generation)], |row| row.get(0))?))
            })
            .await
    }

    /// Forgets deleted documents that every search index knows of: those up to `generation`.
    pub async fn forget_tombstones(self, collection: i64, generation: u64) -> Result<(), StoreError> {
        self.store
            .write(move |tx| {
                let sql = "DELETE FROM source_tombstones WHERE collection_id = ?1 AND generation <= ?2";
                tx.prepare_cached(sql)?.execute(params![collection, signed(generation)])?;
                Ok(())
            })
            .await
    }

    /// The documents of a collection by path, after `after`, `limit` at most.
    pub async fn sources(
        self,
        collection: i64,
        after: Option<String>,
        limit: usize,
    ) -> Result<Vec<SourceSummary>, StoreError> {
        self.store
            .read(move |conn| {
                let sql =
                    format!("{SUMMARY} WHERE s.collection_id = ?1 AND s.path > ?2 ORDER BY s.path LIMIT ?3");
                let mut statement = conn.prepare_cached(&sql)?;
                let rows = statement
                    .query_map(params![collection, after.unwrap_or_default(), clamp(limit)], summary)?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// A document with its text.
    pub async fn source(self, id: SourceId) -> Result<Option<Source>, StoreError> {
        self.store
            .read(move |conn| {
                let sql = format!("{SUMMARY} WHERE s.id = ?1");
                let found = conn.prepare_cached(&sql)?.query_row([source_key(id)], summary).optional()?;
                let Some(summary) = found else { return Ok(None) };
                Ok(Some(Source { text: text_of(conn, id)?, summary }))
            })
            .await
    }

    /// Files of a collection that were not taken, with the reason, by path.
    pub async fn skipped(self, collection: i64) -> Result<Vec<(String, String)>, StoreError> {
        self.store
            .read(move |conn| {
                let sql = "SELECT path, reason FROM skipped_files WHERE collection_id = ?1 ORDER BY path";
                let mut statement = conn.prepare_cached(sql)?;
                let rows = statement.query_map([collection], |row| Ok((row.get(0)?, row.get(1)?)))?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// The chunks of these ids, in their order; those that are gone are left out.
    pub async fn chunks(self, ids: Vec<u64>) -> Result<Vec<Chunk>, StoreError> {
        self.store.read(move |conn| chunks(conn, &ids)).await
    }
}

const COLLECTION: &str = "SELECT id, name, epoch, generation,
    (SELECT count(*) FROM sources WHERE collection_id = collections.id) FROM collections";

const SUMMARY: &str = "SELECT s.id, c.name, s.path, s.title, s.size, s.modified_ns, s.indexed_at_ns,
    (SELECT count(*) FROM chunks WHERE source_id = s.id)
    FROM sources s JOIN collections c ON c.id = s.collection_id";

fn collection(row: &Row<'_>) -> rusqlite::Result<Collection> {
    Ok(Collection {
        id: row.get(0)?,
        name: row.get::<_, String>(1)?.into(),
        epoch: row.get(2)?,
        generation: unsigned(row.get(3)?),
        sources: unsigned(row.get(4)?),
    })
}

fn summary(row: &Row<'_>) -> rusqlite::Result<SourceSummary> {
    Ok(SourceSummary {
        id: source_id(row.get(0)?),
        collection: row.get::<_, String>(1)?.into(),
        path: row.get(2)?,
        title: row.get(3)?,
        size: unsigned(row.get(4)?),
        modified: Timestamp(row.get(5)?),
        indexed_at: Timestamp(row.get(6)?),
        chunks: unsigned(row.get(7)?),
    })
}

fn stamp(row: &Row<'_>, at: usize) -> rusqlite::Result<Stamp> {
    Ok(Stamp { size: unsigned(row.get(at)?), modified: Timestamp(row.get(at + 1)?) })
}

fn apply(tx: &Transaction<'_>, collection: i64, changes: &Changes) -> Result<u64, StoreError> {
    let mut generation: i64 = tx
        .prepare_cached("SELECT generation FROM collections WHERE id = ?1")?
        .query_row([collection], |row| row.get(0))?;
    if !changes.upserts.is_empty() || !changes.deletes.is_empty() {
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
    for (path, stamp, reason) in &changes.skipped {
        tx.prepare_cached("INSERT OR REPLACE INTO skipped_files VALUES (?1, ?2, ?3, ?4, ?5)")?
            .execute(params![collection, path, signed(stamp.size), stamp.modified.0, reason])?;
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
        "INSERT INTO sources (id, collection_id, path, title, hash, size, modified_ns, generation, indexed_at_ns)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)
         ON CONFLICT (id) DO UPDATE SET path = excluded.path, title = excluded.title, hash = excluded.hash,
             size = excluded.size, modified_ns = excluded.modified_ns, generation = excluded.generation,
             indexed_at_ns = excluded.indexed_at_ns",
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
    ])?;
    tx.prepare_cached("DELETE FROM source_tombstones WHERE collection_id = ?1 AND source_id = ?2")?
        .execute([collection, id])?;
    tx.prepare_cached("INSERT OR REPLACE INTO source_texts VALUES (?1, ?2, ?3)")?.execute(params![
        id,
        clamp(source.text.size),
        source.text.body
    ])?;
    tx.prepare_cached("DELETE FROM chunks WHERE source_id = ?1")?.execute([id])?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO chunks (source_id, ordinal, heading, start_byte, end_byte) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for (ordinal, chunk) in source.chunks.iter().enumerate() {
        insert.execute(params![id, clamp(ordinal), chunk.heading, clamp(chunk.start), clamp(chunk.end)])?;
    }
    Ok(())
}

fn changes_since(conn: &Connection, collection: i64, generation: u64) -> Result<Delta, StoreError> {
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
        let chunks = conn
            .prepare_cached(
                "SELECT id, heading, start_byte, end_byte FROM chunks WHERE source_id = ?1 ORDER BY ordinal",
            )?
            .query_map([source_key(id)], |row| {
                let chunk =
                    NewChunk { heading: row.get(1)?, start: length(row.get(2)?), end: length(row.get(3)?) };
                Ok((unsigned(row.get(0)?), chunk))
            })?
            .collect::<Result<_, _>>()?;
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

fn chunks(conn: &Connection, ids: &[u64]) -> Result<Vec<Chunk>, StoreError> {
    let mut texts: HashMap<SourceId, String> = HashMap::new();
    let mut found = Vec::with_capacity(ids.len());
    let mut select = conn.prepare_cached(
        "SELECT c.source_id, s.path, s.title, c.heading, c.start_byte, c.end_byte
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
                })
            })
            .optional()?;
        let Some(mut chunk) = row else { continue };
        let text = match texts.entry(chunk.source_id) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(vacant) => vacant.insert(text_of(conn, chunk.source_id)?),
        };
        let text = text.get(chunk.start..chunk.end);
        let Some(text) = text else {
            return Err(StoreError::Damaged(format!("a chunk of {} lies outside its text", chunk.path)));
        };
        text.clone_into(&mut chunk.text);
        found.push(chunk);
    }
    Ok(found)
}

fn text_of(conn: &Connection, id: SourceId) -> Result<String, StoreError> {
    let (size, body): (i64, Vec<u8>) = conn
        .prepare_cached("SELECT size, body FROM source_texts WHERE source_id = ?1")?
        .query_row([source_key(id)], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let bytes = zstd::bulk::decompress(&body, length(size))
        .map_err(|error| StoreError::Damaged(format!("the text of document {id}: {error}")))?;
    String::from_utf8(bytes)
        .map_err(|error| StoreError::Damaged(format!("the text of document {id}: {error}")))
}

// SQLite's integers are signed: ids keep their bits, counts are far below the limit.

fn source_key(id: SourceId) -> i64 {
    id.0.cast_signed()
}
fn source_id(key: i64) -> SourceId {
    SourceId(key.cast_unsigned())
}
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}
fn clamp(length: usize) -> i64 {
    i64::try_from(length).unwrap_or(i64::MAX)
}
fn length(value: i64) -> usize {
    usize::try_from(value).unwrap_or_default()
}
