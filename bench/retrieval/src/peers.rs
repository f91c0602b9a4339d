//! Others over the same collection, in the same run, each in a process of its own.

use crate::Options;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::{Command, Stdio};

/// What one way of one peer gave.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Peer {
    /// Who, and how it searched.
    #[serde(rename = "peer")]
    pub(crate) who: String,
    /// The collection.
    #[serde(default)]
    pub(crate) collection: String,
    /// Mean over the judged questions.
    #[serde(rename = "ndcg@10")]
    pub(crate) ndcg_at_10: f64,
    /// Until it could be asked, vectors included.
    pub(crate) index_seconds: f64,
    /// Of a query, in milliseconds.
    pub(crate) p50: f64,
    /// Of a query, in milliseconds.
    pub(crate) p99: f64,
    /// The most memory of the process until then, in MB.
    pub(crate) peak_mb: f64,
}

/// Has every peer search a collection.
pub(crate) fn measure(options: &Options, python: &Path, name: &str, folder: &Path) -> Result<Vec<Peer>> {
    eprintln!("{name}: peers");
    let output = Command::new(python)
        .args(["-c", include_str!("peers.py")])
        .args([folder, &options.embedder])
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| python.display().to_string())?;
    anyhow::ensure!(output.status.success(), "{name}: the peers ended with {}", output.status);
    let text = String::from_utf8(output.stdout)?;
    text.lines()
        .filter(|line| line.starts_with('{'))
        .map(|line| {
            let peer: Peer = serde_json::from_str(line).with_context(|| line.to_owned())?;
            Ok(Peer { collection: name.to_owned(), ..peer })
        })
        .collect()
}
