//! What is kept of documents, and what is asked back.

use crate::StoreError;
use crate::packing;
use hanok_base::{CollectionName, Object, SourceId, Timestamp, Trust};
use std::ops::Range;
use std::sync::Arc;

/// A set of documents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Collection {
    /// Its row.
    pub id: i64,
    /// Its name.
    pub name: CollectionName,
    /// Random; another one means another history of generations.
    pub epoch: i64,
    /// Of its last change.
    pub generation: u64,
    /// Documents in it.
    pub sources: u64,
    /// How its texts are cut and the like, as [`Documents::set_settings`] was given it.
    pub settings: Object,
}

/// A file as it was when it was last read. Both times are the file's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// Bytes.
    pub size: u64,
    /// When it was modified; 0 where the file system does not say.
    pub modified: Timestamp,
}

/// What is known of a path from the last time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Known {
    /// A document.
    Source {
        /// Its id.
        id: SourceId,
        /// The file as it was read.
        stamp: Stamp,
        /// BLAKE3 of the file's bytes.
        hash: [u8; 32],
        /// By which settings its text was cut.
        cut_by: u64,
        /// By which settings it was described.
        described_by: u64,
        /// What an HTTP server said that it can be known by.
        validator: Option<String>,
    },
    /// A file that was not taken.
    Skipped {
        /// The file as it was looked at.
        stamp: Stamp,
        /// By which limits.
        judged_by: u64,
        /// Why.
        reason: String,
    },
}

/// A document to be kept.
#[derive(Clone, Debug)]
pub struct NewSource {
    /// Its id.
    pub id: SourceId,
    /// Where it is, as the user knows it.
    pub path: String,
    /// Its title.
    pub title: String,
    /// BLAKE3 of the file's bytes.
    pub hash: [u8; 32],
    /// The file as it was read.
    pub stamp: Stamp,
    /// The extracted text.
    pub text: PackedText,
    /// Its chunks, in order.
    pub chunks: Vec<NewChunk>,
    /// By which settings it was cut.
    pub cut_by: u64,
    /// What is known of it beside its text; `None` keeps what is known.
    pub meta: Option<SourceMeta>,
}

/// What is known of a document beside its text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceMeta {
    /// How its text is laid out, in the words of whoever cuts it.
    pub layout: String,
    /// What the original was: `markdown`, `pdf`.
    pub format: String,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether what it says may be taken for an instruction.
    pub trust: Trust,
    /// Who may find it; empty: everybody.
    pub readers: Vec<String>,
    /// What filters ask for.
    pub metadata: Object,
    /// What was worth saying when it was read.
    pub notes: Vec<String>,
    /// The byte of the text at which each page of the original begins; empty where it has no pages.
    pub pages: Vec<usize>,
    /// What an HTTP server said that its answer can be known by.
    pub validator: Option<String>,
    /// By which settings it was described.
    pub described_by: u64,
}

/// Where a document comes from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    #[default]
    File,
    /// A file that a git repository tracks.
    Git,
    /// A URL.
    Url,
}

impl Origin {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Git => "git",
            Self::Url => "url",
        }
    }
    pub(super) fn named(name: &str) -> Self {
        match name {
            "git" => Self::Git,
            "url" => Self::Url,
            _ => Self::File,
        }
    }
}

/// A chunk to be kept: bytes of the extracted text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewChunk {
    /// The headings above it, joined by ` > `.
    pub heading: String,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The larger span that may be shown in its place.
    pub parent: Option<Range<usize>>,
}

/// A text ready to be written, packed by whoever reads it so that the one writer need not.
#[derive(Clone, Debug)]
pub struct PackedText {
    pub(super) size: usize,
    pub(super) body: Vec<u8>,
}

impl PackedText {
    /// Packs a text.
    pub fn new(text: &str) -> Result<Self, StoreError> {
        let body = packing::pack(text.as_bytes(), 3)
            .map_err(|error| StoreError::Damaged(format!("a text cannot be packed: {error}")))?;
        Ok(Self { size: text.len(), body })
    }
}

/// Changes that are made together.
#[derive(Clone, Debug, Default)]
pub struct Changes {
    /// New and changed documents.
    pub upserts: Vec<NewSource>,
    /// Documents that went.
    pub deletes: Vec<SourceId>,
    /// Documents whose files are new but whose content is not.
    pub touched: Vec<(SourceId, Stamp)>,
    /// Documents of which something else is known than before, though their content is the same.
    pub described: Vec<(SourceId, Stamp, SourceMeta)>,
    /// Files that are not taken.
    pub skipped: Vec<NewSkipped>,
    /// Paths that were not taken before and are gone or taken now.
    pub unskipped: Vec<String>,
}

/// A file that is not taken.
#[derive(Clone, Debug)]
pub struct NewSkipped {
    /// Where it is, as the user knows it.
    pub path: String,
    /// The file as it was looked at.
    pub stamp: Stamp,
    /// Why.
    pub reason: String,
    /// By which limits.
    pub judged_by: u64,
}

impl Changes {
    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.upserts.is_empty()
            && self.deletes.is_empty()
            && self.touched.is_empty()
            && self.described.is_empty()
            && self.skipped.is_empty()
            && self.unskipped.is_empty()
    }
}

/// What a search index must do to follow.
#[derive(Clone, Debug, Default)]
pub struct Delta {
    /// Documents whose entries are replaced.
    pub sources: Vec<IndexedSource>,
    /// Documents whose entries are deleted.
    pub deleted: Vec<SourceId>,
    /// The generation the index is at afterwards.
    pub generation: u64,
    /// Whether there is more to come.
    pub more: bool,
}

/// A document as a search index needs it.
#[derive(Clone, Debug)]
pub struct IndexedSource {
    /// Its id.
    pub id: SourceId,
    /// Its title.
    pub title: String,
    /// The extracted text.
    pub text: String,
    /// Ids, headings and bytes of its chunks.
    pub chunks: Vec<(u64, NewChunk)>,
}

/// A document in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceSummary {
    /// Its id.
    pub id: SourceId,
    /// Its collection.
    pub collection: CollectionName,
    /// Where it is.
    pub path: String,
    /// Its title.
    pub title: String,
    /// The file's size in bytes.
    pub size: u64,
    /// When the file was modified.
    pub modified: Timestamp,
    /// When its content was last taken in.
    pub indexed_at: Timestamp,
    /// How many chunks it has.
    pub chunks: u64,
    /// BLAKE3 of the file's bytes.
    pub hash: [u8; 32],
    /// By which settings its text was cut.
    pub cut_by: u64,
    /// What is known of it beside its text.
    pub meta: SourceMeta,
}

/// A document with its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// What lists say of it.
    pub summary: SourceSummary,
    /// The extracted text.
    pub text: String,
}

/// A chunk with what a hit says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// Its id.
    pub id: u64,
    /// Its document.
    pub source_id: SourceId,
    /// The document's path.
    pub path: String,
    /// The document's title.
    pub title: String,
    /// The headings above it.
    pub heading: String,
    /// First byte in the document's text.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The bytes between.
    pub text: String,
    /// The larger span that may be shown in its place, and its text.
    pub parent: Option<(Range<usize>, String)>,
    /// What is known of its document.
    pub about: Arc<SourceAbout>,
}

impl Chunk {
    /// The pages that the bytes from `start` to `end` stand on, from 1, first and last; `None` where there are none.
    pub fn pages(&self) -> Option<(u32, u32)> {
        pages_of(&self.about.pages, self.start..self.end)
    }
}

/// What hits say of their document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SourceAbout {
    /// Whether what it says may be taken for an instruction.
    pub trust: Trust,
    /// Who may find it; empty: everybody.
    pub readers: Vec<String>,
    /// What filters ask for.
    pub metadata: Object,
    /// When its content was last taken in.
    pub indexed_at: Timestamp,
    /// The byte of the text at which each page begins.
    pub pages: Vec<usize>,
}

/// The pages, from 1, on which a span stands, where each begins at one of `starts`.
pub fn pages_of(starts: &[usize], span: Range<usize>) -> Option<(u32, u32)> {
    if starts.is_empty() {
        return None;
    }
    // What stands before the first page's begin is on the first page.
    let page = |byte: usize| starts.partition_point(|start| *start <= byte).max(1);
    let last = span.end.saturating_sub(1).max(span.start);
    Some((u32::try_from(page(span.start)).ok()?, u32::try_from(page(last)).ok()?))
}
