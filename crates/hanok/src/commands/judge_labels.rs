//! `hanok judge labels`

use super::judge::scale_of;
use crate::cli::{JudgeLabels, QueueMade};
use crate::config::Effective;
use crate::output;
use crate::wiring::{EvalHouse, evals_to_read};
use anyhow::{Context as _, bail};
use hanok_base::{Object, ScoreValue};
use hanok_eval::dataset::from_traces;
use hanok_eval::judge::Scale;
use hanok_eval::{Keeper, labels};
use hanok_store::evals::ResultFilter;
use hanok_store::{AnnotationItem, NewItem, NewQueue, Queue};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::path::Path;

/// Results read at once.
const PAGE: usize = 500;

/// What a new queue is made with.
pub(super) struct Made {
    /// What may be said.
    pub(super) scale: Scale,
    /// How many label each item.
    pub(super) wanted: Option<u32>,
    /// What people are asked.
    pub(super) instructions: Option<String>,
}

/// Runs the command.
pub(super) async fn run(effective: &Effective, command: JudgeLabels) -> anyhow::Result<()> {
    let house = match &command {
        // These only read.
        JudgeLabels::Ls(_) | JudgeLabels::Next { .. } | JudgeLabels::Export { .. } => {
            return read(&evals_to_read(effective)?.runner.keeper, command).await;
        }
        _ => EvalHouse::open(effective, false).await?,
    };
    let done = write(&house, command).await;
    house.close().await?;
    done
}

async fn read(keeper: &Keeper, command: JudgeLabels) -> anyhow::Result<()> {
    match command {
        JudgeLabels::Ls(json) => ls(keeper, json.json).await,
        JudgeLabels::Next { queue, who, differing, json } => {
            let queue = known(keeper, &queue).await?;
            let scale = scale(&queue)?;
            let item = if differing {
                keeper.next_differing(queue.id).await?
            } else {
                keeper.next_item(queue.id, who).await?
            };
            if json.json {
                return output::json(
                    &json!({ "item": item, "scale": scale, "instructions": queue.instructions }),
                );
            }
            match item {
                None => output::note("there is nothing left for you in this queue"),
                Some(item) => show(&queue, &scale, &item)?,
            }
            Ok(())
        }
        JudgeLabels::Export { queue, output: file } => {
            let queue = known(keeper, &queue).await?;
            let scale = scale(&queue)?;
            let mut text = String::new();
            for (item, _) in keeper.pairs(queue.id, String::new()).await? {
                // Writing to a string cannot fail.
                let _ = writeln!(text, "{}", exported(&item, &scale));
            }
            match file {
                None => Ok(output::text(&text)?),
                Some(file) => std::fs::write(&file, text).with_context(|| file.display().to_string()),
            }
        }
        _ => bail!("this command is run elsewhere"),
    }
}

async fn write(house: &EvalHouse, command: JudgeLabels) -> anyhow::Result<()> {
    let keeper = &house.experiments.runner.keeper;
    match command {
        JudgeLabels::Import { queue, file, made, json } => {
            let (items, labels) = import(keeper, &queue, &file, made_of(&made)?).await?;
            if json.json {
                return output::json(&json!({ "queue": queue, "items": items, "labels": labels }));
            }
            Ok(output::line(output::safe(&format!("{queue}: {items} items, {labels} labels")))?)
        }
        JudgeLabels::Add { queue, experiment, traces, limit, made, json } => {
            let items = match (experiment, traces) {
                (Some(id), _) => of_experiment(keeper, id, limit).await?,
                (None, Some(filter)) => of_traces(house, &filter, limit).await?,
                (None, None) => bail!("name an --experiment, or --traces by a filter"),
            };
            let queue = ensure(keeper, &queue, made_of(&made)?).await?;
            let (found, name) = (items.len(), queue.name);
            let added = keeper.add_items(queue.id, items).await?;
            if json.json {
                return output::json(&json!({ "queue": name, "found": found, "added": added }));
            }
            Ok(output::line(output::safe(&format!("{name}: {added} of {found} items are new")))?)
        }
        JudgeLabels::Set { item, label, who, comment, settle } => {
            let found = keeper.item(item, Some(who.clone())).await?;
            let found = found.with_context(|| format!("there is no item {item}"))?;
            let queues = keeper.queues().await?;
            let queue = queues.into_iter().find(|(queue, _)| queue.id == found.queue);
            let scale = scale(&queue.with_context(|| format!("the item {item} is in no queue"))?.0)?;
            let level = scale.level(&ScoreValue::Label(label.clone()));
            let level = level.and_then(|level| u32::try_from(level).ok()).with_context(|| {
                format!("`{label}` is no label of this queue: {}", scale.labels.join(", "))
            })?;
            let state = if settle {
                keeper.settle(item, who, level, comment).await?
            } else {
                keeper.label(item, who, level, comment).await?
            };
            let state = state.with_context(|| format!("there is no item {item}"))?;
            Ok(output::line(format!("item {item}: {}", state.as_str()))?)
        }
        JudgeLabels::Rm { queue } => {
            if !keeper.remove_queue(queue.clone()).await? {
                bail!("there is no queue `{queue}`; `hanok judge labels ls` lists them");
            }
            Ok(())
        }
        _ => bail!("this command is run elsewhere"),
    }
}

fn made_of(made: &QueueMade) -> anyhow::Result<Option<Made>> {
    let scale = scale_of(&made.levels, made.pairwise)?;
    if scale.is_none() && made.wanted.is_none() && made.instructions.is_none() {
        return Ok(None);
    }
    Ok(Some(Made {
        scale: scale.unwrap_or_else(Scale::binary),
        wanted: made.wanted,
        instructions: made.instructions.clone(),
    }))
}

async fn known(keeper: &Keeper, name: &str) -> anyhow::Result<Queue> {
    let queue = keeper.queue(name.to_owned()).await?;
    queue.with_context(|| format!("there is no queue `{name}`; `hanok judge labels ls` lists them"))
}

/// The queue of this name, made or changed where that is asked for.
async fn ensure(keeper: &Keeper, name: &str, made: Option<Made>) -> anyhow::Result<Queue> {
    let before = keeper.queue(name.to_owned()).await?;
    let made = match (before, made) {
        (Some(queue), None) => return Ok(queue),
        (before, made) => {
            let made = made.unwrap_or(Made { scale: Scale::binary(), wanted: None, instructions: None });
            NewQueue {
                project: before.as_ref().map(|queue| queue.project.clone()).unwrap_or_default(),
                name: name.to_owned(),
                instructions: made
                    .instructions
                    .or_else(|| before.as_ref().map(|queue| queue.instructions.clone()))
                    .unwrap_or_default(),
                scale: serde_json::to_value(&made.scale)?,
                wanted: made.wanted.or_else(|| before.as_ref().map(|queue| queue.wanted)).unwrap_or(1),
            }
        }
    };
    let made = keeper.put_queue(made).await?;
    made.with_context(|| format!("the queue `{name}` has labels of another scale; take another queue"))
}

/// Brings a file's items and labels into a queue; gives how many of each.
pub(super) async fn import(
    keeper: &Keeper,
    queue: &str,
    file: &Path,
    made: Option<Made>,
) -> anyhow::Result<(usize, usize)> {
    let queue = ensure(keeper, queue, made).await?;
    let rows = labels::read(file, &scale(&queue)?)?;
    let items = rows.len();
    Ok((items, keeper.import_labels(queue.id, rows).await?))
}

fn scale(queue: &Queue) -> anyhow::Result<Scale> {
    serde_json::from_value(queue.scale.clone())
        .with_context(|| format!("the scale of the queue `{}`", queue.name))
}

async fn of_experiment(keeper: &Keeper, id: i64, limit: usize) -> anyhow::Result<Vec<NewItem>> {
    let experiment = keeper.experiment(id).await?;
    let experiment =
        experiment.with_context(|| format!("there is no experiment {id}; `hanok eval ls` lists them"))?;
    let task: Value = serde_json::from_str(&experiment.task).unwrap_or_default();
    let model = task.get("model").and_then(Value::as_str);
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = keeper.results(id, ResultFilter::default(), after, PAGE).await?;
        items.extend(page.rows.iter().filter_map(|row| labels::of_result(row, model)));
        after = page.next;
        if after.is_none() || items.len() >= limit {
            items.truncate(limit);
            return Ok(items);
        }
    }
}

async fn of_traces(house: &EvalHouse, filter: &str, limit: usize) -> anyhow::Result<Vec<NewItem>> {
    let traces = house.experiments.traces.as_ref().context("there are no records to take items from")?;
    let taken = from_traces::Taken { limit, answers_are_right: false };
    let rows = from_traces::rows(traces, filter, taken).await?;
    Ok(rows.iter().filter_map(|row| labels::of_trace_sample(row, "trace", 0)).collect())
}

async fn ls(keeper: &Keeper, as_json: bool) -> anyhow::Result<()> {
    let queues = keeper.queues().await?;
    if as_json {
        let all: Vec<Value> =
            queues.iter().map(|(queue, counts)| json!({ "queue": queue, "items": counts })).collect();
        return output::json(&json!({ "queues": all }));
    }
    if queues.is_empty() {
        output::note("there is no queue yet; try `hanok judge labels import NAME FILE`");
    }
    for (queue, counts) in queues {
        output::line(output::safe(&format!(
            "{:<28} {:>6} open  {:>6} differing  {:>6} done  {} a label each",
            queue.name, counts.open, counts.differing, counts.done, queue.wanted
        )))?;
    }
    Ok(())
}

fn show(queue: &Queue, scale: &Scale, item: &AnnotationItem) -> anyhow::Result<()> {
    let mut lines = vec![format!("item {}  ({})", item.id, item.reason)];
    if !queue.instructions.is_empty() {
        lines.push(queue.instructions.clone());
    }
    // Who wrote it must not count.
    for name in ["question", "reference", "answer", "other"] {
        if let Some(text) = labels::part(item, name) {
            lines.push(format!("\n{name}\n  {}", text.replace('\n', "\n  ")));
        }
    }
    for label in &item.labels {
        let level = usize::try_from(label.level).unwrap_or(usize::MAX);
        lines.push(format!("\n{} said {}  {}", label.who, scale.label(level), label.comment));
    }
    lines.push(format!("\nlabels: {}", scale.labels.join(", ")));
    for line in lines {
        output::line(output::safe(&line))?;
    }
    Ok(())
}

/// An item as `import` reads it again.
fn exported(item: &AnnotationItem, scale: &Scale) -> Value {
    let mut row = Object::new();
    row.insert("id".to_owned(), item.key.clone().into());
    row.extend(item.content.clone());
    let label = |level: u32| scale.label(usize::try_from(level).unwrap_or(usize::MAX)).to_owned();
    let given: Object = item
        .labels
        .iter()
        .filter(|said| !said.settles)
        .map(|said| (said.who.clone(), json!({ "label": label(said.level), "comment": said.comment })))
        .collect();
    let mut put = |name: &str, value: Value| {
        row.insert(name.to_owned(), value);
    };
    put("labels", Value::Object(given));
    if let Some(settled) = item.labels.iter().find(|said| said.settles) {
        put("settled", label(settled.level).into());
        put("settled_by", settled.who.clone().into());
    }
    if let Some(cluster) = &item.cluster {
        put("cluster", cluster.clone().into());
    }
    if let Some((trace, span)) = item.origin {
        put("origin", hanok_base::Sample::origin_of(trace, span).into());
    }
    Value::Object(row)
}
