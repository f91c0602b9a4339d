//! An answer's body, in pieces.

use crate::cassette::{Replayed, Tap};
use crate::error::in_body;
use crate::h1::answer::Answer;
use crate::idle::Timer;
use crate::{NetError, NetErrorKind};
use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use http_body::Body as _;
use hyper::body::Incoming;
use std::future::Future as _;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// A body as it arrives: a stream of pieces that are never empty. An error is the last item. Dropping it
/// before its end closes the connection, so that the server stops working for nobody.
#[derive(Debug)]
pub struct Body {
    source: Source,
    timer: Timer,
    idle: Duration,
    target: Arc<str>,
    /// What records the pieces, where they are recorded.
    tap: Option<Box<Tap>>,
}

/// Where the pieces come from.
#[derive(Debug)]
pub(crate) enum Source {
    /// The end or an error was seen.
    Ended,
    /// A connection of its own.
    Own(Answer),
    /// One that others share.
    Shared(Incoming),
    Cassette(Box<Replayed>),
}

impl Source {
    /// Whether nothing follows; it may also only be seen when asked for.
    fn is_end(&self) -> bool {
        match self {
            Self::Ended => true,
            Self::Own(answer) => answer.is_end(),
            Self::Shared(incoming) => incoming.is_end_stream(),
            Self::Cassette(_) => false,
        }
    }
}

impl Body {
    pub(crate) fn new(source: Source, timer: Timer, idle: Duration, target: Arc<str>) -> Self {
        Self { source, timer, idle, target, tap: None }
    }

    /// Shows every piece to `tap` from now on.
    pub(crate) fn tapped(mut self, mut tap: Box<Tap>) -> Self {
        // An empty body need not be asked for.
        if self.source.is_end() {
            tap.end();
        }
        self.tap = Some(tap);
        self
    }

    /// The announced length, where there is one.
    pub fn announced_len(&self) -> Option<u64> {
        match &self.source {
            Source::Ended => None,
            Source::Own(answer) => answer.left(),
            Source::Shared(incoming) => incoming.size_hint().exact(),
            Source::Cassette(replayed) => replayed.announced_len(),
        }
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

    /// The same body in fewer pieces: what is there together comes as one piece, of `max` bytes at most.
    /// Nothing is held back to wait for more.
    pub fn coalesced(self, max: usize) -> Coalesced {
        Coalesced {
            body: self,
            max: max.max(1),
            held: Held::Nothing,
            after: None,
            yielded: false,
            gained: false,
        }
    }

    /// Waits no longer than `idle` for each further piece; a longer limit than before has no effect.
    pub fn limit_idle(&mut self, idle: Duration) {
        self.idle = self.idle.min(idle);
        self.timer.limit_idle(self.idle);
    }

    /// Waits no longer than to this moment for all that is still to come, whatever pieces come before: an
    /// answer that only says that it is alive is late too. What waits for something in the body (its first
    /// token) sets it, and takes it back with `None` when that is there. Past it, the body ends with
    /// [`NetErrorKind::FirstByteTimeout`].
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.timer.set_deadline(deadline.map(Into::into));
    }

    fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, NetError>>> {
        let polled = self.poll_source(cx);
        match &mut self.tap {
            None => polled,
            Some(tap) => polled.map(|item| tap.see(item, matches!(self.source, Source::Ended))),
        }
    }

    fn poll_source(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, NetError>>> {
        let polled = match &mut self.source {
            Source::Ended => return Poll::Ready(None),
            Source::Own(answer) => answer
                .poll_piece(cx)
                .map(|item| item.map(|piece| piece.map_err(|fault| in_body(fault, &self.target)))),
            Source::Shared(incoming) => poll_incoming(incoming, cx, &self.target),
            Source::Cassette(replayed) => replayed.poll_piece(cx, &self.target),
        };
        let Poll::Ready(item) = polled else {
            if self.timer.poll_gap(cx).is_pending() {
                return Poll::Pending;
            }
            self.source = Source::Ended;
            return Poll::Ready(Some(Err(self.stalled())));
        };
        self.timer.progress();
        if !matches!(item, Some(Ok(_))) || self.source.is_end() {
            self.source = Source::Ended;
        }
        Poll::Ready(item)
    }

    fn stalled(&self) -> NetError {
        let target = self.target.clone();
        if self.timer.past_deadline() {
            let message = format!("{target} did not come to the point of its answer in time");
            return NetError::new(NetErrorKind::FirstByteTimeout, target, message);
        }
        let message = format!("{target} stopped in the middle of its answer for {:?}", self.idle);
        NetError::new(NetErrorKind::IdleTimeout, target, message)
    }

    fn too_large(&self, limit: usize) -> NetError {
        let message = format!("the answer of {} is larger than the limit of {limit} bytes", self.target);
        NetError::new(NetErrorKind::TooLarge, self.target.clone(), message)
    }
}

fn poll_incoming(
    incoming: &mut Incoming,
    cx: &mut Context<'_>,
    target: &Arc<str>,
) -> Poll<Option<Result<Bytes, NetError>>> {
    loop {
        let frame = match ready!(Pin::new(&mut *incoming).poll_frame(cx)) {
            Some(Ok(frame)) => frame,
            Some(Err(error)) => return Poll::Ready(Some(Err(in_body(error, target)))),
            None => return Poll::Ready(None),
        };
        // Trailers and empty pieces say nothing to anybody here.
        if let Ok(piece) = frame.into_data()
            && !piece.is_empty()
        {
            return Poll::Ready(Some(Ok(piece)));
        }
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
/// A server that writes in a burst is seldom done when its first piece is seen. In a burst this stream
/// therefore lets all else run once before it hands on what it holds; on a slow stream, where it would gain
/// nothing, it does not.
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
        loop {
            if this.held.len() >= this.max {
                return this.hand_over();
            }
            if this.after.is_some() {
                return match this.held.len() {
                    0 => Poll::Ready(this.after.take().map(Err)),
                    _ => this.hand_over(),
                };
            }
            match this.body.poll_piece(cx) {
                Poll::Ready(Some(Ok(piece))) => {
                    this.gained = this.yielded;
                    this.yielded = false;
                    this.held = std::mem::take(&mut this.held).and(piece, 0);
                }
                Poll::Ready(Some(Err(error))) => this.after = Some(error),
                Poll::Ready(None) => return this.hand_over(),
                Poll::Pending if this.held.len() == 0 => return Poll::Pending,
                Poll::Pending => {
                    let in_burst = this.gained || this.body.timer.last_wait() < BURST;
                    if this.yielded || !in_burst {
                        this.gained &= !this.yielded;
                        return this.hand_over();
                    }
                    this.yielded = true;
                    step_back(cx);
                    return Poll::Pending;
                }
            }
        }
    }
}

/// Has this task polled again once all that is ready, and what the sockets have to say, had its turn.
fn step_back(cx: &mut Context<'_>) {
    if pin!(tokio::task::yield_now()).poll(cx).is_ready() {
        cx.waker().wake_by_ref();
    }
}

impl Coalesced {
    /// See [`Body::limit_idle`].
    pub fn limit_idle(&mut self, idle: Duration) {
        self.body.limit_idle(idle);
    }

    /// See [`Body::set_deadline`].
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.body.set_deadline(deadline);
    }

    fn hand_over(&mut self) -> Poll<Option<Result<Bytes, NetError>>> {
        self.yielded = false;
        let held = std::mem::take(&mut self.held).into_bytes();
        Poll::Ready(held.map(|mut piece| {
            if piece.len() > self.max {
                self.held = Held::One(piece.split_off(self.max));
            }
            Ok(piece)
        }))
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
