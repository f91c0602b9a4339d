//! How the numbers of an old workbook are seen: the format of each cell, out of the records of its stream ([MS-XLS]).

use super::compound::{stream, u16_at, u32_at};
use super::numbers::Format;
use std::collections::HashMap;

const BOF: u16 = 0x0809;
const EOF: u16 = 0x000A;
const BOUNDSHEET: u16 = 0x0085;
const FORMAT: u16 = 0x041E;
const XF: u16 = 0x00E0;
const NUMBER: u16 = 0x0203;
const RK: u16 = 0x027E;
const MULRK: u16 = 0x00BD;
const FORMULA: u16 = 0x0006;
/// The version of the format since Excel 97.
const BIFF8: u16 = 0x0600;

/// The number formats of a workbook's cells.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// By cell style.
    formats: Vec<Format>,
    /// For each sheet, in order, the style of each cell with a number.
    styles: Vec<HashMap<(u32, u32), u16>>,
}

impl Looks {
    /// Those of the workbook in a file; nothing where its records cannot be read.
    pub(super) fn of(file: &[u8]) -> Self {
        stream(file, &["Workbook", "Book"]).and_then(|book| Self::read(&book)).unwrap_or_default()
    }

    /// The format of a cell of the sheet with this number.
    pub(super) fn of_cell(&self, sheet: usize, row: u32, column: u32) -> Option<&Format> {
        let style = *self.styles.get(sheet)?.get(&(row, column))?;
        self.formats.get(usize::from(style))
    }

    fn read(book: &[u8]) -> Option<Self> {
        let (mut codes, mut styles, mut sheets) = (HashMap::new(), Vec::new(), Vec::new());
        let mut version = BIFF8;
        for (kind, data) in Records(book) {
            match kind {
                BOF => version = u16_at(data, 0)?,
                EOF => break,
                BOUNDSHEET => sheets.push(usize::try_from(u32_at(data, 0)?).ok()?),
                FORMAT => drop(codes.insert(u16_at(data, 0)?, code(data.get(2..)?, version)?)),
                XF => styles.push(u16_at(data, 2)?),
                _ => {}
            }
        }
        let format = |style: &u16| match codes.get(style) {
            Some(code) => Format::new(code),
            None => Format::built_in(usize::from(*style)),
        };
        Some(Self {
            formats: styles.iter().map(format).collect(),
            styles: sheets.into_iter().map(|start| cells(book.get(start..).unwrap_or_default())).collect(),
        })
    }
}

/// The text of a format's record.
fn code(data: &[u8], version: u16) -> Option<String> {
    if version < BIFF8 {
        let length = usize::from(*data.first()?);
        return data
            .get(1..)?
            .get(..length)
            .map(|bytes| bytes.iter().map(|byte| char::from(*byte)).collect());
    }
    let (length, wide) = (usize::from(u16_at(data, 0)?), data.get(2)? & 1 == 1);
    let text = data.get(3..)?;
    if wide {
        let units: Vec<u16> =
            text.get(..length * 2)?.chunks_exact(2).filter_map(|unit| u16_at(unit, 0)).collect();
        return Some(String::from_utf16_lossy(&units));
    }
    text.get(..length).map(|bytes| bytes.iter().map(|byte| char::from(*byte)).collect())
}

/// The style of each cell of a sheet that holds a number, the sheet being at the head of `book`.
fn cells(book: &[u8]) -> HashMap<(u32, u32), u16> {
    let mut cells = HashMap::new();
    let mut depth = 0_usize;
    for (kind, data) in Records(book) {
        let row = u16_at(data, 0).map(u32::from).unwrap_or_default();
        match kind {
            // Charts lie inside of a sheet, and have an end of their own.
            BOF => depth += 1,
            EOF if depth <= 1 => break,
            EOF => depth -= 1,
            NUMBER | RK | FORMULA if depth == 1 => {
                if let (Some(column), Some(style)) = (u16_at(data, 2), u16_at(data, 4)) {
                    cells.insert((row, u32::from(column)), style);
                }
            }
            MULRK if depth == 1 => {
                let Some(first) = u16_at(data, 2) else { continue };
                // Style and number of each, and at the end the last column.
                let numbers = data.get(4..data.len().saturating_sub(2)).unwrap_or_default();
                for (column, number) in (u32::from(first)..).zip(numbers.chunks_exact(6)) {
                    cells.extend(u16_at(number, 0).map(|style| ((row, column), style)));
                }
            }
            _ => {}
        }
    }
    cells
}

/// The records of a stream: what each is, and what it holds.
struct Records<'a>(&'a [u8]);

impl<'a> Iterator for Records<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let (kind, length) = (u16_at(self.0, 0)?, usize::from(u16_at(self.0, 2)?));
        let (data, rest) = self.0.get(4..)?.split_at_checked(length)?;
        self.0 = rest;
        Some((kind, data))
    }
}
