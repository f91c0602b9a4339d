//! Experiments and datasets over the API, in the shapes of `--json`; and what commands that run evals keep in the
//! server's store, and read from it.

use crate::api::{failed, parsed};
use crate::door::Visitor;
use crate::evals::{ResultsQuery, keeper};
use crate::params::{Path, Query};
use crate::present::compare::numbers_beside;
use crate::{House, reply};
use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use hanok_base::{ErrorKind, Problem};
use hanok_eval::{KeepError, shown};
use hanok_store::evals::ResultFilter;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// Most rows of one answer.
const MOST: usize = 1000;

/// There is no such experiment.
pub(crate) fn no_experiment(id: &str) -> Problem {
    Problem::new(ErrorKind::NotFound, "experiment_not_found", format!("there is no experiment `{id}`"))
        .hint("`hanok eval ls` lists them")
}

/// There is no such dataset.
pub(crate) fn no_dataset(name: &str) -> Problem {
    let message = format!("there is no dataset `{name}` in this version");
    Problem::new(ErrorKind::NotFound, "dataset_not_found", message).hint("`hanok dataset ls` lists them")
}

/// Experiments or datasets could not be read.
pub(crate) fn store_problem(error: &KeepError) -> Problem {
    tracing::error!(error = error as &dyn std::error::Error, "experiments could not be read");
    Problem::new(ErrorKind::Unavailable, "store_unavailable", "experiments and datasets cannot be read now")
        .hint("the server's log says why")
}

fn answer(found: Result<Value, Problem>) -> Response {
    match found {
        Ok(value) => reply::json(&value),
        Err(problem) => failed(&problem),
    }
}

#[derive(Deserialize)]
pub(crate) struct ListQuery {
    #[serde(default)]
    name: String,
    before: Option<i64>,
    limit: Option<usize>,
}

/// `GET /api/experiments`: as `hanok eval ls --json`.
pub(crate) async fn experiments(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<ListQuery>,
) -> Response {
    let found = async {
        let limit = query.limit.unwrap_or(50).min(MOST);
        let found = keeper(&house, &visitor)?.experiments(query.name, query.before, limit).await;
        let found = found.map_err(|error| store_problem(&error))?;
        Ok(json!({ "experiments": found.iter().map(shown::experiment).collect::<Vec<_>>() }))
    };
    answer(found.await)
}

/// `GET /api/experiments/{id}`: as `hanok eval show --results --json`, with the `next` page's `after`.
pub(crate) async fn experiment(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
    Query(query): Query<ResultsQuery>,
) -> Response {
    let found = async {
        let keeper = keeper(&house, &visitor)?;
        let number: i64 = id.parse().map_err(|_| no_experiment(&id))?;
        let known = keeper.experiment(number).await.map_err(|error| store_problem(&error))?;
        let known = known.ok_or_else(|| no_experiment(&id))?;
        let after = query.place();
        let filter = match query.only.as_str() {
            "failed" => ResultFilter::Failed,
            "low" => ResultFilter::Low(query.score),
            "uncovered" => ResultFilter::Uncovered(query.score),
            _ if !query.q.is_empty() => ResultFilter::Text(query.q),
            _ => ResultFilter::All,
        };
        let page = keeper.results(number, filter, after, 100).await.map_err(|error| store_problem(&error))?;
        let mut whole = shown::experiment(&known);
        if let Value::Object(members) = &mut whole {
            members.insert("results".to_owned(), page.rows.iter().map(shown::result).collect());
            let next = page.next.map(|(row, repeat)| format!("{row}.{repeat}"));
            members.insert("next".to_owned(), json!(next));
        }
        Ok(whole)
    };
    answer(found.await)
}

#[derive(Deserialize)]
pub(crate) struct CompareQuery {
    a: i64,
    b: i64,
    confidence: Option<f64>,
}

/// `GET /api/experiments/compare`: as `hanok eval compare --json`.
pub(crate) async fn compare(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<CompareQuery>,
) -> Response {
    let found = async {
        let keeper = keeper(&house, &visitor)?;
        let known = async |id: i64| {
            let known = keeper.experiment(id).await.map_err(|error| store_problem(&error))?;
            known.ok_or_else(|| no_experiment(&id.to_string()))
        };
        let (first, second) = (known(query.a).await?, known(query.b).await?);
        let confidence = query.confidence.unwrap_or(0.95);
        if !(0.5..1.0).contains(&confidence) {
            let message = "confidence must be at least 0.5 and less than 1";
            return Err(
                Problem::new(ErrorKind::InvalidRequest, "invalid_request", message).param("confidence")
            );
        }
        let found = numbers_beside(&keeper, &first, &second, confidence).await;
        Ok(json!(found.map_err(|error| store_problem(&error))?))
    };
    answer(found.await)
}

/// `GET /api/datasets`: as `hanok dataset ls --json`.
pub(crate) async fn datasets(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    let found = async {
        let found = keeper(&house, &visitor)?.datasets().await.map_err(|error| store_problem(&error))?;
        Ok(json!({ "datasets": found }))
    };
    answer(found.await)
}

#[derive(Deserialize)]
pub(crate) struct DatasetQuery {
    #[serde(default)]
    version: String,
    #[serde(default)]
    from: i64,
    limit: Option<usize>,
}

/// `GET /api/datasets/{name}`: as `hanok dataset show --json`.
pub(crate) async fn dataset(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
    Query(query): Query<DatasetQuery>,
) -> Response {
    let found = async {
        let keeper = keeper(&house, &visitor)?;
        let read = async {
            let Some(version) = keeper.version(name.clone(), query.version).await? else { return Ok(None) };
            let limit = query.limit.unwrap_or(100).min(MOST);
            let rows = keeper.rows(version.id, query.from, limit).await?;
            Ok::<_, KeepError>(Some((version, keeper.versions(name.clone()).await?, rows)))
        };
        let read = read.await.map_err(|error| store_problem(&error))?;
        let (version, versions, rows) = read.ok_or_else(|| no_dataset(&name))?;
        let rows: Vec<Value> =
            rows.iter().map(|row| serde_json::from_str(&row.body).unwrap_or_default()).collect();
        Ok(json!({ "version": version, "versions": versions, "rows": rows }))
    };
    answer(found.await)
}

/// Answers a call of [`hanok_eval::Keeper`]. Only for commands of the data folder's owner, who can read the token
/// there: what is kept here is everybody's.
pub(crate) async fn keep(State(house): State<Arc<House>>, headers: HeaderMap, request: Request) -> Response {
    if !crate::door::is_owner(&house.token, &headers) {
        let message = "only the data folder's owner may run evals";
        let problem = Problem::new(ErrorKind::Forbidden, "not_the_owner", message);
        return failed(&problem.hint("use `hanok eval run` on the machine the server runs on"));
    }
    let limit = house.settings.load().body_limit;
    let call: Value = match parsed(request, limit).await {
        Ok(call) => call,
        Err(problem) => return failed(&problem),
    };
    match hanok_eval::keeper::serve(house.traces.store(), call).await {
        Ok(answer) => reply::json(&answer),
        Err(KeepError::Version(error)) => {
            let message =
                format!("this server does not understand the command, which is of another version: {error}");
            failed(&Problem::new(ErrorKind::InvalidRequest, "invalid_request", message))
        }
        Err(error) => {
            tracing::error!(%error, "a call of an eval failed");
            failed(&Problem::new(ErrorKind::Unavailable, "store_unavailable", "the store cannot do this now"))
        }
    }
}
