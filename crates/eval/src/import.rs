//! Other programs' evals: promptfoo's configuration and `OpenAI`'s evals, read into a file of ours and written again.
//!
//! What is read is kept whole under `[source]`, so that what has no counterpart here is given back as it came. What
//! was changed since counts more. An assertion without a counterpart is kept as a scorer of the kind `unsupported`,
//! which fails and never passes. What does not run is told at import, and stands in the eval's file to be told when it
//! is run.

mod code;
mod openai;
mod promptfoo;
pub mod rows;

use crate::file::{self, FileError};
use crate::spec::Spec;
use serde_json::{Value, json};
use std::path::Path;

/// An eval out of another program's file.
#[derive(Clone, Debug, PartialEq)]
pub struct Imported {
    /// The eval's file.
    pub toml: String,
    /// What has no counterpart, and what is to be done.
    pub notes: Vec<String>,
}

/// An eval as another program has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Exported {
    /// Its file.
    pub text: String,
    /// What could not be said there.
    pub notes: Vec<String>,
}

/// What is to be made of a file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// The model that is asked, in place of the file's.
    pub model: Option<&'a str>,
    /// The model that judges where the file names none of ours; the one that is asked where this is not given.
    pub judge: Option<&'a str>,
    /// Which of several.
    pub choice: Choice,
}

/// Which of several prompts and providers of a file are meant, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Choice {
    /// The prompt.
    pub prompt: usize,
    /// The provider.
    pub provider: usize,
}

/// Reads another program's file: YAML or JSON of promptfoo or of `OpenAI`'s registry, or `OpenAI`'s samples in JSON
/// Lines.
pub fn read(path: &Path, wanted: Wanted<'_>) -> Result<Imported, FileError> {
    let model = wanted.model;
    let is_lines = path.extension().is_some_and(|ending| ending == "jsonl");
    if is_lines {
        return openai::samples(path, model);
    }
    let document = yaml(path, &file::read(path)?)?;
    let (eval, notes) = if openai::is_registry(&document) {
        openai::registry(&document, model).map_err(|reason| FileError::whole(path, reason))?
    } else {
        promptfoo::eval(path, &document, wanted).map_err(|reason| FileError::whole(path, reason))?
    };
    Ok(Imported { toml: toml_of(path, &eval)?, notes })
}

/// Every pair of a prompt and a provider that a file has.
pub fn choices(path: &Path) -> Result<Vec<Choice>, FileError> {
    if path.extension().is_some_and(|ending| ending == "jsonl") {
        return Ok(vec![Choice::default()]);
    }
    let (prompts, providers) = promptfoo::counts(path, &yaml(path, &file::read(path)?)?);
    Ok((0..prompts)
        .flat_map(|prompt| (0..providers).map(move |provider| Choice { prompt, provider }))
        .collect())
}

/// Writes an eval for another program: promptfoo's YAML, or `OpenAI`'s samples where the file ends in `.jsonl`.
pub fn write(spec: &Spec, into: &Path) -> Result<Exported, FileError> {
    if into.extension().is_some_and(|ending| ending == "jsonl") {
        return openai::write(spec);
    }
    let (document, notes) = promptfoo::document(spec);
    let text = yaml_of(&document);
    Ok(Exported { text, notes })
}

/// YAML as JSON; words such as `yes` stay words.
pub(crate) fn yaml(path: &Path, text: &str) -> Result<Value, FileError> {
    // One anchor for hundreds of tests is no attack; how much aliases may come to is limited all the same.
    let budget = serde_saphyr::budget! { enforce_alias_anchor_ratio: false };
    let options = serde_saphyr::options! { strict_booleans: true, budget: budget };
    serde_saphyr::from_str_with_options(text, options)
        .map_err(|error| FileError::whole(path, error.to_string()))
}

/// A document as YAML; as JSON, which is YAML too, where it would not read as it was.
fn yaml_of(document: &Value) -> String {
    let written = serde_saphyr::to_string(document).ok();
    let reads = |text: &String| yaml(Path::new(""), text).is_ok_and(|again| again == *document);
    written.filter(reads).unwrap_or_else(|| format!("{document:#}\n"))
}

/// An eval's file. TOML knows no null: members that are null are left out.
fn toml_of(path: &Path, eval: &Value) -> Result<String, FileError> {
    let eval = without_nulls(eval);
    toml::to_string_pretty(&eval)
        .map_err(|error| FileError::whole(path, format!("it cannot be written as TOML: {error}")))
}

fn without_nulls(value: &Value) -> Value {
    match value {
        Value::Object(members) => members
            .iter()
            .filter(|(_, value)| !value.is_null())
            .map(|(name, value)| (name.clone(), without_nulls(value)))
            .collect(),
        Value::Array(items) => items.iter().filter(|item| !item.is_null()).map(without_nulls).collect(),
        other => other.clone(),
    }
}

/// What an eval keeps of the file it was made of.
fn source(format: &str, document: &Value, choice: Choice, model: Option<&str>) -> Value {
    json!({
        "format": format, "prompt": choice.prompt, "provider": choice.provider, "model": model,
        "document": document.to_string(),
    })
}
