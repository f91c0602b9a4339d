//! Texts to vectors.

use crate::config::{Pooling, Prompts, pooling, prompts};
use crate::encoder::Encoded;
use crate::model::{Made, Model, Options};
use crate::pool::{Haste, wait};
use crate::{Family, LocalError};
use hanok_base::{BoxFuture, CallContext, EmbedKind, Embedder, Operation, ProviderError};
use std::path::Path;
use std::sync::Arc;

/// A model that makes vectors of texts, in this process. Cheap to clone.
#[derive(Clone)]
pub struct TextEmbedder {
    model: Arc<Model>,
    pooling: Pooling,
    prompts: Arc<Prompts>,
    id: Arc<str>,
}

impl TextEmbedder {
    /// Opens a folder with `config.json`, `model.safetensors` and `tokenizer.json`, and whatever files of
    /// sentence-transformers are beside them.
    ///
    /// # Errors
    ///
    /// Names the file, and the tensor where it is one, that is missing, broken or of a kind not computed here.
    pub fn open(folder: &Path, options: Options) -> Result<Self, LocalError> {
        let (pooling, prompts) = (pooling(folder)?, prompts(folder)?);
        let model = Model::open(folder, options)?;
        let most = model.tokens.most();
        let id = model.id(&format!("{pooling:?} {most} {prompts:?}"))?;
        Ok(Self { model, pooling, prompts: Arc::new(prompts), id: id.into() })
    }

    /// The vectors of some texts, of length 1, in order. Blocks this thread, which must be none of an async runtime,
    /// while the models' threads compute.
    pub fn embed_now(&self, texts: &[&str], kind: EmbedKind) -> Result<Vec<Vec<f32>>, LocalError> {
        Ok(wait(self.vectors(texts, kind))?.results)
    }

    /// Length of its vectors.
    pub fn width(&self) -> usize {
        self.model.encoder.shape.hidden
    }

    /// Tokens of a text it takes at most, special ones included.
    pub fn most_tokens(&self) -> usize {
        self.model.tokens.most()
    }

    /// Whether another one computes by the same weights in memory.
    pub fn shares(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.model, &other.model)
    }

    /// What kind of model it is.
    pub fn family(&self) -> Family {
        self.model.family()
    }

    /// The instruction set it computes in: `avx512-vnni`.
    pub fn isa(&self) -> &'static str {
        self.model.kernels.isa.as_str()
    }

    /// The vectors of some texts, recorded under `cx`, and the tokens of the texts.
    pub(crate) async fn embed_counted(
        &self,
        cx: &CallContext,
        texts: &[&str],
        kind: EmbedKind,
    ) -> Result<(Vec<Vec<f32>>, usize), ProviderError> {
        let mut span = self.model.span(cx, Operation::Embeddings, texts.len());
        span.set("gen_ai.embeddings.dimension.count", self.width());
        let made = Model::ended(span, self.vectors(texts, kind).await)?;
        Ok((made.results, made.tokens))
    }

    async fn vectors(&self, texts: &[&str], kind: EmbedKind) -> Result<Made<Vec<f32>>, LocalError> {
        // Work outlives a caller that goes away, so it has texts of its own.
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let haste = match kind {
            EmbedKind::Query => Haste::Urgent,
            EmbedKind::Document => Haste::Patient,
        };
        let (prompts, pooling) = (Arc::clone(&self.prompts), self.pooling);
        let count = texts.len();
        let sequence = move |tokens: &crate::tokens::Tokens, number: usize| {
            tokens.one(prompts.of(kind), texts.get(number).map(String::as_str).unwrap_or_default())
        };
        self.model
            .run(haste, count, sequence, Arc::new(pooling), |pooling, encoded, start, len| {
                pooled(*pooling, encoded, start, len)
            })
            .await
    }
}

impl Embedder for TextEmbedder {
    fn id(&self) -> &str {
        &self.id
    }

    fn dimensions(&self) -> Option<usize> {
        Some(self.width())
    }

    fn embed<'a>(
        &'a self,
        cx: &'a CallContext,
        texts: &'a [&'a str],
        kind: EmbedKind,
    ) -> BoxFuture<'a, Result<Vec<Vec<f32>>, ProviderError>> {
        Box::pin(async move { Ok(self.embed_counted(cx, texts, kind).await?.0) })
    }
}

/// The one vector of a text, from those of its tokens, of length 1.
fn pooled(pooling: Pooling, encoded: &Encoded<'_>, start: usize, len: usize) -> Vec<f32> {
    let mut vector = encoded.row(start).to_vec();
    match pooling {
        Pooling::First => {}
        Pooling::Mean => {
            // The sum will do: what is left of the mean is its direction.
            for row in start + 1..start + len {
                vector.iter_mut().zip(encoded.row(row)).for_each(|(to, from)| *to += from);
            }
        }
        Pooling::Max => {
            for row in start + 1..start + len {
                vector.iter_mut().zip(encoded.row(row)).for_each(|(to, from)| *to = to.max(*from));
            }
        }
    }
    let square: f32 = vector.iter().map(|value| value * value).sum();
    let by = 1.0 / square.sqrt().max(1e-12);
    for value in &mut vector {
        *value *= by;
    }
    vector
}
