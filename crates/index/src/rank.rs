//! BM25 over tantivy's postings, document at a time, with `MaxScore` pruning (Turtle and Flood 1995).
//!
//! tantivy's own scorer has k1 fixed at 1.2; this one has 1.5, as the strong BM25 baselines have. The
//! pruning is exact: the hits are those of a full scan.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
use tantivy::columnar::Column;
use tantivy::fastfield::AliveBitSet;
use tantivy::fieldnorm::FieldNormReader;
use tantivy::postings::{Postings, SegmentPostings};
use tantivy::{DocId, DocSet, TERMINATED};

/// Saturation of a term's count.
pub(crate) const K1: f64 = 1.5;
/// How much a text's length counts.
pub(crate) const B: f64 = 0.75;

/// What a term that `with` of `all` texts hold is worth.
pub(crate) fn idf(with: u64, all: u64) -> f64 {
    let (with, all) = (float(with), float(all.max(with)));
    (1.0 + (all - with + 0.5) / (with + 0.5)).ln()
}

#[expect(clippy::cast_precision_loss, reason = "counts of texts are far below 2^53")]
pub(crate) fn float(count: u64) -> f64 {
    count as f64
}

/// What a text's length adds to the denominator, by the byte its length is kept in.
pub(crate) fn length_table(average: f64) -> [f64; 256] {
    let average = if average > 0.0 { average } else { 1.0 };
    let mut table = [0.0; 256];
    for (id, slot) in (0_u8..=255).zip(table.iter_mut()) {
        *slot = K1 * (1.0 - B + B * f64::from(FieldNormReader::id_to_fieldnorm(id)) / average);
    }
    table
}

/// A term's postings in one segment, and what the term is worth.
pub(crate) struct Leg {
    pub(crate) postings: SegmentPostings,
    /// Idf times the query's weight times k1 + 1: more than the term can add to any score.
    pub(crate) worth: f64,
}

/// The best so far, over all segments.
pub(crate) struct Best {
    limit: usize,
    floor: f64,
    heap: BinaryHeap<Candidate>,
}

/// A text with its score, ordered so that the worst is the greatest.
#[derive(Clone, Copy, PartialEq)]
pub(crate) struct Candidate {
    pub(crate) score: f64,
    pub(crate) segment: u32,
    pub(crate) doc: DocId,
}

impl Eq for Candidate {}
impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then((self.segment, self.doc).cmp(&(other.segment, other.doc)))
    }
}

impl Best {
    /// Up to `limit`, of those whose score is greater than `floor`.
    pub(crate) fn above(limit: usize, floor: f64) -> Self {
        Self { limit, floor, heap: BinaryHeap::with_capacity(limit.min(1024) + 1) }
    }
    /// A score must be greater than this to be among the best.
    #[inline]
    pub(crate) fn threshold(&self) -> f64 {
        if self.heap.len() < self.limit {
            self.floor
        } else {
            self.heap.peek().map_or(self.floor, |worst| worst.score)
        }
    }
    pub(crate) fn push(&mut self, candidate: Candidate) {
        self.heap.push(candidate);
        if self.heap.len() > self.limit {
            self.heap.pop();
        }
    }
    pub(crate) fn into_vec(self) -> Vec<Candidate> {
        self.heap.into_sorted_vec()
    }
}

/// A filter, asked with a text's group.
pub type Admit<'a> = Option<&'a (dyn Fn(u64) -> bool + Sync)>;

/// Which texts of a segment may be found; remembers the last group's answer, since a document's texts lie together.
pub(crate) struct Gate<'a> {
    admit: Admit<'a>,
    groups: Option<Column<u64>>,
    alive: Option<&'a AliveBitSet>,
    last: Option<(u64, bool)>,
}

impl<'a> Gate<'a> {
    /// `groups` is needed where there is a filter.
    pub(crate) fn new(admit: Admit<'a>, groups: Option<Column<u64>>, alive: Option<&'a AliveBitSet>) -> Self {
        Self { admit, groups, alive, last: None }
    }

    fn admits(&mut self, doc: DocId) -> bool {
        if self.alive.is_some_and(|alive| !alive.is_alive(doc)) {
            return false;
        }
        let Some(admit) = self.admit else { return true };
        let Some(group) = self.groups.as_ref().and_then(|groups| groups.first(doc)) else { return false };
        match self.last {
            Some((last, admitted)) if last == group => admitted,
            _ => {
                let admitted = admit(group);
                self.last = Some((group, admitted));
                admitted
            }
        }
    }
}

/// Adds a segment's best texts to `best`.
pub(crate) fn rank_segment(
    ordinal: u32,
    lengths: &FieldNormReader,
    table: &[f64; 256],
    mut legs: Vec<Leg>,
    gate: &mut Gate<'_>,
    best: &mut Best,
) {
    legs.sort_by(|a, b| a.worth.total_cmp(&b.worth));
    // What all legs up to each one can add together.
    let bounds: Vec<f64> = legs
        .iter()
        .scan(0.0, |sum, leg| {
            *sum += leg.worth;
            Some(*sum)
        })
        .collect();
    // Legs before this one cannot lift a text above the threshold by themselves.
    let mut essential = 0;
    let mut threshold = best.threshold();
    loop {
        while bounds.get(essential).is_some_and(|bound| *bound <= threshold) {
            essential += 1;
        }
        let Some((optional, needed)) = legs.split_at_mut_checked(essential) else {
            break;
        };
        let doc = needed.iter().map(|leg| leg.postings.doc()).min().unwrap_or(TERMINATED);
        if doc == TERMINATED {
            break;
        }
        let length = table.get(usize::from(lengths.fieldnorm_id(doc))).copied().unwrap_or(K1);
        let mut score = 0.0;
        for leg in needed {
            if leg.postings.doc() == doc {
                score += contribution(leg, length);
                leg.postings.advance();
            }
        }
        let mut beaten = false;
        for (leg, bound) in optional.iter_mut().zip(&bounds).rev() {
            if score + bound <= threshold {
                beaten = true;
                break;
            }
            if leg.postings.doc() < doc {
                leg.postings.seek(doc);
            }
            if leg.postings.doc() == doc {
                score += contribution(leg, length);
            }
        }
        if !beaten && score > threshold && gate.admits(doc) {
            best.push(Candidate { score, segment: ordinal, doc });
            threshold = best.threshold();
        }
    }
}

fn contribution(leg: &Leg, length: f64) -> f64 {
    share(leg.worth, leg.postings.term_freq(), length)
}

/// What a term adds to a text's score that holds it so often.
pub(crate) fn share(worth: f64, count: u32, length: f64) -> f64 {
    let count = f64::from(count);
    worth * count / (count + length)
}
