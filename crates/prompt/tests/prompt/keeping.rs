//! A folder of prompts with a store: versions, labels, edits, and files that change.

use hanok_prompt::{Library, LibraryError};
use hanok_store::{Options, Store};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

struct House {
    folder: tempfile::TempDir,
    store: Store,
}

impl House {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("data"), Options::default()).unwrap();
        Self { folder, store }
    }

    fn prompts(&self) -> std::path::PathBuf {
        self.folder.path().join("prompts")
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.prompts().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    async fn library(&self) -> Library {
        Library::open(&self.prompts(), self.store.clone()).await.unwrap()
    }
}

async fn source(library: &Library, name: &str, at: Option<&str>) -> Result<String, LibraryError> {
    Ok(library.resolve(name, at).await?.prompt.source().to_string())
}

#[tokio::test]
async fn labels_stand_while_files_change() {
    let house = House::new();
    let library = house.library().await;
    assert!(library.list().is_empty());
    house.write("greet.prompt", "Hello {{> tone}}");
    house.write("_tone.prompt", "dear");
    house.write("team/ask.prompt", "Ask");
    house.write("team/_tone.prompt", "x");
    house.write(".hidden.prompt", "x");
    house.write("notes.txt", "x");
    assert!(library.refresh().await.unwrap());
    assert!(!library.refresh().await.unwrap(), "nothing changed");
    let names: Vec<String> = library.list().into_iter().map(|listed| listed.name).collect();
    assert_eq!(names, ["greet", "team/ask"]);

    let first = library.label("greet", "production", Some("latest"), "ann").await.unwrap();
    house.write("greet.prompt", "Hi {{> tone}}, again");
    library.refresh().await.unwrap();
    assert_eq!(source(&library, "greet", None).await.unwrap(), "Hi {{> tone}}, again");
    assert_eq!(source(&library, "greet", Some("production")).await.unwrap(), "Hello {{> tone}}");
    assert_eq!(source(&library, "greet", Some(&first.short()[..6])).await.unwrap(), "Hello {{> tone}}");
    // Forward, and back again.
    library.label("greet", "production", Some("latest"), "ann").await.unwrap();
    assert_eq!(source(&library, "greet", Some("production")).await.unwrap(), "Hi {{> tone}}, again");
    library.label("greet", "production", Some(first.short()), "bob").await.unwrap();
    let moves = library.moves("greet", 10).await.unwrap();
    let production: Vec<&str> =
        moves.iter().filter(|one| one.label == "production").map(|one| one.author.as_str()).collect();
    assert_eq!(production, ["bob", "ann", "ann"]);
    assert_eq!(library.versions("greet").await.unwrap().len(), 2);

    // A partial is part of the version; and all of it holds after a restart, and without the file.
    house.write("_tone.prompt", "my friend");
    std::fs::remove_file(house.prompts().join("greet.prompt")).unwrap();
    drop(library);
    let library = house.library().await;
    let found = library.resolve("greet", Some("production")).await.unwrap();
    assert_eq!(
        (found.label.as_deref(), found.prompt.partials()["tone"].as_str()),
        (Some("production"), "dear")
    );
    let gone = source(&library, "greet", None).await.unwrap_err().to_string();
    assert!(gone.contains("`greet@production`"), "{gone}");
    library.unlabel("greet", "production", "ann").await.unwrap();
    assert!(source(&library, "greet", Some("production")).await.is_err());
}

#[tokio::test]
async fn what_is_not_there_is_named_with_what_is_near() {
    let house = House::new();
    house.write("greet.prompt", "Hello");
    house.write("broken.prompt", "Hello {{#if x}}");
    let library = house.library().await;
    library.label("greet", "production", None, "ann").await.unwrap();
    let check = async |name: &str, at: Option<&str>, said: &str| {
        let error = library.resolve(name, at).await.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    };
    check("gret", None, "did you mean `greet`?").await;
    check("greet", Some("prodction"), "did you mean `production`?").await;
    check("greet", Some("0123abcdef"), "it has `latest`, `production`").await;
    check("broken", None, "broken.prompt:1:7: ").await;
    std::fs::write(house.prompts().join("_odd.prompt"), [0xff, 0xfe]).unwrap();
    library.refresh().await.unwrap();
    let odd = library.list().into_iter().find(|listed| listed.name == "_odd").unwrap();
    assert!(odd.version.is_none() && odd.problem.unwrap().contains("UTF-8"));
    let listed: Vec<_> = library.list().into_iter().filter(|listed| listed.name == "broken").collect();
    assert!(listed[0].problem.as_deref().unwrap().contains("broken.prompt:1:7"));
    for label in ["latest", "", "a b", "0123abcdef"] {
        let refused = library.label("greet", label, Some("latest"), "ann").await;
        assert!(matches!(refused, Err(LibraryError::BadName { .. })), "{label}");
    }
}

#[tokio::test]
async fn edits_go_back_to_the_file() {
    let house = House::new();
    house.write("greet.prompt", "Hello");
    let library = house.library().await;
    let version = library.resolve("greet", None).await.unwrap().prompt.version().clone();
    let saved = library.save("greet", "Hi {{name}}", "ann", Some(version.short())).await.unwrap();
    assert!(saved.changed);
    assert_eq!(std::fs::read_to_string(house.prompts().join("greet.prompt")).unwrap(), "Hi {{name}}");
    assert_eq!(source(&library, "greet", None).await.unwrap(), "Hi {{name}}");
    let versions = library.versions("greet").await.unwrap();
    assert_eq!(versions.iter().map(|version| version.author.as_str()).collect::<Vec<_>>(), ["ann", "file"]);
    // Somebody else was faster.
    let stale = library.save("greet", "Hey", "bob", Some(version.short())).await;
    assert!(matches!(stale, Err(LibraryError::Changed { .. })));
    // What is no prompt is not written, nor is anything outside of the folder.
    assert!(library.save("greet", "{{#if}}", "bob", None).await.is_err());
    for name in ["../out", "a/../../out", ".x", "_tone"] {
        assert!(library.save(name, "x", "bob", None).await.is_err(), "{name}");
    }
    assert_eq!(source(&library, "greet", None).await.unwrap(), "Hi {{name}}");
    library.save("team/new", "New", "ann", None).await.unwrap();
    assert_eq!(source(&library, "team/new", None).await.unwrap(), "New");
    let left: Vec<_> =
        std::fs::read_dir(house.prompts()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("new.")), "{left:?}");
}

#[tokio::test]
async fn a_folder_is_followed_from_before_it_is_there() {
    let house = House::new();
    let library = Arc::new(house.library().await);
    let mut changes = library.changes();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let watching = tokio::spawn({
        let library = library.clone();
        async move {
            library
                .watch(async { drop(stopped.await) }, &|followed| assert!(followed.is_ok(), "{followed:?}"))
                .await;
        }
    });
    for text in ["one", "two"] {
        changes.mark_unchanged();
        house.write("greet.prompt", text);
        let wait = async {
            while source(&library, "greet", None).await.ok().as_deref() != Some(text) {
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(Duration::from_secs(20), wait).await.expect("the change is followed");
    }
    stop.send(()).unwrap();
    watching.await.unwrap();
}

#[tokio::test]
async fn who_only_reads_records_nothing() {
    let house = House::new();
    house.write("greet.prompt", "Hello");
    let library = Library::open_to_read(&house.prompts(), Some(house.store.clone())).await.unwrap();
    assert_eq!(source(&library, "greet", None).await.unwrap(), "Hello");
    assert!(library.versions("greet").await.unwrap().is_empty());
    let refused = library.label("greet", "production", Some("latest"), "ann").await;
    assert!(matches!(refused, Err(LibraryError::NoRecords)));
    let bare = Library::open_to_read(Path::new("/nonexistent/prompts"), None).await.unwrap();
    assert!(bare.list().is_empty());
}
