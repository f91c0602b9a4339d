//! The store as a whole: records in and out, failures, and a process that is killed.

mod accounts;
mod annotations;
mod copies;
mod finding;
mod made;
mod outline;
mod packed;
mod prompts;
mod removal;
mod stats;
mod vectors;
mod waiting;

use crate::{
    Bodies, HealthState, Options, Slot, SpanRow, Store, StoreError, Summary, TraceBatch, TraceQuery,
};
use hanok_base::{NanoDollars, SpanId, SpanStatus, Timestamp, TraceId, Usage};
use rusqlite::Transaction;
use std::borrow::Cow;
use std::future::Future;
use std::path::Path;
use std::time::{Duration, Instant};

const BASE: i64 = 1_763_634_427_000_000_000;

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(future)
}

fn open(folder: &Path) -> Store {
    Store::open(folder, Options::default()).unwrap()
}

fn trace_id(number: u64) -> TraceId {
    TraceId::from_bytes((u128::from(number) + 1).to_be_bytes())
}

fn span(number: u8, parent: Option<u8>) -> SpanRow {
    SpanRow {
        span_id: SpanId::from_bytes([number; 8]),
        parent_id: parent.map(|parent| SpanId::from_bytes([parent; 8])),
        name: format!("chat {number}"),
        operation: Cow::Borrowed("chat"),
        start: Timestamp(BASE + i64::from(number) * 1_000_000),
        duration_ns: 500_000,
        status: SpanStatus::Ok,
        counted: true,
        model: Some("gpt-5-mini".into()),
        provider: Some("openai".into()),
        usage: Usage { input: Some(10), output: Some(2), ..Usage::default() },
        cost: Some(NanoDollars(7)),
        ttft_ns: Some(1_000),
        attributes: vec![("a.b".into(), 1.into()), ("c".into(), serde_json::json!({"d": [true]}))],
        bodies: vec![
            (Slot::Input, b"{\"role\":\"system\"}".to_vec()),
            (Slot::Output, format!("{number} ").repeat(200).into_bytes()),
        ],
    }
}

fn batch(number: u64, spans: Vec<SpanRow>) -> TraceBatch {
    let summary = Summary {
        rooted: spans.iter().any(|span| span.parent_id.is_none()),
        name: format!("trace {number}"),
        operation: Cow::Borrowed("gateway"),
        status: SpanStatus::Ok,
        model: Some(if number.is_multiple_of(2) { "gpt-5-mini" } else { "mistral-large" }.into()),
        provider: Some("openai".into()),
        key_name: None,
        key_id: None,
        project: None,
        session: None,
        user: None,
        tags: Vec::new(),
        prompt: None,
        source: None,
        made_of: Vec::new(),
        ttft_ns: Some(2_000),
        input_preview: Some(format!("환불 100% question_{number}")),
        output_preview: None,
    };
    TraceBatch { trace_id: trace_id(number), summary, spans, kept: true }
}

async fn submit(store: &Store, batch: TraceBatch) {
    store.admit().await.unwrap().submit(Box::new(move || vec![batch]), 1_000, None);
}

#[test]
fn a_trace_comes_back_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        submit(&store, batch(0, vec![span(1, None), span(2, Some(1))])).await;
        store.flush().await.unwrap();
        let trace = store.traces().get(trace_id(0), Bodies::All).await.unwrap().unwrap();
        assert_eq!(trace.row.name, "trace 0");
        assert_eq!(trace.row.span_count, 2);
        assert_eq!((trace.row.input_tokens, trace.row.output_tokens), (Some(20), Some(4)));
        assert_eq!(trace.row.cost, Some(NanoDollars(14)));
        assert_eq!(trace.row.duration_ns, 1_500_000);
        let (wanted, found) = (span(2, Some(1)), &trace.spans[1]);
        assert_eq!(found.span_id, wanted.span_id);
        assert_eq!(found.parent_id, wanted.parent_id);
        assert_eq!((found.usage, found.cost, found.ttft_ns), (wanted.usage, wanted.cost, wanted.ttft_ns));
        assert_eq!(found.bodies, wanted.bodies);
        assert_eq!(serde_json::to_string(&found.attributes).unwrap(), r#"{"a.b":1,"c":{"d":[true]}}"#);

        let light = store.traces().get(trace_id(0), Bodies::None).await.unwrap().unwrap();
        assert!(light.spans[0].bodies.is_empty() && light.spans[0].has_bodies);
        assert!(store.traces().get(trace_id(9), Bodies::None).await.unwrap().is_none());
    });
}

#[test]
fn labels_come_back_and_merge() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let labelled = |spans, session: &str, tags: &[&str]| {
        let mut batch = batch(0, spans);
        batch.summary.session = Some(session.into());
        batch.summary.user = Some("앨리스".into());
        batch.summary.tags = tags.iter().map(ToString::to_string).collect();
        batch.summary.prompt = Some("greet@3".into());
        batch.summary.source = Some("shop".into());
        batch
    };
    block(async {
        submit(&store, labelled(vec![span(2, Some(1))], "of a child", &["b"])).await;
        submit(&store, labelled(vec![span(1, None)], "of the root", &["b", "a"])).await;
        submit(&store, labelled(vec![span(3, Some(1))], "late", &["b"])).await;
        store.flush().await.unwrap();
        let row = store.traces().get(trace_id(0), Bodies::None).await.unwrap().unwrap().row;
        assert_eq!(row.session.as_deref(), Some("of the root"));
        assert_eq!(row.user.as_deref(), Some("앨리스"));
        assert_eq!((row.prompt.as_deref(), row.source.as_deref()), (Some("greet@3"), Some("shop")));
        assert_eq!(row.tags, ["a", "b"]);
    });
}

#[test]
fn a_body_is_stored_once_even_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let bodies = |store: &Store| {
        block(store.read(|conn| {
            Ok(conn.query_row("SELECT sum(length(hashes)) / 16 FROM packs", [], |row| row.get::<_, i64>(0))?)
        }))
        .unwrap()
    };
    for round in 0..2 {
        let store = open(folder.path());
        block(async {
            for number in 0..5 {
                submit(&store, batch(round * 10 + number, vec![span(1, None)])).await;
            }
            store.flush().await.unwrap();
        });
        assert_eq!(bodies(&store), 2, "round {round}");
    }
}

#[test]
fn bodies_of_any_size_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let sizes =
        [0, 1, 99, 100, 5_000, 16 << 10, 20, 70_000, 3 << 20, 15_000, 15_001, 15_002, 15_003, 15_004, 7];
    let body = |size: usize| (0..size).map(|at| (at * at % 251).to_le_bytes()[0]).collect::<Vec<u8>>();
    let bodies: Vec<(Slot, Vec<u8>)> = sizes.map(|size| (Slot::Input, body(size))).to_vec();
    block(async {
        submit(&store, batch(0, vec![SpanRow { bodies: bodies.clone(), ..span(1, None) }])).await;
        store.flush().await.unwrap();
        let trace = store.traces().get(trace_id(0), Bodies::All).await.unwrap().unwrap();
        assert_eq!(trace.spans[0].bodies, bodies);
    });
}

#[test]
fn batches_of_one_trace_merge_and_replays_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        let mut child = batch(0, vec![span(5, Some(1))]);
        child.summary.name = "a child".into();
        child.summary.status = SpanStatus::Error("child failed".into());
        let root = batch(0, vec![span(1, None), span(5, Some(1)), span(5, Some(1)), span(6, Some(1))]);
        for batch in [&child, &root, &child, &root] {
            submit(&store, batch.clone()).await;
        }
        store.flush().await.unwrap();
        let trace = store.traces().get(trace_id(0), Bodies::None).await.unwrap().unwrap();
        assert_eq!(trace.spans.len(), 3);
        assert_eq!(trace.row.span_count, 3);
        assert_eq!(trace.row.input_tokens, Some(20), "a call made of calls is not counted beside them");
        assert_eq!(trace.row.name, "chat 1");
        assert_eq!(trace.row.status, SpanStatus::Ok, "the root has the last word");
        assert_eq!(trace.row.start, span(1, None).start);
        let sums = store.traces().totals(Timestamp(0)).await.unwrap();
        assert_eq!((sums.traces, sums.errors, sums.spans, sums.cost), (1, 0, 3, NanoDollars(14)));
    });
}

#[test]
fn lists_filter_and_page() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        for number in 0..30_u64 {
            let mut batch = batch(number, vec![span(1, None)]);
            batch.spans[0].start = Timestamp(BASE + i64::try_from(number).unwrap() * 1_000_000_000);
            if number == 7 {
                batch.summary.status = SpanStatus::Error("rate limited".into());
            }
            submit(&store, batch).await;
        }
        store.flush().await.unwrap();
        let numbers = async |query: TraceQuery| -> Vec<i64> {
            let page = store.traces().list(query, None, 100).await.unwrap();
            assert_eq!(page.next, None);
            page.rows.iter().map(|row| row.seq - 1).collect()
        };
        let words = |word: &str| TraceQuery { words: vec![word.into()], ..TraceQuery::default() };
        assert_eq!(numbers(TraceQuery::default()).await, (0..30).rev().collect::<Vec<_>>());
        assert_eq!(numbers(TraceQuery { failed: Some(true), ..TraceQuery::default() }).await, [7]);
        assert_eq!(numbers(words("RATE lim")).await, [7]);
        assert_eq!(numbers(words("question_2")).await.len(), 11);
        assert_eq!(numbers(words("question%2")).await.len(), 0, "no wildcards in words");
        assert_eq!(numbers(words("환불")).await.len(), 30);
        let models = |glob: &str| TraceQuery { models: vec![glob.into()], ..TraceQuery::default() };
        assert_eq!(numbers(models("GPT*")).await.len(), 15);
        assert_eq!(numbers(models("gpt")).await.len(), 0);
        let range = TraceQuery {
            since: Some(Timestamp(BASE + 3_000_000_000)),
            until: Some(Timestamp(BASE + 5_000_000_000)),
            ..TraceQuery::default()
        };
        assert_eq!(numbers(range).await, [4, 3]);

        let mut seen = Vec::new();
        let mut cursor = None;
        loop {
            let page = store.traces().list(TraceQuery::default(), cursor, 7).await.unwrap();
            seen.extend(page.rows.iter().map(|row| row.seq));
            cursor = page.next;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen, (1..=30).rev().collect::<Vec<_>>());

        let recent = store.traces().recent(27, 2).await.unwrap();
        assert_eq!(recent.iter().map(|row| row.seq).collect::<Vec<_>>(), [29, 30]);
        let rate = store.traces().rate(Timestamp(BASE), Timestamp(BASE + 119_000_000_000), 10).await.unwrap();
        assert_eq!(rate.iter().map(|bucket| bucket.traces).sum::<u64>(), 30);
        assert_eq!(rate.iter().map(|bucket| bucket.errors).sum::<u64>(), 1);
        assert!(rate.len() <= 10);
        let (newer, older) = store.traces().neighbours(1).await.unwrap();
        assert_eq!((newer, older), (Some(trace_id(1)), None));
    });
}

#[test]
fn since_stops_at_the_arrivals_before_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        submit(&store, batch(0, vec![span(1, None)])).await;
        store.flush().await.unwrap();
        let query = TraceQuery {
            since: Some(Timestamp::now().after(Duration::from_mins(1))),
            ..TraceQuery::default()
        };
        let page = store.traces().list(query, None, 10).await.unwrap();
        assert_eq!((page.rows.len(), page.next), (0, None));
    });
}

#[test]
fn a_write_that_fails_takes_back_only_itself() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let add = |store: &Store, text: &'static str, fail: bool| {
        let store = store.clone();
        async move {
            store
                .write(move |tx| {
                    tx.execute("INSERT INTO names (text) VALUES (?1)", [text])?;
                    if fail { Err(StoreError::Damaged("on purpose".into())) } else { Ok(text.len()) }
                })
                .await
        }
    };
    block(async {
        let (good, bad, again) =
            tokio::join!(add(&store, "one", false), add(&store, "two", true), add(&store, "three", false));
        assert_eq!(good.unwrap(), 3);
        assert!(matches!(bad, Err(StoreError::Damaged(_))));
        assert_eq!(again.unwrap(), 5);
        let panicked = store.write(|_| -> Result<(), StoreError> { panic!("on purpose") }).await;
        assert!(matches!(panicked, Err(StoreError::Panicked(_))));
        let names = store
            .read(|conn| {
                Ok(conn
                    .query_row("SELECT group_concat(text) FROM names", [], |row| row.get::<_, String>(0))?)
            })
            .await;
        assert_eq!(names.unwrap(), "one,three");
        store.sync().await.unwrap();
    });
}

#[test]
fn a_trace_that_cannot_be_prepared_takes_nothing_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        submit(&store, batch(0, vec![span(1, None)])).await;
        store.admit().await.unwrap().submit(Box::new(|| panic!("on purpose")), 10, None);
        submit(&store, batch(1, vec![span(1, None)])).await;
        store.flush().await.unwrap();
        assert_eq!(store.traces().list(TraceQuery::default(), None, 9).await.unwrap().rows.len(), 2);
        assert_eq!(store.health().queued_bytes, 0);
    });
}

#[test]
fn a_full_disk_holds_everything_and_recovers() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        // Admitted before the disk is full: their answers are under way and will be recorded.
        let mut places = Vec::new();
        for _ in 0..50 {
            places.push(store.admit().await.unwrap());
        }
        store.limit_pages(1);
        for (number, place) in (0..).zip(places) {
            let batch = batch(number, vec![span(1, None), span(2, Some(1))]);
            place.submit(Box::new(move || vec![batch]), 1_000, None);
        }
        let refused = store.flush().await;
        assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{refused:?}");
        assert!(matches!(store.health().state, HealthState::Failing { .. }));
        let began = Instant::now();
        let unavailable = store.admit().await.err().expect("a failing store admits nothing");
        assert!(unavailable.reason.contains("full"), "{unavailable}");
        assert!(began.elapsed() < Duration::from_millis(2_500));

        store.limit_pages(0);
        let place = store.admit().await.unwrap();
        let batch = batch(50, vec![span(1, None)]);
        place.submit(Box::new(move || vec![batch]), 1_000, None);
        store.flush().await.unwrap();
        assert_eq!(store.health().state, HealthState::Ok);
        let page = store.traces().list(TraceQuery::default(), None, 100).await.unwrap();
        assert_eq!(page.rows.len(), 51);
        let trace = store.traces().get(trace_id(49), Bodies::All).await.unwrap().unwrap();
        assert_eq!(trace.spans[0].bodies, span(1, None).bodies, "no reference to a body that was taken back");
    });
    store.integrity_check().unwrap();
}

/// Nothing but a write failed, its caller was told, and nobody is let in that could show the disk is well again.
#[test]
fn a_full_disk_met_by_a_write_alone_recovers_too() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        store.limit_pages(1);
        let large = |tx: &Transaction<'_>| {
            Ok(tx.execute("CREATE TABLE large AS SELECT randomblob(1000000) AS body", [])?)
        };
        assert!(matches!(store.write(large).await, Err(StoreError::Unavailable { .. })));
        assert!(matches!(store.health().state, HealthState::Failing { .. }));
        store.limit_pages(0);
        let place = store.admit().await.expect("the store found out by itself");
        assert_eq!(store.health().state, HealthState::Ok);
        drop(place);
    });
}

#[test]
fn a_full_queue_slows_admission_and_drops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = Store::open(folder.path(), Options { queue: 3, ..Options::default() }).unwrap();
    block(async {
        for number in 0..50 {
            submit(&store, batch(number, vec![span(1, None)])).await;
        }
        drop(store.admit().await.unwrap());
        let held = [store.admit().await.unwrap(), store.admit().await.unwrap(), store.admit().await.unwrap()];
        assert!(store.admit().await.is_err());
        drop(held);
        assert!(store.admit().await.is_ok());
        store.flush().await.unwrap();
        assert_eq!(store.traces().counts().await.unwrap().traces, 50);
    });
}

#[test]
fn a_query_without_end_is_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let options = Options { read_timeout: Duration::from_secs(1), readers: 1, ..Options::default() };
    let store = Store::open(folder.path(), options).unwrap();
    let endless = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT count(*) FROM n";
    block(async {
        let result =
            store.read(move |conn| Ok(conn.query_row(endless, [], |row| row.get::<_, i64>(0))?)).await;
        assert!(matches!(result, Err(StoreError::Timeout(_))), "{result:?}");
        assert_eq!(store.read(|_| Ok(7)).await.unwrap(), 7, "the reader serves on");
        let panicked = store.read(|_| -> Result<(), StoreError> { panic!("on purpose") }).await;
        assert!(matches!(panicked, Err(StoreError::Panicked(_))));
        assert_eq!(store.read(|_| Ok(8)).await.unwrap(), 8);
    });
}

#[test]
fn files_that_are_not_ours_are_refused() {
    let check = |prepare: &dyn Fn(&Path), read_only: bool, says: &str| {
        let folder = tempfile::tempdir().unwrap();
        prepare(&folder.path().join("hanok.db"));
        let error =
            Store::open(folder.path(), Options { read_only, ..Options::default() }).err().expect(says);
        assert!(error.to_string().contains(says), "{error}");
    };
    let sql = |sql: &'static str| {
        move |path: &Path| {
            rusqlite::Connection::open(path).unwrap().execute_batch(sql).unwrap();
        }
    };
    check(&|path| std::fs::write(path, "not a database ".repeat(500)).unwrap(), false, "not a SQLite file");
    check(&sql("CREATE TABLE x (y)"), false, "another program's");
    check(&sql("PRAGMA application_id = 0x48414e4f; PRAGMA user_version = 999"), false, "schema 999");
    check(&sql("PRAGMA application_id = 0x48414e4f; PRAGMA user_version = 1"), true, "hanok up");
    check(&|_| {}, true, "no database");
}

#[test]
fn the_folder_is_private_and_a_second_store_reads_it() {
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("a/.hanok");
    let store = open(&folder);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&folder).unwrap().permissions().mode() & 0o777, 0o700);
    }
    assert_eq!(std::fs::read_to_string(folder.join(".gitignore")).unwrap(), "*\n");
    let reader = Store::open(&folder, Options { read_only: true, ..Options::default() }).unwrap();
    block(async {
        submit(&store, batch(0, vec![span(1, None)])).await;
        store.flush().await.unwrap();
        assert_eq!(reader.traces().counts().await.unwrap().spans, 1);
        assert!(matches!(reader.flush().await, Err(StoreError::ReadOnly)));
        assert!(reader.admit().await.is_err());
        store.close();
        assert!(matches!(store.flush().await, Err(StoreError::Closed)));
    });
}

#[test]
fn another_process_may_write_too() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (open(folder.path()), open(folder.path()));
    block(async {
        for number in 0..20 {
            let store = if number % 2 == 0 { &one } else { &two };
            submit(store, batch(number, vec![span(u8::try_from(number).unwrap() + 1, None)])).await;
            store.flush().await.unwrap();
        }
        for number in 0..20 {
            let trace = two.traces().get(trace_id(number), Bodies::All).await.unwrap().unwrap();
            assert_eq!(trace.spans[0].bodies, span(u8::try_from(number).unwrap() + 1, None).bodies);
        }
    });
}

#[test]
fn arrivals_are_told() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let mut committed = store.subscribe().unwrap();
    block(async {
        submit(&store, batch(0, vec![span(1, None)])).await;
        tokio::time::timeout(Duration::from_secs(5), committed.changed()).await.unwrap().unwrap();
        assert_eq!(*committed.borrow(), 1);
    });
}

const CHILD: &str = "HANOK_STORE_KILL_TEST";

/// Not a test of its own: what the killed process runs. Prints the number of each trace once it must survive.
#[test]
fn child_that_is_killed() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let store = open(Path::new(&folder));
    block(async {
        let begin = store.traces().counts().await.unwrap().traces;
        let mut number = begin;
        loop {
            for _ in 0..20 {
                submit(&store, batch(number, vec![span(1, None), span(2, Some(1))])).await;
                number += 1;
            }
            store.flush().await.unwrap();
            println!("committed {number}");
        }
    });
}

#[test]
fn killed_at_any_moment_it_keeps_what_was_committed_exactly_once() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let mut promised = 0;
    for round in 0..8_u64 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::child_that_is_killed", "--nocapture"])
            .env(CHILD, folder.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // Killed after some commits, in the middle of the next.
        for _ in 0..=round % 4 {
            let line = lines.by_ref().map(Result::unwrap).find(|line| line.contains("committed ")).unwrap();
            promised = line.rsplit(' ').next().unwrap().parse().unwrap();
        }
        std::thread::yield_now();
        child.kill().unwrap();
        child.wait().unwrap();

        let store = open(folder.path());
        store.integrity_check().unwrap();
        block(async {
            let (traces, distinct): (u64, u64) = store
                .read(|conn| {
                    Ok(conn.query_row(
                        "SELECT count(*), count(DISTINCT trace_id) FROM traces",
                        [],
                        |row| Ok((row.get(0)?, row.get(1)?)),
                    )?)
                })
                .await
                .unwrap();
            assert!(traces >= promised, "{traces} of {promised} promised");
            assert_eq!(distinct, traces);
            assert_eq!(store.traces().counts().await.unwrap().traces, traces);
            for number in 0..traces {
                let trace = store.traces().get(trace_id(number), Bodies::All).await.unwrap();
                assert_eq!(trace.map(|trace| trace.spans.len()), Some(2), "{number}");
            }
        });
    }
    assert!(promised > 0);
}
