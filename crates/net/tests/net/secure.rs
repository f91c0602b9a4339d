//! Servers behind TLS, with an authority of their own.

use bytes::Bytes;
use hanok_net::Certificates;
use http_body_util::StreamBody;
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::server::conn::auto;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ServerConfig, crypto};

/// An authority.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { issuer: Issuer::new(params, key), pem }
    }

    /// What a client that trusts it is given.
    pub(crate) fn certificates(&self) -> Certificates {
        Certificates::from_pem("test authority", self.pem.as_bytes()).unwrap()
    }

    /// The TLS of a server of these names, with these protocols on offer.
    pub(crate) fn acceptor(&self, names: &[&str], protocols: &[&str]) -> TlsAcceptor {
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        self.accept(&CertificateParams::new(names).unwrap(), protocols)
    }

    /// The TLS of a server whose certificate has run out.
    pub(crate) fn expired(&self, name: &str) -> TlsAcceptor {
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2001, 1, 1);
        params.not_after = rcgen::date_time_ymd(2002, 1, 1);
        self.accept(&params, &[])
    }

    fn accept(&self, params: &CertificateParams, protocols: &[&str]) -> TlsAcceptor {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let mut config = ServerConfig::builder_with_provider(Arc::new(crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        TlsAcceptor::from(Arc::new(config))
    }
}

/// A request that arrived.
#[derive(Clone, Debug)]
pub(crate) struct Arrived {
    /// The connection it came over, from 0.
    pub(crate) connection: usize,
    pub(crate) version: http::Version,
    /// The URL as the request line had it.
    pub(crate) url: String,
}

/// A server that answers everything with `one`, `two`; a path `/hold` with `one` and then nothing.
#[derive(Clone)]
pub(crate) struct Secure {
    pub(crate) addr: SocketAddr,
    arrived: Arc<Mutex<Vec<Arrived>>>,
    let_go: watch::Receiver<usize>,
}

impl Secure {
    pub(crate) async fn start(acceptor: TlsAcceptor) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let addr = listener.local_addr().unwrap();
        let arrived = Arc::new(Mutex::new(Vec::new()));
        let (letting_go, let_go) = watch::channel(0);
        let letting_go = Arc::new(letting_go);
        let server = Self { addr, arrived: arrived.clone(), let_go };
        tokio::spawn(async move {
            for connection in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, arrived, letting_go) = (acceptor.clone(), arrived.clone(), letting_go.clone());
                tokio::spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let service = service_fn(move |request: http::Request<Incoming>| {
                        let (version, url) = (request.version(), request.uri().to_string());
                        let hold = url.ends_with("/hold");
                        arrived.lock().unwrap().push(Arrived { connection, version, url });
                        let body = answer(hold.then(|| LetGo(letting_go.clone())));
                        async { Ok::<_, Infallible>(http::Response::new(body)) }
                    });
                    let serving = auto::Builder::new(TokioExecutor::new());
                    drop(serving.serve_connection(TokioIo::new(stream), service).await);
                });
            }
        });
        server
    }

    pub(crate) fn arrived(&self) -> Vec<Arrived> {
        self.arrived.lock().unwrap().clone()
    }

    /// Waits until `count` clients let go of an answer that holds.
    pub(crate) async fn let_go(&self, count: usize) {
        self.let_go.clone().wait_for(|seen| *seen >= count).await.unwrap();
    }
}

struct LetGo(Arc<watch::Sender<usize>>);

impl Drop for LetGo {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count += 1);
    }
}

type Pieces = futures_util::stream::BoxStream<'static, Result<Frame<Bytes>, Infallible>>;

fn answer(hold: Option<LetGo>) -> StreamBody<Pieces> {
    use futures_util::StreamExt as _;
    let piece = |text: &'static str| Ok(Frame::data(Bytes::from_static(text.as_bytes())));
    let rest = async move {
        match hold {
            Some(_let_go) => std::future::pending().await,
            None => piece("two"),
        }
    };
    let first = futures_util::stream::once(async move { piece("one") });
    StreamBody::new(first.chain(futures_util::stream::once(rest)).boxed())
}
