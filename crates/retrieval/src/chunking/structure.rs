//! By structure: one piece for a short section, pieces of a long one that overlap by a sentence; code and tables
//! stay whole.

use super::{Compared, Cut, Headings, Layout, Measures, Piece};
use crate::block::{Block, Kind, blocks, lines};
use crate::sentence::{sentence_ends, width};
use std::ops::Range;

/// Cuts a text at its headings.
pub(super) fn cut(text: &str, layout: Layout, measures: Measures) -> Cut {
    let mut title = None;
    let mut headings = Headings::default();
    let mut pieces = Vec::new();
    let mut section: Vec<Block> = Vec::new();
    // A heading that nothing has followed yet.
    let mut bare: Option<(u8, Range<usize>)> = None;
    for block in blocks(text, layout) {
        match block.kind {
            Kind::FrontMatter(found) => title = found,
            Kind::Heading(level, words) => {
                pack(text, &headings, &mut section, measures, &mut pieces);
                if let Some((above, span)) = bare.take()
                    && above >= level
                {
                    pieces.push(piece(&headings.joined(), span));
                }
                headings.enter(level, words);
                bare = Some((level, block.span));
            }
            Kind::Code | Kind::Table | Kind::Text => {
                bare = None;
                section.push(block);
            }
        }
    }
    pack(text, &headings, &mut section, measures, &mut pieces);
    if let Some((_, span)) = bare {
        pieces.push(piece(&headings.joined(), span));
    }
    Cut {
        title: title.or(headings.title()).filter(|title| !title.is_empty()),
        pieces,
        compared: Compared::default(),
    }
}

fn piece(heading: &str, span: Range<usize>) -> Piece {
    Piece { heading: heading.to_owned(), start: span.start, end: span.end, parent: None }
}

/// Makes pieces of one section.
fn pack(
    text: &str,
    headings: &Headings,
    section: &mut Vec<Block>,
    measures: Measures,
    pieces: &mut Vec<Piece>,
) {
    let blocks = std::mem::take(section);
    let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else {
        return;
    };
    let heading = headings.joined();
    let whole = first.span.start..last.span.end;
    if !exceeds(text, &whole, measures.whole) {
        pieces.push(piece(&heading, whole));
        return;
    }
    let mut open: Option<Range<usize>> = None;
    let begun = pieces.len();
    for part in blocks.iter().flat_map(|block| parts(text, block, measures)) {
        match &mut open {
            Some(chunk) if wide(text, &(chunk.start..part.end)) <= measures.size => chunk.end = part.end,
            Some(chunk) => {
                let start = overlap(text, chunk, measures.overlap).unwrap_or(part.start);
                pieces.push(piece(&heading, chunk.clone()));
                *chunk = start..part.end;
            }
            None => open = Some(part),
        }
    }
    let Some(rest) = open else { return };
    match pieces.get_mut(begun..).and_then(<[Piece]>::last_mut) {
        // A scrap at the end belongs to the piece before.
        Some(before) if wide(text, &rest) < measures.size / 4 => before.end = rest.end,
        _ => pieces.push(piece(&heading, rest)),
    }
}

fn wide(text: &str, span: &Range<usize>) -> usize {
    width(text.get(span.clone()).unwrap_or_default())
}

/// Whether a span is wider than `limit`, looking no further than that.
pub(super) fn exceeds(text: &str, span: &Range<usize>, limit: usize) -> bool {
    let words = text.get(span.clone()).unwrap_or_default();
    // A character is at least as wide as a quarter of its bytes.
    words.len() > limit * 4 || width(words) > limit
}

/// What of a block may not be parted further.
fn parts(text: &str, block: &Block, measures: Measures) -> Vec<Range<usize>> {
    let Some(words) = text.get(block.span.clone()) else {
        return Vec::new();
    };
    let keeps = match block.kind {
        Kind::Code | Kind::Table => !exceeds(text, &block.span, measures.unbroken),
        _ => !exceeds(text, &block.span, measures.size),
    };
    if keeps {
        return vec![block.span.clone()];
    }
    let ends: Vec<usize> = match block.kind {
        Kind::Text => sentence_ends(words),
        _ => Vec::new(),
    };
    // Where there are no sentences (code, a table, a long list), lines; where there are no lines, characters.
    let mut found = Vec::new();
    let mut from = 0;
    for end in ends.into_iter().chain([words.len()]) {
        let (start, end) = (block.span.start + from, block.span.start + end);
        from = end - block.span.start;
        if !exceeds(text, &(start..end), measures.size) {
            found.push(start..end);
            continue;
        }
        for line in lines(text.get(start..end).unwrap_or_default(), start) {
            let mut rest = line.start..line.end();
            while exceeds(text, &rest, measures.size) {
                let Some(words) = text.get(rest.clone()) else {
                    break;
                };
                let cut = crate::sentence::cut_before(words, measures.size);
                found.push(rest.start..rest.start + cut);
                rest.start += cut;
            }
            found.push(rest);
        }
    }
    found.into_iter().filter_map(|span| trimmed(text, span)).collect()
}

pub(super) fn trimmed(text: &str, span: Range<usize>) -> Option<Range<usize>> {
    let words = text.get(span.clone())?;
    let start = span.start + (words.len() - words.trim_start().len());
    let end = start + words.trim().len();
    (start < end).then_some(start..end)
}

/// Where the last sentence of a chunk begins, if it is short enough to be said twice.
fn overlap(text: &str, chunk: &Range<usize>, most: usize) -> Option<usize> {
    let words = text.get(chunk.clone())?;
    let ends = sentence_ends(words);
    let at = ends.into_iter().rev().find(|end| *end < words.trim_end().len())?;
    let last = trimmed(text, chunk.start + at..chunk.end)?;
    (wide(text, &last) <= most && last.start > chunk.start).then_some(last.start)
}
