//! Searching documents: what was asked, what was found, and why each hit has its rank.

use super::format;
use super::icon::Icon;
use super::knowledge::{trust, views};
use super::reasons;
use super::shell::{Page, Room, Section, copy_button, document, note};
use super::start::shell_quoted;
use super::text::fill;
use super::view_knowledge::{FoundView, SearchView};
use hanok_base::{LeftOut, Trust, Vote};
use maud::{Markup, html};

/// How many hits may be asked for.
const CHOICES: [usize; 4] = [5, 10, 20, 50];

/// The page on searching.
pub fn search_page(page: &Page, view: &SearchView) -> Markup {
    let k = &page.texts().knowledge;
    let title = if view.query.is_empty() { k.search } else { &view.query };
    document(
        page,
        &Room {
            title,
            section: Section::Knowledge,
            class: "",
            scripts: &["list-page.js"],
            above: Some((page.to("knowledge"), k.knowledge)),
            heading: html! { (k.search) },
            actions: views(page, true),
            main: html! {
                div.stack.searching {
                    (form(page, view))
                    @if let Some(error) = &view.error { (note("note-err", &html! { p { (error) } })) }
                    @else if view.query.is_empty() { (lead(page, view)) }
                    @else { (found(page, view)) }
                }
            },
        },
    )
}

fn form(page: &Page, view: &SearchView) -> Markup {
    let t = page.texts();
    let k = &t.knowledge;
    let legs = [("", k.legs_own), ("bm25", k.legs_bm25), ("dense", k.legs_dense), ("hybrid", k.legs_hybrid)];
    let wrong = |is: bool| is.then_some("true");
    html! {
        form.panel.ask-form role="search" method="get" action=(page.to("search")) {
            div.filter {
                (Icon::Find.draw())
                input #filter-q type="search" name="q" value=(view.query) aria-label=(k.query) placeholder=(k.query_example)
                    aria-invalid=[wrong(view.error.is_some() && !view.filter_wrong)] autocomplete="off";
                button.btn.btn-main.btn-sm type="submit" { (k.search) }
                kbd.desk { "/" }
            }
            div.knobs.bare {
                @if view.collections.len() > 1 {
                    label.row { span.label { (t.collection) }
                        select.select name="collection" { @for name in &view.collections { option value=(name) selected[*name == view.collection] { (name) } } }
                    }
                } @else if !view.collection.is_empty() { input type="hidden" name="collection" value=(view.collection); }
                label.row { span.label { (k.legs) }
                    select.select name="legs" { @for (value, text) in legs { option value=(value) selected[value == view.legs] { (text) } } }
                }
                label.row { span.label { (k.hits) }
                    select.select name="k" aria-label=(k.hits_at_most) { @for n in CHOICES { option value=(n) selected[n == view.top_k] { (n) } } }
                }
                label.row.grow { span.label { (k.filter) }
                    input.input.mono name="filter" value=(view.filter) placeholder=(k.filter_example) aria-invalid=[wrong(view.filter_wrong)] autocomplete="off" spellcheck="false";
                }
            }
        }
    }
}

fn lead(page: &Page, view: &SearchView) -> Markup {
    let k = &page.texts().knowledge;
    let example = view.examples.first().map_or(k.query_example, String::as_str);
    html! {
        section.panel.none {
            p.finding { (k.search_lead) }
            p.soft { (k.search_lead_hint) }
            @if !view.examples.is_empty() {
                p.row.row-wrap { span.dim { (k.try_searching) } @for example in &view.examples { a.badge href=(page.with("q", example)) { (example) } } }
            }
            (same_elsewhere(page, view, example))
        }
    }
}

/// The search as commands.
fn same_elsewhere(page: &Page, view: &SearchView, query: &str) -> Markup {
    let t = page.texts();
    let collection = if view.collection.is_empty() { "default" } else { &view.collection };
    let body = serde_json::json!({ "query": query, "collection": collection });
    let lines = format!(
        "hanok search --collection {} {}\ncurl http://{}/api/search -H 'content-type: application/json' \\\n  -d {}",
        super::shell_word(collection),
        shell_quoted(query),
        page.address,
        shell_quoted(&body.to_string()),
    );
    html! {
        p.dim { (t.knowledge.from_commands) }
        pre.code { (lines) (copy_button(t.copy_command, &lines, "btn-sm")) }
    }
}

fn found(page: &Page, view: &SearchView) -> Markup {
    let k = &page.texts().knowledge;
    html! {
        div.row.row-wrap.results {
            strong { (k.hits_found.of(view.hits.len() as u64)) }
            @if let Some(ms) = view.took_ms { span.dim { (fill(k.took, &[("time", &format::duration(ms))])) } }
            (weights(page, view))
            @if let Some(trace) = &view.trace_id { a.end href=(page.to(&format!("traces/{trace}"))) { (Icon::Traces.draw()) (k.its_trace) } }
        }
        @if let Some((indexed, found)) = view.coverage {
            (note("note-warn", &html! { p { (fill(k.partial, &[("indexed", &format::count(indexed)), ("found", &format::count(found))])) } }))
        }
        @for LeftOut { leg, reason } in &view.left_out {
            (note("", &html! { p { (fill(&fill(k.left_out, &[("leg", k.leg_name(leg))]), &[("why", &reasons::said(page.lang, reason))])) } }))
        }
        @if view.hits.is_empty() {
            section.panel.nothing { p.strong { (k.no_hits) } p.dim { (k.no_hits_hint) } }
        } @else {
            section.panel {
                table.table.hit.hits.found role="grid" {
                    caption.vh { (k.hits) }
                    thead { tr.vh { th { "#" } th { (page.texts().chunk) } th.num { (k.score) } } }
                    tbody #list-rows { @for (at, hit) in view.hits.iter().enumerate() { (hit_row(page, at + 1, hit)) } }
                }
            }
        }
    }
}

/// How much each leg counted in this search.
fn weights(page: &Page, view: &SearchView) -> Markup {
    let k = &page.texts().knowledge;
    let mut legs: Vec<(&str, f64)> = Vec::new();
    for vote in view.hits.iter().flat_map(|hit| &hit.votes) {
        if vote.leg != "rerank" && !legs.iter().any(|(leg, _)| *leg == vote.leg) {
            legs.push((&vote.leg, vote.weight));
        }
    }
    html! { @if legs.len() > 1 {
        span.soft { (k.counted) }
        @for (leg, weight) in legs { span.badge.{ "leg-" (leg_class(leg)) } { (k.leg_name(leg)) " " (format::portion(weight)) } }
    } }
}

/// The class of a leg's colour.
fn leg_class(leg: &str) -> &'static str {
    match leg {
        "bm25" => "bm25",
        "dense" => "dense",
        "rerank" => "rerank",
        _ => "other",
    }
}

fn hit_row(page: &Page, n: usize, hit: &FoundView) -> Markup {
    let t = page.texts();
    let k = &t.knowledge;
    let source = format::url_encode(&hit.source_id);
    let place = page.to(&format!("sources/{source}?start={}&end={}#quote", hit.start, hit.end));
    let chunks = page.to(&format!("sources/{source}/chunks?from={}#a{}", hit.start, hit.start));
    let (start, end) = (format::count(hit.start as u64), format::count(hit.end as u64));
    html! {
        tr #{ "hit-" (n) } tabindex="-1" aria-selected="false" {
            td.num.dim { (n) }
            td {
                div.row.row-wrap.hit-head {
                    a.strong href=(place) { (format::file_name(&hit.source)) }
                    @if !hit.heading.is_empty() { span.soft { (hit.heading) } }
                    @if let Some((from, to)) = hit.pages { span.badge { (pages(page, from, to)) } }
                    @if hit.trust == Trust::Trusted { (trust(page, hit.trust)) }
                }
                p.hit-text { (format::cut(hit.text.trim(), 900)) }
                p.meta.dim {
                    span.mono { (hit.source) } " · " (fill(t.bytes_range, &[("start", &start), ("end", &end)]))
                    @if hit.trust == Trust::Untrusted { " · " (k.untrusted) }
                    @if let Some(at) = hit.indexed_at { " · " (k.indexed_at) " " (format::moment(at)) }
                    @for (name, value) in &hit.metadata { " · " span.mono { (name) "=" (format::cut(value, 40)) } }
                    " · " a href=(chunks) { (k.see_chunks) span.vh { " " (hit.source) } }
                }
                @if !hit.votes.is_empty() { (votes(page, &hit.votes)) }
            }
            td.num { (format::score(hit.score)) }
        }
    }
}

fn pages(page: &Page, from: u32, to: u32) -> String {
    let k = &page.texts().knowledge;
    let (from_text, to_text) = (format::count(from.into()), format::count(to.into()));
    if from == to {
        fill(k.page, &[("n", &from_text)])
    } else {
        fill(k.page_range, &[("from", &from_text), ("to", &to_text)])
    }
}

/// What each leg said, and how much it counted.
pub(super) fn votes(page: &Page, votes: &[Vote]) -> Markup {
    let k = &page.texts().knowledge;
    html! {
        ul.votes aria-label=(k.why) { @for vote in votes { li.{ "leg-" (leg_class(&vote.leg)) } {
            span.leg { (k.leg_name(&vote.leg)) }
            span.num { span.dim { (k.rank) } " " (format::count(vote.rank as u64)) }
            span.num { span.dim { (k.score) } " " (format::score(vote.score)) }
            span.num { span.dim { (k.weight) } " " (format::portion(vote.weight)) svg.bar width="40" height="5" aria-hidden="true" { rect.bg width="100%" height="5" rx="1" {} rect width=(format::percent(vote.weight)) height="5" rx="1" {} } }
            @if !vote.reason.is_empty() { span.soft.why-text { (reasons::said(page.lang, &vote.reason)) } }
        } } }
    }
}
