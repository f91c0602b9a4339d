//! The head of a request, written; the head of an answer, read.

use super::Malformed;
use super::framing::Framing;
use crate::Proxy;
use bytes::{Buf as _, Bytes, BytesMut};
use http::header::{
    ACCEPT_ENCODING, CONNECTION, CONTENT_LENGTH, HOST, PROXY_AUTHORIZATION, TRANSFER_ENCODING, USER_AGENT,
};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use std::mem::MaybeUninit;

/// The largest head of an answer.
pub(super) const LARGEST_HEAD: usize = 64 << 10;
/// How many headers an answer may have.
const MOST_HEADERS: usize = 128;
/// A first line is told from other protocols within this.
const TELLING: usize = 16;

/// What is asked, in all but its body.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) method: &'a Method,
    pub(crate) uri: &'a Uri,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) user_agent: &'a HeaderValue,
    /// The proxy that is asked for the whole URL, where the line leads to one.
    pub(crate) through: Option<&'a Proxy>,
}

impl Ask<'_> {
    /// Writes the head of this request with a body of `len` bytes. Where a message ends is said by who frames
    /// it, so that the caller's own headers on that are passed over.
    pub(crate) fn write(&self, len: usize, out: &mut Vec<u8>) {
        let uri = self.uri;
        let authority = uri.authority().map_or("", http::uri::Authority::as_str);
        out.extend_from_slice(self.method.as_str().as_bytes());
        out.push(b' ');
        if self.through.is_some() {
            out.extend_from_slice(b"http://");
            out.extend_from_slice(authority.as_bytes());
        }
        out.extend_from_slice(uri.path().as_bytes());
        if let Some(query) = uri.query() {
            out.push(b'?');
            out.extend_from_slice(query.as_bytes());
        }
        out.extend_from_slice(b" HTTP/1.1\r\n");

        let authorization = self.through.and_then(Proxy::authorization);
        let (mut accepts, mut named, mut hosted) = (false, false, false);
        for (name, value) in self.headers {
            if *name == CONTENT_LENGTH || *name == TRANSFER_ENCODING {
                continue;
            }
            accepts |= *name == ACCEPT_ENCODING;
            named |= *name == USER_AGENT;
            hosted |= *name == HOST;
            if *name == PROXY_AUTHORIZATION && authorization.is_some() {
                continue;
            }
            line(out, name, value.as_bytes());
        }
        if !hosted {
            let default = if uri.scheme_str() == Some("https") { 443 } else { 80 };
            let host = uri.host().unwrap_or_default();
            let plain = uri.port_u16().is_none_or(|port| port == default);
            line(out, &HOST, if plain { host } else { authority }.as_bytes());
        }
        if !accepts {
            line(out, &ACCEPT_ENCODING, b"identity");
        }
        if !named {
            line(out, &USER_AGENT, self.user_agent.as_bytes());
        }
        if let Some(authorization) = authorization {
            line(out, &PROXY_AUTHORIZATION, authorization.as_bytes());
        }
        // A method that is about a body says so of an empty one too.
        if len > 0 || matches!(*self.method, Method::POST | Method::PUT | Method::PATCH) {
            line(out, &CONTENT_LENGTH, len.to_string().as_bytes());
        }
        out.extend_from_slice(b"\r\n");
    }

    /// Whether the request itself ends the connection.
    pub(crate) fn closes(&self) -> bool {
        tokens(self.headers, &CONNECTION).any(|token| token.eq_ignore_ascii_case("close"))
    }
}

fn line(out: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// The server keeps the connection open behind the body.
    pub(super) keeps: bool,
    pub(super) framing: Framing,
}

/// Whether it is worth reading the head, of which the last `fresh` bytes are new: a line has ended since, or
/// it is so short that it only tells what it is, or too long.
pub(super) fn worth_reading(buf: &[u8], fresh: usize) -> bool {
    let new = buf.get(buf.len().saturating_sub(fresh)..).unwrap_or(buf);
    buf.len() <= TELLING
        || buf.len() >= LARGEST_HEAD
        || fresh == buf.len()
        || memchr::memchr(b'\n', new).is_some()
}

/// Takes the head of the answer to a request of this method from the front of `buf`; `None` where it is not
/// there as a whole. Interim answers (1xx) are heads without a body, too.
pub(super) fn read(buf: &mut BytesMut, method: &Method) -> Result<Option<Head>, Malformed> {
    let mut places = [const { MaybeUninit::uninit() }; MOST_HEADERS];
    let mut parsed = httparse::Response::new(&mut []);
    let config = httparse::ParserConfig::default();
    let bytes: &[u8] = buf;
    let len = match config.parse_response_with_uninit_headers(&mut parsed, bytes, &mut places) {
        Ok(httparse::Status::Complete(len)) if len <= LARGEST_HEAD => len,
        Ok(httparse::Status::Partial) if bytes.len() < LARGEST_HEAD => return Ok(None),
        Ok(_) => return Err(Malformed::LargeHead),
        Err(error) => return Err(Malformed::Head(error)),
    };
    let status = parsed.code.and_then(|code| StatusCode::from_u16(code).ok());
    let status = status.ok_or(Malformed::Head(httparse::Error::Status))?;
    // All values share one copy, which is as long as they are and outlives the buffer's next use.
    let whole = Bytes::copy_from_slice(bytes.get(..len).unwrap_or(bytes));
    let mut headers = HeaderMap::with_capacity(parsed.headers.len());
    for header in parsed.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| Malformed::Header)?;
        let at = header.value.as_ptr().addr().saturating_sub(bytes.as_ptr().addr());
        let value = if at + header.value.len() <= whole.len() {
            HeaderValue::from_maybe_shared(whole.slice(at..at + header.value.len()))
        } else {
            // An empty value need not lie within the head.
            HeaderValue::from_bytes(header.value)
        };
        headers.append(name, value.map_err(|_| Malformed::Header)?);
    }
    let one_one = parsed.version == Some(1);
    buf.advance(len);

    let (mut closes, mut keeps) = (false, false);
    for token in tokens(&headers, &CONNECTION) {
        closes |= token.eq_ignore_ascii_case("close");
        keeps |= token.eq_ignore_ascii_case("keep-alive");
    }
    let framing = Framing::of(status, method, &headers, one_one)?;
    let keeps = !closes && (one_one || keeps) && !matches!(framing, Framing::Close);
    Ok(Some(Head { status, headers, keeps, framing }))
}

/// The members of a header that is a list. What is not text is no token of ours.
pub(super) fn tokens<'h>(headers: &'h HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'h str> {
    let values = headers.get_all(name).into_iter();
    values.flat_map(|value| value.to_str().unwrap_or("?").split(',').map(str::trim))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests() {
        let check = |method: Method, url: &str, headers: &[(&str, &str)], len: usize, expect: &str| {
            let uri: Uri = url.parse().unwrap();
            let headers: HeaderMap = headers
                .iter()
                .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), value.parse().unwrap()))
                .collect();
            let user_agent = HeaderValue::from_static("me");
            let mut ask =
                Ask { method: &method, uri: &uri, headers: &headers, user_agent: &user_agent, through: None };
            let mut out = Vec::new();
            ask.write(len, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expect.replace('\n', "\r\n"), "{url}");
            // Through a proxy only the first line is another.
            let proxy = Proxy::parse("u:p@proxy:1").unwrap();
            ask.through = Some(&proxy);
            let mut out = Vec::new();
            ask.write(len, &mut out);
            let out = String::from_utf8(out).unwrap();
            assert!(out.starts_with(&format!("{method} http://{}/", uri.authority().unwrap())), "{out}");
            assert!(out.contains("proxy-authorization: Basic dTpw\r\n"), "{out}");
        };
        check(
            Method::POST,
            "http://h:8080/v1?x=1",
            &[("content-type", "a/b"), ("content-length", "7"), ("transfer-encoding", "chunked")],
            4,
            "POST /v1?x=1 HTTP/1.1\ncontent-type: a/b\nhost: h:8080\naccept-encoding: identity\n\
             user-agent: me\ncontent-length: 4\n\n",
        );
        check(
            Method::GET,
            "http://h?q",
            &[("host", "other"), ("accept-encoding", "gzip"), ("user-agent", "it")],
            0,
            "GET /?q HTTP/1.1\nhost: other\naccept-encoding: gzip\nuser-agent: it\n\n",
        );
        check(
            Method::POST,
            "https://[::1]:443",
            &[],
            0,
            "POST / HTTP/1.1\nhost: [::1]\naccept-encoding: identity\nuser-agent: me\ncontent-length: 0\n\n",
        );
    }

    #[test]
    fn answers() {
        // What is left of the bytes, whether the connection is kept, and where the body ends.
        let check_of = |method: Method, text: &str, expect: Result<(u16, &str, bool, Framing), Malformed>| {
            let mut buf = BytesMut::from(text.replace('\n', "\r\n").as_str());
            match (read(&mut buf, &method), expect) {
                (Ok(Some(head)), Ok((status, rest, keeps, framing))) => {
                    assert_eq!((head.status.as_u16(), head.keeps), (status, keeps), "{text}");
                    assert_eq!((&buf[..], head.framing), (rest.as_bytes(), framing), "{text}");
                }
                (Err(error), Err(expect)) => assert_eq!(error, expect, "{text}"),
                (got, expect) => panic!("{text}: {got:?}, not {expect:?}"),
            }
        };
        let check = |text: &str, expect| check_of(Method::POST, text, expect);
        let chunked = Framing::chunked;
        check("HTTP/1.1 200 OK\ncontent-length: 3\n\nabc", Ok((200, "abc", true, Framing::Length(3))));
        check("HTTP/1.1 200\ncontent-length: 0\n\n", Ok((200, "", true, Framing::Length(0))));
        check(
            "HTTP/1.1 200 \nConnection: x, Close\ncontent-length: 1\n\n",
            Ok((200, "", false, Framing::Length(1))),
        );
        check(
            "HTTP/1.1 200 OK\nconnection: keep-alive\nconnection: close\ncontent-length: 1\n\n",
            Ok((200, "", false, Framing::Length(1))),
        );
        check("HTTP/1.0 200 OK\ncontent-length: 1\n\n", Ok((200, "", false, Framing::Length(1))));
        check(
            "HTTP/1.0 200 OK\nConnection: Keep-Alive\ncontent-length: 1\n\n",
            Ok((200, "", true, Framing::Length(1))),
        );
        check("HTTP/1.1 200 OK\n\nabc", Ok((200, "abc", false, Framing::Close)));
        check("HTTP/1.1 200 OK\nTransfer-Encoding:  Chunked \n\n", Ok((200, "", true, chunked())));
        check("HTTP/1.1 100 Continue\n\nHTTP", Ok((100, "HTTP", true, Framing::Length(0))));
        check("HTTP/1.1 204 No Content\ncontent-length: 5\n\n", Ok((204, "", true, Framing::Length(0))));
        check(
            "HTTP/1.1 304 Not Modified\ntransfer-encoding: chunked\n\n",
            Ok((304, "", true, Framing::Length(0))),
        );
        check(
            "HTTP/1.1 200 OK\ncontent-length: 3\nContent-Length: 3, 3\n\n",
            Ok((200, "", true, Framing::Length(3))),
        );
        check("HTTP/1.1 200 OK\nx: \nx:\ncontent-length: 0\n\n", Ok((200, "", true, Framing::Length(0))));
        check_of(
            Method::HEAD,
            "HTTP/1.1 200 OK\ncontent-length: 9\n\n",
            Ok((200, "", true, Framing::Length(0))),
        );

        check("HTTP/1.1 101 Switching Protocols\nupgrade: x\n\n", Err(Malformed::Upgrade));
        for length in ["3, 4", "-1", "+3", "0x3", "", "3.0", "3 3", "3,", "18446744073709551616", "three"] {
            check(&format!("HTTP/1.1 200 OK\ncontent-length: {length}\n\n"), Err(Malformed::Length));
        }
        check("HTTP/1.1 200 OK\ncontent-length: 3\ncontent-length: 4\n\n", Err(Malformed::Length));
        check(
            "HTTP/1.1 200 OK\ncontent-length: 3\ntransfer-encoding: chunked\n\n",
            Err(Malformed::Ambiguous),
        );
        for coding in ["gzip", "gzip, chunked", "chunked, chunked", "identity", "", "xchunked", "chunked;a=b"]
        {
            check(
                &format!("HTTP/1.1 200 OK\ntransfer-encoding: {coding}\n\n"),
                Err(Malformed::TransferEncoding),
            );
        }
        check("HTTP/1.0 200 OK\ntransfer-encoding: chunked\n\n", Err(Malformed::TransferEncoding));
        check("SSH-2.0-x\n", Err(Malformed::Head(httparse::Error::Version)));
        check("HTTP/2 200\n\n", Err(Malformed::Head(httparse::Error::Version)));
        check("HTTP/1.1 20 OK\n\n", Err(Malformed::Head(httparse::Error::Status)));
        check("HTTP/1.1 099 OK\n\n", Err(Malformed::Head(httparse::Error::Status)));
        check("HTTP/1.1 200 OK\nx\n\n", Err(Malformed::Head(httparse::Error::HeaderName)));
        check("HTTP/1.1 200 OK\nx : y\n\n", Err(Malformed::Head(httparse::Error::HeaderName)));
        check("HTTP/1.1 200 OK\nx: y\n folded\n\n", Err(Malformed::Head(httparse::Error::HeaderName)));
        check("HTTP/1.1 200 OK\nx: \0\n\n", Err(Malformed::Head(httparse::Error::HeaderValue)));
        let many = "x: y\n".repeat(MOST_HEADERS + 1);
        check(&format!("HTTP/1.1 200 OK\n{many}\n"), Err(Malformed::Head(httparse::Error::TooManyHeaders)));
        let large = format!("x: {}\n", "y".repeat(LARGEST_HEAD));
        check(&format!("HTTP/1.1 200 OK\n{large}\n"), Err(Malformed::LargeHead));
        check(&format!("HTTP/1.1 200 OK\n{large}"), Err(Malformed::LargeHead));
    }

    #[test]
    fn a_head_that_is_not_all_there() {
        let whole = b"\r\nHTTP/1.1 200 OK\r\nname: value\r\ncontent-length: 2\r\n\r\n";
        for at in 0..whole.len() {
            let mut buf = BytesMut::from(&whole[..at]);
            assert!(read(&mut buf, &Method::GET).unwrap().is_none(), "{at}");
            assert_eq!(buf, whole[..at], "nothing is taken");
        }
        let mut buf = BytesMut::from(&whole[..]);
        let head = read(&mut buf, &Method::GET).unwrap().unwrap();
        assert_eq!((head.headers["name"].as_bytes(), head.headers.len()), (&b"value"[..], 2));
        assert!(worth_reading(b"HTT", 1) && worth_reading(&[b'x'; 99], 99));
        assert!(worth_reading(&vec![b'x'; LARGEST_HEAD], 1));
        assert!(!worth_reading(&[b'x'; 99], 1) && worth_reading(b"HTTP/1.1 200 OK\r\n", 1));
    }
}
