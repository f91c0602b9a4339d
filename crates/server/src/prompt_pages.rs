//! The pages of prompts: the list, one prompt, the playground; and what their forms and scripts do.

use crate::api_prompts::author;
use crate::door::Visitor;
use crate::pages::Visit;
use crate::params::{Path, Query};
use crate::people::{check_csrf, see_other};
use crate::present::prompts as shown;
use crate::ui::view_prompts::PromptDraft;
use crate::wire_api::read_body;
use crate::{House, present, prompts, reply, ui};
use axum::Extension;
use axum::extract::{Form, Request, State};
use axum::response::Response;
use hanok_base::{CallContext, Dialect, ErrorKind, Problem};
use hanok_prompt::{LibraryError, Prompt, PromptError};
use serde::Deserialize;
use serde_json::{Value, json};
use std::sync::Arc;

/// What the playground sends is not larger: a text with its images.
const LARGEST: usize = 48 << 20;
/// Rows of a dataset that are tried at most.
const ROWS: usize = 50;

#[expect(clippy::needless_pass_by_value, reason = "what `map_err` gives")]
fn told(error: LibraryError) -> Problem {
    prompts::problem_of(&error)
}

pub(crate) async fn list(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    visit: Visit,
) -> Response {
    let view = async {
        visitor.must_be_admin()?;
        shown::prompts(&house).await
    };
    visit.show(view.await, ui::prompts_page)
}

#[derive(Deserialize)]
pub(crate) struct PromptQuery {
    /// The label or version that is shown.
    at: Option<String>,
    /// Whether it is edited.
    edit: Option<String>,
    /// The versions that are compared.
    from: Option<String>,
    to: Option<String>,
}

pub(crate) async fn show(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
    Query(query): Query<PromptQuery>,
    visit: Visit,
) -> Response {
    let view = async {
        visitor.must_be_admin()?;
        let mut view = shown::prompt(&house, &name, query.at.as_deref()).await?;
        if query.edit.is_some() {
            // What is edited is the file, whatever version its text comes from.
            let filed = house.prompts.list().into_iter().find(|listed| listed.name == name);
            let filed = filed.and_then(|listed| listed.version).map(|at| at.short().to_owned());
            view.draft = Some(PromptDraft {
                name: name.clone(),
                source: view.source.clone(),
                expected: filed.unwrap_or_default(),
                error: String::new(),
            });
        }
        if let Some(from) = query.from.as_deref().filter(|from| !from.is_empty()) {
            match prompts::diff(&house.prompts, &name, from, query.to.as_deref()).await {
                Ok(diff) => view.diff = Some(diff),
                Err(error) => view.diff_error = Some(error.to_string()),
            }
        }
        Ok(view)
    };
    visit.show(view.await, ui::prompt_page)
}

#[derive(Deserialize)]
pub(crate) struct Edit {
    #[serde(default)]
    csrf: String,
    /// The name of a prompt that is made.
    #[serde(default)]
    name: String,
    source: String,
    #[serde(default)]
    expected: String,
}

impl Edit {
    /// As it was typed. Forms end lines as no file here does.
    fn draft(self, name: &str, error: String) -> PromptDraft {
        PromptDraft { name: name.to_owned(), source: self.source, expected: self.expected, error }
    }
}

/// Why a text was not written: one that is no prompt is the writer's mistake, not the house's.
fn unwritten(error: LibraryError) -> Problem {
    match error {
        LibraryError::Prompt(error) => no_prompt(&error),
        error => told(error),
    }
}

fn no_prompt(error: &PromptError) -> Problem {
    let problem = prompts::problem_of_prompt(error);
    Problem { kind: ErrorKind::InvalidRequest, hint: None, ..problem }
}

/// What a failure of an edit is: the writer's to mend, with what was typed still there, or not.
fn is_mendable(problem: &Problem) -> bool {
    matches!(problem.kind, ErrorKind::InvalidRequest | ErrorKind::Conflict)
}

pub(crate) async fn create(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    visit: Visit,
    Form(mut form): Form<Edit>,
) -> Response {
    if let Err(problem) = visitor.must_be_admin().and_then(|()| check_csrf(&house, &visitor, &form.csrf)) {
        return visit.failed(&problem);
    }
    form.source = form.source.replace("\r\n", "\n");
    let name = form.name.trim().trim_start_matches("prompt/").to_owned();
    let made = async {
        if house.prompts.list().iter().any(|listed| listed.name == name && listed.version.is_some()) {
            let message = format!("there is a prompt `{name}` already; edit that, or choose another name");
            return Err(Problem::new(ErrorKind::Conflict, "prompt_exists", message));
        }
        house.prompts.save(&name, &form.source, author(&visitor), None).await.map_err(unwritten)
    };
    match made.await {
        Ok(_) => see_other(&format!("prompts/{}", present::encoded(&name)), None),
        Err(problem) if is_mendable(&problem) => match shown::prompts(&house).await {
            Ok(mut view) => {
                view.draft = Some(form.draft(&name, problem.message));
                visit.answer(reply::status(problem.kind), ui::prompts_page(&visit.page, &view))
            }
            Err(problem) => visit.failed(&problem),
        },
        Err(problem) => visit.failed(&problem),
    }
}

pub(crate) async fn save(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
    visit: Visit,
    Form(mut form): Form<Edit>,
) -> Response {
    if let Err(problem) = visitor.must_be_admin().and_then(|()| check_csrf(&house, &visitor, &form.csrf)) {
        return visit.failed(&problem);
    }
    form.source = form.source.replace("\r\n", "\n");
    let expected = Some(form.expected.as_str()).filter(|expected| !expected.is_empty());
    match house.prompts.save(&name, &form.source, author(&visitor), expected).await.map_err(unwritten) {
        Ok(_) => see_other(&present::encoded(&name), None),
        Err(problem) if is_mendable(&problem) => match shown::prompt(&house, &name, None).await {
            Ok(mut view) => {
                view.draft = Some(form.draft(&name, problem.message));
                visit.answer(reply::status(problem.kind), ui::prompt_page(&visit.page, &view))
            }
            Err(problem) => visit.failed(&problem),
        },
        Err(problem) => visit.failed(&problem),
    }
}

#[derive(Deserialize)]
pub(crate) struct LabelForm {
    #[serde(default)]
    csrf: String,
    label: String,
    /// Where it goes; empty removes it.
    #[serde(default)]
    to: String,
}

pub(crate) async fn label(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
    visit: Visit,
    Form(form): Form<LabelForm>,
) -> Response {
    let done = async {
        visitor.must_be_admin()?;
        check_csrf(&house, &visitor, &form.csrf)?;
        let to = Some(form.to.trim()).filter(|to| !to.is_empty());
        prompts::label(&house.prompts, &name, form.label.trim(), to, author(&visitor)).await.map_err(told)
    };
    match done.await {
        Ok(_) => see_other(&format!("../{}#labels", present::encoded(&name)), None),
        Err(problem) => visit.failed(&problem),
    }
}

#[derive(Deserialize)]
pub(crate) struct PlayQuery {
    prompt: Option<String>,
    at: Option<String>,
}

pub(crate) async fn playground(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<PlayQuery>,
    visit: Visit,
) -> Response {
    let view = async {
        visitor.must_be_admin()?;
        shown::playground(&house, query.prompt.as_deref(), query.at.as_deref()).await
    };
    visit.show(view.await, ui::playground_page)
}

fn answer(result: Result<Value, Problem>) -> Response {
    match result {
        Ok(value) => reply::json(&value),
        Err(problem) => reply::problem(Dialect::OpenAiChat, &problem, None),
    }
}

/// A prompt's text that nobody saved.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Draft {
    /// The prompt that it is of, where there is one.
    #[serde(default)]
    name: String,
    source: String,
}

/// Reads a text as a prompt: what it is, and the name by which it can be called for a while.
pub(crate) async fn draft(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    request: Request,
) -> Response {
    let read = async {
        visitor.must_be_admin()?;
        let body = read_body(request, LARGEST).await?;
        let draft: Draft = serde_json::from_slice(&body)
            .map_err(|error| Problem::new(ErrorKind::InvalidRequest, "invalid_request", error.to_string()))?;
        let name = if draft.name.is_empty() { "draft" } else { &draft.name };
        let prompt = Prompt::parse(name, &draft.source, &house.prompts.partials());
        let prompt = prompt.map_err(|error| no_prompt(&error))?;
        let mut value = json!({
            "version": prompt.version().short(),
            "model": prompt.metadata().model,
            "variables": prompt.variables(),
        });
        if let Value::Object(object) = &mut value {
            object.insert("draft".to_owned(), house.prompts.draft(prompt).into());
        }
        Ok(value)
    };
    answer(read.await)
}

async fn rows(
    house: &House,
    dataset: &str,
    count: usize,
    near: Option<&str>,
) -> Result<Vec<hanok_base::Sample>, Problem> {
    let cx = CallContext::unrecorded();
    house
        .examples
        .examples(&cx, dataset, count, near)
        .await
        .map_err(|error| Problem::new(ErrorKind::InvalidRequest, "dataset_unreadable", error.to_string()))
}

#[derive(Deserialize)]
pub(crate) struct RowsQuery {
    #[serde(default)]
    dataset: String,
    count: Option<usize>,
}

/// The first rows of a dataset.
pub(crate) async fn first_rows(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<RowsQuery>,
) -> Response {
    let found = async {
        visitor.must_be_admin()?;
        let count = query.count.unwrap_or(5).clamp(1, ROWS);
        let rows = rows(&house, query.dataset.trim(), count, None).await?;
        let rows: Vec<Value> = rows
            .iter()
            .map(|row| json!({ "id": row.id, "input": row.input, "expected": row.expected }))
            .collect();
        Ok(json!({ "rows": rows }))
    };
    answer(found.await)
}
