//! What a key may: models, requests, tokens, calls at once, for how long.

use crate::world::{Do, TOKENS, Told, World, chat, key, with};
use hanok_base::{Dialect, ErrorKind, Timestamp};
use hanok_gateway::{Key, KeyRing, Limits};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

fn world() -> (World, Arc<Told>) {
    let provider = Told::new("p", &[Dialect::OpenAiChat]);
    (World::new(&[&provider], Vec::new()), provider)
}

fn limited(limits: Limits) -> Arc<Key> {
    Arc::new(Key { limits, ..key("alice") })
}

#[tokio::test(start_paused = true)]
async fn requests_a_minute_with_headers_clients_know() {
    let (world, provider) = world();
    let key = limited(Limits { requests_per_minute: Some(2), ..Limits::default() });
    for left in ["1", "0"] {
        let read = world.ask(with(&key, chat("p/m", json!({})))).await.unwrap();
        assert_eq!(read.header("x-ratelimit-limit-requests"), Some("2"));
        assert_eq!(read.header("x-ratelimit-remaining-requests"), Some(left), "ours, not the upstream's");
        let reset = if left == "1" { "30s" } else { "1m0s" };
        assert_eq!(read.header("x-ratelimit-reset-requests"), Some(reset));
        assert_eq!(read.header("x-ratelimit-limit-tokens"), None);
        assert_eq!(read.header("x-request-id"), Some("r1"));
    }
    let problem = world.ask(with(&key, chat("p/m", json!({})))).await.unwrap_err();
    assert_eq!((problem.kind, problem.code.as_str()), (ErrorKind::RateLimited, "rate_limited"));
    assert_eq!(problem.retry_after, Some(30));
    let left = problem.limits.as_ref().and_then(|limits| limits.requests).unwrap();
    assert_eq!((left.limit, left.remaining, left.reset), (2, 0, Duration::from_mins(1)));
    assert_eq!(provider.count(), 2);
    tokio::time::advance(Duration::from_secs(30)).await;
    world.ask(with(&key, chat("p/m", json!({})))).await.unwrap();

    let free = Arc::new(crate::world::key("bob"));
    let read = world.ask(with(&free, chat("p/m", json!({})))).await.unwrap();
    assert_eq!(read.header("x-ratelimit-remaining-requests"), Some("77"), "the upstream's");
}

#[tokio::test(start_paused = true)]
async fn tokens_a_minute_are_corrected_by_what_was_used() {
    let (world, _) = world();
    let key = limited(Limits { tokens_per_minute: Some(100), ..Limits::default() });
    let left = async || {
        let read = world.ask(with(&key, chat("p/m", json!({})))).await.unwrap();
        let left: u64 = read.header("x-ratelimit-remaining-tokens").unwrap().parse().unwrap();
        left
    };
    let thought = 100 - left().await;
    assert!(thought > 5 && thought < TOKENS, "{thought}");
    assert_eq!(left().await, 100 - TOKENS - thought);
    assert_eq!(left().await, 100 - 2 * TOKENS - thought);
    let problem = world.ask(with(&key, chat("p/m", json!({})))).await.unwrap_err();
    assert_eq!(problem.code, "rate_limited", "{problem}");
    let large = chat("p/m", json!({"user": "x".repeat(1_000)}));
    let problem = world.ask(with(&key, large)).await.unwrap_err();
    assert_eq!((problem.kind, problem.code.as_str()), (ErrorKind::InvalidRequest, "request_too_large"));
}

#[tokio::test(start_paused = true)]
async fn a_key_of_the_configuration_is_metered_too() {
    let (world, _) = world();
    let limits = Limits { tokens_per_minute: Some(100), ..Limits::default() };
    let key = Arc::new(Key { id: "".into(), limits, ..key("alice") });
    let mut refused = 0;
    for _ in 0..5 {
        refused += u32::from(world.ask(with(&key, chat("p/m", json!({})))).await.is_err());
    }
    assert!(refused >= 2, "{refused}: its tokens are counted although it has no id");
}

#[tokio::test(start_paused = true)]
async fn calls_at_once_end_with_their_answers() {
    let (world, provider) = world();
    let key = limited(Limits { concurrent: Some(1), ..Limits::default() });
    let stream = world.call(with(&key, chat("p/m", json!({"stream": true})))).await.unwrap();
    let problem = world.ask(with(&key, chat("p/m", json!({})))).await.unwrap_err();
    assert_eq!((problem.kind, problem.code.as_str()), (ErrorKind::RateLimited, "concurrency_limit"));
    assert!(problem.message.contains("the key `alice`"), "{problem}");
    crate::world::read(stream).await;
    world.ask(with(&key, chat("p/m", json!({})))).await.unwrap();
    // A hang-up before the head gives the place back, too.
    provider.next([Do::Answer(Duration::from_mins(1))]);
    let early = tokio::time::timeout(Duration::from_secs(1), world.ask(with(&key, chat("p/m", json!({})))));
    assert!(early.await.is_err());
    world.ask(with(&key, chat("p/m", json!({})))).await.unwrap();
}

#[tokio::test]
async fn only_the_models_it_may_call() {
    let (world, provider) = world();
    let key = Arc::new(Key { models: vec!["p/gpt-*".into(), "p/exact".into()], ..key("alice") });
    let check = async |model: &str, may: bool| {
        let before = provider.count();
        match world.ask(with(&key, chat(model, json!({})))).await {
            Ok(_) => assert!(may, "{model}"),
            Err(problem) => {
                assert!(!may, "{model}: {problem}");
                assert_eq!(
                    (problem.kind, problem.code.as_str()),
                    (ErrorKind::Forbidden, "model_not_allowed")
                );
                assert_eq!(problem.param.as_deref(), Some("model"));
                assert_eq!(provider.count(), before);
            }
        }
    };
    check("p/gpt-5", true).await;
    check("p/exact", true).await;
    check("p/exactly", false).await;
    check("p/claude", false).await;
}

#[test]
fn a_key_is_good_until_it_expires() {
    let ring = KeyRing::default();
    assert!(ring.is_empty());
    let at = |text| Timestamp::parse_rfc3339(text).unwrap();
    let expires = Some(at("2026-11-20T10:00:00Z"));
    ring.replace([([1; 32], Key { expires, ..key("alice") }), ([2; 32], key("bob"))]);
    assert!(ring.find(&[1; 32], at("2026-11-20T09:59:59Z")).is_ok());
    let check = |hash: [u8; 32], code: &str| {
        let problem = ring.find(&hash, at("2026-11-20T10:00:00Z")).err().unwrap();
        assert_eq!((problem.kind, problem.code.as_str()), (ErrorKind::Unauthenticated, code));
    };
    check([1; 32], "expired_api_key");
    check([9; 32], "invalid_api_key");
    assert_eq!(&*ring.find(&[2; 32], at("2026-11-20T10:00:00Z")).unwrap().name, "bob");
}

#[test]
fn what_was_used_outlives_a_reload_of_the_keys() {
    let ring = KeyRing::default();
    let limits = Limits { requests_per_minute: Some(1), ..Limits::default() };
    let now = Timestamp::now();
    let one = || ([1; 32], Key { limits, ..key("alice") });
    ring.replace([one()]);
    let found = ring.find(&[1; 32], now).unwrap();
    found.meter.admit(&limits, 1, &"alice").unwrap();
    ring.replace([one()]);
    assert!(ring.find(&[1; 32], now).unwrap().meter.admit(&limits, 1, &"alice").is_err());
    let more = Limits { requests_per_minute: Some(9), ..limits };
    ring.replace([([1; 32], Key { limits: more, ..key("alice") })]);
    assert!(ring.find(&[1; 32], now).unwrap().meter.admit(&more, 1, &"alice").is_ok());
    ring.replace([]);
    assert!(ring.find(&[1; 32], now).is_err(), "revoked");
}
