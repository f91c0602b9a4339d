//! One connection to the program.

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;

pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    host: String,
}

/// A good answer, and how long it took.
pub(crate) struct Answer {
    pub(crate) body: Bytes,
    pub(crate) took: Duration,
}

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).await.with_context(|| format!("connecting to {address}"))?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, host: address.to_string() })
    }

    pub(crate) async fn get(&mut self, path: &str) -> Result<Answer> {
        self.ask(Method::GET, path, "text/html, application/json", Bytes::new()).await
    }

    /// Spans, until they are taken: a door that is full for a moment says so.
    pub(crate) async fn send(&mut self, spans: &Bytes) -> Result<Answer> {
        self.ask(Method::POST, "/v1/traces", "application/x-protobuf", spans.clone()).await
    }

    async fn ask(&mut self, method: Method, path: &str, kind: &str, body: Bytes) -> Result<Answer> {
        let began = Instant::now();
        loop {
            self.sender.ready().await?;
            let request = Request::builder()
                .method(method.clone())
                .uri(path)
                .header("host", &self.host)
                .header("accept", kind)
                .header("content-type", kind)
                .body(Full::new(body.clone()))?;
            let response = self.sender.send_request(request).await?;
            let status = response.status();
            let body = response.into_body().collect().await?.to_bytes();
            if [StatusCode::SERVICE_UNAVAILABLE, StatusCode::TOO_MANY_REQUESTS].contains(&status) {
                ensure!(began.elapsed() < Duration::from_mins(1), "{path} is full for a minute");
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            ensure!(status == StatusCode::OK, "{path} answered {status}: {}", String::from_utf8_lossy(&body));
            return Ok(Answer { body, took: began.elapsed() });
        }
    }
}
