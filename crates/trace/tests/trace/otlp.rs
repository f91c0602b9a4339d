//! Spans of other programs: recorded requests of each convention, as the API gives them out.

#![expect(clippy::cast_possible_truncation, reason = "a varint goes out byte by byte")]

use crate::{block, house};
use hanok_base::{Caller, Timestamp, TraceId};
use hanok_store::{Options, Store};
use hanok_trace::otlp::form::{AnyValue, KeyValue, Of, Parent, Scoped, Span};
use hanok_trace::otlp::{Format, OtlpError, read_logs, read_traces};
use hanok_trace::{Prices, Receipt, TraceStore, parse_filter};
use serde_json::{Value, json};
use std::path::Path;
use std::sync::Arc;

const TRACE: &str = "5b8efff798038103d269b633813fc60c";

fn fixture(name: &str) -> Vec<u8> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/otlp");
    std::fs::read(folder.join(name).with_extension("json")).unwrap()
}

async fn send(traces: &TraceStore, body: &[u8], format: Format) -> Receipt {
    let parcel = traces.unpack_traces(body, format, &Caller::default()).unwrap();
    traces.keep(parcel).await.unwrap()
}

/// The list's row and the spans, as they are given out.
async fn shown(traces: &TraceStore) -> Value {
    let id: TraceId = TRACE.parse().unwrap();
    let detail = traces.get(id).await.unwrap().unwrap();
    let page = traces.list(&parse_filter("", Timestamp::now()).unwrap(), None, 10).await.unwrap();
    let summary = &detail.summary;
    json!({
        "row": page.traces,
        "previews": [summary.input, summary.output],
        "spans": detail.spans,
    })
}

#[test]
fn conventions() {
    for name in ["gen_ai", "gen_ai_older", "openinference", "langfuse", "traceloop", "ai_sdk", "precedence"] {
        let folder = tempfile::tempdir().unwrap();
        let traces = TraceStore::new(
            Store::open(folder.path(), Options::default()).unwrap(),
            Arc::new(Prices::builtin()),
        );
        let body = fixture(name);
        block(async {
            assert_eq!(send(&traces, &body, Format::Json).await, Receipt::default());
            let once = shown(&traces).await;
            insta::assert_snapshot!(name, serde_json::to_string_pretty(&once).unwrap());
            // The same again, in the other format, changes nothing.
            let again = to_protobuf(&read_traces(&body, Format::Json).unwrap());
            assert_eq!(send(&traces, &again, Format::Protobuf).await, Receipt::default());
            assert_eq!(shown(&traces).await, once, "{name}");
        });
    }
}

#[test]
fn both_formats_read_the_same() {
    for name in ["gen_ai", "gen_ai_older", "openinference", "langfuse", "traceloop", "ai_sdk"] {
        let body = fixture(name);
        let read = read_traces(&body, Format::Json).unwrap();
        let protobuf = to_protobuf(&read);
        assert_eq!(read_traces(&protobuf, Format::Protobuf).unwrap(), read, "{name}");
        for cut in 0..protobuf.len() {
            // A cut may fall between two fields; it never panics.
            let _either = read_traces(&protobuf[..cut], Format::Protobuf);
        }
    }
}

#[test]
fn spans_in_pieces_are_one_trace() {
    let folder = tempfile::tempdir().unwrap();
    let traces = house(&folder);
    let body = fixture("gen_ai");
    block(async {
        let mut whole = read_traces(&body, Format::Json).unwrap();
        let mut spans = std::mem::take(&mut whole[0].scopes[0].entries);
        // Children first, each on its own, some twice.
        spans.reverse();
        for span in spans {
            whole[0].scopes[0].entries = vec![span];
            let piece = to_protobuf(&whole);
            for _ in 0..2 {
                send(&traces, &piece, Format::Protobuf).await;
            }
        }
        let pieces = shown(&traces).await;
        let row = &pieces["row"][0];
        assert_eq!(pieces["row"].as_array().unwrap().len(), 1);
        assert_eq!(pieces["spans"].as_array().unwrap().len(), 5);
        assert_eq!((&row["name"], &row["input_tokens"]), (&json!("invoke_agent helper"), &json!(2200)));
        assert_eq!(row["session"], "c-1");
    });
}

#[test]
fn what_cannot_be_taken_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let traces = house(&folder);
    let span = |trace_id: &str, span_id: &str, parent: &str, start: u64| {
        json!({"traceId": trace_id, "spanId": span_id, "parentSpanId": parent, "name": "x",
            "startTimeUnixNano": start, "endTimeUnixNano": "1790000000000000001", "kind": "SPAN_KIND_CLIENT",
            "status": {"code": "STATUS_CODE_ERROR"}, "vendor": {"unknown": [1, null]}, "attributes": null})
    };
    let now = 1_790_000_000_000_000_000;
    let good = "00000000000000a1";
    let spans = json!([
        span(TRACE, good, "", now),
        span("", good, "", now),
        span("zz", good, "", now),
        span(TRACE, "0000000000000000", "", now),
        span(TRACE, "00000000000000a2", "12", now),
        span(TRACE, "00000000000000a3", "0000000000000000", now),
        span(TRACE, "00000000000000a4", good, 0),
    ]);
    let body = json!({"resourceSpans": [{"resource": null, "scopeSpans": [{"spans": spans}]}]}).to_string();
    block(async {
        let receipt = send(&traces, body.as_bytes(), Format::Json).await;
        assert_eq!(receipt.rejected, 5);
        for told in [
            "2 without a valid trace id",
            "1 without a valid span id",
            "1 with a parent",
            "1 without a start",
        ] {
            assert!(receipt.message.contains(told), "{}", receipt.message);
        }
        let kept = shown(&traces).await;
        assert_eq!(kept["spans"].as_array().unwrap().len(), 2);
        assert_eq!(kept["spans"][0]["status"], "error");
        assert_eq!(kept["spans"][0]["attributes"]["span.kind"], "client");
        let counts = traces.received();
        assert_eq!((counts.spans, counts.rejected), (2, 5));
    });
}

#[test]
fn bodies_that_are_no_requests() {
    let check = |body: &[u8], format: Format, expect: &str| {
        let error = read_traces(body, format).unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
        assert!(read_logs(body, format).is_err());
    };
    check(b"\x0a\x05\x0a", Format::Protobuf, "cut off");
    check(b"\x0b", Format::Protobuf, "not a protobuf message");
    check(b"\x08\x01", Format::Protobuf, "another type");
    check(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", Format::Protobuf, "not a protobuf message");
    check(b"[]", Format::Json, "not an OTLP request");
    check(b"{\"resourceSpans\": 3, \"resourceLogs\": 3}", Format::Json, "not an OTLP request");
    check(b"{", Format::Json, "not an OTLP request");
    // Values within values, and many of nothing.
    let mut deep = Vec::new();
    for _ in 0..100 {
        deep = field(5, &field(1, &deep));
    }
    let attribute = [field(1, b"k"), field(2, &deep)].concat();
    let span = field(2, &field(9, &attribute));
    assert_eq!(read_traces(&field(1, &field(2, &span)), Format::Protobuf), Err(OtlpError::TooDeep));
    let many = field(1, &field(2, &field(2, b"").repeat(1 << 20)));
    assert_eq!(read_traces(&many, Format::Protobuf), Err(OtlpError::TooMany));
    let many =
        format!(r#"{{"resourceSpans":[{{"scopeSpans":[{{"spans":[{}{{}}]}}]}}]}}"#, "{},".repeat(1 << 20));
    let error = read_traces(many.as_bytes(), Format::Json).unwrap_err().to_string();
    assert!(error.contains("too many"), "{error}");
    assert_eq!(read_traces(b"", Format::Protobuf), Ok(Vec::new()));
    assert_eq!(read_traces(b"{}", Format::Json), Ok(Vec::new()));
}

#[test]
fn events_of_logs_come_to_their_span() {
    let folder = tempfile::tempdir().unwrap();
    let traces = house(&folder);
    let text = |key: &str, text: &str| json!({"key": key, "value": {"stringValue": text}});
    let record = |name: &str, body: Value| {
        json!({"timeUnixNano": "1790000000020000000", "traceId": TRACE, "spanId": "0000000000000002",
            "eventName": name, "body": {"kvlistValue": {"values": body}}, "attributes": [text("gen_ai.system", "openai")]})
    };
    let choice = json!([
        {"key": "index", "value": {"intValue": 0}},
        {"key": "finish_reason", "value": {"stringValue": "stop"}},
        {"key": "message", "value": {"kvlistValue": {"values": [text("role", "assistant"), text("content", "hello")]}}},
    ]);
    let logs = json!({"resourceLogs": [{"scopeLogs": [{"logRecords": [
        record("gen_ai.user.message", json!([text("content", "hi")])),
        record("gen_ai.choice", choice),
        {"timeUnixNano": "1", "body": {"stringValue": "a line of a log"}},
        record("app.started", json!([])),
    ]}]}]})
    .to_string();
    block(async {
        // Before its span, and again after it.
        for _ in 0..2 {
            let parcel = traces.unpack_logs(logs.as_bytes(), Format::Json, &Caller::default()).unwrap();
            assert_eq!(traces.keep(parcel).await.unwrap(), Receipt::default());
            send(&traces, &fixture("gen_ai"), Format::Json).await;
        }
        let shown = shown(&traces).await;
        let spans = shown["spans"].as_array().unwrap();
        assert_eq!(spans.len(), 6);
        let said = spans.iter().find(|span| span["name"] == "messages").unwrap();
        assert_eq!(said["parent_id"], "0000000000000002");
        assert_eq!(
            said["attributes"]["gen_ai.output.messages"],
            json!([{"role": "assistant", "parts": [{"type": "text", "content": "hello"}], "finish_reason": "stop"}])
        );
        assert_eq!(said["attributes"]["gen_ai.input.messages"][0]["parts"][0]["content"], "hi");
        assert_eq!(shown["row"][0]["input_tokens"], 2200);
        assert_eq!(traces.received().ignored_logs, 4);
        traces
            .ignore_metrics(br#"{"resourceMetrics":[{"scopeMetrics":[{"metrics":[{},{}]}]}]}"#, Format::Json)
            .unwrap();
        let protobuf = field(1, &field(2, &[field(2, b""), field(2, b"")].concat()));
        traces.ignore_metrics(&protobuf, Format::Protobuf).unwrap();
        assert_eq!(traces.received().ignored_metrics, 4);
    });
}

fn varint(into: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        into.push(number as u8 | 0x80);
        number >>= 7;
    }
    into.push(number as u8);
}

fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    varint(&mut bytes, u64::from(number << 3 | 2));
    varint(&mut bytes, content.len() as u64);
    bytes.extend_from_slice(content);
    bytes
}

fn fixed(number: u32, value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    varint(&mut bytes, u64::from(number << 3 | 1));
    bytes.extend_from_slice(&value.to_le_bytes());
    bytes
}

fn whole(number: u32, value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    varint(&mut bytes, u64::from(number << 3));
    varint(&mut bytes, value);
    bytes
}

fn attributes(number: u32, all: &[KeyValue<'_>]) -> Vec<u8> {
    all.iter()
        .flat_map(|one| field(number, &[field(1, one.key.as_bytes()), field(2, &any(&one.value))].concat()))
        .collect()
}

fn any(value: &AnyValue<'_>) -> Vec<u8> {
    match value {
        AnyValue::Empty => Vec::new(),
        AnyValue::Text(text) => field(1, text.as_bytes()),
        AnyValue::Bool(truth) => whole(2, u64::from(*truth)),
        AnyValue::Int(number) => whole(3, number.cast_unsigned()),
        AnyValue::Double(number) => fixed(4, number.to_bits()),
        AnyValue::Array(values) => {
            field(5, &values.iter().flat_map(|value| field(1, &any(value))).collect::<Vec<u8>>())
        }
        AnyValue::List(members) => field(6, &attributes(1, members)),
        AnyValue::Bytes(bytes) => field(7, bytes),
    }
}

/// An `ExportTraceServiceRequest` of what was read.
fn to_protobuf(request: &[Of<'_, Span<'_>>]) -> Vec<u8> {
    let span = |span: &Span<'_>| {
        let mut bytes = Vec::new();
        bytes.extend(span.trace_id.map(|id| field(1, id.as_bytes())).unwrap_or_default());
        bytes.extend(span.span_id.map(|id| field(2, id.as_bytes())).unwrap_or_default());
        if let Parent::Span(id) = span.parent {
            bytes.extend(field(4, id.as_bytes()));
        }
        bytes.extend(field(5, span.name.as_bytes()));
        bytes.extend(whole(6, u64::try_from(span.kind).unwrap()));
        bytes.extend([fixed(7, span.start), fixed(8, span.end), attributes(9, &span.attributes)].concat());
        for event in &span.events {
            let event =
                [fixed(1, event.time), field(2, event.name.as_bytes()), attributes(3, &event.attributes)];
            bytes.extend(field(11, &event.concat()));
        }
        for link in &span.links {
            let ids =
                [field(1, link.trace_id.unwrap().as_bytes()), field(2, link.span_id.unwrap().as_bytes())];
            bytes.extend(field(13, &[ids.concat(), attributes(4, &link.attributes)].concat()));
        }
        let code = u64::try_from(span.status.code).unwrap();
        bytes.extend(field(15, &[field(2, span.status.message.as_bytes()), whole(3, code)].concat()));
        // A field of the future.
        bytes.extend(field(99, b"unknown"));
        bytes
    };
    let scoped = |scoped: &Scoped<'_, Span<'_>>| {
        let scope = &scoped.scope;
        let scope = [
            field(1, scope.name.as_bytes()),
            field(2, scope.version.as_bytes()),
            attributes(3, &scope.attributes),
        ];
        let spans: Vec<u8> = scoped.entries.iter().flat_map(|one| field(2, &span(one))).collect();
        [field(1, &scope.concat()), spans].concat()
    };
    request
        .iter()
        .flat_map(|of| {
            let scopes: Vec<u8> = of.scopes.iter().flat_map(|one| field(2, &scoped(one))).collect();
            field(1, &[field(1, &attributes(1, &of.resource)), scopes].concat())
        })
        .collect()
}
