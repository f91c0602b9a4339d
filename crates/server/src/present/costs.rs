//! Calls summed up, as the page on costs shows them.

use crate::ui::view::TraceRow;
use crate::ui::view_costs::{CostsView, GroupBy, GroupView, Measure, Range, Sums};
use hanok_base::Timestamp;
use hanok_store::{CallStats, Dimension, GroupStats, Rank, StatsQuery};
use hanok_trace::{Criterion, FilterTerm, TraceError, TraceStore, parse_filter, stats_query};
use std::time::Duration;

/// Groups told apart; the chart colours the first of them.
const GROUPS: usize = 20;
/// Kinds of failure told apart.
const FAILURES: usize = 6;
/// Dearest traces shown.
const DEAREST: usize = 6;

/// The page on costs.
pub(crate) async fn costs(
    traces: &TraceStore,
    range: Range,
    by: GroupBy,
    measure: Measure,
    filter: String,
) -> Result<CostsView, TraceError> {
    let now = Timestamp::now();
    let mut view = CostsView { range, by, measure, filter, ..CostsView::default() };
    let parsed = match parse_filter(&view.filter, now) {
        Ok(parsed) => parsed,
        Err(error) => {
            view.error = Some(error.to_string());
            return Ok(view);
        }
    };
    let length = Duration::from_secs(range.seconds());
    let mut query = stats_query(&parsed);
    // A filter that says itself how far it looks back is taken at its word.
    let own_time = query.filter.since.is_some() || query.filter.until.is_some();
    if !own_time {
        query.filter.since = Some(now.before(length));
    }
    let before = StatsQuery { limit: 1, ..query.clone() };
    let failures =
        StatsQuery { group_by: vec![Dimension::Error], rank: Rank::Errors, limit: FAILURES, ..query.clone() };
    let query = StatsQuery {
        buckets: range.buckets(),
        group_by: vec![dimension(by)],
        rank: rank(measure),
        limit: GROUPS,
        ..query
    };
    let mut dear = parsed;
    if !own_time {
        let since =
            FilterTerm { not: false, what: Criterion::Since { text: String::new(), at: now.before(length) } };
        dear.terms.push(since);
    }
    let (found, dearest, before, failures) = tokio::join!(
        traces.stats(query),
        traces.dearest(&dear, DEAREST),
        async {
            if own_time {
                return Ok(None);
            }
            let mut before = before;
            before.filter.until = before.filter.since;
            before.filter.since = Some(now.before(length * 2));
            traces.stats(before).await.map(Some)
        },
        traces.stats(failures)
    );
    let found = found?;
    view.since = found.since;
    view.bucket_ms = found.bucket_ms;
    view.to_come = found.traces_to_come;
    view.total = group(&found.total);
    view.groups = found.groups.iter().map(group).collect();
    view.others = found.others.as_ref().map(group);
    view.dearest = dearest?
        .iter()
        .map(|(trace, cost)| TraceRow { cost_usd: Some(cost.dollars()), ..super::row(trace) })
        .collect();
    view.before = before?.map(|before| sums(&before.total.sums)).filter(|before| before.calls > 0);
    let failed = failures?.groups;
    view.failures = failed
        .into_iter()
        .filter(|group| group.sums.errors > 0)
        .map(|group| (group.values.into_iter().next().flatten(), group.sums.errors))
        .collect();
    Ok(view)
}

fn dimension(by: GroupBy) -> Dimension {
    match by {
        GroupBy::Asked => Dimension::Asked,
        GroupBy::Model => Dimension::Model,
        GroupBy::Provider => Dimension::Provider,
        GroupBy::Key => Dimension::Key,
        GroupBy::User => Dimension::User,
        GroupBy::Prompt => Dimension::Prompt,
        GroupBy::Tag => Dimension::Tag,
        GroupBy::Source => Dimension::Source,
    }
}

fn rank(measure: Measure) -> Rank {
    match measure {
        Measure::Cost => Rank::Cost,
        Measure::Calls => Rank::Calls,
        Measure::Tokens => Rank::Tokens,
        Measure::Errors => Rank::Errors,
    }
}

fn group(group: &GroupStats) -> GroupView {
    GroupView {
        name: group.values.first().cloned().flatten(),
        sums: sums(&group.sums),
        buckets: group.buckets.iter().map(sums).collect(),
    }
}

fn sums(stats: &CallStats) -> Sums {
    Sums {
        calls: stats.calls,
        errors: stats.errors,
        input: stats.input_tokens,
        cached: stats.cached_tokens,
        written: stats.cache_write_tokens,
        output: stats.output_tokens,
        reasoning: stats.reasoning_tokens,
        cost_usd: stats.cost.dollars(),
        unpriced: stats.unpriced,
        latency_ms: stats.latency_ms,
        first_token_ms: stats.first_token_ms,
    }
}
