//! The models on offer, in the shape of whoever asks.

use super::speech::dialect_of;
use crate::House;
use crate::door::Visitor;
use crate::params::Path;
use crate::reply;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use hanok_base::{Dialect, ErrorKind, ModelInfo, Problem};
use hanok_wire::codec;
use http::{HeaderMap, StatusCode, Uri};
use std::sync::Arc;

/// All models this caller may call.
pub(crate) async fn offered(house: &House, visitor: &Visitor) -> Vec<(String, ModelInfo)> {
    let mut list = house.gateway.model_list().await;
    if let Some(key) = &visitor.key {
        list.retain(|(id, _)| key.check_model(id).is_ok());
    }
    list
}

pub(crate) async fn models(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    // People and OpenAI's clients come by one path.
    let wants_page = headers
        .get(http::header::ACCEPT)
        .is_some_and(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/html")));
    if uri.path() == "/models" && wants_page {
        return crate::people::models(&house, &visitor, &uri, &headers).await;
    }
    let list = offered(&house, &visitor).await;
    let wire = codec(dialect_of(uri.path(), &headers));
    reply::bytes(StatusCode::OK, "application/json", wire.encode_models(&list))
}

pub(crate) async fn model(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let dialect = dialect_of(uri.path(), &headers);
    let wanted = if dialect == Dialect::Gemini { id.strip_prefix("models/").unwrap_or(&id) } else { &id };
    let list = offered(&house, &visitor).await;
    if let Some((id, info)) = list.into_iter().find(|(known, _)| known == wanted) {
        return reply::bytes(StatusCode::OK, "application/json", codec(dialect).encode_model(&id, &info));
    }
    let problem = Problem::new(ErrorKind::NotFound, "model_not_found", format!("there is no model `{id}`"));
    reply::problem(dialect, &problem.hint("list them at /v1/models"), None)
}
