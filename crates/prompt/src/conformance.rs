//! The public cases of dotprompt's specification, driven from their own files.

use crate::picoschema::Schemas;
use crate::prompt::{Partials, Prompt};
use crate::turns::{Said, Speaker, Turn, assemble};
use hanok_base::Object;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

/// Where the cases are: beside the repository.
fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/dotprompt-spec")
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "yaml") {
            found.push(path);
        }
    }
}

/// A turn as the cases write it.
fn written(turn: Turn) -> Value {
    let role = match turn.speaker {
        Speaker::System => "system",
        Speaker::User => "user",
        Speaker::Model => "model",
    };
    let content: Vec<Value> = turn
        .said
        .into_iter()
        .map(|said| match said {
            Said::Text(text) => json!({ "text": text }),
            Said::Media { url, content_type: None } => json!({ "media": { "url": url } }),
            Said::Media { url, content_type } => {
                json!({ "media": { "url": url, "contentType": content_type } })
            }
            Said::Section(purpose) => json!({ "metadata": { "purpose": purpose, "pending": true } }),
        })
        .collect();
    json!({ "role": role, "content": content })
}

fn marked(message: &Value) -> Value {
    let mut message = message.clone();
    message["metadata"]["purpose"] = "history".into();
    message
}

/// Both values with what is unordered in a JSON Schema in one order.
fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(object) => {
            let of = |(name, value): (&String, &Value)| {
                let mut value = sorted(value);
                if name == "required"
                    && let Value::Array(names) = &mut value
                {
                    names.sort_by_key(ToString::to_string);
                }
                (name.clone(), value)
            };
            object.iter().map(of).collect::<Object>().into()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

fn object(value: Option<&Value>) -> Object {
    value.and_then(Value::as_object).cloned().unwrap_or_default()
}

fn check(suite: &Value, case: &Value) -> Result<(), String> {
    let mut partials = Partials::new();
    for member in ["partials", "resolverPartials"] {
        for (name, source) in object(suite.get(member)) {
            partials.insert(name, source.as_str().unwrap_or_default().to_owned());
        }
    }
    let schemas: Schemas =
        ["schemas", "resolverSchemas"].iter().flat_map(|member| object(suite.get(*member))).collect();
    let template = suite["template"].as_str().unwrap_or_default();
    let prompt =
        Prompt::parse_with("case", template, &partials, &schemas).map_err(|error| error.to_string())?;
    let mut data = object(suite.get("data"));
    data.extend(object(case.get("data")));
    let mut variables = object(case.pointer("/options/input/default"));
    variables.extend(object(data.get("input")));
    let history = data.get("messages").and_then(Value::as_array).cloned().unwrap_or_default();
    let variables = prompt.prepared(&variables).map_err(|error| error.to_string())?;
    let slots = prompt.turns(variables, &object(data.get("context"))).map_err(|error| error.to_string())?;
    let messages = assemble(slots, &history, written, marked);

    let expect = &case["expect"];
    let told = |what: &str, got: Value, wanted: Value| {
        let (got, wanted) = (sorted(&got), sorted(&wanted));
        if got == wanted { Ok(()) } else { Err(format!("{what}\n   got {got}\nwanted {wanted}")) }
    };
    let metadata = prompt.metadata();
    told("messages", messages.into(), expect["messages"].clone())?;
    told(
        "config",
        metadata.config.clone().into(),
        expect.get("config").cloned().unwrap_or_else(|| json!({})),
    )?;
    told("ext", metadata.ext.clone().into(), expect.get("ext").cloned().unwrap_or_else(|| json!({})))?;
    told("model", json!(metadata.model), expect.get("model").cloned().unwrap_or_default())?;
    told(
        "output",
        json!(metadata.output_schema),
        expect.pointer("/output/schema").cloned().unwrap_or_default(),
    )?;
    if let Some(schema) = expect.pointer("/input/schema") {
        told("input", json!(metadata.input_schema), schema.clone())?;
    }
    if let Some(default) = expect.pointer("/input/default") {
        told("default", object(case.pointer("/options/input/default")).into(), default.clone())?;
    }
    if let Some(raw) = expect.get("raw") {
        told("raw", metadata.raw.clone().into(), raw.clone())?;
    }
    let known = ["messages", "config", "ext", "model", "output", "input", "raw"];
    match object(Some(expect)).keys().find(|name| !known.contains(&name.as_str())) {
        None => Ok(()),
        Some(other) => Err(format!("this test does not know what `{other}` expects")),
    }
}

#[test]
fn every_case_of_the_specification_holds() {
    let folder = folder();
    if !folder.is_dir() {
        eprintln!("SKIPPED: the cases of dotprompt's specification are not in {}", folder.display());
        return;
    }
    let mut paths = Vec::new();
    files(&folder, &mut paths);
    paths.sort();
    let (mut held, mut failed) = (0, Vec::new());
    for path in &paths {
        let text = std::fs::read_to_string(path).unwrap();
        let suites: Vec<Value> = serde_saphyr::from_str(&text).unwrap();
        for suite in &suites {
            for case in suite["tests"].as_array().unwrap() {
                let name = format!("{}: {}: {}", path.display(), suite["name"], case["desc"]);
                match check(suite, case) {
                    Ok(()) => held += 1,
                    Err(error) => failed.push(format!("{name}\n{error}")),
                }
            }
        }
    }
    eprintln!("{held} cases of {} files hold, {} do not", paths.len(), failed.len());
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    assert!(paths.len() >= 13 && held >= 100, "cases are missing: {held} in {} files", paths.len());
}
