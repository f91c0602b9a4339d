//! Heads: what every request carries, and what is read of an answer's.

use crate::config::{ConfigError, ProviderConfig};
use crate::secret::Secret;
use crate::vendors::Auth;
use hanok_base::{RawBody, RawResponse};
use hanok_net::{HeaderMap, HeaderName, HeaderValue, Response, header};
use std::borrow::Cow;

/// What of an answer's head is passed on.
pub(crate) struct Head {
    pub(crate) status: u16,
    content_type: Option<HeaderValue>,
    headers: Vec<(String, String)>,
}

impl Head {
    pub(crate) fn of(response: &Response) -> Self {
        let passed = response.headers.iter().filter(|(name, _)| {
            let name = name.as_str();
            name == "x-request-id"
                || name == "request-id"
                || name.starts_with("x-ratelimit-")
                || name.starts_with("anthropic-ratelimit-")
        });
        let headers = passed
            .filter_map(|(name, value)| Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned())))
            .collect();
        let content_type = response.headers.get(header::CONTENT_TYPE).cloned();
        Self { status: response.status.as_u16(), content_type, headers }
    }

    /// With the answer's own type where `content_type` is `None`.
    pub(crate) fn into_response(self, content_type: Option<&'static str>, body: RawBody) -> RawResponse {
        let own = || self.content_type.as_ref().and_then(|value| value.to_str().ok());
        let content_type = match content_type {
            Some(known) => Cow::Borrowed(known),
            None => Cow::Owned(own().unwrap_or("application/octet-stream").to_owned()),
        };
        RawResponse { status: self.status, content_type, headers: self.headers, body }
    }
}

/// What an answer says it is.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Form {
    Json,
    Events,
    /// It does not say, or says something that servers say of both; its body will tell.
    Unknown,
    /// A page for people, most likely, in these words.
    Other(String),
}

impl Form {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let Some(value) = headers.get(header::CONTENT_TYPE) else {
            return Self::Unknown;
        };
        let text = value.to_str().unwrap_or_default();
        let essence = text.split(';').next().unwrap_or_default().trim();
        let is = |name: &str| essence.eq_ignore_ascii_case(name);
        if is("application/json") || essence.ends_with("+json") {
            Self::Json
        } else if is("text/event-stream") || is("application/x-ndjson") || is("application/jsonl") {
            Self::Events
        } else if is("") || is("text/plain") || is("application/octet-stream") {
            Self::Unknown
        } else {
            Self::Other(essence.chars().filter(char::is_ascii_graphic).take(40).collect())
        }
    }
}

/// The headers of every request.
pub(crate) fn request_headers(config: &ProviderConfig, auth: Auth) -> Result<HeaderMap, ConfigError> {
    let mut map = HeaderMap::new();
    map.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let name_of = |name: &str| {
        HeaderName::try_from(name)
            .map_err(|_| ConfigError::Header { provider: config.name.clone(), header: name.to_owned() })
    };
    for (name, value) in config.quirks.headers {
        map.insert(name_of(name)?, HeaderValue::from_static(value));
    }
    if let Some(key) = &config.key {
        let (name, text) = match auth {
            Auth::Bearer => (header::AUTHORIZATION, format!("Bearer {}", key.reveal())),
            Auth::Header(name) => (name_of(name)?, key.reveal().to_owned()),
        };
        let value = secret_value(&text).ok_or_else(|| ConfigError::Key { provider: config.name.clone() })?;
        map.insert(name, value);
    }
    for (name, value) in &config.headers {
        let bad = || ConfigError::Header { provider: config.name.clone(), header: name.clone() };
        map.insert(name_of(name)?, secret_value(value.reveal()).ok_or_else(bad)?);
    }
    Ok(map)
}

fn secret_value(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::try_from(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// All texts that must not come back: the key, and each word of the configured headers (`Bearer sk-…`).
pub(crate) fn secrets(config: &ProviderConfig) -> impl Iterator<Item = Secret> {
    let words =
        config.headers.iter().flat_map(|(_, value)| value.reveal().split_whitespace().map(Secret::new));
    config.key.iter().cloned().chain(words)
}
