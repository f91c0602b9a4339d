//! Experiments: what was run over which rows, what came out, and answers that need not be paid for again.

use crate::datasets::{ContentHash, row_body, sweep_rows};
use crate::{Store, StoreError};
use hanok_base::{NanoDollars, Timestamp};
use kept::{keep, read_answer};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

mod compare;
mod kept;
mod results;

pub use compare::{ComparedPage, ComparedRow, Work};
pub use kept::{Kept, NewResult, StoredAnswer};
pub use results::{Measured, ResultFilter, ResultPage, ResultRow};

/// How far an experiment is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ExperimentState {
    /// At work, or its process died.
    Running,
    /// Stopped before its end: by a person or by its budget.
    Stopped,
    /// All of it was tried.
    Done,
}

impl ExperimentState {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Stopped => "stopped",
            Self::Done => "done",
        }
    }

    fn parse(name: &str) -> Self {
        [Self::Stopped, Self::Done].into_iter().find(|state| state.as_str() == name).unwrap_or(Self::Running)
    }
}

/// An experiment to be begun.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewExperiment {
    /// Its eval's name.
    pub name: String,
    /// The file it was read from; may be empty.
    pub file: String,
    /// Everything that was asked for, as JSON.
    pub spec: String,
    /// Of what was asked for: a run that was stopped is taken up by one of the same hash.
    pub spec_hash: ContentHash,
    /// The task's identity, as JSON.
    pub task: String,
    /// The version of the dataset.
    pub version: i64,
    /// The dataset's name.
    pub dataset: String,
    /// How many of its rows are tried.
    pub rows: u64,
    /// How often each.
    pub repeats: u32,
    /// When it begins.
    pub now: Timestamp,
}

/// An experiment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Experiment {
    /// Its number.
    pub id: i64,
    /// Its eval's name.
    pub name: String,
    /// The file it was read from; may be empty.
    pub file: String,
    /// Everything that was asked for, as JSON.
    pub spec: String,
    /// The task's identity, as JSON.
    pub task: String,
    /// The version of the dataset; gone where that was removed.
    pub version: i64,
    /// The dataset's name.
    pub dataset: String,
    /// How many rows are tried.
    pub rows: u64,
    /// How often each.
    pub repeats: u32,
    /// How far it is.
    pub state: ExperimentState,
    /// When it began.
    pub created: Timestamp,
    /// When it ended.
    pub finished: Option<Timestamp>,
    /// Results so far, of `rows` times `repeats`.
    pub done: u64,
    /// Of these, those without an output.
    pub failed: u64,
    /// What it paid, scoring included.
    pub cost: NanoDollars,
    /// What came out, as JSON; `None` before its end.
    pub report: Option<String>,
}

impl Store {
    /// The experiments in this store.
    pub fn evals(&self) -> Evals<'_> {
        Evals { store: self }
    }
}

/// The experiments in a store.
#[derive(Clone, Copy)]
pub struct Evals<'a> {
    store: &'a Store,
}

const EXPERIMENT: &str =
    "SELECT id, name, file, spec, task, version_id, dataset, rows, repeats, state, created_ns,
     finished_ns, done, failed, cost, report FROM experiments";

impl Evals<'_> {
    /// Begins an experiment and gives its number.
    pub async fn begin(self, new: NewExperiment) -> Result<i64, StoreError> {
        self.store
            .write_synced(move |tx| {
                tx.prepare_cached(
                    "INSERT INTO experiments (name, file, spec, spec_hash, task, version_id, dataset, rows, repeats,
                        state, created_ns) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, 'running', ?10)",
                )?
                .execute(params![
                    new.name,
                    new.file,
                    new.spec,
                    new.spec_hash,
                    new.task,
                    new.version,
                    new.dataset,
                    i64::try_from(new.rows).unwrap_or(i64::MAX),
                    new.repeats,
                    new.now.0
                ])?;
                Ok(tx.last_insert_rowid())
            })
            .await
    }

    /// The newest experiment of this wish that did not come to its end, if the newest one of its name is it.
    pub async fn unfinished(
        self,
        name: &str,
        spec_hash: ContentHash,
    ) -> Result<Option<Experiment>, StoreError> {
        let name = name.to_owned();
        self.store
            .read(move |conn| {
                let sql = format!(
                    "{EXPERIMENT} WHERE id = (SELECT max(id) FROM experiments WHERE name = ?1)
                     AND spec_hash = ?2 AND state <> 'done'"
                );
                Ok(conn
                    .prepare_cached(&sql)?
                    .query_row(params![name, spec_hash], read_experiment)
                    .optional()?)
            })
            .await
    }

    /// Experiments of this name (all names where it is empty) before the one numbered `before`, newest first.
    pub async fn experiments(
        self,
        name: &str,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<Experiment>, StoreError> {
        let name = name.to_owned();
        self.store
            .read(move |conn| {
                let sql = format!(
                    "{EXPERIMENT} WHERE (?1 = '' OR name = ?1) AND id < ?2 ORDER BY id DESC LIMIT ?3"
                );
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                let before = before.unwrap_or(i64::MAX);
                let mut select = conn.prepare_cached(&sql)?;
                Ok(select
                    .query_map(params![name, before, limit], read_experiment)?
                    .collect::<Result<_, _>>()?)
            })
            .await
    }

    /// The experiment of this number.
    pub async fn experiment(self, id: i64) -> Result<Option<Experiment>, StoreError> {
        self.store.read(move |conn| experiment(conn, id)).await
    }

    /// The newest finished experiment of this name before the one numbered `before`, of those that were not limited to
    /// some rows (whose wish has no `limit`).
    pub async fn finished_before(self, name: &str, before: i64) -> Result<Option<Experiment>, StoreError> {
        let name = name.to_owned();
        self.store
            .read(move |conn| {
                let sql = format!(
                    "{EXPERIMENT} WHERE name = ?1 AND id < ?2 AND state = 'done'
                     AND json_extract(spec, '$.limit') IS NULL ORDER BY id DESC LIMIT 1"
                );
                Ok(conn.prepare_cached(&sql)?.query_row(params![name, before], read_experiment).optional()?)
            })
            .await
    }

    /// The names of evals that have an experiment.
    pub async fn names(self) -> Result<Vec<String>, StoreError> {
        self.store
            .read(|conn| {
                let mut select =
                    conn.prepare_cached("SELECT DISTINCT name FROM experiments ORDER BY name")?;
                Ok(select.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// Which answers of these keys are known, each in its place.
    pub async fn answers(self, keys: Vec<ContentHash>) -> Result<Vec<Option<StoredAnswer>>, StoreError> {
        self.store
            .read(move |conn| {
                let mut select = conn.prepare_cached(
                    "SELECT key, output, cost, latency_ns, trace_id FROM eval_answers WHERE key = ?1",
                )?;
                keys.iter().map(|key| Ok(select.query_row([key], read_answer).optional()?)).collect()
            })
            .await
    }

    /// What scorers are known to have said, by their keys, each in its place; scores as JSON.
    pub async fn scores(self, keys: Vec<ContentHash>) -> Result<Vec<Option<String>>, StoreError> {
        self.store
            .read(move |conn| {
                let mut select = conn.prepare_cached("SELECT scores FROM eval_scores WHERE key = ?1")?;
                keys.iter().map(|key| Ok(select.query_row([key], |row| row.get(0)).optional()?)).collect()
            })
            .await
    }

    /// Keeps what an experiment has, in one transaction. What it has already stays as it was.
    pub async fn keep(self, experiment: i64, kept: Vec<Kept>) -> Result<(), StoreError> {
        self.store.write(move |tx| keep(tx, experiment, &kept)).await
    }

    /// Which rows of an experiment have a result for which repeats.
    pub async fn done(self, experiment: i64) -> Result<Vec<(i64, u32)>, StoreError> {
        self.store
            .read(move |conn| {
                let mut select =
                    conn.prepare_cached("SELECT row_id, repeat FROM eval_results WHERE experiment_id = ?1")?;
                let done = select.query_map([experiment], |row| Ok((row.get(0)?, row.get(1)?)))?;
                Ok(done.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// Takes away the results of an experiment without an output, so that they are tried again. Gives how many.
    pub async fn forget_failed(self, experiment: i64) -> Result<u64, StoreError> {
        self.store
            .write(move |tx| {
                let gone = tx
                    .prepare_cached(
                        "DELETE FROM eval_results WHERE experiment_id = ?1 AND error IS NOT NULL",
                    )?
                    .execute([experiment])?;
                tx.prepare_cached(
                    "UPDATE experiments SET done = done - ?2, failed = failed - ?2 WHERE id = ?1",
                )?
                .execute(params![experiment, i64::try_from(gone).unwrap_or(0)])?;
                Ok(gone as u64)
            })
            .await
    }

    /// Says how an experiment ended; on the disk when this returns.
    pub async fn finish(
        self,
        experiment: i64,
        state: ExperimentState,
        report: Option<String>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.store
            .write_synced(move |tx| {
                tx.prepare_cached(
                    "UPDATE experiments SET state = ?2, report = ?3, finished_ns = ?4 WHERE id = ?1",
                )?
                .execute(params![experiment, state.as_str(), report, now.0])?;
                Ok(())
            })
            .await
    }

    /// Forgets an experiment with its results, and the answers and rows that nothing else has; whether there was one.
    pub async fn remove(self, experiment: i64) -> Result<bool, StoreError> {
        self.store
            .write(move |tx| {
                tx.prepare_cached(
                    "DELETE FROM eval_answers WHERE id IN
                     (SELECT answer_id FROM eval_results WHERE experiment_id = ?1)
                     AND NOT EXISTS (SELECT 1 FROM eval_results o
                                     WHERE o.answer_id = eval_answers.id AND o.experiment_id <> ?1)",
                )?
                .execute([experiment])?;
                let gone =
                    tx.prepare_cached("DELETE FROM experiments WHERE id = ?1")?.execute([experiment])?;
                sweep_rows(tx)?;
                Ok(gone > 0)
            })
            .await
    }

    /// The sample behind a result, as JSON.
    pub async fn sample(self, row: i64) -> Result<Option<String>, StoreError> {
        self.store.read(move |conn| row_body(conn, row)).await
    }
}

fn experiment(conn: &Connection, id: i64) -> Result<Option<Experiment>, StoreError> {
    let sql = format!("{EXPERIMENT} WHERE id = ?1");
    Ok(conn.prepare_cached(&sql)?.query_row([id], read_experiment).optional()?)
}

fn read_experiment(row: &Row<'_>) -> rusqlite::Result<Experiment> {
    let state: String = row.get(9)?;
    Ok(Experiment {
        id: row.get(0)?,
        name: row.get(1)?,
        file: row.get(2)?,
        spec: row.get(3)?,
        task: row.get(4)?,
        version: row.get(5)?,
        dataset: row.get(6)?,
        rows: row.get(7)?,
        repeats: row.get(8)?,
        state: ExperimentState::parse(&state),
        created: Timestamp(row.get(10)?),
        finished: row.get::<_, Option<i64>>(11)?.map(Timestamp),
        done: row.get(12)?,
        failed: row.get(13)?,
        cost: NanoDollars(row.get(14)?),
        report: row.get(15)?,
    })
}
