//! From `[[scoring]]` to rules over live traces.

use super::Rooms;
use super::evals::{Priced, eval_file};
use crate::config::{Effective, Scoring};
use anyhow::{Context as _, bail};
use hanok_base::{Caller, Embedder, Provider, Recorder, Timestamp};
use hanok_eval::judge::{Records, fingerprint};
use hanok_eval::online::{Online, Rule};
use hanok_eval::scorer::{ScorerSpec, build, pinned};
use hanok_eval::{Kit, Spec};
use hanok_prompt::Library;
use hanok_trace::TraceFilter;
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;

/// Traces scored at once.
const CONCURRENCY: usize = 4;
/// Traces that a rule scores on a day, where the configuration does not say.
const PER_DAY: u64 = 1_000;

/// What scores live traces, by the rules of the configuration and by those that come with its changes.
pub(crate) async fn online(effective: &Effective, rooms: &Rooms) -> anyhow::Result<Online> {
    rooms.scoring.store(Arc::new(rules(effective, rooms).await?));
    let records = Records {
        recorder: Some(Arc::new(rooms.traces.clone()) as Arc<dyn Recorder>),
        caller: Arc::new(Caller { admin: true, ..Caller::default() }),
    };
    let rules = Arc::clone(&rooms.scoring);
    Ok(Online { traces: rooms.traces.clone(), rules, records, concurrency: CONCURRENCY })
}

/// The rules of the configuration. A judge asks with the version that its prompt has now, and with no other before the
/// configuration is taken again.
pub(crate) async fn rules(effective: &Effective, rooms: &Rooms) -> anyhow::Result<Vec<Rule>> {
    let tables = &effective.config.scoring;
    if tables.is_empty() {
        return Ok(Vec::new());
    }
    let prompts = rooms.prompts.clone();
    let kit = Kit {
        models: Some(rooms.gateway.clone() as Arc<dyn Provider>),
        embedder: super::local_embedder(effective, None).await? as Option<Arc<dyn Embedder>>,
        sources: Some(Arc::new(rooms.traces.store().clone())),
        prices: Some(Arc::new(Priced::new(rooms.traces.clone(), effective))),
        network: super::network::outward(effective)?,
        ..Kit::default()
    };
    let mut rules: Vec<Rule> = Vec::new();
    for table in tables {
        let made = rule(effective, table, &kit, &prompts).await;
        let rule = made.with_context(|| format!("scoring by {}", table.eval.display()))?;
        if rules.iter().any(|known| known.name == rule.name) {
            bail!("two rules of [[scoring]] are called `{}`: give one of them another `name`", rule.name);
        }
        rules.push(rule);
    }
    Ok(rules)
}

/// Checks what can be seen of the rules without a room.
pub(super) fn check(effective: &Effective) -> anyhow::Result<()> {
    for table in &effective.config.scoring {
        read(effective, table).with_context(|| format!("scoring by {}", table.eval.display()))?;
    }
    Ok(())
}

/// The file of a rule's scorer.
pub(crate) fn file(effective: &Effective, table: &Scoring) -> PathBuf {
    if table.eval.extension().is_some() {
        effective.beside_file(&table.eval)
    } else {
        eval_file(effective, &table.eval)
    }
}

/// The file, the scorer and the filter of a rule.
fn read(effective: &Effective, table: &Scoring) -> anyhow::Result<(Spec, ScorerSpec, TraceFilter)> {
    let spec = Spec::read(&file(effective, table))?;
    let scorer = scorer_of(&spec, table.scorer.as_deref())?;
    let share = table.sample.unwrap_or(1.0);
    if !(0.0..=1.0).contains(&share) {
        bail!("sample is a share from 0 to 1, not {share}");
    }
    let filter = hanok_trace::parse_filter(&table.filter, Timestamp::now())
        .with_context(|| format!("filter `{}`", table.filter))?;
    Ok((spec, scorer, filter))
}

async fn rule(effective: &Effective, table: &Scoring, kit: &Kit, prompts: &Library) -> anyhow::Result<Rule> {
    let (spec, scorer, filter) = read(effective, table)?;
    let scorer = pinned(scorer, Some(prompts)).await?;
    let kit = Kit { base: spec.base(), ..kit.clone() };
    let name = table.name.clone().unwrap_or_else(|| scorer.name.clone());
    let scorer = build(&scorer, &kit)?;
    Ok(Rule {
        name,
        filter,
        share: table.sample.unwrap_or(1.0),
        identity: scorer.identity().get("judge").map(fingerprint).unwrap_or_default(),
        scorer,
        budget: table.budget.as_ref().map(|budget| budget.0),
        per_day: table.per_day.unwrap_or(PER_DAY),
        feedback: table.feedback.clone(),
        queue: table.queue.clone(),
    })
}

/// The scorer of this name in an eval's file, or its only one.
fn scorer_of(spec: &Spec, wanted: Option<&str>) -> anyhow::Result<ScorerSpec> {
    let mut scorers = Vec::new();
    for table in &spec.scorers {
        scorers.push(serde_json::from_value::<ScorerSpec>(Value::Object(table.clone()))?);
    }
    let names = scorers.iter().map(|scorer| format!("`{}`", scorer.name)).collect::<Vec<_>>().join(", ");
    match wanted {
        Some(wanted) => scorers
            .into_iter()
            .find(|scorer| scorer.name == wanted)
            .with_context(|| format!("there is no scorer `{wanted}`; there are {names}")),
        None if scorers.len() > 1 => bail!("there are several scorers, name one with `scorer`: {names}"),
        None => scorers.pop().context("there is no scorer"),
    }
}
