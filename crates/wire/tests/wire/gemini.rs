//! The dialect `gemini`: fixtures against laws, and what is special to it.

mod clients;
mod laws;
mod translation;

use crate::streams::collect;
use bytes::Bytes;
use hanok_base::{
    ChatResponse, Dialect, Message, OutputFormat, Part, ProviderErrorKind, Role, StreamEvent, ToolChoice,
};
use hanok_wire::{
    Codec, GuardOptions, RequestOptions, StreamFault, StreamOptions, StreamSummary, WireError, codec,
};
use serde_json::{Value, json};
use std::path::Path;

fn wire() -> &'static dyn Codec {
    codec(Dialect::Gemini)
}

fn all(below: &str, extension: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/gemini").join(below);
    let mut found: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

fn fixture(name: &str) -> Vec<u8> {
    let (below, file) = name.rsplit_once('/').unwrap_or(("", name));
    let (stem, extension) = file.rsplit_once('.').unwrap();
    all(below, extension).into_iter().find(|(name, _)| name == stem).unwrap().1
}

fn whole(name: &str) -> ChatResponse {
    wire().decode_response(&fixture(&format!("{name}.json"))).unwrap()
}

type Decoded = (Vec<StreamEvent>, Result<(), WireError>);

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder = wire().stream_decoder();
    let mut events = Vec::new();
    for piece in pieces {
        if let Err(error) = decoder.feed(piece, &mut events) {
            return (events, Err(error));
        }
    }
    let end = decoder.finish();
    (events, end)
}

fn encode(events: &[StreamEvent]) -> Vec<u8> {
    let mut encoder = wire().stream_encoder(StreamOptions::default());
    let mut out = Vec::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    encoder.finish(&mut out);
    out
}

/// The chunks of a stream.
fn chunks(bytes: &[u8]) -> Vec<Value> {
    let text = std::str::from_utf8(bytes).unwrap();
    let chunk = |event: &str| serde_json::from_str(event.strip_prefix("data: ").unwrap()).unwrap();
    text.split_terminator("\n\n").map(chunk).collect()
}

#[derive(Debug, PartialEq)]
struct Guarded {
    passed: Vec<u8>,
    fault: Option<StreamFault>,
    complete: bool,
    summary: StreamSummary,
}

fn guard<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Guarded {
    let mut guard = wire().stream_guard(GuardOptions::default());
    let mut passed = Vec::new();
    let mut fault = None;
    for piece in pieces {
        let fed = guard.feed(Bytes::copy_from_slice(piece));
        passed.extend_from_slice(&fed.bytes);
        fault = fault.or(fed.fault);
    }
    let fed = guard.finish();
    passed.extend_from_slice(&fed.bytes);
    let fault = fault.or(fed.fault);
    Guarded { passed, complete: guard.is_complete(), summary: guard.summary().clone(), fault }
}

#[test]
fn streamed_and_whole_are_the_same_answer() {
    let streams = all("", "sse");
    let mut pairs = 0;
    for (name, body) in all("", "json") {
        let (_, stream) = streams.iter().find(|(of, _)| *of == name).unwrap();
        let (events, end) = decode([stream.as_slice()]);
        assert_eq!(end, Ok(()), "{name}");
        let response = wire().decode_response(&body).unwrap();
        assert_eq!(collect(events.clone()), Some(response.clone()), "{name}");
        // And so it stays when it is sent on, streamed or whole.
        let (again, end) = decode([encode(&events).as_slice()]);
        assert_eq!((collect(again), end), (Some(response.clone()), Ok(())), "{name}");
        let again = wire().decode_response(&wire().encode_response(&response, b"")).unwrap();
        assert_eq!(again, response, "{name}");

        let guarded = guard([stream.as_slice()]);
        assert_eq!((guarded.fault, guarded.complete), (None, true), "{name}");
        assert_eq!(guarded.passed, *stream, "{name}");
        let summary = wire().summarise(&body).unwrap();
        assert_eq!(guarded.summary, summary, "{name}");
        assert_eq!((summary.usage, summary.id.as_str()), (response.usage, response.id.as_str()), "{name}");
        assert_eq!(summary.finish_reasons.len(), response.choices.len(), "{name}");
        pairs += 1;
    }
    assert!(pairs >= 14, "only {pairs} pairs");
}

/// What other clients would be told of each answer, in one line a part.
#[test]
fn answers() {
    let check = |name: &str, expect: &str| {
        let response = whole(name);
        let mut said: Vec<String> = Vec::new();
        for choice in &response.choices {
            for part in &choice.message.parts {
                said.push(match part {
                    Part::Text(text) => format!("text {text:?}\n"),
                    Part::Refusal(text) => format!("refusal {text:?}\n"),
                    Part::Reasoning(thought) => {
                        format!("thought {:?} signed={}\n", thought.text, thought.signature.is_some())
                    }
                    Part::ToolCall(call) => {
                        let signed = call.signature.is_some();
                        format!("call {} {} {} signed={signed}\n", call.id, call.name, call.arguments)
                    }
                    Part::Citation(citation) => {
                        format!("cites {}..{} {}\n", citation.start_index, citation.end_index, citation.title)
                    }
                    Part::Media(media) => format!("media {:?}\n", media.mime),
                    Part::Opaque { value, .. } => {
                        format!("opaque {}\n", value.as_object().unwrap().keys().next().unwrap())
                    }
                    other => format!("{other:?}\n"),
                });
            }
            said.push(format!("{:?}\n", choice.finish));
        }
        assert_eq!(said.concat(), expect, "{name}");
    };
    check("text", "text \"한옥은 나무로 지은 집입니다.\\n\\nIt is a \\\"house\\\".\"\nStop\n");
    check(
        "tools",
        "text \"Let me look.\"\n\
         call 8f2c4a1e get_weather {\"city\":\"서울\",\"days\":3,\"unit\":{\"t\":\"C\"}} signed=true\nToolCalls\n",
    );
    check(
        "parallel-tools",
        "call hanok_t2cgaQ7PMpXRz7IPxJ2n0AM_0_0 get_weather {\"city\":\"Paris\"} signed=true\n\
         call hanok_t2cgaQ7PMpXRz7IPxJ2n0AM_0_1 get_weather {\"city\":\"London\"} signed=false\n\
         call hanok_t2cgaQ7PMpXRz7IPxJ2n0AM_0_2 now {} signed=false\nToolCalls\n",
    );
    check(
        "thinking",
        "thought \"**Counting**\\n\\nOne and one.\" signed=false\ntext \"1 + 1 = 2\"\nthought \"\" signed=true\nStop\n",
    );
    check("refusal", "text \"Well, \"\nContentFilter\n");
    check("blocked", "refusal \"the prompt was blocked: PROHIBITED_CONTENT\"\nContentFilter\n");
    check("recitation", "text \"Shall I \"\ncites 0..5 \nContentFilter\n");
    check(
        "citations",
        "text \"스페인이 이겼습니다. Spain won 2-1.\"\ncites 0..11 aljazeera.com\n\
         cites 12..26 aljazeera.com\ncites 12..26 uefa.com\nStop\n",
    );
    check("image", "text \"A cat:\"\nmedia Some(\"image/png\")\nStop\n");
    check(
        "code",
        "text \"Computing.\"\nopaque executableCode\nopaque codeExecutionResult\nopaque somethingNew\n\
         text \"It is 4.\"\nStop\n",
    );
    check("candidates", "text \"Hi!\"\nStop\ntext \"Yo?\"\nLength\n");
    check("malformed-call", "Other(\"MALFORMED_FUNCTION_CALL\")\n");
    assert_eq!(whole("cached").created, 1_772_600_767);
    let usage = whole("citations").usage;
    assert_eq!((usage.input, usage.output, usage.reasoning), (Some(131), Some(62), Some(44)));
    let usage = whole("image").usage;
    assert_eq!((usage.input_image, usage.output_image), (Some(258), Some(1290)));
    assert_eq!(whole("cached").usage.cached_input, Some(4800));
}

#[test]
fn streams_that_end_badly() {
    let check = |name: &str, expect: Result<(), (ProviderErrorKind, &str)>| {
        let bytes = fixture(&format!("{name}.sse"));
        let got = decode([bytes.as_slice()]).1.map_err(|error| {
            let error = error.into_provider_error(&"p".into());
            (error.kind, error.message)
        });
        assert_eq!(got, expect.map_err(|(kind, message)| (kind, message.to_owned())), "{name}");
        let fault = guard([bytes.as_slice()]).fault;
        assert_eq!(fault.map(|fault| fault.kind), expect.err().map(|(kind, _)| kind), "{name}");
    };
    let cut = "the stream ended before the answer was complete";
    check("cut-between-events", Err((ProviderErrorKind::Truncated, cut)));
    check("cut-inside-event", Err((ProviderErrorKind::Truncated, cut)));
    check("usage-alone", Err((ProviderErrorKind::Truncated, cut)));
    let overloaded = "The model is overloaded. Please try again later.";
    check("error-event", Err((ProviderErrorKind::Overloaded, overloaded)));
    check("error-array", Err((ProviderErrorKind::RateLimited, "Quota exceeded.")));
    check("done-mark", Ok(()));
    let bad = decode([fixture("not-a-chunk.sse").as_slice()]).1.unwrap_err();
    assert!(bad.to_string().contains("no answer of Gemini"), "{bad}");
    assert_eq!(guard([fixture("not-a-chunk.sse").as_slice()]).fault.unwrap().kind, ProviderErrorKind::Decode);
    let late = decode([fixture("goes-on.sse").as_slice()]).1.unwrap_err();
    assert!(late.to_string().contains("goes on behind the end"), "{late}");
    // An upstream's last event may lack its blank line: the guard lets it pass, the decoder takes no chances.
    assert!(guard([fixture("no-blank-line.sse").as_slice()]).complete);
    // Clients of the API cannot read the mark.
    assert!(!guard([fixture("done-mark.sse").as_slice()]).passed.ends_with(b"[DONE]\n\n"));
}

/// Every member of a request survives decoding and encoding, known or not, in whatever depth.
#[test]
fn requests() {
    for (name, bytes) in all("requests", "json") {
        let request = wire().decode_request(&bytes).unwrap();
        let encoded = wire().encode_request(&request, RequestOptions::default());
        let (before, after): (Value, Value) =
            (serde_json::from_slice(&bytes).unwrap(), serde_json::from_slice(&encoded.body).unwrap());
        assert_eq!(before, after, "{name}");
        assert_eq!(encoded.lost, [], "{name}");
        assert_eq!(wire().decode_request(&encoded.body).unwrap(), request, "{name}");
    }
}

#[test]
fn a_request_in_other_spellings() {
    let body = json!({
        "system_instruction": { "parts": { "text": "S" } },
        "contents": { "parts": [{ "inline_data": { "mime_type": "image/png", "data": "a-_b" } }] },
        "tools": [{ "function_declarations": [{ "name": "f", "parameters_json_schema": { "a_b": 1 } }] },
                  { "google_search": {} }],
        "tool_config": { "function_calling_config": { "mode": "any" } },
        "generation_config": { "max_output_tokens": "9", "top_k": 40.0, "stop_sequences": ["x"],
                               "response_mime_type": "application/json",
                               "thinking_config": { "thinking_budget": 0 } },
        "safety_settings": [],
    });
    let request = wire().decode_request(body.to_string().as_bytes()).unwrap();
    assert_eq!(request.messages[0], Message::text(Role::System, "S"));
    let Part::Media(media) = &request.messages[1].parts[0] else { panic!("{request:?}") };
    assert_eq!(media.source, hanok_base::MediaSource::Base64("a+/b".into()));
    assert_eq!(request.tools[0].parameters, Some(json!({ "a_b": 1 })));
    assert_eq!(request.tools[1].extra, *json!({ "googleSearch": {} }).as_object().unwrap());
    assert_eq!(request.tool_choice, ToolChoice::Required);
    let sampling = &request.sampling;
    assert_eq!((sampling.max_tokens, sampling.top_k, sampling.stop.len()), (Some(9), Some(40), 1));
    assert_eq!((request.output, request.reasoning.enabled), (OutputFormat::Json, Some(false)));
    assert_eq!(request.extra.keys().collect::<Vec<_>>(), ["safetySettings"]);

    let counted = json!({ "generateContentRequest": { "model": "models/g", "contents": [{ "parts": [] }] } });
    assert_eq!(wire().decode_request(counted.to_string().as_bytes()).unwrap().model.as_str(), "g");
}

#[test]
fn wrong_requests() {
    let check = |body: Value, expect: &str| {
        let error = wire().decode_request(body.to_string().as_bytes()).unwrap_err().to_string();
        assert!(error.contains(expect), "{body}: {error}");
    };
    check(json!({}), "`contents`: is required");
    check(json!({ "contents": [] }), "`contents`: must hold at least one");
    check(json!({ "contents": "hi" }), "`contents`: must be an array");
    check(
        json!({ "contents": [{ "role": "system", "parts": [] }] }),
        "`contents[0].role`: must be user or model",
    );
    check(
        json!({ "contents": [{ "parts": [{ "text": 7 }] }] }),
        "`contents[0].parts[0].text`: must be a string",
    );
    check(
        json!({ "contents": [{ "parts": [{ "functionResponse": { "response": {} } }] }] }),
        "`contents[0].parts[0].functionResponse.name`: is required",
    );
    check(
        json!({ "contents": [{}], "tools": [{ "functionDeclarations": [{ "description": "d" }] }] }),
        "`tools[0].functionDeclarations[0].name`: is required",
    );
    check(
        json!({ "contents": [{}], "generationConfig": { "topK": "many" } }),
        "`generationConfig.topK`: must be a whole number",
    );
    check(json!({ "contents": [{}], "systemInstruction": "text" }), "`systemInstruction`: must be an object");
}
