//! What can go wrong between here and a server, told apart.

use crate::h1::Fault;
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

/// The failure of a connection attempt.
#[derive(Clone, Debug, thiserror::Error)]
#[error("{reason}")]
pub(crate) struct ConnectFailure {
    pub(crate) kind: NetErrorKind,
    pub(crate) reason: String,
}

/// No connection.
pub(crate) fn unconnected(failure: ConnectFailure, target: &Arc<str>) -> NetError {
    let ConnectFailure { kind, reason } = failure;
    let message = match kind {
        NetErrorKind::ConnectTimeout => format!("could not connect to {target} within {reason}"),
        NetErrorKind::Dns => format!("the host of {target} has no address: {reason}"),
        NetErrorKind::Forbidden => format!("{target} may not be reached: {reason}"),
        NetErrorKind::Proxy => format!("no way to {target} through the proxy {reason}"),
        NetErrorKind::Tls => format!("no secure connection to {target}: {reason}"),
        _ => format!("could not connect to {target}: {reason}"),
    };
    NetError::new(kind, target.clone(), message)
}

/// What ended an exchange before its time, whoever spoke for us.
pub(crate) enum Broken {
    /// What came is not HTTP.
    Malformed(BoxError),
    /// The connection is no more.
    Closed(Option<BoxError>),
}

impl From<Fault> for Broken {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Malformed(malformed) => Self::Malformed(malformed.into()),
            Fault::Closed(error) => Self::Closed(error.map(Into::into)),
        }
    }
}

impl From<hyper::Error> for Broken {
    fn from(error: hyper::Error) -> Self {
        let malformed = error.is_parse() || error.is_parse_too_large();
        if malformed { Self::Malformed(error.into()) } else { Self::Closed(Some(error.into())) }
    }
}

/// An error before the answer's head.
pub(crate) fn before_head(broken: impl Into<Broken>, target: &Arc<str>) -> NetError {
    match broken.into() {
        Broken::Malformed(why) => {
            let message = format!("{target} answered with something that is not HTTP: {}", root_cause(&*why));
            NetError::new(NetErrorKind::Protocol, target.clone(), message).caused_by(why)
        }
        Broken::Closed(why) => {
            let message = format!("{target} closed the connection before it answered");
            NetError { source: why, ..NetError::new(NetErrorKind::Closed, target.clone(), message) }
        }
    }
}

/// An error within the body.
pub(crate) fn in_body(broken: impl Into<Broken>, target: &Arc<str>) -> NetError {
    // TLS says so of what it cannot decrypt.
    let garbled = |why: &BoxError| {
        find::<io::Error>(&**why)
            .is_some_and(|io| matches!(io.kind(), io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput))
    };
    let why = match broken.into() {
        Broken::Malformed(why) => why,
        Broken::Closed(Some(why)) if garbled(&why) => why,
        Broken::Closed(why) => {
            let message = format!("{target} closed the connection before the end of its answer");
            return NetError { source: why, ..NetError::new(NetErrorKind::Cut, target.clone(), message) };
        }
    };
    let message = format!("the answer of {target} is not HTTP: {}", root_cause(&*why));
    NetError::new(NetErrorKind::Protocol, target.clone(), message).caused_by(why)
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
