//! A ranking out of comparisons two by two: the model of Bradley and Terry (1952).

use crate::interval::{Estimate, z};
use crate::ranking::float;

/// Why there is no ranking.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unranked {
    /// Some never lost, directly or by others, to some of the rest: nothing says how much better they are.
    #[error("the comparisons do not connect all in both directions; {0} of them cannot be placed")]
    NotConnected(usize),
    /// A comparison names one that is not there.
    #[error("a comparison names number {0}, which is not there")]
    Unknown(usize),
}

/// One comparison, or several of the same two: `winner` was better `times` times. A tie is half a win for each.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Comparison {
    /// Who was better, by number.
    pub winner: usize,
    /// Who was worse.
    pub loser: usize,
    /// How often; halves for ties.
    pub times: f64,
}

/// The strengths of `n` contenders as logarithms of odds, their mean 0, with intervals from the information of the
/// likelihood: one that is 1 stronger wins e : 1. By Hunter's iteration (2004) until no strength moves by 1e-12.
pub fn bradley_terry(
    n: usize,
    comparisons: &[Comparison],
    confidence: f64,
) -> Result<Vec<Estimate>, Unranked> {
    let mut wins = vec![0.0; n * n];
    for one in comparisons {
        let bad = [one.winner, one.loser].into_iter().find(|who| *who >= n);
        if let Some(bad) = bad {
            return Err(Unranked::Unknown(bad));
        }
        if one.winner != one.loser
            && let Some(count) = wins.get_mut(one.winner * n + one.loser)
        {
            *count += one.times;
        }
    }
    let won = |a: usize, b: usize| wins.get(a * n + b).copied().unwrap_or(0.0);
    let unplaced = n - reachable(n, |a, b| won(a, b) > 0.0).min(reachable(n, |a, b| won(b, a) > 0.0));
    if unplaced > 0 {
        return Err(Unranked::NotConnected(unplaced));
    }
    let totals: Vec<f64> = (0..n).map(|a| (0..n).map(|b| won(a, b)).sum()).collect();
    let mut strengths = vec![0.0_f64; n];
    for _ in 0..100_000 {
        let weights: Vec<f64> = strengths.iter().map(|s| s.exp()).collect();
        let mut next: Vec<f64> = (0..n)
            .map(|a| {
                let own = weights.get(a).copied().unwrap_or(1.0);
                let below: f64 = weights
                    .iter()
                    .enumerate()
                    .map(|(b, other)| (won(a, b) + won(b, a)) / (own + other))
                    .sum();
                (totals.get(a).copied().unwrap_or(0.0) / below).ln()
            })
            .collect();
        let middle = next.iter().sum::<f64>() / float(n);
        for strength in &mut next {
            *strength -= middle;
        }
        let moved = next.iter().zip(&strengths).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
        strengths = next;
        if moved < 1e-12 {
            break;
        }
    }
    Ok(with_intervals(&strengths, |a, b| won(a, b) + won(b, a), z(confidence)))
}

/// How many are reached from the first by `goes`.
fn reachable(n: usize, goes: impl Fn(usize, usize) -> bool) -> usize {
    let mut seen = vec![false; n];
    let mut open: Vec<usize> = (0..n.min(1)).collect();
    while let Some(at) = open.pop() {
        let Some(place) = seen.get_mut(at).filter(|seen| !**seen) else { continue };
        *place = true;
        open.extend((0..n).filter(|to| goes(at, *to)));
    }
    seen.into_iter().filter(|seen| *seen).count()
}

/// The information matrix has no inverse, as only differences are told; with 1/n added everywhere its inverse is the
/// covariance of centred strengths, plus 1/n.
fn with_intervals(strengths: &[f64], games: impl Fn(usize, usize) -> f64, z: f64) -> Vec<Estimate> {
    let n = strengths.len();
    let mut matrix = vec![vec![1.0 / float(n); n]; n];
    for (a, (own, row)) in strengths.iter().zip(&mut matrix).enumerate() {
        let mut diagonal = 0.0;
        for (b, (other, cell)) in strengths.iter().zip(row.iter_mut()).enumerate() {
            if a != b {
                let p = 1.0 / (1.0 + (other - own).exp());
                let information = games(a, b) * p * (1.0 - p);
                *cell -= information;
                diagonal += information;
            }
        }
        if let Some(cell) = row.get_mut(a) {
            *cell += diagonal;
        }
    }
    let covariance = inverse(matrix);
    let spread = |at: usize| {
        let cell = covariance.get(at).and_then(|row| row.get(at)).copied().unwrap_or(f64::NAN);
        (cell - 1.0 / float(n)).max(0.0).sqrt()
    };
    strengths.iter().enumerate().map(|(at, value)| Estimate::around(*value, z * spread(at), n)).collect()
}

/// The inverse of a symmetric positive definite matrix, by Gauss and Jordan's elimination.
fn inverse(mut matrix: Vec<Vec<f64>>) -> Vec<Vec<f64>> {
    let n = matrix.len();
    for (at, row) in matrix.iter_mut().enumerate() {
        row.extend((0..n).map(|column| f64::from(u8::from(column == at))));
    }
    for column in 0..n {
        let Some(pivot) = matrix.get_mut(column) else { break };
        let scale = pivot.get(column).copied().unwrap_or(1.0);
        for cell in pivot.iter_mut() {
            *cell /= scale;
        }
        let pivot = pivot.clone();
        for (at, row) in matrix.iter_mut().enumerate() {
            let factor = row.get(column).copied().unwrap_or(0.0);
            if at != column {
                for (cell, other) in row.iter_mut().zip(&pivot) {
                    *cell -= factor * other;
                }
            }
        }
    }
    matrix.into_iter().map(|row| row.into_iter().skip(n).collect()).collect()
}
