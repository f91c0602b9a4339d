//! The API over records and documents, and what probes and commands ask.

use crate::api_documents::source_value;
use crate::door::Visitor;
use crate::params::{Path, Query};
use crate::present::documents::may_read;
use crate::wire_api::read_body;
use crate::{House, reply};
use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use hanok_base::{CollectionName, Dialect, ErrorKind, Problem, RetrievalError, SourceId, Timestamp, TraceId};
use hanok_retrieval::{Cancel, Library, LibraryError, SyncReport};
use hanok_store::HealthState;
use hanok_store::documents::Source;
use hanok_trace::{TraceError, TraceFilter, TraceStore, parse_filter};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// Most hits of one search, most traces of one page.
const MOST: usize = 1000;

pub(crate) async fn healthz(State(house): State<Arc<House>>) -> Response {
    match store_trouble(&house) {
        None => reply::bytes(StatusCode::OK, "application/json", r#"{"status":"ok"}"#),
        Some(reason) => {
            let body = json!({ "status": "store_unavailable", "reason": reason }).to_string();
            reply::bytes(StatusCode::SERVICE_UNAVAILABLE, "application/json", body)
        }
    }
}

/// Why the store cannot commit now.
pub(crate) fn store_trouble(house: &House) -> Option<String> {
    match house.traces.store().health().state {
        HealthState::Ok => None,
        HealthState::Failing { reason, .. } => Some(reason),
    }
}

/// The state of the house, for commands and scripts.
pub(crate) async fn status(State(house): State<Arc<House>>) -> Response {
    let settings = house.settings.load();
    let collections: Vec<_> = house
        .library
        .collections()
        .into_iter()
        .map(|info| {
            json!({
                "name": info.name,
                "indexed": info.coverage.indexed,
                "found": info.coverage.found,
                "indexing": info.coverage.indexing,
            })
        })
        .collect();
    let routes = house.gateway.routes();
    let texts = house.traces.text_lag().await.unwrap_or_else(|error| {
        tracing::warn!(error = &error as &dyn std::error::Error, "the index of messages cannot be asked");
        None
    });
    let providers: Vec<_> = routes.providers().iter().map(|provider| provider.name().as_str()).collect();
    reply::json(&json!({
        "version": settings.version,
        "url": settings.local_url(),
        "collections": collections,
        "providers": providers,
        "config_problem": house.config_problem.load().as_deref().map(|problem| {
            json!({ "file": problem.file, "message": problem.message, "at": problem.at.rfc3339() })
        }),
        "export_problem": house.traces.export().problem(),
        "full_text": texts,
        "store": store_trouble(&house).unwrap_or_else(|| "ok".to_owned()),
    }))
}

pub(crate) fn search_problem(error: &RetrievalError) -> Problem {
    match error {
        RetrievalError::UnknownCollection { .. } => {
            Problem::new(ErrorKind::NotFound, "collection_not_found", error.to_string())
                .param("collection")
                .hint("collections are made by `hanok up PATH` or under [collections] in hanok.toml")
        }
        RetrievalError::EmptyQuery(_) => {
            Problem::new(ErrorKind::InvalidRequest, "empty_query", error.to_string()).param("query")
        }
        RetrievalError::BadFilter(_) => {
            Problem::new(ErrorKind::InvalidRequest, "invalid_filter", error.to_string()).param("filter")
        }
        RetrievalError::NoVectors(_) => {
            Problem::new(ErrorKind::InvalidRequest, "no_vectors", error.to_string()).param("legs")
        }
        RetrievalError::Failed(source) => {
            tracing::error!(error = source.as_ref() as &dyn std::error::Error, "search failed");
            Problem::new(ErrorKind::Internal, "search_failed", "the search failed; the server's log says why")
        }
    }
}

#[derive(Deserialize)]
struct IndexBody {
    collection: String,
    /// The configured ones when absent.
    paths: Option<Vec<PathBuf>>,
}

/// Brings a collection up to date. Only for commands of the data folder's owner, who can read the token
/// there: whoever may index any path can read any file.
pub(crate) async fn index(State(house): State<Arc<House>>, headers: HeaderMap, request: Request) -> Response {
    if !crate::door::is_owner(&house.token, &headers) {
        let problem =
            Problem::new(ErrorKind::Forbidden, "not_the_owner", "only the data folder's owner may index");
        return failed(&problem.hint("use `hanok index` on the machine the server runs on"));
    }
    let limit = house.settings.load().body_limit;
    let body: IndexBody = match parsed(request, limit).await {
        Ok(body) => body,
        Err(problem) => return failed(&problem),
    };
    let name: CollectionName = body.collection.as_str().into();
    let configured = house.collections.load();
    let of_configuration =
        || configured.iter().find(|(known, _)| *known == name).map(|(_, paths)| paths.clone());
    let Some(paths) = body.paths.or_else(of_configuration) else {
        let known: Vec<String> = configured.iter().map(|(name, _)| name.to_string()).collect();
        let message = format!("there is no collection `{name}`; configured: {}", known.join(", "));
        return failed(
            &Problem::new(ErrorKind::NotFound, "collection_not_found", message).param("collection"),
        );
    };
    match begin_indexing(&house, name, paths).await {
        Ok(Ok(report)) => reply::json(&report),
        Ok(Err(error)) => failed(&library_problem(&error)),
        Err(error) => {
            tracing::error!(%error, "an index run ended badly");
            failed(&Problem::new(ErrorKind::Internal, "internal_error", "the index run ended badly"))
        }
    }
}

/// Brings a collection up to date in a task of its own: a run that was begun goes on though its caller goes away, and
/// ends with the server.
pub(crate) fn begin_indexing(
    house: &House,
    name: CollectionName,
    paths: Vec<PathBuf>,
) -> JoinHandle<Result<SyncReport, LibraryError>> {
    let (library, traces, stopping) = (house.library.clone(), house.traces.clone(), house.stopping.clone());
    tokio::spawn(async move {
        let cancel = Cancel::default();
        let report = until(stopping.clone(), &cancel, library.sync(&name, &paths, &(), &cancel)).await?;
        // Words can be searched for now; vectors take their time, and nobody waits for them.
        tokio::spawn(embed(library, traces, name, stopping));
        Ok(report)
    })
}

impl House {
    /// Makes, behind what else goes on, the vectors that collections lack: after what they are searched with changed.
    pub fn embed_behind(&self) {
        for collection in self.library.collections() {
            let (library, traces) = (self.library.clone(), self.traces.clone());
            tokio::spawn(embed(library, traces, collection.name, self.stopping.clone()));
        }
    }
}

async fn embed(
    library: Arc<Library>,
    traces: TraceStore,
    name: CollectionName,
    stopping: watch::Receiver<bool>,
) {
    let cancel = Cancel::default();
    let run = library.embed(Some(&traces), &name, &|_| {}, &cancel);
    if let Err(error) = until(stopping, &cancel, run).await {
        tracing::error!(collection = %name, error = &error as &dyn std::error::Error, "embedding failed");
    }
}

/// What `run` gives, which is asked to end when the server is.
async fn until<T>(mut stopping: watch::Receiver<bool>, cancel: &Cancel, run: impl Future<Output = T>) -> T {
    tokio::pin!(run);
    tokio::select! {
        done = &mut run => return done,
        _ = stopping.wait_for(|stop| *stop) => cancel.cancel(),
    }
    run.await
}

pub(crate) fn library_problem(error: &LibraryError) -> Problem {
    match error {
        LibraryError::Path { .. }
        | LibraryError::NoSuchPath(_)
        | LibraryError::NothingMatches(_)
        | LibraryError::Pattern { .. } => {
            Problem::new(ErrorKind::InvalidRequest, "path_unusable", error.to_string()).param("paths")
        }
        other => {
            tracing::error!(error = other as &dyn std::error::Error, "a document operation failed");
            Problem::new(ErrorKind::Internal, "internal_error", "the documents could not be reached")
                .hint("the server's log says why")
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct TracesQuery {
    limit: Option<String>,
    filter: Option<String>,
    pub(crate) cursor: Option<String>,
}

pub(crate) async fn traces(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<TracesQuery>,
) -> Response {
    let (filter, limit) = match listed(&query) {
        Ok(listed) => listed,
        Err(problem) => return failed(&problem),
    };
    match house.traces_of(&visitor).list(&filter, query.cursor.as_deref(), limit).await {
        Ok(page) => reply::json(&page),
        Err(error) => failed(&trace_problem(&error)),
    }
}

/// What a list is asked for: which, and how many.
pub(crate) fn listed(query: &TracesQuery) -> Result<(TraceFilter, usize), Problem> {
    let limit = limit(query.limit.as_deref())?;
    let filter = parse_filter(query.filter.as_deref().unwrap_or_default(), Timestamp::now());
    let filter = filter.map_err(|error| {
        Problem::new(ErrorKind::InvalidRequest, "invalid_filter", error.to_string()).param("filter")
    })?;
    Ok((filter, limit))
}

/// How many are asked for.
pub(crate) fn limit(text: Option<&str>) -> Result<usize, Problem> {
    match text.map(str::parse::<usize>) {
        None => Ok(50),
        Some(Ok(limit)) if (1..=MOST).contains(&limit) => Ok(limit),
        Some(_) => {
            let message = format!("`limit` must be a number from 1 to {MOST}");
            Err(Problem::new(ErrorKind::InvalidRequest, "invalid_request", message).param("limit"))
        }
    }
}

pub(crate) async fn trace(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
) -> Response {
    let Ok(id) = id.parse::<TraceId>() else {
        return failed(&no_trace(&id));
    };
    match house.traces_of(&visitor).get(id).await {
        Ok(Some(trace)) => reply::json(&trace),
        Ok(None) => failed(&no_trace(&id.to_string())),
        Err(error) => failed(&trace_problem(&error)),
    }
}

pub(crate) fn no_trace(id: &str) -> Problem {
    Problem::new(ErrorKind::NotFound, "trace_not_found", format!("there is no trace `{id}`"))
        .hint("a call shows a moment after its answer has ended")
}

pub(crate) fn trace_problem(error: &TraceError) -> Problem {
    if let TraceError::BadCursor(_) = error {
        return Problem::new(ErrorKind::InvalidRequest, "invalid_cursor", error.to_string()).param("cursor");
    }
    tracing::error!(error = error as &dyn std::error::Error, "reading traces failed");
    Problem::new(
        ErrorKind::Internal,
        "internal_error",
        "the traces could not be read; the server's log says why",
    )
}

pub(crate) async fn source(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
) -> Response {
    match find_source(&house, &visitor, &id).await {
        Ok(source) => reply::json(&source_value(&house.library, &source.summary)),
        Err(problem) => failed(&problem),
    }
}

pub(crate) async fn source_text(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
) -> Response {
    match find_source(&house, &visitor, &id).await {
        Ok(source) => reply::bytes(StatusCode::OK, "text/plain; charset=utf-8", source.text),
        Err(problem) => failed(&problem),
    }
}

/// A document that the visitor may read.
pub(crate) async fn find_source(house: &House, visitor: &Visitor, id: &str) -> Result<Source, Problem> {
    let missing = || {
        Problem::new(ErrorKind::NotFound, "source_not_found", format!("there is no document `{id}`"))
            .hint("it may have been deleted or moved since it was cited")
    };
    let parsed: SourceId = id.parse().map_err(|_| missing())?;
    match house.library.source(parsed).await {
        Ok(Some(source)) if may_read(visitor, &source.summary.meta) => Ok(source),
        Ok(_) => Err(missing()),
        Err(error) => Err(library_problem(&error)),
    }
}

/// A body of our own API, with the position of what is wrong in it.
pub(crate) async fn parsed<T: serde::de::DeserializeOwned>(
    request: Request,
    limit: usize,
) -> Result<T, Problem> {
    let body = read_body(request, limit).await?;
    serde_json::from_slice(&body).map_err(|error| {
        Problem::new(
            ErrorKind::InvalidRequest,
            "invalid_request",
            format!("the body is not what it should be: {error}"),
        )
    })
}

/// An answer of our own API, or why there is none.
pub(crate) fn answered(result: Result<Value, Problem>) -> Response {
    match result {
        Ok(value) => reply::json(&value),
        Err(problem) => failed(&problem),
    }
}

pub(crate) fn failed(problem: &Problem) -> Response {
    reply::problem(Dialect::OpenAiChat, problem, None)
}
