//! A question and a text, read together, to a score.

use crate::LocalError;
use crate::config::Family;
use crate::encoder::Encoded;
use crate::model::{Made, Model, Options};
use crate::pool::{Haste, wait};
use hanok_base::{BoxFuture, CallContext, Operation, ProviderError, Reranker};
use std::path::Path;
use std::sync::Arc;

/// A model that judges how well texts answer a question, in this process. Cheap to clone.
#[derive(Clone)]
pub struct CrossEncoder {
    model: Arc<Model>,
    head: Arc<Head>,
    id: Arc<str>,
}

/// From the vector of the first token to a score.
struct Head {
    /// Rows of inputs, one for each output.
    dense: Vec<f32>,
    dense_bias: Vec<f32>,
    /// Otherwise `max(x, 0)`.
    tanh: bool,
    /// One row of weights, or the difference of two: that of "yes" and that of "no".
    out: Vec<f32>,
    out_bias: f32,
}

impl CrossEncoder {
    /// Opens a folder with a model for sequence classification of one label, or of two of which the second means that
    /// the text answers.
    ///
    /// # Errors
    ///
    /// Names the file, and the tensor where it is one, that is missing, broken or of a kind not computed here.
    pub fn open(folder: &Path, options: Options) -> Result<Self, LocalError> {
        let model = Model::open(folder, options)?;
        if !model.encoder.shape.classifies {
            let what = "a model without a head that scores";
            let hint = "take a cross-encoder, such as ms-marco-minilm-l6-v2 or bge-reranker-base";
            return Err(LocalError::unsupported(&folder.join("config.json"), what, hint));
        }
        let head = Head::read(&model)?;
        let id = model.id(&format!("pair {}", model.tokens.most()))?;
        Ok(Self { model, head: Arc::new(head), id: id.into() })
    }

    /// One score per text, in order: greater is better. Blocks this thread, which must be none of an async runtime,
    /// while the models' threads compute.
    pub fn rerank_now(&self, question: &str, texts: &[&str]) -> Result<Vec<f32>, LocalError> {
        Ok(wait(self.scores(question, texts))?.results)
    }

    /// The scores of some texts, recorded under `cx`, and the tokens of question and texts.
    pub(crate) async fn rerank_counted(
        &self,
        cx: &CallContext,
        question: &str,
        texts: &[&str],
    ) -> Result<(Vec<f32>, usize), ProviderError> {
        let span = self.model.span(cx, Operation::Rerank, texts.len());
        let made = Model::ended(span, self.scores(question, texts).await)?;
        Ok((made.results, made.tokens))
    }

    async fn scores(&self, question: &str, texts: &[&str]) -> Result<Made<f32>, LocalError> {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        let question = question.to_owned();
        let count = texts.len();
        let sequence = move |tokens: &crate::tokens::Tokens, number: usize| {
            tokens.two(&question, texts.get(number).map(String::as_str).unwrap_or_default())
        };
        let head = Arc::clone(&self.head);
        self.model
            .run(Haste::Urgent, count, sequence, head, |head, encoded, start, _| head.score(encoded, start))
            .await
    }
}

impl Reranker for CrossEncoder {
    fn id(&self) -> &str {
        &self.id
    }

    fn rerank<'a>(
        &'a self,
        cx: &'a CallContext,
        question: &'a str,
        texts: &'a [&'a str],
    ) -> BoxFuture<'a, Result<Vec<f32>, ProviderError>> {
        Box::pin(async move { Ok(self.rerank_counted(cx, question, texts).await?.0) })
    }
}

impl Head {
    fn read(model: &Model) -> Result<Self, LocalError> {
        let tensors = &model.tensors;
        let hidden = model.encoder.shape.hidden;
        let (dense, out, tanh) = match model.family() {
            Family::Bert if tensors.has("bert.pooler.dense.weight") => {
                ("bert.pooler.dense", "classifier", true)
            }
            Family::Bert => ("pooler.dense", "classifier", true),
            Family::Roberta => ("classifier.dense", "classifier.out_proj", true),
            Family::DistilBert => ("pre_classifier", "classifier", false),
        };
        let weight = format!("{out}.weight");
        let labels = tensors.shape(&weight)?.first().copied().unwrap_or_default();
        let rows = tensors.read(&weight, &[labels, hidden])?;
        let bias = tensors.read(&format!("{out}.bias"), &[labels])?;
        let (out, out_bias) = match *bias.as_slice() {
            [bias] => (rows, bias),
            [no, yes] => {
                let (against, towards) = rows.split_at(hidden.min(rows.len()));
                (towards.iter().zip(against).map(|(yes, no)| yes - no).collect(), yes - no)
            }
            _ => {
                let what = format!("has {labels} labels, but a score comes of one or two");
                return Err(LocalError::tensor(tensors.path(), &weight, what));
            }
        };
        Ok(Self {
            dense: tensors.read(&format!("{dense}.weight"), &[hidden, hidden])?,
            dense_bias: tensors.read(&format!("{dense}.bias"), &[hidden])?,
            tanh,
            out,
            out_bias,
        })
    }

    fn score(&self, encoded: &Encoded<'_>, start: usize) -> f32 {
        let first = encoded.row(start);
        let mut score = self.out_bias;
        let rows = self.dense.chunks_exact(first.len().max(1));
        for ((weights, bias), out) in rows.zip(&self.dense_bias).zip(&self.out) {
            let sum = bias + weights.iter().zip(first).map(|(weight, value)| weight * value).sum::<f32>();
            score += out * if self.tanh { sum.tanh() } else { sum.max(0.0) };
        }
        score
    }
}
