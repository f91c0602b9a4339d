//! The API over sessions, scores and saved views.

use crate::api::{self, failed, listed, parsed, trace_problem};
use crate::door::Visitor;
use crate::params::{Path, Query};
use crate::{House, reply};
use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use hanok_base::{ErrorKind, Problem};
use hanok_trace::{NewScore, ScoreError, ScoreFilter};
use serde::Deserialize;
use serde_json::json;
use std::sync::Arc;

/// A score or a view is short.
const LARGEST: usize = 64 << 10;

pub(crate) async fn sessions(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<api::TracesQuery>,
) -> Response {
    let (filter, limit) = match listed(&query) {
        Ok(listed) => listed,
        Err(problem) => return failed(&problem),
    };
    match house.traces_of(&visitor).sessions(&filter, query.cursor.as_deref(), limit).await {
        Ok(page) => reply::json(&page),
        Err(error) => failed(&trace_problem(&error)),
    }
}

pub(crate) async fn session(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
) -> Response {
    match house.traces_of(&visitor).session(&id).await {
        Ok(Some(session)) => reply::json(&session),
        Ok(None) => failed(&Problem::new(
            ErrorKind::NotFound,
            "session_not_found",
            format!("there is no session `{id}`"),
        )),
        Err(error) => failed(&trace_problem(&error)),
    }
}

#[derive(Deserialize)]
pub(crate) struct ScoresQuery {
    trace_id: Option<String>,
    session_id: Option<String>,
    name: Option<String>,
    source: Option<String>,
    limit: Option<String>,
    cursor: Option<String>,
}

pub(crate) async fn scores(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<ScoresQuery>,
) -> Response {
    let limit = match api::limit(query.limit.as_deref()) {
        Ok(limit) => limit,
        Err(problem) => return failed(&problem),
    };
    let filter = ScoreFilter {
        trace_id: query.trace_id.as_deref(),
        session_id: query.session_id.as_deref(),
        name: query.name.as_deref(),
        source: query.source.as_deref(),
    };
    match house.traces_of(&visitor).list_scores(filter, query.cursor.as_deref(), limit).await {
        Ok(page) => reply::json(&page),
        Err(error) => failed(&score_problem(&error)),
    }
}

pub(crate) async fn score(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Response {
    let mut new: NewScore = match parsed(request, LARGEST).await {
        Ok(new) => new,
        Err(problem) => return failed(&problem),
    };
    if let Err(problem) = own_project(&visitor, new.project.as_deref()) {
        return failed(&problem);
    }
    new.author = visitor.key.as_ref().map(|key| key.name.to_string());
    match house.traces_of(&visitor).score(new).await {
        Ok(score) => reply::json(&score),
        Err(error) => failed(&score_problem(&error)),
    }
}

pub(crate) async fn remove_score(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
) -> Response {
    match house.traces_of(&visitor).remove_score(&id).await {
        Ok(true) => reply::json(&json!({ "id": id, "deleted": true })),
        Ok(false) => {
            let message = format!("there is no score `{id}`");
            failed(&Problem::new(ErrorKind::NotFound, "score_not_found", message))
        }
        Err(error) => failed(&trace_problem(&error)),
    }
}

pub(crate) async fn views(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    match house.traces_of(&visitor).saved_filters().await {
        Ok(views) => reply::json(&json!({ "views": views })),
        Err(error) => failed(&trace_problem(&error)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NewView {
    name: String,
    filter: String,
    project: Option<String>,
}

pub(crate) async fn keep_view(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Response {
    let new: NewView = match parsed(request, LARGEST).await {
        Ok(new) => new,
        Err(problem) => return failed(&problem),
    };
    if let Err(problem) = own_project(&visitor, new.project.as_deref()) {
        return failed(&problem);
    }
    match house.traces_of(&visitor).save_filter(&new.name, &new.filter, new.project).await {
        Ok(view) => reply::json(&view),
        Err(error) => failed(&score_problem(&error)),
    }
}

pub(crate) async fn remove_view(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
) -> Response {
    match house.traces_of(&visitor).remove_filter(&id).await {
        Ok(true) => reply::json(&json!({ "id": id, "deleted": true })),
        Ok(false) => {
            let message = format!("there is no saved view `{id}`");
            failed(&Problem::new(ErrorKind::NotFound, "view_not_found", message))
        }
        Err(error) => failed(&trace_problem(&error)),
    }
}

/// Refuses a project that is not the visitor's.
fn own_project(visitor: &Visitor, project: Option<&str>) -> Result<(), Problem> {
    match (visitor.only_project(), project) {
        (Some(own), Some(other)) if own != other => {
            let message = format!("this key is of the project `{own}`, not of `{other}`");
            Err(Problem::new(ErrorKind::Forbidden, "other_project", message).param("project"))
        }
        _ => Ok(()),
    }
}

fn score_problem(error: &ScoreError) -> Problem {
    match error {
        ScoreError::Invalid { member, message } => {
            Problem::new(ErrorKind::InvalidRequest, "invalid_request", message.clone()).param(*member)
        }
        ScoreError::NoTrace(id) => api::no_trace(id),
        ScoreError::Trace(error) => trace_problem(error),
    }
}
