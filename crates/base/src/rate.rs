//! Rate limits, told.

use std::time::Duration;

/// What a caller may do a minute, and what is left of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RateLimits {
    /// Of requests; `None` for no limit.
    pub requests: Option<RateLimit>,
    /// Of tokens; `None` for no limit.
    pub tokens: Option<RateLimit>,
}

/// One limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RateLimit {
    /// Most a minute.
    pub limit: u64,
    /// What is left now.
    pub remaining: u64,
    /// Until all of it is there again, unless more is used.
    pub reset: Duration,
}
