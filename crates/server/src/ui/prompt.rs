//! One prompt: its text, labels, versions with their figures, and what differs between two of them.

use super::format;
use super::icon::Icon;
use super::knowledge::confirm;
use super::prompt_diff::difference;
use super::prompt_scores;
use super::prompts::{figures, name_of, place, text_field, wrong};
use super::shell::{Page, Room, Section, copy_button, csrf, document, filter_part, note, with_code};
use super::text::fill;
use super::view_prompts::{LabelRow, PromptDraft, PromptPage, VersionFigures, VersionRow};
use hanok_prompt::Variable;
use maud::{Markup, html};
use serde_json::Value;

/// One prompt.
pub fn prompt_page(page: &Page, view: &PromptPage) -> Markup {
    let p = &page.texts().prompts;
    let own = place(page, &view.name);
    let edited = if view.filed || view.shown.is_empty() {
        format!("{own}?edit=1")
    } else {
        format!("{own}?at={}&edit=1", view.shown)
    };
    let play = format!("playground?prompt={}&at={}", format::url_encode(&view.name), view.at());
    document(
        page,
        &Room {
            title: &view.name,
            section: Section::Prompts,
            class: "",
            scripts: &["prompt.js"],
            above: Some((page.to("prompts"), p.prompts)),
            heading: html! { (view.name) },
            actions: html! {
                @if view.draft.is_none() {
                    @if !view.shown.is_empty() { a.btn.btn-quiet href=(page.to(&play)) { (Icon::Send.draw()) (p.try_it) } }
                    a.btn.btn-main href=(edited) data-edit-link { (p.edit) }
                }
            },
            main: html! {
                div.stack {
                    (finding(page, view))
                    @if let Some(problem) = &view.problem { (note("note-err", &html! { p.any { (problem) } })) }
                    @for hint in &view.notes { (note("note-warn", &html! { p.any { (hint) } })) }
                    @if !view.shown.is_empty() { (sums(page, view)) }
                    @if let Some(why) = &view.diff_error { (note("note-err", &html! { p.any { (why) } })) }
                    @if let Some(diff) = &view.diff { (difference(page, view, diff)) }
                    @if let Some(draft) = &view.draft { (editor(page, view, draft)) }
                    div.cols {
                        div.stack { @if view.draft.is_none() { (text(page, view)) } (variables(page, view)) }
                        div.stack { (labels(page, view)) @if !view.moves.is_empty() { (history(page, view)) } }
                    }
                    @if !view.versions.is_empty() { (versions(page, view)) }
                    @if let Some(shown) = view.versions.iter().find(|row| row.version == view.shown) {
                        (prompt_scores::panel(page, &view.name, &view.shown, &shown.scores))
                    }
                }
            },
        },
    )
}

impl PromptPage {
    /// What names the shown version: `latest` where the file is it.
    fn at(&self) -> &str {
        if self.filed { "latest" } else { &self.shown }
    }

    /// The version of the file, where one is known.
    fn file_version(&self) -> Option<&str> {
        self.versions.iter().find(|row| row.filed).map(|row| row.version.as_str())
    }
}

/// Where the labels stand, first those that are not at the file.
fn finding(page: &Page, view: &PromptPage) -> Markup {
    let p = &page.texts().prompts;
    let filed = view.file_version();
    let behind = view.labels.iter().filter(|label| filed.is_some_and(|filed| filed != label.version));
    let at = view.labels.iter().filter(|label| filed == Some(label.version.as_str()));
    let mut said: Vec<String> = behind
        .map(|row| fill(p.behind, &[("label", &row.label), ("version", &row.version)]))
        .chain(at.map(|row| fill(p.at_file, &[("label", &row.label)])))
        .take(3)
        .collect();
    if filed.is_none() && view.problem.is_some() {
        said.insert(0, p.file_wrong.to_owned());
    } else if view.labels.is_empty() {
        said.extend(filed.map(|filed| fill(p.file_is, &[("version", filed)])));
        said.push(p.no_label.to_owned());
    }
    html! {
        div {
            p.finding { (said.join(" ")) }
            @if let Some(description) = &view.description { p.soft { (description) } }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "rounded to a few digits")]
fn sums(page: &Page, view: &PromptPage) -> Markup {
    let p = &page.texts().prompts;
    let own = view.versions.iter().find(|row| row.version == view.shown);
    let of = own.map(|row| row.figures).unwrap_or_default();
    let VersionFigures { calls, errors, cost_usd, unpriced, latency_ms } = of;
    let priced = calls.saturating_sub(unpriced);
    let wanted = filter_part("prompt", &format!("{}@{}", view.name, view.shown));
    let traces = page.to(&format!("traces?filter={}", format::url_encode(&wanted)));
    html! {
        dl.figures aria-label=(fill(p.figures_of, &[("version", &view.shown)])) {
            div { dt { (p.version) } dd.mono { (view.shown) } dd { @if let Some(row) = own {
                @if row.filed { span.badge { (p.in_file) } " " }
                @for label in &row.labels { span.badge.b-acc { (label) } " " }
            } @if !view.filed { a href=(place(page, &view.name)) { (p.back_to_file) } } } }
            div { dt { (p.calls) } dd { (format::count(calls)) } dd { @if calls > 0 { a href=(traces) { (p.its_traces) } } @else { (p.no_calls) } } }
            div { dt { (p.cost) }
                dd { @if priced == 0 { "–" } @else { (format::dollars(cost_usd)) } }
                dd { @if priced > 0 { (fill(p.per_call, &[("cost", &format::dollars(cost_usd / priced as f64))])) }
                    @if unpriced > 0 { " " (p.unpriced.of(unpriced)) } }
            }
            div { dt { (p.median) }
                dd { @match latency_ms { Some([middle, _]) => { (format::duration(middle)) } None => { "–" } } }
                dd { @if let Some([_, high]) = latency_ms { "95 %: " (format::duration(high)) } }
            }
            div { dt { (p.failed) } dd { @if errors > 0 { span.bad { (format::count(errors)) } } @else { "0" } } dd { (p.of_calls.of(calls)) } }
        }
        p.dim { (p.window) }
    }
}

fn text(page: &Page, view: &PromptPage) -> Markup {
    let p = &page.texts().prompts;
    html! {
        section.panel {
            header { h2 #text { (p.text) } span.badge.mono { (view.name) ".prompt" } @if !view.filed && !view.shown.is_empty() { span.badge.b-warn { (p.older) } } }
            div.in.stack {
                pre.code tabindex="0" role="region" aria-label=(p.text) { (view.source) (copy_button(page.texts().copy, &view.source, "btn-sm")) }
                @for (name, text) in &view.partials {
                    details.aside { summary { (p.partials) ": " span.mono { "_" (name) ".prompt" } } pre.code { (text) } }
                }
            }
        }
    }
}

fn variables(page: &Page, view: &PromptPage) -> Markup {
    let p = &page.texts().prompts;
    html! {
        section.panel {
            header { h2 #variables { (p.variables) } }
            @if view.variables.is_empty() { p.in.dim { (p.no_variables) } } @else {
                div.scroll tabindex="0" role="region" aria-labelledby="variables" {
                    table.table.reasons {
                        thead { tr { th { (p.name) } th { (p.kind) } th { (p.what) } } }
                        tbody { @for variable in &view.variables { (variable_row(page, variable)) } }
                    }
                }
            }
        }
    }
}

fn variable_row(page: &Page, variable: &Variable) -> Markup {
    let p = &page.texts().prompts;
    let kind = if variable.choices.is_empty() {
        variable.kind.clone()
    } else {
        variable.choices.iter().map(shown).collect::<Vec<_>>().join(" | ")
    };
    html! {
        tr {
            td.mono { (variable.name) @if variable.required { " " span.badge { (p.required) } } }
            td.soft { (kind) }
            td.soft {
                @if let Some(what) = &variable.description { (what) " " }
                @if let Some(default) = &variable.default { span.dim { (p.default) ": " } span.mono { (format::cut(&shown(default), 120)) } }
            }
        }
    }
}

/// A value as people read it: a text without its quotes.
pub(super) fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

fn editor(page: &Page, view: &PromptPage, draft: &PromptDraft) -> Markup {
    let p = &page.texts().prompts;
    let file = format!("{}.prompt", view.name);
    html! {
        section.panel aria-labelledby="editing" {
            header { h2 #editing { (fill(p.edit_of, &[("file", &file)])) } }
            form.in.stack method="post" action=(place(page, &view.name)) data-edit {
                (csrf(page))
                input type="hidden" name="expected" value=(draft.expected);
                (wrong(page, draft))
                (text_field(page, &draft.source))
                div.row.row-wrap {
                    button.btn.btn-main type="submit" { (p.save) }
                    a.btn.btn-quiet href=(place(page, &view.name)) { (p.cancel) }
                    span.dim { (with_code(p.edit_hint, "file", &file)) }
                }
            }
        }
    }
}

fn labels(page: &Page, view: &PromptPage) -> Markup {
    let p = &page.texts().prompts;
    let called =
        format!("prompt/{}@{}", view.name, view.labels.first().map_or("production", |row| &row.label));
    html! {
        section.panel #labels aria-labelledby="labels-title" {
            header { h2 #labels-title { (p.labels) } }
            div.in.stack {
                p.soft { (with_code(if view.labels.is_empty() { p.labels_none } else { p.labels_hint }, "model", &called)) }
                @for row in &view.labels { (label_row(page, view, row)) }
                @if !view.versions.is_empty() {
                form.knobs.bare method="post" action={ (place(page, &view.name)) "/labels" } {
                    (csrf(page))
                    label.row { span.label { (p.new_label) }
                        input.input.w-label name="label" required maxlength="64" list="usual-labels" autocomplete="off" spellcheck="false" autocapitalize="off";
                    }
                    (version_choice(page, view, None))
                    button.btn type="submit" { (p.set) }
                }
                }
                datalist #usual-labels { @for label in ["production", "staging", "candidate"] {
                    @if !view.labels.iter().any(|row| row.label == label) { option value=(label) {} }
                } }
            }
        }
    }
}

/// To which version a label goes: the shown one, unless it stands there.
fn version_choice(page: &Page, view: &PromptPage, standing: Option<&str>) -> Markup {
    let p = &page.texts().prompts;
    html! {
        label.row { span.label { (p.move_to) }
            select.select name="to" { @for row in &view.versions {
                @if Some(row.version.as_str()) != standing {
                    option value=(row.version) selected[row.version == view.shown] { (row.version) @if row.filed { " (" (p.in_file) ")" } @for label in &row.labels { " " (label) } }
                }
            } }
        }
    }
}

fn label_row(page: &Page, view: &PromptPage, row: &LabelRow) -> Markup {
    let p = &page.texts().prompts;
    let action = format!("{}/labels", place(page, &view.name));
    let others = view.versions.iter().any(|version| version.version != row.version);
    let hidden = html! { (csrf(page)) input type="hidden" name="label" value=(row.label); };
    let back = row.before.as_ref().filter(|before| **before != row.version);
    html! {
        div.label-row {
            p.row.row-wrap {
                span.badge.b-acc { (row.label) } a.mono href={ (place(page, &view.name)) "?at=" (row.version) } { (row.version) }
                @if let Some((at, author)) = &row.moved { span.dim { (format::moment(*at)) ", " (by(page, author)) } }
            }
            div.row.row-wrap {
                @if let Some(back) = back {
                    form method="post" action=(action) { (hidden) input type="hidden" name="to" value=(back); button.btn.btn-sm type="submit" { (fill(p.roll_back, &[("version", back)])) } }
                }
                @if others {
                    form.knobs.bare method="post" action=(action) { (hidden) (version_choice(page, view, Some(&row.version))) button.btn.btn-sm type="submit" aria-label={ (p.move_label) ": " (row.label) } { (p.move_label) } }
                }
                (confirm(p.remove, p.cancel, &fill(p.remove_ask, &[("label", &row.label)]), p.remove_hint, &action, &hidden))
            }
        }
    }
}

/// Who wrote or moved something.
fn by<'a>(page: &Page, author: &'a str) -> &'a str {
    if author == "file" { page.texts().prompts.by_file } else { author }
}

fn history(page: &Page, view: &PromptPage) -> Markup {
    let p = &page.texts().prompts;
    html! {
        section.panel {
            header { h2 #history { (p.history) } }
            div.scroll.short tabindex="0" role="region" aria-labelledby="history" {
                table.table.reasons {
                    caption.vh { (p.history_caption) }
                    thead { tr { th { (p.label) } th { (p.from) } th { (p.to) } th { (p.when) } th.desk { (p.by) } } }
                    tbody { @for one in &view.moves { tr {
                        td { span.badge { (one.label) } }
                        td.mono.soft { (one.from.as_deref().unwrap_or("–")) }
                        td.mono { @if let Some(to) = &one.to { (to) } @else { span.dim { (p.removed) } } }
                        td.dim { (format::moment(one.at)) }
                        td.desk.soft { (by(page, &one.author)) }
                    } } }
                }
            }
        }
    }
}

fn versions(page: &Page, view: &PromptPage) -> Markup {
    let p = &page.texts().prompts;
    let several = view.versions.len() > 1;
    let filed = view.versions.iter().position(|row| row.filed).unwrap_or(0);
    // What is most often wanted: from the version before to the file.
    let picked = |side: &str, n: usize, row: &VersionRow| match &view.diff {
        Some(diff) => row.version == if side == "from" { &*diff.from } else { &*diff.to },
        None => n == if side == "from" { usize::from(filed == 0) } else { filed },
    };
    html! {
        section.panel {
            form method="get" action=(place(page, &view.name)) {
                header.head-wrap.panel-head {
                    h2 #versions { (p.versions) }
                    @if several { span.dim.desk { (p.compare_hint) } button.btn.btn-sm.end type="submit" { (p.compare) } }
                }
                div.scroll tabindex="0" role="region" aria-labelledby="versions" {
                    table.table.two-line {
                        caption.vh { (fill(p.versions_caption, &[("name", &view.name)])) }
                        thead { tr {
                            @if several { th { (p.from) } th { (p.to) } }
                            th { (p.version) } th.desk { (p.made) } th.opt { (p.by) }
                            th.num { (p.calls) } th.num.desk { (p.failed) } th.num.desk { (p.cost) } th.num.desk { (p.latency) } th.desk { (p.scores) }
                        } }
                        tbody { @for (n, row) in view.versions.iter().enumerate() { tr aria-current=[(row.version == view.shown).then_some("true")] {
                            @if several { @for (side, name) in [("from", p.from), ("to", p.to)] {
                                td { input type="radio" name=(side) value=(row.version) aria-label={ (name) " " (row.version) } checked[picked(side, n, row)]; }
                            } }
                            td.nowrap { a href={ (place(page, &view.name)) "?at=" (row.version) } { (name_of(page, row)) } }
                            td.desk.dim { @if let Some((at, _)) = &row.made { (format::moment(*at)) } }
                            td.opt.soft { @if let Some((_, author)) = &row.made { (by(page, author)) } }
                            (figures(&row.figures)) (prompt_scores::cell(page, &row.scores))
                        } } }
                    }
                }
            }
            @if !several { footer { (p.one_version) } }
        }
    }
}
