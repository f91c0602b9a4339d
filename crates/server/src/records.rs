//! The pages of records: one trace and its parts, sessions, costs; and the settings.

use crate::api::trace_problem;
use crate::door::Visitor;
use crate::pages::{ListQuery, Visit};
use crate::params::{Path, Query};
use crate::ui;
use crate::ui::view::Tab;
use crate::ui::view_costs::{GroupBy, Measure, Range as Stretch};
use crate::{House, present, reply};
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use hanok_base::{ErrorKind, Problem, SpanId, TraceId};
use http::{HeaderMap, StatusCode, Uri};
use serde::Deserialize;
use serde_json::json;
use std::ops::Range;
use std::sync::Arc;

#[derive(Deserialize)]
pub(crate) struct TraceQuery {
    span: Option<String>,
    tab: Option<String>,
    /// The pane alone.
    fragment: Option<String>,
    /// Where the shown stretch of a large tree begins.
    from: Option<usize>,
    /// `FROM-TO`: these rows of the tree alone.
    rows: Option<String>,
    /// The depths of all rows, so that folding needs no more questions.
    outline: Option<String>,
}

pub(crate) async fn trace(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
    Query(query): Query<TraceQuery>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let part = query.fragment.is_some() || query.rows.is_some() || query.outline.is_some();
    let visit = if part {
        Visit::quick_of(&house, &visitor, &uri, &headers)
    } else {
        Visit::of(&house, &visitor, &uri, &headers).await
    };
    let missing = || Problem::new(ErrorKind::NotFound, "trace_not_found", "there is no such trace");
    let Ok(id) = id.parse::<TraceId>() else {
        return visit.failed(&missing());
    };
    let traces = house.traces_of(&visitor);
    let span = query.span.as_deref().and_then(|span| span.parse::<SpanId>().ok());
    let tab = query.tab.as_deref().and_then(Tab::parse);
    let found = if query.outline.is_some() {
        present::depths(&traces, id).await.map(|found| {
            let (depths, failed) = found?;
            let body = json!({ "depths": depths, "failed": failed }).to_string();
            Some(reply::bytes(StatusCode::OK, "application/json", body))
        })
    } else if let Some(window) = query.rows.as_deref().and_then(window) {
        present::rows(&traces, id, window).await.map(|found| {
            let view = found?;
            Some(visit.answer(StatusCode::OK, ui::trace_rows(&visit.page, &view)))
        })
    } else if query.fragment.is_some() {
        present::span_pane(&house, &traces, id, span, tab).await.map(|found| {
            let pane = found?;
            Some(visit.answer(StatusCode::OK, ui::span_pane(&visit.page, &pane)))
        })
    } else {
        present::trace(&house, &traces, id, span, tab, query.from).await.map(|found| {
            let view = found?;
            Some(visit.answer(StatusCode::OK, ui::trace_page(&visit.page, &view)))
        })
    };
    match found {
        Ok(Some(response)) => response,
        Ok(None) => visit.failed(&missing()),
        Err(error) => visit.failed(&trace_problem(&error)),
    }
}

/// `FROM-TO`, `TO` not included.
fn window(text: &str) -> Option<Range<usize>> {
    let (from, to) = text.split_once('-')?;
    Some(from.parse().ok()?..to.parse().ok()?)
}

pub(crate) async fn sessions(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<ListQuery>,
    visit: Visit,
) -> Response {
    let filter = ui::filter_of_query(&visit.page.query);
    let view = present::sessions(&house.traces_of(&visitor), filter, query.cursor.as_deref()).await;
    visit.show(view.map_err(|error| trace_problem(&error)), ui::sessions_page)
}

pub(crate) async fn session(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
    Query(query): Query<ListQuery>,
    visit: Visit,
) -> Response {
    let before = query.cursor.as_deref().and_then(|cursor| cursor.parse().ok());
    let missing = || Problem::new(ErrorKind::NotFound, "session_not_found", "there is no such session");
    let view = present::session(&house.traces_of(&visitor), &id, before).await;
    let view = view.map_err(|error| trace_problem(&error)).and_then(|view| view.ok_or_else(missing));
    visit.show(view, ui::session_page)
}

#[derive(Deserialize)]
pub(crate) struct CostsQuery {
    range: Option<String>,
    by: Option<String>,
    show: Option<String>,
}

pub(crate) async fn costs(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<CostsQuery>,
    visit: Visit,
) -> Response {
    let filter = ui::filter_of_query(&visit.page.query);
    let range = query.range.as_deref().and_then(Stretch::parse).unwrap_or_default();
    let by = query.by.as_deref().and_then(GroupBy::parse).unwrap_or_default();
    let show = query.show.as_deref().and_then(Measure::parse).unwrap_or_default();
    let view = present::costs(&house.traces_of(&visitor), range, by, show, filter).await;
    visit.show(view.map_err(|error| trace_problem(&error)), ui::costs_page)
}

pub(crate) async fn settings(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    visit: Visit,
) -> Response {
    let view = present::settings(&house, &visitor).await;
    visit.show(view.map_err(|error| trace_problem(&error)), ui::settings_page)
}
