//! What passes through: bytes unchanged, heads, spans, and hang-ups.

use crate::server::{Server, Step, chunk, chunked_head, whole};
use crate::{JSON, Spans, attribute, config, provider, raw};
use futures_util::StreamExt;
use hanok_base::{Dialect, Operation, Provider, RawBody, RawCall, ResponseBytes, Route, SpanStatus};
use hanok_provider::{Auth, ConfigError, HttpProvider, ProviderConfig};
use serde_json::Value;

fn sse(events: &[&str]) -> Vec<u8> {
    let mut answer = chunked_head("content-type: text/event-stream; charset=utf-8\r\nx-request-id: r1\r\n");
    for event in events {
        answer.extend(chunk(event));
    }
    answer
}

const FIRST: &str = "data: {\"id\":\"c\",\"model\":\"m\",\"own\":1,\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},\"finish_reason\":null}]}\n\n";
const LAST: &str = "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
const USAGE: &str = "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}\n\n";
const DONE: &str = "data: [DONE]\n\n";

async fn forward(server: &Server, call: RawCall, spans: &Spans) -> (hanok_base::RawResponse, Vec<u8>) {
    let provider = provider(config(server.url("/v1")));
    let mut response = provider.forward(&spans.context(), call).await.unwrap();
    let bytes = match &mut response.body {
        RawBody::Whole(bytes) => bytes.to_vec(),
        RawBody::Stream(pieces) => pieces.map(Result::unwrap).collect::<Vec<_>>().await.concat(),
    };
    response.body = RawBody::Whole(bytes.clone().into());
    (response, bytes)
}

#[tokio::test]
async fn a_whole_answer_passes_byte_for_byte() {
    let body = "{ \"id\": \"c\",\t\"choices\": [{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"x\"},\"finish_reason\":\"stop\"}],\n \"unknown\" : [1.50, \"\\u00e9\"] }";
    let head =
        format!("{JSON}X-Request-Id: r1\r\nx-ratelimit-remaining-requests: 9\r\nserver: secret-sauce\r\n");
    let server = Server::once(whole("200 OK", &head, body)).await;
    let spans = Spans::default();
    let call = raw(false);
    let sent = call.body.clone();
    let (response, bytes) = forward(&server, call, &spans).await;
    assert_eq!(bytes, body.as_bytes());
    assert_eq!((response.status, &*response.content_type), (200, "application/json"));
    let passed: Vec<_> =
        response.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(passed, [("x-request-id", "r1"), ("x-ratelimit-remaining-requests", "9")]);
    assert_eq!(server.seen()[0].body, sent);

    let span = spans.only();
    assert_eq!(
        (span.name.as_str(), span.operation, &span.status),
        ("chat m", Operation::Chat, &SpanStatus::Ok)
    );
    let check = |key: &str, expect: Value| assert_eq!(attribute(&span, key), Some(expect), "{key}");
    check("gen_ai.provider.name", "mock".into());
    check("gen_ai.request.model", "m".into());
    check("server.address", "127.0.0.1".into());
    check("server.port", server.addr.port().into());
    check("hanok.stream", false.into());
    let exchange = span.exchange.unwrap();
    assert_eq!((exchange.dialect, exchange.request), (Dialect::OpenAiChat, sent));
    assert!(matches!(exchange.response, ResponseBytes::Whole(answer) if answer == body));
}

#[tokio::test]
async fn a_stream_passes_event_for_event() {
    let check = async |hide_usage: bool, expect: &[&str]| {
        let mut answer = sse(&[": hello\n\n", FIRST, LAST, USAGE, DONE]);
        answer.extend(chunk(""));
        let server = Server::once(answer).await;
        let spans = Spans::default();
        let (response, bytes) = forward(&server, RawCall { hide_usage, ..raw(true) }, &spans).await;
        assert_eq!(std::str::from_utf8(&bytes).unwrap(), expect.concat());
        assert!(response.content_type.starts_with("text/event-stream"), "{}", response.content_type);
        assert_eq!(response.headers, [("x-request-id".to_owned(), "r1".to_owned())]);
        let span = spans.only();
        assert_eq!(attribute(&span, "hanok.stream"), Some(true.into()));
        let ResponseBytes::Streamed(pieces) = span.exchange.unwrap().response else { panic!("not a stream") };
        let recorded = pieces.concat();
        assert!(
            recorded.ends_with([USAGE, DONE].concat().as_bytes()),
            "usage is recorded even where it is hidden"
        );
    };
    check(false, &[": hello\n\n", FIRST, LAST, USAGE, DONE]).await;
    check(true, &[": hello\n\n", FIRST, LAST, DONE]).await;
}

#[tokio::test]
async fn embeddings_pass_too() {
    let body = r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AACAPw=="}],"model":"e","usage":{"prompt_tokens":2,"total_tokens":2}}"#;
    let server = Server::once(whole("200 OK", JSON, body)).await;
    let spans = Spans::default();
    let call = RawCall { route: Route::Embeddings, model: "e".into(), ..raw(false) };
    assert_eq!(forward(&server, call, &spans).await.1, body.as_bytes());
    assert!(server.seen()[0].head.starts_with("POST /v1/embeddings "), "{}", server.seen()[0].head);
    assert_eq!((spans.only().name.as_str(), spans.only().operation), ("embeddings e", Operation::Embeddings));
}

#[tokio::test]
async fn a_hang_up_closes_the_connection_and_keeps_what_came() {
    let server = Server::start(vec![vec![Step::Read, Step::Write(sse(&[FIRST])), Step::Hold]]).await;
    let provider = provider(config(server.url("/v1")));
    for way in ["raw", "typed"] {
        let spans = Spans::default();
        let cx = spans.context();
        if way == "raw" {
            let response = provider.forward(&cx, raw(true)).await.unwrap();
            let RawBody::Stream(mut pieces) = response.body else { panic!("not a stream") };
            assert_eq!(pieces.next().await.unwrap().unwrap(), FIRST);
        } else {
            let mut events = provider.chat_stream(&cx, &crate::request()).await.unwrap();
            events.next().await.unwrap().unwrap();
        }
        drop(cx);
        server.hung_up(1 + usize::from(way == "typed")).await;
        let span = spans.only();
        assert!(
            matches!(&span.status, SpanStatus::Error(text) if text.starts_with("cancelled")),
            "{:?}",
            span.status
        );
        assert!(attribute(&span, "hanok.time_to_first_token_ms").is_some());
        let ResponseBytes::Streamed(pieces) = span.exchange.unwrap().response else { panic!("not a stream") };
        assert_eq!(pieces.concat(), FIRST.as_bytes());
    }
}

#[tokio::test]
async fn a_client_that_leaves_on_the_last_event_has_its_answer() {
    let server =
        Server::start(vec![vec![Step::Read, Step::Write(sse(&[FIRST, LAST, DONE])), Step::Hold]]).await;
    let spans = Spans::default();
    let provider = provider(config(server.url("/v1")));
    let response = provider.forward(&spans.context(), raw(true)).await.unwrap();
    let RawBody::Stream(mut pieces) = response.body else { panic!("not a stream") };
    let mut got = Vec::new();
    while !got.ends_with(DONE.as_bytes()) {
        got.extend(pieces.next().await.unwrap().unwrap());
    }
    drop(pieces);
    assert_eq!(spans.only().status, SpanStatus::Ok);
}

#[tokio::test]
async fn a_call_that_is_let_go_before_the_head_is_cancelled() {
    let server = Server::start(vec![vec![Step::Read, Step::Hold]]).await;
    let spans = Spans::default();
    let cx = spans.context();
    let provider = provider(config(server.url("/v1")));
    let early =
        tokio::time::timeout(std::time::Duration::from_millis(100), provider.forward(&cx, raw(true))).await;
    assert!(early.is_err());
    drop(cx);
    server.hung_up(1).await;
    assert!(matches!(&spans.only().status, SpanStatus::Error(text) if text.starts_with("cancelled")));
}

#[tokio::test]
async fn streams_leave_their_connection_to_the_next_call() {
    let mut answer = sse(&[FIRST, LAST, DONE]);
    answer.extend(chunk(""));
    let both = vec![Step::Read, Step::Write(answer.clone()), Step::Read, Step::Write(answer)];
    let server = Server::start(vec![both]).await;
    let provider = provider(config(server.url("/v1")));
    for _ in 0..2 {
        let response = provider.forward(&Spans::default().context(), raw(true)).await.unwrap();
        let RawBody::Stream(pieces) = response.body else { panic!("not a stream") };
        assert!(pieces.all(async |piece| piece.is_ok()).await);
    }
    assert_eq!(server.seen().iter().map(|seen| seen.connection).collect::<Vec<_>>(), [0, 0]);
}

#[tokio::test]
async fn headers_are_set_as_configured() {
    let check = async |change: &dyn Fn(&mut ProviderConfig), has: &[&str], has_not: &[&str]| {
        let server = Server::once(whole("200 OK", JSON, r#"{"object":"list","data":[]}"#)).await;
        let mut config = config(server.url("/"));
        change(&mut config);
        provider(config).models().await.unwrap();
        let head = server.seen()[0].head.clone();
        assert!(has.iter().all(|line| head.contains(line)), "{head}");
        assert!(!has_not.iter().any(|line| head.contains(line)), "{head}");
    };
    check(&|_| {}, &["GET /v1/models ", "authorization: Bearer test-key-hidden\r\n"], &[]).await;
    check(&|config| config.key = None, &[], &["authorization"]).await;
    check(
        &|config| config.auth = Some(Auth::Header("api-key")),
        &["api-key: test-key-hidden\r\n"],
        &["authorization"],
    )
    .await;
    let own =
        |config: &mut ProviderConfig| config.headers.push(("Authorization".into(), "Basic eA==".into()));
    check(&own, &["authorization: Basic eA==\r\n"], &["Bearer"]).await;
}

#[test]
fn what_cannot_be_sent_is_refused_without_being_shown() {
    let check = |change: &dyn Fn(&mut ProviderConfig), expect: &str| {
        let mut config = config("http://127.0.0.1:1/v1");
        change(&mut config);
        let client = hanok_net::Client::new(hanok_net::ClientOptions::default()).unwrap();
        let error: ConfigError = HttpProvider::new(config, client).err().unwrap();
        assert!(error.to_string().contains(expect), "{error}");
        assert!(!format!("{error} {error:?}").contains("hidden"), "{error:?}");
    };
    check(&|config| config.key = Some("sk-\nhidden".into()), "the key holds characters");
    check(&|config| config.headers.push(("x".into(), "\0hidden".into())), "`x` is not a header");
    check(&|config| config.headers.push(("a b".into(), "hidden".into())), "`a b` is not a header");
    check(&|config| config.base_url = "127.0.0.1:1".into(), "http:// or https://");
}

#[tokio::test]
async fn what_a_provider_can_do_is_said() {
    let provider = provider(config("http://127.0.0.1:1/v1"));
    let capabilities = provider.capabilities(&"m".into());
    assert_eq!(capabilities.native, hanok_base::Dialects::NONE.with(Dialect::OpenAiChat));
    assert!(capabilities.embeddings && capabilities.stream_usage);
    let mut config = config("http://127.0.0.1:1/v1");
    config.quirks = hanok_provider::vendor("mistral").unwrap().quirks;
    assert!(!crate::provider(config).capabilities(&"m".into()).stream_usage);
}
