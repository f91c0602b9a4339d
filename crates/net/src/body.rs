//! An answer's body, in pieces.

use crate::error::in_body;
use crate::idle::Timer;
use crate::{NetError, NetErrorKind};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http_body::Body as _;
use hyper::body::Incoming;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

/// A body as it arrives: a stream of pieces that are never empty. An error is the last item. Dropping it
/// before its end closes the connection, so that the server stops working for nobody.
#[derive(Debug)]
pub struct Body {
    /// `None` once the end or an error was seen.
    incoming: Option<Incoming>,
    timer: Timer,
    idle: Duration,
    target: Arc<str>,
}

impl Body {
    pub(crate) fn new(incoming: Incoming, timer: Timer, idle: Duration, target: Arc<str>) -> Self {
        Self { incoming: Some(incoming), timer, idle, target }
    }

    /// The announced length, where there is one.
    pub fn announced_len(&self) -> Option<u64> {
        self.incoming.as_ref().and_then(|incoming| incoming.size_hint().exact())
    }

    /// The whole body. More than `limit` bytes, announced or come, are [`NetErrorKind::TooLarge`].
    pub async fn collect(mut self, limit: usize) -> Result<Bytes, NetError> {
        let announced = self.announced_len().and_then(|len| usize::try_from(len).ok());
        if announced.is_some_and(|len| len > limit) {
            return Err(self.too_large(limit));
        }
        let mut held = Held::Nothing;
        while let Some(piece) = self.next().await {
            held = held.and(piece?, announced.unwrap_or_default());
            if held.len() > limit {
                return Err(self.too_large(limit));
            }
        }
        Ok(held.into_bytes().unwrap_or_default())
    }

    /// The next piece.
    pub async fn next(&mut self) -> Option<Result<Bytes, NetError>> {
        std::future::poll_fn(|cx| self.poll_piece(cx)).await
    }

    /// The same body in fewer pieces: what is there together comes as one piece, of about `max` bytes at
    /// most. Nothing is held back to wait for more.
    pub fn coalesced(self, max: usize) -> Coalesced {
        Coalesced { body: self, max, held: Held::Nothing, after: None, yielded: false, gained: false }
    }

    /// Waits no longer than `idle` for each further piece; a longer limit than before has no effect.
    pub fn limit_idle(&mut self, idle: Duration) {
        self.idle = self.idle.min(idle);
        self.timer.limit_idle(self.idle);
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, NetError>>> {
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(None);
        };
        loop {
            match Pin::new(&mut *incoming).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers and empty pieces say nothing to anybody here.
                    let Ok(piece) = frame.into_data() else { continue };
                    if piece.is_empty() {
                        continue;
                    }
                    self.timer.progress();
                    if incoming.is_end_stream() {
                        self.incoming = None;
                    }
                    return Poll::Ready(Some(Ok(piece)));
                }
                Poll::Ready(Some(Err(error))) => {
                    self.incoming = None;
                    return Poll::Ready(Some(Err(in_body(error, &self.target))));
                }
                Poll::Ready(None) => {
                    self.incoming = None;
                    return Poll::Ready(None);
                }
                Poll::Pending => {
                    if self.timer.poll_gap(cx).is_pending() {
                        return Poll::Pending;
                    }
                    self.incoming = None;
                    let message =
                        format!("{} stopped in the middle of its answer for {:?}", self.target, self.idle);
                    let error = NetError::new(NetErrorKind::IdleTimeout, self.target.clone(), message);
                    return Poll::Ready(Some(Err(error)));
                }
            }
        }
    }

    fn too_large(&self, limit: usize) -> NetError {
        let message = format!("the answer of {} is larger than the limit of {limit} bytes", self.target);
        NetError::new(NetErrorKind::TooLarge, self.target.clone(), message)
    }
}

impl Stream for Body {
    type Item = Result<Bytes, NetError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_piece(cx)
    }
}

/// A gap shorter than this says that the pieces come in a burst.
const BURST: Duration = Duration::from_millis(1);

/// See [`Body::coalesced`].
///
/// The connection's own task hands its pieces over one at a time, so more is ready than can be seen at once.
/// In a burst this stream therefore lets that task run once before it hands on what it holds; on a slow
/// stream, where it would gain nothing, it does not.
#[derive(Debug)]
pub struct Coalesced {
    body: Body,
    max: usize,
    held: Held,
    /// The error that came behind what is held.
    after: Option<NetError>,
    yielded: bool,
    /// Whether the last time of letting others run brought something.
    gained: bool,
}

impl Stream for Coalesced {
    type Item = Result<Bytes, NetError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        if let Some(error) = this.after.take() {
            return Poll::Ready(Some(Err(error)));
        }
        loop {
            match this.body.poll_piece(cx) {
                Poll::Ready(Some(Ok(piece))) => {
                    this.gained = this.yielded;
                    this.yielded = false;
                    this.held = std::mem::take(&mut this.held).and(piece, 0);
                    if this.held.len() >= this.max {
                        return this.hand_over();
                    }
                }
                Poll::Ready(Some(Err(error))) => {
                    if this.held.len() == 0 {
                        return Poll::Ready(Some(Err(error)));
                    }
                    this.after = Some(error);
                    return this.hand_over();
                }
                Poll::Ready(None) => return this.hand_over(),
                Poll::Pending if this.held.len() == 0 => return Poll::Pending,
                Poll::Pending => {
                    if this.yielded {
                        this.gained = false;
                        return this.hand_over();
                    }
                    if !this.gained && this.body.timer.last_wait() >= BURST {
                        return this.hand_over();
                    }
                    this.yielded = true;
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
            }
        }
    }
}

impl Coalesced {
    /// See [`Body::limit_idle`].
    pub fn limit_idle(&mut self, idle: Duration) {
        self.body.limit_idle(idle);
    }

    fn hand_over(&mut self) -> Poll<Option<Result<Bytes, NetError>>> {
        self.yielded = false;
        Poll::Ready(std::mem::take(&mut self.held).into_bytes().map(Ok))
    }
}

/// Pieces on their way to becoming one; a single piece is not copied.
#[derive(Debug, Default)]
enum Held {
    #[default]
    Nothing,
    One(Bytes),
    More(BytesMut),
}

impl Held {
    fn and(self, piece: Bytes, capacity: usize) -> Self {
        match self {
            Self::Nothing => Self::One(piece),
            Self::One(first) => {
                let mut both = BytesMut::with_capacity(capacity.max((first.len() + piece.len()) * 2));
                both.extend_from_slice(&first);
                both.extend_from_slice(&piece);
                Self::More(both)
            }
            Self::More(mut all) => {
                all.extend_from_slice(&piece);
                Self::More(all)
            }
        }
    }
    fn len(&self) -> usize {
        match self {
            Self::Nothing => 0,
            Self::One(piece) => piece.len(),
            Self::More(all) => all.len(),
        }
    }
    fn into_bytes(self) -> Option<Bytes> {
        match self {
            Self::Nothing => None,
            Self::One(piece) => Some(piece),
            Self::More(all) => Some(all.freeze()),
        }
    }
}
