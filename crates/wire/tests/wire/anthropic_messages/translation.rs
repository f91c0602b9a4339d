//! The way to and from other dialects.

use super::{all, collect, decode, encode, openai, wire};
use hanok_base::{
    ChatRequest, Dialect, FinishReason, Media, MediaSource, Message, Object, OutputFormat, Part, Reasoning,
    Role, Sampling, Signature, ToolCall, ToolChoice, ToolResult, ToolSpec,
};
use hanok_wire::RequestOptions;
use serde_json::{Value, json};

/// The request as an upstream gets it, and what was lost.
fn upstream(request: &ChatRequest) -> (Value, Vec<String>) {
    let encoded = wire().encode_request(request, RequestOptions::default());
    let lost = encoded.lost.iter().map(ToString::to_string).collect();
    (serde_json::from_slice(&encoded.body).unwrap(), lost)
}

fn of_openai(body: &Value) -> (Value, Vec<String>) {
    upstream(&openai().decode_request(body.to_string().as_bytes()).unwrap())
}

#[test]
fn an_agent_of_openai() {
    let png = "iVBORw0KGgoAAAANSUhEUg==";
    let (body, lost) = of_openai(&json!({
        "model": "claude-sonnet-4-5",
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": [
                { "type": "text", "text": "What is it?" },
                { "type": "image_url", "image_url": { "url": format!("data:image/png;base64,{png}") } },
                { "type": "image_url", "image_url": { "url": "https://example.org/a.png", "detail": "low" } },
            ] },
            { "role": "assistant", "content": null, "tool_calls": [
                { "id": "call_a", "type": "function", "function": { "name": "look", "arguments": "{\"at\":1}" } },
                { "id": "call.b", "type": "function", "function": { "name": "look", "arguments": "" } },
            ] },
            { "role": "tool", "tool_call_id": "call_a", "content": "a cat" },
            { "role": "tool", "tool_call_id": "call.b", "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "dog" }] },
            { "role": "user", "content": "Sure?" },
            { "role": "user", "content": "Really?" },
            { "role": "developer", "content": "Doubt it." },
        ],
        "tools": [{ "type": "function", "function": { "name": "look", "description": "Looks", "parameters": { "properties": {} }, "strict": true } }],
        "tool_choice": "required",
        "stop": ["END"],
        "temperature": 0.5,
    }));
    assert_eq!(
        body,
        json!({
            "model": "claude-sonnet-4-5",
            "max_tokens": 4096,
            "temperature": 0.5,
            "system": [{ "type": "text", "text": "Be brief." }, { "type": "text", "text": "Doubt it." }],
            "messages": [
                { "role": "user", "content": [
                    { "type": "text", "text": "What is it?" },
                    { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": png } },
                    { "type": "image", "source": { "type": "url", "url": "https://example.org/a.png" } },
                ] },
                { "role": "assistant", "content": [
                    { "type": "tool_use", "id": "call_a", "name": "look", "input": { "at": 1 } },
                    { "type": "tool_use", "id": "call_b", "name": "look", "input": {} },
                ] },
                { "role": "user", "content": [
                    { "type": "tool_result", "tool_use_id": "call_a", "content": "a cat" },
                    { "type": "tool_result", "tool_use_id": "call_b", "content": [
                        { "type": "text", "text": "a" }, { "type": "text", "text": "dog" }] },
                    { "type": "text", "text": "Sure?" },
                    { "type": "text", "text": "Really?" },
                ] },
            ],
            "tool_choice": { "type": "any" },
            "tools": [{ "name": "look", "description": "Looks", "strict": true,
                "input_schema": { "type": "object", "properties": {} } }],
            "stop_sequences": ["END"],
        })
    );
    assert_eq!(lost, ["messages[7]: moved to the system prompt: the model takes it nowhere else"]);
}

#[test]
fn structured_output() {
    let schema = json!({ "type": "object", "properties": { "a": { "type": "object", "properties": {} } } });
    let format = json!({ "type": "json_schema", "json_schema": { "name": "n", "schema": schema } });
    let messages = json!([{ "role": "user", "content": "a" }]);
    let (body, lost) = of_openai(&json!({ "model": "m", "messages": messages, "response_format": format }));
    let closed = json!({ "type": "object", "additionalProperties": false,
        "properties": { "a": { "type": "object", "properties": {}, "additionalProperties": false } } });
    assert_eq!(body["output_config"], json!({ "format": { "type": "json_schema", "schema": closed } }));
    assert_eq!(lost, [""; 0]);
    let format = json!({ "type": "json_object" });
    let (body, lost) = of_openai(&json!({ "model": "m", "messages": messages, "response_format": format }));
    assert_eq!(body.get("output_config"), None);
    assert_eq!(lost, ["response_format: left out: anthropic-messages wants a schema for JSON"]);

    let body = json!({ "model": "m", "max_tokens": 9, "messages": messages,
        "output_format": { "type": "json_schema", "schema": schema } });
    let request = wire().decode_request(body.to_string().as_bytes()).unwrap();
    let OutputFormat::JsonSchema { schema: Some(got), strict: Some(true), name, .. } = &request.output else {
        panic!("{:?}", request.output)
    };
    assert_eq!((got, name.is_empty()), (&schema, false));
}

fn asking(model: &str) -> ChatRequest {
    ChatRequest::new(model.into(), vec![Message::text(Role::User, "a")])
}

/// What becomes of limits, sampling and thinking.
fn limits(model: &str, change: &dyn Fn(&mut ChatRequest), expect: &Value, lost: &[&str]) {
    let mut request = asking(model);
    change(&mut request);
    let (body, noted) = upstream(&request);
    let names = ["max_tokens", "thinking", "output_config", "temperature", "top_p", "top_k"];
    let got: Object =
        names.iter().filter_map(|name| Some(((*name).to_owned(), body.get(*name)?.clone()))).collect();
    assert_eq!(&Value::Object(got), expect, "{model}");
    let noted: Vec<&str> = noted.iter().map(|note| note.split(':').next().unwrap()).collect();
    assert_eq!(noted, lost, "{model}");
}

const OLD: &str = "claude-sonnet-4-5-20250929";
const MID: &str = "claude-opus-4-6";
const NEW: &str = "claude-opus-4-7";

fn enabled(budget: u64) -> Value {
    json!({ "type": "enabled", "budget_tokens": budget })
}

fn adaptive() -> Value {
    json!({ "type": "adaptive", "display": "summarized" })
}

/// An effort of a client, and what is sent.
#[test]
fn efforts() {
    let check = |model: &str, effort: Option<&str>, expect: Value, lost: &[&str]| {
        let change = |request: &mut ChatRequest| request.reasoning.effort = effort.map(str::to_owned);
        limits(model, &change, &expect, lost);
    };
    let with = |effort: &str| json!({ "max_tokens": 4096, "thinking": adaptive(), "output_config": { "effort": effort } });
    check(OLD, None, json!({ "max_tokens": 4096 }), &[]);
    check(OLD, Some("medium"), json!({ "max_tokens": 12_288, "thinking": enabled(8_192) }), &[]);
    check("kimi-k2", Some("low"), json!({ "max_tokens": 5_120, "thinking": enabled(1_024) }), &[]);
    check(MID, Some("xhigh"), with("high"), &["reasoning.effort"]);
    check(MID, Some("max"), with("max"), &[]);
    check(NEW, Some("xhigh"), with("xhigh"), &[]);
    check(NEW, Some("minimal"), with("low"), &[]);
    check(NEW, Some("odd"), json!({ "max_tokens": 4096, "thinking": adaptive() }), &["reasoning.effort"]);
    check(NEW, Some("none"), json!({ "max_tokens": 4096, "thinking": { "type": "disabled" } }), &[]);
}

/// A budget of a client, and what is sent.
#[test]
fn budgets() {
    let check = |model: &str, budget: u64, limit: Option<u64>, expect: Value, lost: &[&str]| {
        let change = |request: &mut ChatRequest| {
            request.reasoning.budget_tokens = Some(budget);
            request.sampling.max_tokens = limit;
        };
        limits(model, &change, &expect, lost);
    };
    let budget = ["reasoning.budget_tokens"];
    check(MID, 2_000, None, json!({ "max_tokens": 6_096, "thinking": enabled(2_000) }), &[]);
    let medium =
        json!({ "max_tokens": 4096, "thinking": adaptive(), "output_config": { "effort": "medium" } });
    check(NEW, 2_000, None, medium, &budget);
    check(OLD, 5_000, Some(4_000), json!({ "max_tokens": 4_000, "thinking": enabled(2_000) }), &budget);
    check(OLD, 100, Some(4_000), json!({ "max_tokens": 4_000, "thinking": enabled(1_024) }), &budget);
    check(OLD, 5_000, Some(500), json!({ "max_tokens": 500 }), &["reasoning"]);
    check(OLD, 0, Some(500), json!({ "max_tokens": 500, "thinking": { "type": "disabled" } }), &[]);
}

#[test]
fn sampling_as_each_generation_takes_it() {
    let check = |model: &str, thinks: bool, sampling: [Option<f64>; 2], expect: Value, lost: &[&str]| {
        let [temperature, top_p] = sampling;
        let change = |request: &mut ChatRequest| {
            let top_k = thinks.then_some(4);
            let max_tokens = Some(9_000);
            request.sampling = Sampling { temperature, top_p, top_k, max_tokens, ..Sampling::default() };
            request.reasoning.enabled = thinks.then_some(true);
            request.reasoning.effort = thinks.then(|| "low".to_owned());
        };
        let mut expect = expect;
        expect["max_tokens"] = 9_000.into();
        limits(model, &change, &expect, lost);
    };
    let thinking = json!({ "thinking": enabled(1_024) });
    check(OLD, true, [Some(0.2), Some(0.5)], thinking, &["temperature", "top_p", "top_k"]);
    let fits = json!({ "thinking": enabled(1_024), "top_p": 0.96 });
    check(OLD, true, [None, Some(0.96)], fits, &["top_k"]);
    check(OLD, false, [Some(1.7), None], json!({ "temperature": 1.0 }), &["temperature"]);
    check(OLD, false, [Some(0.2), Some(0.9)], json!({ "temperature": 0.2 }), &["top_p"]);
    check(OLD, false, [Some(0.2), Some(1.0)], json!({ "temperature": 0.2 }), &[]);
    let both = json!({ "temperature": 0.2, "top_p": 0.9 });
    check("claude-3-7-sonnet-20250219", false, [Some(0.2), Some(0.9)], both, &[]);
    check(NEW, false, [Some(0.2), Some(0.9)], json!({}), &["temperature", "top_p"]);
}

/// Where upstreams refuse to think.
#[test]
fn thinking_and_tools() {
    let low = |max_tokens: u64, thinking: Value| json!({ "max_tokens": max_tokens, "thinking": thinking });
    let mut adapts = low(4_096, adaptive());
    adapts["output_config"] = json!({ "effort": "low" });
    let forced = |request: &mut ChatRequest| {
        request.reasoning.effort = Some("low".into());
        request.tools = vec![spec("f")];
        request.tool_choice = ToolChoice::Required;
    };
    limits(NEW, &forced, &json!({ "max_tokens": 4096 }), &["reasoning"]);
    // A call whose thoughts the client could not keep: with a budget the upstream would refuse.
    let going_on = |request: &mut ChatRequest| {
        request.reasoning.effort = Some("low".into());
        request.messages.extend([assistant(vec![called("x", "{}")]), answered("x", "1")]);
    };
    limits(OLD, &going_on, &json!({ "max_tokens": 4096 }), &["reasoning"]);
    limits(NEW, &going_on, &adapts, &[]);
    let kept = |request: &mut ChatRequest| {
        going_on(request);
        request.messages[1].parts.insert(0, thought(Dialect::AnthropicMessages));
    };
    limits(OLD, &kept, &low(5_120, enabled(1_024)), &[]);
    // The next turn is another one.
    let asked_on = |request: &mut ChatRequest| {
        going_on(request);
        request.messages.push(Message::text(Role::User, "and?"));
    };
    limits(OLD, &asked_on, &low(5_120, enabled(1_024)), &[]);
}

fn spec(name: &str) -> ToolSpec {
    ToolSpec { name: name.into(), description: None, parameters: None, strict: None, extra: Object::new() }
}

fn assistant(parts: Vec<Part>) -> Message {
    Message { role: Role::Assistant, parts, extra: Object::new() }
}

fn called(id: &str, arguments: &str) -> Part {
    Part::ToolCall(ToolCall {
        id: id.into(),
        name: "f".into(),
        arguments: arguments.into(),
        ..ToolCall::default()
    })
}

fn answered(id: &str, text: &str) -> Message {
    let result = ToolResult { call_id: id.into(), parts: vec![Part::Text(text.into())], is_error: false };
    Message { role: Role::Tool, parts: vec![Part::ToolResult(result)], extra: Object::new() }
}

fn thought(of: Dialect) -> Part {
    let signature = Some(Signature { of, value: "c2ln".into() });
    Part::Reasoning(Reasoning { text: "hm".into(), signature, ..Reasoning::default() })
}

#[test]
fn what_gets_lost_is_said() {
    let mut request = asking("m");
    request.dialect = Some(Dialect::OpenAiChat);
    request.sampling = Sampling {
        frequency_penalty: Some(0.5),
        presence_penalty: Some(0.0),
        seed: Some(1),
        n: Some(2),
        stop: vec![" ".into(), "x".into()],
        ..Sampling::default()
    };
    request.tool_choice = ToolChoice::Required;
    request.tools = vec![ToolSpec { extra: Object::from_iter([("type".into(), "odd".into())]), ..spec("") }];
    request.user = Some("u".into());
    request.cache_key = Some("k".into());
    request.extra = Object::from_iter([
        ("stream_options".to_owned(), json!({})),
        ("logit_bias".to_owned(), json!({ "1": 2 })),
        ("store".to_owned(), Value::Null),
    ]);
    request.messages[0].extra.insert("name".into(), "kim".into());
    let audio = Media {
        mime: Some("audio/wav".into()),
        filename: None,
        source: MediaSource::Base64("aa".into()),
        extra: Object::new(),
    };
    request.messages[0].parts.extend([
        Part::Media(audio),
        Part::Opaque { dialect: Dialect::Gemini, value: json!({}) },
        thought(Dialect::Gemini),
    ]);
    request.messages.push(assistant(vec![called("", "{oops"), called("", "[1]")]));
    request.messages.push(answered("", "1"));
    request.messages.push(answered("", "2"));
    let (body, lost) = upstream(&request);
    let mut lost: Vec<&str> = lost.iter().map(|note| note.split(": ").next().unwrap()).collect();
    lost.sort_unstable();
    assert_eq!(
        lost,
        [
            "frequency_penalty",
            "logit_bias",
            "messages[0].content[1]",
            "messages[0].content[2]",
            "messages[0].name",
            "messages[1].content[0]",
            "messages[1].content[1]",
            "n",
            "seed",
            "stop",
            "tool_choice",
            "tools[0]",
        ]
    );
    let [first, second] = ["call_messages_1__content_0_", "call_messages_1__content_1_"];
    assert_eq!(
        body,
        json!({
            "model": "m",
            "max_tokens": 4096,
            "messages": [
                { "role": "user", "content": "a" },
                { "role": "assistant", "content": [
                    { "type": "tool_use", "id": first, "name": "f", "input": { "arguments": "{oops" } },
                    { "type": "tool_use", "id": second, "name": "f", "input": { "arguments": [1] } },
                ] },
                { "role": "user", "content": [
                    { "type": "tool_result", "tool_use_id": first, "content": "1" },
                    { "type": "tool_result", "tool_use_id": second, "content": "2" },
                ] },
            ],
            "stop_sequences": ["x"],
            "metadata": { "user_id": "u" },
        })
    );
}

#[test]
fn turns_of_other_dialects() {
    let check = |messages: Vec<Message>, system: Value, expect: Value| {
        let (body, _) = upstream(&ChatRequest::new("m".into(), messages));
        assert_eq!((&body["system"], &body["messages"]), (&system, &expect));
    };
    let user = |text: &str| Message::text(Role::User, text);
    // Nothing but instructions.
    check(
        vec![Message::text(Role::System, "Do it.")],
        Value::Null,
        json!([{ "role": "user", "content": "Do it." }]),
    );
    // Messages without a word are no turns.
    check(
        vec![user("a"), assistant(vec![Part::Text(" ".into())]), user("b")],
        Value::Null,
        json!([{ "role": "user", "content": [{ "type": "text", "text": "a" }, { "type": "text", "text": "b" }] }]),
    );
    // Thoughts go back to whom they came from, to the byte, and to nobody else.
    check(
        vec![
            Message::text(Role::System, "s"),
            user("a"),
            assistant(vec![
                thought(Dialect::AnthropicMessages),
                Part::Reasoning(Reasoning {
                    redacted: true,
                    signature: Some(Signature { of: Dialect::AnthropicMessages, value: "ZGF0YQ==".into() }),
                    ..Reasoning::default()
                }),
                thought(Dialect::OpenAiResponses),
                Part::Reasoning(Reasoning { text: "unsigned".into(), ..Reasoning::default() }),
                Part::Refusal("No.".into()),
                Part::CacheBreak(json!({ "type": "ephemeral", "ttl": "1h" })),
            ]),
        ],
        json!("s"),
        json!([
            { "role": "user", "content": "a" },
            { "role": "assistant", "content": [
                { "type": "thinking", "thinking": "hm", "signature": "c2ln" },
                { "type": "redacted_thinking", "data": "ZGF0YQ==" },
                { "type": "text", "text": "No.", "cache_control": { "type": "ephemeral", "ttl": "1h" } },
            ] },
        ]),
    );
    // Images in what a tool answered.
    let image = Media {
        mime: Some("image/png".into()),
        filename: None,
        source: MediaSource::Base64("aa".into()),
        extra: Object::from_iter([("detail".to_owned(), "low".into())]),
    };
    let result = ToolResult { call_id: "x".into(), parts: vec![Part::Media(image)], is_error: true };
    check(
        vec![
            assistant(vec![called("x", "{}")]),
            Message { role: Role::Tool, parts: vec![Part::ToolResult(result)], extra: Object::new() },
        ],
        Value::Null,
        json!([
            { "role": "assistant", "content": [{ "type": "tool_use", "id": "x", "name": "f", "input": {} }] },
            { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "x", "is_error": true, "content": [
                { "type": "image", "source": { "type": "base64", "media_type": "image/png", "data": "aa" } }] }] },
        ]),
    );
}

/// Instructions between turns stay there where the model takes them.
#[test]
fn later_instructions() {
    let check = |model: &str, roles: &[Role], system: Value, expect: &[&str], lost: usize| {
        let messages = roles.iter().map(|role| Message::text(*role, role.as_str())).collect();
        let (body, noted) = upstream(&ChatRequest::new(model.into(), messages));
        let turns = body["messages"].as_array().unwrap().iter();
        let turns: Vec<&str> = turns.map(|turn| turn["role"].as_str().unwrap()).collect();
        assert_eq!((&body["system"], turns.as_slice(), noted.len()), (&system, expect, lost), "{roles:?}");
    };
    let (s, u, a) = (Role::System, Role::User, Role::Assistant);
    let both = json!([{ "type": "text", "text": "system" }, { "type": "text", "text": "system" }]);
    check("claude-opus-4-8", &[s, u, s], json!("system"), &["user", "system"], 0);
    check(
        "claude-opus-4-8",
        &[s, u, s, s, a, u],
        json!("system"),
        &["user", "system", "assistant", "user"],
        0,
    );
    check("claude-opus-4-8", &[s, u, a, s, u], both.clone(), &["user", "assistant", "user"], 1);
    check("claude-opus-4-8", &[s, u, s, u], both.clone(), &["user"], 1);
    check("claude-opus-4-7", &[s, u, s], both, &["user"], 1);
}

/// A client that gives an answer back as it got it, over a provider of another dialect: the provider gets its
/// signatures back as it made them, those of calls included.
#[test]
fn foreign_signatures_find_home() {
    let signature = |value: &str| Some(Signature { of: Dialect::Gemini, value: value.into() });
    let mut call =
        ToolCall { id: "x".into(), name: "f".into(), arguments: "{}".into(), ..ToolCall::default() };
    call.signature = signature("Q2Fs/bA=");
    let hidden = Reasoning { redacted: true, signature: signature("aGlk"), ..Reasoning::default() };
    let parts = vec![
        thought(Dialect::Gemini),
        Part::Reasoning(hidden),
        Part::Text("I look.".into()),
        Part::ToolCall(call),
        called("y", "{}"),
    ];
    let mut events = Vec::new();
    let start = hanok_base::StreamEvent::Start {
        id: "r".into(),
        model: "gemini".into(),
        created: 0,
        dialect: Some(Dialect::Gemini),
        extra: Object::new(),
    };
    events.push(start);
    for (part, value) in parts.iter().cloned().enumerate() {
        events.push(hanok_base::StreamEvent::PartStart { choice: 0, part, value });
        events.push(hanok_base::StreamEvent::PartEnd { choice: 0, part });
    }
    events.push(hanok_base::StreamEvent::Finish { choice: 0, reason: FinishReason::ToolCalls });
    let whole = wire().encode_response(&collect(events.clone()).unwrap(), b"");
    // What a client puts together of a stream is what the whole answer says.
    let streamed = collect(decode([encode(wire(), &events).as_slice()]).events).unwrap();
    let streamed = wire().encode_response(&streamed, b"");
    for answer in [whole, streamed] {
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        let kinds: Vec<&Value> =
            answer["content"].as_array().unwrap().iter().map(|block| &block["type"]).collect();
        assert_eq!(
            kinds,
            ["thinking", "redacted_thinking", "text", "redacted_thinking", "tool_use", "tool_use"]
        );
        let next = json!({ "model": "m", "max_tokens": 9, "messages": [
            { "role": "user", "content": "a" },
            { "role": "assistant", "content": answer["content"] },
            { "role": "user", "content": [{ "type": "tool_result", "tool_use_id": "x", "content": "1" }] },
        ] });
        let request = wire().decode_request(next.to_string().as_bytes()).unwrap();
        assert_eq!(request.messages[1].parts, parts);
        // Another provider gets none of them.
        let (body, _) = upstream(&request);
        let kinds: Vec<&Value> =
            body["messages"][1]["content"].as_array().unwrap().iter().map(|block| &block["type"]).collect();
        assert_eq!(kinds, ["text", "tool_use", "tool_use"]);
    }
}

/// The answers of one dialect, streamed and whole, as a client of the other reads them.
#[test]
fn answers_across() {
    for name in ["text", "tools", "parallel-tools", "thinking", "structured", "stop-sequence"] {
        let file = |kind| all("", kind).into_iter().find(|(of, _)| of == name).unwrap().1;
        let events = decode([file("sse").as_slice()]).events;
        let mut decoder = openai().stream_decoder();
        let mut translated = Vec::new();
        decoder.feed(&encode(openai(), &events), &mut translated).unwrap();
        decoder.finish().unwrap();
        let streamed = collect(translated).unwrap();
        let ours = wire().decode_response(&file("json")).unwrap();
        let whole = openai().decode_response(&openai().encode_response(&ours, b"")).unwrap();
        for theirs in [streamed, whole] {
            let (ours, theirs) = (&ours.choices[0], &theirs.choices[0]);
            assert_eq!(theirs.message.plain_text(), ours.message.plain_text(), "{name}");
            let calls = |parts: &[Part]| -> Vec<(String, String, String)> {
                let calls = parts.iter().filter_map(|part| match part {
                    Part::ToolCall(call) => {
                        Some((call.id.clone(), call.name.clone(), call.arguments.clone()))
                    }
                    _ => None,
                });
                calls.collect()
            };
            assert_eq!(calls(&theirs.message.parts), calls(&ours.message.parts), "{name}");
            assert_eq!(theirs.finish.as_str(), ours.finish.as_str(), "{name}");
        }
    }
}

/// A conversation of this dialect's client as the other dialect's upstream gets it.
#[test]
fn a_client_over_openai() {
    let body = json!({
        "model": "m", "max_tokens": 99, "system": [{ "type": "text", "text": "s", "cache_control": { "type": "ephemeral" } }],
        "messages": [
            { "role": "user", "content": [{ "type": "text", "text": "a" }] },
            { "role": "assistant", "content": [
                { "type": "text", "text": "b" },
                { "type": "tool_use", "id": "x", "name": "f", "input": { "k": 1 } },
                { "type": "tool_use", "id": "y", "name": "g", "input": {} },
            ] },
            { "role": "user", "content": [
                { "type": "tool_result", "tool_use_id": "x", "content": "1" },
                { "type": "tool_result", "tool_use_id": "y", "content": [{ "type": "text", "text": "2" }] },
                { "type": "text", "text": "and?" },
            ] },
        ],
        "tools": [{ "name": "f", "input_schema": { "type": "object" } }],
        "tool_choice": { "type": "any" },
        "stop_sequences": ["END"],
    });
    let request = wire().decode_request(body.to_string().as_bytes()).unwrap();
    let encoded = openai().encode_request(&request, RequestOptions::default());
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    let messages = body["messages"].as_array().unwrap();
    let roles: Vec<&Value> = messages.iter().map(|message| &message["role"]).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "tool", "user"]);
    assert_eq!(messages[2]["tool_calls"][0]["function"]["arguments"], "{\"k\":1}");
    assert_eq!((&messages[3]["tool_call_id"], &messages[4]["tool_call_id"]), (&json!("x"), &json!("y")));
    assert_eq!(body["tools"][0]["function"]["parameters"], json!({ "type": "object" }));
    assert_eq!((&body["tool_choice"], &body["stop"]), (&json!("required"), &json!(["END"])));
}

/// A request of nothing but instructions would have no turn, which upstreams refuse.
#[test]
fn instructions_alone() {
    let check = |system: Value, expect: Value, lost: &[&str]| {
        let mut body = json!({ "model": "m", "max_tokens": 9 });
        body.as_object_mut().unwrap().extend(system.as_object().unwrap().clone());
        let (again, said) = upstream(&wire().decode_request(body.to_string().as_bytes()).unwrap());
        body.as_object_mut().unwrap().extend(expect.as_object().unwrap().clone());
        assert_eq!(again, body);
        assert_eq!(said, lost);
        assert!(wire().decode_request(again.to_string().as_bytes()).is_ok());
    };
    let note = ["messages: the instructions became the user's turn: anthropic-messages wants one"];
    check(
        json!({ "messages": [{ "role": "system", "content": [] }] }),
        json!({ "messages": [{ "role": "user", "content": [] }] }),
        &note,
    );
    check(
        json!({ "messages": [{ "role": "system", "content": "s", "x": 1 }] }),
        json!({ "messages": [{ "role": "user", "content": "s", "x": 1 }] }),
        &note,
    );
    let both = json!({ "system": "s", "messages": [{ "role": "system", "content": "t" }] });
    check(both.clone(), both, &[]);
}
