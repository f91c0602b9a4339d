//! One trace as the lines of a tree, and some of its spans in full: a trace of many thousand spans is looked at
//! without reading what every one of them says.

use crate::StoreError;
use crate::blobs;
use crate::insert::{first_span, span_id};
use crate::names::Texts;
use crate::row::{StoredSpan, TraceRow};
use crate::spans;
use crate::traces::{SPAN, Scope, Traces, seen, stored_span, unpacked_span};
use hanok_base::{SpanId, SpanStatus, Timestamp, TraceId};
use rusqlite::{Connection, params};
use std::collections::HashSet;

/// A trace and the lines of its tree.
#[derive(Clone, Debug)]
pub struct Outline {
    /// The trace's row.
    pub row: TraceRow,
    /// Its spans, in the order they were handed over.
    pub lines: Vec<SpanLine>,
}

/// A span as far as a tree draws it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanLine {
    /// Its id.
    pub span_id: SpanId,
    /// The span it is part of.
    pub parent_id: Option<SpanId>,
    /// Its name.
    pub name: String,
    /// What was done.
    pub operation: String,
    /// When it began.
    pub start: Timestamp,
    /// How long it took, in nanoseconds.
    pub duration_ns: i64,
    /// Whether it failed.
    pub failed: bool,
    /// Whether it has large values.
    pub has_bodies: bool,
}

impl Traces<'_> {
    /// One trace as lines: no attributes, no large values.
    pub async fn outline(&self, trace_id: TraceId) -> Result<Option<Outline>, StoreError> {
        let scope = self.scope.clone();
        self.store.read(move |conn| outline(conn, &scope, trace_id)).await
    }

    /// The spans of these ids, in the order they were handed over, with their large values where `bodies` asks
    /// for them. Ids that are not of this trace are left out.
    pub async fn spans(
        &self,
        trace_id: TraceId,
        wanted: Vec<SpanId>,
        bodies: bool,
    ) -> Result<Vec<StoredSpan>, StoreError> {
        let scope = self.scope.clone();
        self.store.read(move |conn| some(conn, &scope, trace_id, wanted, bodies)).await
    }
}

fn outline(conn: &Connection, scope: &Scope, trace_id: TraceId) -> Result<Option<Outline>, StoreError> {
    let Some(row) = seen(conn, scope, trace_id)? else { return Ok(None) };
    let mut texts = Texts::default();
    let mut lines = Vec::with_capacity(usize::try_from(row.span_count).unwrap_or(0).min(1 << 20));
    for span in spans::read(conn, row.seq)? {
        lines.push(SpanLine {
            span_id: span.span_id,
            parent_id: span.parent_id,
            name: texts.get(conn, span.name)?,
            operation: texts.get(conn, span.operation)?,
            start: span.start,
            duration_ns: span.duration_ns,
            failed: span.status != SpanStatus::Ok,
            has_bodies: !span.bodies.is_empty(),
        });
    }
    let mut statement = conn.prepare_cached(
        "SELECT span_id, parent_id, name, operation, start_ns, duration_ns, status, length(bodies)
         FROM spans WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
    )?;
    let mut found = statement.query(params![first_span(row.seq), first_span(row.seq + 1) - 1])?;
    while let Some(line) = found.next()? {
        lines.push(SpanLine {
            span_id: span_id(line.get(0)?),
            parent_id: line.get::<_, Option<i64>>(1)?.map(span_id),
            name: texts.get(conn, line.get(2)?)?,
            operation: texts.get(conn, line.get(3)?)?,
            start: Timestamp(line.get(4)?),
            duration_ns: line.get(5)?,
            failed: line.get(6)?,
            has_bodies: line.get::<_, Option<i64>>(7)?.is_some_and(|length| length > 0),
        });
    }
    Ok(Some(Outline { row, lines }))
}

fn some(
    conn: &Connection,
    scope: &Scope,
    trace_id: TraceId,
    wanted: Vec<SpanId>,
    bodies: bool,
) -> Result<Vec<StoredSpan>, StoreError> {
    let Some(row) = seen(conn, scope, trace_id)? else { return Ok(Vec::new()) };
    let wanted: HashSet<SpanId> = wanted.into_iter().collect();
    let mut texts = Texts::default();
    let mut chosen = Vec::with_capacity(wanted.len());
    for span in spans::read(conn, row.seq)? {
        if wanted.contains(&span.span_id) {
            chosen.push(unpacked_span(conn, &mut texts, span)?);
        }
    }
    if chosen.len() < wanted.len() {
        let mut statement =
            conn.prepare_cached(&format!("SELECT {SPAN} FROM spans WHERE id BETWEEN ?1 AND ?2 ORDER BY id"))?;
        let mut found = statement.query(params![first_span(row.seq), first_span(row.seq + 1) - 1])?;
        while let Some(span) = found.next()? {
            if wanted.contains(&span_id(span.get(0)?)) {
                let stored = stored_span(conn, &mut texts, span)?;
                let references = span.get_ref(18)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
                let references = blobs::unpack(references.unwrap_or_default())
                    .ok_or_else(|| StoreError::Damaged(format!("span {} of {trace_id}", stored.span_id)))?;
                chosen.push((stored, references));
            }
            if chosen.len() == wanted.len() {
                break;
            }
        }
    }
    let mut blobs = blobs::Reader::new(conn);
    let mut spans = Vec::with_capacity(chosen.len());
    for (mut span, references) in chosen {
        span.has_bodies = !references.is_empty();
        if bodies {
            for (slot, id) in references {
                span.bodies.push((slot, blobs.get(id)?));
            }
        }
        spans.push(span);
    }
    Ok(spans)
}
