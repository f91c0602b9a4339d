//! Adding, deleting, committing.

use super::bits::Bits;
use super::code::MOST_DIMENSIONS;
use super::manifest::{self, Manifest};
use super::merge;
use super::segment::{Segment, SegmentWriter};
use super::{Part, Shared, View};
use crate::index::{Busy, IndexError};
use foldhash::{HashMap, HashSet};
use std::fs::File;
use std::sync::Arc;

/// Adds and deletes. What is not committed is lost.
pub struct VectorWriter {
    index: Arc<Shared>,
    /// The commit that is built on; parts that were cleared are not in it.
    base: Arc<View>,
    pending: Option<SegmentWriter>,
    /// Groups to be deleted, with how many rows of `pending` were there by then.
    deleted: HashMap<u64, u32>,
    next: u64,
    _lock: File,
    _busy: Busy,
}

impl VectorWriter {
    pub(super) fn new(index: Arc<Shared>, lock: File, busy: Busy) -> std::io::Result<Self> {
        let base = index.view().unwrap_or_else(|| Arc::new(View::empty()));
        let writer = Self {
            index,
            next: base.next,
            base,
            pending: None,
            deleted: HashMap::default(),
            _lock: lock,
            _busy: busy,
        };
        writer.tidy()?;
        Ok(writer)
    }

    /// Adds a vector under its key and group. All vectors of an index are of one length; the first says which.
    pub fn add(&mut self, key: u64, group: u64, vector: &[f32]) -> Result<(), IndexError> {
        let dimensions = self.dimensions().unwrap_or(vector.len());
        if vector.len() != dimensions || vector.is_empty() || vector.len() > MOST_DIMENSIONS {
            return Err(IndexError::Dimensions { expected: dimensions, found: vector.len() });
        }
        let pending = match &mut self.pending {
            Some(pending) => pending,
            empty => {
                let made = SegmentWriter::create(&self.index.dir, self.next, dimensions);
                self.next += 1;
                empty.insert(made.map_err(|source| failed(&self.index, source))?)
            }
        };
        match pending.add(key, group, vector) {
            Ok(true) => Ok(()),
            Ok(false) => Err(IndexError::NotFinite),
            Err(source) => Err(failed(&self.index, source)),
        }
    }

    /// Deletes every vector of a group that was added before.
    pub fn delete_group(&mut self, group: u64) {
        self.deleted.insert(group, self.pending.as_ref().map_or(0, SegmentWriter::rows));
    }

    /// Deletes everything that was added before. Vectors of another length may follow.
    pub fn clear(&mut self) {
        self.pending = None;
        self.deleted.clear();
        let cleared = View { parts: Vec::new(), dimensions: 0, mark: String::new(), next: self.next };
        self.base = Arc::new(cleared);
    }

    /// Makes what was done since the last commit durable, under the caller's mark, and searchable. A process
    /// that dies at any moment leaves the last commit as it was. It may take long after that, because it then
    /// merges, and makes or extends the graph; searches go on meanwhile.
    pub fn commit(&mut self, mark: &str) -> Result<(), IndexError> {
        self.try_commit(mark).map_err(|source| failed(&self.index, source))
    }

    fn try_commit(&mut self, mark: &str) -> std::io::Result<()> {
        let dimensions = self.dimensions().unwrap_or_default();
        let gone: HashSet<u64> = self.deleted.keys().copied().collect();
        let mut parts: Vec<Part> = self.base.parts.iter().map(|part| without(part, &gone)).collect();
        if let Some(pending) = self.pending.take() {
            let mut dead = Bits::none(pending.rows());
            for (row, group) in (0_u32..).zip(pending.groups()) {
                if self.deleted.get(group).is_some_and(|before| row < *before) {
                    dead.insert(row);
                }
            }
            let segment = Arc::new(pending.finish(&self.index.dir)?);
            parts.push(Part { segment, dead: Arc::new(dead), graph: None });
        }
        parts.retain(|part| part.alive() > 0);
        let dimensions = if parts.is_empty() { 0 } else { dimensions };
        let view = View { mark: mark.to_owned(), dimensions, next: self.next, parts };
        self.publish(view)?;
        self.deleted.clear();
        self.settle()?;
        self.tidy()
    }

    /// Merges what is due. What was committed is searchable and durable before.
    fn settle(&mut self) -> std::io::Result<()> {
        while let Some((range, linked)) = merge::due(&self.base.parts, &self.index.tuning) {
            let id = self.next;
            self.next += 1;
            let chosen = self.base.parts.get(range.clone()).unwrap_or_default();
            let merged = merge::merge(&self.index.dir, id, chosen, linked, &self.index.tuning)?;
            let mut parts = self.base.parts.clone();
            parts.splice(range, merged);
            let (mark, dimensions) = (self.base.mark.clone(), self.base.dimensions);
            self.publish(View { mark, dimensions, next: self.next, parts })?;
        }
        Ok(())
    }

    /// Makes a view the index's.
    fn publish(&mut self, view: View) -> std::io::Result<()> {
        view.manifest().write(&self.index.dir)?;
        self.base = Arc::new(view);
        *self.index.view.write() = Some(self.base.clone());
        Ok(())
    }

    fn dimensions(&self) -> Option<usize> {
        let pending = self.pending.as_ref().map(SegmentWriter::dimensions);
        pending.or(Some(self.base.dimensions)).filter(|dimensions| *dimensions > 0)
    }

    /// Removes the files of segments that are no more.
    fn tidy(&self) -> std::io::Result<()> {
        let view = self.index.view();
        for entry in std::fs::read_dir(&self.index.dir)? {
            let path = entry?.path();
            let Some(id) = Segment::id_of(&path) else { continue };
            let used = view.iter().flat_map(|view| &view.parts).any(|part| part.segment.id == id);
            if !used {
                std::fs::remove_file(&path)?;
            }
        }
        Ok(())
    }
}

fn failed(index: &Shared, source: std::io::Error) -> IndexError {
    IndexError::Folder { path: index.dir.clone(), source }
}

/// A part with the groups that are `gone` deleted.
fn without(part: &Part, gone: &HashSet<u64>) -> Part {
    let mut dead = None;
    if !gone.is_empty() {
        for (row, group) in (0_u32..).zip(part.segment.groups()) {
            if gone.contains(&group) && !part.dead.has(row) {
                let none = || {
                    if part.dead.words().is_empty() {
                        Bits::none(part.segment.rows)
                    } else {
                        (*part.dead).clone()
                    }
                };
                dead.get_or_insert_with(none).insert(row);
            }
        }
    }
    Part {
        segment: part.segment.clone(),
        graph: part.graph.clone(),
        dead: dead.map_or_else(|| part.dead.clone(), Arc::new),
    }
}

impl View {
    fn empty() -> Self {
        Self { mark: String::new(), dimensions: 0, next: 0, parts: Vec::new() }
    }

    fn manifest(&self) -> Manifest {
        let parts = self.parts.iter().map(|part| {
            let dead = if part.dead.count() == 0 { Bits::default() } else { (*part.dead).clone() };
            manifest::Part { id: part.segment.id, graph: part.graph.is_some(), dead }
        });
        Manifest {
            mark: self.mark.clone(),
            dimensions: u32::try_from(self.dimensions).unwrap_or(u32::MAX),
            next: self.next,
            parts: parts.collect(),
        }
    }
}
