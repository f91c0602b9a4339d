//! Facts: what each counted call was, apart from its span, so that sums and percentiles over any of them read a
//! few bytes a call. Written in the transaction that stores the span.
//!
//! New facts are a row of `fact_tails` a commit, one fact after another: the trace's `seq` (LEB128), milliseconds
//! since the epoch (zigzag), which ids and counts there are, a bit each, whether it is taken back, and whether there
//! are tags (LEB128), then those ids and counts (LEB128), then the number of tags and each tag (LEB128). As soon as
//! there are [`SEGMENT`] facts they become a segment of columns (`fact_columns`).
//!
//! What is no longer so (a call that turns out to be made of others; a trace whose user comes later) is taken back:
//! the same fact again, with a weight of -1.

use crate::blobs::{Zstd, pop_varint, push_varint};
use crate::error::StoreError;
use crate::fact_columns::{self as columns, Column, unzigzag, zigzag};
use crate::insert::first_span;
use crate::labels;
use crate::names::Names;
use crate::row::SpanRow;
use crate::spans::{self, PackedSpan};
use hanok_base::{Attributes, SpanStatus, Usage};
use rusqlite::{Connection, OptionalExtension, Result, Transaction, params};
use serde_json::Value;
use std::collections::HashMap;

/// Facts of a segment.
pub(crate) const SEGMENT: usize = if cfg!(test) { 64 } else { 16_384 };
/// More than any segment has: what claims to hold more is damaged.
pub(crate) const MOST: usize = 1 << 20;
/// The bits of a column's row id that number the columns of a segment.
pub(crate) const COLUMN_BITS: u32 = 5;
const ERROR_TYPE: &str = "error.type";

/// What a fact refers to, by number; 0 is nothing. All are rows of `names` but `User` and `Session`. The order is
/// that of columns on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Id {
    Project,
    /// The model that was called.
    Model,
    /// The model that the trace asked for.
    Asked,
    Provider,
    Key,
    /// The id of the key.
    KeyRow,
    User,
    Session,
    Prompt,
    Source,
    /// The kind of failure; 0 where there was none.
    Error,
}

/// What a fact counts. The order is that of columns on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    Input,
    Output,
    Cached,
    CacheWrite,
    Reasoning,
    /// Nano-dollars; missing where the call is unpriced.
    Cost,
    /// Microseconds.
    Duration,
    /// Microseconds to the first token.
    FirstToken,
}

impl Id {
    pub(crate) const ALL: [Self; 11] = [
        Self::Project,
        Self::Model,
        Self::Asked,
        Self::Provider,
        Self::Key,
        Self::KeyRow,
        Self::User,
        Self::Session,
        Self::Prompt,
        Self::Source,
        Self::Error,
    ];
}

impl Count {
    pub(crate) const ALL: [Self; 8] = [
        Self::Input,
        Self::Output,
        Self::Cached,
        Self::CacheWrite,
        Self::Reasoning,
        Self::Cost,
        Self::Duration,
        Self::FirstToken,
    ];
}

/// One counted call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Fact {
    pub(crate) seq: i64,
    pub(crate) start_ms: i64,
    pub(crate) taken_back: bool,
    /// By [`Id`].
    pub(crate) ids: [i64; Id::ALL.len()],
    /// By [`Count`], one more than it is, so that 0 is missing.
    pub(crate) counts: [u64; Count::ALL.len()],
    /// Ascending, each once.
    pub(crate) tags: Vec<i64>,
}

impl Fact {
    pub(crate) fn id(&self, id: Id) -> i64 {
        self.ids.get(id as usize).copied().unwrap_or(0)
    }

    pub(crate) fn set_id(&mut self, id: Id, number: i64) {
        if let Some(place) = self.ids.get_mut(id as usize) {
            *place = number;
        }
    }

    /// One more than it is; 0 is missing.
    pub(crate) fn stored_count(&self, count: Count) -> u64 {
        self.counts.get(count as usize).copied().unwrap_or(0)
    }

    pub(crate) fn set_count(&mut self, count: Count, number: Option<u64>) {
        if let Some(place) = self.counts.get_mut(count as usize) {
            *place = number.map_or(0, |number| number.saturating_add(1));
        }
    }

    fn measure(&mut self, usage: &Usage, cost: Option<i64>, duration_ns: i64, ttft_ns: Option<i64>) {
        let micros = |nanos: i64| u64::try_from(nanos / 1_000).unwrap_or(0);
        self.set_count(Count::Input, usage.input);
        self.set_count(Count::Output, usage.output);
        self.set_count(Count::Cached, usage.cached_input);
        self.set_count(Count::CacheWrite, usage.cache_write);
        self.set_count(Count::Reasoning, usage.reasoning);
        self.set_count(Count::Cost, cost.and_then(|cost| u64::try_from(cost).ok()));
        self.set_count(Count::Duration, Some(micros(duration_ns)));
        self.set_count(Count::FirstToken, ttft_ns.map(micros));
    }

    fn push(&self, bytes: &mut Vec<u8>) {
        push_varint(bytes, self.seq.cast_unsigned());
        push_varint(bytes, zigzag(self.start_ms));
        let ids = self.ids.iter().map(|id| id.cast_unsigned());
        let present = ids.chain(self.counts.iter().copied());
        let flags = present.clone().map(|number| number != 0);
        let flags = flags.chain([self.taken_back, !self.tags.is_empty()]);
        push_varint(bytes, flags.zip(0..).fold(0, |all, (set, bit)| all | u64::from(set) << bit));
        for number in present.filter(|number| *number != 0) {
            push_varint(bytes, number);
        }
        if !self.tags.is_empty() {
            push_varint(bytes, self.tags.len() as u64);
            for tag in &self.tags {
                push_varint(bytes, tag.cast_unsigned());
            }
        }
    }

    fn pop(bytes: &mut std::slice::Iter<'_, u8>) -> Option<Self> {
        let mut fact = Self {
            seq: pop_varint(bytes)?.cast_signed(),
            start_ms: unzigzag(pop_varint(bytes)?),
            ..Self::default()
        };
        let mut flags = pop_varint(bytes)?;
        let mut next = || {
            let set = flags & 1 != 0;
            flags >>= 1;
            set
        };
        for id in &mut fact.ids {
            if next() {
                *id = pop_varint(bytes)?.cast_signed();
            }
        }
        for count in &mut fact.counts {
            if next() {
                *count = pop_varint(bytes)?;
            }
        }
        fact.taken_back = next();
        if next() {
            for _ in 0..pop_varint(bytes)? {
                fact.tags.push(pop_varint(bytes)?.cast_signed());
            }
        }
        Some(fact)
    }
}

/// What the facts of a trace have in common.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Common(Fact);

impl Common {
    /// Of a trace that is being inserted.
    pub(crate) fn new(seq: i64, ids: &[(Id, Option<i64>)], mut tags: Vec<i64>) -> Self {
        tags.sort_unstable();
        tags.dedup();
        let mut fact = Fact { seq, tags, ..Fact::default() };
        for (id, number) in ids {
            fact.set_id(*id, number.unwrap_or(0));
        }
        Self(fact)
    }

    /// Of a stored trace.
    fn read(tx: &Transaction<'_>, names: &mut Names, seq: i64) -> Result<Option<Self>> {
        let columns =
            [Id::Project, Id::Asked, Id::Key, Id::KeyRow, Id::Prompt, Id::Source, Id::Session, Id::User];
        let mut ids = columns.map(|id| (id, None));
        let found = tx
            .prepare_cached(
                "SELECT project, model, key_name, key_id, prompt, source, session, user, tags FROM traces
                 WHERE seq = ?1",
            )?
            .query_row([seq], |row| {
                for (at, (_, number)) in ids.iter_mut().enumerate() {
                    *number = row.get(at)?;
                }
                Ok(row.get_ref(8)?.as_str_or_null().map(labels::read)?)
            })
            .optional()?;
        let Some(found) = found else { return Ok(None) };
        let tags = found.iter().map(|tag| names.id(tx, tag)).collect::<Result<_>>()?;
        Ok(Some(Self::new(seq, &ids, tags)))
    }

    /// The fact of one of its counted calls.
    fn call(&self, tx: &Transaction<'_>, names: &mut Names, span: &SpanRow) -> Result<Fact> {
        let mut fact = self.0.clone();
        fact.start_ms = span.start.0.div_euclid(1_000_000);
        for (id, text) in [(Id::Model, &span.model), (Id::Provider, &span.provider)] {
            if let Some(text) = text {
                fact.set_id(id, names.id(tx, text)?);
            }
        }
        if span.status != SpanStatus::Ok {
            fact.set_id(Id::Error, names.id(tx, error_type(&span.attributes))?);
        }
        fact.measure(&span.usage, span.cost.map(|cost| cost.0), span.duration_ns, span.ttft_ns);
        Ok(fact)
    }

    fn packed(&self, tx: &Transaction<'_>, names: &mut Names, span: &PackedSpan) -> Result<Fact> {
        let mut fact = self.0.clone();
        fact.start_ms = span.start.0.div_euclid(1_000_000);
        fact.set_id(Id::Model, span.model.unwrap_or(0));
        fact.set_id(Id::Provider, span.provider.unwrap_or(0));
        if span.status != SpanStatus::Ok {
            let key = names.id(tx, ERROR_TYPE)?;
            let kind = span.attributes.iter().find(|(name, _)| *name == key);
            let kind = kind.and_then(|(_, kind)| kind.as_str()).unwrap_or(ERROR);
            fact.set_id(Id::Error, names.id(tx, kind)?);
        }
        fact.measure(&span.usage, span.cost.map(|cost| cost.0), span.duration_ns, span.ttft_ns);
        Ok(fact)
    }
}

/// What a failure without a type is called.
const ERROR: &str = "error";

fn error_type(attributes: &Attributes) -> &str {
    let kind = attributes.iter().rev().find(|(key, _)| key == ERROR_TYPE);
    kind.and_then(|(_, kind)| kind.as_str()).unwrap_or(ERROR)
}

/// The facts of a stored trace, as its rows have them now.
pub(crate) fn of_trace(
    tx: &Transaction<'_>,
    names: &mut Names,
    packs: &mut spans::Reader,
    seq: i64,
) -> Result<Vec<Fact>, StoreError> {
    let Some(common) = Common::read(tx, names, seq)? else { return Ok(Vec::new()) };
    calls(tx, names, packs, &common, usize::MAX, |_, counted| counted)
}

/// The facts of those of a stored trace's first `there` spans that are wanted, by their number and whether they are
/// counted.
fn calls(
    tx: &Transaction<'_>,
    names: &mut Names,
    packs: &mut spans::Reader,
    common: &Common,
    there: usize,
    wanted: impl Fn(usize, bool) -> bool,
) -> Result<Vec<Fact>, StoreError> {
    let seq = common.0.seq;
    let mut facts = Vec::new();
    for (number, span) in packs.read(tx, seq)?.iter().enumerate().take(there) {
        if wanted(number, span.counted) {
            facts.push(common.packed(tx, names, span)?);
        }
    }
    let first = first_span(seq);
    let end = i64::try_from(there).map_or(i64::MAX, |there| first.saturating_add(there));
    let end = end.min(first_span(seq + 1));
    let mut rows = tx.prepare_cached(
        "SELECT model, provider, start_ns, duration_ns, status, input_tokens, output_tokens, cached_tokens,
            cache_write_tokens, reasoning_tokens, cost_nano, ttft_ns, attributes, counted, id
         FROM spans WHERE id >= ?1 AND id < ?2",
    )?;
    let mut rows = rows.query([first, end])?;
    while let Some(row) = rows.next()? {
        let number = usize::try_from(row.get::<_, i64>(14)? - first).unwrap_or(usize::MAX);
        if !wanted(number, row.get(13)?) {
            continue;
        }
        let mut fact = common.0.clone();
        fact.set_id(Id::Model, row.get::<_, Option<i64>>(0)?.unwrap_or(0));
        fact.set_id(Id::Provider, row.get::<_, Option<i64>>(1)?.unwrap_or(0));
        fact.start_ms = row.get::<_, i64>(2)?.div_euclid(1_000_000);
        if row.get::<_, i64>(4)? != 0 {
            let attributes = row.get_ref(12)?.as_str_or_null().map_err(rusqlite::Error::from)?;
            let kind = stored_error_type(attributes, names.id(tx, ERROR_TYPE)?);
            fact.set_id(Id::Error, names.id(tx, kind.as_deref().unwrap_or(ERROR))?);
        }
        let usage = Usage {
            input: row.get(5)?,
            output: row.get(6)?,
            cached_input: row.get(7)?,
            cache_write: row.get(8)?,
            reasoning: row.get(9)?,
            ..Usage::default()
        };
        fact.measure(&usage, row.get(10)?, row.get(3)?, row.get(11)?);
        facts.push(fact);
    }
    Ok(facts)
}

/// The value of the attribute of this name in the column of a span's attributes, where it is a text.
fn stored_error_type(attributes: Option<&str>, name: i64) -> Option<String> {
    let list: Vec<Value> = serde_json::from_str(attributes?).ok()?;
    let mut list = list.into_iter();
    while let (Some(key), Some(value)) = (list.next(), list.next()) {
        if key.as_i64() == Some(name) {
            return value.as_str().map(ToOwned::to_owned);
        }
    }
    None
}

/// What changed of the spans that were there of a trace.
pub(crate) struct Changed<'a> {
    /// How many there were.
    pub(crate) there: usize,
    /// Those that are no longer counted, by number, ascending.
    pub(crate) taken: &'a [usize],
}

/// The writer's side.
pub(crate) struct Facts {
    /// Those of the open transaction.
    open: Vec<u8>,
    opened: usize,
    /// Facts in rows of `fact_tails`, and how many there were after the last commit.
    tails: usize,
    committed_tails: usize,
    /// The traces that have no facts yet, the first and the last of them.
    unfilled: Option<(i64, i64)>,
    committed_unfilled: Option<(i64, i64)>,
    /// Whether there may be rows in `fact_gone`.
    gone: bool,
    tidying: Option<Tidying>,
}

/// Facts of removed traces are being taken out of the segments.
struct Tidying {
    /// The traces, ascending.
    gone: Vec<i64>,
    /// The segments that may hold some, still to be looked at.
    segments: Vec<(i64, usize)>,
}

/// Traces whose facts are taken out in one go.
const TIDY: i64 = 200_000;
/// Of those, so many leave `fact_gone` in one step.
const DONE: usize = 5_000;

impl Facts {
    pub(crate) fn new(conn: &Connection) -> Result<Self> {
        let tails = conn.query_row("SELECT coalesce(sum(facts), 0) FROM fact_tails", [], |row| row.get(0))?;
        let unfilled = conn
            .query_row("SELECT next, last FROM fact_fill", [], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        Ok(Self {
            open: Vec::new(),
            opened: 0,
            tails,
            committed_tails: tails,
            unfilled,
            committed_unfilled: unfilled,
            gone: conn.query_row("SELECT EXISTS (SELECT 1 FROM fact_gone)", [], |row| row.get(0))?,
            tidying: None,
        })
    }

    /// Adds a fact.
    pub(crate) fn put(&mut self, fact: &Fact) {
        fact.push(&mut self.open);
        self.opened += 1;
    }

    /// Takes a fact back that was added, now or long ago.
    pub(crate) fn take_back(&mut self, fact: &Fact) {
        self.put(&Fact { taken_back: true, ..fact.clone() });
    }

    /// Adds the facts of these calls.
    pub(crate) fn put_calls<'a>(
        &mut self,
        tx: &Transaction<'_>,
        names: &mut Names,
        common: &Common,
        calls: impl Iterator<Item = &'a SpanRow>,
    ) -> Result<()> {
        for span in calls {
            let fact = common.call(tx, names, span)?;
            self.put(&fact);
        }
        Ok(())
    }

    /// What the facts of a trace have in common before it changes, for [`Facts::changed`]; `None` where it has none
    /// yet and will get them all at once.
    pub(crate) fn before(&self, tx: &Transaction<'_>, names: &mut Names, seq: i64) -> Result<Option<Common>> {
        if self.unfilled.is_some_and(|(next, last)| (next..=last).contains(&seq)) {
            return Ok(None);
        }
        Common::read(tx, names, seq)
    }

    /// Takes back what is no longer so of a trace, and adds what is new: the calls that came.
    pub(crate) fn changed<'a>(
        &mut self,
        tx: &Transaction<'_>,
        names: &mut Names,
        before: &Common,
        Changed { there, taken }: Changed<'_>,
        new: impl Iterator<Item = &'a SpanRow>,
    ) -> Result<(), StoreError> {
        let Some(now) = Common::read(tx, names, before.0.seq)? else { return Ok(()) };
        let mut packs = spans::Reader::default();
        let was_taken = |number: usize| taken.binary_search(&number).is_ok();
        if now != *before {
            let was_counted = |number, counted| counted || was_taken(number);
            let all = calls(tx, names, &mut packs, before, there, was_counted)?;
            for fact in &all {
                self.take_back(fact);
            }
            let all = calls(tx, names, &mut packs, &now, there, |_, counted| counted)?;
            for fact in &all {
                self.put(fact);
            }
        } else if !taken.is_empty() {
            let all = calls(tx, names, &mut packs, before, there, |number, _| was_taken(number))?;
            for fact in &all {
                self.take_back(fact);
            }
        }
        Ok(self.put_calls(tx, names, &now, new)?)
    }

    /// Traces that have no facts yet.
    pub(crate) fn unfilled(&self) -> Option<(i64, i64)> {
        self.unfilled
    }

    /// The traces before `next` have their facts now.
    pub(crate) fn filled(&mut self, tx: &Transaction<'_>, next: i64) -> Result<()> {
        self.unfilled = self.unfilled.map(|(_, last)| (next, last)).filter(|(next, last)| next <= last);
        match self.unfilled {
            Some((next, _)) => tx.prepare_cached("UPDATE fact_fill SET next = ?1")?.execute([next])?,
            None => tx.prepare_cached("DELETE FROM fact_fill")?.execute([])?,
        };
        Ok(())
    }

    /// The facts of these traces count no longer. They leave the file by and by ([`Facts::tidy`]).
    pub(crate) fn forget(&mut self, tx: &Transaction<'_>, seqs: &[i64]) -> Result<()> {
        let mut insert = tx.prepare_cached("INSERT OR IGNORE INTO fact_gone (seq) VALUES (?1)")?;
        for seq in seqs {
            insert.execute([seq])?;
        }
        self.gone = true;
        Ok(())
    }

    /// Whether there is something to fill or to tidy.
    pub(crate) fn has_chores(&self) -> bool {
        self.gone || self.unfilled.is_some()
    }

    /// Whether there is something to tidy.
    pub(crate) fn is_untidy(&self) -> bool {
        self.gone
    }

    /// Takes facts of removed traces out of one segment, in some 10 ms.
    pub(crate) fn tidy(&mut self, tx: &Transaction<'_>, zstd: &mut Zstd) -> Result<(), StoreError> {
        // What fails begins again; what was done is not there to be done again.
        let Some(mut tidying) = self.tidying.take() else {
            let gone: Vec<i64> = tx
                .prepare_cached("SELECT seq FROM fact_gone ORDER BY seq LIMIT ?1")?
                .query_map([TIDY], |row| row.get(0))?
                .collect::<Result<_>>()?;
            let (Some(first), Some(last)) = (gone.first(), gone.last()) else {
                self.gone = false;
                return Ok(());
            };
            let segments = tx
                .prepare_cached(
                    "SELECT id, facts FROM fact_segments WHERE first_seq <= ?2 AND last_seq >= ?1",
                )?
                .query_map([first, last], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_>>()?;
            self.tails = without_tails(tx, &gone)?;
            self.tidying = Some(Tidying { gone, segments });
            return Ok(());
        };
        if let Some((segment, count)) = tidying.segments.pop() {
            without(tx, zstd, (segment, count), &tidying.gone)?;
        } else {
            let mut delete = tx.prepare_cached("DELETE FROM fact_gone WHERE seq = ?1")?;
            for seq in tidying.gone.drain(tidying.gone.len().saturating_sub(DONE)..) {
                delete.execute([seq])?;
            }
        }
        self.tidying = Some(tidying).filter(|tidying| !tidying.gone.is_empty());
        Ok(())
    }

    /// At the end of a transaction, before its commit.
    pub(crate) fn finish(&mut self, tx: &Transaction<'_>, zstd: &mut Zstd) -> Result<()> {
        if self.opened == 0 {
            return Ok(());
        }
        tx.prepare_cached("INSERT INTO fact_tails (facts, body) VALUES (?1, ?2)")?
            .execute(params![self.opened, self.open])?;
        self.tails += self.opened;
        self.open.clear();
        self.open.shrink_to(128 << 10);
        self.opened = 0;
        if self.tails >= SEGMENT {
            let facts = cancelled(tails(tx)?);
            tx.execute("DELETE FROM fact_tails", [])?;
            for facts in facts.chunks(2 * SEGMENT) {
                write_segment(tx, zstd, facts)?;
            }
            self.tails = 0;
        }
        Ok(())
    }

    pub(crate) fn committed(&mut self) {
        self.committed_tails = self.tails;
        self.committed_unfilled = self.unfilled;
    }

    pub(crate) fn rolled_back(&mut self) {
        self.open.clear();
        self.opened = 0;
        self.tails = self.committed_tails;
        self.unfilled = self.committed_unfilled;
        self.tidying = None;
    }
}

/// The facts that are in no segment yet.
pub(crate) fn tails(conn: &Connection) -> Result<Vec<Fact>> {
    let mut facts = Vec::new();
    let mut statement = conn.prepare_cached("SELECT id, body FROM fact_tails ORDER BY id")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut bytes = row.get_ref(1)?.as_blob()?.iter();
        while bytes.len() > 0 {
            let Some(fact) = Fact::pop(&mut bytes) else {
                return Err(damaged(format!("the facts of tail {}", row.get::<_, i64>(0)?)));
            };
            facts.push(fact);
        }
    }
    Ok(facts)
}

/// The facts without those that were taken back among themselves.
fn cancelled(mut facts: Vec<Fact>) -> Vec<Fact> {
    let mut back: HashMap<Fact, usize> = HashMap::new();
    for fact in facts.iter().filter(|fact| fact.taken_back) {
        *back.entry(Fact { taken_back: false, ..fact.clone() }).or_default() += 1;
    }
    if back.is_empty() {
        return facts;
    }
    let mut gone = back.clone();
    for count in gone.values_mut() {
        *count = 0;
    }
    facts.retain(|fact| {
        let Some(left) = back.get_mut(fact).filter(|left| **left > 0) else { return true };
        *left -= 1;
        if let Some(gone) = gone.get_mut(fact) {
            *gone += 1;
        }
        false
    });
    facts.retain(|fact| {
        if !fact.taken_back {
            return true;
        }
        let Some(left) = gone.get_mut(&Fact { taken_back: false, ..fact.clone() }) else { return true };
        if *left == 0 {
            return true;
        }
        *left -= 1;
        false
    });
    facts
}

fn write_segment(tx: &Transaction<'_>, zstd: &mut Zstd, facts: &[Fact]) -> Result<()> {
    let bounds = |of: fn(&Fact) -> i64| Some((facts.iter().map(of).min()?, facts.iter().map(of).max()?));
    let (Some((first_ms, last_ms)), Some((first_seq, last_seq))) =
        (bounds(|fact| fact.start_ms), bounds(|fact| fact.seq))
    else {
        return Ok(());
    };
    tx.prepare_cached(
        "INSERT INTO fact_segments (facts, first_ms, last_ms, first_seq, last_seq) VALUES (?1, ?2, ?3, ?4, ?5)",
    )?
    .execute(params![facts.len(), first_ms, last_ms, first_seq, last_seq])?;
    let segment = tx.last_insert_rowid();
    let mut insert = tx.prepare_cached("INSERT INTO fact_columns (id, body) VALUES (?1, ?2)")?;
    for column in Column::all() {
        insert.execute(params![column_id(segment, column), columns::encode(facts, column, zstd)])?;
    }
    Ok(())
}

/// The row id of a segment's column.
pub(crate) fn column_id(segment: i64, column: Column) -> i64 {
    (segment << COLUMN_BITS) + column.code()
}

/// A column's bytes.
pub(crate) fn read_column(conn: &Connection, segment: i64, column: Column) -> Result<Vec<u8>, StoreError> {
    let bytes = conn
        .prepare_cached("SELECT body FROM fact_columns WHERE id = ?1")?
        .query_row([column_id(segment, column)], |row| Ok(columns::unpack(row.get_ref(0)?.as_blob()?)))
        .optional()?;
    bytes.flatten().ok_or_else(|| bad_column(segment, column))
}

pub(crate) fn bad_column(segment: i64, column: Column) -> StoreError {
    StoreError::Damaged(format!("column {column:?} of fact segment {segment}"))
}

/// Takes the facts of these traces (ascending) out of the tails; how many are left.
fn without_tails(tx: &Transaction<'_>, gone: &[i64]) -> Result<usize, StoreError> {
    let mut facts = tails(tx)?;
    let before = facts.len();
    facts.retain(|fact| gone.binary_search(&fact.seq).is_err());
    if facts.len() < before {
        tx.execute("DELETE FROM fact_tails", [])?;
        if !facts.is_empty() {
            let mut body = Vec::new();
            for fact in &facts {
                fact.push(&mut body);
            }
            tx.execute("INSERT INTO fact_tails (facts, body) VALUES (?1, ?2)", params![facts.len(), body])?;
        }
    }
    Ok(facts.len())
}

/// Takes the facts of these traces (ascending) out of a segment, which is written anew where it has some.
fn without(
    tx: &Transaction<'_>,
    zstd: &mut Zstd,
    (segment, count): (i64, usize),
    gone: &[i64],
) -> Result<(), StoreError> {
    let mut facts = read_segment(tx, segment, count)?;
    facts.retain(|fact| gone.binary_search(&fact.seq).is_err());
    if facts.len() < count {
        tx.execute("DELETE FROM fact_segments WHERE id = ?1", [segment])?;
        let columns = [segment << COLUMN_BITS, (segment + 1) << COLUMN_BITS];
        tx.execute("DELETE FROM fact_columns WHERE id >= ?1 AND id < ?2", columns)?;
        write_segment(tx, zstd, &facts)?;
    }
    Ok(())
}

/// All facts of a segment.
fn read_segment(conn: &Connection, segment: i64, count: usize) -> Result<Vec<Fact>, StoreError> {
    if count > MOST {
        return Err(StoreError::Damaged(format!("fact segment {segment}")));
    }
    let mut facts = vec![Fact::default(); count];
    for column in Column::all() {
        let bytes = read_column(conn, segment, column)?;
        let bad = || bad_column(segment, column);
        match column {
            Column::Id(id) => {
                let ids = columns::decode_ids(&bytes, count).ok_or_else(bad)?;
                for (fact, code) in facts.iter_mut().zip(&ids.codes) {
                    fact.set_id(id, *ids.dictionary.get(*code as usize).ok_or_else(bad)?);
                }
            }
            Column::Tags => {
                let sets = columns::decode_tags(&bytes, count).ok_or_else(bad)?;
                for (fact, code) in facts.iter_mut().zip(&sets.codes) {
                    fact.tags.clone_from(sets.dictionary.get(*code as usize).ok_or_else(bad)?);
                }
            }
            _ => {
                let numbers = columns::decode_numbers(&bytes, count, column).ok_or_else(bad)?;
                for (fact, number) in facts.iter_mut().zip(numbers) {
                    match column {
                        Column::Seq => fact.seq = number.cast_signed(),
                        Column::Start => fact.start_ms = number.cast_signed(),
                        Column::Count(count) => fact.set_count(count, number.checked_sub(1)),
                        _ => fact.taken_back = number != 0,
                    }
                }
            }
        }
    }
    Ok(facts)
}

fn damaged(what: String) -> rusqlite::Error {
    rusqlite::Error::ToSqlConversionFailure(StoreError::Damaged(what).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(seq: i64) -> Fact {
        let mut fact = Fact { seq, start_ms: seq - 500, ..Fact::default() };
        for (at, id) in (0..).zip(Id::ALL) {
            fact.set_id(id, (seq + at) % 5);
        }
        for (at, count) in (0..).zip(Count::ALL) {
            fact.set_count(count, (seq % 3 != at % 3).then_some((seq * at).unsigned_abs()));
        }
        fact.tags = (0..seq % 3).collect();
        fact
    }

    #[test]
    fn facts_come_back() {
        let facts: Vec<Fact> = (0..1000).map(|seq| Fact { taken_back: seq % 7 == 1, ..fact(seq) }).collect();
        let mut bytes = Vec::new();
        for fact in &facts {
            fact.push(&mut bytes);
        }
        let mut found = bytes.iter();
        for fact in &facts {
            assert_eq!(Fact::pop(&mut found).as_ref(), Some(fact));
        }
        assert_eq!(Fact::pop(&mut found), None);
        assert!(bytes.len() < 40 * facts.len(), "{}", bytes.len());
    }

    #[test]
    fn what_is_taken_back_cancels() {
        let back = |seq| Fact { taken_back: true, ..fact(seq) };
        let check = |facts: Vec<Fact>, expect: Vec<Fact>| assert_eq!(cancelled(facts), expect);
        check(vec![fact(1), fact(2)], vec![fact(1), fact(2)]);
        check(vec![fact(1), back(1), fact(2)], vec![fact(2)]);
        check(vec![fact(1), fact(1), back(1), back(3)], vec![fact(1), back(3)]);
        check(vec![back(1), back(1), fact(1)], vec![back(1)]);
    }
}
