//! How a collection's documents are taken in: how they are cut, and what is said of which.

use crate::chunking::Chunking;
use crate::describe::Rule;
use hanok_base::Object;
use hanok_index::Analysis;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// How a collection's documents are taken in. Kept with the collection, so that it holds for every run until it is
/// set otherwise.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// How texts are cut.
    pub chunking: Chunking,
    /// Whether that was adopted because it was measured to be better, rather than configured.
    pub adopted: bool,
    /// Whether English words are found as they stand only, rather than by their stems.
    pub keep_endings: bool,
    /// What is said of which documents; a later rule counts more than an earlier one.
    pub metadata: Vec<Rule>,
}

impl Settings {
    /// The settings among all that is kept with a collection; what makes no sense counts as not said.
    pub(crate) fn of(kept: &Object) -> Self {
        let member = |name: &str| kept.get(name).cloned().unwrap_or_default();
        Self {
            chunking: serde_json::from_value(member("chunking")).unwrap_or_default(),
            adopted: member("adopted") == Value::Bool(true),
            keep_endings: member("keep_endings") == Value::Bool(true),
            metadata: serde_json::from_value(member("metadata")).unwrap_or_default(),
        }
    }

    /// How words become terms.
    pub(crate) fn analysis(&self) -> Analysis {
        Analysis { keep_endings: self.keep_endings }
    }

    /// Puts the settings in, beside what others keep there.
    pub(crate) fn put(&self, kept: &mut Object) {
        kept.insert("chunking".to_owned(), json!(self.chunking));
        kept.insert("adopted".to_owned(), Value::Bool(self.adopted));
        kept.insert("keep_endings".to_owned(), Value::Bool(self.keep_endings));
        let metadata = self.metadata.iter().map(|rule| json!(rule)).collect();
        kept.insert("metadata".to_owned(), Value::Array(metadata));
    }
}

/// The first bytes of a text's BLAKE3.
pub(crate) fn hash(text: &str) -> u64 {
    let mut bytes = [0; 8];
    blake3::Hasher::new().update(text.as_bytes()).finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}
