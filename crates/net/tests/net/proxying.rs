//! The way through a proxy, and the rules on where the way may lead.

use crate::encrypted::trusting;
use crate::secure::{Authority, Secure};
use crate::server::{Server, Step, chunk, chunked_head, whole};
use crate::{LONG, SHORT, post};
use hanok_net::{Client, ClientOptions, Egress, NetErrorKind, Proxy};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

/// What is not in any name service; the proxy knows it.
const NAME: &str = "api.example.invalid";

/// How a proxy answers.
#[derive(Clone)]
enum Manner {
    /// It leads every request to one server, if the request says who asks where that is wanted.
    Lead { to: SocketAddr, wants: Option<&'static str> },
    /// It writes this and closes.
    Write(&'static str),
    /// It does nothing.
    Stall,
}

struct TestProxy {
    addr: SocketAddr,
    heads: Arc<Mutex<Vec<String>>>,
}

impl TestProxy {
    async fn start(manner: Manner, tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let heads = Arc::new(Mutex::new(Vec::new()));
        let seen = heads.clone();
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (manner, seen, tls) = (manner.clone(), seen.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, manner, &seen).await,
                        Some(tls) => serve(tls.accept(stream).await.unwrap(), manner, &seen).await,
                    }
                });
            }
        });
        Self { addr, heads }
    }

    fn heads(&self) -> Vec<String> {
        self.heads.lock().unwrap().clone()
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, manner: Manner, seen: &Mutex<Vec<String>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    seen.lock().unwrap().push(head.clone());
    match manner {
        Manner::Stall => while stream.read_u8().await.is_ok() {},
        Manner::Write(text) => stream.write_all(text.as_bytes()).await.unwrap(),
        Manner::Lead { wants: Some(wants), .. } if !head.contains(wants) => {
            let refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n";
            stream.write_all(refusal).await.unwrap();
        }
        Manner::Lead { to, .. } => {
            let mut to = TcpStream::connect(to).await.unwrap();
            if head.starts_with("CONNECT ") {
                stream.write_all(b"HTTP/1.1 200 Connection established\r\nvia: x\r\n\r\n").await.unwrap();
            } else {
                to.write_all(head.as_bytes()).await.unwrap();
            }
            drop(tokio::io::copy_bidirectional(&mut stream, &mut to).await);
        }
    }
}

fn through(proxy: &str, options: ClientOptions) -> Client {
    Client::new(ClientOptions { proxy: Some(Proxy::parse(proxy).unwrap()), ..options }).unwrap()
}

#[tokio::test]
async fn https_goes_through_a_tunnel() {
    let authority = Authority::new("test");
    let server = Secure::start(authority.acceptor(&[NAME], &["h2", "http/1.1"])).await;
    let check = async |tls: Option<TlsAcceptor>, credentials: &str, header: Option<&'static str>| {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let proxy = TestProxy::start(Manner::Lead { to: server.addr, wants: header }, tls).await;
        let address = format!("{scheme}://{credentials}localhost:{}", proxy.addr.port());
        let client = through(&address, trusting(&authority));
        for _ in 0..2 {
            let response = post(&client, &format!("https://{NAME}/v1")).await.unwrap();
            assert_eq!(response.body.collect(10).await.unwrap(), "onetwo");
        }
        let heads = proxy.heads();
        assert_eq!(heads.len(), 1, "the tunnel is kept: {heads:?}");
        assert!(
            heads[0].starts_with(&format!("CONNECT {NAME}:443 HTTP/1.1\r\nhost: {NAME}:443\r\n")),
            "{heads:?}"
        );
        assert_eq!(heads[0].contains("proxy-authorization"), header.is_some(), "{heads:?}");
    };
    check(None, "", None).await;
    check(None, "user:p%40ss@", Some("\r\nproxy-authorization: Basic dXNlcjpwQHNz\r\n")).await;
    // A proxy behind TLS would speak no HTTP/2 to a client that asks for a tunnel in HTTP/1.1.
    check(Some(authority.acceptor(&["localhost"], &["h2", "http/1.1"])), "", None).await;
    let arrived = server.arrived();
    assert!(arrived.iter().all(|request| request.version == http::Version::HTTP_2), "{arrived:?}");
    assert_eq!(arrived.len(), 6);
}

#[tokio::test]
async fn http_is_asked_of_the_proxy_with_its_whole_url() {
    let answer = || Step::Write([chunked_head(""), chunk("pong"), chunk("")].concat());
    let server = Server::start(vec![vec![Step::Read, answer(), Step::Read, answer()]]).await;
    let authority = Authority::new("test");
    let header = "\r\nproxy-authorization: Basic dTpw\r\n";
    for tls in [None, Some(authority.acceptor(&["localhost"], &[]))] {
        let scheme = if tls.is_some() { "https" } else { "http" };
        let proxy = TestProxy::start(Manner::Lead { to: server.addr, wants: Some(header) }, tls).await;
        let address = format!("{scheme}://u:p@localhost:{}", proxy.addr.port());
        let client = through(&address, trusting(&authority));
        for _ in 0..2 {
            let response = post(&client, &format!("http://{NAME}:8080/v1?x=1")).await.unwrap();
            assert_eq!(response.body.collect(10).await.unwrap(), "pong");
        }
        assert_eq!(proxy.heads().len(), 1);
    }
    for seen in server.seen() {
        assert!(
            seen.head.starts_with(&format!("POST http://{NAME}:8080/v1?x=1 HTTP/1.1\r\n")),
            "{}",
            seen.head
        );
        assert!(
            seen.head.contains(header) && seen.head.contains(&format!("\r\nhost: {NAME}:8080\r\n")),
            "{}",
            seen.head
        );
        assert_eq!(seen.body, b"ping");
    }
    assert_eq!(server.seen().len(), 4);
}

#[tokio::test]
async fn this_machine_and_the_exceptions_are_reached_directly() {
    let server = Server::once(whole("200 OK", "", "direct")).await;
    let proxy =
        TestProxy::start(Manner::Write("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nproxy"), None).await;
    let plain = || Proxy::parse(&format!("http://u:hunter2@{}", proxy.addr)).unwrap();
    let check = async |proxy: Proxy, expect: &str| {
        let client = Client::new(ClientOptions { proxy: Some(proxy), ..ClientOptions::default() }).unwrap();
        let response = post(&client, &server.url("/")).await.unwrap();
        assert_eq!(response.body.collect(10).await.unwrap(), expect);
    };
    check(plain(), "direct").await;
    check(plain().also_for_loopback(), "proxy").await;
    check(plain().also_for_loopback().except(["127.0.0.0/8"]).unwrap(), "direct").await;
    assert!(server.seen().iter().all(|seen| !seen.head.contains("proxy-authorization")));
}

#[tokio::test]
async fn what_a_proxy_does_wrong_is_said_without_its_password() {
    let unused = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let check = async |manner: Option<Manner>, url: &str, kind: NetErrorKind, part: &str| {
        let addr = match manner {
            Some(manner) => TestProxy::start(manner, None).await.addr,
            None => unused,
        };
        let stalls = kind == NetErrorKind::ConnectTimeout;
        let connect_timeout = if stalls { SHORT } else { LONG };
        let options = ClientOptions { connect_timeout, ..ClientOptions::default() };
        let client = through(&format!("http://user:hunter2@{addr}"), options);
        let error = post(&client, url).await.unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        let message = format!("{error} {error:?}");
        assert!(message.contains(part) && message.contains(&addr.to_string()), "{message}");
        assert!(message.contains(NAME) && error.target().starts_with(NAME), "{message}");
        for secret in ["hunter2", "dXNlcjpodW50ZXIy"] {
            assert!(!message.contains(secret), "{message}");
        }
    };
    let (https, http) = (format!("https://{NAME}/"), format!("http://{NAME}/"));
    let wants = || Some(Manner::Lead { to: unused, wants: Some("nothing like this") });
    check(None, &https, NetErrorKind::Proxy, "connection refused").await;
    check(None, &http, NetErrorKind::Proxy, "connection refused").await;
    check(wants(), &https, NetErrorKind::Proxy, "user and password").await;
    check(wants(), &http, NetErrorKind::Proxy, "user and password").await;
    let write = |text| Some(Manner::Write(text));
    check(write("HTTP/1.1 403 No\r\n\r\n"), &https, NetErrorKind::Proxy, "status 403").await;
    check(write(""), &https, NetErrorKind::Proxy, "before it answered").await;
    check(write("HTTP/1.1 200 OK\r\n"), &https, NetErrorKind::Proxy, "before it answered").await;
    check(write("SSH-2.0-x\r\n\r\n"), &https, NetErrorKind::Proxy, "not HTTP").await;
    check(write("HTTP/1.1 200 OK\r\n\r\nhello"), &https, NetErrorKind::Proxy, "something of its own").await;
    let endless = Box::leak(format!("HTTP/1.1 200 OK\r\nx: {}", "y".repeat(20_000)).into_boxed_str());
    check(write(endless), &https, NetErrorKind::Proxy, "does not end").await;
    check(Some(Manner::Stall), &https, NetErrorKind::ConnectTimeout, "within 60ms through the proxy").await;
}

#[tokio::test]
async fn only_allowed_servers_are_reached() {
    let server = Server::once(whole("200 OK", "", "hi")).await;
    let port = server.addr.port();
    let check = async |egress: Egress, host: &str, refused: Option<&str>| {
        let options = ClientOptions { egress: Some(egress), ..ClientOptions::default() };
        let before = server.seen().len();
        let got = post(&Client::new(options).unwrap(), &format!("http://{host}:{port}/")).await;
        match (got, refused) {
            (Ok(response), None) => assert_eq!(response.body.collect(10).await.unwrap(), "hi"),
            (Err(error), Some(part)) => {
                assert_eq!(error.kind(), NetErrorKind::Forbidden, "{host}: {error}");
                let message = error.to_string();
                assert!(message.starts_with(&format!("{host}:{port} may not be reached: ")), "{message}");
                assert!(message.contains(part), "{message}");
                assert_eq!(server.seen().len(), before);
            }
            (got, _) => panic!("{host}: {got:?}"),
        }
    };
    let only = |host: &str| Egress::only([host]).unwrap();
    check(only("127.0.0.1"), "127.0.0.1", None).await;
    check(only(&format!("127.0.0.1:{port}")), "127.0.0.1", None).await;
    check(only("127.0.0.1:1"), "127.0.0.1", Some("not among the allowed hosts")).await;
    check(only("127.0.0.1"), "localhost", Some("not among the allowed hosts")).await;
    // A host that was named as itself may be an inner one.
    check(only("127.0.0.1").refuse_private(), "127.0.0.1", None).await;
    check(only("localhost").refuse_private(), "localhost", None).await;
    // A name that comes to mean an inner address: the system's resolver reads `127.1` as 127.0.0.1.
    check(only("127.1"), "127.1", None).await;
    check(only("127.1").refuse_private(), "127.1", Some("127.0.0.1 is a loopback address")).await;
    check(only("api.example.com").allow_private("127.1").unwrap().refuse_private(), "127.1", None).await;
    let public = || Egress::default().refuse_private();
    check(public(), "127.1", Some("127.0.0.1 is a loopback address")).await;
    check(public(), "localhost", Some("is a loopback address")).await;
    check(public(), "127.0.0.1", Some("127.0.0.1 is a loopback address")).await;
    check(public(), "[::ffff:7f00:1]", Some("a loopback address")).await;
    check(public().allow("127.0.0.1").unwrap(), "127.0.0.1", None).await;
}

#[tokio::test]
async fn the_proxy_itself_need_not_be_allowed() {
    let server = Server::once(whole("200 OK", "", "hi")).await;
    let proxy = TestProxy::start(Manner::Lead { to: server.addr, wants: None }, None).await;
    let egress = Some(Egress::only([NAME]).unwrap().refuse_private());
    let client = through(
        &format!("http://localhost:{}", proxy.addr.port()),
        ClientOptions { egress, ..ClientOptions::default() },
    );
    let response = post(&client, &format!("http://{NAME}/")).await.unwrap();
    assert_eq!(response.body.collect(10).await.unwrap(), "hi");
    let error = post(&client, "http://other.example.invalid/").await.unwrap_err();
    assert_eq!(error.kind(), NetErrorKind::Forbidden);
    // An address is known without a resolver.
    let private = Egress::default().refuse_private();
    let options = ClientOptions { egress: Some(private), ..ClientOptions::default() };
    let client = through(&format!("http://{}", proxy.addr), options);
    assert_eq!(post(&client, "http://10.0.0.1/").await.unwrap_err().kind(), NetErrorKind::Forbidden);
}
