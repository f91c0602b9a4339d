//! Chunks that differ in one string only, as nearly all of a stream's do.

use crate::members::place;
use serde_json::value::RawValue;

/// A chunk that was read in full, but for one of its strings. Another chunk that is the same but for that
/// string need not be read again: it says the same, with another text there. Reading is most of what a
/// stream costs.
#[derive(Default)]
pub(crate) struct Template {
    /// Up to and with the quote before the string; empty where nothing was learnt.
    before: Vec<u8>,
    /// From the quote behind it.
    after: Vec<u8>,
}

impl Template {
    /// Learns `chunk`, valid JSON, of which `string` is a value.
    pub(crate) fn learn(&mut self, chunk: &str, string: &RawValue) {
        self.before.clear();
        self.after.clear();
        let at = place(chunk, string);
        let (Some(before), Some(after)) = (chunk.get(..=at.start), chunk.get(at.end.saturating_sub(1)..))
        else {
            return;
        };
        if before.ends_with('"') && after.starts_with('"') {
            self.before.extend_from_slice(before.as_bytes());
            self.after.extend_from_slice(after.as_bytes());
        }
    }

    /// The string, where `chunk` is the learnt one but for it. `None` sends the caller the long way: so where
    /// the string has escapes, or is none.
    pub(crate) fn string<'a>(&self, chunk: &'a [u8]) -> Option<&'a str> {
        if self.before.is_empty() {
            return None;
        }
        let string = chunk.strip_prefix(&*self.before)?.strip_suffix(&*self.after)?;
        let plain = string.iter().all(|byte| *byte >= b' ' && *byte != b'"' && *byte != b'\\');
        if plain { std::str::from_utf8(string).ok() } else { None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize)]
    struct Chunk<'a> {
        #[serde(borrow)]
        text: &'a RawValue,
    }

    #[test]
    fn one_string_differs() {
        let learnt = |chunk: &str| {
            let mut template = Template::default();
            template.learn(chunk, serde_json::from_str::<Chunk<'_>>(chunk).unwrap().text);
            template
        };
        let check = |chunk: &[u8], expect: Option<&str>| {
            let template = learnt(r#"{"a":1, "text": "hi", "b":"x"}"#);
            assert_eq!(template.string(chunk), expect, "{:?}", String::from_utf8_lossy(chunk));
        };
        check(br#"{"a":1, "text": "there", "b":"x"}"#, Some("there"));
        check("{\"a\":1, \"text\": \"거기\", \"b\":\"x\"}".as_bytes(), Some("거기"));
        check(br#"{"a":1, "text": "", "b":"x"}"#, Some(""));
        check(br#"{"a":1, "text": "a\n", "b":"x"}"#, None);
        check(br#"{"a":1, "text": "a", "b":"x", "b":"x"}"#, None);
        check(b"{\"a\":1, \"text\": \"a\n\", \"b\":\"x\"}", None);
        check(b"{\"a\":1, \"text\": \"\xff\", \"b\":\"x\"}", None);
        check(br#"{"a":1, "text": ", "b":"x"}"#, None);
        check(br#"{"a":2, "text": "hi", "b":"x"}"#, None);
        check(br#"{"a":1, "text": null, "b":"x"}"#, None);
        check(b"", None);
        assert_eq!(learnt(r#"{"text":null}"#).string(br#"{"text":null}"#), None);
        assert_eq!(learnt(r#"{"text":["a"]}"#).string(br#"{"text":["a"]}"#), None);
    }
}
