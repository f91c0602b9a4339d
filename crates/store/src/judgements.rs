//! What judges said of annotated items, what was found out about judges, and what scoring by rule did.
//!
//! Deliberately not here: what the figures mean. A report is JSON that whoever made it reads again.

use crate::annotations::{AnnotationItem, all, json};
use crate::traces::Scope;
use crate::{Store, StoreError};
use hanok_base::{NanoDollars, Timestamp};
use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Arc;

/// What a judge said of an item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JudgeOpinion {
    /// The item.
    pub item: i64,
    /// Its verdict.
    pub verdict: Value,
    /// The level; `None` where it gave none.
    pub level: Option<u32>,
    /// Its reasons.
    pub reasoning: String,
}

/// What was found out about a judge.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NewCheck {
    /// The project; the view's own where that is of one.
    pub project: String,
    /// The judge's name.
    pub judge: String,
    /// The identity of the judge as it was: of any other, this says nothing.
    pub identity: String,
    /// The queue whose labels it was held against.
    pub queue: String,
    /// The judge's table.
    pub spec: Value,
    /// All figures.
    pub report: Value,
}

/// A check that was kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct JudgeCheck {
    /// Its number.
    pub seq: i64,
    /// What was found out.
    pub found: NewCheck,
    /// When.
    pub created: Timestamp,
}

/// What scoring by a rule did on a day.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ScoringDay {
    /// The project; empty for none.
    pub project: String,
    /// The rule's name.
    pub rule: String,
    /// The day in UTC: `2026-11-20`.
    pub day: String,
    /// The identity of the judge that scored; empty where the scorer is none.
    #[serde(default)]
    pub identity: String,
    /// Traces that the rule's filter passed.
    pub seen: u64,
    /// Of these, those that were drawn.
    pub chosen: u64,
    /// Of these, those that got a score.
    pub scored: u64,
    /// Those of which the scorer had nothing to say: refused, unreadable, failed.
    pub unscored: u64,
    /// Those left out because the day's budget was spent.
    pub over: u64,
    /// Those that went to the annotation queue, as score and feedback differ.
    pub queued: u64,
    /// The sum of the scores as numbers.
    pub sum: f64,
    /// The sum of their squares.
    pub squares: f64,
    /// What was spent.
    pub cost: NanoDollars,
}

impl Store {
    /// What judges said and did in this project; `None` for all.
    pub fn judgements(&self, project: Option<Arc<str>>) -> Judgements<'_> {
        Judgements { store: self, scope: Scope::new(project) }
    }
}

/// What judges said and did.
#[derive(Clone)]
pub struct Judgements<'a> {
    store: &'a Store,
    scope: Scope,
}

impl Judgements<'_> {
    /// Keeps what the judge with this identity said, in place of what it said before.
    pub async fn keep(&self, identity: &str, opinions: Vec<JudgeOpinion>) -> Result<(), StoreError> {
        let identity = identity.to_owned();
        self.store
            .write(move |tx| {
                let mut insert = tx.prepare_cached(
                    "INSERT INTO judge_opinions (item, identity, verdict, level, reasoning, created_ns)
                     SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE EXISTS (SELECT 1 FROM annotation_items WHERE id = ?1)
                     ON CONFLICT (item, identity) DO UPDATE SET verdict = excluded.verdict, level = excluded.level,
                        reasoning = excluded.reasoning, created_ns = excluded.created_ns",
                )?;
                for opinion in &opinions {
                    insert.execute(params![
                        opinion.item,
                        identity,
                        opinion.verdict.to_string(),
                        opinion.level,
                        opinion.reasoning,
                        Timestamp::now().0
                    ])?;
                }
                Ok(())
            })
            .await
    }

    /// All items of a queue with people's labels, each with what the judge of this identity said of it, oldest first.
    pub async fn pairs(
        &self,
        queue: i64,
        identity: &str,
    ) -> Result<Vec<(AnnotationItem, Option<JudgeOpinion>)>, StoreError> {
        let identity = identity.to_owned();
        self.store
            .read(move |conn| {
                let mut query = conn.prepare_cached(
                    "SELECT o.item, o.verdict, o.level, o.reasoning FROM judge_opinions AS o
                     JOIN annotation_items AS i ON i.id = o.item WHERE i.queue = ?1 AND o.identity = ?2",
                )?;
                let mut said: HashMap<i64, JudgeOpinion> = query
                    .query_map(params![queue, identity], |row| {
                        let opinion = JudgeOpinion {
                            item: row.get(0)?,
                            verdict: json(&row.get::<_, String>(1)?),
                            level: row.get(2)?,
                            reasoning: row.get(3)?,
                        };
                        Ok((opinion.item, opinion))
                    })?
                    .collect::<rusqlite::Result<_>>()?;
                let items = all(conn, queue)?;
                Ok(items
                    .into_iter()
                    .map(|item| {
                        let said = said.remove(&item.id);
                        (item, said)
                    })
                    .collect())
            })
            .await
    }

    /// Keeps what was found out about a judge; gives its number.
    pub async fn keep_check(&self, new: NewCheck) -> Result<i64, StoreError> {
        let scope = self.scope.clone();
        self.store
            .write_synced(move |tx| {
                tx.prepare_cached(
                    "INSERT INTO judge_checks (project, judge, identity, queue, spec, report, created_ns)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
                )?
                .execute(params![
                    scope.project().unwrap_or(&new.project),
                    new.judge,
                    new.identity,
                    new.queue,
                    new.spec.to_string(),
                    new.report.to_string(),
                    Timestamp::now().0
                ])?;
                Ok(tx.last_insert_rowid())
            })
            .await
    }

    /// The newest check of each judge, by name.
    pub async fn judges(&self) -> Result<Vec<JudgeCheck>, StoreError> {
        self.checks_where(
            "(?1 IS NULL OR project = ?1) AND seq = (SELECT max(seq) FROM judge_checks AS n
                WHERE n.project = c.project AND n.judge = c.judge) AND ?2 IS NULL
             ORDER BY judge, project LIMIT ?3",
            None,
            1_000,
        )
        .await
    }

    /// The checks of a judge, newest first, at most `limit`.
    pub async fn checks(&self, judge: &str, limit: usize) -> Result<Vec<JudgeCheck>, StoreError> {
        self.checks_where(
            "(?1 IS NULL OR project = ?1) AND judge = ?2 ORDER BY seq DESC LIMIT ?3",
            Some(judge.to_owned()),
            limit,
        )
        .await
    }

    async fn checks_where(
        &self,
        clause: &'static str,
        judge: Option<String>,
        limit: usize,
    ) -> Result<Vec<JudgeCheck>, StoreError> {
        let scope = self.scope.clone();
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        self.store
            .read(move |conn| {
                let mut query = conn.prepare_cached(&format!("{COLUMNS} WHERE {clause}"))?;
                let rows = query.query_map(params![scope.project(), judge, limit], read_check)?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }

    /// The check of this number.
    pub async fn check(&self, seq: i64) -> Result<Option<JudgeCheck>, StoreError> {
        let scope = self.scope.clone();
        self.store
            .read(move |conn| {
                let mut query = conn
                    .prepare_cached(&format!("{COLUMNS} WHERE seq = ?1 AND (?2 IS NULL OR project = ?2)"))?;
                Ok(query.query_row(params![seq, scope.project()], read_check).optional()?)
            })
            .await
    }

    /// Adds to what rules did on their days.
    pub async fn count(&self, days: Vec<ScoringDay>) -> Result<(), StoreError> {
        self.store
            .write(move |tx| {
                let mut insert = tx.prepare_cached(
                    "INSERT INTO scoring_days (project, rule, day, seen, chosen, scored, unscored, over, queued, sum,
                        squares, cost, identity)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
                     ON CONFLICT (project, rule, day, identity) DO UPDATE SET seen = seen + excluded.seen,
                        chosen = chosen + excluded.chosen, scored = scored + excluded.scored,
                        unscored = unscored + excluded.unscored, over = over + excluded.over,
                        queued = queued + excluded.queued, sum = sum + excluded.sum,
                        squares = squares + excluded.squares, cost = cost + excluded.cost",
                )?;
                for day in &days {
                    insert.execute(params![
                        day.project,
                        day.rule,
                        day.day,
                        day.seen,
                        day.chosen,
                        day.scored,
                        day.unscored,
                        day.over,
                        day.queued,
                        day.sum,
                        day.squares,
                        day.cost.0,
                        day.identity
                    ])?;
                }
                Ok(())
            })
            .await
    }

    /// What rules did since a day, newest day first, then by rule.
    pub async fn days(&self, since: &str) -> Result<Vec<ScoringDay>, StoreError> {
        let (scope, since) = (self.scope.clone(), since.to_owned());
        self.store
            .read(move |conn| {
                let mut query = conn.prepare_cached(
                    "SELECT project, rule, day, seen, chosen, scored, unscored, over, queued, sum, squares, cost,
                        identity
                     FROM scoring_days WHERE day >= ?1 AND (?2 IS NULL OR project = ?2)
                     ORDER BY day DESC, rule, project, identity",
                )?;
                let rows = query.query_map(params![since, scope.project()], |row| {
                    Ok(ScoringDay {
                        project: row.get(0)?,
                        rule: row.get(1)?,
                        day: row.get(2)?,
                        seen: row.get(3)?,
                        chosen: row.get(4)?,
                        scored: row.get(5)?,
                        unscored: row.get(6)?,
                        over: row.get(7)?,
                        queued: row.get(8)?,
                        sum: row.get(9)?,
                        squares: row.get(10)?,
                        cost: NanoDollars(row.get(11)?),
                        identity: row.get(12)?,
                    })
                })?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }
}

const COLUMNS: &str =
    "SELECT seq, project, judge, identity, queue, spec, report, created_ns FROM judge_checks AS c";

fn read_check(row: &Row<'_>) -> rusqlite::Result<JudgeCheck> {
    Ok(JudgeCheck {
        seq: row.get(0)?,
        found: NewCheck {
            project: row.get(1)?,
            judge: row.get(2)?,
            identity: row.get(3)?,
            queue: row.get(4)?,
            spec: json(&row.get::<_, String>(5)?),
            report: json(&row.get::<_, String>(6)?),
        },
        created: Timestamp(row.get(7)?),
    })
}
