//! Documents to chunks: one for a short section, pieces of a long one that overlap by a sentence.
//!
//! Invariant: a chunk is a span of the extracted text, on character boundaries, with something in it.

use crate::block::{Block, Kind, blocks, lines};
use crate::load::Layout;
use crate::sentence::{sentence_ends, width};
use hanok_store::documents::NewChunk;
use std::ops::Range;

/// How wide a section may be (a Korean character counts twice) and still be one chunk.
pub(crate) const WHOLE: usize = 3000;
/// How wide the pieces of a wider one are made.
pub(crate) const TARGET: usize = 1200;
/// How wide code and tables may be and still be kept whole.
const UNBROKEN: usize = 4000;
/// How wide the sentence at the end of a piece may be to be repeated at the head of the next.
const OVERLAP: usize = 300;

/// A document cut into chunks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Cut {
    /// The title the text itself gives: in its front matter, or its first heading.
    pub(crate) title: Option<String>,
    pub(crate) chunks: Vec<NewChunk>,
}

/// Cuts a text.
pub(crate) fn cut(text: &str, layout: Layout) -> Cut {
    let blocks = blocks(text, layout);
    let mut title = None;
    let mut first_heading: Option<(u8, String)> = None;
    let mut path: Vec<(u8, String)> = Vec::new();
    let mut chunks = Vec::new();
    let mut section: Vec<Block> = Vec::new();
    // A heading that nothing has followed yet.
    let mut bare: Option<Range<usize>> = None;
    for block in blocks {
        match &block.kind {
            Kind::FrontMatter(found) => title.clone_from(found),
            Kind::Heading(level, words) => {
                pack(text, &path, &mut section, &mut chunks);
                if let Some(heading) = bare.take()
                    && path.last().is_some_and(|(above, _)| above >= level)
                {
                    chunks.push(NewChunk { heading: joined(&path), start: heading.start, end: heading.end });
                }
                path.retain(|(above, _)| above < level);
                path.push((*level, words.clone()));
                if first_heading.as_ref().is_none_or(|(best, _)| level < best) {
                    first_heading = Some((*level, words.clone()));
                }
                bare = Some(block.span);
            }
            Kind::Code | Kind::Table | Kind::Text => {
                bare = None;
                section.push(block);
            }
        }
    }
    pack(text, &path, &mut section, &mut chunks);
    if let Some(heading) = bare {
        chunks.push(NewChunk { heading: joined(&path), start: heading.start, end: heading.end });
    }
    let title = title.or_else(|| first_heading.map(|(_, words)| words)).filter(|title| !title.is_empty());
    Cut { title, chunks }
}

fn joined(path: &[(u8, String)]) -> String {
    let words: Vec<&str> =
        path.iter().map(|(_, words)| words.as_str()).filter(|words| !words.is_empty()).collect();
    words.join(" > ")
}

/// Makes chunks of one section.
fn pack(text: &str, path: &[(u8, String)], section: &mut Vec<Block>, chunks: &mut Vec<NewChunk>) {
    let blocks = std::mem::take(section);
    let (Some(first), Some(last)) = (blocks.first(), blocks.last()) else {
        return;
    };
    let heading = joined(path);
    let whole = first.span.start..last.span.end;
    if wide(text, &whole) <= WHOLE {
        chunks.push(NewChunk { heading, start: whole.start, end: whole.end });
        return;
    }
    let pieces: Vec<Range<usize>> = blocks.iter().flat_map(|block| pieces(text, block)).collect();
    let mut open: Option<Range<usize>> = None;
    let begun = chunks.len();
    for piece in pieces {
        match &mut open {
            Some(chunk) if wide(text, &(chunk.start..piece.end)) <= TARGET => chunk.end = piece.end,
            Some(chunk) => {
                let start = overlap(text, chunk).unwrap_or(piece.start);
                chunks.push(NewChunk { heading: heading.clone(), start: chunk.start, end: chunk.end });
                *chunk = start..piece.end;
            }
            None => open = Some(piece),
        }
    }
    let Some(rest) = open else { return };
    match chunks.get_mut(begun..).and_then(<[NewChunk]>::last_mut) {
        // A scrap at the end belongs to the piece before.
        Some(before) if wide(text, &rest) < TARGET / 4 => before.end = rest.end,
        _ => chunks.push(NewChunk { heading, start: rest.start, end: rest.end }),
    }
}

fn wide(text: &str, span: &Range<usize>) -> usize {
    width(text.get(span.clone()).unwrap_or_default())
}

/// Whether a span is wider than `limit`, looking no further than that.
fn exceeds(text: &str, span: &Range<usize>, limit: usize) -> bool {
    let words = text.get(span.clone()).unwrap_or_default();
    // A character is at least as wide as a quarter of its bytes.
    words.len() > limit * 4 || width(words) > limit
}

/// What of a block may not be parted further.
fn pieces(text: &str, block: &Block) -> Vec<Range<usize>> {
    let Some(words) = text.get(block.span.clone()) else {
        return Vec::new();
    };
    let keeps = match block.kind {
        Kind::Code | Kind::Table => !exceeds(text, &block.span, UNBROKEN),
        _ => !exceeds(text, &block.span, TARGET),
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
        if !exceeds(text, &(start..end), TARGET) {
            found.push(start..end);
            continue;
        }
        for line in lines(text.get(start..end).unwrap_or_default(), start) {
            let mut rest = line.start..line.end();
            while exceeds(text, &rest, TARGET) {
                let Some(words) = text.get(rest.clone()) else {
                    break;
                };
                let cut = crate::sentence::cut_before(words, TARGET);
                found.push(rest.start..rest.start + cut);
                rest.start += cut;
            }
            found.push(rest);
        }
    }
    found.into_iter().filter_map(|span| trimmed(text, span)).collect()
}

fn trimmed(text: &str, span: Range<usize>) -> Option<Range<usize>> {
    let words = text.get(span.clone())?;
    let start = span.start + (words.len() - words.trim_start().len());
    let end = start + words.trim().len();
    (start < end).then_some(start..end)
}

/// Where the last sentence of a chunk begins, if it is short enough to be said twice.
fn overlap(text: &str, chunk: &Range<usize>) -> Option<usize> {
    let words = text.get(chunk.clone())?;
    let ends = sentence_ends(words);
    let at = ends.into_iter().rev().find(|end| *end < words.trim_end().len())?;
    let last = trimmed(text, chunk.start + at..chunk.end)?;
    (wide(text, &last) <= OVERLAP && last.start > chunk.start).then_some(last.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headings_and_texts(text: &str) -> Vec<(String, &str)> {
        cut(text, Layout::Markdown)
            .chunks
            .into_iter()
            .map(|chunk| (chunk.heading, &text[chunk.start..chunk.end]))
            .collect()
    }

    #[test]
    fn sections_become_chunks() {
        let text = "---\ntitle: Guide\n---\nIntro.\n\n# One\n\nFirst.\n\n## Deep\nSecond.\n\n# Two\n# Three\nThird.\n## Last";
        let expect = [
            ("", "Intro."),
            ("One", "First."),
            ("One > Deep", "Second."),
            ("Two", "# Two"),
            ("Three", "Third."),
            ("Three > Last", "## Last"),
        ];
        let got = headings_and_texts(text);
        let got: Vec<(&str, &str)> = got.iter().map(|(heading, text)| (heading.as_str(), *text)).collect();
        assert_eq!(got, expect);
        assert_eq!(cut(text, Layout::Markdown).title.as_deref(), Some("Guide"));
        assert_eq!(cut("# A\n\nx", Layout::Markdown).title.as_deref(), Some("A"));
        assert_eq!(cut("x", Layout::Plain).title, None);
        assert_eq!(cut(" \n\n", Layout::Plain).chunks, []);
    }

    #[test]
    fn a_long_section_is_cut_with_overlap() {
        for sentence in [
            "This is a sentence of some length that says nothing. ",
            "이 문장은 아무것도 말하지 않는 문장입니다. ",
        ] {
            let text = sentence.repeat(200);
            let chunks = cut(&text, Layout::Plain).chunks;
            assert!(chunks.len() > 3);
            for pair in chunks.windows(2) {
                assert!(pair[0].start < pair[1].start && pair[0].end < pair[1].end, "{pair:?}");
                assert_eq!(&text[pair[1].start..pair[0].end], sentence.trim(), "one sentence is said twice");
            }
            assert_eq!(chunks[0].start, 0);
            assert_eq!(chunks.last().unwrap().end, text.trim_end().len());
        }
    }

    /// Takes seconds where the cost grows with the square of a line's length.
    #[test]
    fn a_very_long_line_is_cut_in_one_pass() {
        let text = "word forklift ".repeat(200_000);
        assert!(cut(&text, Layout::Plain).chunks.len() > 2000);
    }

    #[test]
    fn every_word_is_in_a_chunk_whatever_the_text() {
        let long_line = "x".repeat(20_000);
        let no_spaces = "가나다라마바사".repeat(2000);
        let code = format!("a\n\n```\n{}```\nb", "let x = 1;\n".repeat(1000));
        let table = "| a | b |\n".repeat(800);
        let list = "- an item of the list\n".repeat(500);
        for text in [&long_line, &no_spaces, &code, &table, &list] {
            for layout in [Layout::Markdown, Layout::Plain] {
                let chunks = cut(text, layout).chunks;
                let mut reached = 0;
                for chunk in &chunks {
                    assert!(chunk.start < chunk.end && text.get(chunk.start..chunk.end).is_some());
                    assert!(width(&text[chunk.start..chunk.end]) <= UNBROKEN.max(WHOLE));
                    assert!(text.get(reached..chunk.start).is_none_or(|gap| gap.trim().is_empty()));
                    reached = chunk.end;
                }
                assert!(text[reached..].trim().is_empty());
            }
        }
    }
}
