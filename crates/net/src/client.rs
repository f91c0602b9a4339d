//! One request, one answer.

use crate::connect::{Born, Connector};
use crate::error::before_head;
use crate::idle::Timer;
use crate::{Body, NetError, NetErrorKind, Url};
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::ConfigBuilderExt;
use hyper_util::client::legacy;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

/// A pooled connection that was closed under a request is retried only if it shows this soon; a server that
/// takes longer may have worked on the request.
const STALE_WITHIN: Duration = Duration::from_secs(1);

/// How a client connects.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// For name, TCP and TLS together.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept.
    pub pool_idle_timeout: Duration,
    /// How many unused connections are kept for one host.
    pub pool_idle_per_host: usize,
    /// Whose certificates are trusted.
    pub roots: Roots,
    /// The `user-agent` of requests that set none.
    pub user_agent: HeaderValue,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            pool_idle_timeout: Duration::from_mins(1),
            pool_idle_per_host: 256,
            roots: Roots::Bundled,
            user_agent: HeaderValue::from_static(concat!("hanok/", env!("CARGO_PKG_VERSION"))),
        }
    }
}

/// Whose certificates are trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Roots {
    /// Mozilla's, compiled in.
    Bundled,
    /// The system's store.
    System,
}

/// How long a request may wait for each next thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// From the request to the head of the answer, a new connection included.
    pub first_byte: Duration,
    /// Between two pieces of the body.
    pub idle: Duration,
}

impl Default for Timeouts {
    /// Ten minutes to the head, since an answer that is not streamed has none before it is complete; five
    /// between pieces, since models that think may be silent.
    fn default() -> Self {
        Self { first_byte: Duration::from_mins(10), idle: Duration::from_mins(5) }
    }
}

/// A request.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// Where to.
    pub url: &'a Url,
    /// The headers; `host`, `content-length`, `accept-encoding` and `user-agent` are added where absent.
    pub headers: &'a HeaderMap,
    /// The body; empty for none.
    pub body: Bytes,
    /// How long to wait.
    pub timeouts: Timeouts,
}

/// The head of an answer, and its body to come.
#[derive(Debug)]
pub struct Response {
    /// The status, of any class.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body. Dropping it before its end closes the connection.
    pub body: Body,
}

/// The client. Cheap to clone; clones share one pool of connections.
#[derive(Clone)]
pub struct Client {
    pool: legacy::Client<Connector, Full<Bytes>>,
    user_agent: HeaderValue,
}

impl Client {
    /// A client with its own pool. Fails only where the system's certificates cannot be read.
    pub fn new(options: ClientOptions) -> Result<Self, NetError> {
        let tls = tls_config(options.roots).map_err(|error| {
            NetError::new(NetErrorKind::Tls, "", format!("no trusted certificates: {error}"))
        })?;
        let pool = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(options.pool_idle_timeout)
            .pool_max_idle_per_host(options.pool_idle_per_host)
            .http2_keep_alive_interval(Some(Duration::from_secs(30)))
            .build(Connector::new(tls, options.connect_timeout));
        Ok(Self { pool, user_agent: options.user_agent })
    }

    /// Sends a POST; returns once the head of the answer is there, whatever its status.
    pub async fn post(&self, request: Request<'_>) -> Result<Response, NetError> {
        self.send(Method::POST, request).await
    }

    /// Sends a GET; returns once the head of the answer is there, whatever its status.
    pub async fn get(&self, request: Request<'_>) -> Result<Response, NetError> {
        self.send(Method::GET, request).await
    }

    /// Sends a request of any method.
    ///
    /// A kept connection that the server closes at once, before a byte of an answer, was most likely closed
    /// already when it was taken from the pool: the request is sent once more, on another.
    pub async fn send(&self, method: Method, request: Request<'_>) -> Result<Response, NetError> {
        let mut timer = Timer::new(request.timeouts.first_byte, request.timeouts.idle);
        let target = request.url.shared_target();
        let mut retried = false;
        loop {
            let sent_at = Instant::now();
            match self.attempt(&method, &request, &mut timer).await {
                Ok(response) => {
                    let (head, incoming) = response.into_parts();
                    let body = Body::new(incoming, timer, request.timeouts.idle, target.clone());
                    return Ok(Response { status: head.status, headers: head.headers, body });
                }
                Err(Failure::Late) => {
                    let allowed = request.timeouts.first_byte;
                    let message = format!("{target} did not answer within {allowed:?}");
                    return Err(NetError::new(NetErrorKind::FirstByteTimeout, target.clone(), message));
                }
                Err(Failure::Hyper(error)) => {
                    let pooled = was_pooled(&error, sent_at);
                    let error = before_head(error, target);
                    let stale =
                        error.kind() == NetErrorKind::Closed && pooled && sent_at.elapsed() < STALE_WITHIN;
                    if retried || !stale {
                        return Err(error);
                    }
                    tracing::debug!(%target, "a kept connection was closed; the request is sent on another");
                    retried = true;
                }
            }
        }
    }

    async fn attempt(
        &self,
        method: &Method,
        request: &Request<'_>,
        timer: &mut Timer,
    ) -> Result<http::Response<Incoming>, Failure> {
        let mut message = http::Request::new(Full::new(request.body.clone()));
        *message.method_mut() = method.clone();
        *message.uri_mut() = request.url.uri().clone();
        let mut headers = request.headers.clone();
        headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
        headers.entry(USER_AGENT).or_insert_with(|| self.user_agent.clone());
        *message.headers_mut() = headers;
        let mut answer = pin!(self.pool.request(message));
        poll_fn(|cx| match answer.as_mut().poll(cx) {
            Poll::Ready(result) => Poll::Ready(result.map_err(Failure::Hyper)),
            Poll::Pending => timer.poll_head(cx).map(|()| Err(Failure::Late)),
        })
        .await
    }
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").finish_non_exhaustive()
    }
}

enum Failure {
    Late,
    Hyper(legacy::Error),
}

/// Whether the request that failed went over a connection that existed before it.
fn was_pooled(error: &legacy::Error, sent_at: Instant) -> bool {
    let Some(connected) = error.connect_info() else {
        return false;
    };
    let mut extras = http::Extensions::new();
    connected.get_extras(&mut extras);
    extras.get::<Born>().is_some_and(|born| born.0 < sent_at)
}

fn tls_config(roots: Roots) -> Result<rustls::ClientConfig, Box<dyn std::error::Error + Send + Sync>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config =
        rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    let config = match roots {
        Roots::Bundled => config.with_webpki_roots(),
        Roots::System => config.with_native_roots()?,
    };
    Ok(config.with_no_client_auth())
}
