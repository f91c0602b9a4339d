//! The doors: wire APIs for any client, the API over records and documents, and the web UI.
//!
//! Deliberately not here: constructing providers or stores (the binary does), and any JSON of a dialect
//! (`hanok-wire` does).
//!
//! Reading order: [`settings`], `door` (who may come in), `wire_api` (model calls), `params`, `api` (records and
//! documents), `live` (what just happened, over SSE), `pages` (which page), `present`
//! (records as what pages show), [`ui`] (pages themselves), `reply`
//! (answers as HTTP), [`serve`] (sockets).

mod api;
mod door;
mod live;
mod pages;
mod params;
mod present;
mod reply;
mod serve;
pub mod settings;
pub mod ui;
mod wire_api;

pub use serve::serve;
pub use settings::{ApiKey, Settings};

use arc_swap::ArcSwap;
use axum::Router;
use axum::routing::{get, post};
use hanok_base::CollectionName;
use hanok_gateway::Gateway;
use hanok_retrieval::Library;
use hanok_trace::TraceStore;
use std::path::PathBuf;
use std::sync::Arc;

/// The rooms behind the doors.
pub struct House {
    /// How to behave.
    pub settings: ArcSwap<Settings>,
    /// Model calls.
    pub gateway: Arc<Gateway>,
    /// Documents.
    pub library: Arc<Library>,
    /// Records.
    pub traces: TraceStore,
    /// The configured collections and their paths.
    pub collections: ArcSwap<Vec<(CollectionName, Vec<PathBuf>)>>,
    /// What a command must show to index any path: only the data folder's owner can read it.
    pub token: String,
    /// Becomes true when the server is asked to stop; live connections end then.
    pub stopping: tokio::sync::watch::Receiver<bool>,
}

/// Every route.
pub fn router(house: Arc<House>) -> Router {
    let inside = Router::new()
        .route("/v1/chat/completions", post(wire_api::chat_completions))
        .route("/chat/completions", post(wire_api::chat_completions))
        .route("/v1/embeddings", post(wire_api::embeddings))
        .route("/embeddings", post(wire_api::embeddings))
        .route("/v1/models", get(wire_api::models))
        .route("/models", get(wire_api::models))
        .route("/v1/models/{*id}", get(wire_api::model))
        .route("/models/{*id}", get(wire_api::model))
        .route("/api/status", get(api::status))
        .route("/api/search", post(api::search))
        .route("/api/index", post(api::index))
        .route("/api/traces", get(api::traces))
        .route("/api/traces/{id}", get(api::trace))
        .route("/api/sources/{id}", get(api::source))
        .route("/api/sources/{id}/text", get(api::source_text))
        .route("/api/live", get(live::live))
        .route("/", get(pages::ask))
        .route("/traces", get(pages::traces))
        .route("/traces/{id}", get(pages::trace))
        .route("/sources/{id}", get(pages::source))
        .fallback(pages::not_found)
        .method_not_allowed_fallback(pages::method_not_allowed)
        .layer(axum::middleware::from_fn_with_state(house.clone(), door::keep));
    // Assets hold nothing of anybody's, and probes have no key.
    Router::new()
        .route("/healthz", get(api::healthz))
        .route("/assets/{*path}", get(pages::asset))
        .merge(inside)
        .with_state(house)
}
