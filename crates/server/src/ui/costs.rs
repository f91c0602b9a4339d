//! Costs: what calls took in money, tokens and time, by what, and when; each figure the way to its traces.

use super::chart::{Chart, Point, scale, stroke, swatch};
use super::format;
use super::shell::{Page, Room, Section, document, filter_part, note};
use super::text::fill;
use super::view::TraceRow;
use super::view_costs::{CostsView, GroupBy, GroupView, Measure, Range, Sums};
use hanok_base::Timestamp;
use maud::{Markup, html};

/// Groups that have a colour of their own; the others share one.
const COLOURED: usize = 6;
/// The colour of the others.
const OTHER: usize = 7;

/// The page on costs.
pub fn costs_page(page: &Page, view: &CostsView) -> Markup {
    let t = page.texts();
    let r = &t.records;
    document(
        page,
        &Room {
            title: r.costs,
            section: Section::Costs,
            class: "",
            scripts: &["chart.js"],
            above: None,
            heading: html! { (r.costs) },
            actions: html! {
                (choice(page, view, r.range, "range", Range::ALL.iter().map(|range| (range.as_str(), r.range(*range), *range == view.range))))
            },
            main: html! {
                div.stack {
                    @if !view.filter.is_empty() || view.error.is_some() { (narrowed(page, view)) }
                    @if view.to_come > 0 { p.dim { (r.to_come.of(view.to_come)) } }
                    @if view.error.is_some() {} @else if view.total.sums.calls == 0 { (nothing(page, view)) } @else {
                        p.finding { (finding(page, view)) }
                        (figures(page, view))
                        (over_time(page, view))
                        div.cols { (latency(page, view)) @if !view.dearest.is_empty() { (dearest(page, view)) } }
                        (table(page, view))
                        div.cols { (first_token(page, view)) @if !view.failures.is_empty() { (failures(page, view)) } }
                    }
                }
            },
        },
    )
}

/// A choice of a few, as links; on a phone a field.
fn choice<'a>(
    page: &Page,
    view: &CostsView,
    label: &str,
    name: &str,
    choices: impl Iterator<Item = (&'a str, &'a str, bool)>,
) -> Markup {
    let choices: Vec<_> = choices.collect();
    let kept = [
        ("range", view.range.as_str()),
        ("by", view.by.as_str()),
        ("show", view.measure.as_str()),
        ("filter", view.filter.as_str()),
    ];
    html! {
        div.seg.desk role="group" aria-label=(label) {
            @for (value, text, current) in &choices { a href=(page.with(name, value)) aria-current=[current.then_some("true")] { (text) } }
        }
        form.phone method="get" action=(page.to("costs")) {
            @for (other, value) in kept { @if other != name && !value.is_empty() { input type="hidden" name=(other) value=(value); } }
            select.select name=(name) aria-label=(label) data-send {
                @for (value, text, current) in &choices { option value=(value) selected[*current] { (text) } }
            }
            noscript { button.btn type="submit" { (page.texts().apply) } }
        }
    }
}

fn narrowed(page: &Page, view: &CostsView) -> Markup {
    let t = page.texts();
    html! {
        form.filter role="search" method="get" action=(page.to("costs")) {
            @for (name, value) in [("range", view.range.as_str()), ("by", view.by.as_str()), ("show", view.measure.as_str())] { input type="hidden" name=(name) value=(value); }
            input #filter-q type="search" name="filter" value=(view.filter) aria-label=(t.filter) aria-invalid=[view.error.as_ref().map(|_| "true")] autocomplete="off" spellcheck="false";
            a.btn.btn-quiet.btn-sm href=(page.with("filter", "")) { (t.clear_filter) }
            button.btn.btn-quiet.btn-sm type="submit" { (t.apply) }
        }
        @if let Some(error) = &view.error { (note("note-err", &html! { p { (error) } })) }
    }
}

fn nothing(page: &Page, view: &CostsView) -> Markup {
    let r = &page.texts().records;
    html! {
        section.panel.nothing {
            p.strong { (fill(r.no_calls, &[("range", r.long_range(view.range))])) }
            p.dim { (r.no_calls_hint) }
            @if view.range != Range::Month { p { a href=(page.with("range", Range::Month.as_str())) { (r.look_back) } } }
        }
    }
}

/// What a reader would want to be told first.
fn finding(page: &Page, view: &CostsView) -> String {
    let r = &page.texts().records;
    let sums = &view.total.sums;
    let spent =
        if sums.unpriced == sums.calls { r.unpriced_all.to_owned() } else { format::sum(sums.cost_usd) };
    let whole = fill(
        r.finding,
        &[("cost", &spent), ("calls", &format::count(sums.calls)), ("range", r.long_range(view.range))],
    );
    let most = view.groups.iter().max_by(|a, b| a.sums.cost_usd.total_cmp(&b.sums.cost_usd));
    let most = most.filter(|group| {
        group.name.is_some() && sums.cost_usd > 0.0 && group.sums.cost_usd > 0.0 && view.groups.len() > 1
    });
    let most = most.map(|group| {
        let share = format::portion(group.sums.cost_usd / sums.cost_usd);
        fill(r.finding_most, &[("name", &name(page, group)), ("share", &share)])
    });
    [Some(whole), most].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn name(page: &Page, group: &GroupView) -> String {
    group.name.clone().unwrap_or_else(|| page.texts().records.without.to_owned())
}

fn drawn_name(page: &Page, colour: usize, group: &GroupView) -> String {
    if colour == OTHER { page.texts().records.others.to_owned() } else { name(page, group) }
}

#[expect(clippy::cast_precision_loss, reason = "shares and means for people")]
fn figures(page: &Page, view: &CostsView) -> Markup {
    let r = &page.texts().records;
    let sums = &view.total.sums;
    let priced = sums.calls.saturating_sub(sums.unpriced);
    let range = r.long_range(view.range);
    html! {
        dl.figures {
            div {
                dt { (r.cost_of) ", " (range) }
                dd { (format::sum(sums.cost_usd)) }
                dd { @if sums.unpriced > 0 { (r.unpriced_calls.of(sums.unpriced)) } @else { (change(page, view)) } }
            }
            div {
                dt { (r.per_thousand) }
                dd { @if priced > 0 { (format::sum(sums.cost_usd / priced as f64 * 1e3)) } @else { "–" } }
                dd { (r.calls_of.of(sums.calls)) }
            }
            div {
                dt { (r.cached_share) }
                dd { (format::share(sums.cached, sums.input)) }
                dd { (fill(r.tokens_of, &[("n", &format::tokens(sums.cached)), ("all", &format::tokens(sums.input))])) }
            }
            div {
                dt { (r.first_token_half) }
                dd { (sums.first_token_ms.map_or_else(|| "–".to_owned(), |[half, _]| format::duration(half))) }
                dd { @if let Some([_, most]) = sums.first_token_ms { "p95 " (format::duration(most)) } @else { (r.no_streams) } }
            }
            div {
                dt { (r.errors) }
                dd { (format::share(sums.errors, sums.calls)) }
                dd { (r.failed_calls.of(sums.errors)) }
            }
            div {
                dt { (r.tokens_out) }
                dd { (format::tokens(sums.output)) }
                dd { (fill(r.of_it_reasoning, &[("n", &format::tokens(sums.reasoning))])) }
            }
        }
    }
}

/// Against as long a time before.
fn change(page: &Page, view: &CostsView) -> Markup {
    let r = &page.texts().records;
    let Some(before) = view.before.filter(|before| before.cost_usd > 0.0) else {
        return html! { (r.nothing_before) };
    };
    let share = view.total.sums.cost_usd / before.cost_usd - 1.0;
    let sign = if share < 0.0 { "↓" } else { "↑" };
    html! { (sign) " " (format::portion(share.abs())) " " (r.than_before) }
}

/// What a group is made of: its traces; where traces are not found by what it has in common, the same page of its
/// calls alone.
fn group_link(page: &Page, view: &CostsView, group: &GroupView) -> String {
    match (&group.name, view.by.word()) {
        (Some(name), None) => {
            let only = filter_part(view.by.as_str(), name);
            let filter = [view.filter.as_str(), &only].join(" ");
            let range = view.range.as_str();
            page.to(&format!("costs?range={range}&filter={}", format::url_encode(filter.trim())))
        }
        _ => traces_link(page, view, Some(group), None),
    }
}

/// The traces of a group, of a stretch of time, or of both.
fn traces_link(page: &Page, view: &CostsView, group: Option<&GroupView>, bucket: Option<usize>) -> String {
    let mut parts = Vec::new();
    if !view.filter.is_empty() {
        parts.push(view.filter.clone());
    }
    if let (Some(name), Some(word)) = (group.and_then(|group| group.name.as_deref()), view.by.word()) {
        parts.push(filter_part(word, name));
    }
    match bucket {
        Some(bucket) => {
            parts.push(format!("since:{}", start(view, bucket).rfc3339()));
            parts.push(format!("until:{}", start(view, bucket + 1).rfc3339()));
        }
        None => parts.push(format!("since:{}", start(view, 0).rfc3339())),
    }
    page.to(&format!("traces?filter={}", format::url_encode(&parts.join(" "))))
}

fn start(view: &CostsView, bucket: usize) -> Timestamp {
    let after =
        i64::try_from(bucket).unwrap_or(i64::MAX).saturating_mul(view.bucket_ms).saturating_mul(1_000_000);
    Timestamp(view.since.0.saturating_add(after))
}

/// When a stretch begins, as its label says it: the day, or day and time where it is shorter.
fn when(view: &CostsView, bucket: usize) -> String {
    let full = start(view, bucket).rfc3339();
    let (day, time) = (full.get(5..10).unwrap_or_default(), full.get(11..16).unwrap_or_default());
    if view.bucket_ms >= 86_400_000 { day.to_owned() } else { format!("{day} {time} UTC") }
}

/// The same on the page. Days are UTC's, as calls are summed up by them.
fn moment(view: &CostsView, bucket: usize) -> Markup {
    let at = start(view, bucket);
    match view.range {
        _ if view.bucket_ms >= 86_400_000 => html! { (at.rfc3339().get(5..10).unwrap_or_default()) },
        Range::Hour | Range::Day => format::clock(at, false),
        _ => format::moment(at),
    }
}

/// The head of the column of times.
fn begin(page: &Page, view: &CostsView) -> Markup {
    html! { (page.texts().records.begin) @if view.bucket_ms >= 86_400_000 { " (UTC)" } }
}

/// The times under a chart.
fn axis(view: &CostsView) -> Markup {
    let count = view.total.buckets.len();
    let shown = [0, count / 4, count / 2, count * 3 / 4, count.saturating_sub(1)];
    html! { p.axis-row.axis-in { @for (at, bucket) in shown.into_iter().enumerate() { span.desk[at == 1 || at == 3] { (moment(view, bucket)) } } } }
}

/// What the measure comes to, as it is read.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "counts, whole and positive")]
fn written(measure: Measure, value: f64) -> String {
    match measure {
        Measure::Cost => format::sum(value),
        Measure::Tokens => format::tokens(value.max(0.0) as u64),
        Measure::Calls | Measure::Errors => format::count(value.max(0.0).round() as u64),
    }
}

fn over_time(page: &Page, view: &CostsView) -> Markup {
    let r = &page.texts().records;
    let measure = view.measure;
    let drawn: Vec<(usize, &GroupView)> = coloured(view);
    let parts: Vec<(usize, Vec<f64>)> = drawn
        .iter()
        .map(|(colour, group)| (*colour, group.buckets.iter().map(|sums| measure.of(sums)).collect()))
        .collect();
    let most = |at: usize| parts.iter().filter_map(|(_, values)| values.get(at)).sum::<f64>();
    let count = view.total.buckets.len();
    let ticks = scale((0..count).map(most).fold(0.0, f64::max));
    let points: Vec<Point> = (0..count)
        .map(|at| {
            let all = view.total.buckets.get(at).map_or(0.0, |sums| measure.of(sums));
            Point {
                href: traces_link(page, view, None, Some(at)),
                label: format!("{}: {}", when(view, at), written(measure, all)),
            }
        })
        .collect();
    let title = fill(r.over_time, &[("what", r.measure(measure)), ("by", &r.group(view.by).to_lowercase())]);
    let write = |value: f64| written(measure, value);
    let chart = Chart { label: title.clone(), height: 190.0, ticks: &ticks, write: &write, points: &points };
    html! {
        section.panel {
            header.head-wrap {
                h2 { (title) }
                (choice(page, view, r.show, "show", Measure::ALL.iter().map(|shown| (shown.as_str(), r.measure(*shown), *shown == measure))))
            }
            div.in {
                ul.legend { @for (colour, group) in &drawn { li {
                    (swatch(*colour)) @if group.name.is_some() { a href=(group_link(page, view, group)) { (name(page, group)) } } @else { (drawn_name(page, *colour, group)) }
                } } }
                (chart.stacked(&parts)) (axis(view)) p.said.dim data-said aria-live="polite" {}
            }
            details.data { summary { (r.as_table) } div.scroll tabindex="0" role="region" aria-label=(title) { table.table {
                thead { tr { th { (begin(page, view)) } @for (colour, group) in &drawn { th.num { (drawn_name(page, *colour, group)) } } th.num { (page.texts().total) } } }
                tbody { @for at in 0..count { tr {
                    td.nowrap { (moment(view, at)) }
                    @for (_, group) in &drawn { td.num { (cell(page, view, group, at)) } }
                    td.num.strong { @if let Some(point) = points.get(at) { a href=(point.href) { (written(measure, view.total.buckets.get(at).map_or(0.0, |sums| measure.of(sums)))) } } }
                } } }
            } } }
        }
    }
}

/// The groups as they are drawn: the greatest in colours, the rest in one.
fn coloured(view: &CostsView) -> Vec<(usize, &GroupView)> {
    let first = view.groups.iter().take(COLOURED).enumerate().map(|(at, group)| (at + 1, group));
    first.chain(view.others.as_ref().map(|others| (OTHER, others))).collect()
}

fn cell(page: &Page, view: &CostsView, group: &GroupView, at: usize) -> Markup {
    let value = group.buckets.get(at).map_or(0.0, |sums| view.measure.of(sums));
    if value <= 0.0 {
        return html! { span.dim { "0" } };
    }
    let found = group.name.is_some() && view.by.word().is_some();
    html! { @if found { a href=(traces_link(page, view, Some(group), Some(at))) { (written(view.measure, value)) } } @else { (written(view.measure, value)) } }
}

fn latency(page: &Page, view: &CostsView) -> Markup {
    let of = |at: usize| move |sums: &Sums| sums.latency_ms.and_then(|ms| ms.get(at).copied());
    percentiles(
        page,
        view,
        page.texts().records.latency,
        &[("p99", &of(2)), ("p95", &of(1)), ("p50", &of(0))],
    )
}

fn first_token(page: &Page, view: &CostsView) -> Markup {
    if view.total.sums.first_token_ms.is_none() {
        return Markup::default();
    }
    let of = |at: usize| move |sums: &Sums| sums.first_token_ms.and_then(|ms| ms.get(at).copied());
    percentiles(page, view, page.texts().first_token, &[("p95", &of(1)), ("p50", &of(0))])
}

/// A percentile: its name, and its milliseconds.
type Percentile<'a> = (&'a str, &'a dyn Fn(&Sums) -> Option<f64>);

/// Lines over time, the highest percentile first.
fn percentiles(page: &Page, view: &CostsView, title: &str, of: &[Percentile<'_>]) -> Markup {
    let r = &page.texts().records;
    let style = |at: usize| of.len() - at;
    let lines: Vec<(usize, Vec<Option<f64>>)> = of
        .iter()
        .enumerate()
        .map(|(at, (_, ms))| (style(at), view.total.buckets.iter().map(ms).collect()))
        .collect();
    let most = lines.iter().flat_map(|(_, values)| values.iter().flatten()).copied().fold(0.0, f64::max);
    let points: Vec<Point> = view
        .total
        .buckets
        .iter()
        .enumerate()
        .map(|(at, sums)| {
            let said: Vec<String> = of
                .iter()
                .rev()
                .filter_map(|(name, ms)| Some(format!("{name} {}", format::duration(ms(sums)?))))
                .collect();
            let said = if said.is_empty() { r.no_calls_then.to_owned() } else { said.join(", ") };
            Point {
                href: traces_link(page, view, None, Some(at)),
                label: format!("{}: {said}", when(view, at)),
            }
        })
        .collect();
    let ticks = scale(most);
    let chart = Chart {
        label: title.to_owned(),
        height: 150.0,
        ticks: &ticks,
        write: &format::duration_short,
        points: &points,
    };
    html! {
        section.panel {
            header { h2 { (title) } ul.legend.end { @for (at, (name, _)) in of.iter().enumerate() { li { (stroke(style(at))) (name) } } } }
            div.in { (chart.lines(&lines)) (axis(view)) p.said.dim data-said aria-live="polite" {} }
            details.data { summary { (r.as_table) } div.scroll tabindex="0" role="region" aria-label=(title) { table.table {
                thead { tr { th { (begin(page, view)) } @for (name, _) in of.iter().rev() { th.num { (name) } } } }
                tbody { @for (at, sums) in view.total.buckets.iter().enumerate() { tr {
                    td.nowrap { @if let Some(point) = points.get(at) { a href=(point.href) { (moment(view, at)) } } }
                    @for (_, ms) in of.iter().rev() { td.num { (ms(sums).map_or_else(|| "–".to_owned(), format::duration)) } }
                } } }
            } } }
        }
    }
}

fn dearest(page: &Page, view: &CostsView) -> Markup {
    let t = page.texts();
    let r = &t.records;
    let all = format!("{}%20cost%3E0", traces_link(page, view, None, None));
    let tokens =
        |row: &TraceRow| row.input_tokens.unwrap_or(0).saturating_add(row.output_tokens.unwrap_or(0));
    html! {
        section.panel {
            header { h2 { (r.dearest) } a.end href=(all) { (r.all) } }
            table.table.hit {
                thead { tr { th { (t.trace) } th.num { (t.tokens) } th.num { (t.cost) } } }
                tbody { @for row in &view.dearest { tr {
                    td.cut { a.cut href=(page.to(&format!("traces/{}", row.trace_id))) {
                        span.strong { (row.name) } @if let Some(title) = &row.title { " " span.soft { (format::cut(title, 120)) } }
                    } }
                    td.num { (format::tokens(tokens(row))) }
                    td.num { (row.cost_usd.map_or_else(|| "–".to_owned(), format::dollars)) }
                } } }
            }
        }
    }
}

fn failures(page: &Page, view: &CostsView) -> Markup {
    let r = &page.texts().records;
    let all = format!("{}%20status%3Aerror", traces_link(page, view, None, None));
    html! {
        section.panel {
            header { h2 { (r.what_failed) } a.end href=(all) { (r.all) } }
            table.table {
                thead { tr { th { (r.kind) } th.num { (r.calls) } th.num { (r.share) } } }
                tbody { @for (kind, count) in &view.failures { tr {
                    td { (kind.as_deref().unwrap_or(r.no_kind)) }
                    td.num { (format::count(*count)) }
                    td.num.soft { (format::share(*count, view.total.sums.calls)) }
                } } }
            }
        }
    }
}

fn table(page: &Page, view: &CostsView) -> Markup {
    let t = page.texts();
    let r = &t.records;
    let title = fill(r.by_group, &[("by", &r.group(view.by).to_lowercase())]);
    let most = view.groups.iter().map(|group| group.sums.cost_usd).fold(0.0, f64::max);
    let rows = view
        .groups
        .iter()
        .enumerate()
        .map(|(at, group)| (if at < COLOURED { at + 1 } else { OTHER }, group, true));
    let rows = rows.chain(view.others.iter().map(|others| (OTHER, others, false)));
    html! {
        section.panel {
            header.head-wrap {
                h2 { (title) }
                (choice(page, view, r.group_by, "by", GroupBy::ALL.iter().map(|by| (by.as_str(), r.group(*by), *by == view.by))))
            }
            div.scroll tabindex="0" role="region" aria-label=(title) {
                table.table.hit.sums {
                    thead { tr {
                        th { (r.group(view.by)) } th.num { (r.calls) } th.num { (r.errors) } th.num.desk { (t.tokens_in) } th.num.desk { (t.tokens_out) }
                        th.num.opt { (r.cached_share) } th.num { (t.cost) } th.opt { span.vh { (r.share) } } th.num.desk { "p50" } th.num { "p95" } th.num.opt { (t.first_token) }
                    } }
                    tbody { @for (colour, group, named) in rows { (group_row(page, view, colour, group, named, most)) } }
                    tfoot { (sum_row(page, view)) }
                }
            }
        }
    }
}

fn group_row(
    page: &Page,
    view: &CostsView,
    colour: usize,
    group: &GroupView,
    named: bool,
    most: f64,
) -> Markup {
    let r = &page.texts().records;
    html! { tr {
        td { span.row {
            (swatch(colour))
            @if !named { span.dim { (r.others) } }
            @else if group.name.is_some() { a.cut href=(group_link(page, view, group)) { (name(page, group)) } }
            @else { span.dim { (name(page, group)) } }
        } }
        (sums_cells(page, &group.sums))
        td.opt.w64 { svg.bar height="6" aria-hidden="true" {
            rect.bg width="100%" height="6" rx="1" {}
            rect width=(format::percent(if most > 0.0 { group.sums.cost_usd / most } else { 0.0 })) height="6" rx="1" {}
        } }
        (time_cells(&group.sums))
    } }
}

fn sum_row(page: &Page, view: &CostsView) -> Markup {
    html! { tr { td { (page.texts().total) } (sums_cells(page, &view.total.sums)) td.opt {} (time_cells(&view.total.sums)) } }
}

fn sums_cells(page: &Page, sums: &Sums) -> Markup {
    html! {
        td.num { (format::count(sums.calls)) }
        td.num.bad[sums.errors > 0] { (format::share(sums.errors, sums.calls)) }
        td.num.desk { (format::tokens(sums.input)) }
        td.num.desk { (format::tokens(sums.output)) }
        td.num.opt { (format::share(sums.cached, sums.input)) }
        td.num { @if sums.unpriced == sums.calls && sums.calls > 0 { span.dim { (page.texts().no_price) } } @else { (format::sum(sums.cost_usd)) } }
    }
}

fn time_cells(sums: &Sums) -> Markup {
    let ms = |ms: Option<f64>| ms.map_or_else(|| "–".to_owned(), format::duration);
    html! {
        td.num.desk { (ms(sums.latency_ms.map(|[half, ..]| half))) }
        td.num { (ms(sums.latency_ms.map(|[_, most, _]| most))) }
        td.num.opt { (ms(sums.first_token_ms.map(|[half, _]| half))) }
    }
}
