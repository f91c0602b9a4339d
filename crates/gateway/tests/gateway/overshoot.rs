//! No budget is ever overshot: 64 callers at once, costs, failures, hang-ups and crashes by chance.
//!
//! A crash loses what is in memory (the ledger, reservations, records not yet committed) and keeps what the store
//! has; what was drawn and not recorded then counts as spent. One seed decides everything, on a clock that moves by
//! itself, so that a failure can be had again.

use crate::world::{Bank, Prices, TODAY, chat_json, key, noon, read, with};
use bytes::Bytes;
use futures_core::Stream;
use hanok_base::{
    BoxError, BoxFuture, CallContext, Caller, Capabilities, Charge, ChatRequest, Delta, Dialect, Dialects,
    EventStream, FinishReason, FinishedTrace, ModelInfo, ModelName, NanoDollars, Object, Operation, Part,
    Place, Provider, ProviderError, ProviderErrorKind as Kind, ProviderName, RawBody, RawCall, RawResponse,
    Route, SpanScope, Spent, StreamEvent,
};
use hanok_gateway::{
    Balance, Budget, Call, Gateway, Key, Ledger, Model, Period, Policy, Routes, Target, Vault,
};
use parking_lot::Mutex;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

const CALLERS: usize = 64;
const KEYS: usize = 4;
/// Nano-dollars a token.
const PRICE: i64 = 3;

/// What decides a run.
#[derive(Clone, Debug)]
struct Plan {
    seed: u64,
    /// Of each key, in what one of its calls may cost at most.
    per_key: i64,
    /// Of all together, the same.
    all: i64,
    /// When each process ends: `None` for a clean end.
    crashes: Vec<Option<u64>>,
}

fn plans() -> impl Strategy<Value = Plan> {
    let crash = prop_oneof![3 => (1_u64..3_000).prop_map(Some), 1 => Just(None)];
    (any::<u64>(), 1_i64..60, 1_i64..150, prop::collection::vec(crash, 1..5))
        .prop_map(|(seed, per_key, all, crashes)| Plan { seed, per_key, all, crashes })
}

/// What one call may cost at most, about.
const ONE: i64 = 1_400 * PRICE;

/// Everything that outlives a process, and what is really so.
struct Truth {
    bank: Bank,
    limits: HashMap<Charge, i64>,
    /// What upstreams really charged, and what of it was recorded.
    charged: Mutex<HashMap<Charge, i64>>,
    chance: Mutex<fastrand::Rng>,
    seed: u64,
}

fn charge(account: &str) -> Charge {
    Charge { account: account.into(), period: TODAY.into() }
}

impl Truth {
    fn below(&self, most: u64) -> u64 {
        self.chance.lock().u64(0..most.max(1))
    }
    fn one_in(&self, n: u64) -> bool {
        self.below(n) == 0
    }
    async fn pause(&self, most: u64) {
        let milliseconds = self.below(most);
        if milliseconds == 0 {
            tokio::task::yield_now().await;
        } else {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        }
    }

    /// An upstream charges for a call of this key.
    fn charge(&self, key: &str, cost: i64) {
        let mut charged = self.charged.lock();
        for account in [format!("key:{key}"), "all".to_owned()] {
            let charge = charge(&account);
            let sum = charged.entry(charge.clone()).or_default();
            *sum += cost;
            let limit = self.limits[&charge];
            assert!(*sum <= limit, "seed {}: {account} spent {sum} of {limit}", self.seed);
        }
    }

    /// What must always hold.
    fn check(&self, ledger: &Ledger) {
        let accounts = self.bank.accounts.lock();
        for (charge, limit) in &self.limits {
            let place = format!("seed {}: {charge:?}", self.seed);
            let balance = accounts.get(charge).copied().unwrap_or_default();
            let Balance { spent, written_off, drawn } = balance;
            assert!(
                spent.0 + written_off.0 <= drawn.0 && drawn.0 <= *limit,
                "{place} {balance:?} of {limit}"
            );
            if let Some(now) = ledger.standing(charge) {
                assert!(now.spent.0 + now.reserved.0 <= drawn.0, "{place} {now:?} {balance:?}");
                assert_eq!(now.spent.0, spent.0 + written_off.0, "{place}: ledger and spans differ");
            }
        }
    }
}

struct Store(Arc<Truth>);

impl Vault for Store {
    fn balance<'a>(&'a self, charge: &'a Charge) -> BoxFuture<'a, Result<Balance, BoxError>> {
        Box::pin(async move {
            self.0.pause(5).await;
            self.0.bank.balance(charge).await
        })
    }
    fn draw<'a>(&'a self, charge: &'a Charge, drawn: NanoDollars) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async move {
            self.0.pause(20).await;
            if self.0.one_in(20) {
                return Err("the disk is full".into());
            }
            self.0.bank.draw(charge, drawn).await?;
            // A crash may come between the commit and its news.
            self.0.pause(5).await;
            Ok(())
        })
    }
}

/// A process's recorder: its traces wait for a commit, and are lost in a crash.
#[derive(Clone)]
struct Till {
    queue: mpsc::UnboundedSender<FinishedTrace>,
    alive: Arc<AtomicBool>,
}

impl Place for Till {
    fn record(self: Box<Self>, trace: FinishedTrace) {
        if self.alive.load(Ordering::Relaxed) {
            // Only a process that ended takes no more.
            let _gone = self.queue.send(trace);
        }
    }
}

/// Commits what waits, in groups: the cost to the accounts, then the news of it.
async fn commit(truth: Arc<Truth>, ledger: Arc<Ledger>, mut queue: mpsc::UnboundedReceiver<FinishedTrace>) {
    let mut group = Vec::new();
    while queue.recv_many(&mut group, 32).await > 0 {
        truth.pause(30).await;
        for trace in group.drain(..) {
            let attributes = trace.spans.iter().flat_map(|span| &span.attributes);
            let costs = attributes.filter(|(name, _)| name == "test.cost").filter_map(|(_, v)| v.as_i64());
            let spent = Spent { cost: NanoDollars(costs.sum()), ..Spent::default() };
            if let Some(settlement) = trace.settlement {
                truth.bank.spend(settlement.charges(), spent.cost);
                settlement.settle(spent, &[]);
            } else {
                assert_eq!(spent.cost.0, 0, "seed {}: a cost that nobody bears", truth.seed);
            }
            truth.check(&ledger);
        }
    }
}

/// What a call has been charged so far; the span says so however it ends.
struct Meter {
    truth: Arc<Truth>,
    scope: Option<SpanScope>,
    key: String,
    cost: i64,
    left: i64,
}

impl Meter {
    fn charge(&mut self, most: i64) {
        let part = most.min(self.left);
        self.truth.charge(&self.key, part);
        self.left -= part;
        self.cost += part;
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        if let Some(mut scope) = self.scope.take() {
            scope.set("test.cost", self.cost);
        }
    }
}

/// An upstream that does anything.
struct Chancy {
    name: ProviderName,
    truth: Arc<Truth>,
    native: Dialects,
}

impl Chancy {
    fn error(&self, kind: Kind) -> ProviderError {
        let retry_after = self.truth.one_in(2).then(|| Duration::from_millis(self.truth.below(50)));
        ProviderError { retry_after, ..ProviderError::new(kind, &self.name, "by chance") }
    }

    /// Takes a call, charges some of what it may cost, and perhaps fails.
    async fn take(&self, cx: &CallContext, bytes: usize, limit: Option<u64>) -> Result<Meter, ProviderError> {
        let limit = limit.unwrap_or_else(|| panic!("seed {}: a call without a limit left", self.truth.seed));
        let most = PRICE * i64::try_from(bytes as u64 + limit).unwrap();
        // Most cost all that they may, which is the worst for a budget.
        let left = if self.truth.one_in(3) {
            i64::try_from(self.truth.below(most.unsigned_abs())).unwrap()
        } else {
            most
        };
        let key = cx.caller.key_id.as_deref().unwrap().to_owned();
        let scope = Some(cx.span(Operation::Chat, "chat x"));
        let mut meter = Meter { truth: self.truth.clone(), scope, key, cost: 0, left };
        self.truth.pause(40).await;
        match self.truth.below(12) {
            0 => return Err(self.error(Kind::Overloaded)),
            1 => return Err(self.error(Kind::Transport)),
            2 => return Err(self.error(Kind::InvalidRequest)),
            3 => return Err(self.error(Kind::RateLimited)),
            4 => {
                meter.charge(i64::MAX);
                return Err(self.error(Kind::Timeout));
            }
            5 => {
                meter.charge(i64::MAX);
                self.truth.pause(100).await;
                return Err(self.error(Kind::Truncated));
            }
            _ => {}
        }
        meter.charge(left / 3);
        self.truth.pause(60).await;
        Ok(meter)
    }
}

/// Items that come one by one, each charged for; perhaps broken off.
struct Paced<T> {
    items: Vec<T>,
    meter: Meter,
    wait: Option<Pin<Box<tokio::time::Sleep>>>,
    breaks: Option<ProviderError>,
}

impl<T> Paced<T> {
    fn new(mut items: Vec<T>, meter: Meter, provider: &Chancy) -> Self {
        let breaks = meter.truth.one_in(6).then(|| provider.error(Kind::Truncated));
        if breaks.is_some() {
            items.truncate(items.len() - 1);
        }
        items.reverse();
        Self { items, meter, wait: None, breaks }
    }
}

impl<T: Unpin> Stream for Paced<T> {
    type Item = Result<T, ProviderError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let pause = || Duration::from_millis(this.meter.truth.below(20));
        let wait = this.wait.get_or_insert_with(|| Box::pin(tokio::time::sleep(pause())));
        std::task::ready!(Future::poll(wait.as_mut(), cx));
        this.wait = None;
        match this.items.pop() {
            Some(item) => {
                this.meter.charge(if this.items.is_empty() { i64::MAX } else { this.meter.left / 2 });
                Poll::Ready(Some(Ok(item)))
            }
            None => Poll::Ready(this.breaks.take().map(Err)),
        }
    }
}

impl Provider for Chancy {
    fn name(&self) -> &ProviderName {
        &self.name
    }
    fn capabilities(&self, _: &ModelName) -> Capabilities {
        Capabilities { native: self.native, ..Capabilities::default() }
    }
    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelInfo>, ProviderError>> {
        Box::pin(async { Ok(Vec::new()) })
    }
    fn chat_stream<'a>(
        &'a self,
        cx: &'a CallContext,
        request: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<EventStream, ProviderError>> {
        Box::pin(async move {
            let bytes = request.messages.iter().map(|message| message.plain_text().len()).sum();
            let meter = self.take(cx, bytes, request.sampling.max_tokens).await?;
            let text =
                |text: &str| StreamEvent::PartDelta { choice: 0, part: 0, delta: Delta::Text(text.into()) };
            let events = vec![
                StreamEvent::Start {
                    id: "c".into(),
                    model: "m".into(),
                    created: 0,
                    dialect: None,
                    extra: Object::new(),
                },
                StreamEvent::PartStart { choice: 0, part: 0, value: Part::Text(String::new()) },
                text("hel"),
                text("lo"),
                StreamEvent::PartEnd { choice: 0, part: 0 },
                StreamEvent::Finish { choice: 0, reason: FinishReason::Stop },
            ];
            Ok(Box::pin(Paced::new(events, meter, self)) as EventStream)
        })
    }
    fn forward<'a>(
        &'a self,
        cx: &'a CallContext,
        call: RawCall,
    ) -> BoxFuture<'a, Result<RawResponse, ProviderError>> {
        Box::pin(async move {
            let asked: Value = serde_json::from_slice(&call.body).unwrap();
            let bytes = asked["messages"].to_string().len();
            let mut meter = self.take(cx, bytes, asked["max_tokens"].as_u64()).await?;
            let body = if call.stream {
                let event = |delta: Value, finish: Value| {
                    let chunk = json!({"id": "c", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
                    Bytes::from(format!("data: {chunk}\n\n"))
                };
                let events = vec![
                    event(json!({"content": "hel"}), Value::Null),
                    event(json!({"content": "lo"}), Value::Null),
                    event(json!({}), "stop".into()),
                    Bytes::from_static(b"data: [DONE]\n\n"),
                ];
                RawBody::Stream(Box::pin(Paced::new(events, meter, self)))
            } else {
                meter.charge(i64::MAX);
                RawBody::Whole(chat_json().to_string().into())
            };
            Ok(RawResponse {
                status: 200,
                content_type: "application/json".into(),
                headers: Vec::new(),
                body,
            })
        })
    }
}

/// One process: 64 callers until its end, clean or not.
async fn live(truth: &Arc<Truth>, keys: &[Arc<Key>], all: i64, crash: Option<u64>) {
    let ledger = Ledger::new(Arc::new(Store(truth.clone())));
    let provider = |name: &str, native: &[Dialect]| -> Arc<dyn Provider> {
        let native = native.iter().copied().fold(Dialects::NONE, Dialects::with);
        Arc::new(Chancy { name: name.into(), truth: truth.clone(), native })
    };
    let providers = [provider("native", &[Dialect::OpenAiChat]), provider("typed", &[])];
    let targets = providers.iter().map(|provider| {
        Target { provider: provider.clone(), model: "x".into(), state: Arc::default() }.into()
    });
    let model = Model { retries: 2, max_tokens: Some(1_000), ..Model::in_order(targets.collect()) };
    let mut routes = Routes::default();
    for provider in &providers {
        routes = routes.provider(provider.clone()).unwrap();
    }
    let gateway = Arc::new(Gateway::new(routes.model("m".into(), model).unwrap()));
    let everyone = Budget { limit: NanoDollars(all), period: Period::Day, model: None };
    gateway.set_policy(Policy {
        tariff: Prices::of(&[("x", PRICE)]),
        budgets: vec![(String::new(), everyone)],
        ledger: ledger.clone(),
        clock: || noon(TODAY),
        ..Policy::default()
    });

    let alive = Arc::new(AtomicBool::new(true));
    let (queue, waiting) = mpsc::unbounded_channel();
    let till = Till { queue, alive: alive.clone() };
    let mut tasks = JoinSet::new();
    let writer = tokio::spawn(commit(truth.clone(), ledger.clone(), waiting));
    for caller in 0..CALLERS {
        let (truth, key) = (truth.clone(), keys[caller % KEYS].clone());
        let (gateway, ledger, till) = (gateway.clone(), ledger.clone(), till.clone());
        tasks.spawn(async move {
            for _ in 0..3 {
                truth.pause(200).await;
                ask(&truth, &gateway, &key, till.clone()).await;
                truth.check(&ledger);
            }
        });
    }
    drop(till);
    let everybody = async {
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
    };
    match crash {
        Some(at) => {
            if tokio::time::timeout(Duration::from_millis(at), everybody).await.is_err() {
                alive.store(false, Ordering::Relaxed);
                writer.abort();
                tasks.shutdown().await;
            }
        }
        None => everybody.await,
    }
    if alive.load(Ordering::Relaxed) {
        writer.await.unwrap();
        for charge in truth.limits.keys() {
            let reserved = ledger.standing(charge).unwrap_or_default().reserved.0;
            assert_eq!(reserved, 0, "seed {}: nobody calls, and {charge:?} is reserved", truth.seed);
        }
    } else {
        assert!(writer.await.is_err_and(|error| error.is_cancelled()), "seed {}", truth.seed);
    }
    truth.check(&ledger);
}

/// One call of a client who may hang up at any moment.
async fn ask(truth: &Truth, gateway: &Gateway, key: &Arc<Key>, till: Till) {
    let caller =
        Caller { key_id: Some(key.id.clone()), key_name: Some(key.name.clone()), ..Caller::default() };
    let cx = CallContext::new(Box::new(till), Arc::new(caller));
    let mut body = json!({
        "model": "m",
        "stream": truth.one_in(2),
        "messages": [{"role": "user", "content": "x".repeat(usize::try_from(truth.below(300)).unwrap())}],
    });
    // By the dialect and by chance in the bytes' own way, or translated; with a limit, or with ours.
    let dialect = if truth.one_in(3) { Dialect::AnthropicMessages } else { Dialect::OpenAiChat };
    if dialect == Dialect::AnthropicMessages || truth.one_in(2) {
        body["max_tokens"] = (1 + truth.below(1_000)).into();
    }
    let call = with(key, Call::new(dialect, Route::Chat, body.to_string().into()));
    let patience = if truth.one_in(4) { truth.below(150) } else { 100_000 };
    let asked = async {
        match gateway.call(&cx, call).await {
            Ok(answer) => drop(read(answer).await),
            Err(problem) => {
                let known = [
                    "budget_spent",
                    "invalid_request",
                    "provider_overloaded",
                    "provider_unreachable",
                    "provider_timeout",
                    "stream_truncated",
                    "rate_limited",
                    "targets_away",
                    "store_unavailable",
                    "unsupported",
                    "no_target",
                ];
                assert!(known.contains(&problem.code.as_str()), "seed {}: {problem:?}", truth.seed);
            }
        }
    };
    let _hung_up = tokio::time::timeout(Duration::from_millis(patience), asked).await;
}

fn run(plan: &Plan) {
    fastrand::seed(plan.seed);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    let (per_key, all) = (plan.per_key * ONE, plan.all * ONE);
    let names: Vec<String> = (0..KEYS).map(|n| format!("k{n}")).collect();
    let keys: Vec<Arc<Key>> = names
        .iter()
        .map(|name| {
            let budget = Budget { limit: NanoDollars(per_key), period: Period::Day, model: None };
            Arc::new(Key { id: name.as_str().into(), budgets: vec![budget], ..key(name) })
        })
        .collect();
    let mut limits: HashMap<Charge, i64> =
        names.iter().map(|name| (charge(&format!("key:{name}")), per_key)).collect();
    limits.insert(charge("all"), all);
    let truth = Arc::new(Truth {
        bank: Bank::default(),
        limits,
        charged: Mutex::default(),
        chance: Mutex::new(fastrand::Rng::with_seed(plan.seed)),
        seed: plan.seed,
    });
    runtime.block_on(async {
        for crash in &plan.crashes {
            live(&truth, &keys, all, *crash).await;
            // The next process opens the store. After a clean end nothing of its slabs is open.
            match crash {
                Some(_) => truth.bank.write_off(),
                None => {
                    for account in truth.bank.accounts.lock().values_mut() {
                        account.drawn = NanoDollars(account.spent.0 + account.written_off.0);
                    }
                }
            }
        }
    });
    // What was really charged is on the books, as spent or as written off.
    let charged = truth.charged.lock();
    for charge in truth.limits.keys() {
        let balance = truth.bank.accounts.lock().get(charge).copied().unwrap_or_default();
        let really = charged.get(charge).copied().unwrap_or_default();
        assert!(
            really <= balance.spent.0 + balance.written_off.0,
            "{plan:?} {charge:?}: {really} {balance:?}"
        );
        if plan.crashes.iter().all(Option::is_none) {
            assert_eq!(really, balance.spent.0, "{plan:?} {charge:?}: to the nano-dollar");
        }
    }
}

#[test]
fn no_budget_is_ever_overshot() {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(24);
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 64, ..Config::default() };
    let mut runner = TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha));
    let outcome = runner.run(&plans(), |plan| {
        run(&plan);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}
