//! Who may come in: `Host` and `Origin` are checked against web pages that reach for loopback, and keys
//! against everybody else.

use crate::settings::Settings;
use crate::{House, pages, session};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use hanok_base::{ErrorKind, Problem, Timestamp};
use hanok_gateway::Key;
use hanok_store::hash_secret;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, AUTHORIZATION, COOKIE, HOST, ORIGIN, VARY, X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use std::future::Future;
use std::net::IpAddr;
use std::sync::Arc;

/// A request that may come in.
#[derive(Clone)]
pub(crate) struct Visitor {
    /// The host it asked for, port included.
    pub(crate) host: String,
    /// The key it came with, itself or by a login.
    pub(crate) key: Option<Arc<Key>>,
    /// The cookie of the login it came by.
    pub(crate) session: Option<String>,
    /// Sees and changes everything: the owner of the data folder, an admin's key, or anybody on a server
    /// without keys.
    pub(crate) admin: bool,
}

impl Visitor {
    /// The project to which all that is shown is limited; `None` for no limit.
    pub(crate) fn only_project(&self) -> Option<&str> {
        match &self.key {
            Some(key) if !self.admin => Some(&key.project),
            _ => None,
        }
    }

    /// Refuses what is for admins only.
    pub(crate) fn must_be_admin(&self) -> Result<(), Problem> {
        if self.admin {
            return Ok(());
        }
        Err(Problem::new(ErrorKind::Forbidden, "admin_only", "this is for an admin's key only")
            .hint("make one with `hanok keys create NAME --admin`"))
    }
}

/// The door itself: lets a request in with its [`Visitor`] beside it, or answers why not.
pub(crate) async fn keep(State(house): State<Arc<House>>, request: Request, next: Next) -> Response {
    through(&house, request, |visitor, mut request| {
        request.extensions_mut().insert(visitor);
        next.run(request)
    })
    .await
}

/// Lets a request in to `inside`, or answers why not.
pub(crate) async fn through<F: Future<Output = Response>>(
    house: &House,
    request: Request,
    inside: impl FnOnce(Visitor, Request) -> F,
) -> Response {
    let origin = request.headers().get(ORIGIN).cloned();
    let checked = check(&house.settings.load(), &request);
    let mut response = match checked {
        Ok(_) if request.method() == Method::OPTIONS && origin.is_some() => preflight(),
        Ok(host) => match visitor(house, host, &request) {
            Ok(visitor) => inside(visitor, request).await,
            Err(problem) => pages::refuse(house, &request.into_parts().0, &problem),
        },
        Err(problem) => return pages::refuse(house, &request.into_parts().0, &problem),
    };
    let headers = response.headers_mut();
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Some(origin) = origin {
        // Only origins that passed the check come here.
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
        headers.append(VARY, HeaderValue::from_static("origin"));
    }
    response
}

const EXPOSED: &str = "x-hanok-trace-id, x-hanok-target, x-hanok-warnings, x-hanok-cache, retry-after";

/// The door for those who have no key yet: host and origin are checked.
pub(crate) async fn greet(State(house): State<Arc<House>>, request: Request, next: Next) -> Response {
    let checked = check(&house.settings.load(), &request);
    match checked {
        Ok(_) => next.run(request).await,
        Err(problem) => pages::refuse(&house, &request.into_parts().0, &problem),
    }
}

fn preflight() -> Response {
    let mut response = Response::new(axum::body::Body::empty());
    *response.status_mut() = StatusCode::NO_CONTENT;
    let headers = response.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE"));
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static("*, authorization"));
    response
}

/// Checks host and origin; gives the host.
fn check(settings: &Settings, request: &Request) -> Result<String, Problem> {
    let headers = request.headers();
    let authority = request.uri().authority().map(http::uri::Authority::as_str);
    let host = headers.get(HOST).and_then(|value| value.to_str().ok()).or(authority).unwrap_or_default();
    if !host_is_ours(settings, host) {
        return Err(Problem::new(
            ErrorKind::Forbidden,
            "host_not_allowed",
            format!("this server does not answer to the host name `{}`", printable(host)),
        )
        .hint("add it to `hosts` under [server] in hanok.toml if it is yours"));
    }
    if let Some(origin) = headers.get(ORIGIN) {
        let origin = origin.to_str().unwrap_or_default();
        if !origin_is_ours(settings, origin, host) {
            return Err(Problem::new(
                ErrorKind::Forbidden,
                "origin_not_allowed",
                format!("a web page from `{}` may not call this server", printable(origin)),
            )
            .hint("add it to `allowed_origins` under [server] in hanok.toml if it is yours"));
        }
    }
    Ok(host.to_owned())
}

/// Who comes, or what key is missing.
fn visitor(house: &House, host: String, request: &Request) -> Result<Visitor, Problem> {
    let headers = request.headers();
    let keys = house.gateway.keys();
    let guest = Visitor { host, key: None, session: None, admin: true };
    if keys.is_empty() || is_owner(&house.token, headers) {
        return Ok(guest);
    }
    let now = Timestamp::now();
    if let Some(given) = given_key(headers, request.uri()) {
        let key = keys.find(&hash_secret(&given), now)?;
        return Ok(Visitor { admin: key.admin, key: Some(key), ..guest });
    }
    let cookies = headers.get(COOKIE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let session = session::cookie(cookies, session::COOKIE);
    if let Some(session) = session
        && let Some(hash) = house.sessions.key(session)
        && let Ok(key) = keys.find(&hash, now)
    {
        return Ok(Visitor { admin: key.admin, key: Some(key), session: Some(session.to_owned()), ..guest });
    }
    Err(Problem::new(ErrorKind::Unauthenticated, "missing_api_key", "this server needs an API key")
        .hint("send it as `Authorization: Bearer KEY`, `x-api-key: KEY` or `x-goog-api-key: KEY`"))
}

/// Whether a request comes from a command of the data folder's owner, who can read the token there.
pub(crate) fn is_owner(token: &str, headers: &HeaderMap) -> bool {
    let given = headers.get("x-hanok-token").map(HeaderValue::as_bytes).unwrap_or_default();
    !token.is_empty() && same(token.as_bytes(), given)
}

/// The key of a request, by any way a client of any dialect shows one: a header, a bearer token, the password
/// of HTTP basic authentication, or Gemini's `?key=`.
fn given_key(headers: &HeaderMap, uri: &Uri) -> Option<String> {
    for name in ["x-api-key", "x-goog-api-key", "api-key"] {
        if let Some(value) = headers.get(name) {
            return Some(value.to_str().ok()?.trim().to_owned());
        }
    }
    if let Some(value) = headers.get(AUTHORIZATION) {
        let (scheme, rest) = value.to_str().ok()?.split_once(' ')?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return Some(rest.trim().to_owned());
        }
        if scheme.eq_ignore_ascii_case("basic") {
            use base64::Engine as _;
            let decoded = base64::engine::general_purpose::STANDARD.decode(rest.trim()).ok()?;
            let text = String::from_utf8(decoded).ok()?;
            return text.split_once(':').map(|(_, password)| password.to_owned());
        }
        return None;
    }
    let gemini = uri.path().starts_with("/v1beta/") || uri.path().starts_with("/v1/models");
    let query = uri.query().filter(|_| gemini)?;
    query.split('&').find_map(|pair| pair.strip_prefix("key=")).map(str::to_owned)
}

/// Whether two secrets are the same, in time that does not tell where they differ.
fn same(a: &[u8], b: &[u8]) -> bool {
    a.len() == b.len() && a.iter().zip(b).fold(0_u8, |acc, (x, y)| acc | (x ^ y)) == 0
}

fn host_is_ours(settings: &Settings, host: &str) -> bool {
    let name = without_port(host);
    if name.is_empty() {
        return false;
    }
    // A name can be rebound to loopback by whoever owns it; an address cannot.
    if name.trim_matches(['[', ']']).parse::<IpAddr>().is_ok() {
        return true;
    }
    if name.eq_ignore_ascii_case("localhost") || name.to_ascii_lowercase().ends_with(".localhost") {
        return true;
    }
    let public = settings.public_url.as_deref().map(authority_of).map(without_port);
    settings.hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
        || public.is_some_and(|public| public.eq_ignore_ascii_case(name))
}

fn origin_is_ours(settings: &Settings, origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else {
        return false;
    };
    let web = scheme == "http" || scheme == "https";
    (web && authority.eq_ignore_ascii_case(host))
        || settings
            .allowed_origins
            .iter()
            .any(|known| known.trim_end_matches('/').eq_ignore_ascii_case(origin))
        || settings.public_url.as_deref().is_some_and(|url| authority_of(url).eq_ignore_ascii_case(authority))
}

fn authority_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split_once('/').map_or(rest, |(authority, _)| authority)
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) && !name.is_empty() => {
            if name.contains(':') && !name.starts_with('[') { host } else { name }
        }
        _ => host,
    }
}

/// The start of a header's text, safe to show.
fn printable(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> Settings {
        Settings::new("127.0.0.1:4141".parse().unwrap())
    }

    #[test]
    fn hosts_and_origins() {
        let mut settings = settings();
        settings.hosts.push("hanok.lan".into());
        settings.public_url = Some("https://ai.example.com/hanok".into());
        let check = |host: &str, origin: Option<&str>, expect: bool| {
            let mut request = Request::builder().header(HOST, host);
            if let Some(origin) = origin {
                request = request.header(ORIGIN, origin);
            }
            let request = request.body(axum::body::Body::empty()).unwrap();
            assert_eq!(super::check(&settings, &request).is_ok(), expect, "{host} {origin:?}");
        };
        check("127.0.0.1:4141", None, true);
        check("localhost:8080", None, true);
        check("[::1]:4141", None, true);
        check("hanok.lan:4141", None, true);
        check("ai.example.com", None, true);
        check("evil.example", None, false);
        check("127.0.0.1.evil.example:4141", None, false);
        check("", None, false);
        check("localhost:4141", Some("http://localhost:4141"), true);
        check("localhost:4141", Some("http://localhost:3000"), false);
        check("localhost:4141", Some("https://evil.example"), false);
        check("localhost:4141", Some("null"), false);
        check("127.0.0.1:4141", Some("https://ai.example.com"), true);
    }

    #[test]
    fn keys_by_every_way_clients_send_them() {
        let check = |name: &'static str, value: &str, expect: Option<&str>| {
            let headers = HeaderMap::from_iter([(name.parse().unwrap(), value.parse().unwrap())]);
            let uri = Uri::from_static("/v1/chat/completions?key=sk-9");
            assert_eq!(given_key(&headers, &uri).as_deref(), expect, "{name}: {value}");
        };
        check("authorization", "Bearer sk-1", Some("sk-1"));
        check("authorization", "bearer  sk-1 ", Some("sk-1"));
        check("x-api-key", "sk-1", Some("sk-1"));
        check("x-goog-api-key", "sk-1", Some("sk-1"));
        check("api-key", "sk-1", Some("sk-1"));
        check("authorization", "Basic eDpzay0x", Some("sk-1"));
        check("authorization", "sk-1", None);
        check("x-other", "sk-1", None);
        let gemini = Uri::from_static("/v1beta/models/g:generateContent?alt=sse&key=sk-9");
        assert_eq!(given_key(&HeaderMap::new(), &gemini).as_deref(), Some("sk-9"));
        let owner = |given: &str| {
            let headers = HeaderMap::from_iter([("x-hanok-token".parse().unwrap(), given.parse().unwrap())]);
            is_owner("t0ken", &headers)
        };
        assert!(owner("t0ken") && !owner("other") && !owner(""));
    }
}
