//! The one file that says what an index is: its segments, what of them is deleted, the mark.
//!
//! It is written beside the old one, synced, and put in its place; so a process that dies at any moment leaves
//! either the old or the new. A hash at the end tells a whole file from a broken one.

use super::bits::Bits;
use std::fs::File;
use std::io::{Error, ErrorKind, Result, Write};
use std::path::Path;

const NAME: &str = "manifest";
const MAGIC: &[u8; 8] = b"hanokman";
/// Of this file and all it names: another number makes an index count as missing.
const FORMAT: u32 = 1;
const HASH: usize = 16;

/// What there is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Manifest {
    /// The caller's mark.
    pub(crate) mark: String,
    /// Numbers in each vector; 0 where there is none.
    pub(crate) dimensions: u32,
    /// The id of the next segment.
    pub(crate) next: u64,
    /// The segments.
    pub(crate) parts: Vec<Part>,
}

/// A segment in the manifest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The segment.
    pub(crate) id: u64,
    /// Whether there is a graph over it.
    pub(crate) graph: bool,
    /// Deleted rows; empty when none.
    pub(crate) dead: Bits,
}

impl Manifest {
    /// Whether a folder has one.
    pub(crate) fn is_in(folder: &Path) -> bool {
        folder.join(NAME).exists()
    }

    /// Reads a folder's; `None` without one or with one of another format, an error when it is broken.
    pub(crate) fn read(folder: &Path) -> Result<Option<Self>> {
        match std::fs::read(folder.join(NAME)) {
            Ok(bytes) => Self::of(&bytes),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts it in the place of the folder's, synced.
    pub(crate) fn write(&self, folder: &Path) -> Result<()> {
        let beside = folder.join("manifest.new");
        let mut file = File::create(&beside)?;
        file.write_all(&self.bytes())?;
        file.sync_all()?;
        std::fs::rename(&beside, folder.join(NAME))?;
        // The name is durable once the folder is; only Unix lets a folder be synced.
        #[cfg(unix)]
        File::open(folder)?.sync_all()?;
        Ok(())
    }

    fn bytes(&self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.extend(FORMAT.to_le_bytes());
        bytes.extend(self.dimensions.to_le_bytes());
        bytes.extend(self.next.to_le_bytes());
        let list = |len: usize| (len as u64).to_le_bytes();
        bytes.extend(list(self.mark.len()));
        bytes.extend(self.mark.as_bytes());
        bytes.extend(list(self.parts.len()));
        for part in &self.parts {
            bytes.extend(part.id.to_le_bytes());
            bytes.extend(u64::from(part.graph).to_le_bytes());
            bytes.extend(list(part.dead.words().len()));
            bytes.extend(part.dead.words().iter().flat_map(|word| word.to_le_bytes()));
        }
        let hash = blake3::hash(&bytes);
        bytes.extend(hash.as_bytes().iter().take(HASH));
        bytes
    }

    fn of(bytes: &[u8]) -> Result<Option<Self>> {
        let broken = || Error::new(ErrorKind::InvalidData, "the manifest is broken");
        let (body, hash) =
            bytes.len().checked_sub(HASH).and_then(|at| bytes.split_at_checked(at)).ok_or_else(broken)?;
        if !blake3::hash(body).as_bytes().starts_with(hash) {
            return Err(broken());
        }
        let mut rest = Rest(body);
        if rest.bytes(8) != Some(MAGIC) || rest.four() != Some(FORMAT) {
            return Ok(None);
        }
        rest.manifest().map(Some).ok_or_else(broken)
    }
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn bytes(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }

    fn four(&mut self) -> Option<u32> {
        self.bytes(4)?.try_into().ok().map(u32::from_le_bytes)
    }

    fn eight(&mut self) -> Option<u64> {
        self.bytes(8)?.try_into().ok().map(u64::from_le_bytes)
    }

    fn length(&mut self) -> Option<usize> {
        self.eight()?.try_into().ok()
    }

    fn manifest(&mut self) -> Option<Manifest> {
        let (dimensions, next) = (self.four()?, self.eight()?);
        let mark = self.length()?;
        let mark = String::from_utf8(self.bytes(mark)?.to_vec()).ok()?;
        let mut parts = Vec::new();
        for _ in 0..self.length()? {
            let (id, graph, words) = (self.eight()?, self.eight()? == 1, self.length()?);
            let words = self.bytes(words.checked_mul(8)?)?.as_chunks().0;
            let dead = Bits::of(words.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect());
            parts.push(Part { id, graph, dead });
        }
        self.0.is_empty().then_some(Manifest { mark, dimensions, next, parts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let mut dead = Bits::none(100);
        dead.insert(70);
        let parts =
            vec![Part { id: 3, graph: true, dead }, Part { id: 4, graph: false, dead: Bits::default() }];
        let manifest = Manifest { mark: "표시 1".into(), dimensions: 384, next: 9, parts };
        let bytes = manifest.bytes();
        assert_eq!(Manifest::of(&bytes).unwrap(), Some(manifest));
        for at in 0..bytes.len() {
            let mut broken = bytes.clone();
            broken[at] ^= 1;
            assert!(Manifest::of(&broken).is_err(), "byte {at}");
            assert!(Manifest::of(&bytes[..at]).is_err(), "cut at {at}");
        }
    }
}
