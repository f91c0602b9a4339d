//! What a library takes documents in with, and how each collection is set.

use crate::error::LibraryError;
use crate::fetch::Fetcher;
use crate::library::{Library, Shelf};
use crate::read::Reader;
use crate::settings::Settings;
use hanok_base::{CollectionName, Object};
use hanok_parse::Workshop;
use std::sync::Arc;

/// What documents are taken in with. Without the one, only plain text is taken, without the other no URL.
#[derive(Clone, Default)]
pub struct Intake {
    /// Parses what is more than plain text.
    pub workshop: Option<Arc<Workshop>>,
    /// Fetches URLs.
    pub fetcher: Option<Fetcher>,
}

impl Library {
    /// Takes documents in with these from now on.
    pub fn equip_intake(&self, intake: Intake) {
        *self.intake.write() = intake;
    }

    pub(crate) fn workshop(&self) -> Option<Arc<Workshop>> {
        self.intake.read().workshop.clone()
    }

    pub(crate) fn fetcher(&self) -> Option<Fetcher> {
        self.intake.read().fetcher.clone()
    }

    /// By which limits files are not taken.
    pub(crate) fn judged_by(&self) -> u64 {
        Reader::new(self.workshop().as_deref()).judged_by()
    }

    /// How a collection is set; `None` when there is none of this name.
    pub fn settings(&self, collection: &CollectionName) -> Option<Arc<Settings>> {
        Some(self.shelf(collection)?.settings())
    }

    /// Sets a collection, made when there is none. What changes with it is done by the next [`Library::sync`]:
    /// texts are cut again, documents described again, words indexed in other terms; searches go on over what is there.
    pub async fn configure(
        &self,
        collection: &CollectionName,
        settings: Settings,
    ) -> Result<(), LibraryError> {
        settings.chunking.check().map_err(|reason| LibraryError::Settings {
            collection: collection.clone(),
            reason: format!("chunking.{reason}"),
        })?;
        let shelf = self.ensure_shelf(collection).await?;
        if *shelf.settings() == settings {
            return Ok(());
        }
        self.keep(&shelf, |kept| settings.put(kept)).await?;
        *shelf.settings.write() = Arc::new(settings);
        shelf.resettled.notify_one();
        Ok(())
    }

    /// Changes what is kept with a collection; where nothing is other than before, nothing is written.
    pub(crate) async fn keep(
        &self,
        shelf: &Shelf,
        change: impl FnOnce(&mut Object),
    ) -> Result<(), LibraryError> {
        let _one_at_a_time = shelf.keeping.lock().await;
        let row = self.store.documents().collections().await?.into_iter().find(|row| row.id == shelf.id);
        let before = row.map(|row| row.settings).unwrap_or_default();
        let mut kept = before.clone();
        change(&mut kept);
        if kept != before {
            self.store.documents().set_settings(shelf.id, kept).await?;
        }
        Ok(())
    }
}
