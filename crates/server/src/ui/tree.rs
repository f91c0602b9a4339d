//! What the order and nesting of spans say: the lines of the tree, and what time was spent on. Both in one pass,
//! as there may be many thousand spans, wide or deep.

use super::view::{Guide, Kind, Share};
use std::ops::Range;

/// Most lines left of a name; of a span that is deeper, those of the nearest levels.
const MOST_GUIDES: usize = 12;

/// The lines left of the names of those in `window`, of spans in tree order by their depths.
pub fn guides(depths: &[usize], window: Range<usize>) -> Vec<Vec<Guide>> {
    // Read from below: a level's line goes on where another span of that level follows under the same parent.
    let mut follows: Vec<bool> = Vec::new();
    let mut rows = Vec::with_capacity(window.len());
    for (at, depth) in depths.iter().copied().enumerate().skip(window.start).rev() {
        follows.resize(depth + 1, false);
        if window.contains(&at) {
            let lines = follows.iter().enumerate().skip(1.max((depth + 1).saturating_sub(MOST_GUIDES)));
            let lines = lines.map(|(level, goes_on)| match (level == depth, goes_on) {
                (false, true) => Guide::Through,
                (false, false) => Guide::Gap,
                (true, true) => Guide::Turn,
                (true, false) => Guide::Last,
            });
            rows.push(lines.collect());
        }
        if let Some(level) = follows.last_mut() {
            *level = true;
        }
    }
    rows.reverse();
    rows
}

/// When a span ran, and what it did.
#[derive(Clone, Copy, Debug)]
pub struct Stretch {
    /// 0 for a root.
    pub depth: usize,
    /// Its kind.
    pub kind: Kind,
    /// Whether it failed.
    pub failed: bool,
    /// Milliseconds from the trace's start.
    pub start_ms: f64,
    /// How long it took.
    pub duration_ms: f64,
}

/// What the time of a trace was spent on, most first; of spans in tree order.
pub fn spent(spans: impl Iterator<Item = Stretch>) -> Vec<Share> {
    let mut shares: Vec<Share> = Vec::new();
    // The spans that are open here, each with the times of its children.
    let mut open: Vec<(Stretch, Vec<(f64, f64)>)> = Vec::new();
    let mut close = |span: &Stretch, children: Vec<(f64, f64)>| {
        let ms = (span.duration_ms - covered(span, children)).max(0.0);
        let failed = span.failed && span.kind == Kind::Chat;
        match shares.iter_mut().find(|share| share.kind == span.kind && share.failed == failed) {
            Some(share) => share.ms += ms,
            None => shares.push(Share { kind: span.kind, failed, ms }),
        }
    };
    for span in spans {
        while open.last().is_some_and(|(above, _)| above.depth >= span.depth) {
            if let Some((above, children)) = open.pop() {
                close(&above, children);
            }
        }
        if let Some((_, children)) = open.last_mut() {
            children.push((span.start_ms, span.start_ms + span.duration_ms));
        }
        open.push((span, Vec::new()));
    }
    for (span, children) in open {
        close(&span, children);
    }
    shares.retain(|share| share.ms > 0.0 && share.ms.is_finite());
    shares.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    shares
}

/// Milliseconds of `span` in which at least one of its children ran.
fn covered(span: &Stretch, mut times: Vec<(f64, f64)>) -> f64 {
    let (from, to) = (span.start_ms, span.start_ms + span.duration_ms);
    for (start, end) in &mut times {
        (*start, *end) = (start.max(from), end.min(to));
    }
    times.retain(|(start, end)| end > start);
    times.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (mut sum, mut reached) = (0.0, from);
    for (start, end) in times {
        sum += (end - start.max(reached)).max(0.0);
        reached = reached.max(end);
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_go_on_only_where_a_sibling_follows() {
        use Guide::{Gap, Last, Through, Turn};
        let depths = [0, 1, 2, 2, 1, 2, 0];
        let want: [&[Guide]; 7] =
            [&[], &[Turn], &[Through, Turn], &[Through, Last], &[Last], &[Gap, Last], &[]];
        assert_eq!(guides(&depths, 0..7), want);
        for window in [0..0, 2..5, 6..7, 3..99] {
            let part = want.get(window.start..window.end.min(7)).unwrap();
            assert_eq!(guides(&depths, window), part);
        }
    }

    #[test]
    fn overlapping_children_are_counted_once() {
        let span = |depth, kind, start_ms, duration_ms| Stretch {
            depth,
            kind,
            failed: false,
            start_ms,
            duration_ms,
        };
        let spans = [
            span(0, Kind::Http, 0.0, 100.0),
            span(1, Kind::Search, 10.0, 40.0),
            span(2, Kind::Embed, 10.0, 5.0),
            span(1, Kind::Search, 30.0, 40.0),
            span(1, Kind::Chat, 90.0, 50.0),
        ];
        let got: Vec<(Kind, f64)> =
            spent(spans.into_iter()).iter().map(|share| (share.kind, share.ms)).collect();
        assert_eq!(got, [(Kind::Search, 75.0), (Kind::Chat, 50.0), (Kind::Http, 30.0), (Kind::Embed, 5.0)]);
    }
}
