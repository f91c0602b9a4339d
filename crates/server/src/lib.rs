//! The doors: wire APIs for any client, the API over records and documents, and the web UI.
//!
//! Deliberately not here: constructing providers or stores (the binary does), and any JSON of a dialect
//! (`hanok-wire` does).
//!
//! Reading order: [`settings`], `door` (who may come in), `session` (people who
//! logged in), `wire_api` (model calls), `params`, `api` (records and
//! documents), `api_records` (sessions, scores, saved views), `api_documents` (searches, collections), `api_evals`, `api_judges`, `api_annotation`, `api_prompts` and [`prompts`], `otlp` (spans of other programs), `live` (what just
//! happened, over SSE), `pages` (which page), `records` (those of traces), `documents` (those of documents), `evals` (those of experiments and datasets), `judges`, `annotation` (those on which people label), `prompt_pages` (those of prompts), `people` (keys and logins), `present`
//! (records as what pages show), [`ui`] (pages themselves), `reply`
//! (answers as HTTP), [`serve`] (sockets).

mod annotation;
mod api;
mod api_annotation;
mod api_documents;
mod api_evals;
mod api_judges;
mod api_keys;
mod api_prompts;
mod api_records;
pub mod api_removal;
mod api_stats;
mod documents;
mod door;
mod evals;
mod judges;
pub mod keys;
mod live;
mod metrics;
mod otlp;
mod pages;
mod params;
mod people;
mod present;
mod prompt_pages;
pub mod prompt_scores;
pub mod prompts;
mod records;
mod reply;
mod serve;
mod session;
pub mod settings;
pub mod ui;
mod wire_api;

pub use keys::ConfiguredKey;
pub use serve::{Tls, TlsError, serve};
pub use session::Sessions;
pub use settings::Settings;

use arc_swap::{ArcSwap, ArcSwapOption};
use axum::Router;
use axum::body::Body;
use axum::response::Response;
use axum::routing::{delete, get, post};
use bytes::Bytes;
use door::Visitor;
use hanok_base::CollectionName;
use hanok_gateway::Gateway;
use hanok_retrieval::Library;
use hanok_trace::{Retention, TraceStore};
use http::Method;
use std::convert::Infallible;
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

/// The rooms behind the doors.
pub struct House {
    /// How to behave.
    pub settings: ArcSwap<Settings>,
    /// Model calls.
    pub gateway: Arc<Gateway>,
    /// Documents.
    pub library: Arc<Library>,
    /// Prompts.
    pub prompts: Arc<hanok_prompt::Library>,
    /// Where prompts have their examples from.
    pub examples: Arc<dyn hanok_base::ExampleSource>,
    /// Records.
    pub traces: TraceStore,
    /// How long traces stay.
    pub retention: Arc<ArcSwap<Retention>>,
    /// The configured collections and their paths.
    pub collections: ArcSwap<Vec<(CollectionName, Vec<PathBuf>)>>,
    /// What a command must show to index any path: only the data folder's owner can read it.
    pub token: String,
    /// Admins' keys of the configuration.
    pub configured_keys: ArcSwap<Vec<ConfiguredKey>>,
    /// Providers as configured, for people.
    pub providers: ArcSwap<Vec<ProviderInfo>>,
    /// Why the configuration on disk is not the one that holds; `None` where it is.
    pub config_problem: ArcSwapOption<ConfigProblem>,
    /// Who is logged in.
    pub sessions: Sessions,
    /// Becomes true when the server is asked to stop; live connections end then.
    pub stopping: tokio::sync::watch::Receiver<bool>,
}

/// A provider as configured, without any secret.
#[derive(Clone, Debug, Default)]
pub struct ProviderInfo {
    /// Its name.
    pub name: String,
    /// Where it answers.
    pub base_url: String,
    /// Whether its key is there.
    pub has_key: bool,
    /// Whether it wants one.
    pub wants_key: bool,
    /// The environment variable of the key, where one is named.
    pub key_variable: Option<String>,
}

/// A configuration on disk that could not be taken.
#[derive(Clone, Debug)]
pub struct ConfigProblem {
    /// The file.
    pub file: String,
    /// What is wrong with it.
    pub message: String,
    /// When it was read.
    pub at: hanok_base::Timestamp,
}

impl House {
    /// The traces that a visitor may see.
    fn traces_of(&self, visitor: &Visitor) -> TraceStore {
        self.traces.of(visitor.only_project().map(Into::into))
    }

    /// Hands all good keys to the gateway: at the start, and whenever they changed.
    pub async fn load_keys(&self) -> Result<(), hanok_store::StoreError> {
        keys::load(self.traces.store(), &self.configured_keys.load(), self.gateway.keys()).await
    }
}

/// The routes of model APIs whose requests say something in their path or have no body.
fn wire_routes() -> Router<Arc<House>> {
    use wire_api::{gemini, lists, ollama, responses};
    let mut routes = Router::new();
    for under in ["/v1", ""] {
        routes = routes
            .route(&format!("{under}/responses/{{id}}"), get(responses::get).delete(responses::delete))
            .route(&format!("{under}/responses/{{id}}/cancel"), post(responses::cancel))
            .route(&format!("{under}/responses/{{id}}/input_items"), get(responses::input_items));
    }
    for under in ["/v1", "/v1beta", ""] {
        routes = routes
            .route(&format!("{under}/models"), get(lists::models))
            .route(&format!("{under}/models/{{*id}}"), get(lists::model).post(gemini::method));
    }
    routes
        .route("/api/tags", get(ollama::tags))
        .route("/api/show", post(ollama::show))
        .route("/api/version", get(ollama::version))
        .route("/api/ps", get(ollama::ps))
}

/// Every way in. Model calls go straight to their room, which on their way is most of what routing would cost;
/// all else goes by a router.
#[derive(Clone)]
pub struct Doors {
    house: Arc<House>,
    router: Router,
    /// Whether model calls come in here.
    calls: bool,
}

impl Doors {
    /// The ways into this house.
    pub fn new(house: Arc<House>) -> Self {
        Self { router: router(house.clone()), house, calls: true }
    }

    /// The ways in for spans of other programs only.
    pub fn otlp(house: Arc<House>) -> Self {
        let router = otlp::routes()
            .fallback(pages::not_found)
            .method_not_allowed_fallback(pages::no_such_method)
            .layer(axum::middleware::from_fn_with_state(house.clone(), door::keep))
            .with_state(house.clone());
        Self { router, house, calls: false }
    }
}

impl<B> hyper::service::Service<http::Request<B>> for Doors
where
    B: http_body::Body<Data = Bytes> + Send + 'static,
    B::Error: Into<axum::BoxError>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn call(&self, request: http::Request<B>) -> Self::Future {
        let request = request.map(Body::new);
        let Some(asked) = wire_api::at(request.uri().path()).filter(|_| self.calls) else {
            return Box::pin(tower_service::Service::call(&mut self.router.clone(), request));
        };
        let house = self.house.clone();
        Box::pin(async move {
            let response = door::through(&house, request, async |visitor, request| {
                if request.method() == Method::POST {
                    wire_api::call(&house, &visitor, request, asked).await
                } else {
                    pages::method_not_allowed(&house, request)
                }
            });
            Ok(response.await)
        })
    }
}

/// Every route but those of [`wire_api::at`].
fn router(house: Arc<House>) -> Router {
    let inside = Router::new()
        .merge(wire_routes())
        .merge(otlp::routes())
        .route("/api/status", get(api::status))
        .route("/api/search", post(api_documents::search))
        .route("/api/chunks/preview", post(api_documents::preview_chunks))
        .route("/api/collections", get(api_documents::collections))
        .route("/api/collections/{name}", delete(api_documents::delete_collection))
        .route("/api/collections/{name}/index", post(api_documents::index_collection))
        .route("/api/sources", get(api_documents::sources).delete(api_documents::delete_sources))
        .route("/api/index", post(api::index))
        .route("/api/evals", post(api_evals::keep))
        .route("/api/experiments", get(api_evals::experiments))
        .route("/api/experiments/compare", get(api_evals::compare))
        .route("/api/experiments/{id}", get(api_evals::experiment))
        .route("/api/datasets", get(api_evals::datasets))
        .route("/api/datasets/{name}", get(api_evals::dataset))
        .route("/api/judges", get(api_judges::judges))
        .route("/api/judges/{name}", get(api_judges::judge))
        .route("/api/annotations", get(api_annotation::queues))
        .route("/api/annotations/{queue}/next", get(api_annotation::next))
        .route("/api/annotations/{queue}/items", get(api_annotation::items))
        .route("/api/annotations/items/{id}", get(api_annotation::item))
        .route("/api/annotations/items/{id}/label", post(api_annotation::label))
        .route("/api/annotations/items/{id}/settle", post(api_annotation::settle))
        .route("/api/traces", get(api::traces).delete(api_removal::delete))
        .route("/api/stats", get(api_stats::stats))
        .route("/api/audit", get(api_removal::audit))
        .route("/api/traces/{id}", get(api::trace))
        .route("/api/sessions", get(api_records::sessions))
        .route("/api/sessions/{id}", get(api_records::session))
        .route("/api/scores", get(api_records::scores).post(api_records::score))
        .route("/api/scores/{id}", delete(api_records::remove_score))
        .route("/api/views", get(api_records::views).post(api_records::keep_view))
        .route("/api/views/{id}", delete(api_records::remove_view))
        .route("/api/sources/{id}", get(api::source).delete(api_documents::delete_source))
        .route("/api/sources/{id}/text", get(api::source_text))
        .route("/api/keys", get(api_keys::list).post(api_keys::create))
        .route("/api/keys/{id}", delete(api_keys::revoke))
        .route("/api/keys/{id}/reconcile", post(api_keys::reconcile))
        .route("/api/prompts", get(api_prompts::list))
        .route("/api/prompts/{name}", get(api_prompts::show).put(api_prompts::save))
        .route("/api/prompts/{name}/history", get(api_prompts::history))
        .route("/api/prompts/{name}/metrics", get(api_prompts::metrics))
        .route("/api/prompts/{name}/diff", get(api_prompts::diff))
        .route("/api/prompts/{name}/labels", post(api_prompts::label))
        .route("/api/prompts/{name}/render", post(api_prompts::render))
        .route("/api/live", get(live::live))
        .route("/metrics", get(metrics::metrics))
        .route("/", get(pages::ask))
        .route("/traces", get(pages::traces))
        .route("/keys", get(people::keys).post(people::create_key))
        .route("/keys/{id}/revoke", post(people::revoke_key))
        .route("/logout", post(people::logout))
        .route("/traces/{id}", get(records::trace))
        .route("/sessions", get(records::sessions))
        .route("/sessions/{id}", get(records::session))
        .route("/costs", get(records::costs))
        .route("/settings", get(records::settings))
        .route("/knowledge", get(documents::knowledge))
        .route("/knowledge/{name}", get(documents::collection))
        .route("/knowledge/{name}/index", post(documents::index_collection))
        .route("/knowledge/{name}/delete", post(documents::delete_collection))
        .route("/prompts", get(prompt_pages::list).post(prompt_pages::create))
        .route("/prompts/{name}", get(prompt_pages::show).post(prompt_pages::save))
        .route("/prompts/{name}/labels", post(prompt_pages::label))
        .route("/playground", get(prompt_pages::playground))
        .route("/playground/draft", post(prompt_pages::draft))
        .route("/playground/rows", get(prompt_pages::first_rows))
        .route("/search", get(documents::search))
        .route("/experiments", get(evals::experiments))
        .route("/experiments/compare", get(evals::compare))
        .route("/experiments/{id}", get(evals::experiment))
        .route("/datasets", get(evals::datasets))
        .route("/datasets/{name}", get(evals::dataset))
        .route("/judges", get(judges::list))
        .route("/judges/{name}", get(judges::show))
        .route("/annotation", get(annotation::list))
        .route("/annotation/{queue}", get(annotation::show).post(annotation::say))
        .route("/sources/{id}", get(documents::source))
        .route("/sources/{id}/chunks", get(documents::chunks))
        .route("/sources/{id}/delete", post(documents::delete_source))
        .fallback(pages::not_found)
        .method_not_allowed_fallback(pages::no_such_method)
        .layer(axum::middleware::from_fn_with_state(house.clone(), door::keep));
    // Whoever comes to log in has no key yet; host and origin are checked all the same.
    let doors = Router::new()
        .route("/login", get(people::login).post(people::log_in))
        .layer(axum::middleware::from_fn_with_state(house.clone(), door::greet));
    // Assets hold nothing of anybody's, and probes have no key.
    Router::new()
        .route("/healthz", get(api::healthz))
        .merge(doors)
        .route("/assets/{*path}", get(pages::asset))
        .merge(inside)
        .with_state(house)
}
