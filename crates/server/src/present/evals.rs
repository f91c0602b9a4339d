//! Experiments and datasets as pages show them.

use crate::ui::view_evals::{
    AlikeView, AnswerView, CompareView, DatasetRow, DatasetView, DatasetsView, EffectView, ExperimentRow,
    ExperimentView, ExperimentsView, PairView, Progress, ResultView, ResultsFilter, RowView, SampleView,
    VersionView, Which,
};
use hanok_base::{NanoDollars, Sample, Timestamp, TraceId};
use hanok_eval::dataset::duplicates::{Finder, Findings};
use hanok_eval::dataset::split_of;
use hanok_eval::gate::{Adjust, Gate};
use hanok_eval::output::KeptOutput;
use hanok_eval::report::{Collected, Comparison, Report, ScoreComparison, ScoreKind, compare};
use hanok_eval::score::KeptScores;
use hanok_eval::{KeepError, Keeper, Ran, shown};
use hanok_store::datasets::{DatasetInfo, DatasetVersion, StoredRow};
use hanok_store::evals::{ComparedRow, Experiment, ExperimentState, ResultFilter, ResultRow, Work};
use parking_lot::Mutex;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap, VecDeque};

/// Experiments on one page of the list.
const EXPERIMENTS: usize = 50;
/// Experiments that can be chosen.
const CHOICES: usize = 100;
/// Samples on one page.
const SAMPLES: usize = 25;
/// Samples read at once where only some are shown.
const READ: usize = 200;
/// Rows up to which a page looks for like ones.
const LOOKED_AT: u64 = 5000;
/// Confidence where a file says nothing else.
const CONFIDENCE: f64 = 0.95;

/// The list of experiments.
pub(crate) async fn experiments(
    keeper: &Keeper,
    name: &str,
    before: Option<i64>,
) -> Result<ExperimentsView, KeepError> {
    let found = keeper.experiments(name.to_owned(), before, EXPERIMENTS).await?;
    let next = found.last().filter(|_| found.len() == EXPERIMENTS).map(|last| last.id);
    let mut names: Vec<String> = choices(keeper).await?.into_iter().map(|row| row.name).collect();
    names.sort_unstable();
    names.dedup();
    Ok(ExperimentsView { name: name.to_owned(), names, rows: found.iter().map(row).collect(), next })
}

/// What can be compared, newest first.
pub(crate) async fn choices(keeper: &Keeper) -> Result<Vec<ExperimentRow>, KeepError> {
    Ok(keeper.experiments(String::new(), None, CHOICES).await?.iter().map(row).collect())
}

/// What came of an experiment, where it ended.
fn ran(experiment: &Experiment) -> Option<Ran> {
    experiment.report.as_deref().and_then(|json| serde_json::from_str(json).ok())
}

fn row(experiment: &Experiment) -> ExperimentRow {
    let ran = ran(experiment);
    ExperimentRow {
        id: experiment.id,
        name: experiment.name.clone(),
        dataset: experiment.dataset.clone(),
        task: task(&experiment.task),
        state: match experiment.state {
            ExperimentState::Running => Progress::Running,
            ExperimentState::Stopped => Progress::Stopped,
            ExperimentState::Done => Progress::Done,
        },
        created: experiment.created,
        planned: experiment.rows.saturating_mul(u64::from(experiment.repeats)),
        done: experiment.done,
        failed: experiment.failed,
        cost_usd: experiment.cost.dollars(),
        passed: ran.as_ref().and_then(|ran| ran.gate.as_ref()).map(|gate| gate.passed),
        lead: ran.and_then(|ran| ran.report.scores.into_iter().next()),
    }
}

/// A task's identity in a few words: what kind it is, and which one.
fn task(identity: &str) -> String {
    let Ok(identity) = serde_json::from_str::<Value>(identity) else { return String::new() };
    let kind = identity.get("kind").and_then(Value::as_str).unwrap_or_default();
    let which = ["model", "prompt", "url", "command", "template"]
        .into_iter()
        .filter_map(|name| identity.get(name))
        .find_map(|which| match which {
            Value::String(which) => Some(which.clone()),
            Value::Array(parts) => Some(parts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" ")),
            _ => None,
        });
    match which {
        Some(which) if kind == "model" => which,
        Some(which) => format!("{kind} {which}"),
        None => kind.to_owned(),
    }
}

/// The confidence an eval's file asks for.
fn confidence(experiment: &Experiment) -> f64 {
    let spec: Value = serde_json::from_str(&experiment.spec).unwrap_or_default();
    spec.pointer("/gate/confidence").and_then(Value::as_f64).unwrap_or(CONFIDENCE)
}

/// What an eval's file asks of its gate.
fn gate_of(experiment: &Experiment) -> Option<Gate> {
    let mut spec: Value = serde_json::from_str(&experiment.spec).ok()?;
    serde_json::from_value(spec.get_mut("gate")?.take()).ok()
}

/// Whether an eval's file says that less of a score is better.
fn less_is_better(experiment: &Experiment, score: &str) -> bool {
    let spec: Value = serde_json::from_str(&experiment.spec).unwrap_or_default();
    let checks = spec.pointer("/gate/checks").and_then(Value::as_array);
    checks.into_iter().flatten().any(|check| {
        check.get("score").and_then(Value::as_str) == Some(score)
            && check.get("less_is_better").and_then(Value::as_bool) == Some(true)
    })
}

/// One experiment with a page of its results; `None` where there is none of this number.
pub(crate) async fn experiment(
    keeper: &Keeper,
    id: i64,
    filter: ResultsFilter,
    after: Option<(i64, u32)>,
) -> Result<Option<ExperimentView>, KeepError> {
    let Some(known) = keeper.experiment(id).await? else { return Ok(None) };
    let ran = ran(&known);
    let (report, stopped, gate, against) = match ran {
        Some(ran) => (ran.report, ran.stopped, ran.gate, ran.comparison),
        None => (numbers(keeper, &known).await?, None, None, None),
    };
    let mut others = choices(keeper).await?;
    others.retain(|other| other.id != id);
    others.sort_by_key(|other| other.name != known.name);
    let filter = with_score(filter, &report);
    let (rows, next) = results(keeper, id, &filter, after).await?;
    let repeated = known.repeats > 1;
    let version = keeper.version_by_id(known.version).await?;
    Ok(Some(ExperimentView {
        row: row(&known),
        file: known.file.clone(),
        repeats: known.repeats,
        version: version.map(|version| version.short()),
        report,
        stopped,
        gate,
        asked: gate_of(&known),
        against,
        others,
        filter,
        results: rows.iter().map(|row| result(row, repeated)).collect(),
        next: next.map(|(row, repeat)| format!("{row}.{repeat}")),
    }))
}

/// The numbers so far of an experiment that did not come to its end.
async fn numbers(keeper: &Keeper, known: &Experiment) -> Result<Report, KeepError> {
    let collected = Collected::of(keeper, known.id).await?;
    let planned = known.rows.saturating_mul(u64::from(known.repeats));
    let (cost, confidence) = (known.cost, confidence(known));
    Ok(aside(move || collected.report(usize::try_from(planned).unwrap_or(usize::MAX), cost, confidence))
        .await
        .unwrap_or_default())
}

/// Works without holding up others; `None` only where the work came to no end.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.inspect_err(|error| tracing::error!(%error, "the numbers of an experiment were not finished")).ok()
}

/// A filter about a score has one.
fn with_score(mut filter: ResultsFilter, report: &Report) -> ResultsFilter {
    let is_of_one = matches!(filter.only.as_str(), "low" | "uncovered");
    if is_of_one && filter.score.is_empty() {
        filter.score = report.scores.first().map(|score| score.name.clone()).unwrap_or_default();
    }
    filter
}

/// A page of results, and where the next one begins.
async fn results(
    keeper: &Keeper,
    id: i64,
    filter: &ResultsFilter,
    mut after: Option<(i64, u32)>,
) -> Result<(Vec<ResultRow>, Option<(i64, u32)>), KeepError> {
    let only = match filter.only.as_str() {
        "failed" => ResultFilter::Failed,
        "low" => ResultFilter::Low(filter.score.clone()),
        "uncovered" => ResultFilter::Uncovered(filter.score.clone()),
        _ if !filter.text.is_empty() => ResultFilter::Text(filter.text.clone()),
        _ => ResultFilter::All,
    };
    if filter.text.is_empty() || matches!(only, ResultFilter::Text(_)) {
        let page = keeper.results(id, only, after, SAMPLES).await?;
        return Ok((page.rows, page.next));
    }
    let wanted = filter.text.to_lowercase();
    let has = |row: &ResultRow| {
        [Some(&row.sample), row.output.as_ref(), Some(&row.scores), row.error.as_ref()]
            .into_iter()
            .flatten()
            .any(|text| text.to_lowercase().contains(&wanted))
    };
    let mut found = Vec::new();
    loop {
        let page = keeper.results(id, only.clone(), after, READ).await?;
        for row in page.rows {
            let place = (row.row, row.repeat);
            if !has(&row) {
                continue;
            }
            found.push(row);
            if found.len() == SAMPLES {
                return Ok((found, Some(place)));
            }
        }
        match page.next {
            Some(next) => after = Some(next),
            None => return Ok((found, None)),
        }
    }
}

fn result(row: &ResultRow, repeated: bool) -> ResultView {
    let work = Work { trace: row.trace, latency_ns: row.latency_ns, cost: row.answer_cost };
    ResultView {
        key: format!("{}-{}", row.row, row.repeat),
        sample: sample(&row.sample),
        repeat: time(row.repeat, repeated),
        answer: answer(row.output.as_deref(), row.error.as_deref(), &row.scores, &work),
        cached: row.cached,
        scoring_trace: row.scoring_trace.map(|trace| trace.to_string()),
    }
}

/// Which time it is, from 1; 0 where there is only one.
fn time(repeat: u32, repeated: bool) -> u32 {
    if repeated { repeat.saturating_add(1) } else { 0 }
}

fn sample(json: &str) -> SampleView {
    view_of(&serde_json::from_str(json).unwrap_or_default())
}

fn view_of(sample: &Sample) -> SampleView {
    SampleView {
        id: sample.id.clone(),
        title: shown::title(sample),
        input: sample.input.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        expected: sample.expected.as_ref().map(plain),
        origin: sample.origin.as_deref().and_then(place_of),
    }
}

/// A value as people read it.
fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(_) | Value::Object(_) => serde_json::to_string_pretty(value).unwrap_or_default(),
        other => other.to_string(),
    }
}

/// Where the span of an origin is shown, under `traces/`.
fn place_of(origin: &str) -> Option<String> {
    let (trace, span) = origin.split_once('/').map_or((origin, None), |(trace, span)| (trace, Some(span)));
    let trace: TraceId = trace.parse().ok()?;
    let span = span.filter(|span| span.bytes().all(|byte| byte.is_ascii_hexdigit()));
    Some(span.map_or_else(|| trace.to_string(), |span| format!("{trace}?span={span}")))
}

#[expect(clippy::cast_precision_loss, reason = "a latency is far below 2^53 nanoseconds")]
fn answer(output: Option<&str>, error: Option<&str>, scores: &str, work: &Work) -> AnswerView {
    let said: KeptOutput = output.and_then(|json| serde_json::from_str(json).ok()).unwrap_or_default();
    let text = Some(said.text).filter(|text| !text.is_empty());
    AnswerView {
        text: text.or_else(|| said.value.as_ref().map(plain)),
        tools: said.tool_calls.into_iter().map(|call| (call.name, call.arguments)).collect(),
        error: error.map(str::to_owned),
        latency_ms: work.latency_ns.map(|ns| ns as f64 / 1e6),
        cost_usd: work.cost.map(NanoDollars::dollars),
        trace: work.trace.map(|trace| trace.to_string()),
        scores: KeptScores::read(scores).unwrap_or_default().0,
    }
}

/// What a comparison is asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Asked {
    /// The score by which samples are told apart; the first one where it is empty.
    pub(crate) score: String,
    /// Which samples.
    pub(crate) which: Which,
    /// How many of them stand before the page.
    pub(crate) from: u64,
}

/// Two experiments beside each other, `first` the baseline.
pub(crate) async fn compared(
    keeper: &Keeper,
    first: &Experiment,
    second: &Experiment,
    asked: Asked,
) -> Result<CompareView, KeepError> {
    let confidence = confidence(second);
    let comparison = numbers_beside(keeper, first, second, confidence).await?;
    let (ran_first, ran_second) = (ran(first), ran(second));
    let kind = |name: &str| {
        let reports = [&ran_second, &ran_first].into_iter().flatten();
        reports.flat_map(|ran| &ran.report.scores).find(|score| score.name == name).map(|score| score.kind)
    };
    let effect = |compared: ScoreComparison| EffectView {
        less_is_better: less_is_better(second, &compared.name),
        is_share: kind(&compared.name).map_or(compared.method == "mcnemar", |kind| kind == ScoreKind::Truth),
        compared,
    };
    let effects: Vec<EffectView> = comparison.scores.into_iter().map(effect).collect();
    let wanted = effects.iter().find(|effect| effect.compared.name == asked.score).or(effects.first());
    let (score, less) =
        wanted.map(|effect| (effect.compared.name.clone(), effect.less_is_better)).unwrap_or_default();
    let against = ran_second.filter(|ran| ran.comparison.as_ref().is_some_and(|c| c.baseline == first.id));
    let mut view = CompareView {
        first: row(first),
        second: row(second),
        paired: comparison.paired,
        unpaired: comparison.unpaired,
        confidence,
        effects,
        gate: against.and_then(|ran| ran.gate),
        asked: gate_of(second),
        score,
        which: asked.which,
        choices: choices(keeper).await?,
        ..CompareView::default()
    };
    let repeated = first.repeats > 1 || second.repeats > 1;
    pairs(keeper, &mut view, less, asked.from, repeated).await?;
    Ok(view)
}

/// The numbers of two experiments beside each other. Those of experiments that have ended are kept for the next look.
pub(crate) async fn numbers_beside(
    keeper: &Keeper,
    first: &Experiment,
    second: &Experiment,
    confidence: f64,
) -> Result<Comparison, KeepError> {
    let wish = Wish { experiments: [first, second].map(Ended::of), confidence: confidence.to_bits() };
    let has_ended = [first, second].iter().all(|experiment| experiment.state == ExperimentState::Done);
    if has_ended && let Some((_, known)) = BESIDE.lock().iter().find(|(known, _)| *known == wish) {
        return Ok(known.clone());
    }
    let (before, after) = (Collected::of(keeper, first.id).await?, Collected::of(keeper, second.id).await?);
    let baseline = first.id;
    let work = move || compare(baseline, &before, &after, confidence, Adjust::default());
    let Some(found) = aside(work).await else { return Ok(Comparison::default()) };
    if has_ended {
        let mut kept = BESIDE.lock();
        if kept.len() >= MOST_BESIDE {
            kept.pop_front();
        }
        kept.push_back((wish, found.clone()));
    }
    Ok(found)
}

/// Comparisons that were asked for last, oldest first: a bootstrap of every score is not made anew with every page.
static BESIDE: Mutex<VecDeque<(Wish, Comparison)>> = Mutex::new(VecDeque::new());
const MOST_BESIDE: usize = 32;

/// Which two experiments, and how sure.
#[derive(PartialEq, Eq)]
struct Wish {
    experiments: [Ended; 2],
    confidence: u64,
}

/// An experiment as it ended: a number may be given again once its experiment was removed.
#[derive(PartialEq, Eq)]
struct Ended(i64, Timestamp, Option<Timestamp>, u64);

impl Ended {
    fn of(experiment: &Experiment) -> Self {
        Self(experiment.id, experiment.created, experiment.finished, experiment.done)
    }
}

/// Fills in a page of samples. All of them stand in one order, so those that got worse or better are a stretch of it.
async fn pairs(
    keeper: &Keeper,
    view: &mut CompareView,
    less: bool,
    from: u64,
    repeated: bool,
) -> Result<(), KeepError> {
    let page = async |offset: u64, limit: usize| {
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        keeper.compare_by(view.first.id, view.second.id, view.score.clone(), less, offset, limit).await
    };
    let counts = page(0, 0).await?;
    let (begin, end) = match view.which {
        Which::Worse => (0, counts.worse),
        Which::Better => (counts.worse, counts.worse + counts.better),
        Which::All => (0, counts.total),
    };
    let at = begin.saturating_add(from);
    let limit = usize::try_from(end.saturating_sub(at)).unwrap_or(usize::MAX).min(SAMPLES);
    let rows = if limit > 0 { page(at, limit).await?.rows } else { Vec::new() };
    let shown = at.saturating_add(rows.len() as u64);
    view.next = (!rows.is_empty() && shown < end).then(|| shown - begin);
    view.pairs = rows.iter().map(|row| pair(row, repeated)).collect();
    (view.worse, view.better, view.total) = (counts.worse, counts.better, counts.total);
    Ok(())
}

fn pair(row: &ComparedRow, repeated: bool) -> PairView {
    PairView {
        key: format!("{}-{}", row.row, row.repeat),
        sample: sample(&row.sample),
        repeat: time(row.repeat, repeated),
        before: answer(
            row.output_before.as_deref(),
            row.error_before.as_deref(),
            &row.scores_before,
            &row.work_before,
        ),
        after: answer(
            row.output_after.as_deref(),
            row.error_after.as_deref(),
            &row.scores_after,
            &row.work_after,
        ),
    }
}

/// The datasets.
pub(crate) async fn datasets(keeper: &Keeper) -> Result<DatasetsView, KeepError> {
    let row = |info: DatasetInfo| DatasetRow {
        name: info.name,
        versions: info.versions,
        newest: version(&info.newest),
    };
    Ok(DatasetsView { rows: keeper.datasets().await?.into_iter().map(row).collect() })
}

fn version(version: &DatasetVersion) -> VersionView {
    let source: Value = serde_json::from_str(&version.source).unwrap_or_default();
    let mut kinds = ["file", "traces", "queue", "split"].into_iter();
    let of = kinds.find_map(|kind| Some((kind.to_owned(), plain(source.get(kind)?))));
    VersionView {
        hash: version.short(),
        rows: version.rows,
        created: version.created,
        source: of.unwrap_or_default(),
    }
}

/// Which rows of a dataset are asked for.
#[derive(Clone, Debug, Default)]
pub(crate) struct AskedRows {
    /// The beginning of the version's hash; the newest one where it is empty.
    pub(crate) version: String,
    /// The split; all where it is empty.
    pub(crate) split: String,
    /// `alike`, `open`, or all where it is empty.
    pub(crate) only: String,
    /// Text that is looked for.
    pub(crate) text: String,
    /// The place from which the page begins.
    pub(crate) from: i64,
}

/// A version of a dataset with a page of its rows; `None` where there is no such version.
pub(crate) async fn dataset(
    keeper: &Keeper,
    name: &str,
    asked: AskedRows,
) -> Result<Option<DatasetView>, KeepError> {
    let Some(known) = keeper.version(name.to_owned(), asked.version.clone()).await? else { return Ok(None) };
    let versions = keeper.versions(name.to_owned()).await?;
    let mut view = DatasetView {
        name: name.to_owned(),
        versions: versions.iter().map(version).collect(),
        version: version(&known),
        split: asked.split,
        only: asked.only,
        text: asked.text,
        ..DatasetView::default()
    };
    let mut alike = HashMap::new();
    if known.rows <= LOOKED_AT {
        let (splits, findings) = look_at(keeper, known.id).await?;
        alike = by_id(&findings);
        (view.splits, view.findings) = (splits, Some(findings));
    }
    rows(keeper, known.id, asked.from, &alike, &mut view).await?;
    Ok(Some(view))
}

/// Reads a version from its beginning: its splits, and what is wrong with it.
async fn look_at(keeper: &Keeper, version: i64) -> Result<(Vec<(String, u64)>, Findings), KeepError> {
    let mut samples = Vec::new();
    let mut from = 0;
    loop {
        let rows = keeper.rows(version, from, 1000).await?;
        let Some(last) = rows.last() else { break };
        from = last.position + 1;
        samples.extend(rows.iter().map(read));
    }
    let work = move || {
        let mut splits: BTreeMap<String, u64> = BTreeMap::new();
        let mut finder = Finder::default();
        for sample in &samples {
            *splits.entry(split_of(sample).unwrap_or_default().to_owned()).or_default() += 1;
            finder.push(sample);
        }
        (splits.into_iter().collect(), finder.findings())
    };
    Ok(aside(work).await.unwrap_or_default())
}

fn read(row: &StoredRow) -> Sample {
    serde_json::from_str(&row.body).unwrap_or_default()
}

/// The rows that each row is like.
fn by_id(findings: &Findings) -> HashMap<String, Vec<AlikeView>> {
    let mut found: HashMap<String, Vec<AlikeView>> = HashMap::new();
    for pair in &findings.pairs {
        for (one, other) in [(&pair.first, &pair.second), (&pair.second, &pair.first)] {
            found.entry(one.clone()).or_default().push(AlikeView {
                id: other.clone(),
                likeness: pair.likeness,
                leaks: pair.splits.is_some(),
                contradicts: pair.contradict,
            });
        }
    }
    found
}

/// Fills in a page of the rows that are asked for.
async fn rows(
    keeper: &Keeper,
    version: i64,
    mut from: i64,
    alike: &HashMap<String, Vec<AlikeView>>,
    view: &mut DatasetView,
) -> Result<(), KeepError> {
    let wanted = view.text.to_lowercase();
    let is_wanted = |row: &StoredRow, sample: &Sample, view: &DatasetView| {
        let of_split = view.split.is_empty() || split_of(sample) == Some(view.split.as_str());
        let of_kind = match view.only.as_str() {
            "alike" => alike.contains_key(&sample.id),
            "open" => sample.expected.is_none(),
            _ => true,
        };
        of_split && of_kind && (wanted.is_empty() || row.body.to_lowercase().contains(&wanted))
    };
    loop {
        let read_rows = keeper.rows(version, from, READ).await?;
        let Some(last) = read_rows.last() else { return Ok(()) };
        from = last.position.saturating_add(1);
        for row in &read_rows {
            let sample = read(row);
            if !is_wanted(row, &sample, view) {
                continue;
            }
            if view.rows.len() == SAMPLES {
                view.next = Some(row.position);
                return Ok(());
            }
            view.rows.push(row_view(row, &sample, alike));
        }
    }
}

fn row_view(row: &StoredRow, sample: &Sample, alike: &HashMap<String, Vec<AlikeView>>) -> RowView {
    RowView {
        place: u64::try_from(row.position).unwrap_or(0).saturating_add(1),
        sample: view_of(sample),
        split: split_of(sample).unwrap_or_default().to_owned(),
        cluster: sample.cluster.clone(),
        metadata: sample
            .metadata
            .iter()
            .filter(|(name, _)| *name != "split")
            .map(|(name, value)| (name.clone(), plain(value)))
            .collect(),
        alike: alike.get(&sample.id).cloned().unwrap_or_default(),
    }
}
