//! Typed calls over every dialect: what is asked, what comes back, and what is said of what got lost.

use crate::server::{Server, whole};
use crate::{JSON, LONG, Spans, attribute, provider, request, streamed};
use futures_util::StreamExt;
use hanok_base::stream::Collector;
use hanok_base::{
    CallContext, ChatRequest, ChatResponse, Dialect, EmbedInput, EmbedRequest, Object, Part, Provider,
    ProviderErrorKind, SpanStatus,
};
use hanok_provider::{ProviderConfig, Timeouts};
use serde_json::{Value, json};
use std::path::Path;

const DIALECTS: [Dialect; 5] = [
    Dialect::OpenAiChat,
    Dialect::OpenAiResponses,
    Dialect::AnthropicMessages,
    Dialect::Gemini,
    Dialect::Ollama,
];

fn config(dialect: Dialect, server: &Server) -> ProviderConfig {
    let mut config = ProviderConfig::custom("mock".into(), dialect, server.url("/"));
    config.key = Some("test-key-hidden".into());
    config.timeouts = Timeouts { connect: None, first_byte: LONG, idle: LONG };
    config
}

/// An upstream's answer in a dialect, from the matrix of the dialects' own tests.
fn answer(dialect: Dialect, case: &str, stream: bool) -> Vec<u8> {
    let (end, content_type) = match (stream, dialect) {
        (false, _) => ("json", ""),
        (true, Dialect::Ollama) => ("ndjson", "application/x-ndjson"),
        (true, _) => ("sse", "text/event-stream"),
    };
    let path = format!("../wire/tests/wire/matrix/{case}/{}.answer.{end}", dialect.as_str());
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(&path)).expect(&path);
    if stream { streamed(content_type, &text) } else { whole("200 OK", JSON, &text) }
}

async fn ask(dialect: Dialect, case: &str, stream: bool) -> ChatResponse {
    let server = Server::once(answer(dialect, case, stream)).await;
    let provider = provider(config(dialect, &server));
    let spans = Spans::default();
    let response = if stream {
        let mut events = provider.chat_stream(&spans.context(), &request()).await.unwrap();
        let mut collector = Collector::default();
        while let Some(event) = events.next().await {
            collector.push(event.unwrap());
        }
        collector.into_response().unwrap()
    } else {
        provider.chat(&spans.context(), &request()).await.unwrap()
    };
    let span = spans.only();
    assert_eq!(span.status, SpanStatus::Ok);
    assert_eq!(span.exchange.unwrap().dialect, dialect);
    response
}

/// What an answer says, free of any dialect: its text, its thoughts, its calls.
fn said(response: &ChatResponse) -> (String, String, Vec<(String, Value)>) {
    let message = &response.choices[0].message;
    let mut thoughts = String::new();
    let mut calls = Vec::new();
    for part in &message.parts {
        match part {
            Part::Reasoning(reasoning) => thoughts.push_str(&reasoning.text),
            Part::ToolCall(call) => {
                assert!(!call.id.is_empty(), "a call without an id cannot be answered");
                calls.push((call.name.clone(), serde_json::from_str(&call.arguments).unwrap()));
            }
            _ => {}
        }
    }
    (message.plain_text(), thoughts, calls)
}

#[tokio::test]
async fn every_dialect_says_the_same_whole_and_streamed() {
    for case in ["text", "tools", "parallel", "thinking"] {
        let mut first = None;
        for dialect in DIALECTS {
            for stream in [false, true] {
                let response = ask(dialect, case, stream).await;
                let got = (said(&response), response.choices[0].finish.clone());
                match case {
                    "tools" => assert_eq!(got.0.2.len(), 1, "{dialect:?}"),
                    "parallel" => assert_eq!(got.0.2.len(), 2, "{dialect:?}"),
                    "thinking" => assert!(!got.0.1.is_empty(), "{dialect:?}"),
                    _ => assert!(!got.0.0.is_empty(), "{dialect:?}"),
                }
                assert_eq!(response.usage.output, Some(20), "{case} {dialect:?} {stream}");
                assert_eq!(response.usage.input, Some(100), "{case} {dialect:?} {stream}");
                let first = first.get_or_insert_with(|| got.clone());
                assert_eq!(got, *first, "{case} {dialect:?} streamed: {stream}");
            }
        }
    }
}

#[tokio::test]
async fn what_a_dialect_cannot_say_is_noted_or_refused() {
    let check = async |dialect: Dialect, change: &dyn Fn(&mut ChatRequest), expect: &[&str]| {
        for stream in [false, true] {
            let server = Server::once(answer(dialect, "text", stream)).await;
            let provider = provider(config(dialect, &server));
            let mut request = request();
            change(&mut request);
            let call = async |cx: &CallContext| {
                if stream {
                    provider.chat_stream(cx, &request).await.map(drop)
                } else {
                    provider.chat(cx, &request).await.map(drop)
                }
            };
            let lenient = CallContext::unrecorded().attempt(false);
            call(&lenient).await.unwrap();
            let noted = lenient.degradations();
            let params: Vec<&str> = noted.iter().map(|lost| lost.param.as_str()).collect();
            assert_eq!(params, expect, "{dialect:?}: {noted:?}");
            assert!(noted.iter().all(|lost| !lost.message.is_empty()));

            let strict = call(&CallContext::unrecorded().attempt(true)).await;
            let sent = server.seen().len();
            if expect.is_empty() {
                strict.unwrap();
                assert_eq!(sent, 2);
            } else {
                let error = strict.unwrap_err();
                assert_eq!(error.kind, ProviderErrorKind::Unsupported, "{error}");
                assert!(error.message.contains(expect[0]), "{error}");
                assert_eq!(sent, 1, "what is refused is not sent");
            }
        }
    };
    for dialect in DIALECTS {
        check(dialect, &|_| {}, &[]).await;
    }
    let seed = |request: &mut ChatRequest| request.sampling.seed = Some(7);
    check(Dialect::OpenAiChat, &seed, &[]).await;
    check(Dialect::Gemini, &seed, &[]).await;
    check(Dialect::AnthropicMessages, &seed, &["seed"]).await;
    check(Dialect::OpenAiResponses, &seed, &["seed"]).await;
    let top_k = |request: &mut ChatRequest| request.sampling.top_k = Some(5);
    check(Dialect::OpenAiChat, &top_k, &["top_k"]).await;
    check(Dialect::Ollama, &top_k, &[]).await;
    let foreign = |request: &mut ChatRequest| {
        request.dialect = Some(Dialect::OpenAiChat);
        request.extra.insert("logit_bias".into(), json!({"1": 2}));
    };
    check(Dialect::OpenAiChat, &foreign, &[]).await;
    check(Dialect::AnthropicMessages, &foreign, &["logit_bias"]).await;
    check(Dialect::Gemini, &foreign, &["logit_bias"]).await;
}

#[tokio::test]
async fn an_answer_of_another_dialect_is_an_error() {
    for dialect in DIALECTS {
        for other in DIALECTS.into_iter().filter(|other| *other != dialect) {
            for stream in [false, true] {
                let server = Server::once(answer(other, "text", stream)).await;
                let provider = provider(config(dialect, &server));
                let spans = Spans::default();
                let error = if stream {
                    match provider.chat_stream(&spans.context(), &request()).await {
                        Err(error) => error,
                        Ok(events) => {
                            let all: Vec<_> = events.collect().await;
                            all.into_iter().find_map(Result::err).expect("an explicit error")
                        }
                    }
                } else {
                    provider.chat(&spans.context(), &request()).await.unwrap_err()
                };
                let place = format!("{other:?} as {dialect:?}, streamed: {stream}: {error}");
                assert!(
                    matches!(error.kind, ProviderErrorKind::Decode | ProviderErrorKind::Truncated),
                    "{place}"
                );
                assert_eq!(attribute(&spans.only(), "error.type").unwrap(), error.kind.as_str(), "{place}");
            }
        }
    }
}

fn embed_request(dimensions: Option<u32>) -> EmbedRequest {
    EmbedRequest {
        model: "e".into(),
        inputs: ["Busan", "Seoul"].map(|text| EmbedInput::Text(text.to_owned())).into(),
        dimensions,
        task: None,
        user: None,
        dialect: None,
        extra: Object::new(),
    }
}

#[tokio::test]
async fn embeddings_over_every_dialect_that_has_them() {
    let vectors = [vec![0.25, -0.5], vec![0.75, 1.0]];
    let check = async |dialect: Dialect, answer: Value, path: &str, asks: Value| {
        let server = Server::once(whole("200 OK", JSON, &answer.to_string())).await;
        let provider = provider(config(dialect, &server));
        let spans = Spans::default();
        let response = provider.embed(&spans.context(), &embed_request(Some(2))).await.unwrap();
        assert_eq!(response.vectors, vectors, "{dialect:?}");
        let seen = &server.seen()[0];
        assert!(seen.head.starts_with(&format!("POST {path} ")), "{}", seen.head);
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        for (pointer, value) in asks.as_object().unwrap() {
            assert_eq!(body.pointer(pointer), Some(value), "{dialect:?} {pointer}: {body}");
        }
        assert_eq!(spans.only().name, "embeddings e");
    };
    let list = json!({"object": "list", "model": "e", "usage": {"prompt_tokens": 2, "total_tokens": 2}, "data": [
        {"object": "embedding", "index": 1, "embedding": [0.75, 1.0]},
        {"object": "embedding", "index": 0, "embedding": [0.25, -0.5]}]});
    let asks = json!({"/model": "e", "/input": ["Busan", "Seoul"], "/dimensions": 2});
    check(Dialect::OpenAiChat, list.clone(), "/v1/embeddings", asks.clone()).await;
    check(Dialect::OpenAiResponses, list, "/v1/embeddings", asks.clone()).await;
    let ollama = json!({"model": "e", "embeddings": vectors, "prompt_eval_count": 2});
    check(Dialect::Ollama, ollama, "/api/embed", asks).await;
    let gemini = json!({"embeddings": [{"values": vectors[0]}, {"values": vectors[1]}]});
    let asks = json!({
        "/requests/1/content/parts/0/text": "Seoul",
        "/requests/0/outputDimensionality": 2,
        "/requests/0/model": "models/e",
    });
    check(Dialect::Gemini, gemini, "/v1beta/models/e:batchEmbedContents", asks).await;

    let server = Server::once(Vec::new()).await;
    let provider = provider(config(Dialect::AnthropicMessages, &server));
    let error = provider.embed(&CallContext::unrecorded(), &embed_request(None)).await.unwrap_err();
    assert_eq!(error.kind, ProviderErrorKind::Unsupported, "{error}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn vectors_that_are_none_are_an_error() {
    let check = async |answer: Value| {
        let server = Server::once(whole("200 OK", JSON, &answer.to_string())).await;
        let provider = provider(config(Dialect::OpenAiChat, &server));
        let spans = Spans::default();
        let result = provider.embed(&spans.context(), &embed_request(None)).await;
        let error = result.err().unwrap_or_else(|| panic!("taken for good: {answer}"));
        assert_eq!(error.kind, ProviderErrorKind::Decode, "{error}");
        assert!(matches!(spans.only().status, SpanStatus::Error(_)));
    };
    check(json!({})).await;
    check(json!({"data": [{"index": 0, "embedding": "!"}]})).await;
    check(json!({"data": [{"index": 0, "embedding": ["a"]}]})).await;
    check(json!({"data": [{"index": 0, "embedding": [1.0]}]})).await;
}
