//! Which facts are wanted.

use super::part::{self, Part};
use crate::StoreError;
use crate::fact_columns::Codes;
use crate::facts::{Count, Id};
use crate::query::{
    Behind, Comparison, Conditions, Has, Measure, Measured, TraceQuery, names_like, rows_named,
};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, OptionalExtension, params_from_iter};
use std::collections::HashSet;

/// A fact that is wanted.
#[derive(Clone, Copy)]
pub(super) struct Row {
    /// Its place in its part.
    pub(super) at: u32,
    /// 1, or -1 where it is taken back.
    pub(super) weight: i32,
    /// Where it is summed; 0 until that is known.
    pub(super) cell: usize,
}

pub(super) struct Filter {
    /// Milliseconds since the epoch; the least and the greatest number for no bound.
    pub(super) first_ms: i64,
    pub(super) end_ms: i64,
    all: Vec<Test>,
}

/// One thing that a fact must be.
enum Test {
    /// One of these in one of these columns; with `false`, none in any.
    Among(&'static [Id], HashSet<i64>, bool),
    /// A tag of these.
    Tagged(HashSet<i64>),
    /// Has a tag.
    HasTag,
    /// The sum of these counts, of which one is known, compares so.
    Compares(&'static [Count], Comparison, i64),
    /// Its trace is one of these.
    In(Seqs),
    /// Not all of these.
    Not(Vec<Test>),
    /// Begun from then until then.
    Begun(i64, i64),
}

impl Filter {
    pub(super) fn new(
        conn: &Connection,
        project: Option<&str>,
        query: &TraceQuery,
    ) -> Result<Self, StoreError> {
        let mut all = Vec::new();
        if let Some(project) = project {
            let id = conn
                .prepare_cached("SELECT id FROM names WHERE text = ?1")?
                .query_row([project], |row| row.get(0))
                .optional()?;
            // The empty name is that of calls without a project.
            let wanted = if project.is_empty() { Some(0) } else { id };
            all.push(Test::Among(&[Id::Project], wanted.into_iter().collect(), true));
        }
        let (first_ms, end_ms) = stretch(query);
        all.extend(tests(conn, &TraceQuery { since: None, until: None, ..query.clone() })?);
        let gone = Seqs::read(
            conn,
            "SELECT seq FROM fact_gone",
            "SELECT (SELECT min(seq) FROM fact_gone), (SELECT max(seq) FROM fact_gone)",
            &[],
        )?;
        if !gone.words.is_empty() {
            all.push(Test::Not(vec![Test::In(gone)]));
        }
        // Last, those that read every call.
        all.sort_by_key(|test| matches!(test, Test::In(_) | Test::Not(_) | Test::Compares(..)));
        Ok(Self { first_ms, end_ms, all })
    }

    /// The wanted facts of a part.
    pub(super) fn rows(&self, conn: &Connection, part: &Part) -> Result<Vec<Row>, StoreError> {
        let Some(mut wanted) = passing(conn, part, &self.all)? else { return Ok(Vec::new()) };
        let begun = Test::Begun(self.first_ms, self.end_ms);
        if !begun.narrow(conn, part, &mut wanted)? {
            return Ok(Vec::new());
        }
        let back = part.numbers(conn, part::TAKEN_BACK)?;
        let rows = wanted.into_iter().zip(back).zip(0_u32..).filter(|((wanted, _), _)| *wanted);
        Ok(rows.map(|((_, back), at)| Row { at, weight: if back == 0 { 1 } else { -1 }, cell: 0 }).collect())
    }
}

/// Milliseconds from which and until which.
fn stretch(query: &TraceQuery) -> (i64, i64) {
    let ms = |at: i64| at.saturating_add(999_999).div_euclid(1_000_000);
    (query.since.map_or(i64::MIN, |since| ms(since.0)), query.until.map_or(i64::MAX, |until| ms(until.0)))
}

fn tests(conn: &Connection, query: &TraceQuery) -> Result<Vec<Test>, StoreError> {
    let mut all = Vec::new();
    let named: [(&'static [Id], &[String], Option<Behind>); 6] = [
        (&[Id::Model, Id::Asked], &query.models, Some(Behind::Slash)),
        (&[Id::Provider], &query.providers, None),
        (&[Id::Key, Id::KeyRow], &query.keys, None),
        (&[Id::Project], &query.projects, None),
        (&[Id::Prompt], &query.prompts, Some(Behind::At)),
        (&[Id::Source], &query.sources, None),
    ];
    for (columns, patterns, behind) in named {
        if !patterns.is_empty() {
            all.push(Test::Among(columns, set(names_like(conn, patterns, behind)?), true));
        }
    }
    let tables: [(&'static [Id], &str, &[String]); 2] =
        [(&[Id::Session], "sessions", &query.sessions), (&[Id::User], "users", &query.users)];
    for (columns, table, names) in tables {
        if !names.is_empty() {
            all.push(Test::Among(columns, set(rows_named(conn, table, names)?), true));
        }
    }
    for tag in &query.tags {
        all.push(Test::Tagged(set(names_like(conn, std::slice::from_ref(tag), None)?)));
    }
    if let Some(failed) = query.failed {
        all.push(Test::Among(&[Id::Error], HashSet::from([0]), !failed));
    }
    if query.since.is_some() || query.until.is_some() {
        let (first, end) = stretch(query);
        all.push(Test::Begun(first, end));
    }
    // What facts know nothing of is asked of their traces.
    let mut rest = TraceQuery {
        operations: query.operations.clone(),
        names: query.names.clone(),
        errors: query.errors.clone(),
        ids: query.ids.clone(),
        scores: query.scores.clone(),
        words: query.words.clone(),
        ..TraceQuery::default()
    };
    for Measured { measure, comparison, value } in &query.measures {
        let (counts, unit): (&'static [Count], i64) = match measure {
            Measure::Cost => (&[Count::Cost], 1),
            Measure::Tokens => (&[Count::Input, Count::Output], 1),
            Measure::Input => (&[Count::Input], 1),
            Measure::Output => (&[Count::Output], 1),
            Measure::Duration => (&[Count::Duration], 1_000),
            Measure::FirstToken => (&[Count::FirstToken], 1_000),
            Measure::Spans => {
                rest.measures.push(Measured { measure: *measure, comparison: *comparison, value: *value });
                continue;
            }
        };
        all.push(Test::Compares(counts, *comparison, value / unit));
    }
    for has in &query.has {
        let present: &'static [Id] = match has {
            Has::Error => &[Id::Error],
            Has::Session => &[Id::Session],
            Has::User => &[Id::User],
            Has::Cost => {
                all.push(Test::Compares(&[Count::Cost], Comparison::AtLeast, 0));
                continue;
            }
            Has::Tag => {
                all.push(Test::HasTag);
                continue;
            }
            Has::Score => {
                rest.has.push(*has);
                continue;
            }
        };
        all.push(Test::Among(present, HashSet::from([0]), false));
    }
    if rest != TraceQuery::default() {
        all.push(Test::In(Seqs::of(conn, &rest)?));
    }
    for not in &query.not {
        let inner = tests(conn, not)?;
        if !inner.is_empty() {
            all.push(Test::Not(inner));
        }
    }
    Ok(all)
}

fn set(ids: Vec<i64>) -> HashSet<i64> {
    ids.into_iter().collect()
}

/// The facts of a part that pass all tests; `None` for none.
fn passing(conn: &Connection, part: &Part, all: &[Test]) -> Result<Option<Vec<bool>>, StoreError> {
    let mut wanted = vec![true; part.facts];
    for test in all {
        if !test.narrow(conn, part, &mut wanted)? {
            return Ok(None);
        }
    }
    Ok(Some(wanted))
}

impl Test {
    /// Takes out what does not pass; `false` where it is known that nothing is left.
    fn narrow(&self, conn: &Connection, part: &Part, wanted: &mut [bool]) -> Result<bool, StoreError> {
        match self {
            Self::Among(columns, ids, is) => {
                let mut any: Option<Vec<bool>> = None;
                for column in *columns {
                    let found = part.ids(conn, *column)?;
                    let Some(good) = by_code(&found, |id| ids.contains(id)) else { continue };
                    any = Some(match any {
                        None => good,
                        Some(any) => any.into_iter().zip(good).map(|(any, good)| any | good).collect(),
                    });
                }
                match any {
                    None => return Ok(!*is),
                    Some(any) => and(wanted, any.into_iter().map(|any| any == *is)),
                }
            }
            Self::Tagged(ids) => {
                let found = part.tags(conn)?;
                let Some(good) = by_code(&found, |set| set.iter().any(|tag| ids.contains(tag))) else {
                    return Ok(false);
                };
                and(wanted, good.into_iter());
            }
            Self::HasTag => {
                let found = part.tags(conn)?;
                let Some(good) = by_code(&found, |set| !set.is_empty()) else { return Ok(false) };
                and(wanted, good.into_iter());
            }
            Self::Compares(counts, comparison, value) => {
                let mut sums: Vec<Option<i64>> = vec![None; part.facts];
                for count in *counts {
                    for (sum, number) in sums.iter_mut().zip(part.numbers(conn, part::count(*count))?) {
                        if let Some(number) = number.checked_sub(1) {
                            *sum = Some(sum.unwrap_or(0).saturating_add_unsigned(number));
                        }
                    }
                }
                let good = |sum: i64| match comparison {
                    Comparison::More => sum > *value,
                    Comparison::AtLeast => sum >= *value,
                    Comparison::Less => sum < *value,
                    Comparison::AtMost => sum <= *value,
                };
                and(wanted, sums.into_iter().map(|sum| sum.is_some_and(good)));
            }
            Self::In(seqs) => {
                let numbers = part.numbers(conn, part::SEQ)?;
                and(wanted, numbers.into_iter().map(|seq| seqs.has(seq.cast_signed())));
            }
            Self::Not(inner) => {
                if let Some(passing) = passing(conn, part, inner)? {
                    and(wanted, passing.into_iter().map(|passes| !passes));
                }
            }
            Self::Begun(first_ms, end_ms) => {
                if part.first_ms < *first_ms || part.last_ms >= *end_ms {
                    let within = *first_ms..*end_ms;
                    let starts = part.numbers(conn, part::START)?;
                    and(wanted, starts.into_iter().map(|start| within.contains(&start.cast_signed())));
                }
            }
        }
        Ok(true)
    }
}

/// Which facts have a good value; `None` where no value is.
fn by_code<T>(found: &Codes<T>, is_good: impl FnMut(&T) -> bool) -> Option<Vec<bool>> {
    let good: Vec<bool> = found.dictionary.iter().map(is_good).collect();
    if !good.contains(&true) {
        return None;
    }
    Some(found.codes.iter().map(|code| good.get(*code as usize) == Some(&true)).collect())
}

fn and(wanted: &mut [bool], good: impl Iterator<Item = bool>) {
    wanted.iter_mut().zip(good).for_each(|(wanted, good)| *wanted &= good);
}

/// A set of traces, a bit each.
struct Seqs {
    first: i64,
    words: Vec<u64>,
}

impl Seqs {
    /// Those that a query wants, gone through one by one.
    fn of(conn: &Connection, query: &TraceQuery) -> Result<Self, StoreError> {
        let mut values: Vec<Sql> = Vec::new();
        let conditions = Conditions::of(conn, query, &mut values)?;
        let sql =
            format!("SELECT t.seq FROM {} WHERE true{}", conditions.from("traces AS t"), conditions.sql);
        Self::read(conn, &sql, "SELECT (SELECT min(seq) FROM traces), (SELECT max(seq) FROM traces)", &values)
    }

    /// Those that a statement gives, between the first and the last that another gives.
    fn read(conn: &Connection, sql: &str, range: &str, values: &[Sql]) -> Result<Self, StoreError> {
        let (first, last): (Option<i64>, Option<i64>) =
            conn.prepare_cached(range)?.query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (Some(first), Some(last)) = (first, last) else {
            return Ok(Self { first: 0, words: Vec::new() });
        };
        let count = usize::try_from(last.saturating_sub(first) / 64 + 1).unwrap_or(0);
        let mut found = Self { first, words: vec![0; count] };
        let mut statement = conn.prepare_cached(sql)?;
        let mut rows = statement.query(params_from_iter(values))?;
        while let Some(row) = rows.next()? {
            let (word, bit) = found.place(row.get(0)?);
            if let Some(word) = found.words.get_mut(word) {
                *word |= bit;
            }
        }
        Ok(found)
    }

    fn has(&self, seq: i64) -> bool {
        let (word, bit) = self.place(seq);
        self.words.get(word).is_some_and(|word| word & bit != 0)
    }

    fn place(&self, seq: i64) -> (usize, u64) {
        let at = usize::try_from(seq.saturating_sub(self.first)).unwrap_or(usize::MAX);
        (at / 64, 1 << (at % 64))
    }
}
