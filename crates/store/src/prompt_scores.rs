//! What versions of prompts were scored: by scores of the traces that used them, and by experiments.

use crate::StoreError;
use crate::prompts::Prompts;
use rusqlite::{Connection, Row, params};

/// Experiments that are looked at for versions of prompts, the newest.
const EXPERIMENTS: i64 = 500;
/// Results of an experiment whose traces are looked at: one version is what it tried, or it is of none.
const LOOKED_AT: i64 = 20;

/// Scores of one name, of traces that used one version of a prompt.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PromptScores {
    /// The prompt, as traces have it: `name@version`, or `name`.
    pub prompt: String,
    /// What was asked.
    pub name: String,
    /// How many.
    pub count: u64,
    /// Of these, those that are numbers, yes being 1 and no 0.
    pub valued: u64,
    /// Whether all that are numbers are a yes or a no.
    pub is_truth: bool,
    /// The sum of the numbers.
    pub sum: f64,
    /// The sum of their squares.
    pub squares: f64,
}

/// An experiment that tried one version of a prompt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PromptExperiment {
    /// Its number.
    pub id: i64,
    /// Its eval's name.
    pub name: String,
    /// The prompt, as traces have it: `name@version`.
    pub prompt: String,
    /// What came out, as JSON.
    pub report: String,
}

impl Prompts<'_> {
    /// Scores of traces that used this prompt, or any, by version and by what was asked; of a project's traces, or of
    /// all.
    pub async fn scores(
        self,
        name: Option<&str>,
        project: Option<&str>,
    ) -> Result<Vec<PromptScores>, StoreError> {
        let (name, project) = (name.map(str::to_owned), project.map(str::to_owned));
        self.store
            .read(move |conn| {
                let mut query = conn.prepare_cached(
                    "SELECT prompt.text, name.text, count(*), count(s.value), coalesce(min(s.kind) = 1 AND max(s.kind) = 1, 0),
                            total(s.value), total(s.value * s.value)
                     FROM scores AS s
                     JOIN traces AS t ON t.trace_id = s.trace_id
                     JOIN names AS prompt ON prompt.id = t.prompt
                     JOIN names AS name ON name.id = s.name
                     LEFT JOIN names AS project ON project.id = t.project
                     WHERE (?1 IS NULL OR prompt.text = ?1 OR substr(prompt.text, 1, length(?1) + 1) = ?1 || '@')
                        AND (?2 IS NULL OR coalesce(project.text, '') = ?2)
                     GROUP BY prompt.id, name.id ORDER BY prompt.text, name.text",
                )?;
                let scores = |row: &Row<'_>| {
                    Ok(PromptScores {
                        prompt: row.get(0)?,
                        name: row.get(1)?,
                        count: row.get(2)?,
                        valued: row.get(3)?,
                        is_truth: row.get(4)?,
                        sum: row.get(5)?,
                        squares: row.get(6)?,
                    })
                };
                Ok(query.query_map(params![name, project], scores)?.collect::<Result<_, _>>()?)
            })
            .await
    }

    /// Finished experiments whose task was one version of a prompt, by name or through what it called, or whose rows
    /// are recorded calls of one version and were only given back; the newest first.
    pub async fn experiments(self) -> Result<Vec<PromptExperiment>, StoreError> {
        self.store
            .read(|conn| {
                let mut select = conn.prepare_cached(
                    "SELECT id, name, report, json_extract(task, '$.kind'), json_extract(task, '$.prompt'),
                            json_extract(task, '$.version')
                     FROM experiments WHERE state = 'done' AND report IS NOT NULL ORDER BY id DESC LIMIT ?1",
                )?;
                let mut rows = select.query([EXPERIMENTS])?;
                let mut found = Vec::new();
                while let Some(row) = rows.next()? {
                    let (id, kind): (i64, Option<String>) = (row.get(0)?, row.get(3)?);
                    let (prompt, version): (Option<String>, Option<String>) = (row.get(4)?, row.get(5)?);
                    let prompt = match (kind.as_deref(), prompt, version) {
                        (Some("prompt"), Some(prompt), Some(version)) => {
                            let name = prompt.split_once('@').map_or(prompt.as_str(), |(name, _)| name);
                            Some(format!("{name}@{}", version.get(..10).unwrap_or(&version)))
                        }
                        (Some("echo"), ..) => only(conn, OF_ROWS, id)?,
                        _ => only(conn, OF_ANSWERS, id)?,
                    };
                    if let Some(prompt) = prompt {
                        found.push(PromptExperiment { id, name: row.get(1)?, report: row.get(2)?, prompt });
                    }
                }
                Ok(found)
            })
            .await
    }
}

const OF_ANSWERS: &str = "SELECT DISTINCT prompt.text FROM
    (SELECT answer_id FROM eval_results WHERE experiment_id = ?1 AND answer_id IS NOT NULL LIMIT ?2) AS r
    JOIN eval_answers AS a ON a.id = r.answer_id JOIN traces AS t ON t.trace_id = a.trace_id
    LEFT JOIN names AS prompt ON prompt.id = t.prompt";

/// A row's origin is `TRACE/SPAN`.
const OF_ROWS: &str = "SELECT DISTINCT prompt.text FROM
    (SELECT row_id FROM eval_results WHERE experiment_id = ?1 LIMIT ?2) AS r
    JOIN dataset_rows AS d ON d.id = r.row_id
    LEFT JOIN traces AS t ON t.trace_id = unhex(substr(json_extract(d.body, '$.origin'), 1, 32))
    LEFT JOIN names AS prompt ON prompt.id = t.prompt";

/// The one prompt that all of them are of; `None` where they are of several or of none.
fn only(conn: &Connection, sql: &str, experiment: i64) -> rusqlite::Result<Option<String>> {
    let mut select = conn.prepare_cached(sql)?;
    let found: Vec<Option<String>> =
        select.query_map(params![experiment, LOOKED_AT], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(match found.as_slice() {
        [Some(one)] => Some(one.clone()),
        _ => None,
    })
}
