//! `hanok tune`

use crate::cli::Tune;
use crate::config::Effective;
use crate::{output, wiring};
use anyhow::{Context as _, bail};
use hanok_base::{CollectionName, Reranker};
use hanok_local::{CrossEncoder, Options};
use hanok_retrieval::{Library, Question, tune};
use std::process::ExitCode;
use std::sync::Arc;

/// Tries changes to a collection and says which are proved. Nothing is written: what to adopt is said as lines of the
/// configuration.
pub(crate) async fn run(effective: Effective, command: Tune) -> anyhow::Result<ExitCode> {
    let store = wiring::store_to_read(&effective)?;
    let library = Library::open(store, &effective.data.value).await?;
    let collection = CollectionName::from(command.collection);
    if library.coverage(&collection).is_none() {
        let known: Vec<String> = library.collections().iter().map(|info| info.name.to_string()).collect();
        bail!("there is no collection `{collection}`; there are: {}", known.join(", "));
    }
    let _gateway = wiring::equip_to_read(&library, &effective).await?;
    let file = command.queries;
    let text = std::fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    let questions = lines
        .map(|(at, line)| {
            serde_json::from_str(line).with_context(|| format!("{}: line {}", file.display(), at + 1))
        })
        .collect::<anyhow::Result<Vec<Question>>>()?;
    if questions.is_empty() {
        bail!("{} holds no question", file.display());
    }
    let reranker: Option<Arc<dyn Reranker>> = match command.reranker {
        None => None,
        Some(folder) => {
            let open = tokio::task::spawn_blocking(move || CrossEncoder::open(&folder, Options::default()));
            Some(Arc::new(open.await??))
        }
    };
    let report = tune(&library, &collection, &questions, reranker).await?;
    if command.json.json {
        output::json(&report)?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(format!(
        "{} questions choose, {} judge; in use now: nDCG@10 {:.4}",
        report.train, report.held_out, report.before
    ))?;
    for tried in &report.tried {
        let verdict = if tried.adopted { "adopted" } else { "refused" };
        output::line(format!("{verdict}  {:<28} {:.4}  {}", tried.change, tried.train, tried.reason))?;
        if let Some((mean, low, high)) = tried.held_out {
            output::line(format!(
                "         on the held-out questions {mean:+.4}, 95 % from {low:+.4} to {high:+.4}"
            ))?;
        }
    }
    if report.adopted.is_empty() {
        output::line("nothing is proved to be better than what is in use")?;
    } else {
        output::line(format!("put under [collections.{collection}] in hanok.toml:"))?;
        for line in &report.adopted {
            output::line(format!("  {line}"))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
