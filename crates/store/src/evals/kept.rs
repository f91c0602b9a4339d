//! What an experiment keeps as it goes: answers, scores, results.

use crate::StoreError;
use crate::datasets::ContentHash;
use hanok_base::{NanoDollars, Timestamp, TraceId};
use rusqlite::{Row, Transaction, params};
use serde::{Deserialize, Serialize};

/// What a task made of an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredAnswer {
    /// Of the task, the input and the repeat.
    pub key: ContentHash,
    /// The output, as JSON.
    pub output: String,
    /// What it cost, where a price is known.
    pub cost: Option<NanoDollars>,
    /// How long it took, in nanoseconds.
    pub latency_ns: i64,
    /// The trace of the work.
    pub trace: Option<TraceId>,
}

/// Something an experiment keeps.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Kept {
    /// An answer, before it is scored.
    Answer(StoredAnswer),
    /// What a scorer said of the answer of the second key, by a key of its own; scores as JSON.
    Scores(ContentHash, ContentHash, String),
    /// A result.
    Result(NewResult),
    /// Money that went into a try without a result.
    Spent(NanoDollars),
}

/// The result of one row and repeat.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewResult {
    /// The row.
    pub row: i64,
    /// Which time, from 0.
    pub repeat: u32,
    /// The key of its answer; `None` where the task failed.
    pub answer: Option<ContentHash>,
    /// Why the task failed.
    pub error: Option<String>,
    /// Whether the answer was known before.
    pub cached: bool,
    /// What this experiment paid for the answer, with attempts that gave none.
    pub cost: NanoDollars,
    /// What these attempts cost.
    #[serde(default)]
    pub failed_cost: NanoDollars,
    /// What it paid for the scores.
    pub scoring_cost: NanoDollars,
    /// The trace of what scorers called.
    pub scoring_trace: Option<TraceId>,
    /// A JSON object by name.
    pub scores: String,
}

pub(super) fn keep(tx: &Transaction<'_>, experiment: i64, kept: &[Kept]) -> Result<(), StoreError> {
    let now = Timestamp::now();
    let mut answer = tx.prepare_cached(
        "INSERT INTO eval_answers (key, output, cost, latency_ns, trace_id, created_ns) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (key) DO NOTHING",
    )?;
    let mut scores = tx.prepare_cached(
        "INSERT INTO eval_scores SELECT ?1, id, ?3 FROM eval_answers WHERE key = ?2 ON CONFLICT (key) DO NOTHING",
    )?;
    let mut result = tx.prepare_cached(
        "INSERT INTO eval_results SELECT ?1, id, ?3, (SELECT id FROM eval_answers WHERE key = ?4), ?5, ?6, ?7, ?8, ?9, ?10
         FROM dataset_rows WHERE id = ?2 AND removed = 0 ON CONFLICT DO NOTHING",
    )?;
    let mut forget = tx.prepare_cached(
        "DELETE FROM eval_answers WHERE key = ?1 AND NOT EXISTS (SELECT 1 FROM dataset_rows WHERE id = ?2 AND removed = 0)
            AND NOT EXISTS (SELECT 1 FROM eval_results WHERE answer_id = eval_answers.id)",
    )?;
    let (mut done, mut failed, mut cost) = (0_i64, 0_i64, 0_i64);
    for kept in kept {
        match kept {
            Kept::Answer(new) => {
                answer.execute(params![
                    new.key,
                    new.output,
                    new.cost.map(|cost| cost.0),
                    new.latency_ns,
                    new.trace.as_ref().map(TraceId::as_bytes),
                    now.0
                ])?;
                // Paid for, whoever's answer is kept.
                cost = cost.saturating_add(new.cost.map_or(0, |cost| cost.0));
            }
            Kept::Scores(key, of, said) => {
                scores.execute(params![key, of, said])?;
            }
            Kept::Result(new) => {
                let is_new = result.execute(params![
                    experiment,
                    new.row,
                    new.repeat,
                    new.answer,
                    new.error,
                    new.cached,
                    new.cost.0,
                    new.scoring_cost.0,
                    new.scoring_trace.as_ref().map(TraceId::as_bytes),
                    new.scores
                ])?;
                if is_new > 0 {
                    done += 1;
                    failed += i64::from(new.error.is_some());
                    cost = cost.saturating_add(new.scoring_cost.0).saturating_add(new.failed_cost.0);
                } else if let Some(answer) = &new.answer {
                    // The row was removed while it was tried: so is what was said of it.
                    forget.execute(params![answer, new.row])?;
                }
            }
            Kept::Spent(spent) => {
                cost = cost.saturating_add(spent.0);
            }
        }
    }
    if done > 0 || cost > 0 {
        tx.prepare_cached(
            "UPDATE experiments SET done = done + ?2, failed = failed + ?3, cost = cost + ?4 WHERE id = ?1",
        )?
        .execute(params![experiment, done, failed, cost])?;
    }
    Ok(())
}

pub(super) fn read_answer(row: &Row<'_>) -> rusqlite::Result<StoredAnswer> {
    Ok(StoredAnswer {
        key: row.get(0)?,
        output: row.get(1)?,
        cost: row.get::<_, Option<i64>>(2)?.map(NanoDollars),
        latency_ns: row.get(3)?,
        trace: row.get::<_, Option<[u8; 16]>>(4)?.map(TraceId::from_bytes),
    })
}
