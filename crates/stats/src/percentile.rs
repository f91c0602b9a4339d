//! Means and percentiles of plain samples.

use crate::ranking::float;

/// The arithmetic mean; `None` of nothing.
pub fn mean(values: &[f64]) -> Option<f64> {
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / float(values.len()))
}

/// The `p`-th percentile, `p` in 0..=100, interpolated linearly between the two nearest ranks (Hyndman and
/// Fan's type 7, numpy's default); `None` of nothing. `values` need no order.
pub fn percentile(values: &[f64], p: f64) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len().checked_sub(1)?;
    let rank = (p.clamp(0.0, 100.0) / 100.0) * float(last);
    let (low, share) = (rank.floor(), rank.fract());
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "between 0 and the last index"
    )]
    let at = low as usize;
    let below = *sorted.get(at)?;
    let above = sorted.get(at + 1).copied().unwrap_or(below);
    Some(below + (above - below) * share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_numpys() {
        let check = |values: &[f64], p: f64, expect: Option<f64>| match (percentile(values, p), expect) {
            (Some(got), Some(expect)) => assert!((got - expect).abs() < 1e-12, "{got} {expect}"),
            (got, expect) => assert_eq!(got, expect),
        };
        check(&[4.0, 1.0, 3.0, 2.0], 50.0, Some(2.5));
        check(&[4.0, 1.0, 3.0, 2.0], 99.0, Some(3.97));
        check(&[15.0, 20.0, 35.0, 40.0, 50.0], 40.0, Some(29.0));
        check(&[7.0], 99.0, Some(7.0));
        check(&[1.0, 2.0], 200.0, Some(2.0));
        check(&[], 50.0, None);
        assert_eq!(mean(&[1.0, 2.0]), Some(1.5));
        assert_eq!(mean(&[]), None);
    }
}
