//! Measures of one ranking. A measure of a set of queries is the mean of these.
//!
//! `ranked` holds the gain of each hit, best hit first, 0 for one that is not relevant or not judged.
//! Binary judgements are gains of 0 and 1.

/// Discounted cumulative gain of the first `k` hits over that of the best possible order of `judged`, the
/// gains of all judged documents in any order. In 0..=1; 0 when nothing judged is relevant.
///
/// Gains count as they are (Järvelin and Kekäläinen 2002, and `trec_eval`'s `ndcg_cut`); for the variant of
/// Burges et al. 2005 pass both slices through [`exponential_gain`].
pub fn ndcg_at(ranked: &[f64], judged: &[f64], k: usize) -> f64 {
    let mut best: Vec<f64> = judged.iter().copied().filter(|gain| *gain > 0.0).collect();
    best.sort_by(|a, b| b.total_cmp(a));
    let ideal = dcg(&best, k);
    if ideal > 0.0 { dcg(ranked, k) / ideal } else { 0.0 }
}

/// `2^grade - 1`.
pub fn exponential_gain(grade: f64) -> f64 {
    grade.exp2() - 1.0
}

/// The share of the `relevant` documents there are that is among the first `k` hits; 0 when there is none.
pub fn recall_at(ranked: &[f64], relevant: usize, k: usize) -> f64 {
    if relevant == 0 {
        return 0.0;
    }
    let found = ranked.iter().take(k).filter(|gain| **gain > 0.0).count();
    float(found) / float(relevant)
}

/// One over the rank of the first relevant hit; 0 when there is none. Its mean over queries is MRR.
pub fn reciprocal_rank(ranked: &[f64]) -> f64 {
    ranked.iter().position(|gain| *gain > 0.0).map_or(0.0, |at| 1.0 / float(at + 1))
}

/// The mean over all `relevant` documents of the precision at each one's rank, 0 for one not found. Its mean
/// over queries is MAP.
pub fn average_precision(ranked: &[f64], relevant: usize) -> f64 {
    if relevant == 0 {
        return 0.0;
    }
    let at_hits = ranked.iter().enumerate().filter(|(_, gain)| **gain > 0.0);
    // A sum of nothing would be -0.
    let sum =
        at_hits.enumerate().fold(0.0, |sum, (found, (rank, _))| sum + float(found + 1) / float(rank + 1));
    sum / float(relevant)
}

fn dcg(gains: &[f64], k: usize) -> f64 {
    gains.iter().take(k).enumerate().map(|(rank, gain)| gain / float(rank + 2).log2()).sum()
}

#[expect(clippy::cast_precision_loss, reason = "counts of documents are far below 2^53")]
pub(crate) fn float(count: usize) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(got: f64, expect: f64) {
        assert!((got - expect).abs() < 1e-9, "got {got}, expected {expect}");
    }

    #[test]
    fn ndcg_has_the_values_of_the_textbooks() {
        // Binary: relevant at ranks 2 and 4 of two relevant documents.
        let ideal = 1.0 + 1.0 / 3_f64.log2();
        check(
            ndcg_at(&[0.0, 1.0, 0.0, 1.0], &[1.0, 1.0], 10),
            (1.0 / 3_f64.log2() + 1.0 / 5_f64.log2()) / ideal,
        );
        check(ndcg_at(&[0.0, 1.0, 0.0, 1.0], &[1.0, 1.0], 2), (1.0 / 3_f64.log2()) / ideal);
        // Graded: the example of Wikipedia's article on discounted cumulative gain, with linear gains.
        let ranked = [3.0, 2.0, 3.0, 0.0, 1.0, 2.0];
        let judged = [3.0, 3.0, 3.0, 2.0, 2.0, 2.0, 1.0, 0.0];
        let value = ndcg_at(&ranked, &judged, 6);
        assert!((value - 0.785).abs() < 5e-4, "{value}");
        // scikit-learn's ndcg_score([[10, 0, 0, 1, 5]], [[.1, .2, .3, 4, 70]]) is 0.69569…
        check(ndcg_at(&[5.0, 1.0, 0.0, 0.0, 10.0], &[10.0, 0.0, 0.0, 1.0, 5.0], 5), 0.695_694_044_381_307_6);
        check(ndcg_at(&[1.0, 1.0], &[1.0, 1.0], 10), 1.0);
        check(ndcg_at(&[0.0, 0.0], &[1.0], 10), 0.0);
        check(ndcg_at(&[], &[], 10), 0.0);
        check(exponential_gain(3.0), 7.0);
    }

    #[test]
    fn recall_counts_what_is_among_the_first() {
        check(recall_at(&[1.0, 0.0, 1.0], 4, 2), 0.25);
        check(recall_at(&[1.0, 0.0, 1.0], 4, 100), 0.5);
        check(recall_at(&[1.0], 0, 10), 0.0);
    }

    #[test]
    fn reciprocal_rank_looks_at_the_first_relevant_hit() {
        check(reciprocal_rank(&[0.0, 0.0, 1.0, 1.0]), 1.0 / 3.0);
        check(reciprocal_rank(&[0.0]), 0.0);
    }

    #[test]
    fn average_precision_has_the_value_of_the_textbook() {
        // Manning, Raghavan, Schütze: precisions 1, 2/3, 3/5 at the relevant ranks 1, 3, 5 of 4 relevant.
        check(average_precision(&[1.0, 0.0, 1.0, 0.0, 1.0], 4), (1.0 + 2.0 / 3.0 + 3.0 / 5.0) / 4.0);
        check(average_precision(&[0.0], 1), 0.0);
        assert!(average_precision(&[0.0], 1).is_sign_positive(), "it is shown as it is");
        check(average_precision(&[], 0), 0.0);
    }
}
