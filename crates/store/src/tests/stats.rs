//! Sums over calls against the same sums made one by one.

#![allow(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::items_after_statements,
    clippy::nonminimal_bool,
    reason = "small numbers of a test, and conditions as they are said"
)]

use super::{BASE, batch, block, open, span, submit, trace_id};
use crate::{
    CallStats, Comparison, Dimension, Has, Measure, Measured, Options, Rank, SpanRow, Stats, StatsQuery,
    Store, TraceBatch, TraceQuery,
};
use hanok_base::{NanoDollars, SpanId, SpanStatus, Timestamp, Usage};
use std::collections::BTreeMap;

const SECOND: i64 = 1_000_000_000;

/// One of many calls, none like another; a trace of its own.
fn call(number: u64) -> TraceBatch {
    let pick = |of: u64, salt: u64| (number.wrapping_mul(2_654_435_761) ^ salt.wrapping_mul(40_503)) % of;
    let at = |n: u64| i64::try_from(n).unwrap();
    let mut span = span(1, None);
    span.span_id = SpanId::from_bytes((number + 1).to_be_bytes());
    span.model = Some(format!("model-{}", pick(5, 1)));
    span.provider = (pick(7, 2) > 0).then(|| format!("provider-{}", pick(3, 3)));
    span.start = Timestamp(BASE + at(number) * SECOND + at(pick(900, 4)) * 1_000_000);
    span.duration_ns = at(1 + pick(5_000, 5).pow(2)) * 1_000;
    span.ttft_ns = (pick(2, 6) == 0).then(|| at(pick(900_000, 7)) * 1_000);
    span.usage = Usage {
        input: Some(pick(4_000, 8)),
        output: (pick(9, 9) > 0).then(|| pick(500, 9)),
        cached_input: (pick(3, 10) == 0).then(|| pick(100, 10)),
        cache_write: (pick(5, 10) == 0).then(|| pick(90, 10)),
        reasoning: (pick(4, 11) == 0).then(|| pick(80, 11)),
        ..Usage::default()
    };
    span.cost = (pick(4, 12) > 0).then(|| NanoDollars(at(pick(1_000_000, 12))));
    if pick(10, 13) == 0 {
        span.status = SpanStatus::Error("no".into());
        span.attributes = vec![("error.type".into(), ["timeout", "overloaded"][pick(2, 14) as usize].into())];
    }
    let mut batch = batch(number, vec![span]);
    batch.summary.project = (pick(3, 15) > 0).then(|| format!("project-{}", pick(2, 16)));
    batch.summary.user = (pick(5, 17) > 0).then(|| format!("user-{}", pick(30, 17)));
    // Two projects' sessions are two, whatever their names.
    batch.summary.session = Some(format!("{:?} {}", batch.summary.project, number / 10));
    batch.summary.key_name = Some(format!("key-{}", pick(4, 18)));
    batch.summary.tags = (0..pick(3, 19)).map(|tag| format!("tag-{tag}")).collect();
    batch.summary.prompt = (pick(2, 20) == 0).then(|| "greet@3".into());
    batch
}

/// What a test knows of a call.
fn values(batch: &TraceBatch, span: &SpanRow, dimension: Dimension) -> Vec<Option<String>> {
    let failed = span.status != SpanStatus::Ok;
    let one = match dimension {
        Dimension::Model => span.model.clone(),
        Dimension::Asked => batch.summary.model.clone(),
        Dimension::Provider => span.provider.clone(),
        Dimension::Key => batch.summary.key_name.clone(),
        Dimension::User => batch.summary.user.clone(),
        Dimension::Prompt => batch.summary.prompt.clone(),
        Dimension::Source => batch.summary.source.clone(),
        Dimension::Project => batch.summary.project.clone(),
        Dimension::Session => batch.summary.session.clone(),
        Dimension::Status => Some(if failed { "error" } else { "ok" }.to_owned()),
        Dimension::Error => failed.then(|| span.attributes[0].1.as_str().unwrap().to_owned()),
        Dimension::Tag => {
            let tags = &batch.summary.tags;
            return if tags.is_empty() { vec![None] } else { tags.iter().cloned().map(Some).collect() };
        }
    };
    vec![one]
}

fn sums<'a>(calls: impl Iterator<Item = &'a TraceBatch>) -> CallStats {
    let (mut all, mut latency, mut first_token) = (CallStats::default(), Vec::new(), Vec::new());
    for span in calls.flat_map(|batch| &batch.spans).filter(|span| span.counted) {
        all.calls += 1;
        all.errors += u64::from(span.status != SpanStatus::Ok);
        all.input_tokens += span.usage.input.unwrap_or(0);
        all.output_tokens += span.usage.output.unwrap_or(0);
        all.cached_tokens += span.usage.cached_input.unwrap_or(0);
        all.cache_write_tokens += span.usage.cache_write.unwrap_or(0);
        all.reasoning_tokens += span.usage.reasoning.unwrap_or(0);
        all.cost.0 += span.cost.map_or(0, |cost| cost.0);
        all.unpriced += u64::from(span.cost.is_none());
        latency.push(span.duration_ns as f64 / 1e6);
        first_token.extend(span.ttft_ns.map(|ttft| ttft as f64 / 1e6));
    }
    all.latency_ms = nearest(&mut latency, [0.5, 0.95, 0.99]);
    all.first_token_ms = nearest(&mut first_token, [0.5, 0.95]);
    all
}

fn nearest<const N: usize>(numbers: &mut [f64], ranks: [f64; N]) -> Option<[f64; N]> {
    numbers.sort_by(f64::total_cmp);
    let last = numbers.len().checked_sub(1)?;
    Some(ranks.map(|rank| numbers[((rank * numbers.len() as f64).ceil() as usize).clamp(1, last + 1) - 1]))
}

fn assert_same(found: &CallStats, expect: &CallStats, of: &str) {
    let close = |found: &[f64], expect: &[f64]| {
        found.iter().zip(expect).all(|(found, expect)| (found - expect).abs() <= expect / 128.0 + 0.001)
    };
    let rest = |stats: &CallStats| CallStats { latency_ms: None, first_token_ms: None, ..*stats };
    assert_eq!(rest(found), rest(expect), "{of}");
    let pairs = [
        (found.latency_ms.map(|p| p.to_vec()), expect.latency_ms.map(|p| p.to_vec())),
        (found.first_token_ms.map(|p| p.to_vec()), expect.first_token_ms.map(|p| p.to_vec())),
    ];
    for (found, expect) in pairs {
        assert_eq!(found.is_some(), expect.is_some(), "{of}");
        let (found, expect) = (found.unwrap_or_default(), expect.unwrap_or_default());
        assert!(close(&found, &expect), "{of}: {found:?} {expect:?}");
    }
}

async fn ask(store: &Store, query: StatsQuery) -> Stats {
    store.traces().stats(query).await.unwrap()
}

fn by(group_by: &[Dimension]) -> StatsQuery {
    StatsQuery { group_by: group_by.to_vec(), limit: 1_000, ..StatsQuery::default() }
}

async fn check_all(store: &Store, calls: &[TraceBatch]) {
    let sum = sums(calls.iter());
    assert_same(&ask(store, StatsQuery::default()).await.total.sums, &sum, "everything");
    for (name, dimension) in Dimension::ALL {
        let found = ask(store, by(&[dimension])).await;
        assert_same(&found.total.sums, &sum, name);
        assert_eq!(found.others, None, "{name}");
        let mut groups: BTreeMap<Option<String>, Vec<&TraceBatch>> = BTreeMap::new();
        for batch in calls {
            for value in values(batch, &batch.spans[0], dimension) {
                groups.entry(value).or_default().push(batch);
            }
        }
        assert_eq!(found.groups.len(), groups.len(), "{name}");
        for group in &found.groups {
            let expect = sums(groups[&group.values[0]].iter().copied());
            assert_same(&group.sums, &expect, name);
        }
        let ordered: Vec<u64> = found.groups.iter().map(|group| group.sums.calls).collect();
        assert!(ordered.is_sorted_by(|a, b| a >= b), "{name}: {ordered:?}");
    }
}

#[test]
fn sums_are_those_of_the_calls() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let calls: Vec<TraceBatch> = (0..300).map(call).collect();
    block(async {
        for (number, batch) in calls.iter().enumerate() {
            submit(&store, batch.clone()).await;
            // Segments in the middle of commits, and a tail.
            if number % 37 == 0 {
                store.flush().await.unwrap();
            }
            if number == 150 {
                store.close();
                store = open(folder.path());
            }
        }
        store.flush().await.unwrap();
        check_all(&store, &calls).await;

        // Two dimensions, over time, ranked by cost, with more groups than asked for.
        let query = StatsQuery {
            buckets: 10,
            group_by: vec![Dimension::Model, Dimension::User],
            rank: Rank::Cost,
            limit: 20,
            filter: TraceQuery { since: Some(Timestamp(BASE)), ..TraceQuery::default() },
        };
        let found = ask(&store, query).await;
        assert_eq!((found.groups.len(), found.bucket_ms), (20, 60_000));
        assert!(found.groups.is_sorted_by(|a, b| a.sums.cost >= b.sums.cost));
        let mut seen = found.others.as_ref().unwrap().sums.calls;
        for group in &found.groups {
            let is = |batch: &&TraceBatch| {
                let span = &batch.spans[0];
                values(batch, span, Dimension::Model)[0] == group.values[0]
                    && values(batch, span, Dimension::User)[0] == group.values[1]
            };
            assert_same(&group.sums, &sums(calls.iter().filter(is)), "group");
            for (start, bucket) in (found.since.0..).step_by(60_000_000_000).zip(&group.buckets) {
                let within =
                    |batch: &&TraceBatch| (start..start + 60 * SECOND).contains(&batch.spans[0].start.0);
                assert_same(bucket, &sums(calls.iter().filter(is).filter(within)), "bucket");
            }
            seen += group.sums.calls;
        }
        assert_eq!(seen, 300);
        assert_eq!(found.total.buckets.iter().map(|bucket| bucket.calls).sum::<u64>(), 300);
    });
}

#[test]
fn filters_are_those_of_the_list() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let calls: Vec<TraceBatch> = (0..200).map(call).collect();
    block(async {
        for batch in &calls {
            submit(&store, batch.clone()).await;
        }
        store.flush().await.unwrap();
        type Is = fn(&TraceBatch) -> bool;
        let at = |number: i64| Some(Timestamp(BASE + number * SECOND));
        let none = TraceQuery::default;
        let cases: Vec<(TraceQuery, Is)> = vec![
            (TraceQuery { models: vec!["MODEL-1".into(), "*l-2".into()], ..none() }, |batch| {
                ["model-1", "model-2"].contains(&batch.spans[0].model.as_deref().unwrap())
            }),
            // The one asked for.
            (TraceQuery { models: vec!["mistral*".into()], ..none() }, |batch| {
                batch.summary.model.as_deref() == Some("mistral-large")
            }),
            (TraceQuery { providers: vec!["provider-0".into()], ..none() }, |batch| {
                batch.spans[0].provider.as_deref() == Some("provider-0")
            }),
            (TraceQuery { keys: vec!["key-3".into()], ..none() }, |batch| {
                batch.summary.key_name.as_deref() == Some("key-3")
            }),
            (TraceQuery { projects: vec!["*-1".into()], ..none() }, |batch| {
                batch.summary.project.as_deref() == Some("project-1")
            }),
            (TraceQuery { failed: Some(true), ..none() }, |batch| batch.spans[0].status != SpanStatus::Ok),
            (TraceQuery { failed: Some(false), since: at(50), until: at(150), ..none() }, |batch| {
                let start = batch.spans[0].start.0 - BASE;
                batch.spans[0].status == SpanStatus::Ok && (50 * SECOND..150 * SECOND).contains(&start)
            }),
            (TraceQuery { users: vec!["user-7".into(), "user-1*".into()], ..none() }, |batch| {
                batch
                    .summary
                    .user
                    .as_deref()
                    .is_some_and(|user| user == "user-7" || user.starts_with("user-1"))
            }),
            (TraceQuery { tags: vec!["tag-1".into(), "tag-0".into()], ..none() }, |batch| {
                batch.summary.tags.len() == 2
            }),
            (
                TraceQuery { prompts: vec!["greet".into()], has: vec![Has::Tag, Has::Cost], ..none() },
                |batch| {
                    batch.summary.prompt.is_some()
                        && !batch.summary.tags.is_empty()
                        && batch.spans[0].cost.is_some()
                },
            ),
            (
                TraceQuery { names: vec!["trace 1*".into()], words: vec!["question_1".into()], ..none() },
                |batch| batch.summary.name.starts_with("trace 1"),
            ),
            (
                TraceQuery {
                    measures: vec![Measured {
                        measure: Measure::Duration,
                        comparison: Comparison::More,
                        value: 5_000_000_000,
                    }],
                    not: vec![
                        TraceQuery { failed: Some(true), ..none() },
                        TraceQuery { tags: vec!["tag-0".into()], keys: vec!["key-1".into()], ..none() },
                    ],
                    ..none()
                },
                |batch| {
                    batch.spans[0].duration_ns > 5_000_000_000
                        && batch.spans[0].status == SpanStatus::Ok
                        && !(batch.summary.key_name.as_deref() == Some("key-1")
                            && !batch.summary.tags.is_empty())
                },
            ),
            (TraceQuery { models: vec!["nothing".into()], ..none() }, |_| false),
        ];
        for (filter, is) in cases {
            let of = format!("{filter:?}");
            let expect = sums(calls.iter().filter(|batch| is(batch)));
            let found = ask(&store, StatsQuery { filter, ..by(&[Dimension::Tag]) }).await;
            assert_same(&found.total.sums, &expect, &of);
        }
        for project in ["", "project-0", "nobody's"] {
            let only = store.traces().of(Some(project.into()));
            let expect =
                sums(calls.iter().filter(|batch| batch.summary.project.as_deref().unwrap_or("") == project));
            assert_same(&only.stats(by(&[Dimension::User])).await.unwrap().total.sums, &expect, project);
        }
    });
}

#[test]
fn the_dearest_traces() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        let mut calls: Vec<TraceBatch> = (0..200).map(call).collect();
        // Old traces whose dear calls come late, segments behind their first ones.
        for (number, cost) in [(3, 5_000_000), (20, 0)] {
            let mut late = span(9, None);
            late.start = Timestamp(BASE + 190 * SECOND);
            late.cost = Some(NanoDollars(cost));
            let mut batch = batch(number, vec![late.clone()]);
            batch.summary.project.clone_from(&calls[usize::try_from(number).unwrap()].summary.project);
            calls[usize::try_from(number).unwrap()].spans.push(late);
            calls.push(batch);
        }
        for batch in &calls {
            let batch = TraceBatch { spans: batch.spans[..1].to_vec(), ..batch.clone() };
            submit(&store, batch).await;
        }
        store.flush().await.unwrap();
        calls.truncate(200);
        let check = async |filter: TraceQuery, project: Option<&str>, of: fn(&SpanRow) -> bool| {
            let mut expect: Vec<(i64, String)> = calls
                .iter()
                .filter(|batch| {
                    project.is_none_or(|project| batch.summary.project.as_deref() == Some(project))
                })
                .map(|batch| {
                    let costs = batch.spans.iter().filter(|span| of(span)).filter_map(|span| span.cost);
                    (costs.map(|cost| cost.0).sum(), batch.trace_id.to_string())
                })
                .filter(|(cost, _)| *cost > 0)
                .collect();
            expect.sort_unstable_by(|a, b| b.cmp(a));
            expect.truncate(20);
            let traces = store.traces().of(project.map(Into::into));
            let found = traces.dearest(filter, 20).await.unwrap();
            let found = found.iter().map(|dear| (dear.cost.0, dear.trace.trace_id.to_string()));
            assert_eq!(found.collect::<Vec<_>>(), expect);
        };
        check(TraceQuery::default(), None, |_| true).await;
        check(TraceQuery::default(), Some("project-1"), |_| true).await;
        let failed = TraceQuery { failed: Some(true), ..TraceQuery::default() };
        check(failed, None, |span| span.status != SpanStatus::Ok).await;
        let until = TraceQuery { until: Some(Timestamp(BASE + 100 * SECOND)), ..TraceQuery::default() };
        check(until, None, |span| span.start.0 < BASE + 100 * SECOND).await;
        let nothing = TraceQuery { models: vec!["nothing".into()], ..TraceQuery::default() };
        check(nothing, None, |_| false).await;
    });
}

#[test]
fn a_trace_in_pieces_is_counted_once() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        let mut child = span(2, Some(1));
        child.counted = true;
        submit(&store, batch(0, vec![child.clone()])).await;
        store.flush().await.unwrap();
        // The same again, then a root that knows whose it is.
        submit(&store, batch(0, vec![child.clone()])).await;
        let mut root = span(1, None);
        root.counted = false;
        let mut rooted = batch(0, vec![root]);
        rooted.summary.user = Some("alice".into());
        rooted.summary.tags = vec!["late".into()];
        submit(&store, rooted).await;
        for other in 1..80 {
            submit(&store, batch(other, vec![span(3, None)])).await;
        }
        store.flush().await.unwrap();
        let found = ask(&store, by(&[Dimension::User])).await;
        let users: Vec<_> =
            found.groups.iter().map(|group| (group.values[0].as_deref(), group.sums.calls)).collect();
        assert_eq!(users, [(None, 79), (Some("alice"), 1)]);
        let found = ask(&store, by(&[Dimension::Tag])).await;
        assert_eq!(found.groups[1].values, [Some("late".to_owned())]);
        assert_eq!(found.groups[1].sums.input_tokens, 10);
        assert!(found.total.sums.latency_ms.unwrap().iter().all(|ms| (ms - 0.5).abs() < 0.005));
    });
}

#[test]
fn what_was_recorded_before_is_filled_in() {
    let folder = tempfile::tempdir().unwrap();
    let calls: Vec<TraceBatch> = (0..700).map(call).collect();
    block(async {
        let store = open(folder.path());
        for batch in &calls {
            submit(&store, batch.clone()).await;
        }
        store.flush().await.unwrap();
        store.close();
        drop(store);
        let conn = rusqlite::Connection::open(folder.path().join("hanok.db")).unwrap();
        conn.execute_batch(
            "DELETE FROM fact_tails; DELETE FROM fact_segments; DELETE FROM fact_columns;
             INSERT INTO fact_fill (next, last) SELECT min(seq), max(seq) FROM traces;",
        )
        .unwrap();
        drop(conn);
        let beside = Options { read_only: true, ..Options::default() };
        assert_eq!(ask(&Store::open(folder.path(), beside).unwrap(), by(&[])).await.traces_to_come, 700);
        let store = open(folder.path());
        // What comes meanwhile is counted once.
        let mut late = span(9, None);
        late.counted = false;
        submit(&store, TraceBatch { trace_id: trace_id(600), ..batch(600, vec![late]) }).await;
        while ask(&store, by(&[])).await.traces_to_come > 0 {}
        check_all(&store, &calls).await;
    });
}

#[test]
fn forgotten_traces_are_in_no_sum() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let calls: Vec<TraceBatch> = (0..200).map(call).collect();
    block(async {
        for batch in &calls {
            submit(&store, batch.clone()).await;
        }
        store.flush().await.unwrap();
        // Traces are numbered from 1 in the order they came.
        let gone: Vec<i64> = (1..=200).filter(|seq| seq % 3 == 0 || (70..90).contains(seq)).collect();
        store.removals().forget_without_sweep(&gone).await;
        let left: Vec<TraceBatch> = calls
            .iter()
            .zip(1..)
            .filter(|(_, seq)| !gone.contains(seq))
            .map(|(batch, _)| batch.clone())
            .collect();
        check_all(&store, &left).await;
        let late: Vec<TraceBatch> = (200..300).map(call).collect();
        for batch in &late {
            submit(&store, batch.clone()).await;
        }
        store.flush().await.unwrap();
        let all = [left, late].concat();
        check_all(&store, &all).await;
        // Once the writer has had time, they are in no segment either.
        let untidy = |conn: &rusqlite::Connection| -> i64 {
            conn.query_row("SELECT count(*) FROM fact_gone", [], |row| row.get(0)).unwrap()
        };
        let conn = rusqlite::Connection::open(folder.path().join("hanok.db")).unwrap();
        while untidy(&conn) > 0 {}
        let facts: i64 = conn
            .query_row(
                "SELECT (SELECT sum(facts) FROM fact_segments) + (SELECT coalesce(sum(facts), 0) FROM fact_tails)",
                [],
                |row| row.get(0),
            )
            .unwrap();
        assert_eq!(facts, i64::try_from(all.len()).unwrap());
        check_all(&store, &all).await;
    });
}

#[test]
fn a_call_that_is_made_of_others_is_not_counted_beside_them() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        // A parent that was packed and counted, then its child; then one that came as a row, and its child.
        submit(&store, batch(0, vec![span(1, None)])).await;
        submit(&store, batch(1, vec![span(2, Some(1))])).await;
        store.flush().await.unwrap();
        assert_eq!(ask(&store, by(&[])).await.total.sums.calls, 2);
        let mut child = span(5, Some(1));
        child.model = Some("a-child's".into());
        submit(&store, batch(0, vec![child])).await;
        submit(&store, batch(1, vec![span(3, Some(2)), span(4, Some(3))])).await;
        store.flush().await.unwrap();
        let found = ask(&store, by(&[Dimension::Model])).await;
        let models: Vec<_> = found
            .groups
            .iter()
            .map(|group| (group.values[0].as_deref().unwrap(), group.sums.calls))
            .collect();
        assert_eq!(models, [("gpt-5-mini", 1), ("a-child's", 1)]);
        assert_eq!(found.total.sums.input_tokens, 20);
        for id in [0, 1] {
            let row = store.traces().get(trace_id(id), crate::Bodies::None).await.unwrap().unwrap().row;
            assert_eq!(row.input_tokens, Some(10), "the row agrees");
        }
    });
}
