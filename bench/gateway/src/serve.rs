//! A bare HTTP/1.1 server on a free port of loopback, which it prints.

use anyhow::Context;
use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use std::future::Future;
use std::io::Write;
use tokio::net::TcpListener;

/// What a service gives.
pub(crate) type Answer<B> = Result<Response<B>, Box<dyn std::error::Error + Send + Sync>>;

/// Serves until the process ends; the first line of stdout is the address.
pub(crate) fn forever<F, A, B>(service: F) -> anyhow::Result<()>
where
    F: Fn(Request<Incoming>) -> A + Clone + Send + 'static,
    A: Future<Output = Answer<B>> + Send,
    B: Body<Data = Bytes> + Send + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async move {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.context("listening on loopback")?;
        println!("{}", listener.local_addr()?);
        std::io::stdout().flush()?;
        loop {
            let (socket, _) = listener.accept().await?;
            socket.set_nodelay(true)?;
            let service = service.clone();
            tokio::spawn(async move {
                // A peer that hangs up is no concern of a bench.
                drop(http1::Builder::new().serve_connection(TokioIo::new(socket), service_fn(service)).await);
            });
        }
    })
}
