//! Places in the writer's queue, reserved before work starts, so that handing over its records at the end is
//! synchronous and cannot fail.

use crate::error::StoreError;
use crate::row::TraceBatch;
use crate::writer::{Build, Job, Shared, TraceJob};
use hanok_base::Settlement;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::oneshot;

/// How long an admission waits for room or for a failing store to recover.
const PATIENCE: Duration = Duration::from_secs(2);

/// A reserved place in the writer's queue. Dropping it unused gives it back.
pub struct Place {
    /// `None` once used.
    shared: Option<Arc<Shared>>,
    /// Keeps the writer alive until the place is used. Dropped after `shared` was used.
    _store: Arc<dyn Send + Sync>,
}

/// The store takes no new work now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store cannot record new work: {reason}")]
pub struct Unavailable {
    /// Why, for people.
    pub reason: String,
}

impl Place {
    /// Hands over a trace's records. Neither blocks nor fails. `build` runs later, on the writer thread;
    /// `approx_bytes` is about how much memory it holds on to. The trace's cost is charged to the accounts of
    /// `settlement` in the transaction that commits it; then the settlement is told, on the writer thread.
    pub fn submit(mut self, build: Build, approx_bytes: usize, settlement: Option<Box<dyn Settlement>>) {
        let Some(shared) = self.shared.take() else { return };
        shared.queued_bytes.fetch_add(approx_bytes, Ordering::Relaxed);
        // The place itself is given back by the writer, after the commit.
        let job = Job::Trace(TraceJob { build, bytes: approx_bytes, settlement, told: None });
        if let Err(job) = shared.push(job, false) {
            shared.queued_bytes.fetch_sub(approx_bytes, Ordering::Relaxed);
            shared.places.add_permits(1);
            tracing::error!("a trace was handed over after the store was closed, and is lost");
            job.abandon();
        }
    }

    /// Hands over records and returns once they are on the disk, so that they survive a power cut; how many of
    /// them could not be stored. Those who wait at the same time share one commit. An error says that they are
    /// not on the disk yet: they may come to be there all the same, so that who sends them again must send the
    /// same ids.
    pub async fn submit_synced(
        mut self,
        batches: Vec<TraceBatch>,
        approx_bytes: usize,
    ) -> Result<usize, StoreError> {
        let Some(shared) = self.shared.take() else { return Err(StoreError::Closed) };
        let (told, answer) = oneshot::channel();
        shared.queued_bytes.fetch_add(approx_bytes, Ordering::Relaxed);
        let build: Build = Box::new(move || batches);
        let job = Job::Trace(TraceJob { build, bytes: approx_bytes, settlement: None, told: Some(told) });
        if shared.push(job, true).is_err() {
            shared.queued_bytes.fetch_sub(approx_bytes, Ordering::Relaxed);
            shared.places.add_permits(1);
            return Err(StoreError::Closed);
        }
        answer.await.map_err(|_| StoreError::Closed)?
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(shared) = self.shared.take() {
            shared.places.add_permits(1);
        }
    }
}

/// Reserves a place; `store` is kept alive by it.
pub(crate) async fn admit(shared: &Arc<Shared>, store: Arc<dyn Send + Sync>) -> Result<Place, Unavailable> {
    let place = |store| Place { shared: Some(Arc::clone(shared)), _store: store };
    if shared.gate_is_open()
        && let Ok(permit) = shared.places.try_acquire()
    {
        permit.forget();
        return Ok(place(store));
    }
    let waited = tokio::time::timeout(PATIENCE, async {
        loop {
            let room = shared.room.notified();
            tokio::pin!(room);
            // Registered before the check, so that no notification falls between the two.
            room.as_mut().enable();
            if shared.gate_is_open() {
                break;
            }
            room.await;
        }
        match shared.places.acquire().await {
            Ok(permit) => {
                permit.forget();
                true
            }
            Err(_closed) => false,
        }
    });
    match waited.await {
        Ok(true) => Ok(place(store)),
        Ok(false) => Err(Unavailable { reason: "the store is closed".to_owned() }),
        Err(_elapsed) => Err(Unavailable {
            reason: shared
                .trouble()
                .map_or_else(|| "it is busy and its queue is full".to_owned(), |trouble| trouble.reason),
        }),
    }
}
