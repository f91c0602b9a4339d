//! What goes back to the client: whole bytes, or a stream that always ends in completeness or an explicit
//! error.

use crate::limit::Admission;
use crate::target::Attempt;
use bytes::Bytes;
use futures_core::Stream;
use hanok_base::{
    ByteStream, Degradation, Dialect, EventStream, Exchange, Problem, ProviderError, ProviderErrorKind,
    ProviderName, ResponseBytes, SpanScope, StreamEvent,
};
use hanok_wire::{StreamEncoder, StreamOptions, codec};
use std::borrow::Cow;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::OwnedSemaphorePermit;

/// Bytes of events that are put together into one piece when they are ready at once.
const COALESCE: usize = 16 * 1024;

/// An answer in the client's dialect.
pub struct Answer {
    /// The HTTP status, 2xx.
    pub status: u16,
    /// The content type.
    pub content_type: Cow<'static, str>,
    /// Further headers, lower-case names.
    pub headers: Vec<(Cow<'static, str>, String)>,
    /// The body.
    pub body: AnswerBody,
}

/// An answer's body.
pub enum AnswerBody {
    /// Whole.
    Whole(Bytes),
    /// Streamed, as [`AnswerStream`] says.
    Stream(Pieces),
}

/// A streamed answer's bytes.
pub type Pieces = Pin<Box<dyn Stream<Item = Bytes> + Send>>;

/// A streamed answer in the client's dialect. Ends after the dialect's own end mark, or after its explicit
/// error event. Dropping it early cancels the provider and records the call as cancelled.
pub struct AnswerStream {
    source: Source,
    dialect: Dialect,
    /// Taken when the stream ends; still here at a hang-up.
    scope: Option<SpanScope>,
    held: Held,
    /// Where the pieces are kept for the cache, where they are.
    keep: Option<Box<dyn FnOnce(Vec<Bytes>) + Send>>,
    kept: Vec<Bytes>,
    /// The last of the provider's own pieces, where an error needs to know it.
    last: Bytes,
}

/// What a call holds until its answer ends: its caller's and its target's places, and the target's word.
#[derive(Default)]
#[expect(dead_code, reason = "places are held by being here, and given back by going")]
pub(crate) struct Held {
    pub(crate) admission: Option<Admission>,
    pub(crate) attempt: Option<Attempt>,
    pub(crate) seat: Option<OwnedSemaphorePermit>,
    /// Which target answers.
    pub(crate) target: String,
    /// What was lost on the way to it.
    pub(crate) lost: Vec<Degradation>,
}

enum Source {
    /// The provider's own bytes, in whole events.
    Raw(ByteStream),
    /// Events, encoded here.
    Typed(Box<Typed>),
}

impl AnswerStream {
    pub(crate) fn raw(dialect: Dialect, bytes: ByteStream, scope: SpanScope, held: Held) -> Self {
        Self::new(Source::Raw(bytes), dialect, scope, held)
    }

    pub(crate) fn typed(
        dialect: Dialect,
        provider: ProviderName,
        events: EventStream,
        options: StreamOptions,
        request: Bytes,
        scope: SpanScope,
        held: Held,
    ) -> Self {
        let encoder = codec(dialect).stream_encoder(options);
        let typed = Typed {
            provider,
            events,
            encoder,
            request,
            sent: Vec::new(),
            content: false,
            open: Vec::new(),
            finished: false,
        };
        Self::new(Source::Typed(Box::new(typed)), dialect, scope, held)
    }

    fn new(source: Source, dialect: Dialect, scope: SpanScope, held: Held) -> Self {
        Self { source, dialect, scope: Some(scope), held, keep: None, kept: Vec::new(), last: Bytes::new() }
    }

    /// Gives all pieces of a complete answer to `keep`.
    pub(crate) fn keep_with(&mut self, keep: Box<dyn FnOnce(Vec<Bytes>) + Send>) {
        self.keep = Some(keep);
    }

    /// Closes the span: as it should be, unless it was failed before.
    fn end(&mut self) {
        self.keep_exchange();
        if let Some(scope) = self.scope.take() {
            scope.finish();
        }
        if let Some(attempt) = &mut self.held.attempt {
            attempt.finished();
        }
        if let Some(keep) = self.keep.take() {
            keep(std::mem::take(&mut self.kept));
        }
        self.held = Held::default();
    }

    fn keep_exchange(&mut self) {
        if let (Source::Typed(typed), Some(scope)) = (&mut self.source, &mut self.scope) {
            scope.exchange(Exchange {
                dialect: self.dialect,
                request: typed.request.clone(),
                response: ResponseBytes::Streamed(std::mem::take(&mut typed.sent)),
            });
        }
    }
}

impl Drop for AnswerStream {
    fn drop(&mut self) {
        // A hang-up: what the client got is kept, and the span, not finished, says cancelled.
        self.keep_exchange();
    }
}

impl Stream for AnswerStream {
    type Item = Bytes;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Bytes>> {
        let this = &mut *self;
        let Some(scope) = &mut this.scope else {
            return Poll::Ready(None);
        };
        let (piece, ended) = match &mut this.source {
            Source::Raw(bytes) => match std::task::ready!(poll_bytes(bytes, cx)) {
                Some(Ok(piece)) => {
                    // Its events are numbered, and an error's goes on behind them.
                    if this.dialect == Dialect::OpenAiResponses {
                        this.last = piece.clone();
                    }
                    (piece, false)
                }
                Some(Err(error)) => {
                    let mut last = Vec::new();
                    let mut encoder = codec(this.dialect).stream_encoder(StreamOptions::default());
                    encoder.follow(&this.last);
                    end_in_error(encoder.as_mut(), scope, &mut this.held, &error, &mut last);
                    this.keep = None;
                    (Bytes::from(last), true)
                }
                None => (Bytes::new(), true),
            },
            Source::Typed(typed) => {
                let (piece, end) = std::task::ready!(typed.poll_piece(scope, &mut this.held, cx));
                if end == End::Failed {
                    this.keep = None;
                }
                (piece, end != End::NotYet)
            }
        };
        if this.keep.is_some() && !piece.is_empty() {
            this.kept.push(piece.clone());
        }
        if ended {
            this.end();
        }
        if piece.is_empty() { Poll::Ready(None) } else { Poll::Ready(Some(piece)) }
    }
}

/// The next piece that holds something: an empty one would look like the end.
fn poll_bytes(bytes: &mut ByteStream, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, ProviderError>>> {
    loop {
        match std::task::ready!(bytes.as_mut().poll_next(cx)) {
            Some(Ok(piece)) if piece.is_empty() => {}
            item => return Poll::Ready(item),
        }
    }
}

/// The dialect's explicit error event, and the span marked failed.
fn end_in_error(
    encoder: &mut dyn StreamEncoder,
    scope: &mut SpanScope,
    held: &mut Held,
    error: &ProviderError,
    out: &mut Vec<u8>,
) {
    if let Some(attempt) = &mut held.attempt {
        attempt.failed(error);
    }
    encoder.error(&Problem::from(error), out);
    scope.fail(error.kind.as_str(), error.to_string());
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    NotYet,
    Complete,
    Failed,
}

struct Typed {
    provider: ProviderName,
    events: EventStream,
    encoder: Box<dyn StreamEncoder>,
    request: Bytes,
    sent: Vec<Bytes>,
    content: bool,
    /// Choices that began and have not finished.
    open: Vec<u32>,
    finished: bool,
}

impl Typed {
    /// The events that are ready now as one piece, and whether it is the last one.
    fn poll_piece(
        &mut self,
        scope: &mut SpanScope,
        held: &mut Held,
        cx: &mut Context<'_>,
    ) -> Poll<(Bytes, End)> {
        let mut out = Vec::new();
        let mut end = End::NotYet;
        while out.len() < COALESCE && end == End::NotYet {
            match self.events.as_mut().poll_next(cx) {
                Poll::Pending if out.is_empty() => return Poll::Pending,
                Poll::Pending => break,
                Poll::Ready(Some(Ok(event))) => {
                    self.note(&event, scope);
                    self.encoder.encode(&event, &mut out);
                }
                Poll::Ready(Some(Err(error))) => {
                    end_in_error(self.encoder.as_mut(), scope, held, &error, &mut out);
                    end = End::Failed;
                }
                Poll::Ready(None) if self.finished && self.open.is_empty() => {
                    self.encoder.finish(&mut out);
                    end = End::Complete;
                }
                Poll::Ready(None) => {
                    let error = ProviderError::new(
                        ProviderErrorKind::Truncated,
                        &self.provider,
                        "the stream ended before the answer was complete",
                    );
                    end_in_error(self.encoder.as_mut(), scope, held, &error, &mut out);
                    end = End::Failed;
                }
            }
        }
        let piece = Bytes::from(out);
        self.sent.push(piece.clone());
        Poll::Ready((piece, end))
    }

    fn note(&mut self, event: &StreamEvent, scope: &mut SpanScope) {
        match event {
            StreamEvent::PartStart { choice, .. } if !self.open.contains(choice) => self.open.push(*choice),
            StreamEvent::PartDelta { .. } if !self.content => {
                self.content = true;
                scope.set("hanok.time_to_first_token_ms", scope.start().elapsed().as_secs_f64() * 1e3);
            }
            StreamEvent::Finish { choice, .. } => {
                self.open.retain(|open| open != choice);
                self.finished = true;
            }
            _ => {}
        }
    }
}
