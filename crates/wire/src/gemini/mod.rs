//! Google's Gemini API: `generateContent`, `streamGenerateContent`, `embedContent`, `batchEmbedContents`,
//! `countTokens` and the list of models (ai.google.dev/api, v1beta). Model and stream stand in the URL.
//!
//! Deliberately not here: upstream streams without `alt=sse` (one JSON array; clients get theirs from `array`), Vertex AI's own members, the Live API.
//!
//! Reading order: `forms` (how the API reads JSON), `peek` (routing without decoding), `request` and `contents`
//! with `tools`, `schema` and `thinking`, `parts`, `calls` (ids that calls lack) and `seal` (signatures) of both
//! directions, `decoder` and `encoder` (streams; a whole answer is a stream of one chunk), `response`,
//! `grounding` (citations), `guard` (streams passed on unchanged), `array`, `usage`, `fault`, `embed`, `models`.

mod array;
mod calls;
mod contents;
mod decoder;
mod embed;
mod encoder;
mod fault;
mod forms;
mod grounding;
mod guard;
mod models;
mod parts;
mod peek;
mod request;
mod response;
mod schema;
mod seal;
mod thinking;
mod tools;
mod usage;

use crate::codec::{
    Codec, Encoded, GuardOptions, Patch, Peek, RequestOptions, StreamDecoder, StreamEncoder, StreamGuard,
    StreamOptions, StreamSummary,
};
use crate::error::WireError;
use bytes::Bytes;
use hanok_base::{
    ChatRequest, ChatResponse, EmbedRequest, EmbedResponse, ModelInfo, Problem, ProviderError, ProviderName,
    Route,
};
use serde_json::json;
use std::borrow::Cow;

pub use array::{ARRAY_TYPE, ArrayWriter};

/// The dialect `gemini`.
#[derive(Clone, Copy, Debug)]
pub struct Gemini;

impl Codec for Gemini {
    fn peek(&self, _: Route, body: &[u8]) -> Result<Peek, WireError> {
        peek::peek(body)
    }
    fn patch(&self, body: &Bytes, peek: &Peek, patch: &Patch<'_>) -> Bytes {
        peek::patch(body, peek, patch)
    }
    fn decode_request(&self, body: &[u8]) -> Result<ChatRequest, WireError> {
        request::decode(body)
    }
    fn encode_request(&self, request: &ChatRequest, _: RequestOptions) -> Encoded {
        request::encode(request)
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
    fn decode_embed_request(&self, route: Route, body: &[u8]) -> Result<EmbedRequest, WireError> {
        embed::decode_request(route, body)
    }
    /// Always a batch, for [`Route::BatchEmbeddings`], however many texts there are.
    fn encode_embed_request(&self, request: &EmbedRequest) -> Result<Encoded, WireError> {
        embed::encode_request(request)
    }
    fn decode_embed_response(&self, body: &[u8]) -> Result<EmbedResponse, WireError> {
        embed::decode_response(body)
    }
    fn encode_embed_response(&self, route: Route, response: &EmbedResponse, _: &[u8]) -> Vec<u8> {
        embed::encode_response(route, response)
    }
    fn encode_token_count(&self, tokens: u64) -> Vec<u8> {
        json!({ "totalTokens": tokens }).to_string().into_bytes()
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
    fn path(&self, route: Route, model: &str, stream: bool) -> Option<Cow<'static, str>> {
        models::path(route, model, stream).map(Cow::Owned)
    }
}
