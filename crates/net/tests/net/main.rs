//! The client against a server that misbehaves by script.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test's helpers fail by panicking"
)]

mod cassettes;
mod echo;
mod encrypted;
mod plain;
mod proxying;
mod secure;
mod server;

use futures_util::StreamExt;
use hanok_net::{
    Client, ClientOptions, HeaderMap, NetError, NetErrorKind, Request, Response, Timeouts, Url, header,
};
use server::{Server, Step, chunk, chunked_head, whole};
use std::time::Duration;

const SHORT: Duration = Duration::from_millis(60);
const LONG: Duration = Duration::from_secs(30);

fn client() -> Client {
    Client::new(ClientOptions::default()).unwrap()
}

async fn post_with(client: &Client, url: &str, timeouts: Timeouts) -> Result<Response, NetError> {
    let url = Url::parse(url)?;
    let headers = HeaderMap::new();
    client.post(Request { url: &url, headers: &headers, body: "ping".into(), timeouts }).await
}

async fn post(client: &Client, url: &str) -> Result<Response, NetError> {
    post_with(client, url, Timeouts { connect: None, first_byte: LONG, idle: LONG }).await
}

fn concat(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

#[tokio::test]
async fn an_answer_comes_whole_and_the_request_is_plain() {
    let server = Server::once(whole("201 Created", "x-request-id: 7\r\n", "pong")).await;
    let response = post(&client(), &server.url("/v1/x?y=1")).await.unwrap();
    assert_eq!(response.status.as_u16(), 201);
    assert_eq!(response.headers["x-request-id"], "7");
    assert_eq!(response.body.announced_len(), Some(4));
    assert_eq!(response.body.collect(4).await.unwrap(), "pong");
    let seen = server.seen();
    assert_eq!(seen[0].body, b"ping");
    assert!(seen[0].head.starts_with("POST /v1/x?y=1 HTTP/1.1\r\n"), "{}", seen[0].head);
    for line in ["accept-encoding: identity\r\n", "user-agent: hanok/", "content-length: 4\r\n"] {
        assert!(seen[0].head.contains(line), "{line} not in {}", seen[0].head);
    }
}

#[tokio::test]
async fn own_headers_win_and_redirects_are_not_followed() {
    let server = Server::once(whole("302 Found", "location: /elsewhere\r\n", "")).await;
    let url = Url::parse(&server.url("/")).unwrap();
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, "mine".parse().unwrap());
    let timeouts = Timeouts { connect: None, first_byte: LONG, idle: LONG };
    let request = Request { url: &url, headers: &headers, body: "".into(), timeouts };
    let response = client().get(request).await.unwrap();
    assert_eq!(response.status.as_u16(), 302);
    assert_eq!(response.body.collect(0).await.unwrap(), "");
    assert_eq!(server.seen().len(), 1);
    assert!(server.seen()[0].head.contains("user-agent: mine\r\n"));
}

/// What goes wrong before the head of the answer.
#[tokio::test]
async fn failures_before_the_head_are_told_apart() {
    let check = async |url: &str, expect: NetErrorKind, part: &str| {
        let error = post_with(&client(), url, Timeouts { connect: None, first_byte: SHORT * 20, idle: LONG })
            .await
            .unwrap_err();
        assert_eq!(error.kind(), expect, "{url}: {error}");
        assert!(error.to_string().contains(part), "{url}: {error}");
    };
    let free = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    check(
        &format!("http://{free}/"),
        NetErrorKind::Refused,
        &format!("connect to {free}: connection refused"),
    )
    .await;
    check("http://nowhere.invalid/", NetErrorKind::Dns, "nowhere.invalid:80").await;
    check("http://u:p@h/", NetErrorKind::BadUrl, "user or password").await;

    let stalls = Server::start(vec![vec![Step::Read, Step::Hold]]).await;
    check(&stalls.url("/"), NetErrorKind::FirstByteTimeout, "did not answer within 1.2s").await;
    stalls.hung_up(1).await;

    let closes = Server::start(vec![vec![Step::Read]]).await;
    check(&closes.url("/"), NetErrorKind::Closed, "before it answered").await;
    assert_eq!(closes.seen().len(), 1, "a fresh connection that is closed is not retried");

    let half_head = Server::once("HTTP/1.1 200 OK\r\ncontent-le").await;
    check(&half_head.url("/"), NetErrorKind::Closed, "before it answered").await;

    let not_http = Server::once("SSH-2.0-OpenSSH_9.6\r\n\r\n").await;
    check(&not_http.url("/"), NetErrorKind::Protocol, "not HTTP").await;

    let not_tls = Server::start(vec![vec![Step::Write(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec())]]).await;
    check(&format!("https://{}/", not_tls.addr), NetErrorKind::Tls, "no secure connection").await;
    let tls_eof = Server::start(vec![vec![]]).await;
    check(&format!("https://{}/", tls_eof.addr), NetErrorKind::Tls, "no secure connection").await;
}

#[tokio::test]
async fn a_handshake_that_stalls_is_a_connect_timeout() {
    let server = Server::start(vec![vec![Step::Hold]]).await;
    let options = ClientOptions { connect_timeout: SHORT, ..ClientOptions::default() };
    let error = post(&Client::new(options).unwrap(), &format!("https://{}/", server.addr)).await.unwrap_err();
    assert_eq!(error.kind(), NetErrorKind::ConnectTimeout, "{error}");
    assert!(error.to_string().contains("within 60ms"), "{error}");
    server.hung_up(1).await;
}

#[tokio::test]
async fn a_requests_own_connect_timeout_overrides_the_clients() {
    let check = async |own: Option<Duration>, clients: Duration, expect: &str| {
        let server = Server::start(vec![vec![Step::Hold]]).await;
        let options = ClientOptions { connect_timeout: clients, ..ClientOptions::default() };
        let timeouts = Timeouts { connect: own, first_byte: LONG, idle: LONG };
        let url = format!("https://{}/", server.addr);
        let error = post_with(&Client::new(options).unwrap(), &url, timeouts).await.unwrap_err();
        assert_eq!(error.kind(), NetErrorKind::ConnectTimeout, "{error}");
        assert!(error.to_string().contains(expect), "{error}");
        server.hung_up(1).await;
    };
    check(Some(SHORT), LONG, "within 60ms").await;
    check(Some(SHORT * 2), SHORT, "within 120ms").await;
    check(None, SHORT, "within 60ms").await;
}

/// What goes wrong within the body: what came before is still handed over, then the error, then nothing.
#[tokio::test]
async fn failures_within_the_body_are_told_apart() {
    let check = async |steps: Vec<Step>, before: &str, expect: Option<NetErrorKind>| {
        for coalesce in [false, true] {
            let server = Server::start(vec![[vec![Step::Read], steps.clone()].concat()]).await;
            let timeouts = Timeouts { connect: None, first_byte: LONG, idle: SHORT * 4 };
            let response = post_with(&client(), &server.url("/"), timeouts).await.unwrap();
            let items: Vec<_> = if coalesce {
                response.body.coalesced(1 << 16).collect().await
            } else {
                StreamExt::collect(response.body).await
            };
            let mut got = String::new();
            let mut error = None;
            for item in items {
                assert!(error.is_none(), "an item behind the error");
                match item {
                    Ok(piece) => {
                        assert!(!piece.is_empty());
                        got.push_str(std::str::from_utf8(&piece).unwrap());
                    }
                    Err(e) => error = Some(e.kind()),
                }
            }
            assert_eq!((got.as_str(), error), (before, expect), "{steps:?}");
        }
    };
    let head = chunked_head("");
    let length = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n".to_vec();
    let write = |parts: &[&[u8]]| Step::Write(concat(parts));

    check(vec![write(&[&head, &chunk("one"), &chunk("two"), &chunk("")])], "onetwo", None).await;
    check(vec![write(&[&head, &chunk("")])], "", None).await;
    check(vec![write(&[&head, &chunk("one")])], "one", Some(NetErrorKind::Cut)).await;
    check(vec![write(&[&head, &chunk("one"), b"a\r\nhalf"])], "onehalf", Some(NetErrorKind::Cut)).await;
    check(vec![write(&[&head, &chunk("one"), b"zz\r\n"])], "one", Some(NetErrorKind::Protocol)).await;
    check(vec![write(&[&head, &chunk("one")]), Step::Hold], "one", Some(NetErrorKind::IdleTimeout)).await;
    check(vec![write(&[&length, b"0123456789"])], "0123456789", None).await;
    check(vec![write(&[&length, b"01234"])], "01234", Some(NetErrorKind::Cut)).await;
    check(vec![write(&[&length, b"01234"]), Step::Hold], "01234", Some(NetErrorKind::IdleTimeout)).await;
    check(vec![write(&[&length]), Step::Hold], "", Some(NetErrorKind::IdleTimeout)).await;
    check(vec![write(&[b"HTTP/1.1 200 OK\r\n\r\nto the close"])], "to the close", None).await;
}

#[tokio::test]
async fn a_slow_drip_is_no_stall() {
    // In all longer than the idle limit, each gap shorter.
    let text = concat(&[&chunked_head(""), &chunk("slow but"), &chunk(" steady"), &chunk("")]);
    let pause = Duration::from_millis(20);
    let total = pause * u32::try_from(text.len()).unwrap();
    let idle = Duration::from_millis(700);
    assert!(total > idle);
    let server = Server::start(vec![vec![Step::Read, Step::Drip(text, pause)]]).await;
    let response = post_with(&client(), &server.url("/"), Timeouts { connect: None, first_byte: LONG, idle })
        .await
        .unwrap();
    assert_eq!(response.body.collect(100).await.unwrap(), "slow but steady");
}

#[tokio::test]
async fn a_body_beyond_the_limit_is_refused() {
    let check = async |answer: Vec<u8>, limit: usize, expect: Result<usize, NetErrorKind>| {
        let server = Server::once(answer).await;
        let collected = post(&client(), &server.url("/")).await.unwrap().body.collect(limit).await;
        if let Err(error) = &collected {
            assert!(error.to_string().contains(&format!("limit of {limit} bytes")), "{error}");
        }
        assert_eq!(collected.map(|bytes| bytes.len()).map_err(|error| error.kind()), expect);
    };
    let long = "x".repeat(300_000);
    check(whole("200 OK", "", &long), 299_999, Err(NetErrorKind::TooLarge)).await;
    check(whole("200 OK", "", &long), 300_000, Ok(300_000)).await;
    let chunks = concat(&[&chunked_head(""), &chunk(&long), &chunk(&long), &chunk("")]);
    check(chunks.clone(), 599_999, Err(NetErrorKind::TooLarge)).await;
    check(chunks, 600_000, Ok(600_000)).await;
}

#[tokio::test]
async fn a_connection_is_kept_and_used_again() {
    let answer = concat(&[&chunked_head(""), &chunk("hi"), &chunk("")]);
    let twice = vec![Step::Read, Step::Write(answer.clone()), Step::Read, Step::Write(answer)];
    let server = Server::start(vec![twice]).await;
    let client = client();
    for _ in 0..2 {
        let response = post(&client, &server.url("/")).await.unwrap();
        assert_eq!(response.body.collect(10).await.unwrap(), "hi");
    }
    assert_eq!(server.seen().iter().map(|seen| seen.connection).collect::<Vec<_>>(), [0, 0]);
}

#[tokio::test]
async fn a_kept_connection_that_is_closed_under_a_request_is_replaced_once() {
    let good = || Step::Write(whole("200 OK", "", "hi"));
    let check =
        async |scripts: Vec<Vec<Step>>, connections: &[usize], expect: Result<&'static str, NetErrorKind>| {
            let server = Server::start(scripts).await;
            let client = client();
            let first = post(&client, &server.url("/")).await.unwrap();
            assert_eq!(first.body.collect(10).await.unwrap(), "hi");
            let second = match post(&client, &server.url("/")).await {
                Ok(response) => response.body.collect(10).await,
                Err(error) => Err(error),
            };
            assert_eq!(second.map_err(|error| error.kind()), expect.map(bytes::Bytes::from));
            assert_eq!(server.seen().iter().map(|seen| seen.connection).collect::<Vec<_>>(), connections);
        };
    // Closed when the second request had arrived: sent again on a fresh connection.
    let stale = || vec![Step::Read, good(), Step::Read];
    check(vec![stale(), vec![Step::Read, good()]], &[0, 0, 1], Ok("hi")).await;
    // The fresh one fails too: once is enough.
    check(vec![stale(), vec![Step::Read]], &[0, 0, 1], Err(NetErrorKind::Closed)).await;
    // Closed in the middle of the second answer: the server had begun, so there is no second try.
    let begun = vec![
        Step::Read,
        good(),
        Step::Read,
        Step::Write(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx".to_vec()),
    ];
    check(vec![begun, vec![Step::Read, good()]], &[0, 0], Err(NetErrorKind::Cut)).await;
}

#[tokio::test]
async fn letting_go_closes_the_connection_at_once() {
    // Of a body, between two pieces.
    let server = Server::start(vec![vec![
        Step::Read,
        Step::Write(concat(&[&chunked_head(""), &chunk("one")])),
        Step::Hold,
    ]])
    .await;
    let mut response = post(&client(), &server.url("/")).await.unwrap();
    assert_eq!(response.body.next().await.unwrap().unwrap(), "one");
    drop(response);
    server.hung_up(1).await;

    // Of a request, before the head.
    let server = Server::start(vec![vec![Step::Read, Step::Hold]]).await;
    let client = client();
    let url = server.url("/");
    let early = tokio::time::timeout(SHORT, post(&client, &url)).await;
    assert!(early.is_err());
    server.hung_up(1).await;
}

#[tokio::test]
async fn pieces_that_are_there_together_come_together() {
    let data: Vec<String> = (0..50).map(|i| format!("data: {{\"chunk\":{i}}}\n\n")).collect();
    let mut answer = chunked_head("");
    for piece in &data {
        answer.extend(chunk(piece));
    }
    answer.extend(chunk(""));
    let server = Server::once(answer).await;
    let response = post(&client(), &server.url("/")).await.unwrap();
    let pieces: Vec<_> = response.body.coalesced(1 << 16).map(Result::unwrap).collect().await;
    assert_eq!(pieces.concat(), data.concat().as_bytes());
    assert!(pieces.len() <= 5, "{} pieces", pieces.len());

    let server =
        Server::once(concat(&[&chunked_head(""), &chunk("aaaa"), &chunk("bbbb"), &chunk("cc"), &chunk("")]))
            .await;
    let response = post(&client(), &server.url("/")).await.unwrap();
    let pieces: Vec<_> = response.body.coalesced(6).map(Result::unwrap).collect().await;
    assert!(pieces.iter().all(|piece| piece.len() <= 8), "{pieces:?}");
    assert_eq!(pieces.concat(), b"aaaabbbbcc");
}

#[tokio::test]
async fn a_piece_is_not_held_back_for_the_next_one() {
    let server = Server::start(vec![vec![
        Step::Read,
        Step::Write(concat(&[&chunked_head(""), &chunk("first")])),
        Step::Hold,
    ]])
    .await;
    let response = post(&client(), &server.url("/")).await.unwrap();
    let mut pieces = response.body.coalesced(1 << 16);
    assert_eq!(pieces.next().await.unwrap().unwrap(), "first");
}

/// What waits for something in a body can say until when, whatever else comes.
#[tokio::test]
async fn a_deadline_holds_whatever_pieces_come_before_it() {
    let pings = chunk(": ping\n\n").repeat(40);
    let answer = concat(&[&chunked_head(""), &pings, &chunk("token"), &chunk("")]);
    let server = Server::start(vec![vec![Step::Read, Step::Drip(answer, Duration::from_millis(1))]]).await;
    for coalesce in [false, true] {
        let mut response = post(&client(), &server.url("/")).await.unwrap();
        let deadline = Some(std::time::Instant::now() + SHORT);
        let items: Vec<_> = if coalesce {
            let mut pieces = response.body.coalesced(1 << 16);
            pieces.set_deadline(deadline);
            pieces.collect().await
        } else {
            response.body.set_deadline(deadline);
            StreamExt::collect(response.body).await
        };
        assert!(items.len() > 1, "pieces come until then");
        let error = items.into_iter().find_map(Result::err).unwrap();
        assert_eq!(error.kind(), NetErrorKind::FirstByteTimeout, "{error}");
        assert!(error.to_string().contains("did not come to the point"), "{error}");
    }
    // Taken back in time, it is as if it had never been.
    let mut response = post(&client(), &server.url("/")).await.unwrap();
    response.body.set_deadline(Some(std::time::Instant::now() + SHORT));
    assert_eq!(response.body.next().await.unwrap().unwrap(), ":");
    response.body.set_deadline(None);
    assert!(response.body.collect(1 << 16).await.unwrap().ends_with(b"token"));
}
