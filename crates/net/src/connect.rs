//! New connections: the way there and TLS, within one timeout, with failures told apart.

use crate::NetErrorKind;
use crate::dial::{Dial, Line};
use crate::egress::Egress;
use crate::error::{ConnectFailure, find, root_cause};
use crate::proxy::Proxy;
use crate::tls;
use http::Uri;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder, MaybeHttpsStream};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tower_service::Service;

/// Makes connections for hyper's pool.
#[derive(Clone)]
pub(crate) struct Connector {
    https: HttpsConnector<Dial>,
    proxy: Option<Arc<Proxy>>,
    timeout: Duration,
}

impl Connector {
    pub(crate) fn new(
        tls: rustls::ClientConfig,
        egress: Option<Arc<Egress>>,
        proxy: Option<Arc<Proxy>>,
        timeout: Duration,
    ) -> Self {
        let dial = Dial::new(egress, proxy.clone(), &tls);
        let https = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(dial);
        Self { https, proxy, timeout }
    }
}

type Connecting<T> = Pin<Box<dyn Future<Output = Result<T, ConnectFailure>> + Send>>;

impl Service<Uri> for Connector {
    type Response = MaybeHttpsStream<Line>;
    type Error = ConnectFailure;
    type Future = Connecting<Self::Response>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ConnectFailure>> {
        let ready = ready!(self.https.poll_ready(cx));
        Poll::Ready(ready.map_err(|error| failure(&*error)))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let proxy = self.proxy.clone().filter(|proxy| proxy.serves(&uri));
        let connecting = tokio::time::timeout(self.timeout, self.https.call(uri));
        let allowed = self.timeout;
        Box::pin(async move {
            match connecting.await {
                Ok(Ok(stream)) => Ok(stream),
                Ok(Err(error)) => Err(failure(&*error)),
                Err(_) => {
                    let through = proxy.map(|proxy| format!(" through the proxy {}", proxy.target()));
                    let reason = format!("{allowed:?}{}", through.unwrap_or_default());
                    Err(ConnectFailure { kind: NetErrorKind::ConnectTimeout, reason })
                }
            }
        })
    }
}

fn failure(error: &(dyn std::error::Error + 'static)) -> ConnectFailure {
    if let Some(told) = find::<ConnectFailure>(error) {
        return told.clone();
    }
    if let Some(error) = find::<rustls::Error>(error) {
        return ConnectFailure { kind: NetErrorKind::Tls, reason: tls::reason(error) };
    }
    // The TCP connector has an error type of its own; a bare `io::Error` is the handshake's.
    let kind = if error.is::<io::Error>() { NetErrorKind::Tls } else { NetErrorKind::Refused };
    ConnectFailure { kind, reason: root_cause(error) }
}
