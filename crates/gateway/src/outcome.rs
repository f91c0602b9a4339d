//! What came of a call, made into its answer: the gateway span is tied to the answer's last byte.

use crate::answer::{Answer, AnswerBody, AnswerStream, Held};
use crate::attempt::Reply;
use crate::cache::{Cache, CacheKey, Kept};
use crate::call::Call;
use bytes::Bytes;
use hanok_base::{
    Dialect, Exchange, RateLimits, RawBody, RawResponse, ResponseBytes, Route, SpanScope, Timestamp, TraceId,
};
use hanok_wire::{codec, is_rate_limit_header, rate_limit_headers};
use std::borrow::Cow;

pub(crate) enum Outcome<'a> {
    Answered(Answered<'a>),
    Kept(Kept, Option<RateLimits>),
}

pub(crate) struct Answered<'a> {
    pub(crate) reply: Reply,
    pub(crate) held: Held,
    pub(crate) limits: Option<RateLimits>,
    pub(crate) cache: Option<(&'a Cache, CacheKey)>,
}

/// What was lost, as a header's value.
fn warnings(held: &Held) -> Option<String> {
    let said = held.lost.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let plain = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    (!said.is_empty()).then(|| said.chars().take(2_000).map(plain).collect())
}

/// Ties the gateway span to the answer: it ends with the answer's last byte.
pub(crate) fn finish(mut scope: SpanScope, call: &Call, answered: Answered<'_>) -> Answer {
    let Answered { reply, mut held, limits, cache } = answered;
    let recorded = |asked: Option<Bytes>| asked.unwrap_or_else(|| call.body.clone());
    let mut headers = told(call.dialect, limits.as_ref());
    if cache.is_some() {
        headers.push(("x-hanok-cache".into(), "miss".to_owned()));
    }
    headers.push(("x-hanok-target".into(), std::mem::take(&mut held.target)));
    if let Some(warnings) = warnings(&held) {
        headers.push(("x-hanok-warnings".into(), warnings));
    }
    let content_type = |stream| Cow::Borrowed(codec(call.dialect).content_type(stream));
    let trace_id = scope.context().trace_id();
    let keep_whole = |content_type: &Cow<'static, str>, body: &Bytes| {
        if let Some((cache, key)) = cache {
            let (content_type, trace_id) = (content_type.clone(), trace_id.to_string());
            cache.put(key, Kept { content_type, pieces: vec![body.clone()], streamed: false, trace_id });
        }
    };
    let streamed =
        matches!(&reply, Reply::Events { .. } | Reply::Raw(RawResponse { body: RawBody::Stream(_), .. }));
    if let (Some(attempt), false) = (&mut held.attempt, streamed) {
        attempt.finished();
    }
    match reply {
        Reply::Raw(raw) => {
            // What the upstream says of its own limits would contradict ours.
            let own = limits.is_some();
            let passed = raw.headers.into_iter().filter(|(name, _)| !(own && is_rate_limit_header(name)));
            headers.extend(passed.map(|(name, value)| (name.into(), value)));
            let body = match raw.body {
                RawBody::Whole(bytes) => {
                    keep_whole(&raw.content_type, &bytes);
                    scope.finish();
                    AnswerBody::Whole(bytes)
                }
                RawBody::Stream(bytes) => {
                    let stream = AnswerStream::raw(call.dialect, bytes, scope, held);
                    AnswerBody::Stream(Box::pin(kept_streaming(
                        stream,
                        cache,
                        raw.content_type.clone(),
                        trace_id,
                    )))
                }
            };
            Answer { status: raw.status, content_type: raw.content_type, headers, body }
        }
        Reply::Whole { body, asked } => {
            let body = Bytes::from(body);
            keep_whole(&content_type(false), &body);
            if call.route == Route::Chat {
                scope.exchange(Exchange {
                    dialect: call.dialect,
                    request: recorded(asked),
                    response: ResponseBytes::Whole(body.clone()),
                });
            }
            scope.finish();
            Answer { status: 200, content_type: content_type(false), headers, body: AnswerBody::Whole(body) }
        }
        Reply::Events { provider, events, options, asked } => {
            let request = recorded(asked);
            let stream = AnswerStream::typed(call.dialect, provider, events, options, request, scope, held);
            let content_type = content_type(true);
            let body =
                AnswerBody::Stream(Box::pin(kept_streaming(stream, cache, content_type.clone(), trace_id)));
            Answer { status: 200, content_type, headers, body }
        }
    }
}

fn kept_streaming(
    mut stream: AnswerStream,
    cache: Option<(&Cache, CacheKey)>,
    content_type: Cow<'static, str>,
    trace_id: TraceId,
) -> AnswerStream {
    if let Some((cache, key)) = cache {
        let (cache, trace_id) = (cache.clone(), trace_id.to_string());
        stream.keep_with(Box::new(move |pieces| {
            cache.put(key, Kept { content_type, pieces, streamed: true, trace_id });
        }));
    }
    stream
}

/// What is left of a key's limits, as headers.
fn told(dialect: Dialect, limits: Option<&RateLimits>) -> Vec<(Cow<'static, str>, String)> {
    let Some(limits) = limits else {
        return Vec::new();
    };
    let headers = rate_limit_headers(dialect, limits, Timestamp::now());
    headers.map(|(name, value)| (name.into(), value)).collect()
}

/// An answer that was given before.
pub(crate) fn again(mut scope: SpanScope, call: &Call, kept: Kept, limits: Option<RateLimits>) -> Answer {
    scope.set("hanok.cache", "hit");
    scope.set("hanok.cache.trace_id", kept.trace_id.as_str());
    let body = Bytes::from(kept.pieces.concat());
    let response =
        if kept.streamed { ResponseBytes::Streamed(kept.pieces) } else { ResponseBytes::Whole(body.clone()) };
    scope.exchange(Exchange { dialect: call.dialect, request: call.body.clone(), response });
    scope.finish();
    let mut headers = told(call.dialect, limits.as_ref());
    headers.push(("x-hanok-cache".into(), "hit".to_owned()));
    headers.push(("x-hanok-cache-trace-id".into(), kept.trace_id));
    Answer { status: 200, content_type: kept.content_type, headers, body: AnswerBody::Whole(body) }
}
