//! One trace: its figures, its spans as tree and waterfall, the selected span beside them.

use super::format;
use super::icon::Icon;
use super::scores::scores;
use super::shell::{Page, Room, Section, copy_button, document, filtered};
use super::span::span_pane;
use super::text::fill;
use super::view::{Guide, Kind, SessionPlace, Share, SpanRow, Tab, TraceRow, TraceView};
use maud::{Markup, html};

/// The name of the score that the page's thumbs give.
const RATING: &str = "rating";

/// One trace.
pub fn trace_page(page: &Page, view: &TraceView) -> Markup {
    let t = page.texts();
    let row = &view.summary;
    let heading = html! { (row.name) ", " (format::clock(row.started_at, true)) };
    let neighbour = |id: &Option<String>, label: &str, key: &str, icon: Icon| {
        html! { @if let Some(id) = id {
            a.btn.btn-quiet.btn-ic href=(page.to(&format!("traces/{id}"))) aria-label=(label) title=(label) data-neighbour=(key) { (icon.draw()) }
        } }
    };
    let part = view.tree.rows.len() < view.tree.total;
    document(
        page,
        &Room {
            title: &row.name,
            section: Section::Traces,
            class: "flush",
            scripts: &["trace.js"],
            above: Some((page.to("traces"), t.traces)),
            heading,
            actions: html! {
                span.dim.mono.opt.nowrap { (row.trace_id.get(..16).unwrap_or(&row.trace_id)) }
                (copy_button(t.copy_id, &row.trace_id, "desk"))
                (feedback(page, view))
                div.row {
                    (neighbour(&view.newer, t.previous_trace, "[", Icon::Up))
                    (neighbour(&view.older, t.next_trace, "]", Icon::Down))
                }
            },
            main: html! {
                (summary(page, view))
                div.split {
                    section.tree.tree-part[part] #tree-scroll aria-label=(t.spans) tabindex="0" {
                        // Below thousands of spans nobody would find it.
                        @if part { (where_went(page, view)) }
                        (tree(page, view))
                        @if !part { (where_went(page, view)) }
                    }
                    section.pane #pane aria-label=(t.selected) tabindex="0" {
                        @if let Some(pane) = &view.selected { (span_pane(page, pane)) }
                        @else { p.pane-in.dim { (t.select_hint) } }
                    }
                }
            },
        },
    )
}

/// A person's thumb, kept as a score by script.
fn feedback(page: &Page, view: &TraceView) -> Markup {
    let r = &page.texts().records;
    let given = view.scores.iter().find(|score| score.name == RATING).and_then(|score| score.value);
    let button = |value: i8, label: &str, text: &str| {
        html! { button type="button" data-rate=(value) title=(label) aria-pressed=(given == Some(f64::from(value))) { (text) span.vh { ", " (label) } } }
    };
    html! {
        div.seg.desk #feedback role="group" aria-label=(r.feedback) hidden data-api=(page.to("api/scores")) data-name=(RATING) data-trace=(view.summary.trace_id) {
            (button(1, r.good, "+1")) (button(-1, r.bad, "−1"))
        }
    }
}

fn summary(page: &Page, view: &TraceView) -> Markup {
    let t = page.texts();
    let row = &view.summary;
    html! {
        dl.sum {
            div { dt { (t.state) } dd {
                @if let Some(error) = &row.error { span.badge.b-err { (t.error) } span.bad.cut.error-line { (error) } }
                @else { span.badge.b-ok { (Icon::Check.draw()) (t.ok) } }
            } }
            div { dt { (t.duration) } dd.strong { (format::duration(row.duration_ms)) } }
            @if let Some(ttft) = view.ttft_ms { div { dt { (t.first_token) } dd { (format::duration(ttft)) } } }
            @if row.input_tokens.is_some() || row.output_tokens.is_some() {
                div { dt { (t.tokens) } dd {
                    (row.input_tokens.map_or_else(|| "–".to_owned(), format::count)) " → "
                    (row.output_tokens.map_or_else(|| "–".to_owned(), format::count))
                } }
            }
            @if let Some(cost) = row.cost_usd { div { dt { (t.cost) } dd.strong { (format::dollars(cost)) } } }
            @else if row.provider.as_deref() == Some("hanok") { div { dt { (t.cost) } dd { (t.local) } } }
            @if let Some(model) = &row.model { div { dt { (t.model) } dd { (filtered(page, "model", model)) } } }
            (said_of(page, view))
            @if !view.scores.is_empty() { div { dt { (t.records.scores) } dd { (scores(page, &view.scores)) } } }
        }
    }
}

/// Whom and what it was for, each the way to its like.
fn said_of(page: &Page, view: &TraceView) -> Markup {
    let t = page.texts();
    let row: &TraceRow = &view.summary;
    let named = [
        (t.records.user, "user", row.user.as_deref()),
        (t.records.prompt, "prompt", row.prompt.as_deref()),
        (t.key_name, "key", view.key.as_deref()),
        (t.records.source, "source", row.source.as_deref()),
    ];
    html! {
        @if let Some(session) = &view.session { (session_place(page, session)) }
        @for (label, word, value) in named { @if let Some(value) = value {
            div { dt { (label) } dd { (filtered(page, word, value)) } }
        } }
        @if !row.tags.is_empty() { div { dt { (t.records.tags) } dd { @for tag in &row.tags { span.badge { (filtered(page, "tag", tag)) } } } } }
    }
}

fn session_place(page: &Page, session: &SessionPlace) -> Markup {
    let t = &page.texts().records;
    let turn = |id: &Option<String>, label: &str, icon: Icon| {
        html! { @if let Some(id) = id {
            a.btn.btn-quiet.btn-sm.btn-ic href=(page.to(&format!("traces/{id}"))) aria-label=(label) title=(label) { (icon.draw()) }
        } }
    };
    html! {
        div { dt { (t.session) } dd {
            a href=(page.to(&format!("sessions/{}", format::url_encode(&session.id)))) { (format::cut(&session.id, 32)) }
            @if let Some((n, all)) = session.turn {
                span.dim { (fill(t.turn_of, &[("n", &format::count(n)), ("all", &format::count(all))])) }
            }
            (turn(&session.previous, t.previous_turn, Icon::Up)) (turn(&session.next, t.next_turn, Icon::Down))
        } }
    }
}

fn tree(page: &Page, view: &TraceView) -> Markup {
    let t = page.texts();
    let tree = &view.tree;
    let total = tree.duration_ms;
    let end = format::duration(total);
    let in_seconds = total >= 999.5;
    let tick = |share: f64| match total * share {
        at if in_seconds => format::seconds(at),
        at if total < 9.95 => format!("{at:.1}"),
        at => format!("{at:.0}"),
    };
    let to = tree.from + tree.rows.len();
    html! {
        div role="treegrid" aria-label=(t.spans_of) aria-rowcount=(tree.total + 1) #tree
            data-total=(tree.total) data-from=(tree.from) data-trace=(view.summary.trace_id) {
            div.tr-h role="row" aria-rowindex="1" {
                span role="columnheader" {
                    (t.span_count.of(tree.total as u64))
                    @if tree.failed > 0 { ", " span.bad #tree-failed data-failed=(tree.failed) { (t.records.failed.of(tree.failed)) } }
                }
                span role="columnheader" { span.vh { (t.duration) } }
                span.axis role="columnheader" aria-label=(fill(t.axis, &[("end", &end)])) {
                    span { (if in_seconds { "0 s" } else { "0 ms" }) } span.desk { (tick(0.25)) } span.desk { (tick(0.5)) } span.desk { (tick(0.75)) } span { (tick(1.0)) }
                }
            }
            (trace_rows(page, view))
        }
        @if tree.rows.len() < tree.total {
            p.more-spans.row #tree-more {
                span.dim { (fill(t.records.rows_shown, &[("from", &place(tree.from + 1)), ("to", &place(to)), ("all", &place(tree.total))])) }
                @if tree.from > 0 { a href=(page.with("from", &tree.from.saturating_sub(tree.rows.len()).to_string())) { (t.earlier) } }
                @if to < tree.total { a href=(page.with("from", &to.to_string())) { (t.later) } }
            }
        }
    }
}

fn place(n: usize) -> String {
    format::count(n as u64)
}

/// The rows of a tree; alone, they are what `?rows=FROM-TO` answers.
pub fn trace_rows(page: &Page, view: &TraceView) -> Markup {
    let tree = &view.tree;
    let selected = view.selected.as_ref().map(|pane| pane.span_id.as_str());
    let shown = tree.rows.iter().any(|span| Some(span.span_id.as_str()) == selected);
    let tab = view.selected.as_ref().and_then(|pane| pane.tab).map(Tab::as_str);
    html! {
        @for (at, span) in (tree.from..).zip(&tree.rows) {
            @let current = Some(span.span_id.as_str()) == selected;
            @let reached = current || (!shown && at == tree.from);
            div.tr role="row" aria-level=(span.depth + 1) aria-rowindex=(at + 2) aria-expanded=[span.parent.then_some("true")]
                aria-selected=(current) tabindex=(if reached { "0" } else { "-1" }) data-at=(at) {
                div.tr-n role="gridcell" {
                    @if span.depth > span.guides.len() { small.deep { (span.depth) } }
                    @for guide in &span.guides { span class=(guide.class()) {} }
                    span.twist.none[!span.parent] aria-hidden="true" {}
                    @if span.error.is_some() { (span.kind.failed_sign()) } @else { (span.kind.sign()) }
                    a.nm href=(span_link(page, view, &span.span_id, tab)) tabindex="-1" { (name(page, span)) }
                    @if let Some(error) = &span.error { span.badge.b-err { (format::cut(error, 24)) } }
                }
                div.tr-d role="gridcell" { (format::duration(span.duration_ms)) }
                div.tr-b role="gridcell" { (bar(span, tree.duration_ms)) }
            }
        }
    }
}

impl Guide {
    fn class(self) -> &'static str {
        match self {
            Self::Through => "guide",
            Self::Gap => "guide gap",
            Self::Turn => "guide turn",
            Self::Last => "guide turn last",
        }
    }
}

fn span_link(page: &Page, view: &TraceView, span_id: &str, tab: Option<&str>) -> String {
    let tab = tab.map(|tab| format!("&tab={tab}")).unwrap_or_default();
    page.to(&format!("traces/{}?span={span_id}{tab}", view.summary.trace_id))
}

/// The operation, then its object smaller; a name of one word, or one that is a path, stays whole.
fn name(page: &Page, span: &SpanRow) -> Markup {
    let split = span
        .name
        .split_once(' ')
        .filter(|(operation, _)| operation.chars().all(|c| c.is_ascii_lowercase() || c == '_'));
    html! {
        @match split {
            Some((operation, object)) => { (operation) " " small { (object) } }
            None => (span.name),
        }
        @if let Some(hits) = span.hits { " " small { (page.texts().hit_count.of(hits)) } }
        @if let Some(detail) = &span.detail { " " small { (detail) } }
    }
}

fn bar(span: &SpanRow, total: f64) -> Markup {
    let share = |ms: f64| if total > 0.0 { ms / total } else { 0.0 };
    // What is too short to see is drawn half a per cent wide, within the axis.
    let width = share(span.duration_ms).max(0.005);
    let x = share(span.start_ms).clamp(0.0, 1.0 - width.min(1.0));
    let class = if span.error.is_some() { "k-err" } else { span.kind.class() };
    let waited = span.ttft_ms.filter(|ttft| *ttft > 0.0 && *ttft < span.duration_ms).map(share);
    html! {
        svg.k.(class) width="100%" height="28" aria-hidden="true" {
            @if let Some(waited) = waited {
                rect.ttft x=(format::percent(x)) width=(format::percent(waited)) {}
                rect x=(format::percent(x + waited)) width=(format::percent(width - waited)) {}
            } @else {
                rect x=(format::percent(x)) width=(format::percent(width)) {}
            }
        }
    }
}

fn where_went(page: &Page, view: &TraceView) -> Markup {
    let t = page.texts();
    let shares = &view.tree.spent;
    let total: f64 = shares.iter().map(|share| share.ms).sum();
    if total <= 0.0 {
        return Markup::default();
    }
    let name = |share: &Share| {
        if share.failed { t.kind_failed } else { t.kind(share.kind) }
    };
    let class = |share: &Share| if share.failed { "k-err" } else { share.kind.class() };
    let label: Vec<String> =
        shares.iter().map(|share| format!("{} {:.0} %", name(share), share.ms / total * 100.0)).collect();
    let mut at = 0.0;
    let drawn: Vec<(f64, f64, &Share)> = shares
        .iter()
        .map(|share| {
            let (x, width) = (at, share.ms / total);
            at += width;
            (x, width, share)
        })
        .collect();
    html! {
        div.where {
            h2 { (fill(t.where_went, &[("total", &format::duration(view.tree.duration_ms))])) }
            svg.wtl width="100%" height="10" role="img" aria-label=(label.join(", ")) {
                @for (x, width, share) in &drawn {
                    g.k.(class(share)) { rect x=(format::percent(*x)) width=(format::percent((width - 0.002).max(0.002))) height="10" {} }
                }
            }
            ul { @for share in shares {
                li {
                    @if share.failed { (Kind::Chat.failed_sign()) } @else { (share.kind.sign()) }
                    span { (name(share)) } span.num { (format::duration(share.ms)) }
                }
            } }
        }
    }
}
