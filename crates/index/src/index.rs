//! Opening and searching.

use crate::analyze::{Analysis, Analyzer};
use crate::empty::Empty;
use crate::open::{Open, Shape, texts};
use crate::places::{Places, clear, folders, free};
use crate::rank::{Admit, idf};
use crate::script::{Class, class};
use crate::stem::{Stems, may_be_stem};
use crate::terms::Terms;
use crate::writer::Writer;
use parking_lot::{Mutex, RwLock};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tantivy::schema::Field;
use tantivy::{SegmentReader, TantivyError, Term};

/// Longer terms searched for a single syllable.
pub(crate) const MOST_LONGER: usize = 32;

/// An index could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The folder cannot be made, read or cleared.
    #[error("index folder {}", path.display())]
    Folder {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Another writer is at work, in this process or another.
    #[error("the index in {} is being written by somebody else", path.display())]
    Locked {
        /// Where.
        path: PathBuf,
    },
    /// A vector of another length than those of the index.
    #[error(
        "a vector of {found} numbers where the index has {expected}; another embedder needs an index of its own"
    )]
    Dimensions {
        /// Numbers in the index's vectors.
        expected: usize,
        /// Numbers in this one.
        found: usize,
    },
    /// A vector with a number that is none or infinite.
    #[error("a vector holds a number that is not finite")]
    NotFinite,
    /// Anything else.
    #[error("the index in {} failed", path.display())]
    Failed {
        /// Where.
        path: PathBuf,
        /// Why.
        source: TantivyError,
    },
}

/// What an index keeps of its texts. One on disk that keeps something else counts as missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Detail {
    /// What ranking needs: each text's key and length, and how often each term stands in it.
    #[default]
    Ranked,
    /// Which groups hold which terms, for [`SearchIndex::groups_with`]: [`SearchIndex::search`] finds nothing, keys are
    /// not kept, and segments of more than some 200,000 texts are merged no further, so that memory does not grow with
    /// the index.
    Sets,
}

/// A text that matched.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Found {
    /// The text's key.
    pub key: u64,
    /// Its group.
    pub group: u64,
    /// Its BM25 score; greater is better.
    pub score: f64,
}

/// A search index in a folder. Opening changes nothing on disk; a missing or broken one is empty. One of other terms is
/// asked until the one that is wanted was filled ([`Writer::complete`]), after a restart, too.
pub struct SearchIndex {
    dir: PathBuf,
    /// What is wanted.
    shape: RwLock<Shape>,
    places: Arc<RwLock<Places>>,
    /// Held by the one writer.
    writing: Arc<Mutex<bool>>,
}

impl SearchIndex {
    /// The index in `dir`, which need not exist, with all that ranking needs.
    pub fn open(dir: &Path) -> Self {
        Self::open_shaped(dir, Shape::default())
    }

    /// The index in `dir`, which need not exist.
    pub fn open_with(dir: &Path, detail: Detail) -> Self {
        Self::open_shaped(dir, Shape { detail, analysis: Analysis::default() })
    }

    /// The index in `dir`, which need not exist, with all that ranking needs, of terms of one's choice.
    pub fn open_analyzed(dir: &Path, analysis: Analysis) -> Self {
        Self::open_shaped(dir, Shape { detail: Detail::Ranked, analysis })
    }

    fn open_shaped(dir: &Path, shape: Shape) -> Self {
        let found = folders(dir).into_iter().filter_map(|dir| Open::found(&dir, shape.detail));
        Self {
            dir: dir.to_owned(),
            shape: RwLock::new(shape),
            places: Arc::new(RwLock::new(Places::sorted(found, shape))),
            writing: Arc::new(Mutex::new(false)),
        }
    }

    /// Has the index's terms made so from now on: the next writer writes an index of such terms, from nothing, which is
    /// asked once it is complete ([`Writer::complete`]); until then the one that there is stays.
    pub fn analyze_as(&self, analysis: Analysis) {
        let mut shape = self.shape.write();
        shape.analysis = analysis;
        self.places.write().settle(*shape);
    }

    /// How the terms of what is asked are made.
    pub fn analysis(&self) -> Analysis {
        self.asked_shape().analysis
    }

    fn asked_shape(&self) -> Shape {
        self.current().map_or_else(|| *self.shape.read(), |open| open.shape)
    }

    /// Whether what is asked is of other terms than are wanted: a writer then writes what is to take its place, and
    /// [`Writer::complete`] puts it there.
    pub fn is_to_be_replaced(&self) -> bool {
        self.current().is_some_and(|open| open.shape != *self.shape.read())
    }

    /// Takes an index whose files were deleted under it for what it is: missing. It is made anew by the next
    /// writer.
    pub fn forget_if_gone(&self) {
        let is_gone = |open: &Arc<Open>| !open.dir.join("meta.json").exists();
        let mut places = self.places.write();
        if places.serving.as_ref().is_some_and(is_gone) {
            tracing::warn!(dir = %self.dir.display(), "the search index is gone and will be built again");
            places.serving = None;
        }
        if places.next.as_ref().is_some_and(is_gone) {
            places.next = None;
        }
    }

    /// The mark of the last commit of what writers write; `None` when there is no usable index of the terms that are
    /// wanted.
    pub fn mark(&self) -> Option<String> {
        let shape = *self.shape.read();
        self.places.read().written(shape)?.mark.lock().clone()
    }

    /// The mark of what searches ask.
    pub fn mark_of_asked(&self) -> Option<String> {
        self.current()?.mark.lock().clone()
    }

    /// Texts that can be found.
    pub fn len(&self) -> u64 {
        self.current().map_or(0, |open| open.reader.searcher().num_docs())
    }

    /// Whether nothing can be found.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many texts hold a term as [`analyze`] gives it; deleted ones count until their segment is merged. Where the
    /// index keeps endings, those that hold any word of the term's stem, one with two of them twice.
    pub fn doc_freq(&self, term: &str) -> Result<u64, IndexError> {
        let Some(open) = self.current() else { return Ok(0) };
        if open.shape.analysis.keep_endings && may_be_stem(term) {
            return self.doc_freq_of_stem(term);
        }
        open.reader
            .searcher()
            .doc_freq(&Term::from_field_text(open.fields.body, term))
            .map_err(|e| self.failed(e))
    }

    fn doc_freq_of_stem(&self, stem: &str) -> Result<u64, IndexError> {
        let mut stems = Stems::default();
        // A stem's last letters may be others than its words' (`studi`, `study`; `happi`, `happy`). Arabic words that
        // begin otherwise than their stem are not counted: looking for them would be looking at every term.
        let last = stem.char_indices().skip(1).last().map_or(stem.len(), |(at, _)| at);
        let beginning = stem.get(..last).unwrap_or(stem);
        let mut sum = 0;
        self.each_with_prefix(beginning, |term, texts| {
            if stems.stem(term) == stem {
                sum += texts;
            }
        })?;
        Ok(sum)
    }

    /// How much a term tells, by how few texts hold it ([`Self::doc_freq`]; BM25's idf, natural logarithm); at its
    /// greatest for one that no text holds.
    pub fn idf(&self, term: &str) -> Result<f64, IndexError> {
        let Some(open) = self.current() else {
            return Ok(idf(0, 0));
        };
        let texts = texts(&open.reader.searcher());
        Ok(idf(self.doc_freq(term)?.min(texts), texts))
    }

    /// The terms of a question, without English words that are about nothing (`what`, `the`) where there are others. Those
    /// of words and bigrams are enough by themselves; where a question has only single syllables or ideographs beside
    /// words (`책`, which in texts is the `책을` of a longer run), the commonest terms that begin with each are searched
    /// too, at half the weight.
    pub fn terms_of(&self, question: &str) -> Result<Terms, IndexError> {
        let (mut wanted, mut rest) = (Vec::new(), Vec::new());
        let empty = Empty::of(question);
        Analyzer::new(self.analysis()).scan(question, |term, start, end| {
            let word = question.get(start..end).unwrap_or_default();
            let into = if empty.holds(word) { &mut rest } else { &mut wanted };
            into.push(term.to_owned());
        });
        if wanted.is_empty() {
            return Ok(Terms::counted(rest));
        }
        let mut terms = Terms::counted(wanted);
        let is_run = |term: &str| term.chars().next().is_some_and(|c| class(c) != Class::Word);
        if terms.iter().any(|(term, _)| is_run(term) && term.chars().nth(1).is_some()) {
            return Ok(terms);
        }
        let alone: Vec<String> =
            terms.iter().filter(|(term, _)| is_run(term)).map(|(term, _)| term.to_owned()).collect();
        for term in alone {
            for longer in self.terms_with_prefix(&term, MOST_LONGER)? {
                terms.add(longer, 0.5);
            }
        }
        Ok(terms)
    }

    /// The terms of a text, as this index has them.
    pub(crate) fn analyzed(&self, text: &str) -> Vec<String> {
        let mut terms = Vec::new();
        Analyzer::new(self.analysis()).scan(text, |term, _, _| terms.push(term.to_owned()));
        terms
    }

    /// Up to `limit` terms of the index that begin with `prefix` and are longer, those that most texts hold first.
    pub(crate) fn terms_with_prefix(&self, prefix: &str, limit: usize) -> Result<Vec<String>, IndexError> {
        let mut found: BTreeMap<String, u64> = BTreeMap::new();
        self.each_with_prefix(prefix, |term, texts| {
            if term.len() > prefix.len() {
                *found.entry(term.to_owned()).or_default() += texts;
            }
        })?;
        let mut found: Vec<(String, u64)> = found.into_iter().collect();
        found.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        Ok(found.into_iter().take(limit).map(|(term, _)| term).collect())
    }

    /// Calls `act` with each term that begins so, and how many texts of a segment hold it, once for each segment.
    fn each_with_prefix(&self, prefix: &str, mut act: impl FnMut(&str, u64)) -> Result<(), IndexError> {
        let Some(open) = self.current() else { return Ok(()) };
        let io = |error: std::io::Error| self.failed(error.into());
        for segment in open.reader.searcher().segment_readers() {
            let inverted = segment.inverted_index(open.fields.body).map_err(|e| self.failed(e))?;
            let mut terms = inverted.terms().range().ge(prefix.as_bytes()).into_stream().map_err(io)?;
            while terms.advance() {
                let Some(term) =
                    std::str::from_utf8(terms.key()).ok().filter(|term| term.starts_with(prefix))
                else {
                    break;
                };
                act(term, u64::from(terms.value().doc_freq));
            }
        }
        Ok(())
    }

    /// The best texts for `terms`, best first, by BM25 with k1 = 1.5 and b = 0.75.
    pub fn search(&self, terms: &Terms, limit: usize) -> Result<Vec<Found>, IndexError> {
        self.search_where(terms, limit, None)
    }

    /// The same among the texts whose group is admitted. It is asked while texts are ranked, and only for those that
    /// would be among the best.
    pub fn search_where(
        &self,
        terms: &Terms,
        limit: usize,
        admit: Admit<'_>,
    ) -> Result<Vec<Found>, IndexError> {
        let Some(open) = self.current() else {
            return Ok(Vec::new());
        };
        if limit == 0 {
            return Ok(Vec::new());
        }
        open.search(terms, limit, admit).map_err(|e| self.failed(e))
    }

    /// Begins to write. There is one writer at a time; it holds memory and threads until it is dropped.
    /// A missing or broken index is made anew first.
    pub fn writer(&self) -> Result<Writer, IndexError> {
        let busy = Busy::take(&self.writing).ok_or_else(|| IndexError::Locked { path: self.dir.clone() })?;
        let open = match self.to_write() {
            Some(open) => open,
            None => self.create()?,
        };
        let inner = open.writer().map_err(|e| self.failed(e))?;
        Ok(Writer::new(inner, open, self.dir.clone(), self.places.clone(), busy))
    }

    /// The index there is for a writer. What is left of one that nobody wants goes.
    fn to_write(&self) -> Option<Arc<Open>> {
        let (shape, places) = (*self.shape.read(), self.places.read().clone());
        let open = places.written(shape).cloned();
        if let Some(serving) = open.as_ref().filter(|_| !self.is_to_be_replaced()) {
            let left = free(&self.dir, Some(serving));
            if left.join("meta.json").exists()
                && let Err(error) = clear(&left, &self.dir)
            {
                tracing::warn!(dir = %left.display(), %error, "an index that is no longer wanted cannot be removed");
            }
        }
        open
    }

    fn create(&self) -> Result<Arc<Open>, IndexError> {
        let serving = self.current();
        let dir = free(&self.dir, serving.as_deref());
        let folder = |source| IndexError::Folder { path: dir.clone(), source };
        if serving.is_none() {
            for dir in folders(&self.dir) {
                clear(&dir, &self.dir).map_err(folder)?;
            }
        } else {
            clear(&dir, &self.dir).map_err(folder)?;
        }
        std::fs::create_dir_all(&dir).map_err(folder)?;
        let open = Open::new_in(&dir, *self.shape.read(), serving.is_some()).map_err(|e| self.failed(e))?;
        let open = Arc::new(open);
        let mut places = self.places.write();
        let place = if serving.is_some() { &mut places.next } else { &mut places.serving };
        *place = Some(open.clone());
        Ok(open)
    }

    /// What is done with the segments there are; `None` without an index.
    pub(crate) fn with_segments<T>(
        &self,
        act: impl FnOnce(Field, &[SegmentReader]) -> Result<T, TantivyError>,
    ) -> Result<Option<T>, IndexError> {
        let Some(open) = self.current() else { return Ok(None) };
        let searcher = open.reader.searcher();
        act(open.fields.body, searcher.segment_readers()).map(Some).map_err(|e| self.failed(e))
    }

    pub(crate) fn current(&self) -> Option<Arc<Open>> {
        self.places.read().serving.clone()
    }

    pub(crate) fn failed(&self, error: TantivyError) -> IndexError {
        failed(&self.dir, error)
    }
}

pub(crate) fn failed(dir: &Path, error: TantivyError) -> IndexError {
    match error {
        TantivyError::LockFailure(..) => IndexError::Locked { path: dir.to_owned() },
        source => IndexError::Failed { path: dir.to_owned(), source },
    }
}

/// The right to write; given back when dropped.
pub(crate) struct Busy(Arc<Mutex<bool>>);

impl Busy {
    pub(crate) fn take(writing: &Arc<Mutex<bool>>) -> Option<Self> {
        let mut taken = writing.lock();
        (!std::mem::replace(&mut *taken, true)).then(|| Self(writing.clone()))
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        *self.0.lock() = false;
    }
}
