//! What clients of openai-chat get, to the byte.

use crate::{OPENAI, wire};
use hanok_base::{
    Citation, Delta, Dialect, ErrorKind, FinishReason, ModelInfo, Object, Part, Problem, Reasoning, Route,
    Signature, StreamEvent, ToolCall, Usage,
};
use hanok_wire::StreamOptions;

fn start() -> StreamEvent {
    StreamEvent::Start {
        id: "chatcmpl-1".into(),
        model: "theirs".into(),
        created: 7,
        dialect: None,
        extra: Object::new(),
    }
}

fn begin(part: usize, value: Part) -> StreamEvent {
    StreamEvent::PartStart { choice: 0, part, value }
}

fn grow(part: usize, delta: Delta) -> StreamEvent {
    StreamEvent::PartDelta { choice: 0, part, delta }
}

/// The chunks' choices and usage: what differs from chunk to chunk.
fn encoded(options: StreamOptions, events: &[StreamEvent]) -> Vec<String> {
    let mut encoder = wire(OPENAI).stream_encoder(options);
    let mut out = Vec::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    encoder.finish(&mut out);
    let text = String::from_utf8(out).unwrap();
    let head =
        r#"data: {"id":"chatcmpl-1","object":"chat.completion.chunk","created":7,"model":"ours","choices":"#;
    text.split_terminator("\n\n").map(|event| event.strip_prefix(head).unwrap_or(event).to_owned()).collect()
}

#[test]
fn streams() {
    let check = |include_usage: bool, events: &[StreamEvent], expect: &[&str]| {
        let options = StreamOptions { include_usage, model: "ours".into(), ..StreamOptions::default() };
        assert_eq!(encoded(options, events), expect);
    };
    let citation =
        Citation { end_index: 2, url: "/source".into(), title: "guide.md".into(), ..Citation::default() };
    let call = |id: &str, name: &str| {
        Part::ToolCall(ToolCall { id: id.into(), name: name.into(), ..ToolCall::default() })
    };
    let usage = Usage { input: Some(3), output: Some(2), cached_input: Some(1), ..Usage::default() };
    let stop = StreamEvent::Finish { choice: 0, reason: FinishReason::Stop };

    check(
        false,
        &[
            start(),
            begin(0, Part::Text(String::new())),
            grow(0, Delta::Text("Hi".into())),
            begin(1, Part::Citation(citation)),
            stop.clone(),
            StreamEvent::Usage(usage),
        ],
        &[
            r#"[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
            r#"[{"index":0,"delta":{"content":"Hi"},"finish_reason":null}]}"#,
            r#"[{"index":0,"delta":{"annotations":[{"type":"url_citation","url_citation":{"start_index":0,"end_index":2,"url":"/source","title":"guide.md"}}]},"finish_reason":null}]}"#,
            r#"[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
            "data: [DONE]",
        ],
    );
    check(
        true,
        &[
            start(),
            begin(0, Part::Reasoning(Reasoning::default())),
            grow(0, Delta::Reasoning("Hm".into())),
            begin(1, call("a", "one")),
            grow(1, Delta::Arguments("{".into())),
            begin(2, call("b", "two")),
            grow(1, Delta::Arguments("}".into())),
            StreamEvent::Finish { choice: 0, reason: FinishReason::ToolCalls },
            StreamEvent::Usage(usage),
        ],
        &[
            r#"[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}],"usage":null}"#,
            r#"[{"index":0,"delta":{"reasoning_content":"Hm"},"finish_reason":null}],"usage":null}"#,
            r#"[{"index":0,"delta":{"tool_calls":[{"id":"a","type":"function","function":{"name":"one","arguments":""},"index":0}]},"finish_reason":null}],"usage":null}"#,
            r#"[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"{"}}]},"finish_reason":null}],"usage":null}"#,
            r#"[{"index":0,"delta":{"tool_calls":[{"id":"b","type":"function","function":{"name":"two","arguments":""},"index":1}]},"finish_reason":null}],"usage":null}"#,
            r#"[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]},"finish_reason":null}],"usage":null}"#,
            r#"[{"index":0,"delta":{},"finish_reason":"tool_calls"}],"usage":null}"#,
            r#"[],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5,"prompt_tokens_details":{"cached_tokens":1}}}"#,
            "data: [DONE]",
        ],
    );
    check(
        false,
        &[start(), begin(0, Part::Refusal(String::new())), grow(0, Delta::Text("No".into())), stop],
        &[
            r#"[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
            r#"[{"index":0,"delta":{"refusal":"No"},"finish_reason":null}]}"#,
            r#"[{"index":0,"delta":{},"finish_reason":"stop"}]}"#,
            "data: [DONE]",
        ],
    );
}

/// A signature that comes in pieces, late, or with other parts between.
#[test]
fn streamed_signatures() {
    let signature =
        |value: &str| Delta::Signature(Signature { of: Dialect::AnthropicMessages, value: value.to_owned() });
    let end = |part| StreamEvent::PartEnd { choice: 0, part };
    let events = [
        start(),
        begin(0, Part::Reasoning(Reasoning::default())),
        grow(0, Delta::Reasoning("Hm".into())),
        begin(1, Part::Text(String::new())),
        grow(0, signature("a")),
        grow(1, Delta::Text("x".into())),
        grow(0, signature("b")),
        end(0),
        begin(2, Part::ToolCall(ToolCall { id: "i".into(), name: "n".into(), ..ToolCall::default() })),
        grow(2, signature("c")),
        StreamEvent::Finish { choice: 0, reason: FinishReason::StopText("END".into()) },
    ];
    let options = StreamOptions { model: "ours".into(), ..StreamOptions::default() };
    let expect = [
        r#"[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}"#,
        r#"[{"index":0,"delta":{"reasoning_content":"Hm"},"finish_reason":null}]}"#,
        r#"[{"index":0,"delta":{"content":"x"},"finish_reason":null}]}"#,
        r#"[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.text","text":"Hm","signature":"hanok:anthropic-messages:ab","index":0}]},"finish_reason":null}]}"#,
        r#"[{"index":0,"delta":{"tool_calls":[{"id":"i","type":"function","function":{"name":"n","arguments":""},"index":0}]},"finish_reason":null}]}"#,
        r#"[{"index":0,"delta":{"tool_calls":[{"index":0,"extra_content":{"google":{"thought_signature":"hanok:anthropic-messages:c"}}}]},"finish_reason":null}]}"#,
        r#"[{"index":0,"delta":{},"finish_reason":"stop","stop_reason":"END"}]}"#,
        "data: [DONE]",
    ];
    assert_eq!(encoded(options, &events), expect);
}

#[test]
fn errors() {
    let problem =
        Problem::new(ErrorKind::NotFound, "model_not_found", "no model `x`").param("model").hint("try `y`");
    let object = r#"{"error":{"message":"no model `x`","type":"invalid_request_error","param":"model","code":"model_not_found","hint":"try `y`"}}"#;
    let error = |id| String::from_utf8(wire(OPENAI).encode_error(&problem, id)).unwrap();
    assert_eq!(error(None), object);
    assert_eq!(error(Some("r1")), object.replace("}}", r#","request_id":"r1"}}"#));

    let mut out = Vec::new();
    wire(OPENAI).stream_encoder(StreamOptions::default()).error(&problem, &mut out);
    assert_eq!(String::from_utf8(out).unwrap(), format!("data: {object}\n\n"));
}

#[test]
fn models() {
    let model = ModelInfo { name: "gpt".into(), owned_by: None, created: 5, context_length: None };
    let list = wire(OPENAI).encode_models(&[("openai/gpt".to_owned(), model.clone())]);
    let expect =
        r#"{"object":"list","data":[{"id":"openai/gpt","object":"model","created":5,"owned_by":"unknown"}]}"#;
    assert_eq!(String::from_utf8(list).unwrap(), expect);

    let check = |body: &str, expect: Result<&[&str], &str>| {
        let got = wire(OPENAI).decode_models(body.as_bytes());
        let names =
            got.map(|models| models.iter().map(|model| model.name.as_str().to_owned()).collect::<Vec<_>>());
        match expect {
            Ok(expect) => assert_eq!(names.unwrap(), expect, "{body}"),
            Err(expect) => assert!(names.unwrap_err().to_string().contains(expect), "{body}"),
        }
    };
    check(expect, Ok(&["openai/gpt"]));
    check(r#"[{"id":"a","type":"chat","created":1.5},{"id":"b"}]"#, Ok(&["a", "b"]));
    check(r#"{"data":[]}"#, Ok(&[]));
    check("{}", Err("`data`: is missing"));
    check(r#"{"error":{"message":"no key"}}"#, Err("no key"));
    check(r#"{"data":[{"name":"a"}]}"#, Err("`data[0].id`: is required"));
}

#[test]
fn context_lengths_of_a_list() {
    let check = |dialect: Dialect, body: &str, expect: Option<u64>| {
        let models = wire(dialect).decode_models(body.as_bytes()).unwrap();
        assert_eq!(models.first().unwrap().context_length, expect, "{body}");
    };
    for name in ["context_length", "context_window", "max_model_len", "max_context_length"] {
        check(OPENAI, &format!(r#"{{"data":[{{"id":"a","{name}":32768}}]}}"#), Some(32_768));
    }
    check(OPENAI, r#"{"data":[{"id":"a","context_length":"long"}]}"#, None);
    check(OPENAI, r#"{"data":[{"id":"a"}]}"#, None);
    check(Dialect::Gemini, r#"{"models":[{"name":"models/g","inputTokenLimit":1048576}]}"#, Some(1_048_576));
    check(
        Dialect::AnthropicMessages,
        r#"{"data":[{"type":"model","id":"c","max_input_tokens":200000}]}"#,
        Some(200_000),
    );
    check(Dialect::Ollama, r#"{"models":[{"model":"q"}]}"#, None);
    assert_eq!(wire(Dialect::Ollama).path(Route::Raw("show"), "q", false).as_deref(), Some("show"));
}
