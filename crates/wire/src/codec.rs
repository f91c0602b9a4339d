//! The face of a dialect.

use crate::anthropic_messages::AnthropicMessages;
use crate::error::{StreamFault, WireError};
use crate::gemini::Gemini;
use crate::ollama::Ollama;
use crate::openai_chat::OpenAiChat;
use crate::openai_responses::OpenAiResponses;
use bytes::Bytes;
use hanok_base::{
    ChatRequest, ChatResponse, Degradation, Dialect, EmbedRequest, EmbedResponse, FinishReason, Message,
    ModelInfo, ModelName, Problem, ProviderError, ProviderName, Role, Route, Sampling, StreamEvent, ToolSpec,
    Usage,
};
use serde_json::Value;
use std::borrow::Cow;
use std::ops::Range;

/// The codec of a dialect.
pub fn codec(dialect: Dialect) -> &'static dyn Codec {
    match dialect {
        Dialect::OpenAiChat => &OpenAiChat,
        Dialect::OpenAiResponses => &OpenAiResponses,
        Dialect::AnthropicMessages => &AnthropicMessages,
        Dialect::Gemini => &Gemini,
        Dialect::Ollama => &Ollama::CHAT,
        Dialect::OllamaGenerate => &Ollama::GENERATE,
    }
}

/// A dialect, both directions.
pub trait Codec: Send + Sync {
    /// Reads only what routing needs; the rest is checked to be JSON and not decoded. Where the dialect tells
    /// model and stream in the URL, both are empty here.
    fn peek(&self, route: Route, body: &[u8]) -> Result<Peek, WireError>;

    /// The same body with these changes, other bytes untouched.
    fn patch(&self, body: &Bytes, peek: &Peek, patch: &Patch<'_>) -> Bytes;

    /// A client's request.
    fn decode_request(&self, body: &[u8]) -> Result<ChatRequest, WireError>;

    /// A request for an upstream, and what of it the dialect has no way to say.
    fn encode_request(&self, request: &ChatRequest, options: RequestOptions) -> Encoded;

    /// An upstream's whole answer.
    fn decode_response(&self, body: &[u8]) -> Result<ChatResponse, WireError>;

    /// A whole answer for a client; `request` is its own request, which some dialects repeat in the answer.
    fn encode_response(&self, response: &ChatResponse, request: &[u8]) -> Vec<u8>;

    /// Decodes an upstream's stream.
    fn stream_decoder(&self) -> Box<dyn StreamDecoder>;

    /// Encodes a stream for a client.
    fn stream_encoder(&self, options: StreamOptions) -> Box<dyn StreamEncoder>;

    /// Watches a stream that is passed on unchanged.
    fn stream_guard(&self, options: GuardOptions) -> Box<dyn StreamGuard>;

    /// What a whole answer says of itself, without decoding its content. An error object is
    /// [`WireError::Upstream`], JSON of another shape [`WireError::Member`].
    fn summarise(&self, body: &[u8]) -> Result<StreamSummary, WireError>;

    /// What is recorded of a request, read off its bytes. `None` where that cannot be done; then it is decoded.
    /// Law: a request that is skimmed can be decoded, its messages, its tools and its depth aside, and says the
    /// same then.
    fn skim_request<'a>(&self, body: &'a [u8]) -> Option<SkimmedRequest<'a>> {
        let _ = body;
        None
    }

    /// A message that [`Codec::skim_request`] gave as it is.
    fn decode_message(&self, json: &str) -> Result<Message, WireError> {
        let _ = json;
        Err(WireError::NotOffered("messages by themselves"))
    }

    /// The tools that [`Codec::skim_request`] gave as they are.
    fn decode_tools(&self, json: &str) -> Result<Vec<ToolSpec>, WireError> {
        let _ = json;
        Err(WireError::NotOffered("tools by themselves"))
    }

    /// What is recorded of a whole answer, read off its bytes; `None` where that cannot be done.
    /// Law: an answer that is skimmed can be decoded, and says the same then.
    fn skim_response<'a>(&self, body: &'a [u8]) -> Option<SkimmedAnswer<'a>> {
        let _ = body;
        None
    }

    /// The same of a stream that came to its end.
    fn skim_stream(&self, pieces: &[Bytes]) -> Option<SkimmedAnswer<'static>> {
        let _ = pieces;
        None
    }

    /// A problem in the dialect's shape.
    fn encode_error(&self, problem: &Problem, request_id: Option<&str>) -> Vec<u8>;

    /// An upstream's error answer.
    fn decode_error(&self, status: u16, body: &[u8], provider: &ProviderName) -> ProviderError;

    /// A client's request for embeddings.
    fn decode_embed_request(&self, route: Route, body: &[u8]) -> Result<EmbedRequest, WireError> {
        let _ = (route, body);
        Err(WireError::NotOffered("embeddings"))
    }

    /// A request for embeddings for an upstream, and what of it the dialect has no way to say.
    fn encode_embed_request(&self, request: &EmbedRequest) -> Result<Encoded, WireError> {
        let _ = request;
        Err(WireError::NotOffered("embeddings"))
    }

    /// An upstream's embeddings.
    fn decode_embed_response(&self, body: &[u8]) -> Result<EmbedResponse, WireError> {
        let _ = body;
        Err(WireError::NotOffered("embeddings"))
    }

    /// Embeddings for a client that asked by `request`.
    fn encode_embed_response(&self, route: Route, response: &EmbedResponse, request: &[u8]) -> Vec<u8> {
        let _ = (route, response, request);
        Vec::new()
    }

    /// The tokens of a request, as the dialect's own route tells them.
    fn encode_token_count(&self, tokens: u64) -> Vec<u8> {
        let _ = tokens;
        Vec::new()
    }

    /// The list of models, each with the id clients ask for it by.
    fn encode_models(&self, models: &[(String, ModelInfo)]) -> Vec<u8>;

    /// One model.
    fn encode_model(&self, id: &str, model: &ModelInfo) -> Vec<u8>;

    /// An upstream's list of models.
    fn decode_models(&self, body: &[u8]) -> Result<Vec<ModelInfo>, WireError>;

    /// The content type of answers.
    fn content_type(&self, stream: bool) -> &'static str;

    /// A route's path below the base URL, without a leading slash; `None` where the dialect has no such route.
    /// May hold a query (`?alt=sse`). Borrowed where it does not depend on the model.
    fn path(&self, route: Route, model: &str, stream: bool) -> Option<Cow<'static, str>>;
}

/// What is recorded of a request.
#[derive(Clone, Debug)]
pub struct SkimmedRequest<'a> {
    /// The model asked for.
    pub model: Cow<'a, str>,
    /// Sampling parameters and limits, but those that nobody records.
    pub sampling: Sampling,
    /// The conversation, oldest first.
    pub messages: Vec<SkimmedMessage<'a>>,
    /// The tools offered, for [`Codec::decode_tools`].
    pub tools: Option<&'a str>,
    /// Who the call is for.
    pub user: Option<Cow<'a, str>>,
    /// What the client says of the call in its `metadata`, JSON.
    pub metadata: Option<&'a str>,
}

/// A message of a request.
#[derive(Clone, Debug)]
pub enum SkimmedMessage<'a> {
    /// One text that says something, and nothing else.
    Text {
        /// Who speaks.
        role: Role,
        /// The text as JSON, as a serialiser would write it.
        text: Cow<'a, str>,
    },
    /// Any other, for [`Codec::decode_message`].
    Other(&'a str),
}

/// What is recorded of an answer of one choice that is a text at most.
#[derive(Clone, Debug)]
pub struct SkimmedAnswer<'a> {
    /// Its id; empty when not said.
    pub id: Cow<'a, str>,
    /// The model that answered; empty when not said.
    pub model: Cow<'a, str>,
    /// The service tier that answered, where it was said.
    pub tier: Option<Cow<'a, str>>,
    /// Tokens.
    pub usage: Usage,
    /// The text as JSON, as a serialiser would write it; `None` where nothing was said.
    pub text: Option<Cow<'a, str>>,
    /// Why it ended.
    pub finish: FinishReason,
}

/// What routing needs of a request, and where it stands in the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peek {
    /// The model asked for.
    pub model: String,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// Whether the client asked for usage in the stream.
    pub include_usage: bool,
    /// Most tokens of an answer, where the client said so.
    pub max_tokens: Option<u64>,
    /// How many answers are asked for.
    pub choices: u32,
    /// What the client says is shared by calls with the same beginning (`prompt_cache_key`).
    pub cache_key: Option<String>,
    /// The dialect's own members that [`Codec::patch`] replaces, by where they stand.
    pub(crate) at: Places,
}

/// Where members stand in a request's bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Places {
    /// The model's JSON value.
    pub(crate) model: Option<Range<usize>>,
    /// The JSON value of the object that `ask_usage` or `max_tokens` belong into, where the dialect has one
    /// and the request holds it (`stream_options`, `generationConfig`, `options`).
    pub(crate) options: Option<Range<usize>>,
    /// The limit's JSON value, where it is a null or the like, that stands in the way of another one.
    pub(crate) max_tokens: Option<Range<usize>>,
    /// The request's closing brace.
    pub(crate) close: usize,
    /// Whether the request has no member yet.
    pub(crate) empty: bool,
    /// The model's place holds its text as it is, in a body that is no JSON.
    pub(crate) raw: bool,
}

/// What to change of a request that is passed on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Patch<'a> {
    /// The model's name at the upstream.
    pub model: &'a str,
    /// Ask for usage in the stream, unless the client did.
    pub ask_usage: bool,
    /// Limit the answer to so many tokens; only where the client set no limit.
    pub max_tokens: Option<u64>,
    /// Limit the answer by `max_completion_tokens` rather than `max_tokens`.
    pub max_completion_tokens: bool,
}

/// A request in an upstream's dialect.
#[derive(Clone, Debug, PartialEq)]
pub struct Encoded {
    /// The body.
    pub body: Vec<u8>,
    /// What the dialect has no way to say.
    pub lost: Vec<Degradation>,
    /// Why it is not to be sent at all, where it is not.
    pub refused: Option<Degradation>,
}

impl Encoded {
    /// A request that may be sent.
    pub(crate) fn new(body: &Value, lost: Vec<Degradation>) -> Self {
        Self { body: body.to_string().into_bytes(), lost, refused: None }
    }
}

/// How to encode a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestOptions {
    /// Ask for a stream.
    pub stream: bool,
    /// Ask for usage in the stream.
    pub ask_usage: bool,
    /// Limit the answer by `max_completion_tokens` rather than `max_tokens`.
    pub max_completion_tokens: bool,
    /// The member in which thoughts that nobody signed go back to an upstream of OpenAI's chats
    /// (`reasoning_content`, `reasoning`); many upstreams refuse either, so that `None` leaves them out.
    pub thoughts: Option<&'static str>,
}

/// How to encode a stream.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// Whether the client asked for usage.
    pub include_usage: bool,
    /// The model's name as the client knows it; empty to take the provider's.
    pub model: ModelName,
    /// The client's own request, which some dialects repeat in their answers. Possibly empty.
    pub request: Bytes,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self { include_usage: false, model: "".into(), request: Bytes::new() }
    }
}

/// How to guard a stream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GuardOptions {
    /// Withhold the chunk that only tells usage: the client did not ask for it.
    pub hide_usage: bool,
}

/// Turns bytes into events. Law: any split of the same bytes gives the same events.
pub trait StreamDecoder: Send {
    /// Takes the next bytes; appends what they complete. After an error the stream is over.
    fn feed(&mut self, bytes: &[u8], events: &mut Vec<StreamEvent>) -> Result<(), WireError>;
    /// The input ended; [`WireError::Truncated`] unless the answer is complete, or the upstream's own error
    /// where that came last. An event that was cut completes nothing, and spoils nothing that is complete.
    fn finish(&mut self) -> Result<(), WireError>;
}

/// Turns events into bytes.
pub trait StreamEncoder: Send {
    /// Appends an event's bytes.
    fn encode(&mut self, event: &StreamEvent, out: &mut Vec<u8>);
    /// Appends the dialect's end mark.
    fn finish(&mut self, out: &mut Vec<u8>);
    /// The last bytes of a stream that others wrote: what is appended goes on behind them.
    fn follow(&mut self, _last: &[u8]) {}
    /// Appends the dialect's explicit error event; nothing follows it.
    fn error(&mut self, problem: &Problem, out: &mut Vec<u8>);
}

/// What a guard lets pass of one piece, and whether the stream is still good behind it.
#[derive(Debug)]
pub struct Fed {
    /// Whole, checked events, unchanged. Possibly empty.
    pub bytes: Bytes,
    /// What is wrong behind them; nothing may follow.
    pub fault: Option<StreamFault>,
}

/// Watches a stream that is passed on unchanged: lets only whole, checked events pass, and knows whether the
/// answer is complete. Law: any split of the same bytes lets the same bytes pass.
pub trait StreamGuard: Send {
    /// Takes the next piece. Without copying where it ends at an event's end.
    fn feed(&mut self, piece: Bytes) -> Fed;
    /// The input ended: what is still to be sent (an end mark the upstream left out), or why the answer is
    /// not complete.
    fn finish(&mut self) -> Fed;
    /// Whether the answer is complete as it stands.
    fn is_complete(&self) -> bool;
    /// Whether the dialect's end mark was seen: nothing that follows counts.
    fn is_over(&self) -> bool;
    /// Whether some of the answer's content was seen, for the time to the first token.
    fn saw_content(&self) -> bool;
    /// What the stream said of itself so far.
    fn summary(&self) -> &StreamSummary;
}

/// What an answer says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamSummary {
    /// Its id; empty when not said.
    pub id: String,
    /// The model that answered; empty when not said.
    pub model: String,
    /// Tokens.
    pub usage: Usage,
    /// Why its choices ended, in the dialect's words, by order of ending.
    pub finish_reasons: Vec<String>,
}
