//! Providers that do as they are told, prices, a store of money, and a recorder that settles.

use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use hanok_base::{
    BoxError, BoxFuture, CallContext, Caller, Capabilities, Charge, ChatRequest, Degradation, Delta, Dialect,
    Dialects, EmbedRequest, EmbedResponse, EventStream, FinishReason, FinishedTrace, ModelInfo, ModelName,
    NanoDollars, Object, Operation, Part, Place, Problem, Provider, ProviderError, ProviderErrorKind,
    ProviderName, RawBody, RawCall, RawResponse, RerankRequest, RerankResponse, Route, Span, Spent,
    StreamEvent, Timestamp, Usage,
};
use hanok_gateway::{
    Answer, AnswerBody, Balance, Call, Entry, Gateway, Key, Ledger, Limits, Model, Policy, Routes, Tariff,
    Vault,
};
use parking_lot::Mutex;
use serde_json::{Value, json};
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// What a provider does with a call.
#[derive(Clone, Debug)]
pub(crate) enum Do {
    /// Answers at once, or after a while.
    Answer(Duration),
    /// Fails, perhaps asking to be left alone.
    Fail(ProviderErrorKind, Option<Duration>),
    /// Answers without something that was asked for.
    Lose(&'static str),
    /// Begins its answer, and breaks off.
    Break(ProviderErrorKind),
}

pub(crate) const ANSWER: Do = Do::Answer(Duration::ZERO);
pub(crate) const TEXT: &str = "hello";

pub(crate) fn fail(kind: ProviderErrorKind) -> Do {
    Do::Fail(kind, None)
}

/// A provider that does as it is told, call by call, and in the end always the same.
pub(crate) struct Told {
    name: ProviderName,
    can: Capabilities,
    next: Mutex<VecDeque<Do>>,
    then: Mutex<Do>,
    /// When it was called, and with what body (of typed calls: what the limit on the answer was).
    pub(crate) calls: Mutex<Vec<(Instant, Value)>>,
}

impl Told {
    pub(crate) fn new(name: &str, native: &[Dialect]) -> Arc<Self> {
        let native = native.iter().copied().fold(Dialects::NONE, Dialects::with);
        Self::able(name, Capabilities { native, embeddings: true, ..Capabilities::default() })
    }
    pub(crate) fn able(name: &str, can: Capabilities) -> Arc<Self> {
        Arc::new(Self {
            name: name.into(),
            can,
            next: Mutex::default(),
            then: Mutex::new(ANSWER),
            calls: Mutex::default(),
        })
    }
    /// The next calls, in order.
    pub(crate) fn next(&self, all: impl IntoIterator<Item = Do>) {
        self.next.lock().extend(all);
    }
    /// All calls after those.
    pub(crate) fn then(&self, then: Do) {
        *self.then.lock() = then;
    }
    pub(crate) fn count(&self) -> usize {
        self.calls.lock().len()
    }
    pub(crate) fn last(&self) -> Value {
        self.calls.lock().last().unwrap().1.clone()
    }
    fn error(&self, kind: ProviderErrorKind, retry_after: Option<Duration>) -> ProviderError {
        ProviderError { retry_after, ..ProviderError::new(kind, &self.name, "as told") }
    }

    /// What every call begins with; gives the way it breaks off, if it does.
    async fn begin(&self, cx: &CallContext, asked: Value) -> Result<Option<ProviderError>, ProviderError> {
        self.calls.lock().push((Instant::now(), asked));
        let does = self.next.lock().pop_front().unwrap_or_else(|| self.then.lock().clone());
        match does {
            Do::Answer(wait) if wait.is_zero() => Ok(None),
            Do::Answer(wait) => {
                tokio::time::sleep(wait).await;
                Ok(None)
            }
            Do::Fail(kind, wait) => Err(self.error(kind, wait)),
            Do::Lose(param) => {
                let lost = Degradation { param: param.into(), message: "left out".into() };
                cx.degrade(vec![lost], &self.name).map(|()| None)
            }
            Do::Break(kind) => Ok(Some(self.error(kind, None))),
        }
    }

    /// The span a provider leaves, with what the call cost and used.
    fn bill(&self, cx: &CallContext, cost: i64, tokens: u64) {
        let mut scope = cx.span(Operation::Chat, format!("chat {}", self.name));
        scope.set("test.cost", cost);
        scope.set("test.tokens", tokens);
        scope.finish();
    }
}

fn events() -> Vec<StreamEvent> {
    vec![
        StreamEvent::Start {
            id: "c1".into(),
            model: "m".into(),
            created: 7,
            dialect: None,
            extra: Object::new(),
        },
        StreamEvent::PartStart { choice: 0, part: 0, value: Part::Text(String::new()) },
        StreamEvent::PartDelta { choice: 0, part: 0, delta: Delta::Text(TEXT.into()) },
        StreamEvent::PartEnd { choice: 0, part: 0 },
        StreamEvent::Finish { choice: 0, reason: FinishReason::Stop },
    ]
}

pub(crate) fn chat_json() -> Value {
    json!({"id": "c1", "object": "chat.completion", "created": 7, "model": "m", "choices": [{"index": 0,
        "message": {"role": "assistant", "content": TEXT}, "finish_reason": "stop"}]})
}

/// What a call of these tests costs and uses.
pub(crate) const COST: i64 = 1_000;
pub(crate) const TOKENS: u64 = 30;

impl Provider for Told {
    fn name(&self) -> &ProviderName {
        &self.name
    }
    fn capabilities(&self, _: &ModelName) -> Capabilities {
        self.can
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
            let mut asked = json!({"max_tokens": request.sampling.max_tokens});
            let last = request.messages.last().filter(|last| last.role == hanok_base::Role::Assistant);
            if let (Some(last), Some(asked)) = (last, asked.as_object_mut()) {
                asked.insert("begun".into(), last.plain_text().into());
            }
            let broken = self.begin(cx, asked).await?;
            self.bill(cx, COST, TOKENS);
            let cut = if broken.is_some() { 3 } else { 5 };
            let items: Vec<_> = events().into_iter().take(cut).map(Ok).chain(broken.map(Err)).collect();
            Ok(Box::pin(stream::iter(items)) as EventStream)
        })
    }
    fn embed<'a>(
        &'a self,
        cx: &'a CallContext,
        request: &'a EmbedRequest,
    ) -> BoxFuture<'a, Result<EmbedResponse, ProviderError>> {
        Box::pin(async move {
            self.begin(cx, json!({"inputs": request.inputs.len(), "dimensions": request.dimensions})).await?;
            self.bill(cx, COST, TOKENS);
            let vectors = request.inputs.iter().map(|_| vec![0.25, -0.5]).collect();
            let usage = Usage { input: Some(2), ..Usage::default() };
            Ok(EmbedResponse { model: "e".into(), vectors, usage })
        })
    }
    fn rerank<'a>(
        &'a self,
        cx: &'a CallContext,
        request: &'a RerankRequest,
    ) -> BoxFuture<'a, Result<RerankResponse, ProviderError>> {
        Box::pin(async move {
            // Others are asked in bytes.
            if !self.can.typed_rerank {
                return Err(self.error(ProviderErrorKind::Unsupported, None));
            }
            let asked =
                json!({"query": request.query, "documents": request.documents.len(), "top_n": request.top_n});
            self.begin(cx, asked).await?;
            self.bill(cx, COST, TOKENS);
            let score = |(at, text): (usize, &String)| (at, f32::from(u8::try_from(text.len()).unwrap()));
            let ranked = request.documents.iter().enumerate().map(score).rev().collect();
            Ok(RerankResponse { model: "r".into(), ranked, usage: Usage::default() })
        })
    }
    fn forward<'a>(
        &'a self,
        cx: &'a CallContext,
        call: RawCall,
    ) -> BoxFuture<'a, Result<RawResponse, ProviderError>> {
        Box::pin(async move {
            let asked = serde_json::from_slice(&call.body)
                .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&call.body)));
            let broken = self.begin(cx, asked).await?;
            self.bill(cx, COST, TOKENS);
            let body = if call.stream {
                let events = [
                    "data: {\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"},\"finish_reason\":null}]}\n\n",
                    "data: {\"id\":\"c1\",\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n",
                ];
                let cut = if broken.is_some() { 1 } else { 2 };
                let items = events.map(|event| Ok(Bytes::from_static(event.as_bytes())));
                let items: Vec<_> = items.into_iter().take(cut).chain(broken.map(Err)).collect();
                RawBody::Stream(Box::pin(stream::iter(items)))
            } else if let Some(broken) = broken {
                return Err(broken);
            } else {
                RawBody::Whole(chat_json().to_string().into())
            };
            let headers = vec![
                ("x-ratelimit-remaining-requests".to_owned(), "77".to_owned()),
                ("x-request-id".to_owned(), "r1".to_owned()),
            ];
            let content_type = if call.stream { "text/event-stream" } else { "application/json" };
            Ok(RawResponse { status: 200, content_type: content_type.into(), headers, body })
        })
    }
}

/// Prices: so much for a token, whichever; none for models named `unpriced`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Prices(pub(crate) HashMap<&'static str, i64>);

impl Prices {
    pub(crate) fn of(all: &[(&'static str, i64)]) -> Arc<Self> {
        Arc::new(Self(all.iter().copied().collect()))
    }
}

impl Tariff for Prices {
    fn price(&self, _: &str, model: &str, usage: &Usage) -> Option<NanoDollars> {
        self.at_most("", model, usage.input.unwrap_or(0), usage.output.unwrap_or(0), true)
    }
    fn at_most(&self, _: &str, model: &str, input: u64, output: u64, _: bool) -> Option<NanoDollars> {
        let tokens = i64::try_from(input + output).unwrap();
        self.0.get(model).map(|price| NanoDollars(price * tokens))
    }
}

/// A store of money: what is drawn and spent survives.
#[derive(Default)]
pub(crate) struct Bank {
    pub(crate) accounts: Mutex<HashMap<Charge, Balance>>,
    pub(crate) draws: Mutex<u32>,
}

impl Vault for Bank {
    fn balance<'a>(&'a self, charge: &'a Charge) -> BoxFuture<'a, Result<Balance, BoxError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            Ok(self.accounts.lock().get(charge).copied().unwrap_or_default())
        })
    }
    fn draw<'a>(&'a self, charge: &'a Charge, drawn: NanoDollars) -> BoxFuture<'a, Result<(), BoxError>> {
        Box::pin(async move {
            tokio::task::yield_now().await;
            let mut accounts = self.accounts.lock();
            let account = accounts.entry(charge.clone()).or_default();
            account.drawn = account.drawn.max(drawn);
            *self.draws.lock() += 1;
            Ok(())
        })
    }
}

impl Bank {
    /// Adds what a trace cost to what its accounts spent, as the transaction does that commits it.
    pub(crate) fn spend(&self, charges: &[Charge], cost: NanoDollars) {
        let mut accounts = self.accounts.lock();
        for charge in charges {
            accounts.entry(charge.clone()).or_default().spent.0 += cost.0;
        }
    }
    pub(crate) fn of(&self, account: &str, period: &str) -> Balance {
        let charge = Charge { account: account.into(), period: period.into() };
        self.accounts.lock().get(&charge).copied().unwrap_or_default()
    }
    /// What becomes of slabs that were not closed: as the store does when it is opened.
    pub(crate) fn write_off(&self) {
        for account in self.accounts.lock().values_mut() {
            if account.drawn.0 > account.spent.0 + account.written_off.0 {
                account.written_off.0 = account.drawn.0 - account.spent.0;
            }
        }
    }
}

/// Keeps spans, and settles what they cost.
#[derive(Clone)]
pub(crate) struct Books {
    pub(crate) spans: Arc<Mutex<Vec<Span>>>,
    bank: Arc<Bank>,
}

impl Place for Books {
    fn record(self: Box<Self>, trace: FinishedTrace) {
        let sum = |key: &str| -> i64 {
            let all = trace.spans.iter().flat_map(|span| &span.attributes);
            all.filter(|(name, _)| name == key).filter_map(|(_, value)| value.as_i64()).sum()
        };
        let spent = Spent {
            cost: NanoDollars(sum("test.cost")),
            tokens: u64::try_from(sum("test.tokens")).unwrap(),
            unpriced: 0,
        };
        if let Some(settlement) = trace.settlement {
            self.bank.spend(settlement.charges(), spent.cost);
            settlement.settle(spent, &[]);
        }
        self.spans.lock().extend(trace.spans);
    }
}

/// A gateway with all that a test looks at.
pub(crate) struct World {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) books: Books,
    pub(crate) bank: Arc<Bank>,
    pub(crate) ledger: Arc<Ledger>,
}

pub(crate) const TODAY: &str = "2026-11-20";

/// A moment of this day.
pub(crate) fn noon(day: &str) -> Timestamp {
    Timestamp::parse_rfc3339(&format!("{day}T12:00:00Z")).unwrap()
}

impl World {
    /// A gateway over these providers with these models, without prices or budgets.
    pub(crate) fn new(providers: &[&Arc<Told>], models: Vec<(&str, Model)>) -> Self {
        let mut routes = Routes::default();
        for provider in providers {
            routes = routes.provider(Arc::clone(provider) as Arc<dyn Provider>).unwrap();
        }
        for (name, model) in models {
            routes = routes.model(name.into(), model).unwrap();
        }
        let bank = Arc::<Bank>::default();
        let ledger = Ledger::new(bank.clone());
        let books = Books { spans: Arc::default(), bank: bank.clone() };
        let world = Self { gateway: Arc::new(Gateway::new(routes)), books, bank, ledger };
        world.policy(Prices::of(&[]), Vec::new());
        world
    }

    pub(crate) fn policy(&self, prices: Arc<Prices>, budgets: Vec<(String, hanok_gateway::Budget)>) {
        self.gateway.set_policy(Policy {
            tariff: prices,
            budgets,
            ledger: self.ledger.clone(),
            clock: || noon(TODAY),
            ..Policy::default()
        });
    }

    pub(crate) async fn call(&self, call: Call) -> Result<Answer, Problem> {
        let key = call.key.clone();
        let caller = Caller {
            key_name: key.as_ref().map(|key| key.name.clone()),
            key_id: key.as_ref().map(|key| key.id.clone()),
            project: key.as_ref().map(|key| key.project.clone()).unwrap_or_default(),
            base_url: "".into(),
            ..Caller::default()
        };
        let cx = CallContext::new(Box::new(self.books.clone()), Arc::new(caller));
        self.gateway.call(&cx, call).await
    }

    /// Asks and reads the answer to its end.
    pub(crate) async fn ask(&self, call: Call) -> Result<Read, Problem> {
        let answer = self.call(call).await?;
        Ok(read(answer).await)
    }

    /// The last gateway span's attribute.
    pub(crate) fn attribute(&self, key: &str) -> Option<Value> {
        let spans = self.books.spans.lock();
        let span = spans.iter().rev().find(|span| span.operation == Operation::Gateway).unwrap();
        span.attributes.iter().rev().find(|(name, _)| name == key).map(|(_, value)| value.clone())
    }

    pub(crate) fn reserved(&self, account: &str, period: &str) -> i64 {
        let charge = Charge { account: account.into(), period: period.into() };
        self.ledger.standing(&charge).unwrap_or_default().reserved.0
    }
}

/// An answer as a client sees it.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) content_type: String,
    pub(crate) text: String,
}

impl Read {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(known, _)| known == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} stands twice: {:?}", self.headers);
        value
    }
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }
}

pub(crate) async fn read(answer: Answer) -> Read {
    let bytes = match answer.body {
        AnswerBody::Whole(bytes) => bytes.to_vec(),
        AnswerBody::Stream(pieces) => pieces.collect::<Vec<_>>().await.concat(),
    };
    let text = String::from_utf8(bytes).unwrap();
    let headers = answer.headers.into_iter().map(|(name, value)| (name.into_owned(), value)).collect();
    Read { headers, content_type: answer.content_type.into_owned(), text }
}

/// A chat in `OpenAI`'s dialect, with further members.
pub(crate) fn chat(model: &str, more: Value) -> Call {
    let mut body = json!({"model": model, "messages": [{"role": "user", "content": "hi"}]});
    let Value::Object(more) = more else { panic!("no members: {more}") };
    body.as_object_mut().unwrap().extend(more);
    Call::new(Dialect::OpenAiChat, Route::Chat, body.to_string().into())
}

/// The same with a key.
pub(crate) fn with(key: &Arc<Key>, call: Call) -> Call {
    Call { key: Some(key.clone()), ..call }
}

pub(crate) fn key(name: &str) -> Key {
    Key {
        id: format!("id-{name}").into(),
        name: name.into(),
        project: "".into(),
        admin: false,
        models: Vec::new(),
        expires: None,
        max_output_tokens: None,
        limits: Limits::default(),
        budgets: Vec::new(),
        payloads: None,
        meter: Arc::default(),
    }
}

/// A target of a provider.
pub(crate) fn entry(provider: &Arc<Told>, model: &str) -> Entry {
    hanok_gateway::Target { provider: provider.clone(), model: model.into(), state: Arc::default() }.into()
}
