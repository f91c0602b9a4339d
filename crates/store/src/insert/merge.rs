//! Later batches of a trace: what they add to it, and what they take from what was there.
//!
//! A trace may come in any pieces and order. Its row is what it would be had all come at once, so far as it
//! is summed up from spans: a call that turns out to be made of other calls is no longer counted, and the row's
//! name, end, model and provider are those of the spans that now speak for it.

use super::{
    Inserter, Numbers, Statements, Sums, Tokens, damaged, end_of, first_span, span_id, status_columns,
};
use super::{MINUTE_NS, MOST};
use crate::facts::Changed;
use crate::family::{Family, Kin};
use crate::labels;
use crate::row::{SpanRow, TraceBatch};
use crate::spans;
use hanok_base::{Operation, SpanStatus, Timestamp, TraceId};
use rusqlite::{OptionalExtension, Result, Row, Transaction, params};
use std::collections::HashMap;

/// Families of fewer spans are read again for every batch.
const WORTH_KEEPING: usize = 64;
/// Spans of the families that are kept in memory, together.
const KEPT: usize = 100_000;

/// The families of large traces that came in pieces, as more of them is likely to come.
#[derive(Default)]
pub(super) struct Families {
    kept: HashMap<i64, There, foldhash::fast::RandomState>,
    spans: usize,
}

impl Families {
    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    fn take(&mut self, seq: i64) -> Option<There> {
        let there = self.kept.remove(&seq)?;
        self.spans = self.spans.saturating_sub(there.family.len());
        Some(there)
    }

    fn keep(&mut self, seq: i64, there: There) {
        if there.family.len() < WORTH_KEEPING {
            return;
        }
        if self.spans.saturating_add(there.family.len()) > KEPT {
            self.clear();
        }
        self.spans += there.family.len();
        self.kept.insert(seq, there);
    }
}

/// The spans that are there of a trace: the packed ones, then the rows, numbered throughout.
struct There {
    family: Family,
    packed: usize,
}

/// The row of a trace that a batch is merged into.
struct Trace {
    seq: i64,
    start: i64,
    end: i64,
    project: Option<i64>,
    has_session: bool,
    tags: Vec<String>,
    sums: Sums,
}

impl Trace {
    fn read(row: &Row<'_>) -> Result<Self> {
        let start: i64 = row.get(1)?;
        Ok(Self {
            seq: row.get(0)?,
            start,
            end: start.saturating_add(row.get(2)?),
            project: row.get(5)?,
            has_session: row.get(6)?,
            tags: row.get_ref(7)?.as_str_or_null().map(labels::read)?,
            sums: Sums {
                traces: 1,
                errors: row.get(3)?,
                spans: row.get(4)?,
                input_tokens: row.get(8)?,
                output_tokens: row.get(9)?,
                cached_tokens: row.get(10)?,
                reasoning_tokens: row.get(11)?,
                cost_nano: row.get(12)?,
            },
        })
    }
}

/// What a span can say of its trace; texts are rows of `names`.
struct Head {
    name: i64,
    operation: i64,
    status: SpanStatus,
    model: Option<i64>,
    provider: Option<i64>,
    start: Timestamp,
    ttft_ns: Option<i64>,
}

impl Inserter {
    /// Adds the spans of a batch that are new to a trace, and brings its row up to date; the sums over what the
    /// batch adds by itself. `None` when the trace is another project's.
    pub(super) fn merge(
        &mut self,
        tx: &Transaction<'_>,
        statements: &mut Statements<'_>,
        batch: &TraceBatch,
        (trace_id, project): (TraceId, Option<i64>),
        names: Numbers,
    ) -> Result<Option<Sums>> {
        let trace = tx
            .prepare_cached(
                "SELECT seq, start_ns, duration_ns, status, span_count, project, session IS NOT NULL, tags,
                    input_tokens, output_tokens, cached_tokens, reasoning_tokens, cost_nano
                 FROM traces WHERE trace_id = ?1",
            )?
            .query_row([trace_id.as_bytes()], Trace::read)?;
        if trace.project != project {
            return Ok(None);
        }
        if self.packs.may_hold(trace.seq) {
            self.packs.finish(tx, &mut self.zstd)?;
        }
        self.blobs.brought_by(trace.seq);
        let facts = self.facts.before(tx, &mut self.names, trace.seq)?;
        let mut there = self.there(tx, trace.seq)?;
        let before = there.family.len();
        let speakers = Speakers::of(&there.family);
        let mut new = Vec::new();
        for span in &batch.spans {
            if there.family.len() == MOST {
                tracing::warn!(%trace_id, "a trace has more than {MOST} spans; the rest is left out");
                break;
            }
            if there.family.push(span.into()) {
                new.push(span);
            }
        }
        if new.is_empty() {
            self.families.keep(trace.seq, there);
            return Ok(Some(Sums::default()));
        }
        let taken: Vec<usize> =
            there.family.recount().into_iter().filter(|number| *number < before).collect();
        let mut added = Sums { spans: count(new.len()), ..Sums::default() };
        let mut sums = Sums { spans: trace.sums.spans + added.spans, ..trace.sums };
        for (number, span) in (before..).zip(&new) {
            let counted = there.family.counts(number);
            self.insert_span(tx, statements, first_span(trace.seq) + count(number), span, counted)?;
            let used = Tokens::of(span);
            if counted {
                sums.add(&used);
            }
            if span.counted {
                added.add(&used);
            }
        }
        if !taken.is_empty() {
            self.uncount(tx, trace.seq, &there, &taken)?;
            sums = Sums { spans: sums.spans, errors: sums.errors, ..recounted(tx, trace.seq)? };
        }
        let mut heads = Heads { inserter: self, tx, seq: trace.seq, packed: there.packed, before, new: &new };
        heads.tell(&there.family, &speakers, &mut sums)?;
        let first_speaks = speakers.speaker == there.family.speaker();
        self.update(tx, &trace, batch, names, &sums, (&new, first_speaks))?;
        if let Some(facts) = facts {
            let counted = (before..).zip(&new).filter(|(number, _)| there.family.counts(*number));
            let changed = Changed { there: before, taken: &taken };
            self.facts
                .changed(tx, &mut self.names, &facts, changed, counted.map(|(_, span)| *span))
                .map_err(damaged)?;
        }
        self.families.keep(trace.seq, there);
        Ok(Some(added))
    }

    /// The row's times, sums and labels, and the sums of its minute.
    fn update(
        &mut self,
        tx: &Transaction<'_>,
        trace: &Trace,
        batch: &TraceBatch,
        names: Numbers,
        sums: &Sums,
        (new, first_speaks): (&[&SpanRow], bool),
    ) -> Result<()> {
        let summary = &batch.summary;
        let start = new.iter().map(|span| span.start.0).fold(trace.start, i64::min);
        let end = new.iter().map(|span| end_of(span)).fold(trace.end, i64::max);
        tx.prepare_cached(
            "UPDATE traces SET
                start_ns = ?2, duration_ns = ?3, span_count = ?4,
                input_tokens = ?5, output_tokens = ?6, cached_tokens = ?7, reasoning_tokens = ?8, cost_nano = ?9,
                key_name = coalesce(key_name, ?11),
                key_id = coalesce(key_id, ?12),
                prompt = CASE WHEN ?10 THEN coalesce(?13, prompt) ELSE coalesce(prompt, ?13) END,
                source = CASE WHEN ?10 THEN coalesce(?14, source) ELSE coalesce(source, ?14) END,
                user = CASE WHEN ?10 THEN coalesce(?15, user) ELSE coalesce(user, ?15) END,
                input_preview = CASE WHEN ?16 THEN coalesce(?17, input_preview)
                    ELSE coalesce(input_preview, ?17) END,
                output_preview = CASE WHEN ?16 THEN coalesce(?18, output_preview)
                    ELSE coalesce(output_preview, ?18) END
             WHERE seq = ?1",
        )?
        .execute(params![
            trace.seq,
            start,
            end.saturating_sub(start),
            sums.spans,
            sums.input_tokens,
            sums.output_tokens,
            sums.cached_tokens,
            sums.reasoning_tokens,
            sums.cost_nano,
            summary.rooted,
            names.key_name,
            names.key_id,
            names.prompt,
            names.source,
            names.user,
            summary.rooted || !first_speaks,
            summary.input_preview,
            summary.output_preview,
        ])?;
        if let Some(session) = &summary.session
            && (summary.rooted || !trace.has_session)
        {
            labels::join_session(tx, trace.seq, trace.project, session)?;
        }
        if summary.tags.iter().any(|tag| !trace.tags.contains(tag)) {
            for tag in &summary.tags {
                labels::tag(tx, trace.seq, self.names.id(tx, tag)?)?;
            }
            let all = labels::union(&trace.tags, &summary.tags);
            tx.prepare_cached("UPDATE traces SET tags = ?2 WHERE seq = ?1")?
                .execute(params![trace.seq, labels::json(&all)?])?;
        }
        // From the minute it was thought to have begun in to the one it did.
        let minute = |at: i64| at.div_euclid(MINUTE_NS);
        self.minutes.entry(minute(trace.start)).or_default().merge(&trace.sums.negative());
        self.minutes.entry(minute(start)).or_default().merge(sums);
        Ok(())
    }

    /// The spans that are there of a trace.
    fn there(&mut self, tx: &Transaction<'_>, seq: i64) -> Result<There> {
        if let Some(there) = self.families.take(seq) {
            return Ok(there);
        }
        let chat = self.names.id(tx, Operation::Chat.as_str())?;
        let mut family = Family::default();
        family.extend(spans::read(tx, seq).map_err(damaged)?.into_iter().map(|span| Kin {
            span_id: span.span_id,
            parent_id: span.parent_id,
            start: span.start,
            failed: span.status != SpanStatus::Ok,
            chat: span.operation == chat,
            counted: span.counted,
        }));
        let packed = family.len();
        let mut rows = tx.prepare_cached(
            "SELECT span_id, parent_id, start_ns, status, operation, counted FROM spans
             WHERE id BETWEEN ?1 AND ?2 ORDER BY id",
        )?;
        let mut rows = rows.query(params![first_span(seq), first_span(seq + 1) - 1])?;
        while let Some(row) = rows.next()? {
            family.push(Kin {
                span_id: span_id(row.get(0)?),
                parent_id: row.get::<_, Option<i64>>(1)?.map(span_id),
                start: Timestamp(row.get(2)?),
                failed: row.get(3)?,
                chat: row.get::<_, i64>(4)? == chat,
                counted: row.get(5)?,
            });
        }
        Ok(There { family, packed })
    }

    /// Takes the count from spans that are there.
    fn uncount(&mut self, tx: &Transaction<'_>, seq: i64, there: &There, taken: &[usize]) -> Result<()> {
        let (packed, rows): (Vec<usize>, Vec<usize>) =
            taken.iter().partition(|number| **number < there.packed);
        if !packed.is_empty() {
            spans::uncount(tx, &mut self.zstd, seq, &packed).map_err(damaged)?;
        }
        let mut update = tx.prepare_cached("UPDATE spans SET counted = 0 WHERE id = ?1")?;
        for number in rows {
            update.execute([first_span(seq) + count(number)])?;
        }
        Ok(())
    }
}

/// The sums over the spans of a trace that count, its spans and errors aside.
fn recounted(tx: &Transaction<'_>, seq: i64) -> Result<Sums> {
    let mut sums = tx
        .prepare_cached(
            "SELECT sum(input_tokens), sum(output_tokens), sum(cached_tokens), sum(reasoning_tokens),
                sum(cost_nano)
             FROM spans WHERE id BETWEEN ?1 AND ?2 AND counted",
        )?
        .query_row(params![first_span(seq), first_span(seq + 1) - 1], |row| {
            Ok(Sums {
                traces: 1,
                input_tokens: row.get(0)?,
                output_tokens: row.get(1)?,
                cached_tokens: row.get(2)?,
                reasoning_tokens: row.get(3)?,
                cost_nano: row.get(4)?,
                ..Sums::default()
            })
        })?;
    for span in spans::read(tx, seq).map_err(damaged)?.iter().filter(|span| span.counted) {
        sums.add(&Tokens { usage: span.usage, cost: span.cost });
    }
    Ok(sums)
}

/// Who speaks for a trace.
#[derive(PartialEq, Eq)]
struct Speakers {
    root: Option<usize>,
    verdict: Option<usize>,
    speaker: Option<usize>,
}

impl Speakers {
    fn of(family: &Family) -> Self {
        Self { root: family.root(), verdict: family.verdict(), speaker: family.speaker() }
    }
}

/// What spans of a trace say of it, new ones and those that were there.
struct Heads<'a, 'tx> {
    inserter: &'a mut Inserter,
    tx: &'a Transaction<'tx>,
    seq: i64,
    packed: usize,
    before: usize,
    new: &'a [&'a SpanRow],
}

impl Heads<'_, '_> {
    /// Writes to the row what those who now speak for it say, where they are others than before.
    fn tell(&mut self, family: &Family, before: &Speakers, sums: &mut Sums) -> Result<()> {
        let now = Speakers::of(family);
        if now == *before {
            return Ok(());
        }
        let (Some(root), Some(verdict)) = (self.head(now.root)?, self.head(now.verdict)?) else {
            return Ok(());
        };
        let speaker = self.head(now.speaker)?;
        let said = speaker.as_ref();
        let first_token = said
            .and_then(|said| Some(said.ttft_ns?.saturating_add(said.start.0.saturating_sub(root.start.0))));
        let (status, error) = status_columns(&verdict.status);
        sums.errors = status;
        self.tx
            .prepare_cached(
                "UPDATE traces SET name = ?2, operation = ?3, status = ?4, error = ?5, model = ?6,
                    provider = ?7, ttft_ns = ?8
                 WHERE seq = ?1",
            )?
            .execute(params![
                self.seq,
                root.name,
                root.operation,
                status,
                error,
                root.model.or_else(|| said?.model),
                said.and_then(|said| said.provider).or(root.provider),
                root.ttft_ns.or(first_token),
            ])?;
        Ok(())
    }

    fn head(&mut self, number: Option<usize>) -> Result<Option<Head>> {
        let Some(number) = number else { return Ok(None) };
        if let Some(span) = number.checked_sub(self.before).and_then(|at| self.new.get(at)) {
            let names = &mut self.inserter.names;
            return Ok(Some(Head {
                name: names.id(self.tx, &span.name)?,
                operation: names.id(self.tx, &span.operation)?,
                status: span.status.clone(),
                model: names.optional(self.tx, span.model.as_deref())?,
                provider: names.optional(self.tx, span.provider.as_deref())?,
                start: span.start,
                ttft_ns: span.ttft_ns,
            }));
        }
        if number < self.packed {
            let packed = spans::read(self.tx, self.seq).map_err(damaged)?.into_iter().nth(number);
            return Ok(packed.map(|span| Head {
                name: span.name,
                operation: span.operation,
                status: span.status,
                model: span.model,
                provider: span.provider,
                start: span.start,
                ttft_ns: span.ttft_ns,
            }));
        }
        self.tx
            .prepare_cached(
                "SELECT name, operation, status, error, model, provider, start_ns, ttft_ns FROM spans WHERE id = ?1",
            )?
            .query_row([first_span(self.seq) + count(number)], |row| {
                Ok(Head {
                    name: row.get(0)?,
                    operation: row.get(1)?,
                    status: crate::traces::status(row.get(2)?, row.get(3)?),
                    model: row.get(4)?,
                    provider: row.get(5)?,
                    start: Timestamp(row.get(6)?),
                    ttft_ns: row.get(7)?,
                })
            })
            .optional()
    }
}

impl From<&SpanRow> for Kin {
    fn from(span: &SpanRow) -> Self {
        Self {
            span_id: span.span_id,
            parent_id: span.parent_id,
            start: span.start,
            failed: span.status != SpanStatus::Ok,
            chat: span.operation == Operation::Chat.as_str(),
            counted: span.counted,
        }
    }
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
