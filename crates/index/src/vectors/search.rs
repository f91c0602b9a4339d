//! The nearest rows of a view: by looking at all of them, or along a graph.
//!
//! Rows are ranked by their code's product with the query's code, which is fast; the best of them, and some more,
//! again with the query as it came, which halves what rounding does to the order.
//!
//! A filter is asked while rows are ranked. Where it admits few rows a walk would pass by many in vain, and
//! the rows it admits are looked at instead.

use super::code::Query;
use super::graph::{Graph, Ground, Walker, cosine};
use super::segment::index;
use super::simd::Kernel;
use super::{Part, Tuning, View};
use crate::index::Found;
use crate::rank::{Admit, Best, Candidate};

/// Rows multiplied at a time.
const BLOCK: usize = 256;
/// Rows that are asked for, to know how many a filter admits.
const ASKED: u32 = 256;
/// Admitted ones of [`ASKED`] below which no walk is made.
const FEW: u32 = 10;

/// Whether a row may be found; remembers the last group's answer, since a text's chunks lie together.
struct Gate<'a> {
    admit: Admit<'a>,
    last: Option<(u64, bool)>,
}

impl Gate<'_> {
    fn admits(&mut self, part: &Part, row: u32) -> bool {
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

    /// How many of [`ASKED`] rows, taken evenly, are admitted.
    fn share(&mut self, part: &Part) -> u32 {
        if self.admit.is_none() && part.dead.words().is_empty() {
            return ASKED;
        }
        let rows = part.segment.rows;
        let asked = (0..ASKED).map(|at| u64::from(at) * u64::from(rows) / u64::from(ASKED));
        let admitted =
            asked.filter_map(|row| u32::try_from(row).ok()).filter(|row| self.admits(part, *row)).count();
        u32::try_from(admitted).unwrap_or(ASKED)
    }
}

impl View {
    pub(super) fn search(
        &self,
        query: &Query,
        limit: usize,
        admit: Admit<'_>,
        tuning: &Tuning,
    ) -> Vec<Found> {
        if limit == 0 {
            return Vec::new();
        }
        let wide = limit.saturating_add(limit / 2).saturating_add(24);
        let mut best = Best::above(wide, f64::NEG_INFINITY);
        let mut gate = Gate { admit, last: None };
        for (ordinal, part) in (0_u32..).zip(&self.parts) {
            let share = gate.share(part);
            match &part.graph {
                Some(graph) if share >= FEW && wide <= index(part.segment.rows) / 64 => {
                    let width = tuning.width.max(wide).saturating_mul(index(ASKED)) / index(share);
                    walk(ordinal, part, graph, query, width, &mut gate, &mut best);
                }
                _ if share < ASKED / 4 => scan_admitted(ordinal, part, query, &mut gate, &mut best),
                _ => scan(ordinal, part, query, &mut gate, &mut best),
            }
        }
        let mut found: Vec<Found> = best
            .into_vec()
            .into_iter()
            .filter_map(|Candidate { segment, doc, .. }| {
                let segment = &self.parts.get(index(segment))?.segment;
                let score = query.cosine(segment.code(doc), segment.scale(doc));
                Some(Found { key: segment.key(doc), group: segment.group(doc), score })
            })
            .collect();
        found.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.key.cmp(&b.key)));
        found.truncate(limit);
        found
    }
}

fn walk(
    ordinal: u32,
    part: &Part,
    graph: &Graph,
    query: &Query,
    width: usize,
    gate: &mut Gate<'_>,
    best: &mut Best,
) {
    let ground = Ground { segment: &part.segment, links: graph, rows: part.segment.rows };
    Walker::default().walk(&ground, &query.factor, query.scale, width, 0, |row, score| {
        let score = f64::from(score);
        if score > best.threshold() && gate.admits(part, row) {
            best.push(Candidate { score, segment: ordinal, doc: row });
        }
    });
}

/// Multiplies all rows, and asks for those that would be among the best.
fn scan(ordinal: u32, part: &Part, query: &Query, gate: &mut Gate<'_>, best: &mut Best) {
    let kernel = Kernel::best();
    let segment = &part.segment;
    let mut products = [0_i32; BLOCK];
    let mut threshold = best.threshold();
    let mut scales = segment.scales();
    let mut row = 0_u32;
    for rows in segment.codes().chunks(BLOCK * segment.stride) {
        kernel.scan(&query.factor, rows, &mut products);
        let count = rows.len() / segment.stride;
        for (product, scale) in products.iter().take(count).zip(&mut scales) {
            let score = f64::from(cosine(*product, scale, query.scale));
            if score > threshold && gate.admits(part, row) {
                best.push(Candidate { score, segment: ordinal, doc: row });
                threshold = best.threshold();
            }
            row += 1;
        }
    }
}

/// Asks for all rows, and multiplies those that are admitted.
fn scan_admitted(ordinal: u32, part: &Part, query: &Query, gate: &mut Gate<'_>, best: &mut Best) {
    let segment = &part.segment;
    let mut admitted = Vec::with_capacity(BLOCK);
    let mut products = [0_i32; BLOCK];
    let mut row = 0;
    while row < segment.rows {
        while row < segment.rows && admitted.len() < BLOCK {
            if gate.admits(part, row) {
                admitted.push(row);
            }
            row += 1;
        }
        Kernel::best().gather(&query.factor, segment.codes(), &admitted, &mut products);
        for (row, product) in admitted.drain(..).zip(products) {
            let score = f64::from(cosine(product, segment.scale(row), query.scale));
            if score > best.threshold() {
                best.push(Candidate { score, segment: ordinal, doc: row });
            }
        }
    }
}
