//! What is summed, by cell: a group in a stretch of time.

use super::CallStats;
use super::filter::Row;
use super::part::{self, Part};
use crate::StoreError;
use crate::facts::{Count, Id};
use hanok_base::NanoDollars;
use hanok_stats::Histograms;
use rusqlite::Connection;

/// The counts that are summed.
const SUMMED: [Count; 6] =
    [Count::Input, Count::Output, Count::Cached, Count::CacheWrite, Count::Reasoning, Count::Cost];
const LATENCY: [f64; 3] = [0.5, 0.95, 0.99];
const FIRST_TOKEN: [f64; 2] = [0.5, 0.95];

#[derive(Clone, Default)]
struct Sums {
    calls: i64,
    errors: i64,
    priced: i64,
    /// By [`SUMMED`].
    counts: [i64; SUMMED.len()],
}

pub(super) struct Cells {
    sums: Vec<Sums>,
    latency: Histograms,
    first_token: Histograms,
}

impl Cells {
    pub(super) fn new(count: usize) -> Self {
        Self {
            sums: vec![Sums::default(); count],
            latency: Histograms::new(count),
            first_token: Histograms::new(count),
        }
    }

    /// Adds these rows of a part, column by column.
    pub(super) fn add(&mut self, conn: &Connection, part: &Part, rows: &[Row]) -> Result<(), StoreError> {
        for row in rows {
            if let Some(sums) = self.sums.get_mut(row.cell) {
                sums.calls += i64::from(row.weight);
            }
        }
        let errors = part.ids(conn, Id::Error)?;
        let failed: Vec<bool> = errors.dictionary.iter().map(|error| *error != 0).collect();
        if failed.contains(&true) {
            for row in rows {
                let code = errors.codes.get(row.at as usize).copied().unwrap_or(0);
                if failed.get(code as usize) == Some(&true)
                    && let Some(sums) = self.sums.get_mut(row.cell)
                {
                    sums.errors += i64::from(row.weight);
                }
            }
        }
        for (at, count) in SUMMED.into_iter().enumerate() {
            let numbers = part.numbers(conn, part::count(count))?;
            for row in rows {
                let Some(number) = numbers.get(row.at as usize).and_then(|number| number.checked_sub(1))
                else {
                    continue;
                };
                let Some(sums) = self.sums.get_mut(row.cell) else { continue };
                let weight = i64::from(row.weight);
                if let Some(sum) = sums.counts.get_mut(at) {
                    *sum = sum.saturating_add(number.cast_signed().saturating_mul(weight));
                }
                if count == Count::Cost {
                    sums.priced += weight;
                }
            }
        }
        for (count, histograms) in
            [(Count::Duration, &mut self.latency), (Count::FirstToken, &mut self.first_token)]
        {
            let numbers = part.numbers(conn, part::count(count))?;
            for row in rows {
                if let Some(number) = numbers.get(row.at as usize).and_then(|number| number.checked_sub(1)) {
                    histograms.add(row.cell, number, row.weight);
                }
            }
        }
        Ok(())
    }

    /// Adds all of one cell to another.
    pub(super) fn merge(&mut self, from: usize, into: usize) {
        let Some(more) = self.sums.get(from).filter(|more| more.calls != 0).cloned() else { return };
        if let Some(sums) = self.sums.get_mut(into) {
            sums.calls += more.calls;
            sums.errors += more.errors;
            sums.priced += more.priced;
            for (sum, more) in sums.counts.iter_mut().zip(more.counts) {
                *sum = sum.saturating_add(more);
            }
        }
        self.latency.merge(from, into);
        self.first_token.merge(from, into);
    }

    pub(super) fn stats(&self, cell: usize) -> CallStats {
        let Some(sums) = self.sums.get(cell) else { return CallStats::default() };
        let whole = |sum: i64| u64::try_from(sum).unwrap_or(0);
        let [input, output, cached, cache_write, reasoning, cost] = sums.counts;
        CallStats {
            calls: whole(sums.calls),
            errors: whole(sums.errors),
            input_tokens: whole(input),
            output_tokens: whole(output),
            cached_tokens: whole(cached),
            cache_write_tokens: whole(cache_write),
            reasoning_tokens: whole(reasoning),
            cost: NanoDollars(cost),
            unpriced: whole(sums.calls - sums.priced),
            latency_ms: milliseconds(self.latency.percentiles(cell, LATENCY)),
            first_token_ms: milliseconds(self.first_token.percentiles(cell, FIRST_TOKEN)),
        }
    }
}

/// From microseconds.
fn milliseconds<const N: usize>(micros: Option<[f64; N]>) -> Option<[f64; N]> {
    micros.map(|micros| micros.map(|micros| micros.round() / 1e3))
}
