//! `hanok prompt test`: a prompt tried on rows of variables, through the models that would answer it.

use super::prompt::{split, variables};
use crate::cli::PromptTest;
use crate::commands::chat::Door;
use crate::config::Effective;
use crate::{output, wiring};
use anyhow::{Context as _, bail};
use hanok_base::Object;
use serde_json::{Value, json};
use std::path::Path;
use std::process::ExitCode;

/// Tries a prompt; fails where an answer does not come, or does not fit the prompt's schema.
pub(crate) async fn run(effective: Effective, test: PromptTest) -> anyhow::Result<ExitCode> {
    let (name, at) = split(&test.prompt);
    // What is wrong with the prompt itself is told before anything is asked.
    let library = wiring::prompts_to_read(&effective).await?;
    let checked = library.resolve(name, at).await?.prompt.metadata().output_schema.is_some();
    drop(library);
    let given = variables(&test.filling)?;
    let mut rows = match &test.dataset {
        Some(path) => rows(path)?,
        None => vec![Object::new()],
    };
    rows.truncate(test.limit.unwrap_or(usize::MAX));
    let models: Vec<Option<&str>> = if test.model.is_empty() {
        vec![None]
    } else {
        test.model.iter().map(|model| Some(model.as_str())).collect()
    };
    let door = Door::open(&effective).await?;
    let (mut results, mut failed) = (Vec::new(), 0);
    for (number, row) in rows.into_iter().enumerate() {
        let mut variables = given.clone();
        variables.extend(row);
        for model in &models {
            let mut body = json!({
                "prompt": { "id": name, "version": at, "variables": variables }, "store": false,
            });
            if let (Some(model), Value::Object(body)) = (model, &mut body) {
                body.insert("model".into(), (*model).into());
            }
            let answered = door.responses(&body).await;
            failed += usize::from(answered.is_err());
            let result = described(number + 1, *model, &variables, answered);
            if !test.json.json {
                told(&result, checked)?;
            }
            results.push(result);
        }
    }
    door.close().await?;
    if test.json.json {
        output::json(&json!({ "prompt": test.prompt, "failed": failed, "results": results }))?;
    } else {
        let all = results.len();
        output::note(format!(
            "{} of {all} answered{}",
            all - failed,
            if checked { ", and fit the schema" } else { "" }
        ));
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn described(row: usize, model: Option<&str>, variables: &Object, answered: anyhow::Result<Value>) -> Value {
    let mut result = json!({ "row": row, "variables": variables });
    let Value::Object(object) = &mut result else { return result };
    if let Some(model) = model {
        object.insert("model".into(), model.into());
    }
    match answered {
        Ok(response) => {
            let text = output_text(&response);
            // What the prompt's schema asks for, as data.
            if let Ok(value @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str::<Value>(&text) {
                object.insert("value".into(), value);
            }
            object.insert("output".into(), text.into());
            object.insert("usage".into(), response.get("usage").cloned().unwrap_or_default());
        }
        Err(error) => drop(object.insert("error".into(), format!("{error:#}").into())),
    }
    result
}

/// The text of a response.
fn output_text(response: &Value) -> String {
    let array =
        |value: &Value, name: &str| value.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let parts = array(response, "output").into_iter().flat_map(|item| array(&item, "content"));
    parts.filter_map(|part| part.get("text").and_then(Value::as_str).map(str::to_owned)).collect()
}

fn told(result: &Value, checked: bool) -> anyhow::Result<()> {
    let text = |name: &str| result.get(name).and_then(Value::as_str).unwrap_or_default();
    let row = result.get("row").and_then(Value::as_u64).unwrap_or_default();
    let head = format!("{row}. {} {}", result.get("variables").cloned().unwrap_or_default(), text("model"));
    output::line(output::styled("1", &output::safe(head.trim_end())))?;
    if let Some(error) = result.get("error").and_then(Value::as_str) {
        output::line(output::styled("31", &output::safe(&format!("   {error}"))))?;
        return Ok(());
    }
    for line in text("output").lines() {
        output::line(output::safe(&format!("   {line}")))?;
    }
    if checked {
        output::line(output::styled("2", "   fits the schema"))?;
    }
    Ok(())
}

/// Rows of variables: JSON lines, each an object of variables, or a dataset's row with its `input`; or one JSON list of
/// such.
fn rows(path: &Path) -> anyhow::Result<Vec<Object>> {
    let shown = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(shown)?;
    let values: Vec<Value> = if text.trim_start().starts_with('[') {
        serde_json::from_str(&text).with_context(shown)?
    } else {
        let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
        let read = lines.map(|(number, line)| {
            serde_json::from_str(line).with_context(|| format!("{}, line {}", path.display(), number + 1))
        });
        read.collect::<anyhow::Result<_>>()?
    };
    values
        .into_iter()
        .enumerate()
        .map(|(at, value)| match value {
            Value::Object(mut row) => Ok(match row.shift_remove("input") {
                Some(Value::Object(input)) => input,
                Some(value) => Object::from_iter([("input".to_owned(), value)]),
                None => row,
            }),
            _ => bail!("{}: row {} is no object of variables", path.display(), at + 1),
        })
        .collect()
}
