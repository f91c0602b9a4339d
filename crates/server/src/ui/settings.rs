//! Settings: how it looks in this browser, and what the server keeps, each with the way to change it.

use super::format;
use super::shell::{Page, Room, Section, Theme, copy_button, document, with_code};
use super::text::Lang;
use super::view_settings::{RecordsView, Setting, SettingsView};
use maud::{Markup, html};

/// The page on settings.
pub fn settings_page(page: &Page, view: &SettingsView) -> Markup {
    let t = page.texts();
    let r = &t.records;
    document(
        page,
        &Room {
            title: r.settings,
            section: Section::Settings,
            class: "",
            scripts: &["settings.js"],
            above: None,
            heading: html! { (r.settings) },
            actions: html! {},
            main: html! {
                div.stack.settings {
                    p.soft { (with_code(r.settings_lead, "file", &view.file)) }
                    (browser(page))
                    @if let Some(records) = &view.records { (kept(page, records)) } @else { p.dim { (r.admins_only) } }
                }
            },
        },
    )
}

/// What this browser remembers.
fn browser(page: &Page) -> Markup {
    let t = page.texts();
    let r = &t.records;
    let now = |is: bool| is.then_some("true");
    html! {
        section.panel {
            header { h2 { (r.yours) } }
            dl.kv.in {
                dt { (t.theme) }
                dd { div.seg role="group" aria-label=(t.theme) {
                    @for theme in [Theme::System, Theme::Light, Theme::Dark] { a href=(page.with("theme", theme.as_str())) aria-current=[now(page.theme == theme)] { (t.theme_name(theme)) } }
                } }
                dt { (t.language) }
                dd { div.seg role="group" aria-label=(t.language) {
                    @for lang in [Lang::En, Lang::Ko] { a href=(page.with("lang", lang.as_str())) lang=(lang.as_str()) hreflang=(lang.as_str()) aria-current=[now(page.lang == lang)] { (lang.own_name()) } }
                } }
                dt #letters-label { (r.single_keys) }
                dd {
                    div.seg role="group" aria-labelledby="letters-label" #letters {
                        button type="button" data-letters="on" aria-pressed="true" { (r.on) }
                        button type="button" data-letters="off" aria-pressed="false" { (r.off) }
                    }
                    p.hint.dim { (r.single_keys_hint) }
                }
            }
        }
    }
}

fn kept(page: &Page, view: &RecordsView) -> Markup {
    let r = &page.texts().records;
    let size = format::bytes(view.file_bytes);
    html! {
        section.panel {
            header { h2 { (r.records) } }
            dl.kv.in {
                dt { (r.stored) }
                dd { (r.traces_stored.of(view.traces)) ", " (r.spans_stored.of(view.spans)) ", " (size) p.hint.dim.mono { (view.folder) } }
                @if let Some(set) = &view.retention { (setting(page, r.retention, set, r.retention_none)) }
                @if let Some(set) = &view.redaction { (setting(page, r.redaction, set, r.redaction_none)) }
                @if let Some(set) = &view.payloads { (setting(page, r.payloads, set, r.payloads_all)) }
                @if let Some(backup) = &view.backup {
                    dt { (r.backup) }
                    dd {
                        @if let Some((at, place)) = &backup.last { (format::moment(*at)) " " span.mono { (place) } } @else { (r.backup_none) }
                        (change(page, &backup.command))
                        p.hint.dim { (r.backup_hint) }
                    }
                }
            }
        }
    }
}

fn setting(page: &Page, name: &str, setting: &Setting, none: &str) -> Markup {
    html! {
        dt { (name) }
        dd {
            @if setting.now.is_empty() { (none) } @else { ul.points { @for line in &setting.now { li { (line) } } } }
            (change(page, &setting.change))
        }
    }
}

fn change(page: &Page, lines: &str) -> Markup {
    let r = &page.texts().records;
    html! { @if !lines.is_empty() {
        details.aside { summary.dim { (r.how_to_change) } pre.code { (lines) (copy_button(r.copy_lines, lines, "btn-sm")) } }
    } }
}
