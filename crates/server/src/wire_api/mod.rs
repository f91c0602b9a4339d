//! The doors clients of model APIs come in by.
//!
//! Reading order: `speech` (which dialect), `labels` (what headers say of a call), this file (calls), `gemini` (calls whose model stands in the path),
//! `lists` (models), `ollama` (what editors ask beside), `responses` (responses asked back).

pub(crate) mod gemini;
mod labels;
pub(crate) mod lists;
pub(crate) mod ollama;
pub(crate) mod responses;
pub(crate) mod speech;

use crate::House;
use crate::door::Visitor;
use crate::reply;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use hanok_base::{CallContext, Dialect, ErrorKind, Operation, Problem, Recorder as _, Route, Timestamp};
use hanok_gateway::Call;
use http::HeaderMap;
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use std::time::Duration;

/// Copying so much costs less than a fresh buffer.
const SMALL: usize = 16 << 10;
/// How long a client may take to send its body.
const BODY_TIMEOUT: Duration = Duration::from_mins(5);

/// The calls whose whole request stands in its body, by their path. OpenAI's are known without their `/v1`, too:
/// some clients are told the bare host.
pub(crate) fn at(path: &str) -> Option<Asked> {
    use Dialect as D;
    use Route as R;
    let (dialect, route) = match path.strip_prefix("/v1").unwrap_or(path) {
        "/chat/completions" => (D::OpenAiChat, R::Chat),
        "/responses" => (D::OpenAiResponses, R::Chat),
        "/messages" => (D::AnthropicMessages, R::Chat),
        "/messages/count_tokens" => (D::AnthropicMessages, R::CountTokens),
        "/embeddings" => (D::OpenAiChat, R::Embeddings),
        "/rerank" => (D::OpenAiChat, R::Rerank),
        "/moderations" => (D::OpenAiChat, R::Raw("moderations")),
        "/audio/speech" => (D::OpenAiChat, R::Raw("audio/speech")),
        "/audio/transcriptions" => (D::OpenAiChat, R::Raw("audio/transcriptions")),
        "/audio/translations" => (D::OpenAiChat, R::Raw("audio/translations")),
        "/images/generations" => (D::OpenAiChat, R::Raw("images/generations")),
        "/images/edits" => (D::OpenAiChat, R::Raw("images/edits")),
        "/images/variations" => (D::OpenAiChat, R::Raw("images/variations")),
        _ => match path {
            "/v2/rerank" => (D::OpenAiChat, R::Rerank),
            "/api/chat" => (D::Ollama, R::Chat),
            "/api/generate" => (D::OllamaGenerate, R::Chat),
            "/api/embed" | "/api/embeddings" => (D::Ollama, R::Embeddings),
            _ => return None,
        },
    };
    Some(Asked { dialect, route, model: None, stream: None })
}

/// What the address says of a call.
pub(crate) struct Asked {
    pub(crate) dialect: Dialect,
    pub(crate) route: Route,
    pub(crate) model: Option<String>,
    pub(crate) stream: Option<bool>,
}

/// One model call: a place in the records, the body, the gateway.
pub(crate) async fn call(house: &House, visitor: &Visitor, request: Request, asked: Asked) -> Response {
    let dialect = asked.dialect;
    let cx = match admit(house, visitor, request.headers()).await {
        Ok(cx) => cx,
        Err(problem) => return reply::problem(dialect, &problem, None),
    };
    let trace_id = cx.trace_id();
    let (parts, body) = request.into_parts();
    let answered = match read(&parts.headers, body, house.settings.load().body_limit).await {
        Ok(body) => house.gateway.serve(cx.clone(), described(asked, visitor, &parts, body)).await,
        Err(problem) => {
            let mut scope = cx.span(Operation::Gateway, "unread request");
            scope.fail("invalid_request", problem.message.clone());
            Err(problem)
        }
    };
    match answered {
        Ok(answer) => reply::answer(answer, trace_id),
        Err(problem) => reply::problem(dialect, &problem, Some(trace_id)),
    }
}

fn described(asked: Asked, visitor: &Visitor, parts: &http::request::Parts, body: Bytes) -> Call {
    let headers = &parts.headers;
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let form = text("content-type").filter(|value| value.trim_start().starts_with("multipart/"));
    Call {
        model: asked.model,
        stream: asked.stream,
        content_type: form.map(str::to_owned),
        headers: speech::passed_headers(asked.dialect, headers),
        query: speech::passed_query(parts.uri.query()),
        tag: text("x-hanok-route").map(str::to_owned),
        labels: labels::of(headers),
        key: visitor.key.clone(),
        ..Call::new(asked.dialect, asked.route, body)
    }
}

/// A context whose spans have a place reserved: in the trace that the caller is in, if it says so.
pub(crate) async fn admit(
    house: &House,
    visitor: &Visitor,
    headers: &HeaderMap,
) -> Result<CallContext, Problem> {
    let place = house.traces.admit().await.map_err(|unavailable| Problem {
        retry_after: Some(2),
        ..Problem::new(ErrorKind::Unavailable, "store_unavailable", unavailable.to_string())
            .hint("free some space for the data folder; the server recovers by itself")
    })?;
    if let Some(key) = visitor.key.as_ref().filter(|key| !key.id.is_empty()) {
        house.traces.store().keys().touch(&key.id, Timestamp::now());
    }
    let caller = house.settings.load().caller(&visitor.host, visitor.key.as_deref());
    Ok(match labels::trace_context(headers) {
        Some(context) => CallContext::joining(context, place, caller),
        None => CallContext::new(place, caller),
    })
}

/// The whole body of a request, or what is wrong with it.
pub(crate) async fn read_body(request: Request, limit: usize) -> Result<Bytes, Problem> {
    let (parts, body) = request.into_parts();
    read(&parts.headers, body, limit).await
}

async fn read(headers: &HeaderMap, body: axum::body::Body, limit: usize) -> Result<Bytes, Problem> {
    let too_large = || {
        Problem::new(
            ErrorKind::TooLarge,
            "request_too_large",
            format!("the request's body is larger than the limit of {limit} bytes"),
        )
        .hint("raise `body_limit` under [server] in hanok.toml, or send less")
    };
    let announced = headers
        .get(http::header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.parse::<usize>().ok());
    if announced.is_some_and(|length| length > limit) {
        return Err(too_large());
    }
    let collected = tokio::time::timeout(BODY_TIMEOUT, Limited::new(body, limit).collect()).await;
    match collected {
        Ok(Ok(body)) => Ok(own(body.to_bytes())),
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

/// A small body in memory of its own. What is read off a connection is a view of its buffer, which could not be
/// read into again before the body's record is written.
fn own(body: Bytes) -> Bytes {
    if body.len() <= SMALL { Bytes::copy_from_slice(&body) } else { body }
}
