//! Sums and percentiles over calls, for scripts.

use crate::door::Visitor;
use crate::params::Query;
use crate::{House, api, reply};
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use hanok_base::{Dialect, ErrorKind, Problem, Timestamp};
use hanok_trace::{StatsView, parse_dimensions, parse_filter, parse_rank, stats_query};
use serde::Deserialize;
use std::sync::Arc;

/// Most groups of an answer, most stretches of time.
const MOST: usize = 1_000;

#[derive(Deserialize)]
pub(crate) struct StatsParams {
    filter: Option<String>,
    by: Option<String>,
    buckets: Option<String>,
    rank: Option<String>,
    limit: Option<String>,
}

pub(crate) async fn stats(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Query(params): Query<StatsParams>,
) -> Response {
    match answer(&house, &visitor, &params).await {
        Ok(view) => reply::json(&view),
        Err(problem) => reply::problem(Dialect::OpenAiChat, &problem, None),
    }
}

async fn answer(house: &House, visitor: &Visitor, params: &StatsParams) -> Result<StatsView, Problem> {
    let wrong = |param: &'static str, message: String| {
        Problem::new(ErrorKind::InvalidRequest, "invalid_request", message).param(param)
    };
    let filter = parse_filter(params.filter.as_deref().unwrap_or_default(), Timestamp::now());
    let filter = filter.map_err(|error| {
        Problem::new(ErrorKind::InvalidRequest, "invalid_filter", error.to_string()).param("filter")
    })?;
    let mut query = stats_query(&filter);
    let number = |param: &'static str, value: Option<&str>| match value.map(str::parse::<usize>) {
        None => Ok(None),
        Some(Ok(number)) if (1..=MOST).contains(&number) => Ok(Some(number)),
        Some(_) => Err(wrong(param, format!("`{param}` must be a number from 1 to {MOST}"))),
    };
    query.buckets = number("buckets", params.buckets.as_deref())?.unwrap_or(1);
    query.limit = number("limit", params.limit.as_deref())?.unwrap_or(query.limit);
    query.group_by = parse_dimensions(params.by.as_deref().unwrap_or_default())
        .map_err(|error| wrong("by", error.to_string()))?;
    if let Some(rank) = &params.rank {
        query.rank = parse_rank(rank).map_err(|error| wrong("rank", error.to_string()))?;
    }
    let group_by = query.group_by.clone();
    let stats = house.traces_of(visitor).stats(query).await.map_err(|error| api::trace_problem(&error))?;
    Ok(StatsView::new(&stats, &group_by))
}
