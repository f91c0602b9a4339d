//! How a client connects, and how long a request may wait.

use crate::{Cassette, Certificates, Egress, Proxy, Roots};
use http::HeaderValue;
use std::time::Duration;

/// How a client connects.
#[derive(Clone, Debug)]
pub struct ClientOptions {
    /// For name, proxy, TCP and TLS together.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept.
    pub pool_idle_timeout: Duration,
    /// How many unused connections are kept for one host.
    pub pool_idle_per_host: usize,
    /// Whose certificates are trusted.
    pub roots: Roots,
    /// Authorities trusted beside the roots; TLS to a proxy trusts them too.
    pub extra_roots: Certificates,
    /// The proxy on the way out; `None` for none. The environment is not looked at.
    pub proxy: Option<Proxy>,
    /// Which servers may be reached; `None` for all.
    pub egress: Option<Egress>,
    /// Where traffic is recorded to, or replayed from; `None` for neither.
    pub cassette: Option<Cassette>,
    /// The `user-agent` of requests that set none.
    pub user_agent: HeaderValue,
}

impl Default for ClientOptions {
    fn default() -> Self {
        Self {
            connect_timeout: Duration::from_secs(10),
            pool_idle_timeout: Duration::from_mins(1),
            pool_idle_per_host: 256,
            roots: Roots::Bundled,
            extra_roots: Certificates::default(),
            proxy: None,
            egress: None,
            cassette: None,
            user_agent: HeaderValue::from_static(concat!("hanok/", env!("CARGO_PKG_VERSION"))),
        }
    }
}

/// How long a request may wait for each next thing. What a body must hold by when, such as the first token of an answer
/// whose head comes at once, is for [`Body::set_deadline`](crate::Body::set_deadline).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// For a new connection: name, proxy, TCP and TLS together; `None` for the client's
    /// [`ClientOptions::connect_timeout`].
    pub connect: Option<Duration>,
    /// From the request to the head of the answer, a new connection included.
    pub first_byte: Duration,
    /// Between two pieces of the body.
    pub idle: Duration,
}

impl Default for Timeouts {
    /// Ten minutes to the head, since an answer that is not streamed has none before it is complete; five
    /// between pieces, since models that think may be silent.
    fn default() -> Self {
        Self { connect: None, first_byte: Duration::from_mins(10), idle: Duration::from_mins(5) }
    }
}
