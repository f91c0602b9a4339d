//! `hanok index`

use crate::cli::Index;
use crate::config::Effective;
use crate::output;
use crate::ownership::{self, Owned};
use crate::progress::{Embedding, Shown, said};
use crate::remote::Remote;
use crate::wiring::{self, Rooms};
use anyhow::{Context as _, bail};
use hanok_base::CollectionName;
use hanok_retrieval::{Cancel, SyncReport, on_disk, replaced};
use http::Method;
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Brings collections up to date: through the server that runs on the data folder, or here when none does.
pub(crate) async fn run(effective: Effective, index: Index) -> anyhow::Result<ExitCode> {
    if !index.remove.is_empty() {
        return remove(effective, index).await;
    }
    let wanted = wanted(&effective, &index)?;
    let mut reports = Map::new();
    if let Some(card) = ownership::running(&effective.data.value) {
        let remote = Remote::new(card, &effective.config)?;
        output::note(format!("indexing through the server at {}", remote.url()));
        for (name, paths) in wanted {
            // The server may stand in another folder.
            let paths: Vec<PathBuf> = paths
                .iter()
                .map(|path| {
                    replaced(path, |path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned()))
                })
                .collect();
            let body = json!({ "collection": name, "paths": paths });
            let report = remote.json(Method::POST, "/api/index", Some(&body)).await?;
            if !index.json.json {
                let typed: SyncReport = serde_json::from_value(report.clone())?;
                said(&name, &typed).into_iter().for_each(output::note);
            }
            reports.insert(name.to_string(), report);
        }
    } else {
        let owned = Owned::take(&effective.data.value)?;
        let rooms = Rooms::open(&effective).await?;
        rooms.equip(&effective).await?;
        rooms.library.catch_up().await?;
        let cancel = Cancel::default();
        let interrupted = cancel.clone();
        tokio::spawn(async move {
            if tokio::signal::ctrl_c().await.is_ok() {
                output::note("stopping; once more to stop at once");
                interrupted.cancel();
            }
            if tokio::signal::ctrl_c().await.is_ok() {
                std::process::exit(130);
            }
        });
        for (name, paths) in wanted {
            let shown = Shown::new(&name);
            let report = rooms.library.sync(&name, &paths, &shown, &cancel).await?;
            shown.end(&report);
            let embedding = Embedding::new(&name);
            let tell = |embedded| embedding.update(embedded);
            rooms.library.embed(Some(&rooms.traces), &name, &tell, &cancel).await?;
            embedding.end();
            reports.insert(name.to_string(), serde_json::to_value(&report)?);
        }
        rooms.close().await?;
        drop(owned);
        if cancel.is_cancelled() {
            return Ok(ExitCode::from(130));
        }
    }
    if index.json.json {
        output::json(&json!({ "collections": Value::Object(reports) }))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes documents: through the server that runs on the data folder, or here when none does.
async fn remove(effective: Effective, index: Index) -> anyhow::Result<ExitCode> {
    // There must be documents, before a folder is made for them.
    wiring::store_to_read(&effective)?.close();
    let mut gone: Vec<Value> = Vec::new();
    // A path is told as it stands here, since the server may stand in another folder.
    let places = index.remove.iter().map(|source| {
        let path = Path::new(source);
        let path = std::path::absolute(path).ok().filter(|_| on_disk(path).is_some());
        (source, path.map(|path| path.to_string_lossy().into_owned()))
    });
    if let Some(card) = ownership::running(&effective.data.value) {
        let remote = Remote::new(card, &effective.config)?;
        for (source, path) in places {
            let told = [
                ("source", Some(source)),
                ("collection", index.collection.as_ref()),
                ("path", path.as_ref()),
            ];
            let told = told.into_iter().filter_map(|(name, value)| {
                let value = percent_encoding::utf8_percent_encode(value?, percent_encoding::NON_ALPHANUMERIC);
                Some(format!("{name}={value}"))
            });
            let query = format!("/api/sources?{}", told.collect::<Vec<_>>().join("&"));
            let mut answer = remote.json(Method::DELETE, &query, None).await?;
            let removed = answer.get_mut("deleted").and_then(Value::as_array_mut).map(std::mem::take);
            gone.extend(removed.unwrap_or_default());
        }
    } else {
        let owned = Owned::take(&effective.data.value)?;
        let rooms = Rooms::open(&effective).await?;
        let library = &rooms.library;
        let collection = index.collection.as_deref().map_or_else(|| library.default_collection(), Into::into);
        let mut missing = None;
        for (source, path) in places {
            let names: Vec<&str> = path.iter().map(String::as_str).chain([source.as_str()]).collect();
            let removed = library.remove_named(&collection, &names).await?;
            if removed.is_empty() {
                missing = Some(source);
                break;
            }
            gone.extend(removed.into_iter().map(Value::from));
        }
        rooms.close().await?;
        drop(owned);
        if let Some(source) = missing {
            bail!("there is no document `{source}` in the collection `{collection}`");
        }
    }
    if index.json.json {
        output::json(&json!({ "deleted": gone }))?;
    } else {
        for path in &gone {
            output::line(output::safe(&format!("removed {}", path.as_str().unwrap_or_default())))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn wanted(effective: &Effective, index: &Index) -> anyhow::Result<Vec<(CollectionName, Vec<PathBuf>)>> {
    if !index.paths.is_empty() {
        let name = index.collection.as_deref().unwrap_or("default");
        return Ok(vec![(name.into(), index.paths.clone())]);
    }
    let configured = wiring::collections(effective, &[]);
    match &index.collection {
        None if configured.is_empty() => {
            bail!("no collection is configured; name a folder: hanok index docs")
        }
        None => Ok(configured),
        Some(name) => {
            let known: Vec<String> = configured.iter().map(|(name, _)| name.to_string()).collect();
            let found = configured.into_iter().find(|(known, _)| known.as_str() == name);
            let found = found.with_context(|| {
                format!(
                    "there is no collection `{name}` in the configuration; there are: {}",
                    known.join(", ")
                )
            })?;
            Ok(vec![found])
        }
    }
}
