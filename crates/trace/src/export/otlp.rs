//! Traces as an `ExportTraceServiceRequest` (opentelemetry-proto 1.x), written as protobuf: a request is written
//! once from front to back, so that there is no tree of messages in between.

use crate::view::SpanView;
use hanok_base::SpanStatus;
use hanok_store::{StoredSpan, StoredTrace};
use serde_json::Value;

/// Wire types.
const VARINT: u8 = 0;
const FIXED64: u8 = 1;
const BYTES: u8 = 2;

/// Span kinds.
const INTERNAL: u64 = 1;
const SERVER: u64 = 2;
const CLIENT: u64 = 3;

/// Status codes.
const OK: u64 = 1;
const ERROR: u64 = 2;

/// About how many bytes a trace takes.
pub(super) fn approx_bytes(trace: &StoredTrace) -> usize {
    let of_span = |span: &StoredSpan| {
        256 + span.attributes.len() * 64 + span.bodies.iter().map(|(_, body)| body.len()).sum::<usize>()
    };
    trace.spans.iter().map(of_span).sum()
}

/// The request for these traces.
pub(super) fn request(traces: &[StoredTrace]) -> Vec<u8> {
    let mut out = Vec::with_capacity(traces.iter().map(approx_bytes).sum());
    for trace in traces {
        // ResourceSpans
        message(&mut out, 1, |out| {
            message(out, 1, |out| {
                attribute(out, 1, "service.name", &trace.row.source.as_deref().unwrap_or("hanok").into());
                if let Some(project) = &trace.row.project {
                    attribute(out, 1, "hanok.project", &project.as_str().into());
                }
            });
            // ScopeSpans
            message(out, 2, |out| {
                message(out, 1, |out| {
                    text(out, 1, "hanok");
                    text(out, 2, env!("CARGO_PKG_VERSION"));
                });
                for stored in &trace.spans {
                    message(out, 2, |out| span(out, trace, stored));
                }
            });
        });
    }
    out
}

fn span(out: &mut Vec<u8>, trace: &StoredTrace, stored: &StoredSpan) {
    bytes(out, 1, trace.row.trace_id.as_bytes());
    bytes(out, 2, stored.span_id.as_bytes());
    if let Some(parent) = &stored.parent_id {
        bytes(out, 4, parent.as_bytes());
    }
    text(out, 5, &stored.name);
    let kind = match stored.operation.as_str() {
        "gateway" => SERVER,
        "chat" | "embeddings" | "forward" => CLIENT,
        _ => INTERNAL,
    };
    number(out, 6, kind);
    let start = stored.start.0.max(0).unsigned_abs();
    fixed(out, 7, start);
    fixed(out, 8, start.saturating_add(stored.duration_ns.max(0).unsigned_abs()));
    // What a reader of ours gets, under the names of OpenTelemetry.
    let seen = SpanView::from(stored.clone());
    for (name, value) in &seen.attributes {
        match value {
            // Structured values are JSON in a span's attributes, as the conventions have it where a backend does
            // not take them otherwise.
            Value::Array(items) if items.iter().any(|item| item.is_object() || item.is_array()) => {
                attribute(out, 9, name, &value.to_string().into());
            }
            Value::Object(_) => attribute(out, 9, name, &value.to_string().into()),
            Value::Null => {}
            value => attribute(out, 9, name, value),
        }
    }
    message(out, 15, |out| match &stored.status {
        SpanStatus::Ok => number(out, 3, OK),
        SpanStatus::Error(why) => {
            text(out, 2, why);
            number(out, 3, ERROR);
        }
    });
}

fn attribute(out: &mut Vec<u8>, field: u32, name: &str, value: &Value) {
    message(out, field, |out| {
        text(out, 1, name);
        message(out, 2, |out| any(out, value));
    });
}

/// An `AnyValue`.
fn any(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => {}
        Value::Bool(yes) => number(out, 2, u64::from(*yes)),
        Value::Number(value) => match (value.as_i64(), value.as_f64()) {
            (Some(whole), _) => number(out, 3, whole.cast_unsigned()),
            (None, Some(float)) => {
                key(out, 4, FIXED64);
                out.extend_from_slice(&float.to_le_bytes());
            }
            (None, None) => text(out, 1, &value.to_string()),
        },
        // Written even where it is empty: absent would be no value at all.
        Value::String(value) => bytes(out, 1, value.as_bytes()),
        Value::Array(items) => message(out, 5, |out| {
            for item in items {
                message(out, 1, |out| any(out, item));
            }
        }),
        Value::Object(members) => message(out, 6, |out| {
            for (name, value) in members {
                attribute(out, 1, name, value);
            }
        }),
    }
}

fn key(out: &mut Vec<u8>, field: u32, wire: u8) {
    varint(out, u64::from(field) << 3 | u64::from(wire));
}

fn number(out: &mut Vec<u8>, field: u32, value: u64) {
    key(out, field, VARINT);
    varint(out, value);
}

fn fixed(out: &mut Vec<u8>, field: u32, value: u64) {
    key(out, field, FIXED64);
    out.extend_from_slice(&value.to_le_bytes());
}

fn bytes(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    key(out, field, BYTES);
    varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

fn text(out: &mut Vec<u8>, field: u32, value: &str) {
    if !value.is_empty() {
        bytes(out, field, value.as_bytes());
    }
}

/// A message within, whose length is known once it is written: it is put before it then.
fn message(out: &mut Vec<u8>, field: u32, write: impl FnOnce(&mut Vec<u8>)) {
    key(out, field, BYTES);
    let from = out.len();
    write(out);
    let mut length = Vec::with_capacity(5);
    varint(&mut length, (out.len() - from) as u64);
    out.splice(from..from, length);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    loop {
        let [byte, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            return out.push(byte & 0x7f);
        }
        out.push(byte | 0x80);
    }
}
