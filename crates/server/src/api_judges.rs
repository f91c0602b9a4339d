//! Judges over the API: what was found out about each, and whether that still holds.

use crate::House;
use crate::api::answered;
use crate::api_evals::store_problem;
use crate::door::Visitor;
use crate::params::{Path, Query};
use crate::present::judges as shown;
use crate::ui::view_judges::{CheckState, JudgeRow};
use crate::ui::{Lang, judge_findings};
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use hanok_base::{ErrorKind, Problem, Timestamp};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// There is no such judge.
pub(crate) fn no_judge(name: &str) -> Problem {
    let message = format!("there is no judge `{name}`");
    Problem::new(ErrorKind::NotFound, "judge_not_found", message)
        .hint("`hanok judge ls` lists those that were checked")
}

fn judge_value(row: &JudgeRow) -> Value {
    let found = row.report.as_deref().map(|report| &report.calibration);
    let kappa = found.and_then(|found| found.measure("kappa")?.judge);
    let changed: &[_] = if let CheckState::Stale(changes) = &row.state { changes } else { &[] };
    let changed: Vec<Value> = changed
        .iter()
        .map(|change| json!({ "member": change.member, "before": change.before, "now": change.now }))
        .collect();
    json!({
        "name": row.name, "project": row.project, "model": row.model, "state": row.state.as_str(), "changed": changed,
        "checked": row.checked.map(Timestamp::rfc3339),
        "identity": row.report.as_ref().map(|report| &report.identity),
        "queue": row.report.as_ref().map(|report| &report.queue),
        "findings": row.report.as_deref().map(|report| judge_findings(Lang::En, report)).unwrap_or_default(),
        "standing": found.map(|found| &found.standing), "tendency": found.map(|found| &found.tendency),
        "labelled": found.map(|found| found.labelled), "kappa": kappa,
        "evals": row.evals.iter().map(|(eval, _)| eval).collect::<Vec<_>>(),
    })
}

/// `GET /api/judges`: the judges that were checked, and those of evals that never were.
pub(crate) async fn judges(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    let found = async {
        let view = shown::judges(&house, &visitor).await.map_err(|error| store_problem(&error))?;
        Ok(json!({ "judges": view.rows.iter().map(judge_value).collect::<Vec<_>>() }))
    };
    answered(found.await)
}

#[derive(Deserialize)]
pub(crate) struct JudgeQuery {
    pub(crate) project: Option<String>,
}

/// `GET /api/judges/{name}`: one of them, with its newest report as `hanok judge show --json` and its checks.
pub(crate) async fn judge(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
    Query(query): Query<JudgeQuery>,
) -> Response {
    let found = async {
        let view = shown::judge(&house, &visitor, &name, query.project.as_deref()).await;
        let view = view.map_err(|error| store_problem(&error))?.ok_or_else(|| no_judge(&name))?;
        let checks: Vec<Value> = view
            .checks
            .iter()
            .map(|check| {
                json!({
                    "created": check.created.rfc3339(), "identity": check.identity,
                    "findings": check.report.as_deref().map(|report| judge_findings(Lang::En, report)),
                })
            })
            .collect();
        let mut whole = judge_value(&view.row);
        if let Value::Object(members) = &mut whole {
            members.insert("report".to_owned(), json!(view.row.report));
            members.insert("checks".to_owned(), checks.into());
            members.insert("days".to_owned(), json!(view.days));
        }
        Ok(whole)
    };
    answered(found.await)
}
