//! The exchange on a line.

use super::head::{self, Ask, Head};
use super::{Fault, Malformed};
use crate::line::Line;
use bytes::{Bytes, BytesMut};
use http::Method;
use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker, ready};
use tokio::io::{AsyncReadExt as _, AsyncWrite as _};

/// How much is read at once, until a read fills it.
const SMALL_READ: usize = 16 << 10;
/// How much is read at once at most.
const LARGE_READ: usize = 64 << 10;
/// How many interim answers may come before the one that counts.
const MOST_INTERIM: u8 = 32;

/// A connection: at most one exchange at a time.
#[derive(Debug)]
pub(crate) struct Connection {
    line: Line,
    /// What was read and not yet taken.
    pub(super) buf: BytesMut,
    read_size: usize,
    sending: Sending,
    /// A request was not sent to its end, or says itself that it is the last.
    spent: bool,
}

/// A request on its way.
#[derive(Debug, Default)]
struct Sending {
    head: Vec<u8>,
    body: Bytes,
    /// How much of both is gone.
    sent: usize,
    /// Something is still to be sent, or to be flushed.
    going: bool,
}

impl Connection {
    pub(crate) fn new(line: Line) -> Self {
        let sending = Sending::default();
        Self { line, buf: BytesMut::new(), read_size: SMALL_READ, sending, spent: false }
    }

    /// Sends a request, and gives the head of its answer. The answer may come before all of the request is
    /// sent; whoever reads it on sends the rest.
    ///
    /// The flag beside a fault says whether anything of an answer had come. Letting go of this future, and
    /// then of the connection, ends the exchange.
    pub(crate) async fn exchange(&mut self, ask: Ask<'_>, body: Bytes) -> Result<Head, (Fault, bool)> {
        self.sending.head.clear();
        ask.write(body.len(), &mut self.sending.head);
        self.sending.body = body;
        self.sending.sent = 0;
        self.sending.going = true;
        self.spent = ask.closes();
        let (mut begun, mut interim) = (false, 0);
        std::future::poll_fn(|cx| self.poll_head(cx, ask.method, &mut begun, &mut interim))
            .await
            .map_err(|fault| (fault, begun))
    }

    fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
        method: &Method,
        begun: &mut bool,
        interim: &mut u8,
    ) -> Poll<Result<Head, Fault>> {
        let unsent = self.poll_send(cx);
        loop {
            let fresh = match ready!(self.poll_fill(cx)) {
                Ok(0) => return Poll::Ready(Err(Fault::Closed(unsent))),
                Ok(fresh) => fresh,
                // Why it could not be sent says more than that nothing comes.
                Err(error) => return Poll::Ready(Err(Fault::Closed(Some(unsent.unwrap_or(error))))),
            };
            *begun = true;
            if !head::worth_reading(&self.buf, fresh) {
                continue;
            }
            while let Some(head) = head::read(&mut self.buf, method).map_err(Fault::Malformed)? {
                if !head.status.is_informational() {
                    return Poll::Ready(Ok(head));
                }
                *interim += 1;
                if *interim > MOST_INTERIM {
                    return Poll::Ready(Err(Fault::Malformed(Malformed::Interim)));
                }
            }
        }
    }

    /// Sends what is still to be sent, as far as it goes. A server that takes no more may have answered
    /// before it closed, so that an error only ends the sending.
    pub(super) fn poll_send(&mut self, cx: &mut Context<'_>) -> Option<io::Error> {
        if !self.sending.going {
            return None;
        }
        match self.sending.poll(&mut self.line, cx) {
            Poll::Pending => None,
            Poll::Ready(sent) => {
                self.sending.going = false;
                self.sending.body = Bytes::new();
                self.spent |= sent.is_err();
                sent.err()
            }
        }
    }

    /// Reads what is there, up to a certain amount; 0 is the end.
    pub(super) fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.buf.reserve(self.read_size);
        let room = self.buf.capacity() - self.buf.len();
        let read = ready!(pin!(self.line.read_buf(&mut self.buf)).poll(cx))?;
        if read == room {
            self.read_size = LARGE_READ;
        }
        Poll::Ready(Ok(read))
    }

    /// Whether another request can follow: all of this one is sent, and nothing has come that nobody asked
    /// for.
    pub(super) fn rest(&mut self) -> bool {
        if self.spent || self.sending.going || !self.buf.is_empty() {
            return false;
        }
        if self.buf.capacity() > SMALL_READ {
            self.buf = BytesMut::new();
        }
        self.read_size = SMALL_READ;
        self.is_quiet()
    }

    /// Keeps no more than it must, where the next request is not expected soon.
    pub(crate) fn shrink(&mut self) {
        self.buf = BytesMut::new();
        self.sending.head = Vec::new();
    }

    /// Whether the server, unasked, neither said anything nor closed. Whoever was woken by this connection
    /// before is not any more.
    pub(crate) fn is_quiet(&mut self) -> bool {
        let mut probe = [0; 1];
        let mut probe = tokio::io::ReadBuf::new(&mut probe);
        let mut cx = Context::from_waker(Waker::noop());
        tokio::io::AsyncRead::poll_read(Pin::new(&mut self.line), &mut cx, &mut probe).is_pending()
    }
}

impl Sending {
    fn poll(&mut self, line: &mut Line, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let head = self.head.get(self.sent..).unwrap_or_default();
            let body = self.body.get(self.sent.saturating_sub(self.head.len())..).unwrap_or_default();
            let line = Pin::new(&mut *line);
            let sent = match (head.is_empty(), body.is_empty()) {
                (true, true) => return line.poll_flush(cx),
                (true, false) => line.poll_write(cx, body),
                (false, true) => line.poll_write(cx, head),
                (false, false) => line.poll_write_vectored(cx, &[IoSlice::new(head), IoSlice::new(body)]),
            };
            match ready!(sent)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                sent => self.sent += sent,
            }
        }
    }
}
