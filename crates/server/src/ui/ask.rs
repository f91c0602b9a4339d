//! The Ask page: a question, a streamed answer, its sources. The talk itself is `assets/ask.js`.

use super::format;
use super::icon::Icon;
use super::shell::{Page, Room, Section, document, note};
use super::start::{shell_quoted, start};
use super::text::{Lang, fill};
use super::view::{AskView, CollectionView};
use maud::{Markup, html};

/// The Ask page.
pub fn ask_page(page: &Page, view: &AskView) -> Markup {
    let t = page.texts();
    let fresh = view.start.indexed() == 0 || !view.start.has_calls;
    let main = html! {
        div.split.split-ask {
            section.talk aria-label=(t.conversation) {
                div.talk-scroll #talk-scroll tabindex="0" role="region" aria-label=(t.messages) {
                    div.talk-in #talk {}
                    div #welcome {
                        @if fresh { (start(page, &view.start)) } @else { (lead(page, view)) }
                    }
                    noscript { (no_script(page)) }
                }
                (composer(page, view))
            }
            aside.pane #sources aria-label=(t.sources) tabindex="0" {
                div.pane-head { h2 { (t.sources) } span.dim #sources-count {} span.end #sources-why {} }
                div #sources-list { p.pane-in.dim { (t.sources_hint) } }
            }
        }
    };
    document(
        page,
        &Room {
            title: t.ask,
            section: Section::Ask,
            class: "flush one",
            scripts: &["ask.js"],
            above: None,
            heading: html! { span #ask-title { (t.ask) } },
            actions: html! {
                button.btn.btn-quiet.desk #ask-curl type="button" hidden { (Icon::Copy.draw()) (t.copy_curl) }
                button.btn #ask-new type="button" { (Icon::Plus.draw()) (t.new) }
            },
            main,
        },
    )
}

fn lead(page: &Page, view: &AskView) -> Markup {
    let t = page.texts();
    html! {
        div.ask-lead {
            h2 { (t.ask_lead) }
            p { (t.ask_lead_hint) }
            @if !view.examples.is_empty() {
                h3 { (t.try_asking) }
                ul { @for question in view.examples.iter().map(|title| question_about(page.lang, title)) {
                    li { a.example href={ "?q=" (format::url_encode(&question)) } data-example=(question) { (question) } }
                } }
            }
        }
    }
}

/// A document's title as a question: itself where it is one.
pub fn question_about(lang: Lang, title: &str) -> String {
    if title.ends_with(['?', '？']) {
        return title.to_owned();
    }
    fill(lang.texts().ask_about, &[("title", title)])
}

fn no_script(page: &Page) -> Markup {
    let t = page.texts();
    let body = "{\"model\": \"hanok/extract\", \"messages\": [{\"role\": \"user\", \"content\": \"…\"}]}";
    html! {
        (note("note-warn", &html! { (t.no_script) }))
        pre.code { "curl http://" (page.address) "/v1/chat/completions -H 'content-type: application/json' -d " (shell_quoted(body)) }
    }
}

fn composer(page: &Page, view: &AskView) -> Markup {
    let t = page.texts();
    let models = view.models.iter().filter(|model| !model.starts_with("hanok/"));
    let several = models.clone().next().is_some();
    html! {
        div.composer {
            div #covering { @for collection in view.start.collections.iter().filter(|collection| collection.indexing) {
                (covering(page, collection))
            } }
            form #ask-form {
                textarea #ask-q rows="1" name="q" aria-label=(t.question) placeholder=(t.ask_hint) { (view.question.as_deref().unwrap_or_default()) }
                div.row {
                    label.pick hidden[view.start.collections.is_empty()] {
                        (Icon::Book.draw()) span.vh { (t.collection) }
                        select #ask-collection {
                            @for collection in &view.start.collections { option value=(collection.name) { (collection.name) } }
                            @if several || view.start.collections.is_empty() { option value="" { (t.no_documents) } }
                        }
                    }
                    label.pick {
                        (Icon::Model.draw()) span.vh { (t.model) }
                        select #ask-model {
                            option value="hanok/extract" { (t.extract) }
                            @for model in models { option value=(model) { (model) } }
                        }
                    }
                    span.grow {}
                    span.dim.opt #ask-state role="status" {}
                    button.btn.btn-sm #ask-stop type="button" hidden { (Icon::Stop.draw()) (t.js.stop) " " kbd.desk { "Esc" } }
                    button.btn.btn-main.btn-sm #ask-send type="submit" { (Icon::Send.draw()) (t.send) }
                }
            }
        }
    }
}

fn covering(page: &Page, collection: &CollectionView) -> Markup {
    let (indexed, found) = (format::count(collection.indexed), format::count(collection.found));
    let values = [("name", collection.name.as_str()), ("indexed", &indexed), ("found", &found)];
    note("note-thin", &html! { (fill(page.texts().js.covering, &values)) })
}

/// A `curl` line that sends `body` to this server.
pub(super) fn curl_line(page: &Page, body: &str) -> String {
    // Whoever is signed in needs a key here too; which one is nobody's but theirs.
    let key = if page.viewer.is_some() { "  -H \"authorization: Bearer $HANOK_KEY\" \\\n" } else { "" };
    format!(
        "curl http://{}/v1/chat/completions \\\n  -H 'content-type: application/json' \\\n{key}  -d {}",
        page.address,
        shell_quoted(body)
    )
}
