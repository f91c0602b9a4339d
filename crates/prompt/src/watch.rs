//! Following the folder while serving: a served prompt is what its file says.

use crate::library::{Library, LibraryError};
use notify::{RecommendedWatcher, RecursiveMode, Watcher as _};
use std::future::Future;
use std::path::Path;
use std::time::Duration;
use tokio::sync::mpsc;

/// Changes that come this soon after one another are followed together: an editor writes more than once.
const QUIET: Duration = Duration::from_millis(50);
/// How often is looked anyway: for a folder that is not there yet, and file systems that tell nothing.
const LOOK_EVERY: Duration = Duration::from_secs(2);

impl Library {
    /// Follows the folder until `stop` is ready. `told` hears of each change that was followed, and of what went wrong.
    pub async fn watch(
        &self,
        stop: impl Future<Output = ()>,
        told: &(dyn Fn(Result<(), LibraryError>) + Send + Sync),
    ) {
        let (sender, mut changes) = mpsc::channel(1);
        let mut watcher = None;
        let mut failing = false;
        tokio::pin!(stop);
        loop {
            if watcher.is_none() {
                watcher = watched(self.folder(), &sender);
            } else if !self.folder().is_dir() {
                // What takes its place later is another folder.
                watcher = None;
            }
            match self.refresh().await {
                Ok(changed) => {
                    if changed || failing {
                        told(Ok(()));
                    }
                    failing = false;
                }
                Err(error) => {
                    // It is said once, not at each look.
                    if !failing {
                        told(Err(error));
                    }
                    failing = true;
                }
            }
            tokio::select! {
                () = &mut stop => return,
                _ = changes.recv() => {
                    tokio::time::sleep(QUIET).await;
                    while changes.try_recv().is_ok() {}
                }
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }
}

fn watched(folder: &Path, sender: &mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let sender = sender.clone();
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
        // Reading the folder is an event, too. Where one is noted already, another says nothing more.
        if event.is_ok_and(|event| !event.kind.is_access()) {
            let _ = sender.try_send(());
        }
    })
    .ok()?;
    watcher.watch(folder, RecursiveMode::Recursive).ok()?;
    Some(watcher)
}
