//! The Responses dialect: what vendors send, what official clients want, and what is kept for them.

use bytes::Bytes;
use hanok_base::chat::Quote;
use hanok_base::stream::Collector;
use hanok_base::{
    ChatRequest, ChatResponse, Choice, Citation, Delta, Dialect, ErrorKind, FinishReason, Media, MediaSource,
    Message, Object, OutputFormat, Part, Problem, ProviderErrorKind, Reasoning, Role, Route, Signature,
    StreamEvent, ToolCall, ToolChoice, ToolResult, ToolSpec, Usage,
};
use hanok_wire::openai_responses as kept;
use hanok_wire::sse::Parser;
use hanok_wire::{Codec, GuardOptions, Patch, RequestOptions, StreamFault, StreamOptions, WireError};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::LazyLock;

mod cross;
mod laws;
mod state;
mod streams;

fn wire() -> &'static dyn Codec {
    hanok_wire::codec(Dialect::OpenAiResponses)
}

fn chat() -> &'static dyn Codec {
    hanok_wire::codec(Dialect::OpenAiChat)
}

/// The fixtures with this extension, by name.
fn all(below: &str, extension: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/openai-responses").join(below);
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

fn fixture(name: &str) -> Vec<u8> {
    std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/wire/openai-responses").join(name))
        .unwrap()
}

fn decode<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> (Vec<StreamEvent>, Result<(), WireError>) {
    let mut decoder = wire().stream_decoder();
    let mut events = Vec::new();
    for piece in pieces {
        if let Err(error) = decoder.feed(piece, &mut events) {
            return (events, Err(error));
        }
    }
    let end = decoder.finish();
    (events, end)
}

fn collect(events: impl IntoIterator<Item = StreamEvent>) -> Option<ChatResponse> {
    let mut collector = Collector::default();
    events.into_iter().for_each(|event| collector.push(event));
    collector.into_response()
}

fn encode(events: &[StreamEvent], request: &str) -> Vec<u8> {
    let request = Bytes::from(request.to_owned());
    let mut encoder = wire().stream_encoder(StreamOptions { request, ..StreamOptions::default() });
    let mut out = Vec::new();
    for event in events {
        encoder.encode(event, &mut out);
    }
    encoder.finish(&mut out);
    out
}

/// The data of each event; the name must be its type.
fn events(bytes: &[u8]) -> Vec<Value> {
    let (mut out, mut parser) = (Vec::new(), Parser::default());
    parser
        .feed(bytes, |event| {
            let data: Value = serde_json::from_slice(event.data).unwrap();
            assert_eq!(data["type"].as_str().unwrap().as_bytes(), event.name);
            out.push(data);
            Ok(())
        })
        .unwrap();
    out
}

/// Their types, without `response.`.
fn types(events: &[Value]) -> Vec<&str> {
    let types = events.iter().map(|event| event["type"].as_str().unwrap());
    types.map(|kind| kind.strip_prefix("response.").unwrap_or(kind)).collect()
}

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).unwrap()
}

#[derive(Debug, PartialEq)]
struct Guarded {
    passed: Vec<u8>,
    fault: Option<StreamFault>,
    complete: bool,
    content: bool,
    summary: hanok_wire::StreamSummary,
}

fn guard<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Guarded {
    let mut guard = wire().stream_guard(GuardOptions::default());
    let (mut passed, mut fault) = (Vec::new(), None);
    for piece in pieces {
        let fed = guard.feed(Bytes::copy_from_slice(piece));
        passed.extend_from_slice(&fed.bytes);
        fault = fed.fault;
        if fault.is_some() {
            break;
        }
    }
    if fault.is_none() {
        let fed = guard.finish();
        passed.extend_from_slice(&fed.bytes);
        fault = fed.fault;
    }
    Guarded {
        passed,
        fault,
        complete: guard.is_complete(),
        content: guard.saw_content(),
        summary: guard.summary().clone(),
    }
}

fn response(parts: Vec<Part>, finish: FinishReason) -> ChatResponse {
    ChatResponse {
        id: "chatcmpl-1".into(),
        model: "m".into(),
        created: 7,
        choices: vec![Choice {
            index: 0,
            message: Message { role: Role::Assistant, parts, extra: Object::new() },
            finish,
            extra: Object::new(),
        }],
        usage: Usage { input: Some(3), output: Some(2), ..Usage::default() },
        dialect: Some(Dialect::OpenAiChat),
        extra: Object::new(),
    }
}

fn call(id: &str, arguments: &str) -> ToolCall {
    ToolCall {
        id: id.to_owned(),
        name: "f".to_owned(),
        arguments: arguments.to_owned(),
        ..ToolCall::default()
    }
}

fn start() -> StreamEvent {
    StreamEvent::Start {
        id: "chatcmpl-1".into(),
        model: "m".into(),
        created: 7,
        dialect: Some(Dialect::OpenAiChat),
        extra: Object::new(),
    }
}

fn begin(part: usize, value: Part) -> StreamEvent {
    StreamEvent::PartStart { choice: 0, part, value }
}

fn grow(part: usize, delta: Delta) -> StreamEvent {
    StreamEvent::PartDelta { choice: 0, part, delta }
}

fn text(part: usize, text: &str) -> StreamEvent {
    grow(part, Delta::Text(text.to_owned()))
}

fn end(part: usize) -> StreamEvent {
    StreamEvent::PartEnd { choice: 0, part }
}

fn finish(reason: FinishReason) -> StreamEvent {
    StreamEvent::Finish { choice: 0, reason }
}
