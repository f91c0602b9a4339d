//! Ollama's two dialects: their fixtures, the laws for them, and what clients and upstreams of other dialects
//! meet.

use crate::ollama_streams::{FORMS, Folder, collect, damaged, decode, decode_bytes, encode, fixtures, guard};
use bytes::Bytes;
use hanok_base::{
    ChatRequest, ChatResponse, Choice, Delta, Dialect, FinishReason, Media, MediaSource, Message, ModelInfo,
    Object, OutputFormat, Part, Problem, ProviderErrorKind, Reasoning, Role, Route, Signature, StreamEvent,
    ToolCall, ToolChoice, ToolResult, ToolSpec, Usage,
};
use hanok_wire::ollama::{Capability, Running, ShowInfo, ps, show, show_request, version};
use hanok_wire::{Codec, RequestOptions, StreamOptions, WireError, codec};
use proptest::prelude::*;
use serde_json::{Value, json};

fn chat() -> &'static dyn Codec {
    codec(Dialect::Ollama)
}

fn openai() -> &'static dyn Codec {
    codec(Dialect::OpenAiChat)
}

fn parse(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

/// An answer without what only a whole one or only its own bytes tell.
fn comparable(mut response: ChatResponse) -> ChatResponse {
    response.id = "".into();
    for choice in &mut response.choices {
        // Events have no place for a message's unknown members.
        choice.message.extra = Object::new();
        // A server that measured nothing is not a server that says nothing.
        choice.extra.retain(|_, value| *value != 0);
    }
    response
}

#[test]
fn streamed_and_whole_are_the_same_answer() {
    for Folder { dialect, name } in FORMS {
        let wire = codec(dialect);
        let streams = fixtures(name, "ndjson");
        let mut pairs = 0;
        for (case, bytes) in fixtures(name, "json") {
            let whole = wire.decode_response(&bytes).unwrap();
            let again = wire.decode_response(&wire.encode_response(&whole, b"")).unwrap();
            assert_eq!(comparable(again), comparable(whole.clone()), "{case}");
            let Some((_, stream)) = streams.iter().find(|(of, _)| *of == case) else { continue };
            let decoded = decode_bytes(wire, stream);
            assert_eq!(decoded.end, Ok(()), "{case}");
            assert_eq!(collect(decoded.events.clone()), Some(whole.clone()), "{case}");
            // And so it stays when the events are streamed on; the measured times are another server's.
            let on = decode_bytes(wire, &encode(wire, &decoded.events));
            let mut on = comparable(collect(on.events).unwrap());
            on.created = whole.created;
            assert_eq!(on, comparable(whole.clone()), "{case}");
            let summary = wire.summarise(&bytes).unwrap();
            let guarded = guard(wire, [stream.as_slice()]);
            assert_eq!(guarded.summary, summary, "{case}");
            assert_eq!((guarded.fault, guarded.complete, guarded.content), (None, true, true), "{case}");
            assert_eq!(guarded.passed, *stream, "{case}");
            assert_eq!((summary.usage, summary.model.as_str()), (whole.usage, "llama3.2"), "{case}");
            pairs += 1;
        }
        assert!(pairs >= 3, "only {pairs} pairs of {name}");
    }
}

#[test]
fn what_streams_say() {
    for Folder { dialect, name } in FORMS {
        for (case, bytes) in fixtures(name, "ndjson") {
            let decoded = decode_bytes(codec(dialect), &bytes);
            let guarded = guard(codec(dialect), [bytes.as_slice()]);
            let passed = guarded.passed.len();
            let fault = guarded.fault.map(|fault| format!("{}: {}", fault.kind, fault.message));
            let said = format!(
                "{:#?}\nend {:?}\nguard passes {passed} of {} bytes, fault {fault:?}, finish {:?}",
                decoded.events,
                decoded.end,
                bytes.len(),
                guarded.summary.finish_reasons
            );
            insta::assert_snapshot!(format!("{name}-{case}.ndjson"), said);
        }
    }
}

#[test]
fn any_split_gives_the_same() {
    for Folder { dialect, name } in FORMS {
        let wire = codec(dialect);
        for (case, bytes) in fixtures(name, "ndjson") {
            let whole = decode(wire, [bytes.as_slice()]);
            let passed = guard(wire, [bytes.as_slice()]);
            for size in 1..=bytes.len().min(90) {
                assert_eq!(decode(wire, bytes.chunks(size)), whole, "{case} in pieces of {size}");
                assert_eq!(guard(wire, bytes.chunks(size)), passed, "{case} in pieces of {size}");
            }
        }
    }
}

/// Every member of a request survives decoding and encoding, known or not.
#[test]
fn requests() {
    for Folder { dialect, name } in FORMS {
        for (case, bytes) in fixtures(&format!("{name}/requests"), "json") {
            let request = codec(dialect).decode_request(&bytes).unwrap();
            let again = codec(dialect).encode_request(&request, RequestOptions::default());
            assert_eq!(parse(&again.body), parse(&bytes), "{case}");
            assert_eq!(again.lost, [], "{case}");
            let stream = RequestOptions { stream: true, ..RequestOptions::default() };
            let body = codec(dialect).encode_request(&request, stream).body;
            assert_eq!(parse(&body)["stream"], true, "{case}");
        }
    }
}

#[test]
fn requests_that_are_refused() {
    let check = |dialect: Dialect, body: &str, expect: &str| {
        let error = codec(dialect).decode_request(body.as_bytes()).unwrap_err();
        assert_eq!(error.to_string(), expect, "{body}");
    };
    let chat = |rest: &str| format!(r#"{{"model":"m",{rest}}}"#);
    check(Dialect::Ollama, "{}", "`model`: is required");
    check(Dialect::Ollama, &chat(r#""messages":[]"#), "`messages`: must hold at least one message");
    check(Dialect::Ollama, &chat(r#""messages":[{}]"#), "`messages[0].role`: is required");
    check(
        Dialect::Ollama,
        &chat(r#""messages":[{"role":"bot"}]"#),
        "`messages[0].role`: must be system, user, assistant or tool, not \"bot\"",
    );
    check(
        Dialect::Ollama,
        &chat(r#""messages":[{"role":"user","content":[]}]"#),
        "`messages[0].content`: must be a string, not an array",
    );
    check(
        Dialect::Ollama,
        &chat(r#""messages":[{"role":"user","images":[1]}]"#),
        "`messages[0].images[0]`: must be a string: base64",
    );
    check(
        Dialect::Ollama,
        &chat(r#""messages":[{"role":"user"}],"think":1"#),
        "`think`: must be true, false, \"low\", \"medium\", \"high\" or \"max\"",
    );
    check(
        Dialect::OllamaGenerate,
        &chat(r#""prompt":"def f(","suffix":"return x""#),
        "`suffix`: text in the middle is for models behind an ollama provider only",
    );
    check(Dialect::OllamaGenerate, &chat(r#""system":"s""#), "`prompt`: is required");
}

/// Calls without ids get some, and results find them by name and order.
#[test]
fn results_find_their_calls() {
    let (_, bytes) = fixtures("ollama/requests", "json")
        .into_iter()
        .find(|(case, _)| case == "tools-without-ids")
        .unwrap();
    let request = chat().decode_request(&bytes).unwrap();
    let ids = |message: &Message| -> Vec<String> {
        let of = |part: &Part| match part {
            Part::ToolCall(call) => Some(call.id.clone()),
            Part::ToolResult(result) => Some(result.call_id.clone()),
            _ => None,
        };
        message.parts.iter().filter_map(of).collect()
    };
    let calls = ids(&request.messages[1]);
    assert_eq!(calls, ["ollama_1_0", "ollama_1_1", "ollama_1_2"]);
    let results: Vec<String> = request.messages[2..].iter().flat_map(ids).collect();
    assert_eq!(results, ["ollama_1_1", "ollama_1_0", "ollama_1_2"]);
    // Another dialect's upstream sees them, and this one's does not.
    let body = parse(&openai().encode_request(&request, RequestOptions::default()).body);
    assert_eq!(body["messages"][1]["tool_calls"][2]["id"], "ollama_1_2");
    assert_eq!(body["messages"][4]["tool_call_id"], "ollama_1_2");
}

fn image() -> Media {
    Media {
        mime: Some("image/png".into()),
        filename: None,
        source: MediaSource::Base64("iVBORw0KGgo=".into()),
        extra: Object::new(),
    }
}

fn message(role: Role, parts: Vec<Part>) -> Message {
    Message { role, parts, extra: Object::new() }
}

fn call(id: &str, name: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: name.into(),
        arguments: arguments.into(),
        ..ToolCall::default()
    })
}

fn result(call_id: &str, text: &str) -> Part {
    let parts = vec![Part::Text(text.into())];
    Part::ToolResult(ToolResult { call_id: call_id.into(), parts, is_error: false })
}

/// Everything another dialect can ask, and what of it is named as lost.
#[test]
fn from_another_dialect() {
    let signed = Part::Reasoning(Reasoning {
        text: "Think.".into(),
        signature: Some(Signature { of: Dialect::AnthropicMessages, value: "sig".into() }),
        ..Reasoning::default()
    });
    let url = Media { source: MediaSource::Url("https://a.example/b.png".into()), mime: None, ..image() };
    let pdf = Media { mime: Some("application/pdf".into()), ..image() };
    let mut request = ChatRequest::new(
        "m".into(),
        vec![
            message(Role::Developer, vec![Part::Text("One".into()), Part::Text("Two".into())]),
            message(Role::User, vec![Part::Text("See".into()), Part::Media(image()), Part::Media(url)]),
            message(Role::User, vec![Part::Media(pdf)]),
            message(
                Role::Assistant,
                vec![signed, call("t1", "f", r#"{"a":1}"#), call("t2", "g", ""), call("t3", "f", "{oops")],
            ),
            // All results in one message, out of order.
            message(Role::User, vec![result("t2", "B"), result("t1", "A"), Part::Text("Go on".into())]),
        ],
    );
    request.tools = vec![ToolSpec {
        name: "f".into(),
        description: None,
        parameters: None,
        strict: Some(true),
        extra: Object::new(),
    }];
    request.tool_choice = ToolChoice::Required;
    request.parallel_tool_calls = Some(false);
    request.output = OutputFormat::JsonSchema {
        name: "n".into(),
        schema: Some(json!({ "type": "object" })),
        strict: Some(true),
        extra: Object::new(),
    };
    request.sampling.max_tokens = Some(5);
    request.sampling.n = Some(2);
    request.reasoning.budget_tokens = Some(20_000);
    request.user = Some("u".into());
    request.cache_key = Some("k".into());
    request.dialect = Some(Dialect::AnthropicMessages);
    request.extra = Object::from_iter([("service_tier".to_owned(), "auto".into())]);
    let encoded = chat().encode_request(&request, RequestOptions::default());
    let expect = json!({
        "model": "m",
        "messages": [
            { "role": "system", "content": "One\nTwo" },
            { "role": "user", "content": "See", "images": ["iVBORw0KGgo="] },
            { "role": "user", "content": "" },
            { "role": "assistant", "content": "", "thinking": "Think.", "tool_calls": [
                { "id": "t1", "function": { "name": "f", "arguments": { "a": 1 } } },
                { "id": "t2", "function": { "name": "g", "arguments": {} } },
                { "id": "t3", "function": { "name": "f", "arguments": { "_invalid_json": "{oops" } } },
            ] },
            { "role": "tool", "content": "A", "tool_name": "f", "tool_call_id": "t1" },
            { "role": "tool", "content": "B", "tool_name": "g", "tool_call_id": "t2" },
            { "role": "user", "content": "Go on" },
        ],
        "tools": [{ "type": "function",
            "function": { "name": "f", "parameters": { "type": "object", "properties": {} } } }],
        "format": { "type": "object" },
        "options": { "num_predict": 5 },
        "think": "high",
        "stream": false,
    });
    assert_eq!(parse(&encoded.body), expect);
    let lost: Vec<&str> = encoded.lost.iter().map(|lost| lost.param.as_str()).collect();
    assert_eq!(
        lost,
        [
            "messages[1].content[2]",
            "messages[2].content[0]",
            "tool_choice",
            "parallel_tool_calls",
            "tools.strict",
            "n",
            "service_tier",
            "user",
        ]
    );
    request.tool_choice = ToolChoice::None;
    let body = chat().encode_request(&request, RequestOptions::default()).body;
    assert_eq!(parse(&body).get("tools"), None);
}

#[test]
fn to_openai() {
    let body = json!({
        "model": "m",
        "messages": [
            { "role": "user", "content": "What?", "images": ["iVBORw0KGgo="] },
            { "role": "assistant", "content": "", "tool_calls": [
                { "function": { "name": "f", "arguments": { "b": 1, "a": "é" } } },
            ] },
            { "role": "tool", "content": "ok", "tool_name": "f" },
        ],
        "format": { "type": "object", "title": "Person" },
        "options": { "temperature": 0.5, "num_predict": 9, "stop": ["x"] },
    });
    let request = chat().decode_request(body.to_string().as_bytes()).unwrap();
    let body = parse(&openai().encode_request(&request, RequestOptions::default()).body);
    assert_eq!(
        body["messages"][0]["content"][1],
        json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBORw0KGgo=" } })
    );
    assert_eq!(body["messages"][1]["tool_calls"][0]["function"]["arguments"], r#"{"b":1,"a":"é"}"#);
    assert_eq!(body["messages"][1]["tool_calls"][0]["id"], body["messages"][2]["tool_call_id"]);
    assert_eq!(body["response_format"]["json_schema"]["name"], "Person");
    assert_eq!((&body["max_tokens"], &body["stop"]), (&json!(9), &json!(["x"])));

    // And an answer on the way back, both ways.
    let (_, stream) = fixtures("ollama", "ndjson").into_iter().find(|(case, _)| case == "tools").unwrap();
    let events = decode_bytes(chat(), &stream).events;
    let answer = decode_bytes(openai(), &encode(openai(), &events));
    let answer = collect(answer.events).unwrap();
    assert_eq!(answer.choices[0].finish, FinishReason::ToolCalls);
    let Some(Part::ToolCall(call)) = answer.choices[0].message.parts.last() else { panic!("no call") };
    assert_eq!(
        (call.id.as_str(), call.arguments.as_str()),
        ("call_a1b2c3d4", r#"{"city":"서울","days":3,"exact":0.5}"#)
    );
    assert!(answer.id.as_str().starts_with("ollama_"));
}

fn start(dialect: Option<Dialect>) -> StreamEvent {
    let extra = Object::from_iter([("fingerprint".to_owned(), "x".into())]);
    StreamEvent::Start { id: "1".into(), model: "upstream".into(), created: 1, dialect, extra }
}

fn begins(part: usize, value: Part) -> StreamEvent {
    StreamEvent::PartStart { choice: 0, part, value }
}

fn grows(part: usize, delta: Delta) -> StreamEvent {
    StreamEvent::PartDelta { choice: 0, part, delta }
}

fn ends(part: usize) -> StreamEvent {
    StreamEvent::PartEnd { choice: 0, part }
}

/// What a client gets of a stream, a value a line, without what differs from run to run.
fn lines(dialect: Dialect, events: &[StreamEvent]) -> Vec<Value> {
    let options = StreamOptions { model: "asked".into(), ..StreamOptions::default() };
    let mut encoder = codec(dialect).stream_encoder(options);
    let mut out = Vec::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    encoder.finish(&mut out);
    let text = String::from_utf8(out).unwrap();
    assert!(text.ends_with("}\n") && !text.contains("\n\n"), "{text}");
    let line = |line: &str| {
        let mut value: Value = serde_json::from_str(line).unwrap();
        let object = value.as_object_mut().unwrap();
        assert_eq!(object.shift_remove("model").unwrap(), "asked");
        let at = object.shift_remove("created_at").unwrap();
        assert_eq!(at.as_str().unwrap().len(), "2025-11-20T10:27:07.123456789Z".len());
        if object["done"] == true {
            let mut took = |name: &str| object.shift_remove(name).unwrap().as_u64().unwrap();
            let (total, load) = (took("total_duration"), took("load_duration"));
            assert_eq!(total, took("prompt_eval_duration") + took("eval_duration"));
            assert_eq!(load, 0);
        }
        value
    };
    text.lines().map(line).collect()
}

/// Two calls that grow in turns, beside text, of another dialect's upstream.
#[test]
fn calls_that_grow_in_turns() {
    let tool = |id: &str, name: &str| call(id, name, "");
    let events = [
        start(Some(Dialect::OpenAiChat)),
        begins(0, Part::Text(String::new())),
        grows(0, Delta::Text("a\"".into())),
        begins(1, tool("t1", "f")),
        begins(2, tool("t2", "g")),
        grows(2, Delta::Arguments("{\"y\"".into())),
        grows(1, Delta::Arguments("{\"x\":".into())),
        grows(2, Delta::Arguments(":2}".into())),
        ends(2),
        grows(0, Delta::Text("b".into())),
        grows(1, Delta::Arguments("1}".into())),
        ends(1),
        begins(3, tool("t3", "h")),
        ends(0),
        StreamEvent::ChoiceExtra {
            choice: 0,
            extra: Object::from_iter([("logprobs".to_owned(), json!({ "content": [] }))]),
        },
        // The other choice was never asked for by a client of this dialect.
        StreamEvent::PartStart { choice: 1, part: 0, value: Part::Text("other".into()) },
        StreamEvent::Finish { choice: 1, reason: FinishReason::Stop },
        StreamEvent::Finish { choice: 0, reason: FinishReason::ToolCalls },
        StreamEvent::Usage(Usage { input: Some(3), output: Some(4), reasoning: Some(1), ..Usage::default() }),
    ];
    let told = |index: usize, id: &str, name: &str, arguments: Value| json!({ "id": id, "function": { "index": index, "name": name, "arguments": arguments } });
    let says = |member: &str, value: Value| {
        let mut message = json!({ "role": "assistant", "content": "" });
        message[member] = value;
        json!({ "message": message, "done": false })
    };
    let expect = [
        says("content", "a\"".into()),
        says("content", "b".into()),
        says(
            "tool_calls",
            json!([told(0, "t1", "f", json!({ "x": 1 })), told(1, "t2", "g", json!({ "y": 2 }))]),
        ),
        says("tool_calls", json!([told(2, "t3", "h", json!({}))])),
        json!({ "message": { "role": "assistant", "content": "" }, "done": true, "done_reason": "stop",
            "prompt_eval_count": 3, "eval_count": 4 }),
    ];
    assert_eq!(lines(Dialect::Ollama, &events), expect);

    let generate = lines(Dialect::OllamaGenerate, &events);
    assert_eq!(generate[0], json!({ "response": "a\"", "done": false }));
    assert_eq!(generate[3]["tool_calls"][0]["function"]["name"], "h");
    assert_eq!(generate[4]["response"], "");
}

/// A provider of another dialect gets its thoughts and calls back as it sent them, where a client keeps the
/// message whole.
#[test]
fn signatures_come_back() {
    let signature = |value: &str| Some(Signature { of: Dialect::AnthropicMessages, value: value.into() });
    let thought = |text: &str, value: &str, redacted: bool| {
        let signature = signature(value);
        Part::Reasoning(Reasoning { text: text.into(), signature, redacted, extra: Object::new() })
    };
    let mut signed = ToolCall { id: "t".into(), name: "f".into(), ..ToolCall::default() };
    signed.arguments = r#"{"a":1}"#.into();
    signed.signature = signature("s3");
    let parts = vec![
        thought("Fïrst.", "s1", false),
        thought("", "s2", true),
        Part::Text("Hi".into()),
        Part::ToolCall(signed.clone()),
    ];
    let response = ChatResponse {
        id: "1".into(),
        model: "m".into(),
        created: 1,
        choices: vec![Choice {
            index: 0,
            message: message(Role::Assistant, parts.clone()),
            finish: FinishReason::ToolCalls,
            extra: Object::new(),
        }],
        usage: Usage::default(),
        dialect: Some(Dialect::AnthropicMessages),
        extra: Object::new(),
    };
    let answer = parse(&chat().encode_response(&response, b""));
    let next = json!({ "model": "m", "messages": [{ "role": "user", "content": "?" }, answer["message"]] });
    let request = chat().decode_request(next.to_string().as_bytes()).unwrap();
    assert_eq!(request.messages[1].parts, parts);
    // An upstream of this dialect never sees them.
    let body = chat().encode_request(&request, RequestOptions::default()).body;
    assert!(!String::from_utf8(body).unwrap().contains("s1"));

    // The same streamed.
    let events = [
        start(Some(Dialect::AnthropicMessages)),
        begins(0, Part::Reasoning(Reasoning::default())),
        grows(0, Delta::Reasoning("Fïrst.".into())),
        grows(0, Delta::Signature(signature("s1").unwrap())),
        ends(0),
        begins(1, thought("", "s2", true)),
        ends(1),
        begins(2, Part::Text(String::new())),
        grows(2, Delta::Text("Hi".into())),
        ends(2),
        begins(3, Part::ToolCall(signed)),
        ends(3),
        StreamEvent::Finish { choice: 0, reason: FinishReason::ToolCalls },
    ];
    let again = collect(decode_bytes(chat(), &encode(chat(), &events)).events).unwrap();
    assert_eq!(again.choices[0].message.parts, parts);
}

#[test]
fn a_chat_as_one_prompt() {
    let request = ChatRequest::new(
        "m".into(),
        vec![
            Message::text(Role::System, "S"),
            Message::text(Role::User, "A"),
            Message::text(Role::Assistant, "B"),
            Message::text(Role::User, "C"),
        ],
    );
    let generate = codec(Dialect::OllamaGenerate);
    let encoded = generate.encode_request(&request, RequestOptions::default());
    let expect = json!({ "model": "m", "prompt": "user: A\n\nassistant: B\n\nuser: C", "system": "S", "stream": false });
    assert_eq!(parse(&encoded.body), expect);
    assert_eq!(encoded.lost[0].param, "messages");
    // What only a prompt can have is named where it becomes a chat.
    let body = br#"{"model":"m","prompt":"p","raw":true,"context":[1],"keep_alive":"1m"}"#;
    let request = generate.decode_request(body).unwrap();
    let encoded = chat().encode_request(&request, RequestOptions::default());
    let lost: Vec<&str> = encoded.lost.iter().map(|lost| lost.param.as_str()).collect();
    assert_eq!(lost, ["raw", "context"]);
    assert_eq!(parse(&encoded.body)["keep_alive"], "1m");
}

#[test]
fn errors_in_a_stream() {
    let mut encoder = chat().stream_encoder(StreamOptions::default());
    let mut out = Vec::new();
    encoder.encode(&start(None), &mut out);
    encoder.encode(&begins(0, Part::Text("Half".into())), &mut out);
    let problem = Problem::new(hanok_base::ErrorKind::Upstream, "stream_truncated", "p: cut");
    encoder.error(&problem, &mut out);
    let decoded = decode_bytes(chat(), &out);
    let Err(WireError::Upstream(fault)) = decoded.end else { panic!("{:?}", decoded.end) };
    assert_eq!(
        (fault.message.as_str(), fault.code.as_deref(), fault.kind),
        ("p: cut", Some("stream_truncated"), ProviderErrorKind::Overloaded)
    );
}

#[test]
fn what_editors_ask() {
    let info = ShowInfo {
        context_length: Some(131_072),
        family: Some("llama".into()),
        modified: 1_763_634_427,
        capabilities: vec![Capability::Completion, Capability::Tools, Capability::Vision],
        ..ShowInfo::default()
    };
    insta::assert_snapshot!("ollama-show", String::from_utf8(show("a/b", &info)).unwrap());
    let unknown = parse(&show("x", &ShowInfo::default()));
    assert_eq!(unknown["model_info"], json!({ "general.architecture": "model", "general.basename": "x" }));
    let running = Running { name: "a/b".into(), size: 7, context_length: Some(9), ..Running::default() };
    insta::assert_snapshot!("ollama-ps", String::from_utf8(ps(&[running])).unwrap());
    assert_eq!(version("0.12.6"), br#"{"version":"0.12.6"}"#);
    let asked = |body: &str| show_request(body.as_bytes()).map_err(|error| error.to_string());
    assert_eq!(asked(r#"{"model":"a"}"#), Ok("a".to_owned()));
    assert_eq!(asked(r#"{"name":"a","verbose":true}"#), Ok("a".to_owned()));
    assert_eq!(asked(r#"{"model":"","name":""}"#), Err("`model`: is required".to_owned()));

    let models = [(
        "a/b".to_owned(),
        ModelInfo { name: "a/b".into(), owned_by: None, created: 1_763_634_427, context_length: None },
    )];
    let list = chat().encode_models(&models);
    insta::assert_snapshot!("ollama-tags", String::from_utf8(list.clone()).unwrap());
    assert_eq!(chat().decode_models(&list).unwrap(), [models[0].1.clone()]);
    assert!(chat().decode_models(b"{}").is_err());
    let path = |dialect, route| codec(dialect).path(route, "m", true);
    assert_eq!(path(Dialect::Ollama, Route::Chat).as_deref(), Some("chat"));
    assert_eq!(path(Dialect::Ollama, Route::Embeddings).as_deref(), Some("embed"));
    assert_eq!(path(Dialect::OllamaGenerate, Route::Chat).as_deref(), Some("generate"));
    assert_eq!(path(Dialect::OllamaGenerate, Route::Embeddings).as_deref(), Some("embeddings"));
    assert_eq!(path(Dialect::Ollama, Route::CountTokens), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    /// Nothing that may come in makes anything fall over, and what passes the guard is a prefix of it.
    #[test]
    fn any_bytes(bytes in damaged(), size in 1..40_usize) {
        for Folder { dialect, .. } in FORMS {
            let wire = codec(dialect);
            let whole = decode(wire, [bytes.as_slice()]);
            prop_assert_eq!(&decode(wire, bytes.chunks(size)), &whole);
            let guarded = guard(wire, [bytes.as_slice()]);
            prop_assert_eq!(&guard(wire, bytes.chunks(size)), &guarded);
            let ended = [bytes.as_slice(), b"\n"].concat();
            prop_assert!(ended.starts_with(&guarded.passed));
            // What the decoder calls whole, the guard lets pass, and the other way round but for the last end.
            prop_assert!(whole.end.is_err() || guarded.complete || guarded.fault.is_some());
            encode(wire, &whole.events);
            encode(openai(), &whole.events);
            if let Ok(request) = wire.decode_request(&bytes) {
                let again = wire.encode_request(&request, RequestOptions::default());
                prop_assert!(wire.decode_request(&again.body).is_ok());
                openai().encode_request(&request, RequestOptions::default());
            }
            if let Ok(response) = wire.decode_response(&bytes) {
                prop_assert!(wire.decode_response(&wire.encode_response(&response, b"")).is_ok());
            }
            if let Ok(peek) = wire.peek(Route::Chat, &bytes) {
                let patch = hanok_wire::Patch { model: "n\"", max_tokens: Some(9), ..Default::default() };
                let patched = wire.patch(&Bytes::from(bytes.clone()), &peek, &patch);
                let again = wire.peek(Route::Chat, &patched);
                prop_assert_eq!(again.as_ref().map(|peek| peek.model.as_str()), Ok("n\""));
                prop_assert_eq!(again.unwrap().max_tokens, peek.max_tokens.or(Some(9)));
            }
            drop(wire.summarise(&bytes));
            drop(wire.decode_error(500, &bytes, &"p".into()));
            drop(wire.decode_embed_request(Route::Embeddings, &bytes));
            drop(wire.decode_embed_response(&bytes));
            drop(wire.decode_models(&bytes));
            hanok_wire::ollama::load(&bytes);
        }
    }
}
