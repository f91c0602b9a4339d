//! The page on models: which targets take calls, what they take in time and money, and a field to try one.

use super::ask::curl_line;
use super::format;
use super::icon::Icon;
use super::shell::{Page, Room, Section, document, note};
use super::text::fill;
use super::view::PricesView;
use super::view_gateway::{
    ConfigProblem, Health, ModelsView, ProviderKey, ProviderView, RouteView, Strategy, TargetView,
};
use maud::{Markup, html};

/// The page on models.
pub fn models_page(page: &Page, view: &ModelsView) -> Markup {
    let t = &page.texts().gateway;
    let targets = targets(view);
    document(
        page,
        &Room {
            title: t.models,
            section: Section::Models,
            class: "",
            scripts: &["models.js"],
            above: None,
            heading: html! { (t.models) },
            actions: html! { a.btn href="#try" data-try="" { (Icon::Command.draw()) (t.try_it) } },
            main: html! {
                div.stack {
                    div.stack #state {
                        @if let Some(problem) = &view.config_problem { (config_problem(page, problem)) }
                        @if targets.is_empty() { (nothing(page)) } @else {
                            p.finding { (finding(page, &targets)) }
                            (figures(page, view, &targets))
                            (table(page, &view.routes))
                        }
                        @if !view.providers.is_empty() { (providers(page, &view.providers)) }
                    }
                    (try_it(page, view))
                }
            },
        },
    )
}

/// Every target once, however many routes name it.
fn targets(view: &ModelsView) -> Vec<&TargetView> {
    let mut all: Vec<&TargetView> = Vec::new();
    for target in view.routes.iter().flat_map(|route| &route.targets) {
        if !all.iter().any(|known| known.provider == target.provider && known.model == target.model) {
            all.push(target);
        }
    }
    all
}

impl Health {
    fn is_up(self) -> bool {
        matches!(self, Self::Ok | Self::Untried)
    }

    fn is_down(self) -> bool {
        matches!(self, Self::Open { .. } | Self::NoKey)
    }
}

fn config_problem(page: &Page, problem: &ConfigProblem) -> Markup {
    let t = &page.texts().gateway;
    note(
        "note-err",
        &html! {
            p.strong { (fill(t.config_kept, &[("file", &problem.file)])) }
            p.mono.pre { (problem.message) }
            p.dim { @if let Some(at) = problem.at { (format::clock(at, true)) " · " } (t.config_hint) }
        },
    )
}

fn nothing(page: &Page) -> Markup {
    let t = &page.texts().gateway;
    html! { section.panel.nothing { p.strong { (t.no_targets) } p.dim { (t.no_targets_hint) } } }
}

fn finding(page: &Page, targets: &[&TargetView]) -> String {
    let t = &page.texts().gateway;
    let named = |of: fn(Health) -> bool| -> Vec<String> {
        targets.iter().filter(|target| of(target.health)).map(|target| full_name(target)).collect()
    };
    let (down, waiting) = (named(Health::is_down), named(|health| !health.is_up() && !health.is_down()));
    let all = count(targets.len());
    let say = |text: &str, names: &[String]| {
        let first: Vec<&str> = names.iter().take(3).map(String::as_str).collect();
        let shown = first.join(", ") + if names.len() > first.len() { ", …" } else { "" };
        fill(text, &[("n", &count(names.len())), ("all", &all), ("names", &shown)])
    };
    if !down.is_empty() {
        say(t.down, &down)
    } else if !waiting.is_empty() {
        say(t.waiting, &waiting)
    } else {
        t.all_up.of(targets.len() as u64)
    }
}

fn full_name(target: &TargetView) -> String {
    format!("{}/{}", target.provider, target.model)
}

fn count(n: usize) -> String {
    format::count(n as u64)
}

fn figures(page: &Page, view: &ModelsView, targets: &[&TargetView]) -> Markup {
    let t = &page.texts().gateway;
    let up = targets.iter().filter(|target| target.health.is_up()).count();
    let unpriced = targets.iter().filter(|target| target.unpriced()).count();
    let attempts: u64 = targets.iter().map(|target| target.calls).sum();
    html! {
        dl.figures {
            div { dt { (t.targets_up) } dd { (count(up)) } dd { (fill(t.of_all, &[("n", &count(targets.len()))])) } }
            div {
                dt { (t.errors_hour) }
                dd { (format::count(view.errors)) }
                dd {
                    @if attempts > 0 { (fill(t.of_calls, &[("share", &format::share(view.errors, attempts))])) }
                    @if let Some(recovered) = view.recovered.filter(|n| *n > 0) { ", " (t.recovered.of(recovered)) }
                }
            }
            div { dt { (t.calls_min) } dd { (per_minute(view.calls_per_min)) } dd { (t.calls_hour.of(view.calls)) } }
            div {
                dt { (t.unpriced_targets) }
                dd { (count(unpriced)) }
                dd { @if unpriced == 0 { (t.all_priced) } @else { (t.unpriced_hint) } }
            }
        }
    }
}

fn per_minute(rate: f64) -> String {
    match rate {
        _ if !rate.is_finite() || rate <= 0.0 => "0".to_owned(),
        _ if rate < 99.95 => format!("{rate:.1}"),
        _ => format!("{rate:.0}"),
    }
}

fn table(page: &Page, routes: &[RouteView]) -> Markup {
    let t = &page.texts().gateway;
    html! {
        div.panel {
            header { h2 #targets { (t.targets) } span.dim.end.opt { (t.targets_caption) } }
            div.scroll tabindex="0" role="region" aria-labelledby="targets" {
                table.table.cards.three role="table" {
                    caption.vh { (t.targets) ". " (t.targets_caption) }
                    thead role="rowgroup" { tr role="row" {
                        th role="columnheader" { (t.target) }
                        th role="columnheader" { (t.health) }
                        th.num role="columnheader" { (t.latency) }
                        th.num role="columnheader" { (t.first_token) }
                        th.num role="columnheader" { (t.errors) }
                        th.num role="columnheader" { (t.calls) }
                        th.num role="columnheader" { (t.at_once) }
                        th.num role="columnheader" { (t.price) }
                        th role="columnheader" { span.vh { (t.try_it) } }
                    } }
                    @for route in routes { tbody role="rowgroup" {
                        (route_head(page, route))
                        @for target in &route.targets { (target_row(page, target)) }
                    } }
                }
            }
        }
    }
}

fn route_head(page: &Page, route: &RouteView) -> Markup {
    let t = &page.texts().gateway;
    html! {
        tr.group role="row" {
            th colspan="8" scope="rowgroup" role="rowheader" { div.row {
                @if route.strategy == Strategy::Direct { span.strong { (t.direct) } } @else {
                    span.strong { (route.name) }
                    span.soft { (t.strategy(route.strategy)) }
                    @if route.sticky { span.badge { (t.sticky) } }
                }
            } }
            td.act role="cell" { @if route.strategy != Strategy::Direct { (try_link(page, &route.name)) } }
        }
    }
}

/// Puts a model into the field of "Try it".
fn try_link(page: &Page, name: &str) -> Markup {
    let t = &page.texts().gateway;
    html! {
        a href={ (page.with("model", name)) "#try" } data-try=(name) { (t.try_short) span.vh { " " (name) } }
    }
}

fn target_row(page: &Page, target: &TargetView) -> Markup {
    let t = &page.texts().gateway;
    let abilities: Vec<&str> = target.capabilities.iter().map(|one| t.capability(*one)).collect();
    let full = target.limit.is_some_and(|limit| target.running >= limit);
    let failing = target.errors > 0 && target.errors.saturating_mul(20) >= target.calls;
    html! {
        tr role="row" {
            td.wide.target role="cell" {
                div.row.row-tight {
                    span { (target.provider) "/" span.strong { (target.model) } }
                    @if let Some(share) = target.share { span.badge { (fill(t.share_of, &[("share", &format::portion(share))])) } }
                }
                @if let Some(rule) = &target.rule { div.meta.mono { (rule) } }
                @if !abilities.is_empty() { div.meta { (abilities.join(", ")) } }
            }
            td.wide.health role="cell" {
                (health(page, target.health))
                @if let Some(error) = target.last_error.as_deref().filter(|_| !target.health.is_up()) {
                    div.meta.bad.said { (format::cut(error, 160)) }
                }
            }
            td.num role="cell" data-label=(t.latency) { (pair(target.p50_ms, target.p95_ms)) }
            td.num role="cell" data-label=(t.first_token) { (pair(target.ttft_p50_ms, target.ttft_p95_ms)) }
            td.num.bad[failing] role="cell" data-label=(t.errors) { (format::share(target.errors, target.calls)) }
            td.num role="cell" data-label=(t.calls) { (format::count(target.calls)) }
            td.num.strong[full] role="cell" data-label=(t.at_once) {
                (format::count(target.running)) @if let Some(limit) = target.limit { " / " (format::count(limit)) }
            }
            td.num role="cell" data-label=(t.price) { (price(page, target)) }
            td.act role="cell" { @if target.chats() { (try_link(page, &full_name(target))) } }
        }
    }
}

fn health(page: &Page, health: Health) -> Markup {
    let t = &page.texts().gateway;
    let (class, word, breaker) = match health {
        Health::Ok => ("b-ok", t.ok, Some(t.closed.to_owned())),
        Health::Untried => ("", t.untried, None),
        Health::Cooling { seconds } => {
            ("b-warn", t.cooling, Some(fill(t.retry_in, &[("n", &format::count(seconds))])))
        }
        Health::Probing => ("b-warn", t.probing, Some(t.half_open.to_owned())),
        Health::Open { seconds } => {
            ("b-err", t.open, Some(fill(t.probe_in, &[("n", &format::count(seconds))])))
        }
        Health::NoKey => ("b-err", t.no_key, None),
    };
    html! {
        span.row.row-tight {
            span.badge.(class) { (word) }
            @if let Some(breaker) = breaker { span.meta { (breaker) } }
        }
    }
}

fn pair(middle: Option<f64>, high: Option<f64>) -> Markup {
    let one = |ms: Option<f64>| ms.map_or_else(|| "–".to_owned(), format::seconds);
    html! {
        @if middle.is_none() && high.is_none() { span.dim { "–" } } @else { (one(middle)) span.dim { " / " (one(high)) } }
    }
}

fn price(page: &Page, target: &TargetView) -> Markup {
    let t = &page.texts().gateway;
    let one = |usd: Option<f64>| usd.map_or_else(|| "?".to_owned(), format::price);
    html! {
        @if target.local { span.dim { (t.local) } }
        @else if target.unpriced() { span.badge.b-warn { (t.unpriced) } }
        @else if let Some(PricesView { input, output, .. }) = target.prices { (one(input)) span.dim { " / " (one(output)) } }
    }
}

fn providers(page: &Page, providers: &[ProviderView]) -> Markup {
    let t = &page.texts().gateway;
    html! {
        div.panel {
            header { h2 #providers { (t.providers) } }
            div.scroll tabindex="0" role="region" aria-labelledby="providers" {
                table.table.cards role="table" {
                    caption.vh { (t.providers_caption) }
                    thead role="rowgroup" { tr role="row" {
                        th role="columnheader" { (page.texts().provider) }
                        th role="columnheader" { (t.dialect) }
                        th role="columnheader" { (t.base_url) }
                        th role="columnheader" { (t.provider_key) }
                        th.num role="columnheader" { (t.offered) }
                        th role="columnheader" { (t.last_error) }
                    } }
                    tbody role="rowgroup" { @for provider in providers { tr role="row" {
                        td.wide.strong role="cell" { (provider.name) }
                        td role="cell" data-label=(t.dialect) { (provider.dialects.join(", ")) }
                        td.wide role="cell" data-label=(t.base_url) { span.mono.soft.any { (provider.base_url) } }
                        td role="cell" data-label=(t.provider_key) { (provider_key(page, &provider.key)) }
                        td.num role="cell" data-label=(t.offered) {
                            @match provider.models { Some(n) => { (format::count(n)) } None => { span.dim { "–" } } }
                        }
                        td.wide role="cell" data-label=(t.last_error) {
                            @match &provider.last_error {
                                Some((error, at)) => { span.dim { (format::clock(*at, true)) } " " span.bad { (format::cut(error, 200)) } }
                                None => { span.dim { (t.no_error) } }
                            }
                        }
                    } } }
                }
            }
        }
    }
}

fn provider_key(page: &Page, key: &ProviderKey) -> Markup {
    let t = &page.texts().gateway;
    let named =
        |text: &str, name: &str| html! { span.meta { (super::shell::with_code(text, "name", name)) } };
    html! {
        @match key {
            ProviderKey::NotNeeded => { span.dim { (t.key_not_needed) } }
            ProviderKey::Present(None) => { (t.key_set) }
            ProviderKey::Present(Some(name)) => { (named(t.key_there, name)) }
            ProviderKey::Missing(None) => { span.badge.b-err { (t.no_key) } }
            ProviderKey::Missing(Some(name)) => { span.row.row-tight { span.badge.b-err { (t.no_key) } (named(t.key_missing, name)) } }
        }
    }
}

fn try_it(page: &Page, view: &ModelsView) -> Markup {
    let (t, all) = (&page.texts().gateway, page.texts());
    let chosen =
        view.chosen.as_deref().or_else(|| view.models.first().map(String::as_str)).unwrap_or_default();
    let body =
        serde_json::json!({ "model": chosen, "messages": [{ "role": "user", "content": t.prompt_example }] });
    html! {
        section.panel #try aria-labelledby="try-title" {
            header { h2 #try-title { (t.try_it) } }
            div.try {
                form.form #try-form {
                    div.field {
                        label for="try-model" { (all.model) }
                        input.input #try-model name="model" list="try-models" value=(chosen) required autocomplete="off" spellcheck="false" autocapitalize="off";
                        datalist #try-models { @for model in &view.models { option value=(model) {} } }
                    }
                    div.field {
                        label for="try-prompt" { (t.prompt) }
                        textarea.input #try-prompt name="prompt" rows="4" required aria-describedby="try-hint" { (t.prompt_example) }
                        p.hint #try-hint { (t.prompt_hint) }
                    }
                    div.row {
                        button.btn.btn-main #try-send type="submit" { (Icon::Send.draw()) (all.js.send) }
                        button.btn #try-stop type="button" hidden { (Icon::Stop.draw()) (all.js.stop) " " kbd.desk { "Esc" } }
                        span.dim #try-state role="status" {}
                    }
                    noscript { div.stack.stack-sm { (note("note-warn", &html! { (t.try_no_script) })) pre.code { (curl_line(page, &body.to_string())) } } }
                }
                div.try-out role="region" aria-label=(t.try_result) tabindex="0" {
                    p.dim #try-wait { (t.try_waiting) }
                    article.prose #try-answer aria-live="polite" hidden {}
                    div.stack.stack-sm #try-notes {}
                    div.turn-meta #try-meta hidden {}
                }
            }
        }
    }
}
