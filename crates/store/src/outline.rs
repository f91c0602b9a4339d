//! One trace as the lines of a tree, and some of its spans in full: a trace of many thousand spans is looked at
//! without reading what every one of them says.

use crate::StoreError;
use crate::blobs;
use crate::insert::{first_span, span_id};
use crate::names::Texts;
use crate::row::{Slot, StoredSpan, TraceRow};
use crate::spans;
use crate::traces::{SPAN, Scope, Traces, seen, stored_span, unpacked_span};
use hanok_base::{SpanId, SpanStatus, Timestamp, TraceId};
use rusqlite::{Connection, OptionalExtension, params};

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
    /// Where it is stored, for [`Traces::spans_at`].
    pub place: i64,
}

impl Traces<'_> {
    /// One trace as lines: no attributes, no large values.
    pub async fn outline(&self, trace_id: TraceId) -> Result<Option<Outline>, StoreError> {
        let scope = self.scope.clone();
        self.store.read(move |conn| outline(conn, &scope, trace_id)).await
    }

    /// One span with its large values.
    pub async fn span(&self, trace_id: TraceId, span_id: SpanId) -> Result<Option<StoredSpan>, StoreError> {
        let scope = self.scope.clone();
        self.store.read(move |conn| one(conn, &scope, trace_id, span_id)).await
    }

    /// The spans at these places of an [`Outline`], in their order there, without large values. Places where
    /// there is none any more are left out.
    pub async fn spans_at(&self, trace_id: TraceId, places: Vec<i64>) -> Result<Vec<StoredSpan>, StoreError> {
        let scope = self.scope.clone();
        self.store.read(move |conn| some(conn, &scope, trace_id, places)).await
    }
}

fn outline(conn: &Connection, scope: &Scope, trace_id: TraceId) -> Result<Option<Outline>, StoreError> {
    let Some(row) = seen(conn, scope, trace_id)? else { return Ok(None) };
    let mut texts = Texts::default();
    let mut lines = Vec::with_capacity(usize::try_from(row.span_count).unwrap_or(0).min(1 << 20));
    for (place, span) in (0..).zip(spans::read(conn, row.seq)?) {
        lines.push(SpanLine {
            span_id: span.span_id,
            parent_id: span.parent_id,
            name: texts.get(conn, span.name)?,
            operation: texts.get(conn, span.operation)?,
            start: span.start,
            duration_ns: span.duration_ns,
            failed: span.status != SpanStatus::Ok,
            has_bodies: !span.bodies.is_empty(),
            place,
        });
    }
    let mut statement = conn.prepare_cached(
        "SELECT span_id, parent_id, name, operation, start_ns, duration_ns, status, length(bodies), id
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
            place: line.get(8)?,
        });
    }
    Ok(Some(Outline { row, lines }))
}

/// A span and its large values, by number.
type Found = (StoredSpan, Vec<(Slot, i64)>);

fn one(
    conn: &Connection,
    scope: &Scope,
    trace_id: TraceId,
    wanted: SpanId,
) -> Result<Option<StoredSpan>, StoreError> {
    let Some(row) = seen(conn, scope, trace_id)? else { return Ok(None) };
    let mut texts = Texts::default();
    let packed = spans::read(conn, row.seq)?.into_iter().find(|span| span.span_id == wanted);
    let found = match packed {
        Some(span) => Some(unpacked_span(conn, &mut texts, span)?),
        None => conn
            .prepare_cached("SELECT id FROM spans WHERE id BETWEEN ?1 AND ?2 AND span_id = ?3")?
            .query_row(
                params![
                    first_span(row.seq),
                    first_span(row.seq + 1) - 1,
                    i64::from_be_bytes(*wanted.as_bytes())
                ],
                |row| row.get(0),
            )
            .optional()?
            .map_or(Ok(None), |place| at(conn, &mut texts, place))?,
    };
    let Some((mut span, references)) = found else { return Ok(None) };
    span.has_bodies = !references.is_empty();
    let mut blobs = blobs::Reader::new(conn);
    for (slot, id) in references {
        span.bodies.push((slot, blobs.get(id)?));
    }
    Ok(Some(span))
}

fn some(
    conn: &Connection,
    scope: &Scope,
    trace_id: TraceId,
    places: Vec<i64>,
) -> Result<Vec<StoredSpan>, StoreError> {
    let Some(row) = seen(conn, scope, trace_id)? else { return Ok(Vec::new()) };
    let first = first_span(row.seq);
    let mut texts = Texts::default();
    let mut packed = spans::read(conn, row.seq)?.into_iter().map(Some).collect::<Vec<_>>();
    let mut spans = Vec::with_capacity(places.len());
    for place in places {
        let in_pack = usize::try_from(place).ok().and_then(|place| packed.get_mut(place)?.take());
        let found = match in_pack {
            Some(span) => Some(unpacked_span(conn, &mut texts, span)?),
            // Of this trace and no other.
            None if (first..first_span(row.seq + 1)).contains(&place) => at(conn, &mut texts, place)?,
            None => None,
        };
        if let Some((mut span, references)) = found {
            span.has_bodies = !references.is_empty();
            spans.push(span);
        }
    }
    Ok(spans)
}

fn at(conn: &Connection, texts: &mut Texts, place: i64) -> Result<Option<Found>, StoreError> {
    let mut statement = conn.prepare_cached(&format!("SELECT {SPAN} FROM spans WHERE id = ?1"))?;
    let mut found = statement.query([place])?;
    let Some(row) = found.next()? else { return Ok(None) };
    let span = stored_span(conn, texts, row)?;
    let references = row.get_ref(18)?.as_blob_or_null().map_err(rusqlite::Error::from)?;
    let references = blobs::unpack(references.unwrap_or_default())
        .ok_or_else(|| StoreError::Damaged(format!("span {}", span.span_id)))?;
    Ok(Some((span, references)))
}
