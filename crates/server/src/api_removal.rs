//! Deleting traces and reading the audit, for admins.

use crate::api::answered;
use crate::door::Visitor;
use crate::params::Query;
use crate::{House, reply};
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use hanok_base::{Dialect, ErrorKind, Problem, Timestamp};
use hanok_store::{AuditLine, Removed, StoreError, Target};
use hanok_trace::parse_filter;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Lines of the audit in one answer.
const MOST: usize = 1000;

/// Which traces are to go: exactly one of the first four.
#[derive(Clone, Debug, Default, Deserialize)]
pub struct Wanted {
    /// All of this user, by the exact name.
    pub user: Option<String>,
    /// All of this session.
    pub session: Option<String>,
    /// All that came from this source.
    pub source: Option<String>,
    /// All that this filter finds.
    pub filter: Option<String>,
    /// The kept responses of the keys that only they came with, too.
    #[serde(default)]
    pub responses: bool,
    /// Only say how many.
    #[serde(default)]
    pub dry_run: bool,
}

impl Wanted {
    /// What is meant; in words why nothing is.
    pub fn target(&self, now: Timestamp) -> Result<Target, String> {
        let given = [&self.user, &self.session, &self.source, &self.filter];
        if given.iter().filter(|one| one.as_ref().is_some_and(|text| !text.trim().is_empty())).count() != 1 {
            return Err("say which traces: one of `user`, `session`, `source` or `filter`".to_owned());
        }
        Ok(match (&self.user, &self.session, &self.source, &self.filter) {
            (Some(user), ..) => Target::User(user.clone()),
            (_, Some(session), ..) => Target::Session(session.clone()),
            (_, _, Some(source), _) => Target::Source(source.clone()),
            (.., filter) => {
                let filter = parse_filter(filter.as_deref().unwrap_or_default(), now);
                Target::Matching(Box::new(filter.map_err(|error| error.to_string())?.query()))
            }
        })
    }
}

/// What went, or would, as the API tells it.
pub fn removed(removed: Removed, dry_run: bool) -> Value {
    json!({
        "dry_run": dry_run,
        "traces": removed.traces,
        "spans": removed.spans,
        "responses": removed.responses,
    })
}

/// The audit, as the API tells it.
pub fn audit_lines(lines: &[AuditLine]) -> Value {
    let line = |line: &AuditLine| {
        json!({
            "id": line.seq,
            "at": line.at.rfc3339(),
            "who": line.who,
            "what": line.what,
            "criterion": line.criterion,
            "traces": line.removed.traces,
            "spans": line.removed.spans,
            "responses": line.removed.responses,
            "ended": line.ended.map(Timestamp::rfc3339),
        })
    };
    json!({ "audit": lines.iter().map(line).collect::<Vec<_>>() })
}

pub(crate) async fn delete(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Query(wanted): Query<Wanted>,
) -> Response {
    answered(deleted(&house, &visitor, wanted).await)
}

async fn deleted(house: &House, visitor: &Visitor, wanted: Wanted) -> Result<Value, Problem> {
    visitor.must_be_admin()?;
    let target = wanted
        .target(Timestamp::now())
        .map_err(|why| Problem::new(ErrorKind::InvalidRequest, "invalid_request", why))?;
    let traces = house.traces.clone();
    if wanted.dry_run {
        let found =
            traces.would_remove(&target, wanted.responses).await.map_err(|error| problem_of(&error))?;
        return Ok(removed(found, true));
    }
    let who = match &visitor.key {
        Some(key) if !key.id.is_empty() => format!("{} ({})", key.name, key.id),
        Some(key) => key.name.to_string(),
        None => "owner".to_owned(),
    };
    // In a task of its own: what was begun is ended though its caller goes away.
    let run = tokio::spawn(async move { traces.remove(&target, wanted.responses, &who).await });
    match run.await {
        Ok(Ok(gone)) => Ok(removed(gone, false)),
        Ok(Err(error)) => Err(problem_of(&error)),
        Err(error) => {
            tracing::error!(%error, "a deletion ended badly");
            Err(Problem::new(ErrorKind::Internal, "internal_error", "the deletion ended badly"))
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct AuditQuery {
    limit: Option<usize>,
}

pub(crate) async fn audit(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<AuditQuery>,
) -> Response {
    if let Err(problem) = visitor.must_be_admin() {
        return reply::problem(Dialect::OpenAiChat, &problem, None);
    }
    match house.traces.audit(query.limit.unwrap_or(100).clamp(1, MOST)).await {
        Ok(lines) => reply::json(&audit_lines(&lines)),
        Err(error) => reply::problem(Dialect::OpenAiChat, &problem_of(&error), None),
    }
}

fn problem_of(error: &StoreError) -> Problem {
    tracing::error!(error = error as &dyn std::error::Error, "traces could not be deleted or read");
    Problem::new(ErrorKind::Unavailable, "store_unavailable", "the store cannot be read or changed now")
}
