//! Texts to units: paragraphs and what they fall into, sentences, words. Nothing of the text but white space lies
//! between units.

use super::structure::{exceeds, trimmed};
use crate::sentence::{cut_before, sentence_ends, width};
use std::ops::Range;

/// Where a recursive cut parts a text, coarsest first.
#[derive(Clone, Copy)]
enum Level {
    Paragraphs,
    Lines,
    Sentences,
    Words,
}

impl Level {
    fn finer(self) -> Option<Self> {
        match self {
            Self::Paragraphs => Some(Self::Lines),
            Self::Lines => Some(Self::Sentences),
            Self::Sentences => Some(Self::Words),
            Self::Words => None,
        }
    }
}

/// Pieces no wider than `size`: neighbouring paragraphs as they fit, and of a paragraph that does not, neighbouring
/// lines, sentences, words.
pub(super) fn recursive(text: &str, size: usize) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    if let Some(all) = trimmed(text, 0..text.len()) {
        descend(text, all, Level::Paragraphs, size, &mut pieces);
    }
    pieces
}

fn descend(text: &str, span: Range<usize>, level: Level, size: usize, pieces: &mut Vec<Range<usize>>) {
    if !exceeds(text, &span, size) {
        pieces.push(span);
        return;
    }
    // What is open, and how wide it is; what lies between two parts counts little.
    let mut open: Option<(Range<usize>, usize)> = None;
    for part in parts(text, span, level) {
        let wide = width(text.get(part.clone()).unwrap_or_default());
        match &mut open {
            Some((piece, so_far)) if *so_far + wide < size => {
                piece.end = part.end;
                *so_far += wide + 1;
                continue;
            }
            _ => pieces.extend(open.take().map(|(piece, _)| piece)),
        }
        match level.finer() {
            Some(finer) if wide > size => descend(text, part, finer, size, pieces),
            None if wide > size => pieces.extend(edges(text, part, size)),
            _ => open = Some((part, wide)),
        }
    }
    pieces.extend(open.map(|(piece, _)| piece));
}

fn parts(text: &str, span: Range<usize>, level: Level) -> Vec<Range<usize>> {
    let words = text.get(span.clone()).unwrap_or_default();
    let ends: Vec<usize> = match level {
        Level::Paragraphs => paragraph_ends(words),
        Level::Lines => words.match_indices('\n').map(|(at, _)| at + 1).collect(),
        Level::Sentences => sentence_ends(words),
        Level::Words => word_ends(words),
    };
    between(text, span, ends)
}

/// The spans between the byte offsets `ends` (from the span's start), without the space around them.
fn between(text: &str, span: Range<usize>, ends: Vec<usize>) -> Vec<Range<usize>> {
    let mut from = span.start;
    let last = span.end - span.start;
    let spans = ends.into_iter().chain([last]).filter_map(|end| {
        let part = from..span.start + end;
        from = part.end;
        trimmed(text, part)
    });
    spans.collect()
}

fn paragraph_ends(text: &str) -> Vec<usize> {
    let mut ends = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        at += line.len();
        if line.trim().is_empty() {
            ends.push(at);
        }
    }
    ends
}

fn word_ends(text: &str) -> Vec<usize> {
    text.char_indices().filter(|(_, c)| c.is_whitespace()).map(|(at, c)| at + c.len_utf8()).collect()
}

/// A span without white space, cut where it is too wide.
fn edges(text: &str, span: Range<usize>, size: usize) -> Vec<Range<usize>> {
    let mut pieces = Vec::new();
    let mut rest = span;
    while exceeds(text, &rest, size) {
        let Some(words) = text.get(rest.clone()) else { break };
        let cut = rest.start + cut_before(words, size);
        pieces.push(rest.start..cut);
        rest.start = cut;
    }
    pieces.push(rest);
    pieces
}

/// The words of a text, none wider than `size`.
pub(super) fn words(text: &str, size: usize) -> Vec<Range<usize>> {
    let words = between(text, 0..text.len(), word_ends(text));
    words.into_iter().flat_map(|word| edges(text, word, size)).collect()
}

/// The sentences of a text, across paragraphs, none wider than `size`. A line that ends no sentence but its
/// paragraph does so, too.
pub(super) fn sentences(text: &str, size: usize) -> Vec<Range<usize>> {
    let paragraphs = between(text, 0..text.len(), paragraph_ends(text));
    let sentences = paragraphs.into_iter().flat_map(|paragraph| parts(text, paragraph, Level::Sentences));
    let mut found = Vec::new();
    for sentence in sentences {
        if exceeds(text, &sentence, size) {
            descend(text, sentence, Level::Lines, size, &mut found);
        } else {
            found.push(sentence);
        }
    }
    found
}
