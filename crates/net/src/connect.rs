//! New connections: name, TCP, TLS, within one timeout, with failures told apart.

use crate::NetErrorKind;
use crate::error::{ConnectFailure, find, root_cause};
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tower_service::Service;

/// Makes connections for hyper's pool.
#[derive(Clone)]
pub(crate) struct Connector {
    https: HttpsConnector<HttpConnector<Resolver>>,
    timeout: Duration,
}

impl Connector {
    pub(crate) fn new(tls: rustls::ClientConfig, timeout: Duration) -> Self {
        let mut tcp = HttpConnector::new_with_resolver(Resolver(GaiResolver::new()));
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_mins(1)));
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(tcp);
        Self { https, timeout }
    }
}

type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, ConnectFailure>> + Send>>;

impl Service<Uri> for Connector {
    type Response = Conn;
    type Error = ConnectFailure;
    type Future = Connecting<Conn>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectFailure>> {
        let ready = ready!(self.https.poll_ready(cx));
        Poll::Ready(ready.map_err(|error| failure(&*error)))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = tokio::time::timeout(self.timeout, self.https.call(uri));
        let allowed = self.timeout;
        Box::pin(async move {
            match connecting.await {
                Ok(Ok(stream)) => Ok(Conn { stream, born: Instant::now() }),
                Ok(Err(error)) => Err(failure(&*error)),
                Err(_) => {
                    Err(ConnectFailure { kind: NetErrorKind::ConnectTimeout, reason: format!("{allowed:?}") })
                }
            }
        })
    }
}

fn failure(error: &(dyn std::error::Error + 'static)) -> ConnectFailure {
    let kind = if find::<NoAddress>(error).is_some() {
        NetErrorKind::Dns
    } else if error.is::<io::Error>() || find::<rustls::Error>(error).is_some() {
        // The TCP connector has an error type of its own; a bare `io::Error` is the handshake's.
        NetErrorKind::Tls
    } else {
        NetErrorKind::Refused
    };
    ConnectFailure { kind, reason: root_cause(error) }
}

/// The system's resolver, with its failures marked.
#[derive(Clone)]
struct Resolver(GaiResolver);

/// A name without an address.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NoAddress(String);

impl Service<Name> for Resolver {
    type Response = <GaiResolver as Service<Name>>::Response;
    type Error = NoAddress;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, NoAddress>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), NoAddress>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let resolving = self.0.call(name);
        Box::pin(async move { resolving.await.map_err(|error| NoAddress(error.to_string())) })
    }
}

/// When a connection was made; rides with it, so that a failure tells whether it came from the pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Born(pub(crate) Instant);

/// A connection, plain or TLS.
pub(crate) struct Conn {
    stream: MaybeHttpsStream<TokioIo<TcpStream>>,
    born: Instant,
}

impl Connection for Conn {
    fn connected(&self) -> Connected {
        let connected = Connected::new().extra(Born(self.born));
        if self.stream.connected().is_negotiated_h2() { connected.negotiated_h2() } else { connected }
    }
}

impl Read for Conn {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl Write for Conn {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }
    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }
}
