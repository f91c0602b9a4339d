//! A reverse proxy that does nothing: what one more HTTP hop costs on this machine, by the same library.

use crate::serve::{self, Answer};
use anyhow::Context;
use http::uri::{Authority, Scheme};
use http::{Request, Uri};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;

/// Passes everything on to `upstream` until the process ends.
pub(crate) fn run(upstream: &str) -> anyhow::Result<()> {
    let upstream: Authority =
        upstream.parse().with_context(|| format!("`{upstream}` is no host and port"))?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let client: Client<_, Incoming> = Client::builder(TokioExecutor::new()).build(connector);
    serve::forever(move |request| pass(client.clone(), upstream.clone(), request))
}

async fn pass(
    client: Client<HttpConnector, Incoming>,
    upstream: Authority,
    mut request: Request<Incoming>,
) -> Answer<Incoming> {
    let mut parts = std::mem::take(request.uri_mut()).into_parts();
    parts.scheme = Some(Scheme::HTTP);
    parts.authority = Some(upstream);
    *request.uri_mut() = Uri::from_parts(parts)?;
    request.headers_mut().remove(http::header::HOST);
    Ok(client.request(request).await?)
}
