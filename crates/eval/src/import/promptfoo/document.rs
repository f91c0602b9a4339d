//! An eval as a document of promptfoo's. One that was read from a document is that document, with what was changed
//! since: what an import made is known by its hashes.

use super::providers::provider_id;
use super::written::from_scorer;
use crate::spec::{Spec, TaskSpec, TemplateMessage};
use hanok_base::{Object, Role};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Members of an eval that stand for members of a document.
const MEMBERS: [&str; 6] = ["description", "dataset", "task", "repeats", "concurrency", "scorers"];
/// The hashes of rows, under this name.
const ROWS: &str = "rows";

/// What an import made, as hashes of its members and rows.
pub(super) fn made_of(spec: &Spec) -> BTreeMap<String, String> {
    let own = serde_json::to_value(spec).unwrap_or_default();
    let mut made: BTreeMap<String, String> =
        MEMBERS.iter().map(|name| ((*name).to_owned(), hash(own.get(*name)))).collect();
    let rows: Vec<String> = spec.dataset.rows.iter().flatten().map(mark).collect();
    made.insert(ROWS.to_owned(), rows.join(" "));
    made
}

/// The test or scenario that a row was made of, by its number from 0.
type Origin = (&'static str, usize);

fn origin(row: &Value) -> Option<Origin> {
    ["test", "scenario"].into_iter().find_map(|kind| {
        let number = row.pointer(&format!("/metadata/{kind}"))?.as_u64()?;
        Some((kind, usize::try_from(number).ok()?))
    })
}

/// A row's hash, with where it is from.
fn mark(row: &Value) -> String {
    let from = origin(row).map(|(kind, number)| format!("{kind}.{number}:")).unwrap_or_default();
    from + &hash(Some(row))
}

/// Enough of a value's hash to tell it from what people change it to.
fn hash(value: Option<&Value>) -> String {
    let text = value.map(Value::to_string).unwrap_or_default();
    blake3::hash(text.as_bytes()).to_hex().chars().take(10).collect()
}

/// The document of an eval.
pub(in crate::import) fn document(spec: &Spec) -> (Value, Vec<String>) {
    let own = serde_json::to_value(spec).unwrap_or_default();
    let source = spec.source.as_ref().filter(|source| source.format == "promptfoo");
    let kept = source.and_then(|source| {
        let document = serde_json::from_str::<Value>(&source.document).ok()?;
        Some((document.as_object()?.clone(), source))
    });
    let Some((mut document, source)) = kept else { return of_own(spec, &own) };
    let now = made_of(spec);
    let changed: Vec<&str> =
        MEMBERS.into_iter().filter(|name| now.get(*name) != source.made.get(*name)).collect();
    if changed.is_empty() {
        return (Value::Object(document), Vec::new());
    }
    let mut notes = vec![format!("changed since it was read: {}", changed.join(", "))];
    for name in &changed {
        match *name {
            "description" => {
                document.insert("description".to_owned(), spec.description.as_str().into());
            }
            "dataset" => dataset(spec, source.made.get(ROWS), &mut document, &mut notes),
            "task" => {
                let (prompts, providers) = task(spec, &mut notes);
                replace(&mut document, "prompts", source.prompt, prompts);
                let name = if document.contains_key("targets") { "targets" } else { "providers" };
                replace(&mut document, name, source.provider, providers);
            }
            "scorers" => {
                let added = everybodys(spec, &mut notes);
                let default = document.entry("defaultTest").or_insert_with(|| json!({}));
                if let Some(Value::Array(known)) = default.get_mut("assert") {
                    known.extend(added);
                } else if let Value::Object(default) = default {
                    default.insert("assert".to_owned(), Value::Array(added));
                }
            }
            name => {
                let options = document.entry("evaluateOptions").or_insert_with(|| json!({}));
                let (theirs, value) = if name == "repeats" {
                    ("repeat", json!(spec.repeats))
                } else {
                    ("maxConcurrency", json!(spec.concurrency))
                };
                if let Value::Object(options) = options {
                    options.insert(theirs.to_owned(), value);
                }
            }
        }
    }
    (Value::Object(document), notes)
}

/// Puts the one that was run in the place of the chosen one; the others stay. Where the list is of files, it is
/// replaced whole.
fn replace(document: &mut Object, name: &str, at: usize, one: Value) {
    let is_plain = |item: &Value| item.as_str().is_none_or(|text| !text.starts_with("file://"));
    match document.get_mut(name) {
        Some(Value::Array(items)) if items.iter().all(is_plain) && at < items.len() => {
            if let Some(item) = items.get_mut(at) {
                *item = one;
            }
        }
        _ => {
            document.insert(name.to_owned(), json!([one]));
        }
    }
}

/// The tests of changed rows. Tests none of whose rows were changed stay as they were, files and scenarios, too.
fn dataset(spec: &Spec, before: Option<&String>, document: &mut Object, notes: &mut Vec<String>) {
    let Some(rows) = &spec.dataset.rows else {
        let rows = elsewhere(spec, notes);
        document.insert("tests".to_owned(), rows);
        return;
    };
    let default = document.get("defaultTest").cloned().unwrap_or_default();
    let (tests, scenarios) = (listed(document.get("tests")), listed(document.get("scenarios")));
    let mut of: BTreeMap<Origin, Vec<&Value>> = BTreeMap::new();
    let mut fresh = Vec::new();
    for row in rows {
        let there =
            |(kind, number): &Origin| *number < if *kind == "test" { tests.len() } else { scenarios.len() };
        match origin(row).filter(there) {
            Some(place) => of.entry(place).or_default().push(row),
            None => fresh.push(row),
        }
    }
    let marked = |place: Origin| {
        let begins = format!("{}.{}:", place.0, place.1);
        let before =
            before.map(|text| text.split(' ').filter(|mark| mark.starts_with(&begins)).collect::<Vec<_>>());
        before.unwrap_or_default()
    };
    let (mut written, mut still) = (Vec::new(), Vec::new());
    for (kind, items) in [("test", &tests), ("scenario", &scenarios)] {
        for (number, item) in items.iter().enumerate() {
            let now = of.get(&(kind, number)).map(Vec::as_slice).unwrap_or_default();
            let marks: Vec<String> = now.iter().map(|row| mark(row)).collect();
            // Of what made no rows there are none to be changed.
            if marked((kind, number)) == marks {
                if kind == "test" { &mut written } else { &mut still }.push(item.clone());
                continue;
            }
            let came_of = Some(item).filter(|item| kind == "test" && item.is_object());
            written.extend(now.iter().map(|row| test(row, came_of, &default)));
        }
    }
    written.extend(fresh.into_iter().map(|row| test(row, None, &default)));
    // Scenarios whose rows were changed are tests now.
    if document.contains_key("scenarios") {
        document.insert("scenarios".to_owned(), Value::Array(still));
    }
    document.insert("tests".to_owned(), Value::Array(written));
}

fn listed(value: Option<&Value>) -> Vec<Value> {
    match value {
        Some(Value::Array(items)) => items.clone(),
        Some(Value::Null) | None => Vec::new(),
        Some(one) => vec![one.clone()],
    }
}

/// A row as a test: what the test it came of had beside variables and assertions stays.
fn test(row: &Value, came_of: Option<&Value>, default: &Value) -> Value {
    let metadata = row.get("metadata").and_then(Value::as_object);
    let member = |name: &str| metadata.and_then(|metadata| metadata.get(name));
    let mut test = came_of.and_then(Value::as_object).cloned().unwrap_or_default();
    let input = row.get("input").unwrap_or(row);
    let vars = if input.is_object() { input.clone() } else { json!({ "input": input }) };
    test.insert("vars".to_owned(), vars);
    let scorers: Vec<&Object> = member("scorers")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_object)
        .collect();
    let mut assertions: Vec<Value> = scorers.iter().filter_map(|scorer| from_scorer(scorer)).collect();
    // The last ones are everybody's, as long as they are what everybody's are.
    let theirs: &[Value] =
        default.get("assert").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let defaults = member("defaults").and_then(Value::as_u64).and_then(|count| usize::try_from(count).ok());
    let defaults = defaults.unwrap_or_default();
    if defaults == theirs.len() && assertions.ends_with(theirs) {
        assertions.truncate(assertions.len() - defaults);
    } else if let Value::Object(options) = test.entry("options").or_insert_with(|| json!({})) {
        options.insert("disableDefaultAsserts".to_owned(), true.into());
    }
    test.shift_remove("assert");
    if !assertions.is_empty() {
        test.insert("assert".to_owned(), Value::Array(assertions));
    }
    for name in ["description", "threshold"] {
        if let Some(value) = member(name).filter(|value| default.get(name) != Some(*value)) {
            test.insert(name.to_owned(), value.clone());
        }
    }
    Value::Object(test)
}

/// The scorers of every row, as assertions.
fn everybodys(spec: &Spec, notes: &mut Vec<String>) -> Vec<Value> {
    let mut assertions = Vec::new();
    for scorer in &spec.scorers {
        match from_scorer(scorer) {
            Some(assertion) => assertions.push(assertion),
            None => notes.push(format!(
                "the scorer `{}` has no counterpart there",
                scorer.get("name").or_else(|| scorer.get("kind")).and_then(Value::as_str).unwrap_or_default()
            )),
        }
    }
    assertions
}

/// Where rows are that are not in the eval's file.
fn elsewhere(spec: &Spec, notes: &mut Vec<String>) -> Value {
    if let Some(file) = &spec.dataset.file {
        return json!(format!("file://{}", file.display()));
    }
    notes.push("rows that are kept in the store are not in the file: export the dataset, too".to_owned());
    json!([])
}

/// The task as a prompt and a provider.
fn task(spec: &Spec, notes: &mut Vec<String>) -> (Value, Value) {
    match &spec.task {
        TaskSpec::Model(task) => {
            let mut config = serde_json::to_value(&task.sampling).unwrap_or_default();
            if let Some(schema) = config.as_object_mut().and_then(|config| config.shift_remove("schema")) {
                let format =
                    json!({ "type": "json_schema", "json_schema": { "name": "answer", "schema": schema } });
                if let Value::Object(config) = &mut config {
                    config.insert("response_format".to_owned(), format);
                }
            }
            let mut messages = task.messages.clone();
            let made = |role, text: &String| TemplateMessage { role, content: text.clone() };
            messages.extend(task.system.iter().map(|text| made(Role::System, text)));
            let text = match (&task.template, messages.is_empty()) {
                (Some(template), true) => template.clone(),
                (template, _) => {
                    messages.extend(template.iter().map(|text| made(Role::User, text)));
                    serde_json::to_string(&messages).unwrap_or_default()
                }
            };
            let text = if text == "[]" { "{{input}}".to_owned() } else { text };
            (json!(text), json!({ "id": provider_id(&task.model), "config": config }))
        }
        TaskSpec::Echo(task) => (json!(task.template.as_deref().unwrap_or("{{input}}")), json!("echo")),
        other => {
            notes.push(format!(
                "a task of the kind `{}` has no counterpart there; it is kept under metadata.hanok",
                other.kind()
            ));
            (json!("{{input}}"), json!("echo"))
        }
    }
}

/// An eval that was read from no document.
fn of_own(spec: &Spec, own: &Value) -> (Value, Vec<String>) {
    let mut notes = Vec::new();
    let (prompt, provider) = task(spec, &mut notes);
    let tests = match &spec.dataset.rows {
        Some(rows) => rows.iter().map(|row| test(row, None, &json!({}))).collect(),
        None => elsewhere(spec, &mut notes),
    };
    let everybodys = everybodys(spec, &mut notes);
    let document = json!({
        "description": spec.description, "prompts": [prompt], "providers": [provider],
        "defaultTest": { "assert": everybodys }, "tests": tests,
        "evaluateOptions": { "repeat": spec.repeats, "maxConcurrency": spec.concurrency },
        "metadata": { "hanok": own },
    });
    (document, notes)
}
