//! What goes back to the client: whole bytes, or a stream that always ends in completeness or an explicit
//! error.

use bytes::Bytes;
use futures_core::Stream;
use hanok_base::{
    ByteStream, Dialect, EventStream, Exchange, Problem, ProviderError, ProviderErrorKind, ProviderName,
    ResponseBytes, SpanScope, StreamEvent,
};
use hanok_wire::{StreamEncoder, StreamOptions, codec};
use std::pin::Pin;
use std::task::{Context, Poll};

/// Bytes of events that are put together into one piece when they are ready at once.
const COALESCE: usize = 16 * 1024;

/// An answer in the client's dialect.
pub struct Answer {
    /// The HTTP status, 2xx.
    pub status: u16,
    /// The content type.
    pub content_type: String,
    /// Further headers, lower-case names.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: AnswerBody,
}

/// An answer's body.
pub enum AnswerBody {
    /// Whole.
    Whole(Bytes),
    /// Streamed.
    Stream(AnswerStream),
}

/// A streamed answer in the client's dialect. Ends after the dialect's own end mark, or after its explicit
/// error event. Dropping it early cancels the provider and records the call as cancelled.
pub struct AnswerStream {
    source: Source,
    dialect: Dialect,
    /// Taken when the stream ends; still here at a hang-up.
    scope: Option<SpanScope>,
}

enum Source {
    /// The provider's own bytes, in whole events.
    Raw(ByteStream),
    /// Events, encoded here.
    Typed(Box<Typed>),
}

impl AnswerStream {
    pub(crate) fn raw(dialect: Dialect, bytes: ByteStream, scope: SpanScope) -> Self {
        Self { source: Source::Raw(bytes), dialect, scope: Some(scope) }
    }

    pub(crate) fn typed(
        dialect: Dialect,
        provider: ProviderName,
        events: EventStream,
        options: StreamOptions,
        request: Bytes,
        scope: SpanScope,
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
        Self { source: Source::Typed(Box::new(typed)), dialect, scope: Some(scope) }
    }

    /// Closes the span: as it should be, unless it was failed before.
    fn end(&mut self) {
        self.keep_exchange();
        if let Some(scope) = self.scope.take() {
            scope.finish();
        }
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
            Source::Raw(bytes) => match std::task::ready!(bytes.as_mut().poll_next(cx)) {
                Some(Ok(piece)) => (piece, false),
                Some(Err(error)) => {
                    let mut last = Vec::new();
                    let mut encoder = codec(this.dialect).stream_encoder(StreamOptions::default());
                    end_in_error(encoder.as_mut(), scope, &error, &mut last);
                    (Bytes::from(last), true)
                }
                None => (Bytes::new(), true),
            },
            Source::Typed(typed) => std::task::ready!(typed.poll_piece(scope, cx)),
        };
        if ended {
            this.end();
        }
        if piece.is_empty() { Poll::Ready(None) } else { Poll::Ready(Some(piece)) }
    }
}

/// The dialect's explicit error event, and the span marked failed.
fn end_in_error(
    encoder: &mut dyn StreamEncoder,
    scope: &mut SpanScope,
    error: &ProviderError,
    out: &mut Vec<u8>,
) {
    encoder.error(&Problem::from(error), out);
    scope.fail(error.kind.as_str(), error.to_string());
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
    fn poll_piece(&mut self, scope: &mut SpanScope, cx: &mut Context<'_>) -> Poll<(Bytes, bool)> {
        let mut out = Vec::new();
        let mut ended = false;
        while out.len() < COALESCE && !ended {
            match self.events.as_mut().poll_next(cx) {
                Poll::Pending if out.is_empty() => return Poll::Pending,
                Poll::Pending => break,
                Poll::Ready(Some(Ok(event))) => {
                    self.note(&event, scope);
                    self.encoder.encode(&event, &mut out);
                }
                Poll::Ready(Some(Err(error))) => {
                    end_in_error(self.encoder.as_mut(), scope, &error, &mut out);
                    ended = true;
                }
                Poll::Ready(None) if self.finished && self.open.is_empty() => {
                    self.encoder.finish(&mut out);
                    ended = true;
                }
                Poll::Ready(None) => {
                    let error = ProviderError::new(
                        ProviderErrorKind::Truncated,
                        &self.provider,
                        "the stream ended before the answer was complete",
                    );
                    end_in_error(self.encoder.as_mut(), scope, &error, &mut out);
                    ended = true;
                }
            }
        }
        let piece = Bytes::from(out);
        self.sent.push(piece.clone());
        Poll::Ready((piece, ended))
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
