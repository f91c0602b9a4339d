//! The API over prompts, for admins.

use crate::door::Visitor;
use crate::params::{Path, Query};
use crate::wire_api::read_body;
use crate::{House, prompts, reply};
use axum::Extension;
use axum::extract::{Request, State};
use axum::response::Response;
use hanok_base::{CallContext, Dialect, ErrorKind, Object, Problem};
use hanok_prompt::{Context, LibraryError};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::sync::Arc;

/// A prompt's file is not larger.
const LARGEST: usize = 8 << 20;

fn answer(result: Result<Value, Problem>) -> Response {
    match result {
        Ok(value) => reply::json(&value),
        Err(problem) => reply::problem(Dialect::OpenAiChat, &problem, None),
    }
}

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` gives")]
fn told(error: LibraryError) -> Problem {
    prompts::problem_of(&error)
}

/// With what its versions were scored.
async fn scored(house: &House, mut value: Value) -> Result<Value, Problem> {
    let done = prompts::with_scores(&mut value, house.traces.store()).await;
    done.map_err(|error| crate::api::trace_problem(&error.into()))?;
    Ok(value)
}

async fn body<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    let body = read_body(request, LARGEST).await?;
    serde_json::from_slice(&body)
        .map_err(|error| Problem::new(ErrorKind::InvalidRequest, "invalid_request", error.to_string()))
}

/// Who changes something, for the record.
pub(crate) fn author(visitor: &Visitor) -> &str {
    visitor.key.as_ref().map_or("ui", |key| &key.name)
}

pub(crate) async fn list(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
) -> Response {
    answer(
        async {
            visitor.must_be_admin()?;
            scored(&house, prompts::list(&house.prompts)).await
        }
        .await,
    )
}

#[derive(Deserialize)]
pub(crate) struct At {
    at: Option<String>,
}

pub(crate) async fn show(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
    Query(at): Query<At>,
) -> Response {
    answer(
        async {
            visitor.must_be_admin()?;
            scored(&house, prompts::show(&house.prompts, &name, at.at.as_deref()).await.map_err(told)?).await
        }
        .await,
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    source: String,
    /// The version that was edited, where the file must still be that.
    expected: Option<String>,
}

pub(crate) async fn save(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
    request: Request,
) -> Response {
    answer(
        async {
            visitor.must_be_admin()?;
            let edit: Edit = body(request).await?;
            let by = author(&visitor);
            let saved =
                house.prompts.save(&name, &edit.source, by, edit.expected.as_deref()).await.map_err(told)?;
            Ok(json!({
                "name": name, "version": saved.prompt.version().short(), "changed": saved.changed,
                "file": saved.path.display().to_string(),
            }))
        }
        .await,
    )
}

pub(crate) async fn history(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
) -> Response {
    answer(
        async {
            visitor.must_be_admin()?;
            scored(&house, prompts::history(&house.prompts, &name).await.map_err(told)?).await
        }
        .await,
    )
}

pub(crate) async fn metrics(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
) -> Response {
    let only = visitor.only_project();
    answer(prompts::metrics(&house.traces_of(&visitor), &name, only).await)
}

#[derive(Deserialize)]
pub(crate) struct Between {
    from: String,
    to: Option<String>,
}

pub(crate) async fn diff(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
    Query(between): Query<Between>,
) -> Response {
    answer(
        async {
            visitor.must_be_admin()?;
            let diff = prompts::diff(&house.prompts, &name, &between.from, between.to.as_deref())
                .await
                .map_err(told)?;
            Ok(json!({ "name": name, "diff": diff, "unified": diff.unified() }))
        }
        .await,
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Move {
    label: String,
    /// A label or version; null removes the label.
    to: Option<String>,
}

pub(crate) async fn label(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
    request: Request,
) -> Response {
    answer(
        async {
            visitor.must_be_admin()?;
            let wish: Move = body(request).await?;
            let by = author(&visitor);
            prompts::label(&house.prompts, &name, &wish.label, wish.to.as_deref(), by).await.map_err(told)
        }
        .await,
    )
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Filling {
    at: Option<String>,
    #[serde(default)]
    variables: Object,
}

pub(crate) async fn render(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
    request: Request,
) -> Response {
    answer(
        async {
            visitor.must_be_admin()?;
            let Filling { at, variables } = body(request).await?;
            let found = house.prompts.resolve(&name, at.as_deref()).await.map_err(told)?;
            let mut context = Context::default();
            if let Some(wish) = found.prompt.wish(&variables, &[]) {
                let cx = CallContext::unrecorded();
                let rows =
                    house.examples.examples(&cx, &wish.dataset, wish.count, wish.near.as_deref()).await;
                context.examples = rows.map_err(|error| {
                    Problem::new(ErrorKind::InvalidRequest, "prompt_examples", error.to_string())
                })?;
            }
            prompts::render(&house.prompts, &name, at.as_deref(), &variables, context).await.map_err(told)
        }
        .await,
    )
}
