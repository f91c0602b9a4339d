//! One request, one answer.

use crate::body::Source;
use crate::cassette::Play;
use crate::connect::Connector;
use crate::dial::refusal;
use crate::error::{before_head, unconnected};
use crate::h1::answer::Answer;
use crate::h1::connection::Connection;
use crate::h1::head::Ask;
use crate::h2::Shared;
use crate::idle::Timer;
use crate::pool::{Kept, Place, Pool};
use crate::proxy::is_https;
use crate::{Body, Cassette, ClientOptions, Egress, NetError, NetErrorKind, Proxy, Timeouts, Url, tls};
use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use http_body_util::Full;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;
use std::time::{Duration, Instant};

/// A request whose kept connection was closed is sent again only if that shows this soon; a server that takes
/// longer may have worked on it.
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
    connector: Arc<Connector>,
    pool: Arc<Pool>,
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
        let pool = Pool::new(options.pool_idle_per_host, options.pool_idle_timeout);
        let (connector, pool) = (Arc::new(connector), Arc::new(pool));
        Ok(Self {
            connector,
            pool,
            user_agent: options.user_agent,
            egress,
            proxy,
            cassette: options.cassette,
        })
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
        let (uri, target) = (request.url.uri(), request.url.shared_target());
        let mut timer = Timer::new(request.timeouts.first_byte, request.timeouts.idle);
        let asks_proxy = self.proxy.as_deref().filter(|proxy| !is_https(uri) && proxy.serves(uri));
        let ask =
            Ask { method, uri, headers: request.headers, user_agent: &self.user_agent, through: asks_proxy };
        let mut kept_too = true;
        loop {
            let sent_at = Instant::now();
            let mut attempt = pin!(self.attempt(ask, request, kept_too, sent_at));
            let attempted = poll_fn(|cx| match attempt.as_mut().poll(cx) {
                Poll::Ready(attempted) => Poll::Ready(Some(attempted)),
                Poll::Pending => timer.poll_head(cx).map(|()| None),
            });
            match attempted.await {
                None => return Err(late(request.url, request.timeouts)),
                Some(Ok((status, headers, source))) => {
                    if let (Some(proxy), StatusCode::PROXY_AUTHENTICATION_REQUIRED) = (asks_proxy, status) {
                        let why = refusal(status.as_u16());
                        let message =
                            format!("no way to {target} through the proxy {}: {why}", proxy.target());
                        return Err(NetError::new(NetErrorKind::Proxy, target.clone(), message));
                    }
                    let body = Body::new(source, timer, request.timeouts.idle, target.clone());
                    return Ok(Response { status, headers, body });
                }
                Some(Err(failure)) if failure.stale && sent_at.elapsed() < STALE_WITHIN => {
                    tracing::debug!(%target, "a kept connection was closed; the request is sent on another");
                    // Where one is stale, others are.
                    kept_too = false;
                }
                Some(Err(failure)) => return Err(failure.error),
            }
        }
    }

    /// Sends the request once: on a connection that was kept, if `kept_too` and there is one, else on a new
    /// one.
    async fn attempt(
        &self,
        ask: Ask<'_>,
        request: &Request<'_>,
        kept_too: bool,
        now: Instant,
    ) -> Result<(StatusCode, HeaderMap, Source), Failure> {
        let target = request.url.shared_target();
        let place = self.pool.place(is_https(ask.uri), target);
        let kept = if kept_too { place.take(now) } else { None };
        let pooled = kept.is_some();
        let on = match kept {
            Some(kept) => kept,
            None => Box::pin(self.connect(ask, target, request.timeouts.connect)).await?,
        };
        match on {
            Kept::Own(mut connection) => {
                let head = match connection.exchange(ask, request.body.clone()).await {
                    Ok(head) => head,
                    Err((fault, begun)) => {
                        let error = before_head(fault, target);
                        let stale = pooled && !begun && error.kind() == NetErrorKind::Closed;
                        return Err(Failure { error, stale });
                    }
                };
                let answer = Answer::new(connection, &head, place);
                Ok((head.status, head.headers, Source::Own(answer)))
            }
            Kept::Shared(shared) => {
                let shared = if pooled { shared } else { place.share(shared, now) };
                Box::pin(self.exchange_shared(ask, request, shared, pooled, place)).await
            }
        }
    }

    async fn connect(
        &self,
        ask: Ask<'_>,
        target: &Arc<str>,
        within: Option<Duration>,
    ) -> Result<Kept, Failure> {
        let fresh = |error| Failure { error, stale: false };
        let line = self.connector.connect(ask.uri, within).await;
        let line = line.map_err(|failure| fresh(unconnected(failure, target)))?;
        if !line.is_http2() {
            return Ok(Kept::Own(Box::new(Connection::new(line))));
        }
        let shared = Shared::open(line, Instant::now()).await;
        shared.map(Kept::Shared).map_err(|error| fresh(before_head(error, target)))
    }

    async fn exchange_shared(
        &self,
        ask: Ask<'_>,
        request: &Request<'_>,
        mut shared: Shared,
        pooled: bool,
        place: Place,
    ) -> Result<(StatusCode, HeaderMap, Source), Failure> {
        let mut message = http::Request::new(Full::new(request.body.clone()));
        *message.method_mut() = ask.method.clone();
        *message.uri_mut() = ask.uri.clone();
        let mut headers = ask.headers.clone();
        headers.entry(ACCEPT_ENCODING).or_insert(HeaderValue::from_static("identity"));
        headers.entry(USER_AGENT).or_insert_with(|| self.user_agent.clone());
        *message.headers_mut() = headers;
        match shared.exchange(message).await {
            Ok(response) => {
                let (head, incoming) = response.into_parts();
                Ok((head.status, head.headers, Source::Shared(incoming)))
            }
            Err(error) => {
                let error = before_head(error, request.url.shared_target());
                let stale = pooled && error.kind() == NetErrorKind::Closed;
                if stale {
                    place.unshare(&shared);
                }
                Err(Failure { error, stale })
            }
        }
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

/// Why an attempt failed.
struct Failure {
    error: NetError,
    /// The connection was kept from before, and nothing came over it.
    stale: bool,
}
