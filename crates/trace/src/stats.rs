//! Sums over calls, as people ask for them and as they are answered. Serialised, [`StatsView`] is the answer of
//! `/api/stats`.

use crate::filter::TraceFilter;
use crate::read::TraceError;
use crate::recorder::TraceStore;
use crate::view::TraceSummary;
use hanok_base::{NanoDollars, Object, Timestamp};
use hanok_store::{CallStats, Dear, Dimension, GroupStats, Rank, Stats, StatsQuery};
use serde::Serialize;
use serde_json::Value;

/// Groups told of where nobody says how many.
pub const GROUPS: usize = 20;

/// A question that was not understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// There is no such dimension.
    #[error("calls cannot be grouped by `{0}`; known are {known}", known = names(&Dimension::ALL))]
    Dimension(String),
    /// More than two dimensions.
    #[error("calls are grouped by two dimensions at most, not {0}")]
    TooMany(usize),
    /// There is no such order.
    #[error("groups cannot be ordered by `{0}`; known are {known}", known = names(&Rank::ALL))]
    Rank(String),
}

fn names<T>(all: &[(&str, T)]) -> String {
    all.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ")
}

/// The dimensions of `model,user`; none of an empty text.
pub fn parse_dimensions(text: &str) -> Result<Vec<Dimension>, AskError> {
    let names = text.split(',').map(str::trim).filter(|name| !name.is_empty());
    let found = names.map(|name| Dimension::named(name).ok_or_else(|| AskError::Dimension(name.to_owned())));
    let found: Vec<Dimension> = found.collect::<Result<_, _>>()?;
    if found.len() > 2 { Err(AskError::TooMany(found.len())) } else { Ok(found) }
}

/// The order of this name.
pub fn parse_rank(name: &str) -> Result<Rank, AskError> {
    Rank::named(name).ok_or_else(|| AskError::Rank(name.to_owned()))
}

/// The store's question about the calls that pass a filter; what is left at its default is to be set beside it.
pub fn stats_query(filter: &TraceFilter) -> StatsQuery {
    StatsQuery { filter: filter.query(), limit: GROUPS, ..StatsQuery::default() }
}

impl TraceStore {
    /// Sums and percentiles over the counted calls.
    pub async fn stats(&self, query: StatsQuery) -> Result<Stats, TraceError> {
        Ok(self.rows().stats(query).await?)
    }

    /// The traces whose calls that pass the filter cost most, dearest first, `limit` (1,000) at most, each with what
    /// those calls cost. Those whose calls cost nothing or have no price are left out.
    pub async fn dearest(
        &self,
        filter: &TraceFilter,
        limit: usize,
    ) -> Result<Vec<(TraceSummary, NanoDollars)>, TraceError> {
        let found = self.rows().dearest(filter.query(), limit).await?;
        Ok(found.into_iter().map(|Dear { trace, cost }| (TraceSummary::from(trace), cost)).collect())
    }
}

/// The answer to a question about calls.
#[derive(Clone, Debug, Serialize)]
pub struct StatsView {
    /// When the first stretch of time begins, RFC 3339, UTC.
    pub since: String,
    /// How long a stretch of time is; `None` where none were asked for.
    pub bucket_seconds: Option<i64>,
    /// Every call once.
    pub total: GroupView,
    /// The greatest groups, greatest first.
    pub groups: Vec<GroupView>,
    /// What is in none of them.
    pub others: Option<GroupView>,
    /// Traces of an earlier version that are not counted yet.
    pub traces_to_come: u64,
}

/// A group of calls.
#[derive(Clone, Debug, Serialize)]
pub struct GroupView {
    /// What its calls have in common, by dimension; `null` where they have nothing.
    #[serde(skip_serializing_if = "Object::is_empty")]
    pub by: Object,
    /// All of it.
    #[serde(flatten)]
    pub sums: SumsView,
    /// By stretch of time, empty ones included.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub buckets: Vec<BucketView>,
}

/// A group's calls in a stretch of time.
#[derive(Clone, Debug, Serialize)]
pub struct BucketView {
    /// When it begins, RFC 3339, UTC.
    pub start: String,
    /// What happened in it.
    #[serde(flatten)]
    pub sums: SumsView,
}

/// Calls summed up.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct SumsView {
    /// Calls.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Tokens of prompts, cached ones included.
    pub input_tokens: u64,
    /// Tokens of answers, reasoning included.
    pub output_tokens: u64,
    /// Of the prompts, tokens read from a provider's cache.
    pub cached_tokens: u64,
    /// Of the prompts, tokens written to a provider's cache.
    pub cache_write_tokens: u64,
    /// Of the answers, tokens spent on reasoning.
    pub reasoning_tokens: u64,
    /// US dollars that the priced ones cost.
    pub cost_usd: f64,
    /// Calls without a price.
    pub unpriced: u64,
    /// How long calls took; within one part in 128. `None` without calls.
    pub latency_ms: Option<Latency>,
    /// How long streamed ones took to their first token.
    pub time_to_first_token_ms: Option<FirstToken>,
}

/// Percentiles, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Latency {
    /// Half of the calls.
    pub p50: f64,
    /// 95 % of them.
    pub p95: f64,
    /// 99 % of them.
    pub p99: f64,
}

/// Percentiles, in milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct FirstToken {
    /// Half of the streamed calls.
    pub p50: f64,
    /// 95 % of them.
    pub p95: f64,
}

impl StatsView {
    /// The answer to a question that grouped by these dimensions.
    pub fn new(stats: &Stats, group_by: &[Dimension]) -> Self {
        let group = |group: &GroupStats| {
            let by = group_by.iter().zip(&group.values);
            let by = by.map(|(dimension, value)| (dimension.name().to_owned(), Value::from(value.clone())));
            let starts = (stats.since.0..).step_by(step(stats.bucket_ms));
            let buckets = group.buckets.iter().zip(starts).map(|(sums, start)| BucketView {
                start: Timestamp(start).rfc3339(),
                sums: SumsView::from(sums),
            });
            GroupView { by: by.collect(), sums: SumsView::from(&group.sums), buckets: buckets.collect() }
        };
        Self {
            since: stats.since.rfc3339(),
            bucket_seconds: (stats.bucket_ms > 0).then_some(stats.bucket_ms / 1_000),
            total: group(&stats.total),
            groups: stats.groups.iter().map(group).collect(),
            others: stats.others.as_ref().map(group),
            traces_to_come: stats.traces_to_come,
        }
    }
}

/// A stretch's length in nanoseconds; never 0.
fn step(bucket_ms: i64) -> usize {
    usize::try_from(bucket_ms.saturating_mul(1_000_000)).unwrap_or(usize::MAX).max(1)
}

impl From<&CallStats> for SumsView {
    fn from(sums: &CallStats) -> Self {
        Self {
            calls: sums.calls,
            errors: sums.errors,
            input_tokens: sums.input_tokens,
            output_tokens: sums.output_tokens,
            cached_tokens: sums.cached_tokens,
            cache_write_tokens: sums.cache_write_tokens,
            reasoning_tokens: sums.reasoning_tokens,
            cost_usd: sums.cost.dollars(),
            unpriced: sums.unpriced,
            latency_ms: sums.latency_ms.map(|[p50, p95, p99]| Latency { p50, p95, p99 }),
            time_to_first_token_ms: sums.first_token_ms.map(|[p50, p95]| FirstToken { p50, p95 }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions() {
        assert_eq!(parse_dimensions(""), Ok(vec![]));
        assert_eq!(parse_dimensions("model, user"), Ok(vec![Dimension::Model, Dimension::User]));
        assert_eq!(parse_dimensions("model,user,tag"), Err(AskError::TooMany(3)));
        let error = parse_dimensions("colour").unwrap_err().to_string();
        assert!(
            error.starts_with("calls cannot be grouped by `colour`; known are model, asked, provider"),
            "{error}"
        );
        assert_eq!(parse_rank("cost"), Ok(Rank::Cost));
        assert!(parse_rank("size").is_err());
    }

    #[test]
    fn the_answer_is_flat() {
        let calls = |calls| CallStats { calls, latency_ms: Some([1.0, 2.0, 3.0]), ..CallStats::default() };
        let group = GroupStats { values: vec![None], sums: calls(1), buckets: vec![calls(0), calls(1)] };
        let stats = Stats { bucket_ms: 60_000, groups: vec![group], ..Stats::default() };
        let view = serde_json::to_value(StatsView::new(&stats, &[Dimension::Model])).unwrap();
        let group = &view["groups"][0];
        assert_eq!(group["by"], serde_json::json!({ "model": null }));
        assert_eq!((&group["calls"], &group["latency_ms"]["p95"]), (&1.into(), &2.0.into()));
        assert_eq!(group["buckets"][1]["start"], "1970-01-01T00:01:00.000Z");
        assert_eq!((&view["total"]["calls"], &view["bucket_seconds"]), (&0.into(), &60.into()));
        assert_eq!(view["total"].get("by"), None);
    }
}
