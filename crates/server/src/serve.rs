//! Sockets: accept, serve, and end without dropping anybody mid-answer.

use crate::Doors;
use arc_swap::ArcSwap;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// How long a client may take to send a request's head.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);

/// How long a client may take to agree on a key.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// The certificate a server shows. Exchanged as a whole: new connections get the new one.
#[derive(Clone)]
pub struct Tls(Arc<ArcSwap<rustls::ServerConfig>>);

impl Tls {
    /// Of a certificate chain and its private key, both PEM.
    pub fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, TlsError> {
        Ok(Self(Arc::new(ArcSwap::new(Arc::new(Self::config(chain, key)?)))))
    }

    /// Puts another certificate in place.
    pub fn replace(&self, chain: &[u8], key: &[u8]) -> Result<(), TlsError> {
        self.0.store(Arc::new(Self::config(chain, key)?));
        Ok(())
    }

    fn config(chain: &[u8], key: &[u8]) -> Result<rustls::ServerConfig, TlsError> {
        use rustls::pki_types::pem::PemObject as _;
        use rustls::pki_types::{CertificateDer, PrivateKeyDer};
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(chain).collect::<Result<_, _>>().map_err(|_| TlsError::Chain)?;
        if chain.is_empty() {
            return Err(TlsError::Chain);
        }
        let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| TlsError::Key)?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }
}

/// A certificate that cannot be served with.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No certificate where the chain should be.
    #[error("server.tls_cert holds no PEM certificate")]
    Chain,
    /// No key where the key should be.
    #[error("server.tls_key holds no PEM private key")]
    Key,
    /// They do not fit, or are of a kind that cannot be used.
    #[error("the certificate cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// Serves until `stop` is ready, then lets running answers finish for at most `drain`.
pub async fn serve(
    listener: TcpListener,
    tls: Option<Tls>,
    doors: Doors,
    stop: impl Future<Output = ()>,
    drain: Duration,
) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(Duration::from_secs(30));
    let graceful = GracefulShutdown::new();
    let mut connections = JoinSet::new();
    let mut stop = pin!(stop);
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = &mut stop => break,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Out of file descriptors, most likely: others must end before more can come.
                tracing::warn!(%error, "a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let service = doors.clone();
        while connections.try_join_next().is_some() {}
        let Some(tls) = &tls else {
            let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
            connections.spawn(ended(graceful.watch(connection)));
            continue;
        };
        let acceptor = TlsAcceptor::from(tls.0.load_full());
        let (builder, watcher) = (builder.clone(), graceful.watcher());
        connections.spawn(async move {
            match tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
                    ended(watcher.watch(connection)).await;
                }
                Ok(Err(error)) => tracing::debug!(%error, "a client and this server did not agree on TLS"),
                Err(_) => tracing::debug!("a client did not finish its TLS handshake in time"),
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(
            seconds = drain.as_secs(),
            "answers still running are cut at the end of the drain time"
        );
    }
    // Cut without the end of their chunked body, which no client takes for a complete answer; and ended here,
    // so that their records are handed over before the store closes.
    connections.shutdown().await;
}

async fn ended<E: std::fmt::Display>(connection: impl Future<Output = Result<(), E>>) {
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection ended badly");
    }
}
