//! `hanok list` and `hanok rm`

use crate::config::Effective;
use crate::output;
use hanok_local::Models;
use hanok_local::models::{Installed, Purpose};
use serde_json::json;
use std::process::ExitCode;

/// Prints the models that are there.
pub(crate) fn list(effective: &Effective, as_json: bool) -> anyhow::Result<ExitCode> {
    let (models, broken) = Models::at(&effective.data.value).list()?;
    let broken: Vec<String> = broken.iter().map(ToString::to_string).collect();
    if as_json {
        output::json(&json!({ "models": models, "broken": broken }))?;
        return Ok(ExitCode::SUCCESS);
    }
    if models.is_empty() {
        output::note("no models yet; `hanok pull all-minilm-l6-v2` gets a small embedder");
    }
    let width = models.iter().map(|model| model.name.len()).max().unwrap_or_default();
    for model in &models {
        output::line(line(model, width))?;
    }
    for error in broken {
        output::note(format!("not usable: {}", output::safe(&error)));
    }
    Ok(ExitCode::SUCCESS)
}

/// Removes a model.
pub(crate) fn rm(effective: &Effective, name: &str) -> anyhow::Result<ExitCode> {
    Models::at(&effective.data.value).rm(name)?;
    output::note(format!("removed {name}"));
    Ok(ExitCode::SUCCESS)
}

/// A model in a line.
pub(crate) fn line(model: &Installed, width: usize) -> String {
    let purpose = match model.purpose {
        Purpose::Embedder => "embedder",
        Purpose::CrossEncoder => "cross-encoder",
    };
    format!(
        "{:<width$}  {purpose:<13}  {:<10}  {:>4} dimensions  {:>2} layers  {:>4} tokens  {:>6}",
        model.name,
        model.family,
        model.dimensions,
        model.layers,
        model.most_tokens,
        size(model.bytes)
    )
}

/// Bytes as people say them.
pub(crate) fn size(bytes: u64) -> String {
    let tenths = bytes / 100_000;
    if tenths >= 10_000 {
        format!("{}.{} GB", tenths / 10_000, tenths / 1000 % 10)
    } else {
        format!("{}.{} MB", tenths / 10, tenths % 10)
    }
}
