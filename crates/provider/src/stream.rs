//! A streamed answer on its way from the connection to the caller.

use crate::failure::{from_net, redact};
use crate::recording::Recording;
use crate::secret::Redactor;
use bytes::Bytes;
use futures_core::Stream;
use hanok_base::{ProviderError, ProviderName};
use hanok_net::Coalesced;
use std::collections::VecDeque;
use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

/// How long each further piece may take once the answer itself is complete. Usage and the end mark may still
/// come, and the body's end lets the connection be used again; a longer wait gains nothing.
const LINGER: Duration = Duration::from_secs(5);

/// Makes items of pieces: checked bytes, or events.
pub(crate) trait Stage: Send + Unpin {
    /// What comes out.
    type Item: Unpin;
    /// Takes a piece. Items before an error still count.
    fn push(&mut self, piece: Bytes, items: &mut VecDeque<Self::Item>) -> Result<(), ProviderError>;
    /// The body is over: an error unless the answer is complete.
    fn end(&mut self, items: &mut VecDeque<Self::Item>) -> Result<(), ProviderError>;
    /// Whether content was seen.
    fn has_content(&self) -> bool;
    /// Whether the answer is complete, whatever may still come.
    fn is_complete(&self) -> bool;
    /// Whether nothing that may still come counts.
    fn is_over(&self) -> bool {
        false
    }
}

/// A streamed answer. An error is its last item; dropping it closes the connection and ends the span.
pub(crate) struct Streamed<S: Stage> {
    /// `None` once the end or an error was seen.
    upstream: Option<Coalesced>,
    stage: S,
    items: VecDeque<S::Item>,
    error: Option<ProviderError>,
    recording: Option<Recording>,
    provider: ProviderName,
    redactor: Redactor,
    /// The first token is not here yet, and may become late.
    waiting: bool,
}

/// How long an answer's head is kept back for its first token: until then another target can still take over
/// unseen. Longer would keep signs of life from the client.
const HOLD: Duration = Duration::from_secs(3);

impl<S: Stage> Streamed<S> {
    pub(crate) fn new(
        mut upstream: Coalesced,
        stage: S,
        recording: Recording,
        provider: ProviderName,
        redactor: Redactor,
        deadline: Instant,
    ) -> Self {
        upstream.set_deadline(Some(deadline));
        Self {
            upstream: Some(upstream),
            stage,
            items: VecDeque::new(),
            error: None,
            recording: Some(recording),
            provider,
            redactor,
            waiting: true,
        }
    }

    /// The same once its first token is here, or has been waited for a while; what failed before it is an
    /// error of the whole call.
    pub(crate) async fn primed(mut self) -> Result<Self, ProviderError> {
        // Made only where there is something to wait for.
        let mut hold = pin!(None);
        poll_fn(|cx| {
            while self.waiting && self.upstream.is_some() {
                if self.advance(cx).is_ready() {
                    continue;
                }
                if hold.is_none() {
                    hold.set(Some(tokio::time::sleep(HOLD)));
                }
                return hold.as_mut().as_pin_mut().map_or(Poll::Ready(()), |hold| hold.poll(cx));
            }
            Poll::Ready(())
        })
        .await;
        match self.error.take() {
            Some(error) if !self.stage.has_content() => Err(error),
            error => {
                self.error = error;
                Ok(self)
            }
        }
    }

    /// Takes the next piece of the upstream, the end of it, or the news that it is late.
    fn advance(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(upstream) = &mut self.upstream else {
            return Poll::Ready(());
        };
        match ready!(Pin::new(upstream).poll_next(cx)) {
            Some(Ok(piece)) => self.take(piece, cx),
            // Only what follows the answer is missing, and the stage knows what to put in its place.
            Some(Err(_)) if self.stage.is_complete() => self.end(),
            Some(Err(error)) => self.fail(from_net(&self.provider, error)),
            None => self.end(),
        }
        Poll::Ready(())
    }

    fn take(&mut self, piece: Bytes, cx: &mut Context<'_>) {
        let Some(recording) = &mut self.recording else {
            return;
        };
        recording.piece(&piece);
        let pushed = self.stage.push(piece, &mut self.items);
        if self.waiting && self.stage.has_content() {
            self.waiting = false;
            recording.first_token();
            if let Some(upstream) = &mut self.upstream {
                upstream.set_deadline(None);
            }
        }
        if let Err(error) = pushed {
            self.fail(error);
            return;
        }
        if self.stage.is_complete() {
            // A client may go away on the last event; the answer is whole all the same.
            recording.succeed();
            if let Some(upstream) = &mut self.upstream {
                upstream.limit_idle(LINGER);
            }
        }
        if self.stage.is_over() {
            // The caller need not wait for the body's end, which only lets the connection be used again, and
            // mostly came with the end mark.
            if let Some(mut upstream) = self.upstream.take()
                && !matches!(Pin::new(&mut upstream).poll_next(cx), Poll::Ready(None | Some(Err(_))))
            {
                tokio::spawn(tokio::time::timeout(LINGER, drain(upstream)));
            }
            self.end();
        }
    }

    fn end(&mut self) {
        match self.stage.end(&mut self.items) {
            Ok(()) => self.succeed(),
            Err(error) => self.fail(error),
        }
    }

    fn succeed(&mut self) {
        self.upstream = None;
        if let Some(mut recording) = self.recording.take() {
            recording.succeed();
        }
    }

    fn fail(&mut self, error: ProviderError) {
        self.upstream = None;
        let error = redact(&self.redactor, error);
        if let Some(mut recording) = self.recording.take() {
            recording.fail(&error);
        }
        self.error = Some(error);
    }
}

async fn drain(mut upstream: Coalesced) {
    while let Some(Ok(_)) = poll_fn(|cx| Pin::new(&mut upstream).poll_next(cx)).await {}
}

impl<S: Stage> Stream for Streamed<S> {
    type Item = Result<S::Item, ProviderError>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(item) = this.items.pop_front() {
                return Poll::Ready(Some(Ok(item)));
            }
            if let Some(error) = this.error.take() {
                return Poll::Ready(Some(Err(error)));
            }
            if this.upstream.is_none() {
                return Poll::Ready(None);
            }
            ready!(this.advance(cx));
        }
    }
}
