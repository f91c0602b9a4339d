//! Traces found by everything a query may ask for.

use super::{BASE, batch, block, open, span, submit, trace_id};
use crate::{Comparison, Has, Measure, Measured, SpanRow, Store, TraceBatch, TraceQuery};
use hanok_base::{NanoDollars, SpanStatus, Timestamp, Usage};

/// Trace `number` began `number` seconds in, took as many milliseconds, cost as many nano-dollars.
fn labelled(number: u64) -> TraceBatch {
    let ms = i64::try_from(number).unwrap() * 1_000_000;
    let odd = number % 2 == 1;
    let span = SpanRow {
        start: Timestamp(BASE + ms * 1_000),
        duration_ns: ms,
        usage: Usage { input: odd.then_some(number), output: Some(1), ..Usage::default() },
        cost: odd.then_some(NanoDollars(ms / 1_000_000)),
        ..span(1, None)
    };
    let mut batch = batch(number, vec![span]);
    let summary = &mut batch.summary;
    summary.name = format!("chat {number}");
    summary.model = (number != 4).then(|| if odd { "openai/gpt-5-mini" } else { "mistral-large" }.to_owned());
    summary.session = (number < 6).then(|| format!("s-{}", number % 3));
    summary.user = odd.then(|| "Alice".to_owned());
    summary.tags = match number {
        1 => vec!["beta".into()],
        2 => vec!["beta".into(), "eu".into()],
        _ => Vec::new(),
    };
    summary.prompt = (number == 3).then(|| "greet@7".to_owned());
    summary.source = (number == 5).then(|| "Shop".to_owned());
    summary.ttft_ns = odd.then_some(ms);
    if number == 7 {
        summary.status = SpanStatus::Error("upstream said: 429 Rate limited".into());
    }
    batch
}

fn filled(folder: &std::path::Path) -> Store {
    let store = open(folder);
    block(async {
        for number in 0..10 {
            submit(&store, labelled(number)).await;
        }
        store.flush().await.unwrap();
    });
    store
}

#[test]
fn every_question_has_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let store = filled(folder.path());
    let all = TraceQuery::default;
    let text = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
    let number = |measure, comparison, value| TraceQuery {
        measures: vec![Measured { measure, comparison, value }],
        ..all()
    };
    let has = |has| TraceQuery { has: vec![has], ..all() };
    let not = |query: TraceQuery| TraceQuery { not: vec![query], ..all() };
    let gpt = || TraceQuery { models: text(&["gpt*"]), ..all() };
    let cases: Vec<(TraceQuery, &[u8])> = vec![
        (TraceQuery { sessions: text(&["s-1"]), ..all() }, &[4, 1]),
        (TraceQuery { sessions: text(&["s-1", "s-2"]), ..all() }, &[5, 4, 2, 1]),
        (TraceQuery { sessions: text(&["S-*"]), ..all() }, &[5, 4, 3, 2, 1, 0]),
        (TraceQuery { sessions: text(&["S-1"]), ..all() }, &[]),
        (TraceQuery { users: text(&["Alice"]), ..all() }, &[9, 7, 5, 3, 1]),
        (TraceQuery { users: text(&["ali*"]), sessions: text(&["s-0"]), ..all() }, &[3]),
        (TraceQuery { tags: text(&["beta"]), ..all() }, &[2, 1]),
        (TraceQuery { tags: text(&["BETA", "e*"]), ..all() }, &[2]),
        (TraceQuery { prompts: text(&["greet"]), ..all() }, &[3]),
        (TraceQuery { prompts: text(&["greet@7"]), ..all() }, &[3]),
        (TraceQuery { prompts: text(&["greet@8"]), ..all() }, &[]),
        (TraceQuery { sources: text(&["shop"]), ..all() }, &[5]),
        (TraceQuery { operations: text(&["gate*"]), until: Some(Timestamp(BASE + 1)), ..all() }, &[0]),
        (TraceQuery { names: text(&["chat 8", "CHAT 9"]), ..all() }, &[9, 8]),
        (TraceQuery { errors: text(&["rate"]), ..all() }, &[7]),
        (TraceQuery { errors: text(&["*limited"]), ..all() }, &[7]),
        (TraceQuery { errors: text(&["limited*"]), ..all() }, &[]),
        (TraceQuery { ids: vec![trace_id(6).to_string()], ..all() }, &[6]),
        (TraceQuery { ids: vec!["0*".into()], names: text(&["chat 6"]), ..all() }, &[6]),
        (TraceQuery { ids: vec!["1*".into()], ..all() }, &[]),
        (number(Measure::Cost, Comparison::More, 7), &[9]),
        (number(Measure::Cost, Comparison::AtLeast, 7), &[9, 7]),
        (number(Measure::Cost, Comparison::Less, 3), &[1]),
        (number(Measure::Tokens, Comparison::AtMost, 2), &[8, 6, 4, 2, 1, 0]),
        (number(Measure::Input, Comparison::AtMost, 3), &[3, 1]),
        (number(Measure::Output, Comparison::More, 1), &[]),
        (number(Measure::Duration, Comparison::More, 7_000_000), &[9, 8]),
        (number(Measure::FirstToken, Comparison::Less, 5_000_000), &[3, 1]),
        (number(Measure::Spans, Comparison::Less, 2), &[9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        (has(Has::Error), &[7]),
        (has(Has::Cost), &[9, 7, 5, 3, 1]),
        (has(Has::Session), &[5, 4, 3, 2, 1, 0]),
        (has(Has::User), &[9, 7, 5, 3, 1]),
        (has(Has::Tag), &[2, 1]),
        (has(Has::Score), &[]),
        (gpt(), &[9, 7, 5, 3, 1]),
        // What has none is not of that model.
        (not(gpt()), &[8, 6, 4, 2, 0]),
        (not(has(Has::User)), &[8, 6, 4, 2, 0]),
        (not(number(Measure::Cost, Comparison::More, 3)), &[8, 6, 4, 3, 2, 1, 0]),
        (not(TraceQuery { tags: text(&["beta"]), ..all() }), &[9, 8, 7, 6, 5, 4, 3, 0]),
        (not(TraceQuery { sessions: text(&["s-*"]), ..all() }), &[9, 8, 7, 6]),
        (TraceQuery { not: vec![gpt(), has(Has::Session)], ..all() }, &[8, 6]),
        (TraceQuery { models: text(&["*"]), not: vec![has(Has::Error)], failed: Some(true), ..all() }, &[]),
    ];
    block(async {
        for (query, expect) in cases {
            let found = store.traces().list(query.clone(), None, 100).await.unwrap();
            let found: Vec<u8> = found.rows.iter().map(|row| u8::try_from(row.seq - 1).unwrap()).collect();
            assert_eq!(found, expect, "{query:?}");
        }
        // A page at a time, by the index of sessions.
        let query = TraceQuery { sessions: text(&["s-0", "s-1", "s-2"]), ..all() };
        let page = store.traces().list(query.clone(), None, 4).await.unwrap();
        assert_eq!(page.rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [6, 5, 4, 3]);
        let page = store.traces().list(query, page.next, 4).await.unwrap();
        assert_eq!(page.rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [2, 1]);
        assert_eq!(page.next, None);
    });
}
