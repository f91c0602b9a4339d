//! Traces that go, and what stays of those that stay.

use super::{BASE, batch, block, open, span, submit, trace_id};
use crate::removal::{Aged, Removed, Target};
use crate::{Bodies, Slot, SpanRow, Store, TraceBatch, TraceQuery};
use hanok_base::{SpanId, Timestamp};
use std::collections::BTreeMap;

/// A small generator, always the same.
struct Chance(u64);

impl Chance {
    fn below(&mut self, most: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % most
    }
}

fn body(number: u64) -> Vec<u8> {
    // Every twentieth has a pack of its own.
    let times = if number.is_multiple_of(20) { 2_000 } else { 20 };
    format!("body {number} ").repeat(times).into_bytes()
}

/// A trace of a few spans whose bodies others have too.
fn random_trace(number: u64, chance: &mut Chance) -> TraceBatch {
    let spans = 1 + chance.below(3);
    let spans: Vec<SpanRow> = (0..spans)
        .map(|at| {
            let at = u8::try_from(at + 1).unwrap();
            let bodies = (0..chance.below(5)).map(|_| (Slot::Input, body(chance.below(60)))).collect();
            SpanRow { bodies, ..span(at, (at > 1).then_some(1)) }
        })
        .collect();
    let mut batch = batch(number, spans);
    batch.summary.user = Some(format!("user {}", chance.below(4)));
    batch.summary.session = Some(format!("session {}", chance.below(4)));
    batch.summary.tags = vec![format!("tag {}", chance.below(3))];
    // Some as rows, as if they came late.
    batch.summary.rooted = chance.below(4) > 0;
    batch
}

fn count(store: &Store, sql: &'static str) -> i64 {
    block(store.read(move |conn| Ok(conn.query_row(sql, [], |row| row.get(0))?))).unwrap()
}

fn bodies_there(store: &Store) -> usize {
    block(store.read(|conn| {
        let mut statement = conn.prepare("SELECT hashes FROM packs")?;
        let packs = statement.query_map([], |row| row.get::<_, Vec<u8>>(0))?;
        let packs = packs.collect::<Result<Vec<_>, _>>()?;
        let there = |hash: &&[u8]| hash.iter().any(|byte| *byte != 0);
        Ok(packs.iter().map(|hashes| hashes.chunks(16).filter(there).count()).sum())
    }))
    .unwrap()
}

fn all_there(store: &Store, wanted: &BTreeMap<u64, TraceBatch>) {
    block(async {
        for (number, batch) in wanted {
            let found = store.traces().get(trace_id(*number), Bodies::All).await.unwrap().unwrap();
            let bodies: Vec<_> = found.spans.iter().map(|span| span.bodies.clone()).collect();
            let expect: Vec<_> = batch.spans.iter().map(|span| span.bodies.clone()).collect();
            assert_eq!(bodies, expect, "trace {number}");
        }
    });
}

#[test]
fn what_others_refer_to_stays_and_the_rest_goes() {
    let folder = tempfile::tempdir().unwrap();
    let mut chance = Chance(7);
    let mut there = BTreeMap::<u64, TraceBatch>::new();
    let mut number = 0;
    for round in 0..12_u64 {
        // Every round anew, so that what is remembered is what is on file.
        let store = open(folder.path());
        block(async {
            for _ in 0..40 {
                let batch = random_trace(number, &mut chance);
                submit(&store, batch.clone()).await;
                there.insert(number, batch);
                number += 1;
                if number.is_multiple_of(7) {
                    store.flush().await.unwrap();
                }
            }
            store.flush().await.unwrap();
            let target = match round % 3 {
                0 => Target::User(format!("user {}", chance.below(4))),
                1 => Target::Session(format!("session {}", chance.below(4))),
                _ => Target::Matching(Box::new(TraceQuery {
                    words: vec!["question_1".into()],
                    ..TraceQuery::default()
                })),
            };
            let seqs = store.removals().find(&target, None).await.unwrap();
            let expect = store.removals().count(&seqs).await.unwrap();
            let fits = |number: &u64, batch: &TraceBatch| match &target {
                Target::User(user) => batch.summary.user.as_ref() == Some(user),
                Target::Session(session) => batch.summary.session.as_ref() == Some(session),
                _ => number.to_string().starts_with('1'),
            };
            let before = there.len();
            there.retain(|number, batch| !fits(number, batch));
            assert_eq!(expect.traces, (before - there.len()) as u64, "{target:?}");
            if round % 4 == 3 {
                // The process ends before the sweep; the next one goes on.
                let all = store.removals().forget_without_sweep(&seqs).await;
                assert_eq!(all, expect);
            } else {
                assert_eq!(store.removals().remove(&seqs).await.unwrap(), expect);
            }
        });
        store.close();
        let store = open(folder.path());
        all_there(&store, &there);
        block(async {
            // What came while bodies were loose refers to none of them.
            let batch = random_trace(number, &mut chance);
            submit(&store, batch.clone()).await;
            there.insert(number, batch);
            number += 1;
            store.flush().await.unwrap();
            store.removals().sweep_loose().await.unwrap();
        });
        all_there(&store, &there);
        assert_eq!(count(&store, "SELECT count(*) FROM loose_bodies"), 0);
        assert_eq!(count(&store, "SELECT count(*) FROM traces"), i64::try_from(there.len()).unwrap());
        let counts = block(store.traces().counts()).unwrap();
        assert_eq!(counts.traces, there.len() as u64);
        assert_eq!(counts.spans, there.values().map(|batch| batch.spans.len() as u64).sum::<u64>());
        let mut wanted: Vec<&[u8]> = there
            .values()
            .flat_map(|batch| &batch.spans)
            .flat_map(|span| &span.bodies)
            .map(|(_, body)| body.as_slice())
            .collect();
        wanted.sort_unstable();
        wanted.dedup();
        // A body may be there twice, where it came again while it was loose; nothing is there that nobody has.
        let there_now = bodies_there(&store);
        assert!((wanted.len()..=wanted.len() * 2).contains(&there_now), "{there_now} of {}", wanted.len());
        store.integrity_check().unwrap();
    }
    let store = open(folder.path());
    let all: Vec<i64> = block(store.removals().find(&Target::Matching(Box::default()), None)).unwrap();
    block(store.removals().remove(&all)).unwrap();
    assert_eq!(bodies_there(&store), 0);
    for table in ["traces", "span_packs", "spans", "users", "sessions", "tags"] {
        let sql: &'static str = format!("SELECT count(*) FROM {table}").leak();
        assert_eq!(count(&store, sql), 0, "{table}");
    }
    assert!(count(&store, "SELECT count(*) FROM minutes") > 0, "sums stay");
}

#[test]
fn numbers_are_never_used_again() {
    let folder = tempfile::tempdir().unwrap();
    let newest = |store: &Store| {
        block(store.traces().list(TraceQuery::default(), None, 1)).unwrap().rows.first().map(|row| row.seq)
    };
    for round in 0..3 {
        let store = open(folder.path());
        block(async {
            submit(&store, batch(round, vec![span(u8::try_from(round).unwrap() + 1, None)])).await;
            store.flush().await.unwrap();
        });
        assert_eq!(newest(&store), Some(i64::try_from(round).unwrap() + 1));
        let all = block(store.removals().find(&Target::Matching(Box::default()), None)).unwrap();
        block(store.removals().remove(&all)).unwrap();
        assert_eq!(newest(&store), None);
        let next = count(&store, "SELECT max(first + length(hashes) / 16) FROM packs");
        assert_eq!(next, 1 + 2 * (i64::try_from(round).unwrap() + 1), "the last pack stays, emptied");
    }
}

#[test]
fn a_large_trace_goes_in_steps() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        let one = |number: u32| {
            let mut id = [1; 8];
            id[..4].copy_from_slice(&number.to_be_bytes());
            SpanRow { span_id: SpanId::from_bytes(id), ..span(1, (number > 0).then_some(1)) }
        };
        submit(&store, batch(0, (0..5_000).map(one).collect())).await;
        submit(&store, batch(1, vec![span(1, None)])).await;
        store.flush().await.unwrap();
        let removed = store.removals().remove(&[1]).await.unwrap();
        assert_eq!(removed, Removed { traces: 1, spans: 5_000, responses: 0 });
        assert!(store.traces().get(trace_id(0), Bodies::None).await.unwrap().is_none());
        assert!(store.traces().get(trace_id(1), Bodies::All).await.unwrap().is_some());
        assert_eq!(store.removals().remove(&[1]).await.unwrap(), Removed::default(), "twice is once");
    });
}

#[test]
fn the_oldest_go_first_by_project() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        let projects = [None, Some("web".to_owned()), Some("app".to_owned())];
        for (number, project) in (0..30).zip(projects.iter().cycle()) {
            let mut batch = batch(number, vec![span(1, None)]);
            batch.summary.project = project.clone();
            submit(&store, batch).await;
        }
        store.flush().await.unwrap();
        let removals = store.removals();
        let past = Timestamp(BASE);
        assert_eq!(removals.expire(&Aged::All, past).await.unwrap(), Removed::default());
        let soon = Timestamp(Timestamp::now().0 + 1_000_000_000);
        assert_eq!(removals.expire(&Aged::Of("web".into()), soon).await.unwrap().traces, 10);
        let others = Aged::Others(vec!["web".into(), "app".into()]);
        assert_eq!(removals.expire(&others, soon).await.unwrap().traces, 10);
        assert_eq!(removals.expire(&Aged::Of("none".into()), soon).await.unwrap().traces, 0);
        assert_eq!(store.traces().counts().await.unwrap().traces, 10);
    });
    assert_eq!(count(&store, "SELECT count(*) FROM traces"), 10);
}

#[test]
fn a_file_too_large_shrinks_from_its_oldest_end() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        for number in 0..400_u64 {
            let noise: Vec<u8> = (0..6_000_u64)
                .map(|at| {
                    (at * at * 31 + number * 7_919 + at * number).wrapping_mul(2_654_435_761).to_le_bytes()[3]
                })
                .collect();
            submit(
                &store,
                batch(number, vec![SpanRow { bodies: vec![(Slot::Input, noise)], ..span(1, None) }]),
            )
            .await;
        }
        store.flush().await.unwrap();
        let before = store.size().await.unwrap();
        let most = before.used / 2;
        let removed = store.removals().shrink(most).await.unwrap();
        let after = store.size().await.unwrap();
        assert!(after.used <= most, "{before:?} {after:?}");
        assert!((150..350).contains(&removed.traces), "{removed:?}");
        assert!(store.traces().get(trace_id(399), Bodies::All).await.unwrap().is_some());
        assert!(store.traces().get(trace_id(0), Bodies::All).await.unwrap().is_none());
        // The room is used again.
        for number in 400..500_u64 {
            submit(
                &store,
                batch(number, vec![SpanRow { bodies: vec![(Slot::Input, vec![7; 6_000])], ..span(1, None) }]),
            )
            .await;
        }
        store.flush().await.unwrap();
        assert!(store.size().await.unwrap().file <= before.file);
    });
}

#[test]
fn a_full_disk_stops_it_and_breaks_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut chance = Chance(3);
    let there: BTreeMap<u64, TraceBatch> =
        (0..200).map(|number| (number, random_trace(number, &mut chance))).collect();
    block(async {
        for batch in there.values() {
            submit(&store, batch.clone()).await;
        }
        store.flush().await.unwrap();
    });
    store.limit_pages(1);
    // Removing needs no new pages or is refused; either way the rest is whole.
    let _full = block(store.removals().remove(&(1..=50).collect::<Vec<_>>()));
    store.limit_pages(0);
    block(async {
        store.removals().remove(&(1..=50).collect::<Vec<_>>()).await.unwrap();
        store.flush().await.unwrap();
    });
    let left = there.into_iter().filter(|(number, _)| *number >= 50).collect();
    all_there(&store, &left);
    store.integrity_check().unwrap();
}

#[test]
fn the_audit_says_what_went() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        let removals = store.removals();
        let line = removals.begin("alice", "delete", "user:9c5a").await.unwrap();
        let open_line = removals.begin("bob", "delete", "source:app").await.unwrap();
        removals.end(line, Removed { traces: 3, spans: 5, responses: 1 }).await.unwrap();
        let lines = removals.audit(10).await.unwrap();
        assert_eq!(lines.iter().map(|line| line.seq).collect::<Vec<_>>(), [open_line, line]);
        assert_eq!(lines[0].ended, None);
        assert_eq!((lines[1].who.as_str(), lines[1].removed.spans), ("alice", 5));
    });
}

#[test]
fn what_is_not_kept_is_counted_all_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        let only = |number: u64, kept: bool| TraceBatch { kept, ..batch(number, vec![span(1, None)]) };
        submit(&store, only(0, false)).await;
        submit(&store, only(1, true)).await;
        // More of a trace that is there is kept with it.
        submit(&store, TraceBatch { kept: false, ..batch(1, vec![span(2, Some(1))]) }).await;
        store.flush().await.unwrap();
        assert!(store.traces().get(trace_id(0), Bodies::None).await.unwrap().is_none());
        assert_eq!(store.traces().get(trace_id(1), Bodies::All).await.unwrap().unwrap().spans.len(), 2);
        let totals = store.traces().totals(Timestamp(0)).await.unwrap();
        assert_eq!((totals.traces, totals.spans), (2, 3), "sums are of all");
        let counts = store.traces().counts().await.unwrap();
        assert_eq!((counts.traces, counts.spans), (1, 2), "what is stored is less");
    });
    assert_eq!(crate::check(folder.path()).unwrap().problems, Vec::<String>::new());
}
