//! Keys, money, and what clients may ask back.

use super::{batch, block, open, span, trace_id};
use crate::spans;
use crate::{
    Balance, Bodies, Budget, BudgetPeriod, Limits, NewKey, NewResponse, Options, Secret, SpanRow, Store,
    StoreError, TraceBatch, TraceQuery,
};
use hanok_base::{Charge, NanoDollars, Settlement, Timestamp, TraceId, Usage};
use parking_lot::Mutex;
use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

fn charge(account: &str) -> Charge {
    Charge { account: account.into(), period: "2026-11".into() }
}

/// Counts what it was settled at.
struct Settled {
    charges: Vec<Charge>,
    sum: Arc<AtomicI64>,
}

impl Settlement for Settled {
    fn charges(&self) -> &[Charge] {
        &self.charges
    }
    fn settle(self: Box<Self>, spent: hanok_base::Spent, _: &[Charge]) {
        self.sum.fetch_add(spent.cost.0, Ordering::SeqCst);
    }
}

/// Accounts of traces, and what they were settled at.
struct Books {
    settled: Arc<AtomicI64>,
}

impl Books {
    fn new() -> Self {
        Self { settled: Arc::default() }
    }

    #[expect(clippy::unnecessary_wraps, reason = "as `submit` takes it")]
    fn settlement(&self, accounts: &[&str]) -> Option<Box<dyn Settlement>> {
        let charges = accounts.iter().map(|account| charge(account)).collect();
        Some(Box::new(Settled { charges, sum: Arc::clone(&self.settled) }))
    }

    async fn submit(&self, store: &Store, batch: TraceBatch, accounts: &[&str]) {
        let place = store.admit().await.unwrap();
        place.submit(Box::new(move || vec![batch]), 1_000, self.settlement(accounts));
    }

    fn settled(&self) -> i64 {
        self.settled.load(Ordering::SeqCst)
    }
}

async fn spent(store: &Store, account: &str) -> (i64, u64, u64) {
    let balance = store.ledger().balance(&charge(account)).await.unwrap();
    (balance.spent.0, balance.calls, balance.tokens)
}

fn uncounted(number: u8) -> SpanRow {
    SpanRow { counted: false, ..span(number, None) }
}

#[test]
fn what_spans_cost_is_charged_once_and_settled_after_the_commit() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let books = Books::new();
    block(async {
        // 7 nano-dollars a counted span, 12 tokens.
        books.submit(&store, batch(0, vec![uncounted(1), span(2, Some(1))]), &["key:a", "project:p"]).await;
        books
            .submit(
                &store,
                batch(1, vec![uncounted(1), span(2, Some(1)), span(3, Some(1))]),
                &["key:b", "project:p"],
            )
            .await;
        store.flush().await.unwrap();
        assert_eq!(spent(&store, "key:a").await, (7, 1, 12));
        assert_eq!(spent(&store, "key:b").await, (14, 1, 24));
        assert_eq!(spent(&store, "project:p").await, (21, 2, 36));
        assert_eq!(spent(&store, "project:q").await, (0, 0, 0));
        assert_eq!(books.settled(), 21);

        // A replay charges nothing again, a later span of the same trace charges itself.
        books.submit(&store, batch(0, vec![uncounted(1), span(2, Some(1))]), &["key:a"]).await;
        books.submit(&store, batch(0, vec![span(2, Some(1)), span(9, Some(1))]), &["key:a"]).await;
        store.flush().await.unwrap();
        assert_eq!(spent(&store, "key:a").await, (14, 2, 24));
        assert_eq!(store.ledger().balances().await.unwrap().len(), 3);
    });
}

#[test]
fn a_commit_that_fails_charges_nothing_twice() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let books = Books::new();
    block(async {
        let mut places = Vec::new();
        for _ in 0..50 {
            places.push(store.admit().await.unwrap());
        }
        store.limit_pages(1);
        for (number, place) in (0..).zip(places) {
            let batch = batch(number, vec![span(1, None)]);
            place.submit(Box::new(move || vec![batch]), 1_000, books.settlement(&["key:a"]));
        }
        assert!(store.flush().await.is_err());
        assert!(matches!(
            store.ledger().draw(vec![(charge("key:a"), NanoDollars(500))]).await,
            Err(StoreError::Unavailable { .. })
        ));
        assert_eq!(books.settled(), 0, "nothing is committed yet");
        store.limit_pages(0);
        drop(store.admit().await.unwrap());
        store.flush().await.unwrap();
        assert_eq!(spent(&store, "key:a").await, (350, 50, 600));
        assert_eq!(books.settled(), 350);
        assert_eq!(store.ledger().balance(&charge("key:a")).await.unwrap().drawn, NanoDollars(0));
    });
}

#[test]
fn a_settlement_is_released_whatever_becomes_of_its_trace() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (good, lost, late) = (Books::new(), Books::new(), Books::new());
    block(async {
        let left = store.admit().await.unwrap();
        // A constraint that only this trace breaks: it can never be stored.
        store
            .write(|tx| {
                Ok(tx.execute_batch(
                    "CREATE TRIGGER refuse BEFORE INSERT ON spans WHEN NEW.duration_ns = 666
                     BEGIN SELECT RAISE(ABORT, 'on purpose'); END",
                )?)
            })
            .await
            .unwrap();
        let broken = SpanRow { duration_ns: 666, ..span(1, Some(9)) };
        good.submit(&store, batch(0, vec![span(1, None)]), &["key:a"]).await;
        lost.submit(&store, batch(1, vec![broken]), &["key:a"]).await;
        good.submit(&store, batch(2, vec![span(1, None)]), &["key:a"]).await;
        let place = store.admit().await.unwrap();
        place.submit(Box::new(|| panic!("on purpose")), 10, lost.settlement(&["key:a"]));
        store.flush().await.unwrap();
        assert_eq!((good.settled(), lost.settled()), (14, 7));
        let balance = store.ledger().balance(&charge("key:a")).await.unwrap();
        assert_eq!((balance.spent.0, balance.written_off.0, balance.calls), (14, 7, 2));
        assert_eq!(balance.used(), NanoDollars(21));
        store.close();
        let batch = batch(3, vec![span(1, None)]);
        left.submit(Box::new(move || vec![batch]), 10, late.settlement(&["key:a"]));
        assert_eq!(late.settled(), 7);
    });
}

#[test]
fn slabs() {
    let folder = tempfile::tempdir().unwrap();
    let books = Books::new();
    let account = charge("key:a");
    let balance = async |store: &Store| {
        let Balance { drawn, spent, written_off, .. } =
            store.ledger().balance(&charge("key:a")).await.unwrap();
        (drawn.0, spent.0, written_off.0)
    };
    let draw = async |store: &Store, mark: i64| {
        store.ledger().draw(vec![(charge("key:a"), NanoDollars(mark))]).await.unwrap();
    };
    block(async {
        let store = open(folder.path());
        draw(&store, 100).await;
        draw(&store, 50).await;
        books.submit(&store, batch(0, vec![span(1, None)]), &["key:a"]).await;
        store.flush().await.unwrap();
        assert_eq!(balance(&store).await, (100, 7, 0), "marks only rise");
        store.close();

        // That was no clean end: the slab counts as spent, once, however often the file is opened.
        for _ in 0..2 {
            let store = open(folder.path());
            assert_eq!(balance(&store).await, (100, 7, 93));
            store.close();
        }
        let store = open(folder.path());
        draw(&store, 150).await;
        books.submit(&store, batch(1, vec![span(1, None)]), &["key:a"]).await;
        store.flush().await.unwrap();
        assert_eq!(store.ledger().reconcile(&account).await.unwrap(), NanoDollars(93));
        assert_eq!(balance(&store).await, (57, 14, 0), "the open slab stays drawn");
        assert_eq!(store.ledger().reconcile(&account).await.unwrap(), NanoDollars(0));
        store.ledger().close_slabs().await.unwrap();
        assert_eq!(balance(&store).await, (14, 14, 0));
        store.close();
        let store = open(folder.path());
        assert_eq!(balance(&store).await, (14, 14, 0), "a clean end");
        assert_eq!(store.ledger().reconcile(&charge("nobody")).await.unwrap(), NanoDollars(0));
    });
}

#[test]
fn keys_are_found_by_hash_and_revoked_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        let mut changed = store.keys_changed();
        let secret = Secret::random().unwrap();
        let new = NewKey {
            name: "ci".into(),
            project: "shop".into(),
            admin: true,
            models: vec!["gpt-5*".into()],
            limits: Limits { requests_per_minute: Some(60), ..Limits::default() },
            budgets: vec![Budget {
                limit: NanoDollars(5_000_000_000),
                period: BudgetPeriod::Month,
                model: Some("gpt*".into()),
            }],
            max_output_tokens: Some(4096),
            payloads: Some(hanok_base::Payloads::Errors),
            expires: Some(Timestamp::now().after(Duration::from_hours(1))),
        };
        let key = store.keys().create(new.clone(), &secret).await.unwrap();
        assert!(changed.has_changed().unwrap());
        changed.mark_unchanged();
        assert_eq!((key.id.len(), key.hint.as_str()), (20, &secret.reveal()[31..]));
        assert_eq!(store.keys().by_hash(secret.hash()).await.unwrap().as_ref(), Some(&key));
        assert_eq!(store.keys().get(&key.id).await.unwrap().as_ref(), Some(&key));
        assert_eq!(store.keys().by_hash([0; 32]).await.unwrap(), None);
        assert!(key.is_good(Timestamp::now()));
        assert!(!key.is_good(Timestamp::now().after(Duration::from_hours(2))));
        assert!(store.keys().create(new, &secret).await.is_err(), "a secret is one key's");
        assert!(!changed.has_changed().unwrap());

        let used = Timestamp(1_763_634_427_000_000_000);
        for at in [used, used.before(Duration::from_secs(9))] {
            store.keys().touch(&key.id, at);
        }
        assert_eq!(store.keys().list().await.unwrap()[0].last_used, Some(used));
        assert_eq!(store.keys().get(&key.id).await.unwrap().unwrap().last_used, None, "not written yet");

        assert!(store.keys().revoke(&key.id).await.unwrap());
        assert!(changed.has_changed().unwrap());
        let revoked = store.keys().get(&key.id).await.unwrap().unwrap();
        assert!(!revoked.is_good(Timestamp::now()));
        assert!(store.keys().revoke(&key.id).await.unwrap());
        assert_eq!(store.keys().get(&key.id).await.unwrap().unwrap().revoked, revoked.revoked);
        assert!(!store.keys().revoke("key_x").await.unwrap());
        store.close();

        let store = open(folder.path());
        assert_eq!(store.keys().get(&key.id).await.unwrap().unwrap().last_used, Some(used));
        let bytes = std::fs::read(folder.path().join("hanok.db")).unwrap();
        let leaked = bytes.windows(secret.reveal().len()).any(|at| at == secret.reveal().as_bytes());
        assert!(!leaked, "the secret is on disk");
    });
}

fn response(project: &str, id: &str, previous: Option<&str>, expires: Timestamp) -> NewResponse {
    NewResponse {
        id: id.into(),
        project: project.into(),
        key_id: Some("key_1".into()),
        previous: previous.map(Into::into),
        model: "gpt-5".into(),
        status: "completed".into(),
        created: Timestamp(1),
        expires,
        input: format!("[\"{id}?\"]").into_bytes(),
        object: format!("{{\"id\":\"{id}\",\"output\":[\"{id}!\"]}}").into_bytes(),
    }
}

#[test]
fn responses_are_their_projects_and_make_conversations() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        let later = Timestamp::now().after(Duration::from_hours(1));
        let put = async |project: &str, id: &str, previous: Option<&str>| {
            store.responses().put(response(project, id, previous, later)).await.unwrap();
        };
        put("p", "r1", None).await;
        put("p", "r2", Some("r1")).await;
        put("p", "r3", Some("r2")).await;
        put("p", "s2", Some("r1")).await;
        put("q", "r1", None).await;
        let chain = async |project: &str, id: &str| {
            let turns = store.responses().chain(project, id).await.unwrap()?;
            Some(turns.into_iter().map(|turn| turn.id).collect::<Vec<_>>().join(" "))
        };
        assert_eq!(chain("p", "r3").await.as_deref(), Some("r1 r2 r3"));
        assert_eq!(chain("p", "s2").await.as_deref(), Some("r1 s2"));
        assert_eq!(chain("q", "r3").await, None, "another project's");
        let found = store.responses().get("p", "r2").await.unwrap().unwrap();
        assert_eq!(found.object, response("p", "r2", None, later).object);
        assert_eq!((found.previous.as_deref(), found.model.as_str()), (Some("r1"), "gpt-5"));
        assert_eq!(store.responses().input_items("p", "r2").await.unwrap().unwrap(), b"[\"r2?\"]");
        assert!(store.responses().get("q", "r2").await.unwrap().is_none());
        assert!(!store.responses().delete("q", "r2").await.unwrap());

        // Hidden at once, but what continues it keeps its memory.
        assert!(store.responses().delete("p", "r2").await.unwrap());
        assert!(!store.responses().delete("p", "r2").await.unwrap());
        assert!(store.responses().get("p", "r2").await.unwrap().is_none());
        assert!(store.responses().input_items("p", "r2").await.unwrap().is_none());
        assert_eq!(chain("p", "r2").await, None);
        assert_eq!(chain("p", "r3").await.as_deref(), Some("r1 r2 r3"));
        // The last that continued it goes: so does it. The rest stays.
        assert!(store.responses().delete("p", "r3").await.unwrap());
        let rows = async || {
            store
                .read(|conn| {
                    Ok(conn.query_row("SELECT count(*) FROM responses", [], |row| row.get::<_, i64>(0))?)
                })
                .await
                .unwrap()
        };
        assert_eq!(rows().await, 3);
        assert_eq!(chain("p", "s2").await.as_deref(), Some("r1 s2"));

        put("p", "broken", Some("never")).await;
        assert_eq!(chain("p", "broken").await, None, "cannot be continued");
        put("p", "a", Some("b")).await;
        put("p", "b", Some("a")).await;
        assert_eq!(chain("p", "a").await, None, "a circle ends");
        put("p", "s2", None).await;
        assert_eq!(chain("p", "s2").await.as_deref(), Some("s2"), "put again");
    });
}

#[test]
fn expired_responses_go_unless_continued() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        let now = Timestamp::now();
        let (past, future) = (now.before(Duration::from_secs(1)), now.after(Duration::from_hours(1)));
        let mut previous: Option<String> = None;
        let mut puts = Vec::new();
        for number in 0..300 {
            let id = format!("c{number}");
            puts.push(response("p", &id, previous.as_deref(), past));
            previous = Some(id);
        }
        puts.push(response("p", "old", None, past));
        puts.push(response("p", "new", Some("old"), future));
        for put in puts {
            store.responses().put(put).await.unwrap();
        }
        assert!(store.responses().get("p", "c299").await.unwrap().is_none(), "expired");
        assert_eq!(store.responses().purge(now).await.unwrap(), 300);
        assert_eq!(store.responses().chain("p", "new").await.unwrap().unwrap().len(), 2);
        assert_eq!(store.responses().purge(now).await.unwrap(), 0);
        assert_eq!(store.responses().purge(future).await.unwrap(), 2);
    });
}

#[test]
fn a_project_sees_its_own_traces_and_no_others() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        for number in 0..12_u64 {
            let mut batch = batch(number, vec![span(1, None)]);
            let project = ["shop", "lab", ""][usize::try_from(number % 3).unwrap()];
            batch.summary.project = Some(project).filter(|name| !name.is_empty()).map(Into::into);
            batch.summary.key_id = Some(format!("key_{number}"));
            batch.summary.key_name = Some(format!("Name {number}"));
            super::submit(&store, batch).await;
        }
        store.flush().await.unwrap();
        let of = |project: Option<&str>| store.traces().of(project.map(Into::into));
        let seqs = async |project: Option<&str>, query: TraceQuery| {
            let mut seen = Vec::new();
            let mut cursor = None;
            loop {
                let page = of(project).list(query.clone(), cursor, 3).await.unwrap();
                seen.extend(page.rows.iter().map(|row| row.seq));
                cursor = page.next;
                if cursor.is_none() {
                    return seen;
                }
            }
        };
        let all = TraceQuery::default;
        assert_eq!(seqs(Some("shop"), all()).await, [10, 7, 4, 1]);
        assert_eq!(seqs(Some(""), all()).await, [12, 9, 6, 3]);
        assert_eq!(seqs(Some("nobody"), all()).await, [0_i64; 0]);
        assert_eq!(seqs(None, all()).await.len(), 12);
        let words = TraceQuery { words: vec!["question_".into()], ..all() };
        assert_eq!(seqs(Some("lab"), words).await, [11, 8, 5, 2]);
        let projects = TraceQuery { projects: vec!["SH*".into(), "lab".into()], ..all() };
        assert_eq!(seqs(None, projects.clone()).await.len(), 8);
        assert_eq!(seqs(Some("lab"), projects).await.len(), 4, "a filter widens nothing");
        for key in ["key_4", "name 4"] {
            assert_eq!(seqs(None, TraceQuery { keys: vec![key.into()], ..all() }).await, [5], "{key}");
        }
        let row = &of(None).list(all(), None, 1).await.unwrap().rows[0];
        assert_eq!((row.key_id.as_deref(), row.project.as_deref()), (Some("key_11"), None));

        assert!(of(Some("shop")).get(trace_id(0), Bodies::None).await.unwrap().is_some());
        assert!(of(Some("lab")).get(trace_id(0), Bodies::None).await.unwrap().is_none());
        assert!(of(Some("")).get(trace_id(2), Bodies::None).await.unwrap().is_some());
        assert_eq!(of(Some("shop")).neighbours(4).await.unwrap(), (Some(trace_id(6)), Some(trace_id(0))));
        let recent = of(Some("shop")).recent(4, 9).await.unwrap();
        assert_eq!(recent.iter().map(|row| row.seq).collect::<Vec<_>>(), [7, 10]);
        for (project, expect) in [(Some("shop"), 4), (Some(""), 4), (Some("nobody"), 0), (None, 12)] {
            assert_eq!(of(project).counts().await.unwrap().traces, expect);
            let totals = of(project).totals(Timestamp(super::BASE)).await.unwrap();
            assert_eq!((totals.traces, totals.cost.0), (expect, i64::try_from(expect).unwrap() * 7));
            let until = Timestamp(super::BASE + 119_000_000_000);
            let rate = of(project).rate(Timestamp(super::BASE), until, 10).await.unwrap();
            assert_eq!(rate.iter().map(|bucket| bucket.traces).sum::<u64>(), expect);
        }

        // Another project's trace id: a trace of its own.
        let mut foreign = batch(0, vec![span(7, None)]);
        foreign.summary.project = Some("lab".into());
        super::submit(&store, foreign).await;
        store.flush().await.unwrap();
        assert_eq!(of(None).get(trace_id(0), Bodies::None).await.unwrap().unwrap().spans.len(), 1);
        let newest = &of(Some("lab")).list(all(), None, 1).await.unwrap().rows[0];
        assert_ne!(newest.trace_id, trace_id(0));
        assert_eq!(newest.seq, 13);
    });
}

#[test]
fn rare_counts_of_tokens_come_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let usage = Usage {
        input: Some(10),
        cache_write: Some(6),
        cache_write_long: Some(5),
        input_audio: Some(4),
        input_image: Some(3),
        output_audio: Some(2),
        output_image: Some(1),
        ..Usage::default()
    };
    block(async {
        super::submit(&store, batch(0, vec![SpanRow { usage, ..span(1, None) }, span(2, Some(1))])).await;
        store.flush().await.unwrap();
        let trace = store.traces().get(trace_id(0), Bodies::None).await.unwrap().unwrap();
        assert_eq!(trace.spans[0].usage, usage);
        assert_eq!(trace.spans[1].usage, span(2, None).usage);
    });
}

#[test]
fn a_file_of_an_older_version_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let conn = rusqlite::Connection::open(folder.path().join("hanok.db")).unwrap();
    conn.execute_batch(include_str!("../../migrations/0001_records.sql")).unwrap();
    conn.execute_batch(include_str!("../../migrations/0002_documents.sql")).unwrap();
    conn.execute_batch(
        "PRAGMA application_id = 0x48414e4f; PRAGMA user_version = 2;
         INSERT INTO names (id, text) VALUES (1, 'chat x'), (2, 'chat');
         INSERT INTO traces (seq, trace_id, arrived_ms, start_ns, duration_ns, status, span_count, name, operation)
             VALUES (1, x'00000000000000000000000000000001', 1, 1000, 5, 0, 1, 1, 2);
         INSERT INTO spans (id, span_id, name, operation, start_ns, duration_ns, status, counted, input_tokens)
             VALUES (1 << 20, 7, 1, 2, 1000, 5, 0, 1, 10);",
    )
    .unwrap();
    drop(conn);
    let store = open(folder.path());
    block(async {
        let old = store.traces().get(trace_id(0), Bodies::All).await.unwrap().unwrap();
        assert_eq!((old.row.name.as_str(), old.row.project.as_deref()), ("chat x", None));
        assert_eq!(old.spans[0].usage, Usage { input: Some(10), ..Usage::default() });
        super::submit(&store, batch(1, vec![span(1, None)])).await;
        store.flush().await.unwrap();
        assert_eq!(store.traces().list(TraceQuery::default(), None, 9).await.unwrap().rows.len(), 2);
        assert!(store.keys().list().await.unwrap().is_empty());
    });
}

const CHILD: &str = "HANOK_LEDGER_KILL_TEST";
const THREADS: u64 = 64;

/// Not a test of its own: what the killed process runs. Sixty-four callers record, each within what it drew
/// before; a line is printed whenever that much must survive.
#[test]
fn child_that_spends() {
    let Ok(folder) = std::env::var(CHILD) else { return };
    let store = open(Path::new(&folder));
    let number = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let before = block(store.ledger().balance(&charge("project:p"))).unwrap();
    let drawn = Arc::new(Mutex::new(before.used().0));
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let (store, number, drawn) = (store.clone(), Arc::clone(&number), Arc::clone(&drawn));
            scope.spawn(move || {
                block(async {
                    let account = format!("key:{}", thread % 4);
                    let books = Books::new();
                    loop {
                        let number = number.fetch_add(1, Ordering::SeqCst);
                        let mut row = batch(number, vec![uncounted(1), span(2, Some(1))]);
                        row.summary.key_id = Some(format!("{}", thread % 4));
                        row.summary.project = Some("p".into());
                        row.spans[1].cost = Some(NanoDollars(i64::try_from(number % 1_000).unwrap()));
                        row.trace_id = TraceId::random();
                        books.submit(&store, row, &[&account, "project:p"]).await;
                        if number.is_multiple_of(500) {
                            let mark = {
                                let mut drawn = drawn.lock();
                                *drawn += 1_000_000;
                                *drawn
                            };
                            store
                                .ledger()
                                .draw(vec![(charge("project:p"), NanoDollars(mark))])
                                .await
                                .unwrap();
                            println!("committed {mark}");
                        }
                    }
                });
            });
        }
    });
}

#[test]
fn killed_at_any_moment_ledger_and_spans_agree() {
    use std::io::{BufRead, BufReader};
    let folder = tempfile::tempdir().unwrap();
    let mut traces = 0;
    for round in 0..6_u64 {
        let mut child = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tests::accounts::child_that_spends", "--nocapture"])
            .env(CHILD, folder.path())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut promised = 0_i64;
        for _ in 0..=round % 3 + 1 {
            let line = lines.by_ref().map(Result::unwrap).find(|line| line.contains("committed ")).unwrap();
            promised = promised.max(line.rsplit(' ').next().unwrap().parse().unwrap());
        }
        child.kill().unwrap();
        child.wait().unwrap();

        // Before anything is written off: what the dead process left.
        let left = rusqlite::Connection::open(folder.path().join("hanok.db")).unwrap();
        let drawn: i64 = left
            .query_row("SELECT drawn FROM ledger WHERE account = 'project:p'", [], |row| row.get(0))
            .unwrap();
        drop(left);
        assert!(drawn >= promised, "{drawn} drawn of {promised} promised");

        let store = Store::open(folder.path(), Options::default()).unwrap();
        store.integrity_check().unwrap();
        block(async {
            let by_account: HashMap<String, (i64, u64)> = store
                .read(|conn| {
                    let mut statement = conn.prepare(
                        "SELECT t.seq, 'key:' || k.text, 'project:' || p.text
                         FROM traces t JOIN names k ON k.id = t.key_id JOIN names p ON p.id = t.project
                         ORDER BY t.seq",
                    )?;
                    let rows =
                        statement.query_map([], |row| Ok((row.get(0)?, [row.get(1)?, row.get(2)?])))?;
                    let traces: Vec<(i64, [String; 2])> = rows.collect::<Result<_, _>>()?;
                    let spans = spans::all(conn);
                    assert_eq!(spans.len(), traces.len());
                    let mut sums = HashMap::new();
                    for ((seq, accounts), (of, spans)) in traces.into_iter().zip(spans) {
                        assert_eq!((seq, spans.len()), (of, 2));
                        for account in accounts {
                            let sum: &mut (i64, u64) = sums.entry(account).or_default();
                            // The first is not counted.
                            sum.0 += spans[1].cost.unwrap().0;
                            sum.1 += 1;
                        }
                    }
                    Ok(sums)
                })
                .await
                .unwrap();
            assert!(by_account.contains_key("project:p"));
            // Nor is there an account that charges something no span accounts for.
            assert!(store.ledger().balances().await.unwrap().len() <= by_account.len());
            for (account, (cost, calls)) in by_account {
                let balance = store.ledger().balance(&charge(&account)).await.unwrap();
                assert_eq!(balance.spent, NanoDollars(cost), "{account}");
                assert_eq!(balance.calls, calls, "{account}");
                assert!(balance.used().0 >= balance.drawn.0, "{account}: an open slab counts as spent");
                traces = balance.calls;
            }
        });
    }
    assert!(traces > 0);
}
