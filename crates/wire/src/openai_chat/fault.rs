//! Errors, both directions.

use crate::error::StreamFault;
use hanok_base::{ErrorKind, Object, Problem, ProviderError, ProviderErrorKind, ProviderName};
use serde_json::Value;

/// Most characters of an upstream's message that are passed on.
const MESSAGE_LIMIT: usize = 2_000;

pub(super) fn encode(problem: &Problem, request_id: Option<&str>) -> Vec<u8> {
    let mut error = Object::new();
    error.insert("message".into(), problem.message.as_str().into());
    error.insert("type".into(), type_of(problem.kind).into());
    error.insert("param".into(), problem.param.as_deref().map_or(Value::Null, Value::from));
    error.insert("code".into(), problem.code.as_str().into());
    if let Some(hint) = &problem.hint {
        error.insert("hint".into(), hint.as_str().into());
    }
    if let Some(id) = request_id {
        error.insert("request_id".into(), id.into());
    }
    let mut body = Object::new();
    body.insert("error".into(), error.into());
    Value::Object(body).to_string().into_bytes()
}

fn type_of(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::InvalidRequest
        | ErrorKind::NotFound
        | ErrorKind::MethodNotAllowed
        | ErrorKind::TooLarge
        | ErrorKind::Conflict
        | ErrorKind::Unsupported => "invalid_request_error",
        ErrorKind::Unauthenticated => "authentication_error",
        ErrorKind::Forbidden => "permission_error",
        ErrorKind::BudgetSpent => "insufficient_quota",
        ErrorKind::RateLimited => "rate_limit_error",
        ErrorKind::Internal => "server_error",
        ErrorKind::Upstream => "upstream_error",
        ErrorKind::Unavailable => "unavailable_error",
        ErrorKind::Timeout => "timeout_error",
    }
}

pub(super) fn decode(status: u16, body: &[u8], provider: &ProviderName) -> ProviderError {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let said = parsed.as_ref().map(read);
    let kind = said.as_ref().and_then(kind_said).unwrap_or_else(|| kind_of_status(status));
    let message = said
        .as_ref()
        .and_then(|said| said.message.clone())
        .unwrap_or_else(|| format!("answered {status} without saying why"));
    ProviderError {
        status: Some(status),
        code: said.and_then(|said| said.code),
        ..ProviderError::new(kind, provider, message)
    }
}

/// An error object where an answer should be.
pub(super) fn in_answer(error: &Value) -> StreamFault {
    let said = read(error);
    let status = error.get("code").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
    let status = status.filter(|status| *status >= 400);
    let kind = kind_said(&said).or_else(|| status.map(kind_of_status)).unwrap_or_else(|| match &said.kind {
        // Of no use beside a status, which says more.
        Some(kind) if kind == "invalid_request_error" => ProviderErrorKind::InvalidRequest,
        _ => ProviderErrorKind::Overloaded,
    });
    StreamFault {
        kind,
        message: said
            .message
            .unwrap_or_else(|| "the provider reported an error without saying which".to_owned()),
        code: said.code,
    }
}

/// The data of an event that is an error by its name: JSON of any of those shapes, or words.
pub(super) fn in_event(data: &str) -> StreamFault {
    in_answer(&serde_json::from_str(data).unwrap_or_else(|_| Value::from(data)))
}

#[derive(Debug, Default)]
struct Said {
    message: Option<String>,
    code: Option<String>,
    kind: Option<String>,
}

/// The shapes upstreams give errors: `{"error": {"message", "type", "code"}}`, `{"error": "text"}`,
/// `{"message": …}`, `{"detail": …}`, an array of one of these.
fn read(value: &Value) -> Said {
    let value = value.get(0).unwrap_or(value);
    let inner = value.get("error").filter(|error| !error.is_null()).unwrap_or(value);
    let text = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Some(text.chars().take(MESSAGE_LIMIT).collect()),
        _ => None,
    };
    let message = text(inner)
        .or_else(|| inner.get("message").and_then(text))
        .or_else(|| inner.get("detail").and_then(text))
        .or_else(|| inner.pointer("/detail/0/msg").and_then(text));
    Said { message, code: inner.get("code").and_then(text), kind: inner.get("type").and_then(text) }
}

/// By the code, else by the type, else by words that many servers share and give no code with.
fn kind_said(said: &Said) -> Option<ProviderErrorKind> {
    [&said.code, &said.kind].into_iter().flatten().find_map(|code| kind_of_code(code)).or_else(|| {
        let too_long = said.message.as_ref().is_some_and(|text| text.contains("maximum context length"));
        too_long.then_some(ProviderErrorKind::ContextLength)
    })
}

fn kind_of_code(code: &str) -> Option<ProviderErrorKind> {
    use ProviderErrorKind as P;
    Some(match code {
        "context_length_exceeded" | "exceed_context_size_error" | "string_above_max_length" => {
            P::ContextLength
        }
        "model_not_found" | "model_not_available" => P::UnknownModel,
        "content_filter" | "content_policy_violation" => P::ContentFilter,
        "insufficient_quota" | "rate_limit_exceeded" | "rate_limit_error" => P::RateLimited,
        "invalid_api_key" | "authentication_error" => P::Auth,
        "overloaded_error" | "server_error" | "internal_error" => P::Overloaded,
        _ => return None,
    })
}

fn kind_of_status(status: u16) -> ProviderErrorKind {
    use ProviderErrorKind as P;
    match status {
        401 | 403 => P::Auth,
        404 => P::UnknownModel,
        402 | 429 => P::RateLimited,
        408 | 504 => P::Timeout,
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
        let check = |status: u16, body: &str, kind: ProviderErrorKind, message: &str| {
            let error = decode(status, body.as_bytes(), &"p".into());
            assert_eq!((error.kind, error.message.as_str()), (kind, message), "{body}");
        };
        check(
            400,
            r#"{"error":{"message":"too long","code":"context_length_exceeded"}}"#,
            P::ContextLength,
            "too long",
        );
        check(429, r#"{"error":{"message":"slow down","type":"requests"}}"#, P::RateLimited, "slow down");
        check(404, r#"{"error":"model 'x' not found"}"#, P::UnknownModel, "model 'x' not found");
        check(422, r#"{"detail":[{"msg":"field required"}]}"#, P::InvalidRequest, "field required");
        check(400, r#"{"object":"error","message":"bad","code":400}"#, P::InvalidRequest, "bad");
        check(500, r#"[{"error":{"message":"boom"}}]"#, P::Overloaded, "boom");
        check(
            400,
            r#"{"error":{"message":"slow","type":"rate_limit_error","code":"1302"}}"#,
            P::RateLimited,
            "slow",
        );
        let long = "This model's maximum context length is 4096 tokens.";
        let body = format!(r#"{{"object":"error","message":"{long}","type":"BadRequestError","code":400}}"#);
        check(400, &body, P::ContextLength, long);
        check(502, "<html>Bad gateway</html>", P::Overloaded, "answered 502 without saying why");
        check(401, "", P::Auth, "answered 401 without saying why");
    }
}
