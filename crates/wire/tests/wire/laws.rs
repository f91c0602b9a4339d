//! What holds for any bytes, and for any chat.

use crate::generate::{json, request, response, text};
use crate::streams::{collect, cut, decode, encode, guard};
use crate::{OPENAI, fixtures, wire};
use bytes::Bytes;
use hanok_base::{ChatResponse, Delta, Dialect, Part, Reasoning, Route, StreamEvent};
use hanok_wire::sse::Parser;
use hanok_wire::{GuardOptions, Patch, RequestOptions, WireError};

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::Value;
use std::fmt::Write;
use std::sync::LazyLock;

fn patch(model: &str, ask_usage: bool) -> Patch<'_> {
    Patch { model, ask_usage, ..Patch::default() }
}

static FIXTURES: LazyLock<Vec<(Dialect, Vec<u8>)>> = LazyLock::new(|| {
    let of = |dialect| {
        let found = [("", fixtures::streamed_as(dialect)), ("", "json"), ("requests", "json")]
            .map(|(below, kind)| fixtures::all(dialect, below, kind));
        found.into_iter().flatten().map(move |(_, bytes)| (dialect, bytes))
    };
    fixtures::dialects().flat_map(of).collect()
});

/// A fixture, whole or with some bytes put in, put out or put for others.
fn damaged() -> impl Strategy<Value = (Dialect, Vec<u8>)> {
    let byte = prop_oneof![select(b"\r\n\n\"{}[]:,\\ d\xEF\xFF".as_slice()), any::<u8>()];
    let damage = vec((any::<Index>(), 0..3_u8, byte), 0..4);
    (select(FIXTURES.as_slice()), damage).prop_map(|((dialect, mut bytes), damage)| {
        for (at, how, byte) in damage {
            let at = at.index(bytes.len() + 1);
            match how {
                0 => bytes.insert(at, byte),
                _ if at == bytes.len() => {}
                1 => bytes[at] = byte,
                _ => drop(bytes.remove(at)),
            }
        }
        (dialect, bytes)
    })
}

/// The events of a whole answer, its texts in pieces of `size` characters.
fn events(response: &ChatResponse, size: usize) -> Vec<StreamEvent> {
    let ChatResponse { id, model, created, choices, usage, dialect, extra } = response.clone();
    let mut events = vec![StreamEvent::Start { id, model, created, dialect, extra }];
    for of in choices {
        let choice = of.index;
        for (part, value) in of.message.parts.into_iter().enumerate() {
            let mut signature = None;
            let (value, text, delta): (Part, String, fn(String) -> Delta) = match value {
                Part::Text(text) => (Part::Text(String::new()), text, Delta::Text),
                Part::Refusal(text) => (Part::Refusal(String::new()), text, Delta::Text),
                Part::Reasoning(whole) => {
                    signature = whole.signature;
                    let empty = Reasoning { redacted: whole.redacted, ..Reasoning::default() };
                    (Part::Reasoning(empty), whole.text, Delta::Reasoning)
                }
                Part::ToolCall(mut call) => {
                    let arguments = std::mem::take(&mut call.arguments);
                    (Part::ToolCall(call), arguments, Delta::Arguments)
                }
                other => (other, String::new(), Delta::Text),
            };
            events.push(StreamEvent::PartStart { choice, part, value });
            let characters: Vec<char> = text.chars().collect();
            for piece in characters.chunks(size) {
                let delta = delta(piece.iter().collect());
                events.push(StreamEvent::PartDelta { choice, part, delta });
            }
            events.extend(signature.map(|signature| {
                let delta = Delta::Signature(signature);
                StreamEvent::PartDelta { choice, part, delta }
            }));
            events.push(StreamEvent::PartEnd { choice, part });
        }
        if !of.extra.is_empty() {
            events.push(StreamEvent::ChoiceExtra { choice, extra: of.extra });
        }
        events.push(StreamEvent::Finish { choice, reason: of.finish });
    }
    if !usage.is_empty() {
        events.push(StreamEvent::Usage(usage));
    }
    events
}

/// The same JSON, with all but ASCII as escapes.
fn escaped(json: &str) -> String {
    let mut out = String::new();
    for unit in json.encode_utf16() {
        match u8::try_from(unit).ok().filter(u8::is_ascii) {
            Some(byte) => out.push(byte.into()),
            None => write!(out, "\\u{unit:04x}").unwrap(),
        }
    }
    out
}

/// All that can be done with bytes.
fn whatever(dialect: Dialect, bytes: &[u8]) {
    let wire = wire(dialect);
    let other = [Route::CountTokens, Route::Rerank, Route::Raw("audio/speech")];
    for route in [Route::Chat, Route::Embeddings, Route::BatchEmbeddings].into_iter().chain(other) {
        if let Ok(peek) = wire.peek(route, bytes) {
            wire.patch(&Bytes::copy_from_slice(bytes), &peek, &patch("other", true));
        }
        if let Ok(request) = wire.decode_embed_request(route, bytes) {
            drop(wire.encode_embed_request(&request));
        }
        if let Ok(response) = wire.decode_embed_response(bytes) {
            wire.encode_embed_response(route, &response, bytes);
        }
    }
    if let Ok(request) = wire.decode_request(bytes) {
        for other in fixtures::dialects() {
            crate::wire(other).encode_request(&request, RequestOptions::default());
        }
    }
    if let Ok(response) = wire.decode_response(bytes) {
        for other in fixtures::dialects() {
            crate::wire(other).encode_response(&response, bytes);
        }
    }
    let decoded = decode(dialect, [bytes]);
    for other in fixtures::dialects() {
        encode(other, &decoded.events);
    }
    drop(wire.summarise(bytes));
    drop(wire.decode_error(400, bytes, &"p".into()));
    drop(wire.decode_models(bytes));
    hanok_wire::embeddings::embeddings_usage(bytes);
    guard(dialect, GuardOptions::default(), [bytes]);
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_split_gives_the_same((dialect, bytes) in damaged(), cuts in vec(any::<usize>(), 0..12), hide_usage: bool) {
        let whole = [bytes.as_slice()];
        let pieces = cut(&bytes, &cuts);
        prop_assert_eq!(decode(dialect, pieces.clone()), decode(dialect, whole));
        let options = GuardOptions { hide_usage };
        prop_assert_eq!(guard(dialect, options, pieces), guard(dialect, options, whole));
        prop_assert_eq!(guard(dialect, options, bytes.chunks(1)), guard(dialect, options, whole));
    }

    /// A client that reads what was let through meets nothing but JSON objects, and the end mark once where the
    /// dialect has one; who guards a good stream again finds the same.
    #[test]
    fn what_a_guard_passes_is_good((dialect, bytes) in damaged(), cuts in vec(any::<usize>(), 0..4)) {
        let guarded = guard(dialect, GuardOptions::default(), cut(&bytes, &cuts));
        let mut ends = 0;
        let mut look = |data: &[u8]| match data.trim_ascii() {
            b"[DONE]" if dialect == OPENAI => ends += 1,
            b"" => {}
            data => assert!(data.starts_with(b"{") && hanok_wire::is_json(data), "{}", data.escape_ascii()),
        };
        if fixtures::streamed_as(dialect) == "ndjson" {
            guarded.passed.split(|byte| *byte == b'\n').for_each(look);
        } else {
            let mut parser = Parser::default();
            let checked = parser.feed(&guarded.passed, |event| {
                look(event.data);
                Ok(())
            });
            prop_assert_eq!(checked, Ok(()));
        }
        if dialect == OPENAI {
            prop_assert_eq!(ends, u32::from(guarded.fault.is_none()));
        }
        if guarded.fault.is_none() {
            let again = guard(dialect, GuardOptions::default(), [guarded.passed.as_slice()]);
            // Lone CRs, which may end an event, get a line end at the end.
            prop_assert_eq!(again.passed.trim_ascii_end(), guarded.passed.trim_ascii_end());
            prop_assert_eq!((again.fault, again.summary), (None, guarded.summary));
        }
    }

    /// What one dialect's fixture holds is shown to every dialect.
    #[test]
    fn no_bytes_make_it_panic(
        bytes in prop_oneof![
            damaged().prop_map(|(_, bytes)| bytes),
            vec(any::<u8>(), 0..200),
            json().prop_map(|json| json.to_string().into_bytes()),
        ],
    ) {
        for dialect in fixtures::dialects() {
            whatever(dialect, &bytes);
        }
    }

    #[test]
    fn a_response_streamed_and_collected_is_the_same(response in response(), size in 1..6_usize, cuts in vec(any::<usize>(), 0..6)) {
        let bytes = encode(OPENAI, &events(&response, size));
        let decoded = decode(OPENAI, cut(&bytes, &cuts));
        prop_assert_eq!(&decoded.end, &Ok(()));
        prop_assert_eq!(collect(decoded.events), Some(response.clone()));
        let guarded = guard(OPENAI, GuardOptions::default(), cut(&bytes, &cuts));
        prop_assert_eq!(guarded.fault, None);
        prop_assert_eq!(guarded.passed, bytes);
        prop_assert_eq!(guarded.summary.usage, response.usage);
        prop_assert_eq!(guarded.summary.id.as_str(), response.id.as_str());
    }

    #[test]
    fn a_response_encoded_and_decoded_is_the_same(response in response()) {
        let bytes = wire(OPENAI).encode_response(&response, b"");
        let summary = wire(OPENAI).summarise(&bytes).unwrap();
        prop_assert_eq!(summary.usage, response.usage);
        prop_assert_eq!(summary.finish_reasons.len(), response.choices.len());
        prop_assert_eq!(wire(OPENAI).decode_response(&bytes).unwrap(), response);
    }

    #[test]
    fn a_request_encoded_and_decoded_is_the_same(request in request(), max_completion_tokens: bool, stream: bool) {
        let options = RequestOptions { stream, ask_usage: false, max_completion_tokens, thoughts: Some("reasoning_content") };
        let bytes = wire(OPENAI).encode_request(&request, options).body;
        let peek = wire(OPENAI).peek(Route::Chat, &bytes).unwrap();
        prop_assert_eq!(peek.stream, stream);
        prop_assert_eq!(peek.model.as_str(), request.model.as_str());
        prop_assert_eq!(wire(OPENAI).decode_request(&bytes).unwrap(), request);
    }

    #[test]
    fn a_patch_changes_the_model_and_nothing_else(
        members in vec((text().prop_filter("a count", |name| name != "n"), json()), 0..6),
        (old, new) in (text(), text()),
        at in any::<Index>(),
        stream: bool,
        pretty: bool,
        escapes: bool,
    ) {
        let mut members: Vec<(String, Value)> = members;
        members.insert(at.index(members.len() + 1), ("model".to_owned(), old.as_str().into()));
        members.push(("stream".to_owned(), stream.into()));
        let body = Value::Object(members.into_iter().collect());
        let write = |value: &Value| {
            let text = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) }.unwrap();
            if escapes { escaped(&text) } else { text }
        };
        let before = write(&body);
        let peek = wire(OPENAI).peek(Route::Chat, before.as_bytes()).unwrap();
        prop_assert_eq!((peek.model.as_str(), peek.stream), (old.as_str(), stream));

        let after = wire(OPENAI).patch(&Bytes::from(before.clone()), &peek, &patch(&new, false));
        let after = std::str::from_utf8(&after).unwrap();
        let (old_json, new_json) = (write(&Value::from(old.as_str())), serde_json::to_string(&new).unwrap());
        let only_there = before.char_indices().any(|(at, _)| {
            let (head, tail) = before.split_at(at);
            tail.strip_prefix(old_json.as_str()).is_some_and(|tail| after == [head, &new_json, tail].concat())
        });
        prop_assert!(if old == new { before == after } else { only_there }, "{before}\n{after}");
        let mut expect = body.clone();
        expect["model"] = new.as_str().into();
        prop_assert_eq!(serde_json::from_str::<Value>(after).unwrap(), expect.clone());

        let asking = wire(OPENAI).patch(&Bytes::from(before), &peek, &patch(&new, true));
        expect["stream_options"] = serde_json::json!({ "include_usage": true });
        prop_assert_eq!(serde_json::from_slice::<Value>(&asking).unwrap(), expect);
    }
}

/// A stream that says the same in many chunks takes the short way through decoder and guard; it must not matter.
#[test]
fn chunks_that_differ_in_one_string() {
    let chunk = |member: &str, string: &str| {
        format!(
            "data: {{\"id\":\"i\",\"choices\":[{{\"index\":0,\"delta\":{{\"{member}\":{string}}}}}]}}\n\n"
        )
    };
    let check = |strings: &[(&str, &str)], text: &str, reasoning: &str| {
        let mut bytes: String = strings.iter().map(|(member, string)| chunk(member, string)).collect();
        bytes.push_str("data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n");
        let response = collect(decode(OPENAI, [bytes.as_bytes()]).events).unwrap();
        let message = &response.choices[0].message;
        assert_eq!(message.plain_text(), text);
        let thought = message.parts.iter().find_map(|part| match part {
            Part::Reasoning(reasoning) => Some(reasoning.text.as_str()),
            _ => None,
        });
        assert_eq!(thought.unwrap_or_default(), reasoning);
        let guarded = guard(OPENAI, GuardOptions::default(), [bytes.as_bytes()]);
        assert_eq!((guarded.fault, guarded.content), (None, !text.is_empty() || !reasoning.is_empty()));
    };
    let (c, r, q) = ("content", "reasoning_content", "reasoning");
    check(&[(c, r#""a""#), (c, r#""b""#), (c, r#""c""#)], "abc", "");
    check(
        &[(c, r#""a""#), (c, r#""b""#), (c, r#""\n""#), (c, r#""\u00e9""#), (c, r#""d""#)],
        "ab\n\u{e9}d",
        "",
    );
    check(&[(c, r#""a""#), (c, r#""b""#), (c, r#""""#), (c, "null"), (c, r#""c""#)], "abc", "");
    check(
        &[(r, r#""x""#), (r, r#""y""#), (r, r#""z""#), (c, r#""a""#), (c, r#""b""#), (r, r#""!""#)],
        "ab",
        "xyz!",
    );
    check(&[(q, r#""x""#), (q, r#""y""#), (c, r#""a""#), (c, r#""b""#), (c, r#""c""#)], "abc", "xy");
    check(&[(c, r#""""#), (c, r#""""#)], "", "");
}

#[test]
fn an_event_beyond_the_limit() {
    let small = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
    let large = "b".repeat(hanok_wire::sse::EVENT_LIMIT);
    let bytes =
        format!("{small}data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{large}\"}}}}]}}\n\n");
    for size in [bytes.len(), 1 << 16, (1 << 16) + 7] {
        let guarded = guard(OPENAI, GuardOptions::default(), bytes.as_bytes().chunks(size));
        assert_eq!(guarded.passed, small.as_bytes(), "in pieces of {size}");
        let message = guarded.fault.unwrap().message;
        assert_eq!(message, "an event of the stream is larger than 8388608 bytes", "in pieces of {size}");
        let decoded = decode(OPENAI, bytes.as_bytes().chunks(size));
        assert_eq!(decoded.events.len(), 3, "in pieces of {size}");
        assert!(matches!(decoded.end, Err(WireError::EventTooLarge { .. })), "in pieces of {size}");
    }
}

#[test]
fn whole_events_are_not_copied() {
    let piece = Bytes::from_static(
        b"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n: comment\n\n",
    );
    let mut guard = wire(OPENAI).stream_guard(GuardOptions::default());
    for _ in 0..3 {
        let fed = guard.feed(piece.clone());
        assert_eq!((fed.bytes.as_ptr(), fed.bytes.len()), (piece.as_ptr(), piece.len()));
    }
}
