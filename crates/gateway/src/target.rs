//! A target and what is known of how it does: latency, load, and whether it is worth a try now.

use hanok_base::{ModelName, Provider, ProviderError, ProviderErrorKind};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Provider and model: where a call can go.
#[derive(Clone)]
pub struct Target {
    /// Who answers.
    pub provider: Arc<dyn Provider>,
    /// The model, as that provider names it.
    pub model: ModelName,
    /// How it does, whatever route leads to it.
    pub state: Arc<TargetState>,
}

impl Target {
    /// `provider/model`.
    pub fn id(&self) -> String {
        format!("{}/{}", self.provider.name(), self.model)
    }
}

/// Failures in a row that open the breaker.
const FAILURES_TO_OPEN: u32 = 5;
/// How long the breaker stays open at first; each failed probe doubles it.
const FIRST_OPEN: Duration = Duration::from_secs(1);
/// The longest time it stays open.
const LONGEST_OPEN: Duration = Duration::from_secs(30);
/// How long a refused key keeps a target out: only a person changes that.
const AUTH_OPEN: Duration = Duration::from_secs(30);
/// How fast the moving average of latency forgets.
const DECAY: Duration = Duration::from_secs(10);
/// How many calls are looked back on for what people see.
const REMEMBERED: usize = 256;

/// How a target does. Shared by every route that leads to it, and kept over a change of configuration.
#[derive(Default)]
pub struct TargetState {
    inflight: AtomicU32,
    inner: Mutex<Inner>,
    seats: Mutex<Option<(usize, Arc<Semaphore>)>>,
}

#[derive(Default)]
struct Inner {
    /// Peak-EWMA of the time to the first token, seconds: jumps up at once, comes down slowly.
    latency: f64,
    measured: Option<Instant>,
    failures: u32,
    /// Closed where `None`.
    open: Option<Open>,
    /// The upstream asked to be left alone until then.
    cooling: Option<Instant>,
    last_error: Option<String>,
    recent: VecDeque<Call>,
}

struct Open {
    until: Instant,
    lasts: Duration,
    /// A probe is under way.
    probing: bool,
}

struct Call {
    at: Instant,
    first_token: Duration,
    ok: bool,
}

/// Whether a target is worth a try.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Yes.
    Ready,
    /// Not for so long: it asked for that, or its breaker is open.
    Away(Duration),
}

/// A place among the calls at a target.
pub enum Seat {
    /// There is no limit.
    Unlimited,
    /// One of the limited places; dropping it gives it back.
    Taken(OwnedSemaphorePermit),
    /// All are taken.
    Full,
}

/// How a target does, for people.
#[derive(Clone, Debug)]
pub struct TargetHealth {
    /// `closed`, `open`, `half-open` or `cooling`.
    pub breaker: &'static str,
    /// How long until it is tried again.
    pub away: Option<Duration>,
    /// Calls under way.
    pub inflight: u32,
    /// Most calls at once, where limited.
    pub limit: Option<usize>,
    /// The last failure, in words.
    pub last_error: Option<String>,
    /// Calls and failures of the last hour, of at most the last 256.
    pub calls: usize,
    /// Of `calls`, those that failed.
    pub failed: usize,
    /// Median and 95th percentile of the time to the first token of those that did not.
    pub first_token: Option<(Duration, Duration)>,
}

impl TargetState {
    /// Whether it is worth a try now. Where the breaker's time is over, the one caller that is told so is the
    /// probe, and must end in [`Attempt::succeeded`] or [`Attempt::failed`] (or be dropped).
    pub fn standing(&self, now: Instant) -> Standing {
        let mut inner = self.inner.lock();
        if let Some(until) = inner.cooling {
            if until > now {
                return Standing::Away(until - now);
            }
            inner.cooling = None;
        }
        match &mut inner.open {
            None => Standing::Ready,
            Some(open) if open.until > now => Standing::Away(open.until - now),
            Some(open) if open.probing => Standing::Away(Duration::from_millis(200)),
            Some(open) => {
                open.probing = true;
                Standing::Ready
            }
        }
    }

    /// The load a new call would meet: expected wait times those already waiting. A target never measured
    /// counts as idle, so that it is tried.
    pub fn load(&self, now: Instant) -> f64 {
        let inner = self.inner.lock();
        let since = inner.measured.map_or(0.0, |at| now.saturating_duration_since(at).as_secs_f64());
        let latency = inner.latency * (-since / (DECAY.as_secs_f64() * 6.0)).exp();
        latency * f64::from(self.inflight.load(Ordering::Relaxed) + 1)
    }

    /// A place among `limit` calls at once; `None` without a limit.
    pub async fn seat(&self, limit: Option<usize>) -> Option<OwnedSemaphorePermit> {
        let seats = self.seats_of(limit?);
        seats.acquire_owned().await.ok()
    }

    /// The same without waiting.
    pub fn try_seat(&self, limit: Option<usize>) -> Seat {
        let Some(limit) = limit else {
            return Seat::Unlimited;
        };
        self.seats_of(limit).try_acquire_owned().map_or(Seat::Full, Seat::Taken)
    }

    fn seats_of(&self, limit: usize) -> Arc<Semaphore> {
        let mut seats = self.seats.lock();
        match &*seats {
            Some((of, semaphore)) if *of == limit => semaphore.clone(),
            // A changed limit begins anew; calls under way end on the old one.
            _ => {
                let semaphore = Arc::new(Semaphore::new(limit));
                *seats = Some((limit, semaphore.clone()));
                semaphore
            }
        }
    }

    /// Notes that a call is under way.
    pub fn begin(self: &Arc<Self>) -> Attempt {
        self.inflight.fetch_add(1, Ordering::Relaxed);
        Attempt { state: self.clone(), start: Instant::now(), told: false }
    }

    /// How it does, for people.
    pub fn health(&self) -> TargetHealth {
        let now = Instant::now();
        let inner = self.inner.lock();
        let cooling = inner.cooling.and_then(|until| until.checked_duration_since(now));
        let (breaker, away) = match (&inner.open, cooling) {
            (_, Some(rest)) => ("cooling", Some(rest)),
            (None, None) => ("closed", None),
            (Some(open), None) => match open.until.checked_duration_since(now) {
                Some(rest) if !rest.is_zero() => ("open", Some(rest)),
                _ => ("half-open", None),
            },
        };
        let hour = inner.recent.iter().filter(|call| now - call.at < Duration::from_hours(1));
        let mut times: Vec<Duration> =
            hour.clone().filter(|call| call.ok).map(|call| call.first_token).collect();
        times.sort_unstable();
        let at = |share: usize| times.get((times.len().saturating_sub(1)) * share / 100).copied();
        let calls = hour.count();
        TargetHealth {
            breaker,
            away,
            inflight: self.inflight.load(Ordering::Relaxed),
            limit: self.seats.lock().as_ref().map(|(limit, _)| *limit),
            last_error: inner.last_error.clone(),
            calls,
            failed: calls - times.len(),
            first_token: at(50).zip(at(95)),
        }
    }
}

/// A call under way at a target.
pub struct Attempt {
    state: Arc<TargetState>,
    start: Instant,
    told: bool,
}

impl Attempt {
    /// The first token, or the whole answer, is here.
    pub fn succeeded(&mut self) {
        self.told = true;
        let took = self.start.elapsed();
        let mut inner = self.state.inner.lock();
        inner.failures = 0;
        inner.open = None;
        inner.last_error = None;
        measure(&mut inner, took);
        remember(&mut inner, took, true);
    }

    /// It did not do. A client's fault says nothing of the target.
    pub fn failed(&mut self, error: &ProviderError) {
        use ProviderErrorKind as P;
        self.told = true;
        let now = Instant::now();
        let took = self.start.elapsed();
        let mut inner = self.state.inner.lock();
        match error.kind {
            P::InvalidRequest
            | P::ContextLength
            | P::ContentFilter
            | P::UnknownModel
            | P::Unsupported
            | P::Internal => {
                // It answered: whatever was wrong with it before is over.
                if let Some(open) = &mut inner.open {
                    open.probing = false;
                }
                return;
            }
            P::RateLimited => {
                let wait = error.retry_after.unwrap_or(FIRST_OPEN).min(Duration::from_mins(5));
                inner.cooling = Some(now + wait);
                inner.open = None;
            }
            P::Auth => open(&mut inner, now, Some(AUTH_OPEN)),
            P::Overloaded | P::Timeout | P::Truncated | P::Decode | P::Transport => {
                inner.failures += 1;
                if let Some(wait) = error.retry_after {
                    inner.cooling = Some(now + wait.min(Duration::from_mins(5)));
                }
                if inner.open.is_some() || inner.failures >= FAILURES_TO_OPEN {
                    open(&mut inner, now, None);
                }
                // So that a target that fails slowly is not taken for a fast one.
                measure(&mut inner, took);
            }
        }
        inner.last_error = Some(error.to_string());
        remember(&mut inner, took, false);
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.state.inflight.fetch_sub(1, Ordering::Relaxed);
        // A caller that went away leaves the probe to the next one.
        if !self.told
            && let Some(open) = &mut self.state.inner.lock().open
        {
            open.probing = false;
        }
    }
}

fn open(inner: &mut Inner, now: Instant, lasts: Option<Duration>) {
    let next = inner.open.as_ref().map_or(FIRST_OPEN, |open| (open.lasts * 2).min(LONGEST_OPEN));
    let lasts = lasts.unwrap_or(next);
    // Half to all of it, so that many servers do not come back at one moment.
    let until = now + lasts.mul_f64(0.5 + fastrand::f64() / 2.0);
    inner.open = Some(Open { until, lasts, probing: false });
}

fn measure(inner: &mut Inner, took: Duration) {
    let now = Instant::now();
    let took = took.as_secs_f64();
    let since = inner.measured.map_or(f64::MAX, |at| (now - at).as_secs_f64());
    let keep = (-since / DECAY.as_secs_f64()).exp();
    inner.latency = if took > inner.latency { took } else { inner.latency * keep + took * (1.0 - keep) };
    inner.measured = Some(now);
}

fn remember(inner: &mut Inner, first_token: Duration, ok: bool) {
    if inner.recent.len() == REMEMBERED {
        inner.recent.pop_front();
    }
    inner.recent.push_back(Call { at: Instant::now(), first_token, ok });
}

/// The states of all targets ever named, by `provider/model`.
#[derive(Default)]
pub struct TargetStates {
    states: Mutex<HashMap<String, Arc<TargetState>>>,
}

/// Names beyond this are not remembered: clients can make them up.
const MOST_STATES: usize = 4096;

impl TargetStates {
    /// The state of a target, made on first sight.
    pub fn of(&self, id: &str) -> Arc<TargetState> {
        let mut states = self.states.lock();
        if let Some(state) = states.get(id) {
            return state.clone();
        }
        if states.len() >= MOST_STATES {
            states.retain(|_, state| Arc::strong_count(state) > 1);
        }
        let state = Arc::<TargetState>::default();
        if states.len() < MOST_STATES {
            states.insert(id.to_owned(), state.clone());
        }
        state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(kind: ProviderErrorKind) -> ProviderError {
        ProviderError::new(kind, &"p".into(), "no")
    }

    #[test]
    fn a_breaker_opens_probes_and_closes() {
        let state = Arc::<TargetState>::default();
        for _ in 0..FAILURES_TO_OPEN {
            assert_eq!(state.standing(Instant::now()), Standing::Ready);
            state.begin().failed(&error(ProviderErrorKind::Transport));
        }
        let now = Instant::now();
        assert!(matches!(state.standing(now), Standing::Away(_)));
        assert_eq!(state.health().breaker, "open");
        let later = now + FIRST_OPEN * 2;
        assert_eq!(state.standing(later), Standing::Ready, "the probe");
        assert!(matches!(state.standing(later), Standing::Away(_)), "one probe at a time");
        drop(state.begin());
        assert_eq!(state.standing(later), Standing::Ready, "a probe whose caller left is given on");
        state.begin().failed(&error(ProviderErrorKind::Overloaded));
        assert_eq!(state.health().breaker, "open", "a failed probe opens it again");
        let much_later = later + LONGEST_OPEN;
        assert_eq!(state.standing(much_later), Standing::Ready);
        state.begin().succeeded();
        assert_eq!(state.standing(much_later), Standing::Ready);
        assert_eq!(state.health().breaker, "closed");
    }

    #[test]
    fn a_clients_fault_says_nothing() {
        let state = Arc::<TargetState>::default();
        for _ in 0..50 {
            state.begin().failed(&error(ProviderErrorKind::InvalidRequest));
        }
        assert_eq!(state.standing(Instant::now()), Standing::Ready);
        assert_eq!(state.health().calls, 0);
    }

    #[test]
    fn a_limited_target_is_left_alone_as_long_as_it_asks() {
        let state = Arc::<TargetState>::default();
        let limited = ProviderError {
            retry_after: Some(Duration::from_secs(7)),
            ..error(ProviderErrorKind::RateLimited)
        };
        state.begin().failed(&limited);
        let now = Instant::now();
        assert!(matches!(state.standing(now), Standing::Away(wait) if wait > Duration::from_secs(6)));
        assert_eq!(state.standing(now + Duration::from_secs(7)), Standing::Ready);
    }

    #[test]
    fn a_slow_answer_counts_at_once_and_is_forgotten_slowly() {
        let mut inner = Inner::default();
        measure(&mut inner, Duration::from_millis(10));
        measure(&mut inner, Duration::from_secs(1));
        assert!((inner.latency - 1.0).abs() < 1e-9);
        measure(&mut inner, Duration::from_millis(10));
        assert!(inner.latency > 0.9);
    }
}
