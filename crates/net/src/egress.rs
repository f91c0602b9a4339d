//! Which servers a client may reach.

use crate::host::{host_and_port, ip, is_loopback, not_public};
use crate::{NetError, NetErrorKind, Url};
use std::net::IpAddr;

/// Which servers a client may reach. The default allows all.
///
/// The host is checked at every request; the address at every new connection, after its name was resolved,
/// so that a name that comes to mean an inner address opens nothing. Where a proxy resolves the name, only
/// the host is checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Egress {
    /// `None` for any.
    hosts: Option<Vec<Allowed>>,
    /// Hosts whose address may be any.
    private: Vec<Allowed>,
    refuse_private: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Allowed {
    host: String,
    /// `None` for any.
    port: Option<u16>,
}

impl Egress {
    /// Only these: `host` for all its ports, or `host:port`.
    ///
    /// [`NetErrorKind::BadUrl`] where an entry is neither.
    pub fn only<S: AsRef<str>>(hosts: impl IntoIterator<Item = S>) -> Result<Self, NetError> {
        let none = Self { hosts: Some(Vec::new()), ..Self::default() };
        hosts.into_iter().try_fold(none, |egress, host| egress.allow(host.as_ref()))
    }

    /// This one too. Where any host is allowed, it only counts as named, for [`Egress::refuse_private`].
    pub fn allow(mut self, host: &str) -> Result<Self, NetError> {
        let (host, port) = parsed(host)?;
        // Who writes an inner address, or `localhost`, means it. A name that happens to resolve to one may
        // have been made to.
        if ip(&host).is_some() || is_loopback(&host) {
            self.private.push(Allowed { host: host.clone(), port });
        }
        if let Some(hosts) = &mut self.hosts {
            hosts.push(Allowed { host, port });
        }
        Ok(self)
    }

    /// Refuses loopback, link-local, private and reserved addresses, except those of hosts that were allowed
    /// as an address, as `localhost`, or with [`Egress::allow_private`].
    #[must_use]
    pub fn refuse_private(mut self) -> Self {
        self.refuse_private = true;
        self
    }

    /// This one too, whatever its name resolves to; where it is named with a port, at that port only.
    pub fn allow_private(mut self, host: &str) -> Result<Self, NetError> {
        let (bare, port) = parsed(host)?;
        self.private.push(Allowed { host: bare, port });
        self.allow(host)
    }

    /// Refuses a request to a host that is not allowed.
    pub(crate) fn check(&self, url: &Url) -> Result<(), NetError> {
        let refused = |why: &str| {
            let message = format!("{} may not be reached: {why}", url.target());
            Err(NetError::new(NetErrorKind::Forbidden, url.shared_target().clone(), message))
        };
        let matches = |allowed: &Allowed| {
            allowed.host == url.bare_host() && allowed.port.is_none_or(|port| port == url.port())
        };
        if self.hosts.as_ref().is_some_and(|hosts| !hosts.iter().any(matches)) {
            return refused("it is not among the allowed hosts");
        }
        // What its name resolves to is seen where the port is not.
        let mut named = self.private.iter().filter(|private| private.host == url.bare_host()).peekable();
        if self.refuse_private && named.peek().is_some() && !named.any(matches) {
            return refused("it was named as allowed at another port");
        }
        match url.ip().and_then(|ip| self.refusal(url.bare_host(), ip)) {
            Some(why) => refused(&why),
            None => Ok(()),
        }
    }

    /// Why a connection to the bare `host` at this address is refused.
    pub(crate) fn refusal(&self, host: &str, ip: IpAddr) -> Option<String> {
        if !self.refuse_private {
            return None;
        }
        let kind = not_public(ip)?;
        let named = self.private.iter().any(|private| private.host == host);
        (!named).then(|| format!("{ip} is {kind} address, and it was not named as allowed"))
    }
}

fn parsed(entry: &str) -> Result<(String, Option<u16>), NetError> {
    host_and_port(entry).ok_or_else(|| {
        let message =
            format!("`{}` is not an allowed host: write `host` or `host:port`", entry.escape_debug());
        NetError::new(NetErrorKind::BadUrl, "", message)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(egress: &Egress, url: &str, expect: Option<&str>) {
        let got = egress.check(&Url::parse(url).unwrap());
        match (got, expect) {
            (Ok(()), None) => {}
            (Err(error), Some(part)) => {
                assert_eq!(error.kind(), NetErrorKind::Forbidden);
                assert!(error.to_string().contains(part), "{url}: {error}");
                assert!(error.to_string().starts_with(error.target()), "{url}: {error}");
            }
            (got, _) => panic!("{url}: {got:?}"),
        }
    }

    #[test]
    fn hosts() {
        let all = Egress::default();
        check(&all, "http://127.0.0.1/", None);
        let some = Egress::only(["API.example.com", "127.0.0.1:9100", "[::1]:80"]).unwrap();
        let no = Some("not among the allowed hosts");
        check(&some, "https://api.example.com/v1", None);
        check(&some, "https://Api.Example.com.:8443/", None);
        check(&some, "http://127.0.0.1:9100/", None);
        check(&some, "http://127.0.0.1:9101/", no);
        check(&some, "http://[::1]/", None);
        check(&some, "http://[::1]:81/", no);
        check(&some, "https://example.com/", no);
        check(&some, "https://evil-api.example.com/", no);
        check(&some, "https://api.example.com.evil.test/", no);
        check(&Egress::only([""; 0]).unwrap(), "http://host/", no);
        for bad in ["", "http://host", "host:x"] {
            assert_eq!(Egress::only([bad]).unwrap_err().kind(), NetErrorKind::BadUrl, "{bad}");
        }
    }

    #[test]
    fn addresses() {
        let public = Egress::default().refuse_private();
        check(&public, "http://8.8.8.8/", None);
        check(&public, "http://127.0.0.1:9100/", Some("127.0.0.1 is a loopback address"));
        check(&public, "http://169.254.169.254/", Some("a link-local address"));
        check(&public, "http://[::ffff:10.0.0.1]/", Some("a private address"));
        let other = public.clone().allow("127.0.0.1:1").unwrap().allow_private("wiki.lan:8080").unwrap();
        check(&other, "http://127.0.0.1:1/", None);
        check(&other, "http://127.0.0.1:9100/", Some("at another port"));
        check(&other, "http://wiki.lan:8080/", None);
        check(&other, "http://wiki.lan/", Some("at another port"));
        check(&other.allow_private("wiki.lan").unwrap(), "http://wiki.lan/", None);
        let some = Egress::only(["127.0.0.1", "api.example.com"]).unwrap().refuse_private();
        check(&some, "http://127.0.0.1/", None);
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(some.refusal("api.example.com", ip("8.8.8.8")), None);
        assert!(some.refusal("api.example.com", ip("10.0.0.1")).is_some());
        let named = some.allow_private("api.example.com").unwrap();
        assert_eq!(named.refusal("api.example.com", ip("10.0.0.1")), None);
    }
}
