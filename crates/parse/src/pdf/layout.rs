//! Pieces of text on a page, put into reading order: lines, columns, tables.

use super::content::Piece;
use std::collections::{HashMap, HashSet};

/// Columns within columns at most.
const DEEPEST: usize = 8;
/// Rows on each side of a gap that make it one between columns.
const COLUMN_ROWS: usize = 3;
/// Letters of a line that is prose and no cell of a table; those of East Asia count twice.
const PROSE: usize = 24;

/// A part of a page.
#[derive(Debug)]
pub(super) enum Block {
    /// Lines one below the other.
    Lines(Vec<Line>),
    /// Rows of cells.
    Table(Vec<Vec<String>>),
    /// A heading that is said to be one, of a level from 1.
    Heading(usize, Vec<Line>),
    /// A paragraph that is said to be one.
    Paragraph(Vec<Line>),
    /// An item of a list that is said to be one, at a depth from 0.
    Item {
        /// How many lists it is in, less one.
        depth: usize,
        /// What stands before it.
        mark: String,
        /// Its lines.
        lines: Vec<Line>,
    },
}

impl Block {
    /// The lines that it is made of; a table is made of none.
    pub(super) fn lines(&self) -> &[Line] {
        match self {
            Self::Lines(lines)
            | Self::Heading(_, lines)
            | Self::Paragraph(lines)
            | Self::Item { lines, .. } => lines,
            Self::Table(_) => &[],
        }
    }
}

/// A line of text, or the part of it in one column.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) text: String,
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) end: f64,
    pub(super) size: f64,
    pub(super) is_bold: bool,
}

/// The blocks of a page in reading order. Text that is turned against the rest comes last.
pub(super) fn arrange(pieces: Vec<Piece>) -> Vec<Block> {
    let mut turned: HashMap<u8, Vec<Piece>> = HashMap::new();
    for piece in unprinted_twice(pieces) {
        turned.entry(piece.turns).or_default().push(piece);
    }
    let mut groups: Vec<(u8, Vec<Piece>)> = turned.into_iter().collect();
    let letters = |pieces: &[Piece]| pieces.iter().map(|piece| piece.text.len()).sum::<usize>();
    groups.sort_by_key(|(turns, pieces)| (std::cmp::Reverse(letters(pieces)), *turns));
    let mut blocks = Vec::new();
    for (_, pieces) in groups {
        order(runs(pieces), 0, &mut blocks);
    }
    blocks
}

/// The lines of text whose order is known.
pub(super) fn flow(pieces: Vec<Piece>) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    for run in runs(unprinted_twice(pieces)) {
        match lines.last_mut() {
            Some(last) if (run.y - last.y).abs() < 0.4 * run.size.min(last.size) && run.x >= last.x => {
                let gap = run.x - last.end;
                join(last, &run.text, gap);
                last.end = last.end.max(run.end);
                last.size = last.size.max(run.size);
                last.is_bold &= run.is_bold;
            }
            _ => lines.push(run),
        }
    }
    lines
}

/// Leaves out what is printed twice on one place to look bold or to throw a shadow.
fn unprinted_twice(pieces: Vec<Piece>) -> Vec<Piece> {
    let mut seen: HashSet<(i64, i64, String)> = HashSet::new();
    let kept = |piece: &Piece| {
        if piece.text.is_empty() {
            return false;
        }
        let grid = (piece.size * 0.15).max(0.1);
        #[expect(clippy::cast_possible_truncation, reason = "a place on a page; casts of floats saturate")]
        let place = |at: f64| (at / grid).round() as i64;
        let (x, y) = (place(piece.x), place(piece.y));
        piece.text.trim().is_empty() || seen.insert((x, y, piece.text.clone()))
    };
    pieces.into_iter().filter(kept).collect()
}

/// Puts pieces that follow each other on a baseline together.
fn runs(pieces: Vec<Piece>) -> Vec<Line> {
    let mut runs: Vec<Line> = Vec::new();
    for piece in pieces {
        if let Some(last) = runs.last_mut()
            && follows(last, &piece)
        {
            let gap = piece.x - last.end;
            join(last, &piece.text, gap);
            last.end = last.end.max(piece.end);
            if piece.size > last.size && !piece.text.trim().is_empty() {
                (last.size, last.y) = (piece.size, piece.y);
            }
            last.is_bold &= piece.is_bold || piece.text.trim().is_empty();
            continue;
        }
        let Piece { text, x, y, end, size, is_bold, .. } = piece;
        // What begins with nothing to see begins where the next piece is.
        if !text.trim().is_empty() {
            runs.push(Line { text, x, y, end, size, is_bold });
        }
    }
    for run in &mut runs {
        run.text = composed(&run.text);
    }
    runs
}

fn follows(last: &Line, piece: &Piece) -> bool {
    let (small, large) = (last.size.min(piece.size), last.size.max(piece.size).max(0.1));
    let drift = (piece.y - last.y).abs();
    // Marks of notes are small and stand high.
    let is_level = drift < 0.25 * small || (small < 0.85 * large && drift < 0.6 * large);
    let gap = piece.x - last.end;
    is_level && gap > -0.5 * large && gap < 0.9 * large && piece.x >= last.x
}

/// Appends text, with a space where there is one to be seen.
fn join(last: &mut Line, text: &str, gap: f64) {
    let (before, after) = (last.text.chars().next_back(), text.chars().next());
    let is_space = |c: Option<char>| c.is_some_and(char::is_whitespace);
    let is_wide = |c: Option<char>| c.is_some_and(|c| c >= '\u{1100}');
    // Between East Asian and other letters, programs leave a quarter of an em that is no space.
    let least = if is_wide(before) == is_wide(after) { 0.18 } else { 0.32 };
    if gap > least * last.size && !is_space(before) && !is_space(after) {
        last.text.push(' ');
    }
    last.text.push_str(text);
}

/// Text as it is usually written: ligatures' letters apart, letters and their marks together.
fn composed(text: &str) -> String {
    use unicode_normalization::UnicodeNormalization as _;
    let mut whole = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\u{FB00}' => whole.push_str("ff"),
            '\u{FB01}' => whole.push_str("fi"),
            '\u{FB02}' => whole.push_str("fl"),
            '\u{FB03}' => whole.push_str("ffi"),
            '\u{FB04}' => whole.push_str("ffl"),
            '\u{FB05}' | '\u{FB06}' => whole.push_str("st"),
            '\u{a0}' | '\t' | '\u{3}' => whole.push(' '),
            c if c.is_control() || matches!(c, '\u{200B}' | '\u{FEFF}') => {}
            // Radicals that fonts give out for the characters they are.
            '\u{2F00}'..='\u{2FD5}' => whole.extend(std::iter::once(c).nfkc()),
            c => whole.push(c),
        }
    }
    whole.nfc().collect()
}

/// Lines on one height, from left to right.
struct Row {
    y: f64,
    lines: Vec<Line>,
}

fn rows(mut lines: Vec<Line>) -> Vec<Row> {
    lines.sort_by(|a, b| a.y.total_cmp(&b.y));
    let mut rows: Vec<Row> = Vec::new();
    for line in lines {
        match rows.last_mut() {
            Some(row)
                if line.y - row.y
                    < 0.4 * line.size.min(row.lines.first().map_or(line.size, |first| first.size)) =>
            {
                row.lines.push(line);
            }
            _ => rows.push(Row { y: line.y, lines: vec![line] }),
        }
    }
    for row in &mut rows {
        row.lines.sort_by(|a, b| a.x.total_cmp(&b.x));
        let mut joined: Vec<Line> = Vec::with_capacity(row.lines.len());
        for line in std::mem::take(&mut row.lines) {
            match joined.last_mut() {
                Some(last)
                    if is_mark(last.text.trim()) && line.x - last.end < 4.0 * last.size.max(line.size) =>
                {
                    // A mark that is a letter is a bullet in a font of its own.
                    let mark = if last.text.trim() == "o" { "•" } else { last.text.trim() };
                    last.text = format!("{mark} {}", line.text.trim_start());
                    (last.end, last.size, last.is_bold) = (last.end.max(line.end), line.size, line.is_bold);
                }
                Some(last) if line.x - last.end < 0.9 * last.size.max(line.size) => {
                    let gap = line.x - last.end;
                    join(last, &line.text, gap);
                    last.end = last.end.max(line.end);
                    last.size = last.size.max(line.size);
                    last.is_bold &= line.is_bold;
                }
                _ => joined.push(line),
            }
        }
        row.lines = joined;
    }
    rows
}

/// Whether a text is the mark of an item: a bullet, `1.`, `(a)`.
pub(super) fn is_mark(text: &str) -> bool {
    let mut characters = text.chars();
    match (characters.next(), characters.next()) {
        (Some(one), None) => is_bullet(one),
        (Some(_), Some(_)) => {
            let inside = text.trim_start_matches('(');
            let inside = inside.strip_suffix(['.', ')']).unwrap_or("");
            let is_number = inside.len() <= 3 && inside.bytes().all(|byte| byte.is_ascii_digit());
            let is_letter = inside.len() == 1 && inside.bytes().all(|byte| byte.is_ascii_alphabetic());
            !inside.is_empty() && (is_number || is_letter)
        }
        _ => false,
    }
}

/// Whether a character is a bullet.
pub(super) fn is_bullet(c: char) -> bool {
    matches!(
        c,
        '•' | '◦'
            | '▪'
            | '▫'
            | '■'
            | '□'
            | '●'
            | '○'
            | '‣'
            | '⁃'
            | '∙'
            | '·'
            | '–'
            | '-'
            | '*'
            | 'o'
            | '\u{F0B7}'
            | '❖'
            | '➢'
            | '✓'
    )
}

/// Writes lines as blocks: columns one after the other, what is above and below them before and after.
fn order(lines: Vec<Line>, depth: usize, blocks: &mut Vec<Block>) {
    let rows = rows(lines);
    let split = if depth < DEEPEST { columns(&rows) } else { None };
    let Some(Split { first, last, x }) = split else { return plain(rows, blocks) };
    let (mut above, mut below, mut left, mut right) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (at, row) in rows.into_iter().enumerate() {
        if at < first {
            above.extend(row.lines);
        } else if at > last {
            below.extend(row.lines);
        } else {
            for line in row.lines {
                if line.x < x { left.push(line) } else { right.push(line) }
            }
        }
    }
    for part in [above, left, right, below] {
        if !part.is_empty() {
            order(part, depth + 1, blocks);
        }
    }
}

/// Rows from `first` to `last` that a gap at `x` parts.
struct Split {
    first: usize,
    last: usize,
    x: f64,
}

/// The gap that parts most rows of prose.
fn columns(rows: &[Row]) -> Option<Split> {
    let left = rows.iter().flat_map(|row| &row.lines).map(|line| line.x).min_by(f64::total_cmp)?;
    let right = rows.iter().flat_map(|row| &row.lines).map(|line| line.end).max_by(f64::total_cmp)?;
    let width = right - left;
    if rows.len() < COLUMN_ROWS || !(width.is_finite() && width > 0.0) {
        return None;
    }
    // Where lines begin behind a gap is where columns begin.
    let mut starts: Vec<f64> = rows.iter().flat_map(|row| &row.lines).map(|line| line.x - 0.5).collect();
    starts.retain(|x| *x > left + 0.15 * width && *x < left + 0.85 * width);
    starts.sort_by(f64::total_cmp);
    starts.dedup_by(|a, b| (*a - *b).abs() < 2.0);
    // What begins anywhere is no column; this also bounds the work.
    let candidates = starts.into_iter().take(200);
    let scored = candidates.filter_map(|x| streak(rows, x));
    scored.max_by_key(|(score, _)| *score).map(|(_, split)| split)
}

/// The longest streak of rows that nothing at `x` crosses, if it is one of columns, and how much it parts.
fn streak(rows: &[Row], x: f64) -> Option<(usize, Split)> {
    let crosses = |row: &Row| row.lines.iter().any(|line| line.x < x - 0.5 && line.end > x - 0.3 * line.size);
    let mut best: Option<(usize, Split)> = None;
    let mut at = 0;
    while at < rows.len() {
        let length = rows.get(at..)?.iter().take_while(|row| !crosses(row)).count();
        if length >= COLUMN_ROWS {
            if let Some((score, split)) = parted(rows.get(at..at + length)?, at, x)
                && best.as_ref().is_none_or(|(other, _)| score > *other)
            {
                best = Some((score, split));
            }
        }
        at += length.max(1);
    }
    best
}

/// Whether the rows of a streak are two columns of prose.
fn parted(rows: &[Row], offset: usize, x: f64) -> Option<(usize, Split)> {
    let has = |row: &Row, is_right: bool| row.lines.iter().any(|line| (line.x >= x) == is_right);
    let first = rows.iter().position(|row| has(row, true))?;
    // Above the column on the right, only what stands close to it belongs to that on the left.
    let last = rows.iter().rposition(|row| has(row, true))?;
    let mut end = last;
    while let (Some(row), Some(next)) = (rows.get(end), rows.get(end + 1)) {
        let size = next.lines.first().map_or(10.0, |line| line.size);
        if next.y - row.y > 2.0 * size {
            break;
        }
        end += 1;
    }
    let streak = rows.get(first..=end)?;
    let side = |is_right: bool| {
        let lines = streak.iter().flat_map(|row| &row.lines).filter(|line| (line.x >= x) == is_right);
        let mut lengths: Vec<usize> = lines.map(|line| weight(&line.text)).collect();
        lengths.sort_unstable();
        let rows = streak.iter().filter(|row| has(row, is_right)).count();
        (rows, lengths.get(lengths.len() / 2).copied().unwrap_or(0))
    };
    let ((left_rows, left_length), (right_rows, right_length)) = (side(false), side(true));
    let is_prose = left_length >= PROSE && right_length >= PROSE;
    let enough = left_rows >= COLUMN_ROWS && right_rows >= COLUMN_ROWS;
    (is_prose && enough)
        .then_some((left_rows.min(right_rows), Split { first: offset + first, last: offset + end, x }))
}

/// How much a text fills: characters, those of East Asia twice.
fn weight(text: &str) -> usize {
    text.trim().chars().map(|c| if c >= '\u{1100}' { 2 } else { 1 }).sum()
}

/// Writes rows one after the other; those with several parts that stand below each other are tables.
fn plain(rows: Vec<Row>, blocks: &mut Vec<Block>) {
    let mut lines: Vec<Line> = Vec::new();
    let mut rows = rows.into_iter().peekable();
    while let Some(row) = rows.next() {
        if row.lines.len() < 2 {
            lines.extend(row.lines);
            continue;
        }
        let mut table = vec![row];
        while let Some(next) = rows.next_if(|next| continues(&table, next)) {
            table.push(next);
        }
        match cells(&table) {
            Some(cells) => {
                if !lines.is_empty() {
                    blocks.push(Block::Lines(std::mem::take(&mut lines)));
                }
                blocks.push(Block::Table(cells));
            }
            None => lines.extend(table.into_iter().flat_map(|row| row.lines)),
        }
    }
    if !lines.is_empty() {
        blocks.push(Block::Lines(lines));
    }
}

/// Whether a row goes on with a table: it has several parts, or one that goes on with a cell that is not the first.
fn continues(table: &[Row], next: &Row) -> bool {
    let Some(last) = table.last() else { return false };
    let size = next.lines.first().map_or(10.0, |line| line.size);
    let distance = next.y - last.y;
    match next.lines.as_slice() {
        [only] => {
            let second =
                table.iter().filter_map(|row| row.lines.get(1)).map(|line| line.x).min_by(f64::total_cmp);
            distance < 1.6 * size && second.is_some_and(|second| only.x > second - size)
        }
        _ => distance < 4.5 * size,
    }
}

/// The cells of a table: its columns are where nothing of any row stands between.
fn cells(rows: &[Row]) -> Option<Vec<Vec<String>>> {
    if rows.iter().filter(|row| row.lines.len() > 1).count() < 2 {
        return None;
    }
    let mut spans: Vec<(f64, f64)> =
        rows.iter().flat_map(|row| &row.lines).map(|line| (line.x, line.end)).collect();
    spans.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut columns: Vec<(f64, f64)> = Vec::new();
    for (start, end) in spans {
        match columns.last_mut() {
            Some(last) if start < last.1 + 1.0 => last.1 = last.1.max(end),
            _ => columns.push((start, end)),
        }
    }
    if columns.len() < 2 {
        return None;
    }
    let mut table: Vec<Vec<String>> = Vec::new();
    for row in rows {
        let mut cells = vec![String::new(); columns.len()];
        for line in &row.lines {
            let column = columns.iter().rposition(|(start, _)| line.x >= start - 0.5).unwrap_or(0);
            if let Some(cell) = cells.get_mut(column) {
                if !cell.is_empty() {
                    cell.push(' ');
                }
                cell.push_str(line.text.trim());
            }
        }
        match table.last_mut() {
            // One part, and not in the first column, goes on with the row above.
            Some(last) if row.lines.len() == 1 => {
                for (cell, more) in last.iter_mut().zip(cells).filter(|(_, more)| !more.is_empty()) {
                    cell.push(' ');
                    cell.push_str(&more);
                }
            }
            _ => table.push(cells),
        }
    }
    Some(table)
}
