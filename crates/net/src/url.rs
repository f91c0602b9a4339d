//! An address, parsed once.

use crate::host::{bare, ip};
use crate::{NetError, NetErrorKind};
use http::Uri;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

/// An `http` or `https` URL without credentials, ready to be asked many times.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    uri: Uri,
    target: Arc<str>,
    bare_host: Arc<str>,
    ip: Option<IpAddr>,
    port: u16,
}

impl Url {
    /// Parses an absolute URL. A fragment is dropped; user and password are refused, since they would end
    /// up in logs and messages.
    pub fn parse(text: &str) -> Result<Self, NetError> {
        let bad = |why: &str| NetError::new(NetErrorKind::BadUrl, "", format!("not a usable URL: {why}"));
        let uri: Uri = text.trim().parse().map_err(|error: http::uri::InvalidUri| bad(&error.to_string()))?;
        let default_port = match uri.scheme_str() {
            Some("http") => 80,
            Some("https") => 443,
            _ => return Err(bad("it must begin with http:// or https://")),
        };
        let authority = uri.authority().ok_or_else(|| bad("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(bad("it holds a user or password; give the key as a key instead"));
        }
        let host = authority.host();
        if host.is_empty() {
            return Err(bad("it names no host"));
        }
        let after_host = authority.as_str().get(host.len()..).unwrap_or_default();
        let port = match after_host.strip_prefix(':') {
            None | Some("") => default_port,
            Some(digits) => digits.parse::<u16>().map_err(|_| bad("its port is not between 0 and 65535"))?,
        };
        let target = Arc::from(format!("{host}:{port}"));
        let bare_host = bare(host);
        Ok(Self { ip: ip(&bare_host), bare_host: bare_host.into(), uri, target, port })
    }

    /// `host:port`, the port always written out: how errors name the server.
    pub fn target(&self) -> &str {
        &self.target
    }
    /// The host alone; an IPv6 address in its brackets.
    pub fn host(&self) -> &str {
        self.uri.host().unwrap_or_default()
    }
    /// The port, also where the URL leaves it out.
    pub fn port(&self) -> u16 {
        self.port
    }
    /// The host without brackets and closing dot, in small letters.
    pub(crate) fn bare_host(&self) -> &str {
        &self.bare_host
    }
    /// The address the host is, where it is written as one.
    pub(crate) fn ip(&self) -> Option<IpAddr> {
        self.ip
    }
    pub(crate) fn uri(&self) -> &Uri {
        &self.uri
    }
    pub(crate) fn shared_target(&self) -> &Arc<str> {
        &self.target
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.uri, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls() {
        let check = |text: &str, expect: Result<(&str, u16), &str>| match (Url::parse(text), expect) {
            (Ok(url), Ok((target, port))) => {
                assert_eq!((url.target(), url.port()), (target, port), "{text}");
            }
            (Err(error), Err(part)) => {
                assert_eq!(error.kind(), NetErrorKind::BadUrl, "{text}");
                assert!(error.to_string().contains(part), "{text}: {error}");
            }
            (got, _) => panic!("{text}: {got:?}"),
        };
        check("http://127.0.0.1:9100/v1", Ok(("127.0.0.1:9100", 9100)));
        check("https://api.example.com/v1?x=1#frag", Ok(("api.example.com:443", 443)));
        check(" http://host ", Ok(("host:80", 80)));
        check("http://[::1]:8080/", Ok(("[::1]:8080", 8080)));
        check("ftp://host/", Err("http:// or https://"));
        check("host:80", Err("http:// or https://"));
        check("/path", Err("http:// or https://"));
        check("http://user:hunter2@host/", Err("user or password"));
        check("http://host:99999/", Err("port"));
        check("http:///path", Err(""));
        check("", Err(""));
        check("http://ho st/", Err(""));
        let secret = Url::parse("http://user:hunter2@host/").unwrap_err();
        assert!(!format!("{secret} {secret:?}").contains("hunter2"));
    }
}
