//! From what went wrong to a [`ProviderError`], with every known secret taken out.

use crate::secret::Redactor;
use hanok_base::{ProviderError, ProviderErrorKind, ProviderName, Timestamp};
use hanok_net::{HeaderMap, NetError, NetErrorKind};
use std::time::Duration;

/// The longest wait a provider can ask for; beyond it the header is taken for nonsense.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

/// A failure of the connection or of HTTP. Cut bodies are `Truncated`: the answer had begun.
pub(crate) fn from_net(provider: &ProviderName, error: NetError) -> ProviderError {
    use ProviderErrorKind as P;
    let kind = match error.kind() {
        NetErrorKind::BadUrl | NetErrorKind::Forbidden | NetErrorKind::Cassette => P::Internal,
        NetErrorKind::Dns
        | NetErrorKind::Refused
        | NetErrorKind::Tls
        | NetErrorKind::Closed
        | NetErrorKind::Proxy => P::Transport,
        NetErrorKind::ConnectTimeout | NetErrorKind::FirstByteTimeout | NetErrorKind::IdleTimeout => {
            P::Timeout
        }
        NetErrorKind::Cut => P::Truncated,
        NetErrorKind::TooLarge | NetErrorKind::Protocol => P::Decode,
    };
    ProviderError::new(kind, provider, error.to_string()).with_source(error)
}

/// Takes secrets out of an error's texts; a cause that holds one is dropped.
pub(crate) fn redact(redactor: &Redactor, mut error: ProviderError) -> ProviderError {
    error.message = redactor.clean(error.message);
    error.code = error.code.map(|code| redactor.clean(code));
    error.source = error.source.filter(|source| !redactor.finds(&format!("{source} {source:?}")));
    error
}

/// How long the provider asks to wait: `retry-after-ms`, or `retry-after` in seconds or as a date.
pub(crate) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let seconds = |text: &str, unit: f64| {
        text.parse::<f64>().ok().and_then(|number| Duration::try_from_secs_f64(number * unit).ok())
    };
    let date = |text: &str| {
        let at = jiff::fmt::rfc2822::parse(text).ok()?.timestamp().as_nanosecond();
        let wait = at.saturating_sub(i128::from(now.0)).max(0);
        Some(Duration::from_nanos(u64::try_from(wait).ok()?))
    };
    text("retry-after-ms")
        .and_then(|text| seconds(text, 1e-3))
        .or_else(|| text("retry-after").and_then(|text| seconds(text, 1.0).or_else(|| date(text))))
        .filter(|wait| *wait <= LONGEST_WAIT)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn waits_are_read_in_every_form() {
        let check = |headers: &[(&'static str, &str)], expect: Option<u64>| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(*name, value.parse().unwrap());
            }
            let now = Timestamp::parse_rfc3339("2026-11-20T10:00:00Z").unwrap();
            assert_eq!(retry_after(&map, now), expect.map(Duration::from_millis), "{headers:?}");
        };
        check(&[], None);
        check(&[("retry-after", "7")], Some(7000));
        check(&[("retry-after", " 1.5 ")], Some(1500));
        check(&[("retry-after", "7"), ("retry-after-ms", "250")], Some(250));
        check(&[("retry-after", "Fri, 20 Nov 2026 10:00:30 GMT")], Some(30_000));
        check(&[("retry-after", "Fri, 20 Nov 2026 09:00:00 GMT")], Some(0));
        check(&[("retry-after", "soon")], None);
        check(&[("retry-after", "-3")], None);
        check(&[("retry-after", "NaN")], None);
        check(&[("retry-after", "1e300")], None);
        check(&[("retry-after", "31536000")], None);
    }

    #[test]
    fn no_secret_stays_in_an_error() {
        let redactor = Redactor::new(std::iter::once(Secret::from("sk-hidden")));
        let mut error = ProviderError::new(ProviderErrorKind::Auth, &"p".into(), "bad key sk-hidden");
        error.code = Some("sk-hidden".into());
        let error = redact(&redactor, error.with_source("caused by sk-hidden"));
        assert!(!format!("{error} {error:?}").contains("hidden"));
        assert_eq!(error.message, "bad key ***");
        let kept = ProviderError::new(ProviderErrorKind::Auth, &"p".into(), "m").with_source("harmless");
        assert!(redact(&redactor, kept).source.is_some());
    }
}
