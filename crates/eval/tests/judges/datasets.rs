//! Rows of files as versions of a dataset.

use crate::house::house;
use hanok_eval::dataset;
use hanok_eval::dataset::Columns;
use serde_json::json;

#[tokio::test]
async fn the_same_rows_are_the_same_version_whatever_file_they_are_in() {
    let house = house();
    let folder = tempfile::tempdir().unwrap();
    let files = [
        ("a.jsonl", "{\"q\": \"하나\", \"expected\": \"1\"}\n\n{\"q\": \"둘\", \"expected\": \"2\"}\n"),
        ("b.csv", "q,expected\n하나,1\n\"둘\",2\n"),
        (
            "c.json",
            "{\"rows\": [{\"q\": \"하나\", \"expected\": \"1\"}, {\"q\": \"둘\", \"expected\": \"2\"}]}",
        ),
        ("d.yaml", "- q: 하나\n  expected: '1'\n- q: 둘\n  expected: '2'\n"),
        ("e.toml", "[[rows]]\nq = \"하나\"\nexpected = \"1\"\n[[rows]]\nq = \"둘\"\nexpected = \"2\"\n"),
    ];
    let mut hashes = Vec::new();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let open = || dataset::of_file(&path, &Columns::default());
        let made = dataset::make(&house.keeper, "rows", &json!({ "file": name }), open).await.unwrap();
        assert_eq!(made.rows, 2, "{name}");
        hashes.push(made.hash);
    }
    assert!(hashes.iter().all(|hash| *hash == hashes[0]));
    assert_eq!(house.keeper.versions("rows".to_owned()).await.unwrap().len(), 1);
    let check = async |name: &str, text: &str, expect: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        let open = || dataset::of_file(&path, &Columns::default());
        let error = dataset::make(&house.keeper, "bad", &json!({}), open).await.unwrap_err().to_string();
        assert!(error.contains(expect), "{error}");
    };
    check("f.jsonl", "{\"q\": 1}\n{oops\n", "f.jsonl:2: it is not JSON").await;
    check("g.csv", "a,b\n1\n", "g.csv:2: the row has 1 fields, the header 2").await;
    check("h.jsonl", "{\"id\": 1, \"q\": 1}\n{\"id\": 1, \"q\": 2}\n", "two rows have the id `1`").await;
    check("i.jsonl", "", "has no rows").await;
    check("j.txt", "x", "none of them").await;
}
