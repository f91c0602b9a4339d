//! One trace as a page: the lines of its tree, a stretch of them drawn, the pane of one span.

use super::{pane, row, seconds_between, sessions};
use crate::House;
use crate::ui::view::{Kind, SessionPlace, SpanRow, Tab, TraceView, TreeView};
use crate::ui::{Stretch, guides, spent};
use hanok_base::{SpanId, Timestamp, TraceId};
use hanok_trace::attribute as name;
use hanok_trace::{SpanLine, SpanView, TraceError, TraceOutline, TraceStore};
use serde_json::Value;
use std::collections::HashMap;
use std::ops::Range;

/// Trees up to this size come whole; of larger ones a stretch of [`STRETCH`], and the rest on demand.
const WHOLE: usize = 600;
const STRETCH: usize = 120;
/// Most rows that one request for more is given.
const MOST_ROWS: usize = 500;

/// A trace as a page; `from` is where the stretch of its tree begins, around the selected span when `None`.
pub(crate) async fn trace(
    house: &House,
    traces: &TraceStore,
    id: TraceId,
    selected: Option<SpanId>,
    tab: Option<Tab>,
    from: Option<usize>,
) -> Result<Option<TraceView>, TraceError> {
    let Some(outline) = traces.outline(id).await? else {
        return Ok(None);
    };
    let order = Order::of(&outline.lines);
    let selected = selected.or_else(|| most_telling(&outline.lines));
    let window = if order.nodes.len() <= WHOLE {
        0..order.nodes.len()
    } else {
        let chosen = || {
            let at = order.nodes.iter().position(|(_, line)| Some(line.span_id) == selected);
            at.unwrap_or(0).saturating_sub(STRETCH / 4)
        };
        let from = from.unwrap_or_else(chosen).min(order.nodes.len().saturating_sub(1));
        from..(from + STRETCH).min(order.nodes.len())
    };
    let tree = TreeView {
        total: order.nodes.len(),
        from: window.start,
        rows: drawn(traces, id, &outline, &order, window).await?,
        failed: outline.lines.iter().filter(|line| line.failed).count() as u64,
        duration_ms: order.end_ms(outline.summary.start).max(outline.summary.duration_ms),
        spent: spent(order.stretches(outline.summary.start)),
    };
    let neighbours = traces.neighbours(&outline.summary).await?;
    let pane = match selected {
        Some(span) => pane::span_pane(house, traces, id, Some(span), tab).await?,
        None => None,
    };
    let place = match outline.summary.session.as_deref() {
        Some(session) => Some(place_in(traces, session, &outline.summary.trace_id).await?),
        None => None,
    };
    let scores = sessions::scores(traces, &outline.summary.trace_id).await?;
    Ok(Some(TraceView {
        summary: row(&outline.summary),
        ttft_ms: outline.summary.time_to_first_token_ms,
        key: outline.summary.key.clone(),
        session: place,
        tree,
        newer: neighbours.newer,
        older: neighbours.older,
        selected: pane,
        scores: sessions::whole(scores),
    }))
}

/// Where a trace stands in its session.
async fn place_in(traces: &TraceStore, session: &str, trace_id: &str) -> Result<SessionPlace, TraceError> {
    let mut place = SessionPlace { id: session.to_owned(), ..SessionPlace::default() };
    let Some(found) = traces.session(session).await? else {
        return Ok(place);
    };
    let unread = found.session.traces.saturating_sub(found.turns.len() as u64);
    let id = |at: Option<usize>| Some(found.turns.get(at?)?.trace_id.clone());
    if let Some(at) = found.turns.iter().position(|turn| turn.trace_id == trace_id) {
        place.turn = Some((unread + at as u64 + 1, found.session.traces));
        place.previous = id(at.checked_sub(1));
        place.next = id(Some(at + 1));
    }
    Ok(place)
}

/// Some rows of a tree.
pub(crate) async fn rows(
    traces: &TraceStore,
    id: TraceId,
    window: Range<usize>,
) -> Result<Option<TraceView>, TraceError> {
    let Some(outline) = traces.outline(id).await? else {
        return Ok(None);
    };
    let order = Order::of(&outline.lines);
    let from = window.start.min(order.nodes.len());
    let to = window.end.clamp(from, order.nodes.len()).min(from.saturating_add(MOST_ROWS));
    let tree = TreeView {
        total: order.nodes.len(),
        from,
        rows: drawn(traces, id, &outline, &order, from..to).await?,
        duration_ms: order.end_ms(outline.summary.start).max(outline.summary.duration_ms),
        ..TreeView::default()
    };
    Ok(Some(TraceView { summary: row(&outline.summary), tree, ..TraceView::default() }))
}

/// The depths of all spans in tree order, and the places of those that failed.
pub(crate) async fn depths(
    traces: &TraceStore,
    id: TraceId,
) -> Result<Option<(Vec<usize>, Vec<usize>)>, TraceError> {
    let Some(outline) = traces.outline(id).await? else {
        return Ok(None);
    };
    let order = Order::of(&outline.lines);
    let failed =
        order.nodes.iter().enumerate().filter(|(_, (_, line))| line.failed).map(|(at, _)| at).collect();
    Ok(Some((order.depths(), failed)))
}

async fn drawn(
    traces: &TraceStore,
    id: TraceId,
    outline: &TraceOutline,
    order: &Order<'_>,
    window: Range<usize>,
) -> Result<Vec<SpanRow>, TraceError> {
    let depths = order.depths();
    let lines: Vec<&(usize, &SpanLine)> = order.nodes.iter().skip(window.start).take(window.len()).collect();
    let places = lines.iter().map(|(_, line)| line.place).collect();
    let mut spans: HashMap<String, SpanView> =
        traces.spans_at(id, places).await?.into_iter().map(|span| (span.span_id.clone(), span)).collect();
    let below = |at: usize| depths.get(at + 1).copied().unwrap_or(0);
    Ok(lines
        .into_iter()
        .zip(guides(&depths, window.clone()))
        .zip(window.start..)
        .map(|(((depth, line), guides), at)| {
            let id = line.span_id.to_string();
            let span = spans.remove(&id);
            SpanRow {
                depth: *depth,
                guides,
                parent: below(at) > *depth,
                start_ms: milliseconds(outline.summary.start, line.start),
                duration_ms: duration_ms(line),
                name: line.name.clone(),
                kind: Kind::of(&line.operation),
                span_id: id,
                ..span.as_ref().map(said).unwrap_or_default()
            }
        })
        .collect())
}

/// What only the span itself says.
fn said(span: &SpanView) -> SpanRow {
    let attribute = |name: &str| span.attributes.get(name);
    let count = |name: &str| attribute(name).and_then(Value::as_array).map(|hits| hits.len() as u64);
    SpanRow {
        hits: count("hanok.hits")
            .or_else(|| count("gen_ai.retrieval.documents"))
            .or_else(|| attribute("hanok.hit_count")?.as_u64()),
        detail: attribute("hanok.guard.decision").and_then(Value::as_str).map(str::to_owned),
        ttft_ms: attribute(name::TIME_TO_FIRST_TOKEN).and_then(Value::as_f64),
        error: span.error.as_ref().map(|error| {
            let kind = attribute(name::ERROR_TYPE).and_then(Value::as_str);
            kind.map_or_else(|| error.clone(), str::to_owned)
        }),
        ..SpanRow::default()
    }
}

fn milliseconds(from: Timestamp, to: Timestamp) -> f64 {
    seconds_between(from, to).max(0.0) * 1e3
}

#[expect(clippy::cast_precision_loss, reason = "exact below 2^53 nanoseconds, 104 days")]
fn duration_ms(line: &SpanLine) -> f64 {
    line.duration_ns as f64 / 1e6
}

/// The span to show first: the last chat with messages, else the first span that has any, else one that failed,
/// else the root.
pub(super) fn most_telling(lines: &[SpanLine]) -> Option<SpanId> {
    let failed = lines.iter().rev().find(|line| line.failed && line.operation != "gateway");
    let chat = lines.iter().rev().find(|line| line.operation == "chat" && line.has_bodies);
    let any = lines.iter().find(|line| line.has_bodies);
    Some(chat.or(any).or(failed).or(lines.first())?.span_id)
}

/// Parents before children, siblings by start; spans whose parent is elsewhere are roots, and so is the first
/// of a ring.
struct Order<'a> {
    nodes: Vec<(usize, &'a SpanLine)>,
}

impl<'a> Order<'a> {
    fn of(lines: &'a [SpanLine]) -> Self {
        let known: HashMap<SpanId, usize> =
            lines.iter().enumerate().map(|(at, line)| (line.span_id, at)).collect();
        let mut children: Vec<Vec<usize>> = vec![Vec::new(); lines.len()];
        let mut roots = Vec::new();
        for (at, line) in lines.iter().enumerate() {
            let parent = line.parent_id.and_then(|parent| known.get(&parent)).filter(|parent| **parent != at);
            match parent.and_then(|parent| children.get_mut(*parent)) {
                Some(siblings) => siblings.push(at),
                None => roots.push(at),
            }
        }
        let start = |at: &usize| lines.get(*at).map(|line| line.start);
        for siblings in &mut children {
            siblings.sort_by_key(start);
        }
        roots.sort_by_key(start);
        let mut nodes = Vec::with_capacity(lines.len());
        let mut seen = vec![false; lines.len()];
        // All that no root leads to: rings, which no program should send.
        for root in roots.into_iter().chain(0..lines.len()) {
            let mut stack = vec![(0, root)];
            while let Some((depth, at)) = stack.pop() {
                let (Some(line), Some(seen)) = (lines.get(at), seen.get_mut(at)) else { continue };
                if std::mem::replace(seen, true) {
                    continue;
                }
                nodes.push((depth, line));
                let below = children.get(at).map(Vec::as_slice).unwrap_or_default();
                stack.extend(below.iter().rev().map(|child| (depth + 1, *child)));
            }
        }
        Self { nodes }
    }

    fn depths(&self) -> Vec<usize> {
        self.nodes.iter().map(|(depth, _)| *depth).collect()
    }

    fn stretches(&self, start: Timestamp) -> impl Iterator<Item = Stretch> {
        self.nodes.iter().map(move |(depth, line)| Stretch {
            depth: *depth,
            kind: Kind::of(&line.operation),
            failed: line.failed,
            start_ms: milliseconds(start, line.start),
            duration_ms: duration_ms(line),
        })
    }

    /// A child may outlast its parent; the axis shows all of both.
    fn end_ms(&self, start: Timestamp) -> f64 {
        self.stretches(start).map(|span| span.start_ms + span.duration_ms).fold(0.0, f64::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(id: u8, parent: Option<u8>, start: i64) -> SpanLine {
        SpanLine {
            span_id: SpanId::from_bytes([id; 8]),
            parent_id: parent.map(|parent| SpanId::from_bytes([parent; 8])),
            name: String::new(),
            operation: "chat".into(),
            start: Timestamp(start),
            duration_ns: 1,
            failed: false,
            has_bodies: false,
            place: 0,
        }
    }

    #[test]
    fn every_span_has_one_place_however_they_point_at_each_other() {
        let check = |lines: &[(u8, Option<u8>, i64)], want: &[(usize, u8)]| {
            let lines: Vec<SpanLine> =
                lines.iter().map(|(id, parent, start)| line(*id, *parent, *start)).collect();
            let got: Vec<(usize, SpanId)> =
                Order::of(&lines).nodes.iter().map(|(depth, line)| (*depth, line.span_id)).collect();
            let want: Vec<(usize, SpanId)> =
                want.iter().map(|(depth, id)| (*depth, SpanId::from_bytes([*id; 8]))).collect();
            assert_eq!(got, want);
        };
        check(&[], &[]);
        check(
            &[(1, None, 0), (2, Some(1), 5), (3, Some(1), 2), (4, Some(2), 6)],
            &[(0, 1), (1, 3), (1, 2), (2, 4)],
        );
        // A child before its parent, one whose parent is elsewhere, one that is its own.
        check(
            &[(2, Some(1), 3), (1, None, 0), (3, Some(9), 1), (4, Some(4), 2)],
            &[(0, 1), (1, 2), (0, 3), (0, 4)],
        );
        // A ring.
        check(
            &[(1, Some(3), 0), (2, Some(1), 1), (3, Some(2), 2), (4, None, 9)],
            &[(0, 4), (0, 1), (1, 2), (2, 3)],
        );
    }
}
