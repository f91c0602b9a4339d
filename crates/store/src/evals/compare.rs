//! Two experiments beside each other, row by row.

use super::Evals;
use super::results::score_path;
use crate::StoreError;
use hanok_base::{NanoDollars, TraceId};
use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};

/// A row that both experiments tried, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ComparedRow {
    /// The row.
    pub row: i64,
    /// Which time, from 0.
    pub repeat: u32,
    /// The sample, as JSON.
    pub sample: String,
    /// The score in the first experiment, yes as 1; `None` where it has no number there.
    pub before: Option<f64>,
    /// The score in the second.
    pub after: Option<f64>,
    /// The output of the first, as JSON.
    pub output_before: Option<String>,
    /// The output of the second, as JSON.
    pub output_after: Option<String>,
    /// Why the task failed in the first.
    pub error_before: Option<String>,
    /// Why the task failed in the second.
    pub error_after: Option<String>,
    /// All scores in the first, a JSON object by name.
    pub scores_before: String,
    /// All scores in the second.
    pub scores_after: String,
    /// The work in the first: its trace, how long it took and what it cost.
    #[serde(default)]
    pub work_before: Work,
    /// The work in the second.
    #[serde(default)]
    pub work_after: Work,
}

/// What making an answer took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Work {
    /// Its trace.
    pub trace: Option<TraceId>,
    /// How long it took, in nanoseconds.
    pub latency_ns: Option<i64>,
    /// What it cost, whoever paid; `None` where no price is known.
    pub cost: Option<NanoDollars>,
}

/// A page of compared rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ComparedPage {
    /// Regressions first, the worst of them at the top, then those that lost their number; then those that got better,
    /// then rows that have no number in the first, then the others.
    pub rows: Vec<ComparedRow>,
    /// How many rows both have.
    pub total: u64,
    /// Of these, regressions: they stand first.
    #[serde(default)]
    pub worse: u64,
    /// Of these, those that got better: they stand next.
    #[serde(default)]
    pub better: u64,
}

/// The rows that both have, and what became of each by the score at the path `?3`; `?4` is -1 where less is better.
const PAIRS: &str = "WITH pairs AS MATERIALIZED (
        SELECT a.row_id, a.repeat, json_extract(a.scores, ?3) AS before, json_extract(b.scores, ?3) AS after
        FROM eval_results a JOIN eval_results b
            ON b.experiment_id = ?2 AND b.row_id = a.row_id AND b.repeat = a.repeat
        WHERE a.experiment_id = ?1),
     kinds AS (
        SELECT *, (after - before) * ?4 AS gain, CASE WHEN before IS NOT NULL AND after IS NULL THEN 1
            WHEN (after - before) * ?4 < 0 THEN 0 WHEN (after - before) * ?4 > 0 THEN 2
            WHEN after IS NULL OR before IS NULL THEN 3 ELSE 4 END AS kind
        FROM pairs)";

impl Evals<'_> {
    /// What two experiments made of the same rows by the score of this name: at most `limit` rows, regressions first,
    /// from the one at place `offset` on. Rows are the same where their whole content is.
    pub async fn compare(
        self,
        first: i64,
        second: i64,
        score: &str,
        offset: usize,
        limit: usize,
    ) -> Result<ComparedPage, StoreError> {
        self.compare_by(first, second, score, false, offset, limit).await
    }

    /// The same; where `less_is_better`, a row got worse whose score rose.
    pub async fn compare_by(
        self,
        first: i64,
        second: i64,
        score: &str,
        less_is_better: bool,
        offset: usize,
        limit: usize,
    ) -> Result<ComparedPage, StoreError> {
        let sign = if less_is_better { -1 } else { 1 };
        let path = score_path(score);
        let [limit, offset] = [limit, offset].map(|count| i64::try_from(count).unwrap_or(i64::MAX));
        self.store
            .read(move |conn| {
                let mut select = conn.prepare_cached(&format!(
                    "{PAIRS}, page AS MATERIALIZED (
                        SELECT * FROM kinds ORDER BY kind, gain, row_id, repeat LIMIT ?5 OFFSET ?6)
                     SELECT p.row_id, p.repeat, r.body, p.before, p.after, x.output, y.output, a.error, b.error,
                        a.scores, b.scores, x.trace_id, x.latency_ns, x.cost, y.trace_id, y.latency_ns, y.cost
                     FROM page p
                     JOIN eval_results a ON a.experiment_id = ?1 AND a.row_id = p.row_id AND a.repeat = p.repeat
                     JOIN eval_results b ON b.experiment_id = ?2 AND b.row_id = p.row_id AND b.repeat = p.repeat
                     JOIN dataset_rows r ON r.id = p.row_id
                     LEFT JOIN eval_answers x ON x.id = a.answer_id
                     LEFT JOIN eval_answers y ON y.id = b.answer_id
                     ORDER BY p.kind, p.gain, p.row_id, p.repeat"
                ))?;
                let rows = select
                    .query_map(params![first, second, path, sign, limit, offset], compared)?
                    .collect::<Result<_, _>>()?;
                let mut count = conn.prepare_cached(&format!(
                    "{PAIRS} SELECT count(*), count(*) FILTER (WHERE kind < 2), count(*) FILTER (WHERE kind = 2) FROM kinds"
                ))?;
                let (total, worse, better) = count.query_row(params![first, second, path, sign], |row| {
                    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
                })?;
                Ok(ComparedPage { rows, total, worse, better })
            })
            .await
    }
}

fn compared(row: &Row<'_>) -> rusqlite::Result<ComparedRow> {
    Ok(ComparedRow {
        row: row.get(0)?,
        repeat: row.get(1)?,
        sample: row.get(2)?,
        before: number(row, 3)?,
        after: number(row, 4)?,
        output_before: row.get(5)?,
        output_after: row.get(6)?,
        error_before: row.get(7)?,
        error_after: row.get(8)?,
        scores_before: row.get(9)?,
        scores_after: row.get(10)?,
        work_before: work(row, 11)?,
        work_after: work(row, 14)?,
    })
}

fn work(row: &Row<'_>, at: usize) -> rusqlite::Result<Work> {
    Ok(Work {
        trace: row.get::<_, Option<[u8; 16]>>(at)?.map(TraceId::from_bytes),
        latency_ns: row.get(at + 1)?,
        cost: row.get::<_, Option<i64>>(at + 2)?.map(NanoDollars),
    })
}

/// A number, however SQLite's JSON gives it; a word is none.
fn number(row: &Row<'_>, at: usize) -> rusqlite::Result<Option<f64>> {
    use rusqlite::types::ValueRef;
    Ok(match row.get_ref(at)? {
        #[expect(clippy::cast_precision_loss, reason = "scores are small")]
        ValueRef::Integer(number) => Some(number as f64),
        ValueRef::Real(number) => Some(number),
        _ => None,
    })
}
