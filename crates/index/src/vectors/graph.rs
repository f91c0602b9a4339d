//! A graph over a segment's rows, walked towards what is like the query.
//!
//! Every row has links to up to [`NEAR`] rows that are like it and unlike each other, and to up to [`FAR`] that are the
//! most like it of some taken evenly from the whole segment, others for each row. A walk keeps the best rows it met,
//! follows the links of the best it has not followed yet, and ends when there is none. It begins at rows taken evenly
//! from the whole segment, about as many as the root of their number: they stand for the upper layers that such graphs
//! are given (Malkov and Yashunin 2018), and cost neither memory nor upkeep.
//!
//! Without the far links a walk does not leave where many rows are all about as like each other: whatever is near to
//! one of them is another of them.

use super::bits::Bits;
use super::mapped::Mapped;
use super::segment::{Segment, index};
use super::simd::{Factor, Kernel};
use std::fs::File;
use std::io::{BufWriter, Error, ErrorKind, Result, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Links of a row to what is near, at most.
pub(crate) const NEAR: usize = 24;
/// Links of a row to what is farther away, at most.
pub(crate) const FAR: usize = 8;
/// Links of a row at most, first the near ones; with 4 bytes each what the graph takes beside the vectors.
pub(crate) const DEGREE: usize = NEAR + FAR;
/// In the place of a link that is not there.
pub(crate) const NONE: u32 = u32::MAX;
/// Rows that a walk begins at, at most.
const MOST_ENTRIES: u32 = 1024;

const MAGIC: &[u8; 8] = b"hanokgrf";
const FORMAT: u32 = 2;
const HEAD: usize = 64;

/// Who is linked to whom.
pub(crate) trait Links: Sync {
    /// Adds a row's links to what is near to `out`.
    fn near(&self, row: u32, out: &mut Vec<u32>);
    /// Adds a row's links to what is farther away to `out`.
    fn far(&self, row: u32, out: &mut Vec<u32>);
}

/// The links of a segment, in a file.
pub(crate) struct Graph(Mapped);

impl Graph {
    /// The file of a segment's graph.
    pub(crate) fn path(folder: &Path, id: u64) -> PathBuf {
        folder.join(format!("{id:08x}.graph"))
    }

    /// Opens the graph over a segment.
    pub(crate) fn open(folder: &Path, segment: &Segment) -> Result<Self> {
        let broken = || Error::new(ErrorKind::InvalidData, "a graph over vectors is broken");
        let map = Mapped::open(&Self::path(folder, segment.id))?;
        let head: Vec<u8> = head(segment.rows);
        let whole = index(segment.rows).checked_mul(DEGREE * 4).and_then(|links| links.checked_add(HEAD));
        if !map.bytes().starts_with(&head) || Some(map.bytes().len()) != whole {
            return Err(broken());
        }
        map.here_and_there();
        Ok(Self(map))
    }

    /// Writes the links of a segment's rows, [`DEGREE`] for each, and syncs them.
    pub(crate) fn write(folder: &Path, segment: &Segment, links: &[u32]) -> Result<Self> {
        let mut file = BufWriter::with_capacity(1 << 18, File::create(Self::path(folder, segment.id))?);
        file.write_all(&head(segment.rows))?;
        for link in links {
            file.write_all(&link.to_le_bytes())?;
        }
        file.into_inner().map_err(std::io::IntoInnerError::into_error)?.sync_all()?;
        Self::open(folder, segment)
    }
}

fn head(rows: u32) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    for number in [FORMAT, u32::try_from(DEGREE).unwrap_or(u32::MAX), rows] {
        head.extend(number.to_le_bytes());
    }
    head.resize(HEAD, 0);
    head
}

impl Graph {
    fn slots(&self, slots: Range<usize>, out: &mut Vec<u32>) {
        let links = self.0.bytes().get(HEAD..).unwrap_or_default().as_chunks::<4>().0;
        let links = links.get(slots).unwrap_or_default();
        out.extend(links.iter().map(|bytes| u32::from_le_bytes(*bytes)).take_while(|link| *link != NONE));
    }
}

impl Links for Graph {
    fn near(&self, row: u32, out: &mut Vec<u32>) {
        self.slots(near_slots(row), out);
    }
    fn far(&self, row: u32, out: &mut Vec<u32>) {
        self.slots(far_slots(row), out);
    }
}

/// Where a row's links to what is near are.
pub(crate) fn near_slots(row: u32) -> Range<usize> {
    let begin = index(row).saturating_mul(DEGREE);
    begin..begin.saturating_add(NEAR)
}

/// Where those to what is farther away are.
pub(crate) fn far_slots(row: u32) -> Range<usize> {
    let begin = index(row).saturating_mul(DEGREE).saturating_add(NEAR);
    begin..begin.saturating_add(FAR)
}

/// A row that was met.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Near {
    /// The cosine of its code with the query's.
    pub(crate) score: f32,
    pub(crate) row: u32,
    followed: bool,
}

impl Near {
    pub(crate) fn new(row: u32, score: f32) -> Self {
        Self { score, row, followed: false }
    }

    /// Whether it comes before another.
    pub(crate) fn leads(&self, other: &Self) -> bool {
        self.score > other.score || self.score >= other.score && self.row < other.row
    }
}

/// A walker, which keeps its buffers.
#[derive(Default)]
pub(crate) struct Walker {
    met: Bits,
    best: Vec<Near>,
    ahead: Vec<u32>,
    products: Vec<i32>,
}

/// What is walked.
pub(crate) struct Ground<'a, L> {
    pub(crate) segment: &'a Segment,
    pub(crate) links: &'a L,
    /// Rows below this have links.
    pub(crate) rows: u32,
}

impl Walker {
    /// The best `width` rows on the way to a query, best first; `meet` is told each row that was met, once, beginning
    /// with the [`entries`], which lie as `phase` says.
    pub(crate) fn walk<L: Links>(
        &mut self,
        ground: &Ground<'_, L>,
        factor: &Factor,
        scale: f32,
        width: usize,
        phase: u32,
        mut meet: impl FnMut(u32, f32),
    ) -> &[Near] {
        self.best.clear();
        self.met.reset(ground.rows);
        self.ahead.clear();
        self.ahead.extend(entries(ground.rows, phase));
        for row in &self.ahead {
            self.met.insert(*row);
        }
        let mut next = self.take_in(ground, factor, scale, width, &mut meet);
        while let Some(near) = self.best.get_mut(next) {
            if near.followed {
                next += 1;
                continue;
            }
            near.followed = true;
            let row = near.row;
            self.ahead.clear();
            ground.links.near(row, &mut self.ahead);
            ground.links.far(row, &mut self.ahead);
            let met = &mut self.met;
            self.ahead.retain(|row| *row < ground.rows && met.insert(*row));
            next = next.min(self.take_in(ground, factor, scale, width, &mut meet));
        }
        &self.best
    }

    /// Scores the rows ahead; gives the place of the best that came among the best.
    fn take_in<L: Links>(
        &mut self,
        ground: &Ground<'_, L>,
        factor: &Factor,
        scale: f32,
        width: usize,
        meet: &mut impl FnMut(u32, f32),
    ) -> usize {
        let Self { best, ahead, products, .. } = self;
        products.clear();
        products.resize(ahead.len(), 0);
        Kernel::best().gather(factor, ground.segment.codes(), ahead, products);
        let mut first = usize::MAX;
        for (row, product) in ahead.iter().zip(products) {
            let near = Near::new(*row, cosine(*product, scale, ground.segment.scale(*row)));
            meet(near.row, near.score);
            if best.len() >= width && best.last().is_none_or(|last| last.leads(&near)) {
                continue;
            }
            let at = best.partition_point(|other| other.leads(&near));
            if best.len() >= width {
                best.pop();
            }
            best.insert(at, near);
            first = first.min(at);
        }
        first
    }
}

/// Rows that a walk over so many begins at.
pub(crate) fn entries(rows: u32, phase: u32) -> impl ExactSizeIterator<Item = u32> {
    let step = (rows / rows.isqrt().clamp(1, MOST_ENTRIES)).max(1);
    (phase % step..rows).step_by(index(step))
}

/// The cosine of two codes.
#[expect(
    clippy::cast_precision_loss,
    reason = "products are below 2^30, and a cosine is good to seven digits"
)]
pub(crate) fn cosine(product: i32, a: f32, b: f32) -> f32 {
    product as f32 * a * b
}
