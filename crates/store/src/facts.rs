//! Facts: what each counted call was, apart from its span, so that sums and percentiles over any of them read a
//! few bytes a call. Written in the transaction that stores the span.
//!
//! New facts are a row of `fact_tails` a commit, one fact after another: the trace's `seq` (LEB128), milliseconds
//! since the epoch (zigzag), which ids and counts there are, a bit each, whether it is taken back, and whether there
//! are tags (LEB128), then those ids and counts (LEB128), then the number of tags and each tag (LEB128). As soon as
//! there are [`SEGMENT`] facts they become a segment of columns (`fact_columns`).
//!
//! What is no longer so (a call that turns out to be made of others; a trace whose user comes later) is taken back:
//! the same fact again, with a weight of -1.
//!
//! Reading order: `fact` (one of them), `calls` (those of a trace), the writer's side (here), `segments` (where they
//! are in the file).

mod calls;
mod fact;
mod segments;

use crate::error::StoreError;
use crate::names::Names;
use crate::packing::Zstd;
use crate::row::SpanRow;
use crate::spans;
use calls::calls;
pub(crate) use calls::{Common, of_trace};
pub(crate) use fact::{Count, Fact, Id};
use rusqlite::{Connection, OptionalExtension, Result, Transaction, params};
pub(crate) use segments::{MOST, bad_column, read_column, tails};
use segments::{cancelled, without, without_tails, write_segment};

/// Facts of a segment.
pub(crate) const SEGMENT: usize = if cfg!(test) { 64 } else { 16_384 };

/// What changed of the spans that were there of a trace.
pub(crate) struct Changed<'a> {
    /// How many there were.
    pub(crate) there: usize,
    /// Those that are no longer counted, by number, ascending.
    pub(crate) taken: &'a [usize],
}

/// The writer's side.
pub(crate) struct Facts {
    /// Those of the open transaction.
    open: Vec<u8>,
    opened: usize,
    /// Facts in rows of `fact_tails`, and how many there were after the last commit.
    tails: usize,
    committed_tails: usize,
    /// The traces that have no facts yet, the first and the last of them.
    unfilled: Option<(i64, i64)>,
    committed_unfilled: Option<(i64, i64)>,
    /// Whether there may be rows in `fact_gone`.
    gone: bool,
    tidying: Option<Tidying>,
}

/// Facts of removed traces are being taken out of the segments.
struct Tidying {
    /// The traces, ascending.
    gone: Vec<i64>,
    /// The segments that may hold some, still to be looked at.
    segments: Vec<(i64, usize)>,
}

/// Traces whose facts are taken out in one go.
const TIDY: i64 = 200_000;
/// Of those, so many leave `fact_gone` in one step.
const DONE: usize = 5_000;

impl Facts {
    pub(crate) fn new(conn: &Connection) -> Result<Self> {
        let tails = conn.query_row("SELECT coalesce(sum(facts), 0) FROM fact_tails", [], |row| row.get(0))?;
        let unfilled = conn
            .query_row("SELECT next, last FROM fact_fill", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(Self {
            open: Vec::new(),
            opened: 0,
            tails,
            committed_tails: tails,
            unfilled,
            committed_unfilled: unfilled,
            gone: conn.query_row("SELECT EXISTS (SELECT 1 FROM fact_gone)", [], |row| row.get(0))?,
            tidying: None,
        })
    }

    /// Adds a fact.
    pub(crate) fn put(&mut self, fact: &Fact) {
        fact.push(&mut self.open);
        self.opened += 1;
    }

    /// Takes a fact back that was added, now or long ago.
    pub(crate) fn take_back(&mut self, fact: &Fact) {
        self.put(&Fact { taken_back: true, ..fact.clone() });
    }

    /// Adds the facts of these calls.
    pub(crate) fn put_calls<'a>(
        &mut self,
        tx: &Transaction<'_>,
        names: &mut Names,
        common: &Common,
        calls: impl Iterator<Item = &'a SpanRow>,
    ) -> Result<()> {
        for span in calls {
            let fact = common.call(tx, names, span)?;
            self.put(&fact);
        }
        Ok(())
    }

    /// What the facts of a trace have in common before it changes, for [`Facts::changed`]; `None` where it has none
    /// yet and will get them all at once.
    pub(crate) fn before(&self, tx: &Transaction<'_>, names: &mut Names, seq: i64) -> Result<Option<Common>> {
        if self.unfilled.is_some_and(|(next, last)| (next..=last).contains(&seq)) {
            return Ok(None);
        }
        Common::read(tx, names, seq)
    }

    /// Takes back what is no longer so of a trace, and adds what is new: the calls that came.
    pub(crate) fn changed<'a>(
        &mut self,
        tx: &Transaction<'_>,
        names: &mut Names,
        before: &Common,
        Changed { there, taken }: Changed<'_>,
        new: impl Iterator<Item = &'a SpanRow>,
    ) -> Result<(), StoreError> {
        let Some(now) = Common::read(tx, names, before.seq())? else { return Ok(()) };
        let mut packs = spans::Reader::default();
        let was_taken = |number: usize| taken.binary_search(&number).is_ok();
        if now != *before {
            let was_counted = |number, counted| counted || was_taken(number);
            let all = calls(tx, names, &mut packs, before, there, was_counted)?;
            for fact in &all {
                self.take_back(fact);
            }
            let all = calls(tx, names, &mut packs, &now, there, |_, counted| counted)?;
            for fact in &all {
                self.put(fact);
            }
        } else if !taken.is_empty() {
            let all = calls(tx, names, &mut packs, before, there, |number, _| was_taken(number))?;
            for fact in &all {
                self.take_back(fact);
            }
        }
        Ok(self.put_calls(tx, names, &now, new)?)
    }

    /// Traces that have no facts yet.
    pub(crate) fn unfilled(&self) -> Option<(i64, i64)> {
        self.unfilled
    }

    /// The traces before `next` have their facts now.
    pub(crate) fn filled(&mut self, tx: &Transaction<'_>, next: i64) -> Result<()> {
        self.unfilled = self.unfilled.map(|(_, last)| (next, last)).filter(|(next, last)| next <= last);
        match self.unfilled {
            Some((next, _)) => tx.prepare_cached("UPDATE fact_fill SET next = ?1")?.execute([next])?,
            None => tx.prepare_cached("DELETE FROM fact_fill")?.execute([])?,
        };
        Ok(())
    }

    /// The facts of these traces count no longer. They leave the file by and by ([`Facts::tidy`]).
    pub(crate) fn forget(&mut self, tx: &Transaction<'_>, seqs: &[i64]) -> Result<()> {
        let mut insert = tx.prepare_cached("INSERT OR IGNORE INTO fact_gone (seq) VALUES (?1)")?;
        for seq in seqs {
            insert.execute([seq])?;
        }
        self.gone = true;
        Ok(())
    }

    /// Whether there is something to fill or to tidy.
    pub(crate) fn has_chores(&self) -> bool {
        self.gone || self.unfilled.is_some()
    }

    /// Whether there is something to tidy.
    pub(crate) fn is_untidy(&self) -> bool {
        self.gone
    }

    /// Takes facts of removed traces out of one segment, in some 10 ms.
    pub(crate) fn tidy(&mut self, tx: &Transaction<'_>, zstd: &mut Zstd) -> Result<(), StoreError> {
        // What fails begins again; what was done is not there to be done again.
        let Some(mut tidying) = self.tidying.take() else {
            let gone: Vec<i64> = tx
                .prepare_cached("SELECT seq FROM fact_gone ORDER BY seq LIMIT ?1")?
                .query_map([TIDY], |row| row.get(0))?
                .collect::<Result<_>>()?;
            let (Some(first), Some(last)) = (gone.first(), gone.last()) else {
                self.gone = false;
                return Ok(());
            };
            let segments = tx
                .prepare_cached(
                    "SELECT id, facts FROM fact_segments WHERE first_seq <= ?2 AND last_seq >= ?1",
                )?
                .query_map([first, last], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_>>()?;
            self.tails = without_tails(tx, &gone)?;
            self.tidying = Some(Tidying { gone, segments });
            return Ok(());
        };
        if let Some((segment, count)) = tidying.segments.pop() {
            without(tx, zstd, (segment, count), &tidying.gone)?;
        } else {
            let mut delete = tx.prepare_cached("DELETE FROM fact_gone WHERE seq = ?1")?;
            for seq in tidying.gone.drain(tidying.gone.len().saturating_sub(DONE)..) {
                delete.execute([seq])?;
            }
        }
        self.tidying = Some(tidying).filter(|tidying| !tidying.gone.is_empty());
        Ok(())
    }

    /// At the end of a transaction, before its commit.
    pub(crate) fn finish(&mut self, tx: &Transaction<'_>, zstd: &mut Zstd) -> Result<()> {
        if self.opened == 0 {
            return Ok(());
        }
        tx.prepare_cached("INSERT INTO fact_tails (facts, body) VALUES (?1, ?2)")?
            .execute(params![self.opened, self.open])?;
        self.tails += self.opened;
        self.open.clear();
        self.open.shrink_to(128 << 10);
        self.opened = 0;
        if self.tails >= SEGMENT {
            let facts = cancelled(tails(tx)?);
            tx.execute("DELETE FROM fact_tails", [])?;
            for facts in facts.chunks(2 * SEGMENT) {
                write_segment(tx, zstd, facts)?;
            }
            self.tails = 0;
        }
        Ok(())
    }

    pub(crate) fn committed(&mut self) {
        self.committed_tails = self.tails;
        self.committed_unfilled = self.unfilled;
    }

    pub(crate) fn rolled_back(&mut self) {
        self.open.clear();
        self.opened = 0;
        self.tails = self.committed_tails;
        self.unfilled = self.committed_unfilled;
        self.tidying = None;
    }
}
