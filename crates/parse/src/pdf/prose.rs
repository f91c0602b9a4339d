//! Lines made paragraphs again: what was broken at the ends of lines is put together, what is larger is a heading,
//! what stands on every page is left out.

use super::layout::{Block, Line, is_bullet};
use crate::markdown::Writer;
use std::collections::{HashMap, HashSet};

/// Pages on which a line must stand to be one that is on every page.
const RUNNING_PAGES: usize = 3;
/// Letters of a heading at most.
const LONGEST_HEADING: usize = 200;

/// Writes pages, and says what of them is not as it stands there.
pub(super) fn write(mut pages: Vec<Vec<Block>>, writer: &mut Writer) -> Vec<String> {
    let removed = remove_running(&mut pages);
    let shape = Shape::of(&pages);
    let mut joined = 0;
    let mut indents = Indents::default();
    for blocks in pages {
        writer.page();
        for block in blocks {
            match block {
                Block::Table(rows) => {
                    indents.end();
                    writer.table(&rows);
                }
                Block::Heading(level, lines) => {
                    indents.end();
                    writer.heading(level, &shape.text(&lines, &mut joined));
                }
                Block::Item { depth, mark, lines } => {
                    // Some makers say of every item that it is of the outermost list.
                    let depth = if shape.has_depths { depth } else { indents.depth(&lines) };
                    writer.item(depth, &mark, &shape.text(&lines, &mut joined));
                }
                Block::Paragraph(lines) if shape.has_headings => {
                    writer.paragraph(&shape.text(&lines, &mut joined));
                }
                Block::Paragraph(lines) => shape.write(&lines, writer, &mut indents, &mut joined),
                Block::Lines(lines) => {
                    for paragraph in paragraphs(lines) {
                        shape.write(&paragraph, writer, &mut indents, &mut joined);
                    }
                }
            }
            if writer.is_full() {
                return Vec::new();
            }
        }
    }
    let mut notes = Vec::new();
    if removed > 0 {
        notes.push(format!("{removed} lines that stand at the edge of every page were left out"));
    }
    if joined > 0 {
        notes.push(format!("{joined} words broken at the end of a line were put together"));
    }
    notes
}

/// Takes out the lines at the upper and lower edge that most pages have, but for their numbers.
fn remove_running(pages: &mut [Vec<Block>]) -> usize {
    let key = |line: &Line| {
        let text: String = line.text.chars().filter(|c| !c.is_ascii_digit() && !c.is_whitespace()).collect();
        #[expect(clippy::cast_possible_truncation, reason = "a place on a page; casts of floats saturate")]
        let place = (line.y / 4.0).round() as i64;
        (text, place)
    };
    let edges = |blocks: &[Block]| {
        let mut lines: Vec<&Line> = blocks.iter().flat_map(Block::lines).collect();
        lines.sort_by(|a, b| a.y.total_cmp(&b.y));
        let mut edges: HashSet<(String, i64)> = lines.iter().take(2).map(|line| key(line)).collect();
        edges.extend(lines.iter().rev().take(2).map(|line| key(line)));
        edges
    };
    let mut counts: HashMap<(String, i64), usize> = HashMap::new();
    for blocks in pages.iter() {
        for edge in edges(blocks) {
            *counts.entry(edge).or_default() += 1;
        }
    }
    let most = RUNNING_PAGES.max(pages.len() / 2);
    counts.retain(|_, count| *count >= most);
    if counts.is_empty() {
        return 0;
    }
    let mut removed = 0;
    for blocks in pages.iter_mut() {
        let edges = edges(blocks);
        for block in blocks.iter_mut() {
            let Block::Lines(lines) = block else { continue };
            let before = lines.len();
            lines.retain(|line| {
                let key = key(line);
                !(edges.contains(&key) && counts.contains_key(&key))
            });
            removed += before - lines.len();
        }
    }
    removed
}

/// Cuts lines into paragraphs.
fn paragraphs(lines: Vec<Line>) -> Vec<Vec<Line>> {
    let mut steps: Vec<f64> = lines
        .windows(2)
        .filter_map(|pair| match pair {
            [a, b] if b.y > a.y => Some(b.y - a.y),
            _ => None,
        })
        .collect();
    steps.sort_by(f64::total_cmp);
    // Most lines of a text follow a line of their paragraph; of few lines, the closest two do.
    let step = steps.get(steps.len() / 3).copied().unwrap_or(0.0);
    let right = lines.iter().map(|line| line.end).max_by(f64::total_cmp).unwrap_or(0.0);
    let left = lines.iter().map(|line| line.x).min_by(f64::total_cmp).unwrap_or(0.0);
    let mut paragraphs: Vec<Vec<Line>> = Vec::new();
    for line in lines {
        let is_new =
            match paragraphs.last().and_then(|paragraph| Some((paragraph.first()?, paragraph.last()?))) {
                None => true,
                Some((first, last)) => {
                    let distance = line.y - last.y;
                    let size = line.size.max(last.size).max(0.1);
                    let is_other_size = (line.size - last.size).abs() > 0.08 * size;
                    let is_far = distance > (1.3 * step).max(1.05 * size)
                        || distance > 2.2 * size
                        || distance < -0.5 * size;
                    let is_indented =
                        line.x > last.x + 0.8 * size && last.x < left + 0.8 * size && !is_item(first);
                    let is_short = last.end < right - 0.25 * (right - left) && ends_sentence(&last.text);
                    is_other_size
                        || line.is_bold != last.is_bold
                        || is_far
                        || is_indented
                        || is_short
                        || is_item(&line)
                }
            };
        match paragraphs.last_mut() {
            Some(last) if !is_new => last.push(line),
            _ => paragraphs.push(vec![line]),
        }
    }
    paragraphs
}

fn ends_sentence(text: &str) -> bool {
    // Behind the point, a note's mark may stand.
    text.trim_end()
        .trim_end_matches(|c: char| c.is_ascii_digit())
        .ends_with(['.', '!', '?', ':', '。', '！', '？', '”', '"'])
}

/// Whether a line begins an item of a list.
fn is_item(line: &Line) -> bool {
    let text = line.text.trim_start();
    let mut characters = text.chars();
    let bullet = characters.next().is_some_and(|c| is_bullet(c) && c != 'o');
    (bullet && characters.next().is_some_and(char::is_whitespace)) || number_of(text).is_some()
}

/// The number of an item: `12.` or `3)` and a space, and what is behind.
fn number_of(text: &str) -> Option<(&str, &str)> {
    let (mark, rest) = text.split_once(' ')?;
    let digits = mark.strip_suffix(['.', ')'])?;
    let is_number =
        !digits.is_empty() && digits.len() <= 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then_some((digits, rest))
}

/// Where the items of a list begin that are open, the outermost first: an item that begins further to the right than
/// the one before is within it.
#[derive(Default)]
struct Indents(Vec<f64>);

/// How far apart two levels of a list are, in sizes of letters: less is an uneven mark, more another column.
const LEVEL: std::ops::Range<f64> = 0.6..12.0;

impl Indents {
    /// The depth of an item, from 0.
    fn depth(&mut self, lines: &[Line]) -> usize {
        let Some(first) = lines.first() else { return 0 };
        let size = first.size.max(0.1);
        while self.0.last().is_some_and(|last| first.x < last - LEVEL.start * size) {
            self.0.pop();
        }
        match self.0.last() {
            Some(last) if first.x < last + LEVEL.start * size => {}
            Some(last) if first.x < last + LEVEL.end * size => self.0.push(first.x),
            _ => self.0 = vec![first.x],
        }
        self.0.len() - 1
    }

    /// Ends the list.
    fn end(&mut self) {
        self.0.clear();
    }
}

/// What holds for the whole document.
struct Shape {
    /// The size of most letters.
    body: f64,
    /// Sizes of headings, the largest first.
    sizes: Vec<f64>,
    /// Words that are written on one line somewhere.
    words: HashSet<String>,
    /// Whether the document says which of its lines are headings.
    has_headings: bool,
    /// Whether it says which of its lists are within others.
    has_depths: bool,
    /// Whether a line of Hangul that ends with a word ends with a space.
    keeps_spaces: bool,
}

impl Shape {
    fn of(pages: &[Vec<Block>]) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "sizes of letters; casts of floats saturate")]
        let rounded = |size: f64| (size * 2.0).round() as i64;
        let mut letters: HashMap<i64, usize> = HashMap::new();
        let mut words = HashSet::new();
        let (mut ends, mut spaced) = (0_usize, 0_usize);
        for line in pages.iter().flatten().flat_map(Block::lines) {
            *letters.entry(rounded(line.size)).or_default() += line.text.len();
            let mut parts = line.text.split_whitespace().peekable();
            // The first and the last word of a line may be parts of one.
            parts.next();
            while let Some(part) = parts.next() {
                if parts.peek().is_some() {
                    words.insert(bare(part).to_lowercase());
                }
            }
            if line.text.trim_end().ends_with(is_hangul) {
                ends += 1;
                spaced += usize::from(line.text.ends_with(' '));
            }
        }
        let body =
            letters.iter().max_by_key(|(size, count)| (**count, -**size)).map_or(20, |(size, _)| *size);
        let mut sizes: Vec<i64> = letters.keys().copied().filter(|size| *size * 100 >= body * 113).collect();
        sizes.sort_unstable_by(|a, b| b.cmp(a));
        #[expect(clippy::cast_precision_loss, reason = "sizes of letters")]
        let points = |size: i64| size as f64 / 2.0;
        let sizes = sizes.into_iter().map(points).collect();
        let has_headings = pages.iter().flatten().any(|block| matches!(block, Block::Heading(..)));
        let has_depths =
            pages.iter().flatten().any(|block| matches!(block, Block::Item { depth, .. } if *depth > 0));
        let keeps_spaces = spaced * 5 > ends;
        Self { body: points(body), sizes, words, has_headings, has_depths, keeps_spaces }
    }

    fn write(&self, lines: &[Line], writer: &mut Writer, indents: &mut Indents, joined: &mut usize) {
        let text = self.text(lines, joined);
        if text.is_empty() {
            return;
        }
        if let Some(level) = self.level(lines, &text) {
            indents.end();
            return writer.heading(level, &text);
        }
        let mut characters = text.chars();
        let first = characters.next();
        if first.is_some_and(|c| is_bullet(c) && c != 'o')
            && characters.next().is_some_and(char::is_whitespace)
        {
            return writer.item(indents.depth(lines), "-", characters.as_str());
        }
        if let Some((number, rest)) = number_of(&text) {
            return writer.item(indents.depth(lines), &format!("{number}."), rest);
        }
        indents.end();
        writer.paragraph(&text);
    }

    /// The level of a heading.
    fn level(&self, lines: &[Line], text: &str) -> Option<usize> {
        let size = lines.first()?.size;
        let has_letters = text.chars().any(char::is_alphabetic);
        if !has_letters || text.len() > LONGEST_HEADING || lines.len() > 3 {
            return None;
        }
        if size >= self.body * 1.13 {
            let larger = self.sizes.iter().filter(|other| **other > size + 0.4).count();
            return Some((larger + 1).min(4));
        }
        let is_bold = lines.iter().all(|line| line.is_bold) && lines.len() == 1 && text.chars().count() <= 80;
        let is_heading = is_bold && size >= self.body * 0.98 && !text.ends_with(['.', ',', ';', ':']);
        is_heading.then(|| (self.sizes.len() + 1).clamp(2, 5))
    }

    /// The text of a paragraph on one line.
    fn text(&self, lines: &[Line], joined: &mut usize) -> String {
        let mut text = String::new();
        for line in lines {
            let next = line.text.trim_start();
            if text.is_empty() {
                text.push_str(next);
                continue;
            }
            let is_spaced = text.ends_with(char::is_whitespace);
            let end = text.trim_end().len();
            text.truncate(end);
            self.join(&mut text, next, is_spaced, joined);
        }
        crate::markdown::one_line(&text)
    }

    fn join(&self, text: &mut String, next: &str, is_spaced: bool, joined: &mut usize) {
        let (Some(last), Some(first)) = (text.chars().next_back(), next.chars().next()) else { return };
        let head = text.rsplit(char::is_whitespace).next().unwrap_or_default();
        let tail = next.split(char::is_whitespace).next().unwrap_or_default();
        match last {
            '\u{AD}' => {
                text.pop();
                *joined += 1;
            }
            '-' | '\u{2010}' if first.is_alphabetic() && head.chars().count() > 2 => {
                // A word that is written with its hyphen elsewhere keeps it, and so do names and numbers.
                let whole = bare(&format!("{}{tail}", head.trim_end_matches(last))).to_lowercase();
                let hyphened = bare(&format!("{head}{tail}")).to_lowercase();
                let is_word =
                    first.is_lowercase() && head.chars().rev().nth(1).is_some_and(char::is_lowercase);
                if self.words.contains(&whole) || (is_word && !self.words.contains(&hyphened)) {
                    text.pop();
                    *joined += 1;
                }
            }
            _ if is_spaced => text.push(' '),
            _ if is_hangul(last) && is_hangul(first) => {
                let whole = bare(&format!("{head}{tail}")).to_lowercase();
                if self.keeps_spaces || self.words.contains(&whole) {
                    *joined += 1;
                } else {
                    text.push(' ');
                }
            }
            // Neither Chinese nor Japanese has spaces.
            _ if is_unspaced(last) && is_unspaced(first) => {}
            _ => text.push(' '),
        }
        text.push_str(next);
    }
}

/// A word without what stands around it.
fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

fn is_hangul(c: char) -> bool {
    ('가'..='힣').contains(&c)
}

fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{3001}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{FF01}'..='\u{FF60}')
}
