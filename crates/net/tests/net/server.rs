//! A server that does exactly what a test tells it to, connection by connection.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// What a connection does next.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Reads one request, head and body.
    Read,
    /// Writes these bytes at once.
    Write(Vec<u8>),
    /// Writes these bytes one by one, with a pause after each.
    Drip(Vec<u8>, Duration),
    /// Waits until the client closes the connection, and counts that.
    Hold,
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// The connection it came over, from 0.
    pub(crate) connection: usize,
    /// Request line and headers.
    pub(crate) head: String,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// The running server; stops with the runtime of the test.
#[derive(Clone)]
pub(crate) struct Server {
    /// Where it listens.
    pub(crate) addr: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    hangups: watch::Receiver<usize>,
}

impl Server {
    /// Each connection follows the script `scripts` has for its number; the last script serves all further
    /// ones. A script's end closes the connection.
    pub(crate) async fn start(scripts: Vec<Vec<Step>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let (hangup, hangups) = watch::channel(0);
        let hangup = Arc::new(hangup);
        let server = Self { addr, seen: seen.clone(), hangups };
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                stream.set_nodelay(true).unwrap();
                let script = scripts.get(connection).or(scripts.last()).cloned().unwrap_or_default();
                tokio::spawn(follow(stream, connection, script, seen.clone(), hangup.clone()));
            }
        });
        server
    }

    /// A server whose every connection reads a request, writes `answer`, and closes.
    #[allow(dead_code, reason = "this file serves the tests of two crates")]
    pub(crate) async fn once(answer: impl Into<Vec<u8>>) -> Self {
        Self::start(vec![vec![Step::Read, Step::Write(answer.into())]]).await
    }

    /// The URL of `path` here.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// Waits until `count` clients hung up on a connection that held.
    pub(crate) async fn hung_up(&self, count: usize) {
        self.hangups.clone().wait_for(|seen| *seen >= count).await.unwrap();
    }
}

async fn follow(
    mut stream: TcpStream,
    connection: usize,
    script: Vec<Step>,
    seen: Arc<Mutex<Vec<Seen>>>,
    hangup: Arc<watch::Sender<usize>>,
) {
    for step in script {
        match step {
            Step::Read => match read_request(&mut stream).await {
                Some((head, body)) => seen.lock().unwrap().push(Seen { connection, head, body }),
                None => return,
            },
            Step::Write(bytes) => {
                if stream.write_all(&bytes).await.is_err() {
                    return;
                }
            }
            Step::Drip(bytes, pause) => {
                for byte in bytes {
                    if stream.write_all(&[byte]).await.is_err() {
                        return;
                    }
                    tokio::time::sleep(pause).await;
                }
            }
            Step::Hold => {
                let mut rest = [0; 1024];
                while matches!(stream.read(&mut rest).await, Ok(n) if n > 0) {}
                hangup.send_modify(|count| *count += 1);
                return;
            }
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let head_end = loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
    };
    let body_start = bytes.split_off(head_end);
    let head = String::from_utf8(bytes).ok()?;
    let length = head
        .lines()
        .find_map(|line| {
            line.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().to_owned())
        })
        .map_or(0, |n| n.parse().unwrap());
    let mut body = body_start;
    while body.len() < length {
        if stream.read_buf(&mut body).await.ok()? == 0 {
            return None;
        }
    }
    Some((head, body))
}

/// A whole answer with its length.
#[allow(dead_code, reason = "this file serves the tests of two crates")]
pub(crate) fn whole(status: &str, headers: &str, body: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n{body}", body.len()).into_bytes()
}

/// The head of a chunked answer.
pub(crate) fn chunked_head(headers: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n{headers}\r\n").into_bytes()
}

/// One chunk of a chunked answer; the empty one ends it.
pub(crate) fn chunk(data: &str) -> Vec<u8> {
    format!("{:x}\r\n{data}\r\n", data.len()).into_bytes()
}
