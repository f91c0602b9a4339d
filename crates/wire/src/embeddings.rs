//! What is read of embeddings that pass through.

use hanok_base::Usage;
use serde::Deserialize;

/// The tokens an embeddings answer says it used; nothing where it says nothing.
pub fn embeddings_usage(body: &[u8]) -> Usage {
    #[derive(Deserialize)]
    struct Body {
        usage: Option<Tokens>,
    }
    #[derive(Deserialize)]
    struct Tokens {
        prompt_tokens: Option<u64>,
    }
    let body: Option<Body> = serde_json::from_slice(body).ok();
    Usage {
        input: body.and_then(|body| body.usage).and_then(|usage| usage.prompt_tokens),
        ..Usage::default()
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn usage() {
        let body = br#"{"object":"list","data":[],"usage":{"prompt_tokens":7,"total_tokens":7}}"#;
        assert_eq!(super::embeddings_usage(body).input, Some(7));
        assert_eq!(super::embeddings_usage(b"{}").input, None);
    }
}
