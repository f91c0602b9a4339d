//! What a gate asked for and by which numbers it decided, in the page's language.

use super::effects;
use super::format;
use super::reasons;
use super::text::{Lang, fill};
use super::text_evals::EvalTexts;
use hanok_eval::gate::{Check, Checked, Gate, GateReport, Outcome};
use hanok_eval::report::{Comparison, Interval, Report, ScoreKind, ScoreReport};

/// A check in words: what had to hold, and by which numbers it does or does not.
pub(super) struct Said {
    pub(super) check: String,
    pub(super) because: String,
    pub(super) outcome: Outcome,
}

/// One thing that a check asks for.
#[derive(Clone, Copy)]
enum Wish {
    AtLeast(f64),
    AtMost(f64),
    Coverage(f64),
    NotWorse(f64),
    Better(f64),
    Median(f64),
    Most(f64),
    Cost(f64),
    Failures(f64),
}

/// What each of a gate's results is about: the order is that in which a gate makes them.
fn wishes(gate: &Gate) -> Vec<(&Check, Wish)> {
    let of = |check: &Check| {
        let of_score = [
            check.at_least.map(Wish::AtLeast),
            check.at_most.map(Wish::AtMost),
            check.coverage.map(Wish::Coverage),
            check.not_worse_by.map(Wish::NotWorse),
            check.better_by.map(Wish::Better),
        ];
        let of_all = [
            check.latency_p50.map(Wish::Median),
            check.latency_p95.map(Wish::Most),
            check.cost_per_answer.map(Wish::Cost),
            check.failures.map(Wish::Failures),
        ];
        let of_score = if check.score.is_some() { of_score } else { [None; 5] };
        of_score.into_iter().chain(of_all).flatten().collect::<Vec<_>>()
    };
    gate.checks.iter().flat_map(|check| of(check).into_iter().map(move |wish| (check, wish))).collect()
}

/// What a gate said; in its own words where what it asked for is not known.
pub(super) fn said(
    lang: Lang,
    gate: &GateReport,
    asked: Option<&Gate>,
    report: &Report,
    against: Option<&Comparison>,
) -> Vec<Said> {
    let kept = |checked: &Checked| reasons::said(lang, &checked.because).into_owned();
    let own = |checked: &Checked| Said {
        check: checked.check.clone(),
        because: kept(checked),
        outcome: checked.outcome,
    };
    let known = asked.map(|asked| (asked.confidence(), wishes(asked)));
    let Some((confidence, wishes)) = known.filter(|(_, wishes)| wishes.len() == gate.checks.len()) else {
        return gate.checks.iter().map(own).collect();
    };
    let words = Words { e: &lang.texts().evals, report, against, confidence };
    let each = gate.checks.iter().zip(wishes);
    each.map(|(checked, (check, wish))| {
        let because = words.because(check, wish).unwrap_or_else(|| kept(checked));
        Said { check: words.check(check, wish), because, outcome: checked.outcome }
    })
    .collect()
}

struct Words<'a> {
    e: &'a EvalTexts,
    report: &'a Report,
    against: Option<&'a Comparison>,
    confidence: f64,
}

impl Words<'_> {
    fn is_share(&self, check: &Check) -> bool {
        let known = self.report.scores.iter().find(|score| Some(&score.name) == check.score.as_ref());
        known.is_some_and(|score| score.kind == ScoreKind::Truth)
    }

    fn check(&self, check: &Check, wish: Wish) -> String {
        let e = self.e;
        let is_share = self.is_share(check);
        let points = |bound: f64| {
            let size = effects::difference(bound.abs(), is_share).replace('+', "");
            if is_share { fill(e.in_points, &[("n", &size)]) } else { size }
        };
        let (text, bound) = match wish {
            Wish::AtLeast(bound) => (e.g_at_least, effects::mean(bound, is_share)),
            Wish::AtMost(bound) => (e.g_at_most, effects::mean(bound, is_share)),
            Wish::Coverage(bound) => (e.g_coverage, format::portion(bound)),
            Wish::NotWorse(bound) => (e.g_not_worse, points(bound)),
            Wish::Better(bound) => (e.g_better, points(bound)),
            Wish::Median(bound) => (e.g_median, format::duration(bound * 1e3)),
            Wish::Most(bound) => (e.g_most, format::duration(bound * 1e3)),
            Wish::Cost(bound) => (e.g_cost, format::price(bound)),
            Wish::Failures(bound) => (e.g_failures, format::portion(bound)),
        };
        let score = check.score.as_deref().unwrap_or_default();
        let said = fill(text, &[("score", score), ("bound", &bound)]);
        if check.corrected && matches!(wish, Wish::AtLeast(_) | Wish::AtMost(_)) {
            format!("{said} ({})", e.g_corrected)
        } else {
            said
        }
    }

    /// By which numbers; `None` where these are kept in words only, as those of corrected rates are.
    fn because(&self, check: &Check, wish: Wish) -> Option<String> {
        let e = self.e;
        let is_share = self.is_share(check);
        let score = self.report.scores.iter().find(|score| Some(&score.name) == check.score.as_ref());
        let interval = |low: String, high: String| {
            let percent = effects::percent(self.confidence);
            fill(e.g_interval, &[("percent", &percent), ("low", &low), ("high", &high)])
        };
        let measured = |value: Option<String>| match value {
            Some(value) => fill(e.g_is, &[("value", &value)]),
            None => e.g_nothing.to_owned(),
        };
        let latency = self.report.latency;
        Some(match wish {
            Wish::AtLeast(_) | Wish::AtMost(_) if check.corrected => return None,
            Wish::AtLeast(_) | Wish::AtMost(_) => match score.and_then(|score| score.estimate) {
                Some(Interval { low, high, .. }) => {
                    interval(effects::mean(low, is_share), effects::mean(high, is_share))
                }
                None => e.g_nothing.to_owned(),
            },
            Wish::Coverage(_) => measured(Some(format::portion(score.map_or(0.0, ScoreReport::coverage)))),
            Wish::NotWorse(_) | Wish::Better(_) => {
                let Some(against) = self.against else { return Some(e.g_no_baseline.to_owned()) };
                let compared =
                    against.scores.iter().find(|compared| Some(&compared.name) == check.score.as_ref());
                match compared.and_then(|compared| compared.difference) {
                    None => e.g_too_few.to_owned(),
                    Some(Interval { low, high, .. }) => {
                        let range =
                            interval(effects::difference(low, is_share), effects::difference(high, is_share));
                        fill(e.g_difference, &[("interval", &range)])
                    }
                }
            }
            Wish::Median(_) => measured(latency.map(|latency| format::duration(latency.p50 * 1e3))),
            Wish::Most(_) => measured(latency.map(|latency| format::duration(latency.p95 * 1e3))),
            Wish::Cost(_) => measured(self.report.cost_per_answer.map(format::dollars)),
            Wish::Failures(_) => measured(self.report.failure_rate().map(format::portion)),
        })
    }
}
