//! Following changes while serving: whatever changes in a folder of a collection, the collection is brought up to
//! date by the same run as always. What is watched are folders, not files, and only those that were looked into,
//! so that a `node_modules` costs nothing. Where a file system tells nothing of its changes, or no more folders can
//! be watched, it is looked at from time to time instead.

use crate::error::LibraryError;
use crate::library::{Library, Shelf};
use crate::sync::{Cancel, Ground, Survey, SyncReport};
use crate::touched::Touched;
use futures_util::FutureExt as _;
use hanok_base::CollectionName;
use notify::event::{AccessKind, AccessMode, ModifyKind};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// Changes that come this soon after one another are followed together.
const QUIET: Duration = Duration::from_millis(200);
/// A change is followed after this time even if they do not end.
const AT_MOST: Duration = Duration::from_secs(2);
/// How often is looked where nothing tells of changes.
const LOOK_EVERY: Duration = Duration::from_secs(10);
/// When a run that failed is tried again; each failure more doubles it, up to 64 times.
const RETRY: Duration = Duration::from_secs(2);
/// How often URLs are asked whether they changed.
const ASK_EVERY: Duration = Duration::from_hours(1);
/// Of the time between two runs, how much one may take: a part in so many.
const SHARE: u32 = 4;

/// File systems that tell nothing of what other machines change.
const REMOTE: [&str; 14] = [
    "nfs",
    "nfs4",
    "cifs",
    "smb3",
    "smbfs",
    "9p",
    "afs",
    "ceph",
    "glusterfs",
    "lustre",
    "vboxsf",
    "virtiofs",
    "fuse.sshfs",
    "fuse.rclone",
];

/// What following a collection tells.
#[derive(Debug)]
pub enum Watched {
    /// So many folders are watched.
    Following(usize),
    /// They cannot be watched, for this reason; so often is looked instead.
    Looking {
        /// Why.
        reason: String,
        /// How often.
        every: Duration,
    },
    /// Something changed and was followed.
    Changed(SyncReport),
    /// A run failed; it is tried again soon, then ever less often, and at the next change.
    Failed(LibraryError),
}

impl Library {
    /// Keeps a collection like the documents under `paths` until it is cancelled: brings it up to date, and again
    /// whenever something changes. `told` hears of it from the future's own task.
    pub async fn watch(
        &self,
        collection: &CollectionName,
        paths: &[PathBuf],
        cancel: &Cancel,
        told: &(dyn Fn(Watched) + Send + Sync),
    ) {
        let mut eyes = Eyes::open();
        let (mut said, mut footing) = (None, None);
        let mut failures: u32 = 0;
        let mut skipped: Option<BTreeSet<(String, String)>> = None;
        while !cancel.is_cancelled() {
            let begun = Instant::now();
            let shelf = self.shelf(collection);
            // What was set until now holds for this run.
            let _said = resettled(shelf.as_deref()).now_or_never();
            let asks = eyes.asks();
            let touched = eyes.touched().filter(|_| !asks).zip(footing.take());
            match self.survey(collection, paths, touched, asks, &(), cancel).await {
                Ok(Survey { report, ground, footing: left }) => {
                    failures = 0;
                    // What is not taken any more, such as rules with a mistake, is news, too.
                    let known = skipped.as_ref();
                    let has_news =
                        known.is_some_and(|known| report.skipped.iter().any(|file| !known.contains(file)));
                    if ground.is_some() {
                        skipped = None;
                    }
                    skipped.get_or_insert_default().extend(report.skipped.iter().cloned());
                    if report.has_changes() || has_news {
                        told(Watched::Changed(report));
                    }
                    // What changed in a folder before it was watched is seen by going once more.
                    if !cancel.is_cancelled() && ground.is_some_and(|ground| eyes.look_at(&ground)) {
                        continue;
                    }
                    footing = left;
                }
                Err(error) => {
                    failures += 1;
                    told(Watched::Failed(error));
                }
            }
            let state = eyes.state();
            if said != Some(std::mem::discriminant(&state)) {
                said = Some(std::mem::discriminant(&state));
                told(match state {
                    State::Following(folders) => Watched::Following(folders),
                    State::Looking(reason) => Watched::Looking { reason, every: LOOK_EVERY },
                });
            }
            tokio::select! {
                () = eyes.wait(begun.elapsed(), cancel) => {}
                // Nothing tells that a disk has room again, or that a folder is back.
                () = tokio::time::sleep(after(failures)), if failures > 0 => {}
                // Rules say who may read: they do not wait for a file to change.
                () = resettled(shelf.as_deref()) => {}
            }
        }
    }
}

/// Until a collection's settings are others.
async fn resettled(shelf: Option<&Shelf>) {
    match shelf {
        Some(shelf) => shelf.resettled.notified().await,
        None => std::future::pending().await,
    }
}

/// How long after so many failures in a row another try is made.
fn after(failures: u32) -> Duration {
    RETRY.saturating_mul(1 << failures.saturating_sub(1).min(6))
}

/// How changes are noticed now.
enum State {
    Following(usize),
    Looking(String),
}

/// What notices changes.
struct Eyes {
    /// `None` where nothing can be watched, with the reason below.
    watcher: Option<RecommendedWatcher>,
    blind: String,
    watched: BTreeSet<PathBuf>,
    /// What happened since it was looked at last.
    news: Arc<Mutex<News>>,
    /// What went or was renamed: a folder is watched no more then, whatever stands in its place.
    gone: Vec<PathBuf>,
    changes: mpsc::Receiver<()>,
    has_urls: bool,
    /// When URLs were asked last.
    asked: Option<Instant>,
}

/// What the system told.
#[derive(Default)]
struct News {
    /// Paths at which something happened.
    touched: Touched,
    /// Those of them from which something went.
    gone: Vec<PathBuf>,
    /// Whether it may mean more than these.
    more: bool,
}

impl News {
    fn hear(&mut self, event: Event) {
        let goes = matches!(event.kind, EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)));
        if goes {
            self.gone.extend(event.paths.iter().cloned());
        }
        self.more |= event.need_rescan() || event.paths.is_empty();
        for path in event.paths {
            self.more |= self.more || !self.touched.add(path);
        }
    }
}

impl Eyes {
    fn open() -> Self {
        let (sender, changes) = mpsc::channel(1);
        let news = Arc::new(Mutex::new(News::default()));
        let heard = news.clone();
        let watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
            let counts = event.as_ref().map_or(true, is_change);
            match event {
                Ok(event) if counts => heard.lock().hear(event),
                Ok(_) => {}
                // An error means that something was missed.
                Err(_) => heard.lock().more = true,
            }
            if counts {
                // Full means that somebody is told already.
                let _told = sender.try_send(());
            }
        });
        let (watcher, blind) = match watcher {
            Ok(watcher) => (Some(watcher), String::new()),
            Err(error) => (None, error.to_string()),
        };
        Self {
            watcher,
            blind,
            watched: BTreeSet::new(),
            news,
            gone: Vec::new(),
            changes,
            has_urls: false,
            asked: None,
        }
    }

    /// Whether it is time to ask URLs whether they changed.
    fn asks(&mut self) -> bool {
        let due = self.asked.is_none_or(|at| at.elapsed() >= ASK_EVERY);
        if due {
            self.asked = Some(Instant::now());
        }
        due
    }

    /// What was touched since this was asked last; `None` where anything may have changed.
    fn touched(&mut self) -> Option<Touched> {
        let News { touched, gone, more } = std::mem::take(&mut *self.news.lock());
        let clear = !more && self.watcher.is_some();
        // What happens to a folder happens to what is below it, and those come next in this order.
        let leads = |path: &Path| {
            self.watched
                .range::<Path, _>((Bound::Included(path), Bound::Unbounded))
                .next()
                .is_some_and(|folder| folder.starts_with(path))
        };
        if clear && !touched.iter().any(|path| leads(path) || path.is_dir()) {
            return Some(touched);
        }
        self.gone.extend(gone);
        None
    }

    fn state(&self) -> State {
        match &self.watcher {
            Some(_) => State::Following(self.watched.len()),
            None => State::Looking(self.blind.clone()),
        }
    }

    /// Watches these folders and no others. Whether there were new ones.
    fn look_at(&mut self, ground: &Ground) -> bool {
        self.has_urls = ground.has_urls;
        let Some(watcher) = &mut self.watcher else { return false };
        let mounts = std::fs::read_to_string("/proc/self/mounts").unwrap_or_default();
        if let Some((folder, kind)) = remote(&mounts, &ground.folders) {
            self.blind =
                format!("{} is on a file system ({kind}) that tells nothing of changes", folder.display());
            self.watcher = None;
            return false;
        }
        for gone in self.gone.drain(..) {
            self.watched.retain(|folder| !folder.starts_with(&gone));
        }
        let old: Vec<PathBuf> =
            self.watched.iter().filter(|folder| !ground.folders.contains(*folder)).cloned().collect();
        for folder in old {
            // It may be gone altogether.
            let _unknown = watcher.unwatch(&folder);
            self.watched.remove(&folder);
        }
        let mut has_new = false;
        for folder in &ground.folders {
            if self.watched.contains(folder) {
                continue;
            }
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => {
                    self.watched.insert(folder.clone());
                    has_new = true;
                }
                Err(error) if matches!(error.kind, notify::ErrorKind::PathNotFound) || !folder.exists() => {}
                Err(error) => {
                    self.blind = match error.kind {
                        notify::ErrorKind::MaxFilesWatch => {
                            "the system lets no more folders be watched (fs.inotify.max_user_watches)"
                                .to_owned()
                        }
                        _ => format!("{} cannot be watched: {error}", folder.display()),
                    };
                    self.watcher = None;
                    self.watched.clear();
                    return false;
                }
            }
        }
        has_new
    }

    /// Until there is something to look for, after a run that took `cost`.
    async fn wait(&mut self, cost: Duration, cancel: &Cancel) {
        let rest = cost.saturating_mul(SHARE);
        if self.watcher.is_none() {
            let every = LOOK_EVERY.max(rest);
            tokio::select! {
                () = tokio::time::sleep(every) => {}
                () = cancel.cancelled() => {}
            }
            return;
        }
        let since = self.asked.map_or(ASK_EVERY, |at| at.elapsed());
        let asked = async {
            if self.has_urls {
                tokio::time::sleep(ASK_EVERY.saturating_sub(since)).await;
            } else {
                std::future::pending::<()>().await;
            }
        };
        let ended = Instant::now();
        tokio::select! {
            _ = self.changes.recv() => {}
            () = asked => return,
            () = cancel.cancelled() => return,
        }
        let first = Instant::now();
        let earliest = ended + rest;
        while first.elapsed() < AT_MOST || Instant::now() < earliest {
            let left = earliest.saturating_duration_since(Instant::now()).max(QUIET);
            tokio::select! {
                more = tokio::time::timeout(left, self.changes.recv()) => {
                    if more.is_err() {
                        return;
                    }
                }
                () = cancel.cancelled() => return,
            }
        }
    }
}

/// Whether an event may mean another document. Reading is none, and within `.git` only what says which files are
/// tracked and checked out.
fn is_change(event: &Event) -> bool {
    match event.kind {
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => {}
        EventKind::Access(_) => return false,
        _ => {}
    }
    let counts = |path: &PathBuf| {
        let in_git = path.iter().any(|part| part == ".git");
        !in_git || path.file_name().is_some_and(|name| name == "index" || name == "HEAD")
    };
    event.need_rescan() || event.paths.is_empty() || event.paths.iter().any(counts)
}

/// The first of these folders that is on a file system without news, and its kind, by the lines of `/proc/mounts`.
fn remote<'a>(mounts: &str, folders: &'a BTreeSet<PathBuf>) -> Option<(&'a Path, String)> {
    let mounts: Vec<(PathBuf, &str)> = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            // Spaces are written as octal.
            let point = fields.next()?.replace("\\040", " ");
            Some((PathBuf::from(point), fields.next()?))
        })
        .collect();
    if !mounts.iter().any(|(_, kind)| REMOTE.contains(kind)) {
        return None;
    }
    folders.iter().find_map(|folder| {
        let on = mounts.iter().filter(|(point, _)| folder.starts_with(point));
        // Of two on one place the later one is seen.
        let (_, kind) = on.max_by_key(|(point, _)| point.components().count())?;
        REMOTE.contains(kind).then(|| (folder.as_path(), (*kind).to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_on_other_machines_are_known() {
        let mounts = "/dev/sda1 / ext4 rw 0 0\nhost:/x /mnt/my\\040share nfs4 rw 0 0\ntmpfs /mnt/my\\040share/t tmpfs rw 0 0\n";
        let check = |folder: &str, expect: Option<&str>| {
            let folders = BTreeSet::from([PathBuf::from("/home"), PathBuf::from(folder)]);
            let got = remote(mounts, &folders).map(|(_, kind)| kind);
            assert_eq!(got.as_deref(), expect, "{folder}");
        };
        check("/mnt/my share/docs", Some("nfs4"));
        check("/mnt/my share/t/docs", None);
        check("/mnt/my", None);
    }

    #[test]
    fn reading_is_no_change() {
        let event = |kind, path: &str| Event::new(kind).add_path(PathBuf::from(path));
        let write = EventKind::Access(AccessKind::Close(AccessMode::Write));
        assert!(is_change(&event(write, "/a/b.md")));
        assert!(!is_change(&event(EventKind::Access(AccessKind::Open(AccessMode::Any)), "/a/b.md")));
        assert!(is_change(&event(EventKind::Remove(notify::event::RemoveKind::File), "/a/b.md")));
        assert!(is_change(&event(write, "/a/.git/index")));
        assert!(!is_change(&event(write, "/a/.git/index.lock")));
    }
}
