//! Sums and percentiles over the counted calls: any filter, by up to two dimensions, over time.
//!
//! A query goes over the facts twice where it groups: first for which groups are the greatest, then for all that is
//! told of them. It reads the columns it needs of the segments that its time touches, one segment after another, so
//! that its memory does not grow with the number of calls. Percentiles are within one part in 128.
//!
//! Reading order: [`query`](StatsQuery) (here), `part` (facts in columns), `filter` (which are wanted), `pairs`
//! (which groups they are in), `cells` (what is summed), `dearest` (the traces whose calls cost most).

mod cells;
mod dearest;
mod filter;
mod pairs;
mod part;

use crate::StoreError;
use crate::facts::{Count, Id};
use crate::names::Texts;
use crate::query::TraceQuery;
use crate::traces::Traces;
use cells::Cells;
pub use dearest::Dear;
use filter::{Filter, Row};
use hanok_base::{NanoDollars, Timestamp};
use pairs::{Lists, Pairs};
use part::Part;
use rusqlite::{Connection, OptionalExtension};
use std::collections::HashMap;

/// Most groups that are told apart before the greatest are known; calls of further ones are among the others.
const MOST_GROUPS: usize = 1 << 18;
/// Most groups times stretches of time that one answer holds.
const MOST_CELLS: usize = 6_000;
const SECOND_MS: i64 = 1_000;
const DAY_MS: i64 = 86_400 * SECOND_MS;

/// What is asked of the calls.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct StatsQuery {
    /// Which calls. Model, provider, how it ended and numbers are the call's own (and the model its trace asked for),
    /// all else is its trace's. What is asked of operations, names, errors, ids, scores and words goes through the
    /// traces one by one.
    pub filter: TraceQuery,
    /// Stretches of time at most; up to 1 gives the sums only. They are of equal length: whole seconds, minutes,
    /// hours or days in UTC.
    pub buckets: usize,
    /// Up to two; none gives the total only.
    pub group_by: Vec<Dimension>,
    /// Which groups are the greatest.
    pub rank: Rank,
    /// Groups at most; the rest are summed up as the others.
    pub limit: usize,
}

/// What calls are grouped by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dimension {
    /// The model that was called.
    Model,
    /// The model that its trace asked for, which may be an alias of several.
    Asked,
    /// The provider.
    Provider,
    /// The name of the key.
    Key,
    /// The person it was made for.
    User,
    /// The prompt, as `name@version`.
    Prompt,
    /// Each of the tags: a call with two counts in both groups.
    Tag,
    /// The program that sent it.
    Source,
    /// The project.
    Project,
    /// The conversation.
    Session,
    /// `ok` or `error`.
    Status,
    /// The kind of failure.
    Error,
}

impl Dimension {
    /// All of them, by name.
    pub const ALL: [(&'static str, Self); 12] = [
        ("model", Self::Model),
        ("asked", Self::Asked),
        ("provider", Self::Provider),
        ("key", Self::Key),
        ("user", Self::User),
        ("prompt", Self::Prompt),
        ("tag", Self::Tag),
        ("source", Self::Source),
        ("project", Self::Project),
        ("session", Self::Session),
        ("status", Self::Status),
        ("error", Self::Error),
    ];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, dimension)| dimension)
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        Self::ALL.into_iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }
}

/// By what groups are ordered, greatest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Rank {
    /// Calls.
    #[default]
    Calls,
    /// What the priced ones cost.
    Cost,
    /// Tokens, prompts and answers together.
    Tokens,
    /// Calls that failed.
    Errors,
}

impl Rank {
    /// All of them, by name.
    pub const ALL: [(&'static str, Self); 4] =
        [("calls", Self::Calls), ("cost", Self::Cost), ("tokens", Self::Tokens), ("errors", Self::Errors)];

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|(known, _)| *known == name).map(|(_, rank)| rank)
    }
}

/// Calls summed up.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct CallStats {
    /// Calls.
    pub calls: u64,
    /// Calls that failed.
    pub errors: u64,
    /// Tokens of prompts, cached ones included.
    pub input_tokens: u64,
    /// Tokens of answers, reasoning included.
    pub output_tokens: u64,
    /// Of the prompts, tokens read from a provider's cache.
    pub cached_tokens: u64,
    /// Of the prompts, tokens written to a provider's cache.
    pub cache_write_tokens: u64,
    /// Of the answers, tokens spent on reasoning.
    pub reasoning_tokens: u64,
    /// What the priced ones cost.
    pub cost: NanoDollars,
    /// Calls without a price.
    pub unpriced: u64,
    /// Milliseconds that half of the calls, 95 % and 99 % did not exceed; `None` without calls.
    pub latency_ms: Option<[f64; 3]>,
    /// Milliseconds to the first token that half of the streamed calls and 95 % did not exceed.
    pub first_token_ms: Option<[f64; 2]>,
}

/// The answer to a [`StatsQuery`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stats {
    /// When the first stretch begins; of a query without a beginning, about the first call.
    pub since: Timestamp,
    /// How long each stretch is, in milliseconds; 0 without stretches.
    pub bucket_ms: i64,
    /// Every call once.
    pub total: GroupStats,
    /// The greatest groups, greatest first.
    pub groups: Vec<GroupStats>,
    /// What is in none of the groups told of; `None` where there is nothing.
    pub others: Option<GroupStats>,
    /// Traces recorded by an earlier version that are not counted yet; their calls come in the background.
    pub traces_to_come: u64,
}

/// A group, whole and over time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct GroupStats {
    /// What its calls have in common, one for each dimension asked for; `None` where they have nothing.
    pub values: Vec<Option<String>>,
    /// All of it.
    pub sums: CallStats,
    /// By stretch of time, empty ones included; empty where none were asked for.
    pub buckets: Vec<CallStats>,
}

impl Traces<'_> {
    /// Sums and percentiles over the counted calls.
    pub async fn stats(&self, query: StatsQuery) -> Result<Stats, StoreError> {
        let project = self.project();
        self.store().read(move |conn| stats(conn, project.as_deref(), &query)).await
    }
}

/// What a group's calls have in common, by number.
type Key = (i64, i64);

fn stats(conn: &Connection, project: Option<&str>, query: &StatsQuery) -> Result<Stats, StoreError> {
    let filter = Filter::new(conn, project, &query.filter)?;
    let parts = part::all(conn, filter.first_ms, filter.end_ms)?;
    let buckets = Buckets::new(query.buckets, &filter, &parts);
    let limit = query.limit.clamp(1, MOST_CELLS / buckets.count);
    let mut groups = Vec::new();
    if !query.group_by.is_empty() {
        groups = greatest(conn, &parts, &filter, query)?;
        groups.truncate(limit);
    }
    let places: HashMap<Key, usize, foldhash::fast::RandomState> =
        groups.iter().copied().zip(1_usize..).collect();
    // The others first; where a call may be in several groups, the total is counted apart.
    let apart = query.group_by.contains(&Dimension::Tag);
    let total = groups.len() + 1;
    let mut cells = Cells::new((total + 1) * buckets.count);
    for part in &parts {
        let rows = filter.rows(conn, part)?;
        if rows.is_empty() {
            continue;
        }
        let pairs = Pairs::new(conn, part, &query.group_by, &rows)?;
        let mut lists = Lists::with_capacity(pairs.keys.len());
        for keys in pairs.keys.iter() {
            let place = |key: &Key| places.get(key).copied().unwrap_or(0);
            match keys {
                [key] if !apart => lists.push([place(key)]),
                keys => {
                    let mut list: Vec<usize> = keys.iter().map(place).collect();
                    list.sort_unstable();
                    list.dedup();
                    lists.push(list.into_iter().chain(apart.then_some(total)));
                }
            }
        }
        let starts = if buckets.count > 1 { part.numbers(conn, part::START)? } else { Vec::new() };
        let mut hits = Vec::with_capacity(rows.len());
        for (row, pair) in rows.iter().zip(&pairs.of_rows) {
            let bucket = starts.get(row.at as usize).map_or(0, |start| buckets.at(start.cast_signed()));
            for group in lists.get(*pair) {
                hits.push(Row { at: row.at, weight: row.weight, cell: group * buckets.count + bucket });
            }
        }
        cells.add(conn, part, &hits)?;
    }
    if !apart {
        for group in 0..total {
            for bucket in 0..buckets.count {
                cells.merge(group * buckets.count + bucket, total * buckets.count + bucket);
            }
        }
    }
    let mut names = Values { conn, texts: Texts::default() };
    let group = |cells: &mut Cells, at: usize, values| {
        let first = at * buckets.count;
        let each = if buckets.apart {
            (first..first + buckets.count).map(|cell| cells.stats(cell)).collect()
        } else {
            Vec::new()
        };
        for bucket in 1..buckets.count {
            cells.merge(first + bucket, first);
        }
        GroupStats { values, sums: cells.stats(first), buckets: each }
    };
    let mut told = Vec::with_capacity(groups.len());
    for (key, at) in groups.iter().zip(1_usize..) {
        told.push(group(&mut cells, at, names.of(&query.group_by, *key)?));
    }
    let others = group(&mut cells, 0, Vec::new());
    let grouped = !query.group_by.is_empty();
    Ok(Stats {
        since: Timestamp(buckets.first_ms.saturating_mul(1_000_000)),
        bucket_ms: if buckets.apart { buckets.width_ms } else { 0 },
        total: group(&mut cells, total, Vec::new()),
        groups: told,
        others: Some(others).filter(|others| grouped && others.sums.calls > 0),
        traces_to_come: to_come(conn)?,
    })
}

/// The groups, greatest first.
fn greatest(
    conn: &Connection,
    parts: &[Part],
    filter: &Filter,
    query: &StatsQuery,
) -> Result<Vec<Key>, StoreError> {
    let mut sums: HashMap<Key, i64, foldhash::fast::RandomState> = HashMap::default();
    for part in parts {
        let rows = filter.rows(conn, part)?;
        if rows.is_empty() {
            continue;
        }
        let pairs = Pairs::new(conn, part, &query.group_by, &rows)?;
        let mut of_pairs = vec![0_i64; pairs.keys.len()];
        let mut add = |pair: u32, more: i64| {
            if let Some(sum) = of_pairs.get_mut(pair as usize) {
                *sum = sum.saturating_add(more);
            }
        };
        match query.rank {
            Rank::Calls => {
                for (row, pair) in rows.iter().zip(&pairs.of_rows) {
                    add(*pair, i64::from(row.weight));
                }
            }
            Rank::Errors => {
                let errors = part.ids(conn, Id::Error)?;
                let failed: Vec<bool> = errors.dictionary.iter().map(|error| *error != 0).collect();
                for (row, pair) in rows.iter().zip(&pairs.of_rows) {
                    let code = errors.codes.get(row.at as usize).copied().unwrap_or(0);
                    if failed.get(code as usize) == Some(&true) {
                        add(*pair, i64::from(row.weight));
                    }
                }
            }
            Rank::Cost | Rank::Tokens => {
                let counts: &[Count] =
                    if query.rank == Rank::Cost { &[Count::Cost] } else { &[Count::Input, Count::Output] };
                for count in counts {
                    let numbers = part.numbers(conn, part::count(*count))?;
                    for (row, pair) in rows.iter().zip(&pairs.of_rows) {
                        let number =
                            numbers.get(row.at as usize).map_or(0, |number| number.saturating_sub(1));
                        add(*pair, number.cast_signed().saturating_mul(i64::from(row.weight)));
                    }
                }
            }
        }
        for (keys, sum) in pairs.keys.iter().zip(of_pairs) {
            for key in keys {
                if let Some(all) = sums.get_mut(key) {
                    *all = all.saturating_add(sum);
                } else if sums.len() < MOST_GROUPS {
                    sums.insert(*key, sum);
                }
            }
        }
    }
    // Of groups as great as each other, the one whose names came first.
    let mut groups: Vec<(Key, i64)> = sums.into_iter().collect();
    groups.sort_unstable_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(&b.0)));
    Ok(groups.into_iter().map(|(key, _)| key).collect())
}

/// The stretches of time.
struct Buckets {
    /// Whether they are told one by one.
    apart: bool,
    first_ms: i64,
    width_ms: i64,
    count: usize,
}

/// Lengths that people read a clock by, in seconds.
const WIDTHS: [i64; 18] =
    [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400];

impl Buckets {
    fn new(most: usize, filter: &Filter, parts: &[Part]) -> Self {
        let earliest = parts.iter().map(|part| part.first_ms).min().unwrap_or(0);
        let latest = parts.iter().map(|part| part.last_ms).max().unwrap_or(0).saturating_add(1);
        let first = if filter.first_ms == i64::MIN { earliest } else { filter.first_ms };
        let end = if filter.end_ms == i64::MAX { latest.max(first) } else { filter.end_ms.max(first) };
        let most = i64::try_from(most.clamp(1, 1_000)).unwrap_or(1);
        if most == 1 {
            return Self { apart: false, first_ms: first, width_ms: i64::MAX, count: 1 };
        }
        let count = |width: i64| {
            let begin = first.div_euclid(width).saturating_mul(width);
            end.saturating_sub(begin).saturating_add(width - 1).div_euclid(width).max(1)
        };
        let of_clock =
            WIDTHS.into_iter().map(|seconds| seconds * SECOND_MS).find(|width| count(*width) <= most);
        let width = of_clock.unwrap_or_else(|| {
            let days = end.saturating_sub(first).div_euclid(DAY_MS).div_euclid(most).saturating_add(1);
            let width = days.saturating_mul(DAY_MS);
            if count(width) <= most { width } else { width.saturating_add(DAY_MS) }
        });
        Self {
            apart: true,
            first_ms: first.div_euclid(width).saturating_mul(width),
            width_ms: width,
            count: usize::try_from(count(width)).unwrap_or(1).clamp(1, 1_001),
        }
    }

    fn at(&self, start_ms: i64) -> usize {
        let bucket = start_ms.saturating_sub(self.first_ms).max(0) / self.width_ms;
        usize::try_from(bucket).unwrap_or(0).min(self.count - 1)
    }
}

/// Numbers to what people call them.
struct Values<'a> {
    conn: &'a Connection,
    texts: Texts,
}

impl Values<'_> {
    fn of(&mut self, dimensions: &[Dimension], key: Key) -> Result<Vec<Option<String>>, StoreError> {
        let numbers = [key.0, key.1];
        dimensions.iter().zip(numbers).map(|(dimension, number)| self.one(*dimension, number)).collect()
    }

    fn one(&mut self, dimension: Dimension, number: i64) -> Result<Option<String>, StoreError> {
        let named =
            |sql: &str| self.conn.prepare_cached(sql)?.query_row([number], |row| row.get(0)).optional();
        Ok(match (dimension, number) {
            (Dimension::Status, 0) => Some("ok".to_owned()),
            (Dimension::Status, _) => Some("error".to_owned()),
            (_, 0) => None,
            (Dimension::User, _) => named("SELECT name FROM users WHERE id = ?1")?,
            (Dimension::Session, _) => named("SELECT name FROM sessions WHERE id = ?1")?,
            _ => Some(self.texts.get(self.conn, number)?),
        })
    }
}

fn to_come(conn: &Connection) -> Result<u64, StoreError> {
    let unfilled: Option<i64> = conn
        .prepare_cached("SELECT last - next + 1 FROM fact_fill")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(unfilled.and_then(|traces| u64::try_from(traces).ok()).unwrap_or(0))
}
