//! The way to a server, below TLS: straight to its address, or through a proxy.

use crate::NetErrorKind;
use crate::egress::Egress;
use crate::error::{ConnectFailure, root_cause};
use crate::host::bare;
use crate::proxy::{Proxy, is_https};
use http::Uri;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tower_service::Service;

/// The largest head of a proxy's answer.
const LARGEST_HEAD: usize = 16 << 10;

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Opening<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;
type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

/// Opens lines.
#[derive(Clone)]
pub(crate) struct Dial {
    tcp: HttpConnector<Resolver>,
    proxy: Option<Arc<ProxyWay>>,
}

struct ProxyWay {
    proxy: Arc<Proxy>,
    connector: HttpsConnector<HttpConnector<Resolver>>,
}

impl Dial {
    /// `tls` is for a proxy that is itself behind TLS.
    pub(crate) fn new(
        egress: Option<Arc<Egress>>,
        proxy: Option<Arc<Proxy>>,
        tls: &rustls::ClientConfig,
    ) -> Self {
        // The proxy's own host was named by whoever configured it, so that no rule is asked.
        let way = |proxy| {
            let connector = HttpsConnectorBuilder::new()
                .with_tls_config(tls.clone())
                .https_or_http()
                .enable_http1()
                .wrap_connector(tcp(None));
            Arc::new(ProxyWay { proxy, connector })
        };
        Self { tcp: tcp(egress), proxy: proxy.map(way) }
    }
}

fn tcp(egress: Option<Arc<Egress>>) -> HttpConnector<Resolver> {
    let mut tcp = HttpConnector::new_with_resolver(Resolver { system: GaiResolver::new(), egress });
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(Duration::from_mins(1)));
    tcp
}

impl Service<Uri> for Dial {
    type Response = Line;
    type Error = BoxError;
    type Future = Opening<Line, BoxError>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        if let Some(way) = self.proxy.as_ref().filter(|way| way.proxy.serves(&uri)) {
            let way = way.clone();
            return Box::pin(async move { Ok(way.open(&uri).await?) });
        }
        let opening = self.tcp.call(uri);
        Box::pin(async move { Ok(Line::new(MaybeHttpsStream::Http(opening.await?), false)) })
    }
}

impl ProxyWay {
    async fn open(&self, uri: &Uri) -> Result<Line, ConnectFailure> {
        let failed = |why: String| ConnectFailure {
            kind: NetErrorKind::Proxy,
            reason: format!("{}: {why}", self.proxy.target()),
        };
        let stream = self
            .connector
            .clone()
            .call(self.proxy.uri().clone())
            .await
            .map_err(|error| failed(root_cause(&*error)))?;
        if !is_https(uri) {
            return Ok(Line::new(stream, true));
        }
        self.tunnel(stream, uri).await.map(|stream| Line::new(stream, false)).map_err(failed)
    }

    /// Asks for a tunnel; what then goes over the stream is between here and the target.
    async fn tunnel(&self, stream: Stream, uri: &Uri) -> Result<Stream, String> {
        let target = format!("{}:{}", uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(443));
        let mut ask = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n").into_bytes();
        if let Some(authorization) = self.proxy.authorization() {
            ask.extend_from_slice(b"proxy-authorization: ");
            ask.extend_from_slice(authorization.as_bytes());
            ask.extend_from_slice(b"\r\n");
        }
        ask.extend_from_slice(b"\r\n");

        let mut io = TokioIo::new(stream);
        let broken = |error: io::Error| root_cause(&error);
        io.write_all(&ask).await.map_err(broken)?;
        io.flush().await.map_err(broken)?;
        let mut head = Vec::with_capacity(256);
        let end = loop {
            if io.read_buf(&mut head).await.map_err(broken)? == 0 {
                return Err("it closed the connection before it answered".to_owned());
            }
            if let Some(at) = memchr::memmem::find(&head, b"\r\n\r\n") {
                break at + 4;
            }
            if head.len() > LARGEST_HEAD {
                return Err("the head of its answer does not end".to_owned());
            }
        };
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        match status(line) {
            // In TLS the client speaks first: what already came cannot be the target's.
            Some(200..300) if head.len() > end => Err("it sent something of its own".to_owned()),
            Some(200..300) => Ok(io.into_inner()),
            Some(status) => Err(refusal(status)),
            None => Err("its answer is not HTTP".to_owned()),
        }
    }
}

/// What a proxy's status other than success says.
pub(crate) fn refusal(status: u16) -> String {
    match status {
        407 => "it wants a user and password, or other ones than those given (407)".to_owned(),
        _ => format!("it refused with status {status}"),
    }
}

/// The status of an answer's first line.
fn status(line: &[u8]) -> Option<u16> {
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    words.next().filter(|version| version.starts_with("HTTP/1."))?;
    words.next().filter(|status| status.len() == 3)?.parse().ok()
}

/// The system's resolver, with its failures marked and with addresses left out that may not be reached.
#[derive(Clone)]
struct Resolver {
    system: GaiResolver,
    egress: Option<Arc<Egress>>,
}

impl Service<Name> for Resolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = ConnectFailure;
    type Future = Opening<Self::Response, ConnectFailure>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectFailure>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        let egress = self.egress.clone();
        let host = bare(name.as_str());
        let resolving = self.system.call(name);
        Box::pin(async move {
            let found = resolving
                .await
                .map_err(|error| ConnectFailure { kind: NetErrorKind::Dns, reason: error.to_string() })?;
            let Some(egress) = egress else {
                return Ok(found.collect::<Vec<_>>().into_iter());
            };
            let mut refused = None;
            let mut allowed = Vec::new();
            for address in found {
                match egress.refusal(&host, address.ip()) {
                    Some(why) => refused = Some(why),
                    None => allowed.push(address),
                }
            }
            match refused {
                Some(reason) if allowed.is_empty() => {
                    Err(ConnectFailure { kind: NetErrorKind::Forbidden, reason })
                }
                _ => Ok(allowed.into_iter()),
            }
        })
    }
}

/// When a connection was made; rides with it, so that a failure tells whether it came from the pool.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Born(pub(crate) Instant);

/// A line to a server, or to a proxy that passes everything on.
pub(crate) struct Line {
    stream: Stream,
    /// Whether a proxy at the other end is to be asked for whole URLs.
    asks_proxy: bool,
    born: Born,
}

impl Line {
    fn new(stream: Stream, asks_proxy: bool) -> Self {
        Self { stream, asks_proxy, born: Born(Instant::now()) }
    }
}

impl Connection for Line {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.asks_proxy).extra(self.born)
    }
}

impl Read for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl Write for Line {
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
