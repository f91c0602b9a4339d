//! TLS and HTTP/2.

use crate::echo::next_request;
use crate::secure::{Authority, Secure};
use crate::server::{chunk, chunked_head};
use crate::{LONG, post};
use hanok_net::{
    Certificates, Client, ClientOptions, HeaderMap, NetErrorKind, Request, Response, Timeouts, Url,
};
use http::Version;
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpListener;

pub(crate) fn trusting(authority: &Authority) -> ClientOptions {
    ClientOptions { extra_roots: authority.certificates(), ..ClientOptions::default() }
}

#[tokio::test]
async fn an_own_authority_is_trusted_and_the_best_protocol_taken() {
    let authority = Authority::new("test");
    let check = async |protocols: &[&str], version: Version, connections: &[usize]| {
        let server = Secure::start(authority.acceptor(&["localhost"], protocols)).await;
        let client = Client::new(trusting(&authority)).unwrap();
        let url = format!("https://localhost:{}/v1/x?y=1", server.addr.port());
        for _ in 0..2 {
            let response = post(&client, &url).await.unwrap();
            assert_eq!(response.status.as_u16(), 200);
            assert_eq!(response.body.collect(10).await.unwrap(), "onetwo");
        }
        // Both at once: over HTTP/2 one connection carries both.
        let (one, two) = tokio::join!(post(&client, &url), post(&client, &url));
        assert_eq!(one.unwrap().body.collect(10).await.unwrap(), "onetwo");
        assert_eq!(two.unwrap().body.collect(10).await.unwrap(), "onetwo");
        let arrived = server.arrived();
        assert!(arrived.iter().all(|request| request.version == version), "{arrived:?}");
        assert!(arrived.iter().all(|request| request.url.ends_with("/v1/x?y=1")), "{arrived:?}");
        let mut used: Vec<usize> = arrived.iter().map(|request| request.connection).collect();
        used.sort_unstable();
        assert_eq!(used, connections, "{version:?}");
    };
    check(&["h2", "http/1.1"], Version::HTTP_2, &[0, 0, 0, 0]).await;
    check(&["http/1.1"], Version::HTTP_11, &[0, 0, 0, 1]).await;
    check(&[], Version::HTTP_11, &[0, 0, 0, 1]).await;
}

#[tokio::test]
async fn letting_go_of_an_http2_answer_ends_it_at_once_and_keeps_the_connection() {
    let authority = Authority::new("test");
    let server = Secure::start(authority.acceptor(&["localhost"], &["h2"])).await;
    let client = Client::new(trusting(&authority)).unwrap();
    let url = |path: &str| format!("https://localhost:{}{path}", server.addr.port());
    let mut response = post(&client, &url("/hold")).await.unwrap();
    assert_eq!(response.body.next().await.unwrap().unwrap(), "one");
    drop(response);
    server.let_go(1).await;
    let response = post(&client, &url("/")).await.unwrap();
    assert_eq!(response.body.collect(10).await.unwrap(), "onetwo");
    assert!(server.arrived().iter().all(|request| request.connection == 0));
}

#[tokio::test]
async fn what_is_wrong_with_a_certificate_is_said() {
    let (authority, other) = (Authority::new("one"), Authority::new("another"));
    let check = async |acceptor, options: ClientOptions, host: &str, part: &str| {
        let server = Secure::start(acceptor).await;
        let client = Client::new(ClientOptions { connect_timeout: LONG, ..options }).unwrap();
        let error = post(&client, &format!("https://{host}:{}/", server.addr.port())).await.unwrap_err();
        assert_eq!(error.kind(), NetErrorKind::Tls, "{error}");
        let message = error.to_string();
        assert!(message.starts_with(&format!("no secure connection to {host}:")), "{message}");
        assert!(message.contains(part), "{message}");
        assert!(server.arrived().is_empty());
    };
    let fine = || authority.acceptor(&["localhost"], &["h2"]);
    check(fine(), ClientOptions::default(), "localhost", "no trusted authority").await;
    check(fine(), trusting(&other), "localhost", "add that authority's certificate").await;
    check(fine(), trusting(&authority), "127.0.0.1", "not valid for name").await;
    check(authority.expired("localhost"), trusting(&authority), "localhost", "expired").await;
}

#[tokio::test]
async fn several_authorities_are_trusted_together() {
    let (one, two) = (Authority::new("one"), Authority::new("another"));
    let mut extra_roots = Certificates::default();
    for authority in [&one, &two] {
        extra_roots.extend(authority.certificates());
    }
    assert_eq!(extra_roots.len(), 2);
    let client = Client::new(ClientOptions { extra_roots, ..ClientOptions::default() }).unwrap();
    for authority in [&one, &two] {
        let server = Secure::start(authority.acceptor(&["127.0.0.1"], &[])).await;
        let response = post(&client, &format!("https://{}/", server.addr)).await.unwrap();
        assert_eq!(response.body.collect(10).await.unwrap(), "onetwo");
    }
}

#[tokio::test]
async fn large_bodies_go_both_ways_and_a_closed_line_is_replaced() {
    const LARGE: usize = 3 << 20;
    let authority = Authority::new("test");
    let acceptor = authority.acceptor(&["localhost"], &["http/1.1"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("https://localhost:{}/x", listener.local_addr().unwrap().port())).unwrap();
    let client = Client::new(trusting(&authority)).unwrap();
    let serve = async {
        // Two requests each, then the line is closed in order.
        for _ in 0..2 {
            let (stream, _) = listener.accept().await.unwrap();
            let mut stream = acceptor.accept(stream).await.unwrap();
            for _ in 0..2 {
                assert_eq!(next_request(&mut stream, &mut Vec::new()).await.as_deref(), Some("/x"));
                stream.write_all(&chunked_head("")).await.unwrap();
                for _ in 0..LARGE >> 15 {
                    stream.write_all(&chunk(&"y".repeat(1 << 15))).await.unwrap();
                }
                stream.write_all(&chunk("")).await.unwrap();
                stream.flush().await.unwrap();
            }
            stream.shutdown().await.unwrap();
        }
    };
    let ask = async {
        for _ in 0..4 {
            let (headers, timeouts) =
                (HeaderMap::new(), Timeouts { connect: None, first_byte: LONG, idle: LONG });
            let body = vec![b'x'; LARGE].into();
            let response: Response =
                client.post(Request { url: &url, headers: &headers, body, timeouts }).await.unwrap();
            assert_eq!(response.body.collect(LARGE).await.unwrap().len(), LARGE);
        }
    };
    tokio::join!(serve, ask);
}

/// A server may end a connection that is shared at any time, as long as it says so.
#[tokio::test]
async fn an_http2_connection_that_ends_is_replaced() {
    let authority = Authority::new("test");
    let acceptor = authority.acceptor(&["localhost"], &["h2"]);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let connections = Arc::new(AtomicUsize::new(0));
    let count = connections.clone();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            let stream = acceptor.accept(stream).await.unwrap();
            tokio::spawn(async move {
                let asked = Arc::new(tokio::sync::Notify::new());
                let told = asked.clone();
                let service = hyper::service::service_fn(move |_| {
                    told.notify_one();
                    async { Ok::<_, Infallible>(http::Response::new(Full::new(bytes::Bytes::from("hi")))) }
                });
                let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                let mut serving = std::pin::pin!(serving.serve_connection(TokioIo::new(stream), service));
                tokio::select! {
                    _ = serving.as_mut() => return,
                    () = asked.notified() => serving.as_mut().graceful_shutdown(),
                }
                drop(serving.await);
            });
        }
    });
    let client = Client::new(trusting(&authority)).unwrap();
    for _ in 0..20 {
        let response = post(&client, &url).await.unwrap();
        assert_eq!(response.body.collect(10).await.unwrap(), "hi");
    }
    assert!(connections.load(Ordering::Relaxed) > 1);
}
