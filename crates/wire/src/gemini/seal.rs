//! Signatures of thoughts (`thoughtSignature`), which are bytes here: what is not base64 is refused by clients.

use crate::signature;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hanok_base::{Dialect, Signature};

/// Before the tag of a foreign signature whose text the provider hid.
const HIDDEN: &str = "hidden:";
/// How base64 of `hanok:` and of `hidden:hanok:` begins, so that nothing else need be decoded.
const BEGINNINGS: [&str; 2] = ["aGFub2s6", "aGlkZGVuOmhhbm9r"];

/// The signature as a client is to keep it. `hidden` where the provider showed nothing but it.
pub(super) fn shown(signature: &Signature, hidden: bool) -> String {
    let text = signature::shown(signature, Dialect::Gemini);
    if signature.of == Dialect::Gemini {
        return text;
    }
    BASE64_STANDARD.encode(if hidden { format!("{HIDDEN}{text}") } else { text })
}

/// What a client gave back, and whether it was hidden. Some clients write base64 in its other alphabet.
pub(super) fn read(text: String) -> (Signature, bool) {
    if BEGINNINGS.iter().any(|beginning| text.starts_with(beginning))
        && let Ok(bytes) = BASE64_STANDARD.decode(standard(text.clone()))
        && let Ok(tagged) = String::from_utf8(bytes)
    {
        let (hidden, tagged) = match tagged.strip_prefix(HIDDEN) {
            Some(rest) => (true, rest.to_owned()),
            None => (false, tagged),
        };
        let signature = signature::read(tagged, Dialect::Gemini);
        if signature.of != Dialect::Gemini {
            return (signature, hidden);
        }
    }
    (Signature { of: Dialect::Gemini, value: text }, false)
}

/// Base64 in the alphabet and with the padding that other dialects want; the API takes either alphabet, and
/// Google's Python client writes the URL-safe one.
pub(super) fn standard(mut text: String) -> String {
    if text.contains(['-', '_']) {
        text = text.replace('-', "+").replace('_', "/");
    }
    while matches!(text.len() % 4, 2 | 3) {
        text.push('=');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_and_back() {
        let check = |of: Dialect, value: &str, hidden: bool| {
            let signature = Signature { of, value: value.to_owned() };
            let text = shown(&signature, hidden);
            assert!(BASE64_STANDARD.decode(&text).is_ok(), "{text}");
            assert_eq!(read(text.clone()), (signature.clone(), hidden), "{text}");
            let url_safe = text.replace('+', "-").replace('/', "_");
            let url_safe = url_safe.trim_end_matches('=');
            if of != Dialect::Gemini {
                assert_eq!(read(url_safe.to_owned()), (signature, hidden), "{url_safe}");
            }
        };
        check(Dialect::Gemini, "EjQKMgEM+/8=", false);
        check(Dialect::AnthropicMessages, "EqoB한~~~???", false);
        check(Dialect::AnthropicMessages, "EqoB==", true);
        check(Dialect::OpenAiResponses, "gAAAA:b>>", true);
        // Ours by its beginning only, and cut.
        for text in ["aGFub2s6", "aGFub2s6Z2VtaW5pOmE=", "aGlkZGVuOmhhbm9r", "aGFub2s6!"] {
            let signature = Signature { of: Dialect::Gemini, value: text.to_owned() };
            assert_eq!(read(text.to_owned()), (signature, false));
        }
    }

    #[test]
    fn alphabets() {
        let check = |text: &str, expect: &str| assert_eq!(standard(text.to_owned()), expect);
        check("a-_b", "a+/b");
        check("YWI", "YWI=");
        check("YQ", "YQ==");
        check("YWI=", "YWI=");
        check("", "");
    }
}
