//! The API over keys, for admins.

use crate::House;
use crate::api::answered;
use crate::door::Visitor;
use crate::keys::{self, KeyRequest, KeysError};
use crate::params::Path;
use crate::wire_api::read_body;
use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use hanok_base::{ErrorKind, Problem};
use serde_json::{Value, json};
use std::sync::Arc;

/// A wish is short.
const LARGEST_WISH: usize = 64 << 10;

pub(crate) fn problem_of(error: &KeysError) -> Problem {
    match error {
        KeysError::Wish { member, message } => {
            Problem::new(ErrorKind::InvalidRequest, "invalid_request", message.clone()).param(*member)
        }
        KeysError::Unknown(_) => Problem::new(ErrorKind::NotFound, "key_not_found", error.to_string()),
        KeysError::Ambiguous { .. } => Problem::new(ErrorKind::Conflict, "ambiguous_name", error.to_string()),
        KeysError::Store(error) => {
            tracing::error!(error = error as &dyn std::error::Error, "keys cannot be read or changed");
            Problem::new(
                ErrorKind::Unavailable,
                "store_unavailable",
                "the store cannot be read or changed now",
            )
        }
    }
}

pub(crate) async fn list(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    let policy = house.gateway.policy();
    let only = visitor.only_project();
    let listed = keys::list(house.traces.store(), Some(&policy.ledger), only).await;
    answered(listed.map(|keys| json!({ "keys": keys })).map_err(|error| problem_of(&error)))
}

pub(crate) async fn create(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Response {
    answered(create_inner(&house, &visitor, request).await)
}

async fn create_inner(house: &House, visitor: &Visitor, request: Request) -> Result<Value, Problem> {
    visitor.must_be_admin()?;
    let body = read_body(request, LARGEST_WISH).await?;
    let wish: KeyRequest = serde_json::from_slice(&body)
        .map_err(|error| Problem::new(ErrorKind::InvalidRequest, "invalid_request", error.to_string()))?;
    made(house, wish).await.map_err(|error| problem_of(&error))
}

/// Makes a key and tells the gateway of it before anybody can use it.
pub(crate) async fn made(house: &House, wish: KeyRequest) -> Result<Value, KeysError> {
    let store = house.traces.store();
    let (key, secret) = keys::create(store, wish).await?;
    house.load_keys().await?;
    let books = keys::Books::read(store).await?;
    let mut described = keys::described(&key, &books, None, hanok_base::Timestamp::now());
    if let Some(object) = described.as_object_mut() {
        object.insert("secret".into(), secret.reveal().into());
    }
    Ok(described)
}

pub(crate) async fn revoke(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
) -> Response {
    if let Err(problem) = visitor.must_be_admin() {
        return answered(Err(problem));
    }
    answered(revoked(&house, &id).await.map_err(|error| problem_of(&error)))
}

/// Revokes a key; it stops working before this returns.
pub(crate) async fn revoked(house: &House, id: &str) -> Result<Value, KeysError> {
    let key = keys::revoke(house.traces.store(), id).await?;
    house.load_keys().await?;
    let books = keys::Books::read(house.traces.store()).await?;
    Ok(keys::described(&key, &books, None, hanok_base::Timestamp::now()))
}

pub(crate) async fn reconcile(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
) -> Response {
    if let Err(problem) = visitor.must_be_admin() {
        return answered(Err(problem));
    }
    let reconciled = keys::reconcile(house.traces.store(), &id).await;
    house.gateway.policy().ledger.reload();
    answered(
        reconciled
            .map(|(key, given_back)| json!({ "id": key.id, "name": key.name, "given_back_usd": given_back.dollars() }))
            .map_err(|error| problem_of(&error)),
    )
}
