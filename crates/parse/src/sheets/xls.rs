//! Excel up to 2003, read by calamine.

use super::Cells;
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
    let mut writer = Writer::new(limits);
    let mut hidden = Vec::new();
    for sheet in book.sheets_metadata().to_vec() {
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
            cells.put(at(top, row), at(left, column), text(data));
        }
        cells.write(&sheet.name, &mut writer);
    }
    let (text, pages) = writer.finish()?;
    let notes = super::xlsx::hidden_note(&hidden);
    Ok(Parsed { text, layout: Layout::Markdown, title: None, pages, metadata: Object::new(), notes })
}

fn text(data: &Data) -> String {
    match data {
        Data::Float(number) => general(*number),
        Data::DateTime(date) => {
            let code = if date.is_duration() { "[h]:mm:ss" } else { "yyyy-mm-dd hh:mm:ss" };
            let text = Format::new(code).write(date.as_f64(), Epoch::Y1900);
            text.strip_suffix(" 00:00:00").map(str::to_owned).unwrap_or(text)
        }
        Data::Bool(value) => if *value { "TRUE" } else { "FALSE" }.to_owned(),
        Data::Empty => String::new(),
        other => other.to_string(),
    }
}
