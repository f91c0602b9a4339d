//! A provider's embeddings, through the gateway: cut into calls that the provider takes, and normalised.

use futures_util::{StreamExt, TryStreamExt, stream};
use hanok_base::{
    BoxFuture, CallContext, EmbedInput, EmbedKind, EmbedLimits, EmbedRequest, Embedder, ModelName, Object,
    Provider, ProviderError, ProviderErrorKind, ProviderName,
};
use std::ops::Range;
use std::sync::{OnceLock, Weak};

/// Texts of one call where the provider's limit is not known.
const INPUTS: usize = 64;
/// Tokens of one call where the provider's limit is not known. No tokenizer makes more tokens than bytes, so that
/// bytes are counted.
const TOKENS: usize = 100_000;
/// Bytes of a text that are embedded: as many tokens as the common models take, at the worst.
const LONGEST_TEXT: usize = 8_000;
/// Calls under way at once.
const AT_ONCE: usize = 4;

/// Any provider's model for embeddings, by the name a client would ask for it by.
pub struct ProviderEmbedder {
    id: String,
    model: ModelName,
    asked: Option<u32>,
    gateway: Weak<dyn Provider>,
    provider: ProviderName,
    length: OnceLock<usize>,
}

impl ProviderEmbedder {
    /// Vectors by `model`, of `dimensions` numbers where it can choose.
    pub fn new(gateway: Weak<dyn Provider>, model: ModelName, dimensions: Option<u32>) -> Self {
        let id = dimensions.map_or_else(|| model.to_string(), |length| format!("{model}/{length}"));
        Self { id, model, asked: dimensions, gateway, provider: "hanok".into(), length: OnceLock::new() }
    }

    async fn vectors(
        &self,
        cx: &CallContext,
        texts: &[&str],
        kind: EmbedKind,
    ) -> Result<Vec<Vec<f32>>, ProviderError> {
        let gateway = self
            .gateway
            .upgrade()
            .ok_or_else(|| self.error(ProviderErrorKind::Internal, "the gateway is shutting down"))?;
        let limits = gateway.capabilities(&self.model).embed_limits;
        let calls = stream::iter(batches(texts, limits)).map(|batch| {
            let request = self.request(texts.get(batch).unwrap_or_default(), kind, limits.tasks);
            let gateway = &gateway;
            async move { self.checked(gateway.embed(cx, &request).await?.vectors, request.inputs.len()) }
        });
        let vectors: Vec<Vec<Vec<f32>>> = calls.buffered(AT_ONCE).try_collect().await?;
        Ok(vectors.into_iter().flatten().collect())
    }

    fn request(&self, texts: &[&str], kind: EmbedKind, tasks: bool) -> EmbedRequest {
        let task = match kind {
            EmbedKind::Document => "RETRIEVAL_DOCUMENT",
            EmbedKind::Query => "RETRIEVAL_QUERY",
        };
        EmbedRequest {
            model: self.model.clone(),
            inputs: texts.iter().map(|text| EmbedInput::Text(taken(text).to_owned())).collect(),
            dimensions: self.asked,
            task: tasks.then(|| task.to_owned()),
            user: None,
            dialect: None,
            extra: Object::new(),
        }
    }

    /// The vectors at length 1, if they are as many and as long as they must be.
    fn checked(&self, mut vectors: Vec<Vec<f32>>, texts: usize) -> Result<Vec<Vec<f32>>, ProviderError> {
        let wrong = |message: String| Err(self.error(ProviderErrorKind::Decode, message));
        if vectors.len() != texts {
            return wrong(format!("{} gave {} vectors for {texts} texts", self.model, vectors.len()));
        }
        for vector in &mut vectors {
            let length = *self.length.get_or_init(|| vector.len());
            if vector.len() != length {
                let message =
                    format!("{} gave vectors of {length} and of {} numbers", self.model, vector.len());
                return wrong(message);
            }
            if !normalise(vector) {
                return wrong(format!("{} gave a vector without a direction", self.model));
            }
        }
        Ok(vectors)
    }

    fn error(&self, kind: ProviderErrorKind, message: impl Into<String>) -> ProviderError {
        ProviderError::new(kind, &self.provider, message)
    }
}

impl Embedder for ProviderEmbedder {
    fn id(&self) -> &str {
        &self.id
    }

    fn dimensions(&self) -> Option<usize> {
        self.length.get().copied().or_else(|| usize::try_from(self.asked?).ok())
    }

    fn embed<'a>(
        &'a self,
        cx: &'a CallContext,
        texts: &'a [&'a str],
        kind: EmbedKind,
    ) -> BoxFuture<'a, Result<Vec<Vec<f32>>, ProviderError>> {
        Box::pin(self.vectors(cx, texts, kind))
    }
}

/// What of a text is embedded. Most refuse a text that is empty, and a space says as little.
fn taken(text: &str) -> &str {
    match text.get(..text.floor_char_boundary(LONGEST_TEXT)) {
        Some("") | None => " ",
        Some(text) => text,
    }
}

/// Which texts go together into one call.
fn batches(texts: &[&str], limits: EmbedLimits) -> Vec<Range<usize>> {
    let limit = |known: u32, fallback: usize| match usize::try_from(known) {
        Ok(0) | Err(_) => fallback,
        Ok(known) => known,
    };
    // A known limit on the one says nothing of the other.
    let (inputs, bytes) = (limit(limits.inputs, INPUTS), limit(limits.tokens, TOKENS));
    let mut batches = Vec::with_capacity(texts.len() / inputs + 1);
    let (mut start, mut sum) = (0, 0);
    for (at, text) in texts.iter().enumerate() {
        let length = taken(text).len();
        if at > start && (at - start == inputs || sum + length > bytes) {
            batches.push(start..at);
            (start, sum) = (at, 0);
        }
        sum += length;
    }
    if start < texts.len() {
        batches.push(start..texts.len());
    }
    batches
}

/// Brings a vector to length 1; `false` for one that has no direction.
fn normalise(vector: &mut [f32]) -> bool {
    let length = vector.iter().map(|x| f64::from(*x) * f64::from(*x)).sum::<f64>().sqrt();
    if !length.is_finite() || length == 0.0 {
        return false;
    }
    for x in vector {
        #[expect(clippy::cast_possible_truncation, reason = "a part of a vector of length 1 is at most 1")]
        let part = (f64::from(*x) / length) as f32;
        *x = part;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_keep_within_limits() {
        let check = |lengths: &[usize], inputs: u32, tokens: u32, expect: &[usize]| {
            let texts: Vec<String> = lengths.iter().map(|length| "x".repeat(*length)).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let limits = EmbedLimits { inputs, tokens, tasks: false };
            let got: Vec<usize> = batches(&texts, limits).iter().map(ExactSizeIterator::len).collect();
            assert_eq!(got, expect, "{lengths:?}");
        };
        check(&[], 2, 10, &[]);
        check(&[1, 1, 1, 1, 1], 2, 10, &[2, 2, 1]);
        check(&[6, 6, 3, 2, 99, 1], 9, 10, &[1, 2, 1, 1, 1]);
        check(&[1; 130], 0, 0, &[64, 64, 2]);
        check(&[90_000, 90_000], 0, 16_384, &[2]);
        check(&[0, 0], 1, 1, &[1, 1]);
    }

    #[test]
    fn texts_are_cut_between_letters() {
        assert_eq!(taken(""), " ");
        let long = "가".repeat(3_000);
        assert_eq!(taken(&long).len(), 7_998);
        let mut vector = [3.0, 4.0];
        assert!(normalise(&mut vector));
        assert!((vector[0] - 0.6).abs() < 1e-7 && (vector[1] - 0.8).abs() < 1e-7, "{vector:?}");
        assert!(!normalise(&mut [0.0, 0.0]));
        assert!(!normalise(&mut [f32::MAX * 2.0]));
    }
}
