//! One try at one target.

use crate::plan::Step;
use crate::resume::Resuming;
use bytes::Bytes;
use futures_util::StreamExt as _;
use hanok_base::{
    CallContext, ChatRequest, Dialect, EmbedRequest, EmbedResponse, EventStream, Problem, ProviderError,
    ProviderErrorKind, ProviderName, RawCall, RawResponse, RerankRequest, RerankResponse, ResponseId, Route,
    StreamEvent,
};
use hanok_wire::{Patch, Peek, StreamOptions, codec, rerank, tokens};

/// What is asked of a target: a client's call in its own bytes, or a call of another room of this house.
pub(crate) trait Ask: Sync {
    /// What a target gives.
    type Reply: Send;
    /// Tries one target.
    fn attempt(
        &self,
        cx: &CallContext,
        step: &Step<'_>,
    ) -> impl Future<Output = Result<Self::Reply, Failure>> + Send;
}

impl Ask for ChatRequest {
    type Reply = EventStream;
    async fn attempt(&self, cx: &CallContext, step: &Step<'_>) -> Result<EventStream, Failure> {
        let request = Self { model: step.target.model.clone(), ..self.clone() };
        Ok(step.target.provider.chat_stream(cx, &request).await?)
    }
}

impl Ask for EmbedRequest {
    type Reply = EmbedResponse;
    async fn attempt(&self, cx: &CallContext, step: &Step<'_>) -> Result<EmbedResponse, Failure> {
        let request = Self { model: step.target.model.clone(), ..self.clone() };
        Ok(step.target.provider.embed(cx, &request).await?)
    }
}

impl Ask for RerankRequest {
    type Reply = RerankResponse;
    async fn attempt(&self, cx: &CallContext, step: &Step<'_>) -> Result<RerankResponse, Failure> {
        let request = Self { model: step.target.model.clone(), ..self.clone() };
        Ok(step.target.provider.rerank(cx, &request).await?)
    }
}

/// A client's call, as far as it was looked at.
pub(crate) struct ClientCall<'a> {
    pub(crate) dialect: Dialect,
    pub(crate) route: Route,
    pub(crate) peek: &'a Peek,
    pub(crate) body: &'a Bytes,
    pub(crate) content_type: Option<&'a str>,
    pub(crate) headers: &'a [(String, String)],
    pub(crate) query: Option<&'a str>,
    /// The limit to set where the client set none.
    pub(crate) max_tokens: Option<u64>,
}

/// Why a try did not do.
pub(crate) enum Failure {
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

/// What a target gave a client, before the gateway span is tied to it.
pub(crate) enum Reply {
    /// The provider's own bytes.
    Raw(RawResponse),
    /// An answer, encoded into the client's dialect.
    Whole {
        /// The body.
        body: Vec<u8>,
        /// The request as it is recorded, where that is not the client's own.
        asked: Option<Bytes>,
    },
    /// Events, still to be encoded.
    Events {
        /// Whose.
        provider: ProviderName,
        /// The events.
        events: EventStream,
        /// How the client wants them.
        options: StreamOptions,
        /// The request as it is recorded, where that is not the client's own.
        asked: Option<Bytes>,
    },
}

impl Ask for ClientCall<'_> {
    type Reply = Reply;
    async fn attempt(&self, cx: &CallContext, step: &Step<'_>) -> Result<Reply, Failure> {
        let target = step.target;
        let capabilities = target.provider.capabilities(&target.model);
        if capabilities.native.contains(self.dialect)
            && capabilities.routes_natively(self.route)
            && !(self.route == Route::Chat && hanok_wire::holds_foreign_signature(self.body))
            // Only events can go on elsewhere.
            && !(self.route == Route::Chat && self.peek.stream && step.resume.is_some())
        {
            return match self.forward(cx, step, capabilities.stream_usage).await {
                // Servers that speak a dialect do not always count in it.
                Err(Failure::Provider(error))
                    if self.route == Route::CountTokens && error.status == Some(404) =>
                {
                    self.count(cx, step)
                }
                replied => replied,
            };
        }
        match self.route {
            Route::Chat => self.translate(cx, step).await,
            Route::Embeddings | Route::BatchEmbeddings => self.embed(cx, step).await,
            Route::CountTokens => self.count(cx, step),
            Route::Rerank => self.rerank(cx, step).await,
            Route::Raw(_) => {
                let message = format!("{} does not offer this route", target.id());
                Err(ProviderError::new(ProviderErrorKind::Unsupported, target.provider.name(), message)
                    .into())
            }
        }
    }
}

impl ClientCall<'_> {
    /// The short way: the client's bytes, but for the model's name.
    async fn forward(&self, cx: &CallContext, step: &Step<'_>, stream_usage: bool) -> Result<Reply, Failure> {
        let (target, peek) = (step.target, self.peek);
        let ask_usage = self.route == Route::Chat && peek.stream && !peek.include_usage && stream_usage;
        let patch = Patch {
            model: target.model.as_str(),
            ask_usage,
            max_tokens: self.max_tokens,
            max_completion_tokens: target.provider.capabilities(&target.model).max_completion_tokens,
        };
        let call = RawCall {
            stream: peek.stream,
            hide_usage: ask_usage,
            content_type: self.content_type.map(str::to_owned),
            headers: self.headers.to_vec(),
            query: self.query.map(str::to_owned),
            ..RawCall::new(
                self.dialect,
                self.route,
                target.model.clone(),
                codec(self.dialect).patch(self.body, peek, &patch),
            )
        };
        Ok(Reply::Raw(target.provider.forward(cx, call).await?))
    }

    /// The long way: decoded, and encoded again by the provider.
    async fn translate(&self, cx: &CallContext, step: &Step<'_>) -> Result<Reply, Failure> {
        let (wire, provider) = (codec(self.dialect), &step.target.provider);
        let mut request = wire.decode_request(self.body).map_err(|error| bad_request(&error))?;
        request.model = step.target.model.clone();
        request.sampling.max_tokens = request.sampling.max_tokens.or(self.max_tokens);
        // A response may be asked back by its id, so that it must be one of ours and no other's.
        let own_id = (self.dialect == Dialect::OpenAiResponses).then(|| own_response_id(cx));
        if self.peek.stream {
            let mut events = provider.chat_stream(cx, &request).await?;
            if let Some(next) = step.resume {
                events = Box::pin(Resuming::new(events, cx.clone(), request, next.clone()));
            }
            if let Some(own_id) = own_id {
                events = Box::pin(events.map(move |event| event.map(|event| under_id(event, &own_id))));
            }
            let options = StreamOptions {
                include_usage: self.peek.include_usage,
                model: self.peek.model.as_str().into(),
                request: self.body.clone(),
            };
            return Ok(Reply::Events { provider: provider.name().clone(), events, options, asked: None });
        }
        let mut response = provider.chat(cx, &request).await?;
        if let Some(own_id) = own_id {
            response.id = own_id;
        }
        // The client knows the model by the name it asked for.
        response.model = self.peek.model.as_str().into();
        Ok(Reply::Whole { body: wire.encode_response(&response, self.body), asked: None })
    }

    async fn embed(&self, cx: &CallContext, step: &Step<'_>) -> Result<Reply, Failure> {
        let wire = codec(self.dialect);
        let mut request =
            wire.decode_embed_request(self.route, self.body).map_err(|error| bad_request(&error))?;
        request.model = step.target.model.clone();
        let mut response = step.target.provider.embed(cx, &request).await?;
        response.model = self.peek.model.as_str().into();
        Ok(Reply::Whole { body: wire.encode_embed_response(self.route, &response, self.body), asked: None })
    }

    async fn rerank(&self, cx: &CallContext, step: &Step<'_>) -> Result<Reply, Failure> {
        let mut request = rerank::decode_request(self.body).map_err(|error| bad_request(&error))?;
        request.model = step.target.model.clone();
        let mut response = step.target.provider.rerank(cx, &request).await?;
        response.model = self.peek.model.as_str().into();
        Ok(Reply::Whole { body: rerank::encode_response(&response, self.body), asked: None })
    }

    /// An estimate, where the target itself cannot be asked in the client's dialect.
    fn count(&self, cx: &CallContext, step: &Step<'_>) -> Result<Reply, Failure> {
        let wire = codec(self.dialect);
        let request = wire.decode_request(self.body).map_err(|error| bad_request(&error))?;
        let estimate = hanok_base::Degradation {
            param: "tokens".to_owned(),
            message: format!("estimated: {} cannot be asked for the count", step.target.id()),
        };
        cx.degrade(vec![estimate], step.target.provider.name())?;
        Ok(Reply::Whole { body: wire.encode_token_count(tokens::estimate_tokens(&request)), asked: None })
    }
}

pub(crate) fn own_response_id(cx: &CallContext) -> ResponseId {
    format!("resp_{}{}", cx.trace_id(), hanok_base::SpanId::random()).into()
}

pub(crate) fn under_id(event: StreamEvent, own: &ResponseId) -> StreamEvent {
    match event {
        StreamEvent::Start { model, created, dialect, extra, .. } => {
            StreamEvent::Start { id: own.clone(), model, created, dialect, extra }
        }
        other => other,
    }
}

impl From<Problem> for Failure {
    fn from(problem: Problem) -> Self {
        Self::Request(problem)
    }
}

/// A body that is not what its dialect says.
pub(crate) fn bad_request(error: &hanok_wire::WireError) -> Problem {
    let problem = Problem::new(hanok_base::ErrorKind::InvalidRequest, "invalid_request", error.to_string());
    match error.param() {
        Some(param) => problem.param(param),
        None => problem,
    }
}
