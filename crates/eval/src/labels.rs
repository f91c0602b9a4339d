//! What people say of outputs: items of a queue out of files, experiments and traces, and items as a judge is shown
//! them.
//!
//! Deliberately not here: where they are kept (`hanok-store`), and what the labels are worth (`calibration`).

use crate::calibration::{HumanLabel, Item, JudgeSaid};
use crate::dataset::{self, Columns};
use crate::file::FileError;
use crate::judge::{Scale, question_of};
use crate::output::KeptOutput;
use crate::probe::ProbeCase;
use hanok_base::{Object, Sample, ScoreValue, SpanId, Timestamp, TraceId, Verdict};
use hanok_store::{AnnotationItem, AnnotationLabel, JudgeOpinion, NewItem, ResultRow};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::path::Path;

/// Who is meant where a file does not say who labelled.
pub const SOMEBODY: &str = "imported";

/// Reads items with labels out of a file of rows (`.jsonl`, `.csv` and what else datasets are read from). A row has an
/// `answer` (or `output`) and may have `id`, `question`, `reference` (or `expected`), `other`, `model` (that wrote it),
/// `cluster` and `origin`. Its labels are
///
/// - `label`, by `who`, with a `comment`; several rows of one id are several people's;
/// - or `label:NAME` and `comment:NAME`, a column for each;
/// - or `labels`, an object by name of labels or of `{"label", "comment"}`;
/// - and `settled`, by `settled_by`, what was decided where they differ.
///
/// A row without a label is an item to be labelled.
pub fn read(path: &Path, scale: &Scale) -> Result<Vec<(NewItem, Vec<AnnotationLabel>)>, FileError> {
    let mut rows: Vec<(NewItem, Vec<AnnotationLabel>)> = Vec::new();
    let mut places: HashMap<String, usize> = HashMap::new();
    for (at, sample) in dataset::of_file(path, &Columns::default())?.enumerate() {
        let fault = |reason: String| FileError::whole(path, format!("row {}: {reason}", at + 1));
        let (item, labels) = row(sample?, scale).map_err(fault)?;
        if let Some((_, known)) = places.get(&item.key).and_then(|place| rows.get_mut(*place)) {
            known.extend(labels);
        } else {
            places.insert(item.key.clone(), rows.len());
            rows.push((item, labels));
        }
    }
    Ok(rows)
}

fn row(sample: Sample, scale: &Scale) -> Result<(NewItem, Vec<AnnotationLabel>), String> {
    let mut members = sample.input;
    members.extend(sample.metadata);
    members.retain(|_, value| !value.is_null());
    let labels = labels(&mut members, scale)?;
    let mut take = |names: &[&str]| names.iter().find_map(|name| members.shift_remove(*name));
    let answer = take(&["answer", "output"]).ok_or("it has no `answer`")?;
    let question = take(&["question", "input"]);
    let reference = take(&["reference"]).or(sample.expected);
    let mut content = Object::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            content.insert(name.to_owned(), value);
        }
    };
    put("question", question);
    put("answer", Some(answer));
    put("reference", reference);
    content.extend(members);
    let key = if sample.id.is_empty() { key_of(&content) } else { sample.id };
    let item = NewItem {
        key,
        content,
        cluster: sample.cluster,
        origin: sample.origin.as_deref().and_then(origin),
        reason: "imported".to_owned(),
        urgency: 0,
    };
    Ok((item, labels))
}

/// A name for an item by what it holds.
fn key_of(content: &Object) -> String {
    let parts = json!([content.get("question"), content.get("answer"), content.get("other")]);
    blake3::hash(parts.to_string().as_bytes()).to_hex().chars().take(16).collect()
}

/// `TRACE_ID` or `TRACE_ID/SPAN_ID`.
fn origin(text: &str) -> Option<(TraceId, Option<SpanId>)> {
    match text.split_once('/') {
        None => Some((text.parse().ok()?, None)),
        Some((trace, span)) => Some((trace.parse().ok()?, Some(span.parse().ok()?))),
    }
}

fn labels(members: &mut Object, scale: &Scale) -> Result<Vec<AnnotationLabel>, String> {
    let now = Timestamp::now();
    let level = |value: &Value| {
        let level = value_of(value).and_then(|value| scale.level(&value));
        let level = level.and_then(|level| u32::try_from(level).ok());
        level.ok_or_else(|| format!("{value} is no label: `{}`", scale.labels.join("`, `")))
    };
    let label = |who: String, value: &Value, comment: String, settles: bool| {
        Ok::<_, String>(AnnotationLabel { who, level: level(value)?, comment, settles, created: now })
    };
    let text = |value: Option<Value>| value.map(|value| crate::template::text(&value)).unwrap_or_default();
    let mut found = Vec::new();
    if let Some(value) = members.shift_remove("label") {
        let who = text(members.shift_remove("who"));
        let who = if who.is_empty() { SOMEBODY.to_owned() } else { who };
        found.push(label(who, &value, text(members.shift_remove("comment")), false)?);
    }
    match members.shift_remove("labels") {
        None => {}
        Some(Value::Object(each)) => {
            for (who, said) in each {
                let (value, comment) = match &said {
                    Value::Object(said) => {
                        (said.get("label").unwrap_or(&Value::Null), text(said.get("comment").cloned()))
                    }
                    value => (value, String::new()),
                };
                found.push(label(who, value, comment, false)?);
            }
        }
        Some(other) => return Err(format!("`labels` is an object by name, not {other}")),
    }
    let columns: Vec<String> = members.keys().filter(|name| name.starts_with("label:")).cloned().collect();
    for column in columns {
        let who = column.trim_start_matches("label:").trim().to_owned();
        if let Some(value) = members.shift_remove(&column) {
            let comment = text(members.shift_remove(&format!("comment:{who}")));
            found.push(label(who, &value, comment, false)?);
        }
    }
    members.retain(|name, _| !name.starts_with("comment:"));
    if let Some(value) = members.shift_remove("settled") {
        let who = text(members.shift_remove("settled_by"));
        let who = if who.is_empty() { SOMEBODY.to_owned() } else { who };
        found.push(label(who, &value, String::new(), true)?);
    }
    Ok(found)
}

fn value_of(value: &Value) -> Option<ScoreValue> {
    match value {
        Value::Bool(yes) => Some(ScoreValue::Truth(*yes)),
        Value::Number(number) => number.as_f64().map(ScoreValue::Number),
        Value::String(label) => Some(ScoreValue::Label(label.clone())),
        _ => None,
    }
}

/// An item of a result of an experiment; `None` where the task failed, or its output was removed.
pub fn of_result(row: &ResultRow, model: Option<&str>) -> Option<NewItem> {
    let sample: Sample = serde_json::from_str(&row.sample).ok()?;
    let output: KeptOutput = serde_json::from_str(row.output.as_deref()?).ok()?;
    if output.removed {
        return None;
    }
    let mut content = Object::new();
    content.insert("question".to_owned(), question_of(&sample.input).into());
    content.insert("answer".to_owned(), output.text.into());
    if let Some(expected) = &sample.expected {
        content.insert("reference".to_owned(), expected.clone());
    }
    if let Some(model) = model {
        content.insert("model".to_owned(), model.into());
    }
    let key = format!("{}:{}", sample.id, key_of(&content));
    Some(NewItem {
        key,
        content,
        // Repeats of one sample are alike.
        cluster: sample.cluster.or(Some(sample.id)),
        origin: row.trace.map(|trace| (trace, None)).or_else(|| sample.origin.as_deref().and_then(origin)),
        reason: "experiment".to_owned(),
        urgency: 0,
    })
}

/// An item of a trace as a dataset has it: its question is the input, its answer what was answered. `None` of one
/// without an answer.
pub fn of_trace_sample(sample: &Sample, reason: &str, urgency: u32) -> Option<NewItem> {
    let answer = sample.metadata.get("output").cloned()?;
    let mut content = Object::new();
    content.insert("question".to_owned(), question_of(&sample.input).into());
    content.insert("answer".to_owned(), answer);
    // Scores are left out: who labels is to see neither the judge's nor anybody else's.
    for name in ["model", "prompt"] {
        if let Some(value) = sample.metadata.get(name) {
            content.insert(name.to_owned(), value.clone());
        }
    }
    let origin = sample.origin.as_deref().and_then(origin);
    let key = sample.origin.clone().unwrap_or_else(|| key_of(&content));
    Some(NewItem {
        key,
        content,
        cluster: sample.cluster.clone(),
        origin,
        reason: reason.to_owned(),
        urgency,
    })
}

/// The text of a member of an item's content; nothing of none.
pub fn part(item: &AnnotationItem, name: &str) -> Option<String> {
    item.content.get(name).filter(|value| !value.is_null()).map(crate::template::text)
}

/// An item as calibration sees it.
pub fn checked(item: &AnnotationItem, said: Option<&JudgeOpinion>) -> Item {
    let size = |level: u32| usize::try_from(level).unwrap_or(usize::MAX);
    let people = item.labels.iter().filter(|label| !label.settles).map(|label| HumanLabel {
        who: label.who.clone(),
        level: size(label.level),
        comment: label.comment.clone(),
    });
    let settled = item.labels.iter().find(|label| label.settles).map(|label| size(label.level));
    let judge = said.map_or(JudgeSaid::Failed, |said| {
        let verdict = serde_json::from_value(said.verdict.clone());
        let verdict = verdict.unwrap_or_else(|error| Verdict::Failed(error.to_string()));
        JudgeSaid::of(&verdict, said.level.map(size))
    });
    Item {
        id: item.key.clone(),
        cluster: item.cluster.clone(),
        answer: part(item, "answer").unwrap_or_default(),
        people: people.collect(),
        settled,
        judge,
        reasoning: said.map(|said| said.reasoning.clone()).unwrap_or_default(),
    }
}

/// An item as probes see it.
pub fn probed(item: &AnnotationItem, said: Option<&JudgeOpinion>, with_reference: bool) -> ProbeCase {
    let checked = checked(item, said);
    ProbeCase {
        id: item.key.clone(),
        cluster: item.cluster.clone(),
        question: part(item, "question").unwrap_or_default(),
        reference: part(item, "reference").filter(|_| with_reference),
        truth: checked.truth(),
        said: checked.judge.level(),
        answer: checked.answer,
        other: part(item, "other"),
        author: part(item, "model"),
        origin: item.origin.map(|(trace, _)| trace),
    }
}
