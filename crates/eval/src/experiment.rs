//! An eval from its file to its report: the dataset's version, what can be seen with so many rows, the run, the
//! statistics, the comparison, the gate.

use crate::dataset::{self, Columns, DatasetError, from_traces, split_of};
use crate::file::FileError;
use crate::gate::{Check, Corrections, GateReport};
use crate::import::rows::RowScorers;
use crate::judge::fingerprint;
use crate::keeper::{KeepError, Keeper};
use crate::lab::corrected_rate;
use crate::report::{Collected, Comparison, Report, compare};
use crate::run::{BuiltScorer, Cancel, Ended, Outcome, Plan, Progress, Runner, Select};
use crate::scorer::{self, ScorerSpec};
use crate::spec::{DatasetSpec, Spec};
use crate::task::{self, Bench};
use hanok_base::{NanoDollars, Sample, TaskError, Timestamp};
use hanok_stats::power::minimum_detectable_effect;
use hanok_store::datasets::{DatasetVersion, content_hash};
use hanok_store::evals::{Experiment, ExperimentState, NewExperiment};
use hanok_trace::TraceStore;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::HashSet;
use std::sync::Arc;

/// Rows read at once.
const PAGE: usize = 4096;

/// An eval could not be run.
#[derive(Debug, thiserror::Error)]
pub enum EvalError {
    /// Its file.
    #[error(transparent)]
    File(#[from] FileError),
    /// Its dataset.
    #[error(transparent)]
    Dataset(#[from] DatasetError),
    /// Its task.
    #[error("task: {0}")]
    Task(#[from] TaskError),
    /// Where it is kept.
    #[error(transparent)]
    Keep(#[from] KeepError),
    /// It is not what it must be; with the way out.
    #[error("{0}")]
    Invalid(String),
}

/// What is asked for beside the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Only the first so many rows.
    pub limit: Option<u64>,
    /// How often each row, in place of what the file says.
    pub repeats: Option<u32>,
    /// Most money, in place of what the file says.
    pub budget: Option<NanoDollars>,
    /// Most calls at once, in place of what the file says.
    pub concurrency: Option<usize>,
    /// What it is compared with, in place of what the file says: `last`, `none`, or a number.
    pub baseline: Option<String>,
    /// Begin anew where an earlier run was stopped.
    pub fresh: bool,
    /// Take no answer of another experiment.
    pub uncached: bool,
}

/// What a number of rows can show, before it is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forecast {
    /// Independent rows: clusters, where rows belong to some.
    pub n: usize,
    /// Half the width of a share's interval at worst.
    pub half_width: f64,
    /// The least paired difference that is found with a probability of 80 %, in standard deviations of the differences.
    pub detectable: Option<f64>,
    /// The same for yes or no in points of a share, where one row in five changes.
    pub detectable_share: Option<f64>,
}

impl Forecast {
    /// Of so many independent rows; differences only where they are `compared`.
    pub fn of(n: usize, confidence: f64, compared: bool) -> Self {
        let detectable = compared.then(|| minimum_detectable_effect(n, 1.0 - confidence, 0.8)).flatten();
        let half = hanok_stats::interval::wilson(n / 2, n.max(1), confidence);
        Self {
            n,
            half_width: half.map_or(1.0, |half| (half.high - half.low) / 2.0),
            detectable,
            // Where a share d of the pairs differs, the differences have at most the deviation √d.
            detectable_share: detectable.map(|effect| effect * 0.2_f64.sqrt()).filter(|share| *share <= 1.0),
        }
    }
}

/// An eval that is ready to run.
pub struct Prepared {
    /// The eval, with what was asked for beside its file.
    pub spec: Spec,
    /// Its rows.
    pub version: DatasetVersion,
    /// How many of them are tried.
    pub rows: u64,
    /// What they can show.
    pub forecast: Forecast,
    /// The run that is taken up, where one was stopped.
    pub resumed: Option<Experiment>,
    /// What it is compared with.
    pub baseline: Option<Experiment>,
    plan: Plan,
    wish: NewExperiment,
}

/// What came of an eval.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ran {
    /// The experiment's number.
    pub experiment: i64,
    /// The eval's name.
    pub name: String,
    /// How it ended.
    pub state: ExperimentState,
    /// Why, where it did not come to its end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub stopped: Option<String>,
    /// The numbers.
    pub report: Report,
    /// Beside the baseline.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub comparison: Option<Comparison>,
    /// What the gate says; `None` where there is none, or the experiment did not come to its end.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub gate: Option<GateReport>,
}

/// Runs evals.
#[derive(Clone)]
pub struct Experiments {
    /// Runs them.
    pub runner: Runner,
    /// The records, for datasets out of traces.
    pub traces: Option<TraceStore>,
}

impl Experiments {
    fn keeper(&self) -> &Keeper {
        &self.runner.keeper
    }

    /// Makes everything ready: nothing is paid for yet.
    pub async fn prepare(
        &self,
        mut spec: Spec,
        options: &Options,
        bench: &Bench,
    ) -> Result<Prepared, EvalError> {
        let confidence = spec.gate.confidence();
        spec.repeats = options.repeats.unwrap_or(spec.repeats).max(1);
        spec.concurrency = options.concurrency.unwrap_or(spec.concurrency).max(1);
        let budget = options.budget.or(spec.budget.map(|budget| budget.0));
        let scorers = build_scorers(&spec, bench).await?;
        let task = task::build(&spec.task, bench).await?;
        let version = self.dataset(&spec).await?;
        if version.rows == 0 && version.lost > 0 {
            return Err(EvalError::Invalid(format!(
                "all rows of the dataset `{}` went with the traces they were made of; take others with `hanok dataset add`",
                version.dataset
            )));
        }
        let (rows, clusters) = self.count(&spec, &version, options.limit).await?;
        let identities: Vec<Value> =
            scorers.iter().map(|built| json!([built.scorer.name(), built.scorer.identity()])).collect();
        let identity = task.task.identity();
        let wish = json!([version.id, rows, spec.dataset.split, spec.repeats, identity, identities]);
        let spec_hash = content_hash(wish.to_string().as_bytes());
        let resumed =
            if options.fresh { None } else { self.keeper().unfinished(spec.name.clone(), spec_hash).await? };
        let baseline = self.baseline(&spec, options, resumed.as_ref()).await?;
        let only = spec
            .dataset
            .split
            .clone()
            .map(|split| Arc::new(move |sample: &Sample| split_of(sample) == Some(&split)) as Select);
        let plan = Plan {
            name: spec.name.clone(),
            experiment: 0,
            version: version.id,
            rows,
            only,
            repeats: spec.repeats,
            concurrency: spec.concurrency,
            retries: spec.retries,
            budget,
            paid: resumed.as_ref().map(|resumed| resumed.cost).unwrap_or_default(),
            is_resumed: resumed.is_some(),
            uses_known: !options.uncached,
            task,
            scorers,
        };
        let mut told = serde_json::to_value(&spec).map_err(KeepError::from)?;
        if let (Value::Object(told), Some(limit)) = (&mut told, options.limit) {
            told.insert("limit".to_owned(), limit.into());
        }
        let wish = NewExperiment {
            name: spec.name.clone(),
            file: spec.path.display().to_string(),
            spec: told.to_string(),
            spec_hash,
            task: identity.to_string(),
            version: version.id,
            dataset: version.dataset.clone(),
            rows,
            repeats: spec.repeats,
            now: Timestamp::now(),
        };
        let forecast = Forecast::of(clusters, confidence, baseline.is_some());
        Ok(Prepared { spec, version, rows, forecast, resumed, baseline, plan, wish })
    }

    /// Runs what is ready, and says what came of it.
    pub async fn run(
        &self,
        prepared: Prepared,
        progress: &dyn Progress,
        cancel: &Cancel,
    ) -> Result<Ran, EvalError> {
        let Prepared { spec, baseline, resumed, mut plan, wish, .. } = prepared;
        plan.experiment = match &resumed {
            Some(resumed) => {
                // What failed may succeed now.
                self.keeper().forget_failed(resumed.id).await?;
                resumed.id
            }
            None => self.keeper().begin(wish).await?,
        };
        let experiment = plan.experiment;
        let judges: Vec<(String, String)> = plan
            .scorers
            .iter()
            .filter_map(|built| {
                let identity = fingerprint(built.scorer.identity().get("judge")?);
                Some((built.scorer.name().to_owned(), identity))
            })
            .collect();
        let Outcome { ended, status } = self.runner.run(plan, progress, cancel).await?;
        let missing = status.total.saturating_sub(status.done);
        let stopped = match &ended {
            Ended::Done => None,
            Ended::Cancelled => Some(format!("interrupted; {missing} of {} tries are missing", status.total)),
            Ended::Budget => Some(format!(
                "the budget is used up: {missing} of {} tries are missing, and the next one could pass it",
                status.total
            )),
            Ended::Refused(most) => Some(format!(
                "the budget has no room left for a call that may cost ${:.6} (`max_tokens` of the task or the judge makes \
                 that less): {missing} of {} tries are missing",
                most.dollars(),
                status.total
            )),
            Ended::Unpriced => Some(format!(
                "a call has no known price, so the budget cannot be held: give the model a price in hanok.toml \
                 ([prices]), or run without a budget; {missing} of {} tries are missing",
                status.total
            )),
            Ended::Hopeless(error) => Some(format!(
                "no try gave an output, the last error was: {error}; {missing} of {} tries are missing",
                status.total
            )),
        };
        let state = if stopped.is_none() { ExperimentState::Done } else { ExperimentState::Stopped };
        let ran = self.conclude(&spec, (experiment, &judges), state, stopped, baseline.as_ref()).await?;
        let report = serde_json::to_string(&ran).map_err(KeepError::from)?;
        self.keeper().finish(experiment, state, Some(report)).await?;
        Ok(ran)
    }

    async fn conclude(
        &self,
        spec: &Spec,
        (experiment, judges): (i64, &[(String, String)]),
        state: ExperimentState,
        stopped: Option<String>,
        baseline: Option<&Experiment>,
    ) -> Result<Ran, EvalError> {
        let confidence = spec.gate.confidence();
        let (report, collected) = self.report(experiment, confidence).await?;
        let comparison = match baseline {
            Some(baseline) => {
                let before = self.collect(baseline.id).await?;
                let adjust = spec.gate.adjust.unwrap_or_default();
                let mut comparison = compare(baseline.id, &before, &collected, confidence, adjust);
                for score in &mut comparison.scores {
                    score.less_is_better = spec.gate.is_less_better(&score.name);
                }
                Some(comparison)
            }
            None => None,
        };
        let mut corrections = Corrections::new();
        for (name, identity) in judges {
            let is_asked = |check: &Check| check.corrected && check.score.as_ref() == Some(name);
            if spec.gate.checks.iter().any(is_asked) {
                let rate = corrected_rate(self.keeper(), name, identity, experiment, confidence).await;
                corrections.insert(name.clone(), rate.map_err(|error| error.to_string()));
            }
        }
        let gate = (stopped.is_none() && !spec.gate.checks.is_empty())
            .then(|| spec.gate.judge(&report, comparison.as_ref(), &corrections));
        Ok(Ran { experiment, name: spec.name.clone(), state, stopped, report, comparison, gate })
    }

    /// The numbers of an experiment.
    pub async fn report(&self, experiment: i64, confidence: f64) -> Result<(Report, Collected), EvalError> {
        let known = self.known(experiment).await?;
        let collected = self.collect(experiment).await?;
        let planned = known.rows.saturating_mul(u64::from(known.repeats));
        let planned = usize::try_from(planned).unwrap_or(usize::MAX);
        Ok((collected.report(planned, known.cost, confidence), collected))
    }

    /// Two experiments beside each other: the first is the baseline.
    pub async fn compared(&self, first: i64, second: i64, confidence: f64) -> Result<Comparison, EvalError> {
        self.known(first).await?;
        self.known(second).await?;
        let (before, after) = (self.collect(first).await?, self.collect(second).await?);
        Ok(compare(first, &before, &after, confidence, crate::gate::Adjust::default()))
    }

    async fn known(&self, experiment: i64) -> Result<Experiment, EvalError> {
        let known = self.keeper().experiment(experiment).await?;
        known.ok_or_else(|| {
            EvalError::Invalid(format!("there is no experiment {experiment}; `hanok eval ls` lists them"))
        })
    }

    async fn collect(&self, experiment: i64) -> Result<Collected, EvalError> {
        Ok(Collected::of(self.keeper(), experiment).await?)
    }

    /// The version of the dataset that an eval's file means, made where it is not known.
    async fn dataset(&self, spec: &Spec) -> Result<DatasetVersion, EvalError> {
        let DatasetSpec { file, name, version, traces, limit, rows, .. } = &spec.dataset;
        let columns = Columns::from(&spec.dataset);
        if let Some(name) = name {
            let hash = version.clone().unwrap_or_default();
            let found = self.keeper().version(name.clone(), hash.clone()).await?;
            return found.ok_or_else(|| {
                let version = if hash.is_empty() { String::new() } else { format!(" in version {hash}") };
                EvalError::Invalid(format!(
                    "there is no dataset `{name}`{version}; `hanok dataset ls` lists them"
                ))
            });
        }
        if let Some(file) = file {
            let path = spec.base().join(file);
            let source = json!({ "file": path });
            let name = file.display().to_string();
            return Ok(
                dataset::make(self.keeper(), &name, &source, || dataset::of_file(&path, &columns)).await?
            );
        }
        if let Some(filter) = traces {
            let records = self
                .traces
                .as_ref()
                .ok_or_else(|| EvalError::Invalid("there are no records to take rows from".to_owned()))?;
            let taken = from_traces::Taken { limit: limit.unwrap_or(0), answers_are_right: false };
            let found = from_traces::rows(records, filter, taken).await?;
            let source = json!({ "traces": filter });
            let name = format!("traces {filter}");
            let open = || Ok(Box::new(found.clone().into_iter().map(Ok)) as dataset::Rows);
            return Ok(dataset::make(self.keeper(), &name, &source, open).await?);
        }
        let rows = rows.clone().unwrap_or_default();
        let name = format!("rows of {}", spec.name);
        let source = json!({ "eval": spec.path });
        let open = || Ok(dataset::of_values(&spec.path, rows.clone(), &columns));
        Ok(dataset::make(self.keeper(), &name, &source, open).await?)
    }

    /// How many rows are tried, and how many of them are independent.
    async fn count(
        &self,
        spec: &Spec,
        version: &DatasetVersion,
        limit: Option<u64>,
    ) -> Result<(u64, usize), EvalError> {
        let limit = limit.unwrap_or(u64::MAX);
        let (mut rows, mut alone, mut clusters, mut from) = (0_u64, 0_usize, HashSet::new(), 0);
        loop {
            let page = self.keeper().rows(version.id, from, PAGE).await?;
            let Some(last) = page.last() else { break };
            from = last.position + 1;
            for row in &page {
                if let Some(split) = &spec.dataset.split {
                    let sample: Sample = serde_json::from_str(&row.body).map_err(KeepError::from)?;
                    if split_of(&sample) != Some(split) {
                        continue;
                    }
                }
                if rows == limit {
                    break;
                }
                rows += 1;
                match &row.cluster {
                    Some(cluster) => {
                        clusters.insert(cluster.clone());
                    }
                    None => alone += 1,
                }
            }
        }
        if rows == 0 {
            let split = spec.dataset.split.as_deref().unwrap_or_default();
            return Err(EvalError::Invalid(format!(
                "no row is tried: none of the dataset `{}` is of the split `{split}`; `hanok dataset split` makes splits",
                version.dataset
            )));
        }
        Ok((rows, alone + clusters.len()))
    }

    async fn baseline(
        &self,
        spec: &Spec,
        options: &Options,
        resumed: Option<&Experiment>,
    ) -> Result<Option<Experiment>, EvalError> {
        let in_file = spec.gate.baseline.as_ref().map(crate::template::text);
        let needs_one = spec.gate.checks.iter().any(|check| check.not_worse_by.or(check.better_by).is_some());
        let wanted = options.baseline.clone().or(in_file).or_else(|| needs_one.then(|| "last".to_owned()));
        match wanted.as_deref() {
            None | Some("none") => Ok(None),
            Some("last") => {
                let before = resumed.map_or(i64::MAX, |resumed| resumed.id);
                Ok(self.keeper().finished_before(spec.name.clone(), before).await?)
            }
            Some(number) => {
                let id = number.parse().map_err(|_| {
                    EvalError::Invalid(format!(
                        "baseline: `{number}` is neither `last`, `none` nor an experiment's number"
                    ))
                })?;
                Ok(Some(self.known(id).await?))
            }
        }
    }
}

async fn build_scorers(spec: &Spec, bench: &Bench) -> Result<Vec<BuiltScorer>, EvalError> {
    let mut names = HashSet::new();
    let mut built = Vec::new();
    for (table, line) in
        spec.scorers.iter().zip(spec.scorer_lines.iter().copied().chain(std::iter::repeat(1)))
    {
        let at = |message: String| FileError::at(&spec.path, line, message);
        if table.get("kind").and_then(Value::as_str) == Some("unsupported") {
            let why = table.get("why").and_then(Value::as_str).unwrap_or_default();
            return Err(
                at(format!("this scorer is not supported: {why}; put another one in its place")).into()
            );
        }
        let scorer: ScorerSpec =
            serde_json::from_value(Value::Object(table.clone())).map_err(|error| at(error.to_string()))?;
        if !names.insert(scorer.name.clone()) {
            return Err(
                at(format!("two scorers have the name `{}`: give one of them another", scorer.name)).into()
            );
        }
        let is_paid = matches!(scorer.kind.name(), "judge" | "similarity");
        let scorer =
            scorer::pinned(scorer, bench.prompts.as_deref()).await.map_err(|error| at(error.to_string()))?;
        let scorer = scorer::build(&scorer, &bench.kit).map_err(|error| at(error.to_string()))?;
        built.push(BuiltScorer { scorer, is_paid });
    }
    if spec.row_scorers {
        built.push(BuiltScorer { scorer: Arc::new(RowScorers::new(bench.kit.clone())), is_paid: true });
    }
    Ok(built)
}
