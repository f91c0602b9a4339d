//! What Ollama's clients and editors ask beside their calls.

use super::lists::offered;
use super::read_body;
use crate::door::Visitor;
use crate::{House, reply};
use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use hanok_base::{Dialect, ErrorKind, Problem, ProviderErrorKind};
use hanok_wire::codec;
use hanok_wire::ollama::{self, Capability, ShowInfo};
use http::StatusCode;
use std::sync::Arc;

/// A question is short.
const LARGEST: usize = 64 << 10;

/// The version of Ollama's API that is spoken here. Editors refuse older ones.
const SPOKEN: &str = "0.12.6";

pub(crate) async fn tags(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    let list = offered(&house, &visitor).await;
    reply::bytes(StatusCode::OK, "application/json", codec(Dialect::Ollama).encode_models(&list))
}

pub(crate) async fn version() -> Response {
    reply::bytes(StatusCode::OK, "application/json", ollama::version(SPOKEN))
}

/// Nothing is loaded here: models run at their providers.
pub(crate) async fn ps() -> Response {
    reply::bytes(StatusCode::OK, "application/json", ollama::ps(&[]))
}

pub(crate) async fn show(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Response {
    let asked = read_body(request, LARGEST).await.and_then(|body| {
        ollama::show_request(&body)
            .map_err(|error| Problem::new(ErrorKind::InvalidRequest, "invalid_request", error.to_string()))
    });
    let name = match asked {
        Ok(name) => name,
        Err(problem) => return reply::problem(Dialect::Ollama, &problem, None),
    };
    let known = offered(&house, &visitor).await.into_iter().find(|(id, _)| *id == name);
    let found = match &visitor.key {
        Some(key) => key.check_model(&name).and_then(|()| house.gateway.model(&name)),
        None => house.gateway.model(&name),
    };
    let not_found = || {
        let message = format!("model '{name}' not found");
        let problem = Problem::new(ErrorKind::NotFound, "model_not_found", message);
        reply::problem(Dialect::Ollama, &problem, None)
    };
    let Ok(model) = found else {
        // What leads to no model by itself, and is offered all the same, is a prompt.
        return match known {
            Some((_, info)) => {
                let info = ShowInfo {
                    modified: info.created,
                    capabilities: vec![Capability::Completion],
                    ..ShowInfo::default()
                };
                reply::bytes(StatusCode::OK, "application/json", ollama::show(&name, &info))
            }
            None => not_found(),
        };
    };
    let context_length = house.gateway.context_length(&model);
    // What the operator says goes before what the server says.
    if model.context_length.is_none() {
        match house.gateway.shown(&model).await {
            Some(Ok(shown)) => return reply::bytes(StatusCode::OK, "application/json", shown),
            Some(Err(error)) if error.kind == ProviderErrorKind::UnknownModel && known.is_none() => {
                return not_found();
            }
            Some(Err(error)) => tracing::debug!(model = name, %error, "the provider tells nothing of it"),
            None => {}
        }
    }
    let created = known.map_or(0, |(_, info)| info.created);
    // What a model cannot do is an error or a warning of the call; told less than it can, editors hide it.
    let capabilities = vec![Capability::Completion, Capability::Tools, Capability::Vision];
    let info = ShowInfo { modified: created, context_length, capabilities, ..ShowInfo::default() };
    reply::bytes(StatusCode::OK, "application/json", ollama::show(&name, &info))
}
