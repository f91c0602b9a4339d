//! The list of traces.

use super::format;
use super::icon::Icon;
use super::scores::scores;
use super::shell::{Page, Room, Section, document, note};
use super::start::start;
use super::text::{Texts, fill};
use super::view::{RateChart, TraceRow, TracesView};
use maud::{Markup, html};

/// The list of traces.
pub fn traces_page(page: &Page, view: &TracesView) -> Markup {
    let t = page.texts();
    let nothing_ever = view.rows.is_empty() && !view.start.has_calls && view.filter.is_empty();
    let main = html! {
        @if nothing_ever { div.page #traces-scroll data-filter="" { p.vh { (t.no_traces) } (start(page, &view.start)) } } @else { (list(page, view)) }
    };
    document(
        page,
        &Room {
            title: t.traces,
            section: Section::Traces,
            class: "flush one",
            scripts: &["traces.js", "filter.js"],
            above: None,
            heading: html! { (t.traces) },
            actions: html! {
                (lists(page, false))
                @if !nothing_ever {
                    (views(page))
                    button.btn #live type="button" aria-pressed="true" { span.dot.dot-ok.live {} (t.live) " " kbd.desk { "L" } }
                }
            },
            main,
        },
    )
}

/// The lists of records: the traces, and the sessions they make up.
pub(super) fn lists(page: &Page, sessions: bool) -> Markup {
    let t = page.texts();
    let current = |is: bool| is.then_some("page");
    html! {
        nav.seg aria-label=(t.records.lists) {
            a href=(page.to("traces")) aria-current=[current(!sessions)] { (t.traces) }
            a href=(page.to("sessions")) aria-current=[current(sessions)] { (t.records.sessions) }
        }
    }
}

/// Filters that people keep: fetched when they are looked at, so that no list waits for them.
fn views(page: &Page) -> Markup {
    let r = &page.texts().records;
    html! {
        button.btn.desk #views-open type="button" popovertarget="views" hidden { (r.saved_views) }
        div.views #views popover data-api=(page.to("api/views")) data-traces=(page.to("traces")) data-delete=(r.delete_view) {
            h2 { (r.saved_views) }
            ul #views-list {}
            p.dim #views-none hidden { (r.no_views) }
            form.row #views-save hidden {
                input.input name="name" required maxlength="80" aria-label=(r.view_name) placeholder=(r.view_name) autocomplete="off";
                button.btn.btn-main type="submit" { (r.save) }
            }
        }
    }
}

/// The words of the filter language, what each means, and the values of some.
fn language(page: &Page, view: &TracesView) -> String {
    let r = &page.texts().records;
    let seen = |of: fn(&TraceRow) -> Option<&str>| {
        let mut values: Vec<&str> = view.rows.iter().filter_map(of).collect();
        values.sort_unstable();
        values.dedup();
        values.truncate(20);
        values
    };
    let words = [
        ("model:", r.word_model, seen(|row| row.model.as_deref())),
        ("status:", r.word_status, vec!["ok", "error"]),
        ("since:", r.word_since, vec!["1h", "24h", "7d", "30d"]),
        ("until:", r.word_until, Vec::new()),
        ("user:", r.word_user, seen(|row| row.user.as_deref())),
        ("session:", r.word_session, seen(|row| row.session.as_deref())),
        ("tag:", r.word_tag, seen(|row| row.tags.first().map(String::as_str))),
        ("prompt:", r.word_prompt, seen(|row| row.prompt.as_deref())),
        ("source:", r.word_source, seen(|row| row.source.as_deref())),
        ("provider:", r.word_provider, seen(|row| row.provider.as_deref())),
        ("key:", r.word_key, Vec::new()),
        ("project:", r.word_project, Vec::new()),
        ("error:", r.word_error, Vec::new()),
        (
            "operation:",
            r.word_operation,
            vec!["chat", "embeddings", "retrieval", "execute_tool", "invoke_agent"],
        ),
        ("tokens>", r.word_tokens, vec!["1k", "10k", "100k"]),
        ("score.", r.word_score, Vec::new()),
        ("has:", r.word_has, vec!["error", "cost", "session", "user", "tag", "score"]),
        ("cost>", r.word_cost, vec!["0.01", "0.1", "1"]),
        ("latency>", r.word_duration, vec!["1s", "10s", "1m"]),
    ];
    serde_json::to_string(&words).unwrap_or_default()
}

fn list(page: &Page, view: &TracesView) -> Markup {
    let t = page.texts();
    html! {
        div.list {
            div.lead {
                (filter(page, view))
                @if let Some(error) = &view.error {
                    (note("note-err", &html! { p { (error) } p.dim { (t.filter_help) } }))
                }
                @if !view.chart.buckets.is_empty() { (chart(t, &view.chart)) }
            }
            div.scroll #traces-scroll tabindex="0" role="region" aria-label=(t.traces) data-filter=(view.filter) {
                table.table.hit.two-line role="grid" {
                    caption.vh { (t.list_caption) }
                    thead { tr {
                        th.desk aria-sort="descending" { (t.time) }
                        th { (t.trace) }
                        th.opt { (t.model) }
                        th.num.desk { (t.tokens_in) }
                        th.num.desk { (t.tokens_out) }
                        th.num { (t.cost) }
                        th.num { (t.seconds) }
                        th.desk { span.vh { (t.duration) } }
                        th.desk { (t.state) }
                    } }
                    tbody #traces-rows { @for row in &view.rows { (trace_row(page, row)) } }
                }
                @if view.rows.is_empty() && view.error.is_none() {
                    div.nothing #traces-none {
                        p.strong { (t.none_match) }
                        p.dim { (t.none_match_hint) }
                        @if !view.filter.is_empty() { p { a href="?" { (t.clear_filter) } } }
                    }
                }
                @if let Some(next) = &view.next {
                    p.older { a.btn.btn-quiet #traces-older href=(page.with("cursor", next)) { (Icon::Down.draw()) (t.older) } }
                }
            }
        }
    }
}

/// One trace as a table row; also what arrives live.
pub fn trace_row(page: &Page, row: &TraceRow) -> Markup {
    let t = page.texts();
    let link = page.to(&format!("traces/{}", row.trace_id));
    let badge = html! { span.badge.b-err { (t.error) } };
    let tokens = |count: Option<u64>| count.map_or_else(String::new, format::tokens);
    let cost = row.cost_usd.map(format::dollars);
    let title = row.title.as_deref().map(|title| format::cut(title, 160));
    html! {
        tr data-id=(row.trace_id) tabindex="-1" aria-selected="false" {
            td.mono.dim.nowrap.desk { (format::clock(row.started_at, true)) }
            td.cut { span.row {
                @if row.error.is_some() { (row.kind.failed_sign()) } @else { (row.kind.sign()) }
                span.grow.cut {
                    a href=(link) tabindex="-1" {
                        span.strong { (row.name) }
                        @if let Some(error) = &row.error { " " span.bad { (format::cut(error, 160)) } }
                        @else if let Some(title) = &title { " " span.soft { (title) } }
                    }
                    span.phone.meta {
                        (format::clock(row.started_at, true)) " " (row.model.as_deref().unwrap_or_default())
                        @if row.error.is_some() { " " (badge) }
                    }
                }
                (scores(page, &row.scores))
            } }
            td.soft.nowrap.opt { span.model.cut { (row.model.as_deref().unwrap_or_default()) } }
            td.num.desk { (tokens(row.input_tokens)) }
            td.num.desk { (tokens(row.output_tokens)) }
            td.num {
                @if let Some(cost) = &cost { (cost) }
                @else if row.provider.as_deref() == Some("hanok") { span.dim { (t.local) } }
                @else { span.dim { (t.no_price) } }
            }
            td.num.strong[row.duration_ms >= 8_000.0] { (format::seconds(row.duration_ms)) }
            td.desk.w64 { svg.bar height="6" aria-hidden="true" {
                rect.bg width="100%" height="6" rx="1" {}
                rect.{ @if row.error.is_some() { "bad" } @else { "fine" } } width=(format::percent(log_share(row.duration_ms))) height="6" rx="1" {}
            } }
            td.desk { @if row.error.is_some() { (badge) } @else { span.dim { (t.ok) } } }
        }
    }
}

/// A duration on a logarithmic scale from 0 to one minute, so that 5 ms and 50 s can both be seen.
fn log_share(ms: f64) -> f64 {
    (1.0 + ms.max(0.0)).ln() / 60_001_f64.ln()
}

/// A part of a filter.
#[derive(Debug, PartialEq, Eq)]
struct Part<'a> {
    text: &'a str,
    /// `key` and `value` of `key:value`; `None` for words.
    pair: Option<(&'a str, &'a str)>,
}

/// The parts of a filter, quotes kept together.
fn parts(filter: &str) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut rest = filter.trim_start();
    while !rest.is_empty() {
        let mut in_quotes = false;
        let end = rest
            .find(|c: char| {
                in_quotes ^= c == '"';
                c.is_whitespace() && !in_quotes
            })
            .unwrap_or(rest.len());
        let (text, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
        let pair = text.split_once(':').filter(|(key, value)| {
            !key.is_empty()
                && !value.is_empty()
                && key.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c))
        });
        parts.push(Part { text, pair });
        rest = after.trim_start();
    }
    parts
}

/// The filter of a query: every `filter` parameter, joined (chips and field come as several).
pub fn filter_of_query(query: &str) -> String {
    let values = query.split('&').filter_map(|pair| pair.strip_prefix("filter="));
    let decoded: Vec<String> = values
        .map(|value| {
            let spaced = value.replace('+', " ");
            percent_encoding::percent_decode_str(&spaced).decode_utf8_lossy().trim().to_owned()
        })
        .filter(|value| !value.is_empty())
        .collect();
    decoded.join(" ")
}

fn filter(page: &Page, view: &TracesView) -> Markup {
    let t = page.texts();
    let parts = parts(&view.filter);
    // A filter with a mistake stays whole in the field, where it can be mended.
    let (chips, words): (Vec<&Part<'_>>, Vec<&Part<'_>>) =
        parts.iter().partition(|part| part.pair.is_some() && view.error.is_none());
    let without = |gone: &Part<'_>| {
        let kept: Vec<&str> =
            parts.iter().filter(|part| !std::ptr::eq(*part, gone)).map(|part| part.text).collect();
        format!("?filter={}", format::url_encode(&kept.join(" ")))
    };
    let words: Vec<&str> = words.iter().map(|part| part.text).collect();
    html! {
        form.filter #filter role="search" method="get" action=(page.to("traces")) {
            (Icon::Find.draw())
            @for part in &chips { @if let Some((key, value)) = part.pair {
                span.chip {
                    span { i { (key) ":" } (value) }
                    a href=(without(part)) aria-label=(fill(t.remove, &[("what", part.text)])) { "×" }
                }
                input type="hidden" name="filter" value=(part.text);
            } }
            input #filter-q type="search" name="filter" value=(words.join(" ")) aria-label=(t.filter) aria-invalid=[view.error.as_ref().map(|_| "true")]
                placeholder=[chips.is_empty().then_some(t.filter_example)] autocomplete="off" spellcheck="false"
                role="combobox" aria-expanded="false" aria-controls="filter-words" aria-autocomplete="list" data-words=(language(page, view));
            ul.words #filter-words role="listbox" aria-label=(t.records.suggestions) hidden {}
            span.opt.dim.nowrap #found {
                @if let Some(total) = view.total { (t.found.of(total)) }
                @if let Some(took) = view.took_ms { @if view.total.is_some() { ", " } (format::duration(took)) }
            }
            button.btn.btn-quiet.btn-sm type="submit" { (t.apply) }
            kbd.desk { "/" }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts drawn a few pixels high")]
fn chart(t: &Texts, chart: &RateChart) -> Markup {
    let n = chart.buckets.len() as f64;
    let peak = chart.buckets.iter().map(|bucket| bucket.count).max().unwrap_or(0);
    let errors: u64 = chart.buckets.iter().map(|bucket| bucket.errors).sum();
    let span = chart.to.0.saturating_sub(chart.from.0);
    let at = |share: f64| {
        #[expect(clippy::cast_possible_truncation, reason = "a share of an i64 span")]
        let offset = (span as f64 * share) as i64;
        hanok_base::Timestamp(chart.from.0.saturating_add(offset))
    };
    let peak_at = chart.buckets.iter().position(|bucket| bucket.count == peak).unwrap_or(0) as f64 / n;
    let height = |count: u64| {
        if peak == 0 || count == 0 { 0.0 } else { (count as f64 / peak as f64 * 40.0).max(2.0) }
    };
    let peak_time = at(peak_at).rfc3339();
    let label = [
        t.chart,
        &fill(
            t.chart_peak,
            &[("n", &format::count(peak)), ("time", peak_time.get(11..16).unwrap_or_default())],
        ),
        &t.chart_errors.of(errors),
    ]
    .join(" ");
    html! {
        figure {
            svg.spark width="100%" height="44" role="img" aria-label=(label) {
                @for (i, bucket) in chart.buckets.iter().enumerate() {
                    @let x = format::percent(i as f64 / n);
                    @let width = format::percent(0.8 / n);
                    @if bucket.count > 0 { rect.v x=(x) y=(format!("{:.1}", 44.0 - height(bucket.count))) width=(width) height=(format!("{:.1}", height(bucket.count))) {} }
                    @if bucket.errors > 0 { rect.e x=(x) y=(format!("{:.1}", 44.0 - height(bucket.errors))) width=(width) height=(format!("{:.1}", height(bucket.errors))) {} }
                }
            }
            figcaption.axis-row { @for share in [0.0, 0.25, 0.5, 0.75, 1.0] { span { (format::clock(at(share), false)) } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_fall_into_parts() {
        let check = |filter: &str, want: &[(&str, bool)]| {
            let got: Vec<(&str, bool)> =
                parts(filter).iter().map(|part| (part.text, part.pair.is_some())).collect();
            assert_eq!(got, want);
        };
        check("", &[]);
        check("  since:1h  refund ", &[("since:1h", true), ("refund", false)]);
        check(
            r#"model:gpt* "late refund" status:error"#,
            &[("model:gpt*", true), (r#""late refund""#, false), ("status:error", true)],
        );
        check("환불 :x a: http://x", &[("환불", false), (":x", false), ("a:", false), ("http://x", true)]);
        check("\"open", &[("\"open", false)]);
    }

    #[test]
    fn a_form_without_script_sends_its_parts_one_by_one() {
        let check = |query: &str, want: &str| assert_eq!(filter_of_query(query), want);
        check("filter=since%3A1h&filter=late+refund", "since:1h late refund");
        check("cursor=x&filter=&filter=%ED%99%98%EB%B6%88", "환불");
        check("", "");
    }
}
