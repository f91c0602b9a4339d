//! What a version of a prompt was scored, as pages show it: a cell for a list, and a table for the prompt's page.

use super::effects;
use super::format;
use super::shell::{Page, filter_part};
use super::text::fill;
use crate::prompt_scores::{Scored, VersionScores};
use maud::{Markup, html};

/// Scores that a cell has room for.
const IN_CELL: usize = 2;

/// The scores of a version in a list: those of the newest experiment, or else live ones.
pub(super) fn cell(page: &Page, of: &VersionScores) -> Markup {
    let first = of.experiments.first().map(|tried| &tried.scores).filter(|scores| !scores.is_empty());
    let shown = first.unwrap_or(&of.live);
    html! {
        td.desk { @if shown.is_empty() { span.dim { "–" } } @else {
            @for score in shown.iter().take(IN_CELL) { div.nowrap { span.soft { (format::cut(&score.name, 24)) } " " (value(page, score)) } }
            @if shown.len() > IN_CELL { span.dim { "+" (shown.len() - IN_CELL) } }
        } }
    }
}

/// `92.0 % (85.1 % to 96.2 %, n 73)`.
fn value(page: &Page, score: &Scored) -> Markup {
    let e = &page.texts().evals;
    html! {
        @match (&score.estimate, score.mean) {
            (Some(of), _) => { span.num { (effects::mean(of.value, score.is_share)) } " " span.dim { "(" (effects::interval(e, of, score.is_share)) ", n " (format::count(score.n as u64)) ")" } }
            (None, Some(mean)) => { span.num { (effects::mean(mean, score.is_share)) } " " span.dim { "(n " (format::count(score.n as u64)) ")" } }
            (None, None) => { span.dim { "n " (format::count(score.count as u64)) } }
        }
    }
}

/// All scores of a version.
pub(super) fn panel(page: &Page, prompt: &str, version: &str, of: &VersionScores) -> Markup {
    let (p, e) = (&page.texts().prompts, &page.texts().evals);
    let wanted = filter_part("prompt", &format!("{prompt}@{version}"));
    let traces = page.to(&format!("traces?filter={}", format::url_encode(&wanted)));
    html! {
        section.panel {
            header { h2 #scores { (p.scores) } span.badge.mono { (version) } }
            @if of.live.is_empty() && of.experiments.is_empty() { p.in.dim { (p.no_scores) } } @else {
                div.scroll tabindex="0" role="region" aria-labelledby="scores" {
                    table.table.reasons {
                        caption.vh { (fill(p.scores_caption, &[("version", version)])) }
                        thead { tr { th { (e.score) } th { (p.scored_by) } th.num { (e.mean) } th.num.desk { (fill(e.interval_of, &[("percent", "95")])) } th.num { (e.n) } } }
                        tbody {
                            @for tried in &of.experiments { @for score in &tried.scores {
                                (row(page, score, &html! { a href=(page.to(&format!("experiments/{}", tried.id))) { (tried.name) " #" (tried.id) } }))
                            } }
                            @for score in &of.live { (row(page, score, &html! { a href=(traces) { (p.live) } })) }
                        }
                    }
                }
            }
        }
    }
}

fn row(page: &Page, score: &Scored, by: &Markup) -> Markup {
    let e = &page.texts().evals;
    let is_share = score.is_share;
    html! { tr {
        td { (score.name) } td { (by) }
        td.num {
            @match score.mean { Some(mean) => { (effects::mean(mean, is_share)) } None => { span.dim { "–" } } }
            @if let Some(of) = &score.estimate { span.phone.meta { (effects::interval(e, of, is_share)) } }
        }
        td.num.desk.soft { @match &score.estimate { Some(of) => { (effects::interval(e, of, is_share)) } None => { "–" } } }
        td.num { (format::count(score.n as u64)) }
    } }
}
