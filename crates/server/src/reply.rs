//! Answers as HTTP: bytes, streams, problems in the caller's dialect.

use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use futures_core::Stream;
use hanok_base::{Dialect, ErrorKind, Problem, Timestamp, TraceId};
use hanok_gateway::{Answer, AnswerBody, Pieces};
use hanok_wire::{codec, rate_limit_headers};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, HeaderValue};
use http::{HeaderMap, StatusCode};
use http_body::Frame;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The header that names who answered.
const TARGET: HeaderName = HeaderName::from_static("x-hanok-target");
/// The header that carries an answer's trace.
pub(crate) const TRACE_ID: HeaderName = HeaderName::from_static("x-hanok-trace-id");

/// A model's answer as a response.
pub(crate) fn answer(answer: Answer, trace_id: TraceId) -> Response {
    let body = match answer.body {
        AnswerBody::Whole(bytes) => Body::from(bytes),
        AnswerBody::Stream(stream) => Body::new(StreamBody(stream)),
    };
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    // Room for what the door and the connection add.
    headers.reserve(answer.headers.len() + 6);
    for (name, value) in answer.headers {
        let name = match &*name {
            "x-hanok-target" => Ok(TARGET),
            name => HeaderName::try_from(name),
        };
        if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    let content_type = match &*answer.content_type {
        "application/json" => Ok(HeaderValue::from_static("application/json")),
        "text/event-stream" => Ok(HeaderValue::from_static("text/event-stream")),
        other => HeaderValue::try_from(other),
    };
    if let Ok(value) = content_type {
        if value.as_bytes().starts_with(b"text/event-stream") {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            // Buffering proxies would turn a stream into one late answer.
            headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
        }
        headers.insert(CONTENT_TYPE, value);
    }
    trace(headers, trace_id);
    response
}

/// A problem as a response, in the shape the dialect's clients expect.
pub(crate) fn problem(dialect: Dialect, problem: &Problem, trace_id: Option<TraceId>) -> Response {
    let id = trace_id.map(|id| id.to_string());
    let body = codec(dialect).encode_error(problem, id.as_deref());
    let mut response = bytes(status(problem.kind), "application/json", body);
    let headers = response.headers_mut();
    if let Some(wait) = problem.retry_after {
        headers.insert(http::header::RETRY_AFTER, HeaderValue::from(wait));
    }
    if let Some(limits) = &problem.limits {
        for (name, value) in rate_limit_headers(dialect, limits, Timestamp::now()) {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
    }
    if problem.kind == ErrorKind::Unauthenticated {
        headers.insert(http::header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    if let Some(trace_id) = trace_id {
        trace(headers, trace_id);
    }
    response
}

/// A value as JSON.
pub(crate) fn json<T: serde::Serialize>(value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(body) => bytes(StatusCode::OK, "application/json", body),
        Err(error) => {
            tracing::error!(%error, "an answer could not be written as json");
            problem(
                Dialect::OpenAiChat,
                &Problem::new(
                    ErrorKind::Internal,
                    "internal_error",
                    "the answer could not be written as JSON",
                ),
                None,
            )
        }
    }
}

/// Bytes of one type.
pub(crate) fn bytes(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::from(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    response
}

/// Notes the trace's id on an answer.
pub(crate) fn trace(headers: &mut HeaderMap, trace_id: TraceId) {
    if let Ok(value) = HeaderValue::try_from(trace_id.to_string()) {
        headers.insert(TRACE_ID, value);
    }
}

pub(crate) fn status(kind: ErrorKind) -> StatusCode {
    StatusCode::from_u16(kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

/// A stream of pieces as a body; its failures are already events inside it.
struct StreamBody(Pieces);

impl http_body::Body for StreamBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Pin::new(&mut self.0).poll_next(cx).map(|piece| piece.map(|bytes| Ok(Frame::data(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hanok_base::{RateLimit, RateLimits};
    use std::time::Duration;

    #[test]
    fn a_refusal_by_a_limit_tells_of_it_in_the_clients_names() {
        let requests = RateLimit { limit: 5, remaining: 0, reset: Duration::from_mins(1) };
        let refused = Problem {
            retry_after: Some(12),
            limits: Some(Box::new(RateLimits { requests: Some(requests), tokens: None })),
            ..Problem::new(ErrorKind::RateLimited, "rate_limited", "too many")
        };
        let check = |dialect: Dialect, expect: &[(&str, &str)]| {
            let response = problem(dialect, &refused, None);
            assert_eq!(response.status(), StatusCode::TOO_MANY_REQUESTS);
            for (name, value) in expect {
                assert_eq!(response.headers().get(*name).unwrap(), value, "{dialect:?} {name}");
            }
            let of_limits = |name: &&HeaderName| name.as_str().contains("ratelimit");
            assert_eq!(response.headers().keys().filter(of_limits).count(), 3);
        };
        check(
            Dialect::OpenAiResponses,
            &[
                ("retry-after", "12"),
                ("x-ratelimit-limit-requests", "5"),
                ("x-ratelimit-remaining-requests", "0"),
                ("x-ratelimit-reset-requests", "1m0s"),
            ],
        );
        check(
            Dialect::AnthropicMessages,
            &[
                ("retry-after", "12"),
                ("anthropic-ratelimit-requests-limit", "5"),
                ("anthropic-ratelimit-requests-remaining", "0"),
            ],
        );
        let plain = problem(Dialect::OpenAiChat, &Problem::new(ErrorKind::Internal, "x", "y"), None);
        assert!(plain.headers().keys().all(|name| !name.as_str().contains("ratelimit")));
    }
}
