//! `hanok db`

use crate::cli::Db;
use crate::config::Effective;
use crate::output;
use crate::ownership::Owned;
use crate::wiring;
use anyhow::Context as _;
use hanok_base::Timestamp;
use hanok_store::LastBackup;
use serde_json::json;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// How often progress is told where nobody watches a terminal.
const TELL_EVERY: Duration = Duration::from_secs(5);

/// Copies, puts back, checks or measures the file of the data folder.
pub(crate) async fn run(effective: Effective, command: Db) -> anyhow::Result<ExitCode> {
    let data = effective.data.value.clone();
    match command {
        Db::Backup { file, json } => {
            wiring::store_to_read(&effective)?.close();
            let to = file.clone();
            let folder = data.clone();
            let size = blocking(move || {
                let mut told = Told::new("backup");
                hanok_store::backup(&folder, &to, &mut |done, all| told.tell(done, all))
            })
            .await??;
            let at = std::path::absolute(&file).unwrap_or_else(|_| file.clone());
            let made = LastBackup { at: Timestamp::now(), file: at, bytes: size };
            // The copy is there all the same.
            if let Err(error) = made.note(&data) {
                output::note(format!("the backup could not be noted in {}: {error}", data.display()));
            }
            if json.json {
                output::json(&json!({ "file": file, "bytes": size }))?;
            } else {
                output::line(format!("{} holds {}", file.display(), bytes(size)))?;
            }
        }
        Db::Restore { file, json } => {
            let owned = Owned::take(&data)?;
            let from = file.clone();
            let checked = blocking(move || {
                let mut told = Told::new("restore");
                hanok_store::restore(&data, &from, &mut |done, all| told.tell(done, all))
            })
            .await??;
            drop(owned);
            if json.json {
                output::json(&json!({ "file": file, "traces": checked.traces, "spans": checked.spans }))?;
            } else {
                output::line(format!("{} traces, {} spans are back", checked.traces, checked.spans))?;
            }
        }
        Db::Check { json } => {
            wiring::store_to_read(&effective)?.close();
            let checked = blocking(move || hanok_store::check(&data)).await??;
            let good = checked.problems.is_empty();
            if json.json {
                output::json(&json!({
                    "ok": good,
                    "traces": checked.traces,
                    "spans": checked.spans,
                    "bodies": checked.bodies,
                    "problems": checked.problems,
                }))?;
            } else {
                for problem in &checked.problems {
                    output::line(problem)?;
                }
                let what = if good { "all is well" } else { "not all is well" };
                output::line(format!(
                    "{what}: {} traces, {} spans, {} bodies",
                    checked.traces, checked.spans, checked.bodies
                ))?;
            }
            return Ok(ExitCode::from(u8::from(!good)));
        }
        Db::Size { json } => {
            let store = wiring::store_to_read(&effective)?;
            let size = store.size().await?;
            let tables = blocking(move || store.tables()).await??;
            if json.json {
                let tables: serde_json::Map<_, _> =
                    tables.into_iter().map(|(name, bytes)| (name, bytes.into())).collect();
                output::json(&json!({
                    "file": size.file,
                    "used": size.used,
                    "free": size.free,
                    "log": size.log,
                    "tables": tables,
                }))?;
            } else {
                output::line(format!(
                    "{} in the file, of which {} wait to be used again; {} in the log",
                    bytes(size.file),
                    bytes(size.free),
                    bytes(size.log)
                ))?;
                for (name, size) in tables {
                    output::line(format!("{:>12}  {}", bytes(size), output::safe(&name)))?;
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> anyhow::Result<T> {
    tokio::task::spawn_blocking(work).await.context("the work ended badly")
}

/// Progress on stderr: a line that is written over on a terminal, a line now and then elsewhere.
struct Told {
    what: &'static str,
    bar: Option<indicatif::ProgressBar>,
    last: Instant,
}

impl Told {
    fn new(what: &'static str) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| indicatif::ProgressBar::new(0));
        Self { what, bar, last: Instant::now() }
    }

    fn tell(&mut self, done: u64, all: u64) {
        if let Some(bar) = &self.bar {
            bar.set_length(all);
            bar.set_position(done);
        } else if self.last.elapsed() >= TELL_EVERY {
            self.last = Instant::now();
            output::note(format!("{}: {} of {}", self.what, bytes(done), bytes(all)));
        }
    }
}

impl Drop for Told {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
fn bytes(bytes: u64) -> String {
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} kB", bytes as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", bytes as f64 / 1e6),
        _ => format!("{:.1} GB", bytes as f64 / 1e9),
    }
}
