//! What people say of outputs: queues of items, and labels that are given without seeing anybody else's.
//!
//! What a level means is the queue's `scale`, which is decided above; here it is a number. Labels are blind: while an
//! item waits for labels, nobody who labels is shown what others said of it, and afterwards nobody's own is changed by
//! what they saw. The queries see to that.

mod rows;

pub(crate) use rows::{all, json};

use crate::traces::Scope;
use crate::{Store, StoreError};
use hanok_base::{Object, SpanId, Timestamp, TraceId};
use rows::{add, item, queue, read_queue, recount, say};
use rusqlite::{OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;
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

    /// The queue of this number, the counts of its items, and how many of them `who` should label.
    pub async fn counted(&self, id: i64, who: &str) -> Result<Option<(Queue, QueueCounts, u64)>, StoreError> {
        let (scope, who) = (self.scope.clone(), who.to_owned());
        self.store
            .read(move |conn| {
                let mut query = conn.prepare_cached(
                    "SELECT id, project, name, instructions, scale, wanted, created_ns,
                        (SELECT count(*) FROM annotation_items WHERE queue = q.id AND state = 0),
                        (SELECT count(*) FROM annotation_items WHERE queue = q.id AND state = 1),
                        (SELECT count(*) FROM annotation_items WHERE queue = q.id AND state = 2),
                        (SELECT count(*) FROM annotation_items AS i WHERE i.queue = q.id AND i.state = 0
                            AND NOT EXISTS (SELECT 1 FROM annotation_labels
                                WHERE item = i.id AND settles = 0 AND who = ?3))
                     FROM queues AS q WHERE id = ?1 AND (?2 IS NULL OR project = ?2)",
                )?;
                let row = query.query_row(params![id, scope.project(), who], |row| {
                    let counts = QueueCounts { open: row.get(7)?, differing: row.get(8)?, done: row.get(9)? };
                    Ok((read_queue(row)?, counts, row.get(10)?))
                });
                Ok(row.optional()?)
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

    /// The items that `who` should label, in the order of [`Self::next`], at most `limit`, by their numbers.
    pub async fn waiting(&self, queue: i64, who: &str, limit: usize) -> Result<Vec<i64>, StoreError> {
        let (scope, who) = (self.scope.clone(), who.to_owned());
        self.store
            .read(move |conn| {
                let mut query = conn.prepare_cached(
                    "SELECT i.id FROM annotation_items AS i JOIN queues AS q ON q.id = i.queue
                     WHERE i.queue = ?1 AND i.state = 0 AND (?3 IS NULL OR q.project = ?3)
                        AND NOT EXISTS (SELECT 1 FROM annotation_labels AS l
                            WHERE l.item = i.id AND l.settles = 0 AND l.who = ?2)
                     ORDER BY i.urgency DESC, i.id LIMIT ?4",
                )?;
                let limit = i64::try_from(limit).unwrap_or(i64::MAX);
                let ids = query.query_map(params![queue, who, scope.project(), limit], |row| row.get(0))?;
                Ok(ids.collect::<rusqlite::Result<_>>()?)
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
