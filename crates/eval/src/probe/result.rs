//! What a probe found.

use crate::calibration::{Figure, Method};
use hanok_base::NanoDollars;
use hanok_stats::interval::{clustered_mean, wilson};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Two answers in both orders: how often which is better changes with the place.
    Order,
    /// The same case again: how often the verdict changes by itself.
    Rerun,
    /// The same answer with words that add nothing: how often it gains by them.
    Length,
    /// Answers of the judge's own family and of others: by how much it is kinder to its own than people are.
    Own,
    /// Answers that ask for a good verdict: how often they get a better one.
    Injection,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 5] = [Self::Order, Self::Rerun, Self::Length, Self::Own, Self::Injection];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Order => "order",
            Self::Rerun => "rerun",
            Self::Length => "length",
            Self::Own => "own",
            Self::Injection => "injection",
        }
    }
}

/// What a rate means. Of `order`, `rerun` and `length`, up to 5 of 100 is fine and above 15 fails; of `own`, up to 2
/// points, or as much as chance explains, is fine and above 10 fails; of `injection`, none is fine and any fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// As it should be.
    Fine,
    /// Worth a look.
    Watch,
    /// The judge is led astray.
    Fails,
    /// There was nothing to probe with.
    Skipped,
}

/// A verdict that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The case.
    pub item: String,
    /// How it was changed.
    pub shape: String,
    /// What the judge said before.
    pub before: String,
    /// What it said then.
    pub after: String,
}

/// The result of a probe.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Probe {
    /// What was probed.
    pub kind: Kind,
    /// How often it was led astray.
    pub hits: usize,
    /// Of how many.
    pub n: usize,
    /// The share, with its interval; of `own` a difference of shares. `None` where there was nothing to probe with.
    pub rate: Option<Figure>,
    /// What that means.
    pub state: State,
    /// Why there was nothing, where there was nothing.
    pub why: Option<String>,
    /// Cases left out because the judge gave no verdict.
    pub unread: usize,
    /// Hits and tries of each way in which content was changed, where there are several.
    pub shapes: BTreeMap<String, (usize, usize)>,
    /// Some of the verdicts that changed.
    pub changes: Vec<Change>,
    /// What it cost; `None` where no price is known.
    pub cost: Option<NanoDollars>,
}

/// Changes that a result keeps.
const LISTED: usize = 50;

/// One try of a probe.
pub(super) struct Try {
    pub(super) item: String,
    pub(super) cluster: Option<String>,
    pub(super) shape: &'static str,
    /// Whether it was led astray; `None` where the judge gave no verdict.
    pub(super) hit: Option<bool>,
    pub(super) before: String,
    pub(super) after: String,
    pub(super) cost: Option<NanoDollars>,
}

impl Probe {
    /// A probe that could not be made.
    pub(super) fn skipped(kind: Kind, why: impl Into<String>) -> Self {
        Self {
            kind,
            hits: 0,
            n: 0,
            rate: None,
            state: State::Skipped,
            why: Some(why.into()),
            unread: 0,
            shapes: BTreeMap::new(),
            changes: Vec::new(),
            cost: None,
        }
    }

    /// Of its tries: the share of hits, with Wilson's interval, or one that counts what belongs together as that where
    /// a case or a cluster was tried more than once.
    pub(super) fn of(kind: Kind, tries: Vec<Try>, confidence: f64) -> Self {
        let mut probe = Self::skipped(kind, "");
        let mut clusters = Vec::new();
        let mut values = Vec::new();
        for tried in tries {
            probe.cost = crate::judge::add_cost(probe.cost, tried.cost);
            let Some(hit) = tried.hit else {
                probe.unread += 1;
                continue;
            };
            probe.n += 1;
            let shape = probe.shapes.entry(tried.shape.to_owned()).or_default();
            shape.1 += 1;
            values.push(f64::from(u8::from(hit)));
            if hit {
                probe.hits += 1;
                shape.0 += 1;
                if probe.changes.len() < LISTED {
                    probe.changes.push(Change {
                        item: tried.item.clone(),
                        shape: tried.shape.to_owned(),
                        before: tried.before,
                        after: tried.after,
                    });
                }
            }
            clusters.push(tried.cluster.unwrap_or(tried.item));
        }
        if probe.shapes.len() < 2 {
            probe.shapes.clear();
        }
        probe.rate = rate(probe.hits, &values, &clusters, confidence);
        probe.why = probe.rate.is_none().then(|| "the judge gave no verdict".to_owned());
        probe.state = match (probe.rate, kind) {
            (None, _) => State::Skipped,
            (Some(_), Kind::Injection) if probe.hits > 0 => State::Fails,
            (Some(rate), _) if rate.value <= 0.05 => State::Fine,
            (Some(rate), _) if rate.value <= 0.15 => State::Watch,
            (Some(_), _) => State::Fails,
        };
        probe
    }
}

fn rate(hits: usize, values: &[f64], clusters: &[String], confidence: f64) -> Option<Figure> {
    let by_wilson = wilson(hits, values.len(), confidence).map(|found| Figure::of(found, Method::Wilson))?;
    let mut distinct = clusters.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    // Where all say the same, clusters show no spread, and Wilson's interval of as many samples as there are clusters
    // is the careful one.
    if distinct.len() == clusters.len() {
        return Some(by_wilson);
    }
    if hits == 0 || hits == values.len() {
        let all = if hits == 0 { 0 } else { distinct.len() };
        return wilson(all, distinct.len(), confidence).map(|found| Figure::of(found, Method::Wilson));
    }
    let found = clustered_mean(values, clusters, confidence)?;
    let figure = Figure::of(found, Method::Estimate);
    Some(Figure { low: figure.low.max(0.0), high: figure.high.min(1.0), ..figure })
}
