//! Running bytes through a decoder and a guard, in any pieces.

use crate::wire;
use bytes::Bytes;
use hanok_base::stream::Collector;
use hanok_base::{ChatResponse, Dialect, StreamEvent};
use hanok_wire::{GuardOptions, StreamFault, StreamOptions, StreamSummary, WireError};

/// What a decoder makes of pieces.
#[derive(Debug, PartialEq)]
pub(crate) struct Decoded {
    pub(crate) events: Vec<StreamEvent>,
    pub(crate) end: Result<(), WireError>,
}

pub(crate) fn decode<'a>(dialect: Dialect, pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder = wire(dialect).stream_decoder();
    let mut events = Vec::new();
    for piece in pieces {
        if let Err(error) = decoder.feed(piece, &mut events) {
            return Decoded { events, end: Err(error) };
        }
    }
    Decoded { events, end: decoder.finish() }
}

pub(crate) fn collect(events: impl IntoIterator<Item = StreamEvent>) -> Option<ChatResponse> {
    let mut collector = Collector::default();
    events.into_iter().for_each(|event| collector.push(event));
    collector.into_response()
}

pub(crate) fn encode(dialect: Dialect, events: &[StreamEvent]) -> Vec<u8> {
    let mut encoder =
        wire(dialect).stream_encoder(StreamOptions { include_usage: true, ..StreamOptions::default() });
    let mut out = Vec::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    encoder.finish(&mut out);
    out
}

/// What a guard makes of pieces.
#[derive(Debug, PartialEq)]
pub(crate) struct Guarded {
    pub(crate) passed: Vec<u8>,
    pub(crate) fault: Option<StreamFault>,
    pub(crate) complete: bool,
    pub(crate) content: bool,
    pub(crate) summary: StreamSummary,
}

pub(crate) fn guard<'a>(
    dialect: Dialect,
    options: GuardOptions,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Guarded {
    let mut guard = wire(dialect).stream_guard(options);
    let mut passed = Vec::new();
    let mut fault = None;
    for piece in pieces {
        let fed = guard.feed(Bytes::copy_from_slice(piece));
        passed.extend_from_slice(&fed.bytes);
        assert!(fault.is_none() || fed.fault.is_none() && fed.bytes.is_empty(), "something follows a fault");
        fault = fault.or(fed.fault);
    }
    let fed = guard.finish();
    passed.extend_from_slice(&fed.bytes);
    assert!(fault.is_none() || fed.fault.is_none() && fed.bytes.is_empty(), "something follows a fault");
    let fault = fault.or(fed.fault);
    let (complete, content) = (guard.is_complete(), guard.saw_content());
    assert!(fault.is_none() || !complete, "complete in spite of {fault:?}");
    Guarded { passed, fault, complete, content, summary: guard.summary().clone() }
}

/// `bytes` cut at these places.
pub(crate) fn cut<'a>(bytes: &'a [u8], cuts: &[usize]) -> Vec<&'a [u8]> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
    cuts.extend([0, bytes.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect()
}
