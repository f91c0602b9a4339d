//! Anthropic's Messages, as Anthropic documents them (docs.anthropic.com/en/api/messages) and as compatible
//! vendors send them.
//!
//! Reading order: `peek` (routing without decoding), `request` (what clients send), `outgoing` and `turns` (what
//! upstreams want) with `thinking` (what each generation of models takes), `blocks`, `media` and `citation` (the
//! pieces of content, of both), `response`, `decoder` and `encoder` (streams) with `arguments` (where a call's end
//! is), `guard` (streams passed on unchanged), `usage`, `fault` (errors, both directions), `models`.

mod arguments;
mod blocks;
mod citation;
mod decoder;
mod encoder;
mod fault;
mod guard;
mod media;
mod models;
mod outgoing;
mod peek;
mod request;
mod response;
mod thinking;
mod turns;
mod usage;

use crate::codec::{
    Codec, Encoded, GuardOptions, Patch, Peek, RequestOptions, StreamDecoder, StreamEncoder, StreamGuard,
    StreamOptions, StreamSummary,
};
use crate::error::WireError;
use bytes::Bytes;
use hanok_base::{
    ChatRequest, ChatResponse, Dialect, ModelInfo, Problem, ProviderError, ProviderName, Route,
};
use serde_json::json;
use std::borrow::Cow;

/// The dialect of this folder.
const OWN: Dialect = Dialect::AnthropicMessages;

/// The dialect `anthropic-messages`.
#[derive(Clone, Copy, Debug)]
pub struct AnthropicMessages;

impl Codec for AnthropicMessages {
    fn peek(&self, route: Route, body: &[u8]) -> Result<Peek, WireError> {
        peek::peek(route, body)
    }
    fn patch(&self, body: &Bytes, peek: &Peek, patch: &Patch<'_>) -> Bytes {
        peek::patch(body, peek, patch)
    }
    fn decode_request(&self, body: &[u8]) -> Result<ChatRequest, WireError> {
        request::decode(body)
    }
    fn encode_request(&self, request: &ChatRequest, options: RequestOptions) -> Encoded {
        outgoing::encode(request, options)
    }
    fn decode_response(&self, body: &[u8]) -> Result<ChatResponse, WireError> {
        response::decode(body)
    }
    fn encode_response(&self, response: &ChatResponse, _: &[u8]) -> Vec<u8> {
        response::encode(response)
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
        fault::encode(problem, request_id)
    }
    fn decode_error(&self, status: u16, body: &[u8], provider: &ProviderName) -> ProviderError {
        fault::decode(status, body, provider)
    }
    fn encode_token_count(&self, tokens: u64) -> Vec<u8> {
        json!({ "input_tokens": tokens }).to_string().into_bytes()
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
    fn path(&self, route: Route, _: &str, _: bool) -> Option<Cow<'static, str>> {
        match route {
            Route::Chat => Some(Cow::Borrowed("messages")),
            Route::CountTokens => Some(Cow::Borrowed("messages/count_tokens")),
            Route::Embeddings | Route::BatchEmbeddings | Route::Rerank | Route::Raw(_) => None,
        }
    }
}
