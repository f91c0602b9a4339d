//! What was made of a trace goes with it: rows, answers, words of scores, items, and other traces.

use super::{batch, block, open, span, submit, trace_id};
use crate::datasets::{NewRow, content_hash};
use crate::evals::{Kept, NewExperiment, NewResult, ResultFilter, StoredAnswer};
use crate::{NewCheck, NewItem, NewQueue, Store, Target, check};
use hanok_base::{NanoDollars, Object, Timestamp, TraceId};
use serde_json::{Value, json};
use std::path::Path;

const SECRET: &str = "alice lives at 7 gravel road";

fn row(origin: Option<TraceId>, text: &str) -> NewRow {
    let mut sample =
        json!({"id": format!("row {text}"), "input": {"input": text}, "cluster": "alice's session"});
    if let Some(origin) = origin {
        sample["origin"] = format!("{origin}/00000000000000aa").into();
    }
    let body = sample.to_string();
    NewRow { hash: content_hash(body.as_bytes()), cluster: Some("alice's session".into()), body }
}

fn answer(number: u8, trace: Option<TraceId>) -> StoredAnswer {
    StoredAnswer {
        key: [number; 16],
        output: json!({"text": format!("{number}: {SECRET}")}).to_string(),
        cost: Some(NanoDollars(5)),
        latency_ns: 7,
        trace,
    }
}

fn result(row: i64, answer: u8, scoring: Option<TraceId>) -> NewResult {
    NewResult {
        row,
        repeat: 0,
        answer: Some([answer; 16]),
        error: None,
        cached: false,
        cost: NanoDollars(5),
        failed_cost: NanoDollars(0),
        scoring_cost: NanoDollars(1),
        scoring_trace: scoring,
        scores: json!({"polite": {"value": true, "why": SECRET, "cost": 1}}).to_string(),
    }
}

/// A version of three rows, of the traces 0 and 1 and of none, and an experiment over it whose answers are the traces 10,
/// 11 and 12 and whose scores the traces 20, 21 and 22.
pub(super) async fn evaluated(store: &Store) -> (i64, Vec<i64>) {
    let rows = [row(Some(trace_id(0)), SECRET), row(Some(trace_id(1)), "bob"), row(None, "nobody")];
    let hashes = rows.iter().map(|row| row.hash).collect();
    store.datasets().keep_rows(rows.to_vec()).await.unwrap();
    let version = store.datasets().make_version("liked", hashes, "{}", Timestamp(1)).await.unwrap();
    let new = NewExperiment {
        name: "e".into(),
        file: String::new(),
        spec: "{}".into(),
        spec_hash: [1; 16],
        task: "{}".into(),
        version: version.id,
        dataset: "liked".into(),
        rows: 3,
        repeats: 1,
        now: Timestamp(2),
    };
    let experiment = store.evals().begin(new).await.unwrap();
    let ids: Vec<i64> =
        store.datasets().rows(version.id, 0, 9).await.unwrap().iter().map(|row| row.id).collect();
    let mut kept = Vec::new();
    for (number, row) in (0_u8..).zip(&ids) {
        kept.push(Kept::Answer(answer(number, Some(trace_id(10 + u64::from(number))))));
        kept.push(Kept::Scores(
            [100 + number; 16],
            [number; 16],
            json!({"polite": {"value": true, "why": SECRET}}).to_string(),
        ));
        kept.push(Kept::Result(result(*row, number, Some(trace_id(20 + u64::from(number))))));
    }
    store.evals().keep(experiment, kept).await.unwrap();
    (experiment, ids)
}

async fn with_traces(store: &Store, numbers: impl Iterator<Item = u64>) {
    for number in numbers {
        let mut batch = batch(number, vec![span(1, None)]);
        batch.summary.user = (number == 0).then(|| "alice".into());
        submit(store, batch).await;
    }
    store.flush().await.unwrap();
}

fn is_whole(folder: &Path) {
    let checked = check(folder).unwrap();
    assert_eq!(checked.problems, Vec::<String>::new());
}

/// How often the text stands in a table of what is kept of evals.
async fn seen(store: &Store, text: &str) -> i64 {
    let pattern = format!("%{text}%");
    store
        .read(move |conn| {
            Ok(conn.query_row(
                "SELECT (SELECT count(*) FROM dataset_rows WHERE body LIKE ?1 OR cluster LIKE ?1)
                    + (SELECT count(*) FROM eval_answers WHERE output LIKE ?1)
                    + (SELECT count(*) FROM eval_scores WHERE scores LIKE ?1)
                    + (SELECT count(*) FROM eval_results WHERE scores LIKE ?1 OR error LIKE ?1)
                    + (SELECT count(*) FROM annotation_items WHERE content LIKE ?1)
                    + (SELECT count(*) FROM judge_checks WHERE report LIKE ?1)",
                [pattern],
                |row| row.get(0),
            )?)
        })
        .await
        .unwrap()
}

#[test]
fn rows_and_what_was_made_of_them_go_with_their_trace() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        with_traces(&store, [0, 1].into_iter().chain(10..13).chain(20..23)).await;
        let (experiment, ids) = evaluated(&store).await;
        is_whole(folder.path());
        let before = store.evals().measured(experiment, None, 9).await.unwrap();
        let removals = store.removals();
        let user = Target::User("alice".into());
        let seqs = removals.find(&user, None).await.unwrap();
        assert_eq!(seqs.len(), 1);
        let would = removals.count(&seqs).await.unwrap();
        let removed = removals.remove(&seqs).await.unwrap();
        assert_eq!(
            (would, removed.traces),
            (removed, 3),
            "her trace, and the calls of the eval with her words"
        );
        for (number, expect) in
            [(0, false), (10, false), (20, false), (1, true), (11, true), (21, true), (22, true)]
        {
            let found = store.traces().get(trace_id(number), crate::Bodies::None).await.unwrap();
            assert_eq!(found.is_some(), expect, "{number}");
        }
        // The version says what it lost, and keeps its name.
        let version = store.datasets().version("liked", "").await.unwrap().unwrap();
        assert_eq!((version.rows, version.lost), (2, 1));
        let left: Vec<i64> =
            store.datasets().rows(version.id, 0, 9).await.unwrap().iter().map(|row| row.id).collect();
        assert_eq!(left, ids[1..]);
        // Numbers stay as they were, words do not.
        let mut after = store.evals().measured(experiment, None, 9).await.unwrap();
        assert_eq!(after[0].scores, json!({"polite": {"value": true, "cost": 1}}).to_string());
        assert!(after[0].cluster.as_ref().is_some_and(|cluster| cluster.starts_with("removed ")));
        after[0].scores.clone_from(&before[0].scores);
        after[0].cluster.clone_from(&before[0].cluster);
        assert_eq!(after, before);
        assert_eq!(
            seen(&store, "gravel").await,
            6,
            "the other two answers and their scores, which the scripts made alike"
        );
        let page = store.evals().results(experiment, ResultFilter::All, None, 9).await.unwrap();
        assert_eq!(page.rows[0].trace, None);
        assert!(page.rows[0].sample.contains("removed") && !page.rows[0].sample.contains("alice"));
        assert_eq!(store.evals().answers(vec![[0; 16], [1; 16]]).await.unwrap().iter().flatten().count(), 1);
        is_whole(folder.path());
        // Who has the rows brings them back.
        let rows = [row(Some(trace_id(0)), SECRET), row(Some(trace_id(1)), "bob"), row(None, "nobody")];
        let hashes = rows.iter().map(|row| row.hash).collect();
        store.datasets().keep_rows(rows.to_vec()).await.unwrap();
        let again = store.datasets().make_version("liked", hashes, "{}", Timestamp(9)).await.unwrap();
        assert_eq!((again.id, again.hash, again.rows, again.lost), (version.id, version.hash, 3, 0));
        is_whole(folder.path());
        // An eval's own trace that goes alone takes its answer's text with it, and the row stays.
        removals
            .remove(&removals.find(&Target::Matching(Box::default()), None).await.unwrap())
            .await
            .unwrap();
        assert_eq!(
            seen(&store, "gravel").await,
            1,
            "the row that was brought back is of no trace that is there"
        );
        assert_eq!(store.datasets().version("liked", "").await.unwrap().unwrap().rows, 2);
        is_whole(folder.path());
        assert!(store.evals().remove(experiment).await.unwrap());
        is_whole(folder.path());
    });
}

#[test]
fn an_answer_to_a_row_that_was_removed_meanwhile_is_not_kept() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        with_traces(&store, 0..2).await;
        let (experiment, ids) = evaluated(&store).await;
        store.evals().remove(experiment).await.unwrap();
        let (experiment, _) = evaluated(&store).await;
        store.evals().forget_failed(experiment).await.unwrap();
        store.removals().remove(&[1]).await.unwrap();
        let late = NewResult { repeat: 1, ..result(ids[0], 50, None) };
        store.evals().keep(experiment, vec![Kept::Answer(answer(50, None))]).await.unwrap();
        store.evals().keep(experiment, vec![Kept::Result(late)]).await.unwrap();
        assert_eq!(store.evals().answers(vec![[50; 16]]).await.unwrap(), [None]);
        assert_eq!(store.evals().done(experiment).await.unwrap().len(), 3);
        is_whole(folder.path());
    });
}

#[test]
fn items_and_what_checks_tell_of_them_go_with_their_trace() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        with_traces(&store, 0..2).await;
        let new = NewQueue {
            project: String::new(),
            name: "q".into(),
            instructions: String::new(),
            scale: json!({"form": "binary", "labels": ["fail", "pass"]}),
            wanted: 1,
        };
        let queue = store.annotations(None).put_queue(new).await.unwrap().unwrap();
        let item = |number: u64| NewItem {
            key: format!("item {number}"),
            content: Object::from_iter([("answer".to_owned(), Value::from(SECRET))]),
            origin: Some((trace_id(number), None)),
            reason: "sampled".into(),
            ..NewItem::default()
        };
        store.annotations(None).add(queue.id, vec![item(0), item(1)]).await.unwrap();
        let told = |number: u64| json!({"item": format!("item {number}"), "answer": SECRET});
        let found = NewCheck {
            project: String::new(),
            judge: "j".into(),
            identity: "i".into(),
            queue: "q".into(),
            spec: json!({}),
            report: json!({"calibration": {"lenient": [told(0), told(1)], "labelled": 2}}),
        };
        store.judgements(None).keep_check(found).await.unwrap();
        store.removals().remove(&[1]).await.unwrap();
        let report = store.judgements(None).checks("j", 1).await.unwrap().remove(0).found.report;
        assert_eq!(report, json!({"calibration": {"lenient": [told(1)], "labelled": 2}}));
        store.removals().remove(&[2]).await.unwrap();
        assert_eq!(seen(&store, "gravel").await, 0);
        is_whole(folder.path());
    });
}

#[test]
fn traces_made_of_a_trace_go_with_it_even_after_a_crash() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        // A judgement of a judgement of 0, and one of 1.
        for (number, of) in [(0, None), (1, None), (2, Some(0)), (3, Some(2)), (4, Some(1))] {
            let mut batch = batch(number, vec![span(1, None)]);
            batch.summary.made_of = of.into_iter().map(trace_id).collect();
            submit(&store, batch).await;
        }
        store.flush().await.unwrap();
        let count = store.removals().count(&[1]).await.unwrap();
        assert_eq!(count.traces, 3);
        // As if the process had died after the first step.
        assert_eq!(store.removals().forget_without_sweep(&[1]).await.traces, 1);
        assert_eq!(store.traces().counts().await.unwrap().traces, 4);
        let removed = store.removals().remove(&[]).await.unwrap();
        assert_eq!(removed.traces, 2);
        for (number, expect) in [(1, true), (2, false), (3, false), (4, true)] {
            let found = store.traces().get(trace_id(number), crate::Bodies::None).await.unwrap();
            assert_eq!(found.is_some(), expect, "{number}");
        }
        is_whole(folder.path());
    });
}
