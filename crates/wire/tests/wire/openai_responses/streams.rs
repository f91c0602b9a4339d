//! Streams: what upstreams send, and what clients get.

use super::*;

/// Events of the provider's own tools, which are in their items, and padding.
fn comparable(event: &Value) -> Option<Value> {
    let kind = event["type"].as_str().unwrap();
    let of_tools = ["web_search_call", "image_generation_call", "custom_tool_call_input"];
    if of_tools.iter().any(|name| kind.starts_with(&format!("response.{name}."))) {
        return None;
    }
    let mut event = event.clone();
    let object = event.as_object_mut().unwrap();
    object.shift_remove("obfuscation");
    object.shift_remove("sequence_number");
    // What is known of an item at its beginning is not the same at all vendors.
    let added = kind == "response.output_item.added";
    if let Some(item) = object.get_mut("item").and_then(Value::as_object_mut) {
        if added {
            item.retain(|name, _| matches!(name.as_str(), "id" | "type" | "phase" | "call_id" | "name"));
        } else if item["type"] == "message" {
            item["status"] = "completed".into();
        }
    }
    if let Some(response) = object.get_mut("response").and_then(Value::as_object_mut) {
        response.retain(|name, value| {
            !value.is_null() && !matches!(name.as_str(), "service_tier" | "completed_at")
        });
    }
    Some(event)
}

#[test]
fn decoded_and_encoded_streams_are_what_the_vendor_sent() {
    for (name, bytes) in all("", "json") {
        let sent = fixture(&format!("{name}.sse"));
        let (decoded, end) = decode([sent.as_slice()]);
        assert_eq!(end, Ok(()), "{name}");
        let again = events(&encode(&decoded, ""));
        let numbers: Vec<u64> =
            again.iter().map(|event| event["sequence_number"].as_u64().unwrap()).collect();
        assert_eq!(numbers, (0..again.len() as u64).collect::<Vec<_>>(), "{name}");
        let before: Vec<Value> = events(&sent).iter().filter_map(comparable).collect();
        let after: Vec<Value> = again.iter().filter_map(comparable).collect();
        for (before, after) in before.iter().zip(&after) {
            assert_eq!(before, after, "{name}");
        }
        assert_eq!(before.len(), after.len(), "{name}");
        drop(bytes);
    }
}

#[test]
fn streamed_and_whole_are_the_same_answer() {
    let mut pairs = 0;
    for (name, bytes) in all("", "json") {
        let whole = wire().decode_response(&bytes).unwrap();
        let sent = fixture(&format!("{name}.sse"));
        let (decoded, _) = decode([sent.as_slice()]);
        assert_eq!(collect(decoded.clone()).as_ref(), Some(&whole), "{name}");
        assert_eq!(collect(decode([encode(&decoded, "").as_slice()]).0).as_ref(), Some(&whole), "{name}");
        assert_eq!(
            wire().decode_response(&wire().encode_response(&whole, b"")).as_ref(),
            Ok(&whole),
            "{name}"
        );
        let summary = wire().summarise(&bytes).unwrap();
        assert_eq!((summary.id.as_str(), summary.usage), (whole.id.as_str(), whole.usage), "{name}");
        let guarded = guard([sent.as_slice()]);
        assert_eq!(guarded.summary, summary, "{name}");
        assert_eq!((guarded.passed, guarded.fault, guarded.complete), (sent, None, true), "{name}");
        insta::assert_debug_snapshot!(format!("openai_responses__{name}"), whole.choices);
        pairs += 1;
    }
    assert!(pairs >= 14, "only {pairs} pairs");
}

/// Every part is begun before it grows and ended before the answer is.
#[test]
fn parts_are_begun_and_ended() {
    for (name, bytes) in all("", "sse") {
        let (decoded, end) = decode([bytes.as_slice()]);
        let mut open: Vec<usize> = Vec::new();
        let mut next = 0;
        for event in decoded {
            match event {
                StreamEvent::PartStart { part, .. } => {
                    assert_eq!(part, next, "{name}");
                    next += 1;
                    open.push(part);
                }
                StreamEvent::PartDelta { part, .. } => assert!(open.contains(&part), "{name}"),
                StreamEvent::PartEnd { part, .. } => {
                    assert!(open.contains(&part), "{name}");
                    open.retain(|at| *at != part);
                }
                StreamEvent::Finish { .. } => assert_eq!(open, [] as [usize; 0], "{name}"),
                _ => {}
            }
        }
        assert!(end.is_err() || next > 0, "{name}");
    }
}

#[test]
fn how_streams_end() {
    use ProviderErrorKind as P;
    let check = |name: &str, expect: Result<&str, (ProviderErrorKind, &str)>| {
        let sent = fixture(&format!("{name}.sse"));
        let (decoded, end) = decode([sent.as_slice()]);
        let guarded = guard([sent.as_slice()]);
        match expect {
            Ok(said) => {
                assert_eq!(end, Ok(()), "{name}");
                assert_eq!(collect(decoded).unwrap().choices[0].message.plain_text(), said, "{name}");
                assert_eq!((guarded.fault, guarded.complete), (None, true), "{name}");
            }
            Err((kind, message)) => {
                let error = end.unwrap_err().into_provider_error(&"p".into());
                assert_eq!((error.kind, error.message.contains(message)), (kind, true), "{name}: {error}");
                let fault = guarded.fault.unwrap();
                assert_eq!((fault.kind, guarded.complete), (kind, false), "{name}: {fault}");
                assert!(sent.starts_with(&guarded.passed), "{name}");
            }
        }
    };
    let said = "Seoul is the capital of Korea (서울).";
    for name in ["crlf", "done-behind", "no-names"] {
        check(name, Ok(said));
    }
    check("only-the-end", Ok("Hello"));
    check("only-items", Ok("Hello"));
    for name in ["cut-between-events", "cut-inside-event", "cut-before-the-end", "done-alone"] {
        check(name, Err((P::Truncated, "ended before")));
    }
    // Nothing tells a decoder that the last event is whole; a client is given it with its end.
    let sent = fixture("no-blank-line.sse");
    assert_eq!(decode([sent.as_slice()]).1, Err(WireError::Truncated));
    let guarded = guard([sent.as_slice()]);
    assert_eq!((guarded.fault, guarded.complete), (None, true));
    assert_eq!(guarded.passed, [sent.as_slice(), b"\n\n"].concat());
    check("error-event", Err((P::RateLimited, "Rate limit reached")));
    check("error-nested", Err((P::ContextLength, "exceeds the context window")));
    check("failed", Err((P::Overloaded, "failed to generate")));
    check("not-json", Err((P::Decode, "not valid JSON")));
}

/// What the official clients go by: the order of the events of one item after the other.
#[test]
#[expect(clippy::too_many_lines, reason = "one table of cases")]
fn order_of_events() {
    let check = |events_in: &[StreamEvent], expect: &[&str], output: &Value| {
        let mut all = vec![start()];
        all.extend_from_slice(events_in);
        all.push(finish(FinishReason::ToolCalls));
        let got = events(&encode(&all, r#"{"model":"m"}"#));
        let mut wanted = vec!["created", "in_progress"];
        wanted.extend_from_slice(expect);
        wanted.push("completed");
        assert_eq!(types(&got), wanted);
        let last = &got.last().unwrap()["response"];
        let brief: Vec<Value> = last["output"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| match item["type"].as_str().unwrap() {
                "message" => json!(
                    item["content"]
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|part| part.get("text").or(part.get("refusal")).unwrap().clone())
                        .collect::<Vec<_>>()
                ),
                "function_call" => json!([item["call_id"], item["arguments"]]),
                "reasoning" => json!({ "text": item["summary"], "enc": item["encrypted_content"] }),
                _ => item.clone(),
            })
            .collect();
        assert_eq!(&Value::from(brief), output);
        // Each item at the end is as its own event told it, and each event stands in the item that is open.
        let done: Vec<&Value> = got
            .iter()
            .filter(|event| event["type"] == "response.output_item.done")
            .map(|e| &e["item"])
            .collect();
        assert_eq!(done, last["output"].as_array().unwrap().iter().collect::<Vec<_>>());
        let mut open: Option<Value> = None;
        for event in &got {
            match event["type"].as_str().unwrap() {
                "response.output_item.added" => {
                    assert_eq!(open, None);
                    open = Some(event["item"]["id"].clone());
                }
                "response.output_item.done" => assert_eq!(open.take().as_ref(), Some(&event["item"]["id"])),
                _ if event.get("item_id").is_some() => assert_eq!(open.as_ref(), event.get("item_id")),
                _ => {}
            }
        }
    };
    let arguments = |part: usize, text: &str| grow(part, Delta::Arguments(text.to_owned()));
    let thought = |part: usize, text: &str| grow(part, Delta::Reasoning(text.to_owned()));
    let message = [
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
    ];
    let called = [
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
    ];
    // Two calls that grow in turns: the second one waits.
    check(
        &[
            begin(0, Part::ToolCall(call("a", ""))),
            begin(1, Part::ToolCall(call("b", ""))),
            arguments(0, "{\"x\""),
            arguments(1, "{\"y\""),
            arguments(0, ":1}"),
            arguments(1, ":2}"),
        ],
        &[
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
        ],
        &json!([["a", "{\"x\":1}"], ["b", "{\"y\":2}"]]),
    );
    // Arguments that never become whole are not given up for what follows.
    check(
        &[
            begin(0, Part::ToolCall(call("a", "{"))),
            begin(1, Part::Text("t".to_owned())),
            arguments(0, "\"x\""),
            end(0),
        ],
        &[
            "output_item.added",
            "function_call_arguments.delta",
            "function_call_arguments.delta",
            "function_call_arguments.done",
            "output_item.done",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.done",
            "content_part.done",
            "output_item.done",
        ],
        &json!([["a", "{\"x\""], ["t"]]),
    );
    // Upstreams that end no part before the last: text is not held back for thoughts.
    check(
        &[
            begin(0, Part::Reasoning(Reasoning::default())),
            thought(0, "hm"),
            begin(1, Part::Text(String::new())),
            text(1, "a"),
            begin(2, Part::ToolCall(call("a", "{}"))),
            end(0),
            end(1),
            end(2),
        ],
        &[
            &[
                "output_item.added",
                "reasoning_summary_part.added",
                "reasoning_summary_text.delta",
                "reasoning_summary_text.done",
                "reasoning_summary_part.done",
                "output_item.done",
            ][..],
            &message,
            &called,
        ]
        .concat(),
        &json!([{ "text": [{ "type": "summary_text", "text": "hm" }], "enc": null }, ["a"], ["a", "{}"]]),
    );
    // A thought that goes on behind a text is another item; nothing is lost, the order stays.

    check(
        &[
            begin(0, Part::Reasoning(Reasoning::default())),
            thought(0, "x"),
            begin(1, Part::Text(String::new())),
            text(1, "a"),
            thought(0, "y"),
            text(1, "b"),
        ],
        &[
            &[
                "output_item.added",
                "reasoning_summary_part.added",
                "reasoning_summary_text.delta",
                "reasoning_summary_text.done",
                "reasoning_summary_part.done",
                "output_item.done",
            ][..],
            &message,
            &[
                "output_item.added",
                "reasoning_summary_part.added",
                "reasoning_summary_text.delta",
                "reasoning_summary_text.done",
                "reasoning_summary_part.done",
                "output_item.done",
            ],
            &message,
        ]
        .concat(),
        &json!([
            { "text": [{ "type": "summary_text", "text": "x" }], "enc": null }, ["a"],
            { "text": [{ "type": "summary_text", "text": "y" }], "enc": null }, ["b"]
        ]),
    );
    // Citations within and behind a text; a refusal beside it.
    let cited = Citation { start_index: 0, end_index: 1, url: "u".to_owned(), ..Citation::default() };
    check(
        &[
            begin(0, Part::Text(String::new())),
            text(0, "a"),
            begin(1, Part::Citation(cited.clone())),
            text(0, "b"),
            end(0),
            begin(2, Part::Citation(cited)),
            begin(3, Part::Refusal(String::new())),
            text(3, "no"),
        ],
        &[
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "output_text.annotation.added",
            "output_text.delta",
            "output_text.annotation.added",
            "output_text.done",
            "content_part.done",
            "content_part.added",
            "refusal.delta",
            "refusal.done",
            "content_part.done",
            "output_item.done",
        ],
        &json!([["ab", "no"]]),
    );
    // A foreign signature is shown behind what it signs.
    let signature = || Signature { of: Dialect::Gemini, value: "sig".to_owned() };
    check(
        &[
            begin(0, Part::Reasoning(Reasoning::default())),
            grow(0, Delta::Signature(signature())),
            end(0),
            begin(1, Part::ToolCall(ToolCall { signature: Some(signature()), ..call("a", "{}") })),
            end(1),
        ],
        &[
            &["output_item.added", "output_item.done"][..],
            &called,
            &["output_item.added", "output_item.done"],
        ]
        .concat(),
        &json!([
            { "text": [], "enc": "hanok:gemini:sig" }, ["a", "{}"],
            { "text": [], "enc": "hanok+call:a:hanok:gemini:sig" }
        ]),
    );
    check(&[], &[], &json!([]));
}

#[test]
fn errors_are_explicit() {
    let mut encoder = wire().stream_encoder(StreamOptions::default());
    let mut out = Vec::new();
    for event in [start(), begin(0, Part::Text("half".to_owned()))] {
        encoder.encode(&event, &mut out);
    }
    encoder.error(&Problem::new(ErrorKind::Upstream, "stream_truncated", "cut"), &mut out);
    let got = events(&out);
    assert_eq!(
        types(&got),
        [
            "created",
            "in_progress",
            "output_item.added",
            "content_part.added",
            "output_text.delta",
            "error",
            "failed"
        ]
    );
    let error = &got[5];
    // Documented members, and the one by which the official clients throw.
    assert_eq!(
        (&error["code"], &error["message"], &error["sequence_number"]),
        (&json!("stream_truncated"), &json!("cut"), &json!(5))
    );
    assert_eq!(error["error"]["message"], "cut");
    let failed = &got[6]["response"];
    assert_eq!((&failed["status"], &failed["error"]["code"]), (&json!("failed"), &json!("server_error")));
    assert_eq!(guard([out.as_slice()]).fault.unwrap().message, "cut");
}

#[test]
fn what_a_response_repeats() {
    let request = r#"{"model":"m","input":"hi","instructions":"Be brief.","store":false,"metadata":{"a":"b"},
        "tools":[{"type":"function","name":"f","parameters":{}}],"tool_choice":"required","temperature":0.2,
        "text":{"verbosity":"low"},"reasoning":{"effort":"low"},"previous_response_id":"resp_0","client_metadata":{"x":"y"},
        "conversation":"conv_1","stream":true,"include":[]}"#;
    let said = response(vec![Part::Text("Hi".to_owned())], FinishReason::Stop);
    let whole = parsed(&wire().encode_response(&said, request.as_bytes()));
    let expect = json!({
        "id": "resp_chatcmpl-1", "object": "response", "created_at": 7, "status": "completed", "error": null,
        "incomplete_details": null, "model": "m",
        "output": [{
            "type": "message", "id": "msg_chatcmpl-1_0", "status": "completed", "role": "assistant",
            "content": [{ "type": "output_text", "text": "Hi", "annotations": [], "logprobs": [] }]
        }],
        "background": false, "instructions": "Be brief.", "max_output_tokens": null, "max_tool_calls": null,
        "metadata": { "a": "b" }, "parallel_tool_calls": true, "previous_response_id": "resp_0",
        "prompt_cache_key": null, "reasoning": { "effort": "low", "summary": null }, "safety_identifier": null,
        "service_tier": null, "store": false, "temperature": 0.2,
        "text": { "verbosity": "low", "format": { "type": "text" } }, "tool_choice": "required",
        "tools": [{ "type": "function", "name": "f", "parameters": {} }], "top_logprobs": 0, "top_p": null,
        "truncation": "disabled", "user": null, "conversation": { "id": "conv_1" },
        "usage": {
            "input_tokens": 3, "input_tokens_details": { "cached_tokens": 0, "cache_write_tokens": 0 }, "output_tokens": 2,
            "output_tokens_details": { "reasoning_tokens": 0 }, "total_tokens": 5
        }
    });
    assert_eq!(whole, expect);
    let streamed = [
        start(),
        begin(0, Part::Text("Hi".to_owned())),
        finish(FinishReason::Stop),
        StreamEvent::Usage(said.usage),
    ];
    let events = events(&encode(&streamed, request));
    assert_eq!(events.last().unwrap()["response"], expect);
    let begun = &events[0]["response"];
    assert_eq!(
        (&begun["status"], &begun["tools"], &begun["usage"]),
        (&json!("in_progress"), &expect["tools"], &Value::Null)
    );

    // An answer of this dialect: the provider's members, but what we keep is ours.
    let mut own = wire().decode_response(&fixture("reasoning.json")).unwrap();
    own.model = "alias".into();
    let whole = parsed(
        &wire().encode_response(&own, br#"{"model":"alias","input":"x","previous_response_id":"resp_0"}"#),
    );
    assert_eq!(
        (&whole["store"], &whole["previous_response_id"], &whole["model"], &whole["service_tier"]),
        (&json!(true), &json!("resp_0"), &json!("alias"), &json!("default"))
    );
    assert_eq!(whole["output"][0]["id"], "rs_68c2");
}

#[test]
fn how_answers_end() {
    let check = |finish: FinishReason, status: &str, reason: Value| {
        let said = response(vec![Part::Text("a".to_owned())], finish.clone());
        let whole = parsed(&wire().encode_response(&said, b""));
        assert_eq!((&whole["status"], &whole["incomplete_details"]), (&json!(status), &reason));
        assert_eq!(whole["output"][0]["status"], status);
        let again = wire().decode_response(whole.to_string().as_bytes()).unwrap();
        assert_eq!(again.choices[0].finish, finish);
        let stream = [start(), begin(0, Part::Text("a".to_owned())), super::finish(finish)];
        let events = events(&encode(&stream, ""));
        let last = events.last().unwrap();
        assert_eq!(last["type"], format!("response.{status}"));
        assert_eq!(last["response"]["output"], whole["output"]);
    };
    check(FinishReason::Stop, "completed", Value::Null);
    check(FinishReason::Length, "incomplete", json!({ "reason": "max_output_tokens" }));
    check(FinishReason::ContentFilter, "incomplete", json!({ "reason": "content_filter" }));
    check(FinishReason::Other("pause_turn".to_owned()), "incomplete", json!({ "reason": "pause_turn" }));
}

#[test]
fn answers_that_are_none() {
    let check = |body: &str, expect: &str| {
        let error = wire().decode_response(body.as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expect), "{body}: {error}");
        if !body.contains("in_progress") {
            assert!(wire().summarise(body.as_bytes()).unwrap_err().to_string().contains(expect), "{body}");
        }
    };
    check("{}", "`output`: is missing: this is no response");
    check(r#"{"error":{"message":"no key"}}"#, "no key");
    check(r#"{"status":"failed","output":[]}"#, "without saying which");
    check(r#"{"status":"cancelled","output":[]}"#, "was cancelled");
    check(r#"{"status":"in_progress","output":[]}"#, "`status`: says that the answer is not there yet");
}
