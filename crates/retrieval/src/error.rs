//! What can go wrong with documents.

use hanok_base::{BoxError, ProviderError};
use hanok_index::IndexError;
use hanok_store::StoreError;
use std::path::PathBuf;

/// Documents could not be indexed, listed or searched.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// A path to index does not exist.
    #[error("there is nothing at {}", .0.display())]
    NoSuchPath(PathBuf),
    /// A pattern to index matches no document.
    #[error("no document matches {}", .0.display())]
    NothingMatches(PathBuf),
    /// A pattern to index is none.
    #[error("{} is not a pattern: {reason}", path.display())]
    Pattern {
        /// The pattern.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A path to index cannot be used.
    #[error("cannot use {}", path.display())]
    Path {
        /// The path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A collection cannot be set so.
    #[error("collections.{collection}.{reason}")]
    Settings {
        /// The collection.
        collection: hanok_base::CollectionName,
        /// The member, and why.
        reason: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The search index failed.
    #[error(transparent)]
    Index(#[from] IndexError),
    /// The collection to evaluate is not as it should be.
    #[error("{}: {reason}", path.display())]
    BadCollection {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Texts could not be embedded.
    #[error("texts could not be embedded")]
    Embedding(#[from] ProviderError),
    /// A chat model that was asked on the way failed.
    #[error("the model could not be asked: {0}")]
    Model(#[source] ProviderError),
    /// An embedder did not answer for each text.
    #[error("the embedder {embedder} gave {given} vectors for {asked} texts")]
    Vectors {
        /// Which.
        embedder: String,
        /// How many it gave.
        given: usize,
        /// How many texts it had.
        asked: usize,
    },
    /// Work on a thread of its own did not come to its end.
    #[error("a worker failed")]
    Worker(#[source] BoxError),
}

/// Runs blocking work away from the runtime's threads.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, LibraryError> {
    tokio::task::spawn_blocking(work).await.map_err(|error| LibraryError::Worker(error.into()))
}
