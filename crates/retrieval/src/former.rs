//! The embedder before the one that a collection is to have: its vectors serve until the new ones are there, and where the
//! new one cannot be opened; after a restart in the middle, too.

use crate::dense::Dense;
use crate::equipment::Readiness;
use crate::error::LibraryError;
use crate::library::{Library, Shelf};
use hanok_base::{CollectionName, Embedder};
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::sync::Arc;

/// The member of what is kept with a collection.
const MEMBER: &str = "embedder";

/// Whose vectors a collection is searched with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Serving {
    /// The embedder's id.
    pub id: String,
    /// What it was opened from, in the words of whoever did.
    pub from: String,
}

impl Library {
    /// Whose vectors a collection could be searched with that is searched by words alone, as those of the embedder it
    /// is to have are not there yet, or it cannot be opened. `None` where there is no need, or nobody knows what to open.
    pub async fn former(&self, collection: &CollectionName) -> Result<Option<Serving>, LibraryError> {
        let Some(shelf) = self.shelf(collection) else { return Ok(None) };
        let equipment = self.equipment(collection);
        let wanted = match (equipment.readiness, equipment.embedder) {
            (Readiness::Ready, Some(embedder)) => Some(embedder),
            (Readiness::Failed(_), _) => None,
            (Readiness::Ready, None) | (Readiness::Opening, _) => return Ok(None),
        };
        if shelf.dense.read().is_some() {
            return Ok(None);
        }
        let all = self.store.documents().collections().await?;
        let kept = all.into_iter().find(|row| row.id == shelf.id).map(|row| row.settings).unwrap_or_default();
        let kept = kept.get(MEMBER).cloned().unwrap_or_default();
        // What makes no sense counts as not said.
        let serving = serde_json::from_value(kept).ok();
        Ok(serving.filter(|serving: &Serving| wanted.is_none_or(|wanted| wanted.id() != serving.id)))
    }

    /// Searches a collection by the vectors of this embedder till [`Library::embed`] has made those of the one it is to
    /// have. `false` where they are not complete, or others serve by now.
    pub async fn serve(
        &self,
        collection: &CollectionName,
        embedder: Arc<dyn Embedder>,
    ) -> Result<bool, LibraryError> {
        let Some(shelf) = self.shelf(collection) else { return Ok(false) };
        let dense = Dense::open(&self.store, &shelf, &self.vectors_folder(shelf.id), embedder).await?;
        let mut serving = shelf.dense.write();
        if serving.is_some() || !dense.is_whole(shelf.epoch) {
            return Ok(false);
        }
        *serving = Some(dense);
        Ok(true)
    }

    /// Keeps whose vectors a collection is searched with from now on.
    pub(crate) async fn keep_serving(
        &self,
        shelf: &Shelf,
        id: &str,
        from: Option<String>,
    ) -> Result<(), LibraryError> {
        let serving = from.map(|from| json!(Serving { id: id.to_owned(), from }));
        self.keep(shelf, |kept| match serving {
            Some(serving) => drop(kept.insert(MEMBER.to_owned(), serving)),
            None => drop(kept.remove(MEMBER)),
        })
        .await
    }
}
