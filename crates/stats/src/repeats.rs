//! Samples that were tried several times.

use crate::distribution::ln_choose;

/// The probability that at least one of `k` tries succeeds, estimated without bias from `successes` of `tries`
/// (pass@k, Chen et al. 2021). `None` where there were fewer than `k` tries.
pub fn pass_at(k: u64, successes: u64, tries: u64) -> Option<f64> {
    (k <= tries && successes <= tries)
        .then(|| 1.0 - (ln_choose(tries - successes, k) - ln_choose(tries, k)).exp())
}

/// The probability that all of `k` tries succeed, estimated without bias (pass^k, Yao et al. 2024).
pub fn pass_all(k: u64, successes: u64, tries: u64) -> Option<f64> {
    (k <= tries && successes <= tries).then(|| (ln_choose(successes, k) - ln_choose(tries, k)).exp())
}
