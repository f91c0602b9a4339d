//! What holds of prompts, datasets, experiments and annotations. References between rows SQLite has checked before.

use super::Checked;
use crate::datasets::{ContentHash, content_hash, to_hex};
use crate::error::StoreError;
use crate::prompts::version_hash;
use rusqlite::Connection;
use serde_json::Value;

pub(super) fn check(conn: &Connection, checked: &mut Checked) -> Result<(), StoreError> {
    prompts(conn, checked)?;
    rows(conn, checked)?;
    versions(conn, checked)?;
    experiments(conn, checked)?;
    annotations(conn, checked)
}

fn prompts(conn: &Connection, checked: &mut Checked) -> Result<(), StoreError> {
    let mut statement =
        conn.prepare("SELECT name, hash, source, partials FROM prompt_versions ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (name, hash): (String, String) = (row.get(0)?, row.get(1)?);
        let partials = serde_json::from_str(&row.get::<_, String>(3)?);
        if !partials.is_ok_and(|partials| {
            row.get::<_, String>(2).is_ok_and(|source| version_hash(&source, &partials) == hash)
        }) {
            checked.wrong(format!("the version {hash} of the prompt `{name}` is not what its hash says"));
        }
    }
    each(
        conn,
        "SELECT l.name, l.label FROM prompt_labels AS l JOIN prompt_versions AS v ON v.id = l.version WHERE v.name <> l.name",
        |[prompt, label]| {
            checked.wrong(format!(
                "the label `{label}` of the prompt `{prompt}` stands at another prompt's version"
            ));
        },
    )?;
    each(
        conn,
        "SELECT m.name, m.label FROM prompt_moves AS m JOIN prompt_versions AS v ON v.id IN (m.before, m.after)
         WHERE v.name <> m.name",
        |[prompt, label]| checked.wrong(format!("a move of the label `{label}` of the prompt `{prompt}` is of another prompt's version")),
    )
}

fn rows(conn: &Connection, checked: &mut Checked) -> Result<(), StoreError> {
    let mut statement =
        conn.prepare("SELECT id, hash, body FROM dataset_rows WHERE removed = 0 ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, hash): (i64, ContentHash) = (row.get(0)?, row.get(1)?);
        if row.get_ref(2)?.as_str().is_ok_and(|body| content_hash(body.as_bytes()) == hash) {
            continue;
        }
        checked.wrong(format!("row {id} of a dataset is not what its hash says"));
    }
    each(
        conn,
        "SELECT CAST(id AS TEXT), 'x' FROM dataset_rows
         WHERE CASE WHEN json_valid(body)
            THEN trace_id IS NOT unhex(substr(json_extract(body, '$.origin'), 1, 32)) ELSE TRUE END",
        |[id, _]| checked.wrong(format!("row {id} of a dataset is not of the trace that it says")),
    )?;
    each(
        conn,
        "SELECT CAST(r.id AS TEXT), 'x' FROM dataset_rows AS r JOIN dataset_members AS m ON m.row_id = r.id WHERE r.removed = 1",
        |[id, _]| checked.wrong(format!("row {id} was removed and is in a version")),
    )
}

/// A version is the hash of its rows' hashes in their order, unless some of these were removed.
fn versions(conn: &Connection, checked: &mut Checked) -> Result<(), StoreError> {
    let mut members = conn.prepare(
        "SELECT r.hash FROM dataset_members AS m JOIN dataset_rows AS r ON r.id = m.row_id
         WHERE m.version_id = ?1 ORDER BY m.position",
    )?;
    let mut statement = conn.prepare(
        "SELECT v.id, d.name, v.hash, v.rows, v.lost FROM dataset_versions AS v JOIN datasets AS d ON d.id = v.dataset_id",
    )?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let (id, name, hash): (i64, String, ContentHash) = (row.get(0)?, row.get(1)?, row.get(2)?);
        let (said, lost): (u64, u64) = (row.get(3)?, row.get(4)?);
        let hashes = members.query_map([id], |row| row.get(0))?.collect::<Result<Vec<ContentHash>, _>>()?;
        let version = to_hex(&hash);
        if hashes.len() as u64 != said {
            checked.wrong(format!(
                "the version {version} of `{name}` says {said} rows, and has {}",
                hashes.len()
            ));
        } else if lost == 0 && content_hash(hashes.as_flattened()) != hash {
            checked.wrong(format!("the version {version} of `{name}` has other rows than its hash says"));
        }
    }
    Ok(())
}

fn experiments(conn: &Connection, checked: &mut Checked) -> Result<(), StoreError> {
    each(
        conn,
        "SELECT CAST(e.id AS TEXT), CAST(e.done AS TEXT) || ' results, ' || e.failed || ' failed, and there are '
            || count(r.row_id) || ', ' || count(r.error) || ' failed'
         FROM experiments AS e LEFT JOIN eval_results AS r ON r.experiment_id = e.id
         GROUP BY e.id HAVING e.done <> count(r.row_id) OR e.failed <> count(r.error)",
        |[id, what]| checked.wrong(format!("experiment {id} says {what}")),
    )?;
    each(
        conn,
        "SELECT CAST(experiment_id AS TEXT), CAST(count(*) AS TEXT) FROM eval_results
         WHERE answer_id IS NOT NULL AND answer_id NOT IN (SELECT id FROM eval_answers) GROUP BY 1",
        |[id, count]| {
            checked.wrong(format!("{count} results of experiment {id} refer to answers that are not there"));
        },
    )?;
    each(
        conn,
        "SELECT CAST(id AS TEXT), 'x' FROM eval_answers WHERE removed = 1
            AND id NOT IN (SELECT answer_id FROM eval_results WHERE answer_id IS NOT NULL)",
        |[id, _]| checked.wrong(format!("answer {id} was removed, and no result needs it")),
    )
}

fn annotations(conn: &Connection, checked: &mut Checked) -> Result<(), StoreError> {
    let mut statement = conn.prepare("SELECT id, name, scale FROM queues ORDER BY id")?;
    let mut queues = statement.query([])?;
    while let Some(row) = queues.next()? {
        let (id, name): (i64, String) = (row.get(0)?, row.get(1)?);
        let scale: Value = serde_json::from_str(&row.get::<_, String>(2)?).unwrap_or_default();
        let Some(labels) = scale.get("labels").and_then(Value::as_array) else {
            checked.wrong(format!("the scale of the queue `{name}` cannot be read"));
            continue;
        };
        let beyond: i64 = conn
            .prepare_cached(
                "SELECT (SELECT count(*) FROM annotation_items WHERE queue = ?1 AND level >= ?2)
                    + (SELECT count(*) FROM annotation_labels AS l JOIN annotation_items AS i ON i.id = l.item
                       WHERE i.queue = ?1 AND l.level >= ?2)",
            )?
            .query_row((id, labels.len()), |row| row.get(0))?;
        if beyond > 0 {
            checked.wrong(format!("{beyond} levels in the queue `{name}` are none of its scale"));
        }
    }
    each(
        conn,
        "SELECT q.name, CAST(i.id AS TEXT) FROM annotation_items AS i JOIN queues AS q ON q.id = i.queue
         WHERE (i.state = 2) <> (i.level IS NOT NULL)
            OR i.level IS NOT NULL AND NOT EXISTS (SELECT 1 FROM annotation_labels WHERE item = i.id AND level = i.level)",
        |[queue, item]| checked.wrong(format!("item {item} of the queue `{queue}` is not where its labels say")),
    )
}

/// Calls `wrong` with every pair of texts that a query finds.
fn each(conn: &Connection, sql: &str, mut wrong: impl FnMut([String; 2])) -> Result<(), StoreError> {
    let mut statement = conn.prepare(sql)?;
    let rows = statement.query_map([], |row| Ok([row.get(0)?, row.get(1)?]))?;
    for row in rows {
        wrong(row?);
    }
    Ok(())
}
