//! Queues of answers that people label.

use super::experiments::{View, views};
use super::format;
use super::shell::{Page, Room, Section, copy_button, document};
use super::view_annotation::{AnnotationView, QueueView};
use maud::{Markup, html};

/// The list of queues.
pub fn annotation_page(page: &Page, view: &AnnotationView) -> Markup {
    let a = &page.texts().annotation;
    document(
        page,
        &Room {
            title: a.annotation,
            section: Section::Evals,
            class: "",
            scripts: &["list-page.js"],
            above: None,
            heading: html! { (a.annotation) },
            actions: views(page, View::Annotation),
            main: html! {
                div.stack {
                    @if view.queues.is_empty() { (none(page, view.may_make)) } @else {
                        p.finding { (lead(page, view).join(" ")) }
                        (list(page, view))
                    }
                }
            },
        },
    )
}

fn lead(page: &Page, view: &AnnotationView) -> Vec<String> {
    let a = &page.texts().annotation;
    let sum = |of: fn(&QueueView) -> u64| view.queues.iter().map(of).sum::<u64>();
    let (label, settle) = (sum(|queue| queue.waiting), sum(|queue| queue.differing));
    let said: Vec<String> = [(label, a.lead_label), (settle, a.lead_settle)]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, words)| words.of(n))
        .collect();
    if said.is_empty() { vec![a.lead_done.to_owned()] } else { said }
}

/// What to do where there is no queue.
fn none(page: &Page, may_make: bool) -> Markup {
    let t = page.texts();
    let a = &t.annotation;
    let experiment = "hanok judge labels add refunds --experiment 12 --limit 100 --wanted 2";
    let traces = "hanok judge labels add refunds --traces \"score.helpful:<1 since:7d\"";
    html! {
        section.panel.none {
            p.finding { (a.none_title) }
            p.soft { (a.none_hint) }
            @if may_make {
                pre.code { (experiment) (copy_button(t.evals.copy_command, experiment, "btn-sm")) }
                p.soft { (a.none_traces) }
                pre.code { (traces) (copy_button(t.evals.copy_command, traces, "btn-sm")) }
            } @else { p.soft { (a.none_yours) } }
        }
    }
}

/// Where a queue is labelled.
pub(super) fn place(page: &Page, queue: &QueueView) -> String {
    let place = page.to(&format!("annotation/{}", format::url_encode(&queue.name)));
    if queue.project.is_empty() {
        place
    } else {
        format!("{place}?project={}", format::url_encode(&queue.project))
    }
}

fn list(page: &Page, view: &AnnotationView) -> Markup {
    let a = &page.texts().annotation;
    let projects = view.queues.iter().any(|queue| !queue.project.is_empty());
    html! {
        section.panel {
            div.scroll tabindex="0" role="region" aria-label=(a.queues) {
                table.table.hit.two-line role="grid" {
                    caption.vh { (a.caption) }
                    thead { tr {
                        th { (a.queue) } th.desk { (a.instructions) } @if projects { th.opt { (page.texts().judges.project) } }
                        th.num { (a.for_you) } th.num.desk { (a.open) } th.num { (a.differing) } th.num.desk { (a.done) } th.num.desk { (a.each) }
                    } }
                    tbody #list-rows { @for queue in &view.queues { (row(page, queue, projects)) } }
                }
            }
        }
    }
}

fn row(page: &Page, queue: &QueueView, projects: bool) -> Markup {
    let count = |n: u64| html! { @if n > 0 { (format::count(n)) } @else { span.dim { "0" } } };
    html! {
        tr tabindex="-1" aria-selected="false" {
            td.cut {
                a.cut href=(place(page, queue)) tabindex="-1" { span.strong { (format::cut(&queue.name, 60)) } }
                span.phone.meta { (format::cut(&queue.instructions, 120)) }
            }
            td.desk.wrap.soft { (format::cut(&queue.instructions, 200)) }
            @if projects { td.opt.soft { (queue.project) } }
            td.num.strong { (count(queue.waiting)) }
            td.num.desk { (count(queue.open)) }
            td.num { @if queue.differing > 0 { span.badge.b-warn { (format::count(queue.differing)) } } @else { span.dim { "0" } } }
            td.num.desk { (count(queue.done)) }
            td.num.desk { (queue.wanted) }
        }
    }
}
