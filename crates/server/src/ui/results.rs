//! Samples and what became of them, row by row; each opens in its place.

use super::effects;
use super::format;
use super::icon::Icon;
use super::shell::Page;
use super::text::fill;
use super::view_evals::{AnswerView, ExperimentView, ResultView, ResultsFilter, SampleView};
use maud::{Markup, html};

/// Characters of a text that are shown at most.
const SHOWN: usize = 6000;

/// The results of an experiment, with the ways to narrow them.
pub(super) fn results(page: &Page, view: &ExperimentView) -> Markup {
    let e = &page.texts().evals;
    html! {
        section.panel #results {
            header.head-wrap {
                h2 { (e.results) }
                (filters(page, view))
            }
            @if view.results.is_empty() {
                div.nothing {
                    p.strong { (e.no_result) }
                    @if view.filter != ResultsFilter::default() { p { a href="?" { (e.clear) } } }
                }
            } @else {
                div.scroll tabindex="0" role="region" aria-label=(e.results) {
                    table.table.hit role="grid" {
                        caption.vh { (e.results_caption) }
                        thead { tr {
                            th { (e.sample) } th { (e.question) } th.num.desk { (page.texts().seconds) } th.num.desk { (page.texts().cost) }
                            @for score in shown_scores(view) { th.num { (score) } }
                        } }
                        tbody #eval-rows { @for result in &view.results { (row(page, view, result)) } }
                    }
                }
            }
            @if let Some(next) = &view.next { p.older { a.btn.btn-quiet href={ (page.with("after", next)) "#results" } { (Icon::Down.draw()) (e.further) } } }
        }
    }
}

/// As many scores as there is room for in columns.
fn shown_scores(view: &ExperimentView) -> Vec<&str> {
    let asked = Some(view.filter.score.as_str()).filter(|score| !score.is_empty());
    let names = view.report.scores.iter().map(|score| score.name.as_str());
    let mut shown: Vec<&str> = asked.into_iter().collect();
    for name in names {
        if shown.len() < 2 && !shown.contains(&name) {
            shown.push(name);
        }
    }
    shown
}

fn filters(page: &Page, view: &ExperimentView) -> Markup {
    let e = &page.texts().evals;
    let filter = &view.filter;
    let kinds = [("", e.all), ("failed", e.failed), ("low", e.low), ("uncovered", e.uncovered)];
    html! {
        form.narrow method="get" action="#results" aria-label=(e.show) {
            select.select name="only" aria-label=(e.show) {
                @for (name, word) in kinds { option value=(name) selected[filter.only == name] { (word) } }
            }
            select.select name="score" aria-label=(e.score) {
                @for score in &view.report.scores { option value=(score.name) selected[filter.score == score.name] { (score.name) } }
            }
            input #filter-q.input type="search" name="q" value=(filter.text) aria-label=(e.find) placeholder=(e.find_example) autocomplete="off";
            button.btn type="submit" { (page.texts().apply) }
        }
    }
}

fn row(page: &Page, view: &ExperimentView, result: &ResultView) -> Markup {
    let scores = shown_scores(view);
    let answer = &result.answer;
    let columns = 4 + scores.len();
    html! {
        tr.sample tabindex="-1" aria-selected="false" aria-controls={ "d-" (result.key) } {
            (sample_cells(page, &result.key, &result.sample, result.repeat))
            td.num.desk { @if let Some(ms) = answer.latency_ms { (format::seconds(ms)) } @else { span.dim { "–" } } }
            td.num.desk { @if let Some(cost) = answer.cost_usd { (format::dollars(cost)) } @else { span.dim { "–" } } }
            @for name in &scores { td.num { (score_of(page, answer, name)) } }
        }
        tr.detail #{ "d-" (result.key) } hidden { td.bare colspan=(columns) { (detail(page, result)) } }
    }
}

/// The first two cells of a sample: its name, which opens it, and what was asked.
pub(super) fn sample_cells(page: &Page, key: &str, sample: &SampleView, repeat: u32) -> Markup {
    let e = &page.texts().evals;
    html! {
        td.nowrap { button.fold.mono type="button" aria-expanded="false" aria-controls={ "d-" (key) } tabindex="-1" { (format::cut(&sample.id, 24)) } }
        td.cut { (format::cut(&sample.title, 300)) @if repeat > 0 { " " span.dim { (fill(e.time_n, &[("n", &repeat.to_string())])) } } }
    }
}

/// One score of an answer, or that there is none.
pub(super) fn score_of(page: &Page, answer: &AnswerView, name: &str) -> Markup {
    let e = &page.texts().evals;
    match answer.scores.iter().find(|(known, _)| known == name) {
        Some((_, score)) => effects::score_badge(e, score),
        None if answer.error.is_some() => html! { span.badge.b-warn { (e.failed) } },
        None => html! { span.dim { "–" } },
    }
}

fn detail(page: &Page, result: &ResultView) -> Markup {
    let e = &page.texts().evals;
    let answer = &result.answer;
    html! {
        div.diff {
            div {
                h3 { (e.input) }
                (given(page, &result.sample))
            }
            div {
                h3 {
                    (e.output) @if result.cached { " " span.badge { (e.was_known) } }
                    span.dim.end { (taken(answer)) }
                }
                (said(page, answer))
            }
        }
        (whys(page, answer))
        p.why {
            @if let Some(trace) = &answer.trace { a href=(page.to(&format!("traces/{trace}"))) { (Icon::Traces.draw()) (e.open_trace) } }
            @if let Some(trace) = &result.scoring_trace { a href=(page.to(&format!("traces/{trace}"))) { (e.scoring_trace) } }
            (origin(page, &result.sample))
        }
    }
}

/// What was asked, and what would be right.
pub(super) fn given(page: &Page, sample: &SampleView) -> Markup {
    let e = &page.texts().evals;
    html! {
        @if let [(_, only)] = sample.input.as_slice() { p.pre { (format::cut(only, SHOWN)) } } @else {
            dl.kv { @for (name, value) in &sample.input { dt { (name) } dd.pre { (format::cut(value, SHOWN)) } } }
        }
        @if let Some(expected) = &sample.expected { h3 { (e.expected) } p.pre { (format::cut(expected, SHOWN)) } }
    }
}

/// The way to the trace that a sample was made of.
pub(super) fn origin(page: &Page, sample: &SampleView) -> Markup {
    let Some(trace) = &sample.origin else { return Markup::default() };
    html! { a href=(page.to(&format!("traces/{trace}"))) { (page.texts().evals.made_of) } }
}

/// How long an answer took, and what it cost.
pub(super) fn taken(answer: &AnswerView) -> String {
    let time = answer.latency_ms.map(format::duration);
    let cost = answer.cost_usd.map(format::dollars);
    time.into_iter().chain(cost).collect::<Vec<_>>().join(", ")
}

/// An answer without anything beside it.
pub(super) fn said(page: &Page, answer: &AnswerView) -> Markup {
    let e = &page.texts().evals;
    html! {
        @if let Some(error) = &answer.error { p { span.badge.b-err { (e.why_none) } " " span.soft { (format::cut(error, SHOWN)) } } }
        @else if let Some(text) = &answer.text { p.pre { (format::cut(text, SHOWN)) } }
        @else { p.dim { (e.nothing_said) } }
        (tools(page, answer))
    }
}

/// The tools that were called.
pub(super) fn tools(page: &Page, answer: &AnswerView) -> Markup {
    html! {
        @if !answer.tools.is_empty() {
            h3 { (page.texts().evals.tools) }
            @for (name, arguments) in &answer.tools { p.mono.pre { b { (name) } " " (format::cut(arguments, SHOWN)) } }
        }
    }
}

/// What the scorers said, each with its reason.
pub(super) fn whys(page: &Page, answer: &AnswerView) -> Markup {
    let e = &page.texts().evals;
    html! {
        @for (name, score) in &answer.scores {
            div.why { (effects::score_badge(e, score)) span.grow { b { (name) } " " span.soft { (format::cut(&effects::why(page.lang, score), 1000)) } } }
        }
    }
}
