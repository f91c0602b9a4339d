//! Prompts: all of them, with the figures of the file's version and of each labelled one.

use super::format;
use super::icon::Icon;
use super::shell::{Page, Room, Section, copy_button, csrf, document, note, with_code};
use super::text::fill;
use super::view_prompts::{PromptDraft, PromptRow, PromptsView, VersionFigures, VersionRow};
use maud::{Markup, html};

/// All prompts.
pub fn prompts_page(page: &Page, view: &PromptsView) -> Markup {
    let p = &page.texts().prompts;
    document(
        page,
        &Room {
            title: p.prompts,
            section: Section::Prompts,
            class: "",
            scripts: &["list-page.js", "prompt.js"],
            above: None,
            heading: html! { (p.prompts) },
            actions: html! {
                (views(page, false))
                @if !view.prompts.is_empty() { a.btn.btn-main href="#new" aria-label=(p.new_prompt) data-new { (Icon::Plus.draw()) span.desk { (p.new_prompt) } } }
            },
            main: html! {
                div.stack {
                    @if view.prompts.is_empty() { (none(page, view)) } @else {
                        p.finding { (lead(page, view)) }
                        (table(page, view))
                    }
                    (new_prompt(page, view))
                }
            },
        },
    )
}

/// The two ways to look at prompts.
pub(super) fn views(page: &Page, playing: bool) -> Markup {
    let p = &page.texts().prompts;
    let current = |is: bool| is.then_some("page");
    html! {
        nav.seg aria-label=(p.views) {
            a href=(page.to("prompts")) aria-current=[current(!playing)] { (p.prompts) }
            a href=(page.to("playground")) aria-current=[current(playing)] { (p.playground) }
        }
    }
}

/// The place of a prompt's page.
pub(super) fn place(page: &Page, name: &str) -> String {
    page.to(&format!("prompts/{}", format::url_encode(name)))
}

fn lead(page: &Page, view: &PromptsView) -> String {
    let p = &page.texts().prompts;
    let many = p.prompts_of.of(view.prompts.len() as u64);
    let broken = view.prompts.iter().filter(|prompt| prompt.problem.is_some()).count();
    let lead = if broken == 0 { p.lead.to_owned() } else { p.broken.of(broken as u64) };
    fill(&lead, &[("prompts", &many)])
}

fn table(page: &Page, view: &PromptsView) -> Markup {
    let p = &page.texts().prompts;
    html! {
        section.panel {
            header { h2 { (Icon::Prompt.draw()) (p.prompts) } span.mono.dim.end.cut { (view.folder) } }
            div.scroll tabindex="0" role="region" aria-label=(p.prompts) {
                table.table.hit.two-line role="grid" {
                    caption.vh { (p.caption) }
                    thead { tr {
                        th { (p.prompt) } th { (p.version) } th.opt { (p.model) }
                        th.num { (p.calls) } th.num.desk { (p.failed) } th.num.desk { (p.cost) } th.num.desk { (p.latency) } th.desk { (p.scores) }
                    } }
                    // What cannot be called stands first: it is what wants mending.
                    tbody #list-rows {
                        @for prompt in view.prompts.iter().filter(|prompt| prompt.problem.is_some()) { (rows(page, prompt)) }
                        @for prompt in view.prompts.iter().filter(|prompt| prompt.problem.is_none()) { (rows(page, prompt)) }
                    }
                }
            }
            footer { (p.window) }
        }
    }
}

fn rows(page: &Page, prompt: &PromptRow) -> Markup {
    let p = &page.texts().prompts;
    let own = place(page, &prompt.name);
    html! {
        @if let Some(problem) = &prompt.problem {
            tr tabindex="-1" aria-selected="false" {
                td.cut { a.cut href=(own) tabindex="-1" { span.strong { (prompt.name) } " " span.bad { (format::cut(problem, 160)) } } }
                td { span.badge.b-err { (Icon::Warn.draw()) (p.wrong) } }
                td.opt {} td.num {} td.num.desk {} td.num.desk {} td.num.desk {} td.desk {}
            }
        }
        @for (n, version) in prompt.versions.iter().enumerate() {
            @let first = n == 0 && prompt.problem.is_none();
            @let to = if version.filed { own.clone() } else { format!("{own}?at={}", version.version) };
            tr tabindex="-1" aria-selected="false" {
                td.cut {
                    a.cut href=(to) tabindex="-1" {
                        @if first { span.strong { (prompt.name) } } @else { span.soft { (prompt.name) } }
                        @if let Some(description) = prompt.description.as_deref().filter(|_| first) { " " span.soft.desk { (format::cut(description, 120)) } }
                    }
                    span.phone.meta { (figures_in_short(version)) }
                }
                td.nowrap { (name_of(page, version)) }
                td.opt.soft.nowrap { @if let Some(model) = &prompt.model { span.model.cut { (model) } } @else { span.dim { (p.no_model) } } }
                (figures(&version.figures)) (super::prompt_scores::cell(page, &version.scores))
            }
        }
    }
}

/// A version's digits with its labels.
pub(super) fn name_of(page: &Page, version: &VersionRow) -> Markup {
    let p = &page.texts().prompts;
    html! {
        span.mono { (version.version) }
        @if version.filed { " " span.badge { (p.in_file) } }
        @for label in &version.labels { " " span.badge.b-acc { (label) } }
    }
}

/// The cells of a version's figures.
pub(super) fn figures(of: &VersionFigures) -> Markup {
    let none = || html! { span.dim { "–" } };
    html! {
        td.num { @if of.calls == 0 { (none()) } @else { (format::count(of.calls)) } }
        td.num.desk { @if of.errors == 0 { (none()) } @else { span.bad { (format::count(of.errors)) } } }
        td.num.desk { @if of.calls == of.unpriced { (none()) } @else { (format::dollars(of.cost_usd)) } }
        td.num.desk.nowrap { @match of.latency_ms {
            Some([middle, high]) => { (format::duration(middle)) span.dim { " / " (format::duration(high)) } }
            None => { (none()) }
        } }
    }
}

/// What a phone shows of the cells it has no place for.
fn figures_in_short(version: &VersionRow) -> Markup {
    let of = &version.figures;
    html! {
        @if of.calls > of.unpriced { (format::dollars(of.cost_usd)) " " }
        @if let Some([middle, _]) = of.latency_ms { (format::duration(middle)) " " }
        @if of.errors > 0 { span.bad { (format::count(of.errors)) " ✕" } }
    }
}

/// What to do where there is nothing yet.
fn none(page: &Page, view: &PromptsView) -> Markup {
    let p = &page.texts().prompts;
    let body = serde_json::json!({ "model": "prompt/answer", "messages": [], "metadata": { "ticket": "…" } });
    let line = super::ask::curl_line(page, &body.to_string());
    html! {
        section.panel.none {
            p.finding { (p.none_title) }
            p.soft { (with_code(p.none_hint, "folder", &view.folder)) }
            p.soft { (p.none_call) }
            pre.code { (line) (copy_button(page.texts().copy_curl, &line, "btn-sm")) }
        }
    }
}

fn new_prompt(page: &Page, view: &PromptsView) -> Markup {
    let p = &page.texts().prompts;
    let empty = PromptDraft { source: p.example.to_owned(), ..PromptDraft::default() };
    let draft = view.draft.as_ref().unwrap_or(&empty);
    html! {
        details.panel.fold #new open[view.draft.is_some() || view.prompts.is_empty()] {
            summary { h2 { (Icon::Plus.draw()) (p.new_prompt) } }
            form.in.stack method="post" action=(page.to("prompts")) data-edit {
                (csrf(page))
                (wrong(page, draft))
                div.field {
                    label for="new-name" { (p.name) }
                    input.input #new-name name="name" value=(draft.name) required maxlength="200" autocomplete="off" spellcheck="false" autocapitalize="off" aria-describedby="new-hint" autofocus[!draft.error.is_empty()];
                    p.hint #new-hint { (p.name_hint) }
                }
                (text_field(page, &draft.source))
                div.row { button.btn.btn-main type="submit" { (p.create) } }
            }
        }
    }
}

/// Why a text was not written.
pub(super) fn wrong(page: &Page, draft: &PromptDraft) -> Markup {
    html! {
        @if !draft.error.is_empty() {
            div role="alert" { (note("note-err", &html! { p.strong { (page.texts().prompts.not_saved) } p.any { (draft.error) } })) }
        }
    }
}

/// The field in which a prompt's text is written.
pub(super) fn text_field(page: &Page, source: &str) -> Markup {
    let rows = source.lines().count().clamp(10, 28) + 2;
    html! {
        div.field {
            label for="source" { (page.texts().prompts.text) }
            // A browser takes the first line's end of a field's content away.
            textarea.input.mono #source name="source" rows=(rows) required spellcheck="false" autocapitalize="off" autocomplete="off" { "\n" (source) }
        }
    }
}
