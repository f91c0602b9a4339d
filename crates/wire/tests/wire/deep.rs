//! JSON that is nested deeply, from one dialect into the others.

use crate::streams::{collect, decode, encode};
use crate::wire;
use hanok_base::{ChatResponse, Dialect, Part};
use hanok_wire::{RequestOptions, WireError};
use serde_json::{Value, json};

/// An object of so many levels.
fn nested(levels: usize) -> Value {
    (1..levels).fold(json!({}), |inside, _| json!({ "a": inside }))
}

/// An answer that calls a tool with these arguments, as a provider of each dialect says it.
fn answers(arguments: &Value) -> [(Dialect, Value); 5] {
    let text = arguments.to_string();
    [
        (
            Dialect::OpenAiChat,
            json!({ "id": "i", "model": "m", "choices": [{ "index": 0, "finish_reason": "tool_calls", "message":
                { "role": "assistant", "tool_calls": [{ "id": "c", "type": "function",
                    "function": { "name": "f", "arguments": text } }] } }] }),
        ),
        (
            Dialect::OpenAiResponses,
            json!({ "id": "resp_i", "object": "response", "model": "m", "status": "completed",
                "output": [{ "type": "function_call", "call_id": "c", "name": "f", "arguments": text }] }),
        ),
        (
            Dialect::AnthropicMessages,
            json!({ "id": "i", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
                "content": [{ "type": "tool_use", "id": "c", "name": "f", "input": arguments }] }),
        ),
        (
            Dialect::Gemini,
            json!({ "responseId": "i", "modelVersion": "m", "candidates": [{ "index": 0, "finishReason": "STOP",
                "content": { "role": "model", "parts": [{ "functionCall": { "name": "f", "args": arguments } }] } }] }),
        ),
        (
            Dialect::Ollama,
            json!({ "model": "m", "done": true, "done_reason": "stop", "message":
                { "role": "assistant", "content": "",
                    "tool_calls": [{ "function": { "name": "f", "arguments": arguments } }] } }),
        ),
    ]
}

/// The arguments of the one call, and whether they are wrapped as what is no JSON.
fn called(answer: &ChatResponse) -> &str {
    let parts = answer.choices.iter().flat_map(|choice| &choice.message.parts);
    let mut calls = parts.filter_map(|part| match part {
        Part::ToolCall(call) => Some(call.arguments.as_str()),
        _ => None,
    });
    let (Some(arguments), None) = (calls.next(), calls.next()) else { panic!("{answer:?}") };
    arguments
}

/// Every client can read the call, streamed and whole, and give it back; up to the limit as JSON, beyond it as a
/// text that loses nothing.
#[test]
fn arguments_of_calls() {
    for levels in [1, 20, 64, 65, 110, 120] {
        let arguments = nested(levels);
        for (from, answer) in answers(&arguments) {
            let answer = wire(from).decode_response(answer.to_string().as_bytes()).unwrap();
            assert_eq!(called(&answer), arguments.to_string(), "{levels} over {}", from.as_str());
            for to in Dialect::ALL.into_iter().filter(|to| *to != from && *to != Dialect::OllamaGenerate) {
                let place = format!("{levels} levels from {} to {}", from.as_str(), to.as_str());
                let body = wire(to).encode_response(&answer, b"");
                let whole =
                    wire(to).decode_response(&body).unwrap_or_else(|error| panic!("{place}: {error}"));
                let said: Value = serde_json::from_str(called(&whole)).unwrap();
                let text = said.get("arguments").and_then(Value::as_str);
                assert_eq!(text.is_some(), wraps(to) && levels > 64, "{place}: {said}");
                assert_eq!(text.unwrap_or(called(&whole)), arguments.to_string(), "{place}");

                let events = streamed(&answer);
                let decoded = decode(to, [encode(to, &events).as_slice()]);
                assert_eq!(decoded.end, Ok(()), "{place}");
                let streamed = collect(decoded.events).unwrap();
                let pieces: Value = serde_json::from_str(called(&streamed)).unwrap();
                let text = pieces.get("arguments").and_then(Value::as_str);
                assert_eq!(text.unwrap_or(called(&streamed)), arguments.to_string(), "{place}, streamed");
            }
        }
    }
}

/// Whether calls of this dialect bear an object that no text can stand for. Ollama's reader takes its own wrapping
/// off again.
fn wraps(dialect: Dialect) -> bool {
    matches!(dialect, Dialect::AnthropicMessages | Dialect::Gemini)
}

/// The events that a chat provider's stream of the same answer gives.
fn streamed(answer: &ChatResponse) -> Vec<hanok_base::StreamEvent> {
    let chunk = json!({ "id": "i", "model": "m", "choices": [{ "index": 0, "finish_reason": null, "delta":
        { "tool_calls": [{ "index": 0, "id": "c", "type": "function",
            "function": { "name": "f", "arguments": called(answer) } }] } }] });
    let end = json!({ "id": "i", "choices": [{ "index": 0, "delta": {}, "finish_reason": "tool_calls" }] });
    let decoded =
        decode(Dialect::OpenAiChat, [format!("data: {chunk}\n\ndata: {end}\n\ndata: [DONE]\n\n").as_bytes()]);
    assert_eq!(decoded.end, Ok(()));
    decoded.events
}

/// What else a call holds, which the two forms of Ollama's dialect give each other.
#[test]
fn unknown_members_of_calls() {
    let check = |call: &dyn Fn(Value) -> Value, around: usize, param: &str| {
        let answer = |levels: usize| {
            json!({ "model": "m", "response": "", "done": true, "done_reason": "stop",
                "tool_calls": [call(nested(levels))] })
        };
        let good = answer(64 - around).to_string();
        let good = wire(Dialect::OllamaGenerate).decode_response(good.as_bytes()).unwrap();
        let written = wire(Dialect::Ollama).encode_response(&good, b"");
        wire(Dialect::Ollama).decode_response(&written).unwrap();
        for levels in [65 - around, 110] {
            let deep = answer(levels).to_string();
            let error = wire(Dialect::OllamaGenerate).decode_response(deep.as_bytes()).unwrap_err();
            assert_eq!(error.to_string(), format!("`{param}`: is nested too deeply: 64 levels are the most"));
            let stream = decode(Dialect::OllamaGenerate, [format!("{deep}\n").as_bytes()]);
            assert_eq!(stream.end, Err(error), "{param}");
        }
    };
    check(&|deep| json!({ "odd": deep }), 1, "tool_calls[0].odd.a.a.a.a");
    check(&|deep| json!({ "function": { "name": "f" }, "odd": deep }), 1, "tool_calls[0].odd.a.a.a.a");
    check(&|deep| json!({ "function": { "name": "f", "odd": deep } }), 2, "tool_calls[0].function.odd.a.a.a");
}

/// Requests in which everything that another dialect may be given is nested so deeply.
#[test]
fn requests() {
    let check = |dialect: Dialect, request: &dyn Fn(Value) -> Value, around: usize, param: &str| {
        let place = format!("{} {param}", dialect.as_str());
        // As deep as a request may be: each dialect's reader takes what is written of it.
        let body = request(nested(80 - around)).to_string();
        let decoded = wire(dialect).decode_request(body.as_bytes());
        let decoded = decoded.unwrap_or_else(|error| panic!("{place}: {error}"));
        for target in Dialect::ALL {
            let written = wire(target).encode_request(&decoded, RequestOptions::default()).body;
            let read = serde_json::from_slice::<Value>(&written);
            assert!(read.is_ok(), "{place} for {target:?}: {read:?}");
        }
        // One level more, far more, and more than any parser takes.
        for (levels, param) in [(81 - around, param), (120 - around, param), (1000, "body")] {
            let inside = nested(1).to_string();
            let body = request(json!("here")).to_string();
            let deep = format!("{}{inside}{}", r#"{"a":"#.repeat(levels - 1), "}".repeat(levels - 1));
            let body = body.replace("\"here\"", &deep);
            let message = "is nested too deeply: 80 levels are the most".to_owned();
            let expect = WireError::Member { param: param.to_owned(), message };
            assert_eq!(wire(dialect).decode_request(body.as_bytes()), Err(expect), "{place}, {levels}");
        }
    };
    let chat = json!([{ "role": "user", "content": "q" }]);
    check(
        Dialect::OpenAiChat,
        &|deep| {
            json!({ "model": "m", "messages": chat, "tools": [{ "type": "function",
            "function": { "name": "f", "parameters": deep } }] })
        },
        4,
        "tools[0].function.parameters.a",
    );
    check(
        Dialect::OpenAiChat,
        &|deep| {
            json!({ "model": "m", "messages": chat, "response_format": { "type": "json_schema",
            "json_schema": { "name": "s", "schema": deep } } })
        },
        3,
        "response_format.json_schema.schema.a.a",
    );
    check(
        Dialect::OpenAiChat,
        &|deep| json!({ "model": "m", "messages": chat, "metadata": deep }),
        1,
        "metadata.a.a.a.a",
    );
    check(
        Dialect::OpenAiResponses,
        &|deep| json!({ "model": "m", "input": [{ "type": "mcp_list_tools", "tools": [deep] }] }),
        4,
        "input[0].tools[0].a",
    );
    check(
        Dialect::AnthropicMessages,
        &|deep| {
            json!({ "model": "m", "max_tokens": 9, "messages": [{ "role": "assistant",
            "content": [{ "type": "tool_use", "id": "c", "name": "f", "input": deep }] }] })
        },
        5,
        "messages[0].content[0].input",
    );
    check(
        Dialect::AnthropicMessages,
        &|deep| {
            json!({ "model": "m", "max_tokens": 9, "messages": chat,
            "tools": [{ "name": "f", "input_schema": deep }] })
        },
        3,
        "tools[0].input_schema.a.a",
    );
    check(
        Dialect::Gemini,
        &|deep| {
            json!({ "contents": [{ "role": "user", "parts": [{ "functionResponse":
            { "name": "f", "response": deep } }] }] })
        },
        6,
        "contents[0].parts[0].functionResponse",
    );
    check(
        Dialect::Ollama,
        &|deep| json!({ "model": "m", "messages": chat, "format": deep }),
        1,
        "format.a.a.a.a",
    );
    check(
        Dialect::OllamaGenerate,
        &|deep| json!({ "model": "m", "prompt": "q", "format": deep }),
        1,
        "format.a.a.a.a",
    );
}
