//! The seam behind which every model is: a vendor over HTTP, an answerer of our own, the gateway itself.

use crate::stream::Collector;
use crate::{
    CallContext, ChatRequest, ChatResponse, EmbedLimits, EmbedRequest, EmbedResponse, EventStream, ModelName,
    ProviderError, ProviderErrorKind, ProviderName, RerankRequest, RerankResponse,
};
use bytes::Bytes;
use futures_core::Stream;
use std::borrow::Cow;
use std::future::Future;
use std::pin::Pin;

/// A future that may be sent between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A stream of bytes, in pieces that may be forwarded as they are.
pub type ByteStream = Pin<Box<dyn Stream<Item = Result<Bytes, ProviderError>> + Send>>;

/// A wire format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Dialect {
    /// OpenAI's chat completions.
    OpenAiChat,
    /// OpenAI's Responses.
    OpenAiResponses,
    /// Anthropic's Messages.
    AnthropicMessages,
    /// Google's `generateContent`.
    Gemini,
    /// Ollama's `/api/chat`.
    Ollama,
    /// Ollama's `/api/generate`: one prompt in place of messages.
    OllamaGenerate,
}

impl Dialect {
    /// Every dialect.
    pub const ALL: [Self; 6] = [
        Self::OpenAiChat,
        Self::OpenAiResponses,
        Self::AnthropicMessages,
        Self::Gemini,
        Self::Ollama,
        Self::OllamaGenerate,
    ];

    /// The dialect's name, as configuration writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAiChat => "openai-chat",
            Self::OpenAiResponses => "openai-responses",
            Self::AnthropicMessages => "anthropic-messages",
            Self::Gemini => "gemini",
            Self::Ollama => "ollama",
            Self::OllamaGenerate => "ollama-generate",
        }
    }
    /// The dialect of this name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.as_str() == name)
    }
}

/// A set of dialects.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dialects(u8);

impl Dialects {
    /// No dialect.
    pub const NONE: Self = Self(0);

    /// The set with this dialect, too.
    #[must_use]
    pub const fn with(self, dialect: Dialect) -> Self {
        Self(self.0 | 1 << dialect as u8)
    }
    /// Whether the dialect is in the set.
    pub const fn contains(self, dialect: Dialect) -> bool {
        self.0 & 1 << dialect as u8 != 0
    }
}

/// What a raw call asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Route {
    /// A chat.
    Chat,
    /// Embeddings.
    Embeddings,
    /// Several texts' embeddings, where a dialect has a route of its own for them (`:batchEmbedContents`).
    BatchEmbeddings,
    /// The tokens of a request that is not made.
    CountTokens,
    /// Documents in the order of their fit to a query.
    Rerank,
    /// A route of the OpenAI dialects that nobody translates, by its path below the base URL
    /// (`audio/speech`); the body is JSON or multipart.
    Raw(&'static str),
}

/// What a model behind a provider can do, as far as is known.
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// The dialects in which [`Provider::forward`] takes calls; none when it takes only typed ones.
    pub native: Dialects,
    /// Whether it answers embeddings.
    pub embeddings: bool,
    /// How many at once.
    pub embed_limits: EmbedLimits,
    /// Whether rerankings are to be asked in types: it has no route of the usual shape for them.
    pub typed_rerank: bool,
    /// Whether a stream may be asked for its usage.
    pub stream_usage: bool,
    /// Whether it tells the tokens of a request that is not made.
    pub count_tokens: bool,
    /// Whether answers are limited by `max_completion_tokens` rather than `max_tokens`.
    pub max_completion_tokens: bool,
}

impl Capabilities {
    /// Whether a call of this route may go there in its own bytes, where its dialect is native.
    pub fn routes_natively(&self, route: Route) -> bool {
        match route {
            Route::Chat | Route::Raw(_) => true,
            Route::Rerank => !self.typed_rerank,
            Route::Embeddings | Route::BatchEmbeddings => self.embeddings,
            Route::CountTokens => self.count_tokens,
        }
    }
}

/// A model on offer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelInfo {
    /// The model's name at its provider.
    pub name: ModelName,
    /// Who made it, where known.
    pub owned_by: Option<String>,
    /// Seconds since the epoch; 0 when not said.
    pub created: i64,
    /// Most tokens of a prompt and its answer together, where the provider says so.
    pub context_length: Option<u64>,
}

/// A call in its client's own bytes.
#[derive(Clone, Debug)]
pub struct RawCall {
    /// How to read the body.
    pub dialect: Dialect,
    /// What is asked for.
    pub route: Route,
    /// The model, as the provider names it.
    pub model: ModelName,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// The gateway asked for usage in the stream where the client did not: withhold it from the bytes.
    pub hide_usage: bool,
    /// The body's type, where it is not JSON (a multipart form with its boundary).
    pub content_type: Option<String>,
    /// Headers of the client that belong to the dialect (`anthropic-beta`), lower-case names.
    pub headers: Vec<(String, String)>,
    /// The query of the client's URL, without `?` and without any key (`beta=true`).
    pub query: Option<String>,
    /// The body, with the model's name already as the provider knows it.
    pub body: Bytes,
}

impl RawCall {
    /// A call with a JSON body and nothing special.
    pub fn new(dialect: Dialect, route: Route, model: ModelName, body: Bytes) -> Self {
        Self {
            dialect,
            route,
            model,
            stream: false,
            hide_usage: false,
            content_type: None,
            headers: Vec::new(),
            query: None,
            body,
        }
    }
}

/// An answer in its provider's own bytes. Always a success; failures are [`ProviderError`]s.
pub struct RawResponse {
    /// The HTTP status, 2xx.
    pub status: u16,
    /// The content type.
    pub content_type: Cow<'static, str>,
    /// Headers worth passing on (`x-request-id`, rate limits), lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: RawBody,
}

/// A raw answer's body.
pub enum RawBody {
    /// Whole, and checked to be what its content type says.
    Whole(Bytes),
    /// Streamed in whole events: no piece ends inside one. An error item is the last; the end without one
    /// means that the answer is complete.
    Stream(ByteStream),
}

/// A vendor, a local engine, an answerer, or the gateway over them all.
pub trait Provider: Send + Sync {
    /// The provider's name.
    fn name(&self) -> &ProviderName;

    /// What `model` can do here.
    fn capabilities(&self, model: &ModelName) -> Capabilities;

    /// The models on offer now. May ask upstream; callers bound the wait.
    fn models(&self) -> BoxFuture<'_, Result<Vec<ModelInfo>, ProviderError>>;

    /// Answers a chat as a stream of events.
    fn chat_stream<'a>(
        &'a self,
        cx: &'a CallContext,
        request: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<EventStream, ProviderError>>;

    /// Answers a chat whole. The default collects the stream; end of stream without finish is `Truncated`.
    fn chat<'a>(
        &'a self,
        cx: &'a CallContext,
        request: &'a ChatRequest,
    ) -> BoxFuture<'a, Result<ChatResponse, ProviderError>> {
        Box::pin(async move {
            let mut events = self.chat_stream(cx, request).await?;
            let mut collector = Collector::default();
            while let Some(event) = next(&mut events).await {
                collector.push(event?);
            }
            collector.into_response().ok_or_else(|| {
                ProviderError::new(
                    ProviderErrorKind::Truncated,
                    self.name(),
                    "the stream ended before the answer was complete",
                )
            })
        })
    }

    /// The vectors of some texts.
    fn embed<'a>(
        &'a self,
        cx: &'a CallContext,
        request: &'a EmbedRequest,
    ) -> BoxFuture<'a, Result<EmbedResponse, ProviderError>> {
        let _ = (cx, request);
        Box::pin(async move {
            Err(ProviderError::new(ProviderErrorKind::Unsupported, self.name(), "embeddings are not offered"))
        })
    }

    /// Documents by their fit to a query.
    fn rerank<'a>(
        &'a self,
        cx: &'a CallContext,
        request: &'a RerankRequest,
    ) -> BoxFuture<'a, Result<RerankResponse, ProviderError>> {
        let _ = (cx, request);
        Box::pin(async move {
            Err(ProviderError::new(ProviderErrorKind::Unsupported, self.name(), "reranking is not offered"))
        })
    }

    /// Passes a call on in the client's own bytes: the short way when both sides speak one dialect, and the
    /// only way for routes nobody translates.
    fn forward<'a>(
        &'a self,
        cx: &'a CallContext,
        call: RawCall,
    ) -> BoxFuture<'a, Result<RawResponse, ProviderError>> {
        let _ = (cx, call);
        Box::pin(async move {
            Err(ProviderError::new(ProviderErrorKind::Unsupported, self.name(), "this route is not offered"))
        })
    }
}

async fn next<S: Stream + Unpin>(stream: &mut S) -> Option<S::Item> {
    std::future::poll_fn(|cx| Pin::new(&mut *stream).poll_next(cx)).await
}
