//! The pane of one span: messages, hits, decisions, usage, attributes, JSON.

use super::ask::curl_line;
use super::format;
use super::icon::Icon;
use super::messages::messages;
use super::scores::scores;
use super::search::votes;
use super::shell::{Page, copy_button, filtered, note};
use super::text::fill;
use super::view::{HitView, Kind, SpanPane, Tab, UsageView};
use maud::{Markup, html};
use serde_json::Value;

/// The pane of the selected span; alone, it is what `?fragment=1` answers.
pub fn span_pane(page: &Page, span: &SpanPane) -> Markup {
    let t = page.texts();
    let tabs: Vec<Tab> = Tab::ALL.into_iter().filter(|tab| has(span, *tab)).collect();
    let current =
        span.tab.filter(|tab| tabs.contains(tab)).or_else(|| tabs.first().copied()).unwrap_or(Tab::Json);
    let link =
        |tab: Tab| page.to(&format!("traces/{}?span={}&tab={}", span.trace_id, span.span_id, tab.as_str()));
    html! {
        div.pane-head {
            @if span.error.is_some() { (span.kind.failed_sign()) } @else { (span.kind.sign()) }
            h2.cut { (span.name) }
            @if span.error.is_some() { span.badge.b-err { (t.error) } } @else { span.badge.b-ok { (t.ok) } }
            @if let Some(body) = &span.request { span.end.row { (curl_button(page, body)) } }
        }
        div.tabs role="tablist" aria-label=(t.span) {
            @for tab in &tabs {
                a.tab #{"tab-" (tab.as_str())} role="tab" href=(link(*tab)) aria-selected=(*tab == current) data-tab=(tab.as_str())
                    aria-controls="pane-in" tabindex=(if *tab == current { "0" } else { "-1" }) {
                    (label(page, *tab)) @if let Some(n) = counted(span, *tab) { " " span.n { (n) } }
                }
            }
        }
        div.pane-in.stack #pane-in role="tabpanel" aria-labelledby={"tab-" (current.as_str())} data-span=(span.span_id) {
            (facts(page, span))
            @if let Some(error) = &span.error { (note("note-err", &html! { (error) })) }
            @match current {
                Tab::Messages => {
                    @if !span.guard.is_empty() { (guard(page, span)) }
                    @if !span.tools.is_empty() { (tools(page, span)) }
                    (messages(page, span))
                    @if !span.hits.is_empty() { (hits(page, span, Some(4), &link(Tab::Hits))) }
                    @if let Some(used) = &span.usage { (usage(page, used)) }
                }
                Tab::Hits => (hits(page, span, None, "")),
                Tab::Usage => @if let Some(used) = &span.usage { (usage(page, used)) },
                Tab::Attributes => (attributes(&span.attributes)),
                Tab::Json => (json(page, &span.json)),
            }
        }
    }
}

/// The span in figures, on a line.
fn facts(page: &Page, span: &SpanPane) -> Markup {
    let t = page.texts();
    let cost = span.usage.as_ref().and_then(|used| used.cost_usd);
    html! {
        dl.facts {
            div { dt { (t.time) } dd { (format::clock(span.started_at, true)) } }
            div { dt { (t.duration) } dd { (format::duration(span.duration_ms)) } }
            @if let Some(ttft) = span.ttft_ms { div { dt { (t.first_token) } dd { (format::duration(ttft)) } } }
            @if let Some(cost) = cost { div { dt { (t.cost) } dd { (format::dollars(cost)) } } }
            @if let Some(model) = &span.model { div { dt { (t.model) } dd { (filtered(page, "model", model)) } } }
            @if let Some(provider) = &span.provider { div { dt { (t.provider) } dd { (filtered(page, "provider", provider)) } } }
            @if !span.scores.is_empty() { div { dt { (t.records.scores) } dd { (scores(page, &span.scores)) } } }
        }
    }
}

/// What the guard decided, its decision first.
fn guard(page: &Page, span: &SpanPane) -> Markup {
    let decision = span.guard.iter().find(|(key, _)| key == "decision").and_then(|(_, value)| value.as_str());
    let tone = match decision {
        Some("allow" | "pass") => "b-ok",
        Some("deny" | "block" | "hold" | "held") => "b-err",
        _ => "b-warn",
    };
    html! {
        section.panel.guard {
            header { (Kind::Guard.sign()) h2 { (page.texts().records.guard) } @if let Some(decision) = decision { span.badge.end.(tone) { (decision) } } }
            div.in { dl.kv {
                @for (key, value) in span.guard.iter().filter(|(key, _)| key != "decision") {
                    dt.mono { (key) }
                    dd { (attribute(value)) }
                }
            } }
        }
    }
}

fn tools(page: &Page, span: &SpanPane) -> Markup {
    let t = &page.texts().records;
    html! {
        details.msg {
            summary { b { (t.tools_offered.of(span.tools.len() as u64)) } span { @for (at, (name, _)) in span.tools.iter().enumerate() { @if at > 0 { ", " } (name) } } }
            div.in { dl.kv { @for (name, what) in &span.tools { dt.mono { (name) } dd { (what) } } } }
        }
    }
}

fn has(pane: &SpanPane, tab: Tab) -> bool {
    match tab {
        Tab::Messages => !pane.messages.is_empty() || !pane.guard.is_empty() || !pane.tools.is_empty(),
        Tab::Hits => !pane.hits.is_empty(),
        Tab::Usage => pane.usage.is_some(),
        Tab::Attributes => !pane.attributes.is_empty(),
        Tab::Json => true,
    }
}

fn counted(pane: &SpanPane, tab: Tab) -> Option<usize> {
    match tab {
        Tab::Messages => Some(pane.messages.len() + usize::try_from(pane.left_out).unwrap_or(0)),
        Tab::Hits => Some(pane.hits.len()),
        _ => None,
    }
}

fn label(page: &Page, tab: Tab) -> &'static str {
    let t = page.texts();
    match tab {
        Tab::Messages => t.tab_messages,
        Tab::Hits => t.tab_hits,
        Tab::Usage => t.tab_usage,
        Tab::Attributes => t.tab_attributes,
        Tab::Json => "JSON",
    }
}

fn curl_button(page: &Page, body: &str) -> Markup {
    let label = page.texts().copy_curl;
    html! {
        button.btn.btn-quiet.btn-sm.btn-ic type="button" aria-label=(label) title={ (label) " (Y)" } data-curl data-copy=(curl_line(page, body)) {
            (Icon::Copy.draw())
        }
    }
}

fn hits(page: &Page, span: &SpanPane, limit: Option<usize>, all: &str) -> Markup {
    let t = page.texts();
    let shown = limit.unwrap_or(span.hits.len());
    let more = span.hits.len().saturating_sub(shown);
    let best = span.hits.iter().map(|hit| hit.score).fold(0.0, f64::max);
    html! {
        section.panel {
            header { h2 { (t.hits_title) } }
            table.table.hits {
                thead { tr { th { "#" } th { (t.chunk) } th.num { (t.score) } } }
                tbody { @for (at, hit) in span.hits.iter().take(shown).enumerate() { (hit_row(page, at + 1, hit, best, limit.is_some())) } }
            }
            @if more > 0 { footer { a href=(all) data-tab="hits" { (t.more_hits.of(more as u64)) } } }
        }
    }
}

fn hit_row(page: &Page, n: usize, hit: &HitView, best: f64, short: bool) -> Markup {
    let t = page.texts();
    let place = page.to(&format!(
        "sources/{}?start={}&end={}#quote",
        format::url_encode(&hit.source_id),
        hit.start,
        hit.end
    ));
    let text = if short { format::cut(&hit.text, 180) } else { hit.text.clone() };
    let (start, end) = (format::count(hit.start as u64), format::count(hit.end as u64));
    html! {
        tr #{"hit-" (n)} {
            td { span.dim { (n) } }
            td {
                @if hit.source_id.is_empty() { span.strong { (format::file_name(&hit.source)) } } @else { a.strong href=(place) { (format::file_name(&hit.source)) } }
                " " span.dim { (hit.heading) }
                @if !short && !hit.source_id.is_empty() { br; span.dim { (hit.source) " · " (fill(t.bytes_range, &[("start", &start), ("end", &end)])) } }
                @if !text.is_empty() { br; span.soft.hit-text { (text) } }
                @if !short && !hit.votes.is_empty() { (votes(page, &hit.votes)) }
            }
            td.num {
                (format::score(hit.score))
                @if hit.score.is_finite() && best > 0.0 { svg.bar width="56" height="6" aria-hidden="true" {
                    rect.bg width="100%" height="6" rx="1" {}
                    rect width=(format::percent(hit.score / best)) height="6" rx="1" {}
                } }
            }
        }
    }
}

fn usage(page: &Page, used: &UsageView) -> Markup {
    let t = page.texts();
    let with_money = used.lines.iter().any(|line| line.price.is_some());
    html! {
        section.panel {
            header {
                h2 { (t.usage_title) }
                @if used.estimated { span.badge.b-warn { (t.records.estimated) } }
                span.dim.end { @if let Some(cost) = used.cost_usd { (format::dollars(cost)) } @else { (t.cost_unknown) } }
            }
            div.scroll { table.table {
                thead { tr { th { (t.tokens) } th.num { (t.count) } @if with_money { th.num { (t.per_million) } th.num { (t.cost) } } } }
                tbody {
                    @for line in &used.lines {
                        tr {
                            td { (t.token_kind(line.kind)) } td.num { (format::count(line.count)) }
                            @if with_money {
                                td.num { @if let Some((price, _)) = line.price { (format::price(price)) } }
                                td.num { @if let Some((_, cost)) = line.price { (format::dollars_exact(cost)) } }
                            }
                        }
                    }
                }
                @if let Some(total) = used.total {
                    tfoot { tr { td { (t.total) } td.num { (format::count(total)) } @if with_money { td {} td.num { @if let Some(cost) = used.cost_usd { (format::dollars_exact(cost)) } } } } }
                }
            } }
        }
    }
}

fn attributes(attributes: &[(String, Value)]) -> Markup {
    html! {
        dl.kv { @for (key, value) in attributes {
            dt.mono { (key) }
            dd { (attribute(value)) }
        } }
    }
}

fn attribute(value: &Value) -> Markup {
    html! { @match value {
        Value::String(text) => span.pre { (text) },
        Value::Array(_) | Value::Object(_) => pre.code { (coloured_short(value)) },
        other => span.mono { (coloured(other)) },
    } }
}

fn json(page: &Page, value: &Value) -> Markup {
    let text = serde_json::to_string_pretty(value).unwrap_or_default();
    html! { pre.code { (coloured(value)) (copy_button(page.texts().copy, &text, "btn-sm")) } }
}

/// JSON, indented, its keys, texts and numbers coloured.
pub(super) fn coloured(value: &Value) -> Markup {
    fn walk(value: &Value, depth: usize) -> Markup {
        let pad = "  ".repeat(depth + 1);
        let end = "  ".repeat(depth);
        match value {
            Value::Object(map) if !map.is_empty() => html! {
                "{\n"
                @for (at, (key, value)) in map.iter().enumerate() {
                    @if at > 0 { ",\n" } (pad) span.j-k { (Value::from(key.as_str()).to_string()) } ": " (walk(value, depth + 1))
                }
                "\n" (end) "}"
            },
            Value::Array(items) if !items.is_empty() => html! {
                "[\n"
                @for (at, item) in items.iter().enumerate() { @if at > 0 { ",\n" } (pad) (walk(item, depth + 1)) }
                "\n" (end) "]"
            },
            Value::String(_) => html! { span.j-s { (value.to_string()) } },
            Value::Number(_) => html! { span.j-n { (value.to_string()) } },
            other => html! { (other.to_string()) },
        }
    }
    walk(value, 0)
}

/// JSON on one line where it is short, else indented.
pub(super) fn coloured_short(value: &Value) -> Markup {
    fn walk(value: &Value) -> Markup {
        match value {
            Value::Object(map) if !map.is_empty() => html! {
                "{ " @for (at, (key, value)) in map.iter().enumerate() {
                    @if at > 0 { ", " } span.j-k { (Value::from(key.as_str()).to_string()) } ": " (walk(value))
                } " }"
            },
            Value::Array(items) if !items.is_empty() => html! {
                "[" @for (at, item) in items.iter().enumerate() { @if at > 0 { ", " } (walk(item)) } "]"
            },
            leaf => coloured(leaf),
        }
    }
    if value.to_string().len() <= 160 { walk(value) } else { coloured(value) }
}
