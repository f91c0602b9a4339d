//! Candle's BERT over the same texts, in this process; its threads are rayon's.

use anyhow::{Error, Result};
use candle_core::{DType, Device, Tensor};
use candle_nn::VarBuilder;
use candle_transformers::models::bert::{BertModel, Config};
use std::path::Path;
use tokenizers::{PaddingParams, Tokenizer, TruncationParams};

/// The model and how its texts are cut.
pub(crate) struct Candle {
    model: BertModel,
    tokenizer: Tokenizer,
}

impl Candle {
    /// Opens a model of the BERT family, for texts of at most `most` tokens.
    pub(crate) fn open(folder: &Path, most: usize) -> Result<Self> {
        let config: Config = serde_json::from_slice(&std::fs::read(folder.join("config.json"))?)?;
        let weights = std::fs::read(folder.join("model.safetensors"))?;
        let weights = VarBuilder::from_buffered_safetensors(weights, DType::F32, &Device::Cpu)?;
        let model = BertModel::load(weights, &config)?;
        let mut tokenizer = Tokenizer::from_file(folder.join("tokenizer.json")).map_err(Error::msg)?;
        let cut = TruncationParams { max_length: most, ..TruncationParams::default() };
        tokenizer.with_truncation(Some(cut)).map_err(Error::msg)?;
        // To the longest of a batch, whatever the file says.
        tokenizer.with_padding(Some(PaddingParams::default()));
        Ok(Self { model, tokenizer })
    }

    /// Vectors of length 1, the mean over each text's tokens; texts are taken by their length, for less padding.
    pub(crate) fn embed(&self, texts: &[&str], batch: usize) -> Result<Vec<Vec<f32>>> {
        let mut order: Vec<usize> = (0..texts.len()).collect();
        order.sort_by_key(|at| std::cmp::Reverse(texts.get(*at).map_or(0, |text| text.len())));
        let mut vectors = vec![Vec::new(); texts.len()];
        for some in order.chunks(batch.max(1)) {
            let asked: Vec<&str> = some.iter().filter_map(|at| texts.get(*at).copied()).collect();
            let tokens = self.tokenizer.encode_batch(asked, true).map_err(Error::msg)?;
            let rows = |part: fn(&tokenizers::Encoding) -> &[u32]| -> Result<Tensor> {
                let rows: Vec<Tensor> = tokens
                    .iter()
                    .map(|row| Tensor::new(part(row), &Device::Cpu))
                    .collect::<Result<_, _>>()?;
                Ok(Tensor::stack(&rows, 0)?)
            };
            let (ids, mask) =
                (rows(tokenizers::Encoding::get_ids)?, rows(tokenizers::Encoding::get_attention_mask)?);
            let hidden = self.model.forward(&ids, &ids.zeros_like()?, Some(&mask))?;
            let mask = mask.to_dtype(DType::F32)?.unsqueeze(2)?;
            let mean = hidden.broadcast_mul(&mask)?.sum(1)?.broadcast_div(&mask.sum(1)?)?;
            let unit = mean.broadcast_div(&mean.sqr()?.sum_keepdim(1)?.sqrt()?)?;
            for (at, vector) in some.iter().zip(unit.to_vec2::<f32>()?) {
                if let Some(slot) = vectors.get_mut(*at) {
                    *slot = vector;
                }
            }
        }
        Ok(vectors)
    }
}
