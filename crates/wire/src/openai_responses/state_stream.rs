//! The events of an answer as if the provider had kept it, and the answer itself out of them.

use super::state::{State, restore};
use crate::error::text;
use crate::members::{Members, Text, place, read_into, skip};
use crate::sse;
use bytes::{Bytes, BytesMut};
use memchr::memmem;
use serde::de::MapAccess;
use serde_json::value::RawValue;

/// Goes over the bytes that a client gets, whoever wrote them (a provider, or the encoder): what the events
/// say of state becomes what the client asked for, and the response object of the last event is kept. Law: any
/// split of the same bytes gives the same bytes.
#[derive(Debug)]
pub struct StateStream {
    state: State,
    /// An event that is not complete yet.
    pending: BytesMut,
    begun: bool,
    response: Option<Bytes>,
}

impl StateStream {
    /// For the answer to a request with this state.
    pub fn new(state: State) -> Self {
        Self { state, pending: BytesMut::new(), begun: false, response: None }
    }

    /// Takes the next bytes; gives the events that are whole with them. Without copying where nothing is to be
    /// changed in them and they end at an event's end.
    pub fn feed(&mut self, piece: Bytes) -> Bytes {
        let whole = if self.pending.is_empty() {
            let boundary = sse::last_boundary(&piece, 0).unwrap_or(0);
            self.pending.extend_from_slice(piece.get(boundary..).unwrap_or_default());
            if boundary == piece.len() { piece } else { piece.slice(..boundary) }
        } else {
            let seam = self.pending.len();
            self.pending.extend_from_slice(&piece);
            let boundary = sse::last_boundary(&self.pending, seam).unwrap_or(0);
            self.pending.split_to(boundary).freeze()
        };
        self.change(whole)
    }

    /// The input ended: what was held back, whole or not.
    pub fn finish(&mut self) -> Bytes {
        std::mem::take(&mut self.pending).freeze()
    }

    /// The response object of the event that ended the answer, as the client got it; `None` before.
    pub fn response(&self) -> Option<&Bytes> {
        self.response.as_ref()
    }

    fn change(&mut self, whole: Bytes) -> Bytes {
        let first = !self.begun;
        self.begun |= !whole.is_empty();
        if memmem::find(&whole, b"\"response\"").is_none() {
            return whole;
        }
        let mut out = BytesMut::with_capacity(whole.len() + 64);
        let mut from = 0;
        for event in sse::events(&whole, first) {
            if let Some(changed) = self.event(&event.data) {
                out.extend_from_slice(whole.get(from..event.at.start).unwrap_or_default());
                if !event.name.is_empty() {
                    out.extend_from_slice(b"event: ");
                    out.extend_from_slice(event.name);
                    out.extend_from_slice(b"\n");
                }
                out.extend_from_slice(b"data: ");
                // Lines within JSON are only space.
                out.extend(
                    changed.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }),
                );
                out.extend_from_slice(b"\n\n");
                from = event.at.end;
            }
        }
        if from == 0 {
            return whole;
        }
        out.extend_from_slice(whole.get(from..).unwrap_or_default());
        out.freeze()
    }

    /// An event's data with the state that the client asked for; `None` where it is to stay as it is.
    fn event(&mut self, data: &[u8]) -> Option<Vec<u8>> {
        memmem::find(data, b"\"response\"")?;
        let text = text(data).ok()?;
        let event = read_into(Event::default(), text).ok()?;
        let raw = event.response?;
        let at = place(text, raw);
        let before = Bytes::copy_from_slice(raw.get().as_bytes());
        let after = restore(&before, &self.state);
        let Text(kind) = event.kind?;
        if matches!(
            &*kind,
            "response.completed" | "response.incomplete" | "response.failed" | "response.cancelled"
        ) {
            self.response = Some(after.clone());
        }
        if before == after {
            return None;
        }
        let (head, tail) = (data.get(..at.start)?, data.get(at.end..)?);
        Some([head, &after, tail].concat())
    }
}

#[derive(Default)]
struct Event<'a> {
    kind: Option<Text<'a>>,
    response: Option<&'a RawValue>,
}

impl<'de> Members<'de> for Event<'de> {
    fn member<A: MapAccess<'de>>(&mut self, name: &str, map: &mut A) -> Result<(), A::Error> {
        match name {
            "type" => self.kind = map.next_value()?,
            "response" => self.response = Some(map.next_value()?),
            _ => skip(map)?,
        }
        Ok(())
    }
}
