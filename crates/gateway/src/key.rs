//! Keys of clients: who calls, for which project, and what they may.

use crate::limit::{Limits, Meter};
use arc_swap::ArcSwap;
use hanok_base::{ErrorKind, NanoDollars, Payloads, Problem, Timestamp};
use std::collections::HashMap;
use std::sync::Arc;

/// A key that may call.
pub struct Key {
    /// Its id in the store; empty for a key of the configuration.
    pub id: Arc<str>,
    /// Its name.
    pub name: Arc<str>,
    /// The project its calls belong to; empty for none.
    pub project: Arc<str>,
    /// Sees and changes everything.
    pub admin: bool,
    /// Models it may call, by patterns with `*`; empty for all.
    pub models: Vec<String>,
    /// When it stops being good.
    pub expires: Option<Timestamp>,
    /// Most tokens of one answer.
    pub max_output_tokens: Option<u64>,
    /// How much at once.
    pub limits: Limits,
    /// How much money.
    pub budgets: Vec<Budget>,
    /// Whether what is said in its calls is kept; `None` leaves that to the project.
    pub payloads: Option<Payloads>,
    /// What it used of its limits.
    pub meter: Arc<Meter>,
}

/// Money for a period.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Budget {
    /// How much.
    pub limit: NanoDollars,
    /// For how long.
    pub period: Period,
    /// For which models, by a pattern with `*`; `None` for all together.
    pub model: Option<String>,
}

/// How long a budget lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Period {
    /// A day, in UTC.
    Day,
    /// A month, in UTC.
    Month,
    /// For good.
    Total,
}

impl Period {
    /// The period of this name: `day`, `month` or `total`.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "day" => Self::Day,
            "month" => Self::Month,
            "total" => Self::Total,
            _ => return None,
        })
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Total => "total",
        }
    }

    /// The period that `day` (`2026-11-20`) lies in: itself, its month (`2026-11`), or `total`.
    pub fn of(self, day: &str) -> &str {
        match self {
            Self::Day => day,
            Self::Month => day.get(..7).unwrap_or(day),
            Self::Total => "total",
        }
    }
}

impl Key {
    /// Whose account its calls are charged to: its id, or its name where it has none.
    pub(crate) fn account(&self) -> &Arc<str> {
        if self.id.is_empty() { &self.name } else { &self.id }
    }

    /// Whether it may call this model, as the client names it.
    pub fn check_model(&self, model: &str) -> Result<(), Problem> {
        if self.models.is_empty() || self.models.iter().any(|pattern| matches(pattern, model)) {
            return Ok(());
        }
        let message =
            format!("the key `{}` may not call `{model}`; it may call {}", self.name, self.models.join(", "));
        Err(Problem::new(ErrorKind::Forbidden, "model_not_allowed", message)
            .param("model")
            .hint("ask for another model, or for a key with this one"))
    }
}

/// Whether a name fits a pattern in which `*` stands for any text.
pub fn matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(first) else {
        return false;
    };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return name.ends_with(part);
        }
        let Some(at) = name.find(part) else {
            return false;
        };
        name = name.get(at + part.len()..).unwrap_or_default();
    }
    true
}

/// All keys that are good, by the hash of their secrets. Exchanged as a whole.
#[derive(Default)]
pub struct KeyRing {
    keys: ArcSwap<HashMap<[u8; 32], Arc<Key>>>,
}

impl KeyRing {
    /// Puts these keys in place of all before. A key that was there before keeps what it used of its limits.
    pub fn replace(&self, keys: impl IntoIterator<Item = ([u8; 32], Key)>) {
        let old = self.keys.load_full();
        let new = keys.into_iter().map(|(hash, mut key)| {
            if let Some(before) = old.get(&hash)
                && before.limits == key.limits
            {
                key.meter = before.meter.clone();
            }
            (hash, Arc::new(key))
        });
        self.keys.store(Arc::new(new.collect()));
    }

    /// Whether there is any key: without one, anybody on loopback may call.
    pub fn is_empty(&self) -> bool {
        self.keys.load().is_empty()
    }

    /// The key of this hash, if it is still good.
    ///
    /// Looking up by hash tells nothing of a secret by the time it takes: who cannot invert the hash cannot
    /// choose what is compared.
    pub fn find(&self, hash: &[u8; 32], now: Timestamp) -> Result<Arc<Key>, Problem> {
        let refused = |code: &str, message: &str| Problem::new(ErrorKind::Unauthenticated, code, message);
        let keys = self.keys.load();
        let key = keys.get(hash).ok_or_else(|| {
            refused("invalid_api_key", "this API key is not known here, or was revoked")
                .hint("make one with `hanok keys create NAME`")
        })?;
        if key.expires.is_some_and(|expires| expires <= now) {
            return Err(refused("expired_api_key", "this API key has expired")
                .hint("make another with `hanok keys create NAME`"));
        }
        Ok(key.clone())
    }

    /// The key of this id or, where it has none, this name.
    pub fn named(&self, id: &str) -> Option<Arc<Key>> {
        self.keys
            .load()
            .values()
            .find(|key| *key.id == *id || (key.id.is_empty() && *key.name == *id))
            .cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let check = |pattern: &str, name: &str, expect: bool| {
            assert_eq!(matches(pattern, name), expect, "{pattern} {name}");
        };
        check("fast", "fast", true);
        check("fast", "faster", false);
        check("openai/*", "openai/gpt-5", true);
        check("openai/*", "azure/gpt-5", false);
        check("*mini", "openai/gpt-5-mini", true);
        check("*mini*", "gpt-5-mini-2025", true);
        check("a*b*c", "axxbyyc", true);
        check("a*b*c", "axxbyy", false);
        check("*", "", true);
    }

    #[test]
    fn periods() {
        assert_eq!(Period::Month.of("2026-11-20"), "2026-11");
        for period in [Period::Day, Period::Month, Period::Total] {
            assert_eq!(Period::parse(period.as_str()), Some(period));
        }
    }
}
