//! `hanok prompt`: prompts are files, so that most of it needs no server; labels move through the one that runs, or on
//! the data folder itself when none does.

use crate::cli::{Prompt, PromptFilling, PromptLabel};
use crate::config::Effective;
use crate::output;
use crate::ownership::{self, Owned};
use crate::remote::Remote;
use crate::wiring;
use anyhow::{Context as _, bail};
use hanok_base::{CallContext, Object};
use hanok_prompt::{Context, Library};
use hanok_server::prompts;
use hanok_store::{Options, Store};
use http::Method;
use serde_json::{Value, json};
use std::process::ExitCode;

/// Who moves labels by a command.
const BY: &str = "command line";

/// Lists, shows, compares, fills in, labels or tries prompts.
pub(crate) async fn run(effective: Effective, command: Prompt) -> anyhow::Result<ExitCode> {
    match command {
        Prompt::Ls(as_json) => {
            let library = wiring::prompts_to_read(&effective).await?;
            let mut list = prompts::list(&library);
            with_scores(&effective, &mut list).await?;
            if as_json.json { output::json(&list)? } else { table(&list)? }
        }
        Prompt::Show { prompt, json: as_json } => {
            let library = wiring::prompts_to_read(&effective).await?;
            let (name, at) = split(&prompt);
            let mut shown = prompts::show(&library, name, at).await?;
            let history = prompts::history(&library, name).await.ok();
            if let (Value::Object(object), Some(Value::Object(history))) = (&mut shown, history) {
                object.extend(history);
            }
            with_scores(&effective, &mut shown).await?;
            if as_json.json { output::json(&shown)? } else { show(&shown)? }
        }
        Prompt::Diff { name, from, to, json: as_json } => {
            let library = wiring::prompts_to_read(&effective).await?;
            let diff = prompts::diff(&library, &name, &from, to.as_deref()).await?;
            if as_json.json {
                output::json(&json!({ "name": name, "diff": diff }))?;
            } else if diff.is_empty() {
                output::note(format!("nothing differs: both are {}", diff.from));
            } else {
                coloured(&diff.unified())?;
                for change in &diff.config {
                    let written =
                        |value: &Option<Value>| value.as_ref().map_or("nothing".to_owned(), Value::to_string);
                    let line = format!(
                        "{}: {} -> {}",
                        change.member,
                        written(&change.before),
                        written(&change.after)
                    );
                    output::line(output::safe(&line))?;
                }
            }
        }
        Prompt::Render { prompt, filling, json: as_json } => {
            let library = wiring::prompts_to_read(&effective).await?;
            let filled = render(&effective, &library, &prompt, &variables(&filling)?).await?;
            if as_json.json { output::json(&filled)? } else { request(&filled)? }
        }
        Prompt::Label(wish) => label(&effective, wish).await?,
        Prompt::Test(test) => return super::prompt_test::run(effective, test).await,
    }
    Ok(ExitCode::SUCCESS)
}

/// What versions were scored, where there are records.
async fn with_scores(effective: &Effective, shown: &mut Value) -> anyhow::Result<()> {
    if effective.data.value.join("hanok.db").exists() {
        prompts::with_scores(shown, &wiring::store_to_read(effective)?).await?;
    }
    Ok(())
}

/// A prompt's name, and its label or version.
pub(super) fn split(prompt: &str) -> (&str, Option<&str>) {
    prompt.split_once('@').map_or((prompt, None), |(name, at)| (name, Some(at)))
}

/// The variables of `--vars` and `--var`.
pub(super) fn variables(filling: &PromptFilling) -> anyhow::Result<Object> {
    let mut all = Object::new();
    if let Some(path) = &filling.vars {
        let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
        let read: Value = serde_json::from_str(&text).with_context(|| path.display().to_string())?;
        let Value::Object(read) = read else {
            bail!("{}: an object of variables is wanted: {{\"name\": \"Ann\"}}", path.display());
        };
        all.extend(read);
    }
    for given in &filling.var {
        let Some((name, value)) = given.split_once('=') else {
            bail!("--var {given}: write NAME=VALUE");
        };
        all.insert(name.to_owned(), value.into());
    }
    Ok(all)
}

async fn render(
    effective: &Effective,
    library: &Library,
    prompt: &str,
    variables: &Object,
) -> anyhow::Result<Value> {
    let (name, at) = split(prompt);
    let found = library.resolve(name, at).await?;
    let mut context = Context::default();
    if let Some(wish) = found.prompt.wish(variables, &[]) {
        let examples = wiring::prompt_examples_to_read(effective)?;
        let cx = CallContext::unrecorded();
        context.examples = examples.examples(&cx, &wish.dataset, wish.count, wish.near.as_deref()).await?;
    }
    Ok(prompts::render(library, name, at, variables, context).await?)
}

async fn label(effective: &Effective, wish: PromptLabel) -> anyhow::Result<()> {
    let PromptLabel { name, label, to, remove, json: as_json } = wish;
    let to = to.filter(|_| !remove);
    let done = if let Some(card) = ownership::running(&effective.data.value) {
        let name = percent_encoding::utf8_percent_encode(&name, percent_encoding::NON_ALPHANUMERIC);
        let body = json!({ "label": label, "to": to });
        let remote = Remote::new(card, &effective.config)?;
        remote.json(Method::POST, &format!("/api/prompts/{name}/labels"), Some(&body)).await?
    } else {
        let data = &effective.data.value;
        let owned = Owned::take(data)?;
        let store = Store::open(data, Options::default())?;
        let done = async {
            let library = wiring::prompts(effective, store.clone()).await?;
            anyhow::Ok(prompts::label(&library, &name, &label, to.as_deref(), BY).await?)
        }
        .await;
        store.flush().await?;
        tokio::task::spawn_blocking(move || store.close()).await?;
        drop(owned);
        done?
    };
    if as_json.json {
        output::json(&done)?;
        return Ok(());
    }
    match done.get("version").and_then(Value::as_str) {
        Some(version) => output::note(format!("{name}@{label} is {version}")),
        None => output::note(format!("{name} has no label {label} any more")),
    }
    Ok(())
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn items<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Labels and where they stand: `production=1a2b3c4d5e`.
fn labels(value: &Value) -> String {
    let labels = value.get("labels").and_then(Value::as_object).into_iter().flatten();
    labels
        .map(|(label, at)| format!("{label}={}", at.as_str().unwrap_or_default()))
        .collect::<Vec<_>>()
        .join(" ")
}

fn table(list: &Value) -> anyhow::Result<()> {
    let prompts = items(list, "prompts");
    if prompts.is_empty() {
        output::note(format!(
            "there are no prompts; write one as {}/NAME.prompt (see docs/prompts.md)",
            text(list, "folder")
        ));
        return Ok(());
    }
    output::line(format!("{:<28} {:<10} {:<28} labels", "name", "version", "model"))?;
    for prompt in prompts {
        let line = format!(
            "{:<28} {:<10} {:<28} {}",
            text(prompt, "name"),
            text(prompt, "version"),
            text(prompt, "model"),
            labels(prompt)
        );
        output::line(output::safe(line.trim_end()))?;
        if let Some(problem) = prompt.get("problem").and_then(Value::as_str) {
            output::line(output::styled("31", &output::safe(&format!("  {problem}"))))?;
        }
    }
    Ok(())
}

fn show(prompt: &Value) -> anyhow::Result<()> {
    let head =
        format!("{}  {}  {}", text(prompt, "name"), text(prompt, "version"), text(prompt, "description"));
    output::line(output::styled("1", &output::safe(head.trim_end())))?;
    for note in items(prompt, "notes").iter().filter_map(Value::as_str) {
        output::note(format!("note: {note}"));
    }
    for variable in items(prompt, "variables") {
        let required = if variable.get("required") == Some(&Value::Bool(true)) { ", required" } else { "" };
        let line = format!(
            "  {}: {}{required}  {}",
            text(variable, "name"),
            text(variable, "type"),
            text(variable, "description")
        );
        output::line(output::safe(line.trim_end()))?;
    }
    for version in items(prompt, "versions") {
        let labels: Vec<&str> = items(version, "labels").iter().filter_map(Value::as_str).collect();
        let line = format!(
            "  {}  {}  {}  {}",
            text(version, "version"),
            text(version, "created"),
            text(version, "author"),
            labels.join(", ")
        );
        output::line(output::styled("2", &output::safe(line.trim_end())))?;
        for line in scores(version) {
            output::line(output::safe(&line))?;
        }
    }
    output::line("")?;
    output::line(output::safe(text(prompt, "source").trim_end()))?;
    Ok(())
}

/// What a version was scored: a line for each experiment, and one for live calls.
fn scores(version: &Value) -> Vec<String> {
    let Some(scores) = version.get("scores") else { return Vec::new() };
    let told = |by: String, of: &Value, member: &str| {
        let each: Vec<String> = items(of, member).iter().filter_map(score).collect();
        (!each.is_empty()).then(|| format!("    {by}: {}", each.join(", ")))
    };
    let experiments = items(scores, "experiments").iter().filter_map(|tried| {
        told(format!("{} #{}", text(tried, "name"), tried.get("id").unwrap_or(&Value::Null)), tried, "scores")
    });
    experiments.chain(told("live".to_owned(), scores, "live")).collect()
}

/// `helpful 92.0% (85.1% to 96.2%, n 73)`
fn score(score: &Value) -> Option<String> {
    let is_share = score.get("is_share") == Some(&Value::Bool(true));
    let number = |value: f64| if is_share { format!("{:.1}%", value * 100.0) } else { format!("{value:.3}") };
    let mean = score.get("mean")?.as_f64()?;
    let n = score.get("n").and_then(Value::as_u64).unwrap_or_default();
    let bound = |end: &str| score.pointer(&format!("/estimate/{end}")).and_then(Value::as_f64).map(number);
    let interval = match (bound("low"), bound("high")) {
        (Some(low), Some(high)) => format!("{low} to {high}, "),
        _ => String::new(),
    };
    Some(format!("{} {} ({interval}n {n})", text(score, "name"), number(mean)))
}

fn coloured(diff: &str) -> anyhow::Result<()> {
    for line in diff.lines() {
        let style = match line.as_bytes().first() {
            Some(b'+') => "32",
            Some(b'-') => "31",
            Some(b'@') => "36",
            _ => "0",
        };
        output::line(output::styled(style, &output::safe(line)))?;
    }
    Ok(())
}

/// What a model would be asked, for people.
fn request(filled: &Value) -> anyhow::Result<()> {
    let request = filled.get("request").cloned().unwrap_or_default();
    let head = format!("{}@{}  {}", text(filled, "name"), text(filled, "version"), text(&request, "model"));
    output::line(output::styled("2", &output::safe(head.trim_end())))?;
    for message in items(&request, "messages") {
        output::line(output::styled("1", &format!("{}:", text(message, "role"))))?;
        let content = match message.get("content") {
            Some(Value::String(text)) => text.clone(),
            Some(other) => serde_json::to_string_pretty(other)?,
            None => String::new(),
        };
        output::line(output::safe(content.trim_end()))?;
    }
    let rest: Object = request
        .as_object()
        .into_iter()
        .flatten()
        .filter(|(name, _)| !matches!(name.as_str(), "model" | "messages"))
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect();
    if !rest.is_empty() {
        output::line(output::styled("2", &output::safe(&Value::Object(rest).to_string())))?;
    }
    Ok(())
}
