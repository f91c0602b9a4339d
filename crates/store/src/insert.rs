//! Traces in: rows of one batch, merged into what is there of the same trace.

use crate::blobs::{self, Blobs, Zstd};
use crate::error::StoreError;
use crate::facts::{self, Common, Facts, Id};
use crate::labels;
use crate::ledger::{Due, Dues};
use crate::names::Names;
use crate::row::{SpanRow, TraceBatch};
use crate::spans::{self, SpanPacks};
use crate::tokens;
use hanok_base::{Attributes, Charge, SpanId, SpanStatus, Timestamp, TraceId, Usage};
use rusqlite::{CachedStatement, Connection, OptionalExtension, Result, Row, Transaction, params};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// The bits of a span's row id that number the spans of one trace.
pub(crate) const SPAN_BITS: u32 = 20;
const MOST_SPANS: i64 = 1 << SPAN_BITS;
const MOST: usize = 1 << SPAN_BITS;
const MINUTE_NS: i64 = 60_000_000_000;

/// What the writer keeps between commits.
pub(crate) struct Inserter {
    names: Names,
    blobs: Blobs,
    packs: SpanPacks,
    facts: Facts,
    zstd: Zstd,
    last_seq: i64,
    /// `last_seq` as of the last commit.
    committed_seq: i64,
    arrived_ms: i64,
    /// Tells commits of other processes.
    data_version: i64,
    minutes: HashMap<i64, Sums, foldhash::fast::RandomState>,
    dues: Dues,
    attributes: String,
    references: Vec<u8>,
    rare_tokens: Vec<u8>,
}

/// The statements that every trace needs, prepared once for a transaction.
pub(crate) struct Statements<'a> {
    trace: CachedStatement<'a>,
    span: CachedStatement<'a>,
}

impl<'a> Statements<'a> {
    pub(crate) fn new(tx: &'a Transaction<'_>) -> Result<Self> {
        Ok(Self { trace: tx.prepare_cached(INSERT_TRACE)?, span: tx.prepare_cached(INSERT_SPAN)? })
    }
}

const INSERT_TRACE: &str =
    "INSERT INTO traces (seq, trace_id, arrived_ms, start_ns, duration_ns, status, span_count, name, operation,
        model, provider, key_name, input_tokens, output_tokens, cost_nano, ttft_ns, error, input_preview,
        output_preview, key_id, project, prompt, source, user, tags, cached_tokens, reasoning_tokens)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22,
        ?23, ?24, ?25, ?26, ?27)
     ON CONFLICT (trace_id) DO NOTHING";

const INSERT_SPAN: &str =
    "INSERT INTO spans (id, span_id, parent_id, name, operation, start_ns, duration_ns, status, counted, model,
        provider, input_tokens, output_tokens, cached_tokens, cache_write_tokens, reasoning_tokens, cost_nano,
        ttft_ns, error, attributes, bodies, rare_tokens)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22)";

/// What a batch adds to its trace, to its minute and to the accounts that bear it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Sums {
    traces: i64,
    errors: i64,
    spans: i64,
    input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    cached_tokens: Option<i64>,
    reasoning_tokens: Option<i64>,
    cost_nano: Option<i64>,
}

impl Inserter {
    pub(crate) fn new(conn: &Connection) -> Result<Self> {
        let (last_seq, arrived_ms) = conn.query_row(
            "SELECT coalesce(max(seq), 0), coalesce((SELECT arrived_ms FROM traces ORDER BY seq DESC LIMIT 1), 0)
             FROM traces",
            [],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )?;
        Ok(Self {
            names: Names::default(),
            blobs: Blobs::new(conn)?,
            packs: SpanPacks::default(),
            facts: Facts::new(conn)?,
            zstd: Zstd::default(),
            last_seq,
            committed_seq: last_seq,
            arrived_ms,
            data_version: data_version(conn)?,
            minutes: HashMap::default(),
            dues: Dues::default(),
            attributes: String::new(),
            references: Vec::new(),
            rare_tokens: Vec::new(),
        })
    }

    pub(crate) fn newest_committed(&self) -> i64 {
        self.committed_seq
    }

    /// At the start of a transaction, once the write lock is held.
    pub(crate) fn begin(&mut self, tx: &Transaction<'_>) -> Result<()> {
        if data_version(tx)? != self.data_version {
            // Another process wrote: numbers may be taken, and rows gone.
            *self = Self::new(tx)?;
        }
        self.arrived_ms = self.arrived_ms.max(Timestamp::now().0 / 1_000_000);
        Ok(())
    }

    /// Whether there are traces that have no facts yet.
    pub(crate) fn has_unfilled(&self) -> bool {
        self.facts.unfilled().is_some()
    }

    /// Gives some of them their facts.
    pub(crate) fn fill(&mut self, tx: &Transaction<'_>) -> Result<()> {
        let Some((next, last)) = self.facts.unfilled() else { return Ok(()) };
        let seqs: Vec<i64> = tx
            .prepare_cached("SELECT seq FROM traces WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq LIMIT 256")?
            .query_map([next, last], |row| row.get(0))?
            .collect::<Result<_>>()?;
        let mut packs = spans::Reader::default();
        for seq in &seqs {
            match facts::of_trace(tx, &mut self.names, &mut packs, *seq) {
                Ok(found) => found.iter().for_each(|fact| self.facts.put(fact)),
                Err(StoreError::Sql(error)) => return Err(error),
                // What cannot be read has no facts.
                Err(error) => tracing::warn!(seq, %error, "the calls of a trace cannot be counted"),
            }
        }
        self.facts.filled(tx, seqs.last().map_or(last, |seq| *seq) + 1)
    }

    /// At the end of a transaction, before its commit.
    pub(crate) fn finish(&mut self, tx: &Transaction<'_>) -> Result<()> {
        self.packs.finish(tx, &mut self.zstd)?;
        self.facts.finish(tx, &mut self.zstd)?;
        self.blobs.finish(tx, &mut self.zstd)?;
        self.dues.finish(tx)?;
        let mut upsert = tx.prepare_cached(
            "INSERT INTO minutes (minute, traces, errors, spans, input_tokens, output_tokens, cost_nano)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)
             ON CONFLICT (minute) DO UPDATE SET
                traces = traces + excluded.traces,
                errors = errors + excluded.errors,
                spans = spans + excluded.spans,
                input_tokens = input_tokens + excluded.input_tokens,
                output_tokens = output_tokens + excluded.output_tokens,
                cost_nano = cost_nano + excluded.cost_nano",
        )?;
        for (minute, sums) in self.minutes.drain() {
            upsert.execute(params![
                minute,
                sums.traces,
                sums.errors,
                sums.spans,
                sums.input_tokens.unwrap_or(0),
                sums.output_tokens.unwrap_or(0),
                sums.cost_nano.unwrap_or(0),
            ])?;
        }
        Ok(())
    }

    /// After the commit; the newest trace's sequence number.
    pub(crate) fn committed(&mut self) -> i64 {
        self.names.committed();
        self.blobs.committed();
        self.facts.committed();
        self.committed_seq = self.last_seq;
        self.committed_seq
    }

    /// After the transaction was taken back.
    pub(crate) fn rolled_back(&mut self) {
        self.names.rolled_back();
        self.blobs.rolled_back();
        self.packs.rolled_back();
        self.facts.rolled_back();
        self.last_seq = self.committed_seq;
        self.minutes.clear();
        self.dues.rolled_back();
    }

    /// Charges what was newly stored of a trace to the accounts that bear it, and what could not be stored of it.
    pub(crate) fn charge(&mut self, charges: &[Charge], stored: &Sums, lost_nano: i64) {
        let tokens = stored.input_tokens.unwrap_or(0).saturating_add(stored.output_tokens.unwrap_or(0));
        let (spent, calls) = (stored.cost_nano.unwrap_or(0), i64::from(stored.spans > 0));
        self.dues.add(charges, Due { spent, written_off: lost_nano, calls, tokens });
    }

    /// Inserts a batch, or merges it into what is there of its trace; the sums over what is new.
    pub(crate) fn insert(
        &mut self,
        tx: &Transaction<'_>,
        statements: &mut Statements<'_>,
        batch: &TraceBatch,
    ) -> Result<Sums> {
        self.insert_as(tx, statements, batch, batch.trace_id)
    }

    fn insert_as(
        &mut self,
        tx: &Transaction<'_>,
        statements: &mut Statements<'_>,
        batch: &TraceBatch,
        trace_id: TraceId,
    ) -> Result<Sums> {
        let Some(start) = batch.spans.iter().map(|span| span.start.0).min() else {
            return Ok(Sums::default());
        };
        let end = batch.spans.iter().map(end_of).max().unwrap_or(start);
        let summary = &batch.summary;
        let (status, error) = status_columns(&summary.status);
        let name = self.names.id(tx, &summary.name)?;
        let operation = self.names.id(tx, &summary.operation)?;
        let model = self.names.optional(tx, summary.model.as_deref())?;
        let provider = self.names.optional(tx, summary.provider.as_deref())?;
        let key_name = self.names.optional(tx, summary.key_name.as_deref())?;
        let key_id = self.names.optional(tx, summary.key_id.as_deref())?;
        let project = self.names.optional(tx, summary.project.as_deref())?;
        let prompt = self.names.optional(tx, summary.prompt.as_deref())?;
        let source = self.names.optional(tx, summary.source.as_deref())?;
        let user = summary.user.as_deref().map(|user| labels::user(tx, user)).transpose()?;

        let seq = self.last_seq + 1;
        let mut sums = Sums { traces: 1, errors: status, ..Sums::default() };
        for span in new_spans(&batch.spans, &HashSet::new()).take(MOST) {
            sums.add(span);
        }
        let inserted = statements.trace.execute(params![
            seq,
            trace_id.as_bytes(),
            self.arrived_ms,
            start,
            end.saturating_sub(start),
            status,
            sums.spans,
            name,
            operation,
            model,
            provider,
            key_name,
            sums.input_tokens,
            sums.output_tokens,
            sums.cost_nano,
            summary.ttft_ns,
            error,
            summary.input_preview,
            summary.output_preview,
            key_id,
            project,
            prompt,
            source,
            user,
            labels::json(&summary.tags)?,
            sums.cached_tokens,
            sums.reasoning_tokens,
        ])?;
        if inserted == 0 {
            let names = Numbers { name, operation, model, provider, key_name, key_id, prompt, source, user };
            return match self.merge(tx, statements, batch, (trace_id, project), names)? {
                Some(sums) => Ok(sums),
                // Whoever guesses or copies an id must not write into another project's trace.
                None => self.insert_as(tx, statements, batch, TraceId::timely()),
            };
        }
        self.last_seq = seq;
        let session = match &summary.session {
            Some(session) => Some(labels::join_session(tx, seq, project, session)?),
            None => None,
        };
        let mut tags = Vec::with_capacity(summary.tags.len());
        for tag in &summary.tags {
            let tag = self.names.id(tx, tag)?;
            labels::tag(tx, seq, tag)?;
            tags.push(tag);
        }
        let known = HashSet::new();
        let spans = new_spans(&batch.spans, &known);
        let common = [
            (Id::Project, project),
            (Id::Asked, model),
            (Id::Key, key_name),
            (Id::KeyId, key_id),
            (Id::Prompt, prompt),
            (Id::Source, source),
            (Id::Session, session),
            (Id::User, user),
        ];
        let calls = new_spans(&batch.spans, &known).take(MOST);
        self.facts.put_trace(tx, &mut self.names, &Common::new(seq, common, tags), calls)?;
        // What is added to a packed trace costs a look into its pack, so one that is not whole is not packed.
        if summary.rooted && batch.spans.len() <= spans::MOST {
            let mut numbers =
                Numbering { tx, names: &mut self.names, blobs: &mut self.blobs, zstd: &mut self.zstd };
            let spans: Vec<&SpanRow> = spans.collect();
            if self.packs.put(seq, &spans, &mut numbers)? {
                self.packs.finish(tx, &mut self.zstd)?;
            }
        } else {
            self.insert_spans(tx, statements, seq, 0, spans)?;
        }
        self.minutes.entry(start.div_euclid(MINUTE_NS)).or_default().merge(&sums);
        Ok(sums)
    }

    /// Adds the spans of a batch that are new to a trace, and what they say to its row; the sums over them.
    /// `None` when the trace is another project's.
    fn merge(
        &mut self,
        tx: &Transaction<'_>,
        statements: &mut Statements<'_>,
        batch: &TraceBatch,
        (trace_id, project): (TraceId, Option<i64>),
        names: Numbers,
    ) -> Result<Option<Sums>> {
        let there = tx
            .prepare_cached(
                "SELECT seq, start_ns, duration_ns, status, span_count, project, session IS NOT NULL, tags
                 FROM traces WHERE trace_id = ?1",
            )?
            .query_row([trace_id.as_bytes()], There::read)?;
        if there.project != project {
            return Ok(None);
        }
        // Where they are packed in this transaction.
        self.packs.finish(tx, &mut self.zstd)?;
        let facts = self.facts.before(tx, &mut self.names, there.seq).map_err(damaged)?;
        let mut known = HashSet::new();
        let mut rooted = false;
        for span in spans::read(tx, there.seq).map_err(damaged)? {
            known.insert(span.span_id);
            rooted |= span.parent_id.is_none();
        }
        {
            let mut spans =
                tx.prepare_cached("SELECT span_id, parent_id IS NULL FROM spans WHERE id BETWEEN ?1 AND ?2")?;
            let mut rows = spans.query(params![first_span(there.seq), first_span(there.seq + 1) - 1])?;
            while let Some(row) = rows.next()? {
                known.insert(span_id(row.get(0)?));
                rooted |= row.get::<_, bool>(1)?;
            }
        }
        let new = || new_spans(&batch.spans, &known);
        let sums = self.insert_spans(tx, statements, there.seq, there.span_count, new())?;
        if sums.spans == 0 {
            return Ok(Some(sums));
        }
        let start = new().map(|span| span.start.0).fold(there.start, i64::min);
        let end = new().map(end_of).fold(there.start.saturating_add(there.duration), i64::max);
        let summary = &batch.summary;
        let (status, error) = status_columns(&summary.status);
        // The root's word on how it ended is final; without a root, one failure is the trace's.
        let speaks = summary.rooted || (!rooted && status > there.status);
        let Numbers { name, operation, model, provider, key_name, key_id, prompt, source, user } = names;
        tx.prepare_cached(
            "UPDATE traces SET
                start_ns = ?2, duration_ns = ?3, span_count = span_count + ?4,
                status = CASE WHEN ?5 THEN ?6 ELSE status END,
                error = CASE WHEN ?5 THEN ?7 ELSE error END,
                name = CASE WHEN ?8 THEN ?9 ELSE name END,
                model = CASE WHEN ?8 THEN coalesce(?10, model) ELSE coalesce(model, ?10) END,
                provider = coalesce(?11, provider),
                key_name = coalesce(key_name, ?12),
                input_tokens = CASE WHEN ?13 IS NULL THEN input_tokens ELSE coalesce(input_tokens, 0) + ?13 END,
                output_tokens = CASE WHEN ?14 IS NULL THEN output_tokens ELSE coalesce(output_tokens, 0) + ?14 END,
                cost_nano = CASE WHEN ?15 IS NULL THEN cost_nano ELSE coalesce(cost_nano, 0) + ?15 END,
                ttft_ns = CASE WHEN ?8 THEN coalesce(?16, ttft_ns) ELSE coalesce(ttft_ns, ?16) END,
                input_preview = CASE WHEN ?8 THEN coalesce(?17, input_preview) ELSE coalesce(input_preview, ?17) END,
                output_preview = CASE WHEN ?8 THEN coalesce(?18, output_preview) ELSE coalesce(output_preview, ?18) END,
                operation = CASE WHEN ?8 THEN ?19 ELSE operation END,
                key_id = coalesce(key_id, ?20),
                prompt = CASE WHEN ?8 THEN coalesce(?21, prompt) ELSE coalesce(prompt, ?21) END,
                source = CASE WHEN ?8 THEN coalesce(?22, source) ELSE coalesce(source, ?22) END,
                user = CASE WHEN ?8 THEN coalesce(?23, user) ELSE coalesce(user, ?23) END,
                cached_tokens = CASE WHEN ?24 IS NULL THEN cached_tokens ELSE coalesce(cached_tokens, 0) + ?24 END,
                reasoning_tokens = CASE WHEN ?25 IS NULL THEN reasoning_tokens
                    ELSE coalesce(reasoning_tokens, 0) + ?25 END
             WHERE seq = ?1",
        )?
        .execute(params![
            there.seq,
            start,
            end.saturating_sub(start),
            sums.spans,
            speaks,
            status,
            error,
            summary.rooted,
            name,
            model,
            provider,
            key_name,
            sums.input_tokens,
            sums.output_tokens,
            sums.cost_nano,
            summary.ttft_ns,
            summary.input_preview,
            summary.output_preview,
            operation,
            key_id,
            prompt,
            source,
            user,
            sums.cached_tokens,
            sums.reasoning_tokens,
        ])?;
        if let Some(session) = &summary.session
            && (summary.rooted || !there.has_session)
        {
            labels::join_session(tx, there.seq, project, session)?;
        }
        if !summary.tags.is_empty() {
            for tag in &summary.tags {
                labels::tag(tx, there.seq, self.names.id(tx, tag)?)?;
            }
            let all = labels::union(there.tags, &summary.tags);
            tx.prepare_cached("UPDATE traces SET tags = ?2 WHERE seq = ?1")?
                .execute(params![there.seq, labels::json(&all)?])?;
        }
        // Counted in the minute the trace was first counted in, even if it turns out to have begun earlier.
        let errors = if speaks { status - there.status } else { 0 };
        let minute = self.minutes.entry(there.start.div_euclid(MINUTE_NS)).or_default();
        minute.merge(&Sums { traces: 0, errors, ..sums });
        self.facts.changed(tx, &mut self.names, there.seq, facts).map_err(damaged)?;
        Ok(Some(sums))
    }

    /// Inserts spans after the `already` ones of their trace; the sums over them.
    fn insert_spans<'a>(
        &mut self,
        tx: &Transaction<'_>,
        statements: &mut Statements<'_>,
        seq: i64,
        already: i64,
        spans: impl Iterator<Item = &'a SpanRow>,
    ) -> Result<Sums> {
        let mut sums = Sums::default();
        for span in spans {
            let number = already + sums.spans;
            if number >= MOST_SPANS {
                tracing::warn!(seq, "a trace has more than {MOST_SPANS} spans; the rest is left out");
                break;
            }
            self.insert_span(tx, statements, first_span(seq) + number, span)?;
            sums.add(span);
        }
        Ok(sums)
    }

    fn insert_span(
        &mut self,
        tx: &Transaction<'_>,
        statements: &mut Statements<'_>,
        id: i64,
        span: &SpanRow,
    ) -> Result<()> {
        let name = self.names.id(tx, &span.name)?;
        let operation = self.names.id(tx, &span.operation)?;
        let model = self.names.optional(tx, span.model.as_deref())?;
        let provider = self.names.optional(tx, span.provider.as_deref())?;
        let (status, error) = status_columns(&span.status);
        self.write_attributes(tx, &span.attributes)?;
        self.references.clear();
        for (slot, body) in &span.bodies {
            let blob = self.blobs.put(tx, &mut self.zstd, body)?;
            blobs::pack(&mut self.references, *slot, blob);
        }
        let attributes = Some(&self.attributes).filter(|text| !text.is_empty());
        let references = Some(&self.references).filter(|references| !references.is_empty());
        let Usage { input, output, cached_input, cache_write, reasoning, .. } = span.usage;
        tokens::pack(&mut self.rare_tokens, &span.usage);
        let rare_tokens = Some(&self.rare_tokens).filter(|counts| !counts.is_empty());
        statements.span.execute(params![
            id,
            i64::from_be_bytes(*span.span_id.as_bytes()),
            span.parent_id.map(|parent| i64::from_be_bytes(*parent.as_bytes())),
            name,
            operation,
            span.start.0,
            span.duration_ns,
            status,
            span.counted,
            model,
            provider,
            count(input),
            count(output),
            count(cached_input),
            count(cache_write),
            count(reasoning),
            span.cost.map(|cost| cost.0),
            span.ttft_ns,
            error,
            attributes,
            references,
            rare_tokens,
        ])?;
        Ok(())
    }

    /// `[name, value, name, value]`, the names by number; empty when there are none.
    fn write_attributes(&mut self, tx: &Transaction<'_>, attributes: &Attributes) -> Result<()> {
        self.attributes.clear();
        let mut digits = itoa::Buffer::new();
        for (key, value) in attributes {
            let key = self.names.id(tx, key)?;
            self.attributes.push(if self.attributes.is_empty() { '[' } else { ',' });
            self.attributes.push_str(digits.format(key));
            self.attributes.push(',');
            write_value(&mut self.attributes, &mut digits, value)?;
        }
        if !self.attributes.is_empty() {
            self.attributes.push(']');
        }
        Ok(())
    }
}

/// Nearly all values are a number, a truth or a plain text, which need no serialiser.
fn write_value(into: &mut String, digits: &mut itoa::Buffer, value: &Value) -> Result<()> {
    let plain = |text: &str| text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
    match value {
        Value::Bool(true) => into.push_str("true"),
        Value::Bool(false) => into.push_str("false"),
        Value::String(text) if plain(text) => {
            into.push('"');
            into.push_str(text);
            into.push('"');
        }
        Value::Number(number) if number.is_i64() => {
            into.push_str(digits.format(number.as_i64().unwrap_or_default()));
        }
        value => {
            let json = serde_json::to_string(value);
            into.push_str(&json.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?);
        }
    }
    Ok(())
}

impl Sums {
    fn add(&mut self, span: &SpanRow) {
        self.spans += 1;
        if span.counted {
            add(&mut self.input_tokens, count(span.usage.input));
            add(&mut self.output_tokens, count(span.usage.output));
            add(&mut self.cached_tokens, count(span.usage.cached_input));
            add(&mut self.reasoning_tokens, count(span.usage.reasoning));
            add(&mut self.cost_nano, span.cost.map(|cost| cost.0));
        }
    }

    pub(crate) fn merge(&mut self, more: &Self) {
        self.traces += more.traces;
        self.errors += more.errors;
        self.spans += more.spans;
        add(&mut self.input_tokens, more.input_tokens);
        add(&mut self.output_tokens, more.output_tokens);
        add(&mut self.cached_tokens, more.cached_tokens);
        add(&mut self.reasoning_tokens, more.reasoning_tokens);
        add(&mut self.cost_nano, more.cost_nano);
    }
}

/// Numbers for what packed spans refer to.
struct Numbering<'a, 'tx> {
    tx: &'a Transaction<'tx>,
    names: &'a mut Names,
    blobs: &'a mut Blobs,
    zstd: &'a mut Zstd,
}

impl spans::Numbers for Numbering<'_, '_> {
    fn name(&mut self, text: &str) -> Result<i64> {
        self.names.id(self.tx, text)
    }
    fn body(&mut self, body: &[u8]) -> Result<i64> {
        self.blobs.put(self.tx, self.zstd, body)
    }
}

/// What is known of a trace that a batch is merged into.
struct There {
    seq: i64,
    start: i64,
    duration: i64,
    status: i64,
    span_count: i64,
    project: Option<i64>,
    has_session: bool,
    tags: Vec<String>,
}

/// A summary's texts by number.
#[derive(Clone, Copy)]
struct Numbers {
    name: i64,
    operation: i64,
    model: Option<i64>,
    provider: Option<i64>,
    key_name: Option<i64>,
    key_id: Option<i64>,
    prompt: Option<i64>,
    source: Option<i64>,
    user: Option<i64>,
}

impl There {
    fn read(row: &Row<'_>) -> Result<Self> {
        Ok(Self {
            seq: row.get(0)?,
            start: row.get(1)?,
            duration: row.get(2)?,
            status: row.get(3)?,
            span_count: row.get(4)?,
            project: row.get(5)?,
            has_session: row.get(6)?,
            tags: row.get_ref(7)?.as_str_or_null().map(labels::read)?,
        })
    }
}

/// The spans that are not known, each id once.
fn new_spans<'a>(spans: &'a [SpanRow], known: &'a HashSet<SpanId>) -> impl Iterator<Item = &'a SpanRow> {
    // Calls through the gateway have a handful of spans, for which looking is quicker than hashing.
    let mut seen = (spans.len() > 16).then(HashSet::new);
    spans
        .iter()
        .enumerate()
        .filter(move |(at, span)| {
            let first = match &mut seen {
                Some(seen) => seen.insert(span.span_id),
                None => spans.iter().take(*at).all(|earlier| earlier.span_id != span.span_id),
            };
            first && !known.contains(&span.span_id)
        })
        .map(|(_, span)| span)
}

/// The row id of a trace's first span.
pub(crate) fn first_span(seq: i64) -> i64 {
    seq.saturating_mul(MOST_SPANS)
}

/// A span's id from its column.
pub(crate) fn span_id(column: i64) -> SpanId {
    SpanId::from_bytes(column.to_be_bytes())
}

fn data_version(conn: &Connection) -> Result<i64> {
    conn.prepare_cached("PRAGMA data_version")?
        .query_row([], |row| row.get(0))
        .optional()
        .map(|version| version.unwrap_or(0))
}

/// Spans on file that cannot be read take nothing with them but what would be added to them.
fn damaged(error: StoreError) -> rusqlite::Error {
    match error {
        StoreError::Sql(error) => error,
        other => rusqlite::Error::ToSqlConversionFailure(other.into()),
    }
}

fn end_of(span: &SpanRow) -> i64 {
    span.start.0.saturating_add(span.duration_ns)
}

fn status_columns(status: &SpanStatus) -> (i64, Option<&str>) {
    match status {
        SpanStatus::Ok => (0, None),
        SpanStatus::Error(text) => (1, Some(text)),
    }
}

fn count(count: Option<u64>) -> Option<i64> {
    count.map(|count| i64::try_from(count).unwrap_or(i64::MAX))
}

fn add(sum: &mut Option<i64>, more: Option<i64>) {
    if let Some(more) = more {
        *sum = Some(sum.unwrap_or(0).saturating_add(more));
    }
}
