//! New connections: the way there and TLS, within one timeout, with failures told apart.

use crate::dial::Dial;
use crate::egress::Egress;
use crate::error::{ConnectFailure, find, root_cause};
use crate::line::Line;
use crate::proxy::{Proxy, is_https};
use crate::{NetErrorKind, tls};
use http::Uri;
use rustls::pki_types::ServerName;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Opens lines to servers, ready for HTTP.
pub(crate) struct Connector {
    dial: Dial,
    tls: Arc<rustls::ClientConfig>,
    proxy: Option<Arc<Proxy>>,
    timeout: Duration,
}

impl Connector {
    pub(crate) fn new(
        mut tls: rustls::ClientConfig,
        egress: Option<Arc<Egress>>,
        proxy: Option<Arc<Proxy>>,
        timeout: Duration,
    ) -> Self {
        let dial = Dial::new(egress, proxy.clone(), &tls);
        tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self { dial, tls: Arc::new(tls), proxy, timeout }
    }

    /// A line to where the URI points; it says which protocol was agreed on. `within` overrides the timeout.
    pub(crate) async fn connect(&self, uri: &Uri, within: Option<Duration>) -> Result<Line, ConnectFailure> {
        let timeout = within.unwrap_or(self.timeout);
        tokio::time::timeout(timeout, self.open(uri)).await.unwrap_or_else(|_| {
            let proxy = self.proxy.as_ref().filter(|proxy| proxy.serves(uri));
            let through = proxy.map(|proxy| format!(" through the proxy {}", proxy.target()));
            let reason = format!("{timeout:?}{}", through.unwrap_or_default());
            Err(ConnectFailure { kind: NetErrorKind::ConnectTimeout, reason })
        })
    }

    async fn open(&self, uri: &Uri) -> Result<Line, ConnectFailure> {
        if !is_https(uri) {
            return self.dial.open(uri).await;
        }
        let name = server_name(uri)?;
        let line = self.dial.open(uri).await?;
        line.secured(self.tls.clone(), name).await.map_err(|error| handshake_failed(&error))
    }
}

/// Whose certificate is expected.
pub(crate) fn server_name(uri: &Uri) -> Result<ServerName<'static>, ConnectFailure> {
    let host = uri.host().unwrap_or_default();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    ServerName::try_from(bare.to_owned())
        .map_err(|error| ConnectFailure { kind: NetErrorKind::Refused, reason: error.to_string() })
}

/// What is said of a handshake that failed.
pub(crate) fn handshake_failed(error: &io::Error) -> ConnectFailure {
    let reason = find::<rustls::Error>(error).map_or_else(|| root_cause(error), tls::reason);
    ConnectFailure { kind: NetErrorKind::Tls, reason }
}
