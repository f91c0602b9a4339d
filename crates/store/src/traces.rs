//! Traces out: lists, one trace, what is new, sums over time.
//!
//! Lists go through the traces from the newest to older ones by sequence number, so a page costs the same
//! however many traces there are. A filter reads the rows it passes over (about 0.2 µs each); when matches
//! are so rare that a page is not full after [`PATIENCE`], the page ends early, with a cursor to go on from.
//!
//! Every query may be restricted to a project: it then sees that project's traces and no others, by an index.

use crate::StoreError;
use crate::blobs;
use crate::insert::first_span;
use crate::labels;
use crate::names::Texts;
use crate::query::{Conditions, TraceQuery};
use crate::row::{Bodies, Slot, StoredSpan, StoredTrace, TraceRow};
use crate::spans::{self, PackedSpan};
use crate::store::Store;
use crate::tokens;
use hanok_base::{NanoDollars, Object, SpanStatus, Timestamp, TraceId, Usage};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, Row, params, params_from_iter};
use serde_json::Value;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How long a page is looked for before it is given out unfilled.
pub(crate) const PATIENCE: Duration = Duration::from_millis(200);
const MINUTE_NS: i64 = 60_000_000_000;

/// A page of traces.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TraceRows {
    /// Newest first.
    pub rows: Vec<TraceRow>,
    /// Where to go on; `None` at the end. Not `None` does not promise that more match.
    pub next: Option<i64>,
}

/// A stretch of time and what happened to the traces that began in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// When it begins.
    pub start: Timestamp,
    /// Traces.
    pub traces: u64,
    /// Traces that failed.
    pub errors: u64,
    /// Spans.
    pub spans: u64,
    /// Tokens of prompts.
    pub input_tokens: u64,
    /// Tokens of answers.
    pub output_tokens: u64,
    /// What the priced ones cost.
    pub cost: NanoDollars,
}

/// How much is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Traces.
    pub traces: u64,
    /// Spans.
    pub spans: u64,
    /// Bytes of the file, the write-ahead log aside.
    pub file_bytes: u64,
}

/// Queries over the recorded traces.
#[derive(Clone)]
pub struct Traces<'a> {
    pub(crate) store: &'a Store,
    pub(crate) scope: Scope,
}

impl<'a> Traces<'a> {
    pub(crate) fn new(store: &'a Store) -> Self {
        Self { store, scope: Scope(None) }
    }

    /// The same, of this project only; the empty name is that of traces without a project. `None` is all of them.
    #[must_use]
    pub fn of(self, project: Option<Arc<str>>) -> Self {
        Self { scope: Scope(project), ..self }
    }

    pub(crate) fn store(&self) -> &Store {
        self.store
    }

    pub(crate) fn scope(&self) -> Scope {
        self.scope.clone()
    }

    /// Whose traces are seen; `None` is everybody's.
    pub(crate) fn project(&self) -> Option<Arc<str>> {
        self.scope.0.clone()
    }

    /// A page of at most `limit` traces older than `before`, newest first.
    pub async fn list(
        &self,
        query: TraceQuery,
        before: Option<i64>,
        limit: usize,
    ) -> Result<TraceRows, StoreError> {
        let scope = self.scope.clone();
        self.store.read(move |conn| list(conn, &scope, &query, before, 0, limit)).await
    }

    /// The newest traces that arrived after `seq`, at most `limit`, oldest first.
    pub async fn recent(&self, seq: i64, limit: usize) -> Result<Vec<TraceRow>, StoreError> {
        let scope = self.scope.clone();
        self.store
            .read(move |conn| {
                let mut values = vec![Sql::Integer(seq), integer(limit)];
                let (from, within) = scope.sql(&mut values);
                let sql = row_sql(from, &format!("WHERE t.seq > ?1{within} ORDER BY t.seq DESC LIMIT ?2"));
                let mut rows = read_rows(conn, &sql, values)?;
                rows.reverse();
                Ok(rows)
            })
            .await
    }

    /// One trace with its spans, and with the large values asked for.
    pub async fn get(&self, trace_id: TraceId, bodies: Bodies) -> Result<Option<StoredTrace>, StoreError> {
        let scope = self.scope.clone();
        self.store.read(move |conn| get(conn, &scope, trace_id, bodies)).await
    }

    /// The ids of the traces that arrived just after and just before this one.
    pub async fn neighbours(&self, seq: i64) -> Result<(Option<TraceId>, Option<TraceId>), StoreError> {
        let scope = self.scope.clone();
        self.store
            .read(move |conn| {
                let one = |is: &str, order: &str| -> rusqlite::Result<Option<TraceId>> {
                    let mut values = vec![Sql::Integer(seq)];
                    let (from, within) = scope.sql(&mut values);
                    let sql = format!(
                        "SELECT t.trace_id FROM {from} WHERE t.seq {is} ?1{within} ORDER BY t.seq {order} LIMIT 1"
                    );
                    conn.prepare_cached(&sql)?
                        .query_row(params_from_iter(values), |row| Ok(TraceId::from_bytes(row.get(0)?)))
                        .optional()
                };
                Ok((one(">", "ASC")?, one("<", "DESC")?))
            })
            .await
    }

    /// What happened from `since` until `until`, in at most `buckets` stretches of equal length, whole
    /// minutes each. Stretches without traces are there too.
    pub async fn rate(
        &self,
        since: Timestamp,
        until: Timestamp,
        buckets: usize,
    ) -> Result<Vec<Bucket>, StoreError> {
        let scope = self.scope.clone();
        self.store.read(move |conn| rate(conn, &scope, since, until, buckets)).await
    }

    /// The sums over everything that began at `since` (rounded down to the minute) or later.
    pub async fn totals(&self, since: Timestamp) -> Result<Bucket, StoreError> {
        let scope = self.scope.clone();
        self.store
            .read(move |conn| {
                let first = since.0.div_euclid(MINUTE_NS);
                let sums = sums(conn, &scope, first, i64::MAX / MINUTE_NS, i64::MAX)?;
                Ok(Bucket { start: since, ..sums.first().map(|(_, sums)| *sums).unwrap_or_default() })
            })
            .await
    }

    /// How much is stored; the file's bytes are everybody's.
    pub async fn counts(&self) -> Result<Counts, StoreError> {
        let scope = self.scope.clone();
        self.store
            .read(move |conn| {
                let sums = sums(conn, &scope, i64::MIN / MINUTE_NS, i64::MAX / MINUTE_NS, i64::MAX)?;
                let (traces, spans) = sums
                    .iter()
                    .fold((0, 0), |(traces, spans), (_, sums)| (traces + sums.traces, spans + sums.spans));
                let gone: (u64, u64) = match scope.0 {
                    // The sums by minute count what is gone as well.
                    None => conn.query_row("SELECT traces, spans FROM forgotten", [], |row| {
                        Ok((row.get(0)?, row.get(1)?))
                    })?,
                    Some(_) => (0, 0),
                };
                let (traces, spans): (u64, u64) = (traces, spans);
                let (traces, spans) = (traces.saturating_sub(gone.0), spans.saturating_sub(gone.1));
                let file_bytes = conn.query_row(
                    "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
                    [],
                    |row| row.get(0),
                )?;
                Ok(Counts { traces, spans, file_bytes })
            })
            .await
    }
}

/// Whose traces are seen; `None` is everybody's.
#[derive(Clone)]
pub(crate) struct Scope(Option<Arc<str>>);

impl Scope {
    pub(crate) fn new(project: Option<Arc<str>>) -> Self {
        Self(project)
    }

    /// The project all is of; empty for what is of none. `None` is everything.
    pub(crate) fn project(&self) -> Option<&str> {
        self.0.as_deref()
    }

    /// Whether what is of this project is seen.
    pub(crate) fn sees(&self, project: Option<&str>) -> bool {
        self.0.as_deref().is_none_or(|only| only == project.unwrap_or_default())
    }

    /// What to select from, and the condition on `t` with its value.
    pub(crate) fn sql(&self, values: &mut Vec<Sql>) -> (&'static str, String) {
        match self.0.as_deref() {
            None => ("traces AS t", String::new()),
            Some("") => ("traces AS t", " AND t.project IS NULL".to_owned()),
            Some(project) => {
                values.push(Sql::Text(project.to_owned()));
                let is = format!(" AND t.project = (SELECT id FROM names WHERE text = ?{})", values.len());
                // Said, not left to the planner: without statistics it cannot know which of two ranges is shorter.
                ("traces AS t INDEXED BY traces_by_project", is)
            }
        }
    }
}

pub(crate) fn row_sql(from: &str, rest: &str) -> String {
    format!("{ROW} FROM {from} {NAMES} {rest}")
}

const ROW: &str =
    "SELECT t.seq, t.trace_id, name.text, t.start_ns, t.duration_ns, t.status, t.error, model.text,
        provider.text, key.text, t.input_tokens, t.output_tokens, t.cost_nano, t.ttft_ns, t.span_count,
        t.input_preview, t.output_preview, operation.text, key_id.text, project.text,
        session.name, user.name, t.tags, prompt.text, source.text, t.cached_tokens, t.reasoning_tokens";

const NAMES: &str = "LEFT JOIN names AS name ON name.id = t.name
    LEFT JOIN names AS operation ON operation.id = t.operation
    LEFT JOIN names AS model ON model.id = t.model
    LEFT JOIN names AS provider ON provider.id = t.provider
    LEFT JOIN names AS key ON key.id = t.key_name
    LEFT JOIN names AS key_id ON key_id.id = t.key_id
    LEFT JOIN names AS project ON project.id = t.project
    LEFT JOIN sessions AS session ON session.id = t.session
    LEFT JOIN users AS user ON user.id = t.user
    LEFT JOIN names AS prompt ON prompt.id = t.prompt
    LEFT JOIN names AS source ON source.id = t.source";

const SUMS: &str = "coalesce(sum(traces), 0), coalesce(sum(errors), 0), coalesce(sum(spans), 0),
    coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0), coalesce(sum(cost_nano), 0)";

pub(crate) fn list(
    conn: &Connection,
    scope: &Scope,
    query: &TraceQuery,
    before: Option<i64>,
    after: i64,
    limit: usize,
) -> Result<TraceRows, StoreError> {
    // Each by itself: asked for both at once, SQLite reads all rows.
    let range: Option<(i64, i64)> = conn
        .prepare_cached("SELECT (SELECT min(seq) FROM traces), (SELECT max(seq) FROM traces)")?
        .query_row([], |row| Ok(row.get::<_, Option<i64>>(0)?.zip(row.get(1)?)))?;
    let Some((oldest, newest)) = range else {
        return Ok(TraceRows::default());
    };
    let floor = match query.since {
        // A trace arrives after it began: what arrived before then began before then.
        Some(since) => arrived_since(conn, oldest, newest, since.0.div_euclid(1_000_000))?,
        None => oldest,
    };
    let floor = floor.max(after.saturating_add(1));
    let mut upper = before.unwrap_or(i64::MAX).min(newest + 1);
    // The first three are of each step.
    let mut values = vec![Sql::Null, Sql::Null, Sql::Null];
    let conditions = Conditions::of(conn, query, &mut values)?;
    let filter = &conditions.sql;
    let (from, within) = scope.sql(&mut values);
    let from = conditions.from(from);
    let rest = format!("WHERE t.seq < ?1 AND t.seq >= ?2{within}{filter} ORDER BY t.seq DESC LIMIT ?3");
    let sql = row_sql(from, &rest);
    let began = Instant::now();
    let mut page = TraceRows::default();
    while upper > floor && page.rows.len() < limit {
        let lower = if filter.is_empty() { floor } else { floor.max(upper.saturating_sub(conditions.step)) };
        let wanted = limit - page.rows.len();
        let step = [Sql::Integer(upper), Sql::Integer(lower), integer(wanted)];
        let all = step.into_iter().chain(values.iter().skip(3).cloned()).collect();
        let found = read_rows(conn, &sql, all)?;
        upper = match found.last() {
            Some(last) if found.len() == wanted => last.seq,
            _ => lower,
        };
        page.rows.extend(found);
        if began.elapsed() >= PATIENCE {
            break;
        }
    }
    page.next = (upper > floor).then_some(upper);
    Ok(page)
}

/// The sequence number of the first trace that arrived at `ms` or later, by bisection: times of arrival never
/// decrease.
pub(crate) fn arrived_since(conn: &Connection, oldest: i64, newest: i64, ms: i64) -> Result<i64, StoreError> {
    let mut probe =
        conn.prepare_cached("SELECT seq, arrived_ms FROM traces WHERE seq >= ?1 ORDER BY seq LIMIT 1")?;
    let (mut low, mut high) = (oldest, newest + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        let found: Option<(i64, i64)> =
            probe.query_row([middle], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        match found {
            Some((seq, arrived)) if arrived < ms => low = seq + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}

pub(crate) fn integer(count: usize) -> Sql {
    Sql::Integer(i64::try_from(count).unwrap_or(i64::MAX))
}

pub(crate) fn read_rows(conn: &Connection, sql: &str, values: Vec<Sql>) -> Result<Vec<TraceRow>, StoreError> {
    let mut statement = conn.prepare_cached(sql)?;
    let rows = statement.query_map(params_from_iter(values), trace_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn trace_row(row: &Row<'_>) -> rusqlite::Result<TraceRow> {
    Ok(TraceRow {
        seq: row.get(0)?,
        trace_id: TraceId::from_bytes(row.get(1)?),
        name: row.get::<_, Option<String>>(2)?.unwrap_or_default(),
        operation: row.get::<_, Option<String>>(17)?.unwrap_or_default(),
        start: Timestamp(row.get(3)?),
        duration_ns: row.get(4)?,
        status: status(row.get(5)?, row.get(6)?),
        model: row.get(7)?,
        provider: row.get(8)?,
        key_name: row.get(9)?,
        input_tokens: row.get(10)?,
        output_tokens: row.get(11)?,
        cost: row.get::<_, Option<i64>>(12)?.map(NanoDollars),
        ttft_ns: row.get(13)?,
        span_count: row.get(14)?,
        input_preview: row.get(15)?,
        output_preview: row.get(16)?,
        key_id: row.get(18)?,
        project: row.get(19)?,
        session: row.get(20)?,
        user: row.get(21)?,
        tags: row.get_ref(22)?.as_str_or_null().map(labels::read)?,
        prompt: row.get(23)?,
        source: row.get(24)?,
        cached_tokens: row.get(25)?,
        reasoning_tokens: row.get(26)?,
    })
}

pub(crate) fn status(failed: bool, error: Option<String>) -> SpanStatus {
    if failed { SpanStatus::Error(error.unwrap_or_default()) } else { SpanStatus::Ok }
}

fn get(
    conn: &Connection,
    scope: &Scope,
    trace_id: TraceId,
    bodies: Bodies,
) -> Result<Option<StoredTrace>, StoreError> {
    let row = conn
        .prepare_cached(&row_sql("traces AS t", "WHERE t.trace_id = ?1"))?
        .query_row([trace_id.as_bytes()], trace_row)
        .optional()?;
    let Some(row) = row.filter(|row| scope.sees(row.project.as_deref())) else { return Ok(None) };
    let mut statement = conn.prepare_cached(
        "SELECT span_id, parent_id, name, operation, start_ns, duration_ns, status, error, model, provider,
            input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, cost_nano, ttft_ns,
            attributes, bodies, rare_tokens
         FROM spans WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
    )?;
    let mut texts = Texts::default();
    let mut spans = Vec::new();
    for span in spans::read(conn, row.seq)? {
        spans.push(unpacked_span(conn, &mut texts, span)?);
    }
    let mut found = statement.query(params![first_span(row.seq), first_span(row.seq + 1) - 1])?;
    while let Some(found) = found.next()? {
        let span = stored_span(conn, &mut texts, found)?;
        let references = found.get_ref(18)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
        let references = blobs::unpack(references.unwrap_or_default())
            .ok_or_else(|| StoreError::Damaged(format!("span {} of trace {trace_id}", span.span_id)))?;
        spans.push((span, references));
    }
    let mut blobs = blobs::Reader::new(conn);
    let mut with_bodies = Vec::with_capacity(spans.len());
    for (mut span, references) in spans {
        span.has_bodies = !references.is_empty();
        if bodies == Bodies::All || bodies == Bodies::Of(span.span_id) {
            for (slot, id) in references {
                span.bodies.push((slot, blobs.get(id)?));
            }
        }
        with_bodies.push(span);
    }
    Ok(Some(StoredTrace { row, spans: with_bodies }))
}

fn stored_span(conn: &Connection, texts: &mut Texts, row: &Row<'_>) -> Result<StoredSpan, StoreError> {
    let attributes = row.get_ref(17)?.as_str_or_null().map_err(rusqlite::Error::from)?;
    let span_id = crate::insert::span_id(row.get(0)?);
    let mut usage = Usage {
        input: row.get(10)?,
        output: row.get(11)?,
        cached_input: row.get(12)?,
        cache_write: row.get(13)?,
        reasoning: row.get(14)?,
        ..Usage::default()
    };
    if let Some(rare) = row.get_ref(19)?.as_blob_or_null().map_err(rusqlite::Error::from)? {
        tokens::unpack(rare, &mut usage)
            .ok_or_else(|| StoreError::Damaged(format!("the tokens of span {span_id}")))?;
    }
    Ok(StoredSpan {
        span_id,
        parent_id: row.get::<_, Option<i64>>(1)?.map(crate::insert::span_id),
        name: texts.get(conn, row.get(2)?)?,
        operation: texts.get(conn, row.get(3)?)?,
        start: Timestamp(row.get(4)?),
        duration_ns: row.get(5)?,
        status: status(row.get(6)?, row.get(7)?),
        model: texts.optional(conn, row.get(8)?)?,
        provider: texts.optional(conn, row.get(9)?)?,
        usage,
        cost: row.get::<_, Option<i64>>(15)?.map(NanoDollars),
        ttft_ns: row.get(16)?,
        attributes: read_attributes(conn, texts, attributes)?,
        has_bodies: false,
        bodies: Vec::new(),
    })
}

/// A span that was packed, and its bodies.
fn unpacked_span(
    conn: &Connection,
    texts: &mut Texts,
    span: PackedSpan,
) -> Result<(StoredSpan, Vec<(Slot, i64)>), StoreError> {
    let mut attributes = Object::new();
    for (key, value) in span.attributes {
        attributes.insert(texts.get(conn, key)?, value);
    }
    let stored = StoredSpan {
        span_id: span.span_id,
        parent_id: span.parent_id,
        name: texts.get(conn, span.name)?,
        operation: texts.get(conn, span.operation)?,
        start: span.start,
        duration_ns: span.duration_ns,
        status: span.status,
        model: texts.optional(conn, span.model)?,
        provider: texts.optional(conn, span.provider)?,
        usage: span.usage,
        cost: span.cost,
        ttft_ns: span.ttft_ns,
        attributes,
        has_bodies: false,
        bodies: Vec::new(),
    };
    Ok((stored, span.bodies))
}

fn read_attributes(conn: &Connection, texts: &mut Texts, json: Option<&str>) -> Result<Object, StoreError> {
    let Some(json) = json else {
        return Ok(Object::new());
    };
    let damaged = || StoreError::Damaged(format!("the attributes {json:?} of a span"));
    let list: Vec<Value> = serde_json::from_str(json).map_err(|_| damaged())?;
    let mut attributes = Object::new();
    let mut list = list.into_iter();
    while let Some(key) = list.next() {
        let key = texts.get(conn, key.as_i64().ok_or_else(damaged)?)?;
        attributes.insert(key, list.next().ok_or_else(damaged)?);
    }
    Ok(attributes)
}

fn rate(
    conn: &Connection,
    scope: &Scope,
    since: Timestamp,
    until: Timestamp,
    buckets: usize,
) -> Result<Vec<Bucket>, StoreError> {
    let first = since.0.div_euclid(MINUTE_NS);
    let minutes = (until.0.div_euclid(MINUTE_NS) - first + 1).max(1);
    let width = minutes.div_euclid(i64::try_from(buckets.max(1)).unwrap_or(i64::MAX)).max(1);
    let width =
        if minutes > width * i64::try_from(buckets.max(1)).unwrap_or(i64::MAX) { width + 1 } else { width };
    let found = sums(conn, scope, first, first.saturating_add(minutes), width)?;
    let mut found = found.into_iter().peekable();
    let count = (minutes + width - 1).div_euclid(width);
    Ok((0..count)
        .map(|number| {
            let start = Timestamp(first.saturating_add(number * width).saturating_mul(MINUTE_NS));
            let sums = found.next_if(|(at, _)| *at == number).map(|(_, sums)| sums).unwrap_or_default();
            Bucket { start, ..sums }
        })
        .collect())
}

/// The sums over the traces that began in the minutes from `first` until `end`, by stretches of `width` minutes,
/// numbered from 0; those without traces are left out. A project's are summed over its traces, as the sums by
/// minute are everybody's.
fn sums(
    conn: &Connection,
    scope: &Scope,
    first: i64,
    end: i64,
    width: i64,
) -> Result<Vec<(i64, Bucket)>, StoreError> {
    let mut values = vec![Sql::Integer(first), Sql::Integer(end), Sql::Integer(width)];
    let sql = if scope.0.is_none() {
        format!(
            "SELECT (minute - ?1) / ?3, {SUMS} FROM minutes WHERE minute >= ?1 AND minute < ?2
             GROUP BY 1 ORDER BY 1"
        )
    } else {
        let (from, within) = scope.sql(&mut values);
        format!(
            "SELECT (start_ns / {MINUTE_NS} - ?1) / ?3, count(*), sum(status), sum(span_count),
                coalesce(sum(input_tokens), 0), coalesce(sum(output_tokens), 0), coalesce(sum(cost_nano), 0)
             FROM {from} WHERE start_ns >= ?1 * {MINUTE_NS} AND start_ns < ?2 * {MINUTE_NS}{within}
             GROUP BY 1 ORDER BY 1"
        )
    };
    let mut statement = conn.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(values), |row| Ok((row.get(0)?, bucket(row)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn bucket(row: &Row<'_>) -> rusqlite::Result<Bucket> {
    Ok(Bucket {
        start: Timestamp(0),
        traces: row.get(1)?,
        errors: row.get(2)?,
        spans: row.get(3)?,
        input_tokens: row.get(4)?,
        output_tokens: row.get(5)?,
        cost: NanoDollars(row.get(6)?),
    })
}
