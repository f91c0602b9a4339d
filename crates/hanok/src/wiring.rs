//! From configuration to rooms: the one place where concrete types are constructed.

use crate::config::{Effective, Origin};
use anyhow::{Context as _, bail};
use hanok_base::{CollectionName, Dialect, ModelName, Provider, ProviderName};
use hanok_gateway::{Gateway, Routes};
use hanok_net::{Client, ClientOptions, Timeouts};
use hanok_provider::{HttpProvider, ProviderConfig, Secret, VENDORS, detect_from_env, vendor};
use hanok_retrieval::{AskAnswerer, Cancel, ExtractAnswerer, Library};
use hanok_server::{ApiKey, Settings};
use hanok_store::{Options, Store};
use hanok_trace::{Price, Prices, TraceStore};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Weak};
use std::time::Duration;

/// The rooms of a house that may write.
pub(crate) struct Rooms {
    /// The file below everything.
    pub(crate) store: Store,
    /// Records.
    pub(crate) traces: TraceStore,
    /// Documents.
    pub(crate) library: Arc<Library>,
    /// Model calls.
    pub(crate) gateway: Arc<Gateway>,
}

impl Rooms {
    /// Opens the data folder, which the caller must own, and wires everything.
    pub(crate) async fn open(effective: &Effective) -> anyhow::Result<Self> {
        let data = &effective.data.value;
        let store = Store::open(data, Options::default())?;
        let traces = TraceStore::new(store.clone(), Arc::new(prices(effective)));
        let library = Library::open(store.clone(), data).await?;
        let gateway = Arc::new(Gateway::new(Routes::default()));
        let rooms = Self { store, traces, library, gateway };
        rooms.route(effective)?;
        Ok(rooms)
    }

    /// Builds the routes of a configuration and puts them in place.
    pub(crate) fn route(&self, effective: &Effective) -> anyhow::Result<()> {
        let gateway: Weak<Gateway> = Arc::downgrade(&self.gateway);
        let target = effective.config.answers.target.as_deref().map(ModelName::from);
        let ask = AskAnswerer::new(self.library.clone(), gateway, target);
        let routes = Routes::default()
            .answerer("extract", Arc::new(ExtractAnswerer::new(self.library.clone())))
            .answerer("ask", Arc::new(ask));
        self.gateway.replace(with_providers(routes, effective)?);
        Ok(())
    }

    /// Brings every configured collection up to date, silently.
    pub(crate) async fn index_configured(&self, effective: &Effective) -> anyhow::Result<()> {
        self.library.catch_up().await?;
        for (name, paths) in collections(effective, &[]) {
            self.library.sync(&name, &paths, &(), &Cancel::default()).await?;
        }
        Ok(())
    }

    /// Commits what is queued and ends the store's threads.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        let store = self.store.clone();
        drop(self);
        store.flush().await?;
        tokio::task::spawn_blocking(move || store.close()).await?;
        Ok(())
    }
}

/// The records of a data folder, for a command that only reads them.
pub(crate) fn records_to_read(effective: &Effective) -> anyhow::Result<TraceStore> {
    Ok(TraceStore::new(store_to_read(effective)?, Arc::new(prices(effective))))
}

/// The store of a data folder, for a command that only reads it.
pub(crate) fn store_to_read(effective: &Effective) -> anyhow::Result<Store> {
    let data = &effective.data.value;
    if !data.join("hanok.db").exists() {
        bail!(
            "there are no records in {} ({}); start with `hanok up PATH`, or name another folder with --data",
            data.display(),
            effective.data.origin
        );
    }
    Ok(Store::open(data, Options { read_only: true, ..Options::default() })?)
}

fn with_providers(mut routes: Routes, effective: &Effective) -> anyhow::Result<Routes> {
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

fn provider(name: &str, entry: &crate::config::Provider) -> anyhow::Result<Configured> {
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
pub(crate) fn provider_summaries(effective: &Effective) -> Vec<(String, ProviderSummary)> {
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

/// Checks everything that can be checked without starting; gives what is worth saying.
pub(crate) fn check(effective: &Effective) -> anyhow::Result<Vec<String>> {
    let mut notes = Vec::new();
    let address = effective.address().map_err(anyhow::Error::msg)?;
    settings(effective, address)?;
    provider_routes(effective)?;
    for (name, entry) in &effective.config.providers {
        if let Some(key) = &entry.key
            && key.read().is_none()
        {
            notes.push(format!("providers.{name}: the environment variable {} is not set", key.variable()));
        }
    }
    for (name, collection) in &effective.config.collections {
        for path in &collection.paths {
            let path = effective.beside_file(path);
            if !path.exists() {
                notes.push(format!("collections.{name}: {} does not exist", path.display()));
            }
        }
    }
    Ok(notes)
}

/// The providers and aliases of a configuration, without our answerers.
pub(crate) fn provider_routes(effective: &Effective) -> anyhow::Result<Routes> {
    with_providers(answerer_names(), effective)
}

/// Routes that know our answerers by name only, to check aliases against.
fn answerer_names() -> Routes {
    struct Named(ProviderName);
    impl Provider for Named {
        fn name(&self) -> &ProviderName {
            &self.0
        }
        fn capabilities(&self, _: &ModelName) -> hanok_base::Capabilities {
            hanok_base::Capabilities::default()
        }
        fn models(
            &self,
        ) -> hanok_base::BoxFuture<'_, Result<Vec<hanok_base::ModelInfo>, hanok_base::ProviderError>>
        {
            Box::pin(async { Ok(Vec::new()) })
        }
        fn chat_stream<'a>(
            &'a self,
            _: &'a hanok_base::CallContext,
            _: &'a hanok_base::ChatRequest,
        ) -> hanok_base::BoxFuture<'a, Result<hanok_base::EventStream, hanok_base::ProviderError>> {
            let error = hanok_base::ProviderError::new(
                hanok_base::ProviderErrorKind::Unsupported,
                &self.0,
                "this is only a name",
            );
            Box::pin(async { Err(error) })
        }
    }
    Routes::default()
        .answerer("extract", Arc::new(Named("hanok".into())))
        .answerer("ask", Arc::new(Named("hanok".into())))
}

/// The server's settings; refuses a bind beyond loopback without a key.
pub(crate) fn settings(effective: &Effective, bind: SocketAddr) -> anyhow::Result<Settings> {
    let mut keys = Vec::new();
    for key in &effective.config.keys {
        let Some(secret) = key.key.read() else {
            bail!("keys: `{}`: the environment variable {} is not set", key.name, key.key.variable());
        };
        keys.push(ApiKey { name: key.name.as_str().into(), secret });
    }
    if keys.is_empty() && !bind.ip().is_loopback() {
        bail!(
            "binding {bind} ({}) would let anybody on the network spend your money: add a key under [[keys]] in \
             hanok.toml, or bind a loopback address such as 127.0.0.1:{}",
            effective.bind.origin,
            bind.port()
        );
    }
    let server = &effective.config.server;
    Ok(Settings {
        body_limit: effective.body_limit.value.0,
        public_url: server.public_url.clone(),
        hosts: server.hosts.clone(),
        allowed_origins: server.allowed_origins.clone(),
        keys,
        version: env!("CARGO_PKG_VERSION"),
        ..Settings::new(bind)
    })
}

/// The configured collections, with `paths` of the command line as the collection `default`.
pub(crate) fn collections(effective: &Effective, paths: &[PathBuf]) -> Vec<(CollectionName, Vec<PathBuf>)> {
    let mut found: Vec<(CollectionName, Vec<PathBuf>)> = effective
        .config
        .collections
        .iter()
        .filter(|(name, _)| paths.is_empty() || name.as_str() != "default")
        .map(|(name, collection)| {
            let paths = collection.paths.iter().map(|path| effective.beside_file(path)).collect();
            (name.as_str().into(), paths)
        })
        .collect();
    if !paths.is_empty() {
        found.insert(0, ("default".into(), paths.to_vec()));
    }
    found
}

fn prices(effective: &Effective) -> Prices {
    effective.config.prices.iter().fold(Prices::builtin(), |prices, (pattern, price)| {
        prices.with_override(
            pattern,
            Price::per_million(price.input, price.output)
                .cached(price.cached_input.unwrap_or(price.input))
                .cache_write(price.cache_write.unwrap_or(price.input)),
        )
    })
}
