//! What commands that run evals keep in the server's store, and read from it.

use crate::api::{failed, parsed};
use crate::{House, reply};
use axum::extract::{Request, State};
use axum::response::Response;
use hanok_base::{ErrorKind, Problem};
use hanok_eval::KeepError;
use http::HeaderMap;
use serde_json::Value;
use std::sync::Arc;

/// Answers a call of [`hanok_eval::Keeper`]. Only for commands of the data folder's owner, who can read the token
/// there: what is kept here is everybody's.
pub(crate) async fn keep(State(house): State<Arc<House>>, headers: HeaderMap, request: Request) -> Response {
    if !crate::door::is_owner(&house.token, &headers) {
        let message = "only the data folder's owner may run evals";
        let problem = Problem::new(ErrorKind::Forbidden, "not_the_owner", message);
        return failed(&problem.hint("use `hanok eval run` on the machine the server runs on"));
    }
    let limit = house.settings.load().body_limit;
    let call: Value = match parsed(request, limit).await {
        Ok(call) => call,
        Err(problem) => return failed(&problem),
    };
    match hanok_eval::keeper::serve(house.traces.store(), call).await {
        Ok(answer) => reply::json(&answer),
        Err(KeepError::Version(error)) => {
            let message =
                format!("this server does not understand the command, which is of another version: {error}");
            failed(&Problem::new(ErrorKind::InvalidRequest, "invalid_request", message))
        }
        Err(error) => {
            tracing::error!(%error, "a call of an eval failed");
            failed(&Problem::new(ErrorKind::Unavailable, "store_unavailable", "the store cannot do this now"))
        }
    }
}
