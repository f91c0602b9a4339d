//! Agreement in figures, each with its interval.

use crate::judge::{Form, Scale};
use hanok_stats::agreement::{kendall_tau_b, spearman_rho};
use hanok_stats::interval::wilson;
use hanok_stats::resample::{bootstrap, cluster_bootstrap};
use hanok_stats::{Confusion, Estimate, Weights};
use serde::{Deserialize, Serialize};

/// How an interval was made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Percentiles of the bootstrap, of samples or of whole clusters (Efron 1979).
    Bootstrap,
    /// Wilson's score interval: of shares of which all draws of the bootstrap are the same (0 or 1 in the sample).
    Wilson,
    /// Student's, or one that its estimate brings with it.
    Estimate,
}

/// A number with its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// The best guess.
    pub value: f64,
    /// The interval's lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
    /// What it rests on: observations, or clusters.
    pub n: usize,
    /// How the interval was made.
    pub method: Method,
}

impl Figure {
    /// Of an estimate.
    pub fn of(estimate: Estimate, method: Method) -> Self {
        Self { value: estimate.value, low: estimate.low, high: estimate.high, n: estimate.n, method }
    }
}

/// One measure of agreement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Measure {
    /// `agreement`, `precision`, `recall`, `specificity`, `f1`, `kappa`, `kappa_quadratic`, `ac1`, `tau_b` or `rho`.
    pub name: String,
    /// The judge against people; `None` where it says nothing (a share of nothing, a judge that always says the same).
    pub judge: Option<Figure>,
    /// People against each other, where two labelled the same items.
    pub ceiling: Option<f64>,
    /// Always saying what people say most often.
    pub baseline: Option<f64>,
}

/// Levels of the same things, as the first and the second gave them.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Pairs {
    /// First and second.
    pub(crate) levels: Vec<(usize, usize)>,
    /// What each belongs to.
    pub(crate) clusters: Vec<usize>,
}

impl Pairs {
    fn confusion(&self, k: usize) -> Confusion {
        Confusion::of(k, self.levels.iter().copied())
    }

    pub(crate) fn is_clustered(&self) -> bool {
        let mut seen: Vec<usize> = self.clusters.clone();
        seen.sort_unstable();
        seen.windows(2).any(|pair| matches!(pair, [a, b] if a == b))
    }
}

/// The kinds of measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Agreement,
    Precision,
    Recall,
    Specificity,
    F1,
    Kappa,
    KappaQuadratic,
    Ac1,
    TauB,
    Rho,
}

impl Kind {
    /// Those that say something of a scale.
    pub(crate) fn of(scale: &Scale) -> &'static [Self] {
        match scale.form {
            Form::Binary => &[
                Self::Agreement,
                Self::Precision,
                Self::Recall,
                Self::Specificity,
                Self::F1,
                Self::Kappa,
                Self::Ac1,
            ],
            Form::Ordinal | Form::Pairwise => {
                &[Self::Agreement, Self::Kappa, Self::KappaQuadratic, Self::Ac1, Self::TauB, Self::Rho]
            }
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Agreement => "agreement",
            Self::Precision => "precision",
            Self::Recall => "recall",
            Self::Specificity => "specificity",
            Self::F1 => "f1",
            Self::Kappa => "kappa",
            Self::KappaQuadratic => "kappa_quadratic",
            Self::Ac1 => "ac1",
            Self::TauB => "tau_b",
            Self::Rho => "rho",
        }
    }

    /// The value on these pairs.
    pub(crate) fn value(self, k: usize, pairs: impl Iterator<Item = (usize, usize)>) -> Option<f64> {
        if matches!(self, Self::TauB | Self::Rho) {
            let (x, y): (Vec<f64>, Vec<f64>) = pairs.map(|(a, b)| (level(a), level(b))).unzip();
            return if self == Self::TauB { kendall_tau_b(&x, &y) } else { spearman_rho(&x, &y) };
        }
        let confusion = Confusion::of(k, pairs);
        let detection = confusion.detection(k.saturating_sub(1));
        match self {
            Self::Agreement => confusion.agreement(),
            Self::Precision => detection.precision(),
            Self::Recall => detection.recall(),
            Self::Specificity => detection.specificity(),
            Self::F1 => detection.f1(),
            Self::Kappa => confusion.kappa(Weights::Equal),
            Self::KappaQuadratic => confusion.kappa(Weights::Quadratic),
            Self::Ac1 => confusion.ac1(),
            Self::TauB | Self::Rho => None,
        }
    }

    /// Of a share: how many of how many.
    fn share(self, confusion: &Confusion) -> Option<(u64, u64)> {
        let best = confusion.labels().saturating_sub(1);
        let told = confusion.detection(best);
        match self {
            Self::Agreement => {
                Some(((0..=best).map(|level| confusion.count(level, level)).sum(), confusion.total()))
            }
            Self::Precision => Some((told.hits, told.hits + told.false_alarms)),
            Self::Recall => Some((told.hits, told.hits + told.misses)),
            Self::Specificity => Some((told.rejections, told.rejections + told.false_alarms)),
            _ => None,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "there are few levels")]
fn level(level: usize) -> f64 {
    level as f64
}

/// A measure of these pairs, with its interval.
pub(crate) fn figure(kind: Kind, k: usize, pairs: &Pairs, options: super::report::Options) -> Option<Figure> {
    let statistic =
        |drawn: &[usize]| kind.value(k, drawn.iter().filter_map(|at| pairs.levels.get(*at).copied()));
    let (rounds, seed, confidence) = (options.rounds, options.seed, options.confidence);
    let found = if pairs.is_clustered() {
        cluster_bootstrap(&pairs.clusters, rounds, seed, confidence, statistic)
    } else {
        bootstrap(pairs.levels.len(), rounds, seed, confidence, statistic)
    }?;
    let is_point = found.high - found.low <= 0.0;
    let share = kind.share(&pairs.confusion(k)).filter(|_| is_point);
    // No draw differs from a sample without a single error, which still does not prove that there are none.
    let by_wilson =
        share.and_then(|(yes, of)| wilson(usize::try_from(yes).ok()?, usize::try_from(of).ok()?, confidence));
    Some(match by_wilson {
        Some(estimate) => Figure::of(estimate, Method::Wilson),
        None => Figure::of(found, Method::Bootstrap),
    })
}
