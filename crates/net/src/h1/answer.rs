//! The body of an answer, as it is read.

use super::Fault;
use super::connection::Connection;
use super::framing::Framing;
use super::head::Head;
use crate::pool::Place;
use bytes::Bytes;
use std::task::{Context, Poll, ready};

/// A body that owns its connection until its end is read; then the connection goes back to its place in the
/// pool. Letting go of it before closes the connection.
#[derive(Debug)]
pub(crate) struct Answer {
    /// `None` once the end, or a fault, was seen.
    connection: Option<Box<Connection>>,
    framing: Framing,
    /// Where the connection goes, if it is kept.
    place: Option<Place>,
}

impl Answer {
    /// The body behind `head`, which came over this connection.
    pub(crate) fn new(connection: Box<Connection>, head: &Head, place: Place) -> Self {
        let framing = head.framing.clone();
        let place = head.keeps.then_some(place);
        if framing.is_done() {
            keep(connection, place);
            return Self { connection: None, framing, place: None };
        }
        // What is sent beside reading is tried again whenever the body is asked for.
        Self { connection: Some(connection), framing, place }
    }

    /// Whether nothing follows.
    pub(crate) fn is_end(&self) -> bool {
        self.connection.is_none()
    }

    /// How much is to come, where that was announced.
    pub(crate) fn left(&self) -> Option<u64> {
        self.framing.left()
    }

    /// All that is there of the body, as one piece that is not empty.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        let polled = self.poll_open(cx);
        if matches!(polled, Poll::Ready(Some(Err(_)))) {
            self.connection = None;
        }
        polled
    }

    fn poll_open(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Fault>>> {
        loop {
            let Some(connection) = &mut self.connection else {
                return Poll::Ready(None);
            };
            let piece = self.framing.take(&mut connection.buf).map_err(Fault::Malformed)?;
            if self.framing.is_done() {
                if let Some(connection) = self.connection.take() {
                    keep(connection, self.place.take());
                }
                return Poll::Ready(piece.map(Ok));
            }
            if let Some(piece) = piece {
                return Poll::Ready(Some(Ok(piece)));
            }
            // The answer counts, also where the server took no more of the request.
            let _unsent = connection.poll_send(cx);
            match ready!(connection.poll_fill(cx)) {
                Ok(0) if self.framing == Framing::Close => {
                    self.connection = None;
                    return Poll::Ready(None);
                }
                Ok(0) => return Poll::Ready(Some(Err(Fault::Closed(None)))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Some(Err(Fault::Closed(Some(error))))),
            }
        }
    }
}

fn keep(mut connection: Box<Connection>, place: Option<Place>) {
    if let Some(place) = place
        && connection.rest()
    {
        place.keep(connection);
    }
}
