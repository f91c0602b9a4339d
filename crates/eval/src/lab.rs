//! The judge lab: a judge is asked about everything that people labelled, measured, probed, and what was found out is
//! kept with the identity of the judge that it is of.

use crate::calibration::{
    self, Calibration, Corrected, Coverage, Figure, Item, JudgeSaid, Judged, calibrate, correct,
};
use crate::judge::{Case, Form, Judge, JudgeSpec, Records, Scale, fingerprint, identity};
use crate::keeper::{KeepError, Keeper};
use crate::labels;
use crate::probe::{self, Probe};
use crate::score::KeptScores;
use futures_util::StreamExt as _;
use hanok_base::{NanoDollars, Timestamp, Verdict};
use hanok_store::{AnnotationItem, JudgeCheck, JudgeOpinion, NewCheck, ScoringDay};
use serde::{Deserialize, Serialize};

/// Opinions that are kept at once: what a killed run pays for again.
const BATCH: usize = 16;
/// Results read at once.
const PAGE: usize = 4096;

/// A judge could not be checked.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// Where it is kept.
    #[error(transparent)]
    Keep(#[from] KeepError),
    /// There is nothing to check it with, or it does not fit; with the way out.
    #[error("{0}")]
    Invalid(String),
}

/// How a judge is checked.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// How intervals are made.
    pub intervals: calibration::Options,
    /// What is probed; `None` for nothing.
    pub probes: Option<probe::Options>,
    /// Take what probes found the last time, where judge and items are the same.
    pub known_probes: bool,
    /// Questions at once; 0 for 8.
    pub concurrency: usize,
    /// Experiments whose rates are corrected.
    pub experiments: Vec<i64>,
}

/// A rate of an experiment, corrected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CorrectedExperiment {
    /// The experiment.
    pub experiment: i64,
    /// Its eval's name.
    pub name: String,
    /// What it amounts to.
    pub corrected: Corrected,
}

/// What was found out about a judge. Serialises to the JSON that `hanok judge check --json` prints.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// 1.
    #[serde(rename = "schemaVersion")]
    pub schema_version: u32,
    /// The judge's name.
    pub judge: String,
    /// Its identity: 16 hexadecimal digits. What is said here is of the judge with this one.
    pub identity: String,
    /// Its table.
    pub spec: JudgeSpec,
    /// The queue whose labels it was held against.
    pub queue: String,
    /// When.
    pub created: Timestamp,
    /// Items that it was asked about now; the others were known.
    pub asked: usize,
    /// Items of the queue.
    #[serde(default)]
    pub items: usize,
    /// What asking cost, probes included; `None` where no price is known.
    pub cost: Option<NanoDollars>,
    /// Why asking failed, where it failed: of the first item.
    pub problem: Option<String>,
    /// How far it agrees with people.
    pub calibration: Calibration,
    /// What leads it astray; empty where nothing was probed.
    pub probes: Vec<Probe>,
    /// Rates of experiments, corrected.
    pub corrected: Vec<CorrectedExperiment>,
}

impl Report {
    /// Out of a check that was kept; `None` where it was written by another version.
    pub fn read(check: &JudgeCheck) -> Option<Self> {
        serde_json::from_value(check.found.report.clone()).ok()
    }

    /// Whether what it says is of another judge than the one of this table: its model, prompt, rubric, levels or
    /// sampling has changed.
    pub fn is_stale(&self, spec: &JudgeSpec) -> bool {
        self.identity != fingerprint(&identity(spec))
    }
}

/// Checks a judge against the labels of a queue, and keeps what was found. `step` hears how many questions were
/// answered, of how many are known to be asked (0 while probing).
pub async fn check(
    keeper: &Keeper,
    records: &Records,
    name: &str,
    judge: &Judge,
    queue_name: &str,
    options: &Options,
    step: &(dyn Fn(usize, usize) + Sync),
) -> Result<Report, LabError> {
    let (queue, _) = queue_of(keeper, judge.scale(), queue_name).await?;
    let identity = fingerprint(&judge.identity());
    let pairs = keeper.pairs(queue, identity.clone()).await?;
    let (pairs, asked, mut cost) = ask(keeper, records, judge, &identity, pairs, options, step).await?;
    let items: Vec<Item> = pairs.iter().map(|(item, said)| labels::checked(item, said.as_ref())).collect();
    let found = measured(judge.scale().clone(), items.clone(), options.intervals).await?;
    let mut probes = Vec::new();
    if let Some(wanted) = &options.probes {
        let known = options.known_probes && asked == 0;
        let before = if known { keeper.checks(name.to_owned(), 1).await? } else { Vec::new() };
        if let Some(before) = before.first().and_then(Report::read)
            && (before.identity == identity && before.queue == queue_name && before.items == items.len())
            && before.probes.iter().map(|probe| probe.kind).eq(wanted.kinds.iter().copied())
        {
            probes = before.probes;
        }
    }
    if let Some(wanted) = options.probes.as_ref().filter(|_| probes.is_empty()) {
        let with_reference = judge.spec().reference;
        let cases: Vec<_> =
            pairs.iter().map(|(item, said)| labels::probed(item, said.as_ref(), with_reference)).collect();
        let count = std::sync::atomic::AtomicUsize::new(0);
        let told = || {
            let done = count.fetch_add(1, std::sync::atomic::Ordering::Relaxed) + 1;
            step(done, 0);
        };
        probes = probe::probe(judge, records, &cases, wanted, &told).await;
        for probe in &probes {
            cost = crate::judge::add_cost(cost, probe.cost);
        }
    }
    let mut corrected = Vec::new();
    for experiment in &options.experiments {
        corrected.push(of_experiment(keeper, *experiment, name, judge.scale(), &found, &items).await?);
    }
    let report = Report {
        schema_version: 1,
        judge: name.to_owned(),
        identity: identity.clone(),
        spec: judge.spec().clone(),
        queue: queue_name.to_owned(),
        created: Timestamp::now(),
        asked,
        items: items.len(),
        cost,
        problem: pairs.iter().find_map(|(_, said)| failure(said.as_ref()?)),
        calibration: found,
        probes,
        corrected,
    };
    let json = |value: serde_json::Result<serde_json::Value>| value.map_err(KeepError::from);
    keeper
        .keep_check(NewCheck {
            project: String::new(),
            judge: name.to_owned(),
            identity,
            queue: queue_name.to_owned(),
            spec: json(serde_json::to_value(judge.spec()))?,
            report: json(serde_json::to_value(&report))?,
        })
        .await?;
    Ok(report)
}

/// The rate of an experiment by the judge of this name and identity (its [`fingerprint`]), corrected by what was found
/// out about it: what a gate reads. Refused where the judge was not checked, is another one by now, or is no better than
/// chance.
pub async fn corrected_rate(
    keeper: &Keeper,
    name: &str,
    identity: &str,
    experiment: i64,
    confidence: f64,
) -> Result<Figure, LabError> {
    let kept = keeper.checks(name.to_owned(), 1).await?;
    let Some(mut report) = kept.first().and_then(Report::read) else {
        return Err(LabError::Invalid(format!(
            "the judge `{name}` was not held against people's labels yet; run `hanok judge check`"
        )));
    };
    if report.identity != identity {
        return Err(LabError::Invalid(format!(
            "what is known of the judge `{name}` is of another model, prompt or rubric; run `hanok judge check` again"
        )));
    }
    let (queue, _) = queue_of(keeper, &report.calibration.scale, &report.queue).await?;
    let pairs = keeper.pairs(queue, report.identity.clone()).await?;
    let items: Vec<Item> = pairs.iter().map(|(item, said)| labels::checked(item, said.as_ref())).collect();
    let found = &mut report.calibration;
    found.options.confidence = confidence;
    let corrected = of_experiment(keeper, experiment, name, &found.scale, found, &items).await?.corrected;
    let refused = || LabError::Invalid(corrected.refused.clone().unwrap_or_default());
    corrected.prediction_powered.ok_or_else(refused)
}

/// The rate of a day's live traces by a judge with its errors taken out, by the newest check of the judge that scored.
/// Refused where there is no check of it as it was that day, where it is no better than chance, and where the judge says
/// more than yes or no, since a day keeps sums only.
pub async fn corrected_day(
    keeper: &Keeper,
    day: &ScoringDay,
    confidence: f64,
) -> Result<Corrected, LabError> {
    let refused = |why: &str| Err(LabError::Invalid(why.to_owned()));
    if day.identity.is_empty() {
        return refused("what scored is no judge");
    }
    let known = keeper.judges().await?;
    let of_it = known.iter().filter(|check| check.found.identity == day.identity);
    let Some(report) = of_it.max_by_key(|check| check.seq).and_then(Report::read) else {
        return refused(
            "the judge as it was that day was not held against people's labels; run `hanok judge check`",
        );
    };
    let mut found = report.calibration;
    if found.scale.form != Form::Binary {
        return refused("only rates of judges that say yes or no are corrected: a day keeps sums");
    }
    let (queue, _) = queue_of(keeper, &found.scale, &report.queue).await?;
    let pairs = keeper.pairs(queue, report.identity).await?;
    let items: Vec<Item> = pairs.iter().map(|(item, said)| labels::checked(item, said.as_ref())).collect();
    found.options.confidence = confidence;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a count of scores")]
    let yes = day.sum.max(0.0).round() as u64;
    let said = |level: Option<usize>, count: u64| {
        let count = usize::try_from(count).unwrap_or(0);
        std::iter::repeat_n(Judged { level, cluster: None }, count)
    };
    let judged: Vec<Judged> = said(Some(1), yes)
        .chain(said(Some(0), day.scored.saturating_sub(yes)))
        .chain(said(None, day.unscored))
        .collect();
    tokio::task::spawn_blocking(move || correct(&found, &items, &judged))
        .await
        .map_err(|error| LabError::Invalid(format!("correcting failed: {error}")))
}

/// The number of a queue whose scale is the judge's, and how it is named.
async fn queue_of(keeper: &Keeper, scale: &Scale, name: &str) -> Result<(i64, Scale), LabError> {
    let Some(queue) = keeper.queue(name.to_owned()).await? else {
        return Err(LabError::Invalid(format!(
            "there is no queue `{name}`; bring people's labels in with `hanok judge labels import {name} FILE`"
        )));
    };
    let found: Scale = serde_json::from_value(queue.scale).map_err(KeepError::from)?;
    if found != *scale {
        return Err(LabError::Invalid(format!(
            "people said `{}` in the queue `{name}`, and the judge says `{}`: these cannot be compared",
            found.labels.join("`, `"),
            scale.labels.join("`, `")
        )));
    }
    Ok((queue.id, found))
}

/// The bootstrap takes a while, in which the runtime has other things to do.
async fn measured(
    scale: Scale,
    items: Vec<Item>,
    options: calibration::Options,
) -> Result<Calibration, LabError> {
    tokio::task::spawn_blocking(move || calibrate(&scale, &items, options))
        .await
        .map_err(|error| LabError::Invalid(format!("measuring failed: {error}")))
}

type Pairs = Vec<(AnnotationItem, Option<JudgeOpinion>)>;

/// Asks about the labelled items that the judge said nothing of yet, or failed at, and keeps what it says as it comes.
async fn ask(
    keeper: &Keeper,
    records: &Records,
    judge: &Judge,
    identity: &str,
    pairs: Pairs,
    options: &Options,
    step: &(dyn Fn(usize, usize) + Sync),
) -> Result<(Pairs, usize, Option<NanoDollars>), LabError> {
    let is_labelled = |item: &AnnotationItem| !item.labels.is_empty();
    let is_open = |item: &AnnotationItem, said: Option<&JudgeOpinion>| {
        is_labelled(item) && labels::checked(item, said).judge == JudgeSaid::Failed
    };
    let mut pairs = pairs;
    let open: Vec<usize> = pairs
        .iter()
        .enumerate()
        .filter(|(_, (item, said))| is_open(item, said.as_ref()))
        .map(|(at, _)| at)
        .collect();
    let (count, mut done, mut cost) = (open.len(), 0, None);
    let concurrency = if options.concurrency == 0 { 8 } else { options.concurrency };
    let mut batch = Vec::new();
    let mut told: Vec<(usize, JudgeOpinion)> = Vec::new();
    {
        let wanted = open.iter().filter_map(|at| pairs.get(*at).map(|(item, _)| (*at, item)));
        let asked = wanted.map(|(at, item)| async move {
            let (opinion, cost) = opinion(judge, records, item).await;
            (at, opinion, cost)
        });
        let mut answers = std::pin::pin!(futures_util::stream::iter(asked).buffer_unordered(concurrency));
        while let Some((at, opinion, spent)) = answers.next().await {
            cost = crate::judge::add_cost(cost, spent);
            done += 1;
            step(done, count);
            batch.push(opinion.clone());
            told.push((at, opinion));
            if batch.len() >= BATCH {
                keeper.keep_opinions(identity.to_owned(), std::mem::take(&mut batch)).await?;
            }
        }
    }
    if !batch.is_empty() {
        keeper.keep_opinions(identity.to_owned(), batch).await?;
    }
    for (at, opinion) in told {
        if let Some((_, said)) = pairs.get_mut(at) {
            *said = Some(opinion);
        }
    }
    Ok((pairs, count, cost))
}

/// Why a judge failed at an item.
fn failure(said: &JudgeOpinion) -> Option<String> {
    match serde_json::from_value(said.verdict.clone()) {
        Ok(Verdict::Failed(why)) => Some(why),
        _ => None,
    }
}

async fn opinion(
    judge: &Judge,
    records: &Records,
    item: &AnnotationItem,
) -> (JudgeOpinion, Option<NanoDollars>) {
    let probed = labels::probed(item, None, judge.spec().reference);
    let case = Case {
        question: &probed.question,
        reference: probed.reference.as_deref(),
        answer: &probed.answer,
        other: probed.other.as_deref(),
        origin: probed.origin,
    };
    let said = records.judged(judge, &case, 0).await;
    let opinion = JudgeOpinion {
        item: item.id,
        verdict: serde_json::to_value(&said.verdict).unwrap_or_default(),
        level: said.level.and_then(|level| u32::try_from(level).ok()),
        reasoning: said.reasoning,
    };
    (opinion, said.cost)
}

/// The judge's scores of an experiment, by its name, corrected.
async fn of_experiment(
    keeper: &Keeper,
    id: i64,
    judge: &str,
    scale: &Scale,
    found: &Calibration,
    items: &[Item],
) -> Result<CorrectedExperiment, LabError> {
    let Some(experiment) = keeper.experiment(id).await? else {
        return Err(LabError::Invalid(format!("there is no experiment {id}")));
    };
    let (mut judged, mut coverage, mut after) = (Vec::new(), Coverage::default(), None);
    loop {
        let page = keeper.measured(id, after, PAGE).await?;
        let Some(last) = page.last() else { break };
        after = Some((last.row, last.repeat));
        for row in &page {
            let scores = KeptScores::read(&row.scores).map_err(KeepError::from)?;
            let Some(score) = scores.get(judge) else { continue };
            coverage.asked += 1;
            let level = score.value.as_ref().and_then(|value| scale.level(value));
            match (level, &score.refused, &score.unparsed) {
                (Some(_), ..) => coverage.verdicts += 1,
                (None, Some(_), _) => coverage.refused += 1,
                (None, None, Some(_)) => coverage.unparsed += 1,
                (None, None, None) => coverage.failed += 1,
            }
            // Repeats of one row are alike.
            let cluster =
                row.cluster.clone().or_else(|| (experiment.repeats > 1).then(|| format!("row {}", row.row)));
            judged.push(Judged { level, cluster });
        }
    }
    if coverage.asked == 0 {
        return Err(LabError::Invalid(format!("the experiment {id} has no score `{judge}`")));
    }
    let (found, items) = (found.clone(), items.to_vec());
    let corrected = tokio::task::spawn_blocking(move || correct(&found, &items, &judged))
        .await
        .map_err(|error| LabError::Invalid(format!("correcting failed: {error}")))?;
    let corrected = Corrected { coverage, ..corrected };
    Ok(CorrectedExperiment { experiment: id, name: experiment.name, corrected })
}
