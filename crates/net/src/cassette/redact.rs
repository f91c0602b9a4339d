//! Secrets, taken out before anything is written or compared.

use crate::{HeaderMap, Url, header};
use bytes::Bytes;
use http::HeaderName;
use memchr::memmem;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::borrow::Cow;
use std::ops::Range;

/// What stands in a secret's place.
const REDACTED: &str = "REDACTED";

/// Headers whose value is a secret whatever it is.
static HEADERS: [HeaderName; 7] = [
    header::AUTHORIZATION,
    header::PROXY_AUTHORIZATION,
    header::COOKIE,
    header::SET_COOKIE,
    HeaderName::from_static("x-api-key"),
    HeaderName::from_static("api-key"),
    HeaderName::from_static("x-goog-api-key"),
];

/// Members of a query whose value is a secret whatever it is.
const QUERY: &[&str] = &["key", "api_key", "api-key", "access_token"];

/// What a URL encodes of a value.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// Takes secrets out.
#[derive(Default)]
pub(super) struct Redactor(Vec<Vec<u8>>);

impl Redactor {
    /// `secrets` are found as they are, in JSON's escapes, and percent-encoded.
    pub(super) fn new(secrets: &[String]) -> Self {
        let mut forms: Vec<Vec<u8>> = Vec::new();
        for secret in secrets.iter().map(|secret| secret.trim()).filter(|secret| !secret.is_empty()) {
            let json = serde_json::Value::from(secret).to_string();
            let json = json.strip_prefix('"').and_then(|json| json.strip_suffix('"')).unwrap_or(secret);
            let percent = utf8_percent_encode(secret, ENCODED).to_string();
            forms.extend([secret.as_bytes().to_vec(), json.as_bytes().to_vec(), percent.into_bytes()]);
        }
        forms.sort_unstable();
        forms.dedup();
        Self(forms)
    }

    /// The bytes without secrets.
    pub(super) fn bytes<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let found = self.find(bytes);
        if found.is_empty() { Cow::Borrowed(bytes) } else { Cow::Owned(without(bytes, 0, &found)) }
    }

    fn text(&self, text: &[u8]) -> String {
        String::from_utf8_lossy(&self.bytes(text)).into_owned()
    }

    /// Pieces that together are one body, without secrets, also without those that lie across a border.
    /// A piece that was all secret is left empty.
    pub(super) fn pieces(&self, pieces: &[Bytes]) -> Vec<Bytes> {
        let found = if self.0.is_empty() { Vec::new() } else { self.find(&pieces.concat()) };
        if found.is_empty() {
            return pieces.to_vec();
        }
        let mut at = 0;
        let clean = |piece: &Bytes| {
            let clean = without(piece, at, &found);
            at += piece.len();
            clean.into()
        };
        pieces.iter().map(clean).collect()
    }

    /// The headers in order. A value that is not UTF-8 is kept as far as it is.
    pub(super) fn headers(&self, headers: &HeaderMap) -> Vec<(String, String)> {
        let value = |name: &HeaderName, value: &http::HeaderValue| {
            if HEADERS.contains(name) || value.is_sensitive() {
                return REDACTED.to_owned();
            }
            self.text(value.as_bytes())
        };
        headers.iter().map(|(name, of)| (name.as_str().to_owned(), value(name, of))).collect()
    }

    /// The URL.
    pub(super) fn url(&self, url: &Url) -> String {
        let text = url.to_string();
        let Some((address, query)) = text.split_once('?') else {
            return self.text(text.as_bytes());
        };
        let member = |member: &str| match member.split_once('=') {
            Some((name, _)) if QUERY.iter().any(|known| known.eq_ignore_ascii_case(name)) => {
                format!("{name}={REDACTED}")
            }
            _ => self.text(member.as_bytes()),
        };
        let query: Vec<String> = query.split('&').map(member).collect();
        format!("{}?{}", self.text(address.as_bytes()), query.join("&"))
    }

    /// Where secrets are, in order, none touching another.
    fn find(&self, bytes: &[u8]) -> Vec<Range<usize>> {
        let places = |secret: &'_ Vec<u8>| {
            let len = secret.len();
            memmem::find_iter(bytes, secret.as_slice()).map(|at| at..at + len).collect::<Vec<_>>()
        };
        let mut found: Vec<Range<usize>> = self.0.iter().flat_map(places).collect();
        found.sort_unstable_by_key(|range| range.start);
        let mut merged: Vec<Range<usize>> = Vec::with_capacity(found.len());
        for range in found {
            match merged.last_mut() {
                Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                _ => merged.push(range),
            }
        }
        merged
    }
}

/// `bytes`, which begin at `at` of what was searched, with each range that begins in them replaced and each
/// that began before them left out.
fn without(bytes: &[u8], at: usize, found: &[Range<usize>]) -> Vec<u8> {
    let end = at + bytes.len();
    let mut clean = Vec::with_capacity(bytes.len());
    let mut next = at;
    for range in found.iter().filter(|range| range.end > at && range.start < end) {
        if range.start >= at {
            clean.extend_from_slice(bytes.get(next - at..range.start - at).unwrap_or_default());
            clean.extend_from_slice(REDACTED.as_bytes());
        }
        next = range.end.min(end);
    }
    clean.extend_from_slice(bytes.get(next - at..).unwrap_or_default());
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor() -> Redactor {
        Redactor::new(&["sk-secret".to_owned(), "a/b\"c".to_owned(), String::new(), " ".to_owned()])
    }

    #[test]
    fn bodies() {
        let check = |text: &str, expect: &str| {
            assert_eq!(redactor().bytes(text.as_bytes()), expect.as_bytes(), "{text}");
        };
        check("", "");
        check("nothing here", "nothing here");
        check("key sk-secret.", "key REDACTED.");
        check("sk-secretsk-secret", "REDACTEDREDACTED");
        check("{\"k\":\"a/b\\\"c\"}", "{\"k\":\"REDACTED\"}");
        check("?k=a%2Fb%22c", "?k=REDACTED");
        let overlapping = Redactor::new(&["abc".to_owned(), "bcd".to_owned(), "abcx".to_owned()]);
        assert_eq!(overlapping.bytes(b"-abcd-abcx-"), b"-REDACTED-REDACTED-".as_slice());
    }

    #[test]
    fn a_secret_across_pieces() {
        let text = b"one sk-secret two sk-secret";
        for first in 0..text.len() {
            for second in first..text.len() {
                let pieces: Vec<Bytes> = [&text[..first], &text[first..second], &text[second..]]
                    .into_iter()
                    .map(Bytes::copy_from_slice)
                    .collect();
                let clean = redactor().pieces(&pieces);
                assert_eq!(clean.len(), 3);
                assert_eq!(clean.concat(), b"one REDACTED two REDACTED", "{first} {second}");
            }
        }
        let plain = [Bytes::from_static(b"a"), Bytes::from_static(b"b")];
        assert_eq!(redactor().pieces(&plain), plain);
    }

    #[test]
    fn headers_and_urls() {
        let mut headers = HeaderMap::new();
        let secret = [
            "authorization",
            "proxy-authorization",
            "x-api-key",
            "api-key",
            "x-goog-api-key",
            "cookie",
            "set-cookie",
        ];
        for name in secret {
            headers.insert(name, "hidden".parse().unwrap());
        }
        headers.append("set-cookie", "hidden".parse().unwrap());
        let mut sensitive = http::HeaderValue::from_static("hidden");
        sensitive.set_sensitive(true);
        headers.insert("x-own", sensitive);
        headers.insert("x-echo", "got sk-secret".parse().unwrap());
        headers.insert("accept", "*/*".parse().unwrap());
        let clean = redactor().headers(&headers);
        assert_eq!(clean.len(), secret.len() + 4);
        assert!(clean.contains(&("x-echo".to_owned(), "got REDACTED".to_owned())));
        assert!(clean.contains(&("accept".to_owned(), "*/*".to_owned())));
        assert!(!format!("{clean:?}").contains("hidden"));

        let check = |url: &str, expect: &str| {
            assert_eq!(redactor().url(&Url::parse(url).unwrap()), expect);
        };
        check("http://h/v1?a=1&key=hidden&monkey=2", "http://h/v1?a=1&key=REDACTED&monkey=2");
        check("http://h/v1?Access_Token=hidden", "http://h/v1?Access_Token=REDACTED");
        check("http://h/sk-secret/x?y=sk-secret", "http://h/REDACTED/x?y=REDACTED");
        check("http://h/v1", "http://h/v1");
    }
}
