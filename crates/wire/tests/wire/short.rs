//! The short way, on which bytes pass unchanged, and the long way, on which they are decoded: where one takes an
//! answer, so does the other.

use crate::clients::next_turn;
use crate::matrix::DIALECTS;
use crate::streams::{decode, encode, guard};
use crate::{fixtures, wire};
use hanok_base::{
    ChatResponse, Choice, Dialect, FinishReason, Message, Object, Part, ProviderErrorKind, Reasoning, Role,
    Signature, StreamEvent, ToolCall, Usage,
};
use hanok_wire::{GuardOptions, WireError, holds_foreign_signature};
use serde_json::{Value, json};
use std::collections::HashSet;

/// What stands behind a choice's end is refused by both, unless it says nothing.
#[test]
fn behind_the_end() {
    let check = |dialect: Dialect, chunks: &[&str], good: bool| {
        let bytes: Vec<String> = chunks.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
        let bytes = bytes.concat();
        let decoded = decode(dialect, [bytes.as_bytes()]);
        let guarded = guard(dialect, GuardOptions::default(), [bytes.as_bytes()]);
        assert_eq!(decoded.end.is_ok(), good, "{bytes}{:?}", decoded.end);
        assert_eq!(guarded.complete, good, "{bytes}{:?}", guarded.fault);
        if !good {
            assert!(matches!(decoded.end, Err(WireError::Member { .. })), "{bytes}{:?}", decoded.end);
            assert_eq!(guarded.fault.unwrap().kind, ProviderErrorKind::Decode, "{bytes}");
            let last = chunks.last().unwrap();
            assert!(!String::from_utf8(guarded.passed).unwrap().contains(last), "{bytes}");
        }
        let end = decoded.events.iter().position(|event| matches!(event, StreamEvent::Finish { .. }));
        let late = decoded.events.get(end.unwrap()..).unwrap().iter().find(|event| {
            matches!(
                event,
                StreamEvent::PartStart { choice: 0, .. } | StreamEvent::PartDelta { choice: 0, .. }
            )
        });
        assert_eq!(late, None, "{bytes}");
    };
    let chat = |late: &str, good: bool| {
        let said = r#"{"choices":[{"index":0,"delta":{"content":"a"}}]}"#;
        let end = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
        check(Dialect::OpenAiChat, &[said, end, &format!(r#"{{"choices":[{{"index":0,{late}}}]}}"#)], good);
    };
    // As the chunk that is learnt.
    chat(r#""delta":{"content":"b"}"#, false);
    chat(r#""delta":{"content":"b\n"}"#, false);
    chat(r#""delta":{"content":[{"type":"text","text":"b"}]}"#, false);
    chat(r#""delta":{"refusal":"h"}"#, false);
    chat(r#""delta":{"reasoning_content":"h"}"#, false);
    chat(r#""delta":{"reasoning":"h"}"#, false);
    chat(r#""delta":{"reasoning_details":[{"type":"reasoning.encrypted","data":"x"}]}"#, false);
    chat(r#""delta":{"tool_calls":[{"index":0,"function":{"name":"f"}}]}"#, false);
    chat(r#""delta":{"annotations":[{"type":"url_citation","url_citation":{}}]}"#, false);
    chat(r#""delta":{"role":"assistant","content":""},"finish_reason":null"#, true);
    chat(r#""delta":{"content":null,"tool_calls":[ ],"annotations":[],"x":1}"#, true);
    chat(r#""delta":null,"finish_reason":"stop""#, true);
    let said = r#"{"choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"},{"index":0,"delta":{"content":"b"}}]}"#;
    check(Dialect::OpenAiChat, &[said], false);
    let end = r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}"#;
    let other = r#"{"choices":[{"index":1,"delta":{"content":"b"}}]}"#;
    let its_end = r#"{"choices":[{"index":1,"delta":{},"finish_reason":"stop"}]}"#;
    let usage = r#"{"choices":[],"usage":{"prompt_tokens":1,"completion_tokens":2}}"#;
    check(Dialect::OpenAiChat, &[end, other, other, its_end, usage], true);

    let messages = |late: &str, good: bool| {
        let chunks = [
            r#"{"type":"message_start","message":{"id":"i","model":"m"}}"#,
            r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn"}}"#,
            late,
        ];
        check(Dialect::AnthropicMessages, &chunks, good);
    };
    messages(r#"{"type":"content_block_start","index":1,"content_block":{"type":"text","text":""}}"#, false);
    messages(r#"{"type":"content_block_start","content_block":{"type":"thinking"}}"#, false);
    messages(r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"b"}}"#, false);
    messages(r#"{"type":"content_block_stop","index":0}"#, true);
    messages(r#"{"type":"message_delta","delta":{},"usage":{"output_tokens":3}}"#, true);
    messages(r#"{"type":"message_stop"}"#, true);

    let gemini = |late: &str, good: bool| {
        let end = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}"#;
        check(
            Dialect::Gemini,
            &[end, &format!(r#"{{"candidates":[{{"content":{{"parts":{late}}}}}]}}"#)],
            good,
        );
    };
    gemini(r#"[{"text":"b"}]"#, false);
    gemini(r#"{"text":"b"}"#, false);
    gemini(r#"[{"text":"b","thought":true}]"#, false);
    gemini(r#"[{"functionCall":{"name":"f"}}]"#, false);
    gemini(r#"[{"text":"","function_call":{"name":"f"}}]"#, false);
    gemini(r#"[{"executableCode":{}}]"#, false);
    gemini(r#"[{"inlineData":{"data":"AA=="}}]"#, false);
    gemini(r#"[{"text":"","thoughtSignature":"AA=="}]"#, true);
    gemini(r#"[{"text":"","videoMetadata":{}}]"#, true);
    gemini(r#"[{"thoughtSignature":"AA=="},{}]"#, true);
    gemini("null", true);
}

/// Values that a member may have and mostly should not.
fn odd() -> [Value; 12] {
    [
        Value::Null,
        json!(0),
        json!(-1),
        json!(1.5),
        json!("3"),
        json!(""),
        json!("x"),
        json!(true),
        json!([]),
        json!({}),
        json!([0]),
        json!([{}]),
    ]
}

/// The places of all values inside a value.
fn places(value: &Value, at: &str, found: &mut Vec<String>) {
    let inner: Vec<(String, &Value)> = match value {
        Value::Object(object) => {
            object.iter().map(|(name, value)| (name.replace('/', "~1"), value)).collect()
        }
        Value::Array(items) => items.iter().enumerate().map(|(i, value)| (i.to_string(), value)).collect(),
        _ => Vec::new(),
    };
    for (name, value) in inner {
        let at = format!("{at}/{name}");
        places(value, &at, found);
        found.push(at);
    }
}

/// Each fixture with each value put for another, and with members that a vendor may add.
fn with_odd_members(value: &Value, seen: &mut HashSet<String>, mut check: impl FnMut(&Value)) {
    let mut found = Vec::new();
    places(value, "", &mut found);
    // Of items and fixtures that are alike, one.
    found.retain(|at| seen.insert(at.replace(|c: char| c.is_ascii_digit(), "0")));
    for at in found {
        for instead in odd() {
            let mut changed = value.clone();
            *changed.pointer_mut(&at).unwrap() = instead;
            check(&changed);
        }
    }
    for name in ["x_groq", "promptFeedback", "incomplete_details", "error", "usage", "message", "response"] {
        for instead in odd() {
            let mut changed = value.clone();
            if changed.get(name).is_none() {
                changed[name] = instead;
                check(&changed);
            }
        }
    }
}

/// An answer that the long way takes has a summary, too.
#[test]
fn what_is_decoded_is_summed_up() {
    let mut refused: Vec<String> = Vec::new();
    for dialect in fixtures::dialects() {
        let mut seen = HashSet::new();
        for (name, bytes) in fixtures::all(dialect, "", "json") {
            with_odd_members(&serde_json::from_slice(&bytes).unwrap(), &mut seen, |changed| {
                let body = changed.to_string();
                if wire(dialect).decode_response(body.as_bytes()).is_ok()
                    && let Err(error) = wire(dialect).summarise(body.as_bytes())
                {
                    refused.push(format!("{dialect:?} {name}: {error}: {body}"));
                }
            });
        }
    }
    assert!(refused.is_empty(), "{}: {refused:#?}", refused.len());
}

/// What passes the guard is whole, and no error.
#[test]
fn what_passes_is_whole() {
    let mut refused: Vec<String> = Vec::new();
    for dialect in fixtures::dialects() {
        let mut seen = HashSet::new();
        for (name, bytes) in fixtures::all(dialect, "", fixtures::streamed_as(dialect)) {
            if bytes.len() > 1500 {
                continue;
            }
            let Ok(text) = String::from_utf8(bytes) else { continue };
            let lines: Vec<&str> = text.lines().collect();
            for (i, line) in lines.iter().enumerate() {
                let (before, data) = match line.strip_prefix("data:") {
                    Some(data) => ("data:", data),
                    None => ("", *line),
                };
                let Ok(value @ Value::Object(_)) = serde_json::from_str(data) else { continue };
                with_odd_members(&value, &mut seen, |changed| {
                    let changed = format!("{before}{changed}");
                    let mut lines = lines.clone();
                    lines[i] = &changed;
                    let stream = lines.join("\n") + "\n\n";
                    let end = decode(dialect, [stream.as_bytes()]).end;
                    let guarded = guard(dialect, GuardOptions::default(), [stream.as_bytes()]);
                    let cut = matches!(end, Err(WireError::Truncated | WireError::Upstream(_)));
                    if cut && guarded.complete {
                        refused.push(format!("{dialect:?} {name}: {end:?} {:?}: {changed}", guarded.fault));
                    }
                });
            }
        }
    }
    assert!(refused.is_empty(), "{}: {refused:#?}", refused.len());
}

/// What is unknown in one form of Ollama's answers does not pose as what the other form knows.
#[test]
fn unknown_members_of_the_other_form() {
    let check = |of: Dialect, answer: &str, to: Dialect| {
        let response = wire(of).decode_response(answer.as_bytes()).unwrap();
        let body = wire(to).encode_response(&response, b"");
        let again = wire(to).decode_response(&body);
        let again = again.unwrap_or_else(|error| panic!("{answer}: {error}: {}", body.escape_ascii()));
        assert_eq!(again.choices[0].message.parts, response.choices[0].message.parts, "{answer}");
        assert_eq!(again.model, response.model, "{answer}");
        wire(to).summarise(&body).unwrap();
        let line = answer.replacen('{', r#"{"done":true,"#, 1);
        let streamed = decode(of, [line.as_bytes(), b"\n"]);
        assert_eq!(streamed.end, Ok(()), "{line}");
        let again = decode(to, [encode(to, &streamed.events).as_slice()]);
        assert_eq!(again.end, Ok(()), "{line}");
    };
    for value in ["0", "\"\"", "true", "[]", "[{}]", "{}", r#"{"content":{}}"#, r#"{"tool_calls":true}"#] {
        for name in ["error", "model", "created_at", "response", "done", "done_reason", "eval_count"] {
            let answer = format!(r#"{{"message":{{"content":"a","{name}":{value}}}}}"#);
            check(Dialect::Ollama, &answer, Dialect::OllamaGenerate);
        }
        for name in ["response", "thinking", "images", "tool_calls", "citations", "thinking_signatures"] {
            let answer = format!(r#"{{"message":{{"content":"a"}},"{name}":{value}}}"#);
            check(Dialect::Ollama, &answer, Dialect::OllamaGenerate);
        }
        for name in ["message", "role", "content"] {
            let answer = format!(r#"{{"response":"a","{name}":{value}}}"#);
            check(Dialect::OllamaGenerate, &answer, Dialect::Ollama);
        }
    }
}

/// A request that repeats another provider's signature is known by its bytes, whichever client sends it.
#[test]
fn foreign_signatures_are_seen() {
    let answer = |of: Dialect, parts: Vec<Part>| ChatResponse {
        id: "i".into(),
        model: "m".into(),
        created: 1,
        choices: vec![Choice {
            index: 0,
            message: Message { role: Role::Assistant, parts, extra: Object::new() },
            finish: FinishReason::Stop,
            extra: Object::new(),
        }],
        usage: Usage::default(),
        dialect: Some(of),
        extra: Object::new(),
    };
    let thought = |text: &str, signature: &Signature, redacted: bool| {
        let (text, signature) = (text.to_owned(), Some(signature.clone()));
        Part::Reasoning(Reasoning { text, signature, redacted, extra: Object::new() })
    };
    let call = |signature: &Signature| {
        let signature = Some(signature.clone());
        let arguments = "{}".to_owned();
        Part::ToolCall(ToolCall {
            id: "c1".into(),
            name: "f".into(),
            arguments,
            signature,
            extra: Object::new(),
        })
    };
    for of in DIALECTS.iter().copied() {
        for length in 1..8 {
            let value = "k+/=é?z".chars().take(length).collect();
            let signature = Signature { of, value };
            let cases = [
                vec![thought("hm", &signature, false), Part::Text("t".into())],
                vec![thought("", &signature, true), Part::Text("t".into())],
                vec![thought("", &signature, false), Part::Text("t".into())],
                vec![Part::Text("t".into()), call(&signature)],
            ];
            for (client, parts) in
                DIALECTS.iter().flat_map(|client| cases.clone().map(|parts| (*client, parts)))
            {
                let said: Value =
                    serde_json::from_slice(&wire(client).encode_response(&answer(of, parts), b"")).unwrap();
                let turns = match client {
                    Dialect::OpenAiResponses => "input",
                    Dialect::Gemini => "contents",
                    _ => "messages",
                };
                let asked = json!({ "model": "m", turns: [] });
                let request = match client {
                    // A client that keeps all it got.
                    Dialect::Ollama => json!({ "model": "m", "messages": [said["message"].clone()] }),
                    _ => next_turn(client, &asked, &said, &["r"]),
                };
                for body in [request.to_string(), serde_json::to_string_pretty(&request).unwrap()] {
                    // Some writers of JSON escape these.
                    for body in [body.replace('+', "\\u002B").replace('=', "\\u003d"), body] {
                        let place = format!("{of:?} by {client:?}: {body}");
                        assert_eq!(holds_foreign_signature(body.as_bytes()), of != client, "{place}");
                        if of != client {
                            let request = wire(client).decode_request(body.as_bytes()).unwrap();
                            let parts = request.messages.iter().flat_map(|message| &message.parts);
                            let found = parts.filter_map(|part| match part {
                                Part::Reasoning(reasoning) => reasoning.signature.as_ref(),
                                Part::ToolCall(call) => call.signature.as_ref(),
                                _ => None,
                            });
                            assert_eq!(found.collect::<Vec<_>>(), [&signature], "{place}");
                        }
                    }
                }
            }
        }
    }
    assert!(!holds_foreign_signature(
        br#"{"model":"hanok/extract","messages":[{"content":"for hanok: a+b"}]}"#
    ));
}
