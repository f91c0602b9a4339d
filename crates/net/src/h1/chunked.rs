//! A body in chunks (RFC 9112, 7.1).

use super::Malformed;
use super::framing::cut;
use bytes::{Buf as _, Bytes, BytesMut};

/// The longest line of a chunk's size, extensions included.
const LONGEST_LINE: u16 = 4 << 10;
/// The longest trailers.
const LONGEST_TRAILERS: u16 = 16 << 10;

/// Where in the body the next byte stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Chunked {
    at: At,
    /// Of the chunk's size, as read so far; within the data, what is left of it.
    size: u64,
    /// How much was read of the line, or of the trailers.
    line: u16,
    /// What is wrong, where something good came before it.
    fault: Option<Malformed>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum At {
    /// Before the first digit of a size.
    #[default]
    Size,
    /// Behind a digit.
    Digits,
    /// Behind the digits, in space that some servers pad them with.
    Padding,
    /// In extensions, which say nothing to anybody here.
    Extension,
    /// Behind the CR of the size's line.
    SizeEnd,
    Data,
    /// Behind the data.
    DataCr,
    /// Behind the CR behind the data.
    DataLf,
    /// At the beginning of a trailer, or of the empty line that ends them.
    Trailer,
    /// Within one.
    TrailerText,
    /// Behind the CR of one.
    TrailerLf,
    /// Behind the CR of the empty line.
    LastLf,
    Done,
}

impl Chunked {
    pub(super) fn is_done(&self) -> bool {
        self.at == At::Done
    }

    /// Takes the data of all chunks in `buf`, also of those that are not there as a whole, as one piece. The
    /// data of a single chunk is not put together anew. What is malformed is said once all before it is
    /// taken.
    pub(super) fn take(&mut self, buf: &mut BytesMut) -> Result<Option<Bytes>, Malformed> {
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        let mut joined = BytesMut::new();
        let (mut from, mut len, mut here) = (0, 0, 0);
        let bytes: &[u8] = buf;
        while let Some(&byte) = bytes.get(here)
            && self.at != At::Done
        {
            if self.at != At::Data {
                here += 1;
                if let Err(fault) = self.step(byte) {
                    self.fault = Some(fault);
                    break;
                }
                continue;
            }
            let there = bytes.len() - here;
            let now = usize::try_from(self.size).map_or(there, |left| left.min(there));
            if len == 0 {
                (from, len) = (here, now);
            } else {
                if joined.is_empty() {
                    // No more than this can be data.
                    joined.reserve(bytes.len() - from);
                    joined.extend_from_slice(bytes.get(from..from + len).unwrap_or_default());
                }
                joined.extend_from_slice(bytes.get(here..here + now).unwrap_or_default());
            }
            here += now;
            self.size = self.size.saturating_sub(now as u64);
            if self.size == 0 {
                self.at = At::DataCr;
            }
        }
        let piece = if joined.is_empty() {
            let piece = cut(buf, from, len);
            buf.advance(here - from - len);
            piece
        } else {
            buf.advance(here);
            Some(joined.freeze())
        };
        match self.fault {
            Some(fault) if piece.is_none() => Err(fault),
            _ => Ok(piece),
        }
    }

    /// Takes one byte that is not data.
    fn step(&mut self, byte: u8) -> Result<(), Malformed> {
        let (limit, too_long) = match self.at {
            At::Trailer | At::TrailerText | At::TrailerLf | At::LastLf => {
                (LONGEST_TRAILERS, Malformed::Trailers)
            }
            _ => (LONGEST_LINE, Malformed::ChunkLine),
        };
        self.line += 1;
        if self.line > limit {
            return Err(too_long);
        }
        self.at = match (self.at, byte) {
            (At::Size | At::Digits, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                self.size = self.size.checked_mul(16).ok_or(Malformed::ChunkSize)? + digit;
                At::Digits
            }
            (At::Digits | At::Padding, b' ' | b'\t') => At::Padding,
            (At::Digits | At::Padding | At::Extension, b'\r') => At::SizeEnd,
            (At::Digits | At::Padding, b';') | (At::Extension, b'\t' | b' '..=b'~' | 0x80..) => At::Extension,
            (At::SizeEnd, b'\n') => {
                self.line = 0;
                if self.size == 0 { At::Trailer } else { At::Data }
            }
            (At::DataCr, b'\r') => At::DataLf,
            (At::DataLf, b'\n') => {
                self.line = 0;
                At::Size
            }
            (At::Trailer, b'\r') => At::LastLf,
            (At::TrailerText, b'\r') => At::TrailerLf,
            (At::Trailer, b'!'..=b'~') | (At::TrailerText, b'\t' | b' '..=b'~' | 0x80..) => At::TrailerText,
            (At::TrailerLf, b'\n') => At::Trailer,
            (At::LastLf, b'\n') => At::Done,
            (At::Size | At::Digits | At::Padding | At::Extension | At::SizeEnd, _) => {
                return Err(Malformed::ChunkSize);
            }
            (At::DataCr | At::DataLf, _) => return Err(Malformed::ChunkEnd),
            (At::Trailer | At::TrailerText | At::TrailerLf | At::LastLf, _) => {
                return Err(Malformed::Trailers);
            }
            // Neither of them is asked for a byte of its own.
            (at @ (At::Data | At::Done), _) => at,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The data, what was left in the buffer, and the end: whole, malformed, or not yet.
    type Outcome = (Vec<u8>, Vec<u8>, Option<Result<(), Malformed>>);

    /// Decodes what comes in these parts.
    fn decode(parts: &[&[u8]]) -> Outcome {
        let (mut chunked, mut buf, mut data) = (Chunked::default(), BytesMut::new(), Vec::new());
        for part in parts {
            buf.extend_from_slice(part);
            loop {
                match chunked.take(&mut buf) {
                    Ok(Some(piece)) => {
                        assert!(!piece.is_empty());
                        data.extend_from_slice(&piece);
                    }
                    Ok(None) => break,
                    Err(fault) => {
                        assert_eq!(chunked.take(&mut buf), Err(fault), "it stays so");
                        return (data, Vec::new(), Some(Err(fault)));
                    }
                }
            }
            assert!(chunked.is_done() || buf.is_empty(), "all is taken");
        }
        let end = chunked.is_done().then_some(Ok(()));
        (data, buf.to_vec(), end)
    }

    /// The same text in two parts, at every place.
    fn check(text: &str, data: &str, end: Option<Result<&str, Malformed>>) {
        let text = text.replace('\n', "\r\n").replace('\u{2424}', "\n");
        let rest = end.and_then(Result::ok).unwrap_or_default().as_bytes().to_vec();
        let expect = (data.as_bytes().to_vec(), rest, end.map(|end| end.map(|_| ())));
        for at in 0..=text.len() {
            let (one, two) = text.as_bytes().split_at(at);
            assert_eq!(decode(&[one, two]), expect, "{text:?} at {at}");
        }
    }

    #[test]
    fn bodies() {
        check("3\nabc\n0\n\n", "abc", Some(Ok("")));
        check("0\n\n", "", Some(Ok("")));
        check("1\na\n000b\n0123456789a\n00\n\nHTTP", "a0123456789a", Some(Ok("HTTP")));
        check("A;name=value;x=\"y z\"\n0123456789\n0;last\n\n", "0123456789", Some(Ok("")));
        check("3  \nabc\n3\t;x\ndef\n0\n\n", "abcdef", Some(Ok("")));
        check("1\na\n0\nname: value\nother: v\u{e9}\n\n!", "a", Some(Ok("!")));
        check("3\nabc\n0\n", "abc", None);
        check("5\nabc", "abc", None);
        check("", "", None);

        let bad = |fault| Some(Err(fault));
        for size in [
            "\n",
            "x\n",
            "-1\n",
            "+1\n",
            "0x1\n",
            " 1\n",
            "1 1\n",
            "1\u{2424}",
            "1;a\u{2424}",
            "1;\0\n",
            ";a\n",
        ] {
            check(&format!("1\na\n{size}"), "a", bad(Malformed::ChunkSize));
        }
        check("ffffffffffffffff1\n", "", bad(Malformed::ChunkSize));
        check("1\nab\n0\n\n", "a", bad(Malformed::ChunkEnd));
        check("1\na\u{2424}0\n\n", "a", bad(Malformed::ChunkEnd));
        for trailers in ["a: b\u{2424}\n", " folded\n\n", "a: \0\n\n", "\u{2424}"] {
            check(&format!("1\na\n0\n{trailers}"), "a", bad(Malformed::Trailers));
        }
    }

    #[test]
    fn lines_have_limits() {
        let line = |len: usize| format!("1;{}\r\na\r\n0\r\n\r\n", "x".repeat(len));
        let limit = usize::from(LONGEST_LINE);
        assert_eq!(decode(&[line(limit - 4).as_bytes()]).2, Some(Ok(())));
        assert_eq!(decode(&[line(limit - 3).as_bytes()]).2, Some(Err(Malformed::ChunkLine)));
        let trailers = |count: usize| format!("0\r\n{}\r\n", "a: b\r\n".repeat(count));
        let limit = usize::from(LONGEST_TRAILERS) / 6;
        assert_eq!(decode(&[trailers(limit).as_bytes()]).2, Some(Ok(())));
        assert_eq!(decode(&[trailers(limit + 1).as_bytes()]).2, Some(Err(Malformed::Trailers)));
        // Extensions are not counted over the whole body: a long stream may have some with each chunk.
        let body = "1;signature=0123456789abcdef\r\na\r\n".repeat(10_000) + "0\r\n\r\n";
        assert_eq!(decode(&[body.as_bytes()]), (vec![b'a'; 10_000], Vec::new(), Some(Ok(()))));
    }

    #[test]
    fn a_single_chunk_is_not_copied_where_it_fills_the_buffer() {
        let mut buf = BytesMut::with_capacity(1 << 10);
        buf.extend_from_slice(b"384\r\n");
        buf.resize(5 + 900, b'x');
        let before = buf.as_ptr().addr();
        let piece = Chunked::default().take(&mut buf).unwrap().unwrap();
        assert_eq!((piece.len(), piece.as_ptr().addr()), (900, before + 5));
    }

    /// Cuts `bytes` at these places.
    fn parts<'b>(bytes: &'b [u8], cuts: &[prop::sample::Index]) -> Vec<&'b [u8]> {
        let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
        places.extend([0, bytes.len()]);
        places.sort_unstable();
        places.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
    }

    proptest! {
        #[test]
        fn any_split_gives_the_same(
            chunks in prop::collection::vec((prop::collection::vec(any::<u8>(), 1..300), "( |;[a-z=\"]{0,9})?"), 0..20),
            trailers in prop::collection::vec("[a-z]{1,9}: [ -~]{0,9}", 0..3),
            behind in prop::collection::vec(any::<u8>(), 0..9),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        ) {
            let (mut text, mut data) = (Vec::new(), Vec::new());
            for (chunk, extension) in &chunks {
                text.extend(format!("{:X}{extension}\r\n", chunk.len()).into_bytes());
                text.extend(chunk);
                text.extend(b"\r\n");
                data.extend(chunk);
            }
            text.extend(b"0\r\n");
            for trailer in &trailers {
                text.extend(format!("{trailer}\r\n").into_bytes());
            }
            text.extend(b"\r\n");
            text.extend(&behind);
            prop_assert_eq!(decode(&parts(&text, &cuts)), (data, behind, Some(Ok(()))));
        }

        #[test]
        fn any_bytes_are_read_one_way(
            text in "([0-9a-f]|\r\n|\r|\n|;| |0\r\n|1\r\n|\r\n\r\n|3\r\nabc\r\n|x){0,40}",
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let whole = decode(&[text.as_bytes()]);
            prop_assert!(whole.0.len() <= text.len());
            prop_assert_eq!(decode(&parts(text.as_bytes(), &cuts)), whole);
        }
    }
}
