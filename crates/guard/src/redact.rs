//! Finding and replacing, in text and in JSON.
//!
//! JSON is not parsed: its strings are gone through one after another, those with escapes unescaped, and a
//! replaced number becomes a string, so that what was JSON stays JSON. What looks like JSON and is none is text.
//!
//! A text that holds no mark costs one pass over its bytes for the secrets, and one for the numbers where such are
//! looked for. Measured (`benches/redact.rs`, one busy core): a kilobyte of prose costs 0.2 to 0.6 µs with secrets
//! only, about 2 µs with mail and telephones, about 5 µs with every kind; one full of findings 6 to 12 µs.

use crate::pii::{self, Kinds, Pii};
use crate::secrets::Secrets;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::Arc;

/// Fewer bytes hold nothing.
const LEAST: usize = 6;

/// Secrets of such a length are looked for again, the first so many of a text.
const LONG: usize = 16;
const MANY: usize = 32;

/// Something that must not be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Which bytes.
    pub range: Range<usize>,
    /// What it is: `openai-key`, `email`.
    pub kind: &'static str,
    /// Whether it is a secret, rather than personal data.
    pub secret: bool,
}

impl Finding {
    /// What stands in its place: `[secret:openai-key]`, `[email]`.
    pub fn placeholder(&self) -> String {
        if self.secret { format!("[secret:{}]", self.kind) } else { format!("[{}]", self.kind) }
    }
}

/// What came out, and how much was replaced.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Redacted<T> {
    /// The same without what was found.
    pub value: T,
    /// How many were replaced.
    pub count: usize,
}

/// What is looked for. Cheap to clone.
#[derive(Clone, Default)]
pub struct Redactor {
    secrets: Option<Arc<Secrets>>,
    pii: Kinds,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let pii: Vec<&str> = self.pii().map(Pii::as_str).collect();
        f.debug_struct("Redactor").field("secrets", &self.secrets.is_some()).field("pii", &pii).finish()
    }
}

impl Redactor {
    /// Looks for secrets, or not, and for these kinds of personal data. Dear to make, cheap to clone.
    pub fn new(secrets: bool, pii: impl IntoIterator<Item = Pii>) -> Self {
        Self {
            secrets: secrets.then(Secrets::new).flatten().map(Arc::new),
            pii: pii.into_iter().fold(Kinds::default(), Kinds::with),
        }
    }

    /// The same secrets with other kinds of personal data.
    #[must_use]
    pub fn with_pii(&self, pii: impl IntoIterator<Item = Pii>) -> Self {
        Self { secrets: self.secrets.clone(), pii: pii.into_iter().fold(Kinds::default(), Kinds::with) }
    }

    /// Whether secrets are looked for.
    pub fn finds_secrets(&self) -> bool {
        self.secrets.is_some()
    }

    /// The kinds of personal data that are looked for.
    pub fn pii(&self) -> impl Iterator<Item = Pii> + use<> {
        let kinds = self.pii;
        Pii::ALL.into_iter().filter(move |kind| kinds.has(*kind))
    }

    /// Whether nothing is looked for.
    pub fn is_idle(&self) -> bool {
        self.secrets.is_none() && self.pii.is_empty()
    }

    /// What a text holds, in order, none over another. Where two overlap, the secret stays, then the longer.
    pub fn find(&self, text: &str) -> Vec<Finding> {
        let mut found = Vec::new();
        self.find_in(text.as_bytes(), &mut found);
        found
    }

    fn find_in(&self, text: &[u8], into: &mut Vec<Finding>) {
        into.clear();
        if text.len() < LEAST {
            return;
        }
        let mut found = Vec::new();
        if let Some(secrets) = &self.secrets {
            secrets.find(text, &mut found);
        }
        into.extend(found.drain(..).map(|(range, kind)| Finding { range, kind, secret: true }));
        if !self.pii.is_empty() {
            pii::find(self.pii, text, &mut found);
            into.extend(found.into_iter().map(|(range, kind)| Finding { range, kind, secret: false }));
        }
        if into.len() > 1 {
            into.sort_by_key(|one| one.range.start);
            let mut kept: Vec<Finding> = Vec::with_capacity(into.len());
            for one in into.drain(..) {
                match kept.last_mut() {
                    Some(last) if one.range.start < last.range.end => {
                        // What stands before the last one ends before it, so only these two can overlap.
                        if (one.secret, one.range.len()) > (last.secret, last.range.len()) {
                            *last = one;
                        }
                    }
                    _ => kept.push(one),
                }
            }
            *into = kept;
        }
    }

    /// A text without what it holds; `None` where it holds nothing.
    pub fn text(&self, text: &str) -> Option<Redacted<String>> {
        let mut value = None;
        let count = self.replace(text, &mut value);
        value.map(|value| Redacted { value, count })
    }

    /// What one replacement uncovers (a number next to another) is replaced as well, so that a second go finds
    /// nothing more.
    fn replace(&self, text: &str, into: &mut Option<String>) -> usize {
        let mut found = Vec::new();
        let mut count = 0;
        // Each round removes digits or marks, of which a text has so many; four are more than was ever seen.
        for _ in 0..4 {
            let now = into.as_deref().unwrap_or(text);
            self.find_in(now.as_bytes(), &mut found);
            if found.is_empty() {
                break;
            }
            count += found.len();
            let mut value = String::with_capacity(now.len());
            let mut from = 0;
            for one in &found {
                value.push_str(now.get(from..one.range.start).unwrap_or_default());
                value.push_str(&one.placeholder());
                from = one.range.end;
            }
            value.push_str(now.get(from..).unwrap_or_default());
            // What is known to be a secret is one wherever it stands.
            for one in found.iter().filter(|one| one.secret && one.range.len() >= LONG).take(MANY) {
                if let Some(secret) = now.get(one.range.clone())
                    && value.contains(secret)
                {
                    value = value.replace(secret, &one.placeholder());
                }
            }
            *into = Some(value);
        }
        count
    }

    /// JSON without what its strings, names and numbers hold; `None` where they hold nothing. What is neither JSON
    /// nor text stays as it is around the text that it holds.
    pub fn json(&self, json: &[u8]) -> Option<Redacted<Vec<u8>>> {
        if json.len() < LEAST || self.is_idle() || !self.may_hold(json) {
            return None;
        }
        let mut value = Vec::new();
        let mut count = 0;
        let mut done = 0;
        let mut at = 0;
        let mut replaced = |range: Range<usize>, with: &[u8], done: &mut usize| {
            value.extend_from_slice(json.get(*done..range.start).unwrap_or_default());
            value.extend_from_slice(with);
            *done = range.end;
        };
        while at < json.len() {
            let rest = json.get(at..).unwrap_or_default();
            let quote = memchr::memchr(b'"', rest).map_or(json.len(), |more| at + more);
            if let Some(bare) = json.get(at..quote)
                && let Some((with, found)) = self.bare(bare)
            {
                replaced(at..quote, &with, &mut done);
                count += found;
            }
            let Some(string) = json.get(quote + 1..) else { break };
            let (length, escaped) = string_end(string);
            let inside = string.get(..length).unwrap_or_default();
            if let Some((with, found)) = self.string(inside, escaped) {
                replaced(quote + 1..quote + 1 + length, &with, &mut done);
                count += found;
            }
            at = quote + length + 2;
        }
        if count == 0 {
            return None;
        }
        value.extend_from_slice(json.get(done..).unwrap_or_default());
        Some(Redacted { value, count })
    }

    /// A quick look, that is never wrong about there being something.
    fn may_hold(&self, json: &[u8]) -> bool {
        if !self.pii.is_empty() {
            return true;
        }
        // Escapes may hide a mark.
        self.secrets.as_ref().is_some_and(|secrets| secrets.suspects(json))
            || memchr::memmem::find(json, b"\\u00").is_some()
            || memchr::memmem::find(json, b"\\/").is_some()
    }

    fn string(&self, inside: &[u8], escaped: bool) -> Option<(Vec<u8>, usize)> {
        if inside.len() < LEAST {
            return None;
        }
        let unescaped = if escaped { unescape(inside) } else { None };
        let text = match &unescaped {
            Some(text) => Cow::Borrowed(text.as_str()),
            None => match std::str::from_utf8(inside) {
                Ok(text) => Cow::Borrowed(text),
                Err(_) => return self.chunks(inside),
            },
        };
        let Redacted { value, count } = self.text(&text)?;
        if unescaped.is_none() {
            return Some((value.into_bytes(), count));
        }
        let quoted = serde_json::to_string(&value).ok()?;
        Some((quoted.get(1..quoted.len() - 1)?.as_bytes().to_vec(), count))
    }

    /// What stands outside strings. A number that is replaced becomes a string where it is a value of JSON.
    fn bare(&self, bare: &[u8]) -> Option<(Vec<u8>, usize)> {
        let digits = bare.len() >= LEAST && bare.iter().any(u8::is_ascii_alphanumeric);
        if !digits {
            return None;
        }
        let Ok(text) = std::str::from_utf8(bare) else { return self.chunks(bare) };
        let found = self.find(text);
        let structured = bare.iter().any(|byte| b":[]{},".contains(byte));
        let mut value = Vec::with_capacity(bare.len());
        let mut from = 0;
        for one in &found {
            let before = text.get(from..one.range.start).unwrap_or_default();
            let is_value = |byte: Option<&u8>| byte.is_none_or(|byte| b":,[]}{ \n\r\t".contains(byte));
            let number =
                bare.get(one.range.clone()).is_some_and(|bytes| bytes.iter().all(u8::is_ascii_digit))
                    && is_value(one.range.start.checked_sub(1).and_then(|at| bare.get(at)))
                    && is_value(bare.get(one.range.end));
            value.extend_from_slice(before.as_bytes());
            let placeholder = one.placeholder();
            let quoted = if number && structured { format!("\"{placeholder}\"") } else { placeholder };
            value.extend_from_slice(quoted.as_bytes());
            from = one.range.end;
        }
        value.extend_from_slice(text.get(from..).unwrap_or_default().as_bytes());
        (!found.is_empty()).then_some((value, found.len()))
    }

    /// Bytes that are not all text: the text among them.
    fn chunks(&self, bytes: &[u8]) -> Option<(Vec<u8>, usize)> {
        let (mut value, mut count) = (Vec::with_capacity(bytes.len()), 0);
        for chunk in bytes.utf8_chunks() {
            match self.text(chunk.valid()) {
                Some(redacted) => {
                    value.extend_from_slice(redacted.value.as_bytes());
                    count += redacted.count;
                }
                None => value.extend_from_slice(chunk.valid().as_bytes()),
            }
            value.extend_from_slice(chunk.invalid());
        }
        (count > 0).then_some((value, count))
    }
}

/// Where a string ends, and whether it holds escapes.
fn string_end(string: &[u8]) -> (usize, bool) {
    let (mut from, mut escaped) = (0, false);
    loop {
        let rest = string.get(from..).unwrap_or_default();
        let Some(more) = memchr::memchr2(b'"', b'\\', rest) else { return (string.len(), escaped) };
        if rest.get(more) == Some(&b'"') {
            return (from + more, escaped);
        }
        escaped = true;
        from += more + 2;
        if from >= string.len() {
            return (string.len(), escaped);
        }
    }
}

/// `None` where it is no string of JSON.
fn unescape(inside: &[u8]) -> Option<String> {
    let mut quoted = Vec::with_capacity(inside.len() + 2);
    quoted.push(b'"');
    quoted.extend_from_slice(inside);
    quoted.push(b'"');
    serde_json::from_slice(&quoted).ok()
}
