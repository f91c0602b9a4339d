//! Records and documents as what pages show.

mod gateway;
mod pane;

pub(crate) use gateway::models;
pub(crate) use pane::span_pane;

use crate::House;
use crate::ui::view::{Bucket, CollectionView, Kind, RateChart, SpanRow, Tab, TraceRow, TraceView};
use crate::ui::{Lang, Pulse, Tick};
use hanok_base::{CollectionName, SpanId, Timestamp, TraceId};
use hanok_trace::{SpanView, TraceError, TraceStore, TraceSummary};
use serde_json::Value;
use std::collections::HashMap;
use std::time::Duration;

/// Most spans drawn in one tree.
const MOST_SPANS: usize = 2_000;
/// Stretches of the rate chart, and the time it covers.
const BUCKETS: usize = 60;
const CHARTED: Duration = Duration::from_hours(1);

/// The floor as of now.
pub(crate) async fn pulse(traces: &TraceStore) -> Pulse {
    let now = Timestamp::now();
    match traces.pulse(60).await {
        Ok(pulse) => Pulse {
            ticks: pulse
                .ticks
                .iter()
                .map(|tick| Tick {
                    x: 100.0 - seconds_between(tick.at, now).clamp(0.0, 60.0) / 0.6,
                    kind: Kind::of(tick.operation),
                    error: tick.error,
                })
                .collect(),
            spans_per_s: pulse.spans_per_second,
            cost_usd: (pulse.cost_today.0 != 0).then(|| pulse.cost_today.dollars()),
        },
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the last minute could not be read");
            Pulse::default()
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a minute in nanoseconds is exact")]
fn seconds_between(from: Timestamp, to: Timestamp) -> f64 {
    to.0.saturating_sub(from.0) as f64 / 1e9
}

pub(crate) fn collections(house: &House) -> Vec<CollectionView> {
    let view = |info: hanok_retrieval::CollectionInfo| CollectionView {
        name: info.name.to_string(),
        indexed: info.coverage.indexed,
        found: info.coverage.found,
        indexing: info.coverage.indexing,
    };
    house.library.collections().into_iter().map(view).collect()
}

/// Titles of a few documents, those in the reader's language first: what the documents can surely be asked about.
pub(crate) async fn example_titles(house: &House, lang: Lang) -> Vec<String> {
    let Some(first) = house.library.collections().into_iter().next() else {
        return Vec::new();
    };
    let name: CollectionName = first.name;
    let sources = match house.library.sources(&name, None, 100).await {
        Ok(sources) => sources,
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "documents could not be listed");
            return Vec::new();
        }
    };
    let korean = |text: &str| text.chars().any(|c| ('가'..='힣').contains(&c));
    let mut titles: Vec<String> =
        sources.into_iter().map(|source| source.title).filter(|t| !t.is_empty()).collect();
    titles.sort_by_key(|title| korean(title) != (lang == Lang::Ko));
    titles.dedup();
    titles.into_iter().take(3).collect()
}

/// A trace's row in the list.
pub(crate) fn row(trace: &TraceSummary) -> TraceRow {
    TraceRow {
        trace_id: trace.trace_id.clone(),
        name: trace.name.clone(),
        title: trace.input.clone(),
        kind: kind_of_root(trace),
        started_at: trace.start,
        duration_ms: trace.duration_ms,
        error: trace.error.clone(),
        model: trace.model.clone(),
        provider: trace.provider.clone(),
        input_tokens: trace.input_tokens,
        output_tokens: trace.output_tokens,
        cost_usd: trace.cost_usd,
    }
}

/// A gateway span is what it was asked for; its name says which.
fn kind_of_root(trace: &TraceSummary) -> Kind {
    match trace.operation.as_str() {
        "gateway" => Kind::of(trace.name.split(' ').next().unwrap_or_default()),
        other => Kind::of(other),
    }
}

/// The rates of the last hour.
pub(crate) async fn chart(traces: &TraceStore) -> RateChart {
    let to = Timestamp::now();
    let from = to.before(CHARTED);
    match traces.rate(from, to, BUCKETS).await {
        Ok(buckets) if buckets.iter().any(|bucket| bucket.traces > 0) => RateChart {
            from: buckets.first().map_or(from, |bucket| bucket.start),
            to,
            buckets: buckets.iter().map(|b| Bucket { count: b.traces, errors: b.errors }).collect(),
        },
        Ok(_) => RateChart::default(),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "the rates could not be read");
            RateChart::default()
        }
    }
}

/// A trace as a page: the tree, and the pane of one span.
pub(crate) async fn trace(
    house: &House,
    traces: &TraceStore,
    id: TraceId,
    selected: Option<SpanId>,
    tab: Option<Tab>,
) -> Result<Option<TraceView>, TraceError> {
    let Some(trace) = traces.get_light(id).await? else {
        return Ok(None);
    };
    let neighbours = traces.neighbours(&trace.summary).await?;
    let ordered = in_tree_order(&trace.spans);
    let selected = selected.or_else(|| most_telling(&trace.spans));
    let pane = match selected {
        Some(span) => span_pane(house, traces, id, Some(span), tab).await?,
        None => None,
    };
    let more = ordered.len().saturating_sub(MOST_SPANS);
    Ok(Some(TraceView {
        summary: row(&trace.summary),
        ttft_ms: trace.summary.time_to_first_token_ms,
        key: trace.summary.key.clone(),
        spans: ordered
            .into_iter()
            .take(MOST_SPANS)
            .map(|(depth, span)| span_row(depth, span, trace.summary.start))
            .collect(),
        more_spans: more as u64,
        newer: neighbours.newer,
        older: neighbours.older,
        selected: pane,
    }))
}

/// The span to show first: the last chat with messages, else the first span that has any, else the root.
fn most_telling(spans: &[SpanView]) -> Option<SpanId> {
    let failed = spans.iter().rev().find(|span| span.error.is_some() && span.operation != "gateway");
    let chat = spans.iter().rev().find(|span| span.operation == "chat" && span.has_bodies);
    let any = spans.iter().find(|span| span.has_bodies);
    chat.or(any).or(failed).or(spans.first())?.span_id.parse().ok()
}

/// Parents before children, siblings by start; spans whose parent is elsewhere count as roots.
fn in_tree_order(spans: &[SpanView]) -> Vec<(usize, &SpanView)> {
    let mut children: HashMap<Option<&str>, Vec<&SpanView>> = HashMap::new();
    let known: std::collections::HashSet<&str> = spans.iter().map(|span| span.span_id.as_str()).collect();
    for span in spans {
        let parent =
            span.parent_id.as_deref().filter(|parent| known.contains(parent) && *parent != span.span_id);
        children.entry(parent).or_default().push(span);
    }
    for siblings in children.values_mut() {
        siblings.sort_by_key(|span| std::cmp::Reverse(span.start));
    }
    let mut ordered = Vec::with_capacity(spans.len());
    // Siblings are in reverse, so that the earliest is on top of the stack.
    let mut stack: Vec<(usize, &SpanView)> =
        children.remove(&None).unwrap_or_default().into_iter().map(|span| (0, span)).collect();
    while let Some((depth, span)) = stack.pop() {
        ordered.push((depth, span));
        if let Some(below) = children.remove(&Some(span.span_id.as_str())) {
            stack.extend(below.into_iter().map(|child| (depth + 1, child)));
        }
    }
    ordered
}

fn span_row(depth: usize, span: &SpanView, start: Timestamp) -> SpanRow {
    SpanRow {
        span_id: span.span_id.clone(),
        depth,
        name: span.name.clone(),
        detail: None,
        hits: span
            .attributes
            .get("hanok.hits")
            .and_then(Value::as_array)
            .map(|hits| hits.len() as u64)
            .or_else(|| span.attributes.get("hanok.hit_count")?.as_u64()),
        kind: Kind::of(&span.operation),
        start_ms: seconds_between(start, span.start).max(0.0) * 1e3,
        duration_ms: span.duration_ms,
        ttft_ms: span.attributes.get("hanok.time_to_first_token_ms").and_then(Value::as_f64),
        error: span.error.as_ref().map(|error| {
            let kind = span.attributes.get("error.type").and_then(Value::as_str);
            kind.map_or_else(|| error.clone(), str::to_owned)
        }),
    }
}

/// The Markdown headings above a place, outermost first.
pub(crate) fn heading_above(text: &str, start: Option<usize>) -> String {
    let Some(before) = start.and_then(|start| text.get(..start)) else {
        return String::new();
    };
    let mut path: Vec<(usize, &str)> = Vec::new();
    let mut fenced = false;
    for line in before.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        let level = line.bytes().take_while(|byte| *byte == b'#').count();
        if fenced || level == 0 || level > 6 {
            continue;
        }
        let Some(title) = line.get(level..).and_then(|rest| rest.strip_prefix(' ')) else {
            continue;
        };
        path.retain(|(above, _)| *above < level);
        path.push((level, title.trim().trim_end_matches('#').trim_end()));
    }
    path.into_iter().map(|(_, title)| title).collect::<Vec<_>>().join(" > ")
}
