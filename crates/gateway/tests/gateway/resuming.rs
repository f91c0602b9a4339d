//! Streams that break off after their first token, and go on at another target.

use crate::world::{ANSWER, Do, Prices, TEXT, Told, World, chat, entry, key, read, with};
use hanok_base::{Dialect, NanoDollars, ProviderErrorKind as Kind};
use hanok_gateway::{Budget, Entry, Model, Period};
use serde_json::{Value, json};
use std::sync::Arc;

fn resuming(provider: &Arc<Told>) -> Entry {
    Entry { resumes: true, ..entry(provider, "m") }
}

/// All the text of a streamed chat, and whether it ended well.
fn said(text: &str) -> (String, bool) {
    let events = text.split("\n\n").filter_map(|event| event.strip_prefix("data: "));
    let mut said = String::new();
    for event in events.clone().filter(|event| *event != "[DONE]") {
        let chunk: Value = serde_json::from_str(event).unwrap();
        said.push_str(chunk.pointer("/choices/0/delta/content").and_then(Value::as_str).unwrap_or_default());
    }
    (said, events.last() == Some("[DONE]"))
}

#[tokio::test]
async fn a_text_goes_on_elsewhere() {
    let (first, second) = (Told::new("a", &[Dialect::OpenAiChat]), Told::new("b", &[]));
    let model = Model::in_order(vec![entry(&first, "m"), resuming(&second)]);
    let world = World::new(&[&first, &second], vec![("steady", model)]);
    first.then(Do::Break(Kind::Truncated));
    second.then(ANSWER);
    let answer = world.call(chat("steady", json!({"stream": true}))).await.unwrap();
    let (text, whole) = said(&read(answer).await.text);
    assert_eq!((text.as_str(), whole), (format!("{TEXT}{TEXT}").as_str(), true));
    assert_eq!(second.last()["begun"], TEXT, "the other target is given what was said");
    assert_eq!((first.count(), second.count()), (1, 1));
}

#[tokio::test]
async fn it_goes_on_once_and_only_where_it_may() {
    let check = |second_resumes: bool, second: Do, kind: Kind, calls: usize| async move {
        let (one, two) = (Told::new("a", &[]), Told::new("b", &[]));
        let other = if second_resumes { resuming(&two) } else { entry(&two, "m") };
        let world = World::new(&[&one, &two], vec![("m", Model::in_order(vec![entry(&one, "m"), other]))]);
        one.then(Do::Break(kind));
        two.then(second);
        let answer = world.call(chat("m", json!({"stream": true}))).await.unwrap();
        let text = read(answer).await.text;
        assert!(!said(&text).1 && text.contains("\"error\""), "{text}");
        assert_eq!(two.count(), calls);
    };
    check(false, ANSWER, Kind::Truncated, 0).await;
    // It broke off a second time, or could not begin.
    check(true, Do::Break(Kind::Transport), Kind::Timeout, 1).await;
    check(true, crate::world::fail(Kind::Overloaded), Kind::Truncated, 1).await;
    // What the first said is no accident of its connection.
    check(true, ANSWER, Kind::ContentFilter, 0).await;
}

#[tokio::test]
async fn several_answers_at_once_do_not_go_on() {
    let (one, two) = (Told::new("a", &[]), Told::new("b", &[]));
    let model = Model::in_order(vec![entry(&one, "m"), resuming(&two)]);
    let world = World::new(&[&one, &two], vec![("m", model)]);
    one.then(Do::Break(Kind::Truncated));
    let answer = world.call(chat("m", json!({"stream": true, "n": 2}))).await.unwrap();
    assert!(!said(&read(answer).await.text).1);
    assert_eq!(two.count(), 0);
}

#[tokio::test]
async fn both_targets_are_paid_for() {
    let (one, two) = (Told::new("a", &[]), Told::new("b", &[]));
    let model = Model::in_order(vec![entry(&one, "m"), resuming(&two)]);
    let world = World::new(&[&one, &two], vec![("m", model)]);
    world.policy(Prices::of(&[("m", 1)]), Vec::new());
    let asked = |stream: bool| chat("m", json!({"stream": stream, "max_tokens": 100}));
    let most = i64::try_from(asked(false).body.len() + 100).unwrap();
    let mut alice = key("alice");
    // Enough for one target, not for two.
    alice.budgets = vec![Budget { limit: NanoDollars(most + most / 2), period: Period::Total, model: None }];
    let alice = Arc::new(alice);
    assert!(world.call(with(&alice, asked(false))).await.is_ok());
    let refused = world.call(with(&alice, asked(true))).await.err().unwrap();
    assert_eq!(refused.code, "budget_spent");
}
