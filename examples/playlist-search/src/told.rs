//! What is said of a run: on the way, and in the report.

use crate::house::House;
use anyhow::{Context as _, Result};
use serde_json::Value;
use std::fmt::Write as _;

/// What is said before anything where the models are scripted.
pub(crate) const SCRIPTED: &str = "\
No model is configured in hanok.toml: a SCRIPTED provider stands in for one. Descriptions, labels and verdicts come from
rules of this example, not from a language model; what is measured is how the rules do. Costs are what the same tokens
would cost of a small model; nothing is paid. To use real models name them under [models] in hanok.toml.";

/// Says what comes now.
pub(crate) fn step(what: &str) {
    println!("\n== {what}");
}

/// What a run came to.
pub(crate) struct Report {
    is_scripted: bool,
    lines: Vec<String>,
    cost: f64,
    known: u64,
    tries: u64,
    /// The experiments of the old search and of the new one.
    pub(crate) searches: (i64, i64),
}

impl Report {
    pub(crate) fn new(is_scripted: bool) -> Self {
        Self { is_scripted, lines: Vec::new(), cost: 0.0, known: 0, tries: 0, searches: (0, 0) }
    }

    /// Says a line, and keeps it.
    pub(crate) fn note(&mut self, line: String) {
        println!("{line}");
        self.lines.push(line);
    }

    /// Runs an eval; gives its experiment.
    pub(crate) fn evaluate(&mut self, house: &House, name: &str) -> Result<i64> {
        let ran = house.json(&["eval", "run", name])?;
        let experiment = ran.get("experiment").and_then(Value::as_i64).context("an eval without a number")?;
        let report = ran.get("report").unwrap_or(&Value::Null);
        let count = |of: &str| report.get(of).and_then(Value::as_u64).unwrap_or_default();
        self.cost += dollars(report.get("cost"));
        self.known += count("cached");
        self.tries += count("tries");
        let mut line = format!("experiment {experiment:>3}  {name:<16} {:>5} tries", count("tries"));
        if count("failed") > 0 {
            write!(line, ", {} failed", count("failed"))?;
        }
        for score in report.get("scores").and_then(Value::as_array).into_iter().flatten() {
            write!(line, "  {} {}", said(score, "name"), share(score.get("mean"), score.get("estimate")))?;
        }
        if let Some(passed) = ran.pointer("/gate/passed").and_then(Value::as_bool) {
            line += if passed { "  gate passed" } else { "  gate FAILED" };
        }
        self.note(line);
        Ok(experiment)
    }

    /// Compares two experiments.
    pub(crate) fn compare(&mut self, house: &House, what: &str, first: i64, second: i64) -> Result<()> {
        let compared = house.json(&["eval", "compare", &first.to_string(), &second.to_string()])?;
        let number = |score: &Value, name: &str| score.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN);
        self.note(what.to_owned());
        for score in compared.get("scores").and_then(Value::as_array).into_iter().flatten() {
            let (before, after) = (number(score, "before"), number(score, "after"));
            let between = score.get("difference");
            let end = |of: &str| between.and_then(|between| between.get(of)?.as_f64()).unwrap_or(f64::NAN);
            let line = format!(
                "  {:<18} {before:.3} → {after:.3}  {:+.3} (95 % {:+.3} to {:+.3}), p {:.4}; better {} same {} worse {}",
                said(score, "name"),
                after - before,
                end("low"),
                end("high"),
                number(score, "p_adjusted"),
                score.get("wins").unwrap_or(&Value::Null),
                score.get("ties").unwrap_or(&Value::Null),
                score.get("losses").unwrap_or(&Value::Null),
            );
            self.note(line);
        }
        Ok(())
    }

    /// What was found out about the judge.
    pub(crate) fn judged(&mut self, report: &Value) {
        self.cost += dollars(report.get("cost"));
        let labelled = report.pointer("/calibration/labelled").and_then(Value::as_u64).unwrap_or_default();
        let undecided = report.pointer("/calibration/undecided").and_then(Value::as_u64).unwrap_or_default();
        self.note(format!(
            "the judge against people: {labelled} labelled, {undecided} on which they differ; asked about {}",
            report.get("asked").unwrap_or(&Value::Null)
        ));
        let measures = report.pointer("/calibration/measures").and_then(Value::as_array);
        for measure in measures.into_iter().flatten() {
            let judge = measure.get("judge");
            let mut line = format!(
                "  {:<18} {}",
                said(measure, "name"),
                share(judge.and_then(|judge| judge.get("value")), judge)
            );
            if let Some(ceiling) = measure.get("ceiling").and_then(Value::as_f64) {
                // Writing to a string cannot fail.
                let _ = write!(line, "  people {ceiling:.3}");
            }
            self.note(line);
        }
        for probe in report.get("probes").and_then(Value::as_array).into_iter().flatten() {
            let count = |of: &str| probe.get(of).and_then(Value::as_u64).unwrap_or_default();
            let (kind, state) = (said(probe, "kind"), said(probe, "state"));
            self.note(format!("  probe {kind:<12} {state} ({} of {})", count("hits"), count("n")));
        }
        for corrected in report.get("corrected").and_then(Value::as_array).into_iter().flatten() {
            let found = corrected.get("corrected").unwrap_or(&Value::Null);
            let name = said(corrected, "name");
            if let Some(why) = found.get("refused").and_then(Value::as_str) {
                self.note(format!("  {name:<18} not corrected: {why}"));
                continue;
            }
            let rate = |of: &str| share(found.get(of).and_then(|figure| figure.get("value")), found.get(of));
            let (judged, corrected) = (rate("as_judged"), rate("prediction_powered"));
            self.note(format!(
                "  {name:<18} served, as judged {judged}; with the judge's errors taken out {corrected}"
            ));
        }
    }

    /// What was spent, in words.
    fn paid(&self) -> String {
        let whose = if self.is_scripted { " (of the scripted models, at pretended prices)" } else { "" };
        let asked = if self.is_scripted {
            format!("; they were asked {} times", crate::serve::asked())
        } else {
            String::new()
        };
        format!(
            "this run: {} tries, {} known before, ${:.4}{whose}{asked}",
            self.tries, self.known, self.cost
        )
    }

    /// The report for the terminal.
    pub(crate) fn text(&self) -> String {
        format!("{}\nthe report is in data/report.md", self.paid())
    }

    /// The report as a file.
    pub(crate) fn markdown(&self) -> String {
        let mut text = String::from("# Playlist search\n\n");
        if self.is_scripted {
            let _ = write!(text, "{SCRIPTED}\n\n");
        }
        let _ = write!(text, "```text\n{}\n```\n\n{}\n", self.lines.join("\n"), self.paid());
        text
    }

    /// Where to look.
    pub(crate) fn links(&self, at: &str) -> String {
        let (before, after) = self.searches;
        format!(
            "keyword beside semantic search: {at}/experiments/compare?a={before}&b={after}\n\
             the judge against people: {at}/judges/served\nall experiments: {at}/experiments"
        )
    }
}

fn said<'a>(value: &'a Value, name: &str) -> &'a str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// Money, kept in billionths of a dollar.
fn dollars(nano: Option<&Value>) -> f64 {
    nano.and_then(Value::as_f64).unwrap_or_default() / 1e9
}

/// A number with its interval, where it has one.
fn share(value: Option<&Value>, interval: Option<&Value>) -> String {
    let Some(value) = value.and_then(Value::as_f64) else { return "–".to_owned() };
    let end = |of: &str| interval.and_then(|interval| interval.get(of)?.as_f64());
    match (end("low"), end("high")) {
        (Some(low), Some(high)) => format!("{value:.3} ({low:.3} to {high:.3})"),
        _ => format!("{value:.3}"),
    }
}
