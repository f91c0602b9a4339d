//! Experiments: the list, and one with its numbers and its results.

use super::effects::{self, Reading};
use super::format;
use super::gate_words;
use super::icon::Icon;
use super::reasons;
use super::shell::{Page, Room, Section, copy_button, document, note};
use super::text::fill;
use super::view_evals::{ExperimentRow, ExperimentView, ExperimentsView, Progress};
use hanok_eval::gate::{GateReport, Outcome};
use hanok_eval::report::{Comparison, Report, ScoreKind, ScoreReport};
use maud::{Markup, html};

/// The list of experiments.
pub fn experiments_page(page: &Page, view: &ExperimentsView) -> Markup {
    let e = &page.texts().evals;
    document(
        page,
        &Room {
            title: e.experiments,
            section: Section::Evals,
            class: "",
            scripts: &["list-page.js"],
            above: None,
            heading: html! { (e.evals) },
            actions: views(page, View::Experiments),
            main: html! {
                div.stack {
                    @if view.rows.is_empty() { (none(page)) } @else {
                        p.finding { (lead(page, view)) }
                        @if view.rows.len() > 1 { (pick_two(page, &view.rows, None)) }
                        (list(page, view))
                    }
                }
            },
        },
    )
}

/// The rooms of evals.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Experiments,
    Datasets,
    Judges,
    Annotation,
}

/// The way between the rooms of evals. Samples may come from any project, so that experiments and datasets are admins'.
pub(super) fn views(page: &Page, shown: View) -> Markup {
    let t = page.texts();
    let rooms = [
        (View::Experiments, "experiments", t.evals.experiments, true),
        (View::Datasets, "datasets", t.evals.datasets, true),
        (View::Judges, "judges", t.judges.judges, false),
        (View::Annotation, "annotation", t.annotation.annotation, false),
    ];
    html! {
        nav.seg aria-label=(t.evals.views) {
            @for (view, to, name, of_admins) in rooms { @if !of_admins || page.is_admins() {
                a href=(page.to(to)) aria-current=[(view == shown).then_some("page")] { (name) }
            } }
        }
    }
}

fn lead(page: &Page, view: &ExperimentsView) -> String {
    let e = &page.texts().evals;
    let Some(newest) = view.rows.first() else { return String::new() };
    let name = format!("{} {}", newest.name, newest.id);
    match newest.passed {
        Some(false) => return fill(e.lead_gate_failed, &[("name", &name)]),
        Some(true) => return fill(e.lead_passed, &[("name", &name)]),
        None => {}
    }
    let state = state_word(page, newest.state);
    fill(e.lead, &[("name", &name), ("state", state)])
}

/// What to do where nothing was run.
fn none(page: &Page) -> Markup {
    let e = &page.texts().evals;
    let command = "hanok eval run support";
    let file = "# evals/support.toml\ndataset = \"support.jsonl\"\n\n[task]\nkind = \"model\"\nmodel = \"openai/gpt-5-mini\"\ntemplate = \"{{question}}\"\n\n[[scorers]]\nkind = \"contains\"";
    html! {
        section.panel.none {
            p.finding { (e.none_title) }
            p.soft { (e.none_hint) }
            pre.code { (command) (copy_button(e.copy_command, command, "btn-sm")) }
            p.soft { (e.none_docs) }
            pre.code { (file) (copy_button(page.texts().records.copy_lines, file, "btn-sm")) }
        }
    }
}

/// A form that puts two experiments beside each other.
pub(super) fn pick_two(page: &Page, choices: &[ExperimentRow], chosen: Option<(i64, i64)>) -> Markup {
    let e = &page.texts().evals;
    // What is newest, and what it was before.
    let newest = choices.first();
    let before = newest.and_then(|newest| choices.iter().skip(1).find(|row| row.name == newest.name));
    let guess = (before.or(choices.get(1)).map(|row| row.id), newest.map(|row| row.id));
    let (a, b) = chosen.map_or(guess, |(a, b)| (Some(a), Some(b)));
    let options = |of: Option<i64>| {
        html! { @for row in choices { option value=(row.id) selected[Some(row.id) == of] { (row.id) " " (format::cut(&row.name, 48)) } } }
    };
    html! {
        form.pick-two method="get" action=(page.to("experiments/compare")) aria-label=(e.compare_two) {
            label.row { span.badge { "A" } select.select name="a" aria-label="A" { (options(a)) } }
            label.row { span.badge.b-acc { "B" } select.select name="b" aria-label="B" { (options(b)) } }
            button.btn type="submit" { (e.compare) }
        }
    }
}

fn list(page: &Page, view: &ExperimentsView) -> Markup {
    let e = &page.texts().evals;
    html! {
        section.panel {
            header.head-wrap {
                h2 { (e.experiments) }
                @if view.names.len() > 1 { form.row method="get" action=(page.to("experiments")) {
                    select.select name="name" aria-label=(e.eval) {
                        option value="" { (e.all_evals) }
                        @for name in &view.names { option value=(name) selected[*name == view.name] { (name) } }
                    }
                    button.btn.btn-quiet type="submit" { (page.texts().apply) }
                } }
            }
            div.scroll tabindex="0" role="region" aria-label=(e.experiments) {
                table.table.hit.two-line role="grid" {
                    caption.vh { (e.experiments_caption) }
                    thead { tr {
                        th.num.desk { "#" } th { (e.eval) } th.opt { (e.task) } th.desk { (e.dataset) } th.num.desk { (e.tries) }
                        th.num { (e.first_score) } th.num.desk { (page.texts().cost) } th.desk { (e.gate) } th.desk aria-sort="descending" { (e.began) }
                    } }
                    tbody #list-rows { @for row in &view.rows { (list_row(page, row)) } }
                }
            }
            @if let Some(next) = view.next {
                p.older { a.btn.btn-quiet href=(page.with("before", &next.to_string())) { (Icon::Down.draw()) (e.older) } }
            }
        }
    }
}

fn list_row(page: &Page, row: &ExperimentRow) -> Markup {
    let e = &page.texts().evals;
    let place = page.to(&format!("experiments/{}", row.id));
    html! {
        tr tabindex="-1" aria-selected="false" {
            td.num.mono.dim.desk { (row.id) }
            td.cut {
                a.cut href=(place) tabindex="-1" { span.strong { (row.name) } }
                @if row.state != Progress::Done { " " (state_badge(page, row.state)) }
                span.phone.meta { (row.id) " · " (format::moment(row.created)) " " (gate_badge(page, row.passed)) }
            }
            td.opt.soft.nowrap { span.model.cut { (row.task) } }
            td.desk.soft.nowrap { span.model.cut { (row.dataset) } }
            td.num.desk {
                @if row.done < row.planned { (format::count(row.done)) span.dim { " / " (format::count(row.planned)) } } @else { (format::count(row.done)) }
                @if row.failed > 0 { " " span.bad { (e.failed_of.of(row.failed)) } }
            }
            td.num.nowrap { (lead_score(page, row)) }
            td.num.desk { @if row.cost_usd > 0.0 { (format::sum(row.cost_usd)) } @else { span.dim { "–" } } }
            td.desk { (gate_badge(page, row.passed)) }
            td.desk.mono.dim.nowrap { (format::moment(row.created)) }
        }
    }
}

fn lead_score(page: &Page, row: &ExperimentRow) -> Markup {
    let Some(score) = &row.lead else { return html! { span.dim { "–" } } };
    let is_share = score.kind == ScoreKind::Truth;
    html! {
        span title=(score.name) {
            @if let Some(mean) = score.mean { (effects::mean(mean, is_share)) } @else { "–" }
            @if let Some(of) = &score.estimate { " " span.dim.opt { "(" (effects::interval(&page.texts().evals, of, is_share)) ")" } }
        }
    }
}

fn state_word(page: &Page, state: Progress) -> &'static str {
    let e = &page.texts().evals;
    match state {
        Progress::Running => e.running,
        Progress::Stopped => e.stopped,
        Progress::Done => e.done,
    }
}

fn state_badge(page: &Page, state: Progress) -> Markup {
    let class = if state == Progress::Stopped { "b-warn" } else { "" };
    html! { span.badge.(class) { (state_word(page, state)) } }
}

/// Whether a gate let pass.
pub(super) fn gate_badge(page: &Page, passed: Option<bool>) -> Markup {
    let e = &page.texts().evals;
    match passed {
        Some(true) => html! { span.badge.b-ok { (Icon::Check.draw()) (e.passes) } },
        Some(false) => html! { span.badge.b-err { (Icon::Warn.draw()) (e.fails) } },
        None => html! {},
    }
}

/// One experiment.
pub fn experiment_page(page: &Page, view: &ExperimentView) -> Markup {
    let e = &page.texts().evals;
    let row = &view.row;
    let title = fill(e.experiment_n, &[("n", &row.id.to_string())]);
    let report = format!("hanok eval show {}", row.id);
    let heading = html! { (title) @if row.state != Progress::Done { " " (state_badge(page, row.state)) } };
    document(
        page,
        &Room {
            title: &format!("{} {}", row.name, row.id),
            section: Section::Evals,
            class: "",
            scripts: &["evals.js"],
            above: Some((page.to(&format!("experiments?name={}", format::url_encode(&row.name))), &row.name)),
            heading,
            actions: copy_button(e.copy_report, &report, "desk"),
            main: html! {
                div.stack {
                    @if let Some(why) = &view.stopped { (note("", &html! { p { (fill(e.stopped_because, &[("why", &reasons::said(page.lang, why))])) } p.soft { (e.go_on) } (again(page, view)) })) }
                    @else if row.state == Progress::Running { (note("", &html! { p { (e.is_running) } (again(page, view)) })) }
                    (figures(page, view))
                    @if let Some(gate) = &view.gate { (checks(page, gate, view)) }
                    (numbers(page, &view.report))
                    @if let Some(against) = &view.against { (beside(page, row.id, against, &view.report)) }
                    @if !view.others.is_empty() {
                        @let other = view.against.as_ref().map(|against| against.baseline).or(view.others.first().map(|other| other.id));
                        (pick_two(page, &choices(view), other.map(|other| (other, row.id))))
                    }
                    (super::results::results(page, view))
                }
            },
        },
    )
}

/// The command that goes on with it.
fn again(page: &Page, view: &ExperimentView) -> Markup {
    let command = format!("hanok eval run {}", super::shell_word(&view.file));
    html! { @if !view.file.is_empty() { pre.code { (command) (copy_button(page.texts().evals.copy_command, &command, "btn-sm")) } } }
}

fn choices(view: &ExperimentView) -> Vec<ExperimentRow> {
    std::iter::once(&view.row).chain(&view.others).cloned().collect()
}

fn figures(page: &Page, view: &ExperimentView) -> Markup {
    let e = &page.texts().evals;
    let (row, report) = (&view.row, &view.report);
    let dataset = page.to(&format!("datasets/{}", format::url_encode(&row.dataset)));
    let version = view.version.as_deref().map(|version| format!("{dataset}?version={version}"));
    html! {
        dl.figures {
            div {
                dt { (e.tries) }
                dd { (format::count(row.done)) @if row.done < row.planned { span.dim { " / " (format::count(row.planned)) } } }
                dd { (e.rows_of.of(report.rows as u64)) ", " (e.repeats_of.of(u64::from(view.repeats))) }
            }
            div {
                dt { (e.outputs_failed) }
                dd { @if row.failed > 0 { span.bad { (format::count(row.failed)) } } @else { "0" } }
                dd { @if report.cached > 0 { (e.known_before.of(report.cached as u64)) } @else { (format::share(row.failed, row.done)) } }
            }
            div {
                dt { (page.texts().cost) }
                dd { (format::sum(row.cost_usd)) }
                dd { @if let Some(cost) = report.cost_per_answer { (fill(e.cost_of_answer, &[("cost", &format::dollars(cost))])) } @else { (page.texts().no_price) } }
            }
            @if let Some(latency) = &report.latency { div {
                dt { (e.seconds_median) }
                dd { (format::seconds(latency.p50 * 1e3)) }
                dd { (fill(e.seconds_p95, &[("seconds", &format::duration(latency.p95 * 1e3))])) }
            } }
            div {
                dt { (e.dataset) }
                dd.cut.name title=(row.dataset) { @if let Some(version) = version { a href=(version) { (row.dataset) } } @else { (row.dataset) } }
                dd.cut title=(row.task) { (row.task) }
            }
        }
    }
}

fn checks(page: &Page, gate: &GateReport, view: &ExperimentView) -> Markup {
    let e = &page.texts().evals;
    let said = gate_words::said(page.lang, gate, view.asked.as_ref(), &view.report, view.against.as_ref());
    html! {
        section.panel {
            header { h2 { (e.checks) } span.end { (gate_badge(page, Some(gate.passed))) } }
            table.table.reasons {
                caption.vh { (e.checks) }
                tbody { @for checked in &said { tr {
                    td { (checked.check) span.meta.block { (checked.because) } }
                    td.num { @match checked.outcome {
                        Outcome::Passed => span.badge.b-ok { (e.passes) },
                        Outcome::Failed => span.badge.b-err { (e.fails) },
                        Outcome::Undecided => span.badge.b-warn { (e.undecided) },
                    } }
                } } }
            }
        }
    }
}

fn numbers(page: &Page, report: &Report) -> Markup {
    let e = &page.texts().evals;
    html! {
        section.panel {
            header { h2 { (e.numbers) } @if !report.scores.is_empty() { span.dim.end.opt { (e.coverage_hint) } } }
            @if report.scores.is_empty() { div.nothing { p.strong { (e.no_scores) } p.dim { (e.no_scores_hint) } } } @else {
                table.table.effects {
                    caption.vh { (e.numbers) }
                    thead { tr {
                        th { (e.score) } th.num { (e.mean) } th.ci-cell.desk { span.vh { (e.interval) } }
                        th.num { (fill(e.interval_of, &[("percent", &effects::percent(report.confidence))])) } th.num.desk { (e.n) }
                        th.num.desk { (e.coverage) } th.opt { (e.lacking) }
                    } }
                    tbody { @for score in &report.scores { (number_row(page, score)) } }
                }
            }
        }
    }
}

fn number_row(page: &Page, score: &ScoreReport) -> Markup {
    let e = &page.texts().evals;
    let is_share = score.kind == ScoreKind::Truth;
    let coverage = score.coverage();
    html! {
        tr {
            th scope="row" {
                (score.name)
                span.hint { (e.method_name(&score.method)) }
                @if !score.labels.is_empty() { span.hint { @for (label, count) in &score.labels { (format::cut(label, 40)) " " (format::count(*count as u64)) " · " } } }
                @for passes in &score.passes { @if passes.k > 1 {
                    @let k = passes.k.to_string();
                    span.hint { (fill(e.passes_any, &[("k", &k)])) " " b { (effects::mean(passes.any, true)) } }
                    span.hint { (fill(e.passes_all, &[("k", &k)])) " " b { (effects::mean(passes.all, true)) } }
                } }
                @if coverage < 1.0 { span.hint.warn { (e.coverage) " " (format::portion(coverage)) " · " (lacking(page, score)) } }
            }
            td.num.strong { @if let Some(mean) = score.mean { (effects::mean(mean, is_share)) } @else { "–" } }
            td.ci-cell.desk { @if let (Some(of), true) = (&score.estimate, is_share) { (effects::share_line(of, &effects::interval(e, of, is_share))) } }
            td.num.soft { @if let Some(of) = &score.estimate { (effects::interval(e, of, is_share)) } @else { "–" } }
            td.num.desk { @if let Some(of) = &score.estimate { (format::count(of.n as u64)) } @else { (format::count(score.valued as u64)) } }
            td.num.desk { (format::portion(coverage)) }
            td.opt.soft { (lacking(page, score)) }
        }
    }
}

/// What has no value, by its kind.
fn lacking(page: &Page, score: &ScoreReport) -> String {
    let e = &page.texts().evals;
    let kinds = [
        (score.refused, e.refused),
        (score.unparsed, e.unparsed),
        (score.skipped, e.skipped),
        (score.failed, e.unscored),
        (score.missing, e.missing),
    ];
    let said: Vec<String> =
        kinds.into_iter().filter(|(n, _)| *n > 0).map(|(n, words)| words.of(n as u64)).collect();
    if said.is_empty() { e.all_scored.to_owned() } else { said.join(", ") }
}

/// The comparison with the baseline, in short.
fn beside(page: &Page, id: i64, against: &Comparison, report: &Report) -> Markup {
    let e = &page.texts().evals;
    let baseline = against.baseline.to_string();
    let whole = page.to(&format!("experiments/compare?a={baseline}&b={id}"));
    html! {
        section.panel {
            header {
                h2 { (fill(e.against, &[("n", &baseline)])) } span.dim.opt { (e.against_hint) }
                a.btn.btn-sm.end href=(whole) { (e.see_samples) }
            }
            table.table.effects {
                caption.vh { (fill(e.against, &[("n", &baseline)])) }
                thead { tr { th { (e.score) } th.num { (e.difference) } th.num { (e.interval) } th.num.desk { (e.p) } th { span.vh { (e.reading) } } } }
                tbody { @for score in &against.scores {
                    @let is_share = report.scores.iter().any(|known| known.name == score.name && known.kind == ScoreKind::Truth);
                    tr {
                        th scope="row" { (score.name) @if score.less_is_better { span.hint { (e.less_is_better) } } }
                        td.num.strong { @if let Some(found) = score.difference { (effects::difference(found.value, is_share)) } @else { "–" } }
                        td.num.soft { @if let Some(found) = score.difference {
                            (fill(e.from_to, &[("low", &effects::difference(found.low, is_share)), ("high", &effects::difference(found.high, is_share))]))
                        } @else { "–" } }
                        td.num.desk { @if let Some(p) = score.p_adjusted.or(score.p) { (effects::p_value(p)) } @else { "–" } }
                        td { (Reading::of(score.difference, score.p_adjusted.or(score.p), report.confidence, score.less_is_better).badge(e)) }
                    }
                } }
            }
        }
    }
}
