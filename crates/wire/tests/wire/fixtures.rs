//! Answers as vendors send them. A new case is a file: `<case>.sse` is run through the decoder and the guard,
//! `<case>.json` through the whole-answer decoder, and where there are both, they are the same answer.

use crate::streams::{Decoded, collect, decode, encode, guard};
use crate::wire;
use hanok_base::{ChatResponse, Choice, Delta, FinishReason, Part, StreamEvent, Usage};
use hanok_wire::{GuardOptions, RequestOptions};
use serde_json::Value;
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/openai-chat")
}

/// The fixtures with this extension, by name.
pub(crate) fn all(below: &str, extension: &str) -> Vec<(String, Vec<u8>)> {
    let mut found: Vec<(String, Vec<u8>)> = std::fs::read_dir(folder().join(below))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect();
    found.sort();
    assert!(!found.is_empty());
    found
}

#[test]
fn streamed() {
    for (name, bytes) in all("", "sse") {
        let mut said = String::new();
        let Decoded { events, end } = decode([bytes.as_slice()]);
        for event in &events {
            say_event(&mut said, event);
        }
        match end {
            Ok(()) => writeln!(said, "= complete"),
            Err(error) => writeln!(said, "= {error:?}"),
        }
        .unwrap();
        for hide_usage in [false, true] {
            say_guarded(&mut said, hide_usage, &bytes);
        }
        insta::assert_snapshot!(format!("{name}.sse"), said);
    }
}

#[test]
fn whole() {
    for (name, bytes) in all("", "json") {
        let mut said = String::new();
        let response = wire().decode_response(&bytes).unwrap();
        say_response(&mut said, &response);
        let summary = wire().summarise(&bytes).unwrap();
        let usage = say_usage(&summary.usage);
        writeln!(said, "summary {:?} {:?} {:?} {usage}", summary.id, summary.model, summary.finish_reasons)
            .unwrap();
        insta::assert_snapshot!(format!("{name}.json"), said);
        // What was read is written again, unknown members included.
        let again = wire().decode_response(&wire().encode_response(&response, b"")).unwrap();
        assert_eq!(again, response, "{name}");
    }
}

#[test]
fn streamed_and_whole_are_the_same_answer() {
    let streams = all("", "sse");
    let mut pairs = 0;
    for (name, bytes) in all("", "json") {
        let (_, stream) = streams.iter().find(|(of, _)| *of == name).unwrap();
        let events = decode([stream.as_slice()]).events;
        let mut whole = wire().decode_response(&bytes).unwrap();
        for Choice { message, .. } in &mut whole.choices {
            // Events have no place for a message's unknown members.
            message.extra.clear();
        }
        assert_eq!(collect(events.clone()), Some(whole.clone()), "{name}");
        // And so it stays when the events are streamed on.
        assert_eq!(collect(decode([encode(&events).as_slice()]).events), Some(whole), "{name}");
        pairs += 1;
    }
    assert!(pairs >= 12, "only {pairs} pairs");
}

/// Every member of a request survives decoding and encoding, known or not, in whatever depth.
#[test]
fn requests() {
    for (name, bytes) in all("requests", "json") {
        let request = wire().decode_request(&bytes).unwrap();
        let again = wire().encode_request(&request, RequestOptions::default()).body;
        let (before, after): (Value, Value) =
            (serde_json::from_slice(&bytes).unwrap(), serde_json::from_slice(&again).unwrap());
        assert_eq!(before, after, "{name}");
    }
}

fn say_event(out: &mut String, event: &StreamEvent) {
    match event {
        StreamEvent::Start { id, model, created, extra, .. } => {
            writeln!(out, "start id={id} model={model} created={created} {}", Value::Object(extra.clone()))
        }
        StreamEvent::PartStart { choice, part, value } => {
            writeln!(out, "{choice}.{part} {}", say_part(value))
        }
        StreamEvent::PartDelta { choice, part, delta } => match delta {
            Delta::Text(text) => writeln!(out, "{choice}.{part} += {text:?}"),
            Delta::Reasoning(text) => writeln!(out, "{choice}.{part} += reasoning {text:?}"),
            Delta::Arguments(text) => writeln!(out, "{choice}.{part} += arguments {text:?}"),
            Delta::Signature(text) => writeln!(out, "{choice}.{part} += signature {text:?}"),
        },
        StreamEvent::PartEnd { choice, part } => writeln!(out, "{choice}.{part} end"),
        StreamEvent::ChoiceExtra { choice, extra } => {
            writeln!(out, "{choice} {}", Value::Object(extra.clone()))
        }
        StreamEvent::Finish { choice, reason } => writeln!(out, "{choice} finish {}", say_reason(reason)),
        StreamEvent::Usage(usage) => writeln!(out, "{}", say_usage(usage)),
    }
    .unwrap();
}

fn say_part(part: &Part) -> String {
    match part {
        Part::Text(text) => format!("text {text:?}"),
        Part::Reasoning(reasoning) => format!("reasoning {:?}", reasoning.text),
        Part::Refusal(text) => format!("refusal {text:?}"),
        Part::ToolCall(call) => format!(
            "call id={:?} name={:?} arguments={:?} {}",
            call.id,
            call.name,
            call.arguments,
            Value::Object(call.extra.clone())
        ),
        Part::Opaque { value, .. } => format!("opaque {value}"),
        other => format!("{other:?}"),
    }
}

fn say_reason(reason: &FinishReason) -> String {
    match reason {
        FinishReason::Other(other) => format!("other {other:?}"),
        known => known.as_str().to_owned(),
    }
}

fn say_usage(usage: &Usage) -> String {
    let counts = [
        ("input", usage.input),
        ("output", usage.output),
        ("cached", usage.cached_input),
        ("written", usage.cache_write),
        ("reasoning", usage.reasoning),
    ];
    let known = counts.iter().filter_map(|(name, count)| count.map(|count| format!(" {name}={count}")));
    known.fold("usage".to_owned(), |said, count| said + &count)
}

fn say_response(out: &mut String, response: &ChatResponse) {
    let ChatResponse { id, model, created, choices, usage, extra, .. } = response;
    writeln!(out, "id={id} model={model} created={created} {}", Value::Object(extra.clone())).unwrap();
    for choice in choices {
        for part in &choice.message.parts {
            writeln!(out, "{} {}", choice.index, say_part(part)).unwrap();
        }
        let message = Value::Object(choice.message.extra.clone());
        let extra = Value::Object(choice.extra.clone());
        let reason = say_reason(&choice.finish);
        writeln!(out, "{} finish {reason} choice={extra} message={message}", choice.index).unwrap();
    }
    writeln!(out, "{}", say_usage(usage)).unwrap();
}

fn say_guarded(out: &mut String, hide_usage: bool, bytes: &[u8]) {
    let guarded = guard(GuardOptions { hide_usage }, [bytes]);
    let passed = guarded.passed.as_slice();
    let both = bytes.iter().zip(passed).take_while(|(a, b)| a == b).count();
    let [gone, more] = [&bytes[both..], &passed[both..]].map(String::from_utf8_lossy);
    let what = match (gone.is_empty(), more.is_empty()) {
        (true, true) => "all".to_owned(),
        (false, true) => format!("all but {gone:?}"),
        (true, false) => format!("all and {more:?}"),
        (false, false) => format!("instead of {gone:?}: {more:?}"),
    };
    let hidden = if hide_usage { ", usage hidden" } else { "" };
    writeln!(out, "guard{hidden}: passes {what}").unwrap();
    match &guarded.fault {
        Some(fault) => {
            writeln!(out, "  fault {}: {} (code {:?})", fault.kind, fault.message, fault.code).unwrap();
        }
        None => assert!(guarded.complete),
    }
    if !hide_usage {
        let summary = &guarded.summary;
        let usage = say_usage(&summary.usage);
        let content = guarded.content;
        writeln!(
            out,
            "  id={:?} model={:?} {usage} finish={:?} content={content}",
            summary.id, summary.model, summary.finish_reasons
        )
        .unwrap();
    }
}
