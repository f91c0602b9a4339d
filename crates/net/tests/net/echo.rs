//! A server that says what it was asked, over connections that a test can look into.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// How the server writes and ends its answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// With their length.
    Whole,
    /// In chunks, each written by itself.
    Chunks,
    /// With their length, and closes behind each without a word.
    Closes,
}

/// The running server.
pub(crate) struct Echo {
    pub(crate) addr: SocketAddr,
    connections: Arc<AtomicUsize>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Echo {
    pub(crate) async fn start(style: Style) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let (connections, requests) = (Arc::new(AtomicUsize::new(0)), Arc::new(Mutex::new(Vec::new())));
        let server = Self { addr, connections: connections.clone(), requests: requests.clone() };
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, style, requests.clone()));
            }
        });
        server
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.addr)
    }
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::Relaxed)
    }
    pub(crate) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, style: Style, requests: Arc<Mutex<Vec<String>>>) {
    stream.set_nodelay(true).unwrap();
    let mut bytes = Vec::new();
    loop {
        let Some(path) = next_request(&mut stream, &mut bytes).await else { return };
        requests.lock().unwrap().push(path.clone());
        let answer = match style {
            Style::Whole | Style::Closes => {
                vec![format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n{path}", path.len())]
            }
            Style::Chunks => {
                let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_owned();
                let each = path.chars().map(|c| format!("1\r\n{c}\r\n"));
                [head].into_iter().chain(each).chain(["0\r\n\r\n".to_owned()]).collect()
            }
        };
        for part in answer {
            if stream.write_all(part.as_bytes()).await.is_err() {
                return;
            }
            tokio::task::yield_now().await;
        }
        if style == Style::Closes {
            return;
        }
    }
}

/// The path of the next request; its body, which is as long as it says, is read and let go.
pub(crate) async fn next_request<S: AsyncRead + Unpin>(
    stream: &mut S,
    bytes: &mut Vec<u8>,
) -> Option<String> {
    loop {
        if let Some(at) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..at].to_vec()).unwrap();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let end = at + 4 + length.map_or(0, |length| length.parse().unwrap());
            while bytes.len() < end {
                if stream.read_buf(bytes).await.ok()? == 0 {
                    return None;
                }
            }
            bytes.drain(..end);
            return Some(head.split(' ').nth(1).unwrap().to_owned());
        }
        if stream.read_buf(bytes).await.ok()? == 0 {
            return None;
        }
    }
}
