//! What a sample says of what it was drawn from, by drawing from it again (Efron 1979).
//!
//! The draws follow from the seed alone: the same values give the same interval wherever they are computed.

use crate::percentile::{mean, percentile};
use crate::ranking::float;

/// Samples drawn: enough that the ends of an interval move by less than a tenth of its width.
const DRAWS: usize = 2000;

/// A mean with the interval that holds the true one in 95 of 100 samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    /// The mean of the sample.
    pub mean: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The mean of `values` with its 95 % percentile bootstrap interval; `None` of nothing.
pub fn interval(values: &[f64]) -> Option<Interval> {
    let mean = mean(values)?;
    let means = resampled_means(values);
    Some(Interval { mean, low: percentile(&means, 2.5)?, high: percentile(&means, 97.5)? })
}

/// What two treatments of the same subjects differ by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct PairedDifference {
    /// Mean of the second minus mean of the first, with its 95 % interval.
    pub difference: Interval,
    /// How probable a mean difference as great as this, in its direction, is where there is none: the share of
    /// samples of the differences about zero that reach it (Efron and Tibshirani 1993, 16.4), one-sided.
    pub p_value: f64,
}

/// Compares `before` with `after`, the same subjects in the same order; `None` when there are none, or not as many
/// of one as of the other.
pub fn paired_bootstrap(before: &[f64], after: &[f64]) -> Option<PairedDifference> {
    if before.len() != after.len() {
        return None;
    }
    let differences: Vec<f64> = before.iter().zip(after).map(|(before, after)| after - before).collect();
    let difference = interval(&differences)?;
    let centred: Vec<f64> = differences.iter().map(|value| value - difference.mean).collect();
    let means = resampled_means(&centred);
    let reached =
        means.iter().filter(|mean| **mean * difference.mean.signum() >= difference.mean.abs()).count();
    // The sample itself is one of those that could have been drawn.
    let p_value = float(reached + 1) / float(means.len() + 1);
    Some(PairedDifference { difference, p_value })
}

fn resampled_means(values: &[f64]) -> Vec<f64> {
    let mut draws = Draws(0x9e37_79b9_7f4a_7c15);
    let count = float(values.len());
    (0..DRAWS)
        .map(|_| {
            let drawn = (0..values.len()).filter_map(|_| values.get(draws.below(values.len())));
            drawn.sum::<f64>() / count
        })
        .collect()
}

/// Numbers without a pattern that follow from a seed (Steele, Lea and Flood 2014, `SplitMix64`).
#[derive(Clone, Debug)]
pub struct Draws(u64);

impl Draws {
    /// Those of this seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next one.
    pub fn next_number(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// The next one below `limit`; 0 where `limit` is 0.
    pub fn below(&mut self, limit: usize) -> usize {
        let product = u128::from(self.next_number()) * u128::try_from(limit).unwrap_or(0);
        usize::try_from(product >> 64).unwrap_or(0)
    }

    /// The next one as a fraction: at least 0 and less than 1.
    pub fn unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits fit")]
        let bits = (self.next_number() >> 11) as f64;
        bits / 9_007_199_254_740_992.0
    }

    /// Puts a slice into an order without a pattern (Fisher and Yates).
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for last in (1..items.len()).rev() {
            items.swap(last, self.below(last + 1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_is_that_of_the_textbook() {
        // The mean of n values of deviation s lies within 1.96 s / sqrt(n).
        let values: Vec<f64> = (0..400).map(|at| f64::from(at % 20)).collect();
        let found = interval(&values).unwrap();
        let half = 1.96 * 5.766 / 20.0;
        assert!((found.mean - 9.5).abs() < 1e-12);
        assert!((found.low - (9.5 - half)).abs() < 0.08, "{found:?}");
        assert!((found.high - (9.5 + half)).abs() < 0.08, "{found:?}");
        assert_eq!(interval(&[]), None);
        assert_eq!(interval(&[2.0, 2.0]), Some(Interval { mean: 2.0, low: 2.0, high: 2.0 }));
    }

    #[test]
    fn a_difference_is_told_from_chance() {
        let before: Vec<f64> = (0..100).map(|at| f64::from(at % 10) / 10.0).collect();
        let check = |after: Vec<f64>, mean: f64, p: std::ops::RangeInclusive<f64>| {
            let found = paired_bootstrap(&before, &after).unwrap();
            assert!((found.difference.mean - mean).abs() < 1e-9, "{found:?}");
            assert!(p.contains(&found.p_value), "{found:?}");
        };
        check(before.iter().map(|value| value + 0.05).collect(), 0.05, 0.0..=0.001);
        check(before.iter().map(|value| value - 0.05).collect(), -0.05, 0.0..=0.001);
        // Half up, half down by the same.
        let mixed = before.iter().zip(0..).map(|(value, at)| value + if at % 2 == 0 { 0.2 } else { -0.2 });
        check(mixed.collect(), 0.0, 0.4..=1.0);
        check(before.clone(), 0.0, 1.0..=1.0);
        assert_eq!(paired_bootstrap(&before, &before[1..]), None);
        assert_eq!(paired_bootstrap(&[], &[]), None);
    }

    #[test]
    fn draws_follow_from_the_seed() {
        // Of the reference implementation with seed 0.
        let mut draws = Draws::new(0);
        assert_eq!(draws.next_number(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(draws.next_number(), 0x6e78_9e6a_a1b9_65f4);
        let mut counts = [0; 5];
        (0..5000).for_each(|_| counts[draws.below(5)] += 1);
        assert!(counts.iter().all(|count| (900..1100).contains(count)), "{counts:?}");
        assert_eq!(draws.below(0), 0);
        let mut items: Vec<u32> = (0..50).collect();
        draws.shuffle(&mut items);
        assert_ne!(items, (0..50).collect::<Vec<_>>());
        items.sort_unstable();
        assert_eq!(items, (0..50).collect::<Vec<_>>());
    }
}
