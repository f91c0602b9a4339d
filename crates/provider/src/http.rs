//! A vendor over HTTP.

use crate::config::{ConfigError, ProviderConfig};
use crate::face::{Face, dialects};
use crate::failure::{from_net, redact, retry_after};
use crate::head::{Form, Head, secrets};
use crate::recording::{About, Recording};
use crate::secret::Redactor;
use crate::stages::{Checked, Decoded, Unread};
use crate::stream::{Stage, Streamed};
use crate::vendors::{MaxTokens, Quirks, StreamUsage, Thoughts};
use bytes::Bytes;
use hanok_base::{
    BoxFuture, CallContext, Capabilities, ChatRequest, ChatResponse, Dialect, Dialects, EmbedLimits,
    EmbedRequest, EmbedResponse, EventStream, ModelInfo, ModelName, Operation, Provider, ProviderError,
    ProviderErrorKind, ProviderName, RawBody, RawCall, RawResponse, RerankRequest, RerankResponse, Route,
    Timestamp,
};
use hanok_net::{Client, Coalesced, HeaderMap, HeaderValue, NetError, Request, Response, Timeouts, Url};
use hanok_wire::{Codec, Encoded, GuardOptions, RequestOptions, RerankForm, WireError, codec, rerank};
use std::borrow::Cow;
use std::time::{Duration, Instant};

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
    client: Client,
    /// What it speaks; the first takes typed calls. Never empty.
    faces: Vec<Face>,
    native: Dialects,
    timeouts: Timeouts,
    quirks: Quirks,
    redactor: Redactor,
}

impl HttpProvider {
    /// A provider as configured, over the connections of `client`.
    pub fn new(config: ProviderConfig, client: Client) -> Result<Self, ConfigError> {
        let faces = Face::all(&config)?;
        Ok(Self {
            client,
            native: dialects(&faces),
            faces,
            redactor: Redactor::new(secrets(&config)),
            name: config.name,
            timeouts: config.timeouts,
            quirks: config.quirks,
        })
    }

    /// Where the provider is, as it is asked: with its `/v1`, without a slash at the end.
    pub fn base_url(&self) -> &str {
        self.faces.first().map_or("", |face| face.base_url.as_str())
    }

    /// Where it differs from its dialect's letter.
    pub fn quirks(&self) -> &Quirks {
        &self.quirks
    }

    /// The face of typed calls.
    fn face(&self) -> Result<&Face, ProviderError> {
        self.faces.first().ok_or_else(|| self.unsupported("it speaks no dialect"))
    }

    fn unsupported(&self, message: impl Into<String>) -> ProviderError {
        ProviderError::new(ProviderErrorKind::Unsupported, &self.name, message)
    }

    /// What a call goes by, and its record, begun.
    fn begin<'a>(
        &self,
        cx: &CallContext,
        face: &'a Face,
        call: &RawCall,
    ) -> Result<Outgoing<'a>, ProviderError> {
        let url = face
            .url(&self.name, call)
            .map_err(|error| self.unsupported(error.to_string()))?
            .ok_or_else(|| self.unsupported(format!("{} has no such route", self.name)))?;
        let about = About {
            operation: operation(call.route),
            dialect: call.dialect,
            provider: self.name.as_str(),
            model: &call.model,
            host: url.host(),
            port: url.port(),
            stream: call.stream,
        };
        // A form holds files, which are no record.
        let kept = if call.content_type.is_some() { Bytes::new() } else { call.body.clone() };
        let recording = Recording::begin(cx, &about, kept);
        let timeouts = Timeouts {
            connect: cx.patience.connect.or(self.timeouts.connect),
            first_byte: cx.patience.first_token.unwrap_or(self.timeouts.first_byte),
            idle: cx.patience.between.unwrap_or(self.timeouts.idle),
        };
        let deadline = Instant::now() + timeouts.first_byte;
        let wire = codec(call.dialect);
        let mut headers = face.headers_of(call);
        if let Some((parent, state)) = recording.context().told_on() {
            let told = [("traceparent", Some(parent.as_str())), ("tracestate", state)];
            for (name, value) in told.into_iter().filter_map(|(name, value)| Some((name, value?))) {
                if let Ok(value) = HeaderValue::try_from(value) {
                    headers.to_mut().insert(name, value);
                }
            }
        }
        Ok(Outgoing { wire, route: call.route, headers, url, timeouts, deadline, recording })
    }

    fn error(&self, kind: ProviderErrorKind, status: u16, message: impl Into<String>) -> ProviderError {
        ProviderError { status: Some(status), ..ProviderError::new(kind, &self.name, message) }
    }

    fn net_error(&self, error: NetError) -> ProviderError {
        from_net(&self.name, error)
    }

    /// Sends a call; returns once the head of a good answer is there.
    async fn open(&self, out: &mut Outgoing<'_>, body: Bytes) -> Result<Response, ProviderError> {
        let request = Request { url: &out.url, headers: &out.headers, body, timeouts: out.timeouts };
        let response = self.client.post(request).await.map_err(|error| self.net_error(error))?;
        out.recording.status(response.status.as_u16());
        match response.status.as_u16() {
            // A success that by its nature holds nothing.
            status @ (204 | 205) => Err(self.unexpected(status, "no content", "an answer")),
            200..300 => Ok(response),
            _ => Err(self.refusal(out.wire, response).await),
        }
    }

    /// The error that an answer of another status than 2xx stands for.
    async fn refusal(&self, wire: &dyn Codec, response: Response) -> ProviderError {
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
        let error = wire.decode_error(status, &body, &self.name);
        ProviderError { status: Some(status), retry_after: wait.or(error.retry_after), ..error }
    }

    /// A whole answer, checked to be one.
    async fn whole(&self, out: &mut Outgoing<'_>, response: Response) -> Result<Bytes, ProviderError> {
        let status = response.status.as_u16();
        let form = Form::of(&response.headers);
        if let (Form::Other(what), false) = (&form, out.unread()) {
            return Err(self.unexpected(status, what, "JSON"));
        }
        let body = response.body.collect(LARGEST_ANSWER).await.map_err(|error| self.net_error(error))?;
        if out.unread() && form != Form::Json {
            return Ok(body);
        }
        out.recording.whole(body.clone());
        if form == Form::Events {
            return Err(self.unexpected(status, "a stream", "a whole answer"));
        }
        self.check(out.wire, out.route, &body, status)?;
        Ok(body)
    }

    /// Refuses what is not JSON, what says that it is an error, and a chat's answer that is none.
    fn check(&self, wire: &dyn Codec, route: Route, body: &[u8], status: u16) -> Result<(), ProviderError> {
        match wire.summarise(body) {
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
    async fn events(&self, out: &mut Outgoing<'_>, response: Response) -> Result<Coalesced, ProviderError> {
        let status = response.status.as_u16();
        match Form::of(&response.headers) {
            form if out.unread() => {
                if form != Form::Events {
                    out.recording.keep_nothing();
                }
                Ok(response.body.coalesced(PIECE))
            }
            Form::Events | Form::Unknown => Ok(response.body.coalesced(PIECE)),
            Form::Json => {
                let body =
                    response.body.collect(LARGEST_ERROR).await.map_err(|error| self.net_error(error))?;
                self.check(out.wire, Route::Chat, &body, status)?;
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
    async fn call_whole(&self, out: &mut Outgoing<'_>, body: Bytes) -> Result<(Head, Bytes), ProviderError> {
        let response = self.open(out, body).await?;
        let head = Head::of(&response);
        Ok((head, self.whole(out, response).await?))
    }

    /// A call with a streamed answer, until its head is there.
    async fn call_stream(
        &self,
        out: &mut Outgoing<'_>,
        body: Bytes,
    ) -> Result<(Head, Coalesced), ProviderError> {
        let response = self.open(out, body).await?;
        let head = Head::of(&response);
        Ok((head, self.events(out, response).await?))
    }

    fn streamed<S: Stage>(&self, upstream: Coalesced, stage: S, out: Outgoing<'_>) -> Streamed<S> {
        Streamed::new(upstream, stage, out.recording, self.name.clone(), self.redactor.clone(), out.deadline)
    }

    /// A typed request in the provider's dialect; what that cannot say is noted, or refused.
    fn encode(
        &self,
        cx: &CallContext,
        face: &Face,
        request: &ChatRequest,
        stream: bool,
    ) -> Result<RawCall, ProviderError> {
        let options = RequestOptions {
            stream,
            ask_usage: stream && self.quirks.stream_usage == StreamUsage::Ask,
            max_completion_tokens: self.quirks.max_tokens == MaxTokens::MaxCompletionTokens,
            thoughts: self.quirks.thoughts.map(Thoughts::as_str),
        };
        let Encoded { body, lost, refused } = face.codec.encode_request(request, options);
        if let Some(why) = refused {
            return Err(ProviderError::new(ProviderErrorKind::InvalidRequest, &self.name, why.to_string()));
        }
        cx.degrade(lost, &self.name)?;
        Ok(RawCall { stream, ..RawCall::new(face.dialect, Route::Chat, request.model.clone(), body.into()) })
    }

    async fn typed_stream(
        &self,
        cx: &CallContext,
        request: &ChatRequest,
    ) -> Result<EventStream, ProviderError> {
        let face = self.face()?;
        let call = self.encode(cx, face, request, true)?;
        let mut out = self.begin(cx, face, &call)?;
        match self.call_stream(&mut out, call.body).await {
            Ok((_, upstream)) => {
                let stage = Decoded::new(face.codec.stream_decoder(), self.name.clone());
                Ok(Box::pin(self.streamed(upstream, stage, out).primed().await?))
            }
            Err(error) => Err(self.failed(out.recording, error)),
        }
    }

    async fn typed_whole<T>(
        &self,
        cx: &CallContext,
        face: &Face,
        call: RawCall,
        decode: impl FnOnce(&[u8]) -> Result<T, WireError>,
    ) -> Result<T, ProviderError> {
        let mut out = self.begin(cx, face, &call)?;
        let answered = self.call_whole(&mut out, call.body).await;
        let decoded = answered
            .and_then(|(head, body)| decode(&body).map_err(|error| self.wire_error(error, head.status)));
        match decoded {
            Ok(response) => {
                out.recording.succeed();
                Ok(response)
            }
            Err(error) => Err(self.failed(out.recording, error)),
        }
    }

    /// The request with what its vectors are for in the vendor's own words, where it has some.
    fn with_task<'a>(&self, face: &Face, request: &'a EmbedRequest) -> Cow<'a, EmbedRequest> {
        let (Some(task), Some(said)) = (self.quirks.embeds.task, request.task.as_deref()) else {
            return Cow::Borrowed(request);
        };
        let own = request.extra.is_empty() || request.dialect == Some(face.dialect);
        let value = match said {
            "RETRIEVAL_QUERY" => task.query,
            "RETRIEVAL_DOCUMENT" => task.document,
            _ => return Cow::Borrowed(request),
        };
        if !own {
            return Cow::Borrowed(request);
        }
        let mut request = EmbedRequest { task: None, dialect: Some(face.dialect), ..request.clone() };
        request.extra.insert(task.member.to_owned(), value.into());
        Cow::Owned(request)
    }

    async fn typed_rerank(
        &self,
        cx: &CallContext,
        request: &RerankRequest,
    ) -> Result<RerankResponse, ProviderError> {
        let speaks = |face: &&Face| face.speaks(Dialect::OpenAiChat);
        let face = self.faces.iter().find(speaks).ok_or_else(|| self.unsupported("it does not rerank"))?;
        let body = rerank::encode_request(request, self.quirks.rerank_form);
        let call = RawCall::new(Dialect::OpenAiChat, Route::Rerank, request.model.clone(), body.into());
        let mut out = self.begin(cx, face, &call)?;
        let asked = request.documents.len();
        let answered = self.call_whole(&mut out, call.body).await.and_then(|(head, body)| {
            let response = rerank::decode_response(&body, asked);
            let response = response.map_err(|error| self.wire_error(error, head.status))?;
            let ranked = response.ranked.len();
            if ranked < asked.min(request.top_n.unwrap_or(asked)) {
                let message = format!("the answer ranks {ranked} of {asked} documents");
                return Err(self.error(ProviderErrorKind::Decode, head.status, message));
            }
            Ok(response)
        });
        match answered {
            Ok(mut response) => {
                response.ranked.truncate(request.top_n.unwrap_or(asked));
                out.recording.used(response.usage);
                out.recording.succeed();
                Ok(response)
            }
            Err(error) => Err(self.failed(out.recording, error)),
        }
    }

    async fn typed_embed(
        &self,
        cx: &CallContext,
        request: &EmbedRequest,
    ) -> Result<EmbedResponse, ProviderError> {
        let face = self.face()?;
        let request = &*self.with_task(face, request);
        let encoded =
            face.codec.encode_embed_request(request).map_err(|error| self.unsupported(error.to_string()))?;
        cx.degrade(encoded.lost, &self.name)?;
        // Where a dialect has a route for several texts, its encoder writes for that one.
        let batch = face.codec.path(Route::BatchEmbeddings, request.model.as_str(), false).is_some();
        let route = if batch { Route::BatchEmbeddings } else { Route::Embeddings };
        let call = RawCall::new(face.dialect, route, request.model.clone(), encoded.body.into());
        let asked = request.inputs.len();
        let decode = |body: &[u8]| {
            let response = face.codec.decode_embed_response(body)?;
            let got = response.vectors.len();
            // Vectors belong to their texts by their place.
            if got == asked {
                Ok(response)
            } else {
                let message = format!("has {got} vectors for {asked} texts");
                Err(WireError::Member { param: "embeddings".to_owned(), message })
            }
        };
        self.typed_whole(cx, face, call, decode).await
    }

    async fn pass(&self, cx: &CallContext, call: RawCall) -> Result<RawResponse, ProviderError> {
        let face = self.faces.iter().find(|face| face.speaks(call.dialect)).ok_or_else(|| {
            self.unsupported(format!("{} does not speak {}", self.name, call.dialect.as_str()))
        })?;
        let mut out = self.begin(cx, face, &call)?;
        if !call.stream {
            return match self.call_whole(&mut out, call.body).await {
                Ok((head, body)) => {
                    out.recording.succeed();
                    let content_type = (!out.unread()).then(|| out.wire.content_type(false));
                    Ok(head.into_response(content_type, RawBody::Whole(body)))
                }
                Err(error) => Err(self.failed(out.recording, error)),
            };
        }
        let (head, upstream) = match self.call_stream(&mut out, call.body).await {
            Ok(answered) => answered,
            Err(error) => return Err(self.failed(out.recording, error)),
        };
        if out.unread() {
            let stream = self.streamed(upstream, Unread::new(), out).primed().await?;
            return Ok(head.into_response(None, RawBody::Stream(Box::pin(stream))));
        }
        let (wire, options) = (out.wire, GuardOptions { hide_usage: call.hide_usage });
        let stage = Checked::new(wire.stream_guard(options), self.name.clone());
        let stream = self.streamed(upstream, stage, out).primed().await?;
        Ok(head.into_response(Some(wire.content_type(true)), RawBody::Stream(Box::pin(stream))))
    }

    async fn list(&self) -> Result<Vec<ModelInfo>, ProviderError> {
        let face = self.face()?;
        let place = face.models(&self.name).map_err(|error| self.unsupported(error.to_string()))?;
        let Some((url, form)) = place else {
            return Ok(Vec::new());
        };
        let request =
            Request { url: &url, headers: &face.headers, body: Bytes::new(), timeouts: self.timeouts };
        let response = self.client.get(request).await.map_err(|error| self.net_error(error))?;
        if !response.status.is_success() {
            return Err(self.refusal(face.codec, response).await);
        }
        let status = response.status.as_u16();
        if let Form::Other(what) = Form::of(&response.headers) {
            return Err(self.unexpected(status, &what, "JSON"));
        }
        let body = response.body.collect(LARGEST_ANSWER).await.map_err(|error| self.net_error(error))?;
        form.decode_models(&body).map_err(|error| self.wire_error(error, status))
    }
}

/// A call on its way out.
struct Outgoing<'a> {
    wire: &'static dyn Codec,
    route: Route,
    url: Cow<'a, Url>,
    headers: Cow<'a, HeaderMap>,
    timeouts: Timeouts,
    /// When the first token is late.
    deadline: Instant,
    recording: Recording,
}

impl Outgoing<'_> {
    /// Whether the answer is of a form that nobody here reads: sound, images, text.
    fn unread(&self) -> bool {
        matches!(self.route, Route::Raw(_))
    }
}

fn operation(route: Route) -> Operation {
    match route {
        Route::Chat => Operation::Chat,
        Route::Embeddings | Route::BatchEmbeddings => Operation::Embeddings,
        Route::Rerank => Operation::Rerank,
        Route::CountTokens | Route::Raw(_) => Operation::Forward,
    }
}

impl Provider for HttpProvider {
    fn name(&self) -> &ProviderName {
        &self.name
    }

    fn capabilities(&self, _: &ModelName) -> Capabilities {
        Capabilities {
            native: self.native,
            embeddings: self.quirks.embeddings,
            embed_limits: EmbedLimits {
                inputs: self.quirks.embeds.inputs,
                tokens: self.quirks.embeds.tokens,
                tasks: self.quirks.embeds.task.is_some()
                    || self.faces.first().is_some_and(|face| face.dialect == Dialect::Gemini),
            },
            typed_rerank: self.quirks.rerank_form != RerankForm::Documents,
            stream_usage: self.quirks.stream_usage == StreamUsage::Ask,
            count_tokens: self.quirks.count_tokens,
            max_completion_tokens: self.quirks.max_tokens == MaxTokens::MaxCompletionTokens,
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
        Box::pin(self.typed_stream(cx, request))
    }

    fn chat<'a>(
        &'a self,
        cx: &'a CallContext,
        request: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<ChatResponse, ProviderError>> {
        Box::pin(async move {
            let face = self.face()?;
            let call = self.encode(cx, face, request, false)?;
            self.typed_whole(cx, face, call, |body| face.codec.decode_response(body)).await
        })
    }

    fn embed<'a>(
        &'a self,
        cx: &'a CallContext,
        request: &'a EmbedRequest,
    ) -> BoxFuture<'a, Result<EmbedResponse, ProviderError>> {
        Box::pin(self.typed_embed(cx, request))
    }

    fn rerank<'a>(
        &'a self,
        cx: &'a CallContext,
        request: &'a RerankRequest,
    ) -> BoxFuture<'a, Result<RerankResponse, ProviderError>> {
        Box::pin(self.typed_rerank(cx, request))
    }

    fn forward<'a>(
        &'a self,
        cx: &'a CallContext,
        call: RawCall,
    ) -> BoxFuture<'a, Result<RawResponse, ProviderError>> {
        Box::pin(self.pass(cx, call))
    }
}
