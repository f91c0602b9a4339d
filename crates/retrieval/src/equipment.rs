//! What a collection is searched with, beside its words.

use hanok_base::{Embedder, Legs, Reranker};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// What a collection is searched with.
#[derive(Clone, Default)]
pub struct Equipment {
    /// Makes the vectors of the dense leg; without one, words alone are searched.
    pub embedder: Option<Arc<dyn Embedder>>,
    /// What the embedder was opened from, in the words of whoever did: kept with its vectors, so that it can be opened
    /// again when another one is to follow it.
    pub embedder_from: Option<String>,
    /// Looks at the best hits once more.
    pub reranker: Option<Arc<dyn Reranker>>,
    /// Which legs a search has that does not say; `None` for all there are.
    pub legs: Option<Legs>,
    /// How the legs become one list.
    pub fusion: Fusion,
    /// Hits of one document at most; `None` for any number.
    pub per_source: Option<usize>,
    /// Whether this is what the collection is to have.
    pub readiness: Readiness,
}

/// Whether a collection has what it is to be searched with. Opening a model takes its time, and nobody waits for it:
/// until it is there, and where it cannot be had, searches go on with what there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Readiness {
    /// It has it.
    #[default]
    Ready,
    /// It is being opened.
    Opening,
    /// It could not be opened, with the reason.
    Failed(String),
}

impl fmt::Debug for Equipment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Equipment")
            .field("embedder", &self.embedder.as_ref().map(|embedder| embedder.id().to_owned()))
            .field("embedder_from", &self.embedder_from)
            .field("reranker", &self.reranker.as_ref().map(|reranker| reranker.id().to_owned()))
            .field("legs", &self.legs)
            .field("fusion", &self.fusion)
            .field("per_source", &self.per_source)
            .field("readiness", &self.readiness)
            .finish()
    }
}

/// How two ranked lists become one.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum Fusion {
    /// By scores, each leg's on its own scale for this query, the dense leg's counting `dense` of 1.
    Scores {
        /// Between 0 (words alone) and 1 (vectors alone).
        dense: f64,
    },
    /// By ranks alone (Cormack, Clarke and Büttcher 2009).
    Rrf {
        /// The greater, the less the first ranks differ from the next ones.
        k: f64,
    },
}

impl Fusion {
    /// What the dense leg counts, of 1, where it knows the texts well: chosen on the training questions of `SciFact`,
    /// where anything between 0.45 and 0.6 does as well.
    pub const DENSE: f64 = 0.55;
}

impl Default for Fusion {
    fn default() -> Self {
        Self::Scores { dense: Self::DENSE }
    }
}
