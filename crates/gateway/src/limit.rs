//! Rate limits: requests and tokens a minute, calls at once. In memory; a restart begins anew.

use hanok_base::{ErrorKind, Problem};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// How much at once; `None` for no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests a minute.
    pub requests_per_minute: Option<u32>,
    /// Tokens a minute, of prompts and answers.
    pub tokens_per_minute: Option<u64>,
    /// Calls under way at once.
    pub concurrent: Option<u32>,
}

/// What was used of some limits.
#[derive(Default)]
pub struct Meter {
    buckets: Mutex<Buckets>,
    concurrent: AtomicU32,
}

#[derive(Default)]
struct Buckets {
    requests: Bucket,
    tokens: Bucket,
}

/// A bucket that fills evenly and holds a minute's worth.
#[derive(Default)]
struct Bucket {
    /// What is left; may be below zero where more was used than was thought.
    left: f64,
    filled: Option<Instant>,
}

impl Bucket {
    fn fill(&mut self, per_minute: f64, now: Instant) {
        self.left = match self.filled {
            None => per_minute,
            Some(at) => {
                let more = now.saturating_duration_since(at).as_secs_f64() * per_minute / 60.0;
                (self.left + more).min(per_minute)
            }
        };
        self.filled = Some(now);
    }

    /// How long until `amount` is there.
    fn wait(&self, amount: f64, per_minute: f64) -> Duration {
        Duration::from_secs_f64(((amount - self.left) / per_minute * 60.0).clamp(0.0, 3600.0))
    }
}

/// What is left of the limits after a call was let in, as headers clients know.
pub type LimitHeaders = Vec<(&'static str, String)>;

/// A call that was let in. Dropping it ends it.
pub struct Admission {
    meter: Arc<Meter>,
    counted: bool,
}

impl Drop for Admission {
    fn drop(&mut self) {
        if self.counted {
            self.meter.concurrent.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Meter {
    /// Lets a call of about `tokens` tokens in, or says how long to wait.
    pub fn admit(
        self: &Arc<Self>,
        limits: &Limits,
        tokens: u64,
        whose: &str,
    ) -> Result<(Admission, LimitHeaders), Problem> {
        let counted = limits.concurrent.is_some();
        if let Some(most) = limits.concurrent {
            let entered = self
                .concurrent
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| (now < most).then_some(now + 1));
            if entered.is_err() {
                let message = format!("{whose} has {most} calls under way, as many as it may");
                return Err(refused("concurrency_limit", message, Duration::from_secs(1)));
            }
        }
        // From here on, leaving early gives the seat back.
        let admission = Admission { meter: self.clone(), counted };
        if limits.requests_per_minute.is_none() && limits.tokens_per_minute.is_none() {
            return Ok((admission, LimitHeaders::new()));
        }
        let mut headers = LimitHeaders::with_capacity(6);
        let now = Instant::now();
        let mut buckets = self.buckets.lock();
        let requests = limits.requests_per_minute.map(f64::from);
        #[expect(clippy::cast_precision_loss, reason = "a limit of 2^53 tokens a minute is none")]
        let (per_minute, amount) = (limits.tokens_per_minute.map(|tokens| tokens as f64), tokens as f64);
        if let Some(most) = requests {
            buckets.requests.fill(most, now);
            if buckets.requests.left < 1.0 {
                let wait = buckets.requests.wait(1.0, most);
                let message = format!("{whose} may make {most} requests a minute");
                return Err(refused("rate_limited", message, wait));
            }
        }
        if let Some(most) = per_minute {
            buckets.tokens.fill(most, now);
            if amount > most {
                let message =
                    format!("the request has about {tokens} tokens, and {whose} may use {most} a minute");
                return Err(Problem::new(ErrorKind::InvalidRequest, "request_too_large", message)
                    .hint("send less, or raise the key's tokens per minute"));
            }
            if buckets.tokens.left < amount {
                let wait = buckets.tokens.wait(amount, most);
                let message = format!("{whose} may use {most} tokens a minute");
                return Err(refused("rate_limited", message, wait));
            }
        }
        if let Some(most) = requests {
            buckets.requests.left -= 1.0;
            told(&mut headers, REQUESTS, most, &buckets.requests);
        }
        if let Some(most) = per_minute {
            buckets.tokens.left -= amount;
            told(&mut headers, TOKENS, most, &buckets.tokens);
        }
        Ok((admission, headers))
    }

    /// Corrects what a call was thought to use by what it did use.
    pub fn correct(&self, thought: u64, used: u64) {
        #[expect(clippy::cast_precision_loss, reason = "a call of 2^53 tokens is none")]
        let more = used as f64 - thought as f64;
        self.buckets.lock().tokens.left -= more;
    }
}

const REQUESTS: [&str; 3] =
    ["x-ratelimit-limit-requests", "x-ratelimit-remaining-requests", "x-ratelimit-reset-requests"];
const TOKENS: [&str; 3] =
    ["x-ratelimit-limit-tokens", "x-ratelimit-remaining-tokens", "x-ratelimit-reset-tokens"];

fn told(
    headers: &mut LimitHeaders,
    [limit, remaining, reset]: [&'static str; 3],
    most: f64,
    bucket: &Bucket,
) {
    headers.push((limit, format!("{most:.0}")));
    headers.push((remaining, format!("{:.0}", bucket.left.max(0.0).floor())));
    headers.push((reset, format!("{:.3}s", bucket.wait(most, most).as_secs_f64())));
}

fn refused(code: &str, message: String, wait: Duration) -> Problem {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    Problem { retry_after: Some(seconds.max(1)), ..Problem::new(ErrorKind::RateLimited, code, message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_a_minute() {
        let meter = Arc::<Meter>::default();
        let limits = Limits { requests_per_minute: Some(2), ..Limits::default() };
        let (_, headers) = meter.admit(&limits, 10, "key a").unwrap();
        assert!(headers.contains(&("x-ratelimit-remaining-requests", "1".to_owned())));
        assert!(meter.admit(&limits, 10, "key a").is_ok());
        let Err(refused) = meter.admit(&limits, 10, "key a") else { panic!("let in") };
        assert_eq!((refused.kind, refused.code.as_str()), (ErrorKind::RateLimited, "rate_limited"));
        assert!(refused.retry_after.is_some_and(|wait| (25..=30).contains(&wait)), "{refused:?}");
    }

    #[test]
    fn tokens_are_corrected() {
        let meter = Arc::<Meter>::default();
        let limits = Limits { tokens_per_minute: Some(100), ..Limits::default() };
        assert!(meter.admit(&limits, 40, "key a").is_ok());
        meter.correct(40, 90);
        assert!(meter.admit(&limits, 40, "key a").is_err());
        let Err(never) = meter.admit(&limits, 101, "key a") else { panic!("let in") };
        assert_eq!(never.kind, ErrorKind::InvalidRequest);
    }

    #[test]
    fn calls_at_once() {
        let meter = Arc::<Meter>::default();
        let limits = Limits { concurrent: Some(1), ..Limits::default() };
        let first = meter.admit(&limits, 0, "key a");
        assert!(first.is_ok() && meter.admit(&limits, 0, "key a").is_err());
        drop(first);
        assert!(meter.admit(&limits, 0, "key a").is_ok());
    }
}
