//! The dialects of each provider: where each is spoken, under which key, with which headers.

use crate::server::{Server, whole};
use crate::{JSON, provider, raw_in};
use hanok_base::{CallContext, Dialect, Dialects, Provider, ProviderErrorKind, RawBody, RawCall, Route};
use hanok_provider::{ProviderConfig, vendor};

/// A vendor at a server of the test.
fn at(vendor_name: &str, server: &Server, path: &str, api_version: Option<&str>) -> ProviderConfig {
    let mut config = ProviderConfig::of_vendor(vendor(vendor_name).unwrap());
    config.base_url = server.url(path);
    config.api_version = api_version.map(str::to_owned);
    config.key = Some("test-key-hidden".into());
    config
}

/// What was sent: the request line's path, the headers, and the body.
async fn sent(config: ProviderConfig, call: RawCall, server: &Server) -> (String, String, Vec<u8>) {
    // Only the request counts here; the answer is a refusal, which every dialect knows.
    let error = provider(config).forward(&CallContext::unrecorded(), call).await.err().unwrap();
    assert_eq!(error.status, Some(400), "{error}");
    let seen = server.seen().last().unwrap().clone();
    let path = seen.head.split(' ').nth(1).unwrap().to_owned();
    (path, seen.head, seen.body)
}

async fn refusing() -> Server {
    Server::once(whole("400 No", JSON, r#"{"error":{"message":"no"}}"#)).await
}

fn on(route: Route, call: RawCall) -> RawCall {
    RawCall { route, ..call }
}

#[tokio::test]
async fn another_dialect_first_keeps_all_others() {
    use Dialect::{AnthropicMessages, Gemini, Ollama, OpenAiChat, OpenAiResponses};
    let check = async |name: &str, first: Dialect, paths: &[(Dialect, &str)]| {
        let server = refusing().await;
        let usual = ProviderConfig::of_vendor(vendor(name).unwrap());
        let path = usual.base_url.splitn(4, '/').nth(3).unwrap_or_default();
        let config = ProviderConfig { base_url: server.url(&format!("/{path}")), ..usual };
        let config = config.speaking(first).unwrap();
        assert_eq!(config.dialect, first, "{name}");
        for (dialect, expect) in paths {
            let server = refusing().await;
            let path = config.base_url.splitn(4, '/').nth(3).unwrap_or_default();
            let config = ProviderConfig { base_url: server.url(&format!("/{path}")), ..config.clone() };
            let (got, _, _) = sent(config, raw_in(*dialect, false), &server).await;
            assert_eq!(got, *expect, "{name} {dialect:?}");
        }
    };
    let ollama = [(OpenAiChat, "/v1/chat/completions"), (Ollama, "/api/chat")];
    check("ollama", Ollama, &ollama).await;
    check("ollama", OpenAiChat, &ollama).await;
    let deepseek = [(OpenAiChat, "/v1/chat/completions"), (AnthropicMessages, "/anthropic/v1/messages")];
    check("deepseek", AnthropicMessages, &deepseek).await;
    let openai = [(OpenAiChat, "/v1/chat/completions"), (OpenAiResponses, "/v1/responses")];
    check("openai", OpenAiResponses, &openai).await;
    let gemini =
        [(Gemini, "/v1beta/models/m:generateContent"), (OpenAiChat, "/v1beta/openai/chat/completions")];
    check("gemini", OpenAiChat, &gemini).await;
    assert!(ProviderConfig::of_vendor(vendor("openai").unwrap()).speaking(Gemini).is_none());

    // Three of them, whichever comes first.
    let all = [
        (OpenAiChat, "/v1/chat/completions"),
        (AnthropicMessages, "/anthropic/v1/messages"),
        (OpenAiResponses, "/v1/responses"),
        (Ollama, "/api/chat"),
    ];
    for (first, _) in all {
        let server = refusing().await;
        let mut config = ProviderConfig::of_vendor(vendor("ollama").unwrap());
        config.base_url = server.url("/v1");
        config.also.extend(ProviderConfig::of_vendor(vendor("deepseek").unwrap()).also);
        config.also.extend(ProviderConfig::of_vendor(vendor("openai").unwrap()).also);
        let config = config.speaking(first).unwrap();
        for (dialect, expect) in all {
            let server = refusing().await;
            let path = config.base_url.splitn(4, '/').nth(3).unwrap_or_default();
            let config = ProviderConfig { base_url: server.url(&format!("/{path}")), ..config.clone() };
            let (got, _, _) = sent(config, raw_in(dialect, false), &server).await;
            assert_eq!(got, expect, "first {first:?}: {dialect:?}");
        }
    }
}

#[tokio::test]
async fn thoughts_go_back_to_vendors_that_take_them() {
    use hanok_base::{ChatRequest, Message, Object, Part, Reasoning, Role};
    let check = async |name: &str, member: Option<&str>| {
        let server = refusing().await;
        let thought = Part::Reasoning(Reasoning { text: "Hm".into(), ..Reasoning::default() });
        let parts = vec![thought, Part::Text("b".into())];
        let said = Message { role: Role::Assistant, parts, extra: Object::new() };
        let messages = vec![Message::text(Role::User, "a"), said, Message::text(Role::User, "c")];
        let request = ChatRequest {
            dialect: Some(Dialect::AnthropicMessages),
            ..ChatRequest::new("m".into(), messages)
        };
        let cx = CallContext::unrecorded().attempt(false);
        let refused = provider(at(name, &server, "/v1", None)).chat(&cx, &request).await;
        assert_eq!(refused.unwrap_err().status, Some(400));
        let body: serde_json::Value = serde_json::from_slice(&server.seen()[0].body).unwrap();
        for known in ["reasoning_content", "reasoning"] {
            let expect = (member == Some(known)).then_some("Hm");
            assert_eq!(
                body["messages"][1].get(known).and_then(|text| text.as_str()),
                expect,
                "{name}: {body}"
            );
        }
        assert_eq!(cx.degradations().len(), usize::from(member.is_none()), "{name}");
        let strict = CallContext::unrecorded().attempt(true);
        let error = provider(at(name, &server, "/v1", None)).chat(&strict, &request).await.unwrap_err();
        assert_eq!(error.kind == ProviderErrorKind::Unsupported, member.is_none(), "{name}: {error}");
    };
    for name in ["deepseek", "moonshot", "vllm", "llamacpp"] {
        check(name, Some("reasoning_content")).await;
    }
    for name in ["groq", "cerebras", "openrouter", "ollama"] {
        check(name, Some("reasoning")).await;
    }
    for name in ["openai", "mistral", "together", "xai"] {
        check(name, None).await;
    }
}

#[tokio::test]
async fn a_chat_in_which_nobody_says_anything_is_not_sent() {
    use hanok_base::{ChatRequest, Message, Role};
    let server = refusing().await;
    let messages = vec![Message::text(Role::User, " ")];
    let request = ChatRequest::new("m".into(), messages);
    let provider = provider(at("anthropic", &server, "/v1", None));
    let error = provider.chat(&CallContext::unrecorded(), &request).await.unwrap_err();
    assert_eq!(error.kind, ProviderErrorKind::InvalidRequest);
    assert!(error.message.contains("messages: no turn says anything"), "{error}");
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn each_face_has_its_path_and_its_way_to_show_the_key() {
    use Dialect::{AnthropicMessages, Gemini, Ollama, OllamaGenerate, OpenAiChat, OpenAiResponses};
    let check = async |name: &str, base: (&str, Option<&str>), call: RawCall, path: &str, key: &str| {
        let server = refusing().await;
        let body = call.body.clone();
        let (got, head, sent_body) = sent(at(name, &server, base.0, base.1), call, &server).await;
        assert_eq!(got, path, "{name}");
        assert!(head.contains(&format!("\r\n{key}\r\n")), "{name}: {head}");
        assert_eq!(head.matches("test-key-hidden").count(), 1, "{name}: {head}");
        assert_eq!(sent_body, body, "{name}");
    };
    let bearer = "authorization: Bearer test-key-hidden";
    let (x_api, x_goog, api) =
        ("x-api-key: test-key-hidden", "x-goog-api-key: test-key-hidden", "api-key: test-key-hidden");

    let chat = |dialect| raw_in(dialect, false);
    let stream = |dialect| raw_in(dialect, true);
    check("openai", ("/v1", None), chat(OpenAiChat), "/v1/chat/completions", bearer).await;
    check("openai", ("/v1", None), stream(OpenAiResponses), "/v1/responses", bearer).await;
    let count = on(Route::CountTokens, chat(OpenAiResponses));
    check("openai", ("/v1", None), count, "/v1/responses/input_tokens", bearer).await;
    check("anthropic", ("", None), chat(AnthropicMessages), "/v1/messages", x_api).await;
    let count = on(Route::CountTokens, chat(AnthropicMessages));
    check("anthropic", ("/v1", None), count, "/v1/messages/count_tokens", x_api).await;
    check("deepseek", ("/v1", None), chat(AnthropicMessages), "/anthropic/v1/messages", x_api).await;
    check("moonshot", ("/v1", None), chat(AnthropicMessages), "/anthropic/v1/messages", bearer).await;

    check("gemini", ("/v1beta", None), chat(Gemini), "/v1beta/models/m:generateContent", x_goog).await;
    let streamed = "/v1beta/models/m:streamGenerateContent?alt=sse";
    check("gemini", ("", None), stream(Gemini), streamed, x_goog).await;
    let batch = on(Route::BatchEmbeddings, chat(Gemini));
    check("gemini", ("/v1beta", None), batch, "/v1beta/models/m:batchEmbedContents", x_goog).await;
    let compatible = "/v1beta/openai/chat/completions";
    check("gemini", ("/v1beta", None), chat(OpenAiChat), compatible, bearer).await;
    let tuned = RawCall { model: "tunedModels/mine v2".into(), ..chat(Gemini) };
    check("gemini", ("/v1beta", None), tuned, "/v1beta/tunedModels/mine%20v2:generateContent", x_goog).await;

    check("ollama", ("/v1", None), chat(OpenAiChat), "/v1/chat/completions", bearer).await;
    check("ollama", ("/v1", None), chat(Ollama), "/api/chat", bearer).await;
    check("ollama", ("", None), chat(OllamaGenerate), "/api/generate", bearer).await;
    check("ollama", ("/v1", None), on(Route::Embeddings, chat(Ollama)), "/api/embed", bearer).await;
    let old = on(Route::Embeddings, chat(OllamaGenerate));
    check("ollama", ("/v1", None), old, "/api/embeddings", bearer).await;

    check("azure", ("", None), chat(OpenAiChat), "/openai/v1/chat/completions", api).await;
    check("azure", ("/openai/v1", None), stream(OpenAiResponses), "/openai/v1/responses", api).await;
    let dated = ("/openai/v1", Some("2025-04-01-preview"));
    let path = "/openai/deployments/m/chat/completions?api-version=2025-04-01-preview";
    check("azure", dated, chat(OpenAiChat), path, api).await;
    let mini = RawCall { model: "gpt 5/mini".into(), ..stream(OpenAiChat) };
    let path = "/openai/deployments/gpt%205%2Fmini/chat/completions?api-version=2025-04-01-preview";
    check("azure", ("", dated.1), mini, path, api).await;
    let path = "/openai/deployments/m/embeddings?api-version=2025-04-01-preview";
    check("azure", dated, on(Route::Embeddings, chat(OpenAiChat)), path, api).await;
    let path = "/openai/deployments/m/audio/speech?api-version=2025-04-01-preview";
    check("azure", dated, on(Route::Raw("audio/speech"), chat(OpenAiChat)), path, api).await;
    // Responses name their deployment in the body.
    let path = "/openai/responses?api-version=2025-04-01-preview";
    check("azure", dated, chat(OpenAiResponses), path, api).await;
    let asked = RawCall { query: Some("x=1".into()), ..chat(OpenAiChat) };
    let path = "/openai/deployments/m/chat/completions?api-version=2025-04-01-preview&x=1";
    check("azure", dated, asked, path, api).await;
    check("perplexity", ("", None), chat(OpenAiChat), "/chat/completions", bearer).await;
}

#[tokio::test]
async fn azures_dated_api_lists_its_models_beside_the_deployments() {
    let server = Server::once(whole("200 OK", JSON, r#"{"data":[{"id":"gpt-5-mini"}]}"#)).await;
    let azure = provider(at("azure", &server, "", Some("2024-10-21")));
    assert_eq!(azure.models().await.unwrap().len(), 1);
    let head = &server.seen()[0].head;
    assert!(head.starts_with("GET /openai/models?api-version=2024-10-21 "), "{head}");
}

#[tokio::test]
async fn a_clients_headers_go_on_but_for_its_key() {
    let check = async |own: &[(&str, &str)], client: &[(&str, &str)], has: &[&str], has_not: &[&str]| {
        let server = refusing().await;
        let mut config = at("anthropic", &server, "/v1", None);
        config.headers = own.iter().map(|(name, value)| ((*name).to_owned(), (*value).into())).collect();
        let headers = client.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let call = RawCall { headers: headers.collect(), ..raw_in(Dialect::AnthropicMessages, false) };
        let (_, head, _) = sent(config, call, &server).await;
        assert!(has.iter().all(|line| head.contains(&format!("\r\n{line}\r\n"))), "{has:?}: {head}");
        assert!(!has_not.iter().any(|text| head.contains(text)), "{has_not:?}: {head}");
    };
    check(&[], &[], &["anthropic-version: 2023-06-01"], &["anthropic-beta"]).await;
    let newer = ("anthropic-version", "2026-01-01");
    check(&[], &[newer], &["anthropic-version: 2026-01-01"], &["2023-06-01"]).await;
    check(&[("anthropic-version", "2024-01-01")], &[newer], &["anthropic-version: 2024-01-01"], &["2026"])
        .await;
    let beta = ("anthropic-beta", "context-1m-2025-08-07,interleaved-thinking-2025-05-14");
    check(&[], &[beta], &["anthropic-beta: context-1m-2025-08-07,interleaved-thinking-2025-05-14"], &[])
        .await;
    let keys = [
        ("x-api-key", "hk-client"),
        ("authorization", "Bearer hk-client"),
        ("x-goog-api-key", "hk-client"),
        ("api-key", "hk-client"),
        ("cookie", "s=hk-client"),
    ];
    check(&[], &keys, &["x-api-key: test-key-hidden"], &["hk-client"]).await;
    check(&[], &[("anthropic-beta", "a\r\nx-api-key: hk-client")], &[], &["hk-client"]).await;
}

#[tokio::test]
async fn a_local_servers_calls_carry_no_key_at_all() {
    let server = refusing().await;
    let config = ProviderConfig { key: None, ..at("ollama", &server, "/v1", None) };
    let headers = vec![("authorization".to_owned(), "Bearer hk-client".to_owned())];
    let (_, head, _) = sent(config, RawCall { headers, ..raw_in(Dialect::OpenAiChat, false) }, &server).await;
    assert!(!head.contains("hk-client") && !head.contains("authorization"), "{head}");
}

#[tokio::test]
async fn the_query_goes_on() {
    let server = refusing().await;
    let call = RawCall { query: Some("beta=true".into()), ..raw_in(Dialect::AnthropicMessages, false) };
    assert_eq!(sent(at("anthropic", &server, "/v1", None), call, &server).await.0, "/v1/messages?beta=true");
    let call = RawCall { query: Some("x=1".into()), ..raw_in(Dialect::Gemini, true) };
    let path = "/v1beta/models/m:streamGenerateContent?alt=sse&x=1";
    assert_eq!(sent(at("gemini", &server, "/v1beta", None), call, &server).await.0, path);
}

#[tokio::test]
async fn what_a_provider_does_not_speak_is_refused_unsent() {
    let check = async |name: &str, call: RawCall| {
        let server = refusing().await;
        let provider = provider(at(name, &server, "", None));
        let error = provider.forward(&CallContext::unrecorded(), call).await.err().unwrap();
        assert_eq!(error.kind, ProviderErrorKind::Unsupported, "{error}");
        assert!(server.seen().is_empty());
    };
    check("anthropic", raw_in(Dialect::OpenAiChat, false)).await;
    check("anthropic", on(Route::Embeddings, raw_in(Dialect::AnthropicMessages, false))).await;
    check("groq", raw_in(Dialect::OpenAiResponses, false)).await;
    check("gemini", on(Route::Raw("audio/speech"), raw_in(Dialect::Gemini, false))).await;
    // A name that would lead elsewhere.
    check("gemini", RawCall { model: "../../v1/files".into(), ..raw_in(Dialect::Gemini, false) }).await;
}

#[test]
fn native_dialects_are_said() {
    use Dialect::{AnthropicMessages, Gemini, Ollama, OllamaGenerate, OpenAiChat, OpenAiResponses};
    let check = |name: &str, url: &str, expect: &[Dialect]| {
        let config =
            ProviderConfig { base_url: url.into(), ..ProviderConfig::of_vendor(vendor(name).unwrap()) };
        let expect = expect.iter().copied().fold(Dialects::NONE, Dialects::with);
        assert_eq!(provider(config).capabilities(&"m".into()).native, expect, "{name} {url}");
    };
    check("openai", "http://h", &[OpenAiChat, OpenAiResponses]);
    check("anthropic", "http://h", &[AnthropicMessages]);
    check("gemini", "http://h", &[Gemini, OpenAiChat]);
    check("ollama", "http://h", &[OpenAiChat, Ollama, OllamaGenerate]);
    // Another's address of the same, of which only its chats are known.
    check("ollama", "http://h/llm", &[OpenAiChat]);
    check("deepseek", "http://h/proxy", &[OpenAiChat]);
}

#[tokio::test]
async fn a_form_goes_on_byte_for_byte() {
    let body: &[u8] = b"--x\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nwhisper-1\r\n--x\r\n\
        Content-Disposition: form-data; name=\"file\"; filename=\"a.wav\"\r\n\r\n\x00\xff\r\n--x--\r\n";
    let server =
        Server::once(whole("200 OK", "content-type: text/plain; charset=utf-8\r\n", "Seoul.\n")).await;
    let spans = crate::Spans::default();
    let call = RawCall {
        content_type: Some("multipart/form-data; boundary=x".into()),
        ..RawCall::new(
            Dialect::OpenAiChat,
            Route::Raw("audio/transcriptions"),
            "whisper-1".into(),
            bytes::Bytes::from_static(body),
        )
    };
    let provider = provider(at("openai", &server, "/v1", None));
    let response = provider.forward(&spans.context(), call).await.unwrap();
    assert_eq!(response.content_type, "text/plain; charset=utf-8");
    let RawBody::Whole(answer) = response.body else { panic!("streamed") };
    assert_eq!(answer, "Seoul.\n");
    let seen = &server.seen()[0];
    assert_eq!(seen.body, body);
    assert!(seen.head.starts_with("POST /v1/audio/transcriptions "), "{}", seen.head);
    assert_eq!(seen.head.matches("content-type: ").count(), 1, "{}", seen.head);
    assert!(seen.head.contains("\r\ncontent-type: multipart/form-data; boundary=x\r\n"), "{}", seen.head);
    let exchange = spans.only().exchange.unwrap();
    assert!(exchange.request.is_empty(), "files are no record");
}

#[tokio::test]
async fn sound_comes_back_as_it_is() {
    let sound: &[u8] = b"ID3\x04\x00\xff\xfb\x90d\x00{\"error\":1}";
    let mut answer =
        format!("HTTP/1.1 200 OK\r\ncontent-type: audio/mpeg\r\ncontent-length: {}\r\n\r\n", sound.len())
            .into_bytes();
    answer.extend(sound);
    let server = Server::once(answer).await;
    let provider = provider(at("openai", &server, "/v1", None));
    // Streamed or not: its form is its own.
    for stream in [false, true] {
        let spans = crate::Spans::default();
        let call = RawCall {
            stream,
            ..RawCall::new(Dialect::OpenAiChat, Route::Raw("audio/speech"), "tts-1".into(), "{}".into())
        };
        let response = provider.forward(&spans.context(), call).await.unwrap();
        assert_eq!(response.content_type, "audio/mpeg");
        let bytes = match response.body {
            RawBody::Whole(bytes) => bytes.to_vec(),
            RawBody::Stream(pieces) => {
                use futures_util::StreamExt;
                pieces.map(Result::unwrap).collect::<Vec<_>>().await.concat()
            }
        };
        assert_eq!(bytes, sound);
        assert_eq!(spans.only().status, hanok_base::SpanStatus::Ok);
    }
}

#[tokio::test]
async fn events_of_a_route_nobody_reads_go_on() {
    let events = "event: image_generation.partial_image\ndata: {\"b64_json\":\"AAAA\"}\n\n\
        event: image_generation.completed\ndata: {\"b64_json\":\"BBBB\",\"usage\":{\"total_tokens\":3}}\n\n";
    let server = Server::once(crate::streamed("text/event-stream", events)).await;
    let provider = provider(at("openai", &server, "/v1", None));
    let call = RawCall {
        stream: true,
        ..RawCall::new(
            Dialect::OpenAiChat,
            Route::Raw("images/generations"),
            "gpt-image-1".into(),
            "{}".into(),
        )
    };
    let response = provider.forward(&CallContext::unrecorded(), call.clone()).await.unwrap();
    assert_eq!(response.content_type, "text/event-stream");
    let RawBody::Stream(mut pieces) = response.body else { panic!("whole") };
    let mut text = Vec::new();
    while let Some(piece) = futures_util::StreamExt::next(&mut pieces).await {
        text.extend(piece.unwrap());
    }
    assert_eq!(String::from_utf8(text).unwrap(), events);

    let cut = Server::once(
        [crate::server::chunked_head("content-type: text/event-stream\r\n"), crate::server::chunk(events)]
            .concat(),
    )
    .await;
    let provider = crate::provider(at("openai", &cut, "/v1", None));
    let response = provider.forward(&CallContext::unrecorded(), call).await.unwrap();
    let RawBody::Stream(pieces) = response.body else { panic!("whole") };
    let all: Vec<_> = futures_util::StreamExt::collect(pieces).await;
    let error = all.last().unwrap().as_ref().err().unwrap();
    assert_eq!(error.kind, ProviderErrorKind::Truncated, "only the connection's own end tells");
}

#[tokio::test]
async fn what_upstreams_say_of_their_limits_goes_on() {
    let limits = "x-ratelimit-remaining-tokens: 149984\r\nanthropic-ratelimit-requests-remaining: 3\r\n\
        request-id: req_1\r\nx-request-id: r2\r\nset-cookie: a=b\r\n";
    let answer = whole("200 OK", &format!("{JSON}{limits}"), r#"{"input_tokens":3}"#);
    let server = Server::once(answer).await;
    let call = on(Route::CountTokens, raw_in(Dialect::AnthropicMessages, false));
    let provider = provider(at("anthropic", &server, "/v1", None));
    let response = provider.forward(&CallContext::unrecorded(), call).await.unwrap();
    let names: Vec<&str> = response.headers.iter().map(|(name, _)| name.as_str()).collect();
    let expect = [
        "x-ratelimit-remaining-tokens",
        "anthropic-ratelimit-requests-remaining",
        "request-id",
        "x-request-id",
    ];
    assert_eq!(names, expect);
}
