//! What mutation found and kept (`tests/corpus`), a folder for each dialect and kind: whatever was read is read
//! again after it was written.

use crate::streams::{collect, decode, encode, guard};
use crate::wire;
use hanok_base::{ChatResponse, Dialect, StreamEvent};
use hanok_wire::{GuardOptions, RequestOptions, WireError};
use serde_json::Value;
use std::path::Path;

/// Runs each input of this kind through `check`.
fn each(kind: &str, check: impl Fn(Dialect, &[u8], &str)) {
    for dialect in Dialect::ALL {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("tests/corpus")
            .join(format!("{}-{kind}", dialect.as_str()));
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            check(dialect, &std::fs::read(&path).unwrap(), &path.display().to_string());
        }
    }
}

#[test]
fn requests() {
    each("request", |dialect, bytes, place| {
        let write = |request| wire(dialect).encode_request(&request, RequestOptions::default()).body;
        let Ok(request) = wire(dialect).decode_request(bytes) else { return };
        let again = wire(dialect).decode_request(&write(request));
        let again = write(again.unwrap_or_else(|error| panic!("{place}: {error}")));
        let third = write(wire(dialect).decode_request(&again).unwrap());
        let parsed = |body: &[u8]| serde_json::from_slice::<Value>(body).unwrap();
        assert_eq!(parsed(&again), parsed(&third), "{place}");
    });
}

/// What clients of the other dialects get of an answer, they can read.
fn readable(response: &ChatResponse, place: &str) {
    for target in Dialect::ALL.into_iter().filter(|target| response.dialect != Some(*target)) {
        if response.choices.len() == 1 {
            let body = wire(target).encode_response(response, b"");
            let told = |error: WireError| panic!("{place} for {target:?}: {error}: {}", body.escape_ascii());
            wire(target).decode_response(&body).map_or_else(told, drop);
            wire(target).summarise(&body).map_or_else(told, drop);
        }
    }
}

#[test]
fn answers() {
    each("response", |dialect, bytes, place| {
        if let Ok(response) = wire(dialect).decode_response(bytes) {
            readable(&response, place);
            if let Err(error) = wire(dialect).summarise(bytes) {
                panic!("{place}: {error}");
            }
        }
    });
}

#[test]
fn streams() {
    each("stream", |dialect, bytes, place| {
        let decoded = decode(dialect, [bytes]);
        let mut ended = Vec::new();
        for event in &decoded.events {
            match event {
                StreamEvent::Finish { choice, .. } => ended.push(*choice),
                StreamEvent::PartStart { choice, .. } | StreamEvent::PartDelta { choice, .. } => {
                    assert!(!ended.contains(choice), "{place}");
                }
                _ => {}
            }
        }
        let guarded = guard(dialect, GuardOptions::default(), [bytes]);
        let cut = matches!(decoded.end, Err(WireError::Truncated | WireError::Upstream(_)));
        assert!(!(guarded.complete && cut), "{place}: {:?}", decoded.end);
        if decoded.end.is_ok() {
            readable(&collect(decoded.events.clone()).unwrap(), place);
            for target in Dialect::ALL.into_iter().filter(|target| *target != dialect) {
                let end = decode(target, [encode(target, &decoded.events).as_slice()]).end;
                assert_eq!(end, Ok(()), "{place} for {target:?}");
            }
        }
    });
}
