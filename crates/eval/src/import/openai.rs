//! `OpenAI`'s evals: samples in JSON Lines (`{"input": messages or text, "ideal": text or texts}`), and the registry's
//! YAML that says by which class they are scored.

use super::{Choice, Exported, Imported, source, toml_of};
use crate::dataset::export::{Format, Lines};
use crate::dataset::{Columns, of_file, of_values};
use crate::file::FileError;
use crate::spec::{DatasetSpec, Spec};
use serde_json::{Value, json};
use std::path::Path;

/// An eval of samples: the answer begins with an ideal one, as the class `Match` has it.
pub(super) fn samples(path: &Path, model: Option<&str>) -> Result<Imported, FileError> {
    let columns = Columns::default();
    let mut rows = of_file(path, &columns)?;
    // The first row tells whether these are samples at all.
    let first = rows.next().ok_or_else(|| FileError::whole(path, "there is no sample in it"))??;
    let mut notes = Vec::new();
    if first.expected.is_none() {
        notes.push("the first sample has no `ideal`: nothing says what would be right".to_owned());
    }
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let file = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let eval = json!({
        "name": name, "dataset": { "file": file }, "task": task(model, &mut notes),
        "scorers": [scorer("match").unwrap_or_default()],
    });
    Ok(Imported { toml: toml_of(path, &eval)?, notes })
}

fn task(model: Option<&str>, notes: &mut Vec<String>) -> Value {
    if let Some(model) = model {
        return json!({ "kind": "model", "model": model });
    }
    notes.push("samples name no model: give one with --model".to_owned());
    json!({ "kind": "unsupported", "why": "samples name no model: write one under [task]" })
}

/// Whether a document is of the registry: members with a class or aliases of them.
pub(super) fn is_registry(document: &Value) -> bool {
    let members = document.as_object();
    members.is_some_and(|members| members.values().any(|value| value.get("class").is_some()))
}

/// An eval of the registry's first entry with a class.
pub(super) fn registry(document: &Value, model: Option<&str>) -> Result<(Value, Vec<String>), String> {
    let entries = document.as_object().into_iter().flatten();
    let with_class: Vec<(&String, &Value)> =
        entries.filter(|(_, value)| value.get("class").is_some()).collect();
    let (name, entry) = with_class.first().copied().ok_or("no entry has a class")?;
    let mut notes = Vec::new();
    if with_class.len() > 1 {
        notes.push(format!("of {} entries, `{name}` is run; the others are kept", with_class.len()));
    }
    let class = entry.get("class").and_then(Value::as_str).unwrap_or_default();
    let short = class.rsplit(':').next().unwrap_or_default().to_lowercase();
    let scorer = scorer(&short).unwrap_or_else(|| {
        notes.push(format!("the class `{class}` has no counterpart and fails until it is replaced"));
        json!({ "kind": "unsupported", "name": short, "why": format!("the class `{class}` has no counterpart") })
    });
    let file = entry.pointer("/args/samples_jsonl").and_then(Value::as_str);
    let file = file.ok_or_else(|| format!("`{name}` names no samples (args.samples_jsonl)"))?;
    let eval = json!({
        "name": name, "dataset": { "file": file }, "task": task(model, &mut notes), "scorers": [scorer],
        "source": source("openai", document, Choice::default(), model),
    });
    Ok((eval, notes))
}

/// The scorer of a class.
fn scorer(class: &str) -> Option<Value> {
    Some(match class {
        "match" => json!({ "kind": "contains", "name": "match", "at": "start" }),
        "includes" => json!({ "kind": "contains", "name": "includes" }),
        "jsonmatch" => json!({ "kind": "exact", "name": "json-match" }),
        _ => return None,
    })
}

/// The samples of an eval whose rows are in a file or in the eval itself.
pub(super) fn write(spec: &Spec) -> Result<Exported, FileError> {
    let DatasetSpec { file, rows, .. } = &spec.dataset;
    let columns = Columns::from(&spec.dataset);
    let found = match (file, rows) {
        (Some(file), _) => of_file(&spec.base().join(file), &columns)?,
        (None, Some(rows)) => of_values(&spec.path, rows.clone(), &columns),
        (None, None) => {
            let message =
                "its rows are in the store: `hanok dataset export NAME --format openai` writes them";
            return Err(FileError::whole(&spec.path, message));
        }
    };
    let lines = Lines::new(Format::OpenAi, Vec::new());
    let mut text = String::new();
    for sample in found {
        text.push_str(&lines.line(&sample?));
        text.push('\n');
    }
    let notes = vec!["samples hold no task and no scorers: those stay in the eval's file".to_owned()];
    Ok(Exported { text, notes })
}
