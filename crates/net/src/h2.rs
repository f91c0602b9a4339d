//! HTTP/2, spoken by hyper: one connection for all requests to a server, with a task of its own.

use crate::line::Line;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How often a connection with answers under way is asked whether it is alive.
const PING: Duration = Duration::from_secs(30);

/// A connection that many requests share. It closes when nobody holds it and all answers have ended.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    requests: SendRequest<Full<Bytes>>,
    used: Instant,
    /// Tells connections apart.
    identity: Arc<()>,
}

impl Shared {
    /// Opens the connection on a line on which HTTP/2 was agreed.
    pub(crate) async fn open(line: Line, now: Instant) -> Result<Self, hyper::Error> {
        let mut builder = Builder::new(TokioExecutor::new());
        builder.timer(TokioTimer::new()).keep_alive_interval(PING);
        let (requests, connection) = builder.handshake(TokioIo::new(line)).await?;
        tokio::spawn(async move {
            // Each request that is on it is told by itself.
            if let Err(error) = connection.await {
                tracing::debug!("a connection ended: {error}");
            }
        });
        Ok(Self { requests, used: now, identity: Arc::default() })
    }

    /// The same, for one more request.
    pub(crate) fn used(&mut self, now: Instant) -> Self {
        self.used = now;
        self.clone()
    }

    /// Whether no request should follow: it is closed, or was not used for that long.
    pub(crate) fn is_over(&self, now: Instant, idle_timeout: Duration) -> bool {
        self.requests.is_closed() || now.saturating_duration_since(self.used) >= idle_timeout
    }

    pub(crate) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.identity, &other.identity)
    }

    /// Sends a request, and gives the answer once its head is there.
    pub(crate) async fn exchange(
        &mut self,
        request: http::Request<Full<Bytes>>,
    ) -> Result<http::Response<Incoming>, hyper::Error> {
        self.requests.ready().await?;
        self.requests.send_request(request).await
    }
}
