//! Embeddings as every dialect means them.

use crate::{Dialect, ModelName, Object, Usage};

/// A call for the vectors of some texts.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbedRequest {
    /// The model asked for, as the client named it.
    pub model: ModelName,
    /// What to embed, in order.
    pub inputs: Vec<EmbedInput>,
    /// Length of the vectors, where the model can choose.
    pub dimensions: Option<u32>,
    /// What the vectors are for, as the dialect names it (`RETRIEVAL_QUERY`).
    pub task: Option<String>,
    /// The end user, as the application names it.
    pub user: Option<String>,
    /// The dialect the request came in; `extra` members are under its names.
    pub dialect: Option<Dialect>,
    /// Unknown members.
    pub extra: Object,
}

/// One thing to embed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EmbedInput {
    /// A text.
    Text(String),
    /// Token ids of the model's own tokenizer.
    Tokens(Vec<u32>),
}

/// The vectors, in the order of the inputs.
#[derive(Clone, Debug, PartialEq)]
pub struct EmbedResponse {
    /// The model that answered, in the provider's words.
    pub model: ModelName,
    /// One vector per input, all of one length.
    pub vectors: Vec<Vec<f32>>,
    /// Tokens; only `input` is meant.
    pub usage: Usage,
}
