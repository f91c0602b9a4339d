//! Errors inside answers and streams. Error bodies are those of the chat dialect.

use crate::codec::Codec;
use crate::error::StreamFault;
use crate::openai_chat::OpenAiChat;
use hanok_base::{ErrorKind, Problem, ProviderErrorKind};
use serde_json::{Value, json};

/// An `error` object of a response or of an `error` event, which may itself be the event.
pub(super) fn in_answer(error: &Value) -> StreamFault {
    let inner = error.get("error").filter(|error| !error.is_null()).unwrap_or(error);
    if let Some(kind) = inner.get("code").and_then(Value::as_str).and_then(kind_of_code) {
        let message = inner.get("message").and_then(Value::as_str).unwrap_or("gave no reason").to_owned();
        let code = inner.get("code").and_then(Value::as_str).map(str::to_owned);
        return StreamFault { kind, message, code };
    }
    // With no status to go by, what names no kind is the upstream's own failure.
    let status = match inner.get("type").and_then(Value::as_str) {
        Some("invalid_request_error") => 400,
        _ => 500,
    };
    let body = json!({ "error": inner }).to_string();
    let said = OpenAiChat.decode_error(status, body.as_bytes(), &"".into());
    let silent = said.message.starts_with("answered ");
    let message =
        if silent { "the provider reported an error without saying which".to_owned() } else { said.message };
    StreamFault { kind: said.kind, message, code: said.code }
}

/// The codes of failed responses, as the dialect documents them, that the chat dialect does not have.
fn kind_of_code(code: &str) -> Option<ProviderErrorKind> {
    use ProviderErrorKind as P;
    Some(match code {
        "vector_store_timeout" => P::Timeout,
        "bio_policy" | "image_content_policy_violation" | "cyber_policy" => P::ContentFilter,
        "invalid_prompt"
        | "data_residency_mismatch"
        | "failed_to_download_image"
        | "unsupported_image_media_type"
        | "empty_image_file"
        | "invalid_base64_image" => P::InvalidRequest,
        code if code.starts_with("image_") || code.starts_with("invalid_image") => P::InvalidRequest,
        _ => return None,
    })
}

/// The `error` member of a failed response. The dialect has a closed list of codes; what clients go by among
/// ours is said as they know it, the rest in our words.
pub(super) fn of_response(problem: &Problem) -> Value {
    let code = match problem.kind {
        ErrorKind::RateLimited => "rate_limit_exceeded",
        ErrorKind::BudgetSpent => "insufficient_quota",
        ErrorKind::Internal
        | ErrorKind::Upstream
        | ErrorKind::Unavailable
        | ErrorKind::Timeout
        | ErrorKind::Unsupported => "server_error",
        _ => problem.code.as_str(),
    };
    json!({ "code": code, "message": problem.to_string() })
}

/// The `error` event. It says the same twice: as documented, and in the member `error`, by which the official
/// clients tell an event that must be thrown.
pub(super) fn event(problem: &Problem, sequence_number: u64) -> Value {
    let body = OpenAiChat.encode_error(problem, None);
    let inner = serde_json::from_slice::<Value>(&body)
        .ok()
        .and_then(|mut body| body.get_mut("error").map(Value::take))
        .unwrap_or_default();
    json!({
        "type": "error",
        "sequence_number": sequence_number,
        "code": problem.code,
        "message": problem.message,
        "param": problem.param,
        "error": inner,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults() {
        use ProviderErrorKind as P;
        let check = |json: &str, kind: ProviderErrorKind, message: &str, code: Option<&str>| {
            let fault = in_answer(&serde_json::from_str(json).unwrap());
            assert_eq!(
                (fault.kind, fault.message.as_str(), fault.code.as_deref()),
                (kind, message, code),
                "{json}"
            );
        };
        check(
            r#"{"code":"rate_limit_exceeded","message":"slow"}"#,
            P::RateLimited,
            "slow",
            Some("rate_limit_exceeded"),
        );
        check(r#"{"code":"server_error","message":"boom"}"#, P::Overloaded, "boom", Some("server_error"));
        check(r#"{"code":"invalid_prompt","message":"no"}"#, P::InvalidRequest, "no", Some("invalid_prompt"));
        check(
            r#"{"type":"error","error":{"type":"invalid_request_error","code":"context_length_exceeded","message":"long"}}"#,
            P::ContextLength,
            "long",
            Some("context_length_exceeded"),
        );
        check(
            r#"{"type":"error","error":{"type":"invalid_request_error","message":"bad"}}"#,
            P::InvalidRequest,
            "bad",
            None,
        );
        check(r#"{"type":"error","code":null,"message":"x","param":null}"#, P::Overloaded, "x", None);
        check("null", P::Overloaded, "the provider reported an error without saying which", None);
        let problem = Problem::new(ErrorKind::Upstream, "stream_truncated", "cut");
        let event = event(&problem, 7);
        assert_eq!((&event["sequence_number"], &event["error"]["message"]), (&json!(7), &json!("cut")));
        assert_eq!(in_answer(&event).message, "cut");
    }
}
