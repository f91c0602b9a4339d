//! What holds for any bytes, and for any answer.

use super::{all, decode, encode, guard, wire};
use crate::streams::{collect, cut};
use bytes::Bytes;
use hanok_base::Route;
use hanok_wire::{Patch, RequestOptions};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use std::sync::LazyLock;

static FIXTURES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let found = [("", "sse"), ("", "json"), ("requests", "json")].map(|(below, kind)| all(below, kind));
    found.into_iter().flatten().map(|(_, bytes)| bytes).collect()
});

/// A fixture, whole or with some bytes put in, put out or put for others.
fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![select(b"\r\n\n\"{}[]:,\\ d0\xEF\xFF".as_slice()), any::<u8>()];
    let damage = vec((any::<Index>(), 0..3_u8, byte), 0..5);
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

fn text() -> impl Strategy<Value = String> {
    "[ -~é한😀\n\"\\\\]{0,8}"
}

/// A part as the API might send it.
fn part() -> impl Strategy<Value = Value> {
    let signature = || "[A-Za-z0-9+/]{8}";
    prop_oneof![
        4 => text().prop_map(|text| json!({ "text": text })),
        2 => text().prop_map(|text| json!({ "text": text, "thought": true })),
        1 => (text(), signature()).prop_map(|(text, seal)| json!({ "text": text, "thoughtSignature": seal })),
        1 => (text(), signature())
            .prop_map(|(text, seal)| json!({ "text": text, "thought": true, "thoughtSignature": seal })),
        1 => ("[a-z]{1,3}", text())
            .prop_map(|(name, text)| json!({ "functionCall": { "name": name, "args": { "a": text } } })),
        1 => signature().prop_map(|seal| {
            json!({ "functionCall": { "name": "f", "id": "x", "args": {} }, "thoughtSignature": seal })
        }),
        1 => signature().prop_map(|data| json!({ "inlineData": { "mimeType": "image/png", "data": data } })),
        1 => text().prop_map(|code| json!({ "executableCode": { "code": code } })),
        1 => Just(json!({ "unheard": { "of": [1] } })),
    ]
}

fn answer(parts: &[Value], finish: Option<&str>) -> Value {
    let mut candidate = json!({ "content": { "parts": parts, "role": "model" }, "index": 0 });
    if let Some(finish) = finish {
        candidate["finishReason"] = finish.into();
    }
    json!({ "candidates": [candidate], "modelVersion": "m", "responseId": "r",
            "usageMetadata": { "promptTokenCount": 3, "candidatesTokenCount": parts.len() } })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_gives_the_same(bytes in damaged(), cuts in vec(any::<usize>(), 0..12)) {
        let pieces = cut(&bytes, &cuts);
        prop_assert_eq!(decode(pieces.clone()), decode([bytes.as_slice()]));
        prop_assert_eq!(guard(pieces), guard([bytes.as_slice()]));
        prop_assert_eq!(guard(bytes.chunks(1)), guard([bytes.as_slice()]));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in prop_oneof![4 => damaged(), 1 => vec(any::<u8>(), 0..200)]) {
        let wire = wire();
        if let Ok(peek) = wire.peek(Route::Chat, &bytes) {
            let options = Patch { model: "other", max_tokens: Some(7), ..Patch::default() };
            let patched = wire.patch(&Bytes::from(bytes.clone()), &peek, &options);
            prop_assert!(hanok_wire::is_json(&patched), "{}", patched.escape_ascii());
            let again = wire.peek(Route::Chat, &patched).unwrap();
            prop_assert_eq!(again.max_tokens, peek.max_tokens.or(Some(7)));
        }
        if let Ok(request) = wire.decode_request(&bytes) {
            let again = wire.encode_request(&request, RequestOptions::default()).body;
            let request = wire.decode_request(&again).unwrap();
            prop_assert_eq!(wire.encode_request(&request, RequestOptions::default()).body, again);
        }
        drop(wire.decode_response(&bytes).map(|response| wire.encode_response(&response, b"")));
        drop(wire.summarise(&bytes));
        drop(wire.decode_error(400, &bytes, &"p".into()));
        drop(wire.decode_models(&bytes));
        for route in [Route::Embeddings, Route::BatchEmbeddings] {
            drop(wire.decode_embed_request(route, &bytes));
        }
        drop(wire.decode_embed_response(&bytes));
        drop(decode([bytes.as_slice()]));
        guard([bytes.as_slice()]);
    }

    /// However an answer's parts are dealt out to chunks, and however texts are cut, it is the same answer; and so
    /// it is after it was sent on.
    #[test]
    fn a_streamed_answer_is_the_whole_one(parts in vec(part(), 0..8), sizes in vec(1..4_usize, 8), cuts in vec(any::<usize>(), 0..6)) {
        let whole = wire().decode_response(answer(&parts, Some("STOP")).to_string().as_bytes()).unwrap();
        let mut stream = Vec::new();
        let mut rest = parts.as_slice();
        for size in sizes {
            let (now, later) = rest.split_at(size.min(rest.len()));
            rest = later;
            stream.extend(format!("data: {}\r\n\r\n", answer(now, None)).into_bytes());
        }
        let mut last = answer(rest, Some("STOP"));
        last["usageMetadata"]["candidatesTokenCount"] = parts.len().into();
        stream.extend(format!("data: {last}\r\n\r\n").into_bytes());
        let (events, end) = decode(cut(&stream, &cuts));
        prop_assert_eq!(end, Ok(()));
        prop_assert_eq!(collect(events.clone()), Some(whole.clone()));
        prop_assert_eq!(collect(decode([encode(&events).as_slice()]).0), Some(whole.clone()));
        prop_assert_eq!(wire().decode_response(&wire().encode_response(&whole, b"")), Ok(whole));
        let guarded = guard(cut(&stream, &cuts));
        prop_assert_eq!((guarded.fault, guarded.passed), (None, stream));
    }

    /// A conversation survives as the client sent it, whatever its parts; only what was streamed becomes one.
    #[test]
    fn a_request_is_given_back(turns in vec((any::<bool>(), vec(part(), 0..5)), 1..5)) {
        let mut contents: Vec<Value> = Vec::new();
        let mut joined: Vec<Value> = Vec::new();
        for (model, parts) in turns {
            let role = if model { "model" } else { "user" };
            contents.push(json!({ "role": role, "parts": parts }));
            let said: Vec<Value> = parts.into_iter().filter(|part| *part != json!({ "text": "" })).collect();
            match joined.last_mut() {
                Some(last) if model && last["role"] == "model" => {
                    last["parts"].as_array_mut().unwrap().extend(said);
                }
                _ => joined.push(json!({ "role": role, "parts": said })),
            }
        }
        let request = wire().decode_request(json!({ "contents": contents }).to_string().as_bytes()).unwrap();
        let again = wire().encode_request(&request, RequestOptions::default()).body;
        prop_assert_eq!(serde_json::from_slice::<Value>(&again).unwrap(), json!({ "contents": joined }));
    }
}
