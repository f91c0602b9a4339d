//! One call, top to bottom.

use crate::admission::{Admitted, Bill, admit};
use crate::answer::{Answer, AnswerBody, AnswerStream, Held};
use crate::attempt::{Ask, ClientCall, Failure, Reply, bad_request};
use crate::cache::{Cache, CacheKey, Kept};
use crate::catalog::Catalog;
use crate::key::{Key, KeyRing};
use crate::plan::{Facts, Step, plan};
use crate::policy::Policy;
use crate::prompted::{self, Prompts};
use crate::retry::{RetryBudget, Verdict, backoff, may_cost, verdict};
use crate::route::Model;
use crate::routes::{RESERVED, Routes};
use crate::stored::{Running, Shelf};
use crate::target::Seat;
use crate::tariff::Tariff;
use arc_swap::ArcSwap;
use bytes::Bytes;
use hanok_base::{
    Attributes, BoxFuture, CallContext, Dialect, ErrorKind, Exchange, ModelInfo, ModelName, Operation,
    Problem, ProviderError, ProviderErrorKind, ProviderName, RateLimits, RawBody, RawResponse, ResponseBytes,
    Route, SpanScope, Timestamp, TraceId,
};
use hanok_wire::{Peek, codec, form, is_rate_limit_header, rate_limit_headers};
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::Instant;

/// The longest wait for a target that asked to be left alone, before the client is told to wait itself.
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How long a call waits for a place at a target that has as many as it may.
const SEAT_WAIT: Duration = Duration::from_secs(10);

/// A client's call.
pub struct Call {
    /// The format of its bytes.
    pub dialect: Dialect,
    /// What is asked for.
    pub route: Route,
    /// The model, where the URL tells it.
    pub model: Option<String>,
    /// Whether to stream, where the URL tells it.
    pub stream: Option<bool>,
    /// The body's type, where it is not JSON.
    pub content_type: Option<String>,
    /// Headers that belong to the dialect, for an upstream of the same.
    pub headers: Vec<(String, String)>,
    /// The URL's query, without any key.
    pub query: Option<String>,
    /// The client's `x-hanok-route` header.
    pub tag: Option<String>,
    /// What its headers say of it, as attributes: session, user, tags, prompt.
    pub labels: Attributes,
    /// The key it came with.
    pub key: Option<Arc<Key>>,
    /// The body.
    pub body: Bytes,
}

impl Call {
    /// A call of nobody in particular with all it says in its body.
    pub fn new(dialect: Dialect, route: Route, body: Bytes) -> Self {
        Self {
            dialect,
            route,
            model: None,
            stream: None,
            content_type: None,
            headers: Vec::new(),
            query: None,
            tag: None,
            labels: Attributes::new(),
            key: None,
            body,
        }
    }

    /// Whether its answer may be asked back.
    pub(crate) fn keeps_responses(&self) -> bool {
        self.dialect == Dialect::OpenAiResponses && self.route == Route::Chat
    }
}

/// Sets money aside for one more try.
pub(crate) type More<'a> = dyn Fn() -> BoxFuture<'a, Result<(), Problem>> + Sync + 'a;

/// Routes calls to providers.
pub struct Gateway {
    pub(crate) name: ProviderName,
    routes: ArcSwap<Routes>,
    catalog: Catalog,
    keys: KeyRing,
    policy: ArcSwap<Policy>,
    retries: RetryBudget,
    pub(crate) cache: Cache,
    /// Set once, before the first call.
    shelf: OnceLock<Arc<dyn Shelf>>,
    /// Set once, before the first call.
    prompts: OnceLock<Arc<dyn Prompts>>,
    pub(crate) running: Running,
}

impl Gateway {
    /// A gateway over these routes.
    pub fn new(routes: Routes) -> Self {
        Self {
            name: "gateway".into(),
            routes: ArcSwap::from_pointee(routes),
            catalog: Catalog::default(),
            keys: KeyRing::default(),
            policy: ArcSwap::from_pointee(Policy::default()),
            retries: RetryBudget::default(),
            cache: Cache::default(),
            shelf: OnceLock::new(),
            prompts: OnceLock::new(),
            running: Running::default(),
        }
    }

    /// The same with a place to keep responses that clients may ask back.
    #[must_use]
    pub fn keeping(self, shelf: Arc<dyn Shelf>) -> Self {
        let _first = self.shelf.set(shelf);
        self
    }

    /// Where responses are kept, where they are.
    pub(crate) fn shelf(&self) -> Option<Arc<dyn Shelf>> {
        self.shelf.get().cloned()
    }

    /// The same with prompts, offered as `prompt/NAME`.
    #[must_use]
    pub fn prompting(self, prompts: Arc<dyn Prompts>) -> Self {
        let _first = self.prompts.set(prompts);
        self
    }

    /// The prompts, where there are any.
    pub(crate) fn prompts(&self) -> Option<&Arc<dyn Prompts>> {
        self.prompts.get()
    }

    /// Exchanges the routes; calls under way finish on the old ones. How targets do is remembered.
    pub fn replace(&self, routes: Routes) {
        let states = self.routes.load().states().clone();
        self.routes.store(Arc::new(routes.keeping(states)));
    }

    /// The states that new routes are to keep: hand them to [`Routes::keeping`] before models are added.
    pub fn states(&self) -> Arc<crate::target::TargetStates> {
        self.routes.load().states().clone()
    }

    /// The routes now.
    pub fn routes(&self) -> Arc<Routes> {
        self.routes.load_full()
    }

    /// What providers were last known to offer.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Who may call.
    pub fn keys(&self) -> &KeyRing {
        &self.keys
    }

    /// Prices, budgets and the ledger now.
    pub fn policy(&self) -> Arc<Policy> {
        self.policy.load_full()
    }

    /// Exchanges prices and budgets.
    pub fn set_policy(&self, policy: Policy) {
        self.policy.store(Arc::new(policy));
    }

    /// Every model on offer under the name a client asks for it by: the configuration's, our answerers, prompts, then
    /// `provider/model`. Providers that do not answer soon show when they have.
    pub async fn model_list(&self) -> Vec<(String, ModelInfo)> {
        let routes = self.routes();
        self.catalog.refresh(routes.providers()).await;
        let own = |name: ModelName| ModelInfo {
            name,
            owned_by: Some(RESERVED.to_owned()),
            created: 0,
            context_length: None,
        };
        let mut list: Vec<(String, ModelInfo)> =
            routes.models().map(|(name, _)| (name.to_string(), own(name.clone()))).collect();
        for (_, answerer) in routes.answerers() {
            let models = answerer.models().await.unwrap_or_default();
            list.extend(models.into_iter().map(|info| (format!("{RESERVED}/{}", info.name), info)));
        }
        let prompts = self.prompts().map(|prompts| prompts.offered()).unwrap_or_default();
        list.extend(prompts.into_iter().map(|name| {
            let name = format!("{}/{name}", prompted::RESERVED);
            (name.clone(), own(name.into()))
        }));
        for provider in routes.providers() {
            for info in self.catalog.models(provider.name()).iter() {
                let owned_by = info.owned_by.clone().or_else(|| Some(provider.name().to_string()));
                list.push((
                    format!("{}/{}", provider.name(), info.name),
                    ModelInfo { owned_by, ..info.clone() },
                ));
            }
        }
        list
    }

    /// Answers one call in its own dialect. The gateway span is open from here until the answer's last byte.
    pub async fn call(&self, cx: &CallContext, call: Call) -> Result<Answer, Problem> {
        let mut scope = cx.span(Operation::Gateway, operation_name(call.route));
        match self.answer(&mut scope, &call).await {
            Ok(Outcome::Answered(answered)) => Ok(finish(scope, &call, answered)),
            Ok(Outcome::Kept(kept, limits)) => Ok(again(scope, &call, kept, limits)),
            Err(problem) => {
                scope.fail(error_type(problem.kind), problem.message.clone());
                // Other routes' bodies are no chats, and stand at the provider's span.
                if call.route == Route::Chat {
                    scope.exchange(Exchange {
                        dialect: call.dialect,
                        request: call.body,
                        response: ResponseBytes::None,
                    });
                }
                Err(problem)
            }
        }
    }

    async fn answer(&self, scope: &mut SpanScope, call: &Call) -> Result<Outcome<'_>, Problem> {
        let caller = scope.context().caller.clone();
        scope.set("hanok.dialect", call.dialect.as_str());
        if let Some(key) = &caller.key_name {
            scope.set("hanok.key", &**key);
        }
        let (of_prompt, labels): (Vec<_>, Vec<_>) =
            call.labels.iter().partition(|(name, _)| prompted::is_label(name));
        for (name, value) in labels {
            scope.set(name.clone(), value.clone());
        }
        let peek = look(call)?;
        if let Some(asked) = self.asked_by(call, &peek) {
            return self.prompted(scope, call, &peek, asked).await;
        }
        for (name, value) in of_prompt {
            scope.set(name.clone(), value.clone());
        }
        if peek.model.is_empty() {
            let problem = Problem::new(ErrorKind::InvalidRequest, "invalid_request", "no model is named");
            return Err(problem.param("model"));
        }
        scope.rename(format!("{} {}", operation_name(call.route), peek.model));
        scope.set("gen_ai.request.model", peek.model.as_str());
        scope.set("hanok.stream", peek.stream);
        let model = self.routes.load().resolve(&peek.model, &self.catalog)?;
        if let Some(key) = &call.key {
            key.check_model(&peek.model)?;
        }
        let facts = Facts {
            dialect: call.dialect,
            stream: peek.stream,
            input_tokens: call.body.len() as u64 / 4,
            max_tokens: peek.max_tokens,
            key: caller.key_name.as_deref().unwrap_or_default(),
            project: &caller.project,
            tag: call.tag.as_deref().unwrap_or_default(),
            sticky: peek.cache_key.as_deref(),
        };
        let key = call.key.as_deref();
        let admitted = admit(key, facts.input_tokens)?;
        let cached = model
            .cache
            .filter(|_| call.route == Route::Chat)
            .map(|lifetime| (cache_key(call, &caller.project, ""), lifetime));
        if let Some((key, lifetime)) = &cached
            && let Some(kept) = self.cache.get(key, *lifetime)
        {
            // It uses none of the tokens it was thought to.
            if let Some(key) = call.key.as_deref().filter(|key| key.limits.tokens_per_minute.is_some()) {
                key.meter.correct(facts.input_tokens, 0);
            }
            return Ok(Outcome::Kept(kept, admitted.limits));
        }
        let bill = Bill {
            model_name: &peek.model,
            model: &model,
            route: call.route,
            peek: &peek,
            body: &call.body,
            dialect: call.dialect,
        };
        let max_tokens = self.policy.load().reserve(scope.context(), key, &bill, facts.input_tokens).await?;
        let client = ClientCall {
            dialect: call.dialect,
            route: call.route,
            peek: &peek,
            body: &call.body,
            content_type: call.content_type.as_deref(),
            headers: &call.headers,
            query: call.query.as_deref(),
            max_tokens,
        };
        let cx = scope.context().clone();
        let more = || -> BoxFuture<'_, Result<(), Problem>> {
            Box::pin(async {
                let reserved = self.policy.load().reserve(&cx, key, &bill, facts.input_tokens).await;
                reserved.map(drop)
            })
        };
        let (reply, held) = match self.route(scope, &model, &facts, &client, &more).await {
            Ok(found) => found,
            Err(Failure::Request(problem)) => return Err(problem),
            Err(Failure::Provider(error)) => {
                let problem = Problem::from(&error);
                return Err(if error.kind == ProviderErrorKind::UnknownModel {
                    self.routes.load().with_nearest(problem, &peek.model, &self.catalog)
                } else {
                    problem
                });
            }
        };
        let Admitted { admission, limits } = admitted;
        let held = Held { admission, ..held };
        let cache = cached.map(|(key, _)| (&self.cache, key));
        Ok(Outcome::Answered(Answered { reply, held, limits, cache }))
    }

    /// Tries a model's targets until one answers. The span gets the target that did, and what it cost in tries.
    /// `more` sets money aside for another try where the one before may be charged for all the same.
    pub(crate) async fn route<A: Ask>(
        &self,
        scope: &mut SpanScope,
        model: &Model,
        facts: &Facts<'_>,
        ask: &A,
        more: &More<'_>,
    ) -> Result<(A::Reply, Held), Failure> {
        self.retries.deposit();
        let tariff = self.policy.load().tariff.clone();
        let mut last: Option<ProviderError> = None;
        // Targets that failed in a way no second try changes.
        let mut dead: Vec<String> = Vec::new();
        let mut tries = 0_u32;
        let mut away = None;
        let mut owed = false;
        for round in 0..=model.retries {
            let steps = match self.steps(model, facts, tariff.as_ref(), round).await {
                Ok(steps) => steps,
                Err(wait) => return Err(last.map_or_else(|| nobody(model, wait), Failure::Provider)),
            };
            // Where none has a free place, the best is waited for.
            let waiting = steps.iter().map(|step| (step, true));
            let before = tries;
            for (step, wait) in steps.iter().map(|step| (step, false)).chain(waiting) {
                if wait && tries > before {
                    break;
                }
                let id = step.target.id();
                if dead.contains(&id) {
                    continue;
                }
                let Some(seat) = take_seat(step, wait).await? else {
                    continue;
                };
                if std::mem::take(&mut owed) && more().await.is_err() {
                    return Err(last.map_or_else(|| nobody(model, None), Failure::Provider));
                }
                let Some(mut under_way) = step.target.state.begin() else {
                    // Another call has taken it upon itself to look whether it is well again.
                    away = Some(Duration::ZERO);
                    continue;
                };
                tries += 1;
                let cx = &scope.context().attempt(model.strict).patient(step.patience);
                match ask.attempt(cx, step).await {
                    Ok(reply) => {
                        under_way.succeeded();
                        scope.set("gen_ai.provider.name", step.target.provider.name().as_str());
                        if tries > 1 {
                            scope.set("hanok.tries", tries);
                        }
                        note_lost(scope, cx);
                        return Ok((
                            reply,
                            Held {
                                admission: None,
                                attempt: Some(under_way),
                                seat,
                                target: id,
                                lost: cx.degradations(),
                            },
                        ));
                    }
                    Err(Failure::Request(problem)) => return Err(Failure::Request(problem)),
                    Err(Failure::Provider(error)) => {
                        under_way.failed(&error);
                        tracing::warn!(provider = %error.provider, target = %id, kind = %error.kind, error = %error, "target failed");
                        match verdict(error.kind) {
                            Verdict::GiveUp => return Err(Failure::Provider(error)),
                            Verdict::Elsewhere => dead.push(id),
                            Verdict::Again => {}
                        }
                        owed = may_cost(error.kind);
                        last = Some(error);
                    }
                }
            }
            let alive = steps.iter().any(|step| !dead.contains(&step.target.id()));
            if round == model.retries || !alive || !self.retries.withdraw() {
                break;
            }
            let asked = last.as_ref().and_then(|error| error.retry_after);
            if asked.is_some_and(|wait| wait > LONGEST_WAIT) {
                break;
            }
            tokio::time::sleep(backoff(round, asked)).await;
        }
        Err(last.map_or_else(|| nobody(model, away), Failure::Provider))
    }

    /// The targets worth a try. Where all are left alone for a short while, it is waited for, unless a model is
    /// not to be tried again.
    async fn steps<'m>(
        &self,
        model: &'m Model,
        facts: &Facts<'_>,
        tariff: &dyn Tariff,
        round: u32,
    ) -> Result<Vec<Step<'m>>, Option<Duration>> {
        let planned = plan(model, facts, tariff, Instant::now());
        match planned {
            Err(Some(wait))
                if wait <= LONGEST_WAIT && model.retries > 0 && (round > 0 || self.retries.withdraw()) =>
            {
                // Callers that wait for one moment do not all come back in it.
                tokio::time::sleep(wait + Duration::from_millis(fastrand::u64(0..250))).await;
                plan(model, facts, tariff, Instant::now())
            }
            planned => planned,
        }
    }
}

/// A place at the target; `None` where it is full and is not to be waited for.
async fn take_seat(
    step: &Step<'_>,
    wait: bool,
) -> Result<Option<Option<tokio::sync::OwnedSemaphorePermit>>, Failure> {
    match step.target.state.try_seat(step.max_concurrent) {
        Seat::Unlimited => return Ok(Some(None)),
        Seat::Taken(seat) => return Ok(Some(Some(seat))),
        Seat::Full if !wait => return Ok(None),
        Seat::Full => {}
    }
    match tokio::time::timeout(SEAT_WAIT, step.target.state.seat(step.max_concurrent)).await {
        Ok(seat) => Ok(Some(seat)),
        Err(_) => Err(Failure::Request(Problem {
            retry_after: Some(SEAT_WAIT.as_secs()),
            ..Problem::new(
                ErrorKind::RateLimited,
                "target_busy",
                format!("{} has as many calls under way as it may", step.target.id()),
            )
        })),
    }
}

/// No target to try now, or none for this call at all.
fn nobody(model: &Model, away: Option<Duration>) -> Failure {
    let healths: Vec<_> = model.entries.iter().map(|entry| entry.target.state.health()).collect();
    let said = healths.iter().find_map(|health| health.last_error.as_deref());
    let said = said.map(|error| format!(": {error}")).unwrap_or_default();
    // What only waits because it was asked to is no outage.
    let limited = healths.iter().all(|health| health.breaker == "cooling");
    Failure::Request(match away {
        Some(wait) => Problem {
            retry_after: Some(wait.as_secs() + 1),
            ..if limited {
                let message = format!("every target of this model is at its provider's limit{said}");
                Problem::new(ErrorKind::RateLimited, "rate_limited", message)
            } else {
                let message =
                    format!("every target of this model failed lately and is left alone for a moment{said}");
                Problem::new(ErrorKind::Unavailable, "targets_away", message)
                    .hint("the page Models shows which, and why")
            }
        },
        None => Problem::new(
            ErrorKind::Unavailable,
            "no_target",
            "no target of this model is free, or meant for such a call",
        )
        .hint("see `when` and `max_concurrent` under [models] in hanok.toml"),
    })
}

/// What routing needs of a call: from its URL, its form, or its JSON.
fn look(call: &Call) -> Result<Peek, Problem> {
    let form = call.content_type.as_deref().and_then(form::boundary);
    let mut peek = match form {
        Some(boundary) => form::peek(&call.body, &boundary),
        None => codec(call.dialect).peek(call.route, &call.body),
    }
    .map_err(|error| bad_request(&error))?;
    if let Some(model) = &call.model {
        peek.model.clone_from(model);
    }
    if let Some(stream) = call.stream {
        peek.stream = stream;
    }
    Ok(peek)
}

/// Which request this is: whose, in which shape, its very bytes, and what else it comes down to (`made_of`).
pub(crate) fn cache_key(call: &Call, project: &str, made_of: &str) -> CacheKey {
    let mut hasher = blake3::Hasher::new();
    let mut part = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    part(project.as_bytes());
    part(call.key.as_ref().map_or(b"", |key| key.account().as_bytes()));
    part(call.dialect.as_str().as_bytes());
    part(call.model.as_deref().unwrap_or_default().as_bytes());
    part(if call.stream == Some(true) { b"s" } else { b"" });
    // What else can change the answer.
    part(call.tag.as_deref().unwrap_or_default().as_bytes());
    part(call.query.as_deref().unwrap_or_default().as_bytes());
    for (name, value) in &call.headers {
        part(name.as_bytes());
        part(value.as_bytes());
    }
    part(&call.body);
    part(made_of.as_bytes());
    *hasher.finalize().as_bytes()
}

pub(crate) enum Outcome<'a> {
    Answered(Answered<'a>),
    Kept(Kept, Option<RateLimits>),
}

pub(crate) struct Answered<'a> {
    pub(crate) reply: Reply,
    pub(crate) held: Held,
    pub(crate) limits: Option<RateLimits>,
    pub(crate) cache: Option<(&'a Cache, CacheKey)>,
}

fn note_lost(scope: &mut SpanScope, cx: &CallContext) {
    let lost: Vec<String> = cx.degradations().iter().map(ToString::to_string).collect();
    if !lost.is_empty() {
        scope.set("hanok.degradations", lost);
    }
}

/// What was lost, as a header's value.
fn warnings(held: &Held) -> Option<String> {
    let said = held.lost.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
    let plain = |c: char| if c.is_ascii_graphic() || c == ' ' { c } else { '?' };
    (!said.is_empty()).then(|| said.chars().take(2_000).map(plain).collect())
}

/// Ties the gateway span to the answer: it ends with the answer's last byte.
fn finish(mut scope: SpanScope, call: &Call, answered: Answered<'_>) -> Answer {
    let Answered { reply, mut held, limits, cache } = answered;
    let recorded = |asked: Option<Bytes>| asked.unwrap_or_else(|| call.body.clone());
    let mut headers = told(call.dialect, limits.as_ref());
    if cache.is_some() {
        headers.push(("x-hanok-cache".into(), "miss".to_owned()));
    }
    headers.push(("x-hanok-target".into(), std::mem::take(&mut held.target)));
    if let Some(warnings) = warnings(&held) {
        headers.push(("x-hanok-warnings".into(), warnings));
    }
    let content_type = |stream| Cow::Borrowed(codec(call.dialect).content_type(stream));
    let trace_id = scope.context().trace_id();
    let keep_whole = |content_type: &Cow<'static, str>, body: &Bytes| {
        if let Some((cache, key)) = cache {
            let (content_type, trace_id) = (content_type.clone(), trace_id.to_string());
            cache.put(key, Kept { content_type, pieces: vec![body.clone()], streamed: false, trace_id });
        }
    };
    let streamed =
        matches!(&reply, Reply::Events { .. } | Reply::Raw(RawResponse { body: RawBody::Stream(_), .. }));
    if let (Some(attempt), false) = (&mut held.attempt, streamed) {
        attempt.finished();
    }
    match reply {
        Reply::Raw(raw) => {
            // What the upstream says of its own limits would contradict ours.
            let own = limits.is_some();
            let passed = raw.headers.into_iter().filter(|(name, _)| !(own && is_rate_limit_header(name)));
            headers.extend(passed.map(|(name, value)| (name.into(), value)));
            let body = match raw.body {
                RawBody::Whole(bytes) => {
                    keep_whole(&raw.content_type, &bytes);
                    scope.finish();
                    AnswerBody::Whole(bytes)
                }
                RawBody::Stream(bytes) => {
                    let stream = AnswerStream::raw(call.dialect, bytes, scope, held);
                    AnswerBody::Stream(Box::pin(kept_streaming(
                        stream,
                        cache,
                        raw.content_type.clone(),
                        trace_id,
                    )))
                }
            };
            Answer { status: raw.status, content_type: raw.content_type, headers, body }
        }
        Reply::Whole { body, asked } => {
            let body = Bytes::from(body);
            keep_whole(&content_type(false), &body);
            if call.route == Route::Chat {
                scope.exchange(Exchange {
                    dialect: call.dialect,
                    request: recorded(asked),
                    response: ResponseBytes::Whole(body.clone()),
                });
            }
            scope.finish();
            Answer { status: 200, content_type: content_type(false), headers, body: AnswerBody::Whole(body) }
        }
        Reply::Events { provider, events, options, asked } => {
            let request = recorded(asked);
            let stream = AnswerStream::typed(call.dialect, provider, events, options, request, scope, held);
            let content_type = content_type(true);
            let body =
                AnswerBody::Stream(Box::pin(kept_streaming(stream, cache, content_type.clone(), trace_id)));
            Answer { status: 200, content_type, headers, body }
        }
    }
}

fn kept_streaming(
    mut stream: AnswerStream,
    cache: Option<(&Cache, CacheKey)>,
    content_type: Cow<'static, str>,
    trace_id: TraceId,
) -> AnswerStream {
    if let Some((cache, key)) = cache {
        let (cache, trace_id) = (cache.clone(), trace_id.to_string());
        stream.keep_with(Box::new(move |pieces| {
            cache.put(key, Kept { content_type, pieces, streamed: true, trace_id });
        }));
    }
    stream
}

/// What is left of a key's limits, as headers.
fn told(dialect: Dialect, limits: Option<&RateLimits>) -> Vec<(Cow<'static, str>, String)> {
    let Some(limits) = limits else {
        return Vec::new();
    };
    let headers = rate_limit_headers(dialect, limits, Timestamp::now());
    headers.map(|(name, value)| (name.into(), value)).collect()
}

/// An answer that was given before.
fn again(mut scope: SpanScope, call: &Call, kept: Kept, limits: Option<RateLimits>) -> Answer {
    scope.set("hanok.cache", "hit");
    scope.set("hanok.cache.trace_id", kept.trace_id.as_str());
    let body = Bytes::from(kept.pieces.concat());
    let response =
        if kept.streamed { ResponseBytes::Streamed(kept.pieces) } else { ResponseBytes::Whole(body.clone()) };
    scope.exchange(Exchange { dialect: call.dialect, request: call.body.clone(), response });
    scope.finish();
    let mut headers = told(call.dialect, limits.as_ref());
    headers.push(("x-hanok-cache".into(), "hit".to_owned()));
    headers.push(("x-hanok-cache-trace-id".into(), kept.trace_id));
    Answer { status: 200, content_type: kept.content_type, headers, body: AnswerBody::Whole(body) }
}

pub(crate) fn operation_name(route: Route) -> &'static str {
    match route {
        Route::Chat => "chat",
        Route::Embeddings | Route::BatchEmbeddings => "embeddings",
        Route::CountTokens => "count_tokens",
        Route::Rerank => "rerank",
        Route::Raw(path) => path,
    }
}

fn error_type(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::TooLarge | ErrorKind::MethodNotAllowed => "invalid_request",
        ErrorKind::Unauthenticated | ErrorKind::Forbidden => "auth",
        ErrorKind::NotFound => "not_found",
        ErrorKind::Conflict => "conflict",
        ErrorKind::BudgetSpent => "budget_spent",
        ErrorKind::RateLimited => "rate_limited",
        ErrorKind::Internal => "internal",
        ErrorKind::Unsupported => "unsupported",
        ErrorKind::Upstream => "upstream",
        ErrorKind::Unavailable => "unavailable",
        ErrorKind::Timeout => "timeout",
    }
}
