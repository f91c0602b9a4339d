//! Message bodies, addressed by content: what was stored lately is not stored again.
//!
//! The writer knows the hashes of the bodies used most recently, some 57,000 to 115,000 of them, and reads the
//! newest of them back when it starts. A body that comes again after it was forgotten is stored a second
//! time: that costs space and nothing else.

use crate::error::StoreError;
use crate::row::Slot;
use rusqlite::{Connection, OptionalExtension, Result, Transaction, params};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};
use zstd::bulk::{Compressor, Decompressor};

/// Hashes in each of the two generations: fills a hash table of 65,536 buckets.
const GENERATION: usize = 57_000;
/// Smaller bodies are not worth compressing.
const COMPRESS_FROM: usize = 100;
const LEVEL: i32 = 1;
const HASH: usize = 16;

/// The writer's side.
pub(crate) struct Blobs {
    recent: Option<Recent>,
    next: i64,
    /// The hashes of the blobs added by the open transaction, in order.
    added: Vec<u8>,
    compressor: Option<Compressor<'static>>,
    buffer: Vec<u8>,
}

impl Blobs {
    pub(crate) fn new(conn: &Connection) -> Result<Self> {
        Ok(Self {
            recent: None,
            next: next_id(conn)?,
            added: Vec::new(),
            compressor: None,
            buffer: Vec::new(),
        })
    }

    /// The id of a body, which is stored unless it was lately.
    pub(crate) fn put(&mut self, tx: &Transaction<'_>, body: &[u8]) -> Result<i64> {
        let key = Key::of(body);
        let recent = match &mut self.recent {
            Some(recent) => recent,
            None => self.recent.insert(Recent::load(tx)?),
        };
        if let Some(id) = recent.get(key) {
            return Ok(id);
        }
        let id = self.next;
        let mut insert = tx.prepare_cached("INSERT INTO blobs (id, size, body) VALUES (?1, ?2, ?3)")?;
        if compress(&mut self.compressor, &mut self.buffer, body) {
            insert.execute(params![id, i64::try_from(body.len()).unwrap_or(i64::MAX), self.buffer])?;
        } else {
            insert.execute(params![id, None::<i64>, body])?;
        }
        self.next += 1;
        self.added.extend_from_slice(&key.bytes());
        recent.insert(key, id);
        Ok(id)
    }

    /// Writes down the hashes of what the transaction added.
    pub(crate) fn finish(&mut self, tx: &Transaction<'_>) -> Result<()> {
        if self.added.is_empty() {
            return Ok(());
        }
        let first = self.next - self.added_count();
        tx.prepare_cached("INSERT INTO blob_hashes (first, hashes) VALUES (?1, ?2)")?
            .execute(params![first, self.added])?;
        Ok(())
    }

    pub(crate) fn committed(&mut self) {
        self.added.clear();
    }

    pub(crate) fn rolled_back(&mut self) {
        self.next -= self.added_count();
        if let Some(recent) = &mut self.recent {
            for hash in self.added.chunks_exact(HASH) {
                recent.remove(Key::from_bytes(hash));
            }
        }
        self.added.clear();
    }

    fn added_count(&self) -> i64 {
        i64::try_from(self.added.len() / HASH).unwrap_or(i64::MAX)
    }
}

fn next_id(conn: &Connection) -> Result<i64> {
    conn.query_row("SELECT coalesce(max(id), 0) + 1 FROM blobs", [], |row| row.get(0))
}

/// Compresses into the buffer; `false` when that is not worth it.
fn compress(compressor: &mut Option<Compressor<'static>>, buffer: &mut Vec<u8>, body: &[u8]) -> bool {
    if body.len() < COMPRESS_FROM {
        return false;
    }
    if compressor.is_none() {
        *compressor = Compressor::new(LEVEL).ok();
    }
    let Some(compressor) = compressor else { return false };
    buffer.clear();
    buffer.reserve(zstd::zstd_safe::compress_bound(body.len()));
    compressor.compress_to_buffer(body, buffer).is_ok() && buffer.len() + buffer.len() / 16 < body.len()
}

/// Reads bodies back.
pub(crate) struct Reader<'a> {
    conn: &'a Connection,
    decompressor: Option<Decompressor<'static>>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(conn: &'a Connection) -> Self {
        Self { conn, decompressor: None }
    }

    pub(crate) fn get(&mut self, id: i64) -> Result<Vec<u8>, StoreError> {
        let found: Option<(Option<usize>, Vec<u8>)> = self
            .conn
            .prepare_cached("SELECT size, body FROM blobs WHERE id = ?1")?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let damaged = |what: &str| StoreError::Damaged(format!("body {id} {what}"));
        match found {
            None => Err(damaged("is missing")),
            Some((None, body)) => Ok(body),
            Some((Some(size), body)) => {
                let decompressor = match &mut self.decompressor {
                    Some(decompressor) => decompressor,
                    None => self.decompressor.insert(Decompressor::new().map_err(|_| damaged("cannot be unpacked"))?),
                };
                decompressor.decompress(&body, size).map_err(|_| damaged("cannot be unpacked"))
            }
        }
    }
}

/// Appends a reference: one byte for the slot, then the id as an LEB128 varint.
pub(crate) fn pack(references: &mut Vec<u8>, slot: Slot, id: i64) {
    references.push(slot.code());
    let mut rest = id.cast_unsigned();
    loop {
        let [low, ..] = rest.to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            references.push(low & 0x7f);
            return;
        }
        references.push(low | 0x80);
    }
}

/// The references that were packed; `None` when they are not well formed.
pub(crate) fn unpack(references: &[u8]) -> Option<Vec<(Slot, i64)>> {
    let mut bytes = references.iter();
    let mut found = Vec::new();
    while let Some(code) = bytes.next() {
        let slot = Slot::of_code(*code)?;
        let (mut id, mut shift) = (0_u64, 0_u32);
        loop {
            let byte = bytes.next()?;
            id |= u64::from(byte & 0x7f).checked_shl(shift)?;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        found.push((slot, id.cast_signed()));
    }
    Some(found)
}

/// The first 16 bytes of a body's BLAKE3 hash.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Key(u64, u64);

impl Key {
    fn of(body: &[u8]) -> Self {
        Self::from_bytes(blake3::hash(body).as_bytes())
    }

    fn from_bytes(bytes: &[u8]) -> Self {
        let word = |at| bytes.get(at..at + 8).and_then(|word| word.try_into().ok()).map_or(0, u64::from_le_bytes);
        Self(word(0), word(8))
    }

    fn bytes(self) -> [u8; HASH] {
        (u128::from(self.0) | u128::from(self.1) << 64).to_le_bytes()
    }
}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0);
    }
}

/// The key is a hash already.
#[derive(Default)]
struct AsItIs(u64);

impl Hasher for AsItIs {
    fn write(&mut self, _: &[u8]) {}
    fn write_u64(&mut self, key: u64) {
        self.0 = key;
    }
    fn finish(&self) -> u64 {
        self.0
    }
}

type Generation = HashMap<Key, i64, BuildHasherDefault<AsItIs>>;

/// The bodies used most recently: when the young generation is full it becomes the old one, and what was
/// not used since is forgotten.
#[derive(Default)]
struct Recent {
    young: Generation,
    old: Generation,
}

impl Recent {
    /// The newest hashes on file.
    fn load(conn: &Connection) -> Result<Self> {
        let mut recent = Self::default();
        let mut newest_first = conn.prepare("SELECT first, hashes FROM blob_hashes ORDER BY first DESC")?;
        let mut rows = newest_first.query([])?;
        while let Some(row) = rows.next()? {
            let first: i64 = row.get(0)?;
            for (id, hash) in (first..).zip(row.get_ref(1)?.as_blob()?.chunks_exact(HASH)) {
                recent.young.entry(Key::from_bytes(hash)).or_insert(id);
            }
            if recent.young.len() >= GENERATION {
                break;
            }
        }
        Ok(recent)
    }

    fn get(&mut self, key: Key) -> Option<i64> {
        if let Some(id) = self.young.get(&key) {
            return Some(*id);
        }
        let id = self.old.remove(&key)?;
        self.insert(key, id);
        Some(id)
    }

    fn insert(&mut self, key: Key, id: i64) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, id);
    }

    fn remove(&mut self, key: Key) {
        self.young.remove(&key);
        self.old.remove(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_round_trip() {
        let wanted: Vec<(Slot, i64)> = Slot::ALL
            .into_iter()
            .zip([0, 1, 127, 128, 300_000, i64::MAX])
            .collect();
        let mut packed = Vec::new();
        for (slot, id) in &wanted {
            pack(&mut packed, *slot, *id);
        }
        assert_eq!(unpack(&packed), Some(wanted));
        assert_eq!(unpack(&[0]), None, "cut");
        assert_eq!(unpack(&[0, 0x80]), None, "cut inside a number");
        assert_eq!(unpack(&[9, 1]), None, "unknown slot");
    }

    #[test]
    fn the_least_recently_used_are_forgotten() {
        let key = |n: u64| Key(n, n);
        let mut recent = Recent::default();
        for n in 0..GENERATION as u64 {
            recent.insert(key(n), 1);
        }
        recent.insert(key(u64::MAX), 2);
        assert_eq!(recent.get(key(7)), Some(1), "in the old generation, and used again");
        for n in 0..GENERATION as u64 {
            recent.insert(key(1 << 40 | n), 3);
        }
        assert_eq!(recent.get(key(7)), Some(1));
        assert_eq!(recent.get(key(8)), None);
    }
}
