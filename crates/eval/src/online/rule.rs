//! One rule of scoring.

use hanok_base::{NanoDollars, Scorer, TraceId};
use hanok_trace::TraceFilter;
use std::sync::Arc;

/// Which traces are scored, by what, and for how much a day (UTC).
pub struct Rule {
    /// Its name, which its scores have.
    pub name: String,
    /// Which traces.
    pub filter: TraceFilter,
    /// The share of these that is drawn, from 0 to 1.
    pub share: f64,
    /// What scores them.
    pub scorer: Arc<dyn Scorer>,
    /// The identity of the judge that it is ([`fingerprint`](crate::judge::fingerprint)); empty where it is none.
    pub identity: String,
    /// Most money a day; what is under way when it is spent still ends.
    pub budget: Option<NanoDollars>,
    /// Most traces a day.
    pub per_day: u64,
    /// The score of people that says the same as this one; where they differ, people look at it.
    pub feedback: Option<String>,
    /// The queue where they do.
    pub queue: Option<String>,
}

/// Whether a rule draws a trace: by its id and the rule's name alone.
#[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
pub fn draws(rule: &str, trace: TraceId, share: f64) -> bool {
    let mut hasher = blake3::Hasher::new();
    hasher.update(rule.as_bytes());
    hasher.update(trace.as_bytes());
    let hash = hasher.finalize();
    let (start, _) = hash.as_bytes().split_at(8);
    let number = start.iter().fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
    ((number >> 11) as f64) / 9_007_199_254_740_992.0 < share
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_share_is_drawn_and_the_same_ones_again() {
        let ids: Vec<TraceId> = (0..20_000_u128).map(|n| TraceId::from_bytes(n.to_be_bytes())).collect();
        let drawn = |rule: &str, share: f64| ids.iter().filter(|id| draws(rule, **id, share)).count();
        let tenth = drawn("a", 0.1);
        assert!((1850..2150).contains(&tenth), "{tenth}");
        assert_eq!(drawn("a", 0.1), tenth);
        assert_eq!((drawn("a", 0.0), drawn("a", 1.0)), (0, 20_000));
        // Another rule draws others, and a greater share draws the same and more.
        let both = ids.iter().filter(|id| draws("a", **id, 0.1) && draws("b", **id, 0.1)).count();
        assert!((120..290).contains(&both), "{both}");
        assert!(ids.iter().all(|id| !draws("a", *id, 0.1) || draws("a", *id, 0.2)));
    }
}
