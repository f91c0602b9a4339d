//! What people, clients and judges said, as badges.

use super::format;
use super::shell::Page;
use super::view::ScoreView;
use maud::{Markup, html};

/// Scores in a row; what was written stands beside each in full where there is room, else in its title.
pub(super) fn scores(page: &Page, scores: &[ScoreView]) -> Markup {
    html! { @for score in scores { (one(page, score)) " " } }
}

fn one(page: &Page, score: &ScoreView) -> Markup {
    let t = &page.texts().records;
    html! {
        span.badge.{ (tone(score)) } { (score.name) @if let Some(value) = shown(score) { " " b { (value) } } }
        @if let Some(text) = &score.text { span.soft.score-text { (format::cut(text, 280)) } }
        @if !score.by.is_empty() { span.dim { (t.by) " " (score.by) } }
    }
}

/// The label, or the number; a sign makes a thumb.
fn shown(score: &ScoreView) -> Option<String> {
    score.label.clone().or_else(|| score.value.map(format::measure))
}

/// Only what is plainly bad is coloured so: nobody can know which end of another scale is the good one.
fn tone(score: &ScoreView) -> &'static str {
    match (score.value, score.label.as_deref()) {
        (Some(value), _) if value < 0.0 => "b-err",
        (_, Some("bad" | "wrong" | "incorrect" | "fail" | "no")) => "b-err",
        (Some(1.0), _) | (_, Some("good" | "right" | "correct" | "pass" | "yes")) => "b-ok",
        _ => "",
    }
}
