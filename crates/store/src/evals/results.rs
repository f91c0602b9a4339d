//! What came of an experiment, row by row.

use super::Evals;
use crate::StoreError;
use hanok_base::{NanoDollars, TraceId};
use rusqlite::{Row, params};
use serde::{Deserialize, Serialize};

/// The result of one row and repeat, as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultRow {
    /// The row.
    pub row: i64,
    /// Which time, from 0.
    pub repeat: u32,
    /// The sample, as JSON.
    pub sample: String,
    /// The output, as JSON; `None` where the task failed.
    pub output: Option<String>,
    /// Why the task failed.
    pub error: Option<String>,
    /// Whether the answer was known before.
    pub cached: bool,
    /// What the answer cost whoever paid for it; `None` where no price is known.
    pub answer_cost: Option<NanoDollars>,
    /// What this experiment paid for it.
    pub cost: NanoDollars,
    /// What this experiment paid for the scores.
    pub scoring_cost: NanoDollars,
    /// How long the answer took, in nanoseconds.
    pub latency_ns: Option<i64>,
    /// The trace of the work.
    pub trace: Option<TraceId>,
    /// The trace of what scorers called.
    pub scoring_trace: Option<TraceId>,
    /// A JSON object by name.
    pub scores: String,
}

/// A page of results.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResultPage {
    /// In the order of the dataset, all repeats of a row together.
    pub rows: Vec<ResultRow>,
    /// Where to go on; `None` at the end.
    pub next: Option<(i64, u32)>,
}

/// Which results are wanted.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ResultFilter {
    /// All.
    #[default]
    All,
    /// Those without an output.
    Failed,
    /// Those where the score of this name is no, or less than half.
    Low(String),
    /// Those where the score of this name has no value.
    Uncovered(String),
    /// Those whose sample, output or scores hold this text, ASCII case aside.
    Text(String),
}

/// What statistics need of a result.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// The row.
    pub row: i64,
    /// What the row belongs to.
    pub cluster: Option<String>,
    /// Which time, from 0.
    pub repeat: u32,
    /// Whether the task failed.
    pub failed: bool,
    /// Whether the answer was known before.
    pub cached: bool,
    /// What the answer cost whoever paid for it; `None` where no price is known.
    pub answer_cost: Option<NanoDollars>,
    /// How long the answer took, in nanoseconds.
    pub latency_ns: Option<i64>,
    /// A JSON object by name.
    pub scores: String,
}

impl Evals<'_> {
    /// A page of at most `limit` results after the one at `after`.
    pub async fn results(
        self,
        experiment: i64,
        filter: ResultFilter,
        after: Option<(i64, u32)>,
        limit: usize,
    ) -> Result<ResultPage, StoreError> {
        let (row, repeat) = after.map_or((i64::MIN, 0), |(row, repeat)| (row, repeat));
        self.store
            .read(move |conn| {
                let (clause, value) = match &filter {
                    ResultFilter::All => ("?4 IS NOT NULL", String::new()),
                    ResultFilter::Failed => ("?4 IS NOT NULL AND e.error IS NOT NULL", String::new()),
                    ResultFilter::Low(name) => ("json_extract(e.scores, ?4) < 0.5", score_path(name)),
                    ResultFilter::Uncovered(name) => {
                        ("json_extract(e.scores, ?4) IS NULL", score_path(name))
                    }
                    ResultFilter::Text(text) => (
                        "(r.body LIKE ?4 ESCAPE '\\' OR a.output LIKE ?4 ESCAPE '\\' OR e.scores LIKE ?4 ESCAPE '\\')",
                        like(text),
                    ),
                };
                let sql = format!(
                    "SELECT e.row_id, e.repeat, r.body, a.output, e.error, e.cached, a.cost, e.cost, e.scoring_cost,
                        a.latency_ns, a.trace_id, e.scoring_trace, e.scores
                     FROM eval_results e JOIN dataset_rows r ON r.id = e.row_id
                     LEFT JOIN eval_answers a ON a.id = e.answer_id
                     WHERE e.experiment_id = ?1 AND (e.row_id, e.repeat) > (?2, ?3) AND {clause}
                     ORDER BY e.row_id, e.repeat LIMIT ?5"
                );
                let most = i64::try_from(limit).unwrap_or(i64::MAX);
                let mut select = conn.prepare_cached(&sql)?;
                let rows: Vec<ResultRow> = select
                    .query_map(params![experiment, row, repeat, value, most], result_row)?
                    .collect::<Result<_, _>>()?;
                let next = rows.last().filter(|_| rows.len() == limit).map(|last| (last.row, last.repeat));
                Ok(ResultPage { rows, next })
            })
            .await
    }

    /// What statistics need of at most `limit` results after the one at `after`, in their order.
    pub async fn measured(
        self,
        experiment: i64,
        after: Option<(i64, u32)>,
        limit: usize,
    ) -> Result<Vec<Measured>, StoreError> {
        let (row, repeat) = after.unwrap_or((i64::MIN, 0));
        self.store
            .read(move |conn| {
                let mut select = conn.prepare_cached(
                    "SELECT e.row_id, r.cluster, e.repeat, e.error IS NOT NULL, e.cached, a.cost, a.latency_ns, e.scores
                     FROM eval_results e JOIN dataset_rows r ON r.id = e.row_id
                     LEFT JOIN eval_answers a ON a.id = e.answer_id
                     WHERE e.experiment_id = ?1 AND (e.row_id, e.repeat) > (?2, ?3)
                     ORDER BY e.row_id, e.repeat LIMIT ?4",
                )?;
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                let rows = select.query_map(params![experiment, row, repeat, limit], |row| {
                    Ok(Measured {
                        row: row.get(0)?,
                        cluster: row.get(1)?,
                        repeat: row.get(2)?,
                        failed: row.get(3)?,
                        cached: row.get(4)?,
                        answer_cost: row.get::<_, Option<i64>>(5)?.map(NanoDollars),
                        latency_ns: row.get(6)?,
                        scores: row.get(7)?,
                    })
                })?;
                Ok(rows.collect::<Result<_, _>>()?)
            })
            .await
    }
}

/// Where in a result's scores the value of this name is.
pub(super) fn score_path(name: &str) -> String {
    format!("$.\"{}\".value", name.replace('"', ""))
}

/// A pattern of `LIKE` that finds this text anywhere.
fn like(text: &str) -> String {
    let mut pattern = String::from("%");
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

fn result_row(row: &Row<'_>) -> rusqlite::Result<ResultRow> {
    let money = |at| Ok::<_, rusqlite::Error>(row.get::<_, Option<i64>>(at)?.map(NanoDollars));
    let trace = |at| Ok::<_, rusqlite::Error>(row.get::<_, Option<[u8; 16]>>(at)?.map(TraceId::from_bytes));
    Ok(ResultRow {
        row: row.get(0)?,
        repeat: row.get(1)?,
        sample: row.get(2)?,
        output: row.get(3)?,
        error: row.get(4)?,
        cached: row.get(5)?,
        answer_cost: money(6)?,
        cost: NanoDollars(row.get(7)?),
        scoring_cost: NanoDollars(row.get(8)?),
        latency_ns: row.get(9)?,
        trace: trace(10)?,
        scoring_trace: trace(11)?,
        scores: row.get(12)?,
    })
}
