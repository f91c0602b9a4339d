//! The playground: prompts and models side by side. What runs them is `assets/playground.js`.

use super::ask::curl_line;
use super::icon::Icon;
use super::prompts::views;
use super::shell::{Page, Room, Section, document, note};
use super::view_prompts::PlaygroundView;
use maud::{Markup, html};

/// The playground.
pub fn playground_page(page: &Page, view: &PlaygroundView) -> Markup {
    let p = &page.texts().prompts;
    document(
        page,
        &Room {
            title: p.playground,
            section: Section::Prompts,
            class: "",
            scripts: &["playground.js"],
            above: None,
            heading: html! { (p.playground) },
            actions: html! {
                (views(page, true))
                button.btn.btn-quiet #add type="button" { (Icon::Plus.draw()) span.desk { (p.add) } span.phone.vh { (p.add) } }
            },
            main: html! {
                div.stack {
                    div {
                        p.finding { (p.play_lead) }
                        p.soft { @if view.prompts.is_empty() { (p.no_prompts) } @else { (p.play_hint) } }
                    }
                    noscript { (no_script(page, view)) }
                    (inputs(page, view))
                    div.sides #sides data-prompts=(prompts(view)) data-chosen=(chosen(view)) {}
                    (side(page, view))
                    section.panel #results hidden {
                        header { h2 #results-title { (p.results) } span.dim.end #results-state role="status" {} }
                        div.scroll #results-table tabindex="0" role="region" aria-labelledby="results-title" {}
                    }
                }
            },
        },
    )
}

/// The prompts as the script reads them.
fn prompts(view: &PlaygroundView) -> String {
    serde_json::to_string(&view.prompts).unwrap_or_default()
}

fn chosen(view: &PlaygroundView) -> String {
    serde_json::to_string(&view.chosen).unwrap_or_default()
}

fn no_script(page: &Page, view: &PlaygroundView) -> Markup {
    let name = view.chosen.as_ref().map(|(name, _)| name).or(view.prompts.first().map(|(name, _)| name));
    let model = name.map_or_else(|| "prompt/answer".to_owned(), |name| format!("prompt/{name}"));
    let body = serde_json::json!({ "model": model, "messages": [], "metadata": {} });
    html! {
        (note("note-warn", &html! { (page.texts().prompts.no_script) }))
        pre.code { (curl_line(page, &body.to_string())) }
    }
}

fn inputs(page: &Page, view: &PlaygroundView) -> Markup {
    let t = page.texts();
    let p = &t.prompts;
    html! {
        section.panel aria-labelledby="inputs" {
            header { h2 #inputs { (p.inputs) } span.dim.end.desk { (p.run_hint) } }
            form.in.stack #play-form {
                div.fields #variables {}
                p.dim #no-variables { (p.inputs_hint) }
                details.aside {
                    summary { (p.tools) }
                    div.field {
                        textarea.input.mono #tools rows="4" spellcheck="false" autocapitalize="off" aria-label=(p.tools) aria-describedby="tools-hint" {}
                        p.hint #tools-hint { (p.tools_hint) }
                    }
                }
                div.row.row-wrap {
                    button.btn.btn-main #run type="submit" { (Icon::Send.draw()) (p.run) }
                    button.btn #stop type="button" hidden { (Icon::Stop.draw()) (t.js.stop) " " kbd.desk { "Esc" } }
                    span.dim #play-state role="status" {}
                    span.grow {}
                    div.knobs.bare {
                        label.row { span.label { (p.dataset) } input.input.w-set #dataset list="datasets" autocomplete="off" spellcheck="false" autocapitalize="off" aria-describedby="dataset-hint"; }
                        datalist #datasets { @for name in &view.datasets { option value=(name) {} } }
                        label.row { span.label { (p.rows) } input.input.w-num #count type="number" min="1" max="50" value="5" inputmode="numeric"; }
                        button.btn #run-rows type="button" { (p.run_rows) }
                    }
                }
                p.hint.dim #dataset-hint { (p.dataset_hint) }
                div.stack.stack-sm #play-notes {}
            }
        }
    }
}

/// One side, which the script makes as many of as are wanted.
fn side(page: &Page, view: &PlaygroundView) -> Markup {
    let t = page.texts();
    let p = &t.prompts;
    html! {
        template #side {
            section.panel.side {
                header.head-wrap {
                    h2 {}
                    span.badge.b-warn data-edited hidden { (t.js.prompts.edited) }
                    button.btn.btn-quiet.btn-sm.end type="button" data-remove { (p.remove_side) }
                }
                div.knobs {
                    label.row { span.label { (p.source) }
                        select.select data-prompt { option value="" { (p.free_prompt) } @for (name, _) in &view.prompts { option value=(name) { (name) } } }
                    }
                    label.row data-at-of { span.label { (p.version) } select.select.mono data-at {} }
                    label.row { span.label { (p.model) }
                        select.select data-model { option value="" { (p.own_model) } @for model in &view.models { option value=(model) { (model) } } }
                    }
                }
                details.aside.side-text {
                    summary { (p.text) }
                    div.field { textarea.input.mono data-source rows="12" spellcheck="false" autocapitalize="off" aria-label=(p.text) {} }
                    div.row.row-wrap {
                        input.input.w-label data-name aria-label=(t.js.prompts.name_it) placeholder=(t.js.prompts.name_it) autocomplete="off" spellcheck="false" autocapitalize="off";
                        button.btn.btn-sm type="button" data-save { (p.save_as) }
                        a.end data-open { (p.open_prompt) }
                    }
                }
                div.try-out.side-out role="region" tabindex="0" {
                    p.dim data-wait { (p.waiting) }
                    details.aside data-thinking hidden { summary { (t.js.prompts.thinking) } p.soft.pre data-thought {} }
                    article.prose data-answer aria-live="polite" hidden {}
                    div.stack.stack-sm data-calls {}
                    div.stack.stack-sm data-notes {}
                    div.turn-meta data-meta hidden {}
                }
            }
        }
    }
}
