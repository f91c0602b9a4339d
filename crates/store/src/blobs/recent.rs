//! What the writer knows to be on file.

use super::HASH;
use rusqlite::{Connection, Result};
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hash, Hasher};

/// Hashes in each of the two generations: fills a hash table of 65,536 buckets.
const GENERATION: usize = 57_000;
/// Bytes of bodies in each of the two generations of those that came again.
const AGAIN: usize = 512 << 10;

/// The first 16 bytes of a body's BLAKE3 hash.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Key(u64, u64);

impl Key {
    pub(super) fn of(body: &[u8]) -> Self {
        Self::from_bytes(blake3::hash(body).as_bytes())
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Self {
        let word =
            |at| bytes.get(at..at + 8).and_then(|word| word.try_into().ok()).map_or(0, u64::from_le_bytes);
        Self(word(0), word(8))
    }

    pub(super) fn bytes(self) -> [u8; HASH] {
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
pub(super) struct Recent {
    young: Generation,
    old: Generation,
}

impl Recent {
    /// The newest hashes on file.
    pub(super) fn load(conn: &Connection) -> Result<Self> {
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

    pub(super) fn get(&mut self, key: Key) -> Option<i64> {
        if let Some(id) = self.young.get(&key) {
            return Some(*id);
        }
        let id = self.old.remove(&key)?;
        self.insert(key, id);
        Some(id)
    }

    pub(super) fn insert(&mut self, key: Key, id: i64) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, id);
    }

    pub(super) fn remove(&mut self, key: Key) {
        self.young.remove(&key);
        self.old.remove(&key);
    }

    /// Forgets that a body is there, unless it was stored again since.
    pub(super) fn forget(&mut self, key: Key, id: i64) {
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
pub(super) struct Again {
    young: HashMap<Box<[u8]>, i64, foldhash::fast::RandomState>,
    old: HashMap<Box<[u8]>, i64, foldhash::fast::RandomState>,
    /// Bytes of the young one.
    bytes: usize,
}

impl Again {
    pub(super) fn get(&mut self, body: &[u8]) -> Option<i64> {
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

    pub(super) fn insert(&mut self, body: &[u8], id: i64) {
        if body.len() <= AGAIN / 16 {
            self.add(body.into(), id);
        }
    }

    /// Forgets bodies (ascending).
    pub(super) fn forget(&mut self, ids: &[i64]) {
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
