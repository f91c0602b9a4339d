//! A file as memory.

#![expect(unsafe_code, reason = "mapping a file")]

use memmap2::{Advice, Mmap};
use std::fs::File;
use std::path::Path;

/// The bytes of a file that is written once and never changed.
pub(crate) struct Mapped(Mmap);

impl Mapped {
    /// Maps a file; what is read of it stays in memory only as long as there is room.
    pub(crate) fn open(path: &Path) -> std::io::Result<Self> {
        let file = File::open(path)?;
        // SAFETY: the index's files are complete and synced before a manifest names them, and are never written
        // again, only removed, which leaves a mapping as it is. The folder is the owner's alone.
        let map = unsafe { Mmap::map(&file)? };
        Ok(Self(map))
    }

    /// Tells the system that it will be read here and there, not from front to back.
    pub(crate) fn here_and_there(&self) {
        if let Err(error) = self.0.advise(Advice::Random) {
            tracing::debug!(%error, "the system takes no advice on a mapped file");
        }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}
