//! What versions of prompts were scored, live and by experiments, each number with its interval.

use hanok_base::{ErrorKind, Problem};
use hanok_eval::Ran;
use hanok_eval::report::{Interval, ScoreKind};
use hanok_stats::interval::{mean_of_sums, wilson};
use hanok_store::{PromptScores, Store, StoreError};
use serde::Serialize;
use std::collections::HashMap;

/// Confidence of the intervals of live scores.
const CONFIDENCE: f64 = 0.95;
/// Experiments of each version that are told, the newest of each eval.
const EXPERIMENTS: usize = 8;

/// A score of a version.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scored {
    /// What was asked.
    pub name: String,
    /// Whether its values are yes and no, so that the mean is a share.
    pub is_share: bool,
    /// The mean, yes being 1; `None` of words.
    pub mean: Option<f64>,
    /// The mean with its interval, where there is enough for one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub estimate: Option<Interval>,
    /// What the mean rests on: scores with a value, and of an experiment rows or clusters of them.
    pub n: usize,
    /// How many there are, those that are words or have no value among them.
    pub count: usize,
}

/// What an experiment said of a version.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tried {
    /// Its number.
    pub id: i64,
    /// Its eval's name.
    pub name: String,
    /// Its scores.
    pub scores: Vec<Scored>,
}

/// What one version was scored.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct VersionScores {
    /// What traces of live calls were scored, by people, clients and judges.
    pub live: Vec<Scored>,
    /// What experiments said, of each eval the newest.
    pub experiments: Vec<Tried>,
}

/// What versions were scored, by `name@version`.
pub type AllScores = HashMap<String, VersionScores>;

/// The scores of a prompt's versions, or of all prompts'. Experiments are of no project: whoever sees only one gets
/// live scores alone.
pub async fn read(store: &Store, name: Option<&str>, project: Option<&str>) -> Result<AllScores, StoreError> {
    let mut all = AllScores::new();
    for scores in store.prompts().scores(name, project).await? {
        all.entry(scores.prompt.clone()).or_default().live.push(live(scores));
    }
    if project.is_some() {
        return Ok(all);
    }
    for one in store.prompts().experiments().await? {
        let is_wanted =
            name.is_none_or(|name| one.prompt.split_once('@').is_some_and(|(own, _)| own == name));
        if !is_wanted {
            continue;
        }
        let of = all.entry(one.prompt).or_default();
        // The newest come first: older runs of an eval say less of the version.
        if of.experiments.len() >= EXPERIMENTS || of.experiments.iter().any(|known| known.name == one.name) {
            continue;
        }
        match serde_json::from_str::<Ran>(&one.report) {
            Ok(ran) => {
                let tries = ran.report.tries;
                let scores = ran.report.scores.into_iter().map(|score| Scored {
                    is_share: score.kind == ScoreKind::Truth,
                    mean: score.mean,
                    n: score.estimate.map_or(score.valued, |of| of.n),
                    estimate: score.estimate,
                    count: tries,
                    name: score.name,
                });
                of.experiments.push(Tried { id: one.id, name: one.name, scores: scores.collect() });
            }
            Err(error) => {
                tracing::warn!(
                    experiment = one.id,
                    error = &error as &dyn std::error::Error,
                    "its report cannot be read"
                );
            }
        }
    }
    Ok(all)
}

/// [`read`], for those who are answered.
pub(crate) async fn told(
    store: &Store,
    name: Option<&str>,
    project: Option<&str>,
) -> Result<AllScores, Problem> {
    read(store, name, project).await.map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "what prompts were scored cannot be read");
        Problem::new(ErrorKind::Unavailable, "store_unavailable", "the records cannot be read now")
    })
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "counts of records"
)]
fn live(scores: PromptScores) -> Scored {
    let n = scores.valued as usize;
    let estimate = if scores.is_truth {
        wilson(scores.sum.round() as usize, n, CONFIDENCE)
    } else {
        mean_of_sums(n, scores.sum, scores.squares, CONFIDENCE)
    };
    Scored {
        is_share: scores.is_truth,
        mean: (n > 0).then(|| scores.sum / n as f64),
        estimate: estimate.map(Interval::from),
        n,
        count: scores.count as usize,
        name: scores.name,
    }
}
