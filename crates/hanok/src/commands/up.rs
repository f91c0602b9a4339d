//! `hanok up`

use super::reload;
use crate::cli::Up;
use crate::config::{Effective, Setting};
use crate::output;
use crate::ownership::Owned;
use crate::progress::{Embedding, Shown, said};
use crate::wiring::{self, Equipper, Rooms, Wish};
use anyhow::{Context as _, anyhow, bail};
use arc_swap::{ArcSwap, ArcSwapOption};
use hanok_base::{CollectionName, Timestamp, TraceId};
use hanok_eval::online::Online;
use hanok_prompt::LibraryError;
use hanok_retrieval::{Cancel, Library, Watched};
use hanok_server::{Doors, House, Sessions, Tls, serve};
use hanok_trace::export::Target;
use hanok_trace::{Retention, TraceStore};
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinHandle, JoinSet};

/// How long running answers may take to finish once the server is asked to stop.
const DRAIN: Duration = Duration::from_secs(30);

/// Serves until asked to stop.
pub(crate) async fn run(effective: Effective, up: Up) -> anyhow::Result<ExitCode> {
    let paths = up.paths;
    let watches = !up.no_watch && effective.config.documents.watch.unwrap_or(true);
    let address = effective.address().map_err(anyhow::Error::msg)?;
    wiring::check(&effective)?;
    let collections = wiring::collections(&effective, &paths);
    must_exist(&collections)?;
    let owned = Owned::take(&effective.data.value)?;
    let listener = bind(address, &effective.bind, "--bind ").await?;
    let otlp = match (effective.otlp_address().map_err(anyhow::Error::msg)?, &effective.otlp) {
        (Some(address), Some(setting)) => Some(bind(address, setting, "--otlp=").await?),
        _ => None,
    };
    let settings = wiring::settings(&effective, listener.local_addr()?)?;
    let url = settings.local_url();
    let tls = match wiring::certificate(&effective)? {
        Some((chain, key)) => Some(Tls::from_pem(&chain, &key)?),
        None => None,
    };

    let rooms = Rooms::open(&effective).await?;
    let wish = rooms.equipper.expect(&effective);
    let configured = wiring::configured_keys(&effective)?;
    // Two ids, since one alone holds less than a token's worth of chance.
    let token = format!("{}{}", TraceId::random(), TraceId::random());
    let (stop, stopping) = watch::channel(false);
    for (name, _) in &collections {
        rooms.library.expect(name).await?;
    }
    let house = Arc::new(House {
        settings: ArcSwap::from_pointee(settings.clone()),
        gateway: rooms.gateway.clone(),
        library: rooms.library.clone(),
        prompts: rooms.prompts.clone(),
        examples: rooms.examples.clone(),
        traces: rooms.traces.clone(),
        retention: rooms.retention.clone(),
        collections: ArcSwap::from_pointee(collections.clone()),
        token: token.clone(),
        sessions: Sessions::default(),
        configured_keys: ArcSwap::from_pointee(configured),
        providers: ArcSwap::from_pointee(wiring::provider_infos(&effective)),
        config_problem: ArcSwapOption::empty(),
        stopping: stopping.clone(),
    });
    house.load_keys().await?;
    wiring::check_bind(&effective, settings.bind, !house.gateway.keys().is_empty())?;
    let otlp_address = otlp.as_ref().map(TcpListener::local_addr).transpose()?;
    if let Some(address) = otlp_address {
        wiring::check_bind(&effective, address, !house.gateway.keys().is_empty())?;
    }
    owned.announce(&url, &token).context("the data folder cannot be written")?;

    let serving = |listener, doors| {
        let mut asked = stopping.clone();
        let asked = async move {
            // The sender lives until the end of `run`.
            let _ = asked.wait_for(|stop| *stop).await;
        };
        tokio::spawn(serve(listener, tls.clone(), doors, asked, DRAIN))
    };
    let server = serving(listener, Doors::new(house.clone()));
    let otlp = otlp.map(|listener| serving(listener, Doors::otlp(house.clone())));
    let mut stops = Stops::listen()?;
    let asked = reload::Asked::listen();
    output::line(format!("hanok is ready: {url}"))?;
    introduce(&url, &collections, &rooms);
    introduce_exporters(&url, otlp_address, tls.is_some());

    let mut chores = chores(&effective, &rooms).await?;
    let cancel = Cancel::default();
    let equipping = tokio::spawn(equip(rooms.equipper.clone(), effective.clone(), wish));
    let (library, traces) = (rooms.library.clone(), rooms.traces.clone());
    let indexing = tokio::spawn(index(library, traces, collections, watches, equipping, cancel.clone()));

    let rooms = Arc::new(rooms);
    let watching = tokio::spawn(reload::watch(effective.clone(), house, rooms.clone(), tls, asked));
    stops.next().await;
    watching.abort();
    chores.shutdown().await;
    // Ended for sure, so that the rooms are ours alone.
    let _aborted = watching.await;
    output::note("stopping: running answers finish first; once more to stop at once");
    cancel.cancel();
    let _ = stop.send(true);
    tokio::select! {
        ended = async {
            let served = server.await;
            let took = match otlp {
                Some(otlp) => otlp.await,
                None => Ok(()),
            };
            (served.and(took), tokio::time::timeout(DRAIN, indexing).await)
        } => {
            ended.0.context("the server ended badly")?;
            // A file that takes longer is read again by the next run.
            if let Ok(indexing) = ended.1 {
                indexing.context("indexing ended badly")?;
            }
        }
        () = stops.next() => return Ok(ExitCode::from(130)),
    }
    let rooms = Arc::into_inner(rooms).context("the rooms are still in use")?;
    rooms.close().await?;
    drop(owned);
    Ok(ExitCode::SUCCESS)
}

fn must_exist(collections: &[(CollectionName, Vec<PathBuf>)]) -> anyhow::Result<()> {
    match collections.iter().flat_map(|(_, paths)| paths).find(|path| wiring::is_missing(path)) {
        Some(missing) => bail!("{} does not exist; give folders or files to answer from", missing.display()),
        None => Ok(()),
    }
}

/// What goes on beside answering, as long as the server runs. Each takes up where it was left at the next start.
async fn chores(effective: &Effective, rooms: &Rooms) -> anyhow::Result<JoinSet<()>> {
    let mut chores = JoinSet::new();
    chores.spawn(sweep(rooms.traces.clone(), rooms.retention.clone()));
    if let Some(target) = wiring::export(effective)? {
        chores.spawn(export(rooms.traces.clone(), target));
    }
    chores.spawn(score(wiring::online(effective, rooms).await?));
    chores.spawn(follow_prompts(rooms.prompts.clone()));
    let texts = rooms.traces.clone();
    chores.spawn(async move { texts.follow_texts().await });
    let gateway = rooms.gateway.clone();
    chores.spawn(async move { gateway.catalog().refresh(gateway.routes().providers()).await });
    Ok(chores)
}

/// Serves prompts as their files are, as long as the server runs.
async fn follow_prompts(prompts: Arc<hanok_prompt::Library>) {
    let told = |followed: Result<(), LibraryError>| match followed {
        Ok(()) => {
            for listed in prompts.list() {
                if let Some(problem) = listed.problem {
                    tracing::warn!(prompt = listed.name, problem, "a prompt cannot be served as its file is");
                }
            }
        }
        Err(error) => {
            tracing::error!(error = &error as &dyn std::error::Error, "the prompts cannot be followed");
        }
    };
    // What was wrong with files before they were followed.
    told(Ok(()));
    prompts.watch(std::future::pending(), &told).await;
}

/// Sends traces to a collector, as long as the server runs.
async fn export(traces: TraceStore, target: Target) {
    if let Err(error) = hanok_trace::export::run(traces, target).await {
        tracing::error!(error = &error as &dyn std::error::Error, "the export of traces has ended");
    }
}

/// Scores live traces by rule, as long as the server runs.
async fn score(online: Online) {
    if let Err(error) = online.run().await {
        tracing::error!(error = &error as &dyn std::error::Error, "scoring of live traces has ended");
    }
}

/// Kept responses and traces go when their time is over.
async fn sweep(traces: TraceStore, retention: Arc<ArcSwap<Retention>>) {
    let store = traces.store();
    let mut hourly = tokio::time::interval(Duration::from_hours(1));
    loop {
        hourly.tick().await;
        if let Err(error) = store.responses().purge(Timestamp::now()).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "expired responses could not be deleted"
            );
        }
        let retention = retention.load_full();
        match traces.retain(&retention, Timestamp::now()).await {
            Ok(gone) if gone.traces > 0 => {
                tracing::info!(
                    traces = gone.traces,
                    spans = gone.spans,
                    "traces went, as their time was over"
                );
            }
            Ok(_) => {}
            Err(error) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "traces could not be removed");
            }
        }
    }
}

async fn bind(address: SocketAddr, setting: &Setting<String>, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => anyhow!(
            "{address} ({}) is in use by another program; choose another port with {flag}{}:PORT",
            setting.origin,
            address.ip()
        ),
        _ => anyhow!("{address} ({}) cannot be bound: {error}", setting.origin),
    })
}

fn introduce(url: &str, collections: &[(CollectionName, Vec<PathBuf>)], rooms: &Rooms) {
    output::note(format!("  open   {url}/"));
    output::note(format!("  client base_url = {url}/v1"));
    let providers: Vec<String> =
        rooms.gateway.routes().providers().iter().map(|provider| provider.name().to_string()).collect();
    if !providers.is_empty() {
        output::note(format!("  models of {}: {url}/v1/models", providers.join(", ")));
    }
    let key = if rooms.gateway.keys().is_empty() { "" } else { " -H 'authorization: Bearer YOUR_KEY'" };
    let model = match collections.first() {
        Some((name, _)) if name.as_str() != "default" => format!("hanok/extract@{name}"),
        _ => "hanok/extract".to_owned(),
    };
    output::note("  try");
    output::note(format!(
        "    curl {url}/v1/chat/completions{key} -H 'content-type: application/json' \\\n      \
         -d '{{\"model\": \"{model}\", \"messages\": [{{\"role\": \"user\", \"content\": \"How are answers cited?\"}}]}}'"
    ));
}

fn introduce_exporters(url: &str, otlp: Option<SocketAddr>, tls: bool) {
    let scheme = if tls { "https" } else { "http" };
    let exporters = otlp.map_or_else(|| url.to_owned(), |address| format!("{scheme}://{address}"));
    output::note(format!("  spans of other programs: OTEL_EXPORTER_OTLP_ENDPOINT={exporters}"));
}

/// Opens what collections are searched with. Where it cannot be opened, they are searched by the vectors of the embedder
/// before, if there was one, or by words alone, and say so.
async fn equip(equipper: Equipper, effective: Effective, wish: Wish) {
    for error in equipper.equip(&effective, wish).await {
        tracing::error!(
            error = format!("{error:#}"),
            "a collection is searched by what it had, or by words alone"
        );
    }
}

/// Brings collections up to date, and then follows what changes until it is cancelled.
async fn index(
    library: Arc<Library>,
    traces: TraceStore,
    collections: Vec<(CollectionName, Vec<PathBuf>)>,
    watches: bool,
    equipping: JoinHandle<()>,
    cancel: Cancel,
) {
    if let Err(error) = library.catch_up().await {
        tracing::error!(
            error = &error as &dyn std::error::Error,
            "the search index could not be brought up to date"
        );
    }
    let (mut following, mut changes) = (JoinSet::new(), Vec::new());
    for (name, paths) in collections {
        let shown = Shown::new(&name);
        match library.sync(&name, &paths, &shown, &cancel).await {
            Ok(report) => shown.end(&report),
            Err(error) => {
                tracing::error!(collection = %name, error = &error as &dyn std::error::Error, "indexing failed");
            }
        }
        let changed = Arc::new(Notify::new());
        changes.push((name.clone(), changed.clone()));
        if watches {
            let (library, cancel) = (library.clone(), cancel.clone());
            following.spawn(async move {
                let told = |watched| {
                    if matches!(watched, Watched::Changed(_)) {
                        changed.notify_one();
                    }
                    tell(&name, watched);
                };
                library.watch(&name, &paths, &cancel, &told).await;
            });
        }
    }
    if let Err(error) = equipping.await {
        tracing::error!(%error, "opening what collections are searched with ended badly");
    }
    // Words of all collections first: they are searchable at once, and vectors take their time.
    for (name, changed) in changes {
        embed(&library, &traces, &name, &cancel).await;
        if watches {
            let (library, traces, cancel) = (library.clone(), traces.clone(), cancel.clone());
            following.spawn(async move {
                while !cancel.is_cancelled() {
                    if tokio::time::timeout(LOOK_UP, changed.notified()).await.is_ok() {
                        embed(&library, &traces, &name, &cancel).await;
                    }
                }
            });
        }
    }
    following.join_all().await;
}

/// How soon a cancelled server is noticed between two changes.
const LOOK_UP: Duration = Duration::from_secs(1);

/// Makes the vectors that a collection lacks.
async fn embed(library: &Library, traces: &TraceStore, name: &CollectionName, cancel: &Cancel) {
    let shown = Embedding::new(name);
    if let Err(error) = library.embed(Some(traces), name, &|embedded| shown.update(embedded), cancel).await {
        tracing::error!(collection = %name, error = &error as &dyn std::error::Error, "embedding failed");
    }
    shown.end();
}

/// Says what following a collection is about.
fn tell(name: &CollectionName, watched: Watched) {
    match watched {
        Watched::Following(folders) => {
            output::note(format!("{name}: following changes in {folders} folders"));
        }
        Watched::Looking { reason, every } => {
            output::note(format!("{name}: looking for changes every {} s: {reason}", every.as_secs()));
        }
        Watched::Changed(report) => said(name, &report).into_iter().for_each(output::note),
        Watched::Failed(error) => {
            tracing::error!(collection = %name, error = &error as &dyn std::error::Error, "indexing failed");
        }
    }
}

/// Requests to stop. Listened for before the ready line, so that none that comes after it is missed.
#[cfg(unix)]
struct Stops {
    interrupt: tokio::signal::unix::Signal,
    terminate: tokio::signal::unix::Signal,
}

#[cfg(unix)]
impl Stops {
    fn listen() -> io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

/// Requests to stop.
#[cfg(not(unix))]
struct Stops;

#[cfg(not(unix))]
impl Stops {
    fn listen() -> io::Result<Self> {
        Ok(Self)
    }

    async fn next(&mut self) {
        if tokio::signal::ctrl_c().await.is_err() {
            std::future::pending().await
        }
    }
}
