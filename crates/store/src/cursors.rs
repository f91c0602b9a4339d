//! How far something that follows the traces has come, over restarts.

use crate::StoreError;
use crate::row::{Bodies, StoredTrace};
use crate::store::Store;
use crate::traces::{Scope, get};
use hanok_base::TraceId;
use rusqlite::{OptionalExtension as _, params};

/// Places in the order of the traces' arrival, by the name of who is there.
#[derive(Clone, Copy)]
pub struct Cursors<'a> {
    store: &'a Store,
}

impl<'a> Cursors<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self { store }
    }

    /// The `seq` of the newest trace that `name` is done with; `None` where it has not begun.
    pub async fn get(&self, name: &'static str) -> Result<Option<i64>, StoreError> {
        self.store
            .read(move |conn| {
                let mut query = conn.prepare_cached("SELECT seq FROM cursors WHERE name = ?1")?;
                Ok(query.query_row([name], |row| row.get(0)).optional()?)
            })
            .await
    }

    /// Notes that `name` is done with all traces up to `seq`; committed when this returns.
    pub async fn set(&self, name: &'static str, seq: i64) -> Result<(), StoreError> {
        self.store
            .write(move |tx| {
                tx.prepare_cached(
                    "INSERT INTO cursors (name, seq) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET seq = excluded.seq",
                )?
                .execute(params![name, seq])?;
                Ok(())
            })
            .await
    }

    /// The traces that arrived after `seq`, oldest first, `limit` at most, each with its spans.
    pub async fn follow(
        &self,
        seq: i64,
        limit: usize,
        bodies: Bodies,
    ) -> Result<Vec<StoredTrace>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.store
            .read(move |conn| {
                let mut query =
                    conn.prepare_cached("SELECT trace_id FROM traces WHERE seq > ?1 ORDER BY seq LIMIT ?2")?;
                let ids = query.query_map([seq, limit], |row| Ok(TraceId::from_bytes(row.get(0)?)))?;
                let everybodys = Scope::default();
                let mut traces = Vec::new();
                for id in ids {
                    traces.extend(get(conn, &everybodys, id?, bodies)?);
                }
                Ok(traces)
            })
            .await
    }
}
