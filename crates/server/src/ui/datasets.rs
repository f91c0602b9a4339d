//! Datasets: the list, and one with its versions, its rows and what is wrong with them.

use super::experiments::{View, views};
use super::format;
use super::icon::Icon;
use super::results::origin;
use super::shell::{Page, Room, Section, copy_button, document, note, with_code};
use super::text::fill;
use super::view_evals::{DatasetRow, DatasetView, DatasetsView, RowView, VersionView};
use hanok_eval::dataset::duplicates::Findings;
use maud::{Markup, html};

/// Pairs of like rows that a page names.
const NAMED: usize = 20;
/// Characters of a text that are shown at most.
const SHOWN: usize = 6000;

/// The datasets.
pub fn datasets_page(page: &Page, view: &DatasetsView) -> Markup {
    let e = &page.texts().evals;
    document(
        page,
        &Room {
            title: e.datasets,
            section: Section::Evals,
            class: "",
            scripts: &["list-page.js"],
            above: None,
            heading: html! { (e.datasets) },
            actions: views(page, View::Datasets),
            main: html! {
                div.stack { @if view.rows.is_empty() { (none(page)) } @else { p.finding { (lead(page, view)) } (list(page, view)) } }
            },
        },
    )
}

fn lead(page: &Page, view: &DatasetsView) -> String {
    let e = &page.texts().evals;
    let rows: u64 = view.rows.iter().map(|row| row.newest.rows).sum();
    fill(
        e.datasets_lead,
        &[("datasets", &e.datasets_of.of(view.rows.len() as u64)), ("rows", &e.rows_of.of(rows))],
    )
}

/// What to do where there is none.
fn none(page: &Page) -> Markup {
    let e = &page.texts().evals;
    let file = "hanok dataset add questions --file questions.jsonl";
    let traces = "hanok dataset add disliked --traces \"score.helpful:<1 since:7d\"";
    html! {
        section.panel.none {
            p.finding { (e.no_datasets) }
            p.soft { (e.no_datasets_hint) }
            pre.code { (file) (copy_button(e.copy_command, file, "btn-sm")) }
            p.soft { (e.no_datasets_traces) }
            pre.code { (traces) (copy_button(e.copy_command, traces, "btn-sm")) }
        }
    }
}

fn list(page: &Page, view: &DatasetsView) -> Markup {
    let e = &page.texts().evals;
    html! {
        section.panel {
            div.scroll tabindex="0" role="region" aria-label=(e.datasets) {
                table.table.hit.two-line role="grid" {
                    caption.vh { (e.datasets_caption) }
                    thead { tr { th aria-sort="ascending" { (e.dataset) } th.num { (e.rows) } th.num.desk { (e.versions) } th.desk { (e.source) } th.desk { (e.made) } } }
                    tbody #list-rows { @for row in &view.rows { (list_row(page, row)) } }
                }
            }
        }
    }
}

fn list_row(page: &Page, row: &DatasetRow) -> Markup {
    let e = &page.texts().evals;
    let place = page.to(&format!("datasets/{}", format::url_encode(&row.name)));
    html! {
        tr tabindex="-1" aria-selected="false" {
            td.cut {
                a.cut href=(place) tabindex="-1" { span.strong { (row.name) } " " span.mono.dim.opt { (row.newest.hash) } }
                span.phone.meta { (e.versions_of.of(row.versions)) " · " (format::day(row.newest.created)) }
            }
            td.num { (format::count(row.newest.rows)) }
            td.num.desk { (format::count(row.versions)) }
            td.desk.soft.nowrap { (source(page, &row.newest)) }
            td.desk.mono.dim.nowrap { (format::moment(row.newest.created)) }
        }
    }
}

fn source(page: &Page, version: &VersionView) -> Markup {
    let e = &page.texts().evals;
    let (kind, which) = &version.source;
    let word = match kind.as_str() {
        "file" => e.source_file,
        "traces" => e.source_traces,
        "queue" => e.source_queue,
        "split" => e.source_split,
        _ => e.source_given,
    };
    html! { (word) @if !which.is_empty() { " " span.mono.dim title=(which) { (format::cut(short(kind, which), 40)) } } }
}

fn short<'a>(kind: &str, which: &'a str) -> &'a str {
    if kind == "file" { format::file_name(which) } else { which }
}

/// One dataset.
pub fn dataset_page(page: &Page, view: &DatasetView) -> Markup {
    let e = &page.texts().evals;
    document(
        page,
        &Room {
            title: &view.name,
            section: Section::Evals,
            class: "",
            scripts: &["evals.js"],
            above: Some((page.to("datasets"), e.datasets)),
            heading: html! { (view.name) },
            actions: html! { span.mono.dim.desk title=(e.version) { (view.version.hash) } },
            main: html! {
                div.stack {
                    @if let Some(finding) = finding(page, view) { (note("", &html! { p { (finding) } })) }
                    (figures(page, view))
                    div.cols { (versions(page, view)) (split_panel(page, view)) }
                    @match &view.findings {
                        Some(findings) if !findings.pairs.is_empty() => (pairs(page, view, findings)),
                        Some(findings) if findings.rows > 1 => p.soft { (e.nothing_found) },
                        Some(_) => {},
                        None => (too_large(page, view)),
                    }
                    (rows(page, view))
                }
            },
        },
    )
}

/// The worst that is to be said of it.
fn finding(page: &Page, view: &DatasetView) -> Option<String> {
    let e = &page.texts().evals;
    let found = view.findings.as_ref()?;
    let said: Vec<String> = [(found.leaks, e.finding_leaks), (found.contradictions, e.finding_contradicts)]
        .into_iter()
        .filter(|(n, _)| *n > 0)
        .map(|(n, words)| words.of(n as u64))
        .collect();
    (!said.is_empty()).then(|| said.join(" "))
}

fn figures(page: &Page, view: &DatasetView) -> Markup {
    let e = &page.texts().evals;
    let bad = |n: usize| html! { @if n > 0 { span.bad { (format::count(n as u64)) } } @else { "0" } };
    html! {
        dl.figures {
            div { dt { (e.rows) } dd { (format::count(view.version.rows)) } dd { (e.versions_of.of(view.versions.len() as u64)) } }
            @if let Some(found) = &view.findings {
                div { dt { (e.same_inputs) } dd { (format::count(found.same as u64)) } }
                div { dt { (e.near_inputs) } dd { (format::count(found.near as u64)) } }
                div { dt { (e.leaks) } dd { (bad(found.leaks)) } }
                div { dt { (e.contradictions) } dd { (bad(found.contradictions)) } }
                div { dt { (e.without_expected) } dd { (format::count(found.without_expected as u64)) } }
            }
        }
    }
}

fn versions(page: &Page, view: &DatasetView) -> Markup {
    let e = &page.texts().evals;
    html! {
        section.panel {
            header { h2 { (e.versions) } }
            table.table {
                caption.vh { (e.versions) }
                tbody { @for (at, version) in view.versions.iter().enumerate() { tr aria-current=[(version.hash == view.version.hash).then_some("true")] {
                    td.mono { a href={ "?version=" (version.hash) } { (version.hash) } }
                    td { @if at == 0 { span.badge { (e.newest) } } " " @if version.hash == view.version.hash { span.badge.b-acc { (e.shown_version) } } }
                    td.num { (e.rows_of.of(version.rows)) }
                    td.soft.desk { (source(page, version)) }
                    td.num.dim.nowrap { (format::moment(version.created)) }
                } } }
            }
        }
    }
}

fn split_panel(page: &Page, view: &DatasetView) -> Markup {
    let e = &page.texts().evals;
    let named = view.splits.iter().any(|(name, _)| !name.is_empty());
    let command = format!("hanok dataset split {} --into train=0.8,test=0.2", super::shell_word(&view.name));
    let lines = format!("[dataset]\nname = {}\nversion = \"{}\"", toml_text(&view.name), view.version.hash);
    html! {
        section.panel {
            header { h2 { (e.splits) } }
            @if named {
                table.table {
                    caption.vh { (e.splits) }
                    tbody { @for (name, n) in &view.splits { tr {
                        td { @if name.is_empty() { span.dim { (e.no_split) } } @else { a href={ "?version=" (view.version.hash) "&split=" (format::url_encode(name)) "#rows" } { (name) } } }
                        td.num { (format::count(*n)) }
                        td.num.dim { (format::share(*n, view.version.rows)) }
                    } } }
                }
            }
            div.in.stack.stack-sm {
                @if !named && view.findings.is_some() { p.soft { (e.no_splits) } pre.code { (command) (copy_button(e.copy_command, &command, "btn-sm")) } }
                p.soft { (e.use_it) }
                pre.code { (lines) (copy_button(page.texts().records.copy_lines, &lines, "btn-sm")) }
            }
        }
    }
}

/// A text as TOML writes it: its basic strings are those of JSON.
fn toml_text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn too_large(page: &Page, view: &DatasetView) -> Markup {
    let e = &page.texts().evals;
    let command = check_command(view);
    html! { section.panel.none { p.soft { (e.too_large) } pre.code { (command) (copy_button(e.copy_command, &command, "btn-sm")) } } }
}

fn check_command(view: &DatasetView) -> String {
    format!("hanok dataset check {} --version {}", super::shell_word(&view.name), view.version.hash)
}

fn pairs(page: &Page, view: &DatasetView, findings: &Findings) -> Markup {
    let e = &page.texts().evals;
    let to = |id: &str| format!("?version={}&q={}#rows", view.version.hash, format::url_encode(id));
    let (shown, all) = (findings.pairs.len().min(NAMED), findings.same + findings.near);
    let more =
        fill(e.more_pairs, &[("n", &format::count(shown as u64)), ("all", &format::count(all as u64))]);
    html! {
        section.panel {
            header { h2 { (e.pairs) } span.dim.end.opt { (e.finding_alike.of(all as u64)) } }
            table.table.reasons {
                caption.vh { (e.pairs_caption) }
                tbody { @for pair in findings.pairs.iter().take(NAMED) { tr {
                    td.mono { a href=(to(&pair.first)) { (format::cut(&pair.first, 32)) } " · " a href=(to(&pair.second)) { (format::cut(&pair.second, 32)) } }
                    td.num { (format::portion(pair.likeness)) }
                    td {
                        @if let Some((one, other)) = &pair.splits { span.badge.b-err { (one) " / " (other) } " " }
                        @if pair.contradict { span.badge.b-warn { (e.contradicts) } }
                    }
                } } }
            }
            @if all > shown { footer { (with_code(&more, "command", &check_command(view))) } }
        }
    }
}

fn rows(page: &Page, view: &DatasetView) -> Markup {
    let e = &page.texts().evals;
    let kinds = [("", e.all), ("alike", e.alike), ("open", e.open_rows)];
    let filtered = !(view.split.is_empty() && view.only.is_empty() && view.text.is_empty());
    html! {
        section.panel #rows {
            header.head-wrap {
                h2 { (e.rows) }
                form.narrow method="get" action="#rows" aria-label=(e.show) {
                    input type="hidden" name="version" value=(view.version.hash);
                    select.select name="split" aria-label=(e.split) {
                        option value="" { (e.all) }
                        @for (name, _) in view.splits.iter().filter(|(name, _)| !name.is_empty()) { option value=(name) selected[*name == view.split] { (name) } }
                    }
                    select.select name="only" aria-label=(e.show) { @for (name, word) in kinds { option value=(name) selected[view.only == name] { (word) } } }
                    input #filter-q.input type="search" name="q" value=(view.text) aria-label=(e.find) placeholder=(e.find) autocomplete="off";
                    button.btn type="submit" { (page.texts().apply) }
                }
            }
            @if view.rows.is_empty() {
                div.nothing { p.strong { (e.no_row) } @if filtered { p { a href={ "?version=" (view.version.hash) "#rows" } { (e.clear) } } } }
            } @else {
                div.scroll tabindex="0" role="region" aria-label=(e.rows) {
                    table.table.hit role="grid" {
                        caption.vh { (fill(e.rows_caption, &[("name", &view.name)])) }
                        thead { tr { th { (e.sample) } th { (e.input) } th.desk { (e.expected) } th.desk { (e.split) } th.num { span.vh { (e.alike) } } } }
                        tbody #eval-rows { @for row in &view.rows { (row_of(page, row)) } }
                    }
                }
            }
            @if let Some(next) = view.next { p.older { a.btn.btn-quiet href={ (page.with("after", &next.to_string())) "#rows" } { (Icon::Down.draw()) (e.further) } } }
        }
    }
}

fn row_of(page: &Page, row: &RowView) -> Markup {
    let e = &page.texts().evals;
    let sample = &row.sample;
    let key = format!("d-r{}", row.place);
    let bad = row.alike.iter().any(|other| other.leaks || other.contradicts);
    html! {
        tr.sample tabindex="-1" aria-selected="false" aria-controls=(key) {
            td.nowrap { button.fold.mono type="button" aria-expanded="false" aria-controls=(key) tabindex="-1" { (format::cut(&sample.id, 24)) } }
            td.cut { (format::cut(&sample.title, 300)) }
            td.desk.soft { @if let Some(expected) = &sample.expected { (format::cut(expected, 60)) } @else { span.dim { "–" } } }
            td.desk.nowrap { @if row.split.is_empty() { span.dim { "–" } } @else { (row.split) } }
            td.num { @if !row.alike.is_empty() { span.badge.{ (if bad { "b-err" } else { "b-warn" }) } { (e.alike) " " (row.alike.len()) } } }
        }
        tr.detail #(key) hidden { td.bare colspan="5" {
            div.diff {
                div { h3 { (e.input) } (super::results::given(page, sample)) }
                div { dl.kv {
                    @if !row.split.is_empty() { dt { (e.split) } dd { (row.split) } }
                    @if let Some(cluster) = &row.cluster { dt { (e.cluster) } dd { (format::cut(cluster, 200)) } }
                    @for (name, value) in &row.metadata { dt { (name) } dd.pre { (format::cut(value, SHOWN)) } }
                    @if sample.origin.is_some() { dt { (e.origin) } dd { (origin(page, sample)) } }
                    @for other in &row.alike {
                        dt { (e.alike) }
                        dd {
                            (fill(e.alike_to, &[("id", &other.id), ("share", &format::portion(other.likeness))]))
                            @if other.leaks { " " span.badge.b-err { (e.leak) } }
                            @if other.contradicts { " " span.badge.b-warn { (e.contradicts) } }
                        }
                    }
                } }
            }
        } }
    }
}
