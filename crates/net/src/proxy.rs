//! A proxy on the way out.

use crate::host::{bare, host_and_port, ip, is_loopback};
use crate::{NetError, NetErrorKind, Url};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, Uri};
use percent_encoding::percent_decode_str;
use std::fmt;
use std::net::IpAddr;

/// An HTTP proxy: `https` targets are reached through a tunnel (`CONNECT`), `http` targets by asking the
/// proxy for the whole URL. This machine is never asked for through it, unless that is said.
#[derive(Clone)]
pub struct Proxy {
    url: Url,
    /// What `proxy-authorization` says.
    authorization: Option<HeaderValue>,
    direct: Vec<Direct>,
    loopback: bool,
}

impl Proxy {
    /// Reads `[http://|https://][user:password@]host[:port]`; user and password are percent-encoded where
    /// they hold characters of their own meaning. [`NetErrorKind::BadUrl`] says what is wrong, and holds
    /// neither user nor password.
    pub fn parse(text: &str) -> Result<Self, NetError> {
        let bad =
            |why: &str| NetError::new(NetErrorKind::BadUrl, "", format!("the proxy's address is {why}"));
        let text = text.trim();
        let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
        if !matches!(scheme, "http" | "https") {
            return Err(bad("of an unknown kind: it must begin with http:// or https://"));
        }
        let (authority, path) = match rest.find(['/', '?', '#']) {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        if !matches!(path, "" | "/") {
            return Err(bad("not that of a proxy: it has a path"));
        }
        let (user, host) = match authority.rsplit_once('@') {
            Some((user, host)) => (Some(user), host),
            None => (None, authority),
        };
        let url = Url::parse(&format!("{scheme}://{host}/")).map_err(|error| bad(&error.to_string()))?;
        let authorization = user.map(|user| {
            let (name, password) = user.split_once(':').unwrap_or((user, ""));
            let mut pair: Vec<u8> = percent_decode_str(name).collect();
            pair.push(b':');
            pair.extend(percent_decode_str(password));
            HeaderValue::try_from(format!("Basic {}", STANDARD.encode(pair))).map(|mut value| {
                value.set_sensitive(true);
                value
            })
        });
        // Base64 is always a header's value.
        let authorization = authorization.transpose().map_err(|_| bad("one with an unusable user"))?;
        Ok(Self { url, authorization, direct: Vec::new(), loopback: false })
    }

    /// Hosts that are reached without it: `example.com` (and all below it), `.example.com` (only those below
    /// it), an address, a block of addresses (`10.0.0.0/8`; a name is not resolved for it), each but the
    /// block also with `:port`; `*` for all. Empty entries are passed over.
    pub fn except<S: AsRef<str>>(mut self, entries: impl IntoIterator<Item = S>) -> Result<Self, NetError> {
        for entry in entries {
            let entry = entry.as_ref().trim();
            if entry.is_empty() {
                continue;
            }
            let direct = Direct::parse(entry).ok_or_else(|| {
                let message = format!(
                    "`{}` names no host to reach without the proxy: write a host, a domain or a block of \
                     addresses",
                    entry.escape_debug()
                );
                NetError::new(NetErrorKind::BadUrl, "", message)
            })?;
            self.direct.push(direct);
        }
        Ok(self)
    }

    /// Asks for this machine through the proxy as well.
    #[must_use]
    pub fn also_for_loopback(mut self) -> Self {
        self.loopback = true;
        self
    }

    /// The proxy, as `host:port`.
    pub fn target(&self) -> &str {
        self.url.target()
    }

    pub(crate) fn uri(&self) -> &Uri {
        self.url.uri()
    }
    pub(crate) fn authorization(&self) -> Option<&HeaderValue> {
        self.authorization.as_ref()
    }

    /// Whether the way to this URI goes through the proxy.
    pub(crate) fn serves(&self, uri: &Uri) -> bool {
        let host = bare(uri.host().unwrap_or_default());
        if !self.loopback && is_loopback(&host) {
            return false;
        }
        let port = uri.port_u16().unwrap_or(if is_https(uri) { 443 } else { 80 });
        let ip = ip(&host);
        !self.direct.iter().any(|direct| direct.matches(&host, ip, port))
    }
}

/// Whether the scheme asks for TLS.
pub(crate) fn is_https(uri: &Uri) -> bool {
    uri.scheme_str() == Some("https")
}

impl fmt::Debug for Proxy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("url", &self.url.to_string())
            .field("authorization", &self.authorization.as_ref().map(|_| "***"))
            .field("direct", &self.direct)
            .field("loopback", &self.loopback)
            .finish()
    }
}

/// What is reached without the proxy.
#[derive(Clone, Debug)]
enum Direct {
    All,
    Domain { name: String, itself: bool, port: Option<u16> },
    Block { network: IpAddr, bits: u8, port: Option<u16> },
}

impl Direct {
    fn parse(entry: &str) -> Option<Self> {
        if entry == "*" {
            return Some(Self::All);
        }
        if let Some((network, bits)) = entry.split_once('/') {
            let network: IpAddr = network.parse().ok()?;
            let bits: u8 = bits.parse().ok()?;
            let width = if network.is_ipv4() { 32 } else { 128 };
            return (bits <= width).then_some(Self::Block { network, bits, port: None });
        }
        let entry = entry.strip_prefix("*.").map_or_else(|| entry.to_owned(), |below| format!(".{below}"));
        let (name, port) = host_and_port(&entry)?;
        if let Some(network) = ip(&name) {
            let bits = if network.is_ipv4() { 32 } else { 128 };
            return Some(Self::Block { network, bits, port });
        }
        match name.strip_prefix('.') {
            Some("") => None,
            Some(below) => Some(Self::Domain { name: below.to_owned(), itself: false, port }),
            None => Some(Self::Domain { name, itself: true, port }),
        }
    }

    fn matches(&self, host: &str, ip: Option<IpAddr>, asked: u16) -> bool {
        let (found, port) = match self {
            Self::All => (true, &None),
            Self::Domain { name, itself, port } => {
                let found = host
                    .strip_suffix(name.as_str())
                    .is_some_and(|before| if before.is_empty() { *itself } else { before.ends_with('.') });
                (found, port)
            }
            Self::Block { network, bits, port } => (ip.is_some_and(|ip| within(ip, *network, *bits)), port),
        };
        found && port.is_none_or(|port| port == asked)
    }
}

fn within(ip: IpAddr, network: IpAddr, bits: u8) -> bool {
    let differing = match (ip, network) {
        (IpAddr::V4(ip), IpAddr::V4(network)) => {
            u128::from(ip.to_bits() ^ network.to_bits()).checked_shr(32 - u32::from(bits))
        }
        (IpAddr::V6(ip), IpAddr::V6(network)) => {
            (ip.to_bits() ^ network.to_bits()).checked_shr(128 - u32::from(bits))
        }
        _ => return false,
    };
    differing.unwrap_or_default() == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let check =
            |text: &str, expect: Result<(&str, Option<&str>), &str>| match (Proxy::parse(text), expect) {
                (Ok(proxy), Ok((target, authorization))) => {
                    let value = proxy.authorization().map(|value| value.to_str().unwrap());
                    assert_eq!((proxy.target(), value), (target, authorization), "{text}");
                }
                (Err(error), Err(part)) => {
                    assert_eq!(error.kind(), NetErrorKind::BadUrl);
                    assert!(error.to_string().contains(part), "{text}: {error}");
                    assert!(!format!("{error} {error:?}").contains("hunter2"), "{text}: {error:?}");
                }
                (got, _) => panic!("{text}: {got:?}"),
            };
        check("http://proxy:3128", Ok(("proxy:3128", None)));
        check(" proxy:3128 ", Ok(("proxy:3128", None)));
        check("https://proxy/", Ok(("proxy:443", None)));
        check("http://user:pass@proxy:3128", Ok(("proxy:3128", Some("Basic dXNlcjpwYXNz"))));
        check("http://user@proxy", Ok(("proxy:80", Some("Basic dXNlcjo="))));
        check("http://us%40er:p%3Ass%2F@[::1]:1", Ok(("[::1]:1", Some("Basic dXNAZXI6cDpzcy8="))));
        check("http://u:p@ss@proxy:1", Ok(("proxy:1", Some("Basic dTpwQHNz"))));
        check("socks5://user:hunter2@proxy:1080", Err("http:// or https://"));
        check("http://user:hunter2@proxy:1/path", Err("path"));
        check("http://user:hunter2@", Err("proxy's address"));
        check("http://user:hunt/hunter2@proxy", Err("proxy's address"));
        check("http://user:hunter2@proxy:99999", Err("port"));
        check("", Err("proxy's address"));
        let proxy = Proxy::parse("http://user:hunter2@proxy:3128").unwrap();
        let shown = format!("{proxy:?}");
        assert!(shown.contains("proxy:3128") && !shown.contains("hunter2"), "{shown}");
        assert!(!shown.contains("user:") && !shown.contains("dXNlcjpodW50ZXIy"), "{shown}");
    }

    #[test]
    fn what_goes_through_it() {
        let check = |except: &[&str], url: &str, expect: bool| {
            let proxy = Proxy::parse("http://proxy:3128").unwrap().except(except).unwrap();
            assert_eq!(proxy.serves(Url::parse(url).unwrap().uri()), expect, "{url} except {except:?}");
        };
        check(&[], "https://api.example.com/", true);
        check(&["*"], "https://api.example.com/", false);
        for own in ["http://localhost:1/", "http://a.localhost/", "http://127.0.0.2/", "http://[::1]:1/"] {
            check(&[], own, false);
        }
        check(&["example.com"], "https://example.com/", false);
        check(&["Example.com"], "https://API.example.com./", false);
        check(&["example.com"], "https://notexample.com/", true);
        check(&["example.com"], "https://example.com.test/", true);
        check(&[".example.com"], "https://example.com/", true);
        check(&["*.example.com"], "https://api.example.com/", false);
        check(&["example.com:443"], "https://example.com/", false);
        check(&["example.com:443"], "http://example.com/", true);
        check(&["", " 10.0.0.0/8 "], "http://10.1.2.3/", false);
        check(&["10.0.0.0/8"], "http://11.0.0.1/", true);
        check(&["10.0.0.0/8"], "http://[::ffff:10.0.0.1]/", false);
        check(&["192.168.1.7"], "http://192.168.1.7:11434/", false);
        check(&["192.168.1.7"], "http://192.168.1.8/", true);
        check(&["fd00::/8"], "http://[fd00::1]/", false);
        check(&["fd00::/8"], "http://10.0.0.1/", true);
        check(&["0.0.0.0/0"], "http://8.8.8.8/", false);
        check(&["::/0"], "http://[2606::1]/", false);
        for bad in ["http://host", "10.0.0.0/33", "x/8", "a b", "."] {
            let error = Proxy::parse("http://proxy").unwrap().except([bad]).unwrap_err();
            assert!(error.to_string().contains(bad), "{error}");
        }
        let all = Proxy::parse("http://proxy:3128").unwrap().also_for_loopback();
        assert!(all.serves(Url::parse("http://127.0.0.1/").unwrap().uri()));
    }
}
