//! One run: found, compared, read and written batch by batch, while the index follows.

use super::batch::Batch;
use super::compare::{Compared, Comparison, Queue};
use super::report::merge;
use super::take::{Taker, cut_again};
use super::{BATCH_BYTES, BATCH_FILES, Cancel, Progress, REMOVED, SyncReport};
use crate::describe::UrlRules;
use crate::error::{LibraryError, blocking};
use crate::fetch::Fetched;
use crate::follow::Follower;
use crate::library::{Library, Shelf};
use crate::load::{self, Candidate, Found};
use crate::read::Reader;
use crate::settings::Settings;
use crate::way::Way;
use hanok_base::{CollectionName, SourceId};
use hanok_parse::Format;
use hanok_store::StoreError;
use hanok_store::documents::{Changes, Known, Origin, Stamp};
use parking_lot::Mutex;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};
use tokio::runtime::Handle;

/// How long a batch is gathered at most, so that the first documents are soon found.
const BATCH_TIME: Duration = Duration::from_millis(250);

pub(super) struct Run<'a> {
    pub(super) library: &'a Library,
    pub(super) name: &'a CollectionName,
    pub(super) shelf: &'a Arc<Shelf>,
    pub(super) settings: Arc<Settings>,
    pub(super) way: Way,
    /// Whether URLs are asked whether they changed.
    pub(super) asks_urls: bool,
    pub(super) progress: &'a dyn Progress,
    pub(super) cancel: &'a Cancel,
}

impl Run<'_> {
    /// The rest of a run: `comparison` has seen the files that were found. Whether nothing is to be tried again.
    pub(super) async fn run(
        &self,
        found: Found,
        mut comparison: Comparison,
    ) -> Result<(SyncReport, bool), LibraryError> {
        let mut report = SyncReport { unsupported: found.unsupported, ..SyncReport::default() };
        let mut unseen = found.unseen;
        let mut settled = unseen.is_empty();
        // Kept until the files in it are read.
        let fetched = self.fetch(&found.urls, &mut comparison, &mut unseen, &mut report).await?;
        let judged_by = self.library.judged_by();
        let Compared { queue, recut, mut changes, mut gone } = comparison.end(&unseen, &mut report);
        report.skipped.extend(found.skipped);
        let indexed = self.shelf.indexed.load(Ordering::Relaxed);
        self.shelf.found.store(report.unchanged + count(queue.len()), Ordering::Relaxed);
        if self.shelf.generation_asked().is_some() {
            self.shelf.indexed.store(report.unchanged.min(indexed), Ordering::Relaxed);
        }
        self.tell();

        let mut follower = Follower::new(self.library.store.clone(), self.shelf.clone());
        let mut queue = Some(queue);
        // What is gone goes last: what moved is found all the while, for a moment in both places.
        let deletes = std::mem::take(&mut changes.deletes);
        let mut ready = Batch { changes, ..Batch::default() };
        loop {
            // While one batch is written and indexed, the next is read.
            let (read, written) =
                tokio::join!(self.read(queue.take(), judged_by), self.write(&mut follower, ready.changes));
            written?;
            self.tell();
            settled &= !ready.unread;
            merge(&mut report, ready.report, &ready.new, &mut gone);
            let Some((batch, rest)) = read? else { break };
            ready = batch;
            queue = Some(rest);
        }
        drop(fetched);
        if !deletes.is_empty() {
            follower.follow(true).await?;
            self.write(&mut follower, Changes { deletes, ..Changes::default() }).await?;
        }
        self.recut(&mut follower, recut, &mut report).await?;
        report.cancelled = self.cancel.is_cancelled();
        report.deleted += count(gone.values().map(|times| usize::try_from(*times).unwrap_or(0)).sum());
        follower.follow(true).await?;
        follower.finish().await?;
        report.skipped.sort();
        report.notes.sort();
        settled &= !report.cancelled;
        Ok((report, settled))
    }

    /// Fetches URLs into a folder, as files to be compared.
    async fn fetch(
        &self,
        urls: &[String],
        comparison: &mut Comparison,
        unseen: &mut Vec<String>,
        report: &mut SyncReport,
    ) -> Result<Option<tempfile::TempDir>, LibraryError> {
        if urls.is_empty() || !self.asks_urls {
            unseen.extend(urls.iter().cloned());
            return Ok(None);
        }
        let path = std::env::temp_dir();
        let folder = tempfile::tempdir().map_err(|source| LibraryError::Path { path, source })?;
        let mut rules = UrlRules::new(&self.settings.metadata);
        for (at, url) in urls.iter().enumerate() {
            if self.cancel.is_cancelled() {
                unseen.push(url.clone());
                continue;
            }
            let ruled = rules.of(url);
            let (stamp, validator) = match comparison.known.get(url) {
                Some(Known::Skipped { judged_by: REMOVED, .. }) => {
                    unseen.push(url.clone());
                    continue;
                }
                Some(Known::Source { stamp, validator, described_by, .. }) => {
                    (Some(*stamp), validator.clone().filter(|_| *described_by == ruled.mark()))
                }
                _ => (None, None),
            };
            let fetched = match self.library.fetcher() {
                Some(fetcher) => fetcher.fetch(url, validator.as_deref()).await,
                None => Err("URLs are not fetched here".to_owned()),
            };
            let result = match fetched {
                Ok(fetched) => placed(folder.path(), at, fetched, stamp, validator),
                Err(reason) => Err(reason),
            };
            match result {
                Ok(file) => comparison.see(&Candidate {
                    path: url,
                    file: &file.file,
                    stamp: file.stamp,
                    origin: Origin::Url,
                    ruled: &ruled,
                    validator: file.validator.as_deref(),
                }),
                // What was fetched once stays until there is something else.
                Err(reason) => {
                    report.skipped.push((url.clone(), reason));
                    unseen.push(url.clone());
                }
            }
        }
        Ok(Some(folder))
    }

    /// Reads the next batch; `None` when there is nothing left, or no wish for it.
    async fn read(
        &self,
        queue: Option<Queue>,
        judged_by: u64,
    ) -> Result<Option<(Batch, Queue)>, LibraryError> {
        let Some(queue) = queue.filter(|queue| !queue.is_empty() && !self.cancel.is_cancelled()) else {
            return Ok(None);
        };
        let (name, cancel, way) = (self.name.clone(), self.cancel.clone(), self.way.clone());
        let runtime = Handle::current();
        let workshop = self.library.workshop();
        blocking(move || {
            let reader = Reader::new(workshop.as_deref());
            let taker = Taker { name: &name, way: &way, runtime: &runtime, reader: &reader, judged_by };
            let (begun, bytes) = (Instant::now(), AtomicUsize::new(0));
            let (queue, taken) = (Mutex::new(queue), AtomicUsize::new(0));
            let work = || -> Result<Batch, StoreError> {
                let mut batch = Batch::default();
                loop {
                    let is_full = taken.load(Ordering::Relaxed) >= BATCH_FILES
                        || bytes.load(Ordering::Relaxed) >= BATCH_BYTES
                        || (begun.elapsed() >= BATCH_TIME && taken.load(Ordering::Relaxed) > 0);
                    if is_full || cancel.is_cancelled() {
                        return Ok(batch);
                    }
                    let Some((file, known)) = queue.lock().pop_front() else { return Ok(batch) };
                    taken.fetch_add(1, Ordering::Relaxed);
                    let size = usize::try_from(file.stamp.size).unwrap_or(usize::MAX);
                    bytes.fetch_add(size.min(BATCH_BYTES), Ordering::Relaxed);
                    let path = file.path.clone();
                    let take = AssertUnwindSafe(|| taker.take(file, known.as_ref(), &mut batch));
                    // A fault of ours in one document is told of it, and costs no other.
                    if let Ok(taken) = catch_unwind(take) {
                        taken?;
                    } else {
                        batch.unread = true;
                        batch
                            .report
                            .skipped
                            .push((path, "reading it failed, which is a fault of Hanok".to_owned()));
                    }
                }
            };
            let batches: Vec<Result<Batch, StoreError>> = std::thread::scope(|scope| {
                let hands: Vec<_> = (1..reader.hands()).map(|_| scope.spawn(work)).collect();
                let own = work();
                let joined =
                    |hand: ScopedJoinHandle<'_, _>| hand.join().unwrap_or_else(|panic| resume_unwind(panic));
                hands.into_iter().map(joined).chain([own]).collect()
            });
            let mut whole = Batch::default();
            for batch in batches {
                whole.add(batch?);
            }
            Ok(Some((whole, queue.into_inner())))
        })
        .await?
    }

    async fn write(&self, follower: &mut Follower, changes: Changes) -> Result<(), LibraryError> {
        let skipped = count(changes.skipped.len());
        if !changes.is_empty() {
            self.library.store.documents().apply(self.shelf.id, changes).await?;
        }
        self.shelf.found.fetch_sub(skipped.min(self.shelf.found.load(Ordering::Relaxed)), Ordering::Relaxed);
        follower.follow(false).await
    }

    /// Cuts texts that are there in another way.
    async fn recut(
        &self,
        follower: &mut Follower,
        mut ids: Vec<(SourceId, u64)>,
        report: &mut SyncReport,
    ) -> Result<(), LibraryError> {
        let documents = self.library.store.documents();
        while !ids.is_empty() && !self.cancel.is_cancelled() {
            let (mut changes, mut bytes) = (Changes::default(), 0);
            while let Some((id, was_cut_by)) = ids.pop() {
                let Some(source) = documents.source(id).await? else { continue };
                bytes += source.text.len();
                let (way, runtime) = (self.way.clone(), Handle::current());
                let again = blocking(move || cut_again(source, &way, &runtime)).await??;
                // Where vectors cannot be had again, the words cut as they did.
                changes.upserts.extend(Some(again).filter(|again| again.cut_by != was_cut_by));
                if changes.upserts.len() >= BATCH_FILES || bytes >= BATCH_BYTES {
                    break;
                }
            }
            report.recut += count(changes.upserts.len());
            self.write(follower, changes).await?;
            self.tell();
        }
        Ok(())
    }

    fn tell(&self) {
        self.progress.update(self.library.coverage(self.name).unwrap_or_default());
    }
}

/// What was fetched, as a file.
struct Placed {
    file: PathBuf,
    stamp: Stamp,
    validator: Option<String>,
}

fn placed(
    folder: &Path,
    at: usize,
    fetched: Fetched,
    known: Option<Stamp>,
    known_by: Option<String>,
) -> Result<Placed, String> {
    match (fetched, known) {
        (Fetched::Document { bytes, name, validator }, _) => {
            if Format::of(&name, &bytes).is_none() {
                return Err(format!("this kind of document is not indexed: {name}"));
            }
            // The name may hold anything; what matters of it is its end.
            let extension = name.rsplit_once('.').map_or("txt", |(_, extension)| extension);
            let file = folder.join(format!("{at}.{extension}"));
            let put = std::fs::write(&file, &bytes).and_then(|()| std::fs::metadata(&file));
            let stamp = load::stamp(&put.map_err(|error| format!("it cannot be kept: {error}"))?);
            Ok(Placed { file, stamp, validator })
        }
        (Fetched::Unchanged, Some(stamp)) => Ok(Placed { file: PathBuf::new(), stamp, validator: known_by }),
        (Fetched::Unchanged, None) => {
            Err("the server says that it is unchanged, and it is not known".to_owned())
        }
    }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}
