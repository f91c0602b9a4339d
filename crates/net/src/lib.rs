//! The one HTTP client: connection pools, TLS, proxy, timeouts, egress rules and cassettes. It takes bytes
//! and yields bytes.
//!
//! HTTP/1.1 is spoken here (`h1`), without a task or a channel between a connection and whoever reads from
//! it; HTTP/2, where a server offers it, by hyper (`h2`). What is kept of both for the next request is in one
//! `pool`.
//!
//! Deliberately not here: vendors, dialects, and the framing of streams (`hanok-wire` finds the events in
//! the pieces a [`Body`] yields). Redirects are not followed and no compression is asked for: a model's
//! address is what was configured, and pieces go on as they came. The environment is not read: what a
//! client uses is in its [`ClientOptions`].
//!
//! Reading order: [`url`] (an address, parsed once), [`options`] (how a client connects), [`client`] (one
//! request), [`body`] (its answer in pieces), [`error`] (what can go wrong, told apart); [`tls`] (whose
//! certificates are trusted), [`proxy`] (the way out), [`egress`] (which servers may be reached),
//! [`cassette`] (traffic recorded and replayed).

pub mod body;
pub mod cassette;
pub mod client;
mod connect;
mod dial;
pub mod egress;
pub mod error;
mod h1;
mod h2;
mod host;
mod idle;
mod line;
pub mod options;
mod pool;
pub mod proxy;
pub mod tls;
pub mod url;

pub use body::{Body, Coalesced};
pub use cassette::{Cassette, CassetteMode, CassetteOptions};
pub use client::{Client, Request, Response};
pub use egress::Egress;
pub use error::{NetError, NetErrorKind};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
pub use options::{ClientOptions, Timeouts};
pub use proxy::Proxy;
pub use tls::{Certificates, Roots};
pub use url::Url;
