//! Word documents: paragraphs, headings, lists, tables, footnotes, in reading order.

use crate::markdown::Writer;
use crate::package::Package;
use crate::properties::{self, Properties};
use crate::xml::{Events, Node, Tag};
use crate::{Layout, Limits, Parsed, Unfit};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The document whose main part is `main`.
pub(crate) fn parse(package: &mut Package<'_>, main: &str, limits: &Limits) -> Result<Parsed, Unfit> {
    let relations = package.relations(main)?;
    let folder = main.rsplit_once('/').map_or("", |(folder, _)| folder);
    let part =
        |kind: &str| relations.first(kind).map_or_else(|| format!("{folder}/{kind}.xml"), str::to_owned);
    let (styles, numbering) = (part("styles"), part("numbering"));
    let (footnotes, endnotes) = (part("footnotes"), part("endnotes"));
    let format = package.format();
    let mut shape = Shape::default();
    if let Some(xml) = package.find(&styles)? {
        shape.styles = read_styles(&xml, format)?;
    }
    if let Some(xml) = package.find(&numbering)? {
        shape.lists = read_lists(&xml, format)?;
    }
    let body = package.part(main)?;
    let mut story = Story::new(&shape, Writer::new(limits));
    story.read(&body, format)?;
    if !story.is_document {
        return Err(Unfit::invalid(format, "its main part is no document"));
    }
    let (mut writer, referred, hidden) = (story.writer, story.notes, story.hidden);
    for (kind, part) in [("", footnotes), ("e", endnotes)] {
        let Some(xml) = package.find(&part)? else { continue };
        let notes = read_notes(&xml, format)?;
        for id in referred.iter().filter_map(|note| note.strip_prefix(kind)) {
            if let Some(text) = notes.get(id).filter(|_| !(kind.is_empty() && id.starts_with('e'))) {
                writer.paragraph(&format!("[^{kind}{id}]: {text}"));
            }
        }
    }
    let (text, pages) = writer.finish()?;
    let Properties { title, metadata } = properties::of_package(package)?;
    let notes = if hidden { vec!["hidden text was left out".to_owned()] } else { Vec::new() };
    Ok(Parsed { text, layout: Layout::Markdown, title, pages, metadata, notes })
}

/// What styles and numbers mean in this document.
#[derive(Default)]
struct Shape {
    styles: HashMap<String, Style>,
    lists: Lists,
}

/// What a style makes of a paragraph.
#[derive(Clone, Debug, Default)]
struct Style {
    /// Its level as a heading, from 1.
    heading: Option<usize>,
    /// The list it belongs to, and how deep.
    list: Option<(String, usize)>,
    is_code: bool,
}

/// The document's lists: many of them may count on where others with the same pattern have stopped.
#[derive(Debug, Default)]
struct Lists {
    /// Of each pattern and depth: whether it is numbered, and from where.
    levels: HashMap<(String, usize), (bool, usize)>,
    /// Of each list: its pattern, and where it begins anew at which depth.
    lists: HashMap<String, (String, Vec<(usize, usize)>)>,
}

/// What styles mean: by their outline level, their name, or the style they are based on.
fn read_styles(xml: &str, format: &'static str) -> Result<HashMap<String, Style>, Unfit> {
    let mut styles: HashMap<String, Style> = HashMap::new();
    let mut based: Vec<(String, String)> = Vec::new();
    let mut titles: Vec<String> = Vec::new();
    let mut id = String::new();
    let mut events = Events::new(xml, format);
    while let Some(node) = events.next()? {
        let Node::Open(tag) = node else { continue };
        let value = || tag.get("val").unwrap_or_default().into_owned();
        if tag.name() == "style" {
            id = tag.get("styleId").unwrap_or_default().into_owned();
        }
        let style = styles.entry(id.clone()).or_default();
        match tag.name() {
            "name" => {
                let name = value().to_lowercase();
                if name == "title" {
                    titles.push(id.clone());
                } else if let Some(level) = name.strip_prefix("heading ") {
                    style.heading = level.trim().parse().ok();
                }
                style.is_code = name.contains("preformatted") || name.ends_with("code");
            }
            "basedOn" => based.push((id.clone(), value())),
            "outlineLvl" if style.heading.is_none() => {
                style.heading = tag.number("val").filter(|level| *level < 9).map(|level| level + 1);
            }
            "numId" => style.list.get_or_insert_default().0 = value(),
            "ilvl" => style.list.get_or_insert_default().1 = tag.number("val").unwrap_or(0).min(8),
            _ => {}
        }
    }
    // Styles are usually defined after what they are based on; a few rounds reach the others.
    for _ in 0..4 {
        for (style, base) in &based {
            let Some(Style { heading, list, is_code }) = styles.get(base).cloned() else { continue };
            let style = styles.entry(style.clone()).or_default();
            style.heading = style.heading.or(heading);
            style.list = style.list.take().or(list);
            style.is_code |= is_code;
        }
    }
    // What is based on the title, such as the author below it, is none.
    for title in titles {
        styles.entry(title).or_default().heading = Some(1);
    }
    Ok(styles)
}

fn read_lists(xml: &str, format: &'static str) -> Result<Lists, Unfit> {
    let mut lists = Lists::default();
    let (mut pattern, mut level, mut list) = (String::new(), 0, None);
    let mut events = Events::new(xml, format);
    while let Some(node) = events.next()? {
        let Node::Open(tag) = node else { continue };
        let value = || tag.get("val").unwrap_or_default().into_owned();
        match tag.name() {
            "abstractNum" => {
                pattern = tag.get("abstractNumId").unwrap_or_default().into_owned();
                list = None;
            }
            "num" => list = tag.get("numId").map(std::borrow::Cow::into_owned),
            "lvl" | "lvlOverride" => level = tag.number("ilvl").unwrap_or(0).min(8),
            "start" if list.is_none() => {
                lists.levels.entry((pattern.clone(), level)).or_insert((true, 1)).1 =
                    tag.number("val").unwrap_or(1);
            }
            "numFmt" if list.is_none() => {
                let is_numbered = !matches!(value().as_str(), "bullet" | "none");
                lists.levels.entry((pattern.clone(), level)).or_insert((true, 1)).0 = is_numbered;
            }
            "abstractNumId" => {
                if let Some(list) = &list {
                    lists.lists.entry(list.clone()).or_default().0 = value();
                }
            }
            "startOverride" => {
                if let Some(list) = &list {
                    let start = tag.number("val").unwrap_or(1);
                    lists.lists.entry(list.clone()).or_default().1.push((level, start));
                }
            }
            _ => {}
        }
    }
    Ok(lists)
}

/// The notes of a part, by id.
fn read_notes(xml: &str, format: &'static str) -> Result<BTreeMap<String, String>, Unfit> {
    let mut notes = BTreeMap::new();
    let (mut id, mut text) = (None, String::new());
    let mut events = Events::new(xml, format);
    while let Some(node) = events.next()? {
        match node {
            Node::Open(tag) => match tag.name() {
                "footnote" | "endnote" => {
                    // Separators are notes of a type.
                    let is_real = tag.get("type").is_none_or(|kind| kind == "normal");
                    id = tag.get("id").filter(|_| is_real).map(std::borrow::Cow::into_owned);
                    text.clear();
                }
                "t" => text.push_str(&events.text()?),
                "p" if !text.is_empty() => text.push(' '),
                "tab" | "br" => text.push(' '),
                _ => {}
            },
            Node::Close(tag) if matches!(tag.name(), "footnote" | "endnote") => {
                if let Some(id) = id.take() {
                    notes.insert(id, crate::markdown::one_line(&text));
                }
            }
            _ => {}
        }
    }
    Ok(notes)
}

/// A paragraph as it is read.
#[derive(Default)]
struct Paragraph {
    text: String,
    style: String,
    outline: Option<usize>,
    /// The list that the paragraph says it belongs to; `0` for none.
    list: Option<String>,
    depth: Option<usize>,
}

/// A table as it is read; what is in its cells is one text each.
#[derive(Default)]
struct Table {
    rows: Vec<Vec<String>>,
    row: Vec<String>,
    cell: String,
    span: usize,
    continues: bool,
}

/// Reads the body of a document.
struct Story<'a> {
    shape: &'a Shape,
    writer: Writer,
    /// Paragraphs begun: a text box stands within the paragraph it hangs on.
    open: Vec<Paragraph>,
    tables: Vec<Table>,
    /// How far each pattern has counted at each depth, and the lists that have begun.
    counters: HashMap<(String, usize), usize>,
    begun: HashSet<String>,
    /// Notes referred to, in order; those at the end of the document with an `e`.
    notes: Vec<String>,
    is_hidden: bool,
    hidden: bool,
    is_document: bool,
}

impl<'a> Story<'a> {
    fn new(shape: &'a Shape, writer: Writer) -> Self {
        Self {
            shape,
            writer,
            open: Vec::new(),
            tables: Vec::new(),
            counters: HashMap::new(),
            begun: HashSet::new(),
            notes: Vec::new(),
            is_hidden: false,
            hidden: false,
            is_document: false,
        }
    }

    fn read(&mut self, xml: &str, format: &'static str) -> Result<(), Unfit> {
        let mut events = Events::new(xml, format);
        while let Some(node) = events.next()? {
            match node {
                Node::Open(tag) => self.open(&tag, &mut events)?,
                Node::Close(tag) => self.close(tag.name()),
                Node::Text(_) => {}
            }
            if self.writer.is_full() {
                break;
            }
        }
        // A document that breaks off is taken as far as it goes by nobody: the zip's checksum has failed before.
        while !self.open.is_empty() {
            self.close("p");
        }
        while !self.tables.is_empty() {
            self.close("tbl");
        }
        Ok(())
    }

    fn open(&mut self, tag: &Tag<'_>, events: &mut Events<'_>) -> Result<(), Unfit> {
        match tag.name() {
            "document" => self.is_document = true,
            // What was deleted or moved away, codes of fields, the same again for older programs, drawings' names.
            "del" | "moveFrom" | "instrText" | "Fallback" | "delText" | "pPrChange" | "rPrChange"
            | "docPr" => {
                events.skip()?;
            }
            "p" if tag.prefix() != "a" => self.open.push(Paragraph::default()),
            "r" => self.is_hidden = false,
            "vanish" if tag.is_on() => self.is_hidden = true,
            "t" => {
                let text = events.text()?;
                self.say(&text);
            }
            "tab" if self.tables.is_empty() => self.say("\t"),
            "tab" | "ptab" => self.say(" "),
            "br" | "cr" => self.say("\n"),
            "noBreakHyphen" => self.say("-"),
            "footnoteReference" | "endnoteReference" => {
                let end = if tag.name() == "endnoteReference" { "e" } else { "" };
                if let Some(id) = tag.get("id") {
                    let id = format!("{end}{id}");
                    self.say(&format!("[^{id}]"));
                    self.notes.push(id);
                }
            }
            "tbl" => self.tables.push(Table::default()),
            name => self.property(name, tag),
        }
        Ok(())
    }

    fn property(&mut self, name: &str, tag: &Tag<'_>) {
        let value = || tag.get("val").unwrap_or_default().into_owned();
        if let Some(table) = self.tables.last_mut() {
            match name {
                "gridSpan" => table.span = tag.number("val").unwrap_or(1).clamp(1, 64),
                "vMerge" => table.continues = tag.get("val").is_none_or(|value| value == "continue"),
                _ => {}
            }
        }
        let Some(paragraph) = self.open.last_mut() else { return };
        match name {
            "pStyle" => paragraph.style = value(),
            "outlineLvl" => paragraph.outline = tag.number("val").filter(|level| *level < 9),
            "numId" => paragraph.list = Some(value()),
            "ilvl" => paragraph.depth = tag.number("val").map(|depth| depth.min(8)),
            _ => {}
        }
    }

    /// Adds text to the paragraph at hand.
    fn say(&mut self, text: &str) {
        if self.is_hidden {
            self.hidden |= !text.trim().is_empty();
        } else if let Some(paragraph) = self.open.last_mut() {
            paragraph.text.push_str(text);
        }
    }

    fn close(&mut self, name: &str) {
        match name {
            "p" => {
                if let Some(paragraph) = self.open.pop() {
                    self.put(paragraph);
                }
            }
            "r" => self.is_hidden = false,
            "tc" => {
                if let Some(table) = self.tables.last_mut() {
                    let cell = std::mem::take(&mut table.cell);
                    let span = std::mem::take(&mut table.span).max(1);
                    let continues = std::mem::take(&mut table.continues);
                    table.row.push(if continues { String::new() } else { cell });
                    table.row.resize(table.row.len() + span - 1, String::new());
                }
            }
            "tr" => {
                if let Some(table) = self.tables.last_mut() {
                    let row = std::mem::take(&mut table.row);
                    table.rows.push(row);
                }
            }
            "tbl" => {
                let Some(table) = self.tables.pop() else { return };
                match self.tables.last_mut() {
                    // A table within a cell is read row by row.
                    Some(outer) => {
                        for row in &table.rows {
                            add(&mut outer.cell, &row.join(", "));
                        }
                    }
                    None => self.writer.table(&table.rows),
                }
            }
            _ => {}
        }
    }

    /// Writes a paragraph that is complete.
    fn put(&mut self, paragraph: Paragraph) {
        let Paragraph { text, style, outline, list, depth } = paragraph;
        if let Some(table) = self.tables.last_mut() {
            return add(&mut table.cell, &text);
        }
        if text.trim().is_empty() {
            return;
        }
        let style = self.shape.styles.get(&style).cloned().unwrap_or_default();
        let level = outline.map(|level| level + 1).or(style.heading);
        if let Some(level) = level {
            return self.writer.heading(level, &text);
        }
        if style.is_code {
            return self.writer.code("", &text);
        }
        let own = style.list.unwrap_or_default();
        let list = list.unwrap_or(own.0);
        if list.is_empty() || list == "0" {
            return self.writer.paragraph(&text);
        }
        let depth = depth.unwrap_or(own.1);
        let mark = self.mark(list, depth);
        self.writer.item(depth, &mark, &text);
    }

    /// The mark of the next item of a list.
    fn mark(&mut self, list: String, depth: usize) -> String {
        let (pattern, anew) = self.shape.lists.lists.get(&list).cloned().unwrap_or_default();
        let key = (pattern, depth);
        let (is_numbered, start) = self.shape.lists.levels.get(&key).copied().unwrap_or((false, 1));
        if self.begun.insert(list) {
            for (level, start) in anew {
                self.counters.insert((key.0.clone(), level), start);
            }
        }
        // A deeper level begins anew below the next item.
        self.counters.retain(|(pattern, below), _| *pattern != key.0 || *below <= depth);
        if !is_numbered {
            return "-".to_owned();
        }
        let next = self.counters.entry(key).or_insert(start);
        let mark = format!("{next}.");
        *next = next.saturating_add(1);
        mark
    }
}

/// Adds a paragraph to a cell.
fn add(cell: &mut String, text: &str) {
    if !cell.is_empty() && !text.trim().is_empty() {
        cell.push('\n');
    }
    cell.push_str(text);
}
