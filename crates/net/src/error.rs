//! What can go wrong between here and a server, told apart.

use std::error::Error as StdError;
use std::io;
use std::sync::Arc;

type BoxError = Box<dyn StdError + Send + Sync>;

/// A request that did not end as it should. Messages name the server as `host:port` and hold no header,
/// no path and no body; only those of a cassette say what in a request differs from the recorded one.
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct NetError {
    kind: NetErrorKind,
    target: Arc<str>,
    message: String,
    #[source]
    source: Option<BoxError>,
}

/// The kinds of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum NetErrorKind {
    /// The URL cannot be used.
    BadUrl,
    /// The rules of [`Egress`](crate::Egress) do not allow the host, or the address it has.
    Forbidden,
    /// The host's name has no address.
    Dns,
    /// The connection was refused, or the host cannot be reached.
    Refused,
    /// The proxy cannot be reached, or does not let the request through.
    Proxy,
    /// Name, connection and TLS took longer than allowed.
    ConnectTimeout,
    /// The TLS handshake failed.
    Tls,
    /// The server closed the connection before a byte of its answer.
    Closed,
    /// No head of an answer in time, or not what [`Body::set_deadline`](crate::Body::set_deadline) waits for.
    FirstByteTimeout,
    /// The body came to a halt.
    IdleTimeout,
    /// The body ended before its announced end.
    Cut,
    /// The body is larger than allowed.
    TooLarge,
    /// What came is not HTTP.
    Protocol,
    /// A cassette cannot be read or written, or holds no answer to the request.
    Cassette,
}

impl NetError {
    pub(crate) fn new(kind: NetErrorKind, target: impl Into<Arc<str>>, message: impl Into<String>) -> Self {
        Self { kind, target: target.into(), message: message.into(), source: None }
    }

    pub(crate) fn caused_by(mut self, source: impl Into<BoxError>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// What kind of failure.
    pub fn kind(&self) -> NetErrorKind {
        self.kind
    }

    /// The server, as `host:port`; empty where the URL could not be read.
    pub fn target(&self) -> &str {
        &self.target
    }
}

/// The failure of a connection attempt, as the connector tells it through hyper.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct ConnectFailure {
    pub(crate) kind: NetErrorKind,
    pub(crate) reason: String,
}

/// An error before the answer's head, from hyper's client.
pub(crate) fn before_head(error: hyper_util::client::legacy::Error, target: &Arc<str>) -> NetError {
    let target = target.clone();
    if let Some(failure) = find::<ConnectFailure>(&error) {
        let message = match failure.kind {
            NetErrorKind::ConnectTimeout => {
                format!("could not connect to {target} within {}", failure.reason)
            }
            NetErrorKind::Dns => format!("the host of {target} has no address: {}", failure.reason),
            NetErrorKind::Forbidden => format!("{target} may not be reached: {}", failure.reason),
            NetErrorKind::Proxy => format!("no way to {target} through the proxy {}", failure.reason),
            NetErrorKind::Tls => format!("no secure connection to {target}: {}", failure.reason),
            _ => format!("could not connect to {target}: {}", failure.reason),
        };
        return NetError::new(failure.kind, target, message);
    }
    if is_parse(&error) {
        let message = format!("{target} answered with something that is not HTTP: {}", root_cause(&error));
        return NetError::new(NetErrorKind::Protocol, target, message).caused_by(error);
    }
    let message = format!("{target} closed the connection before it answered");
    NetError::new(NetErrorKind::Closed, target, message).caused_by(error)
}

/// An error within the body.
pub(crate) fn in_body(error: hyper::Error, target: &Arc<str>) -> NetError {
    let target = target.clone();
    let malformed = is_parse(&error)
        || find::<io::Error>(&error)
            .is_some_and(|io| matches!(io.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput));
    let (kind, message) = if malformed {
        (NetErrorKind::Protocol, format!("the answer of {target} is not HTTP: {}", root_cause(&error)))
    } else {
        (NetErrorKind::Cut, format!("{target} closed the connection before the end of its answer"))
    };
    NetError::new(kind, target, message).caused_by(error)
}

fn is_parse(error: &(dyn StdError + 'static)) -> bool {
    find::<hyper::Error>(error).is_some_and(|error| error.is_parse() || error.is_parse_too_large())
}

/// The first error of type `E` along the chain of causes, looking into boxed `io::Error`s too.
pub(crate) fn find<'e, E: StdError + 'static>(error: &'e (dyn StdError + 'static)) -> Option<&'e E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        next = cause(error);
    }
    None
}

/// The innermost cause, in its own words.
pub(crate) fn root_cause(error: &(dyn StdError + 'static)) -> String {
    let mut error = error;
    while let Some(inner) = cause(error) {
        error = inner;
    }
    match error.downcast_ref::<io::Error>().map(io::Error::kind) {
        Some(kind) if kind != io::ErrorKind::Other => kind.to_string(),
        _ => error.to_string(),
    }
}

fn cause<'e>(error: &'e (dyn StdError + 'static)) -> Option<&'e (dyn StdError + 'static)> {
    // An `io::Error` that wraps another names that one's cause as its own source, not the one it wraps.
    match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
        Some(inner) => Some(inner),
        None => error.source(),
    }
}
