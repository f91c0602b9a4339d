//! The messages of a chat, set as a conversation: a tool's result stands with its call.

use super::format;
use super::prose::prose;
use super::shell::Page;
use super::span::coloured_short;
use super::view::{CitationView, Kind, MessageView, PartView, SpanPane};
use maud::{Markup, html};
use serde_json::Value;

/// The messages of a span.
pub(super) fn messages(page: &Page, span: &SpanPane) -> Markup {
    html! {
        @if span.left_out > 0 { p.dim { (page.texts().records.left_out.of(span.left_out)) } }
        (talk(page, &span.messages))
    }
}

/// Messages as a conversation.
pub(super) fn talk(page: &Page, messages: &[MessageView]) -> Markup {
    let parts = || messages.iter().flat_map(|message| &message.parts);
    let results: Vec<(&str, &str, bool)> = parts()
        .filter_map(|part| match part {
            PartView::ToolResult { call_id, text, is_error } => {
                Some((call_id.as_str(), text.as_str(), *is_error))
            }
            _ => None,
        })
        .collect();
    let calls: Vec<&str> = parts()
        .filter_map(|part| if let PartView::ToolCall { id, .. } = part { Some(id.as_str()) } else { None })
        .collect();
    html! { @for message in messages { (one(page, message, &results, &calls)) } }
}

fn one(page: &Page, message: &MessageView, results: &[(&str, &str, bool)], calls: &[&str]) -> Markup {
    let t = page.texts();
    let spoken: Vec<&PartView> = message
        .parts
        .iter()
        .filter(|part| match part {
            PartView::ToolResult { call_id, .. } => !calls.contains(&call_id.as_str()),
            PartView::ToolCall { .. } => false,
            PartView::Text(text) | PartView::Reasoning(text) | PartView::Refusal(text) => !text.is_empty(),
            PartView::Image(_) | PartView::Link { .. } | PartView::Other(_) => true,
        })
        .collect();
    let quiet = matches!(message.role.as_str(), "system" | "developer");
    let head = html! {
        b { (t.role(&message.role)) }
        @if let Some(finish) = &message.finish { span { (super::text::fill(t.finish, &[("reason", finish)])) } }
        @else if quiet { span { (first_words(message)) } }
        @if let Some(tokens) = message.tokens { span.end { (t.token_count.of(tokens)) } }
    };
    let content = html! { div.in.prose-in {
        @for part in &spoken { (said(page, part, &message.citations)) }
        @if !message.citations.is_empty() && !marked(message) { (cited(page, &message.citations)) }
    } };
    html! {
        @if !spoken.is_empty() || message.finish.is_some() {
            @if quiet { details.msg { summary { (head) } (content) } }
            @else { article.msg.msg-user[message.role == "user"] { header { (head) } @if !spoken.is_empty() { (content) } } }
        }
        @for part in &message.parts { @if let PartView::ToolCall { id, name, arguments } = part {
            (tool(page, name, arguments, results.iter().find(|(call_id, ..)| call_id == id)))
        } }
    }
}

/// Whether the text itself says which sentence rests on what.
fn marked(message: &MessageView) -> bool {
    message.parts.iter().any(|part| matches!(part, PartView::Text(text) if text.contains("[1]")))
}

/// Sources of an answer that has no marks for them.
fn cited(page: &Page, citations: &[CitationView]) -> Markup {
    let name = |cited: &CitationView| {
        if cited.title.is_empty() { cited.url.clone() } else { cited.title.clone() }
    };
    html! {
        ol.cited aria-label=(page.texts().sources) { @for cited in citations {
            li {
                @if let Some(to) = page.link(&cited.url) { a href=(to) rel="noreferrer" { (name(cited)) } } @else { (name(cited)) }
                @if let Some(quote) = &cited.quote { " " q.soft { (format::cut(quote, 240)) } }
            }
        } }
    }
}

fn said(page: &Page, part: &PartView, citations: &[CitationView]) -> Markup {
    let t = page.texts();
    match part {
        PartView::Text(text) => prose(text, &|n| chip(page, n, citations)),
        PartView::Reasoning(text) => {
            html! { details.aside { summary.dim { (t.reasoning) } div.soft { (prose(text, &|_| None)) } } }
        }
        PartView::Refusal(text) => html! { p { span.badge.b-warn { (t.refusal) } " " (text) } },
        PartView::ToolResult { text, is_error, .. } => {
            html! { @if *is_error { p { span.badge.b-err { (t.tool_failed) } } } pre.code { (data(text)) } }
        }
        PartView::Image(data) => html! { p { img.picture src=(data) alt=(t.records.picture); } },
        PartView::Link { kind, place } => {
            html! { p.row { span.badge { (kind) } @if let Some(to) = page.link(place) { a.cut href=(to) rel="noreferrer" { (place) } } @else { span.mono.cut { (place) } } } }
        }
        PartView::Other(what) => html! { p { span.badge { (what) } } },
        PartView::ToolCall { .. } => Markup::default(),
    }
}

/// The chip of the nth source.
fn chip(page: &Page, n: usize, citations: &[CitationView]) -> Option<Markup> {
    let cited = citations.get(n.checked_sub(1)?)?;
    let to = page.link(&cited.url)?;
    Some(html! {
        span.cite-w {
            a.cite href=(to) aria-label={ (n) ", " (cited.title) } { (n) }
            span.cite-p { b { (cited.title) } @if let Some(quote) = &cited.quote { q { (quote) } } }
        }
    })
}

fn tool(page: &Page, name: &str, arguments: &str, result: Option<&(&str, &str, bool)>) -> Markup {
    let t = page.texts();
    html! {
        details.tool open {
            summary {
                (Kind::Tool.sign()) span.name { (name) }
                @if result.is_some_and(|(_, _, failed)| *failed) { span.badge.b-err { (t.tool_failed) } }
            }
            dl.code.io {
                dt { (t.tool_in) } dd { (data(arguments)) }
                @if let Some((_, text, _)) = result { dt { (t.tool_out) } dd { (data(text)) } }
            }
        }
    }
}

/// JSON coloured, anything else as it is.
fn data(text: &str) -> Markup {
    let parsed = serde_json::from_str::<Value>(text).ok();
    parsed
        .filter(|value| value.is_object() || value.is_array())
        .map_or_else(|| html! { (text) }, |value| coloured_short(&value))
}

fn first_words(message: &MessageView) -> String {
    let text =
        message.parts.iter().find_map(|part| if let PartView::Text(text) = part { Some(text) } else { None });
    text.map(|text| format::cut(text.lines().next().unwrap_or_default(), 80)).unwrap_or_default()
}
