//! Documents over the API and on pages: who may see which, and what is refused.

use crate::world::{Who, World, code};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use std::fs;

/// A house with documents for everybody and for the board, by path in turns.
async fn library() -> World {
    let world = World::new().await;
    let docs = world.folder.path().join("docs");
    fs::create_dir_all(docs.join("board")).unwrap();
    fs::write(docs.join("_meta.toml"), "[[metadata]]\nmatch = \"*b.md\"\nreaders = [\"board\"]\n").unwrap();
    fs::write(docs.join("board/_meta.toml"), "[[metadata]]\nreaders = [\"board\"]\n").unwrap();
    for number in 0..4 {
        fs::write(docs.join(format!("{number}a.md")), format!("# Holiday {number}\n\nWe all rest.")).unwrap();
        fs::write(docs.join(format!("{number}b.md")), format!("# Merger {number}\n\nWe buy them.")).unwrap();
    }
    fs::write(docs.join("board/layoffs.pdf"), "%PDF-1.7 no more").unwrap();
    let wish = json!({ "collection": "default", "paths": [docs] });
    let (status, report) = world.post(Who::Owner, "/api/index", wish).await;
    assert_eq!((status, &report["added"]), (StatusCode::OK, &json!(8)), "{report}");
    world
}

fn paths(page: &Value) -> Vec<&str> {
    page["sources"].as_array().unwrap().iter().map(|source| source["source"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn lists_tell_nothing_of_what_is_for_others() {
    let world = library().await;
    let (bob, ann) = (world.key("bob", "web", false).await, world.key("ann", "board", false).await);
    // Pages of what he may read, to the end, whatever stands between.
    let (mut after, mut seen) = (String::new(), Vec::new());
    for _ in 0..3 {
        let (status, page) = world.get(Who::Key(&bob), &format!("/api/sources?limit=3{after}")).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        assert!(!page.to_string().contains("layoffs") && !page.to_string().contains("b.md"), "{page}");
        seen.extend(paths(&page).into_iter().map(str::to_owned));
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => break,
        }
    }
    assert_eq!(seen, ["docs/0a.md", "docs/1a.md", "docs/2a.md", "docs/3a.md"]);
    for page in ["/", "/search", "/knowledge/default", "/knowledge/default?under=docs/board"] {
        let (status, text) = world.page(Who::Key(&bob), page).await;
        assert_eq!(status, StatusCode::OK, "{page}");
        assert!(
            !text.contains("Merger") && !text.contains("layoffs") && !text.contains("b.md"),
            "{page}: {text}"
        );
    }
    // Neighbours are the next that he may read.
    let (_, all) = world.get(Who::Owner, "/api/sources").await;
    assert_eq!((all["sources"].as_array().unwrap().len(), all["failed"].as_array().unwrap().len()), (8, 1));
    let id = |path: &str| {
        let source =
            all["sources"].as_array().unwrap().iter().find(|source| source["source"] == path).unwrap();
        source["id"].as_str().unwrap().to_owned()
    };
    for (who, next) in [(&bob, "docs/2a.md"), (&ann, "docs/1b.md")] {
        let (_, page) = world.page(Who::Key(who), &format!("/sources/{}/chunks", id("docs/1a.md"))).await;
        assert!(page.contains(&id(next)), "{next}");
        assert_eq!(page.contains(&id("docs/1b.md")), next == "docs/1b.md");
    }
    let (status, _) = world.get(Who::Key(&bob), &format!("/api/sources/{}/text", id("docs/1b.md"))).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn a_search_that_cannot_be_made_says_why() {
    let world = library().await;
    let check = async |wish: Value, expect: Result<usize, &str>| {
        let (status, answer) = world.post(Who::Owner, "/api/search", wish.clone()).await;
        let said: String = wish.to_string().chars().take(80).collect();
        match expect {
            Ok(hits) => assert_eq!(answer["hits"].as_array().map(Vec::len), Some(hits), "{said}: {answer}"),
            Err(expect) => {
                assert_eq!((status, code(&answer)), (StatusCode::BAD_REQUEST, expect), "{said}: {answer}");
            }
        }
    };
    let many = |count: usize| (0..count).map(|at| format!("-a{at}:1")).collect::<Vec<_>>().join(" ");
    let filter = |filter: String| json!({ "query": "holiday", "filter": filter });
    check(json!({ "query": "holiday" }), Ok(4)).await;
    check(json!({ "query": "holiday", "legs": "dense" }), Err("no_vectors")).await;
    check(json!({ "query": "holiday", "readers": vec!["x"; 40_000] }), Ok(4)).await;
    check(filter("year:1 ".repeat(200)), Ok(0)).await;
    check(filter(many(200)), Ok(4)).await;
    check(filter("year:1 ".repeat(600)), Err("invalid_filter")).await;
    check(filter(many(1000)), Err("invalid_filter")).await;
    check(filter(format!("title:{}", "a*".repeat(30_000))), Err("invalid_filter")).await;
    check(filter(format!("title:{}", "*a".repeat(2_000))), Ok(0)).await;
    check(filter("has:\"a\0b\"".to_owned()), Ok(0)).await;
    check(json!({ "query": "?!" }), Err("empty_query")).await;
}

#[tokio::test]
async fn nothing_is_removed_by_a_name_that_is_empty() {
    let world = World::new().await;
    // Documents elsewhere are named by their whole path.
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("a.md"), "# A\n\nText.").unwrap();
    let wish = json!({ "collection": "default", "paths": [elsewhere.path()] });
    let (_, report) = world.post(Who::Owner, "/api/index", wish).await;
    assert_eq!(report["added"], 1, "{report}");
    for source in ["", "%20", "&path="] {
        let (status, answer) =
            world.call(Who::Owner, Method::DELETE, &format!("/api/sources?source={source}"), None).await;
        assert_eq!(
            (status, code(&answer)),
            (StatusCode::NOT_FOUND, "source_not_found"),
            "{source}: {answer}"
        );
    }
    let (_, all) = world.get(Who::Owner, "/api/sources").await;
    assert_eq!(paths(&all).len(), 1);
}
