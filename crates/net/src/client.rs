//! One request, one answer.

use crate::cassette::Play;
use crate::connect::Connector;
use crate::dial::{Born, refusal};
use crate::error::before_head;
use crate::idle::Timer;
use crate::proxy::is_https;
use crate::{Body, Cassette, ClientOptions, Egress, NetError, NetErrorKind, Proxy, Timeouts, Url, tls};
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, PROXY_AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
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
    egress: Option<Arc<Egress>>,
    proxy: Option<Arc<Proxy>>,
    cassette: Option<Cassette>,
}

impl Client {
    /// A client with its own pool. Fails only where no certificate can be trusted.
    pub fn new(options: ClientOptions) -> Result<Self, NetError> {
        let tls = tls::config(options.roots, &options.extra_roots)?;
        let (egress, proxy) = (options.egress.map(Arc::new), options.proxy.map(Arc::new));
        let connector = Connector::new(tls, egress.clone(), proxy.clone(), options.connect_timeout);
        let pool = legacy::Client::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(options.pool_idle_timeout)
            .pool_max_idle_per_host(options.pool_idle_per_host)
            .http2_keep_alive_interval(Some(Duration::from_secs(30)))
            .build(connector);
        Ok(Self { pool, user_agent: options.user_agent, egress, proxy, cassette: options.cassette })
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
        if let Some(egress) = &self.egress {
            egress.check(request.url)?;
        }
        match &self.cassette {
            None => self.exchange(&method, &request).await,
            Some(cassette) => Box::pin(self.with_cassette(cassette, &method, &request)).await,
        }
    }

    async fn with_cassette(
        &self,
        cassette: &Cassette,
        method: &Method,
        request: &Request<'_>,
    ) -> Result<Response, NetError> {
        match cassette.play(method, request)? {
            Play::Recorded(recorded) => recorded.respond(request).await,
            Play::Live(tap) => Ok(tap.onto(self.exchange(method, request).await?)),
        }
    }

    async fn exchange(&self, method: &Method, request: &Request<'_>) -> Result<Response, NetError> {
        let mut timer = Timer::new(request.timeouts.first_byte, request.timeouts.idle);
        let asks_proxy = self.proxy.as_deref().filter(|proxy| {
            let uri = request.url.uri();
            !is_https(uri) && proxy.serves(uri)
        });
        let target = request.url.shared_target();
        let mut retried = false;
        loop {
            let sent_at = Instant::now();
            match self.attempt(method, request, asks_proxy, &mut timer).await {
                Ok(response) => {
                    let (head, incoming) = response.into_parts();
                    if let (Some(proxy), StatusCode::PROXY_AUTHENTICATION_REQUIRED) =
                        (asks_proxy, head.status)
                    {
                        let why = refusal(head.status.as_u16());
                        let message =
                            format!("no way to {target} through the proxy {}: {why}", proxy.target());
                        return Err(NetError::new(NetErrorKind::Proxy, target.clone(), message));
                    }
                    let body = Body::new(incoming, timer, request.timeouts.idle, target.clone());
                    return Ok(Response { status: head.status, headers: head.headers, body });
                }
                Err(Failure::Late) => return Err(late(request.url, request.timeouts)),
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
        asks_proxy: Option<&Proxy>,
        timer: &mut Timer,
    ) -> Result<http::Response<Incoming>, Failure> {
        let mut message = http::Request::new(Full::new(request.body.clone()));
        *message.method_mut() = method.clone();
        *message.uri_mut() = request.url.uri().clone();
        let mut headers = request.headers.clone();
        headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
        headers.entry(USER_AGENT).or_insert_with(|| self.user_agent.clone());
        if let Some(authorization) = asks_proxy.and_then(Proxy::authorization) {
            headers.insert(PROXY_AUTHORIZATION, authorization.clone());
        }
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

/// The head of the answer did not come in time.
pub(crate) fn late(url: &Url, timeouts: Timeouts) -> NetError {
    let message = format!("{} did not answer within {:?}", url.target(), timeouts.first_byte);
    NetError::new(NetErrorKind::FirstByteTimeout, url.shared_target().clone(), message)
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
