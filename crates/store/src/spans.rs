//! Spans of small traces, packed: those of many traces in one row, as a row for each span costs several times as
//! much, and takes more room.
//!
//! A pack is a sequence of (trace's `seq` less that of the trace before, LEB128; length of its spans, LEB128; its
//! spans). Numbers within are LEB128, those that may be negative zigzag; texts and bytes go behind their length;
//! names are rows of `names`, and bodies are numbered as in `packs`.

use crate::error::StoreError;
use crate::packing::{self, Zstd};
use crate::row::{Slot, SpanRow};
use crate::tokens;
use crate::varint::{pop_varint, push_varint};
use hanok_base::{NanoDollars, SpanId, SpanStatus, Timestamp, Usage};
use rusqlite::{Connection, OptionalExtension, Result, Transaction, params};
use serde_json::{Number, Value};

/// A pack is closed once it holds so many bytes.
const PACK: usize = 64 << 10;
/// Larger traces are not packed: their spans would make those of others slow to read.
pub(crate) const MOST: usize = 64;

/// What a span holds, a bit each.
const PARENT_HERE: u16 = 1;
const PARENT_ELSEWHERE: u16 = 1 << 1;
const ERROR: u16 = 1 << 2;
const COUNTED: u16 = 1 << 3;
const MODEL: u16 = 1 << 4;
const PROVIDER: u16 = 1 << 5;
const COST: u16 = 1 << 6;
const TTFT: u16 = 1 << 7;
const INPUT: u16 = 1 << 8;
const OUTPUT: u16 = 1 << 9;
const CACHED: u16 = 1 << 10;
const CACHE_WRITE: u16 = 1 << 11;
const REASONING: u16 = 1 << 12;
const RARE: u16 = 1 << 13;

/// What an attribute's value is.
const NULL: u8 = 0;
const FALSE: u8 = 1;
const TRUE: u8 = 2;
const WHOLE: u8 = 3;
const FLOAT: u8 = 4;
const TEXT: u8 = 5;
const JSON: u8 = 6;

/// The writer's side: the pack that is open.
#[derive(Default)]
pub(crate) struct SpanPacks {
    first: i64,
    last: i64,
    open: Vec<u8>,
    /// The spans of one trace, until their length is known.
    one: Vec<u8>,
    rare: Vec<u8>,
}

/// Numbers for what spans refer to.
pub(crate) trait Numbers {
    /// A name's.
    fn name(&mut self, text: &str) -> Result<i64>;
    /// A body's.
    fn body(&mut self, body: &[u8]) -> Result<i64>;
}

impl SpanPacks {
    /// Adds the spans of a trace that comes behind all others. `true`: the pack is full, and to be written.
    pub(crate) fn put(&mut self, seq: i64, spans: &[&SpanRow], numbers: &mut impl Numbers) -> Result<bool> {
        self.one.clear();
        let mut before = 0;
        for (at, span) in spans.iter().enumerate() {
            let parent =
                span.parent_id.and_then(|id| spans.iter().take(at).position(|parent| parent.span_id == id));
            self.span(span, parent, before, numbers)?;
            before = span.start.0;
        }
        if self.open.is_empty() {
            (self.first, self.last) = (seq, seq);
        }
        push_varint(&mut self.open, seq.abs_diff(self.last));
        self.last = seq;
        push_bytes(&mut self.open, &self.one);
        Ok(self.open.len() >= PACK)
    }

    fn span(
        &mut self,
        span: &SpanRow,
        parent: Option<usize>,
        before: i64,
        numbers: &mut impl Numbers,
    ) -> Result<()> {
        let into = &mut self.one;
        let Usage { input, output, cached_input, cache_write, reasoning, .. } = span.usage;
        tokens::pack(&mut self.rare, &span.usage);
        let failed = matches!(span.status, SpanStatus::Error(_));
        let flags = [
            (PARENT_HERE, parent.is_some()),
            (PARENT_ELSEWHERE, parent.is_none() && span.parent_id.is_some()),
            (ERROR, failed),
            (COUNTED, span.counted),
            (MODEL, span.model.is_some()),
            (PROVIDER, span.provider.is_some()),
            (COST, span.cost.is_some()),
            (TTFT, span.ttft_ns.is_some()),
            (INPUT, input.is_some()),
            (OUTPUT, output.is_some()),
            (CACHED, cached_input.is_some()),
            (CACHE_WRITE, cache_write.is_some()),
            (REASONING, reasoning.is_some()),
            (RARE, !self.rare.is_empty()),
        ];
        let flags = flags.iter().filter(|(_, set)| *set).fold(0, |all, (flag, _)| all | flag);
        into.extend_from_slice(&u16::to_le_bytes(flags));
        into.extend_from_slice(span.span_id.as_bytes());
        match (parent, span.parent_id) {
            (Some(at), _) => push_varint(into, at as u64),
            (None, Some(id)) => into.extend_from_slice(id.as_bytes()),
            (None, None) => {}
        }
        push_varint(into, numbers.name(&span.name)?.cast_unsigned());
        push_varint(into, numbers.name(&span.operation)?.cast_unsigned());
        for name in [&span.model, &span.provider].into_iter().flatten() {
            push_varint(into, numbers.name(name)?.cast_unsigned());
        }
        push_signed(into, span.start.0.wrapping_sub(before));
        push_signed(into, span.duration_ns);
        for count in [input, output, cached_input, cache_write, reasoning].into_iter().flatten() {
            push_varint(into, count);
        }
        for number in [span.cost.map(|cost| cost.0), span.ttft_ns].into_iter().flatten() {
            push_signed(into, number);
        }
        if let SpanStatus::Error(text) = &span.status {
            push_bytes(into, text.as_bytes());
        }
        if !self.rare.is_empty() {
            push_bytes(into, &self.rare);
        }
        push_varint(into, span.attributes.len() as u64);
        for (key, value) in &span.attributes {
            push_varint(into, numbers.name(key)?.cast_unsigned());
            push_value(into, value)?;
        }
        push_varint(into, span.bodies.len() as u64);
        let mut last = 0;
        for (slot, body) in &span.bodies {
            let id = numbers.body(body)?;
            into.push(slot.code());
            push_signed(into, id.wrapping_sub(last));
            last = id;
        }
        Ok(())
    }

    /// Whether a trace may be in the pack that is not written yet.
    pub(crate) fn may_hold(&self, seq: i64) -> bool {
        !self.open.is_empty() && (self.first..=self.last).contains(&seq)
    }

    /// Writes what is not written yet.
    pub(crate) fn finish(&mut self, tx: &Transaction<'_>, zstd: &mut Zstd) -> Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        let mut insert =
            tx.prepare_cached("INSERT INTO span_packs (first, size, body) VALUES (?1, ?2, ?3)")?;
        let packed = zstd.compress(&self.open);
        let size = packed.map(|_| i64::try_from(self.open.len()).unwrap_or(i64::MAX));
        insert.execute(params![self.first, size, packed.unwrap_or(&self.open)])?;
        self.open.clear();
        self.open.shrink_to(2 * PACK);
        self.one.shrink_to(PACK);
        Ok(())
    }

    pub(crate) fn rolled_back(&mut self) {
        self.open.clear();
    }
}

/// A span as it was packed, names still by number.
pub(crate) struct PackedSpan {
    pub(crate) span_id: SpanId,
    pub(crate) parent_id: Option<SpanId>,
    pub(crate) name: i64,
    pub(crate) operation: i64,
    pub(crate) start: Timestamp,
    pub(crate) duration_ns: i64,
    pub(crate) status: SpanStatus,
    pub(crate) model: Option<i64>,
    pub(crate) provider: Option<i64>,
    pub(crate) usage: Usage,
    pub(crate) cost: Option<NanoDollars>,
    pub(crate) ttft_ns: Option<i64>,
    pub(crate) counted: bool,
    pub(crate) attributes: Vec<(i64, Value)>,
    pub(crate) bodies: Vec<(Slot, i64)>,
}

/// The packed spans of a trace; none where none are.
pub(crate) fn read(conn: &Connection, seq: i64) -> Result<Vec<PackedSpan>, StoreError> {
    Reader::default().read(conn, seq)
}

/// Reads packed spans. Keeps the pack it read last, where the next trace asked for usually is.
#[derive(Default)]
pub(crate) struct Reader(Option<(i64, Vec<u8>)>);

impl Reader {
    /// The packed spans of a trace; none where none are.
    pub(crate) fn read(&mut self, conn: &Connection, seq: i64) -> Result<Vec<PackedSpan>, StoreError> {
        let first: Option<i64> = conn
            .prepare_cached("SELECT first FROM span_packs WHERE first <= ?1 ORDER BY first DESC LIMIT 1")?
            .query_row([seq], |row| row.get(0))
            .optional()?;
        if self.0.as_ref().map(|(known, _)| *known) != first {
            self.0 = pack_of(conn, seq)?;
        }
        let Some((first, pack)) = &self.0 else { return Ok(Vec::new()) };
        let damaged = || damaged(seq);
        for trace in traces(*first, pack) {
            let trace = trace.ok_or_else(damaged)?;
            if trace.seq == seq {
                return unpack(trace.spans).ok_or_else(damaged);
            }
            if trace.seq > seq {
                break;
            }
        }
        Ok(Vec::new())
    }
}

/// Takes the count from packed spans of a trace, by their numbers in it.
pub(crate) fn uncount(
    tx: &Transaction<'_>,
    zstd: &mut Zstd,
    seq: i64,
    numbers: &[usize],
) -> Result<(), StoreError> {
    let Some((first, mut pack)) = pack_of(tx, seq)? else { return Ok(()) };
    let damaged = || damaged(seq);
    let trace = traces(first, &pack).flatten().find(|trace| trace.seq == seq);
    let Some(Packed { spans, behind, .. }) = trace else { return Ok(()) };
    // A span begins with its flags.
    let (mut bytes, mut found, mut flags) = (spans.iter(), Vec::new(), Vec::new());
    while bytes.len() > 0 {
        if numbers.contains(&found.len()) {
            flags.push(pack.len().checked_sub(behind + bytes.len()).ok_or_else(damaged)?);
        }
        let span = pop_span(&mut bytes, &found).ok_or_else(damaged)?;
        found.push(span);
    }
    for at in flags {
        let flags = pack.get_mut(at..).and_then(|bytes| bytes.first_chunk_mut()).ok_or_else(damaged)?;
        *flags = (u16::from_le_bytes(*flags) & !COUNTED).to_le_bytes();
    }
    let packed = zstd.compress(&pack);
    let size = packed.map(|_| i64::try_from(pack.len()).unwrap_or(i64::MAX));
    tx.prepare_cached("UPDATE span_packs SET size = ?2, body = ?3 WHERE first = ?1")?.execute(params![
        first,
        size,
        packed.unwrap_or(&pack)
    ])?;
    Ok(())
}

/// Where the traces end that the pack of this one may hold: the number of the first behind them.
pub(crate) fn end_of_pack(conn: &Connection, seq: i64) -> Result<i64> {
    conn.prepare_cached("SELECT coalesce(min(first), ?2) FROM span_packs WHERE first > ?1")?
        .query_row([seq, i64::MAX], |row| row.get(0))
}

/// Takes traces (ascending, all of one pack) out of it; adds the bodies they refer to.
pub(crate) fn take_out(
    tx: &Transaction<'_>,
    zstd: &mut Zstd,
    seqs: &[i64],
    bodies: &mut Vec<i64>,
) -> Result<(), StoreError> {
    let Some(seq) = seqs.first() else { return Ok(()) };
    let Some((first, pack)) = pack_of(tx, *seq)? else { return Ok(()) };
    let (mut left, mut last, mut taken) = (Vec::with_capacity(pack.len()), first, false);
    for trace in traces(first, &pack) {
        let trace = trace.ok_or_else(|| damaged(*seq))?;
        if seqs.binary_search(&trace.seq).is_ok() {
            let spans = unpack(trace.spans).ok_or_else(|| damaged(trace.seq))?;
            bodies.extend(spans.iter().flat_map(|span| &span.bodies).map(|(_, id)| *id));
            taken = true;
        } else {
            push_varint(&mut left, trace.seq.abs_diff(last));
            last = trace.seq;
            push_bytes(&mut left, trace.spans);
        }
    }
    if left.is_empty() {
        tx.prepare_cached("DELETE FROM span_packs WHERE first = ?1")?.execute([first])?;
    } else if taken {
        let packed = zstd.compress(&left);
        let size = packed.map(|_| i64::try_from(left.len()).unwrap_or(i64::MAX));
        tx.prepare_cached("UPDATE span_packs SET size = ?2, body = ?3 WHERE first = ?1")?
            .execute(params![first, size, packed.unwrap_or(&left)])?;
    }
    Ok(())
}

/// `seq` of a trace, and its spans.
pub(crate) type PackedTrace = (i64, Vec<PackedSpan>);

/// The traces of a pack and their spans; `None` where they cannot be read.
pub(crate) fn read_pack(conn: &Connection, first: i64) -> Result<Option<Vec<PackedTrace>>, StoreError> {
    let (size, body) = conn
        .prepare_cached("SELECT size, body FROM span_packs WHERE first = ?1")?
        .query_row([first], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let Some(pack) = packing::unpacked(size, body) else { return Ok(None) };
    Ok(traces(first, &pack)
        .map(|trace| trace.and_then(|trace| Some((trace.seq, unpack(trace.spans)?))))
        .collect())
}

/// Goes through the bodies that the spans of at most so many packs refer to, from the pack behind `after` on; the
/// last pack's `first`, where it may not be the last of all.
pub(crate) fn bodies_of_packs(
    conn: &Connection,
    after: i64,
    most: usize,
    mut each: impl FnMut(i64),
) -> Result<Option<i64>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT first, size, body FROM span_packs WHERE first > ?1 ORDER BY first LIMIT ?2",
    )?;
    let limit = i64::try_from(most).unwrap_or(i64::MAX);
    let mut rows = statement.query([after, limit])?;
    let mut last = None;
    while let Some(row) = rows.next()? {
        let first = row.get(0)?;
        let pack = packing::unpacked(row.get(1)?, row.get(2)?).ok_or_else(|| damaged(first))?;
        for trace in traces(first, &pack) {
            let trace = trace.ok_or_else(|| damaged(first))?;
            let spans = unpack(trace.spans).ok_or_else(|| damaged(trace.seq))?;
            spans.iter().flat_map(|span| &span.bodies).for_each(|(_, id)| each(*id));
        }
        last = Some(first);
    }
    Ok(last)
}

/// The pack a trace would be in, and its bytes.
fn pack_of(conn: &Connection, seq: i64) -> Result<Option<(i64, Vec<u8>)>, StoreError> {
    let found: Option<(i64, Option<usize>, Vec<u8>)> = conn
        .prepare_cached(
            "SELECT first, size, body FROM span_packs WHERE first <= ?1 ORDER BY first DESC LIMIT 1",
        )?
        .query_row([seq], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))
        .optional()?;
    let Some((first, size, body)) = found else { return Ok(None) };
    Ok(Some((first, packing::unpacked(size, body).ok_or_else(|| damaged(seq))?)))
}

fn damaged(seq: i64) -> StoreError {
    StoreError::Damaged(format!("the spans of trace {seq}"))
}

/// The traces of a pack and their spans; `None` for what is not well formed, and nothing behind it.
fn traces(first: i64, pack: &[u8]) -> impl Iterator<Item = Option<Packed<'_>>> {
    let (mut bytes, mut seq) = (pack.iter(), first);
    std::iter::from_fn(move || {
        (bytes.len() > 0).then(|| {
            let found = pop_varint(&mut bytes).zip(pop_bytes(&mut bytes));
            if found.is_none() {
                bytes = [].iter();
            }
            let (step, spans) = found?;
            seq = seq.saturating_add_unsigned(step);
            Some(Packed { seq, spans, behind: bytes.len() })
        })
    })
}

/// A trace in a pack.
struct Packed<'a> {
    seq: i64,
    spans: &'a [u8],
    /// How many bytes of the pack are behind it.
    behind: usize,
}

/// All packed spans by `seq` of their trace.
#[cfg(test)]
pub(crate) fn all(conn: &Connection) -> Vec<(i64, Vec<PackedSpan>)> {
    let mut statement = conn.prepare("SELECT first, size, body FROM span_packs ORDER BY first").unwrap();
    let packs = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?))).unwrap();
    let mut all = Vec::new();
    for (first, size, body) in packs.map(Result::unwrap) {
        let pack = packing::unpacked(size, body).unwrap();
        all.extend(
            traces(first, &pack)
                .map(|trace| trace.map(|trace| (trace.seq, unpack(trace.spans).unwrap())).unwrap()),
        );
    }
    all
}

type Bytes<'a> = std::slice::Iter<'a, u8>;

fn unpack(spans: &[u8]) -> Option<Vec<PackedSpan>> {
    let mut bytes = spans.iter();
    let mut found = Vec::new();
    while bytes.len() > 0 {
        let span = pop_span(&mut bytes, &found)?;
        found.push(span);
    }
    Some(found)
}

fn pop_span(bytes: &mut Bytes<'_>, before: &[PackedSpan]) -> Option<PackedSpan> {
    let flags = u16::from_le_bytes(pop_array(bytes)?);
    let has = |flag: u16| flags & flag != 0;
    let span_id = SpanId::from_bytes(pop_array(bytes)?);
    let parent_id = if has(PARENT_HERE) {
        Some(before.get(usize::try_from(pop_varint(bytes)?).ok()?)?.span_id)
    } else if has(PARENT_ELSEWHERE) {
        Some(SpanId::from_bytes(pop_array(bytes)?))
    } else {
        None
    };
    let mut name = || pop_varint(bytes).map(u64::cast_signed);
    let (span_name, operation) = (name()?, name()?);
    let model = if has(MODEL) { Some(name()?) } else { None };
    let provider = if has(PROVIDER) { Some(name()?) } else { None };
    let start = before.last().map_or(0, |span| span.start.0).wrapping_add(pop_signed(bytes)?);
    let duration_ns = pop_signed(bytes)?;
    let mut count = |flag| if has(flag) { pop_varint(bytes).map(Some) } else { Some(None) };
    let mut usage = Usage {
        input: count(INPUT)?,
        output: count(OUTPUT)?,
        cached_input: count(CACHED)?,
        cache_write: count(CACHE_WRITE)?,
        reasoning: count(REASONING)?,
        ..Usage::default()
    };
    let cost = if has(COST) { Some(NanoDollars(pop_signed(bytes)?)) } else { None };
    let ttft_ns = if has(TTFT) { Some(pop_signed(bytes)?) } else { None };
    let status = if has(ERROR) { SpanStatus::Error(pop_text(bytes)?) } else { SpanStatus::Ok };
    if has(RARE) {
        tokens::unpack(pop_bytes(bytes)?, &mut usage)?;
    }
    let mut attributes = Vec::new();
    for _ in 0..pop_varint(bytes)? {
        attributes.push((pop_varint(bytes)?.cast_signed(), pop_value(bytes)?));
    }
    let (mut bodies, mut last) = (Vec::new(), 0_i64);
    for _ in 0..pop_varint(bytes)? {
        let slot = Slot::of_code(*bytes.next()?)?;
        last = last.wrapping_add(pop_signed(bytes)?);
        bodies.push((slot, last));
    }
    Some(PackedSpan {
        span_id,
        parent_id,
        name: span_name,
        operation,
        start: Timestamp(start),
        duration_ns,
        status,
        model,
        provider,
        usage,
        cost,
        ttft_ns,
        counted: has(COUNTED),
        attributes,
        bodies,
    })
}

fn push_value(into: &mut Vec<u8>, value: &Value) -> Result<()> {
    match value {
        Value::Null => into.push(NULL),
        Value::Bool(false) => into.push(FALSE),
        Value::Bool(true) => into.push(TRUE),
        Value::String(text) => {
            into.push(TEXT);
            push_bytes(into, text.as_bytes());
        }
        Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => {
                into.push(WHOLE);
                push_signed(into, whole);
            }
            (None, Some(float)) if number.is_f64() => {
                into.push(FLOAT);
                into.extend_from_slice(&float.to_le_bytes());
            }
            _ => push_json(into, value)?,
        },
        Value::Array(_) | Value::Object(_) => push_json(into, value)?,
    }
    Ok(())
}

fn push_json(into: &mut Vec<u8>, value: &Value) -> Result<()> {
    let json = serde_json::to_vec(value);
    into.push(JSON);
    push_bytes(into, &json.map_err(|error| rusqlite::Error::ToSqlConversionFailure(error.into()))?);
    Ok(())
}

fn pop_value(bytes: &mut Bytes<'_>) -> Option<Value> {
    Some(match *bytes.next()? {
        NULL => Value::Null,
        FALSE => Value::Bool(false),
        TRUE => Value::Bool(true),
        WHOLE => pop_signed(bytes)?.into(),
        FLOAT => Value::Number(Number::from_f64(f64::from_le_bytes(pop_array(bytes)?))?),
        TEXT => Value::String(pop_text(bytes)?),
        JSON => serde_json::from_slice(pop_bytes(bytes)?).ok()?,
        _ => return None,
    })
}

fn push_bytes(into: &mut Vec<u8>, bytes: &[u8]) {
    push_varint(into, bytes.len() as u64);
    into.extend_from_slice(bytes);
}

fn pop_bytes<'a>(bytes: &mut Bytes<'a>) -> Option<&'a [u8]> {
    let length = usize::try_from(pop_varint(bytes)?).ok()?;
    let (found, rest) = bytes.as_slice().split_at_checked(length)?;
    *bytes = rest.iter();
    Some(found)
}

fn pop_array<const N: usize>(bytes: &mut Bytes<'_>) -> Option<[u8; N]> {
    let (found, rest) = bytes.as_slice().split_first_chunk()?;
    *bytes = rest.iter();
    Some(*found)
}

fn pop_text(bytes: &mut Bytes<'_>) -> Option<String> {
    String::from_utf8(pop_bytes(bytes)?.to_vec()).ok()
}

/// Zigzag: small numbers of either sign are short.
fn push_signed(into: &mut Vec<u8>, number: i64) {
    push_varint(into, (number << 1 ^ number >> 63).cast_unsigned());
}

fn pop_signed(bytes: &mut Bytes<'_>) -> Option<i64> {
    let number = pop_varint(bytes)?;
    Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
}
