//! Rate limits as the headers a dialect's clients know.

use hanok_base::{Dialect, RateLimit, RateLimits, Timestamp};
use std::time::Duration;

const OPENAI: [[&str; 3]; 2] = [
    ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"],
    ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"],
];
const ANTHROPIC: [[&str; 3]; 2] = [
    [
        "anthropic-ratelimit-requests-limit",
        "anthropic-ratelimit-requests-remaining",
        "anthropic-ratelimit-requests-reset",
    ],
    [
        "anthropic-ratelimit-tokens-limit",
        "anthropic-ratelimit-tokens-remaining",
        "anthropic-ratelimit-tokens-reset",
    ],
];

/// What is left of `limits`: in Anthropic's names for its clients, where the reset is a moment (RFC 3339), and
/// in OpenAI's for all others, where it is a duration (`120ms`, `8.64s`, `6m0s`).
pub fn rate_limit_headers(
    dialect: Dialect,
    limits: &RateLimits,
    now: Timestamp,
) -> impl Iterator<Item = (&'static str, String)> {
    let anthropic = dialect == Dialect::AnthropicMessages;
    let [requests, tokens] = if anthropic { ANTHROPIC } else { OPENAI };
    let told = move |[limit, remaining, reset]: [&'static str; 3], told: RateLimit| {
        let when = if anthropic { now.after(told.reset).rfc3339() } else { duration(told.reset) };
        [(limit, told.limit.to_string()), (remaining, told.remaining.to_string()), (reset, when)]
    };
    let both = [(requests, limits.requests), (tokens, limits.tokens)];
    both.into_iter().filter_map(move |(names, limit)| Some(told(names, limit?))).flatten()
}

/// Whether a header tells of a vendor's rate limits.
pub fn is_rate_limit_header(name: &str) -> bool {
    name.starts_with("x-ratelimit-") || name.starts_with("anthropic-ratelimit-")
}

/// As OpenAI writes a duration, rounded up to milliseconds.
fn duration(duration: Duration) -> String {
    let whole = duration.as_nanos().div_ceil(1_000_000);
    let (minutes, millis) = (whole / 60_000, whole % 60_000);
    if whole > 0 && whole < 1_000 {
        return format!("{whole}ms");
    }
    let seconds = format!("{}.{:03}", millis / 1_000, millis % 1_000);
    let seconds = seconds.trim_end_matches('0').trim_end_matches('.');
    match (minutes / 60, minutes % 60) {
        (0, 0) => format!("{seconds}s"),
        (0, minutes) => format!("{minutes}m{seconds}s"),
        (hours, minutes) => format!("{hours}h{minutes}m{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        let check = |millis: u64, expect: &str| {
            assert_eq!(duration(Duration::from_millis(millis)), expect, "{millis}");
        };
        check(0, "0s");
        check(7, "7ms");
        check(120, "120ms");
        check(1_000, "1s");
        check(8_640, "8.64s");
        check(10_000, "10s");
        check(360_000, "6m0s");
        check(60_500, "1m0.5s");
        check(3_600_000, "1h0m0s");
        assert_eq!(duration(Duration::from_nanos(1)), "1ms", "never told as none");
    }

    #[test]
    fn names() {
        let now = Timestamp::parse_rfc3339("2026-11-20T10:00:00Z").unwrap();
        let limit =
            |limit, remaining, seconds| RateLimit { limit, remaining, reset: Duration::from_secs(seconds) };
        let check = |dialect: Dialect, limits: RateLimits, expect: &[(&str, &str)]| {
            let told: Vec<_> = rate_limit_headers(dialect, &limits, now).collect();
            let told: Vec<_> = told.iter().map(|(name, value)| (*name, value.as_str())).collect();
            assert_eq!(told, expect, "{dialect:?}");
            assert!(told.iter().all(|(name, _)| is_rate_limit_header(name)));
        };
        let requests = Some(limit(60, 59, 1));
        check(
            Dialect::OpenAiChat,
            RateLimits { requests, tokens: Some(limit(1_000, 400, 90)) },
            &[
                ("x-ratelimit-limit-requests", "60"),
                ("x-ratelimit-remaining-requests", "59"),
                ("x-ratelimit-reset-requests", "1s"),
                ("x-ratelimit-limit-tokens", "1000"),
                ("x-ratelimit-remaining-tokens", "400"),
                ("x-ratelimit-reset-tokens", "1m30s"),
            ],
        );
        check(
            Dialect::AnthropicMessages,
            RateLimits { requests, tokens: None },
            &[
                ("anthropic-ratelimit-requests-limit", "60"),
                ("anthropic-ratelimit-requests-remaining", "59"),
                ("anthropic-ratelimit-requests-reset", "2026-11-20T10:00:01.000Z"),
            ],
        );
        check(Dialect::Gemini, RateLimits::default(), &[]);
    }
}
