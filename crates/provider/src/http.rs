//! A vendor over HTTP.

use crate::config::{ConfigError, ProviderConfig, base};
use crate::failure::{from_net, redact, retry_after};
use crate::head::{Form, Head, request_headers, secrets};
use crate::recording::{About, Recording};
use crate::secret::Redactor;
use crate::stages::{Checked, Decoded};
use crate::stream::{Stage, Streamed};
use crate::vendors::{MaxTokens, Quirks, StreamUsage};
use bytes::Bytes;
use hanok_base::{
    BoxFuture, CallContext, Capabilities, ChatRequest, ChatResponse, Dialect, Dialects, EventStream,
    ModelInfo, ModelName, Operation, Provider, ProviderError, ProviderErrorKind, ProviderName, RawBody,
    RawCall, RawResponse, Route, Timestamp,
};
use hanok_net::{Client, Coalesced, HeaderMap, NetError, Request, Response, Timeouts, Url};
use hanok_wire::{Codec, GuardOptions, RequestOptions, WireError, codec};
use std::time::Duration;

/// The largest whole answer that is taken.
const LARGEST_ANSWER: usize = 64 << 20;
/// How much of an error's body is read.
const LARGEST_ERROR: usize = 1 << 20;
/// How long each piece of an error's body may take.
const REFUSAL_IDLE: Duration = Duration::from_secs(5);
/// How much of a stream is handed on as one piece.
const PIECE: usize = 64 << 10;

/// A provider behind an HTTP address. Cheap in use: URLs and headers are made once.
pub struct HttpProvider {
    name: ProviderName,
    dialect: Dialect,
    codec: &'static dyn Codec,
    client: Client,
    base_url: String,
    chat: Url,
    embeddings: Url,
    models: Url,
    headers: HeaderMap,
    timeouts: Timeouts,
    quirks: Quirks,
    redactor: Redactor,
}

impl HttpProvider {
    /// A provider as configured, over the connections of `client`.
    pub fn new(config: ProviderConfig, client: Client) -> Result<Self, ConfigError> {
        let codec = codec(config.dialect);
        let base_url = base(&config, "chat/completions")?;
        let url = |path: &str| {
            Url::parse(&format!("{base_url}/{path}"))
                .map_err(|source| ConfigError::Url { provider: config.name.clone(), source })
        };
        Ok(Self {
            codec,
            client,
            chat: url("chat/completions")?,
            embeddings: url("embeddings")?,
            models: url(config.quirks.models_path)?,
            headers: request_headers(&config)?,
            redactor: Redactor::new(secrets(&config)),
            name: config.name,
            dialect: config.dialect,
            base_url,
            timeouts: config.timeouts,
            quirks: config.quirks,
        })
    }

    /// Where the provider is, as it is asked: with its `/v1`, without a slash at the end.
    pub fn base_url(&self) -> &str {
        &self.base_url
    }

    /// Where it differs from its dialect's letter.
    pub fn quirks(&self) -> &Quirks {
        &self.quirks
    }

    fn url(&self, route: Route) -> &Url {
        match route {
            Route::Chat => &self.chat,
            _ => &self.embeddings,
        }
    }

    fn record(
        &self,
        cx: &CallContext,
        route: Route,
        model: &ModelName,
        stream: bool,
        request: &Bytes,
    ) -> Recording {
        let url = self.url(route);
        let about = About {
            operation: match route {
                Route::Chat => Operation::Chat,
                _ => Operation::Embeddings,
            },
            dialect: self.dialect,
            provider: self.name.as_str(),
            model,
            host: url.host(),
            port: url.port(),
            stream,
        };
        Recording::begin(cx, &about, request.clone())
    }

    fn error(&self, kind: ProviderErrorKind, status: u16, message: impl Into<String>) -> ProviderError {
        ProviderError { status: Some(status), ..ProviderError::new(kind, &self.name, message) }
    }

    fn net_error(&self, error: NetError) -> ProviderError {
        from_net(&self.name, error)
    }

    /// Sends a call; returns once the head of a good answer is there.
    async fn open(
        &self,
        route: Route,
        body: Bytes,
        recording: &mut Recording,
    ) -> Result<Response, ProviderError> {
        let request = Request { url: self.url(route), headers: &self.headers, body, timeouts: self.timeouts };
        let response = self.client.post(request).await.map_err(|error| self.net_error(error))?;
        recording.status(response.status.as_u16());
        match response.status.as_u16() {
            // A success that by its nature holds nothing.
            status @ (204 | 205) => Err(self.unexpected(status, "no content", "an answer")),
            200..300 => Ok(response),
            _ => Err(self.refusal(response).await),
        }
    }

    /// The error that an answer of another status than 2xx stands for.
    async fn refusal(&self, response: Response) -> ProviderError {
        let status = response.status.as_u16();
        if response.status.is_redirection() {
            let message =
                format!("{} answered {status}: redirects are not followed; check base_url", self.name);
            return self.error(ProviderErrorKind::Transport, status, message);
        }
        let wait = retry_after(&response.headers, Timestamp::now());
        // The status says enough where the body does not come.
        let mut body = response.body;
        body.limit_idle(REFUSAL_IDLE);
        let body = body.collect(LARGEST_ERROR).await.unwrap_or_default();
        let error = self.codec.decode_error(status, &body, &self.name);
        ProviderError { status: Some(status), retry_after: wait.or(error.retry_after), ..error }
    }

    /// A whole answer, checked to be one.
    async fn whole(
        &self,
        route: Route,
        response: Response,
        recording: &mut Recording,
    ) -> Result<Bytes, ProviderError> {
        let status = response.status.as_u16();
        let form = Form::of(&response.headers);
        if let Form::Other(what) = form {
            return Err(self.unexpected(status, &what, "JSON"));
        }
        let body = response.body.collect(LARGEST_ANSWER).await.map_err(|error| self.net_error(error))?;
        recording.whole(body.clone());
        if form == Form::Events {
            return Err(self.unexpected(status, "a stream", "a whole answer"));
        }
        self.check(route, &body, status)?;
        Ok(body)
    }

    /// Refuses what is not JSON, what says that it is an error, and a chat's answer that is none.
    fn check(&self, route: Route, body: &[u8], status: u16) -> Result<(), ProviderError> {
        match self.codec.summarise(body) {
            Ok(_) => Ok(()),
            // The summary is of a chat; of other answers only their JSON is known.
            Err(WireError::Member { .. } | WireError::Truncated) if route != Route::Chat => Ok(()),
            Err(error) => Err(self.wire_error(error, status)),
        }
    }

    fn wire_error(&self, error: WireError, status: u16) -> ProviderError {
        ProviderError { status: Some(status), ..error.into_provider_error(&self.name) }
    }

    /// The body of a streamed answer.
    async fn events(&self, response: Response) -> Result<Coalesced, ProviderError> {
        let status = response.status.as_u16();
        match Form::of(&response.headers) {
            Form::Events | Form::Unknown => Ok(response.body.coalesced(PIECE)),
            Form::Json => {
                let body =
                    response.body.collect(LARGEST_ERROR).await.map_err(|error| self.net_error(error))?;
                self.check(Route::Chat, &body, status)?;
                Err(self.unexpected(status, "a whole answer", "a stream"))
            }
            Form::Other(what) => Err(self.unexpected(status, &what, "a stream")),
        }
    }

    fn unexpected(&self, status: u16, got: &str, wanted: &str) -> ProviderError {
        let message =
            format!("{} answered with {got} where {wanted} was asked for; check base_url", self.name);
        self.error(ProviderErrorKind::Decode, status, message)
    }

    /// Ends the record of a call that failed.
    fn failed(&self, mut recording: Recording, error: ProviderError) -> ProviderError {
        let error = redact(&self.redactor, error);
        recording.fail(&error);
        error
    }

    /// A call with a whole answer, from the first byte sent to the last one checked.
    async fn call_whole(
        &self,
        route: Route,
        body: Bytes,
        recording: &mut Recording,
    ) -> Result<(Head, Bytes), ProviderError> {
        let response = self.open(route, body, recording).await?;
        let head = Head::of(&response);
        Ok((head, self.whole(route, response, recording).await?))
    }

    /// A call with a streamed answer, until its head is there.
    async fn call_stream(
        &self,
        route: Route,
        body: Bytes,
        recording: &mut Recording,
    ) -> Result<(Head, Coalesced), ProviderError> {
        let response = self.open(route, body, recording).await?;
        let head = Head::of(&response);
        Ok((head, self.events(response).await?))
    }

    fn streamed<S: Stage>(&self, upstream: Coalesced, stage: S, recording: Recording) -> Streamed<S> {
        Streamed::new(upstream, stage, recording, self.name.clone(), self.redactor.clone())
    }

    fn encode(&self, request: &ChatRequest, stream: bool) -> Bytes {
        let options = RequestOptions {
            stream,
            ask_usage: stream && self.quirks.stream_usage == StreamUsage::Ask,
            max_completion_tokens: self.quirks.max_tokens == MaxTokens::MaxCompletionTokens,
        };
        self.codec.encode_request(request, options).body.into()
    }

    async fn list(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        let request = Request {
            url: &self.models,
            headers: &self.headers,
            body: Bytes::new(),
            timeouts: self.timeouts,
        };
        let response = self.client.get(request).await.map_err(|error| self.net_error(error))?;
        if !response.status.is_success() {
            return Err(self.refusal(response).await);
        }
        let status = response.status.as_u16();
        if let Form::Other(what) = Form::of(&response.headers) {
            return Err(self.unexpected(status, &what, "JSON"));
        }
        let body = response.body.collect(LARGEST_ANSWER).await.map_err(|error| self.net_error(error))?;
        self.codec.decode_models(&body).map_err(|error| self.wire_error(error, status))
    }
}

impl Provider for HttpProvider {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self, _: &ModelName) -> Capabilities {
        Capabilities {
            native: Dialects::NONE.with(self.dialect),
            embeddings: true,
            stream_usage: self.quirks.stream_usage == StreamUsage::Ask,
            ..Capabilities::default()
        }
    }

    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelInfo>, ProviderError>> {
        Box::pin(async move { self.list().await.map_err(|error| redact(&self.redactor, error)) })
    }

    fn chat_stream<'a>(
        &'a self,
        cx: &'a CallContext,
        request: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<EventStream, ProviderError>> {
        Box::pin(async move {
            let body = self.encode(request, true);
            let mut recording = self.record(cx, Route::Chat, &request.model, true, &body);
            match self.call_stream(Route::Chat, body, &mut recording).await {
                Ok((_, upstream)) => {
                    let stage = Decoded::new(self.codec.stream_decoder(), self.name.clone());
                    Ok(Box::pin(self.streamed(upstream, stage, recording)) as EventStream)
                }
                Err(error) => Err(self.failed(recording, error)),
            }
        })
    }

    fn chat<'a>(
        &'a self,
        cx: &'a CallContext,
        request: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<ChatResponse, ProviderError>> {
        Box::pin(async move {
            let body = self.encode(request, false);
            let mut recording = self.record(cx, Route::Chat, &request.model, false, &body);
            let answered = self.call_whole(Route::Chat, body, &mut recording).await;
            let decoded = answered.and_then(|(head, body)| {
                self.codec.decode_response(&body).map_err(|error| self.wire_error(error, head.status))
            });
            match decoded {
                Ok(response) => {
                    recording.succeed();
                    Ok(response)
                }
                Err(error) => Err(self.failed(recording, error)),
            }
        })
    }

    fn forward<'a>(
        &'a self,
        cx: &'a CallContext,
        call: RawCall,
    ) -> BoxFuture<'a, Result<RawResponse, ProviderError>> {
        Box::pin(async move {
            if call.dialect != self.dialect {
                let message = format!("{} does not speak {}", self.name, call.dialect.as_str());
                return Err(ProviderError::new(ProviderErrorKind::Unsupported, &self.name, message));
            }
            let mut recording = self.record(cx, call.route, &call.model, call.stream, &call.body);
            if call.stream {
                match self.call_stream(call.route, call.body, &mut recording).await {
                    Ok((head, upstream)) => {
                        let guard = self.codec.stream_guard(GuardOptions { hide_usage: call.hide_usage });
                        let stage = Checked::new(guard, self.name.clone());
                        let body = RawBody::Stream(Box::pin(self.streamed(upstream, stage, recording)));
                        Ok(head.into_response(self.codec.content_type(true), body))
                    }
                    Err(error) => Err(self.failed(recording, error)),
                }
            } else {
                match self.call_whole(call.route, call.body, &mut recording).await {
                    Ok((head, body)) => {
                        recording.succeed();
                        Ok(head.into_response(self.codec.content_type(false), RawBody::Whole(body)))
                    }
                    Err(error) => Err(self.failed(recording, error)),
                }
            }
        })
    }
}
