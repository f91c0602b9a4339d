//! Code that a row brings: expressions, functions and files in JavaScript or Python, run by the program of that language
//! with the rights of whoever runs the eval. Nothing is run at import.
//!
//! A table of code is `{"language": "javascript" | "python", "code": "…"}`, or in place of `code` a `file` and a
//! `function` in it. What is one line is an expression, what has several is the body of a function.

use super::promptfoo::files::{Files, Named};
use crate::process;
use crate::scorer::output_json;
use hanok_base::{Object, Output, Sample};
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// How long it may take.
const TIMEOUT: Duration = Duration::from_mins(1);
/// Most bytes of an answer.
const LONGEST: usize = 8 << 20;
const JAVASCRIPT: &str = include_str!("code.js");
const PYTHON: &str = include_str!("code.py");

/// The table of a transform; `{"unsupported": why}` where it is none that can be run.
pub(super) fn table(files: &Files, transform: &Value) -> Value {
    let is_python = transform
        .as_str()
        .is_some_and(|text| text.starts_with("file://") && Named::of(text).ending() == "py");
    of(files, transform, if is_python { "python" } else { "javascript" })
}

/// The table of code in this language.
pub(super) fn of(files: &Files, code: &Value, language: &str) -> Value {
    let unsupported = |why: String| json!({ "unsupported": why });
    let Some(text) = code.as_str() else {
        return unsupported("code that is no text has no counterpart".to_owned());
    };
    if text.starts_with("package:") {
        return unsupported(format!("`{text}` is in a package, which is not looked for"));
    }
    if !text.starts_with("file://") {
        return json!({ "language": language, "code": text.trim_end() });
    }
    let named = Named::of(text);
    let ours = match named.ending().as_str() {
        "js" | "cjs" | "mjs" => "javascript",
        "py" => "python",
        _ => return unsupported(format!("`{}` is neither JavaScript nor Python", named.path)),
    };
    let mut table = Object::from_iter([
        ("language".to_owned(), ours.into()),
        ("file".to_owned(), files.path(named.path).display().to_string().into()),
    ]);
    if let Some(function) = named.function {
        table.insert("function".to_owned(), function.into());
    }
    Value::Object(table)
}

/// Runs code over an output, and says what it came to. `usual` is the function that a file is asked for where its table
/// names none. An error in words.
pub(super) async fn run(
    table: &Value,
    usual: &str,
    sample: &Sample,
    output: &Output,
    folder: &Path,
) -> Result<Value, String> {
    if let Some(why) = table.get("unsupported").and_then(Value::as_str) {
        return Err(format!("not supported: {why}"));
    }
    let (program, script) = match table.get("language").and_then(Value::as_str) {
        Some("javascript") => (["node", "-e"], JAVASCRIPT),
        Some("python") => (["python3", "-c"], PYTHON),
        other => return Err(format!("`{}` is no language that is run here", other.unwrap_or_default())),
    };
    let given = json!({
        "code": table.get("code"), "file": table.get("file"), "function": table.get("function"), "usual": usual,
        "output": handed(output),
        "context": {
            "vars": sample.input, "config": table.get("config"),
            "test": { "vars": sample.input, "metadata": {}, "description": sample.metadata.get("description") },
            "providerResponse": output_json(output),
        },
    });
    let command: Vec<String> = program.into_iter().chain([script]).map(str::to_owned).collect();
    let given = given.to_string();
    let done = process::run(&command, folder, given.as_bytes(), TIMEOUT, LONGEST).await;
    let done = done.map_err(|error| told(&error))?;
    if done.status != Some(0) {
        return Err(format!("the code failed: {}", last(&done.stderr)));
    }
    let answer = String::from_utf8_lossy(&done.stdout);
    let answer: Value =
        serde_json::from_str(last(&answer)).map_err(|_| "the code said nothing that can be read")?;
    match (answer.get("error").and_then(Value::as_str), answer.get("result")) {
        (Some(error), _) => Err(format!("the code failed: {error}")),
        (None, result) => Ok(result.cloned().unwrap_or_default()),
    }
}

/// What code is given of an output: data as data, calls of tools where there is nothing else, else text.
fn handed(output: &Output) -> Value {
    if let Some(value) = &output.value {
        return value.clone();
    }
    if output.text.is_empty() && !output.tool_calls.is_empty() {
        let calls = output.tool_calls.iter().map(|call| {
            json!({ "type": "function", "function": { "name": call.name, "arguments": call.arguments } })
        });
        return calls.collect();
    }
    Value::from(output.text.as_str())
}

fn told(error: &process::CommandError) -> String {
    // Without the script, which is the program's second argument.
    match error {
        process::CommandError::Start { program, source } => {
            format!("`{program}`, which runs code, cannot be started: {source}")
        }
        other => other.to_string(),
    }
}

fn last(text: &str) -> &str {
    text.trim_end().lines().last().unwrap_or_default()
}
