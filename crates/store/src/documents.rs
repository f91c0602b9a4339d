//! Documents and their chunks: the truth that search indexes follow by generation.

use crate::{Store, StoreError};
use hanok_base::{CollectionName, Object, SourceId, Timestamp, Trust};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::sync::Arc;

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
    /// How its texts are cut and the like, as [`Documents::set_settings`] was given it.
    pub settings: Object,
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
        /// By which settings its text was cut.
        cut_by: u64,
        /// By which settings it was described.
        described_by: u64,
        /// What an HTTP server said that it can be known by.
        validator: Option<String>,
    },
    /// A file that was not taken.
    Skipped {
        /// The file as it was looked at.
        stamp: Stamp,
        /// By which limits.
        judged_by: u64,
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
    /// By which settings it was cut.
    pub cut_by: u64,
    /// What is known of it beside its text; `None` keeps what is known.
    pub meta: Option<SourceMeta>,
}

/// What is known of a document beside its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceMeta {
    /// How its text is laid out, in the words of whoever cuts it.
    pub layout: String,
    /// What the original was: `markdown`, `pdf`.
    pub format: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether what it says may be taken for an instruction.
    pub trust: Trust,
    /// Who may find it; empty: everybody.
    pub readers: Vec<String>,
    /// What filters ask for.
    pub metadata: Object,
    /// What was worth saying when it was read.
    pub notes: Vec<String>,
    /// The byte of the text at which each page of the original begins; empty where it has no pages.
    pub pages: Vec<usize>,
    /// What an HTTP server said that its answer can be known by.
    pub validator: Option<String>,
    /// By which settings it was described.
    pub described_by: u64,
}

/// Where a document comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    #[default]
    File,
    /// A file that a git repository tracks.
    Git,
    /// A URL.
    Url,
}

impl Origin {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Git => "git",
            Self::Url => "url",
        }
    }
    fn named(name: &str) -> Self {
        match name {
            "git" => Self::Git,
            "url" => Self::Url,
            _ => Self::File,
        }
    }
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
    /// The larger span that may be shown in its place.
    pub parent: Option<Range<usize>>,
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
    /// Documents of which something else is known than before, though their content is the same.
    pub described: Vec<(SourceId, Stamp, SourceMeta)>,
    /// Files that are not taken.
    pub skipped: Vec<NewSkipped>,
    /// Paths that were not taken before and are gone or taken now.
    pub unskipped: Vec<String>,
}

/// A file that is not taken.
#[derive(Clone, Debug)]
pub struct NewSkipped {
    /// Where it is, as the user knows it.
    pub path: String,
    /// The file as it was looked at.
    pub stamp: Stamp,
    /// Why.
    pub reason: String,
    /// By which limits.
    pub judged_by: u64,
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.upserts.is_empty()
            && self.deletes.is_empty()
            && self.touched.is_empty()
            && self.described.is_empty()
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
    /// BLAKE3 of the file's bytes.
    pub hash: [u8; 32],
    /// By which settings its text was cut.
    pub cut_by: u64,
    /// What is known of it beside its text.
    pub meta: SourceMeta,
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
    /// The larger span that may be shown in its place, and its text.
    pub parent: Option<(Range<usize>, String)>,
    /// What is known of its document.
    pub about: Arc<SourceAbout>,
}

impl Chunk {
    /// The pages that the bytes from `start` to `end` stand on, from 1, first and last; `None` where there are none.
    pub fn pages(&self) -> Option<(u32, u32)> {
        pages_of(&self.about.pages, self.start..self.end)
    }
}

/// What hits say of their document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceAbout {
    /// Whether what it says may be taken for an instruction.
    pub trust: Trust,
    /// Who may find it; empty: everybody.
    pub readers: Vec<String>,
    /// What filters ask for.
    pub metadata: Object,
    /// When its content was last taken in.
    pub indexed_at: Timestamp,
    /// The byte of the text at which each page begins.
    pub pages: Vec<usize>,
}

/// The pages, from 1, on which a span stands, where each begins at one of `starts`.
pub fn pages_of(starts: &[usize], span: Range<usize>) -> Option<(u32, u32)> {
    if starts.is_empty() {
        return None;
    }
    // What stands before the first page's begin is on the first page.
    let page = |byte: usize| starts.partition_point(|start| *start <= byte).max(1);
    let last = span.end.saturating_sub(1).max(span.start);
    Some((u32::try_from(page(span.start)).ok()?, u32::try_from(page(last)).ok()?))
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

    /// Keeps a collection's settings.
    pub async fn set_settings(self, collection: i64, settings: Object) -> Result<(), StoreError> {
        let text = serde_json::Value::Object(settings).to_string();
        self.store
            .write(move |tx| {
                tx.prepare_cached("UPDATE collections SET settings = ?2 WHERE id = ?1")?
                    .execute(params![collection, text])?;
                Ok(())
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
                    "SELECT path, id, size, modified_ns, hash, cut_by, described_by, validator FROM sources
                     WHERE collection_id = ?1",
                )?;
                let mut rows = sources.query([collection])?;
                while let Some(row) = rows.next()? {
                    let source = Known::Source {
                        id: source_id(row.get(1)?),
                        stamp: stamp(row, 2)?,
                        hash: row.get(4)?,
                        cut_by: hash_of(row.get(5)?),
                        described_by: hash_of(row.get(6)?),
                        validator: row.get(7)?,
                    };
                    known.insert(row.get(0)?, source);
                }
                let mut skipped = conn.prepare_cached(
                    "SELECT path, reason, size, modified_ns, judged_by FROM skipped_files WHERE collection_id = ?1",
                )?;
                let mut rows = skipped.query([collection])?;
                while let Some(row) = rows.next()? {
                    let (stamp, judged_by) = (stamp(row, 2)?, hash_of(row.get(4)?));
                    let skipped = Known::Skipped { stamp, judged_by, reason: row.get(1)? };
                    known.insert(row.get(0)?, skipped);
                }
                Ok(known)
            })
            .await
    }

    /// Makes changes, all or none, and gives the collection's generation after them. Only changes of content and of
    /// what is known beside it make a new one.
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

    /// The texts of the documents of this path, of every collection.
    pub async fn texts_at(self, path: String) -> Result<Vec<String>, StoreError> {
        self.store
            .read(move |conn| {
                let mut statement =
                    conn.prepare_cached("SELECT id FROM sources WHERE path = ?1 ORDER BY id")?;
                let ids = statement.query_map([path], |row| row.get::<_, i64>(0))?;
                let mut texts = Vec::new();
                for id in ids {
                    texts.push(text_of(conn, source_id(id?))?);
                }
                Ok(texts)
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

    /// The chunks of a document, in their order, with their ids.
    pub async fn chunks_of(self, id: SourceId) -> Result<Vec<(u64, NewChunk)>, StoreError> {
        self.store.read(move |conn| chunk_rows(conn, id)).await
    }

    /// The collection that a document is in: its row.
    pub async fn collection_of(self, id: SourceId) -> Result<Option<i64>, StoreError> {
        self.store
            .read(move |conn| {
                let mut statement = conn.prepare_cached("SELECT collection_id FROM sources WHERE id = ?1")?;
                Ok(statement.query_row([source_key(id)], |row| row.get(0)).optional()?)
            })
            .await
    }

    /// The chunks of these ids, in their order; those that are gone are left out.
    pub async fn chunks(self, ids: Vec<u64>) -> Result<Vec<Chunk>, StoreError> {
        self.store.read(move |conn| chunks(conn, &ids)).await
    }
}

const COLLECTION: &str = "SELECT id, name, epoch, generation,
    (SELECT count(*) FROM sources WHERE collection_id = collections.id), settings FROM collections";

const SUMMARY: &str = "SELECT s.id, c.name, s.path, s.title, s.size, s.modified_ns, s.indexed_at_ns,
    (SELECT count(*) FROM chunks WHERE source_id = s.id),
    s.layout, s.format, s.origin, s.trust, s.readers, s.metadata, s.notes, s.pages, s.validator, s.described_by, s.hash, s.cut_by
    FROM sources s JOIN collections c ON c.id = s.collection_id";

fn collection(row: &Row<'_>) -> rusqlite::Result<Collection> {
    Ok(Collection {
        id: row.get(0)?,
        name: row.get::<_, String>(1)?.into(),
        epoch: row.get(2)?,
        generation: unsigned(row.get(3)?),
        sources: unsigned(row.get(4)?),
        settings: json(row, 5)?,
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
        hash: row.get(18)?,
        cut_by: hash_of(row.get(19)?),
        meta: SourceMeta {
            layout: row.get(8)?,
            format: row.get(9)?,
            origin: Origin::named(row.get_ref(10)?.as_str()?),
            trust: trust(row, 11)?,
            readers: json(row, 12)?,
            metadata: json(row, 13)?,
            notes: json(row, 14)?,
            pages: unpacked(row.get_ref(15)?.as_blob()?),
            validator: row.get(16)?,
            described_by: hash_of(row.get(17)?),
        },
    })
}

/// A column that holds JSON.
fn json<T: serde::de::DeserializeOwned>(row: &Row<'_>, at: usize) -> rusqlite::Result<T> {
    let text = row.get_ref(at)?.as_str()?;
    serde_json::from_str(text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(at, rusqlite::types::Type::Text, error.into())
    })
}

fn trust(row: &Row<'_>, at: usize) -> rusqlite::Result<Trust> {
    let is_trusted = row.get_ref(at)?.as_str()? == trust_name(Trust::Trusted);
    Ok(if is_trusted { Trust::Trusted } else { Trust::Untrusted })
}

fn trust_name(trust: Trust) -> &'static str {
    match trust {
        Trust::Trusted => "trusted",
        Trust::Untrusted => "untrusted",
    }
}

/// Where pages begin, as 32-bit numbers. Texts are far shorter than those reach.
fn packed(pages: &[usize]) -> Vec<u8> {
    pages.iter().flat_map(|start| u32::try_from(*start).unwrap_or(u32::MAX).to_le_bytes()).collect()
}

fn unpacked(pages: &[u8]) -> Vec<usize> {
    let (starts, _) = pages.as_chunks::<4>();
    starts.iter().map(|bytes| usize::try_from(u32::from_le_bytes(*bytes)).unwrap_or(usize::MAX)).collect()
}

fn stamp(row: &Row<'_>, at: usize) -> rusqlite::Result<Stamp> {
    Ok(Stamp { size: unsigned(row.get(at)?), modified: Timestamp(row.get(at + 1)?) })
}

fn apply(tx: &Transaction<'_>, collection: i64, changes: &Changes) -> Result<u64, StoreError> {
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

/// The chunks of a document, in order.
fn chunk_rows(conn: &Connection, id: SourceId) -> Result<Vec<(u64, NewChunk)>, StoreError> {
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

/// The span in two columns, where there is one.
fn parent(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<Range<usize>>> {
    let (start, end): (Option<i64>, Option<i64>) = (row.get(at)?, row.get(at + 1)?);
    Ok(start.zip(end).map(|(start, end)| length(start)..length(end)))
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

fn chunks(conn: &Connection, ids: &[u64]) -> Result<Vec<Chunk>, StoreError> {
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
/// Hashes keep their bits, too.
fn hash_key(hash: u64) -> i64 {
    hash.cast_signed()
}
fn hash_of(key: i64) -> u64 {
    key.cast_unsigned()
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
