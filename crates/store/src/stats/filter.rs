//! Which facts are wanted.

use super::part::{self, Part};
use crate::StoreError;
use crate::facts::{Count, Id};
use crate::traces::{TraceQuery, glob_text};
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
    failed: Option<bool>,
    named: Vec<Named>,
    /// All of them.
    tags: Vec<HashSet<i64>>,
    ranges: Vec<(Count, u64, u64)>,
}

/// One of these in one of these columns.
struct Named {
    columns: &'static [Id],
    wanted: HashSet<i64>,
}

impl Filter {
    pub(super) fn new(
        conn: &Connection,
        project: Option<&str>,
        query: &TraceQuery,
    ) -> Result<Self, StoreError> {
        if !query.words.is_empty() {
            return Err(StoreError::Unanswerable("calls are not counted by the words of their messages"));
        }
        let ms = |at: i64| at.div_euclid(1_000_000);
        let mut named = Vec::new();
        match project {
            None => {}
            Some("") => named.push(Named { columns: &[Id::Project], wanted: HashSet::from([0]) }),
            Some(project) => {
                let id = conn
                    .prepare_cached("SELECT id FROM names WHERE text = ?1")?
                    .query_row([project], |row| row.get(0))
                    .optional()?;
                named.push(Named { columns: &[Id::Project], wanted: id.into_iter().collect() });
            }
        }
        let any: [(&'static [Id], &[String], &str); 4] = [
            (&[Id::Model, Id::Asked], &query.models, MODELS),
            (&[Id::Provider], &query.providers, NAMES),
            (&[Id::Key, Id::KeyId], &query.keys, NAMES),
            (&[Id::Project], &query.projects, NAMES),
        ];
        for (columns, globs, sql) in any {
            if !globs.is_empty() {
                named.push(Named { columns, wanted: matching(conn, sql, globs)? });
            }
        }
        Ok(Self {
            first_ms: query.since.map_or(i64::MIN, |since| ms(since.0.saturating_add(999_999))),
            end_ms: query.until.map_or(i64::MAX, |until| ms(until.0.saturating_add(999_999))),
            failed: query.failed,
            named,
            tags: Vec::new(),
            ranges: Vec::new(),
        })
    }

    /// The wanted facts of a part.
    pub(super) fn rows(&self, conn: &Connection, part: &Part) -> Result<Vec<Row>, StoreError> {
        let mut wanted = vec![true; part.facts];
        for Named { columns, wanted: ids } in &self.named {
            let mut any: Option<Vec<bool>> = None;
            for column in *columns {
                let found = part.ids(conn, *column)?;
                let good: Vec<bool> = found.dictionary.iter().map(|id| ids.contains(id)).collect();
                if !good.contains(&true) {
                    continue;
                }
                let good = found.codes.iter().map(|code| good.get(*code as usize) == Some(&true));
                match &mut any {
                    None => any = Some(good.collect()),
                    Some(any) => any.iter_mut().zip(good).for_each(|(any, good)| *any |= good),
                }
            }
            let Some(any) = any else { return Ok(Vec::new()) };
            and(&mut wanted, any.into_iter());
        }
        if let Some(failed) = self.failed {
            let errors = part.ids(conn, Id::Error)?;
            let good: Vec<bool> = errors.dictionary.iter().map(|error| (*error != 0) == failed).collect();
            and(&mut wanted, errors.codes.iter().map(|code| good.get(*code as usize) == Some(&true)));
        }
        if !self.tags.is_empty() {
            let sets = part.tags(conn)?;
            let has_all = |set: &Vec<i64>| self.tags.iter().all(|any| set.iter().any(|tag| any.contains(tag)));
            let good: Vec<bool> = sets.dictionary.iter().map(has_all).collect();
            and(&mut wanted, sets.codes.iter().map(|code| good.get(*code as usize) == Some(&true)));
        }
        for (count, least, most) in &self.ranges {
            let numbers = part.numbers(conn, part::count(*count))?;
            let within = |number: u64| number.checked_sub(1).is_some_and(|n| (*least..=*most).contains(&n));
            and(&mut wanted, numbers.into_iter().map(within));
        }
        if part.first_ms < self.first_ms || part.last_ms >= self.end_ms {
            let starts = part.numbers(conn, part::START)?;
            let within = self.first_ms..self.end_ms;
            and(&mut wanted, starts.into_iter().map(|start| within.contains(&start.cast_signed())));
        }
        let back = part.numbers(conn, part::TAKEN_BACK)?;
        let rows = wanted.into_iter().zip(back).zip(0_u32..).filter(|((wanted, _), _)| *wanted);
        Ok(rows.map(|((_, back), at)| Row { at, weight: if back == 0 { 1 } else { -1 }, cell: 0 }).collect())
    }
}

fn and(wanted: &mut [bool], good: impl Iterator<Item = bool>) {
    wanted.iter_mut().zip(good).for_each(|(wanted, good)| *wanted &= good);
}

const NAMES: &str = "SELECT id FROM names WHERE lower(text) GLOB ?";
/// A model is asked for as `provider/model`, and looked for by its own name too.
const MODELS: &str = "SELECT id FROM names
    WHERE lower(text) GLOB ?1 OR lower(substr(text, instr(text, '/') + 1)) GLOB ?1";

/// The numbers of what matches any of the patterns.
fn matching(conn: &Connection, sql: &str, globs: &[String]) -> Result<HashSet<i64>, StoreError> {
    let mut ids = HashSet::new();
    let mut statement = conn.prepare_cached(sql)?;
    for glob in globs {
        let found = statement.query_map(params_from_iter([glob_text(glob)]), |row| row.get(0))?;
        for id in found {
            ids.insert(id?);
        }
    }
    Ok(ids)
}
