//! Answers given again: to whom, for how long, and how they say so.

use crate::world::{Do, Told, World, chat, entry, fail, key, with};
use hanok_base::{Dialect, Operation, ProviderErrorKind, ResponseBytes};
use hanok_gateway::{Call, Key, Model};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

fn world(native: &[Dialect]) -> (World, Arc<Told>) {
    let provider = Told::new("p", native);
    let entries = vec![entry(&provider, "x")];
    let cached =
        Model { cache: Some(Duration::from_mins(5)), retries: 0, ..Model::in_order(entries.clone()) };
    let models = vec![("cached", cached), ("fresh", Model::in_order(entries))];
    (World::new(&[&provider], models), provider)
}

#[tokio::test(start_paused = true)]
async fn the_very_same_request_gets_the_very_same_answer() {
    for native in [&[Dialect::OpenAiChat] as &[Dialect], &[]] {
        for stream in [false, true] {
            let (world, provider) = world(native);
            let call = || chat("cached", json!({"stream": stream}));
            let first = world.ask(call()).await.unwrap();
            assert_eq!(first.header("x-hanok-cache"), Some("miss"));
            assert_eq!(world.attribute("hanok.cache"), None);
            let trace = world.books.spans.lock()[0].trace_id.to_string();

            let again = world.ask(call()).await.unwrap();
            assert_eq!(again.header("x-hanok-cache"), Some("hit"));
            assert_eq!(again.header("x-hanok-cache-trace-id"), Some(trace.as_str()));
            assert_eq!((again.text, &again.content_type), (first.text, &first.content_type));
            assert_eq!(provider.count(), 1);
            assert_eq!(world.attribute("hanok.cache"), Some("hit".into()));
            assert_eq!(world.attribute("hanok.cache.trace_id"), Some(trace.into()));
            let spans = world.books.spans.lock();
            let span = spans.iter().rev().find(|span| span.operation == Operation::Gateway).unwrap();
            let streamed = matches!(span.exchange.as_ref().unwrap().response, ResponseBytes::Streamed(_));
            assert_eq!(streamed, stream);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nobody_gets_anothers_answer() {
    let (world, provider) = world(&[Dialect::OpenAiChat]);
    let of = |name: &str, id: &str, project: &str| {
        Arc::new(Key { id: id.into(), project: project.into(), ..key(name) })
    };
    let anthropic = || {
        let body =
            json!({"model": "cached", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
        Call::new(Dialect::AnthropicMessages, hanok_base::Route::Chat, body.to_string().into())
    };
    let beta = |value: &str| Call { headers: vec![("anthropic-beta".into(), value.into())], ..anthropic() };
    let mut expect = 0;
    for call in [
        chat("cached", json!({})),
        chat("cached", json!({"seed": 1})),
        with(&of("alice", "k1", ""), chat("cached", json!({}))),
        with(&of("alice", "k2", ""), chat("cached", json!({}))),
        with(&of("alice", "k1", "blue"), chat("cached", json!({}))),
        // Of the configuration, without ids.
        with(&of("carol", "", ""), chat("cached", json!({}))),
        with(&of("dave", "", ""), chat("cached", json!({}))),
        anthropic(),
        beta("one"),
        beta("two"),
        Call { tag: Some("careful".into()), ..chat("cached", json!({})) },
        chat("fresh", json!({})),
    ] {
        expect += 1;
        world.ask(call).await.unwrap();
        assert_eq!(provider.count(), expect);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_grows_old() {
    let (world, provider) = world(&[Dialect::OpenAiChat]);
    for (minutes, count) in [(0, 1), (4, 1), (2, 2)] {
        tokio::time::advance(Duration::from_mins(minutes)).await;
        world.ask(chat("cached", json!({}))).await.unwrap();
        assert_eq!(provider.count(), count);
    }
}

#[tokio::test(start_paused = true)]
async fn only_complete_answers_are_kept() {
    for native in [&[Dialect::OpenAiChat] as &[Dialect], &[]] {
        let (world, provider) = world(native);
        let call = || chat("cached", json!({"stream": true}));
        provider.next([fail(ProviderErrorKind::InvalidRequest), Do::Break(ProviderErrorKind::Truncated)]);
        world.ask(call()).await.unwrap_err();
        assert!(world.ask(call()).await.unwrap().text.contains("stream_truncated"));
        // A hang-up.
        drop(world.call(call()).await.unwrap());
        assert_eq!(world.ask(call()).await.unwrap().header("x-hanok-cache"), Some("miss"));
        assert_eq!(world.ask(call()).await.unwrap().header("x-hanok-cache"), Some("hit"));
        assert_eq!(provider.count(), 4);
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_given_again_uses_no_tokens() {
    let (world, _) = world(&[Dialect::OpenAiChat]);
    let limits = hanok_gateway::Limits { tokens_per_minute: Some(60), ..Default::default() };
    let key = Arc::new(Key { limits, ..key("alice") });
    for _ in 0..50 {
        world.ask(with(&key, chat("cached", json!({})))).await.unwrap();
    }
}
