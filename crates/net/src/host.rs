//! Hosts as configuration names them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A host of a URL or a list: without brackets and closing dot, in small letters.
pub(crate) fn bare(host: &str) -> String {
    let inner = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    inner.strip_suffix('.').unwrap_or(inner).to_ascii_lowercase()
}

/// `host` or `host:port`, an IPv6 address with or without its brackets; `None` where it is neither.
pub(crate) fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let text = text.trim();
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !host.contains(':') || host.ends_with(']') => {
            (host, Some(port.parse::<u16>().ok()?))
        }
        _ => (text, None),
    };
    let host = bare(host);
    let named = !host.is_empty() && !host.contains(|c: char| c.is_whitespace() || "/@?#[]*".contains(c));
    (named && (!host.contains(':') || host.parse::<Ipv6Addr>().is_ok())).then_some((host, port))
}

/// The address a bare host is, where it is one.
pub(crate) fn ip(host: &str) -> Option<IpAddr> {
    host.parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}

/// Whether a bare host names this machine.
pub(crate) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost") || ip(host).is_some_and(|ip| ip.is_loopback())
}

/// What kind of address this is if it is not one of the public network; `None` for a public one.
///
/// After the special-purpose registries of IANA (RFC 6890 and its updates). An IPv6 address that only wraps
/// an IPv4 address is what that one is.
pub(crate) fn not_public(ip: IpAddr) -> Option<&'static str> {
    match ip.to_canonical() {
        IpAddr::V4(ip) => not_public_v4(ip),
        IpAddr::V6(ip) => not_public_v6(ip),
    }
}

fn not_public_v4(ip: Ipv4Addr) -> Option<&'static str> {
    match ip.octets() {
        [127, ..] => Some("a loopback"),
        [169, 254, ..] => Some("a link-local"),
        [10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Some("a private"),
        [0 | 224..=255, ..]
        | [192, 0, 0 | 2, _]
        | [198, 18..=19, ..]
        | [198, 51, 100, _]
        | [203, 0, 113, _] => Some("a reserved"),
        _ => None,
    }
}

fn not_public_v6(ip: Ipv6Addr) -> Option<&'static str> {
    let v4 = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        not_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match ip.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Some("a loopback"),
        [0xfe80..=0xfebf, ..] => Some("a link-local"),
        [0xfc00..=0xfdff | 0xfec0..=0xfeff, ..] => Some("a private"),
        // NAT64 and 6to4 carry the address that is meant.
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => v4(high, low),
        // All other global addresses come from 2000::/3; within it, Teredo and the documentation prefixes.
        [0x2001, 0 | 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..] => Some("a reserved"),
        [0x2000..=0x3fff, ..] => None,
        _ => Some("a reserved"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports() {
        let check = |text: &str, expect: Option<(&str, Option<u16>)>| {
            let got = host_and_port(text);
            assert_eq!(got.as_ref().map(|(host, port)| (host.as_str(), *port)), expect, "{text}");
        };
        check("API.example.com", Some(("api.example.com", None)));
        check(" host.:8080 ", Some(("host", Some(8080))));
        check("::1", Some(("::1", None)));
        check("[::1]", Some(("::1", None)));
        check("[::1]:80", Some(("::1", Some(80))));
        check("10.0.0.1:1", Some(("10.0.0.1", Some(1))));
        for bad in
            ["", ":80", "host:", "host:x", "host:99999", "http://host", "a b", "u@h", "h/p", "a:b:c", "*"]
        {
            check(bad, None);
        }
    }

    #[test]
    fn addresses() {
        let check = |text: &str, expect: Option<&str>| {
            let kind = not_public(text.parse().unwrap());
            assert_eq!(kind.map(|kind| kind.trim_start_matches("a ")), expect, "{text}");
        };
        for public in [
            "8.8.8.8",
            "172.15.0.1",
            "172.32.0.1",
            "100.63.0.1",
            "100.128.0.1",
            "169.253.1.1",
            "192.0.3.1",
            "223.255.255.255",
            "2606:4700::1",
            "2002:808:808::1",
            "64:ff9b::808:808",
            "::ffff:8.8.8.8",
        ] {
            check(public, None);
        }
        for private in ["10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1", "fd00::1"] {
            check(private, Some("private"));
        }
        for (address, kind) in [
            ("127.0.0.1", "loopback"),
            ("127.255.0.1", "loopback"),
            ("::1", "loopback"),
            ("::ffff:127.0.0.1", "loopback"),
            ("64:ff9b::7f00:1", "loopback"),
            ("2002:7f00:1::", "loopback"),
            ("169.254.169.254", "link-local"),
            ("::ffff:169.254.169.254", "link-local"),
            ("fe80::1", "link-local"),
            ("fec0::1", "private"),
            ("0.0.0.0", "reserved"),
            ("::", "reserved"),
            ("::127.0.0.1", "reserved"),
            ("224.0.0.1", "reserved"),
            ("255.255.255.255", "reserved"),
            ("198.18.0.1", "reserved"),
            ("ff02::1", "reserved"),
            ("2001:db8::1", "reserved"),
            ("2001::1", "reserved"),
            ("64:ff9b:1::1", "reserved"),
        ] {
            check(address, Some(kind));
        }
    }
}
