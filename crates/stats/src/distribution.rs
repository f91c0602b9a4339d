//! The distributions that intervals and tests are made of, over `statrs`, and the one it lacks.

use crate::ranking::float;
use statrs::distribution::{Beta, Binomial, ContinuousCDF, DiscreteCDF, Normal, StudentsT};
use statrs::function::gamma::ln_gamma;

/// The standard normal's quantile.
pub fn normal_quantile(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p)
}

/// The standard normal's distribution function.
pub fn normal_cdf(x: f64) -> f64 {
    Normal::standard().cdf(x)
}

/// The quantile of Student's t; that of the normal for an infinite number of degrees of freedom, and NaN for none.
pub fn t_quantile(p: f64, freedom: f64) -> f64 {
    if freedom.is_infinite() {
        return normal_quantile(p);
    }
    if p < 0.5 {
        return -t_quantile(1.0 - p, freedom);
    }
    let Ok(t) = StudentsT::new(0.0, 1.0, freedom) else { return f64::NAN };
    let near = t.inverse_cdf(p);
    // Newton, as what comes is good to some nine digits only.
    (0..3).fold(near, |x, _| {
        let density = t_density(x, freedom);
        let next = x - (t.cdf(x) - p) / density;
        if next.is_finite() { next } else { x }
    })
}

/// The distribution function of Student's t; NaN for no degree of freedom.
pub fn t_cdf(x: f64, freedom: f64) -> f64 {
    StudentsT::new(0.0, 1.0, freedom).map_or(f64::NAN, |t| t.cdf(x))
}

fn t_density(x: f64, freedom: f64) -> f64 {
    let ln = ln_gamma(f64::midpoint(freedom, 1.0))
        - ln_gamma(freedom / 2.0)
        - 0.5 * (freedom * std::f64::consts::PI).ln()
        - f64::midpoint(freedom, 1.0) * (x * x / freedom).ln_1p();
    ln.exp()
}

/// The probability of at most `successes` of `trials` at probability `p` each.
pub fn binomial_cdf(successes: u64, trials: u64, p: f64) -> f64 {
    Binomial::new(p, trials).map_or(f64::NAN, |binomial| binomial.cdf(successes))
}

/// The quantile of the beta distribution, by bisection on its distribution function.
pub fn beta_quantile(p: f64, a: f64, b: f64) -> f64 {
    let Ok(beta) = Beta::new(a, b) else { return f64::NAN };
    let (mut low, mut high) = (0.0, 1.0);
    // One halving a bit of the result.
    for _ in 0..100 {
        let middle = f64::midpoint(low, high);
        if beta.cdf(middle) < p {
            low = middle;
        } else {
            high = middle;
        }
    }
    f64::midpoint(low, high)
}

/// The logarithm of the number of ways to choose `k` of `n`; minus infinity where there is none.
pub fn ln_choose(n: u64, k: u64) -> f64 {
    if k > n { f64::NEG_INFINITY } else { statrs::function::factorial::ln_binomial(n, k) }
}

/// Panels of the integral of [`noncentral_t_cdf`], and the nodes and weights of Gauss and Legendre's rule of five
/// points in each.
const PANELS: usize = 400;
const NODES: [(f64, f64); 5] = [
    (0.0, 0.568_888_888_888_888_9),
    (0.538_469_310_105_683_1, 0.478_628_670_499_366_47),
    (-0.538_469_310_105_683_1, 0.478_628_670_499_366_47),
    (0.906_179_845_938_664, 0.236_926_885_056_189_08),
    (-0.906_179_845_938_664, 0.236_926_885_056_189_08),
];

/// The distribution function of the noncentral t: that of `(Z + shift) / S`, where `Z` is standard normal and `S`
/// the root of a chi square over its degrees of freedom. Integrated over `S`; good to about 1e-11.
pub fn noncentral_t_cdf(x: f64, freedom: f64, shift: f64) -> f64 {
    let ln_scale = std::f64::consts::LN_2 + (freedom / 2.0) * (freedom / 2.0).ln() - ln_gamma(freedom / 2.0);
    let density = |s: f64| {
        if s <= 0.0 { 0.0 } else { (ln_scale + (freedom - 1.0) * s.ln() - freedom * s * s / 2.0).exp() }
    };
    // `S` is about 1 with a deviation of 1/sqrt(2 freedom).
    let wide = 12.0 / (2.0 * freedom).sqrt();
    let (low, high) = ((1.0 - wide).max(0.0), 1.0 + wide);
    let half = (high - low) / (2.0 * float(PANELS));
    let mut sum = 0.0;
    for panel in 0..PANELS {
        let middle = low + half * (2.0 * float(panel) + 1.0);
        for (node, weight) in NODES {
            let s = middle + half * node;
            sum += weight * normal_cdf(x * s - shift) * density(s);
        }
    }
    (sum * half).clamp(0.0, 1.0)
}
