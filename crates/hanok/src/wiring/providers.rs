//! From `[providers]` and the environment to providers.

use super::{models, network};
use crate::config::{self, Effective, Origin};
use anyhow::{Context as _, bail};
use hanok_base::{Dialect, Provider, ProviderName};
use hanok_gateway::Routes;
use hanok_local::LocalProvider;
use hanok_net::{Client, ClientOptions, Timeouts};
use hanok_provider::{HttpProvider, ProviderConfig, Secret, Thoughts, VENDORS, detect_from_env, vendor};
use hanok_server::ProviderInfo;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

/// Adds the configured providers and models.
pub(super) fn add_to(mut routes: Routes, effective: &Effective) -> anyhow::Result<Routes> {
    let found = providers(effective)?;
    let hosts: Vec<&str> = found.iter().map(|((config, _), _)| host(&config.base_url)).collect();
    let mut clients = Clients { options: network::options(effective, &hosts)?, made: HashMap::new() };
    for ((config, connect_timeout), _) in found {
        let provider = HttpProvider::new(config, clients.with(connect_timeout)?)?;
        routes = routes.provider(Arc::new(provider) as Arc<dyn Provider>)?;
    }
    // A provider of this name that is configured is meant instead.
    let has_models =
        hanok_local::Models::at(&effective.data.value).list().is_ok_and(|(models, _)| !models.is_empty());
    if has_models && !effective.config.providers.contains_key(LocalProvider::NAME) {
        let local = LocalProvider::at(&effective.data.value, effective.config.local.options());
        routes = routes.provider(Arc::new(local))?;
    }
    for (name, model) in &effective.config.models {
        let model = models::model(&routes, name, model, &effective.config.gateway)?;
        routes = routes.model(name.as_str().into(), model)?;
    }
    Ok(routes)
}

/// `host[:port]` of a base URL.
fn host(base_url: &str) -> &str {
    let rest = base_url.trim().split_once("://").map_or(base_url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest)
}

/// One client for each connect timeout in use; connections are pooled per client.
struct Clients {
    options: ClientOptions,
    made: HashMap<Duration, Client>,
}

impl Clients {
    fn with(&mut self, connect_timeout: Option<Duration>) -> anyhow::Result<Client> {
        let connect_timeout = connect_timeout.unwrap_or(self.options.connect_timeout);
        if let Some(client) = self.made.get(&connect_timeout) {
            return Ok(client.clone());
        }
        let client = Client::new(ClientOptions { connect_timeout, ..self.options.clone() })?;
        self.made.insert(connect_timeout, client.clone());
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
        (Some(wanted), dialect, _) => {
            let Some(vendor) = vendor(wanted) else {
                bail!("there is no vendor `{wanted}`; known: {}; or give dialect and base_url", known());
            };
            let mut config = ProviderConfig::of_vendor(vendor);
            if let Some(dialect) = dialect {
                config = speaking(config, dialect)?;
            }
            if entry.key.is_none()
                && let Some(key) = vendor.key_env.and_then(|name| std::env::var(name).ok())
                && !key.trim().is_empty()
            {
                config.key = Some(Secret::from(key.trim()));
            }
            config
        }
        (None, dialect, Some(base_url)) => {
            let dialect = dialect.as_deref().unwrap_or("openai-chat");
            let Some(dialect) = Dialect::parse(dialect) else {
                let known: Vec<&str> = Dialect::ALL.iter().map(|dialect| dialect.as_str()).collect();
                bail!("there is no dialect `{dialect}`; known: {}", known.join(", "));
            };
            ProviderConfig::custom(name.into(), dialect, base_url.as_str())
        }
        (None, _, None) => bail!("give a vendor ({}), or dialect and base_url", known()),
    };
    config.name = ProviderName::from(name);
    if let Some(base_url) = &entry.base_url {
        config.base_url.clone_from(base_url);
    }
    config.api_version.clone_from(&entry.api_version);
    if config.base_url.is_empty() {
        bail!(
            "give base_url: the address of your own resource, such as https://NAME.openai.azure.com/openai/v1"
        );
    }
    if let Some(key) = &entry.key {
        // Without it the provider would only ever refuse, so it is left to `doctor` to say.
        config.key = key.read().map(|value| Secret::from(value.as_str()));
    }
    if let Some(member) = &entry.thoughts {
        let Some(thoughts) = Thoughts::parse(member) else {
            bail!("thoughts must be `reasoning_content` or `reasoning`, not `{member}`");
        };
        config.quirks.thoughts = Some(thoughts);
    }
    for (header, value) in &entry.headers {
        config.headers.push((header.clone(), Secret::from(value.as_str())));
    }
    let default = Timeouts::default();
    config.timeouts = Timeouts {
        connect: default.connect,
        first_byte: seconds("response_timeout", entry.response_timeout)?.unwrap_or(default.first_byte),
        idle: seconds("idle_timeout", entry.idle_timeout)?.unwrap_or(default.idle),
    };
    Ok((config, seconds("connect_timeout", entry.connect_timeout)?))
}

/// A vendor's calls in another of the dialects it speaks.
fn speaking(config: ProviderConfig, dialect: &str) -> anyhow::Result<ProviderConfig> {
    let mut known = vec![config.dialect.as_str()];
    known.extend(config.also.iter().map(|also| also.dialect.as_str()));
    let known = known.join(", ");
    Dialect::parse(dialect)
        .and_then(|wanted| config.speaking(wanted))
        .with_context(|| format!("this vendor does not speak `{dialect}`; it speaks {known}"))
}

fn seconds(name: &str, value: Option<f64>) -> anyhow::Result<Option<Duration>> {
    let Some(value) = value else { return Ok(None) };
    match Duration::try_from_secs_f64(value) {
        Ok(duration) if !duration.is_zero() => Ok(Some(duration)),
        _ => bail!("{name} must be a number of seconds above 0, not {value}"),
    }
}

/// The providers as the page on models shows them.
pub(crate) fn infos(effective: &Effective) -> Vec<ProviderInfo> {
    let Ok(found) = providers(effective) else {
        return Vec::new();
    };
    let info = |((config, _), _): (Configured, Origin)| {
        let entry = effective.config.providers.get(config.name.as_str());
        let vendor = vendor(entry.and_then(|entry| entry.vendor.as_deref()).unwrap_or(config.name.as_str()));
        let named = entry.and_then(|entry| entry.key.as_ref()).map(|key| key.variable().to_owned());
        ProviderInfo {
            name: config.name.to_string(),
            base_url: config.base_url,
            has_key: config.key.is_some(),
            wants_key: named.is_some() || vendor.is_some_and(|vendor| vendor.key_env.is_some()),
            key_variable: named.or_else(|| vendor.and_then(|vendor| vendor.key_env).map(str::to_owned)),
        }
    };
    found.into_iter().map(info).collect()
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
