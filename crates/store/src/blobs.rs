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
//!
//! Reading order: this (the writer's side), `recent` (what it knows of), `read`, `references` (a trace's to its bodies).

mod read;
mod recent;
mod references;

pub(crate) use read::{Reader, verify};
pub(crate) use references::{pack, unpack};

use crate::fact_columns::zigzag;
use crate::packing::{Zstd, unpacked};
use crate::varint::{pop_varint, push_varint};
use recent::{Again, Key, Recent};
use rusqlite::{Connection, OptionalExtension, Result, Transaction, params};
use std::collections::HashSet;
use std::time::Instant;

/// A pack is closed once it holds so many bytes.
const PACK: usize = 128 << 10;
/// A larger body gets a pack of its own, so that its small neighbours stay quick to read.
const ALONE: usize = 16 << 10;
const HASH: usize = 16;

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
