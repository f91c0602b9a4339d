//! Vectors of chunks: the truth that vector indexes are filled from, so that no text is embedded twice.

use crate::{Store, StoreError};
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use std::collections::HashMap;

/// Names a text that was embedded: the first bytes of its BLAKE3.
pub type TextHash = [u8; 16];

/// A vector as it is kept: bytes, and what each is to be multiplied by.
#[derive(Clone, Debug, PartialEq)]
pub struct PackedVector {
    scale: f64,
    body: Vec<u8>,
}

impl PackedVector {
    /// Packs a vector: its greatest number becomes 127 or -127.
    pub fn new(vector: &[f32]) -> Self {
        let greatest = vector.iter().fold(0.0_f32, |greatest, value| greatest.max(value.abs()));
        let scale = if greatest.is_finite() { greatest / 127.0 } else { 0.0 };
        let body = vector
            .iter()
            .map(|value| {
                let code = if scale > 0.0 { (value / scale).round().clamp(-127.0, 127.0) } else { 0.0 };
                #[expect(clippy::cast_possible_truncation, reason = "a whole number between -127 and 127")]
                let code = code as i8;
                code.cast_unsigned()
            })
            .collect();
        Self { scale: f64::from(scale), body }
    }

    /// The vector, as exactly as it was kept.
    pub fn unpack(&self) -> Vec<f32> {
        #[expect(clippy::cast_possible_truncation, reason = "it was made of one")]
        let scale = self.scale as f32;
        self.body.iter().map(|code| f32::from(code.cast_signed()) * scale).collect()
    }
}

impl Store {
    /// The vectors in this store.
    pub fn vectors(&self) -> Vectors<'_> {
        Vectors { store: self }
    }
}

/// The vectors in a store.
#[derive(Clone, Copy)]
pub struct Vectors<'a> {
    store: &'a Store,
}

impl Vectors<'_> {
    /// Those of these texts that an embedder has made.
    pub async fn of_texts(
        self,
        embedder: &str,
        hashes: Vec<TextHash>,
    ) -> Result<HashMap<TextHash, PackedVector>, StoreError> {
        let embedder = embedder.to_owned();
        self.store
            .read(move |conn| {
                let Some(embedder) = embedder_row(conn, &embedder)? else { return Ok(HashMap::new()) };
                let sql = "SELECT scale, body FROM vectors WHERE embedder_id = ?1 AND hash = ?2";
                let mut select = conn.prepare_cached(sql)?;
                let mut found = HashMap::with_capacity(hashes.len());
                for hash in hashes {
                    if let Some(vector) = select.query_row(params![embedder, hash], packed).optional()? {
                        found.insert(hash, vector);
                    }
                }
                Ok(found)
            })
            .await
    }

    /// Those that an embedder has made of these chunks: all of each, in the order of the ids.
    pub async fn of_chunks(
        self,
        embedder: &str,
        chunks: Vec<u64>,
    ) -> Result<Vec<(u64, PackedVector)>, StoreError> {
        let embedder = embedder.to_owned();
        self.store
            .read(move |conn| {
                let Some(embedder) = embedder_row(conn, &embedder)? else { return Ok(Vec::new()) };
                let mut select = conn.prepare_cached(
                    "SELECT v.scale, v.body FROM chunk_vectors c JOIN vectors v ON v.id = c.vector_id
                     WHERE c.chunk_id = ?1 AND v.embedder_id = ?2",
                )?;
                let mut found = Vec::with_capacity(chunks.len());
                for chunk in chunks {
                    for vector in select.query_map(params![signed(chunk), embedder], packed)? {
                        found.push((chunk, vector?));
                    }
                }
                Ok(found)
            })
            .await
    }

    /// Keeps vectors of an embedder, and which chunks have which text. Chunks that are gone are passed over.
    pub async fn keep(
        self,
        embedder: &str,
        vectors: Vec<(TextHash, PackedVector)>,
        chunks: Vec<(u64, TextHash)>,
    ) -> Result<(), StoreError> {
        let embedder = embedder.to_owned();
        self.store.write(move |tx| keep(tx, &embedder, &vectors, &chunks)).await
    }

    /// Takes from a collection's chunks the vectors of all embedders but this one.
    pub async fn forget_others(self, collection: i64, embedder: &str) -> Result<(), StoreError> {
        let embedder = embedder.to_owned();
        self.store
            .write(move |tx| {
                let Some(kept) = embedder_row(tx, &embedder)? else { return Ok(()) };
                tx.execute(
                    "DELETE FROM chunk_vectors WHERE
                     chunk_id IN (SELECT c.id FROM chunks c JOIN sources s ON s.id = c.source_id
                                  WHERE s.collection_id = ?1)
                     AND vector_id IN (SELECT id FROM vectors WHERE embedder_id <> ?2)",
                    params![collection, kept],
                )?;
                tx.execute(
                    "DELETE FROM embedder_trials WHERE collection_id = ?1 AND embedder_id <> ?2",
                    params![collection, kept],
                )?;
                Ok(())
            })
            .await
    }

    /// Deletes the vectors that no chunk has, and the embedders that have no vector. Gives how many vectors went.
    pub async fn sweep(self) -> Result<usize, StoreError> {
        self.store
            .write(|tx| {
                let gone = tx.execute(
                    "DELETE FROM vectors WHERE NOT EXISTS
                     (SELECT 1 FROM chunk_vectors c WHERE c.vector_id = vectors.id)",
                    [],
                )?;
                tx.execute(
                    "DELETE FROM embedders WHERE NOT EXISTS
                     (SELECT 1 FROM vectors v WHERE v.embedder_id = embedders.id)",
                    [],
                )?;
                Ok(gone)
            })
            .await
    }

    /// How many chunks a collection has, and how many of them have a vector of an embedder.
    pub async fn coverage(self, collection: i64, embedder: &str) -> Result<(u64, u64), StoreError> {
        let embedder = embedder.to_owned();
        self.store
            .read(move |conn| {
                let chunks: i64 = conn
                    .prepare_cached(
                        "SELECT count(*) FROM chunks c JOIN sources s ON s.id = c.source_id WHERE s.collection_id = ?1",
                    )?
                    .query_row([collection], |row| row.get(0))?;
                let Some(embedder) = embedder_row(conn, &embedder)? else {
                    return Ok((unsigned(chunks), 0));
                };
                let embedded: i64 = conn
                    .prepare_cached(
                        "SELECT count(DISTINCT c.id) FROM sources s JOIN chunks c ON c.source_id = s.id
                         JOIN chunk_vectors cv ON cv.chunk_id = c.id JOIN vectors v ON v.id = cv.vector_id
                         WHERE s.collection_id = ?1 AND v.embedder_id = ?2",
                    )?
                    .query_row(params![collection, embedder], |row| row.get(0))?;
                Ok((unsigned(chunks), unsigned(embedded)))
            })
            .await
    }

    /// What was measured of an embedder on a collection's texts, as it was given to [`Vectors::set_trial`].
    pub async fn trial(self, collection: i64, embedder: &str) -> Result<Option<String>, StoreError> {
        let embedder = embedder.to_owned();
        self.store
            .read(move |conn| {
                let sql = "SELECT t.result FROM embedder_trials t JOIN embedders e ON e.id = t.embedder_id
                           WHERE t.collection_id = ?1 AND e.name = ?2";
                let mut select = conn.prepare_cached(sql)?;
                Ok(select.query_row(params![collection, embedder], |row| row.get(0)).optional()?)
            })
            .await
    }

    /// Keeps what was measured of an embedder on a collection's texts, in place of what was known.
    pub async fn set_trial(self, collection: i64, embedder: &str, result: String) -> Result<(), StoreError> {
        let embedder = embedder.to_owned();
        self.store
            .write(move |tx| {
                let embedder = ensure_embedder(tx, &embedder)?;
                tx.prepare_cached("INSERT OR REPLACE INTO embedder_trials VALUES (?1, ?2, ?3)")?
                    .execute(params![collection, embedder, result])?;
                Ok(())
            })
            .await
    }

    /// Ids of chunks of a collection, `limit` at most, evenly from all of it.
    pub async fn sample(self, collection: i64, limit: usize) -> Result<Vec<u64>, StoreError> {
        self.store
            .read(move |conn| {
                let mut select = conn.prepare_cached(
                    "SELECT c.id FROM chunks c JOIN sources s ON s.id = c.source_id
                     WHERE s.collection_id = ?1 ORDER BY c.id",
                )?;
                let ids: Vec<i64> =
                    select.query_map([collection], |row| row.get(0))?.collect::<Result<_, _>>()?;
                let count = ids.len().min(limit);
                let picked = (0..count).filter_map(|at| ids.get(at * ids.len() / count));
                Ok(picked.map(|id| unsigned(*id)).collect())
            })
            .await
    }
}

fn keep(
    tx: &Transaction<'_>,
    embedder: &str,
    vectors: &[(TextHash, PackedVector)],
    chunks: &[(u64, TextHash)],
) -> Result<(), StoreError> {
    let embedder = ensure_embedder(tx, embedder)?;
    let mut insert = tx.prepare_cached(
        "INSERT INTO vectors (embedder_id, hash, scale, body) VALUES (?1, ?2, ?3, ?4)
         ON CONFLICT (embedder_id, hash) DO NOTHING",
    )?;
    for (hash, vector) in vectors {
        insert.execute(params![embedder, hash, vector.scale, vector.body])?;
    }
    let mut link = tx.prepare_cached(
        "INSERT OR IGNORE INTO chunk_vectors SELECT c.id, v.id FROM chunks c, vectors v
         WHERE c.id = ?1 AND v.embedder_id = ?2 AND v.hash = ?3",
    )?;
    for (chunk, hash) in chunks {
        link.execute(params![signed(*chunk), embedder, hash])?;
    }
    Ok(())
}

fn ensure_embedder(tx: &Transaction<'_>, name: &str) -> Result<i64, StoreError> {
    tx.prepare_cached("INSERT INTO embedders (name) VALUES (?1) ON CONFLICT (name) DO NOTHING")?
        .execute([name])?;
    Ok(tx.prepare_cached("SELECT id FROM embedders WHERE name = ?1")?.query_row([name], |row| row.get(0))?)
}

fn embedder_row(conn: &Connection, name: &str) -> Result<Option<i64>, StoreError> {
    let mut select = conn.prepare_cached("SELECT id FROM embedders WHERE name = ?1")?;
    Ok(select.query_row([name], |row| row.get(0)).optional()?)
}

fn packed(row: &rusqlite::Row<'_>) -> rusqlite::Result<PackedVector> {
    Ok(PackedVector { scale: row.get(0)?, body: row.get(1)? })
}

// SQLite's integers are signed; ids of chunks are counted up from 1.

fn signed(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}
fn unsigned(count: i64) -> u64 {
    u64::try_from(count).unwrap_or_default()
}
