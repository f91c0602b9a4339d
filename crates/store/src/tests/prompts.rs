//! Prompts: versions are kept once, labels move and remember it.

use super::{block, open};
use crate::prompts::{LATEST, Moved, PromptVersion};
use hanok_base::Timestamp;

fn version(hash: &str, at: i64) -> PromptVersion {
    PromptVersion {
        name: "greet".to_owned(),
        hash: hash.to_owned(),
        source: format!("text of {hash}"),
        partials: [("tone".to_owned(), "kind".to_owned())].into(),
        created: Timestamp(at),
        author: "file".to_owned(),
    }
}

#[test]
fn labels_move_and_remember_it() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(folder.path());
    block(async {
        let prompts = store.prompts();
        // The file goes from one text to another, and back.
        for (hash, at) in [("aa11", 1), ("aa11", 2), ("ab22", 3), ("aa11", 4)] {
            prompts.see(vec![version(hash, at)]).await.unwrap();
        }
        let versions = prompts.versions("greet").await.unwrap();
        assert_eq!(versions, [version("ab22", 3), version("aa11", 1)], "kept once, as they were first seen");
        assert_eq!(prompts.find("greet", "ab").await.unwrap(), [version("ab22", 3)]);
        assert_eq!(prompts.find("greet", "a").await.unwrap().len(), 2, "several begin so");
        assert!(prompts.find("other", "ab").await.unwrap().is_empty());

        let to = |hash: Option<&'static str>, at: i64| async move {
            prompts.move_label("greet", "production", hash, "ann", Timestamp(at)).await.unwrap()
        };
        assert_eq!(to(None, 5).await, Moved::NoLabel);
        assert_eq!(to(Some("zz"), 5).await, Moved::NoVersion);
        assert_eq!(to(Some("ab22"), 5).await, Moved::From(None));
        assert_eq!(to(Some("ab22"), 6).await, Moved::Stayed);
        assert_eq!(to(Some("aa11"), 7).await, Moved::From(Some("ab22".to_owned())));
        let labels = prompts.labels().await.unwrap();
        let stand: Vec<_> =
            labels.iter().map(|at| (&*at.label, &*at.hash, at.moved.0, &*at.author)).collect();
        assert_eq!(stand, [(LATEST, "aa11", 4, "file"), ("production", "aa11", 7, "ann")]);
        assert_eq!(to(None, 8).await, Moved::From(Some("aa11".to_owned())));
        let moves = prompts.moves("greet", 10).await.unwrap();
        let told: Vec<_> = moves
            .iter()
            .map(|at| (&*at.label, at.before.as_deref(), at.after.as_deref(), at.moved.0))
            .collect();
        assert_eq!(
            told,
            [
                ("production", Some("aa11"), None, 8),
                ("production", Some("ab22"), Some("aa11"), 7),
                ("production", None, Some("ab22"), 5),
                (LATEST, Some("ab22"), Some("aa11"), 4),
                (LATEST, Some("aa11"), Some("ab22"), 3),
                (LATEST, None, Some("aa11"), 1),
            ]
        );
    });
}
