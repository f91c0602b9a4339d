//! The nearest rows of a view, by looking at all of them.
//!
//! Rows are ranked by their code's product with the query's code, which is fast; the best of them, and some more,
//! again with the query as it came, which halves what rounding does to the order.

use super::View;
use super::code::Query;
use super::simd::Kernel;
use super::{Part, segment};
use crate::index::Found;
use crate::rank::{Best, Candidate};

/// Rows multiplied at a time.
const BLOCK: usize = 256;

/// Whether a group may be found; remembers the last, since a text's chunks lie together.
pub(super) struct Gate<'a> {
    admit: Option<&'a (dyn Fn(u64) -> bool + Sync)>,
    last: Option<(u64, bool)>,
}

impl<'a> Gate<'a> {
    pub(super) fn new(admit: Option<&'a (dyn Fn(u64) -> bool + Sync)>) -> Self {
        Self { admit, last: None }
    }

    pub(super) fn admits(&mut self, part: &Part, row: u32) -> bool {
        if part.dead.has(row) {
            return false;
        }
        let Some(admit) = self.admit else { return true };
        let group = part.segment.group(row);
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

impl View {
    pub(super) fn search(
        &self,
        query: &Query,
        limit: usize,
        admit: Option<&(dyn Fn(u64) -> bool + Sync)>,
    ) -> Vec<Found> {
        if limit == 0 {
            return Vec::new();
        }
        let mut best = Best::above(wide(limit), f64::NEG_INFINITY);
        let mut gate = Gate::new(admit);
        for (ordinal, part) in (0_u32..).zip(&self.parts) {
            scan(ordinal, part, query, &mut gate, &mut best);
        }
        let mut found: Vec<Found> = best
            .into_vec()
            .into_iter()
            .filter_map(|Candidate { segment, doc, .. }| {
                let segment = &self.parts.get(segment::index(segment))?.segment;
                let score = query.cosine(segment.code(doc), segment.scale(doc));
                Some(Found { key: segment.key(doc), group: segment.group(doc), score })
            })
            .collect();
        found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.key.cmp(&b.key)));
        found.truncate(limit);
        found
    }
}

/// How many candidates are looked at again.
fn wide(limit: usize) -> usize {
    limit.saturating_add(limit / 2).saturating_add(24)
}

fn scan(ordinal: u32, part: &Part, query: &Query, gate: &mut Gate<'_>, best: &mut Best) {
    let kernel = Kernel::best();
    let segment = &part.segment;
    let mut products = [0_i32; BLOCK];
    let mut threshold = best.threshold();
    let mut scales = segment.scales();
    let mut row = 0_u32;
    for rows in segment.codes().chunks(BLOCK * segment.stride.max(1)) {
        kernel.scan(&query.factor, rows, &mut products);
        let count = rows.len() / segment.stride.max(1);
        for (product, scale) in products.iter().take(count).zip(&mut scales) {
            let score = like(*product, scale, query);
            if score > threshold && gate.admits(part, row) {
                best.push(Candidate { score, segment: ordinal, doc: row });
                threshold = best.threshold();
            }
            row += 1;
        }
    }
}

/// The cosine of two codes.
#[inline]
pub(super) fn like(product: i32, scale: f32, query: &Query) -> f64 {
    f64::from(product) * f64::from(scale) * f64::from(query.scale)
}
