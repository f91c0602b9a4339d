//! The list of judges, those that mislead first.

use super::experiments::{View, views};
use super::findings::{self, Grade, two};
use super::format;
use super::shell::{Page, Room, Section, copy_button, document};
use super::text_judges::JudgeTexts;
use super::view_judges::{CheckState, JudgeRow, JudgesView};
use maud::{Markup, html};

/// The list of judges.
pub fn judges_page(page: &Page, view: &JudgesView) -> Markup {
    let j = &page.texts().judges;
    let mut rows: Vec<(Grade, &JudgeRow)> = view.rows.iter().map(|row| (grade(j, row), row)).collect();
    rows.sort_by_key(|(grade, row)| (*grade, row.state == CheckState::Never));
    document(
        page,
        &Room {
            title: j.judges,
            section: Section::Evals,
            class: "",
            scripts: &["list-page.js"],
            above: None,
            heading: html! { (j.judges) },
            actions: views(page, View::Judges),
            main: html! {
                div.stack {
                    @if rows.is_empty() { (none(page)) } @else {
                        p.finding { (lead(j, &rows).join(" ")) }
                        (list(page, &rows))
                    }
                }
            },
        },
    )
}

/// How far a judge can be used: one whose check is not of what it is now is not known.
pub(super) fn grade(j: &JudgeTexts, row: &JudgeRow) -> Grade {
    let found =
        row.report.as_deref().and_then(|report| findings::of(j, report).first().map(|worst| worst.grade));
    match (found, &row.state) {
        (Some(Grade::Bad), _) => Grade::Bad,
        (Some(grade), CheckState::Fresh | CheckState::Known) => grade,
        _ => Grade::Unknown,
    }
}

/// What to know of them all, the worst first.
fn lead(j: &JudgeTexts, rows: &[(Grade, &JudgeRow)]) -> Vec<String> {
    let count = |is: &dyn Fn(&(Grade, &JudgeRow)) -> bool| rows.iter().filter(|row| is(row)).count() as u64;
    let said = [
        (count(&|(grade, _)| *grade == Grade::Bad), j.lead_bad),
        (count(&|(_, row)| matches!(row.state, CheckState::Stale(_))), j.lead_stale),
        (count(&|(_, row)| row.state == CheckState::Never), j.lead_never),
    ];
    let said: Vec<String> = said.into_iter().filter(|(n, _)| *n > 0).map(|(n, words)| words.of(n)).collect();
    if said.is_empty() { vec![j.lead_good.to_owned()] } else { said }
}

/// What to do where none was checked.
fn none(page: &Page) -> Markup {
    let t = page.texts();
    let j = &t.judges;
    let labels = "hanok judge labels import refund-correct labels.csv --wanted 2";
    let check = "hanok judge check evals/support.toml refund-correct --probe";
    html! {
        section.panel.none {
            p.finding { (j.none_title) }
            p.soft { (j.none_hint) }
            pre.code { (labels) (copy_button(t.evals.copy_command, labels, "btn-sm")) }
            p.soft { (j.none_then) }
            pre.code { (check) (copy_button(t.evals.copy_command, check, "btn-sm")) }
        }
    }
}

fn list(page: &Page, rows: &[(Grade, &JudgeRow)]) -> Markup {
    let j = &page.texts().judges;
    let projects = rows.iter().any(|(_, row)| !row.project.is_empty());
    html! {
        section.panel {
            div.scroll tabindex="0" role="region" aria-label=(j.judges) {
                table.table.hit.two-line.judges role="grid" {
                    caption.vh { (j.caption) }
                    thead { tr {
                        th { (j.judge) } th.desk { (j.finding) } th { span.vh { (j.check) } } th.num.desk { (j.kappa_short) }
                        th.num.desk { (j.labelled) } @if projects { th.opt { (j.project) } } th.opt { (j.model) } th.desk { (j.checked) }
                    } }
                    tbody #list-rows { @for (grade, row) in rows { (list_row(page, *grade, row, projects)) } }
                }
            }
        }
    }
}

fn list_row(page: &Page, grade: Grade, row: &JudgeRow, projects: bool) -> Markup {
    let j = &page.texts().judges;
    let said = sentence(j, row);
    let kappa = row.report.as_deref().and_then(|report| report.calibration.measure("kappa")?.judge);
    html! {
        tr tabindex="-1" aria-selected="false" {
            td.nowrap {
                a href=(place(page, row)) tabindex="-1" { span.strong { (format::cut(&row.name, 40)) } }
                span.phone.meta { (said) }
            }
            td.desk.wrap { (said) }
            td.nowrap { (badges(j, grade, &row.state)) }
            td.num.desk { @if let Some(kappa) = kappa { (two(kappa.value)) span.dim.opt { " (" (two(kappa.low)) "–" (two(kappa.high)) ")" } } @else { span.dim { "–" } } }
            td.num.desk { @if let Some(report) = &row.report { (format::count(report.calibration.labelled as u64)) } @else { span.dim { "–" } } }
            @if projects { td.opt.soft { (row.project) } }
            td.opt.soft.nowrap { span.model.cut { (row.model) } }
            td.desk.mono.dim.nowrap { @if let Some(checked) = row.checked { (format::moment(checked)) } @else { "–" } }
        }
    }
}

/// Where a judge is shown.
pub(super) fn place(page: &Page, row: &JudgeRow) -> String {
    let place = page.to(&format!("judges/{}", format::url_encode(&row.name)));
    if row.project.is_empty() {
        place
    } else {
        format!("{place}?project={}", format::url_encode(&row.project))
    }
}

/// Its worst finding, and how many more there are.
fn sentence(j: &JudgeTexts, row: &JudgeRow) -> String {
    let Some(report) = &row.report else {
        return if row.state == CheckState::Foreign { j.foreign_check } else { j.never_checked }.to_owned();
    };
    let found = findings::of(j, report);
    let worse = found.iter().filter(|finding| finding.grade <= Grade::Doubtful).count();
    let first = found.into_iter().next().map(|finding| finding.text).unwrap_or_default();
    if worse > 1 { format!("{first} ({})", j.and_more.of(worse as u64 - 1)) } else { first }
}

/// How far it can be used, and whether what is said of it still holds.
pub(super) fn badges(j: &JudgeTexts, grade: Grade, state: &CheckState) -> Markup {
    let (word, class) = match state {
        CheckState::Never => (j.never, "b-warn"),
        CheckState::Fresh => (j.fresh, ""),
        CheckState::Stale(_) => (j.stale, "b-warn"),
        CheckState::Known => (j.known, ""),
        CheckState::Foreign => (j.foreign, "b-warn"),
    };
    html! {
        @if grade != Grade::Unknown { span.badge.(grade.class()) { (grade.word(j)) } " " }
        @if grade == Grade::Unknown || !class.is_empty() { span.badge.(class) { (word) } }
    }
}
