//! What can be done by name and by key: the palette of commands, and the list of keys.

use super::icon::Icon;
use super::shell::{Page, entries};
use super::text::Texts;
use maud::{Markup, html};

/// The commands, found by their names.
pub(super) fn palette(page: &Page) -> Markup {
    let t = page.texts();
    let errors = page.to("traces?filter=status%3Aerror");
    let other = page.lang.other();
    html! {
        div.palette #palette popover {
            input #palette-q role="combobox" aria-expanded="true" aria-controls="palette-list" aria-autocomplete="list"
                aria-label=(t.commands) placeholder=(t.command_hint) autocomplete="off" spellcheck="false";
            ul #palette-list role="listbox" aria-label=(t.commands) {
                li #cmd-new role="option" data-do="new" data-to=(page.root) {
                    (Icon::Ask.draw()) span { (t.new_question) } kbd { "N" }
                }
                @for (_, to, name, icon, key) in entries(page).iter().flatten().skip(1) {
                    li id={ "cmd-" (key) } role="option" data-to=(to) {
                        (icon.draw()) span { (name) } span.row { kbd { "G" } kbd { (key) } }
                    }
                }
                li #cmd-sessions role="option" data-to=(page.to("sessions")) { (Icon::Ask.draw()) span { (t.records.sessions) } span {} }
                li #cmd-search role="option" data-to=(page.to("search")) { (Icon::Find.draw()) span { (t.knowledge.search_documents) } span {} }
                @if page.is_admins() {
                    li #cmd-compare role="option" data-to=(page.to("experiments/compare")) { (Icon::Scale.draw()) span { (t.evals.compare_two) } span {} }
                    li #cmd-datasets role="option" data-to=(page.to("datasets")) { (Icon::Scale.draw()) span { (t.evals.datasets) } span {} }
                }
                @for (to, name, key) in [("judges", t.judges.judges, "J"), ("annotation", t.annotation.annotation, "L")] {
                    li id={ "cmd-" (to) } role="option" data-to=(page.to(to)) data-key=(key) {
                        (Icon::Scale.draw()) span { (name) } span.row { kbd { "G" } kbd { (key) } }
                    }
                }
                li #cmd-playground role="option" data-to=(page.to("playground")) { (Icon::Prompt.draw()) span { (t.prompts.playground) } span {} }
                li #cmd-errors role="option" data-to=(errors) {
                    (Icon::Traces.draw()) span { (t.errors_only) } span.mono.dim { "status:error" }
                }
                li #cmd-curl role="option" data-do="curl" data-needs="[data-curl]" {
                    (Icon::Copy.draw()) span { (t.copy_curl) } kbd { "Y" }
                }
                li #cmd-live role="option" data-do="live" data-needs="#live" {
                    (Icon::Live.draw()) span { (t.toggle_live) } kbd { "L" }
                }
                li #cmd-theme role="option" data-do="theme" {
                    (Icon::Theme.draw()) span { (t.theme) } span.dim data-theme-name { (t.theme_name(page.theme)) }
                }
                li #cmd-lang role="option" data-to=(page.with("lang", other.as_str())) {
                    (Icon::Language.draw()) span { (t.language) } span.dim lang=(other.as_str()) { (other.own_name()) }
                }
                @if let Some(viewer) = &page.viewer {
                    li #cmd-out role="option" data-do="out" {
                        (Icon::Out.draw()) span { (t.gateway.sign_out) } span.dim { (viewer.key) }
                    }
                }
            }
        }
    }
}

/// The keys.
pub(super) fn keys(t: &Texts) -> Markup {
    let rows: [(&[&str], &str); 13] = [
        (&["mod"], t.commands),
        (&["/"], t.key_filter),
        (&["G", "A", "T", "C", "M", "K", "P", "E", "J", "L", "Y", "S"], t.key_go),
        (&["J", "K"], t.key_move),
        (&["O"], t.key_open),
        (&["H", "L"], t.key_fold),
        (&["[", "]"], t.key_neighbour),
        (&["E"], t.records.key_error),
        (&["Y"], t.copy_curl),
        (&["L"], t.toggle_live),
        (&["N"], t.key_new),
        (&["?"], t.key_keys),
        (&["Esc"], t.key_close),
    ];
    html! {
        div.keys #keys popover {
            h2 { (t.keys) }
            dl {
                @for (keys, what) in rows {
                    dt { @for key in keys {
                        @if *key == "mod" { kbd data-mod="K" { "Ctrl K" } } @else { kbd { (key) } }
                    } }
                    dd { (what) }
                }
            }
        }
    }
}
