//! The pages of judges.

use crate::House;
use crate::api_evals::store_problem;
use crate::api_judges::{JudgeQuery, no_judge};
use crate::door::Visitor;
use crate::pages::Visit;
use crate::params::{Path, Query};
use crate::present::judges as shown;
use crate::ui;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use std::sync::Arc;

pub(crate) async fn list(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    visit: Visit,
) -> Response {
    let view = shown::judges(&house, &visitor).await.map_err(|error| store_problem(&error));
    visit.show(view, ui::judges_page)
}

pub(crate) async fn show(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
    Query(query): Query<JudgeQuery>,
    visit: Visit,
) -> Response {
    let view = async {
        let found = shown::judge(&house, &visitor, &name, query.project.as_deref()).await;
        found.map_err(|error| store_problem(&error))?.ok_or_else(|| no_judge(&name))
    };
    visit.show(view.await, ui::judge_page)
}
