//! The part of a stream guard that no dialect differs in: pieces to whole events, what may pass, the end.

use crate::codec::{Fed, StreamGuard, StreamSummary};
use crate::error::{StreamFault, WireError};
use crate::sse::{self, EVENT_LIMIT};
use bytes::{Bytes, BytesMut};
use hanok_base::ProviderErrorKind;
use memchr::memrchr;
use std::borrow::Cow;
use std::ops::Range;

/// How a dialect's stream is cut into events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// Server-sent events.
    Sse,
    /// One JSON value a line (NDJSON).
    Lines,
}

/// One event with its name, as a [`Watch`] sees it.
pub(crate) struct Seen<'a> {
    /// The data: JSON, or the dialect's end mark.
    pub(crate) data: &'a [u8],
    /// The event's name; empty where there is none.
    pub(crate) name: &'a [u8],
}

/// What is to become of an event.
pub(crate) enum Verdict {
    /// Unchanged to the client.
    Pass,
    /// Kept from the client.
    Withhold,
}

/// What a dialect sees in its events. After an error nothing more is shown to it.
pub(crate) trait Watch: Send {
    /// Looks at the next event.
    fn event(&mut self, event: &Seen<'_>) -> Result<Verdict, StreamFault>;
    /// Whether the answer is complete, an end mark aside.
    fn is_complete(&self) -> bool;
    /// Whether the end mark was seen: nothing that follows counts.
    fn is_over(&self) -> bool;
    /// Whether some of the answer's content was seen.
    fn saw_content(&self) -> bool;
    /// What the stream said of itself so far.
    fn summary(&self) -> &StreamSummary;
    /// What to send where a complete answer ends without the dialect's end mark; empty where there is none to
    /// miss.
    fn end_mark(&self) -> &'static [u8] {
        b""
    }
}

/// A [`StreamGuard`] over a dialect's [`Watch`].
pub(crate) struct Guard<W> {
    watch: W,
    framing: Framing,
    /// An event that is not complete yet.
    pending: BytesMut,
    begun: bool,
    phase: Phase,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// More may come.
    Open,
    /// The end mark was there.
    Done,
    /// Nothing may follow.
    Failed,
}

impl<W: Watch> Guard<W> {
    pub(crate) fn new(framing: Framing, watch: W) -> Self {
        Self { watch, framing, pending: BytesMut::new(), begun: false, phase: Phase::Open }
    }

    /// One past the last whole event of `bytes` that ends behind `from`.
    fn boundary(&self, bytes: &[u8], from: usize) -> usize {
        match self.framing {
            Framing::Sse => sse::last_boundary(bytes, from),
            Framing::Lines => {
                bytes.get(from..).and_then(|rest| memrchr(b'\n', rest)).map(|newline| from + newline + 1)
            }
        }
        .unwrap_or(0)
    }

    /// Checks `whole`, which ends at an event's end.
    fn check(&mut self, whole: Bytes) -> Fed {
        let mut passed = 0;
        let mut withheld: Vec<Range<usize>> = Vec::new();
        let mut fault = None;
        let first = !self.begun;
        self.begun |= !whole.is_empty();
        for event in events(self.framing, &whole, first) {
            if self.phase == Phase::Done {
                break;
            }
            match self.event(&event) {
                Ok(Verdict::Pass) => {}
                Ok(Verdict::Withhold) => withheld.push(event.at.clone()),
                Err(found) => {
                    self.phase = Phase::Failed;
                    fault = Some(found);
                    break;
                }
            }
            passed = event.at.end;
        }
        let bytes = if withheld.is_empty() {
            if passed == whole.len() { whole } else { whole.slice(..passed) }
        } else {
            let mut kept = BytesMut::with_capacity(passed);
            let mut from = 0;
            for gap in withheld {
                kept.extend_from_slice(whole.get(from..gap.start).unwrap_or_default());
                from = gap.end;
            }
            kept.extend_from_slice(whole.get(from..passed).unwrap_or_default());
            kept.freeze()
        };
        Fed { bytes, fault }
    }

    fn event(&mut self, event: &Whole<'_>) -> Result<Verdict, StreamFault> {
        if event.at.len() > EVENT_LIMIT {
            return Err(too_large());
        }
        let data = event.data.trim_ascii();
        if data.is_empty() {
            return Ok(Verdict::Pass);
        }
        let verdict = self.watch.event(&Seen { data, name: event.name })?;
        if self.watch.is_over() {
            self.phase = Phase::Done;
        }
        Ok(verdict)
    }
}

impl<W: Watch> StreamGuard for Guard<W> {
    fn feed(&mut self, piece: Bytes) -> Fed {
        if self.phase != Phase::Open {
            return Fed { bytes: Bytes::new(), fault: None };
        }
        let whole = if self.pending.is_empty() {
            let boundary = self.boundary(&piece, 0);
            self.pending.extend_from_slice(piece.get(boundary..).unwrap_or_default());
            if boundary == piece.len() { piece } else { piece.slice(..boundary) }
        } else {
            // The seam may lie inside an event or a line end, so only the joined bytes can tell.
            let seam = self.pending.len();
            self.pending.extend_from_slice(&piece);
            let boundary = self.boundary(&self.pending, seam);
            self.pending.split_to(boundary).freeze()
        };
        let mut fed = self.check(whole);
        if self.phase == Phase::Open && self.pending.len() > EVENT_LIMIT {
            self.phase = Phase::Failed;
            fed.fault = Some(too_large());
        }
        fed
    }

    fn finish(&mut self) -> Fed {
        let mut fed = Fed { bytes: Bytes::new(), fault: None };
        if self.phase == Phase::Failed {
            return fed;
        }
        if self.phase == Phase::Open && !self.pending.is_empty() {
            // Some upstreams forget the blank line behind their last event, or end lines with lone CRs.
            let mut rest = std::mem::take(&mut self.pending);
            rest.extend_from_slice(match self.framing {
                Framing::Sse => b"\n\n",
                Framing::Lines => b"\n",
            });
            fed = self.check(rest.freeze());
            // Half an event is no event of a bad kind: the stream was cut inside it.
            if fed.fault.as_ref().is_some_and(|fault| fault.kind == ProviderErrorKind::Decode) {
                self.phase = Phase::Open;
                fed.fault = None;
            }
        }
        if fed.fault.is_some() {
            return fed;
        }
        if !self.is_complete() {
            self.phase = Phase::Failed;
            fed.fault = Some(truncated());
        } else if self.phase == Phase::Open {
            self.phase = Phase::Done;
            let end_mark = self.watch.end_mark();
            if !end_mark.is_empty() {
                fed.bytes = [fed.bytes.as_ref(), end_mark].concat().into();
            }
        }
        fed
    }

    fn is_complete(&self) -> bool {
        self.phase != Phase::Failed && self.watch.is_complete()
    }

    fn is_over(&self) -> bool {
        self.phase == Phase::Done
    }

    fn saw_content(&self) -> bool {
        self.watch.saw_content()
    }

    fn summary(&self) -> &StreamSummary {
        self.watch.summary()
    }
}

/// The fault of a stream that ends too early.
pub(crate) fn truncated() -> StreamFault {
    StreamFault::new(ProviderErrorKind::Truncated, WireError::Truncated.to_string())
}

/// The fault of an event that is not what its dialect says.
pub(crate) fn bad_event(what: &str) -> StreamFault {
    StreamFault::new(ProviderErrorKind::Decode, format!("an event of the stream is {what}"))
}

fn too_large() -> StreamFault {
    let limit = WireError::EventTooLarge { limit: EVENT_LIMIT };
    StreamFault::new(ProviderErrorKind::Decode, limit.to_string())
}

/// An event with the bytes it stands in, its end included.
struct Whole<'a> {
    data: Cow<'a, [u8]>,
    name: &'a [u8],
    at: Range<usize>,
}

fn events(framing: Framing, bytes: &[u8], first: bool) -> impl Iterator<Item = Whole<'_>> {
    let (mut sse, mut lines) = match framing {
        Framing::Sse => (Some(sse::events(bytes, first)), None),
        Framing::Lines => (None, Some(Lines { bytes, at: 0 })),
    };
    std::iter::from_fn(move || match (&mut sse, &mut lines) {
        (Some(events), _) => {
            events.next().map(|event| Whole { data: event.data, name: event.name, at: event.at })
        }
        (None, Some(lines)) => lines.next(),
        (None, None) => None,
    })
}

struct Lines<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Whole<'a>;

    fn next(&mut self) -> Option<Whole<'a>> {
        let start = self.at;
        let rest = self.bytes.get(start..)?;
        let end = memchr::memchr(b'\n', rest)?;
        self.at = start + end + 1;
        Some(Whole { data: Cow::Borrowed(rest.get(..end)?), name: b"", at: start..self.at })
    }
}
