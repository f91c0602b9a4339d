//! Answers as vendors send them. A new case is a file in its dialect's folder: `<case>.sse` (or `.ndjson`) is run
//! through the decoder and the guard, `<case>.json` through the whole-answer decoder, and where there are both,
//! they are the same answer; `requests/<case>.json` is decoded and encoded again.

use crate::streams::{Decoded, collect, decode, encode, guard};
use crate::{OPENAI, wire};
use hanok_base::{
    ChatResponse, Choice, Delta, Dialect, FinishReason, Object, Part, Route, Signature, StreamEvent, Usage,
};
use hanok_wire::{GuardOptions, RequestOptions};
use serde_json::Value;
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn folder(dialect: Dialect) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire").join(dialect.as_str())
}

/// The dialects that have fixtures.
pub(crate) fn dialects() -> impl Iterator<Item = Dialect> {
    assert!(folder(OPENAI).is_dir());
    Dialect::ALL.into_iter().filter(|dialect| folder(*dialect).is_dir())
}

/// The extension of a dialect's streams.
pub(crate) fn streamed_as(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::Ollama | Dialect::OllamaGenerate => "ndjson",
        _ => "sse",
    }
}

/// Fewest answers that a dialect has both whole and streamed.
fn pairs(dialect: Dialect) -> usize {
    match dialect {
        Dialect::OpenAiChat => 12,
        Dialect::OllamaGenerate => 1,
        _ => 4,
    }
}

/// Whether answers of a dialect have ids; else they are made up.
fn has_ids(dialect: Dialect) -> bool {
    !matches!(dialect, Dialect::Ollama | Dialect::OllamaGenerate)
}

/// An answer without what its dialect does not tell and the codec makes up.
fn told(dialect: Dialect, mut response: ChatResponse) -> ChatResponse {
    if !has_ids(dialect) {
        response.id = "".into();
        for choice in &mut response.choices {
            // A time that was not measured.
            choice.extra.retain(|_, value| *value != 0);
        }
    }
    response
}

/// A dialect's fixtures with this extension, by name.
pub(crate) fn all(dialect: Dialect, below: &str, extension: &str) -> Vec<(String, Vec<u8>)> {
    let folder = folder(dialect).join(below);
    let mut found: Vec<(String, Vec<u8>)> = std::fs::read_dir(&folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| (path.file_stem().unwrap().to_str().unwrap().to_owned(), std::fs::read(&path).unwrap()))
        .collect();
    found.sort();
    assert!(!found.is_empty(), "{}: no .{extension}", folder.display());
    found
}

#[test]
fn streamed() {
    for dialect in dialects() {
        for (name, bytes) in all(dialect, "", streamed_as(dialect)) {
            let mut said = String::new();
            let Decoded { events, end } = decode(dialect, [bytes.as_slice()]);
            for event in &events {
                say_event(&mut said, dialect, event);
            }
            match end {
                Ok(()) => writeln!(said, "= complete"),
                Err(error) => writeln!(said, "= {error:?}"),
            }
            .unwrap();
            say_guarded(&mut said, dialect, false, &bytes);
            // The only dialect in which usage is asked for.
            if dialect == OPENAI {
                say_guarded(&mut said, dialect, true, &bytes);
            }
            insta::assert_snapshot!(format!("{}__{name}.{}", dialect.as_str(), streamed_as(dialect)), said);
        }
    }
}

#[test]
fn whole() {
    for dialect in dialects() {
        let wire = wire(dialect);
        for (name, bytes) in all(dialect, "", "json") {
            let name = format!("{}__{name}.json", dialect.as_str());
            let mut said = String::new();
            let response = wire.decode_response(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            let response = told(dialect, response);
            say_response(&mut said, &response);
            let summary = wire.summarise(&bytes).unwrap();
            let usage = say_usage(&summary.usage);
            let reasons = summary.finish_reasons;
            writeln!(said, "summary {:?} {:?} {reasons:?} {usage}", summary.id, summary.model).unwrap();
            insta::assert_snapshot!(name.as_str(), said);
            // What was read is written again, unknown members included.
            let again = wire.decode_response(&wire.encode_response(&response, b"")).unwrap();
            assert_eq!(told(dialect, again), response, "{name}");
        }
    }
}

#[test]
fn streamed_and_whole_are_the_same_answer() {
    for dialect in dialects() {
        let of = dialect.as_str();
        let streams = all(dialect, "", streamed_as(dialect));
        let mut found = 0;
        for (name, bytes) in all(dialect, "", "json") {
            let Some((_, stream)) = streams.iter().find(|(of, _)| *of == name) else { continue };
            let events = decode(dialect, [stream.as_slice()]).events;
            let mut whole = told(dialect, wire(dialect).decode_response(&bytes).unwrap());
            for Choice { message, .. } in &mut whole.choices {
                // Events have no place for a message's unknown members.
                message.extra.clear();
            }
            let collected = |events| collect(events).map(|response| told(dialect, response));
            assert_eq!(collected(events.clone()), Some(whole.clone()), "{of} {name}");
            // And so it stays when the events are streamed on.
            let again = decode(dialect, [encode(dialect, &events).as_slice()]);
            let mut again = collected(again.events);
            if let (Some(again), false) = (&mut again, has_ids(dialect)) {
                // Each piece tells when it was made.
                again.created = whole.created;
            }
            assert_eq!(again, Some(whole), "{of} {name}, streamed on");
            found += 1;
        }
        assert!(found >= pairs(dialect), "{of}: only {found} pairs");
    }
}

/// Every member of a request survives decoding and encoding, known or not, in whatever depth.
#[test]
fn requests() {
    for dialect in dialects() {
        let wire = wire(dialect);
        for (name, bytes) in all(dialect, "requests", "json") {
            let name = format!("{} {name}", dialect.as_str());
            let request = wire.decode_request(&bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
            let mut before: Value = serde_json::from_slice(&bytes).unwrap();
            let stream = wire.peek(Route::Chat, &bytes).unwrap().stream;
            let max_completion_tokens = before.get("max_completion_tokens").is_some();
            let options = RequestOptions {
                stream,
                ask_usage: false,
                max_completion_tokens,
                thoughts: Some("reasoning_content"),
            };
            let again = wire.encode_request(&request, options);
            assert_eq!(again.lost, [], "{name}");
            assert_eq!(wire.peek(Route::Chat, &again.body).unwrap().stream, stream, "{name}");
            let mut after: Value = serde_json::from_slice(&again.body).unwrap();
            for body in [&mut before, &mut after] {
                // Compared above: some dialects may leave it unsaid.
                body.as_object_mut().unwrap().shift_remove("stream");
            }
            assert_eq!(before, after, "{name}");
        }
    }
}

fn say_event(out: &mut String, dialect: Dialect, event: &StreamEvent) {
    match event {
        StreamEvent::Start { id, model, created, extra, .. } => {
            let id = if has_ids(dialect) { id.as_str() } else { "" };
            writeln!(out, "start id={id} model={model} created={created} {}", Value::Object(extra.clone()))
        }
        StreamEvent::PartStart { choice, part, value } => {
            writeln!(out, "{choice}.{part} {}", say_part(value))
        }
        StreamEvent::PartDelta { choice, part, delta } => match delta {
            Delta::Text(text) => writeln!(out, "{choice}.{part} += {text:?}"),
            Delta::Reasoning(text) => writeln!(out, "{choice}.{part} += reasoning {text:?}"),
            Delta::Arguments(text) => writeln!(out, "{choice}.{part} += arguments {text:?}"),
            Delta::Signature(signature) => {
                writeln!(out, "{choice}.{part} +={}", say_signature(Some(signature)))
            }
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
        Part::Reasoning(reasoning) => {
            let redacted = if reasoning.redacted { " redacted" } else { "" };
            let signature = say_signature(reasoning.signature.as_ref());
            format!("reasoning{redacted} {:?}{signature}{}", reasoning.text, say_extra(&reasoning.extra))
        }
        Part::Refusal(text) => format!("refusal {text:?}"),
        Part::ToolCall(call) => format!(
            "call id={:?} name={:?} arguments={:?}{}{}",
            call.id,
            call.name,
            call.arguments,
            say_signature(call.signature.as_ref()),
            say_extra(&call.extra)
        ),
        Part::Opaque { value, .. } => format!("opaque {value}"),
        other => format!("{other:?}"),
    }
}

fn say_signature(signature: Option<&Signature>) -> String {
    signature
        .map(|Signature { of, value }| format!(" signature {} {value:?}", of.as_str()))
        .unwrap_or_default()
}

fn say_extra(extra: &Object) -> String {
    if extra.is_empty() { String::new() } else { format!(" {}", Value::Object(extra.clone())) }
}

fn say_reason(reason: &FinishReason) -> String {
    match reason {
        FinishReason::Other(other) => format!("other {other:?}"),
        FinishReason::StopText(text) => format!("stop at {text:?}"),
        known => known.as_str().to_owned(),
    }
}

fn say_usage(usage: &Usage) -> String {
    let counts = [
        ("input", usage.input),
        ("output", usage.output),
        ("cached", usage.cached_input),
        ("written", usage.cache_write),
        ("written-long", usage.cache_write_long),
        ("input-audio", usage.input_audio),
        ("input-image", usage.input_image),
        ("output-audio", usage.output_audio),
        ("output-image", usage.output_image),
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

fn say_guarded(out: &mut String, dialect: Dialect, hide_usage: bool, bytes: &[u8]) {
    let guarded = guard(dialect, GuardOptions { hide_usage }, [bytes]);
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
