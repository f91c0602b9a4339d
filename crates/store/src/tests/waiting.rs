//! How long what is handed over waits for its commit.

use super::{batch, block, open, span};
use hanok_base::{Charge, Settlement, Spent};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

/// Counts what is committed.
struct Committed(Arc<AtomicUsize>);

impl Settlement for Committed {
    fn charges(&self) -> &[Charge] {
        &[]
    }
    fn settle(self: Box<Self>, _: Spent, _: &[Charge]) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

#[test]
fn what_is_slow_to_make_holds_up_nothing_before_it_and_keeps_the_order() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let (committed, seen) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
    let (all_here, wait) = mpsc::channel::<()>();
    let mut wait = Some(wait);
    block(async {
        for number in 0..6 {
            let (wait, counter, seen) = (wait.take(), Arc::clone(&committed), Arc::clone(&seen));
            let build = move || {
                // The writer is at work until all others wait for it.
                wait.map(|wait| wait.recv());
                seen.lock().unwrap().push((number, counter.load(Ordering::SeqCst)));
                let began = Instant::now();
                while began.elapsed() < Duration::from_millis(25) {
                    std::hint::spin_loop();
                }
                vec![batch(number as u64, vec![span(1, None)])]
            };
            let place = store.admit().await.unwrap();
            place.submit(Box::new(build), 1_000, Some(Box::new(Committed(Arc::clone(&committed)))));
        }
        all_here.send(()).unwrap();
        store.flush().await.unwrap();
    });
    let expect: Vec<(usize, usize)> = (0..6).map(|number| (number, number)).collect();
    assert_eq!(*seen.lock().unwrap(), expect, "each is committed before the next is made");
    let health = store.health();
    assert!(health.longest_lag >= Duration::from_millis(150), "the last one waited for six: {health:?}");
    assert!(health.lag <= health.longest_lag && health.queued == 0, "{health:?}");
}

#[test]
fn nobody_is_admitted_while_the_writer_is_behind() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    let committed = Arc::new(AtomicUsize::new(0));
    let (go, wait) = mpsc::channel::<()>();
    block(async {
        let place = store.admit().await.unwrap();
        let settlement = Box::new(Committed(Arc::clone(&committed)));
        let build = move || {
            wait.recv().unwrap();
            vec![batch(0, vec![span(1, None)])]
        };
        place.submit(Box::new(build), 1_000, Some(settlement));
        while !store.is_behind() {
            tokio::task::yield_now().await;
        }
        let mut admission = std::pin::pin!(store.admit());
        let waits = tokio::time::timeout(Duration::from_millis(20), admission.as_mut()).await;
        assert!(waits.is_err(), "a call was admitted");
        go.send(()).unwrap();
        drop(admission.await.unwrap());
        assert_eq!(committed.load(Ordering::SeqCst), 1);
    });
}
