//! Between this dialect and `openai-chat`.

use super::{decode, encode, fixture, whole, wire};
use crate::streams::collect;
use hanok_base::{
    ChatRequest, Dialect, FinishReason, Media, MediaSource, Message, Object, Part, Reasoning,
    ReasoningOptions, Role, Signature, StreamEvent, ToolCall, ToolResult,
};
use hanok_wire::{Codec, RequestOptions, StreamOptions, codec};
use serde_json::{Value, json};

fn openai() -> &'static dyn Codec {
    codec(Dialect::OpenAiChat)
}

fn from_openai(body: &Value, model: &str) -> (Value, Vec<String>) {
    let mut request = openai().decode_request(body.to_string().as_bytes()).unwrap();
    request.model = model.into();
    let encoded = wire().encode_request(&request, RequestOptions::default());
    let lost = encoded.lost.iter().map(ToString::to_string).collect();
    (serde_json::from_slice(&encoded.body).unwrap(), lost)
}

#[test]
fn a_request_of_openai() {
    let schema =
        json!({ "type": "object", "properties": { "city": { "type": "string" } }, "required": ["city"] });
    let body = json!({
        "model": "x",
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "user", "content": [
                { "type": "text", "text": "What is it?" },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,iVBO" } },
                { "type": "image_url", "image_url": { "url": "https://x.org/a.JPG?b=c" } } ] },
            { "role": "assistant", "content": null, "tool_calls": [
                { "id": "call_1", "type": "function", "function": { "name": "w", "arguments": "{\"city\": \"서울\"}" } },
                { "id": "call_2", "type": "function", "function": { "name": "n", "arguments": "" } } ] },
            { "role": "tool", "tool_call_id": "call_1", "content": "{\"t\": 3}" },
            { "role": "tool", "tool_call_id": "call_2", "content": "noon" },
            { "role": "user", "content": "And?" },
        ],
        "tools": [{ "type": "function", "function": { "name": "w", "description": "W", "parameters": schema } }],
        "tool_choice": { "type": "function", "function": { "name": "w" } },
        "response_format": { "type": "json_schema", "json_schema": { "name": "s", "description": "D", "schema": { "type": "object" } } },
        "temperature": 0.5, "top_p": 0.9, "max_completion_tokens": 7, "stop": "END", "seed": 3, "n": 2,
        "logit_bias": { "1": 2 }, "stream": true, "stream_options": { "include_usage": true },
    });
    let (got, lost) = from_openai(&body, "gemini-2.5-flash");
    assert_eq!(
        got,
        json!({
            "systemInstruction": { "parts": [{ "text": "Be brief." }] },
            "contents": [
                { "role": "user", "parts": [
                    { "text": "What is it?" },
                    { "inlineData": { "mimeType": "image/png", "data": "iVBO" } },
                    { "fileData": { "mimeType": "image/jpeg", "fileUri": "https://x.org/a.JPG?b=c" } } ] },
                { "role": "model", "parts": [
                    { "functionCall": { "id": "call_1", "name": "w", "args": { "city": "서울" } } },
                    { "functionCall": { "id": "call_2", "name": "n", "args": {} } } ] },
                { "role": "user", "parts": [
                    { "functionResponse": { "id": "call_1", "name": "w", "response": { "t": 3 } } },
                    { "functionResponse": { "id": "call_2", "name": "n", "response": { "output": "noon" } } } ] },
                { "role": "user", "parts": [{ "text": "And?" }] },
            ],
            "tools": [{ "functionDeclarations": [{ "name": "w", "description": "W", "parametersJsonSchema": schema }] }],
            "toolConfig": { "functionCallingConfig": { "mode": "ANY", "allowedFunctionNames": ["w"] } },
            "generationConfig": {
                "temperature": 0.5, "topP": 0.9, "candidateCount": 2, "maxOutputTokens": 7,
                "stopSequences": ["END"], "seed": 3, "responseMimeType": "application/json",
                "responseJsonSchema": { "type": "object", "description": "D" },
            },
        })
    );
    assert_eq!(lost, ["logit_bias: left out: gemini has no such member"]);
    // Gemini 3 refuses the first of calls made together where it is not signed.
    let (got, _) = from_openai(&body, "gemini-3-pro-preview");
    let parts = &got["contents"][1]["parts"];
    assert_eq!(parts[0]["thoughtSignature"], "skip_thought_signature_validator");
    assert_eq!(parts[1]["thoughtSignature"], Value::Null);
}

#[test]
fn what_gemini_cannot_be_told() {
    let mut request = ChatRequest::new(
        "gemini-2.5-pro".into(),
        vec![
            Message::text(Role::User, "Hi"),
            Message::text(Role::Developer, "Be kind."),
            Message {
                role: Role::Assistant,
                parts: vec![
                    Part::Reasoning(Reasoning { text: "not Gemini's".into(), ..Reasoning::default() }),
                    Part::ToolCall(ToolCall {
                        id: "1".into(),
                        name: "f".into(),
                        arguments: "[1".into(),
                        ..ToolCall::default()
                    }),
                    Part::Opaque { dialect: Dialect::AnthropicMessages, value: json!({}) },
                ],
                extra: Object::new(),
            },
        ],
    );
    request.dialect = Some(Dialect::AnthropicMessages);
    request.parallel_tool_calls = Some(false);
    request.reasoning =
        ReasoningOptions { enabled: Some(true), budget_tokens: Some(50_000), ..ReasoningOptions::default() };
    let encoded = wire().encode_request(&request, RequestOptions::default());
    let params: Vec<&str> = encoded.lost.iter().map(|lost| lost.param.as_str()).collect();
    assert_eq!(
        params,
        [
            "messages[1]",
            "messages[2].content[1]",
            "messages[2].content[2]",
            "reasoning",
            "parallel_tool_calls"
        ]
    );
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(body["systemInstruction"]["parts"][0]["text"], "Be kind.");
    assert_eq!(
        body["contents"][1]["parts"],
        json!([{ "functionCall": { "id": "1", "name": "f", "args": { "arguments": "[1" } } }])
    );
    assert_eq!(
        body["generationConfig"]["thinkingConfig"],
        json!({ "thinkingBudget": 32_768, "includeThoughts": true })
    );

    // Nothing but instructions is nothing to answer to.
    let alone = ChatRequest::new("g".into(), vec![Message::text(Role::System, "S")]);
    let encoded = wire().encode_request(&alone, RequestOptions::default());
    let body: Value = serde_json::from_slice(&encoded.body).unwrap();
    assert_eq!(body, json!({ "contents": [{ "parts": [{ "text": "S" }], "role": "user" }] }));
    assert_eq!(encoded.lost.len(), 1);
}

/// A tool that answers with an image.
#[test]
fn media_of_tools() {
    let check = |model: &str, expect: Value| {
        let image = Media {
            mime: Some("image/png".into()),
            filename: None,
            source: MediaSource::Base64("iVBO".into()),
            extra: Object::new(),
        };
        let call = ToolCall { id: "1".into(), name: "look".into(), ..ToolCall::default() };
        let parts = vec![Part::Text("a cat".into()), Part::Media(image)];
        let result = ToolResult { call_id: "1".into(), parts, is_error: true };
        let turn = |role, part| Message { role, parts: vec![part], extra: Object::new() };
        let messages =
            vec![turn(Role::Assistant, Part::ToolCall(call)), turn(Role::User, Part::ToolResult(result))];
        let request = ChatRequest::new(model.into(), messages);
        let body = wire().encode_request(&request, RequestOptions::default()).body;
        let body: Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(body["contents"][1]["parts"], expect, "{model}");
    };
    let image = json!({ "inlineData": { "mimeType": "image/png", "data": "iVBO" } });
    let answer = json!({ "id": "1", "name": "look", "response": { "error": "a cat" } });
    check("gemini-2.5-pro", json!([{ "functionResponse": answer }, image]));
    let mut within = answer;
    within["parts"] = json!([image]);
    check("gemini-3-pro", json!([{ "functionResponse": within }]));
}

#[test]
fn a_request_for_openai() {
    let request = wire().decode_request(&fixture("requests/everything.json")).unwrap();
    assert_eq!(
        request.extra.keys().collect::<Vec<_>>(),
        ["safetySettings", "cachedContent", "labels", "serviceTier", "toolConfig", "generationConfig"]
    );
    let body = openai().encode_request(&request, RequestOptions::default()).body;
    let got: Value = serde_json::from_slice(&body).unwrap();
    let messages = got["messages"].as_array().unwrap();
    let calls = messages.iter().find_map(|message| message.get("tool_calls")).unwrap();
    assert_eq!(calls[0]["id"], "hanok_3_0");
    assert_eq!(calls[1]["function"], json!({ "name": "g", "arguments": "{}" }));
    assert_eq!(calls[2]["id"], "x9");
    let answers: Vec<(&str, &str)> = messages
        .iter()
        .filter(|message| message["role"] == "tool")
        .map(|message| (message["tool_call_id"].as_str().unwrap(), message["content"].as_str().unwrap()))
        .collect();
    assert_eq!(
        answers,
        [
            ("hanok_3_1", "text"),
            ("hanok_3_0", r#"{"error":"no"}"#),
            ("x9", r#"{"ok":true}"#),
            ("h", r#"{"a":1}"#),
        ]
    );
    let schema =
        json!({ "type": "object", "properties": { "a": { "type": ["number", "null"] } }, "required": ["a"] });
    assert_eq!(request.tools[0].parameters, Some(schema));
}

#[test]
fn answers_of_openai() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/wire/openai-chat/");
    let read = |name: &str| std::fs::read(format!("{folder}{name}")).unwrap();
    for name in [
        "openai-text",
        "openai-tools",
        "openai-refusal",
        "openai-citations",
        "deepseek-reasoning",
        "vllm-tools",
    ] {
        let response = openai().decode_response(&read(&format!("{name}.json"))).unwrap();
        let ours = wire().decode_response(&wire().encode_response(&response, b"")).unwrap();
        let text = |response: &hanok_base::ChatResponse| {
            let parts = &response.choices[0].message.parts;
            let said = parts.iter().filter_map(|part| match part {
                Part::Text(text) | Part::Refusal(text) => Some(text.as_str()),
                _ => None,
            });
            said.collect::<String>()
        };
        let rest = |response: &hanok_base::ChatResponse| {
            let parts = response.choices[0].message.parts.iter();
            parts
                .filter_map(|part| match part {
                    Part::ToolCall(call) => Some(format!(
                        "{} {} {}",
                        call.id,
                        call.name,
                        serde_json::from_str::<Value>(&call.arguments).unwrap()
                    )),
                    Part::Citation(citation) => Some(format!(
                        "{}..{} {} {:?}",
                        citation.start_index, citation.end_index, citation.url, citation.quote
                    )),
                    Part::Reasoning(thought) => Some(thought.text.clone()),
                    _ => None,
                })
                .collect::<Vec<String>>()
        };
        assert_eq!(text(&ours), text(&response), "{name}");
        assert_eq!(rest(&ours), rest(&response), "{name}");
        let (input, output) = (ours.usage.input, ours.usage.output);
        assert_eq!((input, output), (response.usage.input, response.usage.output), "{name}");
        let refused = response.choices[0].message.parts.iter().any(|part| matches!(part, Part::Refusal(_)));
        let expect = if refused { &FinishReason::ContentFilter } else { &response.choices[0].finish };
        assert_eq!(ours.choices[0].finish, *expect, "{name}");

        let mut decoder = openai().stream_decoder();
        let mut events = Vec::new();
        decoder.feed(&read(&format!("{name}.sse")), &mut events).unwrap();
        let (again, end) = decode([encode(&events).as_slice()]);
        assert_eq!(end, Ok(()), "{name}");
        let streamed = collect(again).unwrap();
        assert_eq!((text(&streamed), rest(&streamed)), (text(&response), rest(&response)), "{name}");
        assert_eq!(streamed.choices[0].finish, *expect, "{name}");
        assert_eq!(streamed.usage, ours.usage, "{name}");
    }
}

#[test]
fn answers_for_openai() {
    let to_openai = |events: &[StreamEvent]| {
        let mut encoder =
            openai().stream_encoder(StreamOptions { include_usage: true, ..StreamOptions::default() });
        let mut out = Vec::new();
        for event in events {
            encoder.encode(event, &mut out);
        }
        encoder.finish(&mut out);
        let mut decoder = openai().stream_decoder();
        let mut events = Vec::new();
        decoder.feed(&out, &mut events).unwrap();
        collect(events).unwrap()
    };
    for name in
        ["text", "tools", "parallel-tools", "thinking", "structured", "refusal", "blocked", "citations"]
    {
        let response = whole(name);
        let theirs = to_openai(&decode([fixture(&format!("{name}.sse")).as_slice()]).0);
        let (ours, theirs) = (&response.choices[0], &theirs.choices[0]);
        assert_eq!(theirs.message.plain_text(), ours.message.plain_text(), "{name}");
        assert_eq!(theirs.finish, ours.finish, "{name}");
        let calls = |parts: &[Part]| -> Vec<(String, String, String)> {
            parts
                .iter()
                .filter_map(|part| match part {
                    Part::ToolCall(call) => {
                        Some((call.id.clone(), call.name.clone(), call.arguments.clone()))
                    }
                    _ => None,
                })
                .collect()
        };
        assert_eq!(calls(&theirs.message.parts), calls(&ours.message.parts), "{name}");
    }
}

/// A client of another dialect gives back what Gemini sent, part by part, and Gemini gets it where it was.
#[test]
fn signatures_go_home() {
    for name in ["tools", "parallel-tools", "thinking"] {
        let response = whole(name);
        let mut parts = response.choices[0].message.parts.clone();
        let answers: Vec<Part> = parts
            .iter()
            .filter_map(|part| match part {
                Part::ToolCall(call) => Some(Part::ToolResult(ToolResult {
                    call_id: call.id.clone(),
                    parts: vec![Part::Text("ok".into())],
                    is_error: false,
                })),
                _ => None,
            })
            .collect();
        // Clients do not keep members that they do not know.
        for part in &mut parts {
            if let Part::ToolCall(call) = part {
                call.extra.clear();
            }
        }
        let turn = |role, parts| Message { role, parts, extra: Object::new() };
        let mut messages = vec![Message::text(Role::User, "q"), turn(Role::Assistant, parts)];
        messages.extend(answers.into_iter().map(|answer| turn(Role::Tool, vec![answer])));
        let mut request = ChatRequest::new("gemini-3-pro-preview".into(), messages);
        request.dialect = Some(Dialect::AnthropicMessages);
        let encoded = wire().encode_request(&request, RequestOptions::default());
        let body: Value = serde_json::from_slice(&encoded.body).unwrap();
        let sent: Value = serde_json::from_slice(&fixture(&format!("{name}.json"))).unwrap();
        let sent = sent["candidates"][0]["content"]["parts"].as_array().unwrap().iter();
        // Thoughts that are not signed are of no use to Gemini.
        let expect: Vec<&Value> = sent.filter(|part| part.get("thought").is_none()).collect();
        assert_eq!(
            body["contents"][1]["parts"].as_array().unwrap().iter().collect::<Vec<_>>(),
            expect,
            "{name}"
        );
        if name == "parallel-tools" {
            let names: Vec<&Value> = body["contents"][2]["parts"]
                .as_array()
                .unwrap()
                .iter()
                .map(|part| &part["functionResponse"])
                .collect();
            let answer = |name: &str| json!({ "name": name, "response": { "output": "ok" } });
            assert_eq!(names, [&answer("get_weather"), &answer("get_weather"), &answer("now")]);
        }
    }
    // What is signed for another provider is not for Gemini.
    let signature = Some(Signature { of: Dialect::AnthropicMessages, value: "x".into() });
    let foreign = Message {
        role: Role::Assistant,
        parts: vec![
            Part::Reasoning(Reasoning {
                text: "t".into(),
                signature: signature.clone(),
                ..Reasoning::default()
            }),
            Part::ToolCall(ToolCall { id: "i".into(), name: "f".into(), signature, ..ToolCall::default() }),
        ],
        extra: Object::new(),
    };
    let request = ChatRequest::new("gemini-2.5-pro".into(), vec![Message::text(Role::User, "q"), foreign]);
    let body = String::from_utf8(wire().encode_request(&request, RequestOptions::default()).body).unwrap();
    assert!(!body.contains("thought"), "{body}");
}

/// Answers of tools come back as they came, whatever their calls tell of themselves.
#[test]
fn answers_of_tools_keep_what_they_say() {
    let contents = |call: Value, answer: Value| {
        json!({ "contents": [
            { "role": "model", "parts": [{ "functionCall": call }] },
            { "role": "user", "parts": [{ "text": "So:" }, { "functionResponse": answer }] },
        ] })
    };
    let check = |call: Value, answer: Value| {
        let body = contents(call, answer);
        let request = wire().decode_request(body.to_string().as_bytes()).unwrap();
        let again = wire().encode_request(&request, RequestOptions::default()).body;
        assert_eq!(serde_json::from_slice::<Value>(&again).unwrap(), body);
    };
    let nameless = || json!({ "id": "x9", "name": "", "args": {} });
    check(nameless(), json!({ "id": "x9", "name": "f" }));
    check(json!({ "id": "x9", "name": "f", "args": {} }), json!({ "id": "x9", "name": "g" }));
    let call = || json!({ "name": "f", "args": {} });
    for key in ["output", "result", "error", "other"] {
        for text in ["12 degrees", "", "[1]", "{\"a\":1}", "{\"output\":\"x\"}", "{\"error\":\"x\"}"] {
            check(call(), json!({ "name": "f", "response": { key: text } }));
        }
        check(call(), json!({ "name": "f", "response": { key: 7 } }));
        check(call(), json!({ "name": "f", "response": { key: "x", "more": 1 } }));
    }
    // Without a name, the answer's own is still told.
    let body = r#"{"contents":[{"parts":[{"functionCall":{"id":"x9"}}]},{"parts":[{"functionResponse":{"id":"x9","name":"f"}}]}]}"#;
    let request = wire().decode_request(body.as_bytes()).unwrap();
    let again = wire().encode_request(&request, RequestOptions::default()).body;
    let again: Value = serde_json::from_slice(&again).unwrap();
    assert_eq!(again["contents"][1]["parts"][0]["functionResponse"], json!({ "id": "x9", "name": "f" }));
}

/// Other dialects tell what a tool answers as a text, so that a lone text is that text.
#[test]
fn a_lone_text_is_a_text() {
    let check = |response: Value, expect: &str| {
        let body = json!({ "contents": [
            { "role": "model", "parts": [{ "functionCall": { "id": "c", "name": "f" } }] },
            { "role": "user", "parts": [{ "functionResponse": { "id": "c", "name": "f", "response": response } }] },
        ] });
        let request = wire().decode_request(body.to_string().as_bytes()).unwrap();
        for other in [Dialect::OpenAiChat, Dialect::Ollama] {
            let body = hanok_wire::codec(other).encode_request(&request, RequestOptions::default()).body;
            let body: Value = serde_json::from_slice(&body).unwrap();
            let told = body["messages"].as_array().unwrap().last().unwrap();
            assert_eq!(told["content"], expect, "{other:?}");
        }
    };
    check(json!({ "result": "12 degrees" }), "12 degrees");
    check(json!({ "output": "{\"a\":1}" }), "{\"a\":1}");
    check(json!({ "output": 12 }), "{\"output\":12}");
    check(json!({ "text": "x" }), "{\"text\":\"x\"}");
    check(json!({ "output": "x", "more": 1 }), "{\"output\":\"x\",\"more\":1}");
}
