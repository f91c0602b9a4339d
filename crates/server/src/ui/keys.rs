//! The page on keys: who may call, for how much, and what they used. Everything works without a script.

use super::format;
use super::icon::Icon;
use super::key_form::key_form;
use super::shell::{Page, Room, Section, copy_button, csrf, document, note};
use super::text::fill;
use super::view_gateway::{BudgetView, CreatedKey, KeyRow, KeyState, KeysView};
use maud::{Markup, html};

/// The command that makes a key.
pub(super) const COMMAND: &str = "hanok keys create NAME";
/// From this share on a budget is nearly used up.
const NEAR: f64 = 0.8;

/// The page on keys.
pub fn keys_page(page: &Page, view: &KeysView) -> Markup {
    let t = &page.texts().gateway;
    document(
        page,
        &Room {
            title: t.keys,
            section: Section::Keys,
            class: "",
            scripts: &["keys.js"],
            above: None,
            heading: html! { (t.keys) },
            actions: html! {
                @if view.may_manage { a.btn #new-key href="#name" { (Icon::Plus.draw()) (t.new_key) " " kbd.desk { "N" } } }
            },
            main: html! {
                div.stack {
                    @if let Some(created) = &view.created { (created_key(page, created)) }
                    @if view.keys.is_empty() { (nothing(page)) } @else {
                        p.finding { (finding(page, view)) }
                        (figures(page, view))
                        (table(page, view))
                    }
                    @if view.may_manage { (key_form(page, view)) } @else { p.dim { (t.only_admin) } }
                }
            },
        },
    )
}

/// The one time a key is shown.
fn created_key(page: &Page, created: &CreatedKey) -> Markup {
    let t = &page.texts().gateway;
    let use_it = format!(
        "export OPENAI_BASE_URL=http://{}/v1\nexport OPENAI_API_KEY={}",
        page.address, created.secret
    );
    html! {
        section.panel.made #made aria-labelledby="made-title" {
            header { h2 #made-title { (Icon::Key.draw()) (fill(t.created_title, &[("name", &created.name)])) } }
            div.in.stack.stack-sm {
                div.secret {
                    code #secret { (created.secret) }
                    button.btn.btn-main type="button" data-copy=(created.secret) autofocus { (Icon::Copy.draw()) (t.copy_key) }
                }
                (note("note-warn", &html! { p { (t.created_hint) } @if created.first { p { (t.created_first) } } }))
                p.soft { (t.created_use) }
                pre.code { (use_it) (copy_button(page.texts().copy, &use_it, "btn-sm")) }
                p { a.btn href=(page.to("keys")) { (Icon::Check.draw()) (t.done) } }
            }
        }
    }
}

fn nothing(page: &Page) -> Markup {
    let t = &page.texts().gateway;
    html! {
        section.panel.none {
            p.finding { (t.no_keys) }
            p.soft { (t.no_keys_hint) }
            h2 { (t.why_title) }
            ul.points { li { (t.why_trace) } li { (t.why_budget) } li { (t.why_open) } }
            h2 { (t.cli_title) }
            pre.code { (COMMAND) (copy_button(page.texts().copy_command, COMMAND, "btn-sm")) }
            p.dim { (t.cli_hint) }
        }
    }
}

impl BudgetView {
    fn used(&self) -> f64 {
        let used = (self.spent_usd + self.reserved_usd) / self.limit_usd;
        if used.is_finite() { used } else { 1.0 }
    }
}

fn active(view: &KeysView) -> impl Iterator<Item = &KeyRow> {
    view.keys.iter().filter(|key| key.state == KeyState::Active)
}

fn names_at(view: &KeysView, within: std::ops::Range<f64>) -> Vec<&str> {
    active(view)
        .filter(|key| key.budgets.iter().any(|budget| within.contains(&budget.used())))
        .map(|key| key.name.as_str())
        .collect()
}

fn finding(page: &Page, view: &KeysView) -> String {
    let t = &page.texts().gateway;
    let (spent, near) = (names_at(view, 1.0..f64::INFINITY), names_at(view, NEAR..1.0));
    let say = |text: &str, names: &[&str]| fill(text, &[("names", &names.join(", "))]);
    match (spent.as_slice(), near.as_slice()) {
        ([], []) => match active(view).count() {
            0 => t.no_active.to_owned(),
            n => t.keys_lead.of(n as u64),
        },
        ([], near) => say(t.keys_near, near),
        (spent, _) => say(t.keys_spent, spent),
    }
}

fn figures(page: &Page, view: &KeysView) -> Markup {
    let t = &page.texts().gateway;
    let live = active(view).count();
    let spent: f64 = view.keys.iter().map(|key| key.usage.cost_usd).sum();
    let calls: u64 = view.keys.iter().map(|key| key.usage.calls).sum();
    let unpriced: u64 = view.keys.iter().map(|key| key.usage.unpriced_calls).sum();
    // A call is reserved in every budget it draws on: the largest of a key is its own share.
    let of_key = |key: &KeyRow| {
        let own = key.budgets.iter().filter(|budget| budget.of.is_none());
        own.map(|budget| budget.reserved_usd).fold(0.0, f64::max)
    };
    let reserved: f64 = view.keys.iter().map(of_key).sum();
    let near = names_at(view, NEAR..f64::INFINITY).len();
    html! {
        dl.figures {
            div { dt { (t.active_keys) } dd { (live) } dd { (t.inactive_keys.of((view.keys.len() - live) as u64)) } }
            div { dt { (t.spent_month) } dd { (format::sum(spent)) } dd {
                (t.calls_month.of(calls)) @if unpriced > 0 { ", " span.warn { (t.unpriced_calls.of(unpriced)) } }
            } }
            div { dt { (t.reserved_now) } dd { (format::sum(reserved)) } dd { (t.reserved_hint) } }
            div { dt { (t.near_limit) } dd { (near) } dd { (t.near_hint) } }
        }
    }
}

fn table(page: &Page, view: &KeysView) -> Markup {
    let t = &page.texts().gateway;
    html! {
        div.panel {
            header { h2 #list { (t.keys) } span.dim.end.opt { (t.keys_caption) } }
            div.scroll tabindex="0" role="region" aria-labelledby="list" {
                table.table.cards role="table" {
                    caption.vh { (t.keys_caption) }
                    thead role="rowgroup" { tr role="row" {
                        th role="columnheader" { (t.key) }
                        th role="columnheader" { (t.allowed) }
                        th role="columnheader" { (t.budget) }
                        th role="columnheader" { (t.limits) }
                        th.num role="columnheader" { (t.this_month) }
                        th role="columnheader" { (t.last_used) }
                        th role="columnheader" { (t.state) }
                        @if view.may_manage { th role="columnheader" { span.vh { (t.revoke) } } }
                    } }
                    tbody role="rowgroup" { @for key in &view.keys { (row(page, view, key)) } }
                }
            }
        }
    }
}

fn row(page: &Page, view: &KeysView, key: &KeyRow) -> Markup {
    let t = &page.texts().gateway;
    let works = key.state == KeyState::Active;
    html! {
        tr.gone[!works] role="row" {
            td.wide.named role="cell" {
                div.row.row-tight { span.strong { (key.name) } @if key.admin { span.badge { (t.admin) } } }
                div.meta.nowrap { span.mono { (key.hint) } } div.meta { (key.project) }
            }
            td.allowed role="cell" data-label=(t.allowed) {
                @if key.models.is_empty() { span.dim { (t.all_models) } } @else { span.any { (key.models.join(", ")) } }
            }
            td.budget role="cell" data-label=(t.budget) {
                @if key.budgets.is_empty() { span.dim { (t.no_budget) } }
                @for one in &key.budgets { (budget(page, one)) }
            }
            td role="cell" data-label=(t.limits) { (limits(page, key)) }
            td.num role="cell" data-label=(t.this_month) {
                div { (format::sum(key.usage.cost_usd)) }
                div.meta { (t.usage.of(key.usage.calls)) ", " (fill(t.tokens, &[("n", &format::tokens(key.usage.tokens))])) }
                @if key.usage.unpriced_calls > 0 { div.meta.warn { (t.unpriced_calls.of(key.usage.unpriced_calls)) } }
            }
            td.nowrap role="cell" data-label=(t.last_used) {
                @match key.last_used_at { Some(at) => { (format::moment(at)) } None => { span.dim { (t.never) } } }
                div.meta { (around(t.created, "day", &format::day(key.created_at))) }
            }
            td.nowrap role="cell" data-label=(t.state) { (state(page, key)) }
            @if view.may_manage { td.act role="cell" { @if works { (revoke(page, key)) } } }
        }
    }
}

/// A text with an element where `{name}` stands.
fn around(text: &str, name: &str, element: &Markup) -> Markup {
    let (before, after) = text.split_once(&format!("{{{name}}}")).unwrap_or((text, ""));
    html! { (before) (element) (after) }
}

fn budget(page: &Page, budget: &BudgetView) -> Markup {
    let t = &page.texts().gateway;
    let limit = budget.limit_usd.max(f64::MIN_POSITIVE);
    let (spent, used) = (budget.spent_usd / limit, budget.used());
    let class = if used >= 1.0 {
        "full"
    } else if used >= NEAR {
        "near"
    } else {
        "fine"
    };
    let line = fill(
        t.spent_of,
        &[
            ("spent", &format::sum(budget.spent_usd)),
            ("limit", &format::sum(budget.limit_usd)),
            ("period", t.period(budget.period)),
        ],
    );
    html! {
        div.spending.(class) {
            div.nowrap {
                (line)
                @if used >= 1.0 { " " span.badge.b-err { (t.spent_up) } } @else if used >= NEAR { " " span.badge.b-warn { (format::portion(used)) } }
            }
            svg.bar height="6" aria-hidden="true" {
                rect.bg width="100%" height="6" rx="1" {}
                rect.held width=(format::percent(used)) height="6" rx="1" {}
                rect.spent width=(format::percent(spent)) height="6" rx="1" {}
            }
            @if budget.reserved_usd > 0.0 || budget.of.is_some() { div.meta {
                @if let Some(of) = &budget.of { (fill(t.budget_of, &[("name", of)])) }
                @if budget.reserved_usd > 0.0 {
                    @if budget.of.is_some() { ", " }
                    (fill(t.reserved, &[("sum", &format::sum(budget.reserved_usd))]))
                }
            } }
        }
    }
}

fn limits(page: &Page, key: &KeyRow) -> Markup {
    let t = &page.texts().gateway;
    let lines = [
        key.requests_per_min.map(|n| t.requests_min.of(n)),
        key.tokens_per_min.map(|n| fill(t.tokens_min, &[("n", &format::tokens(n))])),
        key.concurrent.map(|n| fill(t.concurrent, &[("n", &format::count(n))])),
    ];
    let mut lines = lines.into_iter().flatten().peekable();
    html! {
        @if lines.peek().is_none() { span.dim { (t.no_limits) } }
        @for line in lines { div.meta.nowrap { (line) } }
    }
}

fn state(page: &Page, key: &KeyRow) -> Markup {
    let t = &page.texts().gateway;
    let (class, word) = match key.state {
        KeyState::Active => ("b-ok", t.active),
        KeyState::Expired => ("b-warn", t.expired),
        KeyState::Revoked { .. } => ("b-err", t.revoked),
    };
    let when = match (key.state, key.expires_at) {
        (KeyState::Active, None) => Some(html! { (t.no_end) }),
        (KeyState::Active, Some(at)) => Some(around(t.until, "day", &format::day(at))),
        (KeyState::Expired, at) => at.map(|at| around(t.on, "day", &format::day(at))),
        (KeyState::Revoked { at }, _) => at.map(|at| around(t.on, "day", &format::day(at))),
    };
    html! { span.badge.(class) { (word) } @if let Some(when) = when { div.meta { (when) } } }
}

/// A button that turns into the question before it does anything.
fn revoke(page: &Page, key: &KeyRow) -> Markup {
    let t = &page.texts().gateway;
    let action = page.to(&format!("keys/{}/revoke", format::url_encode(&key.id)));
    html! {
        details.confirm name="revoke" {
            summary.btn.btn-quiet.btn-sm {
                span.shut { (t.revoke) span.vh { " " (key.name) } }
                span.open { (t.cancel) }
            }
            form method="post" action=(action) {
                (csrf(page))
                p { strong { (fill(t.revoke_ask, &[("name", &key.name)])) } " " span.soft { (t.revoke_hint) } }
                button.btn.btn-danger.btn-sm type="submit" { (t.revoke) }
            }
        }
    }
}
