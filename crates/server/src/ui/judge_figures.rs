//! A judge in figures: the confusion matrix, agreement beside its ceiling and its baseline, corrected rates, probes.

use super::effects;
use super::findings::two;
use super::format;
use super::judge::{command, to_run, warned};
use super::reasons;
use super::shell::Page;
use super::text::fill;
use super::text_judges::JudgeTexts;
use super::view_judges::JudgeView;
use hanok_eval::calibration::{Calibration, Corrected, Figure, Measure, Method, Standing, Tendency};
use hanok_eval::judge::Form;
use hanok_eval::lab::{CorrectedExperiment, Report};
use hanok_eval::probe::{Kind, Probe, State};
use maud::{Markup, html};

/// The confusion matrix, best level first.
pub(super) fn confusion(j: &JudgeTexts, found: &Calibration) -> Markup {
    let labels = &found.scale.labels;
    let n = pairs(found);
    let coverage = found.coverage;
    let said = [
        ("n", coverage.verdicts as u64),
        ("of", coverage.asked as u64),
        ("refused", coverage.refused as u64),
        ("unparsed", coverage.unparsed as u64),
        ("failed", coverage.failed as u64),
    ];
    let share = format::share(coverage.verdicts as u64, coverage.asked as u64);
    let coverage = said.iter().fold(fill(j.coverage, &[("share", &share)]), |text, (name, n)| {
        fill(&text, &[(name, &format::count(*n))])
    });
    html! {
        section.panel {
            header { h2 { (j.confusion) } span.dim.end { (fill(j.n_is, &[("n", &format::count(n))])) } }
            div.in {
                div.scroll tabindex="0" role="region" aria-label=(j.confusion) {
                    table.cm.{ (if labels.len() > 3 { "cm-many" } else { "" }) } {
                        caption.vh { (j.confusion) }
                        thead { tr { td.bare.side {} @for label in labels.iter().rev() { th scope="col" { (fill(j.people_say, &[("label", &format::cut(label, 24))])) } } } }
                        tbody { @for (said, label) in labels.iter().enumerate().rev() { tr {
                            th scope="row" { (fill(j.judge_says, &[("label", &format::cut(label, 24))])) }
                            @for (truth, _) in labels.iter().enumerate().rev() { (cell(j, found, truth, said)) }
                        } } }
                    }
                }
            }
            footer { (coverage) }
        }
    }
}

fn cell(j: &JudgeTexts, found: &Calibration, truth: usize, said: usize) -> Markup {
    let count = found.confusion.get(truth).and_then(|row| row.get(said)).copied().unwrap_or(0);
    let number = format::count(count);
    let (id, words, listed) = match said.cmp(&truth) {
        std::cmp::Ordering::Equal => return html! { td.agree { b { (number) } span { (j.agreed) } } },
        std::cmp::Ordering::Greater => ("#lenient", j.too_lenient, &found.lenient),
        std::cmp::Ordering::Less => ("#strict", j.too_strict, &found.strict),
    };
    let is_lenient = said > truth;
    let leans = match &found.tendency {
        Tendency::Lenient => is_lenient,
        Tendency::Strict => !is_lenient,
        Tendency::Constant(_) | Tendency::Chance => true,
        Tendency::Even | Tendency::Unknown => false,
    };
    let class = if leans && count > 0 { "clash" } else { "" };
    html! { td.(class) { b { (number) } span { @if listed.is_empty() || count == 0 { (words) } @else { a href=(id) { (words) } } } } }
}

/// The measures of agreement, each with its interval, its ceiling and its baseline.
pub(super) fn measures(page: &Page, found: &Calibration) -> Markup {
    let j = &page.texts().judges;
    let options = found.options;
    let always = fill(j.always, &[("label", &format::cut(&found.commonest, 24))]);
    let lowest = found
        .measures
        .iter()
        .flat_map(|measure| [measure.judge.map(|figure| figure.low), measure.baseline, measure.ceiling])
        .flatten()
        .filter(|value| value.is_finite())
        .fold(0.0, f64::min);
    let methods = fill(
        j.methods,
        &[("rounds", &format::count(options.rounds as u64)), ("seed", &options.seed.to_string())],
    );
    html! {
        section.panel {
            header.head-wrap {
                h2 { (j.trust) }
                ul.legend.end {
                    li { svg.key aria-hidden="true" { circle.ci-dot cx="9" cy="4" r="3.5" {} } (j.value) }
                    li { svg.key aria-hidden="true" { circle.ceil cx="9" cy="4" r="3.5" {} } (j.people) }
                    li { svg.key aria-hidden="true" { line.base x1="9" x2="9" y1="0" y2="8" {} } (always) }
                }
            }
            table.table.effects {
                caption.vh { (j.trust) }
                thead { tr {
                    th { (j.measure) } th.num { (j.value) } th.ci-cell { span.vh { (j.interval.replace("{percent} % ", "")) } }
                    th.num.desk { (fill(j.interval, &[("percent", &effects::percent(options.confidence))])) }
                    th.num.desk { "n" } th.num.desk { (j.people) } th.num.desk { (always) }
                } }
                tbody { @for measure in &found.measures { (measure_row(page, measure, lowest)) } }
            }
            footer {
                (methods)
                @if let Some(groups) = groups(found) { " " (fill(&fill(j.groups, &[("n", &format::count(pairs(found)))]), &[("groups", &format::count(groups as u64))])) }
                @if found.doubly == 0 { " " (j.no_ceiling) }
            }
        }
    }
}

/// Answers with both a label and a verdict.
fn pairs(found: &Calibration) -> u64 {
    found.confusion.iter().flatten().sum()
}

/// How many groups of answers intervals rest on; `None` where each answer stands alone.
fn groups(found: &Calibration) -> Option<usize> {
    let figures = found.measures.iter().filter_map(|measure| measure.judge);
    let drawn = figures.filter(|figure| figure.method == Method::Bootstrap).map(|figure| figure.n).max();
    drawn.filter(|groups| (*groups as u64) < pairs(found))
}

fn measure_row(page: &Page, measure: &Measure, lowest: f64) -> Markup {
    let j = &page.texts().judges;
    let (name, hint) = named(j, &measure.name);
    let number = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), two);
    let range = measure.judge.map(|figure| between(page, &two(figure.low), &two(figure.high)));
    let label =
        format!("{name} {} ({})", number(measure.judge.map(|f| f.value)), range.as_deref().unwrap_or("–"));
    html! {
        tr {
            th scope="row" {
                (name) span.hint { (hint) }
                @if let (Some(range), Some(figure)) = (&range, measure.judge) { span.hint.phone { (range) ", n = " (figure.n) @if let Some(ceiling) = measure.ceiling { ", " (j.people) " " (two(ceiling)) } } }
            }
            td.num.strong { (number(measure.judge.map(|figure| figure.value))) }
            td.ci-cell { @if let Some(figure) = measure.judge { (measure_line(&figure, measure.ceiling, measure.baseline, lowest, &label)) } }
            td.num.soft.desk.nowrap { (range.as_deref().unwrap_or("–")) }
            td.num.soft.desk { @if let Some(figure) = measure.judge { (format::count(figure.n as u64)) } @else { "–" } }
            td.num.soft.desk { (number(measure.ceiling)) }
            td.num.soft.desk { (number(measure.baseline)) }
        }
    }
}

fn named<'a>(j: &'a JudgeTexts, name: &'a str) -> (&'a str, &'a str) {
    match name {
        "agreement" => (j.agreement, j.agreement_hint),
        "precision" => (j.precision, j.precision_hint),
        "recall" => (j.recall, j.recall_hint),
        "specificity" => (j.specificity, j.specificity_hint),
        "f1" => (j.f1, j.f1_hint),
        "kappa" => (j.kappa, j.kappa_hint),
        "kappa_quadratic" => (j.quadratic, j.quadratic_hint),
        "ac1" => (j.ac1, j.ac1_hint),
        "tau_b" => (j.tau, j.tau_hint),
        "rho" => (j.rho, j.rho_hint),
        other => (other, ""),
    }
}

fn measure_line(
    figure: &Figure,
    ceiling: Option<f64>,
    baseline: Option<f64>,
    lowest: f64,
    label: &str,
) -> Markup {
    let place = |value: f64| {
        let value = if value.is_finite() { value.clamp(lowest, 1.0) } else { lowest };
        format::percent(0.02 + 0.96 * (value - lowest) / (1.0 - lowest))
    };
    let (low, high, zero) = (place(figure.low), place(figure.high), place(0.0));
    html! {
        svg.chart width="100%" height="24" role="img" aria-label=(label) {
            line.grid x1="0" x2="100%" y1="12" y2="12" {}
            @if lowest < 0.0 { line.zero x1=(zero) x2=(zero) y1="2" y2="22" {} }
            @if let Some(baseline) = baseline { line.base x1=(place(baseline)) x2=(place(baseline)) y1="4" y2="20" {} }
            line.ci x1=(low) x2=(high) y1="12" y2="12" {}
            line.ci x1=(low) x2=(low) y1="8" y2="16" {}
            line.ci x1=(high) x2=(high) y1="8" y2="16" {}
            @if let Some(ceiling) = ceiling { circle.ceil cx=(place(ceiling)) cy="12" r="4.5" {} }
            circle.ci-dot cx=(place(figure.value)) cy="12" r="4" {}
        }
    }
}

/// An interval in words.
fn between(page: &Page, low: &str, high: &str) -> String {
    fill(page.texts().evals.from_to, &[("low", low), ("high", high)])
}

/// Rates of experiments, corrected, or why they are not.
pub(super) fn rates(page: &Page, view: &JudgeView, report: &Report) -> Markup {
    let j = &page.texts().judges;
    html! {
        div.stack {
            @for experiment in &report.corrected { (rate(page, report, experiment)) }
            @if report.corrected.is_empty() {
                section.panel {
                    header { h2 { (j.corrected_rates) } }
                    div.in.stack.stack-sm {
                        @if matches!(report.calibration.standing, Standing::NoBetterThanChance(_)) { p { (warned(j.refused)) } }
                        @else { p.soft { (j.none_corrected) " " (j.none_corrected_hint) } (to_run(page, &command(view, " --experiment NUMBER"))) }
                    }
                }
            }
        }
    }
}

fn rate(page: &Page, report: &Report, experiment: &CorrectedExperiment) -> Markup {
    let j = &page.texts().judges;
    let of = &experiment.corrected;
    let is_share = report.calibration.scale.form == Form::Binary;
    let judged = format::count(of.coverage.verdicts as u64);
    let labelled = format::count(of.labelled as u64);
    let powered = fill(j.powered_hint, &[("judged", &judged), ("labelled", &labelled)]);
    let lines = [
        (j.as_judged, j.samples_of.of(of.coverage.verdicts as u64), of.as_judged, of.refused.is_some()),
        (j.rogan_gladen, j.rogan_gladen_hint.to_owned(), of.rogan_gladen, false),
        (j.powered, powered, of.prediction_powered, false),
        (j.labels_alone, j.labels_alone_hint.to_owned(), of.labels.filter(|_| of.refused.is_some()), false),
    ];
    let number = experiment.experiment.to_string();
    let title = fill(j.corrected, &[("n", &number)]);
    html! {
        section.panel {
            header.head-wrap {
                h2 { @if page.is_admins() { a href=(page.to(&format!("experiments/{number}"))) { (title) } } @else { (title) } }
                span.dim.end.cut { (experiment.name) }
            }
            @if of.refused.is_some() { div.in { p.refused { (refusal(j, report, of)) } } }
            table.table.effects {
                caption.vh { (title) }
                tbody { @for (name, hint, figure, gone) in lines { @if let Some(figure) = figure { (rate_row(page, name, &hint, &figure, is_share, gone)) } } }
            }
            footer {
                (fill(j.verdicts_on, &[("n", &judged), ("of", &format::count(of.coverage.asked as u64))]))
                @if of.clustered { " " (j.clustered) }
                @if of.prediction_powered.is_some() { " " (j.gate_reads) }
            }
        }
    }
}

fn refusal(j: &JudgeTexts, report: &Report, of: &Corrected) -> &'static str {
    let better = matches!(report.calibration.standing, Standing::BetterThanChance);
    if better || of.labelled < 2 { j.refused_few } else { j.refused }
}

fn rate_row(page: &Page, name: &str, hint: &str, figure: &Figure, is_share: bool, gone: bool) -> Markup {
    let value = effects::mean(figure.value, is_share);
    let range = between(page, &effects::mean(figure.low, is_share), &effects::mean(figure.high, is_share));
    let place = |value: f64| format::percent(0.02 + 0.96 * value.clamp(0.0, 1.0));
    let (low, high) = (figure.low.clamp(0.0, 1.0), figure.high.clamp(0.0, 1.0));
    html! {
        tr {
            th scope="row" { (name) span.hint { (hint) } span.hint.phone { (range) } }
            td.num.strong { @if gone { del { (value) } span.vh { " " (page.texts().judges.refused) } } @else { (value) } }
            td.ci-cell { @if is_share && figure.value.is_finite() && low <= high {
                svg.chart width="100%" height="24" role="img" aria-label={ (name) " " (value) " (" (range) ")" } {
                    line.grid x1="0" x2="100%" y1="12" y2="12" {}
                    rect.ci-band x=(place(low)) width=(format::percent(0.96 * (high - low))) y="7" height="10" {}
                    circle.ci-dot cx=(place(figure.value)) cy="12" r="4" {}
                }
            } }
            td.num.soft.desk.nowrap { (range) }
        }
    }
}

/// What leads it astray, each with the verdicts that changed behind it.
pub(super) fn probes(page: &Page, view: &JudgeView, report: &Report) -> Markup {
    let j = &page.texts().judges;
    html! {
        section.panel {
            header { h2 { (j.probes) } }
            @if report.probes.is_empty() {
                div.in.stack.stack-sm { p.strong { (j.no_probes) } p.soft { (j.no_probes_hint) } (to_run(page, &command(view, " --probe"))) }
            } @else {
                table.table.hit.effects role="grid" {
                    caption.vh { (j.probes) }
                    thead.vh { tr { th { (j.probe) } th { (j.finding) } th { (j.check) } } }
                    tbody { @for (at, probe) in report.probes.iter().enumerate() { (probe_row(page, at, probe, report.calibration.labelled == 0)) } }
                }
            }
        }
    }
}

fn probe_row(page: &Page, at: usize, probe: &Probe, nothing: bool) -> Markup {
    let j = &page.texts().judges;
    let key = format!("probe-{at}");
    let name = match probe.kind {
        Kind::Order => j.order,
        Kind::Rerun => j.rerun,
        Kind::Length => j.length,
        Kind::Own => j.own,
        Kind::Injection => j.injection,
    };
    let (word, class) = match probe.state {
        State::Fine => (j.fine, "b-ok"),
        State::Watch => (j.watch, "b-warn"),
        State::Fails => (j.fails, "b-err"),
        State::Skipped => (j.skipped, ""),
    };
    let opens = !probe.changes.is_empty();
    let head = html! {
        td.wrap {
            @if opens { button.fold type="button" aria-expanded="false" aria-controls=(key) tabindex="-1" { (name) } } @else { (name) }
            @if probe.state == State::Skipped { span.hint { (skipped(j, probe, nothing)) } }
            @if let Some(rate) = probe.rate { span.hint { (interval(page, probe.kind, &rate)) @if probe.unread > 0 { ", " (j.unread.of(probe.unread as u64)) } } }
        }
        td.num.nowrap { (outcome(j, probe)) }
        td.num { span.badge.(class) { (word) } }
    };
    html! {
        @if opens {
            tr.sample tabindex="-1" aria-selected="false" aria-controls=(key) { (head) }
            tr.detail #(key) hidden { td.bare colspan="3" { (changes(page, probe)) } }
        } @else { tr { (head) } }
    }
}

/// Why a probe was skipped: that follows from its kind but where there was nothing at all, or no verdict.
fn skipped(j: &JudgeTexts, probe: &Probe, nothing: bool) -> &'static str {
    match probe.kind {
        _ if probe.unread > 0 => j.no_verdict,
        _ if nothing => j.needs_cases,
        Kind::Order => j.needs_pairs,
        Kind::Own => j.needs_families,
        Kind::Length | Kind::Injection => j.nothing_to_gain,
        Kind::Rerun => j.needs_cases,
    }
}

fn outcome(j: &JudgeTexts, probe: &Probe) -> String {
    let Some(rate) = probe.rate else { return "–".to_owned() };
    let text = match probe.kind {
        Kind::Order | Kind::Rerun => j.of_flip,
        Kind::Length => j.of_gain,
        Kind::Injection => j.of_obey,
        Kind::Own => return fill(j.points, &[("n", &effects::difference(rate.value, true))]),
    };
    fill(text, &[("hits", &format::count(probe.hits as u64)), ("n", &format::count(probe.n as u64))])
}

fn interval(page: &Page, kind: Kind, rate: &Figure) -> String {
    let j = &page.texts().judges;
    if kind == Kind::Own {
        let (low, high) = (effects::difference(rate.low, true), effects::difference(rate.high, true));
        return fill(j.points, &[("n", &between(page, &low, &high))]);
    }
    between(page, &effects::mean(rate.low, true), &effects::mean(rate.high, true))
}

fn changes(page: &Page, probe: &Probe) -> Markup {
    let j = &page.texts().judges;
    let said = |words: &str| reasons::said(page.lang, words).into_owned();
    // Of the others these are labels.
    let told = |words: &str| if probe.kind == Kind::Order { said(words) } else { words.to_owned() };
    html! {
        div.asked {
            @if !probe.shapes.is_empty() {
                ul.legend { @for (shape, (hits, of)) in &probe.shapes { @if *hits > 0 { li { (said(shape)) " " b.num { (hits) " / " (of) } } } } }
            }
            table.table {
                caption { (j.changes) }
                tbody { @for change in &probe.changes { tr {
                    td.mono { (format::cut(&change.item, 32)) }
                    td.soft { @if change.shape != probe.kind.as_str() { (said(&change.shape)) } }
                    td { span.badge { (format::cut(&told(&change.before), 40)) } " → " span.badge.b-err { (format::cut(&told(&change.after), 40)) } }
                } } }
            }
        }
    }
}
