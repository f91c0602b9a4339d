//! Errors, both directions: `{"error": {"code", "message", "status", "details"}}`, where `status` is a name of
//! google.rpc.Code and `details` hold messages of google.rpc; also an array of one of these.

use crate::error::StreamFault;
use hanok_base::{ErrorKind, Object, Problem, ProviderError, ProviderErrorKind, ProviderName};
use serde_json::{Value, json};
use std::time::Duration;

/// Most characters of an upstream's message that are passed on.
const MESSAGE_LIMIT: usize = 2_000;
/// Longest wait that is believed.
const WAIT_LIMIT: f64 = 86_400.0;

pub(super) fn encode(problem: &Problem, request_id: Option<&str>) -> Vec<u8> {
    let kind = |name: &str| format!("type.googleapis.com/google.rpc.{name}");
    let mut metadata = Object::new();
    if let Some(hint) = &problem.hint {
        metadata.insert("hint".into(), hint.as_str().into());
    }
    let mut details = vec![json!({
        "@type": kind("ErrorInfo"), "reason": problem.code, "domain": "hanok", "metadata": metadata,
    })];
    if let Some(param) = &problem.param {
        let violation = json!({ "field": param, "description": problem.message });
        details.push(json!({ "@type": kind("BadRequest"), "fieldViolations": [violation] }));
    }
    if let Some(wait) = problem.retry_after {
        details.push(json!({ "@type": kind("RetryInfo"), "retryDelay": format!("{wait}s") }));
    }
    if let Some(id) = request_id {
        details.push(json!({ "@type": kind("RequestInfo"), "requestId": id }));
    }
    let error = json!({
        "code": problem.kind.status(),
        "message": problem.message,
        "status": status_of(problem.kind),
        "details": details,
    });
    json!({ "error": error }).to_string().into_bytes()
}

fn status_of(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest | ErrorKind::TooLarge => "INVALID_ARGUMENT",
        ErrorKind::Unauthenticated => "UNAUTHENTICATED",
        ErrorKind::Forbidden => "PERMISSION_DENIED",
        ErrorKind::NotFound => "NOT_FOUND",
        ErrorKind::Conflict => "ABORTED",
        ErrorKind::BudgetSpent | ErrorKind::RateLimited => "RESOURCE_EXHAUSTED",
        ErrorKind::Internal => "INTERNAL",
        ErrorKind::MethodNotAllowed | ErrorKind::Unsupported => "UNIMPLEMENTED",
        ErrorKind::Upstream | ErrorKind::Unavailable => "UNAVAILABLE",
        ErrorKind::Timeout => "DEADLINE_EXCEEDED",
    }
}

pub(super) fn decode(status: u16, body: &[u8], provider: &ProviderName) -> ProviderError {
    let parsed: Value = serde_json::from_slice(body).unwrap_or_default();
    let said = read(&parsed);
    let kind = said.kind().unwrap_or_else(|| kind_of_status(status));
    let message = said.message.unwrap_or_else(|| format!("answered {status} without saying why"));
    ProviderError {
        status: Some(status),
        code: said.status,
        retry_after: said.retry_after,
        ..ProviderError::new(kind, provider, message)
    }
}

/// Whether JSON is an error rather than an answer.
pub(super) fn is_error(value: &Value) -> bool {
    let value = value.get(0).unwrap_or(value);
    value.get("error").is_some_and(|error| !error.is_null())
}

/// An error where an answer should be.
pub(super) fn in_answer(value: &Value) -> StreamFault {
    let said = read(value);
    let by_code = said.code.filter(|code| *code >= 400).map(kind_of_status);
    StreamFault {
        kind: said.kind().or(by_code).unwrap_or(ProviderErrorKind::Overloaded),
        message: said
            .message
            .unwrap_or_else(|| "the provider reported an error without saying which".to_owned()),
        code: said.status,
    }
}

#[derive(Default)]
struct Said {
    code: Option<u16>,
    message: Option<String>,
    status: Option<String>,
    reason: Option<String>,
    retry_after: Option<Duration>,
}

fn read(value: &Value) -> Said {
    let value = value.get(0).unwrap_or(value);
    let error = value.get("error").filter(|error| !error.is_null()).unwrap_or(value);
    let short = |text: &Value| {
        let text = text.as_str().filter(|text| !text.is_empty())?;
        Some(text.chars().take(MESSAGE_LIMIT).collect::<String>())
    };
    let details = error.get("details").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let wait = details.iter().find_map(|detail| detail.get("retryDelay")?.as_str());
    Said {
        code: error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok()),
        message: error.get("message").and_then(short).or_else(|| short(error)),
        status: error.get("status").and_then(short),
        reason: details.iter().find_map(|detail| detail.get("reason").and_then(short)),
        retry_after: wait.and_then(duration),
    }
}

/// A duration as protocol buffers write it: `3.5s`.
fn duration(text: &str) -> Option<Duration> {
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    (0.0..=WAIT_LIMIT).contains(&seconds).then(|| Duration::from_secs_f64(seconds))
}

impl Said {
    /// By the message and the reason where they say more than the status.
    fn kind(&self) -> Option<ProviderErrorKind> {
        use ProviderErrorKind as P;
        let message = self.message.as_deref().unwrap_or_default();
        let says = |words: &str| message.contains(words);
        Some(match self.status.as_deref()? {
            // Keys of no project are told as bad arguments.
            "INVALID_ARGUMENT" if says("API key") || says("API Key") => P::Auth,
            "INVALID_ARGUMENT" if says("maximum number of tokens") || says("token count exceeds") => {
                P::ContextLength
            }
            _ if self.reason.as_deref() == Some("API_KEY_INVALID") => P::Auth,
            "UNAUTHENTICATED" | "PERMISSION_DENIED" => P::Auth,
            "NOT_FOUND" => P::UnknownModel,
            "RESOURCE_EXHAUSTED" => P::RateLimited,
            "INTERNAL" | "UNAVAILABLE" | "UNKNOWN" | "ABORTED" | "DATA_LOSS" => P::Overloaded,
            "DEADLINE_EXCEEDED" | "CANCELLED" => P::Timeout,
            // Not offered in this place, or to this account.
            "FAILED_PRECONDITION" | "UNIMPLEMENTED" => P::Unsupported,
            "INVALID_ARGUMENT" | "OUT_OF_RANGE" | "ALREADY_EXISTS" => P::InvalidRequest,
            _ => return None,
        })
    }
}

fn kind_of_status(status: u16) -> ProviderErrorKind {
    use ProviderErrorKind as P;
    match status {
        401 | 403 => P::Auth,
        404 => P::UnknownModel,
        402 | 429 => P::RateLimited,
        408 | 499 | 504 => P::Timeout,
        405 | 501 => P::Unsupported,
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
        let check = |status: u16, body: &str, kind: P, message: &str, wait: Option<u64>| {
            let error = decode(status, body.as_bytes(), &"p".into());
            let got = (error.kind, error.message.as_str(), error.retry_after.map(|wait| wait.as_secs()));
            assert_eq!(got, (kind, message, wait), "{body}");
        };
        let error = |code: u16, status: &str, message: &str| {
            json!({ "error": { "code": code, "message": message, "status": status } }).to_string()
        };
        check(
            429,
            r#"{"error":{"code":429,"message":"quota","status":"RESOURCE_EXHAUSTED","details":[
                {"@type":"type.googleapis.com/google.rpc.QuotaFailure","violations":[]},
                {"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"22.5s"}]}}"#,
            P::RateLimited,
            "quota",
            Some(22),
        );
        let long = "The input token count (1196265) exceeds the maximum number of tokens allowed (1048575).";
        check(400, &error(400, "INVALID_ARGUMENT", long), P::ContextLength, long, None);
        let key = "API key not valid. Please pass a valid API key.";
        check(400, &error(400, "INVALID_ARGUMENT", key), P::Auth, key, None);
        check(400, &error(400, "INVALID_ARGUMENT", "bad"), P::InvalidRequest, "bad", None);
        check(400, &error(400, "FAILED_PRECONDITION", "not here"), P::Unsupported, "not here", None);
        check(403, &error(403, "PERMISSION_DENIED", "no"), P::Auth, "no", None);
        check(404, &error(404, "NOT_FOUND", "no model"), P::UnknownModel, "no model", None);
        check(503, &error(503, "UNAVAILABLE", "later"), P::Overloaded, "later", None);
        check(504, &error(504, "DEADLINE_EXCEEDED", "slow"), P::Timeout, "slow", None);
        check(500, &format!("[{}]", error(500, "INTERNAL", "boom")), P::Overloaded, "boom", None);
        check(400, r#"{"error":"text"}"#, P::InvalidRequest, "text", None);
        check(502, "<html>", P::Overloaded, "answered 502 without saying why", None);
        assert_eq!(duration("-1s"), None);
        assert_eq!(duration("1e99s"), None);
        assert_eq!(duration("0.5s"), Some(Duration::from_millis(500)));
    }
}
