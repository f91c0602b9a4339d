//! Errors, both directions (docs.anthropic.com/en/api/errors).

use crate::error::StreamFault;
use hanok_base::{ErrorKind, Object, Problem, ProviderError, ProviderErrorKind, ProviderName};
use serde_json::Value;

/// Most characters of an upstream's message that are passed on.
const MESSAGE_LIMIT: usize = 2_000;

/// The words by which agents know that they must shorten the conversation: the dialect has no code for it.
const TOO_LONG: &str = "prompt is too long";

pub(super) fn encode(problem: &Problem, request_id: Option<&str>) -> Vec<u8> {
    let message = match problem.code.as_str() {
        "context_length_exceeded" if !problem.message.contains(TOO_LONG) => {
            format!("{TOO_LONG}: {}", problem.message)
        }
        _ => problem.message.clone(),
    };
    let mut error = Object::new();
    error.insert("type".into(), type_of(problem).into());
    error.insert("message".into(), message.into());
    error.insert("code".into(), problem.code.as_str().into());
    let more = [("param", problem.param.as_deref()), ("hint", problem.hint.as_deref())];
    for (name, value) in more.into_iter().filter_map(|(name, value)| Some((name, value?))) {
        error.insert(name.into(), value.into());
    }
    let mut body = Object::new();
    body.insert("type".into(), "error".into());
    body.insert("error".into(), error.into());
    if let Some(id) = request_id {
        body.insert("request_id".into(), id.into());
    }
    Value::Object(body).to_string().into_bytes()
}

fn type_of(problem: &Problem) -> &'static str {
    match problem.kind {
        ErrorKind::InvalidRequest | ErrorKind::MethodNotAllowed | ErrorKind::Unsupported => {
            "invalid_request_error"
        }
        ErrorKind::Conflict => "conflict_error",
        ErrorKind::Unauthenticated => "authentication_error",
        ErrorKind::Forbidden => "permission_error",
        ErrorKind::NotFound => "not_found_error",
        ErrorKind::TooLarge => "request_too_large",
        ErrorKind::BudgetSpent => "billing_error",
        ErrorKind::RateLimited => "rate_limit_error",
        ErrorKind::Upstream if problem.code == "provider_overloaded" => "overloaded_error",
        ErrorKind::Internal | ErrorKind::Upstream => "api_error",
        ErrorKind::Unavailable => "overloaded_error",
        ErrorKind::Timeout => "timeout_error",
    }
}

pub(super) fn decode(status: u16, body: &[u8], provider: &ProviderName) -> ProviderError {
    let said = serde_json::from_slice(body).map(|value| read(&value)).unwrap_or_default();
    let kind = said.kind(Some(status)).unwrap_or_else(|| kind_of_status(status));
    let message = said.message.unwrap_or_else(|| format!("answered {status} without saying why"));
    ProviderError { status: Some(status), code: said.code, ..ProviderError::new(kind, provider, message) }
}

/// An error object where an answer or an event should be, with or without the envelope.
pub(super) fn of(error: &Value) -> StreamFault {
    let said = read(error);
    let kind = said.kind(None).unwrap_or(ProviderErrorKind::Overloaded);
    let message =
        said.message.unwrap_or_else(|| "the provider reported an error without saying which".to_owned());
    StreamFault { kind, message, code: said.code }
}

/// The data of an event that is an error by its name: JSON, or words.
pub(super) fn in_event(data: &str) -> StreamFault {
    of(&serde_json::from_str(data).unwrap_or_else(|_| Value::from(data)))
}

#[derive(Debug, Default)]
struct Said {
    message: Option<String>,
    kind: Option<String>,
    code: Option<String>,
}

fn read(value: &Value) -> Said {
    let inner = value.get("error").filter(|error| !error.is_null()).unwrap_or(value);
    let text = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Some(text.chars().take(MESSAGE_LIMIT).collect::<String>()),
        _ => None,
    };
    let message = text(inner)
        .or_else(|| inner.get("message").and_then(text))
        .or_else(|| inner.get("detail").and_then(text));
    let code = inner.get("code").or(inner.pointer("/details/error_code")).and_then(text);
    Said { message, kind: inner.get("type").and_then(text), code }
}

impl Said {
    fn kind(&self, status: Option<u16>) -> Option<ProviderErrorKind> {
        use ProviderErrorKind as P;
        Some(match self.kind.as_deref()? {
            "invalid_request_error" => self.refused(),
            "authentication_error" | "permission_error" => P::Auth,
            // Beside the status that says the same it is the model, as nothing else is asked for by name.
            "not_found_error" => P::UnknownModel,
            "rate_limit_error" | "billing_error" => P::RateLimited,
            "request_too_large" => P::InvalidRequest,
            "timeout_error" => P::Timeout,
            "overloaded_error" => P::Overloaded,
            "api_error" if status.is_none_or(|status| status >= 500) => P::Overloaded,
            _ => return None,
        })
    }

    /// The dialect has one type for all that is wrong with a request; the words tell more.
    fn refused(&self) -> ProviderErrorKind {
        use ProviderErrorKind as P;
        let message = self.message.as_deref().unwrap_or_default();
        let says = |words: &[&str]| words.iter().any(|words| message.contains(words));
        if says(&[TOO_LONG, "exceed context limit", "context window", "maximum context length"]) {
            P::ContextLength
        } else if says(&["content filtering policy", "content policy"]) {
            P::ContentFilter
        } else if says(&["credit balance is too low", "usage limits"]) {
            P::RateLimited
        } else {
            P::InvalidRequest
        }
    }
}

fn kind_of_status(status: u16) -> ProviderErrorKind {
    use ProviderErrorKind as P;
    match status {
        401 | 403 => P::Auth,
        404 => P::UnknownModel,
        402 | 429 => P::RateLimited,
        408 | 504 => P::Timeout,
        405 | 501 => P::Unsupported,
        // 529 is how the dialect says that it is overloaded.
        500.. => P::Overloaded,
        _ => P::InvalidRequest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn upstream_errors() {
        use ProviderErrorKind as P;
        let check = |status: u16, kind: &str, message: &str, expect: ProviderErrorKind| {
            let body = format!(r#"{{"type":"error","error":{{"type":"{kind}","message":"{message}"}}}}"#);
            let error = decode(status, body.as_bytes(), &"p".into());
            assert_eq!((error.kind, error.message.as_str()), (expect, message), "{body}");
        };
        let bad = "invalid_request_error";
        check(400, bad, "prompt is too long: 210000 tokens > 200000 maximum", P::ContextLength);
        check(400, bad, "input length and `max_tokens` exceed context limit: 1 + 2 > 3", P::ContextLength);
        check(400, bad, "Output blocked by content filtering policy", P::ContentFilter);
        check(400, bad, "Your credit balance is too low to access the API", P::RateLimited);
        check(400, bad, "messages: at least one message is required", P::InvalidRequest);
        check(401, "authentication_error", "invalid x-api-key", P::Auth);
        check(403, "permission_error", "not for you", P::Auth);
        check(404, "not_found_error", "model: claude-x", P::UnknownModel);
        check(413, "request_too_large", "Request exceeds the maximum size", P::InvalidRequest);
        check(429, "rate_limit_error", "slow down", P::RateLimited);
        check(402, "billing_error", "pay", P::RateLimited);
        check(500, "api_error", "Internal server error", P::Overloaded);
        check(529, "overloaded_error", "Overloaded", P::Overloaded);
        check(504, "timeout_error", "too slow", P::Timeout);
        check(418, "new_error", "what", P::InvalidRequest);
        let bare = decode(529, b"<html>", &"p".into());
        assert_eq!((bare.kind, bare.message.as_str()), (P::Overloaded, "answered 529 without saying why"));
        let body = br#"{"error":{"type":"invalid_request_error","details":{"error_code":"too_many"}}}"#;
        assert_eq!(decode(400, body, &"p".into()).code.as_deref(), Some("too_many"));
        let words = decode(400, br#"{"detail":"no such thing"}"#, &"p".into());
        assert_eq!((words.kind, words.message.as_str()), (P::InvalidRequest, "no such thing"));
    }
}
