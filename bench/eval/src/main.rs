//! Measures evals from outside: `hanok eval run` on rows that are echoed, and on an upstream that answers after 100 ms;
//! promptfoo and Inspect beside it, where they are installed. `cargo xtask bench eval` builds the binary and this.
//!
//! Deliberately not here: any code of the product.
//!
//! Reading order: [`run`] (a process, and what it took), [`upstream`] (what answers late), [`peers`].

#![allow(clippy::print_stdout, reason = "a command-line tool; its output is its product")]

mod peers;
mod run;
mod upstream;

use anyhow::{Context, Result};
use clap::Parser;
use run::{Took, timed};
use serde::Serialize;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

#[derive(Debug, Parser)]
#[command(name = "eval-bench")]
enum Bench {
    /// Measure and print the table
    Run(Options),
}

/// What to measure.
#[derive(Debug, clap::Args)]
struct Options {
    /// The binary
    #[arg(long, value_name = "FILE")]
    hanok: PathBuf,
    /// How often the small run is made
    #[arg(long, value_name = "N", default_value_t = 10)]
    runs: u32,
    /// Rows of the large run
    #[arg(long, value_name = "N", default_value_t = 100_000)]
    large: usize,
    /// Calls of the late upstream
    #[arg(long, value_name = "N", default_value_t = 10_000)]
    calls: usize,
    /// promptfoo's program, where it is installed
    #[arg(long, value_name = "FILE")]
    promptfoo: Option<PathBuf>,
    /// Inspect's program, where it is installed
    #[arg(long, value_name = "FILE")]
    inspect: Option<PathBuf>,
    /// Rows that the others are given
    #[arg(long, value_name = "N", default_value_t = 1000)]
    peer_rows: usize,
    /// Write everything that was measured
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// A number, and what it is held to.
#[derive(Debug, Serialize)]
struct Row {
    what: String,
    value: f64,
    target: Option<f64>,
    at_least: bool,
}

/// Calls at once.
const AT_ONCE: usize = 200;
/// How late the upstream answers.
const LATE: Duration = Duration::from_millis(100);

fn main() -> Result<()> {
    let Bench::Run(options) = Bench::parse();
    let mut rows = Vec::new();
    let mut say = |what: &str, value: f64, target: Option<f64>, at_least: bool| {
        eprintln!("{what}: {value:.3}");
        rows.push(Row { what: what.to_owned(), value, target, at_least });
    };

    let small = echo(&options.hanok, 1000, options.runs)?;
    say("1,000 echoes, one assertion: CPU s", small.cpu, Some(0.1), false);
    say("1,000 echoes, one assertion: wall s", small.wall, None, false);
    say("1,000 echoes, one assertion: peak MB", small.peak_mb, None, false);
    let large = echo(&options.hanok, options.large, 1)?;
    let what = format!("{} echoes", options.large);
    say(&format!("{what}: wall s"), large.wall, Some(5.0), false);
    say(&format!("{what}: peak MB"), large.peak_mb, Some(150.0), false);
    say(&format!("{what}: CPU s"), large.cpu, None, false);
    let (share, took) = late(&options)?;
    say("200 at once against a 100 ms upstream: % of ideal", share * 100.0, Some(95.0), true);
    say("200 at once against a 100 ms upstream: CPU s", took.cpu, None, false);
    say("200 at once against a 100 ms upstream: peak MB", took.peak_mb, None, false);
    let count = options.peer_rows;
    for (name, took) in peers::measure(options.promptfoo.as_deref(), options.inspect.as_deref(), count) {
        say(&format!("{name}, {count} echoes: CPU s"), took.cpu, None, false);
        say(&format!("{name}, {count} echoes: wall s"), took.wall, None, false);
        say(&format!("{name}, {count} echoes: peak MB"), took.peak_mb, None, false);
    }
    println!("{}", table(&rows));
    if let Some(path) = &options.json {
        std::fs::write(path, serde_json::to_vec_pretty(&rows)?)
            .with_context(|| path.display().to_string())?;
    }
    Ok(())
}

fn table(rows: &[Row]) -> String {
    let mut out = String::from("| | measured | target | |\n|---|---|---|---|\n");
    for row in rows {
        let (target, verdict) = match row.target {
            None => (String::new(), ""),
            Some(target) => {
                let holds = if row.at_least { row.value >= target } else { row.value <= target };
                let sign = if row.at_least { "at least" } else { "at most" };
                (format!("{sign} {target}"), if holds { "holds" } else { "missed" })
            }
        };
        let _ = writeln!(out, "| {} | {:.3} | {target} | {verdict} |", row.what, row.value);
    }
    out
}

/// Rows that are echoed and compared; the mean of so many runs, each in a data folder of its own.
fn echo(hanok: &Path, rows: usize, runs: u32) -> Result<Took> {
    let folder = tempfile::tempdir()?;
    let mut lines = String::new();
    for n in 0..rows {
        writeln!(lines, "{{\"input\": \"question number {n}\", \"expected\": \"question number {n}\"}}")?;
    }
    std::fs::write(folder.path().join("rows.jsonl"), lines)?;
    let eval = "dataset = \"rows.jsonl\"\n[task]\nkind = \"echo\"\n[[scorers]]\nkind = \"exact\"\n";
    std::fs::write(folder.path().join("echo.toml"), eval)?;
    let mut all = Vec::new();
    for run in 0..runs {
        let mut command = Command::new(hanok);
        command.current_dir(folder.path()).args(["eval", "run", "echo.toml", "--json", "--data"]);
        all.push(timed(command.arg(format!("data-{run}")))?);
    }
    Took::mean(&all).context("no run was made")
}

/// How near the whole process is to the ideal time of calling an upstream that answers late.
fn late(options: &Options) -> Result<(f64, Took)> {
    let address = upstream::start(LATE)?;
    let folder = tempfile::tempdir()?;
    let mut lines = String::new();
    for n in 0..options.calls {
        writeln!(lines, "{{\"input\": \"{n}\"}}")?;
    }
    std::fs::write(folder.path().join("rows.jsonl"), lines)?;
    let eval = format!(
        "dataset = \"rows.jsonl\"\nconcurrency = {AT_ONCE}\n[task]\nkind = \"http\"\nurl = \"http://{address}/\"\n"
    );
    std::fs::write(folder.path().join("late.toml"), eval)?;
    let mut command = Command::new(&options.hanok);
    command.current_dir(folder.path()).args(["eval", "run", "late.toml", "--json"]);
    let took = timed(&mut command)?;
    let waves = options.calls.div_ceil(AT_ONCE);
    let ideal = LATE.as_secs_f64() * f64::from(u32::try_from(waves)?);
    Ok((ideal / took.wall, took))
}
