//! Wall-clock time.

use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Nanoseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub i64);

impl Timestamp {
    /// The wall clock now.
    pub fn now() -> Self {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self(i64::try_from(since.as_nanos()).unwrap_or(i64::MAX))
    }

    /// This moment and `duration` after it.
    #[must_use]
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// This moment less `duration`.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_nanos()).unwrap_or(i64::MAX)))
    }

    /// Whole seconds since the epoch, as `created` fields want them.
    pub fn seconds(self) -> i64 {
        self.0.div_euclid(1_000_000_000)
    }

    /// The day in UTC: `2026-11-20`.
    pub fn day(self) -> String {
        let mut day = self.rfc3339();
        day.truncate(10);
        day
    }

    /// RFC 3339 in UTC with milliseconds: `2026-11-20T10:27:07.123Z`.
    pub fn rfc3339(self) -> String {
        jiff::Timestamp::from_nanosecond(i128::from(self.0))
            .map_or_else(|_| String::from("1970-01-01T00:00:00.000Z"), |time| format!("{time:.3}"))
    }

    /// Parses RFC 3339, with any offset.
    pub fn parse_rfc3339(text: &str) -> Option<Self> {
        let time: jiff::Timestamp = text.parse().ok()?;
        i64::try_from(time.as_nanosecond()).ok().map(Self)
    }
}

/// A start on both clocks: the wall clock says when, the monotonic one how long, so that a clock
/// that jumps while a span is open cannot give it a negative or absurd duration.
#[derive(Clone, Copy, Debug)]
pub struct Start {
    /// When, on the wall clock.
    pub at: Timestamp,
    mono: Instant,
}

impl Start {
    /// Now on both clocks.
    pub fn now() -> Self {
        Self { at: Timestamp::now(), mono: Instant::now() }
    }
    /// Time since.
    pub fn elapsed(&self) -> Duration {
        self.mono.elapsed()
    }
    /// The wall time now, counted from the start.
    pub fn end(&self) -> Timestamp {
        self.at.after(self.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_both_ways() {
        let time = Timestamp(1_763_634_427_123_000_000);
        assert_eq!(time.rfc3339(), "2025-11-20T10:27:07.123Z");
        assert_eq!(Timestamp::parse_rfc3339("2025-11-20T19:27:07.123+09:00"), Some(time));
    }
}
