//! `hanok eval ls|show|compare|diff|rm`

use crate::cli::{Eval, EvalShow};
use crate::config::Effective;
use crate::output;
use crate::wiring::{EvalHouse, evals_to_read};
use anyhow::{Context as _, bail};
use hanok_base::Sample;
use hanok_eval::gate::Outcome;
use hanok_eval::output::KeptOutput;
use hanok_eval::report::markdown::{labels, lacking};
use hanok_eval::report::{Comparison, Interval, Report, ScoreKind};
use hanok_eval::score::KeptScores;
use hanok_eval::{Experiments, Ran, shown};
use hanok_store::evals::{ResultFilter, ResultRow};
use serde_json::{Value, json};
use std::fmt::Write as _;
use std::process::ExitCode;

/// Characters of a text that are shown.
const SHOWN: usize = 160;

/// Runs the command.
pub(crate) async fn run(effective: Effective, command: Eval) -> anyhow::Result<ExitCode> {
    if let Eval::Rm { experiment } = command {
        let house = EvalHouse::open(&effective, false).await?;
        let gone = house.experiments.runner.keeper.remove(experiment).await;
        house.close().await?;
        if !gone? {
            bail!("there is no experiment {experiment}; `hanok eval ls` lists them");
        }
        return Ok(ExitCode::SUCCESS);
    }
    let evals = evals_to_read(&effective)?;
    match command {
        Eval::Ls { name, limit, json } => ls(&evals, name, limit, json.json).await?,
        Eval::Show(command) => show(&evals, command).await?,
        Eval::Compare { first, second, confidence, json } => {
            let comparison = evals.compared(first, second, confidence).await?;
            if json.json {
                output::json(&comparison)?;
            } else {
                for line in compared(&comparison) {
                    output::line(line)?;
                }
            }
        }
        Eval::Diff { first, second, score, limit, json } => {
            diff(&evals, (first, second), score, limit, json.json).await?;
        }
        _ => bail!("this command is run elsewhere"),
    }
    Ok(ExitCode::SUCCESS)
}

async fn ls(evals: &Experiments, name: String, limit: usize, as_json: bool) -> anyhow::Result<()> {
    let found = evals.runner.keeper.experiments(name, None, limit).await?;
    if as_json {
        let all: Vec<Value> = found.iter().map(shown::experiment).collect();
        return output::json(&json!({ "experiments": all }));
    }
    if found.is_empty() {
        output::note("no experiment was run yet; try `hanok eval run FILE`");
    }
    for experiment in &found {
        let total = experiment.rows.saturating_mul(u64::from(experiment.repeats));
        output::line(output::safe(&format!(
            "{:>5}  {}  {:<8} {:<24} {}/{} tries{}{}",
            experiment.id,
            experiment.created.rfc3339(),
            experiment.state.as_str(),
            experiment.name,
            experiment.done,
            total,
            if experiment.failed > 0 { format!(", {} failed", experiment.failed) } else { String::new() },
            if experiment.cost.0 > 0 {
                format!(", ${:.4}", experiment.cost.dollars())
            } else {
                String::new()
            },
        )))?;
    }
    Ok(())
}

async fn show(evals: &Experiments, command: EvalShow) -> anyhow::Result<()> {
    let keeper = &evals.runner.keeper;
    let id = command.experiment;
    let experiment = keeper
        .experiment(id)
        .await?
        .with_context(|| format!("there is no experiment {id}; `hanok eval ls` lists them"))?;
    let asks = command.results
        || command.failed
        || command.low.is_some()
        || command.uncovered.is_some()
        || command.find.is_some();
    let filter = match (command.failed, command.low, command.uncovered, command.find) {
        (true, ..) => ResultFilter::Failed,
        (_, Some(score), ..) => ResultFilter::Low(score),
        (.., Some(score), _) => ResultFilter::Uncovered(score),
        (.., Some(text)) => ResultFilter::Text(text),
        _ => ResultFilter::All,
    };
    let page = if asks { keeper.results(id, filter, None, command.limit).await?.rows } else { Vec::new() };
    if command.json.json {
        let mut whole = shown::experiment(&experiment);
        if asks && let Value::Object(members) = &mut whole {
            members.insert("results".to_owned(), page.iter().map(shown::result).collect());
        }
        return output::json(&whole);
    }
    let ran = experiment.report.as_deref().map(serde_json::from_str::<Ran>).transpose()?;
    let lines = if let Some(ran) = &ran {
        shown(ran)
    } else {
        output::note("this experiment did not come to its end yet");
        numbers(&evals.report(id, 0.95).await?.0)
    };
    for line in lines {
        output::line(line)?;
    }
    for row in &page {
        output::line("")?;
        for line in told(row) {
            output::line(line)?;
        }
    }
    Ok(())
}

fn told(row: &ResultRow) -> Vec<String> {
    let sample: Sample = serde_json::from_str(&row.sample).unwrap_or_default();
    let input = Value::Object(sample.input).to_string();
    let mut lines =
        vec![output::styled("1", &output::safe(&format!("{} (repeat {})", sample.id, row.repeat + 1)))];
    lines.push(format!("  input   {}", short(&input)));
    if let Some(expected) = &sample.expected {
        lines.push(format!("  wanted  {}", short(&expected.to_string())));
    }
    let said = row.output.as_deref().and_then(|json| serde_json::from_str::<KeptOutput>(json).ok());
    match (&row.error, said) {
        (Some(error), _) => lines.push(format!("  failed  {}", short(error))),
        (None, Some(said)) => lines.push(format!("  output  {}", short(&said.text))),
        (None, None) => {}
    }
    for (name, score) in KeptScores::read(&row.scores).unwrap_or_default().0 {
        let value = serde_json::to_value(&score).unwrap_or_default();
        lines.push(format!("  {:<7} {}", output::safe(&name), short(&value.to_string())));
    }
    if let Some(trace) = row.trace {
        lines.push(output::styled("2", &format!("  hanok trace show {trace}")));
    }
    lines
}

fn short(text: &str) -> String {
    let plain = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut cut: String = plain.chars().take(SHOWN).collect();
    if cut.len() < plain.len() {
        cut.push('…');
    }
    output::safe(&cut)
}

async fn diff(
    evals: &Experiments,
    (first, second): (i64, i64),
    score: Option<String>,
    limit: usize,
    as_json: bool,
) -> anyhow::Result<()> {
    let score = if let Some(score) = score {
        score
    } else {
        let comparison = evals.compared(first, second, 0.95).await?;
        let first = comparison.scores.into_iter().next();
        first.map(|score| score.name).context("the two experiments have no score in common")?
    };
    let page = evals.runner.keeper.compare(first, second, score.clone(), 0, limit).await?;
    if as_json {
        return output::json(&json!({ "score": score, "total": page.total, "rows": page.rows }));
    }
    output::note(format!("{} rows are in both; by {}, regressions first", page.total, output::safe(&score)));
    for row in &page.rows {
        let sample: Sample = serde_json::from_str(&row.sample).unwrap_or_default();
        let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{value:.3}"));
        output::line(output::safe(&format!(
            "{}  {} → {}",
            sample.id,
            number(row.before),
            number(row.after)
        )))?;
        output::line(format!("  input   {}", short(&Value::Object(sample.input).to_string())))?;
        let sides =
            [("before", &row.output_before, &row.error_before), ("now", &row.output_after, &row.error_after)];
        for (when, said, error) in sides {
            let said = said.as_deref().and_then(|json| serde_json::from_str::<KeptOutput>(json).ok());
            let text = error.clone().or(said.map(|said| said.text)).unwrap_or_default();
            output::line(format!("  {when:<7} {}", short(&text)))?;
        }
    }
    Ok(())
}

/// What came of an eval, in lines.
pub(crate) fn shown(ran: &Ran) -> Vec<String> {
    let mut lines =
        vec![output::styled("1", &output::safe(&format!("experiment {}: {}", ran.experiment, ran.name)))];
    lines.extend(numbers(&ran.report));
    if let Some(comparison) = &ran.comparison {
        lines.extend(compared(comparison));
    }
    if let Some(gate) = &ran.gate {
        for checked in &gate.checks {
            let outcome = match checked.outcome {
                Outcome::Passed => output::styled("32", "passed   "),
                Outcome::Failed => output::styled("31", "failed   "),
                Outcome::Undecided => output::styled("33", "undecided"),
            };
            lines.push(format!(
                "{outcome}  {}: {}",
                output::safe(&checked.check),
                output::safe(&checked.because)
            ));
        }
        lines.push(format!("gate       {}", if gate.passed { "passed" } else { "failed" }));
    }
    lines
}

// Writing into a string cannot fail: what `write!` says is let go of below.

fn numbers(report: &Report) -> Vec<String> {
    let mut tries = format!("tries      {} of {}", report.tries, report.planned);
    if report.failed > 0 {
        let _ = write!(tries, ", {} without an output", report.failed);
    }
    if report.cached > 0 {
        let _ = write!(tries, ", {} known before", report.cached);
    }
    let mut lines = vec![tries];
    if report.cost.0 > 0 {
        lines.push(format!("cost       ${:.6}", report.cost.dollars()));
    }
    if let Some(latency) = report.latency {
        lines.push(format!("latency    p50 {:.3} s, p95 {:.3} s", latency.p50, latency.p95));
    }
    for score in &report.scores {
        let value = match (score.kind, score.mean) {
            (ScoreKind::Label, _) => labels(score),
            (_, Some(mean)) => format!("{mean:.4}"),
            (_, None) => "no value".to_owned(),
        };
        let mut line = format!("{:<20} {value}", output::safe(&score.name));
        if let Some(estimate) = score.estimate {
            let _ = write!(line, "   {} % {}", report.confidence * 100.0, span(estimate));
        }
        if score.coverage() < 1.0 {
            let _ = write!(line, "   coverage {:.1} % ({})", score.coverage() * 100.0, lacking(score));
        }
        lines.push(line);
        for passes in &score.passes {
            lines.push(format!("  k = {:<3} pass@k {:.4}   pass^k {:.4}", passes.k, passes.any, passes.all));
        }
    }
    lines
}

fn compared(comparison: &Comparison) -> Vec<String> {
    let mut lines = vec![format!(
        "beside experiment {}, over {} rows that both have{}",
        comparison.baseline,
        comparison.paired,
        if comparison.unpaired > 0 {
            format!(" ({} are of one only)", comparison.unpaired)
        } else {
            String::new()
        }
    )];
    for score in &comparison.scores {
        let mut line = format!(
            "{:<20} {:.4} → {:.4}  {:+.4}",
            output::safe(&score.title()),
            score.before,
            score.after,
            score.after - score.before
        );
        if let Some(difference) = score.difference {
            let _ = write!(line, "   {}", span(difference));
        }
        if let (Some(p), Some(adjusted)) = (score.p, score.p_adjusted) {
            let _ = write!(line, "   p {p:.4}, adjusted {adjusted:.4} ({})", score.method);
        }
        let (better, worse) = score.better_and_worse();
        let _ = write!(line, "   better {better} same {} worse {worse}", score.ties);
        lines.push(line);
    }
    lines
}

fn span(interval: Interval) -> String {
    format!("from {:.4} to {:.4}", interval.low, interval.high)
}
