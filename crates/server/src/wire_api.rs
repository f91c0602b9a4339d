//! The doors clients of model APIs come in by.

use crate::House;
use crate::door::Visitor;
use crate::params::Path;
use crate::reply;
use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use bytes::Bytes;
use hanok_base::{CallContext, Dialect, ErrorKind, Problem, Recorder as _, Route};
use hanok_gateway::Call;
use hanok_wire::codec;
use http::StatusCode;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use std::sync::Arc;
use std::time::Duration;

/// How long a client may take to send its body.
const BODY_TIMEOUT: Duration = Duration::from_mins(5);

pub(crate) async fn chat_completions(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Response {
    call(&house, &visitor, Dialect::OpenAiChat, Route::Chat, request).await
}

pub(crate) async fn embeddings(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Response {
    call(&house, &visitor, Dialect::OpenAiChat, Route::Embeddings, request).await
}

/// One model call: a place in the records, the body, the gateway.
async fn call(
    house: &House,
    visitor: &Visitor,
    dialect: Dialect,
    route: Route,
    request: Request,
) -> Response {
    let cx = match admit(house, visitor).await {
        Ok(cx) => cx,
        Err(problem) => return reply::problem(dialect, &problem, None),
    };
    let trace_id = cx.trace_id();
    let answered = match read_body(request, house.settings.load().body_limit).await {
        Ok(body) => house.gateway.call(&cx, Call::new(dialect, route, body)).await,
        Err(problem) => {
            let mut scope = cx.span(hanok_base::Operation::Gateway, "unread request");
            scope.fail("invalid_request", problem.message.clone());
            Err(problem)
        }
    };
    match answered {
        Ok(answer) => reply::answer(answer, trace_id),
        Err(problem) => reply::problem(dialect, &problem, Some(trace_id)),
    }
}

pub(crate) async fn models(State(house): State<Arc<House>>) -> Response {
    let list = house.gateway.model_list().await;
    reply::bytes(StatusCode::OK, "application/json", codec(Dialect::OpenAiChat).encode_models(&list))
}

pub(crate) async fn model(State(house): State<Arc<House>>, Path(id): Path) -> Response {
    let dialect = Dialect::OpenAiChat;
    let list = house.gateway.model_list().await;
    if let Some((id, info)) = list.into_iter().find(|(known, _)| *known == id) {
        return reply::bytes(StatusCode::OK, "application/json", codec(dialect).encode_model(&id, &info));
    }
    let problem = Problem::new(ErrorKind::NotFound, "model_not_found", format!("there is no model `{id}`"));
    reply::problem(dialect, &problem.hint("list them at /v1/models"), None)
}

/// A context whose spans have a place reserved.
pub(crate) async fn admit(house: &House, visitor: &Visitor) -> Result<CallContext, Problem> {
    let place = house.traces.admit().await.map_err(|unavailable| Problem {
        retry_after: Some(2),
        ..Problem::new(ErrorKind::Unavailable, "store_unavailable", unavailable.to_string())
            .hint("free some space for the data folder; the server recovers by itself")
    })?;
    let caller = house.settings.load().caller(&visitor.host, visitor.key_name.clone());
    Ok(CallContext::new(place, caller))
}

/// The whole body, or what is wrong with it.
pub(crate) async fn read_body(request: Request, limit: usize) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::new(
            ErrorKind::TooLarge,
            "request_too_large",
            format!("the request's body is larger than the limit of {limit} bytes"),
        )
        .hint("raise `body_limit` under [server] in hanok.toml, or send less")
    };
    let announced = request
        .headers()
        .get(http::header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let collected =
        tokio::time::timeout(BODY_TIMEOUT, Limited::new(request.into_body(), limit).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(too_large()),
        Ok(Err(error)) => Err(Problem::new(
            ErrorKind::InvalidRequest,
            "body_unreadable",
            format!("the request's body ended early or could not be read: {error}"),
        )),
        Err(_) => Err(Problem::new(
            ErrorKind::InvalidRequest,
            "body_timeout",
            format!("the request's body did not arrive within {} s", BODY_TIMEOUT.as_secs()),
        )),
    }
}
