//! How a collection is set: what changes with its settings, and what of a document is told with its hits.

use crate::house::{House, docs};
use hanok_base::{CallContext, Readers, Retriever as _, SearchQuery, SourceId, Trust};
use hanok_retrieval::{Cancel, Chunker, Chunking, Library, LibraryError, Parents, Rule, Settings};
use hanok_store::documents::{Origin, Source};
use serde_json::json;
use std::path::Path;
use std::process::Command;

fn by(chunking: Chunking) -> Settings {
    Settings { chunking, ..Settings::default() }
}

async fn source(house: &House, name: &str) -> Source {
    let all = house.library.sources(&docs(), None, 100).await.unwrap();
    let one =
        all.iter().find(|source| source.path.ends_with(name)).unwrap_or_else(|| panic!("no {name}: {all:?}"));
    house.library.source(one.id).await.unwrap().unwrap()
}

async fn chunks(house: &House, id: SourceId) -> Vec<(usize, usize)> {
    let chunks = house.store.documents().chunks_of(id).await.unwrap();
    chunks.into_iter().map(|(_, chunk)| (chunk.start, chunk.end)).collect()
}

#[tokio::test]
async fn texts_are_cut_anew_when_the_settings_change() {
    let house = House::new().await;
    for at in 0..20 {
        house.write(
            &format!("d{at}.md"),
            format!("# D{at}\n\n{}", "The heron waits by the river. ".repeat(60)),
        );
    }
    assert_eq!(house.sync().await.added, 20);
    let id = source(&house, "d7.md").await.summary.id;
    assert_eq!(chunks(&house, id).await.len(), 1);
    let small = Chunking { by: Chunker::Sentence, size: 40, ..Chunking::default() };
    house.library.configure(&docs(), by(small.clone())).await.unwrap();
    assert_eq!(chunks(&house, id).await.len(), 1, "till the next run all is as it was");
    let report = house.sync().await;
    assert_eq!((report.recut, report.read, report.changed), (20, 0, 0), "{report:?}");
    let cut = chunks(&house, id).await;
    assert!(cut.len() > 8, "{cut:?}");
    assert!(!house.hits("heron river").await.is_empty());
    let report = house.sync().await;
    assert_eq!((report.recut, report.unchanged), (0, 20));

    // Kept with the collection, whoever opens it.
    let house = house.reopened().await;
    assert_eq!(house.library.settings(&docs()).unwrap().chunking, small);
    assert_eq!(house.sync().await.recut, 0);
    let bad = by(Chunking { size: 3, ..Chunking::default() });
    let refused = house.library.configure(&docs(), bad).await.unwrap_err();
    assert!(
        matches!(refused, LibraryError::Settings { .. }) && refused.to_string().contains("size"),
        "{refused}"
    );
}

#[tokio::test]
async fn words_keep_their_endings_where_that_is_set() {
    let house = House::new().await;
    house.write("a.md", "# A\n\nThe heron waits by the river.");
    house.write("b.md", "# B\n\nAn owl sleeps in the willow.");
    house.sync().await;
    assert_eq!(house.hits("waiting").await.len(), 1);
    let kept = Settings { keep_endings: true, ..Settings::default() };
    house.library.configure(&docs(), kept).await.unwrap();
    assert_eq!(house.hits("waiting").await.len(), 1, "till the next run all is as it was");
    let report = house.sync().await;
    assert_eq!((report.unchanged, report.read, report.recut), (2, 0, 0), "{report:?}");
    assert_eq!((house.hits("waiting").await.len(), house.hits("waits").await.len()), (0, 1));
    assert_eq!(house.library.coverage(&docs()).unwrap().indexed, 2);
    let house = house.reopened().await;
    assert_eq!((house.hits("waiting").await.len(), house.hits("waits").await.len()), (0, 1));
    house.library.configure(&docs(), Settings::default()).await.unwrap();
    house.sync().await;
    assert_eq!(house.hits("waiting").await.len(), 1);
}

#[tokio::test]
async fn chunks_know_the_larger_ones_around_them() {
    let house = House::new().await;
    let chunking = Chunking {
        by: Chunker::Sentence,
        size: 20,
        parents: Parents::Shown,
        parent_size: Some(100),
        ..Chunking::default()
    };
    house.library.configure(&docs(), by(chunking)).await.unwrap();
    house.write("a.txt", "One heron waits. Two herons wait by the river. ".repeat(40));
    house.sync().await;
    let source = source(&house, "a.txt").await;
    let kept = house.store.documents().chunks_of(source.summary.id).await.unwrap();
    let ids = kept.iter().map(|(id, _)| *id).collect();
    for chunk in house.store.documents().chunks(ids).await.unwrap() {
        let (span, text) = chunk.parent.expect("every chunk has a parent");
        assert_eq!(source.text[span.clone()], text);
        assert!(span.start <= chunk.start && chunk.end <= span.end && text.contains(&chunk.text));
    }
}

#[tokio::test]
async fn documents_are_described_by_themselves_and_by_rules() {
    let house = House::new().await;
    house.write(
        "legal/a.md",
        "---\nauthor: Kim\ntrust: trusted\n---\n# A\n\nThe contract ends when the year is over.",
    );
    house.write("legal/deep/b.txt", "계약은 한 해가 끝나면 함께 끝나며 다시 연장할 수 있습니다.");
    house.write("open.md", "The garden is open to all of the visitors.");
    house.write(
        "legal/_meta.toml",
        "[[metadata]]\nreaders = [\"legal\"]\nset = { team = \"legal\", year = 2024 }\n",
    );
    house.write("bad/_meta.toml", "[[metadata]]\nreader = 3\n");
    house.write("bad/c.md", "Words.");
    let report = house.sync().await;
    assert_eq!(report.added, 4);
    let [(path, reason)] = &report.skipped[..] else { panic!("{report:?}") };
    assert!(path.ends_with("bad/_meta.toml") && reason.contains("reader"), "{reason}");

    let a = source(&house, "a.md").await.summary.meta;
    assert_eq!(a.readers, ["legal"]);
    assert_eq!(a.trust, Trust::Untrusted, "a document cannot make itself trusted");
    let expect =
        json!({"format": "Markdown", "language": "en", "author": "Kim", "team": "legal", "year": 2024});
    assert_eq!(json!(a.metadata), expect);
    assert_eq!((a.layout.as_str(), a.format.as_str(), a.origin), ("markdown", "Markdown", Origin::File));
    let b = source(&house, "b.txt").await.summary.meta;
    assert_eq!((b.metadata["language"].as_str(), b.readers), (Some("ko"), vec!["legal".to_owned()]));
    assert!(source(&house, "open.md").await.summary.meta.readers.is_empty());

    // Rules of the collection count more than those of a folder; a change needs no new index.
    let rule = Rule {
        matches: Some("legal/**".to_owned()),
        trust: Some(Trust::Trusted),
        readers: Some(vec!["all-staff".to_owned()]),
        set: json!({"team": "law"}).as_object().unwrap().clone(),
    };
    let settings = Settings { metadata: vec![rule], ..Settings::default() };
    house.library.configure(&docs(), settings).await.unwrap();
    let id = source(&house, "a.md").await.summary.id;
    let before = house.store.documents().chunks_of(id).await.unwrap();
    let report = house.sync().await;
    assert_eq!((report.unchanged, report.read, report.changed), (4, 2, 0), "{report:?}");
    assert_eq!(house.store.documents().chunks_of(id).await.unwrap(), before, "by their ids");
    let a = source(&house, "a.md").await.summary.meta;
    assert_eq!(
        (a.trust, a.readers, a.metadata["team"].as_str()),
        (Trust::Trusted, vec!["all-staff".to_owned()], Some("law"))
    );
    assert_eq!(house.sync().await.read, 0);
}

#[tokio::test]
async fn a_removed_document_is_gone_until_it_changes() {
    let house = House::new().await;
    house.write("a.md", "The anchor.");
    house.write("b.md", "The beacon.");
    house.sync().await;
    let id = source(&house, "a.md").await.summary.id;
    assert!(house.library.remove_source(id).await.unwrap());
    assert!(!house.library.remove_source(id).await.unwrap());
    assert!(house.library.source(id).await.unwrap().is_none());
    assert_eq!(house.files("anchor").await, [""; 0]);
    assert_eq!(house.library.coverage(&docs()).unwrap().found, 1);
    let report = house.sync().await;
    assert_eq!((report.added, report.unchanged, report.skipped.len()), (0, 1, 1), "{report:?}");
    house.write("a.md", "The anchor is back.");
    assert_eq!(house.sync().await.added, 1);
    assert_eq!(house.files("anchor").await, ["a.md"]);
}

fn git(folder: &Path, arguments: &[&str]) {
    let run = Command::new("git")
        .current_dir(folder)
        .args(["-c", "user.name=a", "-c", "user.email=a@b.c"])
        .args(arguments)
        .output()
        .unwrap();
    assert!(run.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&run.stderr));
}

#[tokio::test]
async fn of_a_repository_what_is_tracked_is_taken() {
    if Command::new("git").arg("--version").output().is_err() {
        eprintln!("skipped: there is no git to make a repository with");
        return;
    }
    let house = House::new().await;
    house.write("a.md", "The anchor.");
    house.write("src/main.rs", "/// Beacons.\nfn beacon() {\n    light();\n}\n");
    house.write("scratch.md", "The untracked draft.");
    git(&house.docs(), &["init", "-q"]);
    git(&house.docs(), &["add", "a.md", "src"]);
    let tracked = |path: std::path::PathBuf| std::path::PathBuf::from(format!("git+{}", path.display()));
    let report = house.sync_paths(&[tracked(house.docs())]).await;
    assert_eq!(report.added, 2, "{report:?}");
    assert_eq!(source(&house, "main.rs").await.summary.meta.origin, Origin::Git);
    assert_eq!(house.hits("beacon").await[0].heading, "fn beacon()");
    git(&house.docs(), &["add", "scratch.md"]);
    git(&house.docs(), &["rm", "-q", "--cached", "a.md"]);
    let report = house.sync_paths(&[tracked(house.docs())]).await;
    assert_eq!((report.added, report.deleted, report.unchanged), (1, 1, 1), "{report:?}");
    // A folder of it, and one that is in none.
    assert_eq!(house.sync_paths(&[tracked(house.docs().join("src"))]).await.unchanged, 1);
    let bare = tracked(house.folder.path().join("data"));
    let refused = Library::sync(&house.library, &docs(), &[bare], &(), &Cancel::default()).await.unwrap_err();
    assert!(refused.to_string().contains("not in a git repository"), "{refused}");
}

#[tokio::test]
async fn rules_with_a_mistake_open_nothing() {
    let house = House::new().await;
    house.write("pay/a.md", "The pay is high.");
    house.write("pay/deep/b.md", "The pay is low.");
    house.write("open.md", "All is open.");
    let readers_after = async |rules: &str| {
        house.write("pay/_meta.toml", rules);
        let report = house.sync().await;
        assert!(source(&house, "open.md").await.summary.meta.readers.is_empty());
        let [a, b] = [source(&house, "a.md").await, source(&house, "b.md").await];
        assert_eq!(a.summary.meta.readers, b.summary.meta.readers, "{rules}");
        (a.summary.meta.readers, report.skipped.len())
    };
    let found_by = async |reader: &str| {
        let readers = Readers::Of(vec![reader.to_owned()]);
        let query = SearchQuery { readers, ..SearchQuery::new("pay", docs(), 5) };
        house.library.search(&CallContext::unrecorded(), &query).await.unwrap().hits.len()
    };
    assert_eq!(readers_after("[[metadata]]\nreaders = [\"hr\"]\n").await, (vec!["hr".to_owned()], 0));
    assert_eq!((found_by("hr").await, found_by("web").await), (2, 0));
    for mistake in [
        "[[metadata]\nreaders = [\"hr\"]\n",
        "[[metadata]]\nreaders = \"hr\"\n",
        "[[metadata]]\nreader = [\"hr\"]\n",
        "[[metadata]]\nmatch = \"[\"\nreaders = [\"hr\"]\n",
        "",
    ] {
        let (readers, skipped) = readers_after(mistake).await;
        assert_eq!((readers.len(), skipped), (1, 1), "{mistake}: {readers:?}");
        assert_eq!((found_by("hr").await, found_by("web").await), (0, 0), "{mistake}");
    }
    // A pattern with a mistake closes only where its rule would have.
    let other = "[[metadata]]\nmatch = \"[\"\nset = { a = 1 }\n";
    assert_eq!(readers_after(other).await, (Vec::new(), 1));
    assert_eq!(found_by("web").await, 2);
}
