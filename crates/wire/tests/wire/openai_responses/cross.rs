//! Requests, and the way to and from other dialects.

use super::*;

fn encoded(request: &ChatRequest) -> (Value, Vec<String>) {
    let encoded = wire().encode_request(request, RequestOptions::default());
    (parsed(&encoded.body), encoded.lost.iter().map(ToString::to_string).collect())
}

/// Every member of a request survives decoding and encoding, known or not, in whatever depth.
#[test]
fn requests() {
    for (name, bytes) in all("requests", "json") {
        let request = wire().decode_request(&bytes).unwrap();
        let (after, lost) = encoded(&request);
        assert_eq!(parsed(&bytes), after, "{name}");
        assert_eq!(lost, [] as [String; 0], "{name}");
        insta::assert_debug_snapshot!(format!("openai_responses__request_{name}"), request.messages);
    }
}

/// The shorter forms are the same as the long ones.
#[test]
fn easy_forms() {
    let check = |input: Value, expect: Value| {
        let body = json!({ "model": "m", "input": &input }).to_string();
        let request = wire().decode_request(body.as_bytes()).unwrap();
        assert_eq!(encoded(&request).0, json!({ "model": "m", "input": expect }), "{body}");
    };
    let user = |text: &str| json!({ "type": "message", "role": "user", "content": [{ "type": "input_text", "text": text }] });
    check(json!("hi"), json!([user("hi")]));
    check(json!([{ "role": "user", "content": "hi" }]), json!([user("hi")]));
    check(json!([user("hi")]), json!([user("hi")]));
    check(
        json!([{ "role": "assistant", "content": "a" }, { "role": "user", "content": "b" }]),
        json!([{ "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "a" }] }, user("b")]),
    );
    check(
        json!([{ "type": "function_call_output", "call_id": "c", "output": [{ "type": "input_text", "text": "x" }] }]),
        json!([{ "type": "function_call_output", "call_id": "c", "output": "x" }]),
    );
    let said = |text: &str| json!({ "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": text }] });
    check(
        json!([{ "type": "output_text", "text": "a" }, { "role": "assistant", "content": "b" }]),
        json!([said("a"), said("b")]),
    );
    check(json!([{ "type": "input_text", "text": "a" }, user("b")]), json!([user("a"), user("b")]));
    let nothing = json!([{ "type": "message", "role": "assistant", "content": "" }]);
    check(json!([{ "role": "assistant" }]), nothing.clone());
    check(json!([{ "role": "assistant", "content": null }]), nothing.clone());
    check(json!([{ "role": "assistant", "content": [] }, user("b")]), json!([nothing[0], user("b")]));
}

/// Parts of a message that we do not know stay in it.
#[test]
fn unknown_parts_of_a_message() {
    let check = |content: Value| {
        let body = json!({ "model": "m", "input": [
            { "type": "message", "role": "assistant", "content": content },
            { "type": "web_search_call", "id": "ws_1" },
        ] });
        let request = wire().decode_request(body.to_string().as_bytes()).unwrap();
        assert_eq!(encoded(&request).0, body);
    };
    check(json!([{}]));
    check(json!([{ "type": "odd" }, { "type": "output_text", "text": "a" }, { "x": 1 }]));
    check(json!([{ "type": "output_odd" }, { "type": "reasoning", "text": "hm" }]));
    check(json!([{ "type": "message" }, { "type": 7 }]));
    check(json!([{ "type": "output_text", "text": "a" }, { "type": "odd_citation" }]));
    check(
        json!([{ "type": "output_text", "text": "a", "annotations": [{}, { "type": "odd" }, 7] }, { "x": 1 }]),
    );
}

/// Instructions alone are the input, which a request has to have; beside an input that is kept elsewhere they are
/// what they are.
#[test]
fn instructions_alone() {
    let system =
        json!({ "type": "message", "role": "system", "content": [{ "type": "input_text", "text": "s" }] });
    let check = |body: Value, expect: Value| {
        let request = wire().decode_request(body.to_string().as_bytes()).unwrap();
        let again = encoded(&request).0;
        assert_eq!(again, expect, "{body}");
        assert!(wire().decode_request(again.to_string().as_bytes()).is_ok(), "{body}");
    };
    check(
        json!({ "model": "m", "input": [{ "role": "system", "content": "s" }] }),
        json!({ "model": "m", "input": [system] }),
    );
    let kept = json!({ "model": "m", "instructions": "s", "previous_response_id": "resp_1" });
    check(kept.clone(), kept);
    let chat =
        chat().decode_request(br#"{"model":"m","messages":[{"role":"system","content":"s"}]}"#).unwrap();
    assert_eq!(encoded(&chat).0, json!({ "model": "m", "input": [system], "store": false }));
}

#[test]
fn requests_that_are_wrong() {
    let check = |body: &str, expect: &str| {
        let error = wire().decode_request(body.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expect), "{body}: {error}");
    };
    check("[]", "must be a JSON object");
    check(r#"{"input":"x"}"#, "`model`: is required");
    check(r#"{"model":"m"}"#, "`input`: is required");
    check(r#"{"model":"m","input":7}"#, "`input`: must be a string or an array");
    check(r#"{"model":"m","input":[7]}"#, "`input[0]`: must be an object");
    check(r#"{"model":"m","input":[{"role":"judge"}]}"#, "`input[0].role`: must be user");
    check(
        r#"{"model":"m","input":[{"role":"user","content":[{"type":"input_image"}]}]}"#,
        "`input[0].content[0].image_url`",
    );
    check(r#"{"model":"m","input":[{"type":"output_text","text":[]}]}"#, "`input[0].text`: must be a string");
    check(
        r#"{"model":"m","input":[{"type":"input_text","text":1}]}"#,
        "`input[0].content[0].text`: must be a string",
    );
    check(r#"{"model":"m","input":[{"type":"function_call_output"}]}"#, "`input[0].call_id`: is required");
    check(r#"{"model":"m","input":"x","tools":[{"type":"function"}]}"#, "`tools[0].name`: is required");
    check(r#"{"model":"m","input":"x","temperature":"hot"}"#, "`temperature`: must be a number");
    check(r#"{"model":"m","input":"x","reasoning":{"effort":1}}"#, "`reasoning.effort`: must be a string");
    assert!(wire().decode_request(br#"{"model":"m","previous_response_id":"resp_1"}"#).is_ok());
}

/// A chat's request for an upstream of this dialect.
#[test]
fn from_chat() {
    let body = json!({
        "model": "gpt-5",
        "messages": [
            { "role": "system", "content": "Be brief." },
            { "role": "developer", "content": "Korean." },
            { "role": "user", "content": [
                { "type": "text", "text": "Weather?" },
                { "type": "image_url", "image_url": { "url": "data:image/png;base64,AAAA", "detail": "low" } }
            ] },
            { "role": "assistant", "content": null, "tool_calls": [
                { "id": "call_1", "type": "function", "function": { "name": "f", "arguments": "{}" } },
                { "id": "call_2", "type": "function", "function": { "name": "f", "arguments": "{\"a\":1}" } }
            ] },
            { "role": "tool", "tool_call_id": "call_1", "content": "sunny" },
            { "role": "tool", "tool_call_id": "call_2", "content": "" },
            { "role": "assistant", "content": "Sunny." },
            { "role": "user", "content": "Thanks" }
        ],
        "tools": [{ "type": "function", "function": { "name": "f", "description": "d" } }],
        "tool_choice": { "type": "function", "function": { "name": "f" } },
        "response_format": { "type": "json_schema", "json_schema": { "name": "s", "schema": {}, "strict": true } },
        "max_completion_tokens": 99, "temperature": 0.5, "seed": 7, "stop": ["x"], "n": 2,
        "metadata": { "a": "b" }, "logit_bias": { "1": 2 }, "stream_options": { "include_usage": true }
    });
    let request = chat().decode_request(body.to_string().as_bytes()).unwrap();
    let (got, lost) = encoded(&request);
    let expect = json!({
        "model": "gpt-5",
        "instructions": "Be brief.",
        "input": [
            { "type": "message", "role": "developer", "content": [{ "type": "input_text", "text": "Korean." }] },
            { "type": "message", "role": "user", "content": [
                { "type": "input_text", "text": "Weather?" },
                { "type": "input_image", "detail": "low", "image_url": "data:image/png;base64,AAAA" }
            ] },
            { "type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}" },
            { "type": "function_call", "call_id": "call_2", "name": "f", "arguments": "{\"a\":1}" },
            { "type": "function_call_output", "call_id": "call_1", "output": "sunny" },
            { "type": "function_call_output", "call_id": "call_2", "output": "" },
            { "type": "message", "role": "assistant", "content": [{ "type": "output_text", "text": "Sunny." }] },
            { "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "Thanks" }] }
        ],
        "tools": [{
            "type": "function", "name": "f", "description": "d",
            "parameters": { "type": "object", "properties": {} }, "strict": false
        }],
        "tool_choice": { "type": "function", "name": "f" },
        "text": { "format": { "type": "json_schema", "name": "s", "schema": {}, "strict": true } },
        "temperature": 0.5, "max_output_tokens": 99, "metadata": { "a": "b" }, "store": false
    });
    assert_eq!(got, expect);
    let no = "left out: openai-responses has no such member";
    assert_eq!(
        lost,
        [format!("stop: {no}"), format!("seed: {no}"), format!("n: {no}"), format!("logit_bias: {no}")]
    );
}

/// What a typed request says that no chat body does.
#[test]
fn from_typed() {
    let mut request = ChatRequest::new("m".into(), vec![Message::text(Role::User, "x")]);
    request.dialect = Some(Dialect::AnthropicMessages);
    request.reasoning.budget_tokens = Some(5_000);
    request.user = Some("u".to_owned());
    request.cache_key = Some("k".to_owned());
    request.sampling.top_k = Some(4);
    request.output = OutputFormat::Opaque(json!({ "type": "odd" }));
    request.tool_choice = ToolChoice::Opaque(json!({ "type": "odd" }));
    let mut tool = ToolSpec {
        name: "f".to_owned(),
        description: None,
        parameters: None,
        strict: None,
        extra: Object::new(),
    };
    tool.extra.insert("cache_control".into(), json!({}));
    tool.extra.insert("eager".into(), json!(true));
    let mut unknown = tool.clone();
    unknown.name.clear();
    request.tools = vec![tool, unknown];
    request.messages.push(Message {
        role: Role::User,
        parts: vec![
            Part::ToolResult(ToolResult {
                call_id: "c".to_owned(),
                parts: vec![Part::Text("boom".to_owned()), Part::CacheBreak(json!({}))],
                is_error: true,
            }),
            Part::Media(Media {
                mime: Some("application/pdf".to_owned()),
                filename: None,
                source: MediaSource::Base64("JVBERi0=".to_owned()),
                extra: Object::new(),
            }),
            Part::Opaque { dialect: Dialect::AnthropicMessages, value: json!({ "type": "odd" }) },
            Part::CacheBreak(json!({})),
        ],
        extra: Object::new(),
    });
    let (got, lost) = encoded(&request);
    assert_eq!(got["reasoning"], json!({ "effort": "medium" }));
    assert_eq!(got["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!((&got["user"], &got["prompt_cache_key"]), (&json!("u"), &json!("k")));
    assert_eq!(
        got["input"].as_array().unwrap()[1..],
        [
            json!({ "type": "function_call_output", "call_id": "c", "output": [{ "type": "input_text", "text": "boom" }] }),
            json!({ "type": "message", "role": "user", "content": [{
                "type": "input_file", "filename": "file.pdf", "file_data": "data:application/pdf;base64,JVBERi0="
            }] })
        ]
    );
    assert_eq!(
        lost,
        [
            "messages[1].content[0].is_error: left out: openai-responses tells a failure by the output's text only",
            "messages[1].content[2]: left out: openai-responses has no such part",
            "tools[0].eager: left out: openai-responses has no such member",
            "tools[1]: left out: openai-responses has no such tool",
            "tool_choice: left out: openai-responses has no such choice",
            "response_format: left out: openai-responses has no such form",
            "top_k: left out: openai-responses has no such member",
        ]
    );
}

/// A client of this dialect over a chat upstream.
#[test]
fn to_chat() {
    let body = json!({
        "model": "m", "instructions": "Be brief.",
        "input": [
            { "role": "user", "content": [{ "type": "input_text", "text": "Weather?" }, { "type": "input_image", "image_url": "https://e.org/a.png" }] },
            { "type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA" },
            { "type": "function_call", "id": "fc_1", "call_id": "call_1", "name": "f", "arguments": "{}" },
            { "type": "function_call", "id": "fc_2", "call_id": "call_2", "name": "f", "arguments": "{}" },
            { "type": "function_call_output", "call_id": "call_1", "output": "sunny" },
            { "type": "function_call_output", "call_id": "call_2", "output": "rain" },
            { "role": "user", "content": "And?" }
        ],
        "tools": [{ "type": "function", "name": "f", "parameters": { "type": "object" }, "strict": true }],
        "tool_choice": "required", "max_output_tokens": 9,
        "text": { "format": { "type": "json_schema", "name": "s", "schema": {} } }
    });
    let mut request = wire().decode_request(body.to_string().as_bytes()).unwrap();
    // What is for the chat dialect to leave out is not tested here.
    request.extra.clear();
    for part in request.messages.iter_mut().flat_map(|message| &mut message.parts) {
        if let Part::ToolCall(call) = part {
            call.extra.clear();
        }
    }
    let got = parsed(&chat().encode_request(&request, RequestOptions::default()).body);
    let messages = got["messages"].as_array().unwrap();
    let roles: Vec<&str> = messages.iter().map(|message| message["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "user", "assistant", "tool", "tool", "user"]);
    assert_eq!(messages[1]["content"][1]["image_url"]["url"], "https://e.org/a.png");
    let ids: Vec<&Value> =
        messages[2]["tool_calls"].as_array().unwrap().iter().map(|call| &call["id"]).collect();
    assert_eq!(ids, ["call_1", "call_2"]);
    assert_eq!(messages[4]["tool_call_id"], "call_2");
    assert_eq!(got["tools"][0]["function"]["strict"], true);
    assert_eq!(
        (&got["tool_choice"], &got["response_format"]["json_schema"]["name"]),
        (&json!("required"), &json!("s"))
    );
}

/// An upstream's chat answers, whole and streamed, as a client of this dialect gets them.
#[test]
fn answers_of_chat() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/openai-chat");
    let check = |name: &str, expect: &[&str]| {
        let whole = std::fs::read(folder.join(format!("{name}.json"))).unwrap();
        let whole = chat().decode_response(&whole).unwrap();
        let request = r#"{"model":"m","input":"x"}"#;
        let got = parsed(&wire().encode_response(&whole, request.as_bytes()));
        let kinds: Vec<&str> =
            got["output"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
        assert_eq!(kinds, expect, "{name}");
        assert!(got["id"].as_str().unwrap().starts_with("resp_"), "{name}");
        let mut decoder = chat().stream_decoder();
        let mut stream = Vec::new();
        decoder.feed(&std::fs::read(folder.join(format!("{name}.sse"))).unwrap(), &mut stream).unwrap();
        let events = events(&encode(&stream, request));
        let streamed = &events.last().unwrap()["response"];
        assert_eq!(streamed["output"], got["output"], "{name}");
        assert_eq!(streamed["usage"], got["usage"], "{name}");
    };
    check("openai-text", &["message"]);
    check("openai-tools", &["function_call", "function_call"]);
    check("openai-refusal", &["message"]);
    check("openai-citations", &["message"]);
    check("deepseek-reasoning", &["reasoning", "message"]);
}

/// Our own citations keep their quotes, and count from the text they are in.
#[test]
fn citations_with_quotes() {
    let quote = Quote { source: "a.md".to_owned(), start: 3, end: 8, text: "서울".to_owned(), pages: None };
    let cited = Citation {
        start_index: 4,
        end_index: 6,
        url: "u".to_owned(),
        title: "t".to_owned(),
        quote: Some(quote),
        extra: Object::new(),
    };
    let parts = vec![
        Part::Text("한국: ".to_owned()),
        Part::Text("서울.".to_owned()),
        Part::Citation(cited.clone()),
        Part::Opaque { dialect: Dialect::OpenAiChat, value: json!({ "type": "file_citation" }) },
    ];
    let said = response(parts.clone(), FinishReason::Stop);
    let got = parsed(&wire().encode_response(&said, b""));
    let content = &got["output"][0]["content"];
    assert_eq!(content[0]["annotations"], json!([]));
    assert_eq!(
        content[1]["annotations"],
        json!([{
            "type": "url_citation", "start_index": 0, "end_index": 2, "url": "u", "title": "t",
            "source": "a.md", "start": 3, "end": 8, "quote": "서울"
        }])
    );
    let again = wire().decode_response(got.to_string().as_bytes()).unwrap();
    assert_eq!(again.choices[0].message.parts, parts[..3]);
    // An upstream that checks what it is sent is not shown them.
    let mut request = ChatRequest::new("m".into(), vec![again.choices[0].message.clone()]);
    request.dialect = Some(Dialect::OpenAiResponses);
    assert_eq!(encoded(&request).0["input"][0]["content"][1]["annotations"][0].get("quote"), None);
}

/// A client of this dialect over another provider gives back, on the next turn, what that provider signed; and
/// so does a client of another dialect over a provider of this one.
#[test]
fn signatures_come_home() {
    let of = |of: Dialect, value: &str| Some(Signature { of, value: value.to_owned() });
    let anthropic = |value: &str| of(Dialect::AnthropicMessages, value);
    let parts = vec![
        Part::Reasoning(Reasoning {
            text: "hm".to_owned(),
            signature: anthropic("s1=="),
            ..Reasoning::default()
        }),
        Part::Reasoning(Reasoning { signature: anthropic("s2"), ..Reasoning::default() }),
        Part::Reasoning(Reasoning { signature: anthropic("s3"), redacted: true, ..Reasoning::default() }),
        Part::Text("t".to_owned()),
        Part::ToolCall(ToolCall { signature: of(Dialect::Gemini, "s:4"), ..call("c:1", "{}") }),
        Part::ToolCall(call("c2", "{\"a\":1}")),
    ];
    let said = response(parts.clone(), FinishReason::ToolCalls);
    let mut answers = vec![parsed(&wire().encode_response(&said, b""))["output"].clone()];
    let mut stream = vec![start()];
    for (part, value) in parts.iter().enumerate() {
        stream.extend([begin(part, value.clone()), end(part)]);
    }
    stream.push(finish(FinishReason::ToolCalls));
    answers.push(events(&encode(&stream, "")).last().unwrap()["response"]["output"].clone());
    for output in answers {
        let mut input = output.as_array().unwrap().clone();
        // Some clients send no ids back.
        for item in &mut input {
            item.as_object_mut().unwrap().shift_remove("id");
        }
        input.push(json!({ "type": "function_call_output", "call_id": "c2", "output": "x" }));
        let body = json!({ "model": "m", "input": input }).to_string();
        let request = wire().decode_request(body.as_bytes()).unwrap();
        let mut back = request.messages[0].parts.clone();
        for part in &mut back {
            match part {
                Part::Reasoning(reasoning) => reasoning.extra.clear(),
                Part::ToolCall(call) => call.extra.clear(),
                _ => {}
            }
        }
        assert_eq!(back, parts);
        // What goes to whatever upstream keeps them all; and is known to hold them, so that an upstream that
        // cannot read them is shown none.
        let sent = kept::for_upstream(&Bytes::from(body));
        assert_eq!(parsed(&sent)["input"], Value::from(input));
        assert!(hanok_wire::holds_foreign_signature(&sent));
        let request = wire().decode_request(&sent).unwrap();
        let kinds: Vec<Value> = encoded(&request).0["input"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["type"].clone())
            .collect();
        assert_eq!(kinds, ["message", "function_call", "function_call", "function_call_output"]);
    }

    // The other way: all that a client of another dialect keeps is texts and signatures.
    for name in ["reasoning", "reasoning-hidden-tools"] {
        let answer = wire().decode_response(&fixture(&format!("{name}.json"))).unwrap();
        let mut message = answer.choices[0].message.clone();
        for part in &mut message.parts {
            if let Part::Reasoning(reasoning) = part {
                reasoning.extra.clear();
            }
        }
        let mut request = ChatRequest::new("m".into(), vec![message]);
        request.dialect = Some(Dialect::AnthropicMessages);
        let sent = &encoded(&request).0["input"][0];
        assert_eq!(sent, &parsed(&fixture(&format!("{name}.json")))["output"][0], "{name}");
    }
}

#[test]
fn ids() {
    let check = |id: &str, expect: &str| assert_eq!(kept::response_id(id), expect);
    check("resp_1", "resp_1");
    check("chatcmpl-a/b", "resp_chatcmpl-a_b");
    assert!(kept::response_id("").len() > 20);
    // A call without an id gets one, by which its answer comes back.
    let said = response(vec![Part::ToolCall(call("", "{}"))], FinishReason::ToolCalls);
    let got = parsed(&wire().encode_response(&said, b""));
    let item = &got["output"][0];
    assert_eq!((&item["call_id"], &item["id"]), (&json!("call_chatcmpl-1_0"), &json!("fc_chatcmpl-1_0")));
}
