//! A ranking out of comparisons: the model's own wins give its strengths back, and what cannot be ranked is said so.

#![allow(clippy::unwrap_used, reason = "a test")]

use hanok_stats::pairwise::{Comparison, Unranked, bradley_terry};

fn of(games: &[(usize, usize, f64)]) -> Vec<Comparison> {
    games
        .iter()
        .map(|(winner, loser, times)| Comparison { winner: *winner, loser: *loser, times: *times })
        .collect()
}

#[test]
fn strengths_are_those_the_wins_were_made_of() {
    let strengths = [1.0, 0.2, -0.4, -0.8];
    let mut games = Vec::new();
    for (a, one) in strengths.iter().enumerate() {
        for (b, other) in strengths.iter().enumerate() {
            if a != b {
                // Expected wins in 500 games, as they are.
                games.push((a, b, 500.0 / (1.0 + f64::exp(other - one))));
            }
        }
    }
    let found = bradley_terry(4, &of(&games), 0.95).unwrap();
    for (found, expected) in found.iter().zip(strengths) {
        assert!((found.value - expected).abs() < 1e-9, "{found:?} {expected}");
        assert!(found.low < expected && expected < found.high);
    }
    // Two alone: the log odds, and the variance 1/wins + 1/losses, halved twice as each stands half the gap off zero.
    let two = bradley_terry(2, &of(&[(0, 1, 30.0), (1, 0, 10.0)]), 0.95).unwrap();
    let gap = 3_f64.ln();
    let error = (1.0 / 30.0 + 1.0 / 10.0_f64).sqrt() / 2.0;
    assert!((two[0].value - gap / 2.0).abs() < 1e-9);
    assert!((two[0].high - two[0].value - 1.959_963_984_540_054 * error).abs() < 1e-9, "{two:?}");
}

#[test]
fn what_nothing_connects_is_not_ranked() {
    assert_eq!(bradley_terry(2, &of(&[(0, 1, 9.0)]), 0.95), Err(Unranked::NotConnected(1)));
    assert_eq!(bradley_terry(2, &of(&[(0, 5, 9.0)]), 0.95), Err(Unranked::Unknown(5)));
    assert_eq!(
        bradley_terry(4, &of(&[(0, 1, 2.0), (1, 0, 1.0), (2, 3, 2.0), (3, 2, 1.0)]), 0.95),
        Err(Unranked::NotConnected(2))
    );
    assert_eq!(bradley_terry(0, &[], 0.95), Ok(vec![]));
}
