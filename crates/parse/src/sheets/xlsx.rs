//! Excel's workbooks: cells are read one by one and written as their number formats have them seen.

use super::Cells;
use super::numbers::{Epoch, Format};
use crate::markdown::Writer;
use crate::package::Package;
use crate::properties::{self, Properties};
use crate::xml::{Events, Node, Tag};
use crate::{Layout, Limits, Parsed, Unfit};
use std::collections::HashMap;

/// The workbook whose main part is `main`.
pub(crate) fn parse(package: &mut Package<'_>, main: &str, limits: &Limits) -> Result<Parsed, Unfit> {
    let format = package.format();
    let relations = package.relations(main)?;
    let folder = main.rsplit_once('/').map_or("", |(folder, _)| folder);
    let part = |kind: &str, file: &str| {
        relations.first(kind).map_or_else(|| format!("{folder}/{file}"), str::to_owned)
    };
    let book = read_book(&package.part(main)?, format)?;
    let strings = match package.find(&part("sharedStrings", "sharedStrings.xml"))? {
        Some(xml) => read_strings(&xml, format)?,
        None => Vec::new(),
    };
    let styles = match package.find(&part("styles", "styles.xml"))? {
        Some(xml) => read_styles(&xml, format)?,
        None => Vec::new(),
    };
    let mut writer = Writer::new(limits);
    let mut notes = Vec::new();
    let looks = Looks { strings, styles, epoch: book.epoch };
    for sheet in &book.sheets {
        let Some(xml) = relations.get(&sheet.relation).map(|part| package.find(part)).transpose()?.flatten()
        else {
            notes.push(format!("the sheet {} is missing", sheet.name));
            continue;
        };
        looks.read_sheet(&xml, format, limits)?.write(&sheet.name, &mut writer);
        if writer.is_full() {
            break;
        }
    }
    notes.extend(hidden_note(&book.hidden));
    let (text, pages) = writer.finish()?;
    let Properties { title, metadata } = properties::of_package(package)?;
    Ok(Parsed { text, layout: Layout::Markdown, title, pages, metadata, notes })
}

/// What is said of sheets that nobody sees.
pub(super) fn hidden_note(hidden: &[String]) -> Vec<String> {
    if hidden.is_empty() {
        return Vec::new();
    }
    vec![format!("hidden sheets were left out: {}", hidden.join(", "))]
}

struct Book {
    sheets: Vec<Sheet>,
    hidden: Vec<String>,
    epoch: Epoch,
}

struct Sheet {
    name: String,
    relation: String,
}

fn read_book(xml: &str, format: &'static str) -> Result<Book, Unfit> {
    let mut book = Book { sheets: Vec::new(), hidden: Vec::new(), epoch: Epoch::Y1900 };
    let mut events = Events::new(xml, format);
    while let Some(node) = events.next()? {
        let Node::Open(tag) = node else { continue };
        match tag.name() {
            "workbookPr" if matches!(tag.get("date1904").as_deref(), Some("1" | "true")) => {
                book.epoch = Epoch::Y1904
            }
            "sheet" => {
                let name = tag.get("name").unwrap_or_default().into_owned();
                if tag.get("state").is_some_and(|state| state != "visible") {
                    book.hidden.push(name);
                } else if let Some(relation) = tag.relation() {
                    book.sheets.push(Sheet { name, relation: relation.into_owned() });
                }
            }
            _ => {}
        }
    }
    Ok(book)
}

fn read_strings(xml: &str, format: &'static str) -> Result<Vec<String>, Unfit> {
    let mut strings = Vec::new();
    let mut text = String::new();
    let mut events = Events::new(xml, format);
    while let Some(node) = events.next()? {
        match node {
            Node::Open(tag) => match tag.name() {
                "si" => text.clear(),
                // How a word is pronounced stands beside it.
                "rPh" => events.skip()?,
                "t" => text.push_str(&events.text()?),
                _ => {}
            },
            Node::Close(tag) if tag.name() == "si" => strings.push(std::mem::take(&mut text)),
            _ => {}
        }
    }
    Ok(strings)
}

/// The number format of each style of cells.
fn read_styles(xml: &str, format: &'static str) -> Result<Vec<Format>, Unfit> {
    let mut codes: HashMap<usize, String> = HashMap::new();
    let mut formats = Vec::new();
    let mut in_cells = false;
    let mut events = Events::new(xml, format);
    while let Some(node) = events.next()? {
        match node {
            Node::Open(tag) => match tag.name() {
                "numFmt" => {
                    if let (Some(id), Some(code)) = (tag.number("numFmtId"), tag.get("formatCode")) {
                        codes.insert(id, code.into_owned());
                    }
                }
                "cellXfs" => in_cells = true,
                "xf" if in_cells => {
                    let id = tag.number("numFmtId").unwrap_or(0);
                    formats
                        .push(codes.get(&id).map_or_else(|| Format::built_in(id), |code| Format::new(code)));
                }
                _ => {}
            },
            Node::Close(tag) if tag.name() == "cellXfs" => in_cells = false,
            _ => {}
        }
    }
    Ok(formats)
}

/// What the cells of all sheets share.
struct Looks {
    strings: Vec<String>,
    styles: Vec<Format>,
    epoch: Epoch,
}

impl Looks {
    fn read_sheet(&self, xml: &str, format: &'static str, limits: &Limits) -> Result<Cells, Unfit> {
        let mut cells = Cells::default();
        let (mut row, mut column) = (0_u32, 0_u32);
        let mut events = Events::new(xml, format);
        while let Some(node) = events.next()? {
            match node {
                Node::Open(tag) if tag.name() == "row" => {
                    let said = tag.number("r").and_then(|r| u32::try_from(r).ok()).filter(|r| *r > 0);
                    row = said.map_or(row, |r| r - 1);
                    column = 0;
                }
                Node::Open(tag) if tag.name() == "c" => {
                    if let Some((r, c)) = tag.get("r").and_then(|at| place(&at)) {
                        (row, column) = (r, c);
                    }
                    let text = self.read_cell(&tag, &mut events)?;
                    cells.put(row, column, text);
                    cells.check(limits)?;
                    column = column.saturating_add(1);
                }
                Node::Close(tag) if tag.name() == "row" => row = row.saturating_add(1),
                _ => {}
            }
        }
        Ok(cells)
    }

    fn read_cell(&self, tag: &Tag<'_>, events: &mut Events<'_>) -> Result<String, Unfit> {
        let kind = tag.get("t").unwrap_or_default().into_owned();
        let style = tag.number("s");
        let (mut value, mut inline) = (String::new(), String::new());
        loop {
            match events.next()? {
                Some(Node::Open(tag)) => match tag.name() {
                    "v" => value = events.text()?,
                    "t" => inline.push_str(&events.text()?),
                    "f" | "rPh" => events.skip()?,
                    _ => {}
                },
                Some(Node::Close(tag)) if tag.name() == "c" => break,
                Some(_) => {}
                None => break,
            }
        }
        Ok(match kind.as_str() {
            "s" => value
                .trim()
                .parse::<usize>()
                .ok()
                .and_then(|at| self.strings.get(at))
                .cloned()
                .unwrap_or_default(),
            "inlineStr" => inline,
            "b" => if value.trim() == "1" { "TRUE" } else { "FALSE" }.to_owned(),
            "str" | "e" | "d" => value,
            _ => match value.trim().parse::<f64>() {
                Ok(number) => {
                    let format = style.and_then(|style| self.styles.get(style));
                    format.map_or_else(
                        || super::numbers::general(number),
                        |format| format.write(number, self.epoch),
                    )
                }
                Err(_) => value,
            },
        })
    }
}

/// Row and column, from 0, of a reference such as `AB12`.
fn place(reference: &str) -> Option<(u32, u32)> {
    let letters = reference.find(|c: char| c.is_ascii_digit())?;
    let (letters, digits) = reference.split_at_checked(letters)?;
    let mut column = 0_u32;
    for letter in letters.bytes().filter(|letter| *letter != b'$') {
        let value = u32::from(letter.to_ascii_uppercase().checked_sub(b'A')?) + 1;
        column = column.checked_mul(26)?.checked_add(value)?;
    }
    Some((digits.parse::<u32>().ok()?.checked_sub(1)?, column.checked_sub(1)?))
}

#[cfg(test)]
mod tests {
    use super::place;

    #[test]
    fn references_are_places() {
        let check =
            |reference: &str, expect: Option<(u32, u32)>| assert_eq!(place(reference), expect, "{reference}");
        check("A1", Some((0, 0)));
        check("AB12", Some((11, 27)));
        check("XFD1048576", Some((1_048_575, 16_383)));
        check("A0", None);
        check("12", None);
        check("ZZZZZZZZZ1", None);
    }
}
