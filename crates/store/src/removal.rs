//! Removing traces: which, how fast, and who did it.
//!
//! Traces go in small steps, each a few milliseconds on the writer thread, in group commits that come anyway; between
//! two steps the writer has several times as long for others, and longer while it is behind. Then a sweep empties
//! the bodies that nobody refers to any more (`blobs` says why that is exact). The room goes to what is recorded
//! next: the file does not shrink, and does not grow again before that room is used. A backup is written without
//! it.

use crate::insert::forget::made;
use crate::row::Slot;
use crate::spans;
use crate::store::Store;
use crate::{StoreError, TraceQuery, blobs};
use hanok_base::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long one step may hold the writer.
const STEP: Duration = Duration::from_millis(4);
/// Of its time the writer is left so many times what a step took.
const LEAVE: u32 = 4;
/// The least that lies between two steps: a group is gathered so long.
const BETWEEN: Duration = Duration::from_millis(25);
/// Traces that are looked up at once.
const PAGE: usize = 1000;
/// Loose bodies that are looked at in one sweep; also what the writer keeps in memory.
const SWEEP: i64 = 200_000;
/// Packs and rows that a sweep reads at once: some tens of milliseconds of a reader.
const PACKS: usize = 64;
const ROWS: i64 = 20_000;

/// Which traces are meant.
#[derive(Clone, Debug, PartialEq)]
pub enum Target {
    /// Those of a user, by the exact name.
    User(String),
    /// Those of a session, by the exact name, in every project.
    Session(String),
    /// Those that came from this source.
    Source(String),
    /// Those that a filter finds.
    Matching(Box<TraceQuery>),
}

/// Traces whose time is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Aged {
    /// Of this project.
    Of(String),
    /// Of none of these projects.
    Others(Vec<String>),
    /// Of anybody.
    All,
}

/// What was removed, or would be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Traces.
    pub traces: u64,
    /// Their spans.
    pub spans: u64,
    /// Kept responses.
    pub responses: u64,
}

/// A line of the audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditLine {
    /// Its number.
    pub seq: i64,
    /// When it began.
    pub at: Timestamp,
    /// Who did it.
    pub who: String,
    /// What was done.
    pub what: String,
    /// Which were meant; people only by hash.
    pub criterion: String,
    /// How many went.
    pub removed: Removed,
    /// When it ended; `None` where it did not come to its end.
    pub ended: Option<Timestamp>,
}

/// How large the file is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Size {
    /// Bytes of the file.
    pub file: u64,
    /// Bytes in it that hold something.
    pub used: u64,
    /// Bytes in it that wait to be used again.
    pub free: u64,
    /// Bytes of the write-ahead log.
    pub log: u64,
}

impl Store {
    /// Removing traces.
    pub fn removals(&self) -> Removals<'_> {
        Removals { store: self }
    }

    /// How large the file is.
    pub async fn size(&self) -> Result<Size, StoreError> {
        let log = self.folder().join("hanok.db-wal");
        self.read(move |conn| {
            let number = |pragma: &str| conn.query_row(pragma, [], |row| row.get::<_, u64>(0));
            let page = number("PRAGMA page_size")?;
            let (pages, free) = (number("PRAGMA page_count")?, number("PRAGMA freelist_count")?);
            // No log is an empty log.
            let log = std::fs::metadata(log).map_or(0, |found| found.len());
            Ok(Size { file: pages * page, used: pages.saturating_sub(free) * page, free: free * page, log })
        })
        .await
    }
}

/// Removing traces from a store.
#[derive(Clone, Copy)]
pub struct Removals<'a> {
    store: &'a Store,
}

impl Removals<'_> {
    /// The numbers of the traces that are meant, ascending; of this project only where one is given.
    pub async fn find(self, target: &Target, project: Option<Arc<str>>) -> Result<Vec<i64>, StoreError> {
        let mut seqs = match target {
            Target::Matching(query) => {
                let (mut seqs, mut before) = (Vec::new(), None);
                loop {
                    let traces = self.store.traces().of(project.clone());
                    let page = traces.list((**query).clone(), before, PAGE).await?;
                    seqs.extend(page.rows.iter().map(|row| row.seq));
                    before = page.next;
                    if before.is_none() {
                        break seqs;
                    }
                }
            }
            Target::User(name) => {
                self.labelled("user = (SELECT id FROM users WHERE name = ?1)", name).await?
            }
            Target::Session(name) => {
                self.labelled("session IN (SELECT id FROM sessions WHERE name = ?1)", name).await?
            }
            Target::Source(name) => {
                self.labelled("source = (SELECT id FROM names WHERE text = ?1)", name).await?
            }
        };
        seqs.sort_unstable();
        seqs.dedup();
        Ok(seqs)
    }

    async fn labelled(self, condition: &'static str, name: &str) -> Result<Vec<i64>, StoreError> {
        let name = name.to_owned();
        self.store
            .read(move |conn| {
                let sql = format!("SELECT seq FROM traces WHERE {condition} ORDER BY seq");
                let mut statement = conn.prepare_cached(&sql)?;
                let rows = statement.query_map([name], |row| row.get(0))?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// How many traces and spans these numbers are, with the traces that would go with them.
    pub async fn count(self, seqs: &[i64]) -> Result<Removed, StoreError> {
        let mut sum = Removed::default();
        let asked = seqs.to_vec();
        let seqs = self.store.read(move |conn| made::with_made(conn, &asked)).await?;
        for part in seqs.chunks(20_000) {
            let part = part.to_vec();
            let (traces, spans) = self
                .store
                .read(move |conn| {
                    let mut one = conn.prepare_cached("SELECT span_count FROM traces WHERE seq = ?1")?;
                    let (mut traces, mut spans) = (0_u64, 0_u64);
                    for seq in part {
                        if let Some(count) = one.query_row([seq], |row| row.get::<_, u64>(0)).optional()? {
                            (traces, spans) = (traces + 1, spans + count);
                        }
                    }
                    Ok((traces, spans))
                })
                .await?;
            sum.traces += traces;
            sum.spans += spans;
        }
        Ok(sum)
    }

    /// The ids of the keys these traces came with and no other trace.
    pub async fn keys_of_nobody_else(self, seqs: &[i64]) -> Result<Vec<String>, StoreError> {
        let seqs = seqs.to_vec();
        self.store
            .read(move |conn| {
                let mut one = conn.prepare_cached("SELECT key_id FROM traces WHERE seq = ?1")?;
                let mut counts = std::collections::HashMap::<i64, u64>::new();
                for seq in &seqs {
                    if let Some(key) = one.query_row([seq], |row| row.get(0)).optional()?.flatten() {
                        *counts.entry(key).or_default() += 1;
                    }
                }
                let mut keys = Vec::new();
                for (key, count) in counts {
                    let all: u64 = conn
                        .prepare_cached("SELECT count(*) FROM traces WHERE key_id = ?1")?
                        .query_row([key], |row| row.get(0))?;
                    if all == count {
                        let text = "SELECT text FROM names WHERE id = ?1";
                        keys.push(conn.prepare_cached(text)?.query_row([key], |row| row.get(0))?);
                    }
                }
                Ok(keys)
            })
            .await
    }

    /// Removes these traces (ascending), those that hold what they said, and what nobody else refers to. What was there of them is overwritten.
    pub async fn remove(self, seqs: &[i64]) -> Result<Removed, StoreError> {
        let _one_at_a_time = self.store.removing().await;
        let mut removed = self.forget(seqs, true).await?;
        removed.add(self.forget_made(true).await?);
        self.sweep(true).await?;
        Ok(removed)
    }

    /// Removes those that arrived before `cutoff`, oldest first, in small steps. The room they took is free after
    /// [`Removals::sweep_loose`].
    pub async fn expire(self, aged: &Aged, cutoff: Timestamp) -> Result<Removed, StoreError> {
        let _one_at_a_time = self.store.removing().await;
        let mut sum = Removed::default();
        let mut after = 0;
        loop {
            let page = self.aged(aged, cutoff, after, PAGE).await?;
            let Some(last) = page.last().copied() else { return Ok(sum) };
            after = last;
            sum.add(self.forget(&page, false).await?);
            sum.add(self.forget_made(false).await?);
            if self.store.loose().await? >= SWEEP {
                self.sweep(false).await?;
            }
        }
    }

    /// Removes the oldest traces of all until what the file holds is no larger than this, or nothing is left.
    pub async fn shrink(self, most: u64) -> Result<Removed, StoreError> {
        let _one_at_a_time = self.store.removing().await;
        let mut sum = Removed::default();
        loop {
            let size = self.store.size().await?;
            if size.used <= most {
                return Ok(sum);
            }
            // A little more than needed, so that this does not come again with every call.
            let over = size.used - most + most / 50;
            let counts = self.store.traces().counts().await?;
            let share = u128::from(counts.traces) * u128::from(over) / u128::from(size.used.max(1));
            let wanted = usize::try_from(share).unwrap_or(usize::MAX).clamp(100, 50_000);
            let oldest = self.aged(&Aged::All, Timestamp(i64::MAX), 0, wanted).await?;
            if oldest.is_empty() {
                return Ok(sum);
            }
            sum.add(self.forget(&oldest, false).await?);
            sum.add(self.forget_made(false).await?);
            self.sweep(false).await?;
        }
    }

    /// Empties the bodies that nobody refers to any more; how many.
    pub async fn sweep_loose(self) -> Result<u64, StoreError> {
        let _one_at_a_time = self.store.removing().await;
        self.sweep(false).await
    }

    /// The next traces whose time is over.
    async fn aged(
        self,
        aged: &Aged,
        cutoff: Timestamp,
        after: i64,
        limit: usize,
    ) -> Result<Vec<i64>, StoreError> {
        let aged = aged.clone();
        let cutoff_ms = cutoff.0.div_euclid(1_000_000);
        self.store
            .read(move |conn| {
                let (condition, names) = match &aged {
                    Aged::Of(project) => {
                        ("project = (SELECT id FROM names WHERE text = ?4)", project.clone())
                    }
                    Aged::Others(projects) => (
                        "(project IS NULL OR project NOT IN
                            (SELECT id FROM names WHERE text IN (SELECT value FROM json_each(?4))))",
                        serde_json::to_string(projects).unwrap_or_default(),
                    ),
                    Aged::All => ("?4 = ''", String::new()),
                };
                let sql = format!(
                    "SELECT seq FROM traces WHERE seq > ?1 AND seq < ?2 AND {condition}
                     ORDER BY seq LIMIT ?3"
                );
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                let end = first_after(conn, cutoff_ms)?;
                let mut statement = conn.prepare_cached(&sql)?;
                let rows = statement.query_map(params![after, end, limit, names], |row| row.get(0))?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }

    async fn forget(self, seqs: &[i64], thorough: bool) -> Result<Removed, StoreError> {
        let mut sum = Removed::default();
        let mut left = seqs;
        while !left.is_empty() {
            let part: Vec<i64> = left.iter().take(PAGE).copied().collect();
            let (gone, took) = self
                .store
                .write_by_and_by(move |tx, inserter| {
                    let began = Instant::now();
                    // What is deleted is overwritten where a person asked for it.
                    tx.pragma_update(None, "secure_delete", thorough)?;
                    let gone = inserter.forget(tx, &part, began + STEP)?;
                    Ok((gone, began.elapsed()))
                })
                .await?;
            sum.traces += gone.traces;
            sum.spans += gone.spans;
            left = left.get(gone.done..).unwrap_or_default();
            self.leave(took).await;
        }
        Ok(sum)
    }

    /// Removes the traces that hold what removed ones said, also those that a crash left.
    async fn forget_made(self, thorough: bool) -> Result<Removed, StoreError> {
        let mut sum = Removed::default();
        loop {
            let left = self.store.read(|conn| made::left(conn, PAGE)).await?;
            if left.is_empty() {
                return Ok(sum);
            }
            sum.add(self.forget(&left, thorough).await?);
        }
    }

    #[cfg(test)]
    pub(crate) async fn forget_without_sweep(self, seqs: &[i64]) -> Removed {
        self.forget(seqs, true).await.unwrap()
    }

    /// Leaves the writer to others.
    async fn leave(self, took: Duration) {
        tokio::time::sleep((took * LEAVE).max(BETWEEN)).await;
        // One whose calls wait already is left alone for a while longer.
        for _ in 0..20 {
            if !self.store.is_behind() {
                return;
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }

    async fn sweep(self, thorough: bool) -> Result<u64, StoreError> {
        let mut emptied = 0;
        loop {
            let loose = self
                .store
                .read(|conn| {
                    let mut statement =
                        conn.prepare_cached("SELECT body FROM loose_bodies ORDER BY body LIMIT ?1")?;
                    let rows = statement.query_map([SWEEP], |row| row.get(0))?;
                    Ok(rows.collect::<Result<Vec<i64>, _>>()?)
                })
                .await?;
            if loose.is_empty() {
                return Ok(emptied);
            }
            let (alive, dead) = self.sort(loose).await?;
            emptied += dead.len() as u64;
            let (mut alive, mut left) = (Some(alive), dead.as_slice());
            while alive.is_some() || !left.is_empty() {
                let fasten = alive.take().unwrap_or_default();
                let part: Vec<i64> = left.iter().take(PAGE * 8).copied().collect();
                let (done, took) = self
                    .store
                    .write_by_and_by(move |tx, inserter| {
                        let began = Instant::now();
                        tx.pragma_update(None, "secure_delete", thorough)?;
                        let done = inserter.sweep(tx, &fasten, &part, began + STEP)?;
                        Ok((done, began.elapsed()))
                    })
                    .await?;
                left = left.get(done..).unwrap_or_default();
                self.leave(took).await;
            }
        }
    }

    /// Those that some trace refers to, and those that none does. What comes meanwhile refers to none of them.
    async fn sort(self, loose: Vec<i64>) -> Result<(Vec<i64>, Vec<i64>), StoreError> {
        let mut seen = Seen { alive: vec![false; loose.len()], loose };
        let mut after = i64::MIN;
        loop {
            let (next, back) = self
                .store
                .read(move |conn| {
                    let next = spans::bodies_of_packs(conn, after, PACKS, |body| seen.note(body))?;
                    Ok((next, seen))
                })
                .await?;
            seen = back;
            match next {
                Some(next) => after = next,
                None => break,
            }
        }
        let mut after = i64::MIN;
        loop {
            let (next, back) =
                self.store.read(move |conn| Ok((rows(conn, after, |body| seen.note(body))?, seen))).await?;
            seen = back;
            match next {
                Some(next) => after = next,
                None => break,
            }
        }
        let mut alive = seen.alive.iter();
        Ok(seen.loose.iter().partition(|_| alive.next().is_some_and(|alive| *alive)))
    }

    /// Begins a line of the audit; its number. It is on the disk when this returns.
    pub async fn begin(self, who: &str, what: &str, criterion: &str) -> Result<i64, StoreError> {
        let (who, what, criterion) = (who.to_owned(), what.to_owned(), criterion.to_owned());
        self.store
            .write_synced(move |tx| {
                tx.prepare_cached("INSERT INTO audit (at_ns, who, what, criterion) VALUES (?1, ?2, ?3, ?4)")?
                    .execute(params![Timestamp::now().0, who, what, criterion])?;
                Ok(tx.last_insert_rowid())
            })
            .await
    }

    /// Ends it.
    pub async fn end(self, line: i64, removed: Removed) -> Result<(), StoreError> {
        self.store
            .write_synced(move |tx| {
                tx.prepare_cached(
                    "UPDATE audit SET traces = ?2, spans = ?3, responses = ?4, ended_ns = ?5 WHERE seq = ?1",
                )?
                .execute(params![
                    line,
                    removed.traces,
                    removed.spans,
                    removed.responses,
                    Timestamp::now().0
                ])?;
                Ok(())
            })
            .await
    }

    /// The newest lines of the audit, newest first.
    pub async fn audit(self, limit: usize) -> Result<Vec<AuditLine>, StoreError> {
        self.store
            .read(move |conn| {
                let mut statement = conn.prepare_cached(
                    "SELECT seq, at_ns, who, what, criterion, traces, spans, responses, ended_ns
                     FROM audit ORDER BY seq DESC LIMIT ?1",
                )?;
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                let rows = statement.query_map([limit], line)?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }
}

impl Store {
    /// How many bodies are loose.
    async fn loose(&self) -> Result<i64, StoreError> {
        self.read(|conn| Ok(conn.query_row("SELECT count(*) FROM loose_bodies", [], |row| row.get(0))?)).await
    }
}

impl Removed {
    /// Adds another one.
    pub fn add(&mut self, more: Self) {
        self.traces += more.traces;
        self.spans += more.spans;
        self.responses += more.responses;
    }
}

/// Loose bodies, and which of them are referred to.
struct Seen {
    loose: Vec<i64>,
    alive: Vec<bool>,
}

impl Seen {
    fn note(&mut self, body: i64) {
        if let Ok(at) = self.loose.binary_search(&body)
            && let Some(alive) = self.alive.get_mut(at)
        {
            *alive = true;
        }
    }
}

/// Goes through the bodies that spans in rows refer to; the last row, where there may be more.
fn rows(conn: &Connection, after: i64, mut each: impl FnMut(i64)) -> Result<Option<i64>, StoreError> {
    let mut statement =
        conn.prepare_cached("SELECT id, bodies FROM spans WHERE id > ?1 ORDER BY id LIMIT ?2")?;
    let mut rows = statement.query([after, ROWS])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let id: i64 = row.get(0)?;
        let references = row.get_ref(1)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
        let references: Vec<(Slot, i64)> = blobs::unpack(references.unwrap_or_default())
            .ok_or_else(|| StoreError::Damaged(format!("span row {id}")))?;
        for (_, body) in references {
            each(body);
        }
        last = Some(id);
    }
    Ok(last)
}

/// The first trace that arrived at `ms` or later; times of arrival never decrease.
fn first_after(conn: &Connection, ms: i64) -> Result<i64, StoreError> {
    let range: Option<(i64, i64)> = conn
        .prepare_cached("SELECT min(seq), max(seq) FROM traces")?
        .query_row([], |row| Ok(row.get::<_, Option<i64>>(0)?.zip(row.get(1)?)))?;
    let Some((oldest, newest)) = range else { return Ok(i64::MAX) };
    crate::traces::arrived_since(conn, oldest, newest, ms)
}

fn line(row: &Row<'_>) -> rusqlite::Result<AuditLine> {
    Ok(AuditLine {
        seq: row.get(0)?,
        at: Timestamp(row.get(1)?),
        who: row.get(2)?,
        what: row.get(3)?,
        criterion: row.get(4)?,
        removed: Removed { traces: row.get(5)?, spans: row.get(6)?, responses: row.get(7)? },
        ended: row.get::<_, Option<i64>>(8)?.map(Timestamp),
    })
}
