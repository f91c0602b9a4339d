//! Providers over a server that answers by script: every vendor of the table, and every way to go wrong.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail by panicking"
)]

mod faces;
mod faults;
mod passing;
mod priming;
#[path = "../../../net/tests/net/server.rs"]
mod server;
mod translating;
mod vendors;

use crate::server::{chunk, chunked_head};
use futures_util::StreamExt;
use hanok_base::stream::Collector;
use hanok_base::{
    CallContext, Caller, ChatRequest, Dialect, EventStream, FinishReason, Message, Place, Provider,
    ProviderError, RawBody, RawCall, Role, Route, Sampling, Span,
};
use hanok_net::{Client, ClientOptions};
use hanok_provider::{HttpProvider, ProviderConfig, Timeouts};
use hanok_wire::{RequestOptions, codec};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const LONG: Duration = Duration::from_mins(1);

fn config(url: impl Into<String>) -> ProviderConfig {
    let mut config = ProviderConfig::custom("mock".into(), Dialect::OpenAiChat, url);
    config.key = Some("test-key-hidden".into());
    config.timeouts = Timeouts { connect: None, first_byte: LONG, idle: LONG };
    config
}

fn provider(config: ProviderConfig) -> HttpProvider {
    HttpProvider::new(config, Client::new(ClientOptions::default()).unwrap()).unwrap()
}

/// The spans of a trace, once it is over.
#[derive(Clone, Default)]
struct Spans(Arc<Mutex<Vec<Span>>>);

impl Place for Spans {
    fn record(self: Box<Self>, trace: hanok_base::FinishedTrace) {
        let spans = trace.spans;
        self.0.lock().extend(spans);
    }
}

impl Spans {
    fn context(&self) -> CallContext {
        CallContext::new(Box::new(self.clone()), Arc::new(Caller::default()))
    }
    /// The one span there must be.
    fn only(&self) -> Span {
        let spans = self.0.lock();
        assert_eq!(spans.len(), 1, "{spans:?}");
        spans[0].clone()
    }
}

fn attribute(span: &Span, key: &str) -> Option<Value> {
    span.attributes.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.clone())
}

fn request() -> ChatRequest {
    ChatRequest {
        sampling: Sampling { max_tokens: Some(99), ..Sampling::default() },
        ..ChatRequest::new("m".into(), vec![Message::text(Role::User, "the capital of South Korea?")])
    }
}

fn raw(stream: bool) -> RawCall {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": stream});
    RawCall { stream, ..RawCall::new(Dialect::OpenAiChat, Route::Chat, "m".into(), body.to_string().into()) }
}

/// A client's call in a dialect.
fn raw_in(dialect: Dialect, stream: bool) -> RawCall {
    let options = RequestOptions { stream, ..RequestOptions::default() };
    let body = codec(dialect).encode_request(&request(), options).body;
    RawCall { stream, ..RawCall::new(dialect, Route::Chat, "m".into(), body.into()) }
}

const JSON: &str = "content-type: application/json\r\n";

/// A body as a server streams it: one chunk an event.
fn streamed(content_type: &str, text: &str) -> Vec<u8> {
    let mut answer = chunked_head(&format!("content-type: {content_type}\r\n"));
    let events = if content_type.contains("ndjson") { "\n" } else { "\n\n" };
    for event in text.split_inclusive(events) {
        answer.extend(chunk(event));
    }
    answer.extend(chunk(""));
    answer
}

/// The four ways to ask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    ForwardWhole,
    ForwardStream,
    Chat,
    ChatStream,
}

const WAYS: [Way; 4] = [Way::ForwardWhole, Way::ForwardStream, Way::Chat, Way::ChatStream];

impl Way {
    fn streams(self) -> bool {
        matches!(self, Self::ForwardStream | Self::ChatStream)
    }
}

/// What came: the text, and the error if there was one.
#[derive(Debug)]
struct Outcome {
    text: String,
    error: Option<ProviderError>,
}

impl From<ProviderError> for Outcome {
    fn from(error: ProviderError) -> Self {
        Self { text: String::new(), error: Some(error) }
    }
}

async fn ask(provider: &HttpProvider, cx: &CallContext, way: Way) -> Outcome {
    ask_in(Dialect::OpenAiChat, provider, cx, way).await
}

async fn ask_in(dialect: Dialect, provider: &HttpProvider, cx: &CallContext, way: Way) -> Outcome {
    match way {
        Way::ForwardWhole | Way::ForwardStream => {
            match provider.forward(cx, raw_in(dialect, way.streams())).await {
                Ok(response) => match response.body {
                    RawBody::Whole(body) => {
                        assert_eq!(way, Way::ForwardWhole);
                        let answer = codec(dialect).decode_response(&body).expect("a whole answer is good");
                        Outcome { text: answer.choices[0].message.plain_text(), error: None }
                    }
                    RawBody::Stream(pieces) => {
                        assert_eq!(way, Way::ForwardStream);
                        passed_on(dialect, pieces).await
                    }
                },
                Err(error) => error.into(),
            }
        }
        Way::Chat => match provider.chat(cx, &request()).await {
            Ok(response) => Outcome { text: response.choices[0].message.plain_text(), error: None },
            Err(error) => error.into(),
        },
        Way::ChatStream => match provider.chat_stream(cx, &request()).await {
            Ok(events) => collected(events).await,
            Err(error) => error.into(),
        },
    }
}

/// Reads events to their end.
async fn collected(mut events: EventStream) -> Outcome {
    let mut collector = Collector::default();
    let mut error = None;
    while let Some(event) = events.next().await {
        assert!(error.is_none(), "an item behind the error");
        match event {
            Ok(event) => collector.push(event),
            Err(e) => error = Some(e),
        }
    }
    assert!(error.is_some() || collector.is_complete(), "a stream that ends well is complete");
    Outcome { text: text_so_far(collector), error }
}

/// Reads passed-on pieces to their end, each of which must be made of whole, valid events.
async fn passed_on(dialect: Dialect, mut pieces: hanok_base::ByteStream) -> Outcome {
    let (mut decoder, mut collector, mut error) =
        (codec(dialect).stream_decoder(), Collector::default(), None);
    while let Some(piece) = pieces.next().await {
        assert!(error.is_none(), "an item behind the error");
        match piece {
            Ok(piece) => {
                whole_events(dialect, &piece);
                let mut events = Vec::new();
                decoder.feed(&piece, &mut events).expect("what goes on is good");
                for event in events {
                    collector.push(event);
                }
            }
            Err(e) => error = Some(e),
        }
    }
    assert!(error.is_some() || decoder.finish().is_ok(), "a stream that ends well is complete");
    Outcome { text: text_so_far(collector), error }
}

fn text_so_far(collector: Collector) -> String {
    let partial = collector.into_partial(&FinishReason::Stop);
    partial.and_then(|partial| Some(partial.choices.first()?.message.plain_text())).unwrap_or_default()
}

fn whole_events(dialect: Dialect, piece: &[u8]) {
    let piece = std::str::from_utf8(piece).expect("a piece does not end inside a character");
    let lines = matches!(dialect, Dialect::Ollama | Dialect::OllamaGenerate);
    let (end, mark) = if lines { ("\n", "") } else { ("\n\n", "data:") };
    assert!(piece.ends_with(end), "a piece ends inside an event: {piece:?}");
    for data in piece.lines().filter_map(|line| line.strip_prefix(mark)).map(str::trim) {
        if data != "[DONE]" {
            serde_json::from_str::<Value>(data).expect("an event that went on is valid JSON");
        }
    }
}
