//! Many tests at once: p values adjusted, so that each can be compared with the level as if it were alone.

use crate::ranking::float;

/// Holm's step-down (1979): the probability of any false alarm among all is at most the level.
pub fn holm(p: &[f64]) -> Vec<f64> {
    let mut before: f64 = 0.0;
    adjusted(p, |rank, value| {
        before = before.max((float(p.len() - rank) * value).min(1.0));
        before
    })
}

/// Benjamini and Hochberg's step-up (1995): the expected share of false alarms among the alarms is at most the level.
pub fn benjamini_hochberg(p: &[f64]) -> Vec<f64> {
    let order = order(p);
    let mut result = vec![1.0; p.len()];
    let mut above: f64 = 1.0;
    for (rank, at) in order.iter().enumerate().rev() {
        let value = p.get(*at).copied().unwrap_or(1.0);
        above = above.min(value * float(p.len()) / float(rank + 1));
        if let Some(place) = result.get_mut(*at) {
            *place = above;
        }
    }
    result
}

/// Each p value, least first, through `step`, and back in its place.
fn adjusted(p: &[f64], mut step: impl FnMut(usize, f64) -> f64) -> Vec<f64> {
    let mut result = vec![1.0; p.len()];
    for (rank, at) in order(p).into_iter().enumerate() {
        let value = step(rank, p.get(at).copied().unwrap_or(1.0));
        if let Some(place) = result.get_mut(at) {
            *place = value;
        }
    }
    result
}

fn order(p: &[f64]) -> Vec<usize> {
    let mut order: Vec<(usize, f64)> = p.iter().copied().enumerate().collect();
    order.sort_by(|a, b| a.1.total_cmp(&b.1));
    order.into_iter().map(|(at, _)| at).collect()
}
