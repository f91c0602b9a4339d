//! One run of the program, with the memory it took.

use crate::Options;
use anyhow::{Context, Result, bail};
use serde::Serialize;
use serde_json::Value;
use std::io::Read as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

/// How often the memory of the running program is looked at; the kernel keeps its peak.
const LOOK: Duration = Duration::from_millis(20);

/// What one run gave.
#[derive(Debug, Serialize)]
pub(crate) struct Run {
    /// The collection.
    pub(crate) collection: String,
    /// How it was searched.
    pub(crate) how: String,
    /// The program's own report.
    pub(crate) report: Value,
    /// The most memory the process held, in MB, its mapped files included; absent where the system does not say.
    pub(crate) peak_mb: Option<f64>,
}

impl Run {
    /// A number of the report, by its path.
    pub(crate) fn number(&self, pointer: &str) -> Option<f64> {
        self.report.pointer(pointer)?.as_f64()
    }

    /// The interval of a measure.
    pub(crate) fn interval(&self, measure: &str) -> Option<(f64, f64)> {
        let all = self.report.get("intervals")?.as_array()?;
        let found = all.iter().find(|named| named.get("measure").and_then(Value::as_str) == Some(measure))?;
        Some((found.get("low")?.as_f64()?, found.get("high")?.as_f64()?))
    }
}

/// Runs `hanok eval retrieval` on a folder.
pub(crate) fn measure(
    options: &Options,
    name: &str,
    folder: &Path,
    legs: &str,
    flags: &[&str],
) -> Result<Run> {
    let how = [&[legs], flags].concat().join(" ");
    eprintln!("{name}: {how}");
    let data = tempfile::tempdir()?;
    let mut command = Command::new(&options.hanok);
    command.arg("--data").arg(data.path()).args(["eval", "retrieval"]).arg(folder);
    command.args(["--legs", legs, "--json"]).args(flags);
    if legs != "bm25" {
        command.arg("--embedder").arg(&options.embedder);
    }
    let mut child =
        command.stdout(Stdio::piped()).spawn().with_context(|| options.hanok.display().to_string())?;
    let mut stdout = child.stdout.take().context("the program has no stdout")?;
    let reader = std::thread::spawn(move || {
        let mut text = String::new();
        stdout.read_to_string(&mut text).map(|_| text)
    });
    let status = format!("/proc/{}/status", child.id());
    let mut peak_mb = None;
    let ended = loop {
        if let Some(ended) = child.try_wait()? {
            break ended;
        }
        peak_mb = peak(&status).or(peak_mb);
        std::thread::sleep(LOOK);
    };
    let Ok(text) = reader.join() else { bail!("reading the program's answer failed") };
    anyhow::ensure!(ended.success(), "{name}, {how}: the program ended with {ended}");
    let report = serde_json::from_str(&text?).context("the program's report")?;
    Ok(Run { collection: name.to_owned(), how, report, peak_mb })
}

fn peak(status: &str) -> Option<f64> {
    let text = std::fs::read_to_string(status).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kilobytes: f64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes / 1024.0)
}
