//! From `[models]` to what the gateway routes by.

use crate::config;
use anyhow::{Context as _, bail};
use hanok_base::{Dialect, Patience};
use hanok_gateway::{Entry, Model, Routes, Rule, Strategy};

/// A model of the configuration.
pub(super) fn model(
    routes: &Routes,
    name: &str,
    model: &config::Model,
    gateway: &config::Gateway,
) -> anyhow::Result<Model> {
    let at = || format!("models.{name}");
    let entries: Vec<Entry> = model
        .targets
        .iter()
        .map(|target| entry(routes, name, target))
        .collect::<anyhow::Result<_>>()
        .with_context(at)?;
    let wanted = model.strategy.as_deref().unwrap_or(Strategy::Order.as_str());
    let Some(strategy) = Strategy::parse(wanted) else {
        let known: Vec<&str> = Strategy::NAMES.iter().map(|(name, _)| *name).collect();
        bail!("models.{name}: there is no strategy `{wanted}`; known: {}", known.join(", "));
    };
    if let Some(limit) = model.max_tokens.or(gateway.max_output_tokens)
        && limit == 0
    {
        bail!("models.{name}: an answer of at most 0 tokens is none");
    }
    Ok(Model {
        strategy,
        sticky: model.sticky.unwrap_or(true),
        retries: model.retries.or(gateway.retries).unwrap_or(1).min(10),
        strict: model.strict.or(gateway.strict).unwrap_or(false),
        max_tokens: model.max_tokens,
        context_length: model.context_length,
        cache: model.cache.map(config::Seconds::duration),
        entries,
    })
}

fn entry(routes: &Routes, name: &str, target: &config::Target) -> anyhow::Result<Entry> {
    let table = target.table();
    let found = routes.target(&name.into(), &table.model)?;
    let weight = table.weight.unwrap_or(1.0);
    if !weight.is_finite() || weight < 0.0 {
        bail!("the weight of `{}` must be 0 or more, not {weight}", table.model);
    }
    if table.max_concurrent == Some(0) {
        bail!("max_concurrent of `{}` is 0, which would refuse every call", table.model);
    }
    Ok(Entry {
        target: found,
        weight,
        when: rule(&table.when)?,
        max_concurrent: table.max_concurrent,
        resumes: table.resumes,
        patience: Patience {
            connect: table.connect_timeout.map(config::Seconds::duration),
            first_token: table.first_token_timeout.map(config::Seconds::duration),
            between: table.idle_timeout.map(config::Seconds::duration),
        },
    })
}

fn rule(rule: &config::Rule) -> anyhow::Result<Rule> {
    let dialect = match &rule.dialect {
        None => None,
        Some(name) => match Dialect::parse(name) {
            Some(dialect) => Some(dialect),
            None => bail!("when.dialect: there is no dialect `{name}`"),
        },
    };
    Ok(Rule {
        stream: rule.stream,
        input_over: rule.input_over,
        input_under: rule.input_under,
        keys: rule.keys.clone(),
        projects: rule.projects.clone(),
        dialect,
        tag: rule.tag.clone(),
    })
}
