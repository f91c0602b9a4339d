//! Scores as pages write and draw them: shares in per cent, differences in points, intervals on a line.

use super::format;
use super::reasons;
use super::text::{Lang, fill};
use super::text_evals::EvalTexts;
use hanok_base::ScoreValue;
use hanok_eval::report::Interval;
use hanok_eval::score::KeptScore;
use maud::{Markup, html};

/// A mean: a share in per cent, another number with the digits it has.
pub(super) fn mean(value: f64, is_share: bool) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    if is_share { format!("{:.1} %", value * 100.0) } else { number(value) }
}

/// A number of any size with about four digits.
pub(super) fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let digits = match value.abs() {
        size if size >= 100.0 => 1,
        size if size >= 10.0 => 2,
        size if size >= 0.01 || size == 0.0 => 3,
        _ => 5,
    };
    let text = format!("{value:.digits$}");
    let is_whole = text.split_once('.').is_some_and(|(_, rest)| rest.bytes().all(|digit| digit == b'0'));
    let text = if is_whole { text.split('.').next().unwrap_or_default() } else { &text };
    if text == "-0" { "0".to_owned() } else { text.replace('-', "−") }
}

/// A difference with its sign, in points where it is one of shares.
pub(super) fn difference(value: f64, is_share: bool) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let size = value.abs();
    let text = if is_share { format!("{:.1}", size * 100.0) } else { number(size) };
    let is_zero = text.chars().all(|c| matches!(c, '0' | '.'));
    let sign = if is_zero {
        ""
    } else if value < 0.0 {
        "−"
    } else {
        "+"
    };
    format!("{sign}{text}")
}

/// A p value: `0.034`, `<0.001`.
pub(super) fn p_value(p: f64) -> String {
    match p {
        _ if !p.is_finite() => "–".to_owned(),
        _ if p < 0.001 => "<0.001".to_owned(),
        _ if p < 0.1 => format!("{p:.3}"),
        _ => format!("{:.2}", p.min(1.0)),
    }
}

/// A confidence in per cent.
pub(super) fn percent(confidence: f64) -> String {
    format::measure(confidence * 100.0)
}

/// `77.9 % to 83.8 %`.
pub(super) fn interval(e: &EvalTexts, of: &Interval, is_share: bool) -> String {
    fill(e.from_to, &[("low", &mean(of.low, is_share)), ("high", &mean(of.high, is_share))])
}

/// What B did.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    Better,
    Worse,
    Unclear,
}

impl Reading {
    /// What a difference shows at a confidence: something only where neither the interval nor the adjusted p value
    /// allows chance.
    pub(super) fn of(
        difference: Option<Interval>,
        p: Option<f64>,
        confidence: f64,
        less_is_better: bool,
    ) -> Self {
        let (Some(found), Some(p)) = (difference, p) else { return Self::Unclear };
        let shown = p < 1.0 - confidence;
        match (found.low > 0.0, found.high < 0.0) {
            (true, _) if shown && !less_is_better => Self::Better,
            (_, true) if shown && less_is_better => Self::Better,
            (true, _) | (_, true) if shown => Self::Worse,
            _ => Self::Unclear,
        }
    }

    fn class(self) -> &'static str {
        match self {
            Self::Better => "good",
            Self::Worse => "bad",
            Self::Unclear => "open",
        }
    }

    /// As a badge.
    pub(super) fn badge(self, e: &EvalTexts) -> Markup {
        match self {
            Self::Better => html! { span.badge.b-ok { (e.better) } },
            Self::Worse => html! { span.badge.b-err { (e.worse) } },
            Self::Unclear => html! { span.badge { (e.unclear) } },
        }
    }
}

/// A difference with its interval on a line whose middle is none; `reach` is where the line ends.
pub(super) fn effect_line(of: &Interval, reach: f64, reading: Reading, label: &str) -> Markup {
    let place = |value: f64| {
        let share = if reach > 0.0 { value / reach } else { 0.0 };
        format::percent(0.5 + 0.46 * share.clamp(-1.0, 1.0))
    };
    line([of.low, of.value, of.high].map(place), "50%", reading.class(), label)
}

/// A share with its interval on a line from 0 to 1.
pub(super) fn share_line(of: &Interval, label: &str) -> Markup {
    let place = |value: f64| format::percent(0.02 + 0.96 * value.clamp(0.0, 1.0));
    line([of.low, of.value, of.high].map(place), "2%", "open", label)
}

fn line([low, value, high]: [String; 3], zero: &str, class: &str, label: &str) -> Markup {
    html! {
        svg.chart width="100%" height="22" role="img" aria-label=(label) {
            line.zero x1=(zero) x2=(zero) y1="0" y2="22" {}
            line.ci.(class) x1=(low) x2=(high) y1="11" y2="11" {}
            line.ci.(class) x1=(low) x2=(low) y1="7" y2="15" {}
            line.ci.(class) x1=(high) x2=(high) y1="7" y2="15" {}
            circle.ci-dot.(class) cx=(value) cy="11" r="4" {}
        }
    }
}

/// One score of one answer as a badge.
pub(super) fn score_badge(e: &EvalTexts, score: &KeptScore) -> Markup {
    let lacking = [
        (score.refused.is_some(), e.score_refused),
        (score.unparsed.is_some(), e.score_unparsed),
        (score.skipped.is_some(), e.score_skipped),
        (true, e.score_failed),
    ];
    match &score.value {
        Some(ScoreValue::Truth(true)) => html! { span.badge.b-ok { (e.yes) } },
        Some(ScoreValue::Truth(false)) => html! { span.badge.b-err { (e.no) } },
        Some(ScoreValue::Number(value)) => html! { span.badge { (number(*value)) } },
        Some(ScoreValue::Label(label)) => html! { span.badge { (format::cut(label, 40)) } },
        None => {
            let word = lacking.into_iter().find(|(is, _)| *is).map_or(e.score_failed, |(_, word)| word);
            html! { span.badge.b-warn { (word) } }
        }
    }
}

/// Why a score is as it is.
pub(super) fn why(lang: Lang, score: &KeptScore) -> String {
    let said = [&score.refused, &score.unparsed, &score.skipped, &score.failed];
    let lacking = said.into_iter().flatten().next().map(String::as_str).unwrap_or_default();
    let said = [lacking, score.why.as_str()].into_iter().filter(|text| !text.is_empty());
    said.map(|reason| reasons::said(lang, reason)).collect::<Vec<_>>().join(" · ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_alike() {
        let check = |got: String, want: &str| assert_eq!(got, want);
        check(mean(0.779, true), "77.9 %");
        check(mean(2.61, false), "2.610");
        check(number(3.0), "3");
        check(number(0.0), "0");
        check(number(-0.0), "0");
        check(number(-1234.56), "−1234.6");
        check(number(0.002_12), "0.00212");
        check(number(f64::NAN), "–");
        check(difference(0.058, true), "+5.8");
        check(difference(-0.046, true), "−4.6");
        check(difference(0.000_1, true), "0.0");
        check(difference(-0.73, false), "−0.730");
        check(difference(f64::INFINITY, false), "–");
        check(p_value(0.0004), "<0.001");
        check(p_value(0.034), "0.034");
        check(p_value(1.0), "1.00");
    }

    #[test]
    fn only_what_chance_does_not_explain_is_read() {
        let at = |low, high| Some(Interval { value: f64::midpoint(low, high), low, high, n: 9 });
        let check = |difference, p, less, want: Reading| {
            assert!(Reading::of(difference, p, 0.95, less) == want);
        };
        check(at(0.01, 0.1), Some(0.03), false, Reading::Better);
        check(at(0.01, 0.1), Some(0.03), true, Reading::Worse);
        check(at(-0.1, -0.01), Some(0.03), false, Reading::Worse);
        check(at(-0.1, -0.01), Some(0.03), true, Reading::Better);
        check(at(0.01, 0.1), Some(0.06), false, Reading::Unclear);
        check(at(-0.01, 0.1), Some(0.03), false, Reading::Unclear);
        check(None, Some(0.01), false, Reading::Unclear);
        check(at(0.01, 0.1), None, false, Reading::Unclear);
    }
}
