//! The facts of a trace's calls, as they come and as they are stored.

use super::{Fact, Id};
use crate::error::StoreError;
use crate::insert::first_span;
use crate::labels;
use crate::names::Names;
use crate::row::SpanRow;
use crate::spans::{self, PackedSpan};
use hanok_base::{Attributes, SpanStatus, Usage};
use rusqlite::{OptionalExtension, Result, Transaction};
use serde_json::Value;

const ERROR_TYPE: &str = "error.type";

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
    pub(super) fn read(tx: &Transaction<'_>, names: &mut Names, seq: i64) -> Result<Option<Self>> {
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

    /// Which trace.
    pub(super) fn seq(&self) -> i64 {
        self.0.seq
    }

    /// The fact of one of its counted calls.
    pub(super) fn call(&self, tx: &Transaction<'_>, names: &mut Names, span: &SpanRow) -> Result<Fact> {
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
pub(super) fn calls(
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
