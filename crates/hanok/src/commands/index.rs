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
use hanok_retrieval::{Cancel, SyncReport, replaced};
use http::Method;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::process::ExitCode;

/// Brings collections up to date: through the server that runs on the data folder, or here when none does.
pub(crate) async fn run(effective: Effective, index: Index) -> anyhow::Result<ExitCode> {
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
