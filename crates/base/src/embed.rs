//! Embeddings and rerankings as every dialect means them, and the seams behind which they are made.

use crate::{BoxFuture, CallContext, Dialect, ModelName, Object, ProviderError, Usage};

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

/// What goes into one call for embeddings, and what may be said in it; a 0 is not known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EmbedLimits {
    /// Most texts.
    pub inputs: u32,
    /// Most tokens of all texts together.
    pub tokens: u32,
    /// Whether it is told what its vectors are for ([`EmbedRequest::task`]).
    pub tasks: bool,
}

impl EmbedLimits {
    /// What both take.
    #[must_use]
    pub fn within(self, other: Self) -> Self {
        let least = |a: u32, b: u32| if a == 0 || b == 0 { a.max(b) } else { a.min(b) };
        Self {
            inputs: least(self.inputs, other.inputs),
            tokens: least(self.tokens, other.tokens),
            tasks: self.tasks && other.tasks,
        }
    }
}

/// A call for the order of some documents by their fit to a query.
#[derive(Clone, Debug, PartialEq)]
pub struct RerankRequest {
    /// The model asked for, as the client named it.
    pub model: ModelName,
    /// What the documents are to answer.
    pub query: String,
    /// The documents.
    pub documents: Vec<String>,
    /// How many of the best are wanted; `None` for all.
    pub top_n: Option<usize>,
}

/// Documents by their fit.
#[derive(Clone, Debug, PartialEq)]
pub struct RerankResponse {
    /// The model that answered, in the provider's words.
    pub model: ModelName,
    /// Numbers of documents with their scores, best first; each at most once.
    pub ranked: Vec<(usize, f32)>,
    /// Tokens; only `input` is meant.
    pub usage: Usage,
}

/// What a text is embedded for; some models tell the two apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum EmbedKind {
    /// To be found.
    Document,
    /// To find with.
    Query,
}

/// Makes vectors of texts, in this process or by a provider.
pub trait Embedder: Send + Sync {
    /// Names the model and everything that changes its vectors; vectors under two names cannot be compared.
    fn id(&self) -> &str;
    /// Length of its vectors; `None` before the first answer of a provider whose model is not known.
    fn dimensions(&self) -> Option<usize>;
    /// One vector of length 1 (Euclidean) per text, in order. A text longer than the model takes is embedded by
    /// its beginning; what is lost thereby is the caller's to avoid by cutting smaller. Recorded under `cx`.
    fn embed<'a>(
        &'a self,
        cx: &'a CallContext,
        texts: &'a [&'a str],
        kind: EmbedKind,
    ) -> BoxFuture<'a, Result<Vec<Vec<f32>>, ProviderError>>;
}

/// An embedder that is a function of a text, whatever it is wanted for: `id` names it, and its vectors have `dimensions`
/// numbers.
pub fn embedder_fn<F>(id: &str, dimensions: usize, vector: F) -> impl Embedder + use<F>
where
    F: Fn(&str) -> Vec<f32> + Send + Sync,
{
    EmbedderFn { id: id.to_owned(), dimensions, vector }
}

struct EmbedderFn<F> {
    id: String,
    dimensions: usize,
    vector: F,
}

impl<F: Fn(&str) -> Vec<f32> + Send + Sync> Embedder for EmbedderFn<F> {
    fn id(&self) -> &str {
        &self.id
    }
    fn dimensions(&self) -> Option<usize> {
        Some(self.dimensions)
    }
    fn embed<'a>(
        &'a self,
        _: &'a CallContext,
        texts: &'a [&'a str],
        _: EmbedKind,
    ) -> BoxFuture<'a, Result<Vec<Vec<f32>>, ProviderError>> {
        Box::pin(async move { Ok(texts.iter().map(|text| (self.vector)(text)).collect()) })
    }
}

/// Judges how well texts answer a question, by looking at both together.
pub trait Reranker: Send + Sync {
    /// Names the model and how it is asked.
    fn id(&self) -> &str;
    /// One score per text, in order; greater is better, comparable within one call only. Recorded under `cx`.
    fn rerank<'a>(
        &'a self,
        cx: &'a CallContext,
        question: &'a str,
        texts: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Vec<f32>, ProviderError>>;
}
