//! Knowledge: the collections, and one of them with its documents and what could not be taken.

use super::format;
use super::icon::Icon;
use super::shell::{Page, Room, Section, copy_button, csrf, document, with_code};
use super::text::fill;
use super::view_knowledge::{
    CollectionPage, CollectionRow, DocumentAbout, DocumentRow, EmbedderView, KnowledgeView,
};
use hanok_base::Trust;
use maud::{Markup, html};

/// The collections.
pub fn knowledge_page(page: &Page, view: &KnowledgeView) -> Markup {
    let k = &page.texts().knowledge;
    document(
        page,
        &Room {
            title: k.knowledge,
            section: Section::Knowledge,
            class: "",
            scripts: &["list-page.js", "knowledge.js"],
            above: None,
            heading: html! { (k.knowledge) },
            actions: views(page, false),
            main: html! {
                div.stack {
                    @if view.collections.is_empty() { (none(page)) } @else {
                        p.finding { (lead(page, view)) }
                        (quick_search(page, None))
                        (collections(page, view))
                    }
                }
            },
        },
    )
}

/// The two ways to look at documents.
pub(super) fn views(page: &Page, searching: bool) -> Markup {
    let k = &page.texts().knowledge;
    let current = |is: bool| is.then_some("page");
    html! {
        nav.seg aria-label=(k.views) {
            a href=(page.to("knowledge")) aria-current=[current(!searching)] { (k.collections) }
            a href=(page.to("search")) aria-current=[current(searching)] { (k.search) }
        }
    }
}

fn lead(page: &Page, view: &KnowledgeView) -> String {
    let k = &page.texts().knowledge;
    let documents: u64 = view.collections.iter().map(|row| row.indexed).sum();
    let failed: u64 = view.collections.iter().map(|row| row.failed).sum();
    let names: Vec<&str> = view.collections.iter().map(|row| row.name.as_str()).collect();
    let lead =
        fill(k.lead, &[("documents", &k.documents_of.of(documents)), ("collections", &names.join(", "))]);
    if failed > 0 { format!("{lead} {}.", k.failed_files.of(failed)) } else { lead }
}

/// A field that leads to the page on searching.
fn quick_search(page: &Page, collection: Option<&str>) -> Markup {
    let k = &page.texts().knowledge;
    html! {
        form.filter role="search" method="get" action=(page.to("search")) {
            (Icon::Find.draw())
            input #filter-q type="search" name="q" aria-label=(k.query) placeholder=(k.query_example) autocomplete="off";
            @if let Some(collection) = collection { input type="hidden" name="collection" value=(collection); }
            button.btn.btn-quiet.btn-sm type="submit" { (k.search) }
            kbd.desk { "/" }
        }
    }
}

fn collections(page: &Page, view: &KnowledgeView) -> Markup {
    let k = &page.texts().knowledge;
    html! {
        section.panel {
            header { h2 { (Icon::Book.draw()) (k.collections) } }
            div.scroll tabindex="0" role="region" aria-label=(k.collections) {
                table.table.hit.two-line role="grid" {
                    caption.vh { (k.collections_caption) }
                    thead { tr {
                        th { (page.texts().collection) } th.num { (k.documents) } th.num.desk { (k.chunks) } th.num.desk { (k.not_taken) }
                        th.opt { (k.cut_by) } th.desk { (k.embedder) } th { (k.state) }
                    } }
                    tbody #list-rows { @for row in &view.collections { (collection_row(page, row)) } }
                }
            }
        }
    }
}

fn collection_row(page: &Page, row: &CollectionRow) -> Markup {
    let k = &page.texts().knowledge;
    let place = page.to(&format!("knowledge/{}", format::url_encode(&row.name)));
    html! {
        tr tabindex="-1" aria-selected="false" data-collection=(row.name) {
            td.cut {
                a.cut href=(place) tabindex="-1" { span.strong { (row.name) } " " span.soft.desk { (row.paths.join(", ")) } }
                span.phone.meta { (k.chunks_of.of(row.chunks)) @if row.failed > 0 { " " span.bad { (k.failed_files.of(row.failed)) } } }
            }
            td.num data-indexed { (format::count(row.indexed)) }
            td.num.desk { (format::count(row.chunks)) }
            td.num.desk { @if row.failed > 0 { a.bad href={ (place) "#failures" } { (format::count(row.failed)) } } @else { span.dim { "0" } } }
            td.opt.soft.nowrap { (cut_by(page, row)) }
            td.desk.soft.nowrap { @if let Some(embedder) = &row.embedder { span.model.cut { (embedder.id) } } @else { span.dim { (k.words_only) } } }
            td data-state { (state(page, row)) }
        }
    }
}

/// How a collection is cut, in a few words.
fn cut_by(page: &Page, row: &CollectionRow) -> String {
    let k = &page.texts().knowledge;
    format!("{}, {}", k.chunker_name(&row.chunking.by), format::count(row.chunking.size as u64))
}

/// Whether it is all searchable.
fn state(page: &Page, row: &CollectionRow) -> Markup {
    let k = &page.texts().knowledge;
    let embedding = row.embedder.as_ref().filter(|embedder| embedder.embedded < embedder.chunks);
    html! {
        @if row.indexing {
            span.badge.b-warn { (fill(k.running, &[("indexed", &format::count(row.indexed)), ("found", &format::count(row.found))])) }
        } @else if row.problem.is_some() { span.badge.b-warn { (k.not_opened) } }
        @else if row.opening { span.badge { (k.opening) } }
        @else if let Some(embedder) = embedding { span.badge { (fill(k.embedded_share, &[("share", &share_embedded(embedder))])) } }
        @else { span.badge.b-ok { (Icon::Check.draw()) (k.ready) } }
    }
}

fn embedded(page: &Page, embedder: &EmbedderView) -> String {
    let (n, all) = (format::count(embedder.embedded), format::count(embedder.chunks));
    fill(page.texts().knowledge.embedded, &[("n", &n), ("all", &all)])
}

/// What to do where there is nothing yet.
fn none(page: &Page) -> Markup {
    let t = page.texts();
    let k = &t.knowledge;
    let lines = "[collections.handbook]\npaths = [\"docs\", \"policies/*.pdf\"]";
    html! {
        section.panel.none {
            p.finding { (k.none_title) }
            p.soft { (k.none_hint) }
            pre.code { "hanok up docs" (copy_button(t.copy_command, "hanok up docs", "btn-sm")) }
            p.soft { (with_code(k.none_config, "file", "hanok.toml")) }
            pre.code { (lines) (copy_button(t.records.copy_lines, lines, "btn-sm")) }
        }
    }
}

/// One collection.
pub fn collection_page(page: &Page, view: &CollectionPage) -> Markup {
    let k = &page.texts().knowledge;
    let row = &view.row;
    let here = format::url_encode(&row.name);
    document(
        page,
        &Room {
            title: &row.name,
            section: Section::Knowledge,
            class: "",
            scripts: &["list-page.js", "knowledge.js"],
            above: Some((page.to("knowledge"), k.knowledge)),
            heading: html! { (row.name) },
            actions: html! {
                a.btn.btn-quiet href=(page.to(&format!("search?collection={here}"))) { (Icon::Find.draw()) span.desk { (k.search_here) } span.phone { (k.search) } }
                @if view.may_manage && !row.paths.is_empty() {
                    form method="post" action=(page.to(&format!("knowledge/{here}/index"))) title=(k.reindex_hint) { (csrf(page)) button.btn type="submit" { (k.reindex) } }
                }
            },
            main: html! {
                div.stack data-collection=(row.name) {
                    (figures(page, view))
                    (settings(page, view))
                    @if !view.failures.is_empty() { (failures(page, view)) }
                    (documents(page, view))
                }
            },
        },
    )
}

fn figures(page: &Page, view: &CollectionPage) -> Markup {
    let k = &page.texts().knowledge;
    let row = &view.row;
    html! {
        dl.figures {
            div { dt { (k.documents) } dd data-indexed { (format::count(row.indexed)) } dd data-state { (state(page, row)) } }
            div { dt { (k.chunks) } dd { (format::count(row.chunks)) } dd { (cut_by(page, row)) } }
            div {
                dt { (k.not_taken) }
                dd { (format::count(row.failed)) }
                dd { @if row.failed > 0 { a href="#failures" { (k.failures) } } @else { (k.all_taken) } }
            }
            div {
                dt { (k.embedder) }
                @if let Some(embedder) = &row.embedder { dd.cut { (share_embedded(embedder)) } dd { (embedder.id) } }
                @else { dd { "–" } dd { (k.words_only) } }
            }
        }
    }
}

fn share_embedded(embedder: &EmbedderView) -> String {
    if embedder.embedded >= embedder.chunks {
        "100 %".to_owned()
    } else {
        format::share(embedder.embedded, embedder.chunks)
    }
}

fn settings(page: &Page, view: &CollectionPage) -> Markup {
    let t = page.texts();
    let k = &t.knowledge;
    let row = &view.row;
    let index = format!("hanok index --collection {} PATH", super::shell_word(&row.name));
    let lines = format!(
        "[collections.{}]\npaths = [\"docs\"]\nchunking = {{ by = \"{}\", size = {}, overlap = {} }}",
        toml_key(&row.name),
        row.chunking.by,
        row.chunking.size,
        row.chunking.overlap,
    );
    html! {
        section.panel {
            header { h2 { (k.settings) } }
            dl.kv.in {
                dt { (k.paths) }
                dd { @if row.paths.is_empty() { (with_code(k.no_paths, "command", &index)) } @else { ul { @for path in &row.paths { li.mono { (path) } } } } }
                dt { (k.cut_by) }
                dd { (cut_by(page, row)) @if !row.chunking.parents.is_empty() && row.chunking.parents != "none" { ", " (k.parents) ": " (k.parents_name(&row.chunking.parents)) } }
                dt { (k.embedder) }
                @if let Some(problem) = &row.problem { dd { (k.not_opened) ": " (problem) } }
                dd { @if let Some(embedder) = &row.embedder { (embedder.id) ", " (embedded(page, embedder)) } @else {
                    (k.words_only_hint) pre.code { "hanok pull all-minilm-l6-v2" (copy_button(t.copy_command, "hanok pull all-minilm-l6-v2", "btn-sm")) }
                } }
                dt { span.vh { (t.records.how_to_change) } }
                dd { details.aside { summary.dim { (t.records.how_to_change) } pre.code { (lines) (copy_button(t.records.copy_lines, &lines, "btn-sm")) } } }
            }
            @if view.may_manage { footer { (confirm(
                k.delete_collection,
                k.cancel,
                &fill(k.delete_collection_ask, &[("name", &row.name)]),
                k.delete_collection_hint,
                &page.to(&format!("knowledge/{}/delete", format::url_encode(&row.name))),
                &csrf(page),
            )) } }
        }
    }
}

/// A key of TOML, in quotes where it needs them.
pub(super) fn toml_key(name: &str) -> String {
    let bare = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
    if bare { name.to_owned() } else { serde_json::Value::from(name).to_string() }
}

/// A button that asks before it does something that cannot be undone.
pub(super) fn confirm(
    what: &str,
    cancel: &str,
    ask: &str,
    hint: &str,
    action: &str,
    csrf: &Markup,
) -> Markup {
    html! {
        details.confirm.below {
            summary.btn.btn-quiet.btn-sm { span.shut { (what) } span.open { (cancel) } }
            form method="post" action=(action) {
                (csrf)
                p { strong { (ask) } " " span.soft { (hint) } }
                button.btn.btn-danger.btn-sm type="submit" { (what) }
            }
        }
    }
}

fn failures(page: &Page, view: &CollectionPage) -> Markup {
    let k = &page.texts().knowledge;
    html! {
        section.panel #failures {
            header { h2 { (k.failures) } span.badge.b-err { (k.failed_files.of(view.failures.len() as u64)) } }
            div.scroll tabindex="0" role="region" aria-label=(k.failures) {
                table.table.reasons {
                    thead { tr { th { (k.path) } th { (k.reason) } } }
                    tbody { @for (path, reason) in &view.failures { tr { td.mono { (path) } td { (reason) } } } }
                }
            }
            footer { (k.failures_hint) }
        }
    }
}

fn documents(page: &Page, view: &CollectionPage) -> Markup {
    let t = page.texts();
    let k = &t.knowledge;
    let caption = fill(k.documents_caption, &[("name", &view.row.name)]);
    html! {
        section.panel {
            header.head-wrap {
                h2 { (k.documents) }
                form.row.end.find method="get" role="search" {
                    input.input #filter-q type="search" name="under" value=(view.prefix) aria-label=(k.find_path) placeholder=(k.find_path) autocomplete="off" spellcheck="false";
                    button.btn.btn-sm.btn-quiet type="submit" { (t.apply) }
                }
            }
            @if view.documents.is_empty() {
                div.nothing {
                    @if view.prefix.is_empty() { p.strong { (k.no_document) } p.dim { (k.no_document_hint) } }
                    @else { p.strong { (k.no_path) } p { a href="?" { (t.clear_filter) } } }
                }
            } @else {
                div.scroll tabindex="0" role="region" aria-label=(k.documents) {
                    table.table.hit.two-line role="grid" {
                        caption.vh { (caption) }
                        thead { tr {
                            th { (k.document) } th.opt { (k.format) } th.num { (k.chunks) } th.num.desk { (k.size) } th.num.desk { (k.indexed) } th { span.vh { (k.see_chunks) } }
                        } }
                        tbody #list-rows { @for row in &view.documents { (document_row(page, row)) } }
                    }
                }
                @if let Some(next) = &view.next { p.older { a.btn.btn-quiet href=(page.with("after", next)) { (Icon::Down.draw()) (k.further) } } }
            }
        }
    }
}

fn document_row(page: &Page, row: &DocumentRow) -> Markup {
    let k = &page.texts().knowledge;
    let place = page.to(&format!("sources/{}", format::url_encode(&row.id)));
    html! {
        tr tabindex="-1" aria-selected="false" {
            td.cut {
                a.cut href=(place) tabindex="-1" { span.strong { (format::file_name(&row.path)) } " " span.soft { (row.title) } }
                span.phone.meta { (format::bytes(row.bytes)) " " (format::moment(row.indexed_at)) }
            }
            td.opt.soft.nowrap { (row.about.format) @if row.about.trust == Trust::Trusted { " " span.badge.b-ok { (k.trusted) } } }
            td.num { (format::count(row.chunks)) }
            td.num.desk { (format::bytes(row.bytes)) }
            td.num.desk.dim { (format::moment(row.indexed_at)) }
            td.num { a href={ (place) "/chunks" } { (k.see_chunks) span.vh { " " (row.path) } } }
        }
    }
}

/// What is known of a document beside its text, for the line below its name.
pub(super) fn about(page: &Page, about: &DocumentAbout) -> Markup {
    let k = &page.texts().knowledge;
    html! {
        @if !about.format.is_empty() { div { dt { (k.format) } dd { (about.format) } } }
        @if let Some(pages) = about.pages { div { dt { (k.pages) } dd { (format::count(pages)) } } }
        div { dt { (k.trust) } dd { (trust(page, about.trust)) } }
        @if !about.readers.is_empty() { div { dt { (k.readers) } dd { (about.readers.join(", ")) } } }
        @for (name, value) in &about.metadata { div { dt { (name) } dd { (format::cut(value, 80)) } } }
    }
}

/// The badge of a document's trust.
pub(super) fn trust(page: &Page, trust: Trust) -> Markup {
    let k = &page.texts().knowledge;
    match trust {
        Trust::Trusted => html! { span.badge.b-ok { (k.trusted) } },
        Trust::Untrusted => html! { span.badge { (k.untrusted) } },
    }
}
