//! Opening and searching.

use crate::analyze::{Analysis, Analyzer, analyze};
use crate::empty::Empty;
use crate::places::{Places, clear, folders, free};
use crate::rank::{Admit, Best, Gate, K1, Leg, float, idf, length_table, rank_segment};
use crate::script::{Class, class};
use crate::stem::{Stems, may_be_stem};
use crate::tokenizer::{Progress, Splitter};
use crate::writer::Writer;
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, HashMap};
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tantivy::directory::MmapDirectory;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::postings::TermInfo;
use tantivy::schema::{FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::TextAnalyzer;
use tantivy::{
    Index, IndexReader, IndexSettings, IndexWriter, ReloadPolicy, Searcher, SegmentReader, TantivyError, Term,
};

/// The analyzer's name in tantivy's registry.
const ANALYZER: &str = "hanok";
/// Bytes the writer gathers at most before it writes a segment: fewer segments are merged less.
const WRITER_MEMORY: usize = 48_000_000;
/// The same of an index of sets, whose segments are to be small; the least tantivy takes.
const SETS_WRITER_MEMORY: usize = 15_000_000;
/// Texts of a segment of sets that is merged with others.
const MOST_MERGED: usize = 30_000;
/// More terms than this add nothing to a query but time; the rarest are kept.
const MOST_TERMS: usize = 128;
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

/// The terms of a query, each once, with how much each counts.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Terms(Vec<(String, f64)>);

impl Terms {
    /// The terms of a query's text, each counting as often as it stands there.
    pub fn of(text: &str) -> Self {
        Self::counted(analyze(text).into_iter().map(|token| token.text))
    }
    /// The terms of a text, in their order, each counting as often as it stands there. A long text has many.
    pub(crate) fn counted(terms: impl IntoIterator<Item = String>) -> Self {
        let mut counted: Vec<(String, f64)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        for term in terms {
            if let Some((_, sum)) = places.get(&term).and_then(|place| counted.get_mut(*place)) {
                *sum += 1.0;
            } else {
                places.insert(term.clone(), counted.len());
                counted.push((term, 1.0));
            }
        }
        Self(counted)
    }
    /// Adds a term, or to its weight where it is there.
    pub fn add(&mut self, term: String, weight: f64) {
        match self.0.iter_mut().find(|(known, _)| *known == term) {
            Some((_, sum)) => *sum += weight,
            None => self.0.push((term, weight)),
        }
    }
    /// Whether there is nothing to search for.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// The terms with their weights.
    pub fn iter(&self) -> impl Iterator<Item = (&str, f64)> {
        self.0.iter().map(|(term, weight)| (term.as_str(), *weight))
    }
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

pub(crate) struct Open {
    pub(crate) dir: PathBuf,
    pub(crate) shape: Shape,
    /// Whether it is not complete yet while another one serves.
    unfinished: AtomicBool,
    index: Index,
    pub(crate) reader: IndexReader,
    pub(crate) fields: Fields,
    pub(crate) mark: Mutex<Option<String>>,
    pub(crate) progress: Arc<Progress>,
}

#[derive(Clone, Copy)]
pub(crate) struct Fields {
    pub(crate) body: Field,
    /// Only where texts are ranked.
    pub(crate) key: Option<Field>,
    pub(crate) group: Field,
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

/// Deleted texts not yet merged away included, as in the counts of terms.
pub(crate) fn texts(searcher: &Searcher) -> u64 {
    searcher.segment_readers().iter().map(|segment| u64::from(segment.max_doc())).sum()
}

/// What an index consists of; one on disk that consists of something else counts as missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    detail: Detail,
    analysis: Analysis,
}

impl Shape {
    /// What a commit's payload begins with.
    fn format(self) -> &'static str {
        match (self.detail, self.analysis.keep_endings) {
            (Detail::Ranked, false) => "2",
            (Detail::Sets, false) => "2s",
            (Detail::Ranked, true) => "2k",
            (Detail::Sets, true) => "2sk",
        }
    }

    fn of_format(format: &str) -> Option<Self> {
        [Detail::Ranked, Detail::Sets]
            .into_iter()
            .flat_map(|detail| {
                [false, true].map(|keep_endings| Self { detail, analysis: Analysis { keep_endings } })
            })
            .find(|shape| shape.format() == format)
    }
}

/// Behind the format of a commit of what is not complete.
const UNFINISHED: char = '+';

impl Open {
    /// What there is in a folder, of any terms; nothing where it cannot be read.
    fn found(dir: &Path, detail: Detail) -> Option<Self> {
        // tantivy checks sums only where it is asked to, and may panic over a file that was cut short.
        match catch_unwind(|| Self::existing(dir, detail)) {
            Ok(Ok(open)) => open,
            Ok(Err(error)) => {
                tracing::warn!(dir = %dir.display(), %error, "the search index cannot be read and will be built again");
                None
            }
            Err(_) => {
                tracing::warn!(dir = %dir.display(), "the search index is damaged and will be built again");
                None
            }
        }
    }

    fn existing(dir: &Path, detail: Detail) -> Result<Option<Self>, TantivyError> {
        if !dir.join("meta.json").exists() {
            return Ok(None);
        }
        let index = Index::open(MmapDirectory::open(dir)?)?;
        let payload = index.load_metas()?.payload.unwrap_or_default();
        // A payload of another format, or none (no commit yet): as if there were no index.
        let Some((format, mark)) = payload.split_once(' ') else { return Ok(None) };
        let shape = Shape::of_format(format.trim_end_matches(UNFINISHED));
        let Some(shape) = shape.filter(|shape| shape.detail == detail) else { return Ok(None) };
        let open = Self::over(index, dir, shape, format.ends_with(UNFINISHED))?;
        *open.mark.lock() = Some(mark.to_owned());
        Ok(Some(open))
    }

    /// Whether it may be asked alone.
    pub(crate) fn is_complete(&self) -> bool {
        !self.unfinished.load(Ordering::Acquire)
    }

    pub(crate) fn set_complete(&self) {
        self.unfinished.store(false, Ordering::Release);
    }

    /// What a commit's payload says under a mark.
    pub(crate) fn payload(&self, mark: &str, complete: bool) -> String {
        let state = if complete || self.is_complete() { "" } else { "+" };
        format!("{}{state} {mark}", self.shape.format())
    }

    fn new_in(dir: &Path, shape: Shape, unfinished: bool) -> Result<Self, TantivyError> {
        let ranked = shape.detail == Detail::Ranked;
        let mut schema = Schema::builder();
        let indexing = TextFieldIndexing::default()
            .set_tokenizer(ANALYZER)
            .set_fieldnorms(ranked)
            .set_index_option(if ranked { IndexRecordOption::WithFreqs } else { IndexRecordOption::Basic });
        schema.add_text_field("body", TextOptions::default().set_indexing_options(indexing));
        if ranked {
            schema.add_u64_field("key", FAST);
        }
        schema.add_u64_field("group", FAST | INDEXED);
        // Nothing is kept of the texts, so that a thread to pack them would only be begun and ended, once a segment.
        let settings =
            IndexSettings { docstore_compress_dedicated_thread: false, ..IndexSettings::default() };
        let index = Index::create(MmapDirectory::open(dir)?, schema.build(), settings)?;
        Self::over(index, dir, shape, unfinished)
    }

    fn over(index: Index, dir: &Path, shape: Shape, unfinished: bool) -> Result<Self, TantivyError> {
        let schema = index.schema();
        let fields = Fields {
            body: schema.get_field("body")?,
            key: (shape.detail == Detail::Ranked).then(|| schema.get_field("key")).transpose()?,
            group: schema.get_field("group")?,
        };
        let progress = Arc::new(Progress::default());
        let splitter = Splitter::new(shape.analysis, progress.clone());
        index.tokenizers().register(ANALYZER, TextAnalyzer::from(splitter));
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into()?;
        let unfinished = AtomicBool::new(unfinished);
        let (dir, mark) = (dir.to_owned(), Mutex::new(None));
        Ok(Self { dir, shape, unfinished, index, reader, fields, mark, progress })
    }

    fn writer(&self) -> Result<IndexWriter, TantivyError> {
        if self.shape.detail == Detail::Ranked {
            return self.index.writer_with_num_threads(1, WRITER_MEMORY);
        }
        let options = IndexWriterOptions::builder()
            .num_worker_threads(1)
            .memory_budget_per_thread(SETS_WRITER_MEMORY)
            .num_merge_threads(1)
            .build();
        let writer = self.index.writer_with_options(options)?;
        let mut policy = LogMergePolicy::default();
        policy.set_max_docs_before_merge(MOST_MERGED);
        // Small segments each have their own dictionary, which is a third of them.
        policy.set_min_num_segments(4);
        writer.set_merge_policy(Box::new(policy));
        Ok(writer)
    }

    fn search(&self, terms: &Terms, limit: usize, admit: Admit<'_>) -> Result<Vec<Found>, TantivyError> {
        if self.shape.detail == Detail::Sets {
            return Ok(Vec::new());
        }
        let searcher = self.reader.searcher();
        let Weighed { wanted, average } = self.weigh(&searcher, terms)?;
        let table = length_table(average);
        let mut best = Best::above(limit, 0.0);
        for (ordinal, segment) in (0_u32..).zip(searcher.segment_readers()) {
            let inverted = segment.inverted_index(self.fields.body)?;
            let lengths = segment.get_fieldnorms_reader(self.fields.body)?;
            let mut legs = Vec::with_capacity(wanted.len());
            for Wanted { infos, worth, .. } in &wanted {
                if let Some(info) =
                    infos.get(usize::try_from(ordinal).unwrap_or(usize::MAX)).and_then(Option::as_ref)
                {
                    let postings =
                        inverted.read_postings_from_terminfo(info, IndexRecordOption::WithFreqs)?;
                    legs.push(Leg { postings, worth: *worth });
                }
            }
            let groups = if admit.is_some() { Some(segment.fast_fields().u64("group")?) } else { None };
            let mut gate = Gate::new(admit, groups, segment.alive_bitset());
            rank_segment(ordinal, &lengths, &table, legs, &mut gate, &mut best);
        }
        named(&searcher, best)
    }

    /// The terms that any text holds, the rarest first, and how many terms a text has on average.
    pub(crate) fn weigh<'t>(
        &self,
        searcher: &Searcher,
        terms: &'t Terms,
    ) -> Result<Weighed<'t>, TantivyError> {
        let all = texts(searcher);
        let mut inverted = Vec::with_capacity(searcher.segment_readers().len());
        for segment in searcher.segment_readers() {
            inverted.push(segment.inverted_index(self.fields.body)?);
        }
        let mut wanted = Vec::with_capacity(terms.0.len());
        for (text, weight) in terms.iter() {
            let term = Term::from_field_text(self.fields.body, text);
            let mut infos = Vec::with_capacity(inverted.len());
            for inverted in &inverted {
                infos.push(inverted.get_term_info(&term)?);
            }
            let with: u64 = infos.iter().flatten().map(|info| u64::from(info.doc_freq)).sum();
            if with > 0 {
                wanted.push(Wanted { text, infos, worth: weight * idf(with, all) * (K1 + 1.0) });
            }
        }
        wanted.sort_by(|a, b| b.worth.total_cmp(&a.worth));
        wanted.truncate(MOST_TERMS);
        let tokens: u64 = inverted.iter().map(|inverted| inverted.total_num_tokens()).sum();
        Ok(Weighed { wanted, average: float(tokens) / float(all.max(1)) })
    }
}

/// A query's terms as an index has them.
pub(crate) struct Weighed<'t> {
    pub(crate) wanted: Vec<Wanted<'t>>,
    /// Terms of a text on average.
    pub(crate) average: f64,
}

/// A term of a query that some text holds.
pub(crate) struct Wanted<'t> {
    pub(crate) text: &'t str,
    /// Where each segment has it.
    pub(crate) infos: Vec<Option<TermInfo>>,
    /// Idf times the query's weight times k1 + 1.
    pub(crate) worth: f64,
}

/// The candidates' keys and groups. Equal scores are in the order of keys, whatever the segments are.
fn named(searcher: &Searcher, best: Best) -> Result<Vec<Found>, TantivyError> {
    let mut columns = Vec::with_capacity(searcher.segment_readers().len());
    for segment in searcher.segment_readers() {
        let fields = segment.fast_fields();
        columns.push((fields.u64("key")?, fields.u64("group")?));
    }
    let mut found: Vec<Found> = best
        .into_vec()
        .into_iter()
        .filter_map(|candidate| {
            let (keys, groups) = columns.get(usize::try_from(candidate.segment).ok()?)?;
            Some(Found {
                key: keys.first(candidate.doc)?,
                group: groups.first(candidate.doc)?,
                score: candidate.score,
            })
        })
        .collect();
    found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.key.cmp(&b.key)));
    Ok(found)
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
