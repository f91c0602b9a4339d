//! Traces that come in pieces, as senders of spans send them: in any order, over any time, some of it twice.

use crate::{block, house};
use hanok_base::{
    Caller, FinishedTrace, Operation, Recorder as _, Span, SpanId, SpanStatus, Timestamp, TraceId,
};
use hanok_store::{Bodies, Bucket, TraceRow};
use hanok_trace::TraceStore;
use proptest::collection::vec;
use proptest::prelude::*;
use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

const MINUTE: i64 = 60_000_000_000;

/// What a span is made of; `parent` is an earlier span, one that never comes, or none.
#[derive(Clone, Debug)]
struct Seed {
    parent: usize,
    operation: Operation,
    start: i64,
    duration: u64,
    failed: bool,
    tokens: Option<u64>,
}

fn seed() -> impl Strategy<Value = Seed> {
    let operation = prop_oneof![
        3 => Just(Operation::Chat),
        1 => Just(Operation::Embeddings),
        1 => Just(Operation::Agent),
        1 => Just(Operation::Tool),
        1 => Just(Operation::Other),
    ];
    let starts = prop_oneof![0..5_i64, 0..3 * MINUTE];
    let tokens = proptest::option::weighted(0.8, 0..1_000_u64);
    (any::<u16>(), operation, starts, 0..MINUTE.cast_unsigned(), any::<bool>(), tokens).prop_map(
        |(parent, operation, start, duration, failed, tokens)| {
            let parent = usize::from(parent);
            Seed { parent, operation, start, duration, failed, tokens }
        },
    )
}

fn spans(trace_id: TraceId, seeds: &[Seed]) -> Vec<Span> {
    let id = |number: usize| SpanId::from_bytes((number as u64 + 1).to_be_bytes());
    let span = |(number, seed): (usize, &Seed)| {
        let mut attributes = vec![
            (Cow::Borrowed("gen_ai.provider.name"), "openai".into()),
            (Cow::Borrowed("gen_ai.request.model"), model(seed.parent).into()),
        ];
        if let Some(tokens) = seed.tokens {
            attributes.push((Cow::Borrowed("gen_ai.usage.input_tokens"), tokens.into()));
            attributes.push((Cow::Borrowed("gen_ai.usage.reasoning.output_tokens"), (tokens / 2).into()));
        }
        let choice = seed.parent % (number + 3);
        Span {
            trace_id,
            span_id: id(number),
            parent_id: if choice < number {
                Some(id(choice))
            } else {
                (choice == number).then(|| SpanId::from_bytes([0xff; 8]))
            },
            name: format!("span {number}"),
            operation: seed.operation,
            start: Timestamp(1_763_634_427_000_000_000 + seed.start),
            duration: Duration::from_nanos(seed.duration),
            status: if seed.failed { SpanStatus::Error(format!("failure {number}")) } else { SpanStatus::Ok },
            attributes,
            exchange: None,
        }
    };
    seeds.iter().enumerate().map(span).collect()
}

fn model(choice: usize) -> &'static str {
    match choice % 3 {
        0 => "gpt-5",
        1 => "gpt-5-mini",
        _ => "nobody's",
    }
}

async fn send(traces: &TraceStore, spans: Vec<Span>) {
    let place = traces.admit().await.unwrap();
    place.record(FinishedTrace { spans, caller: Arc::new(Caller::default()), settlement: None });
}

/// What must not depend on the way a trace came.
async fn outcome(traces: &TraceStore, id: TraceId) -> (TraceRow, Vec<Bucket>) {
    let store = traces.store();
    store.flush().await.unwrap();
    let row = store.traces().get(id, Bodies::None).await.unwrap().unwrap().row;
    let since = Timestamp(1_763_634_427_000_000_000);
    let minutes = store.traces().rate(since, Timestamp(since.0 + 4 * MINUTE), 5).await.unwrap();
    (row, minutes)
}

fn check(seeds: &[Seed], pieces: &[Vec<usize>], flushed: bool) -> Result<(), TestCaseError> {
    let id = TraceId::from_bytes([7; 16]);
    let folders = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let (whole, broken) = (house(&folders[0]), house(&folders[1]));
    block(async {
        send(&whole, spans(id, seeds)).await;
        let all = spans(id, seeds);
        for piece in pieces {
            send(&broken, piece.iter().filter_map(|at| all.get(*at).cloned()).collect()).await;
            if flushed {
                broken.store().flush().await.unwrap();
            }
        }
        let (wanted, found) = (outcome(&whole, id).await, outcome(&broken, id).await);
        prop_assert_eq!(wanted, found, "as {:?}", all);
        Ok(())
    })
}

/// An order of the spans, some twice, cut into batches.
fn pieces(count: usize) -> impl Strategy<Value = Vec<Vec<usize>>> {
    let again = vec(0..count, 0..count.min(8));
    let cuts = vec(1..=count.max(2), count * 2);
    let order =
        again.prop_flat_map(move |again| Just((0..count).chain(again).collect::<Vec<_>>()).prop_shuffle());
    (order, cuts).prop_map(|(order, cuts)| {
        let (mut rest, mut pieces) = (order.as_slice(), Vec::new());
        for cut in cuts {
            if !rest.is_empty() {
                let (piece, more) = rest.split_at(cut.min(rest.len()));
                pieces.push(piece.to_vec());
                rest = more;
            }
        }
        pieces
    })
}

fn cases(sizes: std::ops::Range<usize>) -> impl Strategy<Value = (Vec<Seed>, Vec<Vec<usize>>, bool)> {
    vec(seed(), sizes).prop_flat_map(|seeds| {
        let pieces = pieces(seeds.len());
        (Just(seeds), pieces, any::<bool>())
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_trace_in_pieces_ends_as_one_that_came_whole((seeds, pieces, flushed) in cases(1..9)) {
        check(&seeds, &pieces, flushed)?;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn so_does_a_large_one((seeds, pieces, flushed) in cases(60..200)) {
        check(&seeds, &pieces, flushed)?;
    }
}
