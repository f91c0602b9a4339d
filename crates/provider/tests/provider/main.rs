//! Providers over a server that answers by script: every vendor of the table, and every way to go wrong.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail by panicking"
)]

mod faults;
mod passing;
#[path = "../../../net/tests/net/server.rs"]
mod server;
mod vendors;

use futures_util::StreamExt;
use hanok_base::{
    CallContext, Caller, ChatRequest, Dialect, Message, Place, Provider, ProviderError, RawBody, RawCall,
    Role, Route, Sampling, Span,
};
use hanok_net::{Client, ClientOptions};
use hanok_provider::{HttpProvider, ProviderConfig, Timeouts};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const LONG: Duration = Duration::from_mins(1);

fn config(url: impl Into<String>) -> ProviderConfig {
    let mut config = ProviderConfig::custom("mock".into(), Dialect::OpenAiChat, url);
    config.key = Some("test-key-hidden".into());
    config.timeouts = Timeouts { first_byte: LONG, idle: LONG };
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
    match way {
        Way::ForwardWhole | Way::ForwardStream => match provider.forward(cx, raw(way.streams())).await {
            Ok(response) => match response.body {
                RawBody::Whole(body) => {
                    assert_eq!(way, Way::ForwardWhole);
                    let body: Value = serde_json::from_slice(&body).expect("a whole answer is valid JSON");
                    let text = body["choices"][0]["message"]["content"].as_str().unwrap().to_owned();
                    Outcome { text, error: None }
                }
                RawBody::Stream(mut pieces) => {
                    assert_eq!(way, Way::ForwardStream);
                    let mut outcome = Outcome { text: String::new(), error: None };
                    while let Some(piece) = pieces.next().await {
                        assert!(outcome.error.is_none(), "an item behind the error");
                        match piece {
                            Ok(piece) => outcome.text.push_str(&text_of(&piece)),
                            Err(error) => outcome.error = Some(error),
                        }
                    }
                    outcome
                }
            },
            Err(error) => error.into(),
        },
        Way::Chat => match provider.chat(cx, &request()).await {
            Ok(response) => Outcome { text: response.choices[0].message.plain_text(), error: None },
            Err(error) => error.into(),
        },
        Way::ChatStream => match provider.chat_stream(cx, &request()).await {
            Ok(mut events) => {
                let mut collector = hanok_base::stream::Collector::default();
                let mut error = None;
                while let Some(event) = events.next().await {
                    assert!(error.is_none(), "an item behind the error");
                    match event {
                        Ok(event) => collector.push(event),
                        Err(e) => error = Some(e),
                    }
                }
                assert!(error.is_some() || collector.is_complete(), "a stream that ends well is complete");
                let partial = collector.into_partial(&hanok_base::FinishReason::Stop);
                let text = partial.and_then(|partial| Some(partial.choices.first()?.message.plain_text()));
                Outcome { text: text.unwrap_or_default(), error }
            }
            Err(error) => error.into(),
        },
    }
}

/// The text in a piece of a passed-on stream, which must be made of whole, valid events.
fn text_of(piece: &[u8]) -> String {
    let piece = std::str::from_utf8(piece).expect("a piece does not end inside a character");
    assert!(piece.ends_with("\n\n"), "a piece ends inside an event: {piece:?}");
    let mut text = String::new();
    for data in piece.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim) {
        if data != "[DONE]" {
            let event: Value = serde_json::from_str(data).expect("an event that went on is valid JSON");
            text.push_str(event["choices"][0]["delta"]["content"].as_str().unwrap_or_default());
        }
    }
    text
}
