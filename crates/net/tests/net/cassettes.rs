//! Traffic recorded and replayed.

use crate::server::{Server, Step, chunk, chunked_head, whole};
use crate::{LONG, SHORT, post};
use futures_util::StreamExt;
use hanok_net::{
    Cassette, CassetteMode, CassetteOptions, Client, ClientOptions, HeaderMap, NetError, NetErrorKind,
    Request, Response, Timeouts, Url,
};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const UNHURRIED: Timeouts = Timeouts { connect: None, first_byte: LONG, idle: LONG };

fn options() -> CassetteOptions {
    CassetteOptions::default()
}

fn open(path: &Path, mode: CassetteMode, options: &CassetteOptions) -> Client {
    let cassette = Some(Cassette::open(path, mode, options).unwrap());
    Client::new(ClientOptions { cassette, ..ClientOptions::default() }).unwrap()
}

fn recording(path: &Path) -> Client {
    open(path, CassetteMode::Record, &options())
}

fn replaying(path: &Path) -> Client {
    open(path, CassetteMode::Replay, &options())
}

async fn ask(client: &Client, url: &str, body: &str) -> Result<Response, NetError> {
    let (url, headers) = (Url::parse(url).unwrap(), HeaderMap::new());
    let request = Request { url: &url, headers: &headers, body: body.to_owned().into(), timeouts: UNHURRIED };
    client.post(request).await
}

/// The pieces of an answer, and what ended it.
async fn pieces(response: Response) -> (Vec<String>, Option<NetErrorKind>) {
    let (mut pieces, mut end) = (Vec::new(), None);
    for item in StreamExt::collect::<Vec<_>>(response.body).await {
        match item {
            Ok(piece) => pieces.push(String::from_utf8_lossy(&piece).into_owned()),
            Err(error) => end = Some(error.kind()),
        }
    }
    (pieces, end)
}

/// A fresh folder, and the path of a cassette in it.
fn place() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tape.jsonl");
    (folder, path)
}

/// A cassette of these lines.
fn written(lines: &str) -> (tempfile::TempDir, PathBuf) {
    let (folder, path) = place();
    std::fs::write(&path, format!("{{\"cassette\":1}}\n{lines}")).unwrap();
    (folder, path)
}

/// One exchange of a cassette.
fn exchange(url: &str, json: &str, answer: &str) -> String {
    format!(
        "{{\"request\":{{\"method\":\"POST\",\"url\":\"{url}\",\"headers\":[],\"json\":{json}}}}}\n\
         {{\"response\":{{\"status\":200,\"after_ms\":0,\"headers\":[]}}}}\n\
         {{\"piece\":{{\"after_ms\":0,\"text\":\"{answer}\"}}}}\n{{\"end\":\"complete\"}}\n"
    )
}

#[tokio::test]
async fn what_was_recorded_is_replayed_piece_by_piece_without_a_network() {
    let check = async |steps: Vec<Step>, expect: &str, end: Option<NetErrorKind>, last_line: &str| {
        let (_folder, path) = place();
        let server = Server::start(vec![[vec![Step::Read], steps.clone()].concat()]).await;
        let url = Url::parse(&server.url("/v1?a=1")).unwrap();
        let headers = HeaderMap::new();
        let timeouts = Timeouts { connect: None, first_byte: LONG, idle: SHORT * 4 };
        let request = || Request { url: &url, headers: &headers, body: "{\"a\":1}".into(), timeouts };
        let live = recording(&path).post(request()).await.unwrap();
        let (status, length) = (live.status, live.body.announced_len());
        let live_headers = live.headers.clone();
        let live = pieces(live).await;
        assert_eq!((live.0.concat().as_str(), live.1), (expect, end));

        let tape = std::fs::read_to_string(&path).unwrap();
        assert_eq!(tape.lines().last().unwrap(), last_line, "{tape}");
        let client = replaying(&path);
        for _ in 0..2 {
            let replayed = client.post(request()).await.unwrap();
            assert_eq!((replayed.status, replayed.body.announced_len()), (status, length), "{steps:?}");
            assert_eq!(replayed.headers, live_headers);
            assert_eq!(pieces(replayed).await, live);
            let coalesced = client.post(request()).await.unwrap().body.coalesced(1 << 16);
            let coalesced: Vec<_> = coalesced.collect().await;
            let text: Vec<u8> = coalesced.iter().flatten().flatten().copied().collect();
            assert_eq!(text, expect.as_bytes());
            let error = coalesced.into_iter().find_map(Result::err).map(|error| error.kind());
            assert_eq!(error, end);
        }
        assert_eq!(server.seen().len(), 1);
    };
    let stream = |parts: &[&str]| {
        let chunks: Vec<Vec<u8>> = parts.iter().map(|part| chunk(part)).collect();
        Step::Write([chunked_head("content-type: text/event-stream\r\n"), chunks.concat()].concat())
    };
    let complete = "{\"end\":\"complete\"}";
    let broken = |by: &str| format!("{{\"end\":{{\"broken\":\"{by}\"}}}}");
    check(vec![Step::Write(whole("201 Created", "x-a: 1\r\nx-a: 2\r\n", "pong"))], "pong", None, complete)
        .await;
    check(vec![Step::Write(whole("204 No Content", "", ""))], "", None, complete).await;
    check(vec![Step::Write(whole("429 Too Many", "retry-after: 7\r\n", "no"))], "no", None, complete).await;
    check(vec![stream(&["가", "나\"\n", "다", ""])], "가나\"\n다", None, complete).await;
    check(vec![stream(&["one", "two"])], "onetwo", Some(NetErrorKind::Cut), &broken("cut")).await;
    check(
        vec![stream(&["one"]), Step::Write(b"zz\r\n".to_vec())],
        "one",
        Some(NetErrorKind::Protocol),
        &broken("malformed"),
    )
    .await;
    check(vec![stream(&["one"]), Step::Hold], "one", Some(NetErrorKind::IdleTimeout), &broken("stalled"))
        .await;
    let short = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n01234".to_vec();
    check(vec![Step::Write(short)], "01234", Some(NetErrorKind::Cut), &broken("cut")).await;
}

#[tokio::test]
async fn bytes_that_are_no_text_come_back_as_they_were() {
    let (_folder, path) = place();
    // A character cut in two by the border of a chunk.
    let (one, two) = ("가".as_bytes().split_at(1), [0_u8, 255, 10]);
    let mut answer = chunked_head("");
    for part in [one.0, one.1, &two] {
        answer.extend(format!("{:x}\r\n", part.len()).into_bytes());
        answer.extend(part);
        answer.extend(b"\r\n");
    }
    answer.extend(chunk(""));
    let server = Server::once(answer).await;
    let live = post(&recording(&path), &server.url("/")).await.unwrap().body.collect(100).await.unwrap();
    assert_eq!(live, ["가".as_bytes(), &two].concat());
    let again = post(&replaying(&path), &server.url("/")).await.unwrap().body.collect(100).await.unwrap();
    assert_eq!(again, live);
}

#[tokio::test]
async fn a_body_that_is_let_go_is_recorded_as_far_as_it_came() {
    let (_folder, path) = place();
    let server = Server::start(vec![vec![
        Step::Read,
        Step::Write([chunked_head(""), chunk("one")].concat()),
        Step::Hold,
    ]])
    .await;
    let mut response = post(&recording(&path), &server.url("/")).await.unwrap();
    assert_eq!(response.body.next().await.unwrap().unwrap(), "one");
    drop(response);
    server.hung_up(1).await;
    let replayed = post(&replaying(&path), &server.url("/")).await.unwrap();
    assert_eq!(pieces(replayed).await, (vec!["one".to_owned()], Some(NetErrorKind::Cut)));
}

#[tokio::test]
async fn no_secret_is_written_and_another_key_replays() {
    let (_folder, path) = place();
    let body = "the key sk-live-hunter2 is wrong";
    let split = [chunk(&body[..14]), chunk(&body[14..]), chunk("")].concat();
    let head = chunked_head("set-cookie: s=hunter2\r\nx-echo: sk-live-hunter2\r\nx-plain: yes\r\n");
    let long = whole("200 OK", "", body);
    let server = Server::start(vec![
        vec![Step::Read, Step::Write([head, split].concat())],
        vec![Step::Read, Step::Write(long)],
    ])
    .await;
    let send = async |client: &Client, key: &str, path: &str| {
        let url = Url::parse(&server.url(&format!("{path}?alt=sse&key={key}"))).unwrap();
        let mut headers = HeaderMap::new();
        for name in
            ["authorization", "x-api-key", "api-key", "x-goog-api-key", "cookie", "proxy-authorization"]
        {
            headers.insert(name, format!("Bearer {key}").parse().unwrap());
        }
        headers.insert("accept", "text/event-stream".parse().unwrap());
        let body = format!("{{\"prompt\":\"my key is {key}\"}}");
        client.post(Request { url: &url, headers: &headers, body: body.into(), timeouts: UNHURRIED }).await
    };
    let secrets = |key: &str| CassetteOptions { secrets: vec![key.to_owned()], ..options() };
    let client = open(&path, CassetteMode::Record, &secrets("sk-live-hunter2"));
    for path in ["/stream", "/whole"] {
        let live = send(&client, "sk-live-hunter2", path).await.unwrap();
        assert_eq!(live.body.collect(100).await.unwrap(), body);
    }
    drop(client);
    assert!(server.seen()[0].head.contains("sk-live-hunter2"));
    let tape = std::fs::read_to_string(&path).unwrap();
    assert!(!tape.contains("hunter2"), "{tape}");
    assert!(
        tape.contains("[\"x-plain\",\"yes\"]") && tape.contains("[\"accept\",\"text/event-stream\"]"),
        "{tape}"
    );
    assert!(tape.contains("/stream?alt=sse&key=REDACTED"), "{tape}");

    let client = open(&path, CassetteMode::Replay, &secrets("other-key"));
    for path in ["/stream", "/whole"] {
        let replayed = send(&client, "other-key", path).await.unwrap();
        assert_eq!(replayed.body.collect(100).await.unwrap(), "the key REDACTED is wrong");
    }
    assert!(!format!("{:?}", secrets("hunter2")).contains("hunter2"));
}

#[tokio::test]
async fn a_request_recorded_often_replays_in_order_and_then_the_last() {
    let (_folder, path) = place();
    let answers =
        ["first", "second", "third"].map(|text| vec![Step::Read, Step::Write(whole("200 OK", "", text))]);
    let server = Server::start(answers.to_vec()).await;
    // Recording goes on where another session left off.
    for _ in 0..3 {
        let client = recording(&path);
        ask(&client, &server.url("/"), "{\"a\":1,\"b\":2}").await.unwrap().body.collect(10).await.unwrap();
    }
    let client = replaying(&path);
    for expect in ["first", "second", "third", "third"] {
        let response = ask(&client, &server.url("/"), "{ \"b\": 2.0, \"a\": 1 }").await.unwrap();
        assert_eq!(response.body.collect(10).await.unwrap(), expect);
    }
}

#[tokio::test]
async fn exchanges_that_overlap_are_each_recorded_whole() {
    let (_folder, path) = place();
    let pause = Duration::from_millis(1);
    let answer = [chunked_head(""), chunk("one"), chunk("two"), chunk("")].concat();
    let server = Server::start(vec![vec![Step::Read, Step::Drip(answer, pause)]]).await;
    let client = recording(&path);
    let asks = (0..8).map(|n| {
        let (client, url) = (&client, server.url("/"));
        async move { ask(client, &url, &format!("[{n}]")).await.unwrap().body.collect(10).await.unwrap() }
    });
    assert!(futures_util::future::join_all(asks).await.iter().all(|body| body == "onetwo"));
    drop(client);
    let client = replaying(&path);
    for n in 0..8 {
        let response = ask(&client, &server.url("/"), &format!("[{n}]")).await.unwrap();
        assert_eq!(response.body.collect(10).await.unwrap(), "onetwo");
    }
    assert_eq!(server.seen().len(), 8);
}

#[tokio::test]
async fn a_request_that_was_not_recorded_names_the_closest() {
    let lines = exchange("http://h/v1/chat", r#"{"model":"m","id":1,"messages":["hello"]}"#, "one");
    let (_folder, path) = written(&lines);
    let check = async |client: &Client, url: &str, body: &str, expect: Result<&str, &str>| match (
        ask(client, url, body).await,
        expect,
    ) {
        (Ok(response), Ok(text)) => assert_eq!(response.body.collect(10).await.unwrap(), text),
        (Err(error), Err(part)) => {
            assert_eq!(error.kind(), NetErrorKind::Cassette);
            let message = error.to_string();
            assert!(message.contains(&format!("no answer to POST {url}")), "{message}");
            assert!(message.contains("tape.jsonl") && message.contains(part), "{message}");
        }
        (got, _) => panic!("{body}: {got:?}"),
    };
    let client = replaying(&path);
    let same = r#"{"messages":["hello"],"model":"m","id":1}"#;
    check(&client, "http://h/v1/chat", same, Ok("one")).await;
    let other = r#"{"messages":["bye"],"model":"m","id":1}"#;
    let why = "in line 2, differs: /messages/0: recorded \"hello\", asked \"bye\"";
    check(&client, "http://h/v1/chat", other, Err(why)).await;
    check(&client, "http://h/v1/other", same, Err("its URL is http://h/v1/chat")).await;
    check(&client, "http://h/v1/chat", "plain", Err("the body: recorded {")).await;
    let id = r#"{"messages":["hello"],"model":"m","id":2}"#;
    check(&client, "http://h/v1/chat", id, Err("/id: recorded 1, asked 2")).await;
    let ignoring = CassetteOptions { ignore: vec!["id".to_owned()], ..options() };
    check(&open(&path, CassetteMode::Replay, &ignoring), "http://h/v1/chat", id, Ok("one")).await;

    let (_folder, path) = written("");
    check(&replaying(&path), "http://h/", "{}", Err("it is empty")).await;
}

#[tokio::test]
async fn delays_are_kept_only_where_they_are_wanted() {
    let lines = exchange("http://h/", "{}", "one");
    let late = |head: u64, piece: u64| {
        lines.replacen("\"after_ms\":0", &format!("\"after_ms\":{head}"), 1).replacen(
            "\"after_ms\":0",
            &format!("\"after_ms\":{piece}"),
            1,
        )
    };
    let (_folder, path) = written(&late(3_600_000, 3_600_000));
    let response = ask(&replaying(&path), "http://h/", "{}").await.unwrap();
    assert_eq!(response.body.collect(10).await.unwrap(), "one");

    let delayed = CassetteOptions { delays: true, ..options() };
    let (url, headers) = (Url::parse("http://h/").unwrap(), HeaderMap::new());
    let timeouts = Timeouts { connect: None, first_byte: SHORT, idle: LONG };
    let request = Request { url: &url, headers: &headers, body: "{}".into(), timeouts };
    let error = open(&path, CassetteMode::Replay, &delayed).post(request).await.unwrap_err();
    assert_eq!(error.kind(), NetErrorKind::FirstByteTimeout, "{error}");

    // What comes too late is late here too.
    let (_folder, path) = written(&late(1, 3_600_000));
    let timeouts = Timeouts { connect: None, first_byte: LONG, idle: SHORT };
    let request = Request { url: &url, headers: &headers, body: "{}".into(), timeouts };
    let response = open(&path, CassetteMode::Replay, &delayed).post(request).await.unwrap();
    assert_eq!(pieces(response).await, (Vec::new(), Some(NetErrorKind::IdleTimeout)));

    let (_folder, path) = written(&late(20, 30));
    let client = open(&path, CassetteMode::Replay, &delayed);
    let begun = Instant::now();
    let response = ask(&client, "http://h/", "{}").await.unwrap();
    assert!(begun.elapsed() >= Duration::from_millis(20));
    assert_eq!(response.body.collect(10).await.unwrap(), "one");
    assert!(begun.elapsed() >= Duration::from_millis(50));
}

#[tokio::test]
async fn a_file_is_recorded_to_by_one_at_a_time() {
    let (_folder, path) = place();
    let check = |mode: CassetteMode, refused: Option<&str>| match (
        Cassette::open(&path, mode, &options()),
        refused,
    ) {
        (Ok(cassette), None) => assert_eq!((cassette.mode(), cassette.path()), (mode, path.as_path())),
        (Err(error), Some(part)) => {
            assert_eq!(error.kind(), NetErrorKind::Cassette);
            assert!(error.to_string().contains(part) && error.to_string().contains("tape.jsonl"), "{error}");
        }
        (got, _) => panic!("{got:?}"),
    };
    check(CassetteMode::Replay, Some("record it first"));
    let first = Cassette::open(&path, CassetteMode::Record, &options()).unwrap();
    check(CassetteMode::Record, Some("in use elsewhere"));
    check(CassetteMode::Replay, Some("is being recorded"));
    drop(first);
    check(CassetteMode::Replay, None);
    check(CassetteMode::Record, None);
}

#[tokio::test]
async fn malformed_files_are_refused_and_torn_ends_are_mended() {
    let good = exchange("http://h/", "{}", "one");
    let check = |lines: &str, replay: Option<&str>, record: Option<&str>| {
        let (_folder, path) = written(lines);
        for (mode, expect) in [(CassetteMode::Replay, replay), (CassetteMode::Record, record)] {
            match (Cassette::open(&path, mode, &options()), expect) {
                (Ok(_), None) => {}
                (Err(error), Some(part)) => {
                    assert_eq!(error.kind(), NetErrorKind::Cassette);
                    let message = error.to_string();
                    assert!(message.contains(part) && message.contains("tape.jsonl"), "{lines}: {message}");
                }
                (got, _) => panic!("{lines}: {got:?}"),
            }
        }
        std::fs::read_to_string(&path).unwrap().split_once('\n').unwrap().1.to_owned()
    };
    assert_eq!(check(&good, None, None), good);
    let bad = format!("{good}nonsense\n{good}");
    let why = Some("malformed in line 6: expected value (column 1)");
    assert_eq!(check(&bad, why, why), bad);
    for torn in
        ["{\"request\":", "{\"request\":{\"method\":\"GET\",\"url\":\"\",\"headers\":[],\"text\":\"\"}}\n"]
    {
        assert_eq!(
            check(&format!("{good}{torn}"), Some("line 6: the exchange that begins here"), None),
            good
        );
    }
    let (_folder, path) = place();
    std::fs::write(&path, "# a note\n").unwrap();
    for mode in [CassetteMode::Replay, CassetteMode::Record] {
        let error = Cassette::open(&path, mode, &options()).unwrap_err();
        assert!(error.to_string().contains("line 1: this is not a cassette"), "{error}");
    }
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "# a note\n");
    let missing = path.with_file_name("no").join("tape.jsonl");
    let error = Cassette::open(&missing, CassetteMode::Record, &options()).unwrap_err();
    assert!(error.to_string().contains("cannot be opened for recording"), "{error}");
}
