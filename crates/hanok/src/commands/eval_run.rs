//! `hanok eval run`

use super::eval_show::shown;
use crate::cli::EvalRun;
use crate::config::Effective;
use crate::output;
use crate::wiring::{self, EvalHouse};
use anyhow::{Context as _, bail};
use hanok_eval::experiment::Prepared;
use hanok_eval::report::{junit, markdown};
use hanok_eval::{Cancel, Options, Progress, Ran, Spec, Status};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;
use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The exit status of a gate that does not let pass.
const GATE_FAILED: u8 = 100;
/// That of a run that was interrupted.
const INTERRUPTED: u8 = 130;
/// How often a plain line is written.
const EVERY: Duration = Duration::from_secs(5);

/// Runs an eval.
pub(crate) async fn run(effective: Effective, command: EvalRun) -> anyhow::Result<ExitCode> {
    let reports =
        command.report.iter().map(|report| Target::parse(report)).collect::<anyhow::Result<Vec<_>>>()?;
    let spec = Spec::read(&wiring::eval_file(&effective, &command.file))?;
    let options = Options {
        limit: command.limit,
        repeats: command.repeat,
        budget: command.budget.map(|budget| budget.0),
        concurrency: command.concurrency,
        baseline: command.baseline.clone(),
        fresh: command.fresh,
        uncached: command.no_cache,
    };
    let house = EvalHouse::for_eval(&effective, &spec).await?;
    let done = run_in(&house, spec, &options, &command, &reports).await;
    house.close().await?;
    done
}

async fn run_in(
    house: &EvalHouse,
    spec: Spec,
    options: &Options,
    command: &EvalRun,
    reports: &[Target],
) -> anyhow::Result<ExitCode> {
    let prepared = house.experiments.prepare(spec, options, &house.bench).await?;
    if command.resume && prepared.resumed.is_none() {
        bail!("there is no stopped run of this eval to go on with; leave out --resume");
    }
    foretell(&prepared);
    if command.dry_run {
        if command.json.json {
            output::json(&json!({
                "name": prepared.spec.name, "dataset": prepared.version.dataset,
                "version": prepared.version.short(), "rows": prepared.rows, "repeats": prepared.spec.repeats,
                "forecast": prepared.forecast,
            }))?;
        }
        return Ok(ExitCode::SUCCESS);
    }
    let cancel = Cancel::default();
    let interrupted = cancel.clone();
    let listening = tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            output::note("stopping: what is under way ends first; once more to stop at once");
            interrupted.cancel();
        }
        if tokio::signal::ctrl_c().await.is_ok() {
            std::process::exit(i32::from(INTERRUPTED));
        }
    });
    let shown_progress = Shown::new(&prepared.spec.name);
    let ran = house.experiments.run(prepared, &shown_progress, &cancel).await;
    shown_progress.end();
    listening.abort();
    let ran = ran?;
    for report in reports {
        report.write(house, &ran).await?;
    }
    if command.json.json {
        output::json(&ran)?;
    } else {
        for line in shown(&ran) {
            output::line(line)?;
        }
    }
    Ok(match (&ran.stopped, &ran.gate) {
        (Some(why), _) => {
            output::note(format!("{}; the same command goes on from there", output::safe(why)));
            ExitCode::from(if cancel.is_cancelled() { INTERRUPTED } else { 1 })
        }
        (None, Some(gate)) if !gate.passed => ExitCode::from(GATE_FAILED),
        (None, _) => ExitCode::SUCCESS,
    })
}

/// Says what will be run and what it can show, before anything is paid for.
fn foretell(prepared: &Prepared) {
    let Prepared { spec, version, rows, forecast, resumed, baseline, .. } = prepared;
    for kept in spec.source.iter().flat_map(|source| &source.notes) {
        output::note(output::safe(&format!("kept, not run: {kept}")));
    }
    let times = if spec.repeats > 1 { format!(", {} times each", spec.repeats) } else { String::new() };
    output::note(format!(
        "{}: {rows} rows of {} ({}){times}",
        output::safe(&spec.name),
        output::safe(&version.dataset),
        version.short()
    ));
    if version.lost > 0 {
        output::note(format!(
            "{} rows of this version went with the traces they were made of: what comes out is of the others",
            version.lost
        ));
    }
    if let Some(resumed) = resumed {
        output::note(format!("going on with experiment {}: {} tries are there", resumed.id, resumed.done));
    }
    let mut can = format!(
        "{} independent rows: a share is known within ±{:.1} points at worst",
        forecast.n,
        forecast.half_width * 100.0
    );
    if let (Some(baseline), Some(effect)) = (baseline, forecast.detectable) {
        let _ = write!(
            can,
            "; beside experiment {}, a difference of {effect:.2} standard deviations",
            baseline.id
        );
        if let Some(share) = forecast.detectable_share {
            let _ = write!(can, " ({:.1} points where one row in five changes)", share * 100.0);
        }
        can += " is found 4 times in 5";
    }
    output::note(can);
}

/// A report that is written into a file.
struct Target {
    kind: Kind,
    path: PathBuf,
}

enum Kind {
    JUnit,
    Markdown,
    Json,
}

impl Target {
    fn parse(text: &str) -> anyhow::Result<Self> {
        let (kind, path) = text.split_once('=').unwrap_or((text, ""));
        let kind = match kind {
            "junit" => Kind::JUnit,
            "markdown" => Kind::Markdown,
            "json" => Kind::Json,
            _ => bail!("--report: `{kind}` is none of junit, markdown and json"),
        };
        if path.is_empty() {
            bail!("--report: say where to, as in --report {text}=FILE");
        }
        Ok(Self { kind, path: path.into() })
    }

    async fn write(&self, house: &EvalHouse, ran: &Ran) -> anyhow::Result<()> {
        let at = || self.path.display().to_string();
        match self.kind {
            Kind::Markdown => std::fs::write(&self.path, markdown::markdown(ran)).with_context(at),
            Kind::Json => std::fs::write(&self.path, serde_json::to_vec_pretty(ran)?).with_context(at),
            Kind::JUnit => {
                let file = std::fs::File::create(&self.path).with_context(at)?;
                let mut out = io::BufWriter::new(file);
                let keeper = &house.experiments.runner.keeper;
                junit::write(keeper, ran, &mut out).await.with_context(at)
            }
        }
    }
}

/// How a run goes on, on stderr.
struct Shown {
    name: String,
    bar: Option<ProgressBar>,
    last: Mutex<Instant>,
}

impl Shown {
    fn new(name: &str) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{prefix} {bar:30} {pos}/{len} {msg}");
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr_with_hz(8));
            bar.set_prefix(name.to_owned());
            style.map(|style| bar.clone().with_style(style)).unwrap_or(bar)
        });
        Self { name: name.to_owned(), bar, last: Mutex::new(Instant::now()) }
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Progress for Shown {
    fn update(&self, status: Status) {
        let mut said = Vec::new();
        if status.cost.0 > 0 {
            said.push(format!("${:.4}", status.cost.dollars()));
        }
        if status.failed > 0 {
            said.push(format!("{} failed", status.failed));
        }
        if status.cached > 0 {
            said.push(format!("{} known before", status.cached));
        }
        if let Some(left) = status.left.filter(|left| !left.is_zero()) {
            said.push(format!("{} s left", left.as_secs()));
        }
        if let Some(bar) = &self.bar {
            bar.set_length(status.total);
            bar.set_position(status.done);
            bar.set_message(said.join(", "));
            return;
        }
        let Ok(mut last) = self.last.lock() else { return };
        if last.elapsed() >= EVERY {
            *last = Instant::now();
            output::note(format!(
                "{}: {} of {} tries, {}",
                self.name,
                status.done,
                status.total,
                said.join(", ")
            ));
        }
    }
}
