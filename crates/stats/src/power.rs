//! What a run can show, before it is paid for: Student's test of a mean (or of paired differences) against zero,
//! two-sided. Effects are in standard deviations (Cohen 1988).

use crate::distribution::{noncentral_t_cdf, t_quantile};
use crate::ranking::float;

/// The probability to find an effect that is there with `n` samples at this level, such as 0.05.
pub fn power(effect: f64, n: usize, level: f64) -> f64 {
    if n < 2 {
        return 0.0;
    }
    let freedom = float(n) - 1.0;
    let shift = effect.abs() * float(n).sqrt();
    let far = t_quantile(1.0 - level / 2.0, freedom);
    1.0 - noncentral_t_cdf(far, freedom, shift) + noncentral_t_cdf(-far, freedom, shift)
}

/// The least effect that `n` samples find with this power, such as 0.8. `None` of fewer than two samples.
pub fn minimum_detectable_effect(n: usize, level: f64, wanted: f64) -> Option<f64> {
    if n < 2 || !(level..1.0).contains(&wanted) {
        return None;
    }
    let (mut low, mut high) = (0.0, 1.0);
    while power(high, n, level) < wanted {
        high *= 2.0;
        if high > 1e6 {
            return None;
        }
    }
    for _ in 0..80 {
        let middle = f64::midpoint(low, high);
        if power(middle, n, level) < wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(f64::midpoint(low, high))
}

/// The samples that it takes to find this effect with this power. `None` for no effect, or above 10^9.
pub fn samples_needed(effect: f64, level: f64, wanted: f64) -> Option<usize> {
    if effect == 0.0 || !effect.is_finite() || !(level..1.0).contains(&wanted) {
        return None;
    }
    let mut high = 2_usize;
    while power(effect, high, level) < wanted {
        high = high.checked_mul(2).filter(|high| *high <= 1_000_000_000)?;
    }
    let mut low = high / 2;
    while high - low > 1 {
        let middle = low.midpoint(high);
        if power(effect, middle, level) < wanted {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(high)
}
