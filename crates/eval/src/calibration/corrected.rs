//! What a judge's rate over many samples amounts to, once its errors on the labelled ones are known.

use super::item::Item;
use super::measure::{Figure, Method};
use super::report::{Calibration, Clusters, Coverage, Options, Standing};
use crate::judge::Form;
use hanok_stats::corrected::{prediction_powered, rogan_gladen};
use hanok_stats::interval::{clustered_mean, mean_interval, wilson};
use hanok_stats::resample::cluster_bootstrap;
use hanok_stats::{Detection, mean};
use serde::{Deserialize, Serialize};

/// What the judge said of a sample that nobody labelled.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Judged {
    /// The level; `None` where it gave no verdict.
    pub level: Option<usize>,
    /// What the sample belongs to, where samples are not independent.
    pub cluster: Option<String>,
}

/// A rate, or a mean of levels as numbers, as judged and corrected.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Corrected {
    /// Samples that were judged, and what became of it.
    pub coverage: Coverage,
    /// Labelled samples that it is corrected by.
    pub labelled: usize,
    /// What the judge says.
    pub as_judged: Option<Figure>,
    /// What people said of the labelled samples alone.
    pub labels: Option<Figure>,
    /// Rogan and Gladen's estimate (1978), of a binary judge, with the interval of Lang and Reiczigel (2014).
    pub rogan_gladen: Option<Figure>,
    /// Prediction-powered inference (PPI++, Angelopoulos, Duchi and Zrnic 2023): what the gate reads.
    pub prediction_powered: Option<Figure>,
    /// Why nothing is corrected, where nothing is.
    pub refused: Option<String>,
    /// Whether intervals are those of whole clusters, drawn again.
    pub clustered: bool,
}

/// Corrects what a judge said of `judged` by the `items` that people labelled, too, of which `report` was made. Samples
/// without a verdict count for nothing but the coverage.
pub fn correct(report: &Calibration, items: &[Item], judged: &[Judged]) -> Corrected {
    let scale = &report.scale;
    let mut clusters = Clusters::default();
    let mut rows = Rows::default();
    let mut labelled = Vec::new();
    for item in items {
        if let (Some(truth), Some(said)) = (item.truth(), item.judge.level()) {
            rows.clusters.push(clusters.of(item.cluster.as_deref()));
            labelled.push((truth, said));
        }
    }
    let mut others = Vec::new();
    for sample in judged {
        if let Some(level) = sample.level {
            rows.clusters.push(clusters.of(sample.cluster.as_deref()));
            others.push(level);
        }
    }
    let number = |level: usize| match scale.form {
        Form::Binary => f64::from(u8::from(level > 0)),
        _ => scale.number(level),
    };
    rows.labels = labelled.iter().map(|(truth, _)| number(*truth)).collect();
    rows.checked = labelled.iter().map(|(_, said)| number(*said)).collect();
    rows.judged = others.iter().map(|level| number(*level)).collect();
    rows.is_binary = scale.form == Form::Binary;
    rows.clustered = {
        let mut seen = rows.clusters.clone();
        seen.sort_unstable();
        seen.windows(2).any(|pair| matches!(pair, [a, b] if a == b))
    };
    let mut corrected = Corrected {
        coverage: Coverage {
            asked: judged.len(),
            verdicts: others.len(),
            failed: judged.len() - others.len(),
            ..Coverage::default()
        },
        labelled: labelled.len(),
        as_judged: rows.plain(&rows.judged, rows.labels.len(), report.options),
        labels: rows.plain(&rows.labels, 0, report.options),
        clustered: rows.clustered,
        ..Corrected::default()
    };
    corrected.refused = match &report.standing {
        Standing::BetterThanChance => None,
        Standing::NoBetterThanChance(why) | Standing::Unknown(why) => Some(why.clone()),
    };
    if corrected.refused.is_some() {
        return corrected;
    }
    let detection = report.detection();
    let (by_shares, by_predictions) = if rows.clustered {
        (rows.shares_by_clusters(report.options), rows.predictions_by_clusters(report.options))
    } else {
        (rows.shares(detection, report.options), rows.predictions(report.options))
    };
    match by_predictions {
        Ok(figure) => corrected.prediction_powered = Some(figure),
        Err(why) => corrected.refused = Some(why),
    }
    if rows.is_binary {
        match by_shares {
            Ok(figure) => corrected.rogan_gladen = Some(figure),
            Err(why) => corrected.refused = Some(why),
        }
    }
    corrected
}

/// Numbers of the labelled samples, then of the others.
#[derive(Default)]
struct Rows {
    labels: Vec<f64>,
    checked: Vec<f64>,
    judged: Vec<f64>,
    /// Of the labelled samples, then of the others.
    clusters: Vec<usize>,
    clustered: bool,
    is_binary: bool,
}

impl Rows {
    /// A mean of some of them as it is; `from` is where their clusters begin.
    fn plain(&self, values: &[f64], from: usize, options: Options) -> Option<Figure> {
        if self.clustered {
            let clusters = self.clusters.get(from..from + values.len())?;
            return clustered_mean(values, clusters, options.confidence)
                .map(|estimate| self.bounded(Figure::of(estimate, Method::Estimate)));
        }
        if self.is_binary {
            let yes = values.iter().filter(|value| **value > 0.5).count();
            return wilson(yes, values.len(), options.confidence)
                .map(|estimate| Figure::of(estimate, Method::Wilson));
        }
        mean_interval(values, options.confidence).map(|estimate| Figure::of(estimate, Method::Estimate))
    }

    fn shares(&self, detection: Detection, options: Options) -> Result<Figure, String> {
        let yes = self.judged.iter().filter(|value| **value > 0.5).count();
        rogan_gladen(yes, self.judged.len(), detection, options.confidence)
            .map(|estimate| Figure::of(estimate, Method::Estimate))
            .map_err(|why| why.to_string())
    }

    fn predictions(&self, options: Options) -> Result<Figure, String> {
        prediction_powered(&self.labels, &self.checked, &self.judged, options.confidence)
            .map(|estimate| self.bounded(Figure::of(estimate, Method::Estimate)))
            .map_err(|why| why.to_string())
    }

    /// A share is within 0 and 1.
    fn bounded(&self, figure: Figure) -> Figure {
        if !self.is_binary {
            return figure;
        }
        let bound = |value: f64| value.clamp(0.0, 1.0);
        Figure { value: bound(figure.value), low: bound(figure.low), high: bound(figure.high), ..figure }
    }

    /// The rows drawn, by their numbers.
    fn drawn(&self, drawn: &[usize]) -> (Vec<f64>, Vec<f64>, Vec<f64>) {
        let (mut labels, mut checked, mut judged) = (Vec::new(), Vec::new(), Vec::new());
        for at in drawn {
            match (self.labels.get(*at), self.checked.get(*at)) {
                (Some(label), Some(said)) => {
                    labels.push(*label);
                    checked.push(*said);
                }
                _ => judged.extend(self.judged.get(at - self.labels.len())),
            }
        }
        (labels, checked, judged)
    }

    fn by_clusters(
        &self,
        options: Options,
        statistic: impl Fn(&[usize]) -> Option<f64>,
    ) -> Result<Figure, String> {
        cluster_bootstrap(&self.clusters, options.rounds, options.seed, options.confidence, statistic)
            .map(|estimate| self.bounded(Figure::of(estimate, Method::Bootstrap)))
            .ok_or_else(|| "there are too few samples".to_owned())
    }

    fn predictions_by_clusters(&self, options: Options) -> Result<Figure, String> {
        self.by_clusters(options, |drawn| {
            let (labels, checked, judged) = self.drawn(drawn);
            prediction_powered(&labels, &checked, &judged, options.confidence)
                .ok()
                .map(|estimate| estimate.value)
        })
    }

    /// Rogan and Gladen's estimate of each draw; draws in which the judge tells nothing are left out.
    fn shares_by_clusters(&self, options: Options) -> Result<Figure, String> {
        self.by_clusters(options, |drawn| {
            let (labels, checked, judged) = self.drawn(drawn);
            let told = |wanted: bool| {
                let said: Vec<f64> = labels
                    .iter()
                    .zip(&checked)
                    .filter(|(label, _)| (**label > 0.5) == wanted)
                    .map(|(_, said)| *said)
                    .collect();
                mean(&said)
            };
            let (sensitivity, false_alarms) = (told(true)?, told(false)?);
            let youden = sensitivity - false_alarms;
            (youden > 0.0).then_some(((mean(&judged)? - false_alarms) / youden).clamp(0.0, 1.0))
        })
    }
}
