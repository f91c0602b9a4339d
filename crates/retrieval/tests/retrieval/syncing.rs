//! A collection follows its files.

use crate::house::{House, docs};
use hanok_base::{CallContext, Coverage, RetrievalError, Retriever, SearchQuery};
use hanok_retrieval::{Cancel, LibraryError, Progress};
use parking_lot::Mutex;
use std::path::PathBuf;

#[tokio::test]
async fn what_is_new_changed_moved_or_gone_is_followed() {
    let house = House::new().await;
    house.write("a.md", "# Apples\n\nThe apple is a fruit.");
    house.write("sub/b.txt", "Bananas are yellow.");
    house.write("c.md", "Cherries are red.");
    let report = house.sync().await;
    assert_eq!((report.added, report.read, report.unchanged), (3, 3, 0), "{report:?}");
    assert_eq!(house.files("apple").await, ["a.md"]);
    assert_eq!(house.files("yellow bananas").await, ["b.txt"]);

    // Nothing to do: no file is read, nothing is written.
    let mark = || std::fs::read(house.folder.path().join("data/index/1/meta.json")).unwrap();
    let before = mark();
    let report = house.sync().await;
    assert_eq!((report.unchanged, report.read, report.added), (3, 0, 0), "{report:?}");
    assert_eq!(mark(), before);

    // New times, same bytes: read, not indexed.
    house.write("c.md", "Cherries are red.");
    std::fs::File::options()
        .write(true)
        .open(house.docs().join("c.md"))
        .unwrap()
        .set_modified(std::time::UNIX_EPOCH)
        .unwrap();
    let report = house.sync().await;
    assert_eq!((report.unchanged, report.read, report.changed), (3, 1, 0), "{report:?}");
    assert_eq!(mark(), before);

    house.write("a.md", "# Apricots\n\nThe apricot is a fruit too.");
    std::fs::rename(house.docs().join("sub/b.txt"), house.docs().join("moved.txt")).unwrap();
    std::fs::remove_file(house.docs().join("c.md")).unwrap();
    let report = house.sync().await;
    assert_eq!((report.changed, report.moved, report.deleted, report.added), (1, 1, 1, 0), "{report:?}");
    assert_eq!(house.files("apple").await, [""; 0]);
    assert_eq!(house.files("apricot").await, ["a.md"]);
    assert_eq!(house.files("bananas").await, ["moved.txt"]);
    assert_eq!(house.files("cherries").await, [""; 0]);
    assert_eq!(house.library.coverage(&docs()), Some(Coverage { indexed: 2, found: 2, indexing: false }));
}

#[tokio::test]
async fn hits_name_their_bytes_and_headings() {
    let house = House::new().await;
    house.write(
        "가이드.md",
        "\u{feff}# 설치\n\n한옥을 설치합니다.\n\n## 리눅스\n\n패키지 관리자를 씁니다.\r\n",
    );
    house.sync().await;
    let hits = house.hits("패키지 관리자").await;
    let hit = &hits[0];
    assert_eq!((hit.heading.as_str(), hit.text.as_str()), ("설치 > 리눅스", "패키지 관리자를 씁니다."));
    assert!(hit.source.ends_with("docs/가이드.md"), "{}", hit.source);
    let source = house.library.source(hit.source_id).await.unwrap().unwrap();
    assert_eq!(&source.text[hit.start..hit.end], hit.text);
    assert_eq!(source.summary.title, "설치");
    assert!(source.text.starts_with("# 설치"), "no byte order mark");
    assert_eq!(house.hits("씁").await.len(), 1, "a single syllable finds the words it begins");
}

#[tokio::test]
async fn what_cannot_be_taken_is_named_and_the_rest_goes_on() {
    let house = House::new().await;
    house.write("good.md", "good text");
    house.write("latin1.txt", b"caf\xe9 au lait");
    house.write("binary.txt", b"\0\x01\x02");
    house.write("empty.txt", " \n");
    house.write("report.pdf", b"%PDF-1.7 and so on");
    house.write("picture.PNG", b"png");
    house.write("README", "read me");
    house.write(".env", "KEY=secret");
    house.write(".env.md", "KEY=secret");
    house.write(".hidden.md", "hidden");
    house.write("server.pem", "secret");
    house.write("node_modules/x/readme.md", "module");
    house.write(".hanok/notes.md", "own");
    house.write("ignored.md", "ignored");
    house.write(".gitignore", "ignored.md\n");
    std::os::unix::fs::symlink(house.docs(), house.docs().join("loop")).unwrap();
    std::os::unix::fs::symlink(house.docs().join("good.md"), house.docs().join("link.md")).unwrap();
    std::fs::create_dir(house.docs().join("folder.md")).unwrap();
    let check = |report: &hanok_retrieval::SyncReport| {
        let names: Vec<(&str, &str)> = report
            .skipped
            .iter()
            .map(|(path, reason)| (path.rsplit('/').next().unwrap(), reason.as_str()))
            .collect();
        assert_eq!(
            names,
            [
                ("binary.txt", "it is no valid text: it is binary, or in an encoding that cannot be told"),
                ("empty.txt", "there is no text in it"),
                ("link.md", "it is a symbolic link"),
                ("report.pdf", "PDF needs a parser, which is not there"),
                ("server.pem", "it may hold secrets"),
            ]
        );
        let unsupported: Vec<(&str, u64)> =
            report.unsupported.iter().map(|(kind, n)| (kind.as_str(), *n)).collect();
        assert_eq!(unsupported, [("", 1), ("png", 1)], "`loop` is a link without extension");
    };
    let report = house.sync().await;
    check(&report);
    assert_eq!(report.added, 3);
    assert_eq!(report.notes.len(), 1, "{report:?}");
    assert_eq!(house.files("café").await, ["latin1.txt"]);
    assert_eq!(house.files("good text").await, ["good.md"]);
    assert_eq!(house.files("secret ignored module hidden own").await, [""; 0]);
    // Told again, not read again.
    let report = house.sync().await;
    check(&report);
    assert_eq!(report.read, 0);
    assert_eq!(house.library.skipped(&docs()).await.unwrap().len(), 3);
    // A file that was good and is not any more is gone from the search.
    house.write("good.md", b"\0");
    let report = house.sync().await;
    assert_eq!((report.deleted, report.unchanged), (1, 2), "{report:?}");
    assert_eq!(house.files("good text").await, [""; 0]);
}

#[tokio::test]
async fn paths_may_be_files_folders_and_globs() {
    let house = House::new().await;
    house.write("a.md", "alpha");
    house.write("b.txt", "beta");
    house.write("sub/c.md", "gamma");
    let docs = house.docs();
    let report = house.sync_paths(&[docs.join("*.md")]).await;
    assert_eq!(report.added, 1);
    let report = house.sync_paths(&[docs.join("**/*.md")]).await;
    assert_eq!((report.added, report.unchanged), (1, 1), "{report:?}");
    // What is named twice is there once.
    let report = house.sync_paths(&[docs.clone(), docs.join("sub"), docs.join("b.txt")]).await;
    assert_eq!((report.added, report.unchanged, report.deleted), (1, 2, 0), "{report:?}");
    let report = house.sync_paths(&[docs.join("b.txt")]).await;
    assert_eq!((report.unchanged, report.deleted), (1, 2), "{report:?}");

    let failed = |paths: Vec<PathBuf>| {
        let library = house.library.clone();
        async move { library.sync(&"docs".into(), &paths, &(), &Cancel::default()).await.unwrap_err() }
    };
    assert!(matches!(failed(vec![docs.join("none")]).await, LibraryError::NoSuchPath(_)));
    assert!(matches!(failed(vec![docs.join("*.rst")]).await, LibraryError::NothingMatches(_)));
    assert_eq!(house.files("beta").await, ["b.txt"], "an error changes nothing");

    std::fs::create_dir(docs.join("empty")).unwrap();
    assert!(house.sync_paths(&[docs.join("empty")]).await.is_empty());
}

#[tokio::test]
async fn a_lost_index_is_built_again_from_the_store() {
    let house = House::new().await;
    for at in 0..600 {
        house.write(&format!("d{at}.txt"), format!("document number{at} of many"));
    }
    house.sync().await;
    std::fs::remove_file(house.docs().join("d7.txt")).unwrap();
    house.sync().await;
    std::fs::remove_dir_all(house.folder.path().join("data/index")).unwrap();
    let house = house.reopened().await;
    assert_eq!(house.library.coverage(&docs()).unwrap().indexed, 0);
    assert_eq!(house.files("number5").await, [""; 0]);
    house.library.catch_up().await.unwrap();
    assert_eq!(house.files("number5").await, ["d5.txt"]);
    assert_eq!(house.files("number7").await, [""; 0]);
    assert_eq!(house.library.coverage(&docs()), Some(Coverage { indexed: 599, found: 599, indexing: false }));
    let report = house.sync().await;
    assert_eq!((report.unchanged, report.read), (599, 0));
}

#[tokio::test]
async fn an_index_behind_the_store_catches_up() {
    let house = House::new().await;
    house.write("a.md", "alpha");
    house.write("b.md", "beta");
    house.sync().await;
    // As after a kill between the store's commit and the index's: the index is one generation behind.
    let data = house.folder.path().join("data/index");
    let kept = house.folder.path().join("kept");
    copy(&data, &kept);
    house.write("b.md", "better");
    std::fs::remove_file(house.docs().join("a.md")).unwrap();
    house.sync().await;
    std::fs::remove_dir_all(&data).unwrap();
    copy(&kept, &data);
    let house = house.reopened().await;
    assert_eq!(house.files("alpha").await, [""; 0], "a hit without a row is dropped");
    house.library.catch_up().await.unwrap();
    assert_eq!(house.files("better").await, ["b.md"]);
    assert_eq!(house.files("alpha beta").await, [""; 0]);
}

/// As after a power cut that took the database's last commits and not the index's, or a restored database.
#[tokio::test]
async fn an_index_ahead_of_the_store_is_set_back() {
    let house = House::new().await;
    house.write("a.md", "alpha");
    house.sync().await;
    let house = house.reopened().await;
    let data = house.folder.path().join("data");
    let names = ["hanok.db", "hanok.db-wal"];
    let kept: Vec<Option<Vec<u8>>> = names.iter().map(|name| std::fs::read(data.join(name)).ok()).collect();
    std::fs::remove_file(house.docs().join("a.md")).unwrap();
    house.write("b.md", "beta");
    house.sync().await;
    assert_eq!(house.files("beta").await, ["b.md"]);

    let House { library, store, folder } = house;
    drop(library);
    store.close();
    drop(store);
    for name in ["hanok.db", "hanok.db-wal", "hanok.db-shm"] {
        let _not_there = std::fs::remove_file(data.join(name));
    }
    for (name, bytes) in names.iter().zip(kept) {
        if let Some(bytes) = bytes {
            std::fs::write(data.join(name), bytes).unwrap();
        }
    }
    let store = hanok_store::Store::open(&data, hanok_store::Options::default()).unwrap();
    let library = hanok_retrieval::Library::open(store.clone(), &data).await.unwrap();
    let house = House { library, store, folder };
    house.library.catch_up().await.unwrap();
    assert_eq!(house.files("alpha").await, ["a.md"]);
    assert_eq!(house.files("beta").await, [""; 0]);
    house.sync().await;
    assert_eq!(house.files("beta").await, ["b.md"]);
    assert_eq!(house.files("alpha").await, [""; 0]);
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

#[tokio::test]
async fn runs_of_one_collection_do_not_interleave() {
    let house = House::new().await;
    for at in 0..50 {
        house.write(&format!("d{at}.txt"), format!("document number{at}"));
    }
    let (one, two) = tokio::join!(house.sync(), house.sync());
    let mut runs = [(one.added, one.unchanged), (two.added, two.unchanged)];
    runs.sort_unstable();
    assert_eq!(runs, [(0, 50), (50, 0)]);
    assert_eq!(house.hits("number3").await.len(), 1);
}

/// A pattern takes what it matches, whatever the paths beside it took or leave to it.
#[tokio::test]
async fn paths_that_overlap_are_all_taken_once() {
    let house = House::new().await;
    house.write("a.md", "# A\n\nThe anchor.\n");
    house.write("guide/b.md", "# B\n\nThe beacon.\n");
    let at = |path: &str| house.docs().join(path);
    for paths in [
        vec![at("*.md"), at("guide")],
        vec![at("*.md"), at("guide/*.md")],
        vec![at("*.md"), at("a*.md"), at("guide")],
        vec![house.docs(), at("guide")],
    ] {
        let report = house.sync_paths(&paths).await;
        assert_eq!(report.added + report.unchanged, 2, "{paths:?}: {report:?}");
        assert_eq!(report.deleted, 0, "{paths:?}");
    }
}

/// Files that a cut search did not come to are not gone.
#[tokio::test]
async fn a_run_cancelled_before_it_begins_deletes_nothing() {
    let house = House::new().await;
    for n in 0..20 {
        house.write(&format!("{n}.md"), format!("# Page {n}\n\nThe beacon number{n} shines.\n"));
    }
    assert_eq!(house.sync().await.added, 20);
    let cancel = Cancel::default();
    cancel.cancel();
    let report = house.library.sync(&docs(), &[house.docs()], &(), &cancel).await.unwrap();
    assert!(report.cancelled && report.deleted == 0, "{report:?}");
    assert_eq!(house.sync().await.unchanged, 20);
}

#[tokio::test]
async fn a_cancelled_run_is_gone_on_with() {
    struct CancelAtOnce(Cancel, Mutex<Vec<Coverage>>);
    impl Progress for CancelAtOnce {
        fn update(&self, coverage: Coverage) {
            self.1.lock().push(coverage);
            if coverage.indexed > 0 {
                self.0.cancel();
            }
        }
    }
    let house = House::new().await;
    for at in 0..2000 {
        house.write(&format!("d{at}.txt"), format!("document number{at}"));
    }
    let cancel = Cancel::default();
    let progress = CancelAtOnce(cancel.clone(), Mutex::default());
    let report = house.library.sync(&docs(), &[house.docs()], &progress, &cancel).await.unwrap();
    assert!(report.cancelled && report.added >= 256 && report.added < 2000, "{report:?}");
    let told = progress.1.lock().clone();
    assert_eq!(told.first(), Some(&Coverage { indexed: 0, found: 2000, indexing: true }));
    assert!(!told.last().unwrap().indexing);
    let rest = house.sync().await;
    assert_eq!(rest.unchanged, report.added);
    assert_eq!(rest.added + rest.unchanged, 2000);
    assert_eq!(
        house.library.coverage(&docs()),
        Some(Coverage { indexed: 2000, found: 2000, indexing: false })
    );
}

#[tokio::test]
async fn searches_that_cannot_be_made_say_why() {
    let house = House::new().await;
    house.write("a.md", "alpha");
    house.sync().await;
    let query = SearchQuery::new("x", "other".into(), 3);
    let error = house.library.search(&CallContext::unrecorded(), &query).await.unwrap_err();
    assert!(error.to_string().contains("docs"), "{error}");
    assert!(matches!(house.find("?!", 3).await, Err(RetrievalError::EmptyQuery(_))));
    assert_eq!(house.find("alpha", 0).await.unwrap().hits, []);
}

#[tokio::test]
async fn a_search_is_a_span_with_its_hits() {
    let house = House::new().await;
    house.write("a.md", "alpha beta");
    house.sync().await;
    let (cx, spans) = crate::house::recorded();
    let query = SearchQuery::new("alpha", docs(), 3);
    house.library.search(&cx, &query).await.unwrap();
    drop(cx);
    let spans = spans.lock();
    let names: Vec<&str> = spans.iter().map(|span| span.name.as_str()).collect();
    assert_eq!(names, ["retrieval docs", "search bm25"]);
    let attribute =
        |name: &str| spans[0].attributes.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone());
    assert_eq!(attribute("gen_ai.operation.name").unwrap(), "retrieval");
    assert_eq!(attribute("hanok.query").unwrap(), "alpha");
    assert_eq!(attribute("hanok.hits").unwrap()[0]["end"], 10);
    assert_eq!(spans[1].parent_id, Some(spans[0].span_id));
}

#[tokio::test]
async fn a_removed_collection_is_gone() {
    let house = House::new().await;
    house.write("a.md", "alpha");
    house.sync().await;
    assert!(house.library.remove(&docs()).await.unwrap());
    assert!(!house.library.remove(&docs()).await.unwrap());
    assert!(house.library.collections().is_empty());
    assert_eq!(house.sync().await.added, 1);
    assert_eq!(house.files("alpha").await, ["a.md"]);
}

#[tokio::test]
async fn a_text_of_nothing_but_lines_is_not_taken() {
    let house = House::new().await;
    house.write("a.md", "The anchor.");
    house.write("lines.md", "#\n".repeat(2_000_001));
    let report = house.sync().await;
    assert_eq!(report.added, 1);
    let [(path, reason)] = &report.skipped[..] else { panic!("{report:?}") };
    assert!(path.ends_with("lines.md") && reason.contains("more than 2000000 lines"), "{reason}");
}
