//! Documents and their chunks: the truth that search indexes follow by generation.
//!
//! Reading order: `model` (what is kept), this (what is asked), `write` (changes), `delta` (what indexes follow), `chunk`,
//! `column` (types and columns).

mod chunk;
mod column;
mod delta;
mod model;
mod write;

pub use model::{
    Changes, Chunk, Collection, Delta, IndexedSource, Known, NewChunk, NewSkipped, NewSource, Origin,
    PackedText, Source, SourceAbout, SourceMeta, SourceSummary, Stamp, pages_of,
};

use crate::{Store, StoreError};
use chunk::{chunks, text_of};
use column::{clamp, hash_of, json, signed, source_id, source_key, stamp, trust, unpacked, unsigned};
use delta::{changes_since, chunk_rows};
use hanok_base::{CollectionName, Object, SourceId, Timestamp};
use rusqlite::{OptionalExtension, Row, params};
use std::collections::HashMap;
use write::apply;

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
                let number = |sql: &str, collection: &[i64]| -> rusqlite::Result<i64> {
                    conn.prepare_cached(sql)?
                        .query_row(rusqlite::params_from_iter(collection), |row| row.get(0))
                };
                let all = number("SELECT count(*) FROM sources", &[])?;
                let own = number("SELECT count(*) FROM sources WHERE collection_id = ?1", &[collection])?;
                // Rows lie in the order of their ids, which are hashes: where most are wanted anyway, reading all of
                // them in their order reads each page once.
                let way = if own > all / 4 { "NOT INDEXED" } else { "" };
                let mut known = HashMap::with_capacity(usize::try_from(own).unwrap_or(0));
                let sql = format!("SELECT {KNOWN} FROM sources {way} WHERE collection_id = ?1");
                let mut sources = conn.prepare_cached(&sql)?;
                for source in sources.query_map([collection], known_source)? {
                    known.extend([source?]);
                }
                let sql = format!("SELECT {KNOWN_SKIPPED} FROM skipped_files WHERE collection_id = ?1");
                let mut skipped = conn.prepare_cached(&sql)?;
                for skipped in skipped.query_map([collection], known_skipped)? {
                    known.extend([skipped?]);
                }
                Ok(known)
            })
            .await
    }

    /// The same of these paths alone.
    pub async fn known_at(
        self,
        collection: i64,
        paths: Vec<String>,
    ) -> Result<HashMap<String, Known>, StoreError> {
        self.store
            .read(move |conn| {
                let mut known = HashMap::with_capacity(paths.len());
                let mut source = conn.prepare_cached(&format!(
                    "SELECT {KNOWN} FROM sources WHERE collection_id = ?1 AND path = ?2"
                ))?;
                let mut skipped = conn.prepare_cached(&format!(
                    "SELECT {KNOWN_SKIPPED} FROM skipped_files WHERE collection_id = ?1 AND path = ?2"
                ))?;
                for path in paths {
                    known.extend(source.query_row(params![collection, path], known_source).optional()?);
                    known.extend(skipped.query_row(params![collection, path], known_skipped).optional()?);
                }
                Ok(known)
            })
            .await
    }

    /// The generation of a collection's content: it grows with every change of it.
    pub async fn generation(self, collection: i64) -> Result<u64, StoreError> {
        self.store
            .read(move |conn| {
                let sql = "SELECT generation FROM collections WHERE id = ?1";
                Ok(unsigned(conn.prepare_cached(sql)?.query_row([collection], |row| row.get(0))?))
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

const KNOWN: &str = "path, id, size, modified_ns, hash, cut_by, described_by, validator";

fn known_source(row: &Row<'_>) -> rusqlite::Result<(String, Known)> {
    let source = Known::Source {
        id: source_id(row.get(1)?),
        stamp: stamp(row, 2)?,
        hash: row.get(4)?,
        cut_by: hash_of(row.get(5)?),
        described_by: hash_of(row.get(6)?),
        validator: row.get(7)?,
    };
    Ok((row.get(0)?, source))
}

const KNOWN_SKIPPED: &str = "path, reason, size, modified_ns, judged_by";

fn known_skipped(row: &Row<'_>) -> rusqlite::Result<(String, Known)> {
    let (stamp, judged_by) = (stamp(row, 2)?, hash_of(row.get(4)?));
    Ok((row.get(0)?, Known::Skipped { stamp, judged_by, reason: row.get(1)? }))
}

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
