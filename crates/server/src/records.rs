//! The pages of records: one trace and its parts.

use crate::api::trace_problem;
use crate::door::Visitor;
use crate::pages::Visit;
use crate::params::{Path, Query};
use crate::ui;
use crate::ui::view::Tab;
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
