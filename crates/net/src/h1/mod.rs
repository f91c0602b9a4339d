//! HTTP/1.1, spoken by whoever asks: a connection belongs to the request that is on it and then to the body
//! that is read from it. There is no task beside them and no channel between them, so that what has come is
//! handed on in as few pieces as possible, and letting go closes the connection.
//!
//! Deliberately not here: pipelining, upgrades, trailers' contents, and requests whose body is not there as
//! a whole. A server that is not understood to the letter is not guessed at: where two readers might disagree
//! on where an answer ends, it is an error.
//!
//! Reading order: [`head`] (what is sent, and the head that comes back), [`framing`] (where a body ends),
//! [`chunked`] (one in chunks), [`connection`] (the exchange on a line), [`answer`] (the body as it is read).

pub(crate) mod answer;
mod chunked;
pub(crate) mod connection;
mod framing;
pub(crate) mod head;

use std::io;

/// Why an exchange, or a body, did not come to its end.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The server closed the connection; `None` where it did so in order.
    #[error("the connection was closed")]
    Closed(#[source] Option<io::Error>),
    /// What came is not HTTP, or not to be understood in only one way.
    #[error("{0}")]
    Malformed(Malformed),
}

/// What is wrong with what came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Malformed {
    #[error("its head is malformed ({0})")]
    Head(httparse::Error),
    #[error("its head is larger than {} KiB", head::LARGEST_HEAD >> 10)]
    LargeHead,
    #[error("its head has an invalid header")]
    Header,
    #[error("it changes to another protocol")]
    Upgrade,
    #[error("it does not come to its status")]
    Interim,
    #[error("its content-length is not one number")]
    Length,
    #[error("it has both a content-length and a transfer-encoding")]
    Ambiguous,
    #[error("its transfer-encoding is not plainly chunked")]
    TransferEncoding,
    #[error("the size of a chunk is malformed")]
    ChunkSize,
    #[error("the line of a chunk's size is too long")]
    ChunkLine,
    #[error("a chunk does not end where its size says")]
    ChunkEnd,
    #[error("its trailers are malformed or too long")]
    Trailers,
}
