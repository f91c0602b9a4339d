//! HTTP/1.1 to the letter: what is understood, what is refused, and which connections are used again.

use crate::echo::{Echo, Style, next_request};
use crate::server::{Server, Step, chunk, chunked_head, whole};
use crate::{LONG, client, concat, post};
use futures_util::future::join_all;
use hanok_net::{
    Client, ClientOptions, HeaderMap, Method, NetError, NetErrorKind, Request, Response, Timeouts, Url,
};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const UNHURRIED: Timeouts = Timeouts { connect: None, first_byte: LONG, idle: LONG };

async fn send(client: &Client, method: Method, url: &str, body: Vec<u8>) -> Result<Response, NetError> {
    let (url, headers) = (Url::parse(url).unwrap(), HeaderMap::new());
    let request = Request { url: &url, headers: &headers, body: body.into(), timeouts: UNHURRIED };
    client.send(method, request).await
}

async fn text(response: Response) -> String {
    String::from_utf8(response.body.collect(1 << 20).await.unwrap().to_vec()).unwrap()
}

/// Asks twice; the body of each answer, and whether the second came over the connection of the first.
async fn check_legal(method: Method, answer: &str, status: u16, body: &str, kept: bool) {
    let answer = answer.replace('\n', "\r\n").into_bytes();
    for split in [false, true] {
        let mut answering = vec![Step::Read];
        if split {
            answering.extend(answer.iter().map(|byte| Step::Write(vec![*byte])));
        } else {
            answering.push(Step::Write(answer.clone()));
        }
        // Where the connection is not kept, its close is part of the answer.
        let script = if kept { [&answering[..], &answering[..], &[Step::Hold]].concat() } else { answering };
        let server = Server::start(vec![script]).await;
        let client = client();
        for _ in 0..2 {
            let response = send(&client, method.clone(), &server.url("/"), Vec::new()).await.unwrap();
            assert_eq!(response.status.as_u16(), status);
            assert_eq!(text(response).await, body, "{}", String::from_utf8_lossy(&answer));
        }
        let used: Vec<usize> = server.seen().iter().map(|seen| seen.connection).collect();
        assert_eq!(used, [0, usize::from(!kept)], "{}", String::from_utf8_lossy(&answer));
    }
}

#[tokio::test]
async fn servers_may_be_odd() {
    let check = async |answer: &str, status, body: &str, kept| {
        check_legal(Method::GET, answer, status, body, kept).await;
    };
    check("HTTP/1.1 200 OK\ncontent-length: 2\n\nhi", 200, "hi", true).await;
    check("HTTP/1.1 200\ncontent-length: 2\n\nhi", 200, "hi", true).await;
    check("\n\nHTTP/1.1 200 Fine by me\nContent-LENGTH:2\n\nhi", 200, "hi", true).await;
    check("HTTP/1.1 299 Own\ncontent-length: 0\n\n", 299, "", true).await;
    check("HTTP/1.1 999 Odd\ncontent-length: 2, 2\ncontent-length: 2\n\nhi", 999, "hi", true).await;
    check("HTTP/1.1 204 No Content\n\n", 204, "", true).await;
    check("HTTP/1.1 304 Not Modified\ncontent-length: 7\n\n", 304, "", true).await;
    let interim = "HTTP/1.1 100 Continue\n\nHTTP/1.1 103 Early Hints\nlink: x\n\n";
    check(&format!("{interim}HTTP/1.1 200 OK\ncontent-length: 2\n\nhi"), 200, "hi", true).await;
    let chunked = "HTTP/1.1 200 OK\nTransfer-Encoding: Chunked\n\n";
    check(&format!("{chunked}1\nh\n001;x=\"y\"\ni\n0\n\n"), 200, "hi", true).await;
    check(&format!("{chunked}2\nhi\n0\nchecksum: abc\nother: def\n\n"), 200, "hi", true).await;
    check(&format!("{chunked}0\n\n"), 200, "", true).await;
    check("HTTP/1.0 200 OK\nconnection: Keep-Alive\ncontent-length: 2\n\nhi", 200, "hi", true).await;
    // Their end is the end of the connection, or they say that they close.
    check("HTTP/1.0 200 OK\ncontent-length: 2\n\nhi", 200, "hi", false).await;
    check("HTTP/1.0 200 OK\n\nhi", 200, "hi", false).await;
    check("HTTP/1.1 200 OK\n\nhi", 200, "hi", false).await;
    check("HTTP/1.1 200 OK\nconnection: keep-alive\n\nhi", 200, "hi", false).await;
    check("HTTP/1.1 200 OK\nconnection: x, close\ncontent-length: 2\n\nhi", 200, "hi", false).await;
    check(&chunked.replace("\n\n", "\nConnection: CLOSE\n\n2\nhi\n0\n\n"), 200, "hi", false).await;
    check_legal(Method::HEAD, "HTTP/1.1 200 OK\ncontent-length: 9\n\n", 200, "", true).await;
    check_legal(Method::HEAD, "HTTP/1.1 200 OK\ntransfer-encoding: chunked\n\n", 200, "", true).await;
    // Lines may end without CR in a head, though not where a size counts.
    let bare = Server::once("HTTP/1.1 200 OK\ncontent-length: 2\n\nhi").await;
    assert_eq!(text(post(&client(), &bare.url("/")).await.unwrap()).await, "hi");
}

#[tokio::test]
async fn servers_may_not_be_ambiguous() {
    let check = async |answer: &str, body: &str, why: &str| {
        let answer = answer.replace('\n', "\r\n");
        let server =
            Server::start(vec![vec![Step::Read, Step::Write(answer.clone().into()), Step::Hold]]).await;
        let error = match post(&client(), &server.url("/")).await {
            Err(error) => error,
            Ok(mut response) => {
                let mut got = Vec::new();
                loop {
                    match response.body.next().await.expect("an error") {
                        Ok(piece) => got.extend(piece),
                        Err(error) => {
                            assert_eq!(got, body.as_bytes(), "{answer}");
                            assert!(response.body.next().await.is_none());
                            break error;
                        }
                    }
                }
            }
        };
        assert_eq!(error.kind(), NetErrorKind::Protocol, "{answer}: {error}");
        assert!(error.to_string().contains(why), "{answer}: {error}");
        assert!(error.to_string().contains(&server.addr.to_string()), "{error}");
        server.hung_up(1).await;
    };
    let ok = "HTTP/1.1 200 OK\n";
    check("220 mail.example.com ESMTP\n", "", "its head is malformed").await;
    check("HTTP/1.1 abc\n\n", "", "its head is malformed").await;
    check("HTTP/3 200 OK\n\n", "", "its head is malformed").await;
    check(&format!("{ok}no colon\n\n"), "", "its head is malformed").await;
    check(&format!("{ok}a : b\n\n"), "", "its head is malformed").await;
    check(&format!("{ok}a: b\n folded\n\n"), "", "its head is malformed").await;
    check(&format!("{ok}{}\n", "a: b\n".repeat(200)), "", "its head is malformed").await;
    check(&format!("{ok}a: {}", "b".repeat(70 << 10)), "", "its head is larger than 64 KiB").await;
    check("HTTP/1.1 101 Switching Protocols\nupgrade: x\n\n", "", "changes to another protocol").await;
    check(&"HTTP/1.1 102 Processing\n\n".repeat(40), "", "does not come to its status").await;
    for length in ["1, 2", "-1", "+1", "0x1", "1x", "", "99999999999999999999"] {
        check(&format!("{ok}content-length: {length}\n\nhi"), "", "content-length is not one number").await;
    }
    check(&format!("{ok}content-length: 1\ncontent-length: 2\n\nhi"), "", "content-length is not one").await;
    let both = "content-length: 2\ntransfer-encoding: chunked\n\n2\nhi\n0\n\n";
    check(&format!("{ok}{both}"), "", "both a content-length and a transfer-encoding").await;
    for coding in
        ["gzip", "gzip, chunked", "chunked, chunked", "identity", "chunked, identity", "\u{b}chunked"]
    {
        let answer = format!("{ok}transfer-encoding: {coding}\n\n2\nhi\n0\n\n");
        let why = if coding.starts_with('\u{b}') { "its head is malformed" } else { "not plainly chunked" };
        check(&answer, "", why).await;
    }
    check("HTTP/1.0 200 OK\ntransfer-encoding: chunked\n\n0\n\n", "", "not plainly chunked").await;
    let chunked = format!("{ok}transfer-encoding: chunked\n\n2\nhi\n");
    check(&format!("{chunked}zz\n"), "hi", "size of a chunk is malformed").await;
    check(&format!("{chunked}-1\n"), "hi", "size of a chunk is malformed").await;
    check(&format!("{chunked}11111111111111111\n"), "hi", "size of a chunk is malformed").await;
    check(&format!("{chunked}2;{}", "x".repeat(5000)), "hi", "line of a chunk's size is too long").await;
    check(&format!("{chunked}2\nabcd\n"), "hiab", "does not end where its size says").await;
    check(&format!("{chunked}0\nx: {}", "x".repeat(17 << 10)), "hi", "trailers").await;
}

/// What comes behind a body is nobody's answer.
#[tokio::test]
async fn what_was_not_asked_for_is_never_an_answer() {
    let false_answer = whole("200 OK", "", "false");
    let chunks = concat(&[&chunked_head(""), &chunk("true"), &chunk("")]);
    for answer in [whole("200 OK", "", "true"), chunks, b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()] {
        // Right behind it.
        let both = concat(&[&answer, &false_answer]);
        let script = vec![Step::Read, Step::Write(both), Step::Hold];
        let server = Server::start(vec![script.clone(), script]).await;
        let client = client();
        for _ in 0..2 {
            assert_ne!(text(post(&client, &server.url("/")).await.unwrap()).await, "false");
        }
        let used: Vec<usize> = server.seen().iter().map(|seen| seen.connection).collect();
        assert_eq!(used, [0, 1]);
        server.hung_up(2).await;
    }
    // While the connection waits for its next request; or it is closed then.
    for late in [&false_answer[..], b"\r\n", b""] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (client, url) = (client(), format!("http://{}/", listener.local_addr().unwrap()));
        let serve = async || {
            let (mut stream, _) = listener.accept().await.unwrap();
            next_request(&mut stream, &mut Vec::new()).await.unwrap();
            stream.write_all(&whole("200 OK", "", "true")).await.unwrap();
            stream
        };
        let (mut first, response) = tokio::join!(serve(), async { post(&client, &url).await.unwrap() });
        assert_eq!(text(response).await, "true");
        if late.is_empty() {
            drop(first);
        } else {
            first.write_all(late).await.unwrap();
        }
        // The runtime looks at its sockets.
        tokio::task::yield_now().await;
        let (_second, response) = tokio::join!(serve(), async { post(&client, &url).await.unwrap() });
        assert_eq!(text(response).await, "true");
    }
}

#[tokio::test]
async fn as_many_connections_as_are_needed_at_once_and_no_more() {
    for style in [Style::Whole, Style::Chunks] {
        let server = Echo::start(style).await;
        let client = client();
        for at in 0..100 {
            let path = format!("/{at}");
            assert_eq!(text(post(&client, &server.url(&path)).await.unwrap()).await, path);
        }
        assert_eq!(server.connections(), 1);
        let ask = async |who: usize| {
            for at in 0..20 {
                let path = format!("/{who}/{at}");
                assert_eq!(text(post(&client, &server.url(&path)).await.unwrap()).await, path);
            }
        };
        join_all((0..16).map(ask)).await;
        assert!(server.connections() <= 16, "{}", server.connections());
        assert_eq!(server.requests().len(), 100 + 16 * 20);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn answers_do_not_get_mixed_up_whoever_lets_go_when() {
    let server = Arc::new(Echo::start(Style::Chunks).await);
    let client = client();
    let whole_ones = Arc::new(AtomicUsize::new(0));
    let tasks = (0..8).map(|who| {
        let (server, client, whole_ones) = (server.clone(), client.clone(), whole_ones.clone());
        tokio::spawn(async move {
            for at in 0..60 {
                let path = format!("/{who}/{at}");
                let url = server.url(&path);
                let mut response = post(&client, &url).await.unwrap();
                let mut got = Vec::new();
                // Some let go in the middle.
                let most = if at % 3 == 0 { at % 5 } else { usize::MAX };
                while got.len() < most
                    && let Some(piece) = response.body.next().await
                {
                    got.extend(piece.unwrap());
                }
                assert!(path.as_bytes().starts_with(&got), "{path}: {}", String::from_utf8_lossy(&got));
                if most == usize::MAX {
                    assert_eq!(got, path.as_bytes());
                    whole_ones.fetch_add(1, Ordering::Relaxed);
                }
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(whole_ones.load(Ordering::Relaxed), 8 * 40);
}

/// A request that is let go of at any of its steps leaves nothing behind for the next one.
#[tokio::test]
async fn letting_go_at_any_step_is_safe() {
    let server = Echo::start(Style::Chunks).await;
    let client = client();
    for steps in 0..40 {
        for path in ["/dropped", "/kept"] {
            let url = server.url(path);
            let mut asking = pin!(async { text(post(&client, &url).await.unwrap()).await });
            for _ in 0..steps {
                let mut cx = std::task::Context::from_waker(std::task::Waker::noop());
                if asking.as_mut().poll(&mut cx).is_ready() {
                    break;
                }
                tokio::task::yield_now().await;
            }
        }
        let path = format!("/{steps}");
        assert_eq!(text(post(&client, &server.url(&path)).await.unwrap()).await, path);
    }
}

#[tokio::test]
async fn unused_connections_are_closed() {
    // Beyond the number that is kept.
    let script = vec![Step::Read, Step::Write(whole("200 OK", "", "hi")), Step::Hold];
    let server = Server::start(vec![script.clone()]).await;
    let few = Client::new(ClientOptions { pool_idle_per_host: 1, ..ClientOptions::default() }).unwrap();
    let url = server.url("/");
    let responses = join_all((0..4).map(|_| post(&few, &url))).await;
    for response in responses {
        assert_eq!(text(response.unwrap()).await, "hi");
    }
    server.hung_up(3).await;
    assert_eq!(server.seen().len(), 4);

    // After a while, without any further request.
    let server = Server::start(vec![script]).await;
    let options = ClientOptions { pool_idle_timeout: Duration::from_millis(30), ..ClientOptions::default() };
    let brief = Client::new(options).unwrap();
    for round in 1..=2 {
        assert_eq!(text(post(&brief, &server.url("/")).await.unwrap()).await, "hi");
        server.hung_up(round).await;
    }

    // With the last clone of the client.
    let script = vec![Step::Read, Step::Write(whole("200 OK", "", "hi")), Step::Hold];
    let server = Server::start(vec![script]).await;
    let client = client();
    assert_eq!(text(post(&client, &server.url("/")).await.unwrap()).await, "hi");
    drop(client);
    server.hung_up(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_closes_behind_every_answer_is_no_failure() {
    let server = Arc::new(Echo::start(Style::Closes).await);
    let client = client();
    let tasks = (0..8).map(|who| {
        let (server, client) = (server.clone(), client.clone());
        tokio::spawn(async move {
            for at in 0..50 {
                let path = format!("/{who}/{at}");
                assert_eq!(text(post(&client, &server.url(&path)).await.unwrap()).await, path);
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(server.requests().len(), 400, "none was answered twice");
}

/// An answer that begins before the request is all sent, of a server that reads on, and of one that does not.
#[tokio::test]
async fn a_server_may_answer_before_it_has_read_the_request() {
    const LARGE: usize = 16 << 20;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let client = client();
    let reads_on = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(&concat(&[&chunked_head(""), &chunk("early ")])).await.unwrap();
        assert_eq!(next_request(&mut stream, &mut Vec::new()).await.as_deref(), Some("/"));
        stream.write_all(&concat(&[&chunk("late"), &chunk("")])).await.unwrap();
        // All was sent and read: it is used again.
        assert_eq!(next_request(&mut stream, &mut Vec::new()).await.as_deref(), Some("/"));
        stream.write_all(&whole("200 OK", "", "again")).await.unwrap();
    };
    let asks = async {
        let mut response = send(&client, Method::POST, &url, vec![b'x'; LARGE]).await.unwrap();
        assert_eq!(response.body.next().await.unwrap().unwrap(), "early ");
        assert_eq!(text(response).await, "late");
        assert_eq!(text(post(&client, &url).await.unwrap()).await, "again");
    };
    tokio::join!(reads_on, asks);

    let client = self::client();
    let does_not = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(&whole("413 Content Too Large", "", "too large")).await.unwrap();
        // The client neither sends the rest nor uses the connection again.
        let (mut other, _) = listener.accept().await.unwrap();
        assert_eq!(next_request(&mut other, &mut Vec::new()).await.as_deref(), Some("/"));
        other.write_all(&whole("200 OK", "", "hi")).await.unwrap();
        let mut sent = 0;
        let mut bytes = vec![0; 1 << 20];
        while let Ok(read) = stream.read(&mut bytes).await
            && read > 0
        {
            sent += read;
        }
        assert!(sent < LARGE, "{sent}");
    };
    let asks = async {
        let response = send(&client, Method::POST, &url, vec![b'x'; LARGE]).await.unwrap();
        assert_eq!(response.status.as_u16(), 413);
        assert_eq!(text(response).await, "too large");
        assert_eq!(text(post(&client, &url).await.unwrap()).await, "hi");
    };
    tokio::join!(does_not, asks);
}

/// What this process holds in memory, in bytes.
#[cfg(target_os = "linux")]
fn resident() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").unwrap();
    statm.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096
}

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_body_is_read_only_as_fast_as_it_is_taken() {
    const PART: usize = 1 << 20;
    const PARTS: usize = 100;
    for chunks in [false, true] {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        let (full, filled) = tokio::sync::oneshot::channel();
        let serving = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            next_request(&mut stream, &mut Vec::new()).await.unwrap();
            let (head, part, end) = if chunks {
                let part = concat(&[format!("{PART:x}\r\n").as_bytes(), &vec![b'x'; PART], b"\r\n"]);
                (chunked_head(""), part, b"0\r\n\r\n".to_vec())
            } else {
                let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", PART * PARTS);
                (head.into_bytes(), vec![b'x'; PART], Vec::new())
            };
            stream.write_all(&head).await.unwrap();
            let (mut full, mut written) = (Some(full), 0);
            for _ in 0..PARTS {
                let mut rest = &part[..];
                while !rest.is_empty() {
                    stream.writable().await.unwrap();
                    match stream.try_write(rest) {
                        Ok(sent) => {
                            written += sent;
                            rest = &rest[sent..];
                        }
                        Err(error) => {
                            assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
                            if let Some(full) = full.take() {
                                full.send(written).unwrap();
                            }
                        }
                    }
                }
            }
            stream.write_all(&end).await.unwrap();
        });
        let response = post(&client(), &url).await.unwrap();
        let before = resident();
        // Nobody reads: the server comes as far as the sockets' buffers.
        let written = filled.await.unwrap();
        assert!(written < PART * PARTS / 2, "{written}");
        let mut body = response.body;
        let (mut total, mut most) = (0, 0);
        while let Some(piece) = body.next().await {
            let piece = piece.unwrap();
            assert!(piece.len() <= 128 << 10, "{}", piece.len());
            total += piece.len();
            most = most.max(resident());
        }
        assert_eq!(total, PART * PARTS);
        // Other tests are at work beside this one; held as a whole, it would still be more.
        assert!(most.saturating_sub(before) < PART * PARTS / 4 * 3, "{before} {most}");
        serving.await.unwrap();
    }
}
