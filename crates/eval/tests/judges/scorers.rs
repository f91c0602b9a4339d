//! Scorers out of their tables.

use hanok_base::chat::Quote;
use hanok_base::{BoxFuture, CallContext, Citation, NanoDollars, Output, Sample, ToolCall, embedder_fn};
use hanok_eval::scorer::{ScorerSpec, build};
use hanok_eval::{Kit, SourceTexts};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

async fn scored(kit: &Kit, table: Value, output: Output, expected: Value) -> Value {
    let spec: ScorerSpec = serde_json::from_value(table).unwrap();
    let scorer = build(&spec, kit).unwrap();
    let expected = (!expected.is_null()).then_some(expected);
    let sample = Sample { id: "1".into(), expected, ..Sample::default() };
    let scores = scorer.score(&CallContext::unrecorded(), &sample, &output).await;
    json!(scores.into_iter().next().unwrap().verdict)
}

async fn check(table: Value, text: &str, expected: Value, expect: Value) {
    let output = Output { text: text.to_owned(), ..Output::default() };
    let found = scored(&Kit::default(), table.clone(), output, expected.clone()).await;
    if expect.is_string() {
        assert!(found.get(expect.as_str().unwrap()).is_some(), "{table} {text} {expected}: {found}");
    } else {
        assert_eq!(found, json!({"value": expect}), "{table} {text} {expected}");
    }
}

#[tokio::test]
async fn texts() {
    let exact = json!({"kind": "exact"});
    check(exact.clone(), "Paris", json!("Paris"), json!(true)).await;
    check(exact.clone(), "Paris", json!(["Lyon", "Paris"]), json!(true)).await;
    check(exact.clone(), "paris", json!("Paris"), json!(false)).await;
    check(exact.clone(), "{\"a\": 1}", json!({"a": 1.0}), json!(true)).await;
    check(exact.clone(), "42", json!(42), json!(true)).await;
    check(exact.clone(), "x", json!(null), json!("skipped")).await;
    let loose = json!({"kind": "exact", "ignore": ["space", "case", "punctuation", "articles", "form"]});
    check(loose.clone(), " The  PARIS!\n", json!("paris"), json!(true)).await;
    check(loose, "「서울」 ﾃｽﾄ", json!("서울 テスト"), json!(true)).await;
    check(json!({"kind": "exact", "not": true}), "a", json!("b"), json!(true)).await;
    check(json!({"kind": "exact", "expected": "$.city"}), "a", json!({"city": "a"}), json!(true)).await;
    check(
        json!({"kind": "exact", "output": "$.city", "value": "a"}),
        "{\"city\": \"a\"}",
        json!(null),
        json!(true),
    )
    .await;
    check(
        json!({"kind": "exact", "output": "$.x", "value": "a"}),
        "{\"city\": \"a\"}",
        json!(null),
        json!("failed"),
    )
    .await;
    let contains = json!({"kind": "contains", "value": ["가", "b"]});
    check(contains, "가나", json!(null), json!(true)).await;
    check(json!({"kind": "contains", "value": ["가", "b"], "all": true}), "가나", json!(null), json!(false))
        .await;
    check(json!({"kind": "contains", "value": "b", "at": "start"}), "ab", json!(null), json!(false)).await;
    check(json!({"kind": "contains", "value": "b", "at": "end"}), "ab", json!(null), json!(true)).await;
    check(json!({"kind": "contains"}), "ab", json!(null), json!("skipped")).await;
    check(json!({"kind": "regex", "pattern": "^\\d+$"}), "123", json!(null), json!(true)).await;
    check(json!({"kind": "regex", "pattern": "\\d+", "whole": true}), "a123", json!(null), json!(false))
        .await;
    check(json!({"kind": "regex"}), "a123", json!("a\\d"), json!(true)).await;
    check(json!({"kind": "regex"}), "a123", json!("a("), json!("failed")).await;
    check(json!({"kind": "edit-distance"}), "kitten", json!("sitting"), json!(1.0 - 3.0 / 7.0)).await;
    check(
        json!({"kind": "edit-distance", "unit": "word"}),
        "가 나 다",
        json!("가 다"),
        json!(1.0 - 1.0 / 3.0),
    )
    .await;
    check(json!({"kind": "edit-distance", "threshold": 0.9}), "abc", json!("abd"), json!(false)).await;
    check(json!({"kind": "edit-distance"}), "", json!(""), json!(1.0)).await;
    let spec = |table: Value| serde_json::from_value::<ScorerSpec>(table).unwrap();
    // An expression that would take more memory than it may.
    let huge = build(&spec(json!({"kind": "regex", "pattern": "(?:\\w{900}){900}"})), &Kit::default());
    assert!(huge.err().unwrap().to_string().contains("not an expression that can be used"));
    let loose = build(&spec(json!({"kind": "bleu", "not": true})), &Kit::default());
    assert!(loose.err().unwrap().to_string().contains("needs a `threshold`"));
}

#[tokio::test]
async fn rankings() {
    let check = async |table: Value, found: Value, expected: Value, expect: Value| {
        let output = Output { value: Some(found.clone()), ..Output::default() };
        let got = scored(&Kit::default(), table.clone(), output, expected.clone()).await;
        match expect.as_str() {
            Some(state) => assert!(got.get(state).is_some(), "{table} {found} {expected}: {got}"),
            None => assert_eq!(got, json!({"value": expect}), "{table} {found} {expected}"),
        }
    };
    let measure = |measure: &str, k: usize| json!({"kind": "ranking", "measure": measure, "k": k});
    let (found, relevant) = (json!(["x", "a", "y", "b"]), json!(["a", "b", "c"]));
    check(measure("recall", 4), found.clone(), relevant.clone(), json!(2.0 / 3.0)).await;
    check(measure("precision", 4), found.clone(), relevant.clone(), json!(0.5)).await;
    check(measure("precision", 10), found.clone(), relevant.clone(), json!(0.2)).await;
    check(measure("mrr", 4), found.clone(), relevant.clone(), json!(0.5)).await;
    check(measure("map", 4), found.clone(), relevant.clone(), json!((0.5 + 0.5) / 3.0)).await;
    check(measure("success", 4), found.clone(), relevant.clone(), json!(true)).await;
    check(measure("success", 1), found.clone(), relevant.clone(), json!(false)).await;
    // Grades count as they are, one document once, and one that is worth nothing is not relevant.
    let graded = json!({"a": 2, "b": 1, "x": 0});
    check(measure("ndcg", 10), json!(["a", "b"]), graded.clone(), json!(1.0)).await;
    check(measure("recall", 10), json!(["a", "a", "x"]), graded.clone(), json!(0.5)).await;
    check(measure("ndcg", 10), json!(["a"]), json!({"a": "much"}), json!("failed")).await;
    check(measure("ndcg", 10), json!({"a": 1}), graded, json!("failed")).await;
    check(measure("ndcg", 10), json!(["a"]), json!(null), json!("skipped")).await;
    check(measure("ndcg", 10), json!(["a"]), json!([]), json!("skipped")).await;
    check(json!({"kind": "ranking", "threshold": 0.9}), json!(["a"]), json!(["a"]), json!(true)).await;
    let none = serde_json::from_value::<ScorerSpec>(measure("ndcg", 0)).unwrap();
    assert!(build(&none, &Kit::default()).err().unwrap().to_string().contains("from 1"));
}

#[tokio::test]
async fn data_and_numbers() {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    let fits = json!({"kind": "json-schema", "schema": schema});
    check(fits.clone(), "{\"n\": 1}", json!(null), json!(true)).await;
    check(fits.clone(), "{\"n\": \"1\"}", json!(null), json!(false)).await;
    check(fits, "```json\n{\"n\": 1}\n```", json!(null), json!(false)).await;
    let lenient = json!({"kind": "json-schema", "schema": schema, "lenient": true});
    check(lenient, "So:\n```json\n{\"n\": 1}\n```", json!(null), json!(true)).await;
    check(json!({"kind": "json-schema"}), "[1", json!(null), json!(false)).await;
    let at = json!({"kind": "json-path", "path": "$.hits[?@.score > 0.5].id"});
    let hits = "{\"hits\": [{\"id\": \"a\", \"score\": 0.9}, {\"id\": \"b\", \"score\": 0.1}]}";
    check(at.clone(), hits, json!("a"), json!(true)).await;
    check(at, hits, json!("b"), json!(false)).await;
    check(json!({"kind": "json-path", "path": "$.x", "exists": true}), hits, json!(null), json!(false)).await;
    let near = json!({"kind": "numeric", "relative": 0.01});
    check(near.clone(), "It is 1,010 or so, I think 1,005", json!(1000), json!(true)).await;
    check(near.clone(), "none", json!(1000), json!(false)).await;
    check(near.clone(), "1", json!("about 1"), json!(true)).await;
    check(near, "1", json!("one"), json!("failed")).await;
    check(json!({"kind": "numeric", "pick": "only"}), "1 or 2", json!(2), json!(false)).await;
    check(json!({"kind": "numeric", "pick": "any", "absolute": 0.5}), "1.4, 7", json!(1), json!(true)).await;
    check(json!({"kind": "numeric", "decimal": ","}), "1.000,5", json!(1000.5), json!(true)).await;
    let out = |latency, cost: Option<i64>| Output {
        latency: Duration::from_millis(latency),
        cost: cost.map(NanoDollars),
        ..Output::default()
    };
    let kit = Kit::default();
    let score = async |table: Value, output| scored(&kit, table, output, json!(null)).await;
    assert_eq!(
        score(json!({"kind": "latency", "seconds": 1.5}), out(1500, None)).await,
        json!({"value": true})
    );
    assert_eq!(score(json!({"kind": "latency"}), out(1500, None)).await, json!({"value": 1.5}));
    assert_eq!(
        score(json!({"kind": "cost", "dollars": 0.01}), out(0, Some(20_000_000))).await,
        json!({"value": false})
    );
    assert!(score(json!({"kind": "cost"}), out(0, None)).await.get("skipped").is_some());
}

#[tokio::test]
async fn tools() {
    let output = |calls: &[(&str, &str)]| Output {
        tool_calls: calls
            .iter()
            .map(|(name, arguments)| ToolCall {
                name: (*name).into(),
                arguments: (*arguments).into(),
                ..ToolCall::default()
            })
            .collect(),
        ..Output::default()
    };
    let check = async |members: Value, calls: &[(&str, &str)], expected: Value, expect: bool| {
        let mut table = members;
        table["kind"] = json!("tool-calls");
        let found = scored(&Kit::default(), table.clone(), output(calls), expected.clone()).await;
        assert_eq!(found, json!({"value": expect}), "{table} {calls:?} {expected}");
    };
    let (a1, a12, b) = (("a", "{\"x\": 1}"), ("a", "{\"x\": 1, \"y\": 2}"), ("b", ""));
    let want = |name: &str, arguments: Value| json!({"name": name, "arguments": arguments});
    check(json!({}), &[a1, b], json!(["b", "a"]), true).await;
    check(json!({"ordered": true}), &[a1, b], json!(["b", "a"]), false).await;
    check(json!({"ordered": true}), &[a1, b], json!(["a", "b"]), true).await;
    check(json!({}), &[a1, b], json!("a"), false).await;
    check(json!({"extra": true}), &[a1, b], json!("a"), true).await;
    check(json!({"extra": true, "ordered": true}), &[b, a1], json!("a"), true).await;
    check(json!({"ordered": true}), &[b, a1], json!("a"), false).await;
    check(json!({}), &[a12], json!([want("a", json!({"x": 1}))]), true).await;
    check(json!({"arguments": "equal"}), &[a12], json!([want("a", json!({"x": 1}))]), false).await;
    check(json!({"arguments": "ignore"}), &[a12], json!([want("a", json!({"x": 7}))]), true).await;
    check(json!({}), &[b], json!([want("b", json!({}))]), true).await;
    check(json!({}), &[("a", "{oops")], json!([want("a", json!({"x": 1}))]), false).await;
    check(json!({}), &[], json!([]), true).await;
    // The wider expectation must not take the only call that fits the narrower one.
    let both = json!([want("a", json!({"x": 1})), want("a", json!({"y": 2}))]);
    check(json!({}), &[a12, a1], both, true).await;
}

#[tokio::test]
async fn citations_are_verbatim_or_not() {
    struct Texts;
    impl SourceTexts for Texts {
        fn texts<'a>(&'a self, source: &'a str) -> BoxFuture<'a, Result<Vec<String>, String>> {
            let found = match source {
                "a.md" => Ok(vec!["something else".to_owned(), "환불은 30일 안에".to_owned()]),
                "broken" => Err("the disk is gone".to_owned()),
                _ => Ok(Vec::new()),
            };
            Box::pin(async move { found })
        }
    }
    let kit = Kit { sources: Some(Arc::new(Texts)), ..Kit::default() };
    let quote = |source: &str, start, end, text: &str| Citation {
        quote: Some(Quote { source: source.into(), start, end, text: text.into(), pages: None }),
        ..Citation::default()
    };
    let check = async |citations: Vec<Citation>, expect: Value| {
        let output = Output { citations, ..Output::default() };
        assert_eq!(
            scored(&kit, json!({"kind": "citations", "required": true}), output, json!(null)).await["value"],
            expect
        );
    };
    let right = quote("a.md", 0, 9, "환불은");
    check(vec![right.clone()], json!(1.0)).await;
    check(vec![right.clone(), quote("a.md", 0, 9, "환불을")], json!(0.5)).await;
    check(vec![quote("a.md", 1, 9, "환불은")], json!(0.0)).await;
    check(vec![quote("a.md", 0, 900, "환불은")], json!(0.0)).await;
    check(vec![quote("b.md", 0, 9, "환불은")], json!(0.0)).await;
    check(vec![right, Citation::default()], json!(0.5)).await;
    check(vec![], json!(0.0)).await;
    let output = Output { citations: vec![quote("broken", 0, 1, "a")], ..Output::default() };
    let failed = scored(&kit, json!({"kind": "citations"}), output, json!(null)).await;
    assert_eq!(failed, json!({"failed": "the disk is gone"}));
    let skipped = scored(&kit, json!({"kind": "citations"}), Output::default(), json!(null)).await;
    assert!(skipped.get("skipped").is_some());
}

#[tokio::test]
async fn similarity_is_the_cosine_of_the_nearest() {
    let axes =
        embedder_fn("axes", 2, |text| if text.contains('x') { vec![0.6, 0.8] } else { vec![1.0, 0.0] });
    let kit = Kit { embedder: Some(Arc::new(axes)), ..Kit::default() };
    let score = async |text: &str, expected| {
        let output = Output { text: text.into(), ..Output::default() };
        scored(&kit, json!({"kind": "similarity"}), output, expected).await
    };
    assert!((score("a", json!("x")).await["value"].as_f64().unwrap() - 0.6).abs() < 1e-6);
    assert!((score("a", json!(["x", "b"])).await["value"].as_f64().unwrap() - 1.0).abs() < 1e-9);
    assert!(score("", json!("x")).await.get("skipped").is_some());
    let spec: ScorerSpec = serde_json::from_value(json!({"kind": "similarity"})).unwrap();
    assert!(build(&spec, &Kit::default()).err().unwrap().to_string().contains("no embedder"));
}

#[cfg(unix)]
#[tokio::test]
async fn commands_are_given_json_and_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let kit = Kit { base: folder.path().to_owned(), ..Kit::default() };
    let score = async |script: &str, seconds: f64| {
        let table = json!({"kind": "command", "command": ["sh", "-c", script], "timeout_seconds": seconds});
        scored(&kit, table, Output { text: "안녕".into(), ..Output::default() }, json!("x")).await
    };
    assert_eq!(score("grep -q '\"text\":\"안녕\"' && echo true", 20.0).await, json!({"value": true}));
    assert_eq!(score("echo '{\"value\": 0.5}'", 20.0).await, json!({"value": 0.5}));
    assert!(
        score("echo 'bad thing' >&2; exit 3", 20.0).await["failed"]
            .as_str()
            .unwrap()
            .contains("status 3: bad thing")
    );
    assert!(score("echo nonsense", 20.0).await["failed"].as_str().unwrap().contains("not JSON"));
    assert!(score("head -c 2000000 /dev/zero", 20.0).await["failed"].as_str().unwrap().contains("more than"));
    // A child in the background that holds the pipe is not waited for, and is killed.
    let begun = Instant::now();
    assert_eq!(score("sleep 60 & echo $! > child; echo 1", 30.0).await, json!({"value": 1.0}));
    assert!(begun.elapsed() < Duration::from_secs(20));
    assert!(is_gone(folder.path()).await);
    // One that takes too long is killed with what it started.
    assert!(
        score("sleep 60 & echo $! > child; wait", 0.5).await["failed"]
            .as_str()
            .unwrap()
            .contains("was killed")
    );
    assert!(is_gone(folder.path()).await);
    let spec: ScorerSpec = serde_json::from_value(json!({"kind": "command", "command": []})).unwrap();
    assert!(build(&spec, &kit).is_err());
    let missing = json!({"kind": "command", "command": ["no-such-program-at-all"]});
    let found = scored(&kit, missing, Output::default(), json!(null)).await;
    assert!(found["failed"].as_str().unwrap().contains("cannot be started"));
}

/// Whether the process whose number is in the file `child` goes away; a killed one may take a moment, or stay as a
/// zombie where nobody reaps orphans.
#[cfg(unix)]
async fn is_gone(folder: &std::path::Path) -> bool {
    let pid = std::fs::read_to_string(folder.join("child")).unwrap();
    let stat = format!("/proc/{}/stat", pid.trim());
    let gone = async {
        while std::fs::read_to_string(&stat).is_ok_and(|stat| !stat.contains(") Z ")) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.is_ok()
}

#[tokio::test]
async fn endpoints_are_posted_to_and_only_theirs_is_reached() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let mut seen = Vec::new();
        for reply in [
            "HTTP/1.1 200 OK\r\ncontent-length: 14\r\nconnection: close\r\n\r\n{\"score\": 0.5}",
            "HTTP/1.1 500 No\r\ncontent-length: 4\r\nconnection: close\r\n\r\noops",
        ] {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = Vec::new();
            let mut piece = [0; 4096];
            loop {
                let count = stream.read(&mut piece).unwrap();
                request.extend_from_slice(&piece[..count]);
                let text = String::from_utf8_lossy(&request);
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let length = head.lines().find_map(|line| {
                        line.to_lowercase().strip_prefix("content-length: ").map(str::to_owned)
                    });
                    if body.len() >= length.unwrap().parse().unwrap() {
                        break;
                    }
                }
            }
            seen.push(String::from_utf8(request).unwrap());
            stream.write_all(reply.as_bytes()).unwrap();
        }
        seen
    });
    let table =
        json!({"kind": "http", "url": format!("http://{address}/score"), "headers": {"x-team": "evals"}});
    let output = || Output { text: "안녕".into(), ..Output::default() };
    let kit = Kit::default();
    assert_eq!(scored(&kit, table.clone(), output(), json!("x")).await, json!({"value": 0.5}));
    let failed = scored(&kit, table, output(), json!("x")).await;
    assert!(failed["failed"].as_str().unwrap().contains("500"), "{failed}");
    let seen = server.join().unwrap();
    assert!(
        seen[0].starts_with("POST /score ") && seen[0].contains("x-team: evals") && seen[0].contains("안녕")
    );
    for (headers, expect) in
        [(json!({"x": "env:HANOK_NO_SUCH_VARIABLE"}), "is not set"), (json!({"x y": "1"}), "no header")]
    {
        let spec: ScorerSpec =
            serde_json::from_value(json!({"kind": "http", "url": "http://127.0.0.1:1/", "headers": headers}))
                .unwrap();
        assert!(build(&spec, &kit).err().unwrap().to_string().contains(expect));
    }
}

#[tokio::test]
async fn no_text_is_too_odd() {
    let pieces = [
        "a",
        "B",
        " ",
        "\n",
        "\t",
        ".",
        ",",
        "-",
        "1",
        "23",
        "0",
        "{",
        "}",
        "[",
        "]",
        "\"",
        ":",
        "null",
        "```",
        "json\n",
        "한",
        "글\u{301}",
        "é",
        "\u{1c}",
        "\u{a0}",
        "\u{2212}",
        "\u{ff11}",
        "&amp;",
        "<skipped>",
        "\u{10ffff}",
        "e9",
        "$.a",
        "\\",
    ];
    let tables = [
        json!({"kind": "exact", "ignore": ["form", "case", "punctuation", "articles", "space"]}),
        json!({"kind": "contains", "at": "end", "all": true}),
        json!({"kind": "regex"}),
        json!({"kind": "json-schema", "lenient": true}),
        json!({"kind": "json-path", "path": "$..a", "lenient": true}),
        json!({"kind": "numeric", "pick": "any"}),
        json!({"kind": "numeric", "decimal": ","}),
        json!({"kind": "edit-distance", "unit": "word"}),
        json!({"kind": "bleu", "lowercase": true}),
        json!({"kind": "bleu", "tokens": "char"}),
        json!({"kind": "chrf", "words": 2}),
        json!({"kind": "rouge", "of": ["1", "l", "lsum"]}),
        json!({"kind": "exact", "output": "$.a"}),
    ];
    let mut draws = hanok_stats::Draws::new(5);
    let mut text = || -> String { (0..draws.below(24)).map(|_| pieces[draws.below(pieces.len())]).collect() };
    let kit = Kit::default();
    for round in 0..3_000 {
        let output = Output { text: text(), ..Output::default() };
        let found = scored(&kit, tables[round % tables.len()].clone(), output, json!(text())).await;
        if let Some(number) = found.get("value").and_then(Value::as_f64) {
            assert!((0.0..=1.0 + 1e-12).contains(&number), "{found}");
        }
        assert_eq!(found.as_object().unwrap().len(), 1, "{found}");
    }
    // Brackets alone are not read again from each of them.
    let begun = Instant::now();
    let output = Output { text: "[".repeat(500_000), ..Output::default() };
    let found = scored(&kit, json!({"kind": "json-schema", "lenient": true}), output, json!(null)).await;
    assert_eq!(found, json!({"value": false}));
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}
