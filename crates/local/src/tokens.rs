//! Texts to tokens, cut to what the model takes.

use crate::LocalError;
use std::path::Path;
use tokenizers::{Encoding, Tokenizer, TruncationParams, TruncationStrategy};

/// Bytes of a text that are looked at first, for each token the model takes. What lies far beyond cannot matter.
const BYTES_PER_TOKEN: usize = 32;
/// So many tokens too many prove that what was cut off the text does not matter.
const BEYOND: usize = 16;

/// A text in tokens.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sequence {
    pub(crate) ids: Vec<u32>,
    /// Which of two texts each is of; empty: all of the first.
    pub(crate) types: Vec<u32>,
    /// Not all of the text is in it.
    pub(crate) cut: bool,
}

/// The tokenizer of a model.
pub(crate) struct Tokens {
    tokenizer: Tokenizer,
    most: usize,
}

impl Tokens {
    /// Reads `tokenizer.json`; sequences get at most `most` tokens, special ones included.
    pub(crate) fn open(folder: &Path, most: usize) -> Result<Self, LocalError> {
        let path = folder.join("tokenizer.json");
        let bytes = std::fs::read(&path).map_err(|source| LocalError::read(&path, source))?;
        let mut tokenizer = Tokenizer::from_bytes(&bytes).map_err(|error| {
            LocalError::invalid(&path, format!("is no tokenizer that is known here: {error}"))
        })?;
        tokenizer.with_padding(None);
        let truncation = TruncationParams {
            max_length: most,
            strategy: TruncationStrategy::LongestFirst,
            ..TruncationParams::default()
        };
        tokenizer
            .with_truncation(Some(truncation))
            .map_err(|error| LocalError::invalid(&path, format!("cannot cut to {most} tokens: {error}")))?;
        Ok(Self { tokenizer, most })
    }

    /// Tokens of a sequence at most, special ones included.
    pub(crate) fn most(&self) -> usize {
        self.most
    }

    /// Tokens it knows, added ones included.
    pub(crate) fn vocabulary(&self) -> usize {
        self.tokenizer.get_vocab_size(true)
    }

    /// A text after its prompt.
    pub(crate) fn one(&self, prompt: &str, text: &str) -> Result<Sequence, LocalError> {
        let mut len = self.most * BYTES_PER_TOKEN;
        loop {
            let (head, whole) = beginning(text, len);
            let encoding = if prompt.is_empty() {
                self.tokenizer.encode_fast(head, true)
            } else {
                self.tokenizer.encode_fast([prompt, head].concat(), true)
            };
            let encoding = encoding.map_err(|error| LocalError::Tokenise(error.to_string()))?;
            if whole || beyond(&encoding) >= BEYOND {
                return Ok(Sequence {
                    ids: encoding.get_ids().to_vec(),
                    types: Vec::new(),
                    cut: !whole || beyond(&encoding) > 0,
                });
            }
            len = len.saturating_mul(8);
        }
    }

    /// A question and a text, together.
    pub(crate) fn two(&self, question: &str, text: &str) -> Result<Sequence, LocalError> {
        let (question, whole_question) = beginning(question, self.most * BYTES_PER_TOKEN);
        let mut len = self.most * BYTES_PER_TOKEN;
        loop {
            let (head, whole) = beginning(text, len);
            let encoding = self
                .tokenizer
                .encode_fast((question, head), true)
                .map_err(|error| LocalError::Tokenise(error.to_string()))?;
            if whole || beyond(&encoding) >= BEYOND {
                return Ok(Sequence {
                    ids: encoding.get_ids().to_vec(),
                    types: encoding.get_type_ids().to_vec(),
                    cut: !whole || !whole_question || beyond(&encoding) > 0,
                });
            }
            len = len.saturating_mul(8);
        }
    }
}

/// Tokens that were cut off.
fn beyond(encoding: &Encoding) -> usize {
    encoding.get_overflowing().iter().map(Encoding::len).sum()
}

/// The beginning of a text, cut at white space where some is near; and whether that is all of it.
fn beginning(text: &str, len: usize) -> (&str, bool) {
    if text.len() <= len {
        return (text, true);
    }
    let head = text.get(..text.floor_char_boundary(len)).unwrap_or(text);
    let near = head.len().saturating_sub(256);
    let end = head.rfind(char::is_whitespace).filter(|end| *end > near).unwrap_or(head.len());
    (head.get(..end).unwrap_or(head), false)
}
