//! The bootstrap of any statistic, over samples or over whole clusters, from a seed, so that it gives the same interval
//! again.

use crate::bootstrap::Draws;
use crate::interval::{Estimate, groups};
use crate::percentile::percentile;
use std::hash::Hash;

/// The percentile interval of `statistic` over samples `0..n`, drawn again `rounds` times. The statistic gets the
/// samples drawn, by their numbers, and may decline a draw (`None`), which is then left out. `None` where it
/// declines the samples themselves, or all draws.
pub fn bootstrap(
    n: usize,
    rounds: usize,
    seed: u64,
    confidence: f64,
    statistic: impl Fn(&[usize]) -> Option<f64>,
) -> Option<Estimate> {
    let each: Vec<Vec<usize>> = (0..n).map(|sample| vec![sample]).collect();
    of_groups(&each, rounds, seed, confidence, statistic)
}

/// As [`bootstrap`], drawing whole clusters: for samples that are alike within them. `n` of the estimate is the
/// number of clusters.
pub fn cluster_bootstrap<C: Hash + Eq>(
    clusters: &[C],
    rounds: usize,
    seed: u64,
    confidence: f64,
    statistic: impl Fn(&[usize]) -> Option<f64>,
) -> Option<Estimate> {
    of_groups(&groups(clusters), rounds, seed, confidence, statistic)
}

fn of_groups(
    groups: &[Vec<usize>],
    rounds: usize,
    seed: u64,
    confidence: f64,
    statistic: impl Fn(&[usize]) -> Option<f64>,
) -> Option<Estimate> {
    if groups.is_empty() {
        return None;
    }
    let value = statistic(&groups.concat())?;
    let mut random = Draws::new(seed);
    let mut drawn = Vec::new();
    let mut values = Vec::with_capacity(rounds);
    for _ in 0..rounds {
        drawn.clear();
        for _ in 0..groups.len() {
            drawn.extend(groups.get(random.below(groups.len())).into_iter().flatten().copied());
        }
        values.extend(statistic(&drawn));
    }
    let tail = (1.0 - confidence) * 50.0;
    let (low, high) = (percentile(&values, tail)?, percentile(&values, 100.0 - tail)?);
    Some(Estimate { value, low, high, n: groups.len() })
}
