//! The gateway over providers made for the purpose: names, fallback, both ways through, and every end a stream
//! can have.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail by panicking"
)]

mod about;
mod caching;
mod keys;
mod money;
mod overshoot;
mod prompts;
mod resilience;
mod resuming;
mod rooms;
mod strategies;
mod translating;
mod world;

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use hanok_base::{
    BoxFuture, CallContext, Capabilities, ChatRequest, Delta, Dialect, Dialects, EventStream, FinishReason,
    ModelInfo, ModelName, Object, Part, Provider, ProviderError, ProviderErrorKind, ProviderName, RawBody,
    RawCall, RawResponse, Route, StreamEvent,
};
use hanok_gateway::{AnswerBody, Call, Gateway, Routes};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What a provider of these tests does when it is called.
#[derive(Clone)]
enum Does {
    /// Gives these events.
    Events(Vec<StreamEvent>),
    /// Gives these events and then fails.
    EventsThen(Vec<StreamEvent>, ProviderErrorKind),
    /// Fails at once.
    Fails(ProviderErrorKind),
    /// Passes bytes on: gives back the body it was sent.
    Echoes,
    /// Passes on these pieces of a stream, the last possibly a failure.
    Pieces(Vec<Result<&'static str, ProviderErrorKind>>),
}

struct Scripted {
    name: ProviderName,
    does: Does,
    called: AtomicUsize,
}

impl Scripted {
    fn new(name: &str, does: Does) -> Arc<Self> {
        Arc::new(Self { name: name.into(), does, called: AtomicUsize::new(0) })
    }
    fn error(&self, kind: ProviderErrorKind) -> ProviderError {
        ProviderError::new(kind, &self.name, "as scripted")
    }
}

impl Provider for Scripted {
    fn name(&self) -> &ProviderName {
        &self.name
    }
    fn capabilities(&self, _: &ModelName) -> Capabilities {
        let embeddings = matches!(self.does, Does::Echoes | Does::Pieces(_));
        let native = if embeddings { Dialects::NONE.with(Dialect::OpenAiChat) } else { Dialects::NONE };
        Capabilities { native, embeddings, stream_usage: true, ..Capabilities::default() }
    }
    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelInfo>, ProviderError>> {
        Box::pin(async {
            Ok(vec![ModelInfo { name: "listed".into(), owned_by: None, created: 0, context_length: None }])
        })
    }
    fn chat_stream<'a>(
        &'a self,
        _: &'a CallContext,
        _: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<EventStream, ProviderError>> {
        self.called.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            let (events, error) = match &self.does {
                Does::Events(events) => (events.clone(), None),
                Does::EventsThen(events, kind) => (events.clone(), Some(self.error(*kind))),
                Does::Fails(kind) => return Err(self.error(*kind)),
                Does::Echoes | Does::Pieces(_) => return Err(self.error(ProviderErrorKind::Unsupported)),
            };
            let items: Vec<_> = events.into_iter().map(Ok).chain(error.map(Err)).collect();
            Ok(Box::pin(stream::iter(items)) as EventStream)
        })
    }
    fn forward<'a>(
        &'a self,
        _: &'a CallContext,
        call: RawCall,
    ) -> BoxFuture<'a, Result<RawResponse, ProviderError>> {
        self.called.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            let body = match &self.does {
                Does::Pieces(pieces) => {
                    let pieces: Vec<_> = pieces
                        .iter()
                        .map(|piece| {
                            piece
                                .map(|text| Bytes::from_static(text.as_bytes()))
                                .map_err(|kind| self.error(kind))
                        })
                        .collect();
                    RawBody::Stream(Box::pin(stream::iter(pieces)))
                }
                _ => RawBody::Whole(call.body),
            };
            Ok(RawResponse {
                status: 200,
                content_type: "application/json".into(),
                headers: Vec::new(),
                body,
            })
        })
    }
}

fn hello() -> Vec<StreamEvent> {
    vec![
        StreamEvent::Start {
            id: "c1".into(),
            model: "m".into(),
            created: 7,
            dialect: None,
            extra: Object::new(),
        },
        StreamEvent::PartStart { choice: 0, part: 0, value: Part::Text(String::new()) },
        StreamEvent::PartDelta { choice: 0, part: 0, delta: Delta::Text("hel".into()) },
        StreamEvent::PartDelta { choice: 0, part: 0, delta: Delta::Text("lo".into()) },
        StreamEvent::PartEnd { choice: 0, part: 0 },
        StreamEvent::Finish { choice: 0, reason: FinishReason::Stop },
    ]
}

fn gateway(providers: &[&Arc<Scripted>], aliases: &[(&str, &[&str])]) -> Gateway {
    let mut routes = Routes::default().answerer("extract", Scripted::new("hanok", Does::Events(hello())));
    for provider in providers {
        routes = routes.provider(Arc::clone(provider) as Arc<dyn Provider>).unwrap();
    }
    for (alias, targets) in aliases {
        let targets: Vec<String> = targets.iter().map(|target| (*target).to_owned()).collect();
        routes = routes.alias((*alias).into(), &targets).unwrap();
    }
    Gateway::new(routes)
}

/// The answer's whole text: of a body, or of a stream's pieces joined.
async fn ask(gateway: &Gateway, model: &str, streamed: bool) -> Result<String, (u16, String)> {
    let body =
        json!({"model": model, "stream": streamed, "messages": [{"role": "user", "content": "hi"}], "x": 1});
    let cx = CallContext::unrecorded();
    let called =
        gateway.call(&cx, Call::new(Dialect::OpenAiChat, Route::Chat, body.to_string().into())).await;
    let answer = called.map_err(|problem| (problem.kind.status(), problem.message))?;
    let bytes = match answer.body {
        AnswerBody::Whole(bytes) => bytes.to_vec(),
        AnswerBody::Stream(pieces) => pieces.collect::<Vec<_>>().await.concat(),
    };
    Ok(String::from_utf8(bytes).unwrap())
}

#[tokio::test]
async fn names_lead_to_targets() {
    let typed = Scripted::new("typed", Does::Events(hello()));
    let gateway = gateway(&[&typed], &[("fast", &["typed/m"])]);
    for model in ["typed/m", "typed/any/thing", "fast", "hanok/extract", "hanok/extract@docs"] {
        let answer: Value = serde_json::from_str(&ask(&gateway, model, false).await.unwrap()).unwrap();
        assert_eq!(answer["choices"][0]["message"]["content"], "hello", "{model}");
        assert_eq!(answer["model"], model, "the client knows the model by the name it asked for");
    }
    for (model, nearest) in [("hanok/extrakt", "hanok/extract"), ("fastt", "fast")] {
        let (status, message) = ask(&gateway, model, false).await.unwrap_err();
        assert_eq!(status, 404);
        assert!(message.contains(nearest), "{message}");
    }
    let bare = ask(&gateway, "listed", false).await;
    assert_eq!(bare.unwrap_err().0, 404, "not known before the provider has listed it");
    assert!(gateway.model_list().await.iter().any(|(id, _)| id == "typed/listed"));
    ask(&gateway, "listed", false).await.unwrap();
}

#[tokio::test]
async fn the_short_way_changes_the_model_and_nothing_else() {
    let native = Scripted::new("native", Does::Echoes);
    let gateway = gateway(&[&native], &[]);
    let sent = r#"{"model" : "native/m", "vendor_field":{"deep":[1.50,"é"]},"messages":[]}"#;
    let cx = CallContext::unrecorded();
    let answer = gateway
        .call(&cx, Call::new(Dialect::OpenAiChat, Route::Chat, Bytes::from_static(sent.as_bytes())))
        .await;
    let AnswerBody::Whole(bytes) = answer.unwrap().body else { panic!("streamed") };
    assert_eq!(std::str::from_utf8(&bytes).unwrap(), sent.replace("native/m", "m"));
}

#[tokio::test]
async fn the_next_target_is_tried_when_it_may_do_better() {
    for (kind, falls_back) in [
        (ProviderErrorKind::Overloaded, true),
        (ProviderErrorKind::RateLimited, true),
        (ProviderErrorKind::Timeout, true),
        (ProviderErrorKind::Transport, true),
        (ProviderErrorKind::InvalidRequest, false),
        (ProviderErrorKind::ContentFilter, false),
    ] {
        let first = Scripted::new("first", Does::Fails(kind));
        let second = Scripted::new("second", Does::Events(hello()));
        let gateway = gateway(&[&first, &second], &[("both", &["first/a", "second/b"])]);
        for streamed in [false, true] {
            assert_eq!(ask(&gateway, "both", streamed).await.is_ok(), falls_back, "{kind}");
        }
        assert_eq!(second.called.load(Ordering::Relaxed), if falls_back { 2 } else { 0 }, "{kind}");
    }
}

#[tokio::test]
async fn a_stream_ends_complete_or_in_an_explicit_error() {
    let check = async |does: Does, complete: bool, holds: &str| {
        let provider = Scripted::new("p", does);
        let text = ask(&gateway(&[&provider], &[]), "p/m", true).await.unwrap();
        assert!(text.contains(holds), "{text}");
        assert_eq!(text.ends_with("data: [DONE]\n\n"), complete, "{text}");
        assert_eq!(text.contains("\"error\":"), !complete, "{text}");
    };
    let cut: Vec<StreamEvent> = hello().into_iter().take(3).collect();
    check(Does::Events(hello()), true, "\"content\":\"lo\"").await;
    check(Does::Events(cut.clone()), false, "stream_truncated").await;
    check(Does::EventsThen(cut, ProviderErrorKind::Timeout), false, "provider_timeout").await;
    let done =
        "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    check(Does::Pieces(vec![Ok(done)]), true, "finish_reason").await;
    let half = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"}}]}\n\n";
    check(Does::Pieces(vec![Ok(half), Err(ProviderErrorKind::Truncated)]), false, "stream_truncated").await;
}

#[tokio::test]
async fn a_whole_answer_is_never_a_short_one() {
    let cut: Vec<StreamEvent> = hello().into_iter().take(4).collect();
    let provider = Scripted::new("p", Does::Events(cut));
    let (status, message) = ask(&gateway(&[&provider], &[]), "p/m", false).await.unwrap_err();
    assert_eq!(status, 502);
    assert!(message.contains("before the answer was complete"), "{message}");
}

#[test]
fn routes_that_cannot_work_are_refused() {
    let refused = |routes: Result<Routes, _>, holds: &str| {
        let error: hanok_gateway::RoutesError = routes.err().unwrap();
        assert!(error.to_string().contains(holds), "{error}");
    };
    let reserved = Scripted::new("hanok", Does::Echoes) as Arc<dyn Provider>;
    refused(Routes::default().provider(reserved), "reserved");
    refused(Routes::default().provider(Scripted::new("a/b", Does::Echoes)), "a/b");
    refused(Routes::default().provider(Scripted::new("", Does::Echoes)), "cannot be a name");
    refused(Routes::default().alias("hanok/extract".into(), &["x/y".to_owned()]), "reserved");
    refused(Routes::default().alias("a".into(), &[]), "at least one target");
    refused(Routes::default().alias("a".into(), &["nobody/m".to_owned()]), "nobody/m");
}
