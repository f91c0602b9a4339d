//! Presentations: a slide a page, its title a heading, its notes below.

use crate::markdown::Writer;
use crate::package::Package;
use crate::properties::{self, Properties};
use crate::xml::{Events, Node, Tag};
use crate::{Layout, Limits, Parsed, Unfit};

/// Slides of the longest presentation taken.
const MOST_SLIDES: usize = 5_000;

/// The presentation whose main part is `main`.
pub(crate) fn parse(package: &mut Package<'_>, main: &str, limits: &Limits) -> Result<Parsed, Unfit> {
    let format = package.format();
    let relations = package.relations(main)?;
    let presentation = package.part(main)?;
    let mut slides = Vec::new();
    let mut events = Events::new(&presentation, format);
    while let Some(node) = events.next()? {
        let Node::Open(tag) = node else { continue };
        if tag.name() != "sldId" {
            continue;
        }
        // A slide's id and its relation's are attributes of one local name.
        if let Some(part) = tag.relation().and_then(|id| relations.get(&id).map(str::to_owned)) {
            slides.push(part);
        }
    }
    if slides.len() > MOST_SLIDES {
        return Err(Unfit::invalid(format, format_args!("it has {} slides", slides.len())));
    }
    let mut writer = Writer::new(limits);
    let (mut missing, mut first_title) = (0_usize, None);
    for part in &slides {
        writer.page();
        let Some(xml) = package.find(part)? else {
            missing += 1;
            continue;
        };
        let slide = read_slide(&xml, format)?;
        first_title = first_title.or_else(|| slide.title());
        slide.write(&mut writer);
        let notes = package.relations(part)?.first("notesSlide").map(str::to_owned);
        if let Some(xml) = notes.map(|notes| package.find(&notes)).transpose()?.flatten() {
            for text in read_slide(&xml, format)?.notes() {
                writer.paragraph(&format!("Notes: {text}"));
            }
        }
        if writer.is_full() {
            break;
        }
    }
    let (text, pages) = writer.finish()?;
    let Properties { title, metadata } = properties::of_package(package)?;
    // Every presentation made from scratch has the program's name for a title.
    let title = title.filter(|title| !title.eq_ignore_ascii_case("PowerPoint Presentation")).or(first_title);
    let notes = if missing > 0 {
        vec![format!("{missing} of {} slides are missing", slides.len())]
    } else {
        Vec::new()
    };
    Ok(Parsed { text, layout: Layout::Markdown, title, pages, metadata, notes })
}

/// What is on a slide, in the order of its shapes.
#[derive(Default)]
struct Slide {
    shapes: Vec<Shape>,
}

#[derive(Default)]
struct Shape {
    /// What kind of placeholder it is: `title`, `body`; empty for none.
    kind: String,
    lines: Vec<Line>,
    rows: Vec<Vec<String>>,
}

struct Line {
    depth: usize,
    is_plain: bool,
    text: String,
}

impl Slide {
    fn title(&self) -> Option<String> {
        let title = self.shapes.iter().find(|shape| shape.is_title())?;
        Some(crate::markdown::one_line(&title.text())).filter(|title| !title.is_empty())
    }

    fn write(&self, writer: &mut Writer) {
        for shape in self.shapes.iter().filter(|shape| shape.is_title()) {
            writer.heading(2, &shape.text());
        }
        for shape in self.shapes.iter().filter(|shape| !shape.is_title() && !shape.is_furniture()) {
            let is_list = shape.lines.len() > 1 && matches!(shape.kind.as_str(), "body" | "obj" | "content");
            for line in &shape.lines {
                if line.depth > 0 || (is_list && !line.is_plain) {
                    writer.item(line.depth, "-", &line.text);
                } else {
                    writer.paragraph(&line.text);
                }
            }
            writer.table(&shape.rows);
        }
    }

    /// What the speaker notes; the other shapes of a page of notes repeat the slide.
    fn notes(&self) -> impl Iterator<Item = String> + '_ {
        let bodies = self.shapes.iter().filter(|shape| shape.kind == "body");
        bodies.map(Shape::text).filter(|text| !text.trim().is_empty())
    }
}

impl Shape {
    fn is_title(&self) -> bool {
        matches!(self.kind.as_str(), "title" | "ctrTitle")
    }

    /// Whether it stands on every slide alike.
    fn is_furniture(&self) -> bool {
        matches!(self.kind.as_str(), "sldNum" | "dt" | "ftr" | "hdr" | "sldImg")
    }

    fn text(&self) -> String {
        let lines: Vec<&str> = self.lines.iter().map(|line| line.text.as_str()).collect();
        lines.join("\n")
    }
}

fn read_slide(xml: &str, format: &'static str) -> Result<Slide, Unfit> {
    let mut slide = Slide::default();
    let mut reading = Reading::default();
    let mut events = Events::new(xml, format);
    while let Some(node) = events.next()? {
        match node {
            Node::Open(tag) => match tag.name() {
                "Fallback" => events.skip()?,
                "t" => {
                    let text = events.text()?;
                    reading.text.push_str(&text);
                }
                _ => reading.open(&tag),
            },
            Node::Close(tag) => reading.close(tag.name(), &mut slide),
            Node::Text(_) => {}
        }
    }
    Ok(slide)
}

/// Where a reader of a slide is.
#[derive(Default)]
struct Reading {
    shape: Shape,
    text: String,
    depth: usize,
    is_plain: bool,
    row: Vec<String>,
    cell: Option<String>,
}

impl Reading {
    fn open(&mut self, tag: &Tag<'_>) {
        match tag.name() {
            "sp" | "graphicFrame" => self.shape = Shape::default(),
            // A placeholder without a kind is for the slide's content.
            "ph" => {
                self.shape.kind =
                    tag.get("type").map_or_else(|| "body".to_owned(), std::borrow::Cow::into_owned)
            }
            "p" if tag.prefix() != "p" => {
                self.text.clear();
                (self.depth, self.is_plain) = (0, false);
            }
            "pPr" => self.depth = tag.number("lvl").unwrap_or(0).min(8),
            "buNone" => self.is_plain = true,
            "br" => self.text.push('\n'),
            "tab" => self.text.push(' '),
            "tc" => self.cell = Some(String::new()),
            _ => {}
        }
    }

    fn close(&mut self, name: &str, slide: &mut Slide) {
        match name {
            "p" => {
                let text = std::mem::take(&mut self.text);
                match &mut self.cell {
                    Some(cell) => {
                        if !cell.is_empty() {
                            cell.push('\n');
                        }
                        cell.push_str(&text);
                    }
                    None if text.trim().is_empty() => {}
                    None => self.shape.lines.push(Line { depth: self.depth, is_plain: self.is_plain, text }),
                }
            }
            "tc" => self.row.extend(self.cell.take()),
            "tr" => {
                let row = std::mem::take(&mut self.row);
                self.shape.rows.push(row);
            }
            "sp" | "graphicFrame" => slide.shapes.push(std::mem::take(&mut self.shape)),
            _ => {}
        }
    }
}
