//! What the best texts say of each other: one whose nearest texts answer a question well is likelier to answer it, too
//! (van Rijsbergen's cluster hypothesis; Diaz 2005, "Regularizing ad hoc retrieval scores").

use crate::fuse::{Fused, Place};
use std::collections::HashMap;

/// How many of the best look at each other.
pub(crate) const CIRCLE: usize = 60;
/// How many nearest texts each asks.
const ASKED: usize = 3;
/// How much of a score is the neighbours', where vectors are trusted fully. Both were chosen on the training questions of
/// `SciFact`.
const SHARE: f64 = 0.25;

/// Gives the best of `chunks`, best first, a share of their neighbours' scores, and orders them anew; `trust` is that in
/// the vectors, 0 to 1. Afterwards the best score before is 1, and that of the last of the circle 0.
pub(crate) fn regard(chunks: &mut [Fused], vectors: &HashMap<u64, Vec<f32>>, trust: f64) {
    let share = SHARE * trust.clamp(0.0, 1.0);
    let circle = chunks.len().min(CIRCLE);
    let ends = chunks.first().zip(chunks.get(circle.saturating_sub(1)));
    let Some((best, worst)) = ends.map(|(first, last)| (first.score, last.score)) else { return };
    if share <= 0.0 || best <= worst {
        return;
    }
    for chunk in chunks.iter_mut() {
        chunk.score = (chunk.score - worst) / (best - worst);
    }
    let within: Vec<(f64, Option<Vec<f32>>)> = chunks
        .iter()
        .take(circle)
        .map(|chunk| (chunk.score, vectors.get(&chunk.key).map(|vector| of_length_one(vector))))
        .collect();
    let said: Vec<Option<f64>> = near(&within)
        .into_iter()
        .zip(&within)
        .map(|(near, (_, own))| own.as_ref().and_then(|_| said_by(near)))
        .collect();
    let mut ranks: Vec<f64> = said.iter().filter_map(|said| *said).collect();
    ranks.sort_by(|a, b| b.total_cmp(a));
    for (chunk, said) in chunks.iter_mut().zip(said) {
        if let Some(said) = said {
            chunk.score = (1.0 - share) * chunk.score + share * said;
            let rank = ranks.partition_point(|other| *other > said) + 1;
            chunk.neighbours = Some((Place { rank, score: said }, share));
        }
    }
    chunks.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.key.cmp(&b.key)));
}

/// The mean score of the nearest, each counting by how near it is.
fn said_by(mut near: Vec<(f64, f64)>) -> Option<f64> {
    near.sort_by(|a, b| b.0.total_cmp(&a.0));
    near.truncate(ASKED);
    let weight: f64 = near.iter().map(|(likeness, _)| likeness).sum();
    (weight > 0.0).then(|| near.iter().map(|(likeness, score)| likeness * score).sum::<f64>() / weight)
}

/// For each of the texts how near the others are to it, and their scores. Each two are compared once.
fn near(texts: &[(f64, Option<Vec<f32>>)]) -> Vec<Vec<(f64, f64)>> {
    let mut near: Vec<Vec<(f64, f64)>> = texts.iter().map(|_| Vec::with_capacity(texts.len())).collect();
    let mut rest = near.as_mut_slice();
    for (at, (score, own)) in texts.iter().enumerate() {
        let Some((of_own, behind)) = rest.split_first_mut() else { break };
        for (of_other, (other_score, other)) in behind.iter_mut().zip(texts.iter().skip(at + 1)) {
            if let (Some(own), Some(other)) = (own, other) {
                let likeness = f64::from(dot(own, other)).max(0.0);
                of_own.push((likeness, *other_score));
                of_other.push((likeness, *score));
            }
        }
        rest = behind;
    }
    near
}

/// The same direction; nothing where there is none.
fn of_length_one(vector: &[f32]) -> Vec<f32> {
    let length = dot(vector, vector).sqrt();
    vector.iter().map(|value| if length > 0.0 { value / length } else { 0.0 }).collect()
}

/// In eight sums, which processors add side by side.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    let mut sums = [0.0_f32; 8];
    for (a, b) in a.iter().zip(b) {
        for (sum, (a, b)) in sums.iter_mut().zip(a.iter().zip(b)) {
            *sum += a * b;
        }
    }
    sums.iter().sum::<f32>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f32>()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chunk(key: u64, score: f64) -> Fused {
        Fused { key, group: key, score, words: None, dense: None, neighbours: None }
    }

    #[test]
    fn the_friend_of_good_texts_rises() {
        let vectors: HashMap<u64, Vec<f32>> = [
            (1, vec![1.0, 0.0]),
            (2, vec![0.9, 0.1]),
            (3, vec![0.0, 1.0]),
            (4, vec![0.95, 0.05]),
            (5, vec![0.1, -0.9]),
        ]
        .into();
        let mut chunks: Vec<Fused> =
            [(1, 1.0), (2, 0.9), (3, 0.50), (4, 0.48), (5, 0.0)].map(|(key, score)| chunk(key, score)).into();
        let before = chunks.clone();
        regard(&mut chunks, &vectors, 0.0);
        assert_eq!(chunks, before, "vectors that are not trusted move nothing");
        regard(&mut chunks, &vectors, 1.0);
        assert_eq!(chunks.iter().map(|chunk| chunk.key).collect::<Vec<_>>(), [1, 2, 4, 3, 5]);
        assert!(chunks[0].neighbours.is_some());
    }

    #[test]
    fn few_or_equal_texts_stay() {
        for mut chunks in [vec![], vec![chunk(1, 0.5)], vec![chunk(1, 0.5), chunk(2, 0.5)]] {
            let before = chunks.clone();
            regard(&mut chunks, &HashMap::new(), 1.0);
            assert_eq!(chunks, before);
        }
        // Without vectors of their own the order stays.
        let mut chunks = vec![chunk(1, 0.9), chunk(2, 0.5)];
        regard(&mut chunks, &HashMap::new(), 1.0);
        assert_eq!(chunks.iter().map(|chunk| chunk.key).collect::<Vec<_>>(), [1, 2]);
    }
}
