//! Retries, waits, breakers and queues, on a clock that tests move.

use crate::world::{ANSWER, Do, Told, World, chat, entry, fail};
use futures_util::future::join_all;
use hanok_base::{Dialect, ProviderErrorKind as Kind};
use hanok_gateway::{AnswerBody, Entry, Model};
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

fn one(provider: &Arc<Told>, retries: u32) -> World {
    World::new(&[provider], vec![("m", Model { retries, ..Model::in_order(vec![entry(provider, "x")]) })])
}

fn two(first: &Arc<Told>, second: &Arc<Told>, retries: u32) -> World {
    let entries = vec![entry(first, "x"), entry(second, "x")];
    World::new(&[first, second], vec![("m", Model { retries, ..Model::in_order(entries) })])
}

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn each_kind_of_failure_is_tried_again_elsewhere_or_not() {
    let check = async |kind: Kind, here: usize, elsewhere: bool, status: u16| {
        let provider = Told::new("p", &[]);
        provider.then(fail(kind));
        let problem = one(&provider, 1).ask(chat("m", json!({}))).await.unwrap_err();
        assert_eq!(provider.count(), here, "{kind}");
        assert_eq!(problem.kind.status(), status, "{kind}: {problem}");

        let (first, second) = (Told::new("p", &[]), Told::new("q", &[]));
        first.then(fail(kind));
        let world = two(&first, &second, 1);
        let answer = world.ask(chat("m", json!({}))).await;
        assert_eq!(answer.is_ok(), elsewhere, "{kind}");
        if let Ok(read) = answer {
            assert_eq!(read.header("x-hanok-target"), Some("q/x"));
            assert_eq!(world.attribute("hanok.tries"), Some(2.into()));
            assert_eq!(world.attribute("gen_ai.provider.name"), Some("q".into()));
        }
    };
    check(Kind::RateLimited, 2, true, 429).await;
    check(Kind::Overloaded, 2, true, 502).await;
    check(Kind::Timeout, 2, true, 504).await;
    check(Kind::Truncated, 2, true, 502).await;
    check(Kind::Decode, 2, true, 502).await;
    check(Kind::Transport, 2, true, 502).await;
    check(Kind::Auth, 1, true, 502).await;
    check(Kind::ContextLength, 1, true, 400).await;
    check(Kind::UnknownModel, 1, true, 404).await;
    check(Kind::Unsupported, 1, true, 501).await;
    check(Kind::InvalidRequest, 1, false, 400).await;
    check(Kind::ContentFilter, 1, false, 400).await;
    check(Kind::Internal, 1, false, 500).await;
}

#[tokio::test(start_paused = true)]
async fn as_often_as_the_model_says() {
    for retries in [0, 1, 3] {
        let provider = Told::new("p", &[]);
        provider.then(fail(Kind::Transport));
        one(&provider, retries).ask(chat("m", json!({}))).await.unwrap_err();
        assert_eq!(provider.count(), 1 + retries as usize);
    }
}

#[tokio::test(start_paused = true)]
async fn what_an_upstream_asks_to_be_waited_is_waited() {
    let check = async |asked: Option<Duration>, at_least: Duration, at_most: Duration| {
        let provider = Told::new("p", &[]);
        provider.next([Do::Fail(Kind::RateLimited, asked)]);
        let begun = Instant::now();
        one(&provider, 1).ask(chat("m", json!({}))).await.unwrap();
        let took = begun.elapsed();
        assert!(took >= at_least && took <= at_most, "{asked:?}: {took:?}");
        assert_eq!(provider.count(), 2);
    };
    check(Some(SECOND * 3), SECOND * 3, SECOND * 4).await;
    check(Some(Duration::ZERO), Duration::ZERO, SECOND).await;
    // Unasked, a limited target is left alone for a moment all the same.
    check(None, SECOND / 2, SECOND * 2).await;

    let provider = Told::new("p", &[]);
    provider.next([Do::Fail(Kind::RateLimited, Some(SECOND * 60))]);
    let begun = Instant::now();
    let problem = one(&provider, 3).ask(chat("m", json!({}))).await.unwrap_err();
    assert_eq!((provider.count(), problem.retry_after), (1, Some(60)), "longer than a client would wait");
    assert!(begun.elapsed() < SECOND);
}

#[tokio::test(start_paused = true)]
async fn a_limited_target_is_passed_over_until_its_time_is_over() {
    let (first, second) = (Told::new("p", &[]), Told::new("q", &[]));
    first.next([Do::Fail(Kind::RateLimited, Some(SECOND * 20))]);
    let world = two(&first, &second, 1);
    for _ in 0..5 {
        world.ask(chat("m", json!({}))).await.unwrap();
    }
    assert_eq!((first.count(), second.count()), (1, 5));
    tokio::time::advance(SECOND * 20).await;
    world.ask(chat("m", json!({}))).await.unwrap();
    assert_eq!((first.count(), second.count()), (2, 5));
}

#[tokio::test(start_paused = true)]
async fn retries_are_a_small_share_when_everything_fails() {
    let provider = Told::new("p", &[]);
    // A failure of one request says nothing of the target, so that no breaker is in the way here.
    let models = (0..40).map(|n| (format!("m{n}"), entry(&provider, &format!("x{n}")))).collect::<Vec<_>>();
    let models = models
        .iter()
        .map(|(name, entry)| (name.as_str(), Model { retries: 5, ..Model::in_order(vec![entry.clone()]) }));
    let world = World::new(&[&provider], models.collect());
    provider.then(fail(Kind::Transport));
    for n in 0..40 {
        world.ask(chat(&format!("m{n}"), json!({}))).await.unwrap_err();
    }
    let retries = provider.count() - 40;
    assert!((50..=60).contains(&retries), "{retries}: fifty saved up, and one for every five calls");
}

#[tokio::test(start_paused = true)]
async fn a_breaker_opens_lets_one_probe_through_and_closes() {
    let provider = Told::new("p", &[]);
    let world = one(&provider, 0);
    provider.then(fail(Kind::Overloaded));
    for _ in 0..5 {
        world.ask(chat("m", json!({}))).await.unwrap_err();
    }
    let problem = world.ask(chat("m", json!({}))).await.unwrap_err();
    assert_eq!((problem.kind.status(), problem.code.as_str()), (503, "targets_away"));
    assert!(problem.retry_after.is_some_and(|wait| (1..=2).contains(&wait)), "{problem:?}");
    assert_eq!(provider.count(), 5, "an open breaker sends nothing");

    tokio::time::advance(SECOND).await;
    provider.then(Do::Answer(SECOND));
    let all = join_all((0..8).map(|_| world.ask(chat("m", json!({}))))).await;
    assert_eq!(all.iter().filter(|answer| answer.is_ok()).count(), 1, "one probe, the rest is told to wait");
    assert_eq!(provider.count(), 6);
    provider.then(ANSWER);
    world.ask(chat("m", json!({}))).await.unwrap();
    assert_eq!(provider.count(), 7);
}

#[tokio::test(start_paused = true)]
async fn a_short_wait_for_the_breaker_is_worth_a_retry() {
    let provider = Told::new("p", &[]);
    let world = one(&provider, 0);
    provider.next(vec![fail(Kind::Overloaded); 5]);
    for _ in 0..5 {
        world.ask(chat("m", json!({}))).await.unwrap_err();
    }
    let patient = Model {
        retries: 1,
        ..(*world.gateway.routes().resolve("m", world.gateway.catalog()).unwrap()).clone()
    };
    let state = patient.entries[0].target.state.clone();
    assert_eq!(state.health().breaker, "open");
    let world = World::new(&[&provider], vec![("m", patient)]);
    world.ask(chat("m", json!({}))).await.unwrap();
    assert_eq!(state.health().breaker, "closed");
}

#[tokio::test(start_paused = true)]
async fn a_fallback_that_was_only_looked_at_is_there_when_it_is_needed() {
    let (first, second) = (Told::new("p", &[]), Told::new("q", &[]));
    let world = two(&first, &second, 0);
    first.next(vec![fail(Kind::Overloaded); 5]);
    second.next(vec![fail(Kind::Overloaded); 5]);
    for _ in 0..5 {
        world.ask(chat("m", json!({}))).await.unwrap_err();
    }
    tokio::time::advance(SECOND).await;
    // The first is well again, the second stands behind it with its breaker half open.
    for _ in 0..10 {
        world.ask(chat("m", json!({}))).await.unwrap();
    }
    first.next([fail(Kind::Transport)]);
    let read = world.ask(chat("m", json!({}))).await.unwrap();
    assert_eq!(read.header("x-hanok-target"), Some("q/x"));
}

#[tokio::test(start_paused = true)]
async fn a_hang_up_of_the_probe_leaves_the_probe_to_the_next() {
    let provider = Told::new("p", &[]);
    let world = one(&provider, 0);
    provider.next(vec![fail(Kind::Transport); 5]);
    for _ in 0..5 {
        world.ask(chat("m", json!({}))).await.unwrap_err();
    }
    tokio::time::advance(SECOND).await;
    provider.next([Do::Answer(SECOND * 100)]);
    let probe = tokio::time::timeout(SECOND, world.ask(chat("m", json!({})))).await;
    assert!(probe.is_err());
    world.ask(chat("m", json!({}))).await.unwrap();
}

fn limited(provider: &Arc<Told>, model: &str, most: usize) -> Entry {
    Entry { max_concurrent: Some(most), ..entry(provider, model) }
}

#[tokio::test(start_paused = true)]
async fn calls_wait_for_a_place_and_then_are_told_to_come_back() {
    let provider = Told::new("p", &[]);
    let world = World::new(&[&provider], vec![("m", Model::in_order(vec![limited(&provider, "x", 2)]))]);
    provider.then(Do::Answer(SECOND * 3));
    let begun = Instant::now();
    let all = join_all((0..10).map(|_| world.ask(chat("m", json!({}))))).await;
    let good = all.iter().filter(|answer| answer.is_ok()).count();
    assert_eq!(good, 8, "four rounds of two within the wait");
    let refused = all.into_iter().find_map(Result::err).unwrap();
    assert_eq!((refused.kind.status(), refused.code.as_str()), (429, "target_busy"));
    assert!(refused.retry_after.is_some());
    assert!(begun.elapsed() <= SECOND * 13, "{:?}", begun.elapsed());
    assert_eq!(provider.count(), 8);
}

#[tokio::test(start_paused = true)]
async fn a_full_target_gives_way_to_the_next_and_when_all_are_full_the_best_is_waited_for() {
    let (first, second) = (Told::new("p", &[]), Told::new("q", &[]));
    let entries = vec![limited(&first, "x", 1), limited(&second, "x", 1)];
    let world = World::new(&[&first, &second], vec![("m", Model { retries: 0, ..Model::in_order(entries) })]);
    first.then(Do::Answer(SECOND));
    second.then(Do::Answer(SECOND * 5));
    let all = join_all((0..3).map(|_| world.ask(chat("m", json!({}))))).await;
    let targets: Vec<_> =
        all.iter().map(|answer| answer.as_ref().unwrap().header("x-hanok-target").unwrap()).collect();
    assert_eq!(targets, ["p/x", "q/x", "p/x"]);
}

#[tokio::test(start_paused = true)]
async fn a_stream_holds_its_place_to_its_end() {
    for native in [&[Dialect::OpenAiChat] as &[Dialect], &[]] {
        let provider = Told::new("p", native);
        let model = Model { retries: 0, ..Model::in_order(vec![limited(&provider, "x", 1)]) };
        let world = World::new(&[&provider], vec![("m", model)]);
        let stream = || chat("m", json!({"stream": true}));
        let first = world.call(stream()).await.unwrap();
        let problem = world.ask(stream()).await.unwrap_err();
        assert_eq!(problem.code, "target_busy");
        assert!(matches!(first.body, AnswerBody::Stream(_)));
        drop(first);
        world.ask(stream()).await.unwrap();
        world.ask(stream()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn answers_that_break_off_are_explicit_and_count_against_their_target() {
    for native in [&[Dialect::OpenAiChat] as &[Dialect], &[]] {
        let provider = Told::new("p", native);
        provider.next(vec![Do::Break(Kind::Truncated); 5]);
        let world = one(&provider, 0);
        for _ in 0..5 {
            let read = world.ask(chat("m", json!({"stream": true}))).await.unwrap();
            assert!(read.text.contains("hello") && read.text.contains("stream_truncated"), "{}", read.text);
            assert!(!read.text.contains("[DONE]"), "{}", read.text);
        }
        let problem = world.ask(chat("m", json!({"stream": true}))).await.unwrap_err();
        assert_eq!(problem.code, "targets_away", "all of them broke off");
    }
}

#[tokio::test(start_paused = true)]
async fn how_targets_do_is_remembered_over_a_change_of_the_routes() {
    let provider = Told::new("p", &[]);
    let world = World::new(&[&provider], Vec::new());
    provider.next(vec![fail(Kind::Auth)]);
    world.ask(chat("p/x", json!({}))).await.unwrap_err();
    let routes = hanok_gateway::Routes::default().keeping(world.gateway.states());
    world.gateway.replace(routes.provider(provider.clone()).unwrap());
    let problem = world.ask(chat("p/x", json!({}))).await.unwrap_err();
    assert_eq!((problem.code.as_str(), provider.count()), ("targets_away", 1));
}
