//! Making one segment of several, and when to.
//!
//! Commits leave small segments; they are merged so that each is at least twice as large as all that came after
//! it together. Beyond the number of rows up to which all are looked at, everything becomes one segment with a
//! graph, and what is committed afterwards joins it whenever it is a sixteenth of it.

use super::bits::Bits;
use super::build::{Hand, Lists, extend, in_parallel};
use super::graph::{Graph, Links, NONE};
use super::segment::{Segment, SegmentWriter, index};
use super::{Part, Tuning};
use std::io::Result;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// A part with more deleted rows than one in this many is written anew.
const DEAD_SHARE: u64 = 4;
/// Rows beside a graph are put into it once they are one in this many.
const LOOSE_SHARE: u64 = 16;
/// Rows whose links are put right at a time.
const AT_ONCE: u32 = 1 << 14;

/// Which neighbouring parts should become one now; `true` with a graph.
pub(super) fn due(parts: &[Part], tuning: &Tuning) -> Option<(Range<usize>, bool)> {
    let exact = tuning.exact as u64;
    let total: u64 = parts.iter().map(Part::alive).sum();
    if total > exact {
        let (with, loose): (Vec<&Part>, Vec<&Part>) = parts.iter().partition(|part| part.graph.is_some());
        let linked: u64 = with.iter().map(|part| part.alive()).sum();
        let loose: u64 = loose.iter().map(|part| part.alive()).sum();
        if with.len() != 1
            || loose > (linked / LOOSE_SHARE).max(exact / LOOSE_SHARE)
            || with.iter().any(is_worn)
        {
            return Some((0..parts.len(), true));
        }
    }
    // Deleted down to what may be looked at whole again, a graph is dropped only when its part is worn.
    if let Some(at) = parts.iter().position(|part| is_worn(&part)) {
        return Some((at..at + 1, false));
    }
    let mut begin = parts.len();
    let mut after = 0;
    for (at, part) in parts.iter().enumerate().rev() {
        if part.graph.is_some() || after > 0 && part.alive() >= 2 * after {
            break;
        }
        after += part.alive();
        begin = at;
    }
    (begin + 1 < parts.len()).then_some((begin..parts.len(), false))
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as `any` calls it")]
fn is_worn(part: &&Part) -> bool {
    part.dead.count() > u64::from(part.segment.rows) / DEAD_SHARE
}

/// Writes what is alive of `parts` as one segment, and a graph over it where wanted.
pub(super) fn merge(
    folder: &Path,
    id: u64,
    parts: &[Part],
    linked: bool,
    tuning: &Tuning,
) -> Result<Option<Part>> {
    // The largest graph stays as it is, with new numbers.
    let mut order: Vec<&Part> = parts.iter().collect();
    order.sort_by_key(|part| std::cmp::Reverse(part.graph.as_ref().map_or(0, |_| part.segment.rows)));
    let Some(first) = order.first().copied() else { return Ok(None) };
    if let ([only], true) = (parts, linked)
        && only.graph.is_none()
        && only.dead.count() == 0
    {
        let graph = Some(link(folder, &only.segment, None, tuning)?);
        return Ok(Some(Part { graph, ..only.clone() }));
    }
    let mut writer = SegmentWriter::create(folder, id, first.segment.dimensions)?;
    let mut kept = 0;
    for (at, part) in order.iter().enumerate() {
        let mut codes = part.segment.reader(folder)?;
        let mut code = vec![0; part.segment.stride];
        for row in 0..part.segment.rows {
            std::io::Read::read_exact(&mut codes, &mut code)?;
            if !part.dead.has(row) {
                let segment = &part.segment;
                writer.add_code(segment.key(row), segment.group(row), segment.scale(row), &code)?;
            }
        }
        if at == 0 {
            kept = writer.rows();
        }
    }
    let segment = writer.finish(folder)?;
    let graph = if linked {
        let known = first.graph.as_ref().map(|graph| (first, &**graph, kept));
        Some(link(folder, &segment, known, tuning)?)
    } else {
        None
    };
    Ok(Some(Part { segment: Arc::new(segment), dead: Arc::new(Bits::default()), graph }))
}

/// Makes the graph over a segment, out of that over its first rows where there is one.
fn link(
    folder: &Path,
    segment: &Segment,
    known: Option<(&Part, &Graph, u32)>,
    tuning: &Tuning,
) -> Result<Arc<Graph>> {
    segment.here_and_there();
    let mut lists = Lists::none(segment.rows);
    let mut built = 0;
    if let Some((part, graph, kept)) = known {
        carry_over(part, graph, segment, &mut lists, tuning.threads);
        built = kept;
    }
    extend(segment, &mut lists, built, tuning.threads);
    Ok(Arc::new(Graph::write(folder, segment, &lists.0)?))
}

/// Takes over the links among a part's rows, which are the first of `segment` now. A link to a deleted row becomes
/// links to what that row was linked to.
fn carry_over(part: &Part, graph: &Graph, segment: &Segment, lists: &mut Lists, threads: usize) {
    let mut old = Vec::new();
    let mut new = vec![NONE; index(part.segment.rows)];
    for (row, slot) in (0_u32..).zip(&mut new) {
        if !part.dead.has(row) {
            *slot = u32::try_from(old.len()).unwrap_or(NONE);
            old.push(row);
        }
    }
    let number = |row: u32| new.get(index(row)).copied().filter(|row| *row != NONE);
    let still = |links: Vec<u32>| -> Vec<u32> { links.iter().filter_map(|link| number(*link)).collect() };
    let links_of = |hand: &mut Hand, old: &u32| -> (Vec<u32>, Vec<u32>) {
        let (mut links, mut far) = (Vec::new(), Vec::new());
        graph.near(*old, &mut links);
        graph.far(*old, &mut far);
        let far = still(far);
        let mut now: Vec<u32> = links.iter().filter_map(|link| number(*link)).collect();
        let Some(row) = number(*old).filter(|_| now.len() < links.len()) else {
            return (now, far);
        };
        for gone in links.iter().filter(|link| number(**link).is_none()) {
            let mut further = Vec::new();
            graph.near(*gone, &mut further);
            now.extend(further.iter().filter_map(|link| number(*link)).filter(|link| *link != row));
        }
        now.sort_unstable();
        now.dedup();
        (hand.best_links(segment, row, &now), far)
    };
    for portion in old.chunks(index(AT_ONCE)) {
        let links = in_parallel(portion, threads, links_of);
        for (old, (near, far)) in portion.iter().zip(links) {
            if let Some(row) = number(*old) {
                lists.set_near(row, near);
                lists.set_far(row, far);
            }
        }
    }
}
