//! A report in Markdown, for a pull request.

use super::{Interval, ScoreKind, ScoreReport};
use crate::experiment::Ran;
use crate::gate::Outcome;
use std::fmt::Write as _;

/// The report as Markdown.
pub fn markdown(ran: &Ran) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = write(&mut text, ran);
    text
}

fn write(out: &mut String, ran: &Ran) -> std::fmt::Result {
    let report = &ran.report;
    let verdict = match (&ran.gate, &ran.stopped) {
        (_, Some(_)) => "stopped",
        (Some(gate), _) if gate.passed => "passed",
        (Some(_), _) => "failed",
        (None, _) => "done",
    };
    writeln!(out, "### {}: {verdict}\n", cell(&ran.name))?;
    write!(out, "Experiment {}: {} of {} tries", ran.experiment, report.tries, report.planned)?;
    if report.failed > 0 {
        write!(out, ", {} without an output", report.failed)?;
    }
    if report.cached > 0 {
        write!(out, ", {} known before", report.cached)?;
    }
    if report.cost.0 > 0 {
        write!(out, ", ${:.4}", report.cost.dollars())?;
    }
    if let Some(latency) = report.latency {
        write!(out, ", latency p50 {:.2} s, p95 {:.2} s", latency.p50, latency.p95)?;
    }
    writeln!(out, ".\n")?;
    if let Some(why) = &ran.stopped {
        writeln!(out, "> {}\n", cell(why))?;
    }
    if let Some(gate) = &ran.gate {
        writeln!(out, "| gate | | |\n|---|---|---|")?;
        for checked in &gate.checks {
            let outcome = match checked.outcome {
                Outcome::Passed => "✅ passed",
                Outcome::Failed => "❌ failed",
                Outcome::Undecided => "❔ undecided",
            };
            writeln!(out, "| {outcome} | {} | {} |", cell(&checked.check), cell(&checked.because))?;
        }
        writeln!(out)?;
    }
    let percent = report.confidence * 100.0;
    writeln!(
        out,
        "| score | mean | {percent} % interval | coverage | without a value |\n|---|---|---|---|---|"
    )?;
    for score in &report.scores {
        let mean = match (score.kind, score.mean) {
            (ScoreKind::Label, _) => labels(score),
            (_, Some(mean)) => format!("{mean:.4}"),
            (_, None) => "–".to_owned(),
        };
        let interval = score.estimate.map_or_else(|| "–".to_owned(), span);
        writeln!(
            out,
            "| {} | {mean} | {interval} | {:.1} % | {} |",
            cell(&score.name),
            score.coverage() * 100.0,
            lacking(score)
        )?;
    }
    for score in report.scores.iter().filter(|score| !score.passes.is_empty()) {
        let each: Vec<String> = score
            .passes
            .iter()
            .map(|passes| format!("k = {}: pass@k {:.4}, pass^k {:.4}", passes.k, passes.any, passes.all))
            .collect();
        writeln!(out, "\n{}: {}", cell(&score.name), each.join("; "))?;
    }
    if let Some(comparison) = &ran.comparison {
        writeln!(
            out,
            "\nBeside experiment {}, over {} rows that both have:\n",
            comparison.baseline, comparison.paired
        )?;
        writeln!(
            out,
            "| score | before | now | difference | {percent} % interval | p (adjusted) | better / same / worse |\n\
             |---|---|---|---|---|---|---|"
        )?;
        for score in &comparison.scores {
            let p = match (score.p, score.p_adjusted) {
                (Some(p), Some(adjusted)) => format!("{p:.4} ({adjusted:.4})"),
                _ => "–".to_owned(),
            };
            let (better, worse) = score.better_and_worse();
            writeln!(
                out,
                "| {} | {:.4} | {:.4} | {:+.4} | {} | {p} | {better} / {} / {worse} |",
                cell(&score.title()),
                score.before,
                score.after,
                score.after - score.before,
                score.difference.map_or_else(|| "–".to_owned(), span),
                score.ties
            )?;
        }
    }
    Ok(())
}

fn span(interval: Interval) -> String {
    format!("{:.4} to {:.4}", interval.low, interval.high)
}

/// What has no value, by its kind.
pub fn lacking(score: &ScoreReport) -> String {
    let kinds = [
        (score.refused, "refused"),
        (score.unparsed, "unparsed"),
        (score.skipped, "skipped"),
        (score.failed, "failed"),
        (score.missing, "no output"),
    ];
    let named: Vec<String> =
        kinds.iter().filter(|(count, _)| *count > 0).map(|(count, kind)| format!("{count} {kind}")).collect();
    if named.is_empty() { "–".to_owned() } else { named.join(", ") }
}

/// How often each word came.
pub fn labels(score: &ScoreReport) -> String {
    let each: Vec<String> =
        score.labels.iter().map(|(label, count)| format!("{} {count}", cell(label))).collect();
    each.join(", ")
}

/// Text that stays in its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace(['\n', '\r'], " ").replace('<', "&lt;")
}
