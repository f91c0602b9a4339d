//! Excel up to 2003, read by calamine; how its numbers are seen is read beside it.

use super::Cells;
use super::looks::Looks;
use super::numbers::{Epoch, Format, general};
use crate::markdown::Writer;
use crate::{Layout, Limits, Parsed, Unfit};
use calamine::{Data, Reader, SheetVisible, Xls};
use hanok_base::Object;
use std::io::Cursor;

/// The workbook in `bytes`.
pub(crate) fn parse(bytes: &[u8], limits: &Limits) -> Result<Parsed, Unfit> {
    let mut book: Xls<_> = match Xls::new(Cursor::new(bytes)) {
        Ok(book) => book,
        Err(calamine::XlsError::Password) => return Err(Unfit::Encrypted),
        Err(error) => return Err(Unfit::invalid("XLS", error)),
    };
    let looks = Looks::of(bytes);
    let epoch = if book.has_1904_epoch() { Epoch::Y1904 } else { Epoch::Y1900 };
    let mut writer = Writer::new(limits);
    let mut hidden = Vec::new();
    for (number, sheet) in book.sheets_metadata().to_vec().into_iter().enumerate() {
        if sheet.visible != SheetVisible::Visible {
            hidden.push(sheet.name);
            continue;
        }
        let Ok(range) = book.worksheet_range(&sheet.name) else { continue };
        let mut cells = Cells::default();
        let (top, left) = range.start().unwrap_or_default();
        for (row, column, data) in range.used_cells() {
            let at =
                |base: u32, offset: usize| base.saturating_add(u32::try_from(offset).unwrap_or(u32::MAX));
            let (row, column) = (at(top, row), at(left, column));
            let format = looks.of_cell(number, row, column);
            cells.put(row, column, text(data, format, epoch));
        }
        cells.write(&sheet.name, &mut writer);
    }
    let (text, pages) = writer.finish()?;
    let notes = super::xlsx::hidden_note(&hidden);
    Ok(Parsed { text, layout: Layout::Markdown, title: None, pages, metadata: Object::new(), notes })
}

fn text(data: &Data, format: Option<&Format>, epoch: Epoch) -> String {
    match (data, format) {
        (Data::Float(number), Some(format)) => format.write(*number, epoch),
        (Data::DateTime(date), Some(format)) => format.write(date.as_f64(), epoch),
        (Data::Int(number), Some(format)) => {
            #[expect(clippy::cast_precision_loss, reason = "a cell's numbers are floats")]
            let number = *number as f64;
            format.write(number, epoch)
        }
        (data, _) => plain(data, epoch),
    }
}

/// What a cell holds, where it is not known how that is seen.
fn plain(data: &Data, epoch: Epoch) -> String {
    match data {
        Data::Float(number) => general(*number),
        Data::DateTime(date) => {
            let code = if date.is_duration() { "[h]:mm:ss" } else { "yyyy-mm-dd hh:mm:ss" };
            let text = Format::new(code).write(date.as_f64(), epoch);
            text.strip_suffix(" 00:00:00").map(str::to_owned).unwrap_or(text)
        }
        Data::Bool(value) => if *value { "TRUE" } else { "FALSE" }.to_owned(),
        Data::Empty => String::new(),
        other => other.to_string(),
    }
}
