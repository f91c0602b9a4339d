//! What people say of outputs: queues of items, and labels that are given without seeing anybody else's.
//!
//! What a level means is the queue's `scale`, which is decided above; here it is a number. Labels are blind: while an
//! item waits for labels, nobody who labels is shown what others said of it, and afterwards nobody's own is changed by
//! what they saw. The queries see to that.

use crate::traces::Scope;
use crate::{Store, StoreError};
use hanok_base::{Object, SpanId, Timestamp, TraceId};
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// A queue.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Queue {
    /// Its number.
    pub id: i64,
    /// The project it is in; empty for none.
    pub project: String,
    /// Its name.
    pub name: String,
    /// What people are asked.
    pub instructions: String,
    /// What they may say.
    pub scale: Value,
    /// How many people label each item.
    pub wanted: u32,
    /// When it was made.
    pub created: Timestamp,
}

/// What a queue is made with.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewQueue {
    /// The project; the view's own where that is of one.
    pub project: String,
    /// Its name.
    pub name: String,
    /// What people are asked.
    pub instructions: String,
    /// What they may say.
    pub scale: Value,
    /// How many people label each item.
    pub wanted: u32,
}

/// How many items of a queue are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueCounts {
    /// That wait for labels.
    pub open: u64,
    /// On which people differ.
    pub differing: u64,
    /// Done.
    pub done: u64,
}

/// Where an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ItemState {
    /// It waits for labels.
    Open,
    /// People differ on it.
    Differing,
    /// It is done.
    Done,
}

impl ItemState {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Differing => "differing",
            Self::Done => "done",
        }
    }

    fn number(self) -> i64 {
        match self {
            Self::Open => 0,
            Self::Differing => 1,
            Self::Done => 2,
        }
    }

    fn of(number: i64) -> Self {
        match number {
            0 => Self::Open,
            1 => Self::Differing,
            _ => Self::Done,
        }
    }
}

/// Something to label.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct NewItem {
    /// Tells the items of a queue apart; one that is there already stays as it is.
    pub key: String,
    /// `question`, `answer`, `reference` and `other` are for who labels; what else is known, such as `model`, is not, as
    /// who wrote an answer must not count.
    pub content: Object,
    /// What it belongs to, where items are not independent.
    pub cluster: Option<String>,
    /// The span it comes from.
    pub origin: Option<(TraceId, Option<SpanId>)>,
    /// Why it is here: `sampled`, `disagreement`, `imported` and the like.
    pub reason: String,
    /// The more urgent come first.
    pub urgency: u32,
}

/// An item, as somebody may see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AnnotationItem {
    /// Its number.
    pub id: i64,
    /// The queue's number.
    pub queue: i64,
    /// Tells the items of a queue apart.
    pub key: String,
    /// What it holds, see [`NewItem::content`].
    pub content: Object,
    /// What it belongs to.
    pub cluster: Option<String>,
    /// The span it comes from.
    pub origin: Option<(TraceId, Option<SpanId>)>,
    /// Why it is here.
    pub reason: String,
    /// Where it is.
    pub state: ItemState,
    /// What came out, once it is done.
    pub level: Option<u32>,
    /// When it came.
    pub created: Timestamp,
    /// What people said, in the order of their names; empty for who may not see it yet.
    pub labels: Vec<AnnotationLabel>,
}

/// What somebody said.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AnnotationLabel {
    /// Who.
    pub who: String,
    /// The level.
    pub level: u32,
    /// Why; may be empty.
    pub comment: String,
    /// Whether it settles what others differ on.
    pub settles: bool,
    /// When.
    pub created: Timestamp,
}

/// What may be seen of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eyes<'a> {
    /// All labels: who settles or evaluates.
    All,
    /// This person's own, and all labels of items that wait for none.
    Of(&'a str),
}

impl Store {
    /// Queues of this project; `None` for all.
    pub fn annotations(&self, project: Option<Arc<str>>) -> Annotations<'_> {
        Annotations { store: self, scope: Scope::new(project) }
    }
}

/// The queues in a store.
#[derive(Clone)]
pub struct Annotations<'a> {
    store: &'a Store,
    scope: Scope,
}

impl Annotations<'_> {
    /// Makes a queue, or changes instructions and the count of labels wanted of one that is there. The scale of one with
    /// labels stays; `None` where it is another than asked for.
    pub async fn put_queue(&self, new: NewQueue) -> Result<Option<Queue>, StoreError> {
        let scope = self.scope.clone();
        self.store
            .write_synced(move |tx| {
                let project = scope.project().unwrap_or(&new.project).to_owned();
                let scale = new.scale.to_string();
                if let Some(known) = queue(tx, &scope, &new.name)?
                    && known.scale != new.scale
                    && tx
                        .prepare_cached(
                            "SELECT 1 FROM annotation_items AS i JOIN annotation_labels AS l ON l.item = i.id
                             WHERE i.queue = ?1",
                        )?
                        .exists([known.id])?
                {
                    return Ok(None);
                }
                tx.prepare_cached(
                    "INSERT INTO queues (project, name, instructions, scale, wanted, created_ns)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                     ON CONFLICT (project, name) DO UPDATE SET
                        instructions = excluded.instructions, scale = excluded.scale, wanted = excluded.wanted",
                )?
                .execute(params![
                    project,
                    new.name,
                    new.instructions,
                    scale,
                    new.wanted,
                    Timestamp::now().0
                ])?;
                queue(tx, &scope, &new.name)
            })
            .await
    }

    /// The queue of this name.
    pub async fn queue(&self, name: &str) -> Result<Option<Queue>, StoreError> {
        let (scope, name) = (self.scope.clone(), name.to_owned());
        self.store.read(move |conn| queue(conn, &scope, &name)).await
    }

    /// All queues by name, with the counts of their items.
    pub async fn queues(&self) -> Result<Vec<(Queue, QueueCounts)>, StoreError> {
        let scope = self.scope.clone();
        self.store
            .read(move |conn| {
                let mut query = conn.prepare_cached(
                    "SELECT q.id, q.project, q.name, q.instructions, q.scale, q.wanted, q.created_ns,
                        count(i.id) FILTER (WHERE i.state = 0), count(i.id) FILTER (WHERE i.state = 1),
                        count(i.id) FILTER (WHERE i.state = 2)
                     FROM queues AS q LEFT JOIN annotation_items AS i ON i.queue = q.id
                     WHERE ?1 IS NULL OR q.project = ?1 GROUP BY q.id ORDER BY q.name, q.project",
                )?;
                let rows = query.query_map([scope.project()], |row| {
                    let counts = QueueCounts { open: row.get(7)?, differing: row.get(8)?, done: row.get(9)? };
                    Ok((read_queue(row)?, counts))
                })?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }

    /// Deletes a queue with its items and labels; whether there was one.
    pub async fn remove_queue(&self, name: &str) -> Result<bool, StoreError> {
        let (scope, name) = (self.scope.clone(), name.to_owned());
        self.store
            .write_synced(move |tx| {
                let Some(queue) = queue(tx, &scope, &name)? else {
                    return Ok(false);
                };
                tx.prepare_cached("DELETE FROM queues WHERE id = ?1")?.execute([queue.id])?;
                Ok(true)
            })
            .await
    }

    /// Adds items; gives how many were not there before.
    pub async fn add(&self, queue: i64, items: Vec<NewItem>) -> Result<usize, StoreError> {
        self.store
            .write_synced(move |tx| {
                let mut added = 0;
                for item in &items {
                    added += add(tx, queue, item)?;
                }
                Ok(added)
            })
            .await
    }

    /// The item that `who` should label next: the most urgent and then the oldest one that still wants labels and has
    /// none of theirs. Without any label of others. `None` where all is done.
    pub async fn next(&self, queue: i64, who: &str) -> Result<Option<AnnotationItem>, StoreError> {
        let (scope, who) = (self.scope.clone(), who.to_owned());
        self.store
            .read(move |conn| {
                let id: Option<i64> = conn
                    .prepare_cached(
                        "SELECT id FROM annotation_items AS i WHERE queue = ?1 AND state = 0
                            AND NOT EXISTS (SELECT 1 FROM annotation_labels
                                WHERE item = i.id AND settles = 0 AND who = ?2)
                         ORDER BY urgency DESC, id LIMIT 1",
                    )?
                    .query_row(params![queue, who], |row| row.get(0))
                    .optional()?;
                match id {
                    Some(id) => item(conn, &scope, id, Eyes::Of(&who)),
                    None => Ok(None),
                }
            })
            .await
    }

    /// The next item on which people differ, with what they said.
    pub async fn next_differing(&self, queue: i64) -> Result<Option<AnnotationItem>, StoreError> {
        Ok(self.items(queue, Some(ItemState::Differing), 0, 1, Eyes::All).await?.into_iter().next())
    }

    /// An item, as these eyes may see it.
    pub async fn item(&self, id: i64, eyes: Eyes<'_>) -> Result<Option<AnnotationItem>, StoreError> {
        let (scope, who) = (self.scope.clone(), owned(eyes));
        self.store.read(move |conn| item(conn, &scope, id, seen_by(who.as_deref()))).await
    }

    /// At most `limit` items after the one numbered `after`, oldest first.
    pub async fn items(
        &self,
        queue: i64,
        state: Option<ItemState>,
        after: i64,
        limit: usize,
        eyes: Eyes<'_>,
    ) -> Result<Vec<AnnotationItem>, StoreError> {
        let (scope, who) = (self.scope.clone(), owned(eyes));
        self.store
            .read(move |conn| {
                let mut query = conn.prepare_cached(
                    "SELECT id FROM annotation_items
                     WHERE queue = ?1 AND id > ?2 AND (?3 IS NULL OR state = ?3) ORDER BY id LIMIT ?4",
                )?;
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                let ids = query
                    .query_map(params![queue, after, state.map(ItemState::number), limit], |row| {
                        row.get::<_, i64>(0)
                    })?;
                let mut items = Vec::new();
                for id in ids {
                    items.extend(item(conn, &scope, id?, seen_by(who.as_deref()))?);
                }
                Ok(items)
            })
            .await
    }

    /// Keeps what `who` said of an item that waits for labels, in place of what they said before. Where as many as
    /// wanted have said the same, it is done; where they differ, that is for somebody to settle. The state it is in
    /// then; `None` where there is no such item.
    pub async fn label(
        &self,
        id: i64,
        who: &str,
        level: u32,
        comment: &str,
    ) -> Result<Option<ItemState>, StoreError> {
        self.said(id, who, level, comment, false).await
    }

    /// Settles an item, in place of what was settled before.
    pub async fn settle(
        &self,
        id: i64,
        who: &str,
        level: u32,
        comment: &str,
    ) -> Result<Option<ItemState>, StoreError> {
        self.said(id, who, level, comment, true).await
    }

    async fn said(
        &self,
        id: i64,
        who: &str,
        level: u32,
        comment: &str,
        settles: bool,
    ) -> Result<Option<ItemState>, StoreError> {
        let (scope, who, comment) = (self.scope.clone(), who.to_owned(), comment.to_owned());
        self.store
            .write_synced(move |tx| {
                let Some(known) = item(tx, &scope, id, Eyes::All)? else {
                    return Ok(None);
                };
                if !settles && known.state != ItemState::Open {
                    return Ok(Some(known.state));
                }
                if settles {
                    tx.prepare_cached("DELETE FROM annotation_labels WHERE item = ?1 AND settles = 1")?
                        .execute([id])?;
                }
                say(tx, id, &who, level, &comment, settles, Timestamp::now())?;
                recount(tx, id).map(Some)
            })
            .await
    }

    /// Adds items that come with labels of people: of those that are there, the labels only. Gives how many labels were
    /// kept.
    pub async fn import(
        &self,
        queue: i64,
        rows: Vec<(NewItem, Vec<AnnotationLabel>)>,
    ) -> Result<usize, StoreError> {
        self.store
            .write_synced(move |tx| {
                let mut kept = 0;
                for (new, labels) in &rows {
                    add(tx, queue, new)?;
                    let id: i64 = tx
                        .prepare_cached("SELECT id FROM annotation_items WHERE queue = ?1 AND key = ?2")?
                        .query_row(params![queue, new.key], |row| row.get(0))?;
                    for label in labels {
                        say(tx, id, &label.who, label.level, &label.comment, label.settles, label.created)?;
                        kept += 1;
                    }
                    recount(tx, id)?;
                }
                Ok(kept)
            })
            .await
    }

    /// How many items each person has labelled, by name.
    pub async fn labellers(&self, queue: i64) -> Result<Vec<(String, u64)>, StoreError> {
        self.store
            .read(move |conn| {
                let mut query = conn.prepare_cached(
                    "SELECT l.who, count(*) FROM annotation_labels AS l JOIN annotation_items AS i ON i.id = l.item
                     WHERE i.queue = ?1 AND l.settles = 0 GROUP BY l.who ORDER BY l.who",
                )?;
                let rows = query.query_map([queue], |row| Ok((row.get(0)?, row.get(1)?)))?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }
}

fn owned(eyes: Eyes<'_>) -> Option<String> {
    match eyes {
        Eyes::All => None,
        Eyes::Of(who) => Some(who.to_owned()),
    }
}

fn seen_by(who: Option<&str>) -> Eyes<'_> {
    who.map_or(Eyes::All, Eyes::Of)
}

fn queue(conn: &Connection, scope: &Scope, name: &str) -> Result<Option<Queue>, StoreError> {
    let mut query = conn.prepare_cached(
        "SELECT id, project, name, instructions, scale, wanted, created_ns FROM queues
         WHERE name = ?1 AND (?2 IS NULL OR project = ?2) ORDER BY project LIMIT 1",
    )?;
    Ok(query.query_row(params![name, scope.project()], read_queue).optional()?)
}

fn read_queue(row: &Row<'_>) -> rusqlite::Result<Queue> {
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

fn add(tx: &Transaction<'_>, queue: i64, item: &NewItem) -> Result<usize, StoreError> {
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

fn say(
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
fn recount(tx: &Transaction<'_>, id: i64) -> Result<ItemState, StoreError> {
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

fn item(
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
