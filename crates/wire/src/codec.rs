//! The face of a dialect.

use crate::error::{StreamFault, WireError};
use crate::openai_chat::OpenAiChat;
use bytes::Bytes;
use hanok_base::{
    ChatRequest, ChatResponse, Dialect, ModelInfo, ModelName, Problem, ProviderError, ProviderName, Route,
    StreamEvent, Usage,
};
use std::ops::Range;

/// The codec of a dialect.
pub fn codec(dialect: Dialect) -> &'static dyn Codec {
    match dialect {
        Dialect::OpenAiChat => &OpenAiChat,
    }
}

/// A dialect, both directions.
pub trait Codec: Send + Sync {
    /// Reads only what routing needs; the rest is checked to be JSON and not decoded.
    fn peek(&self, body: &[u8]) -> Result<Peek, WireError>;

    /// The same body for another model name, other bytes untouched. With `ask_usage` the upstream is also
    /// asked to tell the stream's usage, unless the client asks for it already.
    fn patch(&self, body: &Bytes, peek: &Peek, model: &str, ask_usage: bool) -> Bytes;

    /// A client's request.
    fn decode_request(&self, body: &[u8]) -> Result<ChatRequest, WireError>;

    /// A request for an upstream.
    fn encode_request(&self, request: &ChatRequest, options: RequestOptions) -> Vec<u8>;

    /// An upstream's whole answer.
    fn decode_response(&self, body: &[u8]) -> Result<ChatResponse, WireError>;

    /// A whole answer for a client.
    fn encode_response(&self, response: &ChatResponse) -> Vec<u8>;

    /// Decodes an upstream's stream.
    fn stream_decoder(&self) -> Box<dyn StreamDecoder>;

    /// Encodes a stream for a client.
    fn stream_encoder(&self, options: StreamOptions) -> Box<dyn StreamEncoder>;

    /// Watches a stream that is passed on unchanged.
    fn stream_guard(&self, options: GuardOptions) -> Box<dyn StreamGuard>;

    /// What a whole answer says of itself, without decoding its content. An error object is
    /// [`WireError::Upstream`], JSON of another shape [`WireError::Member`].
    fn summarise(&self, body: &[u8]) -> Result<StreamSummary, WireError>;

    /// A problem in the dialect's shape.
    fn encode_error(&self, problem: &Problem, request_id: Option<&str>) -> Vec<u8>;

    /// An upstream's error answer.
    fn decode_error(&self, status: u16, body: &[u8], provider: &ProviderName) -> ProviderError;

    /// The list of models, each with the id clients ask for it by.
    fn encode_models(&self, models: &[(String, ModelInfo)]) -> Vec<u8>;

    /// One model.
    fn encode_model(&self, id: &str, model: &ModelInfo) -> Vec<u8>;

    /// An upstream's list of models.
    fn decode_models(&self, body: &[u8]) -> Result<Vec<ModelInfo>, WireError>;

    /// The content type of answers.
    fn content_type(&self, stream: bool) -> &'static str;

    /// A route's path below the base URL, without a leading slash.
    fn path(&self, route: Route) -> &'static str;
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
    /// The bytes of the model's JSON value.
    pub(crate) model_at: Range<usize>,
    /// The bytes of the stream options' JSON value, where there is one.
    pub(crate) stream_options_at: Option<Range<usize>>,
    /// Where the request's closing brace stands.
    pub(crate) close_at: usize,
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
}

/// How to encode a stream.
#[derive(Clone, Debug)]
pub struct StreamOptions {
    /// Whether the client asked for usage.
    pub include_usage: bool,
    /// The model's name as the client knows it; empty to take the provider's.
    pub model: ModelName,
}

impl Default for StreamOptions {
    fn default() -> Self {
        Self { include_usage: false, model: "".into() }
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
