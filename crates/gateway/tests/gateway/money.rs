//! Budgets: what is set aside before a call leaves, what it is settled with, and what is refused.

use crate::world::{COST, Do, Prices, TODAY, Told, World, chat, entry, fail, key, noon, with};
use hanok_base::{
    CallContext, Caller, Capabilities, ChatRequest, Dialect, Dialects, ErrorKind, Message, NanoDollars,
    Provider as _, ProviderErrorKind, Role, Route,
};
use hanok_gateway::{Budget, Call, Key, Model, Period};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

fn budget(limit: i64) -> Budget {
    Budget { limit: NanoDollars(limit), period: Period::Day, model: None }
}

fn spender(limit: i64) -> Arc<Key> {
    Arc::new(Key { budgets: vec![budget(limit)], ..key("alice") })
}

/// One provider in its own bytes, at one nano-dollar a token.
fn world() -> (World, Arc<Told>) {
    let provider = Told::new("p", &[Dialect::OpenAiChat]);
    let world = World::new(&[&provider], Vec::new());
    world.policy(Prices::of(&[("m", 1), ("free", 0)]), Vec::new());
    (world, provider)
}

/// A call that may cost some 10 100 at most, and costs [`COST`].
fn call(model: &str) -> Call {
    chat(model, json!({"max_tokens": 10_000}))
}

#[tokio::test]
async fn money_is_set_aside_and_settled_with_what_the_call_cost() {
    let (world, provider) = world();
    let key = spender(100_000);
    for n in 1..=3 {
        world.ask(with(&key, call("p/m"))).await.unwrap();
        let account = world.bank.of("key:id-alice", TODAY);
        assert_eq!((account.spent.0, account.written_off.0), (n * COST, 0));
        assert!(account.drawn.0 >= 10_000 && account.drawn.0 <= 100_000, "{account:?}");
        assert_eq!(world.reserved("key:id-alice", TODAY), 0);
        // Accounts without a limit show what was used, too.
        assert_eq!(world.bank.of("key:id-alice", "2026-11").spent.0, n * COST);
    }
    assert_eq!(provider.count(), 3);
    assert_eq!(*world.bank.draws.lock(), 2, "a slab, and the next when it is used up");
}

#[tokio::test]
async fn a_spent_budget_refuses_before_anything_is_sent() {
    let (world, provider) = world();
    let key = spender(12_000);
    for _ in 0..2 {
        world.ask(with(&key, call("p/m"))).await.unwrap();
    }
    let problem = world.ask(with(&key, call("p/m"))).await.unwrap_err();
    assert_eq!((problem.kind, problem.code.as_str()), (ErrorKind::BudgetSpent, "budget_spent"));
    assert_eq!(problem.kind.status(), 402);
    assert!(problem.message.contains("the key `alice`") && problem.hint.is_some(), "{problem}");
    assert_eq!(problem.retry_after, None, "waiting does not help");
    assert_eq!(provider.count(), 2);
    // A smaller one still fits.
    world.ask(with(&key, chat("p/m", json!({"max_tokens": 100})))).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_others_reserve_is_worth_a_short_wait() {
    let (world, provider) = world();
    let key = spender(12_000);
    provider.next([Do::Answer(Duration::from_secs(1))]);
    let first = world.ask(with(&key, call("p/m")));
    let second = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        world.ask(with(&key, call("p/m"))).await
    };
    let (first, second) = futures_util::future::join(first, second).await;
    first.unwrap();
    let problem = second.unwrap_err();
    assert_eq!((problem.code.as_str(), problem.retry_after), ("budget_spent", Some(1)));
    world.ask(with(&key, call("p/m"))).await.unwrap();
}

#[tokio::test]
async fn every_budget_that_bears_on_a_call_must_hold() {
    let check = async |key_limit: Option<i64>,
                       budgets: &[(&str, i64)],
                       model: &str,
                       project: &str,
                       expect: Result<(), &str>| {
        let (world, _) = world();
        world.policy(
            Prices::of(&[("m", 1)]),
            budgets.iter().map(|(name, limit)| ((*name).to_owned(), budget(*limit))).collect(),
        );
        let budgets = key_limit.map(|limit| Budget { model: Some("p/*".into()), ..budget(limit) });
        let key = Key { project: project.into(), budgets: budgets.into_iter().collect(), ..key("alice") };
        match (world.ask(with(&Arc::new(key), call(model))).await, expect) {
            (Ok(_), Ok(())) => {}
            (Err(problem), Err(whose)) => {
                assert_eq!(problem.code, "budget_spent", "{problem}");
                assert!(problem.message.contains(whose), "{problem}");
            }
            (got, expect) => panic!("{got:?} {expect:?}"),
        }
    };
    let enough = 50_000;
    check(Some(enough), &[("", enough), ("blue", enough)], "p/m", "blue", Ok(())).await;
    check(Some(1), &[("", enough)], "p/m", "", Err("the key `alice`")).await;
    check(Some(enough), &[("", 1)], "p/m", "", Err("all calls together")).await;
    check(Some(enough), &[("blue", 1)], "p/m", "blue", Err("the project `blue`")).await;
    check(None, &[("blue", 1)], "p/m", "red", Ok(())).await;
}

#[tokio::test]
async fn a_budget_for_some_models_leaves_others_alone() {
    let (world, _) = world();
    let only = Budget { model: Some("p/m".into()), ..budget(1) };
    let key = Arc::new(Key { budgets: vec![only], ..key("alice") });
    world.ask(with(&key, call("p/free"))).await.unwrap();
    assert_eq!(world.ask(with(&key, call("p/m"))).await.unwrap_err().code, "budget_spent");
}

#[tokio::test]
async fn a_key_of_the_configuration_has_a_budget_too() {
    let (world, _) = world();
    let key = Arc::new(Key { id: "".into(), budgets: vec![budget(1)], ..key("alice") });
    assert_eq!(world.ask(with(&key, call("p/m"))).await.unwrap_err().code, "budget_spent");
}

#[tokio::test]
async fn what_has_no_price_is_refused_under_a_budget_and_taken_without() {
    let (world, provider) = world();
    let problem = world.ask(with(&spender(1_000_000), call("p/unpriced"))).await.unwrap_err();
    assert_eq!((problem.kind, problem.code.as_str()), (ErrorKind::Forbidden, "model_unpriced"));
    assert!(problem.message.contains("p/unpriced") && problem.hint.is_some(), "{problem}");
    assert_eq!(provider.count(), 0);
    world.ask(with(&Arc::new(key("bob")), call("p/unpriced"))).await.unwrap();
    world.ask(with(&spender(1), call("p/free"))).await.unwrap();
}

#[tokio::test]
async fn one_unpriced_target_is_enough_to_refuse() {
    let provider = Told::new("p", &[Dialect::OpenAiChat]);
    let both = Model::in_order(vec![entry(&provider, "m"), entry(&provider, "unpriced")]);
    let world = World::new(&[&provider], vec![("both", both)]);
    world.policy(Prices::of(&[("m", 1)]), Vec::new());
    assert_eq!(world.ask(with(&spender(1_000_000), call("both"))).await.unwrap_err().code, "model_unpriced");
}

#[tokio::test]
async fn the_limit_that_is_reserved_is_sent_upstream() {
    let check = async |native: bool, key: Key, said: Option<u64>, expect: Value| {
        let native: &[Dialect] = if native { &[Dialect::OpenAiChat] } else { &[] };
        let provider = Told::new("p", native);
        let model = Model { max_tokens: Some(500), ..Model::in_order(vec![entry(&provider, "m")]) };
        let world = World::new(&[&provider], vec![("model", model)]);
        world.policy(Prices::of(&[("m", 1)]), Vec::new());
        let said = said.map_or_else(|| json!({}), |said| json!({"max_tokens": said}));
        world.ask(with(&Arc::new(key), chat("model", said))).await.unwrap();
        assert_eq!(provider.last().get("max_tokens").cloned().unwrap_or_default(), expect);
    };
    for native in [false, true] {
        let (free, bounded) = (|| key("bob"), || Key { budgets: vec![budget(1_000_000)], ..key("alice") });
        check(native, free(), None, Value::Null).await;
        check(native, free(), Some(70), json!(70)).await;
        check(native, bounded(), None, json!(500)).await;
        check(native, bounded(), Some(70), json!(70)).await;
        check(native, bounded(), Some(900), json!(900)).await;
        // The key's own limit holds in any case.
        let most = |key: Key, most| Key { max_output_tokens: Some(most), ..key };
        check(native, most(bounded(), 200), None, json!(200)).await;
        check(native, most(bounded(), 9_000), None, json!(500)).await;
        check(native, most(free(), 9_000), None, json!(9_000)).await;
        check(native, most(free(), 200), Some(200), json!(200)).await;
    }
}

#[tokio::test]
async fn a_limit_in_the_name_that_the_model_takes() {
    let can = Capabilities {
        native: Dialects::NONE.with(Dialect::OpenAiChat),
        max_completion_tokens: true,
        ..Capabilities::default()
    };
    let provider = Told::able("p", can);
    let world = World::new(&[&provider], Vec::new());
    world.policy(Prices::of(&[("m", 1)]), Vec::new());
    world.ask(with(&spender(1_000_000), chat("p/m", json!({})))).await.unwrap();
    assert_eq!(
        (&provider.last()["max_completion_tokens"], &provider.last()["max_tokens"]),
        (&json!(4_096), &Value::Null)
    );
}

#[tokio::test]
async fn more_than_a_key_may_is_refused() {
    let (world, provider) = world();
    let key = Arc::new(Key { max_output_tokens: Some(100), ..key("alice") });
    let problem = world.ask(with(&key, chat("p/m", json!({"max_tokens": 101})))).await.unwrap_err();
    assert_eq!((problem.kind, problem.code.as_str()), (ErrorKind::InvalidRequest, "max_tokens_too_large"));
    assert_eq!(problem.param.as_deref(), Some("max_tokens"));
    assert_eq!(provider.count(), 0);
}

#[tokio::test]
async fn a_call_that_was_not_made_gives_all_back() {
    let (world, provider) = world();
    let key = spender(12_000);
    provider.then(fail(ProviderErrorKind::InvalidRequest));
    for _ in 0..20 {
        let problem = world.ask(with(&key, call("p/m"))).await.unwrap_err();
        assert_eq!(problem.code, "invalid_request", "never the budget: {problem}");
    }
    // Refused before it leaves, by a model nobody has.
    world.ask(with(&key, call("nobody/m"))).await.unwrap_err();
    assert_eq!(world.reserved("key:id-alice", TODAY), 0);
    assert_eq!(world.bank.of("key:id-alice", TODAY).spent.0, 0);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_is_dropped_gives_back_what_it_did_not_cost() {
    let (world, provider) = world();
    let key = spender(12_000);
    provider.next([Do::Answer(Duration::from_mins(1))]);
    let early = tokio::time::timeout(Duration::from_secs(1), world.ask(with(&key, call("p/m")))).await;
    assert!(early.is_err());
    assert_eq!((world.reserved("key:id-alice", TODAY), world.bank.of("key:id-alice", TODAY).spent.0), (0, 0));

    let stream = Call { stream: Some(true), ..call("p/m") };
    let answer = world.call(with(&key, stream)).await.unwrap();
    assert!(world.reserved("key:id-alice", TODAY) >= 10_000, "until the answer ends");
    drop(answer);
    assert_eq!(
        (world.reserved("key:id-alice", TODAY), world.bank.of("key:id-alice", TODAY).spent.0),
        (0, COST)
    );
}

#[tokio::test(start_paused = true)]
async fn another_try_is_paid_for_by_itself_where_the_first_may_be_charged() {
    let check = async |kind: ProviderErrorKind, limit: i64, expect: usize| {
        let (world, provider) = world();
        provider.then(fail(kind));
        world.ask(with(&spender(limit), call("p/m"))).await.unwrap_err();
        assert_eq!(provider.count(), expect, "{kind} {limit}");
        assert_eq!(world.reserved("key:id-alice", TODAY), 0);
    };
    check(ProviderErrorKind::Timeout, 12_000, 1).await;
    check(ProviderErrorKind::Timeout, 24_000, 2).await;
    check(ProviderErrorKind::Overloaded, 12_000, 2).await;
}

#[tokio::test]
async fn what_is_named_by_its_address_is_reserved_for() {
    let (world, provider) = world();
    let image = |url: &str| {
        let part = json!({"type": "image_url", "image_url": {"url": url}});
        let messages = json!([{"role": "user", "content": [part]}]);
        chat("p/m", json!({"max_tokens": 1, "messages": messages}))
    };
    // An image has some 16 000 tokens at most, however short its address is.
    for url in ["https://h/a.png", "data:image/png;base64,AAAA"] {
        let problem = world.ask(with(&spender(10_000), image(url))).await.unwrap_err();
        assert_eq!(problem.code, "budget_spent", "{url}");
        world.ask(with(&spender(20_000), image(url))).await.unwrap();
    }
    // The bytes of a large one are no tokens.
    let large = format!("data:image/png;base64,{}", "A".repeat(400_000));
    world.ask(with(&spender(20_000), image(&large))).await.unwrap();
    assert_eq!(provider.count(), 3);
}

#[tokio::test]
async fn several_answers_cost_several_times() {
    let (world, _) = world();
    let several = |n: u32| chat("p/m", json!({"max_tokens": 10_000, "n": n}));
    assert_eq!(world.ask(with(&spender(25_000), several(3))).await.unwrap_err().code, "budget_spent");
    world.ask(with(&spender(25_000), several(2))).await.unwrap();
}

#[tokio::test]
async fn counting_tokens_is_free() {
    let (world, _) = world();
    let body = json!({"model": "p/unpriced", "messages": [{"role": "user", "content": "hi"}]}).to_string();
    let count = || Call::new(Dialect::AnthropicMessages, Route::CountTokens, body.clone().into());
    let read = world.ask(with(&spender(0), count())).await.unwrap();
    assert!(read.json()["input_tokens"].as_u64().unwrap() > 0);
}

#[tokio::test]
async fn calls_of_other_rooms_draw_on_the_same_budget() {
    let (world, provider) = {
        let provider = Told::new("p", &[]);
        let world = World::new(&[&provider], Vec::new());
        world.policy(Prices::of(&[("m", 1)]), Vec::new());
        (world, provider)
    };
    let most = Key { max_output_tokens: Some(300), budgets: vec![budget(1_500)], ..key("alice") };
    world.gateway.keys().replace([([1; 32], most)]);
    let caller =
        Caller { key_name: Some("alice".into()), key_id: Some("id-alice".into()), ..Caller::default() };
    let ask = async |max_tokens: Option<u64>| {
        let cx = CallContext::new(Box::new(world.books.clone()), Arc::new(caller.clone()));
        let mut request = ChatRequest::new("p/m".into(), vec![Message::text(Role::User, "hi")]);
        request.sampling.max_tokens = max_tokens;
        world.gateway.chat(&cx, &request).await
    };
    ask(Some(9_000)).await.unwrap();
    assert_eq!(provider.last()["max_tokens"], 300, "no more than the key may");
    assert_eq!(world.bank.of("key:id-alice", TODAY).spent.0, COST);
    let error = ask(None).await.unwrap_err();
    assert_eq!(error.code.as_deref(), Some("budget_spent"), "{error}");
    assert_eq!((provider.count(), world.reserved("key:id-alice", TODAY)), (1, 0));
}

#[tokio::test]
async fn a_new_day_is_a_new_budget_and_a_call_belongs_to_the_day_it_began() {
    let (world, _) = world();
    let key = spender(10_500);
    let answer = world.call(with(&key, Call { stream: Some(true), ..call("p/m") })).await.unwrap();
    let tomorrow = hanok_gateway::Policy {
        tariff: Prices::of(&[("m", 1)]),
        ledger: world.ledger.clone(),
        clock: || noon("2026-11-21"),
        ..hanok_gateway::Policy::default()
    };
    world.gateway.set_policy(tomorrow);
    world.ask(with(&key, call("p/m"))).await.unwrap();
    drop(answer);
    assert_eq!(world.bank.of("key:id-alice", TODAY).spent.0, COST);
    assert_eq!(world.bank.of("key:id-alice", "2026-11-21").spent.0, COST);
}

#[tokio::test]
async fn reconciled_money_can_be_spent_again() {
    let (world, _) = world();
    let key = spender(12_000);
    world.ask(with(&key, call("p/m"))).await.unwrap();
    world.bank.write_off();
    world.ledger.reload();
    assert_eq!(world.ask(with(&key, call("p/m"))).await.unwrap_err().code, "budget_spent");
    for account in world.bank.accounts.lock().values_mut() {
        account.drawn = account.spent;
        account.written_off = NanoDollars(0);
    }
    world.ledger.reload();
    world.ask(with(&key, call("p/m"))).await.unwrap();
}
