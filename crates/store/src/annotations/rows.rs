//! Queues, items and labels as rows.

use super::{AnnotationItem, AnnotationLabel, Eyes, ItemState, NewItem, Queue};
use crate::StoreError;
use crate::traces::Scope;
use hanok_base::{Object, Timestamp, TraceId};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde_json::Value;
use std::collections::HashMap;

pub(super) fn queue(conn: &Connection, scope: &Scope, name: &str) -> Result<Option<Queue>, StoreError> {
    let mut query = conn.prepare_cached(
        "SELECT id, project, name, instructions, scale, wanted, created_ns FROM queues
         WHERE name = ?1 AND (?2 IS NULL OR project = ?2) ORDER BY project LIMIT 1",
    )?;
    Ok(query.query_row(params![name, scope.project()], read_queue).optional()?)
}

pub(super) fn read_queue(row: &Row<'_>) -> rusqlite::Result<Queue> {
    Ok(Queue {
        id: row.get(0)?,
        project: row.get(1)?,
        name: row.get(2)?,
        instructions: row.get(3)?,
        scale: json(&row.get::<_, String>(4)?),
        wanted: row.get(5)?,
        created: Timestamp(row.get(6)?),
    })
}

/// What was written as JSON; null where somebody else changed it to what is none.
pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or(Value::Null)
}

pub(super) fn add(tx: &Transaction<'_>, queue: i64, item: &NewItem) -> Result<usize, StoreError> {
    let (trace_id, span_id) = match &item.origin {
        Some((trace, span)) => (Some(trace), span.map(|span| i64::from_be_bytes(*span.as_bytes()))),
        None => (None, None),
    };
    // What is there already may have become more urgent.
    let changed = tx
        .prepare_cached(
            "INSERT INTO annotation_items (queue, key, content, cluster, trace_id, span_id, reason, urgency, state,
                created_ns)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9) ON CONFLICT (queue, key) DO NOTHING",
        )?
        .execute(params![
            queue,
            item.key,
            Value::Object(item.content.clone()).to_string(),
            item.cluster,
            trace_id.map(TraceId::as_bytes),
            span_id,
            item.reason,
            item.urgency,
            Timestamp::now().0
        ])?;
    if changed == 0 {
        tx.prepare_cached(
            "UPDATE annotation_items SET urgency = ?3, reason = ?4 WHERE queue = ?1 AND key = ?2 AND urgency < ?3",
        )?
        .execute(params![queue, item.key, item.urgency, item.reason])?;
    }
    Ok(changed)
}

pub(super) fn say(
    tx: &Transaction<'_>,
    id: i64,
    who: &str,
    level: u32,
    comment: &str,
    settles: bool,
    created: Timestamp,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "INSERT INTO annotation_labels (item, who, settles, level, comment, created_ns) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
         ON CONFLICT (item, settles, who) DO UPDATE SET
            level = excluded.level, comment = excluded.comment, created_ns = excluded.created_ns",
    )?
    .execute(params![id, who, settles, level, comment, created.0])?;
    Ok(())
}

/// The state that follows from an item's labels.
pub(super) fn recount(tx: &Transaction<'_>, id: i64) -> Result<ItemState, StoreError> {
    let (count, least, most, settled, wanted): (u32, Option<u32>, Option<u32>, Option<u32>, u32) = tx
        .prepare_cached(
            "SELECT count(*) FILTER (WHERE l.settles = 0), min(l.level) FILTER (WHERE l.settles = 0),
                max(l.level) FILTER (WHERE l.settles = 0), max(l.level) FILTER (WHERE l.settles = 1),
                (SELECT wanted FROM queues WHERE id = (SELECT queue FROM annotation_items WHERE id = ?1))
             FROM annotation_labels AS l WHERE l.item = ?1",
        )?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?)))?;
    let (state, level) = match (settled, count >= wanted.max(1), least == most) {
        (Some(level), ..) => (ItemState::Done, Some(level)),
        (None, false, _) => (ItemState::Open, None),
        (None, true, true) => (ItemState::Done, least),
        (None, true, false) => (ItemState::Differing, None),
    };
    tx.prepare_cached("UPDATE annotation_items SET state = ?2, level = ?3 WHERE id = ?1")?
        .execute(params![id, state.number(), level])?;
    Ok(state)
}

pub(super) fn item(
    conn: &Connection,
    scope: &Scope,
    id: i64,
    eyes: Eyes<'_>,
) -> Result<Option<AnnotationItem>, StoreError> {
    let found = conn
        .prepare_cached(
            "SELECT i.id, i.queue, i.key, i.content, i.cluster, i.trace_id, i.span_id, i.reason, i.state, i.level,
                i.created_ns
             FROM annotation_items AS i JOIN queues AS q ON q.id = i.queue
             WHERE i.id = ?1 AND (?2 IS NULL OR q.project = ?2)",
        )?
        .query_row(params![id, scope.project()], read_item)
        .optional()?;
    let Some(mut item) = found else {
        return Ok(None);
    };
    item.labels = labels(conn, id)?;
    if let (Eyes::Of(who), ItemState::Open) = (eyes, item.state) {
        item.labels.retain(|label| label.who == who);
    }
    Ok(Some(item))
}

fn read_item(row: &Row<'_>) -> rusqlite::Result<AnnotationItem> {
    let trace = row.get::<_, Option<[u8; 16]>>(5)?.map(TraceId::from_bytes);
    let span = row.get::<_, Option<i64>>(6)?.map(crate::insert::span_id);
    let content = match json(&row.get::<_, String>(3)?) {
        Value::Object(members) => members,
        _ => Object::new(),
    };
    Ok(AnnotationItem {
        id: row.get(0)?,
        queue: row.get(1)?,
        key: row.get(2)?,
        content,
        cluster: row.get(4)?,
        origin: trace.map(|trace| (trace, span)),
        reason: row.get(7)?,
        state: ItemState::of(row.get(8)?),
        level: row.get(9)?,
        created: Timestamp(row.get(10)?),
        labels: Vec::new(),
    })
}

fn labels(conn: &Connection, id: i64) -> Result<Vec<AnnotationLabel>, StoreError> {
    let mut query = conn.prepare_cached(
        "SELECT who, level, comment, settles, created_ns FROM annotation_labels WHERE item = ?1 ORDER BY settles, who",
    )?;
    let rows = query.query_map([id], read_label)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn read_label(row: &Row<'_>) -> rusqlite::Result<AnnotationLabel> {
    Ok(AnnotationLabel {
        who: row.get(0)?,
        level: row.get(1)?,
        comment: row.get(2)?,
        settles: row.get(3)?,
        created: Timestamp(row.get(4)?),
    })
}

/// All items of a queue with all of their labels, oldest first.
pub(crate) fn all(conn: &Connection, queue: i64) -> Result<Vec<AnnotationItem>, StoreError> {
    let mut query = conn.prepare_cached(
        "SELECT l.item, l.who, l.level, l.comment, l.settles, l.created_ns FROM annotation_labels AS l
         JOIN annotation_items AS i ON i.id = l.item WHERE i.queue = ?1 ORDER BY l.item, l.settles, l.who",
    )?;
    let mut by_item: HashMap<i64, Vec<AnnotationLabel>> = HashMap::new();
    let mut rows = query.query([queue])?;
    while let Some(row) = rows.next()? {
        by_item.entry(row.get(0)?).or_default().push(AnnotationLabel {
            who: row.get(1)?,
            level: row.get(2)?,
            comment: row.get(3)?,
            settles: row.get(4)?,
            created: Timestamp(row.get(5)?),
        });
    }
    let mut query = conn.prepare_cached(
        "SELECT id, queue, key, content, cluster, trace_id, span_id, reason, state, level, created_ns
         FROM annotation_items WHERE queue = ?1 ORDER BY id",
    )?;
    let mut items: Vec<AnnotationItem> =
        query.query_map([queue], read_item)?.collect::<rusqlite::Result<_>>()?;
    for item in &mut items {
        item.labels = by_item.remove(&item.id).unwrap_or_default();
    }
    Ok(items)
}
