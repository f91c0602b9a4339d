//! Judges as pages show them: the newest check of each, beside what the evals say that it is now.

use crate::House;
use crate::door::Visitor;
use crate::ui::view_judges::{Change, CheckRow, CheckState, JudgeRow, JudgeView, JudgesView};
use hanok_base::Timestamp;
use hanok_eval::judge::{JudgeSpec, fingerprint, identity};
use hanok_eval::lab::Report;
use hanok_eval::scorer::{Kind, ScorerSpec};
use hanok_eval::{KeepError, Spec};
use hanok_store::{JudgeCheck, Judgements};
use serde_json::Value;
use std::collections::{BTreeMap, HashSet};
use std::path::Path;
use std::time::Duration;

/// Experiments among which the evals are looked for.
const EXPERIMENTS: usize = 200;
/// Checks that a judge's page lists.
const CHECKS: usize = 20;
/// Days of scoring by rule that it shows.
const DAYS: u32 = 14;

/// A judge as an eval has it now.
struct Current {
    eval: String,
    file: String,
    spec: JudgeSpec,
}

/// Judges by name, as the evals have them.
type Known = BTreeMap<String, Vec<Current>>;

/// What judges said and did, as a visitor may see it.
pub(crate) fn judgements<'a>(house: &'a House, visitor: &Visitor) -> Judgements<'a> {
    house.traces.store().judgements(visitor.only_project().map(Into::into))
}

/// All judges: those that were checked by name, then those that never were.
pub(crate) async fn judges(house: &House, visitor: &Visitor) -> Result<JudgesView, KeepError> {
    let checks = judgements(house, visitor).judges().await?;
    let mut known = current(house, visitor).await?;
    let mut rows: Vec<JudgeRow> = Vec::new();
    let names: HashSet<String> = checks.iter().map(|check| check.found.judge.clone()).collect();
    for check in &checks {
        let now = known.get(&check.found.judge).map(Vec::as_slice).unwrap_or_default();
        rows.push(row(&check.found.judge, Some(check), now));
    }
    known.retain(|name, _| !names.contains(name));
    rows.extend(known.iter().map(|(name, now)| row(name, None, now)));
    Ok(JudgesView { rows })
}

/// One judge; `None` where there is none of this name. `project` tells apart those of one name.
pub(crate) async fn judge(
    house: &House,
    visitor: &Visitor,
    name: &str,
    project: Option<&str>,
) -> Result<Option<JudgeView>, KeepError> {
    let judgements = judgements(house, visitor);
    let mut checks = judgements.checks(name, CHECKS).await?;
    let of = project.map(str::to_owned).or_else(|| checks.first().map(|check| check.found.project.clone()));
    checks.retain(|check| Some(&check.found.project) == of.as_ref());
    let mut known = current(house, visitor).await?;
    let now = known.remove(name).unwrap_or_default();
    if checks.is_empty() && now.is_empty() {
        return Ok(None);
    }
    let row = row(name, checks.first(), &now);
    let wanted = checks.first().map_or(name, |check| check.found.queue.as_str()).to_owned();
    let annotations = house.traces.store().annotations(visitor.only_project().map(Into::into));
    let queue = annotations.queue(&wanted).await?.map(|queue| queue.name);
    let since = Timestamp::now().before(Duration::from_hours(24) * (DAYS - 1)).day();
    let mut days = judgements.days(&since).await?;
    days.retain(|day| day.rule == name);
    days.sort_by(|a, b| b.day.cmp(&a.day));
    let checks = checks.iter().map(|check| CheckRow {
        created: check.created,
        report: Report::read(check).map(Box::new),
        identity: check.found.identity.clone(),
    });
    Ok(Some(JudgeView { row, checks: checks.collect(), queue, days }))
}

fn row(name: &str, check: Option<&JudgeCheck>, now: &[Current]) -> JudgeRow {
    let report = check.and_then(Report::read).map(Box::new);
    let spec = now.first().map(|current| &current.spec).or(report.as_ref().map(|report| &report.spec));
    JudgeRow {
        name: name.to_owned(),
        project: check.map(|check| check.found.project.clone()).unwrap_or_default(),
        checked: check.map(|check| check.created),
        state: state(check, report.as_deref(), now),
        evals: now.iter().map(|current| (current.eval.clone(), current.file.clone())).collect(),
        model: spec.map(|spec| spec.model.0.join(", ")).unwrap_or_default(),
        report,
    }
}

/// Whether a check is of any of the judges that evals have under its name.
fn state(check: Option<&JudgeCheck>, report: Option<&Report>, now: &[Current]) -> CheckState {
    match (check, report, now.first()) {
        (None, ..) => CheckState::Never,
        (Some(_), None, _) => CheckState::Foreign,
        (Some(_), Some(_), None) => CheckState::Known,
        (Some(_), Some(report), Some(newest)) => {
            if now.iter().any(|current| !report.is_stale(&current.spec)) {
                return CheckState::Fresh;
            }
            CheckState::Stale(changes(report, &newest.spec))
        }
    }
}

/// The members that differ, in the order of the table.
fn changes(report: &Report, now: &JudgeSpec) -> Vec<Change> {
    // As a table has it, what is not said is as good as empty.
    let members = |spec: &JudgeSpec| match serde_json::to_value(spec) {
        Ok(Value::Object(members)) => members,
        _ => serde_json::Map::new(),
    };
    let (before, after) = (members(&report.spec), members(now));
    let said = |of: &serde_json::Map<String, Value>, name: &str| match of.get(name) {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let differing = MEMBERS.iter().filter(|name| before.get(**name) != after.get(**name));
    let mut found: Vec<Change> = differing
        .map(|name| Change { member: name, before: said(&before, name), now: said(&after, name) })
        .collect();
    if found.is_empty() && report.identity != fingerprint(&identity(now)) {
        found.push(Change { member: "wording", ..Change::default() });
    }
    found
}

/// The members of a judge's table, in the order of the documentation.
const MEMBERS: [&str; 13] = [
    "model",
    "rubric",
    "prompt",
    "form",
    "levels",
    "reference",
    "against",
    "question",
    "reasons",
    "panel",
    "temperature",
    "seed",
    "max_tokens",
];

/// The judges of all evals that were run: as their files have them, or as they ran last where a file is gone. Evals are
/// admins', so that others learn nothing of them here.
async fn current(house: &House, visitor: &Visitor) -> Result<Known, KeepError> {
    if !visitor.admin {
        return Ok(Known::new());
    }
    let mut experiments = house.traces.store().evals().experiments("", None, EXPERIMENTS).await?;
    let mut seen = HashSet::new();
    experiments.retain(|experiment| seen.insert(experiment.name.clone()));
    let ran: Vec<(String, String, String)> =
        experiments.into_iter().map(|ran| (ran.name, ran.file, ran.spec)).collect();
    let read = tokio::task::spawn_blocking(move || ran.into_iter().flat_map(of_eval).collect::<Vec<_>>());
    let found = read.await.unwrap_or_else(|error| {
        tracing::error!(%error, "the files of evals could not be read");
        Vec::new()
    });
    let mut known = Known::new();
    for (name, mut current) in found {
        // A prompt of the library is part of what a judge is.
        if let Ok(pinned) = current.spec.clone().pinned(Some(&*house.prompts)).await {
            current.spec = pinned;
        }
        known.entry(name).or_default().push(current);
    }
    Ok(known)
}

fn of_eval((eval, file, ran): (String, String, String)) -> Vec<(String, Current)> {
    let written = (!file.is_empty()).then(|| Spec::read(Path::new(&file)).ok()).flatten();
    let tables: Vec<Value> = if let Some(spec) = written {
        spec.scorers.into_iter().map(Value::Object).collect()
    } else {
        let ran: Value = serde_json::from_str(&ran).unwrap_or_default();
        ran.get("scorers").and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let judges = tables.into_iter().filter_map(|table| {
        let scorer: ScorerSpec = serde_json::from_value(table).ok()?;
        let Kind::Judge(spec) = scorer.kind else { return None };
        Some((scorer.name, Current { eval: eval.clone(), file: file.clone(), spec: *spec }))
    });
    judges.collect()
}
