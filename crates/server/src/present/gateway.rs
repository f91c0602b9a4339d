//! Routes, targets and providers as the page on models shows them.

use crate::House;
use crate::door::Visitor;
use crate::ui::view::PricesView;
use crate::ui::view_gateway::{
    ConfigProblem, Health, ModelsView, ProviderKey, ProviderView, RouteView, Strategy, TargetView,
};
use crate::wire_api::lists::offered;
use hanok_base::{Dialect, Timestamp};
use hanok_gateway::{Entry, Model, ProviderHealth, Strategy as Chosen};
use hanok_trace::TraceStore;
use std::time::Duration;

/// The page on models for this reader; `chosen` is what to try.
pub(crate) async fn models(house: &House, visitor: &Visitor, chosen: Option<String>) -> ModelsView {
    let routes = house.gateway.routes();
    let shown: Vec<RouteView> = routes
        .models()
        .filter(|(name, _)| visitor.key.as_ref().is_none_or(|key| key.check_model(name.as_str()).is_ok()))
        .map(|(name, model)| route(house, name.as_str(), model))
        .collect();
    let problem = house.config_problem.load_full();
    let providers = if visitor.admin { providers(house) } else { Vec::new() };
    let (calls, errors) = last_hour(&house.traces_of(visitor)).await;
    ModelsView {
        config_problem: problem.filter(|_| visitor.admin).map(|problem| ConfigProblem {
            file: problem.file.clone(),
            message: problem.message.clone(),
            at: Some(problem.at),
        }),
        routes: shown,
        providers,
        calls,
        errors,
        recovered: None,
        calls_per_min: per_minute(calls),
        models: offered(house, visitor).await.into_iter().map(|(id, _)| id).collect(),
        chosen,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a rate for people")]
fn per_minute(calls_an_hour: u64) -> f64 {
    calls_an_hour as f64 / 60.0
}

async fn last_hour(traces: &TraceStore) -> (u64, u64) {
    let now = Timestamp::now();
    match traces.rate(now.before(Duration::from_hours(1)), now, 1).await {
        Ok(buckets) => buckets
            .iter()
            .fold((0, 0), |(calls, errors), bucket| (calls + bucket.traces, errors + bucket.errors)),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the last hour could not be read");
            (0, 0)
        }
    }
}

fn route(house: &House, name: &str, model: &Model) -> RouteView {
    let ruled = model.entries.iter().any(|entry| entry.when != hanok_gateway::Rule::default());
    let strategy = match model.strategy {
        Chosen::Order if ruled => Strategy::Rule,
        Chosen::Order => Strategy::Ordered,
        Chosen::Weighted => Strategy::Weighted,
        Chosen::Fastest => Strategy::Fastest,
        Chosen::Cheapest => Strategy::Cheapest,
    };
    let all: f64 = model.entries.iter().map(|entry| entry.weight).sum();
    let share = |entry: &Entry| (strategy == Strategy::Weighted && all > 0.0).then(|| entry.weight / all);
    RouteView {
        name: name.to_owned(),
        strategy,
        sticky: model.sticky,
        targets: model.entries.iter().map(|entry| target(house, entry, share(entry))).collect(),
    }
}

fn target(house: &House, entry: &Entry, share: Option<f64>) -> TargetView {
    let health = entry.target.state.health();
    let (provider, model) = (entry.target.provider.name().as_str(), entry.target.model.as_str());
    let price = house.traces.prices().find(provider, Some(model), None);
    let ms = |time: Duration| time.as_secs_f64() * 1e3;
    let count = |count: usize| u64::try_from(count).unwrap_or(u64::MAX);
    let seconds = health.away.map_or(0, |away| away.as_secs() + 1);
    TargetView {
        provider: provider.to_owned(),
        model: model.to_owned(),
        share,
        rule: rule(entry),
        health: match health.breaker {
            "open" => Health::Open { seconds },
            "half-open" => Health::Probing,
            "cooling" => Health::Cooling { seconds },
            _ if health.calls == 0 => Health::Untried,
            _ => Health::Ok,
        },
        last_error: health.last_error,
        p50_ms: health.whole.map(|(median, _)| ms(median)),
        p95_ms: health.whole.map(|(_, most)| ms(most)),
        ttft_p50_ms: health.first_token.map(|(median, _)| ms(median)),
        ttft_p95_ms: health.first_token.map(|(_, most)| ms(most)),
        calls: count(health.calls),
        errors: count(health.failed),
        running: u64::from(health.inflight),
        limit: entry.max_concurrent.map(count),
        prices: price
            .map(|price| PricesView { input: Some(price.headline().0), output: Some(price.headline().1) }),
        local: price.is_some_and(|price| price.is_free()),
        capabilities: Vec::new(),
    }
}

/// When a target is chosen, as the configuration says it.
fn rule(entry: &Entry) -> Option<String> {
    let when = &entry.when;
    let mut said: Vec<String> = Vec::new();
    if let Some(stream) = when.stream {
        said.push(format!("stream = {stream}"));
    }
    if let Some(tokens) = when.input_over {
        said.push(format!("input > {tokens}"));
    }
    if let Some(tokens) = when.input_under {
        said.push(format!("input ≤ {tokens}"));
    }
    if !when.keys.is_empty() {
        said.push(format!("key = {}", when.keys.join("|")));
    }
    if !when.projects.is_empty() {
        said.push(format!("project = {}", when.projects.join("|")));
    }
    if let Some(dialect) = when.dialect {
        said.push(format!("dialect = {}", dialect.as_str()));
    }
    if let Some(tag) = &when.tag {
        said.push(format!("tag = {tag}"));
    }
    (!said.is_empty()).then(|| said.join(", "))
}

fn providers(house: &House) -> Vec<ProviderView> {
    let routes = house.gateway.routes();
    let info = house.providers.load();
    routes
        .providers()
        .iter()
        .map(|provider| {
            let native = provider.capabilities(&"".into()).native;
            let dialects = Dialect::ALL.into_iter().filter(|dialect| native.contains(*dialect));
            let known = info.iter().find(|known| known.name == provider.name().as_str());
            let (models, last_error) = match house.gateway.catalog().health(provider.name()) {
                ProviderHealth::Listed(count) => (u64::try_from(count).ok(), None),
                ProviderHealth::Failed(error) => (None, Some((error, Timestamp::now()))),
                ProviderHealth::Unknown => (None, None),
            };
            ProviderView {
                name: provider.name().to_string(),
                dialects: dialects.map(|dialect| dialect.as_str().to_owned()).collect(),
                base_url: known.map(|known| known.base_url.clone()).unwrap_or_default(),
                key: match known.map(|known| (known.has_key, known.key_variable.clone(), known.wants_key)) {
                    Some((true, variable, _)) => ProviderKey::Present(variable),
                    Some((false, variable, true)) => ProviderKey::Missing(variable),
                    _ => ProviderKey::NotNeeded,
                },
                models,
                last_error,
            }
        })
        .collect()
}
