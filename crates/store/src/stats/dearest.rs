//! The traces whose calls cost most.
//!
//! Found by the facts, which say what each call cost: an order of all traces by cost would be one more index on the
//! disk, and a filter would still go through it one by one.

use super::filter::Filter;
use super::part;
use crate::StoreError;
use crate::facts::Count;
use crate::query::TraceQuery;
use crate::row::TraceRow;
use crate::traces::{Traces, read_rows, row_sql};
use hanok_base::NanoDollars;
use rusqlite::Connection;
use rusqlite::types::Value as Sql;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};

/// Most traces of one answer.
const MOST: usize = 1_000;

/// A trace and what those of its calls cost that were asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Dear {
    /// The trace; its own cost is that of all its calls.
    pub trace: TraceRow,
    /// What the calls that pass the filter cost.
    pub cost: NanoDollars,
}

impl Traces<'_> {
    /// The traces whose calls that pass the filter cost most, dearest first, at most `limit` (1,000 at most); of
    /// traces that cost the same, the newer first. Those whose calls cost nothing or have no price are left out.
    pub async fn dearest(&self, query: TraceQuery, limit: usize) -> Result<Vec<Dear>, StoreError> {
        let project = self.project();
        self.store().read(move |conn| dearest(conn, project.as_deref(), &query, limit.min(MOST))).await
    }
}

fn dearest(
    conn: &Connection,
    project: Option<&str>,
    query: &TraceQuery,
    limit: usize,
) -> Result<Vec<Dear>, StoreError> {
    let filter = Filter::new(conn, project, query)?;
    let parts = part::all(conn, filter.first_ms, filter.end_ms)?;
    // The first trace that any part behind each has calls of.
    let mut behind = i64::MAX;
    let mut firsts: Vec<i64> = Vec::with_capacity(parts.len());
    for part in parts.iter().rev() {
        firsts.push(behind);
        behind = behind.min(part.first_seq);
    }
    let mut sums: HashMap<i64, i64, foldhash::fast::RandomState> = HashMap::default();
    let mut best = BinaryHeap::new();
    for (part, behind) in parts.iter().zip(firsts.into_iter().rev()) {
        let rows = filter.rows(conn, part)?;
        if !rows.is_empty() {
            let (seqs, costs) =
                (part.numbers(conn, part::SEQ)?, part.numbers(conn, part::count(Count::Cost))?);
            for row in rows {
                let at = row.at as usize;
                let cost = costs.get(at).and_then(|cost| cost.checked_sub(1)).unwrap_or(0);
                if let Some(seq) = seqs.get(at).filter(|_| cost > 0) {
                    let sum = sums.entry(seq.cast_signed()).or_default();
                    *sum = sum.saturating_add(cost.cast_signed().saturating_mul(i64::from(row.weight)));
                }
            }
        }
        // What is complete need not be kept: memory does not grow with the number of traces.
        sums.retain(|seq, sum| {
            let complete = *seq < behind;
            if complete && *sum > 0 {
                best.push(Reverse((*sum, *seq)));
                if best.len() > limit {
                    best.pop();
                }
            }
            !complete
        });
    }
    let sql = row_sql("traces AS t", "WHERE t.seq = ?1");
    let mut found = Vec::with_capacity(best.len());
    for Reverse((cost, seq)) in best.into_sorted_vec() {
        let trace = read_rows(conn, &sql, vec![Sql::Integer(seq)])?.pop();
        found.extend(trace.map(|trace| Dear { trace, cost: NanoDollars(cost) }));
    }
    Ok(found)
}
