//! A target and what is known of how it does: latency, load, and whether it is worth a try now.

use hanok_base::{ModelName, Provider, ProviderError, ProviderErrorKind};
use parking_lot::Mutex;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;

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
/// The longest wait a target can ask for.
const LONGEST_COOLING: Duration = Duration::from_mins(5);
/// How soon to look again at a target that another call probes.
const PROBED: Duration = Duration::from_millis(200);
/// How fast the moving average of latency forgets.
const DECAY: Duration = Duration::from_secs(10);
/// How many calls are looked back on for what people see.
const REMEMBERED: usize = 256;

/// How a target does. Shared by every route that leads to it, and kept over a change of configuration.
#[derive(Default)]
pub struct TargetState {
    inflight: AtomicU32,
    inner: Mutex<Inner>,
    /// Places, by the limit of the route that leads here.
    seats: Mutex<Vec<(usize, Arc<Semaphore>)>>,
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
    /// When the last complete answers ended, and how long they took.
    complete: VecDeque<(Instant, Duration)>,
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
    /// Median and 95th percentile of the time to an answer's end, of those that came to a good one.
    pub whole: Option<(Duration, Duration)>,
}

impl TargetState {
    /// Whether it is worth a try now.
    pub fn standing(&self, now: Instant) -> Standing {
        let mut inner = self.inner.lock();
        if let Some(until) = inner.cooling {
            if until > now {
                return Standing::Away(until - now);
            }
            inner.cooling = None;
        }
        match &inner.open {
            Some(open) if open.until > now => Standing::Away(open.until - now),
            Some(open) if open.probing => Standing::Away(PROBED),
            Some(_) | None => Standing::Ready,
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
        if let Some((_, semaphore)) = seats.iter().find(|(of, _)| *of == limit) {
            return semaphore.clone();
        }
        // Limits of configurations that are no more go when their last call ended.
        seats.retain(|(_, semaphore)| Arc::strong_count(semaphore) > 1);
        let semaphore = Arc::new(Semaphore::new(limit));
        seats.push((limit, semaphore.clone()));
        semaphore
    }

    /// Notes that a call is under way. Where the breaker's time is over it is the probe, and the only one:
    /// `None` for any other until that ended.
    pub fn begin(self: &Arc<Self>) -> Option<Attempt> {
        let start = Instant::now();
        let probe = match &mut self.inner.lock().open {
            None => false,
            Some(open) if open.probing || open.until > start => return None,
            Some(open) => {
                open.probing = true;
                true
            }
        };
        self.inflight.fetch_add(1, Ordering::Relaxed);
        Some(Attempt { state: self.clone(), start, probe, failures: None, broken: false })
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
        let lately = |at: Instant| now - at < Duration::from_hours(1);
        let hour = inner.recent.iter().filter(|call| lately(call.at));
        let times: Vec<Duration> = hour.clone().filter(|call| call.ok).map(|call| call.first_token).collect();
        let calls = hour.count();
        let complete = inner.complete.iter().filter(|(at, _)| lately(*at));
        TargetHealth {
            breaker,
            away,
            inflight: self.inflight.load(Ordering::Relaxed),
            limit: self.seats.lock().last().map(|(limit, _)| *limit),
            last_error: inner.last_error.clone(),
            calls,
            failed: calls - times.len(),
            first_token: middle_and_most(times),
            whole: middle_and_most(complete.map(|(_, took)| *took).collect()),
        }
    }
}

/// The median and the 95th percentile.
fn middle_and_most(mut times: Vec<Duration>) -> Option<(Duration, Duration)> {
    times.sort_unstable();
    let at = |share: usize| times.get((times.len().saturating_sub(1)) * share / 100).copied();
    at(50).zip(at(95))
}

/// A call under way at a target. Dropping it untold says nothing of the target.
pub struct Attempt {
    state: Arc<TargetState>,
    start: Instant,
    /// The breaker waits for its word.
    probe: bool,
    /// The failures in a row before this call's first token was there.
    failures: Option<u32>,
    /// It came to a bad end.
    broken: bool,
}

impl Attempt {
    /// The first token, or the whole answer, is here.
    pub fn succeeded(&mut self) {
        let took = self.start.elapsed();
        let mut inner = self.state.inner.lock();
        self.probe = false;
        self.failures = Some(inner.failures);
        inner.failures = 0;
        inner.open = None;
        inner.last_error = None;
        measure(&mut inner, took);
        remember(&mut inner, took, true);
    }

    /// The answer came to its end. Says nothing of one that failed before.
    pub fn finished(&mut self) {
        if self.broken {
            return;
        }
        let now = Instant::now();
        let complete = &mut self.state.inner.lock().complete;
        if complete.len() == REMEMBERED {
            complete.pop_front();
        }
        complete.push_back((now, now - self.start));
    }

    /// It did not do, or broke off later. A client's fault says nothing against the target.
    pub fn failed(&mut self, error: &ProviderError) {
        use ProviderErrorKind as P;
        let now = Instant::now();
        let took = self.start.elapsed();
        let mut inner = self.state.inner.lock();
        self.broken = true;
        let probe = std::mem::take(&mut self.probe);
        match error.kind {
            P::InvalidRequest | P::ContextLength | P::ContentFilter | P::UnknownModel => {
                // It answered: whatever was wrong with it before is over.
                inner.failures = 0;
                if probe {
                    inner.open = None;
                }
                return;
            }
            P::Unsupported | P::Internal => {
                if let (true, Some(open)) = (probe, &mut inner.open) {
                    open.probing = false;
                }
                return;
            }
            P::RateLimited => {
                let wait = error.retry_after.unwrap_or(FIRST_OPEN).min(LONGEST_COOLING);
                inner.cooling = Some(now + wait);
                inner.open = None;
            }
            P::Auth => open(&mut inner, now, Some(AUTH_OPEN)),
            P::Overloaded | P::Timeout | P::Truncated | P::Decode | P::Transport => {
                // A first token does not end a row of answers that all break off behind it.
                inner.failures = inner.failures.max(self.failures.take().unwrap_or(0)) + 1;
                if let Some(wait) = error.retry_after {
                    inner.cooling = Some(now + wait.min(LONGEST_COOLING));
                }
                // Calls that were under way when it opened say nothing new.
                if probe || (inner.open.is_none() && inner.failures >= FAILURES_TO_OPEN) {
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
        if self.probe
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

    fn fail(state: &Arc<TargetState>, kind: ProviderErrorKind) {
        state.begin().unwrap().failed(&error(kind));
    }

    #[tokio::test(start_paused = true)]
    async fn a_breaker_opens_probes_and_closes() {
        let state = Arc::<TargetState>::default();
        for _ in 0..FAILURES_TO_OPEN {
            assert_eq!(state.standing(Instant::now()), Standing::Ready);
            fail(&state, ProviderErrorKind::Transport);
        }
        assert!(matches!(state.standing(Instant::now()), Standing::Away(_)));
        assert!(state.begin().is_none());
        assert_eq!(state.health().breaker, "open");

        tokio::time::advance(FIRST_OPEN).await;
        assert_eq!(state.health().breaker, "half-open");
        for _ in 0..3 {
            assert_eq!(state.standing(Instant::now()), Standing::Ready, "who only looks is no probe");
        }
        let probe = state.begin();
        assert!(probe.is_some() && state.begin().is_none(), "one probe at a time");
        assert_eq!(state.standing(Instant::now()), Standing::Away(PROBED));
        drop(probe);
        fail(&state, ProviderErrorKind::Overloaded);
        assert_eq!(state.health().breaker, "open", "a failed probe opens it again");
        let Standing::Away(wait) = state.standing(Instant::now()) else { panic!("not open") };
        assert!(wait >= FIRST_OPEN && wait <= FIRST_OPEN * 2, "{wait:?}");

        tokio::time::advance(LONGEST_OPEN).await;
        state.begin().unwrap().succeeded();
        assert_eq!(state.standing(Instant::now()), Standing::Ready);
        assert_eq!(state.health().breaker, "closed");
    }

    #[tokio::test(start_paused = true)]
    async fn the_first_token_and_the_whole_answer_are_measured_apart() {
        let state = Arc::<TargetState>::default();
        let secs = Duration::from_secs;
        assert_eq!((state.health().first_token, state.health().whole), (None, None));
        for took in 1..=100 {
            let mut attempt = state.begin().unwrap();
            tokio::time::advance(Duration::from_millis(100)).await;
            attempt.succeeded();
            tokio::time::advance(Duration::from_millis(took * 10)).await;
            attempt.finished();
        }
        let mut broken = state.begin().unwrap();
        broken.succeeded();
        tokio::time::advance(secs(60)).await;
        broken.failed(&error(ProviderErrorKind::Truncated));
        broken.finished();
        let mut gone = state.begin().unwrap();
        gone.succeeded();
        tokio::time::advance(secs(60)).await;
        drop(gone);
        let health = state.health();
        assert_eq!(health.whole, Some((Duration::from_millis(600), Duration::from_millis(1_050))));
        let (_, most) = health.first_token.unwrap();
        assert_eq!(most, Duration::from_millis(100));
        tokio::time::advance(secs(3_700)).await;
        assert_eq!(state.health().whole, None, "an hour is over");
    }

    #[tokio::test(start_paused = true)]
    async fn calls_that_were_under_way_do_not_open_it_for_longer() {
        let state = Arc::<TargetState>::default();
        let mut all: Vec<Attempt> = (0..64).map(|_| state.begin().unwrap()).collect();
        for attempt in &mut all {
            attempt.failed(&error(ProviderErrorKind::Overloaded));
        }
        let Standing::Away(wait) = state.standing(Instant::now()) else { panic!("not open") };
        assert!(wait <= FIRST_OPEN, "{wait:?}");
        tokio::time::advance(FIRST_OPEN).await;
        let probe = state.begin().unwrap();
        drop(all);
        assert!(state.begin().is_none(), "only the probe gives its place on");
        drop(probe);
        assert!(state.begin().is_some());
    }

    #[tokio::test(start_paused = true)]
    async fn a_probe_that_is_answered_at_all_closes_it() {
        let check = async |kind: ProviderErrorKind, breaker: &str| {
            let state = Arc::<TargetState>::default();
            (0..FAILURES_TO_OPEN).for_each(|_| fail(&state, ProviderErrorKind::Timeout));
            tokio::time::advance(FIRST_OPEN).await;
            fail(&state, kind);
            assert_eq!(state.health().breaker, breaker, "{kind}");
        };
        check(ProviderErrorKind::InvalidRequest, "closed").await;
        check(ProviderErrorKind::ContextLength, "closed").await;
        check(ProviderErrorKind::RateLimited, "cooling").await;
        check(ProviderErrorKind::Unsupported, "half-open").await;
        check(ProviderErrorKind::Auth, "open").await;
    }

    #[test]
    fn answers_that_all_break_off_open_it_too() {
        let state = Arc::<TargetState>::default();
        for _ in 0..FAILURES_TO_OPEN {
            let mut attempt = state.begin().unwrap();
            attempt.succeeded();
            attempt.failed(&error(ProviderErrorKind::Truncated));
        }
        assert_eq!(state.health().breaker, "open");
        let state = Arc::<TargetState>::default();
        for _ in 0..FAILURES_TO_OPEN * 3 {
            let mut attempt = state.begin().unwrap();
            attempt.succeeded();
            attempt.failed(&error(ProviderErrorKind::Truncated));
            state.begin().unwrap().succeeded();
        }
        assert_eq!(state.health().breaker, "closed", "not in a row");
    }

    #[test]
    fn limits_of_several_routes_hold_side_by_side() {
        let state = Arc::<TargetState>::default();
        let taken = |limit| matches!(state.try_seat(limit), Seat::Taken(_));
        let (one, two) = (state.try_seat(Some(1)), state.try_seat(Some(2)));
        assert!(matches!(one, Seat::Taken(_)) && matches!(two, Seat::Taken(_)));
        assert!(matches!(state.try_seat(Some(1)), Seat::Full) && taken(Some(2)));
        assert!(matches!(state.try_seat(None), Seat::Unlimited));
        drop((one, two));
        assert!(taken(Some(1)));
    }

    #[test]
    fn a_clients_fault_says_nothing() {
        let state = Arc::<TargetState>::default();
        (0..50).for_each(|_| fail(&state, ProviderErrorKind::InvalidRequest));
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
        state.begin().unwrap().failed(&limited);
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
