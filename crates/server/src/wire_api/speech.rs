//! Which dialect a request speaks, by its path and, where several share one, its headers.

use hanok_base::Dialect;
use http::HeaderMap;

/// The dialect in whose shape a request is to be answered, errors included.
pub(crate) fn dialect_of(path: &str, headers: &HeaderMap) -> Dialect {
    let path = path.strip_prefix("/v1").unwrap_or(path);
    if path.starts_with("/messages") {
        return Dialect::AnthropicMessages;
    }
    if path.starts_with("/responses") {
        return Dialect::OpenAiResponses;
    }
    if path.starts_with("beta/") {
        return Dialect::Gemini;
    }
    match path {
        "/api/chat" | "/api/embed" | "/api/embeddings" | "/api/tags" | "/api/show" | "/api/version"
        | "/api/ps" => {
            return Dialect::Ollama;
        }
        "/api/generate" => return Dialect::OllamaGenerate,
        _ => {}
    }
    if path.starts_with("/models") {
        // One path, three shapes.
        if headers.contains_key("anthropic-version") {
            return Dialect::AnthropicMessages;
        }
        if headers.contains_key("x-goog-api-key") || path.contains(':') {
            return Dialect::Gemini;
        }
    }
    Dialect::OpenAiChat
}

/// Headers of a client that belong to its dialect and go on to an upstream of the same.
pub(crate) fn passed_headers(dialect: Dialect, headers: &HeaderMap) -> Vec<(String, String)> {
    let names: &[&str] = match dialect {
        Dialect::AnthropicMessages => &["anthropic-version", "anthropic-beta"],
        Dialect::OpenAiChat | Dialect::OpenAiResponses => &["openai-beta", "idempotency-key"],
        Dialect::Gemini | Dialect::Ollama | Dialect::OllamaGenerate => &[],
    };
    let mut passed = Vec::new();
    for name in names {
        // A header that may come several times is a list.
        let values: Vec<&str> =
            headers.get_all(*name).iter().filter_map(|value| value.to_str().ok()).collect();
        if !values.is_empty() {
            passed.push(((*name).to_owned(), values.join(",")));
        }
    }
    passed
}

/// A query without the parameters that are no business of an upstream: keys, and what the dialect's own URL
/// sets by itself. `None` where nothing is left.
pub(crate) fn passed_query(query: Option<&str>) -> Option<String> {
    let left: Vec<&str> = query?
        .split('&')
        .filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default();
            !name.is_empty() && !["key", "alt", "access_token", "api-version"].contains(&name)
        })
        .collect();
    (!left.is_empty()).then(|| left.join("&"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_and_headers() {
        let check = |path: &str, header: Option<&'static str>, expect: Dialect| {
            let headers: HeaderMap =
                header.into_iter().map(|name| (name.parse().unwrap(), "x".parse().unwrap())).collect();
            assert_eq!(dialect_of(path, &headers), expect, "{path}");
        };
        check("/v1/chat/completions", None, Dialect::OpenAiChat);
        check("/v1/messages/count_tokens", None, Dialect::AnthropicMessages);
        check("/v1/responses/resp_1", None, Dialect::OpenAiResponses);
        check("/v1beta/models/g:generateContent", None, Dialect::Gemini);
        check("/v1/models/g:generateContent", None, Dialect::Gemini);
        check("/v1/models", None, Dialect::OpenAiChat);
        check("/v1/models", Some("anthropic-version"), Dialect::AnthropicMessages);
        check("/v1/models", Some("x-goog-api-key"), Dialect::Gemini);
        check("/api/chat", None, Dialect::Ollama);
        check("/api/traces", None, Dialect::OpenAiChat);
    }

    #[test]
    fn queries() {
        let check = |query: Option<&str>, expect: Option<&str>| {
            assert_eq!(passed_query(query).as_deref(), expect);
        };
        check(Some("beta=true"), Some("beta=true"));
        check(Some("alt=sse&key=AIza&x=1"), Some("x=1"));
        check(Some("key=a"), None);
        check(None, None);
    }
}
