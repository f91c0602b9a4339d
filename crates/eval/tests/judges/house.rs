//! A store with experiments, and a task and a scorer that count what is asked of them.

use hanok_base::{
    BoxFuture, CallContext, Caller, NanoDollars, Output, ProviderError, ProviderErrorKind, Sample,
    SampleScore, ScoreValue, Scorer, Task, TaskError, Verdict,
};
use hanok_eval::dataset::Columns;
use hanok_eval::run::BuiltScorer;
use hanok_eval::task::BuiltTask;
use hanok_eval::{Bench, Cancel, Experiments, Keeper, Options, Plan, Ran, Runner, Spec, dataset};
use hanok_store::evals::NewExperiment;
use hanok_store::{Store, content_hash};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

pub(crate) struct House {
    pub(crate) keeper: Keeper,
    pub(crate) store: Store,
    _folder: tempfile::TempDir,
}

pub(crate) fn house() -> House {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), hanok_store::store::Options::default()).unwrap();
    House { keeper: Keeper::here(store.clone()), store, _folder: folder }
}

impl House {
    pub(crate) fn runner(&self) -> Runner {
        Runner { keeper: self.keeper.clone(), recorder: None, caller: Arc::new(Caller::default()) }
    }

    pub(crate) fn experiments(&self) -> Experiments {
        Experiments { runner: self.runner(), traces: None }
    }

    pub(crate) async fn ran(&self, text: &str, options: &Options) -> Ran {
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

    pub(crate) async fn plan(
        &self,
        rows: usize,
        repeats: u32,
        task: Arc<dyn Task>,
        scorers: Vec<BuiltScorer>,
    ) -> Plan {
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
pub(crate) struct Counting {
    pub(crate) calls: AtomicUsize,
    pub(crate) at_once: AtomicUsize,
    pub(crate) most_at_once: AtomicUsize,
    pub(crate) cost: i64,
    /// Calls of these rows fail this often.
    pub(crate) fails: Mutex<Vec<(u64, usize)>>,
    pub(crate) waits: Option<tokio::sync::Semaphore>,
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
pub(crate) struct Even(pub(crate) AtomicUsize);

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

pub(crate) const ECHO: &str = r#"
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
