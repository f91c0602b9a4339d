//! New inputs from old ones: bytes, JSON, and the events of streams, put wrong in the ways that peers,
//! proxies and clients put them wrong, and in some that nobody has met yet.

use fastrand::Rng;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Larger inputs show nothing that smaller ones do not.
pub(crate) const LONGEST: usize = 32 << 10;

/// JSON as text that no parsed value can hold: numbers beyond range, lone surrogates, bad escapes.
const RAW: &[&str] = &[
    "1e999",
    "-1e999",
    "1e-999",
    "18446744073709551615",
    "18446744073709551616",
    "-9223372036854775809",
    "9223372036854775807",
    "4294967296",
    "-1",
    "-0",
    "-0.0",
    "0.1e1",
    "1.0",
    "1e3",
    "01",
    "+1",
    ".5",
    "NaN",
    "Infinity",
    "\"\\ud800\"",
    "\"\\udc00x\"",
    "\"\\ud83d\\ude00\"",
    "\"\\u0000\"",
    "\"\\x\"",
    "\"\\u12\"",
    "\"\u{feff}\"",
    "\"\u{2028}\u{202e}\"",
    "\"e\u{301}\u{1f469}\u{200d}\u{1f52c}\"",
    "\"\"",
    "null",
    "true",
    "false",
    "[]",
    "{}",
    "[[]]",
    "[null]",
    "\"data: [DONE]\\n\\n\"",
    "\"auto\"",
    "\"2024-01-01\"",
];

/// Bytes that mean something to a framing or to UTF-8.
const BYTES: &[&[u8]] = &[
    b"\r",
    b"\n",
    b"\r\n",
    b"\n\n",
    b"\0",
    b"\"",
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b" ",
    b"data:",
    b"data: ",
    b"data: [DONE]\n\n",
    b"event: ",
    b"event: error\n",
    b": ping\n\n",
    b"id: 1\n",
    b"retry: 1\n",
    b"\xEF\xBB\xBF",
    b"\xED\xA0\x80",
    b"\xC0\x80",
    b"\xFF",
    b"\xF0\x9F\x98",
    b"\xE2\x80\xA8",
    b"\\u",
    b"--",
    b"Content-Disposition: form-data; name=\"model\"\r\n\r\n",
    b"\r\n\r\n",
];

/// Stands in a value for the text of [`RAW`] of this number.
const MARK: &str = "@raw:";

/// Names and values that the fixtures of all dialects hold.
#[derive(Debug, Default)]
pub(crate) struct Words {
    names: Vec<String>,
    values: Vec<Value>,
}

impl Words {
    /// Collects from inputs, whatever they are.
    pub(crate) fn of<'a>(inputs: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut names = BTreeSet::new();
        let mut values = BTreeSet::new();
        for input in inputs {
            for line in std::iter::once(input).chain(input.split(|byte| *byte == b'\n')) {
                let line = line.strip_prefix(b"data:").unwrap_or(line);
                if let Ok(value) = serde_json::from_slice(line) {
                    collect(&value, &mut names, &mut values);
                }
            }
        }
        let values = values.iter().filter_map(|text| serde_json::from_str(text).ok()).collect();
        Self { names: names.into_iter().collect(), values }
    }
}

fn collect(value: &Value, names: &mut BTreeSet<String>, values: &mut BTreeSet<String>) {
    let text = value.to_string();
    if text.len() <= 200 {
        values.insert(text);
    }
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, names, values)),
        Value::Object(members) => {
            for (name, member) in members {
                names.insert(name.clone());
                collect(member, names, values);
            }
        }
        _ => {}
    }
}

/// Makes inputs.
pub(crate) struct Mutator<'a> {
    pub(crate) rng: Rng,
    pub(crate) words: &'a Words,
}

impl Mutator<'_> {
    /// A changed copy of `input`, with pieces of `other`.
    pub(crate) fn mutate(&mut self, input: &[u8], other: &[u8]) -> Vec<u8> {
        let mut bytes = input.to_vec();
        let changes = self.rng.usize(1..4);
        for done in 0..8 {
            // Some changes change nothing.
            if done >= changes && bytes != input {
                break;
            }
            bytes = match self.rng.u8(0..10) {
                0..=2 => self.bytes(bytes, other),
                3..=7 => self.json(&bytes, other).unwrap_or_else(|| self.bytes(bytes, other)),
                _ => self.lines(&bytes, other),
            };
            bytes.truncate(LONGEST);
        }
        bytes
    }

    fn bytes(&mut self, mut bytes: Vec<u8>, other: &[u8]) -> Vec<u8> {
        let at = self.rng.usize(0..=bytes.len());
        let end = (at + self.length()).min(bytes.len());
        match self.rng.u8(0..11) {
            0 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << self.rng.u8(0..8);
                }
            }
            1 => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = self.rng.u8(..);
                }
            }
            2 => drop(bytes.drain(at..end)),
            3 => {
                let copy = bytes.get(at..end).unwrap_or_default().to_vec();
                let to = self.rng.usize(0..=bytes.len());
                bytes.splice(to..to, copy);
            }
            4 => {
                let copy = bytes.get(at..end).unwrap_or_default().to_vec();
                for _ in 0..self.rng.usize(2..40) {
                    bytes.splice(at..at, copy.iter().copied());
                }
            }
            5 => {
                let from = self.rng.usize(0..=other.len());
                let to = (from + self.length()).min(other.len());
                bytes.splice(at..end, other.get(from..to).unwrap_or_default().iter().copied());
            }
            6 => bytes.truncate(at),
            7 => {
                let token = self.rng.choice(BYTES).copied().unwrap_or_default();
                bytes.splice(at..at, token.iter().copied());
            }
            8 => {
                let token = self.rng.choice(RAW).copied().unwrap_or_default();
                bytes.splice(at..at, token.bytes());
            }
            9 => {
                // A number for another.
                let digit = bytes.iter().skip(at).position(u8::is_ascii_digit).map(|found| at + found);
                if let Some(from) = digit {
                    let rest = bytes.get(from..).unwrap_or_default();
                    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
                    let token = self.rng.choice(RAW.get(..14).unwrap_or(RAW)).copied().unwrap_or_default();
                    bytes.splice(from..from + digits, token.bytes());
                }
            }
            _ => {
                // A member that stands twice.
                let open = bytes.iter().skip(at).position(|byte| *byte == b'{').map(|found| at + found + 1);
                if let (Some(open), Some(name)) = (open, self.name()) {
                    let member = format!("{}:{},", Value::String(name), self.value());
                    bytes.splice(open..open, member.into_bytes());
                }
            }
        }
        bytes
    }

    /// Mostly short.
    fn length(&mut self) -> usize {
        let most = 1 << self.rng.u32(0..11);
        self.rng.usize(0..most)
    }

    /// One JSON document, changed inside.
    fn json(&mut self, bytes: &[u8], other: &[u8]) -> Option<Vec<u8>> {
        let Ok(mut value) = serde_json::from_slice::<Value>(bytes) else { return self.event(bytes, other) };
        let donor = serde_json::from_slice(other).unwrap_or(Value::Null);
        for _ in 0..=self.rng.usize(0..2) {
            self.change(&mut value, &donor);
        }
        Some(self.write(&value))
    }

    /// One line of JSON among others.
    fn event(&mut self, bytes: &[u8], other: &[u8]) -> Option<Vec<u8>> {
        let mut lines: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let (line, mut value) = self.line_of_json(&lines)?;
        let others: Vec<Vec<u8>> = other.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
        let donor = self.line_of_json(&others).map_or(Value::Null, |(_, donor)| donor);
        self.change(&mut value, &donor);
        let written = self.write(&value);
        let line = lines.get_mut(line)?;
        let mark = if line.starts_with(b"data: ") {
            b"data: ".as_slice()
        } else if line.starts_with(b"data:") {
            b"data:".as_slice()
        } else {
            b"".as_slice()
        };
        let ending = if line.ends_with(b"\r") { b"\r".as_slice() } else { b"" };
        *line = [mark, &written, ending].concat();
        Some(lines.join(&b'\n'))
    }

    fn line_of_json(&mut self, lines: &[Vec<u8>]) -> Option<(usize, Value)> {
        if lines.is_empty() {
            return None;
        }
        let first = self.rng.usize(0..lines.len());
        (first..lines.len()).chain(0..first).take(8).find_map(|at| {
            let line = lines.get(at)?;
            let json = line.strip_prefix(b"data:").unwrap_or(line);
            Some((at, serde_json::from_slice(json).ok()?))
        })
    }

    fn change(&mut self, value: &mut Value, donor: &Value) {
        let depth = self.rng.usize(0..6);
        let Some(node) = self.descend(value, depth) else { return };
        match self.rng.u8(0..10) {
            0 | 1 => *node = self.value(),
            2 => *node = Value::String(format!("{MARK}{}", self.rng.usize(0..RAW.len()))),
            3 => {
                let mut donor = donor.clone();
                let depth = self.rng.usize(0..6);
                if let Some(found) = self.descend(&mut donor, depth) {
                    *node = found.take();
                }
            }
            4 => {
                let levels = if self.rng.u8(0..4) == 0 { self.rng.usize(2..200) } else { 1 };
                for _ in 0..levels {
                    let inner = node.take();
                    *node = if self.rng.bool() {
                        Value::Array(vec![inner])
                    } else {
                        Value::Object(Map::from_iter([("x".to_owned(), inner)]))
                    };
                }
            }
            5 => {
                if let Value::Array(items) = node
                    && !items.is_empty()
                {
                    let at = self.rng.usize(0..items.len());
                    match self.rng.u8(0..3) {
                        0 => drop(items.remove(at)),
                        1 => {
                            let copy = items.get(at).cloned().unwrap_or_default();
                            let times = self.rng.usize(1..12);
                            items.extend(std::iter::repeat_n(copy, times));
                        }
                        _ => {
                            let to = self.rng.usize(0..items.len());
                            items.swap(at, to);
                        }
                    }
                }
            }
            6 => {
                if let (Value::Object(members), Some(name)) = (&mut *node, self.name()) {
                    let value = self.value();
                    members.insert(name, value);
                }
            }
            _ => {
                if let Value::Object(members) = node
                    && !members.is_empty()
                {
                    let at = self.rng.usize(0..members.len());
                    let name = members.keys().nth(at).cloned().unwrap_or_default();
                    let member = members.shift_remove(&name).unwrap_or_default();
                    if self.rng.bool()
                        && let Some(other) = self.name()
                    {
                        members.insert(other, member);
                    }
                }
            }
        }
    }

    /// Some node below, at most so deep.
    fn descend<'v>(&mut self, value: &'v mut Value, depth: usize) -> Option<&'v mut Value> {
        let inside = match value {
            Value::Array(items) => items.len(),
            Value::Object(members) => members.len(),
            _ => 0,
        };
        if depth == 0 || inside == 0 {
            return Some(value);
        }
        let at = self.rng.usize(0..inside);
        let child = match value {
            Value::Array(items) => items.get_mut(at),
            Value::Object(members) => members.values_mut().nth(at),
            _ => None,
        };
        self.descend(child?, depth - 1)
    }

    fn name(&mut self) -> Option<String> {
        self.rng.choice(&self.words.names).cloned()
    }

    fn value(&mut self) -> Value {
        match self.rng.u8(0..8) {
            0 => Value::Null,
            1 => Value::from(self.rng.i64(-2..300)),
            2 => Value::String((0..self.length()).map(|_| self.rng.char(..)).collect()),
            _ => self.rng.choice(&self.words.values).cloned().unwrap_or_default(),
        }
    }

    /// The text of a value, marks replaced.
    fn write(&mut self, value: &Value) -> Vec<u8> {
        let pretty = self.rng.u8(0..12) == 0;
        let written = if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
        let mut text = written.unwrap_or_default();
        for (number, raw) in RAW.iter().enumerate() {
            let mark = format!("\"{MARK}{number}\"");
            if text.contains(&mark) {
                text = text.replace(&mark, raw);
            }
        }
        if self.rng.u8(0..16) == 0 {
            // Escaped as some encoders do.
            text = text.replace('/', "\\/").replace("type", "\\u0074ype");
        }
        text.into_bytes()
    }

    /// Whole events or lines, moved about.
    fn lines(&mut self, bytes: &[u8], other: &[u8]) -> Vec<u8> {
        let text = bytes.to_vec();
        let blank = memchr::memmem::find(&text, b"\n\n").is_some();
        let apart: &[u8] = if blank { b"\n\n" } else { b"\n" };
        let mut events = split(&text, apart);
        let donors = split(other, apart);
        let at = self.rng.usize(0..events.len().max(1)).min(events.len());
        match self.rng.u8(0..9) {
            0 if at < events.len() => drop(events.remove(at)),
            1 => {
                if let Some(event) = events.get(at).cloned() {
                    events.insert(at, event);
                }
            }
            2 => {
                let to = self.rng.usize(0..events.len().max(1));
                if at < events.len() && to < events.len() {
                    events.swap(at, to);
                }
            }
            3 | 4 => {
                if let Some(event) = self.rng.choice(&donors).cloned() {
                    events.insert(at, event);
                }
            }
            5 => events.truncate(at),
            6 => {
                let ending: &[u8] = if self.rng.bool() { b"\r\n" } else { b"\r" };
                return split(&text, b"\n").join(ending);
            }
            7 => events.insert(at, b": ping".to_vec()),
            _ => {
                let mut tail = donors;
                events.truncate(at);
                let from = self.rng.usize(0..tail.len().max(1)).min(tail.len());
                events.extend(tail.drain(from..));
            }
        }
        events.join(apart)
    }
}

fn split(bytes: &[u8], apart: &[u8]) -> Vec<Vec<u8>> {
    let mut from = 0;
    let mut pieces = Vec::new();
    for at in memchr::memmem::find_iter(bytes, apart) {
        pieces.push(bytes.get(from..at).unwrap_or_default().to_vec());
        from = at + apart.len();
    }
    pieces.push(bytes.get(from..).unwrap_or_default().to_vec());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_and_most_differ() {
        let input = br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#.as_slice();
        let stream = b"data: {\"a\":1}\n\ndata: [DONE]\n\n".as_slice();
        let words = Words::of([input, stream]);
        assert!(words.names.contains(&"role".to_owned()) && words.names.contains(&"a".to_owned()));
        let run = |seed| {
            let mut mutator = Mutator { rng: Rng::with_seed(seed), words: &words };
            (0..300).map(|_| mutator.mutate(input, stream)).collect::<Vec<_>>()
        };
        let made = run(1);
        assert_eq!(made, run(1));
        assert_ne!(made, run(2));
        assert!(made.iter().collect::<BTreeSet<_>>().len() > 200);
        // Enough of it stays JSON to get past the parser.
        assert!(made.iter().filter(|bytes| serde_json::from_slice::<Value>(bytes).is_ok()).count() > 60);
    }
}
