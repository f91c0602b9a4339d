//! Where facts are in the file: tails of what came, and segments of columns.

use super::Fact;
use crate::error::StoreError;
use crate::fact_columns::{self as columns, Column};
use crate::packing::Zstd;
use rusqlite::{Connection, OptionalExtension, Result, Transaction, params};
use std::collections::HashMap;

/// More than any segment has: what claims to hold more is damaged.
pub(crate) const MOST: usize = 1 << 20;
/// The bits of a column's row id that number the columns of a segment.
const COLUMN_BITS: u32 = 5;

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
pub(super) fn cancelled(mut facts: Vec<Fact>) -> Vec<Fact> {
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

pub(super) fn write_segment(tx: &Transaction<'_>, zstd: &mut Zstd, facts: &[Fact]) -> Result<()> {
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
fn column_id(segment: i64, column: Column) -> i64 {
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
pub(super) fn without_tails(tx: &Transaction<'_>, gone: &[i64]) -> Result<usize, StoreError> {
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
pub(super) fn without(
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
    use super::super::{Count, Id};
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
    fn what_is_taken_back_cancels() {
        let back = |seq| Fact { taken_back: true, ..fact(seq) };
        let check = |facts: Vec<Fact>, expect: Vec<Fact>| assert_eq!(cancelled(facts), expect);
        check(vec![fact(1), fact(2)], vec![fact(1), fact(2)]);
        check(vec![fact(1), back(1), fact(2)], vec![fact(2)]);
        check(vec![fact(1), fact(1), back(1), back(3)], vec![fact(1), back(3)]);
        check(vec![back(1), back(1), fact(1)], vec![back(1)]);
    }
}
