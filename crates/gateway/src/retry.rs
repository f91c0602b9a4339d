//! When to try again, and how long to wait before.

use hanok_base::ProviderErrorKind;
use parking_lot::Mutex;
use std::time::Duration;

/// What a failure means for the rest of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// No target will do better.
    GiveUp,
    /// Another target may; this one will not.
    Elsewhere,
    /// This one may, too, in a moment.
    Again,
}

/// What a failure of this kind means.
pub(crate) fn verdict(kind: ProviderErrorKind) -> Verdict {
    use ProviderErrorKind as P;
    match kind {
        P::InvalidRequest | P::ContentFilter | P::Internal => Verdict::GiveUp,
        P::Auth | P::ContextLength | P::UnknownModel | P::Unsupported => Verdict::Elsewhere,
        P::RateLimited | P::Overloaded | P::Timeout | P::Truncated | P::Decode | P::Transport => {
            Verdict::Again
        }
    }
}

/// Whether an upstream may charge for a try that ended so: the model may have answered, and only the answer did
/// not come.
pub(crate) fn may_cost(kind: ProviderErrorKind) -> bool {
    use ProviderErrorKind as P;
    matches!(kind, P::Timeout | P::Truncated | P::Decode)
}

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// How long to wait after this round: what the upstream asks for, or up to twice as long each time, by chance,
/// so that callers that failed together do not come back together.
pub(crate) fn backoff(round: u32, asked: Option<Duration>) -> Duration {
    let most = FIRST.saturating_mul(1 << round.min(16)).min(LONGEST);
    let jittered = most.mul_f64(0.5 + fastrand::f64() / 2.0);
    asked.map_or(jittered, |asked| asked.max(jittered))
}

/// Keeps retries a small share of all calls: when everything fails, trying again only makes it worse. Another
/// target in the same round is no retry.
pub(crate) struct RetryBudget {
    tokens: Mutex<u32>,
}

/// What a retry costs, and what each call earns towards one.
const PRICE: u32 = 5;
const EARNED: u32 = 1;
/// What can be saved up, fifty retries; as much is there at the start.
const MOST: u32 = 250;

impl Default for RetryBudget {
    fn default() -> Self {
        Self { tokens: Mutex::new(MOST) }
    }
}

impl RetryBudget {
    pub(crate) fn deposit(&self) {
        let mut tokens = self.tokens.lock();
        *tokens = (*tokens + EARNED).min(MOST);
    }

    /// Whether one more retry may be made.
    pub(crate) fn withdraw(&self) -> bool {
        let mut tokens = self.tokens.lock();
        let may = *tokens >= PRICE;
        if may {
            *tokens -= PRICE;
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_and_are_asked_for() {
        assert!((50..=100).contains(&backoff(0, None).as_millis()));
        assert!((200..=400).contains(&backoff(2, None).as_millis()));
        assert!(backoff(40, None) <= LONGEST);
        assert_eq!(backoff(0, Some(Duration::from_secs(3))), Duration::from_secs(3));
    }

    #[test]
    fn retries_run_out() {
        let budget = RetryBudget::default();
        assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 50);
        (0..10).for_each(|_| budget.deposit());
        assert_eq!((0..100).filter(|_| budget.withdraw()).count(), 2);
    }
}
