//! Text that repeats (names, models, attribute keys), stored once and known by number.

use rusqlite::{Connection, OptionalExtension, Result, Transaction};
use std::collections::HashMap;

/// More are not kept in memory; those forgotten are found again by a query.
const KNOWN: usize = 10_000;

/// The writer's side: text to number, new text included.
#[derive(Default)]
pub(crate) struct Names {
    ids: HashMap<Box<str>, i64, foldhash::fast::RandomState>,
}

impl Names {
    pub(crate) fn id(&mut self, tx: &Transaction<'_>, text: &str) -> Result<i64> {
        if let Some(id) = self.ids.get(text) {
            return Ok(*id);
        }
        let known = tx
            .prepare_cached("SELECT id FROM names WHERE text = ?1")?
            .query_row([text], |row| row.get(0))
            .optional()?;
        let id = if let Some(id) = known {
            id
        } else {
            tx.prepare_cached("INSERT INTO names (text) VALUES (?1)")?.execute([text])?;
            tx.last_insert_rowid()
        };
        if self.ids.len() >= KNOWN {
            self.ids.clear();
        }
        self.ids.insert(text.into(), id);
        Ok(id)
    }

    pub(crate) fn optional(&mut self, tx: &Transaction<'_>, text: Option<&str>) -> Result<Option<i64>> {
        text.map(|text| self.id(tx, text)).transpose()
    }

    /// Whoever added them, those of the transaction are gone.
    pub(crate) fn rolled_back(&mut self) {
        self.ids.clear();
    }
}

/// A reader's side: number to text, remembered for one query.
#[derive(Default)]
pub(crate) struct Texts(HashMap<i64, String>);

impl Texts {
    pub(crate) fn get(&mut self, conn: &Connection, id: i64) -> Result<String> {
        if let Some(text) = self.0.get(&id) {
            return Ok(text.clone());
        }
        let text: String = conn
            .prepare_cached("SELECT text FROM names WHERE id = ?1")?
            .query_row([id], |row| row.get(0))
            .optional()?
            .unwrap_or_default();
        self.0.insert(id, text.clone());
        Ok(text)
    }

    pub(crate) fn optional(&mut self, conn: &Connection, id: Option<i64>) -> Result<Option<String>> {
        id.map(|id| self.get(conn, id)).transpose()
    }
}
