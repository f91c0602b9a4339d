//! `hanok judge`

use super::{judge_labels, judge_show};
use crate::cli::{Judge as Command, JudgeCheck, JudgeProbe, WhichJudge};
use crate::config::Effective;
use crate::output;
use crate::wiring::{self, EvalHouse, evals_to_read};
use anyhow::{Context as _, bail};
use hanok_eval::judge::{Judge, JudgeSpec, Records, Scale};
use hanok_eval::lab::{self, Options, Report};
use hanok_eval::scorer::{Kind, ScorerSpec};
use hanok_eval::{Spec, calibration, probe};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::{Value, json};
use std::io::{self, IsTerminal as _};
use std::process::ExitCode;

/// Runs the command.
pub(crate) async fn run(effective: Effective, command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Check(check) => self::check(&effective, check).await?,
        Command::Probe(probe) => self::probe(&effective, probe).await?,
        Command::Ls(json) => judge_show::ls(&evals_to_read(&effective)?.runner.keeper, json.json).await?,
        Command::Show { name, limit, json } => {
            let keeper = evals_to_read(&effective)?.runner.keeper;
            let kept = keeper.checks(name.clone(), 1).await?;
            let report = kept.first().and_then(Report::read).with_context(|| {
                format!("the judge `{name}` was not checked yet; `hanok judge ls` lists those that were")
            })?;
            shown(&report, limit, json.json)?;
        }
        Command::Report { days, json } => {
            judge_show::days(&evals_to_read(&effective)?.runner.keeper, days, json.json).await?;
        }
        Command::Labels(command) => judge_labels::run(&effective, command).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn shown(report: &Report, limit: usize, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return output::json(report);
    }
    for line in judge_show::report(report, limit) {
        output::line(output::safe(&line))?;
    }
    Ok(())
}

async fn check(effective: &Effective, command: JudgeCheck) -> anyhow::Result<()> {
    let options = Options {
        intervals: calibration::Options {
            rounds: command.rounds.max(100),
            ..calibration::Options::default()
        },
        probes: command.probe.then(|| probe::Options {
            rounds: command.rounds.max(100),
            concurrency: command.which.concurrency,
            ..probe::Options::default()
        }),
        known_probes: true,
        concurrency: command.which.concurrency,
        experiments: command.experiment,
    };
    let report = found_out(effective, &command.which, &options).await?;
    shown(&report, 5, command.which.json.json)
}

async fn probe(effective: &Effective, command: JudgeProbe) -> anyhow::Result<()> {
    let kinds = command.only.iter().map(|name| {
        let known = probe::Kind::ALL.into_iter().find(|kind| kind.as_str() == name.trim());
        known.with_context(|| {
            let names = probe::Kind::ALL.map(probe::Kind::as_str).join(", ");
            format!("--only: there is no probe `{name}`: {names}")
        })
    });
    let kinds = kinds.collect::<anyhow::Result<Vec<_>>>()?;
    let probes = probe::Options {
        kinds: if kinds.is_empty() { probe::Kind::ALL.to_vec() } else { kinds },
        cases: command.cases,
        concurrency: command.which.concurrency,
        ..probe::Options::default()
    };
    let options =
        Options { probes: Some(probes), concurrency: command.which.concurrency, ..Options::default() };
    let report = found_out(effective, &command.which, &options).await?;
    if command.which.json.json {
        return output::json(
            &json!({ "judge": report.judge, "identity": report.identity, "probes": report.probes }),
        );
    }
    for line in judge_show::probes(&report.probes) {
        output::line(output::safe(&line))?;
    }
    Ok(())
}

/// Checks the judge of an eval's file.
async fn found_out(effective: &Effective, which: &WhichJudge, options: &Options) -> anyhow::Result<Report> {
    let spec = Spec::read(&wiring::eval_file(effective, &which.file))?;
    let (name, table) = judge_of(&spec, which.judge.as_deref())?;
    let mut house = EvalHouse::open(effective, true).await?;
    house.bench.kit.base = spec.base();
    let done = in_house(&house, which, options, &name, &table).await;
    house.close().await?;
    done
}

async fn in_house(
    house: &EvalHouse,
    which: &WhichJudge,
    options: &Options,
    name: &str,
    table: &JudgeSpec,
) -> anyhow::Result<Report> {
    let runner = &house.experiments.runner;
    let table = table.clone().pinned(house.bench.prompts.as_deref()).await;
    let table = table.map_err(anyhow::Error::msg).with_context(|| format!("judge `{name}`"))?;
    let judge = Judge::new(&table, &house.bench.kit)
        .map_err(anyhow::Error::msg)
        .with_context(|| format!("judge `{name}`"))?;
    let queue = which.queue.clone().unwrap_or_else(|| name.to_owned());
    if let Some(file) = &which.labels {
        let made = judge_labels::Made { scale: judge.scale().clone(), wanted: None, instructions: None };
        judge_labels::import(&runner.keeper, &queue, file, Some(made)).await?;
    }
    let records = Records { recorder: runner.recorder.clone(), caller: runner.caller.clone() };
    let bar = ProgressBar::with_draw_target(
        None,
        if io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() },
    );
    let style = ProgressStyle::with_template("{prefix} {pos} asked  {msg}")?;
    bar.set_style(style);
    bar.set_prefix(name.to_owned());
    let step = |done: usize, of: usize| {
        bar.set_position(u64::try_from(done).unwrap_or(0));
        bar.set_message(if of == 0 { "probing".to_owned() } else { format!("of {of}") });
    };
    let report = lab::check(&runner.keeper, &records, name, &judge, &queue, options, &step).await;
    bar.finish_and_clear();
    Ok(report?)
}

/// The judge of this name in an eval's file, or its only one.
fn judge_of(spec: &Spec, wanted: Option<&str>) -> anyhow::Result<(String, JudgeSpec)> {
    let mut judges = Vec::new();
    for table in &spec.scorers {
        let is_judge = table.get("kind").and_then(Value::as_str) == Some("judge");
        if is_judge {
            let scorer: ScorerSpec = serde_json::from_value(Value::Object(table.clone()))
                .with_context(|| spec.path.display().to_string())?;
            if let Kind::Judge(judge) = scorer.kind {
                judges.push((scorer.name, *judge));
            }
        }
    }
    let names = judges.iter().map(|(name, _)| format!("`{name}`")).collect::<Vec<_>>().join(", ");
    let file = spec.path.display();
    match wanted {
        Some(wanted) => judges
            .into_iter()
            .find(|(name, _)| name == wanted)
            .with_context(|| format!("{file} has no judge `{wanted}`; it has {names}")),
        None if judges.len() > 1 => bail!("{file} has several judges, name one: {names}"),
        None => judges.pop().with_context(|| format!("{file} has no scorer of kind = \"judge\"")),
    }
}

/// What may be said, out of `--levels` and `--pairwise`; `None` where neither is given.
pub(super) fn scale_of(levels: &[String], pairwise: bool) -> anyhow::Result<Option<Scale>> {
    if pairwise {
        return Ok(Some(Scale::pairwise()));
    }
    if levels.is_empty() {
        return Ok(None);
    }
    let levels: Vec<_> = levels
        .iter()
        .map(|label| hanok_eval::judge::Level { label: label.clone(), means: String::new() })
        .collect();
    Scale::ordinal(&levels).map(Some).map_err(anyhow::Error::msg).context("--levels")
}
