//! What a request's address says, read so that a mistake in it gets an answer in the right shape.

use crate::{House, pages};
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{self, FromRequestParts};
use axum::response::Response;
use hanok_base::{ErrorKind, Problem};
use http::request::Parts;
use serde::de::DeserializeOwned;
use std::sync::Arc;

/// The parameters behind `?`.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<House>> for Query<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, house: &Arc<House>) -> Result<Self, Response> {
        let read: Result<extract::Query<T>, QueryRejection> =
            extract::Query::from_request_parts(parts, house).await;
        read.map(|query| Self(query.0)).map_err(|rejection| refuse(house, parts, &rejection.body_text()))
    }
}

/// The variable part of the path.
pub(crate) struct Path(pub(crate) String);

impl FromRequestParts<Arc<House>> for Path {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, house: &Arc<House>) -> Result<Self, Response> {
        let read: Result<extract::Path<String>, PathRejection> =
            extract::Path::from_request_parts(parts, house).await;
        read.map(|path| Self(path.0)).map_err(|rejection| refuse(house, parts, &rejection.body_text()))
    }
}

fn refuse(house: &House, parts: &Parts, what: &str) -> Response {
    pages::refuse(house, parts, &Problem::new(ErrorKind::InvalidRequest, "invalid_request", what))
}
