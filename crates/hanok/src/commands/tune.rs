//! `hanok tune`

use crate::cli::Tune;
use crate::config::{Effective, with_members};
use crate::ownership;
use crate::remote::Remote;
use crate::{output, wiring};
use anyhow::{Context as _, bail};
use hanok_base::CollectionName;
use hanok_retrieval::{Kind, Library, Question, TuneReport, tune};
use http::Method;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// How long a server may take to take the file: it looks every second, and a reload is checked as a whole.
const TAKES: Duration = Duration::from_secs(15);

/// Tries changes to a collection, and writes those into the configuration that are proved.
pub(crate) async fn run(effective: Effective, command: Tune) -> anyhow::Result<ExitCode> {
    let store = wiring::store_to_read(&effective)?;
    let library = Library::open(store, &effective.data.value).await?;
    let collection = CollectionName::from(command.collection);
    if library.coverage(&collection).is_none() {
        let known: Vec<String> = library.collections().iter().map(|info| info.name.to_string()).collect();
        bail!("there is no collection `{collection}`; there are: {}", known.join(", "));
    }
    let questions = questions(&command.queries)?;
    must_be_whole(&effective, &library, &collection).await?;
    let gateway = wiring::equip_to_read(&library, &effective, &collection).await?;
    let reranker = match &command.reranker {
        None => None,
        Some(name) => {
            // Named from here; the configuration names it from where its file is.
            let folder = Path::new(name);
            let here = folder.join("config.json").is_file();
            let name = if here { std::path::absolute(folder)?.display().to_string() } else { name.clone() };
            wiring::reranker(&effective, &gateway, &name).await?.map(|reranker| (name, reranker))
        }
    };
    let mut kinds: Vec<Kind> = command.kinds.iter().filter_map(|name| Kind::parse(name)).collect();
    if kinds.is_empty() {
        kinds = Kind::by_default();
    }
    let tell = |what: &str| output::note(format!("{collection}: {what}"));
    let report = tune(&library, &collection, &questions, reranker, &kinds, &tell).await?;
    drop(library);
    let written = match (report.adopted.is_empty(), command.dry_run) {
        (false, false) => adopt(&effective, &collection, &report).await?,
        _ => None,
    };
    if command.json.json {
        let mut document = serde_json::to_value(&report)?;
        if let Value::Object(members) = &mut document {
            members.insert("schemaVersion".to_owned(), json!(1));
            members.insert("written".to_owned(), json!(written));
        }
        output::json(&document)?;
        return Ok(ExitCode::SUCCESS);
    }
    show(&collection, &report, written.as_deref())?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses a collection that is being indexed: what serves would be measured by a part of its documents.
async fn must_be_whole(
    effective: &Effective,
    library: &Library,
    collection: &CollectionName,
) -> anyhow::Result<()> {
    let coverage = library.coverage(collection).unwrap_or_default();
    let running = match ownership::running(&effective.data.value) {
        Some(card) => {
            let server = Remote::new(card, &effective.config)?;
            let row = row_of(&server, collection).await?;
            row.and_then(|row| row.get("indexing").and_then(Value::as_bool)).unwrap_or(false)
        }
        None => false,
    };
    if running || coverage.indexed < coverage.found {
        bail!("`{collection}` is not indexed to its end: tune it once that is done (hanok index)");
    }
    Ok(())
}

fn questions(file: &Path) -> anyhow::Result<Vec<Question>> {
    let text = std::fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let questions = lines
        .map(|(at, line)| {
            serde_json::from_str(line).with_context(|| format!("{}: line {}", file.display(), at + 1))
        })
        .collect::<anyhow::Result<Vec<Question>>>()?;
    if questions.is_empty() {
        bail!("{} holds no question", file.display());
    }
    Ok(questions)
}

fn show(collection: &CollectionName, report: &TuneReport, written: Option<&Path>) -> anyhow::Result<()> {
    output::line(format!(
        "{} questions choose, {} judge; in use now: nDCG@10 {:.4}",
        report.train, report.held_out, report.before
    ))?;
    output::line(report.rule)?;
    for tried in &report.tried {
        let verdict = if tried.adopted { "adopted" } else { "refused" };
        output::line(format!("{verdict}  {:<44} {:.4}  {}", tried.change, tried.train, tried.reason))?;
        if let Some((mean, low, high)) = tried.held_out {
            output::line(format!(
                "         on the held-out questions {mean:+.4}, 95 % from {low:+.4} to {high:+.4}"
            ))?;
        }
    }
    for left in &report.left_out {
        output::line(format!("not tried  {}  {}", left.change, left.reason))?;
    }
    match (report.adopted.is_empty(), written) {
        (true, _) => output::line("nothing is proved to be better than what is in use")?,
        (false, Some(file)) => {
            output::line(format!("written to {} under [collections.{collection}]:", file.display()))?;
        }
        (false, None) => output::line(format!("nothing is written; under [collections.{collection}]:"))?,
    }
    for member in &report.adopted {
        output::line(format!("  {member}"))?;
    }
    Ok(())
}

/// Writes what is proved into the configuration, and has a running server take it; gives the file. `None` where the
/// collection is in no file and nobody knows its paths.
async fn adopt(
    effective: &Effective,
    collection: &CollectionName,
    report: &TuneReport,
) -> anyhow::Result<Option<PathBuf>> {
    let server = match ownership::running(&effective.data.value) {
        Some(card) => Some(Remote::new(card, &effective.config)?),
        None => None,
    };
    let configured = effective.config.collections.contains_key(collection.as_str());
    let paths = match &server {
        Some(server) if !configured => paths_of(server, collection).await?,
        _ => None,
    };
    if !configured && paths.is_none() {
        output::note(format!(
            "{collection} is in no configuration, and where its documents are is not known: put its paths and these \
             lines into hanok.toml"
        ));
        return Ok(None);
    }
    let file = effective.file.clone().unwrap_or_else(|| PathBuf::from("hanok.toml"));
    let text = if effective.file.is_some() { std::fs::read_to_string(&file)? } else { String::new() };
    let members: Vec<(String, String)> =
        report.adopted.iter().map(|member| (member.name.to_owned(), member.value.clone())).collect();
    let text = with_members(&file, &text, collection.as_str(), &members, paths.as_deref())?;
    replace(&file, &text).with_context(|| format!("writing {}", file.display()))?;
    match server {
        None => output::note("the next `hanok up` or `hanok index` takes it"),
        Some(server) => taken(&server, collection).await?,
    }
    Ok(Some(file))
}

/// What a server says of a collection.
async fn row_of(server: &Remote, collection: &CollectionName) -> anyhow::Result<Option<Value>> {
    let listed = server.json(Method::GET, "/api/collections", None).await?;
    let all = listed.get("collections").and_then(Value::as_array).cloned().unwrap_or_default();
    Ok(all.into_iter().find(|row| row.get("name").and_then(Value::as_str) == Some(collection.as_str())))
}

/// Where a collection's documents are that a server was started with, if they are found from here, too.
async fn paths_of(server: &Remote, collection: &CollectionName) -> anyhow::Result<Option<Vec<String>>> {
    let row = row_of(server, collection).await?.unwrap_or_default();
    let paths = row.get("paths").and_then(Value::as_array).cloned().unwrap_or_default();
    let paths: Vec<String> = paths.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    let found = !paths.is_empty() && !paths.iter().any(|path| wiring::is_missing(Path::new(path)));
    Ok(found.then_some(paths))
}

/// Puts a text in the place of a file, so that nobody ever reads half of it.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let new = file.with_file_name(name);
    std::fs::write(&new, text)?;
    if let Ok(metadata) = std::fs::metadata(file) {
        std::fs::set_permissions(&new, metadata.permissions())?;
    }
    std::fs::rename(&new, file)
}

/// Waits until a server has taken the file, and has it bring the collection to it.
async fn taken(server: &Remote, collection: &CollectionName) -> anyhow::Result<()> {
    output::note(format!("the server at {} takes the file and cuts what is to be cut anew", server.url()));
    let begun = std::time::Instant::now();
    loop {
        // It looks at the file by itself, and says what of it is not good.
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        let status = server.json(Method::GET, "/api/status", None).await?;
        match status.pointer("/config_problem/message").and_then(Value::as_str) {
            None => break,
            Some(message) if begun.elapsed() > TAKES => bail!("the server does not take the file: {message}"),
            Some(_) => {}
        }
    }
    let body = json!({ "collection": collection });
    server.json(Method::POST, "/api/index", Some(&body)).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("hanok.toml");
        replace(&file, "a").unwrap();
        replace(&file, "b").unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "b");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
