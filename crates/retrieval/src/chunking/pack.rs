//! Units to pieces: as many as fit, the last of them said again.

use super::structure::trimmed;
use crate::sentence::width;
use std::ops::Range;

/// A unit, and how wide the text is up to its start and its end.
struct Measured {
    span: Range<usize>,
    from: usize,
    to: usize,
}

fn measured(text: &str, units: &[Range<usize>]) -> Vec<Measured> {
    let (mut at, mut wide) = (0, 0);
    let mut up_to = |byte: usize| {
        wide += width(text.get(at..byte).unwrap_or_default());
        at = at.max(byte);
        wide
    };
    units
        .iter()
        .map(|span| {
            let from = up_to(span.start);
            Measured { span: span.clone(), from, to: up_to(span.end) }
        })
        .collect()
}

/// Pieces of neighbouring units, no wider than `size` where the units are not, each beginning with those at the
/// end of the one before that are no wider than `overlap` together. Units must be in order and apart.
pub(super) fn pack(text: &str, units: &[Range<usize>], size: usize, overlap: usize) -> Vec<Range<usize>> {
    let units = measured(text, units);
    let mut pieces: Vec<Range<usize>> = Vec::new();
    let mut open: &[Measured] = units.get(..0).unwrap_or_default();
    let mut first = 0;
    for (at, unit) in units.iter().enumerate() {
        let from = open.first().map_or(unit.from, |first| first.from);
        if !open.is_empty() && unit.to - from > size {
            pieces.extend(span_of(open));
            first = again(&units, open, at, unit, size, overlap);
        }
        open = units.get(first..=at).unwrap_or_default();
    }
    let Some(last) = span_of(open) else { return pieces };
    // A scrap at the end belongs to the piece before.
    let said = pieces.last().map_or(0, |before| before.end);
    match pieces.last_mut() {
        Some(before) if width(text.get(said..last.end).unwrap_or_default()) < size / 4 => {
            before.end = last.end;
        }
        _ => pieces.push(last),
    }
    pieces
}

/// The first unit of the piece after `open`, which is to end with the unit `at`.
fn again(
    units: &[Measured],
    open: &[Measured],
    at: usize,
    unit: &Measured,
    size: usize,
    overlap: usize,
) -> usize {
    let end = open.last().map_or(0, |last| last.to);
    // Not the whole piece again, and not so much that there is no place for what is new.
    let repeated = open.iter().skip(1).rev();
    let fits = |earlier: &&Measured| end - earlier.from <= overlap && unit.to - earlier.from <= size;
    let most = units.len();
    at - repeated.take_while(fits).count().min(most)
}

fn span_of(units: &[Measured]) -> Option<Range<usize>> {
    Some(units.first()?.span.start..units.last()?.span.end)
}

/// Pieces as they are, each with the words before it that are no wider than `overlap`.
pub(super) fn overlapping(text: &str, pieces: &[Range<usize>], overlap: usize) -> Vec<Range<usize>> {
    let mut before: Option<&Range<usize>> = None;
    pieces
        .iter()
        .map(|piece| {
            let start = before.and_then(|before| last_words(text, before, overlap)).unwrap_or(piece.start);
            before = Some(piece);
            start..piece.end
        })
        .collect()
}

/// Where the last words of a piece begin: not all of it.
fn last_words(text: &str, piece: &Range<usize>, most: usize) -> Option<usize> {
    let words = text.get(piece.clone())?;
    let mut wide = 0;
    let mut start = None;
    let mut after = None;
    for (at, c) in words.char_indices().rev() {
        wide += if c >= '\u{1100}' && !c.is_ascii() { 2 } else { 1 };
        if wide > most {
            break;
        }
        if c.is_whitespace() {
            start = after.or(start);
        }
        after = (!c.is_whitespace()).then_some(at);
    }
    let start = piece.start + start?;
    trimmed(text, start..piece.end).map(|span| span.start)
}
