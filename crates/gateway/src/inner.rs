//! The gateway as a provider: calls of other rooms of this house go through the same routes and budgets.

use crate::answer::Held;
use crate::attempt::{Ask, Failure, Reply};
use crate::call::Gateway;
use crate::plan::Facts;
use futures_core::Stream;
use hanok_base::{
    BoxFuture, CallContext, Capabilities, ChatRequest, Dialect, ErrorKind, EventStream, ModelInfo, ModelName,
    Operation, Problem, Provider, ProviderError, ProviderErrorKind, ProviderName, SpanScope, StreamEvent,
};
use hanok_wire::tokens;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

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
}

impl Gateway {
    async fn inner(
        &self,
        scope: &mut SpanScope,
        mut request: ChatRequest,
    ) -> Result<(EventStream, Held), ProviderError> {
        let caller = scope.context().caller.clone();
        let failed = |problem: Problem| self.failed(&problem);
        let model = self.routes().resolve(request.model.as_str(), self.catalog()).map_err(failed)?;
        let key =
            caller.key_id.as_deref().or(caller.key_name.as_deref()).and_then(|id| self.keys().named(id));
        if let Some(key) = &key {
            key.check_model(request.model.as_str()).map_err(failed)?;
        }
        self.policy()
            .reserve_typed(scope.context(), key.as_deref(), &mut request, &model)
            .await
            .map_err(failed)?;
        let cache_key = request.cache_key.clone();
        let facts = Facts {
            dialect: request.dialect.unwrap_or(Dialect::OpenAiChat),
            stream: true,
            input_tokens: tokens::estimate_tokens(&request),
            max_tokens: request.sampling.max_tokens,
            key: caller.key_name.as_deref().unwrap_or_default(),
            project: &caller.project,
            tag: "",
            sticky: cache_key.as_deref(),
        };
        let cx = scope.context().clone();
        let more = || -> BoxFuture<'_, Result<(), Problem>> {
            let mut request = request.clone();
            let (cx, key, model) = (&cx, key.as_deref(), &model);
            Box::pin(async move { self.policy().reserve_typed(cx, key, &mut request, model).await })
        };
        match self.route(scope, &model, &facts, &Ask::Typed(&request), &more).await {
            Ok((Reply::Events { events, .. }, held)) => Ok((events, held)),
            Ok(_) => Err(ProviderError::new(
                ProviderErrorKind::Internal,
                &self.name,
                "a typed call was answered in bytes",
            )),
            Err(Failure::Provider(error)) => Err(error),
            Err(Failure::Request(problem)) => Err(failed(problem)),
        }
    }

    fn failed(&self, problem: &Problem) -> ProviderError {
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
