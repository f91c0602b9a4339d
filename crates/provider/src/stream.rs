//! A streamed answer on its way from the connection to the caller.

use crate::failure::{from_net, redact};
use crate::recording::Recording;
use crate::secret::Redactor;
use bytes::Bytes;
use futures_core::Stream;
use hanok_base::{ProviderError, ProviderName};
use hanok_net::Coalesced;
use std::collections::VecDeque;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

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
}

impl<S: Stage> Streamed<S> {
    pub(crate) fn new(
        upstream: Coalesced,
        stage: S,
        recording: Recording,
        provider: ProviderName,
        redactor: Redactor,
    ) -> Self {
        Self {
            upstream: Some(upstream),
            stage,
            items: VecDeque::new(),
            error: None,
            recording: Some(recording),
            provider,
            redactor,
        }
    }

    fn take(&mut self, piece: Bytes) {
        if let Some(recording) = &mut self.recording {
            recording.piece(&piece);
        }
        if let Err(error) = self.stage.push(piece, &mut self.items) {
            self.fail(error);
            return;
        }
        let Some(recording) = &mut self.recording else {
            return;
        };
        if self.stage.has_content() {
            recording.first_token();
        }
        if self.stage.is_complete() {
            // A client may go away on the last event; the answer is whole all the same.
            recording.succeed();
            if let Some(upstream) = &mut self.upstream {
                upstream.limit_idle(LINGER);
            }
        }
        if self.stage.is_over() {
            // The caller need not wait for the body's end, which only lets the connection be used again.
            if let Some(upstream) = self.upstream.take() {
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
    while let Some(Ok(_)) = std::future::poll_fn(|cx| Pin::new(&mut upstream).poll_next(cx)).await {}
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
            let Some(upstream) = &mut this.upstream else {
                return Poll::Ready(None);
            };
            match ready!(Pin::new(upstream).poll_next(cx)) {
                Some(Ok(piece)) => this.take(piece),
                // Only what follows the answer is missing, and the stage knows what to put in its place.
                Some(Err(_)) if this.stage.is_complete() => this.end(),
                Some(Err(error)) => this.fail(from_net(&this.provider, error)),
                None => this.end(),
            }
        }
    }
}
