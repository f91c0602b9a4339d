//! In which order a call's targets are to be tried.

use crate::route::{Entry, Model, Strategy};
use crate::target::{Standing, Target};
use crate::tariff::Tariff;
use hanok_base::{Dialect, Usage};
use std::hash::{BuildHasher as _, RandomState};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

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
    match model.strategy {
        Strategy::Order => {}
        Strategy::Weighted => weighted(fitting, fastrand::f64),
        Strategy::Fastest => fastest(fitting, now),
        Strategy::Cheapest => cheapest(fitting, facts, tariff),
    }
    // A prompt cache is worth more than a shorter queue.
    if model.sticky
        && let Some(sticky) = facts.sticky
    {
        stick(fitting, sticky);
    }
}

/// A random order in which each is first as often as its weight says (Efraimidis and Spirakis, 2006).
fn weighted(fitting: &mut [&Entry], mut random: impl FnMut() -> f64) {
    let mut keyed: Vec<(f64, &Entry)> = fitting
        .iter()
        .map(|entry| {
            let weight = entry.weight;
            // A weight of 0 is a target for when all others fail.
            let key = if weight > 0.0 { random().max(f64::MIN_POSITIVE).ln() / weight } else { f64::MIN };
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

static HASHER: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// Rendezvous hashing: a conversation keeps its target while the others come and go.
fn stick(fitting: &mut [&Entry], sticky: &str) {
    let best = (0..fitting.len()).max_by_key(|at| {
        fitting.get(*at).map(|entry| {
            let target = &entry.target;
            HASHER.hash_one((sticky, target.provider.name().as_str(), target.model.as_str()))
        })
    });
    if let Some(best) = best
        && let Some(front) = fitting.get_mut(..=best)
    {
        front.rotate_right(1);
    }
}
