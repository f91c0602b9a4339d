//! What an embedder and a cross-encoder have in common: a folder, an encoder, a tokenizer, threads.

use crate::config::{Shape, most_tokens};
use crate::encoder::{Encoded, Encoder};
use crate::kernels::{Isa, Kernels, Precision};
use crate::pool::{Haste, Pool};
use crate::tensors::Tensors;
use crate::tokens::{Sequence, Tokens};
use crate::{Family, LocalError, register};
use hanok_base::{CallContext, Operation, ProviderError, ProviderErrorKind, ProviderName, SpanScope};
use std::path::Path;
use std::sync::Arc;

/// How a model is to be run.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// How exactly it computes.
    pub precision: Precision,
    /// How many threads compute; 0 for as many as there are processors. Models opened with the same number share
    /// them. Results do not depend on it.
    pub threads: usize,
    /// The instruction set; the best one where none is named or the processor has it not.
    pub isa: Option<Isa>,
}

/// Tokens that are computed together, at most, unless one text alone has more: what is between two steps then stays in
/// a processor's own cache.
const PACK: usize = 192;
/// Fewer are not worth sharing out.
const LEAST_PACK: usize = 48;
/// Texts that are tokenised in one go.
const TOKENISE: usize = 16;

/// A model that is open.
pub(crate) struct Model {
    pub(crate) name: String,
    pub(crate) encoder: Encoder,
    pub(crate) tokens: Tokens,
    pub(crate) pool: Arc<Pool>,
    pub(crate) tensors: Tensors,
    pub(crate) kernels: &'static Kernels,
    pub(crate) precision: Precision,
}

/// What a model did for one call.
pub(crate) struct Made<T> {
    /// One for each text, in order.
    pub(crate) results: Vec<T>,
    pub(crate) tokens: usize,
    /// Texts of which only the beginning was looked at.
    pub(crate) cut: usize,
}

impl Model {
    /// The model of a folder: the one that somebody has open, where it computes in the same way.
    pub(crate) fn open(folder: &Path, options: Options) -> Result<Arc<Self>, LocalError> {
        register::open(folder, options, || Self::read(folder, options))
    }

    fn read(folder: &Path, options: Options) -> Result<Self, LocalError> {
        let shape = Shape::read(folder)?;
        let most = most_tokens(folder, &shape)?;
        let tokens = Tokens::open(folder, most)?;
        let path = folder.join("model.safetensors");
        if !path.exists() && folder.join("pytorch_model.bin").exists() {
            let hint = "convert it to model.safetensors, which runs no code when it is opened";
            return Err(LocalError::unsupported(
                &folder.join("pytorch_model.bin"),
                "a pickled checkpoint",
                hint,
            ));
        }
        let tensors = Tensors::open(&path)?;
        let kernels = options.isa.and_then(Kernels::of).unwrap_or_else(Kernels::best);
        let encoder = Encoder::open(&tensors, shape, options.precision, kernels)?;
        if tokens.vocabulary() > encoder.vocabulary() {
            let what = format!(
                "knows {} tokens, but the model has vectors for {} only",
                tokens.vocabulary(),
                encoder.vocabulary()
            );
            return Err(LocalError::invalid(&folder.join("tokenizer.json"), what));
        }
        let name = folder
            .canonicalize()
            .ok()
            .as_deref()
            .unwrap_or(folder)
            .file_name()
            .map_or_else(|| "model".to_owned(), |name| name.to_string_lossy().into_owned());
        let pool = Pool::of(options.threads)?;
        Ok(Self { name, encoder, tokens, pool, tensors, kernels, precision: options.precision })
    }

    /// Names the model and all that changes its results.
    pub(crate) fn id(&self, more: &str) -> Result<String, LocalError> {
        let mut hasher = blake3::Hasher::new();
        self.tensors.fingerprint(&mut hasher)?;
        hasher.update(format!("{:?} {}", self.encoder.shape, self.tokens.vocabulary()).as_bytes());
        hasher.update(more.as_bytes());
        let hash = hasher.finalize().to_hex();
        let short = hash.get(..12).unwrap_or_default();
        Ok(format!("local/{}@{short}/{}", self.name, self.precision.as_str()))
    }

    pub(crate) fn family(&self) -> Family {
        self.encoder.shape.family
    }

    /// Tokenises so many texts, computes their tokens' vectors, and makes something of those of each.
    pub(crate) async fn run<S, T, A, F>(
        self: &Arc<Self>,
        haste: Haste,
        count: usize,
        sequence: S,
        finish: Arc<A>,
        with: F,
    ) -> Result<Made<T>, LocalError>
    where
        S: Fn(&Tokens, usize) -> Result<Sequence, LocalError> + Send + Sync + 'static,
        T: Send + 'static,
        A: Send + Sync + 'static,
        F: Fn(&A, &Encoded<'_>, usize, usize) -> T + Send + Sync + 'static,
    {
        let model = Arc::clone(self);
        let tokenised = self
            .pool
            .map(haste, count.div_ceil(TOKENISE), move |number, _| {
                let texts = number * TOKENISE..count.min((number + 1) * TOKENISE);
                texts.map(|text| sequence(&model.tokens, text)).collect::<Result<Vec<_>, _>>()
            })
            .await?;
        let mut sequences = Vec::with_capacity(count);
        for part in tokenised {
            sequences.append(&mut part?);
        }
        let tokens = sequences.iter().map(|sequence| sequence.ids.len()).sum();
        let cut = sequences.iter().filter(|sequence| sequence.cut).count();
        let packs = packs(&sequences, tokens, self.pool.threads());
        let order: Vec<usize> = packs.iter().flatten().copied().collect();
        let model = Arc::clone(self);
        let made = self
            .pool
            .map(haste, packs.len(), move |number, scratch| {
                let numbers = packs.get(number).map(Vec::as_slice).unwrap_or_default();
                let pack: Vec<&Sequence> = numbers.iter().filter_map(|text| sequences.get(*text)).collect();
                let encoded = model.encoder.run(&pack, scratch);
                let mut start = 0;
                let mut results = Vec::with_capacity(pack.len());
                for sequence in pack {
                    results.push(with(&finish, &encoded, start, sequence.ids.len()));
                    start += sequence.ids.len();
                }
                results
            })
            .await?;
        let mut numbered: Vec<(usize, T)> = order.into_iter().zip(made.into_iter().flatten()).collect();
        numbered.sort_unstable_by_key(|(text, _)| *text);
        Ok(Made { results: numbered.into_iter().map(|(_, result)| result).collect(), tokens, cut })
    }

    /// The span of a call.
    pub(crate) fn span(&self, cx: &CallContext, operation: Operation, texts: usize) -> SpanScope {
        let mut span = cx.span(operation, format!("{} {}", operation.as_str(), self.name));
        span.set("gen_ai.provider.name", PROVIDER);
        span.set("gen_ai.request.model", self.name.as_str());
        span.set("hanok.texts", texts);
        span.set("hanok.precision", self.precision.as_str());
        span
    }

    /// Ends it: with what was used, or with why it failed.
    pub(crate) fn ended<T>(
        mut span: SpanScope,
        made: Result<Made<T>, LocalError>,
    ) -> Result<Made<T>, ProviderError> {
        match made {
            Ok(made) => {
                span.set("gen_ai.usage.input_tokens", made.tokens);
                if made.cut > 0 {
                    span.set("hanok.texts_cut", made.cut);
                }
                span.finish();
                Ok(made)
            }
            Err(error) => {
                let kind = match error {
                    LocalError::Tokenise(_) => ProviderErrorKind::InvalidRequest,
                    _ => ProviderErrorKind::Internal,
                };
                span.fail(kind.as_str(), error.to_string());
                Err(ProviderError::new(kind, &ProviderName::from(PROVIDER), error.to_string())
                    .with_source(error))
            }
        }
    }
}

/// The name local models have as a provider.
const PROVIDER: &str = crate::LocalProvider::NAME;

/// Which texts are computed together: those of like length, the longest first, in packs small enough that every
/// thread gets some.
fn packs(sequences: &[Sequence], tokens: usize, threads: usize) -> Vec<Vec<usize>> {
    let most = tokens.div_ceil(threads.max(1) * 2).clamp(LEAST_PACK, PACK);
    let len = |number: usize| sequences.get(number).map_or(0, |sequence| sequence.ids.len());
    let mut order: Vec<usize> = (0..sequences.len()).collect();
    order.sort_by_key(|number| std::cmp::Reverse(len(*number)));
    let mut packs: Vec<Vec<usize>> = Vec::new();
    let mut room = 0;
    for number in order {
        let len = len(number);
        if let Some(pack) = packs.last_mut().filter(|_| len <= room) {
            pack.push(number);
            room -= len;
        } else {
            packs.push(vec![number]);
            room = most.saturating_sub(len);
        }
    }
    packs
}
