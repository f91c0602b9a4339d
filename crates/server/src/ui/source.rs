//! One document's text, the quoted place marked and in view.

use super::format;
use super::knowledge::{about, confirm};
use super::shell::{Page, Room, Section, csrf, document};
use super::text::fill;
use super::view::SourceView;
use maud::{Markup, html};

/// How much of a long document is shown at once, in bytes.
const PART: usize = 192 * 1024;

/// One document.
pub fn source_page(page: &Page, view: &SourceView) -> Markup {
    let t = page.texts();
    let cut = Cut::of(view);
    let part = |from: usize| {
        let quoted = match (view.start, view.end) {
            (Some(start), Some(end)) => format!("&start={start}&end={end}"),
            _ => String::new(),
        };
        page.to(&format!("sources/{}?from={from}{quoted}#text", format::url_encode(&view.id)))
    };
    let shown = fill(
        t.part_shown,
        &[("from", &number(cut.from)), ("to", &number(cut.to)), ("all", &number(view.text.len()))],
    );
    let title = if view.title.is_empty() { format::file_name(&view.path) } else { &view.title };
    let here = format::url_encode(&view.id);
    let main = html! {
        dl.sum {
            div { dt { (t.path) } dd.mono { (view.path) } }
            div { dt { (t.collection) } dd { (view.collection) } }
            @if !view.heading.is_empty() { div { dt { (t.heading) } dd { (view.heading) } } }
            @if let Some((start, end)) = cut.quote {
                div { dt { (t.quoted) } dd { a href="#quote" { (fill(t.bytes_range, &[("start", &number(start)), ("end", &number(end))])) } } }
            }
            div { dt { (t.bytes) } dd { (number(view.text.len())) } }
            (about(page, &view.about))
        }
        div.scroll #text tabindex="0" role="region" aria-label=(fill(t.text_of, &[("title", title)])) {
            @if cut.is_part(view) {
                p.part { span.dim { (shown) } @if cut.from > 0 { a href=(part(cut.from.saturating_sub(PART))) { (t.earlier) } } }
            }
            div.doc {
                (cut.before)
                @if let Some(quote) = cut.marked { mark #quote tabindex="-1" { (quote) } }
                (cut.after)
            }
            @if cut.to < view.text.len() { p.part { a href=(part(cut.to)) { (t.later) } } }
        }
    };
    document(
        page,
        &Room {
            title,
            section: Section::Knowledge,
            class: "flush",
            scripts: &["knowledge.js"],
            above: Some((
                page.to(&format!("knowledge/{}", format::url_encode(&view.collection))),
                &view.collection,
            )),
            heading: html! { (title) },
            actions: html! {
                @if cut.marked.is_some() { a.btn.btn-quiet href="#quote" { (t.to_quote) } }
                a.btn href=(page.to(&format!("sources/{here}/chunks"))) { (t.knowledge.see_chunks) }
                @if view.may_manage { (confirm(
                    t.knowledge.delete,
                    t.knowledge.cancel,
                    &fill(t.knowledge.delete_document_ask, &[("name", title)]),
                    t.knowledge.delete_document_hint,
                    &page.to(&format!("sources/{here}/delete")),
                    &csrf(page),
                )) }
            },
            main,
        },
    )
}

fn number(n: usize) -> String {
    format::count(n as u64)
}

/// The shown part of a document, in three pieces.
struct Cut<'a> {
    from: usize,
    to: usize,
    quote: Option<(usize, usize)>,
    before: &'a str,
    marked: Option<&'a str>,
    after: &'a str,
}

impl<'a> Cut<'a> {
    fn of(view: &'a SourceView) -> Self {
        let text = view.text.as_str();
        let snap = |at: usize| text.floor_char_boundary(at.min(text.len()));
        let quote = match (view.start, view.end) {
            (Some(start), Some(end)) if start < end && start < text.len() => Some((snap(start), snap(end))),
            _ => None,
        };
        let wanted =
            view.from.or_else(|| quote.map(|(start, _)| start.saturating_sub(PART / 2))).unwrap_or(0);
        let from = if text.len() <= PART { 0 } else { line_start(text, snap(wanted.min(text.len() - 1))) };
        let to = if text.len() <= PART { text.len() } else { snap(from.saturating_add(PART)) };
        // The part of the quote that is within the part shown.
        let (start, end) =
            quote.map_or((to, to), |(start, end)| (start.clamp(from, to), end.clamp(from, to)));
        let piece = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
        Self {
            from,
            to,
            quote,
            before: piece(from, start),
            marked: (start < end).then(|| piece(start, end)),
            after: piece(end, to),
        }
    }

    fn is_part(&self, view: &SourceView) -> bool {
        self.to - self.from < view.text.len()
    }
}

/// The start of the line that `at` is in, if it is near; so that a part does not begin within a word.
fn line_start(text: &str, at: usize) -> usize {
    let before = text.get(..at).unwrap_or_default();
    before.rfind('\n').map(|newline| newline + 1).filter(|start| at - start < 4096).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(text: &str, start: usize, end: usize) -> SourceView {
        SourceView { text: text.to_owned(), start: Some(start), end: Some(end), ..SourceView::default() }
    }

    #[test]
    fn a_quote_is_marked_byte_for_byte_whatever_the_numbers() {
        let check = |text: &str, start, end, want: Option<&str>| {
            let view = view(text, start, end);
            let cut = Cut::of(&view);
            assert_eq!(cut.marked, want);
            assert_eq!([cut.before, cut.marked.unwrap_or_default(), cut.after].concat(), text);
        };
        check("환불은 90일", 0, 9, Some("환불은"));
        check("환불은 90일", 1, 10, Some("환불은 "));
        check("abc", 1, 99, Some("bc"));
        check("abc", 2, 1, None);
        check("abc", 9, 12, None);
        check("", 0, 1, None);
    }

    #[test]
    fn a_long_document_is_shown_around_the_quote() {
        let text = "한 줄입니다.\n".repeat(40_000);
        let at = 400_002;
        let view = view(&text, at, at + 30);
        let cut = Cut::of(&view);
        assert!(cut.is_part(&view) && cut.marked.is_some());
        assert!(cut.from < at && cut.to > at && cut.to - cut.from <= PART);
        let last = SourceView { from: Some(text.len() * 2), ..view.clone() };
        assert!(Cut::of(&last).to == text.len());
    }
}
