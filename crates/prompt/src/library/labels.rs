//! The versions of a prompt that were seen, and the labels that stand at them.

use super::{Library, LibraryError, State};
use crate::version::VersionId;
use hanok_base::Timestamp;
use hanok_store::PromptMove;
use hanok_store::PromptVersion;
use hanok_store::prompts::{LATEST, Moved};
use std::sync::Arc;

impl Library {
    /// All versions of a prompt that were seen, the newest first.
    pub async fn versions(&self, name: &str) -> Result<Vec<PromptVersion>, LibraryError> {
        let store = self.store.as_ref().ok_or(LibraryError::NoRecords)?;
        let versions = store.prompts().versions(name).await?;
        if versions.is_empty() && !self.state().entries.contains_key(name) {
            return Err(self.unknown(&self.state(), name));
        }
        Ok(versions)
    }

    /// How the labels of a prompt moved, the newest move first.
    pub async fn moves(&self, name: &str, limit: usize) -> Result<Vec<PromptMove>, LibraryError> {
        let store = self.store.as_ref().ok_or(LibraryError::NoRecords)?;
        Ok(store.prompts().moves(name, limit).await?)
    }

    /// Moves a label to where another label or version stands; a move back is one like any other. Gives where it
    /// stands now.
    pub async fn label(
        &self,
        name: &str,
        label: &str,
        to: Option<&str>,
        by: &str,
    ) -> Result<VersionId, LibraryError> {
        check_label(label)?;
        let store = self.store.as_ref().filter(|_| self.records).ok_or(LibraryError::NoRecords)?;
        let found = self.resolve(name, to).await?;
        let version = found.prompt.version().clone();
        let _one = self.changing.lock().await;
        // A file may hold the version and nobody have recorded it yet.
        let moved =
            store.prompts().move_label(name, label, Some(version.as_str()), by, Timestamp::now()).await?;
        if moved == Moved::NoVersion {
            return Err(self.no_version(&self.state(), name, version.short()));
        }
        self.relabel().await?;
        Ok(version)
    }

    /// Removes a label.
    pub async fn unlabel(&self, name: &str, label: &str, by: &str) -> Result<(), LibraryError> {
        check_label(label)?;
        let store = self.store.as_ref().filter(|_| self.records).ok_or(LibraryError::NoRecords)?;
        let _one = self.changing.lock().await;
        if store.prompts().move_label(name, label, None, by, Timestamp::now()).await? == Moved::NoLabel {
            return Err(self.no_version(&self.state(), name, label));
        }
        self.relabel().await
    }

    async fn relabel(&self) -> Result<(), LibraryError> {
        let labels = self.stored_labels().await?;
        let before = self.state();
        *self.state.write() = Arc::new(State {
            entries: before.entries.clone(),
            partials: before.partials.clone(),
            stamps: before.stamps.clone(),
            labels,
        });
        self.changes.send_modify(|count| *count += 1);
        Ok(())
    }
}

fn check_label(label: &str) -> Result<(), LibraryError> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let why = if label == LATEST {
        "it follows the file"
    } else if label.is_empty() || label.len() > 64 || !label.chars().all(plain) {
        "labels are up to 64 letters, digits, `_`, `-` and `.`"
    } else if VersionId::is_like(label) {
        "it looks like a version"
    } else {
        return Ok(());
    };
    Err(LibraryError::BadName { name: label.to_owned(), what: "a label that is moved", why })
}
