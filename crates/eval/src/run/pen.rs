//! What is written, in groups: as much as came while the last group was committed.

use crate::keeper::{KeepError, Keeper};
use hanok_store::evals::Kept;
use std::future::Future;
use tokio::sync::mpsc;

/// Things that may wait to be written, before whoever makes more has to.
const WAITING: usize = 2048;
/// Things in one group.
const GROUP: usize = 1024;

/// Writes for one experiment. Cheap to clone; what was given is written once the last one is dropped.
#[derive(Clone)]
pub(super) struct Pen {
    sender: mpsc::Sender<Vec<Kept>>,
}

impl Pen {
    /// A pen, and what ends when everything is written.
    pub(super) fn start(
        keeper: Keeper,
        experiment: i64,
    ) -> (Self, impl Future<Output = Result<(), KeepError>>) {
        let (sender, mut receiver) = mpsc::channel::<Vec<Kept>>(WAITING);
        let writing = tokio::spawn(async move {
            let mut batch = Vec::new();
            while receiver.recv_many(&mut batch, GROUP).await > 0 {
                let kept: Vec<Kept> = batch.drain(..).flatten().collect();
                keeper.keep(experiment, kept).await?;
            }
            Ok(())
        });
        let written = async move {
            writing
                .await
                .unwrap_or_else(|error| Err(KeepError::Server(format!("writing was cut off: {error}"))))
        };
        (Self { sender }, written)
    }

    /// Takes something to be written. `false`: writing failed before, and nothing is written any more.
    pub(super) async fn write(&self, kept: Vec<Kept>) -> bool {
        self.sender.send(kept).await.is_ok()
    }
}
