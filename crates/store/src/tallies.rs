//! What collections hold, in numbers, and how their documents stand beside each other: for lists and pages.

use crate::{Store, StoreError};
use hanok_base::SourceId;
use rusqlite::{OptionalExtension, params};

/// What a collection holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Chunks of all its documents.
    pub chunks: u64,
    /// Files that were not taken.
    pub skipped: u64,
}

impl Store {
    /// What a collection (its row) holds.
    pub async fn tally_of(&self, collection: i64) -> Result<Tally, StoreError> {
        self.read(move |conn| {
            let count = |sql: &str| -> Result<u64, StoreError> {
                Ok(conn.prepare_cached(sql)?.query_row([collection], |row| row.get(0))?)
            };
            Ok(Tally {
                chunks: count(
                    "SELECT count(*) FROM chunks WHERE source_id IN (SELECT id FROM sources WHERE collection_id = ?1)",
                )?,
                skipped: count("SELECT count(*) FROM skipped_files WHERE collection_id = ?1")?,
            })
        })
        .await
    }

    /// The documents before and after a path of a collection (its row), by path.
    pub async fn documents_beside(
        &self,
        collection: i64,
        path: String,
    ) -> Result<(Option<SourceId>, Option<SourceId>), StoreError> {
        self.read(move |conn| {
            let one = |sql: &str| -> Result<Option<SourceId>, StoreError> {
                let key: Option<i64> =
                    conn.prepare_cached(sql)?.query_row(params![collection, path], |row| row.get(0)).optional()?;
                Ok(key.map(|key| SourceId(key.cast_unsigned())))
            };
            Ok((
                one("SELECT id FROM sources WHERE collection_id = ?1 AND path < ?2 ORDER BY path DESC LIMIT 1")?,
                one("SELECT id FROM sources WHERE collection_id = ?1 AND path > ?2 ORDER BY path LIMIT 1")?,
            ))
        })
        .await
    }
}
