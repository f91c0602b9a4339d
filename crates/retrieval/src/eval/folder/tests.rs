use super::*;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;

const CORPUS: &str = r#"{"_id": "a", "title": "One", "text": "first"}
{"_id": "b", "text": "second"}
"#;
const QUERIES: &str = r#"{"_id": "1", "text": "what is first"}"#;
const QRELS: &str = "query-id\tcorpus-id\tscore\n1\ta\t1\n";

/// A folder with these files; a name that ends in `.gz` is packed.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("qrels")).unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        if path.extension().is_some_and(|extension| extension == "gz") {
            let mut packed = GzEncoder::new(File::create(path).unwrap(), Compression::default());
            packed.write_all(text.as_bytes()).unwrap();
            packed.finish().unwrap();
        } else {
            std::fs::write(path, text).unwrap();
        }
    }
    folder
}

fn read(files: &[(&str, &str)], split: Option<&str>) -> Result<Folder, String> {
    Folder::read(folder(files).path(), split).map_err(|error| error.to_string())
}

#[test]
fn lines_are_taken_as_they_are_found() {
    let check = |corpus: &str, expect: Result<&[(&str, &str, &str)], &str>| {
        let found =
            read(&[("corpus.jsonl", corpus), ("queries.jsonl", QUERIES), ("qrels.tsv", "1 a 1")], None);
        match (found, expect) {
            (Ok(found), Ok(expect)) => {
                let found: Vec<_> = found
                    .documents
                    .iter()
                    .map(|entry| (entry.id.as_str(), entry.title.as_str(), entry.text.as_str()))
                    .collect();
                assert_eq!(found, expect, "{corpus}");
            }
            (Err(found), Err(expect)) => assert!(found.ends_with(expect), "{corpus}: {found}"),
            (found, _) => panic!("{corpus}: {:?}", found.map(|found| found.documents)),
        }
    };
    check(CORPUS, Ok(&[("a", "One", "first"), ("b", "", "second")]));
    check(
        "\u{feff}{\"_id\": \"a\", \"title\": null, \"text\": \"\"}\r\n\r\n{\"_id\": 7, \"text\": \"seven\", \"metadata\": {}}\r\n",
        Ok(&[("a", "", ""), ("7", "", "seven")]),
    );
    check(r#"{"id": "a", "title": "only a title"}"#, Ok(&[("a", "only a title", "")]));
    check(&format!("{CORPUS}{CORPUS}"), Ok(&[("a", "One", "first"), ("b", "", "second")]));
    check(
        &format!("{CORPUS}{}", r#"{"_id": "b", "text": "another"}"#),
        Err("corpus.jsonl: line 3: the id b is that of another line above"),
    );
    check(r#"{"_id": "a", "contents": "x"}"#, Err(r#"line 1: there is no "text""#));
    check(r#"{"text": "x"}"#, Err(r#"line 1: there is no "_id""#));
    check("\n", Err("corpus.jsonl: holds no document"));
    check("not json", Err("line 1: expected ident at line 1 column 2"));
}

#[test]
fn judgements_are_taken_as_they_are_found() {
    let check = |qrels: &str, expect: Result<&[(&str, f64)], &str>| {
        let found = read(&[("corpus.jsonl", CORPUS), ("queries.jsonl", QUERIES), ("qrels.tsv", qrels)], None);
        match (found, expect) {
            (Ok(found), Ok(expect)) => {
                let mut judged: Vec<_> =
                    found.judged["1"].iter().map(|(id, gain)| (id.as_str(), *gain)).collect();
                judged.sort_by(|a, b| a.0.cmp(b.0));
                assert_eq!(judged, expect, "{qrels}");
            }
            (Err(found), Err(expect)) => assert!(found.ends_with(expect), "{qrels}: {found}"),
            (found, _) => panic!("{qrels}: {:?}", found.map(|found| found.judged)),
        }
    };
    check(QRELS, Ok(&[("a", 1.0)]));
    check("1\ta\t2\r\n1\tb\t0\r\n", Ok(&[("a", 2.0)]));
    check("1 0 a 1\n1 Q0 b 1\n", Ok(&[("a", 1.0), ("b", 1.0)]));
    check("1\t0\ta\t1", Ok(&[("a", 1.0)]));
    check("1\ta\t1\n1\twith spaces\t1", Ok(&[("a", 1.0), ("with spaces", 1.0)]));
    check("1\ta", Err("line 1: neither query, document and gain, nor a line of TREC's"));
    check("1\ta\t1\n1\tb\tmuch", Err("line 2: much is no gain"));
    check("1\ta\tNaN", Err("line 1: NaN is no gain"));
    check("2\ta\t1", Err("queries.jsonl: their ids differ"));
    check("1\tz\t1", Err("corpus.jsonl: their ids differ"));
}

#[test]
fn queries_that_nobody_judged_and_documents_that_are_not_there_are_counted() {
    let queries = format!("{QUERIES}\n{}", r#"{"_id": 2, "text": "nobody judged this"}"#);
    let qrels = "1\ta\t1\n1\tgone\t1\n9\tnever\t1\n";
    let found = read(&[("corpus.jsonl", CORPUS), ("queries.jsonl", &queries), ("qrels.tsv", qrels)], None);
    let found = found.map(|found| (found.queries.len(), found.unknown));
    assert_eq!(found, Ok((1, 1)));
}

#[test]
fn the_split_is_the_one_that_is_meant() {
    let check = |files: &[&str], split: Option<&str>, expect: Result<&str, &str>| {
        let mut all = vec![("corpus.jsonl.gz", CORPUS), ("queries.jsonl.gz", QUERIES)];
        all.extend(files.iter().map(|name| (*name, QRELS)));
        let found = read(&all, split).map(|found| found.judgements);
        match expect {
            Ok(expect) => assert_eq!(found.as_deref(), Ok(expect), "{files:?}"),
            Err(expect) => assert!(found.as_ref().is_err_and(|found| found.ends_with(expect)), "{found:?}"),
        }
        assert_eq!(has_judgements(folder(&all).path()), !files.is_empty());
    };
    check(&["qrels.tsv", "qrels/test.tsv"], None, Ok("qrels.tsv"));
    check(&["qrels.tsv", "qrels/test.tsv"], Some("test"), Ok("qrels/test.tsv"));
    check(&["qrels/dev.tsv", "qrels/test.tsv.gz", "qrels/train.tsv"], None, Ok("qrels/test.tsv.gz"));
    check(&["qrels/dev.tsv", "qrels/test.tsv"], Some("dev"), Ok("qrels/dev.tsv"));
    check(&["qrels/dev.tsv.gz"], None, Ok("qrels/dev.tsv.gz"));
    check(&["qrels/train.tsv", "qrels/dev.tsv"], None, Err("choose one of dev, train with --split"));
    check(&["qrels/train.tsv"], Some("test"), Err("has no split test; there is train"));
    check(&["qrels.tsv"], Some("test"), Err("has no split test; there is none"));
    check(&[], None, Err("there is no such file, and no qrels/test.tsv"));
}
