//! In which order a call's targets are to be tried.

use crate::resume;
use crate::route::{Entry, Model, Strategy};
use crate::target::{Standing, Target};
use crate::tariff::Tariff;
use hanok_base::{Dialect, Usage};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;
use tokio::time::Instant;

/// What of a call routing goes by.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// The client's dialect.
    pub dialect: Dialect,
    /// Whether the answer is to be streamed.
    pub stream: bool,
    /// About how many tokens the request has.
    pub input_tokens: u64,
    /// Most tokens of the answer, where said.
    pub max_tokens: Option<u64>,
    /// The name of the caller's key; empty for none.
    pub key: &'a str,
    /// The caller's project; empty for none.
    pub project: &'a str,
    /// The client's `x-hanok-route` header; empty for none.
    pub tag: &'a str,
    /// What calls with the same beginning share.
    pub sticky: Option<&'a str>,
}

/// One target of a plan.
#[derive(Clone)]
pub struct Step<'a> {
    /// Where to go.
    pub target: &'a Target,
    /// Most calls there at once.
    pub max_concurrent: Option<usize>,
    /// How long it may take.
    pub patience: hanok_base::Patience,
    /// Where a stream of it may go on that broke off.
    pub resume: Option<&'a Target>,
}

/// The targets to try, best first; or, where none is worth a try now, how long until one is.
pub fn plan<'a>(
    model: &'a Model,
    facts: &Facts<'_>,
    tariff: &dyn Tariff,
    now: Instant,
) -> Result<Vec<Step<'a>>, Option<Duration>> {
    let mut fitting: Vec<&Entry> = model.entries.iter().filter(|entry| entry.when.fits(facts)).collect();
    if fitting.is_empty() {
        return Err(None);
    }
    arrange(&mut fitting, model, facts, tariff, now);
    let mut ready = Vec::with_capacity(fitting.len());
    let mut soonest: Option<Duration> = None;
    for entry in fitting {
        match entry.target.state.standing(now) {
            Standing::Ready => ready.push(Step {
                target: &entry.target,
                max_concurrent: entry.max_concurrent,
                patience: entry.patience,
                resume: resume::another(model, &entry.target),
            }),
            Standing::Away(wait) => soonest = Some(soonest.map_or(wait, |least| least.min(wait))),
        }
    }
    if ready.is_empty() { Err(soonest) } else { Ok(ready) }
}

fn arrange(fitting: &mut [&Entry], model: &Model, facts: &Facts<'_>, tariff: &dyn Tariff, now: Instant) {
    if fitting.len() < 2 {
        return;
    }
    // Where no chance is in play, a conversation keeps its target anyway.
    let sticky = facts.sticky.filter(|_| model.sticky);
    match (model.strategy, sticky) {
        (Strategy::Order, _) => {}
        (Strategy::Weighted, None) => weighted(fitting, |_| fastrand::f64()),
        (Strategy::Weighted, Some(sticky)) => weighted(fitting, |entry| lot(sticky, entry)),
        (Strategy::Fastest, None) => fastest(fitting, now),
        (Strategy::Fastest, Some(sticky)) => {
            fastest(fitting, now);
            // A prompt cache is worth more than a shorter queue.
            stick(fitting, sticky);
        }
        (Strategy::Cheapest, _) => cheapest(fitting, facts, tariff),
    }
}

/// An order in which each is first as often as its weight says, by lots between 0 and 1 (Efraimidis and
/// Spirakis, 2006).
fn weighted(fitting: &mut [&Entry], mut lot: impl FnMut(&Entry) -> f64) {
    let mut keyed: Vec<(f64, &Entry)> = fitting
        .iter()
        .map(|entry| {
            let weight = entry.weight;
            // A weight of 0 is a target for when all others fail.
            let key = if weight > 0.0 { lot(entry).max(f64::MIN_POSITIVE).ln() / weight } else { f64::MIN };
            (key, *entry)
        })
        .collect();
    keyed.sort_by(|a, b| b.0.total_cmp(&a.0));
    for (place, (_, entry)) in fitting.iter_mut().zip(keyed) {
        *place = entry;
    }
}

/// The better of two taken by chance goes first, the rest follow by load: power of two choices keeps callers
/// from running to one target all at once.
fn fastest(fitting: &mut [&Entry], now: Instant) {
    fastrand::shuffle(fitting);
    let load = |entry: &Entry| entry.target.state.load(now);
    if let [first, second, ..] = fitting
        && load(second) < load(first)
    {
        std::mem::swap(first, second);
    }
    if let Some((_, rest)) = fitting.split_first_mut() {
        rest.sort_by(|a, b| load(a).total_cmp(&load(b)));
    }
}

/// What the call would cost at most decides; what has no price comes last.
fn cheapest(fitting: &mut [&Entry], facts: &Facts<'_>, tariff: &dyn Tariff) {
    let usage = Usage {
        input: Some(facts.input_tokens),
        output: Some(facts.max_tokens.unwrap_or(facts.input_tokens.max(256))),
        ..Usage::default()
    };
    fitting.sort_by_cached_key(|entry| {
        let target = &entry.target;
        tariff
            .price(target.provider.name().as_str(), target.model.as_str(), &usage)
            .map_or(i64::MAX, |cost| cost.0)
    });
}

/// What a conversation draws for a target, always the same: rendezvous hashing, by which it keeps its target
/// while others come and go, over restarts and on every server.
fn lot(sticky: &str, entry: &Entry) -> f64 {
    let mut hasher = DefaultHasher::new();
    let target = &entry.target;
    (sticky, target.provider.name().as_str(), target.model.as_str()).hash(&mut hasher);
    #[expect(clippy::cast_precision_loss, reason = "53 bits are lots enough")]
    let (drawn, most) = ((hasher.finish() >> 11) as f64, (1_u64 << 53) as f64);
    drawn / most
}

/// Puts the conversation's own target first.
fn stick(fitting: &mut [&Entry], sticky: &str) {
    let lots = fitting.iter().map(|entry| lot(sticky, entry)).enumerate();
    if let Some((best, _)) = lots.max_by(|a, b| a.1.total_cmp(&b.1))
        && let Some(front) = fitting.get_mut(..=best)
    {
        front.rotate_right(1);
    }
}
