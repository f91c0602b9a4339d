//! Budgets: what a run may cost, and what its bill says.

use crate::house::{Counting, house};
use hanok_base::{
    BoxFuture, CallContext, FinishedTrace, NanoDollars, Output, Place, ProviderError, ProviderErrorKind,
    Recorder, Sample, Spent, StoreUnavailable, Task, TaskError,
};
use hanok_eval::run::Ended;
use hanok_eval::{Cancel, Runner};
use hanok_store::evals::ResultFilter;
use serde_json::{Value, json};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

#[tokio::test]
async fn a_budget_is_never_passed_and_what_is_left_is_taken_up() {
    let house = house();
    let task = Arc::new(Counting { cost: 1000, ..Counting::default() });
    let mut plan = house.plan(50, 1, task.clone(), Vec::new()).await;
    plan.budget = Some(NanoDollars(20_500));
    let mut again = plan.clone();
    let outcome = house.runner().run(plan, &(), &Cancel::default()).await.unwrap();
    assert_eq!(
        (outcome.ended, outcome.status.done, outcome.status.cost),
        (Ended::Budget, 20, NanoDollars(20_000))
    );
    let paid = house.keeper.experiment(again.experiment).await.unwrap().unwrap().cost;
    assert_eq!(paid, NanoDollars(20_000));
    (again.paid, again.is_resumed, again.budget) = (paid, true, Some(NanoDollars(1_000_000)));
    let outcome = house.runner().run(again, &(), &Cancel::default()).await.unwrap();
    assert_eq!(
        (outcome.ended, outcome.status.done, outcome.status.cost),
        (Ended::Done, 50, NanoDollars(50_000))
    );
    assert_eq!(task.calls.load(Ordering::SeqCst), 50);
}

/// Calls cost their row's number in thousands, and ten times as much is set aside before they leave.
struct Bounded {
    calls: AtomicUsize,
    set_aside: Mutex<i64>,
}

impl Task for Bounded {
    fn name(&self) -> &'static str {
        "bounded"
    }

    fn identity(&self) -> Value {
        json!({ "kind": "bounded" })
    }

    fn run<'a>(
        &'a self,
        cx: &'a CallContext,
        sample: &'a Sample,
        _: u32,
    ) -> BoxFuture<'a, Result<Output, TaskError>> {
        Box::pin(async move {
            let cost = sample.input["n"].as_i64().unwrap() * 1000;
            let allowance = cx.caller.allowance.get().unwrap();
            if let Err(problem) = allowance.set_aside(NanoDollars(cost * 10)).await {
                let code = Some(problem.code);
                let error =
                    ProviderError::new(ProviderErrorKind::RateLimited, &"test".into(), problem.message);
                return Err(ProviderError { code, ..error }.into());
            }
            self.calls.fetch_add(1, Ordering::SeqCst);
            *self.set_aside.lock().unwrap() += cost;
            tokio::task::yield_now().await;
            Ok(Output { text: "x".to_owned(), cost: Some(NanoDollars(cost)), ..Output::default() })
        })
    }
}

#[tokio::test]
async fn a_far_dearer_call_does_not_pass_the_budget_where_its_price_is_known() {
    let house = house();
    let task = Arc::new(Bounded { calls: AtomicUsize::new(0), set_aside: Mutex::default() });
    // Rows cost 0 to 39 thousandths: by looking alone the last ones would always come as a surprise.
    let mut plan = house.plan(40, 1, task.clone(), Vec::new()).await;
    plan.budget = Some(NanoDollars(400_000));
    let mut again = plan.clone();
    let outcome = house.runner().run(plan, &(), &Cancel::default()).await.unwrap();
    let spent = outcome.status.cost;
    assert!(matches!(outcome.ended, Ended::Refused(_)) && outcome.status.failed == 0, "{outcome:?}");
    assert!(spent.0 <= 400_000 && spent.0 > 100_000, "{spent:?}");
    assert_eq!(
        outcome.status.done,
        task.calls.load(Ordering::SeqCst) as u64,
        "what was refused is missing, not failed"
    );
    let known = house.keeper.experiment(again.experiment).await.unwrap().unwrap();
    assert_eq!((known.cost, known.failed), (spent, 0));
    (again.paid, again.is_resumed, again.budget) = (spent, true, Some(NanoDollars(10_000_000)));
    let outcome = house.runner().run(again, &(), &Cancel::default()).await.unwrap();
    assert_eq!((outcome.ended, outcome.status.done), (Ended::Done, 40));
    assert_eq!(outcome.status.cost, NanoDollars((0..40).sum::<i64>() * 1000), "nothing is paid for twice");
}

/// Each trace costs the same.
struct Sevens;

impl Recorder for Sevens {
    fn admit(&self) -> BoxFuture<'_, Result<Box<dyn Place>, StoreUnavailable>> {
        struct Seven;
        impl Place for Seven {
            fn record(self: Box<Self>, trace: FinishedTrace) {
                if let Some(settlement) = trace.settlement {
                    settlement.settle(Spent { cost: NanoDollars(7), tokens: 1, unpriced: 0 }, &[]);
                }
            }
        }
        Box::pin(async { Ok(Box::new(Seven) as Box<dyn Place>) })
    }
}

/// Sets nine aside and is billed seven by its trace, later.
struct Billed(AtomicUsize);

impl Task for Billed {
    fn name(&self) -> &'static str {
        "billed"
    }

    fn identity(&self) -> Value {
        json!({ "kind": "billed" })
    }

    fn run<'a>(
        &'a self,
        cx: &'a CallContext,
        _: &'a Sample,
        _: u32,
    ) -> BoxFuture<'a, Result<Output, TaskError>> {
        Box::pin(async move {
            let allowance = cx.caller.allowance.get().unwrap();
            if let Err(problem) = allowance.set_aside(NanoDollars(9)).await {
                let error =
                    ProviderError::new(ProviderErrorKind::RateLimited, &"test".into(), problem.message);
                return Err(ProviderError { code: Some(problem.code), ..error }.into());
            }
            self.0.fetch_add(1, Ordering::SeqCst);
            Ok(Output { text: "x".to_owned(), ..Output::default() })
        })
    }
}

/// Bills seven for each trace, once the others had their turn.
struct Late;

impl Recorder for Late {
    fn admit(&self) -> BoxFuture<'_, Result<Box<dyn Place>, StoreUnavailable>> {
        struct Seven;
        impl Place for Seven {
            fn record(self: Box<Self>, trace: FinishedTrace) {
                tokio::spawn(async move {
                    for _ in 0..20 {
                        tokio::task::yield_now().await;
                    }
                    if let Some(settlement) = trace.settlement {
                        settlement.settle(Spent { cost: NanoDollars(7), tokens: 1, unpriced: 0 }, &[]);
                    }
                });
            }
        }
        Box::pin(async { Ok(Box::new(Seven) as Box<dyn Place>) })
    }
}

#[tokio::test]
async fn what_is_set_aside_stands_until_the_bill_comes() {
    let house = house();
    let task = Arc::new(Billed(AtomicUsize::new(0)));
    let mut plan = house.plan(40, 1, task.clone(), Vec::new()).await;
    plan.task.is_traced = true;
    plan.budget = Some(NanoDollars(100));
    let runner = Runner { recorder: Some(Arc::new(Late)), ..house.runner() };
    let outcome = runner.run(plan, &(), &Cancel::default()).await.unwrap();
    // Thirteen make 91, and 9 more 100.
    assert_eq!((outcome.status.cost, task.0.load(Ordering::SeqCst)), (NanoDollars(98), 14), "{outcome:?}");
}

#[tokio::test]
async fn attempts_that_gave_nothing_are_counted_with_what_they_cost() {
    let house = house();
    let fails = Mutex::new(vec![(3, 2), (5, 100)]);
    let task = Arc::new(Counting { fails, ..Counting::default() });
    let mut plan = house.plan(10, 1, task.clone(), Vec::new()).await;
    plan.task.is_traced = true;
    let experiment = plan.experiment;
    let runner = Runner { recorder: Some(Arc::new(Sevens)), ..house.runner() };
    let outcome = runner.run(plan, &(), &Cancel::default()).await.unwrap();
    assert_eq!(task.calls.load(Ordering::SeqCst), 14);
    assert_eq!(outcome.status.cost, NanoDollars(14 * 7));
    assert_eq!(house.keeper.experiment(experiment).await.unwrap().unwrap().cost, NanoDollars(14 * 7));
    let rows = house.keeper.results(experiment, ResultFilter::All, None, 100).await.unwrap().rows;
    let costs: Vec<i64> = rows.iter().map(|row| row.cost.0).collect();
    assert_eq!(costs, [7, 7, 7, 21, 7, 21, 7, 7, 7, 7]);
    assert_eq!(rows[3].answer_cost, Some(NanoDollars(7)));
}
