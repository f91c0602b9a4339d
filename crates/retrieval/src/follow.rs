//! The index follows the store: by generation, deleting by source before adding.

use crate::error::{LibraryError, blocking};
use crate::library::Shelf;
use hanok_index::Writer;
use hanok_store::Store;
use hanok_store::documents::Delta;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// How long searches wait at most for what is already indexed, while more comes.
const COMMIT_EVERY: Duration = Duration::from_secs(1);

/// What an index's mark says: whose history it follows, and how far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) epoch: i64,
    pub(crate) generation: u64,
}

impl Mark {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (epoch, generation) = text.split_once(' ')?;
        Some(Self { epoch: epoch.parse().ok()?, generation: generation.parse().ok()? })
    }
    pub(crate) fn text(self) -> String {
        format!("{} {}", self.epoch, self.generation)
    }
}

/// Brings one collection's index to the store's generation. Holds the writer only while there is work.
pub(crate) struct Follower {
    store: Store,
    shelf: Arc<Shelf>,
    writer: Option<Writer>,
    /// The generation that was handed to the writer.
    at: u64,
    /// Documents handed to the writer and not committed.
    uncommitted: u64,
    /// Whether the writer has anything that is not committed: a commit writes and reloads whether it has or not.
    dirty: bool,
    committed: Option<Instant>,
}

impl Follower {
    pub(crate) fn new(store: Store, shelf: Arc<Shelf>) -> Self {
        // Where that is another way than till now, all is taken in anew, beside what searches ask meanwhile.
        shelf.index.analyze_as(shelf.settings().analysis());
        let at = shelf.generation().unwrap_or(0);
        Self { store, shelf, writer: None, at, uncommitted: 0, dirty: false, committed: None }
    }

    /// Takes in what the store has beyond the index. `last` commits it whatever the time.
    pub(crate) async fn follow(&mut self, last: bool) -> Result<(), LibraryError> {
        // A database restored, or set back by a power cut, knows nothing of what the index has beyond it.
        let mut ahead = false;
        loop {
            let delta = self.store.documents().changes_since(self.shelf.id, self.at).await?;
            if delta.generation < self.at {
                ahead = true;
                self.at = 0;
                continue;
            }
            let more = delta.more;
            // An index of another history is emptied even where this one has nothing yet.
            let is_foreign = self.shelf.generation().is_none() && !self.shelf.index.is_empty();
            if delta.generation != self.at || is_foreign || std::mem::take(&mut ahead) {
                self.take(delta).await?;
            }
            if !more && self.shelf.index.is_to_be_replaced() {
                self.replace().await?;
            }
            let due = self.committed.is_none_or(|at| at.elapsed() >= COMMIT_EVERY);
            if self.dirty && (due || (last && !more)) {
                self.commit().await?;
            }
            if !more {
                return Ok(());
            }
        }
    }

    /// Ends the writer and what is no longer needed.
    pub(crate) async fn finish(mut self) -> Result<(), LibraryError> {
        if let Some(writer) = self.writer.take() {
            blocking(move || writer.finish()).await??;
            // Vectors follow behind and must hear of them, too.
            let dense = self.shelf.dense.read().clone();
            let heard = dense.map_or(self.at, |dense| dense.generation(self.shelf.epoch).unwrap_or(0));
            self.store.documents().forget_tombstones(self.shelf.id, self.at.min(heard)).await?;
        }
        Ok(())
    }

    async fn take(&mut self, delta: Delta) -> Result<(), LibraryError> {
        let (shelf, writer, at) = (self.shelf.clone(), self.writer.take(), self.at);
        let (generation, sources) = (delta.generation, delta.sources.len());
        let writer = blocking(move || -> Result<Writer, LibraryError> {
            let writer = if let Some(writer) = writer {
                writer
            } else {
                let writer = shelf.index.writer()?;
                // From nothing: whatever the folder holds is another history's.
                if at == 0 {
                    writer.clear()?;
                }
                writer
            };
            for id in &delta.deleted {
                writer.delete_group(id.0);
            }
            for source in &delta.sources {
                writer.delete_group(source.id.0);
                for (key, chunk) in &source.chunks {
                    let text = source.text.get(chunk.start..chunk.end).unwrap_or_default();
                    // The title is mostly the outermost heading already.
                    let title = if chunk.heading.starts_with(&source.title) { "" } else { &source.title };
                    writer.add(*key, source.id.0, &[title, &chunk.heading, text])?;
                }
            }
            Ok(writer)
        })
        .await??;
        self.writer = Some(writer);
        self.at = generation;
        self.dirty = true;
        self.uncommitted += u64::try_from(sources).unwrap_or(u64::MAX);
        Ok(())
    }

    async fn commit(&mut self) -> Result<(), LibraryError> {
        let Some(mut writer) = self.writer.take() else {
            return Ok(());
        };
        let mark = Mark { epoch: self.shelf.epoch, generation: self.at }.text();
        let writer = blocking(move || writer.commit(&mark).map(|()| writer)).await??;
        self.writer = Some(writer);
        self.dirty = false;
        self.committed = Some(Instant::now());
        let uncommitted = std::mem::take(&mut self.uncommitted);
        if !self.shelf.index.is_to_be_replaced() {
            self.shelf.indexed.fetch_add(uncommitted, Ordering::Relaxed);
        }
        Ok(())
    }

    /// Puts the index that was made of other terms, and is at the store's generation by now, in the place of the one that
    /// was asked till now.
    async fn replace(&mut self) -> Result<(), LibraryError> {
        let (shelf, writer) = (self.shelf.clone(), self.writer.take());
        let mark = Mark { epoch: shelf.epoch, generation: self.at }.text();
        let completed = blocking(move || -> Result<Writer, LibraryError> {
            let mut writer = writer.map_or_else(|| shelf.index.writer(), Ok)?;
            writer.complete(&mark)?;
            Ok(writer)
        });
        self.writer = Some(completed.await??);
        self.dirty = false;
        self.committed = Some(Instant::now());
        self.uncommitted = 0;
        let indexed = self.store.documents().sources_up_to(self.shelf.id, self.at).await?;
        self.shelf.indexed.store(indexed, Ordering::Relaxed);
        Ok(())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use crate::library::Library;
    use crate::sync::Document;
    use hanok_store::Options;
    use hanok_store::documents::Changes;
    use std::os::unix::fs::MetadataExt as _;

    #[tokio::test]
    async fn what_is_committed_is_not_committed_again() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path(), Options::default()).unwrap();
        let library = Library::open(store.clone(), folder.path()).await.unwrap();
        let name = "docs".into();
        let document = |path: &str| Document {
            path: path.to_owned(),
            title: String::new(),
            text: format!("The {path} is here and everybody knows."),
        };
        library.ingest(&name, vec![document("anchor"), document("beacon")]).await.unwrap();
        let shelf = library.shelf(&name).unwrap();
        // Every commit puts another file in the place of this one.
        let meta = folder.path().join("index").join(shelf.id.to_string()).join("meta.json");
        let file = || std::fs::metadata(&meta).unwrap().ino();

        let mut follower = Follower::new(store.clone(), shelf.clone());
        let gone = crate::sync::source_id(&name, "anchor");
        let changes = Changes { deletes: vec![gone], ..Changes::default() };
        store.documents().apply(shelf.id, changes).await.unwrap();
        let before = file();
        follower.follow(false).await.unwrap();
        let committed = file();
        assert_ne!(committed, before, "the first change is searchable at once");
        follower.follow(true).await.unwrap();
        assert_eq!(file(), committed);
        follower.finish().await.unwrap();
        assert_eq!((shelf.index.len(), shelf.generation()), (1, Some(2)));
    }
}
