//! What collections hold, in numbers, and how their documents stand beside each other: for lists and pages.

use crate::metadata::{readable_by, readers_value};
use crate::{Store, StoreError};
use hanok_base::SourceId;
use rusqlite::types::Value as Sql;
use rusqlite::{OptionalExtension, params_from_iter};

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

    /// The documents before and after a path of a collection (its row), by path, which one of the readers may find;
    /// `None` finds all.
    pub async fn documents_beside(
        &self,
        collection: i64,
        path: String,
        readers: Option<Vec<String>>,
    ) -> Result<(Option<SourceId>, Option<SourceId>), StoreError> {
        self.read(move |conn| {
            let mut values = vec![Sql::Integer(collection), Sql::Text(path)];
            let mut allowed = String::new();
            if let Some(readers) = &readers {
                values.push(readers_value(readers));
                allowed = format!("AND {}", readable_by(values.len()));
            }
            let one = |side: &str, order: &str| -> Result<Option<SourceId>, StoreError> {
                let sql = format!(
                    "SELECT s.id FROM sources s WHERE s.collection_id = ?1 AND s.path {side} ?2 {allowed}
                     ORDER BY s.path {order} LIMIT 1"
                );
                let key: Option<i64> = conn
                    .prepare_cached(&sql)?
                    .query_row(params_from_iter(&values), |row| row.get(0))
                    .optional()?;
                Ok(key.map(|key| SourceId(key.cast_unsigned())))
            };
            Ok((one("<", "DESC")?, one(">", "ASC")?))
        })
        .await
    }
}
