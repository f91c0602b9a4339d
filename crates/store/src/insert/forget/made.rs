//! What was made of a trace: rows of datasets, answers and scores of evals, items that people label, what is told of them
//! in checks of judges, and other traces.
//!
//! Numbers stay where they are of somebody's work: results keep the values of their scores, what they cost and how long
//! they took. Every text goes.

use crate::datasets::{content_hash, to_hex};
use crate::error::StoreError;
use rusqlite::{Connection, OptionalExtension, Transaction, params};
use serde_json::{Map, Value, json};
use std::collections::{HashMap, HashSet};

/// What stands for a row whose text was removed.
const NO_ROW: &str =
    r#"{"id":"removed","input":{"input":"removed with its trace"},"metadata":{"removed":true}}"#;
/// And for an answer.
const NO_ANSWER: &str = r#"{"text":"removed with its trace","removed":true}"#;
/// What is told in place of an error's words.
const NO_WORDS: &str = "removed with its trace";

/// Removes what was made of a trace, and notes which traces go with it.
pub(super) fn forget(tx: &Transaction<'_>, trace: &[u8]) -> Result<(), StoreError> {
    let mut rows = tx.prepare_cached("SELECT id, cluster FROM dataset_rows WHERE trace_id = ?1")?;
    let rows = rows.query_map([trace], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (row, cluster) in rows.collect::<rusqlite::Result<Vec<(i64, Option<String>)>>>()? {
        forget_row(tx, trace, row, cluster.as_deref())?;
    }
    let mut answers = tx.prepare_cached("SELECT id FROM eval_answers WHERE trace_id = ?1")?;
    let answers = answers.query_map([trace], |row| row.get(0))?.collect::<rusqlite::Result<Vec<i64>>>()?;
    for answer in answers {
        forget_answer(tx, answer)?;
    }
    // What scorers that cost money said is theirs: their reasons go, and are asked for again where they are needed.
    let mut scored = tx.prepare_cached(
        "SELECT experiment_id, row_id, repeat, answer_id FROM eval_results WHERE scoring_trace = ?1",
    )?;
    let scored = scored
        .query_map([trace], |row| Ok(((row.get(0)?, row.get(1)?, row.get(2)?), row.get(3)?)))?
        .collect::<rusqlite::Result<Vec<(ResultKey, Option<i64>)>>>()?;
    for (key, answer) in scored {
        tx.prepare_cached("DELETE FROM eval_scores WHERE answer_id = ?1")?.execute([answer])?;
        forget_words(tx, key)?;
    }
    forget_items(tx, trace)?;
    tx.prepare_cached("UPDATE made_of SET gone = 1 WHERE origin = ?1")?.execute([trace])?;
    tx.prepare_cached("DELETE FROM made_of WHERE trace = ?1")?.execute([trace])?;
    Ok(())
}

/// Notes that a trace holds what another one said.
pub(crate) fn note(tx: &Transaction<'_>, origin: &[u8], trace: &[u8]) -> rusqlite::Result<()> {
    tx.prepare_cached("INSERT INTO made_of (origin, trace) VALUES (?1, ?2) ON CONFLICT DO NOTHING")?
        .execute([origin, trace])?;
    Ok(())
}

/// The numbers of traces that were made of removed ones and are still there, ascending, some of them.
pub(crate) fn left(conn: &Connection, most: usize) -> Result<Vec<i64>, StoreError> {
    let mut select = conn.prepare_cached(
        "SELECT DISTINCT t.seq FROM made_of AS m JOIN traces AS t ON t.trace_id = m.trace
         WHERE m.gone = 1 ORDER BY t.seq LIMIT ?1",
    )?;
    let most = i64::try_from(most).unwrap_or(i64::MAX);
    Ok(select.query_map([most], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?)
}

/// The numbers of these traces and of all that would go with them, ascending.
pub(crate) fn with_made(conn: &Connection, seqs: &[i64]) -> Result<Vec<i64>, StoreError> {
    let mut id = conn.prepare_cached("SELECT trace_id FROM traces WHERE seq = ?1")?;
    let mut made = conn.prepare_cached(
        "SELECT t.seq, t.trace_id FROM traces AS t WHERE t.trace_id IN (
            SELECT trace FROM made_of WHERE origin = ?1
            UNION SELECT a.trace_id FROM dataset_rows AS r JOIN eval_results AS e ON e.row_id = r.id
                JOIN eval_answers AS a ON a.id = e.answer_id WHERE r.trace_id = ?1
            UNION SELECT e.scoring_trace FROM dataset_rows AS r JOIN eval_results AS e ON e.row_id = r.id
                WHERE r.trace_id = ?1)",
    )?;
    let mut all: HashSet<i64> = seqs.iter().copied().collect();
    let mut open = Vec::new();
    for seq in seqs {
        open.extend(id.query_row([seq], |row| row.get::<_, Vec<u8>>(0)).optional()?);
        while let Some(trace) = open.pop() {
            let found = made.query_map([trace], |row| Ok((row.get(0)?, row.get(1)?)))?;
            for found in found {
                let (seq, trace): (i64, Vec<u8>) = found?;
                if all.insert(seq) {
                    open.push(trace);
                }
            }
        }
    }
    let mut all: Vec<i64> = all.into_iter().collect();
    all.sort_unstable();
    Ok(all)
}

/// Experiment, row and repeat.
type ResultKey = (i64, i64, i64);
/// A result with its answer, and the traces of its scores and of the answer.
type Found = (ResultKey, Option<i64>, [Option<Vec<u8>>; 2]);

/// Takes a row out of all versions; it stays as a number where results are of it.
fn forget_row(tx: &Transaction<'_>, trace: &[u8], row: i64, cluster: Option<&str>) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE dataset_versions SET rows = rows - 1, lost = lost + 1
         WHERE id IN (SELECT version_id FROM dataset_members WHERE row_id = ?1)",
    )?
    .execute([row])?;
    tx.prepare_cached("DELETE FROM dataset_members WHERE row_id = ?1")?.execute([row])?;
    let mut results = tx.prepare_cached(
        "SELECT e.experiment_id, e.row_id, e.repeat, e.answer_id, e.scoring_trace, a.trace_id
         FROM eval_results AS e LEFT JOIN eval_answers AS a ON a.id = e.answer_id WHERE e.row_id = ?1",
    )?;
    let results = results
        .query_map([row], |row| {
            let key = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok((key, row.get(3)?, [row.get(4)?, row.get(5)?]))
        })?
        .collect::<rusqlite::Result<Vec<Found>>>()?;
    if results.is_empty() {
        tx.prepare_cached("DELETE FROM dataset_rows WHERE id = ?1")?.execute([row])?;
        return Ok(());
    }
    for (key, answer, traces) in results {
        for made in traces.iter().flatten() {
            note(tx, trace, made)?;
            forget_items(tx, made)?;
        }
        forget_words(tx, key)?;
        if let Some(answer) = answer {
            forget_answer(tx, answer)?;
        }
    }
    // Rows that belonged together still do, without saying to whom.
    let cluster = cluster.map(|name| format!("removed {}", to_hex(&content_hash(name.as_bytes()))));
    tx.prepare_cached(
        "UPDATE dataset_rows SET body = ?2, cluster = ?3, hash = randomblob(16), removed = 1, trace_id = NULL WHERE id = ?1",
    )?
    .execute(params![row, NO_ROW, cluster])?;
    Ok(())
}

/// Takes the text out of an answer, or the whole answer where no result has it.
fn forget_answer(tx: &Transaction<'_>, answer: i64) -> Result<(), StoreError> {
    let is_used = tx.prepare_cached("SELECT 1 FROM eval_results WHERE answer_id = ?1")?.exists([answer])?;
    if !is_used {
        tx.prepare_cached("DELETE FROM eval_answers WHERE id = ?1")?.execute([answer])?;
        return Ok(());
    }
    tx.prepare_cached("DELETE FROM eval_scores WHERE answer_id = ?1")?.execute([answer])?;
    tx.prepare_cached(
        "UPDATE eval_answers SET output = ?2, key = randomblob(16), trace_id = NULL, removed = 1 WHERE id = ?1",
    )?
    .execute(params![answer, NO_ANSWER])?;
    let mut results =
        tx.prepare_cached("SELECT experiment_id, row_id, repeat FROM eval_results WHERE answer_id = ?1")?;
    let results = results.query_map([answer], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    for key in results.collect::<rusqlite::Result<Vec<ResultKey>>>()? {
        forget_words(tx, key)?;
    }
    Ok(())
}

/// Leaves of a result's scores their values, and of its error that there was one.
fn forget_words(tx: &Transaction<'_>, (experiment, row, repeat): ResultKey) -> Result<(), StoreError> {
    let key = params![experiment, row, repeat];
    let scores: String = tx
        .prepare_cached(
            "SELECT scores FROM eval_results WHERE experiment_id = ?1 AND row_id = ?2 AND repeat = ?3",
        )?
        .query_row(key, |row| row.get(0))?;
    tx.prepare_cached(
        "UPDATE eval_results SET scores = ?4, error = CASE WHEN error IS NULL THEN NULL ELSE ?5 END,
            scoring_trace = NULL WHERE experiment_id = ?1 AND row_id = ?2 AND repeat = ?3",
    )?
    .execute(params![experiment, row, repeat, wordless(&scores), NO_WORDS])?;
    Ok(())
}

/// Scores without reasons: values and costs stay, and of a score without a value what kind of none it is.
fn wordless(scores: &str) -> String {
    let Ok(mut scores) = serde_json::from_str::<Map<String, Value>>(scores) else { return "{}".to_owned() };
    for score in scores.values_mut().filter_map(Value::as_object_mut) {
        score.remove("why");
        for (member, value) in score.iter_mut() {
            if member != "value" && value.is_string() {
                *value = json!(NO_WORDS);
            }
        }
    }
    Value::Object(scores).to_string()
}

/// Removes the items to be labelled that come from a trace, with labels, opinions, and what checks of judges tell of them.
fn forget_items(tx: &Transaction<'_>, trace: &[u8]) -> Result<(), StoreError> {
    let mut items = tx.prepare_cached(
        "SELECT i.key, q.name, q.project FROM annotation_items AS i JOIN queues AS q ON q.id = i.queue WHERE i.trace_id = ?1",
    )?;
    let items = items.query_map([trace], |row| Ok((row.get(0)?, (row.get(1)?, row.get(2)?))))?;
    let mut gone: HashMap<(String, String), HashSet<String>> = HashMap::new();
    for item in items {
        let (key, queue): (String, (String, String)) = item?;
        gone.entry(queue).or_default().insert(key);
    }
    if gone.is_empty() {
        return Ok(());
    }
    for ((queue, project), keys) in gone {
        let mut checks =
            tx.prepare_cached("SELECT seq, report FROM judge_checks WHERE queue = ?1 AND project = ?2")?;
        let checks = checks
            .query_map([&queue, &project], |row| Ok((row.get(0)?, row.get(1)?)))?
            .collect::<rusqlite::Result<Vec<(i64, String)>>>()?;
        for (seq, report) in checks {
            let Ok(mut report) = serde_json::from_str::<Value>(&report) else { continue };
            if untold(&mut report, &keys) {
                tx.prepare_cached("UPDATE judge_checks SET report = ?2 WHERE seq = ?1")?
                    .execute(params![seq, report.to_string()])?;
            }
        }
    }
    tx.prepare_cached("DELETE FROM annotation_items WHERE trace_id = ?1")?.execute([trace])?;
    Ok(())
}

/// Takes what is told of these items (objects with their key as `item`) out of all lists; whether there was any.
fn untold(report: &mut Value, keys: &HashSet<String>) -> bool {
    match report {
        Value::Array(list) => {
            let before = list.len();
            list.retain(|told| {
                !told.get("item").and_then(Value::as_str).is_some_and(|key| keys.contains(key))
            });
            let changed = list.len() < before;
            list.iter_mut().fold(changed, |changed, told| untold(told, keys) || changed)
        }
        Value::Object(members) => {
            let mut changed = false;
            for member in members.values_mut() {
                changed |= untold(member, keys);
            }
            changed
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_without_words() {
        let check = |scores: Value, expect: Value| {
            let got: Value = serde_json::from_str(&wordless(&scores.to_string())).unwrap();
            assert_eq!(got, expect, "{scores}");
        };
        check(
            json!({"kind": {"value": "rude", "why": "Alice swears", "cost": 7}, "long": {"value": 0.5}}),
            json!({"kind": {"value": "rude", "cost": 7}, "long": {"value": 0.5}}),
        );
        check(json!({"kind": {"refused": "Alice, no", "why": "x"}}), json!({"kind": {"refused": NO_WORDS}}));
        assert_eq!(wordless("no json"), "{}");
    }

    #[test]
    fn what_is_told_of_items_goes_from_every_list() {
        let mut report = json!({"calibration": {"lenient": [{"item": "a", "answer": "x"}, {"item": "b"}]},
            "probes": [{"changes": [{"item": "a"}]}], "judge": "a"});
        let keys = HashSet::from(["a".to_owned()]);
        assert!(untold(&mut report, &keys));
        assert_eq!(
            report,
            json!({"calibration": {"lenient": [{"item": "b"}]}, "probes": [{"changes": []}], "judge": "a"})
        );
        assert!(!untold(&mut report, &keys));
    }
}
