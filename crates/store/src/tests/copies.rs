//! Backups, what is put back, and what the check finds.

use super::{batch, block, open, span, submit, trace_id};
use crate::{BackupError, Bodies, Checked, Store, TextMark, backup, check, restore};
use rusqlite::Connection;
use std::path::Path;
use std::time::Duration;

fn fill(store: &Store, numbers: std::ops::Range<u64>) {
    block(async {
        for number in numbers {
            let mut batch = batch(number, vec![span(1, None), span(2, Some(1))]);
            // As rows, now and then.
            batch.summary.rooted = !number.is_multiple_of(5);
            submit(store, batch).await;
        }
        store.flush().await.unwrap();
    });
}

fn quietly(done: u64, all: u64) {
    assert!(done <= all);
}

fn good(folder: &Path) -> Checked {
    let checked = check(folder).unwrap();
    assert_eq!(checked.problems, Vec::<String>::new());
    checked
}

#[test]
fn a_copy_is_one_state_and_can_be_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let copies = tempfile::tempdir().unwrap();
    let to = copies.path().join("copy.db");
    let store = open(folder.path());
    fill(&store, 0..50);
    // While it is written.
    std::thread::scope(|scope| {
        let copying = scope.spawn(|| backup(folder.path(), &to, &mut quietly));
        fill(&store, 50..100);
        assert!(copying.join().unwrap().unwrap() > 0);
    });
    assert!(matches!(backup(folder.path(), &to, &mut quietly), Err(BackupError::Exists(_))));
    assert_eq!(std::fs::read_dir(copies.path()).unwrap().count(), 1, "nothing beside it");
    good(folder.path());

    let other = tempfile::tempdir().unwrap();
    let checked = restore(other.path(), &to, &mut quietly).unwrap();
    assert!((50..=100).contains(&checked.traces), "{checked:?}");
    let back = open(other.path());
    assert_eq!(block(back.traces().counts()).unwrap().traces, checked.traces);
    fill(&back, 200..210);
    back.close();

    // Over what is there, which was not closed well.
    store.close();
    restore(folder.path(), &to, &mut quietly).unwrap();
    let store = open(folder.path());
    assert_eq!(block(store.traces().counts()).unwrap().traces, checked.traces);
    let there = block(store.traces().get(trace_id(7), Bodies::All)).unwrap().unwrap();
    assert_eq!(there.spans.len(), 2);
    let names: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!names.iter().any(|name| name.to_string_lossy().contains("before")), "{names:?}");
}

#[test]
fn what_is_put_back_has_a_history_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let copy = folder.path().join("copy.db");
    let store = open(folder.path());
    fill(&store, 0..20);
    let name = hanok_base::CollectionName::from("handbook");
    block(store.documents().ensure_collection(&name, 17)).unwrap();
    backup(folder.path(), &copy, &mut quietly).unwrap();
    fill(&store, 20..40);
    let all = block(store.texts_since(TextMark::default(), Duration::ZERO)).unwrap();
    store.close();
    restore(folder.path(), &copy, &mut quietly).unwrap();
    let store = open(folder.path());
    // Others take the numbers of those that the copy knows nothing of.
    fill(&store, 50..80);
    let new = block(store.texts_since(all.mark, Duration::ZERO)).unwrap();
    assert!(new.afresh, "{:?} {:?}", all.mark, new.mark);
    assert_eq!(new.heads.len(), 50);
    assert_ne!(block(store.documents().collections()).unwrap()[0].epoch, 17);
}

#[test]
fn what_is_not_whole_is_not_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    fill(&store, 0..300);
    let good_copy = folder.path().join("good.db");
    backup(folder.path(), &good_copy, &mut quietly).unwrap();
    store.close();
    let bytes = std::fs::read(&good_copy).unwrap();
    let broken = folder.path().join("broken.db");
    let mut torn = bytes.clone();
    let middle = torn.len() / 2;
    torn[middle..middle + 4096].fill(0xa5);
    for bytes in [&torn[..], &bytes[..bytes.len() / 3], b"no database at all", b""] {
        std::fs::write(&broken, bytes).unwrap();
        let refused = restore(folder.path(), &broken, &mut quietly);
        assert!(refused.is_err(), "{} bytes", bytes.len());
        let store = open(folder.path());
        assert_eq!(block(store.traces().counts()).unwrap().traces, 300, "what was there stays");
        store.close();
        assert!(!folder.path().join("hanok.db.new").exists());
    }
    assert!(matches!(
        restore(folder.path(), &folder.path().join("none.db"), &mut quietly),
        Err(BackupError::Io { .. })
    ));
}

#[test]
fn a_damaged_file_can_be_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    fill(&store, 0..10);
    let copy = folder.path().join("copy.db");
    backup(folder.path(), &copy, &mut quietly).unwrap();
    store.close();
    std::fs::write(folder.path().join("hanok.db"), b"garbage").unwrap();
    restore(folder.path(), &copy, &mut quietly).unwrap();
    assert_eq!(block(open(folder.path()).traces().counts()).unwrap().traces, 10);
}

#[test]
fn the_check_finds_what_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    fill(&store, 0..40);
    block(async {
        store.removals().remove(&[3, 4, 5]).await.unwrap();
        let (experiment, _) = super::made::evaluated(&store).await;
        store
            .evals()
            .finish(experiment, crate::ExperimentState::Done, None, hanok_base::Timestamp(9))
            .await
            .unwrap();
        let queue = super::annotations::queue(&store.annotations(None), "q", 1).await;
        store.annotations(None).add(queue.id, vec![super::annotations::item("a")]).await.unwrap();
        let source = "hi".to_owned();
        let version = |name: &str| crate::PromptVersion {
            name: name.to_owned(),
            hash: crate::prompts::version_hash(&source, &std::collections::BTreeMap::new()),
            source: source.clone(),
            partials: std::collections::BTreeMap::new(),
            created: hanok_base::Timestamp(1),
            author: "file".to_owned(),
        };
        store.prompts().see(vec![version("greet"), version("part")]).await.unwrap();
    });
    let checked = good(folder.path());
    assert_eq!((checked.traces, checked.spans), (37, 74));
    store.close();
    let spoil = |sql: &str, expect: &str| {
        let copy = tempfile::tempdir().unwrap();
        std::fs::copy(folder.path().join("hanok.db"), copy.path().join("hanok.db")).unwrap();
        Connection::open(copy.path().join("hanok.db")).unwrap().execute_batch(sql).unwrap();
        let found = check(copy.path()).unwrap().problems;
        assert!(found.iter().any(|found| found.contains(expect)), "{sql}: {found:?}");
    };
    spoil("DELETE FROM packs WHERE first = (SELECT min(first) FROM packs)", "which is not there");
    spoil("UPDATE packs SET hashes = zeroblob(length(hashes))", "which is not there");
    spoil("UPDATE packs SET body = x'00', size = 5", "cannot be unpacked");
    spoil("UPDATE traces SET input_tokens = 1 WHERE seq = 9", "trace 9 says");
    spoil("DELETE FROM traces WHERE seq = 9", "spans of trace 9, which is not there");
    spoil("DELETE FROM span_packs", "trace 10 says");
    spoil("UPDATE minutes SET traces = traces + 1", "counted by the minute");
    spoil("INSERT INTO ledger (account, period, spent) VALUES ('key:a', '2026-11', -1)", "below zero");
    spoil("UPDATE traces SET user = 99 WHERE seq = 9", "do not fit");
    spoil(
        "UPDATE prompt_versions SET source = 'ho' WHERE name = 'greet'",
        "of the prompt `greet` is not what",
    );
    spoil("UPDATE prompt_labels SET version = 2 WHERE name = 'greet'", "stands at another prompt's version");
    spoil("UPDATE prompt_moves SET after = 2 WHERE name = 'greet'", "is of another prompt's version");
    spoil("UPDATE dataset_rows SET body = '{}' WHERE id = 1", "row 1 of a dataset is not what");
    spoil("UPDATE dataset_rows SET trace_id = NULL WHERE id = 1", "is not of the trace that it says");
    spoil("UPDATE dataset_rows SET removed = 1 WHERE id = 1", "row 1 was removed and is in a version");
    spoil("DELETE FROM dataset_members WHERE position = 1", "says 3 rows, and has 2");
    spoil(
        "UPDATE dataset_members SET row_id = 4 - row_id WHERE row_id <> 2",
        "has other rows than its hash says",
    );
    spoil(
        "UPDATE experiments SET done = 9",
        "experiment 1 says 9 results, 0 failed, and there are 3, 0 failed",
    );
    spoil("DELETE FROM eval_answers WHERE id = 2", "1 results of experiment 1 refer to answers");
    spoil(
        "UPDATE eval_answers SET removed = 1; UPDATE eval_results SET answer_id = NULL",
        "no result needs it",
    );
    spoil("UPDATE queues SET scale = '[]'", "the scale of the queue `q` cannot be read");
    spoil(
        "UPDATE annotation_items SET level = 7, state = 2",
        "1 levels in the queue `q` are none of its scale",
    );
    spoil("UPDATE annotation_items SET level = 1, state = 2", "is not where its labels say");
}
