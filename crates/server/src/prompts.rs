//! Prompts as people and commands handle them: as JSON, and what is wrong with them in words.

use crate::prompt_scores::{self, VersionScores};
use hanok_base::{ChatRequest, ErrorKind, Object, Problem, Timestamp};
use hanok_prompt::{Context, Diff, Library, LibraryError, Listed, Prompt, PromptError, Rendered, VersionId};
use hanok_store::{PromptMove, PromptVersion, Store, StoreError};
use hanok_trace::{StatsView, TraceStore, parse_dimensions, parse_filter, stats_query};
use hanok_wire::{RequestOptions, codec};
use serde_json::{Value, json};

/// Versions whose calls are summed.
const VERSIONS: usize = 1_000;
/// Moves of labels that are told.
const MOVES: usize = 200;

/// What is wrong, as a caller is told.
pub fn problem_of(error: &LibraryError) -> Problem {
    let of = |kind: ErrorKind, code: &str| Problem::new(kind, code, error.to_string());
    match error {
        LibraryError::Unknown { .. } => of(ErrorKind::NotFound, "prompt_not_found").param("model"),
        LibraryError::UnknownVersion { .. } => {
            of(ErrorKind::NotFound, "prompt_version_not_found").param("model")
        }
        LibraryError::Ambiguous { .. } => of(ErrorKind::Conflict, "ambiguous_version").param("model"),
        LibraryError::Changed { .. } => of(ErrorKind::Conflict, "prompt_changed"),
        LibraryError::BadName { .. } => of(ErrorKind::InvalidRequest, "invalid_name"),
        LibraryError::NoRecords => of(ErrorKind::Unavailable, "no_records"),
        LibraryError::Unreadable { .. } => of(ErrorKind::Unavailable, "prompt_unreadable"),
        LibraryError::Prompt(error) => problem_of_prompt(error),
        LibraryError::Io { .. } | LibraryError::Store(_) => {
            tracing::error!(error = error as &dyn std::error::Error, "prompts cannot be read or changed");
            Problem::new(ErrorKind::Unavailable, "store_unavailable", "prompts cannot be read or changed now")
        }
    }
}

/// What is wrong with one prompt, or with what it was given.
pub fn problem_of_prompt(error: &PromptError) -> Problem {
    let of = |kind: ErrorKind, code: &str| Problem::new(kind, code, error.to_string());
    match error {
        PromptError::Malformed { .. } => of(ErrorKind::Unavailable, "prompt_malformed")
            .hint("mend the file, or ask for a label or version of it that is good"),
        PromptError::Missing { variable, .. } => of(ErrorKind::InvalidRequest, "missing_variable")
            .param(format!("metadata.{variable}"))
            .hint(format!("send it in `metadata`: {{\"{variable}\": …}}")),
        PromptError::Input { variable, .. } => {
            let at =
                variable.as_ref().map_or_else(|| "metadata".to_owned(), |name| format!("metadata.{name}"));
            of(ErrorKind::InvalidRequest, "invalid_variable").param(at)
        }
        PromptError::Render { .. } => of(ErrorKind::InvalidRequest, "prompt_not_rendered"),
        PromptError::Unmet { .. } => of(ErrorKind::InvalidRequest, "prompt_unmet"),
    }
}

fn time(at: Timestamp) -> String {
    at.rfc3339()
}

/// The first digits of a hash, as they are shown.
fn short(hash: &str) -> &str {
    hash.get(..10).unwrap_or(hash)
}

fn labels(listed: &Listed) -> Object {
    listed.labels.iter().map(|(label, version)| (label.clone(), version.short().into())).collect()
}

/// All prompts.
pub fn list(library: &Library) -> Value {
    let prompts: Vec<Value> = library
        .list()
        .iter()
        .map(|listed| {
            let data = listed.prompt.as_ref().map(|prompt| prompt.metadata());
            json!({
                "name": listed.name,
                "version": listed.version.as_ref().map(VersionId::short),
                "labels": labels(listed),
                "model": data.and_then(|data| data.model.as_deref()),
                "description": data.and_then(|data| data.description.as_deref()),
                "variables": listed.prompt.as_ref().map(|prompt| prompt.variables()),
                "problem": listed.problem,
            })
        })
        .collect();
    json!({ "folder": library.folder().display().to_string(), "prompts": prompts })
}

/// One prompt, as its file is or at a label or version.
pub async fn show(library: &Library, name: &str, at: Option<&str>) -> Result<Value, LibraryError> {
    let found = library.resolve(name, at).await?;
    let mut value = described(&found.prompt);
    let listed = library.list().into_iter().find(|listed| listed.name == name);
    if let Value::Object(object) = &mut value {
        object.insert("label".into(), found.label.into());
        object.insert("labels".into(), listed.as_ref().map(labels).unwrap_or_default().into());
    }
    Ok(value)
}

fn described(prompt: &Prompt) -> Value {
    let data = prompt.metadata();
    let techniques = prompt.techniques();
    json!({
        "name": prompt.name(),
        "version": prompt.version().short(),
        "hash": prompt.version().as_str(),
        "description": data.description,
        "model": data.model,
        "config": data.config,
        "variables": prompt.variables(),
        "input_schema": data.input_schema,
        "output_schema": data.output_schema,
        "tools": data.tools,
        "techniques": {
            "examples": techniques.examples.as_ref().map(|examples| json!({
                "dataset": examples.dataset, "count": examples.count, "nearest": examples.nearest, "near": examples.near,
            })),
            "reasoning": techniques.reasoning.as_ref().map(|thinking| &thinking.tag),
            "input": techniques.escaped.as_ref().map(|trusted| json!({ "format": "xml", "trusted": trusted })),
            "prefill": techniques.prefill,
            "output": prompt.metadata().output_schema.as_ref().map(|_| json!({
                "validate": techniques.output.validate, "repair": techniques.output.repair,
                "retries": techniques.output.retries,
            })),
        },
        "notes": prompt.notes(),
        "partials": prompt.partials(),
        "source": &**prompt.source(),
    })
}

/// The versions of a prompt that were seen, the newest first, and how its labels moved.
pub async fn history(library: &Library, name: &str) -> Result<Value, LibraryError> {
    let versions = library.versions(name).await?;
    let moves = library.moves(name, MOVES).await?;
    let listed = library.list().into_iter().find(|listed| listed.name == name);
    let at = |version: &PromptVersion| -> Vec<&str> {
        let Some(listed) = &listed else { return Vec::new() };
        let latest = listed.version.as_ref().is_some_and(|now| now.as_str() == version.hash);
        let labels = listed.labels.iter().filter(|(_, at)| at.as_str() == version.hash);
        latest.then_some("latest").into_iter().chain(labels.map(|(label, _)| label.as_str())).collect()
    };
    let versions: Vec<Value> = versions
        .iter()
        .map(|version| {
            json!({
                "version": short(&version.hash), "hash": version.hash, "created": time(version.created),
                "author": version.author, "labels": at(version),
            })
        })
        .collect();
    let moves: Vec<Value> = moves.iter().map(moved).collect();
    Ok(json!({ "name": name, "versions": versions, "moves": moves }))
}

fn moved(one: &PromptMove) -> Value {
    json!({
        "label": one.label, "from": one.before.as_deref().map(short), "to": one.after.as_deref().map(short),
        "at": time(one.moved), "author": one.author,
    })
}

/// What calls of each version of a prompt were: how many, what they cost, how long they took, and what they were
/// scored. Of a project's traces, or of all.
pub async fn metrics(traces: &TraceStore, name: &str, project: Option<&str>) -> Result<Value, Problem> {
    let failed = |error: &(dyn std::error::Error + 'static)| {
        tracing::error!(error, "what calls of a prompt were cannot be read");
        Problem::new(ErrorKind::Unavailable, "store_unavailable", "the records cannot be read now")
    };
    let wrong = |error: &dyn std::fmt::Display| {
        Problem::new(ErrorKind::InvalidRequest, "invalid_name", error.to_string())
    };
    let filter = parse_filter(&format!("prompt:{name}"), Timestamp::now()).map_err(|error| wrong(&error))?;
    let mut query = stats_query(&filter);
    query.group_by = parse_dimensions("prompt").map_err(|error| wrong(&error))?;
    query.limit = VERSIONS;
    let group_by = query.group_by.clone();
    let stats = traces.stats(query).await.map_err(|error| failed(&error))?;
    let scores = prompt_scores::told(traces.store(), Some(name), project).await?;
    let mut versions = Vec::new();
    for group in StatsView::new(&stats, &group_by).groups {
        let prompt = group.by.get("prompt").and_then(Value::as_str).unwrap_or_default();
        let (used, version) = prompt.split_once('@').map_or((prompt, None), |(used, at)| (used, Some(at)));
        // Other prompts' groups are there, too, with nothing in them.
        if used != name {
            continue;
        }
        let own = scores.get(prompt);
        let mut told = json!(group.sums);
        if let Value::Object(told) = &mut told {
            told.insert("version".into(), version.into());
            told.insert("scores".into(), scored(own));
        }
        versions.push(told);
    }
    Ok(json!({ "name": name, "versions": versions }))
}

fn scored(own: Option<&VersionScores>) -> Value {
    json!(own.cloned().unwrap_or_default())
}

/// Puts what versions were scored beside them: those of a list of prompts, or of one prompt's history.
pub async fn with_scores(value: &mut Value, store: &Store) -> Result<(), StoreError> {
    let name = value.get("name").and_then(Value::as_str).map(str::to_owned);
    let scores = prompt_scores::read(store, name.as_deref(), None).await?;
    let put = |prompt: &str, of: &mut Value| {
        let version = of.get("version").and_then(Value::as_str).map(|version| format!("{prompt}@{version}"));
        if let (Some(version), Value::Object(of)) = (version, of) {
            of.insert("scores".to_owned(), scored(scores.get(&version)));
        }
    };
    if let Some(name) = name {
        for version in value.get_mut("versions").and_then(Value::as_array_mut).into_iter().flatten() {
            put(&name, version);
        }
        put(&name, value);
    } else {
        for prompt in value.get_mut("prompts").and_then(Value::as_array_mut).into_iter().flatten() {
            let name = prompt.get("name").and_then(Value::as_str).unwrap_or_default().to_owned();
            put(&name, prompt);
        }
    }
    Ok(())
}

/// What differs between two versions of a prompt; from the first, to the file where nothing else is said.
pub async fn diff(library: &Library, name: &str, from: &str, to: Option<&str>) -> Result<Diff, LibraryError> {
    let (from, to) = (library.resolve(name, Some(from)).await?, library.resolve(name, to).await?);
    Ok(Diff::of(&from.prompt, &to.prompt))
}

/// Moves a label, or removes it (`to` is null).
pub async fn label(
    library: &Library,
    name: &str,
    label: &str,
    to: Option<&str>,
    by: &str,
) -> Result<Value, LibraryError> {
    let Some(to) = to else {
        library.unlabel(name, label, by).await?;
        return Ok(json!({ "name": name, "label": label, "version": null }));
    };
    let version = library.label(name, label, Some(to), by).await?;
    Ok(json!({ "name": name, "label": label, "version": version.short() }))
}

/// A prompt filled in, as a request of OpenAI's chats: what a model would be asked.
pub fn rendered(rendered: Rendered) -> Result<Value, PromptError> {
    let model = rendered.model.clone().unwrap_or_else(|| "".into());
    let variables = rendered.variables.clone();
    let mut request = ChatRequest::new(model, Vec::new());
    rendered.fill(&mut request)?;
    let encoded = codec(hanok_base::Dialect::OpenAiChat).encode_request(&request, RequestOptions::default());
    let body: Value = serde_json::from_slice(&encoded.body).unwrap_or_default();
    Ok(json!({ "variables": variables, "request": body }))
}

/// Fills in a prompt with these variables. Examples of a dataset are those given.
pub async fn render(
    library: &Library,
    name: &str,
    at: Option<&str>,
    variables: &Object,
    context: Context,
) -> Result<Value, LibraryError> {
    let found = library.resolve(name, at).await?;
    let mut value = rendered(found.prompt.render(variables, &context)?)?;
    if let Value::Object(object) = &mut value {
        object.insert("name".into(), name.into());
        object.insert("version".into(), found.prompt.version().short().into());
    }
    Ok(value)
}
