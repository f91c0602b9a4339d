//! promptfoo's configuration: prompts, providers and tests with assertions of their own.
//!
//! An eval of ours has one task: of several prompts and providers one pair is chosen, and all stay in the document.
//!
//! Reading order: `files` (others that a configuration names), `notes` (what is to be said), `prompts`, `providers`
//! (the task), `cells` (tests in tables), `tests` (rows), `asserted` (assertions to scorers), `written` (and back),
//! `document` (the whole of it written again).

mod asserted;
mod cells;
mod document;
pub(super) mod files;
mod notes;
mod prompts;
mod providers;
mod tests;
mod written;

pub(super) use document::document;

use super::{Choice, Wanted, source};
use crate::spec::Spec;
use files::Files;
use hanok_base::Object;
use notes::Notes;
use serde_json::{Value, json};
use std::path::Path;

/// Members of the document that a run goes by; all others are kept and not looked at.
const KNOWN: [&str; 11] = [
    "description",
    "prompts",
    "providers",
    "targets",
    "tests",
    "scenarios",
    "defaultTest",
    "assertionTemplates",
    "evaluateOptions",
    "$defs",
    "definitions",
];
/// Members one of which a configuration has.
const OF_ONE: [&str; 6] = ["prompts", "providers", "targets", "tests", "scenarios", "redteam"];
/// Members that change nothing of what is measured.
const HARMLESS: [&str; 9] = [
    "outputPath",
    "outputs",
    "sharing",
    "metadata",
    "tags",
    "tracing",
    "writeLatestResults",
    "commandLineOptions",
    "$schema",
];
/// Options of a run that an eval has, too, or that change nothing of what is measured.
const OPTIONS: [&str; 6] = ["repeat", "maxConcurrency", "showProgressBar", "cache", "delay", "timeoutMs"];
/// Values that a document's references may come to.
const MOST_VALUES: usize = 1_000_000;
/// How deeply references may lead to references.
const DEEPEST: usize = 32;

/// An eval of a document, and what is to be said of it.
pub(super) fn eval(
    path: &Path,
    document: &Value,
    wanted: Wanted<'_>,
) -> Result<(Value, Vec<String>), String> {
    let members = document.as_object().ok_or("it is no configuration of promptfoo: it has no members")?;
    if !OF_ONE.iter().any(|name| members.contains_key(*name)) {
        return Err("it is no configuration of promptfoo: it has neither `prompts`, `providers` nor `tests`"
            .to_owned());
    }
    // An eval of ours that was exported comes back as it was.
    if let Some(own) = document.pointer("/metadata/hanok") {
        return Ok((own.clone(), Vec::new()));
    }
    let files = Files::beside(path);
    let mut notes = Notes::default();
    let mut budget = MOST_VALUES;
    let whole = dereferenced(document, document, 0, &mut budget)?;
    let members = whole.as_object().unwrap_or(members);
    for name in members.keys() {
        if !KNOWN.contains(&name.as_str()) && !HARMLESS.contains(&name.as_str()) {
            notes.lacks(format!("`{name}` has no counterpart; it is kept and given back on export"));
        }
    }
    let Wanted { model, judge, choice } = wanted;
    let task = task(&files, members, model, choice, &mut notes);
    let asked = task.get("model").and_then(Value::as_str);
    let judge = asserted::Fallback { model: judge.or(asked), is_asked: judge.is_none() && model.is_none() };
    let rows = tests::Tests { files: &files, members, judge, notes: &mut notes }.rows();
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let description = members.get("description").and_then(Value::as_str).unwrap_or_default();
    let mut eval = json!({
        "name": name, "description": description, "row_scorers": true, "dataset": { "rows": rows }, "task": task,
    });
    let options = members.get("evaluateOptions").and_then(Value::as_object);
    for name in options.into_iter().flat_map(Object::keys).filter(|name| !OPTIONS.contains(&name.as_str())) {
        notes.lacks(format!(
            "`evaluateOptions.{name}` has no counterpart; it is kept and given back on export"
        ));
    }
    let option = |name: &str| {
        options
            .and_then(|options| options.get(name))
            .filter(|value| value.as_u64().is_some_and(|value| value > 0))
            .cloned()
    };
    if let Value::Object(eval) = &mut eval {
        let repeats = option("repeat").map(|value| ("repeats", value));
        let concurrency = option("maxConcurrency").map(|value| ("concurrency", value));
        for (name, value) in repeats.into_iter().chain(concurrency) {
            eval.insert(name.to_owned(), value);
        }
    }
    let mut kept = source("promptfoo", document, choice, model);
    if let (Value::Object(eval), Value::Object(kept)) = (&mut eval, &mut kept) {
        // As it will be read, so that what is changed afterwards is told apart.
        let toml = super::toml_of(path, &Value::Object(eval.clone())).map_err(|error| error.message)?;
        let spec = Spec::parse(path, &toml).map_err(|error| error.message)?;
        kept.insert("made".to_owned(), json!(document::made_of(&spec)));
        let lacking = notes.lacking();
        if !lacking.is_empty() {
            kept.insert("notes".to_owned(), json!(lacking));
        }
    }
    if let Value::Object(eval) = &mut eval {
        eval.insert("source".to_owned(), kept);
    }
    Ok((eval, notes.all()))
}

fn task(files: &Files, members: &Object, model: Option<&str>, choice: Choice, notes: &mut Notes) -> Value {
    let prompts = prompts::prompts(files, members.get("prompts"));
    let listed: Vec<&Value> = ["providers", "targets"].iter().filter_map(|name| members.get(*name)).collect();
    let providers = providers::providers(files, &listed);
    if prompts.len() > 1 || providers.len() > 1 {
        notes.say(format!(
            "of {} prompts and {} providers, number {} and number {} are run; --prompt and --provider choose others, --all makes an eval of each",
            prompts.len(),
            providers.len(),
            choice.prompt + 1,
            choice.provider + 1
        ));
    }
    let mut made = || {
        let prompt = prompts.get(choice.prompt).cloned();
        let prompt = prompt.ok_or_else(|| format!("there is no prompt number {}", choice.prompt + 1))??;
        let provider = match providers.get(choice.provider) {
            None if choice.provider > 0 => {
                return Err(format!("there is no provider number {}", choice.provider + 1));
            }
            provider => provider.cloned().unwrap_or_default(),
        };
        providers::task(files, &provider, prompt, model, notes)
    };
    match made() {
        Ok(task) => task,
        Err(why) => {
            notes.lacks(format!("it does not run: {why}"));
            json!({ "kind": "unsupported", "why": why })
        }
    }
}

/// How many prompts and providers a document has.
pub(super) fn counts(path: &Path, document: &Value) -> (usize, usize) {
    let files = Files::beside(path);
    let prompts = prompts::prompts(&files, document.get("prompts")).len();
    let listed: Vec<&Value> =
        ["providers", "targets"].iter().filter_map(|name| document.get(*name)).collect();
    (prompts.max(1), providers::providers(&files, &listed).len().max(1))
}

/// A value with what its references (`{"$ref": "#/…"}`) name in their place; those that name nothing stay.
fn dereferenced(value: &Value, document: &Value, depth: usize, budget: &mut usize) -> Result<Value, String> {
    *budget = budget.checked_sub(1).ok_or("its references come to more than a million values")?;
    Ok(match value {
        Value::Object(members) => {
            let reference =
                members.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
            let named =
                reference.filter(|path| path.starts_with('/')).and_then(|path| document.pointer(path));
            match named.filter(|_| depth < DEEPEST) {
                Some(Value::Object(named)) => {
                    // What stands beside a reference counts more than what it names.
                    let mut whole = named.clone();
                    whole.extend(
                        members
                            .iter()
                            .filter(|(name, _)| *name != "$ref")
                            .map(|(name, value)| (name.clone(), value.clone())),
                    );
                    dereferenced(&Value::Object(whole), document, depth + 1, budget)?
                }
                Some(named) => dereferenced(named, document, depth + 1, budget)?,
                None => {
                    let read = members.iter().map(|(name, value)| {
                        Ok((name.clone(), dereferenced(value, document, depth, budget)?))
                    });
                    Value::Object(read.collect::<Result<_, String>>()?)
                }
            }
        }
        Value::Array(items) => {
            let read = items.iter().map(|item| dereferenced(item, document, depth, budget));
            Value::Array(read.collect::<Result<_, _>>()?)
        }
        other => other.clone(),
    })
}
