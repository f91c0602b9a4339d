//! Signatures of thoughts on their way through a client of another dialect.
//!
//! A provider's signature means something to that provider only, while a client keeps whatever stands in the
//! member that its own dialect has for one. So a foreign signature is shown with a tag that names its dialect,
//! and on the next turn the tag tells to whom it may go back.

use hanok_base::{Dialect, Signature};

const TAG: &str = "hanok:";
/// What the JSON of a request holds where a tagged signature is in it: the tag at a string's beginning, or
/// behind what a dialect marks before it (`hanok+call:…:hanok:`, whose plus some writers of JSON escape); and
/// what base64 makes of the tag, alone and behind `hidden:`.
const MARKS: [&[u8]; 4] = [b"\"hanok:", b":hanok:", b"\"aGFub2", b"\"aGlkZGVuOmhhbm9r"];

/// The signature as a client of dialect `to` is to keep it.
pub(crate) fn shown(signature: &Signature, to: Dialect) -> String {
    if signature.of == to {
        signature.value.clone()
    } else {
        format!("{TAG}{}:{}", signature.of.as_str(), signature.value)
    }
}

/// Whether a request may hold a signature that a provider of another dialect made. In their own bytes such a
/// request would reach a provider that refuses it; decoded and encoded again it holds none. A text that only
/// looks like one sends the request the long way, too.
pub fn holds_foreign_signature(body: &[u8]) -> bool {
    MARKS.iter().any(|mark| memchr::memmem::find(body, mark).is_some())
}

/// What a client of dialect `from` gave back.
pub(crate) fn read(text: String, from: Dialect) -> Signature {
    let tagged = text.strip_prefix(TAG).and_then(|rest| rest.split_once(':'));
    match tagged.and_then(|(of, value)| Some((Dialect::parse(of)?, value.to_owned()))) {
        Some((of, value)) => Signature { of, value },
        None => Signature { of: from, value: text },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_find_home() {
        let check = |of: Dialect, by: Dialect, expect: &str| {
            let signature = Signature { of, value: "a:b==".to_owned() };
            let text = shown(&signature, by);
            assert_eq!(text, expect);
            assert_eq!(read(text, by), signature);
        };
        check(Dialect::Gemini, Dialect::Gemini, "a:b==");
        check(Dialect::Gemini, Dialect::AnthropicMessages, "hanok:gemini:a:b==");
        let odd = read("hanok:nobody:x".to_owned(), Dialect::Gemini);
        assert_eq!(odd, Signature { of: Dialect::Gemini, value: "hanok:nobody:x".to_owned() });
    }
}
