//! Every vendor of the table, through answers in its own shape: `tests/fixtures/<vendor>/` holds `chat.json`,
//! `chat.sse`, `models.json` and `error.json` as the vendor sends them, and in `expect.json` what must be read
//! of them.

use crate::server::{Server, Step, chunk, chunked_head, whole};
use crate::{Spans, WAYS, Way, ask, attribute, provider};
use hanok_base::{Provider, ResponseBytes};
use hanok_provider::{MaxTokens, ProviderConfig, StreamUsage, VENDORS, Vendor};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

fn fixture(vendor: &Vendor, file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(vendor.name).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn config(vendor: &'static Vendor, server: &Server) -> ProviderConfig {
    let mut config = ProviderConfig::of_vendor(vendor);
    config.base_url = server.url("/v1");
    config.key = vendor.key_env.map(|_| format!("test-key-{}", vendor.name).into());
    config
}

fn answers(body: Vec<u8>) -> Vec<Step> {
    vec![Step::Read, Step::Write(body)]
}

fn sse(text: &str) -> Vec<u8> {
    // One chunk an event, as servers send them.
    let mut answer = chunked_head("content-type: text/event-stream\r\n");
    for event in text.split_inclusive("\n\n") {
        answer.extend(chunk(event));
    }
    answer.extend(chunk(""));
    answer
}

const JSON: &str = "content-type: application/json\r\n";

#[tokio::test]
async fn every_vendor_answers_through_its_recorded_answers() {
    for vendor in VENDORS {
        let expect: Value = serde_json::from_str(&fixture(vendor, "expect.json")).unwrap();
        let (chat, stream) = (fixture(vendor, "chat.json"), fixture(vendor, "chat.sse"));
        for way in WAYS {
            let name = vendor.name;
            let answer = if way.streams() { sse(&stream) } else { whole("200 OK", JSON, &chat) };
            let server = Server::start(vec![answers(answer)]).await;
            let provider = provider(config(vendor, &server));
            let spans = Spans::default();
            let outcome = ask(&provider, &spans.context(), way).await;
            assert!(outcome.error.is_none(), "{name} {way:?}: {:?}", outcome.error);
            assert_eq!(outcome.text, expect["text"].as_str().unwrap(), "{name} {way:?}");
            check_request(vendor, &server, way);

            let span = spans.only();
            assert_eq!(attribute(&span, "gen_ai.provider.name").unwrap(), name);
            assert_eq!(attribute(&span, "http.response.status_code").unwrap(), 200);
            assert_eq!(attribute(&span, "hanok.time_to_first_token_ms").is_some(), way.streams());
            let exchange = span.exchange.unwrap();
            match exchange.response {
                ResponseBytes::Whole(body) => assert_eq!(body, chat),
                ResponseBytes::Streamed(pieces) => assert_eq!(pieces.concat(), stream.as_bytes()),
                ResponseBytes::None => panic!("{name} {way:?}: no answer was recorded"),
            }
        }
    }
}

fn check_request(vendor: &Vendor, server: &Server, way: Way) {
    let seen = &server.seen()[0];
    assert!(seen.head.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{}", seen.head);
    let auth = vendor.key_env.map(|_| format!("authorization: Bearer test-key-{}\r\n", vendor.name));
    match auth {
        Some(line) => assert!(seen.head.contains(&line), "{}", seen.head),
        None => assert!(!seen.head.contains("authorization"), "{}", seen.head),
    }
    for (name, value) in vendor.quirks.headers {
        assert!(seen.head.contains(&format!("{name}: {value}\r\n")), "{}", seen.head);
    }
    if matches!(way, Way::Chat | Way::ChatStream) {
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        let limit = match vendor.quirks.max_tokens {
            MaxTokens::MaxTokens => "max_tokens",
            MaxTokens::MaxCompletionTokens => "max_completion_tokens",
        };
        assert_eq!(body[limit], 99, "{body}");
        let asks = way.streams() && vendor.quirks.stream_usage == StreamUsage::Ask;
        assert_eq!(body["stream_options"]["include_usage"] == true, asks, "{body}");
    }
}

#[tokio::test]
async fn every_vendor_tells_its_usage_and_finish() {
    use futures_util::StreamExt;
    for vendor in VENDORS {
        let expect: Value = serde_json::from_str(&fixture(vendor, "expect.json")).unwrap();
        let server = Server::start(vec![
            answers(whole("200 OK", &format!("connection: close\r\n{JSON}"), &fixture(vendor, "chat.json"))),
            answers(sse(&fixture(vendor, "chat.sse"))),
        ])
        .await;
        let provider = provider(config(vendor, &server));
        let cx = hanok_base::CallContext::unrecorded();
        let whole = provider.chat(&cx, &crate::request()).await.unwrap();
        let mut collector = hanok_base::stream::Collector::default();
        let mut events = provider.chat_stream(&cx, &crate::request()).await.unwrap();
        while let Some(event) = events.next().await {
            collector.push(event.unwrap());
        }
        for response in [whole, collector.into_response().unwrap()] {
            assert_eq!(response.usage.input, expect["input"].as_u64(), "{}", vendor.name);
            assert_eq!(response.usage.output, expect["output"].as_u64(), "{}", vendor.name);
            assert_eq!(
                response.choices[0].finish.as_str(),
                expect["finish"].as_str().unwrap(),
                "{}",
                vendor.name
            );
        }
    }
}

#[tokio::test]
async fn every_vendor_lists_its_models() {
    for vendor in VENDORS {
        let expect: Value = serde_json::from_str(&fixture(vendor, "expect.json")).unwrap();
        let server = Server::once(whole("200 OK", JSON, &fixture(vendor, "models.json"))).await;
        let models = provider(config(vendor, &server)).models().await.unwrap();
        let names: Vec<_> = models.iter().map(|model| model.name.as_str()).collect();
        let expected: Vec<_> =
            expect["models"].as_array().unwrap().iter().map(|v| v.as_str().unwrap()).collect();
        assert_eq!(names, expected, "{}", vendor.name);
        assert!(
            server.seen()[0].head.starts_with("GET /v1/models HTTP/1.1\r\n"),
            "{}",
            server.seen()[0].head
        );
    }
}

#[tokio::test]
async fn every_vendor_is_understood_when_it_refuses() {
    for vendor in VENDORS {
        let expect: Value = serde_json::from_str(&fixture(vendor, "expect.json")).unwrap();
        let expect = &expect["error"];
        let headers = format!("{JSON}{}", expect["headers"].as_str().unwrap_or_default());
        let status = expect["status"].as_u64().unwrap();
        let answer = whole(&format!("{status} No"), &headers, &fixture(vendor, "error.json"));
        for way in WAYS {
            let server = Server::start(vec![answers(answer.clone())]).await;
            let outcome = ask(&provider(config(vendor, &server)), &Spans::default().context(), way).await;
            let error = outcome.error.unwrap();
            assert_eq!(error.kind.as_str(), expect["kind"].as_str().unwrap(), "{}: {error}", vendor.name);
            assert_eq!(error.status.map(u64::from), Some(status));
            assert_eq!(error.retry_after, expect["retry_after"].as_u64().map(Duration::from_secs));
            assert!(error.message.len() > 10, "{}: {error}", vendor.name);
            assert!(!format!("{error} {error:?}").contains("test-key"), "{}: {error:?}", vendor.name);
        }
    }
}
