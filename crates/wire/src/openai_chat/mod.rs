//! OpenAI's chat completions, as OpenAI documents them and as compatible vendors send them.
//!
//! Reading order: `peek` (routing without decoding), `request` with `messages` and `losses` (what it cannot say),
//! `response`, `parts` (of both) with `media` and `reasoning`, `decoder` (streams in) with `chunk` and `open`,
//! `encoder` (streams out), `guard` (streams passed on unchanged), `skim` (what is recorded of a call), `usage`,
//! `fault` (errors, both directions), `models`, `embeddings`.

mod chunk;
mod decoder;
mod embeddings;
mod encoder;
mod fault;
mod guard;
mod losses;
mod media;
mod messages;
mod models;
mod open;
mod parts;
mod peek;
mod reasoning;
mod request;
mod response;
mod skim;
mod usage;

use crate::codec::{
    Codec, Encoded, GuardOptions, Patch, Peek, RequestOptions, SkimmedAnswer, SkimmedRequest, StreamDecoder,
    StreamEncoder, StreamGuard, StreamOptions, StreamSummary,
};
use crate::error::WireError;
use bytes::Bytes;
use hanok_base::{
    ChatRequest, ChatResponse, EmbedRequest, EmbedResponse, Message, ModelInfo, Problem, ProviderError,
    ProviderName, Route, ToolSpec,
};
use std::borrow::Cow;

/// The dialect `openai-chat`.
#[derive(Clone, Copy, Debug)]
pub struct OpenAiChat;

impl Codec for OpenAiChat {
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
        request::encode(request, options)
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
    fn stream_guard(&self, options: GuardOptions) -> Box<dyn StreamGuard> {
        guard::guard(options)
    }
    fn summarise(&self, body: &[u8]) -> Result<StreamSummary, WireError> {
        guard::summarise(body)
    }
    fn skim_request<'a>(&self, body: &'a [u8]) -> Option<SkimmedRequest<'a>> {
        skim::request(body)
    }
    fn decode_message(&self, json: &str) -> Result<Message, WireError> {
        skim::decode_message(json)
    }
    fn decode_tools(&self, json: &str) -> Result<Vec<ToolSpec>, WireError> {
        skim::decode_tools(json)
    }
    fn skim_response<'a>(&self, body: &'a [u8]) -> Option<SkimmedAnswer<'a>> {
        skim::answer(body)
    }
    fn skim_stream(&self, pieces: &[Bytes]) -> Option<SkimmedAnswer<'static>> {
        skim::stream(pieces)
    }
    fn encode_error(&self, problem: &Problem, request_id: Option<&str>) -> Vec<u8> {
        fault::encode(problem, request_id)
    }
    fn decode_error(&self, status: u16, body: &[u8], provider: &ProviderName) -> ProviderError {
        fault::decode(status, body, provider)
    }
    fn decode_embed_request(&self, route: Route, body: &[u8]) -> Result<EmbedRequest, WireError> {
        match route {
            Route::Embeddings => embeddings::decode_request(body),
            _ => Err(WireError::NotOffered("embeddings on this route")),
        }
    }
    fn encode_embed_request(&self, request: &EmbedRequest) -> Result<Encoded, WireError> {
        embeddings::encode_request(request)
    }
    fn decode_embed_response(&self, body: &[u8]) -> Result<EmbedResponse, WireError> {
        embeddings::decode_response(body)
    }
    fn encode_embed_response(&self, _: Route, response: &EmbedResponse, request: &[u8]) -> Vec<u8> {
        embeddings::encode_response(response, request)
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
            Route::Chat => Some(Cow::Borrowed("chat/completions")),
            Route::Embeddings => Some(Cow::Borrowed("embeddings")),
            Route::Rerank => Some(Cow::Borrowed("rerank")),
            Route::Raw(path) => Some(Cow::Borrowed(path)),
            Route::BatchEmbeddings | Route::CountTokens => None,
        }
    }
}
