//! Before the first token an error is one of the whole call, and another target can take over unseen; behind it
//! it stands in the stream.

use crate::server::{Server, Step, chunk, chunked_head};
use crate::{LONG, Spans, attribute, provider, raw_in, request};
use futures_util::StreamExt;
use hanok_base::{
    CallContext, Dialect, Patience, Provider, ProviderError, ProviderErrorKind as Kind, RawBody, SpanStatus,
};
use hanok_provider::{ProviderConfig, Timeouts};
use std::time::{Duration, Instant};

/// The beginning of a stream that says nothing yet, a sign of life, a first token, an error, and an end.
struct Script {
    dialect: Dialect,
    start: &'static str,
    ping: &'static str,
    token: &'static str,
    error: &'static str,
    end: &'static str,
}

const OPENAI: Script = Script {
    dialect: Dialect::OpenAiChat,
    start: "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"},\"finish_reason\":null}]}\n\n",
    ping: ": PROCESSING\n\n",
    token: "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Seoul\"},\"finish_reason\":null}]}\n\n",
    error: "data: {\"error\":{\"message\":\"overloaded\",\"type\":\"server_error\",\"code\":503}}\n\n",
    end: "data: {\"id\":\"c\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
};

const ANTHROPIC: Script = Script {
    dialect: Dialect::AnthropicMessages,
    start: "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    ping: "event: ping\ndata: {\"type\":\"ping\"}\n\n",
    token: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"Seoul\"}}\n\n",
    error: "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}\n\n",
    end: "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
};

/// What became of a streamed call: refused as a whole, or given with this at its end.
#[derive(Debug)]
enum Became {
    Refused(ProviderError),
    Given(Option<ProviderError>),
}

impl Became {
    fn kind(&self) -> (bool, Option<Kind>) {
        match self {
            Self::Refused(error) => (true, Some(error.kind)),
            Self::Given(error) => (false, error.as_ref().map(|error| error.kind)),
        }
    }
}

fn config(script: &Script, server: &Server, first_byte: Duration) -> ProviderConfig {
    let mut config = ProviderConfig::custom("mock".into(), script.dialect, server.url("/v1"));
    config.timeouts = Timeouts { connect: None, first_byte, idle: LONG };
    config
}

async fn ask(script: &Script, config: ProviderConfig, cx: &CallContext, typed: bool) -> Became {
    let provider = provider(config);
    let all: Vec<Result<(), ProviderError>> = if typed {
        match provider.chat_stream(cx, &request()).await {
            Err(error) => return Became::Refused(error),
            Ok(events) => events.map(|event| event.map(drop)).collect().await,
        }
    } else {
        match provider.forward(cx, raw_in(script.dialect, true)).await {
            Err(error) => return Became::Refused(error),
            Ok(response) => {
                let RawBody::Stream(pieces) = response.body else { panic!("whole") };
                pieces.map(|piece| piece.map(drop)).collect().await
            }
        }
    };
    Became::Given(all.into_iter().find_map(Result::err))
}

fn stream(events: &[&str]) -> Vec<u8> {
    let mut answer = chunked_head("content-type: text/event-stream\r\n");
    answer.extend(events.iter().flat_map(|event| chunk(event)));
    answer
}

#[tokio::test]
async fn an_error_is_the_calls_before_the_first_token_and_the_streams_behind_it() {
    for script in [OPENAI, ANTHROPIC] {
        let Script { start, ping, token, error, end, .. } = script;
        let check = async |events: &[&str], expect: (bool, Option<Kind>)| {
            for typed in [false, true] {
                // One write an event, so that no coalescing hides what came first; and all of them in one.
                let apart: Vec<Step> =
                    std::iter::once(Step::Write(chunked_head("content-type: text/event-stream\r\n")))
                        .chain(events.iter().map(|event| Step::Write(chunk(event))))
                        .collect();
                for mut steps in [apart, vec![Step::Write(stream(events))]] {
                    steps.insert(0, Step::Read);
                    let server = Server::start(vec![steps]).await;
                    let spans = Spans::default();
                    let became = ask(&script, config(&script, &server, LONG), &spans.context(), typed).await;
                    assert_eq!(became.kind(), expect, "{:?} typed: {typed}: {became:?}", script.dialect);
                    let span = spans.only();
                    assert_eq!(span.status == SpanStatus::Ok, expect.1.is_none(), "{events:?} {span:?}");
                    let begun = attribute(&span, "hanok.time_to_first_token_ms").is_some();
                    assert_eq!(begun, events.contains(&token));
                }
            }
        };
        check(&[start, ping, token, end], (false, None)).await;
        check(&[start, ping, error], (true, Some(Kind::Overloaded))).await;
        check(&[error], (true, Some(Kind::Overloaded))).await;
        check(&[start], (true, Some(Kind::Truncated))).await;
        check(&[], (true, Some(Kind::Truncated))).await;
        check(&[start, token, error], (false, Some(Kind::Overloaded))).await;
        check(&[start, token], (false, Some(Kind::Truncated))).await;
    }
}

#[tokio::test]
async fn signs_of_life_are_no_first_token() {
    for script in [OPENAI, ANTHROPIC] {
        let mut pings = stream(&[script.start]);
        (0..2_000).for_each(|_| pings.extend(chunk(script.ping)));
        let steps = vec![Step::Read, Step::Drip(pings, Duration::from_millis(1))];
        let server = Server::start(vec![steps]).await;
        for typed in [false, true] {
            let limit = Duration::from_millis(400);
            let begun = Instant::now();
            // By the provider's own limit, or by that of the one attempt.
            let spans = Spans::default();
            let (config, cx) = if typed {
                let patience = Patience { first_token: Some(limit), ..Patience::default() };
                (config(&script, &server, LONG), spans.context().attempt(false).patient(patience))
            } else {
                (config(&script, &server, limit), spans.context())
            };
            let became = ask(&script, config, &cx, typed).await;
            assert_eq!(became.kind(), (true, Some(Kind::Timeout)), "{:?}: {became:?}", script.dialect);
            let took = begun.elapsed();
            assert!(took >= limit && took < limit * 6, "{took:?}");
            drop(cx);
            assert!(matches!(spans.only().status, SpanStatus::Error(_)));
        }
    }
}

#[tokio::test]
async fn a_gap_between_tokens_is_bounded_by_the_attempts_patience() {
    let steps = vec![Step::Read, Step::Write(stream(&[OPENAI.start, OPENAI.token])), Step::Hold];
    let server = Server::start(vec![steps]).await;
    let between = Some(Duration::from_millis(200));
    let cx = CallContext::unrecorded().attempt(false).patient(Patience { between, ..Patience::default() });
    let became = ask(&OPENAI, config(&OPENAI, &server, LONG), &cx, false).await;
    assert_eq!(became.kind(), (false, Some(Kind::Timeout)), "{became:?}");
    server.hung_up(1).await;
}

/// A listener that nobody accepts at, with as many connections waiting as it has room for: a further one is
/// neither accepted nor refused.
async fn swallowing() -> (std::net::SocketAddr, impl Sized) {
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let addr = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    while let Ok(stream) =
        tokio::time::timeout(Duration::from_millis(200), tokio::net::TcpStream::connect(addr)).await
    {
        waiting.push(stream.unwrap());
    }
    (addr, (listener, waiting))
}

#[tokio::test]
async fn an_address_that_swallows_connections_is_bounded_by_the_attempts_patience() {
    let (addr, _held) = swallowing().await;
    let limit = Duration::from_millis(150);
    for typed in [false, true] {
        let mut config = ProviderConfig::custom("mock".into(), OPENAI.dialect, format!("http://{addr}/v1"));
        config.timeouts = Timeouts { connect: Some(LONG), first_byte: LONG, idle: LONG };
        let patience = Patience { connect: Some(limit), ..Patience::default() };
        let cx = CallContext::unrecorded().attempt(false).patient(patience);
        let begun = Instant::now();
        let became = ask(&OPENAI, config, &cx, typed).await;
        assert_eq!(became.kind(), (true, Some(Kind::Timeout)), "{became:?}");
        let took = begun.elapsed();
        assert!(took >= limit && took < limit * 20, "{took:?}");
    }
}

#[tokio::test]
async fn a_head_is_not_kept_back_for_ever() {
    let steps = vec![Step::Read, Step::Write(stream(&[OPENAI.start])), Step::Hold];
    let server = Server::start(vec![steps]).await;
    let provider = provider(config(&OPENAI, &server, LONG));
    let begun = Instant::now();
    let cx = CallContext::unrecorded();
    let response = provider.forward(&cx, raw_in(Dialect::OpenAiChat, true)).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(10), "signs of life must reach the client");
    let RawBody::Stream(mut pieces) = response.body else { panic!("whole") };
    assert_eq!(pieces.next().await.unwrap().unwrap(), OPENAI.start);
}
