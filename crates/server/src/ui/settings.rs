//! Settings: how it looks in this browser, and what the server keeps, each with the way to change it.

use super::format;
use super::shell::{Page, Room, Section, Theme, copy_button, document, with_code};
use super::text::{Lang, fill};
use super::view_settings::{KeptView, RecordsView, RetentionView, SettingsView};
use hanok_base::Payloads;
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
                (retention(page, &view.retention))
                (redaction(page, view))
                (payloads(page, view))
                (sampling(page, view))
                dt { (r.backup) }
                dd {
                    @if let Some((at, place, bytes)) = &view.backup.last { (format::moment(*at)) ", " (format::bytes(*bytes)) p.hint.dim.mono { (place) } } @else { (r.backup_none) }
                    pre.code { (view.backup.command) (copy_button(page.texts().copy_command, &view.backup.command, "btn-sm")) }
                    p.hint.dim { (r.backup_hint) }
                }
            }
        }
    }
}

fn retention(page: &Page, view: &RetentionView) -> Markup {
    let r = &page.texts().records;
    let days = |days: f64| fill(r.for_days, &[("days", &days_of(page, days))]);
    html! {
        dt { (r.retention) }
        dd {
            @if view.days.is_none() && view.projects.is_empty() && view.most_bytes.is_none() { (r.retention_none) } @else {
                ul.points {
                    li { @if let Some(age) = view.days { (days(age)) } @else { (r.kept_for_ever) } }
                    @for (name, age) in &view.projects { li { (of_project(page, name)) (days(*age)) } }
                    @if let Some(most) = view.most_bytes { li { (fill(r.at_most, &[("size", &format::bytes(most))])) } }
                }
            }
            @if let Some((at, traces)) = view.last { p.hint.dim { (r.last_removed) " " (format::moment(at)) ", " (r.traces_stored.of(traces)) } }
            (change(page, "[retention]\ndays = 90\nmax_size = \"20GB\"\n\n[projects.web.retention]\ndays = 30"))
        }
    }
}

fn redaction(page: &Page, view: &RecordsView) -> Markup {
    let r = &page.texts().records;
    let said = |kept: &KeptView| {
        html! {
            @if kept.secrets { (r.secrets_replaced) } @else { (r.secrets_stay) } " "
            @if kept.pii.is_empty() { (r.pii_stays) } @else {
                (r.pii_replaced) " "
                @for (at, kind) in kept.pii.iter().enumerate() { @if at > 0 { ", " } (r.pii(kind)) } "."
            }
        }
    };
    let differs = |kept: &KeptView| kept.secrets != view.kept.secrets || kept.pii != view.kept.pii;
    setting(
        page,
        r.redaction,
        view,
        &said,
        &differs,
        "[redaction]\nsecrets = true\npii = [\"email\", \"phone_kr\", \"rrn_kr\", \"card\"]",
    )
}

fn payloads(page: &Page, view: &RecordsView) -> Markup {
    let r = &page.texts().records;
    let said = |kept: &KeptView| {
        html! { (match kept.payloads {
            Payloads::On => r.payloads_all,
            Payloads::Errors => r.payloads_errors,
            Payloads::Off => r.payloads_none,
        }) }
    };
    let differs = |kept: &KeptView| kept.payloads != view.kept.payloads;
    setting(page, r.payloads, view, &said, &differs, "[projects.web]\npayloads = \"errors\"")
}

fn sampling(page: &Page, view: &RecordsView) -> Markup {
    let r = &page.texts().records;
    let said = |kept: &KeptView| {
        html! { @if kept.rate >= 1.0 { (r.sampled_all) } @else {
            (fill(r.sampled, &[("share", &format::portion(kept.rate))]))
            @if !kept.always.is_empty() { " " (r.sampled_always) @for rule in &kept.always { " " code { (rule) } } }
        } }
    };
    let differs =
        |kept: &KeptView| (kept.rate - view.kept.rate).abs() > 1e-9 || kept.always != view.kept.always;
    setting(
        page,
        r.sampling,
        view,
        &said,
        &differs,
        "[sampling]\nrate = 0.1\nkeep = [\"errors\", \"slow>10s\", \"cost>0.1\"]",
    )
}

/// What holds for all, then the projects for which something else does.
fn setting(
    page: &Page,
    name: &str,
    view: &RecordsView,
    said: &dyn Fn(&KeptView) -> Markup,
    differs: &dyn Fn(&KeptView) -> bool,
    lines: &str,
) -> Markup {
    let own: Vec<_> = view.projects.iter().filter(|(_, kept)| differs(kept)).collect();
    html! {
        dt { (name) }
        dd {
            @if own.is_empty() { (said(&view.kept)) } @else {
                ul.points {
                    li { (said(&view.kept)) }
                    @for (name, kept) in own { li { (of_project(page, name)) (said(kept)) } }
                }
            }
            (change(page, lines))
        }
    }
}

fn of_project(page: &Page, name: &str) -> Markup {
    html! { span.soft { (page.texts().records.project) " " strong { (name) } ": " } }
}

/// `30 days`, `0.5 days`.
fn days_of(page: &Page, days: f64) -> String {
    let one = (days - 1.0).abs() < 1e-9;
    let days_text = page.texts().records.days;
    let form = if one { days_text.one } else { days_text.many };
    form.replace("{n}", &format::measure(days))
}

fn change(page: &Page, lines: &str) -> Markup {
    let r = &page.texts().records;
    html! { details.aside { summary.dim { (r.how_to_change) } pre.code { (lines) (copy_button(r.copy_lines, lines, "btn-sm")) } } }
}
