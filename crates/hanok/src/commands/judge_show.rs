//! What was found out about judges, in lines.

use crate::output;
use hanok_base::Timestamp;
use hanok_eval::Keeper;
use hanok_eval::calibration::{Calibration, Corrected, Disagreement, Figure, Standing, Tendency};
use hanok_eval::judge::Form;
use hanok_eval::lab::{Report, corrected_day};
use hanok_eval::probe::{Kind, Probe, State};
use serde_json::{Value, json};
use std::time::Duration;

/// `hanok judge ls`
pub(super) async fn ls(keeper: &Keeper, as_json: bool) -> anyhow::Result<()> {
    let kept = keeper.judges().await?;
    let reports: Vec<Report> = kept.iter().filter_map(Report::read).collect();
    if as_json {
        return output::json(&json!({ "judges": reports }));
    }
    if reports.is_empty() {
        output::note("no judge was checked yet; try `hanok judge check FILE --labels FILE`");
    }
    for report in reports {
        let kappa = report.calibration.measure("kappa").and_then(|measure| measure.judge);
        output::line(output::safe(&format!(
            "{:<28} {:<12} {:>5} labelled  kappa {}  {}  {}",
            report.judge,
            said(&report.calibration.tendency),
            report.calibration.labelled,
            kappa.map_or_else(|| "   -".to_owned(), |kappa| format!("{:.2}", kappa.value)),
            report.created.day(),
            report.spec.model.0.join(", ")
        )))?;
    }
    Ok(())
}

/// `hanok judge report`
pub(super) async fn days(keeper: &Keeper, days: u32, as_json: bool) -> anyhow::Result<()> {
    let since = Timestamp::now().before(Duration::from_hours(24) * days.saturating_sub(1)).day();
    let found = keeper.scoring_days(since).await?;
    let mut rates = Vec::with_capacity(found.len());
    for day in &found {
        let corrected = corrected_day(keeper, day, 0.95).await.map_err(|why| why.to_string());
        rates.push(corrected.and_then(|corrected| {
            let refused = corrected.refused.unwrap_or_default();
            corrected.prediction_powered.ok_or(refused)
        }));
    }
    if as_json {
        let all: Vec<Value> = found
            .iter()
            .zip(&rates)
            .map(|(day, rate)| {
                let (corrected, refused) = (rate.as_ref().ok(), rate.as_ref().err());
                json!({ "counted": day, "mean": hanok_eval::online::mean(day), "corrected": corrected, "refused": refused })
            })
            .collect();
        return output::json(&json!({ "days": all }));
    }
    if found.is_empty() {
        output::note("no trace was scored by rule in these days; see [[scoring]] in docs/judges.md");
    }
    for (day, rate) in found.into_iter().zip(rates) {
        let mean = hanok_eval::online::mean(&day).map_or_else(
            || "-".to_owned(),
            |mean| format!("{:.3} ({:.3} to {:.3})", mean.value, mean.low, mean.high),
        );
        output::line(output::safe(&format!(
            "{}  {:<24} {mean}  {} of {} traces scored, {} without a verdict, {} over budget, {} to people, {}",
            day.day, day.rule, day.scored, day.seen, day.unscored, day.over, day.queued, day.cost
        )))?;
        output::line(output::safe(&match rate {
            Ok(figure) => format!(
                "            with the judge's errors taken out {:.3} ({:.3} to {:.3})",
                figure.value, figure.low, figure.high
            ),
            Err(why) => format!("            not corrected: {why}"),
        }))?;
    }
    Ok(())
}

fn said(tendency: &Tendency) -> String {
    match tendency {
        Tendency::Constant(label) => format!("always {label}"),
        Tendency::Chance => "at chance".to_owned(),
        Tendency::Lenient => "lenient".to_owned(),
        Tendency::Strict => "strict".to_owned(),
        Tendency::Even => "even".to_owned(),
        Tendency::Unknown => "unknown".to_owned(),
    }
}

/// A check, for people; with at most `limit` items of each kind on which judge and people differ.
pub(super) fn report(report: &Report, limit: usize) -> Vec<String> {
    let found = &report.calibration;
    let mut lines = vec![
        format!("{}  {}  judge {}", report.judge, report.spec.model.0.join(", "), report.identity),
        verdict(found),
        String::new(),
    ];
    lines.extend(confusion(found));
    let coverage = found.coverage;
    lines.push(format!(
        "verdicts on {} of {} labelled items: {} refused, {} unreadable, {} failed",
        coverage.verdicts, coverage.asked, coverage.refused, coverage.unparsed, coverage.failed
    ));
    if let Some(why) = &report.problem {
        lines.push(format!("asking failed: {}", one_line(why)));
    }
    if found.undecided > 0 {
        lines.push(format!("people differ on {} items and nothing is settled: left out", found.undecided));
    }
    lines.push(String::new());
    lines.push(format!(
        "{:<16} {:>6}  {:<16} {:>7}  {:>8}",
        "measure",
        "judge",
        "95 %",
        "people",
        format!("always {}", found.commonest)
    ));
    let number = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.2}"));
    for measure in &found.measures {
        let (value, range) = measure.judge.map_or_else(
            || ("-".to_owned(), String::new()),
            |figure| (format!("{:.2}", figure.value), format!("{:.2} to {:.2}", figure.low, figure.high)),
        );
        lines.push(format!(
            "{:<16} {value:>6}  {range:<16} {:>7}  {:>8}",
            named(&measure.name),
            number(measure.ceiling),
            number(measure.baseline)
        ));
    }
    if !report.probes.is_empty() {
        lines.push(String::new());
        lines.extend(probes(&report.probes));
    }
    for experiment in &report.corrected {
        lines.push(String::new());
        lines.push(format!("experiment {} ({})", experiment.experiment, experiment.name));
        lines.extend(corrected(&experiment.corrected, found.scale.form == Form::Binary));
    }
    lines.extend(differing("too lenient", &found.lenient, found.lenient_count, limit));
    lines.extend(differing("too strict", &found.strict, found.strict_count, limit));
    if let Some(cost) = report.cost {
        lines.push(format!("\nthis check asked about {} items and cost {cost}", report.asked));
    }
    lines
}

fn verdict(found: &Calibration) -> String {
    if let Standing::Unknown(why) = &found.standing {
        return format!("nothing can be said yet: {why}");
    }
    let of = |name: &str| found.measure(name).and_then(|measure| measure.judge).map(|figure| figure.value);
    let detection = found.detection();
    match &found.tendency {
        Tendency::Constant(label) => format!("this judge says `{label}` of everything: it tells nothing"),
        Tendency::Chance => "this judge is not shown to be better than chance: it tells nothing".to_owned(),
        Tendency::Lenient if found.scale.form == Form::Binary => format!(
            "this judge is lenient: it passes {} of the {} answers that people fail; use its rates only corrected",
            detection.false_alarms,
            detection.false_alarms + detection.rejections
        ),
        Tendency::Strict if found.scale.form == Form::Binary => format!(
            "this judge is strict: it fails {} of the {} answers that people pass; use its rates only corrected",
            detection.misses,
            detection.misses + detection.hits
        ),
        Tendency::Lenient => "this judge is lenient: use its means only corrected".to_owned(),
        Tendency::Strict => "this judge is strict: use its means only corrected".to_owned(),
        Tendency::Even | Tendency::Unknown => format!(
            "this judge errs both ways alike; it agrees with people on {:.0} % of the items",
            of("agreement").unwrap_or(0.0) * 100.0
        ),
    }
}

fn confusion(found: &Calibration) -> Vec<String> {
    let labels = &found.scale.labels;
    let width = labels.iter().map(|label| label.chars().count()).max().unwrap_or(0).max(8);
    let head: Vec<String> = labels.iter().rev().map(|label| format!(" {label:>width$}")).collect();
    let mut lines = vec![format!("{:<width$}{}   <- people", "judge", head.concat())];
    for (said, label) in labels.iter().enumerate().rev() {
        let row: Vec<String> = found
            .confusion
            .iter()
            .rev()
            .map(|counts| format!(" {:>width$}", counts.get(said).copied().unwrap_or(0)))
            .collect();
        lines.push(format!("{label:<width$}{}", row.concat()));
    }
    lines
}

fn named(measure: &str) -> &str {
    match measure {
        "kappa" => "Cohen's kappa",
        "kappa_quadratic" => "quadratic kappa",
        "ac1" => "Gwet's AC1",
        "tau_b" => "Kendall's tau-b",
        "rho" => "Spearman's rho",
        "f1" => "F1",
        other => other,
    }
}

/// Probes, one a line.
pub(super) fn probes(probes: &[Probe]) -> Vec<String> {
    probes.iter().map(probe).collect()
}

fn probe(probe: &Probe) -> String {
    let (name, verb) = match probe.kind {
        Kind::Order => ("order swapped", "flip"),
        Kind::Rerun => ("asked again", "flip"),
        Kind::Length => ("longer, same content", "gain"),
        Kind::Own => ("own family", ""),
        Kind::Injection => ("verdict injected", "obey"),
    };
    let state = match probe.state {
        State::Fine => "fine",
        State::Watch => "watch",
        State::Fails => "fails",
        State::Skipped => return format!("{name:<22} skipped: {}", probe.why.as_deref().unwrap_or_default()),
    };
    let range = |figure: Figure| format!("{:.1} to {:.1}", figure.low * 100.0, figure.high * 100.0);
    let Some(rate) = probe.rate else {
        return format!("{name:<22} skipped");
    };
    let unread =
        if probe.unread > 0 { format!(", {} without a verdict", probe.unread) } else { String::new() };
    if probe.kind == Kind::Own {
        return format!("{name:<22} {:+.1} points ({}){unread}  {state}", rate.value * 100.0, range(rate));
    }
    let shapes: Vec<String> = probe
        .shapes
        .iter()
        .filter(|(_, (hits, _))| *hits > 0)
        .map(|(shape, (hits, of))| format!("\n  {shape}: {hits} of {of}"))
        .collect();
    format!(
        "{name:<22} {} of {} {verb} ({} %){unread}  {state}{}",
        probe.hits,
        probe.n,
        range(rate),
        shapes.concat()
    )
}

fn corrected(corrected: &Corrected, is_share: bool) -> Vec<String> {
    let factor = if is_share { 100.0 } else { 1.0 };
    let line = |name: &str, figure: Option<Figure>| {
        figure.map(|figure| {
            format!(
                "  {name:<20} {:>6.1}  {:.1} to {:.1}",
                figure.value * factor,
                figure.low * factor,
                figure.high * factor
            )
        })
    };
    let mut lines = Vec::new();
    lines.extend(line("as judged", corrected.as_judged));
    lines.extend(line("Rogan-Gladen", corrected.rogan_gladen));
    lines.extend(line("prediction-powered", corrected.prediction_powered));
    if let Some(why) = &corrected.refused {
        lines.push(format!("  not corrected: {why}"));
        lines.extend(line("labels alone", corrected.labels));
    }
    let coverage = corrected.coverage;
    lines.push(format!("  verdicts on {} of {} samples", coverage.verdicts, coverage.asked));
    lines
}

fn differing(title: &str, items: &[Disagreement], count: usize, limit: usize) -> Vec<String> {
    if items.is_empty() || limit == 0 {
        return Vec::new();
    }
    let mut lines = vec![format!("\n{title}: {count}")];
    for item in items.iter().take(limit) {
        lines.push(format!(
            "  {}  people {}, judge {}: {}",
            item.item,
            item.people,
            item.judge,
            one_line(&item.answer)
        ));
        if !item.comment.is_empty() {
            lines.push(format!("    people: {}", one_line(&item.comment)));
        }
        if !item.reasoning.is_empty() {
            lines.push(format!("    judge:  {}", one_line(&item.reasoning)));
        }
    }
    lines
}

fn one_line(text: &str) -> String {
    let line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(140) {
        None => line,
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
    }
}
