//! What the pages on documents show: collections, one of them, a search, and a document cut into chunks.

use super::view::SourceView;
use hanok_base::{LeftOut, Timestamp, Trust, Vote};
use std::ops::Range;

/// All collections.
#[derive(Clone, Debug, Default)]
pub struct KnowledgeView {
    /// By name.
    pub collections: Vec<CollectionRow>,
}

/// One collection in the list, or at the head of its page.
#[derive(Clone, Debug, Default)]
pub struct CollectionRow {
    /// Its name.
    pub name: String,
    /// Documents indexed.
    pub indexed: u64,
    /// Documents found so far.
    pub found: u64,
    /// Whether indexing still runs.
    pub indexing: bool,
    /// Chunks of all its documents.
    pub chunks: u64,
    /// Files that were not taken.
    pub failed: u64,
    /// Where its documents come from, as configured; empty where nothing is.
    pub paths: Vec<String>,
    /// How it is cut, in the words of the configuration.
    pub chunking: Knobs,
    /// What makes its vectors; `None` where it is searched by words only.
    pub embedder: Option<EmbedderView>,
    /// Whether what it is to be searched with is still being opened; what it has serves till then.
    pub opening: bool,
    /// Why what it is to be searched with cannot be opened.
    pub problem: Option<String>,
}

/// What makes the vectors of a collection, and how far it is.
#[derive(Clone, Debug, Default)]
pub struct EmbedderView {
    /// Names the model.
    pub id: String,
    /// Chunks that have a vector of it.
    pub embedded: u64,
    /// Chunks there are.
    pub chunks: u64,
}

/// One collection.
#[derive(Clone, Debug, Default)]
pub struct CollectionPage {
    /// What the list says of it.
    pub row: CollectionRow,
    /// What of the documents' paths was asked for.
    pub prefix: String,
    /// Documents, by path.
    pub documents: Vec<DocumentRow>,
    /// The path after which the next page begins.
    pub next: Option<String>,
    /// Files that were not taken, each with the reason.
    pub failures: Vec<(String, String)>,
    /// Whether the visitor may change it.
    pub may_manage: bool,
}

/// A document in a list.
#[derive(Clone, Debug, Default)]
pub struct DocumentRow {
    /// Its id.
    pub id: String,
    /// Where it is.
    pub path: String,
    /// Its title.
    pub title: String,
    /// Its chunks.
    pub chunks: u64,
    /// Bytes of its file.
    pub bytes: u64,
    /// When it was taken in.
    pub indexed_at: Timestamp,
    /// What is known of it beside its text.
    pub about: DocumentAbout,
}

/// What is known of a document beside its text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DocumentAbout {
    /// What it is (`pdf`, `markdown`); empty where that was not noted.
    pub format: String,
    /// Whether what it says may be taken for an instruction.
    pub trust: Trust,
    /// Who may read it; everybody where it names nobody.
    pub readers: Vec<String>,
    /// How many pages its original has.
    pub pages: Option<u64>,
    /// What else it says of itself.
    pub metadata: Vec<(String, String)>,
}

/// A search and what it found.
#[derive(Clone, Debug, Default)]
pub struct SearchView {
    /// The names of the collections there are.
    pub collections: Vec<String>,
    /// The one searched, or to be searched.
    pub collection: String,
    /// What was asked; nothing was searched when it is empty.
    pub query: String,
    /// The filter as the user wrote it.
    pub filter: String,
    /// Which legs were asked for (`bm25`, `dense`, `hybrid`); empty leaves it to the collection.
    pub legs: String,
    /// Hits at most.
    pub top_k: usize,
    /// What is wrong with the search.
    pub error: Option<String>,
    /// Whether the mistake is in the filter.
    pub filter_wrong: bool,
    /// Best first.
    pub hits: Vec<FoundView>,
    /// What was to take part in the search and did not count.
    pub left_out: Vec<LeftOut>,
    /// How long it took, in milliseconds.
    pub took_ms: Option<f64>,
    /// Its trace.
    pub trace_id: Option<String>,
    /// Documents indexed and found, where indexing still runs.
    pub coverage: Option<(u64, u64)>,
    /// Questions to try.
    pub examples: Vec<String>,
}

/// A chunk that a search found.
#[derive(Clone, Debug, Default)]
pub struct FoundView {
    /// The document's id.
    pub source_id: String,
    /// The document's path.
    pub source: String,
    /// The headings above the chunk.
    pub heading: String,
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// The chunk.
    pub text: String,
    /// Greater is better.
    pub score: f64,
    /// First and last page of the original.
    pub pages: Option<(u32, u32)>,
    /// When the document was taken in.
    pub indexed_at: Option<Timestamp>,
    /// The document's trust.
    pub trust: Trust,
    /// The document's metadata.
    pub metadata: Vec<(String, String)>,
    /// Why it has this rank, leg by leg.
    pub votes: Vec<Vote>,
}

/// What can be set about how a text is cut.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Knobs {
    /// Where cuts are made, by its name.
    pub by: String,
    /// Tokens of a chunk.
    pub size: usize,
    /// Tokens said twice.
    pub overlap: usize,
    /// Whether small chunks are searched and larger ones shown (`none`, `shown`, `merged`).
    pub parents: String,
}

/// A document cut in two ways.
#[derive(Clone, Debug, Default)]
pub struct ChunksView {
    /// The document.
    pub source: SourceView,
    /// When it was taken in.
    pub indexed_at: Timestamp,
    /// Bytes of its file.
    pub bytes: u64,
    /// What is known of it beside its text.
    pub about: DocumentAbout,
    /// Chunks of the whole collection.
    pub collection_chunks: u64,
    /// The ways there are to cut.
    pub chunkers: Vec<String>,
    /// As it is cut now.
    pub used: CutView,
    /// As it would be.
    pub tried: CutView,
    /// What is wrong with the settings to try.
    pub error: Option<String>,
    /// Why the chunker that is tried cannot do what it is for.
    pub hint: Option<Hint>,
    /// The document before, by path.
    pub previous: Option<String>,
    /// The document after.
    pub next: Option<String>,
}

/// Why a chunker cannot do what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// It compares sentences by their vectors, and the collection has no embedder.
    NoEmbedder,
}

/// A document cut in one way.
#[derive(Clone, Debug, Default)]
pub struct CutView {
    /// How.
    pub knobs: Knobs,
    /// The chunks, by their first byte.
    pub pieces: Vec<PieceView>,
    /// What was kept whole, and what was not.
    pub damage: Damage,
    /// What sentences were compared by, where it is cut by meaning.
    pub compared: Option<ComparedBy>,
}

/// What sentences were compared by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ComparedBy {
    /// The vectors of this embedder.
    Vectors(String),
    /// Their words.
    Words,
    /// Other settings or another embedder, till the next run.
    Former,
}

/// One chunk.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PieceView {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
    /// About how many tokens it has.
    pub tokens: usize,
    /// The headings above it.
    pub heading: String,
    /// The larger span around it.
    pub parent: Option<Range<usize>>,
}

/// What cuts went through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Damage {
    /// Tables.
    pub tables: u64,
    /// Those that are in no chunk as a whole.
    pub tables_cut: u64,
    /// Blocks of code.
    pub code: u64,
    /// Those that are in no chunk as a whole.
    pub code_cut: u64,
    /// Chunks that end within a sentence.
    pub sentences_cut: u64,
}
