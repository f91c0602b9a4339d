//! PDF: the text of its pages in reading order, headings by their size, tables by their columns.
//!
//! The file's structure is read by `hayro-syntax` and its character maps by `hayro-cmap`; what the text is, and in
//! which order it is read, is found out here. Nothing is drawn, and no script of a document is looked at.

mod content;
mod font;
mod glyphs;
mod layout;
mod prose;
mod structure;

use crate::markdown::Writer;
use crate::properties::Properties;
use crate::{Layout, Limits, Parsed, Unfit};
use font::Fonts;
use hayro_syntax::metadata::Metadata;
use hayro_syntax::object::DateTime;
use hayro_syntax::{DecryptionError, LoadPdfError, Pdf};
use std::sync::Arc;

/// Pages of the longest document taken.
const MOST_PAGES: usize = 20_000;

/// The document in `bytes`.
pub(crate) fn parse(bytes: &[u8], limits: &Limits) -> Result<Parsed, Unfit> {
    let pdf = match Pdf::new(Arc::new(bytes.to_vec())) {
        Ok(pdf) => pdf,
        Err(LoadPdfError::Decryption(DecryptionError::PasswordProtected)) => return Err(Unfit::Encrypted),
        Err(LoadPdfError::Decryption(_)) => return Err(Unfit::invalid("PDF", "its encryption is not known")),
        Err(LoadPdfError::Invalid) => return Err(Unfit::invalid("PDF", "it is damaged or breaks off")),
    };
    let count = pdf.pages().len();
    if count == 0 {
        return Err(Unfit::invalid("PDF", "it has no pages"));
    }
    if count > MOST_PAGES {
        return Err(Unfit::invalid("PDF", format_args!("it has {count} pages")));
    }
    let mut fonts = Fonts::default();
    let mut left = limits.text_bytes;
    let mut tally = Tally::default();
    let mut pages = Vec::with_capacity(count);
    for page in pdf.pages().iter() {
        let shown = content::read(page, &mut fonts, left);
        let said: usize = shown.pieces.iter().map(|piece| piece.text.len()).sum();
        left = left.saturating_sub(said);
        if left == 0 {
            return Err(Unfit::too_large("its text", limits.text_bytes as u64));
        }
        tally.add(&shown);
        pages.push(shown.pieces);
    }
    if tally.known == 0 {
        return Err(match (tally.unknown, tally.pictures) {
            (0, 0) => Unfit::NoText,
            (0, _) => Unfit::Scan { pages: count },
            _ => Unfit::invalid("PDF", "its fonts do not say what their signs stand for"),
        });
    }
    let mut writer = Writer::new(limits);
    let mut notes = tally.notes(count);
    // What the document says of itself goes before what it looks like; the rest of each page comes behind.
    let mut blocks =
        structure::take(&pdf, &mut pages).unwrap_or_else(|| pages.iter().map(|_| Vec::new()).collect());
    for (blocks, rest) in blocks.iter_mut().zip(pages) {
        blocks.extend(layout::arrange(rest));
    }
    notes.extend(prose::write(blocks, &mut writer));
    let (text, pages) = writer.finish()?;
    let Properties { title, metadata } = properties(pdf.metadata());
    Ok(Parsed { text, layout: Layout::Markdown, title, pages, metadata, notes })
}

/// What was seen over all pages.
#[derive(Default)]
struct Tally {
    known: usize,
    unknown: usize,
    invisible: usize,
    pictures: usize,
    pictures_only: usize,
}

impl Tally {
    fn add(&mut self, shown: &content::Shown) {
        let letters = |text: &str| text.chars().filter(|c| !c.is_whitespace()).count();
        let known: usize = shown.pieces.iter().map(|piece| letters(&piece.text)).sum();
        self.known += known;
        self.unknown += shown.pieces.iter().map(|piece| piece.unknown).sum::<usize>();
        let unseen = shown.pieces.iter().filter(|piece| piece.is_invisible);
        self.invisible += unseen.map(|piece| letters(&piece.text)).sum::<usize>();
        self.pictures += shown.pictures;
        self.pictures_only += usize::from(known == 0 && shown.pictures > 0);
    }

    fn notes(&self, pages: usize) -> Vec<String> {
        let mut notes = Vec::new();
        if self.pictures_only > 0 {
            notes.push(format!("{} of {pages} pages are pictures without text", self.pictures_only));
        }
        if self.unknown > 0 {
            notes.push(format!(
                "{} signs of its fonts stand for nothing known and were left out",
                self.unknown
            ));
        }
        if self.invisible * 2 > self.known {
            notes.push("most of its text is that of an OCR program behind pictures".to_owned());
        }
        notes
    }
}

fn properties(info: &Metadata) -> Properties {
    let mut properties = Properties::default();
    let texts = [
        ("title", &info.title),
        ("author", &info.author),
        ("subject", &info.subject),
        ("keywords", &info.keywords),
    ];
    for (name, value) in texts {
        if let Some(value) = value {
            properties.set(name, &text_string(value));
        }
    }
    for (name, value) in [("created", &info.creation_date), ("modified", &info.modification_date)] {
        if let Some(date) = value {
            properties.set(name, &date_text(date));
        }
    }
    properties
}

fn date_text(date: &DateTime) -> String {
    let DateTime { year, month, day, hour, minute, second, utc_offset_hour, utc_offset_minute, .. } = date;
    format!(
        "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{utc_offset_hour:+03}:{utc_offset_minute:02}"
    )
}

/// A text of the document, not of a page: UTF-16 or UTF-8 with a mark, or nearly Latin 1.
fn text_string(bytes: &[u8]) -> String {
    let text = match bytes {
        [0xFE, 0xFF, rest @ ..] => encoding_rs::UTF_16BE.decode_without_bom_handling(rest).0,
        [0xFF, 0xFE, rest @ ..] => encoding_rs::UTF_16LE.decode_without_bom_handling(rest).0,
        [0xEF, 0xBB, 0xBF, rest @ ..] => String::from_utf8_lossy(rest),
        bytes => match std::str::from_utf8(bytes) {
            Ok(text) => text.into(),
            Err(_) => encoding_rs::WINDOWS_1252.decode_without_bom_handling(bytes).0,
        },
    };
    text.chars().filter(|c| *c != '\0').collect()
}
