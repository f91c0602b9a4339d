//! The seam behind which documents are searched.

use crate::{BoxFuture, CallContext, CollectionName};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A document's id: stable over re-indexing, derived from its collection and path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u64);

impl fmt::Display for SourceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for SourceId {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        u64::from_str_radix(text, 16).map(Self)
    }
}

/// What to search for.
#[derive(Clone, Debug)]
pub struct SearchQuery {
    /// The question or words, in any language.
    pub text: String,
    /// Where.
    pub collection: CollectionName,
    /// How many hits at most.
    pub top_k: usize,
}

/// A chunk that matched.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hit {
    /// The document's id, for `/sources/{id}`.
    #[serde(with = "source_id_text")]
    pub source_id: SourceId,
    /// The document as the user knows it: its path.
    pub source: String,
    /// The headings above the chunk, outermost first, joined by ` > `; empty when there is none.
    pub heading: String,
    /// First byte of the chunk in the source's extracted text.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The bytes between, verbatim.
    pub text: String,
    /// The score; greater is better, comparable within one result only.
    pub score: f64,
}

/// How much of a collection is searchable.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Documents indexed.
    pub indexed: u64,
    /// Documents found so far; greater than `indexed` while indexing runs.
    pub found: u64,
    /// Whether indexing still runs.
    pub indexing: bool,
}

/// What a search found.
#[derive(Clone, Debug, Default)]
pub struct SearchResult {
    /// Best first.
    pub hits: Vec<Hit>,
    /// How much was searched.
    pub coverage: Coverage,
}

/// Searches collections.
pub trait Retriever: Send + Sync {
    /// The best chunks for a query; recorded as a span under `cx`.
    fn search<'a>(
        &'a self,
        cx: &'a CallContext,
        query: &'a SearchQuery,
    ) -> BoxFuture<'a, Result<SearchResult, RetrievalError>>;
}

/// A search could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RetrievalError {
    /// No such collection; the ones there are.
    #[error("there is no collection `{name}`; there are: {}", known.join(", "))]
    UnknownCollection {
        /// The name asked for.
        name: CollectionName,
        /// The names there are.
        known: Vec<String>,
    },
    /// The query holds no word that could match.
    #[error("the query holds nothing that can be searched for: {:?}", beginning(.0))]
    EmptyQuery(String),
    /// The index or the store failed.
    #[error("search failed")]
    Failed(#[source] crate::BoxError),
}

/// Enough of a query to know it by.
fn beginning(query: &str) -> String {
    const ENOUGH: usize = 80;
    let mut text: String = query.chars().take(ENOUGH).collect();
    if query.chars().nth(ENOUGH).is_some() {
        text.push('…');
    }
    text
}

mod source_id_text {
    use super::SourceId;
    use serde::{Deserialize, Deserializer, Serializer};

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(id: &SourceId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SourceId, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}
