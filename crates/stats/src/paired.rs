//! Two runs over the same samples: whether one is better, and by how much.

use crate::distribution::{binomial_cdf, t_cdf, t_quantile};
use crate::interval::{Estimate, clustered_error, groups, variance, z};
use crate::percentile::mean;
use crate::ranking::float;
use std::hash::Hash;

/// A difference with its interval and the probability of one at least as far from zero were there none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Compared {
    /// The mean of the differences, second less first.
    pub difference: Estimate,
    /// The two-sided p value.
    pub p: f64,
}

/// On how many samples the second was better, as good, and worse.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Better.
    pub wins: usize,
    /// Neither.
    pub ties: usize,
    /// Worse.
    pub losses: usize,
}

/// Counts who was better where; a difference of at most `margin` is a tie.
pub fn tally(first: &[f64], second: &[f64], margin: f64) -> Tally {
    let mut tally = Tally::default();
    for (a, b) in first.iter().zip(second) {
        match b - a {
            d if d > margin => tally.wins += 1,
            d if d < -margin => tally.losses += 1,
            _ => tally.ties += 1,
        }
    }
    tally
}

/// `McNemar`'s test by the binomial distribution: the two-sided p value of `wins` and `losses` among the pairs that
/// differ (`McNemar` 1947, exact). 1 where none differs.
pub fn mcnemar_exact(wins: u64, losses: u64) -> f64 {
    if wins + losses == 0 { 1.0 } else { (2.0 * binomial_cdf(wins.min(losses), wins + losses, 0.5)).min(1.0) }
}

/// The difference of two paired shares, second less first: of `pairs` pairs, `wins` have yes in the second only and
/// `losses` in the first only. The adjusted Wald interval of Bonett and Price (2012), which has a width even where no
/// pair differs. `None` where there are more wins and losses than pairs, or no pair.
pub fn difference_of_paired_shares(
    wins: usize,
    losses: usize,
    pairs: usize,
    confidence: f64,
) -> Option<Estimate> {
    if pairs == 0 || wins + losses > pairs {
        return None;
    }
    let n = float(pairs) + 2.0;
    let (up, down) = ((float(wins) + 1.0) / n, (float(losses) + 1.0) / n);
    let reach = z(confidence) * ((up + down - (up - down).powi(2)) / n).sqrt();
    let (value, middle) = ((float(wins) - float(losses)) / float(pairs), up - down);
    Some(Estimate { value, low: (middle - reach).max(-1.0), high: (middle + reach).min(1.0), n: pairs })
}

/// Student's test of paired differences. `None` of fewer than two pairs or slices of unlike length.
pub fn paired_t(first: &[f64], second: &[f64], confidence: f64) -> Option<Compared> {
    let differences = differences(first, second)?;
    let error = (variance(&differences)? / float(differences.len())).sqrt();
    Some(compared(&differences, error, differences.len(), confidence))
}

/// The test of [`paired_t`] where samples are alike within clusters: cluster-robust standard error, and as many
/// degrees of freedom as there are clusters less one.
pub fn paired_clustered<C: Hash + Eq>(
    first: &[f64],
    second: &[f64],
    clusters: &[C],
    confidence: f64,
) -> Option<Compared> {
    let differences = differences(first, second)?;
    let error = clustered_error(&differences, clusters)?;
    Some(compared(&differences, error, groups(clusters).len(), confidence))
}

fn differences(first: &[f64], second: &[f64]) -> Option<Vec<f64>> {
    (first.len() == second.len()).then(|| first.iter().zip(second).map(|(a, b)| b - a).collect())
}

fn compared(differences: &[f64], error: f64, n: usize, confidence: f64) -> Compared {
    let freedom = float(n) - 1.0;
    let value = mean(differences).unwrap_or(0.0);
    let reach = t_quantile(f64::midpoint(1.0, confidence), freedom) * error;
    let p = if error > 0.0 {
        2.0 * t_cdf(-(value / error).abs(), freedom)
    } else if value.abs() <= 0.0 {
        1.0
    } else {
        // All differ alike: no chance would make that, and no variance says how far it goes.
        0.0
    };
    Compared { difference: Estimate::around(value, reach, n), p }
}
