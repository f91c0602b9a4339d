//! What clients get, chunk by chunk, and what else they may ask for.

use super::{chunks, decode, encode, wire};
use crate::streams::collect;
use bytes::Bytes;
use hanok_base::chat::Quote;
use hanok_base::{
    Citation, Delta, Dialect, EmbedInput, EmbedRequest, EmbedResponse, ErrorKind, FinishReason, Object, Part,
    Problem, Reasoning, Route, Signature, StreamEvent, ToolCall, Usage,
};
use hanok_wire::{Patch, StreamOptions};
use serde_json::{Value, json};

fn start(dialect: Option<Dialect>) -> StreamEvent {
    StreamEvent::Start { id: "r".into(), model: "m".into(), created: 0, dialect, extra: Object::new() }
}

fn begin(part: usize, value: Part) -> StreamEvent {
    StreamEvent::PartStart { choice: 0, part, value }
}

fn grow(part: usize, delta: Delta) -> StreamEvent {
    StreamEvent::PartDelta { choice: 0, part, delta }
}

fn end(part: usize) -> StreamEvent {
    StreamEvent::PartEnd { choice: 0, part }
}

fn finish(reason: FinishReason) -> StreamEvent {
    StreamEvent::Finish { choice: 0, reason }
}

fn call(id: &str, name: &str) -> Part {
    Part::ToolCall(ToolCall { id: id.into(), name: name.into(), ..ToolCall::default() })
}

fn text() -> Part {
    Part::Text(String::new())
}

/// The parts of each chunk, and what the last one ends with.
fn check(events: &[StreamEvent], parts: &[Value], last: &Value) {
    let got = chunks(&encode(events));
    let said: Vec<Value> =
        got.iter().map(|chunk| chunk["candidates"][0]["content"]["parts"].clone()).collect();
    assert_eq!(said, parts);
    let mut got = got.last().unwrap().clone();
    let candidate = got["candidates"][0].as_object_mut().unwrap();
    candidate.shift_remove("content");
    assert_eq!(got, *last);
}

#[test]
fn streams() {
    let usage = Usage { input: Some(5), output: Some(9), reasoning: Some(4), ..Usage::default() };
    check(
        &[
            start(None),
            begin(0, Part::Reasoning(Reasoning::default())),
            grow(0, Delta::Reasoning("Hm".into())),
            begin(1, text()),
            grow(1, Delta::Text("Hi".into())),
            grow(1, Delta::Text("!".into())),
            end(0),
            end(1),
            finish(FinishReason::Stop),
            StreamEvent::Usage(usage),
        ],
        &[
            json!([{ "text": "Hm", "thought": true }]),
            json!([{ "text": "Hi" }]),
            json!([{ "text": "!" }]),
            json!([{ "text": "" }]),
        ],
        &json!({
            "candidates": [{ "finishReason": "STOP", "index": 0 }],
            "usageMetadata": { "promptTokenCount": 5, "candidatesTokenCount": 5, "totalTokenCount": 14,
                               "thoughtsTokenCount": 4 },
            "modelVersion": "m", "responseId": "r",
        }),
    );
    let end_of = |reason: &str| json!({ "candidates": [{ "finishReason": reason, "index": 0 }], "modelVersion": "m", "responseId": "r" });
    // Calls that grow in turns go out whole, each when it ends.
    check(
        &[
            start(Some(Dialect::OpenAiChat)),
            begin(0, call("a", "one")),
            begin(1, call("b", "two")),
            grow(0, Delta::Arguments("{\"x\"".into())),
            grow(1, Delta::Arguments("{}".into())),
            end(1),
            grow(0, Delta::Arguments(":1}".into())),
            finish(FinishReason::ToolCalls),
        ],
        &[
            json!([{ "functionCall": { "id": "b", "name": "two", "args": {} } }]),
            json!([{ "functionCall": { "id": "a", "name": "one", "args": { "x": 1 } } }]),
            json!([{ "text": "" }]),
        ],
        &end_of("STOP"),
    );
    // Of texts that grow in turns, the second waits.
    check(
        &[
            start(None),
            begin(0, text()),
            begin(1, text()),
            grow(0, Delta::Text("a".into())),
            grow(1, Delta::Text("c".into())),
            end(1),
            grow(0, Delta::Text("b".into())),
            end(0),
            finish(FinishReason::Length),
        ],
        &[
            json!([{ "text": "a" }]),
            json!([{ "text": "b" }]),
            json!([{ "text": "c" }]),
            json!([{ "text": "" }]),
        ],
        &end_of("MAX_TOKENS"),
    );
    check(
        &[
            start(None),
            begin(0, Part::Refusal(String::new())),
            grow(0, Delta::Text("No.".into())),
            finish(FinishReason::Stop),
        ],
        &[json!([{ "text": "No." }]), json!([{ "text": "" }])],
        &end_of("SAFETY"),
    );
    // What clients know no word for.
    check(
        &[start(None), finish(FinishReason::Other("pause_turn".into()))],
        &[json!([{ "text": "" }])],
        &end_of("OTHER"),
    );
}

/// Signatures of other providers are base64 for clients, and find back.
#[test]
fn foreign_signatures() {
    let of = |value: &str| Signature { of: Dialect::AnthropicMessages, value: value.to_owned() };
    let events = [
        start(Some(Dialect::AnthropicMessages)),
        begin(0, Part::Reasoning(Reasoning::default())),
        grow(0, Delta::Reasoning("H".into())),
        grow(0, Delta::Reasoning("mm".into())),
        grow(0, Delta::Signature(of("Ab+"))),
        grow(0, Delta::Signature(of("/d=="))),
        end(0),
        begin(
            1,
            Part::Reasoning(Reasoning { signature: Some(of("hid")), redacted: true, ..Reasoning::default() }),
        ),
        end(1),
        begin(
            2,
            Part::ToolCall(ToolCall {
                signature: Some(of("c")),
                id: "i".into(),
                name: "f".into(),
                ..ToolCall::default()
            }),
        ),
        end(2),
        finish(FinishReason::ToolCalls),
    ];
    let told: Vec<Value> = chunks(&encode(&events))
        .iter()
        .flat_map(|chunk| chunk["candidates"][0]["content"]["parts"].as_array().unwrap().clone())
        .collect();
    let echoed = json!({ "contents": [{ "role": "model", "parts": told }] }).to_string();
    let pieces: Vec<Value> = told.iter().map(|part| json!({ "role": "model", "parts": [part] })).collect();
    let pieces = json!({ "contents": pieces }).to_string();
    // Google's Python client keeps a content for each chunk, and writes the other alphabet of base64.
    for body in [echoed, pieces.clone(), pieces.replace('+', "-").replace('/', "_")] {
        let request = wire().decode_request(body.as_bytes()).unwrap();
        let signatures: Vec<(&Signature, bool, &str)> = request.messages[0]
            .parts
            .iter()
            .filter_map(|part| match part {
                Part::Reasoning(thought) => {
                    Some((thought.signature.as_ref()?, thought.redacted, thought.text.as_str()))
                }
                Part::ToolCall(call) => Some((call.signature.as_ref()?, false, call.id.as_str())),
                _ => None,
            })
            .collect();
        assert_eq!(
            signatures,
            [(&of("Ab+/d=="), false, "Hmm"), (&of("hid"), true, ""), (&of("c"), false, "i")]
        );
    }
}

#[test]
fn verified_citations() {
    let quote = Quote {
        source: "guide.md".into(),
        start: 12,
        end: 30,
        text: "나무로 지은".into(),
        pages: Some((4, 4)),
    };
    let cited = Citation {
        start_index: 4,
        end_index: 10,
        url: "/source/guide.md".into(),
        title: "guide.md".into(),
        quote: Some(quote),
        extra: Object::new(),
    };
    let events = [
        start(None),
        begin(0, text()),
        grow(0, Delta::Text("한옥은 나무로 지은 집".into())),
        end(0),
        begin(1, Part::Citation(cited.clone())),
        end(1),
        finish(FinishReason::Stop),
    ];
    let bytes = encode(&events);
    let last = chunks(&bytes).last().unwrap()["candidates"][0]["groundingMetadata"].clone();
    let chunk = &last["groundingChunks"][0]["retrievedContext"];
    assert_eq!(
        (chunk["uri"].as_str(), chunk["text"].as_str()),
        (Some("/source/guide.md"), Some("나무로 지은"))
    );
    let segment = &last["groundingSupports"][0]["segment"];
    assert_eq!(*segment, json!({ "startIndex": 10, "endIndex": 26, "text": "나무로 지은" }));
    let response = collect(decode([bytes.as_slice()]).0).unwrap();
    assert_eq!(response.choices[0].message.parts[1], Part::Citation(cited));
}

#[test]
fn errors() {
    let mut problem =
        Problem::new(ErrorKind::RateLimited, "rate_limited", "slow down").param("model").hint("wait");
    problem.retry_after = Some(3);
    let body: Value = serde_json::from_slice(&wire().encode_error(&problem, Some("q1"))).unwrap();
    let error = &body["error"];
    assert_eq!((&error["code"], &error["status"]), (&json!(429), &json!("RESOURCE_EXHAUSTED")));
    assert_eq!(error["message"], "slow down");
    assert_eq!(error["details"][0]["reason"], "rate_limited");
    assert_eq!(error["details"][0]["metadata"]["hint"], "wait");
    assert_eq!(error["details"][1]["fieldViolations"][0]["field"], "model");
    assert_eq!(error["details"][2]["retryDelay"], "3s");
    assert_eq!(error["details"][3]["requestId"], "q1");

    // An error behind the end of the choice takes the end back: it must not look complete.
    let mut out = Vec::new();
    let mut encoder = wire().stream_encoder(StreamOptions::default());
    for event in [start(None), begin(0, text()), grow(0, Delta::Text("a".into())), finish(FinishReason::Stop)]
    {
        encoder.encode(&event, &mut out);
    }
    encoder.error(&problem, &mut out);
    let got = chunks(&out);
    assert_eq!(got.len(), 2);
    // Google's Python client looks for this beginning.
    assert!(got[1].to_string().starts_with(r#"{"error":{"code":429"#));
    assert!(decode([out.as_slice()]).1.is_err());
}

#[test]
fn embeddings() {
    let batch = json!({ "requests": [
        { "model": "models/e", "content": { "parts": [{ "text": "a" }, { "text": "b" }] }, "taskType": "RETRIEVAL_QUERY", "outputDimensionality": 8 },
        { "model": "models/e", "content": { "parts": [{ "text": "c" }] }, "task_type": "RETRIEVAL_QUERY", "outputDimensionality": 8 },
    ] }).to_string();
    let request = wire().decode_embed_request(Route::BatchEmbeddings, batch.as_bytes()).unwrap();
    assert_eq!(request.inputs, [EmbedInput::Text("ab".into()), EmbedInput::Text("c".into())]);
    assert_eq!(
        (request.model.as_str(), request.dimensions, request.task.as_deref()),
        ("e", Some(8), Some("RETRIEVAL_QUERY"))
    );

    let encoded = wire().encode_embed_request(&request).unwrap();
    assert_eq!(encoded.lost, []);
    let again = wire().decode_embed_request(Route::BatchEmbeddings, &encoded.body).unwrap();
    assert_eq!(again, request);

    let differs = batch.replacen("RETRIEVAL_QUERY", "CLUSTERING", 1);
    let error = wire().decode_embed_request(Route::BatchEmbeddings, differs.as_bytes()).unwrap_err();
    assert!(error.to_string().contains("`requests[1].taskType`: must be the same"), "{error}");

    let one = json!({ "content": { "parts": [{ "text": "a" }] }, "embedContentConfig": { "title": "T", "outputDimensionality": 4 } });
    let one = wire().decode_embed_request(Route::Embeddings, one.to_string().as_bytes()).unwrap();
    assert_eq!((one.dimensions, one.extra.get("title")), (Some(4), Some(&json!("T"))));

    let foreign = EmbedRequest {
        dialect: Some(Dialect::OpenAiChat),
        task: Some("search_document".into()),
        extra: Object::from_iter([("encoding_format".to_owned(), json!("float"))]),
        ..request.clone()
    };
    let encoded = wire().encode_embed_request(&foreign).unwrap();
    assert_eq!(encoded.lost[0].param, "encoding_format");
    assert!(String::from_utf8(encoded.body).unwrap().contains("\"taskType\":\"RETRIEVAL_DOCUMENT\""));
    let tokens = EmbedRequest { inputs: vec![EmbedInput::Tokens(vec![1])], ..foreign };
    assert!(wire().encode_embed_request(&tokens).unwrap_err().to_string().contains("`input[0]`"));

    let response = EmbedResponse {
        model: "".into(),
        vectors: vec![vec![0.1, -2.5], vec![1e-8, 3.0]],
        usage: Usage { input: Some(4), ..Usage::default() },
    };
    let body = wire().encode_embed_response(Route::BatchEmbeddings, &response, b"");
    assert_eq!(
        String::from_utf8(body.clone()).unwrap(),
        r#"{"embeddings":[{"values":[0.1,-2.5]},{"values":[1e-8,3.0]}],"usageMetadata":{"promptTokenCount":4}}"#
    );
    assert_eq!(wire().decode_embed_response(&body).unwrap(), response);
    let body = wire().encode_embed_response(Route::Embeddings, &response, b"");
    assert_eq!(wire().decode_embed_response(&body).unwrap().vectors, response.vectors[..1]);
    assert!(wire().decode_embed_response(br#"{"error":{"code":400,"message":"bad"}}"#).is_err());
}

/// The models that a batch's entries name are those of the URL.
#[test]
fn batches_are_patched() {
    let body =
        Bytes::from_static(br#"{"requests":[{"model":"models/ours","content":{"parts":[{"text":"a"}]}}]}"#);
    let peek = wire().peek(Route::BatchEmbeddings, &body).unwrap();
    assert_eq!((peek.model.as_str(), peek.stream), ("", false));
    let patched = wire().patch(&body, &peek, &Patch { model: "gemini-embedding-001", ..Patch::default() });
    let expect = std::str::from_utf8(&body).unwrap().replace("ours", "gemini-embedding-001");
    assert_eq!(patched, expect);
    assert_eq!(wire().encode_token_count(31), br#"{"totalTokens":31}"#);
}
