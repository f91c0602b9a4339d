//! From configuration to rooms: the one place where concrete types are constructed.

mod check;
mod documents;
mod equipment;
mod evals;
mod evals_there;
mod export;
mod governance;
mod models;
mod money;
mod network;
mod online;
mod prompts;
mod providers;
mod shelf;

pub(crate) use check::{check, provider_routes};
pub(crate) use documents::{intake, is_missing, take_in};
pub(crate) use equipment::{Equipper, Wish, default_embedder, equip_to_read, legs, local_embedder, reranker};
pub(crate) use evals::{EvalHouse, eval_file, evals_to_read};
pub(crate) use export::export;
pub(crate) use governance::policies;
pub(crate) use money::prices;
pub(crate) use network::options as network_options;
pub(crate) use online::{file as scoring_file, online, rules as scoring_rules};
pub(crate) use prompts::{
    examples as prompt_examples, examples_to_read as prompt_examples_to_read, library as prompts,
    library_to_read as prompts_to_read,
};
pub(crate) use providers::{infos as provider_infos, summaries as provider_summaries};

use crate::config::{Config, Effective};
use anyhow::{Context as _, bail};
use arc_swap::ArcSwap;
use hanok_base::{CollectionName, ModelName, Object};
use hanok_gateway::{Gateway, Ledger, Routes};
use hanok_retrieval::{AskAnswerer, AskOptions, Cancel, CollectionOptions, ExtractAnswerer, Library};
use hanok_server::{ConfiguredKey, Settings};
use hanok_store::{Options, Store};
use hanok_trace::{Retention, TraceStore};
use serde_json::json;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Weak};

/// The rooms of a house that may write.
pub(crate) struct Rooms {
    /// The file below everything.
    pub(crate) store: Store,
    /// Records.
    pub(crate) traces: TraceStore,
    /// Documents.
    pub(crate) library: Arc<Library>,
    /// What they are searched with.
    pub(crate) equipper: Equipper,
    /// Prompts.
    pub(crate) prompts: Arc<hanok_prompt::Library>,
    /// Where they have examples from.
    pub(crate) examples: Arc<dyn hanok_base::ExampleSource>,
    /// Model calls.
    pub(crate) gateway: Arc<Gateway>,
    /// Money.
    ledger: Arc<Ledger>,
    /// How long traces stay, as the configuration has it now.
    pub(crate) retention: Arc<ArcSwap<Retention>>,
    /// How live traces are scored, as the configuration has it now.
    pub(crate) scoring: Arc<ArcSwap<Vec<hanok_eval::online::Rule>>>,
}

impl Rooms {
    /// Opens the data folder, which the caller must own, and wires everything but the models that collections are
    /// searched with: those are opened by [`Rooms::equip`], or by the [`Equipper`] behind what goes on.
    pub(crate) async fn open(effective: &Effective) -> anyhow::Result<Self> {
        let data = &effective.data.value;
        let store = Store::open(data, Options::default())?;
        let traces = TraceStore::new(store.clone(), Arc::new(money::prices(effective)))
            .with_texts(&texts_folder(data));
        let library = Library::open(store.clone(), data).await?;
        take_in(&library, effective).await?;
        let shelf = Arc::new(shelf::Shelf(store.clone()));
        let prompts = prompts(effective, store.clone()).await?;
        let examples = prompt_examples(effective, Some(store.clone()));
        let served = prompts::Served { library: prompts.clone(), examples: examples.clone() };
        let gateway = Gateway::new(Routes::default()).keeping(shelf).prompting(Arc::new(served));
        let gateway = Arc::new(gateway);
        let ledger = money::ledger(store.clone());
        let reached: Weak<Gateway> = Arc::downgrade(&gateway);
        let equipper = Equipper::new(library.clone(), reached);
        let retention = Arc::default();
        let scoring = Arc::default();
        let rooms =
            Self { store, traces, library, equipper, prompts, examples, gateway, ledger, retention, scoring };
        rooms.route(effective)?;
        Ok(rooms)
    }

    /// Gives every collection what the configuration says it is searched with, for commands that wait for it.
    pub(crate) async fn equip(&self, effective: &Effective) -> anyhow::Result<()> {
        let wish = self.equipper.expect(effective);
        self.equipper.equip(effective, wish).await.into_iter().next().map_or(Ok(()), Err)
    }

    /// Builds the routes of a configuration and puts them in place.
    pub(crate) fn route(&self, effective: &Effective) -> anyhow::Result<()> {
        let gateway: Weak<Gateway> = Arc::downgrade(&self.gateway);
        let target = effective.config.answers.target.as_deref().map(ModelName::from);
        let options = searched(effective)?;
        let query_model = effective.config.answers.query_model.as_deref().map(ModelName::from);
        let ask =
            AskAnswerer::new(self.library.clone(), gateway, target).configured(options.clone(), query_model);
        let extract = ExtractAnswerer::new(self.library.clone()).configured(options);
        let routes = Routes::default()
            .keeping(self.gateway.states())
            .answerer("extract", Arc::new(extract))
            .answerer("ask", Arc::new(ask));
        // Nothing is exchanged before all of it is known to be good.
        let routes = providers::add_to(routes, effective)?;
        let policies = governance::policies(effective)?;
        self.traces.set_policies(Arc::new(policies));
        self.retention.store(Arc::new(governance::retention(effective)));
        self.traces.set_prices(Arc::new(money::prices(effective)));
        self.gateway.set_policy(money::policy(effective, &self.traces, self.ledger.clone()));
        self.gateway.replace(routes);
        Ok(())
    }

    /// Brings every configured collection up to date, silently.
    pub(crate) async fn index_configured(&self, effective: &Effective) -> anyhow::Result<()> {
        self.library.catch_up().await?;
        for (name, paths) in collections(effective, &[]) {
            self.library.sync(&name, &paths, &(), &Cancel::default()).await?;
            self.library.embed(Some(&self.traces), &name, &|_| {}, &Cancel::default()).await?;
        }
        Ok(())
    }

    /// Commits what is queued and ends the store's threads.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        let store = self.store.clone();
        drop(self);
        store.flush().await?;
        // All is recorded: what was drawn and not spent is not lost.
        store.ledger().close_slabs().await?;
        tokio::task::spawn_blocking(move || store.close()).await?;
        Ok(())
    }
}

/// The records of a data folder, for a command that only reads them.
pub(crate) fn records_to_read(effective: &Effective) -> anyhow::Result<TraceStore> {
    let traces = TraceStore::new(store_to_read(effective)?, Arc::new(money::prices(effective)));
    Ok(traces.with_texts(&texts_folder(&effective.data.value)))
}

/// Where the index of messages is, beside those of documents.
fn texts_folder(data: &Path) -> PathBuf {
    data.join("index").join("messages")
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

/// The keys of the configuration, which are admins'.
pub(crate) fn configured_keys(effective: &Effective) -> anyhow::Result<Vec<ConfiguredKey>> {
    let mut keys = Vec::new();
    for key in &effective.config.keys {
        let Some(secret) = key.key.read() else {
            bail!("keys: `{}`: the environment variable {} is not set", key.name, key.key.variable());
        };
        keys.push(ConfiguredKey { name: key.name.as_str().into(), secret });
    }
    Ok(keys)
}

/// Refuses a bind beyond loopback without a key.
pub(crate) fn check_bind(effective: &Effective, bind: SocketAddr, has_keys: bool) -> anyhow::Result<()> {
    if has_keys || bind.ip().is_loopback() {
        return Ok(());
    }
    let origin = match &effective.otlp {
        Some(otlp) if effective.address() != Ok(bind) && effective.otlp_address() == Ok(Some(bind)) => {
            &otlp.origin
        }
        _ => &effective.bind.origin,
    };
    bail!(
        "binding {bind} ({}) would let anybody on the network spend your money: make a key with `hanok keys create \
         NAME`, add one under [[keys]] in hanok.toml, or bind a loopback address such as 127.0.0.1:{}",
        origin,
        bind.port()
    )
}

/// The certificate to serve HTTPS with, where one is configured: chain and key, PEM.
pub(crate) fn certificate(effective: &Effective) -> anyhow::Result<Option<(Vec<u8>, Vec<u8>)>> {
    let server = &effective.config.server;
    let read = |name: &str, path: &Path| {
        let path = effective.beside_file(path);
        std::fs::read(&path).with_context(|| format!("server.{name}: {}", path.display()))
    };
    match (&server.tls_cert, &server.tls_key) {
        (None, None) => Ok(None),
        (Some(cert), Some(key)) => Ok(Some((read("tls_cert", cert)?, read("tls_key", key)?))),
        (Some(_), None) => bail!("server.tls_cert needs server.tls_key beside it"),
        (None, Some(_)) => bail!("server.tls_key needs server.tls_cert beside it"),
    }
}

/// The server's settings.
pub(crate) fn settings(effective: &Effective, bind: SocketAddr) -> anyhow::Result<Settings> {
    let server = &effective.config.server;
    if let Some(url) = &server.public_url
        && !url
            .split_once("://")
            .is_some_and(|(scheme, rest)| matches!(scheme, "http" | "https") && !rest.is_empty())
    {
        bail!("server.public_url: `{url}` must begin with http:// or https://");
    }
    if effective.body_limit.value.0 == 0 {
        bail!("server.body_limit: 0 would refuse every request; give a size such as \"100MB\"");
    }
    Ok(Settings {
        body_limit: effective.body_limit.value.0,
        public_url: server.public_url.clone(),
        hosts: server.hosts.clone(),
        allowed_origins: server.allowed_origins.clone(),
        tls: server.tls_cert.is_some(),
        config_file: effective.file.clone().unwrap_or_else(|| PathBuf::from("hanok.toml")),
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
        .map(|(name, collection)| (name.as_str().into(), documents::paths(effective, collection)))
        .collect();
    if !paths.is_empty() {
        found.insert(0, ("default".into(), paths.to_vec()));
    }
    found
}

/// How documents are searched for an answer where a request does not say; the rest of what a collection says holds for
/// every search of it.
pub(crate) fn searched(effective: &Effective) -> anyhow::Result<CollectionOptions> {
    let read = |query: Option<&Vec<String>>, top_k: Option<usize>, place: &str| {
        let told =
            Object::from_iter([("query".to_owned(), json!(query)), ("top_k".to_owned(), json!(top_k))]);
        AskOptions::read(&told, place).map_err(anyhow::Error::msg)
    };
    let Config { answers, collections, .. } = &effective.config;
    let all = read(Some(&answers.query).filter(|steps| !steps.is_empty()), answers.top_k, "answers")?;
    let of = collections.iter().map(|(name, collection)| {
        let own = read(collection.query.as_ref(), collection.top_k, &format!("collections.{name}"))?;
        Ok((name.as_str().into(), own))
    });
    Ok(CollectionOptions { all, of: of.collect::<anyhow::Result<_>>()? })
}
