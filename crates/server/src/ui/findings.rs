//! What was found out about a judge, in sentences: what makes it useless first.

use super::effects;
use super::format;
use super::text::{Lang, fill};
use super::text_judges::JudgeTexts;
use hanok_eval::calibration::{Calibration, Standing, Tendency};
use hanok_eval::judge::Form;
use hanok_eval::lab::Report;
use hanok_eval::probe::{Kind, Probe, State};

/// How far a judge can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Grade {
    /// It tells nothing, or what leads it astray has nothing to do with the answer.
    Bad,
    /// Only with its errors taken out, or with an eye on what sways it.
    Doubtful,
    /// Too little is known.
    Unknown,
    /// It holds up.
    Good,
}

impl Grade {
    pub(super) fn class(self) -> &'static str {
        match self {
            Self::Bad => "b-err",
            Self::Doubtful => "b-warn",
            Self::Good => "b-ok",
            Self::Unknown => "",
        }
    }

    pub(super) fn word(self, j: &JudgeTexts) -> &'static str {
        match self {
            Self::Bad => j.bad,
            Self::Doubtful => j.doubtful,
            Self::Good => j.good,
            Self::Unknown => j.unknown,
        }
    }
}

/// A sentence and what it means for the judge.
#[derive(Clone, Debug)]
pub(super) struct Finding {
    pub(super) grade: Grade,
    pub(super) text: String,
}

/// The findings of a report as plain sentences, the worst first.
pub fn judge_findings(lang: Lang, report: &Report) -> Vec<String> {
    of(&lang.texts().judges, report).into_iter().map(|finding| finding.text).collect()
}

/// The findings of a report, the worst first; at least one.
pub(super) fn of(j: &JudgeTexts, report: &Report) -> Vec<Finding> {
    let found = &report.calibration;
    let mut all = vec![tendency(j, found)];
    all.extend(report.probes.iter().filter_map(|probe| astray(j, probe)));
    let missing = found.coverage.asked.saturating_sub(found.coverage.verdicts);
    if missing * 20 > found.coverage.asked {
        let (n, of) = (number(missing), number(found.coverage.asked));
        all.push(Finding { grade: Grade::Doubtful, text: fill(j.silent, &[("n", &n), ("of", &of)]) });
    }
    // What is unknown of agreement does not hide what is known of probes.
    all.sort_by_key(|finding| finding.grade);
    all
}

fn number(n: usize) -> String {
    format::count(n as u64)
}

fn tendency(j: &JudgeTexts, found: &Calibration) -> Finding {
    let detection = found.detection();
    let counted = |text: &str, hits: u64, n: u64| {
        fill(text, &[("hits", &format::count(hits)), ("n", &format::count(n))])
    };
    let is_binary = found.scale.form == Form::Binary;
    // A judge that says the same of everything tells nothing, whatever people say.
    let (grade, text) = match (&found.tendency, &found.standing) {
        (Tendency::Constant(label), _) => (Grade::Bad, fill(j.constant, &[("label", label)])),
        (_, Standing::Unknown(_)) => (Grade::Unknown, unknown(j, found)),
        (Tendency::Chance, _) | (_, Standing::NoBetterThanChance(_)) => (Grade::Bad, j.chance.to_owned()),
        (Tendency::Lenient, _) if is_binary => {
            let n = detection.false_alarms + detection.rejections;
            (Grade::Doubtful, counted(j.lenient, detection.false_alarms, n))
        }
        (Tendency::Strict, _) if is_binary => {
            (Grade::Doubtful, counted(j.strict, detection.misses, detection.misses + detection.hits))
        }
        (Tendency::Lenient, _) => (Grade::Doubtful, j.lenient_mean.to_owned()),
        (Tendency::Strict, _) => (Grade::Doubtful, j.strict_mean.to_owned()),
        (Tendency::Even, _) if found.lenient_count + found.strict_count == 0 => {
            let n: u64 = found.confusion.iter().flatten().sum();
            (Grade::Good, fill(j.flawless, &[("n", &format::count(n))]))
        }
        (Tendency::Even, _) => {
            let share = agreement(found).map_or_else(|| "–".to_owned(), format::portion);
            (Grade::Good, fill(j.even, &[("share", &share)]))
        }
        (Tendency::Unknown, _) => (Grade::Unknown, j.too_little.to_owned()),
    };
    Finding { grade, text }
}

pub(super) fn agreement(found: &Calibration) -> Option<f64> {
    found.measure("agreement")?.judge.map(|figure| figure.value)
}

fn unknown(j: &JudgeTexts, found: &Calibration) -> String {
    let kinds = found.confusion.iter().filter(|row| row.iter().sum::<u64>() > 0).count();
    let n: u64 = found.confusion.iter().flatten().sum();
    match (n, kinds) {
        (0 | 1, _) => j.too_few.to_owned(),
        (_, 0 | 1) => fill(j.one_kind, &[("label", &found.commonest)]),
        _ => j.too_little.to_owned(),
    }
}

/// What leads it astray; of what only wants watching nothing is said here.
fn astray(j: &JudgeTexts, probe: &Probe) -> Option<Finding> {
    let often = probe.rate.is_some_and(|rate| rate.value > 0.15);
    let (grade, text) = match probe.kind {
        Kind::Order => (Grade::Bad, j.flips),
        Kind::Injection if often => (Grade::Bad, j.obeys),
        Kind::Injection => (Grade::Doubtful, j.obeys),
        Kind::Rerun => (Grade::Doubtful, j.wavers),
        Kind::Length => (Grade::Doubtful, j.padded),
        Kind::Own => (Grade::Doubtful, j.partial),
    };
    (probe.state == State::Fails).then(|| {
        let points = probe.rate.map_or_else(|| "–".to_owned(), |rate| effects::difference(rate.value, true));
        let values = [("hits", number(probe.hits)), ("n", number(probe.n)), ("points", points)];
        let text = values.iter().fold(text.to_owned(), |text, (name, value)| fill(&text, &[(name, value)]));
        Finding { grade, text }
    })
}

/// What stands beside the findings: by whom, what chance reaches, what two people reach, what is left out.
pub(super) fn beside(j: &JudgeTexts, report: &Report) -> Vec<String> {
    let found = &report.calibration;
    let mut said = vec![fill(
        j.against,
        &[
            ("items", &j.items_of.of(found.labelled as u64)),
            ("people", &j.people_of.of(found.people.len() as u64)),
        ],
    )];
    if let Some((share, baseline)) =
        found.measure("agreement").and_then(|measure| Some((measure.judge?.value, measure.baseline?)))
    {
        // An agreement that saying always the same nearly reaches is no praise.
        let text = if share - baseline < 0.1 { j.high } else { j.beside };
        let (share, baseline) = (format::portion(share), format::portion(baseline));
        said.push(fill(text, &[("share", &share), ("label", &found.commonest), ("baseline", &baseline)]));
    }
    if let Some((kappa, ceiling)) =
        found.measure("kappa").and_then(|measure| Some((measure.judge?.value, measure.ceiling)))
    {
        let kappa = two(kappa);
        said.push(match ceiling {
            Some(ceiling) => fill(j.kappa_ceiling, &[("kappa", &kappa), ("ceiling", &two(ceiling))]),
            None => fill(j.kappa_alone, &[("kappa", &kappa)]),
        });
    }
    if let (Some(figure), Standing::NoBetterThanChance(_)) = (found.informedness, &found.standing) {
        let (value, low, high) = (two(figure.value), two(figure.low), two(figure.high));
        said.push(fill(j.informed, &[("value", &value), ("low", &low), ("high", &high)]));
    }
    if found.undecided > 0 {
        said.push(j.undecided.of(found.undecided as u64));
    }
    if report.probes.is_empty() {
        said.push(j.not_probed.to_owned());
    }
    said
}

/// A measure with two digits.
pub(super) fn two(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let text = format!("{value:.2}");
    if text == "-0.00" { "0.00".to_owned() } else { text.replace('-', "−") }
}
