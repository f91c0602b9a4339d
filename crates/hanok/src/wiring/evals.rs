//! Evals, from the configuration: where they are kept, and what tasks and scorers are made with.
//!
//! Where a server runs on the data folder, results go through it and models are asked through it; where none does,
//! this process is the house.

use super::evals_there::{ServerPrompts, ServerSearch};
use super::{Rooms, network, store_to_read};
use crate::config::{Effective, Model};
use crate::ownership::{self, Owned};
use crate::remote::Remote;
use anyhow::Context as _;
use hanok_base::{
    BoxFuture, CallContext, Caller, Capabilities, ChatRequest, ChatResponse, Dialect, Embedder, EventStream,
    ModelInfo, ModelName, NanoDollars, Provider, ProviderError, ProviderErrorKind, ProviderName, Recorder,
    Retriever, TraceId, Usage,
};
use hanok_eval::keeper::Wire;
use hanok_eval::spec::TaskSpec;
use hanok_eval::{Bench, Experiments, Keeper, Prices, Runner, SourceTexts, Spec};
use hanok_store::{Options, Store};
use hanok_trace::TraceStore;
use hanok_wire::{RequestOptions, codec};
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Where evals are run.
pub(crate) struct EvalHouse {
    /// Runs them.
    pub(crate) experiments: Experiments,
    /// What tasks and scorers are made with.
    pub(crate) bench: Bench,
    here: Option<(Opened, Owned)>,
}

enum Opened {
    Rooms(Box<Rooms>),
    /// Nothing asks a model or a collection: the store alone is opened.
    Store(Store),
}

impl EvalHouse {
    /// Opens what an eval needs, and no more.
    pub(crate) async fn for_eval(effective: &Effective, spec: &Spec) -> anyhow::Result<Self> {
        let is_plain = |kind: &str| {
            !matches!(kind, "judge" | "similarity" | "citations" | "model" | "prompt" | "retrieval")
        };
        let kinds = spec.scorers.iter().filter_map(|scorer| scorer.get("kind")?.as_str());
        let needs_models = !kinds.chain([spec.task.kind()]).all(is_plain);
        let mut house = Self::open(effective, needs_models || spec.row_scorers).await?;
        if let Some((Opened::Rooms(rooms), _)) = &house.here
            && searches(&spec.task)
        {
            rooms.equip(effective).await?;
            rooms.index_configured(effective).await?;
        }
        house.bench.kit.base = spec.base();
        Ok(house)
    }

    /// Opens the house; with models, collections and records of calls where `with_models`.
    pub(crate) async fn open(effective: &Effective, with_models: bool) -> anyhow::Result<Self> {
        let mut bench = Bench::default();
        bench.kit.network = network::outward(effective)?;
        for (name, model) in &effective.config.models {
            bench.aliases.insert(name.clone(), serde_json::to_value(model)?);
        }
        let caller = Arc::new(Caller { admin: true, ..Caller::default() });
        if let Some(card) = ownership::running(&effective.data.value) {
            let remote = Arc::new(Remote::new(card, &effective.config)?);
            bench.kit.models = Some(Arc::new(ServerModels::new(remote.clone())));
            bench.retriever = Some(Arc::new(ServerSearch(remote.clone())));
            bench.prompts = Some(Arc::new(ServerPrompts(remote.clone())));
            if with_models {
                bench.kit.embedder = super::local_embedder(effective, None).await?;
            }
            let keeper = Keeper::there(Arc::new(ServerWire(remote)));
            let traces = super::records_to_read(effective).ok();
            bench.kit.sources =
                traces.as_ref().map(|traces| Arc::new(traces.store().clone()) as Arc<dyn SourceTexts>);
            let experiments = Experiments { runner: Runner { keeper, recorder: None, caller }, traces };
            return Ok(Self { experiments, bench, here: None });
        }
        let owned = Owned::take(&effective.data.value)?;
        let (opened, traces) = if with_models {
            let rooms = Rooms::open(effective).await?;
            bench.kit.models = Some(rooms.gateway.clone() as Arc<dyn Provider>);
            bench.kit.embedder = super::local_embedder(effective, None).await? as Option<Arc<dyn Embedder>>;
            bench.kit.prices = Some(Arc::new(Priced::new(rooms.traces.clone(), effective)));
            bench.retriever = Some(rooms.library.clone() as Arc<dyn Retriever>);
            bench.prompts = Some(rooms.prompts.clone());
            let traces = rooms.traces.clone();
            (Opened::Rooms(Box::new(rooms)), traces)
        } else {
            let store = Store::open(&effective.data.value, Options::default())?;
            let traces = TraceStore::new(store.clone(), Arc::new(super::money::prices(effective)));
            (Opened::Store(store), traces)
        };
        bench.kit.sources = Some(Arc::new(traces.store().clone()));
        let keeper = Keeper::here(traces.store().clone());
        let recorder = Some(Arc::new(traces.clone()) as Arc<dyn Recorder>);
        let experiments = Experiments { runner: Runner { keeper, recorder, caller }, traces: Some(traces) };
        Ok(Self { experiments, bench, here: Some((opened, owned)) })
    }

    /// Lets go of what was opened, records first.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        let Self { experiments, bench, here } = self;
        drop((experiments, bench));
        match here {
            None => {}
            Some((Opened::Rooms(rooms), owned)) => {
                rooms.close().await?;
                drop(owned);
            }
            Some((Opened::Store(store), owned)) => {
                store.flush().await?;
                tokio::task::spawn_blocking(move || store.close()).await?;
                drop(owned);
            }
        }
        Ok(())
    }
}

/// Whether a task searches the house's own collections.
fn searches(task: &TaskSpec) -> bool {
    match task {
        TaskSpec::Retrieval(_) => true,
        TaskSpec::Model(task) => task.model.starts_with("hanok/"),
        _ => false,
    }
}

/// What is kept of evals, for a command that only reads it.
pub(crate) fn evals_to_read(effective: &Effective) -> anyhow::Result<Experiments> {
    let store = store_to_read(effective)?;
    let traces = TraceStore::new(store.clone(), Arc::new(super::money::prices(effective)));
    let runner = Runner { keeper: Keeper::here(store), recorder: None, caller: Arc::default() };
    Ok(Experiments { runner, traces: Some(traces) })
}

/// Prices of what scorers call.
pub(super) struct Priced {
    traces: TraceStore,
    /// The targets of each alias.
    aliases: BTreeMap<String, Vec<String>>,
}

impl Priced {
    pub(super) fn new(traces: TraceStore, effective: &Effective) -> Self {
        let targets = |model: &Model| model.targets.iter().map(|target| target.table().model).collect();
        let models = &effective.config.models;
        Self { traces, aliases: models.iter().map(|(name, model)| (name.clone(), targets(model))).collect() }
    }

    fn cost_of(&self, target: &str, answered: &ModelName, usage: &Usage) -> Option<NanoDollars> {
        let prices = self.traces.prices();
        let (provider, model) = target.split_once('/').unwrap_or(("", target));
        let found = prices
            .find(provider, Some(model), None)
            .or_else(|| prices.find(provider, Some(answered.as_str()), None))?;
        found.cost(usage)
    }
}

impl Prices for Priced {
    /// Of an alias, which target answered is known by its model's name only: of several that may have, the dearest.
    fn cost(&self, asked: &ModelName, answered: &ModelName, usage: &Usage) -> Option<NanoDollars> {
        let Some(targets) = self.aliases.get(asked.as_str()) else {
            return self.cost_of(asked.as_str(), answered, usage);
        };
        let is_named = |target: &&String| target.ends_with(answered.as_str());
        let named =
            targets.iter().filter(is_named).filter_map(|target| self.cost_of(target, answered, usage));
        let all = || targets.iter().filter_map(|target| self.cost_of(target, answered, usage)).max();
        named.max().or_else(all)
    }
}

/// The way to the store of a running server.
struct ServerWire(Arc<Remote>);

impl Wire for ServerWire {
    fn call(&self, call: Value) -> BoxFuture<'_, Result<Value, String>> {
        Box::pin(async move {
            self.0.json(Method::POST, "/api/evals", Some(&call)).await.map_err(|error| format!("{error:#}"))
        })
    }
}

/// The models of a running server. What a call cost is read from its trace.
struct ServerModels {
    name: ProviderName,
    remote: Arc<Remote>,
}

/// How often a trace is looked for that was not committed yet, and how long between.
const LOOKS: usize = 20;
const BETWEEN: Duration = Duration::from_millis(50);

impl ServerModels {
    fn new(remote: Arc<Remote>) -> Self {
        Self { name: "hanok".into(), remote }
    }

    async fn ask(&self, request: &ChatRequest) -> anyhow::Result<ChatResponse> {
        let wire = codec(Dialect::OpenAiChat);
        let encoded = wire.encode_request(request, RequestOptions::default());
        let body: Value = serde_json::from_slice(&encoded.body)?;
        let response = self.remote.send(Method::POST, "/v1/chat/completions", Some(&body)).await?;
        let trace = response.headers.get("x-hanok-trace-id").and_then(|value| value.to_str().ok());
        let trace: Option<TraceId> = trace.and_then(|trace| trace.parse().ok());
        let body = response.body.collect(64 << 20).await?;
        let mut answer = wire.decode_response(&body).context("the server's answer cannot be read")?;
        if let Some(trace) = trace {
            let cost = self.cost(trace).await;
            let about = json!({ "trace_id": trace, "cost_usd": cost });
            answer.extra.insert("hanok_call".to_owned(), about);
        }
        Ok(answer)
    }

    /// What a trace cost, once it is committed.
    async fn cost(&self, trace: TraceId) -> Option<f64> {
        for _ in 0..LOOKS {
            let found = self.remote.json(Method::GET, &format!("/api/traces/{trace}"), None).await;
            if let Ok(found) = found {
                return found.pointer("/summary/cost_usd").and_then(Value::as_f64);
            }
            tokio::time::sleep(BETWEEN).await;
        }
        None
    }
}

impl Provider for ServerModels {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self, _: &ModelName) -> Capabilities {
        Capabilities::default()
    }

    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelInfo>, ProviderError>> {
        Box::pin(async { Ok(Vec::new()) })
    }

    fn chat_stream<'a>(
        &'a self,
        _: &'a CallContext,
        _: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<EventStream, ProviderError>> {
        Box::pin(async {
            let message = "answers of the running server are asked for whole";
            Err(ProviderError::new(ProviderErrorKind::Unsupported, &self.name, message))
        })
    }

    fn chat<'a>(
        &'a self,
        _: &'a CallContext,
        request: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<ChatResponse, ProviderError>> {
        Box::pin(async move {
            self.ask(request).await.map_err(|error| {
                ProviderError::new(ProviderErrorKind::Overloaded, &self.name, format!("{error:#}"))
            })
        })
    }
}

/// The configuration's folder of evals: where files are looked for that are named without one.
pub(crate) fn eval_file(effective: &Effective, named: &Path) -> std::path::PathBuf {
    if named.exists() || named.extension().is_some() || named.components().count() > 1 {
        return named.to_owned();
    }
    effective.beside_file(&Path::new("evals").join(named).with_extension("toml"))
}
