//! What people label, over the API: queues, items as somebody may see them, and verdicts.
//!
//! Blind: while an item waits for labels, an answer holds nobody's but the asker's own, and nothing else that tells what
//! a judge or its users said of it.

use crate::House;
use crate::api::{answered, parsed};
use crate::door::Visitor;
use crate::params::{Path, Query};
use crate::present::annotation::{self as shown, Opened, annotations, item_view};
use crate::ui::view_annotation::{ItemView, QueueView};
use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use hanok_base::{ErrorKind, Problem, ScoreValue};
use hanok_eval::judge::Scale;
use hanok_store::{AnnotationItem, Annotations, Eyes, ItemState, StoreError};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Items of one answer at most.
const MOST: usize = 500;
/// Characters of a name and of a note.
const NAME: usize = 60;
const NOTE: usize = 4000;

pub(crate) fn problem_of(error: &StoreError) -> Problem {
    tracing::error!(error = error as &dyn std::error::Error, "annotations could not be read or written");
    Problem::new(ErrorKind::Unavailable, "store_unavailable", "annotations cannot be read or written now")
        .hint("the server's log says why")
}

pub(crate) fn no_queue(name: &str) -> Problem {
    Problem::new(ErrorKind::NotFound, "queue_not_found", format!("there is no queue `{name}`"))
        .hint("`GET /api/annotations` lists them")
}

fn no_item(id: &str) -> Problem {
    Problem::new(ErrorKind::NotFound, "item_not_found", format!("there is no item `{id}`"))
}

fn wrong(message: &str, param: &str) -> Problem {
    Problem::new(ErrorKind::InvalidRequest, "invalid_request", message).param(param)
}

/// Who labels: the key's name, or the name that is given where there is no key. Nobody labels in the name of another
/// key.
pub(crate) fn labeller(visitor: &Visitor, given: Option<&str>) -> Result<String, Problem> {
    let given = given.map(str::trim).filter(|name| !name.is_empty());
    match (&visitor.key, given) {
        (Some(key), Some(name)) if *key.name != *name => {
            let message = "with a key one labels under the key's name";
            Err(Problem::new(ErrorKind::Forbidden, "not_your_name", message).param("who"))
        }
        (Some(key), _) => Ok(key.name.to_string()),
        (None, Some(name)) if name.chars().count() <= NAME && !name.chars().any(char::is_control) => {
            Ok(name.to_owned())
        }
        (None, Some(_)) => Err(wrong("`who` is a name of at most 60 characters", "who")),
        (None, None) => Err(wrong("say who labels: `who`", "who")),
    }
}

#[derive(Deserialize)]
pub(crate) struct WhoQuery {
    who: Option<String>,
    project: Option<String>,
}

/// `GET /api/annotations`: the queues, each with how many items wait for the asker.
pub(crate) async fn queues(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<WhoQuery>,
) -> Response {
    let found = async {
        let who = labeller(&visitor, query.who.as_deref()).ok();
        let queues = shown::queues(&annotations(&house, &visitor), who.as_deref()).await;
        let queues = queues.map_err(|error| problem_of(&error))?;
        Ok(
            json!({ "queues": queues.iter().map(|queue| queue_value(queue, who.is_some())).collect::<Vec<_>>() }),
        )
    };
    answered(found.await)
}

fn queue_value(queue: &QueueView, named: bool) -> Value {
    json!({
        "name": queue.name, "project": queue.project, "instructions": queue.instructions, "form": queue.form,
        "labels": queue.labels, "wanted": queue.wanted, "open": queue.open, "differing": queue.differing,
        "done": queue.done, "waiting": named.then_some(queue.waiting),
    })
}

/// An item as its reader may see it.
fn item_value(item: &ItemView, state: ItemState) -> Value {
    let labels: Vec<Value> = item
        .labels
        .iter()
        .map(|said| {
            json!({ "who": said.who, "level": said.level, "label": said.label, "comment": said.comment, "settles": said.settles })
        })
        .collect();
    json!({
        "id": item.id, "state": state, "question": item.question, "answer": item.answer, "other": item.other,
        "reference": item.reference, "labels": labels, "outcome": item.outcome,
        "trace_id": item.trace.as_deref().and_then(|place| place.split('?').next()),
    })
}

async fn queue_of(
    annotations: &Annotations<'_>,
    name: &str,
    project: Option<&str>,
) -> Result<Opened, Problem> {
    let found = shown::opened(annotations, name, project).await.map_err(|error| problem_of(&error))?;
    found.ok_or_else(|| no_queue(name))
}

/// `GET /api/annotations/{queue}/next`: what the asker should label next.
pub(crate) async fn next(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
    Query(query): Query<WhoQuery>,
) -> Response {
    let found = async {
        let annotations = annotations(&house, &visitor);
        let who = labeller(&visitor, query.who.as_deref())?;
        let opened = queue_of(&annotations, &name, query.project.as_deref()).await?;
        let next = annotations.next(opened.queue.id, &who).await.map_err(|error| problem_of(&error))?;
        Ok(json!({ "item": next.map(|item| item_value(&item_view(&item, &opened.scale), item.state)) }))
    };
    answered(found.await)
}

#[derive(Deserialize)]
pub(crate) struct ItemsQuery {
    who: Option<String>,
    project: Option<String>,
    state: Option<ItemState>,
    #[serde(default)]
    after: i64,
    limit: Option<usize>,
}

/// `GET /api/annotations/{queue}/items`: the items of a queue, oldest first.
pub(crate) async fn items(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
    Query(query): Query<ItemsQuery>,
) -> Response {
    let found = async {
        let annotations = annotations(&house, &visitor);
        let who = labeller(&visitor, query.who.as_deref())?;
        let opened = queue_of(&annotations, &name, query.project.as_deref()).await?;
        let limit = query.limit.unwrap_or(100).clamp(1, MOST);
        let items = annotations.items(opened.queue.id, query.state, query.after, limit, Eyes::Of(&who)).await;
        let items = items.map_err(|error| problem_of(&error))?;
        let next = items.last().filter(|_| items.len() == limit).map(|last| last.id);
        let shown: Vec<Value> =
            items.iter().map(|item| item_value(&item_view(item, &opened.scale), item.state)).collect();
        Ok(json!({ "items": shown, "next": next }))
    };
    answered(found.await)
}

/// An item as `who` may see it, with its queue.
async fn known(
    annotations: &Annotations<'_>,
    id: &str,
    who: &str,
) -> Result<(AnnotationItem, Opened), Problem> {
    let number: i64 = id.parse().map_err(|_| no_item(id))?;
    let read = async {
        let Some(item) = annotations.item(number, Eyes::Of(who)).await? else { return Ok(None) };
        Ok(shown::counted(annotations, item.queue, who).await?.map(|(opened, _)| (item, opened)))
    };
    let found = read.await.map_err(|error: StoreError| problem_of(&error))?;
    found.ok_or_else(|| no_item(id))
}

/// `GET /api/annotations/items/{id}`: an item.
pub(crate) async fn item(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
    Query(query): Query<WhoQuery>,
) -> Response {
    let found = async {
        let annotations = annotations(&house, &visitor);
        let who = labeller(&visitor, query.who.as_deref())?;
        let (item, opened) = known(&annotations, &id, &who).await?;
        Ok(item_value(&item_view(&item, &opened.scale), item.state))
    };
    answered(found.await)
}

/// What somebody says of an item.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    /// A label of the queue, or
    pub(crate) label: Option<Value>,
    /// its place, 0 for the worst.
    pub(crate) level: Option<u32>,
    #[serde(default)]
    pub(crate) comment: String,
    pub(crate) who: Option<String>,
}

impl Said {
    fn level(&self, scale: &Scale) -> Result<u32, Problem> {
        let known = |level: &u32| usize::try_from(*level).is_ok_and(|level| level < scale.labels.len());
        let named = || {
            let value = match self.label.as_ref()? {
                Value::String(label) => ScoreValue::Label(label.clone()),
                Value::Bool(yes) => ScoreValue::Truth(*yes),
                other => ScoreValue::Number(other.as_f64()?),
            };
            u32::try_from(scale.level(&value)?).ok()
        };
        let level = if self.level.is_some() { self.level } else { named() };
        level.filter(known).ok_or_else(|| {
            wrong(&format!("say one of the queue's labels: `{}`", scale.labels.join("`, `")), "label")
        })
    }
}

/// Keeps what somebody said, and says where the item is then.
pub(crate) async fn say(
    house: &House,
    visitor: &Visitor,
    id: &str,
    said: &Said,
    settles: bool,
) -> Result<Value, Problem> {
    let annotations = annotations(house, visitor);
    let who = labeller(visitor, said.who.as_deref())?;
    let (before, opened) = known(&annotations, id, &who).await?;
    let level = said.level(&opened.scale)?;
    if said.comment.chars().count() > NOTE {
        return Err(wrong("a note has at most 4000 characters", "comment"));
    }
    let conflict = |message: &str| Problem::new(ErrorKind::Conflict, "item_is_not_open", message);
    let kept = if settles {
        if before.state == ItemState::Open {
            return Err(conflict("the item still waits for labels: there is nothing to settle"));
        }
        annotations.settle(before.id, &who, level, &said.comment).await
    } else {
        annotations.label(before.id, &who, level, &said.comment).await
    };
    let state = kept.map_err(|error| problem_of(&error))?.ok_or_else(|| no_item(id))?;
    // Where others said enough meanwhile, nothing was kept.
    let after = annotations.item(before.id, Eyes::Of(&who)).await.map_err(|error| problem_of(&error))?;
    let is_kept = after.is_some_and(|item| {
        let own = item.labels.iter().find(|label| label.who == who && label.settles == settles);
        own.is_some_and(|own| own.level == level && own.comment == said.comment)
    });
    if !is_kept {
        return Err(conflict("the item has enough labels: what was said of it is not changed any more"));
    }
    let queue = shown::counted(&annotations, before.queue, &who).await.map_err(|error| problem_of(&error))?;
    Ok(json!({ "state": state, "queue": queue.map(|(_, queue)| queue_value(&queue, true)) }))
}

async fn spoken(house: &House, visitor: &Visitor, id: &str, request: Request, settles: bool) -> Response {
    let found = async {
        let limit = house.settings.load().body_limit.min(1 << 20);
        let said: Said = parsed(request, limit).await?;
        say(house, visitor, id, &said, settles).await
    };
    answered(found.await)
}

/// `POST /api/annotations/items/{id}/label`: labels an item that waits for labels, in place of the asker's label before.
pub(crate) async fn label(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
    request: Request,
) -> Response {
    spoken(&house, &visitor, &id, request, false).await
}

/// `POST /api/annotations/items/{id}/settle`: settles an item on which people differ, or settles it anew.
pub(crate) async fn settle(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
    request: Request,
) -> Response {
    spoken(&house, &visitor, &id, request, true).await
}
