//! What people label, as they may see it: while an item waits for labels, nothing of what others said, nor of what a
//! judge did, nor of where it comes from, as that leads there.

use crate::House;
use crate::door::Visitor;
use crate::ui::view_annotation::{AnnotationView, ItemView, LabelRow, LabelView, QueueView, Show};
use hanok_eval::judge::Scale;
use hanok_eval::labels::part;
use hanok_store::{AnnotationItem, Annotations, Eyes, ItemState, Queue, QueueCounts, StoreError};

/// Items that can be moved along without asking the server for more.
const AHEAD: usize = 200;
/// Items of those that are done on one page.
pub(crate) const DONE: usize = 50;

/// A queue with what may be said in it.
pub(crate) struct Opened {
    pub(crate) queue: Queue,
    pub(crate) scale: Scale,
}

/// The queues that a visitor may see.
pub(crate) fn annotations<'a>(house: &'a House, visitor: &Visitor) -> Annotations<'a> {
    house.traces.store().annotations(visitor.only_project().map(Into::into))
}

/// The queue of this name, and of this project where one is named. One whose scale cannot be read is as good as none.
pub(crate) async fn opened(
    annotations: &Annotations<'_>,
    name: &str,
    project: Option<&str>,
) -> Result<Option<Opened>, StoreError> {
    let wanted = |queue: &Queue| queue.name == name && project.is_none_or(|project| queue.project == project);
    let found = annotations.queues().await?.into_iter().map(|(queue, _)| queue).find(wanted);
    Ok(found.and_then(with_scale))
}

fn with_scale(queue: Queue) -> Option<Opened> {
    match serde_json::from_value(queue.scale.clone()) {
        Ok(scale) => Some(Opened { queue, scale }),
        Err(error) => {
            tracing::error!(queue = queue.name, %error, "the labels of a queue could not be read");
            None
        }
    }
}

/// The queue of this number, and how `who` sees it now.
pub(crate) async fn counted(
    annotations: &Annotations<'_>,
    id: i64,
    who: &str,
) -> Result<Option<(Opened, QueueView)>, StoreError> {
    let Some((queue, counts, waiting)) = annotations.counted(id, who).await? else { return Ok(None) };
    Ok(with_scale(queue).map(|opened| {
        let view = queue_view(&opened, counts, waiting);
        (opened, view)
    }))
}

/// All queues, with what waits for `who`.
pub(crate) async fn queues(
    annotations: &Annotations<'_>,
    who: Option<&str>,
) -> Result<Vec<QueueView>, StoreError> {
    let mut found = Vec::new();
    for (queue, _) in annotations.queues().await? {
        found.extend(counted(annotations, queue.id, who.unwrap_or_default()).await?.map(|(_, view)| view));
    }
    Ok(found)
}

fn queue_view(opened: &Opened, counts: QueueCounts, waiting: u64) -> QueueView {
    let Opened { queue, scale } = opened;
    QueueView {
        name: queue.name.clone(),
        project: queue.project.clone(),
        instructions: queue.instructions.clone(),
        form: scale.form,
        labels: scale.labels.clone(),
        wanted: queue.wanted,
        open: counts.open,
        differing: counts.differing,
        done: counts.done,
        waiting,
    }
}

/// The list of queues.
pub(crate) async fn list(
    house: &House,
    visitor: &Visitor,
    who: Option<String>,
) -> Result<AnnotationView, StoreError> {
    let queues = queues(&annotations(house, visitor), who.as_deref()).await?;
    Ok(AnnotationView { queues, may_make: visitor.admin, who })
}

/// What is asked for of a queue.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    pub(crate) show: Show,
    /// The item; the first one where it is `None`, none at all where there is none of this number.
    pub(crate) item: Option<i64>,
    /// Of what is done, the number after which the page begins.
    pub(crate) after: i64,
}

/// A queue as `who` labels it.
pub(crate) async fn labelling(
    annotations: &Annotations<'_>,
    opened: &Opened,
    who: Option<String>,
    asked: Asked,
) -> Result<LabelView, StoreError> {
    let queue = opened.queue.id;
    let name = who.as_deref().unwrap_or_default();
    let counted = counted(annotations, queue, name).await?.map(|(_, view)| view).unwrap_or_default();
    let mut view = LabelView { queue: counted, show: asked.show, ..LabelView::default() };
    view.who = who.clone();
    let Some(who) = who else { return Ok(view) };
    match asked.show {
        Show::Label => view.items = annotations.waiting(queue, &who, AHEAD).await?,
        Show::Settle => {
            let differing = annotations.items(queue, Some(ItemState::Differing), 0, AHEAD, Eyes::All).await?;
            view.items = differing.iter().map(|item| item.id).collect();
        }
        Show::Done => {
            let done =
                annotations.items(queue, Some(ItemState::Done), asked.after, DONE, Eyes::Of(&who)).await?;
            view.next = done.last().filter(|_| done.len() == DONE).map(|last| last.id);
            view.done = done.iter().map(|item| item_view(item, &opened.scale)).collect();
        }
    }
    if let Some(id) = asked.item.or(view.items.first().copied()).filter(|_| asked.show != Show::Done) {
        let found = annotations.item(id, Eyes::Of(&who)).await?;
        let fits = |item: &AnnotationItem| {
            let wanted = if asked.show == Show::Settle { ItemState::Differing } else { ItemState::Open };
            item.queue == queue && item.state == wanted
        };
        view.item = found.filter(fits).map(|item| item_view(&item, &opened.scale));
    }
    Ok(view)
}

/// An item without what its reader should not see.
pub(crate) fn item_view(item: &AnnotationItem, scale: &Scale) -> ItemView {
    let label = |level: u32| {
        let level = usize::try_from(level).unwrap_or(usize::MAX);
        (level, scale.label(level).to_owned())
    };
    let labels = item.labels.iter().map(|said| {
        let (level, label) = label(said.level);
        LabelRow { who: said.who.clone(), level, label, comment: said.comment.clone(), settles: said.settles }
    });
    ItemView {
        id: item.id,
        question: part(item, "question"),
        answer: part(item, "answer"),
        other: part(item, "other"),
        reference: part(item, "reference"),
        labels: labels.collect(),
        outcome: item.level.map(|level| label(level).1),
        trace: item.origin.filter(|_| item.state == ItemState::Done).map(|(trace, span)| {
            span.map_or_else(|| trace.to_string(), |span| format!("{trace}?span={span}"))
        }),
    }
}
