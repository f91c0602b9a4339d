//! Two ranked lists become one.

use crate::equipment::Fusion;
use hanok_index::Found;
use std::collections::{HashMap, HashSet};

/// A place in a leg's list.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Place {
    /// From 1.
    pub(crate) rank: usize,
    /// In the leg's own measure.
    pub(crate) score: f64,
}

/// A chunk with what the legs said of it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fused {
    pub(crate) key: u64,
    pub(crate) group: u64,
    pub(crate) score: f64,
    pub(crate) words: Option<Place>,
    pub(crate) dense: Option<Place>,
    /// What its neighbours among the best say of it, and how much of the score that is.
    pub(crate) neighbours: Option<(Place, f64)>,
}

/// Both lists, best first, as one, best first; the dense one counts `weight` of 1. With one list empty or without weight
/// the other stays as it is, with its own scores.
pub(crate) fn fuse(words: &[Found], dense: &[Found], fusion: Fusion, weight: f64) -> Vec<Fused> {
    let (words, dense) = (placed(words), placed(dense));
    if dense.is_empty() || weight <= 0.0 {
        return words.into_iter().map(|(found, place)| alone(found, Some(place), None)).collect();
    }
    if words.is_empty() || weight >= 1.0 {
        return dense.into_iter().map(|(found, place)| alone(found, None, Some(place))).collect();
    }
    let (word_scale, dense_scale) = (Scale::of_words(&words), Scale::of_vectors(&dense));
    let mut all: HashMap<u64, Fused> = HashMap::with_capacity(words.len() + dense.len());
    for (found, place) in words {
        all.insert(found.key, alone(found, Some(place), None));
    }
    for (found, place) in dense {
        all.entry(found.key).or_insert_with(|| alone(found, None, None)).dense = Some(place);
    }
    let mut all: Vec<Fused> = all.into_values().collect();
    for fused in &mut all {
        fused.score = match fusion {
            Fusion::Rrf { k } => {
                let of = |place: Option<Place>| place.map_or(0.0, |place| 1.0 / (k + float(place.rank)));
                2.0 * ((1.0 - weight) * of(fused.words) + weight * of(fused.dense))
            }
            Fusion::Scores { .. } => {
                (1.0 - weight) * word_scale.of(fused.words) + weight * dense_scale.of(fused.dense)
            }
        };
    }
    all.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.key.cmp(&b.key)));
    all
}

/// What the dense leg counts of 1, if it is trusted so much.
pub(crate) fn dense_weight(fusion: Fusion, trust: f64) -> f64 {
    let full = match fusion {
        Fusion::Scores { dense } => dense,
        Fusion::Rrf { .. } => 0.5,
    };
    (full * trust).clamp(0.0, 1.0)
}

/// How a leg's scores become numbers that can be added to another's: the best is 1, a score of 0 (no word in common; at
/// a right angle) is 0. What lies between keeps its distances, so that a leg that finds everything alike moves little.
#[derive(Clone, Copy, Debug)]
struct Scale {
    one: f64,
    /// Of a chunk that the list does not hold.
    missing: f64,
}

impl Scale {
    fn of_words(list: &[(Found, Place)]) -> Self {
        Self { one: best(list), missing: 0.0 }
    }

    /// Every text has a cosine, and that of one beyond the list is at most the last one's.
    fn of_vectors(list: &[(Found, Place)]) -> Self {
        Self { one: best(list), missing: list.last().map_or(0.0, |(worst, _)| worst.score) }
    }

    fn of(self, place: Option<Place>) -> f64 {
        place.map_or(self.missing, |place| place.score) / self.one
    }
}

fn best(list: &[(Found, Place)]) -> f64 {
    // Of vectors at an obtuse angle to the question no scale can be made; their order stays.
    list.first().map_or(1.0, |(found, _)| found.score).max(1e-3)
}

fn placed(list: &[Found]) -> Vec<(Found, Place)> {
    let mut best: HashSet<u64> = HashSet::with_capacity(list.len());
    // A chunk with several vectors stands where its best one stands.
    let once = list.iter().filter(|found| best.insert(found.key));
    once.enumerate().map(|(at, found)| (*found, Place { rank: at + 1, score: found.score })).collect()
}

fn alone(found: Found, words: Option<Place>, dense: Option<Place>) -> Fused {
    Fused { key: found.key, group: found.group, score: found.score, words, dense, neighbours: None }
}

#[expect(clippy::cast_precision_loss, reason = "ranks are far below 2^53")]
fn float(rank: usize) -> f64 {
    rank as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(scores: &[(u64, f64)]) -> Vec<Found> {
        scores.iter().map(|(key, score)| Found { key: *key, group: *key / 10, score: *score }).collect()
    }

    #[test]
    fn lists_become_one() {
        let words = list(&[(1, 10.0), (2, 8.0), (3, 1.0)]);
        let dense = list(&[(3, 0.8), (2, 0.7), (4, 0.3)]);
        let check = |fusion: Fusion, weight: f64, expect: &[u64]| {
            let found: Vec<u64> =
                fuse(&words, &dense, fusion, weight).iter().map(|fused| fused.key).collect();
            assert_eq!(found, expect, "{fusion:?} {weight}");
        };
        let scores = Fusion::Scores { dense: 0.5 };
        // 2: (0.8 + 0.7 / 0.8) / 2; 1: (1 + 0.3 / 0.8) / 2; 3: (0.1 + 1) / 2; 4: (0 + 0.3 / 0.8) / 2.
        check(scores, 0.5, &[2, 1, 3, 4]);
        check(scores, 0.0, &[1, 2, 3]);
        check(scores, 1.0, &[3, 2, 4]);
        check(scores, 0.1, &[1, 2, 3, 4]);
        // 3: 1/63 + 1/61; 2: 2/62; 1: 1/61; 4: 1/63.
        check(Fusion::Rrf { k: 60.0 }, 0.5, &[3, 2, 1, 4]);
        assert!((dense_weight(scores, 0.5) - 0.25).abs() < 1e-9);
        let none: &[Found] = &[];
        assert_eq!(fuse(none, &dense, Fusion::default(), 0.1).len(), 3);
        assert_eq!(fuse(&words, none, Fusion::default(), 0.5).len(), 3);
    }

    #[test]
    fn places_are_kept_and_a_chunk_stands_once() {
        let fused = fuse(&list(&[(1, 4.0)]), &list(&[(1, 0.9), (1, 0.8), (2, 0.5)]), Fusion::default(), 0.5);
        assert_eq!(fused.iter().map(|fused| fused.key).collect::<Vec<_>>(), [1, 2]);
        let first = fused[0];
        assert_eq!(first.words, Some(Place { rank: 1, score: 4.0 }));
        assert_eq!(first.dense, Some(Place { rank: 1, score: 0.9 }));
        assert_eq!(fused[1].dense, Some(Place { rank: 2, score: 0.5 }));
    }
}
