//! Which target a call goes to first, and which next.

use crate::world::{Prices, Told, World, chat, entry};
use hanok_base::{Dialect, ProviderErrorKind};
use hanok_gateway::plan::{Facts, plan};
use hanok_gateway::{Entry, Model, Rule, Strategy};
use serde_json::json;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

const FACTS: Facts<'static> = Facts {
    dialect: Dialect::OpenAiChat,
    stream: false,
    input_tokens: 100,
    max_tokens: None,
    key: "",
    project: "",
    tag: "",
    sticky: None,
};

fn told() -> Arc<Told> {
    Told::new("p", &[])
}

fn model(strategy: Strategy, names: &[&str]) -> Model {
    let provider = told();
    let entries = names.iter().map(|name| entry(&provider, name)).collect();
    Model { strategy, ..Model::in_order(entries) }
}

fn order(model: &Model, facts: &Facts<'_>, prices: &Prices) -> Vec<String> {
    match plan(model, facts, prices, Instant::now()) {
        Ok(steps) => steps.iter().map(|step| step.target.model.to_string()).collect(),
        Err(_) => Vec::new(),
    }
}

fn first(model: &Model, facts: &Facts<'_>) -> String {
    order(model, facts, &Prices::default()).remove(0)
}

#[test]
fn in_the_order_written_whatever_a_conversation_shares() {
    let model = model(Strategy::Order, &["a", "b", "c"]);
    for n in 0..50 {
        let sticky = format!("conversation-{n}");
        let facts = Facts { sticky: Some(&sticky), ..FACTS };
        assert_eq!(order(&model, &facts, &Prices::default()), ["a", "b", "c"]);
    }
}

#[test]
fn as_often_as_the_weights_say() {
    fastrand::seed(7);
    let mut model = model(Strategy::Weighted, &["a", "b", "never", "c"]);
    for (entry, weight) in model.entries.iter_mut().zip([6.0, 3.0, 0.0, 1.0]) {
        entry.weight = weight;
    }
    let check = |facts_of: &dyn Fn(u32) -> String| {
        let mut counts = HashMap::<String, u32>::new();
        for n in 0..10_000 {
            let sticky = facts_of(n);
            let sticky = (!sticky.is_empty()).then_some(sticky.as_str());
            let all = order(&model, &Facts { sticky, ..FACTS }, &Prices::default());
            assert_eq!(all.len(), 4);
            assert_eq!(all[3], "never", "only when all others fail");
            *counts.entry(all[0].clone()).or_default() += 1;
        }
        for (name, expect) in [("a", 6_000_u32), ("b", 3_000), ("c", 1_000)] {
            let got = counts[name];
            assert!(got.abs_diff(expect) < 250, "{name}: {got} of {expect}");
        }
    };
    check(&|_| String::new());
    check(&|n| format!("conversation-{n}"));
}

#[test]
fn a_conversation_keeps_its_target_while_others_come_and_go() {
    for strategy in [Strategy::Weighted, Strategy::Fastest] {
        let few = model(strategy, &["a", "b", "c"]);
        let many = model(strategy, &["a", "b", "new", "c"]);
        let mut used = HashMap::<String, u32>::new();
        for n in 0..300 {
            let sticky = format!("conversation-{n}");
            let facts = Facts { sticky: Some(&sticky), ..FACTS };
            let own = first(&few, &facts);
            for _ in 0..5 {
                assert_eq!(first(&few, &facts), own, "{strategy:?}");
            }
            let with_new = first(&many, &facts);
            assert!(with_new == own || with_new == "new", "{strategy:?}: from {own} to {with_new}");
            // One that goes takes only its own conversations with it.
            let rest: Vec<&str> = ["a", "b", "c"].into_iter().filter(|name| *name != "b").collect();
            let without = first(&model(strategy, &rest), &facts);
            assert!(own == "b" || without == own);
            *used.entry(own).or_default() += 1;
        }
        assert!(["a", "b", "c"].iter().all(|name| used[*name] > 60), "{strategy:?}: {used:?}");
        let careless = Model { sticky: false, ..model(strategy, &["a", "b", "c"]) };
        let facts = Facts { sticky: Some("conversation"), ..FACTS };
        let own = first(&careless, &facts);
        assert!((0..200).any(|_| first(&careless, &facts) != own), "{strategy:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_idle_and_the_faster_go_first() {
    let model = model(Strategy::Fastest, &["slow", "fast"]);
    let state = |at: usize| &model.entries[at].target.state;
    let share = |name: &str| (0..200).filter(|_| first(&model, &FACTS) == name).count();
    // Never measured, both count as idle, and chance decides.
    assert!((50..150).contains(&share("fast")), "{}", share("fast"));
    for (at, milliseconds) in [(0, 400), (1, 50)] {
        let mut attempt = state(at).begin().unwrap();
        tokio::time::advance(Duration::from_millis(milliseconds)).await;
        attempt.succeeded();
    }
    assert_eq!(share("fast"), 200);
    // With ten calls under way the faster is the later one.
    let busy: Vec<_> = (0..10).map(|_| state(1).begin().unwrap()).collect();
    assert_eq!(share("fast"), 0);
    drop(busy);
    assert_eq!(share("fast"), 200);
}

#[test]
fn the_cheapest_first_and_what_has_no_price_last() {
    let model = model(Strategy::Cheapest, &["unpriced", "dear", "cheap", "free"]);
    let prices = Prices([("dear", 30), ("cheap", 2), ("free", 0)].into());
    assert_eq!(order(&model, &FACTS, &prices), ["free", "cheap", "dear", "unpriced"]);
}

#[test]
fn rules_choose_by_every_member() {
    let check = |rule: Rule, fits: &Facts<'_>, fits_not: &Facts<'_>| {
        let entry = Entry { when: rule.clone(), ..entry(&told(), "a") };
        let model = Model::in_order(vec![entry]);
        assert_eq!(order(&model, fits, &Prices::default()), ["a"], "{rule:?}");
        assert!(order(&model, fits_not, &Prices::default()).is_empty(), "{rule:?}");
    };
    let rule = Rule::default;
    check(Rule { stream: Some(true), ..rule() }, &Facts { stream: true, ..FACTS }, &FACTS);
    check(Rule { stream: Some(false), ..rule() }, &FACTS, &Facts { stream: true, ..FACTS });
    let tokens = |input_tokens| Facts { input_tokens, ..FACTS };
    check(Rule { input_over: Some(100), ..rule() }, &tokens(101), &tokens(100));
    check(Rule { input_under: Some(100), ..rule() }, &tokens(100), &tokens(101));
    let both = ["a".to_owned(), "b".to_owned()];
    check(Rule { keys: both.to_vec(), ..rule() }, &Facts { key: "b", ..FACTS }, &Facts { key: "c", ..FACTS });
    check(Rule { keys: both.to_vec(), ..rule() }, &Facts { key: "a", ..FACTS }, &FACTS);
    let project = |project| Facts { project, ..FACTS };
    check(Rule { projects: both.to_vec(), ..rule() }, &project("a"), &project("c"));
    let gemini = Facts { dialect: Dialect::Gemini, ..FACTS };
    check(Rule { dialect: Some(Dialect::Gemini), ..rule() }, &gemini, &FACTS);
    check(Rule { tag: Some("batch".into()), ..rule() }, &Facts { tag: "batch", ..FACTS }, &FACTS);
    // All that are given must fit.
    let two = Rule { stream: Some(true), tag: Some("batch".into()), ..rule() };
    check(two, &Facts { stream: true, tag: "batch", ..FACTS }, &Facts { tag: "batch", ..FACTS });
}

#[tokio::test]
async fn a_rule_is_followed_end_to_end() {
    let (small, large) = (Told::new("small", &[]), Told::new("large", &[]));
    let model = Model::in_order(vec![
        Entry { when: Rule { input_over: Some(1_000), ..Rule::default() }, ..entry(&large, "m") },
        Entry { when: Rule { tag: Some("careful".into()), ..Rule::default() }, ..entry(&large, "m") },
        Entry { when: Rule { input_under: Some(1_000), ..Rule::default() }, ..entry(&small, "m") },
    ]);
    let world = World::new(&[&small, &large], vec![("auto", model)]);
    let target = async |call| world.ask(call).await.unwrap().header("x-hanok-target").unwrap().to_owned();
    assert_eq!(target(chat("auto", json!({}))).await, "small/m");
    assert_eq!(target(chat("auto", json!({"user": "x".repeat(8_000)}))).await, "large/m");
    let tagged = hanok_gateway::Call { tag: Some("careful".into()), ..chat("auto", json!({})) };
    assert_eq!(target(tagged).await, "large/m");
}

#[tokio::test]
async fn a_call_meant_for_no_target_is_told_so() {
    let provider = told();
    let only = Rule { tag: Some("batch".into()), ..Rule::default() };
    let model = Model::in_order(vec![Entry { when: only, ..entry(&provider, "m") }]);
    let world = World::new(&[&provider], vec![("nightly", model)]);
    let problem = world.ask(chat("nightly", json!({}))).await.unwrap_err();
    assert_eq!((problem.kind.status(), problem.code.as_str()), (503, "no_target"));
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn a_dead_target_leaves_its_conversations_to_the_next_and_takes_them_back() {
    let all = ["a", "b", "c"].map(|name| Told::new(name, &[]));
    let entries = all.iter().map(|provider| entry(provider, "m")).collect();
    let model = Model { strategy: Strategy::Weighted, retries: 0, ..Model::in_order(entries) };
    let world = World::new(&all.each_ref(), vec![("m", model)]);
    let ask = async || {
        let read = world.ask(chat("m", json!({"prompt_cache_key": "conversation"}))).await.unwrap();
        read.header("x-hanok-target").unwrap().to_owned()
    };
    let own = ask().await;
    let provider = all.iter().find(|provider| own.starts_with(&provider_name(provider))).unwrap();
    provider.next([crate::world::fail(ProviderErrorKind::Overloaded)]);
    let other = ask().await;
    assert_ne!(other, own);
    assert_eq!(ask().await, own);
}

fn provider_name(provider: &Arc<Told>) -> String {
    use hanok_base::Provider as _;
    provider.name().to_string()
}
