//! Errors, both directions: `{"error": "text"}`, whatever went wrong.

use crate::error::StreamFault;
use hanok_base::{Object, Problem, ProviderError, ProviderErrorKind, ProviderName};
use serde_json::Value;

/// Most characters of an upstream's message that are passed on.
const MESSAGE_LIMIT: usize = 2_000;

/// The error object. Clients show the text, so the way out is part of it; the code is for programs.
pub(super) fn encode(problem: &Problem, request_id: Option<&str>) -> Vec<u8> {
    let mut object = Object::new();
    object.insert("error".into(), problem.to_string().into());
    object.insert("code".into(), problem.code.as_str().into());
    if let Some(id) = request_id {
        object.insert("request_id".into(), id.into());
    }
    Value::Object(object).to_string().into_bytes()
}

/// An upstream's error answer.
pub(super) fn decode(status: u16, body: &[u8], provider: &ProviderName) -> ProviderError {
    let parsed: Option<Value> = serde_json::from_slice(body).ok();
    let said = parsed.as_ref().map(read).unwrap_or_default();
    let kind = said.kind().unwrap_or_else(|| kind_of_status(status));
    let message = said.message.unwrap_or_else(|| format!("answered {status} without saying why"));
    ProviderError { status: Some(status), code: said.code, ..ProviderError::new(kind, provider, message) }
}

/// A line or an answer that holds an `error`.
pub(super) fn in_answer(answer: &Value) -> StreamFault {
    let said = read(answer);
    let status = answer.get("status").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    let kind = said.kind().or_else(|| status.map(kind_of_status)).unwrap_or(ProviderErrorKind::Overloaded);
    let message =
        said.message.unwrap_or_else(|| "the provider reported an error without saying which".to_owned());
    StreamFault { kind, message, code: said.code }
}

#[derive(Debug, Default)]
struct Said {
    message: Option<String>,
    code: Option<String>,
}

impl Said {
    /// By the words, which are all that the dialect gives.
    fn kind(&self) -> Option<ProviderErrorKind> {
        let code = self.code.as_deref().and_then(kind_of_code);
        code.or_else(|| self.message.as_deref().and_then(kind_of_words))
    }
}

/// `{"error": "text"}`, or, of servers that only look like this one, `{"error": {"message"}}`.
fn read(value: &Value) -> Said {
    let text = |value: &Value| match value {
        Value::String(text) if !text.is_empty() => Some(text.chars().take(MESSAGE_LIMIT).collect()),
        _ => None,
    };
    let error = value.get("error").unwrap_or(&Value::Null);
    Said {
        message: text(error).or_else(|| error.get("message").and_then(text)),
        code: value.get("code").or_else(|| error.get("code")).and_then(text),
    }
}

/// The codes that [`encode`] writes, from another Hanok.
fn kind_of_code(code: &str) -> Option<ProviderErrorKind> {
    use ProviderErrorKind as P;
    Some(match code {
        "context_length_exceeded" => P::ContextLength,
        "model_not_found" => P::UnknownModel,
        "content_filter" => P::ContentFilter,
        "rate_limited" | "insufficient_quota" => P::RateLimited,
        "provider_timeout" => P::Timeout,
        "unsupported" => P::Unsupported,
        _ => return None,
    })
}

fn kind_of_words(text: &str) -> Option<ProviderErrorKind> {
    use ProviderErrorKind as P;
    let text = text.to_ascii_lowercase();
    let has = |words: &str| text.contains(words);
    if has("context length") || has("context size") || has("context window") || has("available context") {
        Some(P::ContextLength)
    } else if has("model") && (has("not found") || has("invalid model name")) {
        Some(P::UnknownModel)
    } else if has("does not support") || has("not currently supported") {
        Some(P::Unsupported)
    } else if has("server busy") || has("requires more system memory") {
        Some(P::Overloaded)
    } else if has("usage limit") || has("too many requests") {
        Some(P::RateLimited)
    } else if text == "unauthorized" {
        Some(P::Auth)
    } else {
        None
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
        // 499: the server gave the request up.
        499 | 500.. => P::Overloaded,
        _ => P::InvalidRequest,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hanok_base::ErrorKind;

    #[test]
    fn upstream_errors() {
        use ProviderErrorKind as P;
        let check = |status: u16, body: &str, kind: ProviderErrorKind, message: &str| {
            let error = decode(status, body.as_bytes(), &"p".into());
            assert_eq!((error.kind, error.message.as_str()), (kind, message), "{body}");
        };
        check(404, r#"{"error":"model 'x' not found"}"#, P::UnknownModel, "model 'x' not found");
        check(
            404,
            r#"{"error":"model \"x\" not found, try pulling it first"}"#,
            P::UnknownModel,
            "model \"x\" not found, try pulling it first",
        );
        check(400, r#"{"error":"invalid model name"}"#, P::UnknownModel, "invalid model name");
        check(
            400,
            r#"{"error":"the input length exceeds the context length"}"#,
            P::ContextLength,
            "the input length exceeds the context length",
        );
        check(
            400,
            r#"{"error":"registry.ollama.ai/library/gemma:2b does not support tools"}"#,
            P::Unsupported,
            "registry.ollama.ai/library/gemma:2b does not support tools",
        );
        let busy = "server busy, please try again.  maximum pending requests exceeded";
        check(503, &format!(r#"{{"error":"{busy}"}}"#), P::Overloaded, busy);
        check(401, r#"{"error":"unauthorized","signin_url":"https://a"}"#, P::Auth, "unauthorized");
        check(429, r#"{"error":"slow down"}"#, P::RateLimited, "slow down");
        check(500, r#"{"error":{"message":"boom"}}"#, P::Overloaded, "boom");
        check(400, r#"{"error":"json: cannot unmarshal"}"#, P::InvalidRequest, "json: cannot unmarshal");
        check(502, "<html>Bad gateway</html>", P::Overloaded, "answered 502 without saying why");
        check(404, "404 page not found", P::UnknownModel, "answered 404 without saying why");
    }

    #[test]
    fn from_one_hanok_to_another() {
        let check = |kind: ProviderErrorKind| {
            let problem = Problem::from(&ProviderError::new(kind, &"p".into(), "said"));
            let body = encode(&problem, Some("r"));
            assert_eq!(decode(problem.kind.status(), &body, &"h".into()).kind, kind);
        };
        for kind in [
            ProviderErrorKind::ContextLength,
            ProviderErrorKind::UnknownModel,
            ProviderErrorKind::ContentFilter,
            ProviderErrorKind::RateLimited,
            ProviderErrorKind::Timeout,
            ProviderErrorKind::Unsupported,
            ProviderErrorKind::InvalidRequest,
        ] {
            check(kind);
        }
        let problem =
            Problem::new(ErrorKind::NotFound, "model_not_found", "no model x").hint("see /api/tags");
        let expect = r#"{"error":"no model x (see /api/tags)","code":"model_not_found","request_id":"r"}"#;
        assert_eq!(String::from_utf8(encode(&problem, Some("r"))).unwrap(), expect);
    }
}
