//! Runs: what is tried, kept, taken up and paid for once.

use crate::house::{Counting, Even, house};
use hanok_base::Sample;
use hanok_eval::Cancel;
use hanok_eval::run::{BuiltScorer, Ended};
use hanok_store::evals::ResultFilter;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

#[tokio::test]
async fn answers_are_paid_for_once_and_repeats_are_draws_of_their_own() {
    let house = house();
    let task = Arc::new(Counting::default());
    let plan = house.plan(20, 3, task.clone(), Vec::new()).await;
    let first = house.runner().run(plan, &(), &Cancel::default()).await.unwrap();
    assert_eq!((first.ended, first.status.done, first.status.cached), (Ended::Done, 60, 0));
    assert_eq!(task.calls.load(Ordering::SeqCst), 60);
    assert!((2..=8).contains(&task.most_at_once.load(Ordering::SeqCst)));
    let plan = house.plan(20, 4, task.clone(), Vec::new()).await;
    let experiment = plan.experiment;
    let second = house.runner().run(plan, &(), &Cancel::default()).await.unwrap();
    assert_eq!((second.status.done, second.status.cached), (80, 60));
    assert_eq!(task.calls.load(Ordering::SeqCst), 80, "the fourth repeat only");
    let rows = house.keeper.results(experiment, ResultFilter::All, None, 100).await.unwrap().rows;
    for row in rows {
        let sample: Sample = serde_json::from_str(&row.sample).unwrap();
        let expect = json!({ "text": format!("{}.{}", sample.id, row.repeat) });
        assert_eq!(serde_json::from_str::<Value>(row.output.as_deref().unwrap()).unwrap(), expect);
    }
    let mut plan = house.plan(20, 1, task.clone(), Vec::new()).await;
    plan.uses_known = false;
    house.runner().run(plan, &(), &Cancel::default()).await.unwrap();
    assert_eq!(task.calls.load(Ordering::SeqCst), 100, "nothing known is taken");
}

#[tokio::test]
async fn scores_that_cost_are_paid_for_once() {
    let house = house();
    let (task, even) = (Arc::new(Counting::default()), Arc::new(Even(AtomicUsize::new(0))));
    for _ in 0..2 {
        let scorers = vec![BuiltScorer { scorer: even.clone(), is_paid: true }];
        let plan = house.plan(30, 1, task.clone(), scorers).await;
        let experiment = plan.experiment;
        house.runner().run(plan, &(), &Cancel::default()).await.unwrap();
        let (report, _) = house.experiments().report(experiment, 0.95).await.unwrap();
        let score = &report.scores[0];
        assert_eq!((score.valued, score.unparsed, score.missing), (27, 3, 0));
        assert!((score.mean.unwrap() - 15.0 / 27.0).abs() < 1e-12, "what was not read is no number");
    }
    assert_eq!(even.0.load(Ordering::SeqCst), 30);
}

#[tokio::test]
async fn what_passes_is_tried_again_and_what_does_not_is_counted() {
    let house = house();
    let task = Arc::new(Counting { fails: Mutex::new(vec![(3, 2), (5, 100)]), ..Counting::default() });
    let plan = house.plan(10, 1, task.clone(), Vec::new()).await;
    let experiment = plan.experiment;
    let outcome = house.runner().run(plan, &(), &Cancel::default()).await.unwrap();
    assert_eq!((outcome.ended, outcome.status.done, outcome.status.failed), (Ended::Done, 10, 1));
    assert_eq!(task.calls.load(Ordering::SeqCst), 10 + 2 + 2);
    let failed = house.keeper.results(experiment, ResultFilter::Failed, None, 10).await.unwrap().rows;
    assert!(failed.len() == 1 && failed[0].error.as_deref().unwrap().contains("try again"));
    assert!(failed[0].output.is_none());
}

#[tokio::test]
async fn a_run_that_is_stopped_ends_what_is_under_way() {
    let house = house();
    let task = Arc::new(Counting { waits: Some(tokio::sync::Semaphore::new(4)), ..Counting::default() });
    let plan = house.plan(100, 1, task.clone(), Vec::new()).await;
    let (runner, cancel) = (house.runner(), Cancel::default());
    let stop = cancel.clone();
    let running = tokio::spawn(async move { runner.run(plan, &(), &stop).await });
    while task.most_at_once.load(Ordering::SeqCst) < 8 || task.calls.load(Ordering::SeqCst) < 12 {
        tokio::task::yield_now().await;
    }
    cancel.cancel();
    task.waits.as_ref().unwrap().add_permits(100);
    let outcome = running.await.unwrap().unwrap();
    assert_eq!(outcome.ended, Ended::Cancelled);
    let calls = task.calls.load(Ordering::SeqCst) as u64;
    assert!(calls < 100 && outcome.status.done == calls, "{calls} calls, {:?}", outcome.status);
}

#[tokio::test]
async fn nothing_is_expected_where_nothing_succeeds() {
    let house = house();
    let fails = Mutex::new((0..1000).map(|row| (row, 1000)).collect());
    let task = Arc::new(Counting { fails, ..Counting::default() });
    let mut plan = house.plan(1000, 1, task.clone(), Vec::new()).await;
    plan.retries = 0;
    let outcome = house.runner().run(plan, &(), &Cancel::default()).await.unwrap();
    assert!(matches!(&outcome.ended, Ended::Hopeless(why) if why.contains("try again")), "{outcome:?}");
    assert!(outcome.status.done < 600);
}

#[tokio::test]
async fn repeats_give_pass_at_k_and_rows_count_once() {
    let house = house();
    let even = Arc::new(Even(AtomicUsize::new(0)));
    let plan = house
        .plan(10, 4, Arc::new(Counting::default()), vec![BuiltScorer { scorer: even, is_paid: false }])
        .await;
    let experiment = plan.experiment;
    house.runner().run(plan, &(), &Cancel::default()).await.unwrap();
    let (report, _) = house.experiments().report(experiment, 0.95).await.unwrap();
    let score = &report.scores[0];
    assert_eq!((report.rows, report.tries, score.valued, score.unparsed), (10, 40, 36, 4));
    assert_eq!(score.estimate.unwrap().n, 9, "rows, not tries");
    let ks: Vec<u64> = score.passes.iter().map(|passes| passes.k).collect();
    assert_eq!(ks, [1, 2, 3, 4]);
    // Each row is all right or all wrong.
    assert!(
        score.passes.iter().all(|p| (p.any - 5.0 / 9.0).abs() < 1e-9 && (p.all - 5.0 / 9.0).abs() < 1e-9)
    );
}

#[tokio::test]
async fn what_is_removed_is_gone_and_nothing_else() {
    let house = house();
    let task = Arc::new(Counting::default());
    let first = house.plan(10, 1, task.clone(), Vec::new()).await;
    let second = house.plan(10, 1, task.clone(), Vec::new()).await;
    let (one, two) = (first.experiment, second.experiment);
    for plan in [first, second] {
        house.runner().run(plan, &(), &Cancel::default()).await.unwrap();
    }
    assert!(house.keeper.remove(one).await.unwrap());
    assert!(!house.keeper.remove(one).await.unwrap());
    let rows = house.keeper.results(two, ResultFilter::All, None, 100).await.unwrap().rows;
    assert!(
        rows.len() == 10 && rows.iter().all(|row| row.output.is_some()),
        "the answers are the second's, too"
    );
    assert!(house.keeper.remove_dataset("numbers".to_owned()).await.unwrap());
    let rows = house.keeper.results(two, ResultFilter::All, None, 100).await.unwrap().rows;
    assert_eq!(rows.len(), 10, "results keep their rows");
    let plan = house.plan(10, 1, task.clone(), Vec::new()).await;
    assert!(house.keeper.remove(two).await.unwrap());
    house.runner().run(plan, &(), &Cancel::default()).await.unwrap();
    assert_eq!(task.calls.load(Ordering::SeqCst), 20, "its answers went with it");
}
