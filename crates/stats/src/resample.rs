//! Intervals by drawing again: the bootstrap (Efron 1979), over samples or over whole clusters, from a seed, so that
//! it gives the same interval again.

use crate::interval::{Estimate, groups};
use crate::percentile::percentile;
use std::hash::Hash;

/// Numbers that look drawn by chance and are those of their seed (`SplitMix64`, Steele, Lea and Flood 2014).
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// From a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next number.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One of the numbers below `bound`, which is not 0 (Lemire's multiplication; its bias is below 2^-32 for any
    /// number of samples that fits into memory).
    pub fn below(&mut self, bound: usize) -> usize {
        let wide = u128::from(self.next_u64()) * (bound as u128);
        usize::try_from(wide >> 64).unwrap_or(0)
    }

    /// A number in 0..1.
    pub fn unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let bits = (self.next_u64() >> 11) as f64;
        bits / 9_007_199_254_740_992.0
    }
}

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
    let mut random = Seeded::new(seed);
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
