//! People who logged in: a cookie stands for the key they showed.

use hanok_base::Timestamp;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The cookie's name.
pub(crate) const COOKIE: &str = "hanok_session";
/// How long a login is good.
const LIFETIME: Duration = Duration::from_hours(24 * 14);
/// Most logins at once; the oldest give way.
const MOST: usize = 10_000;
/// Failed logins within a minute after which further ones must wait.
const FAILURES: u32 = 20;

/// Who is logged in. In memory: a restart logs everybody out.
#[derive(Default)]
pub struct Sessions {
    /// By the hash of the cookie's value, so that what leaks from here opens nothing.
    open: Mutex<HashMap<[u8; 32], Session>>,
    failures: Mutex<(Option<Instant>, u32)>,
}

#[derive(Clone, Copy)]
struct Session {
    /// The hash of the key's secret: a key that was revoked or expired opens nothing from then on.
    key: [u8; 32],
    since: Timestamp,
}

impl Sessions {
    /// Begins a session for the key of this hash; gives the cookie's value.
    pub(crate) fn begin(&self, key: [u8; 32]) -> Option<String> {
        let mut random = [0_u8; 24];
        getrandom::fill(&mut random).ok()?;
        let token = hex(&random);
        let mut open = self.open.lock();
        if open.len() >= MOST
            && let Some(oldest) = open.iter().min_by_key(|(_, session)| session.since).map(|(hash, _)| *hash)
        {
            open.remove(&oldest);
        }
        open.insert(hash(&token), Session { key, since: Timestamp::now() });
        Some(token)
    }

    /// The hash of the key a cookie's value stands for.
    pub(crate) fn key(&self, token: &str) -> Option<[u8; 32]> {
        let mut open = self.open.lock();
        let hash = hash(token);
        let session = *open.get(&hash)?;
        if session.since.after(LIFETIME) < Timestamp::now() {
            open.remove(&hash);
            return None;
        }
        Some(session.key)
    }

    /// Ends a session.
    pub(crate) fn end(&self, token: &str) {
        self.open.lock().remove(&hash(token));
    }

    /// Notes a failed login.
    pub(crate) fn failed(&self) {
        let mut failures = self.failures.lock();
        match &mut *failures {
            (Some(since), count) if since.elapsed() < Duration::from_mins(1) => *count += 1,
            fresh => *fresh = (Some(Instant::now()), 1),
        }
    }

    /// How many seconds to wait before another login may be tried.
    pub(crate) fn wait(&self) -> Option<u64> {
        match *self.failures.lock() {
            (Some(since), count) if count >= FAILURES => {
                let rest = Duration::from_mins(1).checked_sub(since.elapsed())?;
                Some(rest.as_secs() + 1)
            }
            _ => None,
        }
    }
}

/// What a form must carry to come from our own page: made from the cookie, which no other site knows.
pub(crate) fn csrf(secret: &str) -> String {
    hex(blake3::derive_key("hanok 2026-11 form token", secret.as_bytes()).get(..16).unwrap_or_default())
}

/// The value of a cookie.
pub(crate) fn cookie<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    header.split(';').find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then_some(value)
    })
}

fn hash(token: &str) -> [u8; 32] {
    *blake3::hash(token.as_bytes()).as_bytes()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _infallible = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sessions_begin_and_end() {
        let sessions = Sessions::default();
        let token = sessions.begin([7; 32]).unwrap();
        assert_eq!((token.len(), sessions.key(&token), sessions.key("other")), (48, Some([7; 32]), None));
        sessions.end(&token);
        assert_eq!(sessions.key(&token), None);
        assert_eq!(sessions.wait(), None);
        (0..FAILURES).for_each(|_| sessions.failed());
        assert!(sessions.wait().is_some_and(|wait| wait <= 61));
    }

    #[test]
    fn cookies() {
        assert_eq!(cookie("a=1; hanok_session=x; b=2", COOKIE), Some("x"));
        assert_eq!(cookie("hanok_sessions=x", COOKIE), None);
        assert_ne!(csrf("a"), csrf("b"));
    }
}
