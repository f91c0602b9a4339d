//! One index in its folder: what it consists of, how its terms are weighed, and what ranking makes of them.

use crate::analyze::Analysis;
use crate::index::{Detail, Found};
use crate::rank::{Admit, Best, Gate, K1, Leg, float, idf, length_table, rank_segment};
use crate::terms::Terms;
use crate::tokenizer::{Progress, Splitter};
use parking_lot::Mutex;
use std::panic::catch_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tantivy::directory::MmapDirectory;
use tantivy::indexer::{IndexWriterOptions, LogMergePolicy};
use tantivy::postings::TermInfo;
use tantivy::schema::{FAST, Field, INDEXED, IndexRecordOption, Schema, TextFieldIndexing, TextOptions};
use tantivy::tokenizer::TextAnalyzer;
use tantivy::{Index, IndexReader, IndexSettings, IndexWriter, ReloadPolicy, Searcher, TantivyError, Term};

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

/// Deleted texts not yet merged away included, as in the counts of terms.
pub(crate) fn texts(searcher: &Searcher) -> u64 {
    searcher.segment_readers().iter().map(|segment| u64::from(segment.max_doc())).sum()
}

/// What an index consists of; one on disk that consists of something else counts as missing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shape {
    pub(crate) detail: Detail,
    pub(crate) analysis: Analysis,
}

impl Shape {
    /// What a commit's payload begins with.
    pub(crate) fn format(self) -> &'static str {
        match (self.detail, self.analysis.keep_endings) {
            (Detail::Ranked, false) => "2",
            (Detail::Sets, false) => "2s",
            (Detail::Ranked, true) => "2k",
            (Detail::Sets, true) => "2sk",
        }
    }

    pub(crate) fn of_format(format: &str) -> Option<Self> {
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
    pub(crate) fn found(dir: &Path, detail: Detail) -> Option<Self> {
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

    pub(crate) fn existing(dir: &Path, detail: Detail) -> Result<Option<Self>, TantivyError> {
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

    pub(crate) fn new_in(dir: &Path, shape: Shape, unfinished: bool) -> Result<Self, TantivyError> {
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

    pub(crate) fn over(
        index: Index,
        dir: &Path,
        shape: Shape,
        unfinished: bool,
    ) -> Result<Self, TantivyError> {
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

    pub(crate) fn writer(&self) -> Result<IndexWriter, TantivyError> {
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

    pub(crate) fn search(
        &self,
        terms: &Terms,
        limit: usize,
        admit: Admit<'_>,
    ) -> Result<Vec<Found>, TantivyError> {
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
        let mut wanted = Vec::with_capacity(terms.len());
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
