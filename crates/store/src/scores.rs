//! Scores: what people, clients and judges think of a trace, a span or a session; and the filters people keep.
//!
//! A score may come before its trace, so it knows its trace by id. One that was made in a project is shown there
//! only; one of no project, which only admins can make, wherever its trace is.

use crate::traces::{Scope, integer};
use crate::{Store, StoreError};
use hanok_base::{SpanId, Timestamp, TraceId};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, Transaction, params, params_from_iter};
use std::sync::Arc;

/// What a score is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScoreTarget {
    /// A trace.
    Trace(TraceId),
    /// A span of a trace.
    Span(TraceId, SpanId),
    /// A session, by its name.
    Session(String),
}

pub use hanok_base::ScoreValue;

fn columns(value: &ScoreValue) -> (i64, Option<f64>, Option<&str>) {
    match value {
        ScoreValue::Number(number) => (0, Some(*number), None),
        ScoreValue::Truth(yes) => (1, Some(f64::from(u8::from(*yes))), None),
        ScoreValue::Label(label) => (2, None, Some(label)),
    }
}

fn read_value(kind: i64, value: Option<f64>, label: Option<String>) -> ScoreValue {
    match (kind, value, label) {
        (1, Some(value), _) => ScoreValue::Truth(value > 0.5),
        (_, Some(value), _) => ScoreValue::Number(value),
        (_, None, label) => ScoreValue::Label(label.unwrap_or_default()),
    }
}

/// A score.
#[derive(Clone, Debug, PartialEq)]
pub struct Score {
    /// Tells the scores of a project apart: another one of this id takes its place.
    pub id: String,
    /// The project it was made in; `None` for none.
    pub project: Option<String>,
    /// What it is of.
    pub target: ScoreTarget,
    /// What was asked.
    pub name: String,
    /// The answer.
    pub value: ScoreValue,
    /// Why.
    pub comment: Option<String>,
    /// `person`, `client` or `judge`.
    pub source: String,
    /// The name of the key it was made with.
    pub author: Option<String>,
    /// When.
    pub created: Timestamp,
}

/// Which scores are wanted; `None` wants any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScoreQuery {
    /// Of this trace and its spans.
    pub trace_id: Option<TraceId>,
    /// Of this session.
    pub session: Option<String>,
    /// Of this name.
    pub name: Option<String>,
    /// From this source.
    pub source: Option<String>,
}

/// A filter that somebody keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SavedView {
    /// Its number.
    pub id: i64,
    /// The project it is kept in; `None` for none.
    pub project: Option<String>,
    /// What it is called.
    pub name: String,
    /// The filter.
    pub filter: String,
    /// When it was kept, or changed.
    pub created: Timestamp,
}

impl Store {
    /// Scores and saved views of this project; `None` for all.
    pub fn scores(&self, project: Option<Arc<str>>) -> Scores<'_> {
        Scores { store: self, scope: Scope::new(project) }
    }
}

/// The scores and saved views in a store.
#[derive(Clone)]
pub struct Scores<'a> {
    store: &'a Store,
    scope: Scope,
}

impl Scores<'_> {
    /// Keeps a score, on the disk when this returns; `None` when its trace is not one of the project's. The project
    /// is the one these scores are of; without one, the score's, or else its trace's.
    pub async fn put(&self, score: Score) -> Result<Option<Score>, StoreError> {
        let scope = self.scope.clone();
        self.store.write_synced(move |tx| put(tx, &scope, score.clone())).await
    }

    /// At most `limit` scores older than the one numbered `before`, newest first; and where to go on.
    pub async fn list(
        &self,
        query: ScoreQuery,
        before: Option<i64>,
        limit: usize,
    ) -> Result<(Vec<Score>, Option<i64>), StoreError> {
        let scope = self.scope.clone();
        self.store
            .read(move |conn| {
                let mut values = vec![Sql::Integer(before.unwrap_or(i64::MAX))];
                let mut clauses = Vec::new();
                let mut and = |clause: &str, value: Option<Sql>| {
                    if let Some(value) = value {
                        values.push(value);
                        clauses.push(format!(" AND {clause}{}", values.len()));
                    }
                };
                let trace_id = query.trace_id.as_ref().map(|id| Sql::Blob(id.as_bytes().to_vec()));
                and("s.trace_id = ?", trace_id);
                and("s.session = ?", query.session.map(Sql::Text));
                and("s.source = ?", query.source.map(Sql::Text));
                and("name.text = ?", query.name.map(Sql::Text));
                if let Some(project) = scope.project() {
                    and("coalesce(project.text, '') = ?", Some(Sql::Text(project.to_owned())));
                }
                values.push(integer(limit));
                let limit_at = values.len();
                let rest =
                    format!("WHERE s.seq < ?1{} ORDER BY s.seq DESC LIMIT ?{limit_at}", clauses.concat());
                let found = read(conn, &rest, values)?;
                let next = found.last().filter(|_| found.len() == limit).map(|(seq, _)| *seq);
                Ok((found.into_iter().map(|(_, score)| score).collect(), next))
            })
            .await
    }

    /// The number of the newest score; 0 of none.
    pub async fn newest(&self) -> Result<i64, StoreError> {
        self.store
            .read(|conn| {
                let mut query = conn.prepare_cached("SELECT coalesce(max(seq), 0) FROM scores")?;
                Ok(query.query_row([], |row| row.get(0))?)
            })
            .await
    }

    /// The scores after the one numbered `after`, oldest first, at most `limit`, with their numbers.
    pub async fn after(&self, after: i64, limit: usize) -> Result<Vec<(i64, Score)>, StoreError> {
        let scope = self.scope.clone();
        self.store
            .read(move |conn| {
                let rest = "WHERE s.seq > ?1 AND (?2 IS NULL OR coalesce(project.text, '') = ?2)
                    ORDER BY s.seq LIMIT ?3";
                let project = scope.project().map_or(Sql::Null, |project| Sql::Text(project.to_owned()));
                read(conn, rest, vec![Sql::Integer(after), project, integer(limit)])
            })
            .await
    }

    /// The scores of a trace and its spans, oldest first. `project` is the trace's.
    pub async fn of_trace(
        &self,
        trace_id: TraceId,
        project: Option<String>,
    ) -> Result<Vec<Score>, StoreError> {
        self.of("s.trace_id = ?1", Sql::Blob(trace_id.as_bytes().to_vec()), project).await
    }

    /// The scores of a session, oldest first. `project` is the session's.
    pub async fn of_session(&self, name: String, project: Option<String>) -> Result<Vec<Score>, StoreError> {
        self.of("s.session = ?1", Sql::Text(name), project).await
    }

    async fn of(
        &self,
        what: &'static str,
        value: Sql,
        project: Option<String>,
    ) -> Result<Vec<Score>, StoreError> {
        self.store
            .read(move |conn| {
                let rest = format!(
                    "WHERE {what} AND (s.project = 0 OR project.text = ?2) ORDER BY s.seq LIMIT 1000"
                );
                let project = project.map_or(Sql::Null, Sql::Text);
                Ok(read(conn, &rest, vec![value, project])?.into_iter().map(|(_, score)| score).collect())
            })
            .await
    }

    /// Deletes the score of this id; whether there was one.
    pub async fn remove(&self, id: String) -> Result<bool, StoreError> {
        self.delete("DELETE FROM scores WHERE id = ?1", Sql::Text(id)).await
    }

    /// Keeps a filter under a name; another one of that name takes its place.
    pub async fn keep_view(&self, view: SavedView) -> Result<SavedView, StoreError> {
        let scope = self.scope.clone();
        self.store
            .write_synced(move |tx| {
                let project = scope.project().or(view.project.as_deref()).unwrap_or_default();
                let id = tx
                    .prepare_cached(
                        "INSERT INTO views (project, name, filter, created_ns) VALUES (?1, ?2, ?3, ?4)
                         ON CONFLICT (project, name) DO UPDATE SET
                            filter = excluded.filter, created_ns = excluded.created_ns
                         RETURNING id",
                    )?
                    .query_row(
                        params![project_id(tx, project)?, view.name, view.filter, view.created.0],
                        |row| row.get(0),
                    )?;
                Ok(SavedView { id, project: some(project), ..view.clone() })
            })
            .await
    }

    /// The kept filters, by name.
    pub async fn views(&self) -> Result<Vec<SavedView>, StoreError> {
        let scope = self.scope.clone();
        self.store
            .read(move |conn| {
                let mut statement = conn.prepare_cached(
                    "SELECT v.id, project.text, v.name, v.filter, v.created_ns
                     FROM views AS v LEFT JOIN names AS project ON project.id = v.project
                     WHERE ?1 IS NULL OR coalesce(project.text, '') = ?1 ORDER BY v.name, v.id",
                )?;
                let rows = statement.query_map([scope.project()], |row| {
                    Ok(SavedView {
                        id: row.get(0)?,
                        project: row.get(1)?,
                        name: row.get(2)?,
                        filter: row.get(3)?,
                        created: Timestamp(row.get(4)?),
                    })
                })?;
                Ok(rows.collect::<rusqlite::Result<_>>()?)
            })
            .await
    }

    /// Forgets a kept filter; whether there was one.
    pub async fn remove_view(&self, id: i64) -> Result<bool, StoreError> {
        self.delete("DELETE FROM views WHERE id = ?1", Sql::Integer(id)).await
    }

    async fn delete(&self, sql: &'static str, value: Sql) -> Result<bool, StoreError> {
        let scope = self.scope.clone();
        self.store
            .write_synced(move |tx| {
                let mut values = vec![value.clone()];
                let within = match scope.project() {
                    None => "",
                    Some(project) => {
                        values.push(Sql::Integer(project_id(tx, project)?));
                        " AND project = ?2"
                    }
                };
                let gone = tx.prepare_cached(&format!("{sql}{within}"))?.execute(params_from_iter(values))?;
                Ok(gone > 0)
            })
            .await
    }
}

fn put(tx: &Transaction<'_>, scope: &Scope, score: Score) -> Result<Option<Score>, StoreError> {
    let trace_id = match &score.target {
        ScoreTarget::Trace(id) | ScoreTarget::Span(id, _) => Some(id),
        ScoreTarget::Session(_) => None,
    };
    // The outer one: whether the trace is here; the inner one: whether it has a project.
    let of_trace: Option<Option<String>> = match trace_id {
        Some(id) => tx
            .prepare_cached(
                "SELECT project.text FROM traces AS t LEFT JOIN names AS project ON project.id = t.project
                 WHERE t.trace_id = ?1",
            )?
            .query_row([id.as_bytes()], |row| row.get(0))
            .optional()?,
        None => None,
    };
    if of_trace.as_ref().is_some_and(|project| !scope.sees(project.as_deref())) {
        return Ok(None);
    }
    let project = match scope.project() {
        Some(project) => some(project),
        None => score.project.clone().or(of_trace.flatten()),
    };
    let (kind, value, label) = columns(&score.value);
    let (span_id, session) = match &score.target {
        ScoreTarget::Trace(_) => (None, None),
        ScoreTarget::Span(_, span) => (Some(i64::from_be_bytes(*span.as_bytes())), None),
        ScoreTarget::Session(name) => (None, Some(name)),
    };
    tx.prepare_cached(
        "INSERT INTO scores (project, id, trace_id, span_id, session, name, kind, value, label, comment, source,
            author, created_ns)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)
         ON CONFLICT (project, id) DO UPDATE SET
            trace_id = excluded.trace_id, span_id = excluded.span_id, session = excluded.session,
            name = excluded.name, kind = excluded.kind, value = excluded.value, label = excluded.label,
            comment = excluded.comment, source = excluded.source, author = excluded.author,
            created_ns = excluded.created_ns",
    )?
    .execute(params![
        project_id(tx, project.as_deref().unwrap_or_default())?,
        score.id,
        trace_id.map(TraceId::as_bytes),
        span_id,
        session,
        name_id(tx, &score.name)?,
        kind,
        value,
        label,
        score.comment,
        score.source,
        score.author,
        score.created.0,
    ])?;
    Ok(Some(Score { project, ..score }))
}

fn read(conn: &Connection, rest: &str, values: Vec<Sql>) -> Result<Vec<(i64, Score)>, StoreError> {
    let sql = format!(
        "SELECT s.seq, s.id, project.text, s.trace_id, s.span_id, s.session, name.text, s.kind, s.value, s.label,
            s.comment, s.source, s.author, s.created_ns
         FROM scores AS s LEFT JOIN names AS project ON project.id = s.project
         LEFT JOIN names AS name ON name.id = s.name {rest}"
    );
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| Ok((row.get(0)?, score(row)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn score(row: &Row<'_>) -> rusqlite::Result<Score> {
    let trace_id = row.get::<_, Option<[u8; 16]>>(3)?.map(TraceId::from_bytes);
    let span_id = row.get::<_, Option<i64>>(4)?.map(crate::insert::span_id);
    let session: Option<String> = row.get(5)?;
    Ok(Score {
        id: row.get(1)?,
        project: row.get(2)?,
        target: match (trace_id, span_id) {
            (Some(trace), Some(span)) => ScoreTarget::Span(trace, span),
            (Some(trace), None) => ScoreTarget::Trace(trace),
            (None, _) => ScoreTarget::Session(session.unwrap_or_default()),
        },
        name: row.get::<_, Option<String>>(6)?.unwrap_or_default(),
        value: read_value(row.get(7)?, row.get(8)?, row.get(9)?),
        comment: row.get(10)?,
        source: row.get(11)?,
        author: row.get(12)?,
        created: Timestamp(row.get(13)?),
    })
}

fn some(project: &str) -> Option<String> {
    Some(project).filter(|project| !project.is_empty()).map(ToOwned::to_owned)
}

/// The row of a project; 0 for the empty name.
fn project_id(tx: &Transaction<'_>, project: &str) -> Result<i64, StoreError> {
    if project.is_empty() { Ok(0) } else { name_id(tx, project) }
}

fn name_id(tx: &Transaction<'_>, text: &str) -> Result<i64, StoreError> {
    tx.prepare_cached("INSERT INTO names (text) VALUES (?1) ON CONFLICT (text) DO NOTHING")?
        .execute([text])?;
    Ok(tx.prepare_cached("SELECT id FROM names WHERE text = ?1")?.query_row([text], |row| row.get(0))?)
}
