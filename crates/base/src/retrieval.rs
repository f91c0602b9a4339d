//! The seam behind which documents are searched.

use crate::{BoxFuture, CallContext, CollectionName, Object, Timestamp};
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
    /// Conditions on the documents' metadata, applied before ranking, in the language of `docs/filters.md`;
    /// empty means all documents.
    pub filter: String,
    /// Whose documents may be found, applied before ranking.
    pub readers: Readers,
    /// What is to be asked; `None` leaves it to the collection.
    pub legs: Option<Legs>,
}

impl SearchQuery {
    /// The best `top_k` chunks of all documents of a collection, searched as the collection is set up.
    pub fn new(text: impl Into<String>, collection: CollectionName, top_k: usize) -> Self {
        let (filter, readers, legs) = (String::new(), Readers::All, None);
        Self { text: text.into(), collection, top_k, filter, readers, legs }
    }
}

/// Who searches, for documents that only some may read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Readers {
    /// One who may read everything: the house's owner.
    #[default]
    All,
    /// Somebody who is, or belongs to, these; documents without readers are for everybody.
    Of(Vec<String>),
}

/// Which legs a search has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Legs {
    /// Words only.
    Bm25,
    /// Vectors only.
    Dense,
    /// Both, fused.
    Hybrid,
}

/// Whether what a document says may be taken for an instruction or not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Trust {
    /// The house's own words.
    Trusted,
    /// Anybody's.
    #[default]
    Untrusted,
}

/// What one leg, or a step behind the legs, said of a hit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Vote {
    /// Whose: `bm25`, `dense`, `rerank`.
    pub leg: String,
    /// The rank it gave, from 1.
    pub rank: usize,
    /// The score it gave, in its own measure.
    pub score: f64,
    /// How much it counted in this search, 0 to 1.
    pub weight: f64,
    /// Why in words: the terms that matched, why the leg counts so much or little; may be empty.
    pub reason: String,
}

/// A leg, or a step behind the legs, that was to take part in a search and counted for nothing in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Which: `dense`, `rerank`.
    pub leg: String,
    /// Why in words.
    pub reason: String,
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
    /// Where it came from and why it is here.
    #[serde(flatten)]
    pub about: About,
}

/// What is known of a hit beside its text.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// Pages of the original that the chunk stands on, from 1, first and last; `None` where it has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pages: Option<(u32, u32)>,
    /// BLAKE3 of the chunk's text, in hexadecimal: the same words have the same, wherever they stand.
    #[serde(default)]
    pub hash: String,
    /// When the document was taken in, its content as it is.
    #[serde(default, with = "moment_text")]
    pub indexed_at: Timestamp,
    /// The document's trust.
    #[serde(default)]
    pub trust: Trust,
    /// The document's metadata.
    #[serde(default, skip_serializing_if = "Object::is_empty")]
    pub metadata: Object,
    /// Why the hit has this rank, leg by leg.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub votes: Vec<Vote>,
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
    /// What was to take part and did not count.
    pub left_out: Vec<LeftOut>,
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
    /// The conditions on documents cannot be read; where, and what would be right.
    #[error("{0}")]
    BadFilter(String),
    /// Vectors alone are asked for, and there are none; why, and what to do.
    #[error("{0}")]
    NoVectors(String),
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

/// A moment as interfaces show it. Nanoseconds are read as well: results were kept with them.
mod moment_text {
    use super::Timestamp;
    use serde::{Deserialize, Deserializer, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Moment {
        Text(String),
        Nanoseconds(i64),
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
    pub(super) fn serialize<S: Serializer>(time: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&time.rfc3339())
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
        match Moment::deserialize(deserializer)? {
            Moment::Nanoseconds(time) => Ok(Timestamp(time)),
            Moment::Text(text) => Timestamp::parse_rfc3339(&text)
                .ok_or_else(|| serde::de::Error::custom(format!("`{text}` is no moment"))),
        }
    }
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
