//! What can go wrong, in words that reach a caller.

use crate::ProviderName;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Any error, boxed.
pub type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// A provider did not answer as it should.
#[derive(Debug, thiserror::Error)]
#[error("{provider}: {kind}: {message}")]
pub struct ProviderError {
    /// What kind of failure; retries and fallback go by it.
    pub kind: ProviderErrorKind,
    /// Whose.
    pub provider: ProviderName,
    /// The HTTP status, where one came.
    pub status: Option<u16>,
    /// How long the provider asks to wait.
    pub retry_after: Option<Duration>,
    /// For the caller: lower case, no secret, no full stop.
    pub message: String,
    /// The provider's own error code, where it gave one.
    pub code: Option<String>,
    /// The cause, for logs and spans.
    #[source]
    pub source: Option<BoxError>,
}

impl ProviderError {
    /// An error with a message and nothing else known.
    pub fn new(kind: ProviderErrorKind, provider: &ProviderName, message: impl Into<String>) -> Self {
        Self {
            kind,
            provider: provider.clone(),
            status: None,
            retry_after: None,
            message: message.into(),
            code: None,
            source: None,
        }
    }
    /// The same with its cause.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }
}

/// The kinds of provider failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ProviderErrorKind {
    /// The key was refused.
    Auth,
    /// Too many requests or tokens.
    RateLimited,
    /// The provider is out of capacity or broken (5xx).
    Overloaded,
    /// The prompt does not fit the model.
    ContextLength,
    /// The request is wrong; another target would say the same.
    InvalidRequest,
    /// The provider has no such model.
    UnknownModel,
    /// The provider's content filter refused.
    ContentFilter,
    /// No answer in time.
    Timeout,
    /// The stream ended before the answer did.
    Truncated,
    /// The answer could not be understood.
    Decode,
    /// The connection could not be made or broke.
    Transport,
    /// The provider has no such route or feature.
    Unsupported,
    /// Nothing of the provider's: Hanok itself failed.
    Internal,
}

impl ProviderErrorKind {
    /// OpenTelemetry's `error.type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Auth => "auth",
            Self::RateLimited => "rate_limited",
            Self::Overloaded => "overloaded",
            Self::ContextLength => "context_length",
            Self::InvalidRequest => "invalid_request",
            Self::UnknownModel => "unknown_model",
            Self::ContentFilter => "content_filter",
            Self::Timeout => "timeout",
            Self::Truncated => "truncated",
            Self::Decode => "decode",
            Self::Transport => "transport",
            Self::Unsupported => "unsupported",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for ProviderErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a caller is told, before a dialect gives it its shape. Holds no secret and no internals.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The class, from which status and the dialect's type follow.
    pub kind: ErrorKind,
    /// Stable, for programs: `model_not_found`.
    pub code: String,
    /// For people: what is wrong.
    pub message: String,
    /// For people: the way out.
    pub hint: Option<String>,
    /// The request's member at fault.
    pub param: Option<Box<str>>,
    /// Seconds to wait before trying again.
    pub retry_after: Option<u64>,
    /// What the caller's limits are and what is left of them, where one refused the call.
    #[serde(skip)]
    pub limits: Option<Box<crate::RateLimits>>,
}

impl Problem {
    /// A problem with a message and nothing else.
    pub fn new(kind: ErrorKind, code: &str, message: impl Into<String>) -> Self {
        Self {
            kind,
            code: code.to_owned(),
            message: message.into(),
            hint: None,
            param: None,
            retry_after: None,
            limits: None,
        }
    }
    /// The same with a way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
    /// The same with the member at fault.
    #[must_use]
    pub fn param(mut self, param: impl Into<String>) -> Self {
        self.param = Some(param.into().into_boxed_str());
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        if let Some(hint) = &self.hint {
            write!(f, " ({hint})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}

/// The classes of problem a caller can meet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// 400.
    InvalidRequest,
    /// 401: no key, or a wrong one.
    Unauthenticated,
    /// 403: a good key, or none needed, but not for this.
    Forbidden,
    /// 404.
    NotFound,
    /// 405.
    MethodNotAllowed,
    /// 409: something else stands in the way.
    Conflict,
    /// 413.
    TooLarge,
    /// 402: the budget is spent.
    BudgetSpent,
    /// 429.
    RateLimited,
    /// 500: our fault.
    Internal,
    /// 501: not offered by the target.
    Unsupported,
    /// 502: the provider failed.
    Upstream,
    /// 503: not now.
    Unavailable,
    /// 504: the provider did not answer in time.
    Timeout,
}

impl ErrorKind {
    /// The HTTP status.
    pub fn status(self) -> u16 {
        match self {
            Self::InvalidRequest => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::MethodNotAllowed => 405,
            Self::Conflict => 409,
            Self::TooLarge => 413,
            Self::BudgetSpent => 402,
            Self::RateLimited => 429,
            Self::Internal => 500,
            Self::Unsupported => 501,
            Self::Upstream => 502,
            Self::Unavailable => 503,
            Self::Timeout => 504,
        }
    }
}

impl From<&ProviderError> for Problem {
    /// The one table from provider failures to what callers are told.
    fn from(error: &ProviderError) -> Self {
        use ProviderErrorKind as P;
        let provider = &error.provider;
        let said = &error.message;
        let (kind, code, message) = match error.kind {
            // The provider's text may quote the operator's key, so it is not passed on.
            P::Auth => {
                (ErrorKind::Upstream, "provider_auth", format!("{provider} refused the key Hanok has for it"))
            }
            P::RateLimited => (ErrorKind::RateLimited, "rate_limited", format!("{provider}: {said}")),
            P::Overloaded => (ErrorKind::Upstream, "provider_overloaded", format!("{provider}: {said}")),
            P::ContextLength => (ErrorKind::InvalidRequest, "context_length_exceeded", said.clone()),
            P::InvalidRequest => (ErrorKind::InvalidRequest, "invalid_request", said.clone()),
            P::UnknownModel => (ErrorKind::NotFound, "model_not_found", said.clone()),
            P::ContentFilter => (ErrorKind::InvalidRequest, "content_filter", said.clone()),
            P::Timeout => (ErrorKind::Timeout, "provider_timeout", format!("{provider}: {said}")),
            P::Truncated => (ErrorKind::Upstream, "stream_truncated", format!("{provider}: {said}")),
            P::Decode => (ErrorKind::Upstream, "provider_bad_answer", format!("{provider}: {said}")),
            P::Transport => (ErrorKind::Upstream, "provider_unreachable", format!("{provider}: {said}")),
            P::Unsupported => (ErrorKind::Unsupported, "unsupported", format!("{provider}: {said}")),
            P::Internal => (ErrorKind::Internal, "internal_error", said.clone()),
        };
        Self {
            kind,
            code: error.code.clone().filter(|_| error.kind != P::Auth).unwrap_or_else(|| code.to_owned()),
            message,
            hint: (error.kind == P::Auth).then(|| "see `hanok doctor`".to_owned()),
            param: None,
            retry_after: error.retry_after.map(|wait| wait.as_secs().max(1)),
            limits: None,
        }
    }
}
