//! The pages of documents: collections, searches, one document and how it is cut; and what their forms do.

use crate::api::{find_source, library_problem, search_problem};
use crate::api_documents::{SearchBody, index_configured, remove_collection, remove_source, searched, tried};
use crate::door::Visitor;
use crate::pages::Visit;
use crate::params::{Path, Query};
use crate::people::{CsrfForm, check_csrf, see_other};
use crate::present::Meaning;
use crate::present::documents as shown;
use crate::ui;
use crate::ui::view::SourceView;
use crate::ui::view_knowledge::Knobs;
use crate::wire_api::admit;
use crate::{House, present};
use axum::Extension;
use axum::extract::{Form, State};
use axum::response::Response;
use hanok_base::{CollectionName, ErrorKind, Problem, RetrievalError};
use hanok_retrieval::{Chunker, Chunking};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Instant;

/// Hits of a search where the page was not told how many.
const HITS: usize = 10;

pub(crate) async fn knowledge(State(house): State<Arc<House>>, visit: Visit) -> Response {
    let view = shown::knowledge(&house).await;
    visit.show(view.map_err(|error| library_problem(&error)), ui::knowledge_page)
}

#[derive(Deserialize)]
pub(crate) struct CollectionQuery {
    /// How paths begin.
    #[serde(default)]
    under: String,
    /// The path after which the page begins.
    after: Option<String>,
}

pub(crate) async fn collection(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
    Query(query): Query<CollectionQuery>,
    visit: Visit,
) -> Response {
    let view = shown::collection(&house, &visitor, &name, &query.under, query.after.as_deref()).await;
    let view = view.map_err(|error| library_problem(&error));
    visit.show(view.and_then(|view| view.ok_or_else(|| no_collection(&name))), ui::collection_page)
}

pub(crate) fn no_collection(name: &str) -> Problem {
    Problem::new(ErrorKind::NotFound, "collection_not_found", format!("there is no collection `{name}`"))
        .hint("collections are made by `hanok up PATH` or under [collections] in hanok.toml")
        .param("collection")
}

#[derive(Deserialize)]
pub(crate) struct SearchQuery {
    #[serde(default)]
    q: String,
    collection: Option<String>,
    #[serde(default)]
    filter: String,
    #[serde(default)]
    legs: String,
    k: Option<usize>,
}

pub(crate) async fn search(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<SearchQuery>,
    headers: HeaderMap,
    visit: Visit,
) -> Response {
    let mut view = shown::search(&house, query.collection);
    view.query = query.q.trim().to_owned();
    view.filter = query.filter.trim().to_owned();
    view.legs = query.legs;
    view.top_k = query.k.unwrap_or(HITS);
    view.examples = present::example_titles(&house, &visitor, visit.page.lang).await;
    if view.query.is_empty() {
        return visit.answer(StatusCode::OK, ui::search_page(&visit.page, &view));
    }
    let body = SearchBody {
        query: view.query.clone(),
        collection: Some(view.collection.clone()),
        top_k: view.top_k,
        filter: view.filter.clone(),
        readers: None,
        legs: Some(view.legs.clone()).filter(|legs| !legs.is_empty()),
    };
    let began = Instant::now();
    let mut status = StatusCode::OK;
    match searched(&house, &visitor, &headers, body).await {
        Ok((trace_id, found)) => {
            view.trace_id = Some(trace_id.to_string());
            match found {
                Ok(found) => {
                    let coverage = found.coverage;
                    view.coverage = coverage.indexing.then_some((coverage.indexed, coverage.found));
                    view.hits = found.hits.into_iter().map(shown::found).collect();
                    view.left_out = found.left_out;
                }
                Err(error) => {
                    view.filter_wrong = is_of_the_filter(&error);
                    let problem = search_problem(&error);
                    status = crate::reply::status(problem.kind);
                    view.error = Some(problem.message);
                }
            }
        }
        Err(problem) => {
            status = crate::reply::status(problem.kind);
            view.error = Some(problem.message);
        }
    }
    view.took_ms = Some(began.elapsed().as_secs_f64() * 1e3);
    visit.answer(status, ui::search_page(&visit.page, &view))
}

/// Whether what is wrong with a search is its filter.
fn is_of_the_filter(error: &RetrievalError) -> bool {
    search_problem(error).param.as_deref() == Some("filter")
}

#[derive(Deserialize)]
pub(crate) struct SourceQuery {
    start: Option<usize>,
    end: Option<usize>,
    from: Option<usize>,
}

pub(crate) async fn source(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
    Query(query): Query<SourceQuery>,
    visit: Visit,
) -> Response {
    let view = find_source(&house, &visitor, &id).await.map(|source| {
        let summary = source.summary;
        SourceView {
            id,
            about: shown::about(&summary.meta),
            path: summary.path,
            title: summary.title,
            collection: summary.collection.to_string(),
            may_manage: visitor.admin,
            heading: present::heading_above(&source.text, query.start),
            text: source.text,
            start: query.start,
            end: query.end,
            from: query.from,
        }
    });
    visit.show(view, ui::source_page)
}

#[derive(Deserialize)]
pub(crate) struct ChunksQuery {
    by: Option<String>,
    size: Option<String>,
    overlap: Option<String>,
    parents: Option<String>,
    from: Option<usize>,
    /// The side that is tried alone.
    fragment: Option<String>,
}

pub(crate) async fn chunks(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
    Query(query): Query<ChunksQuery>,
    headers: HeaderMap,
    visit: Visit,
) -> Response {
    let source = match find_source(&house, &visitor, &id).await {
        Ok(source) => source,
        Err(problem) => return visit.failed(&problem),
    };
    let used = match shown::chunking_of(&house, &source.summary.collection).await {
        Ok(used) => used,
        Err(error) => return visit.failed(&library_problem(&error)),
    };
    let wanted = [&query.by, &query.size, &query.overlap, &query.parents];
    let chunking = if wanted.iter().all(|knob| knob.is_none()) {
        Ok(present::another(&used))
    } else {
        tried(&used, wanted.map(Option::as_deref)).map_err(|why| (as_said(&used, &query), why))
    };
    let meaning = match &chunking {
        Ok(chunking) if chunking.by == Chunker::Semantic => match admit(&house, &visitor, &headers).await {
            Ok(cx) => Meaning::of(&house, &source.summary.collection, cx),
            Err(problem) => return visit.failed(&problem),
        },
        _ => None,
    };
    let view = present::chunks(&house, &visitor, source, &used, chunking, meaning, query.from).await;
    let draw = if query.fragment.is_some() { ui::tried } else { ui::chunks_page };
    visit.show(view.map_err(|error| library_problem(&error)), draw)
}

/// The knobs as they were asked for, whether they can be or not.
fn as_said(used: &Chunking, query: &ChunksQuery) -> Knobs {
    let used = shown::knobs(used);
    let number = |text: &Option<String>, other| {
        text.as_ref().and_then(|text| text.trim().parse().ok()).unwrap_or(other)
    };
    Knobs {
        by: query.by.clone().unwrap_or(used.by),
        size: number(&query.size, used.size),
        overlap: number(&query.overlap, used.overlap),
        parents: query.parents.clone().unwrap_or(used.parents),
    }
}

/// What a form does once it is known to be from an admin's page.
async fn managed(
    house: &House,
    visitor: &Visitor,
    visit: &Visit,
    form: &CsrfForm,
    act: impl AsyncFnOnce() -> Result<String, Problem>,
) -> Response {
    let allowed = visitor.must_be_admin().and_then(|()| check_csrf(house, visitor, &form.csrf));
    let done = match allowed {
        Ok(()) => act().await,
        Err(problem) => Err(problem),
    };
    match done {
        Ok(place) => see_other(&place, None),
        Err(problem) => visit.failed(&problem),
    }
}

pub(crate) async fn index_collection(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
    visit: Visit,
    Form(form): Form<CsrfForm>,
) -> Response {
    managed(&house, &visitor, &visit, &form, async || {
        index_configured(&house, &CollectionName::from(name.as_str()))?;
        Ok(format!("../{}", present::encoded(&name)))
    })
    .await
}

pub(crate) async fn delete_collection(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(name): Path,
    visit: Visit,
    Form(form): Form<CsrfForm>,
) -> Response {
    managed(&house, &visitor, &visit, &form, async || {
        remove_collection(&house, &name).await?;
        Ok("../../knowledge".to_owned())
    })
    .await
}

pub(crate) async fn delete_source(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
    visit: Visit,
    Form(form): Form<CsrfForm>,
) -> Response {
    managed(&house, &visitor, &visit, &form, async || {
        let gone = remove_source(&house, &visitor, &id).await?;
        Ok(format!("../../knowledge/{}", present::encoded(gone.collection.as_str())))
    })
    .await
}
