//! Experiments as pages show them.

use crate::ui::view_evals::{
    AnswerView, ExperimentRow, ExperimentView, ExperimentsView, Progress, ResultView, ResultsFilter,
    SampleView,
};
use hanok_base::{NanoDollars, Sample, TraceId};
use hanok_eval::gate::Gate;
use hanok_eval::output::KeptOutput;
use hanok_eval::report::{Collected, Report};
use hanok_eval::score::KeptScores;
use hanok_eval::{KeepError, Keeper, Ran, shown};
use hanok_store::evals::{Experiment, ExperimentState, ResultFilter, ResultRow, Work};
use serde_json::Value;

/// Experiments on one page of the list.
const EXPERIMENTS: usize = 50;
/// Experiments that can be chosen.
const CHOICES: usize = 100;
/// Samples on one page.
pub(super) const SAMPLES: usize = 25;
/// Samples read at once where only some are shown.
pub(super) const READ: usize = 200;
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
pub(super) fn ran(experiment: &Experiment) -> Option<Ran> {
    experiment.report.as_deref().and_then(|json| serde_json::from_str(json).ok())
}

pub(super) fn row(experiment: &Experiment) -> ExperimentRow {
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
pub(super) fn confidence(experiment: &Experiment) -> f64 {
    let spec: Value = serde_json::from_str(&experiment.spec).unwrap_or_default();
    spec.pointer("/gate/confidence").and_then(Value::as_f64).unwrap_or(CONFIDENCE)
}

/// What an eval's file asks of its gate.
pub(super) fn gate_of(experiment: &Experiment) -> Option<Gate> {
    let mut spec: Value = serde_json::from_str(&experiment.spec).ok()?;
    serde_json::from_value(spec.get_mut("gate")?.take()).ok()
}

/// Whether an eval's file says that less of a score is better.
pub(super) fn less_is_better(experiment: &Experiment, score: &str) -> bool {
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
pub(super) async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
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
pub(super) fn time(repeat: u32, repeated: bool) -> u32 {
    if repeated { repeat.saturating_add(1) } else { 0 }
}

pub(super) fn sample(json: &str) -> SampleView {
    view_of(&serde_json::from_str(json).unwrap_or_default())
}

pub(super) fn view_of(sample: &Sample) -> SampleView {
    SampleView {
        id: sample.id.clone(),
        title: shown::title(sample),
        input: sample.input.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        expected: sample.expected.as_ref().map(plain),
        origin: sample.origin.as_deref().and_then(place_of),
    }
}

/// A value as people read it.
pub(super) fn plain(value: &Value) -> String {
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
pub(super) fn answer(output: Option<&str>, error: Option<&str>, scores: &str, work: &Work) -> AnswerView {
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
