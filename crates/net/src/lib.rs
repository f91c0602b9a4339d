//! The one HTTP client: connection pools, TLS and timeouts. It takes bytes and yields bytes.
//!
//! Deliberately not here: vendors, dialects, and the framing of streams (`hanok-wire` finds the events in
//! the pieces a [`Body`] yields). Redirects are not followed and no compression is asked for: a model's
//! address is what was configured, and pieces go on as they came.
//!
//! Reading order: [`url`] (an address, parsed once), [`client`] (one request), [`body`] (its answer in
//! pieces), [`error`] (what can go wrong, told apart).

pub mod body;
pub mod client;
mod connect;
pub mod error;
mod idle;
pub mod url;

pub use body::{Body, Coalesced};
pub use client::{Client, ClientOptions, Request, Response, Roots, Timeouts};
pub use error::{NetError, NetErrorKind};
pub use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
pub use url::Url;
