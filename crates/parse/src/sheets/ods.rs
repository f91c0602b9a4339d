//! OpenDocument's spreadsheets: a cell holds its text as it is seen.

use super::Cells;
use crate::markdown::Writer;
use crate::package::Package;
use crate::properties::{self, Properties};
use crate::xml::{Events, Node, Tag};
use crate::{Layout, Limits, Parsed, Unfit};
use std::collections::HashSet;

/// Repeated cells that hold something are written so often at most.
const MOST_REPEATS: u32 = 1_000;

/// The spreadsheet in a package.
pub(crate) fn parse(package: &mut Package<'_>, limits: &Limits) -> Result<Parsed, Unfit> {
    let format = package.format();
    let kind = package.find("mimetype")?.unwrap_or_default();
    if !kind.is_empty() && !kind.contains("spreadsheet") {
        return Err(Unfit::invalid(format, format_args!("it is a {}", kind.trim())));
    }
    // What is encrypted says so in the list of its parts; the parts themselves are then no XML.
    if package.find("META-INF/manifest.xml")?.is_some_and(|manifest| manifest.contains("encryption-data")) {
        return Err(Unfit::Encrypted);
    }
    let xml = package.part("content.xml")?;
    let mut writer = Writer::new(limits);
    let mut reading = Reading::default();
    let mut events = Events::new(&xml, format);
    while let Some(node) = events.next()? {
        match node {
            Node::Open(tag) => match tag.name() {
                // Comments, and how often sheets are tracked and filtered.
                "annotation" | "tracked-changes" => events.skip()?,
                _ => reading.open(&tag),
            },
            Node::Close(tag) => {
                reading.close(tag.name(), &mut writer);
                reading.cells.check(limits)?;
            }
            Node::Text(text) => {
                if reading.in_text {
                    reading.text.push_str(&text);
                }
            }
        }
        if writer.is_full() {
            break;
        }
    }
    let (text, pages) = writer.finish()?;
    let Properties { title, metadata } = match package.find("meta.xml")? {
        Some(xml) => properties::read(&xml, format)?,
        None => Properties::default(),
    };
    let notes = super::xlsx::hidden_note(&reading.hidden);
    Ok(Parsed { text, layout: Layout::Markdown, title, pages, metadata, notes })
}

#[derive(Default)]
struct Reading {
    sheet: String,
    cells: Cells,
    row: u32,
    rows: u32,
    column: u32,
    columns: u32,
    text: String,
    in_text: bool,
    /// The style that is being defined, and those whose tables nobody sees.
    style: String,
    unseen: HashSet<String>,
    is_unseen: bool,
    hidden: Vec<String>,
}

impl Reading {
    fn open(&mut self, tag: &Tag<'_>) {
        let repeated = |name: &str| tag.number(name).and_then(|n| u32::try_from(n).ok()).unwrap_or(1).max(1);
        match tag.name() {
            "table" => {
                self.sheet = tag.get("name").unwrap_or_default().into_owned();
                self.is_unseen =
                    tag.get("style-name").is_some_and(|style| self.unseen.contains(style.as_ref()));
                self.cells = Cells::default();
                self.row = 0;
            }
            "style" => self.style = tag.get("name").unwrap_or_default().into_owned(),
            "table-properties" if tag.get("display").as_deref() == Some("false") => {
                self.unseen.insert(self.style.clone());
            }
            "table-row" => {
                self.rows = repeated("number-rows-repeated");
                self.column = 0;
            }
            "table-cell" | "covered-table-cell" => {
                self.columns = repeated("number-columns-repeated");
                self.text.clear();
            }
            "p" => {
                if !self.text.is_empty() {
                    self.text.push('\n');
                }
                self.in_text = true;
            }
            "s" if self.in_text => self.text.push(' '),
            "tab" | "line-break" if self.in_text => self.text.push('\n'),
            _ => {}
        }
    }

    fn close(&mut self, name: &str, writer: &mut Writer) {
        match name {
            "p" => self.in_text = false,
            "table-cell" | "covered-table-cell" => {
                if !self.text.trim().is_empty() {
                    for row in 0..self.rows.min(MOST_REPEATS) {
                        for column in
                            0..self.columns.min(MOST_REPEATS / self.rows.clamp(1, MOST_REPEATS)).max(1)
                        {
                            let (row, column) =
                                (self.row.saturating_add(row), self.column.saturating_add(column));
                            self.cells.put(row, column, self.text.clone());
                        }
                    }
                }
                self.text.clear();
                self.column = self.column.saturating_add(self.columns);
            }
            "table-row" => self.row = self.row.saturating_add(self.rows),
            "table" if self.is_unseen => {
                self.cells = Cells::default();
                self.hidden.push(std::mem::take(&mut self.sheet));
            }
            "table" => std::mem::take(&mut self.cells).write(&self.sheet, writer),
            _ => {}
        }
    }
}
