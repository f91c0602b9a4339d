//! Live traces scored by rule, and traces on which people and the judge differ.

use crate::scripted::{Reply, block, kit};
use arc_swap::ArcSwap;
use bytes::Bytes;
use hanok_base::{
    CallContext, Caller, Dialect, Exchange, ModelName, NanoDollars, Operation, Recorder, ResponseBytes,
    ScoreValue, Timestamp, TraceId, Usage,
};
use hanok_eval::judge::Records;
use hanok_eval::online::{Online, Rule, draws, mean, said_yes};
use hanok_eval::scorer::{ScorerSpec, build};
use hanok_eval::{Kit, Prices as Costs};
use hanok_store::{Eyes, Options, Score, ScoreQuery, ScoreTarget, ScoringDay, Store};
use hanok_trace::{Prices, TraceStore, parse_filter};
use serde_json::json;
use std::path::Path;
use std::sync::Arc;

fn opened(folder: &Path) -> TraceStore {
    let store = Store::open(folder, Options::default()).unwrap();
    TraceStore::new(store, Arc::new(Prices::builtin()))
}

/// Records an answer and gives its trace.
async fn answered(traces: &TraceStore, name: &'static str, answer: &str) -> TraceId {
    let place = traces.admit().await.unwrap();
    let caller = Caller { project: "shop".into(), ..Caller::default() };
    let cx = CallContext::new(place, Arc::new(caller));
    let mut span = cx.span(Operation::Chat, name);
    let request = json!({"model": "m", "messages": [{"role": "user", "content": "is it open?"}]}).to_string();
    let response =
        json!({"id": "r", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0,
        "finish_reason": "stop", "message": {"role": "assistant", "content": answer}}]})
        .to_string();
    span.exchange(Exchange {
        dialect: Dialect::OpenAiChat,
        request: Bytes::from(request),
        response: ResponseBytes::Whole(Bytes::from(response)),
    });
    span.finish();
    let id = cx.trace_id();
    drop(cx);
    traces.store().flush().await.unwrap();
    id
}

struct Penny;
impl Costs for Penny {
    fn cost(&self, _: &ModelName, _: &ModelName, _: &Usage) -> Option<NanoDollars> {
        Some(NanoDollars(10_000_000))
    }
}

fn online(traces: &TraceStore, share: f64, filter: &str, budget: Option<i64>, per_day: u64) -> Online {
    let (kit, _) = kit(|request, _| {
        let shown = request.messages[1].plain_text();
        assert_eq!(block(&shown, "question"), "user: is it open?");
        let answer = block(&shown, "answer");
        let verdict = match answer {
            "?" => return Ok(Reply::Refusal("no")),
            answer if answer.contains("yes") => "pass",
            _ => "fail",
        };
        Ok(Reply::Text(format!("{{\"reasoning\": \"r\", \"verdict\": \"{verdict}\"}}")))
    });
    let kit = Kit { prices: Some(Arc::new(Penny)), ..kit };
    let table = json!({"kind": "judge", "name": "right", "model": "m", "rubric": "is right"});
    let spec: ScorerSpec = serde_json::from_value(table).unwrap();
    let rule = Rule {
        name: "right".into(),
        filter: parse_filter(filter, Timestamp::now()).unwrap(),
        share,
        scorer: build(&spec, &kit).unwrap(),
        identity: "j".into(),
        budget: budget.map(NanoDollars),
        per_day,
        feedback: Some("helpful".into()),
        queue: Some("doubts".into()),
    };
    let records = Records { recorder: Some(Arc::new(traces.clone())), caller: Arc::default() };
    Online {
        traces: traces.clone(),
        rules: Arc::new(ArcSwap::from_pointee(vec![rule])),
        records,
        concurrency: 2,
    }
}

async fn today(traces: &TraceStore) -> ScoringDay {
    let days = traces.store().judgements(None).days("2000-01-01").await.unwrap();
    assert!(days.len() < 2);
    days.into_iter().next().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_arrives_is_scored_once_and_judging_is_not_judged() {
    let folder = tempfile::tempdir().unwrap();
    let traces = opened(folder.path());
    let mut ids = Vec::new();
    for answer in ["yes", "no", "yes it is", "?"] {
        ids.push(answered(&traces, "chat m", answer).await);
    }
    answered(&traces, "chat other", "yes").await;
    let online = online(&traces, 1.0, "name:\"chat m\"", None, 100);
    let done = online.catch_up(0).await.unwrap();
    traces.store().flush().await.unwrap();
    let day = today(&traces).await;
    assert_eq!((day.seen, day.chosen, day.scored, day.unscored, day.over), (4, 4, 3, 1, 0));
    // What is refused is paid for, too.
    assert_eq!(day.cost, NanoDollars(40_000_000));
    let share = mean(&day).unwrap();
    assert!((share.value - 2.0 / 3.0).abs() < 1e-12 && share.low < share.value && share.high < 1.0);
    let scores =
        traces.store().scores(Some("shop".into())).of_trace(ids[0], Some("shop".into())).await.unwrap();
    assert_eq!(
        (scores.len(), &scores[0].value, scores[0].source.as_str()),
        (1, &ScoreValue::Truth(true), "judge")
    );
    assert_eq!(scores[0].comment.as_deref(), Some("r"));
    // The judge's own calls are traces, too; they arrive after these and are not judged.
    let after = online.catch_up(done).await.unwrap();
    assert_eq!(online.catch_up(after).await.unwrap(), after);
    assert_eq!(today(&traces).await.seen, 4);
    let judging = parse_filter("name:judgement", Timestamp::now()).unwrap();
    let judged = async || traces.list(&judging, None, 10).await.unwrap().traces.len();
    assert_eq!(judged().await, 4);
    // Other rules, while it goes on: none has nothing to do with what came meanwhile.
    let rules = online.rules.swap(Arc::default());
    answered(&traces, "chat m", "yes").await;
    let newest = online.catch_up(after).await.unwrap();
    online.rules.store(rules);
    assert_eq!((online.catch_up(newest).await.unwrap(), today(&traces).await.seen), (newest, 4));
    assert_eq!(today(&traces).await.identity, "j");
    // What the judge was asked about a trace goes with it.
    let found = traces.store().traces().get(ids[0], hanok_store::Bodies::None).await.unwrap().unwrap();
    assert_eq!(traces.store().removals().remove(&[found.row.seq]).await.unwrap().traces, 2);
    assert_eq!(judged().await, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn shares_and_limits_of_a_day_hold() {
    let folder = tempfile::tempdir().unwrap();
    let traces = opened(folder.path());
    let mut ids = Vec::new();
    for _ in 0..20 {
        ids.push(answered(&traces, "chat m", "yes").await);
    }
    let drawn = ids.iter().filter(|id| draws("right", **id, 0.5)).count();
    online(&traces, 0.5, "", None, 100).catch_up(0).await.unwrap();
    let day = today(&traces).await;
    assert_eq!((day.seen, day.chosen), (20, u64::try_from(drawn).unwrap()));
    // A penny each, two at a time: seven cents are spent by at most one more.
    let folder = tempfile::tempdir().unwrap();
    let traces = opened(folder.path());
    for _ in 0..20 {
        answered(&traces, "chat m", "yes").await;
    }
    let done = online(&traces, 1.0, "", Some(70_000_000), 100).catch_up(0).await.unwrap();
    let day = today(&traces).await;
    assert_eq!((day.scored, day.over, day.cost), (8, 12, NanoDollars(80_000_000)));
    answered(&traces, "chat m", "yes").await;
    let done = online(&traces, 1.0, "", Some(70_000_000), 100).catch_up(done).await.unwrap();
    assert_eq!(today(&traces).await.over, 13);
    // So many traces a day.
    answered(&traces, "chat m", "yes").await;
    online(&traces, 1.0, "", None, 8).catch_up(done).await.unwrap();
    assert_eq!((today(&traces).await.scored, today(&traces).await.over), (8, 14));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_people_and_the_judge_differ_people_look() {
    let folder = tempfile::tempdir().unwrap();
    let traces = opened(folder.path());
    let online = online(&traces, 1.0, "", None, 100);
    let helpful = async |id: TraceId, value: ScoreValue| {
        let score = Score {
            id: format!("helpful:{id}"),
            project: Some("shop".into()),
            target: ScoreTarget::Trace(id),
            name: "helpful".into(),
            value,
            comment: None,
            source: "person".into(),
            author: None,
            created: Timestamp::now(),
        };
        traces.store().scores(None).put(score).await.unwrap().unwrap();
    };
    online.feedback().await.unwrap();
    let [before, after, same] = [
        answered(&traces, "chat m", "yes").await,
        answered(&traces, "chat m", "no").await,
        answered(&traces, "chat m", "no").await,
    ];
    // Feedback may come before the judge's score, or after.
    helpful(before, ScoreValue::Truth(false)).await;
    online.catch_up(0).await.unwrap();
    online.feedback().await.unwrap();
    let queued = async || {
        let annotations = traces.store().annotations(None);
        let Some(queue) = annotations.queue("doubts").await.unwrap() else { return Vec::new() };
        let items = annotations.items(queue.id, None, 0, 10, Eyes::All).await.unwrap();
        items.into_iter().map(|item| (item.origin.unwrap().0, item.reason)).collect::<Vec<_>>()
    };
    assert_eq!(queued().await, [(before, "disagreement".to_owned())]);
    helpful(after, ScoreValue::Number(1.0)).await;
    helpful(same, ScoreValue::Label("no".into())).await;
    online.feedback().await.unwrap();
    online.feedback().await.unwrap();
    assert_eq!(queued().await.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [before, after]);
    assert_eq!(today(&traces).await.queued, 2);
    let (scores, _) = traces.store().scores(None).list(ScoreQuery::default(), None, 10).await.unwrap();
    assert_eq!(scores.len(), 6);
}

#[test]
fn scores_say_yes_or_no() {
    let check = |value: ScoreValue, expect: Option<bool>| assert_eq!(said_yes(&value), expect, "{value:?}");
    check(ScoreValue::Truth(true), Some(true));
    check(ScoreValue::Number(0.4), Some(false));
    check(ScoreValue::Number(-1.0), Some(false));
    check(ScoreValue::Number(7.0), None);
    check(ScoreValue::Label("Good".into()), Some(true));
    check(ScoreValue::Label("meh".into()), None);
}

#[test]
fn a_days_mean_has_the_interval_of_its_kind() {
    let day = |values: &[f64]| ScoringDay {
        scored: values.len() as u64,
        sum: values.iter().sum(),
        squares: values.iter().map(|value| value * value).sum(),
        ..ScoringDay::default()
    };
    let values = [0.2, 0.4, 0.9, 0.5];
    let (found, wanted) =
        (mean(&day(&values)).unwrap(), hanok_stats::interval::mean_interval(&values, 0.95).unwrap());
    assert!((found.low - wanted.low).abs() < 1e-12 && (found.high - wanted.high).abs() < 1e-12);
    assert!(mean(&day(&[])).is_none() && mean(&day(&[0.5])).is_none());
    assert!(mean(&day(&[1.0])).unwrap().low < 0.5);
}
