//! What a judge that errs says of many samples, corrected by what people said of some.

use crate::agreement::{Detection, count};
use crate::distribution::t_quantile;
use crate::interval::{Estimate, difference_of_shares, variance, z};
use crate::percentile::mean;
use crate::ranking::float;

/// Why nothing can be corrected.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub enum Uncorrectable {
    /// The judge's yes says nothing: the interval of sensitivity + specificity - 1 holds zero or less.
    #[error(
        "the judge is not shown to be better than chance (sensitivity + specificity - 1 is at least {low:.2})"
    )]
    NoBetterThanChance {
        /// The lower end of that interval.
        low: f64,
    },
    /// There are not both: samples that people said yes of, and such that they said no of.
    #[error("there are labels of one kind only")]
    OneKind,
    /// There is too little.
    #[error("there are too few samples")]
    TooFew,
}

/// The share of yes among `judged` samples of which the judge said yes of `yes`, corrected for the errors it made on
/// `checked` ones: Rogan and Gladen's estimate (1978) with the interval of Lang and Reiczigel (2014), which counts
/// the doubt about the judge in. Refused where the judge is not shown to be better than chance.
pub fn rogan_gladen(
    yes: usize,
    judged: usize,
    checked: Detection,
    confidence: f64,
) -> Result<Estimate, Uncorrectable> {
    if judged == 0 {
        return Err(Uncorrectable::TooFew);
    }
    let better = informedness(checked, confidence)?;
    if better.low <= 0.0 {
        return Err(Uncorrectable::NoBetterThanChance { low: better.low });
    }
    let (n, z) = (float(judged), z(confidence));
    let share = float(yes) / n;
    let (positives, negatives) =
        (count(checked.hits + checked.misses), count(checked.rejections + checked.false_alarms));
    let point = {
        let (se, sp) = (count(checked.hits) / positives, count(checked.rejections) / negatives);
        (share + sp - 1.0) / (se + sp - 1.0)
    };
    // All three shares drawn towards the middle, so that none of them is certain.
    let (share, n) = ((n * share + z * z / 2.0) / (n + z * z), n + z * z);
    let (se, positives) = ((count(checked.hits) + 1.0) / (positives + 2.0), positives + 2.0);
    let (sp, negatives) = ((count(checked.rejections) + 1.0) / (negatives + 2.0), negatives + 2.0);
    let youden = se + sp - 1.0;
    let middle = (share + sp - 1.0) / youden;
    let of_se = se * (1.0 - se) / positives;
    let of_sp = sp * (1.0 - sp) / negatives;
    let shift = 2.0 * z * z * (middle * of_se - (1.0 - middle) * of_sp);
    let spread = (share * (1.0 - share) / n + middle * middle * of_se + (1.0 - middle).powi(2) * of_sp)
        .sqrt()
        / youden;
    let bound = |x: f64| x.clamp(0.0, 1.0);
    let (low, high) = (bound(middle + shift - z * spread), bound(middle + shift + z * spread));
    let value = bound(point);
    Ok(Estimate { value, low: low.min(value), high: high.max(value), n: judged })
}

/// Sensitivity + specificity - 1 (Youden 1950) with Newcombe's interval: 0 for one that answers by chance.
pub fn informedness(checked: Detection, confidence: f64) -> Result<Estimate, Uncorrectable> {
    let size = |count: u64| usize::try_from(count).unwrap_or(usize::MAX);
    let positives = (size(checked.hits), size(checked.hits + checked.misses));
    let negatives = (size(checked.false_alarms), size(checked.false_alarms + checked.rejections));
    difference_of_shares(positives, negatives, confidence).ok_or(Uncorrectable::OneKind)
}

/// The mean of what people would say, from `labels` (theirs) and `checked` (the judge's) on the same samples and
/// `judged` (the judge's) on others: prediction-powered inference with the weight of least variance (PPI++,
/// Angelopoulos, Duchi and Zrnic 2023). A judge that says nothing gets a weight near zero and leaves the plain mean
/// of the labels; the interval is Student's with as many degrees of freedom as labels less one, for few labels.
pub fn prediction_powered(
    labels: &[f64],
    checked: &[f64],
    judged: &[f64],
    confidence: f64,
) -> Result<Estimate, Uncorrectable> {
    if labels.len() != checked.len() || labels.len() < 2 || judged.len() < 2 {
        return Err(Uncorrectable::TooFew);
    }
    let (n, others) = (float(labels.len()), float(judged.len()));
    let means = [labels, checked, judged].map(|values| mean(values).unwrap_or(0.0));
    let [of_labels, of_checked, of_judged] = means;
    let together: f64 =
        labels.iter().zip(checked).map(|(y, f)| (y - of_labels) * (f - of_checked)).sum::<f64>() / (n - 1.0);
    let all: Vec<f64> = checked.iter().chain(judged).copied().collect();
    let spread = variance(&all).unwrap_or(0.0);
    let weight = if spread > 0.0 { (together / ((1.0 + n / others) * spread)).clamp(0.0, 1.0) } else { 0.0 };
    let value = of_labels + weight * (of_judged - of_checked);
    let rest: Vec<f64> = labels.iter().zip(checked).map(|(y, f)| y - weight * f).collect();
    let error = (variance(&rest).unwrap_or(0.0) / n
        + weight * weight * variance(judged).unwrap_or(0.0) / others)
        .sqrt();
    let reach = t_quantile(f64::midpoint(1.0, confidence), n - 1.0) * error;
    Ok(Estimate::around(value, reach, labels.len()))
}
