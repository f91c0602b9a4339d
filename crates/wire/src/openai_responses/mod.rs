//! OpenAI's Responses, as OpenAI documents them and as compatible vendors send them, and what it takes to keep
//! responses for clients in a provider's place. The keeping itself is not here.
//!
//! Reading order: `peek` (routing without decoding), `request`, `tools`, `content`, `items` (what the model
//! said), `thought` (its reasoning and its signatures), `citation`, `response` (whole answers and what they
//! repeat of the request), `decoder` and `growing`, `encoder` and `events` (streams), `guard` (streams passed on unchanged),
//! `state`, `state_stream` and `kept` (kept responses), `usage`, `fault` (errors).

mod citation;
mod content;
mod decoder;
mod encoder;
mod events;
mod fault;
mod growing;
mod guard;
mod items;
mod kept;
mod peek;
mod request;
mod response;
mod state;
mod state_stream;
mod thought;
mod tools;
mod usage;

pub use kept::{Page, Progress, StoredItems, cancelled, deleted, input_items, without_answer};
pub use response::response_id;
pub use state::{State, expand, for_upstream, peek_state, references, resolve, restore};
pub use state_stream::StateStream;

use crate::codec::{
    Codec, Encoded, GuardOptions, Patch, Peek, RequestOptions, StreamDecoder, StreamEncoder, StreamGuard,
    StreamOptions, StreamSummary,
};
use crate::error::WireError;
use crate::openai_chat::OpenAiChat;
use bytes::Bytes;
use hanok_base::{
    ChatRequest, ChatResponse, EmbedRequest, EmbedResponse, ModelInfo, Problem, ProviderError, ProviderName,
    Route,
};
use std::borrow::Cow;

/// The dialect `openai-responses`. What it shares with the chat dialect (errors, models, embeddings) is that
/// one's.
#[derive(Clone, Copy, Debug)]
pub struct OpenAiResponses;

impl Codec for OpenAiResponses {
    fn peek(&self, route: Route, body: &[u8]) -> Result<Peek, WireError> {
        match route {
            Route::Chat | Route::CountTokens => peek::peek(body),
            _ => OpenAiChat.peek(route, body),
        }
    }
    fn patch(&self, body: &Bytes, peek: &Peek, patch: &Patch<'_>) -> Bytes {
        peek::patch(body, peek, patch)
    }
    fn decode_request(&self, body: &[u8]) -> Result<ChatRequest, WireError> {
        request::decode(body)
    }
    fn encode_request(&self, request: &ChatRequest, options: RequestOptions) -> Encoded {
        request::encode(request, options)
    }
    fn decode_response(&self, body: &[u8]) -> Result<ChatResponse, WireError> {
        response::decode(body)
    }
    fn encode_response(&self, response: &ChatResponse, request: &[u8]) -> Vec<u8> {
        response::encode(response, request)
    }
    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(decoder::Decoder::default())
    }
    fn stream_encoder(&self, options: StreamOptions) -> Box<dyn StreamEncoder> {
        Box::new(encoder::Encoder::new(options))
    }
    fn stream_guard(&self, _: GuardOptions) -> Box<dyn StreamGuard> {
        guard::guard()
    }
    fn summarise(&self, body: &[u8]) -> Result<StreamSummary, WireError> {
        guard::summarise(body)
    }
    fn encode_error(&self, problem: &Problem, request_id: Option<&str>) -> Vec<u8> {
        OpenAiChat.encode_error(problem, request_id)
    }
    fn decode_error(&self, status: u16, body: &[u8], provider: &ProviderName) -> ProviderError {
        OpenAiChat.decode_error(status, body, provider)
    }
    fn decode_embed_request(&self, route: Route, body: &[u8]) -> Result<EmbedRequest, WireError> {
        OpenAiChat.decode_embed_request(route, body)
    }
    fn encode_embed_request(&self, request: &EmbedRequest) -> Result<Encoded, WireError> {
        OpenAiChat.encode_embed_request(request)
    }
    fn decode_embed_response(&self, body: &[u8]) -> Result<EmbedResponse, WireError> {
        OpenAiChat.decode_embed_response(body)
    }
    fn encode_embed_response(&self, route: Route, response: &EmbedResponse, request: &[u8]) -> Vec<u8> {
        OpenAiChat.encode_embed_response(route, response, request)
    }
    fn encode_token_count(&self, tokens: u64) -> Vec<u8> {
        format!(r#"{{"object":"response.input_tokens","input_tokens":{tokens}}}"#).into_bytes()
    }
    fn encode_models(&self, models: &[(String, ModelInfo)]) -> Vec<u8> {
        OpenAiChat.encode_models(models)
    }
    fn encode_model(&self, id: &str, model: &ModelInfo) -> Vec<u8> {
        OpenAiChat.encode_model(id, model)
    }
    fn decode_models(&self, body: &[u8]) -> Result<Vec<ModelInfo>, WireError> {
        OpenAiChat.decode_models(body)
    }
    fn content_type(&self, stream: bool) -> &'static str {
        OpenAiChat.content_type(stream)
    }
    fn path(&self, route: Route, model: &str, stream: bool) -> Option<Cow<'static, str>> {
        match route {
            Route::Chat => Some(Cow::Borrowed("responses")),
            Route::CountTokens => Some(Cow::Borrowed("responses/input_tokens")),
            _ => OpenAiChat.path(route, model, stream),
        }
    }
}
