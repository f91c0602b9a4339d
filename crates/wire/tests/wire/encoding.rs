//! What clients of openai-chat get, to the byte.

use crate::{OPENAI, wire};
use hanok_base::{
    ChatRequest, Citation, Delta, Dialect, ErrorKind, FinishReason, Media, MediaSource, Message, ModelInfo,
    Object, OutputFormat, Part, Problem, Reasoning, ReasoningOptions, Role, Signature, StreamEvent, ToolCall,
    ToolChoice, ToolResult, ToolSpec, Usage,
};
use hanok_wire::{RequestOptions, StreamOptions};
use serde_json::{Value, json};

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

/// Other dialects answer several tools in one message, with a text beside; this one cannot.
#[test]
fn tool_results() {
    let check = |parts: Vec<Part>, expect: Value| {
        let request =
            ChatRequest::new("m".into(), vec![Message { role: Role::User, parts, extra: Object::new() }]);
        let bytes = wire(OPENAI).encode_request(&request, RequestOptions::default()).body;
        assert_eq!(serde_json::from_slice::<Value>(&bytes).unwrap()["messages"], expect);
    };
    let text = |text: &str| Part::Text(text.to_owned());
    let result = |id: &str, parts: Vec<Part>| {
        Part::ToolResult(ToolResult { call_id: id.to_owned(), parts, is_error: false })
    };
    check(
        vec![result("a", vec![text("1")]), result("b", vec![text("2"), text("3")]), text("and?")],
        json!([
            { "role": "tool", "tool_call_id": "a", "content": "1" },
            { "role": "tool", "tool_call_id": "b",
              "content": [{ "type": "text", "text": "2" }, { "type": "text", "text": "3" }] },
            { "role": "user", "content": "and?" },
        ]),
    );
    check(vec![result("a", Vec::new())], json!([{ "role": "tool", "tool_call_id": "a", "content": "" }]));
    check(Vec::new(), json!([{ "role": "user", "content": "" }]));
}

/// What another dialect's request says, and what of it cannot be said.
#[test]
fn foreign_requests() {
    let check = |change: &dyn Fn(&mut ChatRequest), expect: Value, lost: &[&str]| {
        let mut request = ChatRequest::new("m".into(), vec![Message::text(Role::User, "Hi")]);
        request.dialect = Some(Dialect::AnthropicMessages);
        change(&mut request);
        let encoded = wire(OPENAI).encode_request(&request, RequestOptions::default());
        let mut body: Value = serde_json::from_slice(&encoded.body).unwrap();
        let same = json!([{ "role": "user", "content": "Hi" }]);
        let body = body.as_object_mut().unwrap();
        body.shift_remove("model");
        if body["messages"] == same {
            body.shift_remove("messages");
        }
        assert_eq!(Value::Object(body.clone()), expect);
        let said: Vec<String> = encoded.lost.iter().map(ToString::to_string).collect();
        assert_eq!(said, lost, "{expect}");
    };
    let none: &[&str] = &[];
    check(&|_| {}, json!({}), none);
    check(
        &|request| {
            request.sampling.top_k = Some(5);
            request.extra.insert("container".into(), "c".into());
            request.extra.insert("stream_options".into(), json!({}));
            request.user = Some("u".into());
            request.cache_key = Some("k".into());
        },
        json!({ "user": "u" }),
        &[
            "container: left out: openai-chat has no such member",
            "top_k: left out: openai-chat has no such member",
        ],
    );
    let thinking = |enabled, budget_tokens, effort: Option<&str>| {
        let effort = effort.map(str::to_owned);
        move |request: &mut ChatRequest| {
            request.reasoning =
                ReasoningOptions { enabled, budget_tokens, effort: effort.clone(), summary: None };
        }
    };
    check(&thinking(Some(true), Some(4_000), None), json!({ "reasoning_effort": "medium" }), none);
    check(&thinking(Some(true), Some(4_000), Some("high")), json!({ "reasoning_effort": "high" }), none);
    check(&thinking(Some(true), None, None), json!({ "reasoning_effort": "medium" }), none);
    let off = "reasoning: left out: openai-chat cannot turn thinking off for every model";
    check(&thinking(Some(false), None, None), json!({}), &[off]);
    check(&thinking(None, Some(0), None), json!({}), &[off]);
    check(&thinking(None, None, Some("none")), json!({ "reasoning_effort": "none" }), none);
    check(
        &|request| {
            let tool = |name: &str, kind: &str| ToolSpec {
                name: name.to_owned(),
                description: None,
                parameters: None,
                strict: None,
                extra: Object::from_iter([("type".to_owned(), kind.into())]),
            };
            request.tools = vec![tool("", "web_search_20250305"), tool("look", "custom")];
            request.tool_choice = ToolChoice::Opaque(json!({ "type": "odd" }));
            request.parallel_tool_calls = Some(false);
            request.output = OutputFormat::Opaque(json!({ "type": "odd" }));
        },
        json!({
            "parallel_tool_calls": false,
            "tools": [{ "type": "function", "function": { "name": "look" } }],
        }),
        &[
            "tools[0]: left out: openai-chat has no tools of type web_search_20250305",
            "tool_choice: left out: openai-chat has no such choice",
            "response_format: left out: openai-chat has no such format",
        ],
    );
    check(
        &|request| {
            request.output = OutputFormat::JsonSchema {
                name: String::new(),
                schema: Some(json!({})),
                strict: None,
                extra: Object::from_iter([
                    ("description".to_owned(), "D".into()),
                    ("x".to_owned(), 1.into()),
                ]),
            };
        },
        json!({ "response_format": {
            "type": "json_schema", "json_schema": { "name": "answer", "schema": {}, "description": "D" },
        } }),
        none,
    );
}

/// The parts of another dialect's messages.
#[test]
fn foreign_parts() {
    let check = |role: Role, parts: Vec<Part>, expect: Value, lost: &[&str]| {
        let message = Message { role, parts, extra: Object::from_iter([("id".to_owned(), "i".into())]) };
        let mut request = ChatRequest::new("m".into(), vec![message]);
        request.dialect = Some(Dialect::AnthropicMessages);
        let encoded = wire(OPENAI).encode_request(&request, RequestOptions::default());
        assert_eq!(serde_json::from_slice::<Value>(&encoded.body).unwrap()["messages"], expect);
        let said: Vec<String> = encoded.lost.iter().map(ToString::to_string).collect();
        assert_eq!(said, lost, "{expect}");
    };
    let none: &[&str] = &[];
    let text = |text: &str| Part::Text(text.to_owned());
    let media = |mime: Option<&str>, filename: Option<&str>, source: MediaSource| {
        let [mime, filename] = [mime, filename].map(|text| text.map(str::to_owned));
        Part::Media(Media { mime, filename, source, extra: Object::from_iter([("x".to_owned(), 1.into())]) })
    };
    let png = || media(Some("image/png"), Some("cat"), MediaSource::Base64("AA==".into()));
    let image = json!({ "type": "image_url", "image_url": { "url": "data:image/png;base64,AA==" } });
    let signed = |of: Dialect, value: &str| {
        let signature = Some(Signature { of, value: value.to_owned() });
        Part::Reasoning(Reasoning { text: "Hm".into(), signature, ..Reasoning::default() })
    };

    check(
        Role::User,
        vec![text("a"), Part::CacheBreak(json!({ "type": "ephemeral" }))],
        json!([{ "role": "user", "content": "a" }]),
        none,
    );
    check(
        Role::User,
        vec![
            png(),
            media(Some("application/pdf"), None, MediaSource::Base64("AA==".into())),
            media(Some("application/pdf"), Some("a.pdf"), MediaSource::Url("https://a.example/a".into())),
            media(None, None, MediaSource::Url("https://a.example/b".into())),
            media(Some("audio/mpeg"), None, MediaSource::Base64("AA==".into())),
            media(None, None, MediaSource::FileId("f".into())),
        ],
        json!([{ "role": "user", "content": [
            image,
            { "type": "file", "file": { "file_data": "data:application/pdf;base64,AA==", "filename": "file" } },
            { "type": "file", "file": { "file_data": "https://a.example/a", "filename": "a.pdf" } },
            { "type": "image_url", "image_url": { "url": "https://a.example/b" } },
            { "type": "input_audio", "input_audio": { "data": "AA==", "format": "mp3" } },
            { "type": "file", "file": { "file_id": "f" } },
        ] }]),
        none,
    );
    check(
        Role::Assistant,
        vec![
            signed(Dialect::AnthropicMessages, "a"),
            text("b"),
            png(),
            Part::Opaque { dialect: Dialect::AnthropicMessages, value: json!({ "type": "odd" }) },
        ],
        json!([{ "role": "assistant", "content": "b" }]),
        &[
            "messages[0].content[0]: left out: the thoughts are signed for another provider",
            "messages[0].content[2]: left out: openai-chat has no media in what the model said",
            "messages[0].content[3]: left out: only anthropic-messages has such a part",
        ],
    );
    check(
        Role::Assistant,
        vec![signed(OPENAI, r#"{"type":"reasoning.text","signature":"s","index":0}"#), text("b")],
        json!([{ "role": "assistant", "content": "b", "reasoning_details": [
            { "type": "reasoning.text", "text": "Hm", "signature": "s", "index": 0 },
        ] }]),
        none,
    );
    for unsigned in
        [signed(OPENAI, ""), Part::Reasoning(Reasoning { text: "Hm".into(), ..Reasoning::default() })]
    {
        let expect = json!([{ "role": "assistant", "content": "b", "reasoning_content": "Hm" }]);
        check(Role::Assistant, vec![unsigned, text("b")], expect, none);
    }
    let call = |of: Dialect| {
        let signature = Some(Signature { of, value: "s".into() });
        Part::ToolCall(ToolCall { id: "i".into(), name: "n".into(), signature, ..ToolCall::default() })
    };
    let bare = json!({ "id": "i", "type": "function", "function": { "name": "n", "arguments": "" } });
    let mut own = bare.clone();
    own["extra_content"] = json!({ "google": { "thought_signature": "s" } });
    check(
        Role::Assistant,
        vec![call(OPENAI), call(Dialect::Gemini)],
        json!([{ "role": "assistant", "content": null, "tool_calls": [own, bare] }]),
        none,
    );
    let result = |id: &str, parts: Vec<Part>, is_error: bool| {
        Part::ToolResult(ToolResult { call_id: id.to_owned(), parts, is_error })
    };
    check(
        Role::User,
        vec![result("a", vec![png()], false), result("b", vec![text("1"), png()], true), text("and?")],
        json!([
            { "role": "tool", "tool_call_id": "a", "content": "(in the message behind)" },
            { "role": "tool", "tool_call_id": "b", "content": "1" },
            { "role": "user", "content": [
                { "type": "text", "text": "Returned by the tool call a:" }, image,
                { "type": "text", "text": "Returned by the tool call b:" }, image,
            ] },
            { "role": "user", "content": "and?" },
        ]),
        &[
            "messages[0].content[0]: the media are moved to a user's message behind: tools answer with text in openai-chat",
            "messages[0].content[1]: the mark as an error is left out: openai-chat has none",
            "messages[0].content[1]: the media are moved to a user's message behind: tools answer with text in openai-chat",
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
    let model = ModelInfo { name: "gpt".into(), owned_by: None, created: 5 };
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
