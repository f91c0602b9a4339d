//! What a version of a prompt is: its text with that of the partials it uses, known by their hash.

use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// Digits of a version that people are shown.
const SHORT: usize = 10;
/// Fewer digits name no version.
const LEAST: usize = 6;

/// The BLAKE3 hash of a prompt's text and the partials it uses, in hexadecimal.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct VersionId(String);

impl VersionId {
    /// The version of these texts. Partials go in by name, so that their order does not count.
    pub fn of(source: &str, partials: &BTreeMap<String, String>) -> Self {
        Self(hanok_store::prompts::version_hash(source, partials))
    }

    /// One that was written down before.
    pub(crate) fn written(hash: String) -> Self {
        Self(hash)
    }

    /// All of its digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The digits that people are shown.
    pub fn short(&self) -> &str {
        self.0.get(..SHORT).unwrap_or(&self.0)
    }

    /// Whether a text could be the beginning of a version: enough digits, and nothing else.
    pub fn is_like(text: &str) -> bool {
        (LEAST..=64).contains(&text.len())
            && text.bytes().all(|c| c.is_ascii_digit() || (b'a'..=b'f').contains(&c))
    }
}

impl fmt::Display for VersionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}
