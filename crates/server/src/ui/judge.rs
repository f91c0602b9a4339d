//! One judge: what it is, in words; against people in figures; what leads it astray; where it differs.

use super::effects;
use super::findings::{self, Grade, two};
use super::format;
use super::icon::Icon;
use super::judge_figures as figures;
use super::judges::{badges, grade};
use super::shell::{Page, Room, Section, copy_button, document, note};
use super::text::fill;
use super::text_judges::JudgeTexts;
use super::view_judges::{CheckState, JudgeView};
use hanok_base::NanoDollars;
use hanok_eval::calibration::Disagreement;
use hanok_eval::lab::Report;
use maud::{Markup, html};

/// Characters of a text that are shown at most.
const SHOWN: usize = 4000;
/// Answers of each kind that are shown on which judge and people differ.
const DIFFERING: usize = 50;

/// The page of a judge.
pub fn judge_page(page: &Page, view: &JudgeView) -> Markup {
    let j = &page.texts().judges;
    let row = &view.row;
    let label =
        view.queue.as_ref().map(|queue| page.to(&format!("annotation/{}", format::url_encode(queue))));
    document(
        page,
        &Room {
            title: &row.name,
            section: Section::Evals,
            class: "",
            scripts: &["evals.js"],
            above: Some((page.to("judges"), j.judges)),
            heading: html! { (format::cut(&row.name, 60)) },
            actions: html! {
                span.dim.opt.nowrap { (format::cut(&row.model, 60)) }
                @if let Some(label) = label { a.btn.btn-main href=(label) { (j.label_more) } }
            },
            main: html! {
                div.stack #eval-rows {
                    @if let CheckState::Stale(_) = row.state { (stale(page, view)) }
                    (verdict(page, view))
                    @if let Some(report) = row.report.as_deref() { (whole(page, view, report)) }
                    @else { (unchecked(page, view)) }
                }
            },
        },
    )
}

fn whole(page: &Page, view: &JudgeView, report: &Report) -> Markup {
    let j = &page.texts().judges;
    let found = &report.calibration;
    html! {
        div.cols.cols-j { (figures::confusion(j, found)) (figures::measures(page, found)) }
        div.cols.cols-j2 { (figures::rates(page, view, report)) (figures::probes(page, view, report)) }
        (differing(page, "lenient", j.lenient_title, &found.lenient, found.lenient_count))
        (differing(page, "strict", j.strict_title, &found.strict, found.strict_count))
        @if !view.days.is_empty() { (live(page, view)) }
        div.cols.cols-j2 { (asked(page, report)) (history(page, view)) }
    }
}

fn verdict(page: &Page, view: &JudgeView) -> Markup {
    let j = &page.texts().judges;
    let row = &view.row;
    let grade = grade(j, row);
    html! {
        section.panel.verdict {
            @if let Some(report) = &row.report {
                @let all = findings::of(j, report);
                @for (at, finding) in all.iter().enumerate() {
                    // A good word is worth saying only where nothing speaks against it.
                    @if at == 0 || finding.grade <= Grade::Doubtful { p { (finding.text) } }
                }
                p.soft { (findings::beside(j, report).join(" ")) }
                @if let Some(why) = &report.problem { p.soft.bad { (fill(j.asking_failed, &[("why", &format::cut(why, 400))])) } }
            } @else if row.state == CheckState::Foreign { p { (j.foreign_check) } }
            @else { p { (j.never_checked) } }
            div.row.row-wrap {
                (badges(j, grade, &row.state))
                @if let Some(checked) = row.checked { span.dim { (j.checked) " " (format::moment(checked)) } }
                @for (eval, _) in &row.evals { span.dim { (j.used_by) " " a href=(page.to(&format!("experiments?name={}", format::url_encode(eval)))) { (format::cut(eval, 48)) } } }
            }
        }
    }
}

/// The command that checks it.
pub(super) fn command(view: &JudgeView, more: &str) -> String {
    let row = &view.row;
    let file = row.evals.first().map_or("evals/FILE.toml", |(_, file)| file.as_str());
    let queue = row.report.as_ref().map(|report| report.queue.as_str()).filter(|queue| *queue != row.name);
    let queue = queue.map(|queue| format!(" --queue {}", super::shell_word(queue))).unwrap_or_default();
    format!("hanok judge check {} {}{queue}{more}", super::shell_word(file), super::shell_word(&row.name))
}

/// A command with its button.
pub(super) fn to_run(page: &Page, command: &str) -> Markup {
    html! { pre.code { (command) (copy_button(page.texts().evals.copy_command, command, "btn-sm")) } }
}

fn unchecked(page: &Page, view: &JudgeView) -> Markup {
    let j = &page.texts().judges;
    let labels =
        format!("hanok judge labels import {} labels.csv --wanted 2", super::shell_word(&view.row.name));
    html! {
        section.panel.none {
            p.soft { (j.none_hint) }
            (to_run(page, &labels))
            p.soft { (j.none_then) }
            (to_run(page, &command(view, " --probe")))
        }
    }
}

fn stale(page: &Page, view: &JudgeView) -> Markup {
    let j = &page.texts().judges;
    let CheckState::Stale(changes) = &view.row.state else { return html! {} };
    let cell = |text: &str| {
        html! { @if text.is_empty() { span.dim { "–" } } @else { span.pre { (format::cut(text, SHOWN)) } } }
    };
    note(
        "note-warn",
        &html! {
            p.strong { (j.stale_title) }
            p { @if let Some(checked) = view.row.checked {
                @let (before, after) = j.stale_hint.split_once("{day}").unwrap_or((j.stale_hint, ""));
                (before) (format::day(checked)) (after)
            } }
            table.table.reasons.changed {
                caption.vh { (j.stale_title) }
                thead { tr { th { (j.member) } th { (j.before) } th { (j.now) } } }
                tbody { @for change in changes { tr {
                    th scope="row" { (member(j, change.member)) }
                    @if change.member == "wording" { td colspan="2" { (j.other_wording) } }
                    @else { td.gone { (cell(&change.before)) } td.come { (cell(&change.now)) } }
                } } }
            }
            p { (j.check_again) }
            (to_run(page, &command(view, " --probe")))
        },
    )
}

fn member(j: &JudgeTexts, name: &str) -> &'static str {
    match name {
        "model" => j.m_model,
        "rubric" => j.m_rubric,
        "prompt" => j.m_prompt,
        "form" => j.m_form,
        "levels" => j.m_levels,
        "reference" => j.m_reference,
        "against" => j.m_against,
        "question" => j.m_question,
        "reasons" => j.m_reasons,
        "panel" => j.m_panel,
        "temperature" => j.m_temperature,
        "seed" => j.m_seed,
        "max_tokens" => j.m_max_tokens,
        _ => j.m_wording,
    }
}

/// The answers on which judge and people differ in one way, each with both reasons behind it.
fn differing(page: &Page, id: &str, title: &str, items: &[Disagreement], count: usize) -> Markup {
    let j = &page.texts().judges;
    html! {
        @if !items.is_empty() {
            section.panel #(id) {
                header { h2 { (title) } span.dim { (format::count(count as u64)) } }
                table.table.hit role="grid" {
                    caption.vh { (title) }
                    thead { tr { th { (page.texts().evals.sample) } th { (j.answer) } th.desk { (j.why_people) } th.num { (j.people_said) } th.num { (j.judge_said) } } }
                    tbody { @for (at, item) in items.iter().take(DIFFERING).enumerate() { (difference(page, &format!("{id}-{at}"), item)) } }
                }
                @if DIFFERING < count { footer { (fill(j.first_of, &[("n", &DIFFERING.to_string()), ("all", &format::count(count as u64))])) } }
            }
        }
    }
}

fn difference(page: &Page, key: &str, item: &Disagreement) -> Markup {
    let j = &page.texts().judges;
    let why = |text: &str| html! { @if text.is_empty() { p.dim { (j.no_reason) } } @else { p.pre { (format::cut(text, SHOWN)) } } };
    html! {
        tr.sample tabindex="-1" aria-selected="false" aria-controls=(key) {
            td.nowrap { button.fold.mono type="button" aria-expanded="false" aria-controls=(key) tabindex="-1" { (format::cut(&item.item, 24)) } }
            td.cut { (format::cut(&item.answer, 300)) }
            td.desk.soft.cut.why-cell { (format::cut(&item.comment, 120)) }
            td.num { span.badge { (format::cut(&item.people, 24)) } }
            td.num { span.badge.b-err { (format::cut(&item.judge, 24)) } }
        }
        tr.detail #(key) hidden { td.bare colspan="5" {
            div.asked { h3 { (j.answer) } p.pre { (format::cut(&item.answer, SHOWN)) } }
            div.diff {
                div { h3 { (j.why_people) span.badge { (format::cut(&item.people, 24)) } } (why(&item.comment)) }
                div { h3 { (j.why_judge) span.badge.b-err { (format::cut(&item.judge, 24)) } } (why(&item.reasoning)) }
            }
        } }
    }
}

/// What scoring by rules of its name did.
fn live(page: &Page, view: &JudgeView) -> Markup {
    let j = &page.texts().judges;
    let e = &page.texts().evals;
    html! {
        section.panel {
            header { h2 { (j.live) } }
            table.table {
                caption.vh { (j.live) }
                thead { tr { th { (j.day) } th.num { (j.scored) } th.num { (j.mean) } th.num.desk { (e.coverage) } th.num.desk { (j.to_people) } th.num { (j.cost) } } }
                tbody { @for day in &view.days {
                    @let mean = hanok_eval::online::mean(day);
                    tr {
                        td.mono.nowrap { (day.day) }
                        td.num { (fill(j.seen_of, &[("n", &format::count(day.scored)), ("all", &format::count(day.seen))])) }
                        td.num { @if let Some(mean) = mean { (two(mean.value)) span.dim.opt { " (" (two(mean.low)) "–" (two(mean.high)) ")" } } @else { "–" } }
                        td.num.desk { (format::share(day.scored, day.scored + day.unscored)) }
                        td.num.desk { (format::count(day.queued)) }
                        td.num { (format::sum(day.cost.dollars())) }
                    }
                } }
            }
        }
    }
}

/// Its table, as it was when it was checked.
fn asked(page: &Page, report: &Report) -> Markup {
    let j = &page.texts().judges;
    let spec = &report.spec;
    let yes = |is: bool| if is { page.texts().evals.yes } else { page.texts().evals.no };
    html! {
        section.panel {
            header { h2 { (j.how_asked) } }
            dl.kv.in {
                dt { (j.m_model) } dd.mono { (format::cut(&spec.model.0.join(", "), 400)) }
                dt { (j.m_rubric) } dd.pre { (format::cut(&spec.rubric, SHOWN)) }
                dt { (j.m_levels) } dd { (format::cut(&report.calibration.scale.labels.join(", "), 400)) }
                dt { (j.m_reference) } dd { (yes(spec.reference)) }
                dt { (j.m_prompt) } dd { @if let Some(prompt) = &spec.prompt { span.mono { (format::cut(prompt, 200)) } } @else { (j.built_in) } }
                dt { (j.m_reasons) } dd { (yes(spec.reasons)) }
                dt { (j.m_temperature) } dd { @if let Some(temperature) = spec.temperature.0 { (effects::number(temperature)) } @else { "–" } }
            }
        }
    }
}

fn history(page: &Page, view: &JudgeView) -> Markup {
    let j = &page.texts().judges;
    html! {
        section.panel {
            header { h2 { (j.history) } }
            table.table {
                caption.vh { (j.history) }
                thead { tr { th { (j.checked) } th { (j.finding) } th.num { (j.kappa_short) } th.num.desk { (j.labelled) } th.desk { (j.identity) } } }
                tbody { @for check in &view.checks {
                    @let report = check.report.as_deref();
                    @let grade = report.and_then(|report| findings::of(j, report).first().map(|worst| worst.grade)).unwrap_or(Grade::Unknown);
                    @let kappa = report.and_then(|report| report.calibration.measure("kappa")?.judge);
                    tr {
                        td.mono.nowrap { (format::moment(check.created)) }
                        td { span.badge.(grade.class()) { (grade.word(j)) } }
                        td.num { @if let Some(kappa) = kappa { (two(kappa.value)) } @else { "–" } }
                        td.num.desk { @if let Some(report) = report { (format::count(report.calibration.labelled as u64)) } @else { "–" } }
                        td.desk.mono.dim { (format::cut(&check.identity, 16)) }
                    }
                } }
            }
            @if let Some(report) = &view.row.report { footer {
                (j.this_check) ": " (j.asked_of.of(report.asked as u64)) ", "
                (report.cost.map_or_else(|| page.texts().no_price.to_owned(), |cost: NanoDollars| format::dollars(cost.dollars()))) "."
            } }
        }
    }
}

/// A sign before a state that people should look at.
pub(super) fn warned(word: &str) -> Markup {
    html! { span.badge.b-err { (Icon::Warn.draw()) (word) } }
}
