//! Making a graph: rows are put in, some hundred at a time.
//!
//! Each batch's rows look for what is like them in the graph as it was before the batch, and among the rows of the
//! batch before them; then all new links are made. Both are done by several threads, and since no row sees what
//! another thread is at, the graph is the same for any number of them.
//!
//! Which links a row gets: of the candidates the most like it first, leaving out one that is more like a link that
//! was taken than like the row, by some margin (`alpha` of Subramanya and others, `DiskANN`, 2019). Beside these, it is
//! linked to the most like of the rows that its walk began at, which are others for each row.

use super::graph::{
    DEGREE, FAR, Ground, Links, NEAR, NONE, Near, Walker, cosine, entries, far_slots, near_slots,
};
use super::segment::{Segment, index};
use super::simd::{Factor, Kernel};
use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many rows a new row's links are chosen from.
const CANDIDATES: usize = 96;
/// How much nearer to a link than to the row a candidate must be to be left out.
const ALPHA: f32 = 1.2;
/// Rows put in at a time at most, and which share of those there are.
const MOST_AT_ONCE: u32 = 1024;
const SHARE_AT_ONCE: u32 = 16;
/// Rows that a thread takes at a time.
const PORTION: usize = 16;

/// Links in the making, [`DEGREE`] for each row.
pub(crate) struct Lists(pub(crate) Vec<u32>);

impl Lists {
    /// Links for `rows` rows, none yet.
    pub(crate) fn none(rows: u32) -> Self {
        Self(vec![NONE; index(rows).saturating_mul(DEGREE)])
    }

    /// Gives a row the links to what is near that it has from now on.
    pub(crate) fn set_near(&mut self, row: u32, links: impl IntoIterator<Item = u32>) {
        self.fill(near_slots(row), links);
    }

    /// Gives a row the links to what is farther away that it has from now on.
    pub(crate) fn set_far(&mut self, row: u32, links: impl IntoIterator<Item = u32>) {
        self.fill(far_slots(row), links);
    }

    fn fill(&mut self, slots: Range<usize>, links: impl IntoIterator<Item = u32>) {
        let slots = self.0.get_mut(slots).unwrap_or_default();
        slots.fill(NONE);
        for (slot, link) in slots.iter_mut().zip(links) {
            *slot = link;
        }
    }

    fn slots(&self, slots: Range<usize>, out: &mut Vec<u32>) {
        let links = self.0.get(slots).unwrap_or_default();
        out.extend(links.iter().copied().take_while(|link| *link != NONE));
    }
}

impl Links for Lists {
    fn near(&self, row: u32, out: &mut Vec<u32>) {
        self.slots(near_slots(row), out);
    }
    fn far(&self, row: u32, out: &mut Vec<u32>) {
        self.slots(far_slots(row), out);
    }
}

/// Puts the rows from `built` on into a graph over those before.
pub(crate) fn extend(segment: &Segment, lists: &mut Lists, built: u32, threads: usize) {
    let mut from = built;
    while from < segment.rows {
        let size = (from / SHARE_AT_ONCE).clamp(1, MOST_AT_ONCE);
        let upto = from.saturating_add(size).min(segment.rows);
        put_in(segment, lists, from..upto, threads);
        from = upto;
    }
}

fn put_in(segment: &Segment, lists: &mut Lists, batch: Range<u32>, threads: usize) {
    let new: Vec<u32> = batch.clone().collect();
    let ground = Ground { segment, links: &*lists, rows: batch.start };
    let chosen: Vec<Chosen> = in_parallel(&new, threads, |hand, row| hand.links_for(&ground, &batch, *row));

    // What links back, together for each row that is linked to.
    let mut back: Vec<(u32, Near)> = Vec::new();
    for (row, links) in batch.zip(&chosen) {
        lists.set_near(row, links.near.iter().map(|near| near.row));
        lists.set_far(row, links.far.iter().map(|near| near.row));
        back.extend(links.near.iter().map(|near| (near.row, Near::new(row, near.score))));
    }
    back.sort_unstable_by_key(|(to, near)| (*to, near.row));
    let targets: Vec<&[(u32, Near)]> = back.chunk_by(|a, b| a.0 == b.0).collect();
    let changed = in_parallel(&targets, threads, |hand, added| hand.links_with(segment, lists, added));
    for (added, links) in targets.iter().zip(changed) {
        if let Some((to, _)) = added.first() {
            lists.set_near(*to, links);
        }
    }
}

/// What `act` gives for each task, in their order; threads take what is next.
pub(crate) fn in_parallel<T: Sync, R: Send>(
    tasks: &[T],
    threads: usize,
    act: impl Fn(&mut Hand, &T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let work = || {
        let mut hand = Hand::default();
        let mut done = Vec::new();
        loop {
            let begin = next.fetch_add(PORTION, Ordering::Relaxed);
            let Some(portion) = tasks.get(begin..).filter(|rest| !rest.is_empty()) else { return done };
            done.extend(
                (begin..).zip(portion.iter().take(PORTION)).map(|(at, task)| (at, act(&mut hand, task))),
            );
        }
    };
    let helpers = threads.min(tasks.len().div_ceil(PORTION)).saturating_sub(1);
    let mut all = std::thread::scope(|scope| {
        let others: Vec<_> = (0..helpers).map(|_| scope.spawn(work)).collect();
        let mut all = work();
        for other in others {
            match other.join() {
                Ok(done) => all.extend(done),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    });
    all.sort_unstable_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, result)| result).collect()
}

/// What a new row is linked to.
pub(crate) struct Chosen {
    near: Vec<Near>,
    far: Vec<Near>,
}

/// What a thread works with.
#[derive(Default)]
pub(crate) struct Hand {
    walker: Walker,
    factor: Factor,
    links: Vec<u32>,
    products: Vec<i32>,
}

impl Hand {
    /// The links of a row that is new in a batch.
    fn links_for(&mut self, ground: &Ground<'_, Lists>, batch: &Range<u32>, row: u32) -> Chosen {
        let segment = ground.segment;
        let scale = segment.scale(row);
        self.factor.set_row(segment.code(row));
        let first = entries(ground.rows, row).len();
        let mut met: Vec<Near> = Vec::with_capacity(first);
        let meet = |row, score| {
            if met.len() < first {
                met.push(Near::new(row, score));
            }
        };
        let mut near = self.walker.walk(ground, &self.factor, scale, CANDIDATES, row, meet).to_vec();
        let before: Vec<u32> = (batch.start..row).collect();
        near.extend(self.near(segment, row, &before));
        let near = self.choose(segment, near);
        met.retain(|met| near.iter().all(|near| near.row != met.row));
        sort(&mut met);
        met.truncate(FAR);
        Chosen { near, far: met }
    }

    /// The links of a row that others link to now.
    fn links_with(&mut self, segment: &Segment, lists: &Lists, added: &[(u32, Near)]) -> Vec<u32> {
        let Some((row, _)) = added.first() else { return Vec::new() };
        let mut links = Vec::with_capacity(NEAR + added.len());
        lists.near(*row, &mut links);
        if links.len() + added.len() <= NEAR {
            links.extend(added.iter().map(|(_, near)| near.row));
            return links;
        }
        links.extend(added.iter().map(|(_, near)| near.row));
        self.best_links(segment, *row, &links)
    }

    /// The links of a row out of some rows.
    pub(crate) fn best_links(&mut self, segment: &Segment, row: u32, among: &[u32]) -> Vec<u32> {
        let near = self.near(segment, row, among);
        self.choose(segment, near).iter().map(|near| near.row).collect()
    }

    /// How much some rows are like a row.
    fn near(&mut self, segment: &Segment, row: u32, others: &[u32]) -> Vec<Near> {
        self.factor.set_row(segment.code(row));
        self.products.clear();
        self.products.resize(others.len(), 0);
        Kernel::best().gather(&self.factor, segment.codes(), others, &mut self.products);
        let scale = segment.scale(row);
        let score =
            |(row, product): (&u32, &i32)| Near::new(*row, cosine(*product, scale, segment.scale(*row)));
        others.iter().zip(&self.products).map(score).collect()
    }

    /// Those of the candidates that a row is linked to.
    fn choose(&mut self, segment: &Segment, mut candidates: Vec<Near>) -> Vec<Near> {
        sort(&mut candidates);
        candidates.truncate(CANDIDATES);
        let mut chosen: Vec<Near> = Vec::with_capacity(NEAR);
        self.links.clear();
        for near in candidates {
            if chosen.len() >= NEAR {
                break;
            }
            if !self.is_covered(segment, near) {
                self.links.push(near.row);
                chosen.push(near);
            }
        }
        chosen
    }

    /// Whether a candidate is much more like one of the links that are taken than like the row itself.
    fn is_covered(&mut self, segment: &Segment, candidate: Near) -> bool {
        if self.links.is_empty() {
            return false;
        }
        self.factor.set_row(segment.code(candidate.row));
        let scale = segment.scale(candidate.row);
        let mut products = [0_i32; 8];
        self.links.chunks(products.len()).any(|links| {
            Kernel::best().gather(&self.factor, segment.codes(), links, &mut products);
            links.iter().zip(products).any(|(link, product)| {
                let between = 1.0 - cosine(product, scale, segment.scale(*link));
                ALPHA * between <= 1.0 - candidate.score
            })
        })
    }
}

/// The most like first.
fn sort(rows: &mut [Near]) {
    rows.sort_unstable_by(|a, b| b.score.total_cmp(&a.score).then(a.row.cmp(&b.row)));
}
