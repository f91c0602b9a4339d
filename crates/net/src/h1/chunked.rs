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
            At::Trailer | At::TrailerText | At::TrailerLf => (LONGEST_TRAILERS, Malformed::Trailers),
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
            (At::Digits | At::Padding, b';') => At::Extension,
            (At::Digits | At::Padding | At::Extension, b'\r') => At::SizeEnd,
            (At::Extension, b'\t' | b' '..=b'~' | 0x80..) => At::Extension,
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
            (At::Trailer, b'!'..=b'~') => At::TrailerText,
            (At::TrailerText, b'\r') => At::TrailerLf,
            (At::TrailerText, b'\t' | b' '..=b'~' | 0x80..) => At::TrailerText,
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
