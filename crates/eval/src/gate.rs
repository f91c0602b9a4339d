//! What must hold for a change to pass, and whether it does.
//!
//! A check passes only where it is shown at the gate's confidence: with the interval, not with the mean. Where the
//! interval allows both, the check is undecided, and by default that is no pass.

use crate::calibration::Figure;
use crate::report::{Comparison, Report};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// `[gate]`
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Gate {
    /// What it is compared with: `last` (the last finished experiment of this eval), or an experiment's number.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub baseline: Option<Value>,
    /// Confidence of intervals; 0.95 where it is not given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub confidence: Option<f64>,
    /// What an undecided check is: `fail` (the default) or `pass`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub undecided: Option<Undecided>,
    /// How p values over several scorers are adjusted: `holm` (the default) or `bh`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub adjust: Option<Adjust>,
    /// What must hold, each.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<Check>,
}

/// What an undecided check is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Undecided {
    /// No pass.
    #[default]
    Fail,
    /// A pass.
    Pass,
}

/// How p values are adjusted for their number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Adjust {
    /// Holm 1979: the probability of any false alarm.
    #[default]
    Holm,
    /// Benjamini and Hochberg 1995: the share of false ones among the alarms.
    Bh,
}

/// `[[gate.checks]]`: one thing that must hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Check {
    /// The score it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<String>,
    /// Not worse than the baseline by more than this (0.02 is two points of a share).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub not_worse_by: Option<f64>,
    /// Better than the baseline by at least this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub better_by: Option<f64>,
    /// At least this, at the interval's lower end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_least: Option<f64>,
    /// At most this, at the interval's upper end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at_most: Option<f64>,
    /// Of a judge's score: `at_least` and `at_most` are about its rate with the judge's errors taken out, by what
    /// people's labels say of it (`hanok judge check`). Undecided where nothing does.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub corrected: bool,
    /// At least this share of samples has a value of the score.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub coverage: Option<f64>,
    /// Less of the score is better: turns `not_worse_by` and `better_by` round.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub less_is_better: bool,
    /// Seconds within which half of the answers came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_p50: Option<f64>,
    /// Seconds within which 95 of 100 answers came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub latency_p95: Option<f64>,
    /// US dollars an answer may cost on average.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cost_per_answer: Option<f64>,
    /// The share of tries without an output that is borne.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failures: Option<f64>,
}

/// Rates of judges with their errors taken out, by the score's name; why not, where there is none.
pub type Corrections = BTreeMap<String, Result<Figure, String>>;

/// What became of a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It holds.
    Passed,
    /// It does not.
    Failed,
    /// There is too little data to say.
    Undecided,
}

/// A check that was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Checked {
    /// What had to hold, in words.
    pub check: String,
    /// Whether it does.
    pub outcome: Outcome,
    /// By which numbers, in words.
    pub because: String,
}

/// What a gate says.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct GateReport {
    /// Whether it lets pass.
    pub passed: bool,
    /// Its checks.
    pub checks: Vec<Checked>,
}

impl Gate {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether less of a score is better: a check of it says so.
    pub fn is_less_better(&self, score: &str) -> bool {
        self.checks.iter().any(|check| check.less_is_better && check.score.as_deref() == Some(score))
    }

    /// Confidence of intervals.
    pub fn confidence(&self) -> f64 {
        self.confidence.unwrap_or(0.95)
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        if !(0.5..1.0).contains(&self.confidence()) {
            return Err("gate.confidence must be at least 0.5 and less than 1".to_owned());
        }
        for (number, check) in self.checks.iter().enumerate() {
            let at = format!("gate.checks: number {}", number + 1);
            let of_score =
                [check.not_worse_by, check.better_by, check.at_least, check.at_most, check.coverage];
            let of_all = [check.latency_p50, check.latency_p95, check.cost_per_answer, check.failures];
            let asked = of_score.iter().chain(&of_all).flatten().count();
            if check.corrected && check.at_least.or(check.at_most).is_none() {
                return Err(format!("{at}: `corrected` is for `at_least` and `at_most`"));
            }
            if of_score.iter().any(Option::is_some) && check.score.is_none() {
                return Err(format!("{at} must name its `score`"));
            }
            if asked == 0 {
                return Err(format!(
                    "{at} asks for nothing: give `at_least`, `not_worse_by`, `latency_p95`, …"
                ));
            }
            if of_score.iter().chain(&of_all).flatten().any(|bound| !bound.is_finite()) {
                return Err(format!("{at}: bounds are numbers"));
            }
        }
        Ok(())
    }

    /// Checks a report, and what it is beside its baseline.
    pub fn judge(
        &self,
        report: &Report,
        baseline: Option<&Comparison>,
        corrections: &Corrections,
    ) -> GateReport {
        let one = |check| self.judge_one(check, report, baseline, corrections);
        let checks: Vec<Checked> = self.checks.iter().flat_map(one).collect();
        let undecided_passes = self.undecided.unwrap_or_default() == Undecided::Pass;
        let passed = checks.iter().all(|checked| match checked.outcome {
            Outcome::Passed => true,
            Outcome::Failed => false,
            Outcome::Undecided => undecided_passes,
        });
        GateReport { passed, checks }
    }

    fn judge_one(
        &self,
        check: &Check,
        report: &Report,
        baseline: Option<&Comparison>,
        corrections: &Corrections,
    ) -> Vec<Checked> {
        let mut checked = Vec::new();
        let mut say = |check: String, (outcome, because): (Outcome, String)| {
            checked.push(Checked { check, outcome, because });
        };
        if let Some(name) = &check.score {
            let corrected = check.corrected.then(|| corrections.get(name)).flatten();
            self.judge_score(name, check, (report, corrected), baseline, &mut say);
        }
        let within = |found: Option<f64>, most: f64, unit: &str| match found {
            None => (Outcome::Undecided, "nothing was measured".to_owned()),
            Some(found) if found <= most => (Outcome::Passed, format!("it is {found:.4}{unit}")),
            Some(found) => (Outcome::Failed, format!("it is {found:.4}{unit}")),
        };
        let plain = [
            (check.latency_p50, report.latency.map(|latency| latency.p50), "median latency", " s"),
            (
                check.latency_p95,
                report.latency.map(|latency| latency.p95),
                "95th percentile of latency",
                " s",
            ),
            (check.cost_per_answer, report.cost_per_answer, "cost of an answer", " $"),
            (check.failures, report.failure_rate(), "share of failures", ""),
        ];
        for (most, found, what, unit) in plain {
            if let Some(most) = most {
                say(format!("{what} at most {most}{unit}"), within(found, most, unit));
            }
        }
        checked
    }

    fn judge_score(
        &self,
        name: &str,
        check: &Check,
        (report, corrected): (&Report, Option<&Result<Figure, String>>),
        baseline: Option<&Comparison>,
        say: &mut impl FnMut(String, (Outcome, String)),
    ) {
        let score = report.scores.iter().find(|score| score.name == name);
        let estimate = score.and_then(|score| score.estimate).map(|found| (found.low, found.high));
        let percent = self.confidence() * 100.0;
        let none = || format!("no sample has a number of `{name}`");
        let interval = match (check.corrected, corrected) {
            (false, _) => estimate.ok_or_else(none),
            (true, Some(Ok(figure))) => Ok((figure.low, figure.high)),
            (true, Some(Err(why))) => Err(why.clone()),
            (true, None) => Err(format!("`{name}` is no judge's score, and cannot be corrected")),
        };
        let what = if check.corrected { "corrected, " } else { "" };
        let mut bounded = |check: String, decide_by: &dyn Fn(f64, f64) -> Outcome| {
            let decided = match &interval {
                Ok((low, high)) => {
                    (decide_by(*low, *high), format!("{what}{percent} % from {low:.4} to {high:.4}"))
                }
                Err(why) => (Outcome::Undecided, why.clone()),
            };
            say(check, decided);
        };
        if let Some(bound) = check.at_least {
            bounded(format!("{name} at least {bound}"), &|low, high| decide(low >= bound, high < bound));
        }
        if let Some(bound) = check.at_most {
            bounded(format!("{name} at most {bound}"), &|low, high| decide(high <= bound, low > bound));
        }
        if let Some(bound) = check.coverage {
            let covered = score.map_or(0.0, super::report::ScoreReport::coverage);
            let outcome = if covered >= bound { Outcome::Passed } else { Outcome::Failed };
            say(format!("coverage of {name} at least {bound}"), (outcome, format!("it is {covered:.4}")));
        }
        let difference = baseline.map(|baseline| {
            let compared = baseline.scores.iter().find(|compared| compared.name == name);
            compared.and_then(|compared| compared.difference).map(|found| {
                if check.less_is_better { (-found.high, -found.low) } else { (found.low, found.high) }
            })
        });
        let beside = |least: f64| match difference {
            None => (Outcome::Undecided, "there is no baseline".to_owned()),
            Some(None) => (Outcome::Undecided, format!("too few samples have `{name}` in both")),
            Some(Some((low, high))) => (
                decide(low >= least, high < least),
                format!("{percent} % of the difference from {low:+.4} to {high:+.4}"),
            ),
        };
        if let Some(margin) = check.not_worse_by {
            say(format!("{name} not worse than the baseline by more than {margin}"), beside(-margin.abs()));
        }
        if let Some(margin) = check.better_by {
            say(format!("{name} better than the baseline by at least {margin}"), beside(margin.abs()));
        }
    }
}

fn decide(shown: bool, refuted: bool) -> Outcome {
    match (shown, refuted) {
        (true, _) => Outcome::Passed,
        (false, true) => Outcome::Failed,
        (false, false) => Outcome::Undecided,
    }
}
