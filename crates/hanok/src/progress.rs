//! Progress of indexing on stderr: a bar on a terminal, a line now and then elsewhere.

use crate::output;
use hanok_base::{CollectionName, Coverage};
use hanok_retrieval::{Embedded, Progress, SyncReport};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::{self, IsTerminal as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// How often a plain line is written.
const EVERY: Duration = Duration::from_secs(5);
/// Most skipped files that are named; the rest is counted.
const NAMED: usize = 10;

/// Shows how one run goes on.
pub(crate) struct Shown {
    name: CollectionName,
    bar: Option<ProgressBar>,
    last: Mutex<Instant>,
}

impl Shown {
    /// For a run over this collection.
    pub(crate) fn new(name: &CollectionName) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("indexing {msg} {bar:30} {pos}/{len}");
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(8));
            bar.set_message(name.to_string());
            style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
        });
        Self { name: name.clone(), bar, last: Mutex::new(Instant::now()) }
    }

    /// Takes the bar away and says what the run did.
    pub(crate) fn end(self, report: &SyncReport) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
        for line in said(&self.name, report) {
            output::note(line);
        }
    }
}

/// Shows how the embedding of one collection goes on.
pub(crate) struct Embedding {
    name: CollectionName,
    bar: Option<ProgressBar>,
    last: Mutex<Instant>,
}

impl Embedding {
    /// Of this collection.
    pub(crate) fn new(name: &CollectionName) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("embedding {msg} {bar:30} {pos}/{len}");
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(8));
            bar.set_message(name.to_string());
            style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
        });
        Self { name: name.clone(), bar, last: Mutex::new(Instant::now()) }
    }

    /// So far it is.
    pub(crate) fn update(&self, at: Embedded) {
        if let Some(bar) = &self.bar {
            bar.set_length(at.chunks);
            bar.set_position(at.embedded);
            return;
        }
        let Ok(mut last) = self.last.lock() else { return };
        if at.embedded < at.chunks && last.elapsed() >= EVERY {
            *last = Instant::now();
            output::note(format!("embedding {}: {} of {} chunks", self.name, at.embedded, at.chunks));
        }
    }

    /// Takes the bar away.
    pub(crate) fn end(self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Shown {
    fn update(&self, coverage: Coverage) {
        if let Some(bar) = &self.bar {
            bar.set_length(coverage.found);
            bar.set_position(coverage.indexed);
            return;
        }
        let Ok(mut last) = self.last.lock() else { return };
        if coverage.indexing && last.elapsed() >= EVERY {
            *last = Instant::now();
            output::note(format!(
                "indexing {}: {} of {} documents",
                self.name, coverage.indexed, coverage.found
            ));
        }
    }
}

/// What a run did, in lines.
pub(crate) fn said(name: &CollectionName, report: &SyncReport) -> Vec<String> {
    let mut lines = Vec::new();
    let total = report.added + report.changed + report.moved + report.unchanged;
    if report.is_empty() {
        lines.push(format!("{name}: no documents found"));
    } else {
        let changes = [
            (report.added, "new"),
            (report.changed, "changed"),
            (report.moved, "moved"),
            (report.deleted, "deleted"),
        ];
        let changes: Vec<String> =
            changes.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        let changes = if changes.is_empty() { "nothing changed".to_owned() } else { changes.join(", ") };
        lines.push(format!("{name}: {total} documents ({changes})"));
    }
    if !report.skipped.is_empty() {
        lines.push(format!("{name}: {} files skipped", report.skipped.len()));
        for (path, reason) in report.skipped.iter().take(NAMED) {
            lines.push(format!("  {}: {reason}", output::safe(path)));
        }
        if report.skipped.len() > NAMED {
            lines
                .push(format!("  and {} more; `hanok index --json` names all", report.skipped.len() - NAMED));
        }
    }
    if report.recut > 0 {
        lines.push(format!("{name}: {} documents cut anew, as the settings say now", report.recut));
    }
    if !report.notes.is_empty() {
        lines.push(format!("{name}: {} notes", report.notes.len()));
        for (path, note) in report.notes.iter().take(NAMED) {
            lines.push(format!("  {}: {}", output::safe(path), output::safe(note)));
        }
    }
    let unsupported: u64 = report.unsupported.values().sum();
    if unsupported > 0 {
        let mut kinds: Vec<(&String, &u64)> = report.unsupported.iter().collect();
        kinds.sort_by(|a, b| b.1.cmp(a.1));
        let kinds: Vec<String> = kinds
            .iter()
            .take(5)
            .map(
                |(kind, n)| {
                    if kind.is_empty() { format!("{n} without extension") } else { format!("{n} .{kind}") }
                },
            )
            .collect();
        lines.push(format!("{name}: {unsupported} files of other kinds not indexed ({})", kinds.join(", ")));
    }
    if report.cancelled {
        lines.push(format!("{name}: stopped before the end; the next run goes on from there"));
    }
    lines
}
