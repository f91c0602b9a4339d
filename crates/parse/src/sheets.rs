//! Spreadsheets: each sheet a section, its cells as they are seen.

mod compound;
mod looks;
mod numbers;
mod ods;
mod xls;
mod xlsx;

pub(crate) use ods::parse as parse_ods;
pub(crate) use xls::parse as parse_xls;
pub(crate) use xlsx::parse as parse_xlsx;

use crate::markdown::Writer;
use crate::{Limits, Unfit};
use std::collections::BTreeMap;

/// The cells of a sheet that hold something, by row and column from 0: a sheet is as large as what is in it, not
/// as it claims.
#[derive(Debug, Default)]
pub(crate) struct Cells {
    rows: BTreeMap<u32, BTreeMap<u32, String>>,
    /// Bytes of all texts.
    bytes: usize,
}

/// Columns of a sheet at most: as many as Excel has.
const MOST_COLUMNS: u32 = 16_384;
/// A table with more columns than this, most of them empty, is written without the empty ones.
const WIDE: usize = 64;

impl Cells {
    fn put(&mut self, row: u32, column: u32, text: String) {
        if !text.trim().is_empty() && column < MOST_COLUMNS {
            self.bytes += text.len();
            self.rows.entry(row).or_default().insert(column, text);
        }
    }

    /// Says when there is more than a text may have: a short file can name one long string over and over.
    fn check(&self, limits: &Limits) -> Result<(), Unfit> {
        if self.bytes > limits.text_bytes {
            return Err(Unfit::too_large("its text", limits.text_bytes as u64));
        }
        Ok(())
    }

    /// Writes the sheet: a heading, and a table for each run of rows without an empty one between.
    fn write(&self, name: &str, writer: &mut Writer) {
        if self.rows.is_empty() {
            return;
        }
        writer.heading(2, name);
        let mut table: Vec<&BTreeMap<u32, String>> = Vec::new();
        let mut last = None;
        for (row, cells) in &self.rows {
            if last.is_some_and(|last| last + 1 < *row) {
                write_table(&std::mem::take(&mut table), writer);
            }
            table.push(cells);
            last = Some(*row);
            if writer.is_full() {
                return;
            }
        }
        write_table(&table, writer);
    }
}

fn write_table(rows: &[&BTreeMap<u32, String>], writer: &mut Writer) {
    let mut columns: Vec<u32> = rows.iter().flat_map(|row| row.keys().copied()).collect();
    columns.sort_unstable();
    columns.dedup();
    let (Some(first), Some(last)) = (columns.first().copied(), columns.last().copied()) else { return };
    if columns.len() == 1 || rows.len() == 1 && columns.len() < 2 {
        for text in rows.iter().flat_map(|row| row.values()) {
            writer.paragraph(text);
        }
        return;
    }
    if ((last - first) as usize) < WIDE {
        columns = (first..=last).collect();
    }
    let row = |row: &&BTreeMap<u32, String>| -> Vec<String> {
        columns.iter().map(|column| row.get(column).cloned().unwrap_or_default()).collect()
    };
    let rows: Vec<Vec<String>> = rows.iter().map(row).collect();
    writer.table(&rows);
}
