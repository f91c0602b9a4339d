//! One call, top to bottom.

use crate::answer::{Answer, AnswerBody, AnswerStream};
use crate::catalog::Catalog;
use crate::routes::{RESERVED, Routes, Target};
use arc_swap::ArcSwap;
use bytes::Bytes;
use hanok_base::{
    BoxFuture, CallContext, Capabilities, ChatRequest, Dialect, ErrorKind, EventStream, Exchange, ModelInfo,
    ModelName, Operation, Problem, Provider, ProviderError, ProviderErrorKind, ProviderName, RawBody,
    RawCall, ResponseBytes, Route, SpanScope,
};
use hanok_wire::{Codec, Patch, Peek, StreamOptions, WireError, codec};
use std::sync::Arc;

/// Routes calls to providers.
pub struct Gateway {
    name: ProviderName,
    routes: ArcSwap<Routes>,
    catalog: Catalog,
}

impl Gateway {
    /// A gateway over these routes.
    pub fn new(routes: Routes) -> Self {
        Self { name: "gateway".into(), routes: ArcSwap::from_pointee(routes), catalog: Catalog::default() }
    }

    /// Exchanges the routes; calls under way finish on the old ones.
    pub fn replace(&self, routes: Routes) {
        self.routes.store(Arc::new(routes));
    }

    /// The routes now.
    pub fn routes(&self) -> Arc<Routes> {
        self.routes.load_full()
    }

    /// What providers were last known to offer.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Every model on offer under the name a client asks for it by: aliases, our answerers, then
    /// `provider/model`. Providers that do not answer soon show when they have.
    pub async fn model_list(&self) -> Vec<(String, ModelInfo)> {
        let routes = self.routes();
        self.catalog.refresh(routes.providers()).await;
        let own = |name: ModelName| ModelInfo { name, owned_by: Some(RESERVED.to_owned()), created: 0 };
        let mut list: Vec<(String, ModelInfo)> =
            routes.aliases().map(|alias| (alias.to_string(), own(alias.clone()))).collect();
        for (_, answerer) in routes.answerers() {
            let models = answerer.models().await.unwrap_or_default();
            list.extend(models.into_iter().map(|info| (format!("{RESERVED}/{}", info.name), info)));
        }
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
    pub async fn call(
        &self,
        cx: &CallContext,
        dialect: Dialect,
        route: Route,
        body: Bytes,
    ) -> Result<Answer, Problem> {
        let mut scope = cx.span(Operation::Gateway, operation_name(route));
        let result = self.answer(&mut scope, dialect, route, &body).await;
        match result {
            Ok(reply) => Ok(finish(scope, dialect, body, reply)),
            Err(problem) => {
                scope.fail(error_type(problem.kind), problem.message.clone());
                // Other routes' bodies are no chats, and stand at the provider's span.
                if route == Route::Chat {
                    scope.exchange(Exchange { dialect, request: body, response: ResponseBytes::None });
                }
                Err(problem)
            }
        }
    }

    async fn answer(
        &self,
        scope: &mut SpanScope,
        dialect: Dialect,
        route: Route,
        body: &Bytes,
    ) -> Result<Reply, Problem> {
        let wire = codec(dialect);
        scope.set("hanok.dialect", dialect.as_str());
        if let Some(key) = scope.context().caller.key_name.clone() {
            scope.set("hanok.key", &*key);
        }
        let peek = wire.peek(route, body).map_err(|error| bad_request(&error))?;
        scope.rename(format!("{} {}", operation_name(route), peek.model));
        scope.set("gen_ai.request.model", peek.model.as_str());
        scope.set("hanok.stream", peek.stream);
        let targets = self.routes.load().resolve(&peek.model, &self.catalog)?;
        let mut last = Problem::new(ErrorKind::Internal, "no_target", "there is no target to call");
        for target in &targets {
            match attempt(wire, scope.context(), target, dialect, route, &peek, body).await {
                Ok(reply) => {
                    scope.set("gen_ai.provider.name", target.provider.name().as_str());
                    return Ok(reply);
                }
                Err(Failure::Request(problem)) => return Err(problem),
                Err(Failure::Provider(error)) => {
                    note_failure(target, &error);
                    last = Problem::from(&error);
                    if error.kind == ProviderErrorKind::UnknownModel {
                        last = self.routes.load().with_nearest(last, &peek.model, &self.catalog);
                    }
                    if !another_may_do_better(error.kind) {
                        break;
                    }
                }
            }
        }
        Err(last)
    }
}

fn note_failure(target: &Target, error: &ProviderError) {
    tracing::warn!(provider = %error.provider, model = %target.model, kind = %error.kind, error = %error, "target failed");
}

/// Whether the next target is worth a try after this failure.
fn another_may_do_better(kind: ProviderErrorKind) -> bool {
    use ProviderErrorKind as P;
    match kind {
        P::InvalidRequest | P::ContentFilter | P::Internal => false,
        P::Auth
        | P::RateLimited
        | P::Overloaded
        | P::ContextLength
        | P::UnknownModel
        | P::Timeout
        | P::Truncated
        | P::Decode
        | P::Transport
        | P::Unsupported => true,
    }
}

enum Failure {
    /// The client's fault: no other target helps.
    Request(Problem),
    /// The provider's.
    Provider(ProviderError),
}

impl From<ProviderError> for Failure {
    fn from(error: ProviderError) -> Self {
        Self::Provider(error)
    }
}

/// What a target gave, before the gateway span is tied to it.
enum Reply {
    /// The provider's own bytes.
    Raw(hanok_base::RawResponse),
    /// An answer, encoded into the client's dialect.
    Whole { body: Vec<u8> },
    /// Events, still to be encoded.
    Events { provider: ProviderName, events: EventStream, options: StreamOptions },
}

async fn attempt(
    wire: &'static dyn Codec,
    cx: &CallContext,
    target: &Target,
    dialect: Dialect,
    route: Route,
    peek: &Peek,
    body: &Bytes,
) -> Result<Reply, Failure> {
    let provider = &target.provider;
    let capabilities = provider.capabilities(&target.model);
    if capabilities.native.contains(dialect) {
        let ask_usage =
            route == Route::Chat && peek.stream && !peek.include_usage && capabilities.stream_usage;
        let patch = Patch { model: target.model.as_str(), ask_usage, ..Patch::default() };
        let body = wire.patch(body, peek, &patch);
        let call = RawCall {
            stream: peek.stream,
            hide_usage: ask_usage,
            ..RawCall::new(dialect, route, target.model.clone(), body)
        };
        return Ok(Reply::Raw(provider.forward(cx, call).await?));
    }
    if route != Route::Chat {
        let message = format!("{} does not offer this route", target.model);
        return Err(ProviderError::new(ProviderErrorKind::Unsupported, provider.name(), message).into());
    }
    let mut request = wire.decode_request(body).map_err(|error| Failure::Request(bad_request(&error)))?;
    request.model = target.model.clone();
    if peek.stream {
        let events = provider.chat_stream(cx, &request).await?;
        let options = StreamOptions {
            include_usage: peek.include_usage,
            model: peek.model.as_str().into(),
            request: body.clone(),
        };
        return Ok(Reply::Events { provider: provider.name().clone(), events, options });
    }
    let mut response = provider.chat(cx, &request).await?;
    // The client knows the model by the name it asked for.
    response.model = peek.model.as_str().into();
    Ok(Reply::Whole { body: wire.encode_response(&response, body) })
}

/// Ties the gateway span to the answer: it ends with the answer's last byte.
fn finish(mut scope: SpanScope, dialect: Dialect, request: Bytes, reply: Reply) -> Answer {
    let content_type = |stream| codec(dialect).content_type(stream).to_owned();
    match reply {
        Reply::Raw(raw) => {
            let body = match raw.body {
                RawBody::Whole(bytes) => {
                    scope.finish();
                    AnswerBody::Whole(bytes)
                }
                RawBody::Stream(bytes) => AnswerBody::Stream(AnswerStream::raw(dialect, bytes, scope)),
            };
            Answer { status: raw.status, content_type: raw.content_type, headers: raw.headers, body }
        }
        Reply::Whole { body } => {
            let body = Bytes::from(body);
            scope.exchange(Exchange { dialect, request, response: ResponseBytes::Whole(body.clone()) });
            scope.finish();
            Answer {
                status: 200,
                content_type: content_type(false),
                headers: Vec::new(),
                body: AnswerBody::Whole(body),
            }
        }
        Reply::Events { provider, events, options } => Answer {
            status: 200,
            content_type: content_type(true),
            headers: Vec::new(),
            body: AnswerBody::Stream(AnswerStream::typed(dialect, provider, events, options, request, scope)),
        },
    }
}

impl Provider for Gateway {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self, _: &ModelName) -> Capabilities {
        Capabilities::default()
    }

    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelInfo>, ProviderError>> {
        Box::pin(async move {
            let list = self.model_list().await;
            Ok(list.into_iter().map(|(id, info)| ModelInfo { name: id.into(), ..info }).collect())
        })
    }

    fn chat_stream<'a>(
        &'a self,
        cx: &'a CallContext,
        request: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<EventStream, ProviderError>> {
        Box::pin(async move {
            let resolved = self.routes.load().resolve(request.model.as_str(), &self.catalog);
            let targets = resolved.map_err(|problem| {
                ProviderError::new(ProviderErrorKind::UnknownModel, &self.name, problem.message)
            })?;
            let mut last =
                ProviderError::new(ProviderErrorKind::Internal, &self.name, "there is no target to call");
            for target in &targets {
                let request = ChatRequest { model: target.model.clone(), ..request.clone() };
                match target.provider.chat_stream(cx, &request).await {
                    Ok(events) => return Ok(events),
                    Err(error) => {
                        note_failure(target, &error);
                        let stop = !another_may_do_better(error.kind);
                        last = error;
                        if stop {
                            break;
                        }
                    }
                }
            }
            Err(last)
        })
    }
}

fn operation_name(route: Route) -> &'static str {
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

fn bad_request(error: &WireError) -> Problem {
    let problem = Problem::new(ErrorKind::InvalidRequest, "invalid_request", error.to_string());
    match error.param() {
        Some(param) => problem.param(param),
        None => problem,
    }
}
