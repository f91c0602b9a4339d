//! Sessions: conversations, summed up over the traces that are their turns.
//!
//! A list goes through the sessions by their newest trace; a filter picks those of which some trace matches, by
//! going through the traces. Sums are over all traces of a session, matching or not.

use crate::StoreError;
use crate::query::{Conditions, TraceQuery};
use crate::row::TraceRow;
use crate::traces::{self, PATIENCE, Scope, Traces};
use hanok_base::{NanoDollars, Timestamp};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use std::time::Instant;

/// A session, summed up.
#[derive(Clone, Debug, PartialEq)]
pub struct SessionRow {
    /// The name its callers gave it.
    pub name: String,
    /// The project it belongs to.
    pub project: Option<String>,
    /// When its first trace began.
    pub first: Timestamp,
    /// When its last trace ended.
    pub last: Timestamp,
    /// Traces.
    pub traces: u64,
    /// Traces that failed.
    pub errors: u64,
    /// Tokens of all prompts; `None` when no provider said.
    pub input_tokens: Option<u64>,
    /// Tokens of all answers; likewise.
    pub output_tokens: Option<u64>,
    /// What its priced spans cost together; `None` when none is priced.
    pub cost: Option<NanoDollars>,
    /// The person its last trace was made for.
    pub user: Option<String>,
    /// The beginning of what was asked last.
    pub input_preview: Option<String>,
    /// The beginning of what was answered last.
    pub output_preview: Option<String>,
}

/// A page of sessions.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct SessionRows {
    /// The one with the newest trace first.
    pub rows: Vec<SessionRow>,
    /// Where to go on; `None` at the end. Not `None` does not promise that more match.
    pub next: Option<i64>,
}

impl Traces<'_> {
    /// A page of at most `limit` sessions of which some trace matches, and is older than `before`.
    pub async fn sessions(
        &self,
        query: TraceQuery,
        before: Option<i64>,
        limit: usize,
    ) -> Result<SessionRows, StoreError> {
        let scope = self.scope.clone();
        self.store.read(move |conn| list(conn, &scope, &query, before, limit)).await
    }

    /// The sessions of this name, one a project, each with its newest traces in the order they began, at most
    /// `limit`.
    pub async fn session(
        &self,
        name: String,
        limit: usize,
    ) -> Result<Vec<(SessionRow, Vec<TraceRow>)>, StoreError> {
        let scope = self.scope.clone();
        self.store
            .read(move |conn| {
                let mut statement = conn.prepare_cached("SELECT id FROM sessions WHERE name = ?1")?;
                let ids = statement.query_map([&name], |row| row.get(0))?;
                let ids: Vec<i64> = ids.collect::<rusqlite::Result<_>>()?;
                let mut found = Vec::new();
                for id in ids {
                    if let Some(session) =
                        summed(conn, id)?.filter(|session| scope.sees(session.project.as_deref()))
                    {
                        found.push((session, turns(conn, id, limit)?));
                    }
                }
                Ok(found)
            })
            .await
    }
}

fn list(
    conn: &Connection,
    scope: &Scope,
    query: &TraceQuery,
    before: Option<i64>,
    limit: usize,
) -> Result<SessionRows, StoreError> {
    let mut page = SessionRows::default();
    let before = before.unwrap_or(i64::MAX);
    if *query == TraceQuery::default() {
        let mut values = vec![Sql::Integer(before), traces::integer(limit)];
        let within = match scope.project() {
            None => String::new(),
            Some("") => " AND project = 0".to_owned(),
            Some(project) => {
                values.push(Sql::Text(project.to_owned()));
                " AND project = (SELECT id FROM names WHERE text = ?3)".to_owned()
            }
        };
        let sql = format!(
            "SELECT last_seq, id FROM sessions WHERE last_seq < ?1{within} ORDER BY last_seq DESC LIMIT ?2"
        );
        let found = pairs(conn, &sql, values)?;
        page.next = found.last().filter(|_| found.len() == limit).map(|(seq, _)| *seq);
        for (_, id) in found {
            page.rows.extend(summed(conn, id)?);
        }
        return Ok(page);
    }
    let newest: Option<i64> = conn.query_row("SELECT max(seq) FROM traces", [], |row| row.get(0))?;
    let oldest: Option<i64> = conn.query_row("SELECT min(seq) FROM traces", [], |row| row.get(0))?;
    let (Some(newest), Some(oldest)) = (newest, oldest) else { return Ok(page) };
    let mut values = vec![Sql::Null, Sql::Null];
    let conditions = Conditions::of(conn, query, &mut values)?;
    let (filter, from) = (&conditions.sql, conditions.from("traces AS t"));
    let (_, within) = scope.sql(&mut values);
    let step = format!(
        "SELECT t.seq, t.session FROM {from}
         WHERE t.seq < ?1 AND t.seq >= ?2 AND t.session IS NOT NULL{within}{filter} ORDER BY t.seq DESC"
    );
    // A session is where its newest trace is that matches.
    let newer = format!(
        "SELECT t.seq, t.session FROM traces AS t INDEXED BY traces_by_session
         WHERE t.seq > ?1 AND t.session = ?2{within}{filter} LIMIT 1"
    );
    let with = |first: i64, second: i64| {
        let both = [Sql::Integer(first), Sql::Integer(second)];
        both.into_iter().chain(values.iter().skip(2).cloned()).collect::<Vec<_>>()
    };
    let mut upper = before.min(newest + 1);
    let began = Instant::now();
    while upper > oldest && page.rows.len() < limit && began.elapsed() < PATIENCE {
        let lower = oldest.max(upper.saturating_sub(conditions.step));
        let mut stopped = lower;
        for (seq, id) in pairs(conn, &step, with(upper, lower))? {
            if page.rows.len() == limit || began.elapsed() >= PATIENCE {
                stopped = seq + 1;
                break;
            }
            if pairs(conn, &newer, with(seq, id))?.is_empty() {
                page.rows.extend(summed(conn, id)?);
            }
        }
        upper = stopped;
    }
    page.next = (upper > oldest).then_some(upper);
    Ok(page)
}

fn pairs(conn: &Connection, sql: &str, values: Vec<Sql>) -> Result<Vec<(i64, i64)>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A session with its sums; `None` when it has no trace any more.
fn summed(conn: &Connection, id: i64) -> Result<Option<SessionRow>, StoreError> {
    let found = conn
        .prepare_cached(
            "SELECT session.name, project.text, min(t.start_ns), max(t.start_ns + t.duration_ns), count(*),
                sum(t.status), sum(t.input_tokens), sum(t.output_tokens), sum(t.cost_nano)
             FROM sessions AS session JOIN traces AS t INDEXED BY traces_by_session ON t.session = session.id
             LEFT JOIN names AS project ON project.id = session.project
             WHERE session.id = ?1 GROUP BY session.id",
        )?
        .query_row([id], |row| {
            Ok(SessionRow {
                name: row.get(0)?,
                project: row.get(1)?,
                first: Timestamp(row.get(2)?),
                last: Timestamp(row.get(3)?),
                traces: row.get(4)?,
                errors: row.get(5)?,
                input_tokens: row.get(6)?,
                output_tokens: row.get(7)?,
                cost: row.get::<_, Option<i64>>(8)?.map(NanoDollars),
                user: None,
                input_preview: None,
                output_preview: None,
            })
        })
        .optional()?;
    let Some(mut session) = found else { return Ok(None) };
    (session.user, session.input_preview, session.output_preview) = conn
        .prepare_cached(
            "SELECT user.name, t.input_preview, t.output_preview
             FROM traces AS t INDEXED BY traces_by_session LEFT JOIN users AS user ON user.id = t.user
             WHERE t.session = ?1 ORDER BY t.start_ns DESC, t.seq DESC LIMIT 1",
        )?
        .query_row([id], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(Some(session))
}

fn turns(conn: &Connection, id: i64, limit: usize) -> Result<Vec<TraceRow>, StoreError> {
    let rest = "WHERE t.session = ?1 ORDER BY t.seq DESC LIMIT ?2";
    let sql = traces::row_sql("traces AS t INDEXED BY traces_by_session", rest);
    let mut rows = traces::read_rows(conn, &sql, vec![Sql::Integer(id), traces::integer(limit)])?;
    rows.sort_by_key(|row| (row.start, row.seq));
    Ok(rows)
}
