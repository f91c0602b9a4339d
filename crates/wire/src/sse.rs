//! Server-sent events: framing only. WHATWG HTML, section 9.2.6 (lines end with LF, CRLF or CR; a leading
//! byte-order mark is skipped; `:` begins a comment; several `data` lines are joined by LF).

use crate::error::WireError;
use memchr::{memchr2, memrchr};
use std::borrow::Cow;
use std::ops::Range;

/// Most bytes of one event.
pub const EVENT_LIMIT: usize = 8 << 20;

/// One event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The `event` field; empty when there is none.
    pub name: &'a [u8],
    /// The data.
    pub data: &'a [u8],
}

/// Splits bytes into events, in any pieces.
#[derive(Debug, Default)]
pub struct Parser {
    /// The line that is not complete yet.
    line: Vec<u8>,
    name: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    /// The last byte was a CR whose LF, if it comes, belongs to it.
    after_cr: bool,
    begun: bool,
}

impl Parser {
    /// Takes the next bytes; gives each event they complete to `each`.
    pub fn feed(
        &mut self,
        mut bytes: &[u8],
        mut each: impl FnMut(Event<'_>) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        while !bytes.is_empty() {
            if std::mem::take(&mut self.after_cr)
                && let Some(rest) = bytes.strip_prefix(b"\n")
            {
                bytes = rest;
                continue;
            }
            let Some(end) = memchr2(b'\n', b'\r', bytes) else {
                self.line.extend_from_slice(bytes);
                return self.check_size(0);
            };
            let (line, rest) = bytes.split_at_checked(end).unwrap_or((bytes, b""));
            self.after_cr = rest.first() == Some(&b'\r');
            bytes = rest.get(1..).unwrap_or_default();
            if self.line.is_empty() {
                self.check_size(line.len())?;
                self.take_line(line, &mut each)?;
            } else {
                self.line.extend_from_slice(line);
                self.check_size(0)?;
                let line = std::mem::take(&mut self.line);
                self.take_line(&line, &mut each)?;
                self.line = line;
                self.line.clear();
            }
        }
        Ok(())
    }

    /// The input ended: an event that lacks only its blank line is given all the same, since upstreams forget
    /// it on the last one. Whether it is whole is for the dialect to see.
    pub fn finish(
        &mut self,
        mut each: impl FnMut(Event<'_>) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        let line = std::mem::take(&mut self.line);
        if !line.is_empty() {
            self.take_line(&line, &mut each)?;
        }
        self.take_line(b"", &mut each)
    }

    fn check_size(&self, more: usize) -> Result<(), WireError> {
        if self.line.len() + self.data.len() + more > EVENT_LIMIT {
            return Err(WireError::EventTooLarge { limit: EVENT_LIMIT });
        }
        Ok(())
    }

    fn take_line(
        &mut self,
        line: &[u8],
        each: &mut impl FnMut(Event<'_>) -> Result<(), WireError>,
    ) -> Result<(), WireError> {
        let line = if self.begun { line } else { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) };
        self.begun = true;
        if line.is_empty() {
            let result =
                if self.has_data { each(Event { name: &self.name, data: &self.data }) } else { Ok(()) };
            self.name.clear();
            self.data.clear();
            self.has_data = false;
            return result;
        }
        match field(line) {
            (b"data", value) => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            (b"event", value) => {
                self.name.clear();
                self.name.extend_from_slice(value);
            }
            _ => {}
        }
        Ok(())
    }
}

/// A line's field and value; a comment has an empty field.
pub(crate) fn field(line: &[u8]) -> (&[u8], &[u8]) {
    match memchr::memchr(b':', line).and_then(|colon| line.split_at_checked(colon)) {
        Some((name, value)) => {
            let value = value.get(1..).unwrap_or_default();
            (name, value.strip_prefix(b" ").unwrap_or(value))
        }
        None => (line, b""),
    }
}

/// One past the last blank line of `bytes` that ends at `from` or behind it: up to there they hold whole
/// events only. LF and CRLF lines; a stream of lone CRs gives `None` and is held until its end.
pub(crate) fn last_boundary(bytes: &[u8], from: usize) -> Option<usize> {
    let mut end = bytes.len();
    loop {
        let newline = from + memrchr(b'\n', bytes.get(from..end)?)?;
        let before = bytes.get(..newline)?;
        let before = before.strip_suffix(b"\r").unwrap_or(before);
        if before.is_empty() || before.ends_with(b"\n") {
            return Some(newline + 1);
        }
        end = newline;
    }
}

/// An event with the bytes it stands in, its blank line included.
pub(crate) struct WholeEvent<'a> {
    pub(crate) data: Cow<'a, [u8]>,
    /// The `event` field; empty where there is none.
    pub(crate) name: &'a [u8],
    pub(crate) at: Range<usize>,
}

/// The events of `bytes`, which end at an event's end; `first` where they begin the stream.
pub(crate) fn events(bytes: &[u8], first: bool) -> impl Iterator<Item = WholeEvent<'_>> {
    Events { bytes, at: 0, first }
}

struct Events<'a> {
    bytes: &'a [u8],
    at: usize,
    first: bool,
}

impl<'a> Events<'a> {
    fn line(&mut self) -> Option<&'a [u8]> {
        let (begin, rest) = (self.at, self.bytes.get(self.at..)?);
        let end = memchr2(b'\n', b'\r', rest)?;
        let (line, behind) = rest.split_at_checked(end)?;
        self.at += end + if behind.starts_with(b"\r\n") { 2 } else { 1 };
        let marked = self.first && begin == 0;
        Some(if marked { line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line) } else { line })
    }
}

impl<'a> Iterator for Events<'a> {
    type Item = WholeEvent<'a>;

    fn next(&mut self) -> Option<WholeEvent<'a>> {
        let start = self.at;
        let mut data: Option<Cow<'a, [u8]>> = None;
        let mut name: &[u8] = b"";
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Some(WholeEvent { data: data.unwrap_or_default(), name, at: start..self.at });
            }
            match field(line) {
                (b"data", value) => match &mut data {
                    None => data = Some(Cow::Borrowed(value)),
                    Some(joined) => {
                        let joined = joined.to_mut();
                        joined.push(b'\n');
                        joined.extend_from_slice(value);
                    }
                },
                (b"event", value) => name = value,
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(pieces: &[&[u8]]) -> Vec<(String, String)> {
        let mut parser = Parser::default();
        let mut out = Vec::new();
        let mut each = |event: Event<'_>| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            out.push((text(event.name), text(event.data)));
            Ok(())
        };
        for piece in pieces {
            parser.feed(piece, &mut each).unwrap();
        }
        parser.finish(&mut each).unwrap();
        out
    }

    #[test]
    fn events() {
        let check = |input: &str, expect: &[(&str, &str)]| {
            let got = parse(&[input.as_bytes()]);
            let got: Vec<(&str, &str)> = got.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            assert_eq!(got, expect, "{input:?}");
        };
        check("data: a\n\ndata:b\n\n", &[("", "a"), ("", "b")]);
        check("data: a\r\n\r\ndata: b\r\rdata: c\n\n", &[("", "a"), ("", "b"), ("", "c")]);
        check(": comment\n\nevent: x\ndata: 1\ndata: 2\nid: 7\n\n", &[("x", "1\n2")]);
        check("\u{feff}data: a\n\n", &[("", "a")]);
        check("data\n\n", &[("", "")]);
        check("data: no blank line", &[("", "no blank line")]);
        check("event: only\n\n", &[]);
    }

    #[test]
    fn boundaries() {
        let check = |input: &str, expect: Option<usize>| {
            assert_eq!(last_boundary(input.as_bytes(), 0), expect, "{input:?}");
        };
        check("data: a\n\n", Some(9));
        check("data: a\n\ndata: b", Some(9));
        check("data: a\n\ndata: b\n", Some(9));
        check("data: a\r\n\r\n", Some(11));
        check("data: a\n\r\nx", Some(10));
        check("data: a\n", None);
        check("\n", Some(1));
        check("", None);
        assert_eq!(last_boundary(b"data: a\n\ndata: b\n\nc", 9), Some(18));
        assert_eq!(last_boundary(b"data: a\n\nb", 8), Some(9));
        assert_eq!(last_boundary(b"data: a\n\nb", 9), None);
        assert_eq!(last_boundary(b"data: a\n", 7), None);
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same_events(
            lines in prop::collection::vec(("(data|event|id|)", "[ -~é한]{0,8}", "(\n|\r\n|\r|\n\n|\r\n\r\n)"), 0..12),
            cuts in prop::collection::vec(0_usize..200, 0..8),
        ) {
            let lines: Vec<String> = lines.iter().map(|(name, value, end)| format!("{name}:{value}{end}")).collect();
            let text = lines.concat();
            let bytes = text.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(parse(&pieces), parse(&[bytes]));
        }
    }
}
