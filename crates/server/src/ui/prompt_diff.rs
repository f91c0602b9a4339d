//! What differs between two versions of a prompt: their configuration, and their texts line by line.

use super::format;
use super::prompt::shown;
use super::prompts::place;
use super::shell::Page;
use super::text::fill;
use super::view_prompts::PromptPage;
use hanok_prompt::Diff;
use hanok_prompt::diff::{Change, Line, LineKind, TextDiff};
use maud::{Markup, html};
use serde_json::Value;

/// Unchanged lines that are shown around a change.
const AROUND: usize = 3;

/// The difference that was asked for.
pub(super) fn difference(page: &Page, view: &PromptPage, diff: &Diff) -> Markup {
    let p = &page.texts().prompts;
    html! {
        section.panel #diff aria-labelledby="diff-title" {
            header {
                h2 #diff-title { (fill(p.diff_title, &[("from", &diff.from), ("to", &diff.to)])) }
                a.btn.btn-quiet.btn-sm.end href=(place(page, &view.name)) { (p.close) }
            }
            @if diff.is_empty() { p.in.dim { (p.same) } } @else {
                @if !diff.config.is_empty() { (configuration(page, &diff.config)) }
                @for text in &diff.texts { (text_diff(page, text)) }
            }
        }
    }
}

fn configuration(page: &Page, changes: &[Change]) -> Markup {
    let p = &page.texts().prompts;
    let value = |value: &Option<Value>| html! { @match value { Some(value) => { span.mono { (format::cut(&shown(value), 400)) } } None => { span.dim { (p.nothing) } } } };
    html! {
        div.scroll tabindex="0" role="region" aria-label=(p.configuration) {
            table.table.reasons {
                thead { tr { th { (p.configuration) } th { (p.before) } th { (p.after) } } }
                tbody { @for change in changes { tr { td.mono { (change.member) } td.gone { (value(&change.before)) } td.come { (value(&change.after)) } } } }
            }
        }
    }
}

/// Lines as they are drawn: near a change, or so many that are not shown.
#[derive(Debug, PartialEq)]
enum Drawn<'a> {
    Line(&'a Line),
    Skipped(usize),
}

fn drawn(lines: &[Line]) -> Vec<Drawn<'_>> {
    let changed: Vec<usize> =
        lines.iter().enumerate().filter(|(_, line)| line.kind != LineKind::Same).map(|(at, _)| at).collect();
    let mut all = Vec::new();
    let mut skipped = 0;
    let mut next = changed.iter().peekable();
    let mut last: Option<usize> = None;
    for (at, line) in lines.iter().enumerate() {
        while let Some(passed) = next.next_if(|change| **change <= at) {
            last = Some(*passed);
        }
        let after = last.is_some_and(|change| at - change <= AROUND);
        let before = next.peek().is_some_and(|change| **change - at <= AROUND);
        if !after && !before {
            skipped += 1;
            continue;
        }
        if skipped > 0 {
            all.push(Drawn::Skipped(std::mem::take(&mut skipped)));
        }
        all.push(Drawn::Line(line));
    }
    if skipped > 0 {
        all.push(Drawn::Skipped(skipped));
    }
    all
}

fn text_diff(page: &Page, text: &TextDiff) -> Markup {
    let p = &page.texts().prompts;
    let number = |n: Option<usize>| n.map(|n| n.to_string()).unwrap_or_default();
    html! {
        div.lines tabindex="0" role="region" aria-label=(fill(p.diff_of, &[("file", &text.file)])) {
            p.lines-file { (text.file) }
            ol { @for one in drawn(&text.lines) { @match one {
                Drawn::Skipped(n) => { li.skipped { (p.unchanged.of(n as u64)) } }
                Drawn::Line(line) => {
                    @let (class, sign) = match line.kind { LineKind::Same => ("same", " "), LineKind::Removed => ("gone", "−"), LineKind::Added => ("come", "+") };
                    li class=(class) { span.n { (number(line.before)) } span.n { (number(line.after)) } span.sign { (sign) } span.t { (line.text) } }
                }
            } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_lines_near_a_change_are_drawn() {
        let check = |signs: &str, expect: &str| {
            let kind = |sign| match sign {
                '-' => LineKind::Removed,
                '+' => LineKind::Added,
                _ => LineKind::Same,
            };
            let lines: Vec<Line> = signs
                .chars()
                .map(|sign| Line { kind: kind(sign), before: None, after: None, text: sign.to_string() })
                .collect();
            let found: String = drawn(&lines)
                .iter()
                .map(|one| match one {
                    Drawn::Line(line) => line.text.clone(),
                    Drawn::Skipped(n) => format!("({n})"),
                })
                .collect();
            assert_eq!(found, expect);
        };
        check("", "");
        check("=====", "(5)");
        check("=====-+=====", "(2)===-+===(2)");
        check("+=======-", "+===(1)===-");
        check("+======-", "+======-");
        check("====-", "(1)===-");
    }
}
