//! A collection is what its files are, whatever happened in between.

use crate::house::{House, docs};
use hanok_base::SourceId;
use hanok_retrieval::{Cancel, Chunking, Progress, Rule, Settings, SyncReport, Watched};
use hanok_store::documents::NewChunk;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use tokio::sync::mpsc;

/// Small, and the same for every run of the test.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % most
    }
}

type Held = BTreeMap<String, (SourceId, String, Vec<NewChunk>)>;

/// All that a collection holds, by name.
async fn held(house: &House) -> Held {
    let mut held = Held::new();
    for summary in house.library.sources(&docs(), None, 10_000).await.unwrap() {
        let text = house.library.source(summary.id).await.unwrap().unwrap().text;
        let chunks = house.store.documents().chunks_of(summary.id).await.unwrap();
        let name = summary.path.strip_prefix("docs/").unwrap().to_owned();
        held.insert(name, (summary.id, text, chunks.into_iter().map(|(_, chunk)| chunk).collect()));
    }
    held
}

/// Cancels a run once some of it is searchable, as a kill would: what was written stays.
struct Killed(Cancel, AtomicU64);

impl Progress for Killed {
    fn update(&self, _: hanok_base::Coverage) {
        if self.1.fetch_sub(1, Ordering::Relaxed) <= 1 {
            self.0.cancel();
        }
    }
}

#[tokio::test]
async fn after_any_edits_it_is_as_a_fresh_index() {
    let mut dice = Dice(7);
    let mut house = House::new().await;
    let mut files: Vec<String> = Vec::new();
    let mut made = 0_usize;
    for round in 0..12 {
        for _ in 0..40 {
            match dice.below(10) {
                0..5 => {
                    let name = format!("f{}/d{made}.{}", dice.below(4), ["md", "txt", "py"][dice.below(3)]);
                    made += 1;
                    house.write(
                        &name,
                        format!("# D\n\nword{made} {}", "filler words. ".repeat(dice.below(200))),
                    );
                    files.push(name);
                }
                5 | 6 if !files.is_empty() => {
                    let name = &files[dice.below(files.len())];
                    house
                        .write(name, format!("edited{round} word{made} {}", "more. ".repeat(dice.below(99))));
                }
                7 if !files.is_empty() => {
                    let name = files.swap_remove(dice.below(files.len()));
                    std::fs::remove_file(house.docs().join(name)).unwrap();
                }
                8 if !files.is_empty() => {
                    let at = dice.below(files.len());
                    let to = format!("moved{made}/{}", files[at].rsplit('/').next().unwrap());
                    made += 1;
                    std::fs::create_dir_all(house.docs().join(&to).parent().unwrap()).unwrap();
                    std::fs::rename(house.docs().join(&files[at]), house.docs().join(&to)).unwrap();
                    files[at] = to;
                }
                _ => {}
            }
        }
        match dice.below(3) {
            // Cut short, in the middle of a run.
            0 => {
                let cancel = Cancel::default();
                let progress = Killed(cancel.clone(), AtomicU64::new(2));
                house.library.sync(&docs(), &[house.docs()], &progress, &cancel).await.unwrap();
            }
            // Dropped at whatever point it is.
            1 => {
                let library = house.library.clone();
                let (paths, name, cancel) = ([house.docs()], docs(), Cancel::default());
                let run = library.sync(&name, &paths, &(), &cancel);
                let _either = tokio::time::timeout(std::time::Duration::from_millis(9), run).await;
                house = house.reopened().await;
                // What the run had begun comes to its end on threads of its own; a process would have died with it.
                while let Err(error) =
                    house.library.sync(&docs(), &[house.docs()], &(), &Cancel::default()).await
                {
                    assert!(error.to_string().contains("somebody else"), "{error}");
                    tokio::task::yield_now().await;
                }
            }
            _ => drop(house.sync().await),
        }
    }
    house.library.catch_up().await.unwrap();
    house.sync().await;
    let again = house.sync().await;
    assert!(!again.has_changes() && again.read == 0, "{again:?}");

    let fresh = House::new().await;
    for name in &files {
        fresh.write(name, std::fs::read(house.docs().join(name)).unwrap());
    }
    fresh.sync().await;
    let (got, expect) = (held(&house).await, held(&fresh).await);
    assert_eq!(got.len(), files.len());
    let without_ids = |held: &Held| -> BTreeMap<String, (String, Vec<NewChunk>)> {
        held.iter().map(|(name, (_, text, chunks))| (name.clone(), (text.clone(), chunks.clone()))).collect()
    };
    assert_eq!(without_ids(&got), without_ids(&expect));
    let coverage = house.library.coverage(&docs()).unwrap();
    assert_eq!(usize::try_from(coverage.indexed).unwrap(), files.len());
    // No duplicate and no orphan in the index: every word finds as many hits in both.
    for at in 0..made {
        let query = format!("word{at}");
        let (one, other) = (house.hits(&query).await, fresh.hits(&query).await);
        assert_eq!(one.len(), other.len(), "{query}: {one:?}");
    }
}

/// Waits for what following tells, as long as a slow machine may take.
async fn until(told: &mut mpsc::UnboundedReceiver<Watched>, what: impl Fn(&Watched) -> bool) -> Watched {
    let wait = async {
        loop {
            let next = told.recv().await.expect("following goes on");
            if what(&next) {
                return next;
            }
        }
    };
    tokio::time::timeout(std::time::Duration::from_mins(1), wait).await.expect("nothing was told")
}

#[tokio::test]
async fn changes_are_followed() {
    let house = House::new().await;
    house.write("a.md", "The anchor.");
    house.write("sub/b.md", "The beacon.");
    let (sender, mut told) = mpsc::unbounded_channel();
    let cancel = Cancel::default();
    let following = tokio::spawn({
        let (library, paths, cancel) = (house.library.clone(), vec![house.docs()], cancel.clone());
        async move {
            let tell = move |watched| drop(sender.send(watched));
            library.watch(&docs(), &paths, &cancel, &tell).await;
        }
    });
    let changed = |expect: fn(&SyncReport) -> bool| move |watched: &Watched| matches!(watched, Watched::Changed(report) if expect(report));
    until(&mut told, changed(|report| report.added == 2)).await;
    let Watched::Following(folders) =
        until(&mut told, |watched| !matches!(watched, Watched::Changed(_))).await
    else {
        panic!("it is not followed");
    };
    assert_eq!(folders, 2);
    // Other settings are followed without a change of any file.
    let rule = Rule { readers: Some(vec!["crew".to_owned()]), ..Rule::default() };
    let chunking = Chunking { size: 100, ..Chunking::default() };
    let settings = Settings { chunking, metadata: vec![rule], ..Settings::default() };
    house.library.configure(&docs(), settings).await.unwrap();
    while let [first, ..] = &house.library.sources(&docs(), None, 1).await.unwrap()[..]
        && first.meta.readers != ["crew"]
    {
        tokio::task::yield_now().await;
    }
    house.write("c.md", "The cove.");
    until(&mut told, changed(|report| report.added == 1)).await;
    assert_eq!(house.files("cove").await, ["c.md"]);
    assert_eq!(house.library.coverage(&docs()).unwrap().found, 3);
    // What is ignored stays so where only what was touched is looked at.
    house.write("scratch.tmp.md", "The cape.");
    until(&mut told, changed(|report| report.added == 1)).await;
    house.write(".gitignore", "*.tmp.md\n");
    until(&mut told, changed(|report| report.deleted == 1 && report.unchanged == 3)).await;
    house.write("scratch.tmp.md", "The cape is windy.");
    house.write("c.md", "The cove is calm.");
    until(&mut told, changed(|report| report.changed == 1 && report.added == 0 && report.unchanged == 2))
        .await;
    assert_eq!(house.files("windy").await, [""; 0]);
    std::fs::rename(house.docs().join("c.md"), house.docs().join("sub/c.md")).unwrap();
    until(&mut told, changed(|report| report.moved == 1 && report.unchanged == 2)).await;
    std::fs::rename(house.docs().join("sub/c.md"), house.docs().join("c.md")).unwrap();
    until(&mut told, changed(|report| report.moved == 1)).await;
    // A run of somebody else's ends what was known of the rest.
    house.library.sync(&docs(), &[house.docs().join("a.md")], &(), &Cancel::default()).await.unwrap();
    house.write("c.md", "The cove is wide.");
    until(&mut told, changed(|report| report.added == 2 && report.unchanged == 1)).await;
    // A new folder, and what is written into it later.
    house.write("new/deep/d.md", "The dune.");
    until(&mut told, changed(|report| report.added == 1)).await;
    house.write("new/deep/d.md", "The dune is high.");
    until(&mut told, changed(|report| report.changed == 1)).await;
    std::fs::rename(house.docs().join("sub"), house.docs().join("renamed")).unwrap();
    until(&mut told, changed(|report| report.moved == 1)).await;
    std::fs::remove_dir_all(house.docs().join("renamed")).unwrap();
    until(&mut told, changed(|report| report.deleted == 1)).await;
    // A folder that comes back under a name that was watched before.
    house.write("renamed/e.md", "The estuary.");
    until(&mut told, changed(|report| report.added == 1)).await;
    house.write("renamed/e.md", "The estuary is wide.");
    until(&mut told, changed(|report| report.changed == 1)).await;
    cancel.cancel();
    following.await.unwrap();
    let names: Vec<PathBuf> = held(&house).await.into_keys().map(PathBuf::from).collect();
    assert_eq!(names, ["a.md", "c.md", "new/deep/d.md", "renamed/e.md"].map(PathBuf::from));
    let _kept: Arc<_> = house.library;
}

#[tokio::test]
async fn a_run_that_failed_is_tried_again() {
    let house = House::new().await;
    house.write("a.md", "The anchor.");
    let later = house.docs().join("later");
    let (sender, mut told) = mpsc::unbounded_channel();
    let cancel = Cancel::default();
    let following = tokio::spawn({
        let (library, paths, cancel) = (house.library.clone(), vec![later.clone()], cancel.clone());
        async move {
            let tell = move |watched| drop(sender.send(watched));
            library.watch(&docs(), &paths, &cancel, &tell).await;
        }
    });
    until(&mut told, |watched| matches!(watched, Watched::Failed(_))).await;
    // Nothing is watched that would tell of it.
    house.write("later/b.md", "The beacon.");
    until(&mut told, |watched| matches!(watched, Watched::Changed(report) if report.added == 1)).await;
    cancel.cancel();
    following.await.unwrap();
}
