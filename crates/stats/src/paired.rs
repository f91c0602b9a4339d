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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paired_shares_differ_by_the_adjusted_wald_interval() {
        let check = |wins: usize, losses: usize, pairs: usize, expect: Option<(f64, f64, f64)>| {
            let found = difference_of_paired_shares(wins, losses, pairs, 0.95);
            let found = found.map(|found| (found.value, found.low, found.high));
            match (found, expect) {
                (Some(a), Some(b)) => {
                    let near = |x: f64, y: f64| (x - y).abs() < 1e-6;
                    assert!(near(a.0, b.0) && near(a.1, b.1) && near(a.2, b.2), "{a:?} {b:?}");
                }
                (found, expect) => assert_eq!(found.is_some(), expect.is_some()),
            }
        };
        // (1/100 + 1/100) / 100 under the root, 1.959964 times that.
        check(0, 0, 98, Some((0.0, -0.027_718_1, 0.027_718_1)));
        // (11 + 3) / 100 less 0.08², over 100.
        check(10, 2, 98, Some((8.0 / 98.0, 0.008_360_7, 0.151_639_3)));
        check(3, 0, 3, Some((1.0, -0.101_218, 1.0)));
        check(0, 0, 0, None);
        check(2, 2, 3, None);
    }
}
