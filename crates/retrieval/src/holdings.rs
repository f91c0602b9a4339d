//! What a collection holds, for people who look after it; and single documents that go.

use crate::error::LibraryError;
use crate::follow::Follower;
use crate::library::Library;
use crate::settings::Settings;
use crate::sync::REMOVED;
use hanok_base::{CollectionName, SourceId};
use hanok_store::Tally;
use hanok_store::documents::{Changes, NewChunk, NewSkipped, SourceSummary, Stamp};
use std::sync::atomic::Ordering;

impl Library {
    /// How many chunks a collection has, and how many files were not taken; nothing of a collection there is not.
    pub async fn tally(&self, collection: &CollectionName) -> Result<Tally, LibraryError> {
        let Some(shelf) = self.shelf(collection) else {
            return Ok(Tally::default());
        };
        Ok(self.store.tally_of(shelf.id).await?)
    }

    /// How a collection's documents are taken in; the defaults of a collection there is not.
    pub async fn settings_of(&self, collection: &CollectionName) -> Result<Settings, LibraryError> {
        let found = self.store.documents().collections().await?;
        let found = found.iter().find(|known| known.name == *collection);
        Ok(found.map(|known| Settings::of(&known.settings)).unwrap_or_default())
    }

    /// The chunks of a document, in their order.
    pub async fn chunks_of(&self, id: SourceId) -> Result<Vec<NewChunk>, LibraryError> {
        let chunks = self.store.documents().chunks_of(id).await?;
        Ok(chunks.into_iter().map(|(_, chunk)| chunk).collect())
    }

    /// The documents before and after one in its collection, by path.
    pub async fn beside(
        &self,
        source: &SourceSummary,
    ) -> Result<(Option<SourceId>, Option<SourceId>), LibraryError> {
        let Some(shelf) = self.shelf(&source.collection) else {
            return Ok((None, None));
        };
        Ok(self.store.documents_beside(shelf.id, source.path.clone()).await?)
    }

    /// Removes a document with its chunks and all that is found by them; `false` where there is none of this id.
    /// Waits for a run that indexes its collection. Where its file stays, it is not taken again before it changes.
    pub async fn remove_source(&self, id: SourceId) -> Result<bool, LibraryError> {
        let Some(source) = self.source(id).await? else {
            return Ok(false);
        };
        let Some(shelf) = self.shelf(&source.summary.collection) else {
            return Ok(false);
        };
        let _not_while_indexing = shelf.running.lock().await;
        let skipped = NewSkipped {
            path: source.summary.path,
            stamp: Stamp { size: source.summary.size, modified: source.summary.modified },
            reason: "it was removed from the collection; it comes back when it changes".to_owned(),
            judged_by: REMOVED,
        };
        let changes = Changes { deletes: vec![id], skipped: vec![skipped], ..Changes::default() };
        self.store.documents().apply(shelf.id, changes).await?;
        for count in [&shelf.found, &shelf.indexed] {
            let fewer = |count: u64| Some(count.saturating_sub(1));
            // Always succeeds: the closure never refuses.
            let _before = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer);
        }
        let mut follower = Follower::new(self.store.clone(), shelf.clone());
        follower.follow(true).await?;
        follower.finish().await?;
        Ok(true)
    }
}
