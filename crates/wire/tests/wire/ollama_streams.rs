//! Fixtures of Ollama's dialects, and running them through decoders and guards, in any pieces.

use bytes::Bytes;
use hanok_base::stream::Collector;
use hanok_base::{ChatResponse, Dialect, StreamEvent};
use hanok_wire::{Codec, GuardOptions, StreamFault, StreamOptions, StreamSummary, WireError};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use std::path::Path;
use std::sync::LazyLock;

/// A dialect and where its fixtures are.
#[derive(Clone, Copy)]
pub(crate) struct Folder {
    pub(crate) dialect: Dialect,
    pub(crate) name: &'static str,
}

pub(crate) const FORMS: [Folder; 2] = [
    Folder { dialect: Dialect::Ollama, name: "ollama" },
    Folder { dialect: Dialect::OllamaGenerate, name: "ollama-generate" },
];

/// The fixtures below a folder with this extension, by name.
pub(crate) fn fixtures(below: &str, extension: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire").join(below);
    let mut found: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

#[derive(Debug, PartialEq)]
pub(crate) struct Decoded {
    pub(crate) events: Vec<StreamEvent>,
    pub(crate) end: Result<(), WireError>,
}

pub(crate) fn decode<'a>(wire: &dyn Codec, pieces: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
    let mut decoder = wire.stream_decoder();
    let mut events = Vec::new();
    for piece in pieces {
        if let Err(error) = decoder.feed(piece, &mut events) {
            return Decoded { events, end: Err(error) };
        }
    }
    Decoded { events, end: decoder.finish() }
}

pub(crate) fn decode_bytes(wire: &dyn Codec, bytes: &[u8]) -> Decoded {
    decode(wire, [bytes])
}

pub(crate) fn collect(events: impl IntoIterator<Item = StreamEvent>) -> Option<ChatResponse> {
    let mut collector = Collector::default();
    events.into_iter().for_each(|event| collector.push(event));
    collector.into_response()
}

pub(crate) fn encode(wire: &dyn Codec, events: &[StreamEvent]) -> Vec<u8> {
    let mut encoder = wire.stream_encoder(StreamOptions { include_usage: true, ..StreamOptions::default() });
    let mut out = Vec::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    encoder.finish(&mut out);
    out
}

#[derive(Debug, PartialEq)]
pub(crate) struct Guarded {
    pub(crate) passed: Vec<u8>,
    pub(crate) fault: Option<StreamFault>,
    pub(crate) complete: bool,
    pub(crate) content: bool,
    pub(crate) summary: StreamSummary,
}

pub(crate) fn guard<'a>(wire: &dyn Codec, pieces: impl IntoIterator<Item = &'a [u8]>) -> Guarded {
    let mut guard = wire.stream_guard(GuardOptions::default());
    let mut passed = Vec::new();
    let mut fault = None;
    let mut take = |fed: hanok_wire::Fed| {
        assert!(fault.is_none() || fed.fault.is_none() && fed.bytes.is_empty(), "something follows a fault");
        passed.extend_from_slice(&fed.bytes);
        fault = fault.take().or(fed.fault);
    };
    for piece in pieces {
        take(guard.feed(Bytes::copy_from_slice(piece)));
    }
    take(guard.finish());
    let (complete, content) = (guard.is_complete(), guard.saw_content());
    assert!(fault.is_none() || !complete, "complete in spite of {fault:?}");
    Guarded { passed, fault, complete, content, summary: guard.summary().clone() }
}

static ALL: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let of = |folder: Folder| {
        let requests = format!("{}/requests", folder.name);
        [(folder.name, "ndjson"), (folder.name, "json"), (requests.as_str(), "json")]
            .map(|(below, kind)| fixtures(below, kind))
    };
    FORMS.into_iter().flat_map(of).flatten().map(|(_, bytes)| bytes).collect()
});

/// A fixture, whole or with some bytes put in, put out or put for others.
pub(crate) fn damaged() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![select(b"\r\n\n\"{}[]:,\\ 0\xEF\xFF".as_slice()), any::<u8>()];
    let damage = vec((any::<Index>(), 0..3_u8, byte), 0..4);
    (select(ALL.as_slice()), damage).prop_map(|(mut bytes, damage)| {
        for (at, how, byte) in damage {
            let at = at.index(bytes.len() + 1);
            match how {
                0 => bytes.insert(at, byte),
                _ if at == bytes.len() => {}
                1 => bytes[at] = byte,
                _ => drop(bytes.remove(at)),
            }
        }
        bytes
    })
}
