//! OpenAI's chat completions, as OpenAI documents them and as compatible vendors send them.
//!
//! Reading order: `peek` (routing without decoding), `request`, `response`, `parts` (of both), `decoder` and
//! `encoder` (streams), `guard` (streams passed on unchanged), `usage`, `fault` (errors, both directions),
//! `models`; beneath them `take` (members out of a parsed object), `members` (members out of bytes, nothing
//! else built) and `template` (chunks that need not be read).

mod decoder;
mod encoder;
mod fault;
mod guard;
mod members;
mod models;
mod parts;
mod peek;
mod request;
mod response;
mod take;
mod template;
mod usage;

use crate::codec::{
    Codec, GuardOptions, Peek, RequestOptions, StreamDecoder, StreamEncoder, StreamGuard, StreamOptions,
    StreamSummary,
};
use crate::error::WireError;
use bytes::Bytes;
use hanok_base::{ChatRequest, ChatResponse, ModelInfo, Problem, ProviderError, ProviderName, Route};

/// The dialect `openai-chat`.
#[derive(Clone, Copy, Debug)]
pub struct OpenAiChat;

impl Codec for OpenAiChat {
    fn peek(&self, body: &[u8]) -> Result<Peek, WireError> {
        peek::peek(body)
    }
    fn patch(&self, body: &Bytes, peek: &Peek, model: &str, ask_usage: bool) -> Bytes {
        peek::patch(body, peek, model, ask_usage)
    }
    fn decode_request(&self, body: &[u8]) -> Result<ChatRequest, WireError> {
        request::decode(body)
    }
    fn encode_request(&self, request: &ChatRequest, options: RequestOptions) -> Vec<u8> {
        request::encode(request, options)
    }
    fn decode_response(&self, body: &[u8]) -> Result<ChatResponse, WireError> {
        response::decode(body)
    }
    fn encode_response(&self, response: &ChatResponse) -> Vec<u8> {
        response::encode(response)
    }
    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(decoder::Decoder::default())
    }
    fn stream_encoder(&self, options: StreamOptions) -> Box<dyn StreamEncoder> {
        Box::new(encoder::Encoder::new(options))
    }
    fn stream_guard(&self, options: GuardOptions) -> Box<dyn StreamGuard> {
        Box::new(guard::Guard::new(options))
    }
    fn summarise(&self, body: &[u8]) -> Result<StreamSummary, WireError> {
        guard::summarise(body)
    }
    fn encode_error(&self, problem: &Problem, request_id: Option<&str>) -> Vec<u8> {
        fault::encode(problem, request_id)
    }
    fn decode_error(&self, status: u16, body: &[u8], provider: &ProviderName) -> ProviderError {
        fault::decode(status, body, provider)
    }
    fn encode_models(&self, models: &[(String, ModelInfo)]) -> Vec<u8> {
        models::encode_list(models)
    }
    fn encode_model(&self, id: &str, model: &ModelInfo) -> Vec<u8> {
        models::encode_one(id, model)
    }
    fn decode_models(&self, body: &[u8]) -> Result<Vec<ModelInfo>, WireError> {
        models::decode(body)
    }
    fn content_type(&self, stream: bool) -> &'static str {
        if stream { "text/event-stream; charset=utf-8" } else { "application/json" }
    }
    fn path(&self, route: Route) -> &'static str {
        match route {
            Route::Chat => "chat/completions",
            Route::Embeddings => "embeddings",
        }
    }
}
