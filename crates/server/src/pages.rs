//! Which page an address is, and what a wrong one gets.

use crate::api::trace_problem;
use crate::door::Visitor;
use crate::params::{Path, Query};
use crate::ui::view::{AskView, StartView, TracesView};
use crate::ui::{self, Lang, Page, Prefs};
use crate::wire_api::speech::dialect_of;
use crate::{House, people, present, reply};
use axum::Extension;
use axum::extract::{FromRequestParts, Request, State};
use axum::response::{IntoResponse, Response};
use hanok_base::{ErrorKind, Problem, Timestamp};
use hanok_trace::{TraceError, parse_filter};
use http::header::{
    ACCEPT, ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, ETAG, HeaderName, HeaderValue,
    IF_NONE_MATCH, REFERRER_POLICY, SET_COOKIE,
};
use http::request::Parts;
use http::{HeaderMap, StatusCode, Uri};
use maud::Markup;
use serde::Deserialize;
use std::sync::Arc;
use std::time::Instant;

/// Traces on one page of the list.
const ROWS: usize = 50;

/// The reader's page, and the cookies that keep what was just chosen.
pub(crate) struct Visit {
    pub(crate) page: Page,
    pub(crate) cookies: Vec<String>,
}

impl FromRequestParts<Arc<House>> for Visit {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, house: &Arc<House>) -> Result<Self, Response> {
        let visitor: Extension<Visitor> =
            Extension::from_request_parts(parts, house).await.map_err(IntoResponse::into_response)?;
        Ok(Self::of(house, &visitor, &parts.uri, &parts.headers).await)
    }
}

impl Visit {
    pub(crate) async fn of(house: &House, visitor: &Visitor, uri: &Uri, headers: &HeaderMap) -> Self {
        let mut visit = Self::quick_of(house, visitor, uri, headers);
        visit.page.pulse = present::pulse(&house.traces_of(visitor)).await;
        visit
    }

    /// Without the floor: for a part of a page.
    pub(crate) fn quick_of(house: &House, visitor: &Visitor, uri: &Uri, headers: &HeaderMap) -> Self {
        let mut visit = Self::quick(house, uri, headers);
        visit.page.viewer = people::viewer(visitor);
        visit.page.csrf = people::csrf_of(house, visitor);
        visit
    }

    /// Without asking the store for anything.
    pub(crate) fn quick(house: &House, uri: &Uri, headers: &HeaderMap) -> Self {
        let text =
            |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let query = uri.query().unwrap_or_default();
        let prefs = Prefs::read(query, text(COOKIE), text(ACCEPT_LANGUAGE));
        let address = house.settings.load().local_url();
        let address = address.trim_start_matches("http://");
        Self {
            page: Page::new(prefs.lang, prefs.theme, uri.path(), query, address),
            cookies: prefs.set_cookies,
        }
    }

    pub(crate) fn answer(&self, status: StatusCode, markup: Markup) -> Response {
        let mut response = reply::bytes(status, "text/html; charset=utf-8", markup.into_string());
        let headers = response.headers_mut();
        headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(ui::CSP));
        headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        for cookie in &self.cookies {
            if let Ok(cookie) = HeaderValue::try_from(cookie) {
                headers.append(SET_COOKIE, cookie);
            }
        }
        response
    }

    /// The page over a view, or why there is none.
    pub(crate) fn show<V>(
        &self,
        view: Result<V, Problem>,
        draw: impl FnOnce(&Page, &V) -> Markup,
    ) -> Response {
        match view {
            Ok(view) => self.answer(StatusCode::OK, draw(&self.page, &view)),
            Err(problem) => self.failed(&problem),
        }
    }

    pub(crate) fn failed(&self, problem: &Problem) -> Response {
        let markup = if problem.kind == ErrorKind::NotFound {
            ui::not_found_page(&self.page)
        } else {
            let status = problem.kind.status();
            ui::error_page(&self.page, status, &problem.message, "", problem.hint.as_deref())
        };
        self.answer(reply::status(problem.kind), markup)
    }
}

#[derive(Deserialize)]
pub(crate) struct AskQuery {
    q: Option<String>,
}

pub(crate) async fn ask(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<AskQuery>,
    visit: Visit,
) -> Response {
    let start = start(&house, &visitor, visit.page.lang).await;
    let models = house.gateway.model_list().await.into_iter().map(|(id, _)| id).collect();
    let examples = present::example_titles(&house, &visitor, visit.page.lang).await;
    let view = AskView { start, models, question: query.q, examples };
    visit.answer(StatusCode::OK, ui::ask_page(&visit.page, &view))
}

async fn start(house: &House, visitor: &Visitor, lang: Lang) -> StartView {
    let has_calls = match house.traces_of(visitor).list(&hanok_trace::TraceFilter::default(), None, 1).await {
        Ok(page) => !page.traces.is_empty(),
        Err(error) => {
            tracing::warn!(error = &error as &dyn std::error::Error, "traces could not be listed");
            false
        }
    };
    // Only the first run shows one.
    let titles = if has_calls { Vec::new() } else { present::example_titles(house, visitor, lang).await };
    StartView {
        collections: present::collections(house),
        has_calls,
        has_provider: !house.gateway.routes().providers().is_empty(),
        example: titles.first().map(|title| ui::question_about(lang, title)),
    }
}

/// What a list is asked for beside its filter.
#[derive(Deserialize)]
pub(crate) struct ListQuery {
    /// Where an earlier page of it ended.
    pub(crate) cursor: Option<String>,
}

pub(crate) async fn traces(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Query(query): Query<ListQuery>,
    visit: Visit,
) -> Response {
    let began = Instant::now();
    let shown = house.traces_of(&visitor);
    let text = ui::filter_of_query(&visit.page.query);
    let mut view = TracesView {
        start: start(&house, &visitor, visit.page.lang).await,
        filter: text.clone(),
        ..TracesView::default()
    };
    match parse_filter(&text, Timestamp::now()) {
        Err(error) => view.error = Some(error.to_string()),
        Ok(filter) => match shown.list(&filter, query.cursor.as_deref(), ROWS).await {
            Ok(page) => {
                view.rows = page.traces.iter().map(present::row).collect();
                if let Err(error) = present::judge(&shown, &mut view.rows).await {
                    return visit.failed(&trace_problem(&error));
                }
                view.next = page.next;
                // The rates are of all traces, so they are drawn only where no filter says otherwise.
                if filter.is_empty() {
                    view.chart = present::chart(&shown).await;
                    view.total = shown.counts().await.ok().map(|counts| counts.traces);
                }
            }
            Err(TraceError::BadCursor(cursor)) => {
                view.error = Some(TraceError::BadCursor(cursor).to_string());
            }
            Err(error) => return visit.failed(&trace_problem(&error)),
        },
    }
    view.took_ms = Some(began.elapsed().as_secs_f64() * 1e3);
    visit.answer(StatusCode::OK, ui::traces_page(&visit.page, &view))
}

#[derive(Deserialize)]
pub(crate) struct AssetQuery {
    v: Option<String>,
}

pub(crate) async fn asset(Path(path): Path, Query(query): Query<AssetQuery>, headers: HeaderMap) -> Response {
    let Some(asset) = ui::asset(&path) else {
        return reply::bytes(StatusCode::NOT_FOUND, "text/plain; charset=utf-8", "there is no such file\n");
    };
    let fresh = headers.get(IF_NONE_MATCH).is_some_and(|tag| tag.as_bytes() == asset.etag.as_bytes());
    let mut response = if fresh {
        reply::bytes(StatusCode::NOT_MODIFIED, asset.content_type, "")
    } else {
        reply::bytes(StatusCode::OK, asset.content_type, asset.body)
    };
    let named = query.v.as_deref() == Some(asset.etag.trim_matches('"'));
    let caching = if named { "public, max-age=31536000, immutable" } else { "no-cache" };
    let headers = response.headers_mut();
    headers.insert(ETAG, HeaderValue::from_static(asset.etag));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    response
}

pub(crate) async fn not_found(State(house): State<Arc<House>>, request: Request) -> Response {
    let path: String = request.uri().path().chars().take(200).collect();
    let problem = Problem::new(ErrorKind::NotFound, "not_found", format!("there is nothing at {path}"))
        .hint("model calls go to /v1/chat/completions; the API is described in docs/api.md");
    refuse(&house, &request.into_parts().0, &problem)
}

pub(crate) async fn no_such_method(State(house): State<Arc<House>>, request: Request) -> Response {
    method_not_allowed(&house, request)
}

/// A method that this path does not know.
pub(crate) fn method_not_allowed(house: &House, request: Request) -> Response {
    let message = format!("{} is not for {}", request.uri().path(), request.method());
    let problem = Problem::new(ErrorKind::MethodNotAllowed, "method_not_allowed", message);
    refuse(house, &request.into_parts().0, &problem)
}

/// A problem met before any handler: as a page for people, in the dialect's shape for programs.
pub(crate) fn refuse(house: &House, parts: &Parts, problem: &Problem) -> Response {
    let wants_html = parts
        .headers
        .get(ACCEPT)
        .is_some_and(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/html")));
    let path = parts.uri.path();
    if !wants_html || path.starts_with("/v1") || path.starts_with("/api") {
        return reply::problem(dialect_of(path, &parts.headers), problem, None);
    }
    if problem.kind == ErrorKind::Unauthenticated {
        return people::to_login(&parts.uri);
    }
    Visit::quick(house, &parts.uri, &parts.headers).failed(problem)
}
