//! A vector index: the nearest texts by cosine, over vectors kept as bytes.
//!
//! As the index of words it holds vectors under a `key` and a `group`, knows nothing else of them, and is committed
//! under a mark of the caller's, who holds the truth: an index that is missing, broken or of another format is an
//! empty one without a mark. A vector of any length is taken for its direction. The filter of a search is asked
//! while it searches, so that as many hits come out as there are.
//!
//! Deliberately not here: where vectors come from, and which embedder made them; vectors of two embedders belong
//! into two indexes.
//!
//! Up to some number of vectors all are looked at; beyond, a graph leads to the nearest ([`Tuning`]).
//!
//! Reading order: [`VectorIndex`] and `search` (reading), [`VectorWriter`] and `merge` (writing), `graph` (walking)
//! and `build` (linking), `code` and `simd` (what a vector is kept as and how two are multiplied), `segment`,
//! `mapped` and `manifest` (files), `bits`.

mod bits;
mod build;
mod code;
mod graph;
mod manifest;
mod mapped;
mod merge;
mod search;
mod segment;
mod simd;
mod writer;

pub use writer::VectorWriter;

use crate::index::{Busy, Found, IndexError};
use bits::Bits;
use code::Query;
use graph::Graph;
use manifest::Manifest;
use parking_lot::{Mutex, RwLock};
use segment::Segment;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An index of vectors in a folder. Opening changes nothing on disk; a missing or broken one is empty.
pub struct VectorIndex(Arc<Shared>);

/// What the index and its writer share.
struct Shared {
    dir: PathBuf,
    tuning: Tuning,
    view: RwLock<Option<Arc<View>>>,
    /// Held by the one writer.
    writing: Arc<Mutex<bool>>,
}

/// How an index is searched and made. It is not kept with the index and may differ each time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tuning {
    /// Up to how many vectors a search looks at each; beyond, it follows a graph.
    pub exact: usize,
    /// How many of the vectors that it met a walk through the graph keeps and follows: more find more of the
    /// nearest, and take longer.
    pub width: usize,
    /// Threads that make the graph; it is the same for any number of them.
    pub threads: usize,
}

impl Default for Tuning {
    fn default() -> Self {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(8);
        Self { exact: 150_000, width: 256, threads }
    }
}

/// What a search sees: a commit, whole.
struct View {
    mark: String,
    dimensions: usize,
    /// The id of the next segment.
    next: u64,
    parts: Vec<Part>,
}

/// A segment with what of it is deleted.
#[derive(Clone)]
struct Part {
    segment: Arc<Segment>,
    dead: Arc<Bits>,
    graph: Option<Arc<Graph>>,
}

impl Part {
    fn alive(&self) -> u64 {
        u64::from(self.segment.rows).saturating_sub(self.dead.count())
    }
}

impl VectorIndex {
    /// The index in `dir`, which need not exist.
    pub fn open(dir: &Path) -> Self {
        Self::open_with(dir, Tuning::default())
    }

    /// The index in `dir`, searched and made so.
    pub fn open_with(dir: &Path, tuning: Tuning) -> Self {
        let view = View::read(dir).unwrap_or_else(|error| {
            tracing::warn!(dir = %dir.display(), %error, "the vector index cannot be read and will be built again");
            None
        });
        let view = RwLock::new(view.map(Arc::new));
        Self(Arc::new(Shared { dir: dir.to_owned(), tuning, view, writing: Arc::default() }))
    }

    /// Takes an index whose files were deleted under it for what it is: missing. It is made anew by the next
    /// writer.
    pub fn forget_if_gone(&self) {
        if self.0.view().is_some() && !Manifest::is_in(&self.0.dir) {
            tracing::warn!(dir = %self.0.dir.display(), "the vector index is gone and will be built again");
            *self.0.view.write() = None;
        }
    }

    /// The mark of the last commit; `None` when there is no usable index.
    pub fn mark(&self) -> Option<String> {
        Some(self.0.view()?.mark.clone())
    }

    /// Numbers in each vector; `None` while there is none.
    pub fn dimensions(&self) -> Option<usize> {
        Some(self.0.view()?.dimensions).filter(|dimensions| *dimensions > 0)
    }

    /// Vectors that can be found.
    pub fn len(&self) -> u64 {
        self.0.view().map_or(0, |view| view.parts.iter().map(Part::alive).sum())
    }

    /// Whether nothing can be found.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The vectors most like `vector`, best first, of groups that are admitted; the score is the cosine. Equal ones
    /// are in the order of keys. What is not committed is not found.
    pub fn search(
        &self,
        vector: &[f32],
        limit: usize,
        admit: Option<&(dyn Fn(u64) -> bool + Sync)>,
    ) -> Result<Vec<Found>, IndexError> {
        let Some(view) = self.0.view().filter(|view| view.dimensions > 0) else {
            return Ok(Vec::new());
        };
        if vector.len() != view.dimensions {
            return Err(IndexError::Dimensions { expected: view.dimensions, found: vector.len() });
        }
        let query = Query::new(vector).ok_or(IndexError::NotFinite)?;
        Ok(view.search(&query, limit, admit, &self.0.tuning))
    }

    /// Begins to write. There is one writer at a time. A missing or broken index is made anew first, and what a
    /// writer that died left behind is removed.
    pub fn writer(&self) -> Result<VectorWriter, IndexError> {
        let locked = || IndexError::Locked { path: self.0.dir.clone() };
        let busy = Busy::take(&self.0.writing).ok_or_else(locked)?;
        let failed = |source| IndexError::Folder { path: self.0.dir.clone(), source };
        std::fs::create_dir_all(&self.0.dir).map_err(failed)?;
        let lock = File::create(self.0.dir.join("lock")).map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(locked()),
            Err(TryLockError::Error(source)) => return Err(failed(source)),
        }
        VectorWriter::new(self.0.clone(), lock, busy).map_err(failed)
    }
}

impl Shared {
    fn view(&self) -> Option<Arc<View>> {
        self.view.read().clone()
    }
}

impl View {
    fn read(dir: &Path) -> std::io::Result<Option<Self>> {
        let Some(manifest) = Manifest::read(dir)? else { return Ok(None) };
        let dimensions = segment::index(manifest.dimensions);
        let mut parts = Vec::with_capacity(manifest.parts.len());
        for part in manifest.parts {
            let segment = Arc::new(Segment::open(dir, part.id, dimensions)?);
            let graph = if part.graph { graph_of(dir, &segment) } else { None };
            parts.push(Part { segment, dead: Arc::new(part.dead), graph });
        }
        Ok(Some(Self { mark: manifest.mark, dimensions, next: manifest.next, parts }))
    }
}

/// A graph that cannot be read is made again by the next commit; until then all rows are looked at.
fn graph_of(dir: &Path, segment: &Segment) -> Option<Arc<Graph>> {
    match Graph::open(dir, segment) {
        Ok(graph) => {
            segment.here_and_there();
            Some(Arc::new(graph))
        }
        Err(error) => {
            tracing::warn!(dir = %dir.display(), %error, "the graph over the vectors cannot be read");
            None
        }
    }
}
