//! Which groups the facts of a part are in.

use super::filter::Row;
use super::part::{Axis, Part};
use super::{Dimension, Key};
use crate::StoreError;
use rusqlite::Connection;
use std::collections::HashMap;

/// More products of codes than this are numbered by hashing.
const DENSE: usize = 1 << 20;
const NONE: u32 = u32::MAX;

/// Many short lists, one after another.
pub(super) struct Lists<T> {
    all: Vec<T>,
    /// Where each list ends.
    ends: Vec<u32>,
}

impl<T> Lists<T> {
    pub(super) fn with_capacity(lists: usize) -> Self {
        Self { all: Vec::with_capacity(lists), ends: Vec::with_capacity(lists) }
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn push(&mut self, list: impl IntoIterator<Item = T>) {
        self.all.extend(list);
        self.ends.push(u32::try_from(self.all.len()).unwrap_or(u32::MAX));
    }

    pub(super) fn get(&self, number: u32) -> &[T] {
        let number = number as usize;
        let end = |number: usize| self.ends.get(number).map_or(0, |end| *end as usize);
        let start = number.checked_sub(1).map_or(0, end);
        self.all.get(start..end(number)).unwrap_or_default()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[T]> {
        (0..).take(self.len()).map(|number| self.get(number))
    }
}

/// What the facts are by all dimensions asked for.
pub(super) struct Pairs {
    /// What each pair of codes stands for.
    pub(super) keys: Lists<Key>,
    /// For each row, its pair.
    pub(super) of_rows: Vec<u32>,
}

impl Pairs {
    pub(super) fn new(
        conn: &Connection,
        part: &Part,
        dimensions: &[Dimension],
        rows: &[Row],
    ) -> Result<Self, StoreError> {
        let mut axes = dimensions.iter().take(2).map(|dimension| part.axis(conn, *dimension));
        Ok(match (axes.next().transpose()?, axes.next().transpose()?) {
            (None, _) => {
                let mut keys = Lists::with_capacity(1);
                keys.push([(0, 0)]);
                Self { keys, of_rows: vec![0; rows.len()] }
            }
            (Some(axis), None) => {
                let mut keys = Lists::with_capacity(axis.values.len());
                for values in axis.values.iter() {
                    keys.push(values.iter().map(|value| (*value, 0)));
                }
                Self { keys, of_rows: rows.iter().map(|row| axis.code(row)).collect() }
            }
            (Some(first), Some(second)) => Self::of_two(&first, &second, rows),
        })
    }

    /// Pairs are numbered as they come, so that what does not occur costs nothing.
    fn of_two(first: &Axis, second: &Axis, rows: &[Row]) -> Self {
        let product = first.values.len().saturating_mul(second.values.len());
        let mut dense = vec![NONE; if product <= DENSE { product } else { 0 }];
        let mut hashed: HashMap<usize, u32, foldhash::fast::RandomState> = HashMap::default();
        let mut keys = Lists::with_capacity(rows.len().min(product));
        let mut of_rows = Vec::with_capacity(rows.len());
        for row in rows {
            let (one, other) = (first.code(row), second.code(row));
            let place = one as usize * second.values.len() + other as usize;
            let number = match dense.get_mut(place) {
                Some(number) => number,
                None => hashed.entry(place).or_insert(NONE),
            };
            if *number == NONE {
                *number = u32::try_from(keys.len()).unwrap_or(NONE);
                let others = second.values.get(other);
                keys.push(
                    first.values.get(one).iter().flat_map(|one| others.iter().map(|other| (*one, *other))),
                );
            }
            of_rows.push(*number);
        }
        Self { keys, of_rows }
    }
}
