//! The gateway as a provider: calls of other rooms of this house go through the same routes and budgets.

use crate::answer::Held;
use crate::attempt::{Ask, Failure};
use crate::failover::More;
use crate::gateway::Gateway;
use crate::key::Key;
use crate::plan::Facts;
use crate::route::{Entry, Model};
use futures_core::Stream;
use hanok_base::{
    BoxFuture, CallContext, Capabilities, ChatRequest, Dialect, EmbedInput, EmbedLimits, EmbedRequest,
    EmbedResponse, ErrorKind, EventStream, ModelInfo, ModelName, Operation, Problem, Provider, ProviderError,
    ProviderErrorKind, ProviderName, RerankRequest, RerankResponse, SpanScope, StreamEvent,
};
use hanok_wire::tokens;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

impl Provider for Gateway {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    /// What is offered in types: the limits are those that every target of the model keeps to.
    fn capabilities(&self, model: &ModelName) -> Capabilities {
        let Ok(model) = self.model(model.as_str()) else {
            return Capabilities::default();
        };
        let can = |entry: &Entry| entry.target.provider.capabilities(&entry.target.model);
        let embedding = model.entries.iter().map(can).filter(|can| can.embeddings);
        let embed_limits = embedding.map(|can| can.embed_limits).reduce(EmbedLimits::within);
        Capabilities {
            embeddings: embed_limits.is_some(),
            embed_limits: embed_limits.unwrap_or_default(),
            ..Capabilities::default()
        }
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
            let mut scope = cx.span(Operation::Gateway, format!("chat {}", request.model));
            scope.set("gen_ai.request.model", request.model.as_str());
            match self.inner(&mut scope, request.clone()).await {
                Ok((events, held)) => Ok(Box::pin(Inner { events, scope: Some(scope), held }) as EventStream),
                Err(error) => {
                    scope.fail(error.kind.as_str(), error.message.clone());
                    Err(error)
                }
            }
        })
    }

    fn embed<'a>(
        &'a self,
        cx: &'a CallContext,
        request: &'a EmbedRequest,
    ) -> BoxFuture<'a, Result<EmbedResponse, ProviderError>> {
        let bytes = |input: &EmbedInput| match input {
            EmbedInput::Text(text) => text.len() as u64,
            EmbedInput::Tokens(tokens) => tokens.len() as u64,
        };
        let bytes = request.inputs.iter().map(bytes).sum();
        let scope = cx.span(Operation::Gateway, format!("embeddings {}", request.model));
        Box::pin(self.computed(scope, &request.model, bytes, request))
    }

    fn rerank<'a>(
        &'a self,
        cx: &'a CallContext,
        request: &'a RerankRequest,
    ) -> BoxFuture<'a, Result<RerankResponse, ProviderError>> {
        // The query stands before each of the documents.
        let bytes = request.documents.iter().map(|text| (text.len() + request.query.len()) as u64).sum();
        let scope = cx.span(Operation::Gateway, format!("rerank {}", request.model));
        Box::pin(self.computed(scope, &request.model, bytes, request))
    }
}

impl Gateway {
    async fn inner(
        &self,
        scope: &mut SpanScope,
        mut request: ChatRequest,
    ) -> Result<(EventStream, Held), ProviderError> {
        if let Some(asked) = self.asked_prompt(request.model.as_str()) {
            return self.inner_prompted(scope, asked, request).await;
        }
        let (model, key) = self.admitted(scope, &request.model)?;
        let (cx, key) = (scope.context().clone(), key.as_deref());
        let failed = |problem: Problem| self.failed(&problem);
        self.policy().reserve_typed(&cx, key, &mut request, &model, 0).await.map_err(failed)?;
        let cache_key = request.cache_key.clone();
        let facts = Facts {
            dialect: request.dialect.unwrap_or(Dialect::OpenAiChat),
            stream: true,
            input_tokens: tokens::estimate_tokens(&request),
            max_tokens: request.sampling.max_tokens,
            sticky: cache_key.as_deref(),
            ..own(&cx)
        };
        let more = || -> BoxFuture<'_, Result<(), Problem>> {
            let (mut request, cx, model) = (request.clone(), &cx, &model);
            Box::pin(async move { self.policy().reserve_typed(cx, key, &mut request, model, 0).await })
        };
        self.tried(scope, &model, &facts, &request, &more).await
    }

    /// A call with no answer but what is computed of its texts, which have `bytes` bytes.
    async fn computed<A: Ask>(
        &self,
        mut scope: SpanScope,
        name: &ModelName,
        bytes: u64,
        request: &A,
    ) -> Result<A::Reply, ProviderError> {
        scope.set("gen_ai.request.model", name.as_str());
        let answered = self.compute(&mut scope, name, bytes, request).await;
        match &answered {
            Ok(_) => scope.finish(),
            Err(error) => scope.fail(error.kind.as_str(), error.message.clone()),
        }
        answered
    }

    async fn compute<A: Ask>(
        &self,
        scope: &mut SpanScope,
        name: &ModelName,
        bytes: u64,
        request: &A,
    ) -> Result<A::Reply, ProviderError> {
        let (model, key) = self.admitted(scope, name)?;
        let (cx, key) = (scope.context().clone(), key.as_deref());
        let more = || -> BoxFuture<'_, Result<(), Problem>> {
            let (cx, model) = (&cx, &model);
            Box::pin(async move { self.policy().reserve_input(cx, key, name, model, bytes).await })
        };
        more().await.map_err(|problem| self.failed(&problem))?;
        let facts = Facts { input_tokens: bytes / 4, ..own(&cx) };
        let (reply, mut held) = self.tried(scope, &model, &facts, request, &more).await?;
        if let Some(attempt) = &mut held.attempt {
            attempt.finished();
        }
        Ok(reply)
    }

    /// The model of a name and the caller's key, which must be allowed it.
    fn admitted(
        &self,
        scope: &SpanScope,
        name: &ModelName,
    ) -> Result<(Arc<Model>, Option<Arc<Key>>), ProviderError> {
        let failed = |problem: Problem| self.failed(&problem);
        let caller = &scope.context().caller;
        let model = self.routes().resolve(name.as_str(), self.catalog()).map_err(failed)?;
        let key =
            caller.key_id.as_deref().or(caller.key_name.as_deref()).and_then(|id| self.keys().named(id));
        if let Some(key) = &key {
            key.check_model(name.as_str()).map_err(failed)?;
        }
        Ok((model, key))
    }

    async fn tried<A: Ask>(
        &self,
        scope: &mut SpanScope,
        model: &Model,
        facts: &Facts<'_>,
        ask: &A,
        more: &More<'_>,
    ) -> Result<(A::Reply, Held), ProviderError> {
        match self.route(scope, model, facts, ask, more).await {
            Ok(answered) => Ok(answered),
            Err(Failure::Provider(error)) => Err(error),
            Err(Failure::Request(problem)) => Err(self.failed(&problem)),
        }
    }

    pub(crate) fn failed(&self, problem: &Problem) -> ProviderError {
        let kind = match problem.kind {
            ErrorKind::NotFound => ProviderErrorKind::UnknownModel,
            ErrorKind::RateLimited | ErrorKind::BudgetSpent => ProviderErrorKind::RateLimited,
            ErrorKind::Unavailable => ProviderErrorKind::Overloaded,
            _ => ProviderErrorKind::InvalidRequest,
        };
        ProviderError {
            code: Some(problem.code.clone()),
            retry_after: problem.retry_after.map(std::time::Duration::from_secs),
            ..ProviderError::new(kind, &self.name, problem.message.clone())
        }
    }
}

/// What routing knows of a call of this house before its request is looked at.
pub(crate) fn own(cx: &CallContext) -> Facts<'_> {
    Facts {
        dialect: Dialect::OpenAiChat,
        stream: false,
        input_tokens: 0,
        max_tokens: None,
        key: cx.caller.key_name.as_deref().unwrap_or_default(),
        project: &cx.caller.project,
        tag: "",
        sticky: None,
    }
}

/// An inner call's events; its span and its places end with them.
struct Inner {
    events: EventStream,
    scope: Option<SpanScope>,
    held: Held,
}

impl Stream for Inner {
    type Item = Result<StreamEvent, ProviderError>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let item = ready!(self.events.as_mut().poll_next(cx));
        match &item {
            Some(Ok(_)) => {}
            Some(Err(error)) => {
                if let Some(attempt) = &mut self.held.attempt {
                    attempt.failed(error);
                }
                if let Some(mut scope) = self.scope.take() {
                    scope.fail(error.kind.as_str(), error.message.clone());
                }
            }
            None => {
                if let Some(scope) = self.scope.take() {
                    scope.finish();
                }
                if let Some(attempt) = &mut self.held.attempt {
                    attempt.finished();
                }
                self.held = Held::default();
            }
        }
        Poll::Ready(item)
    }
}
