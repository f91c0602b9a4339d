//! Spans in packs, beside spans in rows, and files from before there were packs.

use super::{batch, block, open, span, submit, trace_id};
use crate::schema::{APPLICATION_ID, MIGRATIONS};
use crate::{Bodies, Slot, SpanRow, Store, StoredSpan, TraceBatch};
use hanok_base::{Attributes, NanoDollars, SpanId, SpanStatus, Timestamp, Usage};
use rusqlite::{Connection, params};
use serde_json::json;

fn read(store: &Store, number: u64) -> Vec<StoredSpan> {
    block(store.traces().get(trace_id(number), Bodies::All)).unwrap().unwrap().spans
}

fn write(store: &Store, batches: &[TraceBatch]) {
    block(async {
        for batch in batches {
            submit(store, batch.clone()).await;
        }
        store.flush().await.unwrap();
    });
}

fn rows(store: &Store, table: &'static str) -> u64 {
    block(store.read(move |conn| {
        Ok(conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0))?)
    }))
    .unwrap()
}

#[track_caller]
fn same(found: &StoredSpan, wanted: &SpanRow) {
    assert_eq!(found.span_id, wanted.span_id);
    assert_eq!(found.parent_id, wanted.parent_id);
    assert_eq!(found.name, wanted.name);
    assert_eq!(found.operation, wanted.operation);
    assert_eq!((found.start, found.duration_ns), (wanted.start, wanted.duration_ns));
    assert_eq!(found.status, wanted.status);
    assert_eq!((&found.model, &found.provider), (&wanted.model, &wanted.provider));
    assert_eq!((found.usage, found.cost, found.ttft_ns), (wanted.usage, wanted.cost, wanted.ttft_ns));
    let wanted_attributes: Vec<_> =
        wanted.attributes.iter().map(|(key, value)| (key.to_string(), value.clone())).collect();
    assert_eq!(found.attributes.clone().into_iter().collect::<Vec<_>>(), wanted_attributes);
    assert_eq!(found.has_bodies, !wanted.bodies.is_empty());
    assert_eq!(found.bodies, wanted.bodies);
}

fn odd_spans() -> Vec<SpanRow> {
    let attributes: Attributes = [
        ("null", json!(null)),
        ("bools", json!([true, false])),
        ("true", json!(true)),
        ("false", json!(false)),
        ("least", json!(i64::MIN)),
        ("most", json!(u64::MAX)),
        ("float", json!(0.1)),
        ("whole float", json!(2.0)),
        ("text", json!("환불 \"\\\u{1}")),
        ("empty", json!("")),
        ("object", json!({"b": 1, "a": [null]})),
    ]
    .into_iter()
    .map(|(key, value)| (key.into(), value))
    .collect();
    let usage = Usage {
        input: Some(u64::MAX >> 1),
        cached_input: Some(0),
        output_image: Some(3),
        ..Usage::default()
    };
    let bare = SpanRow {
        counted: false,
        model: None,
        provider: None,
        usage: Usage::default(),
        cost: None,
        ttft_ns: None,
        attributes: Vec::new(),
        bodies: Vec::new(),
        ..span(1, None)
    };
    vec![
        bare.clone(),
        SpanRow {
            attributes,
            usage,
            cost: Some(NanoDollars(-5)),
            status: SpanStatus::Error("no\nmore".into()),
            ..span(2, Some(1))
        },
        // Begun before its parent, by another clock.
        SpanRow { start: Timestamp(i64::MIN), duration_ns: i64::MAX, ..span(3, Some(2)) },
        SpanRow { start: Timestamp(i64::MAX), duration_ns: -1, ..span(4, Some(200)) },
        SpanRow {
            bodies: vec![(Slot::Tools, b"[]".to_vec()); 3],
            parent_id: Some(SpanId::from_bytes([5; 8])),
            ..span(5, None)
        },
    ]
}

#[test]
fn spans_of_every_kind_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let spans = odd_spans();
    let many: Vec<SpanRow> = (0..65).map(|number| span(number, (number > 0).then_some(0))).collect();
    let batches = [batch(0, spans.clone()), batch(1, many.clone()), batch(2, spans.clone())];
    write(&store, &batches);
    for (number, wanted) in [(0, &spans), (1, &many), (2, &spans)] {
        let found = read(&store, number);
        assert_eq!(found.len(), wanted.len());
        found.iter().zip(wanted).for_each(|(found, wanted)| same(found, wanted));
    }
    assert_eq!((rows(&store, "span_packs"), rows(&store, "spans")), (1, 65));
}

#[test]
fn packs_are_closed_when_they_are_full() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let long = |number: u64| {
        let text = format!("{number:09}").repeat(100);
        vec![SpanRow { attributes: vec![("long".into(), json!(text))], ..span(1, None) }]
    };
    let batches: Vec<TraceBatch> = (0..200).map(|number| batch(number, long(number))).collect();
    write(&store, &batches);
    assert!(rows(&store, "span_packs") > 2);
    for number in 0..200 {
        same(&read(&store, number)[0], &long(number)[0]);
    }
}

#[test]
fn what_comes_later_is_behind_what_is_packed() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let first = || batch(0, vec![span(1, None), span(2, Some(1))]);
    // In the commit of the first, with another trace between; and after it.
    write(
        &store,
        &[first(), batch(1, vec![span(1, None)]), batch(0, vec![span(2, Some(1)), span(3, Some(2))])],
    );
    write(&store, &[first(), batch(0, vec![span(4, Some(1))]), first(), batch(2, vec![span(1, None)])]);
    let wanted = [span(1, None), span(2, Some(1)), span(3, Some(2)), span(4, Some(1))];
    let found = read(&store, 0);
    assert_eq!(found.len(), wanted.len());
    found.iter().zip(&wanted).for_each(|(found, wanted)| same(found, wanted));
    assert_eq!((read(&store, 1).len(), read(&store, 2).len()), (1, 1));
    let row = block(store.traces().get(trace_id(0), Bodies::None)).unwrap().unwrap().row;
    assert_eq!((row.span_count, row.input_tokens), (4, Some(20)), "3 and 4 count");
    store.integrity_check().unwrap();
}

/// A file as the schema before packs made it: a trace of two spans in rows.
fn file_of_schema_3(folder: &std::path::Path) {
    let conn = Connection::open(folder.join("hanok.db")).unwrap();
    for sql in MIGRATIONS.iter().take(3) {
        conn.execute_batch(sql).unwrap();
    }
    conn.pragma_update(None, "application_id", APPLICATION_ID).unwrap();
    conn.pragma_update(None, "user_version", 3).unwrap();
    for (id, text) in ["trace 0", "gateway", "gpt-5-mini", "openai", "chat 1", "chat 2", "chat", "a.b", "c"]
        .into_iter()
        .enumerate()
    {
        conn.execute("INSERT INTO names (id, text) VALUES (?1, ?2)", params![id + 1, text]).unwrap();
    }
    let (root, child) = (span(1, None), span(2, Some(1)));
    conn.execute(
        "INSERT INTO traces (seq, trace_id, arrived_ms, start_ns, duration_ns, status, span_count, name, operation,
            model, provider, input_tokens, output_tokens, cost_nano, ttft_ns, input_preview)
         VALUES (1, ?1, ?2, ?3, 1500000, 0, 2, 1, 2, 3, 4, 20, 4, 14, 2000, 'asked')",
        params![trace_id(0).as_bytes(), root.start.0 / 1_000_000, root.start.0],
    )
    .unwrap();
    conn.execute(
        "INSERT INTO minutes VALUES (?1, 1, 0, 2, 20, 4, 14)",
        [root.start.0.div_euclid(60_000_000_000)],
    )
    .unwrap();
    let bodies: Vec<&Vec<u8>> = root.bodies.iter().chain(&child.bodies[1..]).map(|(_, body)| body).collect();
    let mut lengths = Vec::new();
    for body in &bodies {
        crate::varint::push_varint(&mut lengths, body.len() as u64);
    }
    let hashes: Vec<u8> =
        bodies.iter().flat_map(|body| blake3::hash(body).as_bytes()[..16].to_vec()).collect();
    let body = bodies.into_iter().flatten().copied().collect::<Vec<u8>>();
    conn.execute(
        "INSERT INTO packs (first, hashes, lengths, size, body) VALUES (1, ?1, ?2, NULL, ?3)",
        params![hashes, lengths, body],
    )
    .unwrap();
    for (number, span, name, output) in [(0_i64, &root, 5, 2_u8), (1, &child, 6, 3)] {
        conn.execute(
            "INSERT INTO spans (id, span_id, parent_id, name, operation, start_ns, duration_ns, status, counted,
                model, provider, input_tokens, output_tokens, cost_nano, ttft_ns, attributes, bodies)
             VALUES (?1, ?2, ?3, ?4, 7, ?5, ?6, 0, 1, 3, 4, 10, 2, 7, 1000, '[8,1,9,{\"d\":[true]}]', ?7)",
            params![
                1_i64 << 20 | number,
                i64::from_be_bytes(*span.span_id.as_bytes()),
                span.parent_id.map(|id| i64::from_be_bytes(*id.as_bytes())),
                name,
                span.start.0,
                span.duration_ns,
                [Slot::Input.code(), 1, Slot::Output.code(), output],
            ],
        )
        .unwrap();
    }
}

#[test]
fn a_file_without_packs_is_read_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    file_of_schema_3(folder.path());
    let store = open(folder.path());
    let found = read(&store, 0);
    assert_eq!(found.len(), 2);
    same(&found[0], &span(1, None));
    same(&found[1], &span(2, Some(1)));
    write(&store, &[batch(1, vec![span(7, None)]), batch(0, vec![span(2, Some(1)), span(3, Some(1))])]);
    let found = read(&store, 0);
    assert_eq!(found.len(), 3);
    same(&found[0], &span(1, None));
    same(&found[2], &span(3, Some(1)));
    same(&read(&store, 1)[0], &span(7, None));
    let counts = block(store.traces().counts()).unwrap();
    assert_eq!((counts.traces, counts.spans), (2, 4));
    assert_eq!(rows(&store, "spans"), 3, "none was moved");
    let sizes = block(store.read(|conn| {
        Ok(conn.query_row("SELECT sum(length(hashes)) / 16 FROM packs", [], |row| row.get::<_, i64>(0))?)
    }));
    assert_eq!(sizes.unwrap(), 5, "old bodies are known, too");
}
