//! Traces out of the file, for good. This is the one place that removes them: what is kept of a trace in any table
//! is removed here, in one transaction, its row last. [`made`] knows what was made of it: rows, answers, other traces.
//!
//! The sums by minute stay: they hold nothing of anybody, and what was spent stays spent. `forgotten` says how much
//! of what they count is there no longer.

pub(crate) mod made;

use super::{Inserter, first_span};
use crate::blobs;
use crate::error::StoreError;
use crate::messages;
use crate::spans;
use rusqlite::{OptionalExtension, Transaction, params};
use std::collections::HashSet;
use std::time::Instant;

/// Rows of spans that are deleted between two looks at the clock.
const ROWS: i64 = 200;
/// Traces of one step.
const TRACES: usize = 256;

/// What one step did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Forgotten {
    /// How many of the traces asked for are done, from the first on.
    pub(crate) done: usize,
    /// How many of them were there.
    pub(crate) traces: u64,
    /// Their spans.
    pub(crate) spans: u64,
}

impl Inserter {
    /// Removes committed traces (ascending) until then, but something at least. Their bodies become loose.
    pub(crate) fn forget(
        &mut self,
        tx: &Transaction<'_>,
        seqs: &[i64],
        until: Instant,
    ) -> Result<Forgotten, StoreError> {
        let mut gone = Forgotten::default();
        let mut loose = Vec::new();
        let mut labels = Labels::default();
        self.families.clear();
        while let Some(seq) = seqs.get(gone.done) {
            if gone.done > 0 && Instant::now() >= until {
                break;
            }
            let end = spans::end_of_pack(tx, *seq)?;
            let rest = seqs.get(gone.done..).unwrap_or_default();
            let of_pack = rest.iter().take(TRACES).take_while(|seq| **seq < end).count();
            let mut whole = 0;
            for seq in rest.get(..of_pack).unwrap_or_default() {
                if !rows(tx, *seq, until, &mut loose)? {
                    break;
                }
                whole += 1;
            }
            let now = rest.get(..whole).unwrap_or_default();
            spans::take_out(tx, &mut self.zstd, now, &mut loose)?;
            for seq in now {
                if let Some(spans) = labels.forget(tx, *seq)? {
                    gone.traces += 1;
                    gone.spans += spans;
                }
            }
            self.facts.forget(tx, now)?;
            messages::forget(tx, now)?;
            gone.done += whole;
            if whole < of_pack {
                break;
            }
        }
        labels.finish(tx)?;
        loose.sort_unstable();
        loose.dedup();
        self.blobs.loosen(tx, &loose)?;
        let last = gone.done.checked_sub(1).and_then(|last| seqs.get(last)).copied().unwrap_or(0);
        tx.prepare_cached(
            "UPDATE forgotten SET last_seq = max(last_seq, ?1), traces = traces + ?2, spans = spans + ?3",
        )?
        .execute(params![last, gone.traces, gone.spans])?;
        Ok(gone)
    }

    /// Settles what became of loose bodies (ascending): these are referred to after all, those are emptied until
    /// then; how many of those are done.
    pub(crate) fn sweep(
        &mut self,
        tx: &Transaction<'_>,
        alive: &[i64],
        dead: &[i64],
        until: Instant,
    ) -> Result<usize, StoreError> {
        self.blobs.fasten(tx, alive)?;
        Ok(self.blobs.empty(tx, &mut self.zstd, dead, until)?)
    }
}

/// Deletes the spans of a trace that are rows; `false` when that was not finished in time.
fn rows(tx: &Transaction<'_>, seq: i64, until: Instant, loose: &mut Vec<i64>) -> Result<bool, StoreError> {
    let (first, last) = (first_span(seq), first_span(seq + 1) - 1);
    loop {
        let mut deleted = 0;
        let mut delete = tx.prepare_cached(
            "DELETE FROM spans WHERE id IN (SELECT id FROM spans WHERE id BETWEEN ?1 AND ?2 LIMIT ?3)
             RETURNING bodies",
        )?;
        let mut found = delete.query([first, last, ROWS])?;
        while let Some(row) = found.next()? {
            deleted += 1;
            let references = row.get_ref(0)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
            let references = blobs::unpack(references.unwrap_or_default())
                .ok_or_else(|| StoreError::Damaged(format!("a span of trace {seq}")))?;
            loose.extend(references.into_iter().map(|(_, id)| id));
        }
        if deleted < ROWS {
            return Ok(true);
        }
        if Instant::now() >= until {
            return Ok(false);
        }
    }
}

/// Sessions and users whose traces were removed: they go with the last of them.
#[derive(Default)]
struct Labels {
    sessions: HashSet<i64>,
    users: HashSet<i64>,
}

impl Labels {
    /// Removes a trace's row and what belongs to it; its spans, where it was there.
    fn forget(&mut self, tx: &Transaction<'_>, seq: i64) -> Result<Option<u64>, StoreError> {
        type Row = (u64, Vec<u8>, Option<i64>, Option<i64>, Option<String>);
        let found: Option<Row> = tx
            .prepare_cached(
                "DELETE FROM traces WHERE seq = ?1
                 RETURNING span_count, trace_id, session, user, tags",
            )?
            .query_row([seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))
            .optional()?;
        let Some((spans, trace_id, session, user, tags)) = found else { return Ok(None) };
        if let Some(tags) = tags {
            tx.prepare_cached(
                "DELETE FROM tags WHERE seq = ?1
                    AND tag IN (SELECT id FROM names WHERE text IN (SELECT value FROM json_each(?2)))",
            )?
            .execute(params![seq, tags])?;
        }
        tx.prepare_cached("DELETE FROM scores WHERE trace_id = ?1")?.execute([&trace_id])?;
        made::forget(tx, &trace_id)?;
        self.sessions.extend(session);
        self.users.extend(user);
        Ok(Some(spans))
    }

    fn finish(self, tx: &Transaction<'_>) -> Result<(), StoreError> {
        for session in self.sessions {
            let gone: Option<(i64, String)> = tx
                .prepare_cached(
                    "DELETE FROM sessions WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM traces WHERE session = ?1)
                     RETURNING project, name",
                )?
                .query_row([session], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            if let Some((project, name)) = gone {
                tx.prepare_cached("DELETE FROM scores WHERE session = ?1 AND project = ?2")?
                    .execute(params![name, project])?;
            }
        }
        for user in self.users {
            tx.prepare_cached(
                "DELETE FROM users WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM traces WHERE user = ?1)",
            )?
            .execute([user])?;
        }
        Ok(())
    }
}
