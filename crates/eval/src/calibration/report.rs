//! All that is known of a judge from items that people labelled, too.

use super::item::{Item, JudgeSaid};
use super::measure::{Figure, Kind, Measure, Pairs, figure};
use crate::judge::{Form, Scale};
use hanok_stats::corrected::{Uncorrectable, informedness};
use hanok_stats::interval::difference_of_shares;
use hanok_stats::{Confusion, Detection};
use serde::{Deserialize, Serialize};
use std::collections::HashMap;

/// Disagreements of each kind that are kept.
const LISTED: usize = 200;

/// How intervals are made.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Options {
    /// The share of intervals that hold the true value.
    pub confidence: f64,
    /// Draws of the bootstrap.
    pub rounds: usize,
    /// Its seed.
    pub seed: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self { confidence: 0.95, rounds: 10_000, seed: 42 }
    }
}

/// How many of a judge's answers were verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Coverage {
    /// Items that it was asked about.
    pub asked: usize,
    /// With a verdict.
    pub verdicts: usize,
    /// Declined.
    pub refused: usize,
    /// Unreadable.
    pub unparsed: usize,
    /// Failed.
    pub failed: usize,
}

/// Whether a judge's verdicts tell anything of people's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "why")]
pub enum Standing {
    /// They are shown to.
    BetterThanChance,
    /// They are not shown to, and why not: its rates cannot be corrected.
    NoBetterThanChance(String),
    /// Too little is known.
    Unknown(String),
}

/// Which way a judge errs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state", content = "label")]
pub enum Tendency {
    /// It says the same of all items.
    Constant(String),
    /// It says what people do no more often than by chance.
    Chance,
    /// It passes what people fail more readily than it fails what they pass.
    Lenient,
    /// The other way round.
    Strict,
    /// Neither is shown.
    Even,
    /// Too little is known.
    Unknown,
}

/// An item on which judge and people differ.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disagreement {
    /// The item.
    pub item: String,
    /// The beginning of the answer.
    pub answer: String,
    /// What people say.
    pub people: String,
    /// Why they do.
    pub comment: String,
    /// What the judge says.
    pub judge: String,
    /// Why it does.
    pub reasoning: String,
}

/// What is known of a judge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// What may be said.
    pub scale: Scale,
    /// Items with labels of people.
    pub labelled: usize,
    /// Of these, those on which people differ and nothing was settled; they count for nothing.
    pub undecided: usize,
    /// People.
    pub people: Vec<String>,
    /// Items that two or more labelled on their own, on which the ceiling rests.
    pub doubly: usize,
    /// What became of the judge's answers.
    pub coverage: Coverage,
    /// Items by what people say (outer) and what the judge says (inner), worst level first.
    pub confusion: Vec<Vec<u64>>,
    /// The same counts between two people, first by the order of their names; empty where nothing is doubly labelled.
    pub between_people: Vec<Vec<u64>>,
    /// The measures of agreement.
    pub measures: Vec<Measure>,
    /// Of a binary judge, recall + specificity - 1 (Youden 1950) with Newcombe's interval: 0 is chance.
    pub informedness: Option<Figure>,
    /// What people say most often.
    pub commonest: String,
    /// Whether the judge tells anything.
    pub standing: Standing,
    /// Which way it errs.
    pub tendency: Tendency,
    /// Items that the judge finds better than people do, the furthest first.
    pub lenient: Vec<Disagreement>,
    /// How many there are of these.
    pub lenient_count: usize,
    /// Items that it finds worse.
    pub strict: Vec<Disagreement>,
    /// How many there are of these.
    pub strict_count: usize,
    /// How the intervals were made.
    pub options: Options,
}

impl Calibration {
    /// A measure by its name.
    pub fn measure(&self, name: &str) -> Option<&Measure> {
        self.measures.iter().find(|measure| measure.name == name)
    }

    /// How the judge tells the best level from the others; of a binary judge passes from fails.
    pub fn detection(&self) -> Detection {
        counted(&self.confusion).detection(self.scale.best())
    }
}

fn counted(table: &[Vec<u64>]) -> Confusion {
    let mut confusion = Confusion::new(table.len());
    for (first, row) in table.iter().enumerate() {
        for (second, times) in row.iter().enumerate() {
            confusion.add(first, second, *times);
        }
    }
    confusion
}

/// Measures a judge by these items.
pub fn calibrate(scale: &Scale, items: &[Item], options: Options) -> Calibration {
    let k = scale.labels.len();
    let labelled: Vec<&Item> =
        items.iter().filter(|item| !item.people.is_empty() || item.settled.is_some()).collect();
    let decided: Vec<(&Item, usize)> = labelled
        .iter()
        .filter_map(|item| item.truth().filter(|level| *level < k).map(|truth| (*item, truth)))
        .collect();
    let pairs = against_people(&decided);
    let between = between_people(&labelled, k);
    let confusion = Confusion::of(k, pairs.levels.iter().copied());
    let commonest = (0..k).max_by_key(|level| (confusion.of_first(*level), *level)).unwrap_or(0);
    let measures =
        Kind::of(scale).iter().map(|kind| measure(*kind, k, &pairs, &between, commonest, options)).collect();
    let detection = confusion.detection(scale.best());
    let informed = informedness(detection, options.confidence);
    let (lenient, strict) = differing(scale, &decided);
    let mut people: Vec<String> =
        labelled.iter().flat_map(|item| &item.people).map(|label| label.who.clone()).collect();
    people.sort_unstable();
    people.dedup();
    let mut report = Calibration {
        scale: scale.clone(),
        labelled: labelled.len(),
        undecided: labelled.len() - decided.len(),
        people,
        doubly: labelled.iter().filter(|item| item.people.len() > 1).count(),
        coverage: coverage(&labelled),
        confusion: rows(&confusion),
        between_people: if between.levels.is_empty() {
            Vec::new()
        } else {
            rows(&Confusion::of(k, between.levels.iter().copied()))
        },
        measures,
        informedness: informed
            .ok()
            .filter(|_| scale.form == Form::Binary)
            .map(|estimate| Figure::of(estimate, super::Method::Estimate)),
        commonest: scale.label(commonest).to_owned(),
        standing: Standing::BetterThanChance,
        tendency: Tendency::Unknown,
        lenient_count: lenient.len(),
        strict_count: strict.len(),
        lenient: lenient.into_iter().take(LISTED).collect(),
        strict: strict.into_iter().take(LISTED).collect(),
        options,
    };
    report.standing = standing(&report, informed.err());
    report.tendency = tendency(&report, &confusion);
    report
}

/// What people hold to be true beside what the judge says.
fn against_people(decided: &[(&Item, usize)]) -> Pairs {
    let mut pairs = Pairs::default();
    let mut clusters = Clusters::default();
    for (item, truth) in decided {
        if let Some(said) = item.judge.level() {
            pairs.levels.push((*truth, said));
            pairs.clusters.push(clusters.number(item));
        }
    }
    pairs
}

/// Every two people who labelled the same item, in the order of their names.
fn between_people(labelled: &[&Item], k: usize) -> Pairs {
    let mut pairs = Pairs::default();
    for (at, item) in labelled.iter().enumerate() {
        let mut labels: Vec<_> = item.people.iter().filter(|label| label.level < k).collect();
        labels.sort_by(|a, b| a.who.cmp(&b.who));
        for (place, first) in labels.iter().enumerate() {
            for second in labels.iter().skip(place + 1) {
                pairs.levels.push((first.level, second.level));
                pairs.clusters.push(at);
            }
        }
    }
    pairs
}

/// Numbers for clusters; an item without one is its own.
#[derive(Default)]
pub(crate) struct Clusters<'a> {
    known: HashMap<&'a str, usize>,
    next: usize,
}

impl<'a> Clusters<'a> {
    fn number(&mut self, item: &'a Item) -> usize {
        self.of(item.cluster.as_deref())
    }

    pub(crate) fn of(&mut self, name: Option<&'a str>) -> usize {
        let fresh = self.next;
        let number = match name {
            Some(name) => *self.known.entry(name).or_insert(fresh),
            None => fresh,
        };
        if number == fresh {
            self.next += 1;
        }
        number
    }
}

fn measure(
    kind: Kind,
    k: usize,
    pairs: &Pairs,
    between: &Pairs,
    commonest: usize,
    options: Options,
) -> Measure {
    // Neither of two people is the truth to the other: shares of one kind count both ways.
    let both_ways = matches!(kind, Kind::Precision | Kind::Recall | Kind::Specificity | Kind::F1);
    let ceiling = if both_ways {
        kind.value(k, between.levels.iter().flat_map(|(a, b)| [(*a, *b), (*b, *a)]))
    } else {
        kind.value(k, between.levels.iter().copied())
    };
    Measure {
        name: kind.name().to_owned(),
        judge: figure(kind, k, pairs, options),
        ceiling,
        baseline: kind.value(k, pairs.levels.iter().map(|(truth, _)| (*truth, commonest))),
    }
}

fn coverage(labelled: &[&Item]) -> Coverage {
    let mut coverage = Coverage { asked: labelled.len(), ..Coverage::default() };
    for item in labelled {
        match item.judge {
            JudgeSaid::Level(_) => coverage.verdicts += 1,
            JudgeSaid::Refused => coverage.refused += 1,
            JudgeSaid::Unparsed => coverage.unparsed += 1,
            JudgeSaid::Failed => coverage.failed += 1,
        }
    }
    coverage
}

fn rows(confusion: &Confusion) -> Vec<Vec<u64>> {
    let k = confusion.labels();
    (0..k).map(|first| (0..k).map(|second| confusion.count(first, second)).collect()).collect()
}

/// Items that the judge finds better than people, and worse, the furthest first.
fn differing(scale: &Scale, decided: &[(&Item, usize)]) -> (Vec<Disagreement>, Vec<Disagreement>) {
    let mut found: Vec<(usize, usize, &Item)> = decided
        .iter()
        .filter_map(|(item, truth)| {
            item.judge.level().filter(|said| said != truth).map(|said| (*truth, said, *item))
        })
        .collect();
    found.sort_by_key(|(truth, said, _)| std::cmp::Reverse(truth.abs_diff(*said)));
    let told = |(truth, said, item): (usize, usize, &Item)| Disagreement {
        item: item.id.clone(),
        answer: crate::scorer::short(&item.answer),
        people: scale.label(truth).to_owned(),
        comment: item.comment().to_owned(),
        judge: scale.label(said).to_owned(),
        reasoning: item.reasoning.clone(),
    };
    let (lenient, strict): (Vec<_>, Vec<_>) = found.into_iter().partition(|(truth, said, _)| said > truth);
    (lenient.into_iter().map(told).collect(), strict.into_iter().map(told).collect())
}

fn standing(report: &Calibration, uninformed: Option<Uncorrectable>) -> Standing {
    let n: u64 = report.confusion.iter().flatten().sum();
    if n < 2 {
        return Standing::Unknown("there are too few items with both labels and verdicts".to_owned());
    }
    let kinds = report.confusion.iter().filter(|row| row.iter().sum::<u64>() > 0).count();
    if kinds < 2 {
        return Standing::Unknown(format!("people say `{}` of all items", report.commonest));
    }
    if report.scale.form == Form::Binary {
        return match (&report.informedness, uninformed) {
            (Some(figure), _) if figure.low > 0.0 => Standing::BetterThanChance,
            (Some(figure), _) => Standing::NoBetterThanChance(
                Uncorrectable::NoBetterThanChance { low: figure.low }.to_string(),
            ),
            (None, why) => Standing::Unknown(why.map(|why| why.to_string()).unwrap_or_default()),
        };
    }
    match report.measure("kappa_quadratic").and_then(|measure| measure.judge) {
        Some(kappa) if kappa.low > 0.0 => Standing::BetterThanChance,
        Some(kappa) => Standing::NoBetterThanChance(format!(
            "the judge is not shown to be better than chance (quadratic kappa is at least {:.2})",
            kappa.low
        )),
        None => Standing::NoBetterThanChance("the judge says the same of all items".to_owned()),
    }
}

fn tendency(report: &Calibration, confusion: &Confusion) -> Tendency {
    let k = confusion.labels();
    let mut said = (0..k).filter(|level| confusion.of_second(*level) > 0);
    let Some(first) = said.next() else {
        return Tendency::Unknown;
    };
    if said.next().is_none() && confusion.total() > 1 {
        return Tendency::Constant(report.scale.label(first).to_owned());
    }
    match report.standing {
        Standing::Unknown(_) => return Tendency::Unknown,
        Standing::NoBetterThanChance(_) => return Tendency::Chance,
        Standing::BetterThanChance => {}
    }
    // How often it raises what could be raised, against how often it lowers what could be lowered.
    let count = |wanted: fn(usize, usize, usize) -> bool| {
        let cells = (0..k).flat_map(|first| (0..k).map(move |second| (first, second)));
        let sum = cells
            .filter(|(first, second)| wanted(*first, *second, k))
            .map(|(a, b)| confusion.count(a, b))
            .sum::<u64>();
        usize::try_from(sum).unwrap_or(usize::MAX)
    };
    let raised = (count(|a, b, _| b > a), count(|a, _, k| a + 1 < k));
    let lowered = (count(|a, b, _| b < a), count(|a, _, _| a > 0));
    match difference_of_shares(raised, lowered, report.options.confidence) {
        Some(difference) if difference.low > 0.0 => Tendency::Lenient,
        Some(difference) if difference.high < 0.0 => Tendency::Strict,
        _ => Tendency::Even,
    }
}
