//! Labelling: one answer after the other, by single keys or by touch, without anybody else's word.

use super::annotation::place;
use super::format;
use super::icon::Icon;
use super::shell::{Page, Room, Section, csrf, document};
use super::text::fill;
use super::text_annotation::AnnotationTexts;
use super::view_annotation::{ItemView, LabelView, QueueView, Show};
use hanok_eval::judge::Form;
use maud::{Markup, html};

/// Characters of a text that are shown at most.
const SHOWN: usize = 20_000;
/// Letters that mean something else on this page, or everywhere.
const TAKEN: &str = "gjknsuohl";

/// A queue as one labels it.
pub fn label_page(page: &Page, view: &LabelView) -> Markup {
    let a = &page.texts().annotation;
    let queue = &view.queue;
    document(
        page,
        &Room {
            title: &queue.name,
            section: Section::Evals,
            class: "labelling",
            scripts: &["annotation.js"],
            above: Some((page.to("annotation"), a.annotation)),
            heading: html! { (format::cut(&queue.name, 60)) },
            actions: html! { @if view.who.is_some() { (shows(page, view)) } },
            main: html! {
                div.stack.narrow-read {
                    @if !queue.instructions.is_empty() { p.asked-for { (format::cut(&queue.instructions, 2000)) } }
                    (who(page, view))
                    p.vh role="status" #label-said {}
                    @if view.who.is_some() {
                        @if view.show == Show::Done { (done(page, view)) } @else { (label_part(page, view)) }
                    }
                }
            },
        },
    )
}

/// This page's address with another part of the queue.
fn to_show(page: &Page, queue: &QueueView, show: Show) -> String {
    let place = place(page, queue);
    let joint = if place.contains('?') { '&' } else { '?' };
    if show == Show::Label { place } else { format!("{place}{joint}show={}", show.as_str()) }
}

fn shows(page: &Page, view: &LabelView) -> Markup {
    let a = &page.texts().annotation;
    let queue = &view.queue;
    let parts = [
        (Show::Label, a.to_label, queue.waiting),
        (Show::Settle, a.to_settle, queue.differing),
        (Show::Done, a.done, queue.done),
    ];
    html! {
        nav.seg aria-label=(a.queue) { @for (show, name, n) in parts {
            a href=(to_show(page, queue, show)) aria-current=[(show == view.show).then_some("true")] { (name) " " span.dim { (format::count(n)) } }
        } }
    }
}

/// Under which name one labels: the key's, or one that is said here.
fn who(page: &Page, view: &LabelView) -> Markup {
    let a = &page.texts().annotation;
    let form = |value: &str| {
        html! {
            form.who-form method="get" action=(place(page, &view.queue)) {
                @if !view.queue.project.is_empty() { input type="hidden" name="project" value=(view.queue.project); }
                div.field {
                    label for="who" { (a.who) }
                    div.row { input.input #who name="who" value=(value) maxlength="60" required autocomplete="nickname"; button.btn.btn-main type="submit" { (a.who_begin) } }
                    p.hint { (a.who_hint) }
                }
            }
        }
    };
    html! {
        @match (&view.who, view.is_keys) {
            (None, _) => section.panel { div.in { (form("")) } },
            (Some(who), true) => p.dim { (fill(a.who_you, &[("name", who)])) },
            (Some(who), false) => details.who { summary.dim { (fill(a.who_you, &[("name", who)])) " · " span.link { (a.who_change) } } (form(who)) },
        }
    }
}

/// The item, with all that is needed to label it: what `?fragment=1` answers.
pub fn label_part(page: &Page, view: &LabelView) -> Markup {
    let t = page.texts();
    let a = &t.annotation;
    let settles = view.show == Show::Settle;
    let ids: Vec<String> = view.items.iter().map(i64::to_string).collect();
    let at = view.item.as_ref().and_then(|item| view.items.iter().position(|id| *id == item.id));
    let (previous, next) = match at {
        Some(at) => (at.checked_sub(1).and_then(|at| view.items.get(at)), view.items.get(at + 1)),
        None => (None, None),
    };
    let to = |id: i64| {
        let place = to_show(page, &view.queue, view.show);
        format!("{place}{}item={id}", if place.contains('?') { '&' } else { '?' })
    };
    // What leads nowhere is hidden: the script may come to know better.
    let step = |id: Option<&i64>, what: &str, sign: Option<Icon>, name: &str, key: &str| {
        let class = if sign.is_some() { "btn-quiet" } else { "" };
        html! {
            a.btn.(class) data-step=(what) href=(to(id.copied().unwrap_or_default())) hidden[id.is_none()] title=(name) {
                @if let Some(sign) = sign { (sign.draw()) } span { (name) } kbd.desk { (key) }
            }
        }
    };
    html! {
        section #item tabindex="-1" aria-label=(a.sample) data-items=(ids.join(" ")) data-item=[view.item.as_ref().map(|item| item.id)]
            data-show=(view.show.as_str()) data-who=(view.who.as_deref().unwrap_or_default()) data-keys=(view.is_keys) {
            @match &view.item {
                None => (nothing(page, view)),
                Some(item) => {
                    (contents(a, &view.queue, item))
                    @if settles { (people(a, item)) }
                    form.labels method="post" action=(place(page, &view.queue)) {
                        (csrf(page))
                        input type="hidden" name="item" value=(item.id);
                        input type="hidden" name="show" value=(view.show.as_str());
                        @if settles { p.soft { (a.settle_hint) } } @else if let Some(own) = item.labels.first() { p.soft { (fill(a.yours, &[("label", &own.label)])) } }
                        div.verdicts role="group" aria-label=(a.verdict) { @for (level, label) in view.queue.labels.iter().enumerate() { (verdict(&view.queue, item, settles, level, label)) } }
                        @let own = item.labels.iter().find(|label| !settles && Some(&label.who) == view.who.as_ref());
                        div.field { label for="note" { (a.note) " " kbd.desk { "N" } } textarea.input #note name="comment" rows="2" maxlength="4000" placeholder=(a.note_hint) { (own.map(|own| own.comment.as_str()).unwrap_or_default()) } }
                        div.row.row-wrap.steps-row {
                            span.dim.num data-place { @if let Some(at) = at { (fill(t.js.annotation.place, &[("n", &format::count(at as u64 + 1)), ("all", &format::count(view.items.len() as u64))])) } }
                            span.grow {}
                            (undo(a))
                            (step(previous, "previous", Some(Icon::Up), a.previous, "K"))
                            (step(next, "next", Some(Icon::Down), a.next, "J"))
                            (step(next, "skip", None, a.skip, "S"))
                        }
                    }
                }
            }
            p.dim.blind { @if settles { "" } @else if view.queue.wanted > 1 { (fill(a.blind, &[("n", &view.queue.wanted.to_string())])) } @else { (a.blind_alone) } }
        }
    }
}

/// Takes back the verdict that it names.
fn undo(a: &AnnotationTexts) -> Markup {
    html! { button.btn.btn-quiet type="button" data-undo hidden { (a.undo) b data-undo-label {} kbd.desk { "U" } } }
}

fn nothing(page: &Page, view: &LabelView) -> Markup {
    let a = &page.texts().annotation;
    let queue = &view.queue;
    html! {
        section.panel.none {
            @if view.show == Show::Settle { p.finding { (a.nothing_differs) } }
            @else {
                p.finding { (a.all_done) }
                @if queue.open > 0 { p.soft { (a.all_done_hint) } }
                @if queue.differing > 0 { p { a.btn href=(to_show(page, queue, Show::Settle)) { (a.to_settle) " " (format::count(queue.differing)) } } }
            }
            p { (undo(a)) a href=(page.to("annotation")) { (a.queues) } }
        }
    }
}

fn contents(a: &AnnotationTexts, queue: &QueueView, item: &ItemView) -> Markup {
    let pairwise = queue.form == Form::Pairwise;
    let answer = if pairwise || item.other.is_some() { a.answer_a } else { a.answer };
    let text = |text: &str| html! { p.pre { (format::cut(text, SHOWN)) } };
    html! {
        section.panel.item {
            @if let Some(question) = &item.question { div.text-part { h2 { (a.question) } (text(question)) } }
            div.text-part.judged { h2 { (answer) } @if let Some(answer) = &item.answer { (text(answer)) } @else { p.dim { (a.no_text) } } }
            @if let Some(other) = item.other.as_ref().filter(|_| pairwise) { div.text-part { h2 { (a.answer_b) } (text(other)) } }
            @if let Some(reference) = &item.reference { div.text-part { h2 { (a.reference) } (text(reference)) } }
        }
    }
}

/// What people said of an item on which they differ.
fn people(a: &AnnotationTexts, item: &ItemView) -> Markup {
    html! {
        section.panel {
            header { h2 { (a.differ) } }
            ul.sayings { @for said in &item.labels { li { (saying(a, said)) } } }
        }
    }
}

fn saying(a: &AnnotationTexts, said: &super::view_annotation::LabelRow) -> Markup {
    let words = if said.settles { a.settled } else { a.said };
    html! {
        strong { (fill(words, &[("name", &format::cut(&said.who, 60)), ("label", &said.label)])) }
        @if !said.comment.is_empty() { " " span.soft.pre { (format::cut(&said.comment, 2000)) } }
    }
}

fn verdict(queue: &QueueView, item: &ItemView, settles: bool, level: usize, label: &str) -> Markup {
    let letter = letter(&queue.labels, level);
    let digit = (level < 9).then(|| (level + 1).to_string());
    let is_own = !settles && item.labels.iter().any(|said| said.level == level);
    let best = queue.labels.len().saturating_sub(1);
    let class = match (queue.form, level) {
        (Form::Ordinal, _) => "",
        (_, 0) => "v-bad",
        (_, level) if level == best => "v-good",
        _ => "",
    };
    html! {
        button.btn.verdict-btn.(class) type="submit" name="level" value=(level) data-label=(label) data-digit=[digit.as_deref()] data-letter=[letter.map(String::from)] aria-pressed=[is_own.then_some("true")] {
            span.cut { (format::cut(label, 60)) }
            @if let Some(digit) = &digit { kbd.desk { (digit) } }
            @if let Some(letter) = letter { kbd.desk { (letter.to_ascii_uppercase()) } }
        }
    }
}

/// The first letter of a label, where no other label begins with it and it means nothing else here.
fn letter(labels: &[String], level: usize) -> Option<char> {
    let first = |label: &String| label.chars().next().map(|letter| letter.to_ascii_lowercase());
    let own = first(labels.get(level)?)?;
    let alone = labels.iter().filter(|label| first(label) == Some(own)).count() == 1;
    (alone && own.is_ascii_lowercase() && !TAKEN.contains(own)).then_some(own)
}

/// What is done: what came out, and who said what.
fn done(page: &Page, view: &LabelView) -> Markup {
    let t = page.texts();
    let a = &t.annotation;
    html! {
        @if view.done.is_empty() { section.panel.none { p.finding { (a.nothing_done) } } } @else {
            section.panel {
                div.scroll tabindex="0" role="region" aria-label=(a.done) {
                    table.table.reasons {
                        caption.vh { (a.done_caption) }
                        thead { tr { th { (a.answer) } th { (a.outcome) } th { (a.labels) } } }
                        tbody { @for item in &view.done { tr {
                            td {
                                @if let Some(question) = &item.question { p.dim { (format::cut(question, 200)) } }
                                p.pre { (format::cut(item.answer.as_deref().unwrap_or(a.no_text), 600)) }
                                @if let Some(trace) = &item.trace { p { a href=(page.to(&format!("traces/{trace}"))) { (a.trace) } } }
                            }
                            td { span.badge { (item.outcome.as_deref().unwrap_or("–")) } }
                            td { ul.sayings { @for said in &item.labels { li { (saying(a, said)) } } } }
                        } } }
                    }
                }
                @if let Some(next) = view.next { p.older { a.btn.btn-quiet href=(page.with("after", &next.to_string())) { (Icon::Down.draw()) (a.further) } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_has_its_letter_where_nothing_else_has_it() {
        let check = |labels: &[&str], expect: &[Option<char>]| {
            let labels: Vec<String> = labels.iter().map(|label| (*label).to_owned()).collect();
            let found: Vec<Option<char>> = (0..labels.len()).map(|level| letter(&labels, level)).collect();
            assert_eq!(found, expect, "{labels:?}");
        };
        check(&["fail", "pass"], &[Some('f'), Some('p')]);
        check(&["loss", "tie", "win"], &[None, Some('t'), Some('w')]);
        check(&["poor", "Plain", "kind"], &[None, None, None]);
        check(&["1", "2"], &[None, None]);
        check(&["나쁨", "좋음"], &[None, None]);
    }
}
