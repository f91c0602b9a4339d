//! promptfoo's configuration: prompts, providers and tests with assertions of their own.
//!
//! An eval of ours has one task: of several prompts and providers one pair is chosen, and all stay in the document.

use super::assertions::{from_scorer, to_scorer};
use super::{Choice, source};
use crate::file;
use crate::spec::{Spec, TaskSpec};
use hanok_base::Object;
use serde_json::{Value, json};
use std::path::Path;

/// Members of the document that a run goes by; all others are kept and not looked at.
const KNOWN: [&str; 8] = [
    "description",
    "prompts",
    "providers",
    "targets",
    "tests",
    "defaultTest",
    "assertionTemplates",
    "evaluateOptions",
];
/// Members that change nothing of what is measured.
const HARMLESS: [&str; 8] = [
    "outputPath",
    "sharing",
    "metadata",
    "tags",
    "tracing",
    "writeLatestResults",
    "commandLineOptions",
    "$schema",
];

/// An eval of a document, and what is to be said of it.
pub(super) fn eval(
    path: &Path,
    document: &Value,
    model: Option<&str>,
    choice: Choice,
) -> Result<(Value, Vec<String>), String> {
    let members = document.as_object().ok_or("it is no configuration of promptfoo: it has no members")?;
    if !members.contains_key("tests")
        && !members.contains_key("prompts")
        && !members.contains_key("providers")
    {
        return Err("it is no configuration of promptfoo: it has neither `prompts`, `providers` nor `tests`"
            .to_owned());
    }
    // An eval of ours that was exported comes back as it was.
    if let Some(own) = document.pointer("/metadata/hanok") {
        return Ok((own.clone(), Vec::new()));
    }
    let mut notes = Vec::new();
    let unknown =
        members.keys().filter(|name| !KNOWN.contains(&name.as_str()) && !HARMLESS.contains(&name.as_str()));
    for name in unknown {
        notes.push(format!("`{name}` has no counterpart; it is kept and given back on export"));
    }
    let name = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let task = task(path, members, model, choice, &mut notes);
    let rows = rows(members, model, &mut notes);
    let mut eval = json!({
        "name": name, "description": members.get("description").cloned().unwrap_or_default(), "row_scorers": true,
        "dataset": rows, "task": task, "source": source("promptfoo", document, choice, model),
    });
    let options = members.get("evaluateOptions");
    let option =
        |name: &str| options.and_then(|options| options.get(name)).filter(|value| value.is_u64()).cloned();
    if let Value::Object(eval) = &mut eval {
        let repeats = option("repeat").map(|value| ("repeats", value));
        let concurrency = option("maxConcurrency").map(|value| ("concurrency", value));
        for (name, value) in repeats.into_iter().chain(concurrency) {
            eval.insert(name.to_owned(), value);
        }
    }
    Ok((eval, notes))
}

fn unsupported(why: impl Into<String>) -> Value {
    json!({ "kind": "unsupported", "why": why.into() })
}

fn task(
    path: &Path,
    members: &Object,
    model: Option<&str>,
    choice: Choice,
    notes: &mut Vec<String>,
) -> Value {
    let list = |name: &str| match members.get(name) {
        Some(Value::Array(items)) => items.clone(),
        Some(Value::Null) | None => Vec::new(),
        Some(one) => vec![one.clone()],
    };
    let prompts = list("prompts");
    let mut providers = list("providers");
    providers.extend(list("targets"));
    if prompts.len() > 1 || providers.len() > 1 {
        notes.push(format!(
            "of {} prompts and {} providers, number {} and number {} are run; --prompt and --provider choose others",
            prompts.len(),
            providers.len(),
            choice.prompt + 1,
            choice.provider + 1
        ));
    }
    let Some(prompt) =
        prompts.get(choice.prompt).cloned().or_else(|| prompts.is_empty().then(|| "{{prompt}}".into()))
    else {
        return unsupported(format!("there is no prompt number {}", choice.prompt + 1));
    };
    let prompt = match prompt_text(path, &prompt) {
        Ok(prompt) => prompt,
        Err(why) => return unsupported(why),
    };
    let (id, config) = match providers.get(choice.provider) {
        Some(Value::String(id)) => (id.clone(), Object::new()),
        Some(Value::Object(provider)) => {
            let id = provider.get("id").and_then(Value::as_str);
            let config = provider.get("config").and_then(Value::as_object).cloned().unwrap_or_default();
            match (id, provider.iter().next()) {
                (Some(id), _) => (id.to_owned(), config),
                // `openai:gpt-5: {config: …}`
                (None, Some((id, inner))) => {
                    (id.clone(), inner.get("config").and_then(Value::as_object).cloned().unwrap_or_default())
                }
                (None, None) => (String::new(), config),
            }
        }
        _ => (String::new(), Object::new()),
    };
    let named = model.map(str::to_owned).or_else(|| model_name(&id));
    if id == "echo" && model.is_none() {
        return match prompt {
            Prompt::Text(template) => json!({ "kind": "echo", "template": template }),
            Prompt::Messages(_) => unsupported("an echo of a conversation has no counterpart"),
        };
    }
    let Some(named) = named else {
        return unsupported(format!(
            "the provider `{id}` has no counterpart: give a model with --model, or write a task of kind `http` or `command`"
        ));
    };
    let mut task =
        Object::from_iter([("kind".to_owned(), "model".into()), ("model".to_owned(), named.into())]);
    match prompt {
        Prompt::Text(template) => task.insert("template".to_owned(), template.into()),
        Prompt::Messages(messages) => task.insert("messages".to_owned(), messages),
    };
    let taken = [
        ("temperature", "temperature"),
        ("max_tokens", "max_tokens"),
        ("maxTokens", "max_tokens"),
        ("max_output_tokens", "max_tokens"),
        ("top_p", "top_p"),
        ("topP", "top_p"),
        ("seed", "seed"),
        ("reasoning_effort", "reasoning_effort"),
    ];
    for (name, value) in config {
        match taken.iter().find(|(theirs, _)| *theirs == name) {
            Some((_, ours)) if value.is_number() || value.is_string() => {
                task.insert((*ours).to_owned(), value);
            }
            _ => notes.push(format!(
                "the provider's `{name}` is not taken over; it is kept and given back on export"
            )),
        }
    }
    Value::Object(task)
}

enum Prompt {
    Text(String),
    Messages(Value),
}

fn prompt_text(path: &Path, prompt: &Value) -> Result<Prompt, String> {
    let text = match prompt {
        Value::String(text) => text.clone(),
        Value::Object(members) => match members.get("raw").or_else(|| members.get("id")) {
            Some(Value::String(text)) => text.clone(),
            _ => return Err("a prompt without `raw` or `id` has no counterpart".to_owned()),
        },
        other => return Err(format!("the prompt {other} has no counterpart")),
    };
    let text = match text.strip_prefix("file://") {
        None => text,
        Some(name) if ["txt", "json", "md"].iter().any(|ending| name.rsplit('.').next() == Some(ending)) => {
            let file = path.parent().unwrap_or(Path::new(".")).join(name);
            let text = file::read(&file).map_err(|error| format!("the prompt's file: {error}"))?;
            // Several prompts of one file stand between lines of dashes.
            text.split("\n---\n").next().unwrap_or_default().trim().to_owned()
        }
        Some(name) => return Err(format!("the prompt is made by `{name}`, which is not run here")),
    };
    if text.contains("{%") || text.contains("{#") {
        return Err(
            "the prompt has conditions or loops: make it a prompt of the house (prompts/NAME.prompt)"
                .to_owned(),
        );
    }
    if text
        .split("{{")
        .skip(1)
        .any(|rest| rest.split("}}").next().is_some_and(|name| name.contains(['|', '('])))
    {
        return Err("the prompt's variables have filters, which have no counterpart".to_owned());
    }
    let messages = serde_json::from_str::<Vec<crate::spec::TemplateMessage>>(&text);
    Ok(match messages {
        Ok(messages) if !messages.is_empty() => Prompt::Messages(json!(messages)),
        _ => Prompt::Text(text),
    })
}

/// The rows of the tests, or the file they are in.
fn rows(members: &Object, judge: Option<&str>, notes: &mut Vec<String>) -> Value {
    let default = members.get("defaultTest").and_then(Value::as_object).cloned().unwrap_or_default();
    let templates = members.get("assertionTemplates").cloned().unwrap_or_default();
    let tests = match members.get("tests") {
        Some(Value::String(file)) => {
            notes.push(format!("rows are read from `{file}`; its `__expected` columns have no counterpart"));
            let file = file.strip_prefix("file://").unwrap_or(file);
            return json!({ "file": file });
        }
        Some(Value::Array(tests)) => tests.clone(),
        _ => vec![json!({})],
    };
    let mut rows = Vec::new();
    let (mut total, mut lacking) = (0, Vec::new());
    for (number, test) in tests.iter().enumerate() {
        let Some(test) = test.as_object() else {
            notes.push(format!("test {} is in another file, which is not read", number + 1));
            continue;
        };
        for name in
            test.keys().filter(|name| !["vars", "assert", "description", "metadata"].contains(&name.as_str()))
        {
            notes.push(format!(
                "test {}: `{name}` has no counterpart; it is kept and given back on export",
                number + 1
            ));
        }
        let mut scorers = Vec::new();
        for assertion in asserted(test).chain(asserted(&default)) {
            let assertion = resolved(assertion, &templates);
            total += 1;
            let mut scorer = to_scorer(&assertion, judge);
            if test.get("threshold").or_else(|| default.get("threshold")).is_some() {
                scorer = json!({
                    "kind": "unsupported", "name": scorer.get("name"), "assertion": assertion,
                    "why": "the test's `threshold` weighs its assertions, which has no counterpart",
                });
            }
            if scorer.get("kind") == Some(&json!("unsupported")) {
                lacking.push(assertion.get("type").and_then(Value::as_str).unwrap_or("?").to_owned());
            }
            scorers.push(scorer);
        }
        let of =
            |members: &Object| members.get("vars").and_then(Value::as_object).cloned().unwrap_or_default();
        let mut vars = of(&default);
        vars.extend(of(test));
        for vars in product(vars) {
            if vars.values().any(|value| value.as_str().is_some_and(|text| text.starts_with("file://"))) {
                notes.push(format!("test {}: a variable is in another file, which is not read", number + 1));
            }
            let vars =
                if vars.is_empty() { Object::from_iter([("input".to_owned(), "".into())]) } else { vars };
            let mut metadata = Object::from_iter([("test".to_owned(), number.into())]);
            if !scorers.is_empty() {
                metadata.insert("scorers".to_owned(), Value::Array(scorers.clone()));
            }
            if let Some(description) = test.get("description") {
                metadata.insert("description".to_owned(), description.clone());
            }
            rows.push(json!({ "input": vars, "metadata": metadata }));
        }
    }
    if !lacking.is_empty() {
        lacking.sort();
        let count = lacking.len();
        lacking.dedup();
        notes.push(format!(
            "{count} of {total} assertions have no counterpart and fail until they are replaced: {}",
            lacking.join(", ")
        ));
    }
    json!({ "rows": rows })
}

fn asserted(test: &Object) -> impl Iterator<Item = &Value> {
    test.get("assert").and_then(Value::as_array).into_iter().flatten()
}

/// An assertion with its template in place of the reference to it.
fn resolved(assertion: &Value, templates: &Value) -> Value {
    let reference = assertion.get("$ref").and_then(Value::as_str);
    let named = reference.and_then(|reference| reference.strip_prefix("#/assertionTemplates/"));
    match named.and_then(|name| templates.get(name)) {
        Some(template) => template.clone(),
        None => assertion.clone(),
    }
}

/// Variables with lists, one row for each combination.
fn product(vars: Object) -> Vec<Object> {
    let mut rows = vec![Object::new()];
    for (name, value) in vars {
        let values = match value {
            Value::Array(values) if !values.is_empty() && values.iter().all(|value| !value.is_object()) => {
                values
            }
            value => vec![value],
        };
        rows = rows
            .into_iter()
            .flat_map(|row| {
                let name = name.clone();
                values.clone().into_iter().map(move |value| {
                    let mut row = row.clone();
                    row.insert(name.clone(), value);
                    row
                })
            })
            .collect();
    }
    rows
}

/// Our name of a provider's model.
pub(super) fn model_name(id: &str) -> Option<String> {
    let (vendor, rest) = id.split_once(':')?;
    let model = |kinds: &[&str]| {
        let rest = match rest.split_once(':') {
            Some((kind, model)) if kinds.contains(&kind) => model,
            _ => rest,
        };
        (!rest.is_empty()).then(|| rest.to_owned())
    };
    let (ours, model) = match vendor {
        "openai" => ("openai", model(&["chat", "responses"])?),
        "anthropic" => ("anthropic", model(&["messages"])?),
        "google" => ("gemini", model(&[])?),
        "ollama" => ("ollama", model(&["chat", "completion"])?),
        "openrouter" | "mistral" | "groq" | "deepseek" | "xai" | "cerebras" => (vendor, model(&[])?),
        _ => return None,
    };
    Some(format!("{ours}/{model}"))
}

/// promptfoo's id of a model of ours.
pub(super) fn provider_id(model: &str) -> String {
    match model.split_once('/') {
        Some(("openai", model)) => format!("openai:{model}"),
        Some(("anthropic", model)) => format!("anthropic:messages:{model}"),
        Some(("gemini", model)) => format!("google:{model}"),
        Some(("ollama", model)) => format!("ollama:chat:{model}"),
        Some((vendor, model)) => format!("{vendor}:{model}"),
        None => model.to_owned(),
    }
}

/// The document of an eval. One that was read from a document is that document, with what was changed since.
pub(super) fn document(spec: &Spec) -> (Value, Vec<String>) {
    let own = serde_json::to_value(spec).unwrap_or_default();
    let kept = spec.source.as_ref().filter(|source| source.format == "promptfoo");
    let kept = kept.and_then(|source| {
        let document = serde_json::from_str::<Value>(&source.document).ok()?;
        Some((document, Choice { prompt: source.prompt, provider: source.provider }, source.model.as_deref()))
    });
    let Some((mut document, choice, model)) = kept else { return of_own(spec, &own, &Value::Null) };
    let mut notes = Vec::new();
    // Read as it was then: what is the same was not changed.
    let then = eval(&spec.path, &document, model, choice).map(|(eval, _)| super::without_nulls(&eval));
    let then = then.unwrap_or_default();
    let same = |name: &str| normal(&then, name) == normal(&own, name);
    let changed: Vec<&str> = ["description", "dataset", "task", "repeats", "scorers"]
        .into_iter()
        .filter(|name| !same(name))
        .collect();
    if changed.is_empty() {
        return (document, notes);
    }
    let (fresh, more) = of_own(spec, &own, &document);
    notes.extend(more);
    if let (Value::Object(document), Value::Object(mut fresh)) = (&mut document, fresh) {
        for name in &changed {
            let members: &[&str] = match *name {
                "description" => &["description"],
                "dataset" | "scorers" => &["tests", "defaultTest"],
                "task" => &["prompts", "providers"],
                _ => &["evaluateOptions"],
            };
            for member in members {
                if let Some(value) = fresh.shift_remove(*member) {
                    document.insert((*member).to_owned(), value);
                }
            }
        }
        notes.push(format!("changed since it was read: {}", changed.join(", ")));
    }
    (document, notes)
}

/// A member of an eval's JSON as it is after reading, so that defaults and their absence are alike.
fn normal(eval: &Value, name: &str) -> Value {
    let toml = super::toml_of(Path::new("eval.toml"), eval).unwrap_or_default();
    let spec = Spec::parse(Path::new("eval.toml"), &toml).ok();
    spec.and_then(|spec| serde_json::to_value(spec).ok())
        .and_then(|spec| spec.get(name).cloned())
        .unwrap_or_default()
}

/// An eval as a document; of `before`, the one it was read from, what no member of ours stands for.
fn of_own(spec: &Spec, own: &Value, before: &Value) -> (Value, Vec<String>) {
    let mut notes = Vec::new();
    let (prompts, providers) = match &spec.task {
        TaskSpec::Model(task) => {
            let mut config = serde_json::to_value(&task.sampling).unwrap_or_default();
            if let Value::Object(config) = &mut config {
                config.retain(|_, value| !value.is_null());
            }
            let mut messages = task.messages.clone();
            messages.extend(task.system.iter().map(|text| crate::spec::TemplateMessage {
                role: hanok_base::Role::System,
                content: text.clone(),
            }));
            let text = match (&task.template, messages.is_empty()) {
                (Some(template), true) => template.clone(),
                (template, _) => {
                    messages.extend(template.iter().map(|text| crate::spec::TemplateMessage {
                        role: hanok_base::Role::User,
                        content: text.clone(),
                    }));
                    serde_json::to_string(&messages).unwrap_or_default()
                }
            };
            let text = if text == "[]" { "{{input}}".to_owned() } else { text };
            (json!([text]), json!([{ "id": provider_id(&task.model), "config": config }]))
        }
        TaskSpec::Echo(task) => (json!([task.template.as_deref().unwrap_or("{{input}}")]), json!(["echo"])),
        other => {
            notes.push(format!(
                "a task of the kind `{}` has no counterpart there; it is kept under metadata.hanok",
                other.kind()
            ));
            (json!(["{{input}}"]), json!(["echo"]))
        }
    };
    let mut everybodys = Vec::new();
    for scorer in &spec.scorers {
        match from_scorer(scorer) {
            Some(assertion) => everybodys.push(assertion),
            None => notes.push(format!(
                "the scorer `{}` has no counterpart there; it is kept under metadata.hanok",
                scorer.get("name").or_else(|| scorer.get("kind")).and_then(Value::as_str).unwrap_or_default()
            )),
        }
    }
    let tests = match (&spec.dataset.rows, &spec.dataset.file) {
        (Some(rows), _) => rows.iter().map(|row| test(row, before)).collect(),
        (None, Some(file)) => json!(format!("file://{}", file.display())),
        (None, None) => {
            notes.push(
                "rows that are kept in the store are not in the file: export the dataset, too".to_owned(),
            );
            json!([])
        }
    };
    // Its variables and assertions are in the rows.
    let mut default = before.get("defaultTest").and_then(Value::as_object).cloned().unwrap_or_default();
    default.shift_remove("vars");
    default.insert("assert".to_owned(), Value::Array(everybodys));
    let document = json!({
        "description": spec.description, "prompts": prompts, "providers": providers,
        "defaultTest": default, "tests": tests,
        "evaluateOptions": { "repeat": spec.repeats, "maxConcurrency": spec.concurrency },
        "metadata": { "hanok": own },
    });
    (document, notes)
}

/// A row as a test: what the test it came of had beside variables and assertions stays.
fn test(row: &Value, before: &Value) -> Value {
    let metadata = row.get("metadata").and_then(Value::as_object);
    let number = metadata.and_then(|metadata| metadata.get("test")).and_then(Value::as_u64);
    let came_of =
        number.and_then(|number| before.get("tests")?.get(usize::try_from(number).ok()?)?.as_object());
    let mut test = came_of.cloned().unwrap_or_default();
    let scorers = metadata.and_then(|metadata| metadata.get("scorers")).and_then(Value::as_array);
    let assertions: Vec<Value> =
        scorers.into_iter().flatten().filter_map(Value::as_object).filter_map(from_scorer).collect();
    let input = row.get("input").unwrap_or(row);
    let vars = if input.is_object() { input.clone() } else { json!({ "input": input }) };
    test.insert("vars".to_owned(), vars);
    test.shift_remove("assert");
    if !assertions.is_empty() {
        test.insert("assert".to_owned(), Value::Array(assertions));
    }
    if let Some(description) = metadata.and_then(|metadata| metadata.get("description")) {
        test.insert("description".to_owned(), description.clone());
    }
    Value::Object(test)
}
