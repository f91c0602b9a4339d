//! The way to a server, below TLS: straight to its address, or through a proxy.

use crate::NetErrorKind;
use crate::connect::{handshake_failed, server_name};
use crate::egress::Egress;
use crate::error::{ConnectFailure, find, root_cause};
use crate::host::bare;
use crate::line::Line;
use crate::proxy::{Proxy, is_https};
use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::{GaiResolver, Name};
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tower_service::Service;

/// The largest head of a proxy's answer.
const LARGEST_HEAD: usize = 16 << 10;

type Resolving = Pin<Box<dyn Future<Output = Result<std::vec::IntoIter<SocketAddr>, ConnectFailure>> + Send>>;

/// Opens lines.
pub(crate) struct Dial {
    tcp: HttpConnector<Resolver>,
    proxy: Option<ProxyWay>,
}

struct ProxyWay {
    proxy: Arc<Proxy>,
    tcp: HttpConnector<Resolver>,
    tls: Arc<rustls::ClientConfig>,
}

impl Dial {
    /// `tls` is for a proxy that is itself behind TLS.
    pub(crate) fn new(
        egress: Option<Arc<Egress>>,
        proxy: Option<Arc<Proxy>>,
        tls: &rustls::ClientConfig,
    ) -> Self {
        // The proxy's own host was named by whoever configured it, so that no rule is asked.
        let way = |proxy| ProxyWay { proxy, tcp: tcp(None), tls: Arc::new(tls.clone()) };
        Self { tcp: tcp(egress), proxy: proxy.map(way) }
    }

    /// A line on which the server of this URI speaks, or a proxy for it.
    pub(crate) async fn open(&self, uri: &Uri) -> Result<Line, ConnectFailure> {
        match self.proxy.as_ref().filter(|way| way.proxy.serves(uri)) {
            Some(way) => way.open(uri).await,
            None => call(&self.tcp, uri).await,
        }
    }
}

fn tcp(egress: Option<Arc<Egress>>) -> HttpConnector<Resolver> {
    let mut tcp = HttpConnector::new_with_resolver(Resolver { system: GaiResolver::new(), egress });
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_keepalive(Some(Duration::from_mins(1)));
    tcp
}

async fn call(tcp: &HttpConnector<Resolver>, uri: &Uri) -> Result<Line, ConnectFailure> {
    let opened = tcp.clone().call(uri.clone()).await;
    let stream = opened.map_err(|error| {
        let told = find::<ConnectFailure>(&error).cloned();
        told.unwrap_or_else(|| ConnectFailure { kind: NetErrorKind::Refused, reason: root_cause(&error) })
    })?;
    Ok(Line::Tcp(stream.into_inner()))
}

impl ProxyWay {
    async fn open(&self, uri: &Uri) -> Result<Line, ConnectFailure> {
        let failed = |why: String| ConnectFailure {
            kind: NetErrorKind::Proxy,
            reason: format!("{}: {why}", self.proxy.target()),
        };
        let line = self.reach().await.map_err(|failure| failed(failure.reason))?;
        if !is_https(uri) {
            return Ok(line);
        }
        self.tunnel(line, uri).await.map_err(failed)
    }

    /// A line to the proxy itself.
    async fn reach(&self) -> Result<Line, ConnectFailure> {
        let uri = self.proxy.uri();
        if !is_https(uri) {
            return call(&self.tcp, uri).await;
        }
        let name = server_name(uri)?;
        let line = call(&self.tcp, uri).await?;
        line.secured(self.tls.clone(), name).await.map_err(|error| handshake_failed(&error))
    }

    /// Asks for a tunnel; what then goes over the line is between here and the target.
    async fn tunnel(&self, mut line: Line, uri: &Uri) -> Result<Line, String> {
        let target = format!("{}:{}", uri.host().unwrap_or_default(), uri.port_u16().unwrap_or(443));
        let mut ask = format!("CONNECT {target} HTTP/1.1\r\nhost: {target}\r\n").into_bytes();
        if let Some(authorization) = self.proxy.authorization() {
            ask.extend_from_slice(b"proxy-authorization: ");
            ask.extend_from_slice(authorization.as_bytes());
            ask.extend_from_slice(b"\r\n");
        }
        ask.extend_from_slice(b"\r\n");

        let broken = |error: io::Error| root_cause(&error);
        line.write_all(&ask).await.map_err(broken)?;
        line.flush().await.map_err(broken)?;
        let mut head = Vec::with_capacity(256);
        let end = loop {
            if line.read_buf(&mut head).await.map_err(broken)? == 0 {
                return Err("it closed the connection before it answered".to_owned());
            }
            if let Some(at) = memchr::memmem::find(&head, b"\r\n\r\n") {
                break at + 4;
            }
            if head.len() > LARGEST_HEAD {
                return Err("the head of its answer does not end".to_owned());
            }
        };
        let first = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
        match status(first) {
            // In TLS the client speaks first: what already came cannot be the target's.
            Some(200..300) if head.len() > end => Err("it sent something of its own".to_owned()),
            Some(200..300) => Ok(line),
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
    type Future = Resolving;

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
