//! Evals from their file to their report, over a store.

use hanok_base::{
    BoxFuture, CallContext, Caller, FinishedTrace, NanoDollars, Output, Place, ProviderError,
    ProviderErrorKind, Recorder, Sample, SampleScore, ScoreValue, Scorer, Spent, StoreUnavailable, Task,
    TaskError, Verdict,
};
use hanok_eval::dataset::{self, Columns};
use hanok_eval::gate::Outcome;
use hanok_eval::keeper::{self, Wire};
use hanok_eval::report::junit;
use hanok_eval::run::{BuiltScorer, Ended};
use hanok_eval::task::BuiltTask;
use hanok_eval::{Bench, Cancel, Experiments, Keeper, Options, Plan, Ran, Runner, Spec};
use hanok_store::evals::{ExperimentState, NewExperiment, ResultFilter};
use hanok_store::{Store, content_hash};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

struct House {
    keeper: Keeper,
    store: Store,
    _folder: tempfile::TempDir,
}

fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), hanok_store::store::Options::default()).unwrap();
    House { keeper: Keeper::here(store.clone()), store, _folder: folder }
}

impl House {
    fn runner(&self) -> Runner {
        Runner { keeper: self.keeper.clone(), recorder: None, caller: Arc::new(Caller::default()) }
    }

    fn experiments(&self) -> Experiments {
        Experiments { runner: self.runner(), traces: None }
    }

    async fn ran(&self, text: &str, options: &Options) -> Ran {
        let spec = Spec::parse(Path::new("evals/test.toml"), text).unwrap();
        let experiments = self.experiments();
        let prepared = experiments.prepare(spec, options, &Bench::default()).await.unwrap();
        experiments.run(prepared, &(), &Cancel::default()).await.unwrap()
    }

    /// A version of a dataset with so many rows, `{"n": 0}` and on.
    async fn numbers(&self, count: usize) -> i64 {
        let rows: Vec<Value> = (0..count).map(|n| json!({ "id": n.to_string(), "n": n })).collect();
        let open = || Ok(dataset::of_values(Path::new("numbers"), rows.clone(), &Columns::default()));
        dataset::make(&self.keeper, "numbers", &json!({}), open).await.unwrap().id
    }

    async fn plan(&self, rows: usize, repeats: u32, task: Arc<dyn Task>, scorers: Vec<BuiltScorer>) -> Plan {
        let version = self.numbers(rows).await;
        let new = NewExperiment {
            name: "test".to_owned(),
            file: String::new(),
            spec: "{}".to_owned(),
            spec_hash: content_hash(b"test"),
            task: task.identity().to_string(),
            version,
            dataset: "numbers".to_owned(),
            rows: rows as u64,
            repeats,
            now: hanok_base::Timestamp::now(),
        };
        Plan {
            name: "test".to_owned(),
            experiment: self.keeper.begin(new).await.unwrap(),
            version,
            rows: rows as u64,
            only: None,
            repeats,
            concurrency: 8,
            retries: 2,
            budget: None,
            paid: NanoDollars(0),
            is_resumed: false,
            uses_known: true,
            task: BuiltTask { task, is_cached: true, is_traced: false },
            scorers,
        }
    }
}

/// Answers with the row's number; counts calls, and how many there are at once.
#[derive(Default)]
struct Counting {
    calls: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
    cost: i64,
    /// Calls of these rows fail this often.
    fails: Mutex<Vec<(u64, usize)>>,
    waits: Option<tokio::sync::Semaphore>,
}

impl Task for Counting {
    fn name(&self) -> &'static str {
        "counting"
    }

    fn identity(&self) -> Value {
        json!({ "kind": "counting" })
    }

    fn run<'a>(
        &'a self,
        _: &'a CallContext,
        sample: &'a Sample,
        repeat: u32,
    ) -> BoxFuture<'a, Result<Output, TaskError>> {
        Box::pin(async move {
            self.calls.fetch_add(1, Ordering::SeqCst);
            let now = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
            self.most_at_once.fetch_max(now, Ordering::SeqCst);
            if let Some(waits) = &self.waits {
                waits.acquire().await.unwrap().forget();
            }
            tokio::task::yield_now().await;
            self.at_once.fetch_sub(1, Ordering::SeqCst);
            let n = sample.input["n"].as_u64().unwrap();
            if let Some((_, left)) =
                self.fails.lock().unwrap().iter_mut().find(|(row, left)| *row == n && *left > 0)
            {
                *left -= 1;
                return Err(ProviderError {
                    retry_after: Some(std::time::Duration::ZERO),
                    ..ProviderError::new(ProviderErrorKind::Overloaded, &"test".into(), "try again")
                }
                .into());
            }
            let cost = (self.cost > 0).then_some(NanoDollars(self.cost));
            Ok(Output { text: format!("{n}.{repeat}"), cost, ..Output::default() })
        })
    }
}

/// Says yes of even numbers; of every tenth nothing that could be read.
struct Even(AtomicUsize);

impl Scorer for Even {
    fn name(&self) -> &'static str {
        "even"
    }

    fn identity(&self) -> Value {
        json!({ "kind": "even" })
    }

    fn score<'a>(
        &'a self,
        _: &'a CallContext,
        sample: &'a Sample,
        _: &'a Output,
    ) -> BoxFuture<'a, Vec<SampleScore>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let n = sample.input["n"].as_u64().unwrap();
        let verdict = match n % 10 {
            9 => Verdict::Unparsed("?".to_owned()),
            n => Verdict::Value(ScoreValue::Truth(n % 2 == 0)),
        };
        let score = SampleScore { name: "even".to_owned(), verdict, explanation: String::new(), cost: None };
        Box::pin(async move { vec![score] })
    }
}

const ECHO: &str = r#"
[dataset]
rows = [
    { input = "a", expected = "a" }, { input = "b", expected = "b" },
    { input = "c", expected = "x" }, { input = "d" },
]
[task]
kind = "echo"
[[scorers]]
kind = "exact"
"#;

#[tokio::test]
async fn an_eval_gives_numbers_with_intervals_and_coverage() {
    let house = house();
    let ran = house.ran(ECHO, &Options::default()).await;
    assert_eq!((ran.state, ran.report.tries, ran.report.failed), (ExperimentState::Done, 4, 0));
    let score = &ran.report.scores[0];
    assert_eq!((score.name.as_str(), score.valued, score.skipped), ("exact", 3, 1));
    assert!((score.mean.unwrap() - 2.0 / 3.0).abs() < 1e-12);
    let estimate = score.estimate.unwrap();
    // Wilson's interval of 2 of 3.
    assert!(
        (estimate.low - 0.207_655).abs() < 1e-4 && (estimate.high - 0.938_508).abs() < 1e-4,
        "{estimate:?}"
    );
    assert!((score.coverage() - 0.75).abs() < 1e-12);
    let kept = house.keeper.experiment(ran.experiment).await.unwrap().unwrap();
    assert_eq!(serde_json::from_str::<Ran>(kept.report.as_deref().unwrap()).unwrap(), ran);
}

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
async fn a_gate_passes_fails_or_cannot_tell() {
    let rows = |right: usize, wrong: usize| {
        let row = |n: usize, expected: &str| format!("{{ input = \"{n}\", expected = \"{expected}\" }}");
        let right = (0..right).map(|n| row(n, &n.to_string()));
        let wrong = (1000..1000 + wrong).map(|n| row(n, "no"));
        right.chain(wrong).collect::<Vec<_>>().join(",")
    };
    let check = async |right: usize, wrong: usize, gate: &str, outcome: Outcome, passed: bool| {
        let text = format!(
            "[dataset]\nrows = [{}]\n[task]\nkind = \"echo\"\n[[scorers]]\nkind = \"exact\"\n{gate}",
            rows(right, wrong)
        );
        let gate = house().ran(&text, &Options::default()).await.gate.unwrap();
        assert_eq!(
            (gate.checks[0].outcome, gate.passed),
            (outcome, passed),
            "{right} {wrong} {:?}",
            gate.checks
        );
    };
    let at_least = "[[gate.checks]]\nscore = \"exact\"\nat_least = 0.8\n";
    check(200, 10, at_least, Outcome::Passed, true).await;
    check(10, 200, at_least, Outcome::Failed, false).await;
    check(9, 1, at_least, Outcome::Undecided, false).await;
    check(9, 1, &format!("[gate]\nundecided = \"pass\"\n{at_least}"), Outcome::Undecided, true).await;
    check(1, 1, "[[gate.checks]]\nfailures = 0.0\n", Outcome::Passed, true).await;
    check(2, 0, "[[gate.checks]]\nscore = \"exact\"\nnot_worse_by = 0.02\n", Outcome::Undecided, false).await;
}

#[tokio::test]
async fn a_change_is_compared_with_the_run_before_it_row_by_row() {
    let house = house();
    let eval = |template: &str| {
        let rows: Vec<String> =
            (0..100).map(|n| format!("{{ input = \"{n}\", expected = \"{n}\" }}")).collect();
        format!(
            "[dataset]\nrows = [{}]\n[task]\nkind = \"echo\"\n{template}\n[[scorers]]\nkind = \"contains\"\n\
             [[scorers]]\nkind = \"exact\"\n[[gate.checks]]\nscore = \"exact\"\nnot_worse_by = 0.02\n",
            rows.join(",")
        )
    };
    let first = house.ran(&eval(""), &Options::default()).await;
    assert!(first.comparison.is_none());
    assert_eq!(first.gate.unwrap().checks[0].outcome, Outcome::Undecided, "there is no baseline yet");
    let same = house.ran(&eval(""), &Options::default()).await;
    let comparison = same.comparison.unwrap();
    assert_eq!((comparison.baseline, comparison.paired, comparison.unpaired), (first.experiment, 100, 0));
    assert_eq!(comparison.scores[1].p, Some(1.0));
    // A hundred rows without a difference do not show that there is none of two points.
    assert_eq!(same.gate.unwrap().checks[0].outcome, Outcome::Undecided);
    let worse = house.ran(&eval("template = \"{{input}}!\""), &Options::default()).await;
    let comparison = worse.comparison.unwrap();
    let [contains, exact] = comparison.scores.as_slice() else { panic!("{comparison:?}") };
    assert_eq!((contains.wins, contains.ties, contains.losses), (0, 100, 0));
    assert_eq!((exact.wins, exact.ties, exact.losses, exact.method.as_str()), (0, 0, 100, "mcnemar"));
    assert!(exact.p.unwrap() < 1e-9 && exact.p_adjusted.unwrap() >= exact.p.unwrap());
    assert_eq!(worse.gate.unwrap().checks[0].outcome, Outcome::Failed);
    let page =
        house.keeper.compare(same.experiment, worse.experiment, "exact".to_owned(), 0, 5).await.unwrap();
    assert_eq!((page.total, page.rows.len()), (100, 5));
    assert!(page.rows.iter().all(|row| row.before == Some(1.0) && row.after == Some(0.0)));
    assert_eq!((page.worse, page.better), (100, 0));
    assert!(page.rows.iter().all(|row| row.work_before.latency_ns.is_some()));
    // Where less of it is better, the same change is a gain.
    let less = house
        .keeper
        .compare_by(same.experiment, worse.experiment, "exact".to_owned(), true, 98, 5)
        .await
        .unwrap();
    assert_eq!((less.worse, less.better, less.total, less.rows.len()), (0, 100, 100, 2));
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
async fn the_same_rows_are_the_same_version_whatever_file_they_are_in() {
    let house = house();
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("a.jsonl", "{\"q\": \"하나\", \"expected\": \"1\"}\n\n{\"q\": \"둘\", \"expected\": \"2\"}\n"),
        ("b.csv", "q,expected\n하나,1\n\"둘\",2\n"),
        (
            "c.json",
            "{\"rows\": [{\"q\": \"하나\", \"expected\": \"1\"}, {\"q\": \"둘\", \"expected\": \"2\"}]}",
        ),
        ("d.yaml", "- q: 하나\n  expected: '1'\n- q: 둘\n  expected: '2'\n"),
        ("e.toml", "[[rows]]\nq = \"하나\"\nexpected = \"1\"\n[[rows]]\nq = \"둘\"\nexpected = \"2\"\n"),
    ];
    let mut hashes = Vec::new();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let open = || dataset::of_file(&path, &Columns::default());
        let made = dataset::make(&house.keeper, "rows", &json!({ "file": name }), open).await.unwrap();
        assert_eq!(made.rows, 2, "{name}");
        hashes.push(made.hash);
    }
    assert!(hashes.iter().all(|hash| *hash == hashes[0]));
    assert_eq!(house.keeper.versions("rows".to_owned()).await.unwrap().len(), 1);
    let check = async |name: &str, text: &str, expect: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let open = || dataset::of_file(&path, &Columns::default());
        let error = dataset::make(&house.keeper, "bad", &json!({}), open).await.unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    };
    check("f.jsonl", "{\"q\": 1}\n{oops\n", "f.jsonl:2: it is not JSON").await;
    check("g.csv", "a,b\n1\n", "g.csv:2: the row has 1 fields, the header 2").await;
    check("h.jsonl", "{\"id\": 1, \"q\": 1}\n{\"id\": 1, \"q\": 2}\n", "two rows have the id `1`").await;
    check("i.jsonl", "", "has no rows").await;
    check("j.txt", "x", "none of them").await;
}

#[tokio::test]
async fn files_are_checked_with_line_and_likely_spelling() {
    let check = |text: &str, expect: &str| {
        let error = Spec::parse(Path::new("evals/x.toml"), text).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    };
    let whole = "dataset = \"rows.jsonl\"\n[task]\nkind = \"echo\"\n";
    check(&format!("repeat = 3\n{whole}"), "evals/x.toml:1: unknown field `repeat`");
    check(&format!("repeat = 3\n{whole}"), "did you mean `repeats`?");
    check("dataset = \"x\"\n\n[task]\nkind = \"ehco\"\n", "evals/x.toml:3: task: unknown variant `ehco`");
    check(
        "dataset = \"x\"\n[task]\nkind = \"model\"\nmodel = \"m\"\ntemprature = 1\n",
        "did you mean `temperature`?",
    );
    check("dataset = { fil = \"x\" }\n[task]\nkind = \"echo\"\n", "did you mean `file`?");
    check("dataset = { file = \"x\", name = \"y\" }\n[task]\nkind = \"echo\"\n", "rows come from one place");
    check(&format!("repeats = 0\n{whole}"), "from 1 to 1000");
    check(&format!("{whole}[[gate.checks]]\nat_least = 0.5\n"), "must name its `score`");
    check(&format!("budget = -1\n{whole}"), "not an amount");
    let spec = Spec::parse(Path::new("evals/x.toml"), whole).unwrap();
    assert_eq!((spec.name.as_str(), spec.base()), ("x", "evals".into()));
    let house = house();
    let text = format!("{ECHO}\n[[scorers]]\nkind = \"exact\"\n");
    let spec = Spec::parse(Path::new("evals/x.toml"), &text).unwrap();
    let error =
        house.experiments().prepare(spec, &Options::default(), &Bench::default()).await.err().unwrap();
    assert!(error.to_string().contains("evals/x.toml:12: two scorers have the name `exact`"), "{error}");
}

/// A server, as far as evals go.
struct Served(Store);

impl Wire for Served {
    fn call(&self, call: Value) -> BoxFuture<'_, Result<Value, String>> {
        Box::pin(async move { keeper::serve(&self.0, call).await.map_err(|error| error.to_string()) })
    }
}

#[tokio::test]
async fn an_eval_through_a_server_is_the_same() {
    let here = house();
    let there = house();
    let wired = Experiments {
        runner: Runner { keeper: Keeper::there(Arc::new(Served(there.store.clone()))), ..there.runner() },
        traces: None,
    };
    let spec = Spec::parse(Path::new("evals/test.toml"), ECHO).unwrap();
    let prepared = wired.prepare(spec, &Options::default(), &Bench::default()).await.unwrap();
    let ran = wired.run(prepared, &(), &Cancel::default()).await.unwrap();
    let expect = here.ran(ECHO, &Options::default()).await;
    assert_eq!(ran.report.scores, expect.report.scores);
    assert_eq!(there.keeper.experiments(String::new(), None, 10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn junit_holds_the_gate_and_every_sample() {
    let house = house();
    let text = format!("{ECHO}\n[[gate.checks]]\nscore = \"exact\"\nat_least = 0.99\n");
    let ran = house.ran(&text, &Options::default()).await;
    let mut out = Vec::new();
    junit::write(&house.keeper, &ran, &mut out).await.unwrap();
    let text = String::from_utf8(out).unwrap();
    assert_eq!(text.matches("<testcase ").count(), 5);
    assert_eq!(text.matches("<failure ").count(), 2, "{text}");
    assert!(text.starts_with("<?xml") && text.trim_end().ends_with("</testsuites>"));
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
