//! Pages over the gateway, and those who read them: models, keys, logins.

use crate::door::Visitor;
use crate::keys::{self, Books, KeyRequest, KeysError};
use crate::pages::Visit;
use crate::params::{Path, Query};
use crate::ui::view_gateway::{
    BudgetView, CreatedKey, KeyForm, KeyRow, KeyState, KeyUsage, KeysView, LoginError, LoginView, Period,
    Viewer,
};
use crate::{House, api_keys, present, session, ui};
use axum::Extension;
use axum::extract::{Form, State};
use axum::response::Response;
use hanok_base::{Charge, ErrorKind, Problem, Timestamp};
use hanok_store::{BudgetPeriod, hash_secret};
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode, Uri};
use serde::Deserialize;
use std::sync::Arc;

/// Who reads a page; nobody where there are no keys.
pub(crate) fn viewer(visitor: &Visitor) -> Option<Viewer> {
    let key = visitor.key.as_ref()?;
    Some(Viewer { key: key.name.to_string(), project: key.project.to_string(), admin: visitor.admin })
}

/// What the forms of a reader's pages carry.
pub(crate) fn csrf_of(house: &House, visitor: &Visitor) -> String {
    session::csrf(visitor.session.as_deref().unwrap_or(&house.token))
}

pub(crate) fn check_csrf(house: &House, visitor: &Visitor, given: &str) -> Result<(), Problem> {
    if given == csrf_of(house, visitor) {
        return Ok(());
    }
    Err(Problem::new(
        ErrorKind::Forbidden,
        "stale_form",
        "this form is not from a page of this server, or is too old",
    )
    .hint("open the page again and send it from there"))
}

/// Where somebody without a key goes, and what to open afterwards.
pub(crate) fn to_login(uri: &Uri) -> Response {
    let place = uri.path_and_query().map_or("", |place| place.as_str()).trim_start_matches('/');
    let up = "../".repeat(uri.path().trim_start_matches('/').matches('/').count());
    let next: String =
        percent_encoding::utf8_percent_encode(place, percent_encoding::NON_ALPHANUMERIC).to_string();
    let next = if place.is_empty() { String::new() } else { format!("?next={next}") };
    see_other(&format!("{up}login{next}"), None)
}

pub(crate) fn see_other(place: &str, cookie: Option<String>) -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::SEE_OTHER;
    if let Ok(place) = HeaderValue::try_from(if place.is_empty() { "./" } else { place }) {
        response.headers_mut().insert(LOCATION, place);
    }
    if let Some(cookie) = cookie.and_then(|cookie| HeaderValue::try_from(cookie).ok()) {
        response.headers_mut().append(SET_COOKIE, cookie);
    }
    response
}

#[derive(Deserialize)]
pub(crate) struct LoginQuery {
    next: Option<String>,
}

pub(crate) async fn login(
    State(house): State<Arc<House>>,
    Query(query): Query<LoginQuery>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    if house.gateway.keys().is_empty() {
        return see_other("./", None);
    }
    let view = LoginView { error: None, next: query.next.filter(|next| is_inside(next)) };
    let visit = Visit::quick(&house, &uri, &headers);
    visit.answer(StatusCode::OK, ui::login_page(&visit.page, &view))
}

/// Whether a place is one of this server's, seen from its root.
fn is_inside(place: &str) -> bool {
    !place.starts_with(['/', '\\'])
        && !place.contains("//")
        && !place.contains(':')
        && !place.contains('\\')
        && !place.chars().any(char::is_control)
}

#[derive(Deserialize)]
pub(crate) struct LoginForm {
    #[serde(default)]
    key: String,
    #[serde(default)]
    next: Option<String>,
}

pub(crate) async fn log_in(
    State(house): State<Arc<House>>,
    uri: Uri,
    headers: HeaderMap,
    Form(form): Form<LoginForm>,
) -> Response {
    let next = form.next.filter(|next| is_inside(next));
    let given = form.key.trim();
    let hash = hash_secret(given);
    let error = if given.is_empty() {
        LoginError::Empty
    } else if let Some(seconds) = house.sessions.wait() {
        LoginError::TooMany { seconds }
    } else {
        match house.gateway.keys().find(&hash, Timestamp::now()) {
            Ok(_) => match house.sessions.begin(hash) {
                Some(token) => {
                    let secure = if house.settings.load().is_https() { "; Secure" } else { "" };
                    let cookie = format!(
                        "{}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age=1209600{secure}",
                        session::COOKIE
                    );
                    return see_other(next.as_deref().unwrap_or("./"), Some(cookie));
                }
                None => LoginError::TooMany { seconds: 1 },
            },
            Err(problem) => {
                house.sessions.failed();
                if problem.code == "expired_api_key" { LoginError::Expired } else { LoginError::Wrong }
            }
        }
    };
    let visit = Visit::quick(&house, &uri, &headers);
    let view = LoginView { error: Some(error), next };
    visit.answer(StatusCode::UNAUTHORIZED, ui::login_page(&visit.page, &view))
}

#[derive(Deserialize)]
pub(crate) struct CsrfForm {
    #[serde(default)]
    pub(crate) csrf: String,
}

pub(crate) async fn logout(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    uri: Uri,
    headers: HeaderMap,
    Form(form): Form<CsrfForm>,
) -> Response {
    if let Err(problem) = check_csrf(&house, &visitor, &form.csrf) {
        return Visit::quick(&house, &uri, &headers).failed(&problem);
    }
    let cookies = headers.get(COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if let Some(token) = session::cookie(cookies, session::COOKIE) {
        house.sessions.end(token);
    }
    see_other("login", Some(format!("{}=; Path=/; HttpOnly; SameSite=Strict; Max-Age=0", session::COOKIE)))
}

pub(crate) async fn models(house: &House, visitor: &Visitor, uri: &Uri, headers: &HeaderMap) -> Response {
    let visit = Visit::of(house, visitor, uri, headers).await;
    let chosen = uri.query().and_then(|query| {
        query
            .split('&')
            .find_map(|pair| pair.strip_prefix("model="))
            .map(|model| percent_encoding::percent_decode_str(model).decode_utf8_lossy().into_owned())
    });
    let view = present::models(house, visitor, chosen).await;
    visit.answer(StatusCode::OK, ui::models_page(&visit.page, &view))
}

pub(crate) async fn keys(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    uri: Uri,
    headers: HeaderMap,
) -> Response {
    let visit = Visit::of(&house, &visitor, &uri, &headers).await;
    show_keys(&house, &visitor, &visit, StatusCode::OK, KeysView::default()).await
}

/// The page with what `begun` already says.
async fn show_keys(
    house: &House,
    visitor: &Visitor,
    visit: &Visit,
    status: StatusCode,
    begun: KeysView,
) -> Response {
    match filled(house, visitor, begun).await {
        Ok(view) => visit.answer(status, ui::keys_page(&visit.page, &view)),
        Err(error) => visit.failed(&api_keys::problem_of(&error)),
    }
}

async fn filled(house: &House, visitor: &Visitor, begun: KeysView) -> Result<KeysView, KeysError> {
    let store = house.traces.store();
    let books = Books::read(store).await?;
    let now = Timestamp::now();
    let all = store.keys().list().await?;
    let mut projects: Vec<String> = all.iter().map(|key| key.project.to_string()).collect();
    projects.sort();
    projects.dedup();
    let only = visitor.only_project();
    let shown = all.iter().filter(|key| only.is_none_or(|project| *key.project == *project));
    Ok(KeysView {
        keys: shown.map(|key| row(house, key, &books, now)).collect(),
        may_manage: visitor.admin,
        projects,
        models: house.gateway.model_list().await.into_iter().map(|(id, _)| id).collect(),
        ..begun
    })
}

fn row(house: &House, key: &hanok_store::Key, books: &Books, now: Timestamp) -> KeyRow {
    let policy = house.gateway.policy();
    let budgets = key.budgets.iter().map(|budget| {
        let charge = keys::charge_of(key, budget, now);
        let reserved = policy.ledger.standing(&charge).unwrap_or_default().reserved;
        BudgetView {
            of: budget.model.clone(),
            period: match budget.period {
                BudgetPeriod::Day => Period::Day,
                BudgetPeriod::Month => Period::Month,
                BudgetPeriod::Total => Period::Total,
            },
            spent_usd: books.of(&charge).used().dollars(),
            reserved_usd: reserved.dollars(),
            limit_usd: budget.limit.dollars(),
        }
    });
    let month =
        books.of(&Charge { account: format!("key:{}", key.id).into(), period: BudgetPeriod::Month.of(now) });
    KeyRow {
        id: key.id.to_string(),
        name: key.name.to_string(),
        project: key.project.to_string(),
        hint: format!("hk-…{}", key.hint),
        admin: key.admin,
        models: key.models.clone(),
        budgets: budgets.collect(),
        requests_per_min: key.limits.requests_per_minute,
        tokens_per_min: key.limits.tokens_per_minute,
        concurrent: key.limits.concurrent,
        created_at: key.created,
        expires_at: key.expires,
        last_used_at: key.last_used,
        state: match keys::state_of(key, now) {
            "revoked" => KeyState::Revoked { at: key.revoked },
            "expired" => KeyState::Expired,
            _ => KeyState::Active,
        },
        usage: KeyUsage {
            calls: month.calls,
            unpriced_calls: 0,
            tokens: month.tokens,
            cost_usd: month.spent.dollars(),
        },
    }
}

/// The fields of the form, as a browser sends them.
#[derive(Deserialize)]
#[serde(default)]
#[derive(Default)]
pub(crate) struct Filled {
    csrf: String,
    name: String,
    project: String,
    models: String,
    budget: String,
    period: String,
    requests: String,
    tokens: String,
    concurrent: String,
    expires: String,
    admin: String,
}

impl Filled {
    fn wish(&self) -> Result<KeyRequest, (String, String)> {
        let count = |field: &str, text: &str| match text.trim() {
            "" => Ok(None),
            text => text
                .replace([',', '_'], "")
                .parse::<u64>()
                .map(Some)
                .map_err(|_| (field.to_owned(), format!("`{text}` is not a whole number"))),
        };
        Ok(KeyRequest {
            name: self.name.clone(),
            project: self.project.clone(),
            models: self.models.split(',').map(|model| model.trim().to_owned()).collect(),
            budget_usd: Some(self.budget.clone()),
            period: Some(self.period.clone()).filter(|period| !period.is_empty()),
            requests_per_minute: count("requests", &self.requests)?,
            tokens_per_minute: count("tokens", &self.tokens)?,
            concurrent: count("concurrent", &self.concurrent)?,
            max_output_tokens: None,
            payloads: None,
            expires_in: count("expires", &self.expires)?.map(|days| days.saturating_mul(86_400)),
            admin: self.admin == "1",
        })
    }

    fn form(self) -> KeyForm {
        KeyForm {
            name: self.name,
            project: self.project,
            models: self.models,
            budget: self.budget,
            period: Period::parse(&self.period).unwrap_or_default(),
            requests: self.requests,
            tokens: self.tokens,
            concurrent: self.concurrent,
            expires: self.expires,
            admin: self.admin == "1",
        }
    }
}

pub(crate) async fn create_key(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    uri: Uri,
    headers: HeaderMap,
    Form(filled): Form<Filled>,
) -> Response {
    let visit = Visit::of(&house, &visitor, &uri, &headers).await;
    if let Err(problem) = visitor.must_be_admin().and_then(|()| check_csrf(&house, &visitor, &filled.csrf)) {
        return visit.failed(&problem);
    }
    let first = house.gateway.keys().is_empty();
    let problem = match filled.wish() {
        Err(problem) => problem,
        Ok(wish) => match api_keys::made(&house, wish).await {
            Ok(made) => {
                let text = |name: &str| {
                    made.get(name).and_then(|value| value.as_str()).unwrap_or_default().to_owned()
                };
                let created = CreatedKey { name: text("name"), secret: text("secret"), first };
                let view = KeysView { created: Some(created), ..KeysView::default() };
                return show_keys(&house, &visitor, &visit, StatusCode::OK, view).await;
            }
            Err(KeysError::Wish { member, message }) => {
                let field = if member == "limits" { "" } else { member };
                (field.to_owned(), message)
            }
            Err(error) => return visit.failed(&api_keys::problem_of(&error)),
        },
    };
    let view = KeysView { form: filled.form(), problems: vec![problem], ..KeysView::default() };
    show_keys(&house, &visitor, &visit, StatusCode::BAD_REQUEST, view).await
}

pub(crate) async fn revoke_key(
    State(house): State<Arc<House>>,
    Extension(visitor): Extension<Visitor>,
    Path(id): Path,
    uri: Uri,
    headers: HeaderMap,
    Form(form): Form<CsrfForm>,
) -> Response {
    let visit = Visit::of(&house, &visitor, &uri, &headers).await;
    if let Err(problem) = visitor.must_be_admin().and_then(|()| check_csrf(&house, &visitor, &form.csrf)) {
        return visit.failed(&problem);
    }
    match api_keys::revoked(&house, &id).await {
        Ok(_) => see_other("../../keys", None),
        Err(error) => visit.failed(&api_keys::problem_of(&error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_leads_nowhere_else() {
        for inside in ["traces", "traces/abc?span=1", "keys"] {
            assert!(is_inside(inside), "{inside}");
        }
        for outside in ["/x", "//evil.example", "https://evil.example", "javascript:x", "\\evil", "a//b"] {
            assert!(!is_inside(outside), "{outside}");
        }
    }

    #[test]
    fn login_is_reached_by_a_relative_address() {
        let place = |uri: &'static str| {
            let response = to_login(&Uri::from_static(uri));
            response.headers()[LOCATION].to_str().unwrap().to_owned()
        };
        assert_eq!(place("/"), "login");
        assert_eq!(place("/traces/abc?span=1"), "../login?next=traces%2Fabc%3Fspan%3D1");
    }
}
