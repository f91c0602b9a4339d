//! Datasets: versions by content, rows kept once.

use crate::{Store, StoreError};
use hanok_base::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};

/// Names a row, an answer or a version: the first bytes of a BLAKE3.
pub type ContentHash = [u8; 16];

/// The hash of some bytes.
pub fn content_hash(bytes: &[u8]) -> ContentHash {
    let mut hash = ContentHash::default();
    blake3::Hasher::new().update(bytes).finalize_xof().fill(&mut hash);
    hash
}

/// A row to be kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewRow {
    /// Of its JSON.
    pub hash: ContentHash,
    /// What it belongs to, where rows are not independent.
    pub cluster: Option<String>,
    /// The sample as JSON.
    pub body: String,
}

/// A row as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRow {
    /// Its place in the version, from 0.
    pub position: i64,
    /// Its id: the same in every version that has it.
    pub id: i64,
    /// What it belongs to, where rows are not independent.
    pub cluster: Option<String>,
    /// The sample as JSON.
    pub body: String,
}

/// A dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetInfo {
    /// Its name.
    pub name: String,
    /// How many versions it has.
    pub versions: u64,
    /// The newest one.
    pub newest: DatasetVersion,
}

/// A version of a dataset.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DatasetVersion {
    /// Its row.
    pub id: i64,
    /// The dataset's name.
    pub dataset: String,
    /// Of its rows in their order; 32 hexadecimal digits in text.
    #[serde(with = "hex")]
    pub hash: ContentHash,
    /// How many rows.
    pub rows: u64,
    /// How many it had beside these: they went with the traces they were made of.
    #[serde(default)]
    pub lost: u64,
    /// When it was made first.
    pub created: Timestamp,
    /// What it was made of, as JSON.
    pub source: String,
}

impl DatasetVersion {
    /// The hash as people write it: 12 hexadecimal digits.
    pub fn short(&self) -> String {
        to_hex(&self.hash).chars().take(12).collect()
    }
}

impl Store {
    /// The datasets in this store.
    pub fn datasets(&self) -> Datasets<'_> {
        Datasets { store: self }
    }
}

/// The datasets in a store.
#[derive(Clone, Copy)]
pub struct Datasets<'a> {
    store: &'a Store,
}

const VERSION: &str = "SELECT v.id, d.name, v.hash, v.rows, v.created_ns, v.source, v.lost
     FROM dataset_versions v JOIN datasets d ON d.id = v.dataset_id";

impl Datasets<'_> {
    /// All datasets with their newest versions, by name.
    pub async fn list(self) -> Result<Vec<DatasetInfo>, StoreError> {
        self.store
            .read(|conn| {
                let sql = format!(
                    "{VERSION} WHERE v.id = (SELECT max(id) FROM dataset_versions WHERE dataset_id = d.id) ORDER BY d.name"
                );
                let newest = conn.prepare_cached(&sql)?.query_map([], version)?.collect::<Result<Vec<_>, _>>()?;
                let mut count = conn.prepare_cached(
                    "SELECT count(*) FROM dataset_versions v JOIN datasets d ON d.id = v.dataset_id WHERE d.name = ?1",
                )?;
                newest
                    .into_iter()
                    .map(|newest| {
                        let versions = count.query_row([&newest.dataset], |row| row.get(0))?;
                        Ok(DatasetInfo { name: newest.dataset.clone(), versions, newest })
                    })
                    .collect()
            })
            .await
    }

    /// The versions of a dataset, newest first.
    pub async fn versions(self, name: &str) -> Result<Vec<DatasetVersion>, StoreError> {
        let name = name.to_owned();
        self.store
            .read(move |conn| {
                let sql = format!("{VERSION} WHERE d.name = ?1 ORDER BY v.id DESC");
                Ok(conn.prepare_cached(&sql)?.query_map([name], version)?.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// A version of a dataset by the beginning of its hash in hexadecimal; the newest one where that is empty.
    pub async fn version(self, name: &str, hash: &str) -> Result<Option<DatasetVersion>, StoreError> {
        let hash = hash.to_lowercase();
        let all = self.versions(name).await?;
        Ok(all.into_iter().find(|version| to_hex(&version.hash).starts_with(&hash)))
    }

    /// The version of this id.
    pub async fn by_id(self, id: i64) -> Result<Option<DatasetVersion>, StoreError> {
        self.store
            .read(move |conn| {
                let sql = format!("{VERSION} WHERE v.id = ?1");
                Ok(conn.prepare_cached(&sql)?.query_row([id], version).optional()?)
            })
            .await
    }

    /// Keeps rows, those that are known left as they are. They belong to no version yet.
    pub async fn keep_rows(self, rows: Vec<NewRow>) -> Result<(), StoreError> {
        self.store
            .write(move |tx| {
                let mut insert = tx.prepare_cached(
                    "INSERT INTO dataset_rows (hash, cluster, body, trace_id)
                     VALUES (?1, ?2, ?3, unhex(substr(json_extract(?3, '$.origin'), 1, 32)))
                     ON CONFLICT (hash) DO NOTHING",
                )?;
                for row in &rows {
                    insert.execute(params![row.hash, row.cluster, row.body])?;
                }
                Ok(())
            })
            .await
    }

    /// Makes a version of rows that are kept, in this order, and the dataset where there is none of that name. A
    /// version of the same rows is the same version.
    pub async fn make_version(
        self,
        name: &str,
        rows: Vec<ContentHash>,
        source: &str,
        now: Timestamp,
    ) -> Result<DatasetVersion, StoreError> {
        let (name, source) = (name.to_owned(), source.to_owned());
        self.store.write(move |tx| make_version(tx, &name, &rows, &source, now)).await
    }

    /// At most `limit` rows of a version from this position on.
    pub async fn rows(self, version: i64, from: i64, limit: usize) -> Result<Vec<StoredRow>, StoreError> {
        self.store
            .read(move |conn| {
                let mut select = conn.prepare_cached(
                    "SELECT m.position, r.id, r.cluster, r.body FROM dataset_members m
                     JOIN dataset_rows r ON r.id = m.row_id
                     WHERE m.version_id = ?1 AND m.position >= ?2 ORDER BY m.position LIMIT ?3",
                )?;
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                Ok(select.query_map([version, from, limit], stored_row)?.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// Forgets a dataset with its versions, and the rows that nothing else has; whether there was one.
    pub async fn remove(self, name: &str) -> Result<bool, StoreError> {
        let name = name.to_owned();
        self.store
            .write(move |tx| {
                let gone = tx.prepare_cached("DELETE FROM datasets WHERE name = ?1")?.execute([&name])?;
                sweep_rows(tx)?;
                Ok(gone > 0)
            })
            .await
    }
}

fn make_version(
    tx: &Transaction<'_>,
    name: &str,
    rows: &[ContentHash],
    source: &str,
    now: Timestamp,
) -> Result<DatasetVersion, StoreError> {
    tx.prepare_cached(
        "INSERT INTO datasets (name, created_ns) VALUES (?1, ?2) ON CONFLICT (name) DO NOTHING",
    )?
    .execute(params![name, now.0])?;
    let dataset: i64 =
        tx.prepare_cached("SELECT id FROM datasets WHERE name = ?1")?.query_row([name], |row| row.get(0))?;
    let hash = content_hash(rows.as_flattened());
    let sql = format!("{VERSION} WHERE v.dataset_id = ?1 AND v.hash = ?2");
    let known = tx.prepare_cached(&sql)?.query_row(params![dataset, hash], version).optional()?;
    if let Some(known) = known.clone().filter(|known| known.lost == 0) {
        return Ok(known);
    }
    let count = i64::try_from(rows.len()).unwrap_or(i64::MAX);
    let id = if let Some(known) = &known {
        // Who has the rows that were lost brings them back.
        tx.prepare_cached("DELETE FROM dataset_members WHERE version_id = ?1")?.execute([known.id])?;
        tx.prepare_cached("UPDATE dataset_versions SET rows = ?2, lost = 0 WHERE id = ?1")?
            .execute(params![known.id, count])?;
        known.id
    } else {
        tx.prepare_cached(
            "INSERT INTO dataset_versions (dataset_id, hash, rows, created_ns, source) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![dataset, hash, count, now.0, source])?;
        tx.last_insert_rowid()
    };
    let mut insert =
        tx.prepare_cached("INSERT INTO dataset_members SELECT ?1, ?2, id FROM dataset_rows WHERE hash = ?3")?;
    for (position, row) in (0_i64..).zip(rows) {
        if insert.execute(params![id, position, row])? == 0 {
            return Err(StoreError::Damaged(format!("row {position} of the dataset `{name}` was not kept")));
        }
    }
    Ok(DatasetVersion {
        id,
        dataset: name.to_owned(),
        hash,
        rows: rows.len() as u64,
        lost: 0,
        created: known.as_ref().map_or(now, |known| known.created),
        source: known.map_or_else(|| source.to_owned(), |known| known.source),
    })
}

/// Deletes the rows that neither a version nor a result has.
pub(crate) fn sweep_rows(tx: &Transaction<'_>) -> Result<(), StoreError> {
    tx.execute(
        "DELETE FROM dataset_rows WHERE id NOT IN (SELECT row_id FROM dataset_members)
         AND id NOT IN (SELECT row_id FROM eval_results)",
        [],
    )?;
    Ok(())
}

/// The row of this id.
pub(crate) fn row_body(conn: &Connection, id: i64) -> Result<Option<String>, StoreError> {
    let mut select = conn.prepare_cached("SELECT body FROM dataset_rows WHERE id = ?1")?;
    Ok(select.query_row([id], |row| row.get(0)).optional()?)
}

fn version(row: &Row<'_>) -> rusqlite::Result<DatasetVersion> {
    Ok(DatasetVersion {
        id: row.get(0)?,
        dataset: row.get(1)?,
        hash: row.get(2)?,
        rows: row.get(3)?,
        created: Timestamp(row.get(4)?),
        source: row.get(5)?,
        lost: row.get(6)?,
    })
}

fn stored_row(row: &Row<'_>) -> rusqlite::Result<StoredRow> {
    Ok(StoredRow { position: row.get(0)?, id: row.get(1)?, cluster: row.get(2)?, body: row.get(3)? })
}

/// A hash in hexadecimal.
pub fn to_hex(hash: &ContentHash) -> String {
    hanok_base::TraceId::from_bytes(*hash).to_string()
}

mod hex {
    use super::{ContentHash, to_hex};
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(hash: &ContentHash, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&to_hex(hash))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ContentHash, D::Error> {
        Ok(*hanok_base::TraceId::deserialize(deserializer)?.as_bytes())
    }
}
