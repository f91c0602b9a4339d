//! Words looked for in messages, by the index and where it has not come to yet.

use super::{block, call, house, whole_stream};
use hanok_base::{ResponseBytes, Timestamp};
use hanok_store::{Options, Store};
use hanok_trace::{Prices, TraceStore, parse_filter};
use std::sync::Arc;

async fn found(traces: &TraceStore, words: &str) -> Vec<String> {
    let filter = parse_filter(words, Timestamp::now()).unwrap();
    let mut ids = Vec::new();
    let mut cursor = None;
    loop {
        let page = traces.list(&filter, cursor.as_deref(), 2).await.unwrap();
        ids.extend(page.traces.into_iter().map(|trace| trace.trace_id));
        cursor = page.next;
        if cursor.is_none() {
            return ids;
        }
    }
}

#[test]
fn messages_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("index");
    let traces = house(&folder).with_texts(&index);
    block(async {
        let first = call(&traces, "one", ResponseBytes::Streamed(whole_stream()), None).await.to_string();
        let second =
            call(&traces, "two", ResponseBytes::None, Some("the upstream hung up")).await.to_string();
        traces.store().flush().await.unwrap();
        assert_eq!(traces.text_lag().await.unwrap().unwrap().traces_behind, 2);
        // Not indexed yet: what the list shows is looked through.
        assert_eq!(found(&traces, "환불은").await, [second.clone(), first.clone()]);
        assert_eq!(found(&traces, "delivered").await, [""; 0]);

        traces.catch_up_texts().await.unwrap();
        assert_eq!(traces.text_lag().await.unwrap().unwrap().traces_behind, 0);
        // A message that comes again is found where it came first.
        assert_eq!(found(&traces, "delivered").await, std::slice::from_ref(&first));
        assert_eq!(found(&traces, "환불").await, std::slice::from_ref(&first));
        assert_eq!(found(&traces, "안에").await, std::slice::from_ref(&first));
        // Names, models, keys and errors are beside them, and all words are meant.
        assert_eq!(found(&traces, "chat ci").await, [second.clone(), first.clone()]);
        assert_eq!(found(&traces, "upstream hung").await, std::slice::from_ref(&second));
        assert_eq!(found(&traces, "delivered upstream").await, [""; 0]);
        assert_eq!(found(&traces, "delivered status:error").await, [""; 0]);
        assert_eq!(found(&traces, "delivered model:one").await, std::slice::from_ref(&first));

        let third = call(&traces, "three", ResponseBytes::None, None).await.to_string();
        traces.store().flush().await.unwrap();
        assert_eq!(found(&traces, "chat").await, [third.clone(), second.clone(), first.clone()]);

        // A project sees its own only.
        assert_eq!(found(&traces.of(Some("shop".into())), "delivered").await, [""; 0]);

        // What is removed is found no more, and leaves the index.
        let trace =
            traces.list(&parse_filter("delivered", Timestamp::now()).unwrap(), None, 1).await.unwrap();
        traces.store().removals().remove(&[trace.traces[0].seq]).await.unwrap();
        assert_eq!(found(&traces, "delivered").await, [""; 0]);
        traces.catch_up_texts().await.unwrap();
        assert_eq!(found(&traces, "chat").await, [third, second]);
    });
}

#[test]
fn an_index_that_is_lost_is_built_again() {
    let folder = tempfile::tempdir().unwrap();
    let index = folder.path().join("index");
    let open = || {
        let store = Store::open(folder.path(), Options::default()).unwrap();
        TraceStore::new(store, Arc::new(Prices::builtin())).with_texts(&index)
    };
    block(async {
        let traces = open();
        let first = call(&traces, "one", ResponseBytes::None, None).await.to_string();
        traces.store().flush().await.unwrap();
        traces.catch_up_texts().await.unwrap();
        assert_eq!(found(&traces, "delivered").await, std::slice::from_ref(&first));
        traces.store().close();

        // As it was after a restart; then gone; then that of another file.
        assert_eq!(found_after(&open(), "delivered").await, std::slice::from_ref(&first));
        std::fs::remove_dir_all(&index).unwrap();
        let traces = open();
        traces.catch_up_texts().await.unwrap();
        assert_eq!(found_after(&traces, "delivered").await, std::slice::from_ref(&first));
        for file in ["hanok.db", "hanok.db-wal", "hanok.db-shm"] {
            let _gone = std::fs::remove_file(folder.path().join(file));
        }
        let traces = open();
        traces.catch_up_texts().await.unwrap();
        assert_eq!(found(&traces, "delivered").await, [""; 0]);
        let other = call(&traces, "two", ResponseBytes::None, None).await.to_string();
        traces.store().flush().await.unwrap();
        traces.catch_up_texts().await.unwrap();
        assert_eq!(found(&traces, "delivered").await, [other]);
    });
}

async fn found_after(traces: &TraceStore, words: &str) -> Vec<String> {
    let found = found(traces, words).await;
    traces.store().close();
    found
}
