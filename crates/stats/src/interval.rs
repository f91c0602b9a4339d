//! Estimates with their intervals: of a share, of a mean, of a mean over clusters.

use crate::distribution::{beta_quantile, normal_quantile, t_quantile};
use crate::percentile::mean;
use crate::ranking::float;
use std::collections::HashMap;
use std::hash::Hash;

/// A number that is known to lie in an interval, and by how many observations.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The best guess.
    pub value: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
    /// What it rests on: observations, or clusters where they are not independent.
    pub n: usize,
}

impl Estimate {
    /// An estimate and `reach` on both sides.
    pub(crate) fn around(value: f64, reach: f64, n: usize) -> Self {
        Self { value, low: value - reach, high: value + reach, n }
    }
}

/// The normal quantile of a two-sided interval at this confidence, such as 0.95.
pub(crate) fn z(confidence: f64) -> f64 {
    normal_quantile(f64::midpoint(1.0, confidence))
}

/// A share of successes with Wilson's score interval (Wilson 1927). `None` of no trial.
pub fn wilson(successes: usize, trials: usize, confidence: f64) -> Option<Estimate> {
    if trials == 0 || successes > trials {
        return None;
    }
    let (n, z) = (float(trials), z(confidence));
    let p = float(successes) / n;
    let middle = (p + z * z / (2.0 * n)) / (1.0 + z * z / n);
    let reach = z / (1.0 + z * z / n) * (p * (1.0 - p) / n + z * z / (4.0 * n * n)).sqrt();
    // At the ends the bounds are exact; rounding must not put them beside the share.
    let low = if successes == 0 { 0.0 } else { (middle - reach).max(0.0) };
    let high = if successes == trials { 1.0 } else { (middle + reach).min(1.0) };
    Some(Estimate { value: p, low, high, n: trials })
}

/// A share with the exact interval of Clopper and Pearson (1934), which is never too short and mostly too long.
pub fn clopper_pearson(successes: usize, trials: usize, confidence: f64) -> Option<Estimate> {
    if trials == 0 || successes > trials {
        return None;
    }
    let (x, n, tail) = (float(successes), float(trials), (1.0 - confidence) / 2.0);
    let low = if successes == 0 { 0.0 } else { beta_quantile(tail, x, n - x + 1.0) };
    let high = if successes == trials { 1.0 } else { beta_quantile(1.0 - tail, x + 1.0, n - x) };
    Some(Estimate { value: x / n, low, high, n: trials })
}

/// The difference of two independent shares, `a - b`, with the score interval of Newcombe (1998, method 10).
pub fn difference_of_shares(a: (usize, usize), b: (usize, usize), confidence: f64) -> Option<Estimate> {
    let (a, b) = (wilson(a.0, a.1, confidence)?, wilson(b.0, b.1, confidence)?);
    let value = a.value - b.value;
    Some(Estimate {
        value,
        low: value - (a.value - a.low).hypot(b.high - b.value),
        high: value + (a.high - a.value).hypot(b.value - b.low),
        n: a.n + b.n,
    })
}

/// The variance of a sample about its mean, over n - 1; `None` of fewer than two.
pub fn variance(values: &[f64]) -> Option<f64> {
    let middle = mean(values)?;
    (values.len() > 1)
        .then(|| values.iter().map(|x| (x - middle).powi(2)).sum::<f64>() / (float(values.len()) - 1.0))
}

/// A mean with Student's interval, of `n` values of which only their sum and that of their squares is known. `None` of
/// fewer than two, and of values that are all alike, whose spread says nothing.
pub fn mean_of_sums(n: usize, sum: f64, squares: f64, confidence: f64) -> Option<Estimate> {
    let count = float(n);
    let mean = sum / count;
    let spread = (n > 1).then(|| (squares - sum * mean) / (count - 1.0))?;
    // What is left of alike values is the rounding of their sums.
    if !spread.is_finite() || spread <= squares.abs() * 1e-12 {
        return None;
    }
    let reach = t_quantile(f64::midpoint(1.0, confidence), count - 1.0) * (spread / count).sqrt();
    Some(Estimate::around(mean, reach, n))
}

/// A mean with Student's interval. `None` of fewer than two values.
pub fn mean_interval(values: &[f64], confidence: f64) -> Option<Estimate> {
    let error = (variance(values)? / float(values.len())).sqrt();
    let reach = t_quantile(f64::midpoint(1.0, confidence), float(values.len()) - 1.0) * error;
    Some(Estimate::around(mean(values)?, reach, values.len()))
}

/// A mean of values that are alike within clusters (questions on one document, repeats of one sample): the
/// cluster-robust standard error (Liang and Zeger 1986, with the factor G/(G-1) of G clusters) and the interval of
/// Student's t with G - 1 degrees of freedom. `n` is G. `None` of fewer than two clusters.
pub fn clustered_mean<C: Hash + Eq>(values: &[f64], clusters: &[C], confidence: f64) -> Option<Estimate> {
    let middle = mean(values)?;
    let error = clustered_error(values, clusters)?;
    let count = groups(clusters).len();
    let reach = t_quantile(f64::midpoint(1.0, confidence), float(count) - 1.0) * error;
    Some(Estimate::around(middle, reach, count))
}

/// The standard error of [`clustered_mean`].
pub fn clustered_error<C: Hash + Eq>(values: &[f64], clusters: &[C]) -> Option<f64> {
    if values.len() != clusters.len() {
        return None;
    }
    let middle = mean(values)?;
    // In the order of the clusters' first values: a sum must not depend on a hash.
    let mut sums: Vec<f64> = Vec::new();
    let mut at: HashMap<&C, usize> = HashMap::new();
    for (value, cluster) in values.iter().zip(clusters) {
        let place = *at.entry(cluster).or_insert_with(|| {
            sums.push(0.0);
            sums.len() - 1
        });
        if let Some(sum) = sums.get_mut(place) {
            *sum += value - middle;
        }
    }
    let count = float(sums.len());
    (sums.len() > 1).then(|| {
        (sums.iter().map(|sum| sum * sum).sum::<f64>() * count / (count - 1.0)).sqrt() / float(values.len())
    })
}

/// The places of each cluster's members, clusters in the order of their first member.
pub(crate) fn groups<C: Hash + Eq>(clusters: &[C]) -> Vec<Vec<usize>> {
    let mut groups: Vec<Vec<usize>> = Vec::new();
    let mut known: HashMap<&C, usize> = HashMap::new();
    for (member, cluster) in clusters.iter().enumerate() {
        let place = *known.entry(cluster).or_insert_with(|| {
            groups.push(Vec::new());
            groups.len() - 1
        });
        if let Some(group) = groups.get_mut(place) {
            group.push(member);
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_say_as_much_of_a_mean_as_its_values() {
        let values = [0.2, 0.9, 0.45, 0.7, 0.7, 1.3];
        let (sum, squares) = (values.iter().sum(), values.iter().map(|value| value * value).sum());
        let (whole, summed) = (mean_interval(&values, 0.95), mean_of_sums(values.len(), sum, squares, 0.95));
        let near = |a: f64, b: f64| (a - b).abs() < 1e-12;
        let alike = whole.zip(summed).is_some_and(|(a, b)| {
            near(a.value, b.value) && near(a.low, b.low) && near(a.high, b.high) && a.n == b.n
        });
        assert!(alike, "{whole:?} {summed:?}");
        assert_eq!(mean_of_sums(1, 0.5, 0.25, 0.95), None, "one value has no spread");
        assert_eq!(mean_of_sums(3, 0.3, 0.03, 0.95), None, "alike values say nothing of theirs");
        assert_eq!(mean_of_sums(0, 0.0, 0.0, 0.95), None);
    }
}
