//! Every vendor of the table, through answers in its own shape: `tests/fixtures/<vendor>/` holds `chat.json`,
//! `chat.sse`, `models.json`, `embeddings.json`, `rerank.json`, `count.json` and `error.json` as the vendor
//! sends them, where it has them, and in `expect.json` what must be read of them.

use crate::server::{Server, Step, whole};
use crate::{JSON, Spans, WAYS, Way, ask_in, attribute, provider, streamed};
use hanok_base::{
    CallContext, Dialect, EmbedInput, EmbedRequest, Object, Provider, ProviderError, RawBody, RawCall,
    RerankRequest, ResponseBytes, Route,
};
use hanok_provider::{Auth, MaxTokens, Models, ProviderConfig, Rerank, StreamUsage, VENDORS, Vendor};
use hanok_wire::codec;
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

/// A vendor with what is expected of it.
struct Case {
    vendor: &'static Vendor,
    expect: Value,
}

fn cases() -> impl Iterator<Item = Case> {
    VENDORS.iter().map(|vendor| {
        let expect = fixture(vendor, "expect.json");
        Case { vendor, expect: serde_json::from_str(&expect).unwrap() }
    })
}

fn fixture(vendor: &Vendor, file: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(vendor.name).join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

impl Case {
    fn name(&self) -> &'static str {
        self.vendor.name
    }
    fn file(&self, name: &str) -> String {
        fixture(self.vendor, name)
    }
    fn chats(&self) -> bool {
        self.expect.get("text").is_some()
    }

    /// The path of the vendor's base URL, as it is asked.
    fn base_path(&self) -> String {
        let named = self.vendor.base_url.split_once("://").and_then(|(_, rest)| rest.split_once('/'));
        match (named, self.vendor.quirks.usual_path) {
            (Some((_, path)), _) => format!("/{path}"),
            (None, Some(path)) if !path.is_empty() => format!("/{path}"),
            (None, _) => String::new(),
        }
    }

    /// The vendor at a server of the test, under its own path.
    fn config(&self, server: &Server) -> ProviderConfig {
        let mut config = ProviderConfig::of_vendor(self.vendor);
        config.base_url = server.url(&self.base_path());
        config.key = self.vendor.key_env.map(|_| format!("test-key-{}", self.name()).into());
        config
    }

    async fn ask(&self, server: &Server, cx: &CallContext, way: Way) -> crate::Outcome {
        ask_in(self.vendor.dialect, &provider(self.config(server)), cx, way).await
    }

    async fn embed(&self, server: &Server, cx: &CallContext) -> Result<Vec<Vec<f32>>, ProviderError> {
        let request = EmbedRequest {
            model: "e".into(),
            inputs: ["Busan", "Seoul"].map(|text| EmbedInput::Text(text.to_owned())).into(),
            dimensions: None,
            task: None,
            user: None,
            dialect: None,
            extra: Object::new(),
        };
        provider(self.config(server)).embed(cx, &request).await.map(|response| response.vectors)
    }

    /// Checks where a request went, and under which key.
    fn check_head(&self, head: &str, path: &str) {
        let name = self.name();
        let base = self.base_path();
        assert!(head.starts_with(&format!("POST {base}/{path} HTTP/1.1\r\n")), "{name}: {head}");
        self.check_key(head);
    }

    fn check_key(&self, head: &str) {
        let (vendor, name) = (self.vendor, self.name());
        let usual = match vendor.dialect {
            Dialect::AnthropicMessages => Auth::Header("x-api-key"),
            Dialect::Gemini => Auth::Header("x-goog-api-key"),
            _ => Auth::Bearer,
        };
        let line = match vendor.auth.unwrap_or(usual) {
            Auth::Bearer => format!("\r\nauthorization: Bearer test-key-{name}\r\n"),
            Auth::Header(header) => format!("\r\n{header}: test-key-{name}\r\n"),
        };
        let keys = head.lines().filter(|line| line.contains("test-key-")).count();
        assert_eq!(keys, usize::from(vendor.key_env.is_some()), "{head}");
        assert_eq!(head.contains(&line), vendor.key_env.is_some(), "{head}");
        for (header, value) in vendor.quirks.headers {
            assert!(head.contains(&format!("\r\n{header}: {value}\r\n")), "{head}");
        }
    }

    fn check_request(&self, server: &Server, way: Way) {
        let (seen, vendor) = (&server.seen()[0], self.vendor);
        let path = codec(vendor.dialect).path(Route::Chat, "m", way.streams()).unwrap();
        self.check_head(&seen.head, &path);
        if matches!(way, Way::ForwardWhole | Way::ForwardStream) {
            return;
        }
        let body: Value = serde_json::from_slice(&seen.body).unwrap();
        let limit = match (vendor.dialect, vendor.quirks.max_tokens) {
            (Dialect::Gemini, _) => "/generationConfig/maxOutputTokens",
            (_, MaxTokens::MaxTokens) => "/max_tokens",
            (_, MaxTokens::MaxCompletionTokens) => "/max_completion_tokens",
        };
        assert_eq!(body.pointer(limit), Some(&99.into()), "{body}");
        let asks = way.streams()
            && vendor.quirks.stream_usage == StreamUsage::Ask
            && vendor.dialect == Dialect::OpenAiChat;
        assert_eq!(body["stream_options"]["include_usage"] == true, asks, "{}: {body}", self.name());
    }
}

fn answers(body: Vec<u8>) -> Vec<Step> {
    vec![Step::Read, Step::Write(body)]
}

const EVENTS: &str = "text/event-stream";

#[tokio::test]
async fn every_vendor_answers_through_its_recorded_answers() {
    for case in cases().filter(Case::chats) {
        let (chat, stream) = (case.file("chat.json"), case.file("chat.sse"));
        for way in WAYS {
            let name = case.name();
            let answer = if way.streams() { streamed(EVENTS, &stream) } else { whole("200 OK", JSON, &chat) };
            let server = Server::start(vec![answers(answer)]).await;
            let spans = Spans::default();
            let outcome = case.ask(&server, &spans.context(), way).await;
            assert!(outcome.error.is_none(), "{name} {way:?}: {:?}", outcome.error);
            assert_eq!(outcome.text, case.expect["text"].as_str().unwrap(), "{name} {way:?}");
            case.check_request(&server, way);

            let span = spans.only();
            assert_eq!(attribute(&span, "gen_ai.provider.name").unwrap(), name);
            assert_eq!(attribute(&span, "http.response.status_code").unwrap(), 200);
            assert_eq!(attribute(&span, "hanok.time_to_first_token_ms").is_some(), way.streams());
            let exchange = span.exchange.unwrap();
            assert_eq!(exchange.dialect, case.vendor.dialect);
            match exchange.response {
                ResponseBytes::Whole(body) => assert_eq!(body, chat),
                ResponseBytes::Streamed(pieces) => assert_eq!(pieces.concat(), stream.as_bytes()),
                ResponseBytes::None => panic!("{name} {way:?}: no answer was recorded"),
            }
        }
    }
}

#[tokio::test]
async fn every_vendor_tells_its_usage_and_finish() {
    for case in cases().filter(Case::chats) {
        let (name, expect) = (case.name(), &case.expect);
        let server = Server::start(vec![
            answers(whole("200 OK", &format!("connection: close\r\n{JSON}"), &case.file("chat.json"))),
            answers(streamed(EVENTS, &case.file("chat.sse"))),
        ])
        .await;
        let provider = provider(case.config(&server));
        let cx = CallContext::unrecorded();
        let whole = provider.chat(&cx, &crate::request()).await.unwrap();
        let mut collector = hanok_base::stream::Collector::default();
        let mut events = provider.chat_stream(&cx, &crate::request()).await.unwrap();
        while let Some(event) = futures_util::StreamExt::next(&mut events).await {
            collector.push(event.unwrap());
        }
        for response in [whole, collector.into_response().unwrap()] {
            assert_eq!(response.usage.input, expect["input"].as_u64(), "{name}");
            assert_eq!(response.usage.output, expect["output"].as_u64(), "{name}");
            assert_eq!(response.choices[0].finish.as_str(), expect["finish"].as_str().unwrap(), "{name}");
        }
    }
}

#[tokio::test]
async fn every_vendor_lists_its_models() {
    for case in cases() {
        let expected: Vec<&str> =
            case.expect["models"].as_array().unwrap().iter().map(|name| name.as_str().unwrap()).collect();
        let listed = case.vendor.quirks.models != Models::Unlisted;
        let body = if listed { case.file("models.json") } else { "unasked".to_owned() };
        let server = Server::once(whole("200 OK", JSON, &body)).await;
        let models = provider(case.config(&server)).models().await.unwrap();
        let names: Vec<_> = models.iter().map(|model| model.name.as_str()).collect();
        assert_eq!(names, expected, "{}", case.name());
        assert_eq!(server.seen().len(), usize::from(listed), "{}", case.name());
        if let Some(seen) = server.seen().first() {
            let path = format!("GET {}/models", case.base_path());
            assert!(seen.head.starts_with(&path), "{}", seen.head);
            case.check_key(&seen.head);
        }
    }
}

#[tokio::test]
async fn every_vendor_is_understood_when_it_refuses() {
    for case in cases() {
        let (name, expect) = (case.name(), &case.expect["error"]);
        let headers = format!("{JSON}{}", expect["headers"].as_str().unwrap_or_default());
        let status = expect["status"].as_u64().unwrap();
        let answer = whole(&format!("{status} No"), &headers, &case.file("error.json"));
        let ways: &[Way] = if case.chats() { &WAYS } else { &[] };
        let mut errors = Vec::new();
        for way in ways {
            let server = Server::start(vec![answers(answer.clone())]).await;
            errors.push(case.ask(&server, &CallContext::unrecorded(), *way).await.error.unwrap());
        }
        if case.expect.get("embeddings").is_some() {
            let server = Server::start(vec![answers(answer.clone())]).await;
            errors.push(case.embed(&server, &CallContext::unrecorded()).await.unwrap_err());
        }
        assert!(!errors.is_empty(), "{name}: nothing can be asked of it");
        for error in errors {
            assert_eq!(error.kind.as_str(), expect["kind"].as_str().unwrap(), "{name}: {error}");
            assert_eq!(error.status.map(u64::from), Some(status));
            assert_eq!(error.retry_after, expect["retry_after"].as_u64().map(Duration::from_secs), "{name}");
            assert!(error.message.len() > 10, "{name}: {error}");
            assert!(!format!("{error} {error:?}").contains("test-key"), "{name}: {error:?}");
        }
    }
}

#[tokio::test]
async fn vendors_with_embeddings_give_them() {
    let mut seen_shapes = 0;
    for case in cases().filter(|case| case.expect.get("embeddings").is_some()) {
        assert!(case.vendor.quirks.embeddings, "{}", case.name());
        let server = Server::once(whole("200 OK", JSON, &case.file("embeddings.json"))).await;
        let vectors = case.embed(&server, &CallContext::unrecorded()).await.unwrap();
        let expect: Vec<Vec<f32>> = serde_json::from_value(case.expect["embeddings"].clone()).unwrap();
        assert_eq!(vectors, expect, "{}", case.name());
        let path = match case.vendor.dialect {
            Dialect::Gemini => "models/e:batchEmbedContents",
            _ => "embeddings",
        };
        case.check_head(&server.seen()[0].head, path);
        seen_shapes += 1;
    }
    assert!(seen_shapes >= 5, "{seen_shapes}");
}

#[tokio::test]
async fn vendors_rerank_where_they_do() {
    for case in cases() {
        let name = case.name();
        let body = r#"{"model":"r","query":"capital?","documents":["Busan","Seoul"],"top_n":1}"#;
        let call = RawCall::new(Dialect::OpenAiChat, Route::Rerank, "r".into(), body.into());
        let cx = CallContext::unrecorded();
        let Some(path) = case.expect["rerank"].as_str() else {
            if case.vendor.quirks.rerank == Rerank::No {
                let server = Server::once(Vec::new()).await;
                let error = provider(case.config(&server)).forward(&cx, call).await.err().unwrap();
                assert_eq!(error.kind, hanok_base::ProviderErrorKind::Unsupported, "{name}: {error}");
                assert!(server.seen().is_empty(), "{name}");
            }
            continue;
        };
        let answer = case.file("rerank.json");
        let server = Server::once(whole("200 OK", JSON, &answer)).await;
        let response = provider(case.config(&server)).forward(&cx, call).await.unwrap();
        let RawBody::Whole(bytes) = response.body else { panic!("{name}: streamed") };
        assert_eq!(bytes, answer);
        let seen = &server.seen()[0];
        assert!(seen.head.starts_with(&format!("POST {path} HTTP/1.1\r\n")), "{name}: {}", seen.head);
        assert_eq!(seen.body, body.as_bytes());
        case.check_key(&seen.head);
    }
}

#[tokio::test]
async fn rerankings_of_every_shape_are_read_in_types() {
    let mut seen_shapes = 0;
    for case in cases().filter(|case| case.expect["rerank"].is_string()) {
        let (name, answer) = (case.name(), case.file("rerank.json"));
        let request = RerankRequest {
            model: "r".into(),
            query: "capital?".into(),
            documents: vec!["Busan has a harbour.".into(), "Seoul is the capital.".into()],
            top_n: None,
        };
        let server = Server::once(whole("200 OK", JSON, &answer)).await;
        let spans = Spans::default();
        let response = provider(case.config(&server)).rerank(&spans.context(), &request).await.unwrap();
        let best = usize::from(name != "voyage");
        assert_eq!((response.ranked.len(), response.ranked[0].0), (2, best), "{name}: {response:?}");
        assert!(response.ranked[0].1 > response.ranked[1].1, "{name}: {response:?}");
        let body: Value = serde_json::from_slice(&server.seen()[0].body).unwrap();
        let texts = if name == "tei" { "texts" } else { "documents" };
        assert_eq!(
            (&body["query"], body[texts].as_array().unwrap().len()),
            (&"capital?".into(), 2),
            "{body}"
        );
        assert_eq!(body["model"] == "r", name != "tei", "{body}");
        let span = spans.only();
        assert_eq!(span.operation, hanok_base::Operation::Rerank);
        let tokens = attribute(&span, "gen_ai.usage.input_tokens").and_then(|tokens| tokens.as_u64());
        assert_eq!(tokens, response.usage.input, "{name}");
        assert!(tokens.is_some() || !answer.contains("total_tokens"), "{name}");
        seen_shapes += 1;
    }
    assert!(seen_shapes >= 4, "{seen_shapes}");

    let check = async |body: &str, expect: &str| {
        let case = cases().find(|case| case.name() == "jina").unwrap();
        let request = RerankRequest {
            model: "r".into(),
            query: "q".into(),
            documents: vec!["a".into(), "b".into()],
            top_n: None,
        };
        let server = Server::once(whole("200 OK", JSON, body)).await;
        let spans = Spans::default();
        let error = provider(case.config(&server)).rerank(&spans.context(), &request).await.unwrap_err();
        assert_eq!(error.kind, hanok_base::ProviderErrorKind::Decode);
        assert!(error.message.contains(expect), "{error}");
        assert!(matches!(spans.only().status, hanok_base::SpanStatus::Error(_)));
    };
    check(r#"{"results":[{"index":1,"relevance_score":1}]}"#, "ranks 1 of 2").await;
    check(r#"{"results":[{"index":7,"relevance_score":1}]}"#, "no document's").await;
}

#[tokio::test]
async fn vendors_are_told_what_vectors_are_for_in_their_own_words() {
    let check = async |vendor: &str, member: &str, task: &str, expect: Option<&str>| {
        let case = cases().find(|case| case.name() == vendor).unwrap();
        let server = Server::once(whole("200 OK", JSON, &case.file("embeddings.json"))).await;
        let request = EmbedRequest {
            model: "e".into(),
            inputs: ["Busan", "Seoul"].map(|text| EmbedInput::Text(text.to_owned())).into(),
            dimensions: None,
            task: Some(task.to_owned()),
            user: None,
            dialect: None,
            extra: Object::new(),
        };
        let cx = CallContext::unrecorded().attempt(false);
        let provider = provider(case.config(&server));
        provider.embed(&cx, &request).await.unwrap();
        let body: Value = serde_json::from_slice(&server.seen()[0].body).unwrap();
        let told = body.pointer(member).and_then(Value::as_str);
        assert_eq!(told, expect, "{vendor}: {body}");
        assert_eq!(cx.degradations().is_empty(), expect.is_some(), "{vendor}");
        assert_eq!(provider.capabilities(&"e".into()).embed_limits.tasks, vendor != "openai", "{vendor}");
    };
    check("voyage", "/input_type", "RETRIEVAL_QUERY", Some("query")).await;
    check("voyage", "/input_type", "RETRIEVAL_DOCUMENT", Some("document")).await;
    check("jina", "/task", "RETRIEVAL_DOCUMENT", Some("retrieval.passage")).await;
    check("gemini", "/requests/0/taskType", "RETRIEVAL_QUERY", Some("RETRIEVAL_QUERY")).await;
    check("openai", "/task", "RETRIEVAL_QUERY", None).await;
    check("voyage", "/input_type", "CLUSTERING", None).await;
}

#[tokio::test]
async fn tokens_are_counted_by_those_who_can() {
    for (vendor, path) in
        [("anthropic", "/v1/messages/count_tokens"), ("gemini", "/v1beta/models/m:countTokens")]
    {
        let case = cases().find(|case| case.name() == vendor).unwrap();
        let server = Server::once(whole("200 OK", JSON, &case.file("count.json"))).await;
        let provider = provider(case.config(&server));
        assert!(provider.capabilities(&"m".into()).count_tokens);
        let call = RawCall { route: Route::CountTokens, ..crate::raw_in(case.vendor.dialect, false) };
        let sent = call.body.clone();
        let response = provider.forward(&CallContext::unrecorded(), call).await.unwrap();
        let RawBody::Whole(bytes) = response.body else { panic!("streamed") };
        assert_eq!(bytes, case.file("count.json"));
        let seen = &server.seen()[0];
        assert!(seen.head.starts_with(&format!("POST {path} ")), "{}", seen.head);
        assert_eq!(seen.body, sent);
    }
}

#[tokio::test]
async fn every_stream_survives_any_cut_of_its_bytes() {
    for case in cases().filter(Case::chats) {
        let text = case.file("chat.sse");
        for way in [Way::ForwardStream, Way::ChatStream] {
            let whole = Server::start(vec![answers({
                let mut answer = crate::server::chunked_head("content-type: text/event-stream\r\n");
                // Not at the events' ends, nor at the characters'.
                for piece in text.as_bytes().chunks(7) {
                    answer.extend(format!("{:x}\r\n", piece.len()).into_bytes());
                    answer.extend(piece);
                    answer.extend(b"\r\n");
                }
                answer.extend(crate::server::chunk(""));
                answer
            })])
            .await;
            let outcome = case.ask(&whole, &CallContext::unrecorded(), way).await;
            assert!(outcome.error.is_none(), "{} {way:?}: {:?}", case.name(), outcome.error);
            assert_eq!(outcome.text, case.expect["text"].as_str().unwrap());
        }
    }
}
