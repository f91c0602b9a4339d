//! Blocks one at a time, for parts that come in any order.

use super::{collect, decode, encode, wire};
use hanok_base::chat::Quote;
use hanok_base::{
    Citation, Delta, Dialect, FinishReason, Object, Part, Reasoning, Signature, StreamEvent, ToolCall, Usage,
};
use hanok_wire::StreamOptions;
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};

fn start() -> StreamEvent {
    let dialect = Some(Dialect::OpenAiChat);
    StreamEvent::Start { id: "c1".into(), model: "theirs".into(), created: 7, dialect, extra: Object::new() }
}

fn begin(part: usize, value: Part) -> StreamEvent {
    StreamEvent::PartStart { choice: 0, part, value }
}

fn grow(part: usize, delta: Delta) -> StreamEvent {
    StreamEvent::PartDelta { choice: 0, part, delta }
}

fn text(part: usize, text: &str) -> StreamEvent {
    grow(part, Delta::Text(text.to_owned()))
}

fn arguments(part: usize, text: &str) -> StreamEvent {
    grow(part, Delta::Arguments(text.to_owned()))
}

fn end(part: usize) -> StreamEvent {
    StreamEvent::PartEnd { choice: 0, part }
}

fn finish(reason: FinishReason) -> StreamEvent {
    StreamEvent::Finish { choice: 0, reason }
}

fn empty() -> Part {
    Part::Text(String::new())
}

fn call(id: &str) -> Part {
    Part::ToolCall(ToolCall { id: id.to_owned(), name: "f".to_owned(), ..ToolCall::default() })
}

/// The data of the events, each checked to carry its own name and to stand where clients expect it.
fn checked(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    let mut open = None;
    let mut next = 0;
    let mut data = Vec::new();
    for (i, event) in text.split_terminator("\n\n").enumerate() {
        let (name, json) = event.strip_prefix("event: ").unwrap().split_once("\ndata: ").unwrap();
        let value: Value = serde_json::from_str(json).unwrap();
        assert_eq!(value["type"], name);
        assert_eq!(name == "message_start", i == 0, "{text}");
        match name {
            "content_block_start" => {
                assert_eq!((open, &value["index"]), (None, &json!(next)), "{text}");
                open = Some(next);
                next += 1;
            }
            "content_block_delta" => {
                assert_eq!(Some(&value["index"]), open.map(Value::from).as_ref(), "{text}");
            }
            "content_block_stop" => {
                assert_eq!(Some(&value["index"]), open.take().map(Value::from).as_ref(), "{text}");
            }
            _ => assert_eq!(open, None, "{text}"),
        }
        data.push(value);
    }
    let last: Vec<&Value> = data.iter().rev().take(2).map(|value| &value["type"]).collect();
    assert_eq!(last, ["message_stop", "message_delta"], "{text}");
    data
}

/// The blocks' events in short.
fn said(events: &[StreamEvent]) -> Vec<String> {
    let data = checked(&encode(wire(), events));
    let inner = data.iter().filter_map(|value| match value["type"].as_str().unwrap() {
        "content_block_start" => {
            let block = &value["content_block"];
            let id = block.get("id").or(block.get("data")).and_then(Value::as_str);
            Some(format!(
                "{}{}",
                block["type"].as_str().unwrap(),
                id.map(|id| format!(" {id}")).unwrap_or_default()
            ))
        }
        "content_block_delta" => {
            let delta = value["delta"].as_object().unwrap();
            let (_, said) = delta.iter().find(|(name, _)| *name != "type").unwrap();
            Some(format!("+{said}"))
        }
        "content_block_stop" => Some(".".to_owned()),
        _ => None,
    });
    inner.collect()
}

#[test]
fn to_the_byte() {
    let usage = Usage { input: Some(30), output: Some(2), cached_input: Some(20), ..Usage::default() };
    let events = [
        start(),
        begin(0, empty()),
        text(0, "Hi \"you\"\n"),
        end(0),
        finish(FinishReason::StopText("\n".into())),
        StreamEvent::Usage(usage),
    ];
    let options = StreamOptions { model: "ours".into(), ..StreamOptions::default() };
    let mut encoder = wire().stream_encoder(options);
    let mut out = Vec::new();
    for event in &events {
        encoder.encode(event, &mut out);
    }
    encoder.finish(&mut out);
    let expect = [
        r#"{"type":"message_start","message":{"id":"c1","type":"message","role":"assistant","model":"ours","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":0,"output_tokens":0}}}"#,
        r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
        r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi \"you\"\n"}}"#,
        r#"{"type":"content_block_stop","index":0}"#,
        r#"{"type":"message_delta","delta":{"stop_reason":"stop_sequence","stop_sequence":"\n"},"usage":{"input_tokens":10,"cache_read_input_tokens":20,"output_tokens":2}}"#,
        r#"{"type":"message_stop"}"#,
    ];
    let mut whole = String::new();
    for data in expect {
        let name = serde_json::from_str::<Value>(data).unwrap()["type"].as_str().unwrap().to_owned();
        whole.extend(["event: ", &name, "\ndata: ", data, "\n\n"]);
    }
    assert_eq!(String::from_utf8(out).unwrap(), whole);
}

/// The blocks of an answer of these events.
fn check(events: &[StreamEvent], expect: &[&str]) {
    let mut all = vec![start()];
    all.extend_from_slice(events);
    all.push(finish(FinishReason::Stop));
    assert_eq!(said(&all), expect);
}

#[test]
fn one_block_at_a_time() {
    // Calls that grow in turns: the first streams at once, the second waits and is said in one go.
    check(
        &[
            begin(0, empty()),
            text(0, "a"),
            begin(1, call("x")),
            arguments(1, "{\"k\":"),
            begin(2, call("y")),
            arguments(2, "{"),
            arguments(1, "1}"),
            arguments(2, "}"),
        ],
        &[
            "text",
            "+\"a\"",
            ".",
            "tool_use x",
            r#"+"{\"k\":""#,
            r#"+"1}""#,
            ".",
            "tool_use y",
            r#"+"{""#,
            r#"+"}""#,
            ".",
        ],
    );
    // A text goes on in another block; behind a call that is not whole, it waits.
    check(
        &[
            begin(0, empty()),
            text(0, "a"),
            begin(1, Part::Reasoning(Reasoning::default())),
            grow(1, Delta::Reasoning("b".into())),
            text(0, "c"),
            begin(2, call("x")),
            text(0, "d"),
            arguments(2, "{}"),
            arguments(2, " \n"),
            end(2),
        ],
        &[
            "text",
            "+\"a\"",
            ".",
            "thinking",
            "+\"b\"",
            ".",
            "text",
            "+\"c\"",
            ".",
            "tool_use x",
            "+\"{}\"",
            ".",
            "text",
            "+\"d\"",
            ".",
        ],
    );
    // Calls without arguments, whole only by their end or the answer's.
    check(
        &[begin(0, call("x")), begin(1, call("y")), end(0), end(1), begin(2, call("z")), begin(3, call("w"))],
        &["tool_use x", ".", "tool_use y", ".", "tool_use z", ".", "tool_use w", "."],
    );
    // What another dialect alone knows is left out.
    check(
        &[
            begin(0, Part::Opaque { dialect: Dialect::Gemini, value: json!({}) }),
            begin(1, Part::Text("a".into())),
        ],
        &["text", "+\"a\"", "."],
    );
    // Nor is there a block without a word.
    check(&[begin(0, empty()), begin(1, call("x")), text(0, ""), end(0), end(1)], &["tool_use x", "."]);
    check(&[], &[]);
}

/// Signatures come whole, and say whose they are.
#[test]
fn signatures() {
    // A signature comes whole, at the end of its block, and a foreign one says whose it is.
    let sign =
        |value: &str| grow(0, Delta::Signature(Signature { of: Dialect::Gemini, value: value.into() }));
    check(
        &[
            begin(0, Part::Reasoning(Reasoning::default())),
            sign("AB"),
            grow(0, Delta::Reasoning("t".into())),
            sign("C"),
            end(0),
        ],
        &["thinking", "+\"t\"", "+\"hanok:gemini:ABC\"", "."],
    );
    // A call's, beside the call.
    let signature = Some(Signature { of: Dialect::Gemini, value: "AB".into() });
    let signed =
        ToolCall { id: "x".into(), name: "f".into(), signature: signature.clone(), ..ToolCall::default() };
    let hidden = "redacted_thinking call:x:hanok:gemini:AB";
    check(
        &[begin(0, Part::ToolCall(signed)), arguments(0, "{}")],
        &[hidden, ".", "tool_use x", "+\"{}\"", "."],
    );
    check(
        &[begin(0, call("x")), arguments(0, "{}"), sign("A"), sign("B"), end(0)],
        &["tool_use x", "+\"{}\"", ".", hidden, "."],
    );
    check(
        &[begin(0, call("x")), arguments(0, "{}"), begin(1, empty()), text(1, "a"), sign("AB")],
        &["tool_use x", "+\"{}\"", ".", "text", "+\"a\"", ".", hidden, "."],
    );
}

#[test]
fn first_choice_only() {
    let other = |value| StreamEvent::PartStart { choice: 1, part: 0, value };
    let events = [
        start(),
        begin(0, empty()),
        other(call("x")),
        text(0, "a"),
        StreamEvent::Finish { choice: 1, reason: FinishReason::ToolCalls },
        finish(FinishReason::Length),
    ];
    assert_eq!(said(&events), ["text", "+\"a\"", "."]);
    let data = checked(&encode(wire(), &events));
    assert_eq!(data[data.len() - 2]["delta"]["stop_reason"], "max_tokens");
}

#[test]
fn why_it_ended() {
    let check = |part: Option<Part>, reason: FinishReason, expect: Value| {
        let mut events = vec![start()];
        events.extend(part.map(|part| begin(0, part)));
        events.push(finish(reason));
        let data = checked(&encode(wire(), &events));
        assert_eq!(data[data.len() - 2]["delta"], expect);
        let response = collect(events).unwrap();
        let whole: Value = serde_json::from_slice(&wire().encode_response(&response, b"")).unwrap();
        assert_eq!(whole["stop_reason"], expect["stop_reason"]);
        assert_eq!(whole["stop_sequence"], expect["stop_sequence"]);
    };
    let plain = |reason: &str| json!({ "stop_reason": reason, "stop_sequence": null });
    check(None, FinishReason::Stop, plain("end_turn"));
    check(None, FinishReason::ContentFilter, plain("refusal"));
    check(Some(Part::Refusal("No".into())), FinishReason::Stop, plain("refusal"));
    // Some servers say that they are done when they want a tool.
    check(Some(call("x")), FinishReason::Stop, plain("tool_use"));
    check(Some(call("x")), FinishReason::ToolCalls, plain("tool_use"));
    check(
        None,
        FinishReason::StopText("x".into()),
        json!({ "stop_reason": "stop_sequence", "stop_sequence": "x" }),
    );
    check(None, FinishReason::Other("odd".into()), plain("odd"));
}

/// A citation of ours stands on the text before it, and says all that it said.
#[test]
fn own_citations() {
    let quote =
        Quote { source: "docs/안내.md".into(), start: 10, end: 22, text: "하늘은".into(), pages: None };
    let ours = Citation {
        start_index: 0,
        end_index: 5,
        url: "/source?at=10".into(),
        title: "안내".into(),
        quote: Some(quote),
        extra: Object::new(),
    };
    let theirs =
        Citation { quote: None, url: "https://a".into(), start_index: 1, end_index: 3, ..ours.clone() };
    let events = [
        start(),
        begin(0, empty()),
        text(0, "파랗다."),
        end(0),
        begin(1, Part::Citation(ours.clone())),
        end(1),
        begin(2, Part::Citation(theirs.clone())),
        end(2),
        finish(FinishReason::Stop),
    ];
    let data = checked(&encode(wire(), &events));
    assert_eq!(
        data[3]["delta"],
        json!({ "type": "citations_delta", "citation": {
            "type": "search_result_location", "cited_text": "하늘은", "source": "docs/안내.md", "title": "안내",
            "search_result_index": 0, "start_block_index": 0, "end_block_index": 1,
            "url": "/source?at=10", "start": 10, "end": 22, "start_index": 0, "end_index": 5 } })
    );
    assert_eq!(data[4]["delta"]["citation"]["type"], "web_search_result_location");
    let response = collect(events).unwrap();
    let parts = [Part::Text("파랗다.".into()), Part::Citation(ours), Part::Citation(theirs)];
    let whole = wire().encode_response(&response, b"");
    assert_eq!(wire().decode_response(&whole).unwrap().choices[0].message.parts, parts);
}

/// A part with its growth in pieces.
fn growing() -> impl Strategy<Value = (Part, Vec<Delta>)> {
    let pieces = || vec("[ -~é한\n]{1,4}", 0..4);
    let call =
        ("[a-z]{1,3}", "[ -~é한\"\\\\{}]{0,6}", vec(1..4_usize, 0..4)).prop_map(|(name, value, cuts)| {
            let mut rest = json!({ "k": value, "n": [1, { "m": null }] }).to_string();
            let mut pieces = Vec::new();
            for cut in cuts {
                let at = rest.char_indices().nth(cut * 2).map_or(rest.len(), |(at, _)| at);
                let tail = rest.split_off(at);
                pieces.push(Delta::Arguments(std::mem::replace(&mut rest, tail)));
            }
            pieces.push(Delta::Arguments(rest));
            (Part::ToolCall(ToolCall { name, ..ToolCall::default() }), pieces)
        });
    prop_oneof![
        pieces().prop_map(|pieces| (empty(), pieces.into_iter().map(Delta::Text).collect())),
        pieces().prop_map(|pieces| {
            (Part::Reasoning(Reasoning::default()), pieces.into_iter().map(Delta::Reasoning).collect())
        }),
        call,
    ]
}

/// What clients make of it, whatever the order of blocks: the texts, the thoughts, and the calls.
fn sums<'a>(parts: impl IntoIterator<Item = &'a Part>) -> (String, String, Vec<(String, String, String)>) {
    let mut sums = (String::new(), String::new(), Vec::new());
    for part in parts {
        match part {
            Part::Text(text) => sums.0.push_str(text),
            Part::Reasoning(reasoning) => sums.1.push_str(&reasoning.text),
            Part::ToolCall(call) => sums.2.push((call.id.clone(), call.name.clone(), call.arguments.clone())),
            other => assert_eq!(None, Some(other), "none of another kind went in"),
        }
    }
    sums
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// Parts that grow in any turns, and end where they end or at the answer's end, come through whole.
    #[test]
    fn nothing_is_lost(parts in vec(growing(), 0..6), turns in vec(0..6_usize, 0..40), ends: bool) {
        let mut parts: Vec<(Part, Vec<Delta>)> = parts;
        let mut waiting: Vec<std::collections::VecDeque<StreamEvent>> = Vec::new();
        for (i, (value, deltas)) in parts.iter_mut().enumerate() {
            if let Part::ToolCall(call) = value {
                call.id = format!("id{i}");
            }
            let mut events: std::collections::VecDeque<_> = deltas.drain(..).map(|delta| grow(i, delta)).collect();
            events.push_front(begin(i, value.clone()));
            if ends {
                events.push_back(end(i));
            }
            waiting.push(events);
        }
        // Parts are numbered by the order of their begin.
        let mut events = vec![start()];
        let mut begun = 0;
        for turn in turns {
            let at = turn.min(begun);
            if let Some(event) = waiting.get_mut(at).and_then(std::collections::VecDeque::pop_front) {
                begun += usize::from(at == begun);
                events.push(event);
            }
        }
        events.extend(waiting.into_iter().flatten());
        events.push(finish(FinishReason::Stop));
        let bytes = encode(wire(), &events);
        checked(&bytes);
        let decoded = decode([bytes.as_slice()]);
        prop_assert_eq!(decoded.end, Ok(()));
        let got = decoded.events.into_iter();
        let got = collect(got).map(|response| sums(&response.choices[0].message.parts));
        // The texts in the order of their pieces: parts of one kind may take turns.
        let mut expect = (String::new(), String::new(), sums(&collect(events.clone()).unwrap().choices[0].message.parts).2);
        for event in &events {
            match event {
                StreamEvent::PartDelta { delta: Delta::Text(text), .. } => expect.0.push_str(text),
                StreamEvent::PartDelta { delta: Delta::Reasoning(text), .. } => expect.1.push_str(text),
                _ => {}
            }
        }
        prop_assert_eq!(got, Some(expect));
    }
}
