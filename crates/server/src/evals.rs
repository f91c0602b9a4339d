//! The pages of experiments and datasets. They are admins': samples may come from any project's traces.

use crate::House;
use crate::api_evals::{no_dataset, no_experiment, store_problem};
use crate::door::Visitor;
use crate::pages::Visit;
use crate::params::{Path, Query};
use crate::present::compare::{Asked, compared};
use crate::present::datasets::{AskedRows, dataset as shown_dataset, datasets as shown_datasets};
use crate::present::evals as shown;
use crate::ui;
use crate::ui::view_evals::{ResultsFilter, Which};
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use hanok_base::Problem;
use hanok_eval::Keeper;
use serde::Deserialize;
use std::sync::Arc;

/// Where experiments are kept, for who may see them.
pub(crate) fn keeper(house: &House, visitor: &Visitor) -> Result<Keeper, Problem> {
    visitor.must_be_admin()?;
    Ok(Keeper::here(house.traces.store().clone()))
}

#[derive(Deserialize)]
pub(crate) struct ListQuery {
    #[serde(default)]
    name: String,
    before: Option<i64>,
}

pub(crate) async fn experiments(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<ListQuery>,
    visit: Visit,
) -> Response {
    let view = async {
        let keeper = keeper(&house, &visitor)?;
        shown::experiments(&keeper, &query.name, query.before).await.map_err(|error| store_problem(&error))
    };
    visit.show(view.await, ui::experiments_page)
}

#[derive(Deserialize)]
pub(crate) struct ResultsQuery {
    #[serde(default)]
    pub(crate) only: String,
    #[serde(default)]
    pub(crate) score: String,
    #[serde(default)]
    pub(crate) q: String,
    /// `ROW.REPEAT` after which the page begins.
    pub(crate) after: Option<String>,
}

impl ResultsQuery {
    /// The row and repeat after which the page begins.
    pub(crate) fn place(&self) -> Option<(i64, u32)> {
        let (row, repeat) = self.after.as_deref()?.split_once('.')?;
        Some((row.parse().ok()?, repeat.parse().ok()?))
    }
}

pub(crate) async fn experiment(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
    Query(query): Query<ResultsQuery>,
    visit: Visit,
) -> Response {
    let after = query.place();
    let filter = ResultsFilter { only: query.only, score: query.score, text: query.q.trim().to_owned() };
    let view = async {
        let keeper = keeper(&house, &visitor)?;
        let number = id.parse().map_err(|_| no_experiment(&id))?;
        let found = shown::experiment(&keeper, number, filter, after).await;
        found.map_err(|error| store_problem(&error))?.ok_or_else(|| no_experiment(&id))
    };
    visit.show(view.await, ui::experiment_page)
}

#[derive(Deserialize)]
pub(crate) struct CompareQuery {
    a: Option<i64>,
    b: Option<i64>,
    #[serde(default)]
    score: String,
    #[serde(default)]
    show: String,
    #[serde(default)]
    from: u64,
}

pub(crate) async fn compare(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<CompareQuery>,
    visit: Visit,
) -> Response {
    let keeper = match keeper(&house, &visitor) {
        Ok(keeper) => keeper,
        Err(problem) => return visit.failed(&problem),
    };
    let (Some(a), Some(b)) = (query.a, query.b) else {
        let choices = shown::choices(&keeper).await.map_err(|error| store_problem(&error));
        return visit.show(choices, |page, choices| ui::choose_page(page, choices));
    };
    let asked =
        Asked { score: query.score, which: Which::parse(&query.show).unwrap_or_default(), from: query.from };
    let view = async {
        let wanted = async |id: i64| {
            let found = keeper.experiment(id).await.map_err(|error| store_problem(&error))?;
            found.ok_or_else(|| no_experiment(&id.to_string()))
        };
        let (first, second) = (wanted(a).await?, wanted(b).await?);
        compared(&keeper, &first, &second, asked).await.map_err(|error| store_problem(&error))
    };
    visit.show(view.await, ui::compare_page)
}

pub(crate) async fn datasets(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    visit: Visit,
) -> Response {
    let view = async {
        let keeper = keeper(&house, &visitor)?;
        shown_datasets(&keeper).await.map_err(|error| store_problem(&error))
    };
    visit.show(view.await, ui::datasets_page)
}

#[derive(Deserialize)]
pub(crate) struct RowsQuery {
    #[serde(default)]
    version: String,
    #[serde(default)]
    split: String,
    #[serde(default)]
    only: String,
    #[serde(default)]
    q: String,
    #[serde(default)]
    after: i64,
}

pub(crate) async fn dataset(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
    Query(query): Query<RowsQuery>,
    visit: Visit,
) -> Response {
    let asked = AskedRows {
        version: query.version,
        split: query.split,
        only: query.only,
        text: query.q.trim().to_owned(),
        from: query.after,
    };
    let view = async {
        let keeper = keeper(&house, &visitor)?;
        let found = shown_dataset(&keeper, &name, asked).await.map_err(|error| store_problem(&error))?;
        found.ok_or_else(|| no_dataset(&name))
    };
    visit.show(view.await, ui::dataset_page)
}
