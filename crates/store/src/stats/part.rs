//! Facts in columns, wherever they are: those of a segment, and those that are in none yet.

use super::Dimension;
use super::filter::Row;
use super::pairs::Lists;
use crate::StoreError;
use crate::fact_columns::{self as columns, Codes, Column};
use crate::facts::{self, Count, Fact, Id};
use rusqlite::{Connection, params};

pub(super) const SEQ: Column = Column::Seq;
pub(super) const START: Column = Column::Start;
pub(super) const TAKEN_BACK: Column = Column::TakenBack;

pub(super) fn count(count: Count) -> Column {
    Column::Count(count)
}

/// Facts that are read together.
pub(super) struct Part {
    pub(super) facts: usize,
    pub(super) first_ms: i64,
    pub(super) last_ms: i64,
    /// The least number of a trace.
    pub(super) first_seq: i64,
    from: From,
}

enum From {
    Segment(i64),
    Fresh(Vec<Fact>),
}

/// What each fact is by one dimension: a code, and what the codes stand for.
pub(super) struct Axis {
    pub(super) values: Lists<i64>,
    pub(super) codes: Vec<u32>,
}

impl Axis {
    pub(super) fn code(&self, row: &Row) -> u32 {
        self.codes.get(row.at as usize).copied().unwrap_or(0)
    }
}

/// The parts that hold facts from `first_ms` until `end_ms`, and perhaps others.
pub(super) fn all(conn: &Connection, first_ms: i64, end_ms: i64) -> Result<Vec<Part>, StoreError> {
    let mut statement = conn.prepare_cached(
        "SELECT id, facts, first_ms, last_ms, first_seq FROM fact_segments WHERE last_ms >= ?1 AND first_ms < ?2
         ORDER BY id",
    )?;
    let found = statement.query_map(params![first_ms, end_ms], |row| {
        let from = From::Segment(row.get(0)?);
        let (facts, first_ms, last_ms) = (row.get(1)?, row.get(2)?, row.get(3)?);
        Ok(Part { from, facts, first_ms, last_ms, first_seq: row.get(4)? })
    })?;
    let mut parts: Vec<Part> = found.collect::<rusqlite::Result<_>>()?;
    if parts.iter().any(|part| part.facts > facts::MOST) {
        return Err(StoreError::Damaged("the number of facts of a segment".to_owned()));
    }
    let fresh = facts::tails(conn)?;
    let starts = || fresh.iter().map(|fact| fact.start_ms);
    if let (Some(earliest), Some(latest)) = (starts().min(), starts().max())
        && latest >= first_ms
        && earliest < end_ms
    {
        let facts = fresh.len();
        let first_seq = fresh.iter().map(|fact| fact.seq).min().unwrap_or(0);
        parts.push(Part { facts, first_ms: earliest, last_ms: latest, first_seq, from: From::Fresh(fresh) });
    }
    Ok(parts)
}

impl Part {
    pub(super) fn ids(&self, conn: &Connection, id: Id) -> Result<Codes<i64>, StoreError> {
        match &self.from {
            From::Fresh(facts) => Ok(columns::ids(facts, id)),
            From::Segment(segment) => {
                let bytes = facts::read_column(conn, *segment, Column::Id(id))?;
                let found = columns::decode_ids(&bytes, self.facts);
                found.ok_or_else(|| facts::bad_column(*segment, Column::Id(id)))
            }
        }
    }

    pub(super) fn tags(&self, conn: &Connection) -> Result<Codes<Vec<i64>>, StoreError> {
        match &self.from {
            From::Fresh(facts) => Ok(columns::tags(facts)),
            From::Segment(segment) => {
                let bytes = facts::read_column(conn, *segment, Column::Tags)?;
                let found = columns::decode_tags(&bytes, self.facts);
                found.ok_or_else(|| facts::bad_column(*segment, Column::Tags))
            }
        }
    }

    /// A column of numbers; counts are one more than they are, 0 is missing.
    pub(super) fn numbers(&self, conn: &Connection, column: Column) -> Result<Vec<u64>, StoreError> {
        match &self.from {
            From::Fresh(facts) => Ok(columns::numbers(facts, column)),
            From::Segment(segment) => {
                let bytes = facts::read_column(conn, *segment, column)?;
                let found = columns::decode_numbers(&bytes, self.facts, column);
                found.ok_or_else(|| facts::bad_column(*segment, column))
            }
        }
    }

    pub(super) fn axis(&self, conn: &Connection, dimension: Dimension) -> Result<Axis, StoreError> {
        let one = |id: Id, as_is: fn(i64) -> i64| -> Result<Axis, StoreError> {
            let Codes { dictionary, codes } = self.ids(conn, id)?;
            let mut values = Lists::with_capacity(dictionary.len());
            for id in dictionary {
                values.push([as_is(id)]);
            }
            Ok(Axis { values, codes })
        };
        let one_of = |id: Id| one(id, |id| id);
        match dimension {
            Dimension::Model => one_of(Id::Model),
            Dimension::Asked => one_of(Id::Asked),
            Dimension::Provider => one_of(Id::Provider),
            Dimension::Key => one_of(Id::Key),
            Dimension::User => one_of(Id::User),
            Dimension::Prompt => one_of(Id::Prompt),
            Dimension::Source => one_of(Id::Source),
            Dimension::Project => one_of(Id::Project),
            Dimension::Session => one_of(Id::Session),
            Dimension::Error => one_of(Id::Error),
            Dimension::Status => one(Id::Error, |error| i64::from(error != 0)),
            Dimension::Tag => {
                let Codes { dictionary, codes } = self.tags(conn)?;
                let mut values = Lists::with_capacity(dictionary.len());
                for set in dictionary {
                    values.push(if set.is_empty() { vec![0] } else { set });
                }
                Ok(Axis { values, codes })
            }
        }
    }
}
