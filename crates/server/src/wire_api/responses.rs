//! Responses that clients ask back.

use crate::door::Visitor;
use crate::params::{Path, Query};
use crate::{House, reply};
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use hanok_base::{Dialect, Problem};
use hanok_wire::openai_responses::Page;
use http::StatusCode;
use serde::Deserialize;
use std::sync::Arc;

/// Items of one page where the client does not say.
const ITEMS: usize = 20;

/// Whose responses these are.
fn project(visitor: &Visitor) -> &str {
    visitor.key.as_ref().map_or("", |key| &key.project)
}

fn answer(result: Result<Vec<u8>, Problem>) -> Response {
    match result {
        Ok(body) => reply::bytes(StatusCode::OK, "application/json", body),
        Err(problem) => reply::problem(Dialect::OpenAiResponses, &problem, None),
    }
}

pub(crate) async fn get(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
) -> Response {
    answer(house.gateway.stored_response(project(&visitor), &id).await)
}

pub(crate) async fn delete(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
) -> Response {
    answer(house.gateway.delete_response(project(&visitor), &id).await)
}

pub(crate) async fn cancel(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
) -> Response {
    answer(house.gateway.cancel_response(project(&visitor), &id).await)
}

#[derive(Deserialize)]
pub(crate) struct ItemsQuery {
    after: Option<String>,
    limit: Option<usize>,
    order: Option<String>,
}

pub(crate) async fn input_items(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
    Query(query): Query<ItemsQuery>,
) -> Response {
    let page = Page {
        after: query.after.as_deref(),
        limit: query.limit.unwrap_or(ITEMS).clamp(1, 100),
        ascending: query.order.as_deref() == Some("asc"),
    };
    answer(house.gateway.response_input_items(project(&visitor), &id, page).await)
}
