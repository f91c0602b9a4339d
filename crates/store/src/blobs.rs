//! Message bodies, addressed by content: what was stored lately is not stored again.
//!
//! The bodies of one commit are packed together, up to 128 kB: packing a body of some 500 bytes alone costs
//! several times as much, and saves less. Reading one unpacks its pack, some hundred microseconds.
//!
//! The writer knows the hashes of the bodies used most recently, some 57,000 to 115,000 of them, and reads the
//! newest of them back when it starts. A body that comes again after it was forgotten is stored a second
//! time: that costs space and nothing else.
//!
//! A body may belong to many traces, and nobody counts them: a count would be a random page to write for every
//! message that comes again. When a trace is removed its bodies become *loose* (`loose_bodies`, in the same
//! transaction): from then on no new trace refers to them, as the writer stores such a body anew. So what the
//! traces that are there then do not refer to, nobody ever will: a sweep goes through their references and empties
//! the rest, which is exact, survives a crash at any point, and costs nothing while nothing is removed.

use crate::error::StoreError;
use crate::fact_columns::zigzag;
use crate::packing;
use crate::row::Slot;
use rusqlite::{Connection, OptionalExtension, Result, Transaction, params};
use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hash, Hasher};
use std::time::Instant;
use zstd::bulk::Compressor;
use zstd::zstd_safe::CParameter;

/// Hashes in each of the two generations: fills a hash table of 65,536 buckets.
const GENERATION: usize = 57_000;
/// A pack is closed once it holds so many bytes.
const PACK: usize = 128 << 10;
/// A larger body gets a pack of its own, so that its small neighbours stay quick to read.
const ALONE: usize = 16 << 10;
/// Smaller packs are not worth compressing.
const COMPRESS_FROM: usize = 100;
const LEVEL: i32 = 1;
/// What a pack is compressed with. With the level's own parameters texts of a full pack are 2 % larger; with the next
/// level's 2 % smaller, and compressing them takes a quarter longer.
const QUICK: [CParameter; 2] = [CParameter::MinMatch(6), CParameter::HashLog(15)];
/// For what is larger than a pack, as the level has it.
const AS_LEVEL: [CParameter; 2] = [CParameter::MinMatch(0), CParameter::HashLog(0)];
const HASH: usize = 16;
/// Bytes of bodies in each of the two generations of those that came again.
const AGAIN: usize = 512 << 10;

/// The writer's side.
pub(crate) struct Blobs {
    recent: Option<Recent>,
    again: Again,
    /// Bodies of removed traces: not to be referred to again.
    loose: HashSet<i64, foldhash::fast::RandomState>,
    /// The id of the next body.
    next: i64,
    /// The bodies of the pack that is open, one after another.
    open: Vec<u8>,
    /// Their lengths, as varints.
    lengths: Vec<u8>,
    /// Their hashes.
    hashes: Vec<u8>,
    /// The traces that brought them, as in `packs`.
    seqs: Vec<u8>,
    /// The trace that brings what comes, and the one that brought the last body of the open pack.
    owner: i64,
    last_owner: i64,
    /// The hashes of the packs that the open transaction wrote.
    written: Vec<u8>,
}

impl Blobs {
    pub(crate) fn new(conn: &Connection) -> Result<Self> {
        Ok(Self {
            recent: None,
            again: Again::default(),
            loose: conn
                .prepare("SELECT body FROM loose_bodies")?
                .query_map([], |row| row.get(0))?
                .collect::<Result<_>>()?,
            next: next_id(conn)?,
            open: Vec::new(),
            lengths: Vec::new(),
            hashes: Vec::new(),
            seqs: Vec::new(),
            owner: 0,
            last_owner: 0,
            written: Vec::new(),
        })
    }

    /// What comes now is brought by this trace.
    pub(crate) fn brought_by(&mut self, seq: i64) {
        self.owner = seq;
    }

    /// The id of a body, which is stored unless it was lately.
    pub(crate) fn put(&mut self, tx: &Transaction<'_>, zstd: &mut Zstd, body: &[u8]) -> Result<i64> {
        if let Some(id) = self.again.get(body)
            && !self.loose.contains(&id)
        {
            return Ok(id);
        }
        let key = Key::of(body);
        let recent = match &mut self.recent {
            Some(recent) => recent,
            None => self.recent.insert(Recent::load(tx)?),
        };
        if let Some(id) = recent.get(key)
            && !self.loose.contains(&id)
        {
            self.again.insert(body, id);
            return Ok(id);
        }
        let id = self.next;
        recent.insert(key, id);
        if body.len() >= ALONE {
            self.close_pack(tx, zstd)?;
        }
        self.next += 1;
        self.open.extend_from_slice(body);
        self.hashes.extend_from_slice(&key.bytes());
        push_varint(&mut self.seqs, zigzag(self.owner.wrapping_sub(self.last_owner)));
        self.last_owner = self.owner;
        push_varint(&mut self.lengths, u64::try_from(body.len()).unwrap_or(u64::MAX));
        if self.open.len() >= PACK || body.len() >= ALONE {
            self.close_pack(tx, zstd)?;
        }
        Ok(id)
    }

    /// Writes what is not written yet, at the end of a transaction.
    pub(crate) fn finish(&mut self, tx: &Transaction<'_>, zstd: &mut Zstd) -> Result<()> {
        self.close_pack(tx, zstd)
    }

    fn close_pack(&mut self, tx: &Transaction<'_>, zstd: &mut Zstd) -> Result<()> {
        if self.hashes.is_empty() {
            return Ok(());
        }
        let first = self.next - count(&self.hashes);
        let mut insert = tx.prepare_cached(
            "INSERT INTO packs (first, hashes, lengths, size, body, seqs) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?;
        let packed = zstd.compress(&self.open);
        let size = packed.map(|_| i64::try_from(self.open.len()).unwrap_or(i64::MAX));
        let body = packed.unwrap_or(&self.open);
        insert.execute(params![first, self.hashes, self.lengths, size, body, self.seqs])?;
        self.written.append(&mut self.hashes);
        self.open.clear();
        self.lengths.clear();
        self.seqs.clear();
        self.last_owner = 0;
        // One huge body must not hold its memory for ever.
        self.open.shrink_to(2 * PACK);
        Ok(())
    }

    /// Makes bodies loose.
    pub(crate) fn loosen(&mut self, tx: &Transaction<'_>, bodies: &[i64]) -> Result<()> {
        let mut insert = tx.prepare_cached("INSERT OR IGNORE INTO loose_bodies (body) VALUES (?1)")?;
        for body in bodies {
            if self.loose.insert(*body) {
                insert.execute([body])?;
            }
        }
        Ok(())
    }

    /// Bodies that some trace refers to after all.
    pub(crate) fn fasten(&mut self, tx: &Transaction<'_>, bodies: &[i64]) -> Result<()> {
        let mut delete = tx.prepare_cached("DELETE FROM loose_bodies WHERE body = ?1")?;
        for body in bodies {
            self.loose.remove(body);
            delete.execute([body])?;
        }
        Ok(())
    }

    /// Empties loose bodies (ascending) that no trace refers to, until then, but one pack at least; how many of
    /// them are done.
    pub(crate) fn empty(
        &mut self,
        tx: &Transaction<'_>,
        zstd: &mut Zstd,
        bodies: &[i64],
        until: Instant,
    ) -> Result<usize> {
        let mut done = 0;
        while let Some(id) = bodies.get(done) {
            if done > 0 && Instant::now() >= until {
                break;
            }
            let rest = bodies.get(done..).unwrap_or_default();
            let of_pack = self.empty_in_pack(tx, zstd, *id, rest)?;
            self.fasten(tx, rest.get(..of_pack).unwrap_or_default())?;
            done += of_pack;
        }
        Ok(done)
    }

    /// Empties those of the bodies that are in the first one's pack; how many there are.
    fn empty_in_pack(
        &mut self,
        tx: &Transaction<'_>,
        zstd: &mut Zstd,
        id: i64,
        bodies: &[i64],
    ) -> Result<usize> {
        type Found = (i64, Vec<u8>, Vec<u8>, Option<usize>, Option<i64>);
        let found: Option<Found> = tx
            .prepare_cached(
                "SELECT first, hashes, lengths, size, (SELECT min(first) FROM packs WHERE first > ?1)
                 FROM packs WHERE first <= ?1 ORDER BY first DESC LIMIT 1",
            )?
            .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
            .optional()?;
        let Some((first, mut hashes, lengths, size, next)) = found else { return Ok(1) };
        let end = first.saturating_add(count(&hashes));
        let inside = bodies.iter().take_while(|body| **body < end).count();
        let gone = bodies.get(..inside).unwrap_or_default();
        if inside == 0 {
            // Its pack is gone already.
            return Ok(1);
        }
        for (id, hash) in (first..).zip(hashes.chunks_exact_mut(HASH)) {
            if gone.binary_search(&id).is_ok() {
                if let Some(recent) = &mut self.recent {
                    recent.forget(Key::from_bytes(hash), id);
                }
                hash.fill(0);
            }
        }
        self.again.forget(gone);
        let nothing_left = hashes.iter().all(|byte| *byte == 0);
        // The last pack stays, if emptied: it says how far bodies are numbered.
        if nothing_left && next.is_some() {
            tx.prepare_cached("DELETE FROM packs WHERE first = ?1")?.execute([first])?;
            return Ok(inside);
        }
        let body: Vec<u8> = tx
            .prepare_cached("SELECT body FROM packs WHERE first = ?1")?
            .query_row([first], |row| row.get(0))?;
        let unpacked = unpacked(size, body).unwrap_or_else(|| {
            tracing::error!(pack = first, "a pack of bodies cannot be read; it is emptied as a whole");
            hashes.fill(0);
            Vec::new()
        });
        let (mut varints, mut left, mut new_lengths) = (lengths.iter(), Vec::new(), Vec::new());
        let mut rest = unpacked.as_slice();
        for hash in hashes.chunks_exact(HASH) {
            let length =
                pop_varint(&mut varints).and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
            let (body, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            rest = behind;
            let kept = if hash.iter().all(|byte| *byte == 0) { &[] } else { body };
            left.extend_from_slice(kept);
            push_varint(&mut new_lengths, kept.len() as u64);
        }
        let packed = zstd.compress(&left);
        let size = packed.map(|_| i64::try_from(left.len()).unwrap_or(i64::MAX));
        tx.prepare_cached(
            "UPDATE packs SET hashes = ?2, lengths = ?3, size = ?4, body = ?5 WHERE first = ?1",
        )?
        .execute(params![first, hashes, new_lengths, size, packed.unwrap_or(&left)])?;
        Ok(inside)
    }

    pub(crate) fn committed(&mut self) {
        self.written.clear();
    }

    pub(crate) fn rolled_back(&mut self) {
        self.written.append(&mut self.hashes);
        self.next -= count(&self.written);
        self.again = Again::default();
        if let Some(recent) = &mut self.recent {
            for hash in self.written.chunks_exact(HASH) {
                recent.remove(Key::from_bytes(hash));
            }
        }
        self.written.clear();
        self.open.clear();
        self.lengths.clear();
        self.seqs.clear();
        self.last_owner = 0;
    }
}

/// How many hashes these are.
fn count(hashes: &[u8]) -> i64 {
    i64::try_from(hashes.len() / HASH).unwrap_or(i64::MAX)
}

fn next_id(conn: &Connection) -> Result<i64> {
    conn.query_row(
        "SELECT coalesce((SELECT first + length(hashes) / 16 FROM packs ORDER BY first DESC LIMIT 1), 1)",
        [],
        |row| row.get(0),
    )
}

/// The writer's compressor, which is dear to make.
#[derive(Default)]
pub(crate) struct Zstd {
    compressor: Option<Compressor<'static>>,
    buffer: Vec<u8>,
}

impl Zstd {
    /// The bytes compressed; `None` when that is not worth it.
    pub(crate) fn compress(&mut self, bytes: &[u8]) -> Option<&[u8]> {
        if bytes.len() < COMPRESS_FROM {
            return None;
        }
        if self.compressor.is_none() {
            self.compressor = Compressor::new(LEVEL).ok();
        }
        let compressor = self.compressor.as_mut()?;
        for parameter in if bytes.len() > 2 * PACK { AS_LEVEL } else { QUICK } {
            compressor.set_parameter(parameter).ok()?;
        }
        // One huge body must not hold its memory for ever.
        self.buffer.clear();
        self.buffer.shrink_to(2 * PACK);
        self.buffer.reserve(zstd::zstd_safe::compress_bound(bytes.len()));
        compressor.compress_to_buffer(bytes, &mut self.buffer).ok()?;
        (self.buffer.len() + self.buffer.len() / 16 < bytes.len()).then_some(&self.buffer)
    }
}

/// The bytes of a pack, of which `size` is the length where they are compressed.
pub(crate) fn unpacked(size: Option<usize>, body: Vec<u8>) -> Option<Vec<u8>> {
    match size {
        None => Some(body),
        Some(size) => packing::unpack(&body, size).ok(),
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

pub(crate) fn push_varint(bytes: &mut Vec<u8>, mut rest: u64) {
    loop {
        let [low, ..] = rest.to_le_bytes();
        rest >>= 7;
        if rest == 0 {
            bytes.push(low & 0x7f);
            return;
        }
        bytes.push(low | 0x80);
    }
}

pub(crate) fn pop_varint(bytes: &mut std::slice::Iter<'_, u8>) -> Option<u64> {
    let (mut number, mut shift) = (0_u64, 0_u32);
    loop {
        let byte = bytes.next()?;
        number |= u64::from(byte & 0x7f).checked_shl(shift)?;
        shift += 7;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
}

/// Appends a reference: one byte for the slot, then the id as an LEB128 varint.
pub(crate) fn pack(references: &mut Vec<u8>, slot: Slot, id: i64) {
    references.push(slot.code());
    push_varint(references, id.cast_unsigned());
}

/// The references that were packed; `None` when they are not well formed.
pub(crate) fn unpack(references: &[u8]) -> Option<Vec<(Slot, i64)>> {
    let mut bytes = references.iter();
    let mut found = Vec::new();
    while let Some(code) = bytes.next() {
        let slot = Slot::of_code(*code)?;
        found.push((slot, pop_varint(&mut bytes)?.cast_signed()));
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
        let word =
            |at| bytes.get(at..at + 8).and_then(|word| word.try_into().ok()).map_or(0, u64::from_le_bytes);
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
        let mut newest_first = conn.prepare("SELECT first, hashes FROM packs ORDER BY first DESC")?;
        let mut rows = newest_first.query([])?;
        while let Some(row) = rows.next()? {
            let first: i64 = row.get(0)?;
            for (id, hash) in (first..).zip(row.get_ref(1)?.as_blob()?.chunks_exact(HASH)) {
                // Emptied.
                if hash.iter().all(|byte| *byte == 0) {
                    continue;
                }
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

    /// Forgets that a body is there, unless it was stored again since.
    fn forget(&mut self, key: Key, id: i64) {
        for generation in [&mut self.young, &mut self.old] {
            if generation.get(&key) == Some(&id) {
                generation.remove(&key);
            }
        }
    }
}

/// Bodies that came again, themselves: to compare them costs a fraction of hashing them. A conversation sends all
/// of its messages but one again with every turn. Two generations, as of hashes.
#[derive(Default)]
struct Again {
    young: HashMap<Box<[u8]>, i64, foldhash::fast::RandomState>,
    old: HashMap<Box<[u8]>, i64, foldhash::fast::RandomState>,
    /// Bytes of the young one.
    bytes: usize,
}

impl Again {
    fn get(&mut self, body: &[u8]) -> Option<i64> {
        if body.len() > AGAIN / 16 {
            return None;
        }
        if let Some(id) = self.young.get(body) {
            return Some(*id);
        }
        let (body, id) = self.old.remove_entry(body)?;
        self.add(body, id);
        Some(id)
    }

    fn insert(&mut self, body: &[u8], id: i64) {
        if body.len() <= AGAIN / 16 {
            self.add(body.into(), id);
        }
    }

    /// Forgets bodies (ascending).
    fn forget(&mut self, ids: &[i64]) {
        for generation in [&mut self.young, &mut self.old] {
            generation.retain(|_, id| ids.binary_search(id).is_err());
        }
    }

    fn add(&mut self, body: Box<[u8]>, id: i64) {
        if self.bytes >= AGAIN {
            self.old = std::mem::take(&mut self.young);
            self.bytes = 0;
        }
        // About what an entry costs beside its bytes.
        self.bytes += body.len() + 64;
        self.young.insert(body, id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_that_came_again_are_bounded() {
        let mut again = Again::default();
        let body = |n: i64| n.to_le_bytes().repeat(20);
        again.insert(&body(0), 7);
        for n in 1..100_000 {
            again.insert(&body(n), n);
            assert_eq!(again.get(&body(0)), Some(7), "used all the time");
        }
        assert_eq!(again.get(&body(1)), None);
        assert_eq!(again.get(&body(99_999)), Some(99_999));
        let bytes: usize = again.young.keys().chain(again.old.keys()).map(|body| body.len() + 64).sum();
        assert!((AGAIN..2 * AGAIN + 1_000).contains(&bytes), "{bytes}");
        let large = vec![0; AGAIN];
        again.insert(&large, 1);
        assert_eq!(again.get(&large), None);
    }

    #[test]
    fn references_round_trip() {
        let wanted: Vec<(Slot, i64)> =
            Slot::ALL.into_iter().zip([0, 1, 127, 128, 300_000, i64::MAX]).collect();
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
