//! What the order and nesting of spans say: the lines of the tree, and what time was spent on.

use super::view::{Kind, SpanRow};

/// The line classes left of each span's name: one for every level above it.
pub(super) fn guides(spans: &[SpanRow]) -> Vec<Vec<&'static str>> {
    // Read from below: a level's line goes on where another span of that level follows under the same parent.
    let mut follows: Vec<bool> = Vec::new();
    let mut rows: Vec<Vec<&'static str>> = spans
        .iter()
        .rev()
        .map(|span| {
            follows.resize(span.depth + 1, false);
            let lines = follows.iter().enumerate().skip(1).map(|(level, goes_on)| {
                match (level == span.depth, goes_on) {
                    (false, true) => "guide",
                    (false, false) => "guide gap",
                    (true, true) => "guide turn",
                    (true, false) => "guide turn last",
                }
            });
            let lines = lines.collect();
            if let Some(level) = follows.last_mut() {
                *level = true;
            }
            lines
        })
        .collect();
    rows.reverse();
    rows
}

/// Time spent on one kind of work itself, without the work inside it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Share {
    pub(super) kind: Kind,
    /// Model calls that failed are counted apart.
    pub(super) failed: bool,
    pub(super) ms: f64,
}

/// What the time of a trace was spent on, most first.
pub(super) fn spent(spans: &[SpanRow]) -> Vec<Share> {
    let mut shares: Vec<Share> = Vec::new();
    for (at, span) in spans.iter().enumerate() {
        let children = spans
            .iter()
            .skip(at + 1)
            .take_while(|below| below.depth > span.depth)
            .filter(|below| below.depth == span.depth + 1);
        let own = (span.duration_ms - covered(span, children)).max(0.0);
        let failed = span.error.is_some() && span.kind == Kind::Chat;
        match shares.iter_mut().find(|share| share.kind == span.kind && share.failed == failed) {
            Some(share) => share.ms += own,
            None => shares.push(Share { kind: span.kind, failed, ms: own }),
        }
    }
    shares.retain(|share| share.ms > 0.0 && share.ms.is_finite());
    shares.sort_by(|a, b| b.ms.total_cmp(&a.ms));
    shares
}

/// Milliseconds of `span` in which at least one of its children ran.
fn covered<'a>(span: &SpanRow, children: impl Iterator<Item = &'a SpanRow>) -> f64 {
    let (from, to) = (span.start_ms, span.start_ms + span.duration_ms);
    let mut times: Vec<(f64, f64)> = children
        .map(|child| (child.start_ms.max(from), (child.start_ms + child.duration_ms).min(to)))
        .filter(|(start, end)| end > start)
        .collect();
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

    fn span(depth: usize, kind: Kind, start_ms: f64, duration_ms: f64) -> SpanRow {
        SpanRow { depth, kind, start_ms, duration_ms, ..SpanRow::default() }
    }

    #[test]
    fn lines_go_on_only_where_a_sibling_follows() {
        let spans: Vec<SpanRow> =
            [0, 1, 2, 2, 1, 2, 0].into_iter().map(|depth| span(depth, Kind::Chat, 0.0, 1.0)).collect();
        let want: [&[&str]; 7] = [
            &[],
            &["guide turn"],
            &["guide", "guide turn"],
            &["guide", "guide turn last"],
            &["guide turn last"],
            &["guide gap", "guide turn last"],
            &[],
        ];
        assert_eq!(guides(&spans), want);
    }

    #[test]
    fn overlapping_children_are_counted_once() {
        let spans = [
            span(0, Kind::Http, 0.0, 100.0),
            span(1, Kind::Search, 10.0, 40.0),
            span(2, Kind::Embed, 10.0, 5.0),
            span(1, Kind::Search, 30.0, 40.0),
            span(1, Kind::Chat, 90.0, 50.0),
        ];
        let got: Vec<(Kind, f64)> = spent(&spans).iter().map(|share| (share.kind, share.ms)).collect();
        assert_eq!(got, [(Kind::Search, 75.0), (Kind::Chat, 50.0), (Kind::Http, 30.0), (Kind::Embed, 5.0)]);
    }
}
