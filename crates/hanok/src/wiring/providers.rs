//! From `[providers]` and the environment to providers.

use crate::config::{self, Effective, Origin};
use anyhow::{Context as _, bail};
use hanok_base::{Dialect, Provider, ProviderName};
use hanok_gateway::Routes;
use hanok_net::{Client, ClientOptions, Timeouts};
use hanok_provider::{HttpProvider, ProviderConfig, Secret, VENDORS, detect_from_env, vendor};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Adds the configured providers and aliases.
pub(super) fn add_to(mut routes: Routes, effective: &Effective) -> anyhow::Result<Routes> {
    let mut clients = Clients::default();
    for (config, _) in providers(effective)? {
        let (config, connect_timeout) = config;
        let provider = HttpProvider::new(config, clients.with(connect_timeout)?)?;
        routes = routes.provider(Arc::new(provider) as Arc<dyn Provider>)?;
    }
    for (alias, model) in &effective.config.models {
        routes = routes.alias(alias.as_str().into(), &model.targets)?;
    }
    Ok(routes)
}

/// One client for each connect timeout in use; connections are pooled per client.
#[derive(Default)]
struct Clients(HashMap<Duration, Client>);

impl Clients {
    fn with(&mut self, connect_timeout: Option<Duration>) -> anyhow::Result<Client> {
        let default = ClientOptions::default();
        let connect_timeout = connect_timeout.unwrap_or(default.connect_timeout);
        if let Some(client) = self.0.get(&connect_timeout) {
            return Ok(client.clone());
        }
        let client = Client::new(ClientOptions { connect_timeout, ..default })?;
        self.0.insert(connect_timeout, client.clone());
        Ok(client)
    }
}

type Configured = (ProviderConfig, Option<Duration>);

/// The configured providers, then the known vendors whose key is in the environment.
fn providers(effective: &Effective) -> anyhow::Result<Vec<(Configured, Origin)>> {
    let origin = effective.file.clone().map_or(Origin::Default, Origin::File);
    let mut found = Vec::new();
    for (name, entry) in &effective.config.providers {
        let configured = provider(name, entry).with_context(|| format!("providers.{name}"))?;
        found.push((configured, origin.clone()));
    }
    for config in detect_from_env(|name| std::env::var(name).ok()) {
        if effective.config.providers.contains_key(config.name.as_str()) {
            continue;
        }
        let variable = vendor(config.name.as_str()).and_then(|vendor| vendor.key_env).unwrap_or_default();
        found.push(((config, None), Origin::Environment(variable)));
    }
    Ok(found)
}

fn provider(name: &str, entry: &config::Provider) -> anyhow::Result<Configured> {
    let known = || VENDORS.iter().map(|vendor| vendor.name).collect::<Vec<_>>().join(", ");
    // A table named like a vendor that says neither vendor nor dialect is that vendor.
    let vendor_name = entry.vendor.as_deref().or_else(|| {
        (entry.dialect.is_none() && entry.base_url.is_none())
            .then_some(name)
            .filter(|name| vendor(name).is_some())
    });
    let mut config = match (vendor_name, &entry.dialect, &entry.base_url) {
        (Some(wanted), None, _) => {
            let Some(vendor) = vendor(wanted) else {
                bail!("there is no vendor `{wanted}`; known: {}; or give dialect and base_url", known());
            };
            let mut config = ProviderConfig::of_vendor(vendor);
            if entry.key.is_none()
                && let Some(key) = vendor.key_env.and_then(|name| std::env::var(name).ok())
                && !key.trim().is_empty()
            {
                config.key = Some(Secret::from(key.trim()));
            }
            config
        }
        (Some(_), Some(_), _) => bail!("give either vendor or dialect, not both"),
        (None, dialect, Some(base_url)) => {
            let dialect = dialect.as_deref().unwrap_or("openai-chat");
            let Some(dialect) = Dialect::parse(dialect) else {
                bail!("there is no dialect `{dialect}`; known: openai-chat");
            };
            ProviderConfig::custom(name.into(), dialect, base_url.as_str())
        }
        (None, _, None) => bail!("give a vendor ({}), or dialect and base_url", known()),
    };
    config.name = ProviderName::from(name);
    if let Some(base_url) = &entry.base_url {
        config.base_url.clone_from(base_url);
    }
    if let Some(key) = &entry.key {
        // Without it the provider would only ever refuse, so it is left to `doctor` to say.
        config.key = key.read().map(|value| Secret::from(value.as_str()));
    }
    for (header, value) in &entry.headers {
        config.headers.push((header.clone(), Secret::from(value.as_str())));
    }
    let default = Timeouts::default();
    config.timeouts = Timeouts {
        first_byte: seconds("response_timeout", entry.response_timeout)?.unwrap_or(default.first_byte),
        idle: seconds("idle_timeout", entry.idle_timeout)?.unwrap_or(default.idle),
    };
    Ok((config, seconds("connect_timeout", entry.connect_timeout)?))
}

fn seconds(name: &str, value: Option<f64>) -> anyhow::Result<Option<Duration>> {
    let Some(value) = value else { return Ok(None) };
    match Duration::try_from_secs_f64(value) {
        Ok(duration) if !duration.is_zero() => Ok(Some(duration)),
        _ => bail!("{name} must be a number of seconds above 0, not {value}"),
    }
}

/// A provider in one line, and who set it.
pub(crate) struct ProviderSummary {
    /// Vendor or dialect, URL, and whether it has a key.
    pub(crate) what: String,
    /// Who set it.
    pub(crate) origin: String,
}

/// The providers in one line each; none that cannot be made.
pub(crate) fn summaries(effective: &Effective) -> Vec<(String, ProviderSummary)> {
    let Ok(found) = providers(effective) else {
        return Vec::new();
    };
    found
        .into_iter()
        .map(|((config, _), origin)| {
            let key = if config.key.is_some() { "with key" } else { "no key" };
            let what = format!("{} at {} ({key})", config.dialect.as_str(), config.base_url);
            (config.name.to_string(), ProviderSummary { what, origin: origin.to_string() })
        })
        .collect()
}
