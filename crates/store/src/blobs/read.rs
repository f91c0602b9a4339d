//! Bodies read back.

use super::HASH;
use super::recent::Key;
use crate::error::StoreError;
use crate::packing::unpacked;
use crate::varint::pop_varint;
use rusqlite::{Connection, OptionalExtension, Result};

/// Reads bodies back. Keeps the pack it read last, where the next one asked for usually is.
pub(crate) struct Reader<'a> {
    conn: &'a Connection,
    pack: Pack,
}

/// `first`, `lengths`, `size` and `body` of a row.
type PackRow = (i64, Vec<u8>, Option<usize>, Vec<u8>);

/// An unpacked pack.
#[derive(Default)]
struct Pack {
    first: i64,
    lengths: Vec<usize>,
    bodies: Vec<u8>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(conn: &'a Connection) -> Self {
        Self { conn, pack: Pack::default() }
    }

    pub(crate) fn get(&mut self, id: i64) -> Result<Vec<u8>, StoreError> {
        if let Some(body) = self.pack.get(id) {
            return Ok(body.to_vec());
        }
        let found: Option<PackRow> = self
            .conn
            .prepare_cached(
                "SELECT first, lengths, size, body FROM packs WHERE first <= ?1 ORDER BY first DESC LIMIT 1",
            )?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
            .optional()?;
        let damaged = |what: &str| StoreError::Damaged(format!("body {id} {what}"));
        let Some((first, lengths, size, body)) = found else {
            return Err(damaged("is missing"));
        };
        let bodies = unpacked(size, body).ok_or_else(|| damaged("cannot be unpacked"))?;
        let mut varints = lengths.iter();
        let mut lengths = Vec::new();
        while varints.len() > 0 {
            let length = pop_varint(&mut varints).and_then(|length| usize::try_from(length).ok());
            lengths.push(length.ok_or_else(|| damaged("has no length"))?);
        }
        self.pack = Pack { first, lengths, bodies };
        self.pack.get(id).map(<[u8]>::to_vec).ok_or_else(|| damaged("is missing"))
    }
}

impl Pack {
    fn get(&self, id: i64) -> Option<&[u8]> {
        let number = usize::try_from(id.checked_sub(self.first)?).ok()?;
        let length = *self.lengths.get(number)?;
        let start: usize = self.lengths.iter().take(number).sum();
        self.bodies.get(start..start.checked_add(length)?)
    }
}

/// How many bodies a pack holds; in words what is wrong with it.
pub(crate) fn verify(
    hashes: &[u8],
    lengths: &[u8],
    size: Option<usize>,
    body: Vec<u8>,
) -> Result<u64, &'static str> {
    let bodies = unpacked(size, body).ok_or("they cannot be unpacked")?;
    let (mut varints, mut rest, mut there) = (lengths.iter(), bodies.as_slice(), 0);
    for hash in hashes.chunks(HASH) {
        let length = pop_varint(&mut varints).and_then(|length| usize::try_from(length).ok());
        let (one, behind) =
            length.and_then(|length| rest.split_at_checked(length)).ok_or("one is cut off")?;
        rest = behind;
        if hash.iter().all(|byte| *byte == 0) {
            continue;
        }
        if hash != Key::of(one).bytes() {
            return Err("one is not what it was");
        }
        there += 1;
    }
    if varints.len() > 0 || !rest.is_empty() { Err("there is more than was said") } else { Ok(there) }
}
