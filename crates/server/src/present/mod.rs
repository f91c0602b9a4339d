//! Records and documents as what pages show.

pub(crate) mod annotation;
pub(crate) mod chunks;
pub(crate) mod compare;
mod costs;
pub(crate) mod datasets;
pub(crate) mod documents;
pub(crate) mod evals;
mod gateway;
pub(crate) mod judges;
mod pane;
pub(crate) mod prompts;
mod request;
mod sessions;
mod settings;
mod trace;
mod usage;

pub(crate) use chunks::{Meaning, another, chunks};
pub(crate) use costs::costs;
pub(crate) use gateway::models;
pub(crate) use pane::span_pane;
pub(crate) use sessions::{judge, session, sessions};
pub(crate) use settings::settings;
pub(crate) use trace::{depths, rows, trace};

use crate::House;
use crate::door::Visitor;
use crate::ui::view::{Bucket, CollectionView, Kind, RateChart, TraceRow};
use crate::ui::{Lang, Pulse, Tick};
use hanok_base::{CollectionName, Timestamp};
use hanok_trace::{TraceStore, TraceSummary};
use std::time::Duration;

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
pub(crate) async fn example_titles(house: &House, visitor: &Visitor, lang: Lang) -> Vec<String> {
    let Some(first) = house.library.collections().into_iter().next() else {
        return Vec::new();
    };
    let name: CollectionName = first.name;
    let sources = match documents::readable(house, visitor, &name, "", None, 100).await {
        Ok((sources, _)) => sources,
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

/// A name as a part of a path.
pub(crate) fn encoded(name: &str) -> String {
    percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC).to_string()
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
        session: trace.session.clone(),
        user: trace.user.clone(),
        prompt: trace.prompt.clone(),
        source: trace.source.clone(),
        tags: trace.tags.clone(),
        scores: Vec::new(),
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
