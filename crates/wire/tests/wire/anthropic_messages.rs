//! What is special to Anthropic's Messages: its fixtures, its blocks one at a time, and the way to other dialects
//! and back.

use crate::streams::cut;
use bytes::Bytes;
use hanok_base::stream::Collector;
use hanok_base::{ChatResponse, Dialect, ErrorKind, ModelInfo, Problem, Route, StreamEvent};
use hanok_wire::{
    Codec, GuardOptions, Patch, RequestOptions, StreamFault, StreamOptions, StreamSummary, WireError, codec,
};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

mod blocks;
mod translation;

pub(crate) fn wire() -> &'static dyn Codec {
    codec(Dialect::AnthropicMessages)
}

pub(crate) fn openai() -> &'static dyn Codec {
    codec(Dialect::OpenAiChat)
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/anthropic-messages")
}

/// The fixtures with this extension, by name.
pub(crate) fn all(below: &str, extension: &str) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder().join(below))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

/// What a decoder makes of pieces.
#[derive(Debug, PartialEq)]
pub(crate) struct Decoded {
    pub(crate) events: Vec<StreamEvent>,
    pub(crate) end: Result<(), WireError>,
}

pub(crate) fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder = wire().stream_decoder();
    let mut events = Vec::new();
    for piece in pieces {
        if let Err(error) = decoder.feed(piece, &mut events) {
            return Decoded { events, end: Err(error) };
        }
    }
    Decoded { events, end: decoder.finish() }
}

pub(crate) fn collect(events: impl IntoIterator<Item = StreamEvent>) -> Option<ChatResponse> {
    let mut collector = Collector::default();
    events.into_iter().for_each(|event| collector.push(event));
    collector.into_response()
}

/// The events as a client of `to` gets them.
pub(crate) fn encode(to: &dyn Codec, events: &[StreamEvent]) -> Vec<u8> {
    let mut encoder = to.stream_encoder(StreamOptions { include_usage: true, ..StreamOptions::default() });
    let mut out = Vec::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    encoder.finish(&mut out);
    out
}

#[derive(Debug, PartialEq)]
struct Guarded {
    passed: Vec<u8>,
    fault: Option<StreamFault>,
    content: bool,
    summary: StreamSummary,
}

fn guard<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Guarded {
    let mut guard = wire().stream_guard(GuardOptions::default());
    let (mut passed, mut fault) = (Vec::new(), None);
    for piece in pieces {
        let fed = guard.feed(Bytes::copy_from_slice(piece));
        passed.extend_from_slice(&fed.bytes);
        fault = fault.or(fed.fault);
    }
    let fed = guard.finish();
    passed.extend_from_slice(&fed.bytes);
    let fault = fault.or(fed.fault);
    assert_eq!(guard.is_complete(), fault.is_none());
    Guarded { passed, fault, content: guard.saw_content(), summary: guard.summary().clone() }
}

#[test]
fn streamed_and_whole_are_the_same_answer() {
    let streams = all("", "sse");
    let wholes = all("", "json");
    assert!(wholes.len() >= 12);
    for (name, bytes) in wholes {
        let (_, stream) = streams.iter().find(|(of, _)| *of == name).unwrap();
        let whole = wire().decode_response(&bytes).unwrap();
        let decoded = decode([stream.as_slice()]);
        assert_eq!(decoded.end, Ok(()), "{name}");
        assert_eq!(collect(decoded.events.clone()), Some(whole.clone()), "{name}");
        // And so it stays when it is written again, whole or streamed.
        let again = wire().encode_response(&whole, b"");
        assert_eq!(wire().decode_response(&again).unwrap(), whole, "{name}");
        let again = encode(wire(), &decoded.events);
        assert_eq!(collect(decode([again.as_slice()]).events), Some(whole.clone()), "{name}");
        // The guard sees what the decoder sees.
        let guarded = guard([stream.as_slice()]);
        assert_eq!((guarded.fault, &guarded.passed), (None, stream), "{name}");
        assert_eq!(guarded.summary, wire().summarise(&bytes).unwrap(), "{name}");
        assert_eq!(guarded.summary.usage, whole.usage, "{name}");
        assert_eq!(guarded.summary.id, whole.id.as_str(), "{name}");
        assert!(guarded.content, "{name}");
    }
}

/// What becomes of each stream, in the events of the decoder and in the guard's verdict.
#[test]
fn streams() {
    for (name, bytes) in all("", "sse") {
        let Decoded { events, end } = decode([bytes.as_slice()]);
        let mut said: Vec<String> = events.iter().map(|event| format!("{event:?}")).collect();
        said.push(format!("= {end:?}"));
        let guarded = guard([bytes.as_slice()]);
        let passed = match guarded.passed.strip_prefix(&*bytes) {
            Some(b"") => "all".to_owned(),
            Some(more) => format!("all and {:?}", String::from_utf8_lossy(more)),
            None => format!("{} of {} bytes", guarded.passed.len(), bytes.len()),
        };
        said.push(format!("guard passes {passed}, {:?}, {:?}", guarded.fault, guarded.summary));
        insta::assert_snapshot!(format!("{name}.sse"), said.join("\n"));
    }
}

/// Every member of a request survives decoding and encoding, known or not, in whatever depth.
#[test]
fn requests() {
    for (name, bytes) in all("requests", "json") {
        let request = wire().decode_request(&bytes).unwrap();
        let again = wire().encode_request(&request, RequestOptions::default());
        let before: Value = serde_json::from_slice(&bytes).unwrap();
        let after: Value = serde_json::from_slice(&again.body).unwrap();
        assert_eq!(after, before, "{name}");
        assert_eq!(again.lost, [], "{name}");
    }
}

#[test]
fn what_is_wrong_with_a_request() {
    let check = |body: Value, expect: &str| {
        let error = wire().decode_request(body.to_string().as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expect), "{body}: {error}");
    };
    check(json!({ "messages": [] }), "`model`: is required");
    check(json!({ "model": "m" }), "`messages`: is required");
    check(json!({ "model": "m", "messages": [] }), "at least one message");
    check(json!({ "model": "m", "messages": [{ "role": "tool", "content": "a" }] }), "`messages[0].role`");
    check(json!({ "model": "m", "messages": [{ "role": "user" }] }), "`messages[0].content`: is required");
    check(
        json!({ "model": "m", "messages": [{ "role": "user", "content": [{ "type": "text" }] }] }),
        "`messages[0].content[0].text`: is required",
    );
    check(
        json!({ "model": "m", "messages": [{ "role": "user", "content": "a" }], "system": [7] }),
        "`system[0]`: must be an object",
    );
    check(
        json!({ "model": "m", "messages": [{ "role": "user", "content": "a" }], "stop_sequences": [7] }),
        "`stop_sequences[0]`: must be a string",
    );
}

#[test]
fn routing() {
    let peek = |route, body: &str| wire().peek(route, body.as_bytes());
    let body = r#"{"metadata":{"user_id":"u"}, "model" : "old","stream":true,"max_tokens":7,"messages":[]}"#;
    let found = peek(Route::Chat, body).unwrap();
    assert_eq!((found.model.as_str(), found.stream, found.max_tokens), ("old", true, Some(7)));
    assert_eq!((found.include_usage, found.choices, found.cache_key.as_deref()), (true, 1, Some("u")));
    let check = |body: &str, expect: &str| {
        let error = peek(Route::Chat, body).unwrap_err().to_string();
        assert!(error.contains(expect), "{body}: {error}");
    };
    check("{}", "`model`: is required");
    check(r#"{"model":"m","model":"n"}"#, "`model`: stands twice");
    check(r#"{"model":"m","stream":1}"#, "`stream`: must be true or false");
    check(r#"{"model":"m","max_tokens":1,"max_tokens":2}"#, "`max_tokens`: stands twice");
    check("[]", "must be a JSON object");

    let patched = |route, body: &'static str, patch: Patch<'_>| {
        let patched = wire().patch(&Bytes::from_static(body.as_bytes()), &peek(route, body).unwrap(), &patch);
        String::from_utf8(patched.to_vec()).unwrap()
    };
    let patch = Patch { model: "new", ask_usage: true, max_tokens: Some(9), max_completion_tokens: true };
    assert_eq!(patched(Route::Chat, body, patch), body.replace("old", "new"));
    assert_eq!(
        patched(Route::Chat, r#"{"model":"m", "x":1e2 }"#, patch),
        r#"{"model":"new", "x":1e2 ,"max_tokens":9}"#
    );
    assert_eq!(
        patched(Route::Chat, r#"{"max_tokens": null,"model":"m"}"#, patch),
        r#"{"max_tokens": 9,"model":"new"}"#
    );
    assert_eq!(patched(Route::CountTokens, r#"{"model":"m"}"#, patch), r#"{"model":"new"}"#);

    let path = |route| wire().path(route, "m", true);
    assert_eq!(path(Route::Chat).as_deref(), Some("messages"));
    assert_eq!(path(Route::CountTokens).as_deref(), Some("messages/count_tokens"));
    assert_eq!(path(Route::Embeddings), None);
    assert_eq!(wire().encode_token_count(42), br#"{"input_tokens":42}"#);
    let count = br#"{"model":"m","messages":[{"role":"user","content":"a"}],"system":"s"}"#;
    assert_eq!(wire().decode_request(count).unwrap().messages.len(), 2);
}

#[test]
fn errors() {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let problem = Problem::new(ErrorKind::RateLimited, "rate_limited", "slow down");
    let object =
        r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down","code":"rate_limited"}}"#;
    assert_eq!(text(wire().encode_error(&problem, None)), object);
    let with_id = format!(r#"{},"request_id":"r1"}}"#, object.strip_suffix('}').unwrap());
    assert_eq!(text(wire().encode_error(&problem, Some("r1"))), with_id);
    let mut out = Vec::new();
    wire().stream_encoder(StreamOptions::default()).error(&problem, &mut out);
    assert_eq!(text(out), format!("event: error\ndata: {object}\n\n"));

    let check = |kind: ErrorKind, code: &str, expect: &str, message: &str| {
        let problem = Problem::new(kind, code, "why").param("p").hint("h");
        let value: Value = serde_json::from_slice(&wire().encode_error(&problem, None)).unwrap();
        let error = json!({ "type": expect, "message": message, "code": code, "param": "p", "hint": "h" });
        assert_eq!(value, json!({ "type": "error", "error": error }));
    };
    check(ErrorKind::InvalidRequest, "bad", "invalid_request_error", "why");
    check(
        ErrorKind::InvalidRequest,
        "context_length_exceeded",
        "invalid_request_error",
        "prompt is too long: why",
    );
    check(ErrorKind::Unauthenticated, "x", "authentication_error", "why");
    check(ErrorKind::Forbidden, "x", "permission_error", "why");
    check(ErrorKind::NotFound, "model_not_found", "not_found_error", "why");
    check(ErrorKind::Conflict, "x", "conflict_error", "why");
    check(ErrorKind::TooLarge, "x", "request_too_large", "why");
    check(ErrorKind::BudgetSpent, "x", "billing_error", "why");
    check(ErrorKind::Internal, "x", "api_error", "why");
    check(ErrorKind::Upstream, "provider_overloaded", "overloaded_error", "why");
    check(ErrorKind::Upstream, "provider_unreachable", "api_error", "why");
    check(ErrorKind::Unavailable, "x", "overloaded_error", "why");
    check(ErrorKind::Timeout, "x", "timeout_error", "why");
}

#[test]
fn models() {
    let model =
        |name: &str, created| ModelInfo { name: name.into(), owned_by: None, created, context_length: None };
    let offered = [("a/one".to_owned(), model("one", 1_763_634_427)), ("two".to_owned(), model("two", 0))];
    let list = wire().encode_models(&offered);
    let one = json!({ "type": "model", "id": "a/one", "display_name": "a/one", "created_at": "2025-11-20T10:27:07.000Z" });
    let two = json!({ "type": "model", "id": "two", "display_name": "two", "created_at": "1970-01-01T00:00:00.000Z" });
    assert_eq!(
        serde_json::from_slice::<Value>(&list).unwrap(),
        json!({ "data": [one, two], "has_more": false, "first_id": "a/one", "last_id": "two" })
    );
    let single: Value = serde_json::from_slice(&wire().encode_models(&offered[..1])).unwrap();
    assert_eq!((&single["first_id"], &single["last_id"]), (&json!("a/one"), &json!("a/one")));
    assert_eq!(wire().encode_models(&[]), br#"{"data":[],"has_more":false,"first_id":null,"last_id":null}"#);
    assert_eq!(wire().encode_model("a/one", &offered[0].1), one.to_string().into_bytes());
    assert_eq!(wire().decode_models(&list).unwrap(), [model("a/one", 1_763_634_427), model("two", 0)]);
    let error = wire()
        .decode_models(br#"{"type":"error","error":{"type":"authentication_error","message":"no key"}}"#);
    assert!(matches!(error, Err(WireError::Upstream(fault)) if fault.message == "no key"));
}

static FIXTURES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let found = [("", "sse"), ("", "json"), ("requests", "json")].map(|(below, kind)| all(below, kind));
    found.into_iter().flatten().map(|(_, bytes)| bytes).collect()
});

/// A fixture, whole or with some bytes put in, put out or put for others.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![select(b"\r\n\n\"{}[]:,\\ d0\xEF\xFF".as_slice()), any::<u8>()];
    let damage = vec((any::<Index>(), 0..3_u8, byte), 0..4);
    (select(FIXTURES.as_slice()), damage).prop_map(|(mut bytes, damage)| {
        for (at, how, byte) in damage {
            let at = at.index(bytes.len() + 1);
            match how {
                0 => bytes.insert(at, byte),
                _ if at == bytes.len() => {}
                1 => bytes[at] = byte,
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_gives_the_same(bytes in damaged(), cuts in vec(any::<usize>(), 0..12)) {
        let whole = decode([bytes.as_slice()]);
        prop_assert_eq!(&decode(cut(&bytes, &cuts)), &whole);
        prop_assert_eq!(decode(bytes.chunks(1)), whole);
        let guarded = guard([bytes.as_slice()]);
        prop_assert_eq!(&guard(cut(&bytes, &cuts)), &guarded);
        prop_assert_eq!(guard(bytes.chunks(1)), guarded);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop_oneof![damaged(), vec(any::<u8>(), 0..200)]) {
        for route in [Route::Chat, Route::CountTokens] {
            if let Ok(peek) = wire().peek(route, &bytes) {
                let patch = Patch { model: "other", max_tokens: Some(1), ..Patch::default() };
                wire().patch(&Bytes::from(bytes.clone()), &peek, &patch);
            }
        }
        if let Ok(mut request) = wire().decode_request(&bytes) {
            wire().encode_request(&request, RequestOptions::default());
            openai().encode_request(&request, RequestOptions::default());
            request.dialect = None;
            wire().encode_request(&request, RequestOptions::default());
        }
        drop(wire().decode_response(&bytes).map(|response| wire().encode_response(&response, b"")));
        drop(wire().summarise(&bytes));
        drop(wire().decode_models(&bytes));
        wire().decode_error(400, &bytes, &"p".into());
        encode(wire(), &decode([bytes.as_slice()]).events);
    }
}
