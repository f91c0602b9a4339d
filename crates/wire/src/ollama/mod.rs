//! Ollama's own API, as Ollama and the servers that look like it send it: `/api/chat`, `/api/generate` (a chat
//! of one turn), embeddings, and what editors ask before they chat.
//!
//! Deliberately not here: pulling, creating and deleting models; and the text between a prompt and a `suffix`,
//! which is no chat and only passed on.
//!
//! Reading order: `peek` (routing without decoding), `request`, `messages` and `options` (of requests),
//! `answer`, `parts` (of both), `decoder` and `encoder` (streams), `guard` (streams passed on unchanged),
//! `embed`, `models`, `show` (what a model can do), `fault` (errors, both directions), `stamp` (times and ids).

mod answer;
mod decoder;
mod embed;
mod encoder;
mod fault;
mod guard;
mod messages;
mod models;
mod options;
mod parts;
mod peek;
mod request;
mod show;
mod stamp;

pub use answer::load;
pub use show::{Capability, Running, ShowInfo, ps, show, show_request, version};

use crate::codec::{
    Codec, Encoded, GuardOptions, Patch, Peek, RequestOptions, StreamDecoder, StreamEncoder, StreamGuard,
    StreamOptions, StreamSummary,
};
use crate::error::WireError;
use bytes::Bytes;
use hanok_base::{
    ChatRequest, ChatResponse, Dialect, EmbedRequest, EmbedResponse, ModelInfo, Problem, ProviderError,
    ProviderName, Route,
};
use std::borrow::Cow;

/// The dialects `ollama` and `ollama-generate`.
#[derive(Clone, Copy, Debug)]
pub struct Ollama(Form);

impl Ollama {
    /// `/api/chat` and `/api/embed`.
    pub const CHAT: Self = Self(Form::Chat);
    /// `/api/generate` and the older `/api/embeddings`.
    pub const GENERATE: Self = Self(Form::Generate);
}

/// Where the two differ: one prompt in place of messages, and what is said beside it in place of inside it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Form {
    #[default]
    Chat,
    Generate,
}

impl Form {
    fn dialect(self) -> Dialect {
        match self {
            Self::Chat => Dialect::Ollama,
            Self::Generate => Dialect::OllamaGenerate,
        }
    }
    /// The member of the answer's text.
    fn content(self) -> &'static str {
        match self {
            Self::Chat => "content",
            Self::Generate => "response",
        }
    }
    /// Whether an answer of this form has such a member.
    fn has(self, name: &str) -> bool {
        match name {
            "model" | "created_at" | "done" | "done_reason" | "prompt_eval_count" | "eval_count"
            | "error" => true,
            "message" => self == Self::Chat,
            "response" | "thinking" | "thinking_signatures" | "images" | "tool_calls" | "citations" => {
                self == Self::Generate
            }
            _ => false,
        }
    }
}

/// Whether members of this dialect are ours: both forms have the same.
fn is_own(dialect: Option<Dialect>) -> bool {
    matches!(dialect, Some(Dialect::Ollama | Dialect::OllamaGenerate))
}

impl Codec for Ollama {
    fn peek(&self, route: Route, body: &[u8]) -> Result<Peek, WireError> {
        peek::peek(route, body)
    }
    fn patch(&self, body: &Bytes, peek: &Peek, patch: &Patch<'_>) -> Bytes {
        peek::patch(body, peek, patch)
    }
    fn decode_request(&self, body: &[u8]) -> Result<ChatRequest, WireError> {
        request::decode(self.0, body)
    }
    fn encode_request(&self, request: &ChatRequest, options: RequestOptions) -> Encoded {
        request::encode(self.0, request, options)
    }
    fn decode_response(&self, body: &[u8]) -> Result<ChatResponse, WireError> {
        answer::decode(self.0, body)
    }
    fn encode_response(&self, response: &ChatResponse, _: &[u8]) -> Vec<u8> {
        answer::encode(self.0, response)
    }
    fn stream_decoder(&self) -> Box<dyn StreamDecoder> {
        Box::new(decoder::Decoder::new(self.0))
    }
    fn stream_encoder(&self, options: StreamOptions) -> Box<dyn StreamEncoder> {
        Box::new(encoder::Encoder::new(self.0, options))
    }
    fn stream_guard(&self, _: GuardOptions) -> Box<dyn StreamGuard> {
        guard::guard(self.0)
    }
    fn summarise(&self, body: &[u8]) -> Result<StreamSummary, WireError> {
        guard::summarise(self.0, body)
    }
    fn encode_error(&self, problem: &Problem, request_id: Option<&str>) -> Vec<u8> {
        fault::encode(problem, request_id)
    }
    fn decode_error(&self, status: u16, body: &[u8], provider: &ProviderName) -> ProviderError {
        fault::decode(status, body, provider)
    }
    fn decode_embed_request(&self, _: Route, body: &[u8]) -> Result<EmbedRequest, WireError> {
        embed::decode_request(self.0, body)
    }
    fn encode_embed_request(&self, request: &EmbedRequest) -> Result<Encoded, WireError> {
        embed::encode_request(self.0, request)
    }
    fn decode_embed_response(&self, body: &[u8]) -> Result<EmbedResponse, WireError> {
        embed::decode_response(body)
    }
    fn encode_embed_response(&self, _: Route, response: &EmbedResponse, request: &[u8]) -> Vec<u8> {
        embed::encode_response(response, request)
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
        if stream { "application/x-ndjson" } else { "application/json; charset=utf-8" }
    }
    fn path(&self, route: Route, _: &str, _: bool) -> Option<Cow<'static, str>> {
        let path = match (route, self.0) {
            (Route::Chat, Form::Chat) => "chat",
            (Route::Chat, Form::Generate) => "generate",
            (Route::Embeddings, Form::Chat) => "embed",
            (Route::Embeddings, Form::Generate) => "embeddings",
            (Route::Raw("show"), Form::Chat) => "show",
            (Route::BatchEmbeddings | Route::CountTokens | Route::Rerank | Route::Raw(_), _) => return None,
        };
        Some(Cow::Borrowed(path))
    }
}
