//! What can be wrong with bytes.

use hanok_base::{ProviderError, ProviderErrorKind, ProviderName};

/// Bytes that are not what their dialect says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// Not UTF-8.
    #[error("not valid UTF-8 at byte {offset}")]
    Utf8 {
        /// The first bad byte.
        offset: usize,
    },
    /// Not JSON.
    #[error("not valid JSON at line {line}, column {column} (byte {offset}): {message}")]
    Json {
        /// From 1.
        line: usize,
        /// From 1, in bytes.
        column: usize,
        /// From 0.
        offset: usize,
        /// The parser's words.
        message: String,
    },
    /// A member is missing or of the wrong kind.
    #[error("`{param}`: {message}")]
    Member {
        /// Where: `messages[2].role`.
        param: String,
        /// What is wrong.
        message: String,
    },
    /// An event of a stream is larger than anything sane.
    #[error("an event of the stream is larger than {limit} bytes")]
    EventTooLarge {
        /// The limit.
        limit: usize,
    },
    /// The input ended before the answer did.
    #[error("the stream ended before the answer was complete")]
    Truncated,
    /// The dialect has no such route.
    #[error("this dialect has no {0}")]
    NotOffered(&'static str),
    /// The upstream says, in the dialect's shape, that it failed.
    #[error("{0}")]
    Upstream(StreamFault),
}

impl WireError {
    /// The request's member at fault.
    pub fn param(&self) -> Option<&str> {
        match self {
            Self::Member { param, .. } => Some(param),
            _ => None,
        }
    }

    pub(crate) fn member(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::Member { param: param.into(), message: message.into() }
    }

    pub(crate) fn json(error: &serde_json::Error, text: &str) -> Self {
        let (line, column) = (error.line(), error.column());
        let before: usize = text.split_inclusive('\n').take(line.saturating_sub(1)).map(str::len).sum();
        let said = error.to_string();
        let message = said.split(" at line ").next().unwrap_or_default().to_owned();
        let offset = (before + column.saturating_sub(1)).min(text.len());
        Self::Json { line, column: column.max(1), offset, message }
    }

    /// JSON of another shape than expected, or no JSON.
    pub(crate) fn of_shape(error: &serde_json::Error, text: &str) -> Self {
        match Self::json(error, text) {
            Self::Json { column, message, .. } if error.is_data() => {
                Self::member("body", format!("{message} (line {}, column {column})", error.line()))
            }
            other => other,
        }
    }

    /// As a provider's failure.
    pub fn into_provider_error(self, provider: &ProviderName) -> ProviderError {
        match self {
            Self::Upstream(fault) => fault.into_provider_error(provider),
            Self::Truncated => {
                ProviderError::new(ProviderErrorKind::Truncated, provider, Self::Truncated.to_string())
            }
            other => {
                let message = format!("the answer could not be understood: {other}");
                ProviderError::new(ProviderErrorKind::Decode, provider, message)
            }
        }
    }
}

/// Why a stream is no good from here on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct StreamFault {
    /// What kind of failure.
    pub kind: ProviderErrorKind,
    /// In words.
    pub message: String,
    /// The upstream's own error code, where it gave one.
    pub code: Option<String>,
}

impl StreamFault {
    pub(crate) fn new(kind: ProviderErrorKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), code: None }
    }

    /// As a provider's failure.
    pub fn into_provider_error(self, provider: &ProviderName) -> ProviderError {
        ProviderError { code: self.code, ..ProviderError::new(self.kind, provider, self.message) }
    }
}

/// The bytes as text, or where they are not UTF-8.
pub(crate) fn text(bytes: &[u8]) -> Result<&str, WireError> {
    std::str::from_utf8(bytes).map_err(|error| WireError::Utf8 { offset: error.valid_up_to() })
}
