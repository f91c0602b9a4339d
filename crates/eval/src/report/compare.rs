//! Two experiments over the same rows: whether one is better, and by how much.

use super::collect::{Collected, RowScore, ScoreFacts};
use super::{Comparison, Interval, MANY, ROUNDS, SEED, ScoreComparison, share};
use crate::gate::Adjust;
use hanok_stats::interval::variance;
use hanok_stats::multiple::{benjamini_hochberg, holm};
use hanok_stats::paired::{
    Tally, difference_of_paired_shares, mcnemar_exact, paired_clustered, paired_t, tally,
};
use hanok_stats::resample::{bootstrap, cluster_bootstrap};
use std::collections::HashMap;

/// Compares an experiment with its baseline, row by row.
pub fn compare(
    baseline: i64,
    before: &Collected,
    after: &Collected,
    confidence: f64,
    adjust: Adjust,
) -> Comparison {
    let places: HashMap<i64, u32> = before.rows.iter().zip(0..).map(|(row, at)| (row.id, at)).collect();
    let paired = after.rows.iter().filter(|row| places.contains_key(&row.id)).count();
    let mut scores: Vec<ScoreComparison> = after
        .scores
        .iter()
        .filter_map(|now| {
            let then = before.scores.iter().find(|known| known.name == now.name)?;
            compare_score(before, then, after, now, &places, confidence)
        })
        .collect();
    let p: Vec<f64> = scores.iter().filter_map(|score| score.p).collect();
    let adjusted = match adjust {
        Adjust::Holm => holm(&p),
        Adjust::Bh => benjamini_hochberg(&p),
    };
    let with_p = scores.iter_mut().filter(|score| score.p.is_some());
    for (score, adjusted) in with_p.zip(adjusted) {
        score.p_adjusted = Some(adjusted);
    }
    let unpaired = before.rows.len() + after.rows.len() - 2 * paired;
    Comparison { baseline, paired, unpaired, scores }
}

fn compare_score(
    before: &Collected,
    then: &ScoreFacts,
    after: &Collected,
    now: &ScoreFacts,
    places: &HashMap<i64, u32>,
    confidence: f64,
) -> Option<ScoreComparison> {
    let known: HashMap<u32, &RowScore> = then.rows.iter().map(|row| (row.row, row)).collect();
    let (mut first, mut second, mut rows, mut once) = (Vec::new(), Vec::new(), Vec::new(), true);
    for row in &now.rows {
        let id = after.rows.get(usize::try_from(row.row).ok()?)?.id;
        let Some(other) = places.get(&id).and_then(|place| known.get(place)) else { continue };
        first.push(other.mean());
        second.push(row.mean());
        rows.push(row.row);
        once &= row.tries == 1 && other.tries == 1;
    }
    let n = first.len();
    if n == 0 {
        return None;
    }
    let Tally { wins, ties, losses } = tally(&first, &second, 1e-12);
    let differences: Vec<f64> = first.iter().zip(&second).map(|(a, b)| b - a).collect();
    let is_truth = then.is_truth() && now.is_truth();
    let is_clustered = before.is_clustered || after.is_clustered;
    let clusters = after.clusters_of(rows.iter().copied());
    let of = |compared: Option<hanok_stats::paired::Compared>| {
        (compared.map(|found| Interval::from(found.difference)), compared.map(|found| found.p))
    };
    let ((difference, p), method) = if is_clustered {
        (of(paired_clustered(&first, &second, &clusters, confidence)), "clustered")
    } else if is_truth && once {
        let interval = difference_of_paired_shares(wins, losses, n, confidence).filter(|_| n > 1);
        let p = mcnemar_exact(wins as u64, losses as u64);
        ((interval.map(Interval::from), Some(p)), "mcnemar")
    } else {
        (of(paired_t(&first, &second, confidence)), "t")
    };
    let mean_of = |drawn: &[usize]| {
        let sum: f64 = drawn.iter().filter_map(|at| differences.get(*at)).sum();
        (!drawn.is_empty()).then(|| sum / share(drawn.len(), 1))
    };
    let resampled = match n {
        0..=1 => None,
        _ if n > MANY => None,
        _ if is_clustered => cluster_bootstrap(&clusters, ROUNDS, SEED, confidence, mean_of),
        _ => bootstrap(n, ROUNDS, SEED, confidence, mean_of),
    };
    let mean = |values: &[f64]| hanok_stats::mean(values).unwrap_or_default();
    let deviation = variance(&differences).map(f64::sqrt).filter(|deviation| *deviation > 0.0);
    Some(ScoreComparison {
        name: now.name.clone(),
        n,
        before: mean(&first),
        after: mean(&second),
        difference,
        bootstrap: resampled.map(Interval::from),
        effect: deviation.map(|deviation| mean(&differences) / deviation),
        p: p.filter(|p| p.is_finite()),
        p_adjusted: None,
        method: method.to_owned(),
        wins,
        ties,
        losses,
        less_is_better: false,
    })
}
