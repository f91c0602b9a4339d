//! The pages on which people label.

use crate::api_annotation::{Said, labeller, no_queue, problem_of};
use crate::door::Visitor;
use crate::pages::Visit;
use crate::params::{Path, Query};
use crate::people::{check_csrf, see_other};
use crate::present::annotation::{self as shown, Asked, annotations};
use crate::ui::view_annotation::{LabelView, Show};
use crate::{House, api_annotation, present, session, ui};
use axum::Extension;
use axum::extract::{Form, State};
use axum::response::Response;
use hanok_base::Problem;
use http::header::COOKIE;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use std::sync::Arc;

/// The cookie that keeps the name of who labels, where there are no keys.
const WHO: &str = "hanok_who";

/// Who labels here, if that is known.
fn who(visitor: &Visitor, headers: &HeaderMap, asked: Option<&str>) -> Option<String> {
    let cookies = headers.get(COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kept = session::cookie(cookies, WHO)
        .map(|name| percent_encoding::percent_decode_str(name).decode_utf8_lossy());
    let named = asked.or(kept.as_deref()).filter(|_| visitor.key.is_none());
    labeller(visitor, named).ok()
}

pub(crate) async fn list(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    headers: HeaderMap,
    visit: Visit,
) -> Response {
    let view = shown::list(&house, &visitor, who(&visitor, &headers, None)).await;
    visit.show(view.map_err(|error| problem_of(&error)), ui::annotation_page)
}

#[derive(Deserialize)]
pub(crate) struct LabelQuery {
    who: Option<String>,
    project: Option<String>,
    #[serde(default)]
    show: String,
    item: Option<i64>,
    #[serde(default)]
    after: i64,
    fragment: Option<String>,
}

pub(crate) async fn show(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
    Query(query): Query<LabelQuery>,
    headers: HeaderMap,
    mut visit: Visit,
) -> Response {
    let who = who(&visitor, &headers, query.who.as_deref());
    if let Some(name) = who.as_ref().filter(|_| query.who.is_some() && visitor.key.is_none()) {
        let name = present::encoded(name);
        visit.cookies.push(format!("{WHO}={name}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Strict"));
    }
    let asked =
        Asked { show: Show::parse(&query.show).unwrap_or_default(), item: query.item, after: query.after };
    let view = view(&house, &visitor, &name, query.project.as_deref(), who, asked).await;
    match view {
        Ok(view) if query.fragment.is_some() => {
            visit.answer(StatusCode::OK, ui::label_part(&visit.page, &view))
        }
        view => visit.show(view, ui::label_page),
    }
}

async fn view(
    house: &House,
    visitor: &Visitor,
    name: &str,
    project: Option<&str>,
    who: Option<String>,
    asked: Asked,
) -> Result<LabelView, Problem> {
    let annotations = annotations(house, visitor);
    let opened = shown::opened(&annotations, name, project).await.map_err(|error| problem_of(&error))?;
    let opened = opened.ok_or_else(|| no_queue(name))?;
    let view = shown::labelling(&annotations, &opened, who, asked).await;
    Ok(LabelView { is_keys: visitor.key.is_some(), ..view.map_err(|error| problem_of(&error))? })
}

#[derive(Deserialize)]
pub(crate) struct Verdict {
    #[serde(default)]
    csrf: String,
    item: i64,
    level: u32,
    #[serde(default)]
    comment: String,
    #[serde(default)]
    show: String,
}

#[derive(Deserialize)]
pub(crate) struct ProjectQuery {
    project: Option<String>,
}

/// A verdict by the page's form, where no script sends it.
pub(crate) async fn say(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
    Query(query): Query<ProjectQuery>,
    headers: HeaderMap,
    visit: Visit,
    Form(form): Form<Verdict>,
) -> Response {
    let show = Show::parse(&form.show).unwrap_or_default();
    let said = Said {
        label: None,
        level: Some(form.level),
        comment: form.comment.replace("\r\n", "\n").trim().to_owned(),
        who: who(&visitor, &headers, None),
    };
    let kept = async {
        check_csrf(&house, &visitor, &form.csrf)?;
        api_annotation::say(&house, &visitor, &form.item.to_string(), &said, show == Show::Settle).await
    };
    match kept.await {
        Ok(_) => {
            let project = query.project.map(|project| format!("project={}", present::encoded(&project)));
            let shown = (show != Show::Label).then(|| format!("show={}", show.as_str()));
            let query: Vec<String> = project.into_iter().chain(shown).collect();
            let query = if query.is_empty() { String::new() } else { format!("?{}", query.join("&")) };
            see_other(&format!("{}{query}", present::encoded(&name)), None)
        }
        Err(problem) => visit.failed(&problem),
    }
}
