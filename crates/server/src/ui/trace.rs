//! One trace: its figures, its spans as tree and waterfall, the selected span beside them.

use super::format;
use super::icon::Icon;
use super::shell::{Page, Room, Section, copy_button, document};
use super::span::span_pane;
use super::text::fill;
use super::tree::{Share, guides, spent};
use super::view::{Kind, SpanRow, TraceView};
use maud::{Markup, html};

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
                (copy_button(t.copy_id, &row.trace_id, ""))
                div.row.desk {
                    (neighbour(&view.newer, t.previous_trace, "[", Icon::Up))
                    (neighbour(&view.older, t.next_trace, "]", Icon::Down))
                }
            },
            main: html! {
                (summary(page, view))
                div.split {
                    section.tree aria-label=(t.spans) tabindex="0" { (tree(page, view)) (where_went(page, view)) }
                    section.pane #pane aria-label=(t.selected) tabindex="0" {
                        @if let Some(pane) = &view.selected { (span_pane(page, pane)) }
                        @else { p.pane-in.dim { (t.select_hint) } }
                    }
                }
            },
        },
    )
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
            @if let Some(model) = &row.model {
                div { dt { (t.model) } dd { a href=(page.to(&format!("traces?filter=model%3A{}", format::url_encode(model)))) { (model) } } }
            }
            @if let Some(key) = &view.key { div.opt-m { dt { (t.key_name) } dd { (key) } } }
        }
    }
}

fn tree(page: &Page, view: &TraceView) -> Markup {
    let t = page.texts();
    // A child may outlast its parent; the axis shows all of both.
    let total = view
        .spans
        .iter()
        .map(|span| span.start_ms + span.duration_ms)
        .fold(view.summary.duration_ms, f64::max);
    let end = format::duration(total);
    let selected = view.selected.as_ref().map(|pane| pane.span_id.as_str());
    let guides = guides(&view.spans);
    let tab = view.selected.as_ref().and_then(|pane| pane.tab).map(super::view::Tab::as_str);
    let parent = |at: usize| {
        view.spans.get(at + 1).zip(view.spans.get(at)).is_some_and(|(next, this)| next.depth > this.depth)
    };
    let in_seconds = total >= 999.5;
    let tick = |share: f64| match total * share {
        at if in_seconds => format::seconds(at),
        at if total < 9.95 => format!("{at:.1}"),
        at => format!("{at:.0}"),
    };
    html! {
        div role="treegrid" aria-label=(t.spans_of) #tree {
            div.tr-h role="row" {
                span role="columnheader" { (t.span_count.of(view.spans.len() as u64 + view.more_spans)) }
                span role="columnheader" { span.vh { (t.duration) } }
                span.axis role="columnheader" aria-label=(fill(t.axis, &[("end", &end)])) {
                    span { (if in_seconds { "0 s" } else { "0 ms" }) } span.desk { (tick(0.25)) } span.desk { (tick(0.5)) } span.desk { (tick(0.75)) } span { (tick(1.0)) }
                }
            }
            @for (at, (span, guides)) in view.spans.iter().zip(&guides).enumerate() {
                @let current = Some(span.span_id.as_str()) == selected;
                @let first = selected.is_none() && at == 0;
                div.tr role="row" aria-level=(span.depth + 1) aria-expanded=[parent(at).then_some("true")] aria-selected=(current)
                    tabindex=(if current || first { "0" } else { "-1" }) data-span=(span.span_id) {
                    div.tr-n role="gridcell" {
                        @for class in guides { span class=(class) {} }
                        span.twist.none[!parent(at)] aria-hidden="true" {}
                        @if span.error.is_some() { (span.kind.failed_sign()) } @else { (span.kind.sign()) }
                        a.nm href=(span_link(page, view, &span.span_id, tab)) tabindex="-1" { (name(page, span)) }
                        @if let Some(error) = &span.error { span.badge.b-err { (format::cut(error, 24)) } }
                    }
                    div.tr-d role="gridcell" { (format::duration(span.duration_ms)) }
                    div.tr-b role="gridcell" { (bar(span, total)) }
                }
            }
        }
        @if view.more_spans > 0 { p.dim.more-spans { (t.more_spans.of(view.more_spans)) } }
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
    let shares = spent(&view.spans);
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
            h2 { (fill(t.where_went, &[("total", &format::duration(view.summary.duration_ms))])) }
            svg.wtl width="100%" height="10" role="img" aria-label=(label.join(", ")) {
                @for (x, width, share) in &drawn {
                    g.k.(class(share)) { rect x=(format::percent(*x)) width=(format::percent((width - 0.002).max(0.002))) height="10" {} }
                }
            }
            ul { @for share in &shares {
                li {
                    @if share.failed { (Kind::Chat.failed_sign()) } @else { (share.kind.sign()) }
                    span { (name(share)) } span.num { (format::duration(share.ms)) }
                }
            } }
        }
    }
}
