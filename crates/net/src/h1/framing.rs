//! Where the body of an answer ends (RFC 9112, 6.3), and what of the buffer is body.

use super::Malformed;
use super::chunked::Chunked;
use super::head::tokens;
use bytes::{Buf as _, Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, Method, StatusCode};

/// What is still to come of a body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// So many bytes.
    Length(u64),
    /// Chunks, up to the empty one and the trailers.
    Chunked(Chunked),
    /// All up to the close.
    Close,
}

impl Framing {
    pub(super) fn chunked() -> Self {
        Self::Chunked(Chunked::default())
    }

    /// How the body behind this head is framed. An answer that says it in two ways is refused, whichever of
    /// them would count: someone on the way may have read it the other way.
    pub(super) fn of(
        status: StatusCode,
        method: &Method,
        headers: &HeaderMap,
        one_one: bool,
    ) -> Result<Self, Malformed> {
        match status.as_u16() {
            101 => return Err(Malformed::Upgrade),
            100..=199 | 204 | 304 => return Ok(Self::Length(0)),
            _ if *method == Method::HEAD => return Ok(Self::Length(0)),
            _ => {}
        }
        let length = length(headers)?;
        if !headers.contains_key(TRANSFER_ENCODING) {
            return Ok(length.map_or(Self::Close, Self::Length));
        }
        if length.is_some() {
            return Err(Malformed::Ambiguous);
        }
        // No other coding was asked for, and HTTP/1.0 knows none.
        let mut codings = tokens(headers, &TRANSFER_ENCODING);
        let plain = codings.next().is_some_and(|coding| coding.eq_ignore_ascii_case("chunked"));
        if one_one && plain && codings.next().is_none() {
            Ok(Self::chunked())
        } else {
            Err(Malformed::TransferEncoding)
        }
    }

    /// Whether nothing is to come.
    pub(super) fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunked) => chunked.is_done(),
            Self::Close => false,
        }
    }

    /// How much is to come, where that is known.
    pub(super) fn left(&self) -> Option<u64> {
        match self {
            Self::Length(left) => Some(*left),
            Self::Chunked(chunked) => chunked.is_done().then_some(0),
            Self::Close => None,
        }
    }

    /// Takes all that is body out of `buf`, as one piece that is not empty. What is left in `buf` lies behind
    /// the body's end.
    pub(super) fn take(&mut self, buf: &mut BytesMut) -> Result<Option<Bytes>, Malformed> {
        if buf.is_empty() {
            return Ok(None);
        }
        match self {
            Self::Length(left) => {
                let len = usize::try_from(*left).map_or(buf.len(), |left| left.min(buf.len()));
                *left = left.saturating_sub(len as u64);
                Ok(cut(buf, 0, len))
            }
            Self::Chunked(chunked) => chunked.take(buf),
            Self::Close => Ok(cut(buf, 0, buf.len())),
        }
    }
}

/// Cuts `len` bytes that begin at `at` out of the front of the buffer, and drops what is before them.
///
/// A piece that fills most of the buffer takes it along. One that does not is copied, which costs less than
/// the buffer it would hold on to, and leaves that for the next read.
pub(super) fn cut(buf: &mut BytesMut, at: usize, len: usize) -> Option<Bytes> {
    buf.advance(at);
    if len == 0 {
        return None;
    }
    if len * 2 > buf.capacity() {
        return Some(buf.split_to(len).freeze());
    }
    let piece = buf.get(..len).map(Bytes::copy_from_slice);
    buf.advance(len);
    piece
}

/// What `content-length` says: one number, if more than once then the same.
fn length(headers: &HeaderMap) -> Result<Option<u64>, Malformed> {
    let mut said = None;
    for token in tokens(headers, &CONTENT_LENGTH) {
        // `parse` would take a sign.
        let digits = !token.is_empty() && token.bytes().all(|byte| byte.is_ascii_digit());
        let length: u64 = digits.then(|| token.parse().ok()).flatten().ok_or(Malformed::Length)?;
        if said.is_some_and(|said| said != length) {
            return Err(Malformed::Length);
        }
        said = Some(length);
    }
    Ok(said)
}
