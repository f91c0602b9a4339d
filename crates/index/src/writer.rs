//! Writing: texts are handed to tantivy's thread in packets, and it is waited for where it falls behind.

use crate::index::{Busy, IndexError, failed};
use crate::open::Open;
use crate::places::{Places, clear};
use parking_lot::{Mutex, RwLock};
use std::path::PathBuf;
use std::sync::Arc;
use tantivy::indexer::UserOperation;
use tantivy::{IndexWriter, TantivyDocument, TantivyError, Term};

/// Texts, and bytes of them, that are handed to the writer's thread at once.
const MOST_WAITING: usize = 128;
const MOST_WAITING_BYTES: u64 = 1 << 18;
/// Bytes of texts that the writer's thread may be behind.
const MOST_BEHIND: u64 = 1 << 23;

/// Adds and deletes. What is not committed is lost.
pub struct Writer {
    inner: IndexWriter,
    open: Arc<Open>,
    waiting: Mutex<Waiting>,
    dir: PathBuf,
    places: Arc<RwLock<Places>>,
    _busy: Busy,
}

/// What is handed to the writer's thread next; one text at a time costs a change of threads for each.
struct Waiting {
    operations: Vec<UserOperation>,
    bytes: u64,
    /// What [`Progress::split`] comes to once everything handed over is split.
    handed_over: u64,
}

impl Writer {
    pub(crate) fn new(
        inner: IndexWriter,
        open: Arc<Open>,
        dir: PathBuf,
        places: Arc<RwLock<Places>>,
        busy: Busy,
    ) -> Self {
        let waiting = Waiting { operations: Vec::new(), bytes: 0, handed_over: open.progress.split() };
        Self { inner, open, waiting: Mutex::new(waiting), dir, places, _busy: busy }
    }

    /// Adds a text given in pieces, under its key and group.
    pub fn add(&self, key: u64, group: u64, pieces: &[&str]) -> Result<(), IndexError> {
        let mut document = TantivyDocument::default();
        if let Some(field) = self.open.fields.key {
            document.add_u64(field, key);
        }
        document.add_u64(self.open.fields.group, group);
        for piece in pieces {
            document.add_text(self.open.fields.body, piece);
        }
        let mut waiting = self.waiting.lock();
        waiting.bytes += pieces.iter().map(|piece| piece.len() as u64).sum::<u64>();
        waiting.operations.push(UserOperation::Add(document));
        if waiting.operations.len() >= MOST_WAITING || waiting.bytes >= MOST_WAITING_BYTES {
            self.hand_over(&mut waiting).map_err(|e| failed(&self.dir, e))?;
            let behind = waiting.handed_over.saturating_sub(self.open.progress.split());
            if behind > MOST_BEHIND {
                self.open.progress.wait_for(waiting.handed_over.saturating_sub(MOST_BEHIND / 2));
            }
        }
        Ok(())
    }

    /// Deletes every text of a group that was added before.
    pub fn delete_group(&self, group: u64) {
        let term = Term::from_field_u64(self.open.fields.group, group);
        self.waiting.lock().operations.push(UserOperation::Delete(term));
    }

    /// Deletes everything that was added before.
    pub fn clear(&self) -> Result<(), IndexError> {
        let mut waiting = self.waiting.lock();
        waiting.operations.clear();
        waiting.bytes = 0;
        self.inner.delete_all_documents().map(drop).map_err(|e| failed(&self.dir, e))
    }

    fn hand_over(&self, waiting: &mut Waiting) -> Result<(), TantivyError> {
        waiting.handed_over += std::mem::take(&mut waiting.bytes);
        self.inner.run(std::mem::take(&mut waiting.operations)).map(drop)
    }

    /// Makes what was done since the last commit durable, under the caller's mark, and searchable. A process
    /// that dies at any moment leaves the last commit as it was.
    pub fn commit(&mut self, mark: &str) -> Result<(), IndexError> {
        self.try_commit(mark, false).map_err(|e| failed(&self.dir, e))
    }

    /// The same, and what is written is complete: where it was to take the place of an index of other terms
    /// ([`crate::SearchIndex::is_to_be_replaced`]), searches ask it from now on, and the other is removed.
    pub fn complete(&mut self, mark: &str) -> Result<(), IndexError> {
        self.try_commit(mark, true).map_err(|e| failed(&self.dir, e))?;
        self.open.set_complete();
        let former = self.places.write().take_over(&self.open);
        // What cannot be removed stays, and harms nobody.
        if let Some(former) = former
            && let Err(error) = clear(&former.dir, &self.dir)
        {
            tracing::warn!(dir = %former.dir.display(), %error, "an index that was replaced cannot be removed");
        }
        Ok(())
    }

    fn try_commit(&mut self, mark: &str, complete: bool) -> Result<(), TantivyError> {
        self.hand_over(&mut self.waiting.lock())?;
        let mut prepared = self.inner.prepare_commit()?;
        prepared.set_payload(&self.open.payload(mark, complete));
        prepared.commit()?;
        self.open.reader.reload()?;
        *self.open.mark.lock() = Some(mark.to_owned());
        Ok(())
    }

    /// Waits for merges of segments, so that the index is small and quick, and ends the writer.
    pub fn finish(self) -> Result<(), IndexError> {
        let done = self.inner.wait_merging_threads().and_then(|()| self.open.reader.reload());
        done.map_err(|e| failed(&self.dir, e))
    }
}
