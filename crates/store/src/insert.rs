//! Traces in: rows of one batch, merged into what is there of the same trace.

pub(crate) mod forget;
mod merge;

use crate::blobs::{self, Blobs};
use crate::error::StoreError;
use crate::facts::{self, Common, Facts, Id};
use crate::labels;
use crate::ledger::{Due, Dues};
use crate::names::Names;
use crate::packing::Zstd;
use crate::row::{SpanRow, TraceBatch};
use crate::spans::{self, SpanPacks};
use crate::tokens;
use hanok_base::{Attributes, Charge, NanoDollars, SpanId, SpanStatus, Timestamp, TraceId, Usage};
use merge::Families;
use rusqlite::{CachedStatement, Connection, OptionalExtension, Result, Transaction, params};
use serde_json::Value;
use std::collections::{HashMap, HashSet};

/// The bits of a span's row id that number the spans of one trace.
pub(crate) const SPAN_BITS: u32 = 20;
const MOST_SPANS: i64 = 1 << SPAN_BITS;
const MOST: usize = 1 << SPAN_BITS;
/// Of calls whose traces are not kept.
const NO_TRACE: i64 = 0;
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
    families: Families,
    /// Traces and spans of the open transaction that were counted and not kept.
    not_kept: (u64, u64),
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
            "SELECT max(coalesce(max(seq), 0), (SELECT last_seq FROM forgotten)), coalesce((SELECT arrived_ms FROM traces ORDER BY seq DESC LIMIT 1), 0)
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
            families: Families::default(),
            not_kept: (0, 0),
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

    /// Whether there is something to be done that nobody waits for.
    pub(crate) fn has_chores(&self) -> bool {
        self.facts.has_chores()
    }

    /// Does some of it, some 10 ms.
    pub(crate) fn chore(&mut self, tx: &Transaction<'_>) -> Result<()> {
        if self.facts.is_untidy() {
            return self.facts.tidy(tx, &mut self.zstd).map_err(damaged);
        }
        self.fill(tx)
    }

    /// Gives some of the traces that have none yet their facts.
    fn fill(&mut self, tx: &Transaction<'_>) -> Result<()> {
        let Some((next, last)) = self.facts.unfilled() else { return Ok(()) };
        let seqs: Vec<i64> = tx
            .prepare_cached("SELECT seq FROM traces WHERE seq BETWEEN ?1 AND ?2 ORDER BY seq LIMIT 256")?
            .query_map([next, last], |row| row.get(0))?
            .collect::<Result<_>>()?;
        let mut packs = spans::Reader::default();
        for seq in &seqs {
            match facts::of_trace(tx, &mut self.names, &mut packs, *seq) {
                Ok(found) => {
                    for fact in &found {
                        self.facts.put(fact);
                    }
                }
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
        if let (traces @ 1.., spans) = std::mem::take(&mut self.not_kept) {
            tx.prepare_cached("UPDATE forgotten SET traces = traces + ?1, spans = spans + ?2")?
                .execute([traces, spans])?;
        }
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
        self.families.clear();
        self.not_kept = (0, 0);
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
        if !batch.kept && !is_there(tx, batch.trace_id)? {
            return self.count_only(tx, batch);
        }
        self.insert_as(tx, statements, batch, batch.trace_id)
    }

    /// Counts a trace that is not kept.
    fn count_only(&mut self, tx: &Transaction<'_>, batch: &TraceBatch) -> Result<Sums> {
        let Some(start) = batch.spans.iter().map(|span| span.start.0).min() else {
            return Ok(Sums::default());
        };
        let summary = &batch.summary;
        let tags = summary.tags.iter().map(|tag| self.names.id(tx, tag)).collect::<Result<_>>()?;
        // Not whose they were: without a trace nobody could find and remove that again.
        let texts = [
            (Id::Project, &summary.project),
            (Id::Asked, &summary.model),
            (Id::Key, &summary.key_name),
            (Id::KeyRow, &summary.key_id),
            (Id::Prompt, &summary.prompt),
            (Id::Source, &summary.source),
        ];
        let mut ids = Vec::with_capacity(texts.len());
        for (id, text) in texts {
            ids.push((id, self.names.optional(tx, text.as_deref())?));
        }
        let calls = each_once(&batch.spans).take(MOST).filter(|span| span.counted);
        self.facts.put_calls(tx, &mut self.names, &Common::new(NO_TRACE, &ids, tags), calls)?;
        let (status, _) = status_columns(&batch.summary.status);
        let sums = sums_of(&batch.spans, status);
        self.minutes.entry(start.div_euclid(MINUTE_NS)).or_default().merge(&sums);
        self.not_kept.0 += u64::try_from(sums.traces).unwrap_or(0);
        self.not_kept.1 += u64::try_from(sums.spans).unwrap_or(0);
        Ok(sums)
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
        let sums = sums_of(&batch.spans, status);
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
        for origin in &summary.made_of {
            forget::made::note(tx, origin.as_bytes(), trace_id.as_bytes())?;
        }
        if inserted == 0 {
            let names = Numbers { key_name, key_id, prompt, source, user };
            return match self.merge(tx, statements, batch, (trace_id, project), names)? {
                Some(sums) => Ok(sums),
                // Whoever guesses or copies an id must not write into another project's trace.
                None => {
                    self.insert_as(tx, statements, batch, another_id(trace_id, summary.project.as_deref()))
                }
            };
        }
        self.last_seq = seq;
        self.blobs.brought_by(seq);
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
        let ids = [
            (Id::Project, project),
            (Id::Asked, model),
            (Id::Key, key_name),
            (Id::KeyRow, key_id),
            (Id::Prompt, prompt),
            (Id::Source, source),
            (Id::Session, session),
            (Id::User, user),
        ];
        let calls = each_once(&batch.spans).take(MOST).filter(|span| span.counted);
        self.facts.put_calls(tx, &mut self.names, &Common::new(seq, &ids, tags), calls)?;
        let spans = each_once(&batch.spans);
        // What is added to a packed trace costs a look into its pack, so one that is not whole is not packed.
        if summary.rooted && batch.spans.len() <= spans::MOST {
            let mut numbers =
                Numbering { tx, names: &mut self.names, blobs: &mut self.blobs, zstd: &mut self.zstd };
            let spans: Vec<&SpanRow> = spans.collect();
            if self.packs.put(seq, &spans, &mut numbers)? {
                self.packs.finish(tx, &mut self.zstd)?;
            }
        } else {
            for (id, span) in (first_span(seq)..).zip(spans.take(MOST)) {
                self.insert_span(tx, statements, id, span, span.counted)?;
            }
        }
        self.minutes.entry(start.div_euclid(MINUTE_NS)).or_default().merge(&sums);
        Ok(sums)
    }

    fn insert_span(
        &mut self,
        tx: &Transaction<'_>,
        statements: &mut Statements<'_>,
        id: i64,
        span: &SpanRow,
        counted: bool,
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
            counted,
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

/// What one span used.
#[derive(Clone, Copy, Debug)]
struct Tokens {
    usage: Usage,
    cost: Option<NanoDollars>,
}

impl Tokens {
    fn of(span: &SpanRow) -> Self {
        Self { usage: span.usage, cost: span.cost }
    }
}

impl Sums {
    fn add(&mut self, used: &Tokens) {
        add(&mut self.input_tokens, count(used.usage.input));
        add(&mut self.output_tokens, count(used.usage.output));
        add(&mut self.cached_tokens, count(used.usage.cached_input));
        add(&mut self.reasoning_tokens, count(used.usage.reasoning));
        add(&mut self.cost_nano, used.cost.map(|cost| cost.0));
    }

    /// The same, to be taken away.
    fn negative(&self) -> Self {
        let less = |count: Option<i64>| count.map(i64::wrapping_neg);
        Self {
            traces: -self.traces,
            errors: -self.errors,
            spans: -self.spans,
            input_tokens: less(self.input_tokens),
            output_tokens: less(self.output_tokens),
            cached_tokens: less(self.cached_tokens),
            reasoning_tokens: less(self.reasoning_tokens),
            cost_nano: less(self.cost_nano),
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

/// A summary's texts by number.
#[derive(Clone, Copy)]
struct Numbers {
    key_name: Option<i64>,
    key_id: Option<i64>,
    prompt: Option<i64>,
    source: Option<i64>,
    user: Option<i64>,
}

/// What the spans of a new trace add up to.
fn sums_of(spans: &[SpanRow], errors: i64) -> Sums {
    let mut sums = Sums { traces: 1, errors, ..Sums::default() };
    for span in each_once(spans).take(MOST) {
        sums.spans += 1;
        if span.counted {
            sums.add(&Tokens::of(span));
        }
    }
    sums
}

fn is_there(tx: &Transaction<'_>, trace_id: TraceId) -> Result<bool> {
    tx.prepare_cached("SELECT 1 FROM traces WHERE trace_id = ?1")?.exists([trace_id.as_bytes()])
}

/// Each span once.
fn each_once(spans: &[SpanRow]) -> impl Iterator<Item = &SpanRow> {
    // Calls through the gateway have a handful of spans, for which looking is quicker than hashing.
    let mut seen = (spans.len() > 16).then(HashSet::new);
    let first = move |(at, span): &(usize, &SpanRow)| match &mut seen {
        Some(seen) => seen.insert(span.span_id),
        None => spans.iter().take(*at).all(|earlier| earlier.span_id != span.span_id),
    };
    spans.iter().enumerate().filter(first).map(|(_, span)| span)
}

/// Where the spans of a trace go whose id is another project's: always to the same place, as more may come.
fn another_id(taken: TraceId, project: Option<&str>) -> TraceId {
    let mut hash = blake3::Hasher::new();
    hash.update(taken.as_bytes()).update(project.unwrap_or_default().as_bytes());
    let mut id = [0; 16];
    hash.finalize_xof().fill(&mut id);
    TraceId::from_bytes(id)
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
