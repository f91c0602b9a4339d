//! What a collection holds, for people who look after it; and single documents that go.

use crate::error::{LibraryError, blocking};
use crate::follow::Follower;
use crate::library::{Library, Shelf};
use crate::settings::Settings;
use crate::sync::{REMOVED, source_id};
use hanok_base::{CollectionName, Readers, SourceId};
use hanok_store::Tally;
use hanok_store::documents::{Changes, NewChunk, NewSkipped, SourceSummary, Stamp};
use std::path::Path;
use std::sync::atomic::Ordering;

/// Documents that are looked up together.
const PAGE: usize = 1000;

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

    /// The documents before and after one in its collection, by path, of those that `readers` may find.
    pub async fn beside(
        &self,
        source: &SourceSummary,
        readers: Readers,
    ) -> Result<(Option<SourceId>, Option<SourceId>), LibraryError> {
        let Some(shelf) = self.shelf(&source.collection) else {
            return Ok((None, None));
        };
        let readers = match readers {
            Readers::All => None,
            Readers::Of(readers) => Some(readers),
        };
        Ok(self.store.documents_beside(shelf.id, source.path.clone(), readers).await?)
    }

    /// Removes a document with its chunks and all that is found by them; `false` where there is none of this id.
    /// Waits for a run that indexes its collection. Where its file stays, it is not taken again before it changes.
    pub async fn remove_source(&self, id: SourceId) -> Result<bool, LibraryError> {
        match self.source(id).await? {
            Some(source) => {
                let collection = source.summary.collection.clone();
                self.remove_all(&collection, vec![source.summary]).await
            }
            None => Ok(false),
        }
    }

    /// Removes the document of one of these names, or all documents below a folder of one of them; gives their paths.
    /// A name is that of a list, or a path of this machine; an empty one, as of a variable that is not set, names
    /// nothing.
    pub async fn remove_named(
        &self,
        collection: &CollectionName,
        names: &[&str],
    ) -> Result<Vec<String>, LibraryError> {
        let Some(shelf) = self.shelf(collection) else { return Ok(Vec::new()) };
        let mut found = Vec::new();
        let names: Vec<&str> = names.iter().copied().filter(|name| !name.trim().is_empty()).collect();
        // The name of a list comes first: it is no path where it is a URL, or from another folder.
        let told = names.iter().map(|name| name.trim_end_matches('/').to_owned());
        let placed = names.iter().flat_map(|name| self.names.all_of(Path::new(name)));
        for name in told.chain(placed) {
            if let Some(source) = self.source(source_id(collection, &name)).await? {
                found.push(source.summary);
                break;
            }
            let below = format!("{name}/");
            let mut after = below.clone();
            loop {
                let page = self.store.documents().sources(shelf.id, Some(after), PAGE).await?;
                let count = page.len();
                found.extend(page.into_iter().take_while(|source| source.path.starts_with(&below)));
                match found.last() {
                    Some(last) if count == PAGE && found.len() % PAGE == 0 => after = last.path.clone(),
                    _ => break,
                }
            }
            if !found.is_empty() {
                break;
            }
        }
        let paths = found.iter().map(|source| source.path.clone()).collect();
        self.remove_all(collection, found).await?;
        Ok(paths)
    }

    async fn remove_all(
        &self,
        collection: &CollectionName,
        sources: Vec<SourceSummary>,
    ) -> Result<bool, LibraryError> {
        let Some(shelf) = self.shelf(collection).filter(|_| !sources.is_empty()) else {
            return Ok(false);
        };
        let _not_while_indexing = shelf.running.lock().await;
        let ids: Vec<SourceId> = sources.iter().map(|source| source.id).collect();
        let skipped = sources.into_iter().map(|source| NewSkipped {
            path: source.path,
            stamp: Stamp { size: source.size, modified: source.modified },
            reason: "it was removed from the collection; it comes back when it changes".to_owned(),
            judged_by: REMOVED,
        });
        let gone = u64::try_from(ids.len()).unwrap_or(u64::MAX);
        let changes = Changes { deletes: ids.clone(), skipped: skipped.collect(), ..Changes::default() };
        self.store.documents().apply(shelf.id, changes).await?;
        for count in [&shelf.found, &shelf.indexed] {
            let fewer = |count: u64| Some(count.saturating_sub(gone));
            // Always succeeds: the closure never refuses.
            let _before = count.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer);
        }
        let mut follower = Follower::new(self.store.clone(), shelf.clone());
        follower.follow(true).await?;
        follower.finish().await?;
        self.forget_vectors(&shelf, ids).await?;
        Ok(true)
    }

    /// Takes the vectors of documents that are gone out of the index, and those that no text has out of the store.
    async fn forget_vectors(&self, shelf: &Shelf, ids: Vec<SourceId>) -> Result<(), LibraryError> {
        // Whoever embeds now follows the store to its end, and sweeps behind itself.
        let Ok(_not_while_embedding) = shelf.embedding.try_lock() else { return Ok(()) };
        let dense = shelf.dense.read().clone();
        if let Some(dense) = dense
            && let Some(mark) = dense.index.mark()
        {
            blocking(move || {
                let mut writer = dense.index.writer()?;
                for id in ids {
                    writer.delete_group(id.0);
                }
                writer.commit(&mark)
            })
            .await??;
        }
        self.store.vectors().sweep().await?;
        Ok(())
    }
}
