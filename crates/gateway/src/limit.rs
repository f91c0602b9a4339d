//! Rate limits: requests and tokens a minute, calls at once. In memory; a restart begins anew.

use hanok_base::{ErrorKind, Problem, RateLimit, RateLimits};
use parking_lot::Mutex;
use std::fmt;
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

    fn told(&self, limit: u64) -> RateLimit {
        let most = float(limit);
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "held within the limit")]
        let remaining = self.left.clamp(0.0, most) as u64;
        RateLimit { limit, remaining, reset: self.wait(most, most) }
    }

    /// How long until `amount` is there.
    fn wait(&self, amount: f64, per_minute: f64) -> Duration {
        Duration::from_secs_f64(((amount - self.left) / per_minute * 60.0).clamp(0.0, 3600.0))
    }
}

impl Buckets {
    /// Fills those that have a limit; what they hold then.
    fn filled(&mut self, limits: &Limits, now: Instant) -> Option<RateLimits> {
        if let Some(most) = limits.requests_per_minute {
            self.requests.fill(f64::from(most), now);
        }
        if let Some(most) = limits.tokens_per_minute {
            self.tokens.fill(float(most), now);
        }
        self.told(limits)
    }

    /// What they hold; `None` where there is no limit by the minute.
    fn told(&self, limits: &Limits) -> Option<RateLimits> {
        let told = RateLimits {
            requests: limits.requests_per_minute.map(|most| self.requests.told(u64::from(most))),
            tokens: limits.tokens_per_minute.map(|most| self.tokens.told(most)),
        };
        (told != RateLimits::default()).then_some(told)
    }
}

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
    /// Lets a call of about `tokens` tokens in, and tells what is left of limits by the minute; or says how long
    /// to wait.
    pub fn admit(
        self: &Arc<Self>,
        limits: &Limits,
        tokens: u64,
        whose: &dyn fmt::Display,
    ) -> Result<(Admission, Option<RateLimits>), Problem> {
        let counted = limits.concurrent.is_some();
        if let Some(most) = limits.concurrent {
            let entered = self
                .concurrent
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |now| (now < most).then_some(now + 1));
            if entered.is_err() {
                let message = format!("{whose} has {most} calls under way, as many as it may");
                let left = self.buckets.lock().filled(limits, Instant::now());
                return Err(refused("concurrency_limit", message, Duration::from_secs(1), left));
            }
        }
        // From here on, leaving early gives the seat back.
        let admission = Admission { meter: self.clone(), counted };
        if limits.requests_per_minute.is_none() && limits.tokens_per_minute.is_none() {
            return Ok((admission, None));
        }
        let mut buckets = self.buckets.lock();
        let left = buckets.filled(limits, Instant::now());
        if let Some(most) = limits.requests_per_minute
            && buckets.requests.left < 1.0
        {
            let wait = buckets.requests.wait(1.0, f64::from(most));
            let message = format!("{whose} may make {most} requests a minute");
            return Err(refused("rate_limited", message, wait, left));
        }
        let amount = float(tokens);
        if let Some(most) = limits.tokens_per_minute {
            if tokens > most {
                let message =
                    format!("the request has about {tokens} tokens, and {whose} may use {most} a minute");
                return Err(Problem::new(ErrorKind::InvalidRequest, "request_too_large", message)
                    .hint("send less, or raise the key's tokens per minute"));
            }
            if buckets.tokens.left < amount {
                let wait = buckets.tokens.wait(amount, float(most));
                let message = format!("{whose} may use {most} tokens a minute");
                return Err(refused("rate_limited", message, wait, left));
            }
        }
        buckets.requests.left -= 1.0;
        buckets.tokens.left -= amount;
        let left = buckets.told(limits);
        Ok((admission, left))
    }

    /// Corrects what a call was thought to use by what it did use.
    pub fn correct(&self, thought: u64, used: u64) {
        let more = float(used) - float(thought);
        self.buckets.lock().tokens.left -= more;
    }
}

#[expect(clippy::cast_precision_loss, reason = "2^53 tokens are as good as no limit")]
fn float(tokens: u64) -> f64 {
    tokens as f64
}

fn refused(code: &str, message: String, wait: Duration, limits: Option<RateLimits>) -> Problem {
    let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
    let (retry_after, limits) = (Some(seconds.max(1)), limits.map(Box::new));
    Problem { retry_after, limits, ..Problem::new(ErrorKind::RateLimited, code, message) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_a_minute() {
        let meter = Arc::<Meter>::default();
        let limits = Limits { requests_per_minute: Some(2), ..Limits::default() };
        let (_, left) = meter.admit(&limits, 10, &"key a").unwrap();
        let requests = left.unwrap().requests.unwrap();
        assert_eq!((requests.limit, requests.remaining, requests.reset.as_secs()), (2, 1, 30));
        assert!(meter.admit(&limits, 10, &"key a").is_ok());
        let Err(refused) = meter.admit(&limits, 10, &"key a") else { panic!("let in") };
        assert_eq!((refused.kind, refused.code.as_str()), (ErrorKind::RateLimited, "rate_limited"));
        assert!(refused.retry_after.is_some_and(|wait| (25..=30).contains(&wait)), "{refused:?}");
        let left = refused.limits.and_then(|limits| limits.requests).unwrap();
        assert_eq!((left.limit, left.remaining), (2, 0));
    }

    #[test]
    fn tokens_are_corrected() {
        let meter = Arc::<Meter>::default();
        let limits = Limits { tokens_per_minute: Some(100), ..Limits::default() };
        assert!(meter.admit(&limits, 40, &"key a").is_ok());
        meter.correct(40, 90);
        assert!(meter.admit(&limits, 40, &"key a").is_err());
        let Err(never) = meter.admit(&limits, 101, &"key a") else { panic!("let in") };
        assert_eq!(never.kind, ErrorKind::InvalidRequest);
    }

    #[test]
    fn calls_at_once() {
        let meter = Arc::<Meter>::default();
        let limits = Limits { concurrent: Some(1), ..Limits::default() };
        let first = meter.admit(&limits, 0, &"key a");
        assert!(first.is_ok() && meter.admit(&limits, 0, &"key a").is_err());
        drop(first);
        assert!(meter.admit(&limits, 0, &"key a").is_ok());
    }
}
